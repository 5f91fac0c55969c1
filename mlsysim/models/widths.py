"""How many bytes a value takes, by what it is: a precision stands for several widths."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from mlsysim.core.provenance import Source, TraceableConstant
from mlsysim.core.units import PRECISIONS

HALF = PRECISIONS["fp16"]  # what the rest of a quantised model is kept in
_AWQ = Source(
    kind="paper",
    ref="Lin et al. (2024), AWQ: Activation-aware Weight Quantization, section 4",
    url="https://arxiv.org/abs/2306.00978",
    read=dt.date(2026, 11, 25),
    note="groups of 128 weights share a 16 bit scale and a 4 bit zero point",
)
_NVFP4 = Source(
    kind="article",
    ref="NVIDIA (2025), Introducing NVFP4 for efficient and accurate low-precision inference",
    url="https://developer.nvidia.com/blog/introducing-nvfp4-for-efficient-and-accurate-low-precision-inference/",
    read=dt.date(2026, 11, 25),
    note="blocks of 16 values share an 8 bit scale",
)
# Bytes of scales that each weight has its share of, where a format keeps them for small groups.
SCALES = {
    "int4": TraceableConstant((2 + 0.5) / 128, "B", name="INT4_SCALE", source=_AWQ),
    "w4a4": TraceableConstant((2 + 0.5) / 128, "B", name="W4A4_SCALE", source=_AWQ),
    "fp4": TraceableConstant(1 / 16, "B", name="FP4_SCALE", source=_NVFP4),
}


class Widths(NamedTuple):
    """Bytes of a value: of a matrix's weights, of the tables, an activation, the KV cache.

    Tables are embeddings, output head and norms, which quantising in groups leaves alone.
    """

    weights: Any
    tables: Any
    activations: Any
    cache: Any

    @classmethod
    def equal(cls, width: Any) -> Widths:
        """All alike."""
        return cls(width, width, width, width)

    @property
    def apart(self) -> Any:
        """Whether products with a table stay at 16 bits or more while others take fewer."""
        return (self.tables > self.weights) & (self.tables >= HALF)


ONE = Widths.equal(1.0)  # counts values instead of bytes


def widths(
    precision: str, datapath: str, kv_precision: str | None = None, *, training: bool = False
) -> Widths:
    """Widths of a model at a precision, where `datapath` computes.

    Weights take `precision` with their share of the scales, and activations the datapath. The KV
    cache keeps 16 bits, or what activations take where that is more, unless `kv_precision` says
    otherwise. In training only matrices take fewer than 16 bits.

    >>> widths("int8", "fp16")
    Widths(weights=1.0, tables=1.0, activations=2.0, cache=2.0)
    """
    weights = PRECISIONS[precision] + (float(SCALES[precision]) if precision in SCALES else 0.0)
    wide = max(PRECISIONS[datapath], HALF)
    kept = training or precision in SCALES
    return Widths(
        weights=weights,
        tables=max(weights, HALF) if kept else weights,
        activations=wide if training else PRECISIONS[datapath],
        cache=PRECISIONS[kv_precision] if kv_precision else wide,
    )


def attended(
    datapath: str, kv_precision: str | None = None, *, caches: bool, training: bool = False
) -> str:
    """The precision that attention computes in: the wider one of activations and cache.

    >>> attended("fp8", caches=True), attended("fp8", "fp8", caches=True)
    ('fp16', 'fp8')
    """
    if not (caches or training):
        return datapath
    kept = kv_precision or ("fp16" if PRECISIONS[datapath] < HALF else datapath)
    return max(datapath, kept, key=lambda name: PRECISIONS[name])
