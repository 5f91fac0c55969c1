"""The rules of a gradebook one by one, on hand-ins made of bare marks: no file, and no solver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grading.book import Gradebook, anonymous, book, due, read_gradebook
from grading.flags import Flag
from grading.journal import Predictions
from grading.judge import Graded, Refused, Skipped
from grading.kinds import Mark
from grading.roster import Enrolled, Roster
from mlsysim.core.errors import InvalidEntry
from tests.grading.conftest import NAME

OTHER = "03_kv_cache"
DUE = "2026-11-27 12:00+00:00"


def graded(who, marks=(("q1", 1.5, 2.0),), *, assignment=NAME, predicted=(0.0, 0.0), **facts):
    """A hand-in with `marks`: a question, its points, what they are of, and what was written."""
    held = tuple(
        Mark(question, "wrong", points, out_of, given="".join(given))
        for question, points, out_of, *given in marks
    )
    made = Predictions((), *predicted, "", (), facts.pop("digest", ""))
    facts = {"file": f"{who}.json", "flags": (), "drawn": {"batch": who}} | facts
    return Graded(
        student=who, id=who.casefold(), assignment=assignment, marks=held, predictions=made, **facts
    )


def rules(**held):
    return Gradebook.build(held, "book.yaml")


def only(*hand_ins, **held):
    (row,) = book(hand_ins, gradebook=rules(**held)).rows
    return row


def said(row):
    return [str(flag) for flag in row.flags]


# ---- points --------------------------------------------------------------------------------------


def test_marks_are_weighed_dropped_overridden_and_taken_off_from_in_this_order():
    given = [("q1", 1.5, 2.0), ("q2", 1.0, 3.0), ("q5", 0.7, 2.0), ("q6", 0.0, 0.0)]
    row = only(
        graded("Ada", given, predicted=(1.2, 2.5), at="2026-11-28T13:00:00+00:00"),
        assignments={
            NAME: {"due": DUE, "points": {"q1": 5, "q6": 4}, "drop": {"q2": "it was unclear"}},
            OTHER: {"points": {"q1": 7}},
        },
        late={"per_day": 0.15},
        overrides=[
            {"student": " ADA ", "assignment": NAME, "question": "q5", "points": 1.1, "why": "fair"}
        ],
    )
    assert [(m.question, m.points, m.out_of) for m in row.marks] == [
        ("q1", 3.75, 5),  # three quarters of 5
        ("q2", 1, 3),
        ("q5", 1.1, 2),
        ("q6", 0, 0),  # what is not counted is not weighed either
    ]
    assert row.out_of == 9.5  # 5 + 2 + 0, and 2.5 for predictions
    assert row.earned == 6.05  # 3.75 + 1.1 + 1.2
    assert row.part_off == 0.3  # 25 hours are two days that were begun
    assert row.score == 4.235  # 6.05 x 0.7
    assert row.part == pytest.approx(4.235 / 9.5)
    assert (row.dropped, row.notes) == ({"q2": "it was unclear"}, {"q5": "fair"})
    assert said(row) == ["a mark was changed by hand: fair", "late by 1 day 1 hour"]
    assert row.late == 25 * 3600


def test_an_override_is_for_one_student_in_one_assignment():
    held = [
        {"student": "ada", "assignment": OTHER, "question": "all", "points": 3, "why": "x"},
        {"student": "bob", "assignment": NAME, "question": "q1", "points": 0.5, "why": "y"},
    ]
    hand_ins = [graded(w, assignment=n) for w in ("bob", "ada") for n in (OTHER, NAME)]
    rows = book(hand_ins, gradebook=rules(overrides=held)).rows
    assert [(row.of.assignment, row.of.student, row.score, row.notes) for row in rows] == [
        (NAME, "ada", 1.5, {}),
        (NAME, "bob", 0.5, {"q1": "y"}),
        (OTHER, "ada", 3, {"all": "x"}),
        (OTHER, "bob", 1.5, {}),
    ]


def test_an_override_of_nobody_is_told_unless_nobody_handed_in():
    eve = {"student": "Eve", "assignment": NAME, "question": "all", "points": 3, "why": "x"}
    with pytest.raises(InvalidEntry) as error:
        only(graded("ada"), overrides=[eve])
    said = "the gradebook: overrides of Eve: this student handed in nothing."
    assert str(error.value) == said
    with pytest.raises(InvalidEntry):
        only(graded("eve", assignment=OTHER), overrides=[eve])
    assert book([Refused("x", "why")], gradebook=rules(overrides=[eve])).rows == ()


def test_points_are_kept_to_thousandths_and_of_none_no_part_is_earned():
    row = only(graded("ada", [("q1", 0.1, 0.3), ("q2", 0.2, 0.3)]), late={"per_day": 0})
    assert (row.earned, row.out_of) == (0.3, 0.6)  # and not 0.30000000000000004
    thirds = only(graded("ada", [("q1", 1, 3)]), assignments={NAME: {"points": {"q1": 1}}})
    assert thirds.marks[0].points == 0.333
    assert only(graded("ada", [("q1", 0, 0)])).part == 0
    off = {"due": "2026-11-27 11:59:59+00:00", "points": {"q1": 1}}
    late = graded("ada", [("q1", 1, 3)], at="2026-11-27T12:00:00+00:00")
    assert only(late, assignments={NAME: off}, late={"per_day": 0.1}).score == 0.3  # of 0.2997


# ---- lateness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "late", "off"),
    [
        ("2026-11-27T12:00:00+00:00", 0, 0),
        ("2026-11-27T13:00:00+00:00", 3600, 0),  # the last second of the grace
        ("2026-11-27T13:00:01+00:00", 3601, 0.15),
        ("2026-11-28T13:00:00+00:00", 90_000, 0.15),
        ("2026-11-28T13:00:01+00:00", 90_001, 0.3),
        ("2026-11-29T13:00:01+00:00", 176_401, 0.4),  # three days would be 0.45
        ("2026-11-27T14:30:00+01:00", 5400, 0.15),
        ("2026-11-27T13:30:00", 5400, 0.15),  # by the clocks of the due time
    ],
)
def test_a_day_is_begun_with_its_first_second_after_the_grace(came, late, off):
    costs = {"grace": "1 h", "per_day": 0.15, "most": 0.4}
    row = only(graded("ada", at=came), assignments={NAME: {"due": DUE}}, late=costs)
    assert (row.late, row.part_off) == (late, pytest.approx(off))
    assert [flag.kind for flag in row.flags] == ["late"] * (late > 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 minute"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (7200 + 1800, "2 hours"),
        (86_399, "23 hours"),
        (86_400, "1 day"),
        (2 * 86_400 + 3 * 3600 + 59, "2 days 3 hours"),
    ],
)
def test_lateness_is_told_as_people_say_it(seconds, words):
    hours, rest = divmod(12 * 3600 + seconds, 3600)
    day, hour = divmod(hours, 24)
    came = f"2026-11-{27 + day}T{hour:02}:{rest // 60:02}:{rest % 60:02}+00:00"
    row = only(graded("ada", at=came), assignments={NAME: {"due": DUE}})
    assert row.late == seconds
    assert [flag.told for flag in row.flags] == [f"Handed in late by {words}."]
    assert row.part_off == 0  # which costs nothing, unless the gradebook says so


def test_what_a_platform_marks_late_is_a_remark_until_its_time_is_known():
    unknown = (Flag("late-unknown"), Flag("other-numbers"))

    def kinds(at):
        row = only(graded("ada", flags=unknown, at=at), assignments={NAME: {"due": DUE}})
        return [flag.kind for flag in row.flags]

    assert kinds("") == kinds("2026-11-27T11:00:00+00:00") == ["late-unknown", "other-numbers"]
    assert kinds("2026-11-27T12:05:00+00:00") == ["other-numbers", "late"]


def test_an_extension_is_one_students_for_one_assignment():
    longer = {"Ada ": {NAME: "2026-11-29 12:00+00:00"}, "bob": {OTHER: "2026-12-24 12:00+00:00"}}
    came = {"at": "2026-11-29T12:00:10+00:00"}
    hand_ins = [graded(who, assignment=n, **came) for n in (NAME, OTHER) for who in ("ada", "bob")]
    rows = book(hand_ins, gradebook=rules(assignments={NAME: {"due": DUE}}, extensions=longer)).rows
    assert [row.late for row in rows] == [10, 2 * 86_400 + 10, 0, 0]


# ---- which attempt counts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "file"), [("first", "1.json"), ("latest", "2.json"), ("best", "3.json")]
)
def test_of_three_attempts_one_in_time_counts_or_the_best_with_what_was_taken_off(rule, file):
    attempts = [
        graded("ada", [("q1", points, 9)], file=file, at=f"2026-11-{day}T12:00:00+00:00")
        for file, points, day in (("3.json", 9, 28), ("1.json", 2, 26), ("2.json", 4, 27))
    ]
    costs = {"per_day": 0.5}  # 4.5 of 9 is more than 4
    held = book(
        attempts, gradebook=rules(attempts=rule, assignments={NAME: {"due": DUE}}, late=costs)
    )
    (row,) = held.rows
    assert row.of.file == file
    assert row.flags[-1].told == "You handed in 3 times; this one counts."
    assert {each.file for each in held.outcomes} == {"1.json", "2.json", "3.json"} - {file}
    assert {each.reason for each in held.outcomes} == {"another attempt counts"}


def test_of_attempts_that_are_all_late_the_rule_holds_as_well():
    late = [graded("ada", file=f"{n}.json", at=f"2026-11-{28 + n}T12:00:00") for n in (0, 1)]
    held = {"assignments": {NAME: {"due": DUE}}, "late": {"per_day": 0.1}}
    assert only(*late, **held).of.file == "1.json"
    assert only(*late, **held, attempts="first").of.file == "0.json"


def test_copies_without_a_time_come_in_the_order_of_their_numbers():
    names = ["a7.json", "b.json", "c-2.json", "a (10).json", "a-11.x.json", "z-3)", "m()"]
    # no number, by name; then 2, 10. The last three end in none: `x`, no ending, empty brackets
    order = ["a-11.x.json", "a7.json", "b.json", "m()", "z-3)", "c-2.json", "a (10).json"]
    for count in range(2, len(order) + 1):
        here = [graded("ada", file=name) for name in names if name in order[:count]]
        assert only(*here).of.file == order[count - 1]
        assert only(*here, attempts="first").of.file == order[0]


# ---- the class -----------------------------------------------------------------------------------


def test_who_is_missing_is_said_of_each_assignment_that_there_is():
    people = {each: Enrolled(each, each.title()) for each in ("ada", "bob", "eve")}
    roster = Roster(people, {each: each for each in people})
    hand_ins = [graded("bob"), Refused("x.json", "why"), graded("eve", assignment=OTHER)]
    held = book(hand_ins, roster, rules(assignments={"01_memory_wall": {}}))
    assert {name: [e.id for e in those] for name, those in held.missing.items()} == {
        NAME: ["ada", "eve"],
        "01_memory_wall": ["ada", "bob", "eve"],
        OTHER: ["ada", "bob"],
    }
    assert [*held.missing] == sorted(held.missing)
    assert [row.enrolled for row in held.rows] == [people["bob"], people["eve"]]
    assert held.outcomes == (Refused("x.json", "why"),)
    strangers = book(hand_ins)
    assert strangers.missing == {NAME: (), OTHER: ()}
    assert [row.enrolled for row in strangers.rows] == [Enrolled("bob"), Enrolled("eve")]


@pytest.mark.parametrize(
    ("flagged", "of", "alarms"),
    [
        (2, 2, {}),
        (3, 3, {"old-version": 3}),
        (3, 29, {"old-version": 3}),
        (3, 30, {}),
        (4, 30, {"old-version": 4}),
        (4, 40, {}),
    ],
)
def test_a_flag_on_several_and_more_than_a_tenth_is_an_alarm(flagged, of, alarms):
    twice = (Flag("old-version", "1"),) * 2 + (Flag("weak-walls", "x"),)
    hand_ins = [graded(f"s{n}", flags=twice * (n < flagged)) for n in range(of)]
    assert book(hand_ins).alarms == alarms
    assert book(hand_ins, gradebook=rules(accept=["old-version"])).alarms == {}


def hints(hand_ins):
    return {row.of.student: said(row) for row in book(hand_ins).rows}


def wrong(who, *values, **facts):
    return graded(who, [(f"q{n}", 0, 2, value) for n, value in enumerate(values, 1)], **facts)


def test_two_wrong_values_of_three_digits_for_other_numbers_are_a_hint():
    same = "the same wrong values for other numbers as "
    assert hints([wrong(who, "123 ms", "4.56") for who in ("Bob", "ada", "eve")]) == {
        "ada": [f"{same}Bob, eve"],
        "Bob": [f"{same}ada, eve"],
        "eve": [f"{same}ada, Bob"],
    }
    nothing = {"ada": [], "bob": []}
    assert hints([wrong(who, "123 ms", "45") for who in ("ada", "bob")]) == nothing
    assert hints([wrong(who, "123 ms", f"4.5{who}6") for who in ("ada", "bob")]) == nothing
    alike = {"drawn": {"batch": 8}}
    assert hints([wrong(who, "123 ms", "4.56", **alike) for who in ("ada", "bob")]) == nothing
    right = [("q1", 2, 2, "123 ms"), ("q2", 2, 2, "4.56")]
    assert hints([graded(who, right) for who in ("ada", "bob")]) == nothing
    apart = [wrong("ada", "123 ms", "4.56"), wrong("bob", "4.56", "123 ms")]
    assert hints(apart) == nothing
    elsewhere = [wrong("ada", "123", "456"), wrong("bob", "123", "456", assignment=OTHER)]
    assert hints(elsewhere) == nothing


def test_one_journal_in_two_files_is_a_hint_and_in_a_crowd_none():
    def class_of(number, **facts):
        return {f"s{n:02}": graded(f"s{n:02}", digest="abc", **facts) for n in range(number)}

    told = hints(class_of(2).values())
    assert told["s01"] == ["the same journal, to the second, as s00"]
    assert len(hints(class_of(20).values())["s07"]) == 1
    assert hints(class_of(21).values())["s07"] == []
    assert hints([graded("ada"), graded("bob")]) == {"ada": [], "bob": []}  # too short to say
    here, there = class_of(1)["s00"], replace(class_of(2)["s01"], assignment=OTHER)
    assert hints([here, there]) == {"s00": [], "s01": []}


def test_a_wrong_value_of_a_crowd_is_a_common_mistake():
    crowd = [wrong(f"s{n:02}", "123 ms", "4.56") for n in range(21)]
    assert all(hints(crowd[:20]).values())
    assert not any(hints(crowd).values())


def test_a_book_without_names_has_one_alias_a_student_everywhere():
    people = {each: Enrolled(each, each.title(), section="B") for each in ("ada", "bob", "eve")}
    roster = Roster(people, {each: each for each in people})
    odd = (Flag("id-differs", "bob"), Flag("not-on-roster", "bob"), Flag("old-version", "7"))
    hand_ins = [
        graded("ada", digest="abc", flags=odd, file="ada/answers.json"),
        graded("bob", digest="abc"),
        Refused("bob/x.json", "why"),
        Skipped("eve.zip", "packed"),
    ]
    held, named = anonymous(book(hand_ins, roster), b"a secret of this course")
    ada, bob, eve = named["ada"], named["bob"], named["eve"]
    assert len({ada, bob, eve}) == 3
    assert all(len(each) == len("student ") + 6 for each in (ada, bob, eve))
    assert [row.of.student for row in held.rows] == [ada, bob]
    assert [(row.of.id, row.of.file, row.enrolled) for row in held.rows] == [
        (each, each, Enrolled(each)) for each in (ada, bob)
    ]
    assert [flag.detail for flag in held.rows[0].flags] == ["another id", "another id", "7", bob]
    assert held.missing == {NAME: (Enrolled(eve),)}
    assert held.outcomes == (Refused("hand-in 1", "why"), Skipped("hand-in 2", "packed"))
    assert (named["bob/x.json"], named["eve.zip"]) == ("hand-in 1", "hand-in 2")
    assert anonymous(book(hand_ins, roster), b"another secret")[1]["ada"] != ada


# ---- a gradebook as it is written ----------------------------------------------------------------


def test_what_a_gradebook_leaves_out_has_these_values():
    held = rules(assignments={NAME: {}})
    assert held == rules(
        course="",
        assignments={NAME: {"due": None, "weight": 1, "points": {}, "drop": {}}},
        late={"grace": "0 s", "per_day": 0, "most": 1},
        attempts="latest",
        extensions={},
        overrides=[],
        accept=[],
        anonymous=False,
    )
    assert float(held.of(OTHER).weight) == 1


EACH = {"student": "ada", "assignment": NAME, "question": "q1", "points": 1, "why": "x"}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (
            {"assignments": {NAME: {"points": {"q9": 1}}}},
            f"book.yaml.assignments.{NAME}: 'q9': known are q1, q2, q3, q4, q5, q6, q7, q8.",
        ),
        (
            {"assignments": {NAME: {"drop": {"q0": "x"}}}},
            f"book.yaml.assignments.{NAME}: 'q0': known are q1, q2, q3, q4, q5, q6, q7, q8.",
        ),
        (
            {"overrides": [EACH | {"question": "q9"}]},
            "book.yaml.overrides of ada: 'q9': known are q1, q2, q3, q4, q5, q6, q7, q8, all.",
        ),
        ({"overrides": [EACH | {"why": " "}]}, "book.yaml.overrides of ada: say why."),
        (
            {"assignments": {NAME: {"due": "tomorrow"}}},
            f"book.yaml.assignments.{NAME}.due: "
            "write a time with its zone, as in 2026-11-27 23:59+01:00.",
        ),
        (
            {"extensions": {"ada": {NAME: "2026-11-27"}}},
            f"book.yaml.extensions.ada.{NAME}: "
            "write a time with its zone, as in 2026-11-27 23:59+01:00.",
        ),
        ({"accept": ["lates"]}, "book.yaml.accept: 'lates': did you mean 'late'?"),
    ],
)
def test_a_wrong_rule_is_told_by_its_place_and_with_what_is_known(held, words):
    with pytest.raises(InvalidEntry) as error:
        rules(**held)
    assert str(error.value) == words


def test_a_gradebook_is_utf_8_with_or_without_a_mark(tmp_path):
    path = tmp_path / "book.yaml"
    path.write_bytes(b"\xef\xbb\xbfcourse: Zo\xc3\xab\n")
    assert read_gradebook(path).course == "Zo\u00eb"
    path.write_bytes(b"course: Zo\xeb\n")
    with pytest.raises(InvalidEntry) as error:
        read_gradebook(path)
    assert str(error.value) == "book.yaml: it is not UTF-8 text."


def test_a_due_time_may_be_left_out_written_or_read_already():
    assert due(None) is None
    assert due(DUE).isoformat() == "2026-11-27T12:00:00+00:00"
    assert due(due(DUE)) == due(DUE)
    with pytest.raises(InvalidEntry, match="the gradebook: due: write a time"):
        due(due(DUE).replace(tzinfo=None))
