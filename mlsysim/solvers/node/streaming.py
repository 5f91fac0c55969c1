"""Wall 6: weights that live outside the device and stream through it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import Q_
from mlsysim.equations import node, serving
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.operators import Step, Totals
from mlsysim.models.types import Workload
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.notes import of_device
from mlsysim.solvers.node.single import context_notes


def _why_full(s: Streamed) -> str:
    if s.si("host_memory") is not None and s.si("streamed_from") > s.si("host_memory"):
        return (
            f"The host has to hold {show(s.streamed_from)} of weights and holds "
            f"{show(s.host_memory)}: give it more memory, or use a narrower precision."
        )
    return (
        f"A batch of {s.si('batch_size'):,.0f} keeps {show(s.held)} of state and activations and "
        f"the device holds {show(s.memory_capacity)}: at most {s.si('max_batch'):,.0f} fit."
    )


class Streamed(Result):
    """One step whose weights come in from outside, layer by layer, and are not kept.

    `max_batch` is how many sequences' state and activations the device holds; `crossover_batch` is
    how many it takes until arithmetic, no longer injection, of all weights binds. `streamed` are
    the bytes that come in during a step, `resident` those of weights that stay on the device, and
    `streamed_from` what the host holds.
    """

    walls = (6,)
    bars = ("injection_time", "compute_time", "memory_time", "overhead")

    latency: u.Seconds = "ms"
    throughput: u.Rate = lazily("1/s", node.throughput, "batch_size", "latency")
    bottleneck: str
    feasible: bool
    reason: str = because(_why_full)
    max_batch: u.Number
    crossover_batch: u.Number
    injection_time: u.Seconds = "ms"
    compute_time: u.Seconds = "ms"
    memory_time: u.Seconds = "ms"
    overhead: u.Seconds = "ms"
    streamed: u.Bytes = "GB"
    resident: u.Bytes = "GB"
    streamed_from: u.Bytes = "GB"
    host_memory: u.Bytes | None = "GB"
    operations: u.Operations = "GFLOP"
    held: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    injection_bandwidth: u.Bandwidth = "GB/s"
    power: u.Power = "W"
    energy: u.Energy = lazily("J", node.energy, "power", "latency")
    datapath: str
    precision: str
    batch_size: u.Number
    seq_len: u.Number
    notes: tuple


class WeightStreamingModel(Solver):
    """Wall 6: weights that live outside the device and stream through it, as on a wafer.

    Each layer takes the longest of three: its weights' way in through `hardware.host_link`, its
    arithmetic, and its traffic in the device's own memory; the next layer's weights are always on
    their way. What stays on the device is the sequences' state and activations, so the memory that
    no longer limits the model limits the batch.

    Fallacy: "Petabytes a second of SRAM end the memory wall." It moves to the way in.
    """

    walls = (6,)

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
        keep_what_fits: bool = False,
        host_memory: u.Bytes | None = None,
    ) -> Streamed:
        """One step of inference; raises MissingValue for a device without a host link.

        With `keep_what_fits` the device keeps the weights that it has room for beside state and
        activations, an even part of each layer, and only the rest streams: offload, as graphics
        cards do it. `host_memory` is what the host has for weights; where it is not given, a note
        says what that must be. `batch_size`, `seq_len` and `efficiency` may be arrays that
        broadcast.
        """
        if hardware.host_link is None:
            raise MissingValue(hardware.name, "host_link", "give the link that weights come in by")
        widths, supply = cost.formats(model, hardware, precision, kv_precision)
        inlet = float(hardware.host_link.bandwidth.m_as("B/s"))
        step = model.step(batch_size, seq_len, phase, widths)
        demand, one = cost.demand(model, step), cost.demand(model, step._replace(batch=1.0))

        held = demand.held_state + demand.held_activations
        away = 1.0  # the part of the weights that is
        if keep_what_fits:
            room = np.maximum(supply.capacity - held, 0.0)
            away = 1 - np.minimum(room / demand.held_weights, 1.0)[()]
        host = away * demand.held_weights
        times = _layers(cost.layers(model, step), supply, inlet, efficiency, away)
        latency, injection, compute, memory = times
        fits = held <= supply.capacity
        return Streamed(
            _counts=step.counts,
            latency=latency + supply.overhead,
            bottleneck=_roof(injection, compute, memory, supply.overhead),
            feasible=fits if host_memory is None else fits & (host <= host_memory),
            max_batch=serving.slots(supply.capacity, one.held_state + one.held_activations),
            crossover_batch=_crossover(model, step, one, supply, inlet, efficiency),
            injection_time=injection,
            compute_time=compute,
            memory_time=memory,
            overhead=supply.overhead,
            streamed=away * demand.weights,
            resident=(1 - away) * demand.held_weights,
            streamed_from=host,
            host_memory=host_memory,
            operations=demand.operations,
            held=held,
            memory_capacity=supply.capacity,
            injection_bandwidth=inlet,
            power=supply.power,
            datapath=supply.datapath,
            precision=precision,
            batch_size=batch_size,
            seq_len=step.seq_len,
            notes=(
                *context_notes(model, step.seq_len),
                *of_device(hardware, precision, supply.datapath),
                *(() if keep_what_fits else _resident(demand, supply)),
                *(() if host_memory is not None else _host(host)),
            ),
        )


def _layers(
    layers: Iterable[Totals], supply: Supply, inlet: float, efficiency: Any, away: Any
) -> tuple[Any, Any, Any, Any]:
    """Seconds of all layers, and of their ways in, arithmetic and traffic each by itself."""
    latency = injection = compute = memory = 0.0
    for layer in layers:
        moved = layer.weights + layer.state + layer.traffic
        way_in = node.memory_time(away * layer.weights, inlet)
        arithmetic = node.compute_time(
            layer.flops - layer.attention, supply.peak, efficiency
        ) + node.compute_time(layer.attention, supply.attention_peak, efficiency)
        inside = node.memory_time(moved, supply.bandwidth)
        latency = latency + serving.streamed_layer_time(way_in, arithmetic, inside)
        injection, compute, memory = injection + way_in, compute + arithmetic, memory + inside
    return latency, injection, compute, memory


def _crossover(
    model: Workload, step: Step, one: Demand, supply: Supply, inlet: float, efficiency: Any
) -> Any:
    """The batch at which arithmetic takes as long as the way in of the weights that it touches.

    More sequences touch more experts: from all of a mixture's weights downwards, each batch is one
    at which those of the batch before it would do.
    """
    weights, batch = one.held_weights, None
    for _ in range(_TURNS):
        before, batch = (
            batch,
            node.crossover_batch(weights, 0.0, one.operations, supply.peak, inlet, efficiency),
        )
        if before is not None and np.all(np.abs(batch - before) <= _NEAR * batch):
            break
        weights = cost.demand(model, step._replace(batch=np.maximum(batch, 1.0))).weights
    return batch


_TURNS, _NEAR = 60, 1e-7


def _host(held: Any) -> tuple[str, ...]:
    most = float(np.max(held))
    return (f"the host has to hold {show(Q_(most / 1e9, 'GB'))} of weights",) if most else ()


def _roof(injection: Any, compute: Any, memory: Any, overhead: Any) -> Any:
    longest = np.maximum(np.maximum(injection, compute), memory)
    inside = np.where(compute >= longest, "Compute", "Memory")
    roof = np.where(injection >= longest, "Injection", inside)
    return np.where(overhead > longest, "Overhead", roof)[()]


def _resident(demand: Demand, supply: Supply) -> tuple[str, ...]:
    if np.all(demand.held_weights + demand.held_state + demand.held_activations <= supply.capacity):
        return ("the weights fit on the device; SingleNodeModel gives the step without streaming",)
    return ()
