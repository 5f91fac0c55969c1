"""Wall 13: how few bits and weights to keep, and what that buys."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.provenance import Source, TraceableConstant
from mlsysim.core.solver import Given, Result, Solver, lazily
from mlsysim.core.units import PRECISIONS, Dim, Names
from mlsysim.equations import algorithm as eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.literature.registry import Literature
from mlsysim.models.types import Workload
from mlsysim.solvers.algorithm.scaling import where_feasible
from mlsysim.solvers.node.notes import widened
from mlsysim.solvers.node.single import ask
from mlsysim.stacks.types import Level

Sparsity = Annotated[Any, Dim("", high=0.999, open_low=False)]
Pattern = Annotated[str, Names("unstructured", "2:4", "structured")]
Faster = Annotated[Any, Dim("", low=1.0, open_low=False)]

INDEX_WIDTH = TraceableConstant(
    1 / 8,
    "B",
    name="INDEX_WIDTH",
    source=Source(
        kind="repository",
        ref="PyTorch, torch/sparse/semi_structured.py, compression factors",
        url="https://android.googlesource.com/platform/external/pytorch/+/7bf08b77f3/torch/sparse/semi_structured.py",
        read=dt.date(2026, 11, 20),
        note="2:4 keeps 9/16 of fp16 and 10/16 of int8: half the values and one bit a parameter; a "
        "bitmap of an unstructured pattern takes the same bit",
    ),
)
# What compression cost a model that stands in the registry: perplexity added, by precision or
# pattern and sparsity.
_MEASURED = {
    ("Llama2_7B", "int8", 0.0): "SmoothQuant_w8a8_Llama2_7B",
    ("Llama3_8B", "int8", 0.0): "SmoothQuant_w8a8_Llama3_8B",
    ("Llama2_7B", "2:4", 0.5): "SparseGPT_2_4_Llama2_7B",
    ("Llama2_7B", "unstructured", 0.5): "SparseGPT_50_Llama2_7B",
    ("Llama2_70B", "unstructured", 0.5): "SparseGPT_50_Llama2_70B",
}


def _speedup(r: CompressionResult) -> Any:
    ratio = eq.speedup(r.si("baseline_latency"), r.si("latency"))
    return where_feasible(r.si("baseline_feasible") & r.si("feasible"), ratio)


class CompressionResult(Result):
    """A compressed model beside the one it came from.

    `bottleneck` against `baseline_bottleneck` is the regime that decides the `speedup`, which is
    None where either of the two does not fit. `accuracy_delta` is a published measurement named by
    `accuracy_source`, or None: no formula predicts it.
    """

    walls = (13,)

    compression_ratio: u.Number
    speedup: u.Number | None = lazily("", _speedup)
    baseline_bottleneck: str
    bottleneck: str
    datapath: str
    baseline_latency: u.Seconds = "ms"
    latency: u.Seconds = "ms"
    baseline_weights: u.Bytes = "GB"
    weights: u.Bytes = "GB"
    kv_cache: u.BytesOrZero = "GB"
    peak: u.OperationRate = "TFLOP/s"
    bandwidth: u.Bandwidth = "TB/s"
    throughput: u.Rate = "1/s"
    baseline_feasible: bool
    feasible: bool
    reason: str
    accuracy_delta: float | None
    accuracy_source: str
    precision: str
    baseline_precision: str
    notes: tuple


class CompressionModel(Solver):
    """Wall 13: what fewer bits and fewer weights buy, by the roof that binds.

    Fallacy: "INT4 is four times as fast." Where memory binds, nearly; where compute binds, the
    weights are widened to a datapath that exists and nothing is gained.
    """

    walls = (13,)

    def solve(
        self,
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        precision: u.Precision = "int4",
        baseline_precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        sparsity: Sparsity = 0.0,
        pattern: Pattern = "unstructured",
        sparse_speedup: Faster = 1.0,
        batch_size: u.Batch = 1.0,
        seq_len: u.Count | None = None,
        phase: u.Phase | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Level | None = None,
    ) -> CompressionResult:
        """Solve the roofline of one step before and after.

        Weights take `precision`, activations the datapath that runs it, and the KV cache
        `kv_precision` (16 bits unless given). Where the device has no such datapath the weights are
        widened on the way: bytes shrink, compute does not. The work of widening is left out. int4
        and fp4 keep scales for groups, and embeddings and head at 16 bits; `w4a4` computes in int4
        where there is a datapath for it.

        `sparsity` is the part of the matrices' weights removed. Any pattern shrinks bytes, less its
        index; only structured pruning (whole rows and heads) shrinks compute, and 2:4 on a device
        whose sparse datapath is `sparse_speedup` times its dense one: 1 unless its maker says so.
        """
        _check_pattern(pattern, sparsity, sparse_speedup)
        dense = ask(model, hardware, baseline_precision, efficiency, stack=stack)
        base = dense.profile(dense.step(batch_size, seq_len, phase))
        sparse = ask(model, hardware, precision, efficiency, kv_precision, stack)
        supply = sparse.supply._replace(peak=sparse.supply.peak * sparse_speedup)
        width, index = sparse.widths.weights, _index(pattern, sparsity)
        kept = eq.sparse_width(width, 1 - sparsity, index)
        sparse = sparse._replace(
            widths=sparse.widths._replace(weights=kept),
            supply=supply,
            density=1 - sparsity if pattern == "structured" else None,
        )
        after = sparse.profile(sparse.step(batch_size, seq_len, phase))

        delta, source = _accuracy(model, baseline_precision, precision, pattern, sparsity)
        return CompressionResult(
            compression_ratio=eq.compression_ratio(base.si("weights"), after.si("weights")),
            baseline_bottleneck=base.si("bottleneck"),
            bottleneck=after.si("bottleneck"),
            datapath=supply.datapath,
            baseline_latency=base.si("latency"),
            latency=after.si("latency"),
            baseline_weights=base.si("weights"),
            weights=after.si("weights"),
            kv_cache=after.si("kv_cache"),
            peak=supply.peak,
            bandwidth=supply.bandwidth,
            throughput=after.si("throughput"),
            _counts=after.si("_counts"),
            baseline_feasible=base.si("feasible"),
            feasible=after.si("feasible"),
            reason=after.si("reason"),
            accuracy_delta=delta,
            accuracy_source=source,
            precision=precision,
            baseline_precision=baseline_precision,
            notes=_notes(hardware, precision, supply.datapath, pattern, sparse_speedup),
        )


def _check_pattern(pattern: str, sparsity: Any, sparse_speedup: Any) -> None:
    if pattern == "2:4" and np.any(np.not_equal(sparsity, 0.5)):
        raise BadArgument("sparsity", sparsity, "2:4 keeps two weights of each four; give 0.5")
    if pattern != "2:4" and np.any(np.greater(sparse_speedup, 1)):
        remedy = "sparse datapaths run the 2:4 pattern only; give pattern='2:4', or leave it out"
        raise BadArgument("sparse_speedup", sparse_speedup, remedy)


def _index(pattern: str, sparsity: Any) -> Any:
    """Bytes a parameter that say which weights were kept; whole rows need none."""
    width = 0.0 if pattern == "structured" else float(INDEX_WIDTH)
    return np.where(sparsity > 0, width, 0.0) if np.ndim(sparsity) else width * bool(sparsity)


def _accuracy(
    model: Workload, baseline: str, precision: str, pattern: str, sparsity: Any
) -> tuple[float | None, str]:
    """Loss published for exactly this compression of exactly this model; no guess."""
    if np.ndim(sparsity) or PRECISIONS[baseline] < PRECISIONS["fp16"]:
        return None, ""
    if sparsity and PRECISIONS[precision] < PRECISIONS["fp16"]:
        return None, ""  # both at once were not measured
    key = (model.stem, pattern if sparsity else precision, float(sparsity))
    if key not in _MEASURED:
        return None, ""
    finding = Literature.Compression[_MEASURED[key]]
    return float(finding.value), f"{finding.name}: {finding.context}"


def _notes(
    hardware: HardwareNode, precision: str, datapath: str, pattern: str, sparse_speedup: Any
) -> tuple[str, ...]:
    notes = [*widened(hardware, precision, datapath)]
    if pattern == "2:4" and np.all(np.equal(sparse_speedup, 1)):
        notes.append("no sparse datapath is assumed; give sparse_speedup where there is one")
    return tuple(notes)
