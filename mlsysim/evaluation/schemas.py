"""JSON schemas of every kind of YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsysim.core.errors import UnknownName
from mlsysim.core.schemas import spelled_out
from mlsysim.core.values import Value
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Facility, Grid, Price
from mlsysim.models.registry import KINDS
from mlsysim.systems.types import Fabric, Fleet, Node

SCHEMAS: dict[str, type[Value]] = {
    "system": SystemSpec,
    "hardware": HardwareNode,
    **KINDS,
    "grid": Grid,
    "facility": Facility,
    "price": Price,
    "node": Node,
    "fabric": Fabric,
    "cluster": Fleet,
}


def schema(kind: str = "system", others: Mapping[str, type[Value]] | None = None) -> dict[str, Any]:
    """JSON schema of one kind of file, one of `others` too; raises UnknownName.

    >>> schema("fabric")["properties"]["bandwidth"]["x-unit"]
    'B/s'
    """
    kinds = {**SCHEMAS, **(others or {})}
    if kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | spelled_out(kinds[kind].json_schema(exact=True))
