"""What a client is told: the answer as JSON knows it, in few digits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlsysim.core.units import Quantity
from mlsysim.core.values import Entry


def entry_as_data(layer: str, shelf: str, stem: str, entry: Entry) -> dict[str, Any]:
    """A registry entry: how it is written, and every number with its unit and its source.

    Each of `values` says which of `sources` it is from.
    """
    values = [*_values(entry)]
    sources: list[Any] = []
    for value in values:
        if value["source"] not in sources:
            sources.append(value["source"])
        value["source"] = sources.index(value["source"])
    return {
        "layer": layer,
        "shelf": shelf,
        "entry": stem,
        "name": entry.name,
        # what it is made of stands by name, as in its file
        "spec": {key: part for key, part in entry.to_dict().items() if key != "sources"},
        "values": values,
        "sources": sources,
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


def brief(value: Any) -> Any:
    """Plain data in five digits, without what is unknown or empty."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        found = {key: brief(part) for key, part in value.items()}
        return {key: part for key, part in found.items() if not _says_nothing(part)}
    return [brief(part) for part in value] if isinstance(value, list) else value


def _says_nothing(value: Any) -> bool:
    unit_alone = isinstance(value, dict) and [*value] == ["unit"]
    return unit_alone or value is None or (isinstance(value, (str, list, dict)) and not value)
