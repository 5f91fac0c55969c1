"""A class of made-up learners: their sheets, right and wrong."""

from __future__ import annotations

import csv
import json

import pytest

import mlsysim
from benchmarks.class_grading import just_enough
from grading.check import load
from grading.commands import main
from mlsysim.core.registry import registry_hash
from mlsysim.course.journal import FIRST, Record
from mlsysim.course.lessons import ORDER, assignment, find_lesson
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import PUBLIC_SECRET, code_for

NAME = "00_hello_roofline"


@pytest.fixture(scope="session")
def checks():
    """The checks of exercise 00."""
    return load(NAME)


@pytest.fixture
def variant(checks):
    """The variant that an id draws."""
    return lambda student, secret=PUBLIC_SECRET: checks.assignment.draw(
        code_for(student, NAME, secret)
    )


def journal(*questions, day=20):
    """An unbroken journal of commitments, each of which answers its question."""
    records, previous = [], FIRST
    for order, question in enumerate(questions, start=1):
        records.append(
            {
                "question": question,
                **said(find_lesson(question[:2]).predictions.get(question)),
                "confidence": 0.6,
                "order": order,
                "time": f"2026-11-{day}T18:00:00Z",
                "previous": previous,
            }
        )
        previous = Record(**records[-1]).hash
    return records


def said(asked):
    """An answer of the kind that a prediction asks for."""
    if asked is None:
        return {"value": 8.0, "unit": "ms"}
    if asked.options or asked.order:
        return {"value": ORDER.join(asked.order) if asked.order else asked.options[0], "unit": None}
    return {"value": 8.0, "unit": asked.unit}


def typed(answers):
    """Answers of plain data as a sheet holds them."""
    return {name: Answer.build(answer) for name, answer in answers.items()}


def unit_of(question):
    """The unit in which a question is judged; None where it has none."""
    return getattr(question.asked, "unit", "") or None


CHIPS = {"q8": just_enough}


@pytest.fixture
def right(checks):
    """The right answers to a variant, as a learner would write them."""

    def answers(v):
        given = {}
        for q in checks.questions.values():
            truth = CHIPS[q.name](v) if q.name in CHIPS else q.expected(v)
            value = truth if isinstance(truth, str) else f"{truth:.6g}"
            given[q.name] = {"value": value, "unit": unit_of(q), "assumption": None}
        return given

    return answers


@pytest.fixture(scope="session")
def registry():
    """The registry's hash, worked out once: it reads every file."""
    return registry_hash()


@pytest.fixture
def sheet(variant, registry):
    """A whole answer sheet as plain data."""

    def build(student, answers, **changes):
        return {
            "schema": 1,
            "assignment": NAME,
            "assignment_version": assignment(NAME).version,
            "mlsysim": mlsysim.__version__,
            "registry": registry,
            "student": student,
            "variant": variant(student).fields,
            "answers": answers,
            "journal": journal("00.1", "00.2", "00.3", "00.4", "00.5", day=student.encode().hex()),
            "notebook": None,
            **changes,
        }

    return build


@pytest.fixture
def hand_in(tmp_path, sheet):
    """Write a sheet into the class's folder."""
    folder = tmp_path / "class"
    folder.mkdir()

    def write(student, answers, file=None, **changes):
        path = folder / (file or f"{student}.json")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(json.dumps(sheet(student, answers, **changes)), encoding="utf-8")
        return path

    write.folder = folder
    return write


@pytest.fixture
def grade(hand_in, tmp_path, capsys, monkeypatch):
    """Run `grade` on the class's folder."""
    monkeypatch.delenv("GRADING_SECRET", raising=False)
    out = tmp_path / "out"

    def run(*options):
        code = main(["grade", str(hand_in.folder), "--out", str(out), *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    run.out = out
    run.report = lambda: json.loads((out / "report.json").read_text())
    run.rows = lambda: {
        r["student"]: r for r in csv.DictReader((out / "grades.csv").read_text().splitlines())
    }
    return run
