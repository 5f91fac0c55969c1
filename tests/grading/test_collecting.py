"""What lies in a folder, a zip and a class list, and what is made of it: whole, in order."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest

from grading import collect
from grading.collect import collected, moment, printable
from grading.roster import Enrolled, Roster, read_roster, read_table
from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.course.reading import MOST_BYTES


def lay(folder, *places):
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("{}")


def found(source, **how):
    """Names of what was handed in, and what was passed over."""
    with collected(source, **how) as (handed, passed):
        return [each.file for each in handed], dict(passed)


# ---- a folder ------------------------------------------------------------------------------------


def test_a_folder_is_looked_through_to_its_fourth_floor(tmp_path):
    sheets = ["1/2/3/4/x.json", "B.JSON", "a b.json", "z/y.json"]
    unseen = [".x.json", ".git/x.json", "__MACOSX/x.json", "notes.txt", "x.json5", "report/x.json"]
    deep = {"1/2/3/4/5/x.json": "1/2/3/4/5", "a/__pycache__/x.json": "a/__pycache__"}
    packed = ["x.json.txt", "x.zip", "X.TAR", "x.tar.gz", "x.7z", "x.rar", "x.py", "z/x.ipynb"]
    lay(tmp_path, *sheets, *unseen, *deep, *packed)
    assert found(tmp_path, leave_out=tmp_path / "report") == (
        sheets,
        dict.fromkeys(deep.values(), "folders are not looked into that deep")
        | dict.fromkeys(packed, "only answers.json is graded: unpack it, or rename it"),
    )


@pytest.mark.parametrize("name", ["none", "none.zip", "class.txt"])
def test_what_is_neither_a_folder_nor_a_zip_is_no_class(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)  # a long path would be cut
    with zipfile.ZipFile("class.txt", "w") as packed:
        packed.writestr("ada.json", "{}")
    with pytest.raises(BadArgument) as error:
        found(Path(name))
    remedy = "give a folder, or a .zip, that is there."
    assert str(error.value) == f"the hand-ins cannot be {name!r}: {remedy}"


def test_a_name_is_shown_in_one_line_of_what_can_be_printed():
    assert printable(" a\t b\n\x00c\u202e ") == "a b \ufffdc\ufffd"
    assert printable("Zo\u00eb") == "Zo\u00eb"


# ---- a zip ---------------------------------------------------------------------------------------


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, size in files.items():
            packed.writestr(name, " " * size)
    return path


def test_of_a_zip_small_files_with_a_path_inside_are_unpacked(tmp_path):
    leads, big = "its path leads out of the zip", "it has 262,145 bytes and may have 262,144"
    sizes = {
        "a/b/whole.json": MOST_BYTES,
        "a/b/x.json": 2,
        "b/big.json": MOST_BYTES + 1,
        "c\\d.json": 2,
    }
    sizes |= {"/abs.json": 2, "e/../../f.json": 2, "C:g.json": 2, "folder/": 0}
    path = zipped(tmp_path / "class.ZIP", **sizes)
    passed = dict.fromkeys(("/abs.json", "e/../../f.json", "C:g.json"), leads) | {"b/big.json": big}
    assert found(path) == (["a/b/whole.json", "a/b/x.json", "c/d.json"], passed)


def test_a_table_of_gradescope_may_be_larger_than_a_sheet(tmp_path, monkeypatch):
    table = "assignment_5_export/submission_metadata.yml"
    facts = "submission_7: {submitters: [{sid: bob}, {sid: eve}]}"

    def who(size):
        path = tmp_path / f"{size}.zip"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("assignment_5_export/submission_7/answers.json", "{}")
            packed.writestr(table, facts.ljust(size))
        with collected(path) as (handed, passed):
            return [each.who for each in handed], passed

    assert who(MOST_BYTES + 1) == ([("bob",)], [])
    monkeypatch.setattr(collect, "_MOST_METADATA", 100)
    assert who(100) == ([("bob",)], [])
    assert who(101) == ([()], [(table, "it has 101 bytes and may have 262,144")])


def test_what_a_zip_cannot_give_is_passed_over_and_the_rest_is_read(tmp_path):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.json", "spoiled here")
        packed.writestr("b.json", "{}")
        packed.writestr("b.json/c.json", "{}")  # below a file
    path.write_bytes(path.read_bytes().replace(b"spoiled", b"spOiled", 1))
    reason = "it cannot be unpacked"
    assert found(path) == (["b.json"], {"a.json": reason, "b.json/c.json": reason})


def test_a_zip_of_too_many_files_or_that_is_none_is_refused(tmp_path, monkeypatch):
    assert (collect._MOST_FILES, collect._MOST_METADATA) == (50_000, 64 * 2**20)
    monkeypatch.setattr(collect, "_MOST_FILES", 3)
    path = zipped(tmp_path / "class.zip", **{f"{n}.json": 2 for n in range(3)}, **{"x/": 0})
    assert len(found(path)[0]) == 3
    zipped(path, **{f"{n}.json": 2 for n in range(4)})
    with pytest.raises(BadArgument, match=r": it holds 4 files and may hold 3\.$"):
        found(path)
    path.write_bytes(b"no zip")
    with pytest.raises(BadArgument, match=r"it is no zip that opens: File is not a zip file\.$"):
        found(path)


# ---- what a platform says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "iso"),
    [
        ("Friday, 27 November 2026, 11:05 PM", "2026-11-27T23:05:00"),
        ("Friday, 27 November 2026, 23:05", "2026-11-27T23:05:00"),
        (" 27.11.2026 23:05 ", "2026-11-27T23:05:00"),
        ("2026-11-27T23:05:07-05:00", "2026-11-28T04:05:07+00:00"),
        ("2026-11-27", "2026-11-27T00:00:00"),
        (dt.datetime(2026, 11, 27, 23, 5), "2026-11-27T23:05:00"),
        (dt.datetime(2026, 11, 27, 23, 5, tzinfo=dt.UTC), "2026-11-27T23:05:00+00:00"),
        ("11/27/2026", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_time_is_read_in_every_spelling_of_a_platform(said, iso):
    assert moment(said) == iso


def test_gradescopes_first_submitter_is_the_owner_by_what_is_known(tmp_path):
    facts = {
        "submission_1": "{submitters: [{sid: 17, email: a@x, name: Ada}, {sid: 18}]}",
        "submission_2": "{':submitters': [{':email': b@x}], ':created_at': 2026-11-27 10:00:00}",
        "submission_3": "{submitters: [], created_at: 2026-11-27 10:00:00+01:00}",
        "submission_4": "{submitters: nobody}",
        "submission_5": "[1]",
    }
    lay(tmp_path, *(f"{name}/answers.json" for name in [*facts, "submission_6"]))
    table = tmp_path / "submission_metadata.yml"
    table.write_text("\n".join(f"{name}: {each}" for name, each in facts.items()))
    with collected(tmp_path) as (handed, _):
        assert [(each.who, each.at) for each in handed] == [
            (("17", "a@x", "Ada"), ""),
            (("b@x",), "2026-11-27T10:00:00"),
            ((), "2026-11-27T09:00:00+00:00"),
            ((), ""),
            ((), ""),
            ((), ""),
        ]
    for broken in ("{", "[1]", "a: 2026-99-99", "[" * 5000):
        table.write_text(broken)
        assert len(found(tmp_path)[0]) == 6


def test_a_hand_in_came_when_its_place_says_so_else_when_the_class_list_does(tmp_path):
    ada, bob = (Enrolled(each, at=at) for each, at in (("ada", "27.11.2026 09:00"), ("bob", "-")))
    roster = Roster({"ada": ada, "bob": bob}, {"canvas 1": "ada", "11": "ada", "b": "bob"})
    lay(
        tmp_path, "x_1_900_answers.json", "B_2_assignsubmission_file_/a.json", "submission_7/a.json"
    )
    (tmp_path / "submission_metadata.yml").write_text(
        "submission_7: {submitters: [{sid: 11}], created_at: 2026-11-26 08:00:00}"
    )
    with collected(tmp_path, roster) as (handed, _):
        assert {each.file: each.at for each in handed} == {
            "B_2_assignsubmission_file_/a.json": "",
            "submission_7/a.json": "2026-11-26T08:00:00",
            "x_1_900_answers.json": "2026-11-27T09:00:00",
        }
        assert not any(each.late for each in handed)


# ---- the class list ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "students"),
    [
        ("ada\n\n bob \n", [Enrolled("ada"), Enrolled("bob")]),
        (
            "Student;Name;Group;E-mail;Email;Submitted\na;Ada L;B;x;a@x;2026-11-27\n;Nobody;;;;\n",
            [Enrolled("a", "Ada L", "a@x", "B", (), "2026-11-27")],
        ),
        ("login\tfull name\tsection\na\tAda\tC\n", [Enrolled("a", "Ada", "", "C")]),
        ("username,email\n,a@x\nb,b@x\n", [Enrolled("a@x", "", "a@x"), Enrolled("b", "", "b@x")]),
        (
            "Identifier,Full name,ID number,Username,Email address,Last modified (submission)\n"
            "Participant 1,Ada,,a,a@x,27.11.2026 09:00\nParticipant 2,Bob,7,b,b@x,-\n"
            "Participant 3,Eve,,,e@x,\nParticipant 4,Dan,,,,\n",
            [
                Enrolled("a", "Ada", "a@x", "", ("Participant 1",), "27.11.2026 09:00"),
                Enrolled("7", "Bob", "b@x", "", ("Participant 2",), "-"),
                Enrolled("e@x", "Eve", "e@x", "", ("Participant 3",)),
                Enrolled("Participant 4", "Dan", "", "", ("Participant 4",)),
            ],
        ),
        (
            "Student,ID,SIS User ID,SIS Login ID,Section\n Points Possible ,,,,\nAda,1,u1,a,B\n"
            '"Student, Test",9,,t,B\nBob,2,u2,,B\nEve,3,,,B\n',
            [
                Enrolled("a", "Ada", "", "B", ("canvas 1",)),
                Enrolled("u2", "Bob", "", "B", ("canvas 2",)),
                Enrolled("3", "Eve", "", "B", ("canvas 3",)),
            ],
        ),
        (
            "First Name,Last Name,SID,Email,Section\nAda,Lovelace,17,a@x,B\nBob,,,b@x,\n",
            [Enrolled("17", "Ada Lovelace", "a@x", "B"), Enrolled("b@x", "Bob", "b@x")],
        ),
    ],
)
def test_a_class_list_gives_each_students_facts(tmp_path, text, students):
    (tmp_path / "r.csv").write_text(text)
    assert [*read_roster(tmp_path / "r.csv").students.values()] == students


def test_a_name_leads_to_one_student_and_an_id_to_its_owner_first(tmp_path):
    text = "student,name,email\nada,Bob,a@x\nBob,Cleo,b@x\neve,Cleo,b@x\n"
    (tmp_path / "r.csv").write_text(text)
    roster = read_roster(tmp_path / "r.csv")
    assert roster.aliases == {"ada": "ada", "a@x": "ada", "bob": "bob", "eve": "eve"}
    assert roster.find("", "\n", "Cleo", " A@X ", "bob").id == "ada"
    assert roster.find() is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "r.csv: it is empty."),
        (b"student\nZo\xeb\n", "r.csv: it is not UTF-8 text: save it as CSV UTF-8."),
        (b"student\nada\nADA \n", "r.csv: ADA: it stands there twice; remove one line."),
    ],
)
def test_a_class_list_that_is_none_is_told_why(tmp_path, data, words):
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(InvalidEntry) as error:
        read_roster(tmp_path / "r.csv")
    assert str(error.value) == words


def test_a_table_keeps_its_header_as_it_stands_and_rows_of_any_length(tmp_path):
    (tmp_path / "t.csv").write_text('\ufeff A ,B\n1, "2"\n,\n3\n4,5,6\n')
    assert read_table(tmp_path / "t.csv") == (
        ["A", "B"],
        [{"a": "1", "b": '"2"'}, {"a": "3"}, {"a": "4", "b": "5"}],
        ",",
    )
