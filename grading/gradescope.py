"""The grader inside Gradescope's container: one hand-in, judged into results/results.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mlsysim
from grading import sandbox
from grading.book import Booked, Gradebook, Late, book, read_gradebook
from grading.collect import collected, moment
from grading.judge import Graded, Judge, Refused, judge_all
from grading.roster import read_roster
from mlsysim.core.registry import registry_hash
from mlsysim.course.variants import PUBLIC_SECRET

SECRET, ROSTER, GRADEBOOK = "secret", "roster.csv", "gradebook.yaml"


def results(root: Path) -> dict[str, Any]:
    """What Gradescope shows of the hand-in in `root`/submission; lateness it counts itself.

    The course secret lies beside it, so no function of a student's is run.
    """
    sandbox.shut("Gradescope's container holds the course secret; functions are graded offline")
    source = root / "source"
    secret, roster = source / SECRET, source / ROSTER
    held = read_gradebook(source / GRADEBOOK) if (source / GRADEBOOK).exists() else Gradebook()
    judge = Judge(
        secret.read_bytes().strip() if secret.exists() else PUBLIC_SECRET,
        read_roster(roster) if roster.exists() else None,
    )
    told = json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))
    people = told.get("users") or [{}]
    who = tuple(str(people[0][key]) for key in ("sid", "email", "name") if people[0].get(key))
    with collected(root / "submission") as (handed, _):
        at = moment(told.get("created_at", ""))
        outcomes = judge_all([each._replace(who=who, at=at) for each in handed], judge)
    graded = [each for each in outcomes if isinstance(each, Graded)]
    if not graded:
        reasons = [f"{o.file}: {o.reason}" for o in outcomes if isinstance(o, Refused)]
        said = "; ".join(reasons) or "There is no answers.json in this hand-in."
        return {"score": 0.0, "output": said, **_stamp()}
    rules = held.replace(late=Late(), overrides=(), attempts="latest")
    row = book(graded, judge.roster, rules).rows[0]
    return {"score": row.score, "output": _said(row), "tests": _tests(row), **_stamp()}


def _stamp() -> dict[str, Any]:
    judged = {"mlsysim": mlsysim.__version__, "registry": registry_hash()}
    return {"visibility": "visible", "stdout_visibility": "hidden", "extra_data": judged}


def _said(row: Booked) -> str:
    told = [flag.told for flag in row.flags if flag.told]
    return "\n".join([f"{row.score:g} of {row.out_of:g} points.", *told])


def _tests(row: Booked) -> list[dict[str, Any]]:
    """Each question, and the predictions, as Gradescope's tests."""
    made = row.of.predictions
    tests = [
        {
            "name": mark.question,
            "score": 0.0 if mark.question in row.dropped else mark.points,
            "max_score": 0.0 if mark.question in row.dropped else mark.out_of,
            "output": row.dropped.get(mark.question) or mark.message,
        }
        for mark in row.marks
    ]
    if made.out_of:
        said = f"Committed before the reveal: {', '.join(made.committed) or 'none'}."
        tests.append(
            {"name": "predictions", "score": made.points, "max_score": made.out_of, "output": said}
        )
    for test in tests:
        test["status"] = "passed" if test["score"] >= test["max_score"] else "failed"
        test["output_format"] = "text"
        test["visibility"] = "visible"
    return tests


def main(root: Path) -> int:
    """Judge, and write results.json whatever happens."""
    try:
        held = results(root)
    except Exception as error:  # without a file Gradescope shows the student nothing at all
        said = f"The grader could not work; your instructor can see why: {error}"
        held = {"score": 0.0, "output": said, "visibility": "visible"}
    (root / "results").mkdir(exist_ok=True)
    text = json.dumps(held, allow_nan=False)
    (root / "results" / "results.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
