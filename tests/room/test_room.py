"""What a room keeps: seats, votes, what the speaker did; and what is left when an index is lost."""

from __future__ import annotations

import json
import re
import threading

import pytest

from mlsysim import Q_
from mlsysim.core.errors import InvalidEntry, MLSysError
from mlsysim.course.journal import Journal, seated
from mlsysim.course.lessons import find_lesson
from mlsysim.course.paths import find_path
from mlsysim.learn.predict import Question
from mlsysim.learn.room import room as rooms
from mlsysim.learn.room import views
from mlsysim.learn.room.room import SPEAKER, Room

QUESTION = "00.1"


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path / "monday", find_path("D"))


@pytest.fixture
def at():
    """Sit down somewhere: what runs then runs at that seat."""
    yield lambda seat: seated(lambda: seat)
    seated()


def say(at, seat, value, question=QUESTION, sure=0.6):
    """Commit to a value from a seat."""
    at(seat)
    return Journal().commit(question, value, "tokens/s", sure)


def everything(room):
    """All that a class must never lose."""
    now = room.standing
    votes = {q: [room.votes(q), room.votes(q, again=True)] for q in room.agenda}
    seats = [(each.id, each.name) for each in room.seats()]
    return seats, votes, (now.question, now.phase, now.released, now.again, now.hands)


def test_a_path_asks_its_questions_in_order_without_those_that_it_skips(room):
    asked = [q for n in ("00", "01", "09", "06") for q in find_lesson(n).questions]
    last = [q for q in room.lessons[-1].questions if int(q[3:]) not in (2, 3, 4, 5, 6)]
    assert room.agenda == asked + last
    assert room.next("00.1") == "00.2"
    assert room.next("06.7") == "12.1"
    assert room.next(room.agenda[-1]) == ""
    assert room.next("12.2") == ""  # it is skipped


def test_a_commitment_is_a_vote_and_stays_in_the_learners_own_journal(room, at):
    ada, bob = room.sit("ada"), room.sit("bob")
    say(at, ada, 30.0)
    say(at, ada, 90.0)  # too late: the first one stands
    say(at, bob, 500.0)
    say(at, room.seat(SPEAKER), 1.0)
    assert [(v.seat, v.value) for v in room.votes(QUESTION)] == [(ada.id, 30.0), (bob.id, 500.0)]
    assert [row.value for row in Journal(ada.journal)] == [30.0]
    assert room.count(QUESTION) == 2


def test_what_is_said_after_the_release_is_no_vote(room, at):
    ada, bob = room.sit("ada"), room.sit("bob")
    say(at, ada, 30.0)
    room.act("reveal", QUESTION)
    say(at, bob, 219.0)
    assert len(room.votes(QUESTION)) == 1
    assert bob.released(QUESTION)
    assert len(Journal(bob.journal)) == 1


def test_everything_is_there_again_when_the_index_is_lost(room, at):
    for n, name in enumerate(["ada", "bob", "cy"]):
        say(at, room.sit(name), 10.0 + n)
    room.act("votes", QUESTION)
    room.act("hands", QUESTION, counts={"40": 7})
    room.act("again", QUESTION)
    say(at, room.seats()[0], 77.0, QUESTION + "/2")
    room.act("reveal", QUESTION)
    room.act("ask", "00.2")
    before = everything(room)
    assert before[2][2] == [QUESTION]
    for part in room.folder.glob("index.sqlite*"):
        part.unlink()
    assert everything(Room(room.folder, room.path)) == before


def test_a_commitment_that_the_index_missed_is_counted_at_the_next_start(room, at):
    ada = room.sit("ada")
    Journal(ada.journal).commit(QUESTION, 30.0)  # written, and then the power went
    assert room.count(QUESTION) == 0
    assert Room(room.folder, room.path).count(QUESTION) == 1


def test_two_servers_of_a_room_see_each_other(room, at):
    other = Room(room.folder, room.path)
    ada = room.sit("ada")
    assert other.seat(ada.id).name == "ada"
    say(at, ada, 30.0)
    assert other.count(QUESTION) == 1
    other.act("reveal", QUESTION)
    assert ada.released(QUESTION)


def test_many_sit_down_at_once_and_none_too_many(room, monkeypatch):
    monkeypatch.setattr(rooms, "MOST_SEATS", 10)
    other, refused = Room(room.folder, room.path), []

    def enter(where):
        try:
            where.sit("somebody")
        except MLSysError:
            refused.append(where)

    crowd = [threading.Thread(target=enter, args=[each]) for each in [room, other] * 10]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert (len(room.seats()), len(refused)) == (10, 10)


def test_an_act_that_makes_no_sense_is_refused_and_not_written(room):
    with pytest.raises(InvalidEntry):
        room.act("dance", QUESTION)
    assert room.standing.phase == "ask"
    assert not (room.folder / "acts.jsonl").exists()


def test_outside_its_agenda_nothing_waits(room):
    ada = room.sit("ada")
    assert not ada.released("00.1")
    assert ada.released("12.2")  # skipped
    assert ada.released("02.1")  # of a lesson that is not on the path
    assert ada.skips("12.2")
    assert not ada.skips("02.1")


# ---- a lesson's questions in a class -------------------------------------------------------------


@pytest.fixture
def ask(room, at):
    """Two questions, one after the other, as a learner's notebook has them."""
    ada = room.sit("ada")
    at(ada)
    journal = Journal()

    def both(**more):
        first = Question(QUESTION, "How many?", unit="tokens/s", journal=journal, **more)
        first.reveal(Q_(219.0, "tokens/s"), why="Bytes.", then="All of it.")
        second = Question("00.2", "And then?", options=["a", "b"], journal=journal, after=first)
        return first, second

    return both


def sent(value):
    return {"value": value, "confidence": "certain"}


def test_an_answer_is_held_until_the_speaker_opens_it(room, ask):
    first, second = ask()
    first._update(sent("30"))
    shown = first._mime_()[1]
    assert "opens for everybody at the same moment" in shown
    assert re.search(r"<mlsysim-ask[^<>]*>\s*<", shown)  # it can still hear
    assert shown.endswith("</mlsysim-ask></marimo-ui-element>")
    assert "219" not in shown
    assert "All of it" not in shown
    assert (first.committed, first.done, second.open) == (True, False, False)
    room.act("reveal", QUESTION)
    first._update({"room": 1})
    assert "219" in first._mime_()[1]
    assert (first.done, second.open, ask()[1].open) == (True, True, True)


def test_a_second_answer_is_kept_beside_the_first_while_it_is_asked_for(room, ask):
    first, _ = ask(why=["one cause", "another"])
    first._update({**sent("30"), "cause": "another"})
    first._update(sent("100"))
    assert "/2" not in str(first.journal.records())
    room.act("again", QUESTION)
    first._update(sent("x"))
    assert "plain number" in first._sent
    first._update(sent("100 tokens/s"))  # the cause is not asked for again
    first._update(sent("200"))
    kept = {row.question: row.value for row in first.journal}
    assert kept == {"00.1.why": "another", "00.1": 30.0, "00.1/2": 100.0}
    assert "After talking: <strong>100 tokens/s</strong>" in first._mime_()[1]
    assert first.commitment.value == 30.0


def test_no_second_answer_is_taken_from_whoever_gave_no_first_or_came_too_late(room, ask):
    first, _ = ask()
    room.act("again", QUESTION)
    first._update(sent("30"))  # the first one
    assert [row.question for row in first.journal] == [QUESTION]
    room.act("reveal", QUESTION)
    first._update(sent("219"))
    assert [row.question for row in first.journal] == [QUESTION]


def test_a_page_learns_what_was_committed_on_another_device(ask):
    laptop, phone = ask()[0], Question(QUESTION, "How many?", unit="tokens/s", journal=Journal())
    phone._update(sent("30"))
    assert not laptop.committed
    laptop._update({"room": 1})
    assert laptop.commitment.value == 30.0


@pytest.mark.parametrize("most", [2000, 0])
def test_a_chart_is_drawn_once_for_all_who_answered_alike(room, at, monkeypatch, most):
    """As far as there is room for so many."""
    monkeypatch.setattr("mlsysim.learn.predict._MOST_CHARTS", most)
    monkeypatch.setattr("mlsysim.learn.predict._charts", {})
    drawn = []

    def chart(guess):
        drawn.append(guess)
        return f"chart for {guess}"

    for name, value in (("ada", "30"), ("bob", "30"), ("cy", "40")):
        at(room.sit(name))
        asked = Question("00.3", "How many?", unit="x", journal=Journal())
        asked.reveal(219.0, chart=chart)
        asked._update(sent(value))
        room.act("reveal", "00.3")
        assert f"chart for {float(value)}" in asked._mime_()[1]
    assert [*dict.fromkeys(drawn)] == [30.0, 40.0]
    assert (len(drawn) > 2) == (most == 0)


# ---- what is shown -------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch):
    """A truth without running a lesson: 200 tokens/s to the first question."""
    made = Question(QUESTION, "How many?", unit="tokens/s", journal=Journal("/nowhere/j.jsonl"))
    held = views.Truth(made, 200.0)
    monkeypatch.setattr(views, "truth", lambda _, question: held if question == QUESTION else None)


def test_before_the_speaker_shows_votes_there_is_only_their_count(room, at, told):
    say(at, room.sit("ada"), 123456.0)
    shown = json.dumps(views.board(room))
    assert views.board(room)["counts"] == [1, 0]
    for secret in ("123456", "200", "truth", "ada"):
        assert secret not in shown
    assert "123456" not in json.dumps(views.learner(room))
    room.act("votes", QUESTION)
    assert views.board(room)["rounds"] == [[(123456.0, 1)], []]
    assert "truth" not in views.board(room)
    room.act("reveal", QUESTION)
    assert views.board(room)["truth"] == 200.0
    assert views.learner(room)["released"] == [QUESTION]


def test_hands_count_as_phones_do(room, at, told):
    say(at, room.sit("ada"), 200.0)
    room.act("hands", QUESTION, counts={"200": 2, "1000": 3})
    room.act("votes", QUESTION)
    assert views.board(room)["rounds"][0] == [(200.0, 3), (1000.0, 3)]
    assert views.speaker(room)["right"] == [0.5, None]


@pytest.mark.parametrize(
    ("right", "wrong", "worth"), [(3, 7, False), (4, 7, True), (7, 3, True), (8, 3, False)]
)
def test_a_discussion_is_suggested_between_35_and_70_percent(room, told, right, wrong, worth):
    room.act("hands", QUESTION, counts={"150": right, "5000": wrong})
    assert views.board(room)["suggest"] == worth


def test_from_first_to_second_answer_the_room_sees_who_came_nearer(room, at, told):
    seats = [room.sit(name) for name in "abcd"]
    for seat, first in zip(seats, (10.0, 1000.0, 190.0, 5.0), strict=True):
        say(at, seat, first, sure=0.9)
    room.act("again", QUESTION)
    for seat, second in zip(seats, (100.0, 500.0, 150.0), strict=False):
        say(at, seat, second, QUESTION + "/2")
    room.act("reveal", QUESTION)
    shown = views.speaker(room)
    assert shown["pairs"] == [(10.0, 100.0), (1000.0, 500.0), (190.0, 150.0)]
    assert shown["moved"] == pytest.approx(2 / 3)
    assert shown["right"] == [0.25, pytest.approx(2 / 3)]  # within a factor of two
    assert shown["certain_and_wrong"] == views.board(room)["certain_and_wrong"] == 3


def test_discussing_has_an_end_and_votes_stay_on_the_wall_meanwhile(room, told):
    room.act("votes", QUESTION)
    room.act("discuss", QUESTION, seconds=120)
    shown = views.board(room)
    assert 0 < shown["left"] <= 120
    assert shown["shown"]
    room.act("again", QUESTION)
    assert not views.board(room)["shown"]
