"""Every cited number, one YAML file each."""

from __future__ import annotations

from mlsysim.core.registry import Catalog
from mlsysim.literature.types import Finding

Literature: Catalog[Finding] = Catalog(Finding)
