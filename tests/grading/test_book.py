"""What a hand-in counts for: every rule of a gradebook, with marks worked out by hand."""

from __future__ import annotations

import csv
import textwrap

import pytest

from grading.book import Gradebook, read_gradebook
from mlsysim.core.errors import MLSysError
from tests.grading.conftest import NAME, journal

# a right sheet has 16 points: q1, q2, q5 to q8 2 each, q3 and q4 1 each, and 2 for predictions


@pytest.fixture
def booked(grade, tmp_path):
    """Grade with a gradebook and a roster; gives the rows of the report by student."""

    def run(rules, roster="student,submitted\nada\nbob\n", *options):
        (tmp_path / "book.yaml").write_text(textwrap.dedent(rules))
        (tmp_path / "roster.csv").write_text(roster)
        books = (
            "--gradebook",
            str(tmp_path / "book.yaml"),
            "--roster",
            str(tmp_path / "roster.csv"),
        )
        run.code, run.said, run.err = grade(*books, *options)
        return {row["student"]: row for row in grade.report()["students"]} if run.code < 2 else {}

    return run


def test_questions_can_weigh_more_and_be_dropped(hand_in, right, variant, booked, grade):
    hand_in("ada", {**right(variant("ada")), "q1": None, "q3": None})
    rules = f"assignments: {{{NAME}: {{points: {{q1: 6}}, drop: {{q3: its text was wrong}}}}}}"
    ada = booked(rules)["ada"]
    assert (ada["score"], ada["out_of"]) == (13, 19)  # 16 - 2 - 1, and 16 + 4 - 1
    page = (grade.out / ada["page"]).read_text()
    assert "its text was wrong" in page


def test_a_mark_is_changed_by_hand_with_a_reason_that_the_student_reads(
    hand_in, right, variant, booked, grade
):
    hand_in("ada", {**right(variant("ada")), "q7": None})
    hand_in("bob", {})
    rules = f"""
        overrides:
        - {{student: Ada, assignment: {NAME}, question: q7, points: 1.5, why: the method was right}}
        - {{student: bob, assignment: {NAME}, question: all, points: 7, why: was ill}}
    """
    rows = booked(rules)
    assert rows["ada"]["score"] == 15.5
    assert rows["bob"]["score"] == 7
    assert "the method was right" in (grade.out / rows["ada"]["page"]).read_text()
    assert "was ill" in (grade.out / rows["bob"]["page"]).read_text()


@pytest.mark.parametrize(
    ("came", "off", "score"),
    [
        ("2026-11-27T22:59:00Z", 0.0, 16),  # in time, by an hour in the zone of the due time
        ("2026-11-27T23:10:00Z", 0.0, 16),  # within the grace
        ("2026-11-28T00:00:00Z", 0.1, 14.4),  # one day is begun
        ("2026-11-29T12:00:00Z", 0.2, 12.8),  # two
        ("2026-12-31T12:00:00Z", 0.5, 8),  # no more than that
        # a platform that tells no zone writes what the clocks of the class say, as the due time is
        ("Friday, 27 November 2026, 11:30 PM", 0.0, 16),
        ("2026-11-28 00:40", 0.1, 14.4),
    ],
)
def test_lateness_costs_a_part_for_each_day_that_is_begun(
    hand_in, right, variant, booked, came, off, score
):
    hand_in("ada", right(variant("ada")), file="A_1_assignsubmission_file_/answers.json")
    rules = f"""
        assignments: {{{NAME}: {{due: "2026-11-27 23:59+01:00"}}}}
        late: {{grace: 15 min, per_day: 0.1, most: 0.5}}
    """
    roster = (
        f'Identifier,Full name,ID number,Last modified (submission)\nParticipant 1,A,ada,"{came}"\n'
    )
    ada = booked(rules.replace("15 min", "30 min"), roster)["ada"]
    assert (ada["part_off"], ada["score"]) == (off, score)
    extended = rules + f'    extensions: {{ada: {{{NAME}: "2027-01-31 12:00+00:00"}}}}\n'
    assert booked(extended, roster)["ada"]["score"] == 16


@pytest.mark.parametrize(("rule", "score"), [("latest", 2), ("first", 16), ("best", 16)])
def test_which_of_two_hand_ins_counts_is_a_rule(hand_in, right, variant, booked, rule, score):
    hand_in("ada", right(variant("ada")), file="ada/answers.json")
    hand_in("ada", {}, file="ada/answers (1).json")
    rows = booked(f"attempts: {rule}")
    assert rows["ada"]["score"] == score
    assert [f["says"] for f in rows["ada"]["flags"]] == ["2 hand-ins; this one counts"]


def test_the_same_wrong_values_for_other_numbers_are_a_hint(hand_in, right, variant, booked, grade):
    wrong = {"q1": {"value": "17.321", "unit": "ms"}, "q6": {"value": "123.45", "unit": "GB"}}
    for student in ("ada", "bob"):
        hand_in(student, {**right(variant(student)), **wrong})
    hand_in("cleo", {**right(variant("cleo")), "q1": wrong["q1"]})
    rows = booked("course: x", "student\nada\nbob\ncleo\n")
    hints = {who: [f["says"] for f in row["flags"]] for who, row in rows.items()}
    assert hints == {
        "ada": ["the same wrong values for other numbers as bob"],
        "bob": ["the same wrong values for other numbers as ada"],
        "cleo": [],
    }
    page = (grade.out / rows["ada"]["page"]).read_text()
    assert "bob" not in page  # a hint is the instructor's alone


def test_equal_journals_are_a_hint(hand_in, right, variant, booked):
    for student in ("ada", "bob"):
        hand_in(student, {}, journal=journal("00.1", "00.2", "00.3"))
    rows = booked("{}")
    assert rows["ada"]["flags"][0]["says"] == "the same journal, to the second, as bob"


def test_an_anonymous_report_names_nobody_but_in_one_table(hand_in, right, variant, booked, grade):
    hand_in("ada", right(variant("ada")))
    hand_in("ada", {}, file="again/ada.json")
    (hand_in.folder / "ada.zip").write_text("packed")
    rows = booked("anonymous: true", "student,name\nada,Ada Lovelace\nbob,Bob Ross\n")
    (alias,) = rows
    for path in grade.out.rglob("*"):
        if path.is_file() and path.name != "names.csv":
            text = path.read_text()
            assert "ada" not in text.replace("adaptive", "").lower().split()
            assert "Lovelace" not in text
            assert "Ross" not in text
    lines = (grade.out / "names.csv").read_text().splitlines()
    named = {row["alias"]: row["student"] for row in csv.DictReader(lines)}
    assert named[alias] == "ada"
    assert set(booked("anonymous: true", "student\nada\nbob\n")) == {alias}  # in every run


def test_a_course_is_weighed_over_its_exercises(hand_in, right, variant, booked, grade):
    hand_in("ada", right(variant("ada")))
    other = next(n for n in ("03_kv_cache", "01_memory_wall") if exists(n))
    booked(f"assignments: {{{NAME}: {{weight: 3}}, {other}: {{weight: 1}}}}")
    assert grade.report()["totals"] == {"ada": 0.75, "bob": 0.0}
    assert {each["student"] for each in grade.report()["missing"][other]} == {"ada", "bob"}


def exists(name):
    from mlsysim.course.lessons import lesson

    return lesson(name).assignment is not None


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("late: {per_day: 10}", "per_day"),
        ("attempts: newest", "did you mean"),
        ("assignments: {99_none: {}}", "99_none"),
        (f"assignments: {{{NAME}: {{due: tomorrow}}}}", "with its zone"),
        (f"assignments: {{{NAME}: {{due: 2026-11-27 23:59}}}}", "with its zone"),
        (f"assignments: {{{NAME}: {{drop: {{q99: x}}}}}}", "q99"),
        ("accept: [everything]", "everything"),
        ("colour: red", "colour"),
        (
            f"overrides: [{{student: a, assignment: {NAME}, question: q1, points: 1, why: ''}}]",
            "say why",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_said_before_anything_is_graded(tmp_path, rules, said):
    (tmp_path / "book.yaml").write_text(rules)
    with pytest.raises(MLSysError, match=said):
        read_gradebook(tmp_path / "book.yaml")


def test_an_override_of_somebody_who_handed_in_nothing_is_an_error(hand_in, right, variant, booked):
    hand_in("ada", right(variant("ada")))
    each = f"{{student: eve, assignment: {NAME}, question: all, points: 1, why: x}}"
    booked(f"overrides: [{each}]")
    assert booked.code == 2
    assert "handed in nothing" in booked.err


def test_an_empty_gradebook_has_a_default_for_every_rule(tmp_path):
    (tmp_path / "book.yaml").write_text("")
    assert read_gradebook(tmp_path / "book.yaml") == Gradebook()
