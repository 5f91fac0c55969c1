"""What one plan of training answers: its times, its memory, its efficiency, and notes."""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.solver import lazily, show
from mlsysim.equations import fleet, node
from mlsysim.models.operators import FORWARD, Step
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.plan import Fault, Plan, at, faults, shortage
from mlsysim.solvers.fleet.training import Cost, Way, cost
from mlsysim.solvers.node.learning import Work, unknown_work, work
from mlsysim.solvers.node.single import total
from mlsysim.stacks.ranges import Ranged, trust, within
from mlsysim.stacks.types import named
from mlsysim.systems.types import Fleet

_TALKS = ("tensor", "context", "pipeline", "expert", "exposed_data")


def _talking(p: FleetProfile) -> Any:
    if p.si("step_time") is None:
        return None
    waiting = sum(p.si(f"{name}_time") for name in _TALKS)
    return waiting / p.si("step_time")


class FleetProfile(Ranged):
    """One training step of a fleet: where its time goes, and whether its memory suffices.

    The times of a plan that does not fit are what it would take; its efficiencies are None.
    `mfu` is that of the whole step, as runs publish it: what a device attains by itself times
    `scaling_efficiency`. `compute_time` is one device's own work; `data_time` counts what overlap
    hides, and `exposed_data_time` does not.
    """

    walls = (14,)
    leads = "step_time"
    bars = ("compute_time", "bubble_time", *(f"{name}_time" for name in _TALKS))
    feeds: ClassVar[dict] = {"training_time": "duration_days"}

    step_time: u.Seconds = "s"
    scaling_efficiency: u.Number
    mfu: u.Number
    feasible: bool
    reason: str
    training_time: u.Seconds = "day"
    throughput: u.Rate = "sample/s"
    token_throughput: u.Rate = "token/s"
    compute_time: u.Seconds = "s"
    tensor_time: u.Seconds = "s"
    context_time: u.Seconds = "s"
    pipeline_time: u.Seconds = "s"
    expert_time: u.Seconds = "s"
    bubble_time: u.Seconds = "s"
    data_time: u.Seconds = "s"
    exposed_data_time: u.Seconds = "s"
    bubble_fraction: u.Number
    communication_fraction: u.Number = lazily("", _talking)
    memory_required: u.Bytes = lazily(
        "GB", total, "weights", "gradients", "optimizer_state", "activations"
    )
    weights: u.Bytes = "GB"
    gradients: u.Bytes = "GB"
    optimizer_state: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    operations: u.Operations = "EFLOP"
    training_operations: u.Operations = lazily(
        "EFLOP",
        lambda operations, time, step: operations * time / step,
        *("operations", "training_time", "step_time"),
    )
    devices: u.Count
    tensor_parallel: u.Count
    pipeline_parallel: u.Count
    data_parallel: u.Count
    expert_parallel: u.Count
    context_parallel: u.Count
    interleave: u.Count
    microbatch: u.Batch
    microbatches: u.Count
    batch_size: u.Batch
    seq_len: u.Number
    parameters: u.Number
    tokens: u.Number
    efficiency: u.Fraction
    precision: str
    stack: str | None
    notes: tuple


class Ask(NamedTuple):
    """A training question after the door: everything but the plan."""

    model: Workload | None
    fleet: Fleet
    parameters: float
    seq_len: Any
    precision: str
    way: Way
    whose: str  # where the efficiency is from

    @property
    def ran(self) -> tuple[Any, Any, str | None]:
        """What ran it, on a device of which generation, and a model of which kind."""
        return self.way.stack, self.way.supply.generation, getattr(self.model, "kind", None)

    def _step(self, batch: Any) -> Step:
        return Step(batch, self.seq_len, 0.0, FORWARD, self.way.widths, training=True)

    def useful(self, batch: Any) -> Any:
        """FLOP of a whole step of so many sequences, forward and backward."""
        if self.model is None:
            return self._unknown(batch).load.operations
        learns = self.way.recipe._replace(imbalance=1.0)
        return work(self.model, self._step(batch), learns).whole.operations

    def cost(self, plan: Plan, microbatch: Any) -> Cost:
        """What one step costs under a plan."""
        if self.model is None:
            return cost(self._unknown(microbatch), plan, self.way)
        if self.model.sparse:  # each device keeps a part of the tables, as it would of experts
            plan = plan._replace(expert=plan.data)
        step = self._step(microbatch / plan.context)
        return cost(self.way.work(self.model, step, plan), plan, self.way)

    def _unknown(self, batch: Any) -> Work:
        return unknown_work(self.parameters, batch * self.seq_len, self.way.widths)


_TIMES = [name for name in Cost._fields if name != "ideal_time"]
_IF_FEASIBLE = ("scaling_efficiency", "mfu", "throughput", "token_throughput", "training_time")


def profile_of(ask: Ask, plan: Plan, batch: Any, microbatch: Any, tokens: Any) -> FleetProfile:
    """Answer for one plan: an impossible one has no times, one too large no efficiency.

    Where the question is of several batches, lengths or rates, what there is not is NaN.
    """
    way, supply, devices = ask.way, ask.way.supply, ask.way.wires.total
    asked = (batch, microbatch, tokens, ask.seq_len, way.efficiency, way.overlap)
    shape = np.broadcast_shapes(*map(np.shape, asked))
    useful = ask.useful(batch)
    same = {
        "devices": devices,
        "tensor_parallel": plan.tensor,
        "pipeline_parallel": plan.pipeline,
        "data_parallel": plan.data,
        "expert_parallel": plan.expert,
        "context_parallel": plan.context,
        "interleave": plan.interleave,
        "microbatch": microbatch,
        "microbatches": plan.microbatches,
        "batch_size": batch,
        "seq_len": ask.seq_len,
        "operations": useful,
        "memory_capacity": supply.capacity,
        "parameters": ask.parameters,
        "tokens": tokens,
        "efficiency": way.efficiency,
        "precision": ask.precision,
        "stack": named(way.stack),
        "notes": _notes(ask, plan),
        "_within": within(*ask.ran),
    }
    wrong = list(faults(ask.model, way.wires, plan))
    possible = ~np.any([np.broadcast_to(mask, shape) for mask, _, _ in wrong], axis=0)
    if not possible.any():
        unknown = dict.fromkeys([*_TIMES, *_IF_FEASIBLE, "bubble_fraction"])
        why = _reasons(wrong, plan, microbatch, 0.0, shape)
        return FleetProfile(**same, **unknown, feasible=possible[()], reason=why)
    c = ask.cost(plan, microbatch)
    wrong.append(shortage(supply, c.held))
    fits = possible & (c.held <= supply.capacity)
    rate = node.throughput(batch, c.step_time)
    sequences = ask.model is None or isinstance(ask.model, TransformerWorkload)
    a_sample = ask.seq_len if sequences else None
    efficiencies = {
        "scaling_efficiency": fleet.scaling_efficiency(c.ideal_time, c.step_time),
        "mfu": node.utilization(useful, c.step_time, devices * supply.peak),
        "throughput": rate,
        "token_throughput": None if a_sample is None else rate * a_sample,
        "training_time": None
        if tokens is None
        else tokens / (rate * (1.0 if a_sample is None else a_sample)),
    }
    bubble = fleet.bubble_fraction(plan.pipeline, plan.microbatches, plan.interleave)
    times = {**{name: getattr(c, name) for name in _TIMES}, "bubble_fraction": bubble}
    return FleetProfile(
        **same,
        **{name: _known(value, fits, shape) for name, value in efficiencies.items()},
        **{name: _known(value, possible, shape) for name, value in times.items()},
        feasible=fits[()],
        reason=_reasons(wrong, plan, microbatch, c.held, shape),
    )


def _known(value: Any, known: Any, shape: tuple[int, ...]) -> Any:
    """A number where it is known, and a column with NaN where it is not."""
    if value is None:
        return None
    if shape:
        return np.where(known, value, np.nan)
    return float(value) if known else None


def _reasons(wrong: list[Fault], plan: Plan, micro: Any, held: Any, shape: tuple[int, ...]) -> Any:
    """The first thing that is wrong with each question, in a sentence; empty where nothing is."""
    masks = [np.broadcast_to(mask, shape) for mask, _, _ in wrong]
    which, reasons = np.select(masks, range(1, len(wrong) + 1), 0), np.full(shape, "", object)
    for where in map(tuple, np.argwhere(which)):
        sentence = wrong[which[where] - 1][2]
        reasons[where] = sentence(
            plan.at(where, shape), at(micro, where, shape), at(held, where, shape)
        )
    return reasons[()]


def _notes(ask: Ask, plan: Plan) -> tuple[str, ...]:
    notes, node = [], ask.fleet.node
    if ask.model is None:
        notes.append("only the number of parameters is known: activations are not counted")
    elif np.any(ask.seq_len > (most := getattr(ask.model, "context", math.inf))):
        longest = f"{np.max(ask.seq_len):,.0f} tokens"
        notes.append(f"{longest} are more than the {most:,} that the model takes")
    if ask.fleet.count > 1 and not node.nics:
        notes.append("the node's ports are unknown: one port of the fabric for each device")
    if ask.fleet.count > 1 and ask.fleet.fabric and node.nic_bandwidth:
        port, wire = node.nic_bandwidth, ask.fleet.fabric.bandwidth
        if port < wire:
            notes.append(f"the nodes' ports, {show(port)}, cap the fabric's {show(wire)}")
        elif wire < port:
            notes.append(f"the fabric, {show(wire)}, caps the nodes' ports, {show(port)}")
    if ask.way.supply.datapath != ask.precision:
        notes.append(f"{ask.precision} runs at the {ask.way.supply.datapath} datapath")
    if not plan.flash:
        notes.append(
            "attention scores are kept at 2 bytes each; a model with dropout keeps 5, and more "
            "of what was measured without flash attention"
        )
    if getattr(ask.model, "moe", None):
        notes.append(
            f"experts get {ask.way.recipe.imbalance:g} times the mean of the tokens at most, and "
            "their kernels are launched for nothing: published runs with many small experts took "
            "up to five times as long"
        )
    if ask.whose:
        notes.append(ask.whose)
    return (*notes, *trust(*ask.ran))
