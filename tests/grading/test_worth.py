"""What each question is worth and how near an answer must come: a class's marks hang on both.

Verdicts are tested by the right answer and the slips, which earn the same of any number of points.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from grading.check import load
from mlsysim.course.lessons import lessons

TABLE = Path(__file__).with_name("worth.txt")
REWRITE = "python -m tests.grading.test_worth"


def worth() -> Iterator[str]:
    """`00_hello_roofline q1 Number 2 within 0.02` for every question of every exercise."""
    for lesson in lessons():
        for q in load(lesson.stem).questions.values():
            near = f" or {q.check.slack:g}" if q.check.slack else ""
            worth = f"{q.check.points:g} within {q.check.within:g}{near}"
            yield f"{lesson.stem} {q.name} {type(q).__name__} {worth}\n"


def test_every_question_is_worth_what_the_table_says():
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
