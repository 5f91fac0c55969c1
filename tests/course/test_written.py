"""Answers as a sheet keeps them."""

from __future__ import annotations

import yaml

from mlsysim import Hardware
from mlsysim.course.questions import Spec

QUESTION = Spec(title="A chip", text="Write a chip.", of="hardware")
TEXT = "release_year: 2027  # mine\n"


def test_a_specification_that_is_text_stays_as_it_was_typed():
    assert QUESTION.write(TEXT).value == TEXT


def test_an_entry_or_a_mapping_is_written_as_yaml_that_reads_back():
    mapping = {"release_year": 2027, "memory": {"capacity": "80 GB"}}
    assert yaml.safe_load(QUESTION.write(mapping).value) == mapping
    chip = QUESTION.read(QUESTION.write(Hardware.H100))
    assert chip.memory == Hardware.H100.memory
