"""Rows of single kernels and wires, of power and carbon, of failures and checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mlsysim.core.units import PRECISIONS
from mlsysim.equations import fleet, node, ops
from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.rows import Row, Unpredictable, device_of, model_of, precision_of
from mlsysim.evaluation.validate.serving import EFFICIENCY
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.models.operators import FORWARD, Operator, Product, Step
from mlsysim.models.types import flop
from mlsysim.models.widths import Widths
from mlsysim.solvers.fleet.group import LINK_LATENCY, all_reduce, wires
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.cost import rates
from mlsysim.solvers.ops.safety import CheckpointModel
from mlsysim.stacks.types import Stack, seconds


def _product(row: Row) -> tuple[float, float, float]:
    """Rows, inner size and columns of a matrix product."""
    if found := re.fullmatch(r"M=(\d+);K=(\d+);N=(\d+)", row.model):
        return float(found[1]), float(found[2]), float(found[3])
    if found := re.search(r"(\d+)x(\d+)x(\d+)", row.model):
        return float(found[1]), float(found[3]), float(found[2])
    raise Unpredictable(f"{row.model!r} does not tell the sizes of a product")


def product_time(row: Row, stack: Any, *, alone: bool = True) -> float:
    """Seconds of one matrix product that somebody waits for, or of one behind others."""
    precision, _ = precision_of(row.precision)
    return product(_product(row), device_of(row), precision, stack, alone=alone)


def product(
    sizes: tuple[float, float, float],
    device: HardwareNode,
    precision: str,
    stack: Any,
    *,
    alone: bool = True,
) -> float:
    """Seconds of a product of so many rows, that sums over so many values, and columns.

    Where it is not `alone` the host sends the next while one runs: it takes the longer of both.
    """
    rows, inner, columns = sizes
    supply, width = device.supply(precision), PRECISIONS[precision]
    taken, read, given = rows * inner * width, inner * columns * width, rows * columns * width
    shape = Product(rows, inner, columns, 1, 1.0)
    one = Operator(
        *("product", "gemm", 1.0, flop(rows * inner * columns), read, 0.0, taken, given, 0.0),
        product=shape,
    )
    step = Step(1.0, rows, 0.0, FORWARD, Widths.equal(width))
    found = rates(supply, EFFICIENCY, None, stack).times(one, step)
    assert found is not None
    launch, own = supply.overhead, 0.0
    if isinstance(stack, Stack):
        launch = seconds(stack.launch)
        own = found[2] - launch
    kernel = float(node.roofline_time(found[0], found[1], own))
    return kernel + launch if alone else max(kernel, launch)  # sent while those before it run


def product_rate(row: Row, stack: Any) -> float:
    """FLOP a second of matrix products, one behind the other."""
    rows, inner, columns = _product(row)
    return flop(rows * inner * columns) / product_time(row, stack, alone=False)


def reduce_time(row: Row, stack: Any) -> float:
    """Seconds in which devices sum so many bytes."""
    ranks = int(row.number("n_devices"))
    device = device_of(row)
    if device.interconnect is None:
        raise Unpredictable(f"{row.hardware} has no known link to others")
    data, place = row.number("batch"), fleet_of(device, ranks)
    local = min(ranks, int(place.node.accelerators))
    wired = wires(place, LINK_LATENCY)
    talk = stack.talk if isinstance(stack, Stack) else None
    if talk is None:
        return float(all_reduce(data, ranks, local, wired))
    wired = wired._replace(link=wired.link * talk.link, network=wired.network * talk.link)
    alone = all_reduce(data, ranks, local, wired._replace(link_latency=0.0, network_latency=0.0))
    return float(fleet.queued(alone, float(talk.latency.m_as("s")), talk.queue))


def bus_bandwidth(row: Row, stack: Any) -> float:
    """Bytes a second over each link, as benchmarks of collectives count them."""
    ranks = row.number("n_devices")
    return 2 * (ranks - 1) / ranks * row.number("batch") / reduce_time(row, stack)


def energy(row: Row, stack: Any) -> float:
    """Joules of the device hours that the row tells, at the facility's PUE."""
    hours = row.noted("gpu_hours")
    if hours is None:
        raise Unpredictable("the row does not tell how many device hours were used")
    power = row.noted("W") or device_of(row).supply("fp16").power
    if power is None:
        raise Unpredictable(f"{row.hardware} has no known power")
    return ops.facility_energy(node.energy(power, hours * 3600), row.noted("PUE") or 1.0)


def carbon(row: Row, stack: Any) -> float:
    """Grams of carbon of that energy, at the row's intensity or the average American one."""
    told = row.noted("CI")
    average = float(Infrastructure.Grids.US_Average.carbon_intensity.m_as("g/J"))
    return ops.carbon(energy(row, stack), told * 1e3 / 3.6e6 if told else average)


def failures(part: str | None) -> Callable[[Row, Any], float]:
    """Failures a second of a fleet, or of one kind of part."""

    def rate(row: Row, stack: Any) -> float:
        found = ReliabilityModel().solve(fleet_of(device_of(row), int(row.number("n_devices"))))
        share = found.si("failure_shares")[part] if part else 1.0
        return share * float(fleet.failure_rate(1, found.si("mtbf")))

    return rate


def saved(row: Row, stack: Any) -> float:
    """Bytes of a checkpoint."""
    precision, _ = precision_of(row.precision)
    saved = CheckpointModel().solve(
        model_of(row), precision=precision, storage_bandwidth="1 GB/s", interval="1 hour"
    )
    return saved.si("size")
