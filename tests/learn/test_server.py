"""What a learner meets before any notebook runs: the gallery, and a field that follows typing."""

from __future__ import annotations

import html
import re

import pytest

from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.course.paths import find_path, paths, plan
from mlsysim.learn.answers import AnswerSheet
from mlsysim.learn.gallery import gallery
from mlsysim.learn.server import page

LESSON = course.find_lesson("00")
DOOR = re.compile(r'class="go" href="([^"]*)">(\w+(?: again)?)<')


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def card(shown, number):
    """The text of a lesson's card."""
    (found,) = re.findall(rf"<article(?:(?!<article).)*Lesson {number} ·.*?</article>", shown, re.S)
    return words(found)


def words(shown):
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", shown).split()))


@pytest.mark.parametrize(
    ("share", "label", "width"),
    [(0, "Start", "0"), (0.5, "Continue", None), (1, "Look again", "100")],
)
def test_the_gallery_says_how_far_a_learner_is(journal, share, label, width):
    asked = LESSON.questions
    made = round(share * len(asked))
    for question in asked[:made]:
        journal.commit(question, 1.0)
    shown = gallery(journal)
    assert f"{made} of {len(asked)} predictions made {label}" in card(shown, 0)
    bars = re.findall(r'class="bar"[^>]*><i style="width:([\d.]+)%">', shown)
    assert width in (None, bars[0])
    assert 'href="/exercise/00_hello_roofline/"' in shown


def test_every_lesson_has_a_card_and_those_to_come_have_no_door(journal):
    shown = gallery(journal)
    written = {lesson.number for lesson in course.lessons()}
    for number, facts in plan().items():
        said = card(shown, number)
        assert f"{facts.minutes} min · {facts.level} {facts.title} {facts.question}" in said
        assert ("To come" in said) == (number not in written)
    assert sorted(plan()) == list(range(19))
    assert {url for url, _ in DOOR.findall(shown)} == {
        f"/{each.stem}/" for each in course.lessons()
    }


def test_what_is_next_is_where_one_stopped_else_the_first_that_is_not_finished(journal):
    every = course.lessons()
    first = DOOR.findall(gallery(journal))[0]
    assert first == (f"/{every[0].stem}/", "Start")
    assert "Begin here" in gallery(journal)
    journal.commit(every[-1].questions[0], 1.0)
    assert DOOR.findall(gallery(journal))[0] == (f"/{every[-1].stem}/", "Continue")
    assert "Where you are · 1 prediction made" in words(gallery(journal))
    for lesson in every:
        for question in lesson.questions:
            journal.commit(question, 1.0)
    assert "Where you are" not in gallery(journal)


@pytest.mark.parametrize(
    ("sought", "level", "found"),
    [
        ("carbon", "", [7]),
        ("zeppelin", "", []),
        ("ROOFLINE", "", [0]),
        ("kv users", "", [3]),
        ("", "developer", [14, 15]),
        ("solvers", "developer", [14, 15]),
        ("roofline", "advanced", []),
    ],
)
def test_lessons_are_found_by_words_and_level(journal, sought, level, found):
    shown = gallery(journal, words=sought, level=level)
    assert [int(n) for n in re.findall(r"Lesson (\d+) ·", shown)] == found
    assert ("Nothing is found" in shown) == (not found)


def test_what_is_sought_is_shown_as_text(journal):
    shown = gallery(journal, words='"><script>x</script>')
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_a_path_shows_its_timetable_messages_notes_and_cuts(journal):
    path = find_path("conference")
    shown = words(gallery(journal, path))
    assert "A 90-minute session" in shown
    for slot in path.timetable:
        for said in (slot.time, slot.station.message, slot.station.notes, slot.station.cut):
            assert said in shown
    assert "35-45 min Break and questions" in shown
    assert "15-35 min" not in words(gallery(journal))


def test_every_path_is_a_link_and_its_page_lists_its_lessons(journal, monkeypatch):
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(journal.path))
    shown, status, _ = page("/", {})
    assert status == 200
    for way in paths():
        assert f'href="/?path={way.name}"' in shown
        assert f"{way.minutes} min · lessons {' → '.join(map(str, way.lessons))}" in words(shown)
        alone = page("/", {"path": way.name}).body
        listed = [int(n) for n in re.findall(r"Lesson (\d+) ·", alone)]
        assert listed == way.lessons
    assert page("/", {"path": "nope"}) == page("/", {})


def test_lessons_open_as_slides_where_one_presents(journal, monkeypatch):
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(journal.path))
    shown = page("/", {"path": "conference", "slides": ""}).body
    doors = re.findall(r'href="(/\d\d_[^"]*)"', shown)
    assert doors
    assert all(door.endswith("/?slides") for door in doors)
    assert "slides" not in gallery(journal)


def test_what_befell_the_journal_is_told(journal):
    journal.path.write_text("half a li")
    assert "A line of journal.jsonl cannot be read" in gallery(Journal(journal.path))
    assert "cannot be read" not in gallery(Journal(journal.path.with_name("other.jsonl")))


def test_an_answer_is_taken_while_it_is_typed(tmp_path):
    """Without leaving the field: a learner may go straight to the download."""
    form = AnswerSheet("00_hello_roofline", "ada", drafts=tmp_path).ask("q1")
    assert "data-debounce='false'" in form.elements["value"].text
