"""What an author writes a lesson with, without a browser."""

from __future__ import annotations

import marimo as mo
import pytest
from marimo._runtime.control_flow import MarimoStopError

from mlsysim import Q_
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.course.journal import UNREADABLE
from mlsysim.learn import Journal, lesson

LESSON = "00_hello_roofline"


@pytest.fixture
def this(tmp_path):
    return lesson.open(LESSON, Journal(tmp_path / "journal.jsonl"))


@pytest.fixture
def asked(this):
    return this.ask(1, "How long?", unit="ms", slips={"bytes are read as bits": Q_(36.0, "ms")})


def shown(question) -> str:
    return question._mime_()[1]


def test_an_unknown_lesson_is_refused_and_a_known_one_shows_its_question(this):
    with pytest.raises(UnknownName):
        lesson.open("99_nothing")
    kind, html = this._mime_()
    assert kind == "text/html"
    assert this.facts.question in html
    assert "<script" not in html  # no page, no script: an executed notebook stays small


def test_nothing_is_computed_or_shown_before_the_commitment(this, asked):
    asked.reveal(lambda: pytest.fail("computed"), why=lambda _: pytest.fail("told"))
    assert "<form" in shown(asked)
    with pytest.raises(MarimoStopError):
        this.text(asked, "The answer is 4.5 ms.")
    with pytest.raises(MarimoStopError):
        this.wait(asked)
    with pytest.raises(MarimoStopError):
        this.close(asked)
    assert this.journal.truths() == {}


def test_a_reveal_says_the_mark_first_then_why_the_formula_and_the_chart(this, asked):
    asked._update({"value": "36"})
    asked.reveal(
        lambda: Q_(4.5, "ms"),
        why="Bytes decide.",
        formula=lambda guess: f"You: {guess:g} ms",
        chart=lambda guess: mo.Html(f"<i>drawn {guess:g}</i>"),
        then="What follows.",
    )
    html = shown(asked)
    places = [
        html.index(words)
        for words in (
            "bytes are read as bits",
            "Bytes decide.",
            "You: 36 ms",
            "drawn 36",
            "What follows.",
        )
    ]
    assert places == sorted(places)
    assert 'tabindex="-1" data-mark="00.1"' in html
    assert this.journal.truths() == {"00.1": 4.5}


def test_the_right_number_for_the_wrong_cause_is_seen_and_named(this):
    asked = this.ask(1, "How long?", unit="ms", why=["bytes", "operations"])
    asked._update({"value": "4.5", "cause": "operations"})
    html = shown(asked.reveal(Q_(4.5, "ms"), cause="bytes"))
    assert "Right answer, other reason." in html
    assert this.journal.truths() == {"00.1": 4.5, "00.1.why": "bytes"}


@pytest.mark.parametrize("truth", ["Memory", "luck"])
def test_a_truth_that_is_no_option_is_refused(this, truth):
    asked = this.ask(1, "Which?", options=["memory", "compute"])
    asked._update({"value": "memory"})
    with pytest.raises(BadArgument, match="options"):
        asked.reveal(truth)


def test_a_truth_is_closed_until_the_class_is_released(this, asked, monkeypatch):
    asked._update({"value": "36"})
    monkeypatch.setattr(this.journal, "released", lambda _: False)
    asked.reveal(lambda: pytest.fail("computed"))
    assert "your answer is in" in shown(asked)


@pytest.mark.parametrize("kept", ["memory", UNREADABLE])
def test_an_answer_that_does_not_fit_is_shown_the_truth_and_nothing_breaks(this, asked, kept):
    this.journal.commit("00.1", kept)
    html = shown(asked.reveal(Q_(4.5, "ms"), chart=lambda _: pytest.fail("drawn")))
    assert "does not fit this question" in html
    assert "4.5 ms" in html


def test_two_questions_with_one_number_are_refused_at_the_end(this, asked):
    asked._update({"value": "36"})
    with pytest.raises(BadArgument, match="number of its own"):
        this.close(asked, this.ask(1, "Another?", unit="ms"))


def test_the_end_holds_the_takeaway_and_what_could_not_be_written(this, asked, monkeypatch):
    asked._update({"value": "36"})
    monkeypatch.setattr(Journal, "notice", property(lambda _: "The disk is full."))
    html = this.close(asked).text
    assert "To take away" in html
    assert this.facts.takeaway.split(":")[0] in html
    assert "The disk is full." in html
    assert "The disk is full." in asked.card().text


def test_a_table_and_figures_say_quantities():
    assert "<td>4.57 ms</td>" in lesson.table(["step"], [[Q_(0.00457, "s")]]).text
    assert "<dd>85.5 GB</dd>" in lesson.stats({"memory": Q_(85.5, "GB")}).text
