"""One look for every chart: the palette in both schemes, quiet axes, text that grows with the page.

Colours are CSS's `light-dark(...)`, so a chart follows the scheme of its page by itself; sizes are
expressions over the chart's width, so the same chart serves a phone, a column and a slide.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from mlsysim.palette import FONT, MARKED, PALETTE, SERIES

COLOUR = {role: ink.both for role, ink in PALETTE.items()}
INK, MUTED, GRID, CARD = (COLOUR[role] for role in ("ink", "muted", "line", "card"))
TEXTS = [INK if role == "gold" else COLOUR[role] for role in SERIES]  # gold is too light for words
ON = ["light-dark(#000000, #1d212a)" if role == "gold" else CARD for role in SERIES]  # words on it
COLOURS, GUESS = [COLOUR[role] for role in SERIES], COLOUR[MARKED]
DASHES = [[1, 0], [7, 3], [2, 2], [10, 3, 2, 3], [5, 5]]  # as many as colours: grey print
SHAPES = ["circle", "square", "triangle-up", "cross", "triangle-down"]

# how wide the plot of each size is, from which width on it is that size, and its label's pixels
PHONE, LAPTOP, SLIDE = "phone", "laptop", "slide"
NARROW, WIDE = 380, 760
LABEL = {PHONE: 12, LAPTOP: 13, SLIDE: 18}
PLOT = {PHONE: 270, LAPTOP: 560, SLIDE: 1000}  # of a chart whose names stand inside
BARS = {PHONE: 190, LAPTOP: 480, SLIDE: 850}  # of one whose names stand at the left


def sized(phone: Any, laptop: Any, slide: Any) -> str:
    """The Vega expression that picks one of three by the width of the chart."""
    return f"(width < {NARROW} ? {phone} : width < {WIDE} ? {laptop} : {slide})"


def text_size(more: float = 0) -> dict[str, str]:
    """The size of a label, or of what is `more` pixels larger, at every width."""
    return {"expr": sized(*(size + more for size in LABEL.values()))}


@alt.theme.register("mlsysim", enable=True)
def theme() -> Any:
    """The Vega-Lite configuration that all charts share."""
    axis = {
        "labelColor": MUTED,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": COLOUR["axis"],
        "tickColor": COLOUR["axis"],
        "labelFontSize": text_size(),
        "titleFontSize": text_size(),
        "titleFontWeight": 500,
        "titlePadding": 8,
        "labelLimit": 420,
        "labelSeparation": 6,  # on a phone some stay away, and none run into each other
        "titleLimit": 1200,
    }
    title = {
        "anchor": "start",
        "frame": "bounds",
        "color": INK,
        "fontSize": text_size(3),
        "fontWeight": 600,
        "offset": 12,
        "subtitleColor": MUTED,
        "subtitleFontSize": text_size(),
        "subtitlePadding": 5,
    }
    legend = {
        "labelColor": INK,
        "titleColor": MUTED,
        "labelFontSize": text_size(),
        "symbolStrokeWidth": 0,
        "labelLimit": 300,
        "orient": "top",
        "title": None,
        "columns": {"expr": sized(2, 4, 5)},
        "columnPadding": 14,
    }
    return {
        "config": {
            "font": FONT,
            "background": f"light-dark({PALETTE['card'].light}, transparent)",
            "view": {"stroke": None},
            "mark": {"aria": False},  # the description and the table speak for the marks
            "axis": axis,
            "title": title,
            "legend": legend,
            "range": {"category": COLOURS},
        }
    }
