"""What a notebook shows: names, values with units, sources, and a bar of what binds; never code."""

from __future__ import annotations

import re

import pytest

from mlsysim import DSE, Engine, Hardware, Models, Systems
from mlsysim.core.solver import Result
from mlsysim.core.table import Table
from mlsysim.core.units import Seconds

LLAMA, H100 = Models.Language.Llama3_8B, Hardware.Cloud.H100


def cells(page):
    """Each row of a page: its cells without markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    cut = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cut]


def bars(page):
    """The width of the bar in each row that has one."""
    found = re.findall(
        r">([a-z ]+)</th><td[^>]*>[^<]*</td><td[^>]*><div style=\"width:([\d.]+)em", page
    )
    return {name: float(width) for name, width in found}


def test_the_roof_that_binds_has_the_longest_bar():
    profile = Engine.solve(LLAMA, H100)
    drawn = bars(profile._repr_html_())
    assert max(drawn, key=lambda name: drawn[name]) == "memory time"
    ratio = (profile.compute_time / profile.memory_time).m_as("")
    assert drawn["compute time"] / drawn["memory time"] == pytest.approx(ratio, abs=0.005)


def test_a_result_shows_each_known_field_with_its_unit():
    profile = Engine.solve(LLAMA, H100)
    shown = {name: value for name, value, *_ in cells(profile._repr_html_())}
    assert shown == dict(profile.lines())
    assert shown["weights"].endswith(" GB")


def test_a_long_note_does_not_push_the_bars_away():
    page = Engine.solve(LLAMA, H100, stack="trtllm")._repr_html_()
    (note,) = [row for row in cells(page) if row[0] == "notes"]
    assert len(note) == 2
    assert page.count("<td colspan=2") == 1
    assert all(len(row) == 3 for row in cells(page) if row != note)


class Parted(Result):
    """Two parts that compete, and words of 39 and of 40 characters."""

    bars = ("some_part", "other_part")
    some_part: Seconds = "ms"
    other_part: Seconds = "s"
    short: str
    long: str


def test_a_page_of_a_result_is_a_row_for_each_field():
    """The longest part has twelve em, a quarter of it three; what is short stands in one line."""
    answer = Parted(some_part=0.25, other_part=1.0, short="x" * 39, long="<" + "y" * 36)
    look = "text-align:left;vertical-align:top;padding:.1em .8em .1em 0"

    def row(name, value, drawn="", close=";white-space:nowrap"):
        head = f'<th scope="row" style="{look};font-weight:normal;opacity:.75">{name}</th>'
        span, beside = ("", f'<td style="{look}">{drawn}</td>') if close else (" colspan=2", "")
        return f'<tr>{head}<td{span} style="{look}{close}">{value}</td>{beside}</tr>'

    def bar(wide):
        look = f"width:{wide}em;height:.7em;background:currentColor;opacity:.55"
        return f'<div style="{look}"></div>'

    body = (
        row("some part", "250 ms", bar("3.00"))
        + row("other part", "1 s", bar("12.00"))
        + row("short", "x" * 39)
        + row("long", "&lt;" + "y" * 36, close="")  # of 40 as it is written
    )
    table = f'<table style="color:inherit;border-collapse:collapse"><tbody>{body}</tbody></table>'
    page = f'<div style="color:inherit"><strong>Parted</strong>{table}</div>'
    assert answer._repr_html_() == page


@pytest.mark.parametrize("nothing", [0.0, None])
def test_what_takes_no_time_has_no_bar(nothing):
    page = Parted(some_part=nothing, other_part=nothing, short="a", long="b")._repr_html_()
    assert "<div" not in page.removeprefix("<div")
    page = Parted(some_part=nothing, other_part=2.0, short="a", long="b")._repr_html_()
    assert bars(page) == {"other part": 12.0}


def test_columns_of_a_result_are_a_table_of_its_first_rows():
    page = Engine.solve(LLAMA, H100, batch_size=range(1, 31))._repr_html_()
    head, *rows = cells(page)
    assert "Profile, 30 rows" in page
    assert len(rows) == 20
    assert rows[7][head.index("batch size")] == "8"


def test_an_entry_shows_each_number_with_a_way_to_its_source():
    page = H100._repr_html_()
    shown = {path: (value, source) for path, value, source in cells(page)}
    assert shown["memory.bandwidth"][0] == "3.35 TB/s"
    source = H100.source_of("memory.bandwidth")
    assert source.ref in shown["vendor"][1]
    assert shown["memory.bandwidth"][1].endswith(source.ref)
    assert shown["memory.technology"][1] == "the same"  # as the row above says
    assert f'href="{source.url}"' in page


def test_an_entry_inside_another_stands_by_its_name_alone():
    shown = dict(row[:2] for row in cells(Systems.Nodes.DGX_H100._repr_html_()))
    assert not any(path.startswith("accelerator.") for path in shown)


def test_nothing_of_an_entry_is_run_by_a_page():
    source = {"kind": "user", "ref": "<script>1</script>", "url": "javascript:alert(1)"}
    spec = {
        "name": "<img src=x onerror=alert(1)>",
        "compute": {"peak_flops": "1 TFLOP/s"},
        "memory": {"capacity": "1 GB", "bandwidth": "1 GB/s", "technology": "<b>"},
        "release_year": 2026,
        "sources": {"default": source},
    }
    page = Hardware.from_spec(spec)._repr_html_()
    assert not re.search(r"<(script|img|b)\b", page)
    assert "javascript:" not in page


def test_a_search_shows_its_front_and_why_where_there_is_none():
    space = {"hardware": ["H100", "A100"], "batch_size": [1, 64]}
    dse = DSE(space, ["minimize: latency", "maximize: throughput"], ["latency < 1 s"])
    found = dse.search_sweep(Engine.sweep, LLAMA)
    head, *rows = cells(found._repr_html_())
    assert head == ["hardware", "batch size", "latency", "throughput", "feasible"]
    assert {row[0] for row in rows} == {"H100"}
    assert "2 on the front" in repr(found)
    none = DSE(space, "minimize: latency", ["latency < 1 ns"]).search_sweep(Engine.sweep, LLAMA)
    assert "latency is" in none._repr_html_()


def test_a_search_is_a_table_of_all_its_points_for_other_programs():
    arro3 = pytest.importorskip("arro3.core")
    space = {"model": [LLAMA], "hardware": [H100], "batch_size": [1, 2], "precision": ["fp8"]}
    found = DSE(space, "minimize: latency").search(Engine.solve)
    held = arro3.Table.from_arrow(found)
    assert held.column_names == [
        "model",
        "hardware",
        "batch_size",
        "precision",
        "latency",
        "feasible",
    ]
    swept = DSE({"batch_size": [1, 2]}, "minimize: latency").search_sweep(
        Engine.sweep, LLAMA, H100, precisions=["fp8"]
    )
    head, *rows = swept.to_csv().splitlines()
    assert head == "hardware,precision,batch_size,seq_len,latency (ms),feasible"
    assert [float(row.split(",")[4]) for row in rows] == [
        pytest.approx(each["metrics"].latency.m_as("ms")) for each in found["points"]
    ]


def test_each_point_of_a_sweep_has_a_bar_of_what_binds_it():
    """A decode step waits for memory and for its dispatch; the bar is memory's part of the step."""
    sweep = Engine.sweep(LLAMA, [H100, Hardware.Edge.Jetson_Orin_NX], batch_sizes=[1, 512])
    head, *rows = cells(sweep._repr_html_())
    widths = re.findall(r"<td>(\w+)<div style=\"width:([\d.]+)em", sweep._repr_html_())
    at = head.index("bottleneck")
    assert [word for word, _ in widths] == [row[at] for row in rows]
    for (word, width), point in zip(widths, sweep, strict=True):
        profile = point["profile"]
        binds = {"Memory": profile.memory_time, "Compute": profile.compute_time}[word]
        assert float(width) / 12 == pytest.approx((binds / profile.latency).m_as(""), abs=0.001)


def test_a_table_without_bars_draws_none_and_a_part_of_one_keeps_its_own():
    table = Table({"chip": ["A", "B", "C"]}, bars={"chip": [1.0, 0.0, float("nan")]})
    assert table._repr_html_().count("<div") == 1
    assert "<div" not in table[1:]._repr_html_()
    assert "<div" not in Table(table.columns)._repr_html_()
