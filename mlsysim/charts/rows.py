"""Charts with a name in every row: what their rows, ends, limits and guesses have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis, looked_up
from mlsysim.charts.frame import of
from mlsysim.charts.guesses import HOLLOW
from mlsysim.charts.labels import wide
from mlsysim.charts.theme import BARS, CARD, GUESS, INK, MUTED, NARROW, PHONE, sized, text_size
from mlsysim.charts.values import Measure, drawable

Span = tuple[float, float]

STRONG: dict[str, Any] = {"fontSize": text_size(), "fontWeight": 600}
BAR = 20  # pixels that a bar is thick
_ROW, _LINE = 44, 15  # characters of a name on a phone


class Names(NamedTuple):
    """The names of the rows, from the top down."""

    names: list[str]

    @property
    def height(self) -> int:
        """Pixels for all rows."""
        return _ROW * max(len(self.names), 1)

    def y(self, field: str = "name", shown: bool = False) -> Any:
        """The vertical channel; one layer of a chart shows the names, broken on a phone."""
        y = alt.Y(f"{field}:N", title=None).scale(domain=self.names)
        if not shown:
            return y.axis(None)
        short = ["\n".join(textwrap.wrap(name, _LINE)) or name for name in self.names]
        said = f"width < {NARROW} ? split({looked_up(self.names, short)}, '\\n') : datum.label"
        return y.axis(labelExpr=said, labelColor=INK, ticks=False, domain=False, labelPadding=8)


def along(
    measure: Measure, values: Iterable[float], *, log: bool, words: Sequence[str] = ("",)
) -> Axis:
    """The axis of bars: from zero, or logarithmic for dots, with room for words at its end."""
    room = max((wide(text, PHONE) for text in words), default=0.0) / BARS[PHONE]
    air = min(room + 0.05, 0.6)
    values = list(values)
    if log:
        return Axis.over(measure, values, log=True, air=(0.08, air))
    return Axis.over(measure, [0.0, *values], air=(air * any(v < 0 for v in values), air))


def frame(names: Names, x: Axis) -> alt.Chart:
    """The layer that shows both axes and draws nothing."""
    rows = [{"name": name, "x": x.ends[0]} for name in names.names] or [{"x": x.ends[0]}]
    y: dict[str, Any] = {"y": names.y(shown=True)} if names.names else {}
    return of(rows).mark_point(opacity=0).encode(x.x(), **y)


def ends(rows: Sequence[Mapping[str, Any]], names: Names, x: Axis) -> alt.Chart:
    """Words at the end of each row: `x`, `text`, and `left` where the bar runs to the left."""
    side = {"expr": "datum.left ? 'right' : 'left'"}
    words = of(rows).mark_text(**STRONG, color=INK, align=side, dx={"expr": "datum.left ? -8 : 8"})
    return words.encode(x.x(shown=False), names.y(), text=alt.Text("text:N"))


def spans(ranges: Mapping[str, Sequence[Span]], names: Names, x: Axis) -> list[alt.Chart]:
    """How far values may lie from what is drawn: the narrower range thick, the wider one thin."""
    rows = [
        {"name": name, "x": low, "to": high, "thick": n == 0}
        for name, each in ranges.items()
        for n, (low, high) in enumerate(each)
        if name in names.names and drawable(low, x.log) and drawable(high, x.log)
    ]
    if not rows:
        return []
    rule = of(rows).mark_rule(color=INK, opacity=0.75, strokeCap="butt")
    width: Any = alt.when("datum.thick").then(alt.value(7)).otherwise(alt.value(2))
    return [rule.encode(x.x(shown=False), names.y(), x2=alt.X2("to:Q"), strokeWidth=width)]


def upright(lines: Mapping[str, float], x: Axis, *, strong: bool = False) -> list[alt.Chart]:
    """Named lines across all rows, with their names above them, one above the other."""
    held = [(name, at) for name, at in lines.items() if drawable(at, x.log)]
    layers = []
    for n, (name, at) in enumerate(sorted(held, key=lambda line: line[1])):
        left = x.share(at) > 0.55
        row = of([{"x": at, "name": name}])
        look: dict[str, Any] = {"color": INK if strong else MUTED}
        rule = row.mark_rule(**look, strokeWidth=2 if strong else 1.4, strokeDash=[5, 3])
        words = row.mark_text(
            **look, **STRONG, align="right" if left else "left", dx=4 if left else -4
        )
        layers += [
            rule.encode(x.x(shown=False)),
            words.encode(x.x(shown=False), y=alt.value(-9 - 18 * n), text=alt.Text("name:N")),
        ]
    return layers


def marks(guesses: Mapping[str, float], names: Names, x: Axis) -> list[alt.Chart]:
    """A learner's predictions, each in its row."""
    rows = [
        {"name": name, "x": at, "text": "you"}
        for name, at in guesses.items()
        if drawable(at, x.log) and name in names.names
    ]
    if not rows:
        return []
    at, base = (x.x(shown=False), names.y()), of(rows)
    look = {**STRONG, "dy": {"expr": sized(-18, -18, -22)}}
    return [
        base.mark_point(**HOLLOW).encode(*at),
        base.mark_text(**look, color=CARD, stroke=CARD, strokeWidth=4).encode(
            *at, text=alt.Text("text:N")
        ),
        base.mark_text(**look, color=GUESS).encode(*at, text=alt.Text("text:N")),
    ]
