"""How predictions are marked: numbers, choices and orders, and what has no factor."""

from __future__ import annotations

import math

import pytest

from mlsysim import Q_
from mlsysim.course.journal import Record
from mlsysim.learn.marks import mark


def said(value, unit=None, confidence=None) -> Record:
    return Record(question="09.1", value=value, unit=unit, confidence=confidence)


@pytest.mark.parametrize(
    ("guess", "grade", "words"),
    [
        (4.5, "right", "Exactly."),
        (5.0, "right", "Spot on."),
        (8.0, "near", "Too high by a factor of 1.8."),
        (0.6, "far", "Too low by a factor of 7.5."),
        (400.0, "wrong", "Too high by a factor of 89."),
    ],
)
def test_a_mark_says_how_far_off_and_which_way(guess, grade, words):
    found = mark(said(guess, "ms"), Q_(4.5, "ms"))
    assert found.grade == grade
    assert found.sentence.endswith(words)


@pytest.mark.parametrize(
    ("guess", "grade", "words"),
    [  # of 0.8: within 1.01, 1.25, 2 and 10 times, and just beyond
        (0.807, "right", "Exactly."),
        (0.809, "right", "Spot on."),
        (0.999, "right", "Spot on."),
        (1.002, "near", "Too high by a factor of 1.3."),
        (1.599, "near", "Too high by a factor of 2."),
        (1.602, "far", "Too high by a factor of 2."),
        (0.0801, "far", "Too low by a factor of 10."),
        (0.0799, "wrong", "Too low by a factor of 10."),
    ],
)
def test_a_grade_ends_where_its_factor_does(guess, grade, words):
    found = mark(said(guess), 0.8)
    assert found.grade == grade
    assert found.sentence == f"You said **{guess:.3g}**; it is **0.8**. {words}"


@pytest.mark.parametrize(("guess", "slip"), [(8.3, "x"), (8.34, ""), (7.7, "x"), (7.66, "")])
def test_a_slip_is_one_within_four_hundredths_of_its_number(guess, slip):
    assert mark(said(guess), 1.0, {"x": 8.0}).slip == slip


@pytest.mark.parametrize(
    ("guess", "truth", "sentence"),
    [  # the known wrong turns give 1.03, nothing, -3 and 7
        (1.03, 1.0, "You said **1.03**; it is **1**. {} a."),  # no factor to speak of
        (0.0, 2.0, "You said **0**; it is **2**. It is not nothing. {} b."),
        (-3.0, 2.0, "You said **-3**; it is **2**. The other way round: mind the sign. {} c."),
        (7.0, 0.0, "You said **7**; it is **0**. Nothing changes at all. {} d."),
        (7.0, math.inf, "You said **7**; no number is large enough. {} d."),
        (7.0, math.nan, "You said **7**; there is no such number. {} d."),
        (5.0, 2.0, "You said **5**; it is **2**. Too high by a factor of 2.5."),
    ],
)
def test_a_sentence_says_both_numbers_what_lies_between_and_the_wrong_turn(guess, truth, sentence):
    found = mark(said(guess), truth, {"a": 1.03, "b": 0.0, "c": -3.0, "d": 7.0})
    assert found.sentence == sentence.format("That is the number that you get when")
    assert found.slip == (sentence[-2] if "{}" in sentence else "")


@pytest.mark.parametrize(
    ("guess", "truth", "grade", "words"),
    [
        (0.0, 0.0, "right", "Exactly."),
        (3.0, 0.0, "wrong", "Nothing changes at all."),
        (0.0, 3.0, "wrong", "It is not nothing."),
        (-4.0, -4.4, "right", "Spot on."),
        (4.0, -4.0, "wrong", "mind the sign"),
        (-8.0, -4.0, "near", "Too low by a factor of 2."),
        (148.0, math.inf, "wrong", "no number is large enough"),
        (148.0, math.nan, "wrong", "there is no such number"),
    ],
)
def test_zero_signs_and_what_is_no_number_are_marked_in_words(guess, truth, grade, words):
    found = mark(said(guess), truth)
    assert found.grade == grade
    assert words in found.sentence


@pytest.mark.parametrize(
    ("guess", "unit", "truth", "words"),
    [
        (40, "%", Q_(0.4, ""), "You said **40 %**; it is **40 %**."),
        (4, "x", Q_(8.08, ""), "You said **4×**; it is **8.08×**."),
        (500_000, "USD", Q_(1.25e6, "USD"), "You said **$500,000**; it is **$1.25 million**."),
        (154, "users", 33, "You said **154 users**; it is **33 users**."),
    ],
)
def test_shares_factors_money_and_counts_read_as_people_say_them(guess, unit, truth, words):
    assert mark(said(guess, unit), truth).sentence.startswith(words)


def test_a_slip_that_matches_is_named_and_wins_over_an_answer_that_happens_to_be_near():
    slips = {"the weights are forgotten": 79.6, "bytes are read as bits": 8.0}
    found = mark(said(79.6, "users"), 64.0, slips)  # within a quarter of the truth
    assert (found.grade, found.slip) == ("near", "the weights are forgotten")
    assert "when the weights are forgotten" in found.sentence
    assert mark(said(60.0, "users"), 64.0, slips).grade == "right"


def test_how_near_counts_as_right_is_the_questions_own():
    assert mark(said(24.0, "d"), Q_(30, "d")).grade == "right"
    assert mark(said(24.0, "d"), Q_(30, "d"), within=1.15).grade == "near"


def test_a_choice_is_told_why_it_is_wrong():
    told = {"compute": "It works for 1 % of the time."}
    assert mark(said("memory"), "memory", told).grade == "right"
    found = mark(said("compute"), "memory", told)
    assert (found.grade, found.slip) == ("wrong", "compute")
    assert found.sentence == "You said **compute**; it is **memory**. It works for 1 % of the time."


def test_commas_make_no_order_of_a_choice():
    truth, other = "yes, but only while it fits", "no, it never does"
    assert mark(said(truth), truth, {other: "It does."}).grade == "right"
    found = mark(said(other), truth, {other: "It does."})
    assert (found.grade, found.slip) == ("wrong", other)
    assert found.sentence.endswith("It does.")


def test_an_order_is_marked_by_its_places_and_a_known_one_is_named():
    right, slips = (
        ["A100", "RTX 4090", "M4 Max", "L4"],
        {"of their FLOPS": ["A100", "RTX 4090", "L4", "M4 Max"]},
    )
    assert mark(said("A100, RTX 4090, M4 Max, L4"), right, slips).grade == "right"
    found = mark(said("A100, RTX 4090, L4, M4 Max"), right, slips)
    assert (found.grade, found.slip) == ("near", "of their FLOPS")
    assert "2 of 4 in their place" in found.sentence
    assert "That is the order of their FLOPS." in found.sentence
    none = mark(said("L4, A100, RTX 4090, M4 Max"), right)
    assert none == (
        "wrong", "It is **A100, RTX 4090, M4 Max, L4** (0 of 4 in their place).", ""
    )  # fmt: skip
    assert mark(said("b"), "a") == ("wrong", "You said **b**; it is **a**.", "")
    assert mark(said("a"), "a").sentence == "Right: **a**."


def test_who_was_certain_and_wrong_is_told_at_once():
    assert "You were certain" in mark(said(400.0, "ms", 0.9), Q_(4.5, "ms")).sentence
    assert "You were certain" not in mark(said(4.5, "ms", 0.9), Q_(4.5, "ms")).sentence
    assert "You were certain" not in mark(said(6.5, "ms", 0.9), Q_(4.5, "ms")).sentence  # near
    far = mark(said(20.0, "ms", 0.9), Q_(4.5, "ms")).sentence
    assert far.endswith("4.4. *You were certain: these are the ones worth remembering.*")
    assert "You were certain" not in mark(said(400.0, "ms", 0.6), Q_(4.5, "ms")).sentence
