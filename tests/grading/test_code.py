"""A function as an answer: how its text is read, and what its outcomes earn."""

from __future__ import annotations

import pytest

from grading.check import check, gather
from grading.sandbox import Outcome
from mlsysim.core.errors import InvalidEntry
from mlsysim.course.questions import Question
from mlsysim.course.sheet import Answer
from tests.grading.made_up import ASSIGNED, CHECKS

V = ASSIGNED.variant({"model": "Llama3_8B", "device": "A100", "other": "H100", "batch": 16})
CODE = CHECKS.questions["code"]
HEAD = "def step_time(read, bandwidth, tax):\n"


def fault(text):
    return CODE.asked.fault(Answer(value=text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step_time = 1", "write one function, `def step_time(read, bandwidth, tax):`"),
        ("def other(read, bandwidth, tax): pass", "write one function"),
        ("async " + HEAD + " pass", "write one function"),
        ("class step_time: pass", "write one function"),
        (HEAD + " return 1\n" + HEAD + " return 2", "write one function"),
        ("if 1:\n " + HEAD + "  return 1", "write one function"),
        (
            "def step_time(read, bandwidth): pass",
            "other arguments: step_time(read, bandwidth, tax)",
        ),
        ("def step_time(bandwidth, read, tax): pass", "other arguments"),
        ("def step_time(*read): pass", "other arguments"),
        ("def step_time(read, bandwidth, *, tax): pass", "other arguments"),
        (HEAD + " retrun read / bandwidth", "line 2 of the code cannot be 'retrun read"),
        (HEAD + "return 1", "line 2 of the code"),
        (HEAD + " return '", "unterminated string"),
        ("\0", "null bytes"),
        ("x = '\ud800'", "Python cannot read it"),
        ("-" * 9000 + "1", "Python cannot read it"),
        ("(" * 9000, "too many nested parentheses"),
        ("f" + "()" * 4900, "Python cannot read it"),
        ("1" + "+1" * 4900, "Python cannot read it"),
    ],
)
def test_what_is_no_such_function_is_said_with_its_line(text, words):
    assert words in fault(text)
    value, mark = CODE.answered(Answer(value=text), V)
    assert value is None
    assert (mark.kind, mark.points, mark.out_of) == ("unreadable", 0, 2)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + " return read / bandwidth + tax",
        "import math\nfrom numpy import array\ndef half(x):\n return x / 2\n\n"
        + HEAD
        + " return 1",
        "@cache\n" + HEAD + " return 1",
        "def step_time(read: float, bandwidth=1.0, tax=0) -> float:\n '\\d'\n return 1 is 1",
    ],
)
def test_a_function_is_read_with_what_stands_beside_it(text):
    assert fault(text) == ""


def step_time(read, bandwidth, tax):
    return read / bandwidth + tax


def test_a_function_of_a_notebook_is_written_as_its_text():
    def step_time(read, bandwidth, tax):  # indented, as in a cell
        return read / bandwidth

    assert CODE.asked.write(step_time).value.startswith("def step_time(read")
    assert fault(CODE.asked.write(step_time).value) == ""


@pytest.mark.parametrize("signature", ["users", "users()", "u(*x)", "u(x", "u(x): 1; a"])
def test_a_signature_that_is_none_is_refused(signature):
    with pytest.raises(InvalidEntry, match=r"write it as users\(memory, weights\)"):
        Question.build({"kind": "function", "title": "", "text": "", "signature": signature})


def test_a_check_of_a_function_says_what_it_is_called_with():
    held = [each.check for each in CHECKS.questions.values() if each.judged and each is not CODE]
    with pytest.raises(InvalidEntry, match="say what the function is called with"):
        gather(ASSIGNED, [*held, check("code")(lambda v: step_time)])


def outcomes(function):
    return [Outcome(function(**each)) for each in CODE.inputs(V)]


def test_outcomes_that_are_right_for_all_inputs_are_right():
    mark = CODE.judge_outcomes(outcomes(step_time), V)
    assert (mark.kind, mark.points) == ("right", 2)
    near = CODE.judge_outcomes(outcomes(lambda **each: 1.01 * step_time(**each)), V)
    assert near.kind == "right"


def test_outcomes_of_a_misconception_get_its_advice():
    mark = CODE.judge_outcomes(outcomes(lambda read, bandwidth, tax: 8 * read / bandwidth + tax), V)
    assert (mark.kind, mark.points, mark.name) == ("misconception", 0.5, "read bits for bytes")
    assert "Memory is counted in bytes." in mark.message


def test_outcomes_that_are_right_for_some_inputs_earn_their_share():
    # of the four inputs one has no tax, and three have less than 1 ms of 20 ms or more beside it
    forgot = outcomes(lambda read, bandwidth, tax: read / bandwidth)
    wrong = [*forgot[:1], Outcome(None, "stopped in line 2"), Outcome(5.0), forgot[3]]
    mark = CODE.judge_outcomes(wrong, V)
    assert (mark.kind, mark.points) == ("partly", 0.5)
    assert mark.message.startswith("It is right for 1 of 4 hidden inputs. Your function stopped")


def test_outcomes_that_are_never_right_say_what_happened():
    late = [Outcome(None, "took longer than 2 seconds")] * 4
    mark = CODE.judge_outcomes(late, V)
    assert (mark.kind, mark.points) == ("wrong", 0)
    assert mark.message == (
        "Your function took longer than 2 seconds. Bytes over bandwidth, and the tax."
    )
    assert CODE.judge_outcomes([Outcome(0.0)] * 4, V).message.startswith("Not so. Bytes")
