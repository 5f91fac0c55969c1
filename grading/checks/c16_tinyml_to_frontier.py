"""Does one law span a microcontroller and a rack? The truths of exercise 16."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from grading.check import Inputs, check
from grading.checks import alike, told, within
from mlsysim import Engine, Hardware
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.variants import Variant
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers.node.single import Profile

DAY, YEAR = 86_400.0, 365.0  # seconds, days
BOARDS, DEVICES, NEAR = ("ESP32_S3", "STM32L4R5ZI", "nRF52840"), "abcd", 1.1
unlike = partial(told, by=0.07)
DOORBELL, ETA = "PersonDetection", 0.3


@cache
def look(model: str, chip: str, eta: float, batch: int = 1) -> Profile:
    """One step in int8."""
    how: Any = {"precision": "int8", "efficiency": eta, "batch_size": batch}
    return Engine.solve(model, chip, **how)


def asleep(chip: str) -> float:
    """Watts of a sleeping chip."""
    power = Hardware[chip].sleep_power
    assert power is not None
    return float(power.m_as("W"))


def on_board(v: Variant, eta: float | None = None) -> Profile:
    """The answer of question 1."""
    return look(v.fields["model"], v.fields["board"], eta or v.eta)


def on_chip(v: Variant, eta: float | None = None) -> Profile:
    """A look of the device that sleeps."""
    return look(v.fields["model"], v.fields["chip"], eta or v.eta)


# ---- q1, q2 --------------------------------------------------------------------------------------


def whole_peak(v: Variant) -> Quantity | None:
    """A program reaches the part η of the peak, so that it takes longer and needs more."""
    return unlike(on_board(v, eta=1.0).energy, energy.truth(v))


def unlaunched(v: Variant) -> Quantity | None:
    """The chip is awake while it starts, too: a joule pays for waiting as for working."""
    p = on_board(v)
    work = Q_(p.si("power") * (p.si("latency") - p.si("overhead")), "J")
    return unlike(work, energy.truth(v))


def megahertz(v: Variant) -> Quantity:
    """Power is joules a second: multiply it by the time that the answer takes."""
    return Q_(on_board(v).si("power"), "J")


@check(
    "q1",
    points=2,
    misconceptions={
        "took the whole peak": whole_peak,
        "left out the launch": unlaunched,
        "took the power for the energy": megahertz,
    },
)
def energy(v: Variant) -> Quantity:
    """Time first: operations over η times the peak, and the launch; then power times time."""
    return on_board(v).energy


def shared(v: Variant, batch: int) -> float:
    """The energy of an answer on the big chip, in a batch, over that on the board."""
    big = look(v.fields["model"], v.fields["big"], v.eta, batch)
    return big.si("energy") / batch / on_board(v).si("energy")


def launch_each(v: Variant) -> float | None:
    """One launch serves all that share the step; only the work of each comes on top."""
    return unlike(shared(v, 1), compared.truth(v))


def by_power(v: Variant) -> float | None:
    """Power is not energy: the big chip is done much sooner."""
    return unlike(v.big.tdp.m_as("W") / v.board.tdp.m_as("W"), compared.truth(v))


def whole_step(v: Variant) -> float | None:
    """The energy of the step is shared by all its answers: divide by their number."""
    return unlike(shared(v, v.share) * v.share, compared.truth(v))


def from_own_energy(v: Variant, own: Quantity) -> float | None:
    """What follows from the learner's own energy of question 1."""
    joule = float(own.m_as("J"))
    return compared.truth(v) * on_board(v).si("energy") / joule if joule > 0 else None


@check(
    "q2",
    points=2,
    misconceptions={
        "let every answer have a launch of its own": launch_each,
        "compared powers": by_power,
        "took the energy of the whole step": whole_step,
    },
    follows="q1",
    follow=from_own_energy,
)
def compared(v: Variant) -> float:
    """The energy of the big chip's step, over all that share it, over the energy of question 1."""
    return shared(v, v.share)


# ---- q3, q4, q5 ----------------------------------------------------------------------------------


def parts(v: Variant) -> dict[str, float]:
    """Joules between one look and the next."""
    p = on_chip(v)
    bytes_rule = p.si("memory_time") > p.si("compute_time")
    work = max(p.si("memory_time"), p.si("compute_time"))
    return {
        "launch": p.si("power") * p.si("overhead"),
        "arithmetic": 0.0 if bytes_rule else p.si("power") * work,
        "bytes": p.si("power") * work if bytes_rule else 0.0,
        "sleep": asleep(v.fields["chip"]) * (v.pause - p.si("latency")),
    }


def mostly_asleep(v: Variant) -> str | None:
    """It sleeps nearly all the time, at a tiny part of its power: multiply both."""
    return None if ruling.truth(v) == "sleep" else "sleep"


def mostly_working(v: Variant) -> str | None:
    """Awake it draws much more, for a tiny part of the time: multiply both."""
    return None if ruling.truth(v) == "arithmetic" else "arithmetic"


@check(
    "q3",
    points=2,
    misconceptions={
        "compared times and not energies": mostly_asleep,
        "compared powers and not energies": mostly_working,
    },
)
def ruling(v: Variant) -> str:
    """Power times time for each part of one pause: launch, arithmetic or bytes, and sleep."""
    found = parts(v)
    return max(found, key=lambda name: found[name])


def life(v: Variant, eta: float, *, sleeps: bool = True) -> Quantity:
    """Days of the battery."""
    p = on_chip(v, eta)
    rest = asleep(v.fields["chip"]) * (v.pause - p.si("latency")) if sleeps else 0.0
    mean = (p.si("energy") + rest) / v.pause
    return Q_(v.cell * 3600 / mean / DAY, "day")


def sleepless(v: Variant) -> tuple[Quantity, Quantity] | None:
    """Between two looks the chip sleeps, and that takes energy too."""
    ends = life(v, v.low, sleeps=False), life(v, v.high, sleeps=False)
    near = [unlike(end, truth) is None for end, truth in zip(ends, lasting.truth(v), strict=True)]
    return None if all(near) else ends


def awake(v: Variant) -> tuple[Quantity, Quantity]:
    """The chip is awake for one short look in each pause, not all the time."""
    end = Q_(v.cell * 3600 / on_chip(v).si("power") / DAY, "day")
    return end, end * 1.001


@check(
    "q4",
    points=2,
    within=0.03,
    misconceptions={"left out the sleep": sleepless, "kept the chip awake": awake},
)
def lasting(v: Variant) -> tuple[Quantity, Quantity]:
    """Energy of a look and of the sleep after it, for each η; the battery over that is the life."""
    return life(v, v.low), life(v, v.high)


def drawn(v: Variant, device: str) -> float:
    """The energy of an answer, in uJ."""
    return v[f"{device}_mw"] * v[f"{device}_ms"]


def by_watts(v: Variant) -> tuple[str, ...]:
    """Power is not energy: multiply it by the time."""
    return tuple(sorted(DEVICES, key=lambda name: v[f"{name}_mw"]))


def by_time(v: Variant) -> tuple[str, ...]:
    """The fastest need not be the thriftiest: multiply the time by the power."""
    return tuple(sorted(DEVICES, key=lambda name: v[f"{name}_ms"]))


@check("q5", points=2, misconceptions={"ordered by power": by_watts, "ordered by time": by_time})
def thrifty(v: Variant) -> tuple[str, ...]:
    """Multiply power and time in each column."""
    return tuple(sorted(DEVICES, key=lambda name: drawn(v, name)))


# ---- q6, q7 --------------------------------------------------------------------------------------


@cache
def needed(chip: str, rate: float) -> float:
    """Wh that a doorbell needs for a year."""
    p, pause = look(DOORBELL, chip, ETA), 3600 / rate
    mean = (p.si("energy") + asleep(chip) * (pause - p.si("latency"))) / pause
    return mean * DAY * YEAR / 3600


def quick_enough(v: Variant, chip: str) -> bool:
    """Whether a look keeps the deadline."""
    return look(DOORBELL, chip, ETA).si("latency") <= v.deadline / 1e3


def smallest(v: Variant) -> float:
    """Wh of the smallest battery with which one of the boards will do."""
    return min(needed(chip, v.rate) for chip in BOARDS if quick_enough(v, chip))


def stem(mine: SystemSpec) -> str:
    """The entry of the system's chip."""
    device = getattr(mine.fleet, "hardware", None)
    return device.stem if device is not None else ""


def slow_board(v: Variant, mine: SystemSpec) -> bool:
    """The chip that sleeps best is no use if its look takes longer than the deadline."""
    return stem(mine) in BOARDS and not quick_enough(v, stem(mine))


def half_a_year(v: Variant, mine: SystemSpec) -> bool:
    """Add the sleep: between two looks the chip draws little, but always."""
    if stem(mine) not in BOARDS or (cell := mine.environment.battery) is None:
        return False
    p = look(DOORBELL, stem(mine), ETA)
    own = p.si("energy") * v.rate * 24 * YEAR / 3600
    most = min(own * NEAR, needed(stem(mine), v.rate))
    return within(own * 0.95, cell.m_as("Wh"), most)


@check(
    "q6",
    points=3,
    misconceptions={
        "chose a chip that is too slow": slow_board,
        "sized the battery for the looks alone": half_a_year,
    },
)
def doorbell(v: Variant, mine: SystemSpec) -> dict[str, bool]:
    """For each board: does it keep the deadline, and what do looks and sleep of a year take?"""
    work, cell = mine.workload, mine.environment.battery
    asked = (getattr(work, name, None) for name in ("precision", "efficiency"))
    rate = getattr(work, "arrival_rate_qps", None)
    met = {
        "it is the doorbell of the question": (*asked,) == ("int8", ETA)
        and getattr(work.model, "stem", "") == DOORBELL
        and rate is not None
        and alike(rate, Q_(v.rate, "1/hour"), 0.01),
        "its chip is one of the three": stem(mine) in BOARDS,
        "it has a battery": cell is not None,
    }
    if cell is None or not all(met.values()):
        return met
    return met | {
        "it keeps the deadline": quick_enough(v, stem(mine)),
        "it lives a year": bool(cell.m_as("Wh") >= 0.999 * needed(stem(mine), v.rate)),
        "the battery is at most a tenth larger than the smallest": bool(
            cell.m_as("Wh") <= NEAR * smallest(v)
        ),
    }


Days = Callable[[float, float, float], float]


def lived(
    v: Variant, *, eta: float | None = None, sleeps: bool = True, starts: bool = True
) -> Days:
    """The function that is asked for."""
    p = on_chip(v)
    rest, tax = asleep(v.fields["chip"]) * sleeps, p.si("overhead") * starts

    def days(operations: float, pause: float, battery: float) -> float:
        time = operations / (p.si("peak") * (eta or v.eta)) + tax
        if time > pause:
            return 0.0
        return battery * 3600 * pause / (p.si("power") * time + rest * (pause - time)) / DAY

    return days


def sleepless_code(v: Variant) -> Days:
    """Between two looks the chip sleeps, and that takes energy too."""
    return lived(v, sleeps=False)


def peak_code(v: Variant) -> Days:
    """Only the part η of the peak is reached."""
    return lived(v, eta=1.0)


def startless_code(v: Variant) -> Days:
    """Every look has a launch, at full power."""
    return lived(v, starts=False)


def hidden(v: Variant) -> Inputs:
    """Rare and frequent looks, looks without work, and looks that take too long."""
    cases = [(1e6, 1, 1), (1e7, 60, 1.5), (5e6, 3600, 1.5), (0, 10, 2), (2e7, 86400, 0.5)]
    cases += [(1e11, 1, 1), (1e7, 2, 3), (1e5, 0.1, 1), (1e5, 0.0005, 1)]
    return cases


@check(
    "q7",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "left out the sleep": sleepless_code,
        "took the whole peak": peak_code,
        "left out the launch": startless_code,
    },
)
def days(v: Variant) -> Days:
    """Time awake, energy awake, energy asleep for the rest of the pause; battery over their sum."""
    return lived(v)
