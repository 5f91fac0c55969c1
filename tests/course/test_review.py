"""What is due when: by the journal's dates and an injected clock."""

from __future__ import annotations

import datetime as dt
import json
from itertools import pairwise

import pytest

from mlsysim.course import review
from mlsysim.course.cards import CARDS, Card
from mlsysim.course.inventory import Inventory, told
from mlsysim.course.journal import Journal
from mlsysim.course.quiz import ITEMS
from mlsysim.course.review import BOXES, LONG, MOST, Review, Reviewed, State, stamp

DAY, MINUTE, SECOND = (dt.timedelta(**{unit: 1}) for unit in ("days", "minutes", "seconds"))
START = dt.datetime(2028, 2, 28, 10, tzinfo=dt.UTC)  # a leap year
HIGHEST = len(BOXES) - 1


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """Four lessons of one question each; `finish` commits to one at a time."""
    made = [
        type("L", (), {"number": number, "questions": [f"{number:02}.1"]})
        for number in (0, 1, 3, 12)
    ]
    monkeypatch.setattr(review, "lessons", lambda: made)
    return tmp_path / "journal.jsonl"


def finish(path, *times):
    """A journal in which lessons 0, 1, 3 and 12 were finished at these times."""
    journal = Journal(path)
    for number, time in zip((0, 1, 3, 12), times, strict=False):
        journal.commit(f"{number:02}.1", 1.0)
        lines = path.read_text().splitlines()
        last = {**json.loads(lines[-1]), "time": stamp(time)}
        path.write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")
        journal = Journal(path)
    return journal


def apart(count):
    return [START + 2 * n * DAY for n in range(count)]


def given(right, time=START, sure=0.6, code=""):
    return Reviewed(
        card=CARDS[0].name,
        count=0,
        sitting=stamp(time),
        time=stamp(time),
        answer=1.0,
        truth=1.0,
        right=right,
        code=code,
        confidence=sure,
    )


def test_nothing_is_asked_of_who_finished_nothing(journal):
    held = Review(Journal(journal), START)
    assert (held.states, held.due, held.next_due) == ([], [], None)
    assert held.next(stamp(START)) is None


def test_a_card_comes_the_day_after_its_lesson_also_over_a_leap_day(journal):
    book = finish(journal, START)
    assert Review(book, START + DAY - dt.timedelta(minutes=1)).due == []
    held = Review(book, START + DAY)
    assert {each.card.lesson for each in held.due} == {0}
    assert held.due[0].due == dt.datetime(2028, 2, 29, 10, tzinfo=dt.UTC)


def test_lessons_of_one_afternoon_come_back_within_it(journal):
    book = finish(journal, START, START + dt.timedelta(hours=1))
    held = Review(book, START + dt.timedelta(minutes=11))
    assert {each.card.lesson for each in held.due} == {0}


def test_right_answers_wait_longer_each_time_and_a_wrong_one_comes_back_tomorrow():
    state, now, waits = State(CARDS[0], 2, START), START, []
    for _ in range(7):
        state = state.after(given(True, now), now)
        waits.append((state.due - now).days)
        now = state.due
    assert waits == [3, 7, 16, 35, 90, 90, 90]
    assert (state.after(given(False, now), now).due - now).days == 1


def test_in_one_afternoon_it_waits_for_minutes_first():
    state, now, waits = State(CARDS[0], 0, START), START, []
    for right in (False, True, False, True, True, False):
        state = state.after(given(right, now), now)
        waits.append(state.due - now)
        now = state.due
    minutes = [10, 40, 10, 40, 24 * 60, 24 * 60]
    assert waits == [dt.timedelta(minutes=wait) for wait in minutes]
    assert len(state.answers) == 6


@pytest.mark.parametrize(("sure", "box"), [(None, 4), (0.3, 4), (0.31, 5), (0.6, 5), (0.9, 5)])
def test_right_by_luck_stays_where_it_is(sure, box):
    assert State(CARDS[0], 4, START).after(given(True, sure=sure), START).box == box


@pytest.mark.parametrize(
    ("answers", "pressing"),
    [
        ([], False),
        ([given(False, sure=0.9)], True),
        ([given(False, sure=0.89)], False),
        ([given(False, sure=None)], False),
        ([given(True, sure=0.9)], False),
        ([given(False, sure=0.9), given(True, sure=0.9)], False),
        ([given(True, sure=0.3), given(False, sure=0.9)], True),
    ],
)
def test_what_was_certain_and_wrong_when_last_asked_is_pressing(answers, pressing):
    assert State(CARDS[0], 2, START, tuple(answers)).pressing == pressing


@pytest.mark.parametrize(("later", "wait"), [(DAY, DAY), (DAY - SECOND, 10 * MINUTE)])
def test_lessons_less_than_a_day_apart_are_of_one_afternoon(journal, later, wait):
    book = finish(journal, START, START + later)
    held = Review(book, START + 5 * DAY)
    first, last = ([each.due for each in held.states if each.card.lesson == n] for n in (0, 1))
    assert {*first} == {START + wait}
    assert {*last} == {START + later + wait}
    assert held.next_due == START + wait


def test_a_lesson_is_finished_with_the_last_of_its_questions(journal, monkeypatch):
    asks = {0: ["00.1", "00.2"], 1: ["01.1", "01.2"], 3: [], 12: ["12.1"]}
    made = [type("L", (), {"number": n, "questions": each}) for n, each in asks.items()]
    monkeypatch.setattr(review, "lessons", lambda: made)
    lines = {"00.1": START + DAY, "00.2": START, "01.1": START, "12.1": START + 2 * DAY}
    book = Journal(journal)
    for question in lines:
        book.commit(question, 1.0)
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    dated = [row | {"time": stamp(lines[row["question"]])} for row in rows]
    journal.write_text("".join(json.dumps(row) + "\n" for row in dated))
    assert review.finished_at(Journal(journal)) == {0: START + DAY, 12: START + 2 * DAY}


@pytest.mark.parametrize(
    ("truth", "answer", "off", "right"),
    [
        (4.0, 8.0, 2.0, True),  # within a factor of two, whatever the card allows
        (4.0, 1.9, 4 / 1.9, False),
        ("memory", "memory", None, True),
        ("memory", "compute", None, False),
        (4.0, "I do not know", None, False),
    ],
)
def test_calibration_judges_a_review_as_it_does_a_prediction(truth, answer, off, right):
    done = given(right if off is None else not right).replace(
        truth=truth, answer=answer, chance=0.5, confidence=0.3
    )
    found = done.judged
    assert (found.off, found.right) == (pytest.approx(off), right)
    assert (found.truth, found.sure, found.record.question) == (truth, 0.5, CARDS[0].name)


def test_a_card_asks_nothing_like_its_last_three_answers(journal, monkeypatch):
    held, told = Review(finish(journal, START), START + DAY), []
    ask = Card.ask
    monkeypatch.setattr(Card, "ask", lambda *args: told.append(args[2]) or ask(*args))
    answers = tuple(given(True).replace(truth=float(n)) for n in (1, 2, 3, 4))
    held.ask(State(CARDS[0], 2, START, answers))
    held.ask(State(CARDS[0], 2, START, answers[:1]))
    assert told == [[2.0, 3.0, 4.0], [1.0]]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2028-02-29T23:59:58Z", dt.datetime(2028, 2, 29, 23, 59, 58, tzinfo=dt.UTC)),
        ("2028-02-29", dt.datetime(2000, 1, 1, tzinfo=dt.UTC)),
        ("", dt.datetime(2000, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_time_that_cannot_be_read_is_long_ago(text, time):
    assert review.when(text) == time
    assert review.when(stamp(time)) == time


def test_a_sitting_tells_how_many_were_right_and_what_comes_again():
    wrong = [given(False).replace(card=card.name) for card in CARDS[1:3]]
    answers = [given(True), wrong[0], given(True), wrong[1], given(True)]
    assert review.held(answers) == (3, [CARDS[1].name, CARDS[2].name])


def test_the_same_slip_was_made_when_it_was_last_made_before():
    slips = [given(False, START + n * DAY, code=code) for n, code in enumerate("abaab")]
    assert review.seen_before(slips, slips[3]) == START + 2 * DAY
    assert review.seen_before(slips, slips[0]) is None
    nothing = [given(True, START + n * DAY) for n in range(2)]
    assert review.seen_before(nothing, nothing[1]) is None


def test_certain_and_wrong_is_asked_first(journal):
    book = finish(journal, *apart(2))
    now = START + 10 * DAY
    held = Review(book, now)
    last = held.due[-1]
    held.lines.append(
        json.dumps(given(False, now - 2 * DAY, 0.9).model_dump() | {"card": last.card.name})
    )
    again = Review(book, now)
    assert again.due[0].card.name == last.card.name
    assert again.due[0].pressing


def test_a_clock_that_was_set_back_does_not_put_a_card_off(journal):
    state = State(CARDS[0], 2, START).after(given(True, START + 400 * DAY), START)
    assert state.due == START + 3 * DAY


def test_a_sitting_asks_six_from_three_lessons_and_never_two_neighbours_of_one(journal):
    book = finish(journal, *apart(4))
    now = START + 30 * DAY
    sitting, lessons = stamp(now), []
    while (state := (held := Review(book, now)).next(sitting)) is not None:
        ask = held.ask(state)
        held.answer(state, str(ask.truth), "fairly sure", sitting)
        lessons.append(state.card.lesson)
    assert len(lessons) == MOST
    assert len(set(lessons)) >= 3
    assert all(one != other for one, other in pairwise(lessons))


def test_it_takes_from_three_lessons_even_when_one_alone_is_due(journal):
    book = finish(journal, *apart(3))
    now = START + 60 * DAY
    held = Review(book, now)
    for state in held.states:
        if state.card.lesson:
            done = {"card": state.card.name, "right": True}
            for back in (50, 46, 38, 20):
                line = given(True, now - back * DAY).model_dump() | done
                held.lines.append(json.dumps(line))
    assert {each.card.lesson for each in Review(book, now).due} == {0}
    sitting, lessons = stamp(now), set()
    while (state := (held := Review(book, now)).next(sitting)) is not None:
        held.answer(state, str(held.ask(state).truth), "certain", sitting)
        lessons.add(state.card.lesson)
    assert lessons == {0, 1, 3}


# cards of lessons 0, 0, 0, 1, 3, 3 and 5
TOKENS, ROOF, SHARE, RATIO, KEEPS, USERS, NARROW = CARDS[:7]


@pytest.mark.parametrize(
    ("before", "waits", "found"),
    [
        ([], {RATIO: -2, ROOF: -3}, ROOF),  # what waits longest
        ([], {RATIO: 2}, None),
        ([TOKENS], {ROOF: -3, SHARE: -2, RATIO: -1}, RATIO),  # of another lesson than the last
        ([KEEPS, TOKENS], {ROOF: -3, USERS: -2}, USERS),
        ([KEEPS, TOKENS], {ROOF: -3, USERS: -2, RATIO: -1}, RATIO),  # of the one asked least
        ([TOKENS], {SHARE: -3, ROOF: -2}, SHARE),  # there is no other
        ([TOKENS], {ROOF: -1, RATIO: 5, USERS: 2}, USERS),  # one that would be due soonest
        ([TOKENS], {RATIO: 5, USERS: 2}, USERS),  # up to three lessons
        ([TOKENS, RATIO], {USERS: 5}, USERS),
        ([TOKENS, RATIO, USERS], {NARROW: 5}, None),
        ([TOKENS, RATIO, USERS], {KEEPS: -1, NARROW: 5}, NARROW),
        ([TOKENS], {TOKENS: -1}, None),  # each once
    ],
)
def test_which_card_comes_next(journal, before, waits, found):
    held, sitting = Review(Journal(journal), START), stamp(START)
    held.states = [State(card, 2, START + days * DAY) for card, days in waits.items()]
    held.states += [State(card, 3, START + 9 * DAY) for card in before if card not in waits]
    held.answers = [given(True).replace(card=card.name) for card in before]
    held.answers.append(given(True, START - DAY).replace(card=RATIO.name))  # of another sitting
    state = held.next(sitting)
    assert (state and state.card) == found


def test_a_sitting_is_six_questions_or_two_minutes(journal):
    assert (MOST, LONG) == (6, 2 * MINUTE)
    held = Review(Journal(journal), START)
    held.states = [State(NARROW, 2, START)]
    held.answers = [given(True).replace(card=card.name) for card in CARDS[:5]]
    assert held.next(stamp(START)) is not None
    held.answers.append(given(True).replace(card=USERS.name))
    assert held.next(stamp(START)) is None


def test_it_stops_after_two_minutes(journal):
    book = finish(journal, *apart(3))
    now = START + 30 * DAY
    sitting = stamp(now)
    assert Review(book, now + LONG / 2).next(sitting) is not None
    assert Review(book, now + LONG).next(sitting) is None


def test_a_reload_asks_the_same_and_the_next_time_asks_another(journal):
    book = finish(journal, START)
    now = START + 2 * DAY
    held = Review(book, now)
    state = held.next(stamp(now))
    ask = held.ask(state)
    assert Review(book, now).ask(state) == ask
    done = held.answer(state, str(ask.truth), "certain", stamp(now))
    assert done.right
    later = Review(book, now + 10 * DAY)
    again = next(each for each in later.states if each.card == state.card)
    assert again.box == 3
    assert later.ask(again).text != ask.text


def test_a_slip_is_kept_by_its_name_and_known_again(journal):
    book = finish(journal, START)
    now = START + 2 * DAY
    held = Review(book, now)
    state = held.next(stamp(now))
    code, slip = held.ask(state).slips[0]
    done = held.answer(state, str(slip), "certain", stamp(now))
    assert (done.right, done.code) == (False, code)
    assert review.seen_before([done], done) is None
    later = done.replace(time=stamp(now + DAY))
    assert review.seen_before([done, later], later) == now
    again = done.replace(count=done.count + 1)  # in the same second
    assert review.seen_before([done, again], again) == now


def test_reviews_of_a_later_version_and_half_lines_cost_nothing(journal):
    book = finish(journal, START)
    held = Review(book, START + 2 * DAY)
    state = held.next(stamp(held.now))
    held.answer(state, str(held.ask(state).truth), "certain", stamp(held.now))
    line = held.lines.read()[0]
    unknown = json.dumps({**json.loads(line), "card": "of a later version"})
    more = json.dumps({**json.loads(line), "seconds": 12})
    held.lines.path.write_text(f"{unknown}\n{more}\nhalf a li")
    again = Review(book, START + 2 * DAY)
    assert [each.card for each in again.answers] == [state.card.name]
    assert len(book) == 1  # a review is no prediction


# ---- the inventory -------------------------------------------------------------------------------


def sit(book, sitting, right):
    """Answer every item, the first `right` of them rightly."""
    for number, item in enumerate(ITEMS):
        held = Inventory(book)
        ask = held.ask(held.next(sitting), sitting)
        answer = ask.truth if number < right else ask.slips[0][1]
        held.answer(item, sitting, answer, "certain")
    return Inventory(book)


def test_the_second_sitting_asks_the_other_variant_of_each_item(journal):
    held = sit(Journal(journal), 1, 12)
    assert held.next(1) is None
    for item in ITEMS:
        first = held.answers[1, item.name].variant
        assert held.answers[1, item.name].confidence == 0.9  # certain
        assert held.variant(item, 1) == first  # whoever looks back sees what was asked
        assert {first, held.variant(item, 2)} == {"a", "b"}
        assert held.ask(item, 1).text != held.ask(item, 2).text


def test_the_report_says_what_was_held_gained_lost_or_stays_open(journal):
    sit(Journal(journal), 1, 3)
    with pytest.raises(LookupError):
        Inventory(Journal(journal)).report()
    held = sit(Journal(journal), 2, 8)
    assert [row.outcome for row in held.report()] == ["held"] * 3 + ["gained"] * 5 + ["open"] * 4
    assert "3 of 12; blind guesses get 3, so this many may be luck" in told(held.of(1))
    assert told(held.of(2)) == "8 of 12; blind guesses get 3"


def test_the_first_answer_to_an_item_is_the_one_that_counts(journal):
    held = Inventory(Journal(journal))
    item = ITEMS[0]
    ask = held.ask(item, 1)
    held.answer(item, 1, ask.slips[0][1], "certain")
    assert not held.answer(item, 1, ask.truth, "certain").right
    assert len(Inventory(Journal(journal)).of(1)) == 1
