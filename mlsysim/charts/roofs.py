"""The roofline: what a device can attain, and where the steps of a workload stand below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.parts import NARROW, Rows, Span, decades, finish, of, span
from mlsysim.charts.theme import COLOURS, COMPUTE_SHADE, GUESS, INK, MEMORY_SHADE, MUTED
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import Profile


class _Axes(NamedTuple):
    x: Any
    y: Any
    color: Any
    intensity: Span
    rate: Span

    def at(self, chart: alt.Chart, **more: Any) -> alt.Chart:
        return chart.encode(self.x, self.y, **more)


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
    dots = [_dot(profile, highlight) for profile in trail]
    axes = _axes(roofs, dots)
    layers = [
        *_regimes(_roof(shade or devices[0], precision, efficiency)["ridge"], axes),
        *_roofs(roofs, axes),
        *(_trail(dots, axes) if dots else ()),
    ]
    said = "; ".join(
        f"batch {dot['batch']}: {dot['rate']:.3g} TFLOP/s, {dot['bound']}-bound" for dot in dots
    )
    return finish(
        alt.layer(*layers).resolve_scale(color="independent"),
        f"Roofline of {', '.join(d.name for d in devices)}. {said}",
        height,
        title,
        subtitle,
    )


def _roof(device: HardwareNode, precision: str, efficiency: float) -> dict[str, Any]:
    peak = device.peak(precision).m_as("TFLOP/s") * efficiency
    slope = device.memory.bandwidth.m_as("TB/s")
    ridge = float(node.ridge_point(peak, slope))
    short = device.name.split(" ")[0]
    return {"device": device.name, "short": short, "peak": peak, "slope": slope, "ridge": ridge}


def _dot(profile: Profile, highlight: int | None) -> dict[str, Any]:
    batch = int(profile.batch_size)
    return {
        "intensity": float(profile.si("arithmetic_intensity")),
        "rate": float(profile.si("operations") / profile.si("latency") / 1e12),
        "batch": batch,
        "here": batch == highlight,
        "step": f"{profile.latency.m_as('ms'):.3g} ms",
        "bound": str(profile.bottleneck),
    }


def _axes(roofs: Rows, dots: Rows) -> _Axes:
    across = span([*(d["intensity"] for d in dots), *(r["ridge"] for r in roofs)], (0.3, 6000))
    peaks, slopes = [r["peak"] * 2 for r in roofs], [r["slope"] * across[0] for r in roofs]
    floor, ceiling = span([*(d["rate"] for d in dots), *peaks, *slopes], (0.5, 1000))
    up = (floor, ceiling * 1.6)
    x = decades(alt.X("intensity:Q"), across, "Arithmetic intensity (FLOP per byte moved)")
    y = decades(alt.Y("rate:Q"), up, "Attainable TFLOP/s", format="~s")
    color = alt.Color("device:N", legend=None)
    return _Axes(x, y, color.scale(domain=[r["device"] for r in roofs], range=COLOURS), across, up)


def _regimes(ridge: float, axes: _Axes) -> list[alt.Chart]:
    """What lies left of the ridge, and what lies right of it."""
    (low, high), height = axes.intensity, axes.rate[0] * 1.5
    sides = (("memory", low, ridge), ("compute", ridge, high))
    areas = [{"side": side, "intensity": start, "to": end} for side, start, end in sides]
    words = [
        {"side": side, "intensity": math.sqrt(start * end), "rate": height}
        for side, start, end in sides
    ]
    color = alt.Color("side:N", legend=None).scale(
        domain=[side for side, _, _ in sides], range=[MEMORY_SHADE, COMPUTE_SHADE]
    )
    text = (
        of(words)
        .transform_calculate(text=f"width < {NARROW} ? datum.side : datum.side + '-bound'")
        .mark_text(fontSize=12, fontStyle="italic", color=MUTED)
    )
    return [
        of(areas).mark_rect(opacity=0.75).encode(axes.x, x2="to:Q", color=color),
        axes.at(text, text="text:N"),
    ]


def _roofs(roofs: Rows, axes: _Axes) -> list[alt.Chart]:
    """Each roof as a line, its ridge as a dot, its name at the right."""
    low, high = axes.intensity
    lines = [
        {
            "device": r["device"],
            "intensity": at,
            "rate": float(node.attainable(at, r["peak"], r["slope"])),
        }
        for r in roofs
        for at in (low, r["ridge"], high)
    ]
    ridges = [{**r, "intensity": r["ridge"], "rate": r["peak"]} for r in roofs]
    names = [
        {
            **r,
            "intensity": high,
            "rate": r["peak"],
            "long": f"{r['short']} {r['peak']:.0f} TFLOP/s, ridge {r['ridge']:.0f}",
            "brief": f"{r['short']} {r['peak']:.0f}",
        }
        for r in roofs
    ]
    tip = [alt.Tooltip("device:N"), alt.Tooltip("ridge:Q", format=".0f", title="ridge (FLOP/byte)")]
    line = of(lines).mark_line(strokeWidth=2.8, clip=True, strokeJoin="round")
    ridge = of(ridges).mark_point(filled=True, size=60, opacity=1)
    # a phone has no room for the whole sentence beside the slope
    name = (
        of(names)
        .transform_calculate(text=f"width < {NARROW} ? datum.brief : datum.long")
        .mark_text(align="right", dx=-5, dy=-10, fontSize=12, fontWeight=600)
    )
    return [
        axes.at(line, color=axes.color),
        axes.at(ridge, color=axes.color, tooltip=tip),
        axes.at(name, color=axes.color, text="text:N"),
    ]


def _trail(dots: Rows, axes: _Axes) -> list[alt.Chart]:
    """Each step as a dot with its batch below it."""
    base = of(dots)
    tip = [
        alt.Tooltip("batch:Q", title="batch"),
        alt.Tooltip("intensity:Q", format=".3g", title="FLOP/byte"),
        alt.Tooltip("rate:Q", format=".3g", title="TFLOP/s"),
        alt.Tooltip("step:N"),
        alt.Tooltip("bound:N", title="bound by"),
    ]
    here = alt.when("datum.here")
    label: dict[str, Any] = {"dy": 18, "fontSize": 11.5, "fontWeight": 500}
    return [
        axes.at(
            base.mark_point(filled=True, opacity=1, stroke="white", strokeWidth=1.8),
            tooltip=tip,
            color=here.then(alt.value(GUESS)).otherwise(alt.value(INK)),
            size=here.then(alt.value(230)).otherwise(alt.value(110)),
        ),
        # a white shadow first: a number may stand on a roof
        axes.at(
            base.mark_text(color="white", stroke="white", strokeWidth=4, **label), text="batch:N"
        ),
        axes.at(base.mark_text(color=INK, **label), text="batch:N"),
    ]
