"""The doors to and from other programs: Canvas, Moodle, Gradescope, the learners' bundle."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import zipfile

import jsonschema
import pytest

from grading import bundle, gradescope, sandbox
from grading.commands import main
from mlsysim.course.inventory import Sat
from mlsysim.course.quiz import ITEMS
from mlsysim.course.sheet import Answer, Sheet
from tests.grading.conftest import NAME

SECRET = b"a secret of this course"
MOODLE = (
    "\ufeffIdentifier;Full name;ID number;Status;Grade;Maximum Grade;Feedback comments\n"
    "Participant 1;Ada Lovelace;ada;Submitted;;100,00;\n"
    "Participant 2;Bob Ross;bob;No submission;;100,00;\n"
)
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Exercise 00 (17),Other (18)\n"
    "    Points Possible,,,,,10,5\n"
    '"Lovelace, Ada",1,u1,ada,A,,3\n"Ross, Bob",2,u2,bob,A,,4\n'
)


@pytest.fixture
def graded(hand_in, grade, right, variant, tmp_path):
    """A report of two who handed in through a platform, and its table."""

    def run(table, files):
        (tmp_path / "table.csv").write_text(table, encoding="utf-8")
        hand_in("ada", right(variant("ada")), file=files[0])
        hand_in("bob", {**right(variant("bob")), "q1": None}, file=files[1])
        assert grade("--roster", str(tmp_path / "table.csv"))[0] == 0
        out = tmp_path / "back"
        asked = ["export", str(grade.out), str(tmp_path / "table.csv"), "--out", str(out)]
        assert main(asked) == 0
        return out

    return run


def test_moodles_worksheet_comes_back_filled_with_a_feedback_file_each(graded, grade):
    files = [
        f"{who}_assignsubmission_file_/answers.json" for who in ("Ada Lovelace_1", "Bob Ross_2")
    ]
    out = graded(MOODLE, files)
    rows = list(csv.DictReader((out / "moodle-grades.csv").read_text().splitlines(), delimiter=";"))
    assert [row["Grade"] for row in rows] == ["100,00", "87,50"]  # 14 of 16
    assert rows[1]["Feedback comments"] == "14 of 16 points"
    assert [row["Identifier"] for row in rows] == ["Participant 1", "Participant 2"]
    with zipfile.ZipFile(out / "moodle-feedback.zip") as packed:
        places = packed.namelist()
        page = packed.read(places[1]).decode()
    assert places == [
        "Ada Lovelace_1_assignsubmission_file_/feedback.html",
        "Bob Ross_2_assignsubmission_file_/feedback.html",
    ]
    assert "Bob Ross" in page
    assert "Ada" not in page


def test_canvas_gets_the_columns_that_name_a_student_and_one_of_points(graded):
    out = graded(CANVAS, ["lovelaceada_1_900_answers.json", "rossbob_LATE_2_901_answers.json"])
    rows = list(csv.reader(io.StringIO((out / "canvas-grades.csv").read_text())))
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Exercise 00 (17)"],
        ["Points Possible", "", "", "", "", "16.0"],
        ["Lovelace, Ada", "1", "u1", "ada", "A", "16.0"],
        ["Ross, Bob", "2", "u2", "bob", "A", "14.0"],
    ]


def test_an_anonymous_report_finds_its_students_again(graded, grade, tmp_path):
    (tmp_path / "book.yaml").write_text("anonymous: true")
    graded(CANVAS, ["lovelaceada_1_900_answers.json", "rossbob_2_901_answers.json"])
    table = str(tmp_path / "table.csv")
    assert grade("--roster", table, "--gradebook", str(tmp_path / "book.yaml"))[0] == 0
    assert "ada" not in grade.rows()
    assert main(["export", str(grade.out), table, "--out", str(tmp_path / "b")]) == 0
    rows = list(csv.reader((tmp_path / "b" / "canvas-grades.csv").read_text().splitlines()))
    assert [row[-1] for row in rows[2:]] == ["16.0", "14.0"]


def test_a_table_of_no_platform_is_refused(graded, grade, tmp_path, capsys):
    (tmp_path / "own.csv").write_text("student\nada\n")
    grade_first = graded(CANVAS, ["lovelaceada_1_900_answers.json", "rossbob_2_901_answers.json"])
    asked = ["export", str(grade.out), str(tmp_path / "own.csv"), "--out", str(grade_first)]
    assert main(asked) == 2
    assert "neither Moodle's" in capsys.readouterr().err


# ---- secrets and bundles -------------------------------------------------------------------------


def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path, capsys):
    path = tmp_path / "course.secret"
    assert main(["secret", str(path)]) == 0
    made = path.read_bytes()
    assert len(made.strip()) == 64
    assert made.strip().decode() not in capsys.readouterr().out
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["secret", str(path)]) == 2
    assert path.read_bytes() == made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package as learners get it, built once."""
    return bundle.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def built(wheel, monkeypatch):
    """Bundles take the wheel that is there."""

    def take(folder):
        path = folder / wheel.name
        path.write_bytes(wheel.read_bytes())
        return path

    monkeypatch.setattr(bundle, "wheel", take)


def test_the_learners_bundle_holds_exercises_and_neither_solutions_nor_checks(
    built, tmp_path, capsys
):
    book = tmp_path / "book.yaml"
    book.write_text(f'course: CS 1\nassignments: {{{NAME}: {{due: "2026-11-27 23:59+01:00"}}}}')
    assert main(["release", str(book), "--out", str(tmp_path / "bundle")]) == 0
    held = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert held[0] == "README.md"
    with zipfile.ZipFile(tmp_path / "bundle" / held[1]) as packed:
        names = packed.namelist()
    assert f"mlsysim/course/exercises/{NAME}.py" in names
    assert not [name for name in names if "solutions" in name or "grading" in name]
    text = (tmp_path / "bundle" / "README.md").read_text()
    assert "2026-11-27 23:59" in text
    assert "mlsysim learn 00 --exercise" in text


NUMBER = {"type": "number"}
SHOWN = {"enum": ["visible", "hidden", "after_due_date", "after_published"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
# as Gradescope documents results.json (gradescope-autograders.readthedocs.io, Specifications)
RESULTS = {
    "type": "object",
    "properties": {
        "score": NUMBER,
        "execution_time": NUMBER,
        "output": {"type": "string"},
        "output_format": FORMAT,
        "visibility": SHOWN,
        "stdout_visibility": SHOWN,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "score": NUMBER,
                    "max_score": NUMBER,
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMAT,
                    "visibility": SHOWN,
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["score"]}, {"required": ["tests"]}],
}


def test_gradescopes_zip_judges_a_hand_in_in_its_container(
    built, wheel, hand_in, right, variant, tmp_path
):
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "roster.csv").write_text("student,email\nada,ada@x.org\n")
    packed = tmp_path / "autograder.zip"
    kept = ["--secret-file", str(tmp_path / "secret"), "--roster", str(tmp_path / "roster.csv")]
    assert main(["build-gradescope", "--out", str(packed), *kept]) == 0
    root = tmp_path / "autograder"
    (root / "submission").mkdir(parents=True)
    with zipfile.ZipFile(packed) as held:
        held.extractall(root / "source")
        scripts = {e.filename for e in held.infolist() if e.external_attr >> 16 & stat.S_IXUSR}
    assert scripts == {"setup.sh", "run_autograder"}
    theirs = variant("ada", SECRET)
    answers = {**right(theirs), "q1": {"value": "1", "unit": "ms"}}
    path = hand_in("ada", answers, variant=theirs.fields)
    path.rename(root / "submission" / "answers.json")
    told = {"users": [{"email": "ada@x.org", "id": 7, "name": "Ada"}], "created_at": "2026-11-27"}
    (root / "submission_metadata.json").write_text(json.dumps(told))
    with zipfile.ZipFile(wheel) as package:
        package.extractall(tmp_path / "installed")
    container = {"AUTOGRADER": str(root), "PYTHON": sys.executable, "PATH": os.environ["PATH"]}

    def judged():
        ran = subprocess.run(
            ["bash", str(root / "source" / "run_autograder")],
            env={**container, "PYTHONPATH": str(tmp_path / "installed")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        results = json.loads((root / "results" / "results.json").read_text())
        jsonschema.validate(results, RESULTS)
        return results

    results = judged()
    assert results["score"] == 14
    assert [t["score"] for t in results["tests"]] == [0, 2, 1, 1, 2, 2, 2, 2, 2]
    assert [t["status"] for t in results["tests"]][:2] == ["failed", "passed"]
    (root / "submission" / "answers.json").write_text("{")
    results = judged()
    assert results["score"] == 0
    assert "not JSON" in results["output"]


# ---- the quiz ------------------------------------------------------------------------------------


def sat(path, sitting, rights):
    """Write a sitting in which the first `rights` items are right."""
    lines = []
    for number, item in enumerate(ITEMS):
        ask = item.ask("a")
        wrong = next(o for o in ask.options if not ask.right(o))
        answer = ask.truth if number < rights else wrong
        each = Sat(item=item.name, sitting=sitting, variant="a", answer=str(answer), right=True)
        lines.append(json.dumps(each.model_dump()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_the_gain_of_a_class_is_what_was_learned_of_what_there_was_to_learn(tmp_path, capsys):
    for who, before, after in (("ada", 3, 9), ("bob", 6, 9)):
        sat(tmp_path / "pre" / who / "journal.quiz.jsonl", 1, before)
        sat(tmp_path / "post" / f"{who}.quiz.jsonl", 2, after)
    sat(tmp_path / "pre" / "cleo.quiz.jsonl", 1, 12)
    assert main(["quiz", str(tmp_path / "pre"), str(tmp_path / "post")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 learners sat both; 1 only the first, 0 only the second"
    # 9 of 24 before, 18 of 24 after: 9 of the 15 that were left
    assert said[1] == "right before: 38%, after: 75%, gain: 0.60"
    assert len(said) == 2 + len(ITEMS)
    assert main(["quiz", str(tmp_path / "pre"), str(tmp_path / "none")]) == 2


def test_gradescopes_container_runs_no_students_code(tmp_path, monkeypatch):
    """The course secret lies in it: functions are kept, and not counted."""
    monkeypatch.setenv(sandbox.SHUT, "")  # what it sets is gone after the test
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\ndef users(memory, weights, tokens, shared):\n    return 1"
    sheet = Sheet(
        assignment="03_kv_cache",
        assignment_version=1,
        mlsysim="1.0.0",
        student="ada",
        variant={},
        answers={"q6": Answer(value=code)},
    )
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "answers.json").write_text(sheet.to_json())
    (tmp_path / "submission_metadata.json").write_text("{}")
    told = gradescope.results(tmp_path)
    (kept,) = [test for test in told["tests"] if test["name"] == "q6"]
    assert (kept["score"], kept["max_score"]) == (0, 0)
    assert "not run here" in kept["output"]
    assert not ran.exists()
