"""Wall 5: how many sequences fit together, and which batch is worth waiting for."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, lazily, show
from mlsysim.core.units import Q_, Dim, unit_of
from mlsysim.equations import node
from mlsysim.equations import serving as eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import DECODE
from mlsysim.models.types import Workload
from mlsysim.solvers.node.replica import decoder
from mlsysim.solvers.node.serving import TAIL, ServingModel
from mlsysim.solvers.node.single import Profile, Stack, ask, context_notes, one_each

DECODE_TOKENS = 128.0  # a teaching value
Candidates = Annotated[Any, Dim("", whole=True, high=1e5)]


class Batched(Result):
    """How many sequences share a device, with a slot of full length each and with pages.

    `gain` is pages over slots; `itl` and `throughput` are those of a decode step of `paged_batch`
    sequences at their mean length.
    """

    walls = (5,)

    static_batch: u.Number
    paged_batch: u.Number
    gain: u.Number = lazily(
        "", lambda paged, static: paged / static if static else None, "paged_batch", "static_batch"
    )
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
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        seq_len: u.Count | None = None,
        max_seq_len: u.Count | None = None,
        page_size: u.Count = 16.0,
        reserve: u.BytesOrZero = 0.0,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Stack | None = None,
    ) -> Batched:
        """Fill one device with sequences of `seq_len` tokens, prompt and answer together.

        `seq_len` is one number, or a list of lengths that were observed. `max_seq_len` is what a
        static slot holds, by default the model's context. A page of 16 tokens is vLLM's default.
        """
        decoder(model)
        one_each({key: value for key, value in locals().items() if key != "seq_len"})
        question = ask(model, hardware, precision, efficiency, kv_precision, stack)
        supply = question.supply
        lengths = np.atleast_1d(question.step(1.0, seq_len, DECODE).seq_len)
        mean, longest = float(lengths.mean()), float(lengths.max())
        allowed = float(max_seq_len or max(getattr(model, "context", 1.0), longest))
        if allowed < longest:
            remedy = f"sequences reach {longest:,.0f} tokens; give at least that"
            raise BadArgument("max_seq_len", f"{allowed:,.0f}", remedy)

        def state(tokens: Any) -> float:
            return float(np.mean(model.held_state(question.step(1.0, tokens, DECODE))))

        def decode(batch: float) -> Profile:
            return question.profile(question.step(max(batch, 1.0), mean, DECODE))

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
            notes=context_notes(model, allowed),
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
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        arrival_rate_qps: u.Queries,
        sla_latency_ms: u.Milliseconds,
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
        one_each(locals())
        batches = np.arange(1.0, max_batch_size + 1)
        runs = _runs(model, hardware, batches, seq_len, decode_tokens, precision, efficiency)
        capacity = node.throughput(batches, runs.si("latency"))
        usable = runs.feasible & (arrival_rate_qps < capacity)
        asked = {
            "arrival_rate": arrival_rate_qps,
            "sla_latency": sla_latency_ms,
            "precision": precision,
            "notes": runs.notes,
        }
        if not usable.any():
            reason = _why_none(runs, capacity, arrival_rate_qps)
            return BatchPlan(**_NOTHING, feasible=False, reason=reason, pareto_front=[], **asked)

        waits = _waits(batches[usable], runs.si("latency")[usable], arrival_rate_qps)
        within = waits.p99_latency <= sla_latency_ms
        quickest = int(np.argmin(waits.p99_latency))
        best = int(np.argmax(np.where(within, waits.throughput, 0.0)))
        shown = {quickest, best if within.any() else quickest}
        front = [waits.row(i, sla_latency_ms) for i in _front(waits, shown)]
        if not within.any():
            reason = (
                f"No batch meets {show(_ms(sla_latency_ms))}: the quickest, of "
                f"{int(waits.batch_size[quickest])}, takes "
                f"{show(_ms(waits.p99_latency[quickest]))} at the 99th "
                "percentile; use a faster device, shorter requests or a longer SLA."
            )
            return BatchPlan(**_NOTHING, feasible=False, reason=reason, pareto_front=front, **asked)
        return BatchPlan(
            best_batch_size=int(waits.batch_size[best]),
            p99_latency=float(waits.p99_latency[best]),
            throughput=float(waits.throughput[best]),
            utilization=float(waits.utilization[best]),
            feasible=True,
            reason="",
            pareto_front=front,
            **asked,
        )


_NOTHING = dict.fromkeys(("best_batch_size", "p99_latency", "throughput", "utilization"))


class _Waits(NamedTuple):
    """Columns over batches that the device keeps up with; times in seconds."""

    batch_size: np.ndarray
    p99_latency: np.ndarray
    throughput: np.ndarray
    utilization: np.ndarray
    fill_time: np.ndarray
    queue_wait: np.ndarray
    service_time: np.ndarray

    def row(self, i: int, sla: float) -> dict[str, Any]:
        """One batch, with units."""
        times = ("fill_time", "queue_wait", "service_time")
        return {
            "batch_size": int(self.batch_size[i]),
            "p99_latency": _ms(self.p99_latency[i]),
            "throughput": Q_(float(self.throughput[i]), unit_of("1/s")),
            "utilization": float(self.utilization[i]),
            **{name: _ms(getattr(self, name)[i]) for name in times},
            "meets_sla": bool(self.p99_latency[i] <= sla),
        }


def _waits(batches: np.ndarray, service: np.ndarray, arrival: float) -> _Waits:
    """What the request that opens a batch waits for at the 99th percentile."""
    capacity = node.throughput(batches, service)
    utilization = arrival / capacity
    # two waits share the tail between them, except where there is only one
    fill = eq.fill_wait(batches, arrival, NormalDist().inv_cdf(1 - TAIL / 2))
    tail = np.where(batches > 1, TAIL / 2, TAIL)
    wait = eq.wait_quantile(eq.batch_wait(batches, service, utilization), utilization, tail)
    p99 = eq.batch_start(batches, fill, wait, service) + service
    queue = eq.batch_start(batches, 0.0, wait, service)
    return _Waits(batches, p99, capacity, utilization, fill, queue, service)


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
    question = ask(model, hardware, precision, efficiency)
    return question.profile(question.step(batches, seq_len, None))


def _front(waits: _Waits, shown: set[int]) -> list[int]:
    """Of the batches that none dominates, the powers of two and those that must be `shown`."""
    batches, p99 = waits.batch_size, waits.p99_latency
    order = np.lexsort((p99, -waits.throughput))  # most first; what follows must be quicker
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
