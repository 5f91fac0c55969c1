"""`python -m grading`: what an instructor runs and gets."""

from __future__ import annotations

import csv
import hashlib
import html
import re
import subprocess
import sys

import pytest

from grading.check import Checks
from grading.collect import collected, printable
from grading.commands import main
from grading.judge import Graded, Judge, judge_all
from grading.report import page_name, safe_cell
from mlsysim import pages
from mlsysim.course.variants import code_for
from tests.grading.conftest import NAME


def table(out):
    return (out / "grades.csv").read_text(encoding="utf-8").splitlines()


def everything(out):
    files = [path for path in out.rglob("*") if path.is_file()]
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_a_class_is_graded_into_a_table_a_report_and_a_page_each(hand_in, grade, variant, right):
    hand_in("ada", right(variant("ada")))
    hand_in("bob", {})
    assert grade()[0] == 0
    rows = grade.rows()
    assert rows["ada"]["score"] == rows["ada"]["out_of"] == "16.0"
    assert rows["bob"]["score"] == "2.0"  # the predictions
    report = grade.report()
    assert report["assignments"][NAME]["students"] == 2
    assert {"mlsysim", "registry"} <= set(report)
    for row in report["students"]:
        assert (grade.out / row["page"]).is_file()


def test_an_unreadable_file_is_reported_and_the_rest_graded(hand_in, grade, variant, right):
    hand_in("ada", right(variant("ada")))
    (hand_in.folder / "broken.json").write_bytes(b"{\xff")
    (hand_in.folder / "link.json").symlink_to("ada.json")
    code, _, errors = grade()
    assert code == 2
    assert "broken.json: it is not UTF-8 text" in errors
    assert [u["file"] for u in grade.report()["unreadable"]] == ["broken.json", "link.json"]
    assert grade.rows()["ada"]["score"] == "16.0"
    assert "not graded: it is a link" in (grade.out / "grades.csv").read_text()


def test_the_same_submissions_give_the_same_bytes_whatever_the_number_of_jobs(
    hand_in, grade, variant, right
):
    for n in range(70):  # more than one chunk
        hand_in(f"s{n:02d}", right(variant("s00")) if n != 1 else {})
    grade()
    before = everything(grade.out)
    grade()
    assert everything(grade.out) == before
    grade("--jobs", "2")
    assert everything(grade.out) == before
    assert len(before) == 73  # a page each, the table, the report and its page
    assert [line.split(",")[5] for line in table(grade.out)[1:3]] == ["16.0", "2.0"]


def test_a_rerun_prints_the_differences_and_clears_stale_pages(hand_in, grade, variant, right):
    hand_in("ada", {})
    gone = hand_in("bob", {})
    grade()
    old_pages = set((grade.out / "students").iterdir())
    (grade.out / "students" / "notes.html").write_text("the instructor's own")
    hand_in("ada", right(variant("ada")))
    gone.unlink()
    _, said, _ = grade()
    assert "ada: 2 -> 16" in said
    assert "bob: no longer graded, was 2" in said
    assert len(old_pages) == 2
    assert len(list((grade.out / "students").iterdir())) == 2  # ada's, and the instructor's own


def test_one_student_can_be_graded_alone_and_the_class_report_stays(hand_in, grade, variant, right):
    hand_in("ada", right(variant("ada")))
    hand_in("bob", {})
    grade()
    report = (grade.out / "report.json").read_bytes()
    code, said, _ = grade("--student", " ADA ")
    assert code == 0
    assert "ada.json: 16 of 16" in said
    assert "bob" not in said
    assert (grade.out / "report.json").read_bytes() == report
    assert grade("--student", "nobody")[0] == 2


def test_with_a_course_secret_other_numbers_are_drawn(hand_in, grade, tmp_path, variant, right):
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret of this course\n")
    students = [f"s{n}" for n in range(20)]
    theirs = {s: variant(s, b"a secret of this course") for s in students}
    assert any(theirs[s] != variant(s) for s in students)
    for s in students:
        hand_in(s, right(theirs[s]), variant=theirs[s].fields)
    grade("--secret-file", str(secret))
    assert {row["score"] for row in grade.rows().values()} == {"16.0"}
    assert grade.report()["variants"] == "course secret"
    code, _, err = grade()  # the secret is forgotten: the marks that stand stay
    assert code == 2
    assert "sheets were made with a secret, and none is given" in err
    assert {row["score"] for row in grade.rows().values()} == {"16.0"}


def test_a_secret_that_is_short_or_absent_is_refused(hand_in, grade, tmp_path, monkeypatch):
    hand_in("ada", {})
    monkeypatch.setenv("GRADING_SECRET", "short")
    assert grade()[0] == 2
    assert grade("--secret-file", str(tmp_path / "absent"))[0] == 2


def test_a_secret_of_exactly_the_least_length_is_taken(hand_in, grade, tmp_path):
    hand_in("ada", {})
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789abcde")
    code, _, errors = grade("--secret-file", str(secret))
    assert code == 2
    assert "at least 16 characters" in errors
    secret.write_bytes(b"0123456789abcdef\n")
    assert grade("--secret-file", str(secret))[0] == 0
    assert grade.report()["variants"] == "course secret"


def test_the_environment_can_hold_the_secret_and_codes_hand_out_variants(
    hand_in, grade, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("GRADING_SECRET", "a secret of this course")
    ids = tmp_path / "ids.txt"
    ids.write_text("ada\n=evil()\n\nBob Ross\n")
    assert main(["codes", NAME, str(ids)]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows[0] == ["student", "code"]
    assert rows[1] == ["ada", code_for("ada", NAME, b"a secret of this course")]
    assert rows[2][0] == "'=evil()"
    assert len(rows) == 4
    monkeypatch.delenv("GRADING_SECRET")
    assert main(["codes", NAME, str(ids)]) == 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_no_cell_can_act_as_a_formula(hand_in, grade, name):
    hand_in(name, {}, file="x.json")
    grade()
    rows = list(csv.reader(table(grade.out)))
    assert rows[1][0] == f"'{name}"
    assert not any(
        cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row
    )
    assert safe_cell("\tx") == "'\tx"


@pytest.mark.parametrize("blank", ["", " ", "   ", "\u00a0", " \u00a0 ", "\t", "\r"])
def test_a_formula_behind_blanks_is_shown_and_not_run(blank):
    for sign in "=+-@":
        assert safe_cell(f"{blank}{sign}1") == f"'{blank}{sign}1"
    assert safe_cell("a=1") == "a=1"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '" onmouseover="x',
        "../../../evil",
        "..",
        "a/b\\c",
        "&amp;",
        "CON",
        "é" * 90,
        "'",
    ],
)
def test_ids_stay_inside_the_report_folder_and_are_text_in_html(hand_in, grade, tmp_path, name):
    hand_in(name, {"q1": {"value": name, "unit": name}, name: 1}, file="x.json")
    before = everything(tmp_path).keys()
    grade()
    fresh = [path for path in everything(tmp_path) if path not in before]
    assert all(path.startswith("out/") for path in fresh)
    (row,) = grade.report()["students"]
    assert re.fullmatch(r"students/[A-Za-z0-9_-]{1,40}-[0-9a-f]{12}\.html", row["page"])
    for page in (grade.out / "report.html", grade.out / row["page"]):
        text = page.read_text(encoding="utf-8")
        assert name in html.unescape(text)
        for tag in re.findall(r"<[^>]*>", text):
            assert name not in tag or name in ("..", "'", "CON")
        own = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
        assert own == [pages.source("class.js")] * (page.name == "report.html")
        assert text.count("<script") == len(own)
        assert "http://" not in text
        assert "https://" not in text


def test_two_ids_that_look_alike_have_two_pages_and_of_two_hand_ins_one_counts(hand_in, grade):
    hand_in("a b", {}, file="1.json")
    hand_in("a/b", {}, file="2.json")
    hand_in("A  B", {}, file="3.json")
    grade()
    rows = grade.report()["students"]
    assert len({row["page"] for row in rows}) == 2
    flags = {row["student"]: [flag["says"] for flag in row["flags"]] for row in rows}
    assert flags == {"A B": ["2 hand-ins; this one counts"], "a/b": []}
    (passed,) = grade.report()["skipped"]
    assert passed == {"file": "1.json", "reason": "another attempt counts"}


def test_a_file_name_of_any_bytes_is_graded(hand_in, grade):
    path = hand_in("ada", {})
    odd = path.with_name("a\udcff\nb.json")
    path.rename(odd)
    assert grade()[0] == 0
    assert grade.report()["students"][0]["file"] == printable("a\udcff\nb.json")


def test_a_students_page_shows_nobody_elses_data(hand_in, grade, variant, right):
    hand_in("ada", right(variant("ada")))
    hand_in("bob", {})
    grade()
    pages = {
        row["student"]: (grade.out / row["page"]).read_text() for row in grade.report()["students"]
    }
    assert "bob" not in pages["ada"]
    assert "ada" not in pages["bob"]


def test_what_was_made_elsewhere_is_flagged_and_costs_nothing(hand_in, grade, variant, right):
    hand_in(
        "ada",
        right(variant("ada")),
        mlsysim="0.0.1",
        registry="x",
        assignment_version=9,
        variant={"model": "x"},
    )
    grade()
    (row,) = grade.report()["students"]
    kinds = [flag["kind"] for flag in row["flags"]]
    assert kinds == ["old-version", "other-mlsysim", "other-registry"]
    assert row["score"] == row["out_of"]


def test_a_crash_in_one_sheet_costs_that_sheet_only(hand_in, tmp_path, monkeypatch):
    hand_in("ada", {})
    hand_in("bob", {})
    honest = Checks.judge

    def crash(checks, v, answers):
        if answers:
            raise ZeroDivisionError
        return honest(checks, v, answers)

    hand_in("eve", {"q1": 1})
    monkeypatch.setattr(Checks, "judge", crash)
    with collected(hand_in.folder) as (handed, _):
        outcomes = judge_all(handed, Judge())
    assert [isinstance(o, Graded) for o in outcomes] == [True, True, False]
    assert "ZeroDivisionError" in outcomes[2].reason


def test_page_names_do_not_depend_on_the_machine(hand_in):
    hand_in("ada", {})
    graded = Judge().file(hand_in.folder / "ada.json")
    whose = hashlib.sha256(f"{NAME}|ada".encode()).hexdigest()[:12]
    assert page_name(graded) == f"ada-{whose}.html"


@pytest.mark.parametrize(
    "arguments", [["grade", "/nowhere", "--out", "x"], ["codes", "nothing", "x"], ["secret", "/"]]
)
def test_a_bad_request_costs_one_line_and_exit_2(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("grading: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("words", [[], ["nonsense"], ["grade"]])
def test_a_command_that_is_none_is_told_what_there_is_and_exits_2(words):
    run = [sys.executable, "-m", "grading", *words]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: python -m grading" in done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_list_of_students_that_is_no_text_is_told_on_the_errors(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRADING_SECRET", "a secret of this course")
    (tmp_path / "ids.txt").write_bytes("Zo\u00eb\n".encode("latin-1"))
    assert main(["codes", NAME, str(tmp_path / "ids.txt")]) == 2
    said = capsys.readouterr()
    assert said.err == "grading: ids.txt: it is not UTF-8 text: save it as CSV UTF-8.\n"
    assert "student,code" not in said.out


def test_an_empty_folder_and_no_jobs_are_bad_requests(hand_in, grade):
    assert grade()[0] == 2
    hand_in("ada", {})
    assert grade("--jobs", "0")[0] == 2
