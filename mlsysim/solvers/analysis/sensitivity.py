"""Walls 21 and 22: which resource to invest in, and what a deadline demands of a device."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import Q_, Dim
from mlsysim.core.values import Source
from mlsysim.equations import analysis, node
from mlsysim.hardware.types import WEIGHTS_ONLY, ComputeCore, HardwareNode, MemoryHierarchy, Supply
from mlsysim.models.types import Workload
from mlsysim.models.widths import widths
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.learning import Recipe
from mlsysim.solvers.node.single import Profile, ask, profile, trainable
from mlsysim.stacks.types import Level

Percent = Annotated[Any, Dim("", high=100.0)]

# What is perturbed, and the field of a Supply that holds it.
RESOURCES = {
    "peak_flops": "peak",
    "memory_bandwidth": "bandwidth",
    "flash_bandwidth": "flash_bandwidth",
    "memory_capacity": "capacity",
    "overhead": "overhead",
}


def _binding(answer: Sensitivity) -> Any:
    """Name the resource with the steepest elasticity; capacity, where the model does not fit."""
    slopes = answer.si("sensitivities")
    steepest = np.argmax(np.abs(np.array(np.broadcast_arrays(*slopes.values()))), axis=0)
    names = np.array(list(slopes))[steepest]
    return np.where(answer.si("feasible"), names, "memory_capacity")[()]


def _reasons(base: Profile) -> Any:
    """Say why each point does not fit: one sentence, or a column of them."""
    if not base.shape:
        return base.si("reason")
    return np.array([row.reason for row in base], dtype=object).reshape(base.shape)


class Sensitivity(Result):
    """How steeply the time of a step answers to each resource of the device.

    `sensitivities` are elasticities: -1 means one percent more gives one percent less time, 0 that
    the resource does not matter, and a positive one (the overhead's) that less of it is better.
    The efficiency always has the elasticity of `peak_flops`, because only their product counts.
    """

    walls = (21,)

    binding_constraint: str = lazily("", _binding)
    sensitivities: dict
    latency: u.Seconds = "ms"
    method: str
    perturbation_pct: u.Number
    feasible: bool
    reason: str


class SensitivitySolver(Solver):
    """Wall 21: which resource binds, and how much more of it would help.

    Fallacy: "any upgrade helps a little." Under a hard roof the resource that does not bind has an
    elasticity of exactly zero, so there is no ratio between the two, and no price at which it pays.
    """

    walls = (21,)

    def solve(
        self,
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        precision: u.Precision = "fp16",
        batch_size: u.Batch = 1.0,
        seq_len: u.Count | None = None,
        efficiency: u.Fraction = 0.5,
        kv_precision: u.Precision | None = None,
        stack: Level | None = None,
        perturbation_pct: Percent = 10.0,
        phase: u.Phase | None = None,
        training: bool = False,
        smooth: bool = False,
        sharpness: u.Number = 2.0,
        forward: bool = False,
    ) -> Sensitivity:
        """Elasticity of one step's time to each resource of `hardware`.

        Each resource is multiplied and divided by 1 + `perturbation_pct`/100. `smooth=True` blends
        the roofs with `sharpness` (2 is a teaching value, a large one is the hard maximum);
        `forward=True` is the one-sided difference that depends on the step taken. A model that does
        not fit has the elasticities it would have if it did, and `feasible=False`.
        """
        question = ask(
            *(model, hardware, precision, efficiency, kv_precision, stack),
            recipe=Recipe() if training else None,
        )
        supply, step = question.supply, question.step(batch_size, seq_len, phase)
        demand, factor = question.demand(step), 1.0 + perturbation_pct / 100.0

        def run(changed: Supply) -> Profile:
            return profile(demand, step, question._replace(supply=changed))

        def time(changed: Supply) -> Any:
            answer = run(changed)
            if not smooth:
                return answer.si("latency")
            parts = (answer.si(name) for name in ("compute_time", "memory_time", "overhead"))
            return analysis.smooth_roofline_time(*parts, sharpness=sharpness)

        base, latency, slopes = run(supply), time(supply), {}
        for name, field in RESOURCES.items():
            if field == "flash_bandwidth" and not supply.flash_capacity:
                continue
            raised = time(_times(supply, field, factor))
            if forward:
                slope = analysis.forward_elasticity(raised, latency, perturbation_pct / 100.0)
            else:
                lowered = time(_times(supply, field, 1 / factor))
                slope = analysis.elasticity(raised, lowered, factor)
            slopes[name] = slope if np.ndim(slope) else float(slope)
        roof = f"smooth roofline, sharpness {sharpness:g}" if smooth else "hard roofline"
        difference = "forward difference" if forward else "central difference in the logarithm"
        return Sensitivity(
            latency=latency,
            method=f"{roof}, {difference}",
            perturbation_pct=perturbation_pct,
            feasible=base.si("feasible"),
            reason=_reasons(base),
            sensitivities=slopes,
        )


def _times(supply: Supply, field: str, factor: Any) -> Supply:
    """The supply with one resource scaled; attention's datapath is scaled with the others."""
    fields = ("peak", "attention_peak") if field == "peak" else (field,)
    return supply._replace(**{name: getattr(supply, name) * factor for name in fields})


def _why_late(s: Synthesis) -> str:
    return (
        f"The dispatch tax alone takes {show(s.overhead)}, and the target is "
        f"{show(s.target_latency)}; no memory and no arithmetic is fast enough."
    )


class Synthesis(Result):
    """The least device that meets a deadline: both roofs are reached at the same time.

    The requirements are None when the dispatch tax alone exceeds the deadline.
    """

    walls = (22,)

    required_bw: u.Bandwidth | None = "GB/s"
    required_flops: u.OperationRate | None = "TFLOP/s"
    required_capacity: u.Bytes = "GB"
    ridge_point: u.Intensity | None = lazily(
        "FLOP/B", node.ridge_point, "required_flops", "required_bw"
    )
    target_latency: u.Seconds = "ms"
    overhead: u.Seconds = "ms"
    operations: u.Operations = "GFLOP"
    traffic: u.Bytes = "GB"
    feasible: bool
    reason: str = because(_why_late)
    precision: str
    _datapath: str
    efficiency: u.Fraction
    batch_size: u.Number
    seq_len: u.Number

    def device(self, name: str, release_year: int) -> HardwareNode:
        """Build the required device: solving the same step on it takes the target time."""
        if not self.feasible:
            raise BadArgument("target_latency", show(self.target_latency), self.si("reason"))
        exact = {field: Q_(self.si(field), unit) for field, unit in _UNITS.items()}
        return HardwareNode(
            name=name,
            release_year=release_year,
            dispatch_tax=exact["overhead"],
            compute=ComputeCore(
                peak_flops=exact["required_flops"], peak_precision=self.si("_datapath")
            ),
            memory=MemoryHierarchy(
                capacity=exact["required_capacity"], bandwidth=exact["required_bw"]
            ),
            sources={"default": Source(kind="user", ref="SynthesisSolver, from a target latency")},
        )


# the units of the plain numbers, so that what just fits still fits after the way through a Quantity
_UNITS = {
    "required_bw": "B/s",
    "required_flops": "FLOP/s",
    "required_capacity": "B",
    "overhead": "s",
}


class SynthesisSolver(Solver):
    """Wall 22: what a deadline demands of a device, the roofline read backwards.

    Counts everything that a step moves and holds (weights, KV cache, activations, batch) and pays
    the dispatch tax first, so a device built from the answer meets the target exactly.

    Fallacy: "the weights over the deadline is the bandwidth I need." The KV cache moves as well,
    and the time is what the dispatch tax has left of it.
    """

    walls = (22,)

    def solve(
        self,
        model: Given[Workload],
        target_latency: u.Seconds,
        *,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        batch_size: u.Batch = 1.0,
        seq_len: u.Count | None = None,
        efficiency: u.Fraction = 0.5,
        dispatch_tax: u.SecondsOrZero = 0.0,
        phase: u.Phase | None = None,
        training: bool = False,
    ) -> Synthesis:
        """Bandwidth, peak and capacity with which one step takes `target_latency`.

        An answer with `feasible=False` when `dispatch_tax` leaves no time at all.
        """
        if training:
            trainable(precision)
        datapath = WEIGHTS_ONLY.get(precision, precision)
        formats = widths(precision, datapath, kv_precision, training=training)
        step = model.step(batch_size, seq_len, phase, formats, training=training)
        demand = cost.demand(model, step)
        left = analysis.time_left(target_latency, dispatch_tax)
        feasible = left > 0.0
        left = np.where(feasible, left, np.nan)[()]
        traffic = demand.weights + demand.state + demand.activations
        bandwidth = analysis.required_bandwidth(traffic, left)
        peak = analysis.required_peak(demand.operations, left, efficiency)
        possible = bool(np.any(feasible))
        return Synthesis(
            required_bw=bandwidth if possible else None,
            required_flops=peak if possible else None,
            required_capacity=demand.held_weights + demand.held_state + demand.held_activations,
            target_latency=target_latency,
            overhead=dispatch_tax,
            operations=demand.operations,
            traffic=traffic,
            feasible=feasible,
            precision=precision,
            _datapath=datapath,
            efficiency=efficiency,
            batch_size=step.batch,
            seq_len=step.seq_len,
        )
