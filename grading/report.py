"""What an instructor gets: grades.csv, report.json, report.html and a page a student.

The same submissions give the same bytes: everything is sorted, and no clock is read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlsysim
from grading.check import load
from grading.grade import OTHER_VARIANT, Graded, Outcome, Refused, Skipped, printable
from grading.journal import calibration
from mlsysim import pages
from mlsysim.core.registry import registry_hash

SCHEMA = 1
STUDENTS = "students"
# at the start of a cell, of one after a semicolon or tab, or after spaces; full width, too
_SIGNS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"^(?=[\s\u00a0]*{_SIGNS}|[\t\r])|(?<=;)(?=\s*{_SIGNS})")
_PAGE = re.compile(r"[A-Za-z0-9_-]{1,40}-[0-9a-f]{12}\.html")


def page_name(graded: Graded) -> str:
    """A file name for a student's page: of an id only plain letters, and never the same twice.

    The hash is of the submission's path, which is unique in its folder.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", graded.id)[:40].strip("_") or "student"
    return f"{plain}-{hashlib.sha256(graded.file.encode()).hexdigest()[:12]}.html"


def report_of(outcomes: Sequence[Outcome], *, course_secret: bool) -> dict[str, Any]:
    """The whole report as plain data."""
    graded = [o for o in outcomes if isinstance(o, Graded)]
    names = sorted({g.assignment for g in graded})
    return {
        "schema": SCHEMA,
        "mlsysim": mlsysim.__version__,
        "registry": registry_hash(),
        "variants": "course secret" if course_secret else "public",
        "assignments": {
            name: _summary(name, [g for g in graded if g.assignment == name]) for name in names
        },
        "students": [_row(g) for g in graded],
        "unreadable": _files(outcomes, Refused),
        "skipped": _files(outcomes, Skipped),
    }


def _files(outcomes: Sequence[Outcome], kind: type[Refused | Skipped]) -> list[dict[str, str]]:
    return [{"file": o.file, "reason": o.reason} for o in outcomes if isinstance(o, kind)]


def _row(g: Graded) -> dict[str, Any]:
    made = {key: part for key, part in vars(g.predictions).items() if key != "guesses"}
    return {
        **{key: getattr(g, key) for key in ("student", "file", "assignment", "score", "out_of")},
        "answers": {
            v.question: {key: part for key, part in vars(v).items() if key != "question"}
            for v in g.marks
        },
        "predictions": {**made, "committed": list(g.predictions.committed)},
        "flags": list(g.flags),
        "other_numbers": OTHER_VARIANT in g.flags,
        "drawn": {key: printable(str(value)) for key, value in g.drawn.items()},
        "page": f"{STUDENTS}/{page_name(g)}",
    }


def _summary(name: str, graded: list[Graded]) -> dict[str, Any]:
    checks = load(name)
    parts = [g.score / g.out_of for g in graded]
    distribution = Counter(min(int(part * 10), 9) for part in parts)
    questions = {}
    for index, question in enumerate(checks.questions.values()):
        marks = [g.marks[index] for g in graded]
        named = Counter(v.name for v in marks if v.name and not v.kind.startswith("followed"))
        questions[question.name] = {
            "title": question.asked.title,
            "points": question.points,
            "success": round(sum(v.credit for v in marks) / len(marks), 4),
            "kinds": dict(sorted(Counter(v.kind for v in marks).items())),
            "named": dict(sorted(named.items())),
        }
    return {
        "version": checks.assignment.version,
        "students": len(graded),
        "out_of": checks.points,
        "mean": round(sum(parts) / len(parts), 4),
        "distribution": [distribution[tenth] for tenth in range(10)],
        "questions": questions,
        "committed": {
            p: sum(p in g.predictions.committed for g in graded) for p in checks.predictions
        },
        "calibration": calibration([guess for g in graded for guess in g.predictions.guesses]),
    }


def to_json(report: dict[str, Any]) -> str:
    """The report's text, one line a student: quick to write, and differences are easy to read."""
    head = {key: value for key, value in report.items() if key != "students"}
    rows = ",\n  ".join(_json(row) for row in report["students"])
    return _json(head, indent=1).removesuffix("\n}") + f',\n "students": [\n  {rows}\n ]\n}}\n'


def _json(value: Any, indent: int | None = None) -> str:
    """JSON that every reader takes, with no infinity in it."""
    return json.dumps(value, indent=indent, sort_keys=True, allow_nan=False)


def to_csv(report: dict[str, Any]) -> str:
    """One line a submission, also where it could not be read; no cell can act as a formula."""
    questions = sorted(
        {name for row in report["students"] for name in row["answers"]}, key=_natural
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["student", "file", "assignment", "score", "out_of", "percent"]
    writer.writerow([*head, *questions, "predictions", "remarks"])
    for row in report["students"]:
        points = [row["answers"][q]["points"] if q in row["answers"] else "" for q in questions]
        percent = round(100 * row["score"] / row["out_of"], 1)
        remarks = "; ".join([*row["flags"], *filter(None, [row["predictions"]["fault"]])])
        writer.writerow(
            [
                safe_cell(row["student"]),
                safe_cell(row["file"]),
                row["assignment"],
                row["score"],
                row["out_of"],
                percent,
                *points,
                row["predictions"]["points"],
                safe_cell(remarks),
            ]
        )
    for refused in (*report["unreadable"], *report["skipped"]):
        empty = [""] * (len(questions) + 5)
        writer.writerow(
            ["", safe_cell(refused["file"]), *empty, safe_cell(f"not graded: {refused['reason']}")]
        )
    return out.getvalue()


def safe_cell(text: str) -> str:
    """Text that a spreadsheet shows and does not run, whatever it takes for the end of a cell.

    >>> safe_cell("=HYPERLINK(0)"), safe_cell("x;=2+2")
    ("'=HYPERLINK(0)", "x;'=2+2")
    """
    return _FORMULA.sub("'", text)


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def differences(before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
    """Which scores changed since an earlier report, in sentences."""
    if before is None:
        return []
    old, new = _scores(before), _scores(after)
    lines = [
        f"{file}: {old[file]:g} -> {new[file]:g}"
        for file in sorted(new)
        if file in old and old[file] != new[file]
    ]
    lines += [f"{file}: new, {new[file]:g}" for file in sorted(set(new) - set(old))]
    return lines + [
        f"{file}: no longer graded, was {old[file]:g}" for file in sorted(set(old) - set(new))
    ]


def _scores(report: dict[str, Any]) -> dict[str, float]:
    return {row["file"]: row["score"] for row in report["students"]}


def earlier(out: Path) -> dict[str, Any] | None:
    """The report that stands in the folder already; None when there is none that can be read."""
    try:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        _scores(report)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report


def write(report: dict[str, Any], out: Path) -> None:
    """Write all the files of a report; stale students' pages of an earlier report go away."""
    write_students(report, out)
    fresh = {Path(row["page"]).name for row in report["students"]}
    for page in (out / STUDENTS).glob("*.html"):
        if page.name not in fresh and _PAGE.fullmatch(page.name):
            page.unlink()
    _put(out / "grades.csv", to_csv(report))
    _put(out / "report.html", pages.render("class.html", report=report))
    _put(out / "report.json", to_json(report))


def write_students(report: dict[str, Any], out: Path) -> None:
    """Write one page a student."""
    (out / STUDENTS).mkdir(parents=True, exist_ok=True)
    for row in report["students"]:
        page = pages.render("student.html", row=row, report=report)
        _put(out / row["page"], page)


def _put(path: Path, text: str) -> None:
    """Write a file at once: whoever is ended in between leaves the old one whole."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)
