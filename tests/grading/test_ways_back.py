"""Marks on their way to a platform, and what leaves the instructor's machine."""

from __future__ import annotations

import json
import subprocess
import zipfile

import pytest

import mlsysim
from grading import bundle, gradescope, sandbox
from grading.book import Gradebook
from grading.judge import registry
from grading.platforms import export
from mlsysim.core.errors import BadArgument, InvalidEntry, MLSysError
from mlsysim.course.variants import code_for
from tests.grading.conftest import NAME

OTHER = "03_kv_cache"

# ---- platforms -----------------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path):
    """The folder of a report: ada and bob in one exercise, ada in another."""
    folder = tmp_path / "report"
    rows = [
        ("Ada", NAME, 10.5, 14, [{"told": "Handed in late."}, {"told": ""}, {"told": "Twice."}]),
        ("bob", NAME, 0, 0, []),
        ("ada", OTHER, 3, 7, []),
    ]
    (folder / "students").mkdir(parents=True)
    students = []
    for number, (who, name, score, out_of, flags) in enumerate(rows):
        row = {"student": who, "assignment": name, "score": score, "out_of": out_of}
        students.append(row | {"flags": flags, "page": f"students/{number}.html"})
        (folder / f"students/{number}.html").write_text(f"page {number}")
    held = {"students": students, "assignments": {n: {"out_of": 14} for n in (NAME, OTHER)}}
    (folder / "report.json").write_text(json.dumps(held))
    return folder


def exported(report, tmp_path, sheet, name=""):
    (tmp_path / "sheet.csv").write_text(sheet, encoding="utf-8")
    return export(report, tmp_path / "sheet.csv", tmp_path / "back" / "here", name)


def test_moodle_takes_grades_of_its_maximum_in_its_own_spelling(report, tmp_path):
    sheet = (
        "Identifier;Full name;ID number;Maximum Grade;Grade;Feedback comments\n"
        "Participant 17;=Ada / L.;ADA;20,00;;\nParticipant 18;;bob;;x;y\n"
        "Participant 19;Eve;eve;50.00;7;z\n"
    )
    grades, feedback = exported(report, tmp_path, sheet, NAME)
    assert grades.read_text().splitlines() == [
        "Identifier;Full name;ID number;Maximum Grade;Grade;Feedback comments",
        'Participant 17;\'=Ada / L.;ADA;20,00;15,00;"10.5 of 14 points; Handed in late.; Twice."',
        "Participant 18;;bob;;0.00;0 of 0 points",
        "Participant 19;Eve;eve;50.00;7;z",
    ]
    with zipfile.ZipFile(feedback) as packed:
        assert {each.filename: packed.read(each) for each in packed.infolist()} == {
            "_Ada _ L_17_assignsubmission_file_/feedback.html": b"page 0",
            "student_18_assignsubmission_file_/feedback.html": b"page 1",
        }
        for each in packed.infolist():
            assert each.date_time == (1980, 1, 1, 0, 0, 0)
            assert each.compress_type == zipfile.ZIP_DEFLATED
    bare = "Identifier,ID number\nParticipant 1,ada\n"
    assert exported(report, tmp_path, bare, NAME)[0].read_text() == bare  # nothing is asked for


def test_canvas_takes_points_in_the_exercises_own_column_or_a_new_one(report, tmp_path):
    head = "Student,ID,Section,Exercise 13 (7),Exercise 3: x (9),Notes"
    rows = "Points Possible,,,1,2,\nAda,1,A,5,6,n\nBob,2,A,7,8,n\n"

    def columns(head, name):
        (path,) = exported(report, tmp_path, f"{head}\n{rows}", name)
        return path.read_text().splitlines()

    ada = "Ada,1,A,3"
    possible = "Points Possible,,,14"
    assert columns(head, OTHER) == [
        *("Student,ID,Section,Exercise 3: x (9)", possible, "Ada,1,A,6", "Bob,2,A,8")
    ]
    mine = rows.replace("Ada,1", "Ada,ada")
    rows = mine
    assert columns(head, OTHER)[2] == ada.replace(",1,", ",ada,")
    title = mlsysim.course.lessons.lesson(OTHER).title
    new = columns(head.replace("Exercise 3: x", "Exercise 33"), OTHER)
    assert new == [
        *(f"Student,ID,Section,Exercise 03 {title}", possible, "Ada,ada,A,3", "Bob,2,A,")
    ]
    named = columns(head.replace("Exercise 13 (7)", f"my {OTHER.upper()} (1)"), OTHER)
    assert named[0] == f"Student,ID,Section,my {OTHER.upper()} (1)"
    assert named[2:] == ["Ada,ada,A,3", "Bob,2,A,7"]


@pytest.mark.parametrize(
    ("sheet", "name", "error", "words"),
    [
        (
            "student,id\nada,ada\n",
            "",
            BadArgument,
            f"--assignment cannot be '': say which of {NAME}, {OTHER}.",
        ),
        (
            "student,name\nada,Ada\n",
            NAME,
            InvalidEntry,
            "sheet.csv: it is neither Moodle's grading worksheet nor Canvas's table.",
        ),
    ],
)
def test_a_table_that_cannot_be_filled_in_is_told_why(report, tmp_path, sheet, name, error, words):
    with pytest.raises(error) as told:
        exported(report, tmp_path, sheet, name)
    assert str(told.value) == words


def test_a_report_must_be_there_and_one_assignment_needs_no_name(report, tmp_path, monkeypatch):
    held = json.loads((report / "report.json").read_text())
    held |= {"assignments": {NAME: {"out_of": 14}}, "students": held["students"][:2]}
    held["students"][0]["student"] = "student 1"
    (report / "report.json").write_text(json.dumps(held))
    (report / "names.csv").write_text("alias,student\nstudent 1,'=ada\n")
    (path,) = exported(report, tmp_path, "Student,ID,Section\nAda,=ada,B\nBob,bob,\n")
    assert path.read_text().splitlines()[1:] == ["Ada,'=ada,B,10.5", "Bob,bob,,0"]
    (report / "report.json").unlink()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadArgument) as told:
        exported(report.relative_to(tmp_path), tmp_path, "Student,ID\n")
    assert str(told.value) == "the report cannot be 'report': grade the class first."


# ---- Gradescope ----------------------------------------------------------------------------------


@pytest.fixture
def container(tmp_path, monkeypatch, sheet, right, variant):
    """A container of Gradescope's: give it a student's answers, and see what it shows."""
    monkeypatch.setenv(sandbox.SHUT, "")  # what it sets is gone after the test
    for folder in ("source", "submission"):
        (tmp_path / folder).mkdir()

    def show(answers, told=None, **source):
        for name, text in source.items():
            (tmp_path / "source" / name.replace("_", ".")).write_text(text)
        (tmp_path / "submission_metadata.json").write_text(json.dumps(told or {}))
        path = tmp_path / "submission" / "answers.json"
        path.write_text(answers if isinstance(answers, str) else json.dumps(sheet(*answers)))
        assert gradescope.main(tmp_path) == 0
        return json.loads((tmp_path / "results" / "results.json").read_text())

    show.folder = tmp_path
    return show


STAMP = {
    "visibility": "visible",
    "stdout_visibility": "hidden",
    "extra_data": {"mlsysim": mlsysim.__version__, "registry": registry()},
}


def test_gradescope_shows_every_question_and_the_predictions(container, right, variant):
    answers = {**right(variant("ada")), "q1": {"value": "1", "unit": "GB"}}
    rules = f"""
        assignments: {{{NAME}: {{due: 2026-11-26 10:00+00:00, drop: {{q2: unclear}}}}}}
        late: {{per_day: 1}}
        overrides: [{{student: ada, assignment: {NAME}, question: q1, points: 2, why: x}}]
    """
    extended = f"{rules}    extensions: {{ada: {{{NAME}: 2026-11-28 10:00+00:00}}}}\n"
    people = [{"sid": "Ada-1", "email": "a@x"}, {"sid": "bob"}]
    told = {"users": people, "created_at": "2026-11-27T10:00:00+00:00"}
    roster = "student,email\nada,a@x\nbob,b@x\n"
    held = container(("ada", answers), told, gradebook_yaml=rules, roster_csv=roster)
    assert held["output"] == "12 of 14 points.\nHanded in late by 1 day."  # which costs nothing
    held = container(("ada", answers), told, gradebook_yaml=extended)
    tests = {test["name"]: test for test in held.pop("tests")}
    assert held == {"score": 12, "output": "12 of 14 points.", **STAMP}
    shown = {"output_format": "text", "visibility": "visible"}
    assert tests["q2"] == shown | {
        "name": "q2",
        "score": 0,
        "max_score": 0,
        "output": "unclear",
        "status": "passed",
    }
    assert tests["predictions"] == shown | {
        "name": "predictions",
        "score": 2,
        "max_score": 2,
        "status": "passed",
        "output": "Committed before the reveal: 00.1, 00.2, 00.3, 00.4, 00.5.",
    }
    assert tests["q1"] == shown | {
        "name": "q1",
        "score": 0,
        "max_score": 2,
        "status": "failed",
        "output": "GB is the wrong kind of unit here: "
        "the question asks for a quantity such as one in ms.",
    }
    assert (tests["q3"]["score"], tests["q3"]["status"]) == (1, "passed")


def test_gradescope_tells_a_stranger_and_an_unread_file(container, right, variant, sheet):
    told = {"users": [{"sid": "", "email": "e@x", "name": "Eve"}]}
    held = container(("ada", {}), told, roster_csv="student,email\nada,a@x\neve,e@x\n")
    assert held["output"].splitlines() == [
        "2 of 16 points.",
        "The file names ada, which is not you: it is judged as yours, by your own numbers.",
        "These answers are for other numbers than yours. "
        "The id or the course code that was typed is another one.",
    ]
    refused = container("{")
    assert refused.pop("output").startswith("answers.json: it is not JSON")
    assert refused == {"score": 0, **STAMP}
    (container.folder / "submission" / "answers.json").unlink()
    (container.folder / "submission" / "notes.txt").write_text("x")
    gradescope.main(container.folder)
    held = json.loads((container.folder / "results" / "results.json").read_text())
    assert held == {"score": 0, "output": "There is no answers.json in this hand-in.", **STAMP}
    (container.folder / "submission_metadata.json").unlink()
    gradescope.main(container.folder)
    held = json.loads((container.folder / "results" / "results.json").read_text())
    said = held.pop("output")
    assert said.startswith("The grader could not work; your instructor can see why: [Errno 2]")
    assert held == {"score": 0, "visibility": "visible"}


def test_gradescope_draws_by_the_secret_that_lies_beside_it(container, right, variant):
    theirs = variant("ada", b"a secret of this course")
    (container.folder / "source" / "secret").write_bytes(b"a secret of this course\n")
    held = container(("ada", right(theirs)))
    assert held["score"] == 16
    assert code_for("ada", NAME) != code_for("ada", NAME, b"a secret of this course")
    empty = container(("ada", {}))
    assert empty["score"] == 2


# ---- bundles -------------------------------------------------------------------------------------


@pytest.fixture
def builds(monkeypatch):
    """Let a build write a wheel of these files, or fail."""

    def build(*names, returncode=0, version="1"):
        def run(command, *, cwd, capture_output, text, check):
            assert (cwd, capture_output, text, check) == (bundle.ROOT, True, True, False)
            assert command[1:-1] == ["-m", "hatchling", "build", "-t", "wheel", "-d"]
            if names:
                with zipfile.ZipFile(f"{command[-1]}/mlsysim-{version}-any.whl", "w") as packed:
                    for name in names:
                        packed.writestr(name, "x")
            return subprocess.CompletedProcess(command, returncode, "", "a" * 300 + "b\n")

        monkeypatch.setattr(bundle.subprocess, "run", run)

    return build


@pytest.mark.parametrize(
    ("names", "returncode", "words"),
    [
        (["mlsysim/a.py"], 1, f"the package could not be built: {'a' * 299}b"),
        ([], 0, f"the package could not be built: {'a' * 299}b"),
        *(
            (
                ["mlsysim/a.py", name],
                0,
                f"the package would show what learners must not see: {name}",
            )
            for name in ("solutions/x.py", "grading/x.py", "mlsysim/tests/x.py")
        ),
    ],
)
def test_a_package_that_fails_or_shows_too_much_is_not_handed_out(
    builds, tmp_path, names, returncode, words
):
    builds(*names, returncode=returncode)
    with pytest.raises(MLSysError) as told:
        bundle.wheel(tmp_path)
    assert str(told.value) == words


def test_a_bundle_says_what_is_due_and_what_to_type(builds, tmp_path, monkeypatch):
    builds("mlsysim/a.py", version="2")
    (tmp_path / "a" / "b").mkdir(parents=True)
    for stale in ("mlsysim-1-any.whl", "notes.txt"):
        (tmp_path / "a" / "b" / stale).write_text("x")
    rules = {"assignments": {OTHER: {}, NAME: {"due": "2026-11-27 23:59+01:00"}}}
    wheel, readme = bundle.release(Gradebook.build(rules, "book"), tmp_path / "a" / "b")
    assert sorted(path.name for path in wheel.parent.iterdir()) == [
        *("README.md", "mlsysim-2-any.whl", "notes.txt")
    ]
    lines = readme.read_text().splitlines()
    assert lines[0] == "# ML systems: exercises"
    assert lines[4] == "    python -m pip install ./mlsysim-2-any.whl"
    first, other = (mlsysim.course.lessons.lesson(name) for name in (NAME, OTHER))
    assert lines[9:19] == [
        f"- 00 {first.title}, due 2026-11-27 23:59 UTC+01:00",
        "",
        "      mlsysim learn 00",
        "      mlsysim learn 00 --exercise",
        "",
        f"- 03 {other.title}",
        "",
        "      mlsysim learn 03",
        "      mlsysim learn 03 --exercise",
        "",
    ]
    assert lines[-1] == "    mlsysim check answers.json"
    assert bundle.release(Gradebook.build(rules, "book"), tmp_path / "c" / "d")[1].exists()
    with pytest.raises(MLSysError, match=r"^the gradebook names no assignments: say which, with"):
        bundle.release(Gradebook(), tmp_path)
    monkeypatch.setattr(bundle.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MLSysError, match=r"^hatchling builds the package and is not here: pip in"):
        bundle.wheel(tmp_path)


def test_an_autograder_holds_the_package_the_grader_and_what_was_kept(builds, tmp_path):
    builds("mlsysim/a.py")
    (tmp_path / "s").write_text("kept")
    out = tmp_path / "auto.zip"
    assert bundle.gradescope(out, {"secret": tmp_path / "s", "roster.csv": None}) == out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["auto.zip", "s"]
    with zipfile.ZipFile(out) as packed:
        held = {each.filename: each for each in packed.infolist()}
        assert packed.read("secret") == b"kept"
        assert packed.read("run_autograder").startswith(b"#!/usr/bin/env bash\n")
    assert [*held][:3] == ["setup.sh", "run_autograder", "mlsysim-1-any.whl"]
    assert {"grading/run.py", "grading/flags.yaml", "grading/checks/c00_hello_roofline.py"} <= {
        *held
    }
    assert not {"roster.csv", "grading/README.md"} & {*held}
    for name, each in held.items():
        assert each.date_time == (1980, 1, 1, 0, 0, 0)
        scripted = name in ("setup.sh", "run_autograder")
        assert (each.external_attr >> 16 == 0o755) == scripted
        assert (each.compress_type == zipfile.ZIP_DEFLATED) != scripted
