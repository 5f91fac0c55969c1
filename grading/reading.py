"""Opening hand-ins: the door of `mlsysim.course.reading`, by the name that callers know."""

from __future__ import annotations

from mlsysim.course.reading import (
    MOST_BYTES,
    NoSheetError,
    UnreadableError,
    parse,
    read_bytes,
    read_sheet,
    sheet_of,
)

__all__ = [
    "MOST_BYTES",
    "NoSheetError",
    "UnreadableError",
    "parse",
    "read_bytes",
    "read_sheet",
    "sheet_of",
]
