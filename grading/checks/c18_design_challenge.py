"""Which fleet? The truths of exercise 18, and the frontier that its fleets are held against."""

from __future__ import annotations

from functools import cache
from typing import Any

from grading.check import check
from grading.checks import alike, odd_line, told, within
from mlsysim import Engine, Scenarios
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.evaluation.plan import plan
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import SATISFIED, judge

ASSIGNED: Any = assignment("18_design_challenge")
LINES = "line_1 line_2 line_3 line_4 line_5"
ASSUMED = ASSIGNED.questions["q4"].choices
GLASS, VACUUM = 200.0, 300.0  # km a millisecond
WORSE = 1.3
PROMISE, ETA, NEAR = 100.0, 0.5, 1.15  # of the fleet: ms, efficiency, times the frontier's cost
AXES = {
    "fleet.hardware": ["H100", "B200", "MI300X"],
    "workload.precision": ["fp8"],
    "fleet.tensor_parallel": [2, 4],
}


# ---- q1, q2, q3 ----------------------------------------------------------------------------------


@cache
def seconds(model: str, device: str, prompt: int, eta: float) -> float:
    """Seconds in which one prompt is read."""
    how: Any = {"seq_len": prompt, "phase": "prefill", "efficiency": eta}
    return Engine.solve(model, device, **how).si("latency")


def readers(v: Variant, eta: float | None = None) -> float:
    """The chips that are busy with the prompts of a second."""
    own = v.fields
    return v.rate * seconds(own["model"], own["device"], v.prompt, eta or v.eta)


def full_peak(v: Variant) -> float:
    """Only the part η of the peak is reached, so it takes more chips."""
    return readers(v, eta=1.0)


def by_requests(v: Variant) -> float:
    """Each request brings a whole prompt of tokens, and every token its operations."""
    return readers(v) / v.prompt


def one_operation(v: Variant) -> float | None:
    """A weight is multiplied and added: two operations for each token."""
    return None if alike(v.eta, 0.5, 0.12) else readers(v) / 2


@check(
    "q1",
    points=3,
    within=0.05,
    misconceptions={
        "took the whole peak": full_peak,
        "counted requests for tokens": by_requests,
        "counted one operation a weight": one_operation,
    },
)
def reading(v: Variant) -> float:
    """Requests x tokens x 2 operations x weights a second, over η times the peak of one chip."""
    return readers(v)


def in_all(v: Variant, read: float) -> float:
    """Readers and writers, with one region to spare."""
    return (read + v.writers) * v.regions / (v.regions - 1)


def nothing_spare(v: Variant) -> float:
    """When a region fails the others carry its share too: they must have room for it."""
    return readers(v) + v.writers


def everything_each(v: Variant) -> float:
    """All the other regions carry the load together; none must carry it alone."""
    return (readers(v) + v.writers) * v.regions


def spare_readers(v: Variant) -> float | None:
    """Those who write are lost with a region too."""
    own = readers(v) * v.regions / (v.regions - 1) + v.writers
    return told(own, in_all(v, readers(v)), by=0.12)


def from_own(v: Variant, own: Quantity) -> float:
    """What follows from the learner's own number of readers."""
    return in_all(v, float(own.m_as("")))


@check(
    "q2",
    points=2,
    within=0.05,
    misconceptions={
        "left nothing to spare": nothing_spare,
        "gave every region the whole load": everything_each,
        "kept only readers to spare": spare_readers,
    },
    follows="q1",
    follow=from_own,
)
def fleet(v: Variant) -> float:
    """All but one region must do the whole work: the work times regions over regions less one."""
    return in_all(v, readers(v))


def left(v: Variant, ways: float = 2, speed: float = GLASS) -> Quantity:
    """What of the promise is left."""
    return Q_(v.promise - ways * v.far / speed, "ms")


def one_way(v: Variant) -> Quantity:
    """The question travels there, and the first token back."""
    return left(v, ways=1)


def empty_space(v: Variant) -> Quantity:
    """Light in glass makes two thirds of its speed in empty space."""
    return left(v, speed=VACUUM)


def the_way(v: Variant) -> Quantity | None:
    """That is the time on the way; what remains of the promise was asked."""
    way = 2 * v.far / GLASS
    return None if alike(way, v.promise - way, 0, 0.06 * v.promise) else Q_(way, "ms")


@check(
    "q3",
    points=2,
    misconceptions={
        "counted one way": one_way,
        "let light travel as in empty space": empty_space,
        "gave the time of the way itself": the_way,
    },
)
def for_the_machine(v: Variant) -> Quantity:
    """The promise less twice the distance over the speed of light in glass."""
    return left(v)


# ---- q4, q5, q6 ----------------------------------------------------------------------------------


def broken(v: Variant, *, late: bool = True, split: bool = True) -> frozenset[str]:
    """What breaks a fleet when it gets worse; without `late` the first token is forgotten.

    Without `split` all of a load or of a cost goes with whatever a part of it goes with.
    """
    load, time, cost = v.load / 100, v.time / 100, v.cost / 100
    reads, watts = (v.reads / 100, v.watts / 100) if split else (1.0, 0.0)
    writes = 1 - reads if split else 1.0
    power = watts if split else 1.0

    def grown(part: float, by: float = WORSE) -> float:
        return part * by + 1 - part

    slow = 1 / (2 - WORSE)
    over = {
        "requests": load * WORSE,
        "length of prompts": max(load * grown(reads), time * WORSE * late),
        "length of answers": load * grown(writes),
        "η": max(load * grown(reads, slow), time * slow * late),
        "price of a chip": cost * grown(1 - watts),
        "price of electricity": cost * grown(power),
    }
    return frozenset(name for name in ASSUMED if over[name] > 1)


def load_and_money(v: Variant) -> frozenset[str]:
    """The promise is a limit as well: what makes reading slower makes the first token late."""
    return broken(v, late=False)


def unsplit(v: Variant) -> frozenset[str]:
    """Only a part of the load is reading, and only a part of the cost is electricity."""
    return broken(v, split=False)


def everything(v: Variant) -> frozenset[str]:
    """Work out each one: what carries a small part of the whole may move far."""
    return frozenset(ASSUMED)


@check(
    "q4",
    points=2,
    misconceptions={
        "forgot the promise": load_and_money,
        "let an assumption move the whole where it moves a part": unsplit,
        "feared everything": everything,
    },
)
def breaking(v: Variant) -> frozenset[str]:
    """For each assumption: how much do load, first token and cost grow, and does one pass 100 %?"""
    return broken(v)


def upside_down(v: Variant) -> tuple[float, float]:
    """A lower η takes more chips: divide by it."""
    peak = readers(v, eta=1.0)
    return peak * v.low, peak * v.high


def own_at_one_end(v: Variant) -> tuple[float, float] | None:
    """Question 1's η is forgotten here: both ends are new numbers."""
    return None if alike(v.eta, v.high, 0.12) else (readers(v), readers(v, v.low))


@check(
    "q5",
    points=2,
    within=0.05,
    misconceptions={
        "multiplied by η where it divides": upside_down,
        "kept the η of question 1 at one end": own_at_one_end,
    },
)
def between(v: Variant) -> tuple[float, float]:
    """Work out question 1 with the highest η for the lower end, with the lowest for the upper."""
    return readers(v, v.high), readers(v, v.low)


def blames_the_batch(v: Variant) -> str | None:
    """For writing a batch is nearly free: its users share the weights."""
    return None if wrong_line.truth(v) == "line 3" else "line 3"


def blames_the_efficiency(v: Variant) -> str | None:
    """Two operations for each weight and token, at the part of the peak that is reached."""
    return None if wrong_line.truth(v) == "line 2" else "line 2"


@check(
    "q6",
    points=2,
    misconceptions={
        "took the batch for the mistake": blames_the_batch,
        "took the operations for the mistake": blames_the_efficiency,
    },
)
def wrong_line(v: Variant) -> str:
    """Ask of each line what happens in the busiest second of the day on which a region fails."""
    return odd_line(ASSIGNED, LINES)(v)


# ---- q7 ------------------------------------------------------------------------------------------


@cache
def challenge(requests: float, answers: int, km: float, beside: float) -> Any:
    """The region that is asked for, with the promise alone."""
    system = Scenarios["Capstone"].replace(constraints=(f"ttft < {PROMISE - 2 * km / GLASS} ms",))
    changed = {
        "workload.arrival_rate_qps": requests,
        "workload.tokens": answers,
        "workload.efficiency": ETA,
        "environment.infrastructure_multiplier": beside,
    }
    return system.changed(changed)


@cache
def frontier(requests: float, answers: int, km: float, beside: float) -> float:
    """USD of the cheapest region that a search finds."""
    best = plan(challenge(requests, answers, km, beside), AXES).best
    assert best is not None
    return best.cost


def asked_of(v: Variant) -> tuple[float, int, float, float]:
    """What the variant's fleet must do."""
    return v["all"], v.answers, v.km, v.beside


def half_the_load(v: Variant, mine: SystemSpec) -> bool:
    """When the other region fails, this one carries all requests."""
    rate = getattr(mine.workload, "arrival_rate_qps", None)
    return rate is not None and alike(rate, Q_(v["all"] / 2, "1/s"), 0.1)


def carries_all(v: Variant, mine: SystemSpec) -> bool:
    """Whether the region takes all requests, so that its times are worth a look."""
    rate = getattr(mine.workload, "arrival_rate_qps", None)
    return rate == challenge(*asked_of(v)).workload.arrival_rate_qps


def near_by(v: Variant, mine: SystemSpec) -> bool:
    """The way there and back is a part of the promise."""
    if not carries_all(v, mine):
        return False
    found = judge(mine.replace(constraints=())).metrics.get("ttft")
    late = PROMISE - 2 * v.km / GLASS
    return found is not None and within(late, found.m_as("ms"), PROMISE)


@check(
    "q7",
    points=4,
    misconceptions={
        "left no region to spare": half_the_load,
        "left out the way through the fibre": near_by,
    },
)
def region(v: Variant, mine: SystemSpec) -> dict[str, bool]:
    """Size reading and writing for all requests in the time that is left, then compare prices."""
    asked = challenge(*asked_of(v))
    work, place = mine.workload, mine.environment
    own = {key: getattr(work, key, None) for key in ("prompt", "tokens", "model")}
    wanted = {key: getattr(asked.workload, key) for key in own}
    declared = (
        getattr(work, "efficiency", None) == ETA
        and place.infrastructure_multiplier == v.beside
        and place.grid == asked.environment.grid
        and place.duration == asked.environment.duration
    )
    met = {
        "it serves the model, prompts and answers of the challenge": own == wanted,
        "η, multiplier, place and years are those of the challenge": declared,
        "it carries all requests when the other region fails": carries_all(v, mine),
    }
    if not all(met.values()):
        return met
    found = judge(mine.replace(constraints=asked.constraints))
    cost = found.metrics.get("tco")
    kept = "it works, and the first token comes in the time that is left"
    cheap = "it costs at most 15 % more than the cheapest that was found"
    near = cost is not None and cost.m_as("USD") <= NEAR * frontier(*asked_of(v))
    return met | {kept: found.verdict == SATISFIED, cheap: near}
