"""Walls 1 and 2: the roofline of one step of one model on one device."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import Q_, dim_of
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.operators import Met, Step
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths, widths
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.learning import (
    FULL,
    Optimizer,
    Recipe,
    Recompute,
    TrainingPrecision,
    recipe,
)
from mlsysim.solvers.node.notes import of_device
from mlsysim.solvers.node.room import too_large
from mlsysim.stacks.ranges import Ranged, trust, within
from mlsysim.stacks.types import IDEAL, Level, named

UNEQUAL = 0.01  # a part of the step by which the levels must differ to be worth a note

_ROOFS = ("Memory", "Compute", "Overhead")


def waits(p: Result) -> tuple[Any, Any]:
    """Seconds that the step waits under each roof: under one of them all, or as operators do."""
    compute, memory = p.si("compute_time"), p.si("memory_time")
    if p.si("_under_compute") is not None:
        return p.si("_under_compute"), p.si("_under_memory")
    if not isinstance(compute, np.ndarray) and not isinstance(memory, np.ndarray):
        return (compute, 0.0) if compute > memory else (0.0, memory)
    return np.where(compute > memory, compute, 0.0), np.where(compute > memory, 0.0, memory)


def binding(p: Result) -> Any:
    """The roof under which it waits longest, or Overhead where that is longer than both."""
    (compute, memory), overhead = waits(p), p.si("overhead")
    if not any(isinstance(each, np.ndarray) for each in (compute, memory, overhead)):
        return _ROOFS[2 if overhead > max(compute, memory) else int(compute > memory)]
    late = overhead > np.maximum(compute, memory)
    return np.take(_ROOFS, np.where(late, 2, compute > memory))


def share(p: Result, roof: int) -> Any:
    """The part of the latency that it waits for arithmetic (0), or for memory (1)."""
    return np.divide(waits(p)[roof], p.si("latency"))[()]


def _told(p: Profile) -> tuple[str, ...]:
    """What to know beside the answer; the Iron Law says where its one maximum misleads."""
    asked = p.si("_asked")
    question = asked.question
    notes = context_notes(question.model, asked.step.seq_len) + question.told
    notes += trust(*question.ran)
    if p.shape or p.si("stack"):
        return notes
    time = sum(asked.apart()) + p.si("overhead")
    if not time > p.si("latency") * (1 + UNEQUAL):
        return notes
    ideal, law = (show(Q_(seconds, "s")) for seconds in (time, p.si("latency")))
    return (
        *notes,
        f"its operators meet different roofs: one after the other they take {ideal}, "
        f"not {law} (stack='{IDEAL}')",
    )


def total(*parts: Any) -> Any:
    """Their sum."""
    return sum(parts)


class Profile(Ranged):
    """One step of one model on one device: how long, which roof binds, and whether it fits.

    `bottleneck` is Compute, Memory, or Overhead when the dispatch tax exceeds both roofs.
    `datapath` is the arithmetic that really ran; it differs from `precision` where the device
    lacks that. `compute_share` and `memory_share` are the parts of the latency that it waits for
    each; `stack` is "ideal" where operators run one after the other, each under its own roof.
    `throughput` counts what a batch is made of: tokens in decode, a token for each sequence; whole
    prompts in prefill (requests); sequences, images or queries in a forward pass and in training.
    """

    walls = (1, 2)
    bars = ("compute_time", "memory_time", "overhead")

    latency: u.Seconds = "ms"
    throughput: u.Rate = lazily("1/s", node.throughput, "batch_size", "latency")
    bottleneck: str = lazily("", binding)
    feasible: bool
    reason: str = because(too_large)
    compute_time: u.Seconds = "ms"
    memory_time: u.Seconds = "ms"
    overhead: u.Seconds = "ms"
    operations: u.Operations = "GFLOP"
    traffic: u.Bytes = "GB"
    arithmetic_intensity: u.Intensity = lazily(
        "FLOP/B", node.arithmetic_intensity, "operations", "traffic"
    )
    ridge_point: u.Intensity = lazily(
        "FLOP/B",
        lambda peak, efficiency, bandwidth: node.ridge_point(peak * efficiency, bandwidth),
        *("peak", "_efficiency", "bandwidth"),
    )
    compute_share: u.Number = lazily("", lambda p: share(p, 0))
    memory_share: u.Number = lazily("", lambda p: share(p, 1))
    mfu: u.Number = lazily("", node.utilization, "operations", "latency", "peak")
    energy: u.Energy = lazily("J", node.energy, "power", "latency")
    memory_required: u.Bytes = lazily("GB", total, "weights", "kv_cache", "activations")
    weights: u.Bytes = "GB"
    kv_cache: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    memory_tier: str
    peak: u.OperationRate = "TFLOP/s"
    bandwidth: u.Bandwidth = "TB/s"
    power: u.Power = "W"
    datapath: str
    precision: str
    stack: str | None
    batch_size: u.Number
    seq_len: u.Number
    notes: tuple = lazily("", _told)
    _efficiency: u.Number
    _under_compute: u.Seconds
    _under_memory: u.Seconds
    _asked: Any

    def noted(self, notes: tuple[str, ...]) -> Profile:
        """The same, with notes about the device beside its own."""
        asked = self.si("_asked")
        question = asked.question._replace(told=notes)
        return Profile(**{**self._values, "_asked": asked._replace(question=question)})


class SingleNodeModel(Solver):
    """Walls 1-2: which roof binds one step of one model on one device.

    For an autoregressive model a step is one decode step at context `seq_len`, unless
    `phase="prefill"` (the whole prompt at once) or `training=True` (forward, backward, update).
    What fits may fill all of the memory.

    Fallacy: "3.2x the FLOPS is 3.2x the speed." Only under the compute roof.
    """

    walls = (1, 2)

    def solve(
        self,
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        batch_size: u.Batch = 1.0,
        seq_len: u.Count | None = None,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        phase: u.Phase | None = None,
        training: bool = False,
        optimizer: Optimizer = "adam",
        recompute: Recompute = "none",
        lora_rank: u.Count | None = None,
        base_precision: u.Precision | None = None,
        stack: Level | None = None,
    ) -> Profile:
        """Time, roof and memory of one step.

        `precision` is that of the weights, and activations take the datapath that runs it; the KV
        cache keeps 16 bits unless `kv_precision` says otherwise. `stack="ideal"` costs operators
        one after the other, each under its own roof, instead of all under one; a stack, or its
        name, as its kernels do. In training, adapters of `lora_rank` learn beside every matrix of
        a layer while all else is frozen, in `base_precision` where that is given (as int4, for
        QLoRA). `batch_size`, `seq_len` and `efficiency` may be arrays that broadcast: the result
        then holds columns. Raises a BadArgument for a malformed question; a model that does not fit
        is an answer with `feasible=False` and its `reason`.
        """
        learns = {
            "optimizer": optimizer,
            "recompute": recompute,
            "lora_rank": lora_rank,
            "base_precision": base_precision,
        }
        how = None
        if training:
            how = recipe(model, *learns.values())
        else:
            for name, value in learns.items():
                if value != self.defaults[name]:
                    raise BadArgument(
                        name, value, "only training learns; give training=True as well"
                    )
        question = ask(
            *(model, hardware, precision, efficiency, kv_precision, stack),
            base=base_precision,
            recipe=how,
        )
        return question.profile(question.step(batch_size, seq_len, phase))


class Question(NamedTuple):
    """How a model is costed: in which widths, on what a device supplies, at which level."""

    model: Workload
    widths: Widths
    supply: Supply
    precision: Any
    efficiency: Any
    stack: Any = None
    training: bool = False
    told: tuple[str, ...] = ()  # of the device, whatever is asked
    recipe: Recipe | None = None  # how it learns in training
    density: Any = None  # the part of the arithmetic that pruning leaves

    @property
    def ran(self) -> tuple[Any, Any, str | None]:
        """What ran it, on a device of which generation, and a model of which kind."""
        return self.stack, self.supply.generation, getattr(self.model, "kind", None)

    def step(self, batch: Any, seq_len: Any, phase: str | None, new: Any = None) -> Step:
        """A step of the model; raises where it has no such phase or length."""
        how = {"new": new, "training": self.training}
        return self.model.step(batch, seq_len, phase, self.widths, **how)

    def demand(self, step: Step) -> Demand:
        """What a step asks of the device."""
        demand = cost.demand(self.model, step, self.recipe, self.stack)
        if self.density is None:
            return demand
        fewer = {name: getattr(demand, name) * self.density for name in ("operations", "attention")}
        return demand._replace(**fewer)

    def profile(self, step: Step, held: Demand | None = None) -> Profile:
        """One step; what must fit is that of `held` where this is given."""
        demand = self.demand(step)
        if held is not None:
            demand = demand._replace(**{name: getattr(held, name) for name in _HELD})
        return profile(demand, step, self)


class Asked(NamedTuple):
    """One step of a question, and how fast its weights come."""

    question: Question
    step: Step
    weights_bandwidth: Any

    def fits(self) -> bool:
        """Whether all that it must hold has room."""
        demand = self.question.demand(self.step)
        return bool(sum(getattr(demand, name) for name in _HELD) <= self.question.supply.capacity)

    def at(self, precision: str) -> Asked:
        """The same at another precision of the weights, all else as wide as it is."""
        own, training = self.step.widths, self.question.training
        other = widths(precision, self.question.supply.datapath, training=training)
        other = other._replace(activations=own.activations, cache=own.cache)
        return self._replace(
            question=self.question._replace(widths=other), step=self.step._replace(widths=other)
        )

    def again(self) -> Asked | None:
        """The same where all activations are computed again, if they are not and may be."""
        how = self.question.recipe or Recipe()
        if how.again == FULL or not isinstance(self.question.model, TransformerWorkload):
            return None
        return self._replace(question=self.question._replace(recipe=how._replace(again=FULL)))

    def apart(self) -> Met:
        """Its operators one after the other."""
        model, _, supply, _, efficiency, level, *_, density = self.question
        reached = efficiency if density is None else efficiency / density
        rates = cost.rates(supply, reached, self.weights_bandwidth, level)
        return cost.one_after_the_other(model, self.step, rates, supply, self.question.recipe)


def ask(
    model: Workload,
    hardware: HardwareNode,
    precision: str,
    efficiency: Any,
    kv_precision: str | None = None,
    stack: Any = None,
    *,
    base: str | None = None,
    recipe: Recipe | None = None,
) -> Question:
    """The question that arguments ask: of training, if there is a recipe for it.

    Raises where no gradients are kept in the precision.
    """
    training = recipe is not None
    if training:
        trainable(precision)
    how = {"base": base, "training": training}
    wide, supply = cost.formats(model, hardware, precision, kv_precision, **how)
    told = of_device(hardware, precision, supply.datapath)
    return Question(model, wide, supply, precision, efficiency, stack, training, told, recipe)


_HELD = ("held_weights", "held_state", "held_activations")


def profile(demand: Demand, step: Step, question: Question) -> Profile:
    """What a step demands against what a device supplies, both in SI numbers or arrays.

    The Iron Law over all of it, or at the ideal level its operators one after the other.
    """
    supply, efficiency, stack = question.supply, question.efficiency, question.stack
    feasible, tier, weights_bandwidth = _placed(demand, step, supply)
    moving = demand.state + demand.activations
    compute = node.compute_time(
        demand.operations - demand.attention, supply.peak, efficiency
    ) + node.compute_time(demand.attention, supply.attention_peak, efficiency)
    memory = node.memory_time(demand.weights, weights_bandwidth) + node.memory_time(
        moving, supply.bandwidth
    )
    asked = Asked(question, step, weights_bandwidth)
    overhead = cost.host(supply, stack, step.batch)
    if stack is not None:
        met = asked.apart()
        overhead = overhead + met.overhead
        latency = met.compute + met.memory + overhead
    else:
        met, latency = Met(None, None), node.roofline_time(compute, memory, overhead)
    return Profile(
        latency=latency,
        compute_time=compute,
        memory_time=memory,
        overhead=overhead,
        operations=demand.operations,
        traffic=demand.weights + moving,
        feasible=feasible,
        weights=demand.held_weights,
        kv_cache=demand.held_state,
        activations=demand.held_activations,
        memory_capacity=supply.capacity,
        memory_tier=tier,
        peak=supply.peak,
        bandwidth=supply.bandwidth,
        datapath=supply.datapath,
        precision=question.precision,
        stack=named(stack),
        batch_size=step.batch,
        seq_len=step.seq_len,
        power=cost.drawn(supply, stack),
        _efficiency=efficiency,
        _under_compute=met.compute,
        _under_memory=met.memory,
        _within=within(*question.ran),
        _asked=asked,
        _counts=step.counts,
    )


def _placed(demand: Demand, step: Step, supply: Supply) -> tuple[Any, Any, Any]:
    """Whether a step fits, which memory holds the weights, and how fast they come from there."""
    fast = demand.held_weights + demand.held_state + demand.held_activations
    feasible = fast <= supply.capacity
    weights_bandwidth, tier = supply.bandwidth, "main"
    flash = supply.flash_capacity
    # np.any and np.max are slow on the plain numbers of a single question
    if not step.training and (
        flash.any() if isinstance(flash, np.ndarray) else flash
    ):  # flash cannot be rewritten every step
        in_flash = (demand.held_weights <= supply.flash_capacity) & (
            demand.held_state + demand.held_activations <= supply.capacity
        )
        has_flash = np.asarray(flash) > 0
        tier = np.where(feasible | ~has_flash, "main", np.where(in_flash, "flash", "none"))[()]
        weights_bandwidth = np.where(
            feasible | ~has_flash, supply.bandwidth, supply.flash_bandwidth
        )[()]
        feasible = feasible | in_flash
    return feasible, tier, weights_bandwidth


def one_each(arguments: dict[str, Any]) -> None:
    """Raise BadArgument for an argument that holds several numbers."""
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            raise BadArgument(name, value, "give one number, not several")


def trainable(precision: str) -> None:
    """Raise BadArgument for a precision in which gradients are not kept."""
    known = dim_of(TrainingPrecision).known
    if precision not in known:
        remedy = f"training keeps gradients in one of {', '.join(known)}"
        raise BadArgument("precision", precision, remedy)


def context_notes(model: Workload, length: Any) -> tuple[str, ...]:
    """What to say when a question asks for a longer context than the model was trained for."""
    context = getattr(model, "context", None)
    longest = length.max() if isinstance(length, np.ndarray) else length
    if context is not None and longest > context:
        return (
            f"context {longest:,.0f} is longer than the {context:,} "
            f"that {model.name} was trained for",
        )
    return ()
