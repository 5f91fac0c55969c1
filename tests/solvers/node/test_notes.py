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
