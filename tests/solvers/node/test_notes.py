"""What an answer says of its device."""

from __future__ import annotations

import pytest

from mlsysim import Engine, Hardware, Models
from mlsysim.solvers import ServingModel, WeightStreamingModel

LLAMA, H100 = Models.Llama3_8B, Hardware.H100


def with_bandwidth(text):
    return H100.replace(memory=H100.memory.replace(bandwidth=text))


def test_a_memory_bandwidth_in_bits_is_taken_at_its_word_and_noted():
    """1.2 Tb/s are 150 GB/s: eight times slower than what was probably meant."""
    slip, meant = with_bandwidth("1.2 Tb/s"), with_bandwidth("1.2 TB/s")
    slow, fast = (Engine.solve(LLAMA, device) for device in (slip, meant))
    assert (slow.memory_time / fast.memory_time).m_as("") == pytest.approx(8)
    assert slow.notes == ("the memory's bandwidth is written in bits: 1.2 Tb/s are 150 GB/s",)
    assert fast.notes == ()
    assert "written in bits" in ServingModel().solve(LLAMA, slip, seq_len=64).notes[0]


def test_a_datapath_that_is_not_there_is_noted():
    old = Hardware.V100
    (note,) = Engine.solve(LLAMA, old, precision="int8", seq_len=64).notes
    assert note.startswith(f"{old.name} has no int8 datapath: it is widened to fp16")
    (note,) = Engine.solve(LLAMA, H100, precision="int4", seq_len=64).notes
    assert note.startswith("int4 is a format of weights alone")


def test_a_microcontroller_and_a_wafer_are_said_to_be_far_below_their_rooflines():
    small = Engine.solve(Models.KeywordSpotting, Hardware.STM32L4R5ZI, precision="int8")
    assert any("read weights in place from flash" in note for note in small.notes)
    wafer = WeightStreamingModel().solve(LLAMA, Hardware.CS3)
    assert any("cores of a wafer" in note for note in wafer.notes)


def test_an_ordinary_device_has_nothing_to_be_noted():
    assert Engine.solve(LLAMA, H100).notes == ()


def test_each_note_in_a_sentence():
    v100, mcu = Hardware.V100, Hardware.STM32L4R5ZI
    widened = "it is widened to {} on the way, so bytes shrink and compute does not"
    old = Engine.solve(LLAMA, v100, precision="int8", seq_len=64)
    assert old.notes == (f"{v100.name} has no int8 datapath: {widened.format('fp16')}",)
    narrow = Engine.solve(LLAMA, H100, precision="int4", seq_len=64)
    assert narrow.notes == (f"int4 is a format of weights alone: {widened.format('fp16')}",)
    small = Engine.solve(Models.KeywordSpotting, mcu, precision="int8")
    assert small.notes[0] == (
        "a microcontroller's kernels read weights in place from flash and reach a part of its "
        "peak: published times lie several times above this bound"
    )
    assert Engine.solve(LLAMA, Hardware.CS3).notes == (
        "its memory is spread over the cores of a wafer, whose messages to each other no roofline "
        "counts: published rates of decode lie tens of times below this bound",
    )


def test_a_context_is_too_long_beyond_what_a_model_was_trained_for():
    """Llama 3 8B was trained for 8,192 tokens, at which a note is not yet due."""
    assert Engine.solve(LLAMA, H100, seq_len=8192).notes == ()
    said = "context 8,193 is longer than the 8,192 that Llama 3 8B was trained for"
    assert Engine.solve(LLAMA, H100, seq_len=8193).notes == (said,)
    assert Engine.solve(LLAMA, H100, seq_len=[64, 8193, 100]).notes == (said,)
    assert ServingModel().solve(LLAMA, H100, seq_len=8000, decode_tokens=192).notes == ()
    assert ServingModel().solve(LLAMA, H100, seq_len=8000, decode_tokens=193).notes == (said,)


def test_a_step_whose_operators_meet_different_roofs_is_said_to():
    """Under one roof all of it is hidden; the longer sum is told where it is a hundredth more."""
    how = {"phase": "prefill", "seq_len": 256}
    law, ideal = (Engine.solve(LLAMA, H100, **how, stack=stack) for stack in (None, "ideal"))
    assert ideal.latency > 1.01 * law.latency
    assert law.notes == (
        "its operators meet different roofs: one after the other they take "
        f"{ideal.latency.m_as('ms'):.4g} ms, not {law.latency.m_as('ms'):.4g} ms (stack='ideal')",
    )
    assert ideal.notes == ()
    near = {**how, "efficiency": 0.01}  # where arithmetic takes so long, the rest hardly counts
    law, ideal = (Engine.solve(LLAMA, H100, **near, stack=stack) for stack in (None, "ideal"))
    assert law.latency < ideal.latency < 1.01 * law.latency
    assert law.notes == ()
