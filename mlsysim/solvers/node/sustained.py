"""How long operators take where a stack was measured in whole steps: its part of each roof."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlsysim.equations import node
from mlsysim.hardware.types import Supply
from mlsysim.models.operators import ADAPTER, ATTENTION, DECODE, FUSED, Operator, Step
from mlsysim.stacks.roofs import Roofs
from mlsysim.stacks.types import Stack, seconds


class Sustained(NamedTuple):
    """The roofs that a stack reaches on a device; `rate` is that of matrix products."""

    supply: Supply
    roofs: Roofs
    launch: float
    rate: Any
    attention: Any
    reading: Any
    dispatch: float

    @property
    def data(self) -> Any:
        """Bytes a second that all but weights moves at."""
        return self.supply.bandwidth * self.roofs.bandwidth

    def short(self, part: Any) -> Sustained:
        """The same where products are so short that they reach only a part of the rate."""
        return self._replace(rate=self.rate * part)

    def times(self, op: Operator, step: Step) -> tuple[Any, Any, Any] | None:
        """Seconds of an operator under each roof, and beside them; None where it is fused."""
        decoding = step.phase == DECODE
        if decoding and op.kind in FUSED:
            return None
        roofs = self.roofs
        moved = roofs.cache * op.state + (0.0 if decoding else op.inputs + op.outputs)
        launch = 0.0 if op.name == ADAPTER else self.launch  # they are small, and run beside
        if op.product is not None and op.split.experts:  # a kernel for each that a device keeps
            launch = launch * op.product.sets
        if op.kind in FUSED:
            return 0.0, roofs.passes * moved / self.data, launch
        compute, fill = op.flops / self._rate(op), 1.0
        works = op.flops.any() if isinstance(op.flops, np.ndarray) else op.flops
        if roofs.depth and op.kind != ATTENTION and works:
            fill = node.short_product(inner(op, step), roofs.depth)
        if not roofs.reload:
            return compute / fill, op.weights / self.reading + moved / self.data, launch
        # a core without queues: arithmetic, and then each byte that it asks for
        again = op.flops / 2 * roofs.reload / (fill * self.data)
        written = op.outputs * roofs.outputs / self.data
        return compute + again, 0.0, op.weights / self.reading + written + launch

    def _rate(self, op: Operator) -> Any:
        if op.kind == ATTENTION:
            return self.attention * self.roofs.attention
        if not isinstance(op.wide, np.ndarray):
            return self.attention if op.wide else self.rate
        return np.where(op.wide, self.attention, self.rate)


def inner(op: Operator, step: Step) -> Any:
    """Values that each output of a product or a convolution sums over."""
    if op.product is not None:
        return op.product.inner
    return op.flops * step.widths.activations / (2 * op.outputs)


def sustained(supply: Supply, stack: Stack, efficiency: Any, reading: Any) -> Sustained:
    """The roofs that a stack reaches on a device, at an `efficiency` where it tells none."""
    roofs = stack.roofs or Roofs()
    part = roofs.part(supply.generation, supply.datapath, efficiency)
    if roofs.reload and supply.flash_bandwidth:  # weights stay where they were written
        reading = supply.flash_bandwidth * roofs.flash
    else:
        reading = reading * roofs.bandwidth
    rate, attention = supply.peak * part, supply.attention_peak * part
    return Sustained(
        supply, roofs, seconds(stack.launch), rate, attention, reading, seconds(stack.dispatch)
    )
