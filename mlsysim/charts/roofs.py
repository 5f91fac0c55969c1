"""The roofline: what a device can attain, and where the steps of a workload stand below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.axes import Axis
from mlsysim.charts.frame import Rows, drawn, finish, of
from mlsysim.charts.guesses import diamond
from mlsysim.charts.labels import beside, spread, texts
from mlsysim.charts.theme import (
    COLOUR,
    COLOURS,
    DASHES,
    GUESS,
    INK,
    LABEL,
    MUTED,
    SLIDE,
    TEXTS,
    sized,
    text_size,
)
from mlsysim.charts.values import Measure, brief, drawable, left_out, number, prefixed, times
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Quantity
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import Profile

_PREFIX = {f"{prefix}FLOP/s": 1000.0**n for n, prefix in enumerate(("", "k", "M", "G", "T", "P"))}
_FROM_DATASHEET = 0.999  # a roof this near to the peak is the datasheet's own


class Roof(NamedTuple):
    """One device's limits at a precision, in FLOP/s and B/s; `peak` is the datasheet's."""

    name: str
    peak: float
    reached: float
    slope: float

    @property
    def ridge(self) -> float:
        """The intensity at which the roof that is reached begins."""
        return float(node.ridge_point(self.reached, self.slope))

    def attainable(self, intensity: float) -> float:
        """FLOP/s below both roofs."""
        return float(node.attainable(intensity, self.reached, self.slope))


class Dot(NamedTuple):
    """One step: its intensity in FLOP/B, its rate in FLOP/s, and what is said of it."""

    name: str
    intensity: float
    rate: float
    bound: str = ""
    step: str = ""
    feasible: bool = True
    here: bool = False


Steps = Sequence[Profile] | Mapping[str, Any]


@drawn
def roofline(
    devices: Iterable[HardwareNode],
    trail: Steps = (),
    *,
    precision: str = "fp16",
    efficiency: float = 1.0,
    shade: HardwareNode | None = None,
    highlight: int | None = None,
    ceilings: Mapping[str, Any] | None = None,
    guess: Any = None,
    title: str | None = None,
    subtitle: str = "",
    height: int = 360,
) -> alt.LayerChart:
    """FLOP/s against arithmetic intensity: one roof a device, one dot a step of `trail`.

    A roof is the peak times `efficiency`; the datasheet's peak is the thin line above it. The
    regimes are those of `shade`, or of the first device. `trail` holds steps of different batches,
    or names for steps or for pairs of intensity and rate. A step that does not fit in memory is
    hollow; `highlight` is the batch whose dot stands out. `ceilings` are limits beside those of the
    first device by their names: rates of other arithmetic, such as "67 TFLOP/s", or bandwidths of
    other memories, such as "5.5 TB/s". `guess` is a pair of intensity and rate,
    or a time, which is put at the intensity of the last step.
    """
    devices = list(devices)
    if not devices:
        raise BadArgument("devices", devices, "give at least one device; its roof is the chart")
    names = labels_of([device.name for device in devices])
    roofs = [_roof(d, name, precision, efficiency) for d, name in zip(devices, names, strict=True)]
    first = roofs[devices.index(shade)] if shade in devices else roofs[0]
    if shade is not None and shade not in devices:
        first = _roof(shade, shade.name, precision, efficiency)
    limits = [_ceiling(name, rate, roofs[0]) for name, rate in (ceilings or {}).items()]
    dots, guessed = _dots(trail, highlight), _guessed(guess, trail)
    shown = [dot for dot in dots if drawable(dot.intensity, True) and drawable(dot.rate, True)]
    x, y = _axes([*roofs, *limits], [*shown, *guessed])
    names = _names(roofs, limits, x, y, height)
    return finish(
        *_regimes(first, x, y),
        *_ceilings(limits, roofs[0], x, y),
        *_roofs(roofs, names, x, y),
        *_trail(shown, names, x, y, height),
        *diamond([(dot.intensity, dot.rate / _unit(y), dot.name) for dot in guessed], x, y, height),
        title=_finding(roofs, dots) if title is None else title,
        subtitle=subtitle,
        left_out=left_out([(dot.name, min(dot.intensity, dot.rate)) for dot in dots], log=True),
        said=_said(roofs, limits, dots, guessed),
        table=_table(roofs, limits, dots),
        height=height,
    )


def labels_of(names: Sequence[str]) -> list[str]:
    """Short names that stay distinct: up to the first word with a digit, without parentheses.

    >>> labels_of(["H100 SXM", "TPU v5p", "GeForce RTX 4090"])
    ['H100', 'TPU v5p', 'GeForce RTX 4090']
    """
    short = []
    for name in names:
        parts = name.partition(" (")[0].split()
        end = next((i for i, word in enumerate(parts) if any(map(str.isdigit, word))), len(parts))
        short.append(" ".join(parts[: end + 1]))
    return [s if short.count(s) == 1 else n for s, n in zip(short, names, strict=True)]


def _roof(device: HardwareNode, name: str, precision: str, efficiency: float) -> Roof:
    peak = float(device.peak(precision).m_as("FLOP/s"))
    return Roof(name, peak, peak * efficiency, float(device.memory.bandwidth.m_as("B/s")))


def _ceiling(name: str, rate: Any, roof: Roof) -> Roof:
    """A limit beside a roof's own, of its arithmetic or of a memory; raises a BadArgument."""
    held = number(rate, name)
    for limit, unit in (("rate", "FLOP/s"), ("slope", "B/s")):
        if isinstance(held, Quantity) and held.is_compatible_with(unit):
            value = float(held.m_as(unit))
            own = {"peak": value, "reached": value} if limit == "rate" else {limit: value}
            return roof._replace(name=name, **own)
    remedy = "give a rate such as '67 TFLOP/s', or '5.5 TB/s' of a memory"
    raise BadArgument(f"ceilings {name}", rate, remedy)


def _dots(trail: Steps, highlight: int | None) -> list[Dot]:
    if isinstance(trail, Mapping):
        return [_dot(str(name), step, highlight) for name, step in trail.items()]
    return [
        _dot(f"{'batch ' * (not at)}{step.si('batch_size'):,.0f}", step, highlight)
        for at, step in enumerate(trail)
    ]


def _dot(name: str, step: Any, highlight: int | None) -> Dot:
    if not isinstance(step, Profile):
        intensity, rate = step
        read = Measure("", "FLOP/B").read(intensity, name), Measure("", "FLOP/s").read(rate, name)
        return Dot(name, *read)
    return Dot(
        name,
        float(step.si("arithmetic_intensity")),
        float(step.si("operations") / step.si("latency")),
        str(step.bottleneck).lower(),
        prefixed(float(step.si("latency")), "s"),
        bool(step.feasible),
        highlight is not None and int(step.si("batch_size")) == highlight,
    )


def _guessed(guess: Any, trail: Steps) -> list[Dot]:
    """Where a prediction stands: as a pair, or as the time of the last step."""
    if guess is None:
        return []
    if isinstance(guess, (tuple, list)):
        return [_dot("you", guess, None)]
    steps = list(trail.values() if isinstance(trail, Mapping) else trail)
    if not steps or not isinstance(steps[-1], Profile):
        raise BadArgument("guess", guess, "a time needs a step whose time it is; or give a pair")
    time = Measure("", "s").read(guess, "guess")
    if not time > 0:
        return []
    operations, here = steps[-1].si("operations"), steps[-1].si("arithmetic_intensity")
    return [Dot("you", float(here), float(operations / time))]


def _axes(roofs: Sequence[Roof], dots: Sequence[Dot]) -> tuple[Axis, Axis]:
    """Both axes hold the ridges and the dots; there is no more of a slope than it takes."""
    across = [d.intensity / 2 for d in dots] + [r.ridge * k for r in roofs for k in (1 / 30, 12)]
    x = Axis.over(Measure("Arithmetic intensity (FLOP per byte moved)"), across, log=True)
    slopes = [roof.attainable(x.ends[0]) for roof in roofs]
    rates = [*slopes, *(d.rate / 2 for d in dots), *(roof.peak for roof in roofs)]
    rates = [rate for rate in rates if drawable(rate, True)]
    few = max(rates) < 3e5 * min(rates)
    below = [u for u, size in _PREFIX.items() if size <= max(rates) / 10]
    unit = below[-1] if few and below else "FLOP/s"
    y = Measure(f"Rate of operations ({unit})", unit)
    return x, Axis.over(y, [r / _PREFIX[unit] for r in rates], log=True, air=(0.1, 0.14))


def _unit(y: Axis) -> float:
    return _PREFIX[y.measure.unit]


def _regimes(roof: Roof, x: Axis, y: Axis) -> list[alt.Chart]:
    """What lies left of the ridge, and what lies right of it."""
    (low, high), floor = x.ends, y.ends[0]
    ridge = min(max(roof.ridge, low), high)
    sides = (("memory", low, ridge), ("compute", ridge, high))
    areas = [{"side": side, "x": start, "to": end} for side, start, end in sides]
    said = [{"side": s, "x": math.sqrt(a * b), "y": floor} for s, a, b in sides if b > a * 1.5]
    shades = [COLOUR["memory-shade"], COLOUR["compute-shade"]]
    color = alt.Color("side:N", legend=None).scale(domain=[s for s, _, _ in sides], range=shades)
    text = of(said).transform_calculate(text=sized("datum.side", *["datum.side + '-bound'"] * 2))
    return [
        of(areas).mark_rect().encode(x.x(), x2=alt.X2("to:Q"), color=color),
        text.mark_text(fontSize=text_size(), fontStyle="italic", color=MUTED, dy=-12).encode(
            x.x(shown=False), y.y(), text=alt.Text("text:N")
        ),
    ]


def _roofs(roofs: Sequence[Roof], names: Rows, x: Axis, y: Axis) -> list[alt.Chart]:
    """Each roof as a line, its ridge as a dot, its name on it, the datasheet's peak above."""
    (low, high), unit = x.ends, _unit(y)
    lines = [
        {"device": r.name, "x": at, "y": r.attainable(at) / unit}
        for r in roofs
        for at in (low, r.ridge, high)
    ]
    sheets = [
        {"device": r.name, "x": at, "y": min(at * r.slope, r.peak) / unit}
        for r in roofs
        if len(roofs) == 1 and r.reached < r.peak * _FROM_DATASHEET
        for at in (r.ridge, min(r.peak / r.slope, high), high)
    ]
    ridges = [
        {"device": r.name, "x": r.ridge, "y": r.reached / unit, "said": f"ridge {brief(r.ridge)}"}
        for r in roofs
    ]
    devices = [roof.name for roof in roofs]
    color = alt.Color("device:N", legend=None).scale(domain=devices, range=COLOURS)
    dash = alt.StrokeDash("device:N", legend=None).scale(domain=devices, range=DASHES)
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    ridge = of(ridges).mark_point(filled=True, size=60, opacity=1)
    thin = of(sheets).mark_line(strokeWidth=1.2, opacity=0.8, clip=True)
    line = of(lines).mark_line(strokeWidth=2.8, clip=True, strokeJoin="round")
    return [
        thin.encode(**at, color=color),
        line.encode(**at, color=color, strokeDash=dash),
        ridge.encode(**at, color=color, tooltip=alt.Tooltip("said:N")),
        *(c.encode(**at) for c in texts(of(names), color={"expr": "datum.color"}, weight=600)),
    ]


def _ceilings(limits: Sequence[Roof], roof: Roof, x: Axis, y: Axis) -> list[alt.Chart]:
    """Each limit as a thin line as far as it counts; a memory's has its name beside it."""
    rows, names = [], []
    for each in limits:
        memory = each.slope != roof.slope
        ends = (x.ends[0], each.ridge) if memory else (each.ridge, x.ends[1])
        rows += [{"limit": each.name, "x": at, "y": each.attainable(at) / _unit(y)} for at in ends]
        if memory:
            middle = math.sqrt(ends[0] * ends[1])
            said = f"{each.name} {prefixed(each.slope, 'B/s')}"
            names.append({
                "x": middle, "y": each.attainable(middle) / _unit(y), "text": [said] * 3,
                "dx": [-8] * 3, "dy": [-6] * 3, "align": ["right"] * 3,
            })  # fmt: skip
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    line = of(rows).mark_line(strokeWidth=1.2, strokeDash=[4, 3], color=MUTED, clip=True)
    lines = [line.encode(**at, detail=alt.Detail("limit:N"))] if rows else []
    return [*lines, *(c.encode(**at) for c in (texts(of(names)) if names else []))]


def _names(
    roofs: Sequence[Roof], limits: Sequence[Roof], x: Axis, y: Axis, height: int
) -> list[dict[str, Any]]:
    """What is written at the right above each roof; where roofs are near, the words make room."""
    gap, unit = LABEL[SLIDE] + 2.0, _unit(y)
    lines = [(roof.name, roof.reached, f", ridge {brief(roof.ridge)}") for roof in roofs]
    if len(roofs) == 1 and roofs[0].reached < roofs[0].peak * _FROM_DATASHEET:
        lines.append(("datasheet", roofs[0].peak, ""))
    lines += [(each.name, each.reached, "") for each in limits if each.slope == roofs[0].slope]
    heights = [(1 - y.share(rate / unit)) * height for _, rate, _ in lines]
    aside = gap / 2 + 6
    wanted = [
        at + (aside if any(0 < at - other < gap for other in heights) else -aside) for at in heights
    ]
    places = spread(wanted, gap, gap / 2, height - gap)
    rows = []
    for n, (name, rate, ridge) in enumerate(lines):
        said = f"{name} {prefixed(rate, 'FLOP/s')}"
        rows.append({
            "x": x.ends[1], "y": rate / unit, "middle": 1 - places[n] / height,
            "dx": [-5] * 3, "dy": [round(places[n] - heights[n], 1)] * 3, "align": ["right"] * 3,
            "text": [said, said + ridge, said + ridge],
            "color": INK if len(roofs) == 1 or n >= len(roofs) else TEXTS[n % len(TEXTS)],
        })  # fmt: skip
    return rows


def _trail(dots: Sequence[Dot], names: Rows, x: Axis, y: Axis, height: int) -> list[alt.Chart]:
    """Each step as a dot with its name; hollow when it does not fit, tied to the roof it misses."""
    if not dots:
        return []
    unit = _unit(y)
    shares = [(x.share(dot.intensity), y.share(dot.rate / unit), dot.name) for dot in dots]
    around = [(1.0, name["middle"], name["text"]) for name in names]
    rows = [
        {**dot._asdict(), "x": dot.intensity, "y": dot.rate / unit, **place}
        for dot, place in zip(dots, beside(shares, height, around, rising=True), strict=True)
    ]
    at = {"x": x.x(shown=False), "y": y.y(shown=False)}
    base = of(rows)
    mark = alt.when("datum.here").then(alt.value(GUESS)).otherwise(alt.value(INK))
    fill = alt.when("!datum.feasible").then(alt.value(COLOUR["card"]))
    tips = [
        alt.Tooltip("name:N", title="step"), alt.Tooltip("x:Q", format=".3g", title="FLOP/byte"),
        alt.Tooltip("y:Q", format=".3g", title=y.measure.unit), alt.Tooltip("step:N", title="time"),
        alt.Tooltip("bound:N", title="bound by"), alt.Tooltip("feasible:N", title="fits in memory"),
    ]  # fmt: skip
    points = base.mark_point(opacity=1, strokeWidth=2, filled=True).encode(
        **at,
        tooltip=tips,
        stroke=mark,
        fill=fill.when("datum.here").then(alt.value(GUESS)).otherwise(alt.value(INK)),
        size=alt.when("datum.here").then(alt.value(230)).otherwise(alt.value(100)),
    )
    return [points, *(each.encode(**at) for each in texts(base))]


def _finding(roofs: Sequence[Roof], dots: Sequence[Dot]) -> str:
    """The title when the caller gives none: what limits the steps, or where the ridges lie."""
    bounds = {dot.bound for dot in dots if dot.bound}
    if len(bounds) == 1:
        return f"{'This step' if len(dots) == 1 else 'Every step'} is {bounds.pop()}-bound"
    if bounds:
        turn = next(dot for dot in dots if dot.bound != dots[0].bound)
        name = turn.name if turn.name.startswith("batch") else f"batch {turn.name}"
        return f"From {name} on, {turn.bound} decides"
    first, last = (end(roofs, key=lambda roof: roof.ridge) for end in (min, max))
    if len(roofs) == 1:
        return f"Below {brief(first.ridge)} operations a byte, memory limits the {first.name}"
    apart = times(last.ridge / first.ridge)
    return f"The {last.name} needs {apart} as much work a byte as the {first.name}"


def _said(
    roofs: Sequence[Roof], limits: Sequence[Roof], dots: Sequence[Dot], guessed: Sequence[Dot]
) -> str:
    parts = []
    for r in roofs:
        sheet = f" of a peak of {prefixed(r.peak, 'FLOP/s')}" * (
            r.reached < r.peak * _FROM_DATASHEET
        )
        own = f"roof {prefixed(r.reached, 'FLOP/s')}{sheet}, {prefixed(r.slope, 'B/s')}"
        parts.append(f"{r.name}: {own}, ridge at {brief(r.ridge)} FLOP/byte")
    for r in limits:
        memory = r.slope != roofs[0].slope
        rate = prefixed(r.slope, "B/s") if memory else prefixed(r.reached, "FLOP/s")
        parts.append(f"{r.name}: a ceiling of {rate}")
    for dot in [*dots, *guessed]:
        where = f"{prefixed(dot.rate, 'FLOP/s')} at {brief(dot.intensity)} FLOP/byte"
        parts.append(f"{dot.name}: {', '.join(filter(None, (where, *_notes(dot))))}")
    return "Roofline. " + "; ".join(parts)


def _notes(dot: Dot) -> tuple[str, str]:
    return dot.bound and f"{dot.bound}-bound", "" if dot.feasible else "does not fit in memory"


def _table(
    roofs: Sequence[Roof], limits: Sequence[Roof], dots: Sequence[Dot]
) -> list[dict[str, Any]]:
    rows = [(roof.name, roof.ridge, roof.reached, "its ridge") for roof in roofs]
    rows += [(limit.name, limit.ridge, limit.reached, "this ceiling's ridge") for limit in limits]
    rows += [
        (dot.name, dot.intensity, dot.rate, ", ".join(filter(None, (dot.step, *_notes(dot)))))
        for dot in dots
    ]
    columns = ("what", "intensity (FLOP/byte)", "rate (TFLOP/s)", "note")
    return [dict(zip(columns, (a, b, c / 1e12, d), strict=True)) for a, b, c, d in rows]
