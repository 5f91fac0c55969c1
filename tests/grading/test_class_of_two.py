"""A class of two, one right and one blank: every number that the instructor gets, by hand."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from itertools import count

import pytest

from grading.check import load
from grading.checks import c00_hello_roofline as c00
from grading.commands import main
from mlsysim.course.journal import FIRST, Record
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import code_for
from tests.grading.conftest import NAME

# Bob's numbers are Llama 3 8B on an A100 and an MI325X, 14 requests of 1,536 tokens, a crowd of
# 768 with 62 tokens each; `test_checks_00` works his answers out by hand. His chip keeps the A100's
# memory; the step's arithmetic takes 0.1623 of its memory's time there, so 51 of 312 TFLOP/s do.
CHIP = (
    "release_year: 2027\ncompute: {peak_flops: 51 TFLOP/s}\n"
    "memory: {capacity: 80 GiB, bandwidth: 2.039 TB/s}\n"
)
BOB = {
    "q1": ("8.7535", "ms"),
    "q2": ("2.936", None),
    "q3": ("compute", None),
    "q4": ("peak FLOPS", None),
    "q5": ("80", None),
    "q6": ("18.883", "GB"),
    "q7": ("346", None),
    "q8": (CHIP, None),
}
# of the lesson's truths (218.793 tokens/s, weights, 60.0229 ms, 4.65081 ms, an order) one is off by
# 4, three are right, and the order is wrong
SAID = [
    ("00.1", 54.69825, "tokens/s", 0.9),
    ("00.2", "weights that come from memory", None, 0.9),
    ("00.3", 60.0229, "ms", 0.6),
    ("00.4", 4.65081, "ms", None),
    ("00.5", "L4, A100, RTX 4090, M4 Max", None, 0.6),
]


# what is beside the numbers among these: the factor, whether it hit, and how sure Bob was
GUESSES = [
    {"question": "00.1", "off_by": 4.0, "hit": False, "confidence": 0.9},
    {"question": "00.2", "off_by": None, "hit": True, "confidence": 0.9},
    {"question": "00.3", "off_by": 1.0, "hit": True, "confidence": 0.6},
    {"question": "00.4", "off_by": 1.0, "hit": True, "confidence": None},
    {"question": "00.5", "off_by": None, "hit": False, "confidence": 0.6},
]


def chain(said):
    records, previous = [], FIRST
    for order, (question, value, unit, confidence) in enumerate(said, start=1):
        record = Record(
            question=question,
            value=value,
            unit=unit,
            confidence=confidence,
            order=order,
            time="2026-11-20T18:00:00Z",
            previous=previous,
        )
        records.append(record.model_dump())
        previous = record.hash
    return records


def answered(answers):
    return {name: {"value": value, "unit": unit} for name, (value, unit) in answers.items()}


@pytest.fixture
def grade(hand_in, tmp_path, monkeypatch):
    """Grade the class's folder; gives report.json and the lines of grades.csv."""
    monkeypatch.delenv("GRADING_SECRET", raising=False)
    out = tmp_path / "out"

    def run():
        assert main(["grade", str(hand_in.folder), "--out", str(out)]) == 0
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        return report, (out / "grades.csv").read_text(encoding="utf-8").splitlines()

    return run


def drawn(student):
    """The numbers of a student, whose draws are pinned elsewhere."""
    return assignment(NAME).draw(code_for(student, NAME)).fields


def row(file, answers, predictions, score):
    who = file.removesuffix(".json")
    return {
        "student": who,
        "name": "",
        "section": "",
        "file": file,
        "assignment": NAME,
        "score": score,
        "earned": score,
        "part_off": 0,
        "at": "",
        "out_of": 16,
        "dropped": {},
        "notes": {},
        "answers": answers,
        "predictions": predictions,
        "flags": [],
        "drawn": drawn(who),
        "page": f"students/{who}-{hashlib.sha256(f'{NAME}|{who}'.encode()).hexdigest()[:12]}.html",
    }


def test_every_number_of_a_class_with_one_right_and_one_blank_sheet(hand_in, grade):
    hand_in("bob", answered(BOB), journal=chain(SAID))
    hand_in("ada", {}, journal=[])
    report, lines = grade()
    points = {"q1": 2, "q2": 2, "q3": 1, "q4": 1, "q5": 2, "q6": 2, "q7": 2, "q8": 2}
    blank = {"points": 0, "kind": "blank", "name": "", "message": "No answer was given."}
    right = {"kind": "right", "name": ""}
    (summary,) = report["assignments"].values()
    assert [each.pop("guesses") for each in report["students"]] == [[], GUESSES]
    assert report["students"] == [
        row(
            "ada.json",
            {q: {**blank, "out_of": points[q], "given": ""} for q in points},
            {"committed": [], "points": 0, "out_of": 2, "fault": ""},
            0,
        ),
        row(
            "bob.json",
            {
                q: {
                    **right,
                    "message": f"Right. {load(NAME).questions[q].hint}",
                    "points": points[q],
                    "out_of": points[q],
                    "given": " ".join(filter(None, BOB[q]))[:40],
                }
                for q in points
            },
            {
                "committed": ["00.1", "00.2", "00.3", "00.4", "00.5"],
                "points": 2,
                "out_of": 2,
                "fault": "",
            },
            16,
        ),
    ]
    asked = summary.pop("questions")
    assert summary == {
        "version": 3,
        "students": 2,
        "out_of": 16,  # 14 for answers, 2 for predictions
        "mean": 0.5,  # 8 of 16
        "median": 0.5,
        "quartiles": [0.25, 0.5, 0.75],
        "distribution": [1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        "committed": {"00.1": 1, "00.2": 1, "00.3": 1, "00.4": 1, "00.5": 1},
        "calibration": {
            "predictions": 5,
            "levels": [
                {"stated": 0.6, "predictions": 2, "hit_rate": 0.5},
                {"stated": 0.9, "predictions": 2, "hit_rate": 0.5},
            ],
            "typical_factor": 1.587,  # off by 4, by 1 and by 1: the cube root of 4
        },
    }
    assert {q: held.pop("title")[-1] for q, held in asked.items()} == dict.fromkeys(points, "?")
    assert asked == {
        q: {
            "points": points[q],
            "dropped": "",
            "success": 0.5,
            "kinds": {"blank": 1, "right": 1},
            "named": {},
        }
        for q in points
    }
    assert (report["schema"], report["variants"], report["unreadable"]) == (2, "public", [])
    assert lines[0] == (
        "student,name,section,file,assignment,score,out_of,percent,"
        "q1,q2,q3,q4,q5,q6,q7,q8,predictions,remarks"
    )
    assert [
        [float(cell) if cell[:1].isdigit() and "_" not in cell else cell for cell in cells]
        for cells in csv.reader(lines[1:])
    ] == [
        ["ada", "", "", "ada.json", NAME, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ""],
        ["bob", "", "", "bob.json", NAME, 16, 16, 100, 2, 2, 1, 1, 2, 2, 2, 2, 2, ""],
    ]


def test_the_heads_of_the_tables_say_what_they_are_heads_of(hand_in, grade, tmp_path):
    hand_in("bob", answered(BOB), journal=chain(SAID))
    grade()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    heads = re.findall(r"<th\b[^>]*>", page)
    assert len(heads) > 5
    assert all('scope="col"' in head for head in heads)
    assert page.count('scope="col"') == len(heads)  # and no other cell says so


def test_part_credit_and_what_went_wrong_are_counted_over_the_class(hand_in, grade):
    hand_in("bob", answered(BOB), journal=[])
    # from somebody with Bob's model and crowd: the whole table counted (accepted), peak FLOPS
    # scaled (a quarter of 2), 10x and bits for bytes (half each), the device for a chip (a quarter)
    checks = load(NAME)
    like_bob = {"model": "Llama3_8B", "crowd": 768}.items()
    other = next(f"cleo{n}" for n in count() if like_bob <= drawn(f"cleo{n}").items())
    v = checks.assignment.draw(code_for(other, NAME))
    asked = checks.questions
    device = (
        f"release_year: 2027\ncompute: {{peak_flops: {v.device.peak('fp16'):~}}}\n"
        f"memory: {{capacity: {v.device.memory.capacity:~}, "
        f"bandwidth: {v.device.memory.bandwidth:~}}}\n"
    )
    slips = {
        "q1": (f"{asked['q1'].plain(c00.whole_table(v)):.5g}", "ms"),
        "q2": (f"{asked['q2'].plain(c00.by_peak(v)):.5g}", None),
        "q3": ("memory", None),
        "q5": (f"{10 * asked['q5'].expected(v):.5g}", None),
        "q6": (f"{asked['q6'].expected(v):.5g}", "Gb"),
        "q7": ("", None),
        "q8": (device, None),
    }
    hand_in(other, answered(slips), journal=chain(SAID)[:1])
    report, lines = grade()
    (summary,) = report["assignments"].values()
    held = summary["questions"]
    # 2 + 0.5 + 0 + 0 + 1 + 1 + 0 + 0.5, and a fifth of 2 points for one prediction
    assert [each["score"] for each in report["students"]] == [14.0, 5.4]
    assert summary["mean"] == pytest.approx((5.4 / 16 + 14 / 16) / 2, abs=5e-5)
    assert summary["distribution"] == [0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    assert [held[q]["success"] for q in held] == [1, 0.625, 0.5, 0.5, 0.75, 0.75, 0.5, 0.625]
    assert [held[q]["named"] for q in ("q1", "q2", "q3")] == [
        {"counted the whole embedding table as read": 1},
        {"scaled by peak FLOPS": 1},
        {"judged the batch of question 1": 1},
    ]
    assert held["q1"]["kinds"] == {"assumption": 1, "right": 1}
    assert held["q5"]["named"] == {"slipped by a power of ten: check the prefix of the unit": 1}
    assert held["q6"]["named"] == {"took bits for bytes, or bytes for bits": 1}
    assert [float(line["percent"]) for line in csv.DictReader(lines)] == [87.5, 33.8]
