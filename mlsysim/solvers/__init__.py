"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "node": ("SingleNodeModel",),
    "efficiency": ("EfficiencyModel",),
    "serving": ("ServingModel", "TailLatencyModel"),
    "batching": ("ContinuousBatchingModel", "BatchingOptimizer"),
    "streaming": ("WeightStreamingModel",),
    "data": ("DataModel", "TransformationModel", "TopologyModel"),
    "algorithm": ("ScalingModel", "InferenceScalingModel"),
    "compression": ("CompressionModel",),
    "fleet": ("DistributedModel",),
    "parallelism": ("ParallelismOptimizer",),
    "reliability": ("ReliabilityModel", "OrchestrationModel"),
    "ops": ("EconomicsModel", "SustainabilityModel"),
    "placement": ("PlacementOptimizer",),
    "safety": ("CheckpointModel", "ResponsibleEngineeringModel"),
    "analysis": ("SensitivitySolver", "SynthesisSolver"),
}
SOLVERS = {name: module for module, names in _MODULES.items() for name in names}

__all__ = list(SOLVERS)


def __getattr__(name: str) -> Any:
    """Load the module that holds a solver."""
    if name not in SOLVERS:
        raise AttributeError(f"module {__name__!r} has no solver {name!r}")
    return getattr(import_module(f"{__name__}.{SOLVERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(SOLVERS)
