"""The verdict on a whole system: does it work, does it keep its constraints, and which wall binds.

`judge` measures the system's phase, prices its fleet, and holds every constraint against the
metrics that come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from mlsysim.core.errors import MissingValue, NoDatapath, UnknownName
from mlsysim.core.search import Constraint
from mlsysim.core.solver import Result, lazily, show
from mlsysim.core.table import Table
from mlsysim.core.units import Quantity
from mlsysim.core.values import Source
from mlsysim.evaluation.measure import measure
from mlsysim.evaluation.metrics import (
    BATCHING,
    ROOFS,
    Bill,
    Footprint,
    Measured,
    Part,
    parts_of,
    read,
)
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers.ops.footprint import Economics, EconomicsModel, SustainabilityModel
from mlsysim.stacks.ranges import chance, within
from mlsysim.systems.types import Fleet
from mlsysim.walls import wall

FEASIBLE, SATISFIED, VIOLATED, INFEASIBLE = "feasible", "satisfied", "violated", "infeasible"
EXIT_CODES = {FEASIBLE: 0, SATISFIED: 0, INFEASIBLE: 1, VIOLATED: 3}

_TWICE = ("tco_usd", "carbon_footprint_kg")  # numbers that stand with their unit as well


class Evaluation(Result):
    """A verdict on a whole system.

    `verdict` is infeasible, violated (a constraint is broken), satisfied, or feasible (there are no
    constraints). `bottleneck` names the wall that binds and `why` says how. Each of `constraints`
    has its `value`, its `margin` as a fraction of the bound (negative when broken), its wall, and
    where a measured stack was named the `probability` that it is kept.
    Each of `suggestions` is a `change` that was evaluated, and what it gives.
    """

    name: str
    phase: str
    verdict: str
    feasible: bool
    reason: str
    wall: int
    bottleneck: str = lazily("", lambda e: wall(e.si("wall")).name)
    why: str
    constraints: tuple
    violated: tuple = lazily(
        "", lambda e: tuple(c["constraint"] for c in e.si("constraints") if c["satisfied"] is False)
    )
    metrics: dict
    suggestions: tuple
    notes: tuple

    _STATUS: ClassVar[dict[Any, str]] = {True: "kept", False: "BROKEN", None: "unknown"}

    @property
    def exit_code(self) -> int:
        """What the command line ends with: 0, or 1 for infeasible, or 3 for a broken constraint."""
        return EXIT_CODES[self.si("verdict")]

    def advised(self, suggestions: Iterable[dict[str, Any]]) -> Evaluation:
        """The same evaluation, with suggestions."""
        return Evaluation(**{**self._values, "suggestions": tuple(suggestions)})

    @property
    def table(self) -> Table:
        """The metrics that are known, one a row."""
        known = {
            key.replace("_", " "): show(value)
            for key, value in self.metrics.items()
            if value is not None and key not in _TWICE
        }
        return Table({"metric": [*known], "value": [*known.values()]})

    def summary(self) -> str:
        """The evaluation in lines that a person can read."""
        number, name = self.si("wall"), self.bottleneck
        lines = [
            f"{self.name} ({self.phase}): {self.verdict}",
            f"  bottleneck   wall {number}, {name}. {self.why}",
        ]
        for kept in self.constraints:
            found, margin = kept["value"], kept["margin"]
            room = "" if margin is None else f", margin {margin:+.0%}"
            if kept["probability"] is not None:
                room += f", kept with {kept['probability']:.0%}"
            lines.append(
                f"  {self._STATUS[kept['satisfied']]:<12} {kept['constraint']}: "
                f"{'unknown' if found is None else show(found)}{room}"
            )
        unfit = not self.feasible and number in (ROOFS["Memory"], BATCHING)
        lines += [
            "  if it did fit:" if unfit else "",
            *(f"  {row['metric']:<24} {row['value']}" for row in self.table),
        ]
        if self.suggestions:
            lines += [
                "",
                "what would help, each worked out:",
                *(f"  - {each['sentence']}" for each in self.suggestions),
            ]
        if self.notes:
            lines += ["", *(f"  note: {note}" for note in self.notes)]
        return "\n".join(lines)

    __str__ = summary


def judge(system: SystemSpec | str | Mapping[str, Any] | Path) -> Evaluation:
    """Evaluate a system as `evaluate` does, without looking for what would help: for a search.

    >>> fleets = {"hardware": "H100", "count": 2}, {"hardware": "L40S", "count": 2}
    >>> [judge({"workload": {"model": "Llama3_70B"}, "fleet": each}).verdict for each in fleets]
    ['feasible', 'infeasible']
    """
    system = SystemSpec.read(system)
    try:
        done = measure(system)
    except NoDatapath as error:
        done = Measured.impossible(str(error), ROOFS["Compute"])
    costs, notes, unknown = _costs(system, read(done.parts))
    metrics = read((*done.parts, *costs))
    judged = tuple(_judged(system, limit, metrics, done, unknown) for limit in system.constraints)
    if not done.feasible:
        verdict = INFEASIBLE
    elif not judged:
        verdict = FEASIBLE
    else:
        verdict = SATISFIED if all(each["satisfied"] for each in judged) else VIOLATED
    return Evaluation(
        name=system.name,
        phase=system.workload.phase,
        verdict=verdict,
        feasible=done.feasible,
        reason=done.reason,
        wall=done.wall,
        why=done.why,
        constraints=judged,
        metrics=metrics,
        suggestions=(),
        notes=tuple(dict.fromkeys((*done.notes, *notes))),
    )


# ---- constraints ---------------------------------------------------------------------------------


def _judged(
    system: SystemSpec,
    limit: Constraint,
    metrics: Mapping[str, Any],
    done: Measured,
    unknown: Mapping[type[Part], MissingValue],
) -> dict[str, Any]:
    """One constraint with what was found; of what is infeasible nothing needs to be known."""
    value, parts = metrics.get(limit.metric), parts_of(system.workload.phase)
    part = next((part for part in parts if limit.metric in part._fields), None)
    if part is None:
        known = [name for part in parts for name in part._fields]
        raise UnknownName(f"constraints {limit.text!r}", limit.metric, known, len(known))
    if value is None and done.feasible:
        if part in unknown:
            raise unknown[part]
        if part.needs is None or limit.metric in metrics:
            raise MissingValue(system.name, limit.metric, "leave the constraint out")
        section, key, remedy = part.needs
        raise MissingValue(f"{system.name}.{section}", key, remedy)
    return {
        "constraint": limit.text,
        "metric": limit.metric,
        "value": value,
        "bound": limit.bound if isinstance(limit.bound, Quantity) else str(limit.bound),
        "satisfied": None if value is None else bool(limit.holds(value)),
        "margin": None if value is None else _margin(limit, value),
        "probability": None if value is None else _probability(system, limit, value),
        "wall": (*part.walls, done.wall)[0],
    }


def _probability(system: SystemSpec, limit: Constraint, value: Any) -> float | None:
    """How probable it is that a time or a rate that a stack predicts keeps its bound."""
    timed = isinstance(value, Quantity) and any(value.check(unit) for unit in ("s", "1/s"))
    if not timed or not isinstance(limit.bound, Quantity) or limit.sign in ("==", "!="):
        return None
    device = system.fleet.usable.hw
    times = float((limit.bound / value).m_as(""))
    below = chance(within(*system.workload.ran(device)), times)
    return below if below is None or limit.sign.startswith("<") else 1 - below


def _margin(limit: Constraint, value: Any) -> float | None:
    """How far inside its bound a value lies, as a fraction of the bound; None for words."""
    if not isinstance(limit.bound, Quantity) or limit.sign in ("==", "!="):
        return None
    units = value.units if isinstance(value, Quantity) else "dimensionless"
    bound = float(limit.bound.m_as(units))
    number = float(value.m_as(units)) if isinstance(value, Quantity) else float(value)
    if not bound:
        return None
    room = bound - number if limit.sign.startswith("<") else number - bound
    return room / abs(bound)


# ---- what it costs, and what it emits ------------------------------------------------------------


def _costs(
    system: SystemSpec, metrics: Mapping[str, Any]
) -> tuple[tuple[Part, ...], tuple[str, ...], dict[type[Part], MissingValue]]:
    """Money, carbon and water over the duration, notes, and what could not be known and why."""
    place, duration = system.environment, _paid_for(system, metrics)
    if duration is None:
        return (), (), {}
    fleet, parts, notes, unknown = system.fleet.entry, (), (), {}
    try:
        money = bill(system, metrics)
        assert money is not None
        parts += (Bill.of(money),)
        notes += (*money.notes, *filter(None, [money.rent_or_buy]))
    except MissingValue as error:
        unknown[Bill] = error
        notes += (f"not priced: {error}",)
    if place.grid is not None:
        try:
            green = SustainabilityModel().solve(
                fleet, duration, place.grid, **place.given(SustainabilityModel)
            )
            parts += (Footprint.of(green),)
            notes += green.notes
        except MissingValue as error:
            unknown[Footprint] = error
            notes += (f"carbon unknown: {error}",)
    return parts, notes, unknown


def bill(system: SystemSpec, metrics: Mapping[str, Any]) -> Economics | None:
    """What the fleet costs over the duration, where there is one; raises MissingValue."""
    place, duration = system.environment, _paid_for(system, metrics)
    if duration is None:
        return None
    try:
        return EconomicsModel().solve(
            _priced(system, system.fleet.entry),
            duration,
            datacenter=place.grid,
            amortization_years=place.amortization,
            **place.given(EconomicsModel),
        )
    except MissingValue as error:
        if error.field != "unit_cost":
            raise
        # the solver's remedy is Python, and a system is YAML
        remedy = "give environment.accelerator_price: 30000 USD, or a node that has a price"
        raise MissingValue(error.entry, error.field, remedy) from None


def _paid_for(system: SystemSpec, metrics: Mapping[str, Any]) -> Any:
    """How long the fleet is paid for: a training run until it ends, unless the system says."""
    given = system.environment.duration
    return metrics.get("elapsed_time") if given is None else given


def _priced(system: SystemSpec, fleet: Fleet) -> Fleet:
    """The fleet at the price of an accelerator that the system gives, where it gives one."""
    price = system.environment.accelerator_price
    if price is None:
        return fleet
    given = Source(kind="user", ref="environment.accelerator_price")
    device = fleet.node.accelerator
    device = device.replace(unit_cost=price, sources={**device.sources, "unit_cost": given})
    node = fleet.node.replace(accelerator=device, unit_cost=None)
    return fleet.replace(node=node)
