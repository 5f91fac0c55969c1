"""The frame of a chart: title, size, words for who cannot see it, the table behind it, export."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, Literal, ParamSpec, cast

import altair as alt
from altair.utils.schemapi import debug_mode

from mlsysim.charts import theme as look
from mlsysim.charts.values import brief
from mlsysim.core.errors import MLSysError, UnknownName, ended
from mlsysim.palette import PALETTE

Rows = Sequence[Mapping[str, Any]]
P = ParamSpec("P")
Size = Literal["phone", "laptop", "slide"]
_TITLE = {look.PHONE: 34, look.LAPTOP: 68, look.SLIDE: 90}  # characters on a line
_SUBTITLE = 46
_NEVER_SHARED = ("color", "fill", "stroke", "shape", "strokeDash", "opacity")
_PAGE = {look.PHONE: 358, look.LAPTOP: 720, look.SLIDE: 1200}  # pixels across a page
_SCHEMES = re.compile(r"light-dark\(([^,()]+), ([^,()]+)\)")


def drawn(make: Callable[P, alt.LayerChart]) -> Callable[P, alt.LayerChart]:
    """`make`, without holding each part against the schema, which takes most of the time."""

    @wraps(make)
    def quickly(*args: P.args, **kwargs: P.kwargs) -> alt.LayerChart:
        with debug_mode(False):
            return make(*args, **kwargs)

    return quickly


class Picture(alt.LayerChart):
    """A chart that is shown as it was made: holding it against the schema is for tests to do."""

    def to_dict(self, validate: bool = False, **more: Any) -> dict[str, Any]:
        """Its Vega-Lite specification."""
        return super().to_dict(validate, **more)


def of(rows: Rows) -> alt.Chart:
    """A chart of plain rows."""
    return alt.Chart(alt.Data(values=[dict(row) for row in rows]))


def finish(
    *layers: alt.Chart | alt.LayerChart,
    title: str,
    said: str,
    table: Rows,
    height: float,
    subtitle: str = "",
    left_out: str = "",
) -> alt.LayerChart:
    """The layers as one chart, as wide as its column; `left_out` says what has no place in it."""
    below = " ".join(part for part in (subtitle, left_out) if part)
    head: dict[str, Any] = {"text": _lines(title)} if title or below else {}
    if below:
        head["subtitle"] = textwrap.wrap(below, _SUBTITLE)
    sentences = " ".join(ended(part) for part in (title, said, left_out) if part)
    apart: dict[str, Any] = dict.fromkeys(_NEVER_SHARED, "independent")
    chart: Any = Picture(layer=layers).resolve_axis(x="independent", y="independent")
    return chart.resolve_scale(**apart).properties(
        width="container",
        height=height,
        description=sentences,
        **({"title": alt.TitleParams(**head)} if head else {}),
        usermeta={
            "embedOptions": {"renderer": "svg", "actions": False},
            "table": [{name: _told(value) for name, value in row.items()} for row in table],
        },
    )


def _told(value: Any) -> Any:
    """A cell of a chart's table: a page's JSON has no number that is infinite or unknown."""
    endless = isinstance(value, float) and not math.isfinite(value)
    return brief(value) if endless else value


def _lines(text: str) -> dict[str, str]:
    """A title broken into lines for each size; Vega-Lite knows no such subtitle."""
    lines = [json.dumps(textwrap.wrap(text, n), ensure_ascii=False) for n in _TITLE.values()]
    return {"expr": look.sized(*lines)}


def table(chart: alt.TopLevelMixin) -> list[dict[str, Any]]:
    """What a chart shows, as rows of names and values: for who reads rather than looks."""
    return cast(Any, chart).usermeta["table"]


def words(chart: alt.TopLevelMixin) -> str:
    """What a chart shows, in sentences: its finding, its extremes, what it leaves out."""
    return cast(Any, chart).description


def save(
    chart: alt.TopLevelMixin, path: str | Path, *, size: Size = "laptop", dark: bool = False
) -> None:
    """Write a chart as PNG, SVG or HTML, as its suffix says, without a network.

    `size` is the page that it is for: a phone, a column on a laptop, or a slide, whose text is
    large. Needs the extra `plot`; raises MLSysError without it.
    """
    target = Path(path)
    if target.suffix not in (".html", ".png", ".svg"):
        raise UnknownName("path", target.suffix or target.name, (".html", ".png", ".svg"))
    if target.suffix == ".svg":
        target.write_text(svg(chart, size=size, dark=dark), encoding="utf-8")
    else:
        converter, spec = _converter(), _sized(chart, size, dark=dark)
        if target.suffix == ".html":  # one file that loads nothing
            page = converter.vegalite_to_html(spec, bundle=True)
            target.write_text(page, encoding="utf-8")
        else:
            target.write_bytes(converter.vegalite_to_png(spec, scale=2))


def svg(chart: alt.TopLevelMixin, *, size: Size = "laptop", dark: bool = False) -> str:
    """A chart as the text of an SVG that describes itself; raises what `save` raises."""
    said = f'<svg role="img" aria-label="{escape(words(chart))}" '
    drawn = _converter().vegalite_to_svg(_sized(chart, size, dark=dark))
    return drawn.replace("<svg ", said, 1)


def _converter() -> Any:
    try:
        import vl_convert
    except ModuleNotFoundError:
        raise MLSysError("a picture takes vl-convert: pip install vl-convert-python") from None
    return vl_convert


def _sized(chart: alt.TopLevelMixin, size: Size, *, dark: bool) -> dict[str, Any]:
    """The chart as data, as wide as its page."""
    if size not in _PAGE:
        raise UnknownName("size", size, _PAGE)
    spec = json.loads(_SCHEMES.sub(r"\2" if dark else r"\1", chart.to_json()))
    fitted = {"type": "fit-x", "contains": "padding"}
    spec |= {"width": _PAGE[size], "autosize": fitted, "padding": 16}
    if size == look.SLIDE:
        spec["height"] = round(1.4 * spec["height"])
    spec["config"]["background"] = PALETTE["card"][dark]
    return spec
