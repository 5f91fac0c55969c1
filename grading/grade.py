"""One sheet or one file judged here and now, without a class list."""

from __future__ import annotations

from pathlib import Path

from grading.judge import Graded, Judge, Outcome, Refused
from mlsysim.course.sheet import Sheet

__all__ = ["Graded", "Refused", "grade_file", "grade_sheet"]


def grade_sheet(sheet: Sheet) -> Graded:
    """Judge one sheet; raises UnknownName."""
    return Judge().sheet(sheet)


def grade_file(path: Path) -> Outcome:
    """Judge one file."""
    return Judge().file(path)
