"""A learner's predictions: beside what was computed, and as marks on any other chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import beside, texts, wide
from mlsysim.charts.theme import CARD, COLOURS, GRID, GUESS, INK, MUTED, PHONE, PLOT, text_size
from mlsysim.charts.values import Measure, brief, drawable, left_out, times

HOLLOW: dict[str, Any] = {"filled": True, "fill": CARD, "stroke": GUESS, "opacity": 1}
HOLLOW |= {"shape": "diamond", "size": 170, "strokeWidth": 2.6}
_STRONG: dict[str, Any] = {"fontSize": text_size(1), "fontWeight": 600}


def diamond(
    guesses: Sequence[tuple[float, float, str]],
    x: Axis,
    y: Axis,
    height: float,
    marks: Iterable[tuple[float, float]] = (),
) -> list[alt.Chart]:
    """Predictions as hollow diamonds with their names, where they have a place on the axes."""
    held = [g for g in guesses if drawable(g[0], x.log) and drawable(g[1], y.log)]
    if not held:
        return []
    shares = [(x.share(across), y.share(up), name) for across, up, name in held]
    rows = [
        {"x": across, "y": up, "name": name, **place}
        for (across, up, name), place in zip(held, beside(shares, height, marks=marks), strict=True)
    ]
    at, base = {"x": x.x(shown=False), "y": y.y(shown=False)}, of(rows)
    mark = base.mark_point(**HOLLOW).encode(**at, tooltip=alt.Tooltip("name:N"))
    return [mark, *(c.encode(**at) for c in texts(base, color=GUESS, weight=600))]


@drawn
def versus(guess: float, truth: float, unit: str = "", *, title: str = "") -> alt.LayerChart:
    """A prediction and the computed value as two dots on one line, with the factor between them.

    The axis is logarithmic when both are above zero, and linear otherwise.
    """
    log = drawable(guess, True) and drawable(truth, True)
    named = [("you", float(guess)), ("solver", float(truth))]
    held = [(who, value) for who, value in named if drawable(value, log)]
    x = Axis.over(Measure(unit), [value for _, value in held], log=log, air=(0.3, 0.3))
    apart = _apart(guess, truth, log) if len(held) == 2 else ""
    room = apart and abs(x.share(guess) - x.share(truth)) * PLOT[PHONE] > 2.2 * wide(apart, PHONE)
    rows = [
        {"who": who, "x": value, "text": f"{who} {brief(value)}", "up": -22 if who == "you" else 24}
        for who, value in held
    ]
    if apart and not room:
        rows[0]["text"] += f" ({apart})"
    line = of([{"x": x.ends[0], "to": x.ends[1]}]).mark_rule(color=GRID, strokeWidth=2)
    between = _between(guess, truth, apart if room else "", x) if apart else []
    base, at = of(rows), x.x(shown=False)
    who: dict[str, Any] = {"domain": ["you", "solver"]}
    color = alt.Color("who:N", legend=None).scale(range=[GUESS, COLOURS[0]], **who)
    shape = alt.Shape("who:N", legend=None).scale(range=["diamond", "circle"], **who)
    dots = base.mark_point(filled=True, opacity=1, size=170).encode(at, color=color, shape=shape)
    words = base.mark_text(**_STRONG, dy={"expr": "datum.up"}).encode(
        at, text=alt.Text("text:N"), color=color
    )
    say = Measure("", unit).say
    return finish(
        line.encode(x.x(), x2=alt.X2("to:Q")), *between, dots, words,
        title=title,
        said=f"You predicted {say(guess)}; the solver says {say(truth)}{', ' * bool(apart)}{apart}",
        table=[{"who": name, unit or "value": value} for name, value in named],
        height=96,
        left_out=left_out(named, log),
    )  # fmt: skip


def _apart(guess: float, truth: float, log: bool) -> str:
    """What stands between the two: a factor, or a difference where there is no factor."""
    if log:
        return times(max(guess / truth, truth / guess))
    return f"{brief(abs(guess - truth))} apart" if guess != truth else ""


def _between(guess: float, truth: float, text: str, x: Axis) -> list[alt.Chart]:
    middle = math.sqrt(guess) * math.sqrt(truth) if x.log else (guess + truth) / 2
    row = {"x": middle, "from": min(guess, truth), "to": max(guess, truth), "text": text}
    rule = of([row]).mark_rule(color=MUTED, strokeWidth=3)
    words = of([row]).mark_text(**_STRONG, dy=-12, color=INK)
    return [
        rule.encode(x.x("from", shown=False), x2=alt.X2("to:Q")),
        words.encode(x.x(shown=False), text=alt.Text("text:N")),
    ]
