"""Numbers on their way into a chart: units taken off, words put on, what has no place put aside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.units import Q_, Quantity, parse, unit_of

Span = tuple[float, float]
_UNIT_IN_TITLE = re.compile(r"\(([^()]*)\)$")
SAME = 1.05  # a factor below this is "1 times" in words, and none for the eye
_LARGEST = 1e300  # what an axis can hold with some air
_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = ("n", "µ", "m", "", "k", "M", "G", "T", "P", "E")


class Measure(NamedTuple):
    """What an axis measures: its title, and the unit that stands in its parentheses."""

    title: str
    unit: str = ""

    @classmethod
    def of(cls, title: str, values: Iterable[Any] = ()) -> Measure:
        """`Time of a step (ms)`; without parentheses the unit is that of the largest quantity."""
        if named := _UNIT_IN_TITLE.search(title):
            return cls(title, named[1])
        held = [
            abs(value)
            for value in map(number, values)
            if isinstance(value, Quantity) and math.isfinite(value.magnitude)
        ]
        if not held:
            return cls(title)
        most = max(held, key=lambda value: value.to_base_units().magnitude)
        plain = not most.magnitude or len(most.units._units) != 1 or f"{most.units:~P}" == "USD"
        unit = f"{(most if plain else most.to_compact()).units:~P}"
        return cls(f"{title} ({unit})" if unit else title, unit)

    def read(self, value: Any, argument: str = "value") -> float:
        """A number, a quantity or text such as '4.57 ms' as a plain number in this unit."""
        held = number(value, argument)
        if not isinstance(held, Quantity):
            return held
        try:
            return float(held.m_as(unit_of(self.unit)))
        except Exception as error:
            if held.dimensionless:
                return float(held.m_as(""))
            raise WrongUnit(
                argument, value, f"the axis {self.title!r} does not measure it; name its unit there"
            ) from error

    def column(self, values: Any, argument: str = "value") -> list[float]:
        """The numbers of a list, an array or a quantity that holds one."""
        return [self.read(value, argument) for value in each(values)]

    def say(self, value: float) -> str:
        """A number of this measure in words, with its unit where that is one."""
        return f"{brief(value)} {self.unit}".strip()

    def scaled(self, value: float) -> str:
        """The same with the prefix that suits it, as on an axis over many decades."""
        try:
            held = Q_(value, unit_of(self.unit or "-")).to_compact()
        except (WrongUnit, OverflowError, ValueError):
            return brief(value)
        return f"{brief(float(held.magnitude))} {held.units:~P}"


def each(values: Any) -> list[Any]:
    """What a list, an array or a quantity with an array holds, one by one."""
    if isinstance(values, Quantity) and np.ndim(values.magnitude):
        return [Q_(amount, values.units) for amount in np.ravel(values.magnitude)]
    if isinstance(values, (str, Quantity)) or not hasattr(values, "__iter__"):
        return [values]
    return list(values)


def number(value: Any, argument: str = "value") -> Any:
    """A plain number or a quantity, of what may be one, the other, or text that says one."""
    if isinstance(value, str):
        return parse(value, argument)
    if isinstance(value, Quantity):
        return value
    if value is None or isinstance(value, (bool, np.bool_)):
        raise BadArgument(argument, value, "give a number or a quantity")
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise BadArgument(argument, value, "give a number or a quantity") from None


def drawable(value: float, log: bool = False) -> bool:
    """Whether an axis has a place for a number: finite, and above zero on a logarithmic one."""
    return abs(value) < _LARGEST and (value > 1 / _LARGEST or not log)


def between(low: float, high: float, share: float, log: bool = False) -> float:
    """What lies at a share of the way, in length or in decades."""
    if log:
        return math.exp(math.log(low) * (1 - share) + math.log(high) * share)
    return low + (high - low) * share


def left_out(named: Sequence[tuple[str, float]], log: bool = False) -> str:
    """A sentence about what has no place on the axis; empty when everything has one."""
    missing = [f"{name} ({brief(value)})" for name, value in named if not drawable(value, log)]
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return f"Not drawn: {', '.join(missing[:3])}{more}." if missing else ""


def brief(value: float) -> str:
    """A number for people: three digits, or all that stand before the point.

    >>> brief(4.5678), brief(1956.2), brief(1.25e6), brief(3e-7), brief(float("inf"))
    ('4.57', '1,956', '1.25 million', '3×10⁻⁷', 'infinite')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "infinite" if value > 0 else "minus infinity"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{float(digits):g}×10{str(int(power)).translate(_POWERS)}"
    for floor, word in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if size >= floor * 0.9995:
            return (
                f"{value / floor:.3g}{word}"
                if size < floor * 999.5
                else f"{value / floor:,.0f}{word}"
            )
    return f"{value:,.0f}" if size >= 999.5 else f"{value:.3g}"


def prefixed(value: float, unit: str) -> str:
    """A number with the prefix that keeps it readable.

    >>> prefixed(9.894e14, "FLOP/s"), prefixed(0.0032, "J"), prefixed(0, "B")
    ('989 TFLOP/s', '3.2 mJ', '0 B')
    """
    step = math.floor(math.log10(value * 1.0005) / 3) if drawable(value, log=True) else 0
    step = max(-3, min(step, 6))
    return f"{brief(value / 1000.0**step)} {_PREFIXES[step + 3]}{unit}"


def times(ratio: float) -> str:
    """A factor in words: `3.2 times`.

    >>> times(3.17), times(281.4), times(1.0)
    ('3.2 times', '281 times', '1 times')
    """
    return f"{ratio:,.2g} times" if ratio < 10 else f"{brief(ratio)} times"


def power(exponent: int) -> str:
    """A power of ten as a tick says it: in digits near one, with its exponent elsewhere."""
    return f"{10.0**exponent:,g}" if -4 < exponent < 6 else f"10{str(exponent).translate(_POWERS)}"
