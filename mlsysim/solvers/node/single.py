"""Walls 1 and 2: the roofline of one step of one model on one device."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import PRECISIONS, dim_of
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.operators import Step
from mlsysim.models.types import Workload
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.cost import Demand


def _bottleneck(p: Profile) -> Any:
    compute, memory, overhead = p.si("compute_time"), p.si("memory_time"), p.si("overhead")
    roof = np.where(compute > memory, "Compute", "Memory")
    return np.where(overhead > np.maximum(compute, memory), "Overhead", roof)[()]


def total(*parts: Any) -> Any:
    """Their sum."""
    return sum(parts)


def too_large(p: Any) -> str:
    """One sentence: what does not fit, by how much, and what would."""
    if not p.si("datapath"):
        return f"The device has no datapath that can run {p.si('precision')}."
    need, room = p.memory_required, p.memory_capacity
    parts = {"weights": p.weights, "KV cache": p.kv_cache, "activations": p.activations}
    listed = ", ".join(f"{name} {show(part)}" for name, part in parts.items() if part.magnitude)
    return (
        f"It needs {show(need)} ({listed}) and the device holds {show(room)}: "
        f"short by {show(need - room)}; {_remedy(p, need, room)}."
    )


def _remedy(p: Any, need: Any, room: Any) -> str:
    if p.weights > room:
        width = PRECISIONS[p.si("precision")]
        narrower = [
            name for name, w in PRECISIONS.items() if w < width and p.weights * (w / width) <= room
        ]
        share = f"split the model over {int(np.ceil((need / room).m_as('')))} devices"
        return f"{share} or store it as {' or '.join(narrower[:2])}" if narrower else share
    return "use a smaller batch or a shorter context"


class Profile(Result):
    """One step of one model on one device: how long, which roof binds, and whether it fits.

    `bottleneck` is Compute, Memory, or Overhead when the dispatch tax exceeds both roofs.
    `datapath` is the arithmetic that really ran; it differs from `precision` where the device
    lacks that.
    """

    walls = (1, 2)

    latency: u.Seconds = "ms"
    throughput: u.Rate = lazily("1/s", node.throughput, "batch_size", "latency")
    bottleneck: str = lazily("", _bottleneck)
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
    ridge_point: u.Intensity = lazily("FLOP/B", node.ridge_point, "peak", "bandwidth")
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
    batch_size: u.Number
    seq_len: u.Number
    notes: tuple


class SingleNodeModel(Solver):
    """Walls 1-2: which roof binds one step of one model on one device.

    For an autoregressive model a step is one decode step at context `seq_len`, unless
    `phase="prefill"` (the whole prompt at once) or `training=True` (forward, backward, update).

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
        efficiency: u.Fraction = 0.5,
        phase: u.Phase | None = None,
        training: bool = False,
    ) -> Profile:
        """Time, roof and memory of one step.

        Weights, cache and activations all take `precision`; CompressionModel gives each its own.
        `batch_size`, `seq_len` and `efficiency` may be arrays that broadcast: the result then holds
        columns. Raises a BadArgument for a malformed question; a model that does not fit is an
        answer with `feasible=False` and its `reason`.
        """
        step, demand = asked(model, batch_size, seq_len, precision, phase, training=training)
        supply, notes = hardware.supply(precision), context_notes(model, step)
        return profile(demand, supply, step, efficiency, precision, notes)


def asked(
    model: Workload,
    batch_size: Any,
    seq_len: Any,
    precision: str,
    phase: str | None,
    *,
    training: bool = False,
) -> tuple[Step, Demand]:
    """The step that a question means, and what it demands; raises where it makes no sense."""
    if training:
        trainable(precision)
    step = model.step(batch_size, seq_len, phase, PRECISIONS[precision], training=training)
    return step, cost.demand(model, step)


def one_step(
    model: Workload,
    supply: Supply,
    batch_size: Any,
    precision: str,
    efficiency: Any,
    phase: str | None,
    seq_len: Any,
) -> Profile:
    """One step of inference on what a device supplies."""
    step, demand = asked(model, batch_size, seq_len, precision, phase)
    return profile(demand, supply, step, efficiency, precision, context_notes(model, step))


def profile(
    demand: Demand,
    supply: Supply,
    step: Step,
    efficiency: Any,
    precision: Any,
    notes: tuple[str, ...] = (),
) -> Profile:
    """The Iron Law over what a step demands and a device supplies, both in SI numbers or arrays."""
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
    moving = demand.state + demand.activations
    compute = node.compute_time(demand.operations, supply.peak, efficiency)
    memory = node.memory_time(demand.weights, weights_bandwidth) + node.memory_time(
        moving, supply.bandwidth
    )
    return Profile(
        latency=node.roofline_time(compute, memory, supply.overhead),
        compute_time=compute,
        memory_time=memory,
        overhead=supply.overhead,
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
        precision=precision,
        batch_size=step.batch,
        seq_len=step.seq_len,
        notes=notes,
        power=supply.power,
    )


def one_each(arguments: dict[str, Any]) -> None:
    """Raise BadArgument for an argument that holds several numbers."""
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            raise BadArgument(name, value, "give one number, not several")


def trainable(precision: str) -> None:
    """Raise BadArgument for a precision in which gradients are not kept."""
    from mlsysim.solvers.fleet.training import TrainingPrecision  # a step alone needs no fleet

    known = dim_of(TrainingPrecision).known
    if precision not in known:
        remedy = f"training keeps gradients in one of {', '.join(known)}"
        raise BadArgument("precision", precision, remedy)


def context_notes(model: Workload, step: Step) -> tuple[str, ...]:
    """What to say when a question asks for a longer context than the model was trained for."""
    context = getattr(model, "context", None)
    length = step.seq_len
    longest = length.max() if isinstance(length, np.ndarray) else length
    if context is not None and longest > context:
        return (
            f"context {longest:,.0f} is longer than the {context:,} "
            f"that {model.name} was trained for",
        )
    return ()
