"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SOLVERS = {
    "SingleNodeModel": "node", "Profile": "node",
}

__all__ = list(SOLVERS)  # noqa: PLE0605 - the names are the table above


def __getattr__(name: str) -> Any:
    """Load the module that holds a solver."""
    if name not in SOLVERS:
        raise AttributeError(f"module {__name__!r} has no solver {name!r}")
    return getattr(import_module(f"{__name__}.{SOLVERS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(SOLVERS)
