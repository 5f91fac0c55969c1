"""How long the kernels of a stack take for a model's operators."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mlsysim.equations import node
from mlsysim.hardware.types import Supply
from mlsysim.models.operators import ATTENTION, DECODE, FUSED, Operator, Rates, Step
from mlsysim.models.widths import HALF
from mlsysim.solvers.node import silicon
from mlsysim.solvers.node.silicon import HEAD, LEAST, TILE, Kernel, Roof, Routed
from mlsysim.stacks.silicon import Constants, Operators, shipped
from mlsysim.stacks.types import Stack, seconds

Parts = tuple[Any, Any, Any]


class Kernels(NamedTuple):
    """The kernels of a stack on a device whose roofs are `rates`: each waits for a launch."""

    rates: Rates
    launch: float
    dispatch: float

    def short(self, part: Any) -> Kernels:
        """The same where products are so short that they reach only a part of the rate."""
        return self._replace(rates=self.rates.short(part))

    def times(self, op: Operator, step: Step) -> Parts | None:
        """Seconds of an operator under each roof, and of launching it; None where it is fused."""
        found = self.rates.times(op, step)
        return None if found is None else (found[0], found[1], self.launch)


class Measured(NamedTuple):
    """The kernels of a stack that were measured one by one, on a family of devices."""

    supply: Supply
    constants: Constants
    how: Operators
    launch: float
    small: float
    reading: Any  # bytes of weights a second
    dispatch: float

    @property
    def data(self) -> Any:
        """Bytes a second that all but weights moves at."""
        return self.supply.bandwidth * self.constants["gemm.bandwidth"]

    def short(self, part: Any) -> Measured:
        """The same: how long short products take is known."""
        return self

    def times(self, op: Operator, step: Step) -> Parts | None:
        """Seconds of an operator under each roof, and beside them."""
        if op.kind in FUSED:
            return self._small(op, step)
        if op.kind == ATTENTION:
            found = self._attention(op, step)
        elif op.product is None:
            found = self._plain(op)
        elif op.split.experts:
            found = self._experts(op, step)
        else:
            found = self._product(op, step)
        compute, memory, beside = found
        return compute, memory, beside + self.launch

    def _roof(self, op: Operator) -> Roof:
        s = self.supply
        wide = op.kind == ATTENTION or op.wide is True
        peak = s.attention_peak if wide else s.peak
        if op.wide is not True and op.wide is not False:
            peak = np.where(op.wide, s.attention_peak, peak)
        units = silicon.processors(self.constants, s.peak)
        power = np.inf if s.power is None else s.power
        return Roof(peak, s.bandwidth, units, power, np.where(s.matrices, LEAST, 1.0))

    def _read(self, op: Operator) -> Any:
        """Bytes of weights, more where they come from a slower memory."""
        return op.weights * (self.supply.bandwidth / self.reading)

    def _small(self, op: Operator, step: Step) -> Parts | None:
        if step.phase == DECODE:
            return (0.0, 0.0, self.small) if self.small else None
        moved = self.how.passes * (op.inputs + op.outputs)
        return 0.0, node.memory_time(moved, self.data), self.small

    def _plain(self, op: Operator) -> Kernel:
        c, roof = self.constants, self._roof(op)
        compute = node.compute_time(op.flops, roof.peak, c["gemm.rate"])
        return compute, node.memory_time(self._read(op) + op.inputs + op.outputs, self.data), 0.0

    def _product(self, op: Operator, step: Step) -> Kernel:
        c, roof, p = self.constants, self._roof(op), op.product
        assert p is not None
        moved = self._read(op) + op.inputs + op.outputs
        compute, memory, beside = silicon.product(c, roof, p.rows, p.inner, p.columns, moved)
        narrow = step.widths.activations < HALF
        if self.how.quantised and np.any(narrow):
            making = self.how.quantised * silicon.quantised(c, roof, p.rows * p.inner)
            beside = beside + np.where(narrow, making, 0.0)[()]
        return compute / self.how.rate, memory / self.how.bandwidth, beside

    def _experts(self, op: Operator, step: Step) -> Kernel:
        p = op.product
        assert p is not None
        ffn = p.inner if op.split.inputs else p.columns / p.parts
        read = op.weights / (p.inner * p.columns * step.widths.weights)
        sizes = Routed(
            *(p.rows, read, p.inner, p.columns, ffn, self._read(op), op.inputs + op.outputs)
        )
        return silicon.experts(self.constants, self._roof(op), sizes)

    def _attention(self, op: Operator, step: Step) -> Kernel:
        c, roof, moved = self.constants, self._roof(op), op.state + op.inputs + op.outputs
        heads = op.outputs / (step.widths.activations * HEAD)  # of all new tokens
        if step.phase == DECODE:
            kept = op.state / (2 * HEAD * step.widths.cache * step.seq_len)
            compute, memory, beside = silicon.decode(c, roof, op.flops, heads, kept, moved)
        else:
            pieces = heads * np.ceil(step.new / TILE) / step.new
            compute, memory, beside = silicon.prefill(
                *(c, roof, op.flops, step.seq_len, pieces, moved)
            )
        return compute / self.how.attention, memory / self.how.attention, beside + self._passed(op)

    def _passed(self, op: Operator) -> Any:
        """Seconds in which the scores of attention pass memory, where it is not one kernel."""
        if self.how.scores is None:
            return 0.0
        many = op.flops / (4 * HEAD)  # each is a product of its own, and is multiplied once more
        return node.memory_time(float(self.how.scores.m_as("B")) * many, self.data)


def kernels(supply: Supply, roofs: Rates, stack: Stack) -> Kernels | Measured:
    """The kernels of a stack on a device."""
    launch = seconds(stack.launch)
    if stack.operators is None:
        return Kernels(roofs, launch, seconds(stack.dispatch))
    if stack.operators.half_sums:
        supply = supply._replace(
            peak=supply.peak * supply.half_sums,
            attention_peak=supply.attention_peak * supply.attention_sums,
        )
    return Measured(
        supply,
        constants(supply.silicon, stack.operators),
        stack.operators,
        launch,
        seconds(stack.operators.small),
        roofs.weights,
        seconds(stack.dispatch),
    )


def measured(level: Any) -> bool:
    """Whether a level is a stack whose kernels were measured one by one."""
    return isinstance(level, Stack) and level.operators is not None


class Sums(NamedTuple):
    """How the devices of a node sum bytes: by a stack's own kernels, or by the library's."""

    silicon: Any
    how: Operators

    def __call__(self, data: Any, ranks: Any, link: Any) -> Any:
        """Seconds for so many devices whose link has this rate."""
        c = constants(self.silicon, self.how)
        own = silicon.all_reduce(c, data, ranks, link)
        return self.how.exchange * np.minimum(own, silicon.collective(c, 2, data, ranks, link))


def reduced(supply: Supply, level: Any) -> Sums | None:
    """How sums are made on a device; None where the kernels of the stack were not measured."""
    return Sums(supply.silicon, level.operators) if measured(level) else None


def constants(names: Any, how: Operators) -> Constants:
    """The constants of silicon, named with where it computes; of several devices in columns."""
    key = how.framework, how.experts
    if not isinstance(names, np.ndarray):
        return _constants(names, *key)
    found = [_constants(name, *key) for name in names.flat]
    return {k: np.reshape([each[k] for each in found], names.shape) for k in found[0]}


@cache
def _constants(name: str, framework: str | None, experts: str | None) -> Constants:
    """Those of "Hopper,fp8,bf16": the family, where it multiplies, and where attention does."""
    of, path, attention = name.split(",")
    own = {"family": of, "framework": framework, "op": "all_reduce", "wire": "switch"}
    own |= {"datapath": path, "maker": f"{framework} {path}"}
    found: dict[str, Any] = {}
    for where, kernel, at in (
        (("prefill", "decode"), "other", attention),
        (("experts",), experts, path),
        (("",), "plain", path),
    ):
        held = shipped().at({**own, "kernel": kernel, "path": _PATHS.get(at, at)})
        found = {**{k: v for k, v in held.items() if k.startswith(where)}, **found}
    return found


_PATHS = {"fp16": "bf16", "fp32": "bf16", "tf32": "bf16"}  # as was measured, or is nearest
