"""Where the seeds look for `Q_` and for constants that remember their source."""

from mlsysim.core.provenance import TraceableConstant
from mlsysim.core.units import Q_

__all__ = ["Q_", "TraceableConstant"]
