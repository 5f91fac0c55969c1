"""A step's operators, and THE sum over them: no other module adds up their work or their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlsysim.models.widths import Widths

DECODE, PREFILL, FORWARD = "decode", "prefill", "forward"
ATTENTION, ELEMENTWISE, ADD, GATHER = "attention", "elementwise", "add", "gather"
ADAPTER = "adapter"  # by name: products beside a frozen one
FUSED = (ELEMENTWISE, ADD)  # what the neighbours of an operator do on the way


class Step(NamedTuple):
    """One step of work: numbers, or arrays that broadcast against each other.

    Each of `batch` sequences computes `new` tokens that follow `past` ones in its cache: one in
    decode, all of a prompt in prefill, what a cached prefix leaves of it or a chunk holds, and of
    a draft those that are verified.
    """

    batch: Any
    new: Any
    past: Any
    phase: str
    widths: Widths
    training: bool = False

    @property
    def seq_len(self) -> Any:
        """Tokens of context at the end of the step."""
        return self.past + self.new

    @property
    def tokens(self) -> Any:
        """Tokens that the step computes in all."""
        return self.batch * self.new

    @property
    def counts(self) -> str:
        """What a batch is made of: in decode a token of each sequence."""
        each = {DECODE: "token", PREFILL: "request"}
        return "sample" if self.training else each.get(self.phase, "sample")


class Split(NamedTuple):
    """What of an operator the devices of a group divide; what they do not, each has whole.

    Tensor parallelism cuts matrices in pairs: the first by columns, the second by rows, so that
    what lies between them stays divided and only the sums of the second are exchanged. Source:
    Shoeybi et al. (2019), Megatron-LM, section 3, arXiv:1909.08053.
    """

    work: bool = False  # its parameters, and the arithmetic with them
    inputs: bool = False
    outputs: bool = False
    experts: bool = False  # and whole experts go to devices of their own
    end: bool = False  # it stands before the first layer or behind the last


WHOLE = Split()
COLUMNS = Split(work=True, outputs=True)
BETWEEN = Split(work=True, inputs=True, outputs=True)  # head by head, or feature by feature
ROWS = Split(work=True, inputs=True)
END = Split(end=True)
EMBEDDING = Split(work=True, end=True)  # its words; each device looks up those that it holds
HEAD = Split(work=True, outputs=True, end=True)
LOSS = Split(inputs=True, end=True)
MATRICES = (COLUMNS, BETWEEN, ROWS)  # of a feed-forward: up, activation, down
EXPERTS = tuple(split._replace(experts=True) for split in MATRICES)


class Product(NamedTuple):
    """The shape of a matrix product: `rows` of `inner` values each become `columns` values.

    Its matrix is `parts` side by side, as queries, keys and values are, in `sets` on a device.
    """

    rows: Any
    inner: Any
    columns: Any
    parts: int
    sets: Any


class Operator(NamedTuple):
    """`repeat` equal operators: the work and the bytes of one of them.

    `kind` is gemm, attention, elementwise, add, convolution or gather. `weights` are the parameter
    bytes read, `state` the bytes of KV cache read or written, `inputs` and `outputs` those of
    activations; `held` are the parameter bytes that a device must keep for it. A `wide` one
    computes where attention does, though others compute in fewer bits.
    """

    name: str
    kind: str
    repeat: Any
    flops: Any
    weights: Any
    state: Any
    inputs: Any
    outputs: Any
    held: Any
    split: Split = WHOLE
    product: Product | None = None
    wide: Any = False


class Totals(NamedTuple):
    """The sum of a step's operators: FLOP and bytes of each kind.

    `attention` is the part of `flops` done at the rate of attention; `widest` is what the largest
    operator takes in and gives; `inputs` is what a backward pass needs again.
    """

    flops: Any
    attention: Any
    weights: Any
    state: Any
    traffic: Any
    widest: Any
    inputs: Any
    held: Any

    def of(self, batch: Any, widths: Widths) -> Totals:
        """The totals of a batch at its widths, when these are of one sample at one byte a value.

        For networks without a sequence, whose work is linear in the batch.
        """
        data = batch * widths.activations
        return Totals(
            flops=self.flops * batch,
            attention=self.attention * batch,
            weights=self.weights * widths.weights,
            state=0.0 * batch,
            traffic=self.traffic * data,
            widest=self.widest * data,
            inputs=self.inputs * data,
            held=self.held * widths.weights,
        )


class Rates(NamedTuple):
    """What a device does in a second: FLOP of `arithmetic` and `attention`, bytes read and moved.

    Weights may come from another memory than all other bytes.
    """

    arithmetic: Any
    attention: Any
    weights: Any
    data: Any
    dispatch: float = 0.0

    def times(self, op: Operator, step: Step) -> tuple[Any, Any, Any] | None:
        """Seconds of an operator under each roof, and beside them; None where it costs nothing.

        Elementwise work is a kernel of its own except in decode, where it is too short to count.
        """
        decoding = step.phase == DECODE
        if decoding and op.kind in FUSED:
            return None
        moved = op.state if decoding else op.state + op.inputs + op.outputs
        return op.flops / _rate(op, self), op.weights / self.weights + moved / self.data, 0.0

    def short(self, part: Any) -> Rates:
        """The same where products are so short that they reach only a part of the rate."""
        return self._replace(arithmetic=self.arithmetic * part)


class Times(Protocol):
    """What says how long operators take: the roofs alone, or a stack's kernels under them.

    A host sends each in `dispatch` seconds, while those before it run.
    """

    @property
    def dispatch(self) -> float:
        """Seconds in which the host sends one."""
        ...

    def times(self, op: Operator, step: Step) -> tuple[Any, Any, Any] | None:
        """Seconds under each roof, and beside them; None where it costs nothing."""
        ...

    def short(self, part: Any) -> Times:
        """The same for products that are too short for the whole rate."""
        ...


class Met(NamedTuple):
    """Seconds of operators one after the other: of those that wait for compute, and of the rest.

    Beside them what their kernels take whatever they do.
    """

    compute: Any
    memory: Any
    overhead: Any = 0.0


def fold(operators: Iterable[Operator], phase: str) -> Totals:
    """The sum over operators, and the one rule of what is fused.

    Elementwise work is taken as fused into its neighbours, so its traffic is not counted; nor are
    decode's activations, one short vector a sequence, which stay in cache.
    """
    flops = attention = weights = state = traffic = inputs = held = 0.0
    widest: list[Any] = [0.0]
    for op in operators:
        repeat = op.repeat
        flops = flops + repeat * op.flops
        weights = weights + repeat * op.weights
        state = state + repeat * op.state
        held = held + repeat * op.held
        if op.kind != ADD:
            inputs = inputs + repeat * op.inputs
        if op.kind == ATTENTION or op.wide is True:
            attention = attention + repeat * op.flops
        elif op.wide is not False:
            attention = attention + repeat * op.flops * op.wide
        if op.kind not in FUSED:
            size = op.inputs + op.outputs
            widest.append(size)
            if phase != DECODE:
                traffic = traffic + repeat * size
    columns = any(isinstance(size, np.ndarray) for size in widest)
    largest = reduce(np.maximum, widest) if columns else max(widest)
    return Totals(flops, attention, weights, state, traffic, largest, inputs, held)


def _rate(op: Operator, rates: Rates) -> Any:
    """FLOP a second of the datapath that does an operator."""
    if op.kind == ATTENTION or op.wide is True:
        return rates.attention
    if op.wide is False:
        return rates.arithmetic
    return np.where(op.wide, rates.attention, rates.arithmetic)


def meet(operators: Iterable[Operator], step: Step, rates: Times) -> Met:
    """The operators of a forward step one after the other, each under its own roof.

    They depend on each other: while a matrix product waits for arithmetic, nothing reads the cache.
    Where a host sends them one by one, a device that is quicker waits for it.
    """
    whole = compute = overhead = sent = 0.0
    for op in operators:
        sent = sent + op.repeat
        found = rates.times(op, step)
        if found is None:
            continue
        arithmetic, memory = op.repeat * found[0], op.repeat * found[1]
        overhead = overhead + op.repeat * found[2]
        if isinstance(arithmetic, np.ndarray) or isinstance(memory, np.ndarray):
            whole = whole + np.maximum(arithmetic, memory)
            compute = compute + np.where(arithmetic > memory, arithmetic, 0.0)
        elif arithmetic > memory:
            whole, compute = whole + arithmetic, compute + arithmetic
        else:
            whole = whole + memory
    if rates.dispatch:
        overhead = overhead + np.maximum(sent * rates.dispatch - whole - overhead, 0.0)
    return Met(compute, whole - compute, overhead)
