"""What the form of a prediction takes, and what it answers to the rest."""

from __future__ import annotations

import pytest

from mlsysim.learn import Journal
from mlsysim.learn.predict import CONFIDENCE, mark, predict


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


@pytest.fixture
def number(journal):
    return predict("09.1", "How long?", unit="ms", journal=journal)


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        (None, "wrong guess"),
        ("", "wrong guess"),
        ("abc", "plain number"),
        ("4,5", "point"),
        ("4 ms", "plain number"),
        ("-3", "above zero"),
        ("0", "above zero"),
        ("9**9**9", "plain number"),
        ("nan", "plain number"),
        ("inf", "plain number"),
        ("1e999", "plain number"),
        ("1e40", "power of ten"),
        ("1e-20", "power of ten"),
        ("1,000", "1000 or 1.000"),
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(number, journal, typed, complaint):
    sent = {"value": typed, "confidence": "certain"}
    assert complaint in number._fault(sent)
    number._update(sent)
    assert len(journal) == 0


def test_a_number_is_committed_with_its_unit_and_confidence(number, journal):
    number._update({"value": " 4.5 ", "confidence": "certain"})
    row = journal.get("09.1")
    assert (row.value, row.unit, row.confidence) == (4.5, "ms", CONFIDENCE["certain"])


def test_a_question_stays_closed_until_the_one_before_it_is_answered(journal, number):
    later = predict("09.2", "And then?", unit="ms", journal=journal, after=number)
    assert not later.open
    assert "before this one" in later._fault({"value": "1", "confidence": "certain"})
    assert "And then?" not in later._mime_()[1]
    journal.commit("09.1", 4.5, "ms")
    assert later.open
    assert later._fault({"value": "1", "confidence": "certain"}) is None


def test_whatever_is_sent_afterwards_changes_nothing(number, journal):
    number._update({"value": "4.5", "confidence": "certain"})
    number._update({"value": "9", "confidence": "certain"})
    assert journal.get("09.1").value == 4.5
    assert "final" in number._fault({"value": "9"})


def test_a_new_session_shows_the_commitment_instead_of_the_form(journal):
    journal.commit("09.1", 4.5, "ms", 0.3)
    again = predict("09.1", "How long?", unit="ms", journal=journal)
    assert again.committed
    assert "You predicted: 4.5 ms" in again._mime_()[1]


@pytest.mark.parametrize(
    ("guess", "kind", "words"),
    [
        (5.0, "success", "spot on"),
        (8.0, "info", "Too high"),
        (0.6, "warn", "Too low"),
        (400.0, "danger", "by a factor of 89"),
    ],
)
def test_a_mark_says_how_far_off_and_which_way(journal, guess, kind, words):
    row = journal.commit("09.1", guess, "ms")
    assert mark(row, 4.5, {})[0] == kind
    assert words in mark(row, 4.5, {})[1]


def test_a_mark_names_the_misconception_that_the_number_matches(journal):
    row = journal.commit("09.1", 36.0, "ms")
    assert "when bytes are read as bits" in mark(row, 4.5, {"bytes are read as bits": 36.0})[1]
