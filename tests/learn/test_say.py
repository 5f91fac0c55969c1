"""Numbers as people say them, and truths in the unit that a question asks for."""

from __future__ import annotations

import math

import pytest

from mlsysim import Q_
from mlsysim.core.errors import BadArgument
from mlsysim.learn.say import in_unit, is_word, say


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (Q_(4.5712, "ms"), None, "4.57 ms"),
        (Q_(0.0000325, "s"), None, "32.5 µs"),
        (Q_(7200, "s"), None, "2 hours"),
        (Q_(36.5, "day"), None, "36.5 days"),
        (Q_(85.52e9, "B"), None, "85.5 GB"),
        (Q_(0, "ms"), None, "0 ms"),
        (Q_(1_250_000, "USD"), None, "$1.25 million"),
        (Q_(3.2e9, "USD"), None, "$3.2 billion"),
        (Q_(-1_250_000, "USD"), None, "-$1.25 million"),
        (Q_(12345, "USD"), None, "$12,345"),
        (Q_(0.5, "USD"), None, "$0.50"),
        (Q_(1_250_000, "USD"), "USD", "$1.25 million"),
        (Q_(0.4, ""), "%", "40 %"),
        (0.4, "%", "40 %"),
        (8.08, "x", "8.08×"),
        (8.08, "times", "8.08×"),
        (Q_(129, ""), "users", "129 users"),
        (61518.4, None, "61,518"),
        (Q_(61518.4, "1/s"), "tokens/s", "61,518 tokens/s"),
        (6.02e23, None, "6.02·10²³"),
        (0.0, None, "0"),
        (math.inf, "users", "infinitely many users"),
        (-math.inf, "users", "minus infinity users"),
        (Q_(math.inf, "s"), None, "infinitely many s"),
        # twice as long as the next name, and not before
        (Q_(119, "s"), None, "119 s"),
        (Q_(120, "s"), None, "2 min"),
        (Q_(7199, "s"), None, "120 min"),
        (Q_(47, "hour"), None, "47 hours"),
        (Q_(48, "hour"), None, "2 days"),
        (Q_(-180, "s"), None, "-3 min"),
        (Q_(-0.18, "s"), None, "-180 ms"),
        # cents below a hundred dollars where there are any
        (Q_(99.4, "USD"), None, "$99.40"),
        (Q_(99, "USD"), None, "$99"),
        (Q_(150.4, "USD"), None, "$150"),
        (Q_(-0.25, "USD"), None, "-$0.25"),
        (Q_(999_999, "USD"), None, "$999,999"),
        (Q_(1e6, "USD"), None, "$1 million"),
        (Q_(999e6, "USD"), None, "$999 million"),
        (Q_(2.5e12, "USD"), None, "$2.5 trillion"),
        # a comma from a thousand on, and powers of ten where nothing else helps
        (999.4, "users", "999 users"),
        (999.6, "users", "1,000 users"),  # was "1e+03 users"
        (-1234.5, "users", "-1,234 users"),
        (0.001, None, "0.001"),
        (0.00099, None, "9.9·10⁻⁴"),
        (-0.00025, None, "-2.5·10⁻⁴"),
        (9.99e11, None, "999,000,000,000"),
        (1e12, None, "1·10¹²"),
        (Q_(math.nan, "ms"), "ms", "no number"),
        ("memory", None, "memory"),
    ],
)
def test_a_value_is_said_as_people_say_it(value, unit, words):
    assert say(value, unit) == words


@pytest.mark.parametrize(
    ("truth", "unit", "number"),
    [
        (Q_(0.00457, "s"), "ms", 4.57),
        (Q_(129, ""), "users", 129),
        (129, "users", 129),
        (Q_(8, ""), "x", 8),
        (Q_(0.4, ""), "%", 40),
        (0.4, "%", 40),
        (3, "", 3),
        (Q_(219, "1/s"), "tokens/s", 219),
        (Q_(1.25, "USD"), "USD", 1.25),
    ],
)
def test_a_truth_is_read_in_the_unit_of_its_question(truth, unit, number):
    assert in_unit(truth, unit) == pytest.approx(number)


@pytest.mark.parametrize(
    ("truth", "unit", "complaint"),
    [
        (0.00457, "ms", "write it as a quantity"),  # seconds? milliseconds? nobody can say
        (Q_(4.57, "GB"), "ms", "the question asks for ms"),
        (1250000.0, "USD", "write it as a quantity"),
    ],
)
def test_a_truth_without_its_unit_is_refused_instead_of_being_off_by_a_thousand(
    truth, unit, complaint
):
    with pytest.raises(BadArgument, match=complaint):
        in_unit(truth, unit)


def test_a_unit_that_only_says_what_is_counted_is_a_word():
    assert all(map(is_word, ["users", "x", "", "points"]))
    assert not any(map(is_word, ["ms", "USD", "tokens/s", "%"]))
