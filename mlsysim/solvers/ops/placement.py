"""Wall 18: which place to run a fleet in."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue, OutOfRange
from mlsysim.core.solver import Given, Result, Solver, lazily
from mlsysim.core.units import Names
from mlsysim.equations import ops
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.infrastructure.types import Facility, Grid
from mlsysim.solvers.ops.footprint import Use, energy_use, in_kg, si
from mlsysim.systems.types import Fleet


class Placement(Result):
    """The places ranked, best first; each a mapping of name, carbon in t, cost and total in USD.

    `breakeven_carbon_price` is the price of carbon from which the cleanest place beats the cheapest
    one: 0 when they are the same. `unranked` names the places whose electricity price is unknown.
    """

    walls = (18,)

    region_name: str
    carbon: u.Mass = "t"
    carbon_footprint_kg: float = lazily("", in_kg, "carbon")
    energy_cost: u.Money | None = "USD"
    total: u.Money | None = "USD"
    energy: u.Energy = "MWh"
    ranking: tuple
    cheapest: str
    cleanest: str
    breakeven_carbon_price: u.CarbonPrice | None = "USD/t"
    carbon_price: u.CarbonPrice = "USD/t"
    unranked: tuple
    notes: tuple


class PlacementOptimizer(Solver):
    """Wall 18: which place runs a fleet with the least carbon, at the least cost, or least of both.

    The servers cost the same everywhere, so `cost` is the cost of energy, and `total` adds carbon
    at its price. Lifecycle and direct carbon intensities differ by more than some grids do, so all
    places are compared on one `basis`; a note tells where a place of `regions` does not know it.

    Fallacy: "The cheapest place is the dirtiest." Hydropower is often cheap and clean.
    """

    walls = (18,)

    def solve(
        self,
        fleet: Given[Fleet],
        duration_days: u.Days,
        *,
        objective: Annotated[str, Names("carbon", "cost", "total")] = "total",
        regions: list | tuple | None = None,
        basis: Annotated[str, Names("lifecycle", "direct")] = "lifecycle",
        carbon_price: u.CarbonPrice | None = None,
        electricity_price: u.EnergyPrice | None = None,
        facility: Given[Facility] | None = None,
        pue: u.PowerUsageEffectiveness | None = None,
        power_fraction: u.Fraction | None = None,
    ) -> Placement:
        """Rank the places by `objective`.

        `regions` holds grids or their names. `carbon_price` is that of the European market unless
        it is given; `electricity_price` stands for all places at once.
        """
        _one_number(
            duration_days=duration_days,
            power_fraction=power_fraction,
            pue=pue,
            carbon_price=carbon_price,
            electricity_price=electricity_price,
        )
        grids = _grids(regions, basis)
        if carbon_price is None:
            carbon_price = si(Infrastructure.Prices.EU_ETS.carbon, "USD/g")
        use = energy_use(fleet, duration_days, power_fraction, facility, pue)
        rows = [_row(grid, basis, use, electricity_price, carbon_price) for grid in grids]
        priced = [row for row in rows if row["cost"] is not None]
        ranked = sorted(rows if objective == "carbon" else priced, key=lambda row: row[objective])
        if not ranked:
            raise MissingValue(grids[0].name, "electricity_price", "give one, or rank by carbon")
        cleanest = min(ranked, key=lambda row: row["carbon"])
        cheapest = min(priced, key=lambda row: row["cost"]) if priced else None
        mixed = len({row["basis"] for row in rows}) > 1
        return Placement(
            region_name=ranked[0]["region"],
            carbon=ranked[0]["carbon"] * 1e6,
            energy=use.energy,
            energy_cost=ranked[0]["cost"],
            total=ranked[0]["total"],
            ranking=tuple(ranked),
            cheapest=cheapest["region"] if cheapest else "",
            cleanest=cleanest["region"],
            breakeven_carbon_price=_breakeven(cheapest, cleanest),
            carbon_price=carbon_price,
            unranked=tuple(row["region"] for row in rows if row not in ranked),
            notes=use.notes + ("lifecycle and direct intensities are mixed",) * mixed,
        )


def _one_number(**arguments: Any) -> None:
    for name, value in arguments.items():
        if np.ndim(value):
            raise OutOfRange(name, value, "give one number: several would be several rankings")


def _grids(regions: Any, basis: str) -> list[Grid]:
    if regions is None:
        every = (Infrastructure.Grids[name] for name in Infrastructure.Grids)
        return [grid for grid in every if grid.place and grid.intensity(basis)[1] == basis]
    if not regions:
        raise OutOfRange("regions", regions, "give at least one grid or its name")
    found = [Infrastructure.Grids[part] if isinstance(part, str) else part for part in regions]
    for part in found:
        if not isinstance(part, Grid):
            raise BadArgument("regions", part, "give grids or their names, such as 'Quebec'")
    return found


def _row(grid: Grid, basis: str, use: Use, price: Any, carbon_price: float) -> dict[str, Any]:
    intensity, basis = grid.intensity(basis)
    mass = ops.carbon(use.energy, si(intensity, "g/J"))
    if price is None and grid.electricity_price is not None:
        price = si(grid.electricity_price, "USD/J")
    cost = None if price is None else ops.energy_cost(use.energy, price)
    total = None if cost is None else cost + ops.carbon_cost(mass, carbon_price)
    tonnes = mass / 1e6
    return {"region": grid.name, "carbon": tonnes, "cost": cost, "total": total, "basis": basis}


def _breakeven(cheap: dict[str, Any] | None, clean: dict[str, Any]) -> float | None:
    if cheap is None or clean["cost"] is None:
        return None
    saved = (cheap["carbon"] - clean["carbon"]) * 1e6
    return ops.breakeven_carbon_price(clean["cost"] - cheap["cost"], saved) if saved > 0 else 0.0
