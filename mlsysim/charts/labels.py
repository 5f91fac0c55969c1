"""Where labels go, so that none lies on another, at each of the three sizes of a chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from mlsysim.charts.theme import CARD, INK, LABEL, LAPTOP, PHONE, PLOT, SLIDE, sized, text_size

_GLYPH = 0.6  # of the size of a letter, how wide one is
_SYMBOL = 22  # pixels of a legend's symbol, with the space about it
_SIZES = (PHONE, LAPTOP, SLIDE)
Box = tuple[float, float, float, float]


def wide(text: str, size: str) -> float:
    """About how many pixels a label takes."""
    return len(text) * _GLYPH * LABEL[size]


def legend(names: Sequence[str], **look: Any) -> alt.Legend | None:
    """What colours stand for, where there are several; below each other where a phone is narrow."""
    if len(names) < 2:
        return None
    if sum(sorted(wide(name, "phone") for name in names)[-2:]) > PLOT["phone"] - 2 * _SYMBOL:
        look["columns"] = {"expr": sized(1, 4, 5)}
    return alt.Legend(**look)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest the wanted ones that are at least `gap` apart, in their order.

    >>> spread([50, 52, 10], 10, 0, 100)
    [46.0, 56.0, 10.0]
    """
    groups: list[tuple[float, list[int]]] = []  # labels that touch move as one round their mean
    for index in sorted(range(len(wanted)), key=lambda i: wanted[i]):
        held = [index]
        while True:
            middle = sum(wanted[i] for i in held) / len(held)
            start = max(low, min(middle - gap * (len(held) - 1) / 2, high - gap * (len(held) - 1)))
            if not groups or groups[-1][0] + gap * len(groups[-1][1]) <= start:
                break
            held = groups.pop()[1] + held
        groups.append((start, held))
    where = {i: start + gap * n for start, held in groups for n, i in enumerate(held)}
    return [where[i] for i in range(len(wanted))]


def beside(
    dots: Sequence[tuple[float, float, str]],
    height: float,
    around: Sequence[tuple[float, float, Sequence[str]]] = (),
    *,
    marks: Iterable[tuple[float, float]] = (),
    rising: bool = False,
) -> list[dict[str, Any]]:
    """For each dot (its share of width and height, its text), where its text goes at each size.

    The first of below, above, right and left that is free is taken; what fits nowhere is left to
    the table. `around` are texts to keep clear of: their right end, middle, and words at each size.
    Beside a `rising` line the place below and to the right is tried first.
    """
    rows: list[dict[str, Any]] = [{"dx": [], "dy": [], "align": [], "text": []} for _ in dots]
    marks = list(marks)
    for at_size, size in enumerate(_SIZES):
        width, tall = PLOT[size], LABEL[size]
        taken = [_box(x * width, (1 - y) * height, 12, 12) for x, y, _ in dots]
        taken += [_box(x * width, (1 - y) * height, 6, 6) for x, y in marks]
        for x, y, said in around:
            long = wide(said[at_size], size)
            taken.append(_box(x * width - long / 2, (1 - y) * height, long, tall * 1.2))
        for (x, y, text), row in zip(dots, rows, strict=True):
            spot = (x * width, (1 - y) * height)
            free = _free(spot, wide(text, size), tall, (width, height), taken, rising)
            for key, value in zip(row, (*free, text if free[2] else ""), strict=True):
                row[key].append("center" if value == "" and key == "align" else value)
    return rows


def _free(
    spot: tuple[float, float],
    long: float,
    tall: float,
    room: tuple[float, float],
    taken: list[Box],
    rising: bool,
) -> tuple[float, float, str]:
    """The first place beside a spot that nothing has taken, which it then has; "" when none is."""
    for dx, dy, align in _places(tall, rising):
        left = {"center": -long / 2, "left": 0.0, "right": -long}[align]
        box = (spot[0] + dx + left, spot[1] + dy - tall * 0.55, long, tall * 1.1)
        across = box[0] >= -4 and box[0] + long <= room[0] + 4
        if across and box[1] >= 0 and box[1] + box[3] <= room[1] and not _hits(box, taken):
            taken.append(box)
            return dx, dy, align
    return 0, 0, ""


def _places(tall: float, rising: bool) -> list[tuple[float, float, str]]:
    near, far = tall * 0.5 + 9, tall * 1.6 + 9
    return [
        *[(9, near, "left")] * rising,
        (0, near, "center"), (0, -near, "center"), (11, 0, "left"), (-11, 0, "right"),
        (9, near, "left"), (-9, near, "right"), (9, -near, "left"), (-9, -near, "right"),
        (0, far, "center"), (0, -far, "center"), (9, far, "left"), (-9, -far, "right"),
    ]  # fmt: skip


def _box(x: float, y: float, width: float, height: float) -> Box:
    return (x - width / 2, y - height / 2, width, height)


def _hits(box: Box, taken: Sequence[Box]) -> bool:
    x, y, w, h = box
    return any(x < a + c and a < x + w and y < b + d and b < y + h for a, b, c, d in taken)


def texts(chart: alt.Chart, *, color: Any = INK, weight: int = 500, **mark: Any) -> list[alt.Chart]:
    """The labels of rows that `beside` has placed: a shadow of the paper, then the words."""
    pick = {
        key: {"expr": sized(*(f"datum.{key}[{i}]" for i in range(3)))}
        for key in ("dx", "dy", "align")
    }
    said = chart.transform_calculate(said=sized(*(f"datum.text[{i}]" for i in range(3))))
    look: dict[str, Any] = {
        "fontSize": text_size(),
        "fontWeight": weight,
        "baseline": "middle",
        **pick,
        **mark,
    }
    return [
        said.mark_text(color=CARD, stroke=CARD, strokeWidth=4, **look).encode(
            text=alt.Text("said:N")
        ),
        said.mark_text(color=color, **look).encode(text=alt.Text("said:N")),
    ]
