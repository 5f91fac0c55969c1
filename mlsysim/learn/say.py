"""Numbers as people say them: "4.57 ms", "$1.25 million", "33 users", "3.7×"."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.solver import compact
from mlsysim.core.units import Quantity, factor, unit_of

_MONEY = {"trillion": 1e12, "billion": 1e9, "million": 1e6}
_LONG = {"days": 86400.0, "hours": 3600.0, "min": 60.0}  # what people say instead of kiloseconds
_TIMES = ("x", "times")


def say(value: Any, unit: str | None = None) -> str:
    """A value in words, in `unit` if one is given, else in the one that keeps it short.

    >>> from mlsysim import Q_
    >>> say(Q_(0.004571, "s")), say(Q_(1250000, "USD")), say(33.0, "users"), say(3.714, "x")
    ('4.57 ms', '$1.25 million', '33 users', '3.71×')
    """
    if isinstance(value, str):
        return value
    if unit is not None or not isinstance(value, Quantity):
        return spell(in_unit(value, unit), unit)
    return _short(float(value.m), value.units)


@lru_cache(4096)  # pint takes a tenth of a millisecond, and a page says a hundred of them
def _short(number: float, units: Any) -> str:
    value = Quantity(number, units)
    if value.is_compatible_with("s"):
        seconds = float(value.m_as("s"))
        for name, size in _LONG.items():
            if 2 * size <= abs(seconds) < math.inf:
                return spell(seconds / size, name)
    short = compact(value)
    return spell(float(short.m), f"{short.units:~P}")


def spell(number: float, unit: str | None = "") -> str:
    """A number that is in its unit already, in words.

    >>> spell(61518.4, "tokens/s"), spell(40, "%"), spell(0.5, "USD"), spell(2.5e-7)
    ('61,518 tokens/s', '40 %', '$0.50', '2.5·10⁻⁷')
    """
    if unit == "USD" and math.isfinite(number):
        return _money(number)
    said = _digits(number)
    if not unit or math.isnan(number):
        return said
    return f"{said}×" if unit in _TIMES else f"{said} {unit}"


def in_unit(value: Any, unit: str | None) -> float:
    """A truth or a slip as a plain number in the unit of its question.

    A unit that is only a word ("users", "x") takes a plain number or one without dimension, `%` a
    share of one. Raises BadArgument for a plain number where a physical unit is asked: nobody could
    say in which unit it is.
    """
    if unit == "%":
        return 100 * in_unit(value, "")
    if is_word(unit or ""):
        return float(value.m_as("") if isinstance(value, Quantity) else value)
    if not isinstance(value, Quantity):
        remedy = f"write it as a quantity, such as Q_({value!r}, {unit!r})"
        raise BadArgument("truth", value, f"the question asks for {unit}: {remedy}")
    into = factor(value.units, str(unit))
    if into is None:
        raise BadArgument("truth", f"{value:~P}", f"the question asks for {unit}")
    return float(value.m * into)


def is_word(unit: str) -> bool:
    """Whether a unit only says what is counted, as "users" and "tokens" do."""
    try:
        return factor(unit_of(unit), "") == 1.0
    except WrongUnit:
        return True


def _money(number: float) -> str:
    sign, size = "-" * (number < 0), abs(number)
    for word, unit in _MONEY.items():
        if size >= unit:
            return f"{sign}${_digits(size / unit)} {word}"
    return f"{sign}${size:,.0f}" if size >= 100 or size == int(size) else f"{sign}${size:,.2f}"


def _digits(number: float) -> str:
    """Three digits, a comma between thousands, and a power of ten only where nothing else helps."""
    if math.isnan(number):
        return "no number"
    if math.isinf(number):
        return "infinitely many" if number > 0 else "minus infinity"
    if number and not 1e-3 <= abs(number) < 1e12:
        digits, power = f"{number:.2e}".split("e")
        raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{float(digits):g}·10{raised}"
    return f"{number:,.0f}" if abs(number) >= 999.5 else f"{number:.3g}"
