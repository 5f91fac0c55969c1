"""A report of bare marks, every number worked out by hand, and the tables made of it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest

import mlsysim
from grading import views
from grading.book import Gradebook, book
from grading.check import load
from grading.flags import Flag, kinds
from grading.journal import Guess, Predictions
from grading.judge import Graded, Refused, Skipped, registry
from grading.kinds import Mark
from grading.report import (
    differences,
    earlier,
    page_name,
    percent,
    put,
    report_of,
    table,
    to_csv,
    to_json,
    write,
)
from grading.roster import Enrolled, Roster
from mlsysim import pages
from tests.grading.conftest import NAME

OTHER = "03_kv_cache"
DRAWN = load(NAME).assignment.variant(load(NAME).assignment.sample).fields
POINTS = {"q1": 2, "q2": 2, "q3": 1, "q4": 1, "q5": 2, "q6": 2, "q7": 2, "q8": 4}  # 16 of them


def hand_in(who, credits, *, committed=(), guesses=(), verdicts=(), assignment=NAME, **facts):
    """A hand-in with a part of the points of each question, and 4 points for predictions."""
    verdicts = dict(verdicts)
    marks = tuple(
        Mark(q, *verdicts.get(q, ("wrong", ""))[:1], points * credit, points,
             verdicts.get(q, ("wrong", ""))[1], f"told of {q}", "42 ms")
        for (q, points), credit in zip(POINTS.items(), credits, strict=True)
    )  # fmt: skip
    made = Predictions(tuple(committed), 2.0 * len(committed), 4.0, "", tuple(guesses))
    facts = {"file": f"{who}.json", "flags": (), "drawn": DRAWN} | facts
    return Graded(
        student=who, id=who, assignment=assignment, marks=marks, predictions=made, **facts
    )


PEOPLE = {
    "=ada": Enrolled("=ada", "Ada; Lovelace", section="B"),
    "bob": Enrolled("bob", "Bob"),
    "cleo": Enrolled("cleo"),
    "dan": Enrolled("dan", "Dan"),
}
ROSTER = Roster(PEOPLE, {each: each for each in PEOPLE})
CLASS = [
    hand_in(  # 16 + 4 of 20
        "=ada",
        [1] * 8,
        committed=("00.1", "00.2"),
        guesses=[Guess("00.1", 3.0, hit=False, confidence=0.9)],
        flags=(Flag("old-version", "2"), Flag("weak-walls", "=less")),
        at="2026-11-27T10:00:00",
        verdicts={"q1": ("right", ""), "q2": ("assumption", "counted both")},
    ),
    hand_in(  # 0.5 + 0 + 0 + 1 + 0 + 0 + 0.5 + 0 = 2, and 2
        "bob",
        [0.25, 0, 0, 1, 0, 0, 0.25, 0],
        committed=("00.1",),
        guesses=[Guess("00.1", 1.5, hit=True, confidence=0.6), Guess("00.2", None, True, 0.9)],
        verdicts={
            "q1": ("misconception", "erred"),
            "q4": ("followed", "from q3"),
            "q7": ("blank", ""),
        },
    ),
    hand_in(  # 1 + 1 + 0.5 + 0 + 1 + 0 + 1 + 2 = 6.5
        "cleo",
        [0.5, 0.5, 0.5, 0, 0.5, 0, 0.5, 0.5],
        verdicts={"q1": ("misconception", "erred"), "q2": ("slip", "took bits")},
    ),
    Refused("b.json", "it is empty"),
    Refused("a.json", "=it"),
    Skipped("z.zip", "it is packed"),
    Skipped("=y.zip", "it is packed"),
]
RULES = {
    "course": "CS 1",
    "assignments": {NAME: {"weight": 3, "drop": {"q8": "unclear"}}, OTHER: {"weight": 2}},
    "overrides": [
        {"student": "cleo", "assignment": NAME, "question": "q5", "points": 0.66, "why": "careless"}
    ],
}


def reported(class_of=CLASS, roster=ROSTER, course_secret=False, **rules):
    return report_of(
        book(class_of, roster, Gradebook.build(rules, "book")), course_secret=course_secret
    )


@pytest.fixture(scope="module")
def report():
    return reported(**RULES)


def test_what_a_class_has_earned_is_summed_up_without_the_question_that_was_dropped(report):
    held = report["assignments"][NAME]
    # of 12 + 4: 12 + 4, 2 + 2, and 4.5 - 1 + 0.66 = 4.16 without predictions
    parts = [1, 4 / 16, 4.16 / 16]  # 1, 0.25, 0.26
    assert [row["score"] for row in report["students"]] == [16, 4, 4.16]
    assert (held["students"], held["out_of"], held["version"]) == (3, 16, 3)
    assert held["mean"] == round(sum(parts) / 3, 4) == 0.5033
    assert held["median"] == 0.26
    assert held["quartiles"] == [0.255, 0.26, 0.63]  # half-way to the neighbours of the middle
    assert held["distribution"] == [0, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert held["committed"] == {"00.1": 2, "00.2": 1, "00.3": 0, "00.4": 0, "00.5": 0}
    assert held["calibration"]["predictions"] == 3
    assert [level["hit_rate"] for level in held["calibration"]["levels"]] == [1, 0.5]
    assert held["calibration"]["typical_factor"] == 2.121  # the root of 1.5 x 3


def test_each_question_has_its_own_counts(report):
    held = report["assignments"][NAME]["questions"]
    checks = load(NAME).questions
    assert [held[q]["title"] for q in held] == [checks[q].asked.title for q in POINTS]
    assert {q: each["points"] for q, each in held.items()} == POINTS
    assert {q: each["dropped"] for q, each in held.items() if each["dropped"]} == {"q8": "unclear"}
    # thirds of 1 + 0.25 + 0.5, 1 + 0 + 0.5, 1 + 0 + 0.5, 1 + 1 + 0, 1 + 0 + 0.33, ...
    success = [0.5833, 0.5, 0.5, 0.6667, 0.4433, 0.3333, 0.5833, 0.5]
    assert [each["success"] for each in held.values()] == success
    assert held["q1"]["kinds"] == {"misconception": 2, "right": 1}
    assert held["q1"]["named"] == {"erred": 2}
    assert held["q2"]["named"] == {"counted both": 1, "took bits": 1}
    assert held["q4"]["named"] == {}  # what follows is no mistake


def test_a_class_is_out_of_what_whoever_could_earn_most_could_earn():
    whole, kept = (hand_in(who, [0.5] * 8) for who in ("ada", "bob"))
    kept = replace(kept, marks=(*kept.marks[:7], Mark("q8", "kept", 0, 0)))  # it was not run
    for class_of in ([whole, kept], [replace(kept, id="0"), whole]):
        held = reported(class_of, None)
        assert [row["out_of"] for row in held["students"]] != [20, 20]
        assert held["assignments"][NAME]["out_of"] == 20
        assert held["assignments"][NAME]["questions"]["q8"]["success"] == 0.75


def test_shares_of_a_class_are_kept_to_four_digits():
    # 5.333 and 8 of 20: 0.26665 and 0.4, and what lies a quarter, half and three quarters between
    held = reported([hand_in("ada", [1 / 3] * 8), hand_in("bob", [0.5] * 8)], None)
    assert held["assignments"][NAME]["quartiles"] == [0.3, 0.3333, 0.3667]


def test_a_row_says_all_of_a_hand_in(report):
    ada, _, cleo = ({**row, "answers": {**row["answers"]}} for row in report["students"])
    page = f"ada-{hashlib.sha256(f'{NAME}|=ada'.encode()).hexdigest()[:12]}.html"
    old, walls = kinds()["old-version"], kinds()["weak-walls"]
    q8 = {"kind": "wrong", "points": 4, "out_of": 4, "name": "", "message": "told of q8"}
    assert ada["answers"].pop("q8") == q8 | {"given": "42 ms"}
    assert [*ada.pop("answers")] == [*POINTS][:-1]
    assert ada == {
        "student": "=ada",
        "name": "Ada; Lovelace",
        "section": "B",
        "file": "=ada.json",
        "assignment": NAME,
        "score": 16,
        "out_of": 16,
        "earned": 16,
        "part_off": 0,
        "at": "2026-11-27T10:00:00",
        "dropped": {"q8": "unclear"},
        "notes": {},
        "predictions": {"committed": ["00.1", "00.2"], "points": 4, "out_of": 4, "fault": ""},
        "guesses": [{"question": "00.1", "off_by": 3.0, "hit": False, "confidence": 0.9}],
        "flags": [
            {
                "kind": "old-version",
                "severity": "look",
                "says": old.says.replace("{}", "2"),
                "told": old.student.replace("{}", "2"),
            },
            {
                "kind": "weak-walls",
                "severity": "note",
                "says": walls.says.replace("{}", "=less"),
                "told": "",
            },
        ],
        "drawn": DRAWN,
        "page": f"students/{page}",
    }
    assert cleo["notes"] == {"q5": "careless"}


def test_what_stands_beside_the_rows(report):
    shares = {"=ada": 0.6, "bob": 0.15, "cleo": 0.156, "dan": 0}  # three fifths of 1, 0.25, 0.26
    other = [{"student": each.id, "name": each.name} for each in PEOPLE.values()]
    head = {key: held for key, held in report.items() if key not in ("assignments", "students")}
    assert head == {
        "schema": 2,
        "course": "CS 1",
        "mlsysim": mlsysim.__version__,
        "registry": registry(),
        "variants": "public",
        "missing": {NAME: [{"student": "dan", "name": "Dan"}], OTHER: other},
        "totals": shares,
        "unreadable": [
            {"file": "a.json", "reason": "=it"},
            {"file": "b.json", "reason": "it is empty"},
        ],
        "skipped": [
            {"file": "=y.zip", "reason": "it is packed"},
            {"file": "z.zip", "reason": "it is packed"},
        ],
    }
    alone = reported(CLASS[:1], None, course_secret=True)
    assert (alone["variants"], alone["totals"], alone["missing"]) == ("course secret", {}, {})
    assert alone["assignments"][NAME]["quartiles"] == [1, 1, 1]
    assert alone["assignments"][NAME]["out_of"] == 20


def test_a_table_has_a_line_for_whoever_was_graded_is_missing_or_was_refused(report):
    lines = to_csv(report).splitlines()
    old, walls = (kinds()[each].says for each in ("old-version", "weak-walls"))
    head = "student,name,section,file,assignment,score,out_of,percent"
    remarks = f'"{old.replace("{}", "2")}; {walls.replace("{}", "=less")}"'
    blanks = "," * 9
    assert lines == [
        f"{head},q1,q2,q3,q4,q5,q6,q7,q8,predictions,remarks",
        f"'=ada,Ada; Lovelace,B,'=ada.json,{NAME},16.0,16.0,100.0,2,2,1,1,2,2,2,4,4.0,{remarks}",
        f"bob,Bob,,bob.json,{NAME},4.0,16.0,25.0,0.5,0,0,1,0,0,0.5,0,2.0,",
        f"cleo,,,cleo.json,{NAME},4.16,16.0,26.0,1.0,1.0,0.5,0,0.66,0,1.0,2.0,0.0,"
        "a mark was changed by hand: careless",
        f"dan,Dan,,,{NAME},,,,{blanks}missing",
        f"'=ada,Ada; Lovelace,,,{OTHER},,,,{blanks}missing",
        f"bob,Bob,,,{OTHER},,,,{blanks}missing",
        f"cleo,,,,{OTHER},,,,{blanks}missing",
        f"dan,Dan,,,{OTHER},,,,{blanks}missing",
        f",,,a.json,,,,,{blanks}not graded: =it",
        f",,,b.json,,,,,{blanks}not graded: it is empty",
        f",,,'=y.zip,,,,,{blanks}not graded: it is packed",
        f",,,z.zip,,,,,{blanks}not graded: it is packed",
    ]


def test_columns_come_in_the_order_of_their_numbers_and_a_gap_is_left_blank(report):
    rows = [dict(row, flags=[], answers={}) for row in report["students"][:2]]
    rows[0]["answers"] = {"q10": {"points": 3}, "q2": {"points": 1}}
    held = {"students": rows, "missing": {}, "unreadable": [], "skipped": []}
    lines = to_csv(held).splitlines()
    assert lines[0].endswith("percent,q2,q10,predictions,remarks")
    assert lines[1].endswith("100.0,1,3,4.0,")
    assert lines[2].endswith("25.0,,,2.0,")
    assert table([["a", "b;c"], [1, ""]], ";") == 'a;"b;c"\n1;\n'
    assert percent({"score": 2, "out_of": 3}) == 66.7
    assert percent({"score": 2, "out_of": 0}) == 0


def test_json_has_a_line_a_student_and_its_keys_in_order(report):
    text = to_json(report)
    assert json.loads(text) == json.loads(json.dumps(report))
    lines = text.splitlines()
    places = [n for n, line in enumerate(lines) if line.startswith('  {"answers": ')]
    assert len(places) == 3
    assert lines[places[0] - 1] == ' "students": ['
    assert lines[places[-1] + 1 :] == [" ]", "}"]
    assert [*json.loads(lines[places[1]].removesuffix(","))] == sorted(report["students"][1])
    assert text.endswith("]\n}\n")


# ---- an earlier report ---------------------------------------------------------------------------


def scores(*rows):
    return {
        "students": [
            {"student": who, "assignment": name, "score": score} for who, name, score in rows
        ]
    }


def test_changes_are_told_by_assignment_where_there_are_several():
    before = scores(("b", OTHER, 1.5), ("a", NAME, 2), ("a", OTHER, 3), ("c", NAME, 1))
    after = scores(("b", OTHER, 2), ("a", NAME, 2), ("a", OTHER, 3.25), ("d", OTHER, 0))
    assert differences(before, after) == [
        f"a in {OTHER}: 3 -> 3.25",
        f"b in {OTHER}: 1.5 -> 2",
        f"d in {OTHER}: new, 0",
        f"c in {NAME}: no longer graded, was 1",
    ]


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"students": [{}]}', '{"students": 3}'])
def test_an_earlier_report_that_cannot_be_read_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    assert earlier(tmp_path) is None
    (tmp_path / "report.json").write_text(json.dumps(scores(("a", NAME, 2))))
    assert earlier(tmp_path) == scores(("a", NAME, 2))


def test_files_are_written_whole_and_stale_pages_go(tmp_path, report):
    stale, own = tmp_path / "students" / "x-0123456789ab.html", tmp_path / "students" / "x.html"
    stale.parent.mkdir()
    stale.write_text("old")
    own.write_text("the instructor's")
    write(report, tmp_path, {"student 2": "=bob", "student 10": "ada"})
    assert not stale.exists()
    assert own.exists()
    assert (
        tmp_path / "names.csv"
    ).read_text() == "alias,student\nstudent 10,ada\nstudent 2,'=bob\n"
    assert (tmp_path / "grades.csv").read_text() == to_csv(report)
    assert (tmp_path / "report.json").read_text() == to_json(report)
    assert "Ada; Lovelace" in (tmp_path / report["students"][0]["page"]).read_text()
    write(report, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("grades.csv", "report.html", "report.json", "students")
    ]


def test_a_file_that_stays_the_same_is_not_written(tmp_path):
    path = tmp_path / "x"
    put(path, "a\u00eb")
    before = path.stat().st_ino
    put(path, "a\u00eb")
    assert path.stat().st_ino == before
    put(path, "b")
    assert path.read_text() == "b"


def test_a_page_is_named_by_plain_letters_and_a_digest():
    for who, plain in (
        ("Zo\u00eb / 7", "Zo_7"),
        ("-a_", "-a"),
        ("...", "student"),
        ("a" * 41, "a" * 40),
    ):
        whose = hashlib.sha256(f"{NAME}|{who}".encode()).hexdigest()[:12]
        assert page_name(hand_in(who, [0] * 8)) == f"{plain}-{whose}.html"


# ---- what the pages show -------------------------------------------------------------------------


def test_the_class_page_knows_whom_to_look_at_and_who_shares_what(report):
    shown = views.of_class(report)
    ada, bob, cleo = report["students"]
    assert shown["look"] == [(ada, [ada["flags"][0]["says"]])]  # and not what is but a note
    assert shown["heat"] == {NAME: {"q1": [("erred", [bob, cleo])], "q2": [("took bits", [cleo])]}}
    assert shown["widest"] == {NAME: 2}
    script = hashlib.sha256(pages.source("class.js").encode()).digest()
    assert shown["script_hash"] == base64.b64encode(script).decode()
    several = [
        hand_in(who, [0] * 8, verdicts={"q1": ("slip", name)})
        for who, name in (("a", "x"), ("b", "z"), ("c", "z"), ("d", "b"))
    ]
    heat = views.of_class(reported(several, None))["heat"][NAME]["q1"]
    assert [name for name, _ in heat] == ["z", "b", "x"]  # the most frequent first, then by name
    assert views.of_class(reported([hand_in("a", [0] * 8)], None))["widest"] == {NAME: 1}


def test_a_students_page_tells_of_each_prediction_what_came_of_it(report):
    guesses = [
        ("00.1", 1.049, True),
        ("00.2", None, True),
        ("00.3", 1.05, True),
        ("00.4", None, False),
    ]
    row = report["students"][0] | {
        "predictions": {"committed": ["00.1", "00.2", "00.3", "00.4"]},
        "guesses": [{"question": q, "off_by": off, "hit": hit} for q, off, hit in guesses],
        "answers": {"q1": {}, "q3": {}},
    }
    shown = views.of_student(row)
    assert [(name, committed, said) for name, _, committed, said in shown["made"]] == [
        ("00.1", True, "made, right"),
        ("00.2", True, "made, right"),
        ("00.3", True, "made, off by a factor of 1.1"),
        ("00.4", True, "made, not right"),
        ("00.5", False, "not made"),
    ]
    bare = views.of_student(row | {"guesses": []})["made"]
    assert [said for *_, said in bare] == [*["made"] * 4, "not made"]
    assert [text for _, text, *_ in bare] == [p.text for p in load(NAME).predictions.values()]
    assert [*shown["texts"]] == ["q1", "q3"]
    asked = load(NAME).questions
    assert shown["sections"]["q4"] == load(NAME).predictions[asked["q4"].asked.see].text
    assert shown["lesson"].stem == NAME
