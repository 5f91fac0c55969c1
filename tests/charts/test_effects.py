"""Steps that add up, inputs that move an answer, what runs when, rungs, and fronts."""

from __future__ import annotations

import math

import pytest

from mlsysim import charts
from mlsysim.core.errors import BadArgument, OutOfRange
from tests.charts.drawn import rows

DAYS = {"arithmetic": "10 day", "exchange": "5 day", "data": "0 day", "overlap": "-3 day"}


def test_each_step_starts_where_the_one_before_it_ends_and_zero_keeps_its_row():
    chart = charts.waterfall(DAYS, x="Days (day)", guess="20 day", ring="data")
    bars = [(r["name"], r["start"], r["end"]) for r in rows(chart, "bar", "start")]
    assert [(start, end) for _, start, end in bars] == [(0, 10), (10, 15), (15, 15), (15, 12)]
    assert [name for name, *_ in bars] == list(DAYS)
    told = [r["text"] for r in rows(chart, "text", "text", "x")]
    assert told[:5] == ["10", "+5", "+0", "-3", "12"]
    # the words stand at the right ends of their bars
    places = [r["x"] for r in rows(chart, "text", "text", "x")]
    assert places[:5] == [10, 15, 15, 15, 12]
    assert charts.words(chart) == (
        "10 day become 12 day, most of it by exchange. Days (day). arithmetic 10; exchange adds 5; "
        "data adds 0; overlap adds -3; in all 12 day; you: 20 day; you chose data."
    )
    assert charts.table(chart)[3] == {"step": "overlap", "Days (day)": -3, "up to": 12, "group": ""}


def test_a_waterfall_has_only_rings_round_its_steps_and_one_name_for_its_total():
    with pytest.raises(BadArgument, match="ring cannot be 'network': it is none of the steps"):
        charts.waterfall(DAYS, x="Days (day)", ring="network")
    with pytest.raises(BadArgument, match="a step has this name"):
        charts.waterfall(DAYS, x="Days (day)", total="data")


def test_steps_that_lead_below_zero_have_a_total_from_there_to_zero():
    chart = charts.waterfall({"a": 2, "b": -5}, x="Gain (USD)", level={"goal": 1})
    (whole,) = [r for r in rows(chart, "bar", "low") if r["name"] == "in all"]
    assert (whole["low"], whole["high"]) == (-3, 0)
    assert [r["x"] for r in rows(chart, "text", "text", "x")][:3] == [2, 2, 0]
    assert "in all -3 USD; goal: 1 USD." in charts.words(chart)
    with pytest.raises(BadArgument, match="at most 5 can be told apart"):
        charts.waterfall(dict.fromkeys("uvwxyz", 1), x="Days", groups={n: n for n in "uvwxyz"})


@pytest.mark.parametrize("odd", [math.inf, math.nan, 1e305])
def test_a_step_without_a_size_is_said_and_the_others_add_up(odd):
    chart = charts.waterfall({"a": 1, "b": odd, "c": 2}, x="Days")
    assert [r["end"] for r in rows(chart, "bar", "start")] == [1, 3]
    assert "Not drawn: b (" in charts.words(chart)


def test_the_input_that_moves_an_answer_most_comes_first():
    effects = {"price": (9, 12), "MFU": (16, 6), "power": (10, 10)}
    chart = charts.tornado(effects, x="Bill (USD)", base=10, guess=["price", "power"])
    bars = [(r["name"], r["from"], r["x"], r["side"]) for r in rows(chart, "bar", "side")]
    assert bars == [
        ("MFU", 10, 16, "at its low"), ("MFU", 10, 6, "at its high"),
        ("price (you: 1)", 10, 9, "at its low"), ("price (you: 1)", 10, 12, "at its high"),
        ("power (you: 2)", 10, 10, "at its low"), ("power (you: 2)", 10, 10, "at its high"),
    ]  # fmt: skip
    assert charts.words(chart) == (  # 10 against 3
        "MFU moves it 3.3 times as far as price. Bill (USD), 10 USD at the base. "
        "MFU from 16 to 6; price from 9 to 12; power from 10 to 10; you put price, power."
    )


def test_a_tornado_needs_a_base_and_two_answers_an_input():
    with pytest.raises(BadArgument, match="finite answer"):
        charts.tornado({"a": (1, 2)}, x="Bill (USD)", base=math.nan)
    with pytest.raises(BadArgument, match="give two"):
        charts.tornado({"a": (1, 2, 3)}, x="Bill (USD)", base=1)
    endless = charts.tornado({"a": (1, 2), "b": (0, math.inf)}, x="Bill (USD)", base=1)
    assert {r["name"] for r in rows(endless, "bar", "side")} == {"a"}
    assert "Not drawn: b (infinite)." in charts.words(endless)
    still = charts.tornado({"a": (1, 1)}, x="Bill (USD)", base=1)
    assert charts.words(still).startswith("Nothing moves it.")
    only = charts.tornado({"a": (1, 2), "b": (1, 1)}, x="Bill (USD)", base=1)
    assert charts.words(only).startswith("Only a moves it.")


def test_the_parts_of_a_lane_follow_each_other_to_scale():
    chat = [("reading", "50 ms"), ("writing", "1.95 s")]
    lanes = {"chat": chat, "summary": [("reading", 1.5), ("writing", 0.5)]}
    chart = charts.timeline(lanes, x="Time (s)", level={"first word": "50 ms"})
    bars = [(r["lane"], r["what"], r["start"], r["end"]) for r in rows(chart, "bar", "lane")]
    assert bars == [
        ("chat", "reading", 0, pytest.approx(0.05)),
        ("chat", "writing", pytest.approx(0.05), pytest.approx(2)),
        ("summary", "reading", 0, 1.5),
        ("summary", "writing", 1.5, 2),
    ]
    assert charts.words(chart).startswith("chat: 98% writing; summary: 75% reading. Time (s).")
    assert "first word: 0.05 s" in charts.words(chart)


def test_a_gantt_says_how_idle_its_lanes_are():
    # two stages, each busy for 2 of 3 steps
    tasks = [("s0", "forward", 0, 2), ("s1", "forward", 1, 3)]
    chart = charts.gantt(tasks, x="Time (steps)", guess={"s1": 4})
    assert charts.words(chart) == (
        "Over 3 steps, lanes are idle 33% of the time. Time (steps). "
        "s0: forward 2, ends at 2 steps; s1: forward 2, ends at 3 steps; you on s1: 4 steps."
    )
    assert charts.table(chart)[0] == {"lane": "s0", "what": "forward", "start": 0, "end": 2}


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([("a", "x", 1, 3), ("b", "x", 1, 3)], "a ends at 3 s."),  # nobody is idle
        ([("a", "x", 0, 1), ("a", "x", 2, 3)], "a ends at 3 s."),  # alone it waits for nobody
        ([("a", "x", 1, 2), ("b", "x", 2, 5)], "Over 4 s, lanes are idle 50% of the time."),
        ([("a", "x", 0, 0), ("b", "x", 0, 0)], "a ends at 0 s."),
    ],
)
def test_lanes_that_run_together_are_idle_or_end(tasks, said):
    assert charts.words(charts.gantt(tasks, x="Time (s)")).startswith(said)


def test_work_has_its_name_inside_and_what_is_endless_stops_nothing():
    """Of 190 pixels for 12.4 s two take 31 less eight: two letters of 7.2, and not four."""
    chart = charts.gantt([("a", "write", 0, 9), ("a", "go", 9, 11)], x="Time (s)")
    told = {r["what"]: r["text"][0] for r in rows(chart, "text", "middle")}
    assert told == {"write": "write 9", "go": "go"}
    assert {r["what"]: r["middle"] for r in rows(chart, "text", "middle")} == {
        "write": 4.5,
        "go": 10,
    }
    lanes = {"a": [("x", 1), ("y", math.inf), ("z", 2)]}
    bars = rows(charts.timeline(lanes, x="Time (s)"), "bar", "lane")
    assert [(r["what"], r["start"], r["end"]) for r in bars] == [("x", 0, 1), ("z", 1, 3)]
    with pytest.raises(BadArgument, match="at most 5 kinds of work"):
        charts.gantt([("a", kind, 0, 1) for kind in "uvwxyz"], x="Time (s)")


def test_tasks_that_make_no_sense_are_refused_and_endless_ones_said():
    with pytest.raises(OutOfRange, match="it ends before it starts"):
        charts.gantt([("a", "x", 2, 1)], x="Time (s)")
    with pytest.raises(BadArgument, match="lane, what, start and end"):
        charts.gantt([("a", "x", 2)], x="Time (s)")
    with pytest.raises(BadArgument, match="what and how long"):
        charts.timeline({"a": [("x",)]}, x="Time (s)")
    endless = charts.gantt([("a", "x", 0, 1), ("b", "x", 0, math.inf)], x="Time (s)")
    assert charts.words(endless) == (
        "a ends at 1 s. Time (s). a: x 1, ends at 1 s. Not drawn: b: x (infinite)."
    )


def test_the_rung_in_use_is_lit_and_its_distance_is_the_finding():
    machines = {"CS-3": {"SRAM": "21 PB/s", "link": "150 GB/s"}, "H100": {"memory": "3.35 TB/s"}}
    marked: dict = {"lit": {"CS-3": "link"}, "guess": {"CS-3": "1.2 TB/s"}}
    chart = charts.ladder(machines, x="Bandwidth (GB/s)", **marked)
    dots = {(r["name"], r["rung"]): (r["x"], r["lit"]) for r in rows(chart, "point", "rung")}
    assert dots["CS-3", "SRAM"] == (pytest.approx(21e6), False)
    assert dots["CS-3", "link"] == (pytest.approx(150), True)
    assert dots["H100", "memory"] == (pytest.approx(3350), True)  # nothing of it is pale
    assert charts.words(chart) == (
        "The CS-3 works 140,000 times below its fastest rung. Bandwidth (GB/s), logarithmic. "
        "CS-3: SRAM 21 PB/s; CS-3: link 150 GB/s (in use); H100: memory 3.35 TB/s; "
        "you on CS-3: 1.2 TB/s."
    )
    # two rows of 44 pixels: a name of 13 has no room below the lower dot, nor above it beside the
    # other's, and stands at its right
    two = charts.ladder({"a": {"link": 1}, "b": {"link": 1}}, x="Bandwidth (GB/s)")
    assert [r["dy"][1] for r in rows(two, "text", "dy")] == [15.5, 0]
    with pytest.raises(BadArgument, match="CS-3 has no such rung"):
        charts.ladder(machines, x="Bandwidth (GB/s)", lit={"CS-3": "HBM"})
    zero = charts.ladder({"a": {"b": 0, "c": 2}}, x="Bandwidth (GB/s)")
    assert "Not drawn: a: b (0)." in charts.words(zero)


XS, YS = [1, 2, 3, 4, 2, 0.5], [9, 5, 6, 1, 8, 0.5]  # the last beats all, and does not fit
FITS = [True] * 5 + [False]


def test_the_front_is_what_no_feasible_design_beats():
    names = list("abcdef")
    how: dict = {"names": names, "feasible": FITS, "guess": (3, 3)}
    chart = charts.front((XS, YS), x="Time (ms)", y="Price (USD)", **how)
    assert [r["name"] for r in rows(chart, "line", "name")] == ["a", "b", "d"]
    said = charts.words(chart)
    assert said.startswith("3 of 6 designs are worth a second look. Price (USD) against Time (ms).")
    assert "3 on the front of 6 designs; 1 is not feasible; a: 1 ms and 9 USD; b: 2 ms" in said
    assert "its knee is b; you: 3 ms and 3 USD." in said  # scaled sums 1, 1/3 + 1/2, 1
    hollow = [r["name"] for r in rows(chart, "point", "feasible") if not r["feasible"]]
    assert hollow == ["f"]


def test_more_can_be_better():
    axes = {"x": "Rate (1/s)", "y": "Life (year)"}
    chart = charts.front(([1, 2, 3], [1, 3, 2]), **axes, larger_is_better="xy")
    assert [r["x"] for r in rows(chart, "line", "name")] == [2, 3]


def test_a_large_cloud_is_thinned_and_its_front_is_whole():
    count = 5000
    axes = {"x": "Time (ms)", "y": "Price (USD)"}
    chart = charts.front((range(40), range(40, 0, -1)), **axes)
    assert len(rows(chart, "line", "name")) == 40
    cloud = charts.front(([1.0] * count, range(1, count + 1)), **axes)
    assert len(rows(cloud, "point", "feasible")) < 700


def test_a_long_front_is_told_in_part_and_a_short_one_has_no_knee():
    axes = {"x": "Time (ms)", "y": "Price (USD)"}
    said = charts.words(charts.front((range(1, 31), range(30, 0, -1)), **axes))
    assert said.count("a design:") == 10  # every third of thirty
    two = charts.words(charts.front(([1, 2], [2, 1]), **axes))
    assert "knee" not in two
    with pytest.raises(BadArgument, match="at most 5 can be told apart"):
        charts.front((range(6), range(6)), **axes, kinds=list("uvwxyz"))


def test_columns_that_do_not_match_are_refused_and_odd_designs_said():
    with pytest.raises(BadArgument, match="ys cannot be '1 values': give one for each of 2"):
        charts.front(([1, 2], [1]), x="a", y="b")
    with pytest.raises(BadArgument, match="names cannot be '1 values'"):
        charts.front(([1, 2], [1, 2]), x="a", y="b", names=["x"])
    chart = charts.front(([1, 0, math.inf], [1, 1, 1]), x="a", y="b", log="x")
    assert "Not drawn: design 2 (0), design 3 (infinite)." in charts.words(chart)


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        (lambda: charts.waterfall({}, x="Days"), "Nothing to add up."),
        (lambda: charts.waterfall({"a": 2}, x="Days"), "a: 2."),
        (lambda: charts.tornado({}, x="Days", base=1), "Nothing moves it."),
        (lambda: charts.gantt([], x="Time (s)"), "Nothing runs."),
        (lambda: charts.gantt([("a", "x", 0, 2)], x="Time (s)"), "a ends at 2 s."),
        (lambda: charts.timeline({}, x="Time (s)"), "Nothing runs."),
        (lambda: charts.ladder({}, x="Rate (1/s)"), "Rungs, from the slowest to the fastest."),
        (lambda: charts.ladder({"a": {"b": 1}}, x="Rate (1/s)", lit={"a": "b"}), "Each works on"),
        (lambda: charts.front(([], []), x="a", y="b"), "0 of 0 designs"),
        (lambda: charts.front(([1], [2]), x="a", y="b", log="xy"), "1 of 1 designs"),
    ],
)
def test_nothing_and_one_thing_are_pictures_too(chart, said):
    held = chart()
    held.to_dict()  # validated against Vega-Lite's schema
    assert charts.words(held).startswith(said)
