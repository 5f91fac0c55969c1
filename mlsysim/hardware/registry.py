"""Every device, one YAML file each, on shelves by where it works."""

from __future__ import annotations

from mlsysim.core.registry import Catalog
from mlsysim.hardware.types import HardwareNode

Hardware: Catalog[HardwareNode] = Catalog(HardwareNode)
