"""A learner's predictions beside what was computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from mlsysim.charts.parts import NARROW, Rows, decades, finish, of, span
from mlsysim.charts.theme import COLOURS, GUESS, INK, MEMORY_SHADE, MUTED

_WHO = ("you", "solver")


def versus(guess: float, truth: float, unit: str) -> alt.LayerChart:
    """A prediction and the computed value on one logarithmic line."""
    rows = [
        {"who": who, "value": value, "brief": f"{value:.3g}", "text": f"{value:.3g} {unit}".strip()}
        for who, value in zip(_WHO, (guess, truth), strict=True)
    ]
    least, most = sorted((guess, truth))
    ends = (least / 3, most * 6 * (most / least) ** 0.4)  # room for the text at the end
    x = decades(alt.X("value:Q"), ends, unit or "value")
    y = alt.Y("who:N", title=None, sort=list(_WHO)).axis(
        labelFontSize=13, ticks=False, domain=False, labelPadding=8
    )
    base = of(rows)
    color = alt.Color("who:N", legend=None).scale(domain=list(_WHO), range=[GUESS, COLOURS[0]])
    stem = base.mark_rule(strokeWidth=5, strokeCap="round", opacity=0.85).encode(
        x, y, x2=alt.datum(ends[0]), color=color
    )
    dot = base.mark_point(filled=True, size=130, opacity=1).encode(x, y, color=color)
    # on a phone the axis alone says the unit
    text = (
        base.transform_calculate(said=f"width < {NARROW} ? datum.brief : datum.text")
        .mark_text(align="left", dx=11, fontSize=13, fontWeight=600)
        .encode(x, y, text="said:N", color=color)
    )
    said = f"You predicted {rows[0]['text']}; the solver says {rows[1]['text']}."
    return finish(stem + dot + text, said, 84)


def intuition(rows: Rows) -> alt.LayerChart:
    """Predicted against computed, logarithmic; the line is a perfect guess, the band a factor 2.

    A row has `question`, `predicted` and `computed` (numbers in `unit`) and `off`, the factor
    between them in words.
    """
    ends = span([row[key] for row in rows for key in ("predicted", "computed")])
    x = decades(alt.X("computed:Q"), ends, "Computed (each in its own unit)")
    y = decades(alt.Y("predicted:Q"), ends, "Predicted by you")
    line = of([{"computed": at, "predicted": at, "lo": at / 2, "hi": at * 2} for at in ends])
    band = line.mark_area(opacity=0.5, color=MEMORY_SHADE, clip=True).encode(
        x, decades(alt.Y("lo:Q"), ends, "Predicted by you"), alt.Y2("hi:Q")
    )
    diagonal = line.mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.4).encode(x, y)
    base = of(rows)
    dots = base.mark_point(
        filled=True, size=120, opacity=1, color=GUESS, stroke="white", strokeWidth=1.5
    ).encode(x, y, tooltip=_tips())
    names = base.mark_text(dy=-13, fontSize=11, color=INK).encode(x, y, text="question:N")
    said = "; ".join(
        f"{r['question']}: predicted {r['predicted']:.3g}, computed {r['computed']:.3g} {r['unit']}"
        for r in rows
    )
    return finish(band + diagonal + dots + names, f"Your intuition so far. {said}", 300)


def _tips() -> Sequence[Any]:
    return [
        alt.Tooltip("question:N"),
        alt.Tooltip("predicted:Q", format=".3g"),
        alt.Tooltip("computed:Q", format=".3g"),
        alt.Tooltip("unit:N"),
        alt.Tooltip("off:N", title="off by"),
    ]
