"""An axis: what it measures, from where to where, and which ticks a person reads easily."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

from mlsysim.charts.values import Measure, Span, brief, drawable, power

_MOST_TICKS = 7
_FARTHEST = 305  # decades that a number can be away from one


class Axis(NamedTuple):
    """One axis of a chart; `ends` are its least and greatest value, in the unit of its measure."""

    measure: Measure
    ends: Span
    log: bool = False

    @classmethod
    def over(
        cls, measure: Measure, values: Iterable[float], *, log: bool = False, air: Span = (0.0, 0.0)
    ) -> Axis:
        """The axis that holds the values, with shares of its length as air."""
        held = [value for value in values if drawable(value, log)]
        low, high = (min(held), max(held)) if held else (1.0, 10.0) if log else (0.0, 1.0)
        if log:
            least, most = math.log10(low), math.log10(high)
            if most - least < 0.3:  # a single point stands in the middle of a decade
                least, most = (least + most) / 2 - 0.5, (least + most) / 2 + 0.5
            length = most - least
            ends = (least - air[0] * length, most + air[1] * length)
            low, high = (10.0 ** max(-_FARTHEST, min(end, _FARTHEST)) for end in ends)
            return cls(measure, (low, high), log)
        length = high - low or abs(high) or 1.0
        high = high if high > low else low + length
        return cls(measure, (low - air[0] * length, high + air[1] * length))

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the least to 1 at the greatest."""
        low, high = self.ends
        if self.log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)

    def ticks(self) -> list[float]:
        """Powers of ten where there are two of them; less than that, 1, 2 and 5 of each."""
        low, high = (math.log10(end) for end in self.ends)
        first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
        if last - first >= 1:
            step = 1 + (last - first) // _MOST_TICKS
            return [10.0**n for n in range(first, last + 1, step)]
        steps = (1, 2, 5) if high - low > 0.35 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
        rows = [k * 10.0**n for n in range(first - 1, last + 1) for k in steps]
        return [v for v in rows if self.ends[0] <= v <= self.ends[1]] or list(self.ends)

    def channel(self, field: Any, *, shown: bool = True, **axis: Any) -> Any:
        """A position channel (`alt.X("rate:Q")`) on this axis, which only one layer has to show."""
        scale: dict[str, Any] = {"domain": list(self.ends), "nice": False, "zero": False}
        if self.log:
            ticks = self.ticks()
            words = [
                power(round(math.log10(v))) if math.log10(v).is_integer() else brief(v)
                for v in ticks
            ]
            axis = {"values": ticks, "labelExpr": looked_up(ticks, words), **axis}
            scale["type"] = "log"
        else:
            axis = {"tickCount": 5, "labelExpr": _PLAIN, **axis}
        field = field.scale(**scale).title(self.measure.title or None)
        return field.axis(**axis) if shown else field.axis(None)

    def x(self, field: str = "x", **more: Any) -> Any:
        """The horizontal channel of a field."""
        return self.channel(alt.X(f"{field}:Q"), **more)

    def y(self, field: str = "y", **more: Any) -> Any:
        """The vertical channel of a field."""
        return self.channel(alt.Y(f"{field}:Q"), **more)


# d3 writes a minus that no keyboard has, and 1e+9 where a person writes 1 billion
_PLAIN = (
    "abs(datum.value) >= 1e9 ? format(datum.value / 1e9, ',~g') + ' billion' : "
    "abs(datum.value) >= 1e6 ? format(datum.value / 1e6, ',~g') + ' million' : datum.label"
)


def looked_up(keys: Sequence[Any], words: Sequence[str]) -> str:
    """The expression that says for a tick's value the word at its place."""
    return f"{json.dumps(words, ensure_ascii=False)}[indexof({json.dumps(keys)}, datum.value)]"
