"""Hypothetical chips: one device, some of whose fields are columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_, dim_of
from mlsysim.hardware.types import HardwareNode, Supply

FIELDS = {"peak": u.OperationRate, "bandwidth": u.Bandwidth, "capacity": u.Bytes, "tdp": u.Power}

SHOWN = {"peak": "TFLOP/s", "bandwidth": "TB/s", "capacity": "GB", "tdp": "W"}


class Chips(Sequence[HardwareNode]):
    """Variants of a device, each of which is built when it is looked at.

    `peak` is that of the device's own precision; its other datapaths keep their ratio to it.

    >>> from mlsysim import Hardware
    >>> chips = Chips(Hardware.H100, {"bandwidth": ["2 TB/s", "4 TB/s"]})
    >>> len(chips), f"{chips[1].memory.bandwidth:~P}", chips[1].stem
    (2, '4.0 TB/s', 'H100 #1')
    """

    def __init__(self, base: HardwareNode, given: Mapping[str, Any]) -> None:
        self.base = base
        read = {name: np.atleast_1d(_column(name, value)) for name, value in given.items()}
        for name, column in read.items():
            if column.ndim > 1:
                raise BadArgument(name, f"an array of shape {column.shape}", "give a plain list")
        try:
            columns = np.broadcast_arrays(*read.values())
        except ValueError:
            sizes = ", ".join(f"{len(column)}" for column in read.values())
            names = " and ".join(read)
            raise BadArgument(names, f"{sizes} values", "give as many of each, or one") from None
        self.fields = dict(zip(read, columns, strict=True))

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        at, base, changes = self.at(index), self.base, {}
        if "peak" in at:
            own = base.compute
            ratio = float((at["peak"] / own.peak_flops).m_as(""))
            others = {path: peak * ratio for path, peak in own.precision.items()}
            changes["compute"] = own.replace(peak_flops=own.peak_flops * ratio, precision=others)
        if memory := {k: at[k] for k in ("bandwidth", "capacity") if k in at}:
            changes["memory"] = base.memory.replace(**memory)
        if "tdp" in at:
            changes["tdp"] = at["tdp"]
        return base.replace(name=f"{base.stem} #{index}", **changes)

    def at(self, index: int) -> dict[str, Any]:
        """What varies, of one of them."""
        return {
            name: Q_(float(column[index]), dim_of(FIELDS[name]).unit).to(SHOWN[name])
            for name, column in self.fields.items()
        }

    def supply(self, base: Supply) -> Supply:
        """What they supply, along the first axis, where `base` is what the device itself does."""
        columns = {name: column[:, None, None, None] for name, column in self.fields.items()}
        changes = {k: columns[k] for k in ("bandwidth", "capacity") if k in columns}
        if "peak" in columns:
            ratio = columns["peak"] / float(self.base.compute.peak_flops.m_as("FLOP/s"))
            changes |= {k: getattr(base, k) * ratio for k in ("peak", "attention_peak")}
        if "tdp" in columns:
            changes["power"] = columns["tdp"]
        return base._replace(**changes)


def varied(devices: list[HardwareNode], fields: Mapping[str, Any]) -> Sequence[HardwareNode]:
    """The devices; where some fields are given, variants of the only one; raises BadArgument."""
    given = {name: column for name, column in fields.items() if column is not None}
    if given and len(devices) > 1:
        what = ", ".join(device.stem for device in devices)
        raise BadArgument("hardware", what, f"give one, whose {', '.join(given)} vary")
    return Chips(devices[0], given) if given else devices


def _column(name: str, value: Any) -> Any:
    """The plain numbers of a column, or of a list of texts."""
    read = dim_of(FIELDS[name]).si
    if isinstance(value, (list, tuple)):
        return np.array([read(each, name) for each in value])
    return read(value, name)
