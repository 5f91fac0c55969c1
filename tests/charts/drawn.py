"""What a chart really draws: rows of its layers, and the text of the picture."""

from __future__ import annotations

import re
from html import unescape

from mlsysim import charts


def layers(chart):
    """Every layer as (kind of mark, its rows)."""
    spec = chart.to_dict(validate=True)
    found = []
    for layer in spec["layer"]:
        mark = layer["mark"]
        kind = mark if isinstance(mark, str) else mark["type"]
        found.append((kind, layer.get("data", spec.get("data", {})).get("values", [])))
    return found


def rows(chart, kind, *keys):
    """The rows with these keys of all layers of a kind, each once."""
    held = []
    for mark, values in layers(chart):
        if mark == kind:
            held += [v for v in values if all(key in v for key in keys) and v not in held]
    return held


def picture(chart, path, **how):
    """The SVG that is written, and all texts in it."""
    charts.save(chart, path / "chart.svg", **how)
    svg = (path / "chart.svg").read_text(encoding="utf-8")
    return svg, [unescape(text) for text in re.findall(r"<text[^>]*>([^<]+)</text>", svg)]
