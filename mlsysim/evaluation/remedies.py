"""What would help: systems that differ in one thing or a few, each of them evaluated.

Variants of one kind (narrower numbers, another batch, more devices ...) compete, and the best of
each kind is told, beside the several changes that the fleet search finds together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mlsysim.core.errors import MLSysError
from mlsysim.core.solver import show
from mlsysim.core.units import PRECISIONS, dim_of
from mlsysim.evaluation.plan import FACTORS, plan, shortfall
from mlsysim.evaluation.sections import Train
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import FEASIBLE, INFEASIBLE, SATISFIED, VIOLATED, Evaluation, judge
from mlsysim.hardware.registry import Hardware
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.fleet.distributed import USUAL_BATCH, DistributedModel
from mlsysim.solvers.fleet.parallelism import PLAN, ParallelismOptimizer
from mlsysim.solvers.node.learning import TrainingPrecision

Change = dict[str, Any]

MOST = 5  # more suggestions than this nobody reads
EMISSIONS, FIDELITY = 18, 13
_SIZES = ("more devices", "fewer devices")
_WORK = ("requests", "token_throughput")
_LATER = ("elapsed_time",)
_HEADLINES = ("latency", "throughput", "step_time", "elapsed_time")


def suggestions(system: SystemSpec, found: Evaluation) -> list[dict[str, Any]]:
    """Changes that make the system work, keep its constraints, or keep them with fewer devices.

    What the fleet search finds comes first: several changes, and the cheapest of all.
    """
    if found.verdict == FEASIBLE:
        return []
    if found.verdict == SATISFIED:
        return _savings(system, found)
    single = _best_of_each_kind(system, found)
    solving = [each for each in single if _solves(each[1])]
    rest = [each for each in single if not _solves(each[1])]
    rest.sort(key=lambda each: shortfall(each[1]))
    # one change is easier than several, unless a fleet is to be paid for
    best = _planned(system) if not solving or system.environment.duration is not None else []
    several = [each for each in best if each[0] not in [change for change, _ in single]]
    return [_told(system, found, *each) for each in [*several, *solving, *rest][:MOST]]


def _solves(found: Evaluation) -> bool:
    return found.verdict in (SATISFIED, FEASIBLE)


def _planned(system: SystemSpec) -> list[tuple[Change, Evaluation]]:
    """The cheapest system that the fleet search finds, and what it changes."""
    try:
        best = plan(system).best
    except MLSysError:  # it cannot be searched, so there is nothing to suggest
        return []
    if best is None:
        return []
    changed = {path: new for path, new in best.change.items() if new != _now(system, path)}
    return [(changed, best.found)]


def _best_of_each_kind(system: SystemSpec, found: Evaluation) -> list[tuple[Change, Evaluation]]:
    """Of each kind of change the smallest that solves it all, or else the best improvement."""
    best: dict[str, tuple[Change, Evaluation]] = {}
    known: set[str] = set()  # kinds that another has told in other words
    for kind, variant in _variants(system, found):
        if kind in known or (kind in best and _solves(best[kind][1])):
            continue  # variants come smallest first
        answer = _try(system, variant)
        if answer is None:
            continue
        change, tried = variant, answer
        if system.value("workload.arrival_rate_qps") is not None and kind not in _SIZES:
            change, tried = _resized(system, variant, answer)
        if any(tried.metrics == other.metrics for _, other in best.values()):
            known.add(kind)
            continue
        if shortfall(tried) < shortfall(best[kind][1] if kind in best else found):
            best[kind] = change, tried
    return list(best.values())


def _savings(system: SystemSpec, found: Evaluation) -> list[dict[str, Any]]:
    """Fewer devices that keep every constraint, as few as can be."""
    best = None
    for change in _counts(system, found, down=True):
        tried = _try(system, change)
        if tried is not None and tried.verdict != SATISFIED:
            break
        best = (change, tried) if tried is not None else best
    return [_told(system, found, *best)] if best else []


def _try(system: SystemSpec, change: Change) -> Evaluation | None:
    try:
        return judge(system.changed(change))
    except MLSysError:  # it cannot be asked, so it cannot be suggested
        return None


def _resized(system: SystemSpec, change: Change, tried: Evaluation) -> tuple[Change, Evaluation]:
    """The change with a fleet as large as the requests then need, where that is better."""
    if _solves(tried):
        return change, tried
    variant = system.changed(change)
    for down in (False, True):
        for count in _counts(variant, tried, down=down):
            other = _try(system, {**change, **count})
            if other is not None and shortfall(other) < shortfall(tried):
                change, tried = {**change, **count}, other
    return change, tried


# ---- the variants, smallest change first ---------------------------------------------------------


def _variants(system: SystemSpec, found: Evaluation) -> Iterator[tuple[str, Change]]:
    if "devices_needed" in found.metrics:  # then nothing else need change
        for change in _counts(system, found, down=False):
            yield "more devices", change
    for change in _precisions(system):
        yield "precision", change
    if not isinstance(system.workload, Train):  # whose batch decides what is learned
        for change in _batches(system, down=True):
            yield "smaller batch", change
        for change in _batches(system, down=False):
            yield "larger batch", change
        for change in _splits(system, found):
            yield "split", change
    else:
        yield from _plans(system)
        for batch in _even_batches(system):
            yield "even batch", {"workload.batch_size": batch}
    for change in _counts(system, found, down=False):
        yield "more devices", change
    for change in _counts(system, found, down=True):
        yield "fewer devices", change
    yield from _places(system, found)
    yield from _devices(system)
    thinking = system.value("workload.reasoning_steps") or 1
    while thinking > 1:
        thinking //= 2
        yield "thinking", {"workload.reasoning_steps": thinking}


def _precisions(system: SystemSpec) -> Iterator[Change]:
    """Each narrower width once, in the arithmetic that the device has if it has one."""
    now, device = system.workload.precision, system.fleet.entry.hw
    native = device.compute.datapaths
    trains = isinstance(system.workload, Train)
    known = dim_of(TrainingPrecision).known if trains else tuple(PRECISIONS)
    for width in sorted({PRECISIONS[name] for name in known}, reverse=True):
        if width < PRECISIONS[now]:
            names = [name for name in known if PRECISIONS[name] == width]
            # whole numbers before fp8: every kernel library has them
            names.sort(key=lambda name: (name not in native, not name.startswith("int")))
            yield {"workload.precision": names[0]}


def _batches(system: SystemSpec, *, down: bool) -> Iterator[Change]:
    given, rate = (system.value(f"workload.{key}") for key in ("batch_size", "arrival_rate_qps"))
    if given is None and rate is not None:
        return  # a server takes as many as fit
    now = int(given or 1)
    for factor in FACTORS:
        batch = now // factor if down else now * factor
        if batch >= 1:
            yield {"workload.batch_size": batch}


def _even_batches(system: SystemSpec) -> Iterator[int]:
    """The batches nearest to a training run's own that its replicas can share, if they cannot."""
    place, batch = system.fleet, int(system.workload.batch_size or USUAL_BATCH)
    inside, devices = int(place.entry.node.accelerators), int(place.entry.devices)
    keys = ("tensor_parallel", "pipeline_parallel", "expert_parallel")
    given = [getattr(place, key) for key in keys if getattr(place, key) is not None]
    splits = isinstance(system.workload.model, TransformerWorkload)
    fills = (n for n in range(1, inside + 1 if splits else 2) if inside % n == 0)
    ways = [int(math.prod(given))] if given else list(fills)
    each = {devices // n * int(getattr(place, "microbatch", None) or 1) for n in ways}
    if any(batch % share == 0 for share in each):
        return
    near = {whole for n in each for whole in (batch // n * n, -(-batch // n) * n) if whole}
    yield from sorted(near, key=lambda whole: abs(whole - batch))[:2]


def _splits(system: SystemSpec, found: Evaluation) -> Iterator[Change]:
    """More devices a replica, and as many devices as that takes."""
    place, model = system.fleet.entry, system.workload.model
    if not isinstance(model, TransformerWorkload):
        return
    now = int(system.fleet.tensor_parallel or found.metrics.get("tensor_parallel") or 1)
    for factor in FACTORS:
        ways = now * factor
        if ways <= system.fleet.inside:
            change: Change = {"fleet.tensor_parallel": ways}
            if place.devices < ways:
                change["fleet.count"] = ways
            yield change


def _plans(system: SystemSpec) -> Iterator[tuple[str, Change]]:
    """The fastest plan for the same fleet, where the system has one of its own."""
    work, place = system.workload, system.fleet
    if all(system.value(f"fleet.{key}") is None for key in PLAN):
        return
    asked = {**work.given(ParallelismOptimizer), **place.given(ParallelismOptimizer)}
    try:
        search = ParallelismOptimizer().solve(**asked, fleet=place.usable)
    except MLSysError:
        return
    if search.feasible:
        values = {key: getattr(search, key) for key in PLAN}
        plan = {
            f"fleet.{k}": v if isinstance(v, (str, bool)) else int(v) for k, v in values.items()
        }
        yield "plan", {path: value for path, value in plan.items() if value != _now(system, path)}


def _counts(system: SystemSpec, found: Evaluation, *, down: bool) -> Iterator[Change]:
    """More or fewer of what the fleet counts: as many as the requests need, where any come."""
    place, now = system.fleet, system.fleet.counted
    needed = found.metrics.get("devices_needed")
    # fewer than needed are too busy, and more are idle
    counts = place.around(FACTORS) if needed is None else [place.holding(int(needed))]
    for count in sorted(counts, reverse=down):
        if count != now and (count < now) == down:
            yield {"fleet.count": count}


def _places(system: SystemSpec, found: Evaluation) -> Iterator[tuple[str, Change]]:
    """Cleaner grids on the same basis, nearest first, where a constraint on emissions is broken."""
    here = system.environment.grid
    broken = {c["wall"] for c in found.constraints if c["satisfied"] is False}
    if here is None or EMISSIONS not in broken:
        return
    grids = ((name, Infrastructure.Grids[name]) for name in Infrastructure.Grids)
    cleaner = [
        (name, grid)
        for name, grid in grids
        if grid.place and grid.basis == here.basis and grid.carbon_intensity < here.carbon_intensity
    ]
    cleaner.sort(key=lambda each: each[1].carbon_intensity, reverse=True)
    for name, _ in cleaner:
        yield "place", {"environment.grid": name}


def _devices(system: SystemSpec) -> Iterator[tuple[str, Change]]:
    """The other devices of the shelf, those first that draw about as much."""
    if (device := system.fleet.hardware) is None or device.tdp is None:
        return
    name = device.stem
    shelf = next((s for _, s in Hardware.shelves() if name in s and s[name] == device), None)
    if shelf is None:
        return
    if system.environment.accelerator_price is not None:
        return  # it is the price of this device
    draws = {stem: tdp.m_as("W") for stem in shelf if (tdp := shelf[stem].tdp) is not None}
    near = sorted(
        (max(w / draws[name], draws[name] / w), stem) for stem, w in draws.items() if stem != name
    )
    for _, stem in near:
        yield "device", {"fleet.hardware": stem}


# ---- in words ------------------------------------------------------------------------------------


def _told(
    system: SystemSpec, found: Evaluation, change: Change, tried: Evaluation
) -> dict[str, Any]:
    """A suggestion: the change, the verdict on it, and the metrics that matter."""
    asked = [c["metric"] for c in tried.constraints]
    names = list(dict.fromkeys(asked or [n for n in _HEADLINES if n in tried.metrics]))
    # less carbon, or less money, may be less work, or later
    beside = _LATER if isinstance(system.workload, Train) else _WORK
    if beside is _LATER or "fleet.count" in change:
        names += [name for name in beside if name not in names]
    gives = {name: tried.metrics[name] for name in names if tried.metrics.get(name) is not None}
    return {
        "change": change,
        "verdict": tried.verdict,
        "gives": gives,
        "sentence": _sentence(system, found, change, tried, gives),
    }


_LEARNS = " (another batch learns differently: check the loss, wall 11)"
_CAVEAT = f" (check the answers' quality, wall {FIDELITY})"
_CHANGE_ANSWERS = ("precision", "reasoning_steps")


def _sentence(
    system: SystemSpec, found: Evaluation, change: Change, tried: Evaluation, gives: dict[str, Any]
) -> str:
    parts = []
    for path, new in change.items():
        name, old = path.partition(".")[2], _now(system, path)
        part = f"{name} {new}" + (f" instead of {old}" if old is not None else "")
        if name in _CHANGE_ANSWERS:
            part += _CAVEAT
        elif name == "batch_size" and isinstance(system.workload, Train):
            part += _LEARNS
        parts.append(part)
    effects = []
    if found.verdict == INFEASIBLE:
        ends = {INFEASIBLE: "it still does not work", VIOLATED: "it runs"}
        effects.append(ends.get(tried.verdict, "it works"))
    broken = {c["metric"] for c in tried.constraints if c["satisfied"] is False}
    for name, value in gives.items():
        was = found.metrics.get(name)
        before = f" (was {show(was)})" if was is not None and found.verdict != INFEASIBLE else ""
        still = ", which still breaks the constraint" if name in broken else ""
        effects.append(f"{name} {show(value)}{before}{still}")
    return f"{', '.join(parts)}: {'; '.join(effects)}."


_DEFAULTS = {**DistributedModel.defaults, "microbatch": 1}  # one sequence at a time


def _now(system: SystemSpec, path: str) -> Any:
    """What stands at a path, the default where nothing is given."""
    value, key = system.value(path), path.partition(".")[2]
    if value is None:
        value = system.fleet.counted if key == "count" else _DEFAULTS.get(key)
    return int(value) if isinstance(value, float) else getattr(value, "stem", value)
