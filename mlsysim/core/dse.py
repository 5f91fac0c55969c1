"""Where the seeds look for the design-space search."""

from mlsysim.core.search import DSE

__all__ = ["DSE"]
