"""What would help: systems that differ in one thing or a few, each of them evaluated.

Variants of one kind (narrower numbers, another batch, more devices ...) compete, and the best of
each kind is told. Where no single change suffices, the best one is kept and the search goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlsysim.core.errors import MLSysError
from mlsysim.core.solver import show
from mlsysim.core.units import PRECISIONS, dim_of
from mlsysim.evaluation.sections import PLAN, Train
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import FEASIBLE, INFEASIBLE, SATISFIED, VIOLATED, Evaluation, judge
from mlsysim.hardware.registry import Hardware
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.fleet.distributed import USUAL_BATCH, DistributedModel
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.solvers.node.learning import TrainingPrecision
from mlsysim.systems.types import PLAIN_NODE

Change = dict[str, Any]
Score = tuple[bool, int, float]

MOST = 5  # more suggestions than this nobody reads
ROUNDS = 4  # changes that are combined
MONEY, EMISSIONS, FIDELITY = 17, 18, 13
_FACTORS = (2, 4, 8, 16, 32)
_SIZES = ("more devices", "fewer devices")
_WORK = ("requests", "token_throughput")
_LATER = ("elapsed_time",)
_HEADLINES = ("latency", "throughput", "step_time", "elapsed_time")


def suggestions(system: SystemSpec, found: Evaluation) -> list[dict[str, Any]]:
    """Changes that make the system work, keep its constraints, or keep them with fewer devices."""
    if found.verdict == FEASIBLE:
        return []
    if found.verdict == SATISFIED:
        return _savings(system, found)
    best = _best_of_each_kind(system, found)
    solving = [each for each in best if _solves(each[1])]
    if not solving:
        solving = _combined(system, best)
    rest = [each for each in best if not _solves(each[1])]
    rest.sort(key=lambda each: _score(each[1]))
    return [_told(system, found, *each) for each in [*solving, *rest][:MOST]]


def _solves(found: Evaluation) -> bool:
    return found.verdict in (SATISFIED, FEASIBLE)


def _best_of_each_kind(
    system: SystemSpec, found: Evaluation, *, base: Change | None = None
) -> list[tuple[Change, Evaluation]]:
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
        if _score(tried) < _score(best[kind][1] if kind in best else found):
            best[kind] = ({**(base or {}), **change}, tried)
    return list(best.values())


def _combined(
    system: SystemSpec, best: list[tuple[Change, Evaluation]]
) -> list[tuple[Change, Evaluation]]:
    """Several changes that solve it together, found greedily; nothing when they do not."""
    for _ in range(ROUNDS):
        if not best:
            return []
        change, found = min(best, key=lambda each: _score(each[1]))
        if _solves(found):
            return [(change, found)]
        best = _best_of_each_kind(system.changed(change), found, base=change)
    return []


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
            if other is not None and _score(other) < _score(tried):
                change, tried = {**change, **count}, other
    return change, tried


def _score(found: Evaluation) -> Score:
    """How bad it is: infeasible or not, broken constraints, and by how much in all."""
    broken = [c for c in found.constraints if c["satisfied"] is False]
    short = sum(-c["margin"] for c in broken if c["margin"] is not None)
    if found.verdict == INFEASIBLE:
        metrics = found.metrics
        if (load := metrics.get("utilization")) is not None:  # it fits, and is too small
            return True, 0, load
        need, room = metrics.get("memory_required"), metrics.get("memory_capacity")
        over = (need / room).m_as("") if need is not None and room is not None else 1e9
        return True, 1, over
    return False, len(broken), short


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
        each, batch = system.fleet.entry.devices, int(system.workload.batch_size or USUAL_BATCH)
        if batch % each:  # unless it cannot be divided
            yield "even batch", {"workload.batch_size": -(-batch // each) * each}
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
    for factor in _FACTORS:
        batch = now // factor if down else now * factor
        if batch >= 1:
            yield {"workload.batch_size": batch}


def _splits(system: SystemSpec, found: Evaluation) -> Iterator[Change]:
    """More devices a replica, and as many devices as that takes."""
    place, model = system.fleet.entry, system.workload.model
    if not isinstance(model, TransformerWorkload):
        return
    now = int(system.fleet.tensor_parallel or found.metrics.get("tensor_parallel") or 1)
    inside = PLAIN_NODE if system.fleet.hardware is not None else int(place.node.accelerators)
    for factor in _FACTORS:
        ways = now * factor
        if ways <= inside:
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
    place = system.fleet.entry
    loose = system.fleet.hardware is not None  # devices are counted, not nodes
    now = int(place.devices if loose else place.count)
    needed = found.metrics.get("devices_needed")
    if needed is not None:  # fewer are too busy, and more are idle
        counts = [int(needed if loose else needed // place.node.accelerators)]
    else:
        counts = [now // f if down else now * f for f in _FACTORS]
    if loose:  # beyond one node they come in whole nodes
        counts = [c - c % PLAIN_NODE if c > PLAIN_NODE else c for c in counts]
    for count in sorted({c for c in counts if c >= 1 and c != now}, reverse=down):
        if (count < now) == down:
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


_CAVEAT = f" (check the answers' quality, wall {FIDELITY})"
_CHANGE_ANSWERS = ("precision", "reasoning_steps")


def _sentence(
    system: SystemSpec, found: Evaluation, change: Change, tried: Evaluation, gives: dict[str, Any]
) -> str:
    parts = []
    for path, new in change.items():
        name, old = path.partition(".")[2], _now(system, path)
        part = f"{name} {new}" + (f" instead of {old}" if old is not None else "")
        parts.append(part + _CAVEAT if name in _CHANGE_ANSWERS else part)
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
        value = system.fleet.entry.count if key == "count" else _DEFAULTS.get(key)
    return int(value) if isinstance(value, float) else getattr(value, "stem", value)
