"""Is my model memory-bound or compute-bound? The truths of exercise 00."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np

from grading.check import check
from grading.checks import Row, Rows, alike, doubled, within
from mlsysim import Engine
from mlsysim.core.units import Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import Profile

ASSIGNED: Any = assignment("00_hello_roofline")
LEVERS = ASSIGNED.questions["q4"].choices
EFFICIENCY = 0.5  # what Engine.solve assumes


def drawn(axis: str) -> set[Any]:
    """Whatever an axis may draw, the sample included."""
    return {ASSIGNED.sample[axis], *ASSIGNED.axes[axis]}


# the steps that somebody may be asked about, by batch and length, and those of one request alone
FEW, MANY = {1, *drawn("batch")}, {1, *drawn("crowd")}
ASKED = sorted({*product(FEW, drawn("context")), *product(MANY, drawn("short"))})
PLACE = {asked: place for place, asked in enumerate(ASKED)}


@cache
def steps(model: str, device: str, precision: str = "fp16", lever: str = "") -> Rows:
    """All the decode steps, on a device with one of its numbers doubled."""
    how: Any = {"precision": precision, "kv_precision": precision, "efficiency": EFFICIENCY}
    on = doubled(device, lever) if lever else device
    batches, lengths = np.array(ASKED).T
    return Rows(Engine.solve(model, on, batch_size=batches, seq_len=lengths, **how))


@cache
def solve(model: str, device: str, batch: int, length: int, precision: str = "fp16") -> Any:
    """One decode step, out of those that a class asks for."""
    return Row(steps(model, device, precision), PLACE[batch, length])


def chip(v: Variant) -> tuple[str, str]:
    """The names of the variant's model and of its first device."""
    return v.fields["model"], v.fields["device"]


def step(v: Variant, device: str = "device", precision: str = "fp16") -> Any:
    """The variant's decode step, on its first device or on the other one."""
    return solve(v.fields["model"], v.fields[device], v.batch, v.context, precision)


def crowded(v: Variant, batch: int) -> Any:
    """A decode step of many short requests."""
    return solve(*chip(v), batch, v.short)


# ---- q1 ------------------------------------------------------------------------------------------


def compute_roof(v: Variant) -> Quantity:
    """Work out both roofs, keep the slower: here the bytes take longer than the operations."""
    return step(v).compute_time + step(v).overhead


def without_cache(v: Variant) -> Quantity:
    """A decode step reads the weights once, and each request's keys and values so far."""
    p = step(v)
    return node.memory_time(p.traffic - p.kv_cache, p.bandwidth) + p.overhead


def weights_each(v: Variant) -> Quantity:
    """One pass over the weights serves the whole batch; only the KV cache grows with it."""
    return solve(*chip(v), 1, v.context).latency * v.batch


def taxed_memory(v: Variant) -> Quantity:
    """The efficiency belongs to the arithmetic; in this model the memory roof has none."""
    return step(v).memory_time / EFFICIENCY + step(v).overhead


def one_byte(v: Variant) -> Quantity:
    """A number in fp16 takes two bytes."""
    return step(v, precision="fp8").latency


def whole_table(v: Variant) -> Quantity:
    """All parameters are counted as read, but a step looks up only a few rows of the embedding."""
    p = step(v)
    return node.memory_time(p.weights + p.kv_cache, p.bandwidth) + p.overhead


@check(
    "q1",
    points=2,
    misconceptions={
        "took the compute roof": compute_roof,
        "left out the KV cache": without_cache,
        "streamed the weights once for every request": weights_each,
        "charged the efficiency to the memory roof": taxed_memory,
        "took one byte a parameter": one_byte,
    },
    accept={"whole_table": whole_table},
)
def decode_latency(v: Variant) -> Quantity:
    """Divide the bytes that one step reads by the bandwidth; compare with the arithmetic's time."""
    return step(v).latency


# ---- q2 ------------------------------------------------------------------------------------------


def by_peak(v: Variant) -> Quantity:
    """Peak FLOPS count only under the compute roof; ask first which roof binds this step."""
    return step(v, "other").peak / step(v).peak


def upside_down(v: Variant) -> Quantity:
    """A speed-up is the old time over the new one, so a faster device has one above 1."""
    return 1 / speed_up.truth(v)


def gain(v: Variant) -> Quantity:
    """The question asks how many times as fast it is, not how much is gained; no gain is 1."""
    return speed_up.truth(v) - 1


@check(
    "q2",
    points=2,
    misconceptions={
        "scaled by peak FLOPS": by_peak,
        "took the ratio the wrong way round": upside_down,
        "gave the gain instead of the ratio": gain,
    },
)
def speed_up(v: Variant) -> Quantity:
    """Find the roof that binds the step on each device; the speed-up follows that roof."""
    return step(v).latency / step(v, "other").latency


# ---- q3, q4 --------------------------------------------------------------------------------------


def regime_of_small_batch(v: Variant) -> str:
    """Each further request adds arithmetic but shares the weights: the batch changes the regime."""
    return str(step(v).bottleneck).lower()


@check("q3", misconceptions={"judged the batch of question 1": regime_of_small_batch})
def regime(v: Variant) -> str:
    """Compare the two times, or the arithmetic intensity with the ridge point."""
    return str(crowded(v, v.crowd).bottleneck).lower()


@cache
def best_levers(model: str, device: str) -> list[str]:
    """The number whose doubling shortens a step most, for all the steps."""
    times = [steps(model, device, lever=lever).columns.si("latency") for lever in LEVERS]
    return [LEVERS[best] for best in np.argmin(times, axis=0)]


def lever_from_regime(_: Variant, own: str) -> str:
    """What helps if the regime is the one that the learner chose."""
    return "peak FLOPS" if own == "compute" else "bandwidth"


def other_roof(v: Variant) -> str:
    """A roof that does not bind has room to spare: raising it changes nothing."""
    return "bandwidth" if lever.truth(v) == "peak FLOPS" else "peak FLOPS"


def capacity(_: Variant) -> str:
    """Capacity decides what fits, not how long a step takes."""
    return "capacity"


@check(
    "q4",
    misconceptions={
        "raised the roof that does not bind": other_roof,
        "took room for speed": capacity,
    },
    follows="q3",
    follow=lever_from_regime,
)
def lever(v: Variant) -> str:
    """Only the roof that binds is worth raising."""
    return best_levers(*chip(v))[PLACE[v.crowd, v.short]]


# ---- q5 ------------------------------------------------------------------------------------------


def crossover(v: Variant, **how: Any) -> float:
    """The crossover batch of the variant's model and device."""
    return crossings(*chip(v), **how)[PLACE[1, v.short]]


@cache
def crossings(
    model: str,
    device: str,
    *,
    table: bool = False,
    cache: bool = True,
    efficiency: float = EFFICIENCY,
) -> list[float]:
    """The crossover batch by the solver's own steps; those of one request tell it.

    `table` counts the whole embedding table as read, and without `cache` the KV cache is left out.
    """
    p: Any = steps(model, device).columns
    weights, state = p.weights if table else p.traffic - p.kv_cache, p.kv_cache * float(cache)
    batch = node.crossover_batch(weights, state, p.operations, p.peak, p.bandwidth, efficiency)
    return batch.m_as("").tolist()


def at_full_peak(v: Variant) -> float:
    """The arithmetic runs at peak times efficiency: the roof is lower than the datasheet's."""
    return crossover(v, efficiency=1.0)


def ridge(v: Variant) -> float:
    """The ridge point is in FLOP a byte; turn it into requests with this model's bytes."""
    p = crowded(v, 1)
    return float((p.peak / p.bandwidth).m_as("FLOP/B"))


def cache_free(v: Variant) -> float:
    """Every request also brings a KV cache to read, which pushes the crossover up."""
    return crossover(v, cache=False)


def crossover_whole_table(v: Variant) -> float:
    """All parameters are counted as read, but a step looks up only a few rows of the embedding."""
    return crossover(v, table=True)


@check(
    "q5",
    points=2,
    within=0.015,
    slack=1.0,
    misconceptions={
        "forgot the efficiency": at_full_peak,
        "took the ridge point for a batch": ridge,
        "left out the KV cache": cache_free,
    },
    accept={"whole_table": crossover_whole_table},
)
def crossover_batch(v: Variant) -> float:
    """Weights are read once for the whole batch; operations and KV cache come with each request."""
    return crossover(v)


# ---- q6, q7 --------------------------------------------------------------------------------------


def weights_only(v: Variant) -> Quantity:
    """The KV cache of every request in the batch lies beside the weights."""
    return step(v).weights


def every_head(v: Variant) -> Quantity | None:
    """In grouped-query attention query heads share keys and values: count the KV heads."""
    p, share = step(v), v.model.heads / v.model.key_heads
    return p.weights + p.kv_cache * share if share > 1 else None


def four_bytes(v: Variant) -> Any:
    """A number in fp16 takes two bytes, not four."""
    return v.model.weights("fp32") + v.model.kv_cache(v.context, v.batch, "fp32")


@check(
    "q6",
    points=2,
    misconceptions={
        "left out the KV cache": weights_only,
        "gave every query head its own keys and values": every_head,
        "took four bytes a number": four_bytes,
    },
)
def memory_needed(v: Variant) -> Quantity:
    """Weights, and the keys and values of every token of every request."""
    return step(v).memory_required


def room(v: Variant, cache: Any, *, beside_weights: bool = True) -> float | None:
    """Requests that fit when each keeps `cache` bytes."""
    p = step(v)
    free = p.memory_capacity - p.weights if beside_weights else p.memory_capacity
    return float(np.floor((free / cache).m_as(""))) if cache.magnitude > 0 else None


def forgot_weights(v: Variant) -> float | None:
    """The weights lie in the same memory; only what they leave is free for requests."""
    return room(v, step(v).kv_cache / v.batch, beside_weights=False)


def every_head_requests(v: Variant) -> float | None:
    """In grouped-query attention query heads share keys and values: count the KV heads."""
    share = v.model.heads / v.model.key_heads
    return room(v, step(v).kv_cache / v.batch * share) if share > 1 else None


def whole_need_each(v: Variant) -> float:
    """The weights are there once, however many requests there are."""
    p = solve(*chip(v), 1, v.context)
    return float(np.floor((p.memory_capacity / p.memory_required).m_as("")))


def requests_from_own_need(v: Variant, own: Quantity) -> float | None:
    """What follows from the learner's own memory need."""
    return room(v, (own - step(v).weights) / v.batch)


@check(
    "q7",
    points=2,
    within=0.015,
    slack=1.0,
    misconceptions={
        "forgot that the weights take room too": forgot_weights,
        "gave every query head its own keys and values": every_head_requests,
        "loaded the weights once for every request": whole_need_each,
    },
    follows="q6",
    follow=requests_from_own_need,
)
def requests_that_fit(v: Variant) -> float | None:
    """What the weights leave free, divided by one request's KV cache, and no half requests."""
    return room(v, step(v).kv_cache / v.batch)


# ---- q8 ------------------------------------------------------------------------------------------

SPARE = 1.1  # how much more peak than the step can use the chip may have
ROUNDED = 0.005  # how far a bandwidth that was rounded may lie from the device's


def on(v: Variant, mine: HardwareNode) -> Profile:
    """The variant's decode step on a chip of the learner's own."""
    how = {"precision": "fp16", "kv_precision": "fp16", "efficiency": EFFICIENCY}
    return Engine.solve(v.model, mine, batch_size=v.batch, seq_len=v.context, **how)


def used(v: Variant, mine: HardwareNode) -> float:
    """The arithmetic's time as a part of the memory's: 1 where the step uses all of the peak."""
    p = on(v, mine)
    return float((p.compute_time / p.memory_time).m_as(""))


def as_strong(v: Variant, mine: HardwareNode) -> bool:
    """Most of that peak waits for the memory; work out how much of it the step can use."""
    return alike(mine.peak("fp16"), v.device.peak("fp16"), ROUNDED)


def all_of_the_peak(v: Variant, mine: HardwareNode) -> bool:
    """Half of the peak is reached, so the chip needs twice the operations a second."""
    return within(1 / SPARE, EFFICIENCY * used(v, mine), 1 + ROUNDED)


@check(
    "q8",
    points=2,
    misconceptions={"left the peak as it was": as_strong, "forgot the efficiency": all_of_the_peak},
)
def just_enough(v: Variant, mine: HardwareNode) -> dict[str, bool]:
    """Operations over half of the peak take as long as bytes over the bandwidth: solve for it."""
    same = alike(mine.memory.bandwidth, v.device.memory.bandwidth, ROUNDED)
    return {
        f"its bandwidth is that of the {v.device.name}": same,
        "its memory holds the step": bool(on(v, mine).feasible),
        "its arithmetic keeps up with its memory": used(v, mine) < 1 + ROUNDED,
        "it has at most 10 % more peak than the step can use": used(v, mine) > 1 / SPARE - 1e-9,
    }
