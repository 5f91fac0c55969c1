"""Every software stack, one YAML file each."""

from __future__ import annotations

from mlsysim.core.registry import Catalog
from mlsysim.stacks.types import Stack

Stacks: Catalog[Stack] = Catalog(Stack)
