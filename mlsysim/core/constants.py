"""Where the seeds look for `Q_` and for constants that remember their source."""

from mlsysim.core.units import Q_
from mlsysim.core.values import TraceableConstant

__all__ = ["Q_", "TraceableConstant"]
