"""Name that wall: cards that a reader can tell apart, and a round against the clock."""

import random

import pytest

from mlsysim.course.journal import Journal
from mlsysim.course.symptoms import CARDS, SECONDS, SYMPTOMS, deal
from mlsysim.learn import lesson
from mlsysim.learn.naming import Round
from mlsysim.walls import wall


@pytest.mark.parametrize("make", SYMPTOMS, ids=lambda make: make.__name__)
def test_a_card_tells_what_is_seen_and_never_the_name(make):
    texts = {make(random.Random(seed)).text for seed in range(20)}
    assert len(texts) > 1  # new numbers
    for seed in range(5):
        card = make(random.Random(seed))
        names = {card.wall, *card.others}
        assert len(names) == 4
        assert all(wall(name) for name in names)
        assert card.wall.casefold() not in card.text.casefold()
        assert card.text.endswith((".", "!"))


def test_each_wall_has_one_card_and_a_round_asks_as_many_walls_as_it_has_cards():
    walls = [make(random.Random(1)).wall for make in SYMPTOMS]
    assert len(set(walls)) == len(walls) >= 15
    dealt = deal("seed")
    assert len({turn.card.wall for turn in dealt}) == CARDS
    assert all(
        sorted(turn.options) == sorted((turn.card.wall, *turn.card.others)) for turn in dealt
    )
    assert dealt == deal("seed") != deal("another")


def test_users_that_fill_a_memory_are_counted_as_a_hand_does():
    """A100: 85.9 GB with a tenth kept free; Llama 2 7B 13.48 GB; 4,096 tokens take 2.147 GB."""
    made = next(make for make in SYMPTOMS if make.__name__ == "crowd")
    cards = (made(random.Random(seed)).text for seed in range(40))
    text = next(each for each in cards if "A100" in each and "4,096" in each)
    room = (0.9 * 85.9 - 13.48) / 2.147
    assert text.startswith(f"{int(room)} users")


class Clock:
    """A clock that stands until it is moved."""

    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def played(tmp_path):
    this = lesson.open("12_full_stack_audit", Journal(tmp_path / "journal.jsonl"))
    clock = Clock()
    return Round(this.ask(6, "?", unit="days"), seed="7", now=clock), clock


def test_a_round_shows_nothing_before_the_last_question_is_answered(played):
    round_, _ = played
    assert "Name that wall" not in round_._repr_html_()
    round_.after.journal.commit("12.6", 5.0, "days", 0.5)
    assert "Name that wall" in round_._repr_html_()


def test_a_card_holds_no_answer_and_the_next_tells_why(played):
    round_, clock = played
    round_.start()
    first = round_.turns[0].card
    assert first.why not in round_.page().text
    round_.name(first.others[0])
    clock.time = 12.0
    assert first.why in round_.page().text
    assert "108 seconds left" in round_.page().text


def test_the_end_counts_what_was_named_in_time(played):
    round_, clock = played
    round_.start()
    for turn in round_.turns[:3]:
        round_.name(turn.card.wall)
    clock.time = SECONDS + 1
    round_.name(round_.turns[3].card.wall)  # too late
    assert round_.over
    text = round_.page().text
    assert f"<b>3 of {CARDS}</b> named in 120 seconds; then the time was up" in text
    round_.start()
    assert not round_.over
