"""Walls 21 and 22: elasticities with a known answer, and round trips that close."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Engine, Hardware, Models, SensitivitySolver, SynthesisSolver
from mlsysim.core.errors import BadArgument, MLSysError, NoDatapath, UnknownArgument, WrongUnit
from mlsysim.equations import analysis
from mlsysim.hardware.types import ComputeCore, HardwareNode, MemoryHierarchy, Tier

LLAMA, H100, A100 = Models.Language.Llama3_8B, Hardware.Cloud.H100, Hardware.Cloud.A100
# what a decode step of Llama 3 8B streams: all matrices but the embedding table, of which it reads
# one row (its 65 norms are fused and not counted); and the KV cache of 2048 tokens, each
# 2 (K, V) x 32 layers x 8 heads x 128 x 2 bytes
STREAMED = (8_030_261_248 - 128_256 * 4096 + 4096 - 65 * 4096) * 2 + 2048 * 131_072
RATES = ("peak_flops", "memory_bandwidth", "flash_bandwidth")


def device(peak="100 TFLOP/s", bandwidth="1 TB/s", tax=None, capacity="1 TB", flash=None):
    return HardwareNode(
        name="test",
        release_year=2027,
        dispatch_tax=tax,
        compute=ComputeCore(peak_flops=peak),
        memory=MemoryHierarchy(capacity=capacity, bandwidth=bandwidth, flash=flash),
    )


def sensitivity(model=LLAMA, hardware=H100, **given):
    return SensitivitySolver().solve(model, hardware, **given)


def synthesis(model=LLAMA, target="50 ms", **given):
    return SynthesisSolver().solve(model, target, **given)


# ---- wall 21 ------------------------------------------------------------------------------------


def test_a_memory_bound_step_answers_to_bandwidth_alone():
    found = sensitivity(hardware=device())
    assert found.binding_constraint == "memory_bandwidth"
    assert found.sensitivities["memory_bandwidth"] == pytest.approx(-1, abs=1e-12)
    assert found.sensitivities["peak_flops"] == 0
    assert found.sensitivities["memory_capacity"] == 0
    assert found.sensitivities["overhead"] == 0


def test_a_compute_bound_step_answers_to_the_peak_alone():
    found = sensitivity(hardware=device(), phase="prefill", seq_len=2048)
    assert found.binding_constraint == "peak_flops"
    assert found.sensitivities["peak_flops"] == pytest.approx(-1, abs=1e-12)
    assert found.sensitivities["memory_bandwidth"] == 0


def test_a_step_that_mostly_waits_for_dispatch_is_bound_by_its_overhead():
    found = sensitivity(Models.ResNet50, device(peak="1 PFLOP/s", bandwidth="50 TB/s", tax="1 ms"))
    assert found.binding_constraint == "overhead"
    assert found.sensitivities["overhead"] > 0.9


def test_the_elasticity_is_normalised_whatever_the_step_taken():
    """Elsewhere a larger perturbation gave a larger sensitivity; here it is d ln T / d ln x."""
    for pct in (1, 10, 100):
        slopes = sensitivity(hardware=device(), perturbation_pct=pct).sensitivities
        assert slopes["memory_bandwidth"] == pytest.approx(-1, abs=1e-12)


def test_the_batch_moves_the_binding_constraint_across_the_ridge():
    """Elsewhere there was no batch argument, so a large batch could not be asked about.

    At 128 tokens each request adds 2 x 8e9 FLOP over 989.4e12 x 0.5 = 32 us and reads 16.8 MB of
    cache over 3.35e12 = 5 us, against 4.5 ms for the weights: the roofs cross near batch 165.
    """
    assert sensitivity(batch_size=100, seq_len=128).binding_constraint == "memory_bandwidth"
    assert sensitivity(batch_size=250, seq_len=128).binding_constraint == "peak_flops"


def test_a_step_across_the_ridge_gives_something_between_the_two_limits():
    ridge = device(peak="200 TFLOP/s")  # perturbed by 10 % below, whichever way the roofs lie
    step = Engine.solve(LLAMA, ridge, phase="prefill", seq_len=64)
    balance = float((step.compute_time / step.memory_time).m_as(""))
    even = device(peak=Q_(200 * balance, "TFLOP/s"))
    slopes = sensitivity(hardware=even, phase="prefill", seq_len=64).sensitivities
    assert -1 < slopes["peak_flops"] < 0
    assert slopes["peak_flops"] == pytest.approx(-0.5, abs=1e-9)  # the mean of -1 and 0
    assert slopes["memory_bandwidth"] == pytest.approx(-0.5, abs=1e-9)


@given(
    peak=st.floats(1, 1e4),
    bandwidth=st.floats(0.01, 100),
    batch=st.integers(1, 4096),
    pct=st.floats(0.1, 100),
)
def test_without_overhead_the_rates_share_exactly_minus_one(peak, bandwidth, batch, pct):
    """T is homogeneous of degree -1 in all rates; a step across the ridge shares it as well."""
    hardware = device(peak=Q_(peak, "TFLOP/s"), bandwidth=Q_(bandwidth, "TB/s"))
    slopes = sensitivity(hardware=hardware, batch_size=batch, perturbation_pct=pct).sensitivities
    rates = [slopes[name] for name in RATES if name in slopes]
    assert all(-1 - 1e-9 <= rate <= 0 for rate in rates)
    assert sum(rates) == pytest.approx(-1, abs=1e-6)


def test_with_overhead_the_rates_share_what_the_overhead_leaves():
    """Memory 15.278 GB / 1 TB/s = 15.278 ms and as long again of overhead: half each."""
    hardware = device(tax=Q_(STREAMED / 1e12, "s"))
    slopes = sensitivity(hardware=hardware, perturbation_pct=0.01).sensitivities
    assert slopes["memory_bandwidth"] == pytest.approx(-0.5, abs=1e-6)
    assert slopes["overhead"] == pytest.approx(0.5, abs=1e-6)


def test_flash_bandwidth_is_perturbed_where_the_weights_lie_in_flash():
    """Elsewhere flash was never perturbed, so a microcontroller answered to nothing."""
    # 25.6 M weights of ResNet-50 at one byte: not in 16 MB of SRAM, and slow to read from flash
    flash = Tier(capacity="64 MB", bandwidth="10 MB/s")
    hardware = device(peak="1 TFLOP/s", bandwidth="1 GB/s", capacity="16 MB", flash=flash)
    found = sensitivity(Models.ResNet50, hardware, precision="int8")
    assert found.feasible
    assert found.binding_constraint == "flash_bandwidth"
    # weights from flash 2.5 s; activations from SRAM about 0.02 s: the two share the -1
    assert found.sensitivities["flash_bandwidth"] == pytest.approx(-1, abs=0.02)
    assert found.sensitivities["memory_bandwidth"] < 0
    assert sum(found.sensitivities[name] for name in RATES) == pytest.approx(-1, abs=1e-3)


def test_flash_matters_not_at_all_where_the_weights_fit_into_sram():
    flash = Tier(capacity="64 MB", bandwidth="10 MB/s")
    hardware = device(peak="1 TFLOP/s", bandwidth="1 GB/s", capacity="200 MB", flash=flash)
    found = sensitivity(Models.ResNet50, hardware, precision="int8")
    assert found.sensitivities["flash_bandwidth"] == 0


def test_a_device_without_flash_is_not_asked_about_it():
    assert "flash_bandwidth" not in sensitivity().sensitivities


def test_a_model_that_does_not_fit_keeps_its_elasticities_and_says_so():
    """Elsewhere an infeasible case answered with zeros only, and named peak FLOPS as binding."""
    found = sensitivity(Models.Language.Llama3_70B)
    assert not found.feasible
    assert found.binding_constraint == "memory_capacity"
    assert "short by" in found.reason
    assert found.sensitivities["memory_bandwidth"] == pytest.approx(-1, abs=0.01)


def test_minus_0_88_is_a_forward_difference_and_an_overhead_not_an_elasticity():
    """The deck's dT/dBW = -0.88 for Llama 3 8B on an A100.

    A forward difference of +10 % turns -1 into (1/1.1 - 1)/0.1 = -0.909. Memory takes 15.278 GB /
    2.039 TB/s = 7.493 ms; with our tax of 10 us it is -0.909 x 7.493/7.503 = -0.908. An overhead of
    0.25 ms gives -0.909 x 7.493/7.743 = -0.880. The elasticity itself is -1 of the part that moves.
    """
    memory = STREAMED / 2.039e12
    assert sensitivity(hardware=A100).latency.m_as("ms") == pytest.approx(7.493 + 0.010, rel=1e-4)
    plain = sensitivity(hardware=A100, forward=True).sensitivities["memory_bandwidth"]
    assert plain == pytest.approx((1 / 1.1 - 1) / 0.1 * memory / (memory + 10e-6), rel=1e-6)
    slow = A100.replace(dispatch_tax="0.25 ms", sources={})
    slowed = sensitivity(hardware=slow, forward=True).sensitivities["memory_bandwidth"]
    assert slowed == pytest.approx(-0.88, abs=0.001)
    true = sensitivity(hardware=A100).sensitivities["memory_bandwidth"]
    assert true == pytest.approx(-1, abs=0.002)


def test_minus_0_06_for_flops_is_out_of_reach_even_without_any_overlap():
    """The deck's dT/dFLOPS = -0.06, and its ratio of 15.

    Under a hard roof it is 0, so the ratio has no value. With no overlap at all, the blunt end of
    the smooth roofline, it is the share of compute: 16.08 GFLOP / (312 TFLOP/s x 0.5) = 0.103 ms of
    7.493 + 0.103 + 0.010 ms, which is -0.0136.
    """
    assert sensitivity(hardware=A100).sensitivities["peak_flops"] == 0
    blunt = sensitivity(hardware=A100, smooth=True, sharpness=1, perturbation_pct=0.01)
    assert blunt.sensitivities["peak_flops"] == pytest.approx(-0.0136, abs=0.0002)
    assert "smooth" in blunt.method


def test_the_smooth_roofline_divides_by_the_powers_of_the_two_times():
    """The slope d ln T / d ln BW is -m^p / (c^p + m^p); with m = 2 c and p = 2 that is -4/5."""
    base = device()
    step = Engine.solve(LLAMA, base)
    ratio = float((step.memory_time / step.compute_time).m_as(""))
    hardware = device(peak=Q_(100 * 2 / ratio, "TFLOP/s"))  # now memory takes twice as long
    slopes = sensitivity(hardware=hardware, smooth=True, perturbation_pct=0.01).sensitivities
    assert slopes["memory_bandwidth"] == pytest.approx(-0.8, abs=1e-6)
    assert slopes["peak_flops"] == pytest.approx(-0.2, abs=1e-6)


@given(compute=st.floats(1e-9, 1e3), memory=st.floats(1e-9, 1e3), sharpness=st.floats(1, 500))
def test_the_smooth_roofline_lies_between_the_maximum_and_the_sum(compute, memory, sharpness):
    time = analysis.smooth_roofline_time(compute, memory, 0.0, sharpness)
    assert max(compute, memory) * (1 - 1e-12) <= time <= (compute + memory) * (1 + 1e-12)


def test_a_very_sharp_smooth_roofline_is_the_hard_one():
    time = analysis.smooth_roofline_time(compute=3.0, memory=4.0, overhead=1.0, sharpness=1000.0)
    assert time == pytest.approx(5.0, rel=1e-9)


def test_a_column_of_batches_gives_a_column_of_answers():
    batches = [1, 100, 250]
    found = sensitivity(batch_size=batches, seq_len=128)
    assert list(found.binding_constraint) == ["memory_bandwidth", "memory_bandwidth", "peak_flops"]
    for row, batch in zip(found, batches, strict=True):
        alone = sensitivity(batch_size=batch, seq_len=128)
        assert row.sensitivities == pytest.approx(alone.sensitivities)


def test_each_row_that_does_not_fit_says_why():
    found = sensitivity(batch_size=[1, 4096])
    assert found[0].reason == ""
    assert "short by" in found[1].reason
    assert found[1].binding_constraint == "memory_capacity"


def test_a_precision_without_any_datapath_is_refused():
    with pytest.raises(NoDatapath):
        sensitivity(
            hardware=Hardware.Cloud.H100.replace(
                compute=ComputeCore(peak_flops="1 TFLOP/s", peak_precision="int8"), sources={}
            ),
            precision="fp32",
        )


@pytest.mark.parametrize(
    "bad",
    [
        {"perturbation_pct": 0},
        {"perturbation_pct": -10},
        {"perturbation_pct": math.nan},
        {"perturbation_pct": math.inf},
        {"perturbation_pct": 101},
        {"perturbation_pct": "10 GB"},
        {"batch_size": 0},
        {"batch_size": -1},
        {"batch_size": 1.5},
        {"batch_size": math.nan},
        {"seq_len": 0},
        {"seq_len": -1},
        {"efficiency": 0},
        {"efficiency": 1.01},
        {"efficiency": math.nan},
        {"precision": "fp17"},
        {"phase": "decoding"},
        {"sharpness": 0},
        {"sharpness": -1},
        {"sharpness": math.inf},
        {"smooth": 1},
        {"forward": "yes"},
        {"training": "no"},
        {"hardware": "H10O"},
        {"model": "Llama"},
    ],
)
def test_a_malformed_sensitivity_question_is_refused(bad):
    with pytest.raises(MLSysError):
        sensitivity(**bad)


def test_an_unknown_argument_is_told_the_nearest_one():
    with pytest.raises(UnknownArgument, match="perturbation_pct"):
        sensitivity(pertubation_pct=10)


# ---- wall 22 ------------------------------------------------------------------------------------


def test_the_requirements_are_the_roofs_read_backwards():
    """15.278 GB in 50 ms is 305.6 GB/s; 16.08 GFLOP in 50 ms at one half is 0.643 TFLOP/s."""
    found = synthesis()
    assert found.required_bw.m_as("B/s") == pytest.approx(STREAMED / 0.050, rel=1e-9)
    matrices = 8_030_261_248 - 128_256 * 4096 - 65 * 4096
    operations = 2 * matrices + 2 * 2048 * 32 * 2 * 4096  # products, and attention
    peak = operations / (0.050 * 0.5)
    assert found.required_flops.m_as("FLOP/s") == pytest.approx(peak, rel=1e-9)
    assert found.ridge_point.m_as("FLOP/B") == pytest.approx(operations / 0.5 / STREAMED, rel=1e-9)


def test_a_70b_model_in_50_ms_needs_2_8_terabytes_a_second():
    """The deck divides all 141.2 GB by 50 ms; the table of embeddings stays, the KV cache comes."""
    found = synthesis(Models.Language.Llama3_70B)
    assert found.required_bw.m_as("TB/s") == pytest.approx(2.82, rel=0.02)


def test_the_overhead_is_paid_before_anything_is_moved():
    """Elsewhere the dispatch tax was left out, so the device it asked for came too late."""
    free, taxed = synthesis(target="50 ms"), synthesis(target="60 ms", dispatch_tax="10 ms")
    assert taxed.required_bw.m == pytest.approx(free.required_bw.m, rel=1e-12)
    assert taxed.required_flops.m == pytest.approx(free.required_flops.m, rel=1e-12)


def test_batch_and_kv_cache_are_moved_and_held():
    """64 sequences of 4096 tokens at 131,072 bytes each are 34.36 GB beside the weights."""
    one, many = synthesis(seq_len=4096), synthesis(seq_len=4096, batch_size=64)
    cache = 4096 * 131_072
    row = 4096 * 2  # and each sequence reads its own row of the embedding table
    more = (many.traffic - one.traffic).m_as("B")
    assert more == pytest.approx(63 * (cache + row), rel=1e-9)
    held = (many.required_capacity - one.required_capacity).m_as("B")
    assert held == pytest.approx(63 * cache, rel=0.01)  # and some activations


@given(
    target=st.floats(1e-4, 10),
    share=st.floats(0, 0.99),
    batch=st.integers(1, 512),
    length=st.integers(1, 8192),
    efficiency=st.floats(0.01, 1),
    precision=st.sampled_from(["fp32", "bf16", "fp16", "fp8", "int8", "int4"]),
    phase=st.sampled_from(["decode", "prefill"]),
)
def test_a_device_built_from_the_answer_meets_the_target_exactly(
    target, share, batch, length, efficiency, precision, phase
):
    """Elsewhere the synthesised device, solved again, missed its own deadline."""
    how = {
        "batch_size": batch,
        "seq_len": length,
        "efficiency": efficiency,
        "precision": precision,
        "phase": phase,
    }
    found = synthesis(target=Q_(target, "s"), dispatch_tax=Q_(target * share, "s"), **how)
    again = Engine.solve(LLAMA, found.device("built", 2027), **how)
    assert again.latency.m_as("s") == pytest.approx(target, rel=1e-9)
    assert again.compute_time.m == pytest.approx(again.memory_time.m, rel=1e-9)
    assert again.feasible, again.reason


@pytest.mark.parametrize("model", [Models.ResNet50, Models.Language.GPT2], ids=lambda m: m.name)
def test_the_round_trip_closes_for_training_as_well(model):
    found = synthesis(model, "100 ms", training=True, batch_size=32)
    again = Engine.solve(model, found.device("built", 2027), training=True, batch_size=32)
    assert again.latency.m_as("ms") == pytest.approx(100, rel=1e-9)
    assert again.feasible


@given(factor=st.floats(1.01, 10))
def test_a_device_better_in_both_is_never_too_late(factor):
    found = synthesis()
    built = found.device("built", 2027)
    faster = built.replace(
        compute=ComputeCore(peak_flops=found.required_flops * factor),
        memory=MemoryHierarchy(
            capacity=found.required_capacity, bandwidth=found.required_bw * factor
        ),
    )
    assert Engine.solve(LLAMA, faster).latency < found.target_latency


@pytest.mark.parametrize("tax", ["50 ms", "60 ms"])
def test_a_target_within_the_overhead_is_an_answer_and_not_a_device(tax):
    found = synthesis(dispatch_tax=tax)
    assert not found.feasible
    assert found.required_bw is None
    assert found.required_flops is None
    assert found.ridge_point is None
    assert "dispatch tax" in found.reason
    with pytest.raises(BadArgument, match="dispatch tax"):
        found.device("impossible", 2027)


def test_columns_of_targets_keep_the_impossible_ones():
    targets = Q_(np.array([5.0, 50.0]), "ms")
    found = synthesis(target=targets, dispatch_tax="10 ms")
    assert list(found.feasible) == [False, True]
    assert found[1].required_bw.m == pytest.approx(STREAMED / 0.040 / 1e9, rel=1e-9)
    assert math.isnan(found[0].required_bw.m)


@pytest.mark.parametrize(
    "target", ["0 ms", "-1 ms", "nan ms", "50 GB", 50, 0.05, Q_(math.inf, "s")]
)
def test_a_malformed_target_is_refused(target):
    with pytest.raises(BadArgument):
        synthesis(target=target)


def test_a_bare_target_is_told_how_to_write_it():
    with pytest.raises(WrongUnit, match="10 ms"):
        synthesis(target=50)


@pytest.mark.parametrize(
    "bad",
    [
        {"dispatch_tax": "-1 ms"},
        {"dispatch_tax": 1},
        {"dispatch_tax": "1 GB"},
        {"batch_size": 0},
        {"batch_size": math.nan},
        {"seq_len": -5},
        {"efficiency": 0},
        {"efficiency": 2},
        {"precision": "fp12"},
        {"phase": "forward"},
        {"model": "Llama"},
    ],
)
def test_a_malformed_synthesis_question_is_refused(bad):
    with pytest.raises(MLSysError):
        synthesis(**bad)


@pytest.mark.parametrize("forward", [False, True])
def test_what_does_not_matter_is_nought_without_a_sign(forward):
    found = sensitivity(forward=forward).sensitivities
    assert [str(found[name]) for name in ("peak_flops", "memory_capacity")] == ["0.0", "0.0"]
