"""Cards and items: every truth is computed, every slip lies apart from it and has a name."""

from __future__ import annotations

import hashlib
import json
import random
import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from mlsysim.core.errors import BadArgument
from mlsysim.course import cards, quiz
from mlsysim.course.cards import CARDS
from mlsysim.course.concepts import CODES, UNKNOWN, Ask, ladder, two
from mlsysim.course.journal import off_by
from mlsysim.course.paths import plan
from mlsysim.course.quiz import ITEMS
from mlsysim.course.symptoms import SYMPTOMS

SEEDS = range(40)
each_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
each_item = pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)


def well_formed(ask: Ask) -> None:
    assert not re.search(r"[{}]|nan|inf\b|  ", ask.text + ask.why)
    assert {code for code, _ in ask.slips} <= set(CODES)
    assert ask.right(ask.truth)
    assert ask.code(ask.truth) == ""
    for code, slip in ask.slips:
        assert not ask.right(slip), (code, ask.text)
        assert ask.code(slip) == code
    if ask.options:
        assert ask.truth in ask.options
        assert len(set(ask.options)) == len(ask.options)
        assert {option for _, option in ask.slips} <= set(ask.options) - {ask.truth}


@each_card
def test_whatever_a_card_draws_its_slips_are_named_and_never_right(card):
    for seed in SEEDS:
        ask = card.ask(str(seed))
        well_formed(ask)
        if not isinstance(ask.truth, str):
            numbers = [ask.truth, *(slip for _, slip in ask.slips)]
            for at, one in enumerate(numbers):
                assert all(off_by(one, other) > 1.1 for other in numbers[:at])


@each_card
def test_a_seed_asks_the_same_again_and_others_ask_otherwise(card):
    asked = [card.ask(str(seed)) for seed in SEEDS]
    assert asked[:3] == [card.ask(str(seed)) for seed in SEEDS[:3]]
    assert len({ask.text for ask in asked}) >= 8
    assert len({ask.truth for ask in asked}) >= 2


# what forty seeds ask, in words: whoever lets a card draw otherwise or words it anew reads it again
ASKED = dict(
    line.split() for line in (Path(__file__).parent / "asked.txt").read_text("utf-8").splitlines()
)


def shown(ask: Ask) -> list[str]:
    """What is read before an answer is given."""
    return [ask.text, ask.unit, *ask.options, *["in any order"] * ask.shuffled]


def asks() -> dict[str, list[list[str]]]:
    """All that is asked of whoever has no answer yet, by the name of what asks."""
    drawn = {card.name: [shown(card.ask(str(seed))) for seed in SEEDS] for card in CARDS}
    items = {item.name: [shown(item.ask(variant)) for variant in "ab"] for item in ITEMS}
    dice = {make: [make(random.Random(seed)) for seed in SEEDS] for make in SYMPTOMS}
    walls = {m.__name__: [[c.text, c.wall, *c.others] for c in cards] for m, cards in dice.items()}
    return drawn | items | walls


@pytest.fixture(scope="module")
def asked() -> dict[str, list[list[str]]]:
    """What is asked today."""
    return asks()


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_is_what_was_read_when_its_line_was_written(name, asked):
    assert ASKED.keys() == asked.keys()
    told = json.dumps(asked[name], ensure_ascii=False)
    assert hashlib.sha256(told.encode()).hexdigest()[:12] == ASKED[name], told


@each_card
def test_the_next_question_has_another_answer_than_the_last(card):
    for seed in SEEDS:
        last = card.ask(str(seed)).truth
        ask = card.ask(f"next {seed}", [last])
        apart = ask.truth != last if isinstance(last, str) else off_by(ask.truth, last) > 1.2
        assert apart, ask.text


def drawing(*asks):
    """A card that draws these, the last again and again; None is what cannot be asked."""
    left = list(asks)

    def make(_):
        drawn = left.pop(0) if len(left) > 1 else left[0]
        if drawn is None:
            raise ValueError
        return drawn

    return cards.Card("x", 0, make)


def number(truth, *slips, within=1.1):
    return Ask("?", truth, [("middle", slip) for slip in slips], "", within=within)


@pytest.mark.parametrize(
    ("fair", "unfair"),
    [
        (number(1.0, 1.16), number(1.0, 1.15)),  # a slip beside the truth
        (number(1.0, 1.6, within=1.5), number(1.0, 1.5, within=1.5)),  # in what counts as right
        (number(1.0, 2.0, 2.32), number(1.0, 2.0, 2.3)),  # beside another
        (number(1.0, 2.0), None),
    ],
)
def test_fifty_draws_may_be_unfair_and_no_more(fair, unfair):
    assert drawing(*49 * [unfair], fair).ask("seed") == fair
    with pytest.raises(LookupError, match="fair"):
        drawing(*50 * [unfair], fair).ask("seed")


@pytest.mark.parametrize(
    ("recent", "drawn", "found"),
    [
        ([], [1.0, 3.0], 1.0),
        ([1.0], [1.2, 1.25], 1.25),  # a fifth more is nothing new
        ([1.0, 3.0], [2.8, 1.1, 2.0], 2.0),
        ([1.0], [1.1, 1.15], 1.1),  # the first, where nothing new can be had
        (["compute"], [1.0, 3.0], 1.0),
    ],
)
def test_the_first_draw_unlike_the_last_answers_is_asked(recent, drawn, found):
    assert drawing(*map(number, drawn)).ask("seed", recent).truth == found


# ---- the inventory -------------------------------------------------------------------------------


@each_item
def test_both_variants_of_an_item_ask_the_same_idea_with_other_numbers(item):
    a, b = item.ask("a"), item.ask("b")
    assert a.text != b.text
    assert sorted(code for code, _ in a.slips) == sorted(code for code, _ in b.slips)
    for ask in (a, b):
        well_formed(ask)
        assert len(ask.options) == 4
        assert len(ask.slips) == 3
        assert ask.chance == 0.25
        assert ask.code(UNKNOWN) == "unknown"
        assert not ask.right(UNKNOWN)
    assert item.lesson in plan()


@each_item
def test_no_item_says_the_answer_of_another(item):
    for variant in "ab":
        for other in ITEMS[ITEMS.index(item) + 1 :]:
            assert other.ask(variant).truth not in item.ask(variant).text


class TestLadder:
    """Truth and slips from computed values."""

    RUNGS = [("about 1", 1, ""), ("about 4", 4, "middle"), ("64", 64, "no-sharing")]

    def test_the_nearest_rung_is_the_truth_and_the_others_are_slips(self):
        found = ladder([1.01, 1.02], self.RUNGS)
        assert found["truth"] == "about 1"
        assert found["slips"] == [("middle", "about 4"), ("no-sharing", "64")]

    def test_a_truth_that_hangs_on_the_efficiency_is_refused(self):
        with pytest.raises(ValueError, match="hangs on an assumption"):
            ladder([1.1, 7.0], self.RUNGS)

    def test_a_truth_between_two_rungs_is_refused(self):
        with pytest.raises(ValueError, match="too near"):
            ladder([2.0], [("2", 2, ""), ("2.4", 2.4, "middle")])

    @pytest.mark.parametrize(("next_one", "kept"), [(2.6, True), (2.59, False)])
    def test_the_next_rung_is_a_factor_of_1_3_away(self, next_one, kept):
        with nullcontext() if kept else pytest.raises(ValueError, match="too near"):
            ladder([2.0], [("a", 2, ""), ("b", next_one, "middle"), ("c", 40, "reversed")])

    def test_a_rung_without_a_name_is_a_slip_to_the_middle_where_it_is_not_the_truth(self):
        found = ladder([60.0], self.RUNGS)
        assert (found["truth"], found["options"]) == ("64", ("about 1", "about 4", "64"))
        assert found["slips"] == [("middle", "about 1"), ("middle", "about 4")]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0316, "0.032"),
        (3.0, "3"),
        (9.96, "10"),
        (99.4, "99"),
        (99.6, "100"),
        (104.0, "100"),
        (989.4, "990"),
        (15_700, "16,000"),
    ],
)
def test_a_head_keeps_two_digits(number, shown):
    assert two(number) == shown


@pytest.mark.parametrize("given", ["", "abc", "4,5", "-3", "0", "1e999", "nan"])
def test_what_is_no_number_is_refused(given):
    with pytest.raises(BadArgument):
        Ask("?", 4.0, [], "", unit="ms").read(given)


def test_a_number_may_repeat_its_unit_and_a_slip_wins_over_near_enough():
    ask = Ask("?", 4.0, [("middle", 4.9)], "", unit="ms", within=1.5)
    assert ask.read(" 4.5 ms ") == 4.5
    assert ask.right(4.5)
    assert ask.code(4.9) == "middle"
    assert not ask.right(4.9)
    # 4 % beside a slip are still the slip
    assert [ask.code(4.9 * near) for near in (1.039, 1.041)] == ["middle", ""]
    assert [ask.right(4.0 * near) for near in (1.5, 1 / 1.5, 1.51, 1 / 1.51)] == [1, 1, 0, 0]


def test_a_choice_is_one_of_the_options():
    with pytest.raises(BadArgument):
        quiz.ITEMS[0].ask("a").read("about 1000 %")
