"""A notebook that many open is read once, and each has a page of its own."""

from __future__ import annotations

import pytest
from marimo._ast import compiler, load, parse
from marimo._entrypoints import registry
from marimo._messaging import serde
from marimo._messaging.notification import CellNotification, CompletedRunNotification
from marimo._session.state import session_view
from marimo._types.ids import CellId_t

from mlsysim.learn.sharing import read_once

NOTEBOOK = """import marimo

app = marimo.App()


@app.cell
def _():
    x = {number}
    return (x,)


@app.cell
def _(x):
    import math as m
    y = m.sqrt(x)
    y
    return (y,)
"""


@pytest.fixture(autouse=True)
def shared():
    read_once()


@pytest.fixture
def cells(tmp_path):
    """The cells of a notebook with a number in it, as one more page opens it."""

    def opened(number):
        file = tmp_path / "lesson.py"
        file.write_text(NOTEBOOK.format(number=number), encoding="utf-8")
        return [each._cell for each in load.load_app(file)._cell_manager.cells()]

    return opened


def test_a_second_page_compiles_nothing_and_shares_no_state_with_the_first(cells):
    pages = zip(cells(4), cells(4), strict=True)
    for first, second in pages:
        assert second.body is first.body
        assert second.defs == first.defs
        first._status.state, first.config.hide_code = "running", True
        first.import_workspace.imported_defs.add("m")
        assert second._status.state is None
        assert not second.config.hide_code
        assert second.import_workspace.imported_defs == set()
        assert second.import_workspace.is_import_block is first.import_workspace.is_import_block


def test_a_file_that_was_changed_is_read_anew(cells):
    assert [each.body.co_consts[0] for each in (cells(4)[0], cells(9)[0])] == [4, 9]


def test_a_cell_that_is_compiled_among_imports_is_compiled_for_its_page_alone():
    module = [compiler.ImportData("math", "m", None)]
    first, second = (
        compiler.compile_cell("import math as m", "one", carried_imports=module) for _ in range(2)
    )
    assert first.body is not second.body


def test_sharing_twice_shares_once():
    read_once()
    shared = compiler.compile_cell, parse.parse_notebook, registry.get_entry_points
    for each in (*shared, serde.deserialize_kernel_message):
        assert not hasattr(each.__wrapped__, "__wrapped__")


def test_messages_of_a_page_are_read_as_marimo_reads_them():
    messages = [CompletedRunNotification(), CellNotification(cell_id=CellId_t("x"), status="idle")]
    for each in messages:
        sent = serde.serialize_kernel_message(each)
        read = session_view.deserialize_kernel_message(sent)
        assert type(read) is type(each)
        assert read == serde.deserialize_kernel_message.__wrapped__(sent)
    with pytest.raises(serde.msgspec.ValidationError):
        session_view.deserialize_kernel_message(b'{"op": "no such thing"}')
