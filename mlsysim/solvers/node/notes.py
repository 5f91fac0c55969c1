"""What to know of a device beside the numbers: what is widened, and where a roofline is far off."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mlsysim.core.solver import show
from mlsysim.core.units import PRECISIONS
from mlsysim.hardware.types import WEIGHTS_ONLY, HardwareNode


def _of_device(hardware: Any, precision: str, datapath: str) -> tuple[str, ...]:
    """All that there is to say of a device at a precision."""
    return (*widened(hardware, precision, datapath), *far_off(hardware), *in_bits(hardware))


# a unit takes longer to write than a step to solve
of_device: Callable[[Any, str, str], tuple[str, ...]] = lru_cache(maxsize=1024)(_of_device)


def widened(hardware: HardwareNode, precision: str, datapath: str) -> tuple[str, ...]:
    """That numbers are computed in a wider precision than they are stored in."""
    if PRECISIONS[datapath] <= PRECISIONS[precision]:
        return ()
    why = (
        f"{precision} is a format of weights alone"
        if precision in WEIGHTS_ONLY
        else f"{hardware.name} has no {precision} datapath"
    )
    return (f"{why}: it is widened to {datapath} on the way, so bytes shrink and compute does not",)


def far_off(hardware: HardwareNode) -> tuple[str, ...]:
    """That a roofline is known to lie far above what such a device does."""
    if "wafer" in (hardware.memory.technology or ""):
        return (
            "its memory is spread over the cores of a wafer, whose messages to each other no "
            "roofline counts: published rates of decode lie tens of times below this bound",
        )
    if hardware.memory.flash is not None:
        return (
            "a microcontroller's kernels read weights in place from flash and reach a part of its "
            "peak: published times lie several times above this bound",
        )
    return ()


def in_bits(hardware: HardwareNode) -> tuple[str, ...]:
    """That a memory's bandwidth was written in bits, where data sheets have bytes."""
    rate = hardware.memory.bandwidth
    if not f"{rate.units:~}".partition("/")[0].strip().endswith("b"):
        return ()
    return (f"the memory's bandwidth is written in bits: {rate:~P} are {show(rate.to('B/s'))}",)
