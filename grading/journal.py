"""Predictions: credit for having committed in order, and how well a learner's confidence fits.

A record holds the hash of the record before it. That shows the order in which predictions were
made; it is not proof against somebody who writes the whole journal anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from grading.check import Checks
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Quantity, factor, read_number
from mlsysim.course.variants import read_unit

FIRST = "0" * 64  # what the first record of a journal follows
FIELDS = ("question", "value", "unit", "confidence", "order", "time", "previous")
HIT = 2.0  # a numeric prediction counts as a hit within this factor


@dataclass(frozen=True)
class Guess:
    """A prediction beside its truth: the factor between them (None for a choice), and if it hit."""

    question: str
    off_by: float | None
    hit: bool
    confidence: float | None


@dataclass(frozen=True)
class Predictions:
    """What a journal earned: the questions committed to, and where its chain breaks (or '')."""

    committed: tuple[str, ...]
    points: float
    out_of: float
    fault: str
    guesses: tuple[Guess, ...]


def judge_journal(checks: Checks, records: list[Any]) -> Predictions:
    """Credit each prediction of the lesson that stands in the unbroken part of the chain."""
    sound, fault = unbroken(records)
    by_question: dict[str, dict[str, Any]] = {}
    for record in sound:
        by_question.setdefault(record["question"], record)
    committed = tuple(name for name in checks.predictions if name in by_question)
    guesses = [_guess(checks, by_question[name]) for name in committed]
    return Predictions(
        committed,
        round(checks.prediction_points * len(committed), 3),
        checks.prediction_points * len(checks.predictions),
        fault,
        tuple(g for g in guesses if g is not None),
    )


def unbroken(records: list[Any]) -> tuple[list[dict[str, Any]], str]:
    """The records up to the first fault, and the fault in words."""
    sound: list[dict[str, Any]] = []
    previous = FIRST
    for number, record in enumerate(records, start=1):
        if fault := _fault(record, previous, sound):
            return sound, f"record {number} {fault}; predictions from there on do not count"
        sound.append(record)
        previous = link(record)
    return sound, ""


def link(record: dict[str, Any]) -> str:
    """The hash that the next record must hold: of this one's line as the journal writes it."""
    line = json.dumps({name: record[name] for name in FIELDS}, ensure_ascii=False)
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def _fault(record: Any, previous: str, before: list[dict[str, Any]]) -> str:
    if not isinstance(record, dict) or set(record) != set(FIELDS):
        return f"does not have the fields {', '.join(FIELDS)}"
    if not isinstance(record["question"], str) or not isinstance(
        record["value"], (int, float, str)
    ):
        return "holds no prediction"
    if isinstance(record["value"], bool) or record["value"] == "":
        return "holds no prediction"
    order = record["order"]
    if (
        isinstance(order, bool)
        or not isinstance(order, int)
        or order <= (before[-1]["order"] if before else 0)
    ):
        return "is out of order"
    if record["previous"] != previous:
        return "does not follow from the one before it"
    return ""


def _guess(checks: Checks, record: dict[str, Any]) -> Guess | None:
    truth = checks.prediction_truth(record["question"])
    if truth is None:
        return None
    sure = record["confidence"]
    sure = (
        float(sure)
        if isinstance(sure, (int, float)) and not isinstance(sure, bool) and 0 <= sure <= 1
        else None
    )
    if isinstance(truth, str):
        return Guess(record["question"], None, record["value"] == truth, sure)
    into: float | None = 1.0  # beside a plain number a unit is only a word, as in "12 requests"
    given = 0.0
    try:
        given = read_number(record["value"])
        if isinstance(truth, Quantity):
            into = factor(read_unit(record["unit"]), f"{truth.units:~C}")
    except BadArgument:
        into = None
    wanted = float(truth.magnitude if isinstance(truth, Quantity) else truth)
    if into is None or given <= 0 or wanted <= 0:
        return Guess(record["question"], None, hit=False, confidence=sure)
    off = 10 ** abs(math.log10(given * into / wanted))
    return Guess(record["question"], off, off <= HIT, sure)


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
    logs = [math.log10(g.off_by) for g in guesses if g.off_by is not None]
    return {
        "predictions": len(guesses),
        "levels": levels,
        "typical_factor": round(10 ** (sum(logs) / len(logs)), 3) if logs else None,
    }
