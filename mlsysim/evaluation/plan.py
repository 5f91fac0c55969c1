"""THE fleet search: of several devices, widths, divisions and counts, what keeps the constraints.

A coarse pass over the grid says of each point how many devices its requests take at least, and what
so many cost. The points are then evaluated whole, cheapest bound first, and the search ends where
no bound is below the best that was found: on these axes nothing cheaper keeps below BUSY load.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MLSysError, ended
from mlsysim.core.solver import Result, show
from mlsysim.core.units import PRECISIONS
from mlsysim.evaluation.answering import least, needed
from mlsysim.evaluation.sections import Train
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import FEASIBLE, INFEASIBLE, SATISFIED, Evaluation, bill, judge
from mlsysim.hardware.registry import Hardware
from mlsysim.models.transformer import TransformerWorkload

Change = dict[str, Any]
Axes = Mapping[str, Sequence[Any]]

COUNT = "fleet.count"
FACTORS = (2, 4, 8, 16, 32)  # steps of what is tried
KEPT = 8  # systems that are told
SPARE = 1.5  # times the cost of the best, at which others are still looked at


class Candidate(NamedTuple):
    """A system of the search: what is changed, and what came of it."""

    change: Change
    cost: float  # dollars, or devices where nothing is priced
    found: Evaluation

    @property
    def good(self) -> bool:
        """Whether it works and keeps every constraint."""
        return self.found.verdict in (SATISFIED, FEASIBLE)


class FleetSearch(Result):
    """What a search found: `found` are the best systems, cheapest first.

    `considered` points stood on the grid and `evaluated` of them were worked out whole; of the rest
    `rejected_because` counts why they cannot be, and the others cost more than the best. `failed`
    are those that break a constraint, and then those that cannot be, each with the reason.
    """

    found: tuple
    failed: tuple
    nearest: Any
    feasible: bool
    reason: str
    considered: u.Number
    evaluated: u.Number
    rejected_because: dict
    axes: dict
    objective: str

    @property
    def best(self) -> Candidate | None:
        """The cheapest that keeps all constraints, if there is one."""
        return self.found[0] if self.found else None


def plan(
    system: SystemSpec,
    axes: Axes | None = None,
    *,
    cost: Callable[[SystemSpec], float] | None = None,
    spare: float = SPARE,
    kept: int = KEPT,
    progress: Callable[[int, int], None] | None = None,
) -> FleetSearch:
    """The cheapest systems on some axes that keep the constraints of `system`.

    `axes` are values at paths such as `fleet.hardware`; those that are left out are the usual ones,
    and an axis of one value holds it fixed. Where requests arrive, how many devices there are is
    found, unless `fleet.count` is an axis. `cost` may say what a system costs. What costs more than
    `spare` times the best is not looked at, nor, once `kept` are found, what costs more at all.

    >>> from mlsysim import Scenarios
    >>> found = plan(Scenarios["Capstone"], {"fleet.hardware": ["B200", "H100"]})
    >>> found.best.change["fleet.hardware"], found.best.found.verdict
    ('B200', 'satisfied')
    """
    grid = {**usual(system), **(axes or {})}
    for path, values in grid.items():
        if not values:
            raise BadArgument(f"axes {path}", "an empty list", "give at least one value")
    search = _Search(system, grid, cost, spare, kept)
    points = sorted(search.coarse(), key=lambda each: each[0])
    for at, (bound, change, begun) in enumerate(points):
        if bound >= search.limit:
            break
        search.look(change, begun)
        if progress is not None:
            progress(at + 1, len(points))
    return search.told(len(points))


def usual(system: SystemSpec) -> dict[str, Sequence[Any]]:
    """The axes of a system: what a planner may choose, as narrow as the system's own choices are.

    Precisions that are no wider, divisions inside a node, and where the fleet is paid for, devices
    of the same shelf that have a price: a count of unlike devices says nothing. A batch is no axis
    where it decides what is learned, nor where a server fills its own.
    """
    place, work = system.fleet, system.workload
    found: dict[str, Sequence[Any]] = {"workload.precision": _precisions(system)}
    if place.hardware is not None and system.environment.duration is not None:
        found["fleet.hardware"] = _shelf(system)
    if isinstance(work, Train):
        found[COUNT] = place.around(FACTORS)
        return found
    if isinstance(work.model, TransformerWorkload):
        found["fleet.tensor_parallel"] = [n for n in (1, *FACTORS) if n <= place.inside]
    if getattr(work, "arrival_rate_qps", None) is None:
        found[COUNT] = place.around(FACTORS)
    return found


class _Search:
    """What is known so far."""

    def __init__(self, system: SystemSpec, axes: Axes, money: Any, spare: float, kept: int) -> None:
        self.system, self.axes = system, dict(axes)
        self.money, self.spare, self.kept = money, spare, kept
        self.priced = system.environment.duration is not None or isinstance(system.workload, Train)
        self.rejected: Counter[str] = Counter()
        self.seen: list[Candidate] = []
        self.failed: list[tuple[Change, str]] = []
        self.best = math.inf

    @property
    def limit(self) -> float:
        """The cost beyond which nothing more is looked at."""
        enough = sum(each.good for each in self.seen) >= self.kept
        return self.best if enough else self.best * self.spare

    def coarse(self) -> Iterator[tuple[float, Change, SystemSpec]]:
        """Every point of the grid that can be, what it costs at least, and the system itself."""
        for values in product(*self.axes.values()):
            change = dict(zip(self.axes, values, strict=True))
            try:
                system = self.system.changed(change)
                if COUNT not in change and (count := least(system)) is not None:
                    change[COUNT] = count
                    system = system.changed({COUNT: count})
                yield self.cost(system, {}), change, system
            except MLSysError as error:
                self.reject(change, error)

    def reject(self, change: Change, error: MLSysError) -> None:
        """Keep a point that cannot be, and why."""
        self.rejected[type(error).__name__] += 1
        self.failed.append((change, getattr(error, "remedy", None) or str(error)))

    def cost(self, system: SystemSpec, metrics: Mapping[str, Any]) -> float:
        """Dollars over the duration; devices where nothing is priced."""
        if self.money is not None:
            return self.money(system)
        if not self.priced:
            return float(system.fleet.entry.devices)
        money = bill(system, metrics)
        # a run that is not timed yet has no bound
        return 0.0 if money is None else float(money.si("tco"))

    def look(self, change: Change, system: SystemSpec) -> None:
        """Evaluate a point, with as many devices as it turns out to need."""
        try:
            if (devices := self.needed(system)) is None:
                found = judge(system)
            else:
                system, found = self.sized(system, devices)
                change = {**change, COUNT: system.fleet.count}
            cost = self.cost(system, found.metrics)
        except MLSysError as error:
            self.reject(change, error)
            return
        self.seen.append(candidate := Candidate(change, cost, found))
        if candidate.good:
            self.best = min(self.best, cost)
        else:
            self.failed.insert(0, (change, _lacks(found)))  # it came nearer

    def needed(self, system: SystemSpec) -> int | None:
        """How many devices it turns out to need; None where that is not to be found."""
        if COUNT in self.axes:
            return None
        return needed(system) or judge(system).metrics.get("devices_needed")

    def sized(self, system: SystemSpec, devices: int) -> tuple[SystemSpec, Evaluation]:
        """The point with the fewest devices that keep its times and reach what must be reached.

        What has to reach a bound (`requests > 900 1/s`) grows with the fleet; all else gets worse.
        """
        place = system.fleet
        low = high = place.holding(int(devices))
        most = FACTORS[-1] * high

        def at(count: int) -> Evaluation:
            return judge(system.changed({COUNT: count}))

        found = at(high)
        while self.short(found) and high < most:
            low, high = high, 2 * high
            found = at(high)
        while not self.short(found):
            middle = place.holding((low + high) // 2 * place.each)
            if middle in (low, high):
                break
            tried = at(middle)
            low, high, found = (middle, high, found) if self.short(tried) else (low, middle, tried)
        return system.changed({COUNT: high}), found

    def short(self, found: Evaluation) -> bool:
        """Whether all constraints that are broken are bounds which must be reached."""
        judged = zip(self.system.constraints, found.constraints, strict=True)
        broken = [limit.sign for limit, each in judged if each["satisfied"] is False]
        return bool(broken) and all(sign.startswith(">") for sign in broken)

    def told(self, considered: int) -> FleetSearch:
        """What was found, cheapest first, or what came nearest."""
        good = sorted((each for each in self.seen if each.good), key=lambda each: each.cost)
        nearest = min(self.seen, key=lambda each: shortfall(each.found), default=None)
        return FleetSearch(
            found=tuple(good[: self.kept]),
            failed=tuple(self.failed),
            nearest=nearest,
            feasible=bool(good),
            reason="" if good else _nothing(considered, nearest, self.rejected),
            considered=float(considered + sum(self.rejected.values())),
            evaluated=float(len(self.seen)),
            rejected_because=dict(self.rejected),
            axes=self.axes,
            objective="tco" if self.priced else "devices",
        )


def shortfall(found: Evaluation) -> tuple[bool, int, float]:
    """How bad a system is: infeasible or not, broken constraints, and by how much in all."""
    broken = [each for each in found.constraints if each["satisfied"] is False]
    short = sum(-each["margin"] for each in broken if each["margin"] is not None)
    if found.verdict != INFEASIBLE:
        return False, len(broken), short
    metrics = found.metrics
    if (load := metrics.get("utilization")) is not None:  # it fits, and is too small
        return True, 0, load
    need, room = metrics.get("memory_required"), metrics.get("memory_capacity")
    return True, 1, (need / room).m_as("") if need is not None and room is not None else 1e9


def _nothing(considered: int, nearest: Candidate | None, rejected: Counter[str]) -> str:
    """Why no system on the axes will do."""
    if nearest is None:
        why = ", ".join(f"{many} {name}" for name, many in rejected.items())
        return f"none of {considered + rejected.total():,} systems can be: {why}"
    named = ", ".join(f"{path.partition('.')[2]} {value}" for path, value in nearest.change.items())
    none = f"none of {considered:,} systems keeps all constraints"
    return f"{none}; the nearest, {named}, breaks {_lacks(nearest.found)}"


def _lacks(found: Evaluation) -> str:
    """The constraints that a system breaks, or why it cannot be."""
    broken = [
        f"{each['constraint']} ({'unknown' if each['value'] is None else show(each['value'])})"
        for each in found.constraints
        if each["satisfied"] is not True
    ]
    return " and ".join(broken) or ended(found.reason)


# ---- axes ----------------------------------------------------------------------------------------


def _precisions(system: SystemSpec) -> list[str]:
    """The precision of the system, and one of each narrower width."""
    now, trains = system.workload.precision, isinstance(system.workload, Train)
    usual = ("fp8",) if trains else ("fp8", "int8", "fp4", "int4")
    return [now, *(name for name in usual if PRECISIONS[name] < PRECISIONS[now])]


def _shelf(system: SystemSpec) -> list[str]:
    """The devices of the system's own shelf; those with a price, where money is asked about."""
    device = system.fleet.hardware
    assert device is not None
    shelf = next((s for _, s in Hardware.shelves() if device.stem in s), None)
    if shelf is None or system.environment.accelerator_price is not None:
        return [device.stem]  # the price is that of this device
    others = [each for each in shelf if each != device.stem and shelf[each].unit_cost is not None]
    return [device.stem, *others] if device.unit_cost is not None else [device.stem]
