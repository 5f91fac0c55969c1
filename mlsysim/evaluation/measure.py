"""What a system does in each phase: answer requests, or train, over its whole fleet."""

from __future__ import annotations

from mlsysim.equations import node
from mlsysim.evaluation.answering import answering, kept_free
from mlsysim.evaluation.metrics import (
    FAILURES,
    MOSTLY,
    ROOFS,
    TALK,
    Held,
    Load,
    Measured,
    Run,
    Training,
    Uptime,
)
from mlsysim.evaluation.sections import FleetSpec, Train
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers.fleet.distributed import DistributedModel, FleetProfile
from mlsysim.solvers.fleet.parallelism import PLAN, ParallelismOptimizer
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.systems.types import Fleet


def measure(system: SystemSpec) -> Measured:
    """Run the system's phase; raises a BadArgument or MissingValue for what cannot be asked."""
    work = system.workload
    if isinstance(work, Train):
        return _train(work, system.fleet).noting(kept_free(system.fleet))
    return answering(system, work)


def _train(work: Train, place: FleetSpec) -> Measured:
    fleet, notes = place.usable, ()
    load = Load(devices=fleet.devices)
    divided = place.given(DistributedModel)
    if not {*PLAN}.isdisjoint(divided) or fleet.devices == 1:
        asked = {**work.given(DistributedModel), **divided, "stack": work.level(fleet.hw)}
        profile = DistributedModel().solve(**asked, fleet=fleet)
    else:
        asked = {**work.given(ParallelismOptimizer), **place.given(ParallelismOptimizer)}
        asked["stack"] = work.level(fleet.hw)
        search = ParallelismOptimizer().solve(**asked, fleet=fleet)
        if not search.feasible:
            wall = ROOFS["Memory"] if "memory" in search.rejected_because else TALK
            return Measured.impossible(search.reason, wall, load)
        profile = search.best
        assert isinstance(profile, FleetProfile)
        notes = (
            f"the plan was searched for, among {search.considered:,}: "
            f"zero_stage {int(search.zero_stage)}, recompute {search.recompute}, "
            f"interleave {int(search.interleave)}, context_parallel {int(search.context_parallel)}",
        )
    failing = ReliabilityModel().solve(fleet, **place.given(ReliabilityModel))
    own = Training.of(profile, samples=profile.si("throughput"))
    parts = own, load, Held.of(profile), Uptime.of(failing)
    notes = (*notes, *profile.notes, *filter(None, [work.run_by(fleet.hw)]))
    done = profile.feasible and failing.feasible
    if work.tokens is not None:
        time = profile.si("training_time")
        elapsed = time / failing.si("goodput") if done else None
        parts = own, Run(training_time=time, elapsed_time=elapsed), *parts[1:]
    if not profile.feasible:
        lacks = profile.si("memory_required") is not None
        wall = ROOFS["Memory"] if lacks else TALK
        return Measured(parts, False, profile.reason, wall, profile.reason, notes)
    notes = (*notes, *failing.notes)
    if not failing.feasible:
        return Measured(parts, False, failing.reason, FAILURES, failing.reason, notes)
    return Measured(parts, True, "", *_slowest(work, fleet, profile, failing.si("goodput")), notes)


def _slowest(work: Train, fleet: Fleet, profile: FleetProfile, goodput: float) -> tuple[int, str]:
    """The wall behind the largest part of a training run's time, and that part in words."""
    step, peak = profile.si("step_time"), fleet.hw.supply(work.precision).peak
    arithmetic = node.compute_time(
        profile.si("operations"), profile.si("devices") * peak, profile.si("efficiency")
    )
    busy = profile.si("compute_time")
    roof = ROOFS["Compute"] if arithmetic > MOSTLY * busy else ROOFS["Memory"]
    parts = {
        (roof, "each device's own work"): goodput * busy / step,
        (TALK, "devices that wait for each other"): goodput * (1 - busy / step),
        (FAILURES, "failures, and the checkpoints against them"): 1 - goodput,
    }
    (wall, words), share = max(parts.items(), key=lambda item: item[1])
    return wall, f"{share:.0%} of the time goes to {words}."
