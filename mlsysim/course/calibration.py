"""How good a learner's intuition is so far, and what chance alone would have given.

Nothing is said about confidence or luck before `ENOUGH` answers: three coins that fall on heads say
nothing about a coin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from mlsysim.course.journal import Journal, Record, off_by, times, typical_factor
from mlsysim.course.lessons import Prediction, lessons

HIT = 2.0  # a number within this factor counts as right
ENOUGH = 10  # answers, before anything is said about confidence or luck
CONFIDENCE = {"just a guess": 0.3, "fairly sure": 0.6, "certain": 0.9}
CERTAIN = CONFIDENCE["certain"]


class Judged(NamedTuple):
    """An answer beside its truth; `off` is the factor between two numbers, None for a choice.

    `chance` is how likely a blind guess is right: 1/options for a choice, 0 for a number.
    """

    record: Record
    truth: float | str
    off: float | None
    right: bool
    chance: float

    @property
    def lesson(self) -> str:
        """The number of its lesson, as the question says it."""
        return self.record.question.partition(".")[0]

    @property
    def sure(self) -> float | None:
        """How sure the learner was; never less than chance, which a blind guess has as well."""
        said = self.record.confidence
        return None if said is None or not 0 < said <= 1 else max(said, self.chance)

    @property
    def certain_and_wrong(self) -> bool:
        """What is worth remembering most."""
        return not self.right and (self.sure or 0) >= CERTAIN


class Trend(NamedTuple):
    """The typical factor on the numbers of one lesson, and on how many it rests."""

    lesson: str
    numbers: int
    factor: float


def judged(journal: Journal) -> list[Judged]:
    """Every answer whose truth was revealed, in the order in which they were given."""
    asked = {name: each for lesson in lessons() for name, each in lesson.predictions.items()}
    truths = journal.truths()
    found = [
        _judge(row, truths[row.question], asked.get(row.question))
        for row in journal.rows()
        if row.question in truths
    ]
    return [each for each in found if each is not None]


def _judge(row: Record, truth: float | str, asked: Prediction | None) -> Judged | None:
    if isinstance(row.value, str) != isinstance(truth, str):
        return None  # an older version of the lesson asked something else
    if isinstance(row.value, str) or isinstance(truth, str):
        return Judged(row, truth, None, row.value == truth, _chance(asked))
    guess = float(row.value)
    same_side = guess * truth > 0 and math.isfinite(truth)
    off = off_by(abs(guess), abs(truth)) if same_side else 1.0 if guess == truth else math.inf
    return Judged(row, truth, off, off <= HIT, 0.0)


def _chance(asked: Prediction | None) -> float:
    """How likely a blind guess is right; 1/2 where nobody knows between how many it chose."""
    if asked and asked.order:
        return 1 / math.factorial(len(asked.order))
    return 1 / len(asked.options) if asked and asked.options else 0.5


def typical(answers: Iterable[Judged]) -> float:
    """The geometric mean of the factors of the numbers among them; nan when there is none."""
    return typical_factor([each.off for each in answers if each.off is not None])


def by_lesson(answers: Iterable[Judged]) -> list[Trend]:
    """The typical factor, lesson by lesson, in the order in which they were begun."""
    held: dict[str, list[Judged]] = {}
    for each in answers:
        if each.off is not None and math.isfinite(each.off):
            held.setdefault(each.lesson, []).append(each)
    return [Trend(name, len(each), typical(each)) for name, each in held.items()]


def fall(answers: Iterable[Judged]) -> str:
    """How the factor went from the first half of the numbers to the second; '' for too few."""
    numbers = [each for each in answers if each.off is not None and math.isfinite(each.off)]
    if len(numbers) < ENOUGH:
        return ""
    half = len(numbers) // 2
    first, last = typical(numbers[:half]), typical(numbers[-half:])
    if times(first) == times(last):
        return f"a factor of {times(first)} on your first {half} numbers and on your last {half}"
    verb = "fell" if last < first else "rose"
    return (
        f"{verb} from a factor of {times(first)} on your first {half} numbers "
        f"to {times(last)} on your last {half}"
    )


def luck(answers: Iterable[Judged]) -> str:
    """How many choices were right, and how many a blind guess gets; '' for too few."""
    choices = [each for each in answers if each.off is None]
    if len(choices) < ENOUGH:
        return ""
    right, blind = sum(each.right for each in choices), sum(each.chance for each in choices)
    noise = math.sqrt(sum(each.chance * (1 - each.chance) for each in choices))
    told = "" if abs(right - blind) > 2 * noise else ", which is no proof of knowing more"
    return f"{right} of {len(choices)} choices right, where guessing blindly gets {blind:.0f}{told}"


def confidence(answers: Iterable[Judged]) -> str:
    """Whether confidence was earned, as far as so many answers can tell; '' for too few."""
    rated = [(each.sure, each.right) for each in answers if each.sure is not None]
    if len(rated) < ENOUGH:
        return ""
    said, got = sum(sure for sure, _ in rated), sum(right for _, right in rated)
    noise = math.sqrt(sum(sure * (1 - sure) for sure, _ in rated))
    if abs(said - got) <= 2 * noise:
        judgement = f"as sure as you should be, as far as {len(rated)} answers can tell"
    else:
        judgement = "surer than your answers" if said > got else "better than you think"
    count = len(rated)
    return (
        f"{said / count:.0%} sure on average and right {got / count:.0%} of the time: {judgement}"
    )


def worth_remembering(answers: Iterable[Judged]) -> list[Judged]:
    """What was answered with certainty and is wrong, the latest first."""
    return [each for each in answers if each.certain_and_wrong][::-1]
