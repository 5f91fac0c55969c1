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
    below = charts.parity({"a": (2, 1), "b": (9, 3)})
    assert charts.words(below).startswith("All 2 lie below the line.")


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


@pytest.mark.parametrize(
    ("odd", "told"), [(0, "0"), (-1, "-1"), (math.inf, "infinite"), (math.nan, "unknown")]
)
def test_a_pair_without_a_place_is_named(odd, told):
    for pair in ((3, odd), (odd, 3)):
        chart = charts.parity({"a": (1, 2), "b": pair})
        assert len(rows(chart, "point", "across")) == 1
        assert charts.words(chart).endswith(f"a: 1 and 2. Not drawn: b ({told}).")
        assert [row["factor"] for row in charts.table(chart)] == [2, "unknown"]


def test_the_table_of_pairs_has_their_units_kinds_and_factors():
    pairs = {"a": ("4 ms", "0.001 s"), "b": (2, "3 kB")}
    chart = charts.parity(pairs, x="Law", y="Seen", kinds={"b": "move"})
    assert charts.table(chart) == [
        {"name": "a", "Law": 4, "Seen": 1, "unit": "ms", "kind": "", "factor": 0.25},
        {"name": "b", "Law": 2, "Seen": 3, "unit": "kB", "kind": "move", "factor": 1.5},
    ]
    assert [r["off"] for r in rows(chart, "point", "off")] == ["4 times", "1.5 times"]
    with pytest.raises(BadArgument, match="kinds cannot be '6 kinds': at most 5 can be told apart"):
        charts.parity(dict.fromkeys("uvwxyz", (1, 2)), kinds={n: n for n in "uvwxyz"})


def test_both_axes_hold_all_numbers_with_a_twelfth_of_their_decades_at_each_end():
    """From 0.5 to 50 are two decades, of which 0.08 are 0.16."""
    chart = charts.parity({"a": (0.5, 5), "b": (20, 50)}, x="Law", y="Seen").to_dict()
    for way, title in (("x", "Law"), ("y", "Seen")):
        shown = chart["layer"][0]["encoding"][way]
        assert shown["title"] == title
        assert shown["scale"]["domain"] == pytest.approx([0.5 * 10**-0.16, 50 * 10**0.16])


@pytest.mark.parametrize(("many", "named"), [(16, True), (17, False)])
def test_up_to_sixteen_points_are_named_and_told(many, named):
    chart = charts.parity({f"row{n}": (n, 2 * n) for n in range(1, many + 1)})
    assert ("row1: 1 and 2" in charts.words(chart)) == named
    assert any("row1" in r["text"] for r in rows(chart, "text", "across")) == named


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


def test_an_eighth_of_the_answer_is_marked_on_decades_with_air_at_both_ends():
    """0.25 and 2: three tenths of their distance, a factor of eight, stay free beside each."""
    chart = charts.versus(0.25, 2, "ms")
    ends = [0.25 * 8**-0.3, 2 * 8**0.3]
    (scale,) = {tuple(layer["encoding"]["x"]["scale"]["domain"]) for layer in held(chart)}
    assert scale == pytest.approx(tuple(ends))
    line, between = rows(chart, "rule")
    assert [line["x"], line["to"]] == pytest.approx(ends)
    assert (between["from"], between["to"], between["text"]) == (0.25, 2, "8 times")
    assert between["x"] == pytest.approx(0.5**0.5)  # half way in decades
    assert rows(chart, "text", "who") == [
        {"who": "you", "x": 0.25, "text": "you 0.25", "up": -22},
        {"who": "solver", "x": 2, "text": "solver 2", "up": 24},
    ]
    looks = [(mark["type"], mark.get("strokeWidth"), mark.get("dy")) for mark in
             (layer["mark"] for layer in held(chart))]  # fmt: skip
    assert looks == [  # a thin line from end to end, a thick one between, words above and below
        ("rule", 2, None), ("rule", 3, None), ("text", None, -12), ("point", None, None),
        ("text", None, {"expr": "datum.up"}),
    ]  # fmt: skip
    assert charts.table(chart) == [{"who": "you", "ms": 0.25}, {"who": "solver", "ms": 2}]
    assert charts.words(chart) == "You predicted 0.25 ms; the solver says 2 ms, 8 times."
    bare = charts.versus(4, 2, title="Twice")
    assert charts.table(bare) == [{"who": "you", "value": 4}, {"who": "solver", "value": 2}]
    assert charts.words(bare) == "Twice. You predicted 4; the solver says 2, 2 times."


def held(chart):
    return chart.to_dict()["layer"]


def test_below_zero_the_difference_is_told_on_a_plain_line():
    chart = charts.versus(-2, 3, "ms")
    (line, between) = rows(chart, "rule")
    assert (line["x"], line["to"]) == (-3.5, 4.5)  # three tenths of five
    assert between == {"x": 0.5, "from": -2, "to": 3, "text": "5 apart"}
    assert len(rows(charts.versus(-2, -2), "rule")) == 1  # nothing lies between


@pytest.mark.parametrize(
    ("guess", "between", "beside"),
    [(10.5, "10.5 times", "you 10.5"), (1956, "", "you 1,956 (1,956 times)")],
)
def test_a_factor_stands_between_where_it_has_room_twice_over(guess, between, beside):
    """Both dots are 1 / 1.6 of a phone's 270 pixels apart, 169: ten letters of 7.2 take 72."""
    chart = charts.versus(guess, 1)
    assert rows(chart, "rule", "text")[0]["text"] == between
    assert rows(chart, "text", "who")[0]["text"] == beside


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
