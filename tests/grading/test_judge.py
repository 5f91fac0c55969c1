"""Marks: tolerance, units, slips, misconceptions, assumptions, and what is never told."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.judge import Judge
from grading.kinds import CREDIT, Number
from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.units import LONGEST_NUMBER, Q_, factor, read_number
from mlsysim.course.reading import parse, sheet_of
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import UNITS, read_unit
from tests.grading.conftest import typed, unit_of

WHO = "ada"


@pytest.fixture
def one(checks, variant):
    """The mark of one answer of one learner."""
    v = variant(WHO)

    def mark(question, value, unit=None, own=None):
        return checks.questions[question].answered(Answer(value=value, unit=unit), v, own)[1]

    mark.truth = lambda question: checks.questions[question].expected(v)
    mark.v = v
    return mark


def test_right_answers_earn_every_point_for_two_hundred_ids(checks, variant, right):
    for n in range(200):
        v = variant(f"s{n:03d}")
        for mark in checks.judge(v, typed(right(v))):
            assert mark.kind == "right", (v, mark)


def test_no_answer_at_all_is_blank_and_earns_nothing(checks, variant):
    marks = checks.judge(variant(WHO), typed({}))
    assert {v.kind for v in marks} == {"blank"}
    assert sum(v.points for v in marks) == 0


@pytest.mark.parametrize("off", [0.985, 1.0, 1.015])
def test_an_answer_within_two_per_cent_is_right(one, off):
    assert one("q1", one.truth("q1") * off, "ms").kind == "right"


@pytest.mark.parametrize("unit", ["s", "us", "ns", "min"])
def test_any_unit_of_the_right_kind_will_do(one, unit):
    assert one("q1", f"{Q_(one.truth('q1'), 'ms').m_as(unit):.6g}", unit).kind == "right"


def test_gib_said_as_gib_are_right_and_gib_said_as_gb_are_a_slip(one):
    in_gib = f"{Q_(one.truth('q6'), 'GB').m_as('GiB'):.6g}"
    assert one("q6", in_gib, "GiB").kind == "right"
    wrong = one("q6", in_gib, "GB")
    assert (wrong.kind, wrong.credit) == ("slip", CREDIT["slip"])
    assert "1024" in wrong.message


def test_bits_for_bytes_are_named(one):
    wrong = one("q6", f"{one.truth('q6'):.6g}", "Gb")
    assert wrong.kind == "slip"
    assert "bits" in wrong.message


@pytest.mark.parametrize("power", [-6, -3, -1, 1, 3, 9])
def test_a_slip_of_a_power_of_ten_is_named(one, power):
    wrong = one("q1", one.truth("q1") * 10.0**power, "ms")
    assert wrong.kind == "slip"
    assert "power of ten" in wrong.message


def test_a_percentage_for_a_ratio_is_named(one):
    assert "percentage" in one("q2", one.truth("q2") * 100).message
    assert one("q2", one.truth("q2") * 100, "%").kind == "right"


def test_a_wrong_kind_of_unit_has_its_own_feedback(one):
    wrong = one("q1", one.truth("q1"), "GB")
    assert (wrong.kind, wrong.points) == ("wrong unit", 0)
    assert "GB is the wrong kind of unit" in wrong.message
    assert one("q2", one.truth("q2"), "ms").kind == "wrong unit"


def test_a_missing_unit_costs_half_when_the_number_is_right_and_is_worded_alike_when_not(one):
    right, wrong = one("q1", one.truth("q1")), one("q1", one.truth("q1") * 3)
    assert (right.credit, wrong.credit) == (0.5, 0)
    assert right.message == wrong.message


def test_scaled_by_peak_flops_is_named(one, checks):
    ratio = one.v.other.peak("fp16") / one.v.device.peak("fp16")
    wrong = one("q2", float(ratio.m_as("")))
    assert wrong.name == "scaled by peak FLOPS"
    assert 0 < wrong.credit < 1


def test_another_assumption_is_accepted_and_named(one, checks):
    q1 = checks.questions["q1"]
    ((name, assumed),) = q1.check.accept.items()
    accepted = one("q1", q1.plain(assumed(one.v)), "ms")
    if not q1.close(q1.plain(assumed(one.v)), one.truth("q1")):
        assert (accepted.kind, accepted.name) == ("assumption", q1.assumptions[name])
    assert accepted.credit == 1


def test_part_b_is_judged_from_the_learners_own_part_a(checks, variant, right):
    v = variant(WHO)
    answers = right(v)
    weights, capacity = v.model.weights(), v.device.memory.capacity
    own = Q_(checks.questions["q6"].expected(v) * 1.3, "GB")  # wrong in no known way
    fitting = int(((capacity - weights) / ((own - weights) / v.batch)).m_as(""))
    answers["q6"] = {"value": f"{own.m:.6g}", "unit": "GB"}
    answers["q7"] = {"value": fitting, "unit": None}
    marks = {x.question: x for x in checks.judge(v, typed(answers))}
    assert marks["q6"].points == 0
    assert (marks["q7"].kind, marks["q7"].credit) == ("followed", 1)


def test_a_choice_is_judged_from_the_learners_own_choice_before(checks, variant, right):
    v = variant(WHO)
    answers = right(v)
    wrong = "compute" if answers["q3"]["value"] == "memory" else "memory"
    answers["q3"]["value"] = wrong
    answers["q4"]["value"] = "peak FLOPS" if wrong == "compute" else "bandwidth"
    kinds = {x.question: x.kind for x in checks.judge(v, typed(answers))}
    assert (kinds["q3"], kinds["q4"]) == ("wrong", "followed choice")
    answers["q4"]["value"] = "capacity"
    assert {x.question: x.points for x in checks.judge(v, typed(answers))}["q4"] == 0


def test_part_b_does_not_follow_from_an_impossible_part_a(checks, variant):
    v = variant(WHO)
    for own in ("-5", "0", "1e300"):
        marks = checks.judge(
            v, typed({"q6": {"value": own, "unit": "GB"}, "q7": {"value": "0", "unit": None}})
        )
        assert marks[-1].points == 0


@pytest.mark.parametrize(
    "value",
    [
        "9**9**9",
        "1e999",
        "nan",
        "inf",
        "0x10",
        "1_000",
        "4,57",
        "١٢",
        "4.57 ms",
        "42±3",
        "1" * 65,
        True,
        [1],
        {"a": 1},
        "1e9999",
    ],
)
def test_what_is_no_number_is_said_to_be_unreadable(one, value):
    mark = one("q1", value, "ms")
    assert (mark.kind, mark.points) == ("unreadable", 0)


@pytest.mark.parametrize(
    "unit", ["9**9**9 m", "ms ± 3", "gilbert", "__import__('os')", "m" * 10_000, 5, ["ms"], {}]
)
def test_a_unit_outside_the_list_is_refused_before_any_unit_is_parsed(one, unit):
    assert one("q1", "1", unit).kind == "unreadable"


@pytest.mark.parametrize("value", ["maybe", 1, None, "", "MEMORY", {"x": 1}])
def test_a_choice_outside_the_list_earns_nothing(one, value):
    assert one("q3", value).points == 0


def test_every_unit_of_the_list_can_be_read_and_has_a_factor_to_itself():
    for unit in UNITS:
        assert factor(read_unit(unit), unit) == pytest.approx(1)
    with pytest.raises(WrongUnit, match="from the list"):
        read_unit("furlong")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_written_by_python_is_read_back(number):
    assert read_number(repr(number)) == number


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_a_bad_argument(text):
    try:
        number = read_number(text)
    except BadArgument as error:
        sentence = str(error)
    else:
        sentence = f"{number}."
        assert len(text.strip()) <= LONGEST_NUMBER
    assert sentence.endswith((".", "?"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda part: (
            st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_any_json_in_place_of_an_answer_gets_a_verdict(answer):
    from grading.check import load

    checks = load("00_hello_roofline")
    v = checks.assignment.draw("0" * 16)
    for mark in checks.judge(v, typed(dict.fromkeys(checks.questions, answer))):
        assert 0 <= mark.points <= mark.out_of


def test_feedback_never_contains_the_answer(checks, variant, sheet):
    for n in range(40):
        student = f"s{n}"
        v = variant(student)
        for q in checks.questions.values():
            if not isinstance(q, Number):
                continue
            truth = q.expected(v)
            wrongs = [q.plain(f(v)) for f in q.check.misconceptions.values()]
            for value in [truth * 3.3, truth * 8, truth * 1000, *filter(None, wrongs)]:
                data = sheet(student, {q.name: {"value": f"{value:.8g}", "unit": unit_of(q)}})
                told = " ".join(
                    x.message
                    for x in Judge().sheet(sheet_of(parse(json.dumps(data).encode()))).marks
                )
                numbers = [float(x) for x in re.findall(r"(?<![\w.])\d+\.?\d*", told)]
                fixed = {1, 2, 3, 6, 1000, 1024}
                assert not any(abs(x / truth - 1) < 0.05 for x in numbers if x not in fixed), (
                    q.name,
                    told,
                )
