"""Measured times of single operators, and what the constants of silicon say about them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.errors import InvalidEntry, NoDatapath
from mlsysim.equations.algorithm import distinct_experts
from mlsysim.evaluation.validate.rows import _DATA, names
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node import silicon
from mlsysim.solvers.node.silicon import Roof, Routed
from mlsysim.stacks.silicon import Constants, shipped

SHIPPED = _DATA / "operators.csv"
LEFT_OUT = _DATA / "left_out_operators.csv"  # predictions without the row's device
# How the tables' types of data compute, and bytes of a weight and of an activation.
TYPES: dict[str, tuple[str, float, float]] = {
    "bfloat16": ("bf16", 2.0, 2.0),
    "half": ("fp16", 2.0, 2.0),
    "fp8": ("fp8", 1.0, 1.0),
    "fp8_block": ("fp8", 1.0, 1.0),
    "sq": ("int8", 1.0, 1.0),
    "nvfp4": ("fp4", 9 / 16, 9 / 16),
    "int8_wo": ("bf16", 1.0, 2.0),
    "int4_wo": ("bf16", 33 / 64, 2.0),
    "w4a16_mxfp4": ("bf16", 17 / 32, 2.0),
    "w4a8_mxfp4_mxfp8": ("fp8", 17 / 32, 1.0),
}
_NUMBERS = (
    *("m", "n", "k", "batch", "seq", "heads", "kv_heads", "head_dim", "tokens", "hidden", "inter"),
    *("experts", "topk", "moe_tp", "moe_ep", "gpus", "bytes", "time_us"),
)
_TEXTS = ("id", "device", "kind", "dtype", "kv_dtype", "framework", "kernel", "op", "distribution")
_KERNELS = ("triton", "cutlass", "trtllm", "marlin")


class Rows(NamedTuple):
    """Operators of one kind, in columns: as text, as numbers, and what constants depend on."""

    text: dict[str, np.ndarray]
    size: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    bandwidth: np.ndarray
    peak: np.ndarray
    attention_peak: np.ndarray
    link: np.ndarray
    power: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """What was measured."""
        return self.size["time_us"] * 1e-6

    @property
    def device(self) -> np.ndarray:
        """Names of devices, as the table has them."""
        return self.text["device"]

    def only(self, mask: np.ndarray) -> Rows:
        """Some of them."""
        return Rows(
            *({k: v[mask] for k, v in part.items()} for part in self[:3]),  # type: ignore[arg-type]
            *(part[mask] for part in self[3:]),
        )


@cache
def _device(name: str) -> HardwareNode:
    return HardwareNode.asked(names()["hardware"].get(name, name), "device")


def read(path: Any = SHIPPED) -> dict[str, Rows]:
    """The rows of a table by kind; raises InvalidEntry for one that lacks a column."""
    _ = Hardware
    text = (path if hasattr(path, "read_text") else Path(path)).read_text(encoding="utf-8-sig")
    lines = list(csv.DictReader(text.splitlines()))
    if missing := {*_TEXTS, *_NUMBERS} - {*(lines[0] if lines else ())}:
        raise InvalidEntry(Path(str(path)).name, min(missing), "the column is missing")
    kinds: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        kinds.setdefault(line["kind"], []).append(line)
    return {kind: _columns(some) for kind, some in kinds.items()}


def _columns(lines: list[dict[str, str]]) -> Rows:
    text = {name: np.array([line[name] for line in lines]) for name in lines[0]}
    size = {name: np.array([float(line[name] or "nan") for line in lines]) for name in _NUMBERS}
    _, weights, values = zip(*(TYPES[kind] for kind in text["dtype"]), strict=True)
    plain = np.char.endswith(text["kernel"], "nongated")
    size |= {
        "weight": np.array(weights),
        "value": np.array(values),
        "cached": np.where(text["kv_dtype"] == "fp8", 1.0, 2.0),
        "gates": np.where(plain, 1.0, 2.0),  # products of an expert before the last
    }
    devices = [_device(name) for name in text["device"]]
    kernels = [_kernel(line) for line in lines]
    paths = [TYPES[kind][0] for kind in text["dtype"]]
    groups = {
        "family": np.array([device.family for device in devices]),
        "path": np.array(paths),
        "framework": text["framework"],
        "kernel": np.array(kernels),
        "op": text["op"],
        "datapath": np.array(paths),
        "name": text["kernel"],
        "wire": np.where([bool(device.interconnect) for device in devices], "switch", "PCIe"),
    }
    block = np.char.endswith(text["dtype"], "_block")
    path = np.where(block, text["dtype"], paths)
    groups["maker"] = np.char.add(np.char.add(text["framework"], " "), path)
    if text["kind"][0] == "attn_prefill":
        # units that take operands from shared memory multiply them as they are kept
        wide = np.isin(groups["family"], ["Hopper", "Blackwell"])
        groups["path"] = np.where(wide & (text["kv_dtype"] == "fp8"), "fp8", groups["path"])
    if text["kind"][0] == "attn_decode":
        groups["path"] = np.where(text["kv_dtype"] == "fp8", "fp8", "bf16")
    return Rows(
        text,
        size,
        groups,
        np.array([device.supply("bf16").bandwidth for device in devices]),
        np.array([_peak(device, path) for device, path in zip(devices, paths, strict=True)]),
        np.array([device.supply("bf16").peak for device in devices]),
        np.array([_rate(device) for device in devices]),
        np.array([device.supply("bf16").power for device in devices], dtype=float),
    )


def _rate(device: HardwareNode) -> float:
    link = device.interconnect or device.host_link
    return float(link.bandwidth.m_as("B/s")) if link else np.nan


def _peak(device: HardwareNode, path: str) -> float:
    try:
        return device.supply(path).peak
    except NoDatapath:
        return device.supply("bf16").peak


def _kernel(line: dict[str, str]) -> str:
    if line["kind"] == "gemm":
        if line["dtype"].endswith("_wo"):  # each framework has its own
            return f"{line['framework']} {line['dtype']}"
        return line["dtype"] if line["dtype"].endswith("_block") else "plain"
    return next((name for name in _KERNELS if name in line["kernel"].lower()), "other")


def predicted(kind: str, rows: Rows, c: Constants) -> np.ndarray:
    """Seconds of each operator by constants, each of them a number or a column."""
    return _PREDICTED[kind](rows, c)


def _sum(kernel: silicon.Kernel) -> Any:
    compute, memory, beside = kernel
    return np.maximum(compute, memory) + beside


def _roof(rows: Rows, c: Constants, peak: Any = None) -> Roof:
    units = silicon.processors(c, rows.peak)
    return Roof(rows.peak if peak is None else peak, rows.bandwidth, units, rows.power)


def _gemm(rows: Rows, c: Constants) -> Any:
    m, n, k = (rows.size[name] for name in "mnk")
    weight, value = rows.size["weight"], rows.size["value"]
    roof = _roof(rows, c)
    kernel = silicon.product(c, roof, m, k, n, m * k * value + n * k * weight + 2 * m * n)
    narrow = np.where(value < 2, silicon.quantised(c, roof, m * k), 0.0)
    # vLLM starts its block-wise kernels one by one from the host
    late = (rows.text["framework"] == "vllm") & (rows.text["dtype"] == "fp8_block")
    return np.maximum(_sum(kernel) + narrow, np.where(late, c["gemm.eager"], 0.0))


def _prefill(rows: Rows, c: Constants) -> Any:
    b, s, h, kept, dim = _attention(rows)
    wide = rows.size["cached"]
    flops, moved = 2 * b * h * s**2 * dim, b * s * dim * (4 * h + 4 * kept + 2 * kept * wide)
    roof = _roof(rows, c, rows.attention_peak)
    together = np.where(rows.text["framework"] == "trtllm", 1.0, h / kept)  # heads of one key head
    pieces = b * np.ceil(s * together / silicon.TILE) * h / together
    own = (rows.groups["path"] == "fp8") & (rows.size["value"] > 1)  # queries come in 16 bits
    narrow = np.where(own, c["prefill.narrow"] * b * s * h * dim / (roof.units * c["clock"]), 0.0)
    return _sum(silicon.prefill(c, roof, flops, s, pieces, moved, dim)) + narrow


def _decode(rows: Rows, c: Constants) -> Any:
    b, s, h, kept, dim = _attention(rows)
    wide = rows.size["cached"]
    flops, moved = 4 * b * h * s * dim, b * dim * (2 * kept * s * wide + 4 * h)
    roof = _roof(rows, c, rows.attention_peak)
    part = dim / silicon.HEAD
    return _sum(silicon.decode(c, roof, flops, b * h * part, b * kept * part, moved))


def _attention(rows: Rows) -> list[np.ndarray]:
    return [rows.size[name] for name in ("batch", "seq", "heads", "kv_heads", "head_dim")]


def _moe(rows: Rows, c: Constants) -> Any:
    size = rows.size
    tokens, k, many, apart = (size[name] for name in ("tokens", "topk", "experts", "moe_ep"))
    hidden, ffn = size["hidden"], size["inter"] / size["moe_tp"]
    even = rows.text["distribution"] == "balanced"
    crowd = np.where(even, 1.0, apart ** c["experts.crowd"])  # the fullest device is what was timed
    held = many / apart
    pairs = np.maximum(tokens * k / apart * crowd, np.minimum(tokens * k / apart, 1.0))
    read = distinct_experts(many, k, tokens * crowd) / apart * np.where(even, 1.0, c["experts.few"])
    read = np.clip(read, np.minimum(pairs, 1.0), held)
    roof, time = _roof(rows, c), 0.0
    for inner, columns in ((hidden, size["gates"] * ffn), (ffn, hidden)):
        values = pairs * (2.0 * inner + 2.0 * columns)
        sets = read * inner * columns * size["weight"]
        time = time + _sum(
            silicon.experts(c, roof, Routed(pairs, read, inner, columns, ffn, sets, values))
        )
    # Triton's sum goes over what all devices computed of a token
    far = rows.groups["kernel"] == "triton"
    return time + np.where(far, c["experts.far"] * 6 * tokens * k * hidden / rows.bandwidth, 0.0)


def _reduce(rows: Rows, c: Constants) -> Any:
    # the host starts kernels one by one while others run: the slower of both sets the pace
    eager = np.where(np.char.endswith(rows.text["kernel"], "eager"), c["reduce.eager"], 0.0)
    own = silicon.all_reduce(c, rows.size["bytes"], rows.size["gpus"], rows.link)
    return np.maximum(eager, own)


def _collective(rows: Rows, c: Constants) -> Any:
    twice = np.where(rows.text["op"] == "all_reduce", 2.0, 1.0)
    ranks, data = rows.size["gpus"], rows.size["bytes"]
    return silicon.collective(c, twice, data, ranks, rows.link)


_PREDICTED = {
    "gemm": _gemm,
    "attn_prefill": _prefill,
    "attn_decode": _decode,
    "moe": _moe,
    "allreduce_custom": _reduce,
    "nccl": _collective,
}


class Cell(NamedTuple):
    """How good the predictions of one kind of operator are on one device, or on all.

    `left_out` is the median error by constants that were found without that device, where the
    rows are those that ship.
    """

    kind: str
    device: str
    rows: int
    error: float
    within: float
    bias: float
    left_out: float | None


@cache
def _without() -> dict[str, float]:
    lines = csv.DictReader(LEFT_OUT.read_text(encoding="utf-8").splitlines())
    return {line["id"]: float(line["time_us"]) * 1e-6 for line in lines}


def scores(kinds: dict[str, Rows]) -> list[Cell]:
    """The score of each kind on each device, and on all."""
    cells = []
    for kind, rows in kinds.items():
        ratio = predicted(kind, rows, shipped().at(rows.groups)) / rows.seconds
        unseen = [_without().get(name, np.nan) for name in rows.text["id"]]
        other = np.array(unseen) / rows.seconds
        for device in [*sorted({*rows.device}), "all"]:
            own = (rows.device == device) | (device == "all")
            without = float(np.median(np.abs(other[own] - 1)))
            cells.append(
                Cell(
                    kind,
                    str(device),
                    int(own.sum()),
                    float(np.median(np.abs(ratio[own] - 1))),
                    float(np.mean(np.abs(np.log(ratio[own])) < np.log(1.5))),
                    float(np.exp(np.mean(np.log(ratio[own])))),
                    None if np.isnan(without) else without,
                )
            )
    return cells
