"""The pages of a review and of the quiz, as a browser asks for them."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import json
import re

import pytest

from mlsysim.course import lessons as course
from mlsysim.course.concepts import CODES, UNKNOWN
from mlsysim.course.inventory import Inventory
from mlsysim.course.journal import Journal
from mlsysim.course.quiz import ITEMS
from mlsysim.course.review import Review
from mlsysim.learn import server
from mlsysim.learn.server import page


@pytest.fixture
def book(tmp_path, monkeypatch):
    """The journal of somebody who finished every lesson a week ago."""
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(tmp_path / "journal.jsonl"))
    journal = Journal()
    for lesson in course.lessons():
        for question in lesson.questions:
            journal.commit(question, 1.0)
    ago = (dt.datetime.now(dt.UTC) - dt.timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = journal.path.read_text()
    journal.path.write_text(re.sub(r'"time": "[^"]*"', f'"time": "{ago}"', text))
    return Journal()


def words(shown):
    body = shown.split("<main>")[1]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def hidden(shown):
    """What the form on a page carries along."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown)
    return {name: html.unescape(value) for name, value in found}


def post(where, shown, **fields):
    return page(where, {**hidden(shown), **fields}, posted=True)


def follow(reply):
    """The page to which a reply leads."""
    assert reply.status == 303
    where, _, query = reply.to.partition("?")
    fields = dict(pair.split("=") for pair in query.split("&"))
    return page(where, {name: value.replace("%3A", ":") for name, value in fields.items()}).body


def asked(shown, book):
    """The question on a page, with its truth."""
    held = Review(book)
    return next(held.ask(each) for each in held.states if each.card.name == hidden(shown)["card"])


def test_a_review_is_walked_from_its_first_question_to_its_end(book):
    shown = page("/review", {}).body
    count = 0
    while "<form" in shown:
        ask = asked(shown, Journal())
        assert ask.text in words(shown)
        assert ask.why not in words(shown)
        reply = post("/review", shown, answer=str(ask.truth), sure="fairly sure")
        said = follow(reply)
        assert "Right" in words(said)
        assert ask.why in words(said)
        sitting = re.search(r'href="(/review\?s=[^"]*)" autofocus', said)[1]
        shown = page("/review", {"s": sitting.partition("=")[2].replace("%3A", ":")}).body
        count += 1
    assert 2 <= count <= 6
    assert f"{count} asked, {count} right." in words(shown)
    assert len(Review(Journal()).answers) == count
    assert len(Journal()) == len(book)


def test_a_slip_is_named_and_who_was_certain_is_told(book):
    shown = page("/review", {}).body
    ask = asked(shown, book)
    code, slip = ask.slips[0]
    said = words(follow(post("/review", shown, answer=str(slip), sure="certain")))
    assert "Not so" in said
    assert f"So says who thinks {CODES[code]}." in said
    assert "You were certain" in said


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"answer": "", "sure": "certain"}, "Answer first"),
        ({"answer": "12"}, "how sure"),
        ({"answer": "<script>", "sure": "certain"}, "your"),
        ({}, "Answer first"),
    ],
)
def test_what_is_no_answer_is_told_and_nothing_is_kept(book, fields, fault):
    reply = post("/review", page("/review", {}).body, **fields)
    assert reply.status == 200
    assert fault in re.search(r'role="alert">([^<]*)<', reply.body)[1]
    assert "<script>" not in reply.body
    assert Review(Journal()).answers == []


def test_an_answer_that_is_sent_twice_counts_once(book):
    shown = page("/review", {}).body
    for _ in range(2):
        assert post("/review", shown, answer="1", sure="certain").status in (200, 303)
    assert len(Review(Journal()).answers) <= 1


def test_without_a_finished_lesson_a_review_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(tmp_path / "new.jsonl"))
    shown = words(page("/review", {}).body)
    assert "lessons that are finished, and there is none yet" in shown
    assert "%" not in shown


def sit(sitting, right):
    for number in range(len(ITEMS)):
        shown = page("/quiz", {"sitting": str(sitting)}).body
        assert f"Question {number + 1} of 12" in words(shown)
        held = Inventory(Journal())
        ask = held.ask(held.next(sitting), sitting)
        assert ask.why not in words(shown)
        answer = ask.truth if number < right else UNKNOWN
        reply = post("/quiz", shown, answer=answer, sure="fairly sure")
        assert reply.status == 303, words(reply.body)


def test_the_first_sitting_gives_no_verdict_and_the_second_shows_both(book):
    assert "no verdicts" in words(page("/quiz", {}).body)
    sit(1, 3)
    shown = words(page("/quiz", {}).body)
    assert "All 12 answers are kept" in shown
    assert not re.search(r"\d+ of 12|[Rr]ight|it is ", shown)
    sit(2, 9)
    shown = words(page("/quiz", {}).body)
    assert "Before: 3 of 12; blind guesses get 3, so this many may be luck." in shown
    assert "After: 9 of 12; blind guesses get 3." in shown
    for outcome, count in (("held", 3), ("gained", 6), ("open", 3)):
        assert len(re.findall(rf"\b{outcome}\b", shown)) == count


@pytest.mark.parametrize(("before", "after", "told"), [(12, 9, "Before"), (9, 12, "After")])
def test_how_sure_somebody_was_is_told_of_ten_answers_or_more(book, before, after, told):
    """Twelve times 60 % are 7.2, and twelve are right: more than twice the root of 2.88 apart."""
    sit(1, before)
    sit(2, after)
    shown = words(page("/quiz", {}).body)
    assert re.findall(r"(Before|After), you were ([^.]*)\.", shown) == [
        (told, "60% sure on average and right 100% of the time: better than you think")
    ]


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (dt.datetime(2026, 3, 30, 23, 30, tzinfo=dt.UTC), "23:30 UTC"),
        (dt.datetime(2026, 3, 31, 0, 10, tzinfo=dt.UTC), "tomorrow"),
        (dt.datetime(2026, 4, 1, 0, 10, tzinfo=dt.UTC), "01 April"),
    ],
)
def test_when_nothing_is_due_the_next_time_is_told(book, monkeypatch, due, said):
    now = dt.datetime(2026, 3, 30, 22, 0, tzinfo=dt.UTC)
    stopped = type("Stopped", (dt.datetime,), {"now": classmethod(lambda cls, zone: now)})
    monkeypatch.setattr("mlsysim.course.review.dt.datetime", stopped)
    monkeypatch.setattr(Review, "due", [])
    monkeypatch.setattr(Review, "next", lambda self, sitting: None)
    monkeypatch.setattr(Review, "next_due", due)
    assert f"Nothing more is due before {said}." in words(page("/review", {}).body)


def test_not_to_know_needs_no_confidence_and_anything_else_does(book):
    shown = page("/quiz", {}).body
    held = Inventory(Journal())
    truth = held.ask(ITEMS[0], 1).truth
    assert "how sure" in post("/quiz", shown, answer=truth).body
    assert post("/quiz", shown, answer=UNKNOWN).status == 303
    (kept,) = [json.loads(line) for line in Inventory(Journal()).lines.read()]
    assert (kept["code"], kept["confidence"]) == ("unknown", None)


def test_answers_on_a_disk_that_is_full_are_kept_and_told(book, monkeypatch):
    shown = page("/quiz", {}).body
    blocked = Inventory(Journal()).lines.path
    blocked.mkdir()
    reply = post("/quiz", shown, answer=UNKNOWN)
    again = words(follow(reply))
    assert "Question 2 of 12" in again
    assert "is a directory" in again
    Inventory(Journal()).lines.forget()


def request(origin):
    """The status of a form that is sent from a page of `origin`."""
    headers = [(b"host", b"127.0.0.1:2718"), (b"origin", origin)]
    scope = {"method": "POST", "headers": headers, "query_string": b"", "path": "/quiz"}

    async def receive():
        return {"body": b"answer=x&sitting=1", "more_body": False}

    return asyncio.run(server.answer(scope, receive, None)).status


def test_another_site_cannot_answer_for_a_learner(book):
    assert request(b"https://evil.example") == 403
    assert request(b"null") == 403
    assert request(b"http://127.0.0.1:2718") != 403
