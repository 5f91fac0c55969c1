"""Wrong turns that are tried one after the other, and what a browser would send for them."""

from __future__ import annotations

import pytest

from mlsysim import Q_
from mlsysim.course.journal import Journal
from mlsysim.learn.predict import Question
from mlsysim.learn.rehearse import answer, turns


@pytest.fixture
def ask(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    return lambda **asked: Question("09.1", "How?", journal=journal, **asked)


def test_each_known_wrong_turn_is_tried_in_the_unit_of_the_question(ask):
    asked = ask(unit="ms", slips={"a": Q_(2, "s"), "b": Q_(3, "ms")}, why=["x", "y", "z"])
    assert turns(asked) == 3  # three causes, and two numbers
    sent = [answer(asked, turn) for turn in range(3)]
    assert [each["value"] for each in sent] == ["2000.0", "3.0", "2000.0"]
    assert [each["cause"] for each in sent] == asked.why
    assert sent[0]["because"] is None
    assert {each["confidence"] for each in sent} == {"fairly sure"}


def test_where_none_is_known_there_is_one_turn(ask):
    assert turns(ask(unit="ms")) == 1
    assert answer(ask(unit="ms", because="Because"), 4) == {
        "value": "1.0", "cause": None, "because": "it waits for its bytes",
        "confidence": "fairly sure",
    }  # fmt: skip


def test_options_are_tried_in_turn_and_orders_as_they_are_known(ask):
    choice = ask(options=["a", "b", "c"], slips={"a": "no"}, why=["x", "y"])
    assert turns(choice) == 3
    assert [answer(choice, turn)["value"] for turn in range(4)] == [
        *choice.options, choice.options[0],
    ]  # fmt: skip
    order = ask(order=["a", "b"], slips={"by size": ["b", "a"]})
    assert (turns(order), answer(order, 1)["value"]) == (1, ["b", "a"])
    assert answer(ask(order=["b", "a"]), 0)["value"] == ["a", "b"]
