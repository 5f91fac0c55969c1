"""How entries, results and searches look in a notebook: small tables in the colours of the page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from mlsysim.core.solver import Result, show
from mlsysim.core.table import Table, bar
from mlsysim.core.units import Quantity

if TYPE_CHECKING:
    from mlsysim.core.values import Entry, Source

_SAME = '<span style="opacity:.55">the same</span>'  # source as that of the row above
_SHORT = 40  # characters of a value that is kept in one line


def of_result(result: Result) -> str:
    """One answer, a field a row; of what competes to bind each has a bar. Columns are a table."""
    title = type(result).__name__
    if result.shape:
        return _titled(f"{title}, {len(result):,} rows", _columns(result)._repr_html_())
    parts = {name: result.si(name) for name in result.bars}
    most = max((v for v in parts.values() if v), default=None)
    bars = {n.replace("_", " "): bar(v / most) for n, v in parts.items() if v}
    lines = result.lines()
    rows = ((name, escape(text), bars.get(name, "")) for name, text in lines)
    return _titled(title, _rows(rows))


def of_entry(entry: Entry) -> str:
    """An entry, a number or a word a row, each with its source."""
    from mlsysim.core.values import leaves

    known = [(path, value) for path, value in leaves(entry) if path != "name"]
    lists: dict[str, list[Any]] = {}
    for path, value in known:
        lists.setdefault(path, []).append(value)
    rows, last = [], ""
    for path, held in lists.items():
        told = _source(entry.source_of(path))
        rows.append((path, escape(", ".join(map(show, held))), _SAME if told == last else told))
        last = told
    return _titled(f"{entry.name} ({type(entry).__name__})", _rows(rows))


def _columns(result: Result) -> Table:
    """The columns of a result, in the units in which people are shown them."""
    columns, units = {}, {}
    for name in result.fields:
        value = getattr(result, name)
        if isinstance(value, Quantity):
            units[name], value = f"{value.units:~P}", value.magnitude
        if isinstance(value, (bool, str, float, int, np.ndarray)):
            columns[name] = np.broadcast_to(value, result.shape).ravel()
    return Table(columns, units)


def _source(source: Source | None) -> str:
    """Where a number is from: the document's name, and a way to it."""
    if source is None:
        return ""
    ref, url = escape(source.ref), source.url or ""
    if url.startswith(("https://", "http://")):
        ref = f'<a href="{escape(url)}" style="color:inherit">{ref}</a>'
    return f"{source.kind}: {ref}"


def _rows(rows: Iterable[tuple[str, str, str]]) -> str:
    """A table of names, values and what stands beside them, which are markup already.

    What is long and stands alone takes both columns, or what is beside others would be far away.
    """
    look = "text-align:left;vertical-align:top;padding:.1em .8em .1em 0"
    body = ""
    for name, value, beside in rows:
        short = len(value) < _SHORT
        two, close = short or beside, ";white-space:nowrap" * short
        body += (
            f'<tr><th scope="row" style="{look};font-weight:normal;opacity:.75">{escape(name)}</th>'
            f'<td{"" if two else " colspan=2"} style="{look}{close}">{value}</td>'
            + (f'<td style="{look}">{beside}</td></tr>' if two else "</tr>")
        )
    return f'<table style="color:inherit;border-collapse:collapse"><tbody>{body}</tbody></table>'


def _titled(title: str, inside: str) -> str:
    return f'<div style="color:inherit"><strong>{escape(title)}</strong>{inside}</div>'
