"""Curves: how one number follows another, for a few series, with what was measured and guessed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis, looked_up
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.guesses import diamond
from mlsysim.charts.labels import beside, spread, texts
from mlsysim.charts.theme import CARD, COLOURS, DASHES, INK, LABEL, MUTED, SHAPES, SLIDE, text_size
from mlsysim.charts.values import SAME, Measure, between, brief, drawable, each, left_out, times
from mlsysim.core.errors import BadArgument

_MOST = len(COLOURS)
_FEW = 12  # points of a line that each get a dot
Point = tuple[float, float, bool]
Share = tuple[float, float]


class Curve(NamedTuple):
    """One series: its points in order of x, and whether each of them is feasible."""

    name: str
    points: list[Point]

    def at(self, x: float, log: bool) -> float:
        """The height at `x`, on the straight line between the points beside it."""
        for (a, low, _), (b, high, _) in pairwise(self.points):
            if a <= x <= b:
                share = (x - a) / (b - a) if b > a else 0.0
                return between(low, high, share, log)
        return math.nan


class Plane(NamedTuple):
    """Where points go: both axes, and how many pixels high the plot is."""

    x: Axis
    y: Axis
    height: int

    @property
    def at(self) -> dict[str, Any]:
        """Both channels, without axes of their own."""
        return {"x": self.x.x(shown=False), "y": self.y.y(shown=False)}

    def holds(self, point: Sequence[Any]) -> bool:
        """Whether a point has a place."""
        return drawable(point[0], self.x.log) and drawable(point[1], self.y.log)

    def share(self, point: Sequence[Any]) -> tuple[float, float]:
        """Where a point lies, from 0 to 1 across and up."""
        return self.x.share(point[0]), self.y.share(point[1])


@drawn
def lines(
    series: Mapping[str, Sequence[Any]],
    *,
    x: str,
    y: str,
    log: str = "",
    dots: Mapping[str, Sequence[Any]] | None = None,
    level: Mapping[str, Any] | None = None,
    upright: Mapping[str, Any] | None = None,
    guess: Any = None,
    title: str | None = None,
    subtitle: str = "",
    height: int = 340,
) -> alt.LayerChart:
    """Lines of `series` (name to xs and ys), each with its name at its end.

    `x` and `y` are titles that name their unit, as in `Step (ms)`; `log` is "x", "y" or "xy". A
    third column of a series says which points are feasible: the others are hollow and their line
    is broken. `dots` are points without a line, such as measurements; `level` and `upright` are
    named lines across and up. `guess` is a pair of x and y, or a list of pairs.
    """
    if len(series) > _MOST:
        remedy = f"at most {_MOST} can be told apart; draw the ones that matter"
        raise BadArgument("series", f"{len(series)} series", remedy)
    named = {**series, **(dots or {}), **({"you": _columns(guess)} if guess is not None else {})}
    measures, points = _read((x, y), named)
    ups = {name: measures[0].read(at, name) for name, at in (upright or {}).items()}
    levels = {name: measures[1].read(at, name) for name, at in (level or {}).items()}
    plane = _plane(measures, points, log, (list(ups.values()), list(levels.values())), height)
    held = {name: sorted(p for p in each if plane.holds(p)) for name, each in points.items()}
    curves = [Curve(name, held[name]) for name in series if held[name]]
    measured = [Curve(name, held[name]) for name in (dots or {}) if held[name]]
    guesses, path = held.get("you", []), _path(curves, plane)
    return finish(
        *_rules(levels, ups, plane),
        *_curves(curves, plane),
        *_dots(measured, plane, path),
        *diamond([(a, b, "you") for a, b, _ in guesses], plane.x, plane.y, height, path),
        title=_finding(curves, plane) if title is None else title,
        subtitle=subtitle,
        said=_said([*curves, *measured], {**levels, **ups}, guesses, plane),
        table=[
            {"series": name, measures[0].title: a, measures[1].title: b, "feasible": fits}
            for name, each in points.items()
            for a, b, fits in each
        ],
        height=height,
        left_out=_left_out(points, plane),
    )


def _columns(guess: Any) -> tuple[list[Any], list[Any]]:
    """A pair, or a list of pairs, as two columns."""
    pairs = list(guess) if isinstance(guess[0], (tuple, list)) else [guess]
    return [across for across, _ in pairs], [up for _, up in pairs]


def _read(
    titles: tuple[str, str], named: Mapping[str, Sequence[Any]]
) -> tuple[list[Measure], dict[str, list[Point]]]:
    """The measures of both axes, and the points of every series as plain numbers."""
    columns = {name: [each(column) for column in held] for name, held in named.items()}
    for name, held in columns.items():
        if len(held) not in (2, 3) or len({len(column) for column in held}) > 1:
            sizes = " and ".join(str(len(column)) for column in held)
            raise BadArgument(name, f"columns of {sizes}", "give xs and as many ys")
    measures = [
        Measure.of(title, [value for held in columns.values() for value in held[n]])
        for n, title in enumerate(titles)
    ]
    points = {}
    for name, (xs, ys, *fits) in columns.items():
        across, up = measures[0].column(xs, name), measures[1].column(ys, name)
        feasible = map(bool, fits[0]) if fits else [True] * len(xs)
        points[name] = list(zip(across, up, feasible, strict=True))
    return measures, points


def _plane(
    measures: Sequence[Measure],
    points: Mapping[str, Sequence[Point]],
    log: str,
    more: tuple[list[float], list[float]],
    height: int,
) -> Plane:
    logs = ["x" in log, "y" in log]
    held = [p for each in points.values() for p in each if all(map(drawable, p, logs))]
    x = Axis.over(measures[0], [p[0] for p in held] + more[0], log=logs[0], air=(0.03, 0.04))
    base = [] if logs[1] else [0.0]
    up = Axis.over(
        measures[1], [p[1] for p in held] + more[1] + base, log=logs[1], air=(0.06 * logs[1], 0.1)
    )
    return Plane(x, up, height)


def _rules(levels: Mapping[str, float], ups: Mapping[str, float], plane: Plane) -> list[alt.Chart]:
    """Named lines across, with their names at the left, and up, with their names at the top."""
    (left, right), (low, high) = plane.x.ends, plane.y.ends
    across = [
        {"x": left, "to": right, "y": at, "name": name}
        for name, at in levels.items()
        if drawable(at, plane.y.log)
    ]
    up = [
        {"x": at, "y": low, "to": high, "name": name}
        for name, at in ups.items()
        if drawable(at, plane.x.log)
    ]
    rule: dict[str, Any] = {"color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.4}
    words: dict[str, Any] = {"color": MUTED, "fontSize": text_size(), "fontStyle": "italic"}
    base = of([{"x": left, "y": low}]).mark_point(opacity=0).encode(plane.x.x(), plane.y.y())
    return [
        base,
        of(across).mark_rule(**rule).encode(**plane.at, x2=alt.X2("to:Q")),
        of(across)
        .mark_text(**words, align="left", dx=4, dy=-9)
        .encode(**plane.at, text=alt.Text("name:N")),
        of(up).mark_rule(**rule).encode(**plane.at, y2=alt.Y2("to:Q")),
        of([{**row, "y": high} for row in up])
        .mark_text(**words, align="left", dx=5, dy=8)
        .encode(**plane.at, text=alt.Text("name:N")),
    ]


def _curves(curves: Sequence[Curve], plane: Plane) -> list[alt.Chart]:
    """The lines, solid as far as they are feasible; their names stand beside the plot."""
    names = [curve.name for curve in curves]
    rows: list[dict[str, Any]] = []
    for curve in curves:
        fits = [fit for _, _, fit in curve.points]
        for n, (a, b, fit) in enumerate(curve.points):
            row = {"name": curve.name, "x": a, "y": b, "feasible": fit}
            rows.append({**row, "part": f"{curve.name} {fit}"})
            if fit and n + 1 < len(fits) and not fits[n + 1]:  # where the broken line starts
                rows.append({**row, "part": f"{curve.name} False", "feasible": False})
    color: Any = alt.Color("name:N", legend=None).scale(domain=names, range=COLOURS)
    dash = alt.StrokeDash("name:N", legend=None).scale(domain=names, range=DASHES)
    line, base = {"strokeWidth": 2.8, "strokeJoin": "round", "clip": True}, of(rows)
    tips = [alt.Tooltip("name:N"), _tip("x", plane.x), _tip("y", plane.y)]
    fits_not: Any = alt.when("!datum.feasible").then(alt.value(CARD)).otherwise(color)
    solid = base.transform_filter("datum.feasible").mark_line(**line)
    broken = base.transform_filter("!datum.feasible").mark_line(
        **line, opacity=0.55, strokeDash=[2, 5]
    )
    seen = [(c.name, p) for c in curves for p in c.points if len(c.points) <= _FEW or not p[2]]
    points = of([{"name": n, "x": a, "y": b, "feasible": fit} for n, (a, b, fit) in seen])
    return [
        solid.encode(**plane.at, color=color, strokeDash=dash, detail=alt.Detail("part:N")),
        broken.encode(**plane.at, color=color, detail=alt.Detail("part:N")),
        points.mark_point(filled=True, opacity=1, size=52, strokeWidth=2).encode(
            **plane.at, stroke=color, fill=fits_not, tooltip=tips
        ),
        _ends(curves, plane),
    ]


def _ends(curves: Sequence[Curve], plane: Plane) -> alt.Chart:
    """The names of the lines as the labels of an axis at the right, with room between them."""
    gap = LABEL[SLIDE] + 2.0
    wanted = [(1 - plane.y.share(curve.points[-1][1])) * plane.height for curve in curves]
    places = spread(wanted, gap, 0.0, float(plane.height))
    (low, high), log = plane.y.ends, plane.y.log
    heights = [1 - place / plane.height for place in places]
    values = [between(low, high, h, log) for h in heights]
    names = looked_up(values, [curve.name for curve in curves])
    axis: dict[str, Any] = {"orient": "right", "values": values, "labelExpr": names, "grid": False}
    axis |= {"ticks": False, "domain": False, "title": None, "labelOverlap": False, "aria": False}
    y = plane.y.y(**axis, labelColor=INK, labelFontWeight=600).title(None)
    return (
        of([{"x": plane.x.ends[0], "y": low}])
        .mark_point(opacity=0)
        .encode(plane.x.x(shown=False), y)
    )


def _path(curves: Sequence[Curve], plane: Plane) -> list[Share]:
    """Spots along the lines that words keep clear of."""
    spots = []
    for curve in curves:
        shares = [plane.share(point) for point in curve.points]
        for (a, b), (c, d) in pairwise(shares):
            steps = 1 + int(max(abs(c - a), abs(d - b)) * 40)
            spots += [(a + (c - a) * n / steps, b + (d - b) * n / steps) for n in range(steps)]
    return spots


def _dots(measured: Sequence[Curve], plane: Plane, path: Sequence[Share]) -> list[alt.Chart]:
    """Points of their own, with the name of each group beside its last point."""
    if not measured:
        return []
    names = [curve.name for curve in measured]
    points = [p for curve in measured for p in curve.points]
    last = {id(curve.points[-1]): curve.name for curve in measured}
    said = [last.get(id(p), "") for p in points]
    places = beside(
        [(*plane.share(p), name) for p, name in zip(points, said, strict=True)], plane.height
    )
    rows = [{"name": curve.name, "x": a, "y": b} for curve in measured for a, b, _ in curve.points]
    rows = [{**row, **place} for row, place in zip(rows, places, strict=True)]
    shape = alt.Shape("name:N", legend=None).scale(domain=names, range=SHAPES[1:])
    tips = [alt.Tooltip("name:N"), _tip("x", plane.x), _tip("y", plane.y)]
    marks = of(rows).mark_point(filled=True, size=64, opacity=1, color=INK)
    return [
        marks.encode(**plane.at, shape=shape, tooltip=tips),
        *(words.encode(**plane.at) for words in texts(of(rows))),
    ]


def _tip(field: str, axis: Axis) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", format=",.4~g", title=axis.measure.title)


def _crossings(curves: Sequence[Curve], plane: Plane) -> Iterator[tuple[str, str, float]]:
    """Where two lines change places, on the straight lines between their points."""
    logs = plane.x.log, plane.y.log
    for n, one in enumerate(curves):
        for other in curves[n + 1 :]:
            xs = sorted({p[0] for p in [*one.points, *other.points]})
            gaps = [(x, _gap(one, other, x, logs[1])) for x in xs]
            gaps = [(x, gap) for x, gap in gaps if not math.isnan(gap)]
            for (a, before), (b, after) in pairwise(gaps):
                if before * after < 0:
                    share = before / (before - after)
                    yield one.name, other.name, between(a, b, share, logs[0])


def _gap(one: Curve, other: Curve, x: float, log: bool) -> float:
    a, b = one.at(x, log), other.at(x, log)
    return math.log(a) - math.log(b) if log else a - b


def _finding(curves: Sequence[Curve], plane: Plane) -> str:
    """The title when the caller gives none: where lines cross, or how far they run apart."""
    what = plane.y.measure.title.partition(" (")[0]
    for one, other, at in _crossings(curves, plane):
        return f"{one} and {other} cross at {plane.x.measure.say(at)}"
    ends = [(curve.points[-1][1], curve.name) for curve in curves]
    if len(ends) > 1 and min(ends)[0] > 0 and max(ends)[0] > SAME * min(ends)[0]:
        return f"{what}: {max(ends)[1]} ends at {times(max(ends)[0] / min(ends)[0])} {min(ends)[1]}"
    if not curves:
        return f"{what}: nothing to draw"
    if len(curves[0].points) == 1:
        at, here = curves[0].points[0][:2]
        return f"{what}: {plane.y.measure.say(here)} at {plane.x.measure.say(at)}"
    first, last = curves[0].points[0][1], curves[0].points[-1][1]
    if min(first, last) > 0 and max(first / last, last / first) > SAME:
        way = "grows" if last > first else "shrinks"
        return f"{what} {way} {times(max(first / last, last / first))}"
    return f"{what} stays the same" if first == last else f"{what} against {plane.x.measure.title}"


def _said(
    curves: Sequence[Curve], rules: Mapping[str, float], guesses: Sequence[Point], plane: Plane
) -> str:
    """Each line from its first point to its last, its extremes, and where lines cross."""
    x, y = plane.x.measure, plane.y.measure
    parts = []
    for curve in curves:
        (a, b, _), (c, d, _) = curve.points[0], curve.points[-1]
        part = f"{curve.name}: {y.say(b)} at {x.say(a)}"
        if len(curve.points) > 1:
            low, high = (end(p[1] for p in curve.points) for end in (min, max))
            inside = [f"least {brief(low)}"] * (low < min(b, d))
            inside += [f"most {brief(high)}"] * (high > max(b, d))
            part += ", ".join(["", f"{y.say(d)} at {x.say(c)}", *inside])
        bad = [p[0] for p in curve.points if not p[2]]
        parts.append(f"{part}, not feasible from {x.say(bad[0])} on" if bad else part)
    parts += [
        f"{one} and {other} cross at {x.say(at)}" for one, other, at in _crossings(curves, plane)
    ]
    parts += [f"{name}: {brief(at)}" for name, at in rules.items()]
    parts += [f"you: {y.say(b)} at {x.say(a)}" for a, b, _ in guesses]
    head = f"{y.title} against {x.title}"
    return f"{head}. {'; '.join(parts)}" if parts else f"{head}. No points"


def _left_out(points: Mapping[str, Sequence[Point]], plane: Plane) -> str:
    lost = [
        (f"{name} at {brief(a)}", b if drawable(a, plane.x.log) else a)
        for name, held in points.items()
        for a, b, _ in held
        if not plane.holds((a, b))
    ]
    return left_out(lost, True)
