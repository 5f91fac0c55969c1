"""A number that somebody published, with the conditions under which it holds."""

from __future__ import annotations

from math import isfinite
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Quantity, parse
from mlsysim.core.values import Entry


class Finding(Entry):
    """One cited scalar: a plain number, or a quantity such as '182 ms'."""

    value: Any
    context: str
    stack: str | None = None
    model: str | None = None
    hardware: str | None = None
    precision: u.Precision | None = None

    def check(self) -> None:
        """The value is a number, with a unit when it is text."""
        super().check()
        if isinstance(self.value, str):
            try:
                self.__dict__["value"] = parse(self.value, "value")
            except BadArgument as error:
                raise self.wrong("value", error.remedy) from None
        number = getattr(self.value, "magnitude", self.value)
        if isinstance(number, (int, float)) and not isfinite(number):
            raise self.wrong("value", f"{number} will not do; give a finite number")
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float, Quantity)):
            raise self.wrong(
                "value", f"{self.value!r} will not do; give a number, or text with a unit"
            )
