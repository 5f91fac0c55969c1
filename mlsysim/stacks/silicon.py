"""The constants of silicon: what kernels reach on a family of devices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.registry import load
from mlsysim.core.values import Entry, Value

FILE = Path(__file__).parent / "data" / "silicon.yaml"
Constants = Mapping[str, Any]


class Constant(Value):
    """A number in SI units for all devices, and the factors of what it depends on, by group.

    A group is the family of devices, the datapath, the software, its kernel, the collective or the
    wire; a member of which nothing was measured has a factor of one.
    """

    all: u.Number
    by: dict[str, dict[str, u.Number]] = {}

    def at(self, groups: Mapping[str, Any]) -> Any:
        """The number for a member of each group, or for columns of them."""
        found = self.all
        for group, members in self.by.items():
            own = groups.get(group, "")
            if isinstance(own, np.ndarray):
                found = found * np.array([members.get(each, 1.0) for each in own])
            else:
                found = found * members.get(own, 1.0)
        return found


class Silicon(Entry):
    """What was measured of kernels: their constants, and those of data sheets that they build on.

    What a name means is said where it is used, in `solvers/node/silicon.py`.
    """

    constants: dict[str, Constant]

    def at(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        """All constants for a member of each group, or for columns of them."""
        return {name: c.at(groups) for name, c in self.constants.items()}

    @property
    def families(self) -> list[str]:
        """The families of devices of which kernels were measured."""
        return [*self.constants["clock"].by["family"]]


@cache
def shipped(path: Path = FILE) -> Silicon:
    """The constants that ship."""
    return load(path, Silicon.build)


class Operators(Value):
    """What a stack makes of kernels that were measured one by one, in its `framework`.

    Its `experts` are a kernel of that name. Elementwise kernels take `small` each, and where they
    are not short move their bytes `passes` times; `quantised` is the part of narrow products whose
    inputs a kernel of its own makes narrow. Products reach `rate` and `bandwidth` of what the
    family's do, attention `attention`, and messages of a group take `exchange` times as long.
    A step takes `sequence` more for each sequence in it. With `half_sums` it adds up products of 16
    bits in 16 bits; where attention is not one kernel, `scores` bytes pass memory for each score.
    """

    framework: str | None = None
    experts: str | None = None
    small: u.SecondsOrZero | None = None
    sequence: u.SecondsOrZero | None = None
    passes: u.Number = 1.0
    quantised: u.FractionOrZero = 0.0
    rate: u.Number = 1.0
    bandwidth: u.Number = 1.0
    attention: u.Number = 1.0
    exchange: u.Number = 1.0
    half_sums: bool = False
    scores: u.BytesOrZero | None = None
