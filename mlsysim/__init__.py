"""mlsysim: which wall will your model hit? A unit-safe analytical model of ML systems."""

from mlsysim.core.names import public

__version__ = "1.0.0"

__getattr__, __all__ = public(__name__)  # the names in __init__.pyi


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
