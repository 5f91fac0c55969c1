"""THE share that one device has of a divided model, and what the group's devices say to each other.

An operator says how it is divided (`Operator.split`). Here a group divides it: `ways` devices each
matrix and each head (tensor parallelism), and as many as `experts` the experts among them.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from mlsysim.core import units as u
from mlsysim.core.units import PRECISIONS
from mlsysim.equations import algorithm, fleet, system
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import Operator, Step, fold
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.models.widths import ONE, Widths
from mlsysim.systems.types import Fleet

REDUCES = 2  # a layer ends its attention and its feed-forward with one all-reduce each way
LINK_LATENCY = 1e-6  # seconds for one hop inside a node: a teaching value


# ---- what a device has -------------------------------------------------------------------------


def part(op: Operator, ways: Any, experts: Any = 1.0, cached: Any = 1.0) -> Operator:
    """One device's part of an operator, and the `cached` part of its state.

    A device that keeps some of the experts computes as many tokens as it sends to the others.
    """
    split = op.split
    kept = ways * experts if split.experts else ways
    return Operator(
        op.name,
        op.kind,
        op.repeat,
        op.flops / ways if split.work else op.flops,
        op.weights / kept if split.work else op.weights,
        op.state * cached,
        op.inputs / ways if split.inputs else op.inputs,
        op.outputs / ways if split.outputs else op.outputs,
        op.held / kept if split.work else op.held,
        split,
    )


class Share(Workload):
    """One device's part of a model that `ways` devices divide among themselves, layer by layer.

    Of the KV cache each keeps whole heads, and a latent cache is kept by all.
    """

    whole: TransformerWorkload
    ways: u.Count

    @property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the whole model."""
        return self.whole.phases

    @property
    def context(self) -> int:
        """That of the whole model."""
        return self.whole.context

    @cached_property
    def cached(self) -> float:
        """The part of the KV cache that one device keeps."""
        if self.whole.mla:
            return 1.0
        return float(system.cache_share(float(self.whole.key_heads), float(self.ways)))

    def step(
        self,
        batch: Any,
        seq_len: Any,
        phase: str | None,
        widths: Widths = ONE,
        *,
        new: Any = None,
        training: bool = False,
    ) -> Step:
        """A step of the whole model."""
        return self.whole.step(batch, seq_len, phase, widths, new=new, training=training)

    def operators(self, step: Step) -> list[Operator]:
        """One device's part of each operator."""
        return [part(op, self.ways, cached=self.cached) for op in self.whole.operators(step)]

    def held_state(self, step: Step) -> Any:
        """The heads that one device keeps of the cache of every sequence."""
        return self.whole.held_state(step) * self.cached


def share(model: TransformerWorkload, ways: int) -> Share:
    """What one of `ways` devices has of a model; the published parameters in the same part."""
    step = model.step(1.0, None, None)
    parts = fold((part(op, ways) for op in model.operators(step)), step.phase)
    parameters = round(model.parameters * parts.held / model.totals(step).held)
    return Share(name=model.name, parameters=parameters, whole=model, ways=ways)


# ---- what the devices say ----------------------------------------------------------------------


class Wires(NamedTuple):
    """How devices reach each other: inside a server, and one device's share of the fabric."""

    inside: int
    total: int
    link: float
    link_latency: float
    network: float
    network_latency: float


def wires(place: Fleet, link_latency: float, *, across: bool = True) -> Wires:
    """The fleet's connections in SI numbers; asks only for those that its messages take.

    None of them leaves its node unless the fleet has several and something goes `across`.
    """
    server, inside, total = place.node, int(place.node.accelerators), place.devices
    link = network = network_latency = 0.0
    if inside > 1:
        why = "give the rate at which devices in one node talk, to know what a collective takes"
        link = float(place.need("node.interconnect.bandwidth", why).m_as("B/s"))
    if across and place.count > 1:
        why = "give the fabric between the nodes, such as Systems.Fabrics.InfiniBand_NDR"
        port = float(place.need("fabric.bandwidth", why).m_as("B/s"))
        network_latency = float(place.need("fabric.latency", why).m_as("s"))
        if server.nic_bandwidth is not None:
            port = min(port, float(server.nic_bandwidth.m_as("B/s")))
        ports = server.nics or inside  # where they are unknown, one for each device
        taper = place.need("fabric.oversubscription", why)
        network = fleet.network_share(port, ports, inside, taper)
    # a missing wire is one that no message takes; a rate of one keeps its zero bytes finite
    return Wires(inside, total, link or 1.0, link_latency, network or 1.0, network_latency)


def all_reduce(data: Any, ranks: Any, local: Any, wires: Wires) -> Any:
    """Seconds in which `ranks` devices, `local` of them in each node, sum their data."""
    return fleet.hierarchical_all_reduce(
        data,
        local,
        ranks / local,
        link=wires.link,
        link_latency=wires.link_latency,
        network=wires.network,
        network_latency=wires.network_latency,
    )


# ---- groups that serve -------------------------------------------------------------------------


class Group(NamedTuple):
    """The devices that make up one replica, and how many replicas the fleet holds."""

    fleet: Fleet
    device: HardwareNode
    model: Workload  # one device's share of it
    ways: int
    replicas: int
    fault: str  # why it cannot be so

    def reduce_time(self, tokens: float, precision: str) -> float:
        """Seconds in which the group sums the activations of `tokens` tokens in all layers."""
        if not isinstance(self.model, Share):
            return 0.0
        whole = self.model.whole
        talk = wires(self.fleet, LINK_LATENCY, across=False)
        data = algorithm.stored(tokens * whole.hidden, PRECISIONS[self.device.datapath(precision)])
        return float(REDUCES * whole.layers * all_reduce(data, self.ways, self.ways, talk))


def divided(model: Workload, place: Fleet, ways: int) -> Group:
    """Divide a fleet into replicas, in each of which `ways` devices share a model."""
    inside, fault, own = int(place.node.accelerators), "", model
    if ways > 1:
        if not isinstance(model, TransformerWorkload):
            fault = f"{model.name} has no attention heads to divide among {ways} devices."
        elif model.heads % ways:
            fault = f"{model.heads} attention heads cannot be divided among {ways} devices."
        elif inside % ways:
            fault = f"{ways} tensor-parallel devices do not divide a node of {inside}."
        else:
            own = share(model, ways)
    return Group(place, place.node.accelerator, own, ways, max(place.devices // ways, 1), fault)
