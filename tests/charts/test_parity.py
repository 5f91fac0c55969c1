"""Parity and versus: a prediction beside what was computed or measured."""

from __future__ import annotations

import math

import pytest

from mlsysim import charts
from mlsysim.core.errors import BadArgument, OutOfRange, WrongUnit
from tests.charts.drawn import picture, rows


def test_each_pair_is_written_in_the_unit_of_its_first():
    chart = charts.parity({"03.1": ("131 kB", "0.262 MB"), "00.4": (148, 74)})
    assert [(r["name"], r["x"], r["y"], r["unit"]) for r in rows(chart, "point", "across")] == [
        ("03.1", 131, pytest.approx(262), "kB"),
        ("00.4", 148, 74, ""),
    ]
    with pytest.raises(WrongUnit, match="a cannot be"):
        charts.parity({"a": ("1 kB", "3 ms")})
    with pytest.raises(BadArgument, match="give two"):
        charts.parity({"a": (1, 2, 3)})


def test_the_words_count_who_is_inside_and_name_the_farthest():
    # ratios 2, 1/2 and 9: the geometric mean is 9 to the power of a third, 2.08
    said = charts.words(
        charts.parity({"a": (1, 2), "b": (2, 1), "c": (1, 9)}, x="Law", y="Measured")
    )
    assert said.startswith("2 of 3 within a factor of 2. Measured against Law, both logarithmic.")
    assert "in the middle 2.1 times the line; typically off by 3.3 times" in said  # 36 ** (1/3)
    assert "farthest is c, 9 times; a: 1 and 2; b: 2 and 1; c: 1 and 9." in said


def test_what_lies_all_on_one_side_is_the_finding():
    above = charts.parity({str(n): (n, 1.5 * n) for n in range(1, 8)})
    assert charts.words(above).startswith("All 7 lie above the line.")


def test_the_band_has_the_width_that_was_asked_for():
    (low, high) = rows(charts.parity({"a": (1, 2)}, band=1.5), "area")
    for end in (low, high):
        assert end["high"] / end["y"] == end["y"] / end["low"] == pytest.approx(1.5)
    for wrong in (1, 0, -2, math.inf, math.nan):
        with pytest.raises(OutOfRange, match="a factor above one"):
            charts.parity({"a": (1, 2)}, band=wrong)


def test_kinds_are_told_apart_by_shape_and_many_points_have_no_names(tmp_path):
    pairs = {f"row{n}": (n, n + 1) for n in range(1, 30)}
    kinds = {name: "decode" if n % 2 else "training" for n, name in enumerate(pairs)}
    _, texts = picture(charts.parity(pairs, kinds=kinds), tmp_path)
    assert {"decode", "training"} <= set(texts)
    assert "row3" not in texts
    assert len(charts.table(charts.parity(pairs))) == 29


@pytest.mark.parametrize("odd", [0, -1, math.inf, math.nan])
def test_a_pair_without_a_place_is_named(odd):
    chart = charts.parity({"a": (1, 2), "b": (3, odd)})
    assert len(rows(chart, "point", "across")) == 1
    assert "Not drawn: b (" in charts.words(chart)


def test_no_pairs_and_one_pair(tmp_path):
    assert charts.words(charts.parity({})).startswith("Nothing to compare.")
    assert charts.words(charts.parity({"a": (3, 3)})).startswith("1 of 1 within a factor of 2.")
    picture(charts.parity({}), tmp_path)


def test_a_prediction_and_the_answer_are_dots_with_the_factor_between(tmp_path):
    chart = charts.versus(61_518, 219, "tokens/s")
    assert charts.words(chart) == (
        "You predicted 61,518 tokens/s; the solver says 219 tokens/s, 281 times."
    )
    assert [(r["who"], r["x"]) for r in rows(chart, "point")] == [("you", 61_518), ("solver", 219)]
    assert not rows(chart, "bar")
    (between,) = rows(chart, "rule", "text")
    assert (between["from"], between["to"]) == (219, 61_518)
    assert {"281 times", "you 61,518", "solver 219", "tokens/s"} <= set(picture(chart, tmp_path)[1])


def test_near_numbers_have_their_factor_beside_them(tmp_path):
    _, texts = picture(charts.versus(4.4, 4.0, "ms"), tmp_path)
    assert "you 4.4 (1.1 times)" in texts


@pytest.mark.parametrize(
    ("guess", "truth", "said"),
    [
        (0, 3, "You predicted 0 ms; the solver says 3 ms, 3 apart."),
        (3, 0, "You predicted 3 ms; the solver says 0 ms, 3 apart."),
        (-2, 3, "You predicted -2 ms; the solver says 3 ms, 5 apart."),
        (0, 0, "You predicted 0 ms; the solver says 0 ms."),
        (
            3,
            math.inf,
            "You predicted 3 ms; the solver says infinite ms. Not drawn: solver (infinite).",
        ),
        (
            3,
            math.nan,
            "You predicted 3 ms; the solver says unknown ms. Not drawn: solver (unknown).",
        ),
        (1e308, 1e-308, "Not drawn: you (1×10³⁰⁸)"),
    ],
)
def test_zero_signed_and_endless_answers_are_compared(guess, truth, said, tmp_path):
    chart = charts.versus(guess, truth, "ms")
    assert said in charts.words(chart)
    picture(chart, tmp_path)


@pytest.mark.parametrize(
    ("places", "align"), [((1, 80, 90, 100), "left"), ((1, 2, 100), "right"), ((1, 100), "right")]
)
def test_the_word_of_the_band_stands_where_fewer_points_are(places, align):
    chart = charts.parity({f"{n}": (n, n) for n in places})
    marks = [layer["mark"] for layer in chart.to_dict()["layer"]]
    (word,) = [mark for mark in marks if isinstance(mark, dict) and "fontStyle" in mark]
    assert word["align"] == align
