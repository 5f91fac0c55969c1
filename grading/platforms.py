"""Marks on their way back: tables of Canvas and Moodle filled in, and Moodle's feedback files."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grading.report import NAMES, earlier, put, table
from grading.roster import CANVAS, Table, read_roster, read_table
from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.core.table import safe_cell
from mlsysim.course.lessons import assignment, lesson
from mlsysim.course.variants import clean_id

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file in a zip, so that its bytes stay the same


def export(report: Path, sheet: Path, out: Path, name: str = "") -> list[Path]:
    """Fill in a platform's own table with the marks of a report; returns what was written.

    `name` is the assignment, which may be left out where there is one. Raises MLSysError.
    """
    held = earlier(report)
    if held is None:
        raise BadArgument("the report", str(report), "grade the class first")
    names = sorted(held["assignments"])
    if not name and len(names) != 1:
        raise BadArgument("--assignment", name, f"say which of {', '.join(names)}")
    name = assignment(name).name if name else names[0]
    whose = _names(report)
    rows = {
        clean_id(whose.get(row["student"], row["student"])): row
        for row in held["students"]
        if row["assignment"] == name
    }
    filled, roster = read_table(sheet), read_roster(sheet)
    low = {header.casefold() for header in filled.header}
    marks: dict[int, dict[str, Any]] = {}
    for index, line in enumerate(filled.rows):
        found = roster.find(line.get("identifier", ""), CANVAS + line.get("id", ""))
        if found and clean_id(found.id) in rows:
            marks[index] = rows[clean_id(found.id)]
    out.mkdir(parents=True, exist_ok=True)
    if "identifier" in low:
        grades = out / "moodle-grades.csv"
        put(grades, _moodle(filled, marks))
        feedback = out / "moodle-feedback.zip"
        feedback.write_bytes(_feedback(filled, marks, report))
        return [grades, feedback]
    if {"student", "id"} <= low:
        grades = out / "canvas-grades.csv"
        put(grades, _canvas(filled, marks, name, held["assignments"][name]["out_of"]))
        return [grades]
    raise InvalidEntry(
        sheet.name, "", "it is neither Moodle's grading worksheet nor Canvas's table"
    )


def _names(report: Path) -> dict[str, str]:
    """Whose each alias of an anonymous report is."""
    path = report / NAMES
    if not path.exists():
        return {}
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {row["alias"]: row["student"].removeprefix("'") for row in rows}


def _moodle(filled: Table, marks: Mapping[int, dict[str, Any]]) -> str:
    """Moodle's grading worksheet: the grade of its maximum, with its own decimal sign."""
    rows: list[list[str]] = [filled.header]
    for index, line in enumerate(filled.rows):
        cells = dict(line)
        if row := marks.get(index):
            most = cells.get("maximum grade", "100")
            part = row["score"] / row["out_of"] if row["out_of"] else 0.0
            grade = f"{part * float(most.replace(',', '.') or 100):.2f}"
            cells["grade"] = grade.replace(".", ",") if "," in most else grade
            said = f"{row['score']:g} of {row['out_of']:g} points"
            cells["feedback comments"] = "; ".join([said, *_told(row)])
        rows.append([safe_cell(cells.get(header.casefold(), "")) for header in filled.header])
    return table(rows, filled.delimiter)


def _told(row: dict[str, Any]) -> list[str]:
    return [flag["told"] for flag in row["flags"] if flag["told"]]


def _canvas(filled: Table, marks: Mapping[int, dict[str, Any]], name: str, out_of: float) -> str:
    """Canvas's gradebook: the columns that name a student, and one of points.

    The column is the one whose name holds the exercise's number or stem, else a new one.
    """
    held = lesson(name)
    sign = re.compile(rf"\b{name}\b|\bexercise 0*{held.number}\b", re.IGNORECASE)
    fixed = [header for header in filled.header if header.casefold() in _CANVAS]
    new = f"Exercise {held.number:02d} {held.title}"
    column = next((h for h in filled.header if sign.search(h)), new)
    rows: list[list[Any]] = [[*fixed, column]]
    for index, line in enumerate(filled.rows):
        total = line.get("student", "").casefold().startswith("points possible")
        row = marks.get(index)
        points = out_of if total else row["score"] if row else line.get(column.casefold(), "")
        rows.append([*(safe_cell(line.get(h.casefold(), "")) for h in fixed), points])
    return table(rows, filled.delimiter)


_CANVAS = ("student", "id", "sis user id", "sis login id", "section")


def _feedback(filled: Table, marks: Mapping[int, dict[str, Any]], report: Path) -> bytes:
    """A zip of each student's page, in the layout that Moodle takes feedback files in."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        for index, row in marks.items():
            line = filled.rows[index]
            number = re.sub(r"\D", "", line["identifier"])
            who = re.sub(r"[^\w .'-]", "_", line.get("full name", "")).strip(". ") or "student"
            place = f"{who}_{number}_assignsubmission_file_/feedback.html"
            page = (report / row["page"]).read_bytes()
            packed.writestr(zipfile.ZipInfo(place, _LONG_AGO), page, zipfile.ZIP_DEFLATED)
    return held.getvalue()
