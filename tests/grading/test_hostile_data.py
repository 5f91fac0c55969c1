"""A class of forgers and one honest student: nobody gains, nothing leaks or is left outside."""

from __future__ import annotations

import csv
import json
import time

import pytest

from grading.judge import Graded, Judge, Refused, Skipped
from tests.grading.hostile_data import FORMULA, SCRIPT, answers, broken, forms, injected, placed

CANARY = "a-secret-of-this-course"


@pytest.fixture
def honest(sheet, right, variant):
    """The sheet that every forgery is made from: all of its answers are right."""
    return sheet("mallory", right(variant("mallory")))


@pytest.fixture
def graded(tmp_path):
    """What comes of a file."""

    def of(data, name="answers.json"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        begin = time.process_time()
        outcome = Judge().file(path)
        assert time.process_time() - begin < 0.5, name  # a stall is minutes, a file hundredths
        return outcome

    return of


def test_the_sheet_that_is_forged_is_worth_all_points(honest, graded):
    outcome = graded(honest)
    assert isinstance(outcome, Graded)
    assert (outcome.score, outcome.flags) == (outcome.out_of, ())
    assert isinstance(graded(b"\xef\xbb\xbf" + json.dumps(honest).encode()), Graded)


def test_what_is_broken_is_refused_with_a_reason_right_answers_or_not(honest, graded):
    files = broken(honest)
    for name, data in files.items():
        outcome = graded(data)
        assert isinstance(outcome, (Refused, Skipped)), name
        assert outcome.reason.isprintable(), name
        assert 0 < len(outcome.reason) < 300, name
        assert "report this" not in outcome.reason, name
    assert len(files) >= 45


def test_a_sheet_of_another_form_earns_no_more_than_it_answers(honest, graded):
    whole = graded(honest).score
    graded_all_the_same = {"a number for a notebook", "two lines for a student"}
    for name, data in forms(honest):
        outcome = graded(data)
        if isinstance(outcome, Graded):
            assert outcome.score <= whole, name
            assert name in graded_all_the_same, name
        else:
            assert "report this" not in outcome.reason, name


def test_the_right_number_in_another_grammar_earns_nothing(honest, graded):
    truth = honest["answers"]["q1"]["value"]
    forged = answers(truth)
    for name, answer in forged.items():
        outcome = graded({**honest, "answers": {**honest["answers"], "q1": answer}})
        mark = next(each for each in outcome.marks if each.question == "q1")
        assert mark.points == 0, (name, mark)
        assert mark.kind in {"unreadable", "wrong unit", "wrong"}, (name, mark)
        assert outcome.score == pytest.approx(outcome.out_of - mark.out_of), name
    assert len(forged) >= 30


def test_a_whole_class_of_forgers_costs_the_honest_one_nothing(
    honest, hand_in, grade, right, variant, tmp_path
):
    hand_in("ada", right(variant("ada")))
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "secret.json").write_text(json.dumps({**honest, "student": CANARY}))
    (tmp_path / "secret").write_text(CANARY)
    acting = injected(honest)
    for name, data in acting.items():
        data["variant"] = variant(name).fields
    files = {**broken(honest), **acting, **dict(forms({**honest, "answers": {}}))}
    for number, data in enumerate(files.values()):
        written = data if isinstance(data, bytes) else json.dumps(data).encode()
        (hand_in.folder / f"{number}.json").write_bytes(written)
    links = placed(hand_in.folder, outside)
    before = {path for path in tmp_path.rglob("*") if grade.out not in path.parents}
    code, out, err = grade()
    assert code == 2
    assert {path for path in tmp_path.rglob("*") if grade.out not in path.parents} - before == {
        grade.out
    }
    rows = grade.rows()
    assert float(rows["ada"]["score"]) == float(rows["ada"]["out_of"])
    predicted = grade.report()["assignments"]["00_hello_roofline"]
    for student, row in rows.items():
        earned = [float(row[q] or 0) for q in ("q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8")]
        assert student == "ada" or sum(earned) == 0, (row, predicted)
    for name in links:
        assert f"{name}: it is" in err or f"{name}: it cannot be opened" in err, (name, err)
    written = [path for path in grade.out.rglob("*") if path.is_file()]
    for path in written:
        text = path.read_text()
        assert CANARY not in text, path
        assert SCRIPT not in text or path.suffix != ".html", path
        if path.suffix == ".csv":
            for line in [
                *csv.reader(text.splitlines()),
                *csv.reader(text.splitlines(), delimiter=";"),
            ]:
                assert not any(cell.startswith(("=", "+", "@", "-")) for cell in line), line
    assert CANARY not in out + err
    assert FORMULA in (grade.out / "grades.csv").read_text()  # it stands there, as text
