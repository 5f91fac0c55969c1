"""How long single kernels take on a family of devices: its measured constants in the equations.

Sizes are numbers or arrays, times in seconds. Each answers what arithmetic takes, what memory
takes, and what the kernel takes besides the longer of both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlsysim.equations import fleet, node
from mlsysim.equations import kernels as eq
from mlsysim.stacks.silicon import Constants

TILE = 128.0  # rows and columns of a matrix that one processor computes at a time
LEAST = 16.0  # rows of the lowest tile that a matrix unit takes
HEAD = 128.0  # values in a head of attention, by which its work is counted
Kernel = tuple[Any, Any, Any]


class Roof(NamedTuple):
    """A device's peak where a kernel computes, and its bandwidth."""

    peak: Any
    bandwidth: Any


def _beside(compute: Any, memory: Any, whole: Any) -> Kernel:
    return compute, memory, whole - np.maximum(compute, memory)


def product(c: Constants, roof: Roof, rows: Any, inner: Any, columns: Any, moved: Any) -> Kernel:
    """A matrix product that moves so many bytes."""
    rounds = eq.waves(rows, columns, TILE, c["units"], c["gemm.tail"])
    rounds = eq.filled(rounds, c["gemm.split"])
    peak = roof.peak * c["gemm.rate"]
    height = np.clip(rows, LEAST, TILE)
    compute = eq.tiled_time(rounds, height, TILE, inner + c["gemm.ramp"], peak, c["units"])
    memory = node.memory_time(moved, roof.bandwidth * c["gemm.bandwidth"])
    return compute, memory, c["gemm.floor"]


def quantised(c: Constants, roof: Roof, values: Any) -> Any:
    """Seconds in which so many 16 bit values become narrower ones, in a kernel of its own."""
    return c["quantise.floor"] + node.memory_time(3 * values, roof.bandwidth * c["gemm.bandwidth"])


def prefill(
    c: Constants, roof: Roof, flops: Any, new: Any, length: Any, pieces: Any, moved: Any
) -> Kernel:
    """Attention of `new` tokens of each sequence, in `pieces` of 128 of them and one head."""
    short = eq.ramped(length, c["prefill.ramp"]) * np.maximum(c["prefill.tile"] / new, 1.0)
    rounds = pieces / c["units"]
    idle = eq.filled(rounds, c["prefill.split"]) / rounds
    compute = node.compute_time(flops, roof.peak, c["prefill.rate"]) * short * idle
    memory = node.memory_time(moved, roof.bandwidth * c["prefill.bandwidth"])
    return _beside(compute, memory, compute + memory + c["prefill.floor"])


def decode(c: Constants, roof: Roof, flops: Any, heads: Any, kept: Any, moved: Any) -> Kernel:
    """Attention of single tokens: so many query heads, and key heads that are `kept`, in all."""
    compute = node.compute_time(flops, roof.peak, c["decode.rate"])
    memory = node.memory_time(moved, roof.bandwidth * c["decode.bandwidth"])
    busy = eq.both(np.maximum(compute, memory), c["decode.floor"], c["decode.overlap"])
    each = (c["decode.key_head"] * kept + c["decode.head"] * heads) / c["units"]
    return _beside(compute, memory, busy + each)


class Routed(NamedTuple):
    """A product of experts on one device: its sizes, and of the sets of weights those it reads."""

    pairs: Any  # tokens, each as often as it has experts here
    read: Any
    inner: Any
    columns: Any
    ffn: Any
    weights: Any  # bytes
    values: Any  # bytes of activations, in and out


def experts(c: Constants, roof: Roof, of_them: Routed) -> Kernel:
    """One of the two products of a fused mixture, with its half of routing and of the rest."""
    r = of_them
    rows = r.pairs + r.read * c["experts.padding"]
    work = 2 * rows * r.inner * r.columns
    rate = c["experts.rate"]
    compute = node.compute_time(work, roof.peak, rate) * eq.ramped(r.ffn, c["experts.ramp"])
    memory = node.memory_time(r.weights, roof.bandwidth * c["experts.bandwidth"])
    busy = eq.both(compute, memory, c["experts.overlap"])
    moving = node.memory_time(r.values, roof.bandwidth) * c["experts.passes"]
    routing = c["experts.floor"] + c["experts.pair"] * r.pairs / c["units"]
    return _beside(compute, memory, busy + moving + routing / 2)


def all_reduce(c: Constants, data: Any, ranks: Any, link: Any) -> Any:
    """Seconds in which the devices of a node sum so many bytes, by the faster of two kernels."""
    rate = link * c["reduce.link"] * (ranks / 2) ** -c["reduce.crowd"]
    hop = c["reduce.hop"]
    once = eq.one_shot(data, ranks, rate, hop)
    return c["reduce.floor"] + np.minimum(
        once, eq.two_shot(data, ranks, rate, hop, c["reduce.turn"])
    )


def collective(c: Constants, passes: Any, data: Any, ranks: Any, link: Any) -> Any:
    """Seconds of a collective of the library; a sum passes its data twice, others once."""
    rate = link * c["nccl.link"] * (ranks / 2) ** -c["nccl.crowd"]
    moving = passes * (ranks - 1) / ranks * data / rate
    waiting = c["nccl.floor"] + c["nccl.rank"] * ranks
    return fleet.queued(moving, waiting, c["nccl.queue"])
