"""Walls 4 and 7: the two phases of an answer, and how long the tail is where requests queue."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.core.solver import Given, Result, Solver, because, lazily
from mlsysim.core.units import Dim
from mlsysim.equations import fleet as fleet_eq
from mlsysim.equations import node
from mlsysim.equations import serving as eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import grouped, layout_of
from mlsysim.solvers.node.replica import Replica, decoder, replica_of
from mlsysim.solvers.node.single import context_notes, too_large, total
from mlsysim.stacks.ranges import Ranged, trust, within
from mlsysim.stacks.types import Level
from mlsysim.systems.types import Fleet

TAIL = 0.01  # the share of requests beyond the 99th percentile
Servers = Annotated[Any, Dim("", whole=True, high=1e5)]


# ---- wall 4 --------------------------------------------------------------------------------------


def _why(s: Served) -> str:
    return s.si("_fault") or too_large(s)


class Served(Ranged):
    """Prompts answered together: when the first token comes, and then the others.

    `ttft` is the pass over one prompt, as a server that admits requests one by one gives it;
    `ttft_batch` that over all of a batch at once, from which `latency` and `throughput` (answered
    tokens over the whole time) count. `itl` is the average time to the next token, and
    `decode_throughput` counts tokens over it. `energy` is that of all devices for the whole batch.
    """

    walls = (4,)
    # a replica is as many servers as it has sequences in flight, each held for a whole answer
    feeds: ClassVar[dict] = {"latency": "service_latency_ms", "batch_size": "num_replicas"}

    ttft: u.Seconds = "ms"
    ttft_batch: u.Seconds = "ms"
    handover_time: u.Seconds = "ms"
    itl: u.Seconds = "ms"
    latency: u.Seconds = lazily(
        "s",
        lambda first, handed, step, n: eq.generation_time(first, step, n) + handed,
        *("ttft_batch", "handover_time", "itl", "decode_tokens"),
    )
    throughput: u.Rate = lazily(
        "token/s",
        lambda batch, tokens, time: node.throughput(batch * tokens, time),
        *("batch_size", "decode_tokens", "latency"),
    )
    decode_throughput: u.Rate = lazily("token/s", node.throughput, "batch_size", "itl")
    prefill_bottleneck: str
    decode_bottleneck: str
    prefill_intensity: u.Intensity = "FLOP/B"
    decode_intensity: u.Intensity = "FLOP/B"
    ridge_point: u.Intensity = "FLOP/B"
    exchange_time: u.Seconds = "ms"
    feasible: bool
    reason: str = because(_why)
    memory_required: u.Bytes = lazily("GB", total, "weights", "kv_cache", "activations")
    weights: u.Bytes = "GB"
    kv_cache: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    power: u.Power = "W"
    energy: u.Energy = lazily("J", node.energy, "power", "latency")
    datapath: str
    precision: str
    devices: u.Number
    batch_size: u.Number
    seq_len: u.Number
    decode_tokens: u.Number
    context: u.Number
    notes: tuple
    _fault: str


class ServingModel(Solver):
    """Wall 4: one model answering prompts, whose two phases meet two different roofs.

    Prefill takes a whole prompt at once and is mostly bound by compute; decode reads every weight
    again for each token and is mostly bound by bandwidth. Servers prefill long prompts piece by
    piece, so what must fit is weights, the cache of the finished sequences, and one decode step's
    activations. Waiting for other requests is wall 7.

    Fallacy: "A chip with twice the FLOPS answers twice as fast." The first token may, not the rest.
    """

    walls = (4,)

    def solve(
        self,
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        seq_len: u.Count | None = None,
        decode_tokens: u.Count = 128.0,
        batch_size: u.Batch = 1.0,
        context: u.Count | None = None,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Level | None = None,
        cached_prefix_len: u.CountOrZero = 0.0,
        prefill_chunk_tokens: u.Count | None = None,
        draft_model: Given[Workload] | None = None,
        draft_tokens: u.CountOrZero = 4.0,
        draft_acceptance_rate: u.FractionOrZero = 0.8,
        decode_hardware: Given[HardwareNode] | None = None,
        network_bandwidth: u.Bandwidth | None = None,
        fleet: Given[Fleet] | None = None,
        tensor_parallel: u.Count = 1.0,
        pipeline_parallel: u.Count = 1.0,
        expert_parallel: u.Count = 1.0,
        context_parallel: u.Count = 1.0,
    ) -> Served:
        """Answer `batch_size` prompts of `seq_len` tokens with `decode_tokens` tokens each.

        `context` asks for the decode step at one context length; otherwise `itl` is the average
        over all steps. 128 tokens is a teaching value. Of each prompt `cached_prefix_len` tokens
        are in the cache already, and `prefill_chunk_tokens` are read at a time. A `draft_model`
        guesses `draft_tokens` for each decode step, accepted at `draft_acceptance_rate` (4 and 0.8
        are teaching values). With `decode_hardware` a prompt's cache is handed over to it at
        `network_bandwidth`, after the first token. Groups of devices share the model as in
        training; their wires are those of the `fleet`, or of plain nodes of eight. The numbers may
        be arrays that broadcast, but for those of groups: the result then holds columns.
        """
        decoder(model)
        layout = layout_of(tensor_parallel, pipeline_parallel, expert_parallel, context_parallel)
        how = (precision, efficiency, kv_precision, stack)
        draft = (draft_model, draft_tokens, draft_acceptance_rate)
        group = grouped(model, hardware, fleet, layout)
        same = {
            "precision": precision,
            "devices": layout.devices * (1 if decode_hardware is None else 2),
            "batch_size": batch_size,
            "decode_tokens": decode_tokens,
        }
        if group.fault:
            return _cannot(group.fault, same)
        reading = replica_of(group, how, cached_prefix_len, prefill_chunk_tokens, draft)
        decoding, handed = reading, 0.0
        if decode_hardware is not None:
            if network_bandwidth is None:
                why = "give the rate at which a prompt's cache goes to decode_hardware"
                raise MissingValue("ServingModel", "network_bandwidth", why)
            other = grouped(model, decode_hardware, None, layout)
            decoding = replica_of(other, how, 0.0, None, draft)
            step = model.step(batch_size, seq_len, PREFILL, reading.question.widths)
            handed = fleet_eq.transfer_time(model.held_state(step), network_bandwidth, 0.0)
        answer = _answer(reading, decoding, batch_size, seq_len, decode_tokens, context)
        if decode_hardware is not None and not np.all(
            reading.fit(reading.held(batch_size, answer["seq_len"]))
        ):
            fault = f"The prompts and their cache do not fit on {hardware.name}, which reads them."
            return _cannot(fault, same)
        return Served(**same, **answer, handover_time=handed, _fault="")


def _cannot(fault: str, asked: dict[str, Any]) -> Served:
    """The answer to what cannot be served so: nothing is known but why."""
    unknown = {name for name, field in Served._fields.items() if not field.compute} - asked.keys()
    known = {"feasible": False, "notes": (), "_fault": fault, "_within": None}
    return Served(**{**dict.fromkeys(unknown), **known}, **asked)


def _answer(
    reading: Replica, decoding: Replica, batch: Any, seq_len: Any, tokens: Any, context: Any
) -> dict[str, Any]:
    """What is known of prompts that one replica reads and one, the same or another, answers."""
    prompt = reading.question.step(batch, seq_len, PREFILL).seq_len
    if np.any(np.greater_equal(reading.prefix, prompt)):
        remedy = f"a prompt of {np.min(prompt):,.0f} tokens leaves none to compute; give fewer"
        raise BadArgument("cached_prefix_len", reading.prefix, remedy)
    steps = np.maximum(tokens - 1, 1)
    if context is None:
        itl = decoding.decoding(batch, prompt, steps) / steps
        context = eq.mean_decode_context(prompt, tokens)
    else:
        itl = decoding.step(batch, context) / decoding.gain
    finished = decoding.held(batch, prompt + tokens)
    first, later = reading.prompt(batch, prompt), decoding.decode(batch, context)
    together = reading.prefill(batch, prompt, first)
    alone = together if not np.ndim(batch) and batch == 1 else reading.prefill(1.0, prompt)
    question, talk = decoding.question, decoding.talk
    supply = question.supply
    return {
        "ttft": alone,
        "ttft_batch": together,
        "itl": itl,
        "prefill_bottleneck": first.bottleneck,
        "decode_bottleneck": later.bottleneck,
        "prefill_intensity": first.si("arithmetic_intensity"),
        "decode_intensity": later.si("arithmetic_intensity"),
        "ridge_point": later.si("ridge_point"),
        "exchange_time": talk(batch, 1.0, DECODE) if talk else 0.0,
        "feasible": decoding.fit(finished),
        "weights": finished.held_weights,
        "kv_cache": finished.held_state,
        "activations": finished.held_activations,
        "memory_capacity": supply.capacity,
        "power": supply.power and supply.power * decoding.devices,
        "datapath": supply.datapath,
        "seq_len": prompt,
        "context": context,
        "notes": context_notes(question.model, prompt + tokens)
        + question.told
        + trust(*question.ran),
        "_within": within(*question.ran),
    }


# ---- wall 7 --------------------------------------------------------------------------------------


def _why_unstable(t: Tail) -> str:
    replicas, utilization = t.si("num_replicas"), t.si("utilization")
    need = int(utilization * replicas) + 1
    return (
        f"Requests arrive {utilization:.3g} times as fast as {replicas:,.0f} replicas serve them, "
        f"so the queue only grows; it takes at least {need:,} replicas."
    )


class Tail(Result):
    """What requests wait, and take in all, when they share servers; unknown where unstable.

    `slowdown` is the 99th percentile over the mean service time.
    """

    walls = (7,)

    stable: bool
    reason: str = because(_why_unstable, "stable")
    utilization: u.Number
    wait_probability: u.Number
    mean_wait: u.Seconds = "ms"
    mean_latency: u.Seconds = "ms"
    p50_latency: u.Seconds = "ms"
    p99_latency: u.Seconds = "ms"
    slowdown: u.Number
    service_time: u.Seconds = "ms"
    arrival_rate: u.Rate = "request/s"
    num_replicas: u.Number
    variation: u.Number


class TailLatencyModel(Solver):
    """Wall 7: how long the unlucky wait when requests share servers (M/G/c).

    Poisson arrivals, first come, first served. The quantiles are those of the whole stay, wait and
    service together: exact for exponential service (M/M/c). Service that varies less stands
    between that and fixed work, whose stay is the service itself where nobody waits.

    Fallacy: "A server that is busy nine tenths of the time has a tenth to spare." Its tail has not.
    """

    walls = (7,)

    def solve(
        self,
        arrival_rate_qps: u.Queries,
        service_latency_ms: u.Milliseconds,
        num_replicas: Servers = 1.0,
        *,
        variation: u.FractionOrZero = 1.0,
    ) -> Tail:
        """Requests arrive at `arrival_rate_qps` and occupy one of `num_replicas` servers each.

        `service_latency_ms` is the mean service time, and `variation` its standard deviation over
        that: 1 for exponential service, 0 where all requests take the same. The numbers may be
        arrays that broadcast; where the servers cannot keep up, the answer is then NaN.
        """
        load = eq.offered_load(arrival_rate_qps, service_latency_ms)
        spare = num_replicas - load
        stable = spare > 0
        waiting = eq.erlang_c(load, num_replicas)
        wait = eq.mean_wait(waiting, service_latency_ms, load, num_replicas)
        half, last = (
            eq.sojourn_quantile(tail, service_latency_ms, waiting, spare) for tail in (0.5, TAIL)
        )
        if np.any(np.less(variation, 1)):
            even = wait * eq.fixed_share(load / num_replicas, num_replicas)
            half, last = (
                eq.mixed_quantile(
                    eq.fixed_stay(tail, service_latency_ms, waiting, even), stay, variation
                )
                for tail, stay in ((0.5, half), (TAIL, last))
            )
            wait = eq.mixed_quantile(even, wait, variation)
        answers = {
            "wait_probability": waiting,
            "mean_wait": wait,
            "mean_latency": wait + service_latency_ms,
            "p50_latency": half,
            "p99_latency": last,
            "slowdown": last / service_latency_ms,
        }
        if np.ndim(stable) or np.ndim(variation):
            answers = {name: np.where(stable, value, np.nan) for name, value in answers.items()}
        else:
            answers = {name: float(value) if stable else None for name, value in answers.items()}
        return Tail(
            stable=stable,
            utilization=load / num_replicas,
            service_time=service_latency_ms,
            arrival_rate=arrival_rate_qps,
            num_replicas=num_replicas,
            variation=variation,
            **answers,
        )
