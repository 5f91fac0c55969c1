"""What the pages of a report show beside its data: whom to look at, drawings, the words asked."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import defaultdict
from functools import cache
from typing import Any

from grading.check import load
from mlsysim import pages
from mlsysim.course.journal import times
from mlsysim.course.lessons import lesson
from mlsysim.course.questions import fill


def of_class(report: dict[str, Any]) -> dict[str, Any]:
    """What the class page needs: whom to look at first, and who shares which mistake."""
    look = [
        (row, [flag["says"] for flag in row["flags"] if flag["severity"] == "look"])
        for row in report["students"]
    ]
    heat: dict[str, dict[str, list[tuple[str, list[dict[str, Any]]]]]] = {}
    for name in report["assignments"]:
        shared: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for row in report["students"]:
            if row["assignment"] == name:
                for q, mark in row["answers"].items():
                    if mark["name"] and not mark["kind"].startswith(("followed", "assumption")):
                        shared[q][mark["name"]].append(row)
        heat[name] = {
            q: sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
            for q, found in shared.items()
        }
    script = pages.source("class.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "look": [(row, says) for row, says in look if says],
        "heat": heat,
        "widest": {
            name: max((len(rows) for q in found.values() for _, rows in q), default=1)
            for name, found in heat.items()
        },
        "script": script,
        "script_hash": digest,  # no other script may run in the page
    }


@cache
def _asked(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """What an assignment's pages have alike: its predictions' texts, and what to read again."""
    checks = load(name)
    texts = {each: asked.text for each, asked in checks.predictions.items()}
    return texts, {q: texts.get(each.asked.see, "") for q, each in checks.questions.items()}


def of_student(row: dict[str, Any]) -> dict[str, Any]:
    """What a student's page needs: the questions with this student's numbers, and predictions."""
    checks, (predictions, sections) = load(row["assignment"]), _asked(row["assignment"])
    v = checks.assignment.variant(row["drawn"])
    guesses = {guess["question"]: guess for guess in row["guesses"]}
    made = []
    for name, text in predictions.items():
        committed, guess = name in row["predictions"]["committed"], guesses.get(name)
        said = "not made" if not committed else "made"
        if guess and guess["off_by"] is not None:
            off = guess["off_by"]
            said = "made, " + ("right" if off < 1.05 else f"off by a factor of {times(off)}")
        elif guess:
            said = "made, right" if guess["hit"] else "made, not right"
        made.append((name, text, committed, said))
    texts = {q: fill(checks.questions[q].asked.text, v) for q in row["answers"]}
    held = lesson(row["assignment"])
    return {"texts": texts, "made": made, "lesson": held, "sections": sections}
