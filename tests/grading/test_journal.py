"""Predictions: credit for committing in order, and calibration."""

from __future__ import annotations

import math

import pytest

from grading.check import Checks
from grading.journal import Guess, calibration, judge_journal
from grading.judge import Judge
from mlsysim.course.journal import FIRST, Journal, Record, unbroken
from mlsysim.course.lessons import Prediction
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


ASKED = {
    "7.1": Prediction(text="?", unit="ms"),
    "7.2": Prediction(text="?", unit="requests"),
    "7.3": Prediction(text="?", options=["a", "b"]),
    "7.4": Prediction(text="?", unit="ms"),
}
TRUTHS = {"7.1": 40.0, "7.2": 6.0, "7.3": "a"}
LESSON = Checks(None, {}, ASKED, TRUTHS)


def chain(*said):
    records, previous = [], FIRST
    for order, (question, value, unit, confidence) in enumerate(said, start=1):
        records.append(
            {
                "question": question,
                "value": value,
                "unit": unit,
                "confidence": confidence,
                "order": order,
                "time": "2026-11-20T18:00:00Z",
                "previous": previous,
            }
        )
        previous = Record(**records[-1]).hash
    return records


@pytest.mark.parametrize(
    ("said", "guess"),
    [
        (("7.1", 80.0, "ms", 0), (2.0, True, 0.0)),
        (("7.1", 80.1, "ms", 1), (80.1 / 40, False, 1.0)),
        (("7.1", 0.02, "s", 0.5), (2.0, True, 0.5)),
        (("7.1", 19.9, "ms", 1.01), (40 / 19.9, False, None)),
        (("7.1", 40.0, "ms", -0.01), (1.0, True, None)),
        (("7.1", 4e9, "ms", None), (1e6, False, None)),  # no further off than that
        (("7.1", 0.0, "ms", 0.5), (None, False, 0.5)),
        (("7.1", -40.0, "ms", 0.5), (None, False, 0.5)),
        (("7.1", 1e308, "year", 0.5), (None, False, 0.5)),
        (("7.2", 9.0, "requests", 0.5), (1.5, True, 0.5)),  # a word, and no unit
        (("7.2", 9.0, "ms", 0.5), (1.5, True, 0.5)),
        (("7.3", "a", None, 0.5), (None, True, 0.5)),
        (("7.3", "b", None, 0.5), (None, False, 0.5)),
    ],
)
def test_a_prediction_is_measured_in_the_units_of_its_truth(said, guess):
    held = judge_journal(LESSON, chain(said))
    off, hit, sure = guess
    assert held.committed == (said[0],)
    assert held.guesses == (Guess(said[0], off and pytest.approx(off), hit=hit, confidence=sure),)
    assert (held.points, held.out_of, held.digest) == (0.5, 2, "")


def test_the_first_of_two_commitments_counts_and_none_without_an_answer():
    said = [("7.1", 40.0, "ms", 0.5), ("7.1", 400.0, "ms", 0.9), ("7.4", 1.0, "GB", 0.5)]
    held = judge_journal(LESSON, chain(*said))
    assert held.guesses == (Guess("7.1", 1.0, hit=True, confidence=0.5),)
    assert held.committed == ("7.1",)
    assert judge_journal(LESSON, chain(("7.4", 1.0, "ms", 0.5))).guesses == ()  # no truth
    assert judge_journal(LESSON, chain(("7.1", 1.0, "furlong", 0.5))).committed == ()
    assert judge_journal(LESSON, chain(("7.9", 1.0, "ms", 0.5))).committed == ()
    three = judge_journal(Checks(None, {}, dict([*ASKED.items()][:3]), TRUTHS), chain(said[0]))
    assert (three.points, three.out_of) == (0.667, 2)


def test_journals_of_three_records_have_a_digest_that_is_theirs():
    said = [("7.1", 40.0, "ms", 0.5), ("7.2", 6.0, None, 0.5), ("7.3", "a", None, 0.5)]
    held = [judge_journal(LESSON, chain(*said[:2], last)) for last in (said[2], said[2], said[0])]
    assert len(held[0].digest) == 16
    assert held[0].digest == held[1].digest != held[2].digest
    assert judge_journal(LESSON, chain(*said[:2])).digest == ""


def test_a_class_is_calibrated_to_thousandths():
    sure = [Guess(str(n), 2.0 + n, hit=n < 2, confidence=0.7) for n in range(3)]
    held = calibration([*sure, Guess("x", None, hit=True, confidence=None)])
    assert held == {
        "predictions": 4,
        "levels": [{"stated": 0.7, "predictions": 3, "hit_rate": 0.667}],
        "typical_factor": round(math.cbrt(2 * 3 * 4), 3),
    }
