"""A front: all designs of a search, those that no other beats, and the one where it bends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.guesses import diamond
from mlsysim.charts.labels import beside, legend, texts
from mlsysim.charts.theme import CARD, COLOUR, COLOURS, INK, SHAPES
from mlsysim.charts.values import Measure, brief, drawable, each, left_out
from mlsysim.core.errors import BadArgument
from mlsysim.core.search import knee, pareto

_CLOUD = 600  # designs of the cloud that are drawn; of more, every n-th
_SAID = 12  # designs of the front that are told one by one


class Design(NamedTuple):
    """One design: what it costs on both axes, its name, its kind, and whether it is feasible."""

    x: float
    y: float
    name: str
    kind: str
    feasible: bool


@drawn
def front(
    points: Sequence[Any],
    *,
    x: str,
    y: str,
    names: Sequence[str] = (),
    kinds: Sequence[str] = (),
    feasible: Any = (),
    log: str = "",
    larger_is_better: str = "",
    guess: Any = None,
    title: str | None = None,
    subtitle: str = "",
    height: int = 360,
) -> alt.LayerChart:
    """Designs as `points` (xs and ys), and the line through those that no feasible one beats.

    Less is better on both axes, unless `larger_is_better` says "x", "y" or "xy". `kinds` colours
    the front, `feasible` false makes a design hollow, and the knee of the front is named. `guess`
    is a pair, such as the design of a learner.
    """
    measures, designs = _read(points, (x, y), names, kinds, feasible)
    logs = ["x" in log, "y" in log]
    held = [d for d in designs if drawable(d.x, logs[0]) and drawable(d.y, logs[1])]
    best, bend = _best([d for d in held if d.feasible], larger_is_better, logs)
    pair = [m.read(v, "guess") for m, v in zip(measures, guess or (), strict=False)]
    guesses = [(pair[0], pair[1], "you")] if len(pair) == 2 else []
    axes = []
    for n, column in enumerate(([d.x for d in held], [d.y for d in held])):
        reach = [*column, *(v for v in pair[n : n + 1] if drawable(v, logs[n]))]
        axes.append(Axis.over(measures[n], reach, log=logs[n], air=(0.06, 0.06)))
    across, up = axes
    odd = [
        (d.name or f"design {n}", d.y if drawable(d.x, logs[0]) else d.x)
        for n, d in enumerate(designs, 1)
        if not (drawable(d.x, logs[0]) and drawable(d.y, logs[1]))
    ]
    found = f"{len(best)} of {len(designs):,} designs are worth a second look"
    return finish(
        *_cloud(held, best, across, up),
        *_line(best, bend, across, up, height),
        *diamond(guesses, across, up, height, [(across.share(d.x), up.share(d.y)) for d in best]),
        title=found if title is None else title,
        subtitle=subtitle,
        said=_said(held, best, bend, guesses, measures),
        table=_table(held, best, measures),
        height=height,
        left_out=left_out(odd, True) if odd else "",
    )


def _said(
    held: Sequence[Design],
    best: Sequence[Design],
    bend: Design | None,
    guesses: Sequence[tuple[float, float, str]],
    measures: Sequence[Measure],
) -> str:
    x, y = measures
    lost = sum(not d.feasible for d in held)
    told = [f"{len(best)} on the front of {len(held)} designs"]
    told += [f"{lost} {'is' if lost == 1 else 'are'} not feasible"] * bool(lost)
    shown = best[:: 1 + len(best) // _SAID]
    told += [f"{d.name or 'a design'}: {x.say(d.x)} and {y.say(d.y)}" for d in shown]
    if bend:
        told.append(f"its knee is {bend.name or 'at ' + x.say(bend.x)}")
    told += [f"you: {x.say(a)} and {y.say(b)}" for a, b, _ in guesses]
    return f"{y.title} against {x.title}. {'; '.join(told)}"


def _table(
    held: Sequence[Design], best: Sequence[Design], measures: Sequence[Measure]
) -> list[dict[str, Any]]:
    """The front, and as much of the cloud as is drawn."""
    front_of = set(best)
    return [
        {"design": d.name, measures[0].title: d.x, measures[1].title: d.y, "kind": d.kind}
        | {"feasible": d.feasible, "on the front": d in front_of}
        for d in dict.fromkeys([*best, *_thinned(held)])
    ]


def _read(
    points: Sequence[Any],
    titles: tuple[str, str],
    names: Sequence[str],
    kinds: Sequence[str],
    feasible: Any,
) -> tuple[list[Measure], list[Design]]:
    if len(points) != 2:
        raise BadArgument("points", f"{len(points)} columns", "give xs and as many ys")
    columns = [each(column) for column in points]
    count = len(columns[0])
    more = {
        "ys": columns[1],
        "names": list(names),
        "kinds": list(kinds),
        "feasible": each(feasible),
    }
    for name, held in more.items():
        if len(held) not in ({count} if name == "ys" else {0, count}):
            raise BadArgument(name, f"{len(held)} values", f"give one for each of {count} designs")
    groups = dict.fromkeys(more["kinds"])
    if len(groups) > len(COLOURS):
        remedy = f"at most {len(COLOURS)} can be told apart"
        raise BadArgument("kinds", f"{len(groups)} kinds", remedy)
    measures = [Measure.of(title, held) for title, held in zip(titles, columns, strict=True)]
    xs, ys = (m.column(held, m.title) for m, held in zip(measures, columns, strict=True))
    fits = [bool(fit) for fit in more["feasible"]] or [True] * count
    named, grouped = more["names"] or [""] * count, more["kinds"] or [""] * count
    return measures, [Design(*row) for row in zip(xs, ys, named, grouped, fits, strict=True)]


def _best(
    designs: Sequence[Design], larger: str, logs: Sequence[bool]
) -> tuple[list[Design], Design | None]:
    """The designs that none beats, along x, and the knee among them where it has one."""
    if not designs:
        return [], None
    signs = np.array([-1.0 if axis in larger else 1.0 for axis in "xy"])
    costs = np.array([[d.x, d.y] for d in designs]) * signs
    best = costs[rows := pareto(costs)]
    scaled = np.where(logs, np.log(np.abs(best) + (best == 0)) * signs, best)
    bend = designs[rows[knee(scaled)]] if len(rows) > 2 else None
    return sorted(designs[row] for row in rows), bend


def _thinned(designs: Sequence[Design]) -> Sequence[Design]:
    return designs[:: 1 + len(designs) // _CLOUD]


def _cloud(held: Sequence[Design], best: Sequence[Design], x: Axis, y: Axis) -> list[alt.Chart]:
    """All designs, pale; hollow where they are not feasible."""
    front_of = set(best)
    rest = [d._asdict() for d in _thinned([d for d in held if d not in front_of])]
    fill = alt.when("datum.feasible").then(alt.value(COLOUR["axis"])).otherwise(alt.value(CARD))
    base = of([{"x": x.ends[0], "y": y.ends[0]}]).mark_point(opacity=0)
    dots = of(rest).mark_point(filled=True, size=36, stroke=COLOUR["axis"], strokeWidth=1.2)
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    return [
        base.encode(x.x(), y.y()),
        dots.encode(
            **at, fill=fill, tooltip=[alt.Tooltip("name:N"), alt.Tooltip("x:Q"), alt.Tooltip("y:Q")]
        ),
    ]


def _line(
    best: Sequence[Design], bend: Design | None, x: Axis, y: Axis, height: int
) -> list[alt.Chart]:
    """The front, in the colours of its kinds, and its knee."""
    if not best:
        return []
    kinds = list(dict.fromkeys(d.kind for d in best))
    listed = legend(kinds)
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    rows = [d._asdict() for d in best]
    color: Any = alt.Color("kind:N", legend=listed).scale(domain=kinds, range=COLOURS)
    shape = alt.Shape("kind:N", legend=listed).scale(domain=kinds, range=SHAPES)
    line = of(rows).mark_line(color=COLOUR["muted"], strokeWidth=1.6, interpolate="step-after")
    dots = of(rows).mark_point(filled=True, size=70, opacity=1)
    layers = [
        line.encode(**at),
        dots.encode(**at, color=color, shape=shape, tooltip=[alt.Tooltip("name:N")]),
    ]
    if bend:
        spots = [(x.share(d.x), y.share(d.y)) for d in best]
        said = f"knee: {bend.name}" if bend.name else f"knee {brief(bend.x)}, {brief(bend.y)}"
        (place,) = beside([(x.share(bend.x), y.share(bend.y), said)], height, marks=spots)
        row = of([{"x": bend.x, "y": bend.y, **place}])
        ring = row.mark_point(size=260, strokeWidth=2, color=INK, opacity=1)
        layers += [ring.encode(**at), *(words.encode(**at) for words in texts(row, weight=600))]
    return layers
