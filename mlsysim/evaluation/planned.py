"""What a plan is made of: ways to serve or to train, each with its money, energy and carbon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.solver import Result, compact, lazily, show
from mlsysim.core.table import Table
from mlsysim.core.units import Q_, Quantity
from mlsysim.stacks.ranges import PARTS, Ranged, interval

Ends = tuple[Quantity, Quantity]
UNPRICED = 1e12  # dollars: what has no price is looked at last


class Planned(Ranged):
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
    cost: u.Money | None = lazily("USD", lambda p: least((p.si("rent"), p.si("buy"))))
    wall: u.Number
    why: str
    change: dict
    ranges: dict | None = lazily("", lambda p: p.spread())
    _trust: tuple
    _bound: str  # what is nearest to its bound, and which part of it is taken
    _part: u.Number

    def spread(self) -> dict[str, Any] | None:
        """From where to where each time and price is: `half` with 50 %, `most` with 90 %.

        What is slower keeps its load on as many devices more: its price goes with its times.
        """
        off = self.si("_within")
        if off is None:
            return None
        known = (name for name in TIMED if name in self.fields and self.si(name) is not None)
        return {
            name: {
                word: interval(getattr(self, name), off, part)
                for word, part in zip(("half", "most"), PARTS, strict=True)
            }
            for name in known
        }


TIMED = (
    *("p50_ttft", "p99_ttft", "itl", "p99_latency", "step_time", "elapsed_time"),
    *("rent", "buy", "cost"),
)


class PlannedFleet(Planned):
    """A fleet that answers all requests; `load` is the part of the time that it is busy."""

    leads = "p99_ttft"

    load: u.Number
    p50_ttft: u.Seconds = "ms"
    p99_ttft: u.Seconds = "ms"
    itl: u.Seconds = "ms"
    p99_latency: u.Seconds = "s"


class PlannedRun(Planned):
    """A training run, failures and checkpoints included in the time that it takes."""

    leads = "elapsed_time"

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
    out when it is asked for; `rejected` why other devices will not do. It prints as a `table`, and
    the `spans` of its times and prices where a stack was held against measurements.
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

    @property
    def spans(self) -> Table | None:
        """From where to where each time and price is with 50 %, and with 90 %, one system a row."""
        told = [each.ranges or {} for each in self.systems]
        names = [name for name in TIMED if any(name in ranges for ranges in told)]
        rows = [
            {"hardware": each.hardware, "devices": int(each.si("devices")), "plan": each.plan}
            | {name: _span(**ranges[name]) for name in names if name in ranges}
            for each, ranges in zip(self.systems, told, strict=True)
        ]
        return Table.rows(rows, ("hardware", "devices", "plan", *names)) if names else None

    def to_csv(self, path: Any = None) -> str | None:
        """The table as CSV."""
        return self.table.to_csv(path)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        words, ranges, table = escape(self.binds or self.reason), self.spans, self.table
        if any(each.si("_bound") for each in self.systems):
            bounds = [(each.si("_bound"), each.si("_part")) for each in self.systems]
            said = {"nearest bound": [f"{name}, {part:.0%}" for name, part in bounds]}
            table = table.beside(Table(said, bars={"nearest bound": [part for _, part in bounds]}))
        tables = table._repr_html_() + (ranges._repr_html_() if ranges else "")
        return f"<p>{escape(self.question)}</p>{tables}<p>{words}</p>"

    def words(self) -> list[str]:
        """What is to be said beside the table."""
        if not self.feasible:
            return [self.reason]
        changed = ["What would change it:", *(f"- {each}" for each in self.changes)]
        return [self.binds, "", *(changed if self.changes else []), ""]

    def summary(self) -> str:
        """Question, table and words."""
        ranges = [str(self.spans), ""] if self.spans else []
        return "\n".join([self.question, "", str(self.table), "", *ranges, *self.words()]).rstrip()

    __str__ = summary


def _span(half: Ends, most: Ends) -> str:
    """Two ranges in a person's words, in one unit: the wider one in brackets."""
    unit = compact(most[1]).units
    ends = (end.m_as(unit) for end in (*half, *most))
    said = [f"{end:,.0f}" if end >= 1000 else f"{end:.3g}" for end in ends]
    return f"{said[0]}-{said[1]} ({said[2]}-{said[3]}) {unit:~P}"


# ---- in one number, and in a few words -----------------------------------------------------------


def brief(each: Planned) -> str:
    """How many of what, divided how, for how much."""
    dollars = money(each)
    cost = f", {show(Q_(dollars, 'USD'))}" if math.isfinite(dollars) else ""
    return f"{int(each.si('devices')):,} {each.hardware} ({each.plan}){cost}"


def against(each: Planned, other: Planned) -> str:
    """How much more it costs than another."""
    ratio = money(each) / money(other)
    return f" ({ratio - 1:+.0%})" if math.isfinite(ratio) else ""


def least(costs: Iterable[float | None]) -> float | None:
    """The least that is known, if any is."""
    return min((cost for cost in costs if cost is not None), default=None)


def money(each: Planned) -> float:
    """Dollars, and infinitely many where no price is known."""
    cost = each.si("cost")
    return math.inf if cost is None else float(cost)


def weighed(each: Planned) -> tuple[float, ...]:
    """Money and times, of which less is better; what has no known price comes last."""
    dollars = min(money(each), UNPRICED)
    if isinstance(each, PlannedRun):
        return dollars, each.si("elapsed_time")
    return dollars, each.si("p99_ttft"), each.si("itl")
