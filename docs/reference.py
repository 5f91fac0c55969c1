"""Walls, equations, solvers and public names, as the code itself tells them."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from typing import Any, get_type_hints

import mlsysim
from docs.kit import Page, arguments, first, formula, plain, prose, signature, table
from mlsysim import equations, solvers, walls
from mlsysim.core.registry import Catalog
from mlsysim.core.schemas import schema_of_arguments
from mlsysim.core.solver import Solver
from mlsysim.mcp.arguments import input_schema
from mlsysim.walls import DOMAINS, WALLS, Wall

# ---- walls ---------------------------------------------------------------------------------------


def wall_pages() -> list[Page]:
    """The map of the walls, and a page for each."""
    parts = [f"# The {len(WALLS)} walls", prose(walls.__doc__).partition("\n\n")[2]]
    for domain in DOMAINS:
        parts.append(f"## {domain}")
        for each in walls.in_domain(domain):
            title = f"**[{each.number} {each.name}](@/{_wall(each)})**"
            bends = f" ({each.term})" if each.term else ""
            parts += [f"{title}: {each.constraint}{bends}", formula(each.functions[0].__doc__)]
    pages = map(_wall_page, WALLS)
    return [Page("walls/index.md", "The map", "\n\n".join(parts)), *pages]


def _wall(each: Wall) -> str:
    return f"walls/{each.number:02}_{each.name.lower().replace(' ', '_').replace('-', '_')}.md"


def _wall_page(each: Wall) -> Page:
    bends = f"bends the term {each.term}" if each.term else "cuts across all terms"
    parts = [
        f"# Wall {each.number}: {each.name}",
        f"{each.constraint[0].upper()}{each.constraint[1:]}. It belongs to the domain "
        f"{each.domain} and {bends} of the [fleet's law](@/walls/index.md).",
        f"In short: `{each.formula}`",
        "## Equations, limits and sources",
    ]
    for name, function in zip(each.equations, each.functions, strict=True):
        parts += [f"### [{function.__name__}](@/{_equation(name)})", prose(function.__doc__)]
    kinds = (f"[{kind.__name__}](@/{_solver(kind)}): {first(kind.__doc__)}" for kind in each.models)
    parts += ["## What answers it", "\n".join(f"- {said}" for said in kinds)]
    return Page(_wall(each), f"{each.number} {each.name}", "\n\n".join(parts))


# ---- equations -----------------------------------------------------------------------------------


def equation_pages() -> list[Page]:
    """A page for each room of equations."""
    rooms = [name for _, name, _ in pkgutil.iter_modules(equations.__path__)]
    return [_room(name, import_module(f"mlsysim.equations.{name}")) for name in rooms]


def functions(module: Any) -> Iterator[Any]:
    """The public functions of a module, in the order of its text."""
    for name, function in vars(module).items():
        own = inspect.isfunction(function) and function.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield function


def _equation(name: str) -> str:
    room, _, function = name.partition(".")
    return f"equations/{room}.md#{function}"


def _room(name: str, module: Any) -> Page:
    parts = [f"# Equations: {name}", prose(module.__doc__)]
    for function in functions(module):
        known = [each for each in WALLS if f"{name}.{function.__name__}" in each.equations]
        on = ", ".join(f"[wall {each.number}, {each.name}](@/{_wall(each)})" for each in known)
        parts += [
            f"## {function.__name__} {{ #{function.__name__} }}",
            signature(function.__name__, function),
            prose(function.__doc__),
            *([f"On the map: {on}."] if on else []),
        ]
    return Page(f"equations/{name}.md", name, "\n\n".join(parts))


# ---- solvers -------------------------------------------------------------------------------------


def solver_pages() -> list[Page]:
    """A list of the solvers by domain, and a page for each."""
    kinds = sorted((getattr(solvers, name) for name in solvers.SOLVERS), key=_place)
    parts = ["# Solvers"]
    for domain, held in groupby(kinds, lambda kind: DOMAINS[_place(kind)[0]]):
        said = (f"- [{kind.__name__}](@/{_solver(kind)}): {first(kind.__doc__)}" for kind in held)
        parts += [f"## {domain}", "\n".join(said)]
    text = "\n\n".join([*parts, "## One of your own", prose(Solver.__doc__)])
    return [Page("solvers/index.md", "All solvers", text), *map(_solver_page, kinds)]


def _place(kind: Any) -> Any:
    known = [walls.wall(number) for number in kind.walls]
    return min(DOMAINS.index(each.domain) for each in known), kind.walls, kind.__name__


def _solver(kind: Any) -> str:
    return f"solvers/{kind.__name__}.md"


def _on(kind: Any) -> str:
    known = [walls.wall(number) for number in kind.walls]
    return ", ".join(f"[{each.number} {each.name}](@/{_wall(each)})" for each in known)


def _solver_page(kind: Any) -> Page:
    answer = get_type_hints(kind.solve)["return"]
    shown = answer._fields.items()
    rows = [[f"`{name}`", f"{field.unit:~P}" if field.unit else ""] for name, field in shown]
    parts = [
        f"# {kind.__name__}",
        prose(kind.__doc__),
        f"Walls: {_on(kind)}.",
        "## solve",
        signature(f"{kind.__name__}().solve", kind.solve),
        prose(kind.solve.__doc__),
        arguments(_takes(kind().solve)),
        f"## What it answers: {answer.__name__}",
        prose(answer.__doc__),
        table(("field", "shown in"), rows),
    ]
    return Page(_solver(kind), kind.__name__, "\n\n".join(parts))


def _takes(solve: Any) -> dict[str, Any]:
    """What a tool's schema says in few words, with the defaults that it leaves out."""
    takes, whole = input_schema(solve), schema_of_arguments(solve)["properties"]
    usual = {name: {"default": part.get("default")} for name, part in whole.items()}
    return {**takes, "properties": {n: {**p, **usual[n]} for n, p in takes["properties"].items()}}


# ---- public names --------------------------------------------------------------------------------


def names_page() -> Page:
    """Every public name that is no solver."""
    parts = ["# Public names", "Each is imported from `mlsysim` itself."]
    for name in mlsysim.__all__:
        found = getattr(mlsysim, name)
        if name in solvers.SOLVERS:
            continue
        parts.append(f"## {name} {{ #{name} }}")
        if isinstance(found, Catalog):
            held = ", ".join(f"`{shelf}`" for shelf, _ in found.shelves())
            parts.append(f"A registry with the shelves {held}.")
        elif inspect.isclass(found):
            parts.append(prose(found.__doc__))
            for called, method in inspect.getmembers(found, inspect.isroutine):
                if not called.startswith("_") and (method.__module__ or "").startswith("mlsysim"):
                    parts += [signature(f"{name}.{called}", method), prose(method.__doc__)]
        elif callable(found):
            parts += [signature(name, found), prose(found.__doc__)]
        else:
            parts.append(plain(found))
    return Page("python.md", "Public names", "\n\n".join(parts))
