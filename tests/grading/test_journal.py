"""Predictions: credit for committing in order, and calibration."""

from __future__ import annotations

import pytest

from grading.journal import Guess, calibration, judge_journal
from grading.judge import Judge
from mlsysim.course.journal import Journal, Record, unbroken
from mlsysim.course.sheet import Sheet
from tests.grading.conftest import NAME, journal, typed

ALL = ("00.1", "00.2", "00.3", "00.4", "00.5")


def test_the_learners_own_journal_is_an_unbroken_chain(tmp_path):
    book = Journal(tmp_path / "journal.jsonl")
    book.commit("00.1", "memory", None, 0.9)
    book.commit("00.2", 8.0, "ms", 0.3)
    book.commit("00.2", 4.0, "ms", 0.3)  # the first one stands
    book.commit("01.1", 1e-7, "s", None)
    book.commit("00.4", "größer", None, 0.6)
    records, fault = unbroken(book.records())
    assert (len(records), fault) == (4, "")


def test_each_commitment_earns_whether_right_or_wrong(checks):
    earned = judge_journal(checks, journal("00.1", "00.3"))
    assert earned.committed == ("00.1", "00.3")
    assert earned.points == 2 * checks.prediction_points
    assert judge_journal(checks, journal(*ALL)).points == earned.out_of


@pytest.mark.parametrize(
    ("question", "value", "unit"),
    [
        ("00.1", "banana", None),
        ("00.1", " ", "tokens/s"),
        ("00.1", 1e400, "tokens/s"),
        ("00.3", 8.0, "GB"),
        ("00.2", "banana", None),
        ("00.2", 8.0, "ms"),
        ("00.5", "A100, L4", None),
        ("00.5", 3.0, None),
    ],
)
def test_what_answers_no_question_earns_nothing(checks, question, value, unit):
    (record,) = journal(question)
    assert judge_journal(checks, [record]).committed == (question,)
    assert judge_journal(checks, [{**record, "value": value, "unit": unit}]).committed == ()


def test_records_of_other_lessons_stand_in_the_chain_and_earn_nothing_here(checks):
    assert judge_journal(checks, journal("01.1", "00.1", "02.2")).committed == ("00.1",)


def test_an_empty_journal_earns_nothing_and_is_no_fault(checks):
    assert judge_journal(checks, []) == judge_journal(checks, [])
    assert (judge_journal(checks, []).points, judge_journal(checks, []).fault) == (0, "")


@pytest.mark.parametrize("field", ["value", "confidence", "order", "time", "question", "unit"])
def test_a_changed_record_breaks_the_chain_from_the_next_one_on(checks, field):
    records = journal(*ALL)
    records[1] = {**records[1], field: "changed" if field != "order" else 1}
    earned = judge_journal(checks, records)
    assert "00.3" not in earned.committed
    assert "00.4" not in earned.committed
    assert "do not count" in earned.fault


def test_records_in_another_order_do_not_count(checks):
    records = journal(*ALL)
    assert judge_journal(checks, list(reversed(records))).points == 0
    assert judge_journal(checks, records[1:]).points == 0


@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, {"question": 1}])
def test_junk_in_the_journal_ends_it(checks, junk):
    earned = judge_journal(checks, [*journal("00.1"), junk])
    assert earned.committed == ("00.1",)
    assert earned.fault.startswith("record 2 ")


def test_a_lone_surrogate_can_be_hashed():
    assert len(Record(**{**journal("00.1")[0], "value": "\ud800"}).hash) == 64


def test_guesses_are_measured_against_the_lessons_truths(checks):
    truth = checks.truths["00.3"]
    near, far = journal("00.3"), journal("00.3")
    near[0]["value"], far[0] = truth * 1.5, {**far[0], "value": truth / 1000, "unit": "s"}
    assert judge_journal(checks, near).guesses[0].hit
    assert judge_journal(checks, near).guesses[0].off_by == pytest.approx(1.5)
    assert judge_journal(checks, far).guesses[0].off_by == pytest.approx(1.0)
    wrong_unit = [{**near[0], "unit": "GB"}]
    assert judge_journal(checks, wrong_unit).guesses == ()


def test_calibration_is_the_hit_rate_at_each_stated_confidence():
    guesses = [
        Guess("a", 2.0, hit=True, confidence=0.9),
        Guess("b", 8.0, hit=False, confidence=0.9),
        Guess("c", None, hit=True, confidence=0.3),
        Guess("d", None, hit=True, confidence=None),
    ]
    held = calibration(guesses)
    assert held["levels"] == [
        {"stated": 0.3, "predictions": 1, "hit_rate": 1.0},
        {"stated": 0.9, "predictions": 2, "hit_rate": 0.5},
    ]
    assert held["typical_factor"] == 4  # off by 2 and by 8 is off by 4
    assert calibration([])["typical_factor"] is None


def test_a_fault_in_the_journal_costs_the_answers_nothing(checks, variant, right):
    v = variant("ada")
    graded = Judge().sheet(
        Sheet(
            assignment=NAME,
            assignment_version=1,
            student="ada",
            answers=typed(right(v)),
            journal=({"junk": 1},),
        )
    )
    assert graded.score == graded.out_of - graded.predictions.out_of
