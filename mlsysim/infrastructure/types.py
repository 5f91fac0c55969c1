"""Layer 3, environment: grids, facilities and prices, each of a place and a year."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mlsysim.core.provenance import Entry
from mlsysim.core.units import Count, Dim

CarbonIntensity = Annotated[Any, Dim("g/J", open_low=False)]
EnergyPrice = Annotated[Any, Dim("USD/J", open_low=False)]
PowerUsageEffectiveness = Annotated[Any, Dim("", low=1.0, open_low=False)]
WaterUsageEffectiveness = Annotated[Any, Dim("L/J", open_low=False)]
HourlyPrice = Annotated[Any, Dim("USD/s")]
CarbonPrice = Annotated[Any, Dim("USD/g", open_low=False)]


class Grid(Entry):
    """Electricity of one place in one year; `basis` says whether building the plants is counted."""

    year: Count
    carbon_intensity: CarbonIntensity
    basis: Literal["lifecycle", "direct"] = "lifecycle"
    electricity_price: EnergyPrice | None = None


class Facility(Entry):
    """A kind of datacenter: facility energy per IT energy, and litres of water per IT energy."""

    year: Count | None = None
    pue: PowerUsageEffectiveness
    wue: WaterUsageEffectiveness | None = None


class Price(Entry):
    """What an accelerator-hour is rented for, or what emitting carbon costs."""

    year: Count
    accelerator: str | None = None
    hourly: HourlyPrice | None = None
    carbon: CarbonPrice | None = None

    def check(self) -> None:
        """A price is for something."""
        super().check()
        if (self.hourly is None) == (self.carbon is None):
            raise self.wrong("hourly", "give either hourly (of an accelerator) or carbon")
