"""One look for every chart: colours that the colour-blind tell apart, quiet axes, system fonts."""

from __future__ import annotations

from typing import Any

import altair as alt

INK, MUTED, GRID = "#23262f", "#5d6472", "#e6e9ef"
# blue, crimson, teal, amber, violet, grey: distinct in the three common kinds of colour blindness
PALETTE = ["#1f6aa5", "#b3203a", "#1b8a6b", "#c77700", "#6c4fa3", "#6b7280"]
GUESS = "#b45f06"
MEMORY_SHADE, COMPUTE_SHADE = "#eaf2fa", "#fbeeee"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@alt.theme.register("mlsysim", enable=True)
def theme() -> Any:
    """The Vega-Lite configuration that all charts share."""
    axis = {
        "labelColor": MUTED,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": "#aab1bd",
        "tickColor": "#aab1bd",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 8,
    }
    return {
        "config": {
            "font": FONT,
            "background": "white",
            "view": {"stroke": None},
            "axis": axis,
            "title": {
                "anchor": "start",
                "color": INK,
                "fontSize": 16,
                "fontWeight": 600,
                "offset": 12,
                "subtitleColor": MUTED,
                "subtitleFontSize": 12.5,
                "subtitlePadding": 5,
            },
            "legend": {"labelColor": INK, "titleColor": MUTED, "labelFontSize": 12},
            "range": {"category": PALETTE},
        }
    }
