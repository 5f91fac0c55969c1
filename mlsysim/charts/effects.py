"""Effects: how steps add up to a total, and which input moves an answer most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import drawn, finish, of
from mlsysim.charts.labels import legend, wide
from mlsysim.charts.rows import BAR, Names, along, ends, frame, marks, upright
from mlsysim.charts.theme import BARS, COLOURS, GUESS, INK, MUTED, PHONE
from mlsysim.charts.values import Measure, brief, drawable, left_out, times
from mlsysim.core.errors import BadArgument

_SIDES = ("at its low", "at its high")


class Step(NamedTuple):
    """One step of a waterfall: from where to where, and what it adds."""

    name: str
    start: float
    end: float
    group: str

    @property
    def adds(self) -> float:
        """What this step adds; below zero when it takes away."""
        return self.end - self.start


@drawn
def waterfall(
    steps: Mapping[str, Any],
    *,
    x: str,
    total: str = "in all",
    groups: Mapping[str, str] | None = None,
    level: Mapping[str, Any] | None = None,
    guess: Any = None,
    ring: str = "",
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """What each of `steps` adds to those before it, and the total below; zero keeps its row.

    `groups` colours steps by domain; `level` are named lines across all, such as measured totals.
    `guess` marks a predicted total, `ring` the step that a learner chose.
    """
    kinds = list(dict.fromkeys((groups or {}).get(name, "") for name in steps))
    if len(kinds) > len(COLOURS):
        raise BadArgument(
            "groups", f"{len(kinds)} groups", f"at most {len(COLOURS)} can be told apart"
        )
    if ring and ring not in steps:
        raise BadArgument("ring", ring, f"it is none of the steps, {', '.join(steps)}")
    if total in steps:
        raise BadArgument("total", total, "a step has this name; give the total another")
    measure = Measure.of(x, [*steps.values(), *(level or {}).values()])
    plain = {name: measure.read(value, name) for name, value in steps.items()}
    levels = {name: measure.read(value, name) for name, value in (level or {}).items()}
    guesses = {} if guess is None else {total: measure.read(guess, "guess")}
    taken, at = [], 0.0
    for name, value in plain.items():
        if drawable(value) and drawable(at + value):
            taken.append(Step(name, at, at + value, (groups or {}).get(name, "")))
            at += value
    names = Names([step.name for step in taken] + [total] * bool(taken))
    said = [brief(s.adds) if n == 0 else f"{s.adds:+.3g}" for n, s in enumerate(taken)]
    lines = [value for value in (*levels.values(), *guesses.values()) if drawable(value)]
    axis = along(measure, [*(s.end for s in taken), *lines], log=False, words=[*said, brief(at)])
    tips = [{"name": s.name, "x": max(s.start, s.end)} for s in taken]
    tips = [{**tip, "text": text} for tip, text in zip(tips, said, strict=True)]
    tips += [{"name": total, "x": max(at, 0.0), "text": brief(at)}] * bool(taken)
    more = levels if guess is None else {**levels, "you": guesses[total]}
    columns = ("step", measure.title, "up to", "group")
    return finish(
        frame(names, axis),
        *_falling(taken, total, kinds, names, axis),
        ends(tips, names, axis),
        *upright(levels, axis),
        *_ring(ring, taken, names, axis),
        *marks(guesses, names, axis),
        title=_largest(taken, measure) if title is None else title,
        subtitle=subtitle,
        said=_said_steps(taken, total, at, more, measure) + f"; you chose {ring}" * bool(ring),
        table=[dict(zip(columns, (s.name, s.adds, s.end, s.group), strict=True)) for s in taken],
        height=names.height,
        left_out=left_out(list(plain.items())),
    )


def _falling(
    steps: Sequence[Step], total: str, kinds: Sequence[str], names: Names, x: Axis
) -> list[alt.Chart]:
    """The steps as bars between thin connectors, and the total as a bar from zero."""
    rows = [{**s._asdict(), "low": min(s.start, s.end), "high": max(s.start, s.end)} for s in steps]
    color: Any = alt.Color("group:N", legend=legend(kinds))
    color = color.scale(domain=list(kinds), range=COLOURS)
    at = {"x": x.x("low", shown=False), "x2": alt.X2("high:Q"), "y": names.y()}
    base = of(rows)
    zero = base.transform_filter("datum.low == datum.high").mark_tick(thickness=3, size=BAR)
    whole = of(
        [{"name": total, "low": min(0.0, s.end), "high": max(0.0, s.end)} for s in steps[-1:]]
    )
    return [
        base.mark_bar(size=BAR).encode(**at, color=color),
        zero.encode(x.x("low", shown=False), names.y(), color=color.legend(None)),
        whole.mark_bar(size=BAR, color=INK).encode(**at),
        base.mark_tick(thickness=1, size=2 * BAR, color=MUTED, yOffset=BAR).encode(
            x.x("end", shown=False), names.y()
        ),
    ]


def _ring(ring: str, steps: Sequence[Step], names: Names, x: Axis) -> list[alt.Chart]:
    rows = [
        {"name": s.name, "low": min(s.start, s.end), "high": max(s.start, s.end)}
        for s in steps
        if s.name == ring
    ]
    box = of(rows).mark_bar(size=BAR + 8, fill=None, stroke=GUESS, strokeWidth=2.6, cornerRadius=6)
    return [box.encode(x.x("low", shown=False), names.y(), x2=alt.X2("high:Q"))] if rows else []


def _largest(steps: Sequence[Step], measure: Measure) -> str:
    """The title when the caller gives none: what the first becomes, and by which step most."""
    if len(steps) < 2:
        return f"{steps[0].name}: {measure.say(steps[0].end)}" if steps else "Nothing to add up"
    most = max(steps[1:], key=lambda step: abs(step.adds))
    first, last = measure.say(steps[0].end), measure.say(steps[-1].end)
    return f"{first} become {last}, most of it by {most.name}"


def _said_steps(
    steps: Sequence[Step], total: str, at: float, more: Mapping[str, float], measure: Measure
) -> str:
    parts = [f"{s.name} {'adds ' * (n > 0)}{brief(s.adds)}" for n, s in enumerate(steps)]
    parts += [f"{total} {measure.say(at)}"] * bool(steps)
    parts += [f"{name}: {measure.say(value)}" for name, value in more.items()]
    return f"{measure.title}. {'; '.join(parts) or 'No steps'}"


@drawn
def tornado(
    effects: Mapping[str, Sequence[Any]],
    *,
    x: str,
    base: Any,
    guess: Sequence[str] = (),
    title: str | None = None,
    subtitle: str = "",
) -> alt.LayerChart:
    """How far each input moves an answer: from its low to its high, about `base`, widest first.

    `guess` is the order in which a learner put the inputs; their places stand beside the names.
    """
    measure = Measure.of(x, [base, *(value for pair in effects.values() for value in pair)])
    middle = measure.read(base, "base")
    if not drawable(middle):
        raise BadArgument("base", base, "give the finite answer about which the inputs move it")
    for name, pair in effects.items():
        if len(pair) != 2:
            raise BadArgument(name, f"{len(pair)} answers", "give two: at its low and at its high")
    plain = {name: tuple(measure.column(pair, name)) for name, pair in effects.items()}
    held = {name: pair for name, pair in plain.items() if all(map(drawable, pair))}
    order = sorted(held, key=lambda name: -abs(held[name][1] - held[name][0]))
    rows = {name: f"{name} (you: {guess.index(name) + 1})" for name in order if name in guess}
    names = Names([rows.get(name, name) for name in order])
    axis = _about(measure, [end for pair in held.values() for end in pair], middle)
    sides = [
        {"name": rows.get(name, name), "x": end, "from": middle, "side": side, "left": end < middle}
        | {"text": brief(end) if end != middle else ""}
        for name in order
        for side, end in zip(_SIDES, held[name], strict=True)
    ]
    color: Any = alt.Color("side:N", legend=legend(_SIDES, offset=34) if order else None)
    color = color.scale(domain=list(_SIDES), range=[COLOURS[3], COLOURS[0]])
    bars = of(sides).mark_bar(size=BAR)
    odd = [(n, next((v for v in pair if not drawable(v)), 0.0)) for n, pair in plain.items()]
    parts = [f"{n} from {brief(held[n][0])} to {brief(held[n][1])}" for n in order]
    parts += [f"you put {', '.join(guess)}"] * bool(guess)
    head = f"{measure.title}, {measure.say(middle)} at the base"
    return finish(
        frame(names, axis),
        bars.encode(axis.x("from", shown=False), names.y(), x2=alt.X2("x:Q"), color=color),
        ends(sides, names, axis),
        *upright({f"base {measure.say(middle)}": middle}, axis, strong=True),
        title=_widest(order, held) if title is None else title,
        subtitle=subtitle,
        said=f"{head}. {'; '.join(parts) or 'No inputs'}",
        table=[{"input": n, **dict(zip(_SIDES, pair, strict=True))} for n, pair in plain.items()],
        height=names.height,
        left_out=left_out(odd),
    )


def _about(measure: Measure, values: Sequence[float], middle: float) -> Axis:
    """An axis about the base, with room for words at both ends."""
    room = max((wide(brief(v), PHONE) for v in values), default=0.0) / BARS[PHONE] + 0.06
    return Axis.over(measure, [middle, *values], log=False, air=(room, room))


def _widest(order: Sequence[str], held: Mapping[str, Sequence[float]]) -> str:
    """The title when the caller gives none: which input moves the answer, and how much more."""
    if not order:
        return "Nothing moves it"
    swing = [abs(held[name][1] - held[name][0]) for name in order]
    if len(order) == 1 or not swing[0]:
        return f"{order[0]} moves it most" if swing[0] else "Nothing moves it"
    if not swing[1]:
        return f"Only {order[0]} moves it"
    return f"{order[0]} moves it {times(swing[0] / swing[1])} as far as {order[1]}"
