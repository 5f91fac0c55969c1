"""What tells apart two entries of one name: their numbers, looked at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from mlsysim.core.units import Q_, Quantity

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
