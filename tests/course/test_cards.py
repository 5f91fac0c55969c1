"""Cards and items: every truth is computed, every slip lies apart from it and has a name."""

from __future__ import annotations

import re

import pytest

from mlsysim import EconomicsModel, Fleet, Hardware, Systems
from mlsysim.core.errors import BadArgument
from mlsysim.course import cards, quiz
from mlsysim.course.cards import CARDS
from mlsysim.course.concepts import CODES, UNKNOWN, Ask, ladder
from mlsysim.course.journal import off_by
from mlsysim.course.paths import plan
from mlsysim.course.quiz import ITEMS

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


@each_card
def test_the_next_question_has_another_answer_than_the_last(card):
    for seed in SEEDS:
        last = card.ask(str(seed)).truth
        ask = card.ask(f"next {seed}", [last])
        apart = ask.truth != last if isinstance(last, str) else off_by(ask.truth, last) > 1.2
        assert apart, ask.text


def test_a_card_that_cannot_ask_fairly_says_so():
    unfair = Ask("?", 1.0, [("middle", 1.1)], "")
    with pytest.raises(LookupError, match="fair"):
        cards.Card("x", 0, lambda _: unfair).ask("seed")


def test_the_lessons_own_pair_is_never_asked():
    for seed in range(300):
        text = cards.BY_NAME["tokens-of-one-user"].ask(str(seed)).text
        assert not ("Llama 3 8B" in text and "H100" in text)


# ---- worked by hand ------------------------------------------------------------------------------


def drawn(name, *words):
    """The first question of a card in which all words stand."""
    for seed in range(1500):
        ask = cards.BY_NAME[name].ask(str(seed))
        if all(word in ask.text for word in words):
            return ask
    raise AssertionError(words)


def test_one_user_of_llama_2_7b_on_an_a100_by_hand():
    # 6.74e9 parameters of two bytes, of which the 131e6 of the input embedding are looked up, at
    # 2.039 TB/s: 154 tokens a second; by FLOPS 312e12 / 13.5e9 = 23,150
    ask = drawn("tokens-of-one-user", "Llama 2 7B", "A100")
    assert ask.truth == pytest.approx(154, rel=0.02)
    assert dict(ask.slips)["peak-rules"] == pytest.approx(23_150, rel=0.01)


def test_days_of_training_by_hand():
    # 6 x 70e9 x 2e12 = 8.4e23 FLOP at 1,024 x 989e12 x 0.4 = 4.05e17 a second: 24 days
    ask = drawn("days-of-training", "70 billion", " 2 trillion", "1,024", "MFU of 0.4")
    assert ask.truth == pytest.approx(24.0, rel=0.01)
    assert dict(ask.slips) == pytest.approx({"forward-only": 8.0, "peak-rules": 9.6}, rel=0.01)


# 64 DGX H100 at $300,000, of which 90 days are a part, and what they draw meanwhile
SILICON = {years: 64 * 300_000 * 90 / (365.25 * years) for years in (3, 4, 5)}


def drawn_power():
    """What they draw in 90 days, in kWh."""
    fleet = Fleet(name="64 DGX", node=Systems.DGX_H100, count=64, fabric="InfiniBand_NDR")
    return EconomicsModel().solve(fleet, 90, pue=1.12).energy.m_as("kWh")


def test_a_bill_is_silicon_and_power_by_hand():
    for years, silicon in SILICON.items():
        ask = drawn("who-is-the-bill", f"in {years} years", "from $0.08 to $0.16")
        power = 0.08 * drawn_power()
        assert ask.truth == pytest.approx(100 * power / (silicon + power), rel=1e-3)
    asked = [cards.BY_NAME["who-is-the-bill"].ask(str(seed)).text for seed in range(200)]
    assert {re.search(r"in (\d+) years", text)[1] for text in asked} == {"3", "4", "5"}


def test_the_bill_of_the_quiz_by_hand():
    for price, factor in ((0.1, 2.0), (0.12, 0.5)):
        power = price * drawn_power()
        change = 100 * abs(factor - 1) * power / (SILICON[3] + power)
        asked = quiz.billed(price, factor)
        assert asked.why == f"Devices are most of it: {quiz.two(change)} %."
        assert "three months" in asked.text
        most = {2.0: "doubles", 0.5: "halves"}[factor]
        assert dict(asked.slips)["power-is-the-bill"] == most


def test_users_that_fit_by_hand():
    # Llama 2 7B keeps 2 x 32 layers x 4,096 x 2 bytes = 524 kB a token, 2.15 GB for 4,096 of them,
    # beside 6.738e9 parameters of two bytes
    ask = drawn("users-that-fit", "Llama 2 7B", "4,096 tokens", "L40S")
    cache, room = 2 * 32 * 4096 * 2 * 4096, Hardware.L40S.memory.capacity.m_as("B")
    assert ask.truth == (room - 2 * 6.738e9) // cache
    assert dict(ask.slips)["weights-are-free"] == pytest.approx(room / cache)


@pytest.mark.parametrize(
    ("factor", "kind", "truth"), [(4, "frequent", 0.5), (9, "rare", 3.0), (25, "frequent", 0.2)]
)
def test_the_root_of_failure_by_hand(factor, kind, truth):
    assert drawn("root-of-failure", f"{factor} times as {kind}").truth == pytest.approx(truth)


# ---- the inventory -------------------------------------------------------------------------------

TRUTHS = {  # worked out by hand from peak, bandwidth and formula, in quiz order
    "starved": ("below 1 %", "below 1 %"),
    "cached": ("the smaller, more than twice as much",) * 2,
    "prompted": ("about 1", "about 1"),
    "failing": ("1/3", "1/2"),
    "upgraded": ("about as fast as before",) * 2,
    "reduced": ("waiting at the hops",) * 2,
    "crowded": ("about 1", "about 1"),
    "billed": ("changes by 4 to 8 %",) * 2,
    "narrowed": ("about 1", "about 1"),
    "idle": ("all is well: the new chip's peak grew more than its bandwidth",) * 2,
    "climbing": ("from none", "from none"),
    "floored": (
        "ask what they count differently: fewer bits, several tokens a step, a cached prompt",
    )
    * 2,
}


def test_there_are_twelve_items():
    assert [item.name for item in ITEMS] == list(TRUTHS)


@each_item
def test_both_variants_of_an_item_ask_the_same_idea_with_other_numbers(item):
    a, b = item.ask("a"), item.ask("b")
    assert (a.truth, b.truth) == TRUTHS[item.name]
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


def test_a_choice_is_one_of_the_options():
    with pytest.raises(BadArgument):
        quiz.ITEMS[0].ask("a").read("about 1000 %")
