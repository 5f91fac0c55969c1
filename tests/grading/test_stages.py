"""Collecting, judging and booking a class: whose a file is, what it costs, what survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile

import pytest

from grading.collect import Handed, collected
from grading.judge import Graded, Judge, Ledger, Refused, judge_all
from grading.roster import read_roster
from mlsysim.core.errors import BadArgument, InvalidEntry
from tests.grading.conftest import NAME

# ---- the roster ----------------------------------------------------------------------------------

ROSTERS = {
    "one id a line": "ada\nbob\n",
    "with a header": "student,name,email\nada,Ada Lovelace,ada@x.org\nbob,Bob Ross,bob@x.org\n",
    "semicolons": "student;name\nada;Ada Lovelace\nbob;Bob Ross\n",
    "Moodle": "\ufeffIdentifier,Full name,ID number,Status\n"
    "Participant 11,Ada Lovelace,ada,Submitted\nParticipant 12,Bob Ross,bob,-\n",
    "Canvas": "Student,ID,SIS User ID,SIS Login ID,Section,Exercise 00 (17)\n"
    '    Points Possible,,,,,16\n"Lovelace, Ada",11,u1,ada,A,\n"Ross, Bob",12,u2,bob,A,\n',
    "Gradescope": "First Name,Last Name,SID,Email,Role\n"
    "Ada,Lovelace,ada,ada@x.org,Student\nBob,Ross,bob,bob@x.org,Student\n",
}


@pytest.mark.parametrize("text", ROSTERS.values(), ids=ROSTERS)
def test_class_lists_of_every_layout_name_the_same_students(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8")
    roster = read_roster(tmp_path / "roster.csv")
    assert list(roster.students) == ["ada", "bob"]
    if "Lovelace" in text and "Canvas" not in text and "SIS" not in text:
        assert roster.find("nobody", "ada LOVELACE").id == "ada"
    if "11" in text:
        assert roster.find("Participant 11" if "Participant" in text else "canvas 11").id == "ada"


def test_a_platforms_number_is_not_taken_for_somebody_elses_id(tmp_path):
    text = "Student,ID,SIS User ID,SIS Login ID,Section\nAda,12,u1,11,A\nBob,11,u2,12,A\n"
    (tmp_path / "r.csv").write_text(text)
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "ada_12_900_answers.json").write_text("{}")
    roster = read_roster(tmp_path / "r.csv")
    with collected(tmp_path / "class", roster) as (handed, _):
        assert roster.find(*handed[0].who).name == "Ada"
    assert roster.find("12").name == "Bob"  # whoever types an id means it


def test_two_of_the_same_name_are_told_apart_by_their_ids_alone(tmp_path):
    (tmp_path / "r.csv").write_text("student,name\na1,Ada\na2,Ada\n")
    roster = read_roster(tmp_path / "r.csv")
    assert roster.find("Ada") is None
    assert roster.find("a2").id == "a2"


def test_a_student_on_two_lines_is_an_error(tmp_path):
    (tmp_path / "r.csv").write_text("student\nada\nADA\n")
    with pytest.raises(InvalidEntry, match="twice"):
        read_roster(tmp_path / "r.csv")


# ---- collecting ----------------------------------------------------------------------------------

GRADESCOPE = """
submission_7:
  :submitters:
  - :name: Bob Ross
    :sid: bob
    :email: bob@x.org
  :created_at: 2026-11-27 10:00:00.000000000 Z
"""


def test_what_a_platform_says_of_a_file_is_read_from_its_place(tmp_path):
    places = {
        "Ada Lovelace_11_assignsubmission_file_/answers.json": ("Participant 11", "Ada Lovelace"),
        "Ada Lovelace_11_assignsubmission_file_answers.json": ("Participant 11", "Ada Lovelace"),
        "lovelaceada_LATE_11_977_answers-1.json": ("canvas 11", "11", "lovelaceada"),
        "rossbob_12_978_answers.json": ("canvas 12", "12", "rossbob"),
        "assignment_5_export/submission_7/answers.json": ("bob", "bob@x.org", "Bob Ross"),
        "anybody/answers (1).json": (),
    }
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("{}")
    (tmp_path / "assignment_5_export" / "submission_metadata.yml").write_text(GRADESCOPE)
    with collected(tmp_path) as (handed, passed):
        found = {each.file: each for each in handed}
    assert not passed
    assert {file: each.who for file, each in found.items()} == places
    assert [each.file for each in handed if each.late] == ["lovelaceada_LATE_11_977_answers-1.json"]
    when = "2026-11-27T10:00:00+00:00"
    assert found["assignment_5_export/submission_7/answers.json"].at == when


def test_a_students_own_metadata_is_nobodys_word(tmp_path):
    folder = tmp_path / "eve"
    (folder / "submission_7").mkdir(parents=True)
    (folder / "submission_7" / "answers.json").write_text("{}")
    (folder / "submission_metadata.yml").write_text(GRADESCOPE)
    with collected(tmp_path) as (handed, _):
        assert [each.who for each in handed] == [()]


def test_a_zip_is_graded_like_the_folder_in_it_and_nothing_leaves_it(
    hand_in, grade, right, variant, tmp_path
):
    path = hand_in("ada", right(variant("ada")))
    packed = hand_in.folder.parent / "class.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.write(path, "ada/answers.json")
        file.writestr("../../evil.json", "{}")
        file.writestr("bob/answers.json", " " * 300_000)
    before = sorted(tmp_path.rglob("*"))
    with collected(packed) as (handed, passed):
        assert [each.file for each in handed] == ["ada/answers.json"]
        assert judge_all(handed, Judge())[0].score == 16
    assert [name for name, _ in passed] == ["../../evil.json", "bob/answers.json"]
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(BadArgument, match="a folder, or a"):
        collected(tmp_path / "none").__enter__()


# ---- whose a file is -----------------------------------------------------------------------------


@pytest.fixture
def roster(tmp_path):
    """A class of three, with the numbers of their platform."""
    text = "Identifier,Full name,ID number\nParticipant 1,Ada L,ada\nParticipant 2,Bob R,bob\n"
    (tmp_path / "roster.csv").write_text(text + "Participant 3,Cleo,cleo\n")
    return str(tmp_path / "roster.csv")


def test_missing_students_and_strangers_are_named(hand_in, grade, right, variant, roster):
    hand_in("ada", right(variant("ada")))
    hand_in("mallory", right(variant("mallory")))
    code, said, _ = grade("--roster", roster)
    assert code == 0
    assert "2 graded, 2 missing" in said
    assert f"missing in {NAME}: bob, cleo" in said
    kinds = {r["student"]: [f["kind"] for f in r["flags"]] for r in grade.report()["students"]}
    assert kinds == {"ada": [], "mallory": ["not-on-roster"]}
    page = (grade.out / "report.html").read_text()
    assert "Missing" in page
    assert "cleo" in page


def test_who_names_another_in_the_file_gets_the_marks_of_the_own_numbers(
    hand_in, grade, right, variant, roster
):
    stolen = hand_in("ada", right(variant("ada")))
    folder = hand_in.folder / "Bob R_2_assignsubmission_file_"
    folder.mkdir()
    stolen.rename(folder / "answers.json")
    grade("--roster", roster)
    (row,) = grade.report()["students"]
    assert row["student"] == "bob"
    assert [f["kind"] for f in row["flags"]] == ["id-differs", "other-numbers"]
    assert row["score"] < 16
    page = (grade.out / row["page"]).read_text()
    assert "The file names ada, which is not you" in page


def test_who_types_the_full_name_for_the_id_is_the_same_student(
    hand_in, grade, right, variant, roster
):
    hand_in("Ada L", right(variant("Ada L")))
    grade("--roster", roster)
    (row,) = grade.report()["students"]
    assert (row["student"], row["name"], row["score"], row["flags"]) == ("ada", "Ada L", 16, [])


# ---- judging apart -------------------------------------------------------------------------------


def many(hand_in, count):
    for number in range(count):
        hand_in(f"s{number}", {})
    with collected(hand_in.folder) as (handed, _):
        return handed


def test_a_file_that_takes_too_long_or_kills_its_judge_costs_itself_alone(hand_in, monkeypatch):
    honest = Judge.data

    def data(judge, handed, held):
        if handed.file == "s1.json":
            time.sleep(90)
        if handed.file == "s2.json":
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(judge, handed, held)

    handed = many(hand_in, 5)
    Judge().file(handed[0].path)  # whatever a process loads once is loaded before it is forked
    monkeypatch.setattr(Judge, "data", data)
    begin = time.monotonic()
    outcomes = judge_all(handed, Judge(), limit=4.0)
    assert time.monotonic() - begin < 60
    assert [type(each) for each in outcomes] == [Graded, Refused, Refused, Graded, Graded]
    assert "took more than 4 s" in outcomes[1].reason
    assert "died" in outcomes[2].reason


def test_a_run_that_was_killed_goes_on_where_it_stood(hand_in, grade, monkeypatch):
    handed = many(hand_in, 6)
    slow = f"""
        import time
        from grading.judge import Judge
        from grading.commands import main
        honest = Judge.data
        def data(judge, handed, held):
            if handed.file == "s4.json":
                time.sleep(30)
            return honest(judge, handed, held)
        Judge.data = data
        main(["grade", {str(hand_in.folder)!r}, "--out", {str(grade.out)!r}, "--limit", "90"])
    """
    ledger = grade.out / "graded.part.jsonl"
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(slow)]) as run:
        while not ledger.exists() or ledger.read_text().count("\n") < 4:
            assert run.poll() is None
            time.sleep(0.05)
        run.kill()
    with ledger.open("a") as file:
        file.write('{"key": "half a li')
    assert not (grade.out / "grades.csv").exists()
    judged = grade.out.parent / "judged"
    honest = Judge.data

    def data(judge, handed, held):
        with judged.open("a") as file:
            file.write(f"{handed.file}\n")
        return honest(judge, handed, held)

    monkeypatch.setattr(Judge, "data", data)
    assert grade()[0] == 0
    assert judged.read_text().split() == ["s4.json", "s5.json"]
    assert len(grade.report()["students"]) == len(handed)
    assert not ledger.exists()
    first = (grade.out / "report.json").read_bytes()
    grade()  # from the start
    assert (grade.out / "report.json").read_bytes() == first


def test_rows_count_only_for_the_same_bytes_and_the_same_secret(tmp_path):
    handed = Handed("a.json", tmp_path / "a.json")
    keys = {
        Ledger(tmp_path / "x", judge).key(each, data)
        for judge in (Judge(), Judge(b"a secret of this course"))
        for each in (handed, handed._replace(file="b.json"))
        for data in (b"{}", b"{ }")
    }
    assert len(keys) == 8


# ---- what stops a run ----------------------------------------------------------------------------


def test_a_flag_on_a_tenth_of_a_class_stops_the_run_unless_it_is_accepted(
    hand_in, grade, right, variant
):
    for number in range(25):
        old = {"mlsysim": "0.0.1"} if number < 3 else {}
        hand_in(f"s{number}", right(variant(f"s{number}")), **old)
    code, said, err = grade()
    assert (code, said) == (2, "")
    assert err.startswith("grading: 3 of 25 sheets say other-mlsysim")
    assert not (grade.out / "grades.csv").exists()
    assert grade("--accept", "other-mlsysim")[0] == 0
    assert len(grade.report()["students"]) == 25
    flags = [f["kind"] for row in grade.report()["students"] for f in row["flags"]]
    assert flags == ["other-mlsysim"] * 3


def test_who_stays_below_the_passing_mark_is_said_by_the_exit_code(hand_in, grade, right, variant):
    hand_in("ada", right(variant("ada")))
    assert grade("--passing", "60")[0] == 0
    hand_in("bob", {})
    assert grade("--passing", "60")[0] == 1
    assert grade("--passing", "60", "--student", "ada")[0] == 0


def test_a_report_holds_nothing_but_valid_json(hand_in, grade, right, variant):
    hand_in("ada", right(variant("ada")), journal=["NaN", 1e308, None])
    grade()
    text = (grade.out / "report.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
