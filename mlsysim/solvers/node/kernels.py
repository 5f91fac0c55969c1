"""How long the kernels of a stack take for a model's operators."""

from __future__ import annotations

from typing import Any, NamedTuple

from mlsysim.models.operators import Operator, Rates, Step
from mlsysim.stacks.types import Stack, seconds


class Kernels(NamedTuple):
    """The kernels of a stack on a device whose roofs are `rates`."""

    rates: Rates
    stack: Stack

    def times(self, op: Operator, step: Step) -> tuple[Any, Any, Any] | None:
        """Seconds of an operator under each roof, and of launching it; None where it is fused."""
        found = self.rates.times(op, step)
        if found is None:
            return None
        return found[0], found[1], seconds(self.stack.launch)

    @property
    def data(self) -> Any:
        """Bytes a second that all but weights moves at."""
        return self.rates.data

    def short(self, part: Any) -> Kernels:
        """The same where products are so short that they reach only a part of the rate."""
        return self._replace(rates=self.rates.short(part))
