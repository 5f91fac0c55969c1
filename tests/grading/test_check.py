"""A question and its check come together, and neither says what the other does not know."""

from __future__ import annotations

import pytest

from grading.check import check, gather
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
