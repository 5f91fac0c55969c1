"""Walls 11 to 13, against arithmetic done by hand and published measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    CompressionModel,
    Engine,
    Hardware,
    InferenceScalingModel,
    Literature,
    Models,
    ScalingModel,
    ServingModel,
    Systems,
)
from mlsysim.core.errors import BadArgument, NoDatapath, UnknownName, WrongUnit
from mlsysim.equations.algorithm import decode_time

H100, LLAMA = Hardware.Cloud.H100, Models.Language.Llama3_8B
MATRICES = 6_979_321_856  # of the 8,030,261,248 parameters; the rest are tables and norms
bad_numbers = pytest.mark.parametrize("number", [0, -1, math.nan, math.inf])


def scaled(budget="1e21 FLOP", **given):
    return ScalingModel().solve(compute_budget=budget, **given)


def reason(**given):
    return InferenceScalingModel().solve(**{"model": LLAMA, "hardware": H100, **given})


def compress(**given):
    return CompressionModel().solve(**{"model": LLAMA, "hardware": H100, **given})


# ---- wall 11 -------------------------------------------------------------------------------------


def test_a_budget_buys_the_root_of_it_over_120():
    r = scaled("1.2e20 FLOP")
    # C = 6 P x 20 P, so P = sqrt(1.2e20 / 120) = 1e9
    assert r.optimal_parameters == pytest.approx(1e9)
    assert r.optimal_tokens == pytest.approx(20e9)
    assert r.tokens_per_parameter == pytest.approx(
        Literature.Scaling.Chinchilla_tokens_per_parameter.value
    )


def test_chinchilla_itself_is_compute_optimal():
    # 70e9 parameters on 1.4e12 tokens: 6 x 70e9 x 1.4e12 = 5.88e23 FLOP
    spent = ScalingModel().budget(parameters=70e9, tokens=1.4e12)
    assert spent.compute.m_as("FLOP") == pytest.approx(5.88e23)
    assert scaled(spent.compute).optimal_parameters == pytest.approx(70e9)


@given(st.floats(1e15, 1e28))
def test_the_round_trip_closes(flop):
    r = scaled(f"{flop} FLOP")
    back = ScalingModel().budget(parameters=r.optimal_parameters, tokens=r.optimal_tokens)
    assert back.compute.m_as("FLOP") == pytest.approx(flop)
    assert 6 * r.optimal_parameters * r.optimal_tokens == pytest.approx(flop)


def test_the_unit_of_the_budget_is_read_not_its_bare_magnitude():
    # 1e9 TFLOP is 1e21 FLOP: 2.887e9 parameters, not 2,887
    assert scaled("1e9 TFLOP").optimal_parameters == pytest.approx(math.sqrt(1e21 / 120))
    same = scaled(Q_("1e21 FLOP"))
    assert scaled("1e9 TFLOP").optimal_tokens == pytest.approx(same.optimal_tokens)


@pytest.mark.parametrize("budget", ["1e9 GB", 1e21, "1e21", "100 TFLOP/s", "30 day"])
def test_a_budget_in_no_operations_is_refused(budget):
    with pytest.raises(WrongUnit, match="compute_budget"):
        scaled(budget)


@bad_numbers
def test_scaling_refuses_numbers_that_make_no_sense(number):
    with pytest.raises(BadArgument):
        scaled(f"{number} FLOP")
    for name in ("parameters", "tokens", "mfu"):
        with pytest.raises(BadArgument):
            scaled(**{name: number})
    for parameters, tokens in ((number, 1e9), (1e9, number)):
        with pytest.raises(BadArgument):
            ScalingModel().budget(parameters=parameters, tokens=tokens)


def test_a_given_size_takes_the_rest_of_the_budget_as_tokens():
    small = scaled("1.2e20 FLOP", parameters=0.5e9)
    assert small.optimal_tokens == pytest.approx(1.2e20 / (6 * 0.5e9))
    assert small.tokens_per_parameter == pytest.approx(80)
    assert scaled("1.2e20 FLOP", tokens=40e9).optimal_parameters == pytest.approx(0.5e9)
    with pytest.raises(BadArgument, match="leave one out"):
        scaled("1.2e20 FLOP", parameters=1e9, tokens=1e9)


def test_a_fleet_says_how_long_it_trains():
    fleet = Systems.Clusters.Training_1K
    # 1e24 / (1,024 x 989.4e12 x 0.4) = 2.467e6 s
    r = scaled("1e24 FLOP", fleet=fleet, mfu=0.4)
    assert r.training_time.m_as("s") == pytest.approx(1e24 / (1024 * 989.4e12 * 0.4))
    assert scaled("1e24 FLOP", fleet=fleet, precision="fp8").training_time < r.training_time
    assert scaled("1e24 FLOP").training_time is None
    with pytest.raises(UnknownName, match="fp8"):
        scaled(fleet=fleet, precision="fp9")
    with pytest.raises(BadArgument):
        scaled(fleet=fleet, mfu=1.2)


def test_only_the_budget_is_required():
    assert ScalingModel.requires == ("compute_budget",)


def test_a_column_of_budgets_is_the_same_answer_many_times():
    r = scaled(Q_([1.2e20, 1.2e22], "FLOP"))
    np.testing.assert_allclose(r.si("optimal_parameters"), [1e9, 1e10])


# ---- wall 12 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "roofs",
    [
        (1, 5, 3, 3),
        (5, 1, 3, 3),
        (1, 2, 3, 4),
        (3, 4, 1, 2),
        (1, 9, 4, 6),
        (2, 2, 2, 2),
        (3, 3, 2, 2),
        (2, 4, 2, 3),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
def test_the_decode_time_is_the_sum_of_its_steps(roofs, steps):
    c0, c1, m0, m1 = map(float, roofs)
    if steps == 1:
        c1, m1 = c0, m0
    series = zip(np.linspace(c0, c1, steps), np.linspace(m0, m1, steps), strict=True)
    by_hand = sum(max(c, m) + 0.5 for c, m in series)
    total = decode_time(
        first_compute=c0,
        last_compute=c1,
        first_memory=m0,
        last_memory=m1,
        overhead=0.5,
        steps=float(steps),
    )
    assert total == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("model", "batch"),
    [(LLAMA, 1), (LLAMA, 256), (Models.Language.Mixtral_8x7B, 4), (Models.Language.DeepSeek_V3, 1)],
)
def test_the_kv_cache_grows_with_every_token(model, batch):
    how = {"batch_size": batch, "precision": "int8"}
    r = reason(model=model, reasoning_steps=2, tokens_per_step=20, prompt_tokens=100, **how)
    steps = [Engine.solve(model, H100, seq_len=100 + i, **how).latency for i in range(1, 41)]
    prefill = Engine.solve(model, H100, seq_len=100, phase="prefill", **how)
    assert r.decode_time.m_as("s") == pytest.approx(sum(s.m_as("s") for s in steps))
    assert r.latency.m_as("s") == pytest.approx((prefill.latency + r.decode_time).m_as("s"))
    assert steps[-1] > steps[0]
    # KV at the end, not at the start, decides whether it fits
    assert r.kv_cache == Engine.solve(model, H100, seq_len=140, **how).kv_cache


def test_the_energy_law_is_that_of_the_roofline():
    r = reason(batch_size=4)
    assert r.energy.m_as("J") == pytest.approx(700 * r.latency.m_as("s") / 4)
    p = Engine.solve(LLAMA, H100)
    assert p.energy.m_as("J") == pytest.approx(700 * p.latency.m_as("s"))


NINE_MILLION = {
    "model": Models.Language.Llama3_70B,
    "precision": "int8",
    "prompt_tokens": 512,
    "tokens_per_step": 50,
    "batch_size": 1,
    "overhead": "0.8 ms",  # 80 layers, each launched apart at 10 us
    "arrival_rate_qps": 100,
    "devices_per_node": 8,
    "unit_cost": "25000 USD",
    "amortization_years": 3,
    "maintenance_fraction": 0.05,
    "electricity_price": "0.12 USD/kWh",
    "pue": 1.12,
    "power": "700 W",
}


def test_the_nine_million_dollar_question():
    plain, thought = (reason(reasoning_steps=k, **NINE_MILLION) for k in (1, 8))
    # 70.6 GB / 3.35 TB/s + 0.8 ms = 21.9 ms a token and about 72 ms of prefill
    assert thought.multiplier == pytest.approx((72 + 400 * 21.9) / (72 + 50 * 21.9), rel=0.01)
    assert thought.multiplier == pytest.approx(7.56, rel=0.02)
    assert (plain.devices, thought.devices) == (120, pytest.approx(888, rel=0.02))
    # 25,000 / 3 + 5 % + 0.7 kW x 8,766 h x 1.12 x $0.12 a device and year
    year = 25e3 / 3 + 1250 + 0.7 * 8766 * 1.12 * 0.12
    assert plain.device_year.m_as("USD") == pytest.approx(year)
    assert plain.annual_cost.m_as("USD") == pytest.approx(1.249e6, rel=0.02)
    assert thought.annual_cost.m_as("USD") == pytest.approx(9.1e6, rel=0.02)
    assert thought.annual_cost.m_as("USD") == pytest.approx(9.242e6, rel=0.02)


def test_sharing_a_device_is_the_assumption_that_the_bill_hangs_on():
    alone = reason(reasoning_steps=8, **NINE_MILLION)
    shared = reason(reasoning_steps=8, **{**NINE_MILLION, "batch_size": 16})
    assert shared.feasible
    assert shared.devices < alone.devices / 8


def test_devices_follow_littles_law_in_whole_nodes():
    r = reason(arrival_rate_qps=100)
    assert r.devices == math.ceil(100 * r.latency.m_as("s"))
    assert reason(arrival_rate_qps=100, devices_per_node=8).devices % 8 == 0
    assert reason().devices is None
    assert reason().annual_cost is None


def test_thinking_is_linear_in_its_steps():
    times = [reason(reasoning_steps=k).latency.m_as("s") for k in (1, 2, 3)]
    # all but linear: the KV cache bends it upwards a little
    assert times[2] - times[1] == pytest.approx(times[1] - times[0], rel=0.01)
    assert times[2] - times[1] > times[1] - times[0]


def test_a_model_that_does_not_fit_has_no_fleet():
    r = reason(model=Models.Language.Llama3_70B, arrival_rate_qps=1)
    assert not r.feasible
    assert "split the model over 2 devices" in r.reason
    assert (r.devices, r.annual_cost) == (None, None)


@pytest.mark.parametrize(("prompt", "batch"), [(512, 1), (8192, 1), (4096, 100), (4096, 140)])
def test_a_request_is_what_the_serving_model_serves_and_one_decode_step(prompt, batch):
    how = {"batch_size": batch, "precision": "fp16"}
    r = reason(prompt_tokens=prompt, reasoning_steps=8, tokens_per_step=50, **how)
    served = ServingModel().solve(LLAMA, H100, seq_len=prompt, decode_tokens=400, **how)
    last = Engine.solve(LLAMA, H100, seq_len=prompt + 400, **how)
    assert r.latency.m_as("s") == pytest.approx((served.latency + last.latency).m_as("s"))
    # 100 prompts of 4,096 tokens at once would take 24 GB of activations that no server holds
    assert r.feasible == served.feasible == (batch < 140)
    assert r.memory_required.m == pytest.approx(served.memory_required.m)


def test_an_unknown_price_is_unknown_and_never_zero():
    free = H100.replace(unit_cost=None)
    r = reason(hardware=free, arrival_rate_qps=10)
    assert r.annual_cost is None
    assert "unit_cost" in r.notes[0]
    priced = reason(hardware=free, arrival_rate_qps=10, unit_cost="30000 USD")
    assert priced.annual_cost == reason(arrival_rate_qps=10).annual_cost
    dark = H100.replace(tdp=None)
    r = reason(hardware=dark, arrival_rate_qps=10)
    assert (r.energy, r.annual_cost) == (None, None)
    assert "power" in r.notes[0]


@bad_numbers
def test_reasoning_refuses_numbers_that_make_no_sense(number):
    bad = {
        "reasoning_steps": number,
        "tokens_per_step": number,
        "prompt_tokens": number,
        "batch_size": number,
        "efficiency": number,
        "arrival_rate_qps": number,
        "devices_per_node": number,
        "unit_cost": f"{number} USD",
        "amortization_years": number,
        "power": f"{number} W",
        "pue": number,
    }
    for name, value in bad.items():
        with pytest.raises(BadArgument, match=name):
            reason(**{name: value})


def test_reasoning_refuses_what_makes_no_sense():
    for bad in (
        {"overhead": "-1 ms"},
        {"overhead": 1},
        {"overhead": "nan ms"},
        {"reasoning_steps": 1.5},
        {"maintenance_fraction": -0.1},
        {"maintenance_fraction": 2},
        {"pue": 0.9},
        {"electricity_price": 0.1},
        {"electricity_price": "-1 USD/kWh"},
        {"unit_cost": 25000},
        {"arrival_rate_qps": "3 GB"},
        {"precision": "int7"},
        {"efficiency": 1.01},
        {"model": Models.ResNet50},
        {"model": Models.Language.BERT_Base},
        {"hardware": "H10O"},
    ):
        with pytest.raises(BadArgument):
            reason(**bad)


@given(st.integers(1, 64), st.integers(1, 500), st.integers(1, 4000), st.integers(1, 64))
def test_more_thought_is_never_cheaper(steps, tokens, prompt, batch):
    how = {"tokens_per_step": tokens, "prompt_tokens": prompt, "batch_size": batch}
    less, more = reason(reasoning_steps=steps, **how), reason(reasoning_steps=steps + 1, **how)
    assert more.latency > less.latency
    assert 1 <= less.multiplier <= steps * (1 + prompt / tokens + steps)


def test_a_column_of_steps_is_the_same_answer_many_times():
    column = reason(reasoning_steps=[1, 4, 16], arrival_rate_qps=10)
    ones = [reason(reasoning_steps=k, arrival_rate_qps=10) for k in (1, 4, 16)]
    for field in ("latency", "multiplier", "devices", "annual_cost", "energy"):
        np.testing.assert_allclose(column.si(field), [one.si(field) for one in ones])


# ---- wall 13 -------------------------------------------------------------------------------------


def test_where_memory_binds_bits_are_time():
    r = compress(precision="int4", seq_len=1)
    assert (r.baseline_bottleneck, r.bottleneck) == ("Memory", "Memory")
    # 6.98e9 weights of matrices at 4.16 bits and 525e6 of the head at 16: 4.68 GB are read, of
    # 15.01 before, in 1.40 ms and 4.48, and 10 us of dispatch
    read = MATRICES * 4.15625 / 8 + 2 * (128256 * 4096 + 4096)
    assert read == pytest.approx(4.68e9, rel=1e-3)
    assert r.speedup == pytest.approx(
        (15.01e9 / 3.35e12 + 1e-5) / (read / 3.35e12 + 1e-5), rel=3e-3
    )
    assert r.speedup == pytest.approx(3.2, rel=0.01)
    assert r.throughput.m_as("1/s") == pytest.approx(1 / (4.68e9 / 3.35e12 + 1e-5), rel=3e-3)


def test_four_bit_weights_are_as_large_as_the_file_that_is_published():
    """5.73 GB: Meta-Llama-3-8B-Instruct-AWQ, 4 bits in groups of 128, embedding and head at 16."""
    r = compress(precision="int4")
    assert r.weights.m_as("GB") == pytest.approx(5.73, rel=1e-3)
    assert Engine.solve(LLAMA, H100, precision="int4").weights.m == r.weights.m
    assert r.compression_ratio == pytest.approx(16.06 / 5.73, rel=1e-3)


@pytest.mark.parametrize("device", ["A100", "H100", "RTX_4090", "L40S"])
def test_four_bit_weights_compute_a_prompt_no_faster_anywhere(device):
    how = {"hardware": Hardware[device], "phase": "prefill", "seq_len": 2048}
    r = compress(**how, precision="int4")
    assert (r.datapath, r.speedup) == ("fp16", pytest.approx(1.0, rel=1e-9))
    assert "widened" in r.notes[0]


def test_arithmetic_in_four_bits_is_asked_for_by_name():
    how = {"hardware": Hardware.Cloud.A100, "phase": "prefill", "seq_len": 2048}
    r = compress(**how, precision="w4a4")
    assert (r.datapath, r.notes) == ("int4", ())
    assert 3 < r.speedup < 4  # attention and the head stay at 16 bits


def test_int4_on_an_h100_gains_nothing_where_compute_binds():
    r = compress(precision="int4", phase="prefill")
    assert (r.baseline_bottleneck, r.datapath) == ("Compute", "fp16")
    assert r.speedup == pytest.approx(1)
    assert "weights alone" in r.notes[0]


def test_int8_on_an_h100_doubles_where_compute_binds():
    # 1978.9 dense TOP/s against 989.4 TFLOP/s for the products, and attention stays at 16 bits:
    # 2 x 6.98e9 FLOP a token, and 2 x 2 x 4096 for each of 1,024.5 that it sees in 32 layers
    r = compress(precision="int8", phase="prefill", seq_len=2048)
    products, attention = 2 * MATRICES, 32 * 2 * 2 * 4096 * 1024.5
    after = products / 2 + attention
    assert r.speedup == pytest.approx((products + attention) / after, rel=0.002)
    assert compress(precision="int8", phase="prefill", kv_precision="int8").speedup == (
        pytest.approx(1978.9 / 989.4, rel=0.001)
    )
    assert (r.datapath, r.notes) == ("int8", ())


def test_int4_is_never_eight_times_as_fast():
    for batch in (1, 16, 256, 1024):
        r = compress(precision="int4", batch_size=batch, seq_len=32)
        assert 1 - 1e-9 <= r.speedup < 4


def test_a_large_batch_moves_the_same_model_to_the_other_roof():
    # both terms grow with the batch, only the weights do not: int4 meets compute first
    r = compress(precision="int4", batch_size=100, seq_len=32)
    assert (r.baseline_bottleneck, r.bottleneck) == ("Memory", "Compute")
    assert 1 < r.speedup < 2


@pytest.mark.parametrize("precision", ["int4", "int8", "fp8"])
def test_with_every_byte_compressed_a_decode_step_is_that_of_the_roofline(precision):
    how = {"batch_size": 32, "seq_len": 8192, "precision": precision}
    for cache in ({}, {"kv_precision": precision}):
        plain, compressed = Engine.solve(LLAMA, H100, **how, **cache), compress(**how, **cache)
        assert compressed.latency.m == pytest.approx(plain.latency.m)
        assert compressed.kv_cache.m == pytest.approx(plain.kv_cache.m)
    assert compress(**how).latency > 1.3 * plain.latency


def test_the_kv_cache_keeps_its_bits_unless_it_is_asked_to_shrink():
    r, small = compress(seq_len=8192), compress(seq_len=8192, kv_precision="int8")
    cache = Engine.solve(LLAMA, H100, seq_len=8192).kv_cache
    assert r.kv_cache.m_as("GB") == pytest.approx(cache.m_as("GB"))
    assert small.kv_cache.m_as("GB") == pytest.approx(cache.m_as("GB") / 2)
    assert small.speedup > r.speedup


def test_compression_can_make_a_model_fit():
    r = compress(model=Models.Language.Llama3_70B, precision="int4")
    assert (r.baseline_feasible, r.feasible) == (False, True)
    assert r.speedup is None  # there is no time without compression to compare with
    wide = compress(model=Models.Language.Llama3_70B, precision="fp16")
    assert not wide.feasible
    assert "short by" in wide.reason


def shrunk(part):
    """What the weights shrink by when those of the matrices keep `part` of their bytes."""
    return LLAMA.parameters / (LLAMA.parameters - MATRICES + part * MATRICES)


def test_no_compression_is_no_change():
    r = compress(precision="fp16")
    assert (r.compression_ratio, r.speedup, r.accuracy_delta) == (1, 1, None)
    assert r.latency == Engine.solve(LLAMA, H100).latency


def test_a_wider_precision_is_an_honest_loss():
    r = compress(precision="fp32")
    assert r.compression_ratio == 0.5
    assert r.speedup < 1


def test_unstructured_sparsity_shrinks_bytes_but_not_compute():
    r = compress(precision="fp16", sparsity=0.5, phase="prefill")
    assert r.speedup == pytest.approx(1)
    # of the matrices' 16 bits half, and one bit that says which
    assert r.compression_ratio == pytest.approx(shrunk(9 / 16))


def test_2_to_4_speeds_compute_only_where_the_device_is_said_to():
    how = {"precision": "fp16", "sparsity": 0.5, "pattern": "2:4", "phase": "prefill"}
    assert compress(**how).speedup == pytest.approx(1)
    assert "sparse_speedup" in compress(**how).notes[0]
    # products twice as fast, and attention as before
    products, attention = 2 * MATRICES, 32 * 2 * 2 * 4096 * 1024.5
    faster = (products + attention) / (products / 2 + attention)
    assert compress(**how, sparse_speedup=2).speedup == pytest.approx(faster, rel=0.002)
    # PyTorch stores 2:4 in 9/16 of fp16 and 10/16 of int8
    assert compress(**how).compression_ratio == pytest.approx(shrunk(9 / 16))
    int8 = compress(**{**how, "precision": "int8"}, baseline_precision="int8")
    assert int8.compression_ratio == pytest.approx(shrunk(10 / 16))


def test_structured_pruning_shrinks_both():
    r = compress(precision="fp16", sparsity=0.75, pattern="structured", phase="prefill")
    assert r.compression_ratio == pytest.approx(shrunk(1 / 4))
    assert r.speedup == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize(
    ("model", "how", "finding"),
    [
        ("Llama3_8B", {"precision": "int8"}, "SmoothQuant_w8a8_Llama3_8B"),
        ("Llama2_7B", {"precision": "int8"}, "SmoothQuant_w8a8_Llama2_7B"),
        ("Llama2_7B", {"sparsity": 0.5, "pattern": "2:4"}, "SparseGPT_2_4_Llama2_7B"),
        ("Llama2_7B", {"sparsity": 0.5}, "SparseGPT_50_Llama2_7B"),
        ("Llama2_70B", {"sparsity": 0.5}, "SparseGPT_50_Llama2_70B"),
        ("Llama2_70B", {"sparsity": 0.5, "baseline_precision": "fp32"}, "SparseGPT_50_Llama2_70B"),
    ],
)
def test_accuracy_is_published_or_unknown(model, how, finding):
    r = compress(**{"model": Models.Language[model], "precision": "fp16", **how})
    known = Literature.Compression[finding]
    assert r.accuracy_delta == known.value
    assert r.accuracy_source == f"{known.name}: {known.context}"


@pytest.mark.parametrize(
    ("pattern", "sparsity", "bits", "parts"),
    [
        # 16 bits of what is kept, and one for each that may be; whole rows need no index
        ("unstructured", 0.75, 16 / 4 + 1, 1),
        ("unstructured", 0.0, 16, 1),
        ("2:4", 0.5, 16 / 2 + 1, 1 / 3),
        ("structured", 0.75, 16 / 4, 1 / 4),
    ],
)
def test_what_is_pruned_by_hand(pattern, sparsity, bits, parts):
    """Of Llama 3 8B the matrices of 32 layers; its tables, norms and head stay."""
    faster = 3.0 if pattern == "2:4" else 1.0
    how = {"precision": "fp16", "pattern": pattern, "sparsity": sparsity}
    r = compress(**how, sparse_speedup=faster)
    layers = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    rest = LLAMA.parameters - layers
    assert r.weights.m_as("B") == pytest.approx(layers * bits / 8 + rest * 2)
    assert r.baseline_weights.m_as("B") == 2 * LLAMA.parameters
    assert r.peak.m_as("TFLOP/s") == pytest.approx(989.4 * faster)
    column = compress(**(how | {"sparsity": np.array([sparsity])}), sparse_speedup=faster)
    assert column.weights.m_as("B").tolist() == [pytest.approx(r.weights.m_as("B"))]
    # a long prompt is arithmetic
    long = {"seq_len": 1024, "phase": "prefill", "batch_size": 8}
    r = compress(**how, sparse_speedup=faster, **long)
    scores = 32 * 32 * 256 * 1024 * 1025 / 2
    head = 4096 * 128256
    before = layers * 1024 + scores + head
    # with whole heads their attention goes; a sparse datapath does not run it
    after = parts * (layers * 1024 + head) + scores * (1 if pattern == "2:4" else parts)
    assert r.speedup == pytest.approx(before / after, rel=1e-3)


def test_no_formula_predicts_accuracy():
    llama2 = Models.Language.Llama2_7B
    for unmeasured in (
        {"precision": "int4"},
        {"precision": "fp16", "sparsity": 0.99},
        {"precision": "int8", "sparsity": 0.5, "model": llama2},
        {"model": Models.ResNet50},
        {"precision": "int8", "baseline_precision": "int4"},
        {"precision": "int8", "model": LLAMA.replace(layers=31)},
    ):
        assert compress(**unmeasured).accuracy_delta is None


def test_compression_refuses_what_makes_no_sense():
    for bad in (
        {"sparsity": 1},
        {"sparsity": -0.1},
        {"sparsity": math.nan},
        {"sparsity": math.inf},
        {"sparsity": 0.6, "pattern": "2:4"},
        {"pattern": "2:4"},
        {"sparse_speedup": 2},
        {"sparse_speedup": 0.5, "pattern": "2:4", "sparsity": 0.5},
        {"batch_size": 0},
        {"batch_size": -1},
        {"batch_size": 1.5},
        {"batch_size": math.nan},
        {"seq_len": 0},
        {"efficiency": 0},
        {"efficiency": 1.5},
        {"model": "llama"},
        {"hardware": None},
    ):
        with pytest.raises(BadArgument):
            compress(**bad)
    for name in ("precision", "baseline_precision", "kv_precision", "pattern", "phase"):
        with pytest.raises(UnknownName, match=name):
            compress(**{name: "int5"})
    with pytest.raises(UnknownName, match="did you mean 'structured'"):
        compress(pattern="structure")


def test_a_precision_that_no_datapath_can_hold_is_refused():
    with pytest.raises(NoDatapath):
        compress(
            model=Models.Tiny.KeywordSpotting,
            hardware=Hardware.Edge.Coral_EdgeTPU,
            precision="fp64",
            baseline_precision="int8",
        )


@given(st.sampled_from(["fp32", "fp16", "int8", "int4"]), st.floats(0, 0.95), st.integers(1, 2048))
def test_more_sparsity_is_never_slower_past_its_index(precision, sparsity, batch):
    how = {"precision": precision, "batch_size": batch, "seq_len": 16, "pattern": "structured"}
    less, more = compress(sparsity=sparsity, **how), compress(sparsity=sparsity + 0.04, **how)
    assert more.si("latency") <= less.si("latency")
    assert more.si("weights") < less.si("weights")


def test_a_column_of_batches_is_the_same_answer_many_times():
    batches = [1, 32, 512]
    column = compress(batch_size=batches, seq_len=128)
    ones = [compress(batch_size=b, seq_len=128) for b in batches]
    np.testing.assert_allclose(column.si("speedup"), [one.speedup for one in ones])
    assert list(column.bottleneck) == [one.bottleneck for one in ones]
    sparse = compress(sparsity=[0.0, 0.5], precision="fp16")
    np.testing.assert_allclose(sparse.si("compression_ratio"), [1, shrunk(9 / 16)])
