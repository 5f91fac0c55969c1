"""Every grid, facility and price, one YAML file each."""

from __future__ import annotations

from typing import Any

from mlsysim.core.registry import Catalog
from mlsysim.infrastructure.types import Facility, Grid, Price

Infrastructure: Catalog[Any] = Catalog(Grid, Facility, Price)
