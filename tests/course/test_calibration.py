"""What is said about a learner's intuition: only what so many answers can tell."""

from __future__ import annotations

import math
import random

import pytest

from mlsysim.course import calibration
from mlsysim.course.calibration import Judged, judged
from mlsysim.course.journal import Journal, Record
from mlsysim.course.lessons import Prediction
from mlsysim.learn.intuition import intuition, said

GUESS, FAIRLY, CERTAIN = 0.3, 0.6, 0.9


def choice(right, sure=None, options=2, question="00.1"):
    record = Record(question=question, value="a" if right else "b", confidence=sure)
    return Judged(record, "a", None, right, 1 / options)


def number(off, sure=None, question="00.1"):
    record = Record(question=question, value=float(off), unit="ms", confidence=sure)
    return Judged(record, 1.0, off, off <= 2, 0.0)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal.jsonl")


def test_somebody_who_flips_a_coin_and_says_so_is_as_sure_as_they_should_be():
    # ten flips, five right, "just a guess": it used to say "30% sure, right 50%: better than you
    # think", though a blind guess between two is right half of the time
    flips = [choice(n % 2 == 0, GUESS) for n in range(10)]
    assert calibration.confidence(flips).startswith("50% sure on average and right 50% of the time")
    assert "as sure as you should be" in calibration.confidence(flips)
    assert calibration.luck(flips) == (
        "5 of 10 choices right, where guessing blindly gets 5, which is no proof of knowing more"
    )


def test_blind_guesses_are_hardly_ever_called_knowledge():
    # two standard deviations: about one learner in twenty would be told so, on either side
    chance = random.Random(1)
    told = [
        calibration.luck([choice(chance.random() < 0.25, options=4) for _ in range(20)])
        for _ in range(400)
    ]
    assert sum("no proof" not in each for each in told) < 0.1 * 400


def test_how_sure_the_words_are():
    words = {"just a guess": GUESS, "fairly sure": FAIRLY, "certain": CERTAIN}
    assert words == calibration.CONFIDENCE


@pytest.mark.parametrize(
    ("said", "options", "sure"),
    [
        (None, 2, None),
        (0.0, 2, None),
        (0.3, 4, 0.3),
        (0.3, 2, 0.5),  # a blind guess is as sure
        (1.0, 2, 1.0),
        (1.01, 2, None),
    ],
)
def test_how_sure_somebody_was(said, options, sure):
    assert choice(True, said, options).sure == sure


@pytest.mark.parametrize(("right", "proof"), [(1, True), (2, False), (8, False), (9, True)])
def test_luck_reaches_two_standard_deviations_from_what_is_blind(right, proof):
    # of 20 among four 5 are expected, and the root of 20 x 1/4 x 3/4 is 1.94
    told = calibration.luck([choice(n < right, options=4) for n in range(20)])
    assert told.startswith(f"{right} of 20 choices right, where guessing blindly gets 5")
    assert ("no proof" not in told) == proof


@pytest.mark.parametrize(
    ("right", "judgement"),
    [
        # ten that are 60 % sure: 6 expected, and the root of 10 x 0.6 x 0.4 is 1.55
        (2, "surer than your answers"),
        (3, "as sure as you should be, as far as 10 answers can tell"),
        (9, "as sure as you should be, as far as 10 answers can tell"),
        (10, "better than you think"),
    ],
)
def test_confidence_is_judged_by_two_standard_deviations(right, judgement):
    told = calibration.confidence([choice(n < right, FAIRLY) for n in range(10)])
    assert told == f"60% sure on average and right {right}0% of the time: {judgement}"


def test_just_two_standard_deviations_are_no_proof():
    # 16 coins: 8 expected, and the root of 16 / 4 is 2
    coins = [choice(n < 12, GUESS) for n in range(16)]
    assert "no proof" in calibration.luck(coins)
    assert "as sure as you should be" in calibration.confidence(coins)


def test_a_factor_that_stays_is_told_as_one():
    same = [number(2.0) for _ in range(10)]
    assert calibration.fall(same) == "a factor of 2 on your first 5 numbers and on your last 5"
    # of eleven the middle one counts for neither half
    assert calibration.fall([*same[:5], number(64.0), *same[:5]]) == calibration.fall(same)


def test_what_is_worth_remembering_comes_latest_first():
    answers = [
        number(9.0, CERTAIN, "00.1"),
        number(9.0, 0.89, "00.2"),
        number(1.0, CERTAIN, "00.3"),
        choice(False, CERTAIN, question="01.1"),
    ]
    found = [each.record.question for each in calibration.worth_remembering(answers)]
    assert found == ["01.1", "00.1"]


def test_nothing_is_said_about_nine_answers():
    nine = [choice(True, CERTAIN) for _ in range(8)] + [number(9.0, CERTAIN)]
    assert calibration.luck(nine) == calibration.confidence(nine) == calibration.fall(nine) == ""
    assert "9 answers" in said(nine)
    assert "%" not in said(nine)


def test_who_is_certain_and_mostly_wrong_is_told():
    assert "90% sure on average and right 20% of the time: surer than your answers" in said(
        [choice(n < 2, CERTAIN, options=4) for n in range(10)]
    )
    assert "better than you think" in said([number(1.0, GUESS) for _ in range(10)])


def test_certain_and_wrong_is_told_at_once():
    assert "certain and wrong* on **03.2**" in said([number(9.0, CERTAIN, "03.2")])
    assert "certain and wrong" not in said([number(9.0, FAIRLY), number(1.5, CERTAIN)])


def test_the_factor_is_told_lesson_by_lesson_and_how_it_fell():
    early = [number(off, question=f"00.{n}") for n, off in enumerate([8.0, 2.0, 8.0, 2.0, 4.0])]
    late = [number(off, question=f"03.{n}") for n, off in enumerate([2.0, 2.0, 2.0, 2.0, 2.0])]
    # the geometric mean of 8, 2, 8, 2, 4 is (1024)^(1/5) = 4
    assert [(each.lesson, each.numbers) for each in calibration.by_lesson(early + late)] == [
        ("00", 5),
        ("03", 5),
    ]
    assert [each.factor for each in calibration.by_lesson(early + late)] == pytest.approx([4, 2])
    assert calibration.fall(early + late) == (
        "fell from a factor of 4 on your first 5 numbers to 2 on your last 5"
    )
    assert "rose from a factor of 2" in calibration.fall(late + early)
    text = said(early + late)
    assert "| 0 | 5 | 4 |" in text
    assert "| 3 | 5 | 2 |" in text


def test_a_wrong_sign_is_wrong_and_spoils_no_mean():
    answers = [number(4.0), number(2.0)._replace(off=math.inf, right=False)]
    assert calibration.typical(answers) == pytest.approx(4)
    assert calibration.by_lesson(answers)[0].numbers == 1


def test_signed_answers_have_a_factor_where_their_signs_agree(journal):
    for question, guess, truth in (("90.1", -2.0, -1.0), ("90.2", -2.0, 1.0), ("90.3", 0.0, 0.0)):
        journal.commit(question, guess, "%")
        journal.reveal(question, truth)
    assert [each.off for each in judged(journal)] == [2.0, math.inf, 1.0]


@pytest.mark.parametrize(
    ("asked", "chance"),
    [
        ({"options": ("a", "b", "c", "d")}, 1 / 4),
        ({"order": ("a", "b", "c", "d")}, 1 / 24),
        (None, 1 / 2),  # a lesson that is gone
        ({"unit": "ms"}, 1 / 2),  # a number once, a word in the journal
    ],
)
def test_how_likely_a_blind_guess_is_right(journal, monkeypatch, asked, chance):
    held = {"90.1": Prediction(text="?", **asked)} if asked else {}
    monkeypatch.setattr(calibration, "lessons", lambda: [type("L", (), {"predictions": held})])
    journal.commit("90.1", "b", None, GUESS)
    journal.reveal("90.1", "b")
    assert [(each.right, each.chance, each.off) for each in judged(journal)] == [
        (True, chance, None)
    ]


@pytest.mark.parametrize(
    ("guess", "right"), [(2.0, True), (0.5, True), (2.01, False), (0.49, False)]
)
def test_a_number_is_right_within_a_factor_of_two(journal, guess, right):
    journal.commit("90.1", guess)
    journal.reveal("90.1", 1.0)
    (each,) = judged(journal)
    assert (each.off, each.right) == (pytest.approx(max(guess, 1 / guess)), right)
    assert each.chance == 0.0


def test_answers_are_judged_by_what_their_question_asks(journal, monkeypatch):
    asked = {
        "90.1": Prediction(text="?", options=("a", "b", "c", "d")),
        "90.2": Prediction(text="?", unit="ms"),
        "90.3": Prediction(text="?", unit="ms"),
    }
    lesson = type("L", (), {"predictions": asked})
    monkeypatch.setattr(calibration, "lessons", lambda: [lesson])
    journal.commit("90.1", "b", None, GUESS)
    journal.commit("90.2", 3.0, "ms", 1.5)
    journal.commit("90.3", "once a choice", None, GUESS)
    journal.commit("90.4", 1.0)
    for question, truth in {"90.1": "a", "90.2": 1.0, "90.3": 2.0}.items():
        journal.reveal(question, truth)
    first, second = judged(journal)
    assert (first.right, first.chance, first.sure) == (False, 0.25, 0.3)
    assert (second.off, second.right, second.sure) == (3.0, False, None)


@pytest.mark.parametrize("truth", [1.0, 0.0, -3.0, math.inf, math.nan])
def test_whatever_is_revealed_the_page_is_made(journal, truth):
    journal.commit("00.1", 2.0, "ms", FAIRLY)
    journal.reveal("00.1", truth)
    assert "Your intuition so far" in intuition(journal).text


def test_before_the_first_commitment_it_says_what_will_come(journal):
    assert "your first commitment will appear here" in intuition(journal).text
