"""Every lesson, by its stem: its files, its tutorial, its exercise, its solution, its checks.

Each notebook runs once unanswered and once answered, and all tests of a lesson look at what came of
it. A new lesson is found by its facts and needs no test of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partialmethod
from html import unescape
from inspect import signature
from itertools import combinations
from typing import Any

import altair
import marimo
import pytest
import yaml

from grading import derive
from grading.check import load as checks_of
from grading.judge import Graded, Judge
from mlsysim import Engine, Hardware, Models
from mlsysim.core.solver import Solver
from mlsysim.course import lessons as course
from mlsysim.course.lessons import Lesson
from mlsysim.course.reading import parse, sheet_of
from mlsysim.learn import Journal
from mlsysim.learn.marks import MATCHES, near
from mlsysim.learn.rehearse import Ran, notebook, rehearse, run, turns
from mlsysim.learn.say import spell
from mlsysim.solvers.node.single import IDEAL, SingleNodeModel
from tests.grading.conftest import journal as committed
from tests.notebooks import ROOT, alike, committed_pages, environment

FEW, MANY = range(1), range(1, 10)  # notebooks; tests of exercise sets judge 200


EXERCISED = [stem for stem in course.stems() if course.lesson(stem).assignment]
HIGH, LOW = 0.7, 0.35  # between them lies what software reaches of a peak
DECIDES = ("η", "eta")  # how a question says what decides it


def app(folder, stem) -> Any:
    """A notebook's app, not yet run."""
    return notebook(ROOT / folder / f"{stem}.py")


def graded(exercise, student, predictions=()) -> Graded:
    """What an exercise's notebook makes for a student, read and judged as a grader does."""
    given = {"student": student, "code": "", "journal": committed(*predictions)}
    _, defs = exercise.run(defs=given)
    return Judge().sheet(sheet_of(parse(defs["document"].to_json().encode())))


def clean(environ, folder) -> dict[str, str]:
    """The environment of someone who has not begun."""
    return {**environ, "MLSYSIM_HOME": str(folder), "MLSYSIM_JOURNAL": ""}


def each(stems) -> dict[str, Any]:
    """A fixture for each stem in turn; with several processes, the tests of one stay together."""
    marked = [pytest.param(stem, marks=pytest.mark.xdist_group(stem)) for stem in stems]
    return {"scope": "module", "params": marked, "ids": stems}


EXEMPLARS = ("00_hello_roofline", "03_kv_cache", "12_full_stack_audit")
# what takes many runs of a notebook: of each lesson in `.ci/run full`, of these in any run
gone_through = pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(stem, marks=[pytest.mark.slow] * (stem not in EXEMPLARS))
        for stem in course.stems()
    ],
    indirect=True,
    scope="module",
)


@pytest.fixture(**each(course.stems()))
def lesson(request) -> Lesson:
    """Each lesson in turn."""
    return course.lesson(request.param)


@pytest.fixture(**each(EXERCISED))
def exercised(request) -> Lesson:
    """Each lesson that has an exercise, in turn."""
    return course.lesson(request.param)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """Drafts and journals in a folder of the module's own."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSYSIM_HOME", str(folder))
        patch.delenv("MLSYSIM_JOURNAL", raising=False)
        yield folder


@pytest.fixture(scope="module", autouse=True)
def charts_are_drawn_as_in_a_kernel() -> None:
    """As in a kernel, which has learnt how before any cell runs."""
    marimo.as_html(altair.Chart(altair.Data(values=[])).mark_point())


@pytest.fixture(scope="module")
def unanswered(lesson, tmp_path_factory) -> Ran:
    """The tutorial as whoever opens it first meets it."""
    return run(lesson.stem, Journal(tmp_path_factory.mktemp("new") / "journal.jsonl"))


@pytest.fixture(scope="module")
def answered(lesson, tmp_path_factory) -> Ran:
    """The tutorial with a wrong answer to everything."""
    return run(lesson.stem, rehearse(lesson.stem, tmp_path_factory.mktemp("old")))


@pytest.fixture(scope="module")
def solution(exercised) -> Any:
    """The solution's app."""
    return app("solutions", exercised.stem)


# ---- files ---------------------------------------------------------------------------------------


def test_every_file_of_the_course_belongs_to_a_lesson_and_none_is_missing():
    every = {
        "tutorials": ("{}.py", course.stems()),
        "tutorials/ipynb": ("{}.ipynb", course.stems()),
        "exercises": ("{}.py", EXERCISED),
        "solutions": ("{}.py", EXERCISED),
        "grading/checks": ("c{}.py", EXERCISED),
        "grading/truths": ("{}.yaml", course.stems()),
        "mlsysim/course/predictions": ("{}.yaml", course.stems()),
    }
    for folder, (name, stems) in every.items():
        there = {path.name for path in (ROOT / folder).glob(name.format("*"))} - {"__init__.py"}
        assert there == {name.format(stem) for stem in stems}, folder


def test_marimo_finds_nothing_to_mend():
    """All files in one run, for marimo takes longer to start than to look."""
    files = [f"tutorials/{stem}.py" for stem in course.stems()]
    files += [f"{folder}/{stem}.py" for folder in ("exercises", "solutions") for stem in EXERCISED]
    done = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_exercise_holds_no_answer(exercised):
    solved = (ROOT / "solutions" / f"{exercised.stem}.py").read_text(encoding="utf-8")
    exercise = exercised.file("exercises").read_text(encoding="utf-8")
    lines = exercise.splitlines()
    marks = [number for number, line in enumerate(lines) if derive.BLANKED.fullmatch(line)]
    assert exercise == derive.derive(solved) != solved, "run `python -m grading derive`"
    assert len(marks) == len(exercised.assignment.questions)
    assert not any(lines[number + 1].strip() for number in marks)


# ---- the tutorial --------------------------------------------------------------------------------


def test_unanswered_it_ends_and_reveals_nothing(lesson, unanswered):
    assert len(unanswered.journal) == 0
    assert unanswered.journal.truths() == {}
    assert not any(question.committed for question in unanswered.asked)
    opened = [question.question for question in unanswered.asked if question.open]
    assert opened == lesson.questions[:1]


def test_answered_it_reveals_every_truth(lesson, answered):
    assert [question.question for question in answered.asked] == lesson.questions
    reasons = {name for name in lesson.predictions if name.endswith(".why")}
    assert set(answered.journal.truths()) == {*lesson.questions, *reasons}
    kept = yaml.safe_load((ROOT / "grading" / "truths" / f"{lesson.stem}.yaml").read_text("utf-8"))
    assert answered.journal.truths() == {
        name: truth if isinstance(truth, str) else pytest.approx(truth, rel=1e-5)
        for name, truth in kept.items()
    }, "run `python -m grading derive`"
    facts = {name: fact for question in answered.asked for name, fact in question.facts.items()}
    assert facts == lesson.predictions, "run `python -m grading derive`"


def test_answered_it_shows_what_the_committed_notebook_shows(lesson, answered):
    """Every word, number and chart of its reveals is the one that was looked at."""
    today = [page for page in answered.outputs if page is not None]
    for now, then in zip(map(_page, today), committed_pages(lesson.stem), strict=True):
        assert alike(now) == then, "run `python -m tests.notebooks` and look at what changed"


@gone_through
def test_each_known_wrong_turn_is_told_by_its_name(lesson, answered, tmp_path):
    for turn in range(max(map(turns, answered.asked))):
        ran = run(lesson.stem, rehearse(lesson.stem, tmp_path, turn)) if turn else answered
        for question in ran.asked:
            told = _told(ran, question.question)
            if question.options:
                assert question.slips.get(question.guess(), "") in told
            else:
                names = list(question.slips)
                assert names, f"{question.question} knows no wrong turn"
                assert names[turn % len(names)] in told


def _told(ran: Ran, question: str) -> str:
    """The words of a question's reveal."""
    (asked,) = [each for each in ran.asked if each.question == question]
    return unescape(re.sub(r"<[^>]+>", "", asked.page().text))


def test_wrong_turns_of_a_question_lie_apart_from_each_other_and_from_the_truth(answered):
    truths = answered.journal.truths()
    for question in answered.asked:
        if question.options:
            assert set(question.slips) <= {*question.options, *question.why} - {
                truths[question.question]
            }
            continue
        gives = {"the truth": truths[question.question]} | {
            name: question.plain(value) for name, value in question.slips.items()
        }
        for (one, a), (other, b) in combinations(gives.items(), 2):
            apart = a != b if question.order else not near(a, b, MATCHES**2)
            assert apart, f"{question.question}: {one} and {other} give {a} and {b}"


@pytest.fixture
def at_ideal(monkeypatch):
    """Every solver that knows the level answers at the ideal one, unless it is told another."""
    for each in every(Solver):
        if "stack" in signature(each.solve).parameters:
            monkeypatch.setattr(each, "solve", partialmethod(each.solve, stack=IDEAL))
    monkeypatch.setattr(Engine, "solve", SingleNodeModel().solve)
    assert Engine.solve("Llama3_8B", "H100").stack == IDEAL


def every(kind) -> set[type]:
    """All kinds of a kind."""
    below = set(kind.__subclasses__())
    return below.union(*map(every, below))


def holds(lesson, answered, folder, **how) -> None:
    """A lesson gone through with other software has the same truths, or asks what decides."""
    truths = answered.journal.truths()
    ran = run(lesson.stem, rehearse(lesson.stem, folder), **how)
    for question in ran.asked:
        name = question.question
        held, now = truths[name], ran.journal.truths()[name]
        said = any(word in question.asked for word in DECIDES)
        same = held == now if isinstance(held, str) else near(held, now, question.within)
        assert same or said, f"{name}: {held} becomes {now} with {how}; say so in the question"
        assert truths.get(f"{name}.why") == ran.journal.truths().get(f"{name}.why")


@gone_through
@pytest.mark.parametrize("eta", [LOW, HIGH])
def test_a_truth_holds_whatever_software_reaches_or_the_question_says_what_decides(
    lesson, answered, tmp_path, eta
):
    holds(lesson, answered, tmp_path, eta=eta)


@gone_through
def test_a_truth_holds_where_operators_wait_for_each_other(lesson, answered, tmp_path, at_ideal):
    holds(lesson, answered, tmp_path)


@gone_through
def test_no_page_shows_an_answer_before_its_question_is_answered(lesson, answered, tmp_path):
    """What is on the page after n answers holds neither truth n+1 nor words that tell it."""
    journal, truths = Journal(tmp_path / "journal.jsonl"), answered.journal.truths()
    for question in answered.asked:
        page = _words(run(lesson.stem, journal).outputs)
        truth = truths[question.question]
        words = truth if isinstance(truth, str) else spell(truth, question.unit)
        if question.options:  # its own form names it, once
            assert page.count(words) == question.asked.count(words) + 2, (question.question, words)
        else:
            assert words not in page, (question.question, words)
        for name in question.facts:
            kept = answered.journal.get(name)
            journal.commit(name, kept.value, kept.unit, kept.confidence)


def _words(outputs) -> str:
    """What the cells of a page show, charts with their data included."""
    return "\n".join(map(_page, outputs))


def _page(output) -> str:
    return output._mime_()[1] if hasattr(output, "_mime_") else str(output)


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
    journal = rehearse("00_hello_roofline", tmp_path)
    other = Models.Language.Llama2_7B
    run("00_hello_roofline", journal, llama=other, mistral=Models.Language.Gemma2_9B)
    expected = Engine.solve(other, Hardware.Cloud.H100, seq_len=2048).throughput.m_as("1/s")
    assert journal.truths()["00.1"] == pytest.approx(expected)


# what marimo asks of a file, and no learner reads: metadata, imports, the frames of its cells
FRAME = re.compile(
    r"#( .*)?|import .*|    (import|from) .*|__generated_with.*|app = .*|with app\.setup.*"
    r"|@app\.cell.*|def _\(.*|    return.*|    \(?this\b.*(open|close)\(.*"
    r"|if __name__.*|    app\.run\(\)"
)


def test_it_takes_an_author_few_lines_beside_physics_and_words(lesson):
    lines = lesson.file().read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250
    assert len([line for line in lines if FRAME.fullmatch(line)]) <= 60


# ---- the exercise and its solution ---------------------------------------------------------------


def test_without_an_id_the_exercise_waits_for_one(exercised):
    _, defs = app("exercises", exercised.stem).run()
    assert "document" not in defs


def test_the_untouched_exercise_scores_nothing_and_does_not_crash(exercised):
    judged = graded(app("exercises", exercised.stem), "ada")
    assert judged.score == 0
    assert {mark.kind for mark in judged.marks} == {"blank"}
    assert len(judged.marks) == len(exercised.assignment.questions)
    assert judged.flags == ()


@pytest.mark.parametrize("ids", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=len)
def test_the_solution_scores_full_marks_whoever_hands_it_in(exercised, solution, ids):
    checks = checks_of(exercised.stem)
    for n in ids:
        judged = graded(solution, f"student {n}", checks.predictions)
        assert judged.score == judged.out_of == checks.points, (n, judged)
        assert judged.flags == ()
