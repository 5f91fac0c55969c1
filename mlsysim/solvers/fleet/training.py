"""What one training step costs on many devices: the model's operators, divided by a plan.

`solvers/node/learning.py` gathers what one microbatch asks of a device; `cost` makes a step of it
and adds what the devices say to each other. Plans may be arrays, which is how thousands of them are
compared at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.solver import show
from mlsysim.core.units import Q_
from mlsysim.equations import algorithm, fleet, memory, node
from mlsysim.hardware.types import Supply
from mlsysim.models.operators import Rates, Step
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.group import REDUCES, Wires, all_reduce, part
from mlsysim.solvers.node.cost import rates
from mlsysim.solvers.node.learning import FULL, NONE, Held, Load, Recipe, Work, activations, work


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

    @property
    def alike(self) -> Any:
        """Replicas that hold the same experts."""
        return self.data / self.expert


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


class Way(NamedTuple):
    """How a step is trained, beside its plan."""

    supply: Supply
    wires: Wires
    widths: Widths
    recipe: Recipe
    efficiency: float
    overlap: float
    stack: str | None

    @property
    def rates(self) -> Rates | None:
        """At what rates operators meet their roofs, where they do so one after the other."""
        return None if self.stack is None else rates(self.supply, self.efficiency)

    def work(self, model: Workload, step: Step, plan: Plan) -> Work:
        """What one microbatch asks of a device under a plan."""
        return work(
            model,
            step,
            self.recipe._replace(again=plan.recompute),
            self.rates,
            ways=plan.tensor,
            spread=plan.data,
            part=partial(part, experts=plan.expert),
            sequence=plan.sequence,
        )

    def gradients(self, held: Held) -> Any:
        """Bytes of gradients, and of what replicas send each other."""
        return algorithm.stored(held.updated, self.widths.activations)

    def alone(self, load: Load, held: tuple[Held, Held], plan: Plan, part: Any) -> Any:
        """Seconds in which a device does `part` of a microbatch's load by itself."""
        dense, experts = (self.recipe.state(some.updated, self.widths) for some in held)
        ranks = (np.where(plan.zero >= 1, many, 1) for many in (plan.data, plan.alike))
        states = (state / many for state, many in zip((dense, experts), ranks, strict=True))
        updated = sum(states) * part / plan.microbatches
        moved = algorithm.training_traffic(0.0, 0.0, 0.0, updated)
        if load.compute is not None:
            writing = node.memory_time(moved, self.supply.bandwidth)
            return (load.compute + load.memory) * part + writing + self.supply.overhead
        plain = (load.operations - load.attention) * part
        arithmetic = node.compute_time(plain, self.supply.peak, self.efficiency)
        attending = node.compute_time(
            load.attention * part, self.supply.attention_peak, self.efficiency
        )
        moved = moved + (load.weights + load.activations) * part
        return node.roofline_time(
            arithmetic + attending,
            node.memory_time(moved, self.supply.bandwidth),
            self.supply.overhead,
        )


def cost(work: Work, plan: Plan, way: Way) -> Cost:
    """Time and memory of one step; the fullest pipeline stage sets the pace."""
    p, m = plan.pipeline, plan.microbatches
    stage_layers = np.ceil(work.layers / p)
    share = stage_layers / work.layers  # of the layers, on the fullest device
    held = work.dense, work.experts
    busy = way.alone(work.load, held, plan, share)
    ideal = m * way.alone(work.even, held, plan, 1 / p)

    # all microbatches through all stages, then what the replicas say to each other
    tensor, pipeline, expert = _messages(work, plan, way.wires, stage_layers)
    stage = busy + tensor + pipeline + expert
    through = fleet.pipeline_time(stage, p, m, plan.interleave)
    here = work.dense.times(share), work.experts.times(share)
    data = _exchange(here, way, plan)
    window = np.where(plan.zero >= 2, m * busy, 2 * busy / 3)  # or one microbatch's backward pass
    exposed = fleet.exposed_time(data, way.overlap, window)

    def sharded(state: Callable[[Held], Any], first: int) -> Any:
        return sum(
            memory.zero_share(state(some), ranks, plan.zero, first)
            for some, ranks in zip(here, (plan.data, plan.alike), strict=True)
        )

    # ZeRO-3 gathers one layer at a time: its weights and gradients then stand whole
    def gathered(state: Callable[[Held], Any]) -> Any:
        return np.where(plan.zero >= 3, sum(map(state, here)) / stage_layers, 0.0)

    def weights(some: Held) -> Any:
        return some.weights

    entry = work.entry / (plan.tensor if plan.sequence else 1.0)
    flying = memory.microbatches_in_flight(p, plan.interleave, m)
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
        weights=sharded(weights, 3) + gathered(weights),
        gradients=sharded(way.gradients, 2) + gathered(way.gradients),
        optimizer_state=sharded(lambda some: way.recipe.state(some.learned, way.widths), 1),
        activations=activations(
            *(work, plan.recompute),
            layers=stage_layers,
            entry=entry,
            flying=flying,
            flash=plan.flash,
        ),
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
    talks = stage_layers * (work.talks + np.where(plan.recompute == FULL, REDUCES, 0))
    return tensor, pipeline, np.where(work.dispatched > 0, talks * dispatch, 0.0)


def _exchange(here: tuple[Held, Held], way: Way, plan: Plan) -> Any:
    """Seconds in which the replicas sum their gradients, and gather weights."""
    # halves of an all-reduce: for each microbatch ZeRO-2 scatters gradients, ZeRO-3 gathers weights
    # twice as well, among them those that are frozen
    m, near = plan.microbatches, _neighbours(plan, way.wires)
    legs = np.where(plan.zero >= 3, 3 * m, np.where(plan.zero >= 2, 1 + m, 2))
    time = 0.0
    for some, ranks in zip(here, (plan.data, plan.alike), strict=True):
        local = np.gcd(_whole(ranks), near)
        data = way.gradients(some)
        summed = np.where(data > 0, all_reduce(data, ranks, local, way.wires), 0.0)
        time = time + legs / 2 * summed
        if way.recipe.rank is not None:
            frozen = np.where(plan.zero >= 3, 2 * m, 0)
            time = time + frozen / 2 * all_reduce(some.frozen, ranks, local, way.wires)
    return time


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
