"""The two sentences of a search: what to make best, and what must hold.

An objective is `maximize: throughput`; a constraint is one comparison, as in `latency < 50 ms`.
Text is matched, never evaluated.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.solver import show
from mlsysim.core.units import Quantity, parse

_OBJECTIVE = re.compile(r"\s*(maximi[sz]e|minimi[sz]e)\s*:\s*([A-Za-z_]\w*)\s*")
_CONSTRAINT = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
_WORD = re.compile(r"(['\"]?)([A-Za-z_][\w .-]*)\1")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Objective(NamedTuple):
    """What to make as large (`sign` -1) or as small (`sign` +1) as possible."""

    text: str
    metric: str
    sign: float
    argument = "objective"

    @classmethod
    def read(cls, text: Any) -> Objective:
        """Read `maximize: throughput` or `minimize: tco_usd`."""
        match = _OBJECTIVE.fullmatch(text) if isinstance(text, str) else None
        if not match:
            remedy = "write 'maximize: throughput' or 'minimize: tco_usd'"
            raise BadArgument("objective", text, remedy)
        return cls(text, match[2], -1.0 if match[1].startswith("max") else 1.0)

    def cost(self, value: Any) -> Any:
        """Turn a metric into a number, or an array, of which less is better."""
        if isinstance(value, Quantity):
            value = value.to_base_units().magnitude
        kind = np.asarray(value).dtype.kind
        if kind not in "iuf":
            raise BadArgument("objective", self.text, f"{self.metric} is not a number")
        return self.sign * value


class Constraint(NamedTuple):
    """A metric held against a bound: a number, perhaps with a unit, or a word, or True or False."""

    text: str
    metric: str
    sign: str
    bound: Any
    argument = "constraints"

    @classmethod
    def read(cls, text: Any) -> Constraint:
        """Read `latency < 50 ms`, `mfu >= 0.4`, `feasible == True` or `bottleneck == Memory`."""
        match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        if not match:
            raise BadArgument("constraints", text, "write one comparison, as in 'latency < 50 ms'")
        metric, sign, right = match.groups()
        if right in ("True", "False"):
            bound: Any = right == "True"
        elif word := _WORD.fullmatch(right):
            bound = word[2]
        else:
            try:
                bound = parse(right)
            except WrongUnit as error:
                raise BadArgument("constraints", text, error.remedy) from None
            if not math.isfinite(bound.magnitude):
                raise BadArgument("constraints", text, "give a finite bound")
        if not isinstance(bound, Quantity) and sign not in ("==", "!="):
            raise BadArgument("constraints", text, "only == and != compare words; give a number")
        return cls(text, metric, sign, bound)

    def holds(self, value: Any) -> Any:
        """Tell whether `value`, or each of an array, keeps the bound."""
        numbers = value.magnitude if isinstance(value, Quantity) else value
        kind = np.asarray(numbers).dtype.kind
        if isinstance(self.bound, Quantity):
            bound = self._number(value, kind)
        elif kind != "b" if isinstance(self.bound, bool) else kind not in "OU":
            what = show(value) if np.ndim(numbers) == 0 else "a column of other things"
            raise BadArgument("constraints", self.text, f"{self.metric} is {what}")
        else:
            bound = self.bound
        return _COMPARE[self.sign](numbers, bound)

    def _number(self, value: Any, kind: str) -> float:
        """Give the bound in the unit of `value`, which must be of the same dimension."""
        if kind not in "iuf":
            raise BadArgument("constraints", self.text, f"{self.metric} is not a number")
        if not isinstance(value, Quantity):
            if self.bound.unitless:
                return self.bound.magnitude
            remedy = f"{self.metric} is a number without a unit; return a quantity, or leave it out"
            raise WrongUnit("constraints", self.text, remedy)
        if self.bound.dimensionality != value.dimensionality:
            unit = f"{value.units:~P}"
            remedy = f"{self.metric} is in {unit}; write the unit, as in '{self.metric} < 1 {unit}'"
            raise WrongUnit("constraints", self.text, remedy)
        return self.bound.m_as(value.units)
