"""Every lesson, by its stem: its files, its tutorial, its exercise, its solution, its checks.

Each notebook runs once unanswered and once answered, and all tests of a lesson look at what came of
it. A new lesson is found by its facts and needs no test of its own.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any, NamedTuple

import pytest
import yaml

from grading import derive
from grading.check import load as checks_of
from grading.grade import Graded, grade_sheet
from grading.reading import parse, sheet_of
from mlsysim import Engine, Hardware, Models
from mlsysim.course import lessons as course
from mlsysim.course.lessons import Lesson
from mlsysim.learn import Journal
from mlsysim.learn.predict import predict
from tests.grading.conftest import journal as committed
from tests.notebooks import ROOT, answered_journal, environment

FEW, MANY = range(8), range(8, 200)


class Ran(NamedTuple):
    """What came of a notebook: the names that its cells defined, and the journal beside it."""

    defs: dict[str, Any]
    journal: Journal

    @property
    def asked(self) -> list[predict]:
        """The predictions that it asks for."""
        return [value for value in self.defs.values() if isinstance(value, predict)]


def app(folder, stem) -> Any:
    """A notebook's app, not yet run."""
    path = ROOT / folder / f"{stem}.py"
    spec = importlib.util.spec_from_file_location(f"{folder}_{stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def run(stem, journal, **more) -> Ran:
    """A tutorial, run with a journal."""
    _, defs = app("tutorials", stem).run(defs={"journal": journal, **more})
    return Ran(dict(defs), journal)


def graded(notebook, student, predictions=()) -> Graded:
    """What an exercise's notebook makes for a student, read and judged as a grader does."""
    given = {"student": student, "code": "", "journal": committed(*predictions)}
    _, defs = notebook.run(defs=given)
    return grade_sheet(sheet_of(parse(defs["document"].to_json().encode())))


def clean(environ, folder) -> dict[str, str]:
    """The environment of someone who has not begun."""
    return {**environ, "MLSYSIM_HOME": str(folder), "MLSYSIM_JOURNAL": ""}


@pytest.fixture(
    scope="module",
    params=[pytest.param(stem, marks=pytest.mark.xdist_group(stem)) for stem in course.stems()],
    ids=course.stems(),
)
def lesson(request) -> Lesson:
    """Each lesson in turn; with several processes, the tests of one stay together."""
    return course.lesson(request.param)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Drafts and journals in a folder of the module's own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSYSIM_HOME", str(folder))
        patch.delenv("MLSYSIM_JOURNAL", raising=False)
        yield folder


@pytest.fixture(scope="module")
def unanswered(lesson, tmp_path_factory) -> Ran:
    """The tutorial as whoever opens it first meets it."""
    return run(lesson.stem, Journal(tmp_path_factory.mktemp("new") / "journal.jsonl"))


@pytest.fixture(scope="module")
def answered(lesson, tmp_path_factory) -> Ran:
    """The tutorial with the answers of its reference journal."""
    return run(lesson.stem, Journal(answered_journal(lesson.stem, tmp_path_factory.mktemp("old"))))


@pytest.fixture(scope="module")
def solution(lesson) -> Any:
    """The solution's app."""
    return app("solutions", lesson.stem)


# ---- files ---------------------------------------------------------------------------------------


def test_every_file_of_the_course_belongs_to_a_lesson_and_none_is_missing():
    every = {
        "tutorials": "{}.py",
        "tutorials/ipynb": "{}.ipynb",
        "exercises": "{}.py",
        "solutions": "{}.py",
        "grading/checks": "c{}.py",
        "grading/truths": "{}.yaml",
        "mlsysim/course/predictions": "{}.yaml",
        "tests/lessons": "{}.jsonl",
    }
    for folder, name in every.items():
        there = {path.name for path in (ROOT / folder).glob(name.format("*"))} - {"__init__.py"}
        assert there == {name.format(stem) for stem in course.stems()}, folder


def test_marimo_finds_nothing_to_mend(lesson):
    files = [f"{folder}/{lesson.stem}.py" for folder in ("tutorials", "exercises", "solutions")]
    done = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_exercise_holds_no_answer(lesson):
    solved = (ROOT / "solutions" / f"{lesson.stem}.py").read_text(encoding="utf-8")
    exercise = lesson.file("exercises").read_text(encoding="utf-8")
    lines = exercise.splitlines()
    marks = [number for number, line in enumerate(lines) if derive.BLANKED.fullmatch(line)]
    assert exercise == derive.derive(solved) != solved, "run `python -m grading derive`"
    assert len(marks) == len(lesson.assignment.questions)
    assert not any(lines[number + 1].strip() for number in marks)


# ---- the tutorial --------------------------------------------------------------------------------


def test_unanswered_it_ends_and_reveals_nothing(lesson, unanswered):
    assert len(unanswered.journal) == 0
    assert unanswered.journal.truths() == {}
    assert not any(question.committed for question in unanswered.asked)
    opened = [question.question for question in unanswered.asked if question.open]
    assert opened == lesson.questions[:1]


def test_answered_it_reveals_every_truth(lesson, answered):
    assert {question.question for question in answered.asked} == set(lesson.questions)
    assert sorted(answered.journal.truths()) == lesson.questions
    kept = yaml.safe_load((ROOT / "grading" / "truths" / f"{lesson.stem}.yaml").read_text("utf-8"))
    assert answered.journal.truths() == {
        name: truth if isinstance(truth, str) else pytest.approx(truth, rel=1e-5)
        for name, truth in kept.items()
    }, "run `python -m grading derive`"
    for question in answered.asked:
        assert question.facts == lesson.predictions[question.question]


def test_it_runs_as_a_script(lesson, home):
    done = subprocess.run(
        [sys.executable, str(lesson.file())],
        env=clean(environment(), home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_what_runs_as_a_script_is_this_checkout(tmp_path):
    where = "import mlsysim; print(mlsysim.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert said.strip() == str(ROOT / "mlsysim" / "__init__.py")


def test_lesson_00_overrides_its_model_and_its_devices(tmp_path):
    """Another model in place of Llama: the truths follow the solver, so no number is typed in."""
    journal = Journal(answered_journal("00_hello_roofline", tmp_path))
    other = Models.Language.Llama2_7B
    run("00_hello_roofline", journal, llama=other, resnet=Models.Vision.VGG16)
    expected = Engine.solve(other, Hardware.Cloud.H100).latency.m_as("ms")
    assert journal.truths()["00.2"] == pytest.approx(expected)


# ---- the exercise and its solution ---------------------------------------------------------------


def test_without_an_id_the_exercise_waits_for_one(lesson):
    _, defs = app("exercises", lesson.stem).run()
    assert "document" not in defs


def test_the_untouched_exercise_scores_nothing_and_does_not_crash(lesson):
    judged = graded(app("exercises", lesson.stem), "ada")
    assert judged.score == 0
    assert {mark.kind for mark in judged.marks} == {"blank"}
    assert len(judged.marks) == len(lesson.assignment.questions)
    assert judged.flags == ()


@pytest.mark.parametrize("ids", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=len)
def test_the_solution_scores_full_marks_whoever_hands_it_in(lesson, solution, ids):
    checks = checks_of(lesson.stem)
    for n in ids:
        judged = graded(solution, f"student {n}", checks.predictions)
        assert judged.score == judged.out_of == checks.points, (n, judged)
        assert judged.flags == ()
