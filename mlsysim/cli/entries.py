"""What the registries hold, and where it comes from: `zoo` and `audit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from mlsysim.cli.app import Console, Folders, Json, answer, print_json, print_table
from mlsysim.core import registry
from mlsysim.core.errors import UnknownName
from mlsysim.core.solver import show
from mlsysim.core.table import Table


def _begun(incomplete: str) -> list[str]:
    return [layer for layer in registry.LAYERS if layer.startswith(incomplete)]


def zoo(
    layer: Annotated[
        str | None,
        typer.Argument(
            help=f"{', '.join(registry.LAYERS)}; the first two by default.", autocompletion=_begun
        ),
    ] = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Every device, model, software stack, grid, price, node and fabric.

    mlsysim zoo infrastructure
    """
    if layer is not None and layer not in registry.LAYERS:
        raise UnknownName("layer", layer, registry.LAYERS)
    names = ("hardware", "models") if layer is None else (layer,)
    chosen = {name: registry.catalog(name) for name in names}
    if as_json:
        print_json(
            {
                name: {stem: entry.to_dict() for stem, entry in catalog.entries()}
                for name, catalog in chosen.items()
            }
        )
        return
    for name, catalog in chosen.items():
        for title, shelf in catalog.shelves():
            Console(highlight=False).print(f"[bold]{title}[/]")
            _print(shelf, _COLUMNS.get(name, {"says": _said}))


def audit(folders: Folders = None, as_json: Json = False) -> None:
    """Does every value in the registries have a source? Exit code 1 when one has none.

    mlsysim audit --registry mine
    """
    found = registry.audit_provenance()
    answer(found, as_json=as_json)
    raise typer.Exit(int(not found.passed))


def _print(shelf: Any, columns: dict[str, Callable[[Any], str]]) -> None:
    """A table of the entries of one shelf."""
    cells = {head: [cell(shelf[stem]) for stem in shelf] for head, cell in columns.items()}
    print_table(Table({"": [*shelf], **cells}))
    typer.echo()


def _said(entry: Any) -> str:
    """The numbers that an entry itself says, in its own words."""
    own = ((path, value) for path, value in entry.numbers() if "." not in path)
    return ", ".join(f"{path.replace('_', ' ')} {show(value)}" for path, value in own)


def _within(stack: Any, part: str) -> str:
    return f"x {getattr(stack.spread, part):.2f}" if stack.spread else "-"


_COLUMNS: dict[str, dict[str, Callable[[Any], str]]] = {
    "hardware": {
        "year": lambda device: str(device.release_year or "?"),
        "dense peak": lambda device: show(device.compute.peak_flops),
        "at": lambda device: device.compute.peak_precision,
        "memory": lambda device: show(device.memory.capacity),
        "bandwidth": lambda device: show(device.memory.bandwidth),
        "power": lambda device: "?" if device.tdp is None else show(device.tdp),
    },
    "models": {
        "kind": lambda model: model.kind,
        "parameters": lambda model: f"{model.parameters:,}",
        "year": lambda model: str(model.release_year or "?"),
        "in fp16": lambda model: show(model.weights("fp16")),
    },
    "stacks": {
        "half within": lambda stack: _within(stack, "half"),
        "9 of 10": lambda stack: _within(stack, "most"),
        "measured on": lambda stack: ", ".join(stack.generations) or "-",
        "for": lambda stack: stack.summary or "",
    },
}
