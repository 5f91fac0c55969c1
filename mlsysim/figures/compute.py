"""Devices, small and large, and what they serve: one function for each recomputation.

What a recomputation is given in `figures.yaml` goes in, and named values with their units come
out. A figure picks one of them as ours; its sentence may quote the others.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log10
from time import perf_counter
from typing import Any

import numpy as np

from mlsysim.core.units import Q_
from mlsysim.engine.engine import Engine
from mlsysim.hardware.registry import Hardware
from mlsysim.literature.registry import Literature
from mlsysim.models.registry import Models
from mlsysim.solvers import (
    InferenceScalingModel,
    SensitivitySolver,
    ServingModel,
    SynthesisSolver,
    TailLatencyModel,
    TransformationModel,
)
from mlsysim.systems.registry import Systems

Found = dict[str, Any]
_SPAN = ("nRF52840", "H100")  # the two ends of the deck's table of devices


def ratio(over: Any, under: Any) -> float:
    """How many times one quantity holds another."""
    return float((over / under).m_as(""))


# ---- one device --------------------------------------------------------------------------------


def generations() -> Found:
    """A100 to H100, by the datasheets, and for one decode step of Llama-3 8B."""
    old, new = Hardware.A100, Hardware.H100
    steps = [Engine.solve(Models.Llama3_8B, device).latency for device in (old, new)]
    return {
        "flops": ratio(new.peak("fp16"), old.peak("fp16")),
        "mixed": ratio(new.peak("fp8"), old.peak("fp16")),
        "bandwidth": ratio(new.memory.bandwidth, old.memory.bandwidth),
        "decode": ratio(*steps),
    }


def round_bandwidth(a100_bandwidth: str) -> Found:
    """The same step, the A100's bandwidth rounded down as slides print it."""
    a100 = Hardware.A100
    memory = a100.memory.replace(bandwidth=a100_bandwidth)
    steps = [
        Engine.solve(Models.Llama3_8B, device).latency
        for device in (a100.replace(memory=memory), Hardware.H100)
    ]
    return {"decode": ratio(*steps), "exact": generations()["decode"]}


def long_context(tokens: int) -> Found:
    """Llama-3 8B at a long context, with its grouped-query attention and with a head each."""
    model, device = Models.Llama3_8B, Hardware.H100
    every_head = model.replace(kv_heads=model.heads)
    grouped, full = (Engine.solve(m, device, seq_len=tokens) for m in (model, every_head))
    return {
        "cache": grouped.kv_cache,
        "held": grouped.memory_required,
        "full_cache": full.kv_cache,
        "full_held": full.memory_required,
    }


def crossover(batch_size: int, efficiency: float) -> Found:
    """Where decoding Llama-3 8B on an H100 turns from memory to compute."""
    model, device = Models.Llama3_8B, Hardware.H100
    step = Engine.solve(model, device, batch_size=batch_size, efficiency=efficiency)
    bare = Engine.sweep(
        model, device, batch_sizes=np.arange(1, 1025), seq_lens=[1], efficiency=efficiency
    )
    computes = bare.column("compute_time") > bare.column("memory_time")
    return {
        "bottleneck": step.bottleneck,
        "crossover": int(np.argmax(computes)) + 1,
        "context": step.seq_len,
        "compute": step.compute_time,
        "memory": step.memory_time,
    }


def int4_decode() -> Found:
    """One decode step of Llama-3 8B at fp16 over one at int4."""
    steps = [Engine.solve(Models.Llama3_8B, Hardware.A100, precision=p) for p in ("fp16", "int4")]
    return {"speedup": ratio(*(step.latency for step in steps))}


def inverse_roofline(target: str) -> Found:
    """What a deadline for one decode step of Llama-3 70B demands."""
    model = Models.Llama3_70B
    need = SynthesisSolver().solve(model, target, precision="fp16")
    return {"bandwidth": need.required_bw, "weights": model.weights("fp16")}


def elasticities(percent: float) -> Found:
    """How one decode step of Llama-3 8B on an A100 answers to its two roofs."""
    model, device = Models.Llama3_8B, Hardware.A100
    launched = device.replace(dispatch_tax=model.layers * device.dispatch_tax)

    def slopes(device: Any, **how: Any) -> Any:
        return SensitivitySolver().solve(model, device, perturbation_pct=percent, **how)

    hard = slopes(device).sensitivities
    smooth = slopes(device, smooth=True)
    bandwidth, flops = hard["memory_bandwidth"], hard["peak_flops"]
    return {
        "bandwidth": bandwidth,
        "flops": flops,
        "ratio": bandwidth / flops if flops else None,
        "forward": slopes(device, forward=True).sensitivities["memory_bandwidth"],
        "launched": slopes(launched, forward=True).sensitivities["memory_bandwidth"],
        "smooth_flops": smooth.sensitivities["peak_flops"],
        "smooth_method": smooth.method,
    }


def evaluations(points: int) -> Found:
    """How long so many configurations take in a sweep, and one alone: the best of a few tries."""
    model, devices = Models.Llama3_8B, [Hardware.A100, Hardware.H100]
    batches = np.arange(1, points // (2 * len(devices)) + 1)

    def sweep() -> None:
        kinds = ["fp16", "int8"]
        Engine.sweep(model, devices, batch_sizes=batches, precisions=kinds).column("latency")

    def alone() -> None:
        Engine.solve(model, devices[0])

    return {"sweep": _best_of(5, sweep), "alone": _best_of(50, alone)}


def _best_of(tries: int, function: Callable[[], None]) -> Any:
    times = []
    for _ in range(tries):
        begin = perf_counter()
        function()
        times.append(perf_counter() - begin)
    return Q_(min(times), "s")


# ---- small devices -----------------------------------------------------------------------------


def span() -> Found:
    """Decades between the smallest and the largest device of the deck."""
    small, large = (Hardware[name] for name in _SPAN)
    flash = small.memory.flash
    assert flash is not None  # where a microcontroller keeps its weights
    times = {
        "compute": ratio(large.compute.peak_flops, small.compute.peak_flops),
        "bandwidth": ratio(large.memory.bandwidth, flash.bandwidth),
        "power": ratio(large.tdp, small.tdp),
    }
    decades = {name: log10(factor) for name, factor in times.items()}
    return {**decades, "widest": max(decades.values()), "small_power": small.tdp}


def keyword_energy() -> Found:
    """Keyword spotting on an nRF52840, at the efficiency measured on its sister core."""
    model, measured = Models.KeywordSpotting, Hardware.STM32L4R5ZI
    time = Literature.Tiny.KWS_L4R5ZI_latency.value
    work = Engine.solve(model, measured, precision="int8")
    reached = ratio(work.operations / time, work.peak)
    step = Engine.solve(model, Hardware.nRF52840, precision="int8", efficiency=reached)
    return {
        "energy": step.energy,
        "latency": step.latency,
        "reached": reached,
        "measured": Literature.Tiny.KWS_L4R5ZI_energy.value,
        "measured_on": measured.name,
    }


def keyword_walls(efficiency: float) -> Found:
    """Which wall keyword spotting meets on three devices."""
    steps = {
        name: Engine.solve(
            Models.KeywordSpotting, Hardware[name], precision="int8", efficiency=efficiency
        )
        for name in ("nRF52840", "ESP32_S3", "H100")
    }
    small, large = steps["nRF52840"], steps["H100"]
    return {
        "small": small.bottleneck,
        "both": f"{steps['ESP32_S3'].bottleneck} / {large.bottleneck}",
        "intensity": small.arithmetic_intensity,
        "ridge": small.ridge_point,
        "large_latency": large.latency,
        "large_overhead": large.overhead,
    }


def doorbell(battery: str, period: str, efficiency: float) -> Found:
    """How long a coin cell lasts when a camera looks once a period and sleeps between."""
    found: Found = {}
    for name in ("nRF52840", "ESP32_S3"):
        device = Hardware[name]
        step = Engine.solve(Models.PersonDetection, device, precision="int8", efficiency=efficiency)
        average = step.energy / Q_(period) + device.sleep_power
        found |= {
            f"{name}_life": (Q_(battery) / average).to("year"),
            f"{name}_latency": step.latency,
            f"{name}_energy": step.energy,
            f"{name}_awake": (Q_(battery) / device.tdp).to("hour"),
            f"{name}_current": (device.tdp / Q_("3 V")).to("mA"),
        }
    return found


# ---- feeding, reasoning and serving ------------------------------------------------------------


def starving(batch_size: int, efficiency: float, workers: int, worker_rate: float) -> Found:
    """ResNet-50 trained on an A100 whose images are decoded by CPU cores."""

    def step(**how: Any) -> Any:
        return TransformationModel().solve(
            model=Models.ResNet50,
            hardware=Hardware.A100,
            batch_size=batch_size,
            efficiency=efficiency,
            workers=workers,
            **how,
        )

    published = Literature.Efficiency.ResNet50_A100.value
    fed, faster = step(worker_rate=Q_(worker_rate, "1/s")), step()
    return {
        "compute": fed.compute_time,
        "utilization": Q_(fed.accelerator_utilization, ""),
        "bottleneck": fed.bottleneck,
        "faster": faster.accelerator_utilization,
        "faster_rate": faster.worker_rate.m_as("1/s"),
        "measured": published,
        "measured_time": fed.compute_time * efficiency / published,
    }


def nine_million(steps: int, **given: Any) -> Found:
    """What K steps of reasoning do to the servers and the bill of Llama-3 70B."""
    plain, thought = (
        InferenceScalingModel().solve(Models.Llama3_70B, Hardware.H100, reasoning_steps=k, **given)
        for k in (1, steps)
    )
    before, after = plain.si("devices"), thought.si("devices")
    return {
        "multiplier": thought.multiplier,
        "devices_ratio": after / before,
        "plain_devices": before,
        "devices": after,
        "plain_cost": plain.annual_cost,
        "cost": thought.annual_cost,
        "itl": thought.itl,
        "device_year": plain.device_year,
    }


def capstone(
    qps: int,
    regions: int,
    ttft: str,
    prompt: int,
    answer: int,
    batch_size: int,
    precision: str,
    kv_precision: str,
) -> Found:
    """The capstone's fleet: prefill replicas that keep their promise, and decode beside them."""
    model, node = Models.Llama3_70B, Systems.Nodes.DGX_H100

    def serve(batch: int) -> Any:
        return ServingModel().solve(
            model,
            Hardware.H100,
            seq_len=prompt,
            decode_tokens=answer,
            batch_size=batch,
            precision=precision,
            kv_precision=kv_precision,
        )

    first, later = serve(1), serve(batch_size)
    each = qps / regions
    replicas = np.arange(1, 1001)
    waits = TailLatencyModel().solve(each, first.ttft, replicas)
    kept = waits.stable & (waits.mean_latency <= Q_(ttft))
    prefill = int(replicas[np.argmax(kept)])
    decode = ceil(each * answer / later.decode_throughput.m_as("1/s"))
    servers = regions * ceil((prefill + decode) / node.accelerators)
    row = waits[prefill - 1]
    return {
        "cost": servers * node.unit_cost if later.feasible and kept.any() else None,
        "servers": servers,
        "prefill": prefill,
        "decode": decode,
        "ttft": first.ttft,
        "mean": row.mean_latency,
        "tail": row.p99_latency,
        "multiplied": servers * node.unit_cost / Literature.Cost.Accelerators_share.value,
    }


def weights() -> Found:
    """How much memory the weights of Llama-3 70B take."""
    model, room = Models.Llama3_70B, Hardware.H100.memory.capacity
    held = model.weights("fp16")
    return {"weights": held, "parameters": model.parameters, "devices": ceil(ratio(held, room))}


RECOMPUTATIONS = (
    generations,
    round_bandwidth,
    long_context,
    crossover,
    int4_decode,
    inverse_roofline,
    elasticities,
    evaluations,
    span,
    keyword_energy,
    keyword_walls,
    doorbell,
    starving,
    nine_million,
    capstone,
    weights,
)
