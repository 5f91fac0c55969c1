"""What a learner meets before any notebook runs: the gallery, and a field that follows typing."""

from __future__ import annotations

import re

import pytest

from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.learn.answers import AnswerSheet
from mlsysim.learn.server import gallery

FOUR = ["memory", 4.5, "compute", 150.0]


@pytest.mark.parametrize(
    ("made", "label", "width"), [(0, "Start", 0), (1, "Continue", 25), (4, "Look again", 100)]
)
def test_the_gallery_says_how_far_a_learner_is(tmp_path, made, label, width):
    lesson = course.find_lesson("00")
    journal = Journal(tmp_path / "journal.jsonl")
    for question, value in list(zip(lesson.questions, FOUR, strict=True))[:made]:
        journal.commit(question, value)
    page = gallery([lesson], journal)
    assert re.findall(r'class="go" href="/00_hello_roofline/">([^<]*)<', page) == [label]
    assert re.findall(r'class="bar"[^>]*><i style="width:(\d+)%">', page) == [str(width)]
    assert f"{made} of 4 predictions made" in page
    assert 'href="/exercise/00_hello_roofline/"' in page


def test_a_timetable_says_when_a_lesson_is_on(tmp_path):
    journal, path = Journal(tmp_path / "journal.jsonl"), course.find_path("conference")
    page = gallery([course.find_lesson("00")], journal, path)
    assert "<h1>A 90-minute session</h1>" in page
    assert "beginner · 0-15 min" in page
    assert "0-15 min" not in gallery([course.find_lesson("00")], journal)


def test_a_path_says_which_lessons_are_here_and_how_many_are_to_come(tmp_path):
    page = gallery(course.lessons(), Journal(tmp_path / "journal.jsonl"))
    here = {lesson.number for lesson in course.lessons()}
    for way in course.paths():
        stations = [n for n in way.lessons if n in here]
        assert f"<code>mlsysim learn --path {way.name}</code>" in page
        said = " → ".join(map(str, stations))
        assert re.search(rf"lessons? {said}(, {len(way.lessons) - len(stations)} to come)?<", page)


def test_an_answer_is_taken_while_it_is_typed(tmp_path):
    """Without leaving the field: a learner may go straight to the download."""
    form = AnswerSheet("00_hello_roofline", "ada", drafts=tmp_path).ask("q1")
    assert "data-debounce='false'" in form.elements["value"].text
