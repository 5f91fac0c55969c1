"""What training attains where nobody says otherwise: each number is somebody's measurement."""

from __future__ import annotations

from functools import cache

from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.literature.registry import Literature
from mlsysim.literature.types import Finding

HALF = 0.5  # of the peak: the seeds' teaching value, where nobody has measured a device
SAME_RATE = {"fp16": "bf16"}  # on every device that has both
SAME_CHIP = {"H100": ("H200", "H800")}  # with another memory, or other links


@cache
def overlap() -> float:
    """The part of a gradient exchange that frameworks hide behind the backward pass."""
    return float(Literature.Training.Overlap.value)


@cache
def _measured() -> dict[tuple[str, str | None], Finding]:
    shelf, found = Literature.Training, {}
    for one in (shelf[stem] for stem in shelf if stem.startswith("Attained")):
        chip = one.hardware or ""
        for stem in (chip, *SAME_CHIP.get(chip, ())):
            if stem in Hardware:
                found[Hardware[stem].name, one.precision] = one
    return found


def attained(device: HardwareNode, datapath: str) -> tuple[float, str]:
    """The part of its peak that a device attains in training by itself, and whose word that is."""
    one = _measured().get((device.name, SAME_RATE.get(datapath, datapath)))
    if one is None:
        return HALF, f"efficiency {HALF}: a teaching value, as none was found for {datapath} here"
    source = one.source_of("value")
    return float(one.value), f"efficiency {one.value}: {source.ref if source else one.context}"
