"""What a question takes for an answer, and what it says to the rest."""

from __future__ import annotations

import pytest

from mlsysim.core.errors import BadArgument
from mlsysim.learn import Journal
from mlsysim.learn.predict import CONFIDENCE, Question


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


@pytest.fixture
def number(journal):
    return Question("09.1", "How long?", unit="ms", journal=journal)


@pytest.fixture
def order(journal):
    return Question("09.2", "Which first?", order=["B", "C", "A"], journal=journal)


def shown(question) -> str:
    return question._mime_()[1]


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        (None, "Commit to an answer first; a wrong guess teaches more than no guess."),
        ([], "wrong guess"),
        ("", "wrong guess"),
        ("abc", "plain number"),
        ("4,5", "point"),
        ("4 GB", "the question asks for ms"),
        ("-3", "The answer is not below zero."),
        ("1.1e15", "No answer here is that far from 1: check the power of ten of 1.1e15."),
        ("0.9e-9", "No answer here is that far from 1: check the power of ten of 0.9e-9."),
        ("4.5 parsecs", "plain number"),
        ("9**9**9", "plain number"),
        ("nan", "plain number"),
        ("inf", "plain number"),
        ("1e999", "plain number"),
        ("1e40", "power of ten"),
        ("1e-20", "power of ten"),
        ("1,000", "1000 or 1.000"),
        ("<b>4</b>", "plain number"),
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(number, journal, typed, complaint):
    sent = {"value": typed, "confidence": "certain"}
    assert complaint in number.fault(sent)
    number._update(sent)
    assert len(journal) == 0


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (" 4.5 ", 4.5),
        (".5", 0.5),
        ("+4", 4),
        ("4.5 ms", 4.5),
        ("0.0045 s", 4.5),
        ("0", 0),
        ("1e15", 1e15),
        ("1e-9", 1e-9),
        ("1e3", 1000),
    ],
)
def test_a_number_is_taken_as_people_type_it(number, journal, typed, value):
    number._update({"value": typed, "confidence": "certain"})
    row = journal.get("09.1")
    assert row.value == pytest.approx(value)
    assert (row.unit, row.confidence) == ("ms", CONFIDENCE["certain"])


def test_a_unit_that_is_a_word_may_be_typed_too_and_a_sign_where_one_makes_sense(journal):
    users = Question("09.3", "How many?", unit="users", journal=journal)
    users._update({"value": "33 users"})
    assert journal.get("09.3").value == 33
    change = Question("09.4", "How much more?", unit="%", signed=True, journal=journal)
    for far in ("-1e16", "-1e-10"):
        assert change.fault({"value": far}).endswith(f"check the power of ten of {far}.")
    change._update({"value": "-4.5"})
    assert journal.get("09.4").value == -4.5
    bare = Question("09.5", "How many?", journal=journal)
    bare._update({"value": "12"})
    assert (journal.get("09.5").value, journal.get("09.5").unit) == (12, None)


def test_who_does_not_say_how_sure_may_still_commit(number, journal):
    assert "checked" not in shown(number)
    number._update({"value": "4.5", "confidence": None})
    assert journal.get("09.1").confidence is None


def test_a_question_stays_closed_until_the_one_before_it_is_answered(journal, number):
    later = Question("09.2", "And then?", unit="ms", journal=journal, after=number)
    assert not later.open
    assert later.fault({"value": "1"}) == "Answer the question before this one first."
    assert "And then?" not in shown(later)
    journal.commit("09.1", 4.5, "ms")
    assert later.fault({"value": "1"}) is None
    assert "And then?" in shown(
        Question("09.2", "And then?", unit="ms", journal=journal, after=number)
    )


def test_whatever_is_sent_afterwards_changes_nothing(number, journal):
    number._update({"value": "4.5"})
    number._update({"value": "9"})
    assert journal.get("09.1").value == 4.5
    assert number.fault({"value": "9"}) == "You committed to 4.5 ms; a commitment is final."


def test_a_new_session_shows_the_commitment_instead_of_the_form(journal):
    journal.commit("09.1", 4.5, "ms", 0.3)
    again = Question("09.1", "How long?", unit="ms", journal=journal)
    assert again.committed
    assert "You predicted: <strong>4.5 ms</strong>" in shown(again)
    assert "just a guess" in shown(again)
    assert "<form" not in shown(again)


def test_a_number_and_its_cause_are_committed_together(journal):
    asked = Question(
        "09.1",
        "How long?",
        unit="ms",
        why=["bytes", "operations"],
        because="Because",
        journal=journal,
    )
    why = "Say why as well: choose the cause that you believe in."
    assert asked.fault({"value": "4.5"}) == asked.fault({"value": "4.5", "cause": "x"}) == why
    bare = {"value": "4.5", "cause": "bytes"}
    for because in ({}, {"because": None}, {"because": " "}):
        fault = asked.fault(bare | because)
        assert fault == "Write your sentence too; a few words will do."
    asked._update({"value": "4.5", "cause": "bytes", "because": " they  are slow "})
    assert [(row.question, row.value) for row in journal] == [
        ("09.1.why", "bytes"), ("09.1.because", "they are slow"), ("09.1", 4.5),
    ]  # fmt: skip
    assert set(asked.facts) == {"09.1", "09.1.why", "09.1.because"}


def test_options_stand_in_an_order_that_tells_nothing_and_stays(journal):
    first = set()
    for number in range(20):
        asked = Question(f"09.{number}", "Which?", options=["right", "wrong"], journal=journal)
        again = Question(f"09.{number}", "Which?", options=["wrong", "right"], journal=journal)
        assert asked.options == again.options
        first.add(asked.options[0])
    assert first == {"right", "wrong"}


def test_a_choice_is_one_of_its_options(journal):
    asked = Question("09.1", "Which?", options=["memory", "compute"], journal=journal)
    assert asked.fault({"value": "luck"}) == f"Choose one of: {'; '.join(asked.options)}."
    asked._update({"value": "compute"})
    assert journal.get("09.1").value == "compute"


def test_an_order_holds_each_once_and_is_shown_in_no_telling_order(order, journal):
    assert [shown(order).index(f'data-item="{item}"') for item in "ABC"] == sorted(
        shown(order).index(f'data-item="{item}"') for item in "ABC"
    )
    for wrong in (["A", "B"], ["A", "A", "B"], "A", ["A", "B", "D"]):
        assert order.fault({"value": wrong}) == "Put each of them in its place, once."
    order._update({"value": ["C", "A", "B"]})
    assert journal.get("09.2").value == "C, A, B"
    assert order.guess() == ["C", "A", "B"]


def test_an_answer_to_what_an_older_lesson_asked_is_no_answer_to_this_question(
    journal, number, order
):
    memory, other = journal.commit("09.1", "memory"), journal.commit("09.2", "A, B, Z")
    assert not number.fits(memory)
    assert not order.fits(other)
    assert number.fits(journal.commit("09.3", 4.5, "ms"))
    assert not number.fits(journal.commit("09.4", 4.5, "s"))


def test_braces_formulas_and_markup_in_a_question_are_shown_as_they_are(journal):
    asked = Question(
        "09.1", r"Is {x} below $\frac{1}{2}$?", options=["{y}", "<b>no</b>"], journal=journal
    )
    assert "Is {x} below" in shown(asked)
    assert r"\frac{1}{2}" in shown(asked)
    assert "{y}" in shown(asked)
    assert "&lt;b&gt;no&lt;/b&gt;" in shown(asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"unit": "ms", "options": ["a", "b"]},
        {"options": ["a", "a"]},
        {"order": ["a, b", "c"]},
        {"options": ["a", "b"], "order": ["a", "b"]},
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_when_it_is_written(journal, asked):
    with pytest.raises(BadArgument):
        Question("09.1", "Which?", journal=journal, **asked)


def test_every_field_has_a_label_with_its_unit_and_no_answer_is_chosen(journal):
    asked = Question(
        "09.1", "How long?", unit="ms", why=["bytes", "luck"], because="It is", journal=journal
    )
    html = shown(asked)
    for field in ("value-09-1", "because-09-1"):
        assert f'<label for="{field}">' in html
        assert f'id="{field}"' in html
    assert "Your number in ms" in html
    assert html.count("<legend>") == html.count("<fieldset") == 2
    assert "checked" not in html


def test_a_sentence_is_kept_as_far_as_three_hundred_letters(journal):
    asked = Question("09.1", "How long?", unit="ms", because="Because", journal=journal)
    asked._update({"value": "4", "because": "x" * 301})
    assert journal.get("09.1.because").value == "x" * 300


def test_who_has_not_answered_has_said_nothing_and_a_question_without_a_reveal_tells_nothing(
    number, journal
):
    with pytest.raises(LookupError, match=r"question 09\.1 is not answered yet"):
        number.commitment  # noqa: B018
    with pytest.raises(LookupError, match=r"question 09\.1 reveals nothing"):
        number.answer  # noqa: B018
    journal.commit("09.1", 1234.5, "ms")
    assert (number.said(), number.guess()) == ("1,234 ms", 1234.5)
    assert number.said(journal.commit("09.2", "as one says")) == "as one says"
