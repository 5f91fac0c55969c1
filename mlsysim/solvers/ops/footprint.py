"""Walls 17 and 18: what a fleet costs, and what it emits."""

from __future__ import annotations

from operator import truediv
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver, lazily, show
from mlsysim.core.units import Q_, Dim, Names
from mlsysim.equations import ops
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.infrastructure.types import Facility, Grid
from mlsysim.literature.registry import Literature
from mlsysim.solvers.node.single import total
from mlsysim.systems.types import Fleet

Multiplier = Annotated[Any, Dim("", low=1.0, open_low=False)]
Embodied = Annotated[Any, Dim("g", open_low=False)]
YEAR = float(Q_(1, "year").m_as("s"))
_THREE_YEARS = 3 * YEAR  # a teaching value: schedules run from three to six years

# The measured footprint of making one accelerator, by the device's name in the registry.
_EMBODIED = {"A100": "A100_share_of_server_embodied", "H100": "H100_embodied"}
_PARTS = ("Network", "Plant", "Building", "Staff")


# ---- power and energy: the same for money and for carbon ----------------------------------------


class Use(NamedTuple):
    """What a fleet draws and takes over a time, as plain SI numbers."""

    power: Any  # the servers' maximum
    fraction: Any
    it_energy: Any
    energy: Any
    pue: Any
    facility: Facility
    notes: tuple[str, ...]


def energy_use(
    fleet: Fleet, time: Any, power_fraction: Any, facility: Facility | None, pue: Any
) -> Use:
    """Maximum power of the servers, and energy at a fraction of it before and after the PUE."""
    power, notes = _node_power(fleet)
    if power_fraction is None:
        power_fraction = float(Literature.Power.H100_node_training.value)
    # of the fleets that publish both PUE and WUE, the large one
    building: Facility = facility or Infrastructure.Facilities.Microsoft
    pue = building.pue if pue is None else pue
    it = ops.it_energy(fleet.count * power, power_fraction, time)
    energy = ops.facility_energy(it, pue)
    return Use(fleet.count * power, power_fraction, it, energy, pue, building, notes)


def hosted(board: HardwareNode) -> bool:
    """Whether a device sits in a server, as what has no link to anything else does not."""
    return board.host_link is not None or board.interconnect is not None


def _node_power(fleet: Fleet) -> tuple[float, tuple[str, ...]]:
    server, board = fleet.node, fleet.hw
    if server.power is not None:
        return si(server.power, "W"), ()
    if board.tdp is None:
        remedy = f"give one, as in replace(tdp='700 W'), or give {server.name} its power"
        raise MissingValue(board.name, "tdp", remedy)
    if not hosted(board):
        return server.accelerators * si(board.tdp, "W"), ()
    ratio = float(Literature.Power.Host_power_ratio.value)
    note = f"power of {server.name}: its boards' times {ratio:.2f}, as in a DGX H100"
    return ops.server_power(server.accelerators, si(board.tdp, "W"), ratio), (note,)


class Price(NamedTuple):
    """What a node costs: the whole server, and the accelerators in it alone."""

    server: float
    boards: float
    notes: tuple[str, ...]


def _node_price(fleet: Fleet) -> Price:
    server, board = fleet.node, fleet.hw
    boards, notes = None, ()
    if board.unit_cost is not None:
        boards = server.accelerators * si(board.unit_cost, "USD")
    if server.unit_cost is not None:
        whole = si(server.unit_cost, "USD")
        if boards is None:
            notes = (f"the accelerators of {server.name} have no price of their own: hosts count",)
        return Price(whole, whole if boards is None else min(boards, whole), notes)
    if boards is None:
        remedy = "an unknown price is not 0; give one, as in replace(unit_cost='30000 USD')"
        raise MissingValue(board.name, "unit_cost", remedy)
    note = f"price of {server.name}: its accelerators' alone; the host comes on top"
    return Price(boards, boards, (note,))


def rental(fleet: Fleet) -> tuple[float | None, tuple[str, ...]]:
    """The lowest hourly price of the shelf for the fleet's accelerator."""
    shelf = Infrastructure.Prices
    listed = (entry for entry in map(shelf.__getitem__, shelf) if entry.hourly is not None)
    found = [entry for entry in listed if entry.accelerator == fleet.hw.stem]
    if not found:
        return None, ()
    least = min(found, key=lambda entry: si(entry.hourly, "USD/s"))
    return si(least.hourly, "USD/s"), (f"rent: {least.name}, {int(least.year)}",)


def _electricity(datacenter: Grid | None, given: Any) -> Any:
    if given is not None:
        return given
    place: Grid = datacenter or Infrastructure.Grids.US_Average
    if place.electricity_price is None:
        remedy = "give one, as in electricity_price='0.10 USD/kWh'"
        raise MissingValue(place.name, "electricity_price", remedy)
    return si(place.electricity_price, "USD/J")


def _work(fleet: Fleet, time: Any, mfu: Any, precision: str, operations: Any) -> Any:
    """The work done in a time: at an `mfu`, or that of the run which took it."""
    if mfu is None:
        return operations
    peak = si(fleet.hw.peak(precision), "FLOP/s")
    return ops.useful_operations(peak, fleet.devices, mfu, time)


def in_kg(mass: Any) -> Any:
    """Grams in kilograms."""
    return mass / 1e3


def _per_exaflop(amount: Any, operations: Any) -> Any:
    return amount / (operations / 1e18)


def si(quantity: Any, unit: str) -> float:
    """The plain number of a registry's quantity."""
    return float(quantity.m_as(unit))


# ---- wall 17 ------------------------------------------------------------------------------------


def _breakdown(r: Economics) -> dict[str, Any]:
    boards, servers = r.si("_boards"), r.si("_servers")
    beside = r.si("capex") - servers
    shares = {part: float(Literature.Cost[f"{part}_share"].value) for part in _PARTS}
    whole = sum(shares.values())
    return {
        "accelerators": boards,
        "host": servers - boards,
        **{part.lower(): beside * share / whole for part, share in shares.items()},
        "energy": r.si("energy_cost"),
        "maintenance": r.si("maintenance"),
    }


def _rent_or_buy(r: Economics) -> str:
    part = r.breakeven_utilization
    if r.shape or part is None:
        return ""
    if part > 1:
        then = "renting is cheaper even around the clock"
    else:
        then = f"owning is cheaper from {part:.0%} of the hours in use on"
    return f"Rented around the clock they cost {show(r.rent)}, owned {show(r.tco)}: {then}."


class Economics(Result):
    """What a fleet costs over a time; every dollar stands in one place.

    `capex` is the time's share of the accelerators times the infrastructure multiplier, and never
    less than that of the servers; `breakdown` lists all parts of the TCO in dollars, with what lies
    beside the servers split as in Literature.Cost. `rent` is what the same accelerators cost for
    the same time by the hour, None where no price is known, and `breakeven_utilization` the part of
    the time in use from which owning is cheaper. Carbon is known when a `datacenter` was given,
    work when an `mfu` or the run's `training_operations` were.
    """

    walls = (17,)

    tco: u.Money = lazily("USD", total, "capex", "energy_cost", "maintenance")
    tco_usd: float = lazily("", lambda tco: tco, "tco")
    purchase: u.Money = "USD"
    capex: u.Money = "USD"
    energy_cost: u.Money = "USD"
    maintenance: u.Money = "USD"
    energy_share: u.Number = lazily("", truediv, "energy_cost", "tco")
    cost_per_accelerator: u.HourlyPrice = lazily(
        "USD/hour", lambda tco, time, count: tco / (time * count), "tco", "duration", "accelerators"
    )
    breakdown: dict = lazily("", _breakdown)
    rental_price: u.HourlyPrice | None = "USD/hour"
    rent: u.Money | None = lazily("USD", ops.rent, "rental_price", "accelerators", "duration")
    breakeven_utilization: u.Number | None = lazily("", ops.breakeven_utilization, "tco", "rent")
    rent_or_buy: str = lazily("", _rent_or_buy)
    energy: u.Energy = "MWh"
    carbon: u.Mass | None = "t"
    carbon_footprint_kg: float = lazily("", in_kg, "carbon")
    region_name: str
    operations: u.Operations | None = "FLOP"
    cost_per_exaflop: float = lazily("", _per_exaflop, "tco", "operations")
    tariff: u.EnergyPrice = "USD/kWh"
    pue: u.Number
    infrastructure_multiplier: u.Number
    duration: u.Seconds = "day"
    accelerators: u.Number
    notes: tuple
    _servers: u.Money
    _boards: u.Money


class EconomicsModel(Solver):
    """Wall 17: the total cost of owning a fleet for a while, and of renting it.

    `infrastructure_multiplier` is what everything bought or hired costs over what the accelerators
    cost: hosts, network, power and cooling plant, building, and the staff that runs them (2.5 when
    the accelerators are 40 % of it; 1.0 counts the servers alone). Electricity is no part of it and
    is paid by the meter; neither is `maintenance_fraction`, yearly parts and support contracts as a
    fraction of the servers' price, which is 0 unless given. So nothing is counted twice.

    Fallacy: "The budget is the price of the GPUs." They are less than half of it.
    """

    walls = (17,)

    def solve(
        self,
        fleet: Given[Fleet],
        duration_days: u.Days,
        *,
        infrastructure_multiplier: Multiplier = 1.0,
        datacenter: Given[Grid] | None = None,
        mfu: u.Fraction | None = None,
        amortization_years: u.Years | None = None,
        electricity_price: u.EnergyPrice | None = None,
        facility: Given[Facility] | None = None,
        pue: u.PowerUsageEffectiveness | None = None,
        power_fraction: u.Fraction | None = None,
        rental_price: u.HourlyPrice | None = None,
        maintenance_fraction: u.FractionOrZero = 0.0,
        training_operations: u.Operations | None = None,
        precision: u.Precision = "fp16",
    ) -> Economics:
        """Cost, and with a `datacenter` carbon, of `duration_days`; amortized over three years.

        Without a `datacenter` energy costs what American industry pays on average; with one, its
        own price. Servers draw `power_fraction` of their maximum, by default what was measured
        while training. A price that nobody has published raises MissingValue: it is never 0.
        `rental_price` is that of one accelerator, by default the lowest in Infrastructure.Prices.
        """
        price = _node_price(fleet)
        notes = price.notes
        if np.any(np.asarray(infrastructure_multiplier) == 1):
            notes += ("network, plant, building and staff are not counted: their multiplier is 1",)
        if rental_price is None:
            rental_price, rented = rental(fleet)
            notes += rented
        lifetime = _THREE_YEARS if amortization_years is None else amortization_years
        use = energy_use(fleet, duration_days, power_fraction, facility, pue)
        tariff = _electricity(datacenter, electricity_price)
        bought, boards = (
            ops.amortized(fleet.count * each, 1.0, duration_days, lifetime)
            for each in (price.server, price.boards)
        )
        carbon = None
        if datacenter is not None:
            carbon = ops.carbon(use.energy, si(datacenter.carbon_intensity, "g/J"))
        return Economics(
            purchase=fleet.count * price.server,
            capex=np.maximum(bought, infrastructure_multiplier * boards)[()],
            rental_price=rental_price,
            _servers=bought,
            _boards=boards,
            energy_cost=ops.energy_cost(use.energy, tariff),
            maintenance=ops.maintenance(
                fleet.count * price.server, maintenance_fraction, duration_days, YEAR
            ),
            energy=use.energy,
            carbon=carbon,
            region_name=datacenter.name if datacenter else "",
            operations=_work(fleet, duration_days, mfu, precision, training_operations),
            tariff=tariff,
            pue=use.pue,
            infrastructure_multiplier=infrastructure_multiplier,
            duration=duration_days,
            accelerators=fleet.devices,
            notes=notes + use.notes,
        )


# ---- wall 18 ------------------------------------------------------------------------------------


class Sustainability(Result):
    """Energy, carbon and water of a fleet in one place.

    `carbon` is operational; `embodied` is the time's share of making the accelerators, None where
    nobody has published it. `water` is what the site evaporates, None where it does not say.
    """

    walls = (18,)

    carbon: u.Mass = "t"
    carbon_footprint_kg: float = lazily("", in_kg, "carbon")
    region_name: str
    it_energy: u.Energy = "MWh"
    energy: u.Energy = "MWh"
    water: u.Volume | None = "L"
    embodied: u.Mass | None = "t"
    embodied_share: float = lazily("", lambda made, run: made / (run + made), "embodied", "carbon")
    power: u.Power = "kW"
    average_power: u.Power = lazily("kW", truediv, "it_energy", "duration")
    operations: u.Operations | None = "FLOP"
    grams_per_exaflop: float = lazily("", _per_exaflop, "carbon", "operations")
    carbon_intensity: u.CarbonIntensity = "g/kWh"
    basis: str
    pue: u.Number
    duration: u.Seconds = "day"
    notes: tuple


class SustainabilityModel(Solver):
    """Wall 18: energy, carbon and water of running a fleet somewhere.

    The whole server counts, not its boards alone. The draw is `power_fraction` of the maximum,
    whatever the `mfu`: a GPU that waits draws nearly as much as one that works. What `mfu` decides
    is the work done with that energy, and so the carbon of each exaFLOP.

    Fallacy: "Carbon is a matter of efficient code." Moving the same code to another grid changes it
    by more than an order of magnitude.
    """

    walls = (18,)

    def solve(
        self,
        fleet: Given[Fleet],
        duration_days: u.Days,
        datacenter: Given[Grid],
        *,
        mfu: u.Fraction | None = None,
        facility: Given[Facility] | None = None,
        pue: u.PowerUsageEffectiveness | None = None,
        wue: u.WaterUsageEffectiveness | None = None,
        power_fraction: u.Fraction | None = None,
        embodied_carbon: Embodied | None = None,
        lifetime_years: u.Years | None = None,
        basis: Annotated[str, Names("lifecycle", "direct")] | None = None,
        training_operations: u.Operations | None = None,
        precision: u.Precision = "fp16",
    ) -> Sustainability:
        """Energy, carbon and water of `duration_days` on the grid `datacenter`.

        The `facility` gives PUE and WUE unless they are given; the default is a large fleet that
        publishes both. `embodied_carbon` is that of making one accelerator. Carbon is counted on
        the `basis` that the grid is known on, unless one is asked for that it has too.
        """
        use = energy_use(fleet, duration_days, power_fraction, facility, pue)
        if wue is None and use.facility.wue is not None:
            wue = si(use.facility.wue, "L/J")
        notes = use.notes
        if embodied_carbon is None:
            embodied_carbon, note = _embodied(fleet)
            notes += note
        lifetime = _THREE_YEARS if lifetime_years is None else lifetime_years
        if np.any(duration_days > lifetime):
            notes += ("the duration exceeds the lifetime: devices are made again",)
        emitted, known = datacenter.intensity(basis)
        intensity = si(emitted, "g/J")
        return Sustainability(
            carbon=ops.carbon(use.energy, intensity),
            region_name=datacenter.name,
            it_energy=use.it_energy,
            energy=use.energy,
            water=None if wue is None else ops.water(use.it_energy, wue),
            embodied=None
            if embodied_carbon is None
            else ops.embodied_carbon(embodied_carbon, fleet.devices, duration_days, lifetime),
            power=use.power,
            operations=_work(fleet, duration_days, mfu, precision, training_operations),
            carbon_intensity=intensity,
            basis=known,
            pue=use.pue,
            duration=duration_days,
            notes=notes,
        )


def _embodied(fleet: Fleet) -> tuple[float | None, tuple[str, ...]]:
    board = fleet.hw
    found = _EMBODIED.get(board.stem)
    if found is None:
        return None, (f"the embodied carbon of {board.name} is not published",)
    finding = Literature.Carbon[found]
    return si(finding.value, "g"), (f"embodied carbon: {finding.context}",)
