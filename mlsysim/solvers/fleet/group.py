"""THE share that one device has of a divided model, and what the group's devices say to each other.

An operator says how it is divided (`Operator.split`). Here a group divides it: `ways` devices each
matrix and each head (tensor parallelism), and as many as `experts` the experts among them.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.identity import once
from mlsysim.equations import algorithm, fleet, system
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import ATTENTION, DECODE, Operator, Product, Split, Step
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths, widths
from mlsysim.solvers.data.topology import bisection
from mlsysim.solvers.node.kernels import reduced
from mlsysim.solvers.node.single import one_each
from mlsysim.systems.types import PLAIN_NODE, Fleet

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
        op.product and _product(op.product, split, ways, experts),
        op.wide,
    )


def _product(whole: Product, split: Split, ways: Any, experts: Any) -> Product:
    """One device's part of a matrix product: of its columns, or of the values that it sums over."""
    return whole._replace(
        inner=whole.inner / ways if split.inputs else whole.inner,
        columns=whole.columns / ways if split.outputs else whole.columns,
        sets=whole.sets / experts if split.experts else whole.sets,
    )


class Layout(NamedTuple):
    """How many ways a group divides a model: its matrices, layers, experts, and each sequence.

    Devices that hold different experts answer different sequences; those that divide a sequence
    repeat its matrix products in decode, and share its cache and its attention.
    """

    tensor: int
    pipeline: int
    expert: int
    context: int

    @property
    def devices(self) -> int:
        """All of them together."""
        return self.tensor * self.pipeline * self.expert * self.context


class Share(Workload):
    """One device's part of a model that `ways` devices divide among themselves, layer by layer.

    Of the KV cache each keeps whole heads, and a latent cache is kept by all. Where stages hold
    the layers, its operators are those that a part of the batch meets on its way through all.
    """

    whole: TransformerWorkload
    ways: u.Count
    stages: u.Count
    experts: u.Count
    pieces: u.Count

    @property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the whole model."""
        return self.whole.phases

    @property
    def context(self) -> int:
        """That of the whole model."""
        return self.whole.context

    @property
    def near(self) -> Any:
        """That of the whole model."""
        return self.whole.near

    @cached_property
    def cached(self) -> float:
        """The part of the KV cache that one device keeps."""
        heads = 1.0
        if not self.whole.mla:
            heads = float(system.cache_share(float(self.whole.key_heads), float(self.ways)))
        return heads / (self.stages * self.experts * self.pieces)

    def length(self, seq_len: Any) -> Any:
        """That of the whole model."""
        return self.whole.length(seq_len)

    def operators(self, step: Step) -> list[Operator]:
        """One device's part of each operator."""
        apart = self.stages * self.experts
        own = step if apart == 1 else step._replace(batch=np.maximum(step.batch / apart, 1.0))
        ops = self.whole.operators(own)
        if self.experts > 1:  # each holds some, and computes what all send them
            sent = step._replace(batch=np.maximum(step.batch / self.stages, 1.0))
            ops = [
                _held_apart(every, self.experts) if op.split.experts else op
                for op, every in zip(ops, self.whole.operators(sent), strict=True)
            ]
        return [self._part(op, step) for op in ops]

    def _part(self, op: Operator, step: Step) -> Operator:
        mine = part(op, self.ways, cached=self.cached * self.stages * self.experts)
        if op.kind == ATTENTION or step.phase != DECODE:
            mine = mine._replace(
                **{name: getattr(mine, name) / self.pieces for name in ("flops", *_VALUES)}
            )
        return mine if self.stages == 1 else mine._replace(held=self._kept(op) * mine.held)

    def _kept(self, op: Operator) -> float:
        """The part that the fullest stage holds: the first one, which has the embedding too."""
        if op.split.end:
            return 0.0 if op.name == "head" else 1.0
        return math.ceil(self.whole.layers / self.stages) / self.whole.layers

    def held_state(self, step: Step) -> Any:
        """The heads that one device keeps of the cache of every sequence that it answers."""
        return self.whole.held_state(step) * self.cached


_VALUES = ("inputs", "outputs")


def _held_apart(op: Operator, devices: int) -> Operator:
    names = ("flops", "weights", "inputs", "outputs", "held")
    return op._replace(**{name: getattr(op, name) / devices for name in names})


@once
def share(
    model: TransformerWorkload, ways: int, stages: int = 1, experts: int = 1, pieces: int = 1
) -> Share:
    """What one of `ways` devices has of a model; the published parameters in the same part.

    It may be divided into `stages`, `experts` and `pieces` besides.
    """
    how = {"name": model.name, "whole": model, "ways": ways}
    how |= {"stages": stages, "experts": experts, "pieces": pieces}
    parts = Share(**how, parameters=1).counted_parameters()
    whole = model.counted_parameters()
    return Share(**how, parameters=round(model.parameters * parts / whole))


# ---- what the devices say ----------------------------------------------------------------------


class Wires(NamedTuple):
    """How devices reach each other: inside a server, and one device's share of the fabric."""

    inside: int
    total: int
    link: float
    link_latency: float
    network: float
    network_latency: float
    mesh: bool
    topology: str

    def among(self, group: Any) -> Any:
        """The rate of one device to a group of so many in its node."""
        if not self.mesh or self.inside == 1:  # by itself a device has nobody to talk to
            return self.link
        return fleet.mesh_share(self.link, np.maximum(group, 2), self.inside)

    def across(self, nodes: Any) -> Any:
        """One device's share of the fabric where all of so many nodes send to all."""
        return self.network * bisection(self.topology, nodes)


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
    wired, fabric = server.interconnect, place.fabric
    return Wires(
        *(inside, total, link or 1.0, link_latency, network or 1.0, network_latency),
        mesh=wired is not None and wired.mesh,
        topology="fat_tree" if fabric is None else fabric.topology,
    )


def all_reduce(data: Any, ranks: Any, local: Any, wires: Wires) -> Any:
    """Seconds in which `ranks` devices, `local` of them in each node, sum their data."""
    return fleet.hierarchical_all_reduce(
        data,
        local,
        ranks / local,
        link=wires.among(local),
        link_latency=wires.link_latency,
        network=wires.network,
        network_latency=wires.network_latency,
    )


def exchanged(data: Any, ranks: Any, local: Any, latency: Any, wires: Wires) -> Any:
    """Seconds in which each of `ranks` devices, `local` in a node, sends a part to every one."""
    return fleet.all_to_all(
        data,
        ranks,
        local,
        link=wires.among(local),
        network=wires.across(ranks / local),
        latency=latency,
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
    layout: Layout

    def talk(self, precision: str, kv_precision: str | None = None, level: Any = None) -> Any:
        """What a pass over `batch` sequences of `new` tokens each says; None where nothing."""
        if not isinstance(self.model, Share):
            return None
        datapath = self.device.datapath(precision)
        inside, spans = int(self.fleet.node.accelerators), self.layout.devices
        wired = wires(self.fleet, LINK_LATENCY, across=spans > inside)
        # where a replica has wires of its own, it is the same in fleets and nodes of any size
        wired = wired._replace(
            total=spans, inside=inside if wired.mesh or spans > inside else spans
        )
        wide = widths(precision, datapath, kv_precision)
        kernels = reduced(self.device.supply(precision), level)
        return Talk(self.model.whole, self.layout, wired, wide, kernels)


class Talk(NamedTuple):
    """What the devices of a group say to each other; nothing of it hides behind arithmetic.

    Devices that divide matrices stand side by side, then those of a sequence, of
    experts and of stages.
    """

    model: TransformerWorkload
    layout: Layout
    wires: Wires
    widths: Widths
    kernels: Any  # seconds of sums inside a node, where a stack's were measured

    def __call__(self, batch: Any, new: Any, phase: str) -> Any:
        """Seconds for a pass over `batch` sequences, of each of which `new` tokens are computed."""
        way, model = self.layout, self.model
        apart, pieces = way.pipeline * way.expert, way.context if phase != DECODE else 1
        own = batch if apart == 1 else np.maximum(batch / apart, 1.0)
        tokens = own * new / pieces
        values = algorithm.stored(tokens * model.hidden, self.widths.activations)
        seconds = 0.0 * values
        if way.tensor > 1:
            local = min(way.tensor, self.wires.inside)
            if self.kernels and local == way.tensor:
                summed = self.kernels(values, way.tensor, self.wires.among(local))
            else:
                summed = all_reduce(values, way.tensor, local, self.wires)
            seconds = seconds + REDUCES * model.layers * summed
        seconds = seconds + self._sequence(own, new, values, phase)
        if model.moe:
            sent = values * model.moe.per_token
            seconds = seconds + 2 * model.routed_layers * self._exchange(
                sent, way.expert, way.tensor * way.context
            )
        rate, wait = self._reach(way.devices, 2)
        return seconds + (way.pipeline - 1) * fleet.transfer_time(values, rate, wait)

    def _reach(self, devices: int, group: int) -> tuple[Any, float]:
        """Rate and latency in a group among devices: of the network once these leave a node."""
        w = self.wires
        outside = devices > w.inside
        return (w.network, w.network_latency) if outside else (w.among(group), w.link_latency)

    def _exchange(self, data: Any, ranks: int, beside: int) -> Any:
        w = self.wires
        local = max(min(ranks, w.inside // beside), 1)
        wait = self._reach(ranks * beside, ranks)[1]
        return exchanged(data, ranks, local, wait, w)

    def _sequence(self, batch: Any, new: Any, values: Any, phase: str) -> Any:
        """Parts of a sequence: in prefill they pass keys and values round, in decode sums."""
        model, ranks, beside = self.model, self.layout.context, self.layout.tensor
        rate, wait = self._reach(ranks * beside, ranks)
        if phase == DECODE:
            return model.layers * fleet.ring_all_reduce(values, ranks, rate, wait)
        kept = model.held_state(model.step(batch, new, phase, self.widths))
        if not model.mla:
            kept = kept * system.cache_share(float(model.key_heads), float(beside))
        passed = kept * (ranks - 1) / ranks
        return fleet.transfer_time(passed, rate, model.layers * (ranks - 1) * wait)


def divided(
    model: Workload, place: Fleet, ways: int, *, stages: int = 1, experts: int = 1, pieces: int = 1
) -> Group:
    """Divide a fleet into replicas, in each of which devices share a model.

    `ways` of them divide its matrices, `stages` its layers, `experts` its experts and `pieces`
    every sequence.
    """
    layout = Layout(ways, stages, experts, pieces)
    size, own = layout.devices, model
    fault = _cannot(model, place, layout) if size > 1 else ""
    if size > 1 and not fault:
        assert isinstance(model, TransformerWorkload)
        own = share(model, ways, stages, experts, pieces)
    replicas = max(place.devices // size, 1)
    return Group(place, place.node.accelerator, own, size, replicas, fault, layout)


def _cannot(model: Workload, place: Fleet, layout: Layout) -> str:
    """Why a model cannot be divided so, in a sentence; empty where it can."""
    ways, inside = layout.tensor, int(place.node.accelerators)
    if not isinstance(model, TransformerWorkload):
        return f"{model.name} has no attention heads to divide among {layout.devices} devices."
    if model.heads % ways:
        return f"{model.heads} attention heads cannot be divided among {ways} devices."
    if inside % ways:
        return f"{ways} tensor-parallel devices do not divide a node of {inside}."
    if layout.pipeline > model.layers:
        return f"{model.layers} layers cannot be divided among {layout.pipeline} stages."
    if layout.expert > 1 and (model.moe is None or model.moe.experts % layout.expert):
        has = model.moe.experts if model.moe else 0
        return f"{has} experts cannot be divided among {layout.expert} devices."
    if layout.devices > place.devices:
        return f"A replica of {layout.devices} devices needs more than the fleet's {place.devices}."
    return ""


def layout_of(
    tensor_parallel: Any, pipeline_parallel: Any, expert_parallel: Any, context_parallel: Any
) -> Layout:
    """The layout that arguments ask for: one number each."""
    one_each(locals())
    counts = tensor_parallel, pipeline_parallel, expert_parallel, context_parallel
    return Layout(*map(int, counts))


def grouped(model: Workload, hardware: HardwareNode, place: Fleet | None, layout: Layout) -> Group:
    """One replica of a model on such devices, in a fleet or else in plain nodes of eight."""
    if place is None:
        place = Fleet(
            name=f"{hardware.name} group", hw=hardware, count=-(-layout.devices // PLAIN_NODE)
        )
    elif place.hw != hardware:
        remedy = f"the fleet holds {place.hw.name}; give that, or leave fleet out"
        raise BadArgument("hardware", hardware.name, remedy)
    ways, stages, experts, pieces = layout
    return divided(model, place, ways, stages=stages, experts=experts, pieces=pieces)
