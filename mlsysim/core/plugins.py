"""What other packages add: solvers and registries, found by their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlsysim.core.errors import InvalidEntry

SOLVERS, REGISTRY = "mlsysim.solvers", "mlsysim.registry"


@cache
def solvers() -> dict[str, Any]:
    """The solvers of other packages by name; raises InvalidEntry for what is none."""
    from mlsysim.core.solver import Solver  # which a registry does not need

    found = {}
    for each in entry_points(group=SOLVERS):
        kind = each.load()
        if not (isinstance(kind, type) and issubclass(kind, Solver)):
            remedy = "an entry point names a class that derives from mlsysim.core.solver.Solver"
            raise InvalidEntry(f"{SOLVERS}: {each.name}", "", remedy)
        found[each.name] = kind
    return found


@cache
def folders() -> tuple[Path, ...]:
    """The folders of entries of other packages: each entry point names a package of YAML files."""
    return tuple(Path(str(files(each.value))) for each in entry_points(group=REGISTRY))
