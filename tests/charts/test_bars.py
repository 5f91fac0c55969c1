"""Bars: parts under a limit, and things in order."""

from __future__ import annotations

import math
import re

import pytest

from mlsysim import charts
from mlsysim.charts.rows import along
from mlsysim.charts.values import Measure
from mlsysim.core.errors import BadArgument, OutOfRange
from tests.charts.drawn import picture, rows

MEMORY = {
    "Llama 3 8B": {"weights": "16 GB", "KV cache": "40 GB"},
    "Llama 2 7B": {"weights": "14 GB", "KV cache": "100 GB"},
}


def test_parts_stand_one_behind_the_other_and_are_cut_at_the_limit():
    chart = charts.stack(MEMORY, x="Memory (GB)", limit="80 GB")
    bars = [(r["name"], r["part"], r["from"], r["x"], r["over"]) for r in rows(chart, "bar")]
    assert bars == [
        ("Llama 3 8B", "weights", 0, 16, False),
        ("Llama 3 8B", "KV cache", 16, 56, False),
        ("Llama 2 7B", "weights", 0, 14, False),
        ("Llama 2 7B", "KV cache", 14, 80, False),
        ("Llama 2 7B", "KV cache", 80, 114, True),  # hollow
    ]


def test_a_stack_says_what_does_not_fit_its_parts_and_the_guess():
    chart = charts.stack(MEMORY, x="Memory (GB)", limit="80 GB", guess={"Llama 3 8B": "64 GB"})
    assert charts.words(chart) == (
        "Llama 2 7B does not fit in 80 GB. Memory (GB). "
        "Llama 3 8B: 56 GB (weights 16, KV cache 40); "
        "Llama 2 7B: 114 GB (weights 14, KV cache 100); limit 80 GB; Llama 2 7B is over it; "
        "you on Llama 3 8B: 64 GB."
    )
    (you,) = [r for r in rows(chart, "point", "text") if r["text"] == "you"]
    assert (you["name"], you["x"]) == ("Llama 3 8B", 64)


@pytest.mark.parametrize(
    ("sums", "limit", "said"),
    [
        ({"a": 4}, 4, "a fits in 4 GB."),
        ({"a": 4, "b": 3}, 4, "All fit in 4 GB."),
        ({"a": 5, "b": 6, "c": 7}, 4, "a and b do not fit in 4 GB."),
        ({"a": 2, "b": 4}, None, "b is 2 times a."),
        ({"a": 0, "b": 4}, None, "b: 4 GB."),  # from nothing there is no factor
        ({"a": 4, "b": 4}, None, "a: 4 GB."),
        ({"a": 0.2, "b": 0.5}, None, "b is 2.5 times a."),
        ({"a": 100, "b": 104}, None, "b: 104 GB."),  # "1 times" would say nothing
        ({"a": 100, "b": 106}, None, "b is 1.1 times a."),
    ],
)
def test_a_stack_without_a_title_says_what_fits(sums, limit, said):
    chart = charts.stack({n: {"x": v} for n, v in sums.items()}, x="Memory (GB)", limit=limit)
    assert charts.words(chart).startswith(said)


def test_what_ends_at_the_limit_is_whole_and_what_begins_there_is_over_it():
    chart = charts.stack({"a": {"x": 4, "y": 1}}, x="Memory (GB)", limit=4)
    assert [(r["from"], r["x"], r["over"]) for r in rows(chart, "bar")] == [
        (0, 4, False),
        (4, 5, True),
    ]


def test_parts_are_named_inside_as_far_as_there_is_room():
    """Ten of 11.26 units of 190 pixels on a phone, 480 and 850: x has 17, 43 and 75 less eight.

    A letter takes 7.2, 7.8 and 10.8 of them. Where one has no room for its name there is a legend.
    """
    chart = charts.stack({"a": {"x": 1, "y": 9}}, x="Memory (GB)")
    told = {r["part"]: r["text"] for r in rows(chart, "text", "said")}
    assert told == {"x": ["x", "x 1", "x 1"], "y": ["y 9"] * 3}
    assert not any("legend" in str(layer["encoding"].get("color", {}).get("legend"))
                   for layer in chart.to_dict()["layer"])  # fmt: skip
    small = charts.stack({"a": {"x": 0.7, "y": 9.3}}, x="Memory (GB)")
    told = {r["part"]: r["text"] for r in rows(small, "text", "said")}
    assert told == {"x": ["", "", "0.7"], "y": ["9.3"] * 3}  # 0.7 takes 24, 23 and 32 pixels


def test_notes_stand_where_the_sum_would(tmp_path):
    chart = charts.stack(MEMORY, x="Memory (GB)", notes={"Llama 2 7B": "33 users"})
    _, texts = picture(chart, tmp_path)
    assert "33 users" in texts
    assert "56" in texts
    assert "114" not in texts


def test_a_part_below_zero_and_too_many_parts_are_refused():
    with pytest.raises(OutOfRange, match=r"a: spare cannot be -2\.0: a part"):
        charts.stack({"a": {"spare": -2}}, x="Memory (GB)")
    with pytest.raises(BadArgument, match="give at most 5"):
        charts.stack({"a": dict.fromkeys("uvwxyz", 1)}, x="Memory (GB)")


@pytest.mark.parametrize("odd", [math.inf, math.nan, 1e301])
def test_a_part_without_a_size_is_said_and_not_drawn(odd):
    chart = charts.stack({"a": {"x": 1, "y": odd}}, x="Memory (GB)", limit=4)
    assert [r["part"] for r in rows(chart, "bar")] == ["x"]
    assert "Not drawn: a: y (" in charts.words(chart)


def test_the_largest_comes_first_with_its_value_and_the_factor_is_the_title(tmp_path):
    chart = charts.ranked({"Quebec": "6 t", "Poland": "138 t", "Iowa": "90 t"}, x="Carbon (t)")
    assert [r["name"] for r in rows(chart, "bar")] == ["Poland", "Iowa", "Quebec"]
    assert charts.words(chart) == (
        "Poland is 23 times Quebec. Carbon (t). Poland: 138 t; Iowa: 90 t; Quebec: 6 t."
    )
    assert {"Poland is 23 times Quebec", "138", "6"} <= set(picture(chart, tmp_path)[1])


def test_an_order_that_was_given_can_be_kept():
    chart = charts.ranked({"bytes": 1, "operations": 3}, x="Time (ms)", sort=False)
    assert [r["name"] for r in rows(chart, "bar")] == ["bytes", "operations"]


def test_what_is_not_highlighted_is_pale_and_what_is_negative_has_its_words_at_the_left():
    chart = charts.ranked({"a": 1, "b": -2, "c": 3}, x="Change (%)", highlight=["a"])
    assert {r["name"]: (r["pale"], r["left"]) for r in rows(chart, "bar")} == {
        "c": (True, False),
        "a": (False, False),
        "b": (True, True),
    }
    plain = charts.ranked({"a": 1, "b": -2}, x="Change (%)", hollow=["b"])
    assert not any(r["pale"] for r in rows(plain, "bar"))
    assert [row["feasible"] for row in charts.table(plain)] == [True, False]
    assert charts.words(plain).startswith("a: 1 %.")  # there is no factor of what is below zero


@pytest.mark.parametrize(
    ("values", "how", "ends"),
    [  # two digits take 14.4 of 190 pixels, and 0.05 of the length stay free beside them
        ([5, 10], {"words": ["10"]}, (0, 10 * (1.05 + 14.4 / 190))),
        ([-10, 10], {"words": ["10"]}, (-10 - 20 * (0.05 + 14.4 / 190),) * 2),
        ([10], {"words": ["much too long a word to stand there"]}, (0, 16)),
        ([1, 100], {"log": True}, (10**-0.16, 10**2.1)),
    ],
)
def test_an_axis_of_bars_has_room_for_words_at_its_end(values, how, ends):
    axis = along(Measure("x"), values, **{"log": False, **how})
    low, high = ends
    assert axis.ends == pytest.approx((low, abs(high)))


def test_bars_start_at_zero_and_a_logarithmic_axis_has_dots_instead():
    plain = charts.ranked({"a": 1, "b": -2, "c": 0}, x="Change (%)")
    assert {r["from"] for r in rows(plain, "bar")} == {0}
    log = charts.ranked(
        {"a": "1 GB/s", "b": "8 TB/s", "c": 0}, x="Bandwidth (GB/s)", log=True, hollow=["a"]
    )
    assert not rows(log, "bar")
    assert [(r["name"], r["x"], r["hollow"]) for r in rows(log, "point", "hollow")] == [
        ("b", pytest.approx(8000), False),
        ("a", 1, True),
    ]
    assert "Not drawn: c (0)." in charts.words(log)
    assert "a: 1 GB/s (not feasible)" in charts.words(log)


def test_a_named_line_has_its_words_on_the_side_that_has_room():
    chart = charts.ranked({"a": 10}, x="Time (ms)", level={"law": 1, "stack": 9})
    words = [
        (layer["data"]["values"][0]["name"], layer["mark"]["align"], layer["encoding"]["y"])
        for layer in chart.to_dict()["layer"]
        if layer["encoding"].get("text", {}).get("field") == "name"
    ]
    # to the right of the first, to the left of the second, and one above the other
    assert words == [("law", "left", {"value": -9}), ("stack", "right", {"value": -27})]


def test_values_over_many_decades_get_the_prefix_that_suits_them(tmp_path):
    chart = charts.ranked({"B200": "8 TB/s", "ESP32": "7.7 MB/s"}, x="Bandwidth", log=True)
    assert {"8 TB/s", "7.7 MB/s"} <= set(picture(chart, tmp_path)[1])


def test_nothing_to_show_is_said(tmp_path):
    for chart in (charts.ranked({}, x="Time (ms)"), charts.stack({}, x="Time (ms)", limit=3)):
        assert charts.words(chart).startswith("Nothing to ")
        assert "Time (ms)" in picture(chart, tmp_path)[1]


@pytest.mark.parametrize(("part", "columns"), [("power", 2), ("machines and all around them", 1)])
def test_long_names_of_parts_stand_below_each_other_on_a_phone(part, columns):
    chart = charts.stack({"a": {part: 99, "electricity": 1}}, x="Bill (USD)").to_dict()
    legends = [layer["encoding"]["color"]["legend"] for layer in chart["layer"]
               if layer["encoding"].get("color", {}).get("legend")]  # fmt: skip
    usual = chart["config"]["legend"]["columns"]["expr"]
    told = {legend.get("columns", {}).get("expr", usual) for legend in legends}
    assert {re.search(r"\? (\d)", expr)[1] for expr in told} == {str(columns)}


@pytest.mark.parametrize(("limit", "offset"), [(None, 18), (200, 34)])
def test_a_legend_stands_above_the_words_of_a_limit(limit, offset):
    """Where a part has no room for its name there is a legend, and moments have their own words."""
    parts = {"a": {"power": 99, "electricity": 1}}
    tasks = [("a", "power", 0, 99), ("a", "electricity", 99, 100)]
    for chart in (
        charts.stack(parts, x="Bill (USD)", limit=limit),
        charts.gantt(tasks, x="Time (s)", level=None if limit is None else {"end": limit}),
    ):
        legends = [layer["encoding"].get("color", {}) for layer in chart.to_dict()["layer"]]
        assert [held["legend"]["offset"] for held in legends if held.get("legend")] == [offset]


def test_a_range_is_drawn_thick_for_a_half_and_thin_for_nine_tenths():
    """The value's words stand behind the longer one, and a reader without eyes hears both."""
    chart = charts.ranked(
        {"law": "2 ms", "stack": "4 ms"},
        x="Step (ms)",
        ranges={"stack": [("3 ms", "5 ms"), ("2 ms", "8 ms")]},
    )
    drawn = [(r["x"], r["to"], r["thick"]) for r in rows(chart, "rule") if "thick" in r]
    assert drawn == [(3, 5, True), (2, 8, False)]
    assert {r["name"]: r["x"] for r in rows(chart, "text")} == {"stack": 8, "law": 2}
    said = charts.words(chart)
    assert "stack is from 3 ms to 5 ms with 50 %; stack is from 2 ms to 8 ms with 90 %" in said
    (told,) = [row for row in charts.table(chart) if row["name"] == "stack"]
    assert (told["from"], told["to"]) == (2, 8)
    for wrong in ([("3 m", "5 ms"), ("2 ms", "8 ms")], [("3 ms", "5 ms")]):
        with pytest.raises(BadArgument):
            charts.ranked({"stack": "4 ms"}, x="Step (ms)", ranges={"stack": wrong})
