"""What one training step costs on many devices: the model's operators, divided by a plan.

`work` gathers from a model's operators what one microbatch asks of a device; `cost` makes a step of
it and adds what the devices say to each other. Plans may be arrays, which is how thousands of them
are compared at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core.solver import show
from mlsysim.core.units import Q_, Names
from mlsysim.equations import algorithm, fleet, memory, node
from mlsysim.hardware.types import Supply
from mlsysim.models.operators import EXPERTS, LOSS, Operator, Step, Totals, fold
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import ADAM_MOMENTS, FULL_WIDTH, Workload, flop
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.group import REDUCES, Wires, all_reduce, part

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


class Load(NamedTuple):
    """What one microbatch of training asks of one device that stands in all layers."""

    forward: Any  # FLOP
    dense: Any  # parameters that it holds, but for the experts'
    experts: Any = 0.0
    traffic: Any = 0.0  # activation bytes that cross the memory bus going forward
    attention: Any = 0.0  # FLOP of the attention operators alone


class Work(NamedTuple):
    """One microbatch of training: a device's load, and what it keeps and sends.

    Bytes of a `layer` are means over the layers; `even` is its load if devices divided everything.
    """

    load: Load
    even: Load
    layers: float = 1.0
    layer: Any = 0.0  # bytes that a layer keeps
    scores: Any = 0.0  # bytes of attention scores that it keeps without flash attention
    entry: Any = 0.0  # bytes that enter a layer
    tail: Any = 0.0  # bytes kept outside the layers
    dispatched: Any = 0.0  # bytes that a layer sends to experts


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


class Cost(NamedTuple):
    """One step under a plan: seconds of each kind, and bytes on the fullest device.

    `ideal_time` is what it would take if devices divided everything and never waited.
    """

    step_time: Any
    compute_time: Any
    tensor_time: Any
    pipeline_time: Any
    expert_time: Any
    bubble_time: Any
    data_time: Any
    exposed_data_time: Any
    weights: Any
    gradients: Any
    optimizer_state: Any
    activations: Any
    ideal_time: Any

    @property
    def held(self) -> Any:
        """All bytes on the fullest device."""
        return self.weights + self.gradients + self.optimizer_state + self.activations


def work(model: Workload, step: Step, plan: Plan) -> Work:
    """What one microbatch of training asks of a device, from the model's operators."""
    if not isinstance(model, TransformerWorkload):
        # without equal layers there is nothing to divide but the batch
        total = model.totals(step)
        load = Load(total.flops, float(model.parameters), traffic=total.traffic)
        return Work(load, load, tail=total.inputs)
    ops, layers, ways = model.operators(step), float(model.layers), plan.tensor
    parts = [part(op, ways, plan.expert) for op in ops]

    def sums(of: Iterable[Operator]) -> Totals:
        return fold(of, step.phase)

    whole, here = sums(ops), sums(parts)
    sent = sums(op for op in parts if op.split == EXPERTS[0]).inputs

    def published(held: Any) -> Any:  # a count that may be rounded, in the same parts
        return model.parameters * (held / whole.held)

    experts = published(sums(op for op in parts if op.split.experts).held)
    # sequence parallelism divides what tensor parallelism leaves whole (Korthikanti et al., 2022,
    # section 4.2, arXiv:2205.05198)
    kept, ranks = (ops, ways) if plan.sequence else (parts, 1.0)
    width = step.widths.activations
    pairs = step.batch * model.heads * step.seq_len * step.seq_len
    return Work(
        load=Load(
            forward=here.flops,
            dense=published(here.held) - experts,
            experts=experts,
            traffic=here.traffic,
            attention=sums(op for op in parts if op.kind == "attention").flops,
        ),
        even=Load(
            forward=whole.flops / ways,
            dense=published(whole.held) / ways - experts * plan.expert,
            experts=experts,
            traffic=whole.traffic / ways,
        ),
        layers=layers,
        layer=sums(op for op in kept if not op.split.end).inputs / ranks / layers,
        scores=algorithm.stored(pairs, width) / ways,
        entry=algorithm.stored(step.tokens * model.hidden, width),
        tail=sums(op for op in parts if op.split == LOSS).inputs
        + sums(op for op in kept if op.split.end and op.split != LOSS).inputs / ranks,
        dispatched=sent / ways / layers,
    )


def unknown_work(parameters: float, tokens: Any) -> Work:
    """What a model of which only the size is known asks for: six FLOP a parameter and token."""
    load = Load(flop(parameters * tokens), parameters)
    return Work(load, load)


class Way(NamedTuple):
    """How a step is trained, beside its plan."""

    supply: Supply
    wires: Wires
    widths: Widths
    moments: float
    efficiency: float
    overlap: float

    def kept(self, parameters: Any) -> Any:
        """Bytes of weights."""
        return algorithm.stored(parameters, self.widths.weights)

    def gradients(self, parameters: Any) -> Any:
        """Bytes of gradients, and of what replicas send each other."""
        return algorithm.stored(parameters, self.widths.activations)

    def optimized(self, parameters: Any) -> Any:
        """Bytes of optimizer state."""
        return memory.optimizer_state(parameters, self.moments, self.widths.weights, FULL_WIDTH)

    def alone(self, load: Load, plan: Plan, part: Any, recompute: Any) -> Any:
        """Seconds in which a device does `part` of a microbatch's load by itself."""
        parameters = (load.dense + load.experts) * part
        held, traffic = self.kept(parameters), load.traffic * part
        sharded = np.where(plan.zero >= 1, plan.data, 1)
        updated = self.optimized(parameters) / sharded / plan.microbatches
        again = recompute == FULL
        recomputed = np.where(
            again, load.forward, np.where(recompute == SELECTIVE, load.attention, 0.0)
        )
        operations = (algorithm.training_operations(load.forward) + recomputed) * part
        moved = algorithm.training_traffic(held, traffic, updated)
        moved = moved + np.where(again, held + traffic, 0.0)
        return node.roofline_time(
            node.compute_time(operations, self.supply.peak, self.efficiency),
            node.memory_time(moved, self.supply.bandwidth),
            self.supply.overhead,
        )


def cost(work: Work, plan: Plan, way: Way) -> Cost:
    """Time and memory of one step; the fullest pipeline stage sets the pace."""
    p, m = plan.pipeline, plan.microbatches
    stage_layers = np.ceil(work.layers / p)
    share = stage_layers / work.layers  # of the layers, on the fullest device
    busy = way.alone(work.load, plan, share, plan.recompute)
    ideal = m * way.alone(work.even, plan, 1 / p, NONE)

    # all microbatches through all stages, then what the replicas say to each other
    tensor, pipeline, expert = _messages(work, plan, way.wires, stage_layers)
    stage = busy + tensor + pipeline + expert
    through = fleet.pipeline_time(stage, p, m, plan.interleave)
    dense, experts = work.load.dense * share, work.load.experts * share
    data = _exchange(way.gradients(dense), way.gradients(experts), plan, way.wires)
    window = np.where(plan.zero >= 2, m * busy, 2 * busy / 3)  # or one microbatch's backward pass
    exposed = fleet.exposed_time(data, way.overlap, window)

    def sharded(state: Callable[[Any], Any], first: int) -> Any:
        alike = plan.data / plan.expert
        return memory.zero_share(state(dense), plan.data, plan.zero, first) + memory.zero_share(
            state(experts), alike, plan.zero, first
        )

    # ZeRO-3 gathers one layer at a time: its weights and gradients then stand whole
    gathered = np.where(plan.zero >= 3, way.kept(dense + experts) / stage_layers, 0.0)
    return Cost(
        compute_time=m * busy,
        tensor_time=m * tensor,
        pipeline_time=m * pipeline,
        expert_time=m * expert,
        bubble_time=through - m * stage,
        data_time=data,
        exposed_data_time=exposed,
        step_time=through + exposed,
        ideal_time=ideal,
        weights=sharded(way.kept, 3) + gathered,
        gradients=sharded(way.gradients, 2) + gathered,
        optimizer_state=sharded(way.optimized, 1),
        activations=_activations(work, plan, stage_layers),
    )


def _whole(count: Any) -> Any:
    return np.asarray(count, dtype=int)


def _neighbours(plan: Plan, wires: Wires) -> Any:
    """How many groups share a node."""
    return np.maximum(wires.inside // np.maximum(_whole(plan.tensor), 1), 1)


def _messages(work: Work, plan: Plan, wires: Wires, stage_layers: Any) -> tuple[Any, Any, Any]:
    """Seconds of talk for every microbatch: in the group, between stages, and to the experts."""
    t, e = plan.tensor, plan.expert
    collectives = stage_layers * (2 * REDUCES + np.where(plan.recompute == FULL, REDUCES, 0))
    tensor = collectives * all_reduce(work.entry, t, np.gcd(_whole(t), wires.inside), wires)
    crosses = wires.total > wires.inside  # the outermost split is the pipeline's
    hop = fleet.transfer_time(
        work.entry / t,
        wires.network if crosses else wires.link,
        wires.network_latency if crosses else wires.link_latency,
    )
    pipeline = np.where(plan.pipeline > 1, 2 * plan.interleave * hop, 0.0)
    local = np.gcd(_whole(e), _neighbours(plan, wires))
    dispatch = fleet.all_to_all(
        work.dispatched,
        e,
        local,
        link=wires.link,
        network=wires.network,
        latency=np.where(e > local, wires.network_latency, wires.link_latency),
    )
    return tensor, pipeline, np.where(work.dispatched > 0, collectives * dispatch, 0.0)


def _exchange(dense: Any, experts: Any, plan: Plan, wires: Wires) -> Any:
    """Seconds in which the replicas sum gradients of so many bytes, and gather weights."""
    # halves of an all-reduce: for each microbatch ZeRO-2 scatters gradients, ZeRO-3 gathers weights
    # twice as well
    m, alike = plan.microbatches, plan.data / plan.expert  # ranks that hold the same experts
    legs = np.where(plan.zero >= 3, 3 * m, np.where(plan.zero >= 2, 1 + m, 2))
    near = _neighbours(plan, wires)
    local, local_alike = (np.gcd(_whole(ranks), near) for ranks in (plan.data, alike))
    routed = np.where(experts > 0, all_reduce(experts, alike, local_alike, wires), 0.0)
    return legs / 2 * (all_reduce(dense, plan.data, local, wires) + routed)


def _activations(work: Work, plan: Plan, stage_layers: Any) -> Any:
    """Bytes of activations on the fuller of the first stage, most in flight, and the last."""
    again = plan.recompute == FULL
    scores = np.where((plan.recompute == NONE) & (not plan.flash), work.scores, 0.0)
    layer = work.layer + scores
    entry = work.entry / (plan.tensor if plan.sequence else 1.0)
    kept = stage_layers * np.where(again, entry, layer)
    working = np.where(again, layer, 0.0)  # the one layer that is being computed again
    flying = memory.microbatches_in_flight(plan.pipeline, plan.interleave, plan.microbatches)
    return working + np.maximum(flying * kept, kept + work.tail)


# ---- what can be wrong with a plan -------------------------------------------------------------

# where it holds, in a word, and the sentence about one plan, its microbatch and the bytes it holds
Fault = tuple[Any, str, Callable[[Plan, float, float], str]]


def faults(model: Workload | None, wires: Wires, plan: Plan, batch: float) -> Iterator[Fault]:
    """Every way in which a plan may fail to divide its model, its fleet or its batch."""
    t, p, data, e, m, *_ = plan
    experts = 1
    if isinstance(model, TransformerWorkload):
        heads, layers = model.heads, model.layers
        experts = model.moe.experts if model.moe else 1
        many = f"{heads} attention heads cannot be divided among"
        yield (
            heads % t != 0,
            "heads",
            lambda at, *_: f"{many} {at.tensor:g} tensor-parallel devices.",
        )
        few = f"{layers} layers are too few for"
        chunks = p * plan.interleave
        yield (
            chunks > layers,
            "layers",
            lambda at, *_: f"{few} {at.pipeline * at.interleave:g} pipeline stages or chunks.",
        )
    elif model is not None:
        apart = (t > 1) | (p > 1) | (plan.recompute != NONE)
        why = f"{model.name} has no equal layers to divide or compute again; divide its batch."
        yield apart, "layers", lambda *_: why
    total = f"{wires.total:,} devices cannot be divided into groups of"
    yield (
        wires.total % (t * p) != 0,
        "devices",
        lambda at, *_: f"{total} {at.tensor * at.pipeline:g}.",
    )
    yield (
        (experts % e != 0) | (data % e != 0),
        "experts",
        lambda at, *_: (
            f"{experts} experts and {at.data:g} replicas cannot both be divided by {at.expert:g}."
        ),
    )
    yield (
        (m != np.floor(m)) | (m < 1),
        "batch",
        lambda at, micro, _: (
            f"A batch of {batch:g} cannot be divided into microbatches of {micro:g} on {at.data:g} "
            f"replicas; use a multiple of {micro * at.data:g}."
        ),
    )


def shortage(supply: Supply, held: Any) -> Fault:
    """The fault of needing more memory than the device has."""
    room = supply.capacity
    return (
        held > room,
        "memory",
        lambda _at, _micro, held: (
            f"A device needs {show(Q_(held, 'B'))} and holds {show(Q_(room, 'B'))}."
        ),
    )
