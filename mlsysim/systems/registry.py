"""Every node, fabric and cluster; entries name their parts, and the names are looked up here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.core.registry import Catalog
from mlsysim.hardware.registry import Hardware
from mlsysim.systems.types import Fabric, Fleet, Node


def _look_up(spec: dict[str, Any], key: str, find: Callable[[str], Any]) -> dict[str, Any]:
    """`spec` with the name under `key` replaced by the entry of that name."""
    if not isinstance(spec.get(key), str):
        return spec
    try:
        return {**spec, key: find(spec[key])}
    except UnknownEntry as error:
        raise InvalidEntry(str(spec.get("name", key)), key, str(error)) from None


def build_node(spec: dict[str, Any]) -> Node:
    """A node, its accelerator named or given; raises InvalidEntry."""
    return Node(**_look_up(spec, "accelerator", Hardware.find))


def build_fleet(spec: dict[str, Any]) -> Fleet:
    """A fleet, its node, device and fabric named or given; raises InvalidEntry."""
    spec = _look_up(spec, "node", lambda name: Systems.Nodes[name])
    spec = _look_up(spec, "hw", Hardware.find)
    return Fleet(**_look_up(spec, "fabric", lambda name: Systems.Fabrics[name]))


Systems: Catalog[Any] = Catalog(
    "Systems",
    "systems",
    {"Nodes": build_node, "Fabrics": lambda spec: Fabric(**spec), "Clusters": build_fleet},
)
