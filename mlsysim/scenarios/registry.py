"""Every scenario, one YAML file each, on shelves by what is done."""

from __future__ import annotations

from mlsysim.core.registry import Catalog
from mlsysim.scenarios.types import Scenario

Scenarios: Catalog[Scenario] = Catalog("Scenarios", "scenarios", lambda spec: Scenario(**spec))
