"""Walls 4 and 7: the two phases of an answer, and how long the tail is where requests queue."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, because, lazily
from mlsysim.core.units import Dim
from mlsysim.equations import node
from mlsysim.equations import serving as eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.models.types import Workload
from mlsysim.solvers.node.single import Stack, ask, context_notes, too_large, total

TAIL = 0.01  # the share of requests beyond the 99th percentile
Servers = Annotated[Any, Dim("", whole=True, high=1e5)]


def decoder(model: Workload) -> None:
    """Raise BadArgument unless the model answers token by token."""
    if not {DECODE, PREFILL} <= set(model.phases):
        remedy = "it does not decode token by token; give a decoder, such as Llama3_8B"
        raise BadArgument("model", model.name, remedy)


# ---- wall 4 --------------------------------------------------------------------------------------


class Served(Result):
    """A batch of prompts answered on one device: when the first token comes, and then the others.

    `ttft` is the pass over the prompts, `itl` the average decode step after it; `throughput` counts
    answered tokens over the whole time, `decode_throughput` over a decode step. `energy` is the
    device's for the whole batch.
    """

    walls = (4,)

    ttft: u.Seconds = "ms"
    itl: u.Seconds = "ms"
    latency: u.Seconds = lazily("s", eq.generation_time, "ttft", "itl", "decode_tokens")
    throughput: u.Rate = lazily(
        "1/s",
        lambda batch, tokens, time: node.throughput(batch * tokens, time),
        *("batch_size", "decode_tokens", "latency"),
    )
    decode_throughput: u.Rate = lazily("1/s", node.throughput, "batch_size", "itl")
    prefill_bottleneck: str
    decode_bottleneck: str
    prefill_intensity: u.Intensity = "FLOP/B"
    decode_intensity: u.Intensity = "FLOP/B"
    ridge_point: u.Intensity = "FLOP/B"
    feasible: bool
    reason: str = because(too_large)
    memory_required: u.Bytes = lazily("GB", total, "weights", "kv_cache", "activations")
    weights: u.Bytes = "GB"
    kv_cache: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    power: u.Power = "W"
    energy: u.Energy = lazily("J", node.energy, "power", "latency")
    datapath: str
    precision: str
    batch_size: u.Number
    seq_len: u.Number
    decode_tokens: u.Number
    context: u.Number
    notes: tuple


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
        stack: Stack | None = None,
    ) -> Served:
        """Answer `batch_size` prompts of `seq_len` tokens with `decode_tokens` tokens each.

        `context` asks for the decode step at one context length; otherwise it is the average one.
        128 tokens is a teaching value. Weights, cache and activations all take `precision`;
        CompressionModel gives each its own. The numbers may be arrays that broadcast: the result
        then holds columns.
        """
        decoder(model)
        question = ask(model, hardware, precision, efficiency, kv_precision, stack)
        supply, prompt = question.supply, question.step(batch_size, seq_len, PREFILL)
        total = prompt.seq_len + decode_tokens
        if context is None:
            context = eq.mean_decode_context(prompt.seq_len, decode_tokens)
        finished = question.demand(question.step(batch_size, total, DECODE))
        first = question.profile(prompt, held=finished)
        later = question.profile(question.step(batch_size, context, DECODE), held=finished)
        return Served(
            ttft=first.si("latency"),
            itl=later.si("latency"),
            prefill_bottleneck=first.bottleneck,
            decode_bottleneck=later.bottleneck,
            prefill_intensity=first.si("arithmetic_intensity"),
            decode_intensity=later.si("arithmetic_intensity"),
            ridge_point=later.si("ridge_point"),
            feasible=later.feasible,
            weights=later.si("weights"),
            kv_cache=later.si("kv_cache"),
            activations=later.si("activations"),
            memory_capacity=supply.capacity,
            power=supply.power,
            datapath=supply.datapath,
            precision=precision,
            batch_size=batch_size,
            seq_len=prompt.seq_len,
            decode_tokens=decode_tokens,
            context=context,
            notes=context_notes(model, total),
        )


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
    arrival_rate: u.Rate = "1/s"
    num_replicas: u.Number


class TailLatencyModel(Solver):
    """Wall 7: how long the unlucky wait when requests share servers (M/M/c).

    Poisson arrivals, exponential service, first come, first served. The quantiles are those of the
    whole stay, wait and service together, exactly.

    Fallacy: "A server that is busy nine tenths of the time has a tenth to spare." Its tail has not.
    """

    walls = (7,)

    def solve(
        self,
        arrival_rate_qps: u.Queries,
        service_latency_ms: u.Milliseconds,
        num_replicas: Servers = 1.0,
    ) -> Tail:
        """Requests arrive at `arrival_rate_qps` and occupy one of `num_replicas` servers each.

        `service_latency_ms` is the mean service time. The numbers may be arrays that broadcast;
        where the servers cannot keep up, the answer is then NaN.
        """
        load = eq.offered_load(arrival_rate_qps, service_latency_ms)
        spare = num_replicas - load
        stable = spare > 0
        waiting = eq.erlang_c(load, num_replicas)
        wait = eq.mean_wait(waiting, service_latency_ms, load, num_replicas)
        half, last = (
            eq.sojourn_quantile(tail, service_latency_ms, waiting, spare) for tail in (0.5, TAIL)
        )
        answers = {
            "wait_probability": waiting,
            "mean_wait": wait,
            "mean_latency": wait + service_latency_ms,
            "p50_latency": half,
            "p99_latency": last,
            "slowdown": last / service_latency_ms,
        }
        if np.ndim(stable):
            answers = {name: np.where(stable, value, np.nan) for name, value in answers.items()}
        else:
            answers = {name: float(value) if stable else None for name, value in answers.items()}
        return Tail(
            stable=stable,
            utilization=load / num_replicas,
            service_time=service_latency_ms,
            arrival_rate=arrival_rate_qps,
            num_replicas=num_replicas,
            **answers,
        )
