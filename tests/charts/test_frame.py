"""What all charts share: size and scheme, words, the table, ticks, numbers, labels, export."""

from __future__ import annotations

import json
import math
import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import charts
from mlsysim.charts.axes import Axis
from mlsysim.charts.labels import beside, spread, wide
from mlsysim.charts.theme import LABEL, PLOT
from mlsysim.charts.values import Measure, brief, prefixed
from mlsysim.core.errors import MLSysError, UnknownName
from mlsysim.palette import PALETTE
from tests.charts.drawn import picture


@pytest.fixture
def chart():
    return charts.lines({"a": ([1, 10], [2, 20])}, x="Batch", y="Step (ms)", log="xy")


def test_a_chart_is_as_wide_as_its_column_and_follows_the_scheme_of_its_page(chart):
    spec = chart.to_dict()
    assert spec["width"] == "container"
    assert spec["usermeta"]["embedOptions"] == {"renderer": "svg", "actions": False}
    assert PALETTE["blue"].both in str(spec)
    assert not re.search(r"'#[0-9a-f]{6}'", str(spec))  # no colour of one scheme alone


@pytest.mark.parametrize(("dark", "scheme"), [(False, "light"), (True, "dark")])
def test_a_picture_has_the_colours_of_one_scheme(chart, tmp_path, dark, scheme):
    svg, _ = picture(chart, tmp_path, dark=dark)
    assert "light-dark" not in svg
    for role in ("card", "blue", "ink"):
        assert getattr(PALETTE[role], scheme) in svg


@pytest.mark.parametrize(
    ("size", "across", "least"), [("phone", 358, 12), ("laptop", 720, 13), ("slide", 1200, 16)]
)
def test_a_picture_has_the_width_and_the_letters_of_its_page(chart, tmp_path, size, across, least):
    svg, _ = picture(chart, tmp_path, size=size)
    assert re.search(rf'<svg[^>]* width="{across + 32}"', svg) or re.search(
        rf'<svg[^>]* width="{across}"', svg
    )
    assert min(float(px) for px in re.findall(r'font-size="([\d.]+)px"', svg)) >= least


def test_a_png_is_written_too_and_other_files_are_refused(chart, tmp_path):
    charts.save(chart, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UnknownName, match=r"known are \.html, \.png, \.svg"):
        charts.save(chart, tmp_path / "a.gif")
    with pytest.raises(UnknownName, match="size cannot be 'poster'"):
        charts.save(chart, tmp_path / "a.png", size="poster")  # type: ignore[arg-type]


def test_without_vl_convert_a_sentence_says_what_to_install(chart, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MLSysError, match="pip install vl-convert-python"):
        charts.save(chart, tmp_path / "a.png")


def test_the_table_behind_a_chart_holds_every_point(chart):
    assert charts.table(chart) == [
        {"series": "a", "Batch": 1, "Step (ms)": 2, "feasible": True},
        {"series": "a", "Batch": 10, "Step (ms)": 20, "feasible": True},
    ]


@pytest.mark.parametrize(("odd", "told"), [(math.inf, "infinite"), (math.nan, "unknown")])
def test_what_has_no_number_is_a_word_in_the_table_and_no_fault_of_the_page(odd, told):
    """Was wrong: a notebook showed a traceback, since JSON knows no such number."""
    for chart in (
        charts.lines({"a": [(1, 2), (2, odd)]}, x="Batch", y="Step (ms)"),
        charts.ranked({"a": 2, "b": odd}, x="Step (ms)"),
        charts.stack({"a": {"read": 1, "write": odd}}, x="Step (ms)"),
        charts.gantt([("a", "read", 0, 1), ("b", "read", 0, odd)], x="Time (s)"),
    ):
        json.dumps(chart.to_dict(), allow_nan=False)
        assert told in charts.table(chart)[-1].values()
        assert f"({told})" in charts.words(chart)


def test_the_svg_tells_a_screen_reader_what_the_chart_shows(chart, tmp_path):
    svg, _ = picture(chart, tmp_path)
    assert (
        charts.words(chart)
        == "Step grows 10 times. Step (ms) against Batch. a: 2 ms at 1, 20 ms at 10."
    )
    assert f'aria-label="{charts.words(chart)}"' in svg


def test_an_empty_title_is_no_title(tmp_path):
    chart = charts.lines({"a": ([1], [2])}, x="Batch", y="Step (ms)", title="")
    assert "title" not in chart.to_dict()


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.5, 200.0), [1, 10, 100]),
        ((1e-3, 1e12), [1e-3, 1, 1e3, 1e6, 1e9, 1e12]),
        ((2.0, 8.0), [2, 5]),
        ((2.0, 3.0), [2, 2.5, 3]),
        ((90.0, 800.0), [100, 200, 500]),
    ],
)
def test_a_logarithmic_axis_is_labelled_at_decades_or_at_one_two_five(ends, ticks):
    assert Axis(Measure("x"), ends, log=True).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("log", [True, False])
@settings(deadline=None)
@given(st.lists(st.floats(min_value=1e-290, max_value=1e290), max_size=5))
def test_an_axis_holds_its_values_and_has_a_length(log, values):
    axis = Axis.over(Measure("x"), values, log=log, air=(0.05, 0.05))
    low, high = axis.ends
    assert low < high
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value in values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (4.5678, "4.57"), (147.7, "148"), (999.6, "1,000"), (61518, "61,518"),
        (-3.14159, "-3.14"),
        (1.25e6, "1.25 million"), (999_600, "1 million"), (2.5e9, "2.5 billion"), (3e-7, "3×10⁻⁷"),
        (1e18, "1×10¹⁸"), (math.inf, "infinite"), (math.nan, "unknown"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_people_read_it(value, text):
    assert brief(value) == text


def test_a_prefix_keeps_a_number_readable():
    assert prefixed(494.7e12, "FLOP/s") == "495 TFLOP/s"
    assert prefixed(0.9999e15, "FLOP/s") == "1 PFLOP/s"
    assert prefixed(15.4e9, "FLOP/s") == "15.4 GFLOP/s"
    assert prefixed(4.57e-3, "s") == "4.57 ms"


@given(st.lists(st.floats(0, 300), max_size=9))
def test_labels_are_spread_apart_in_their_order(wanted):
    placed = spread(wanted, 20, 0, 300)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(placed[b] - placed[a] >= 20 - 1e-6 for a, b in pairwise(order))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_no_label_lies_on_another_at_any_size(dots):
    height = 300
    placed = beside([(x, y, "batch 64") for x, y in dots], height)
    for n, size in enumerate(PLOT):
        boxes = []
        for (x, y), row in zip(dots, placed, strict=True):
            if not row["text"][n]:
                continue
            long, tall = wide("batch 64", size), LABEL[size]
            left = {"center": -long / 2, "left": 0, "right": -long}[row["align"][n]]
            at = x * PLOT[size] + row["dx"][n] + left, (1 - y) * height + row["dy"][n]
            boxes.append((at[0], at[1], long, tall))
        for i, (x, y, w, h) in enumerate(boxes):
            for a, b, c, d in boxes[i + 1 :]:
                assert x + w <= a + 1e-6 or a + c <= x + 1e-6 or abs(y - b) >= (h + d) / 2 - 1e-6
