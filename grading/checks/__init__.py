"""Hidden checks, one module per assignment; and what several of them need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any

import numpy as np

from mlsysim import Hardware
from mlsysim.core.solver import Result
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import Assignment
from mlsysim.course.variants import Variant
from mlsysim.hardware.types import HardwareNode

Truth = Callable[[Variant], Any]


def alike(value: Any, other: Any, by: float = 0.05, slack: float = 0.0) -> bool:
    """Whether a value misses the other by no more than that part of it, or than `slack`."""
    wanted = number(other)
    return abs(number(value) - wanted) <= max(by * abs(wanted), slack)


def within(low: float, value: float, high: float) -> bool:
    """Whether a value lies between two others, or is one of them."""
    return low <= value <= high


def told(value: Any, *others: Any, by: float = 0.05, slack: float = 0.0) -> Any:
    """A misconception's value, or None where nobody could tell it from one of the others."""
    return None if any(alike(value, other, by, slack) for other in others) else value


def number(value: Any) -> float:
    """A number, or that of a quantity in base units."""
    return value.to_base_units().magnitude if isinstance(value, Quantity) else value


def apart(truth: Truth, named: Mapping[str, Truth], by: float = 0.05) -> dict[str, Truth]:
    """Misconceptions by their names, each for the variants in which it misses the truth by a part.

    Where it gives nearly the truth, nobody can tell whether it was made: it returns None.
    """

    def unlike(wrong: Truth) -> Truth:
        @wraps(wrong)
        def value(v: Variant) -> Any:
            held, right = wrong(v), truth(v)
            return told(held, right, by=by) if held is not None and right else None

        return value

    return {name: unlike(wrong) for name, wrong in named.items()}


class Rows:
    """A result that holds columns, read answer by answer: a class asks for many of a few fields."""

    def __init__(self, columns: Result) -> None:
        self.columns = columns
        self._read: dict[str, tuple[Any, Any]] = {}

    def at(self, index: int, name: str) -> Any:
        """A field of one answer, as the result of that answer alone would have it."""
        if name not in self._read:
            held = getattr(self.columns, name)
            value, unit = (
                (held.magnitude, held.units) if isinstance(held, Quantity) else (held, None)
            )
            self._read[name] = value.tolist() if isinstance(value, np.ndarray) else value, unit
        values, unit = self._read[name]
        value = values[index] if isinstance(values, list) else values
        return value if unit is None else Q_(value, unit)


class Row:
    """One of the answers."""

    def __init__(self, rows: Rows, index: int) -> None:
        self._rows, self._index = rows, index

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__[name] = self._rows.at(self._index, name)
        return held


@cache
def doubled(device: str, number: str) -> HardwareNode:
    """A device with twice the "bandwidth" or "capacity" of its memory, or else twice the peak."""
    hardware = Hardware[device]
    core, memory = hardware.compute, hardware.memory
    if number in ("bandwidth", "capacity"):
        return hardware.replace(memory=memory.replace(**{number: getattr(memory, number) * 2}))
    faster = {name: peak * 2 for name, peak in core.precision.items()}
    return hardware.replace(compute=core.replace(peak_flops=core.peak_flops * 2, precision=faster))


def odd_line(assigned: Assignment, axis: str) -> Callable[[Variant], str]:
    """Which line of a drawn calculation is not as in most drawings of the axis: "line 3"."""
    drawn: tuple[Any, ...] = assigned.axes[axis]
    names = axis.split()
    usual = [Counter(lines).most_common(1)[0][0] for lines in zip(*drawn, strict=True)]

    def truth(v: Variant) -> str:
        lines: Mapping[str, Any] = v.fields
        odd = (n for n, name in enumerate(names, start=1) if lines[name] != usual[n - 1])
        return f"line {next(odd)}"

    return truth
