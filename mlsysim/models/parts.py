"""Operators that several kinds of model are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mlsysim.equations import algorithm as eq
from mlsysim.models.types import Operator, Step, flop


class Part(NamedTuple):
    """One operator of one sample, counted in elements; `batch` and `width` come with the step."""

    name: str
    kind: str
    macs: float
    parameters: float
    inputs: float
    outputs: float


def operators(
    parts: Iterable[Part], step: Step, *, repeat: Any = 1, batch: Any = None
) -> list[Operator]:
    """The parts done for a whole batch: weights are read once, all else grows with it."""
    batch = step.batch if batch is None else batch
    data = batch * step.width
    return [
        Operator(
            part.name,
            part.kind,
            repeat,
            flop(part.macs) * batch,
            eq.stored(part.parameters, step.width),
            0.0,
            part.inputs * data,
            part.outputs * data,
        )
        for part in parts
    ]


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
