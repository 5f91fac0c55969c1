"""What does chain of thought cost? The truths of exercise 08."""

from __future__ import annotations

from functools import cache
from math import ceil, floor
from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim import Hardware, Models
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("08_nine_million_dollar")
EACH = float(ASSIGNED.given["each"])
RESERVE, YEAR, REACHED = 0.1, 8760.0, 0.5

# ---- q1, q2 --------------------------------------------------------------------------------------


def busy(v: Variant, tokens: float, slots: float) -> float:
    """Seconds of a device that one request takes."""
    return (v.prefill + tokens * v.step / slots) / 1e3


def fleet(v: Variant) -> float:
    """Requests a second times a device's seconds for one: its prompt, and its part of the steps."""
    return float(ceil(v.rate * busy(v, EACH * v.thoughts, v.batch)))


def steps_for_tokens(v: Variant) -> float:
    """A step of thinking has many tokens, and each takes a decode step."""
    return float(ceil(v.rate * busy(v, v.thoughts, v.batch)))


def alone(v: Variant) -> float:
    """All that share a step need it once: divide its time among them."""
    return float(ceil(v.rate * busy(v, EACH * v.thoughts, 1)))


def read_again(v: Variant) -> float:
    """The prompt is read once: its keys and values stay in the cache."""
    again = (v.thoughts - 1) * v.prefill / 1e3
    return float(ceil(v.rate * (busy(v, EACH * v.thoughts, v.batch) + again)))


needed = check(
    "q1",
    points=2,
    within=0.008,
    slack=1.0,  # a load of 23.000000000000004 is rounded up to 24
    misconceptions=apart(
        fleet,
        {
            "took a step of thinking for a token": steps_for_tokens,
            "let every request use a device alone": alone,
            "read the prompt again for every thought": read_again,
        },
        by=0.03,
    ),
)(fleet)


def dollars(v: Variant, devices: float) -> Quantity:
    """What so many devices cost in a year."""
    return Q_(devices * YEAR * v.price, "USD")


def bill(v: Variant) -> Quantity:
    """Devices, hours of a year, and the price of an hour."""
    return dollars(v, fleet(v))


def of_one(v: Variant) -> Quantity:
    """Every device is paid for: multiply by their number."""
    return dollars(v, 1)


def days_for_hours(v: Variant) -> Quantity:
    """The price is for an hour, and a year has 8,760 of them."""
    return bill(v) / 24


cost = check(
    "q2",
    points=1,
    misconceptions={"paid for one device": of_one, "took days for hours": days_for_hours},
    follows="q1",
    follow=lambda v, own: dollars(v, float(own.m_as(""))),
)(bill)

# ---- q3, q6 --------------------------------------------------------------------------------------


@cache
def held(model: str, device: str) -> tuple[float, float, float]:
    """Bytes of the weights, of a cached token in 16 bits, and of memory without its reserve."""
    deep: Any = Models[model]
    token = deep.kv_cache(1, 1, "fp16").m_as("B")
    return (deep.parameters, token, (1 - RESERVE) * Hardware[device].memory.capacity.m_as("B"))


def own(v: Variant) -> tuple[float, float, float]:
    """Those of the learner's model and device."""
    return held(v.fields["model"], v.fields["device"])


def length(v: Variant) -> float:
    """Tokens of a whole request."""
    return v.prompt + EACH * v.thoughts


def slots(v: Variant) -> float:
    """What weights and reserve leave, over the cache of prompt and thoughts."""
    weights, token, memory = own(v)
    return float(floor((memory - weights) / (token * length(v))))


def narrow_cache(v: Variant) -> float:
    """The weights have 8 bits; the cache keeps 16."""
    weights, token, memory = own(v)
    return float(floor((memory - weights) / (token / 2 * length(v))))


def no_prompt(v: Variant) -> float:
    """The prompt's keys and values stay in the memory as well."""
    weights, token, memory = own(v)
    return float(floor((memory - weights) / (token * EACH * v.thoughts)))


def wide_weights(v: Variant) -> float | None:
    """One byte a weight: the weights take half of what they take in 16 bits."""
    weights, token, memory = own(v)
    left = memory - 2 * weights
    return float(floor(left / (token * length(v)))) if left > token * length(v) else None


fits = check(
    "q3",
    points=2,
    within=0.01,
    slack=1.0,
    misconceptions=apart(
        slots,
        {
            "kept the cache in 8 bits": narrow_cache,
            "left out the prompt": no_prompt,
            "took two bytes a weight": wide_weights,
        },
        by=0.06,
    ),
)(slots)


@cache
def full(model: str, device: str, prompt: float, thoughts: float) -> float:
    """A full device's seconds for one request."""
    weights, token, memory = held(model, device)
    together = floor((memory - weights) / (token * (prompt + EACH * thoughts)))
    reads = weights + together * token * (prompt + EACH * thoughts / 2)
    step = reads / Hardware[device].memory.bandwidth.m_as("B/s")
    peak = Hardware[device].peak("int8").m_as("FLOP/s")
    return 2 * weights * prompt / (REACHED * peak) + EACH * thoughts * step / together


def with_tokens(_: Variant) -> str:
    """Longer caches let fewer requests share a step: ask how much of a request is prompt."""
    return str(ASSIGNED.questions["q6"].choices[1])


def with_square(_: Variant) -> str:
    """The square holds where thoughts are far longer than the prompt."""
    return str(ASSIGNED.questions["q6"].choices[3])


@check(
    "q6",
    points=2,
    misconceptions={
        "let the time grow with the tokens": with_tokens,
        "let the time grow with their square": with_square,
    },
)
def twice_as_deep(v: Variant) -> str:
    """Twice the steps, shared by fewer; against a prompt that is read, and kept, in any case."""
    names = v.fields["model"], v.fields["device"], v.read
    grows = full(*names, 2 * v.deep) / full(*names, v.deep)
    return str(ASSIGNED.questions["q6"].choices[sum(grows >= each for each in (1.5, 2.5, 3.5))])


# ---- q4 ------------------------------------------------------------------------------------------


def savings(v: Variant) -> dict[str, float]:
    """The part of the bill that each lever takes off."""
    steps = EACH * v.k * v.st
    now = v.pf + steps
    saved = (
        steps / 2 / now,
        v.pf / now,
        1 - (v.pf + steps * (1 + v.longer / 100)) / now * v.few / v.more,
        v.less / 100,
    )
    texts = (text.format_map(v) for text in ASSIGNED.questions["q4"].choices)
    return dict(zip(texts, saved, strict=True))


def first(v: Variant, lever: int) -> tuple[str, ...]:
    """The right order, but with one lever before all others."""
    moved = list(savings(v))[lever]
    return (moved, *(each for each in levers.truth(v) if each != moved))


def thinking_first(v: Variant) -> tuple[str, ...]:
    """Half the thoughts save half of the steps, but nothing of the prompt: compare their times."""
    return first(v, 0)


def price_first(v: Variant) -> tuple[str, ...]:
    """A price takes its own part off the bill and no more: work out what the others take off."""
    return first(v, 3)


@check(
    "q4",
    points=2,
    misconceptions={
        "put the thinking first in any case": thinking_first,
        "put the price first in any case": price_first,
    },
)
def levers(v: Variant) -> tuple[str, ...]:
    """Work out the new bill after each change: prompt, steps, who shares them, and the price."""
    saved = savings(v)
    return tuple(sorted(saved, key=lambda lever: -saved[lever]))


# ---- q5, q7 --------------------------------------------------------------------------------------

LINE = odd_line(ASSIGNED, "tokens time devices user bill")


def wrong_line(v: Variant) -> str:
    """Tokens of the thoughts, one prompt, rounded up, a wait that is not shared, and hours."""
    return LINE(v)


def user_line(v: Variant) -> str | None:
    """All get a token in the same step: sharing makes nobody's wait shorter or longer."""
    return None if LINE(v) == "line 4" else "line 4"


def price_line(v: Variant) -> str | None:
    """A year has 8,760 hours: that line is right."""
    return None if LINE(v) == "line 5" else "line 5"


found = check(
    "q5",
    points=2,
    misconceptions={"doubted the wait of one user": user_line, "doubted the price": price_line},
)(wrong_line)


def counted(v: Variant, *, up: bool = True, prompt: bool = True) -> Any:
    """Whole devices for any load; rounded down, or without the prompts."""

    def devices(rate: float, tokens: float, slots: float) -> float:
        if slots < 1:
            return -1.0
        load = rate * (v.prefill * prompt + tokens * v.step / slots) / 1e3
        return float(ceil(load) if up else floor(load))

    return devices


def hidden(_: Variant) -> Inputs:
    """Small and large loads, none of whole devices; in two of them not one request fits."""
    rows = [(100, 401, 8), (37, 150, 4), (13, 1600, 2), (250, 50, 16), (5, 3200, 1), (77, 640, 13)]
    rows += [(100, 400, 0), (181, 900, 24), (3, 20, 3), (10, 6400, 0)]
    return rows


def rounded_down(v: Variant) -> Any:
    """A part of a device cannot be rented: round up, or requests wait for ever longer."""
    return counted(v, up=False)


def no_reading(v: Variant) -> Any:
    """Each prompt takes a device's time as well, before its first token."""
    return counted(v, prompt=False)


@check(
    "q7",
    points=3,
    within=0.0,
    slack=0.01,
    inputs=hidden,
    misconceptions={"rounded the devices down": rounded_down, "left out the prompts": no_reading},
)
def any_load(v: Variant) -> Any:
    """Requests a second times a device's seconds for each: its prompt, its part of the steps."""
    return counted(v)
