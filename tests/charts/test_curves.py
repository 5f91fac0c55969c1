"""Lines: what is drawn from what, where they cross, what has no place on the axes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import charts
from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.units import Q_
from tests.charts.drawn import layers, picture, rows

BATCH = [1, 2, 4, 8]


def drawn(chart, name):
    return [(r["x"], r["y"]) for r in rows(chart, "line", "feasible") if r["name"] == name]


def test_numbers_quantities_text_and_arrays_are_read_in_the_unit_of_the_title():
    given_ways = {
        "numbers": (BATCH, [5.0, 6.0, 7.0, 8.0]),
        "quantities": (BATCH, [Q_(n, "us") for n in (5000, 6000, 7000, 8000)]),
        "text": (BATCH, ["0.005 s", "0.006 s", "0.007 s", "0.008 s"]),
        "array": (np.array(BATCH), Q_(np.array([5.0, 6.0, 7.0, 8.0]), "ms")),
    }
    chart = charts.lines(given_ways, x="Batch", y="Step (ms)")
    for name in given_ways:
        assert drawn(chart, name) == [
            pytest.approx(p) for p in zip(BATCH, (5, 6, 7, 8), strict=True)
        ]


def test_without_a_unit_in_the_title_the_axis_takes_that_of_the_largest():
    chart = charts.lines({"a": ([1, 2], ["500 MB", "4 GB"])}, x="Batch", y="Cache")
    assert drawn(chart, "a") == [(1, 0.5), (2, 4.0)]
    assert "Cache (GB) against Batch" in charts.words(chart)


def test_a_unit_of_another_dimension_is_refused_by_name():
    with pytest.raises(WrongUnit, match=r"slow cannot be .*'Step \(ms\)' does not measure it"):
        charts.lines({"slow": ([1], ["3 GB"])}, x="Batch", y="Step (ms)")


@pytest.mark.parametrize("wrong", [None, True, np.True_, object(), [1]])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(BadArgument, match="give a number or a quantity"):
        charts.lines({"a": ([1], [wrong])}, x="Batch", y="Step (ms)")


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(BadArgument, match="a cannot be 'columns of 2 and 1': give xs"):
        charts.lines({"a": ([1, 2], [3])}, x="Batch", y="Step (ms)")
    with pytest.raises(BadArgument, match="at most 5 can be told apart"):
        charts.lines({str(n): ([1], [1]) for n in range(6)}, x="Batch", y="Step (ms)")


def test_where_lines_cross_is_the_title_and_worked_out_between_points():
    # straight lines 3 - x and x cross at 1.5
    chart = charts.lines(
        {"a": ([0, 3], [3, 0]), "b": ([0, 3], [0, 3])}, x="Batch", y="Gain (times)"
    )
    assert charts.words(chart).startswith("a and b cross at 1.5. Gain (times) against Batch.")
    # on log axes straight means a power: 8/x and 2x cross at x = 2
    log = charts.lines(
        {"a": ([1, 8], [8, 1]), "b": ([1, 8], [2, 16])}, x="Batch", y="Gain (times)", log="xy"
    )
    assert charts.words(log).startswith("a and b cross at 2. ")


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ({"a": [1, 2], "b": [2, 4]}, "Step: b ends at 2 times a."),
        ({"a": [4, 2]}, "Step shrinks 2 times."),
        ({"a": [3, 3]}, "Step stays the same."),
        ({"a": [100, 104]}, "Step against Batch."),  # the eye sees no growth of a hundredth
        ({"a": [100, 106]}, "Step grows 1.1 times."),
        ({"a": [106, 100]}, "Step shrinks 1.1 times."),
        ({"a": [100, 50], "b": [104, 52]}, "Step shrinks 2 times."),  # nor a distance
        ({"a": [100, 50], "b": [106, 53]}, "Step: b ends at 1.1 times a."),
        ({"a": [0, 3]}, "Step against Batch."),  # nor is there a factor from zero
        ({"a": [3, -1]}, "Step against Batch."),
    ],
)
def test_a_title_of_its_own_says_how_far_lines_run(series, said):
    chart = charts.lines({n: ([1, 9], ys) for n, ys in series.items()}, x="Batch", y="Step (ms)")
    assert charts.words(chart).startswith(said)


def test_two_points_at_one_place_are_a_jump():
    series = {"a": ([1, 1, 3], [0, 4, 4]), "b": ([1, 3], [3, 5])}
    chart = charts.lines(series, x="Batch", y="Step")
    assert drawn(chart, "a") == [(1, 0), (1, 4), (3, 4)]
    assert "a: 0 at 1, 4 at 3; b: 3 at 1, 5 at 3." in charts.words(chart)


def test_words_hold_ends_extremes_and_the_learners_guess():
    chart = charts.lines({"a": ([1, 2, 4], [5, 1, 9])}, x="Batch", y="Step (ms)", guess=(2, "3 ms"))
    said = charts.words(chart)
    assert "a: 5 ms at 1, 9 ms at 4, least 1; you: 3 ms at 2." in said
    (you,) = [r for r in rows(chart, "point", "name", "dx") if r["name"] == "you"]
    assert (you["x"], you["y"]) == (2, 3)
    hill = charts.lines({"a": ([1, 2, 4], [5, 9, 1])}, x="Batch", y="Step (ms)")
    assert "a: 5 ms at 1, 1 ms at 4, most 9." in charts.words(hill)


def test_points_that_do_not_fit_are_hollow_and_their_line_is_broken():
    fits = [True, True, False, False]
    chart = charts.lines({"a": (BATCH, [1, 2, 3, 4], fits)}, x="Batch", y="Step (ms)")
    dots = {r["x"]: r["feasible"] for r in rows(chart, "point", "feasible")}
    assert dots == dict(zip(BATCH, fits, strict=True))
    broken = [r["x"] for r in rows(chart, "line", "part") if r["part"] == "a False"]
    assert broken == [2, 4, 8]  # from the last that fits
    assert "not feasible from 4 on" in charts.words(chart)
    assert [row["feasible"] for row in charts.table(chart)] == fits


@pytest.mark.parametrize(
    ("log", "ends"), [("", (0, 8.8)), ("y", (4 * 2**-0.06, 8 * 2**0.1))], ids=["plain", "log"]
)
def test_an_axis_up_starts_at_zero_unless_it_is_logarithmic(log, ends):
    chart = charts.lines({"a": ([1, 9], [4, 8])}, x="Batch", y="Step (ms)", log=log).to_dict()
    base = chart["layer"][0]["encoding"]
    assert base["x"]["scale"]["domain"] == pytest.approx([1 - 0.03 * 8, 9 + 0.04 * 8])
    assert base["y"]["scale"]["domain"] == pytest.approx(ends)


def test_few_points_have_dots_and_of_many_those_that_do_not_fit():
    """Twelve are few; of thirteen the line is enough."""

    def dots(many, *misfits):
        fits = [n not in misfits for n in range(many)]
        chart = charts.lines({"a": (range(many), range(many), fits)}, x="Batch", y="Step (ms)")
        return [r["x"] for r in rows(chart, "point", "feasible")]

    assert dots(12) == [*range(12)]
    assert dots(13) == []
    assert dots(13, 12) == [12]


@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_what_has_no_place_is_said_and_the_rest_is_drawn(log):
    odd = [math.inf, math.nan, -math.inf, 1e305]
    chart = charts.lines({"a": ([1, 2, 3, 4, 5], [*odd, 7.0])}, x="Batch", y="Step (ms)", log=log)
    assert drawn(chart, "a") == [(5, 7.0)]
    assert (
        "Not drawn: a at 1 (infinite), a at 2 (unknown), a at 3 (minus infinity) and 1 more."
        in charts.words(chart)
    )


def test_zero_is_drawn_on_a_plain_axis_and_named_beside_a_logarithmic_one():
    series = {"a": ([1, 2], [0, 4])}
    assert drawn(charts.lines(series, x="Batch", y="Loss (%)"), "a") == [(1, 0), (2, 4)]
    log = charts.lines(series, x="Batch", y="Loss (%)", log="y")
    assert drawn(log, "a") == [(2, 4)]
    assert "Not drawn: a at 1 (0)." in charts.words(log)


def test_no_series_and_one_point_are_pictures_too(tmp_path):
    empty = charts.lines({}, x="Batch", y="Step (ms)")
    assert charts.words(empty) == "Step: nothing to draw. Step (ms) against Batch. No points."
    one = charts.lines({"a": ([3], [2])}, x="Batch", y="Step (ms)", log="xy")
    assert charts.words(one).startswith("Step: 2 ms at 3.")
    for chart in (empty, one):
        assert "Batch" in picture(chart, tmp_path)[1]


def test_measured_points_and_named_lines_are_drawn_and_said(tmp_path):
    chart = charts.lines(
        {"law": (BATCH, [1, 2, 3, 4])}, x="Batch", y="Step (ms)",
        dots={"measured": ([2, 4], [3, 4])}, level={"floor": "0.5 ms"}, upright={"ridge": 6},
    )  # fmt: skip
    assert {(r["x"], r["y"]) for r in rows(chart, "point", "dx")} == {(2, 3), (4, 4)}
    assert [r["y"] for r in rows(chart, "rule") if r["name"] == "floor"] == [0.5]
    _, texts = picture(chart, tmp_path)
    assert {"law", "measured", "floor", "ridge"} <= set(texts)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4),
    st.sampled_from(["", "x", "y", "xy"]),
)
def test_any_numbers_make_a_chart(values, log):
    chart = charts.lines(
        {"a": (range(1, len(values) + 1), values)}, x="Batch", y="Step (ms)", log=log
    )
    spec = chart.to_dict()  # validated against Vega-Lite's schema
    json.dumps(spec, allow_nan=False)  # as a page gets it
    assert len(charts.table(chart)) == len(values)
    assert all(
        math.isfinite(r["y"]) for kind, held in layers(chart) if kind == "line" for r in held
    )
