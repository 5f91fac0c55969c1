"""The last stage: grades.csv, report.json, report.html and a page a student.

The same hand-ins give the same bytes: everything is sorted, and no clock is read. Each file is
written aside and renamed, so that whoever ends the run in between leaves the old one whole.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import mlsysim
from grading import views
from grading.book import Book, Booked
from grading.check import load
from grading.journal import calibration
from grading.judge import Graded, Refused, Skipped, registry
from mlsysim import pages
from mlsysim.core.table import safe_cell

SCHEMA = 2
STUDENTS, NAMES = "students", "names.csv"
_PAGE = re.compile(r"[A-Za-z0-9_-]{1,40}-[0-9a-f]{12}\.html")


def page_name(graded: Graded) -> str:
    """A file name for a student's page: of an id only plain letters, and never the same twice."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", graded.id)[:40].strip("_") or "student"
    whose = hashlib.sha256(f"{graded.assignment}|{graded.id}".encode()).hexdigest()[:12]
    return f"{plain}-{whose}.html"


def report_of(held: Book, *, course_secret: bool) -> dict[str, Any]:
    """The whole report as plain data."""
    names = sorted({row.of.assignment for row in held.rows})
    return {
        "schema": SCHEMA,
        "course": held.gradebook.course,
        "mlsysim": mlsysim.__version__,
        "registry": registry(),
        "variants": "course secret" if course_secret else "public",
        "assignments": {
            name: _summary(name, [row for row in held.rows if row.of.assignment == name])
            for name in names
        },
        "students": [_row(row) for row in held.rows],
        "missing": {
            name: [{"student": each.id, "name": each.name} for each in those]
            for name, those in held.missing.items()
            if those
        },
        "totals": _totals(held) if len(held.missing) > 1 else {},
        "unreadable": _files(held, Refused),
        "skipped": _files(held, Skipped),
    }


def _files(held: Book, kind: type[Refused | Skipped]) -> list[dict[str, str]]:
    found = [{"file": o.file, "reason": o.reason} for o in held.outcomes if isinstance(o, kind)]
    return sorted(found, key=lambda each: each["file"])


def _row(row: Booked) -> dict[str, Any]:
    g = row.of
    made = {key: p for key, p in vars(g.predictions).items() if key not in ("guesses", "digest")}
    return {
        "student": g.student,
        "name": row.enrolled.name,
        "section": row.enrolled.section,
        "file": g.file,
        "assignment": g.assignment,
        "score": row.score,
        "out_of": row.out_of,
        "earned": row.earned,
        "part_off": row.part_off,
        "at": g.at,
        "answers": {
            v.question: {key: part for key, part in vars(v).items() if key != "question"}
            for v in row.marks
        },
        "dropped": dict(row.dropped),
        "notes": dict(row.notes),
        "predictions": {**made, "committed": list(g.predictions.committed)},
        "guesses": [vars(guess) for guess in g.predictions.guesses],
        "flags": [
            {"kind": f.kind, "severity": f.fact.severity, "says": str(f), "told": f.told}
            for f in row.flags
        ],
        "drawn": dict(g.drawn),
        "page": f"{STUDENTS}/{page_name(g)}",
    }


def _summary(name: str, rows: list[Booked]) -> dict[str, Any]:
    checks = load(name)
    parts = [row.part for row in rows]
    distribution = Counter(min(int(part * 10), 9) for part in parts)
    low, middle, high = quantiles(parts, method="inclusive") if len(parts) > 1 else parts * 3
    questions = {}
    for index, question in enumerate(checks.questions.values()):
        marks = [row.marks[index] for row in rows]
        named = Counter(v.name for v in marks if v.name and not v.kind.startswith("followed"))
        questions[question.name] = {
            "title": question.asked.title,
            "points": marks[0].out_of,
            "dropped": rows[0].dropped.get(question.name, ""),
            "success": round(sum(v.credit for v in marks) / len(marks), 4),
            "kinds": dict(sorted(Counter(v.kind for v in marks).items())),
            "named": dict(sorted(named.items())),
        }
    made = [row.of.predictions for row in rows]
    return {
        "version": checks.assignment.version,
        "students": len(rows),
        "out_of": max(row.out_of for row in rows),
        "mean": round(sum(parts) / len(parts), 4),
        "median": round(median(parts), 4),
        "quartiles": [round(part, 4) for part in (low, middle, high)],
        "distribution": [distribution[tenth] for tenth in range(10)],
        "questions": questions,
        "committed": {p: sum(p in each.committed for each in made) for p in checks.predictions},
        "calibration": calibration([guess for each in made for guess in each.guesses]),
    }


def _totals(held: Book) -> dict[str, float]:
    """The part of the course that each student has: weighted, what is missing counts nothing."""
    weights = {name: float(held.gradebook.of(name).weight) for name in held.missing}
    got: dict[str, float] = defaultdict(float)
    for row in held.rows:
        got[row.of.student] += weights[row.of.assignment] * row.part
    for those in held.missing.values():
        for each in those:
            got[each.id] += 0.0
    return {who: round(part / sum(weights.values()), 4) for who, part in sorted(got.items())}


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
    asked = {name for row in report["students"] for name in row["answers"]}
    questions = sorted(asked, key=_natural)
    head = ["student", "name", "section", "file", "assignment", "score", "out_of", "percent"]
    rows = [[*head, *questions, "predictions", "remarks"]]
    for row in report["students"]:
        remarks = "; ".join(flag["says"] for flag in row["flags"])
        rows.append(
            [
                *(safe_cell(row[key]) for key in head[:4]),
                *(row[key] for key in head[4:7]),
                percent(row),
                *(row["answers"].get(q, {}).get("points", "") for q in questions),
                row["predictions"]["points"],
                safe_cell(remarks),
            ]
        )
    width = len(questions) + 1
    for name, those in report["missing"].items():
        for each in those:
            who = [safe_cell(each["student"]), safe_cell(each["name"])]
            rows.append([*who, "", "", name, "", "", "", *[""] * width, "missing"])
    for refused in (*report["unreadable"], *report["skipped"]):
        why = safe_cell(f"not graded: {refused['reason']}")
        rows.append(["", "", "", safe_cell(refused["file"]), *[""] * (width + 4), why])
    return table(rows)


def table(rows: Sequence[Sequence[Any]], delimiter: str = ",") -> str:
    """Rows as CSV."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def percent(row: dict[str, Any]) -> float:
    """A row's score in percent."""
    return round(100 * row["score"] / row["out_of"], 1) if row["out_of"] else 0.0


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def differences(before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
    """Which scores changed since an earlier report, in sentences."""
    if before is None:
        return []
    old, new = _scores(before), _scores(after)
    lines = [
        f"{who}: {old[who]:g} -> {new[who]:g}"
        for who in sorted(new)
        if who in old and old[who] != new[who]
    ]
    lines += [f"{who}: new, {new[who]:g}" for who in sorted(set(new) - set(old))]
    return lines + [
        f"{who}: no longer graded, was {old[who]:g}" for who in sorted(set(old) - set(new))
    ]


def _scores(report: dict[str, Any]) -> dict[str, float]:
    several = len({row.get("assignment") for row in report["students"]}) > 1
    return {
        f"{row['student']} in {row['assignment']}" if several else row["student"]: row["score"]
        for row in report["students"]
    }


def earlier(out: Path) -> dict[str, Any] | None:
    """The report that stands in the folder already; None when there is none that can be read."""
    try:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        _scores(report)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report


def write(report: dict[str, Any], out: Path, names: dict[str, str] | None = None) -> None:
    """Write all the files of a report; stale students' pages of an earlier report go away.

    `names` says whose each alias of an anonymous report is.
    """
    write_students(report, out)
    fresh = {Path(row["page"]).name for row in report["students"]}
    for page in (out / STUDENTS).glob("*.html"):
        if page.name not in fresh and _PAGE.fullmatch(page.name):
            page.unlink()
    if names is None:
        (out / NAMES).unlink(missing_ok=True)
    else:
        rows = sorted((alias, safe_cell(who)) for alias, who in names.items())
        put(out / NAMES, table([("alias", "student"), *rows]))
    put(out / "grades.csv", to_csv(report))
    put(out / "report.html", pages.render("class.html", report=report, **views.of_class(report)))
    put(out / "report.json", to_json(report))


def write_students(report: dict[str, Any], out: Path) -> None:
    """Write one page a student."""
    (out / STUDENTS).mkdir(parents=True, exist_ok=True)
    for row in report["students"]:
        facts = views.of_student(row)
        put(out / row["page"], pages.render("student.html", row=row, report=report, **facts))


def put(path: Path, text: str) -> None:
    """Write a file at once, if it is another: whoever ends it in between leaves the old one."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
