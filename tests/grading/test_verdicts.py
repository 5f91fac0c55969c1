"""What one answer earns and reads, word by word, on questions whose truths are plain numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from grading import code, kinds
from grading.check import Checks, check, gather
from grading.kinds import CREDIT
from grading.sandbox import Outcome
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_
from mlsysim.course.lessons import Assignment, Prediction
from mlsysim.course.questions import Question
from mlsysim.course.sheet import Answer

HINT = "Bytes over bandwidth."
TOLD = f"Not so. {HINT}"
LARGE = f"Not so: it is too large by more than a factor of two. {HINT}"
SMALL = f"Not so: it is too small by more than a factor of two. {HINT}"


def asked(truth, *, kind="number", units=(), choices=(), points=6, **knows):
    """The question `q` whose truth is `truth`, and what its check knows."""
    facts = {"kind": kind, "title": "?", "text": "?", "assumptions": [*knows.get("accept", {})]}
    facts |= {"units": [*units]} if units else {}
    facts |= {"choices": [*choices]} if choices else {}

    assigned = Assignment(
        name="99_made_up",
        version=1,
        axes={"batch": [1, 2]},
        sample={"batch": 4},
        assumptions={"table": "counted the table", "both": "counted both"},
        questions={"q": Question.build(facts)},
    )
    return gather(
        assigned, [check("q", points=points, **knows)(slip(truth, HINT.replace(" ", "\n  ")))]
    )["q"]


def judged(question, value, unit=None, earlier=None):
    mark = question.answered(Answer(value=value, unit=unit), None, earlier)[1]
    return mark.kind, mark.points, mark.name, mark.message


def slip(value, words):
    """What somebody does instead."""

    def made(v):
        return value

    made.__doc__ = words
    return made


def test_what_a_verdict_is_worth():
    assert CREDIT == {
        "right": 1.0,
        "assumption": 1.0,
        "followed": 1.0,
        "slip": 0.5,
        "no unit": 0.5,
        "partly": 0.5,
        "followed choice": 0.5,
        "misconception": 0.25,
        "wrong": 0.0,
        "wrong unit": 0.0,
        "unreadable": 0.0,
        "blank": 0.0,
        "kept": 0.0,
    }
    assert asked(1.0, points=0.7).mark("misconception").points == 0.175


# ---- numbers -------------------------------------------------------------------------------------

RIGHT = ("right", 6, "", f"Right. {HINT}")
BITS = "took bits for bytes, or bytes for bits"
BINARY = "took 1024 for 1000, or 1000 for 1024 (GiB are not GB)"
TEN = "slipped by a power of ten: check the prefix of the unit"
PERCENT = "gave a percentage where a plain number was asked"


def slipped(name):
    return ("slip", 3, name, f"The approach is right, but it looks as if you {name}.")


@pytest.mark.parametrize(
    ("value", "unit", "mark"),
    [
        ("40", "ms", RIGHT),
        ("0.042", "s", RIGHT),  # the twentieth that is allowed, and not a hair more
        ("42.01", "ms", ("wrong", 0, "", TOLD)),
        ("38", "ms", RIGHT),
        ("37.99", "ms", ("wrong", 0, "", TOLD)),
        ("80", "ms", ("wrong", 0, "", TOLD)),
        ("80.1", "ms", ("wrong", 0, "", LARGE)),
        ("20", "ms", ("wrong", 0, "", TOLD)),
        ("19.9", "ms", ("wrong", 0, "", SMALL)),
        ("0", "ms", ("wrong", 0, "", SMALL)),
        ("-40", "ms", ("wrong", 0, "", SMALL)),
        ("335", "ms", slipped(BITS)),  # 8 x 40 = 320, and up to a twentieth more
        ("5.2", "ms", slipped(BITS)),
        ("337", "ms", ("wrong", 0, "", LARGE)),
        ("400", "ms", slipped(TEN)),
        ("4.1", "ms", slipped(TEN)),
        ("4e16", "ms", slipped(TEN)),  # ten to the 15th
        ("4e-14", "ms", slipped(TEN)),
        ("4e17", "ms", ("wrong", 0, "", LARGE)),
        ("42.95", "ms", ("wrong", 0, "", TOLD)),  # 1.024^3, but milliseconds have no such sister
        (
            "41",
            None,
            (
                "no unit",
                3,
                "left out the unit",
                "The unit is missing: it asks for a quantity such as one in ms.",
            ),
        ),
        (
            "400",
            None,
            (
                "wrong unit",
                0,
                "left out the unit",
                "The unit is missing: it asks for a quantity such as one in ms.",
            ),
        ),
        (
            "40",
            "GB",
            (
                "wrong unit",
                0,
                "gave the wrong kind of unit",
                "GB is the wrong kind of unit here: "
                "the question asks for a quantity such as one in ms.",
            ),
        ),
        (" ", "ms", ("blank", 0, "", "No answer was given.")),
    ],
)
def test_a_time_of_forty_milliseconds(value, unit, mark):
    assert judged(asked(Q_(0.04, "s"), units=["ms", "s"], within=0.05), value, unit) == mark


def test_what_cannot_be_read_is_told_as_it_is_read():
    question = asked(Q_(0.04, "s"), units=["ms", "s"])
    with pytest.raises(BadArgument) as error:
        question.read(Answer(value="4,5", unit="ms"), None)
    message = f"This could not be read: {error.value}"
    assert judged(question, "4,5", "ms") == ("unreadable", 0, "", message)


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ("0.4", RIGHT),
        ("40", slipped(PERCENT)),
        ("0.004", slipped(TEN)),
        ("3.2", ("wrong", 0, "", LARGE)),  # a plain number has no bits
        ("0.4096", ("wrong", 0, "", TOLD)),
    ],
)
def test_a_share_of_two_fifths(value, mark):
    assert judged(asked(0.4), value) == mark


@pytest.mark.parametrize(("truth", "value"), [(0.0, "5"), (-40.0, "-400"), (-40.0, "400")])
def test_what_is_not_above_zero_has_no_slips_and_no_sides(truth, value):
    assert judged(asked(truth), value) == ("wrong", 0, "", TOLD)


def test_whole_numbers_may_be_off_by_some():
    question = asked(40, slack=3.0)
    verdicts = [judged(question, value)[0] for value in ("36.9", "37", "43", "43.1")]
    assert verdicts == ["wrong", "right", "right", "wrong"]


@pytest.mark.parametrize("power", [-3, -2, -1, 1, 2, 3])
@pytest.mark.parametrize("unit", ["GB", "GB/s"])
def test_steps_of_1024_must_be_hit_within_half_a_percent_and_half_the_tolerance(unit, power):
    step = 40 * 1.024**power
    for within, exact in ((0.02, 0.005), (0.004, 0.002)):
        question = asked(Q_(40.0, unit), units=[unit], within=within)
        hit, missed = (judged(question, step * (1 + exact * off), unit) for off in (0.98, -1.02))
        if abs(step * (1 + exact * 0.98) - 40) > within * 40:
            assert hit == slipped(BINARY)
        assert missed[0] in ("wrong", "right")
    assert judged(asked(40.0, within=0.004), step)[0] == "wrong"


def test_an_accepted_assumption_is_right_in_its_own_words():
    accept = {"table": slip(None, ""), "both": slip(50.0, "")}
    question = asked(40.0, accept=accept, misconceptions={"erred": slip(50.0, "")})
    words = "counted both"
    message = f"Right, if you {words}: that is accepted here."
    assert judged(question, "50.5") == ("assumption", 6, words, message)


def test_a_misconception_is_named_when_it_is_another_value_than_the_truth():
    slips = {
        "did not apply": slip(None, ""),
        "took what is right": slip(40.0, ""),
        "added twice": slip(50.0, "Add\n   once."),
        "added thrice": slip(50.5, ""),
    }
    question = asked(40.0, misconceptions=slips)
    mark = ("misconception", 1.5, "added twice", "It looks as if you added twice. Add once.")
    assert judged(question, "50.5") == mark
    assert judged(question, "51.4")[2] == "added thrice"
    assert judged(question, "39.1")[0] == "wrong"  # near to none of them


def test_what_follows_from_an_earlier_answer_is_right_unless_it_is_nothing():
    facts = {"kind": "number", "title": "?", "text": "?"}
    assigned = Assignment(
        name="99_made_up",
        version=1,
        axes={"batch": [1, 2]},
        sample={"batch": 4},
        questions={each: Question.build(facts) for each in ("q1", "q2")},
    )
    first = check("q1", points=5)(slip(10.0, HINT))
    then = check("q2", points=6, follows="q1", follow=lambda v, own: 3 * (own.m - 4))
    checks = Checks(assigned, gather(assigned, [first, then(slip(18.0, HINT))]))

    def verdict(one, other):
        marks = checks.judge(None, {"q1": Answer(value=one), "q2": Answer(value=other)})
        assert [(m.question, m.out_of) for m in marks] == [("q1", 5), ("q2", 6)]
        return marks[1]

    mark = verdict("15", "33")  # 3 x (15 - 4)
    message = "It follows correctly from your own answer to q1: full credit here."
    assert (mark.kind, mark.points, mark.name, mark.message) == ("followed", 6, "from q1", message)
    assert verdict("4", "0").kind == "wrong"
    assert verdict("", "33").kind == "wrong"
    assert verdict("15", "18").kind == "right"
    assert checks.points == 11
    assert [m.kind for m in checks.judge(None, {})] == ["blank", "blank"]


# ---- other kinds ---------------------------------------------------------------------------------

FOUR = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("kind", "truth", "value", "mark"),
    [
        (
            "interval",
            (10.0, 40.0),
            ["10", "20"],
            ("partly", 3, "found the lower end", "The lower end is right, the other is not."),
        ),
        (
            "interval",
            (10.0, 40.0),
            ["4", "40"],
            ("partly", 3, "found the upper end", "The upper end is right, the other is not."),
        ),
        ("interval", (10.0, 40.0), ["10.2", "39.2"], RIGHT),
        ("interval", (10.0, 40.0), ["30", "90"], ("wrong", 0, "", TOLD)),
        ("choice", "b", "b", RIGHT),
        ("choice", "b", "c", ("wrong", 0, "", TOLD)),
        ("several", ["a", "b"], ["b", "a"], RIGHT),
        (
            "several",
            ["a", "b"],
            ["b"],
            ("partly", 3, "missed one choice", "All but one of the choices are right."),
        ),
        ("several", ["a", "b"], ["b", "c"], ("wrong", 0, "", TOLD)),
        ("ordering", FOUR, FOUR, RIGHT),
        (
            "ordering",
            FOUR,
            ["a", "c", "b", "d"],
            (
                "partly",
                3,
                "swapped two neighbours",
                "Two neighbours have changed places; the rest is right.",
            ),
        ),
        ("ordering", FOUR, ["a", "d", "c", "b"], ("wrong", 0, "", TOLD)),  # two, not neighbours
        ("ordering", FOUR, ["b", "a", "d", "c"], ("wrong", 0, "", TOLD)),  # twice two
        ("ordering", FOUR, ["a", "c", "d", "b"], ("wrong", 0, "", TOLD)),
    ],
)
def test_an_answer_that_is_no_number(kind, truth, value, mark):
    choices = () if kind == "interval" else FOUR
    assert judged(asked(truth, kind=kind, choices=choices), value) == mark


def test_a_wrong_choice_is_named_and_earns_nothing():
    question = asked(
        "b",
        kind="choice",
        choices=FOUR,
        misconceptions={"saw no c": slip(None, ""), "saw c": slip("c", "It is\nb.")},
    )
    assert judged(question, "c") == ("wrong", 0, "saw c", "It looks as if you saw c. It is b.")


def test_a_choice_that_follows_earns_half_and_a_sentence_nothing():
    question = asked("b", kind="choice", choices=FOUR, follow=lambda v, own: own)
    message = "It follows correctly from your own answer to : half of the points."
    assert judged(question, "c", earlier="c") == ("followed choice", 3, "from ", message)
    facts = {"kind": "sentence", "title": "?", "text": "?"}
    assigned = Assignment(
        name="99_made_up", version=1, axes={}, sample={}, questions={"q": Question.build(facts)}
    )
    kept = gather(assigned, [])["q"].answered(Answer(value="x" * 499), None)[1]
    message = "Your words are kept for your instructor to read."
    assert (kept.kind, kept.points, kept.out_of, kept.message) == ("kept", 0, 0, message)
    assert kept.given == "x" * 499
    assert kept.credit == 1
    assert gather(assigned, [])["q"].mark("blank").credit == 0
    long = asked(40.0).answered(Answer(value="1" + "0" * 50), None)[1]
    assert long.given == "1" + "0" * 39


def spec(**slips):
    def solve(v, mine):
        """Which roof binds?"""
        if mine.bandwidth < 0:
            raise BadArgument("bandwidth", mine.bandwidth, "give one")
        return {"it is fast": mine.bandwidth > 2, "it is cheap": mine.bandwidth < 5}

    wanted = check("q", points=6, misconceptions=slips)(solve)
    return kinds.Spec(SimpleNamespace(), wanted, {})


@pytest.mark.parametrize(
    ("bandwidth", "mark"),
    [
        (3, ("right", "", "Right. Which roof binds?")),
        (1, ("wrong", "", "It does not do this yet: it is fast. Which roof binds?")),
        (5, ("misconception", "overspent", "It looks as if you overspent. Look at the bill.")),
        (-1, ("wrong", "", "The solvers refuse it: bandwidth cannot be -1: give one.")),
    ],
)
def test_an_entry_of_ones_own_is_told_its_first_unmet_demand(bandwidth, mark):
    def spent(v, mine):
        return mine.bandwidth > 4

    spent.__doc__ = "Look at\n   the bill."
    held = spec(undersized=lambda v, mine: False, overspent=spent)
    got = held.judge(SimpleNamespace(bandwidth=bandwidth), None)
    assert (got.kind, got.name, got.message) == mark


# ---- functions -----------------------------------------------------------------------------------


def function(**knows):
    facts = {"kind": "function", "title": "?", "text": "?", "signature": "f(x, y)"}
    assigned = Assignment(
        name="99_made_up", version=1, axes={}, sample={}, questions={"q": Question.build(facts)}
    )
    held = check("q", points=5, inputs=lambda v: [(1, 4), (2, 8), (3, 12)], **knows)
    return gather(assigned, [held(lambda v: lambda x, y: 2 * x + 2 * y)])


def test_a_function_is_worth_the_share_of_inputs_for_which_it_is_right():
    slips = {
        "did not apply": lambda v: None,
        "did what is right": lambda v: lambda x, y: 2 * x + 2 * y,
        "left a tenth": slip(lambda x, y: x, "Ten\n of them."),
    }
    held = function(misconceptions=slips)["q"]

    def mark(*values):
        ran = [Outcome(None, each) if isinstance(each, str) else Outcome(each) for each in values]
        got = held.judge_outcomes(ran, None)
        return got.kind, got.points, got.name, got.message

    assert mark(10.1, 20.0, 30.0) == ("right", 5, "", "Right.")
    assert mark(10.0, 20.0, "ended") == (
        *("partly", 3.333, "was right for 2 of 3"),
        "It is right for 2 of 3 hidden inputs. Your function ended. ",
    )
    assert mark(10.0, 7.0, 7.0)[1:3] == (1.667, "was right for 1 of 3")
    advice = "It looks as if you left a tenth. Ten of them."
    assert mark(1.0, 2.0, 3.0) == ("misconception", 1.25, "left a tenth", advice)
    assert mark(1.0, 2.0, "ended") == ("wrong", 0, "", "Your function ended. ")
    assert mark(1.0, 2.0, 7.0) == ("wrong", 0, "", "Not so. ")


def test_a_function_counts_where_it_can_be_run(monkeypatch):
    held = function()
    checks = Checks(SimpleNamespace(), held, {"x.1": Prediction(text="?")})
    text = "def f(x, y):\n    return x" + "\n" * 50

    class Walled:
        def run(self, source, name, inputs):
            assert (source, name, inputs[2]) == (text, "f", {"x": 3.0, "y": 12.0})
            return [Outcome(each["x"] * 10) for each in inputs]

    for walls, kind, points, out_of, name, total in (
        (Walled(), "right", 5, 5, "", 7),
        (None, "kept", 0, 0, code.NOT_RUN, 2),
    ):
        monkeypatch.setattr("grading.code.available", lambda walls=walls: walls)
        monkeypatch.setattr("grading.check.available", lambda walls=walls: walls)
        carried, mark = held["q"].answered(Answer(value=text), None)
        assert carried is None
        got = (mark.kind, mark.points, mark.out_of, mark.name, checks.points)
        assert got == (kind, points, out_of, name, total)
        assert mark.given.strip() == text.strip()
    assert mark.message == "Your code is kept; it is not run here, but graded offline."
