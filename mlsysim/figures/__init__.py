"""The numbers that the decks print, each beside what the solvers make of it.

`figures.yaml` quotes the claims and says how each is looked into; a function of `compute` or
`fleets` recomputes it; the outcome follows from the two. No number that can be computed is typed
anywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from mlsysim.core.errors import UnknownName
from mlsysim.core.solver import show
from mlsysim.core.units import Q_, Quantity
from mlsysim.figures import compute, fleets, wider

REPRODUCED, ASSUMED, CORRECTED = OUTCOMES = (
    "reproduced",
    "reproduced with stated assumptions",
    "corrected",
)
WITHIN = 0.02  # a claim is reproduced when ours is as near as this;
ROUNDED = 0.05  # or when ours rounds to the digits printed and is at least as near as this
_ALL = compute.RECOMPUTATIONS + fleets.RECOMPUTATIONS + wider.RECOMPUTATIONS
RECOMPUTATIONS = {one.__name__: one for one in _ALL}


@dataclass(frozen=True)
class Figure:
    """One claim, and what became of it.

    `claimed` and `ours` are numbers in `unit`, or words; `ours` is None where there is no value,
    and `shown` is ours for people.
    `relation` says what the claim asks of ours: to be "equal", "at least" or "at most" so much.
    """

    id: str
    seed: str
    slide: str
    claim: str
    claimed: Any
    ours: Any
    unit: str
    shown: str
    relation: str
    recomputation: str
    assumptions: tuple[str, ...]
    reason: str

    @property
    def outcome(self) -> str:
        """Reproduced, so or under assumptions that are stated; or corrected."""
        if not holds(self.claimed, self.ours, self.relation):
            return CORRECTED
        return ASSUMED if self.assumptions else REPRODUCED

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain data."""
        return asdict(self) | {"outcome": self.outcome}


def holds(claimed: Any, ours: Any, relation: str = "equal") -> bool:
    """Whether ours bears a claim out: the same word, or a number near enough.

    Near is within 2 %; or within 5 % when it rounds to the digits that were printed, for a slide
    that says 1.2 may well mean 1.249, and one that says 30 may mean 30.7.

    >>> holds(3.2, 3.171), holds(1.2, 1.249), holds(6.3, 3.171), holds("Memory", "Compute")
    (True, True, False, False)
    >>> holds(30, 30.7), holds(30, 32), holds(31, 30)
    (True, False, False)
    >>> holds(20, 34, "at least"), holds(100, 196.0, "at most")
    (True, False)
    """
    if ours is None or isinstance(claimed, str):
        return claimed == ours
    if relation == "at least":
        return bool(ours >= claimed)
    if relation == "at most":
        return bool(ours <= claimed)
    whole, _, decimals = f"{claimed}".partition(".")
    zeros = len(whole) - len(whole.rstrip("0")) if not decimals else 0
    rounds = round(ours, len(decimals) - zeros) == claimed
    return bool(abs(ours - claimed) <= (ROUNDED if rounds else WITHIN) * abs(claimed))


@cache
def table() -> dict[str, Any]:
    """Read what the decks claim: `recomputations` and `figures`, as `figures.yaml` has them."""
    return yaml.safe_load(Path(__file__).with_name("figures.yaml").read_text(encoding="utf-8"))


def figure(name: str) -> Figure:
    """One figure by its id; raises UnknownName."""
    records = {record["id"]: record for record in table()["figures"]}
    if name not in records:
        raise UnknownName("figure", name, records)
    record = records[name]
    return _judged(record, _found(record["recomputation"]))


def figures() -> tuple[Figure, ...]:
    """Every figure, recomputed; a recomputation that several of them share runs once."""
    found = {name: _found(name) for name in table()["recomputations"]}
    return tuple(_judged(record, found[record["recomputation"]]) for record in table()["figures"])


def _found(name: str) -> dict[str, Any]:
    given = table()["recomputations"][name].get("given", {})
    return {**given, **RECOMPUTATIONS[name](**given)}


def _judged(record: dict[str, Any], found: dict[str, Any]) -> Figure:
    """The figure of a record, from what its recomputation found."""
    unit, ours = record.get("unit", ""), found[record["ours"]]
    if isinstance(ours, Quantity):
        ours = float(ours.m_as(unit))
    assumes = table()["recomputations"][record["recomputation"]].get("assumes", ())
    return Figure(
        id=record["id"],
        seed=record["seed"],
        slide=record["slide"],
        claim=record["claim"],
        claimed=record["value"],
        ours=ours,
        unit=unit,
        shown=_shown(ours, unit, record.get("form")),
        relation=record.get("relation", "equal"),
        recomputation=record["recomputation"],
        assumptions=tuple(_PROSE.format(line, **found) for line in assumes),
        reason=_PROSE.format(record["reason"], **found),
    )


def _shown(ours: Any, unit: str, form: str | None) -> str:
    if ours is None:
        return "no value"
    if form or isinstance(ours, str):
        return (form or "{}").format(ours)
    return show(Q_(ours, unit)) if unit else f"{ours:,.4g}"


class _Prose(Formatter):
    """Quantities in a sentence read as they do everywhere, unless it asks for a format."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else show(value)


_PROSE = _Prose()

__all__ = ["ASSUMED", "CORRECTED", "OUTCOMES", "REPRODUCED", "Figure", "figure", "figures", "holds"]
