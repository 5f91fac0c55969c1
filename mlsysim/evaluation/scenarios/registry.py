"""Every scenario, one YAML file each, on shelves by what is done."""

from __future__ import annotations

from pathlib import Path

from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.core.registry import Catalog
from mlsysim.evaluation.scenarios.types import Scenario
from mlsysim.evaluation.spec import SystemSpec

Scenarios: Catalog[Scenario] = Catalog("Scenarios", "scenarios", lambda spec: Scenario(**spec))


def find(system: str) -> SystemSpec:
    """The system in the YAML file at a path, or the scenario of that name."""
    path = Path(system)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return SystemSpec.from_yaml(path)
    try:
        return Scenarios.find(system)
    except UnknownEntry as error:
        raise InvalidEntry(system, "", f"no such file; {error}") from None
