"""mlsysim: which wall will your model hit? A unit-safe analytical model of ML systems.

`Engine.solve` answers for one step of a model on a device, `Engine.sweep` for a million, and
`Engine.explain`, `why` and `compare` say what made the difference. `evaluate` and `judge` look at
a whole system, `plan` looks for one, and `DSE` searches any space of designs. `Models`,
`Hardware`, `Systems`, `Infra`, `Stacks`, `Literature` and `Scenarios` hold what is known, with a
source for every number. All else are the solvers of the 22 walls (`mlsysim.walls`), which a
`Pipeline` chains. Every name also goes by the command line, `mlsysim --help`.
"""

from mlsysim.core.names import public

__version__ = "1.0.0"

__getattr__, __all__ = public(__name__)  # the names in __init__.pyi


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
