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


def operators(parts: Iterable[Part], step: Step, repeat: Any = 1, batch: Any = None) -> list[Operator]:
    """The parts done for a whole batch: weights are read once, all else grows with it."""
    batch = step.batch if batch is None else batch
    return [
        Operator(
            part.name, part.kind, repeat, flop(part.macs) * batch, eq.stored(part.parameters, step.width), 0.0,
            eq.stored(part.inputs * batch, step.width), eq.stored(part.outputs * batch, step.width),
        )
        for part in parts
    ]


def dense(name: str, rows: float, inner: float, columns: float, *, bias: bool = True) -> Part:
    """A matrix product of `rows` rows, with its bias."""
    macs = eq.matmul_macs(rows, inner, columns)
    return Part(name, "gemm", macs, inner * columns + columns * bias, rows * inner, rows * columns)


def convolution(
    name: str, positions: float, kernel: float, in_channels: float, out_channels: float, *, stride: float = 1,
) -> Part:
    """A square convolution with its bias, counted over its output positions."""
    macs = eq.conv_macs(positions, kernel * kernel, in_channels, out_channels, 1.0)
    learned = kernel * kernel * in_channels * out_channels + out_channels
    return Part(name, "convolution", macs, learned, positions * stride * stride * in_channels, positions * out_channels)


def attention(name: str, queries: float, keys: float, width: float) -> Part:
    """Scores and weighted sum of every query over every key, all heads together `width` wide."""
    macs = eq.attention_macs(queries * keys, 1.0, width, width)
    return Part(name, "attention", macs, 0.0, (queries + 2 * keys) * width, queries * width)


def norm(name: str, positions: float, channels: float) -> Part:
    """A normalisation that learns a scale and a shift for each channel."""
    return Part(name, "elementwise", 0.0, 2 * channels, positions * channels, positions * channels)
