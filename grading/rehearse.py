"""A made-up class, to try the whole way before a real one hands in: some right, some not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import mlsysim
from grading.check import Checks, load
from grading.judge import registry
from grading.kinds import Kind, Number
from grading.report import put, table
from mlsysim.course.journal import FIRST, Record
from mlsysim.course.lessons import ORDER
from mlsysim.course.sheet import Answer, Sheet
from mlsysim.course.variants import PUBLIC_SECRET, Variant, code_for

_ABSENT, _CONFUSED = 13, 11  # one of so many hands in nothing; one types somebody else's id


def rehearse(name: str, students: int, out: Path, secret: bytes | None) -> Path:
    """Write roster.csv and the hand-ins of a class, alike in every run; returns the roster."""
    checks, roster = load(name), out / "roster.csv"
    ids = [f"s{number:03d}" for number in range(1, students + 1)]
    rows = [[f"Participant {n}", f"Student {n:03d}", who] for n, who in enumerate(ids, start=1)]
    rows = [[*row, "Submitted", "", "100.00", "-", ""] for row in rows]
    (out / "hand-ins").mkdir(parents=True, exist_ok=True)
    put(roster, table([_WORKSHEET, *rows]))
    for number, who in enumerate(ids, start=1):
        if number % _ABSENT == 0:
            continue
        drawn_for = ids[0] if number % _CONFUSED == 0 else who
        code = code_for(drawn_for, checks.assignment.name, secret or PUBLIC_SECRET)
        sheet = _sheet(checks, who, checks.assignment.draw(code))
        folder = f"Student {number:03d}_{number}_assignsubmission_file_"
        (out / "hand-ins" / folder).mkdir(exist_ok=True)
        put(out / "hand-ins" / folder / "answers.json", sheet.to_json())
    return roster


_WORKSHEET = [
    "Identifier",
    "Full name",
    "ID number",
    "Status",
    "Grade",
    "Maximum Grade",
    "Last modified (submission)",
    "Feedback comments",
]


def _sheet(checks: Checks, who: str, v: Variant) -> Sheet:
    chance = random.Random(who)
    skill = chance.uniform(0.25, 1.0)
    answers = {
        name: _answer(question, v, chance, right=chance.random() < skill)
        for name, question in checks.questions.items()
    }
    return Sheet(
        assignment=checks.assignment.name,
        assignment_version=checks.assignment.version,
        mlsysim=mlsysim.__version__,
        registry=registry(),
        student=who,
        variant=v.fields,
        answers={name: answer for name, answer in answers.items() if not answer.blank},
        journal=tuple(_journal(checks, chance)),
    )


def _answer(question: Kind, v: Variant, chance: random.Random, *, right: bool) -> Answer:
    """The truth, or what a misconception gives, or something else; blank where it takes a text."""
    if question.asked.kind in ("spec", "function"):
        return Answer()
    if not question.judged:
        return Answer(value="It waits for memory: the bytes take longer.")
    slips = [slip(v) for slip in question.check.misconceptions.values()]
    slips = [slip for slip in slips if slip is not None]
    wrong = chance.choice(slips) if slips and chance.random() < 0.7 else None
    value = question.expected(v) if right or wrong is None else question.plain(wrong)
    if not isinstance(question, Number):
        listed = sorted(value) if isinstance(value, frozenset) else value
        return Answer(value=listed if isinstance(listed, str) else list(listed))
    off = 1.0 if right or wrong is not None else chance.choice((1000.0, 1.3, 0.4))
    unit = question.asked.unit or None
    if isinstance(value, tuple):
        return Answer(value=[f"{end * off:.5g}" for end in value], unit=unit)
    return Answer(value=f"{value * off:.5g}", unit=unit)


def _journal(checks: Checks, chance: random.Random) -> list[dict[str, Any]]:
    """Predictions made in order: numbers around the truth, choices by lot."""
    records, previous = [], FIRST
    for order, (name, asked) in enumerate(checks.predictions.items(), start=1):
        truth = checks.truths.get(name)
        if chance.random() < 0.1:
            continue
        value: Any = "I do not know yet."
        if asked.options:
            value = truth if chance.random() < 0.5 else chance.choice(asked.options)
        elif asked.order:
            value = ORDER.join(chance.sample(asked.order, len(asked.order)))
        elif isinstance(truth, float | int):
            value = float(f"{truth * 2 ** chance.gauss(0, 1.5):.3g}")
        sure = chance.choice((0.3, 0.6, 0.9))
        time = f"2026-11-20T18:{order:02d}:{chance.randrange(60):02d}Z"
        record = Record(
            question=name,
            value=value,
            unit=asked.unit,
            confidence=sure,
            order=order,
            time=time,
            previous=previous,
        )
        records.append(json.loads(record.line))
        previous = record.hash
    return records
