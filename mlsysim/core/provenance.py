"""Where the seeds look for what `core.values` holds."""

from mlsysim.core.values import Audit, Source, TraceableConstant, audit

__all__ = ["Audit", "Source", "TraceableConstant", "audit"]
