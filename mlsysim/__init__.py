"""mlsysim: which wall will your model hit? A unit-safe analytical model of ML systems."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0"

_HOMES = {  # every other public name is a solver
    "DSE": "core.search",
    "Engine": "engine.engine",
    "Fleet": "systems.types",
    "Hardware": "hardware.registry",
    "Infrastructure": "infrastructure.registry",
    "Literature": "literature.registry",
    "Models": "models.registry",
    "Pipeline": "core.pipeline",
    "Q_": "core.units",
    "Scenarios": "evaluation.scenarios.registry",
    "Systems": "systems.registry",
    "audit_provenance": "core.registry",
}
_ALIASES = {"Infra": "Infrastructure"}

if TYPE_CHECKING:
    from mlsysim.core.pipeline import Pipeline
    from mlsysim.core.registry import audit_provenance
    from mlsysim.core.search import DSE
    from mlsysim.core.units import Q_
    from mlsysim.engine.engine import Engine
    from mlsysim.evaluation.scenarios.registry import Scenarios
    from mlsysim.hardware.registry import Hardware
    from mlsysim.infrastructure.registry import Infrastructure
    from mlsysim.infrastructure.registry import Infrastructure as Infra
    from mlsysim.literature.registry import Literature
    from mlsysim.models.registry import Models
    from mlsysim.solvers import (
        BatchingOptimizer,
        CheckpointModel,
        CompressionModel,
        ContinuousBatchingModel,
        DataModel,
        DistributedModel,
        EconomicsModel,
        EfficiencyModel,
        InferenceScalingModel,
        OrchestrationModel,
        ParallelismOptimizer,
        PlacementOptimizer,
        ReliabilityModel,
        ResponsibleEngineeringModel,
        ScalingModel,
        SensitivitySolver,
        ServingModel,
        SingleNodeModel,
        SustainabilityModel,
        SynthesisSolver,
        TailLatencyModel,
        TopologyModel,
        TransformationModel,
        WeightStreamingModel,
    )
    from mlsysim.systems.registry import Systems
    from mlsysim.systems.types import Fleet

__all__ = [
    "DSE",
    "Q_",
    "BatchingOptimizer",
    "CheckpointModel",
    "CompressionModel",
    "ContinuousBatchingModel",
    "DataModel",
    "DistributedModel",
    "EconomicsModel",
    "EfficiencyModel",
    "Engine",
    "Fleet",
    "Hardware",
    "InferenceScalingModel",
    "Infra",
    "Infrastructure",
    "Literature",
    "Models",
    "OrchestrationModel",
    "ParallelismOptimizer",
    "Pipeline",
    "PlacementOptimizer",
    "ReliabilityModel",
    "ResponsibleEngineeringModel",
    "ScalingModel",
    "Scenarios",
    "SensitivitySolver",
    "ServingModel",
    "SingleNodeModel",
    "SustainabilityModel",
    "SynthesisSolver",
    "Systems",
    "TailLatencyModel",
    "TopologyModel",
    "TransformationModel",
    "WeightStreamingModel",
    "audit_provenance",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _ALIASES.get(name, name)
    value = getattr(import_module(f"{__name__}.{_HOMES.get(home, 'solvers')}"), home)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
