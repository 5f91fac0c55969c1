"""Operators that several kinds of model are made of, and models that are a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import (
    ATTENTION,
    BETWEEN,
    FORWARD,
    WHOLE,
    Operator,
    Product,
    Split,
    Step,
    Totals,
    fold,
)
from mlsysim.models.types import Workload, flop
from mlsysim.models.widths import ONE, Widths


def gemm(
    name: str,
    repeat: Any,
    rows: Any,
    inner: Any,
    columns: Any,
    widths: Widths,
    *,
    bias: bool = False,
    split: Split = WHOLE,
    read: Any = 1.0,
    held: Any = None,
    parts: int = 1,
    given: Any = None,
) -> Operator:
    """A matrix product of `rows` rows; of `held` sets of weights it reads `read`, or all.

    One at an end of the model is a table, which quantising leaves alone. Of `parts` matrices side
    by side it is the product with all. Of its columns it gives `given`, or all.
    """
    matrix = eq.stored((inner + bias) * columns, widths.tables if split.end else widths.weights)
    weights = read * matrix
    return Operator(
        name,
        "gemm",
        repeat,
        flop(eq.matmul_macs(rows, inner, columns)),
        weights,
        0.0,
        eq.stored(rows * inner, widths.activations),
        eq.stored(rows * (columns if given is None else given), widths.activations),
        weights if held is None else held * matrix,
        split,
        Product(rows, inner, columns, parts, read if held is None else held),
        widths.apart if split.end else False,
    )


def scores(
    name: str,
    repeat: Any,
    macs: Any,
    moved: Any,
    values: tuple[Any, Any],
    widths: Widths,
    split: Split = BETWEEN,
) -> Operator:
    """Scores of queries and keys, and what they pick: `moved` elements are read from a cache.

    So many `values` come in from the product before it, and go out.
    """
    read, written = values
    return Operator(
        name,
        ATTENTION,
        repeat,
        flop(macs),
        0.0,
        eq.stored(moved, widths.cache),
        eq.stored(read, widths.activations),
        eq.stored(written, widths.activations),
        0.0,
        split,
    )


def elementwise(
    name: str, repeat: Any, read: Any, written: Any, *, split: Split = WHOLE, held: Any = 0.0
) -> Operator:
    """Work on each value of so many bytes, fused into its neighbours; it keeps `held` bytes."""
    return Operator(name, "elementwise", repeat, 0.0, 0.0, 0.0, read, written, held, split)


class Part(NamedTuple):
    """One operator of one sample, counted in elements; `batch` and widths come with the step."""

    name: str
    kind: str
    macs: float
    parameters: float
    inputs: float
    outputs: float


def operators(
    parts: Iterable[Part], step: Step, *, passes: Any = 1.0, samples: Any = 1.0
) -> list[Operator]:
    """The parts done for a whole batch: weights are read once a pass, all else grows with it."""
    batch = step.batch * samples
    data, kept = batch * step.widths.activations, step.widths.weights
    return [
        Operator(
            part.name,
            part.kind,
            passes,
            flop(part.macs) * batch,
            eq.stored(part.parameters, kept),
            0.0,
            part.inputs * data,
            part.outputs * data,
            eq.stored(part.parameters, kept) / passes,
        )
        for part in parts
    ]


class Network(Workload):
    """A model that is the same `parts` for every sample, so that work is linear in the batch."""

    @cached_property
    def parts(self) -> list[Part]:
        """The operators of one pass over one sample."""
        raise NotImplementedError

    def passes(self, step: Step) -> tuple[float, float]:
        """How often the parts run in one step, and on how many samples for each of the batch."""
        return 1.0, 1.0

    def operators(self, step: Step) -> list[Operator]:
        """Every part of every pass."""
        passes, samples = self.passes(step)
        return operators(self.parts, step, passes=passes, samples=samples)

    @cached_property
    def _ones(self) -> dict[bool, Totals]:
        """The totals of one sample at one byte a value: as it runs, and in training."""
        ones = {training: Step(1.0, 1.0, 0.0, FORWARD, ONE, training) for training in (False, True)}
        return {training: fold(self.operators(one), FORWARD) for training, one in ones.items()}

    def totals(self, step: Step) -> Totals:
        """The totals of a batch: linear in those of one sample, so they are summed only once."""
        return self._ones[step.training].of(step.batch, step.widths)

    def counted_macs(self) -> float:
        """Multiply-accumulates of one pass over one sample."""
        return sum(part.macs for part in self.parts)


def dense(name: str, rows: float, inner: float, columns: float, *, bias: bool = True) -> Part:
    """A matrix product of `rows` rows, with its bias."""
    macs = eq.matmul_macs(rows, inner, columns)
    learned = inner * columns + columns * bias
    return Part(name, "gemm", macs, learned, rows * inner, rows * columns)


def convolution(
    name: str, positions: float, kernel: float, inner: float, out: float, *, stride: float = 1
) -> Part:
    """A square convolution of `inner` to `out` channels, with its bias, over output positions."""
    area = kernel * kernel
    macs = eq.conv_macs(positions, area, inner, out, 1.0)
    read = positions * stride * stride * inner
    return Part(name, "convolution", macs, area * inner * out + out, read, positions * out)


def attention(name: str, queries: float, keys: float, width: float) -> Part:
    """Scores and weighted sum of every query over every key, all heads together `width` wide."""
    macs = eq.attention_macs(queries * keys, 1.0, width, width)
    return Part(name, "attention", macs, 0.0, (queries + 2 * keys) * width, queries * width)


def norm(name: str, positions: float, channels: float) -> Part:
    """A normalisation that learns a scale and a shift for each channel."""
    values = positions * channels
    return Part(name, "elementwise", 0.0, 2 * channels, values, values)
