"""Layer 3, environment: grids, facilities and prices, each of a place and a year."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from mlsysim.core import units as u
from mlsysim.core.values import Entry, Home


class Grid(Entry):
    """Electricity of one place in one year; `basis` says whether building the plants is counted.

    `other_intensity` is what it emits on the other basis, so that places can be compared. Where
    `place` is False it is one way of generating, which nobody can rent a hall on.
    """

    home: ClassVar = Home("grid", "infrastructure", "Quebec", "Grids")

    year: u.Count
    carbon_intensity: u.CarbonIntensity
    basis: Literal["lifecycle", "direct"] = "lifecycle"
    other_intensity: u.CarbonIntensity | None = None
    electricity_price: u.EnergyPrice | None = None
    place: bool = True

    def intensity(self, basis: str | None = None) -> tuple[Any, str]:
        """What a kilowatt-hour emits on a basis, and the basis: its own where that is unknown."""
        if basis in (None, self.basis) or self.other_intensity is None:
            return self.carbon_intensity, self.basis
        return self.other_intensity, basis

    def check(self) -> None:
        """Building the plants adds to what their chimneys emit."""
        super().check()
        if self.other_intensity is not None:
            life, direct = (self.intensity(basis)[0] for basis in ("lifecycle", "direct"))
            if direct > life:
                raise self.wrong("other_intensity", "a lifecycle figure is at least the direct one")


class Facility(Entry):
    """A kind of datacenter: facility energy per IT energy, and litres of water per IT energy."""

    home: ClassVar = Home("facility", "infrastructure", "Hyperscale", "Facilities")

    year: u.Count | None = None
    pue: u.PowerUsageEffectiveness
    wue: u.WaterUsageEffectiveness | None = None


class Price(Entry):
    """What an accelerator-hour is rented for, or what emitting carbon costs."""

    home: ClassVar = Home("price", "infrastructure", "H100_cloud", "Prices")

    year: u.Count
    accelerator: str | None = None
    hourly: u.HourlyPrice | None = None
    carbon: u.CarbonPrice | None = None

    def check(self) -> None:
        """A price is for something."""
        super().check()
        if (self.hourly is None) == (self.carbon is None):
            raise self.wrong("hourly", "give either hourly (of an accelerator) or carbon")
