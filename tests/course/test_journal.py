"""A journal keeps the first commitment, in order, through reloads and crashes."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim.core.errors import InvalidEntry
from mlsysim.course.journal import FIRST, Journal, Record, off_by, times, typical_factor, unbroken


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def test_the_first_commitment_stands(journal):
    journal.commit("00.1", 4.0, "ms", 0.6)
    assert journal.commit("00.1", 5.0, "ms", 0.9).value == 4.0
    assert len(journal.path.read_text().splitlines()) == 1


def test_a_reload_finds_what_was_committed(journal):
    journal.commit("00.1", "memory")
    journal.commit("00.2", 4.5, "ms", 0.3)
    again = Journal(journal.path)
    assert [(row.question, row.value, row.order) for row in again] == [
        ("00.1", "memory", 1),
        ("00.2", 4.5, 2),
    ]


def test_two_tabs_cannot_answer_the_same_question_twice(journal):
    other = Journal(journal.path)
    journal.commit("00.1", 4.0, "ms")
    assert other.commit("00.1", 9.0, "ms").value == 4.0
    assert other.commit("00.2", 1.0, "ms").order == 2


def test_two_programs_that_write_at_the_same_moment_leave_one_chain(journal):
    journal.commit("00.1", 4.0, "ms")
    rival = json.dumps({"question": "00.1", "value": 9.0, "unit": "ms", "previous": FIRST})
    with journal.path.open("a") as file:
        file.write(rival + "\n")
    journal.commit("00.2", 1.0, "ms")
    first = journal.path.read_text().splitlines()[0]
    again = Journal(journal.path)
    assert [row.value for row in again] == [4.0, 1.0]
    assert again.get("00.2").previous == hashlib.sha256(first.encode()).hexdigest()


def test_each_line_carries_the_hash_of_the_line_before(journal):
    for n in range(3):
        journal.commit(f"00.{n}", float(n + 1), "ms")
    lines = journal.path.read_text().splitlines()
    previous = [json.loads(line)["previous"] for line in lines]
    assert previous == [FIRST, *(hashlib.sha256(line.encode()).hexdigest() for line in lines[:-1])]


def test_half_a_line_left_by_a_crash_costs_nothing_else(journal):
    journal.commit("00.1", 4.0, "ms")
    with journal.path.open("a") as file:
        file.write('{"question": "00.2", "val')
    again = Journal(journal.path)
    assert again.damaged == 1
    again.commit("00.3", 2.0, "ms")
    last = Journal(journal.path)
    assert [row.question for row in last] == ["00.1", "00.3"]
    assert '"val' in journal.path.read_text()  # nothing is ever removed


def test_what_the_solver_said_is_kept_beside_the_journal(journal):
    journal.commit("00.1", 4.0, "ms")
    before = journal.path.read_bytes()
    journal.reveal("00.1", 4.5)
    assert Journal(journal.path).truths() == {"00.1": 4.5}
    assert journal.path.read_bytes() == before


def test_a_line_of_a_journal_reads_and_writes_the_same_bytes_and_has_the_same_hash():
    lines = (Path(__file__).parent / "kept.jsonl").read_text(encoding="utf-8").splitlines()
    records = [Record(**json.loads(line)) for line in lines]
    assert [record.line for record in records] == lines
    hashes = [hashlib.sha256(line.encode()).hexdigest() for line in lines]
    assert [record.hash for record in records] == hashes
    assert [record.previous for record in records] == [FIRST, *hashes[:-1]]
    assert unbroken(record.model_dump() for record in records) == (records, "")


@given(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(min_size=1),
    st.none() | st.text(),
    st.none() | st.floats(0, 1) | st.sampled_from([0, 1]),
)
def test_whatever_is_committed_is_read_back_as_it_was_written(value, unit, confidence):
    record = Record(question="00.1", value=value, unit=unit, confidence=confidence, order=1)
    again = Record(**json.loads(record.line))
    assert again.line == record.line
    assert again == record


@pytest.mark.parametrize(
    "change",
    [
        {"value": True},
        {"value": ""},
        {"value": [1]},
        {"value": None},
        {"question": 1},
        {"unit": 5},
        {"confidence": "sure"},
        {"order": "1"},
        {"order": True},
        {"points": 1},
    ],
)
def test_a_record_of_the_wrong_form_is_refused(change):
    good = {"question": "00.1", "value": 4.0, "unit": "ms", "confidence": 0.6, "order": 1}
    assert Record(**good).text == "4 ms"
    with pytest.raises(InvalidEntry):
        Record(**{**good, **change})


def test_the_course_is_read_without_marimo_and_without_charts():
    code = (
        "import sys, mlsysim.course; from mlsysim.course import journal, lessons, questions; "
        "lessons.lessons(); print([m for m in ('marimo', 'altair') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_being_off_is_a_factor_of_at_least_one_either_way(guess, truth):
    assert off_by(guess, truth) >= 1
    assert off_by(guess, truth) == off_by(truth, guess)


def test_the_typical_factor_is_a_geometric_mean():
    assert typical_factor([2.0, 8.0]) == pytest.approx(4.0)
    assert math.isnan(typical_factor([]))


@pytest.mark.parametrize(
    ("factor", "text"),
    [(1.64, "1.6"), (2.0, "2"), (17.6, "18"), (152.0, "150"), (15200.0, "15,000")],
)
def test_factors_read_as_people_say_them(factor, text):
    assert times(factor) == text
