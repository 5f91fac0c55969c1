"""Tables: for a terminal, a page, a file and a frame, always the same numbers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from mlsysim.core.errors import UnknownField
from mlsysim.core.table import Table

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
