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

from mlsysim import Hardware, charts
from mlsysim.charts.axes import Axis
from mlsysim.charts.labels import beside, legend, spread, wide
from mlsysim.charts.theme import LABEL, PLOT
from mlsysim.charts.values import Measure, brief, drawable, left_out, power, prefixed
from mlsysim.core.errors import MLSysError, UnknownName
from mlsysim.core.units import Q_
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
    png = (tmp_path / "a.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 2 * 720  # twice as many pixels as a page is wide
    with pytest.raises(UnknownName, match=r"known are \.html, \.png, \.svg"):
        charts.save(chart, tmp_path / "a.gif")
    with pytest.raises(UnknownName, match="path cannot be 'plain'"):
        charts.save(chart, tmp_path / "plain")
    with pytest.raises(UnknownName, match="size cannot be 'poster'"):
        charts.save(chart, tmp_path / "a.png", size="poster")  # type: ignore[arg-type]


def test_a_page_of_its_own_loads_nothing(chart, tmp_path):
    charts.save(chart, tmp_path / "a.html", size="slide")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert charts.words(chart) in page
    assert not re.search(r"<(script|link)[^>]* (src|href)=", page)


def test_a_slide_is_higher_and_a_scheme_has_its_paper(chart, tmp_path):
    for size, high in (("laptop", 340), ("slide", 476)):  # 1.4 times
        svg, _ = picture(chart, tmp_path, size=size)
        assert re.search(rf'd="M0[., ]0?\.?5?,?0?\.?5?h[\d.]+v{high}', svg), size
    # a reader hears the words, and not each mark
    told = set(re.findall(r'aria-roledescription="([^"]*)"', svg))
    assert told == {"group mark container", "axis", "title"}


def test_words_are_written_as_xml_has_them(tmp_path):
    chart = charts.lines({"a": ([1], [2])}, x="Batch", y="Step (ms)", title='"a" < b & c')
    svg, texts = picture(chart, tmp_path)
    assert '<svg role="img" aria-label="&quot;a&quot; &lt; b &amp; c. Step (ms) against' in svg
    assert '"a" < b & c' in texts


@pytest.mark.parametrize(("size", "most"), [("phone", 34), ("laptop", 68), ("slide", 90)])
def test_a_title_breaks_where_its_page_ends_and_a_subtitle_sooner(size, most, tmp_path):
    whole = "Two " + "x" * (most - 4)
    for title, lines in ((whole, [whole]), (whole + "x", ["Two", "x" * (most - 3)])):
        chart = charts.lines({"a": ([1], [2])}, x="Batch", y="Step (ms)", title=title)
        svg, _ = picture(chart, tmp_path, size=size)
        assert all(f">{line}<" in svg for line in lines)
    for many, lines in (
        (35, [" Not drawn:", "b (infinite)."]),
        (36, [" Not", "drawn: b (infinite)."]),
    ):
        text = "y" * many  # 46 in a line, with what is not drawn behind it
        long = charts.ranked({"a": 1, "b": math.inf}, x="Step (ms)", title="", subtitle=text)
        assert long.to_dict()["title"]["subtitle"] == [text + lines[0], lines[1]]


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


EVERY = {  # each chart with all that it can show, and how many axes a reader sees across and up
    "stack": (
        lambda: charts.stack({"a": {"x": 1, "y": 9}}, x="Memory (GB)", limit=4, guess={"a": 3}),
        (1, 1),
    ),
    "ranked": (
        lambda: charts.ranked(
            {"a": 2, "b": 3}, x="Step (ms)", level={"law": 2}, guess={"a": 1},
            ranges={"a": [(1, 2), (1, 3)]},
        ),
        (1, 1),
    ),
    "dots": (lambda: charts.ranked({"a": 2, "b": 3}, x="Step (ms)", log=True), (1, 1)),
    "waterfall": (
        lambda: charts.waterfall({"a": 2, "b": 3}, x="Days", guess=3, ring="a", level={"l": 4}),
        (1, 1),
    ),
    "tornado": (lambda: charts.tornado({"a": (1, 2), "b": (2, 4)}, x="Bill", base=1.5), (1, 1)),
    "gantt": (
        lambda: charts.gantt(
            [("a", "x", 0, 2), ("b", "y", 0, 3)], x="Time (s)", level={"l": 1}, guess={"a": 1}
        ),
        (1, 1),
    ),
    "ladder": (
        lambda: charts.ladder({"a": {"b": 1, "c": 9}}, x="Rate", lit={"a": "b"}, guess={"a": 3}),
        (1, 1),
    ),
    "front": (lambda: charts.front(([1, 2, 3], [3, 1.5, 1]), x="a", y="b", guess=(2, 2)), (1, 1)),
    "lines": (  # names stand at the right as labels of one more
        lambda: charts.lines(
            {"a": ([1, 2], [1, 2])}, x="a", y="b", dots={"d": ([1], [2])}, level={"l": 1},
            upright={"u": 1}, guess=(1, 1),
        ),
        (1, 2),
    ),
    "roofline": (
        lambda: charts.roofline(
            [Hardware.H100], {"read": (1, "2 TFLOP/s")}, guess=(2, "3 TFLOP/s"), efficiency=0.5,
            ceilings={"L2": "5 TB/s"},
        ),
        (1, 1),
    ),
    "parity": (lambda: charts.parity({"a": (1, 2), "b": (2, 3)}), (1, 1)),
    "versus": (lambda: charts.versus(1, 2, "ms"), (1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_an_axis_is_shown_by_one_layer_alone(name):
    chart, axes = EVERY[name]
    layers = [layer.get("encoding", {}) for layer in chart().to_dict()["layer"]]
    shown = {
        way: [
            held[way]["title"]
            for held in layers
            if "field" in held.get(way, {}) and held[way].get("axis", {}) is not None
        ]
        for way in ("x", "y")
    }
    assert (len(shown["x"]), len(shown["y"])) == axes
    assert shown["x"][0]  # it says what it measures
    ends = [held.get(way, {}).get("scale", {}) for held in layers for way in ("x", "y")]
    assert not any(scale.get("nice") or scale.get("zero") for scale in ends)  # as it was told


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
        ((1.0, 1e6), [1, 10, 100, 1e3, 1e4, 1e5, 1e6]),  # seven at most
        ((1.0, 1e7), [1, 100, 1e4, 1e6]),
        ((1.1, 1.6), [1.2, 1.5]),
        ((4.5, 6.5), [5, 6]),
        ((6.5, 9.5), [7, 8, 9]),
        ((6.1, 6.9), [6.1, 6.9]),  # nothing round lies between
        ((3.2, 6.9), [4, 5, 6]),  # 0.33 decades
        ((3.2, 7.3), [5]),  # 0.36 decades
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
        (-3.14159, "-3.14"), (999_499, "999,499"), (999_500, "1 million"), (999.4, "999"),
        (999.5, "1,000"), (0.99e-4, "9.9×10⁻⁵"), (-math.inf, "minus infinity"),
        (1.25e6, "1.25 million"), (999_600, "1 million"), (2.5e9, "2.5 billion"), (3e-7, "3×10⁻⁷"),
        (1e18, "1×10¹⁸"), (math.inf, "infinite"), (math.nan, "unknown"),
        (9.996e8, "1 billion"), (5e14, "500 trillion"), (9.997e14, "1,000 trillion"),
        (1e15, "1×10¹⁵"), (1e-4, "0.0001"), (-2.5e9, "-2.5 billion"), (-3e-7, "-3×10⁻⁷"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_people_read_it(value, text):
    assert brief(value) == text


def test_a_prefix_keeps_a_number_readable():
    assert prefixed(494.7e12, "FLOP/s") == "495 TFLOP/s"
    assert prefixed(0.9999e15, "FLOP/s") == "1 PFLOP/s"
    assert prefixed(15.4e9, "FLOP/s") == "15.4 GFLOP/s"
    assert prefixed(4.57e-3, "s") == "4.57 ms"
    assert prefixed(2e-12, "s") == "0.002 ns"  # there is no smaller prefix, and no larger one
    assert prefixed(3e21, "B") == "3,000 EB"
    assert [power(n) for n in (-4, -3, 5, 6)] == ["10⁻⁴", "0.001", "100,000", "10⁶"]


@pytest.mark.parametrize(
    ("values", "log", "air", "ends"),
    [
        ([], False, (0, 0), (0, 1)),
        ([], True, (0, 0), (1, 10)),
        ([4], False, (0, 0), (4, 8)),
        ([-4], False, (0, 0), (-4, 0)),
        ([0], False, (0, 0), (0, 1)),
        ([10], True, (0, 0), (10**0.5, 10**1.5)),  # in the middle of a decade
        ([1, 2, 4], True, (0, 0), (1, 4)),
        ([2, 12, math.inf], False, (0.1, 0.2), (1, 14)),
        ([0, 1, 100], True, (0.1, 0.2), (10**-0.2, 10**2.4)),  # zero has no place
        ([1, 10**0.28], True, (0, 0), (10**-0.36, 10**0.64)),  # near each other as one
        ([1, 10**0.32], True, (0, 0), (1, 10**0.32)),
        ([1e-299, 1e299], True, (0.1, 0.1), (1e-305, 1e305)),  # the farthest that there is
        ([2e-301, 1, 100], True, (0, 0), (1, 100)),  # an axis has no place for the first
    ],
)
def test_the_ends_of_an_axis_are_its_values_and_some_air(values, log, air, ends):
    axis = Axis.over(Measure("x"), values, log=log, air=air)
    assert axis.ends == pytest.approx(ends)
    assert (axis.share(axis.ends[0]), axis.share(axis.ends[1])) == pytest.approx((0, 1))


def test_an_axis_is_written_as_vega_reads_it():
    """From 90,000 to 3 million: a decade in digits, and one with its exponent."""
    log = Axis(Measure("Rate (1/s)"), (90_000, 3e6), log=True)
    assert log.x("at").to_dict() == {
        "field": "at", "type": "quantitative", "title": "Rate (1/s)",
        "scale": {"domain": [90_000, 3e6], "nice": False, "zero": False, "type": "log"},
        "axis": {
            "values": [1e5, 1e6],
            "labelExpr": '["100,000", "10⁶"][indexof([100000.0, 1000000.0], datum.value)]',
        },
    }  # fmt: skip
    between = Axis(Measure("x"), (6.1, 6.9), log=True).y().to_dict()
    assert between["axis"]["labelExpr"].startswith('["6.1", "6.9"]')
    plain = Axis(Measure(""), (-1, 3)).y(grid=False).to_dict()
    assert (plain["field"], plain["title"]) == ("y", None)
    assert plain["scale"] == {"domain": [-1, 3], "nice": False, "zero": False}
    assert (plain["axis"]["tickCount"], plain["axis"]["grid"]) == (5, False)
    for axis in (log, Axis(Measure("x"), (1, 2))):
        assert axis.x(shown=False).to_dict()["axis"] is None


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (2e6, {"0", "500,000", "1 million", "1.5 million", "2 million"}),
        (2e9, {"0", "500 million", "1 billion", "1.5 billion", "2 billion"}),
        (2e12, {"0", "500 billion", "1,000 billion", "1,500 billion", "2,000 billion"}),
    ],
)
def test_large_ticks_are_said_as_people_say_them(most, ticks, tmp_path):
    chart = charts.lines({"a": ([1, 2], [0, most])}, x="Batch", y="Tokens", title="")
    assert ticks <= set(picture(chart, tmp_path)[1])


def test_a_share_is_of_the_length_or_of_the_decades():
    assert Axis(Measure("x"), (2, 6)).share(3) == 0.25
    assert Axis(Measure("x"), (1, 1e4), log=True).share(10) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["500 MB", "0.004 TB"], "GB"),  # 4 GB with the prefix that suits it
        (["0 GB"], "GB"),
        (["2500 USD"], "USD"),  # and no thousands of dollars
        (["3000 GB/s"], "GB/s"),
        ([1, "3 ms", Q_(math.inf, "s")], "ms"),
        ([1, 2], ""),
    ],
)
def test_an_axis_takes_the_unit_of_the_largest_quantity(values, unit):
    assert Measure.of("Size", values).unit == unit


def test_a_number_that_no_float_holds_is_infinite():
    assert "Not drawn: a (infinite)." in charts.words(charts.ranked({"a": 10**400}, x="Step (ms)"))


@pytest.mark.parametrize(("value", "log", "drawn"), [
    (-0.99e300, False, True), (-1.01e300, False, False), (1.01e300, True, False),
    (1.01e-300, True, True), (0.99e-300, True, False), (0.99e-300, False, True), (0.0, True, False),
])  # fmt: skip
def test_an_axis_holds_what_is_finite_with_some_air(value, log, drawn):
    assert drawable(value, log) == drawn


@pytest.mark.parametrize(
    ("unit", "value", "said", "scaled"),
    [
        ("GB/s", 1500.0, "1,500 GB/s", "1.5 TB/s"),
        ("", 1500.0, "1,500", "1,500"),
        ("users", 1500.0, "1,500 users", "1,500"),  # of words there are no thousands
        ("s", math.inf, "infinite s", "infinite s"),
        ("GB/s", 1e308, "1×10³⁰⁸ GB/s", "1×10³⁰⁸"),  # more bytes than a float holds
    ],
)
def test_a_measure_says_numbers_with_their_unit_and_with_a_prefix(unit, value, said, scaled):
    measure = Measure("Rate", unit)
    assert (measure.say(value), measure.scaled(value)) == (said, scaled)


def test_a_share_is_a_plain_number_on_any_axis():
    assert Measure("Busy (%)", "%").read(Q_(0.5, "")) == 50
    assert Measure("Load (steps)", "steps").read(Q_(0.5, "")) == 0.5


@pytest.mark.parametrize(
    ("many", "said"),
    [
        (0, ""),
        (3, "Not drawn: a (infinite), b (infinite), c (infinite)."),
        (5, "Not drawn: a (infinite), b (infinite), c (infinite) and 2 more."),
    ],
)
def test_three_that_are_left_out_are_named(many, said):
    assert left_out([(name, math.inf) for name in "abcde"[:many]]) == said


@given(st.lists(st.floats(0, 300), max_size=9))
def test_labels_are_spread_apart_in_their_order(wanted):
    placed = spread(wanted, 20, 0, 300)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(placed[b] - placed[a] >= 20 - 1e-6 for a, b in pairwise(order))


def test_labels_that_would_leave_the_plot_are_moved_inside():
    assert spread([299, 300], 20, 0, 300) == [280, 300]
    assert spread([1, 0], 20, 0, 300) == [20, 0]
    assert spread([100, 121], 20, 0, 300) == [100, 121]  # far enough apart


NEAR = 0.5 * LABEL["laptop"] + 9  # from a dot to the middle of the words below it


@pytest.mark.parametrize(
    ("dot", "how", "place"),
    [
        ((0.5, 0.5), {}, (0, NEAR, "center")),
        ((0.5, 0.0), {}, (0, -NEAR, "center")),  # nothing stands below the plot
        ((0.0, 0.5), {}, (11, 0, "left")),
        ((1.0, 0.5), {}, (-11, 0, "right")),
        ((0.5, 0.5), {"rising": True}, (9, NEAR, "left")),
        ((0.5, 0.5), {"marks": [(0.5, 0.45)]}, (0, -NEAR, "center")),  # 15 pixels below
        ((0.5, 0.5), {"around": [(0.55, 0.45, ["some words"] * 3)]}, (0, -NEAR, "center")),
        # its words are 62.4 of 560 pixels wide, and may hang over either side by four
        ((27.1 / 560, 0.5), {}, (11, 0, "left")),
        ((27.3 / 560, 0.5), {}, (0, NEAR, "center")),
        ((532.7 / 560, 0.5), {}, (0, NEAR, "center")),
        ((532.9 / 560, 0.5), {}, (-11, 0, "right")),
        # and 14.3 of 300 high: below they end 22.65 from the dot, above they begin there
        ((0.5, 22.7 / 300), {}, (0, NEAR, "center")),
        ((0.5, 22.6 / 300), {}, (0, -NEAR, "center")),
        ((0.5, 1 - 22.7 / 300), {"marks": [(0.5, 1 - 38.2 / 300)]}, (0, -NEAR, "center")),
        ((0.5, 1 - 22.6 / 300), {"marks": [(0.5, 1 - 38.1 / 300)]}, (11, 0, "left")),
        # a mark takes six pixels, three of them on the side of the words, from 248.8 to 311.2
        ((0.5, 0.5), {"marks": [(314.1 / 560, 0.45)]}, (0, -NEAR, "center")),
        ((0.5, 0.5), {"marks": [(314.3 / 560, 0.45)]}, (0, NEAR, "center")),
        ((0.5, 0.5), {"marks": [(0.5, 1 - 175.6 / 300)]}, (0, -NEAR, "center")),
        ((0.5, 0.5), {"marks": [(0.5, 1 - 175.7 / 300)]}, (0, NEAR, "center")),
        # ten letters take 78, up to the right end that is given, and 15.6 in height
        ((0.5, 0.5), {"around": [(389.1 / 560, 0.45, ["some words"] * 3)]}, (0, -NEAR, "center")),
        ((0.5, 0.5), {"around": [(389.3 / 560, 0.45, ["some words"] * 3)]}, (0, NEAR, "center")),
        ((0.5, 0.5), {"around": [(248.9 / 560, 0.45, ["some words"] * 3)]}, (0, -NEAR, "center")),
        ((0.5, 0.5), {"around": [(248.7 / 560, 0.45, ["some words"] * 3)]}, (0, NEAR, "center")),
        ((0.5, 0.5), {"around": [(0.5, 1 - 180.4 / 300, ["x"] * 3)]}, (0, -NEAR, "center")),
        ((0.5, 0.5), {"around": [(0.5, 1 - 180.5 / 300, ["x"] * 3)]}, (0, NEAR, "center")),
    ],
)
def test_the_first_free_place_of_below_above_right_and_left_is_taken(dot, how, place):
    (row,) = beside([(*dot, "batch 64")], 300, **how)
    assert (row["dx"][1], row["dy"][1], row["align"][1]) == place
    assert row["text"] == ["batch 64"] * 3


@pytest.mark.parametrize(
    ("other", "up"), [((317.1, 165), -1), ((317.3, 165), 1), ((280, 178.6), -1), ((280, 178.7), 1)]
)
def test_words_keep_clear_of_the_twelve_pixels_of_another_dot(other, up):
    """Below a dot in the middle they reach from 248.8 to 311.2, and down to 172.65."""
    rows = beside([(0.5, 0.5, "batch 64"), (other[0] / 560, 1 - other[1] / 300, "")], 300)
    assert (rows[0]["dx"][1], rows[0]["dy"][1]) == (0, up * NEAR)


def test_a_legend_has_two_columns_on_a_phone_where_its_two_longest_names_fit():
    """A letter is about 7.2 of 270 pixels wide, and two symbols with their air take 44."""
    assert legend(["alone"]) is None
    assert "columns" not in legend(["x" * 15, "y" * 16, "z" * 15, "w" * 15]).to_dict()
    assert "columns" in legend(["x" * 16, "y" * 16]).to_dict()


def test_what_fits_nowhere_is_left_to_the_table():
    rows = beside([(0.5, 0.5, "a")] * 14, 300)
    far = 1.6 * LABEL["laptop"] + 9
    assert [(row["dx"][1], row["dy"][1], row["align"][1], row["text"][1]) for row in rows] == [
        (0, NEAR, "center", "a"), (0, -NEAR, "center", "a"),
        (11, 0, "left", "a"), (-11, 0, "right", "a"),
        (9, NEAR, "left", "a"), (-9, NEAR, "right", "a"),
        (9, -NEAR, "left", "a"), (-9, -NEAR, "right", "a"),
        (0, far, "center", "a"), (0, -far, "center", "a"),
        (9, far, "left", "a"), (-9, -far, "right", "a"),
        (0, 0, "center", ""), (0, 0, "center", ""),
    ]  # fmt: skip


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
