"""One question asked of many devices: what each of them offers, and the front of it all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue, MLSysError, ended
from mlsysim.core.search import pareto
from mlsysim.core.solver import show
from mlsysim.core.units import Q_
from mlsysim.evaluation.answering import BUSY
from mlsysim.evaluation.plan import plan as search
from mlsysim.evaluation.planned import (
    UNPRICED,
    Plan,
    Planned,
    PlannedFleet,
    PlannedRun,
    against,
    brief,
    least,
    money,
    weighed,
)
from mlsysim.evaluation.sections import TRAIN
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import Evaluation, judge
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Grid
from mlsysim.literature.registry import Literature
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.ops.footprint import YEAR, EconomicsModel, SustainabilityModel, rental
from mlsysim.stacks.ranges import chance, trust, within
from mlsysim.systems.types import PLAIN_NODE, Fleet
from mlsysim.walls import wall

MONTH = YEAR / 12
FABRIC = "InfiniBand_NDR"  # between nodes of a training fleet
ALIKE = 1.05  # times as dear or as slow: no reason to list both
MOST_DEVICES = 100_000  # of a training fleet
MOST_TO_HOLD = 1024  # devices that are tried until a model fits
SPARE = 3.0  # times the money of the cheapest, beyond which nobody looks for speed
TRIES = 5  # fleets of one device until a run meets its deadline
Progress = Callable[[int, int], None]
_RANGED = (
    "ranges are of 50 % and (90 %); a price goes with the times, since what is slower keeps its "
    "load on as many devices more"
)


class Question(NamedTuple):
    """What is asked of every device: a system without its fleet, and how to ask it otherwise."""

    text: str
    spec: dict[str, Any]
    limits: tuple[str, ...]
    others: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...]  # what might change the choice
    deadline: float | None = None

    @property
    def trains(self) -> bool:
        """Whether it is a training run."""
        return self.spec["phase"] == TRAIN

    def system(self, device: HardwareNode, count: int) -> SystemSpec:
        """The whole system, on so many of a device."""
        fleet = {"hardware": device, "count": count}
        if self.trains and count > PLAIN_NODE:
            fleet["fabric"] = FABRIC
        limits = [*self.limits]
        return SystemSpec.from_spec(
            {"workload": self.spec, "fleet": fleet, "constraints": limits}, name="plan"
        )


class Desk:
    """One question, asked of many devices."""

    def __init__(self, question: Question, grid: Grid, budget: Any, progress: Any = None) -> None:
        self.question, self.grid, self.budget = question, grid, budget
        self.progress: Progress | None = progress
        self.rejected: dict[str, str] = {}
        self.considered = 0
        self.each: dict[str, float] = {}  # dollars of a device and month

    def told(self, devices: Sequence[HardwareNode], *, asked: bool) -> Plan:
        """The front of what they can do, and what to say of it."""
        found = self.front(devices, every=asked)
        best, question = (found[0] if found else None), self.question
        reason = ""
        if best is None:
            reason = _nothing(self.rejected)
        notes = (
            f"energy and carbon as in {self.grid.name}; owned for three years, all that is bought "
            f"and hired beside accelerators included ({_multiplier():.2g} times their price)",
        )
        if best is not None and best.ranges:
            notes = (_RANGED, *best.si("_trust"), *notes)
        return Plan(
            question=question.text,
            feasible=best is not None,
            reason=reason,
            systems=tuple(found),
            binds="" if best is None else _binds(best, question),
            _others=tuple if best is None else partial(self.changes, found, devices),
            rejected=self.rejected,
            considered=float(self.considered),
            notes=notes,
        )

    def front(self, devices: Sequence[HardwareNode], *, every: bool = False) -> list[Planned]:
        """What no other beats in money and in time; with `every` the best of each device too."""
        ways = self._runs(devices) if self.question.trains else self._fleets(devices, every)
        kept = [way for way in ways if self.budget is None or money(way) <= self.budget]
        if ways and not kept:
            lowest = show(Q_(min(map(money, ways)), "USD"))
            self.rejected[ways[0].hardware] = f"it costs {lowest}, and that is more than the budget"
        if not kept:
            return []
        kept.sort(key=money)
        costs = np.array([weighed(each) for each in kept])
        chosen = {int(at) for at in pareto(np.floor(np.log(costs) / math.log(ALIKE)))}
        if every:
            chosen |= set(
                {each.si("hardware"): at for at, each in reversed([*enumerate(kept)])}.values()
            )
        return [kept[at] for at in sorted(chosen)]

    def _fleets(self, devices: Sequence[HardwareNode], every: bool) -> list[Planned]:
        """Fleets that serve, each device at each division inside a node."""
        system = self.question.system(devices[0], PLAIN_NODE)
        decoder = isinstance(system.workload.model, TransformerWorkload)
        axes = {
            "fleet.hardware": devices,
            "fleet.tensor_parallel": [1, 2, 4, 8] if decoder else [1],
            "workload.precision": [system.workload.precision],
        }
        how = {"spare": math.inf if every else SPARE, "kept": len(devices) * 4}
        found = search(system, axes, cost=self._dollars, progress=self.progress, **how)
        self.considered += int(found.considered)
        can = {each.change["fleet.hardware"].stem for each in found.found}
        for change, why in reversed(found.failed):  # so that the nearest is told
            if (stem := change["fleet.hardware"].stem) not in can:
                self.rejected[stem] = why
        names = ("p50_ttft", "p99_ttft", "itl", "p99_latency")
        return [
            PlannedFleet(
                **self._common(system.changed(each.change), each.found, MONTH),
                plan=f"TP {each.change['fleet.tensor_parallel']}",
                change={k: getattr(v, "stem", v) for k, v in each.change.items()},
                load=each.found.metrics["utilization"],
                **_nearest(each.found),
                **{name: _si(each.found.metrics[name], "s") for name in names},
            )
            for each in found.found
        ]

    def _dollars(self, system: SystemSpec) -> float:
        """What a fleet costs in a month, rented or owned; a great deal where nobody knows."""
        fleet = system.fleet.entry
        if fleet.hw.stem not in self.each:
            paid = self._paid(fleet, MONTH)
            self.each[fleet.hw.stem] = (
                least((paid["rent"], paid["buy"])) or UNPRICED
            ) / fleet.devices
        return self.each[fleet.hw.stem] * fleet.devices

    def _runs(self, devices: Sequence[HardwareNode]) -> list[Planned]:
        """Training runs, each device in the smallest fleet that will do."""
        found = []
        for at, device in enumerate(devices):
            try:
                found.append(self._run(device))
            except MLSysError as error:
                self.rejected[device.stem] = getattr(error, "remedy", None) or str(error)
            if self.progress is not None:
                self.progress(at + 1, len(devices))
        return found

    def _run(self, device: HardwareNode) -> Planned:
        """The smallest fleet that holds the model and is done in time; raises where none is."""
        deadline, count, most = self.question.deadline, 1, MOST_DEVICES
        for _ in range(TRIES):
            system, found = self._holding(device, count)
            count, took = system.fleet.counted, _si(found.metrics["elapsed_time"], "s")
            if deadline is None or took <= deadline:
                break
            count = system.fleet.holding(math.ceil(1.02 * count * took / deadline))
            if count > most:
                raise BadArgument("devices", device.stem, f"it takes more than {most:,.0f} of them")
        else:
            raise BadArgument("devices", device.stem, "no fleet of them is done in time")
        metrics = found.metrics
        parts = {"TP": "tensor_parallel", "PP": "pipeline_parallel", "DP": "data_parallel"}
        return PlannedRun(
            **self._common(system, found, took),
            plan=" ".join(f"{key} {int(metrics[name])}" for key, name in parts.items()),
            _bound="" if deadline is None else "deadline",
            _part=0.0 if deadline is None else took / deadline,
            change={"fleet.hardware": device.stem, "fleet.count": count},
            mfu=metrics["mfu"],
            step_time=_si(metrics["step_time"], "s"),
            elapsed_time=took,
        )

    def _holding(self, device: HardwareNode, count: int) -> tuple[SystemSpec, Evaluation]:
        """So many of a device, or twice as often as it takes to hold the model."""
        while True:
            system = self.question.system(device, count)
            found = judge(system)
            self.considered += 1
            if found.feasible:
                return system, found
            count *= 2
            if count > MOST_TO_HOLD:
                raise BadArgument("devices", device.stem, found.reason)

    def _paid(self, fleet: Fleet, time: float) -> dict[str, float | None]:
        """Money, energy and carbon; what nobody has published is unknown, not 0."""
        how = {"duration_days": Q_(time, "s"), "datacenter": self.grid}
        buy = energy = carbon = None
        with suppress(MissingValue):
            green = SustainabilityModel().solve(fleet, **how)
            energy, carbon = green.si("energy"), green.si("carbon")
            owned = EconomicsModel().solve(fleet, infrastructure_multiplier=_multiplier(), **how)
            buy = owned.si("tco")
        hourly, _ = rental(fleet)
        rent = None if hourly is None else hourly * fleet.devices * time
        half = None if rent is None or buy is None else buy / rent
        return {"rent": rent, "buy": buy, "breakeven": half, "energy": energy, "carbon": carbon}

    def _common(self, system: SystemSpec, found: Evaluation, time: float) -> dict[str, Any]:
        """What every row says."""
        ran = system.workload.ran(system.fleet.entry.hw)
        return {
            "hardware": system.fleet.entry.hw.stem,
            "devices": system.fleet.entry.devices,
            "precision": system.workload.precision,
            "wall": found.wall,
            "why": found.why,
            "_within": within(*ran),
            "_trust": trust(*ran),
            **self._paid(system.fleet.entry, time),
        }

    def changes(self, found: list[Planned], devices: Sequence[HardwareNode]) -> Iterator[str]:
        """What would change the choice: a price, or another question to the devices found."""
        best = found[0]
        other = next((o for o in found if o.si("hardware") != best.si("hardware")), None)
        if other is not None and math.isfinite(money(other)):
            less = 1 - money(best) / money(other)
            yield f"{other.hardware} {less:.0%} cheaper would be the cheapest ({brief(other)})"
        stems = dict.fromkeys(each.si("hardware") for each in found)
        few = [device for device in devices if device.stem in stems][:4]
        for words, other_spec, limits in self.question.others:
            spec = {"deadline": self.question.deadline, **self.question.spec, **other_spec}
            deadline = spec.pop("deadline")
            asked = self.question._replace(spec=spec, limits=limits, deadline=deadline)
            tried = Desk(asked, self.grid, self.budget).front(few)
            if not tried:
                yield f"{words}: nothing that is listed will do"
            elif brief(tried[0]) != brief(best):
                yield f"{words}: {brief(tried[0])}{against(tried[0], best)}"


def _nearest(found: Evaluation) -> dict[str, Any]:
    """Which bound a fleet that serves is nearest to, and the part of it that it takes."""
    parts = {"load": found.metrics["utilization"] / BUSY}
    parts |= {each["metric"].replace("_", " "): 1 - each["margin"] for each in found.constraints}
    name = max(parts, key=lambda name: parts[name])
    return {"_bound": name, "_part": parts[name]}


def _binds(best: Planned, question: Question) -> str:
    """What holds the cheapest system."""
    room = []
    for limit in question.limits:
        name, _, bound = limit.partition(" <= ")
        part = best.si(name) / _si(u.parse(bound), "s")
        sure = chance(best.si("_within"), 1 / part)
        kept = "" if sure is None else f", kept with {sure:.0%}"
        room.append(f"{name} is at {part:.0%} of its bound{kept}")
    number = int(best.si("wall"))
    told = best.why + (f" {'; '.join(room)}." if room else "")
    return f"{brief(best)}: wall {number}, {wall(number).name}. {told}"


def _nothing(rejected: dict[str, str]) -> str:
    """Why no device will do: the commonest reasons, with some of those that have them."""
    counted = Counter(rejected.values()).most_common(3)
    told = []
    for why, _ in counted:
        names = [name for name, each in rejected.items() if each == why]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        told.append(f"{', '.join(names[:3])}{more}: {ended(why)}")
    return " ".join(["No device will do.", *told])


def _multiplier() -> float:
    """What all that is bought and hired costs, in prices of the accelerators."""
    return 1 / float(Literature.Cost.Accelerators_share.value)


def _si(quantity: Any, unit: str) -> float:
    return float(quantity.m_as(unit))
