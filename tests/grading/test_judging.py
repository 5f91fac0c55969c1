"""Whose a hand-in is, what is remarked on it, what is written down, and what a run says of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from grading import judge as judging
from grading.book import Book, Booked, Gradebook
from grading.check import Checks, check
from grading.code import NOT_RUN
from grading.collect import Handed
from grading.flags import Flag
from grading.journal import Guess, Predictions
from grading.judge import Graded, Judge, Ledger, Refused, Skipped, judge_all
from grading.kinds import Kind, Mark
from grading.roster import Enrolled, Roster
from grading.run import Run
from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.course.reading import sheet_of
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import PUBLIC_SECRET
from tests.grading.conftest import NAME, journal
from tests.grading.test_reported import CLASS, ROSTER, RULES, hand_in

SECRET = b"a secret of this course"

# ---- one sheet -----------------------------------------------------------------------------------


@pytest.fixture
def judged(sheet):
    """Judge a sheet of somebody, handed in under some names."""

    def run(typed, who=(), judge=None, *, late=False, at="", answers=(), **changes):
        told = sheet_of(sheet(typed, dict(answers), **changes))
        return (judge or Judge()).sheet(told, Handed("f.json", None, who, at, late))

    return run


ADA, BOB = Enrolled("Ada-1", "Ada"), Enrolled("bob", "Bob")
PAIR = Roster({"ada-1": ADA, "bob": BOB}, {"ada-1": "ada-1", "a@x": "ada-1", "bob": "bob"})


@pytest.mark.parametrize(
    ("typed", "who", "roster", "secret", "owner", "drawn_for", "flags"),
    [
        (" ADA\t1", ("bob",), None, PUBLIC_SECRET, "ADA 1", "ada 1", []),
        ("eve", (), PAIR, PUBLIC_SECRET, "eve", "eve", [Flag("not-on-roster", "eve")]),
        ("ADA-1", (), PAIR, SECRET, "Ada-1", "ada-1", []),
        ("A@x", ("ada-1",), PAIR, PUBLIC_SECRET, "Ada-1", "a@x", []),  # the address drew them
        ("a@x", (), PAIR, SECRET, "Ada-1", "ada-1", []),  # a code was handed out
        ("ada-1", ("x", "bob"), PAIR, PUBLIC_SECRET, "bob", "bob", [Flag("id-differs", "ada-1")]),
        ("eve", ("a@x",), PAIR, PUBLIC_SECRET, "Ada-1", "ada-1", [Flag("id-differs", "eve")]),
    ],
)
def test_the_platforms_word_for_an_owner_counts_before_the_files(
    judged, checks, variant, typed, who, roster, secret, owner, drawn_for, flags
):
    numbers = variant(drawn_for, secret).fields
    held = judged(typed, who, Judge(secret, roster), variant=numbers)
    assert (held.student, held.id) == (owner, owner.casefold())
    assert held.drawn == numbers
    assert [*held.flags] == flags


def test_a_sheet_is_remarked_on_from_its_version_to_its_walls(judged, monkeypatch):
    def kinds(**how):
        return [(flag.kind, flag.detail) for flag in judged("ada", **how).flags]

    assert kinds() == []
    assert kinds(late=True, at="2026-11-27T10:00:00") == [("late-unknown", "")]
    assert judged("ada", at="2026-11-27T10:00:00").at == "2026-11-27T10:00:00"
    assert kinds(variant={"model": "x"}) == [("other-numbers", "")]
    assert kinds(assignment_version=2, variant={}) == [("old-version", "2")]
    assert kinds(answers={"q1": {}, "q9": {}}) == [("unknown-answers", "1 answer belongs")]
    assert kinds(answers={"a": {}, "b": {}}) == [("unknown-answers", "2 answers belong")]
    assert kinds(mlsysim="0." * 11, registry="x") == [
        ("other-mlsysim", "0." * 10),
        ("other-registry", ""),
    ]
    assert kinds(zeta=1, alpha=2) == [("unused-keys", "alpha, zeta")]
    broken = [*journal("00.1"), 3]
    (flag,) = judged("ada", journal=broken).flags
    assert flag.kind == "broken-journal"
    assert flag.detail.startswith("record 2 does not have the fields ")
    monkeypatch.setattr("grading.sandbox.weaker", lambda: "thin walls")
    assert kinds(answers={"q1": {"value": "1", "unit": "ms"}}) == []  # no function was run
    loaded = judging.load(NAME)
    function = judging.load("01_memory_wall").questions["q6"]
    held = {**loaded.questions, "q1": function}
    monkeypatch.setattr("grading.judge.load", lambda name: replace(loaded, questions=held))
    assert kinds(answers={"q1": {"value": ""}}) == [("weak-walls", "thin walls")]
    assert kinds(answers={"q2": {"value": ""}}) == []


def test_what_was_judged_cannot_be_changed_and_says_no_more_than_it_knows():
    kinds = (Mark, Kind, Guess, Predictions, Graded, Refused, Skipped, Judge, Flag, Booked, Book)
    for kind in (*kinds, check, Checks, Roster, Run):
        assert kind.__dataclass_params__.frozen, kind
    assert Handed("f", Path()) == ("f", Path(), (), "", False)
    assert Enrolled("ada") == ("ada", "", "", "", (), "")
    assert Mark("q", "right", 1, 2) == Mark("q", "right", 1, 2, "", "", "")
    assert Flag("late") == Flag("late", "")
    assert Judge() == Judge(PUBLIC_SECRET, None)
    bare = Graded("f", "a", "a", NAME, (), Predictions((), 0, 0, "", ()), ())
    assert bare == replace(bare, drawn={}, at="", predictions=Predictions((), 0, 0, "", (), ""))


def test_points_are_summed_to_thousandths():
    marks = tuple(Mark(f"q{n}", "right", 0.1, 0.3) for n in range(3))
    held = Graded("f", "a", "a", NAME, marks, Predictions((), 1 / 3, 2 / 3, "", ()), ())
    assert (held.score, held.out_of) == (0.633, 1.567)  # 0.3 + 0.3333, and 0.9 + 0.6667


@pytest.mark.parametrize(("data", "kind"), [(b'{"name": 1}', Skipped), (b"{", Refused)])
def test_whatever_bytes_a_file_has_an_outcome_names_it(data, kind):
    held = Judge().data(Handed("a/b.json", None), data)
    assert (type(held), held.file) == (kind, "a/b.json")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ZeroDivisionError("x"), "it could not be graded (ZeroDivisionError); please report this"),
        (MLSysError("too\nmuch."), "it could not be graded: too much."),
    ],
)
def test_a_fault_of_the_graders_own_is_told_as_one(monkeypatch, tmp_path, sheet, fault, said):
    def fails(*_):
        raise fault

    monkeypatch.setattr(Judge, "sheet", fails)
    path = tmp_path / "a\tb.json"
    path.write_text(json.dumps(sheet("ada", {})))
    assert Judge().file(path) == Refused("a b.json", said)
    path.unlink()
    assert type(Judge().file(path)) is Refused


# ---- what was judged is written down -------------------------------------------------------------


def test_outcomes_come_back_as_they_were_written(tmp_path, judged, checks):
    path = tmp_path / "a" / "b" / "ledger"
    right = {"q1": Answer(value="1", unit="ms")}
    held = judged("ada", answers={q: a.model_dump() for q, a in right.items()}, late=True)
    outcomes = {"x": held, "y": Refused("r", "why"), "z": Skipped("s", "so")}
    ledger = Ledger(path, Judge())
    for key, outcome in outcomes.items():
        ledger.add(key, outcome)
    ledger.close()
    ledger.close()
    whole = path.read_text()
    assert whole.count("\n") == 3
    path.write_text(f'{whole}[]\n{{"key": "half')
    again = Ledger(path, Judge())
    assert {key: again.get(key) for key in outcomes} == outcomes
    assert again.get("half") is None
    again.add("more", Refused("m", "why"))
    assert Ledger(path, Judge()).get("more") == Refused("m", "why")
    again.close()
    again.done()
    assert not path.exists()
    again.done()  # nothing was judged in this run
    path.write_bytes(b"\xff")
    assert Ledger(path, Judge()).known == {}


def test_a_row_is_of_one_file_one_owner_one_class_and_one_judge(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("x = 1")
    walk = os.walk
    monkeypatch.setattr("grading.judge.os.walk", lambda _: walk(tmp_path))

    def key(judge=None, data=b"{}", **change):
        handed = Handed("a.json", tmp_path / "a.json")._replace(**change)
        return Ledger(tmp_path / "none", judge or Judge()).key(handed, data)

    same = key()
    assert key(path=tmp_path / "elsewhere") == same
    (tmp_path / "notes.txt").write_text("x")
    assert key() == same
    seen = {
        *(same, key(Judge(SECRET)), key(Judge(roster=PAIR)), key(Judge(roster=ROSTER))),
        *(key(data=b"{ }"), key(file="b"), key(who=("a",)), key(at="x"), key(late=True)),
    }
    assert len(seen) == 9
    os.utime(tmp_path / "a.py", ns=(5, 5))
    assert key() not in seen
    (tmp_path / "b.yaml").write_text("x")
    later = key()
    assert later not in seen
    monkeypatch.setattr("grading.judge.registry", lambda: "another")
    assert key() not in {*seen, later}


def odd(judge, handed, data):
    """In place of judging: some files stall or kill, and the others say who judged them."""
    if data == b"stall":
        time.sleep(60)
    if data == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return Refused(handed.file, f"by {os.getpid()}")


def test_a_file_that_stalls_or_kills_costs_itself_whatever_waits_behind_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Judge, "data", odd)
    monkeypatch.setattr(judging, "_BATCH", 3)
    datas = [b"a", b"stall", b"b", b"kill", b"c", b"d", None, b"e"]
    handed = [Handed(f"{n}.json", tmp_path / f"{n}.json") for n in range(8)]
    for each, data in zip(handed, datas, strict=True):
        if data is not None:
            each.path.write_bytes(data)
    ledger, ticks = Ledger(tmp_path / "ledger", Judge()), []
    ledger.add(ledger.key(handed[4], b"c"), Skipped("4.json", "known"))
    ledger.close()
    ledger = Ledger(tmp_path / "ledger", Judge())
    held = judge_all(handed, Judge(), ledger, jobs=2, limit=2.0, tick=ticks.append)
    assert [each.file for each in held] == [each.file for each in handed]
    assert held[1].reason == "it took more than 2 s; nothing else waited for it"
    assert held[3].reason == "the judge died of it; nothing else waited for it"
    assert held[4] == Skipped("4.json", "known")
    assert "by" not in held[6].reason
    assert ticks == [1] * 8
    assert os.getpid() not in {int(held[n].reason[3:]) for n in (0, 2, 5, 7)}
    written = Ledger(tmp_path / "ledger", Judge())
    for n in (0, 1, 2, 3, 5, 7):
        assert written.get(written.key(handed[n], datas[n])) == held[n]


def test_no_files_are_no_outcomes():
    assert judge_all([], Judge()) == []


# ---- what a run says -----------------------------------------------------------------------------


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """A run over outcomes that are made up: its exit code, its lines, and those on the errors."""
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "x.json").write_text("{}")
    (tmp_path / "class" / "x.zip").write_text("")
    monkeypatch.chdir(tmp_path)

    def run(outcomes, student=None, *, roster=ROSTER, rules=None, **how):
        def made(handed, judge, ledger, *, jobs, limit, tick):
            run.asked = (len(handed), judge, ledger and ledger.path, jobs, limit)
            tick(1)
            return [*outcomes]

        monkeypatch.setattr("grading.run.judge_all", made)
        held = Run(
            source=tmp_path / "class",
            out=tmp_path / "out",
            roster=roster,
            gradebook=Gradebook.build(rules or {}, "book"),
            **how,
        )
        code = held.grade() if student is None else held.grade_one(student)
        said = capsys.readouterr()
        return code, said.out.replace(f"{tmp_path}/", "").splitlines(), said.err.splitlines()

    return run


PASSED = "passed over: x.zip: only answers.json is graded: unpack it, or rename it"


def test_a_run_tells_the_class_then_who_is_to_be_looked_at_then_what_was_not_graded(ran, tmp_path):
    assert ran(CLASS, rules=RULES, jobs=3, limit=7.0) == (
        2,
        [
            f"{NAME}: 3 graded, 1 missing, 50% on average, 26% in the middle",
            "look at 1 of them first: the report says why",
            f"missing in {NAME}: dan",
            "missing in 03_kv_cache: =ada, bob, cleo, dan",
            "Report: out/report.html",
        ],
        [
            "not graded: b.json: it is empty",
            "not graded: a.json: =it",
            "passed over: z.zip: it is packed",
            "passed over: =y.zip: it is packed",
            PASSED,
        ],
    )
    ledger = tmp_path / "out" / "graded.part.jsonl"
    assert ran.asked == (1, Judge(PUBLIC_SECRET, ROSTER), ledger, 3, 7.0)
    better = [hand_in("bob", [1] * 8)]
    assert ran(better, rules={"assignments": RULES["assignments"]})[1][-4:] == [
        "  bob: 4 -> 12",
        "  =ada: no longer graded, was 16",
        "  cleo: no longer graded, was 4.16",
        "Report: out/report.html",
    ]
    assert ran.asked[3:] == (1, 30)


def test_who_passes_has_the_percentage_or_more(ran):
    quarter = [hand_in("bob", [0.3125] * 8), hand_in("cleo", [0.8125] * 8)]  # 5 of 20, and 13
    assert [ran(quarter, passing=part)[0] for part in (0, 25, 25.1)] == [0, 0, 1]
    assert ran([hand_in("bob", [0] * 8)])[0] == 0  # unless somebody says so everybody passes
    assert ran(quarter, roster=None)[1][0] == f"{NAME}: 2 graded, 45% on average, 45% in the middle"


def test_ten_who_are_missing_are_named(ran):
    for number, dots in ((10, ""), (11, ", ...")):
        people = {f"s{n:02}": Enrolled(f"s{n:02}") for n in range(number)}
        roster = Roster(people, {each: each for each in people})
        said = ran([hand_in("bob", [1] * 8)], roster=roster)[1][1]
        names = ", ".join([*people][:10])
        assert said == f"missing in {NAME}: {names}{dots}"


def test_functions_that_were_not_run_are_counted(ran, monkeypatch):
    monkeypatch.setattr("grading.sandbox.why_not", lambda: "there are no walls")
    kept = [hand_in(who, [1] * 8, verdicts={"q8": ("kept", NOT_RUN)}) for who in ("bob", "cleo")]
    told = "kept, not run: 2 functions: there are no walls"
    assert ran(kept)[2] == [told, PASSED]


def test_one_student_is_shown_with_every_mark_and_remark(ran, tmp_path):
    roster = Roster(ROSTER.students, {**ROSTER.aliases, "ada; lovelace": "=ada"})
    code, lines, _ = ran(CLASS, " ADA; Lovelace ", roster=roster, rules=RULES, passing=99)
    assert code == 0
    assert lines[:2] == ["=ada.json: 16 of 16", "  q1   2/2  told of q1"]
    assert lines[8].startswith("  q8   4/4")
    assert lines[9].startswith("  ! made for version 2 of the exercise")
    assert lines[10] == "  ! its functions were run behind =less"
    assert lines[11].startswith("Page: out/students/ada-")
    assert len(lines) == 12
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["students"]
    assert ran.asked[2] is None
    assert ran(CLASS, "bob", rules=RULES, passing=25.1)[0] == 1
    assert ran(CLASS, "bob", roster=None, passing=20)[0] == 0
    with pytest.raises(BadArgument) as error:
        ran(CLASS, "eve")
    assert str(error.value) == "student cannot be 'eve': no sheet is this student's."


ACCEPT = "where it is meant so, --accept"


@pytest.mark.parametrize(
    ("kinds", "secret", "words"),
    [
        (
            {"other-numbers": 4, "old-version": 3},
            None,
            "4 of 6 sheets were made with a secret, and none is given: give --secret-file or "
            "$GRADING_SECRET; 3 of 6 sheets say old-version: made for version something else of "
            "the exercise, which drew other numbers: ask for the exercise to be done with the "
            f"released bundle; {ACCEPT} other-numbers old-version",
        ),
        (
            {"other-numbers": 4},
            SECRET,
            "4 of 6 sheets were made with another secret than this one: give the course's own; "
            f"{ACCEPT} other-numbers",
        ),
        (
            {"other-numbers": 3},
            None,
            "3 of 6 sheets say other-numbers: its numbers are not this student's: the id or the "
            "course code was another one; it is judged by the student's own numbers: give the "
            "course's own secret (--secret-file), or tell the student to type id and code again "
            f"and hand in anew; {ACCEPT} other-numbers",
        ),
    ],
)
def test_an_alarm_says_how_many_of_what_would_do_and_what_stays(
    ran, tmp_path, kinds, secret, words
):
    held = [
        hand_in(f"s{n}", [1] * 8, flags=tuple(Flag(k, "1") for k in sorted(kinds) if n < kinds[k]))
        for n in range(6)
    ]
    with pytest.raises(MLSysError) as error:
        ran(held, secret=secret)
    assert str(error.value) == words
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "grades.csv").write_text("")
    with pytest.raises(MLSysError) as error:
        ran(held, secret=secret)
    stays = f"what stands in {tmp_path / 'out'} stays as it is; where"
    assert str(error.value) == words.replace("where", stays)
    assert ran(held, secret=secret, rules={"accept": [*kinds]})[0] == 0
    assert (ran.asked[1].secret == SECRET) == (secret is not None)


def test_a_folder_without_sheets_is_said(ran, tmp_path):
    (tmp_path / "class" / "x.json").unlink()
    with pytest.raises(MLSysError) as error:
        ran(CLASS)
    assert str(error.value) == f"there are no answer sheets (*.json) in {tmp_path / 'class'}"


def test_a_terminal_shows_how_far_it_is(ran, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, _, said = ran([hand_in("bob", [1] * 8)])
    assert code == 0
    assert any("Grading" in line for line in said)
