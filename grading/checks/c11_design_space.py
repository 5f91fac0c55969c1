"""How do I search without nested loops? The truths of exercise 11."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import numpy as np

from grading.check import Inputs, check
from grading.checks import odd_line, told
from mlsysim import Engine, Hardware
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("11_design_space")
LINES = "line_1 line_2 line_3 line_4 line_5"
MOST, DESIGNS = ASSIGNED.given["most_batch"], ASSIGNED.questions["q3"].choices
FORMATS = ("fp16", "fp8", "int4")
unlike = partial(told, slack=2.1)  # of whole numbers
YEARS, HOURS = 3, 24 * 365
SHELF = ("device", "other", "third")


@cache
def space(model: str, device: str, context: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every format (rows) and batch (columns) of a device: whether it fits, and its step."""
    points = Engine.sweep(
        model,
        [Hardware[device]],
        precisions=list(FORMATS),
        batch_sizes=range(1, MOST + 1),
        seq_lens=[context],
        stack="ideal",
    )
    shape = (len(FORMATS), MOST)
    return points.column("feasible").reshape(shape), points.column("latency").reshape(shape)


def own(v: Variant, device: str = "device") -> tuple[np.ndarray, np.ndarray]:
    """The designs of one of the variant's devices."""
    return space(v.fields["model"], v.fields[device], v.context)


# ---- q1, q2 --------------------------------------------------------------------------------------


def largest(good: np.ndarray) -> float:
    """The largest batch that is good, in fp16."""
    return float(np.max(np.flatnonzero(good[0]) + 1, initial=0))


def no_limit(v: Variant) -> float | None:
    """That many fit. Their step takes longer than the limit allows."""
    return unlike(largest(own(v)[0]), batch.truth(v))


def no_memory(v: Variant) -> float | None:
    """That many are quick enough. Weights and caches of so many users do not fit."""
    return unlike(largest(own(v)[1] <= v.limit / 1e3), batch.truth(v))


@check(
    "q1",
    points=2,
    slack=1.0,
    within=0.01,
    misconceptions={"left out the limit": no_limit, "forgot that all must fit": no_memory},
)
def batch(v: Variant) -> float:
    """Two limits, and each batch must pass both: look at every one, and take the last that does."""
    fits, step = own(v)
    return largest(fits & (step <= v.limit / 1e3))


def counted(v: Variant, *, room: bool = True, time: bool = True) -> float:
    """How many designs pass the limits that are asked about."""
    total = 0
    for device in SHELF:
        fits, step = own(v, device)
        total += int(((fits | (not room)) & ((step <= v.limit / 1e3) | (not time))).sum())
    return float(total)


def fit_alone(v: Variant) -> float | None:
    """These fit. Many of them take longer than the limit allows."""
    return unlike(counted(v, time=False), designs.truth(v))


def quick_alone(v: Variant) -> float | None:
    """These are quick enough. Many of them do not fit in memory."""
    return unlike(counted(v, room=False), designs.truth(v), counted(v, time=False))


@check(
    "q2",
    points=2,
    slack=1.0,
    within=0.01,
    misconceptions={"counted all that fits": fit_alone, "counted all that is quick": quick_alone},
)
def designs(v: Variant) -> float:
    """Every device, every format, every batch: count those that fit and keep the limit."""
    return counted(v)


# ---- q3, q4 --------------------------------------------------------------------------------------


def table(v: Variant, names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Step and price of designs."""
    return {name: (v[f"{name}_ms"], v[f"{name}_usd"]) for name in names}


def left(v: Variant) -> list[str]:
    """The designs that fit."""
    return [name for name in DESIGNS if name != v.full]


def unbeaten(held: dict[str, tuple[float, float]]) -> frozenset[str]:
    """The designs that no other beats in both."""
    return frozenset(
        name
        for name, (ms, usd) in held.items()
        if not any(other[0] < ms and other[1] < usd for other in held.values())
    )


def with_unfit(v: Variant) -> frozenset[str]:
    """What does not fit is thrown away first: it beats nobody."""
    return unbeaten(table(v, DESIGNS))


def winners(v: Variant) -> frozenset[str]:
    """The front is more than its two ends: what is best in neither may still be unbeaten."""
    held = table(v, left(v))
    return frozenset(min(held, key=lambda name: held[name][i]) for i in (0, 1))


def all_that_fit(v: Variant) -> frozenset[str]:
    """A design is dropped as soon as one other is both quicker and cheaper."""
    return frozenset(left(v))


@check(
    "q3",
    points=2,
    misconceptions={
        "kept the design that does not fit": with_unfit,
        "took only the best of each row": winners,
        "dropped nothing but what does not fit": all_that_fit,
    },
)
def front(v: Variant) -> frozenset[str]:
    """Sort by step; walking down, keep each design that is cheaper than all before it."""
    return unbeaten(table(v, left(v)))


def cheapest(v: Variant, names: Iterable[str], most: float) -> str | None:
    """The cheapest within a limit."""
    held = {name: usd for name, (ms, usd) in table(v, names).items() if ms <= most}
    return min(held, key=lambda name: held[name]) if held else None


def slow(v: Variant) -> str | None:
    """A limit comes before the wish: what is too slow may not be chosen, however cheap."""
    return cheapest(v, left(v), np.inf)


def unfit(v: Variant) -> str | None:
    """It does not fit, so it cannot be bought for this."""
    return cheapest(v, DESIGNS, v.most)


def quickest(v: Variant) -> str:
    """Quick enough is enough: the limit is met by others too, and price decides among them."""
    return min(left(v), key=lambda name: v[f"{name}_ms"])


@check(
    "q4",
    points=2,
    misconceptions={
        "left out the limit": slow,
        "took what does not fit": unfit,
        "took the quickest": quickest,
    },
)
def best(v: Variant) -> str | None:
    """Cross out what does not fit and what is too slow; of the rest take the cheapest."""
    return cheapest(v, left(v), v.most)


# ---- q5, q6 --------------------------------------------------------------------------------------


@cache
def rate(model: str, device: str, users: int, context: int) -> float:
    """Tokens a second."""
    how = {"batch_size": users, "seq_len": context, "stack": "ideal"}
    return users / Engine.solve(model, device, **how).si("latency")


def power(v: Variant, device: str = "device") -> float:
    """USD of electricity in three years."""
    kilowatts = v[device].tdp.m_as("kW") * v.around
    return kilowatts * HOURS * YEARS * v.cents / 100


def price(v: Variant, device: str) -> float:
    """The list price, in USD."""
    return float(v[device].unit_cost.m_as("USD"))


def faster(v: Variant) -> float:
    """How many times the tokens of the other device the first one writes."""
    one, two = (rate(v.fields["model"], v.fields[d], v.users, v.context) for d in SHELF[:2])
    return one / two


def off(value: float, v: Variant) -> Quantity | None:
    """A misconceived price, where it is one and not the truth."""
    return told(Q_(value, "USD"), level.truth(v)) if value > 0 else None


def same_price(v: Variant) -> Quantity | None:
    """It also matters how many tokens each of the two writes for its money."""
    return off(price(v, "other"), v)


def no_power(v: Variant) -> Quantity | None:
    """Three years of electricity are a part of the cost, and another one for each device."""
    return off(price(v, "other") * faster(v), v)


def upside_down(v: Variant) -> Quantity | None:
    """The device that writes more tokens may cost more, not less."""
    return off((price(v, "other") + power(v, "other")) / faster(v) - power(v), v)


@check(
    "q5",
    points=3,
    misconceptions={
        "compared prices without tokens": same_price,
        "left out the electricity": no_power,
        "took the ratio of the rates the wrong way round": upside_down,
    },
)
def level(v: Variant) -> Quantity:
    """Cost over tokens is equal: the other's whole cost by the ratio of rates, less own power."""
    return Q_((price(v, "other") + power(v, "other")) * faster(v) - power(v), "USD")


def blames_the_loop(v: Variant) -> str | None:
    """Looking at every design costs microseconds; skipping some is how the best one is missed."""
    return None if wrong_line.truth(v) == "line 1" else "line 1"


def blames_the_limit(v: Variant) -> str | None:
    """A user waits for a whole step, however many users share it."""
    return None if wrong_line.truth(v) == "line 3" else "line 3"


@check(
    "q6",
    points=2,
    misconceptions={
        "mistrusted the search through everything": blames_the_loop,
        "wanted a limit for each user's share of a step": blames_the_limit,
    },
)
def wrong_line(v: Variant) -> str:
    """All designs, then what fits, then what is quick enough, then all costs, then the least."""
    return odd_line(ASSIGNED, LINES)(v)


# ---- q7 ------------------------------------------------------------------------------------------

Cost = Callable[[float, float, float], float]


def costed(v: Variant, *, powered: bool = True, kept: bool = True, timed: bool = True) -> Cost:
    """The function that is asked for, with all that a design costs and all that limits it."""
    whole = price(v, "device") + (power(v) if powered else 0.0)
    capacity = v.device.memory.capacity.m_as("B")
    room = capacity * (1 - v.reserve / 100) if kept else capacity

    def cost(step: float, batch: float, held: float) -> float:
        if held > room or (timed and step > v.limit / 1000):
            return 0.0
        return whole / (batch / step * 3600 * HOURS * YEARS) * 1e6

    return cost


def unpowered(v: Variant) -> Cost:
    """Three years of electricity belong to the cost of a token."""
    return costed(v, powered=False)


def unlimited(v: Variant) -> Cost:
    """A step that takes longer than the limit may not be chosen: its cost is 0 here."""
    return costed(v, timed=False)


def unreserved(v: Variant) -> Cost:
    """A part of the memory must stay free."""
    return costed(v, kept=False)


def hidden(v: Variant) -> Inputs:
    """Designs on both sides of each limit, and exactly at the one for a step."""
    room = v.device.memory.capacity.m_as("B")
    limit, free = v.limit / 1000, 1 - v.reserve / 100
    steps = [(limit / 2, 8, 0.5), (limit / 3, 1, 0.2), (limit, 64, 0.5), (limit * 1.01, 64, 0.5)]
    steps += [(limit / 2, 100, free - 0.01), (limit / 2, 100, free + 0.01), (limit / 2, 1, 1.2)]
    steps += [(limit * 3, 512, 0.1), (limit * 0.9, 300, free - 0.02)]
    return [(step, batch, part * room) for step, batch, part in steps]


@check(
    "q7",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "left out the electricity": unpowered,
        "left out the limit for a step": unlimited,
        "left no memory free": unreserved,
    },
)
def cost(v: Variant) -> Cost:
    """First both limits, then the whole cost over all tokens that three years of steps write."""
    return costed(v)
