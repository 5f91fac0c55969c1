"""The charts of the course: data in, an Altair chart out. Axes name units; no physics of its own.

Every chart is as wide as its column (so it fits a phone), carries a text description for screen
readers, and needs no network.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from mlsysim.charts.theme import COMPUTE_SHADE, GRID, GUESS, INK, MEMORY_SHADE, MUTED, PALETTE
from mlsysim.course.journal import Commitment, off_by, times, typical_factor
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import Profile

Rows = list[dict[str, Any]]
_TITLE_WIDTH, _SUBTITLE_WIDTH = 34, 44  # characters that fit a phone
_MOST_TICKS = 7


def roofline(
    devices: Iterable[HardwareNode],
    trail: Sequence[Profile] = (),
    *,
    precision: str = "fp16",
    efficiency: float = 1.0,
    shade: HardwareNode | None = None,
    highlight: int | None = None,
    title: str = "",
    subtitle: str = "",
    height: int = 360,
) -> alt.LayerChart:
    """Attainable FLOP/s against arithmetic intensity: one roof a device, one dot a step of `trail`.

    The roof is the peak times `efficiency`; the regimes shaded are those of `shade`, or else of
    the first device. `highlight` is the batch whose dot stands out.
    """
    devices = list(devices)
    roofs = [_roof(device, precision, efficiency) for device in devices]
    dots = [_dot(profile) for profile in trail]
    low, high = _span(
        [*(dot["intensity"] for dot in dots), *(roof["ridge"] for roof in roofs)], (0.3, 6000)
    )
    floor, ceiling = _span(
        [
            *(dot["rate"] for dot in dots),
            *(roof["peak"] * 2 for roof in roofs),
            *(roof["slope"] * low for roof in roofs),
        ],
        (0.5, 1000),
    )
    ceiling *= 1.6
    x = (
        alt.X("intensity:Q", title="Arithmetic intensity (FLOP per byte moved)")
        .scale(type="log", domain=[low, high], nice=False)
        .axis(values=_decades(low, high), format="~g", grid=True)
    )
    y = (
        alt.Y("rate:Q", title="Attainable TFLOP/s")
        .scale(type="log", domain=[floor, ceiling], nice=False)
        .axis(values=_decades(floor, ceiling), format="~s", grid=True)
    )
    color = alt.Color("device:N", legend=None).scale(
        domain=[d.name for d in devices], range=PALETTE
    )
    layers = [
        *_regimes(
            _roof(shade or devices[0], precision, efficiency), (low, high), (floor, ceiling), x, y
        ),
        _lines(roofs, (low, high), x, y, color),
        *_ridges(roofs, x, y, color),
        *_labels(roofs, high, x, y, color),
    ]
    if dots:
        layers += _trail([{**dot, "here": dot["batch"] == highlight} for dot in dots], x, y)
    said = "; ".join(
        f"{dot['label']}: {dot['rate']:.3g} TFLOP/s, {dot['bound']}-bound" for dot in dots
    )
    return _finish(
        alt.layer(*layers).resolve_scale(color="independent"),
        title,
        subtitle,
        height,
        f"Roofline of {', '.join(d.name for d in devices)}. {said}",
    )


def versus(guess: float, truth: float, unit: str) -> alt.LayerChart:
    """A prediction and the computed value on one logarithmic line."""
    rows = [{"who": "you", "value": guess}, {"who": "solver", "value": truth}]
    for row in rows:
        row["brief"] = f"{row['value']:.3g}"
        row["text"] = f"{row['brief']} {unit}".strip()
    spread = max(guess, truth) / min(guess, truth)
    low, high = (
        min(guess, truth) / 3,
        max(guess, truth) * 6 * spread**0.4,
    )  # room for the text at the end
    x = (
        alt.X("value:Q", title=unit or "value")
        .scale(type="log", domain=[low, high], nice=False)
        .axis(values=_decades(low, high), format="~g")
    )
    y = alt.Y("who:N", title=None, sort=["you", "solver"]).axis(
        labelFontSize=13, ticks=False, domain=False, labelPadding=8
    )
    base = alt.Chart(alt.Data(values=rows))
    color = alt.Color("who:N", legend=None).scale(
        domain=["you", "solver"], range=[GUESS, PALETTE[0]]
    )
    stem = base.mark_rule(strokeWidth=5, strokeCap="round", opacity=0.85).encode(
        x, y, x2=alt.datum(low), color=color
    )
    dot = base.mark_point(filled=True, size=130, opacity=1).encode(x, y, color=color)
    # on a phone the axis alone says the unit
    text = (
        base.transform_calculate(said="width < 460 ? datum.brief : datum.text")
        .mark_text(align="left", dx=11, fontSize=13, fontWeight=600)
        .encode(x, y, text="said:N", color=color)
    )
    return _finish(
        stem + dot + text,
        "",
        "",
        84,
        f"You predicted {rows[0]['text']}; the solver says {rows[1]['text']}.",
    )


def intuition(rows: Sequence[tuple[Commitment, float]]) -> alt.LayerChart:
    """Predicted against computed, logarithmic; the line is a perfect guess, the band a factor 2."""
    data = [
        {
            "question": row.question,
            "predicted": float(row.value),
            "computed": truth,
            "unit": row.unit or "",
            "off": f"{times(off_by(float(row.value), truth))}x",
        }
        for row, truth in rows
    ]
    low, high = _span([v for r in data for v in (r["predicted"], r["computed"])], None)
    scale: dict[str, Any] = {"type": "log", "domain": [low, high], "nice": False}
    x = (
        alt.X("computed:Q", title="Computed (each in its own unit)")
        .scale(**scale)
        .axis(values=_decades(low, high), format="~g")
    )
    y = (
        alt.Y("predicted:Q", title="Predicted by you")
        .scale(**scale)
        .axis(values=_decades(low, high), format="~g")
    )
    ends = [
        {"computed": low, "predicted": low, "lo": low / 2, "hi": low * 2},
        {"computed": high, "predicted": high, "lo": high / 2, "hi": high * 2},
    ]
    line = alt.Chart(alt.Data(values=ends))
    band = line.mark_area(opacity=0.5, color=MEMORY_SHADE, clip=True).encode(
        x, alt.Y("lo:Q").scale(**scale), alt.Y2("hi:Q")
    )
    diagonal = line.mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.4).encode(x, y)
    base = alt.Chart(alt.Data(values=data))
    dots = base.mark_point(
        filled=True, size=120, opacity=1, color=GUESS, stroke="white", strokeWidth=1.5
    ).encode(
        x,
        y,
        tooltip=[
            alt.Tooltip("question:N"),
            alt.Tooltip("predicted:Q", format=".3g"),
            alt.Tooltip("computed:Q", format=".3g"),
            alt.Tooltip("unit:N"),
            alt.Tooltip("off:N", title="off by"),
        ],
    )
    names = base.mark_text(dy=-13, fontSize=11, color=INK).encode(x, y, text="question:N")
    said = "; ".join(
        f"{r['question']}: predicted {r['predicted']:.3g}, computed {r['computed']:.3g} {r['unit']}"
        for r in data
    )
    return _finish(band + diagonal + dots + names, "", "", 300, f"Your intuition so far. {said}")


def intuition_text(
    rows: Sequence[tuple[Commitment, float]], choices: Sequence[tuple[Commitment, Any]]
) -> str:
    """One line over the chart: how far off, how often right, and whether confidence was earned."""
    parts = []
    if rows:
        factor = typical_factor([off_by(float(row.value), truth) for row, truth in rows])
        parts.append(
            f"You have been off by a factor of **{times(factor)}** on {len(rows)} "
            f"number{'s' if len(rows) > 1 else ''} (geometric mean)"
        )
    if choices:
        right = sum(row.value == truth for row, truth in choices)
        parts.append(f"right on **{right} of {len(choices)}** choices")
    hits = [
        (row.confidence, off_by(float(row.value), truth) <= 2)
        for row, truth in rows
        if row.confidence
    ]
    hits += [(row.confidence, row.value == truth) for row, truth in choices if row.confidence]
    text = ", and ".join(parts) + "."
    if len(hits) >= 3:
        said, got = sum(c for c, _ in hits) / len(hits), sum(hit for _, hit in hits) / len(hits)
        judgement = (
            "as sure as you should be"
            if abs(said - got) < 0.2
            else ("surer than your answers" if said > got else "better than you think")
        )
        text += (
            f" You were {said:.0%} sure on average and right (within a factor of 2) "
            f"{got:.0%} of the time: {judgement}."
        )
    return text


def save(chart: alt.TopLevelMixin, path: str | Path) -> None:
    """Write a chart as PNG or SVG without a network; needs vl-convert (in the test extra)."""
    chart.properties(width=720).save(str(path), scale_factor=2)


# ---- the parts of a roofline ---------------------------------------------------------------------


def _roof(device: HardwareNode, precision: str, efficiency: float) -> dict[str, Any]:
    peak = device.peak(precision).m_as("TFLOP/s") * efficiency
    slope = device.memory.bandwidth.m_as("TB/s")
    ridge = float(node.ridge_point(peak, slope))
    short = device.name.split(" ")[0]
    return {"device": device.name, "short": short, "peak": peak, "slope": slope, "ridge": ridge}


def _dot(profile: Profile) -> dict[str, Any]:
    rate = profile.si("operations") / profile.si("latency") / 1e12
    return {
        "intensity": float(profile.si("arithmetic_intensity")),
        "rate": float(rate),
        "batch": int(profile.batch_size),
        "label": f"batch {int(profile.batch_size)}",
        "step": f"{profile.latency.m_as('ms'):.3g} ms",
        "bound": str(profile.bottleneck),
    }


def _regimes(
    roof: dict[str, Any], xs: tuple[float, float], ys: tuple[float, float], x: Any, y: Any
) -> list[Any]:
    ridge = roof["ridge"]
    shade = (
        alt.Chart(
            alt.Data(
                values=[
                    {"intensity": xs[0], "to": ridge, "side": "memory"},
                    {"intensity": ridge, "to": xs[1], "side": "compute"},
                ]
            )
        )
        .mark_rect(opacity=0.75)
        .encode(
            x,
            x2="to:Q",
            color=alt.Color("side:N", legend=None).scale(
                domain=["memory", "compute"], range=[MEMORY_SHADE, COMPUTE_SHADE]
            ),
        )
    )
    words = (
        alt.Chart(
            alt.Data(
                values=[
                    {"intensity": math.sqrt(xs[0] * ridge), "rate": ys[0] * 1.5, "side": "memory"},
                    {"intensity": math.sqrt(ridge * xs[1]), "rate": ys[0] * 1.5, "side": "compute"},
                ]
            )
        )
        .transform_calculate(text="width < 460 ? datum.side : datum.side + '-bound'")
        .mark_text(fontSize=12, fontStyle="italic", color=MUTED)
        .encode(x, y, text="text:N")
    )
    return [shade, words]


def _lines(roofs: Rows, xs: tuple[float, float], x: Any, y: Any, color: Any) -> alt.Chart:
    rows = [
        {
            "device": r["device"],
            "intensity": at,
            "rate": float(node.attainable(at, r["peak"], r["slope"])),
        }
        for r in roofs
        for at in (xs[0], r["ridge"], xs[1])
    ]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2.8, clip=True, strokeJoin="round")
        .encode(x, y, color)
    )


def _ridges(roofs: Rows, x: Any, y: Any, color: Any) -> list[Any]:
    base = alt.Chart(
        alt.Data(
            values=[
                {
                    "device": r["device"],
                    "intensity": r["ridge"],
                    "rate": r["peak"],
                    "text": f"{r['ridge']:.0f}",
                }
                for r in roofs
            ]
        )
    )
    return [
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x,
            y,
            color=color,
            tooltip=[alt.Tooltip("device:N"), alt.Tooltip("text:N", title="ridge (FLOP/byte)")],
        )
    ]


def _labels(roofs: Rows, right: float, x: Any, y: Any, color: Any) -> list[Any]:
    rows = [
        {
            "device": r["device"],
            "intensity": right,
            "rate": r["peak"],
            "long": f"{r['short']} {r['peak']:.0f} TFLOP/s, ridge {r['ridge']:.0f}",
            "brief": f"{r['short']} {r['peak']:.0f}",
        }
        for r in roofs
    ]
    # a phone has no room for the whole sentence beside the slope
    return [
        alt.Chart(alt.Data(values=rows))
        .transform_calculate(text="width < 460 ? datum.brief : datum.long")
        .mark_text(align="right", dx=-5, dy=-10, fontSize=12, fontWeight=600)
        .encode(x, y, text="text:N", color=color)
    ]


def _trail(dots: Rows, x: Any, y: Any) -> list[Any]:
    base = alt.Chart(alt.Data(values=dots))
    tip = [
        alt.Tooltip("batch:Q", title="batch"),
        alt.Tooltip("intensity:Q", format=".3g", title="FLOP/byte"),
        alt.Tooltip("rate:Q", format=".3g", title="TFLOP/s"),
        alt.Tooltip("step:N"),
        alt.Tooltip("bound:N", title="bound by"),
    ]
    return [
        base.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=1.8).encode(
            x,
            y,
            tooltip=tip,
            color=alt.when("datum.here").then(alt.value(GUESS)).otherwise(alt.value(INK)),
            size=alt.when("datum.here").then(alt.value(230)).otherwise(alt.value(110)),
        ),
        # a white shadow first: a number may stand on a roof
        base.mark_text(
            dy=18, fontSize=11.5, color="white", stroke="white", strokeWidth=4, fontWeight=500
        ).encode(x, y, text="batch:N"),
        base.mark_text(dy=18, fontSize=11.5, color=INK, fontWeight=500).encode(
            x, y, text="batch:N"
        ),
    ]


def _finish(chart: Any, title: str, subtitle: str, height: int, description: str) -> Any:
    properties: dict[str, Any] = {
        "width": "container",
        "height": height,
        "description": description,
    }
    if title:
        lines = textwrap.wrap(title, _TITLE_WIDTH)
        properties["title"] = (
            alt.Title(lines, subtitle=textwrap.wrap(subtitle, _SUBTITLE_WIDTH))
            if subtitle
            else alt.Title(lines)
        )
    return chart.properties(**properties).configure_axis(gridColor=GRID)


def _span(values: Iterable[float], at_least: tuple[float, float] | None) -> tuple[float, float]:
    """A logarithmic range that holds the values with some air, and `at_least` the given one."""
    held = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min(held) / 2, max(held) * 2
    return (min(low, at_least[0]), max(high, at_least[1])) if at_least else (low, high)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten in a range, every second or third where there are too many to label."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    step = 1 + (last - first) // _MOST_TICKS
    return [10.0**n for n in range(first, last + 1, step)] or [low, high]
