"""What limits how many users I can serve at once? The truths of exercise 03."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import floor
from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim import ContinuousBatchingModel, Hardware, Models
from mlsysim.core.units import Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.solvers.node.batching import Batched

ASSIGNED: Any = assignment("03_kv_cache")
SLOT = float(ASSIGNED.given["slot"])
RESERVE, WIDTH = 0.1, 2  # the part that is kept free; bytes of a number with 16 bits


@cache
def filled(
    model: str, device: str, tokens: float, cache: str = "fp16", page: float = 1, bits: str = "fp16"
) -> Batched:
    """A device full of users with that many tokens."""
    lengths = {"seq_len": tokens, "max_seq_len": max(SLOT, tokens), "page_size": page}
    kept = {"precision": bits, "kv_precision": cache}
    return ContinuousBatchingModel().solve(Models[model], Hardware[device], **lengths, **kept)


def users(model: str, device: str, tokens: float, **how: Any) -> float:
    """How many they are."""
    return float(filled(model, device, tokens, **how).paged_batch)


def room(v: Variant) -> float:
    """Bytes that reserve and weights leave."""
    held = filled(v.fields["model"], v.fields["device"], v.context, v.precision)
    return held.si("memory_capacity") - held.si("reserve") - held.si("weights")


# ---- q1, q2 --------------------------------------------------------------------------------------


def every_head(v: Variant) -> Quantity:
    """Query heads share keys and values: count the KV heads."""
    return cache_of_one.truth(v) * (v.model.heads / v.model.key_heads)


def keys_only(v: Variant) -> Quantity:
    """A token keeps a key and a value: two numbers, not one."""
    return cache_of_one.truth(v) / 2


def one_layer(v: Variant) -> Quantity:
    """Every layer keeps keys and values of its own."""
    return cache_of_one.truth(v) / v.model.layers


@check(
    "q1",
    points=2,
    misconceptions={
        "counted every query head": every_head,
        "kept the keys and forgot the values": keys_only,
        "counted one layer": one_layer,
    },
)
def cache_of_one(v: Variant) -> Quantity:
    """Two (a key and a value) times layers, KV heads, values of a head, bytes each, and tokens."""
    return v.model.kv_cache(v.context, 1, v.precision)


def fitting(v: Variant) -> float:
    """What reserve and weights leave of the memory, divided by one user's cache, rounded down."""
    return users(v.fields["model"], v.fields["device"], v.context, cache=v.precision)


def weights_forgotten(v: Variant) -> float:
    """The weights lie in the same memory; only what they leave is free for users."""
    held = filled(v.fields["model"], v.fields["device"], v.context, v.precision)
    return floor((room(v) + held.si("weights")) / held.si("sequence"))


def reserve_forgotten(v: Variant) -> float:
    """A tenth of the memory is kept free; take it off before the weights."""
    held = filled(v.fields["model"], v.fields["device"], v.context, v.precision)
    return floor((room(v) + held.si("reserve")) / held.si("sequence"))


def weights_each(v: Variant) -> float:
    """The weights are there once, however many users there are."""
    held = filled(v.fields["model"], v.fields["device"], v.context, v.precision)
    whole = held.si("memory_capacity") - held.si("reserve")
    return floor(whole / (held.si("weights") + held.si("sequence")))


fits = check(
    "q2",
    points=2,
    within=0.015,
    slack=1.0,
    misconceptions=apart(
        fitting,
        {
            "forgot that the weights take room too": weights_forgotten,
            "forgot the reserve": reserve_forgotten,
            "loaded the weights once for every user": weights_each,
        },
    ),
    follows="q1",
    follow=lambda v, own: room(v) / own.m_as("B") if own.magnitude > 0 else None,
)(fitting)


# ---- q3 ------------------------------------------------------------------------------------------


def in_pages(v: Variant, tokens: float) -> float:
    """Requests that fit when each keeps that many tokens."""
    return users(v.fields["model"], v.fields["device"], tokens)


def with_pages(v: Variant) -> float:
    """A request takes whole pages: round its tokens up to them, and divide the room."""
    return users(v.fields["model"], v.fields["device"], v.used, page=v.page)


def rounded_down(v: Variant) -> float:
    """A page that is begun is taken whole: round up."""
    return in_pages(v, v.page * (v.used // v.page))


def without_pages(v: Variant) -> float:
    """Memory comes in pages, so a request takes more than it holds: round up to whole ones."""
    return in_pages(v, v.used)


def in_slots(v: Variant) -> float:
    """With pages a request keeps what it holds, not the longest that may come."""
    return in_pages(v, SLOT)


paged = check(
    "q3",
    points=2,
    within=0.015,
    slack=1.0,
    misconceptions=apart(
        with_pages,
        {
            "rounded down to whole pages": rounded_down,
            "left the pages out": without_pages,
            "kept a whole slot for each request": in_slots,
        },
    ),
)(with_pages)


# ---- q4 ------------------------------------------------------------------------------------------


def narrow_weights(v: Variant) -> str:
    """Narrow weights make room once; ask how large a part of the memory they held."""
    return ASSIGNED.questions["q4"].choices[1]


def larger_chip(v: Variant) -> str:
    """Divide what each change leaves free by what it leaves of one user, and compare."""
    return ASSIGNED.questions["q4"].choices[2].format_map(v)


@check(
    "q4",
    points=2,
    misconceptions={
        "took the weights for what fills the memory": narrow_weights,
        "took the larger chip for the answer to everything": larger_chip,
    },
)
def best_change(v: Variant) -> str:
    """Work out the users after each change: what is free, over what one user takes."""
    model, host, tokens = v.fields["large"], v.fields["host"], 3600
    after = (
        users(model, host, tokens, cache="fp8"),
        users(model, host, tokens, bits="int4"),
        users(model, v.fields["bigger"], tokens),
        users(model, host, tokens * (100 - v.cut) / 100),
    )
    choice: str = ASSIGNED.questions["q4"].choices[after.index(max(after))]
    return choice.format_map(v)


# ---- q5 ------------------------------------------------------------------------------------------


def ordered(v: Variant, key: Callable[[str, str], float]) -> tuple[str, ...]:
    """The four pairs, the largest first."""
    named = zip(range(1, 5), ASSIGNED.questions["q5"].choices, strict=True)
    pairs = {text.format_map(v): (v.fields[f"m{n}"], v.fields[f"c{n}"]) for n, text in named}
    return tuple(sorted(pairs, key=lambda text: -key(*pairs[text])))


def by_room(v: Variant) -> tuple[str, ...]:
    """Free memory is half of it: divide by what one user of that model takes."""
    return ordered(v, lambda m, c: _usable(c) - Models[m].parameters * WIDTH)


def smallest_first(v: Variant) -> tuple[str, ...]:
    """Parameters say nothing of the cache: count layers and KV heads."""
    return ordered(v, lambda m, _: -Models[m].parameters)


def _usable(device: str) -> float:
    return (1 - RESERVE) * Hardware[device].memory.capacity.m_as("B")


@check(
    "q5",
    points=2,
    misconceptions={
        "ordered them by the memory that is free": by_room,
        "took the smallest model first": smallest_first,
    },
)
def most_users(v: Variant) -> tuple[str, ...]:
    """Free memory over one user's cache, for each pair: neither alone decides."""
    return ordered(v, lambda model, device: users(model, device, 4096))


# ---- q6, q7 --------------------------------------------------------------------------------------


def counting(v: Variant, *, each: bool = False, below_zero: bool = False) -> Any:
    """How many users fit, for any memory: the shared tokens once, the others for each."""
    token = v.model.kv_cache(1, 1, v.precision).m_as("B")

    def users(memory: float, weights: float, tokens: float, shared: float) -> float:
        own, once = (tokens, 0) if each else (tokens - shared, shared)
        count = floor((memory - weights - once * token) / (own * token))
        return count if below_zero else max(0, count)

    return users


def hidden(v: Variant) -> Inputs:
    """Memories of the chips there are, with and without a prefix; in two of them nobody fits."""
    weights = v.model.parameters * WIDTH
    tokens = float(v.context)
    return [
        (60e9, weights, tokens, 0.0),
        (80e9, weights, tokens, tokens // 2),
        (141e9, weights, 3500.0, 3000.0),
        (192e9, weights / 2, 8000.0, 500.0),
        (44e9, weights, 1200.0, 700.0),
        (100e9, weights / 4, 2500.0, 2400.0),
        (weights * 0.9, weights, tokens, 0.0),
        (weights + 1e6, weights, 9000.0, 8000.0),
        (256e9, weights, 12000.0, 0.0),
    ]


def prefix_each(v: Variant) -> Any:
    """The shared tokens are kept once for all; only the others are each user's own."""
    return counting(v, each=True)


def negative(v: Variant) -> Any:
    """Where the weights leave no room, nobody fits: never fewer than 0."""
    return counting(v, below_zero=True)


@check(
    "q6",
    points=3,
    within=0.005,
    slack=0.5,
    inputs=hidden,
    misconceptions={
        "stored the prefix once for every user": prefix_each,
        "let the users become negative": negative,
    },
)
def sharing_users(v: Variant) -> Any:
    """Weights and the shared tokens come off once; the rest is divided by each user's own."""
    return counting(v)


LINE = odd_line(ASSIGNED, "weights room token user count")


def wrong_line(v: Variant) -> str:
    """Weights once, a tenth off, KV heads with a key and a value each, tokens, rounded down."""
    return LINE(v)


def large_number(v: Variant) -> str | None:
    """The weights are a large number, and a right one; look for a term that does not belong."""
    return None if LINE(v) == "line 1" else "line 1"


def rounding(v: Variant) -> str | None:
    """There is no part of a user: rounding down is right, and so is what is divided."""
    return None if LINE(v) == "line 5" else "line 5"


found = check(
    "q7",
    points=2,
    misconceptions={"doubted the largest number": large_number, "doubted the rounding": rounding},
)(wrong_line)
