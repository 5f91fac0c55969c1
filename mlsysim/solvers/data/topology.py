"""Wall 10: what is left of a link's bandwidth when traffic crosses the whole network."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.provenance import Source, TraceableConstant
from mlsysim.core.solver import Given, Result, Solver, lazily
from mlsysim.equations import data as eq
from mlsysim.systems.types import Fabric, Fleet, Oversubscription, Topology

FULL_BISECTION = TraceableConstant(
    1.0,
    "",
    name="FULL_BISECTION",
    source=Source(
        kind="derived",
        ref="Leiserson (1985), Fat-Trees, doi:10.1109/TC.1985.6312192",
        read=dt.date(2026, 11, 20),
        note="every level carries what enters below it; a thinner one is said as oversubscription",
    ),
)
DRAGONFLY_BISECTION = TraceableConstant(
    0.5,
    "",
    name="DRAGONFLY_BISECTION",
    source=Source(
        kind="derived",
        ref="Kim et al. (2008), Technology-Driven, Highly-Scalable Dragonfly Topology",
        url="https://doi.org/10.1109/ISCA.2008.19",
        read=dt.date(2026, 11, 20),
        note="balanced (a = 2p = 2h), one link between each two of its g = ah + 1 groups: a cut "
        "through the middle severs g^2/4 links, and N/2 = apg/2, so about one half; that is "
        "enough for uniform traffic, half of which crosses the cut",
    ),
)
_SWITCHED = {
    "fat_tree": FULL_BISECTION,
    "rail_optimized": FULL_BISECTION,
    "dragonfly": DRAGONFLY_BISECTION,
}
_TORUS = {"ring": 1.0, "torus2d": 2.0, "torus3d": 3.0}  # dimensions


class TopologyResult(Result):
    """A node's bandwidth under traffic across the whole network, and the network's own."""

    walls = (10,)

    effective_bandwidth: u.Bandwidth = lazily(
        "GB/s",
        eq.effective_bandwidth,
        *("link_bandwidth", "bisection_fraction", "oversubscription"),
    )
    bisection_fraction: u.Fraction
    bisection_bandwidth: u.Bandwidth = lazily(
        "TB/s", eq.bisection_bandwidth, "effective_bandwidth", "nodes"
    )
    link_bandwidth: u.Bandwidth = "GB/s"
    oversubscription: u.Number
    topology: str
    nodes: u.Number


class TopologyModel(Solver):
    """Wall 10: what is left of a link's bandwidth when traffic crosses the whole network.

    Fallacy: "400 Gb/s ports make a 400 Gb/s network." Any ring's middle has two links.
    """

    walls = (10,)

    def solve(
        self,
        fleet: Given[Fleet] | None = None,
        *,
        fabric: Given[Fabric] | None = None,
        topology: Topology | None = None,
        nodes: u.Count | None = None,
        bandwidth: u.Bandwidth | None = None,
        oversubscription: Oversubscription | None = None,
    ) -> TopologyResult:
        """Bandwidth across the middle, for each node.

        A `fleet` brings its fabric and its number of nodes, a `fabric` its link, topology and
        oversubscription; what is given beside them takes their place. Sizes of rings and tori
        matter (`nodes`), with equal sides; a fat tree or a dragonfly is taken as fully built.
        """
        if fleet is not None:
            if fabric is None and bandwidth is None:
                fleet.need("fabric", "give fabric, such as mlsysim.Systems.Fabrics.InfiniBand_NDR")
            fabric = fabric or fleet.fabric
            nodes = float(fleet.count) if nodes is None else nodes
        if fabric is not None:
            bandwidth = float(fabric.bandwidth.m_as("B/s")) if bandwidth is None else bandwidth
            topology = topology or fabric.topology
            if oversubscription is None:
                oversubscription = float(fabric.oversubscription)
        if bandwidth is None:
            raise BadArgument("bandwidth", None, "give a fleet, a fabric, or one link's bandwidth")
        if topology is None:
            raise BadArgument("topology", None, "give one, such as 'fat_tree', or a fabric")
        return TopologyResult(
            bisection_fraction=bisection(topology, nodes),
            link_bandwidth=bandwidth,
            oversubscription=1.0 if oversubscription is None else oversubscription,
            topology=topology,
            nodes=nodes,
        )


def bisection(topology: str, nodes: Any) -> Any:
    """The part of full bisection bandwidth that so many nodes have among them."""
    if topology in _SWITCHED:
        return float(_SWITCHED[topology])
    if nodes is None:
        raise BadArgument("nodes", None, f"a larger {topology} is slower; give its number of nodes")
    return eq.bisection_fraction(eq.torus_links(nodes, _TORUS[topology]), nodes)
