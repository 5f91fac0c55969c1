"""pint's quantities, worked out at once where nothing but multiples is in play.

pint asks of every operation whether a unit has an offset (°C), a logarithm (dB) or a context. Of
`units.txt` none has, so a product is that of the numbers and of the units, and a sum that of the
numbers in one unit. Whatever else is asked, and every error, goes pint's own way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pint
import pint.registry
from pint.util import UnitsContainer

_NUMBERS = frozenset((float, int, np.float64, np.ndarray))


class Quantity(pint.registry.Quantity[Any]):
    """A number or an array and its unit."""

    def __new__(cls, value: Any, units: Any = None) -> Any:
        """As pint reads it; a number beside a unit is taken as it is."""
        if type(value) in _NUMBERS:
            if isinstance(units, pint.Unit):
                return _made(cls, value, units._units)
            if isinstance(units, str):
                return _made(cls, value, _named(cls._REGISTRY, units))
            if type(units) is UnitsContainer:
                return _made(cls, value, units)
        return super().__new__(cls, value, units)

    def _within(self, units: UnitsContainer) -> Any:
        """The number in another unit; None where that is of another kind."""
        if self._units is units or self._units == units:
            return self._magnitude
        into = _factor(self._REGISTRY, self._units, units)
        return None if into is None else self._magnitude * into

    def _add_sub(self, other: Any, op: Callable[..., Any]) -> Any:
        if type(other) is type(self) and (held := other._within(self._units)) is not None:
            return _made(type(self), op(self._magnitude, held), self._units)
        if type(other) in _NUMBERS and not self._units:
            return _made(type(self), op(self._magnitude, other), self._units)
        return super()._add_sub(other, op)

    def _mul_div(self, other: Any, magnitude_op: Callable[..., Any], units_op: Any = None) -> Any:
        kind = type(other)
        if kind is type(self):
            units = _units(units_op or magnitude_op, self._units, other._units)
            return _made(kind, magnitude_op(self._magnitude, other._magnitude), units)
        if kind in _NUMBERS:
            return _made(type(self), magnitude_op(self._magnitude, other), self._units)
        return super()._mul_div(other, magnitude_op, units_op)

    def __rtruediv__(self, other: Any) -> Any:
        """A number over a quantity."""
        if type(other) in _NUMBERS:
            units = _units(operator.truediv, UnitsContainer(), self._units)
            return _made(type(self), other / self._magnitude, units)
        return super().__rtruediv__(other)

    def to(self, other: Any = None, *contexts: Any, **how: Any) -> Any:
        """The same in another unit; raises DimensionalityError."""
        if not contexts and not how and isinstance(other, (str, pint.Unit)):
            named = isinstance(other, str)
            units = _named(self._REGISTRY, other) if named else other._units
            if (held := self._within(units)) is not None:
                return _made(type(self), held, units)
        return super().to(other, *contexts, **how)


class Registry(pint.UnitRegistry):
    """Units of which each is a multiple of others, as the lines of a file say."""

    Quantity: Any = Quantity

    def __init__(self, lines: Any) -> None:
        super().__init__(lines)  # pint takes a file's lines for its name, and its types forget it


def _made(kind: type[Any], number: Any, units: UnitsContainer) -> Any:
    made = object.__new__(kind)
    made._magnitude, made._units = number, units
    return made


# containers of units are never changed, so that they may be shared


@lru_cache(maxsize=4096)
def _units(op: Callable[..., Any], one: UnitsContainer, other: UnitsContainer) -> UnitsContainer:
    return op(one, other)


@lru_cache(maxsize=4096)
def _factor(registry: Any, units: UnitsContainer, into: UnitsContainer) -> float | None:
    try:
        return registry.convert(1, units, into)  # 1, so that whole numbers stay whole
    except pint.DimensionalityError:
        return None


@lru_cache(maxsize=1024)
def _named(registry: Any, text: str) -> UnitsContainer:
    return registry.parse_units(text)._units
