"""The differential explainer: the right term, the right regime, in plain English."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument, UnknownArgument
from mlsysim.engine.explain import explain
from mlsysim.hardware.types import ComputeCore, HardwareNode, MemoryHierarchy, Tier

LLAMA, A100, H100 = Models.Language.Llama3_8B, Hardware.Cloud.A100, Hardware.Cloud.H100


def device(name="test", peak="100 TFLOP/s", bandwidth="1 TB/s", **more):
    capacity, flash = more.pop("capacity", "1 TB"), more.pop("flash", None)
    return HardwareNode(
        name=name,
        release_year=2027,
        compute=ComputeCore(peak_flops=peak),
        memory=MemoryHierarchy(capacity=capacity, bandwidth=bandwidth, flash=flash),
        **more,
    )


def between(before, after, model=LLAMA, **both):
    return explain({"hardware": before, **both}, {"hardware": after, **both}, model=model)


def test_three_times_the_flops_are_of_no_use_to_a_memory_bound_step():
    """989.4 / 312 = 3.17 and 3.35 / 2.039 = 1.643; a tax of 10 us leaves 1.64 of it."""
    why = between(A100, H100)
    assert why.changes["peak_flops"] == pytest.approx(3.17, abs=0.01)
    assert why.changes["memory_bandwidth"] == pytest.approx(1.643, abs=0.001)
    assert why.speedup == pytest.approx(1.64, abs=0.005)
    assert why.alone["peak_flops"] == 1
    assert why.alone["memory_bandwidth"] == pytest.approx(why.speedup)
    assert (why.binding_before, why.binding_after) == ("memory_bandwidth", "memory_bandwidth")
    assert not why.regime_shift
    assert "3.17x the FLOPS, but the step is memory-bound on both" in str(why)
    assert "it follows the bandwidth, 1.64x." in str(why)


def test_a_compute_bound_step_follows_the_flops():
    why = between(A100, H100, phase="prefill")
    assert "compute-bound on both: it follows the FLOPS, 3.17x" in str(why)


def test_a_step_of_another_phase_is_said_to_be_one():
    """Was wrong: a decode step was thousands of times as fast as a training step, and no word."""
    sides = {"hardware": H100, "training": True, "seq_len": 2048}, {"hardware": H100}
    said = str(explain(*sides, model=LLAMA))
    assert "The phase changed, and with it the work: training before, decode after." in said
    prefill = str(explain(sides[1], {"hardware": A100, "phase": "prefill"}, model=LLAMA))
    assert f"decode on {H100.name}, prefill on {A100.name}." in prefill
    assert "phase" not in str(between(A100, H100, phase="prefill"))


def test_a_regime_shift_is_named_and_says_what_stops_it():
    """Memory 15.278 ms becomes 0.764; compute 16.08e9 / 0.5 / 10e12 = 3.217 ms: 4.75x, not 20x."""
    why = between(device(peak="10 TFLOP/s"), device("fast", "10 TFLOP/s", "20 TB/s"))
    assert why.regime_shift
    assert (why.regime_before, why.regime_after) == ("Memory", "Compute")
    assert why.speedup == pytest.approx(15.278 / 3.217, rel=1e-3)
    assert "Moving the bytes is 20.00x as fast, but the arithmetic now takes longer" in str(why)
    assert "holds the step to 4.75x" in str(why)


def test_a_downgrade_is_explained_as_well():
    why = between(H100, A100)
    assert why.speedup < 1
    assert "it follows the bandwidth, 0.61x" in str(why)


def test_a_larger_batch_takes_longer_and_does_more():
    why = explain(
        {"hardware": H100, "batch_size": 1}, {"hardware": H100, "batch_size": 32}, model=LLAMA
    )
    assert why.speedup < 1 < why.throughput_ratio
    assert "32x the samples" in str(why)
    assert " before and " in str(why)  # one device on both sides needs other names


def test_narrower_weights_are_bytes_and_not_flops():
    why = explain({"hardware": H100}, {"hardware": H100, "precision": "int4"}, model=LLAMA)
    # matrices of 6,979,321,856 weights at 0.51953 B and a head of 525,336,576 at 2 B, instead of
    # all at 2 B; a row of embeddings, and 2,048 tokens of 131,072 B of cache, stay what they were
    matrices, head, rest = 6_979_321_856, 525_336_576, 2 * 4096 + 2048 * 131_072
    by_hand = (matrices * 0.51953125 + 2 * head + rest) / (2 * matrices + 2 * head + rest)
    assert why.changes["traffic"] == pytest.approx(by_hand)
    assert why.changes["peak_flops"] == 1
    assert "no int4 datapath" in str(why)


def test_a_side_that_does_not_fit_says_so():
    why = between(H100, device("large"), model=Models.Language.Llama3_70B)
    assert f"It cannot run on {H100.name}. It needs" in str(why)


def test_a_heavy_dispatch_tax_is_named():
    why = between(device(), device("slow start", bandwidth="4 TB/s", dispatch_tax="4 ms"))
    # 15.278 ms becomes 3.820 + 4 ms: the tax is just over the half, and more than either roof
    assert why.regime_after == "Overhead"
    milder = between(device(), device("slow start", bandwidth="4 TB/s", dispatch_tax="1 ms"))
    assert "The dispatch tax is 21% of the step on slow start" in str(milder)  # 1 / 4.82


def test_weights_that_move_from_flash_to_sram_are_mentioned():
    flash = Tier(capacity="64 MB", bandwidth="50 MB/s")
    small = device("small", "1 TFLOP/s", "1 GB/s", capacity="16 MB", flash=flash)
    large = device("large", "1 TFLOP/s", "1 GB/s", capacity="128 MB", flash=flash)
    why = between(small, large, model=Models.ResNet50, precision="fp16")
    assert "read from main memory instead of flash memory" in str(why)


def test_two_equal_sides_have_nothing_to_explain():
    why = between(H100, H100)
    assert why.speedup == 1
    assert set(why.changes.values()) == {1.0}
    assert "what it waits for has not changed" in str(why)


def test_profiles_may_be_given_as_they_are_with_names():
    old, new = Engine.solve(LLAMA, A100), Engine.solve(LLAMA, H100)
    assert "on mine" in str(explain(old, new, names=("mine", "yours")))
    assert " before and " in str(explain(old, new))


@given(
    peak=st.floats(0.1, 1e4),
    bandwidth=st.floats(0.01, 1e3),
    tax=st.floats(0, 1e-2),
    batch=st.integers(1, 512),
    precision=st.sampled_from(["fp16", "int8", "int4"]),
)
def test_the_terms_account_for_the_whole_change(peak, bandwidth, tax, batch, precision):
    """All changes made at once are the speed-up, whatever the terms are."""
    after = device("after", f"{peak} TFLOP/s", f"{bandwidth} TB/s", dispatch_tax=f"{tax:.9f} s")
    first = Engine.solve(LLAMA, H100)
    second = Engine.solve(LLAMA, after, batch_size=batch, precision=precision)
    why = explain(first, second)
    compute = first.compute_time * (
        why.changes["operations"] / why.changes["peak_flops"] / why.changes["efficiency"]
    )
    memory = first.memory_time * (why.changes["traffic"] / why.changes["memory_bandwidth"])
    overhead = first.overhead * why.changes["overhead"]
    latency = max(compute, memory) + overhead
    assert float((first.latency / latency).m_as("")) == pytest.approx(why.speedup, rel=1e-9)
    assert str(why)


def test_an_explanation_is_plain_data_too():
    data = json.loads(between(A100, H100).to_json())
    assert data["regime_before"] == "Memory"
    assert len(data["sentences"]) >= 2


@pytest.mark.parametrize(
    ("before", "after", "model"),
    [
        (3, 3, None),
        (None, {"hardware": H100}, LLAMA),
        ({"hardware": H100}, {}, LLAMA),
        ({"hardware": H100}, {"hardware": H100}, None),
        ({"hardware": "H10O"}, {"hardware": H100}, LLAMA),
    ],
)
def test_sides_that_cannot_be_solved_are_refused(before, after, model):
    with pytest.raises(BadArgument):
        explain(before, after, model=model)


def test_a_misspelt_argument_is_told_the_nearest_one():
    with pytest.raises(UnknownArgument, match="batch_size"):
        explain({"hardware": H100, "batchsize": 3}, {"hardware": H100}, model=LLAMA)


def test_a_column_of_profiles_is_not_one_profile():
    many = Engine.solve(LLAMA, H100, batch_size=np.array([1.0, 2.0]))
    with pytest.raises(BadArgument, match="column"):
        explain(many, many)
    assert explain(many[0], many[1]).speedup < 1


@pytest.mark.parametrize("names", [("one",), ("one", "two", "three")])
def test_two_sides_have_two_names(names):
    with pytest.raises(BadArgument, match="give two names, one for each side"):
        explain({"hardware": H100}, {"hardware": H100}, model=LLAMA, names=names)
