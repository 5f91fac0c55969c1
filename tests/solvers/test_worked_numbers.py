"""One question of each solver, every number of its answer worked by hand.

The other tests look at laws, limits and ratios; a factor that is wrong in both sides of a ratio is
seen only here. Each number stands in the unit in which the field is shown.
"""

from __future__ import annotations

import math

import pytest

from mlsysim import Infra, Models, Systems, solvers
from mlsysim.hardware.registry import Hardware

LLAMA, H100, CS3 = Models.Language.Llama3_8B, Hardware.Cloud.H100, Hardware.Cloud.CS3
RESEARCH, THOUSAND = Systems.Clusters.Research_256, Systems.Clusters.Training_1K  # of H100

# Llama 3 8B: q and out, k and v, and three matrices of the network in each of 32 layers; the head
PARAMETERS = 8_030_261_248
LAYER = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
LAYERS, HEAD = 32 * LAYER, 4096 * 128256
MATRICES = LAYERS + HEAD
ROW = 4096  # of the table of embeddings, which a token looks up
KV = 32 * 2 * 1024  # values that one token leaves in the cache
SCORES = 32 * 2 * 2 * 4096  # FLOP of one token that looks back at one other
# H100: dense fp16, HBM, and what the driver lets a user allocate
PEAK, BANDWIDTH, CAPACITY, TAX = 989.4e12, 3.35e12, 81_559 * 2**20, 10e-6


def read(answer, names):
    """The named fields as they are shown, without their units."""
    shown = {name: getattr(answer, name) for name in names}
    return {name: getattr(value, "magnitude", value) for name, value in shown.items()}


def approx(expected, rel=1e-6):
    return pytest.approx(expected, rel=rel)


def test_compression_to_four_bits():
    # matrices shrink to 4.16 bits (128 of them share a scale of 16 bits and a zero point of 4);
    # tables, norms and the cache of 2,048 tokens stay at 16; fp16 computes
    four = (4 + 20 / 128) / 8
    answer = solvers.CompressionModel().solve(LLAMA, H100, precision="int4")
    latency = (four * LAYERS + 2 * (HEAD + ROW) + 2048 * KV * 2) / BANDWIDTH + TAX
    weights = four * LAYERS + 2 * (PARAMETERS - LAYERS)
    before = ((MATRICES + ROW) * 2 + 2048 * KV * 2) / BANDWIDTH + TAX
    expected = {
        "compression_ratio": 2 * PARAMETERS / weights,
        "speedup": before / latency,
        "baseline_latency": before * 1e3,
        "latency": latency * 1e3,
        "baseline_weights": 2 * PARAMETERS / 1e9,
        "weights": weights / 1e9,
        "kv_cache": 2048 * KV * 2 / 1e9,
        "peak": 989.4,
        "bandwidth": 3.35,
        "throughput": 1 / latency,
    }
    assert read(answer, expected) == approx(expected)


def test_a_request_that_reasons():
    # 4 steps of 50 tokens after a prompt of 512, at 10 requests a second
    answer = solvers.InferenceScalingModel().solve(
        LLAMA, H100, reasoning_steps=4, tokens_per_step=50, prompt_tokens=512, arrival_rate_qps=10
    )
    prefill = (512 * 2 * 32 * LAYER + 2 * 4096 * 128256 + SCORES * 512 * 513 / 2) / (PEAK / 2)
    contexts = range(513, 513 + 200)
    decode = sum((2 * (MATRICES + ROW) + 2 * KV * c) / BANDWIDTH + TAX for c in contexts)
    short = sum((2 * (MATRICES + ROW) + 2 * KV * c) / BANDWIDTH + TAX for c in contexts[:50])
    latency = prefill + TAX + decode
    expected = {
        "ttft": (prefill + TAX) * 1e3,
        "decode_time": decode,
        "itl": decode / 200 * 1e3,
        "latency": latency,
        "multiplier": latency / (prefill + TAX + short),
        "energy": 700 * latency,
        "kv_cache": 712 * KV * 2 / 1e9,
    }
    assert read(answer, expected) == approx(expected, rel=1e-3)  # norms and activations beside
    whole = {"tokens_generated": 200, "reasoning_steps": 4, "batch_size": 1}
    assert read(answer, whole) == whole
    assert answer.devices == math.ceil(10 * latency)


def test_a_prompt_and_its_answer():
    # intensity: what a step computes over what it moves. A prompt of 1,000 tokens passes each
    # layer's matrices: 4096 in and 4096 out beside what goes to the cache, attention 6144 and 4096,
    # 4096 and 4096, 4096 and 28672, 14336 and 4096; a token of the answer sees 1,032 others on
    # average
    answer = solvers.ServingModel().solve(LLAMA, H100, seq_len=1000, decode_tokens=64)
    passed = (4096 + 4096) + (6144 + 4096) + (4096 + 4096) + (4096 + 28672) + (14336 + 4096)
    work = 1000 * 2 * 32 * LAYER + 2 * 4096 * 128256 + SCORES * 1000 * 1001 / 2
    moved = 2 * MATRICES + 1000 * 32 * passed * 2 + 1000 * KV * 2
    decode = (2 * MATRICES + SCORES * 1032) / (2 * (MATRICES + ROW) + 1032 * KV * 2)
    step = (2 * (MATRICES + ROW) + 1032 * KV * 2) / BANDWIDTH + TAX
    expected = {
        "prefill_intensity": work / moved,
        "decode_intensity": decode,
        "ridge_point": 989.4 / 2 / 3.35,
        "itl": step * 1e3,
        "decode_throughput": 1 / step,
        "ttft": (work / (PEAK / 2) + TAX) * 1e3,
        "weights": 2 * PARAMETERS / 1e9,
        "kv_cache": 1064 * KV * 2 / 1e9,
        "memory_capacity": CAPACITY / 1e9,
    }
    assert read(answer, expected) == approx(expected, rel=2e-3)
    whole = {"batch_size": 1, "seq_len": 1000, "decode_tokens": 64, "context": 1032}
    assert read(answer, whole) == whole


def test_pages_and_slots():
    # 1,000 tokens take 63 pages of 16; the longest that is allowed has 8,192; a tenth of the memory
    # is kept free, and each sequence needs its row of logits, 132,352 values, beside its pages
    answer = solvers.ContinuousBatchingModel().solve(LLAMA, H100, seq_len=1000, max_seq_len=8192)
    room = 0.9 * CAPACITY - 2 * PARAMETERS
    fits = room // (1008 * KV * 2 + 2 * (128_256 + 4096))
    assert fits == 460
    # 872 tokens are read and 128 answered: a decode step sees 936 on average
    step = (2 * MATRICES + fits * (2 * ROW + 936 * KV * 2)) / BANDWIDTH + TAX
    read_in = (2 * LAYERS * 872 + 2 * HEAD + SCORES * 872 * 873 / 2) / (PEAK / 2) + TAX
    expected = {
        "sequence": 1008 * KV * 2 / 1e6,  # MB
        "weights": 2 * PARAMETERS / 1e9,
        "memory_capacity": CAPACITY / 1e9,
        "memory_left": room / 1e9,
        "itl": step * 1e3,
        "prefill_time": read_in * 1e3,
        "throughput": 128 / (read_in + 127 * step / fits),
    }
    assert read(answer, expected) == approx(expected, rel=1e-4)
    whole = {"page_size": 16, "max_seq_len": 8192, "mean_seq_len": 1000, "paged_batch": fits}
    assert read(answer, whole) == whole


def test_a_batch_that_is_worth_waiting_for():
    # ResNet-50 at 50 requests a second: nobody need wait for others, and the most that keeps the
    # promise collects four
    answer = solvers.BatchingOptimizer().solve(
        Models.Vision.ResNet50, H100, arrival_rate_qps=50, sla_latency_ms=200, max_batch_size=4
    )
    alone, four = (
        solvers.SingleNodeModel()
        .solve(Models.Vision.ResNet50, H100, batch_size=batch, stack="ideal")
        .latency.m_as("s")
        for batch in (1, 4)
    )
    assert answer.utilization == pytest.approx(50 * alone)
    assert 0.99 * 4 / four < answer.largest_rate.m_as("1/s") < 4 / four
    whole = {
        "best_batch_size": 1,
        "largest_rate_batch_size": 4,
        "arrival_rate": 50,
        "sla_latency": 200,
    }
    assert read(answer, whole) == approx(whole)


def test_weights_that_stream_in():
    # a wafer of 15.6 PFLOP/s, 21 PB/s and 44 GB behind a link of 150 GB/s, drawing 23 kW
    answer = solvers.WeightStreamingModel().solve(LLAMA, CS3, batch_size=2, seq_len=1024)
    streamed = 2 * (MATRICES + 2 * ROW)
    work = 2 * (2 * MATRICES + SCORES * 1024)
    latency = streamed / 150e9 + TAX
    held = 2 * 1024 * KV * 2
    expected = {
        "latency": latency * 1e3,
        "throughput": 2 / latency,
        "injection_time": streamed / 150e9 * 1e3,
        "compute_time": work / (15.6e15 / 2) * 1e3,
        "memory_time": (streamed + held) / 21e15 * 1e3,
        "overhead": TAX * 1e3,
        "streamed": streamed / 1e9,
        "operations": work / 1e9,
        "held": held / 1e9,
        "memory_capacity": 44,
        "injection_bandwidth": 150,
        "energy": 23e3 * latency,
    }
    assert read(answer, expected) == approx(expected, rel=3e-3)
    whole = {"batch_size": 2, "seq_len": 1024}
    assert read(answer, whole) == whole


def test_what_somebody_achieved():
    answer = solvers.EfficiencyModel().solve(achieved="400 TFLOP/s", hardware=H100)
    expected = {"achieved": 400, "peak": 989.4, "efficiency": 400 / 989.4}
    assert read(answer, expected) == approx(expected)


def test_one_server_at_four_fifths():
    # M/M/1: 8 arrive and 10 are served a second; the stay is exponential at 2 a second
    answer = solvers.TailLatencyModel().solve(8, 100)
    expected = {
        "utilization": 0.8,
        "mean_wait": 400,
        "mean_latency": 500,
        "p50_latency": math.log(2) / 2 * 1e3,
        "p99_latency": math.log(100) / 2 * 1e3,
        "slowdown": math.log(100) / 2 / 0.1,
        "service_time": 100,
        "arrival_rate": 8,
        "num_replicas": 1,
    }
    assert read(answer, expected) == approx(expected)


def test_samples_that_are_read_and_transformed():
    # 256 samples of 100 kB at 2 GB/s; 8 workers of 320 a second
    answer = solvers.TransformationModel().solve(
        batch_size=256, workers=8, worker_rate="320 1/s", step_time="50 ms",
        bytes_per_sample="100 kB", storage_bandwidth="2 GB/s",
    )  # fmt: skip
    expected = {
        "ingest_time": 12.8,
        "transform_time": 100,
        "compute_time": 50,
        "step_time": 100,
        "throughput": 2560,
        "worker_rate": 320,
        "workers": 8,
        "batch_size": 256,
    }
    assert read(answer, expected) == approx(expected)


def test_a_training_step_of_256_devices():
    # 8 x 4 devices share a model: 8 replicas of 9 microbatches
    answer = solvers.DistributedModel().solve(
        LLAMA, fleet=RESEARCH, tensor_parallel=8, pipeline_parallel=4, batch_size=72, tokens=1e9
    )
    parts = ("tensor_time", "pipeline_time", "expert_time", "exposed_data_time")
    talk = sum(getattr(answer, part).m_as("s") for part in parts)
    step = answer.step_time.m_as("s")
    work = 3 * 72 * (2048 * 2 * 32 * LAYER + 2048 * 2 * 4096 * 128256 + SCORES * 2048 * 2049 / 2)
    expected = {
        "communication_fraction": talk / step,
        "memory_capacity": CAPACITY / 1e9,
        "throughput": 72 / step,
        "token_throughput": 72 * 2048 / step,
        "training_time": 1e9 / (72 * 2048) * step / 86_400,
        "mfu": work / (256 * PEAK * step),
        "operations": work / 1e18,
        # eight layers, and the embedding or the head
        "weights": 2 * (8 * LAYER + HEAD) / 8 / 1e9,
    }
    assert read(answer, expected) == approx(expected, rel=2e-2)
    whole = {
        "devices": 256, "tensor_parallel": 8, "pipeline_parallel": 4, "data_parallel": 8,
        "expert_parallel": 1, "microbatch": 1, "microbatches": 9, "batch_size": 72,
        "seq_len": 2048, "tokens": 1e9, "parameters": PARAMETERS, "bubble_fraction": 3 / 12,
    }  # fmt: skip
    assert read(answer, whole) == whole


def test_experts_of_a_plan_are_told():
    answer = solvers.DistributedModel().solve(
        Models.Language.Mixtral_8x7B, fleet=RESEARCH, expert_parallel=8, batch_size=256
    )
    assert (answer.expert_parallel, answer.data_parallel) == (8, 256)


def test_the_best_plan_repeats_its_numbers():
    model = Models.Language.Mixtral_8x7B
    found = solvers.ParallelismOptimizer().solve(model, RESEARCH, batch_size=512)
    plan = ("tensor_parallel", "pipeline_parallel", "expert_parallel", "microbatch", "zero_stage")
    again = solvers.DistributedModel().solve(
        model,
        fleet=RESEARCH,
        batch_size=512,
        recompute=found.recompute,
        stack="ideal",
        **{name: getattr(found, name) for name in plan},
    )
    numbers = ("step_time", "scaling_efficiency", "mfu", "memory_required", "data_parallel")
    assert read(found, numbers) == approx(read(again, numbers))
    assert found.expert_parallel == again.expert_parallel
    assert found.memory_required.units == again.memory_required.units


def test_failures_of_a_thousand_devices():
    # 8 / 50,000 + 8 / 150,000 + 8 / 50,000 + 2 / 100,000 failures an hour in each of 128 nodes
    answer = solvers.ReliabilityModel().solve(
        THOUSAND, parts="pessimistic", checkpoint_time="120 s", duration_days=2
    )
    an_hour = 128 * (8 / 50_000 + 8 / 150_000 + 8 / 50_000 + 2 / 100_000)
    best = math.sqrt(2 * 120 * 3600 / an_hour)
    part, back = (best + 120) * an_hour / 3600, math.exp(-600 * an_hour / 3600)
    goodput = best * an_hour / 3600 * back / (math.exp(part) - 1)
    expected = {
        "mtbf": 1 / an_hour,
        "failure_rate": 24 * an_hour,
        "checkpoint_time": 120,
        "optimal_interval": best / 60,
        "interval": best / 60,
        "goodput": goodput,
        "checkpoint_share": goodput * 120 / best,
        "rework_share": back - goodput * (1 + 120 / best),
        "restart_share": 1 - back,
        "expected_failures": 48 * an_hour,
        "survival": math.exp(-48 * an_hour),
        "devices": 1024,
    }
    assert read(answer, expected) == approx(expected)


def test_jobs_that_wait_for_their_part_of_the_fleet():
    # four partitions of 60 devices, jobs of six hours, twelve a day: three are always at work.
    # Erlang C of 4 servers at load 3: 27 / 8 x 4 = 13.5 over 1 + 3 + 4.5 + 4.5 + 13.5 = 26.5
    answer = solvers.OrchestrationModel().solve(
        RESEARCH, jobs_per_day=12, job_duration="6 hour", devices_per_job=60
    )
    expected = {
        "delayed": 13.5 / 26.5,
        "utilization": 3 / 4,
        "capacity": 16,
        "arrival_rate": 12,
        "servers": 4,
        "devices": 256,
        "devices_per_job": 60,
        "idle_devices": 16,
    }
    assert read(answer, expected) == approx(expected)
    assert answer.queue_length == approx(12 * answer.wait.m_as("day"))
    assert answer.turnaround.magnitude == approx(answer.wait.magnitude + 6)


def test_a_bill_names_its_terms():
    answer = solvers.EconomicsModel().solve(RESEARCH, 30, pue=1.3, electricity_price="0.1 USD/kWh")
    expected = {
        "pue": 1.3,
        "tariff": 0.1,
        "duration": 30,
        "accelerators": 256,
        "energy": 32 * 10.2 * 0.76 * 720 * 1.3 / 1e3,
        "energy_cost": 32 * 10.2 * 0.76 * 720 * 1.3 * 0.1,
        "infrastructure_multiplier": 1,
    }
    assert read(answer, expected) == approx(expected)
    assert answer.breakdown["energy"] == approx(expected["energy_cost"])


def test_a_place_and_its_price():
    # 235,008 kWh of servers at PUE 1.2; 30.5 g/kWh in Quebec; 91.5 USD a tonne
    answer = solvers.PlacementOptimizer().solve(
        RESEARCH, 30, objective="carbon", regions=["Quebec", "Poland"],
        electricity_price="0.10 USD/kWh", carbon_price="91.5 USD/t", pue=1.2, power_fraction=1.0,
    )  # fmt: skip
    energy = 235.008 * 1.2
    expected = {
        "energy": energy,
        "energy_cost": energy * 1e3 * 0.10,
        "carbon": energy * 30.5 / 1e3,
        "carbon_footprint_kg": energy * 30.5,
        "total": energy * 1e3 * 0.10 + 91.5 * energy * 30.5 / 1e3,
        "carbon_price": 91.5,
    }
    assert read(answer, expected) == approx(expected)
    assert [row["region"] for row in answer.ranking] == ["Quebec", "Poland"]
    assert answer.ranking[1]["carbon"] == approx(energy * 662 / 1e3)


def test_a_save_in_the_background():
    # 14 bytes a parameter every hour, and the state leaves the accelerators in a second
    size = 14 * PARAMETERS
    answer = solvers.CheckpointModel().solve(
        LLAMA,
        storage_bandwidth="10 GB/s",
        interval="1 hour",
        asynchronous=True,
        snapshot_bandwidth=f"{size} B/s",
    )
    expected = {
        "size": size / 1e9,
        "write_time": size / 10e9,
        "blocking_time": 1,
        "interval": 60,
        "overhead": 1 / 3601,
        "storage_bandwidth": 10,
        "needed_bandwidth": size / 3601 / 1e9,
        "parameters": PARAMETERS,
        "bytes_per_parameter": 14,
    }
    assert read(answer, expected) == approx(expected)


def test_a_privacy_budget():
    # sigma = sqrt(2 ln(1.25 / delta)) / epsilon; and of ten releases sqrt(k / 2 rho)
    answer = solvers.ResponsibleEngineeringModel().solve(
        0.5, 1e-6, releases=10, batch_size=1000, clip_norm=2, base_training_time="2 day"
    )
    log = math.log(1e6)
    together = math.sqrt(10 / 2) / (math.sqrt(0.5 + log) - math.sqrt(log))
    expected = {
        "epsilon": 0.5,
        "delta": 1e-6,
        "releases": 10,
        "noise_multiplier": math.sqrt(2 * math.log(1.25e6)) / 0.5,
        "composed_noise_multiplier": together,
        "gradient_noise": together * 2 / 1000,
        "groups": 2,
        "samples_per_group": math.ceil(1.959964**2 * 0.25 / 0.05**2),
    }
    assert read(answer, expected) == approx(expected)
    assert answer.training_time_low.magnitude == approx(2 * answer.slowdown_low)


def test_a_small_change_of_each_term():
    # a decode step is memory's: a bandwidth of 1.1 takes 1 / 1.1 of the time, but for the launch
    answer = solvers.SensitivitySolver().solve(LLAMA, H100, forward=True, perturbation_pct=10)
    memory = (2 * (MATRICES + ROW) + 2048 * KV * 2) / BANDWIDTH
    assert answer.latency.magnitude == approx((memory + TAX) * 1e3)
    slope = (1 / 1.1 - 1) / 0.1 * memory / (memory + TAX)
    assert answer.sensitivities["memory_bandwidth"] == approx(slope)
    assert answer.perturbation_pct == 10


def test_the_device_that_a_promise_asks_for():
    # 50 ms for a decode step of two sequences at half of the peak, after a launch of 10 us
    answer = solvers.SynthesisSolver().solve(
        LLAMA, "50 ms", batch_size=2, seq_len=1024, efficiency=0.5, dispatch_tax="10 us"
    )
    work = 2 * (2 * MATRICES + SCORES * 1024)
    moved = 2 * (MATRICES + 2 * ROW) + 2 * 1024 * KV * 2
    left = 0.050 - 10e-6
    expected = {
        "target_latency": 50,
        "overhead": 0.01,
        "operations": work / 1e9,
        "traffic": moved / 1e9,
        "required_bw": moved / left / 1e9,
        "required_flops": work / 0.5 / left / 1e12,
        "ridge_point": work / 0.5 / moved,
        "required_capacity": (2 * PARAMETERS + 2 * 1024 * KV * 2) / 1e9,
    }
    assert read(answer, expected) == approx(expected, rel=1e-3)
    whole = {"efficiency": 0.5, "batch_size": 2, "seq_len": 1024, "precision": "fp16"}
    assert read(answer, whole) == whole


def test_a_month_in_poland():
    answer = solvers.SustainabilityModel().solve(
        RESEARCH, 30, Infra.Grids.Poland, pue=1.2, power_fraction=0.76, wue="0.30 L/kWh"
    )
    servers = 32 * 10.2 * 0.76 * 720  # kWh
    expected = {
        "power": 326.4,
        "average_power": 326.4 * 0.76,
        "it_energy": servers / 1e3,
        "energy": servers * 1.2 / 1e3,
        "carbon": servers * 1.2 * 662 / 1e6,
        "water": servers * 0.30,
        "carbon_intensity": 662,
        "pue": 1.2,
        "duration": 30,
    }
    assert read(answer, expected) == approx(expected)
