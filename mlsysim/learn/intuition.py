"""Your intuition so far: predicted against computed, and whether confidence was earned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import marimo as mo

from mlsysim import charts
from mlsysim.course.journal import Journal, Record, off_by, times, typical_factor

HIT = 2.0  # a number within this factor counts as right


def intuition(journal: Journal) -> mo.Html:
    """Predicted against computed over all lessons, and how well learners know what they know."""
    truths = journal.truths()
    known = [(row, truths[row.question]) for row in journal.rows() if row.question in truths]
    numbers = [
        (row, truth)
        for row, truth in known
        if not isinstance(row.value, str) and not isinstance(truth, str)
    ]
    choices = [(row, truth) for row, truth in known if isinstance(row.value, str)]
    if not numbers and not choices:
        return mo.callout(
            mo.md("**Your intuition so far:** your first commitment will appear here."),
            kind="neutral",
        )
    shown: list[Any] = [mo.md("## Your intuition so far"), mo.md(_said(numbers, choices))]
    if numbers:
        shown.append(charts.intuition([_row(row, truth) for row, truth in numbers]))
    return mo.vstack(shown, gap=0.5)


def _row(row: Record, truth: float) -> dict[str, Any]:
    return {
        "question": row.question,
        "predicted": float(row.value),
        "computed": truth,
        "unit": row.unit or "",
        "off": f"{times(off_by(float(row.value), truth))}x",
    }


def _said(numbers: Sequence[tuple[Record, float]], choices: Sequence[tuple[Record, Any]]) -> str:
    """One line over the chart: how far off, how often right, and whether confidence was earned."""
    parts, off = [], [off_by(float(row.value), truth) for row, truth in numbers]
    if numbers:
        parts.append(
            f"You have been off by a factor of **{times(typical_factor(off))}** on {len(off)} "
            f"number{'s' if len(off) > 1 else ''} (geometric mean)"
        )
    right = [row.value == truth for row, truth in choices]
    if choices:
        parts.append(
            f"{'' if parts else 'You were '}right on **{sum(right)} of {len(right)}** choices"
        )
    text = ", and ".join(parts) + "."
    judged = zip([*numbers, *choices], [*(each <= HIT for each in off), *right], strict=True)
    hits = [(row.confidence, hit) for (row, _), hit in judged if row.confidence]
    if len(hits) < 3:
        return text
    said, got = sum(sure for sure, _ in hits) / len(hits), sum(hit for _, hit in hits) / len(hits)
    judgement = "surer than your answers" if said > got else "better than you think"
    if abs(said - got) < 0.2:
        judgement = "as sure as you should be"
    return (
        f"{text} You were {said:.0%} sure on average and right (within a factor of {HIT:g}) "
        f"{got:.0%} of the time: {judgement}."
    )
