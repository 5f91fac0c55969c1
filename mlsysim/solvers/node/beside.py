"""What training does beside a model's own operators: adapters, and what experts bring with them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlsysim.core.provenance import Source, TraceableConstant
from mlsysim.equations import algorithm
from mlsysim.models.operators import ADAPTER, ADD, EXPERTS, Operator, Step
from mlsysim.models.types import flop

SHORT = TraceableConstant(
    700.0,
    "",
    name="SHORT_PRODUCT",
    source=Source(
        kind="derived",
        ref="DeepGEMM README, 4,096 rows on H800: 590, 1,025 and 1,358 TFLOP/s for sums of 512, "
        "2,048 and 16,384 values, which are 1,416 K / (K + 700) within 3 %",
        url="https://github.com/deepseek-ai/DeepGEMM",
        read=dt.date(2026, 11, 25),
        note="its grouped products are as fast as single ones of the same shape",
    ),
)


def adapters(ops: list[Operator], rank: float | None, step: Step) -> list[Operator]:
    """Beside each matrix of a layer two products: down to `rank` values, and up again.

    Their input is the matrix's, which stands for it among what is kept.
    """
    if rank is None:
        return []
    width, beside = step.widths.activations, []
    for op in ops:
        if op.product is None or op.split.end:
            continue
        rows, inner, columns, parts, sets = op.product
        down, up = parts * inner * rank, rank * columns
        beside.append(
            Operator(
                ADAPTER,
                "gemm",
                op.repeat,
                flop(rows * (down + up)),
                algorithm.stored(sets * (down + up), width),
                0.0,
                algorithm.stored(rows * parts * rank, width),
                algorithm.stored(rows * (inner + parts * rank + columns), width),
                algorithm.stored(sets * (down + up), width),
                op.split,
                wide=True,
            )
        )
    return beside


def crowded(op: Operator, times: float) -> Operator:
    """An operator of experts on the device that gets the most tokens."""
    inputs, outputs = op.inputs * times, op.outputs * times
    return op._replace(flops=op.flops * times, inputs=inputs, outputs=outputs)


def in_order(ops: list[Operator], ways: Any) -> list[Operator]:
    """Tokens are put in the order of their experts, and back: read once, and written once."""
    moved = [(op.repeat, op.inputs / ways) for op in ops if op.split == EXPERTS[0] and op.product]
    return [
        Operator(name, ADD, repeat, 0.0, 0.0, 0.0, size, size, 0.0)
        for repeat, size in moved
        for name in ("sort", "sort back")
    ]
