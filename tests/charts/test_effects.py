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


def test_a_ring_goes_round_its_step_and_the_axis_holds_what_is_said_beside_it():
    """Up to 20 days; "arithmetic"'s 10 and the total's 12 take 14.4 of 190 pixels beside a bar."""
    chart = charts.waterfall(DAYS, x="Days (day)", guess="20 day", ring="overlap")
    assert {"name": "overlap", "low": 12, "high": 15} in rows(chart, "bar", "low")
    shown = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert shown == pytest.approx([0, 20 * (1.05 + 14.4 / 190)])
    down = charts.waterfall({"a": 10, "b": 2, "c": -5}, x="Days")
    assert charts.words(down).startswith("10 become 7, most of it by c.")


def test_steps_have_the_colours_of_their_groups_and_a_table():
    chart = charts.waterfall(
        {"a": 3, "b": 4}, x="Days (day)", total="both", groups={"b": "fleet"}, title="Two"
    )
    assert charts.table(chart) == [
        {"step": "a", "Days (day)": 3, "up to": 3, "group": ""},
        {"step": "b", "Days (day)": 4, "up to": 7, "group": "fleet"},
    ]
    assert [r["group"] for r in rows(chart, "bar", "group")] == ["", "fleet"]
    assert charts.words(chart) == "Two. Days (day). a 3; b adds 4; both 7 day."
    with pytest.raises(BadArgument, match="total cannot be 'a': a step has this name; give the"):
        charts.waterfall({"a": 3}, x="Days", total="a")


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


def test_a_tornado_stands_about_its_base_with_room_for_words_at_both_ends():
    """From 6 to 16, and two digits take 14.4 of 190 pixels, with 0.06 of the length beside them."""
    chart = charts.tornado({"MFU": (16, 6), "price": (9, 12)}, x="Bill (USD)", base=10)
    room = 10 * (14.4 / 190 + 0.06)
    shown = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert shown == pytest.approx([6 - room, 16 + room])
    told = [(r["text"], r["left"]) for r in rows(chart, "text", "side")]
    assert told == [("16", False), ("6", True), ("9", True), ("12", False)]
    assert charts.table(chart) == [
        {"input": "MFU", "at its low": 16, "at its high": 6},
        {"input": "price", "at its low": 9, "at its high": 12},
    ]
    (base,) = rows(chart, "rule")
    assert base == {"x": 10, "name": "base 10 USD"}
    bare = charts.tornado({"a": (10, 12)}, x="Bill (USD)", base=10, title="One")
    assert [r["text"] for r in rows(bare, "text", "side")] == ["", "12"]  # no words at the base
    assert charts.words(bare) == "One. Bill (USD), 10 USD at the base. a from 10 to 12."
    assert charts.words(charts.tornado({"a": (9, 12)}, x="B", base=9)).startswith("a moves it most")


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


@pytest.mark.parametrize(
    ("lanes", "said"),
    [
        ({"a": [("x", 1), ("y", math.inf), ("z", 3)]}, "a: 75% z. "),  # was "inf% y"
        ({"a": [("x", 1), ("y", 2), ("x", 2)], "b": []}, "a: 60% x. "),
        ({"a": [("x", 0)], "b": [("y", 3), ("z", 2)]}, "b: 60% y. "),
        ({"a": [("x", math.nan)]}, "Nothing runs. "),
        ({"a": [("x", 0)]}, "Nothing runs. "),
    ],
)
def test_a_timeline_says_what_takes_most_of_each_lane_that_runs(lanes, said):
    assert charts.words(charts.timeline(lanes, x="Time (s)")).startswith(said)


def test_lanes_have_their_ends_in_words_and_the_axis_room_for_them():
    """The last moment is the guess at 20; the longest end, 12.5, takes four letters of 7.2."""
    tasks = [("a", "x", 0, 3), ("b", "y", 2, 12.5), ("a", "y", 4, 5)]
    chart = charts.gantt(tasks, x="Time (s)", guess={"b": 20}, level={"first": 1})
    shown = chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert shown == pytest.approx([0, 20 * (1.05 + 28.8 / 190)])
    assert rows(chart, "text", "text", "name")[-1] == {"name": "b", "x": 20, "text": "you"}
    assert {r["name"]: r["text"] for r in rows(chart, "text", "x") if "lane" not in r
            and "text" in r and r["text"] != "you"} == {"a": "5", "b": "12.5"}  # fmt: skip
    assert charts.words(chart) == (
        "Over 12.5 s, lanes are idle 42% of the time. Time (s). "  # 10.5 of 25
        "a: x 3, y 1, ends at 5 s; b: y 10.5, ends at 12.5 s; first: 1 s; you on b: 20 s."
    )
    assert [tuple(row.values()) for row in charts.table(chart)] == tasks
    late = charts.gantt([("a", "x", math.inf, math.inf), ("b", "y", 0, 1)], x="Time (s)")
    assert "Not drawn: a: x (infinite)." in charts.words(late)


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
        ([("a", "x", 0, 1000), ("b", "x", 0, 992)], "a ends at 1,000 s."),  # 4 of 1,000
        ([("a", "x", 0, 1000), ("b", "x", 0, 988)], "Over 1,000 s, lanes are idle 1% of the time."),
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


def test_of_machines_that_are_lit_the_farthest_from_its_best_is_the_finding():
    rates = {"a": {"x": 10, "y": 2}, "b": {"x": 30, "y": 3}, "c": {"x": 0}, "d": {"x": 8, "y": 0}}
    chart = charts.ladder(rates, x="Rate (GB/s)", lit={"a": "y", "b": "y", "d": "y"})
    assert charts.words(chart) == (
        "The b works 10 times below its fastest rung. Rate (GB/s), logarithmic. a: x 10 GB/s; "
        "a: y 2 GB/s (in use); b: x 30 GB/s; b: y 3 GB/s (in use); d: x 8 GB/s. "
        "Not drawn: c: x (0), d: y (0)."
    )
    assert [row["Rate (GB/s)"] for row in charts.table(chart)] == [10, 2, 30, 3, 0, 8, 0]
    assert charts.table(chart)[3] == {"machine": "b", "rung": "y", "Rate (GB/s)": 3}
    # 1.18 decades from 2 to 30; six letters of 7.2 beside the last, and 0.08 before the first
    decades = math.log10(15)
    shown = chart.to_dict()["layer"][0]["encoding"]
    ends = [2 * 10 ** (-0.08 * decades), 30 * 10 ** ((0.05 + 43.2 / 190) * decades)]
    assert shown["x"]["scale"]["domain"] == pytest.approx(ends)
    assert shown["y"]["scale"]["domain"] == ["a", "b", "d"]  # what has no rung has no row
    assert {(r["x"], r["to"]) for r in rows(chart, "rule")} == {
        tuple(shown["x"]["scale"]["domain"])
    }


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


@pytest.mark.parametrize(
    ("better", "front"), [("", "ab"), ("x", "bcf"), ("y", "ade"), ("xy", "ef")]
)
def test_more_can_be_better_on_either_axis(better, front):
    xs, ys = [1, 2, 6, 2, 4, 7], [3, 1, 2, 8, 9, 4]
    chart = charts.front((xs, ys), x="Rate (1/s)", y="Life (year)", names=list("abcdef"),
                         larger_is_better=better)  # fmt: skip
    assert [r["name"] for r in rows(chart, "line", "name")] == list(front)


@pytest.mark.parametrize(("log", "knee"), [("", "c"), ("x", "b")])
def test_a_knee_is_looked_for_on_the_axes_that_are_drawn(log, knee):
    """Shares of the length: 1, 0.34, 0.27, 1 in all; in decades across 1, 0.67, 0.83, 1."""
    series = ([1, 10, 100, 1000], [4, 2, 1.5, 1])
    chart = charts.front(series, x="Time (ms)", y="Price (USD)", names=list("abcd"), log=log)
    assert f"its knee is {knee}." in charts.words(chart)
    assert [r["text"][0] for r in rows(chart, "text", "dx")] == [f"knee: {knee}"]
    bare = charts.front(series, x="Time (ms)", y="Price (USD)", log=log)
    at = {"c": ("100", "1.5"), "b": ("10", "2")}[knee]
    assert f"its knee is at {at[0]} ms." in charts.words(bare)
    assert [r["text"][0] for r in rows(bare, "text", "dx")] == [f"knee {', '.join(at)}"]


def test_the_table_of_a_front_has_its_designs_first_and_then_the_others():
    chart = charts.front((XS, YS), x="Time (ms)", y="Price (USD)", names=list("abcdef"),
                         kinds=list("uuvvuv"), feasible=FITS, guess=(6, 3))  # fmt: skip
    assert charts.table(chart)[0] == {
        "design": "a", "Time (ms)": 1, "Price (USD)": 9, "kind": "u", "feasible": True,
        "on the front": True,
    }  # fmt: skip
    told = [(r["design"], r["kind"], r["feasible"], r["on the front"]) for r in charts.table(chart)]
    assert told[1:] == [
        ("b", "u", True, True), ("d", "v", True, True), ("c", "v", True, False),
        ("e", "u", True, False), ("f", "v", False, False),
    ]  # fmt: skip
    shown = chart.to_dict()["layer"][0]["encoding"]
    assert shown["x"]["scale"]["domain"] == pytest.approx([0.5 - 0.33, 6 + 0.33])  # 0.06 of 5.5
    assert shown["y"]["scale"]["domain"] == pytest.approx([0.5 - 0.51, 9 + 0.51])


@pytest.mark.parametrize(("many", "dots"), [(600, 599), (601, 300)])
def test_beyond_six_hundred_every_second_design_is_drawn(many, dots):
    chart = charts.front(([1.0] * many, range(1, many + 1)), x="Time (ms)", y="Price (USD)")
    assert len(rows(chart, "point", "feasible", "kind")) == 1 + dots  # and the front


@pytest.mark.parametrize(("many", "told"), [(11, 11), (12, 6)])
def test_up_to_eleven_designs_of_a_front_are_told_one_by_one(many, told):
    series = range(1, many + 1), range(many, 0, -1)
    assert charts.words(charts.front(series, x="a", y="b")).count("a design:") == told


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
    assert charts.words(chart) == (
        "1 of 3 designs are worth a second look. b against a. 1 on the front of 1 designs; "
        "a design: 1 and 1. Not drawn: design 2 (0), design 3 (infinite)."
    )
    up = charts.front(([1, 2, 3], [1, -2, 0]), x="a", y="b", log="y", names=["u", "v", "w"])
    assert "Not drawn: v (-2), w (0)." in charts.words(up)
    lost = charts.front(([1, 2, 3], [1, 1, 1]), x="a", y="b", feasible=[True, False, False])
    assert "; 2 are not feasible; " in charts.words(lost)
    with pytest.raises(BadArgument, match="points cannot be '3 columns': give xs and as many ys"):
        charts.front(([1], [1], [1]), x="a", y="b")


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
