"""Where a row's devices stand: nodes of eight on a fabric, as far as the registry knows them."""

from __future__ import annotations

from mlsysim.hardware.types import HardwareNode
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet, Node

INSIDE = 8  # devices in a node


def fleet_of(device: HardwareNode, devices: int) -> Fleet:
    """Devices in nodes of eight, on the registry's fabric for such nodes where it has one."""
    inside = min(devices, INSIDE)
    name = f"{inside} x {device.name}"
    node_ = Node(
        name=name, accelerator=device, accelerators=inside, interconnect=device.interconnect
    )
    known = [each for _, each in Systems.entries() if isinstance(each, Node)]
    same = (each for each in known if each.accelerator == device and each.accelerators == inside)
    node_ = next(same, node_)
    inside = int(node_.accelerators)
    fabric = Systems.Fabrics.InfiniBand_HDR if device.release_year < 2022 else None
    fabric = fabric or Systems.Fabrics.InfiniBand_NDR
    return Fleet(name=name, node=node_, count=max(devices // inside, 1), fabric=fabric)
