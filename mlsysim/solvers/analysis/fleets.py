"""Wall 21 of a fleet: which wire, which part, which price a training run answers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver
from mlsysim.core.units import Q_
from mlsysim.equations import analysis
from mlsysim.models.types import Workload
from mlsysim.solvers.analysis.sensitivity import Percent
from mlsysim.solvers.fleet.distributed import DistributedModel, ZeroStage
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.learning import TrainingPrecision
from mlsysim.solvers.node.single import IDEAL, Stack, one_each
from mlsysim.solvers.ops.footprint import EconomicsModel
from mlsysim.systems.types import Fleet

PLAN = (
    *("tensor_parallel", "pipeline_parallel", "expert_parallel", "context_parallel"),
    *("interleave", "microbatch", "zero_stage", "recompute", "sequence_parallel"),
)


class FleetSensitivity(Result):
    """How steeply a training run's time and cost answer to what a fleet is made of.

    `sensitivities` are elasticities of the elapsed time, failures included, and
    `cost_sensitivities` those of the cost of a year; None where a price is unknown.
    """

    walls = (21,)

    binding_constraint: str
    sensitivities: dict
    cost_sensitivities: dict | None
    step_time: u.Seconds = "s"
    goodput: u.Number
    feasible: bool
    reason: str
    notes: tuple


class FleetSensitivitySolver(Solver):
    """Wall 21: which of a fleet's wires, parts and prices is worth improving.

    Fallacy: "a faster fabric trains faster." Not where the servers' ports cap it.
    """

    walls = (21,)

    def solve(
        self,
        model: Given[Workload],
        fleet: Given[Fleet],
        *,
        batch_size: u.Batch | None = None,
        seq_len: u.Count | None = None,
        precision: TrainingPrecision = "fp16",
        efficiency: u.Fraction | None = None,
        tensor_parallel: u.Count | None = None,
        pipeline_parallel: u.Count | None = None,
        expert_parallel: u.Count | None = None,
        zero_stage: ZeroStage | None = None,
        stack: Stack | None = IDEAL,
        mtbf: u.Seconds | None = None,
        pue: u.PowerUsageEffectiveness = 1.2,
        perturbation_pct: Percent = 10.0,
    ) -> FleetSensitivity:
        """Elasticities under one plan: the fastest that fits, unless a part of one is given.

        Each thing is multiplied and divided by 1 + `perturbation_pct`/100. `mtbf` is the whole
        fleet's; a `pue` of 1.2 is a teaching value.
        """
        one_each(locals())
        how = {"batch_size": batch_size, "seq_len": seq_len, "efficiency": efficiency}
        how = {key: value for key, value in how.items() if value is not None}
        how |= {"precision": precision, "stack": stack}
        own = dict(zip(PLAN, (tensor_parallel, pipeline_parallel, expert_parallel), strict=False))
        plan = {k: v for k, v in (own | {"zero_stage": zero_stage}).items() if v is not None}
        if not plan:
            found = ParallelismOptimizer().solve(model, fleet, **how)
            if found.best is not None:
                how["batch_size"] = found.best.si("batch_size")
                plan = {name: getattr(found, name) for name in PLAN}

        def step(place: Fleet) -> Any:
            return DistributedModel().solve(model, fleet=place, **plan, **how)

        def fails(every: float | None) -> Any:
            return ReliabilityModel().solve(fleet, mtbf=None if every is None else Q_(every, "s"))

        base, failing = step(fleet), fails(mtbf)
        factor, slopes = 1.0 + perturbation_pct / 100.0, {}
        for name, scaled in _RESOURCES.items():
            places = [place for by in (factor, 1 / factor) if (place := scaled(fleet, by))]
            if base.si("step_time") is not None and places:
                more, less = (step(place).si("step_time") for place in places)
                slopes[name] = float(analysis.elasticity(more, less, factor)) + 0.0
        more, less = (
            1 / fails(failing.si("mtbf") * by).si("goodput") for by in (factor, 1 / factor)
        )
        slopes["mtbf"] = float(analysis.elasticity(more, less, factor))
        return FleetSensitivity(
            binding_constraint=max(slopes, key=lambda name: abs(slopes[name])),
            sensitivities=slopes,
            cost_sensitivities=_costs(fleet, pue, factor),
            step_time=base.si("step_time"),
            goodput=failing.si("goodput"),
            feasible=base.si("feasible"),
            reason=base.si("reason"),
            notes=base.si("notes"),
        )


def _costs(fleet: Fleet, pue: float, factor: float) -> dict[str, float] | None:
    def tco(place: Fleet, **how: Any) -> float:
        return EconomicsModel().solve(place, 365, **{"pue": pue, **how}).si("tco")

    try:
        prices = [tco(_priced(fleet, by)) for by in (factor, 1 / factor)]
    except MissingValue:
        return None
    overheads = [tco(fleet, pue=max(pue * by, 1.0)) for by in (factor, 1 / factor)]
    pairs = {"price": prices, "pue": overheads}
    return {
        name: float(analysis.elasticity(more, less, factor)) for name, (more, less) in pairs.items()
    }


def _priced(fleet: Fleet, by: float) -> Fleet:
    """The fleet at another price of its servers and devices."""
    node = fleet.node
    device = node.accelerator
    if device.unit_cost is not None:
        device = device.replace(unit_cost=device.unit_cost * by)
    if node.unit_cost is not None:
        node = node.replace(unit_cost=node.unit_cost * by)
    return fleet.replace(node=node.replace(accelerator=device), hw=device)


def _ports(fleet: Fleet, by: float) -> Fleet | None:
    rate = fleet.node.nic_bandwidth
    return rate and fleet.replace(node=fleet.node.replace(nic_bandwidth=rate * by))


def _fabric(fleet: Fleet, by: float) -> Fleet | None:
    wire = fleet.fabric
    return wire and fleet.replace(fabric=wire.replace(bandwidth=wire.bandwidth * by))


def _link(fleet: Fleet, by: float) -> Fleet | None:
    wire = fleet.node.interconnect
    if wire is None:
        return None
    return fleet.replace(
        node=fleet.node.replace(interconnect=wire.replace(bandwidth=wire.bandwidth * by))
    )


def _memory(fleet: Fleet, by: float) -> Fleet:
    device = fleet.hw
    faster = device.memory.replace(bandwidth=device.memory.bandwidth * by)
    device = device.replace(memory=faster)
    return fleet.replace(node=fleet.node.replace(accelerator=device), hw=device)


def _peak(fleet: Fleet, by: float) -> Fleet:
    core = fleet.hw.compute
    faster = core.replace(
        peak_flops=core.peak_flops * by,
        precision={name: rate * by for name, rate in core.precision.items()},
    )
    device = fleet.hw.replace(compute=faster)
    return fleet.replace(node=fleet.node.replace(accelerator=device), hw=device)


_RESOURCES: dict[str, Callable[[Fleet, float], Fleet | None]] = {
    "nic_bandwidth": _ports,
    "fabric_bandwidth": _fabric,
    "link_bandwidth": _link,
    "peak_flops": _peak,
    "memory_bandwidth": _memory,
}
