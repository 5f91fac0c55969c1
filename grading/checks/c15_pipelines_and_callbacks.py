"""How do I compose solvers, and log what they do? The truths of exercise 15."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import sqrt
from typing import Any

from grading.check import Inputs, check
from grading.checks import alike, told
from mlsysim import Fleet, Pipeline, ReliabilityModel, Systems, solvers
from mlsysim.core.errors import MissingValue
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("15_pipelines_and_callbacks")
HEARD, CHANGES, STAGES = (ASSIGNED.questions[name].choices for name in ("q4", "q5", "q7"))
SAME, DOUBLES, HALVES, MISSING = HEARD
PUE, POWER = 1.12, ASSIGNED.given["power_share"] / 100
HOUR, MINUTE = 3600.0, 60.0


def cluster() -> Fleet:
    """A cluster; what fails in it is given by the questions."""
    nodes, fabrics = Systems.Nodes, Systems.Fabrics
    return Fleet(name="ours", node=nodes.DGX_H100, count=8, fabric=fabrics.InfiniBand_NDR)


@cache
def useful(mtbf: float, checkpoint: float, restart: float) -> tuple[float, float, float, float]:
    """The useful share of the time; and what checkpoints, rework and restarts take."""
    how: Any = {
        "mtbf": Q_(mtbf, "hour"),
        "checkpoint_time": Q_(checkpoint, "s"),
        "restart_time": Q_(restart, "min"),
    }
    found = ReliabilityModel().solve(cluster(), **how)
    shares = (found.si(f"{name}_share") for name in ("checkpoint", "rework", "restart"))
    good, *lost = (float(share) for share in (found.si("goodput"), *shares))
    return (good, lost[0], lost[1], lost[2])


def now(v: Variant) -> tuple[float, float, float, float]:
    """The shares of question 1."""
    return useful(v.mtbf, v.checkpoint, v.restart)


def to_first_order(v: Variant, failures: float = 1.0) -> float:
    """The useful share with so many times the failures, as the function of question 6 adds up."""
    bill = billed(v)(v.days, v.mtbf / failures, v.checkpoint, v.restart)
    return v.days * v.rate * 1e3 / bill


# ---- q1, q2, q3 ----------------------------------------------------------------------------------


def percent(share: float) -> Quantity:
    """A share in percent."""
    return Q_(100 * share, "%")


def lost_to_first_order(v: Variant) -> Quantity:
    """Added up like this, work is lost that had been lost before, and restarts never fail."""
    return percent(1 - to_first_order(v))


def restartless(v: Variant) -> Quantity | None:
    """After each failure the cluster also has to start again."""
    whole, part = 1 - now(v)[0], now(v)[3]
    return percent(whole - part) if part > 0.14 * whole else None


def reworkless(v: Variant) -> Quantity:
    """What was done since the last checkpoint has to be done again, half an interval on average."""
    return percent(1 - now(v)[0] - now(v)[2])


def remaining(v: Variant) -> Quantity:
    """That is what remains; what is lost was asked."""
    return percent(now(v)[0])


@check(
    "q1",
    points=2,
    within=0.06,
    misconceptions={
        "left out the restarts": restartless,
        "left out the work that is done again": reworkless,
        "gave the useful share": remaining,
    },
    accept={"first_order": lost_to_first_order},
)
def lost(v: Variant) -> Quantity:
    """Spaced best, checkpoints and rework take √(2 x checkpoint ÷ MTBF); restarts come on top."""
    return percent(1 - now(v)[0])


def usd(v: Variant, stretch: float) -> Quantity:
    """The days of work, stretched, at the cluster's price."""
    return Q_(v.days * stretch * v.rate * 1e3, "USD")


def cost_to_first_order(v: Variant) -> Quantity:
    """The share that is left is a little larger than the three losses leave when added up."""
    return usd(v, 1 / to_first_order(v))


def unfailing(v: Variant) -> Quantity:
    """Useful days are fewer than days: what failures take is paid for as well."""
    return usd(v, 1.0)


def shrunk(v: Variant) -> Quantity:
    """The useful share divides the days: a training with failures takes longer."""
    return usd(v, now(v)[0])


def added(v: Variant) -> Quantity | None:
    """The lost part is a part of all the time, not of the useful days: divide by what is left."""
    return told(usd(v, 2 - now(v)[0]), cost.truth(v), by=0.011)


def from_own_loss(v: Variant, own: Quantity) -> Quantity | None:
    """What follows from the learner's own lost share."""
    part = float(own.m_as(""))
    return usd(v, 1 / (1 - part)) if 0 <= part < 1 else None


@check(
    "q2",
    points=2,
    within=0.005,
    misconceptions={
        "left out the failures": unfailing,
        "multiplied by the useful share": shrunk,
        "added the lost share of the useful days": added,
    },
    accept={"first_order": cost_to_first_order},
    follows="q1",
    follow=from_own_loss,
)
def cost(v: Variant) -> Quantity:
    """Days of work over the useful share are the days that are paid for."""
    return usd(v, 1 / now(v)[0])


def risen_to_first_order(v: Variant) -> Quantity:
    """The more fails, the more of what is lost would have been lost anyway."""
    return percent(to_first_order(v) / to_first_order(v, failures=2) - 1)


def proportional(v: Variant) -> Quantity:
    """Only what failures cost grows with them, and that is a small part of the bill."""
    return percent(1.0)


def by_root(v: Variant) -> Quantity:
    """The root of two belongs to checkpoints and rework, a small part of the bill."""
    return percent(sqrt(2) - 1)


def loss_doubles(v: Variant) -> Quantity:
    """Checkpoints are spaced anew: their part grows with the root of the failures."""
    good = now(v)[0]
    return percent(good / (2 * good - 1) - 1)


@check(
    "q3",
    points=2,
    within=0.08,
    misconceptions={
        "let the bill double with the failures": proportional,
        "let the bill grow with the root of two": by_root,
        "doubled all that failures cost": loss_doubles,
    },
    accept={"first_order": risen_to_first_order},
)
def risen(v: Variant) -> Quantity:
    """Work out the useful share again with half the time between failures, and compare the two."""
    return percent(now(v)[0] / useful(v.mtbf / 2, v.checkpoint, v.restart)[0] - 1)


# ---- q4, q5, q7 ----------------------------------------------------------------------------------


@cache
def heard(stages: str, typed: str) -> str:
    """What the bill of a chain does when η is halved, by running it."""
    chain = Pipeline([getattr(solvers, name)() for name in stages.split(", ")])
    given: dict[str, Any] = {
        "model": "Llama3_8B",
        "fleet": cluster(),
        "batch_size": 256,
        "seq_len": 2048,
        "zero_stage": 1,
        "recompute": "selective",
        "microbatch": 1,
        "tokens": 1e11,
        "electricity_price": "0.10 USD/kWh",
        "pue": PUE,
        "checkpoint_time": "60 s",
        "restart_time": "10 min",
        "mtbf": "48 hour",
    }
    for name in ("ReliabilityModel", "DistributedModel"):
        if name not in stages:
            unused = ("checkpoint_time", "restart_time", "mtbf")
            learned = ("batch_size", "seq_len", "zero_stage", "recompute", "microbatch", "tokens")
            for key in unused if name == "ReliabilityModel" else ("model", *learned):
                given.pop(key, None)
    if typed != "nothing":
        given["duration_days"] = float(typed.partition("=")[2])
    bills = []
    for eta in (0.5, 0.25):
        own = {"efficiency": eta} if "DistributedModel" in stages else {}
        try:
            bills.append(chain.run(**given, **own)["EconomicsModel"].tco)
        except MissingValue:
            return MISSING
    factor = float((bills[1] / bills[0]).m_as(""))
    return SAME if alike(factor, 1) else DOUBLES if factor > 1.4 else HALVES


def always_hears(v: Variant) -> str | None:
    """Look where the days come from: what is typed goes before what flows."""
    return DOUBLES if hears.truth(v) == SAME else None


def reads_back(v: Variant) -> str | None:
    """A stage hears only those that stand before it in the chain."""
    return DOUBLES if hears.truth(v) == MISSING else None


def deaf(v: Variant) -> str | None:
    """Where nobody types the days, the training time flows into the bill."""
    return SAME if hears.truth(v) != SAME else None


@check(
    "q4",
    points=2,
    misconceptions={
        "let a typed number be overruled": always_hears,
        "let a value flow from nowhere": reads_back,
        "cut a wire that is there": deaf,
    },
)
def hears(v: Variant) -> str:
    """Ask where the days come from: typed, from a stage before the bill, or from nowhere."""
    return heard(v.stages, v.typed)


def pulls(v: Variant, part: float = POWER) -> dict[str, float]:
    """By what factor each change moves the bill."""
    lost, again = v.lost / 100, v.again / 100
    more = 1 - (lost * sqrt(2) + 2 * again)
    return {
        "η": 1 / (1 - v.slower / 100),
        "electricity": 1 + part * v.dearer / 100,
        "failures": (1 - lost - again) / more,
        "PUE": 1 + part * (v.cooler / PUE - 1),
    }


def largest_first(found: dict[str, float]) -> tuple[str, ...]:
    """The names in order."""
    return tuple(sorted(CHANGES, key=lambda name: -found[name]))


def all_of_the_bill(v: Variant) -> tuple[str, ...]:
    """Electricity and cooling are a part of the bill: their prices move that part alone."""
    return largest_first(pulls(v, part=1.0))


def by_hearsay(v: Variant) -> tuple[str, ...]:
    """Work each one out; what one hears most about need not cost most."""
    return ("failures", "electricity", "PUE", "η")


@check(
    "q5",
    points=2,
    misconceptions={
        "let electricity be all of the bill": all_of_the_bill,
        "went by what one hears": by_hearsay,
    },
)
def ordered(v: Variant) -> tuple[str, ...]:
    """For each change: which part of the bill does it touch, and by what factor does that move?"""
    return largest_first(pulls(v))


def until(v: Variant, last: int) -> frozenset[str]:
    """The stages up to one, without the one at whose end the callback tripped."""
    return frozenset(STAGES[:last]) - {f"stage {v.trips}"}


def tripped(v: Variant) -> frozenset[str] | None:
    """A callback that raises does not end the run, and is called again for the next stage."""
    return frozenset(STAGES[: min(v.trips, v.fails) - 1]) or None


def failed_too(v: Variant) -> frozenset[str]:
    """A stage that raises has no result, and no end that a callback could hear of."""
    return until(v, v.fails)


def whole(v: Variant) -> frozenset[str]:
    """The callback raised before it kept one of them."""
    return frozenset(STAGES[: v.fails - 1])


@check(
    "q7",
    points=2,
    misconceptions={
        "let a fault of the callback end the run": tripped,
        "kept a result of the stage that raised": failed_too,
        "kept what the callback did not get to": whole,
    },
)
def kept(v: Variant) -> frozenset[str]:
    """Each stage that ends is told to the callback at once; what raises has no result."""
    return until(v, v.fails - 1)


# ---- q6 ------------------------------------------------------------------------------------------

Bill = Callable[[float, float, float, float], float]


def billed(v: Variant, *, rework: bool = True, hours: float = HOUR, divides: bool = True) -> Bill:
    """The function that is asked for."""

    def bill(days: float, mtbf: float, checkpoint: float, restart: float) -> float:
        between = mtbf * hours
        interval = sqrt(2 * checkpoint * between)
        lost = restart * MINUTE / between + (interval / (2 * between) if rework else 0.0)
        lost += checkpoint / interval if interval else 0.0
        if lost >= 1:
            return 0.0
        price = days * v.rate * 1e3
        return price / (1 - lost) if divides else price * (1 - lost)

    return bill


def no_rework(v: Variant) -> Bill:
    """At each failure half an interval of work is lost, on average."""
    return billed(v, rework=False)


def multiplied(v: Variant) -> Bill:
    """Failures make a training longer: divide by the useful share."""
    return billed(v, divides=False)


def minutes(v: Variant) -> Bill:
    """Bring hours, minutes and seconds to one unit first."""
    return billed(v, hours=MINUTE)


def hidden(v: Variant) -> Inputs:
    """Quiet and restless clusters, free checkpoints, and one that never gets anywhere."""
    cases = [(30, 48, 60, 10), (10, 12, 120, 15), (90, 5, 300, 20), (1, 200, 30, 5)]
    cases += [(30, 2, 200, 8), (0, 24, 60, 10), (20, 24, 0, 30), (20, 24, 100, 0)]
    return [*cases, (5, 0.2, 600, 10)]


@check(
    "q6",
    points=3,
    within=0.005,
    inputs=hidden,
    misconceptions={
        "left out the work that is done again": no_rework,
        "multiplied by the useful share": multiplied,
        "mixed up hours and minutes": minutes,
    },
)
def bill(v: Variant) -> Bill:
    """All times in seconds, three losses as shares, and the work over the share that is left."""
    return billed(v)
