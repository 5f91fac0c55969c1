"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from mlsysim.solvers.algorithm import InferenceScalingModel, ScalingModel
    from mlsysim.solvers.analysis import SensitivitySolver, SynthesisSolver
    from mlsysim.solvers.batching import BatchingOptimizer, ContinuousBatchingModel
    from mlsysim.solvers.compression import CompressionModel
    from mlsysim.solvers.data import DataModel, TopologyModel, TransformationModel
    from mlsysim.solvers.efficiency import EfficiencyModel
    from mlsysim.solvers.fleet import DistributedModel
    from mlsysim.solvers.node import SingleNodeModel
    from mlsysim.solvers.ops import EconomicsModel, SustainabilityModel
    from mlsysim.solvers.parallelism import ParallelismOptimizer
    from mlsysim.solvers.placement import PlacementOptimizer
    from mlsysim.solvers.reliability import OrchestrationModel, ReliabilityModel
    from mlsysim.solvers.safety import CheckpointModel, ResponsibleEngineeringModel
    from mlsysim.solvers.serving import ServingModel, TailLatencyModel
    from mlsysim.solvers.streaming import WeightStreamingModel

__all__ = [
    "BatchingOptimizer",
    "CheckpointModel",
    "CompressionModel",
    "ContinuousBatchingModel",
    "DataModel",
    "DistributedModel",
    "EconomicsModel",
    "EfficiencyModel",
    "InferenceScalingModel",
    "OrchestrationModel",
    "ParallelismOptimizer",
    "PlacementOptimizer",
    "ReliabilityModel",
    "ResponsibleEngineeringModel",
    "ScalingModel",
    "SensitivitySolver",
    "ServingModel",
    "SingleNodeModel",
    "SustainabilityModel",
    "SynthesisSolver",
    "TailLatencyModel",
    "TopologyModel",
    "TransformationModel",
    "WeightStreamingModel",
]


def __getattr__(name: str) -> Any:
    """Load the module that holds a solver."""
    if name not in SOLVERS:
        raise AttributeError(f"module {__name__!r} has no solver {name!r}")
    return getattr(import_module(f"{__name__}.{SOLVERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(SOLVERS)
