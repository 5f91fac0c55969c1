"""Exercises, solutions and checks, as files: derived, complete, unsolved, solved in full."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grading import derive
from grading.check import load
from grading.grade import grade_sheet
from grading.reading import parse, sheet_of
from mlsysim.learn.answers import to_json
from tests.grading.conftest import journal

STEMS = sorted(path.stem for path in derive.SOLUTIONS.glob("*.py"))
each = pytest.mark.parametrize("stem", STEMS)
IDS = [f"student {n}" for n in range(200)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Drafts and journals in a folder of the test's own."""
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    monkeypatch.delenv("MLSYSIM_JOURNAL", raising=False)


def notebook(folder, stem):
    spec = importlib.util.spec_from_file_location(f"{folder.name}_{stem}", folder / f"{stem}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def handed_in(app, student, records=()):
    """The answers.json that a notebook makes for a student, as the grader reads it."""
    _, defs = app.run(defs={"student": student, "code": "", "journal": list(records)})
    return sheet_of(parse(to_json(defs["document"]).encode()))


def test_exercises_are_what_their_solutions_give_and_none_is_a_stray():
    assert derive.stale() == []


def test_a_solution_a_check_and_an_exercise_come_together():
    checks = {path.stem[1:] for path in (derive.ROOT / "grading" / "checks").glob("c*.py")}
    assert checks == set(STEMS) == {path.stem for path in derive.EXERCISES.glob("*.py")}


@each
def test_the_untouched_exercise_scores_nothing_and_does_not_crash(stem):
    sheet = handed_in(notebook(derive.EXERCISES, stem), "ada")
    graded = grade_sheet(sheet)
    assert sheet.answers == {}
    assert graded.score == 0
    assert {verdict.kind for verdict in graded.verdicts} == {"blank"}
    assert graded.flags == ()


@each
def test_the_solution_scores_full_marks_for_two_hundred_students(stem):
    app, checks = notebook(derive.SOLUTIONS, stem), load(stem)
    for student in IDS:
        graded = grade_sheet(handed_in(app, student, journal(*checks.predictions)))
        assert graded.score == graded.out_of == checks.points, (student, graded)
        assert graded.flags == ()


@each
def test_the_exercise_holds_no_answer(stem):
    solution = (derive.SOLUTIONS / f"{stem}.py").read_text(encoding="utf-8")
    exercise = (derive.EXERCISES / f"{stem}.py").read_text(encoding="utf-8")
    lines = exercise.splitlines()
    marks = [number for number, line in enumerate(lines) if derive.MARK.fullmatch(line)]
    assert len(marks) == len(load(stem).questions)
    assert len(exercise) < len(solution)
    assert not any(lines[number + 1].strip() for number in marks)


@each
def test_without_an_id_the_page_waits_for_one(stem):
    _, defs = notebook(derive.EXERCISES, stem).run()
    assert "document" not in defs


@each
@pytest.mark.parametrize(
    "folder", [derive.EXERCISES, derive.SOLUTIONS], ids=["exercise", "solution"]
)
def test_marimo_finds_nothing_to_mend(stem, folder):
    command = [sys.executable, "-m", "marimo", "check", "--strict", str(folder / f"{stem}.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_exercise_is_told_with_the_command_that_mends_it(tmp_path):
    solutions, exercises = tmp_path / "solutions", tmp_path / "exercises"
    solutions.mkdir()
    (solutions / "00_x.py").write_text("mine = None\n# answer: now\nmine = 1\n\nask(mine)\n")
    (solutions / "01_y.py").write_text("mine = 1\n")
    exercises.mkdir()
    (exercises / "02_stray.py").write_text("")
    faults = derive.stale(tmp_path)
    assert [fault.split(" ", 1)[0] for fault in faults] == [
        "solutions/01_y.py",
        "exercises/00_x.py",
        "exercises/01_y.py",
        "exercises/02_stray.py",
    ]
    assert "python -m grading derive" in faults[1]
    assert [path.name for path in derive.write(tmp_path)] == ["00_x.py", "01_y.py"]
    assert (exercises / "00_x.py").read_text() == "mine = None\n# answer: now\n\nask(mine)\n"
    assert derive.write(tmp_path) == []


def test_mlsysim_never_imports_the_grader():
    package = derive.ROOT / "mlsysim"
    for path in sorted(Path(package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "import grading" not in text, path
        assert "from grading" not in text, path
