"""What a client is told: the schema of each answer, and the answer as JSON knows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_type_hints

from mlsysim.core.solver import Result
from mlsysim.core.units import Dim, Quantity, dim_of
from mlsysim.core.values import Entry

TEXT, INTEGER, OBJECT = {"type": "string"}, {"type": "integer"}, {"type": "object"}
_JSON = {bool: "boolean", str: "string", int: "integer", tuple: "array", dict: "object"}


def entry_as_data(layer: str, shelf: str, stem: str, entry: Entry) -> dict[str, Any]:
    """A registry entry: how it is written, and every number with its unit and its source."""
    return {
        "layer": layer,
        "shelf": shelf,
        "entry": stem,
        "name": entry.name,
        # what it is made of stands by name, as in its file
        "spec": {key: part for key, part in entry.to_dict().items() if key != "sources"},
        "values": [*_values(entry)],
    }


def _values(entry: Entry) -> Iterable[dict[str, Any]]:
    for path, value in entry.numbers():
        source, quantity = entry.source_of(path), isinstance(value, Quantity)
        yield {
            "path": path,
            "value": value.magnitude if quantity else value,
            "unit": f"{value.units:~C}" if quantity else "",
            "source": source.to_dict() if source else None,
        }


# ---- schemas -------------------------------------------------------------------------------------


def fields(**properties: Any) -> dict[str, Any]:
    """JSON schema of an object that has all of these."""
    return {"type": "object", "properties": properties, "required": [*properties]}


def output_schema(result: type[Result]) -> dict[str, Any]:
    """JSON schema of a Result: quantities in the unit that they are shown in, null where unknown.

    >>> from mlsysim.solvers.node.single import Profile
    >>> output_schema(Profile)["properties"]["latency"]["properties"]["unit"]
    {'const': 'ms'}
    """
    hints = get_type_hints(result, include_extras=True)
    names = (name for name in result._fields if name in hints)
    shown = {name: _shown(getattr(result, name).unit, hints[name]) for name in names}
    return {"type": "object", "properties": shown}


def _shown(unit: Any, hint: Any) -> dict[str, Any]:
    if unit is not None:
        parts = fields(value={"type": ["number", "null"]}, unit={"const": f"{unit:~P}"})
        return parts | {"type": ["object", "null"]}
    kind = "number" if isinstance(dim_of(hint), Dim) else _JSON.get(hint, "string")
    return {"type": [kind, "null"]}


def listed(each: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of a list."""
    return {"type": "array", "items": each}


ENTRY = fields(
    layer=TEXT,
    shelf=TEXT,
    entry=TEXT,
    name=TEXT,
    spec=OBJECT,
    values=listed(
        fields(path=TEXT, value={"type": "number"}, unit=TEXT, source={"type": ["object", "null"]})
    ),
)
NAMES = fields(layer=TEXT, shelves={"type": "object", "additionalProperties": listed(TEXT)})
