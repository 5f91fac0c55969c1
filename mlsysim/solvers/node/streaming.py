"""Wall 6: weights that live outside the device and stream through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.equations import node, serving
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.types import Workload
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.single import context_notes


def _why_full(s: Streamed) -> str:
    return (
        f"A batch of {s.si('batch_size'):,.0f} keeps {show(s.held)} of state and activations and "
        f"the device holds {show(s.memory_capacity)}: at most {s.si('max_batch'):,.0f} fit."
    )


class Streamed(Result):
    """One step whose weights come in from outside, layer by layer, and are not kept.

    `max_batch` is how many sequences' state and activations the device holds; `crossover_batch` is
    how many it takes until arithmetic, no longer injection, binds.
    """

    walls = (6,)

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
    ) -> Streamed:
        """One step of inference; raises MissingValue for a device without a host link.

        `batch_size`, `seq_len` and `efficiency` may be arrays that broadcast.
        """
        if hardware.host_link is None:
            raise MissingValue(hardware.name, "host_link", "give the link that weights come in by")
        widths, supply = cost.formats(model, hardware, precision, kv_precision)
        inlet = float(hardware.host_link.bandwidth.m_as("B/s"))
        step = model.step(batch_size, seq_len, phase, widths)
        demand, one = cost.demand(model, step), cost.demand(model, step._replace(batch=1.0))

        latency, injection, compute, memory = supply.overhead, 0.0, 0.0, 0.0
        for layer in cost.layers(model, step):
            moved = layer.weights + layer.state + layer.traffic
            way_in = node.memory_time(layer.weights, inlet)
            arithmetic = node.compute_time(layer.flops, supply.peak, efficiency)
            inside = node.memory_time(moved, supply.bandwidth)
            latency = latency + serving.streamed_layer_time(way_in, arithmetic, inside)
            injection, compute, memory = injection + way_in, compute + arithmetic, memory + inside

        held = demand.held_state + demand.held_activations
        return Streamed(
            latency=latency,
            bottleneck=_roof(injection, compute, memory, supply.overhead),
            feasible=held <= supply.capacity,
            max_batch=serving.slots(supply.capacity, one.held_state + one.held_activations),
            crossover_batch=node.crossover_batch(
                demand.weights, 0.0, one.operations, supply.peak, inlet, efficiency
            ),
            injection_time=injection,
            compute_time=compute,
            memory_time=memory,
            overhead=supply.overhead,
            streamed=demand.weights,
            operations=demand.operations,
            held=held,
            memory_capacity=supply.capacity,
            injection_bandwidth=inlet,
            power=supply.power,
            datapath=supply.datapath,
            precision=precision,
            batch_size=batch_size,
            seq_len=step.seq_len,
            notes=context_notes(model, step.seq_len) + _resident(demand, supply),
        )


def _roof(injection: Any, compute: Any, memory: Any, overhead: Any) -> Any:
    longest = np.maximum(np.maximum(injection, compute), memory)
    inside = np.where(compute >= longest, "Compute", "Memory")
    roof = np.where(injection >= longest, "Injection", inside)
    return np.where(overhead > longest, "Overhead", roof)[()]


def _resident(demand: Demand, supply: Supply) -> tuple[str, ...]:
    if np.all(demand.held_weights + demand.held_state + demand.held_activations <= supply.capacity):
        return ("the weights fit on the device; SingleNodeModel gives the step without streaming",)
    return ()
