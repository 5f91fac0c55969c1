"""What tells apart two entries of one name: their numbers, looked at once.

And what is worked out once for an entry, which does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache, wraps
from typing import Any, TypeVar

from pydantic import BaseModel

from mlsysim.core.units import Q_, Quantity

T = TypeVar("T")
_DIGITS = ".9g"  # 80 GB and 80,000 MB are equal, whatever the last bit of their bytes is


def numbers(entry: BaseModel) -> int:
    """A hash of every number of an entry, the same in all processes and for all equal entries.

    A class hands in hundreds of chips under one name, and a search tries as many: by the name
    alone, what is worked out for one is looked for among all of them.
    """
    held = vars(entry)
    if "_numbers" not in held:
        held["_numbers"] = hash(
            tuple(_number(getattr(entry, name)) for name in type(entry).model_fields)
        )
    return held["_numbers"]


@cache
def _in_root_units(unit: Any) -> float:
    return Q_(1.0, unit).to_root_units().magnitude


def _number(value: Any) -> float | int:
    if isinstance(value, Quantity) and isinstance(value.magnitude, int | float):
        return float(format(value.magnitude * _in_root_units(value.units), _DIGITS))
    if isinstance(value, BaseModel):
        return numbers(value)
    if isinstance(value, Mapping):
        return hash(frozenset(map(_number, value.values())))
    if isinstance(value, tuple | list):
        return hash(tuple(map(_number, value)))
    return value if isinstance(value, int | float) else 0


class _Itself:
    """An entry as a key: equal ones may stand in different places of a registry."""

    __slots__ = ("entry",)

    def __init__(self, entry: Any) -> None:
        self.entry = entry

    def __hash__(self) -> int:
        return id(self.entry)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.entry is other.entry


def once(function: Callable[..., T]) -> Callable[..., T]:
    """The function of an entry and of plain values, worked out once for each of them."""

    @lru_cache(maxsize=1024)
    def known(itself: _Itself, *rest: Any) -> T:
        return function(itself.entry, *rest)

    @wraps(function)
    def of(entry: Any, *rest: Any) -> T:
        return known(_Itself(entry), *rest)

    return of
