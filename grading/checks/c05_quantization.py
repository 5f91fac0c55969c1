"""Does INT4 always give four times the speed? The truths of exercise 05."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim import CompressionModel, Hardware, Models
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("05_quantization")
SCALE, WIDE, EFFICIENCY = 16, 16, 0.5  # bits of a scale and of what stays wide; what is reached
KEPT = {  # precisions of weights (and their arithmetic) and of the cache
    "weights in 4 bits": ("int4", "fp16"),
    "weights and arithmetic in 8 bits": ("fp8", "fp16"),
    "a cache in 8 bits": ("fp16", "fp8"),
    "twice the memory": ("fp16", "fp16"),
}


@cache
def seconds(device: str, change: str, batch: int, context: int) -> float:
    """A decode step of Llama 3 8B after a change."""
    bits, cache = KEPT[change]
    how: Any = {"precision": bits, "kv_precision": cache, "batch_size": batch, "seq_len": context}
    return CompressionModel().solve(Models["Llama3_8B"], Hardware[device], **how).si("latency")


# ---- q1, q2 --------------------------------------------------------------------------------------


def table(v: Variant) -> float:
    """Values in the table of words, or in the last layer."""
    return v.model.vocab * v.model.hidden


def stored(v: Variant, bits: float, *, group: float = 0, wide: bool = True) -> float:
    """Bytes of the file: of the layers, and of table and last layer."""
    each = bits + (SCALE / group if group else 0)
    ends = 2 * table(v)
    return ((v.model.parameters - ends) * each + ends * (WIDE if wide else each)) / 8


def file_size(v: Variant) -> Quantity:
    """Bits and its part of a scale for each weight of the layers; two wide ends besides."""
    return Q_(stored(v, v.bits, group=v.group), "B")


def no_scales(v: Variant) -> Quantity:
    """Each group has a scale: 16 bits over the group for every weight."""
    return Q_(stored(v, v.bits), "B")


def narrow_ends(v: Variant) -> Quantity:
    """The table of words and the last layer stay wide; count them apart."""
    return Q_(stored(v, v.bits, group=v.group, wide=False), "B")


def of_all(v: Variant) -> Quantity:
    """Parameters times bits is a part of the file: scales and wide ends come besides."""
    return Q_(v.model.parameters * v.bits / 8, "B")


size = check(
    "q1",
    points=2,
    within=0.008,
    misconceptions=apart(
        file_size,
        {
            "left out the scales": no_scales,
            "narrowed the table of words and the last layer too": narrow_ends,
            "multiplied all parameters by the bits": of_all,
        },
        by=0.02,
    ),
)(file_size)


def gained(v: Variant, file: float, *, cache: bool = True) -> float:
    """Bytes of a step before over those after; the table of words is not read."""
    state = v.model.kv_cache(v.context, 1, "fp16").m_as("B") * cache
    unread = table(v) * WIDE / 8
    before = v.model.parameters * WIDE / 8 - unread
    return (before + state) / (file - unread + state)


def faster(v: Variant) -> float:
    """Fewer bytes of weights, the same cache: divide all bytes before by all bytes after."""
    return gained(v, file_size(v).m_as("B"))


def by_bits(v: Variant) -> float:
    """Scales, wide ends and the cache do not shrink: compare all bytes of a step."""
    return WIDE / v.bits


def by_files(v: Variant) -> float:
    """A step reads the cache too, and of the table of words only a few rows."""
    return v.model.parameters * WIDE / 8 / file_size(v).m_as("B")


def narrow_cache(v: Variant) -> float:
    """The cache keeps 16 bits: it does not shrink with the weights."""
    return gained(v, file_size(v).m_as("B"), cache=False)


gain = check(
    "q2",
    points=2,
    within=0.015,
    misconceptions=apart(
        faster,
        {
            "divided the bits": by_bits,
            "divided the sizes of the files": by_files,
            "left the cache out": narrow_cache,
        },
        by=0.04,
    ),
    follows="q1",
    follow=lambda v, own: gained(v, own.m_as("B")),
)(faster)


# ---- q3 ------------------------------------------------------------------------------------------


def third_file(v: Variant) -> Quantity:
    """The difference of both points gives the time of a GB; what is left over stays as it is."""
    slope = (v.t1 - v.t2) / (v.g1 - v.g2)
    return Q_(v.t2 - slope * (v.g2 - v.g3), "ms")


def from_first(v: Variant) -> Quantity:
    """Only a part of the time goes with the bytes; find it from both points."""
    return Q_(v.t1 * v.g3 / v.g1, "ms")


def from_second(v: Variant) -> Quantity:
    """A part of the time stays, whatever the file: it must not shrink with it."""
    return Q_(v.t2 * v.g3 / v.g2, "ms")


measured = check(
    "q3",
    points=2,
    within=0.015,
    misconceptions=apart(
        third_file,
        {
            "scaled the first point by the bytes": from_first,
            "scaled the second point by the bytes": from_second,
        },
    ),
)(third_file)


# ---- q4, q5 --------------------------------------------------------------------------------------


def always_weights(_: Variant) -> str:
    """Ask what the step waits for: weights, caches, or arithmetic."""
    return "weights in 4 bits"


def memory(_: Variant) -> str:
    """Memory decides what fits, not how long a step takes."""
    return "twice the memory"


@check(
    "q4",
    points=2,
    misconceptions={
        "took the fewest bits for the fastest": always_weights,
        "took room for speed": memory,
    },
)
def worth_narrowing(v: Variant) -> str:
    """Few users wait for weights, many for arithmetic, many long contexts for caches."""
    chip = v.fields["chip"]
    return min(KEPT, key=lambda change: seconds(chip, change, v.users, v.tokens))


def ordered(v: Variant, key: Callable[[int, int], float]) -> tuple[str, ...]:
    """The four loads, the largest key first."""
    texts = enumerate(ASSIGNED.questions["q5"].choices, start=1)
    loads = {text.format_map(v): (v.fields[f"b{n}"], v.fields[f"n{n}"]) for n, text in texts}
    return tuple(sorted(loads, key=lambda text: -key(*loads[text])))


def fewest_users(v: Variant) -> tuple[str, ...]:
    """Not the users alone count: their contexts are read at every step too."""
    return ordered(v, lambda users, _: -users)


def longest(v: Variant) -> tuple[str, ...]:
    """A context counts as often as it has users, and only against what else is read."""
    return ordered(v, lambda _, tokens: tokens)


@check(
    "q5",
    points=2,
    misconceptions={
        "ordered by the number of users": fewest_users,
        "ordered by the length of the contexts": longest,
    },
)
def loads(v: Variant) -> tuple[str, ...]:
    """Ask what part of each load's step the narrowing makes shorter."""

    def gain(users: int, tokens: int) -> float:
        wide, narrow = (
            seconds("H100", change, users, tokens) for change in ("twice the memory", v.scheme)
        )
        return wide / narrow

    return ordered(v, gain)


# ---- q6, q7 --------------------------------------------------------------------------------------


def timed(v: Variant, *, shrinks: bool = False, computes: bool = False) -> Any:
    """A step's time; a cache that shrinks with the weights, or arithmetic that gets faster."""
    p, band = v.model.parameters, v.device.memory.bandwidth.m_as("B/s")
    rate = v.device.peak("fp16").m_as("FLOP/s") * EFFICIENCY
    values = v.model.kv_cache(1, 1, "fp16").m_as("B") / 2

    def step(bits: float, batch: float, context: float) -> float:
        width = bits if shrinks else v.cache_bits
        reached = rate * WIDE / bits if computes else rate
        caches = batch * context * values * width / 8 / band
        return max(p * bits / 8 / band, 2 * p * batch / reached) + caches

    return step


def hidden(_: Variant) -> Inputs:
    """Steps that wait for weights, for arithmetic and for caches."""
    rows = [(16, 1, 1000), (4, 1, 1000), (4, 8, 30000), (8, 64, 500), (4, 512, 64)]
    rows += [(16, 512, 64), (3, 128, 2000), (4, 32, 0), (8, 1, 131072), (5, 16, 4000)]
    return rows


def shrinking_cache(v: Variant) -> Any:
    """The cache has a width of its own, whatever the weights have."""
    return timed(v, shrinks=True)


def narrow_arithmetic(v: Variant) -> Any:
    """Narrow weights are widened before they are used: the arithmetic stays as it is."""
    return timed(v, computes=True)


@check(
    "q6",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "let the cache shrink with the weights": shrinking_cache,
        "let the arithmetic shrink with the weights": narrow_arithmetic,
    },
)
def step_time(v: Variant) -> Any:
    """Weights or arithmetic, the longer one; and then the caches, in their own width."""
    return timed(v)


LINE = odd_line(ASSIGNED, "narrow table state datapath gain")


def wrong_line(v: Variant) -> str:
    """Scales by groups, wide ends, a wide cache, 16-bit arithmetic; and bytes over bytes."""
    return LINE(v)


def table_line(v: Variant) -> str | None:
    """Such schemes leave both ends of the model wide; the line that says so is right."""
    return None if LINE(v) == "line 2" else "line 2"


def cache_line(v: Variant) -> str | None:
    """The cache is a decision of its own: narrow weights leave it as it is."""
    return None if LINE(v) == "line 3" else "line 3"


found = check(
    "q7",
    points=2,
    misconceptions={
        "doubted that a part stays wide": table_line,
        "doubted that the cache stays as it is": cache_line,
    },
)(wrong_line)
