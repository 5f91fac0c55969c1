"""A question and its check come together, and neither says what the other does not know."""

from __future__ import annotations

import pytest

from grading.check import Checks, check, gather, load
from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.course.lessons import Assignment
from mlsysim.course.questions import Question


@pytest.fixture
def assigned():
    """Two questions about nothing in particular; the first offers an assumption."""
    asked = {"kind": "number", "title": "?", "text": "?"}
    return Assignment(
        name="99_made_up",
        version=1,
        axes={"batch": [1, 2]},
        sample={"batch": 4},
        assumptions={"table": "counted the table"},
        questions={
            "q1": Question.build({**asked, "assumptions": ["table"]}),
            "q2": Question.build(asked),
        },
    )


def one(v):
    """Advice."""
    return 1.0


GOOD = [check("q1", accept={"table": one})(one), check("q2", follows="q1")(one)]


def test_questions_stand_in_the_order_in_which_they_are_asked(assigned):
    assert list(gather(assigned, reversed(GOOD))) == ["q1", "q2"]


@pytest.mark.parametrize(
    ("checks", "error", "words"),
    [
        ([*GOOD, check("q3")(one)], UnknownName, "check cannot be 'q3'"),
        (GOOD[:1], InvalidEntry, "q2: no check judges it"),
        ([GOOD[0], check("q2", follows="q9")(one)], UnknownName, "follows cannot be 'q9'"),
        ([check("q1")(one), GOOD[1]], InvalidEntry, "q1: it offers table"),
        (
            [check("q1", accept={"table": one, "tabel": one})(one), GOOD[1]],
            UnknownName,
            "did you mean 'table'",
        ),
        (
            [GOOD[0], check("q2", accept={"table": one})(one)],
            UnknownName,
            "accept of q2 cannot be 'table'",
        ),
    ],
)
def test_a_mismatch_of_question_and_check_is_an_error_when_they_are_gathered(
    assigned, checks, error, words
):
    with pytest.raises(error, match=words):
        gather(assigned, checks)


def test_what_a_check_leaves_out_has_these_values():
    held = check("q")
    assert (held.points, held.within, held.slack, held.follows) == (1, 0.02, 0, "")
    assert (held.misconceptions, held.accept) == ({}, {})
    assert held.inputs is held.follow is None
    with pytest.raises(NotImplementedError):
        held.truth(None)
    assert Checks(None, {}).prediction_points == Checks(None, {}).points == 0


def test_the_first_assumption_that_is_not_offered_or_not_accepted_is_named(assigned):
    def told(question, **accept):
        checks = [check("q1", accept=accept)(one), GOOD[1]]
        asked = {**assigned.questions, "q1": question}
        words = dict.fromkeys(("alpha", "table", "zeta"), "counted it")
        with pytest.raises((UnknownName, InvalidEntry)) as error:
            gather(assigned.replace(questions=asked, assumptions=words), checks)
        return str(error.value)

    offers = assigned.questions["q1"].replace(assumptions=["table", "zeta"])
    wrong = told(offers, table=one, zeta=one, beta=one, alpha=one)
    assert wrong == "accept of q1 cannot be 'alpha': known are table, zeta."
    assert told(offers) == "99_made_up: q1: it offers table, but does not accept it."


def test_an_assignment_of_no_name_is_told_the_nearest():
    with pytest.raises(UnknownName) as error:
        load("00_hello_rooflin")
    assert str(error.value) == (
        "assignment cannot be '00_hello_rooflin': did you mean '00_hello_roofline'?"
    )
