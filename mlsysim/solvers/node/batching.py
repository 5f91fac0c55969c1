"""Wall 5: how many sequences fit together, and which batch is worth waiting for."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Result, Solver, lazily, show
from mlsysim.core.units import PRECISIONS, Q_, Dim, unit_of
from mlsysim.equations import node
from mlsysim.equations import serving as eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import DECODE, Step
from mlsysim.models.types import Workload
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.serving import TAIL, Milliseconds, Queries, ServingModel, decoder
from mlsysim.solvers.node.single import Profile, context_notes, profile

DECODE_TOKENS = 128.0  # a teaching value
Candidates = Annotated[Any, Dim("", whole=True, high=1e5)]


def _one(**arguments: Any) -> None:
    """Raise BadArgument for an argument that holds several numbers."""
    for name, value in arguments.items():
        if np.ndim(value):
            raise BadArgument(name, value, "give one number")


def _gain(b: Batched) -> Any:
    return b.si("paged_batch") / b.si("static_batch") if b.si("static_batch") else None


class Batched(Result):
    """How many sequences share a device, with a slot of full length each and with pages.

    `gain` is pages over slots; `itl` and `throughput` are those of a decode step of `paged_batch`
    sequences at their mean length.
    """

    walls = (5,)

    static_batch: u.Number
    paged_batch: u.Number
    gain: u.Number = lazily("", _gain)
    static_fragmentation: u.Number
    paged_fragmentation: u.Number
    static_throughput: u.Rate = "1/s"
    throughput: u.Rate = "1/s"
    itl: u.Seconds = "ms"
    decode_bottleneck: str
    feasible: bool
    reason: str
    memory_left: u.Bytes = "GB"
    sequence: u.Bytes = "MB"
    weights: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    page_size: u.Number
    max_seq_len: u.Number
    mean_seq_len: u.Number
    precision: str
    notes: tuple


class ContinuousBatchingModel(Solver):
    """Wall 5: how many sequences decode together, and what reserving memory in pages gains.

    Static slots hold the longest sequence allowed; pages hold what a sequence has, rounded up to
    the page. The room is the device's memory less the weights and less `reserve`, for activations
    and the runtime's own.

    Fallacy: "The memory is full, so it is used." Most of a static slot holds nothing.
    """

    walls = (5,)

    def solve(
        self,
        model: Workload,
        hardware: HardwareNode,
        *,
        seq_len: u.Count | None = None,
        max_seq_len: u.Count | None = None,
        page_size: u.Count = 16.0,
        reserve: u.BytesOrZero = 0.0,
        precision: u.Precision = "fp16",
        efficiency: u.Fraction = 0.5,
    ) -> Batched:
        """Fill one device with sequences of `seq_len` tokens, prompt and answer together.

        `seq_len` is one number, or a list of lengths that were observed. `max_seq_len` is what a
        static slot holds, by default the model's context. A page of 16 tokens is vLLM's default.
        """
        decoder(model)
        _one(max_seq_len=max_seq_len, page_size=page_size, reserve=reserve, efficiency=efficiency)
        supply, width = hardware.supply(precision), PRECISIONS[precision]
        lengths = np.atleast_1d(model.step(1.0, seq_len, DECODE, width).seq_len)
        mean, longest = float(lengths.mean()), float(lengths.max())
        allowed = float(max_seq_len or max(getattr(model, "context", 1.0), longest))
        if allowed < longest:
            remedy = f"sequences reach {longest:,.0f} tokens; give at least that"
            raise BadArgument("max_seq_len", f"{allowed:,.0f}", remedy)

        def state(tokens: Any) -> float:
            return float(np.mean(model.held_state(Step(1.0, tokens, DECODE, width))))

        def decode(batch: float) -> Profile:
            step = model.step(max(batch, 1.0), mean, DECODE, width)
            return profile(cost.demand(model, step), supply, step, efficiency, precision)

        alone = decode(1.0)
        weights = alone.si("weights")
        room = supply.capacity - weights - reserve
        used, slot = state(lengths), state(allowed)
        pages = state(eq.page_rounded(lengths, page_size))
        static_batch, paged_batch = float(eq.slots(room, slot)), float(eq.slots(room, pages))
        fits, running = paged_batch >= 1, decode(paged_batch)
        return Batched(
            static_batch=static_batch,
            paged_batch=paged_batch,
            static_fragmentation=eq.unused_share(used, slot),
            paged_fragmentation=eq.unused_share(used, pages),
            static_throughput=decode(static_batch).si("throughput") if static_batch else 0.0,
            throughput=running.si("throughput") if fits else 0.0,
            itl=running.si("latency") if fits else None,
            decode_bottleneck=running.bottleneck if fits else "",
            feasible=fits,
            reason="" if fits else _no_room(weights, reserve, pages, supply.capacity),
            memory_left=max(room, 0.0),
            sequence=pages,
            weights=weights,
            memory_capacity=supply.capacity,
            page_size=page_size,
            max_seq_len=allowed,
            mean_seq_len=mean,
            precision=precision,
            notes=context_notes(model, Step(1.0, allowed, DECODE, width)),
        )


def _no_room(weights: float, reserve: float, sequence: float, capacity: float) -> str:
    parts = {"weights": weights, "one sequence": sequence, "reserve": reserve}
    listed = ", ".join(f"{name} {_gb(value)}" for name, value in parts.items() if value)
    return (
        f"Not one sequence fits: {listed}, and the device holds {_gb(capacity)}; "
        "split the model over several devices or use a narrower precision."
    )


def _gb(value: float) -> str:
    return show(Q_(value / 1e9, "GB"))


def _ms(value: float) -> Any:
    return Q_(float(value) * 1e3, unit_of("ms"))


class BatchPlan(Result):
    """The batch that lets a device serve most requests within the SLA, and the trade-off around it.

    A row of `pareto_front` is a batch that no other beats both in throughput and in latency:
    `batch_size`, `p99_latency`, `throughput` (the requests a second that the device can serve so),
    `utilization`, `meets_sla`. The latency is the longer of `fill_time` and `queue_wait` (until
    the device is free), and then `service_time`.
    """

    walls = (5,)

    best_batch_size: int
    p99_latency: u.Seconds = "ms"
    throughput: u.Rate = "1/s"
    utilization: u.Number
    feasible: bool
    reason: str
    pareto_front: list
    sla_latency: u.Seconds = "ms"
    arrival_rate: u.Rate = "1/s"
    precision: str
    notes: tuple


class BatchingOptimizer(Solver):
    """Wall 5: the batch to collect before each run, so that the device serves most within an SLA.

    A batch starts when it is full and the device is free, and runs to its end: prefill and all
    decode steps, or one forward pass. The 99th percentile is that of the request that opens a
    batch, which waits longest. Arrivals are Poisson, and bounds are taken from above: a promise
    that can be kept.

    Fallacy: "A larger batch is more throughput." Only where there is time to wait for it to fill.
    """

    walls = (5,)

    def solve(
        self,
        model: Workload,
        hardware: HardwareNode,
        *,
        arrival_rate_qps: Queries,
        sla_latency_ms: Milliseconds,
        seq_len: u.Count | None = None,
        decode_tokens: u.Count | None = None,
        precision: u.Precision = "fp16",
        efficiency: u.Fraction = 0.5,
        max_batch_size: Candidates = 256.0,
    ) -> BatchPlan:
        """Search every batch size up to `max_batch_size`.

        A request is a prompt of `seq_len` tokens and an answer of `decode_tokens`, 128 unless
        given; that and the largest batch of 256 are teaching values.
        """
        _one(
            arrival_rate_qps=arrival_rate_qps,
            sla_latency_ms=sla_latency_ms,
            seq_len=seq_len,
            decode_tokens=decode_tokens,
            efficiency=efficiency,
            max_batch_size=max_batch_size,
        )
        batches = np.arange(1.0, max_batch_size + 1)
        runs = _runs(model, hardware, batches, seq_len, decode_tokens, precision, efficiency)
        asked = {
            "arrival_rate": arrival_rate_qps,
            "sla_latency": sla_latency_ms,
            "precision": precision,
            "notes": runs.notes,
        }
        capacity = node.throughput(batches, runs.si("latency"))
        utilization = arrival_rate_qps / capacity
        usable = runs.feasible & (utilization < 1)
        if not usable.any():
            reason = _why_none(runs, capacity, arrival_rate_qps)
            return BatchPlan(**_NOTHING, feasible=False, reason=reason, pareto_front=[], **asked)

        batches, capacity, utilization, service = (
            column[usable] for column in (batches, capacity, utilization, runs.si("latency"))
        )
        # two waits share the tail between them, except where there is only one
        fill = eq.fill_wait(batches, arrival_rate_qps, NormalDist().inv_cdf(1 - TAIL / 2))
        tail = np.where(batches > 1, TAIL / 2, TAIL)
        mean_wait = eq.batch_wait(batches, service, utilization)
        wait = eq.wait_quantile(mean_wait, utilization, tail)
        queue = eq.batch_start(batches, 0.0, wait, service)
        p99 = eq.batch_start(batches, fill, wait, service) + service
        within = p99 <= sla_latency_ms
        quickest = int(np.argmin(p99))
        best = int(np.argmax(np.where(within, capacity, 0.0))) if within.any() else quickest
        front = [
            {
                "batch_size": int(batches[i]),
                "p99_latency": _ms(p99[i]),
                "throughput": Q_(float(capacity[i]), unit_of("1/s")),
                "utilization": float(utilization[i]),
                "fill_time": _ms(fill[i]),
                "queue_wait": _ms(queue[i]),
                "service_time": _ms(service[i]),
                "meets_sla": bool(within[i]),
            }
            for i in _front(batches, p99, capacity, {quickest, best})
        ]
        if not within.any():
            reason = (
                f"No batch meets {show(_ms(sla_latency_ms))}: the quickest, of "
                f"{int(batches[quickest])}, takes {show(_ms(p99[quickest]))} at the 99th "
                "percentile; use a faster device, shorter requests or a longer SLA."
            )
            return BatchPlan(**_NOTHING, feasible=False, reason=reason, pareto_front=front, **asked)
        return BatchPlan(
            best_batch_size=int(batches[best]),
            p99_latency=float(p99[best]),
            throughput=float(capacity[best]),
            utilization=float(utilization[best]),
            feasible=True,
            reason="",
            pareto_front=front,
            **asked,
        )


_NOTHING = dict.fromkeys(("best_batch_size", "p99_latency", "throughput", "utilization"))


def _runs(
    model: Workload,
    hardware: HardwareNode,
    batches: Any,
    seq_len: Any,
    decode_tokens: Any,
    precision: Any,
    efficiency: Any,
) -> Any:
    """One run of every batch: a result with `latency`, `feasible` and `reason` in columns."""
    if DECODE in model.phases:
        return ServingModel().solve(
            model,
            hardware,
            seq_len=seq_len,
            decode_tokens=decode_tokens or DECODE_TOKENS,
            batch_size=batches,
            precision=precision,
            efficiency=efficiency,
        )
    if decode_tokens is not None:
        remedy = f"{model.name} does not decode; leave it out"
        raise BadArgument("decode_tokens", decode_tokens, remedy)
    step = model.step(batches, seq_len, None, PRECISIONS[precision])
    demand, supply = cost.demand(model, step), hardware.supply(precision)
    return profile(demand, supply, step, efficiency, precision, context_notes(model, step))


def _front(
    batches: np.ndarray, p99: np.ndarray, capacity: np.ndarray, shown: set[int]
) -> list[int]:
    """Of the batches that none dominates, the powers of two and those that must be `shown`."""
    order = np.lexsort((p99, -capacity))  # most throughput first; what follows must be quicker
    quickest = np.concatenate([[np.inf], np.minimum.accumulate(p99[order])[:-1]])
    kept = order[p99[order] < quickest]
    return sorted(int(i) for i in kept if i in shown or math.log2(batches[i]).is_integer())


def _why_none(runs: Any, capacity: np.ndarray, arrival: float) -> str:
    if not runs.feasible.any():
        return runs[0].reason
    most = float(capacity[runs.feasible].max())
    return (
        f"No batch keeps up with {arrival:,.4g} requests a second: the most that this device "
        f"serves is {most:,.4g}; share the load over {int(arrival // most) + 1:,} devices."
    )
