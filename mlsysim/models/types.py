"""Layer 1, demand: a workload is a list of operators, and everything else is their sum."""

from __future__ import annotations

import datetime as dt
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.core.units import PRECISIONS, Q_, Quantity
from mlsysim.core.values import Entry, Source, TraceableConstant
from mlsysim.equations import algorithm, memory

FLOP_PER_MAC = TraceableConstant(
    2,
    "FLOP",
    name="FLOP_PER_MAC",
    source=Source(
        kind="paper",
        ref="Kaplan et al. (2020), Scaling Laws for Neural Language Models, section 2.1",
        url="https://arxiv.org/abs/2001.08361",
        read=dt.date(2026, 11, 20),
        note="a multiply-accumulate is one multiplication and one addition",
    ),
)
DECODE, PREFILL, FORWARD = "decode", "prefill", "forward"
FULL_WIDTH = PRECISIONS["fp32"]  # optimizers keep their state in fp32
ADAM_MOMENTS = 2 * FULL_WIDTH  # its two moments: Kingma & Ba (2015), arXiv:1412.6980


class Step(NamedTuple):
    """One step of work: numbers, or arrays that broadcast against each other.

    `batch` sequences or images; `seq_len` tokens of context; `width` bytes a value.
    """

    batch: Any
    seq_len: Any
    phase: str
    width: Any
    training: bool = False


class Operator(NamedTuple):
    """`repeat` equal operators: the work and the bytes of one of them.

    `kind` is gemm, attention, elementwise, convolution or gather. `weights` are the parameter
    bytes read, `state` the bytes of KV cache read or written, `inputs` and `outputs` those of
    activations.
    """

    name: str
    kind: str
    repeat: Any
    flops: Any
    weights: Any
    state: Any
    inputs: Any
    outputs: Any


class Totals(NamedTuple):
    """The sum of a step's operators: FLOP and bytes of each kind; `widest` is the largest's."""

    flops: Any
    weights: Any
    state: Any
    traffic: Any
    widest: Any
    inputs: Any

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
        )


class Demand(NamedTuple):
    """What one step asks of a device: FLOP, bytes to move, and bytes to hold."""

    operations: Any
    weights: Any  # parameter bytes streamed, gradients and optimizer state included when training
    state: Any  # KV cache read or written
    activations: Any  # operator inputs and outputs that cross the memory bus
    held_weights: Any  # parameters, and in training gradients and optimizer state
    held_state: Any
    held_activations: Any


class Workload(Entry):
    """A model. `parameters` is the published count; tests hold the architecture's sum to it."""

    release_year: int | None = None
    parameters: u.Count
    training_tokens: u.Count | None = None

    phases: ClassVar[tuple[str, ...]] = (FORWARD,)

    def operators(self, step: Step) -> list[Operator]:
        """The operators of one forward step."""
        raise NotImplementedError

    def step(
        self, batch: Any, seq_len: Any, phase: str | None, width: Any, *, training: bool = False
    ) -> Step:
        """The step that a question means; raises when the model has no such phase or length."""
        if phase is None:
            phase = FORWARD if training else self.phases[0]
        elif training:
            raise BadArgument("phase", phase, "training runs forward and backward; leave phase out")
        elif phase not in self.phases:
            raise UnknownName("phase", phase, self.phases)
        if seq_len is not None:
            raise BadArgument("seq_len", seq_len, f"{self.name} has no sequence; leave it out")
        return Step(batch, 1.0, phase, width, training)

    def held_state(self, step: Step) -> Any:
        """Bytes of KV cache (or other per-sequence state) that stay on the device."""
        return 0.0 * step.batch

    def totals(self, step: Step) -> Totals:
        """The sum over the operators of one forward step.

        Elementwise work is taken as fused into its neighbours, so its traffic is not counted; nor
        are decode's activations, one short vector a sequence, which stay in cache.
        """
        flops = weights = state = traffic = inputs = 0.0
        widest: list[Any] = []
        for op in self.operators(step):
            flops = flops + op.repeat * op.flops
            weights = weights + op.repeat * op.weights
            state = state + op.repeat * op.state
            inputs = inputs + op.repeat * op.inputs
            if op.kind != "elementwise":
                widest.append(op.inputs + op.outputs)
                if step.phase != DECODE:
                    traffic = traffic + op.repeat * widest[-1]
        largest = reduce(np.maximum, widest) if np.ndim(widest[0]) else max(widest)
        return Totals(flops, weights, state, traffic, largest, inputs)

    def demand(self, step: Step) -> Demand:
        """What a step asks for: work, bytes to move, and bytes that must fit."""
        total = self.totals(step)
        held = algorithm.stored(self.parameters, step.width)
        if not step.training:
            return Demand(
                total.flops,
                total.weights,
                total.state,
                total.traffic,
                held,
                self.held_state(step),
                total.widest,
            )
        adam = memory.optimizer_state(self.parameters, ADAM_MOMENTS, step.width, FULL_WIDTH)
        return Demand(
            operations=algorithm.training_operations(total.flops),
            weights=algorithm.training_traffic(held, 0.0, adam),
            state=0.0 * step.batch,
            activations=algorithm.training_traffic(0.0, total.traffic, 0.0),
            held_weights=2 * held + adam,  # weights, their gradients, and what Adam keeps
            held_state=0.0 * step.batch,
            held_activations=total.inputs,  # every operator keeps its input for the backward pass
        )

    def weights(self, precision: str = "fp16") -> Quantity:
        """Bytes of all parameters at a precision."""
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise UnknownName("precision", precision, PRECISIONS)
        return Q_(algorithm.stored(self.parameters, PRECISIONS[precision]) / 1e9, "GB")

    def counted_parameters(self) -> float:
        """Parameters summed over the architecture, for the test against the published count."""
        raise NotImplementedError


def flop(macs: Any) -> Any:
    """FLOP in a number of multiply-accumulates."""
    return algorithm.operations(macs, float(FLOP_PER_MAC))
