"""Every lesson runs with nothing answered and with everything answered, and hides what it must."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from mlsysim import Engine, Hardware, Models
from mlsysim.course import lessons as course
from mlsysim.learn import Journal
from mlsysim.learn.predict import CONFIDENCE, predict, verdict
from tests.notebooks import ROOT, answered_journal

LESSONS = course.lessons()
each = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


def load(path):
    """A notebook's module, its app not yet run."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each
def test_a_lesson_has_its_four_files(lesson):
    wanted = [
        f"tutorials/{lesson.stem}.py",
        f"exercises/{lesson.stem}.py",
        f"solutions/{lesson.stem}.py",
        f"grading/checks/c{lesson.stem}.py",
    ]
    assert [path for path in wanted if not (ROOT / path).is_file()] == []


def test_no_notebook_stands_outside_the_course():
    stems = {lesson.stem for lesson in LESSONS}
    for folder in ("tutorials", "exercises", "solutions"):
        assert {path.stem for path in (ROOT / folder).glob("*.py")} == stems


@each
def test_unanswered_a_lesson_ends_and_reveals_nothing(lesson, tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    _, defs = load(lesson.file()).app.run(defs={"journal": journal})
    assert len(journal) == 0
    assert journal.truths() == {}
    questions = [value for value in defs.values() if isinstance(value, predict)]
    assert not any(question.committed for question in questions)
    assert [question.question for question in questions if question.open] == lesson.questions[:1]


@each
def test_answered_a_lesson_reveals_every_truth(lesson, tmp_path):
    journal = Journal(answered_journal(lesson.stem, tmp_path))
    _, defs = load(lesson.file()).app.run(defs={"journal": journal})
    assert sorted(journal.truths()) == lesson.questions
    assert {value.question for value in defs.values() if isinstance(value, predict)} == set(
        lesson.questions
    )


@each
def test_a_lesson_runs_as_a_script(lesson, tmp_path):
    run = subprocess.run(
        [sys.executable, str(lesson.file())],
        capture_output=True,
        text=True,
        check=False,
        env={"MLSYSIM_HOME": str(tmp_path), "PATH": ""},
        timeout=60,
    )
    assert run.returncode == 0, run.stderr


@each
def test_marimo_has_nothing_to_say_about_a_lesson(lesson):
    files = [
        str(lesson.file()),
        str(lesson.file("exercises")),
        str(ROOT / "solutions" / f"{lesson.stem}.py"),
    ]
    run = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_lesson_00_overrides_its_model_and_its_devices(tmp_path):
    """Another model in place of Llama: the truths follow the solver, so no number is typed in."""
    journal = Journal(answered_journal("00_hello_roofline", tmp_path))
    defs = {"journal": journal, "llama": Models.Language.Llama2_7B, "resnet": Models.Vision.VGG16}
    load(course.find_lesson("00").file()).app.run(defs=defs)
    expected = Engine.solve(Models.Language.Llama2_7B, Hardware.Cloud.H100).latency.m_as("ms")
    assert journal.truths()["00.2"] == pytest.approx(expected)


class TestPredictions:
    """What a form takes, and what it answers to the rest."""

    @pytest.fixture
    def journal(self, tmp_path):
        return Journal(tmp_path / "journal.jsonl")

    @pytest.fixture
    def number(self, journal):
        return predict("09.1", "How long?", unit="ms", journal=journal)

    @pytest.mark.parametrize(
        ("typed", "complaint"),
        [
            (None, "wrong guess"),
            ("", "wrong guess"),
            ("abc", "plain number"),
            ("4,5", "point"),
            ("4 ms", "plain number"),
            ("-3", "above zero"),
            ("0", "above zero"),
            ("9**9**9", "plain number"),
            ("nan", "plain number"),
            ("inf", "plain number"),
            ("1e999", "plain number"),
            ("1e40", "power of ten"),
            ("1e-20", "power of ten"),
            ("1,000", "1000 or 1.000"),
        ],
    )
    def test_what_is_no_number_is_refused_in_a_sentence(self, number, journal, typed, complaint):
        sent = {"value": typed, "confidence": "certain"}
        assert complaint in number._fault(sent)
        number._update(sent)
        assert len(journal) == 0

    def test_a_number_is_committed_with_its_unit_and_confidence(self, number, journal):
        number._update({"value": " 4.5 ", "confidence": "certain"})
        row = journal.get("09.1")
        assert (row.value, row.unit, row.confidence) == (4.5, "ms", CONFIDENCE["certain"])

    def test_a_question_stays_closed_until_the_one_before_it_is_answered(self, journal, number):
        later = predict("09.2", "And then?", unit="ms", journal=journal, after=number)
        assert not later.open
        assert "before this one" in later._fault({"value": "1", "confidence": "certain"})
        assert "And then?" not in later._mime_()[1]
        journal.commit("09.1", 4.5, "ms")
        assert later.open
        assert later._fault({"value": "1", "confidence": "certain"}) is None

    def test_whatever_is_sent_afterwards_changes_nothing(self, number, journal):
        number._update({"value": "4.5", "confidence": "certain"})
        number._update({"value": "9", "confidence": "certain"})
        assert journal.get("09.1").value == 4.5
        assert "final" in number._fault({"value": "9"})

    def test_a_new_session_shows_the_commitment_instead_of_the_form(self, journal):
        journal.commit("09.1", 4.5, "ms", 0.3)
        again = predict("09.1", "How long?", unit="ms", journal=journal)
        assert again.committed
        assert "You predicted: 4.5 ms" in again._mime_()[1]

    @pytest.mark.parametrize(
        ("guess", "kind", "words"),
        [
            (5.0, "success", "spot on"),
            (8.0, "info", "Too high"),
            (0.6, "warn", "Too low"),
            (400.0, "danger", "by a factor of 89"),
        ],
    )
    def test_a_verdict_says_how_far_off_and_which_way(self, journal, guess, kind, words):
        row = journal.commit("09.1", guess, "ms")
        assert verdict(row, 4.5, {})[0] == kind
        assert words in verdict(row, 4.5, {})[1]

    def test_a_verdict_names_the_misconception_that_the_number_matches(self, journal):
        row = journal.commit("09.1", 36.0, "ms")
        assert (
            "when bytes are read as bits" in verdict(row, 4.5, {"bytes are read as bits": 36.0})[1]
        )
