"""A step's operators, and THE sum over them: no other module adds up their work or their bytes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

DECODE, PREFILL, FORWARD = "decode", "prefill", "forward"


class Step(NamedTuple):
    """One step of work: numbers, or arrays that broadcast against each other.

    `batch` sequences or images; `seq_len` tokens of context; `width` bytes a value.
    """

    batch: Any
    seq_len: Any
    phase: str
    width: Any
    training: bool = False


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
MATRICES = (COLUMNS, BETWEEN, ROWS)  # of a feed-forward: up, activation, down
EXPERTS = tuple(split._replace(experts=True) for split in MATRICES)


class Operator(NamedTuple):
    """`repeat` equal operators: the work and the bytes of one of them.

    `kind` is gemm, attention, elementwise, convolution or gather. `weights` are the parameter
    bytes read, `state` the bytes of KV cache read or written, `inputs` and `outputs` those of
    activations; `held` are the parameter bytes that a device must keep for it.
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


class Totals(NamedTuple):
    """The sum of a step's operators: FLOP and bytes of each kind; `widest` is the largest's."""

    flops: Any
    weights: Any
    state: Any
    traffic: Any
    widest: Any
    inputs: Any
    held: Any

    def of(self, batch: Any, width: Any) -> Totals:
        """The totals of a batch at a width, when these are of one sample at one byte a value.

        For networks without a sequence, whose work is linear in the batch.
        """
        data = batch * width
        return Totals(
            flops=self.flops * batch,
            weights=self.weights * width,
            state=0.0 * batch,
            traffic=self.traffic * data,
            widest=self.widest * data,
            inputs=self.inputs * data,
            held=self.held * width,
        )


def fold(operators: Iterable[Operator], phase: str) -> Totals:
    """The sum over operators, and the one rule of what is fused.

    Elementwise work is taken as fused into its neighbours, so its traffic is not counted; nor are
    decode's activations, one short vector a sequence, which stay in cache.
    """
    flops = weights = state = traffic = inputs = held = 0.0
    widest: list[Any] = [0.0]
    for op in operators:
        repeat = op.repeat
        flops = flops + repeat * op.flops
        weights = weights + repeat * op.weights
        state = state + repeat * op.state
        inputs = inputs + repeat * op.inputs
        held = held + repeat * op.held
        if op.kind != "elementwise":
            size = op.inputs + op.outputs
            widest.append(size)
            if phase != DECODE:
                traffic = traffic + repeat * size
    columns = any(isinstance(size, np.ndarray) for size in widest)
    largest = reduce(np.maximum, widest) if columns else max(widest)
    return Totals(flops, weights, state, traffic, largest, inputs, held)
