"""A made-up class: who hands in what, and that it is the same class in every run."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest

from grading import rehearse
from grading.check import Checks, check, gather, load
from grading.judge import Judge
from mlsysim.core.units import Q_
from mlsysim.course.journal import unbroken
from mlsysim.course.lessons import Assignment, Prediction
from mlsysim.course.questions import Question
from mlsysim.course.sheet import Sheet
from tests.grading.conftest import NAME

FOUR = ["a", "b", "c", "d"]
FACTS = {
    "step": {"kind": "number", "units": ["ms"]},
    "share": {"kind": "number"},
    "bound": {"kind": "choice", "choices": FOUR},
    "which": {"kind": "several", "choices": FOUR},
    "order": {"kind": "ordering", "choices": FOUR},
    "range": {"kind": "interval", "units": ["ms"]},
    "chip": {"kind": "spec", "of": "hardware"},
    "code": {"kind": "function", "signature": "f(x)"},
    "why": {"kind": "sentence"},
}
TRUTHS = {"share": 0.25, "bound": "b", "which": ["a", "d"], "order": FOUR}
SLIPS = {
    "step": {"doubled": lambda v: Q_(80.0, "ms"), "did not apply": lambda v: None},
    "order": {"turned it": lambda v: FOUR[::-1]},
    "which": {"took all": lambda v: FOUR},
}
ASSIGNED = Assignment(
    name=NAME,
    version=7,
    axes={"batch": [*range(2, 90)]},
    sample={"batch": 1},
    questions={n: Question.build({"title": "?", "text": "?", **f}) for n, f in FACTS.items()},
)
PREDICTIONS = {
    "0.1": Prediction(text="?", unit="ms"),
    "0.2": Prediction(text="?", options=["a", "b", "c"]),
    "0.3": Prediction(text="?", order=["p", "q", "r"]),
    "0.4": Prediction(text="?", sentence=True),
}


def made_up():
    """Checks whose truths are plain numbers: no solver is asked, so they stay as they are."""
    truths = TRUTHS | {"step": Q_(0.04, "s"), "range": (Q_(1.0, "ms"), Q_(3.0, "ms"))}
    checks = [
        check(n, inputs=lambda v: [(1,)], misconceptions=SLIPS.get(n, {}))(lambda v, n=n: truths[n])
        for n in ("step", "share", "bound", "which", "order", "range")
    ]
    checks += [check("chip")(lambda v, mine: {}), check("code", inputs=list)(lambda v: abs)]
    return Checks(ASSIGNED, gather(ASSIGNED, checks), PREDICTIONS, {"0.1": 40.0, "0.2": "b"})


@pytest.fixture(scope="module")
def handed(tmp_path_factory):
    """What 150 students of the made-up class hand in, by their folders."""
    out = tmp_path_factory.mktemp("class")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearse, "load", lambda name: made_up())
        for _ in range(2):  # a second run changes nothing
            roster = rehearse.rehearse(NAME, 150, out, None)
    assert roster == out / "roster.csv"
    return {path.parent.name: path.read_text() for path in sorted(out.rglob("answers.json"))}


def test_what_a_made_up_class_answers_is_the_same_in_every_run(handed):
    facts = [
        [held[key] for key in ("student", "variant", "answers", "journal")]
        for held in map(json.loads, handed.values())
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    assert digest == "7345d02a0510"  # if another class is meant, write its digest here


def test_a_made_up_class_answers_in_every_way_that_there_is(handed):
    sheets = [Sheet.read(json.loads(text)) for text in handed.values()]
    assert {each.assignment_version for each in sheets} == {7}
    assert len({json.dumps(each.variant) for each in sheets}) > 20
    given = {
        name: {json.dumps(s.answers[name].value) for s in sheets} for name in sheets[0].answers
    }
    assert given == {
        "step": {'"40"', '"80"', '"40000"', '"52"', '"16"'},
        "share": {'"0.25"', '"250"', '"0.325"', '"0.1"'},
        "bound": {'"b"'},
        "which": {'["a", "d"]', '["a", "b", "c", "d"]'},
        "order": {'["a", "b", "c", "d"]', '["d", "c", "b", "a"]'},
        "range": {'["1", "3"]', '["1000", "3000"]', '["1.3", "3.9"]', '["0.4", "1.2"]'},
        "why": {'"It waits for memory: the bytes take longer."'},
    }
    units = {name: answer.unit for name, answer in sheets[0].answers.items() if answer.unit}
    assert units == {"step": "ms", "range": "ms"}
    made = [unbroken(each.journal) for each in sheets]
    assert not any(fault for _, fault in made)
    said = {n: [r.value for rs, _ in made for r in rs if r.question == n] for n in PREDICTIONS}
    assert all(0.8 * len(sheets) <= len(values) < len(sheets) for values in said.values())
    assert set(said["0.2"]) == {"a", "b", "c"}
    assert said["0.2"].count("b") > len(said["0.2"]) / 2
    assert len(set(said["0.3"])) == 6
    assert set(said["0.4"]) == {"I do not know yet."}
    assert sum(10 < value < 160 for value in said["0.1"]) > len(said["0.1"]) / 2
    assert {r.confidence for rs, _ in made for r in rs} == {0.3, 0.6, 0.9}


@pytest.mark.parametrize("secret", [None, b"a secret of this course"])
def test_of_a_class_some_are_absent_and_some_type_anothers_id(tmp_path, secret):
    rehearse.rehearse(NAME, 27, tmp_path / "new", secret)
    lines = (tmp_path / "new" / "roster.csv").read_text().splitlines()
    rows = [*csv.DictReader(lines)]
    assert len(rows) == 27
    assert rows[8] == {
        "Identifier": "Participant 9",
        "Full name": "Student 009",
        "ID number": "s009",
        "Status": "Submitted",
        "Grade": "",
        "Maximum Grade": "100.00",
        "Last modified (submission)": "-",
        "Feedback comments": "",
    }
    places = sorted((tmp_path / "new" / "hand-ins").glob("*/answers.json"))
    here = [number for number in range(1, 28) if number not in (13, 26)]
    assert [path.parent.name for path in places] == [
        f"Student {number:03d}_{number}_assignsubmission_file_" for number in here
    ]
    judge = Judge(secret) if secret else Judge()
    held = [judge.file(path) for path in places]
    assert [each.id for each in held] == [f"s{number:03d}" for number in here]
    odd = [each.id for each in held if each.flags]
    assert odd == ["s011", "s022"]
    assert [flag.kind for each in held for flag in each.flags] == ["other-numbers"] * 2
    kinds = {mark.kind for each in held for mark in each.marks}
    assert {"right", "wrong", "misconception", "blank"} <= kinds
    assert "unreadable" not in kinds
    assert load(NAME).points == held[0].out_of
