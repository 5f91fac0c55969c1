"""Your intuition so far: predicted against computed, over all lessons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import marimo as mo

from mlsysim import charts
from mlsysim.course import calibration
from mlsysim.course.calibration import ENOUGH, Judged
from mlsysim.course.journal import Journal, times


def intuition(journal: Journal) -> mo.Html:
    """Predicted against computed over all lessons, and how well learners know what they know."""
    answers = calibration.judged(journal)
    if not answers:
        return mo.md("**Your intuition so far:** your first commitment will appear here.")
    numbers = [each for each in answers if each.off is not None and _drawn(each)]
    shown: list[Any] = [mo.md(f"## Your intuition so far\n\n{said(answers)}")]
    if numbers:
        pairs = {
            each.record.question: (float(each.truth), float(each.record.value)) for each in numbers
        }
        across, up = "Computed (each in its own unit)", "Predicted by you"
        shown.append(charts.parity(pairs, x=across, y=up))
    return mo.vstack(shown, gap=0.5)


def said(answers: Sequence[Judged]) -> str:
    """What the answers tell, in markdown: only what so many can tell."""
    parts = []
    if worth := calibration.worth_remembering(answers):
        names = ", ".join(f"**{each.record.question}**" for each in worth)
        parts.append(f"You were *certain and wrong* on {names}: what you will remember best.")
    trend = calibration.by_lesson(answers)
    if trend:
        typical = times(calibration.typical(answers))
        parts.append(f"Your numbers are typically off by a factor of **{typical}**.")
    if how := calibration.fall(answers):
        parts.append(f"Your error: {how}.")
    if right := calibration.luck(answers):
        parts.append(f"{right[0].upper()}{right[1:]}.")
    if sure := calibration.confidence(answers):
        parts.append(f"You were {sure}.")
    if len(answers) < ENOUGH:
        parts.append(
            f"That is from {_count(len(answers), 'answer')}; whether you are as sure as you should "
            f"be can be said from about {ENOUGH} on."
        )
    text = " ".join(parts)
    if len(trend) > 1:
        rows = [f"| {int(each.lesson)} | {each.numbers} | {times(each.factor)} |" for each in trend]
        head = ["| lesson | numbers | typically off by |", "|---:|---:|---:|"]
        text += "\n\n" + "\n".join([*head, *rows])
    return text


def _count(many: int, word: str) -> str:
    return f"{many} {word}{'s' * (many != 1)}"


def _drawn(each: Judged) -> bool:
    """Whether both numbers have a place on a logarithmic axis."""
    return float(each.record.value) > 0 and 0 < float(each.truth) < float("inf")
