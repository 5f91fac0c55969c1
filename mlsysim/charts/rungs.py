"""A ladder: for each machine the rates of its levels on one axis, the one in use lit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import beside, texts
from mlsysim.charts.rows import Names, along, frame, marks
from mlsysim.charts.theme import COLOUR, COLOURS, GRID
from mlsysim.charts.values import Measure, drawable, left_out, times
from mlsysim.core.errors import BadArgument


@drawn
def ladder(
    machines: Mapping[str, Mapping[str, Any]],
    *,
    x: str,
    lit: Mapping[str, str] | None = None,
    guess: Mapping[str, Any] | None = None,
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """The rungs of each machine (on-chip, memory, link) on a logarithmic axis.

    `lit` names the rung that a machine works on: it stands out and the others are pale. `guess`
    marks where a learner took a machine to be.
    """
    for name, rung in (lit or {}).items():
        if rung not in machines.get(name, {}):
            raise BadArgument("lit", f"{name}: {rung}", f"{name} has no such rung in this chart")
    given = [value for rungs in machines.values() for value in rungs.values()]
    measure = Measure.of(x, given)
    plain = {
        name: {rung: measure.read(value, f"{name}: {rung}") for rung, value in rungs.items()}
        for name, rungs in machines.items()
    }
    guesses = {name: measure.read(value, "guess") for name, value in (guess or {}).items()}
    every = [(f"{name}: {r}", v) for name, rungs in plain.items() for r, v in rungs.items()]
    held = [
        (name, rung, value)
        for name, rungs in plain.items()
        for rung, value in rungs.items()
        if drawable(value, True)
    ]
    names = Names([name for name in plain if any(n == name for n, _, _ in held)])
    reach = [*(v for *_, v in held), *(v for v in guesses.values() if drawable(v, True))]
    axis = along(measure, reach, log=True, words=["memory"])
    rows = [{"name": n, "rung": r, "x": v, "lit": (lit or {}).get(n, r) == r} for n, r, v in held]
    step = 1 / max(len(names.names), 1)
    heights = {name: 1 - (n + 0.5) * step for n, name in enumerate(names.names)}
    shares = [(axis.share(row["x"]), heights[row["name"]], row["rung"]) for row in rows]
    placed = beside(shares, float(names.height))
    told = of([{**row, **place} for row, place in zip(rows, placed, strict=True)])
    color = alt.when("datum.lit").then(alt.value(COLOURS[0])).otherwise(alt.value(COLOUR["axis"]))
    at = {"x": axis.x(shown=False), "y": names.y()}
    guide = of([{"name": n, "x": axis.ends[0], "to": axis.ends[1]} for n in names.names])
    dots = of(rows).mark_point(filled=True, opacity=1, size=150)
    parts = [
        f"{name}: {rung} {measure.scaled(value)}{' (in use)' * ((lit or {}).get(name) == rung)}"
        for name, rung, value in held
    ]
    parts += [f"you on {name}: {measure.scaled(value)}" for name, value in guesses.items()]
    return finish(
        frame(names, axis),
        guide.mark_rule(color=GRID, strokeWidth=2).encode(**at, x2=alt.X2("to:Q")),
        dots.encode(
            **at,
            color=color,
            tooltip=[alt.Tooltip("name:N"), alt.Tooltip("rung:N"), alt.Tooltip("x:Q")],
        ),
        *(words.encode(**at) for words in texts(told)),
        *marks(guesses, names, axis),
        title=_finding(plain, lit or {}) if title is None else title,
        subtitle=subtitle,
        said=f"{measure.title}, logarithmic. {'; '.join(parts) or 'No rungs'}",
        table=[
            {"machine": name, "rung": rung, measure.title: value}
            for name, rungs in plain.items()
            for rung, value in rungs.items()
        ],
        height=names.height,
        left_out=left_out(every, True),
    )


def _finding(plain: Mapping[str, Mapping[str, float]], lit: Mapping[str, str]) -> str:
    """The title when the caller gives none: how far below its fastest rung a machine works."""
    best = ("", 1.0)
    for name, rung in lit.items():
        fast = max((v for v in plain[name].values() if drawable(v, True)), default=0.0)
        if drawable(plain[name][rung], True) and fast / plain[name][rung] > best[1]:
            best = name, fast / plain[name][rung]
    if best[0]:
        return f"The {best[0]} works {times(best[1])} below its fastest rung"
    return "Each works on its fastest rung" if lit else "Rungs, from the slowest to the fastest"
