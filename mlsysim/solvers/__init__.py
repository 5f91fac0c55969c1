"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_MODULES = {
    "node.single": ("SingleNodeModel",),
    "node.efficiency": ("EfficiencyModel",),
    "node.serving": ("ServingModel", "TailLatencyModel"),
    "node.batching": ("ContinuousBatchingModel", "BatchingOptimizer"),
    "node.streaming": ("WeightStreamingModel",),
    "data.pipeline": ("DataModel", "TransformationModel", "TopologyModel"),
    "algorithm.scaling": ("ScalingModel", "InferenceScalingModel"),
    "algorithm.compression": ("CompressionModel",),
    "fleet.distributed": ("DistributedModel",),
    "fleet.parallelism": ("ParallelismOptimizer",),
    "fleet.reliability": ("ReliabilityModel", "OrchestrationModel"),
    "ops.bill": ("EconomicsModel", "SustainabilityModel"),
    "ops.placement": ("PlacementOptimizer",),
    "ops.safety": ("CheckpointModel", "ResponsibleEngineeringModel"),
    "analysis.sensitivity": ("SensitivitySolver", "SynthesisSolver"),
}
SOLVERS = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from mlsysim.solvers.algorithm.compression import CompressionModel
    from mlsysim.solvers.algorithm.scaling import InferenceScalingModel, ScalingModel
    from mlsysim.solvers.analysis.sensitivity import SensitivitySolver, SynthesisSolver
    from mlsysim.solvers.data.pipeline import DataModel, TopologyModel, TransformationModel
    from mlsysim.solvers.fleet.distributed import DistributedModel
    from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
    from mlsysim.solvers.fleet.reliability import OrchestrationModel, ReliabilityModel
    from mlsysim.solvers.node.batching import BatchingOptimizer, ContinuousBatchingModel
    from mlsysim.solvers.node.efficiency import EfficiencyModel
    from mlsysim.solvers.node.serving import ServingModel, TailLatencyModel
    from mlsysim.solvers.node.single import SingleNodeModel
    from mlsysim.solvers.node.streaming import WeightStreamingModel
    from mlsysim.solvers.ops.bill import EconomicsModel, SustainabilityModel
    from mlsysim.solvers.ops.placement import PlacementOptimizer
    from mlsysim.solvers.ops.safety import CheckpointModel, ResponsibleEngineeringModel

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
