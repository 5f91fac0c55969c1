"""Parity: what was computed against what was measured, or what a learner predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import beside, legend, texts
from mlsysim.charts.theme import CARD, COLOUR, COLOURS, MUTED, SHAPES, text_size
from mlsysim.charts.values import Measure, brief, drawable, left_out, number, times
from mlsysim.core.errors import BadArgument, OutOfRange
from mlsysim.core.units import Quantity

_NAMED = 16  # more points than that have their names in the table alone
_FAR = 0.75  # of the width and the height: where the word of the band may stand
_MOST = len(COLOURS)


class Pair(NamedTuple):
    """Two numbers that should be one."""

    name: str
    across: float
    up: float
    unit: str
    kind: str


@drawn
def parity(
    pairs: Mapping[str, Sequence[Any]],
    *,
    x: str = "Computed",
    y: str = "Measured",
    kinds: Mapping[str, str] | None = None,
    band: float = 2.0,
    title: str | None = None,
    subtitle: str = "",
    height: int = 340,
) -> alt.LayerChart:
    """Each name's two numbers (first across, then up) about the line on which they agree.

    The band is a factor of `band` to either side. Each pair may have a unit of its own: both
    numbers are then written in the unit of the first. `kinds` tell groups apart.
    """
    if not 1 < band < math.inf:
        raise OutOfRange("band", band, "it is a factor above one, such as 2")
    groups = list(dict.fromkeys((kinds or {}).get(name, "") for name in pairs))
    if len(groups) > _MOST:
        raise BadArgument("kinds", f"{len(groups)} kinds", f"at most {_MOST} can be told apart")
    every = [_pair(name, pair, (kinds or {}).get(name, "")) for name, pair in pairs.items()]
    held = [p for p in every if drawable(p.across, True) and drawable(p.up, True)]
    ends = [value for p in held for value in (p.across, p.up)]
    across = Axis.over(Measure(x), ends, log=True, air=(0.08, 0.08))
    up = across._replace(measure=Measure(y))
    lost = [p for p in every if p not in held]
    odd = [(p.name, p.up if drawable(p.across, True) else p.across) for p in lost]
    return finish(
        *_agreement(held, across, up, band),
        *_points(held, groups, across, up, height),
        title=_finding(held, band, y) if title is None else title,
        subtitle=subtitle,
        said=_said(held, band, x, y),
        table=[
            {"name": p.name, x: p.across, y: p.up, "unit": p.unit, "kind": p.kind}
            | {"factor": p.up / p.across if p in held else math.nan}
            for p in every
        ],
        height=height,
        left_out=left_out(odd, True),
    )


def _pair(name: str, pair: Sequence[Any], kind: str) -> Pair:
    if len(pair) != 2:
        raise BadArgument(name, f"{len(pair)} numbers", "give two: one across, one up")
    numbers = [number(value, name) for value in pair]
    first = next((value for value in numbers if isinstance(value, Quantity)), None)
    unit = "" if first is None else f"{first.units:~P}"
    across, up = Measure(name, unit).column(numbers, name)
    return Pair(name, across, up, unit, kind)


def _agreement(held: Sequence[Pair], x: Axis, y: Axis, band: float) -> list[alt.Chart]:
    """The line on which both agree, and the band about it, named where fewer points are."""
    line = [{"x": at, "y": at, "low": at / band, "high": at * band} for at in x.ends]
    area = of(line).mark_area(color=COLOUR["memory-shade"], clip=True)
    agreed = of(line).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.6)
    far = [x.share(p.across) > _FAR and y.share(p.up) > _FAR for p in held]
    near = [x.share(p.across) < 1 - _FAR and y.share(p.up) < 1 - _FAR for p in held]
    low = sum(far) > sum(near)
    end = x.ends[0 if low else 1]
    word = of([{"x": end, "y": end, "text": f"within {brief(band)} times"}])
    place: dict[str, Any] = (
        {"align": "left", "dx": 26, "dy": -8} if low else {"align": "right", "dx": -26, "dy": 8}
    )
    look: dict[str, Any] = {"fontSize": text_size(), "fontStyle": "italic", "color": MUTED}
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    return [
        area.encode(x.x(), y.y("low"), y2=alt.Y2("high:Q")),
        agreed.encode(**at),
        word.mark_text(**look, **place).encode(**at, text=alt.Text("text:N")),
    ]


def _points(
    held: Sequence[Pair], groups: Sequence[str], x: Axis, y: Axis, height: int
) -> list[alt.Chart]:
    if not held:
        return []
    shares = [(x.share(p.across), y.share(p.up), p.name * (len(held) <= _NAMED)) for p in held]
    rows = [
        {**p._asdict(), "x": p.across, "y": p.up, "off": times(_off(p)), **place}
        for p, place in zip(held, beside(shares, height), strict=True)
    ]
    listed = legend(groups)
    color = alt.Color("kind:N", legend=listed).scale(domain=list(groups), range=COLOURS)
    shape = alt.Shape("kind:N", legend=listed).scale(domain=list(groups), range=SHAPES)
    tips = [
        alt.Tooltip("name:N"), alt.Tooltip("x:Q", format=",.3~g", title=x.measure.title),
        alt.Tooltip("y:Q", format=",.3~g", title=y.measure.title), alt.Tooltip("unit:N"),
        alt.Tooltip("off:N", title="off by"),
    ]  # fmt: skip
    marks = of(rows).mark_point(filled=True, size=90, opacity=0.9, stroke=CARD, strokeWidth=1)
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    return [
        marks.encode(**at, color=color, shape=shape, tooltip=tips),
        *(words.encode(**at) for words in texts(of(rows))),
    ]


def _off(pair: Pair) -> float:
    return max(pair.up / pair.across, pair.across / pair.up)


def _finding(held: Sequence[Pair], band: float, y: str) -> str:
    """The title when the caller gives none: how many agree, and to which side the others lean."""
    if not held:
        return "Nothing to compare"
    inside = sum(_off(p) <= band for p in held)
    over = sum(p.up > p.across for p in held)
    if len(held) > 1 and over in (0, len(held)):
        return f"All {len(held)} lie {'above' if over else 'below'} the line"
    return f"{inside} of {len(held)} within a factor of {brief(band)}"


def _said(held: Sequence[Pair], band: float, x: str, y: str) -> str:
    head = f"{y} against {x}, both logarithmic"
    if not held:
        return f"{head}. No points"
    logs = [math.log(p.up / p.across) for p in held]
    middle = math.exp(sum(logs) / len(logs))
    typical = math.exp(sum(map(abs, logs)) / len(logs))
    inside = sum(_off(p) <= band for p in held)
    parts = [
        f"{inside} of {len(held)} within a factor of {brief(band)}",
        f"in the middle {times(middle)} the line",
        f"typically off by {times(typical)}",
    ]
    far = max(held, key=_off)
    parts.append(f"farthest is {far.name}, {times(_off(far))}")
    if len(held) <= _NAMED:
        parts += [f"{p.name}: {brief(p.across)} and {brief(p.up)} {p.unit}".strip() for p in held]
    return f"{head}. {'; '.join(parts)}"
