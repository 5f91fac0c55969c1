"""What the registries hold, and where it comes from: `zoo` and `audit`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.table import Table

from mlsysim.cli.app import Console, Folders, Json, answer, print_json
from mlsysim.core import registry
from mlsysim.core.errors import UnknownName
from mlsysim.core.solver import show


def zoo(
    layer: Annotated[
        str | None,
        typer.Argument(
            help="hardware, models, infrastructure or systems; the first two by default."
        ),
    ] = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Every device, model, grid, price, node and fabric."""
    if layer is not None and layer not in _COLUMNS:
        raise UnknownName("layer", layer, _COLUMNS)
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
        _print(catalog, _COLUMNS[name])


def audit(folders: Folders = None, as_json: Json = False) -> None:
    """Does every value in the registries have a source? Exit code 1 when one has none."""
    found = registry.audit_provenance()
    answer(found, as_json=as_json)
    raise typer.Exit(int(not found.passed))


def _print(catalog: Any, columns: dict[str, Callable[[Any], str]]) -> None:
    """A table of entries, shelf by shelf; as wide as it needs to be outside a terminal."""
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ["", *columns]:
        table.add_column(column, justify="right" if column else "left", no_wrap=bool(column))
    for shelf_name, shelf in catalog.shelves():
        table.add_row(f"[bold]{shelf_name}[/]")
        for stem in shelf:
            table.add_row(f"  {stem}", *(cell(shelf[stem]) for cell in columns.values()))
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)


def _said(entry: Any) -> str:
    """The numbers that an entry itself says, in its own words."""
    own = ((path, value) for path, value in entry.numbers() if "." not in path)
    return ", ".join(f"{path.replace('_', ' ')} {show(value)}" for path, value in own)


_COLUMNS: dict[str, dict[str, Callable[[Any], str]]] = {
    "hardware": {
        "year": lambda device: str(device.release_year),
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
    "infrastructure": {"": _said},
    "systems": {"": _said},
}
