"""Bars: parts of a whole under a limit, and things in order. On a log axis they are dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import legend, texts, wide
from mlsysim.charts.rows import BAR, Names, Span, along, ends, frame, marks, spans, upright
from mlsysim.charts.theme import BARS, CARD, COLOUR, COLOURS, GRID, ON
from mlsysim.charts.values import SAME, Measure, brief, drawable, left_out, times
from mlsysim.core.errors import BadArgument, OutOfRange

_MOST = len(COLOURS)


@drawn
def stack(
    bars: Mapping[str, Mapping[str, Any]],
    *,
    x: str,
    limit: Any = None,
    notes: Mapping[str, str] | None = None,
    guess: Mapping[str, Any] | None = None,
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """One bar a name, made of its parts in order; what lies over `limit` is hollow.

    `x` is a title that names its unit, as in `Memory (GB)`. `notes` stand at the ends of bars in
    place of their sums; `guess` marks a predicted sum on a bar.
    """
    parts = list(dict.fromkeys(part for held in bars.values() for part in held))
    if len(parts) > _MOST:
        raise BadArgument("bars", f"{len(parts)} parts", f"give at most {_MOST}; add up the small")
    given = [value for held in bars.values() for value in held.values()]
    measure = Measure.of(x, given if limit is None else [*given, limit])
    plain = {name: _parts(measure, name, held) for name, held in bars.items()}
    bound = None if limit is None else measure.read(limit, "limit")
    guesses = {name: measure.read(value, "guess") for name, value in (guess or {}).items()}
    totals = {name: sum(filter(drawable, held.values())) for name, held in plain.items()}
    said = {name: (notes or {}).get(name, brief(total)) for name, total in totals.items()}
    reach = [*totals.values(), *filter(drawable, guesses.values())]
    axis = along(measure, [*reach, bound or 0.0], log=False, words=list(said.values()))
    names = Names(list(plain))
    tips = [{"name": n, "x": total, "text": said[n]} for n, total in totals.items()]
    lines = {} if bound is None else {f"limit {measure.say(bound)}": bound}
    over = [name for name, total in totals.items() if bound is not None and total > bound]
    return finish(
        frame(names, axis),
        *_segments(plain, parts, bound, names, axis),
        ends(tips, names, axis),
        *upright(lines, axis, strong=True),
        *marks(guesses, names, axis),
        title=_within(totals, bound, over, measure) if title is None else title,
        subtitle=subtitle,
        said=_said_stack(plain, totals, measure, [*lines, *(f"{n} is over it" for n in over)])
        + _guessed(guesses, measure),
        table=[
            {"bar": name, "part": part, measure.title: value}
            for name, held in plain.items()
            for part, value in held.items()
        ],
        height=names.height,
        left_out=left_out([(f"{n}: {p}", v) for n, held in plain.items() for p, v in held.items()]),
    )


def _parts(measure: Measure, name: str, held: Mapping[str, Any]) -> dict[str, float]:
    parts = {part: measure.read(value, f"{name}: {part}") for part, value in held.items()}
    for part, value in parts.items():
        if value < 0:
            raise OutOfRange(f"{name}: {part}", value, "a part of a whole is at least zero")
    return parts


def _segments(
    plain: Mapping[str, Mapping[str, float]],
    parts: Sequence[str],
    bound: float | None,
    names: Names,
    x: Axis,
) -> list[alt.Chart]:
    """The parts as filled bars, hollow beyond the limit, with their names in them or above."""
    rows, limit = [], float("inf") if bound is None else bound
    for name, held in plain.items():
        start = 0.0
        for part, value in held.items():
            if not drawable(value):
                continue
            cuts = [start, *([limit] if start < limit < start + value else []), start + value]
            largest = max(high - low for low, high in pairwise(cuts))
            for low, high in pairwise(cuts):
                row = {"name": name, "part": part, "from": low, "x": high, "value": value}
                row |= {"over": low >= limit, "middle": (low + high) / 2}
                rows.append({**row, "said": high - low == largest})
            start += value
    direct = all(
        any(row["part"] == part and _room(row, "phone", x) >= wide(part, "phone") for row in rows)
        for part in parts
    )
    listed = None if direct else legend(list(parts), offset=18 if bound is None else 34)
    color = alt.Color("part:N", legend=listed).scale(domain=list(parts), range=COLOURS)
    at = {"x": x.x("from", shown=False), "x2": alt.X2("x:Q"), "y": names.y()}
    tips = [alt.Tooltip("name:N"), alt.Tooltip("part:N"), alt.Tooltip("value:Q", format=",.4~g")]
    base, bar = of(rows), {"size": BAR, "strokeWidth": 1.5}
    said = [_inside(row, x, direct) if row["said"] else [""] * 3 for row in rows]
    on = [COLOUR["ink"] if row["over"] else ON[parts.index(row["part"])] for row in rows]
    words = of([{**r, "text": t, "on": c} for r, t, c in zip(rows, said, on, strict=True)])
    middle = {"x": x.x("middle", shown=False), "y": names.y()}
    outline = alt.Stroke("part:N", legend=None).scale(domain=list(parts), range=COLOURS)
    solid = base.transform_filter("!datum.over").mark_bar(**bar, stroke=CARD)
    hollow = base.transform_filter("datum.over").mark_bar(**bar, fill=CARD)
    told = texts(words, color={"expr": "datum.on"}, dx=0, dy=0, align="center")[1]
    return [
        solid.encode(**at, color=color, tooltip=tips),
        hollow.encode(**at, stroke=outline, tooltip=tips),
        told.encode(**middle),
    ]


def _room(row: Mapping[str, Any], size: str, x: Axis) -> float:
    """About how many pixels a segment takes, less its edges."""
    return (row["x"] - row["from"]) / (x.ends[1] - x.ends[0]) * BARS[size] - 8


def _inside(row: Mapping[str, Any], x: Axis, direct: bool) -> list[str]:
    """What fits into a segment at each size: its name and value, one of them, or nothing."""
    whole = [f"{row['part']} {brief(row['value'])}", row["part"]] if direct else []
    return [
        next((t for t in (*whole, brief(row["value"])) if wide(t, s) <= _room(row, s, x)), "")
        for s in BARS
    ]


def _within(
    totals: Mapping[str, float], bound: float | None, over: Sequence[str], measure: Measure
) -> str:
    """The title when the caller gives none: what fits, or what is how much more than what."""
    if not totals:
        return "Nothing to add up"
    if bound is None:
        return _first(totals, measure)
    if over:
        does = "does" if len(over) == 1 else "do"
        return f"{' and '.join(over[:2])} {does} not fit in {measure.say(bound)}"
    who = f"{next(iter(totals))} fits" if len(totals) == 1 else "All fit"
    return f"{who} in {measure.say(bound)}"


def _first(values: Mapping[str, float], measure: Measure) -> str:
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    if 0 < SAME * values[low] < values[high]:
        return f"{high} is {times(values[high] / values[low])} {low}"
    return f"{high}: {measure.say(values[high])}"


def _said_stack(
    plain: Mapping[str, Mapping[str, float]],
    totals: Mapping[str, float],
    measure: Measure,
    more: Sequence[str],
) -> str:
    bars = []
    for name, held in plain.items():
        parts = ", ".join(f"{part} {brief(value)}" for part, value in held.items())
        bars.append(f"{name}: {measure.say(totals[name])} ({parts})")
    return f"{measure.title}. {'; '.join([*bars, *more]) or 'No bars'}"


def _two(measure: Measure, name: str, given: Sequence[tuple[Any, Any]]) -> list[Span]:
    """From where to where a value is with 50 %, and with 90 %."""
    if len(given) != 2 or any(len(each) != 2 for each in given):
        remedy = "give two pairs, from where to where with 50 % and with 90 %"
        raise BadArgument(f"ranges[{name!r}]", given, remedy)
    return [(measure.read(low, name), measure.read(high, name)) for low, high in given]


def _ranged(ranges: Mapping[str, Sequence[Span]], measure: Measure) -> str:
    return "".join(
        f"; {name} is from {measure.say(low)} to {measure.say(high)} with {part} %"
        for name, each in ranges.items()
        for part, (low, high) in zip((50, 90), each, strict=True)
    )


def _guessed(guesses: Mapping[str, float], measure: Measure) -> str:
    return "".join(f"; you on {name}: {measure.say(value)}" for name, value in guesses.items())


@drawn
def ranked(
    values: Mapping[str, Any],
    *,
    x: str,
    log: bool = False,
    sort: bool = True,
    highlight: Sequence[str] = (),
    hollow: Sequence[str] = (),
    ranges: Mapping[str, Sequence[tuple[Any, Any]]] | None = None,
    level: Mapping[str, Any] | None = None,
    guess: Mapping[str, Any] | None = None,
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """Names by their values, the largest first, with each value at the end of its bar.

    On a `log` axis, which has no zero for a bar to start from, they are dots. `sort` off keeps the
    order given. `highlight` names stand out, `hollow` ones are not feasible; `ranges` hold from
    where to where the value of a name may lie, with 50 % and with 90 %; `level` are named lines
    across all, `guess` marks predicted values.
    """
    measure = Measure.of(x, [*values.values(), *(level or {}).values()])
    plain = {name: measure.read(value, name) for name, value in values.items()}
    guesses = {name: measure.read(value, "guess") for name, value in (guess or {}).items()}
    levels = {name: measure.read(value, name) for name, value in (level or {}).items()}
    held = {name: value for name, value in plain.items() if drawable(value, log)}
    order = sorted(held, key=held.__getitem__, reverse=True) if sort else list(held)
    names = Names(order)
    about = {name: _two(measure, name, each) for name, each in (ranges or {}).items()}
    far = {name: max(end for each in about[name] for end in each) for name in about}
    every = (*held.values(), *guesses.values(), *levels.values(), *far.values())
    reach = [v for v in every if drawable(v, log)]
    say = measure.scaled if log else brief
    said = {name: say(value) for name, value in held.items()}
    axis = along(measure, reach, log=log, words=list(said.values()))
    rows = [
        {"name": n, "x": held[n], "from": axis.ends[0] if log else 0.0, "text": said[n],
         "left": held[n] < 0, "hollow": n in hollow, "pale": bool(highlight) and n not in highlight}
        for n in order
    ]  # fmt: skip
    return finish(
        frame(names, axis),
        *_shapes(rows, names, axis),
        *spans(about, names, axis),
        ends([{**row, "x": far.get(row["name"], row["x"])} for row in rows], names, axis),
        *upright(levels, axis),
        *marks(guesses, names, axis),
        title=(_first(held, measure) if held else "Nothing to rank") if title is None else title,
        subtitle=subtitle,
        said=_said_ranked(order, held, hollow, levels, measure)
        + _ranged(about, measure)
        + _guessed(guesses, measure),
        table=[
            {"name": name, measure.title: value, "feasible": name not in hollow}
            | ({"from": about[name][-1][0], "to": about[name][-1][1]} if name in about else {})
            for name, value in plain.items()
        ],
        height=names.height,
        left_out=left_out(list(plain.items()), log),
    )  # fmt: skip


def _shapes(rows: Sequence[Mapping[str, Any]], names: Names, x: Axis) -> list[alt.Chart]:
    pale = alt.when("datum.pale").then(alt.value(COLOUR["axis"])).otherwise(alt.value(COLOURS[0]))
    fill = alt.when("datum.hollow").then(alt.value(CARD)).when("datum.pale")
    look = {"stroke": pale, "y": names.y(), "tooltip": [alt.Tooltip("name:N"), alt.Tooltip("x:Q")]}
    look["fill"] = fill.then(alt.value(COLOUR["axis"])).otherwise(alt.value(COLOURS[0]))
    base = of(rows)
    if not x.log:
        bar = base.mark_bar(size=BAR, strokeWidth=2)
        return [bar.encode(x.x("from", shown=False), x2=alt.X2("x:Q"), **look)]
    guide = base.mark_rule(color=GRID, strokeWidth=2)
    dot = base.mark_point(filled=True, size=130, opacity=1, strokeWidth=2)
    return [
        guide.encode(x.x("from", shown=False), names.y(), x2=alt.X2("x:Q")),
        dot.encode(x.x(shown=False), **look),
    ]


def _said_ranked(
    order: Sequence[str],
    held: Mapping[str, float],
    hollow: Sequence[str],
    levels: Mapping[str, float],
    measure: Measure,
) -> str:
    parts = [f"{n}: {measure.say(held[n])}{' (not feasible)' * (n in hollow)}" for n in order]
    parts += [f"{name}: {measure.say(value)}" for name, value in levels.items()]
    return f"{measure.title}. {'; '.join(parts) or 'No rows'}"
