"""One look for every chart: the palette on white, quiet axes, system fonts."""

from __future__ import annotations

from typing import Any

import altair as alt

from mlsysim.palette import FONT, PALETTE, SERIES

LIGHT = {role: ink.light for role, ink in PALETTE.items()}
INK, MUTED, GRID, GUESS = LIGHT["ink"], LIGHT["muted"], LIGHT["line"], LIGHT["amber"]
COLOURS = [LIGHT[role] for role in SERIES]
MEMORY_SHADE, COMPUTE_SHADE = LIGHT["memory-shade"], LIGHT["compute-shade"]


@alt.theme.register("mlsysim", enable=True)
def theme() -> Any:
    """The Vega-Lite configuration that all charts share."""
    axis = {
        "labelColor": MUTED,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": LIGHT["axis"],
        "tickColor": LIGHT["axis"],
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 8,
    }
    title = {
        "anchor": "start",
        "color": INK,
        "fontSize": 16,
        "fontWeight": 600,
        "offset": 12,
        "subtitleColor": MUTED,
        "subtitleFontSize": 12.5,
        "subtitlePadding": 5,
    }
    return {
        "config": {
            "font": FONT,
            "background": "white",
            "view": {"stroke": None},
            "axis": axis,
            "title": title,
            "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12},
            "range": {"category": COLOURS},
        }
    }
