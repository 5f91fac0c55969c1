"""The differential explainer: the right term, the right regime, in plain English."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument, UnknownArgument
from mlsysim.engine.explain import explain
from mlsysim.hardware.types import ComputeCore, HardwareNode, MemoryHierarchy, Tier
from mlsysim.solvers.fleet.profile import FleetProfile
from mlsysim.solvers.node.single import Profile

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
    fleet = FleetProfile(step_time=1.0)
    with pytest.raises(BadArgument, match="give two names, one for each side"):
        explain(fleet, fleet, names=names)  # was an error of Python's


# ---- every sentence, by numbers that were made up ------------------------------------------------


def made_up(phase="decode", training=False, **given):
    """A profile of numbers alone: 5 s, 3 of them under the compute roof and 4 under memory's."""
    step = SimpleNamespace(step=SimpleNamespace(phase=phase, training=training))
    numbers = {
        "latency": 5.0, "compute_time": 3.0, "memory_time": 4.0, "overhead": 1.0, "batch_size": 2.0,
        "operations": 6e9, "traffic": 8e9, "peak": 4e9, "memory_tier": "main", "precision": "fp16",
        "datapath": "fp16", "feasible": True,
    }  # fmt: skip
    return Profile(**{**numbers, **given}, _asked=step, _under_compute=None)


FASTER = {"latency": 2.5, "memory_time": 2.0, "compute_time": 1.0, "overhead": 0.5}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {}, ["The step takes 5 s on a and 5 s on b: 1.00x as fast.",
                  "The step is memory-bound on both: what it waits for has not changed.",
                  "The dispatch tax is 20% of the step on b, and no roof moves it."]),
        # a tenth of the step is not worth a word, and a little more is
        ({}, {"latency": 10.0, "memory_time": 9.0},
         ["The step takes 5 s on a and 10 s on b: 0.50x as fast.",
          "The step is memory-bound on both: it follows the bandwidth, 0.44x."]),
        ({}, {"latency": 9.9, "memory_time": 8.9},
         ["The step takes 5 s on a and 9.9 s on b: 0.51x as fast.",
          "The step is memory-bound on both: it follows the bandwidth, 0.45x.",
          "The dispatch tax is 10% of the step on b, and no roof moves it."]),
        # twice as fast with twice the bandwidth, and half the bytes; 4.5x the FLOPS are of no use
        ({}, {**FASTER, "traffic": 6e9, "peak": 18e9},
         ["The step takes 5 s on a and 2.5 s on b: 2.00x as fast.",
          "4.50x the FLOPS, but the step is memory-bound on both: it follows the bandwidth, 1.50x "
          "and the bytes moved, 0.75x.",
          "The dispatch tax is 20% of the step on b, and no roof moves it."]),
        # exactly twice the FLOPS are all that it became faster by, so none lies idle
        ({}, {**FASTER, "peak": 8e9},
         ["The step takes 5 s on a and 2.5 s on b: 2.00x as fast.",
          "The step is memory-bound on both: it follows the bandwidth, 2.00x.",
          "The dispatch tax is 20% of the step on b, and no roof moves it."]),
        # under the other roof: the part of the peak counts, and operations
        ({"compute_time": 4.0, "memory_time": 3.0},
         {"compute_time": 3.0, "memory_time": 1.0, "operations": 3e9, "latency": 4.0,
          "batch_size": 4.0, "overhead": 0.1},
         ["The step takes 5 s on a and 4 s on b: 1.25x as fast.",
          "A step now does 2x the samples: 2.50x the throughput.",
          "3.00x the bandwidth, but the step is compute-bound on both: it follows the efficiency, "
          "0.67x and the operations, 0.50x."]),
        # and where the host is slower than both
        ({"overhead": 4.5}, {"overhead": 9.0, "latency": 10.0},
         ["The step takes 5 s on a and 10 s on b: 0.50x as fast.",
          "The step is dispatch-bound on both: it follows the dispatch tax, 2.00x."]),
        ({}, {"memory_time": 1.0, "latency": 4.0, "memory_tier": "flash"},
         ["The step takes 5 s on a and 4 s on b: 1.25x as fast.",
          "Regime shift: it was memory-bound and is compute-bound now. Moving the bytes is 4.00x "
          "as fast, but the arithmetic now takes longer, and holds the step to 1.25x.",
          "The dispatch tax is 25% of the step on b, and no roof moves it.",
          "The weights are read from flash memory instead of main memory."]),
        ({"compute_time": 4.5}, {"overhead": 5.0, "latency": 9.0},
         ["The step takes 5 s on a and 9 s on b: 0.56x as fast.",
          "Regime shift: it was compute-bound and is dispatch-bound now. The arithmetic is 1.50x "
          "as fast, but the dispatch now takes longer, and holds the step to 0.56x."]),
        ({"overhead": 5.0}, {"overhead": 0.0, "latency": 4.0},
         ["The step takes 5 s on a and 4 s on b: 1.25x as fast.",
          "Regime shift: it was dispatch-bound and is memory-bound now. The dispatch is infx as "
          "fast, but moving the bytes now takes longer, and holds the step to 1.25x."]),
        ({"phase": "prefill", "datapath": "fp32"}, {"training": True, "feasible": False,
          "datapath": "", "precision": "fp4", "overhead": 0.0},
         ["The step takes 5 s on a and 5 s on b: 1.00x as fast.",
          "The phase changed, and with it the work: prefill on a, training on b.",
          "The step is memory-bound on both: what it waits for has not changed.",
          "There is no fp16 datapath on a: it is stored as fp16 and computed in fp32.",
          "There is no fp4 datapath on b: it is stored as fp4 and computed in .",
          "It cannot run on b. The device has no datapath that can run fp4."]),
    ],
    ids=["same", "tenth", "more", "idle", "used", "compute", "host", "shift", "to host",
         "from host", "words"],
)  # fmt: skip
def test_each_sentence_by_hand(before, after, said):
    why = explain(made_up(**before), made_up(**after), names=("a", "b"))
    assert str(why).splitlines() == said


def test_each_number_by_hand():
    """6e9 FLOP in 3 s are half of the peak; 8e9 bytes in 4 s come at 2e9 B/s."""
    after = {"operations": 9e9, "compute_time": 4.5, "peak": 8e9, "traffic": 32e9}
    after |= {"memory_time": 8.0, "overhead": 1.5, "latency": 9.5, "batch_size": 6.0}
    why = explain(made_up(), made_up(**after))
    expected = {
        "operations": 1.5, "peak_flops": 2.0, "efficiency": 0.5, "traffic": 4.0,
        "memory_bandwidth": 2.0, "overhead": 1.5,
    }  # fmt: skip
    assert why.changes == pytest.approx(expected)
    # 5 s over what one change by itself would make of them: 4.5 s of arithmetic are more than 4
    alone = {
        "operations": 5 / 5.5, "peak_flops": 1.0, "efficiency": 5 / 7, "traffic": 5 / 17,
        "memory_bandwidth": 5 / 4, "overhead": 5 / 5.5,
    }  # fmt: skip
    assert why.alone == pytest.approx(alone)
    assert why.speedup == pytest.approx(5 / 9.5)
    assert why.throughput_ratio == pytest.approx(3 * 5 / 9.5)
    assert (why.latency_before.m_as("s"), why.latency_after.m_as("s")) == (5, 9.5)
    free = explain(made_up(overhead=0.0), made_up())
    assert free.changes["overhead"] == np.inf
    assert (free.binding_after, free.regime_after) == ("memory_bandwidth", "Memory")
