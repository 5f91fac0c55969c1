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
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.models.types import Workload
from mlsysim.solvers.node.inflight import server
from mlsysim.solvers.node.replica import RESERVE, Replica, decoder
from mlsysim.solvers.node.serving import TAIL
from mlsysim.solvers.node.single import Question, ask, context_notes, one_each
from mlsysim.stacks.ranges import Ranged, trust, within
from mlsysim.stacks.types import IDEAL, Level

DECODE_TOKENS = 128.0  # a teaching value
Candidates = Annotated[Any, Dim("", whole=True, high=1e5)]


class Batched(Ranged):
    """How many sequences share a device, with a slot of full length each and with pages.

    `gain` is pages over slots; `itl` is a decode step of `paged_batch` sequences at their mean
    length. `throughput` counts answered tokens, and the time that reading the prompts takes of
    the device besides; `decode_throughput` leaves that out.
    """

    walls = (5,)
    leads = "throughput"

    static_batch: u.Number
    paged_batch: u.Number
    gain: u.Number = lazily(
        "", lambda paged, static: paged / static if static else None, "paged_batch", "static_batch"
    )
    static_fragmentation: u.Number
    paged_fragmentation: u.Number
    static_throughput: u.Rate = "token/s"
    throughput: u.Rate = "token/s"
    decode_throughput: u.Rate = "token/s"
    itl: u.Seconds = "ms"
    prefill_time: u.Seconds = "ms"
    decode_bottleneck: str
    feasible: bool
    reason: str
    memory_left: u.Bytes = "GB"
    reserve: u.Bytes = "GB"
    sequence: u.Bytes = "MB"
    weights: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    page_size: u.Number
    max_seq_len: u.Number
    mean_seq_len: u.Number
    decode_tokens: u.Number
    precision: str
    notes: tuple


class ContinuousBatchingModel(Solver):
    """Wall 5: how many sequences decode together, and what reserving memory in pages gains.

    Static slots hold the longest sequence allowed; pages hold what a sequence has, rounded up to
    the page. The room is the device's memory less the weights and less `reserve`, which the runtime
    keeps free; a sequence takes its cache and its part of a decode step's activations.

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
        decode_tokens: u.Count = DECODE_TOKENS,
        page_size: u.Count = 16.0,
        reserve: u.BytesOrZero | None = None,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Level | None = None,
    ) -> Batched:
        """Fill one device with sequences of `seq_len` tokens, prompt and answer together.

        `seq_len` is one number, or a list of lengths that were observed; `decode_tokens` of each
        are answered, 128 unless given (a teaching value), or all but one where it has no more.
        `max_seq_len` is what a static slot holds, by default the model's context. A page of 16
        tokens is vLLM's default, as is a `reserve` of a tenth of the device's memory.
        """
        decoder(model)
        one_each({key: value for key, value in locals().items() if key != "seq_len"})
        replica = Replica(ask(model, hardware, precision, efficiency, kv_precision, stack))
        question = replica.question
        capacity = question.supply.capacity
        kept = RESERVE * capacity if reserve is None else float(reserve)
        lengths = np.atleast_1d(question.step(1.0, seq_len, DECODE).seq_len)
        mean, allowed = float(lengths.mean()), _allowed(model, float(lengths.max()), max_seq_len)

        def state(tokens: Any) -> float:
            return float(np.mean(model.held_state(question.step(1.0, tokens, DECODE))))

        alone = replica.held(1.0, mean)
        room = capacity - alone.held_weights - kept
        used, slot = state(lengths), state(allowed)
        pages = state(eq.page_rounded(lengths, page_size))
        beside = alone.held_activations
        static_batch, paged_batch = (float(eq.slots(room, s + beside)) for s in (slot, pages))
        answer = min(decode_tokens, max(mean - 1, 1.0))
        shared = _Shared(replica, max(mean - answer, 1.0), answer)
        fits = paged_batch >= 1
        running = replica.decode(max(paged_batch, 1.0), shared.context)
        return Batched(
            static_batch=static_batch,
            paged_batch=paged_batch,
            static_fragmentation=eq.unused_share(used, slot),
            paged_fragmentation=eq.unused_share(used, pages),
            static_throughput=shared.throughput(static_batch) if static_batch else 0.0,
            throughput=shared.throughput(paged_batch) if fits else 0.0,
            decode_throughput=running.si("throughput") if fits else 0.0,
            itl=running.si("latency") if fits else None,
            prefill_time=shared.prefill,
            decode_bottleneck=running.bottleneck if fits else "",
            feasible=fits,
            reason="" if fits else _no_room(alone.held_weights, kept, pages + beside, capacity),
            memory_left=max(room, 0.0),
            reserve=kept,
            sequence=pages,
            weights=alone.held_weights,
            memory_capacity=capacity,
            page_size=page_size,
            max_seq_len=allowed,
            mean_seq_len=mean,
            decode_tokens=answer,
            precision=precision,
            notes=context_notes(model, allowed) + trust(*question.ran),
            _within=within(*question.ran),
        )


def _allowed(model: Workload, longest: float, given: float | None) -> float:
    """Tokens that a static slot holds; raises where sequences are longer."""
    allowed = float(given or max(getattr(model, "context", 1.0), longest))
    if allowed < longest:
        remedy = f"sequences reach {longest:,.0f} tokens; give at least that"
        raise BadArgument("max_seq_len", f"{allowed:,.0f}", remedy)
    return allowed


class _Shared(NamedTuple):
    """A device that reads prompts and decodes for all in flight."""

    replica: Replica
    prompt: float
    answer: float

    @property
    def context(self) -> float:
        """That of the average decode step."""
        return float(eq.mean_decode_context(self.prompt, self.answer))

    @property
    def prefill(self) -> float:
        """Seconds that it reads a prompt."""
        return float(self.replica.prefill(1.0, self.prompt))

    def throughput(self, batch: float) -> float:
        """Answered tokens a second with so many in flight."""
        step = self.replica.step(batch, self.context)
        return self.answer / float(eq.request_time(self.prefill, step, self.answer - 1, batch))


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
    """The batch of least latency at the asked rate, and the largest rate that keeps the SLA.

    A row of `pareto_front` is a batch that no other beats both in latency at the asked rate and in
    `largest_rate`, the most requests a second that keep the SLA with it: `batch_size`,
    `p99_latency` and `utilization` at the asked rate, `largest_rate`, `meets_sla`. The plan's own
    `largest_rate` is the best of all batches, that of `largest_rate_batch_size`. For decoders a
    batch is the most requests in flight; for other models it is what is collected before a run.
    """

    walls = (5,)

    best_batch_size: int
    p99_latency: u.Seconds = "ms"
    utilization: u.Number
    largest_rate: u.Rate = "request/s"
    largest_rate_batch_size: int
    feasible: bool
    reason: str
    pareto_front: list
    sla_latency: u.Seconds = "ms"
    arrival_rate: u.Rate = "request/s"
    precision: str
    notes: tuple


class BatchingOptimizer(Solver):
    """Wall 5: the batch with which a device keeps an SLA at a rate of requests, and at which most.

    Decoders batch in flight: requests join and leave between decode steps, and the 99th
    percentile is that of the whole request (see `solvers/node/inflight.py`). Other models collect a
    batch: it starts when it is full, or when its first request has waited as long as all but one
    in a hundred would for it to fill, and the device is free; the percentile is that of the
    request that opens it, bounded from above. Arrivals are Poisson; operators run one after the
    other unless another `stack` is asked, since one roof over all flatters large batches.

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
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Level = IDEAL,
        max_batch_size: Candidates = 256.0,
    ) -> BatchPlan:
        """Search the batch sizes up to `max_batch_size`: powers of two of them in flight, else all.

        A request is a prompt of `seq_len` tokens and an answer of `decode_tokens`, 128 unless
        given; that and the largest batch of 256 are teaching values.
        """
        one_each(locals())
        question = ask(model, hardware, precision, efficiency, kv_precision, stack)
        load = (arrival_rate_qps, sla_latency_ms)
        if DECODE in model.phases:
            prompt = float(question.step(1.0, seq_len, PREFILL).seq_len)
            answer = float(decode_tokens or DECODE_TOKENS)
            found = _in_flight(question, prompt, answer, max_batch_size, *load)
        elif decode_tokens is not None:
            remedy = f"{model.name} does not decode; leave it out"
            raise BadArgument("decode_tokens", decode_tokens, remedy)
        else:
            found = _collected(question, seq_len, max_batch_size, *load)
        asked = {
            "arrival_rate": arrival_rate_qps,
            "sla_latency": sla_latency_ms,
            "precision": precision,
            "notes": found.notes + trust(*question.ran),
        }
        return BatchPlan(**_plan(found, *load), **asked)


class _Found(NamedTuple):
    """Columns over batches that fit: seconds at the asked rate (infinite where it is too much)."""

    batch_size: np.ndarray
    p99_latency: np.ndarray
    largest_rate: np.ndarray
    capacity: np.ndarray
    reason: str  # why none fits
    notes: tuple[str, ...]

    def row(self, i: int, rate: float, sla: float) -> dict[str, Any]:
        """One batch, with units."""
        return {
            "batch_size": int(self.batch_size[i]),
            "p99_latency": _ms(self.p99_latency[i]),
            "largest_rate": Q_(float(self.largest_rate[i]), unit_of("request/s")),
            "utilization": float(rate / self.capacity[i]),
            "meets_sla": bool(self.p99_latency[i] <= sla),
        }


def _plan(found: _Found, rate: float, sla: float) -> dict[str, Any]:
    """The plan that the columns lead to."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("best_batch_size", "p99_latency", "utilization", "largest_rate", "largest_rate_batch_size")
    )
    nothing.update(feasible=False, pareto_front=[])
    if not found.batch_size.size:
        return {**nothing, "reason": found.reason}
    most = int(np.argmax(found.largest_rate))
    if found.largest_rate[most] > 0:
        nothing["largest_rate"] = float(found.largest_rate[most])
        nothing["largest_rate_batch_size"] = int(found.batch_size[most])
    quickest = float(found.p99_latency.min())
    if not math.isfinite(quickest):
        return {**nothing, "reason": _too_many(float(found.capacity.max()), rate)}
    # of batches that are as quick, the smallest holds the least; what keeps the SLA still does
    alike = max(min(quickest * (1 + _ALIKE), sla), quickest)
    best = int(np.argmax(found.p99_latency <= alike))
    front = [found.row(i, rate, sla) for i in _front(found, {best, most})]
    if quickest > sla:
        reason = (
            f"No batch meets {show(_ms(sla))}: the quickest, of {int(found.batch_size[best])}, "
            f"takes {show(_ms(quickest))} at the 99th percentile; use a faster device, shorter "
            "requests or a longer SLA."
        )
        return {**nothing, "reason": reason, "pareto_front": front}
    return {
        **nothing,
        "best_batch_size": int(found.batch_size[best]),
        "p99_latency": float(found.p99_latency[best]),
        "utilization": rate / float(found.capacity[best]),
        "feasible": True,
        "reason": "",
        "pareto_front": front,
    }


_ALIKE = 1e-3
_LOADS = np.linspace(0.005, 0.995, 199)  # of what a batch can do, where the largest is looked for


def _front(found: _Found, shown: set[int]) -> list[int]:
    """Of the batches that none dominates, the powers of two and those that must be `shown`."""
    batches, p99 = found.batch_size, found.p99_latency
    order = np.lexsort((p99, -found.largest_rate))  # most first; what follows must be quicker
    quickest = np.concatenate([[np.inf], np.minimum.accumulate(p99[order])[:-1]])
    kept = order[(p99[order] < quickest) & np.isfinite(p99[order])]
    powers = [i for i in kept if i in shown or math.log2(batches[i]).is_integer()]
    return sorted({*map(int, powers), *(i for i in shown if math.isfinite(p99[i]))})


def _too_many(most: float, arrival: float) -> str:
    return (
        f"No batch keeps up with {arrival:,.4g} requests a second: the most that this device "
        f"serves is {most:,.4g}; share the load over {int(arrival // most) + 1:,} devices."
    )


# ---- decoders: in flight -------------------------------------------------------------------------


def _in_flight(
    question: Question, prompt: float, answer: float, most: float, rate: float, sla: float
) -> _Found:
    """Every power of two of requests in flight, and the most that fit."""
    whole = server(question, prompt, answer, max_batch=most)
    notes = context_notes(question.model, prompt + answer)
    if not whole.max_batch:
        none = np.array([])
        return _Found(none, none, none, none, whole.at(rate).reason, notes)
    sizes = {*(2.0**i for i in range(int(math.log2(whole.max_batch)) + 1)), whole.max_batch}
    servers = [whole._replace(step=whole.step[: int(size)]) for size in sorted(sizes)]
    answers = [one.at(rate) for one in servers]
    return _Found(
        np.array([one.max_batch for one in servers]),
        np.array([a.si("p99_latency") if a.feasible else math.inf for a in answers]),
        np.array([one.largest(lambda a: a.si("p99_latency") <= sla) for one in servers]),
        np.array([one.max_rate for one in servers]),
        "",
        notes,
    )


# ---- other models: collected ---------------------------------------------------------------------


def _collected(question: Question, seq_len: Any, most: float, rate: float, sla: float) -> _Found:
    """Every batch size, run to its end."""
    batches = np.arange(1.0, most + 1)
    runs = question.profile(question.step(batches, seq_len, None))
    fits = np.broadcast_to(runs.feasible, batches.shape)
    batches, service = batches[fits], np.broadcast_to(runs.si("latency"), fits.shape)[fits]
    capacity = np.asarray(node.throughput(batches, service))
    asked = np.where(rate < capacity, _opener(batches, service, rate / capacity), math.inf)
    # the largest load at which the first of a batch is in time
    loads = _LOADS[:, None] * np.ones_like(batches)
    kept = np.where(_opener(batches, service, loads) <= sla, loads, 0.0).max(axis=0, initial=0.0)
    kept = np.where(asked <= sla, np.maximum(kept, rate / capacity), kept)
    reason = "" if fits.any() else runs[0].reason
    return _Found(batches, asked, kept * capacity, capacity, reason, runs.notes)


def _opener(batches: np.ndarray, service: np.ndarray, load: np.ndarray) -> np.ndarray:
    """The 99th percentile of the request that opens a batch, which waits longest of it."""
    load = np.minimum(load, 1 - 1e-9)
    # two waits share the tail between them, except where there is only one
    fill = eq.fill_wait(batches, load * batches / service, NormalDist().inv_cdf(1 - TAIL / 2))
    tail = np.where(batches > 1, TAIL / 2, TAIL)
    wait = eq.wait_quantile(eq.batch_wait(batches, service, load), load, tail)
    return eq.batch_start(batches, fill, wait, service) + service
