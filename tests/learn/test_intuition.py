"""What learners are told of their predictions so far, and which of them are drawn."""

from __future__ import annotations

import math
from importlib import import_module

import pytest

from mlsysim.course import calibration
from mlsysim.course.journal import Journal

intuition = import_module("mlsysim.learn.intuition")  # the package names its function so


@pytest.fixture
def told(tmp_path):
    """A journal of answers and their truths, of (question, value, truth, confidence)."""

    def make(*rows):
        journal = Journal(tmp_path / "journal.jsonl")
        for question, value, truth, sure in rows:
            journal.commit(question, value, None, sure)
            journal.reveal(question, truth)
        return journal

    return make


def said(journal):
    return intuition.said(calibration.judged(journal))


def test_factors_are_told_by_lesson_and_who_was_certain_and_wrong(told):
    """Off by 2 and by 8 is being off by 4."""
    journal = told(("00.1", 10.0, 20.0, 0.6), ("03.1", 8.0, 1.0, 0.9))
    assert said(journal) == (
        "You were *certain and wrong* on **03.1**: what you will remember best. "
        "Your numbers are typically off by a factor of **4**. "
        "That is from 2 answers; whether you are as sure as you should be can be said from "
        "about 10 on.\n\n"
        "| lesson | numbers | typically off by |\n|---:|---:|---:|\n| 0 | 1 | 2 |\n| 3 | 1 | 8 |"
    )


def test_one_answer_is_one_and_a_word_has_no_factor(told):
    journal = told(("00.1", "memory", "memory", None))
    assert said(journal).endswith(
        "That is from 1 answer; whether you are as sure as you should be can be said from about "
        "10 on."
    )
    assert "factor" not in said(journal)


def test_what_has_no_place_on_decades_is_not_drawn(told, monkeypatch):
    drawn = []
    monkeypatch.setattr(intuition.charts, "parity", lambda pairs, **how: drawn.append((pairs, how)))
    monkeypatch.setattr(intuition.mo, "vstack", lambda shown, gap: shown)
    page = intuition.intuition(
        told(
            ("00.1", 10.0, 20.0, None), ("00.2", 0.0, 5.0, None), ("00.3", 5.0, 0.0, None),
            ("00.4", 3.0, math.inf, None), ("00.5", -2.0, -4.0, None), ("00.6", "a", "b", None),
            ("00.7", 3.0, -1.0, None),
        )
    )  # fmt: skip
    how = {"x": "Computed (each in its own unit)", "y": "Predicted by you"}
    assert drawn == [({"00.1": (20.0, 10.0)}, how)]
    assert len(page) == 2
    drawn.clear()
    assert len(intuition.intuition(told(("00.1", 10.0, 20.0, None)))) == 2


def test_before_the_first_answer_it_says_where_it_will_be(told):
    assert "your first commitment will appear here" in intuition.intuition(told()).text
