"""Pages: what is shown is escaped, nothing is loaded, a fact that is missing is an error."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from grading.views import of_class
from mlsysim import pages
from mlsysim.course.lessons import lesson
from mlsysim.palette import PALETTE

HOSTILE = "<script>alert('x')</script>"
MISTAKE, BLANK = {"kind": "misconception", "name": HOSTILE}, {"kind": "blank", "name": ""}


def class_page(report):
    """The class page, with what the grader works out for it."""
    return pages.render("class.html", report=report, **of_class(report))


def student_page(report, asked="Which of them?"):
    """A student's page, with the words that were asked."""
    facts = {
        "texts": {"q1": HOSTILE, "q2": asked},
        "sections": {"q1": HOSTILE},
        "made": [("00.1", HOSTILE, True, "made, right"), ("00.2", "What?", False, "not made")],
        "lesson": lesson("00_hello_roofline"),
    }
    return pages.render("student.html", row=report["students"][0], report=report, **facts)


@pytest.fixture
def report():
    """A report on one student, who is called like an attack, as the grader writes it."""
    row = {
        "student": HOSTILE,
        "name": HOSTILE,
        "file": HOSTILE,
        "assignment": "00_hello_roofline",
        "score": 2.5,
        "out_of": 4.0,
        "earned": 2.5,
        "part_off": 0.0,
        "answers": {
            "q1": {**MISTAKE, "points": 0.5, "out_of": 2.0, "message": HOSTILE, "given": HOSTILE},
            "q2": {**BLANK, "points": 0.0, "out_of": 1.0, "message": "No answer.", "given": ""},
        },
        "predictions": {"committed": ["00.1"], "points": 2.0, "out_of": 2.0},
        "dropped": {},
        "notes": {},
        "flags": [{"kind": "x", "severity": "look", "says": HOSTILE, "told": HOSTILE}],
        "drawn": {HOSTILE: HOSTILE},
        "page": "students/x.html",
    }
    questions = {
        "q1": {
            "title": "How long?",
            "dropped": "",
            "success": 0.25,
            "kinds": {"misconception": 1},
            "named": {"read bits": 1},
        },
        "q2": {
            "title": "Which?",
            "dropped": "",
            "success": 0.0,
            "kinds": {"blank": 1},
            "named": {},
        },
    }
    held = {
        "students": 1,
        "mean": 0.625,
        "median": 0.625,
        "quartiles": [0.5, 0.625, 0.75],
        "out_of": 4.0,
        "distribution": [0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        "questions": questions,
        "committed": {"00.1": 1, "00.2": 0},
        "calibration": {
            "levels": [{"stated": 0.6, "hit_rate": 0.5, "predictions": 2}],
            "typical_factor": 1234.0,
        },
    }
    return {
        "mlsysim": "0.1.0",
        "registry": "abc",
        "variants": "public",
        "course": "CS 1",
        "missing": {"00_hello_roofline": [{"student": HOSTILE, "name": ""}]},
        "totals": {HOSTILE: 0.5},
        "unreadable": [{"file": HOSTILE, "reason": HOSTILE}],
        "skipped": [{"file": HOSTILE, "reason": HOSTILE}],
        "assignments": {"00_hello_roofline": held},
        "students": [row],
    }


def words(page):
    """The text of a page as it is read, in one line."""
    body = page.split("<body>")[1]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_names_and_answers_are_text(report):
    for page in (class_page(report), student_page(report)):
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;") >= 3


def test_the_class_page_says_every_number(report):
    said = words(class_page(report))
    for sentence in (
        "Missing in 00_hello_roofline: 1",
        "graded 1 missing 1 median 62% middle half 50% to 75% mean 62% points 4",
        "q1 How long? 25%",
        "q2 Which? 0% 1 left it blank",
        "00.1 1",
        "00.2 0",
        "Passed over: 1",
        "Typically off by a factor of 1,200.",
    ):
        assert sentence in said


def test_the_students_page_says_points_answers_and_what_was_committed(report):
    page = student_page(report)
    for sentence in (
        "2.5 of 4 points",
        "q1 · How long? 0.5 / 2",
        "q2 · Which? 0 / 1 Which of them? No answer. Next: lesson 00, Hello, Roofline",
        "Predictions 2 / 2",
        "00.1 made, right",
        "00.2 not made What?",
    ):
        assert sentence in words(page)
    assert re.findall(r'"card answer (\w+)"', page) == ["part", "none", "full"]


def test_the_students_page_keeps_the_indentation_of_a_format_that_was_asked_for(report):
    page = student_page(report, asked="The format:\n\n    memory:\n      capacity: 1 GB")
    assert '<p class="asked-text">The format:\n\n    memory:\n      capacity: 1 GB</p>' in page
    assert ".asked-text { white-space: pre-wrap" in page


def test_a_page_loads_nothing_and_holds_its_palette_for_day_and_night(report):
    page = class_page(report)
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page
    assert page.count("<script") == page.count("script-src 'sha256-") == 1
    light, dark = page.split("prefers-color-scheme: dark")
    for role, ink in PALETTE.items():
        assert f"--{role}: {ink.light};" in light
        assert f"--{role}: {ink.dark};" in dark
    used = set(re.findall(r"var\(--([a-z-]+)\)", page)) - {"font", "share"}
    assert used <= set(PALETTE)


def test_a_fact_that_is_missing_is_an_error_and_not_a_gap(report):
    del report["variants"]
    with pytest.raises(UndefinedError):
        class_page(report)


def contrast(one, other):
    """The contrast of two colours, by WCAG 2.1."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["paper", "card"])
@pytest.mark.parametrize("role", ["ink", "muted", "blue", "crimson"])
def test_what_is_written_can_be_read_by_day_and_by_night(role, ground):
    for text, behind in zip(PALETTE[role], PALETTE[ground], strict=True):
        assert contrast(text, behind) >= 4.5
