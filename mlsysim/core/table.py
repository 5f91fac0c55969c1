"""A table: columns under heads that name their unit, for a terminal, a page, a file or a frame."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlsysim.core.errors import MLSysError, UnknownField
from mlsysim.core.solver import Result, jsonable, show
from mlsysim.core.units import Q_, Quantity

_GAP = "  "
_SHOWN = 20  # rows of a table that a notebook shows
_LONGEST = 12  # em, of a bar
_BLOCK = 1 << 16  # rows that are written to a file at a time
# at the start of a cell, of one after a semicolon or tab, or after spaces; full width, too
_SIGNS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"^(?=[\s\u00a0]*{_SIGNS}|[\t\r])|(?<=;)(?=\s*{_SIGNS})")


class Table(Sequence[dict[str, Any]]):
    """Columns of equal length, and the unit of those that have one.

    In the cells of the columns named in `bars` a page draws one: the part of the longest, 0 to 1.
    pandas, polars, duckdb and pyarrow read it through `__arrow_c_stream__` (the extra: tables).

    >>> table = Table({"chip": ["A", "B"], "power": np.array([0.7, 1.2])}, {"power": "kW"})
    >>> table[1], table.column("power").tolist()
    ({'chip': 'B', 'power': 1.2}, [0.7, 1.2])
    >>> print(table.to_csv(), end="")
    chip,power (kW)
    A,0.7
    B,1.2
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        units: Mapping[str, str] | None = None,
        bars: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns, self.units, self.bars = dict(columns), dict(units or {}), dict(bars or {})

    @classmethod
    def of(cls, results: Sequence[Result], names: Sequence[str]) -> Table:
        """Fields of several results, in the units in which people are shown them."""
        return cls.rows([{name: getattr(one, name) for name in names} for one in results], names)

    @classmethod
    def rows(cls, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
        """What several mappings hold under the same names; None where one holds nothing."""
        columns: dict[str, Any] = {}
        units: dict[str, str] = {}
        for name in names:
            columns[name] = found = [row.get(name) for row in rows]
            some = next((value for value in found if isinstance(value, Quantity)), None)
            if some is not None:
                units[name] = f"{some.units:~P}"
                numbers = [np.nan if v is None else float(v.m_as(some.units)) for v in found]
                columns[name] = np.array(numbers)
        return cls(columns, units)

    def beside(self, other: Table) -> Table:
        """Both tables' columns."""
        columns, units = {**self.columns, **other.columns}, {**self.units, **other.units}
        return Table(columns, units, {**self.bars, **other.bars})

    def column(self, name: str) -> Any:
        """One column; raises UnknownField."""
        if name not in self.columns:
            raise UnknownField("Table", name, self.columns)
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            parts, bars = (
                {name: column[index] for name, column in each.items()}
                for each in (self.columns, self.bars)
            )
            return Table(parts, self.units, bars)
        return {name: _plain(column[index]) for name, column in self.columns.items()}

    def at(self, places: np.ndarray, names: Sequence[str]) -> Table:
        """Some columns of the rows at some places."""
        return Table({name: np.asarray(self.columns[name])[places] for name in names}, self.units)

    @property
    def heads(self) -> list[str]:
        """What stands above each column: its name, and its unit in brackets."""
        units = self.units
        return [f"{name} ({units[name]})" if units.get(name) else name for name in self.columns]

    # ---- for other programs ----------------------------------------------------------------------

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """Write it as CSV to a file, or give the text; numbers keep all their digits."""
        if path is None:
            text = io.StringIO()
            self._write(text)
            return text.getvalue()
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            self._write(file)
        return None

    def _write(self, file: Any) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.heads)
        for start in range(0, len(self), _BLOCK):
            parts = self[start : start + _BLOCK].columns.values()
            writer.writerows(zip(*map(_listed, parts), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: each column, and the units."""
        columns = {name: jsonable(_listed(column)) for name, column in self.columns.items()}
        return {"columns": columns, "units": self.units}

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        try:
            from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
        except ImportError:
            remedy = "Arrow takes one package more: pip install arro3-core"
            raise MLSysError(remedy) from None

        def array(column: Any) -> Any:
            if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
                return Array.from_numpy(np.ascontiguousarray(column))
            return Array([None if v is None else str(v) for v in column], DataType.string())

        def batches() -> Iterator[Any]:  # so that words are objects for a block alone
            for start in range(0, len(self), _BLOCK):
                part = self[start : start + _BLOCK].columns
                yield RecordBatch.from_arrays([*map(array, part.values())], schema=schema)

        kinds = {name: array(column[:0]).type for name, column in self.columns.items()}
        units = {name: {"unit": self.units[name]} for name in kinds if name in self.units}
        fields = [Field(n, kind, nullable=True, metadata=units.get(n)) for n, kind in kinds.items()]
        schema = Schema(fields)
        reader = RecordBatchReader.from_batches(schema, batches())
        return reader.__arrow_c_stream__(requested_schema)

    # ---- for people ------------------------------------------------------------------------------

    def cells(self) -> Iterator[list[str]]:
        """The rows in words, each number with its unit."""
        for row in self:
            yield [said(value, self.units.get(name, "")) for name, value in row.items()]

    def blocks(self, width: int, key: int = 1) -> list[list[str]]:
        """The lines of one table, or of several where the columns do not fit beside each other.

        Each begins with the first `key` columns, and none of them loses a digit.
        """
        rows = [[name.replace("_", " ") for name in self.columns], *self.cells()]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        # numbers stand to the right, words to the left
        left = [
            at < key or not any(row[at][:1].isdigit() for row in rows) for at in range(len(wide))
        ]
        groups, used = [[*range(key)]], width
        for at in range(key, len(wide)):
            if (used + len(_GAP) + wide[at] > width and len(groups[-1]) > key) or used == width:
                if len(groups[-1]) > key:
                    groups.append([*range(key)])
                used = sum(wide[:key]) + len(_GAP) * (key - 1)
            groups[-1].append(at)
            used += len(_GAP) + wide[at]
        return [
            [_GAP.join(_aligned(row[at], wide[at], left[at]) for at in each) for row in rows]
            for each in groups
        ]

    def __str__(self) -> str:
        return "\n\n".join("\n".join(map(str.rstrip, lines)) for lines in self.blocks(10_000))

    def __repr__(self) -> str:
        return f"Table of {len(self):,} rows ({', '.join(self.heads)})"

    def _repr_html_(self) -> str:
        return self.to_html(_SHOWN)

    def to_html(self, most: int | None = None) -> str:
        """The table as HTML, or as many rows of it."""
        few = self[:most]
        head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in self.columns)
        drawn = [[*map(bar, few.bars.get(name, [0.0] * len(few)))] for name in few.columns]
        rows = (
            "".join(
                f"<td>{html.escape(cell)}{mark}</td>" for cell, mark in zip(row, bars, strict=True)
            )
            for row, *bars in zip(few.cells(), *drawn, strict=True)
        )
        more = f"<p>and {len(self) - len(few):,} more</p>" if len(few) < len(self) else ""
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def to_markdown(self) -> str:
        """The table as Markdown, each number with its unit."""
        heads = [name.replace("_", " ") for name in self.columns]
        rows = [heads, ["---"] * len(heads), *self.cells()]
        return "\n".join(
            f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows
        )


def bar(part: float) -> str:
    """A bar as long as a part of the longest; nothing where there is none."""
    if not part > 0:
        return ""
    look = f"width:{part * _LONGEST:.2f}em;height:.7em;background:currentColor;opacity:.55"
    return f'<div style="{look}"></div>'


def said(value: Any, unit: str = "") -> str:
    """A cell in words; `?` where nobody knows."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "?"
    return show(Q_(value, unit) if unit else value)


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows and does not run, whatever it takes for the end of a cell.

    >>> safe_cell("=HYPERLINK(0)"), safe_cell("x;=2+2")
    ("'=HYPERLINK(0)", "x;'=2+2")
    """
    return _FORMULA.sub("'", text)


def _aligned(cell: str, width: int, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _listed(column: Any) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else list(column)
