"""What questions are worth, how near answers must come, what functions are called with.

A class's marks hang on all three.

Verdicts are tested by the right answer and the slips, which earn the same of any number of points.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from grading.check import load
from grading.code import Function
from mlsysim.course.lessons import Assignment, lessons

TABLE = Path(__file__).with_name("worth.txt")
REWRITE = "python -m tests.grading.test_worth"


def called(q: Function, assigned: Assignment) -> str:
    """A digest of what a function is called with for 64 codes, to twelve digits."""
    drawn = (assigned.draw(f"{n:016x}") for n in range(0, 2**60, 2**54))
    rows = [[{k: f"{x:.12g}" for k, x in row.items()} for row in q.inputs(v)] for v in drawn]
    assert len(rows) == 64
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def worth() -> Iterator[str]:
    """`00_hello_roofline q1 Number 2 within 0.02` for every question of every exercise."""
    for lesson in lessons():
        held = load(lesson.stem)
        for q in held.questions.values():
            near = f" or {q.check.slack:g}" if q.check.slack else ""
            near += f", called with {called(q, held.assignment)}" if isinstance(q, Function) else ""
            worth = f"{q.check.points:g} within {q.check.within:g}{near}"
            yield f"{lesson.stem} {q.name} {type(q).__name__} {worth}\n"


def test_every_question_is_worth_and_called_with_what_the_table_says():
    written = TABLE.read_text(encoding="utf-8").splitlines(keepends=True)
    now = [*worth()]
    changed = [f"- {line}" for line in written if line not in now]
    changed += [f"+ {line}" for line in now if line not in written]
    assert not changed, f"{changed}; if that is meant, run `{REWRITE}` and read what it changed"
    assert now == written
    assert len({line.split()[0] for line in now}) == 19


if __name__ == "__main__":
    TABLE.write_text("".join(worth()), encoding="utf-8")
    sys.stdout.write(f"{TABLE}\n")
