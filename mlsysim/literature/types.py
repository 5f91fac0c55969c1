"""A number that somebody published, with the conditions under which it holds."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, ClassVar

from mlsysim.core import units as u
from mlsysim.core.errors import OutOfRange
from mlsysim.core.units import Dim, parse
from mlsysim.core.values import Entry, Home


class _Cited(Dim):
    """A finite number, plain or with any unit at all."""

    __slots__ = ()

    def quantity(self, value: Any, argument: str = "value") -> Any:
        """`value` as a plain number or a quantity."""
        read = parse(value, argument) if isinstance(value, str) else value
        number = getattr(read, "magnitude", read)
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not isfinite(number):
            raise OutOfRange(argument, value, "give a finite number, or text with a unit")
        return read

    def schema(self) -> dict[str, Any]:
        """JSON schema of a number, or of text with a unit."""
        return {"type": ["number", "string"]}


class Finding(Entry):
    """One cited scalar: a plain number, or a quantity such as '182 ms'."""

    home: ClassVar = Home("finding", "literature", "H100_embodied")

    value: Annotated[Any, _Cited("")]
    context: str
    stack: str | None = None
    model: str | None = None
    hardware: str | None = None
    precision: u.Precision | None = None
