"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from typing import Any

from mlsysim.core import plugins
from mlsysim.core.names import public

_own, __all__ = public(__name__)  # the names in __init__.pyi
SOLVERS = __all__


def __getattr__(name: str) -> Any:
    """A solver of this package, or of another that brings it by its entry point."""
    try:
        return _own(name)
    except AttributeError:
        if name.startswith("_") or name not in plugins.solvers():
            raise
        return plugins.solvers()[name]


def __dir__() -> list[str]:
    return [*__all__]
