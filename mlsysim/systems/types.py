"""Layer 4, topology: nodes of accelerators, the fabrics between them, and fleets of both."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from mlsysim.core import units as u
from mlsysim.core.errors import InvalidEntry, MissingValue
from mlsysim.core.identity import once
from mlsysim.core.schemas import having
from mlsysim.core.units import Dim, Names
from mlsysim.core.values import Entry, Home, Value
from mlsysim.hardware.types import HardwareNode, Link

PLAIN_NODE = 8  # devices in a node of which nothing else is known
TOPOLOGIES = ("fat_tree", "rail_optimized", "dragonfly", "torus2d", "torus3d", "ring")
_FOLLOWS: Any = None  # one of two keys is enough: the other follows from it
Topology = Annotated[str, Names(*TOPOLOGIES)]
Oversubscription = Annotated[Any, Dim("", low=1.0, open_low=False)]


class Storage(Value):
    """What a node reads its data from and saves to; rates may be unknown, one serves for both."""

    capacity: u.Bytes | None = None
    bandwidth: u.Bandwidth | None = None
    write_bandwidth: u.Bandwidth | None = None


class Node(Entry):
    """One server: `accelerators` equal devices; `power` is the whole server's maximum."""

    home: ClassVar = Home("node", "systems", "DGX_H100", "Nodes")

    accelerator: HardwareNode
    accelerators: u.Count = PLAIN_NODE
    power: u.Power | None = None
    interconnect: Link | None = None
    nics: u.CountOrZero = 0
    nic_bandwidth: u.Bandwidth | None = None
    cpu_cores: u.Count | None = None
    host_memory: u.Bytes | None = None
    storage: Storage | None = None
    unit_cost: u.Money | None = None


class Fabric(Entry):
    """The network between nodes: a port's rate in one direction, a small message's latency."""

    home: ClassVar = Home("fabric", "systems", "InfiniBand_NDR", "Fabrics")

    bandwidth: u.Bandwidth
    latency: u.SecondsOrZero
    topology: Topology = "fat_tree"
    oversubscription: Oversubscription = 1.0


class Fleet(Entry):
    """`count` equal nodes on one fabric; `hw` alone stands for plain nodes of 8 such devices."""

    home: ClassVar = Home("cluster", "systems", "Research_256", "Clusters")

    node: Node = _FOLLOWS
    hw: HardwareNode = _FOLLOWS
    count: u.Count
    fabric: Fabric | None = None

    between = {"anyOf": [having("node"), having("hw")]}

    @classmethod
    def meant(cls, given: Any) -> Any:
        """A fleet has nodes, described by `node` or by `hw`."""
        given = super().meant(given)
        if not isinstance(given, dict):
            return given  # a fleet already
        node, hw = given.get("node"), given.get("hw")
        if node is None and hw is None:
            remedy = "give either node (a server) or hw (a device in plain nodes of eight)"
            raise InvalidEntry("", "node", remedy)
        hw = hw if hw is None else HardwareNode.build(hw, "hw")
        node = plain_node(hw) if node is None else Node.build(node, "node")
        if hw not in (None, node.accelerator):
            raise InvalidEntry("", "hw", f"the node holds {node.accelerator.name}; leave hw out")
        return {**given, "node": node, "hw": node.accelerator}

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed; other nodes bring their own devices."""
        own = {"hw": None} if changes.get("node") is not None else {}
        return super().replace(**own | changes)

    @property
    def devices(self) -> int:
        """Accelerators in the whole fleet."""
        return int(self.count * self.node.accelerators)

    def need(self, path: str, why: str) -> Any:
        """The value at `path` (such as `node.power`); raises MissingValue, which says `why`."""
        value: Any = self
        for part in path.split("."):
            value = getattr(value, part, None)
            if value is None:
                raise MissingValue(self.name, path, why)
        return value


@once
def plain_node(device: Any, inside: int = PLAIN_NODE) -> Node:
    """A server of so many devices of which nothing else is known.

    Devices that have no link to each other talk through their host.
    """
    lineage = device.source_of("tdp")
    return Node(
        name=device.name if inside == 1 else f"{inside} x {device.name}",
        accelerator=device,
        accelerators=inside,
        interconnect=device.interconnect or device.host_link,
        sources={"default": lineage} if lineage else {},
    )
