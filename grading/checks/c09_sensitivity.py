"""FLOPS or bandwidth? The truths of exercise 09."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from grading.check import Inputs, check
from grading.checks import doubled, odd_line, told, within
from mlsysim import Engine, Hardware, SynthesisSolver
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.hardware.types import HardwareNode

ASSIGNED: Any = assignment("09_sensitivity")
LINES = "line_1 line_2 line_3 line_4 line_5"
LEVERS = ASSIGNED.questions["q3"].choices
SPARE = 1.1  # what a chip may have of what it needs, at most


@cache
def least(model: str, late: float, batch: int, context: int, precision: str = "fp16") -> Any:
    """The least chip for a decode step within so many ms."""
    how: Any = {"precision": precision, "kv_precision": precision, "batch_size": batch}
    return SynthesisSolver().solve(model, Q_(late, "ms"), seq_len=context, **how)


def drawn(v: Variant, batch: int | None = None, precision: str = "fp16") -> Any:
    """The chip of question 1."""
    return least(v.fields["model"], v.late, batch or v.batch, v.context, precision)


@cache
def kept(model: str, context: int, batch: int) -> Quantity:
    """The bytes of so many users' keys and values."""
    return Engine.solve(model, "H100", batch_size=batch, seq_len=context).kv_cache


def caches(v: Variant, context: int, batch: int) -> Quantity:
    """The caches of so many users of the variant's model."""
    return kept(v.fields["model"], context, batch)


def over(v: Variant, size: Any) -> Quantity:
    """The bandwidth that brings so many bytes before the deadline."""
    return size / Q_(v.late, "ms")


# ---- q1, q2 --------------------------------------------------------------------------------------


def weights_alone(v: Variant) -> Quantity:
    """The KV cache of every user is read in each step too."""
    return over(v, drawn(v).traffic - caches(v, v.context, v.batch))


def weights_each(v: Variant) -> Any:
    """One pass over the weights serves all users; only their caches add up."""
    return drawn(v, 1).required_bw * v.batch


def one_byte(v: Variant) -> Quantity | None:
    """A number in fp16 takes two bytes."""
    half = drawn(v, precision="fp8").required_bw
    return told(half, weights_alone(v))  # half of all may be the caches


def whole_table(v: Variant) -> Quantity:
    """All parameters are counted as read, but a step looks up only a few rows of the embedding."""
    return over(v, v.model.weights("fp16") + caches(v, v.context, v.batch))


@check(
    "q1",
    points=2,
    within=0.015,
    misconceptions={
        "left out the caches": weights_alone,
        "let every user read the weights again": weights_each,
        "took one byte a number": one_byte,
    },
    accept={"whole_table": whole_table},
)
def bandwidth(v: Variant) -> Any:
    """All bytes of a step, weights once and the cache of each user, over the deadline."""
    return drawn(v).required_bw


def traffic_of_crowd(v: Variant) -> Quantity:
    """The bytes of a step of the crowd."""
    return least(v.fields["model"], v.late, v.crowd, v.longer).traffic


def unchanged(v: Variant) -> Quantity:
    """The chip was drawn for fewer and smaller caches; the crowd's come on top of the weights."""
    return Q_(v.late, "ms")


def as_many_times(v: Variant) -> Quantity:
    """The weights are read once, however many users there are; only the caches grow."""
    return Q_(v.late, "ms") * v.crowd / v.batch


def old_contexts(v: Variant) -> Quantity | None:
    """The crowd's users have tokens of their own, not as many as those of question 1."""
    size = least(v.fields["model"], v.late, v.crowd, v.context).traffic
    return told(size / bandwidth.truth(v), late_step.truth(v))  # a window may hold no more


def by_own_bandwidth(v: Variant, own: Quantity) -> Quantity | None:
    """What follows from the learner's own bandwidth."""
    return traffic_of_crowd(v) / own if own.magnitude > 0 else None


@check(
    "q2",
    points=2,
    misconceptions={
        "kept the deadline": unchanged,
        "stretched the step by the number of users": as_many_times,
        "gave the crowd the contexts of question 1": old_contexts,
    },
    follows="q1",
    follow=by_own_bandwidth,
)
def late_step(v: Variant) -> Quantity:
    """Add up the crowd's bytes (the weights once), and divide them by the bandwidth you built."""
    return traffic_of_crowd(v) / bandwidth.truth(v)


# ---- q3 ------------------------------------------------------------------------------------------


@cache
def quicker(model: str, device: str, phase: str, users: int, tokens: int, level: str) -> frozenset:
    """The changes that shorten a step by more than 1 %, at a level of cost."""
    chip = Hardware[device]
    overhead = chip.dispatch_tax or Q_(0, "s")
    changed = {
        "twice the FLOPS": (doubled(device, "peak"), tokens),
        "twice the bandwidth": (doubled(device, "bandwidth"), tokens),
        "twice the capacity": (doubled(device, "capacity"), tokens),
        "half the tokens": (chip, tokens // 2),
        "half the dispatch": (chip.replace(dispatch_tax=overhead / 2), tokens),
    }

    def time(hardware: HardwareNode, length: int) -> float:
        how = {"batch_size": users, "seq_len": length, "phase": phase, "stack": level}
        return Engine.solve(model, hardware, **how).si("latency")

    now = time(chip, tokens)
    return frozenset(name for name in LEVERS if time(*changed[name]) < 0.99 * now)


def levers(v: Variant, level: Any = "ideal") -> frozenset:
    """The changes that help the variant's step."""
    own = v.fields
    return quicker(own["model"], own["device"], v.phase, v.users, v.tokens, level)


def one_roof(v: Variant) -> frozenset | None:
    """Operators wait for each other, so a step may spend time under both roofs, in turn."""
    return levers(v, None)


def with_capacity(v: Variant) -> frozenset:
    """Capacity decides what fits, not how long a step takes."""
    return levers(v) | {"twice the capacity"}


def everything(v: Variant) -> frozenset:
    """Most resources are worth exactly nothing where another one binds."""
    return frozenset(LEVERS)


@check(
    "q3",
    points=2,
    misconceptions={
        "put the whole step under one roof": one_roof,
        "took room for speed": with_capacity,
        "thought that every upgrade helps a little": everything,
    },
)
def helpful(v: Variant) -> frozenset:
    """Ask of each change which part of the step it touches: matrix products, caches, or neither."""
    return levers(v)


# ---- q4, q5 --------------------------------------------------------------------------------------


def gain_over_gain(v: Variant) -> float:
    """A gain in throughput is no share of time: turn both into times first."""
    return (v.gain - 1) / (v.ratio - 1)


def ratio_over_ratio(v: Variant) -> float:
    """The part that did not get faster is in both throughputs; subtract times instead."""
    return v.gain / v.ratio


def saved(v: Variant) -> float | None:
    """That is the time saved. The bandwidth saves only a part of the time that waits for it."""
    return told(1 - 1 / v.gain, gain_over_gain(v))


@check(
    "q4",
    points=2,
    misconceptions={
        "divided a gain by a gain": gain_over_gain,
        "divided a ratio by a ratio": ratio_over_ratio,
        "took the time saved for the time spent": saved,
    },
)
def waiting(v: Variant) -> float:
    """The time saved, 1 - 1/gain, is the share times what bandwidth saves of it, 1 - 1/ratio."""
    return (1 - 1 / v.gain) / (1 - 1 / v.ratio)


def blames_the_efficiency(v: Variant) -> str:
    """Only a part of the peak is reached, so that the peak must be larger: η divides it."""
    return "line 4"


def blames_the_deadline(v: Variant) -> str:
    """The efficiency belongs to arithmetic: bytes are divided by the deadline and nothing else."""
    return "line 2"


@check(
    "q5",
    points=2,
    misconceptions={
        "doubted the efficiency where it is right": blames_the_efficiency,
        "wanted an efficiency for the bytes": blames_the_deadline,
    },
)
def wrong_line(v: Variant) -> str:
    """Weights are read once, caches and operations come with each user; η is arithmetic's alone."""
    return odd_line(ASSIGNED, LINES)(v)


# ---- q6, q7 --------------------------------------------------------------------------------------


NEEDS = {"bandwidth": "required_bw", "peak": "required_flops", "capacity": "required_capacity"}


def spare(v: Variant, chip: HardwareNode) -> dict[str, float]:
    """What a chip has of each need of question 1, as a part of it."""
    has, must = chip.supply("fp16"), drawn(v)
    return {name: getattr(has, name) / must.si(field) for name, field in NEEDS.items()}


def planned_for_weights(v: Variant, chip: HardwareNode) -> bool:
    """The caches of all users are read in each step, and lie beside the weights."""
    part = float((weights_alone(v) / drawn(v).required_bw).m_as(""))
    return within(0.95, spare(v, chip)["bandwidth"] / part, SPARE)


def bits(v: Variant, chip: HardwareNode) -> bool:
    """A memory's bandwidth is in bytes: TB/s, not Tb/s."""
    part = spare(v, chip)["bandwidth"]
    return any(within(0.95, part / slip, SPARE) for slip in (1 / 8, 8))


def whole_peak(v: Variant, chip: HardwareNode) -> bool:
    """Half of the peak is reached, so the chip needs twice the operations a second."""
    return within(0.95, 2 * spare(v, chip)["peak"], SPARE)


@check(
    "q6",
    points=3,
    misconceptions={
        "planned for the weights alone": planned_for_weights,
        "took bits for bytes": bits,
        "forgot the efficiency": whole_peak,
    },
)
def chip(v: Variant, mine: HardwareNode) -> dict[str, bool]:
    """Work out bytes, operations and room of one step, and divide the first two by the deadline."""
    parts = spare(v, mine)
    enough = {f"its {name} is enough": part >= 0.9995 for name, part in parts.items()}
    return enough | {
        f"its {name} has at most 10 % to spare": part <= SPARE for name, part in parts.items()
    }


Share = Callable[[float, float, float, float], float]


def share(v: Variant, *, eta: float | None = None) -> Share:
    """The function that is asked for."""
    peak = v.device.peak("fp16").m_as("FLOP/s") * (eta or v.eta)
    bandwidth = v.device.memory.bandwidth.m_as("B/s")

    def memory_share(
        weight_bytes: float, weight_flop: float, cache_bytes: float, cache_flop: float
    ) -> float:
        parts = [
            (weight_bytes / bandwidth, weight_flop / peak),
            (cache_bytes / bandwidth, cache_flop / peak),
        ]
        whole = sum(max(part) for part in parts)
        return sum(memory for memory, work in parts if memory > work) / whole if whole else 0.0

    return memory_share


def full_peak(v: Variant) -> Share:
    """Operations run at the part of the peak that is reached."""
    return share(v, eta=1.0)


def one_maximum(v: Variant) -> Share:
    """Products and caches come one after the other: each has a maximum of its own."""
    own = share(v)

    def memory_share(
        weight_bytes: float, weight_flop: float, cache_bytes: float, cache_flop: float
    ) -> float:
        return own(weight_bytes + cache_bytes, weight_flop + cache_flop, 0.0, 0.0)

    return memory_share


def hidden(v: Variant) -> Inputs:
    """Steps from one user to a full house, one that η decides, and with nothing at all."""
    weights = float(v.model.weights("fp16").m_as("B"))
    cache = caches(v, v.context, 1).m_as("B")
    steps = [
        (weights, weights * users, cache * users, cache * users * 2)
        for users in (1, 40, 150, 260, 400, 700, 1200)
    ]
    steps += [(0.0, 0.0, cache, cache), (weights, 0.0, 0.0, 0.0), (0.0, weights, 0.0, 0.0)]
    ridge = (v.device.peak("fp16") / v.device.memory.bandwidth).m_as("FLOP/B")
    return [*steps, (weights, weights * ridge * (1 + v.eta) / 2, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)]


@check(
    "q7",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "took one maximum for the whole step": one_maximum,
        "forgot the efficiency": full_peak,
    },
)
def memory_share(v: Variant) -> Share:
    """Two parts, two maxima; the share is the sum of those that memory wins over the sum of all."""
    return share(v)
