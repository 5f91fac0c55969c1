"""Layer 2, silicon: what a device supplies. Peaks are dense; capacities can be allocated."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from mlsysim.core import units as u
from mlsysim.core.errors import NoDatapath, UnknownName
from mlsysim.core.units import PRECISIONS, Quantity
from mlsysim.core.values import Entry, Home, Value
from mlsysim.equations import node

# Which datapath runs a precision that the device lacks: the next one that holds its numbers
# exactly, or, for weights narrower than any arithmetic, the one that kernels widen them to. int4
# stands for weights alone, as files and kernels for language models have it; w4a4 asks for more.
WIDER = {
    "int4": ("fp16", "bf16", "fp32", "int8", "int4"),
    "w4a4": ("int4", "fp16", "bf16", "fp32", "int8"),
    "fp4": ("fp8", "fp16", "bf16", "fp32"),
    "int8": ("fp16", "bf16", "fp32"),
    "fp8": ("fp16", "bf16", "fp32"),
    "fp16": ("bf16", "fp32"),
    "bf16": ("fp32",),
    "tf32": ("fp32",),
    "fp32": ("fp64",),
    "fp64": (),
}
WEIGHTS_ONLY = {"int4": "fp16"}  # and what is computed in
# Ada computes as Hopper does, and what has no bf16 is Turing or older.
_DESIGNS = {"fp4": "Blackwell", "fp8": "Hopper", "bf16": "Ampere", "fp32": "Turing"}
_TILED = {"tf32", "fp8", "fp4"}  # what only a unit for matrices computes
_GRAPHICS = {"Blackwell": "Blackwell RTX", "Hopper": "Ada", "Ampere": "Ampere RTX"}


class ComputeCore(Value):
    """Dense peak rates: `peak_flops` at `peak_precision`, and the other datapaths that exist."""

    peak_flops: u.OperationRate
    peak_precision: u.Precision = "fp16"
    precision: dict[u.Precision, u.OperationRate] = {}

    @cached_property
    def datapaths(self) -> dict[str, Quantity]:
        """Every precision that the silicon computes in, with its peak."""
        return {self.peak_precision: self.peak_flops, **self.precision}


class Tier(Value):
    """A memory that holds weights: how much, and how fast they are read."""

    capacity: u.Bytes
    bandwidth: u.Bandwidth


class MemoryHierarchy(Tier):
    """The memory that a step works in, and on a microcontroller the flash behind it."""

    technology: str | None = None
    flash: Tier | None = None


class Link(Value):
    """A connection to other devices or to the host; the rate is for one direction.

    In a `mesh` each two devices have a wire of their own, and the rate is that of all such wires.
    """

    name: str | None = None
    bandwidth: u.Bandwidth
    mesh: bool = False


class Supply(NamedTuple):
    """What a device supplies at one precision, as plain numbers in SI units.

    In a sweep each is an array, over devices and precisions. `matrices` says whether a unit of its
    own multiplies them; where it adds up in 16 bits it reaches `half_sums` times the peak, and
    `attention_sums` times that of attention.
    """

    peak: u.OperationRate
    attention_peak: u.OperationRate
    bandwidth: u.Bandwidth
    capacity: u.Bytes
    flash_bandwidth: u.Bandwidth
    flash_capacity: u.Bytes
    overhead: u.SecondsOrZero
    power: u.Power | None
    datapath: Any
    generation: Any
    silicon: Any
    matrices: Any
    half_sums: u.Number
    attention_sums: u.Number


class HardwareNode(Entry):
    """One device: `memory.capacity` is what users can allocate; `tdp` may be unpublished."""

    home: ClassVar = Home("device", "hardware", "H100")

    vendor: str | None = None
    release_year: u.Year | None = None
    compute: ComputeCore
    memory: MemoryHierarchy
    interconnect: Link | None = None
    host_link: Link | None = None
    tdp: u.Power | None = None
    sleep_power: u.Power | None = None
    dispatch_tax: u.SecondsOrZero | None = None
    unit_cost: u.Money | None = None

    def datapath(self, precision: str) -> str:
        """The arithmetic that would really run `precision` here; raises NoDatapath or UnknownName.

        >>> from mlsysim import Hardware
        >>> Hardware.Cloud.H100.datapath("int4")
        'fp16'
        """
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise UnknownName("precision", precision, PRECISIONS)
        paths = self.compute.datapaths
        own = () if precision in WEIGHTS_ONLY else (precision,)
        for candidate in (*own, *WIDER[precision]):
            if candidate in paths:
                return candidate
        raise NoDatapath(self.name, precision, paths)

    @cached_property
    def generation(self) -> str:
        """The vendor's name; of GPUs from NVIDIA, of which there are many, that of their design.

        The narrowest floating-point datapath tells it: each design brought one.

        >>> from mlsysim import Hardware
        >>> Hardware.Cloud.H200.generation, Hardware.Workstation.RTX_3090.generation
        ('Hopper', 'Ampere')
        """
        for path, design in _DESIGNS.items():
            if self.vendor == "NVIDIA" and path in self.compute.datapaths:
                return design
        return self.vendor or self.name

    @property
    def family(self) -> str:
        """Its generation, but of NVIDIA's with graphics memory a name of their own.

        >>> from mlsysim import Hardware
        >>> Hardware.Cloud.H200.family, Hardware.Cloud.L40S.family
        ('Hopper', 'Ada')
        """
        graphics = (self.memory.technology or "").startswith("GDDR")
        return (_GRAPHICS if graphics else {}).get(self.generation, self.generation)

    @property
    def multiplies_matrices(self) -> bool:
        """Whether a unit of its own multiplies matrices, and vectors do not.

        These gain no more than what narrow numbers are shorter by.

        >>> from mlsysim import Hardware
        >>> Hardware.Cloud.T4.multiplies_matrices, Hardware.RaspberryPi_5.multiplies_matrices
        (True, False)
        """
        paths = self.compute.datapaths
        halves = [paths[name].m_as("FLOP/s") for name in ("fp16", "bf16") if name in paths]
        if "fp32" not in paths or _TILED & paths.keys():
            return True
        return max(halves, default=0.0) > 2 * paths["fp32"].m_as("FLOP/s")

    def _half_sums(self, path: str) -> float:
        """By what factor NVIDIA's units are faster where products in fp16 are added up in fp16.

        They then take the width of two in int8. Boards for games are held to half of it otherwise.
        """
        paths = self.compute.datapaths
        if path != "fp16" or "int8" not in paths or self.vendor != "NVIDIA":
            return 1.0
        return max(float((paths["int8"] / paths["fp16"]).m_as("")) / 2, 1.0)

    def peak(self, precision: str = "fp16") -> Quantity:
        """The dense peak at the datapath that runs `precision`."""
        return self.compute.datapaths[self.datapath(precision)]

    def ridge(self, precision: str = "fp16") -> Quantity:
        """The arithmetic intensity above which compute binds."""
        return node.ridge_point(self.peak(precision), self.memory.bandwidth).to("FLOP/B")

    def supply(self, precision: str, attention: str | None = None) -> Supply:
        """The device in plain numbers at one precision, and one of attention where that differs.

        Each is worked out once.
        """
        try:
            return self._supplies[precision, attention]
        except KeyError:
            supply = self._supply(precision, attention or precision)
            return self._supplies.setdefault((precision, attention), supply)

    @cached_property
    def _supplies(self) -> dict[tuple[str, str | None], Supply]:
        return {}

    def _supply(self, precision: str, attention: str) -> Supply:
        flash, peak = self.memory.flash, self.peak(precision)
        path = self.datapath(precision)
        with suppress(NoDatapath):  # then the one that is there does all
            path = self.datapath(attention)
        attention_peak = self.compute.datapaths[path]
        return Supply(
            peak=float(peak.m_as("FLOP/s")),
            attention_peak=float(attention_peak.m_as("FLOP/s")),
            bandwidth=float(self.memory.bandwidth.m_as("B/s")),
            capacity=float(self.memory.capacity.m_as("B")),
            flash_bandwidth=float(flash.bandwidth.m_as("B/s")) if flash else 0.0,
            flash_capacity=float(flash.capacity.m_as("B")) if flash else 0.0,
            overhead=float(self.dispatch_tax.m_as("s")) if self.dispatch_tax is not None else 0.0,
            power=float(self.tdp.m_as("W")) if self.tdp is not None else None,
            datapath=self.datapath(precision),
            generation=self.generation,
            silicon=f"{self.family},{self.datapath(precision)},{path}",
            matrices=self.multiplies_matrices,
            half_sums=self._half_sums(self.datapath(precision)),
            attention_sums=self._half_sums(path),
        )
