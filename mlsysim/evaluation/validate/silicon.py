"""Rows of single kernels and wires, of power and carbon, of failures and checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable

from mlsysim.core.units import PRECISIONS
from mlsysim.equations import fleet, node, ops
from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.rows import Row, Unpredictable, device_of, model_of, precision_of
from mlsysim.evaluation.validate.serving import EFFICIENCY
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.models.types import flop
from mlsysim.solvers.fleet.group import LINK_LATENCY, all_reduce, wires
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.ops.safety import CheckpointModel


def _product(row: Row) -> tuple[float, float, float]:
    """Rows, inner size and columns of a matrix product."""
    if found := re.fullmatch(r"M=(\d+);K=(\d+);N=(\d+)", row.model):
        return float(found[1]), float(found[2]), float(found[3])
    if found := re.search(r"(\d+)x(\d+)x(\d+)", row.model):
        return float(found[1]), float(found[3]), float(found[2])
    raise Unpredictable(f"{row.model!r} does not tell the sizes of a product")


def product_time(row: Row, stack: str | None) -> float:
    """Seconds of one matrix product."""
    rows, inner, columns = _product(row)
    precision, _ = precision_of(row.precision)
    supply, width = device_of(row).supply(precision), PRECISIONS[precision]
    moved = (rows * inner + inner * columns + rows * columns) * width
    return float(
        node.roofline_time(
            node.compute_time(flop(rows * inner * columns), supply.peak, EFFICIENCY),
            node.memory_time(moved, supply.bandwidth),
            supply.overhead,
        )
    )


def product_rate(row: Row, stack: str | None) -> float:
    """FLOP a second of one matrix product."""
    rows, inner, columns = _product(row)
    return flop(rows * inner * columns) / product_time(row, stack)


def reduce_time(row: Row, stack: str | None) -> float:
    """Seconds in which devices sum so many bytes."""
    ranks = int(row.number("n_devices"))
    device = device_of(row)
    if device.interconnect is None:
        raise Unpredictable(f"{row.hardware} has no known link to others")
    place = fleet_of(device, ranks)
    local = min(ranks, int(place.node.accelerators))
    return float(all_reduce(row.number("batch"), ranks, local, wires(place, LINK_LATENCY)))


def bus_bandwidth(row: Row, stack: str | None) -> float:
    """Bytes a second over each link, as benchmarks of collectives count them."""
    ranks = row.number("n_devices")
    return 2 * (ranks - 1) / ranks * row.number("batch") / reduce_time(row, stack)


def energy(row: Row, stack: str | None) -> float:
    """Joules of the device hours that the row tells, at the facility's PUE."""
    hours = row.noted("gpu_hours")
    if hours is None:
        raise Unpredictable("the row does not tell how many device hours were used")
    power = row.noted("W") or device_of(row).supply("fp16").power
    if power is None:
        raise Unpredictable(f"{row.hardware} has no known power")
    return ops.facility_energy(node.energy(power, hours * 3600), row.noted("PUE") or 1.0)


def carbon(row: Row, stack: str | None) -> float:
    """Grams of carbon of that energy, at the row's intensity or the average American one."""
    told = row.noted("CI")
    average = float(Infrastructure.Grids.US_Average.carbon_intensity.m_as("g/J"))
    return ops.carbon(energy(row, stack), told * 1e3 / 3.6e6 if told else average)


def failures(part: str | None) -> Callable[[Row, str | None], float]:
    """Failures a second of a fleet, or of one kind of part."""

    def rate(row: Row, stack: str | None) -> float:
        found = ReliabilityModel().solve(fleet_of(device_of(row), int(row.number("n_devices"))))
        share = found.si("failure_shares")[part] if part else 1.0
        return share * float(fleet.failure_rate(1, found.si("mtbf")))

    return rate


def saved(row: Row, stack: str | None) -> float:
    """Bytes of a checkpoint."""
    precision, _ = precision_of(row.precision)
    saved = CheckpointModel().solve(
        model_of(row), precision=precision, storage_bandwidth="1 GB/s", interval="1 hour"
    )
    return saved.si("size")
