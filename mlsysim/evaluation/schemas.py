"""JSON schemas of every kind of YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsysim.core.errors import UnknownName
from mlsysim.core.schemas import spelled_out, words
from mlsysim.core.values import Value
from mlsysim.evaluation.sections import PHASES, EnvironmentSpec
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


def in_short(kind: str = "system", others: Mapping[str, type[Value]] | None = None) -> str:
    """The keys of one kind of file, a line each: what it means, and which phases know it."""
    if kind != "system":
        said = schema(kind, others).get("properties", {})
        return "\n".join(_line(key, part.get("description", "")) for key, part in said.items())
    known = words()
    lines = [_line("name, question", "free text")]
    for section in ("workload", "fleet"):
        lines.append(f"{section}:")
        keys: dict[str, list[str]] = {}
        for phase, kinds in PHASES.items():
            for key in kinds[section == "fleet"].model_fields:
                keys.setdefault(key, []).append(phase)
        lines += [_line(f"  {key}", f"{known[key]}{_of(phases)}") for key, phases in keys.items()]
    lines.append("environment:")
    lines += [_line(f"  {key}", known[key]) for key in EnvironmentSpec.model_fields]
    return "\n".join([*lines, _line("constraints", known["constraints"])])


def _line(key: str, about: str) -> str:
    return f"{key:<26} {about}"


def _of(phases: list[str]) -> str:
    return "" if len(phases) == len(PHASES) else f" [{', '.join(phases)}]"


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
