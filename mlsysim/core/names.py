"""The public names of a package, written once in its stub: for type checkers and for `import`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec


def public(package: str) -> tuple[Callable[[str], object], list[str]]:
    """The `__getattr__` and the `__all__` of a package that imports a name when it is first used.

    The names are the imports of the `__init__.pyi` beside its `__init__.py`, one a line; a star
    stands for all public names of another package, and `Infra = Infrastructure` is an alias.
    Modules of the package are imported when they are first named, too.

    >>> load, names = public("mlsysim")
    >>> load("Infra") is load("Infrastructure"), "SingleNodeModel" in names
    (True, True)
    >>> load("Flux")
    Traceback (most recent call last):
    AttributeError: module 'mlsysim' has no attribute 'Flux'
    """
    module = sys.modules[package]
    stub = module.__loader__.get_data(f"{module.__file__}i").decode()  # type: ignore[union-attr]
    homes: dict[str, tuple[str, str]] = {}
    for line in stub.splitlines():
        match line.split():
            case ["from", home, "import", "*"]:
                homes |= {name: (home, name) for name in import_module(home, package).__all__}
            case ["from", home, "import", name, "as", _]:
                homes[name] = (home, name)
            case [alias, "=", name]:
                homes[alias] = homes[name]

    def load(name: str) -> object:
        if name not in homes:
            if not name.startswith("_") and find_spec(f"{package}.{name}"):
                return import_module(f"{package}.{name}")
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home, inner = homes[name]
        value = vars(module)[name] = getattr(import_module(home, package), inner)
        return value

    return load, sorted(homes)
