"""Tables: for a terminal, a page, a file and a frame, always the same numbers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from mlsysim.core.errors import UnknownField
from mlsysim.core.table import Table, safe_cell
from mlsysim.core.units import Q_

COLUMNS = {
    "chip": ["Alpha", "Beta", "Gamma"],
    "power": np.array([0.5, 1.25, np.nan]),
    "cores": np.array([1, 20, 300]),
    "fits": np.array([True, False, True]),
    "note": [None, "hot", "cold"],
}


@pytest.fixture
def table():
    return Table(COLUMNS, {"power": "kW"})


def test_csv_holds_every_number_in_full_under_a_head_with_its_unit(table, tmp_path):
    table.to_csv(tmp_path / "chips.csv")
    text = (tmp_path / "chips.csv").read_text(encoding="utf-8")
    assert text == table.to_csv()
    head, first, *_ = csv.reader(io.StringIO(text))
    assert head == ["chip", "power (kW)", "cores", "fits", "note"]
    assert first == ["Alpha", "0.5", "1", "True", ""]


def test_arrow_takes_the_columns_with_their_types_and_units(table):
    arro3 = pytest.importorskip("arro3.core")
    found = arro3.Table.from_arrow(table)
    assert found.column_names == [*COLUMNS]
    assert found["cores"].to_pylist() == [1, 20, 300]
    assert found["note"].to_pylist() == [None, "hot", "cold"]
    assert found.schema.field("power").metadata_str == {"unit": "kW"}
    assert str(found.schema.field("fits").type) == str(arro3.DataType.bool())


@pytest.mark.parametrize("width", [20, 30, 60, 200])
def test_a_narrow_terminal_gets_several_tables_and_no_cell_is_cut(table, width):
    blocks = table.blocks(width)
    assert all(len(line) <= width for lines in blocks for line in lines)
    text = "\n".join(line for lines in blocks for line in lines)
    for row in table.cells():
        assert all(cell in text for cell in row)
    for lines in blocks:
        assert lines[1].startswith("Alpha")


def test_columns_stand_beside_each_other_as_long_as_they_fit(table):
    """Not one character is given away: what just fits is one table, and one less makes two."""
    whole = len(table.blocks(10_000)[0][0])
    assert len(table.blocks(whole)) == 1
    assert len(table.blocks(whole - 1)) == 2


def test_what_is_unknown_is_a_question_mark_and_numbers_have_their_unit(table):
    cells = [*table.cells()]
    assert cells[0][1] == "500 W"
    assert cells[2][1] == "?"
    assert cells[1][3] == "no"


def test_a_notebook_gets_a_table_with_nothing_to_run_in_it():
    page = Table({"<b>name": ["<script>", "b"] * 50})._repr_html_()
    assert page.count("<tr>") == 1 + 20
    assert "80 more" in page
    assert "<script>" not in page
    assert "<b>" not in page


def test_a_column_that_is_not_there_is_named(table):
    with pytest.raises(UnknownField, match="did you mean 'power'"):
        table.column("powr")


# ---- whole pages ---------------------------------------------------------------------------------

TWO = Table(
    {
        "chip": ["A", "Bee"],
        "big_power": np.array([0.5, 1250.0]),
        "n": np.array([1, 20]),
        "note": [None, "a|<b>"],
    },
    {"big_power": "kW"},
    {"n": [0.05, 1.0]},
)


def test_words_stand_to_the_left_and_numbers_to_the_right():
    lines = ["chip  big power   n  note", "A         500 W   1  ?", "Bee     1.25 MW  20  a|<b>"]
    assert str(TWO).splitlines() == lines
    assert repr(TWO) == "Table of 2 rows (chip, big_power (kW), n, note)"
    # in 15 columns power leaves no room for n; the names of the rows are said again
    first, second = TWO.blocks(15)
    assert first == ["chip  big power", "A         500 W", "Bee     1.25 MW"]
    assert second == ["chip   n  note ", "A      1  ?    ", "Bee   20  a|<b>"]
    assert str(TWO[:1]) == "\n".join(["chip  big power  n  note", "A         500 W  1  ?"])


def test_the_first_two_columns_may_name_the_rows():
    blocks = TWO.blocks(20, key=2)
    assert [lines[0] for lines in blocks] == ["chip  big power   n", "chip  big power  note "]
    assert blocks[0][1:] == ["A     500 W       1", "Bee   1.25 MW    20"]  # no numbers, but names
    assert [len(TWO.blocks(19, key=2)), len(TWO.blocks(18, key=2))] == [2, 2]
    assert [len(TWO.blocks(width, key=2)) for width in (25, 26)] == [2, 1]


def test_a_page_has_every_cell_and_a_bar_as_long_as_its_part_of_twelve_em():
    def drawn(width):
        look = f"width:{width}em;height:.7em;background:currentColor;opacity:.55"
        return f'<div style="{look}"></div>'

    head = "<tr><th>chip</th><th>big power</th><th>n</th><th>note</th></tr>"
    first = f"<tr><td>A</td><td>500 W</td><td>1{drawn('0.60')}</td><td>?</td></tr>"
    cells = f"<td>Bee</td><td>1.25 MW</td><td>20{drawn('12.00')}</td><td>a|&lt;b&gt;</td>"
    open_, close = f"<table><thead>{head}</thead><tbody>", "</tbody></table>"
    assert TWO.to_html() == TWO.to_html(2) == f"{open_}{first}<tr>{cells}</tr>{close}"
    assert TWO.to_html(1) == f"{open_}{first}{close}<p>and 1 more</p>"


def test_markdown_has_a_line_for_each_row_and_no_bar_of_its_own_in_a_cell():
    assert TWO.to_markdown().splitlines() == [
        "| chip | big power | n | note |",
        "| --- | --- | --- | --- |",
        "| A | 500 W | 1 | ? |",
        "| Bee | 1.25 MW | 20 | a/<b> |",
    ]


def test_rows_of_several_mappings_are_columns_in_the_unit_of_the_first():
    rows = [{"t": None, "x": 1}, {"t": Q_(2.0, "ms")}, {"t": Q_(3.0, "s"), "x": 5}]
    table = Table.rows(rows, ["t", "x", "y"])
    assert table.to_dict() == {
        "columns": {"t": [None, 2.0, 3000.0], "x": [1, None, 5], "y": [None, None, None]},
        "units": {"t": "ms"},
    }
    beside = table.beside(TWO[:2])
    assert [*beside.columns] == ["t", "x", "y", "chip", "big_power", "n", "note"]
    assert (beside.units, beside.bars) == ({"t": "ms", "big_power": "kW"}, {"n": [0.05, 1.0]})
    some = TWO.at(np.array([1]), ["big_power", "chip"])
    assert some[0] == {"big_power": 1250.0, "chip": "Bee"}
    assert some.heads == ["big_power (kW)", "chip"]


def test_a_file_longer_than_a_block_has_every_row_once():
    long = 2**16 + 3
    table = Table({"n": np.arange(long)})
    assert table.to_csv() == "n\n" + "".join(f"{n}\n" for n in range(long))
    arro3 = pytest.importorskip("arro3.core")
    assert arro3.Table.from_arrow(table)["n"].to_pylist() == [*range(long)]


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
def test_nothing_that_a_spreadsheet_takes_for_a_formula_is_left_to_it(sign):
    for before in ("", " ", "\u00a0 "):
        assert safe_cell(f"{before}{sign}1") == f"'{before}{sign}1"
    assert safe_cell(f"a; {sign}1;b") == f"a;' {sign}1;b"
    assert safe_cell(f"a{sign}1 {sign}") == f"a{sign}1 {sign}"
