"""What one training step costs on many devices: the model's operators, divided by a plan.

`solvers/node/learning.py` gathers what one microbatch asks of a device; `cost` makes a step of it
and adds what the devices say to each other. Plans may be arrays, which is how thousands of them are
compared at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mlsysim.equations import algorithm, fleet, memory, node
from mlsysim.hardware.types import Supply
from mlsysim.models.operators import Step, Times
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.group import REDUCES, Wires, all_reduce, exchanged, part
from mlsysim.solvers.fleet.plan import Plan
from mlsysim.solvers.node.cost import host, rates, wider
from mlsysim.solvers.node.learning import FULL, Held, Load, Recipe, Work, activations, work


class Cost(NamedTuple):
    """One step under a plan: seconds of each kind, and bytes on the fullest device.

    `ideal_time` is what it would take if devices divided everything and never waited.
    """

    step_time: Any
    compute_time: Any
    tensor_time: Any
    context_time: Any
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


Kept = tuple[tuple[Held, Any], ...]  # what a device holds, and on how many it is the same


class Way(NamedTuple):
    """How a step is trained, beside its plan."""

    supply: Supply
    wires: Wires
    widths: Widths
    recipe: Recipe
    efficiency: float
    overlap: float
    stack: Any

    @property
    def rates(self) -> Times | None:
        """At what rates operators meet their roofs, where they do so one after the other."""
        return None if self.stack is None else rates(self.supply, self.efficiency, None, self.stack)

    def work(self, model: Workload, step: Step, plan: Plan) -> Work:
        """What one microbatch asks of a device under a plan."""
        return work(
            model,
            step,
            self.recipe._replace(again=plan.recompute),
            self.rates,
            ways=plan.tensor,
            spread=plan.data,
            part=partial(part, experts=plan.apart),
            sequence=plan.sequence,
        )

    def gradients(self, held: Held) -> Any:
        """Bytes of gradients, and of what replicas send each other."""
        return algorithm.stored(held.updated, self.widths.activations)

    def alone(self, load: Load, here: Kept, plan: Plan, batch: Any) -> Any:
        """Seconds in which a device does its load of a microbatch of so many sequences."""
        states = (
            self.recipe.state(some.updated, self.widths) / np.where(plan.zero >= 1, ranks, 1)
            for some, ranks in here
        )
        moved = algorithm.training_traffic(0.0, 0.0, 0.0, sum(states) / plan.microbatches)
        if load.compute is not None:
            writing = node.memory_time(moved, self.supply.bandwidth)
            kernels = load.compute + load.memory + load.overhead
            return kernels + writing + host(self.supply, self.stack, batch)
        plain, peak = load.operations - load.attention, self.supply.attention_peak
        arithmetic = node.compute_time(plain, self.supply.peak, self.efficiency)
        attending = node.compute_time(load.attention, peak, self.efficiency)
        moved = moved + load.weights + load.activations
        return node.roofline_time(
            arithmetic + attending,
            node.memory_time(moved, self.supply.bandwidth),
            self.supply.overhead,
        )


def cost(work: Work, plan: Plan, way: Way) -> Cost:
    """Time and memory of one step; the fullest pipeline stage sets the pace.

    The last stage has the head, and of the layers what the others leave.
    """
    p, m = plan.pipeline, plan.microbatches
    fullest = plan.fullest(work.layers)
    share = fullest / work.layers

    def shared(dense: Held, experts: Held) -> Kept:
        return (dense, plan.ranks), (experts, plan.alike)

    ends = Held(*(np.where(p > 1, *of) for of in zip(work.table, work.outside, strict=True)))
    here = shared(work.dense.times(share).plus(ends), work.experts.times(share))
    others = way.alone(work.load.times(share), here, plan, work.batch)
    last = work.load.times(plan.last(work.layers) / work.layers)
    busy = others
    if work.ends is not None:
        busy = np.maximum(others, way.alone(last.plus(work.ends), here, plan, work.batch))
    evenly = shared(work.dense.plus(work.outside).times(1 / p), work.experts.times(1 / p))
    ideal = m * way.alone(work.even.times(1 / p), evenly, plan, work.batch)

    # all microbatches through all stages, then what the replicas say to each other
    talks = messages(work, plan, way.wires, fullest)
    stage, talk = busy + sum(talks), sum(talks)
    through = fleet.pipeline_time(stage, others + talk, p, m, plan.interleave)
    data = exchange(here, way, plan, fullest)
    window = np.where(plan.zero >= 2, m * busy, 2 * busy / 3)  # or one microbatch's backward pass
    exposed = fleet.exposed_time(data, way.overlap, window)

    def sharded(state: Callable[[Held], Any], first: int) -> Any:
        return sum(memory.zero_share(state(some), ranks, plan.zero, first) for some, ranks in here)

    # ZeRO-3 gathers one layer at a time: its weights and gradients then stand whole
    def gathered(state: Callable[[Held], Any]) -> Any:
        layer = state(work.dense.plus(work.experts)) / work.layers
        return np.where(plan.zero >= 3, layer, 0.0)

    def weights(some: Held) -> Any:
        return some.weights

    entry = work.entry / (plan.tensor if plan.sequence else 1.0)
    gradients, scores = wider(way.stack, way.widths)
    kept = work._replace(scores=work.scores * scores)
    flying = memory.microbatches_in_flight(p, plan.interleave, m)
    tensor, context, pipeline, expert = talks
    return Cost(
        compute_time=m * busy,
        tensor_time=m * tensor,
        context_time=m * context,
        pipeline_time=m * pipeline,
        expert_time=m * expert,
        bubble_time=through - m * stage,
        data_time=data,
        exposed_data_time=exposed,
        step_time=through + exposed,
        ideal_time=ideal,
        weights=sharded(weights, 3) + gathered(weights),
        gradients=gradients * (sharded(way.gradients, 2) + gathered(way.gradients)),
        optimizer_state=sharded(lambda some: way.recipe.state(some.learned, way.widths), 1),
        activations=activations(
            *(kept, plan.recompute), layers=fullest, entry=entry, flying=flying, flash=plan.flash
        ),
    )


def _whole(count: Any) -> Any:
    return np.asarray(count, dtype=int)


def _neighbours(plan: Plan, wires: Wires) -> Any:
    """How many groups share a node."""
    return np.maximum(wires.inside // np.maximum(_whole(plan.tensor), 1), 1)


def messages(work: Work, plan: Plan, wires: Wires, fullest: Any) -> tuple[Any, Any, Any, Any]:
    """Seconds of talk for every microbatch of a stage with so many layers.

    In the group that divides matrices, in that which divides sequences, between stages, and to the
    experts.
    """
    t, c, e = plan.tensor, plan.context, plan.apart
    again = np.where(plan.recompute == FULL, 1, 0)
    collectives = fullest * REDUCES * (2 + again)
    tensor = collectives * all_reduce(work.entry, t, np.gcd(_whole(t), wires.inside), wires)
    # keys and values go round once forward, and backward with their gradients
    outside = t * c > wires.inside
    rate, wait = (
        np.where(outside, *of)
        for of in ((wires.network, wires.among(c)), (wires.network_latency, wires.link_latency))
    )
    round_trip = (c - 1) * fleet.transfer_time(work.keys, rate, wait)
    context = np.where(c > 1, fullest * (3 + again) * round_trip, 0.0)
    crosses = wires.total > wires.inside  # the outermost split is the pipeline's
    hop = fleet.transfer_time(
        work.entry / t,
        wires.network if crosses else wires.among(2),
        wires.network_latency if crosses else wires.link_latency,
    )
    pipeline = np.where(plan.pipeline > 1, 2 * plan.interleave * hop, 0.0)
    local = np.gcd(_whole(e), _neighbours(plan, wires))
    wait = np.where(e > local, wires.network_latency, wires.link_latency)
    dispatch = exchanged(work.dispatched, e, local, wait, wires)
    talks = fullest * (work.talks + REDUCES * again)
    return tensor, context, pipeline, talks * dispatch


def exchange(here: Kept, way: Way, plan: Plan, fullest: Any) -> Any:
    """Seconds in which the replicas sum their gradients, and gather weights."""
    # halves of an all-reduce: for each microbatch ZeRO-2 scatters gradients, ZeRO-3 gathers weights
    # twice as well, layer by layer, among them those that are frozen
    m, near = plan.microbatches, _neighbours(plan, way.wires)
    legs = np.where(plan.zero >= 3, 3 * m, np.where(plan.zero >= 2, 1 + m, 2))
    pieces = np.where(plan.zero >= 3, fullest, 1.0)

    def said(data: Any, ranks: Any) -> Any:
        local = np.gcd(_whole(ranks), near)
        rings = pieces * all_reduce(data / pieces, ranks, local, way.wires)
        return np.where(data > 0, rings, 0.0)

    time = 0.0
    for some, ranks in here:
        time = time + legs / 2 * said(way.gradients(some), ranks)
        if way.recipe.rank is not None:
            time = time + np.where(plan.zero >= 3, m, 0) * said(some.frozen, ranks)
    return time
