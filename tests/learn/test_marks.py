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
    assert mark(said("L4, A100, RTX 4090, M4 Max"), right).grade == "wrong"


def test_who_was_certain_and_wrong_is_told_at_once():
    assert "You were certain" in mark(said(400.0, "ms", 0.9), Q_(4.5, "ms")).sentence
    assert "You were certain" not in mark(said(4.5, "ms", 0.9), Q_(4.5, "ms")).sentence
    assert "You were certain" not in mark(said(400.0, "ms", 0.6), Q_(4.5, "ms")).sentence
