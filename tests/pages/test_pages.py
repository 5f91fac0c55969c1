"""Pages: what is shown is escaped, nothing is loaded, a fact that is missing is an error."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from mlsysim import pages
from mlsysim.palette import PALETTE

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def report():
    """A report on one student, who is called like an attack, as the grader writes it."""
    row = {
        "student": HOSTILE,
        "assignment": "00_hello_roofline",
        "score": 2.5,
        "out_of": 4.0,
        "answers": {
            "q1": {"points": 0.5, "out_of": 2.0, "message": HOSTILE, "given": HOSTILE},
            "q2": {"points": 0.0, "out_of": 1.0, "message": "No answer was given.", "given": ""},
        },
        "predictions": {
            "committed": ["00.1"],
            "points": 2.0,
            "out_of": 2.0,
            "fault": "one is out of order.",
        },
        "flags": [HOSTILE],
        "other_numbers": True,
        "drawn": {HOSTILE: HOSTILE},
        "page": "students/x.html",
    }
    questions = {
        "q1": {
            "title": "How long?",
            "success": 0.25,
            "kinds": {"misconception": 1},
            "named": {"read bits": 1},
        },
        "q2": {"title": "Which?", "success": 0.0, "kinds": {"blank": 1}, "named": {}},
    }
    held = {
        "students": 1,
        "mean": 0.625,
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
    for page in (
        pages.render("class.html", report=report),
        pages.render("student.html", row=report["students"][0], report=report),
    ):
        assert "<script" not in page
        assert page.count("&lt;script&gt;") >= 3


def test_the_class_page_says_every_number(report):
    said = words(pages.render("class.html", report=report))
    for sentence in (
        "Not graded: 1",
        "1 graded; on average 62% of 4 points.",
        "60-70 % 1",
        "q1 How long? 25% 0",
        "q2 Which? 0% 1",
        "q1 read bits 1",
        "00.1 1",
        "00.2 0",
        "60% sure 50% 2",
        "Typically off by a factor of 1,200.",
    ):
        assert sentence in said


def test_the_students_page_says_points_answers_and_what_was_committed(report):
    row = report["students"][0]
    page = pages.render("student.html", row=row, report=report)
    for sentence in (
        "2.5 of 4 points",
        "q1 · How long? 0.5 / 2",
        "q2 · Which? 0 / 1 No answer was given.",
        "Predictions 2 / 2 Committed before the reveal: 00.1.",
        "One is out of order.",
    ):
        assert sentence in words(page)
    assert re.findall(r'"card answer (\w+)"', page) == ["part", "none", "full"]


def test_a_page_loads_nothing_and_holds_its_palette_for_day_and_night(report):
    page = pages.render("class.html", report=report)
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page
    light, dark = page.split("prefers-color-scheme: dark")
    for role, ink in PALETTE.items():
        assert f"--{role}: {ink.light};" in light
        assert f"--{role}: {ink.dark};" in dark
    used = set(re.findall(r"var\(--([a-z-]+)\)", page)) - {"font", "share"}
    assert used <= set(PALETTE)


def test_a_fact_that_is_missing_is_an_error_and_not_a_gap(report):
    del report["variants"]
    with pytest.raises(UndefinedError):
        pages.render("class.html", report=report)


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
