"""From one sentence to a fleet and its bill: which devices, how many, divided how, and what binds.

Every device is searched for by itself (`plan.plan`), over all divisions inside a node. What stays
is the front of money against time. What would change the choice is the same search asked again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue, MLSysError, ended
from mlsysim.core.search import pareto
from mlsysim.core.solver import Given, Result, Solver, lazily, show
from mlsysim.core.table import Table
from mlsysim.core.units import PRECISIONS, Q_
from mlsysim.evaluation.plan import plan as search
from mlsysim.evaluation.sections import SERVE, TRAIN, Serve
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import Evaluation, judge
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.infrastructure.types import Grid
from mlsysim.literature.registry import Literature
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.ops.footprint import YEAR, EconomicsModel, SustainabilityModel, rental
from mlsysim.systems.types import PLAIN_NODE, Fleet
from mlsysim.walls import wall

MONTH = YEAR / 12
FABRIC = "InfiniBand_NDR"  # between nodes of a training fleet
ALIKE = 1.05  # times as dear or as slow: no reason to list both
MOST_DEVICES = 100_000  # of a training fleet
MOST_TO_HOLD = 1024  # devices that are tried until a model fits
SPARE = 3.0  # times the money of the cheapest, beyond which nobody looks for speed
UNPRICED = 1e12  # dollars: what has no price is looked at last
TRIES = 5  # fleets of one device until a run meets its deadline
_USUAL = Serve.model_fields
Progress = Callable[[int, int], None]


class Planned(Result):
    """One way to do it: the devices, their division, and what they cost and emit.

    Money, energy and carbon are of a month, or of a whole training run. `rent` is the lowest hourly
    price that is known, `buy` the time's share of everything owned (host, network, plant, building,
    staff, electricity), and owning is cheaper from `breakeven` of the hours in use on.
    """

    hardware: str
    devices: u.Count
    plan: str
    precision: str
    rent: u.Money | None = "USD"
    buy: u.Money | None = "USD"
    breakeven: u.Number | None
    energy: u.Energy | None = "MWh"
    carbon: u.Mass | None = "t"
    cost: u.Money | None = lazily(
        "USD",
        lambda p: min((c for c in (p.si("rent"), p.si("buy")) if c is not None), default=None),
    )
    wall: u.Number
    why: str
    change: dict


class PlannedFleet(Planned):
    """A fleet that answers all requests; `load` is the part of the time that it is busy."""

    load: u.Number
    p50_ttft: u.Seconds = "ms"
    p99_ttft: u.Seconds = "ms"
    itl: u.Seconds = "ms"
    p99_latency: u.Seconds = "s"


class PlannedRun(Planned):
    """A training run, failures and checkpoints included in the time that it takes."""

    mfu: u.Number
    step_time: u.Seconds = "s"
    elapsed_time: u.Seconds = "day"


_SHOWN = {
    PlannedFleet: ("load", "p50_ttft", "p99_ttft", "itl"),
    PlannedRun: ("mfu", "step_time", "elapsed_time"),
}


class Plan(Result):
    """What was found: `systems` are the front, cheapest first; nothing else is cheaper or faster.

    `binds` says what holds the first of them, `changes` what would change the choice, each worked
    out when it is asked for; `rejected` why other devices will not do. It prints as a `table`.
    """

    question: str
    feasible: bool
    reason: str
    systems: tuple
    binds: str
    changes: tuple = lazily("", lambda p: tuple(p.si("_others")()))
    rejected: dict
    considered: u.Number
    notes: tuple
    _others: Any

    @property
    def best(self) -> Planned | None:
        """The cheapest, if there is one."""
        return self.systems[0] if self.systems else None

    @property
    def table(self) -> Table:
        """The systems, one a row."""
        shown = _SHOWN[type(self.systems[0])] if self.systems else ()
        money = ("rent", "buy", "breakeven", "energy", "carbon")
        return Table.of(self.systems, ("hardware", "devices", "plan", "precision", *shown, *money))

    def to_csv(self, path: Any = None) -> str | None:
        """The table as CSV."""
        return self.table.to_csv(path)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        return f"<p>{self.question}</p>{self.table._repr_html_()}<p>{self.binds or self.reason}</p>"

    def words(self) -> list[str]:
        """What is to be said beside the table."""
        if not self.feasible:
            return [self.reason]
        changed = ["What would change it:", *(f"- {each}" for each in self.changes)]
        return [self.binds, "", *(changed if self.changes else []), ""]

    def summary(self) -> str:
        """Question, table and words."""
        return "\n".join([self.question, "", str(self.table), "", *self.words()]).rstrip()

    __str__ = summary


class Planner(Solver):
    """Which devices, how many and how divided, for so many requests or for a training run.

    Fallacy: "The fastest device is the dearest." Who pays by the request asks how many it takes.
    """

    walls = (5, 7, 14, 17, 18)

    def solve(
        self,
        model: Given[Workload],
        devices: Sequence[Given[HardwareNode]] = (),
        *,
        rate: u.Queries | None = None,
        prompt: u.Count = _USUAL["prompt"].default,
        tokens: u.Count | None = None,
        ttft: u.Seconds | None = None,
        itl: u.Seconds | None = None,
        weights: u.Precision | None = None,
        kv_precision: u.Precision | None = None,
        budget: u.Money | None = None,
        region: Given[Grid] | None = None,
        train: bool = False,
        deadline: u.Seconds | None = None,
        batch_size: u.Batch | None = None,
        seq_len: u.Count | None = None,
        lora_rank: u.Count | None = None,
        progress=None,  # a Progress: no part of the question, so no schema tells it
    ) -> Plan:
        """The front of fleets that serve `rate` requests a second, or that train.

        Of the whole zoo where no `devices` are named. Each request has `prompt` tokens and gets
        `tokens`; 99 of 100 see the first within `ttft`, and the next ones every `itl`. `weights`
        are kept in this precision (fp16, and bf16 in training), the cache in `kv_precision`. With
        `train` the model sees `tokens` until a `deadline`, in steps of `batch_size` sequences of
        `seq_len`; with `lora_rank` adapters learn beside frozen `weights`. `budget` is that of a
        month, or of the run. Energy is paid and emits as in `region`, on average American.

        >>> found = Planner().solve(
        ...     "Llama3_70B",
        ...     ["H200"],
        ...     rate=50,
        ...     prompt=2000,
        ...     tokens=300,
        ...     ttft="500 ms",
        ...     weights="fp8",
        ... )
        >>> found.best.devices, found.best.plan
        (32, 'TP 4')
        """
        asked = {k: v for k, v in locals().items() if k not in ("self", "devices", "progress")}
        question = _training(asked) if train else _serving(asked)
        named = tuple(devices) or tuple(device for _, device in Hardware.entries())
        desk = _Desk(question, region or Infrastructure.Grids.US_Average, budget, progress)
        return desk.told(named, asked=bool(devices))


class _Question(NamedTuple):
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


def _serving(asked: dict[str, Any]) -> _Question:
    if asked["rate"] is None:
        raise BadArgument(
            "rate", None, "say how often requests arrive, as in rate=50, or train=True"
        )
    for name in ("deadline", "batch_size", "seq_len", "lora_rank"):
        if asked[name] is not None:
            raise BadArgument(name, asked[name], "only training has one; give train=True as well")
    weights, tokens = asked["weights"] or "fp16", asked["tokens"] or _USUAL["tokens"].default
    spec = {
        "model": asked["model"],
        "phase": SERVE,
        "prompt": int(asked["prompt"]),
        "tokens": int(tokens),
        "arrival_rate_qps": asked["rate"],
        "precision": weights,
        "kv_precision": asked["kv_precision"],
    }
    bounds = {"p99_ttft": asked["ttft"], "itl": asked["itl"]}
    limits = {name: f"{name} <= {s} s" for name, s in bounds.items() if s is not None}
    narrower = [n for n in ("fp8", "int4") if PRECISIONS[n] < PRECISIONS[weights]]
    others = [(f"weights in {name}", {"precision": name}, (*limits.values(),)) for name in narrower]
    for name, text in limits.items():
        rest = tuple(each for key, each in limits.items() if key != name)
        others.append((f"without {_bound(text)}", {}, rest))
    others.append(("twice the rate", {"arrival_rate_qps": 2 * asked["rate"]}, (*limits.values(),)))
    bounded = "".join(f", {_bound(text)}" for text in limits.values())
    text = (
        f"{asked['model'].name} in {weights}, {asked['rate']:g} requests a second of "
        f"{asked['prompt']:,.0f} + {tokens:,.0f} tokens{bounded}; money of a month"
    )
    return _Question(text, spec, (*limits.values(),), (*others,))


def _training(asked: dict[str, Any]) -> _Question:
    for name in ("rate", "ttft", "itl", "kv_precision"):
        if asked[name] is not None:
            raise BadArgument(name, asked[name], "a training run has none; leave it out")
    if asked["tokens"] is None:
        raise BadArgument("tokens", None, "say how many it trains on, as in tokens=2e9")
    rank, weights = asked["lora_rank"], asked["weights"]
    spec = {
        "model": asked["model"],
        "phase": TRAIN,
        "tokens": asked["tokens"],
        "precision": "bf16" if rank or weights is None else weights,
        "batch_size": asked["batch_size"],
        "seq_len": asked["seq_len"],
        "lora_rank": rank,
        "base_precision": weights if rank else None,
    }
    how = f"LoRA of rank {rank:.0f}" if rank else "training"
    late, deadline = "", asked["deadline"]
    others: list[Any] = []
    if deadline is not None:
        late = f" within {show(Q_(deadline, 's').to('day'))}"
        others.append(("in half the time", {"deadline": deadline / 2}, ()))
    if not rank and spec["precision"] != "fp8":
        others.append(("in fp8", {"precision": "fp8"}, ()))
    if not rank and isinstance(asked["model"], TransformerWorkload):
        others.append(("LoRA of rank 16 instead", {"lora_rank": 16}, ()))
    text = f"{asked['model'].name}, {how} on {asked['tokens']:.3g} tokens{late}; money of the run"
    return _Question(text, spec, (), (*others,), deadline)


def _bound(limit: str) -> str:
    """A constraint in a person's words."""
    name, _, bound = limit.partition(" <= ")
    words = {"p99_ttft": "99 % of first tokens within", "itl": "a token every"}
    return f"{words[name]} {show(u.parse(bound))}"


class _Desk:
    """One question, asked of many devices."""

    def __init__(self, question: _Question, grid: Grid, budget: Any, progress: Any = None) -> None:
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
        kept = [way for way in ways if self.budget is None or _money(way) <= self.budget]
        if ways and not kept:
            least = show(Q_(min(map(_money, ways)), "USD"))
            self.rejected[ways[0].hardware] = f"it costs {least}, and that is more than the budget"
        if not kept:
            return []
        kept.sort(key=_money)
        costs = np.array([_weighed(each) for each in kept])
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
                _least((paid["rent"], paid["buy"])) or UNPRICED
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
        return {
            "hardware": system.fleet.entry.hw.stem,
            "devices": system.fleet.entry.devices,
            "precision": system.workload.precision,
            "wall": found.wall,
            "why": found.why,
            **self._paid(system.fleet.entry, time),
        }

    def changes(self, found: list[Planned], devices: Sequence[HardwareNode]) -> Iterator[str]:
        """What would change the choice: a price, or another question to the devices found."""
        best = found[0]
        other = next((o for o in found if o.si("hardware") != best.si("hardware")), None)
        if other is not None and math.isfinite(_money(other)):
            less = 1 - _money(best) / _money(other)
            yield f"{other.hardware} {less:.0%} cheaper would be the cheapest ({_brief(other)})"
        stems = dict.fromkeys(each.si("hardware") for each in found)
        few = [device for device in devices if device.stem in stems][:4]
        for words, other_spec, limits in self.question.others:
            spec = {"deadline": self.question.deadline, **self.question.spec, **other_spec}
            deadline = spec.pop("deadline")
            asked = self.question._replace(spec=spec, limits=limits, deadline=deadline)
            tried = _Desk(asked, self.grid, self.budget).front(few)
            if not tried:
                yield f"{words}: nothing that is listed will do"
            elif _brief(tried[0]) != _brief(best):
                yield f"{words}: {_brief(tried[0])}{_against(tried[0], best)}"


def _binds(best: Planned, question: _Question) -> str:
    """What holds the cheapest system."""
    room = []
    for limit in question.limits:
        name, _, bound = limit.partition(" <= ")
        part = best.si(name) / _si(u.parse(bound), "s")
        room.append(f"{name} is at {part:.0%} of its bound")
    number = int(best.si("wall"))
    return f"{_brief(best)}: wall {number}, {wall(number).name}. {' '.join([best.why, *room])}"


def _brief(each: Planned) -> str:
    money = _money(each)
    cost = f", {show(Q_(money, 'USD'))}" if math.isfinite(money) else ""
    return f"{int(each.si('devices')):,} {each.hardware} ({each.plan}){cost}"


def _against(each: Planned, other: Planned) -> str:
    ratio = _money(each) / _money(other)
    return f" ({ratio - 1:+.0%})" if math.isfinite(ratio) else ""


def _nothing(rejected: dict[str, str]) -> str:
    """Why no device will do: the commonest reasons, with some of those that have them."""
    counted = Counter(rejected.values()).most_common(3)
    told = []
    for why, _ in counted:
        names = [name for name, each in rejected.items() if each == why]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        told.append(f"{', '.join(names[:3])}{more}: {ended(why)}")
    return " ".join(["No device will do.", *told])


def _least(costs: Iterable[float | None]) -> float | None:
    return min((cost for cost in costs if cost is not None), default=None)


def _money(each: Planned) -> float:
    cost = each.si("cost")
    return math.inf if cost is None else float(cost)


def _weighed(each: Planned) -> tuple[float, ...]:
    """Money and times, of which less is better; what has no known price comes last."""
    money = min(_money(each), UNPRICED)
    if isinstance(each, PlannedRun):
        return money, each.si("elapsed_time")
    return money, each.si("p99_ttft"), each.si("itl")


def _multiplier() -> float:
    """What all that is bought and hired costs, in prices of the accelerators."""
    return 1 / float(Literature.Cost.Accelerators_share.value)


def _si(quantity: Any, unit: str) -> float:
    return float(quantity.m_as(unit))


plan = Planner().solve
