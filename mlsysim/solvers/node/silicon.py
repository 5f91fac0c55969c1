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
SHORT = 64.0  # rows of the tiles of sums that are too short to share
HEAD = 128.0  # values in a head of attention, by which its work is counted
WARM = 1e-3  # seconds in which a device's clock comes down to what its power allows
SHARP = 8.0  # how suddenly power binds
Kernel = tuple[Any, Any, Any]


class Roof(NamedTuple):
    """A device's peak where a kernel computes, its bandwidth, its processors, and its power.

    And the `least` rows of a matrix that it computes at a time.
    """

    peak: Any
    bandwidth: Any
    units: Any
    power: Any = np.inf
    least: Any = LEAST


def processors(c: Constants, peak: Any) -> Any:
    """How many processors have so much of a peak, at the datapath that the constants are of."""
    return peak / (2 * c["products"] * c["narrow"] * c["clock"])


def _beside(compute: Any, memory: Any, whole: Any) -> Kernel:
    return compute, memory, whole - np.maximum(compute, memory)


def product(c: Constants, roof: Roof, rows: Any, inner: Any, columns: Any, moved: Any) -> Kernel:
    """A matrix product that moves so many bytes."""
    own = eq.waves(rows, columns, TILE, roof.units, 0.0)
    many = eq.waves(rows, columns, TILE, roof.units, c["gemm.tail"])
    # few tiles are half as wide, and share their sums with idle processors: short ones least
    height = np.clip(rows, roof.least, TILE)
    alone = np.minimum(c["gemm.whole"] / inner, 1.0) ** c["gemm.split"]
    rounds = np.maximum(
        np.where(own < 1, own, many), alone * np.maximum(height, SHORT) / height / 2
    )
    each = roof.peak / (2 * roof.units * c["clock"])  # products of a processor in a cycle
    peak = roof.peak * c["gemm.rate"] / eq.ramped(c["gemm.feed"], each)
    depth = inner + c["gemm.ramp"] * np.maximum(1 - 1 / rounds, 0.0)  # of all but the first
    compute = eq.tiled_time(rounds, height, TILE, depth, peak, roof.units)
    compute = eq.throttled(compute, _excess(c, roof, own / rounds), WARM)
    memory = node.memory_time(moved, roof.bandwidth * c["gemm.bandwidth"])
    busy = eq.both(compute, memory, c["gemm.overlap"])
    return _beside(compute, memory, busy + c["gemm.floor"] / c["clock"])


def _excess(c: Constants, roof: Roof, busy: Any) -> Any:
    """By how much longer power makes long products: wider units need less for each.

    That of the `busy` part of them: others draw none.
    """
    # where no power is published it never binds
    power = np.where(np.isnan(roof.power), np.inf, roof.power)
    asked = c["gemm.energy"] * busy * roof.units * c["clock"] * c["products"] ** 0.5 / power
    return (1 + asked**SHARP) ** (1 / SHARP) - 1


def quantised(c: Constants, roof: Roof, values: Any) -> Any:
    """Seconds in which so many 16 bit values become narrower ones, in a kernel of its own."""
    return c["quantise.floor"] / c["clock"] + node.memory_time(
        3 * values, roof.bandwidth * c["gemm.bandwidth"]
    )


def prefill(
    c: Constants, roof: Roof, flops: Any, length: Any, pieces: Any, moved: Any, width: Any = HEAD
) -> Kernel:
    """Attention to so many tokens, in `pieces` of 128 of the new ones and one head."""
    short = eq.ramped(length, TILE)  # of what lies across the diagonal the whole tile is done
    rounds = pieces / roof.units
    idle = eq.filled(rounds, c["prefill.split"]) / rounds
    soft = c["prefill.soft"] * eq.softmax_share(c["products"], width)
    each = eq.both(1 / c["prefill.rate"], soft, c["prefill.overlap"])
    compute = node.compute_time(flops, roof.peak, 1.0) * each * short * idle
    memory = node.memory_time(moved, roof.bandwidth * c["prefill.bandwidth"])
    # what feeds wider units is deeper, and takes longer to fill
    floor = c["prefill.floor"] * c["products"] ** c["prefill.deep"]
    floor = floor + rounds * c["prefill.start"] / c["clock"]
    return _beside(compute, memory, compute + memory + floor)


def decode(c: Constants, roof: Roof, flops: Any, heads: Any, kept: Any, moved: Any) -> Kernel:
    """Attention of single tokens: so many query heads, and key heads that are `kept`, in all."""
    rows = np.maximum(1.0, c["decode.rows"] * kept / heads)  # that a matrix unit takes for one
    rows = np.where(roof.least > 1, rows, 1.0)
    compute = node.compute_time(flops * rows, roof.peak, c["decode.rate"])
    memory = node.memory_time(moved, roof.bandwidth * c["decode.bandwidth"])
    busy = eq.both(np.maximum(compute, memory), c["decode.floor"] / c["clock"], c["decode.overlap"])
    each = (c["decode.key_head"] * kept + c["decode.head"] * heads) / (roof.units * c["clock"])
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
    rate = c["experts.rate"] * c["products"] ** -c["experts.wide"]
    compute = node.compute_time(work, roof.peak, rate) * eq.ramped(r.ffn, c["experts.ramp"])
    memory = node.memory_time(r.weights, roof.bandwidth * c["experts.bandwidth"])
    busy = eq.both(compute, memory, c["experts.overlap"])
    moving = node.memory_time(r.values, roof.bandwidth) * c["experts.passes"]
    routing = c["experts.floor"] + c["experts.pair"] * r.pairs / roof.units
    return _beside(compute, memory, busy + moving + routing / 2)


def all_reduce(c: Constants, data: Any, ranks: Any, link: Any) -> Any:
    """Seconds in which the devices of a node sum so many bytes, by the fastest of three kernels.

    Two of them have few processors, which move no more than their own rate; what is long takes
    longer to start, and has the whole link.
    """
    peers = np.maximum(ranks - 1, 1.0)
    crowd = (ranks / 2) ** -c["reduce.crowd"] / eq.ramped(peers, c["reduce.own"])
    whole = link * c["reduce.link"] * crowd
    few = 1 / (1 / whole + 1 / (c["reduce.few"] * crowd))
    hop = c["reduce.hop"]
    once = eq.one_shot(data, ranks, few, hop)
    twice = eq.two_shot(data, ranks, few, hop, c["reduce.turn"])
    long = eq.two_shot(data, ranks, whole, hop, c["reduce.start"])
    return c["reduce.floor"] / c["clock"] + np.minimum(np.minimum(once, twice), long)


def collective(c: Constants, passes: Any, data: Any, ranks: Any, link: Any) -> Any:
    """Seconds of a collective of the library; a sum passes its data twice, others once."""
    rate = link * c["nccl.link"] * (ranks / 2) ** -c["nccl.crowd"]
    moving = passes * (ranks - 1) / ranks * data / rate
    waiting = c["nccl.floor"] + c["nccl.rank"] * ranks
    return fleet.queued(moving, waiting, c["nccl.queue"])
