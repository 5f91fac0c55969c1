"""What every chart is made of: rows, logarithmic axes, and the frame around it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from mlsysim.charts.theme import GRID

Rows = Sequence[Mapping[str, Any]]
Span = tuple[float, float]
_TITLE_WIDTH, _SUBTITLE_WIDTH = 34, 44  # characters that fit a phone
_MOST_TICKS = 7
NARROW = 460  # pixels, below which a label says less


def of(rows: Rows) -> alt.Chart:
    """A chart of plain rows."""
    return alt.Chart(alt.Data(values=[dict(row) for row in rows]))


def span(values: Iterable[float], at_least: Span | None = None) -> Span:
    """A logarithmic range that holds the values with some air, and `at_least` the given one."""
    held = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min(held) / 2, max(held) * 2
    return (min(low, at_least[0]), max(high, at_least[1])) if at_least else (low, high)


def decades(field: Any, ends: Span, title: str, **axis: Any) -> Any:
    """A channel (`alt.X("rate:Q")`) as a logarithmic axis that is labelled at powers of ten.

    Every second or third one where there are too many to label.
    """
    first, last = math.ceil(math.log10(ends[0])), math.floor(math.log10(ends[1]))
    step = 1 + max(last - first, 0) // _MOST_TICKS
    ticks = [10.0**n for n in range(first, last + 1, step)] or list(ends)
    scaled = field.scale(type="log", domain=list(ends), nice=False)
    return scaled.title(title).axis(values=ticks, **{"format": "~g", **axis})


def finish(
    chart: Any, description: str, height: int, title: str = "", subtitle: str = ""
) -> alt.LayerChart:
    """The chart in its frame: as wide as its column, with words for who cannot see it."""
    properties: dict[str, Any] = {
        "width": "container",
        "height": height,
        "description": description,
    }
    if title:
        below: dict[str, Any] = {"subtitle": textwrap.wrap(subtitle, _SUBTITLE_WIDTH)}
        properties["title"] = alt.Title(
            textwrap.wrap(title, _TITLE_WIDTH), **(below if subtitle else {})
        )
    return chart.properties(**properties).configure_axis(gridColor=GRID)


def save(chart: alt.TopLevelMixin, path: str | Path) -> None:
    """Write a chart as PNG or SVG without a network; needs vl-convert (in the test extra)."""
    chart.properties(width=720).save(str(path), scale_factor=2)
