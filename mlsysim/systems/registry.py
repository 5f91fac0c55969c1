"""Every node, fabric and cluster; entries name their parts, which their types look up."""

from __future__ import annotations

from typing import Any

from mlsysim.core.registry import Catalog
from mlsysim.systems.types import Fabric, Fleet, Node

Systems: Catalog[Any] = Catalog(Node, Fabric, Fleet)
