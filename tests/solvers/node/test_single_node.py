"""Walls 1 and 2: the roofline of one step, against hand calculations, limits and invariants.

By hand, for Llama 3 8B (see tests/models/test_transformer.py): a decode step reads 7,504,662,528
weights and does 15,009,316,864 FLOP in its matrices; each token of context adds 131,072 bytes of
cache and 524,288 FLOP. The H100 does 989.4e12 FLOP/s dense in fp16 and reads 3.35e12 B/s.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlsysim import Q_, Hardware, Literature, Models, SingleNodeModel
from mlsysim.core.errors import (
    BadArgument,
    NoDatapath,
    OutOfRange,
    UnknownArgument,
    UnknownName,
    WrongUnit,
)
from mlsysim.core.units import PRECISIONS
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.widths import Widths
from mlsysim.solvers import CompressionModel
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.single import Profile, _placed, one_each

solve = SingleNodeModel().solve
LLAMA = Models.Language.Llama3_8B
H100 = Hardware.Cloud.H100
MATRICES = 32 * (4096 * 6144 + 4096 * 4096 + 3 * 4096 * 14336) + 4096 * 128256
PEAK, BANDWIDTH, TAX = 989.4e12, 3.35e12, 10e-6


def chip(peak=100e12, bandwidth=1e12, capacity=64e9, tax=0.0) -> HardwareNode:
    """Build a device of round numbers."""
    return Hardware.from_spec(
        {
            "name": "Chip",
            "release_year": 2026,
            "compute": {"peak_flops": Q_(peak, "FLOP/s")},
            "memory": {"capacity": Q_(capacity, "B"), "bandwidth": Q_(bandwidth, "B/s")},
            "dispatch_tax": Q_(tax, "s"),
        }
    )


# ---- by hand -------------------------------------------------------------------------------------


def test_one_decode_step_by_hand():
    p = solve(LLAMA, H100, seq_len=2048)
    traffic = 2 * (MATRICES + 4096) + 2048 * 131072  # 15.01 GB of weights and 0.27 GB of cache
    work = 2 * MATRICES + 2048 * 524288
    assert p.traffic.m_as("B") == pytest.approx(traffic)
    assert p.operations.m_as("FLOP") == pytest.approx(work)
    assert p.memory_time.m_as("s") == pytest.approx(traffic / BANDWIDTH)
    assert p.compute_time.m_as("s") == pytest.approx(work / (PEAK * 0.5))
    assert p.latency.m_as("s") == pytest.approx(traffic / BANDWIDTH + TAX)  # about 4.57 ms
    assert p.throughput.m_as("1/s") == pytest.approx(1 / (traffic / BANDWIDTH + TAX))
    assert p.mfu == pytest.approx(work / (traffic / BANDWIDTH + TAX) / PEAK)
    assert p.bottleneck == "Memory"
    assert p.feasible is True or p.feasible == np.True_
    assert p.reason == ""


def test_the_published_memory_is_what_must_fit():
    p = solve(LLAMA, H100, seq_len=2048)
    assert p.weights.m_as("B") == 2 * 8030261248
    assert p.kv_cache.m_as("B") == 2048 * 131072
    assert p.memory_required.m_as("GB") == pytest.approx(16.33, rel=1e-3)
    assert p.memory_capacity.m_as("MiB") == pytest.approx(81559)


def test_prefill_does_the_whole_prompt_at_once_and_is_compute_bound():
    n = 2048
    p = solve(LLAMA, H100, seq_len=n, phase="prefill")
    # every layer for every token, half of the square of attention, one row of logits
    head = 4096 * 128256
    work = 2 * ((MATRICES - head) * n + head) + 2 * (n * (n + 1) // 2) * 32 * 32 * 256
    assert p.operations.m_as("FLOP") == pytest.approx(work)
    assert p.latency.m_as("s") == pytest.approx(work / (PEAK * 0.5) + TAX)  # about 59 ms
    assert p.bottleneck == "Compute"


def test_without_context_the_batch_turns_compute_bound_at_about_148():
    # weights only: 2 bytes and 2 FLOP a weight, so B* = peak x eta / bandwidth = 989.4e12 x 0.5 /
    # 3.35e12 = 147.7
    p = solve(LLAMA, H100, batch_size=[1, 64, 147, 148, 1024], seq_len=1)
    assert list(p.bottleneck) == ["Memory", "Memory", "Memory", "Compute", "Compute"]


def test_with_a_context_of_2048_no_batch_is_ever_compute_bound():
    # each request reads 2048 x 131072 B of its own cache and a row of the table of embeddings:
    # 80.1 us, and computes for (15.01e9 + 1.07e9) FLOP: 32.5 us
    one, two = (solve(LLAMA, H100, batch_size=batch, seq_len=2048) for batch in (1, 2))
    read = (2048 * 131072 + 2 * 4096) / BANDWIDTH
    compute = (2 * MATRICES + 2048 * 524288) / (PEAK * 0.5)
    assert (two.memory_time - one.memory_time).m_as("s") == pytest.approx(read)
    assert (two.compute_time - one.compute_time).m_as("s") == pytest.approx(compute)
    p = solve(LLAMA, H100, batch_size=[1, 148, 10_000, 1_000_000], seq_len=2048)
    assert set(p.bottleneck) == {"Memory"}
    # reading overtakes computing where 131072 S / BW = (15.01e9 + 524288 S) / (peak x eta), at
    # about 797 tokens
    assert solve(LLAMA, H100, batch_size=1_000_000, seq_len=792).bottleneck == "Compute"
    assert solve(LLAMA, H100, batch_size=1_000_000, seq_len=802).bottleneck == "Memory"


def test_seventy_billion_parameters_in_fp16_do_not_fit_one_h100():
    p = solve(Models.Language.Llama3_70B, H100)
    assert not p.feasible
    # 70.55e9 x 2 B = 141.1 GB, and 2048 x 2 x 80 x 8 x 128 x 2 B = 0.67 GB of cache
    assert "141.8 GB" in p.reason
    assert "85.52 GB" in p.reason
    assert "2 devices" in p.reason
    assert "int8" in p.reason
    assert p.reason.endswith(".")
    assert p.latency.m_as("ms") > 0  # the question of time still has its answer
    assert solve(Models.Language.Llama3_70B, H100, precision="int8").feasible


def test_a_context_of_128k_fills_the_device_only_without_grouped_queries():
    grouped = solve(LLAMA, H100, seq_len=131072)
    multi_head = solve(LLAMA.replace(kv_heads=32), H100, seq_len=131072)
    assert grouped.memory_required.m_as("GB") == pytest.approx(33.2, rel=2e-3)
    assert multi_head.memory_required.m_as("GB") == pytest.approx(84.8, rel=2e-3)
    assert "131,072 is longer than the 8,192" in grouped.notes[0]
    assert solve(LLAMA, H100).notes == ()


def test_the_cache_must_fit_beside_the_weights():
    # 16.06 GB of weights; each sequence of 8,192 keeps 131,072 B x 8,192 = 1.074 GB
    fits = solve(LLAMA, H100, batch_size=64, seq_len=8192)  # 84.8 GB
    full = solve(LLAMA, H100, batch_size=65, seq_len=8192)  # 85.9 GB
    assert fits.feasible
    assert not full.feasible
    assert full.weights < full.memory_capacity
    assert "KV cache" in full.reason
    assert "a smaller batch or a shorter context" in full.reason


def test_a_mixture_of_experts_reads_only_the_experts_that_its_batch_touches():
    mixtral, h200 = Models.Language.Mixtral_8x7B, Hardware.Cloud.H200
    # of 8 experts 2, then 8 (1 - 0.75^4) = 5.47, then all
    rest = 32 * (4096 * 6144 + 4096 * 4096 + 4096 * 8) + 4096 * 32000
    for batch, experts in ((1, 2.0), (4, 8 * (1 - 0.75**4)), (4096, 8.0)):
        p = solve(mixtral, h200, batch_size=batch, seq_len=1)
        weights = 2 * (rest + 32 * experts * 3 * 4096 * 14336 + batch * 4096)
        assert p.traffic.m_as("B") == pytest.approx(weights + batch * 131072)
        assert p.weights.m_as("B") == 2 * 46702792704  # all must be held


def test_resnet50_training_is_48_ms_on_an_a100():
    # 256 images x 3 passes x 2 FLOP x 4.089e9 MACs / (312e12 x 0.42) = 47.9 ms
    by_hand = 256 * 3 * 2 * 4.089e9 / (312e12 * 0.42)
    p = solve(
        Models.Vision.ResNet50, Hardware.Cloud.A100, batch_size=256, efficiency=0.42, training=True
    )
    assert p.latency.m_as("s") == pytest.approx(by_hand, rel=0.01)
    assert p.latency.m_as("ms") == pytest.approx(48, rel=0.02)
    assert p.bottleneck == "Compute"
    assert p.feasible


def test_training_llama_needs_sixteen_bytes_a_parameter():
    p = solve(LLAMA, H100, training=True)
    assert p.weights.m_as("B") == 16 * 8030261248  # 128 GB before a single activation
    assert not p.feasible
    assert p.bottleneck == "Compute"


def test_keyword_spotting_on_a_microcontroller_is_compute_bound():
    # 2 x 2,656,768 operations at half of 64 MHz x 4: 41.5 ms; 160 kB at 256 MB/s: 0.6 ms; and 1 ms
    # to start
    p = solve(Models.Tiny.KeywordSpotting, Hardware.Tiny.nRF52840, precision="int8")
    assert p.compute_time.m_as("s") == pytest.approx(2 * 2_656_768 / (0.256e9 * 0.5))
    assert p.latency.m_as("ms") == pytest.approx(42.5, rel=1e-3)
    assert p.bottleneck == "Compute"
    assert p.memory_tier == "main"
    # 33 FLOP/B with the activations that cross the bus, still far above the ridge of 1 op/B
    assert p.arithmetic_intensity > 10 * p.ridge_point


def test_a_model_too_large_for_sram_runs_from_flash():
    # 264,192 weights do not fit 256 KiB beside their activations; 1 MiB of flash reads them at 64
    # MB/s: 4.1 ms
    model, device = Models.Tiny.AnomalyDetection, Hardware.Tiny.nRF52840
    p = solve(model, device, precision="int8")
    assert p.feasible
    assert p.memory_tier == "flash"
    assert p.memory_time.m_as("s") == pytest.approx(264192 / 64e6, rel=0.02)
    assert p.memory_time.m_as("s") > 264192 / 64e6


def test_the_flash_is_not_read_when_the_model_fits_sram():
    p = solve(Models.Tiny.KeywordSpotting, Hardware.Tiny.nRF52840, precision="int8")
    assert p.memory_time.m_as("s") == pytest.approx(p.traffic.m_as("B") / 256e6)


def test_training_does_not_run_from_flash():
    assert not solve(
        Models.Tiny.AnomalyDetection, Hardware.Tiny.nRF52840, precision="fp32", training=True
    ).feasible


def test_a_model_that_not_even_flash_holds_does_not_fit():
    p = solve(Models.Vision.ResNet50, Hardware.Tiny.nRF52840, precision="int8")
    assert not p.feasible
    assert p.memory_tier == "none"
    assert p.reason


def test_a_step_smaller_than_its_launch_is_bound_by_the_launch():
    p = solve(Models.Tiny.KeywordSpotting, H100, precision="int8")
    assert p.bottleneck == "Overhead"
    assert p.latency.m_as("us") == pytest.approx(10, rel=0.05)


# ---- precisions ----------------------------------------------------------------------------------


def test_int4_on_hopper_shrinks_the_bytes_but_not_the_arithmetic():
    wide, narrow = (solve(LLAMA, H100, precision=p) for p in ("fp16", "int4"))
    assert narrow.datapath == "fp16"
    assert narrow.precision == "int4"
    assert narrow.compute_time == wide.compute_time
    # each of 6,979,321,856 weights of matrices takes 2 - 0.51953 bytes less; all else stays
    saved = 6_979_321_856 * (2 - 0.51953125)
    assert (wide.traffic - narrow.traffic).m_as("B") == pytest.approx(saved)
    assert (wide.memory_time / narrow.memory_time).m_as("") == pytest.approx(3.09, abs=0.01)
    assert narrow.peak.m_as("TFLOP/s") == pytest.approx(989.4)
    prompt = [solve(LLAMA, H100, precision=p, phase="prefill").latency for p in ("fp16", "int4")]
    assert prompt[0] == prompt[1]  # not "8 times faster"


def test_int8_on_volta_runs_in_fp16():
    p = solve(LLAMA, Hardware.Cloud.V100, precision="int8")
    assert p.datapath == "fp16"
    assert p.peak.m_as("TFLOP/s") == pytest.approx(125)
    assert p.weights.m_as("B") == 8030261248


def test_floating_point_on_an_integer_machine_has_no_datapath():
    with pytest.raises(NoDatapath, match=r"Coral.*fp16"):
        solve(Models.Vision.MobileNetV2, Hardware.Edge.Coral_EdgeTPU, precision="fp16")


# ---- energy --------------------------------------------------------------------------------------


def test_energy_is_the_design_power_for_the_time_of_the_step():
    p = solve(LLAMA, H100)
    assert p.energy.m_as("J") == pytest.approx(700 * p.latency.m_as("s"))


def test_an_unpublished_power_leaves_the_energy_unknown():
    assert solve(LLAMA, chip()).energy is None


def test_keyword_spotting_costs_a_fraction_of_a_millijoule_not_fifty_microjoule():
    # 9.9 mW for 42.5 ms is 0.42 mJ
    p = solve(Models.Tiny.KeywordSpotting, Hardware.Tiny.nRF52840, precision="int8")
    assert p.energy.m_as("mJ") == pytest.approx(9.9 * 0.0425, rel=0.01)


# ---- against measurements ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("finding", "model", "tokens_per_second"),
    [
        # the rates stand in the same table as the utilisations (gpt-fast, batch 1, bf16, one A100)
        (Literature.Efficiency.GptFast_decode_Llama2_7B, Models.Language.Llama2_7B, 104.9),
        (Literature.Efficiency.GptFast_decode_Llama3_8B, Models.Language.Llama3_8B, 93.9),
    ],
    ids=["Llama 2 7B", "Llama 3 8B"],
)
def test_measured_decode_is_the_measured_part_of_the_memory_roof(finding, model, tokens_per_second):
    roof = solve(model, Hardware.Cloud.A100, seq_len=1, precision="bf16").throughput.m_as("1/s")
    assert roof * finding.value == pytest.approx(tokens_per_second, rel=0.02)


# ---- malformed questions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"batch_size": 0}, OutOfRange),
        ({"batch_size": -1}, OutOfRange),
        ({"batch_size": 1.5}, OutOfRange),
        ({"batch_size": 1e10}, OutOfRange),
        ({"batch_size": float("nan")}, OutOfRange),
        ({"batch_size": "2 GB"}, WrongUnit),
        ({"seq_len": 0}, OutOfRange),
        ({"seq_len": -5}, OutOfRange),
        ({"seq_len": 0.5}, OutOfRange),
        ({"seq_len": float("inf")}, OutOfRange),
        ({"seq_len": 1e16}, OutOfRange),
        ({"efficiency": 0}, OutOfRange),
        ({"efficiency": 1.01}, OutOfRange),
        ({"efficiency": -0.5}, OutOfRange),
        ({"efficiency": "fast"}, WrongUnit),
        ({"precision": "fp61"}, UnknownName),
        ({"precision": None}, UnknownName),
        ({"phase": "decoding"}, UnknownName),
        ({"phase": "forward"}, UnknownName),
        ({"phase": 1}, UnknownName),
        ({"training": 1}, BadArgument),
        ({"training": True, "phase": "decode"}, BadArgument),
        ({"batchsize": 1}, UnknownArgument),
        ({"batch_size": [1, 2], "seq_len": [1, 2, 3]}, BadArgument),
    ],
)
def test_a_malformed_question_raises_and_names_the_argument(wrong, kind):
    with pytest.raises(kind) as caught:
        solve(LLAMA, H100, **wrong)
    assert any(argument in str(caught.value) for argument in wrong)
    assert str(caught.value).endswith((".", "?"))


@pytest.mark.parametrize(
    "model", [8, None, H100, type(LLAMA)], ids=["number", "none", "device", "class"]
)
def test_what_is_no_model_is_refused(model):
    with pytest.raises(BadArgument, match=r"model cannot be .* such as mlsysim"):
        solve(model, H100)


def test_model_and_device_the_wrong_way_round_are_refused():
    with pytest.raises(BadArgument, match="model cannot be"):
        solve(H100, LLAMA)


# ---- invariants ----------------------------------------------------------------------------------

MODELS = [
    Models.Language.Llama3_8B,
    Models.Language.Mixtral_8x7B,
    Models.Vision.ResNet50,
    Models.Language.BERT_Base,
]
batches = st.integers(1, 4096)
lengths = st.integers(1, 16384)
efficiencies = st.floats(0.01, 1.0)
factors = st.floats(1.0, 1000.0)
some_model = st.sampled_from(MODELS)


@given(
    model=some_model, batch=batches, efficiency=efficiencies, factor=factors, training=st.booleans()
)
def test_more_bandwidth_and_more_flops_are_never_slower(model, batch, efficiency, factor, training):
    ask = {"batch_size": batch, "efficiency": efficiency, "training": training}
    base = solve(model, chip(), **ask).latency
    assert solve(model, chip(bandwidth=1e12 * factor), **ask).latency <= base
    assert solve(model, chip(peak=100e12 * factor), **ask).latency <= base
    both = solve(model, chip(peak=100e12 * factor, bandwidth=1e12 * factor), **ask).latency
    assert both.m_as("s") == pytest.approx(base.m_as("s") / factor)


@given(batch=batches, length=lengths, factor=st.floats(1.0, 100.0))
def test_time_times_bandwidth_is_constant_while_memory_binds(batch, length, factor):
    slow, fast = (
        solve(LLAMA, chip(bandwidth=bw), batch_size=batch, seq_len=length)
        for bw in (1e11, 1e11 * factor)
    )
    assume(fast.bottleneck == "Memory")
    assert slow.bottleneck == "Memory"
    assert fast.latency.m_as("s") * factor == pytest.approx(slow.latency.m_as("s"))


@given(model=some_model, batch=batches, capacity=st.floats(1e9, 1e12), factor=factors)
def test_what_fits_still_fits_with_more_memory(model, batch, capacity, factor):
    small, large = (
        solve(model, chip(capacity=c), batch_size=batch) for c in (capacity, capacity * factor)
    )
    assert large.feasible or not small.feasible
    assert bool(small.reason) == (not small.feasible)
    assert small.latency == large.latency


@given(model=some_model, batch=batches, efficiency=efficiencies)
def test_the_roofline_holds(model, batch, efficiency):
    p = solve(model, chip(), batch_size=batch, efficiency=efficiency)
    time = p.latency.m_as("s")
    assert time == pytest.approx(max(p.compute_time.m_as("s"), p.memory_time.m_as("s")))
    assert 0 < p.mfu <= efficiency * (1 + 1e-9)
    # achieved rate lies under both roofs
    rate = p.operations.m_as("FLOP") / time
    assert rate <= min(100e12, p.arithmetic_intensity.m_as("FLOP/B") * 1e12) * (1 + 1e-9)
    assert p.bottleneck == ("Compute" if p.compute_time > p.memory_time else "Memory")


@given(batch=batches, length=lengths)
def test_a_larger_batch_is_slower_in_all_and_faster_for_each(batch, length):
    one, two = (solve(LLAMA, H100, batch_size=b, seq_len=length) for b in (batch, 2 * batch))
    assert one.latency <= two.latency <= 2 * one.latency
    assert two.throughput >= one.throughput * (1 - 1e-12)


@given(length=lengths, precision=st.sampled_from([p for p in PRECISIONS if p not in ("fp64",)]))
def test_prefill_of_one_token_is_about_a_decode_step(length, precision):
    decode, prefill = (
        solve(LLAMA, H100, seq_len=n, phase=phase, precision=precision)
        for n, phase in ((1, "decode"), (1, "prefill"))
    )
    assert prefill.operations == decode.operations
    longer = solve(LLAMA, H100, seq_len=length, phase="prefill", precision=precision)
    assert longer.operations >= prefill.operations


@given(
    sizes=st.lists(batches, min_size=1, max_size=5),
    length=lengths,
    efficiency=efficiencies,
    phase=st.sampled_from(["decode", "prefill", None]),
    training=st.booleans(),
)
def test_an_array_of_questions_has_the_answers_of_single_ones(
    sizes, length, efficiency, phase, training
):
    ask = {
        "seq_len": length,
        "efficiency": efficiency,
        "phase": None if training else phase,
        "training": training,
    }
    column = solve(LLAMA, H100, batch_size=sizes, **ask)
    assert len(column) == len(sizes)
    for row, size in zip(column, sizes, strict=True):
        one = solve(LLAMA, H100, batch_size=size, **ask)
        for field in one.fields:
            assert row.si(field) == (
                pytest.approx(one.si(field)) if isinstance(one.si(field), float) else one.si(field)
            )


def test_arrays_broadcast_against_each_other():
    grid = solve(LLAMA, H100, batch_size=np.array([[1], [2]]), seq_len=np.array([128, 256, 512]))
    assert grid.shape == (2, 3)
    assert grid[5] == solve(LLAMA, H100, batch_size=2, seq_len=512)


# ---- which roof, by numbers that were made up ----------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "memory", "overhead", "roof", "shares"),
    [
        (3.0, 2.0, 1.0, "Compute", (0.75, 0.0)),
        (2.0, 3.0, 1.0, "Memory", (0.0, 0.75)),
        (3.0, 3.0, 1.0, "Memory", (0.0, 0.75)),  # as one says of a step on the ridge
        (3.0, 2.0, 5.0, "Overhead", (0.375, 0.0)),
        (2.0, 3.0, 3.5, "Overhead", (0.0, 3 / 6.5)),
        (3.0, 2.0, 3.0, "Compute", (0.5, 0.0)),  # no longer than a roof
        (2.0, 3.0, 3.0, "Memory", (0.0, 0.5)),
    ],
)
def test_a_step_waits_under_one_roof_or_for_its_launch(compute, memory, overhead, roof, shares):
    times = {"compute_time": compute, "memory_time": memory, "overhead": overhead}
    times["latency"] = max(compute, memory) + overhead
    one = Profile(**times, _under_compute=None)
    columns = Profile(**{k: np.array([v]) for k, v in times.items()}, _under_compute=None)
    assert (one.bottleneck, columns.bottleneck.tolist()) == (roof, [roof])
    assert (one.compute_share, one.memory_share) == pytest.approx(shares)
    assert (columns.compute_share[0], columns.memory_share[0]) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("compute", "memory", "overhead", "roof"),
    [(3.0, 2.0, 2.9, "Compute"), (2.0, 2.0, 1.0, "Memory"), (1.0, 2.0, 2.1, "Overhead")],
)
def test_operators_wait_under_both_roofs(compute, memory, overhead, roof):
    """One after the other, some under each; their totals under one roof do not matter."""
    waits = {"_under_compute": compute, "_under_memory": memory}
    times = {"compute_time": 9.0, "memory_time": 8.0, "overhead": overhead, "latency": 10.0}
    step = Profile(**times, **waits)
    assert step.bottleneck == roof
    assert (step.compute_share, step.memory_share) == (compute / 10, memory / 10)


def test_flash_holds_weights_where_memory_does_not():
    """Weights in flash are read from there; what fits is not, and what fits nowhere is said."""
    flash = {"capacity": "100 B", "bandwidth": "7 B/s"}
    memory = {"capacity": "50 B", "bandwidth": "11 B/s", "flash": flash}
    small = Hardware.from_spec(
        {"name": "x", "release_year": 2026, "compute": {"peak_flops": "1 FLOP/s"}, "memory": memory}
    )
    supply = small.supply("fp16")
    step = Models.KeywordSpotting.step(1.0, None, None, Widths.equal(1.0))
    cases = [  # weights, cache and activations
        ((30.0, 15.0, 5.0), (True, "main", 11.0)),
        ((31.0, 15.0, 5.0), (True, "flash", 7.0)),
        ((100.0, 45.0, 5.0), (True, "flash", 7.0)),
        ((101.0, 15.0, 5.0), (False, "none", 7.0)),
        ((60.0, 45.0, 6.0), (False, "none", 7.0)),
    ]
    for held, answer in cases:
        demand = Demand(1.0, 0.0, 1.0, 0.0, 0.0, *held)
        assert _placed(demand, step, supply) == answer
        plain = supply._replace(flash_capacity=0.0)
        fits = sum(held) <= 50
        assert _placed(demand, step, plain) == (fits, "main", 11.0)
        learning = step._replace(training=True)
        assert _placed(demand, learning, supply) == (fits, "main", 11.0)
    columns = supply._replace(flash_capacity=np.array([0.0, 100.0]))
    found = _placed(Demand(1.0, 0.0, 1.0, 0.0, 0.0, 31.0, 15.0, 5.0), step, columns)
    assert [list(each) for each in found] == [[False, True], ["main", "flash"], [11.0, 7.0]]


def test_pruned_rows_are_computed_at_neither_level():
    """Three fifths of the rows gone leave two fifths of the time, where arithmetic binds."""
    how = {"precision": "fp16", "phase": "prefill", "seq_len": 4096, "batch_size": 4}
    for stack in (None, "ideal"):
        pruned = CompressionModel().solve(
            LLAMA, H100, sparsity=0.6, pattern="structured", stack=stack, **how
        )
        assert pruned.speedup == pytest.approx(2.5, rel=0.06)


def test_what_is_not_one_or_cannot_learn_is_refused_in_a_sentence():
    with pytest.raises(BadArgument, match=r"batch_size .*: give one number, not several"):
        one_each({"model": LLAMA, "batch_size": np.array([1.0, 2.0])})
    said = "training keeps gradients in one of fp32, tf32, bf16, fp16, fp8, fp4"
    with pytest.raises(BadArgument, match=f"precision cannot be 'int8': {said}"):
        solve(LLAMA, H100, precision="int8", training=True)
    with pytest.raises(BadArgument, match="only training learns; give training=True as well"):
        solve(LLAMA, H100, recompute="full")
