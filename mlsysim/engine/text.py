"""A roofline in plain characters, for a terminal."""

from __future__ import annotations

import math

from mlsysim.equations import node
from mlsysim.solvers.node.single import Profile

_MARGIN = 14  # characters for the scale on the left


def roofline(profile: Profile, *, width: int = 58, height: int = 10) -> str:
    """One step under the roof of its device, log-log; `*` is the step, `+` the ridge.

    The flat roof is the part of the peak that the step was said to reach.
    """
    roof = profile.si("operations") / profile.si("compute_time")
    slope, here = profile.si("bandwidth"), profile.si("arithmetic_intensity")
    rate = profile.si("operations") / profile.si("latency")
    ridge = float(node.ridge_point(roof, slope))
    low, high = math.log10(min(here, ridge) / 4), math.log10(max(here, ridge) * 4)
    top = math.log10(roof * 1.3)
    bottom = min(math.log10(rate / 2), math.log10(slope * 10**low))

    def row(value: float) -> int:
        return round((top - math.log10(value)) / (top - bottom) * (height - 1))

    def column(value: float) -> int:
        return round((math.log10(value) - low) / (high - low) * (width - 1))

    grid = [[" "] * width for _ in range(height)]
    for at in range(width):
        intensity = 10 ** (low + (high - low) * at / (width - 1))
        line = row(float(node.attainable(intensity, roof, slope)))
        if 0 <= line < height:
            grid[line][at] = "-" if intensity >= ridge else "/"
    grid[row(roof)][column(ridge)] = "+"
    grid[min(row(rate), height - 1)][column(here)] = "*"
    scale = {min(row(rate), height - 1): show_rate(rate), row(roof): show_rate(roof)}
    lines = [
        f"{scale.get(i, ''):>{_MARGIN - 2}} |{''.join(cells).rstrip()}"
        for i, cells in enumerate(grid)
    ]
    lines.append(" " * (_MARGIN - 1) + "+" + "-" * width)
    lines.append(_under(here, ridge, column(here), column(ridge), width))
    return "\n".join(lines)


def show_rate(rate: float) -> str:
    """FLOP/s with a prefix, short enough for the margin."""
    power = min(int(math.log10(rate) // 3), 5)
    return f"{rate / 1000**power:.3g} {' kMGTP'[power]}FLOP/s".replace("  ", " ")


def _under(here: float, ridge: float, left: int, right: int, width: int) -> str:
    """The intensities of the step and the ridge, each below its column."""
    cells = [" "] * (width + 24)
    for text, at in ((f"* {here:.3g}", left), (f"+ {ridge:.3g} FLOP/B", right)):
        start = min(at, len(cells) - len(text))
        if any(cell != " " for cell in cells[max(start - 1, 0) : start + len(text)]):
            start = next(i for i in range(len(cells), -1, -1) if i == 0 or cells[i - 1] != " ") + 2
        cells[start : start + len(text)] = text
    return " " * _MARGIN + "".join(cells).rstrip()
