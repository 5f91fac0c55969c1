"""Predictions: credit for having committed in order, and how well a learner's confidence fits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grading.check import Checks
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import factor, read_number
from mlsysim.course.calibration import HIT
from mlsysim.course.journal import FARTHEST, Record, off_by, typical_factor, unbroken
from mlsysim.course.lessons import Prediction
from mlsysim.course.variants import UNITS, read_unit

_SEVERAL = 3  # records, before equal journals are more than chance


@dataclass(frozen=True)
class Guess:
    """A prediction beside its truth: the factor between them (None for a choice), and if it hit."""

    question: str
    off_by: float | None
    hit: bool
    confidence: float | None


@dataclass(frozen=True)
class Predictions:
    """What a journal earned: the questions committed to, and where its chain breaks (or '').

    `digest` is alike for equal journals of several records, and for no others.
    """

    committed: tuple[str, ...]
    points: float
    out_of: float
    fault: str
    guesses: tuple[Guess, ...]
    digest: str = ""


def judge_journal(checks: Checks, records: Iterable[Any]) -> Predictions:
    """Credit each prediction of the lesson that stands in the unbroken part of the chain."""
    sound, fault = unbroken(records)
    by_question = {record.question: record for record in reversed(sound)}  # the first one counts
    committed = tuple(
        name
        for name, asked in checks.predictions.items()
        if name in by_question and answers(asked, by_question[name])
    )
    guesses = [_guess(checks, by_question[name]) for name in committed]
    return Predictions(
        committed,
        round(checks.prediction_points * len(committed), 3),
        round(checks.prediction_points * len(checks.predictions), 3),
        fault,
        tuple(g for g in guesses if g is not None),
        sound[-1].hash[:16] if len(sound) >= _SEVERAL else "",
    )


def answers(asked: Prediction, record: Record) -> bool:
    """Whether a record answers what was asked, a number in a unit of the right kind."""
    if not asked.takes(record.value):
        return False
    try:
        return asked.unit not in UNITS or factor(read_unit(record.unit), asked.unit) is not None
    except BadArgument:
        return False


def _guess(checks: Checks, record: Record) -> Guess | None:
    truth, unit = checks.truths.get(record.question), checks.predictions[record.question].unit
    if truth is None:
        return None
    sure = record.confidence
    sure = float(sure) if sure is not None and 0 <= sure <= 1 else None
    if isinstance(truth, str):
        return Guess(record.question, None, record.value == truth, sure)
    try:  # where "requests" are asked the unit is only a word
        into = factor(read_unit(record.unit), unit) if unit in UNITS else 1.0
        given = read_number(record.value)
    except BadArgument:
        into, given = None, 0.0
    if into is None or not 0 < given * into < math.inf:
        return Guess(record.question, None, hit=False, confidence=sure)
    off = min(off_by(given * into, truth), FARTHEST)
    return Guess(record.question, off, off <= HIT, sure)


def calibration(guesses: list[Guess]) -> dict[str, Any]:
    """The class's calibration: for each stated confidence, how often it hit and how far off."""
    levels = []
    for sure in sorted({g.confidence for g in guesses if g.confidence is not None}):
        of_level = [g for g in guesses if g.confidence == sure]
        levels.append(
            {
                "stated": sure,
                "predictions": len(of_level),
                "hit_rate": round(sum(g.hit for g in of_level) / len(of_level), 3),
            }
        )
    typical = typical_factor([g.off_by for g in guesses if g.off_by is not None])
    return {
        "predictions": len(guesses),
        "levels": levels,
        "typical_factor": None if math.isnan(typical) else round(typical, 3),
    }
