"""Every scenario, a whole system with a question: one YAML file each, shelved by what is done."""

from __future__ import annotations

from pathlib import Path

from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.core.registry import Catalog
from mlsysim.evaluation import SystemSpec
from mlsysim.evaluation.scenarios.types import Scenario

Scenarios: Catalog[Scenario] = Catalog(Scenario)


def find(system: str) -> SystemSpec:
    """The system in the YAML file at a path, or the scenario of that name."""
    path = Path(system)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return SystemSpec.from_yaml(path)
    try:
        return Scenarios[system]
    except UnknownEntry as error:
        raise InvalidEntry(system, "", f"no such file; {error}") from None
