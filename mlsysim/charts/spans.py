"""Spans of time: what runs when, lane by lane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import legend, texts, wide
from mlsysim.charts.rows import BAR, Names, along, ends, frame, marks, upright
from mlsysim.charts.theme import BARS, CARD, COLOURS, ON
from mlsysim.charts.values import Measure, brief, drawable, left_out
from mlsysim.core.errors import BadArgument, OutOfRange


class Task(NamedTuple):
    """What runs in a lane from a start to an end."""

    lane: str
    what: str
    start: float
    end: float


@drawn
def gantt(
    tasks: Iterable[Sequence[Any]],
    *,
    x: str,
    level: Mapping[str, Any] | None = None,
    guess: Mapping[str, Any] | None = None,
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """Tasks (lane, what, start, end) as bars in time, one row a lane, one colour a kind of work.

    `level` are named moments, such as the first token; `guess` marks a predicted end of a lane.
    """
    given = [tuple(task) for task in tasks]
    for task in given:
        if len(task) != 4:
            raise BadArgument("tasks", task, "give each as lane, what, start and end")
    measure = Measure.of(x, [value for task in given for value in task[2:]])
    read = [Task(str(a), str(b), *measure.column([c, d], f"{a}: {b}")) for a, b, c, d in given]
    for task in read:
        if task.end < task.start:
            raise OutOfRange(f"{task.lane}: {task.what}", task.end, "it ends before it starts")
    levels = {name: measure.read(value, name) for name, value in (level or {}).items()}
    guesses = {name: measure.read(value, "guess") for name, value in (guess or {}).items()}
    held = [t for t in read if drawable(t.start) and drawable(t.end)]
    kinds = list(dict.fromkeys(task.what for task in held))
    if len(kinds) > len(COLOURS):
        remedy = f"at most {len(COLOURS)} kinds of work can be told apart"
        raise BadArgument("tasks", f"{len(kinds)} kinds", remedy)
    names = Names(list(dict.fromkeys(task.lane for task in held)))
    last = {lane: max(t.end for t in held if t.lane == lane) for lane in names.names}
    lines = [value for value in (*levels.values(), *guesses.values()) if drawable(value)]
    reach = [*last.values(), *(task.start for task in held), *lines]
    axis = along(measure, reach, log=False, words=[brief(end) for end in last.values()])
    tips = [{"name": lane, "x": end, "text": brief(end)} for lane, end in last.items()]
    told = {f"you on {lane}": end for lane, end in guesses.items()}
    odd = [(f"{t.lane}: {t.what}", t.end if drawable(t.start) else t.start) for t in read]
    return finish(
        frame(names, axis),
        *_bars(held, kinds, names, axis, bool(levels)),
        ends(tips, names, axis),
        *upright(levels, axis),
        *marks(guesses, names, axis),
        title=_idle(held, last, measure) if title is None else title,
        subtitle=subtitle,
        said=_said(held, last, {**levels, **told}, measure),
        table=[dict(zip(("lane", "what", "start", "end"), task, strict=True)) for task in read],
        height=names.height,
        left_out=left_out(odd),
    )  # fmt: skip


def timeline(lanes: Mapping[str, Iterable[Sequence[Any]]], *, x: str, **how: Any) -> alt.LayerChart:
    """Lanes of (what, how long), one after the other, to scale; `how` is as for `gantt`."""
    given = {lane: [tuple(part) for part in parts] for lane, parts in lanes.items()}
    for lane, parts in given.items():
        for part in parts:
            if len(part) != 2:
                raise BadArgument(lane, part, "give each part as what and how long")
    measure = Measure.of(x, [long for parts in given.values() for _, long in parts])
    tasks = []
    for lane, parts in given.items():
        at = 0.0
        for what, long in parts:
            end = at + measure.read(long, f"{lane}: {what}")
            tasks.append((lane, what, at, end))
            at = end if drawable(end) else at
    shares = [_mostly(lane, [t for t in tasks if t[0] == lane]) for lane in given]
    told = {"title": "; ".join(filter(None, shares)) or "Nothing runs"}
    return gantt(tasks, x=measure.title, **{**told, **how})


def _mostly(lane: str, tasks: Sequence[tuple[str, str, float, float]]) -> str:
    """What takes most of a lane."""
    sums: dict[str, float] = {}
    for _, what, start, end in tasks:
        if drawable(end):
            sums[what] = sums.get(what, 0.0) + end - start
    length = sum(sums.values())
    most = max(sums, key=sums.__getitem__, default="")
    return f"{lane}: {sums[most] / length:.0%} {most}" if length else ""


def _bars(
    tasks: Sequence[Task], kinds: Sequence[str], names: Names, x: Axis, crowded: bool
) -> list[alt.Chart]:
    """The tasks, with the names of their work in them where they fit."""
    direct = all(
        any(t.what == kind and _room(t, "phone", x) >= wide(kind, "phone") for t in tasks)
        for kind in kinds
    )
    listed = None if direct else legend(kinds, offset=34 if crowded else 18)
    rows = [
        {
            **task._asdict(),
            "name": task.lane,
            "middle": task.start / 2 + task.end / 2,
            "text": [_inside(task, size, x, direct) for size in BARS],
            "on": ON[kinds.index(task.what)],
        }
        for task in tasks
    ]
    color: Any = alt.Color("what:N", legend=listed).scale(domain=list(kinds), range=COLOURS)
    tips = [
        alt.Tooltip("lane:N"),
        alt.Tooltip("what:N"),
        alt.Tooltip("start:Q"),
        alt.Tooltip("end:Q"),
    ]
    bars = of(rows).mark_bar(size=BAR, stroke=CARD, strokeWidth=1)
    told = texts(of(rows), color={"expr": "datum.on"}, dx=0, dy=0, align="center")[1]
    return [
        bars.encode(
            x.x("start", shown=False), names.y(), x2=alt.X2("end:Q"), color=color, tooltip=tips
        ),
        told.encode(x.x("middle", shown=False), names.y()),
    ]


def _room(task: Task, size: str, x: Axis) -> float:
    return (task.end - task.start) / (x.ends[1] - x.ends[0]) * BARS[size] - 8


def _inside(task: Task, size: str, x: Axis, direct: bool) -> str:
    long = brief(task.end - task.start)
    said = [f"{task.what} {long}", task.what] if direct else [long]
    return next((text for text in said if wide(text, size) <= _room(task, size, x)), "")


def _idle(tasks: Sequence[Task], last: Mapping[str, float], measure: Measure) -> str:
    """The title when the caller gives none: how idle lanes are that run together, or the end."""
    if not tasks:
        return "Nothing runs"
    length = max(last.values()) - min(task.start for task in tasks)
    busy = sum(task.end - task.start for task in tasks)
    idle = 1 - busy / (length * len(last)) if length else 0.0
    if len(last) > 1 and idle > 0.005:
        return f"Over {measure.say(length)}, lanes are idle {idle:.0%} of the time"
    longest = max(last, key=last.__getitem__)
    return f"{longest} ends at {measure.say(last[longest])}"


def _said(
    tasks: Sequence[Task], last: Mapping[str, float], more: Mapping[str, float], measure: Measure
) -> str:
    parts = []
    for lane, end in last.items():
        mine = [t for t in tasks if t.lane == lane]
        sums = {t.what: 0.0 for t in mine}
        for task in mine:
            sums[task.what] += task.end - task.start
        done = ", ".join(f"{what} {brief(long)}" for what, long in sums.items())
        parts.append(f"{lane}: {done}, ends at {measure.say(end)}")
    parts += [f"{name}: {measure.say(at)}" for name, at in more.items()]
    return f"{measure.title}. {'; '.join(parts) or 'No tasks'}"
