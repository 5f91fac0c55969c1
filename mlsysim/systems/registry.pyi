# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.systems.types import Fabric as Fabric
from mlsysim.systems.types import Fleet as Fleet
from mlsysim.systems.types import Node as Node

class _Clusters:
    Llama3_16K: Fleet
    Mega_100K: Fleet
    Production_2K: Fleet
    Research_256: Fleet
    Training_1K: Fleet

class _ClustersShelf(_Clusters, Shelf[Fleet]): ...

class _Fabrics:
    EFA_v3: Fabric
    Ethernet_100G: Fabric
    Ethernet_400G: Fabric
    ICI_v4: Fabric
    ICI_v5p: Fabric
    ICI_v7: Fabric
    InfiniBand_EDR: Fabric
    InfiniBand_HDR: Fabric
    InfiniBand_NDR: Fabric
    InfiniBand_XDR: Fabric
    NVLink_Switch: Fabric
    RoCE_400G: Fabric
    RoCE_800G: Fabric

class _FabricsShelf(_Fabrics, Shelf[Fabric]): ...

class _Nodes:
    DGX_A100: Node
    DGX_B200: Node
    DGX_B300: Node
    DGX_H100: Node
    DGX_H200: Node
    DGX_V100: Node
    GB200_NVL72: Node
    GB300_NVL72: Node
    Gaudi3_Node: Node
    MI300X_Platform: Node
    MI325X_Platform: Node
    MI355X_Platform: Node
    TPU_v5e_Pod: Node
    TPU_v5p_Cube: Node
    TPU_v6e_Pod: Node
    TPU_v7_Cube: Node
    Trn2: Node
    Trn2_UltraServer: Node
    Trn3_UltraServer: Node

class _NodesShelf(_Nodes, Shelf[Node]): ...

class _Systems(_Clusters, _Fabrics, _Nodes, Catalog[Any]):
    Clusters: _ClustersShelf
    Fabrics: _FabricsShelf
    Nodes: _NodesShelf

Systems: _Systems
