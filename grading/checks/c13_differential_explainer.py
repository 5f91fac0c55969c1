"""Why didn't the upgrade help? The truths of exercise 13."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from grading.check import Inputs, check
from grading.checks import alike, odd_line, told
from mlsysim import Engine
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import Profile

ASSIGNED: Any = assignment("13_differential_explainer")
LINES = "line_1 line_2 line_3 line_4 line_5"
READ, WRITE = 0.1, 0.8  # ms a token, of question 5
unlike = partial(told, by=0.06)
B_FLOPS, SERVICES, SPARE = 1.1, "abcd", 1.1


@cache
def solved(model: str, chip: str, batch: int, context: int, eta: float, phase: str) -> Profile:
    """One step on a chip of the registry."""
    how: Any = {"batch_size": batch, "seq_len": context, "efficiency": eta, "phase": phase}
    return Engine.solve(model, chip, **how)


def step(v: Variant, side: str) -> Profile:
    """The variant's step, on the old chip or on the new one."""
    own = v.fields
    return solved(own["model"], own[side], v.batch, v.context, v.eta, "decode")


# ---- q1, q2 --------------------------------------------------------------------------------------


def flops(v: Variant) -> float:
    """The FLOPS of the new chip over those of the old one."""
    return step(v, "new").si("peak") / step(v, "old").si("peak")


def bandwidth(v: Variant) -> float:
    """The bandwidth of the new chip over that of the old one."""
    return step(v, "new").si("bandwidth") / step(v, "old").si("bandwidth")


def by_flops(v: Variant) -> float | None:
    """FLOPS decide only while the step waits for its arithmetic, before and after."""
    return unlike(flops(v), gained.truth(v))


def by_bandwidth(v: Variant) -> float | None:
    """Bandwidth decides only while the step waits for its bytes, before and after."""
    return unlike(bandwidth(v), gained.truth(v), flops(v))


def by_both(v: Variant) -> float | None:
    """Gains under two roofs are not multiplied: only the clock that is waited for counts."""
    return unlike(flops(v) * bandwidth(v), gained.truth(v), flops(v), bandwidth(v))


@check(
    "q1",
    points=2,
    misconceptions={
        "followed the FLOPS": by_flops,
        "followed the bandwidth": by_bandwidth,
        "multiplied both changes": by_both,
    },
)
def gained(v: Variant) -> float:
    """Work out both clocks on both chips; on each the slower one is the step."""
    return step(v, "old").si("latency") / step(v, "new").si("latency")


SAID = {"Memory": "bytes", "Compute": "arithmetic"}


def roofs(before: str, after: str) -> str:
    """Two roofs, as a choice."""
    return f"{before} both times" if before == after else f"{before} before and {after} after"


def waited(v: Variant, side: str) -> str:
    """What the step waits for on one chip."""
    return SAID[str(step(v, side).bottleneck)]


def as_before(v: Variant) -> str:
    """The same step may meet another roof on another chip: compare the two ridge points."""
    return roofs(waited(v, "old"), waited(v, "old"))


def always_bytes(v: Variant) -> str:
    """Writing waits for bytes with few users; many users share the weights."""
    return roofs("bytes", "bytes")


def always_arithmetic(v: Variant) -> str:
    """A batch brings arithmetic; whether it is enough depends on the chip and on η."""
    return roofs("arithmetic", "arithmetic")


@check(
    "q2",
    points=2,
    misconceptions={
        "thought that a step keeps its roof": as_before,
        "took all writing for memory-bound": always_bytes,
        "took every batch for compute-bound": always_arithmetic,
    },
)
def before_and_after(v: Variant) -> str:
    """On each chip compare the time of the bytes with that of the arithmetic, at η of the peak."""
    return roofs(waited(v, "old"), waited(v, "new"))


# ---- q3, q4, q5 ----------------------------------------------------------------------------------


def clocks(v: Variant) -> tuple[float, float]:
    """Bytes and arithmetic on chip C, in ms."""
    return v.ta / v.wide, v.tb * B_FLOPS / v.quick


def bytes_alone(v: Variant) -> Quantity | None:
    """That is the clock of the bytes. On C the arithmetic takes longer; B's time tells how long."""
    moved, worked = clocks(v)
    return Q_(moved, "ms") if moved < 0.94 * worked else None


def work_alone(v: Variant) -> Quantity | None:
    """That is the clock of the arithmetic. On C the bytes take longer; A's time tells how long."""
    moved, worked = clocks(v)
    return Q_(worked, "ms") if worked < 0.94 * moved else None


def from_b_as_a(v: Variant) -> Quantity | None:
    """B's time is arithmetic at B's FLOPS: bring it back to A's before you go on to C."""
    moved, worked = v.ta / v.wide, v.tb / v.quick
    truth = max(clocks(v))
    wrong = max(moved, worked)
    return None if unlike(wrong, truth, *clocks(v)) is None else Q_(wrong, "ms")


@check(
    "q3",
    points=3,
    misconceptions={
        "followed the bandwidth alone": bytes_alone,
        "followed the FLOPS alone": work_alone,
        "took chip B's time for chip A's": from_b_as_a,
    },
)
def third_chip(v: Variant) -> Quantity:
    """Each measurement gives one clock: scale both to chip C, and take the longer."""
    return Q_(max(clocks(v)), "ms")


def blames_the_gain(v: Variant) -> str | None:
    """Twice the bandwidth may well give less than twice the speed: the other clock takes over."""
    return None if wrong_line.truth(v) == "line 4" else "line 4"


def blames_the_shift(v: Variant) -> str | None:
    """A step can wait for another roof on another chip: compare the two times on the new one."""
    return None if wrong_line.truth(v) == "line 3" else "line 3"


@check(
    "q4",
    points=2,
    misconceptions={
        "wanted the gain to be that of the bandwidth": blames_the_gain,
        "did not believe in a change of roofs": blames_the_shift,
    },
)
def wrong_line(v: Variant) -> str:
    """Write both times of both chips down; every sentence is about which of two is the longer."""
    return odd_line(ASSIGNED, LINES)(v)


def gain(v: Variant, service: str) -> float:
    """What a service gains."""
    read, write = v[f"{service}_in"] * READ, v[f"{service}_out"] * WRITE
    return (read + write) / (read / v.more_flops + write / v.more_bytes)


def by_answers(v: Variant) -> tuple[str, ...]:
    """What counts is the share of the time, not the number of tokens that are written."""
    return tuple(sorted(SERVICES, key=lambda name: v[f"{name}_out"]))


def largest_first(v: Variant) -> tuple[str, ...]:
    """The smallest gain was to stand first."""
    return ordered.truth(v)[::-1]


@check(
    "q5",
    points=2,
    misconceptions={
        "ordered by what is written": by_answers,
        "put the largest first": largest_first,
    },
)
def ordered(v: Variant) -> tuple[str, ...]:
    """Find the share of the time that is writing; which of the two factors is the larger?"""
    return tuple(sorted(SERVICES, key=lambda name: gain(v, name)))


# ---- q6, q7 --------------------------------------------------------------------------------------


def faster(v: Variant, chip: HardwareNode) -> float:
    """How many times as fast the step of question 6 is on a chip."""
    how: Any = {"batch_size": v.users, "seq_len": v.tokens, "phase": v.phase}
    was = solved(v.fields["model"], v.fields["old"], v.users, v.tokens, 0.5, v.phase)
    return was.si("latency") / Engine.solve(v.model, chip, **how).si("latency")


def grown(v: Variant, chip: HardwareNode) -> tuple[float, float]:
    """How many times the peak and the bandwidth of the old chip it has."""
    has, had = chip.supply("fp16"), v.old.supply("fp16")
    return has.peak / had.peak, has.bandwidth / had.bandwidth


def idle_roof(v: Variant, chip: HardwareNode) -> bool:
    """A roof that the step does not meet has room to spare: raising it changes nothing."""
    peak, wide = grown(v, chip)
    idle, other = (peak, wide) if v.phase == "decode" else (wide, peak)
    return idle > 1.01 and other < 1.01


def both_raised(v: Variant, chip: HardwareNode) -> bool:
    """One of the two is enough here, and the other one only costs money."""
    return min(grown(v, chip)) > 1.01


@check(
    "q6",
    points=3,
    misconceptions={"raised the roof that is not met": idle_roof, "raised both": both_raised},
)
def changed(v: Variant, mine: HardwareNode) -> dict[str, bool]:
    """Find the clock that the step waits for, and raise that resource by the factor asked for."""
    times = faster(v, mine)
    capacity, own = mine.supply("fp16").capacity, v.old.supply("fp16").capacity
    return {
        f"the step is at least {v.want} times as fast": times >= v.want * 0.9995,
        "it is at most a tenth faster than asked for": times <= v.want * SPARE,
        "peak or bandwidth is that of the old chip": any(alike(r, 1, 0.01) for r in grown(v, mine)),
        "capacity is that of the old chip": alike(capacity, own, 0.02),
        "a launch takes 10 us": bool(mine.dispatch_tax == Q_(10, "us")),
    }


Times = Callable[[float, float, float], float]


def explained(v: Variant, *, roofs: str = "both", launched: bool = True) -> Times:
    """The function that is asked for; `roofs` "old" keeps the first roof, "product" neither."""

    def speed_up(bytes_time: float, work_time: float, launch: float) -> float:
        tax = launch if launched else 0.0
        was = max(bytes_time, work_time)
        now = max(bytes_time / v.factor_b, work_time / v.factor_f)
        if roofs == "old":
            now = was / (v.factor_b if bytes_time >= work_time else v.factor_f)
        if roofs == "product":
            now = was / v.factor_b / v.factor_f
        return (was + tax) / (now + tax) if was + tax else 1.0

    return speed_up


def old_roof(v: Variant) -> Times:
    """On the new chip the other clock may be the longer one."""
    return explained(v, roofs="old")


def product(v: Variant) -> Times:
    """Two factors are not multiplied: each belongs to a clock of its own."""
    return explained(v, roofs="product")


def unlaunched(v: Variant) -> Times:
    """The launch stays as long as it was, and takes a share of every gain."""
    return explained(v, launched=False)


def hidden(v: Variant) -> Inputs:
    """Steps under either roof or another on each chip, all launch, and nothing at all."""
    turn = (v.factor_b / v.factor_f) ** 0.5  # half way between the meeting points of both chips
    steps = [(20, 5, 0.01), (5, 20, 0.01), (10, 10, 0.01), (12, 10, 1), (10, 12, 1), (3, 2.4, 2)]
    steps += [(0, 0, 1), (0, 0, 0), (0.1, 0, 0), (0, 4, 0.5)]
    return [*steps, (10 * turn, 10, 0), (30 * turn, 30, 0.2)]


@check(
    "q7",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "kept the roof of the old chip": old_roof,
        "multiplied both factors": product,
        "forgot the launch": unlaunched,
    },
)
def speed_up(v: Variant) -> Times:
    """The longer clock plus the launch, on either chip, and one over the other."""
    return explained(v)
