"""What several checks need: misconceptions that can be told, wrong lines, words that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from grading.checks import Row, Rows, apart, doubled, odd_line, told, within
from mlsysim import Engine, Hardware
from mlsysim.core.units import Q_
from mlsysim.course.lessons import Assignment
from mlsysim.course.questions import Question

ASSIGNED = Assignment.build(
    {
        "name": "plans",
        "version": 1,
        "axes": {
            "users": [3, 4],
            "first second": [
                ["{users} users", "twice"],
                ["nobody", "once"],
                ["{users} users", "once"],
            ],
        },
        "sample": {"users": 1, "first": "one", "second": "once"},
        "questions": {"q1": {"kind": "sentence", "title": "?", "text": "?"}},
    }
)


def drawn(users, first, second):
    return ASSIGNED.variant({"users": users, "first": first, "second": second})


def test_a_misconception_that_nearly_gives_the_truth_is_left_out_for_that_variant():
    def double(v):
        """Half of it is enough."""
        return 2.0 * v.users

    def one_more(v):
        """Count again."""
        return v.users + 0.1

    known = apart(lambda v: float(v.users), {"doubled it": double, "miscounted": one_more})
    three, one = drawn(3, "nobody", "once"), drawn(1, "nobody", "once")
    assert known["doubled it"](three) == 6
    assert known["miscounted"](three) is None  # 3.1 is within 5 % of 3
    assert known["miscounted"](one) == 1.1
    assert known["doubled it"].__doc__ == "Half of it is enough."


@pytest.mark.parametrize(
    ("value", "others", "how", "is_told"),
    [  # by more than a twentieth, on either side of each of the others
        (1.051, (1.0,), {}, True),
        (1.049, (1.0,), {}, False),
        (0.949, (1.0,), {}, True),
        (0.951, (1.0,), {}, False),
        (-8.3, (-8.0,), {}, False),
        (3.0, (2.0, 4.0), {}, True),
        (3.9, (2.0, 4.0), {}, False),
        (2.09, (2.0, 4.0), {}, False),
        # exactly a quarter, or exactly two, is not more
        (5.0, (4.0,), {"by": 0.25}, False),
        (5.0, (4.0,), {"by": 0.125}, True),
        (6.0, (4.0,), {"by": 0.125, "slack": 2.0}, False),
        (6.25, (4.0,), {"by": 0.125, "slack": 2.0}, True),
        (9.0, (8.0,), {"by": 0.25, "slack": 0.5}, False),
        # 100 ms are a tenth of a second
        (Q_(106, "ms"), (Q_(0.1, "s"),), {}, True),
        (Q_(104, "ms"), (Q_(0.1, "s"),), {}, False),
    ],
)
def test_a_misconceptions_value_is_kept_where_it_can_be_told_from_others(
    value, others, how, is_told
):
    assert told(value, *others, **how) == (value if is_told else None)


def test_what_lies_between_two_values_includes_them():
    assert [n for n in range(6) if within(2, n, 4)] == [2, 3, 4]


def test_a_misconception_of_nothing_or_without_a_value_is_left_out():
    known = apart(
        lambda v: v.users - 3.0, {"added one": lambda v: 1.0, "gave up": lambda v: None}, by=0.25
    )
    assert [f(drawn(3, "nobody", "once")) for f in known.values()] == [None, None]
    assert [f(drawn(4, "nobody", "once")) for f in known.values()] == [None, None]  # 1 is the truth
    assert known["added one"](drawn(5, "nobody", "once")) == 1  # of 2


def test_the_odd_line_is_the_one_that_most_drawings_have_otherwise():
    odd = odd_line(ASSIGNED, "first second")
    assert odd(drawn(3, "nobody", "once")) == "line 1"
    assert odd(drawn(3, "{users} users", "twice")) == "line 2"


def test_words_that_are_drawn_hold_the_learners_numbers_too():
    asked = Question.build(
        {"kind": "choice", "title": "?", "text": "{first}", "choices": ["{first}", "b"]}
    )
    filled = asked.filled(drawn(4, "{users} users", "once"))
    assert filled.text == "4 users"
    assert filled.choices == ("4 users", "b")


def test_one_of_many_answers_is_the_answer_that_is_asked_for_alone():
    how = {"batch_size": 4, "efficiency": 0.5}
    lengths = [100, 1000, 10000]
    rows = Rows(Engine.solve("Llama3_8B", "H100", seq_len=np.array(lengths), **how))
    for index, length in enumerate(lengths):
        row, alone = Row(rows, index), Engine.solve("Llama3_8B", "H100", seq_len=length, **how)
        for name in ("latency", "bottleneck", "feasible", "kv_cache", "weights", "peak"):
            assert getattr(row, name) == getattr(alone, name)
            assert type(getattr(row, name)) is type(getattr(alone, name))


@pytest.mark.parametrize("number", ["bandwidth", "capacity", "peak"])
def test_one_number_of_a_device_is_doubled_in_every_precision_and_no_other(number):
    def numbers(device):
        memory, peaks = device.memory, {name: device.peak(name) for name in ("fp16", "int8")}
        return {"bandwidth": memory.bandwidth, "capacity": memory.capacity, "peak": peaks}

    one, two = numbers(Hardware.H100), numbers(doubled("H100", number))
    changed = one.pop(number), two.pop(number)
    assert one == two
    if number == "peak":
        assert changed[1] == {name: 2 * peak for name, peak in changed[0].items()}
    else:
        assert changed[1] == 2 * changed[0]
