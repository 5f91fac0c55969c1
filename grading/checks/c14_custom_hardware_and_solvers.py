"""How do I add a chip or a wall? The truths of exercise 14."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from grading.check import Inputs, check
from grading.checks import alike, told, within
from mlsysim import Engine, Hardware, Models
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers import ContinuousBatchingModel

ASSIGNED: Any = assignment("14_custom_hardware_and_solvers")
FIELDS, DOUBLED = (ASSIGNED.questions[name].choices for name in ("q3", "q4"))
KEPT, NEAR = 0.9, 1.1  # of the memory that may be used; of what is asked for
unlike = partial(told, slack=2.1)  # of whole numbers
ROUNDED = 0.2  # of a user: a capacity in GB is written with two digits


def in_pages(model: str, chip: HardwareNode, context: int) -> float:
    """How many users the solver fits on a chip: in pages, with their activations."""
    lengths: Any = {"seq_len": context, "max_seq_len": context}
    return float(ContinuousBatchingModel().solve(Models[model], chip, **lengths).paged_batch)


@cache
def holds(model: str, room: float, context: int) -> float:
    """How many users' caches fit beside the weights, with a tenth of the memory in reserve."""
    held: Any = Models[model]
    free = Q_(KEPT * room, "GB") - held.weights("fp16")
    return float((free / held.kv_cache(context, 1, "fp16")).m_as(""))


def users(model: str, room: float, context: int) -> int:
    """Whole users."""
    return int(holds(model, room, context))


@cache
def demand(model: str, batch: int, tokens: int, phase: str) -> tuple[float, float]:
    """FLOP and bytes of a step, on any chip."""
    how: Any = {"batch_size": batch, "seq_len": tokens, "phase": phase}
    p = Engine.solve(model, "H100", **how)
    return p.si("operations"), p.si("traffic")


def seconds(
    model: str, made: tuple[float, float, float], batch: int, tokens: int, phase: str, eta: float
) -> float:
    """One step on a card: the longer of its two clocks."""
    work, size = demand(model, batch, tokens, phase)
    peak, wide, _ = made
    return max(node.compute_time(work, peak * 1e12, eta), node.memory_time(size, wide * 1e12))


def made(v: Variant) -> tuple[float, float, float]:
    """The three numbers of the variant's card."""
    return v.peak, v.wide, v.room


def rate(
    model: str, numbers: tuple[float, float, float], context: int, batch: int | None = None
) -> float:
    """Tokens a second of a card with as many users as fit, or with fewer."""
    many = batch or users(model, numbers[2], context)
    return many / seconds(model, numbers, many, context, "decode", 0.5)


def tokens(v: Variant, batch: int | None = None) -> float:
    """Tokens a second of the variant's card."""
    return rate(v.fields["model"], made(v), v.context, batch)


def of_one(v: Variant) -> float:
    """Bytes of one user."""
    return float(v.model.kv_cache(v.context, 1, "fp16").m_as("B"))


def weights(v: Variant) -> float:
    """Bytes of the weights."""
    return float(v.model.weights("fp16").m_as("B"))


# ---- q1, q2 --------------------------------------------------------------------------------------


def beside_nothing(v: Variant) -> float | None:
    """The weights lie in the same memory, and only what they leave is for users."""
    return unlike(KEPT * v.room * 1e9 // of_one(v), fit.truth(v))


def all_of_it(v: Variant) -> float | None:
    """A tenth stays in reserve: take it away before the weights."""
    return unlike((v.room * 1e9 - weights(v)) // of_one(v), fit.truth(v))


def every_head(v: Variant) -> float | None:
    """Query heads share keys and values: count the key-value heads."""
    own = of_one(v) * v.model.heads / v.model.key_heads
    return unlike((KEPT * v.room * 1e9 - weights(v)) // own, fit.truth(v))


@cache
def paged(model: str, room: float, context: int) -> float:
    """Users in pages on a card of so much memory: its rates are all the same."""
    any_card = Hardware["H100"]
    card = any_card.replace(memory=any_card.memory.replace(capacity=Q_(room, "GB")))
    return in_pages(model, card, context)


def whole_pages(v: Variant) -> float:
    """The last page of a user is seldom full."""
    return paged(v.fields["model"], v.room, v.context)


@check(
    "q1",
    points=2,
    within=0.01,
    slack=1.0,
    accept={"pages": whole_pages},
    misconceptions={
        "left no room for the weights": beside_nothing,
        "left nothing in reserve": all_of_it,
        "gave every query head its own keys and values": every_head,
    },
)
def fit(v: Variant) -> float:
    """Nine tenths of the memory, less the weights, over the cache of one user, rounded down."""
    return float(users(v.fields["model"], v.room, v.context))


def one_by_one(v: Variant) -> float:
    """All users share one pass over the weights: their tokens come in the same step."""
    return tokens(v, 1)


def caches_alone(v: Variant) -> float | None:
    """Each step reads the weights too, once for all users."""
    return off(v.wide * 1e12 / of_one(v), v)


def full_peak(v: Variant) -> float | None:
    """With so many users arithmetic is the longer clock, and only half of the peak is reached."""
    model, many = v.fields["model"], int(fit.truth(v))
    return off(many / seconds(model, made(v), many, v.context, "decode", 1.0), v)


def off(value: float, v: Variant) -> float | None:
    """A misconceived rate, where it is not nearly the truth."""
    return told(value, written.truth(v), by=0.06)


def from_own_users(v: Variant, own: Quantity) -> float | None:
    """What follows from the learner's own number of users."""
    many = round(float(own.m_as("")))
    return tokens(v, many) if 1 <= many < 100_000 else None


@check(
    "q2",
    points=3,
    within=0.025,
    misconceptions={
        "let one user write at a time": one_by_one,
        "read the caches alone": caches_alone,
        "took the whole peak": full_peak,
    },
    follows="q1",
    follow=from_own_users,
)
def written(v: Variant) -> float:
    """One step reads the weights and all caches, or computes for all: users over the longer one."""
    return tokens(v)


# ---- q3, q4 --------------------------------------------------------------------------------------


@cache
def seen(model: str, numbers: tuple[float, float, float], measured: str) -> frozenset[str]:
    """The numbers whose doubling would change a measurement by more than 5 %."""
    found = set()
    users = (1, 2, 4) if "4 users" in measured else (1,)
    steps = {"decode": [(b, 1024) for b in users], "prompts": [(1, 4096)]}
    for name, place in (("peak", 0), ("bandwidth", 1), ("capacity", 2)):
        twice: Any = tuple(x * 2 if n == place else x for n, x in enumerate(numbers))
        for word, asked in steps.items():
            phase = "decode" if word == "decode" else "prefill"
            for batch, tokens in asked if word in measured else ():
                old, new = (
                    seconds(model, each, batch, tokens, phase, 0.5) for each in (numbers, twice)
                )
                found |= set() if alike(new, old) else {name}
        if "users fit" in measured and name == "capacity":
            found.add(name)
    return frozenset(found)


def agreed(v: Variant) -> frozenset[str] | None:
    """A measurement tests only the number that limits it; look for those that limit nothing."""
    return seen(v.fields["model"], made(v), v.measured)


def but_power(v: Variant) -> frozenset[str]:
    """Power shows in no time and in no count of users; only a meter tells."""
    return hiding.truth(v) - {"power"}


def nothing_seen(v: Variant) -> frozenset[str]:
    """What was measured has tested something: which clock did it wait for, what filled up?"""
    return frozenset(FIELDS)


@check(
    "q3",
    points=2,
    misconceptions={
        "named what was tested": agreed,
        "let a stopwatch measure watts": but_power,
        "trusted no measurement at all": nothing_seen,
    },
)
def hiding(v: Variant) -> frozenset[str]:
    """For each number: would the measurement come out another way if it were twice as large?"""
    return frozenset(FIELDS) - seen(v.fields["model"], made(v), v.measured)


def gains(v: Variant) -> dict[str, float]:
    """Tokens a second of each revision of the other card."""
    peak, wide, room = v.second_peak, v.second_wide, v.second_room
    revised = ((2 * peak, wide, room), (peak, 2 * wide, room), (peak, wide, 2 * room))
    rates = (rate(v.fields["second"], each, v.second_context) for each in revised)
    return dict(zip(DOUBLED, rates, strict=True))


def bandwidth_for_decode(v: Variant) -> str:
    """A full card reads itself once in each step; more room makes more of that reading users."""
    return "twice the bandwidth"


def flops_for_speed(v: Variant) -> str:
    """Ask first whether the step waits for its arithmetic at all."""
    return "twice the FLOPS"


def room_for_users(v: Variant) -> str:
    """More users help until the weights are a small part of what each step reads."""
    return "twice the capacity"


@check(
    "q4",
    points=2,
    misconceptions={
        "took bandwidth for what always counts": bandwidth_for_decode,
        "took FLOPS for speed": flops_for_speed,
        "took room for what always counts": room_for_users,
    },
)
def revision(v: Variant) -> str:
    """Work out users, step and tokens a second of each revision, and compare the three."""
    found = gains(v)
    return max(found, key=lambda name: found[name])


# ---- q5, q6, q7 ----------------------------------------------------------------------------------


def even(v: Variant, eta: float | None = None) -> Quantity:
    """The link speed at which both ways take as long."""
    time = seconds(v.fields["model"], made(v), 1, v.prompt, "prefill", eta or v.eta)
    return v.model.kv_cache(v.prompt, 1, "fp16") / Q_(time, "s")


def whole_peak(v: Variant) -> Quantity:
    """Only the part η of the peak is reached, so that reading again takes longer."""
    return even(v, 1.0)


def heads(v: Variant) -> Quantity | None:
    """Query heads share keys and values in this model: its cache is smaller."""
    share = v.model.heads / v.model.key_heads
    return even(v) * share if share > 1 else None


def as_memory(v: Variant) -> Quantity:
    """The link competes with arithmetic, not with the memory: compare two times."""
    return Q_(v.wide, "TB/s")


@check(
    "q5",
    points=2,
    within=0.05,
    misconceptions={
        "took the whole peak": whole_peak,
        "gave every query head its own keys and values": heads,
        "wanted the link to be as fast as the memory": as_memory,
    },
)
def link(v: Variant) -> Quantity:
    """The bytes of the cache over the seconds in which the prompt is read again."""
    return even(v)


Sooner = Callable[[float, float, float], float]


def quicker(v: Variant, *, bits: float = 8, eta: float | None = None, best: bool = True) -> Sooner:
    """The function that is asked for; without `best` it always fetches where there is a link."""

    def sooner(cache: float, operations: float, link: float) -> float:
        again = operations / (v.peak * 1e12 * (eta or v.eta))
        if link <= 0:
            return again
        fetched = cache * bits / (link * 1e9)
        return min(again, fetched) if best else fetched

    return sooner


def bits_as_bytes(v: Variant) -> Sooner:
    """A link counts bits: a byte is eight of them."""
    return quicker(v, bits=1)


def at_peak(v: Variant) -> Sooner:
    """Only the part η of the peak is reached."""
    return quicker(v, eta=1.0)


def always_fetched(v: Variant) -> Sooner:
    """A slow link loses against reading again: return the quicker of the two."""
    return quicker(v, best=False)


def hidden(v: Variant) -> Inputs:
    """Fast and slow links, none at all, and nothing to do."""
    work = 1.6e13 * v.eta
    cases = [(1e9, work, 100), (1e9, work, 10), (1e9, 100 * work, 1), (1e9, work, 0.1)]
    cases += [(0, work, 1), (1e9, 0, 100), (1e9, work, 0)]
    cases += [(5e10, 9 * work, 400), (5e8, work, 1600)]
    return cases


@check(
    "q6",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "took bits for bytes": bits_as_bytes,
        "took the whole peak": at_peak,
        "fetched over every link": always_fetched,
    },
)
def sooner(v: Variant) -> Sooner:
    """Two times, bytes x 8 over bits a second and operations over η times the peak: the shorter."""
    return quicker(v)


def late(v: Variant, chip: HardwareNode) -> float:
    """Seconds of the crowd's step on a chip."""
    how: Any = {"batch_size": v.crowd, "seq_len": v.context}
    return Engine.solve(v.model, chip, **how).si("latency")


def no_room_for_weights(v: Variant, chip: HardwareNode) -> bool:
    """The weights lie beside the caches of the users."""
    own = v.crowd * of_one(v) / KEPT
    return within(0.95, chip.supply("fp16").capacity / own, NEAR)


def bits_in_file(v: Variant, chip: HardwareNode) -> bool:
    """A memory's bandwidth is in bytes: TB/s, not Tb/s."""
    part = late(v, chip) / (v.late / 1e3)
    return any(within(KEPT, part * slip, 1) for slip in (8, 1 / 8))


@check(
    "q7",
    points=3,
    misconceptions={
        "left no room for the weights": no_room_for_weights,
        "took bits for bytes": bits_in_file,
    },
)
def served(v: Variant, mine: HardwareNode) -> dict[str, bool]:
    """Room: weights and caches over 0.9. Bandwidth: the same bytes over the time of a step."""
    model, part = v.fields["model"], late(v, mine) / (v.late / 1e3)
    held = holds(model, mine.supply("fp16").capacity / 1e9, v.context)
    return {
        f"{v.crowd} users fit": held >= v.crowd - ROUNDED,
        "at most a tenth more fit": in_pages(model, mine, v.context) <= v.crowd * NEAR + 0.5,
        f"a step of all takes at most {v.late} ms": part <= 1.0005,
        "it takes at least nine tenths of that": part >= KEPT,
    }
