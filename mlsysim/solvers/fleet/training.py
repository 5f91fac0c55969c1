"""What one training step costs on many devices: the model's operators, divided by a plan.

`work` gathers from a model's operators what one microbatch asks for; `cost` divides it by a `Plan`
and adds what the devices say to each other. Plans may be arrays, which is how thousands of them
are compared at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core.solver import show
from mlsysim.core.units import Q_, Names
from mlsysim.equations import algorithm, fleet, memory, node
from mlsysim.hardware.types import Supply
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import ADAM_MOMENTS, FULL_WIDTH, PREFILL, Step, Workload, flop
from mlsysim.systems.types import Fleet

# Bytes of moments that an optimizer keeps for each parameter, at full width unless said otherwise.
MOMENTS = {
    "adam": ADAM_MOMENTS,
    "adamw": 2 * FULL_WIDTH,  # Loshchilov & Hutter (2019), arXiv:1711.05101
    "adamw_8bit": 2.0,  # both moments in one byte each: Dettmers et al. (2022), arXiv:2110.02861
    "lion": FULL_WIDTH,  # Chen et al. (2023), arXiv:2302.06675
    "sgd_momentum": FULL_WIDTH,  # Sutskever et al. (2013)
    "sgd": 0.0,
}
NONE, SELECTIVE, FULL = range(3)
RECOMPUTE = ("none", "selective", "full")

Optimizer = Annotated[str, Names(*MOMENTS)]
Recompute = Annotated[str, Names(*RECOMPUTE)]
TrainingPrecision = Annotated[str, Names("fp32", "tf32", "bf16", "fp16", "fp8")]

# Operators between a column-parallel and a row-parallel matrix: tensor parallelism divides what
# they read (Shoeybi et al., 2019, Megatron-LM, section 3, arXiv:1909.08053).
_DIVIDED = {
    "attention",
    "attention out",
    "ffn activation",
    "ffn down",
    "experts activation",
    "experts down",
    "shared experts activation",
    "shared experts down",
}
_ENDS = {"embedding", "head"}  # before the first layer and after the last
_BLOCK_ENDS = 2  # a layer ends its attention and its feed-forward with one all-reduce each way


class Work(NamedTuple):
    """One microbatch of training, over the whole model; bytes `_a_layer` are means over layers."""

    parameters: float
    forward: Any  # FLOP
    layers: float = 1.0
    experts: float = 0.0  # parameters that expert parallelism divides
    attention: Any = 0.0  # FLOP of the attention operators alone
    traffic: Any = 0.0  # activation bytes that cross the memory bus going forward
    whole: Any = 0.0  # bytes a layer keeps that tensor parallelism leaves whole
    split: Any = 0.0  # bytes a layer keeps that it divides
    scores: Any = 0.0  # attention scores a layer keeps without flash attention
    entry: Any = 0.0  # bytes that enter a layer
    tail: Any = 0.0  # bytes kept after the last layer, divided like the layers' inputs
    logits: Any = 0.0  # bytes of logits, at full width
    dispatched: Any = 0.0  # bytes a mean layer sends to experts


class Plan(NamedTuple):
    """How the fleet divides the work: numbers, or arrays that broadcast against each other."""

    tensor: Any
    pipeline: Any
    data: Any
    expert: Any
    microbatches: Any
    zero: Any
    recompute: Any
    interleave: Any
    sequence: bool
    flash: bool


class Wires(NamedTuple):
    """How devices reach each other: inside a server, and one device's share of the fabric."""

    inside: int
    total: int
    link: float
    link_latency: float
    network: float
    network_latency: float


class Cost(NamedTuple):
    """One step under a plan: seconds of each kind, and bytes on the fullest device."""

    busy: Any
    tensor: Any
    pipeline: Any
    expert: Any
    bubble: Any
    data: Any
    exposed: Any
    step: Any
    ideal: Any
    weights: Any
    gradients: Any
    optimizer: Any
    activations: Any

    @property
    def held(self) -> Any:
        """All bytes on the fullest device."""
        return self.weights + self.gradients + self.optimizer + self.activations


def wires(fleet_: Fleet, link_latency: float) -> Wires:
    """The fleet's connections in SI numbers; asks only for those that the fleet's size needs."""
    server, inside, total = fleet_.node, int(fleet_.node.accelerators), fleet_.devices
    link = network = network_latency = 0.0
    if inside > 1:
        why = "give the rate at which devices in one node talk, to know what a collective takes"
        link = float(fleet_.need("node.interconnect.bandwidth", why).m_as("B/s"))
    if fleet_.count > 1:
        why = "give the fabric between the nodes, such as Systems.Fabrics.InfiniBand_NDR"
        port = float(fleet_.need("fabric.bandwidth", why).m_as("B/s"))
        network_latency = float(fleet_.need("fabric.latency", why).m_as("s"))
        if server.nic_bandwidth is not None:
            port = min(port, float(server.nic_bandwidth.m_as("B/s")))
        ports = server.nics or inside  # where they are unknown, one for each device
        taper = fleet_.need("fabric.oversubscription", why)
        network = fleet.network_share(port, ports, inside, taper)
    # a missing wire is one that no message takes; a rate of one keeps its zero bytes finite
    return Wires(inside, total, link or 1.0, link_latency, network or 1.0, network_latency)


def work(model: Workload, step: Step) -> Work:
    """What one microbatch of training asks for, from the model's operators."""
    totals = model.totals(step)
    if not isinstance(model, TransformerWorkload):
        # without equal layers there is nothing to divide but the batch
        return Work(
            float(model.parameters), totals.flops, traffic=totals.traffic, tail=totals.inputs
        )
    layers = float(model.layers)
    tokens = step.batch * step.seq_len
    entry = algorithm.stored(tokens * model.hidden, step.width)
    attention = whole = split = logits = dispatched = 0.0
    tail = entry  # the last norm's input
    for op in model.operators(step):
        if op.kind == "attention":
            attention = attention + op.repeat * op.flops
        if op.name == "head":
            tail = tail + op.inputs
            logits = op.outputs * (FULL_WIDTH / step.width)
        elif op.name == "norm":
            whole = whole + (op.repeat - 1) * op.inputs
        elif op.name in _DIVIDED:
            split = split + op.repeat * op.inputs
        elif op.name not in _ENDS:
            whole = whole + op.repeat * op.inputs
        if op.name == "experts up":
            dispatched = op.repeat * op.inputs / layers
    scores = algorithm.stored(step.batch * model.heads * step.seq_len * step.seq_len, step.width)
    return Work(
        parameters=float(model.parameters),
        forward=totals.flops,
        layers=layers,
        experts=_expert_parameters(model),
        attention=attention,
        traffic=totals.traffic,
        whole=whole / layers,
        split=split / layers,
        scores=scores,
        entry=entry,
        tail=tail,
        logits=logits,
        dispatched=dispatched,
    )


def unknown_work(parameters: float, tokens: Any) -> Work:
    """What a model of which only the size is known asks for: six FLOP a parameter and token."""
    return Work(parameters, flop(parameters * tokens))


def _expert_parameters(model: TransformerWorkload) -> float:
    if model.moe is None:
        return 0.0
    everyone = 1e12  # so many tokens that every expert is touched
    ops = model.operators(Step(everyone, 1.0, PREFILL, 1.0))
    routed = ("experts up", "experts down")
    return float(sum(op.repeat * op.weights for op in ops if op.name in routed))


def cost(
    work: Work,
    plan: Plan,
    wires: Wires,
    supply: Supply,
    *,
    width: float,
    moments: float,
    efficiency: float,
    overlap: float,
) -> Cost:
    """Time and memory of one step; the fullest pipeline stage sets the pace."""
    t, p, m = plan.tensor, plan.pipeline, plan.microbatches
    again = plan.recompute == FULL
    stage_layers = np.ceil(work.layers / p)
    share = stage_layers / work.layers / t  # of the layers, on the fullest device
    dense = (work.parameters - work.experts) * share
    experts = work.experts * share / plan.expert

    # what the device does by itself
    held = algorithm.stored(dense + experts, width)
    state = memory.optimizer_state(dense + experts, moments, width, FULL_WIDTH)
    updated = state / np.where(plan.zero >= 1, plan.data, 1) / m
    recomputed = np.where(
        again, work.forward, np.where(plan.recompute == SELECTIVE, work.attention, 0.0)
    )
    useful = algorithm.training_operations(work.forward)

    def alone(operations: Any, part: Any, traffic: Any) -> Any:
        compute = node.compute_time(operations * part, supply.peak, efficiency)
        moving = node.memory_time(traffic, supply.bandwidth)
        return node.roofline_time(compute, moving, supply.overhead)

    moved = algorithm.training_traffic(held, work.traffic * share, updated)
    read_again = np.where(again, held + work.traffic * share, 0.0)
    busy = alone(useful + recomputed, share, moved + read_again)
    even = 1 / (t * p)
    ideal = m * alone(useful, even, moved * even / share)

    # what it says for every microbatch
    group = np.gcd(np.asarray(t, dtype=int), wires.inside)
    collectives = 2 * _BLOCK_ENDS + np.where(again, _BLOCK_ENDS, 0)
    tensor = stage_layers * collectives * _all_reduce(work.entry, t, group, wires)
    neighbours = np.maximum(wires.inside // np.maximum(np.asarray(t, dtype=int), 1), 1)
    crosses = wires.total > wires.inside  # the outermost split is the pipeline's
    hop = fleet.transfer_time(
        work.entry / t,
        wires.network if crosses else wires.link,
        wires.network_latency if crosses else wires.link_latency,
    )
    pipeline = np.where(p > 1, 2 * plan.interleave * hop, 0.0)
    experts_here = np.gcd(np.asarray(plan.expert, dtype=int), neighbours)
    dispatch = fleet.all_to_all(
        work.dispatched / t,
        plan.expert,
        experts_here,
        link=wires.link,
        network=wires.network,
        latency=np.where(plan.expert > experts_here, wires.network_latency, wires.link_latency),
    )
    expert = np.where(work.dispatched > 0, stage_layers * collectives * dispatch, 0.0)

    # all microbatches through all stages, then what the replicas say to each other
    stage = busy + tensor + pipeline + expert
    through = fleet.pipeline_time(stage, p, m, plan.interleave)
    # halves of an all-reduce: for each microbatch ZeRO-2 scatters gradients, ZeRO-3 gathers weights
    # twice as well
    legs = np.where(plan.zero >= 3, 3 * m, np.where(plan.zero >= 2, 1 + m, 2))
    alike = plan.data / plan.expert  # ranks that hold the same experts
    local, local_alike = (np.gcd(np.asarray(n, dtype=int), neighbours) for n in (plan.data, alike))
    routed = _all_reduce(algorithm.stored(experts, width), alike, local_alike, wires)
    data = (
        legs
        / 2
        * (
            _all_reduce(algorithm.stored(dense, width), plan.data, local, wires)
            + np.where(experts > 0, routed, 0.0)
        )
    )
    backward = 2 * busy / 3
    exposed = fleet.exposed_time(data, overlap, np.where(plan.zero >= 2, m * busy, backward))

    def sharded(state: Any, first: int) -> Any:
        return memory.zero_share(state(dense), plan.data, plan.zero, first) + memory.zero_share(
            state(experts), alike, plan.zero, first
        )

    def kept(parameters: Any) -> Any:
        return algorithm.stored(parameters, width)

    def optimized(parameters: Any) -> Any:
        return memory.optimizer_state(parameters, moments, width, FULL_WIDTH)

    # ZeRO-3 gathers one layer at a time: its weights and gradients then stand whole
    gathered = np.where(plan.zero >= 3, held / stage_layers, 0.0)
    return Cost(
        busy=m * busy,
        tensor=m * tensor,
        pipeline=m * pipeline,
        expert=m * expert,
        bubble=through - m * stage,
        data=data,
        exposed=exposed,
        step=through + exposed,
        ideal=ideal,
        weights=sharded(kept, 3) + gathered,
        gradients=sharded(kept, 2) + gathered,
        optimizer=sharded(optimized, 1),
        activations=_activations(work, plan, stage_layers),
    )


def _all_reduce(data: Any, ranks: Any, local: Any, wires: Wires) -> Any:
    return fleet.hierarchical_all_reduce(
        data,
        local,
        ranks / local,
        link=wires.link,
        link_latency=wires.link_latency,
        network=wires.network,
        network_latency=wires.network_latency,
    )


def _activations(work: Work, plan: Plan, stage_layers: Any) -> Any:
    """Bytes of activations on the fuller of the first stage, most in flight, and the last."""
    ranks = plan.tensor if plan.sequence else np.ones_like(plan.tensor)
    scores = np.where((plan.recompute == NONE) & (not plan.flash), work.scores, 0.0)
    layer = memory.layer_activations(work.whole, work.split + scores, plan.tensor, ranks)
    again = plan.recompute == FULL
    kept = stage_layers * np.where(again, work.entry / ranks, layer)
    working = np.where(again, layer, 0.0)  # the one layer that is being computed again
    flying = memory.microbatches_in_flight(plan.pipeline, plan.interleave, plan.microbatches)
    tail = memory.layer_activations(work.tail, work.logits, plan.tensor, ranks)
    return working + np.maximum(flying * kept, kept + tail)


# ---- what can be wrong with a plan -------------------------------------------------------------

Fault = tuple[Any, str, Callable[[Any], str]]  # where it holds, in a word, and the sentence there


def faults(
    model: Workload | None, wires: Wires, plan: Plan, batch: float, microbatch: Any
) -> Iterator[Fault]:
    """Every way in which a plan may fail to divide its model, its fleet or its batch."""
    t, p, d, e, mb, m, chunks = np.broadcast_arrays(
        plan.tensor,
        plan.pipeline,
        plan.data,
        plan.expert,
        microbatch,
        plan.microbatches,
        plan.pipeline * plan.interleave,
    )
    experts = 1
    if isinstance(model, TransformerWorkload):
        heads, layers = model.heads, model.layers
        experts = model.moe.experts if model.moe else 1
        yield (
            heads % t != 0,
            "heads",
            lambda i: (
                f"{heads} attention heads cannot be divided among {t[i]:g} tensor-parallel devices."
            ),
        )
        yield (
            chunks > layers,
            "layers",
            lambda i: f"{layers} layers are too few for {chunks[i]:g} pipeline stages or chunks.",
        )
    elif model is not None:
        apart = (t > 1) | (p > 1) | (plan.recompute != NONE)
        yield (
            apart,
            "layers",
            lambda _: (
                f"{model.name} has no equal layers to divide or compute again; divide its batch."
            ),
        )
    yield (
        wires.total % (t * p) != 0,
        "devices",
        lambda i: f"{wires.total:,} devices cannot be divided into groups of {t[i] * p[i]:g}.",
    )
    yield (
        (experts % e != 0) | (d % e != 0),
        "experts",
        lambda i: f"{experts} experts and {d[i]:g} replicas cannot both be divided by {e[i]:g}.",
    )
    yield (
        (m != np.floor(m)) | (m < 1),
        "batch",
        lambda i: (
            f"A batch of {batch:g} cannot be divided into microbatches of {mb[i]:g} on {d[i]:g} "
            f"replicas; use a multiple of {mb[i] * d[i]:g}."
        ),
    )


def shortage(supply: Supply, held: Any) -> Fault:
    """The fault of needing more memory than the device has."""
    room = supply.capacity
    return (
        held > room,
        "memory",
        lambda i: f"A device needs {show(Q_(held[i], 'B'))} and holds {show(Q_(room, 'B'))}.",
    )
