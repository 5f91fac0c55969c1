"""Where a row's devices stand: in nodes on a fabric, as far as the registry knows them."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from mlsysim.hardware.types import HardwareNode
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import PLAIN_NODE, Fleet, Node, plain_node


def fleet_of(device: HardwareNode, devices: int) -> Fleet:
    """The registry's node of so many devices where it has one, else a plain one."""
    own: Any = device
    return _fleet(own, devices)


@cache
def _fleet(device: Any, devices: int) -> Fleet:
    known = [each for _, each in Systems.entries() if isinstance(each, Node)]
    own = [each for each in known if each.accelerator == device]
    # in a rack of more, wires reach a power of two of devices, as those are divided
    most = max((int(each.accelerators) for each in own), default=PLAIN_NODE)
    inside = min(devices, 2 ** int(math.log2(max(most, PLAIN_NODE))))
    same = (each for each in own if each.accelerators == inside)
    server = next(same, None) or plain_node(device, inside)
    shelf = Systems.Fabrics  # one generation of switches to a generation of devices
    fabric = shelf.InfiniBand_HDR if (device.release_year or 2022) < 2022 else shelf.InfiniBand_NDR
    return Fleet(name=server.name, node=server, count=max(devices // inside, 1), fabric=fabric)
