"""mlsysim: which wall will your model hit? A unit-safe analytical model of ML systems."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Engine": "engine.engine",
    "Hardware": "hardware.registry",
    "Models": "models.registry",
    "Q_": "core.units",
    "audit_provenance": "core.registry",
    "SingleNodeModel": "solvers",
}

if TYPE_CHECKING:
    from mlsysim.core.registry import audit_provenance
    from mlsysim.core.units import Q_
    from mlsysim.engine.engine import Engine
    from mlsysim.hardware.registry import Hardware
    from mlsysim.models.registry import Models
    from mlsysim.solvers.node import SingleNodeModel

__all__ = ["Engine", "Hardware", "Models", "Q_", "SingleNodeModel", "audit_provenance"]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
