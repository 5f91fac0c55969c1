"""Wall 21 of a fleet: which wire, which part, which price a training run answers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver
from mlsysim.core.units import Q_
from mlsysim.equations import analysis
from mlsysim.models.types import Workload
from mlsysim.solvers.analysis.sensitivity import Percent
from mlsysim.solvers.fleet.distributed import DistributedModel, ZeroStage
from mlsysim.solvers.fleet.parallelism import PLAN, ParallelismOptimizer
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.learning import TrainingPrecision
from mlsysim.solvers.node.single import one_each
from mlsysim.solvers.ops.footprint import EconomicsModel
from mlsysim.stacks.types import IDEAL, Level
from mlsysim.systems.types import Fleet

# Where a fleet has what is scaled; a price is that of a server, of its devices, or of both.
RESOURCES = {
    "nic_bandwidth": ("node.nic_bandwidth",),
    "fabric_bandwidth": ("fabric.bandwidth",),
    "link_bandwidth": ("node.interconnect.bandwidth",),
    "peak_flops": ("node.accelerator.compute.peak_flops", "node.accelerator.compute.precision"),
    "memory_bandwidth": ("node.accelerator.memory.bandwidth",),
}
PRICE = ("node.unit_cost", "node.accelerator.unit_cost")
YEAR = 365  # days for which the cost is asked: it has the same elasticities for any


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
        stack: Level | None = IDEAL,
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
        own = {"tensor_parallel": tensor_parallel, "pipeline_parallel": pipeline_parallel}
        own |= {"expert_parallel": expert_parallel, "zero_stage": zero_stage}
        plan = {key: value for key, value in own.items() if value is not None}
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
        for name, paths in RESOURCES.items():
            places = [_scaled(fleet, paths, by) for by in (factor, 1 / factor)]
            if base.si("step_time") is not None and places != [fleet, fleet]:
                more, less = (step(place).si("step_time") for place in places)
                slopes[name] = float(analysis.elasticity(more, less, factor))
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
    places = [_scaled(fleet, PRICE, by) for by in (factor, 1 / factor)]
    try:
        own, more, less = (EconomicsModel().solve(each, YEAR, pue=pue) for each in (fleet, *places))
    except MissingValue:
        return None
    price = analysis.elasticity(more.si("tco"), less.si("tco"), factor)
    # energy is in proportion to the PUE, so its share is the elasticity, at a PUE of 1 too
    return {"price": float(price), "pue": own.si("energy_share")}


def _scaled(fleet: Fleet, paths: Iterable[str], by: float) -> Fleet:
    """The fleet with so many times what stands at the paths, where anything does."""
    for path in paths:
        fleet = _at(fleet, path, by)
    return fleet


def _at(value: Any, path: str, by: float) -> Any:
    head, _, rest = path.partition(".")
    inner = getattr(value, head, None)
    if not inner:
        return value
    if rest:
        return value.replace(**{head: _at(inner, rest, by)})
    many = isinstance(inner, Mapping)
    return value.replace(**{head: {k: v * by for k, v in inner.items()} if many else inner * by})
