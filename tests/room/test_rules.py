"""The rules of a room without a server: where it stands, what is counted, what comes in."""

from __future__ import annotations

import asyncio
import math
import re

import pytest
from starlette.requests import HTTPConnection

from mlsysim import charts
from mlsysim.core.errors import MLSysError
from mlsysim.course.lessons import Prediction
from mlsysim.course.paths import find_path
from mlsysim.learn import Journal
from mlsysim.learn.predict import Question
from mlsysim.learn.room import limits, truths, views
from mlsysim.learn.room.keys import Keys
from mlsysim.learn.room.limits import MOST_BYTES, Bucket
from mlsysim.learn.room.room import Act, Room, Standing, Vote
from mlsysim.learn.room.truths import Truth

NUMBER = Prediction(text="How many?", unit="ms")
CHOICE = Prediction(text="Which?", options=("a", "b"))
SCRIPT = [  # what the speaker does, when, and where the room is then: question, phase, shown, until
    (("ask", "00.1", 100, {}), ("00.1", "ask", False, 0)),
    (("votes", "00.1", 110, {}), ("00.1", "votes", True, 0)),
    (("discuss", "00.1", 120, {"seconds": 90}), ("00.1", "discuss", True, 210)),
    (("again", "00.1", 130, {}), ("00.1", "again", False, 0)),
    (("discuss", "00.1", 140, {"seconds": 30}), ("00.1", "discuss", False, 170)),
    (("again", "00.1", 150, {}), ("00.1", "again", False, 0)),
    (("hands", "00.2", 160, {"round": 2, "counts": {"7": 3}}), ("00.1", "again", False, 0)),
    (("reveal", "00.1", 170, {}), ("00.1", "reveal", True, 0)),
    (("reveal", "00.1", 180, {}), ("00.1", "reveal", True, 0)),
    (("discuss", "00.2", 190, {"seconds": 5}), ("00.2", "discuss", False, 195)),
    (("votes", "00.2", 200, {"seconds": 9}), ("00.2", "votes", True, 0)),
    (("start", "00.3", 300, {}), ("00.2", "votes", True, 0)),
]


def test_where_a_room_stands_follows_from_what_its_speaker_did():
    now, started = Standing("00.1"), []
    assert (now.phase, now.shown, now.until, now.started) == ("ask", False, 0, 0)
    for (do, question, time, more), there in SCRIPT:
        now.after(Act.build({"id": "x", "do": do, "question": question, "time": time, **more}))
        assert (now.question, now.phase, now.shown, now.until) == there
        started.append(now.started)
    assert started == [100] * 11 + [300]  # with the first act, unless it is started anew
    assert (now.released, now.again) == (["00.1"], ["00.1"])
    assert now.hands == {"00.2": {2: {"7": 3}}}


def test_a_room_that_is_elsewhere_shows_that_it_asks_nothing(tmp_path):
    room = Room(tmp_path / "monday", find_path("D"))
    first = room.lessons[0]
    assert views.learner(room) == {
        "question": "00.1", "stem": first.stem, "title": f"{first.number} · {first.title}",
        "released": [], "again": [],
    }  # fmt: skip
    room.act("again", "00.1")
    assert views.learner(room)["again"] == ["00.1"]
    room.act("reveal", "00.1")
    assert views.learner(room)["again"] == []  # it is open now
    room.sit("ada")
    room.act("ask", "99.9")
    assert views.board(room) == {"question": "", "seats": 1}
    told = views.learner(room)
    assert (told["question"], told["stem"], told["title"]) == ("99.9", "", "")
    assert (room.next("00.2"), room.next("99.9")) == (room.agenda[2], "")


def test_the_wall_shows_what_is_asked_and_how_many_have_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(views, "truth", lambda stem, question: None)
    room = Room(tmp_path / "monday", find_path("D"))
    first, shown = room.lessons[0], views.board(room)
    assert not re.search(r"[*`]", shown.pop("text"))
    assert shown == {
        "question": "00.1", "unit": "tokens/s", "options": [], "order": [],
        "lesson": f"Lesson 0 · {first.title}", "seats": 0, "counts": [0, 0], "again": False,
        "phase": "ask", "shown": False, "left": 0, "next": "00.2", "suggest": False,
    }  # fmt: skip
    choices = [q for q in first.questions if first.predictions[q].options]
    room.act("ask", choices[0])
    held = views.board(room)
    assert (held["unit"], tuple(held["options"])) == ("", first.predictions[choices[0]].options)


def truth(value, **asked):
    return Truth(Question("00.1", "How?", journal=Journal("/nowhere/j.jsonl"), **asked), value)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (100, True),
        (99.9, False),
        (400, True),
        (401, False),
        (-200, False),
        (0, False),
        ("a", False),
    ],
)
def test_a_number_is_right_within_a_factor_of_two(said, right):
    assert truth(200.0, unit="ms").agrees(said) == right
    assert truth(200.0, unit="ms").words == "200 ms"


@pytest.mark.parametrize(
    ("value", "first", "second", "nearer"),
    [
        (200.0, 50, 500, True),  # four times, and two and a half
        (200.0, 500, 50, False),
        (200.0, 100, 400, False),  # both twice
        (200.0, -10, 0.01, True),  # a factor, however large, before none
        (0.0, 5, 3, True),
        (0.0, 3, -5, False),
        (0.0, 0.5, 0, True),
        (200.0, "x", 150, True),  # what an older lesson took for an answer
        (200.0, 150, "x", False),
        ("a", "b", "a", True),
        ("a", "a", "a", False),
        ("a", "a", "b", False),
    ],
)
def test_a_second_answer_is_nearer_by_its_factor_or_by_being_right(value, first, second, nearer):
    assert truth(value).nearer(first, second) == nearer


def test_answers_are_counted_by_phone_and_by_hand_in_their_order():
    votes = [Vote("s", 30.0, None), Vote("t", 4.0, 0.9), Vote("u", 30.0, 0.3), Vote("v", "a", 0.9)]
    assert views.tally(votes, {"4": 5, "100": 2}, NUMBER) == [(4.0, 6), (30.0, 2), (100.0, 2)]
    assert views.tally(votes, {"b": 2}, CHOICE) == [("a", 1), ("b", 2)]


def test_the_middle_of_a_room_is_that_of_its_last_numbers_above_zero(tmp_path):
    """The root of 2 and 32 is 8, and of 5, 5 and 7 times 7 it is 5.9 in two digits."""
    room = Room(tmp_path / "monday", find_path("D"))
    assert views.middle(room, "00.1") is None
    rounds: dict = {False: [2.0, 32.0, 0.0, -5.0, "a"], True: []}
    room.votes = lambda question, again=False: [Vote("s", v, None) for v in rounds[again]]
    assert views.middle(room, "00.1") == 8
    rounds[True] = [5.0, 5.0, 7.0, 7.0]
    assert views.middle(room, "00.1") == 5.9


def test_a_bucket_is_never_fuller_than_it_was_and_forgets_who_was_long_not_seen(monkeypatch):
    now = [0.0]
    bucket = Bucket(2, 0.5, lambda: now[0])
    assert bucket.take("a")
    now[0] = 1000.0
    assert [bucket.take("a") for _ in range(3)] == [True, True, False]
    now[0] = 1001.9  # not quite one yet: half of one, and the rest
    assert not bucket.take("a")
    monkeypatch.setattr(limits, "_MOST_KEYS", 2)
    small = Bucket(1, 0, lambda: 0.0)
    asked = ["a", "b", "a", "c", "a", "b"]  # c drives out b, which was seen before a
    assert [small.take(key) for key in asked] == [True, True, False, True, False, True]


def sent(wrap, messages):
    """What comes through a wrapped `receive`."""
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    async def all_of():
        through = wrap(receive)
        return [await through() for _ in messages]

    return asyncio.run(all_of())


def test_a_request_of_64_kib_is_read_and_one_byte_more_ends_it():
    half = {"type": "http.request", "body": b"x" * (MOST_BYTES // 2)}
    assert MOST_BYTES == 65536
    last = {"type": "http.request", "body": b"x"}
    assert sent(limits.bounded, [half, half, {"type": "x"}]) == [half, half, {"type": "x"}]
    assert sent(limits.bounded, [half, half, last]) == [half, half, {"type": "http.disconnect"}]


def test_the_head_of_a_reply_gets_its_policy_and_its_body_is_left_alone():
    head = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    got = []

    async def send(message):
        got.append(message)

    async def both():
        through = limits.guarded(send, "default-src 'none'")
        await through(head)
        await through({"type": "http.response.body", "body": b"x"})

    asyncio.run(both())
    assert got[0]["headers"] == [
        (b"a", b"b"), (b"content-security-policy", b"default-src 'none'"),
        (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"),
    ]  # fmt: skip
    assert (got[0]["status"], got[1]) == (200, {"type": "http.response.body", "body": b"x"})


@pytest.mark.parametrize(
    ("origin", "same"),
    [(None, True), ("http://here", True), ("https://here", True), ("http://there", False),
     ("null", False), ("ftp://here", False)],
)  # fmt: skip
def test_a_page_of_another_site_is_known_by_its_origin(origin, same):
    headers = [(b"host", b"here")] + ([(b"origin", origin.encode())] if origin else [])
    here = HTTPConnection({"type": "http", "headers": headers})
    assert limits.same_origin(here) == same


def test_keys_are_made_of_the_secret_and_are_read_as_people_type_them(tmp_path):
    keys = Keys(tmp_path)
    assert re.fullmatch(r"[a-z]+-[1-9]\d", keys.code)
    assert re.fullmatch(r"[0-9a-f]{32}", keys.board)
    words = keys.words("ada")
    assert len(words.split("-")) == 4
    assert words != keys.words("bob")
    for typed in (words, words.upper(), words.replace("-", "  "), f" {words} "):
        assert keys.matches("ada", typed)
        assert not keys.matches("bob", typed)
    assert keys.is_speaker(keys.board)
    assert not keys.is_speaker(keys.board.upper() + "x")
    assert keys.opens(f" {keys.code.upper()}\n")
    signed = keys.sign("ada")
    assert (keys.read(signed), keys.read(signed, "board"), keys.read("x")) == ("ada", "", "")
    (tmp_path / "secret").write_text("0" * 63)
    with pytest.raises(MLSysError, match="secret holds no whole secret: remove it, and the room"):
        Keys(tmp_path)
    (tmp_path / "secret").write_text("0" * 64)
    assert Keys(tmp_path, "Tensor").opens("tensor")


def test_a_picture_is_of_what_the_room_said_or_else_of_the_truth(monkeypatch):
    drawn = []

    def chart(guess):
        drawn.append(guess)
        return charts.ranked({"a": 1}, x="Step (ms)")

    number, order = truth(200.0, unit="ms"), truth("b, a", order=["a", "b"])
    choice = truth("a, or b", options=["a, or b", "c"])
    for told, guess, shown in (
        (number, None, 200.0),
        (number, 5.0, 5.0),
        (order, None, ["b", "a"]),
        (choice, None, "a, or b"),
    ):
        told.question.reveal(told.value, chart=chart)
        monkeypatch.setattr(truths, "truth", lambda stem, question, told=told: told)
        truths.picture.cache_clear()
        assert truths.picture("00", "00.1", guess, dark=False).startswith("<svg ")
        assert drawn.pop() == shown
    number.question.reveal(200.0)
    truths.picture.cache_clear()
    monkeypatch.setattr(truths, "truth", lambda stem, question: number)
    assert truths.picture("00", "00.1", None, dark=False) == ""
    truths.picture.cache_clear()


@pytest.mark.parametrize("value", [math.inf, 0.0])
def test_what_has_no_factor_agrees_with_itself_alone(value):
    assert truth(value).agrees(value)
    assert not truth(value).agrees(5.0)
