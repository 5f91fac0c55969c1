"""Can another architecture move the wall? The truths of exercise 10."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from grading.check import Inputs, check
from grading.checks import odd_line, within
from mlsysim import Engine, Hardware, Models, WeightStreamingModel
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.hardware.types import HardwareNode

ASSIGNED: Any = assignment("10_gpu_vs_wafer")
LINES = "line_1 line_2 line_3 line_4 line_5"
MACHINES: list[str] = ASSIGNED.questions["q3"].choices
ENTRY: dict[str, str] = {"CS-3": "CS3"}  # machines whose name is not their entry's
TOKENS, LARGEST, LEAST = 1024, 56, 0.9  # of the wafer in question 6


@cache
def wafer(link: float) -> HardwareNode:
    """A wafer with so many Tb/s of I/O."""
    chip = Hardware.CS3
    assert chip.host_link is not None
    return chip.replace(host_link=chip.host_link.replace(bandwidth=Q_(link, "Tbit/s")))


@cache
def streamed(model: str, precision: str, link: float) -> Any:
    """A token of one user, its weights from outside."""
    how: Any = {"precision": precision, "seq_len": TOKENS}
    return WeightStreamingModel().solve(Models[model], wafer(link), **how)


# ---- q1, q2 --------------------------------------------------------------------------------------


def bits(v: Variant) -> Quantity:
    """A small b means bits: eight of them are a byte."""
    return token.truth(v) / 8


def inside(v: Variant) -> Quantity:
    """Fast memory helps what lies in it; these weights come in through the I/O each time."""
    return token.truth(v) * (v.link / 8e3 / v.fast)


def other_width(v: Variant) -> Quantity:
    """Count the bytes of a weight again: the question says how many they are."""
    return token.truth(v) * (2 if v.width == 1 else 0.5)


@check(
    "q1",
    points=2,
    misconceptions={
        "read bits as bytes": bits,
        "took the memory on the wafer": inside,
        "counted the bytes of a weight wrongly": other_width,
    },
)
def token(v: Variant) -> Any:
    """All weights over the narrowest link that they cross, with the link in bytes a second."""
    own = v.fields
    return streamed(own["model"], own["precision"], v.link).latency


def length(v: Variant) -> float:
    """The tokens that each user may have."""
    kept = v.model.kv_cache(1, v.users, "fp16")
    return float((Q_(v.sram, "GB") / kept).m_as(""))


def one_user(v: Variant) -> float:
    """All users keep keys and values on the wafer, and share its memory."""
    return length(v) * v.users


def every_head(v: Variant) -> float | None:
    """Query heads share keys and values in this model: count the key-value heads."""
    share = v.model.heads / v.model.key_heads
    return length(v) / share if share > 1 else None


def keys_alone(v: Variant) -> float:
    """A token keeps a key and a value, two numbers in each head."""
    return 2 * length(v)


@check(
    "q2",
    points=2,
    misconceptions={
        "gave all the memory to one user": one_user,
        "gave every query head its own keys and values": every_head,
        "left out a half of keys and values": keys_alone,
    },
)
def tokens(v: Variant) -> float:
    """The memory over what all users together keep of one token: keys and values of all layers."""
    return length(v)


# ---- q3, q4 --------------------------------------------------------------------------------------


@cache
def holds(model: str, machine: str, users: int, context: int) -> bool:
    """Whether weights and caches lie on one machine."""
    device = ENTRY.get(machine, machine)
    return bool(Engine.solve(model, device, batch_size=users, seq_len=context).feasible)


def holders(v: Variant, users: int, context: int) -> frozenset[str]:
    """The machines that do."""
    return frozenset(m for m in MACHINES if holds(v.fields["small"], m, users, context))


def weights_alone(v: Variant) -> frozenset[str]:
    """The users' keys and values lie beside the weights."""
    return holders(v, 1, 1)


def cache_of_every_head(v: Variant) -> frozenset[str] | None:
    """Query heads share keys and values: count the key-value heads."""
    caches = v.small.kv_cache(v.context, v.crowd, "fp16") * (v.small.heads / v.small.key_heads)
    need = v.small.weights("fp16") + caches
    held = (m for m in MACHINES if Hardware[ENTRY.get(m, m)].memory.capacity >= need)
    return frozenset(held) or None


def all_but_the_wafer(v: Variant) -> frozenset[str] | None:
    """A wafer is large, and its memory is small: look at the GB of each machine."""
    held = fitting.truth(v) ^ {"CS-3"}
    return held or None


@check(
    "q3",
    points=2,
    misconceptions={
        "counted the weights alone": weights_alone,
        "gave every query head its own keys and values": cache_of_every_head,
        "judged the wafer by its size": all_but_the_wafer,
    },
)
def fitting(v: Variant) -> frozenset[str]:
    """Add the caches of all users to the weights, and compare with each machine's memory."""
    return holders(v, v.crowd, v.context)


def blames_the_eight(v: Variant) -> str | None:
    """Data sheets of links count bits, eight to a byte: dividing by 8 is right."""
    return None if wrong_line.truth(v) == "line 2" else "line 2"


def blames_the_sharing(v: Variant) -> str | None:
    """One pass of the weights serves all users of a step."""
    return None if wrong_line.truth(v) == "line 1" else "line 1"


@check(
    "q4",
    points=2,
    misconceptions={
        "took the step from bits to bytes for a mistake": blames_the_eight,
        "let every user have the weights come in again": blames_the_sharing,
    },
)
def wrong_line(v: Variant) -> str:
    """Follow the bytes: what crosses the link, in which unit, and what goes on at the same time."""
    return odd_line(ASSIGNED, LINES)(v)


# ---- q5, q6 --------------------------------------------------------------------------------------

Time = Callable[[float, float, float], float]


def timed(v: Variant, *, bit: float = 8, cliff: bool = True, always: bool = False) -> Time:
    """The function that is asked for, or one that reads bits as bytes, or sees no cliff."""
    room, memory, link = v.sram * 1e9, v.fast * 1e15, v.link * 1e12 / bit

    def step_time(weights: float, cache: float, users: float) -> float:
        caches = users * cache
        if caches > room:
            return 0.0
        reading = (weights + caches) / memory
        inside = weights + caches <= room and not always
        return reading if inside or not cliff else max(weights / link, reading)

    return step_time


def bits_in_code(v: Variant) -> Time:
    """The I/O is in Tb/s, bits: divide by 8 for bytes."""
    return timed(v, bit=1)


def no_cliff(v: Variant) -> Time:
    """What does not fit comes in through the I/O, and that decides the step."""
    return timed(v, cliff=False)


def always_outside(v: Variant) -> Time:
    """Weights that fit on the wafer beside the caches stay there."""
    return timed(v, always=True)


def hidden(v: Variant) -> Inputs:
    """Models that fit, that fit alone but not with their users, and users that do not fit."""
    room = v.sram * 1e9
    cases = [(0.3, 0.01, 5), (0.9, 0.02, 4), (0.9, 0.02, 6), (0.99, 0, 100), (1.2, 0.1, 1)]
    cases += [(4, 0.1, 9), (8, 0.3, 3), (8, 0.3, 4), (0.1, 0.5, 3), (20, 0, 0)]
    return [(weights * room, cache * room, users) for weights, cache, users in cases]


@check(
    "q5",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "read bits as bytes": bits_in_code,
        "read weights from a memory that does not hold them": no_cliff,
        "let weights come in that had room inside": always_outside,
    },
)
def step_time(v: Variant) -> Time:
    """Ask first what fits: both, the caches alone, or not even those; then take each one's link."""
    return timed(v)


def raised_memory(v: Variant, chip: HardwareNode) -> bool:
    """The way in decides while the weights are outside; the memory of a wafer is small."""
    return chip.memory.capacity > Q_(LARGEST, "GB")


def bits_in_spec(v: Variant, chip: HardwareNode) -> bool:
    """Write the link in bytes, or as Tb/s with a small b: it is off by a factor of eight."""
    assert chip.host_link is not None  # or the solver has refused the chip
    own = v.fields
    size = streamed(own["model"], own["precision"], v.link).streamed
    part = float((size / chip.host_link.bandwidth).m_as("s")) / v.late
    return any(within(LEAST, part * slip, 1) for slip in (8, 1 / 8))


@check(
    "q6",
    points=3,
    misconceptions={
        "raised the memory instead of the link": raised_memory,
        "took bits for bytes": bits_in_spec,
    },
)
def door(v: Variant, mine: HardwareNode) -> dict[str, bool]:
    """The link must bring all weights in within the time: bytes over seconds."""
    how: Any = {"precision": v.precision, "seq_len": TOKENS}
    run = WeightStreamingModel().solve(v.model, mine, **how)
    time = run.si("latency")
    return {
        f"a token takes at most {v.late} s": time <= v.late * 1.0005,
        "it takes no less than nine tenths of that": time >= LEAST * v.late,
        f"its memory is at most {LARGEST} GB": mine.memory.capacity <= Q_(LARGEST, "GB"),
        "its memory holds the user's keys and values": run.feasible,
    }
