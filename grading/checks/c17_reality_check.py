"""How far off is all this? The truths of exercise 17, from the measurements that ship."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from grading.check import Inputs, check
from grading.checks import alike, apart, odd_line, within
from mlsysim import Engine
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.evaluation.validate import Row, predicted, read, rows
from mlsysim.stacks.types import IDEAL

ASSIGNED: Any = assignment("17_reality_check")
LINES = "line_1 line_2 line_3 line_4 line_5"
CLAIMS = ASSIGNED.questions["q4"].choices
CONSTANT, EFFECT, NEITHER = ASSIGNED.questions["q3"].choices
MENDED = 1.15  # what one factor mends lies within this


@cache
def measured() -> dict[str, Row]:
    """What was published, by its id."""
    return {row.id: row for row in read()}


@cache
def seconds(name: str) -> float:
    """How long the measured step took."""
    row = measured()[name]
    return row.measured / 1e3 if row.unit == "ms" else row.number("batch") / row.measured


@cache
def longer(name: str) -> float:
    """How many times longer a row took than the law says, at half of the peak."""
    row = measured()[name]
    ratio = row.measured / predicted(row, IDEAL)
    return 1 / ratio if row.unit.endswith("/s") else ratio


@cache
def factors(first: str) -> tuple[float, ...]:
    """These factors of twenty rows of one kind on single devices, in order of the table."""
    kind = measured()[first].domain
    like = [
        name
        for name, row in measured().items()
        if row.domain == kind
        and row.number("n_devices", 1) == 1
        and row.metric != "energy_per_inference"
        and rows.precision_of(row.precision)[1] is None
    ]
    start = like.index(first)
    return tuple(longer(name) for name in like[start : start + 20])


class Roofs(NamedTuple):
    """The seconds of a step under either roof, at full speed."""

    core: float
    memory: float

    def law(self, eta: float = 1.0, operations: float = 2.0) -> float:
        """The longer of the two, at a part of the peak and so many operations a multiply-add."""
        return max(self.core * operations / 2 / eta, self.memory)


@cache
def roofs(name: str) -> Roofs:
    """The roofs of a measured step: its operations, and its weights read once."""
    row = measured()[name]
    model, chip = rows.model_of(row), rows.device_of(row)
    width, _ = rows.precision_of(row.precision)
    token = row.domain == "decode"
    how: Any = {"phase": "decode", "seq_len": 100} if token else {"phase": "forward"}
    step = Engine.solve(model, chip, batch_size=row.number("batch"), precision=width, **how)
    core = step.si("operations") / chip.peak(width).m_as("FLOP/s")
    return Roofs(core, float((model.weights(width) / chip.memory.bandwidth).m_as("s")))


# ---- q1 ------------------------------------------------------------------------------------------


def by_hand(v: Variant, **how: float) -> float:
    """The factor that is asked for."""
    return seconds(v.row) / roofs(v.row).law(**{"eta": v.eta, **how})


def counted_once(v: Variant) -> float:
    """A multiply-add is two operations, and a peak counts both."""
    return by_hand(v, operations=1.0)


def full_peak(v: Variant) -> float:
    """Arithmetic reaches only a part of the peak: η divides the speed, not the bytes'."""
    return by_hand(v, eta=1.0)


def shorter_roof(v: Variant) -> float:
    """A step waits for the later of its two times: take the longer one."""
    own = roofs(v.row)
    return seconds(v.row) / min(own.core / v.eta, own.memory)


def turned_round(v: Variant) -> float:
    """That is law ÷ measured: it says how much of the law's speed was reached."""
    return 1 / by_hand(v)


@check(
    "q1",
    points=2,
    misconceptions=apart(
        by_hand,
        {
            "counted a multiply-add as one operation": counted_once,
            "forgot the efficiency": full_peak,
            "took the shorter of the two times": shorter_roof,
            "turned the factor round": turned_round,
        },
    ),
)
def factor(v: Variant) -> float:
    """Work out both times, take the longer one, and divide what was measured by it."""
    return by_hand(v)


# ---- q2 ------------------------------------------------------------------------------------------

Ends = tuple[Quantity, Quantity]


def ends(v: Variant, low: float, high: float) -> Ends:
    """The law's time of the new device, times two factors."""
    return Q_(v.said * low, "ms"), Q_(v.said * high, "ms")


def nine_in_ten(v: Variant) -> tuple[float, float]:
    """The second lowest factor and the second highest."""
    ordered = sorted(factors(v.first))
    return ordered[1], ordered[-2]


def unlike(v: Variant, low: float, high: float) -> Ends | None:
    """Other ends, where at least one of them can be told from the true one."""
    first, last = nine_in_ten(v)
    return None if alike(low, first) and alike(high, last) else ends(v, low, high)


def all_twenty(v: Variant) -> Ends | None:
    """From the lowest to the highest is all twenty of them: nine in ten leave out two."""
    return unlike(v, min(factors(v.first)), max(factors(v.first)))


def floor_below(v: Variant) -> Ends | None:
    """At half of the peak the law is no floor, and few reach it: both ends come from the rows."""
    return unlike(v, 1.0, nine_in_ten(v)[1])


def divided(v: Variant) -> Ends | None:
    """Each factor is measured ÷ law, so a new law is multiplied by it."""
    low, high = nine_in_ten(v)
    return unlike(v, 1 / high, 1 / low)


def both_ways(v: Variant) -> Ends | None:
    """The rows say how far down and how far up, and the two differ."""
    high = nine_in_ten(v)[1]
    return unlike(v, 1 / high, high)


@check(
    "q2",
    points=3,
    misconceptions={
        "kept all twenty": all_twenty,
        "took the law for the lower end": floor_below,
        "divided by the factors": divided,
        "took one width for both ways": both_ways,
    },
)
def interval(v: Variant) -> Ends:
    """Sort the twenty, leave out the lowest and the highest, and multiply the law by the ends."""
    return ends(v, *nine_in_ten(v))


# ---- q3 ------------------------------------------------------------------------------------------


def always_tune(v: Variant) -> str:
    """One factor must mend all three rows, and without it one of them must be off."""
    return CONSTANT


def always_add(v: Variant) -> str:
    """What is missing shows where there is little work, and vanishes where there is much."""
    return EFFECT


@check(
    "q3",
    points=2,
    misconceptions={
        "tuned a constant where none mends it": always_tune,
        "added an effect where none is missing": always_add,
    },
)
def diagnosis(v: Variant) -> str:
    """Divide measured by law in each row: alike and near 1, alike and off, or falling with work."""
    three = [longer(name) for name in (v.small, v.middle, v.large)]
    if all(within(1 / MENDED, each, MENDED) for each in three):
        return NEITHER
    return CONSTANT if max(three) < MENDED * min(three) else EFFECT


# ---- q4, q5 --------------------------------------------------------------------------------------


def under(v: Variant, **how: float) -> frozenset[str] | None:
    """The claims that are quicker than the law; None where there are none."""
    claimed = {name: (v[f"row_{name}"], v[f"times_{name}"]) for name in CLAIMS}
    found = (
        name
        for name, (row, times) in claimed.items()
        if seconds(row) / times < roofs(row).law(**how)
    )
    return frozenset(found) or None


def half_peak(v: Variant) -> frozenset | None:
    """Half of the peak is a guess of what software reaches; a floor is the full peak."""
    return under(v, eta=0.5)


def one_operation(v: Variant) -> frozenset | None:
    """A multiply-add is two operations, so that the floor lies twice as high."""
    return under(v, operations=1.0)


@check(
    "q4",
    points=3,
    misconceptions={
        "took half of the peak for the floor": half_peak,
        "counted a multiply-add as one operation": one_operation,
    },
)
def broken(v: Variant) -> frozenset | None:
    """Turn each claim into the time of a step, and compare it with the longer of the two roofs."""
    return under(v)


def blames_the_metric(v: Variant) -> str:
    """A factor to both sides is a fair measure: too quick and too slow are misses alike."""
    return "line 4"


def blames_the_share(v: Variant) -> str:
    """All rows, and how many there are, is what a reader must know."""
    return "line 5"


@check(
    "q5",
    points=2,
    misconceptions={
        "blamed the measure, which is fair": blames_the_metric,
        "blamed the share, which hides nothing": blames_the_share,
    },
)
def wrong_line(v: Variant) -> str:
    """Fit on some rows, judge on others, by factors to both sides, and leave out none of them."""
    return odd_line(ASSIGNED, LINES)(v)


# ---- q6 ------------------------------------------------------------------------------------------

Coverage = Callable[..., float]


def covered(hit: Callable[[float, float], bool], counts: Callable[[float], bool]) -> Coverage:
    """The share of the factors that count that are hits at a width."""

    def coverage(width: float, **given: float) -> float:
        found = [each for each in given.values() if counts(each)]
        return sum(hit(width, each) for each in found) / len(found) if found else 0.0

    return coverage


def was_measured(each: float) -> bool:
    """Whether a factor stands for a measured row."""
    return each > 0


def one_sided(v: Variant) -> Coverage:
    """An interval has two ends: what is far quicker than it says is a miss too."""
    return covered(lambda width, each: each / v.centre <= width, was_measured)


def differences(v: Variant) -> Coverage:
    """A factor of two down is a half, not zero: divide, and do not subtract."""
    return covered(lambda width, each: abs(each / v.centre - 1) <= width - 1, was_measured)


def without_constant(v: Variant) -> Coverage:
    """The interval lies around the law times the constant."""
    return covered(lambda width, each: 1 / width <= each <= width, was_measured)


def zeros_too(v: Variant) -> Coverage:
    """Only rows that were measured can hold or miss."""
    return covered(lambda width, each: 1 / width <= each / v.centre <= width, lambda each: True)


def hidden(v: Variant) -> Inputs:
    """Rows of the variant's kind in sixes at some widths; some not measured, or none."""
    found = factors(v.first)
    asked = [(width, found[at : at + 6]) for width in (1.3, 1.8, 3.0) for at in (0, 7, 14)]
    low, high = v.centre / 2.1, v.centre * 2.1  # one on each side of an interval of 2
    asked += [(2.5, (low, high, *found[:2], 0.0, 0.0)), (2.0, (low, high, v.centre, 0.0, 0.0, 0.0))]
    asked += [(1.5, (0.0,) * 6)]
    return [(width, *six) for width, six in asked]


@check(
    "q6",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "looked at one end only": one_sided,
        "took factors for differences": differences,
        "left out the constant": without_constant,
        "counted rows that nobody measured": zeros_too,
    },
)
def coverage(v: Variant) -> Coverage:
    """Divide each factor by the constant; it is a hit from one over the width up to the width."""
    return covered(lambda width, each: 1 / width <= each / v.centre <= width, was_measured)
