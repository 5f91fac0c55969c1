"""Layer 5, analysis: every solver by name, loaded when it is asked for."""

from mlsysim.core.names import public

__getattr__, __all__ = public(__name__)  # the names in __init__.pyi
SOLVERS = __all__


def __dir__() -> list[str]:
    return [*__all__]
