"""Grids, facilities and prices: what the entries promise, and that they come from somewhere."""

from __future__ import annotations

import pytest

from mlsysim import Hardware, Infra, Infrastructure, Literature, Systems
from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.infrastructure.types import Facility, Grid, Price

GRIDS = [Infrastructure.Grids[name] for name in Infrastructure.Grids]
ENTRIES = [entry for _, entry in Infrastructure.entries()]


def _stem(entry) -> str:
    return entry.stem


# read a second time in the rate cards: AWS p5.48xlarge and CoreWeave by the machine
RENTS = {
    "H100_hyperscaler": 55.04 / 8,
    "GB200_cloud": 42 / 4,
    "H200_cloud": 3.99,
    "T4_cloud": 0.526,
}
RENTED = {"H100", "H200", "A100", "B200", "GB200", "MI300X", "L4", "L40S", "T4", "A10G"} | {
    *("TPU_v5e", "TPU_v5p", "Trainium2")
}


def _g_per_kwh(grid: Grid) -> float:
    return grid.carbon_intensity.m_as("g/kWh")


def test_infra_is_the_short_name_of_the_same_catalog():
    assert Infra is Infrastructure
    assert Infra.Grids.Quebec is Infrastructure.Quebec


@pytest.mark.parametrize("entry", ENTRIES, ids=_stem)
def test_every_number_leads_to_a_source(entry):
    for path, _ in entry.numbers():
        assert entry.source_of(path) is not None, path


@pytest.mark.parametrize("grid", GRIDS, ids=_stem)
def test_every_grid_lies_between_the_cleanest_and_the_dirtiest_way_of_generating(grid):
    # IPCC lifecycle medians: wind 11, coal 820 g/kWh; no mix of them lies outside
    assert 11 <= _g_per_kwh(grid) <= 820


@pytest.mark.parametrize("grid", GRIDS, ids=_stem)
def test_a_price_of_electricity_is_cents_and_not_dollars_or_megawatt_hours(grid):
    if grid.electricity_price is not None:
        assert 0.02 <= grid.electricity_price.m_as("USD/kWh") <= 0.5


def test_820_grams_is_coal_itself_and_not_poland():
    assert _g_per_kwh(Infra.Grids.Coal) == 820
    assert 550 <= _g_per_kwh(Infra.Grids.Poland) <= 750
    assert not Infra.Grids.Coal.place
    assert Infra.Grids.Poland.place


def test_what_is_no_place_is_a_single_way_of_generating():
    technologies = {grid.name for grid in GRIDS if not grid.place}
    assert len(technologies) == 6  # coal, gas, hydro, nuclear, solar, wind
    assert all(grid.electricity_price is None for grid in GRIDS if not grid.place)


def test_lifecycle_counts_more_than_direct_on_a_hydropower_grid():
    # Google's direct figure for Montreal is 2 g/kWh; reservoirs and building are the rest
    assert Infra.Grids.Quebec.basis == "lifecycle"
    assert 15 <= _g_per_kwh(Infra.Grids.Quebec) <= 40


@pytest.mark.parametrize("name", Infrastructure.Facilities)
def test_a_facility_lies_between_perfect_and_an_old_server_room(name):
    assert 1.0 <= Infrastructure.Facilities[name].pue <= 2.0


def test_liquid_cools_better_than_air():
    facilities = Infrastructure.Facilities
    assert facilities.LiquidCooled.pue < facilities.Hyperscale.pue < facilities.Typical.pue


def test_a_facility_better_than_perfect_is_refused():
    with pytest.raises(InvalidEntry, match="pue"):
        Facility(name="Perpetual", pue=0.9)


def test_a_negative_carbon_intensity_is_refused():
    with pytest.raises(InvalidEntry, match="carbon_intensity"):
        Grid(name="Sink", year=2024, carbon_intensity="-5 g/kWh")


def test_a_carbon_intensity_without_its_unit_is_refused():
    with pytest.raises(InvalidEntry, match="carbon_intensity"):
        Grid(name="Bare", year=2024, carbon_intensity=400)


def test_a_price_is_of_an_accelerator_or_of_carbon_but_not_of_both():
    with pytest.raises(InvalidEntry, match="hourly"):
        Price(name="Both", year=2024, hourly="2 USD/hour", carbon="90 USD/t")
    with pytest.raises(InvalidEntry, match="hourly"):
        Price(name="Neither", year=2024)


def test_every_rental_price_names_a_device_that_ships():
    for name in Infrastructure.Prices:
        price = Infrastructure.Prices[name]
        if price.hourly is not None:
            assert price.accelerator in Hardware


# What a smaller consumer pays of the same grid, in USD, at 1.08 a euro, and at 7.29 yuan, 84 rupees
# and 11 kroner each. cubeconcepts.de on 2024, without taxes (20 to 500 MWh a year); Hydro-Quebec's
# price for homes, 7.3 Canadian cents; smart-tco-calculator for France, 0.123 EUR; hbxlcsz.cn after
# globalpetrolprices in September 2023 for China and the UK, 0.641 and 3.112 yuan; wn.com on firms
# in Maharashtra, 8.32 rupees; Statistics Norway on homes in the last quarter of 2024, 54.5 ore of
# electricity and 38.7 of grid, without taxes (ssb.no, statistics on electricity prices)
SMALL = {
    "China": 0.088,
    "France": 0.133,
    "Germany": 0.252,
    "India": 0.099,
    "Ireland": 0.276,
    "Norway": 0.085,
    "Poland": 0.225,
    "Quebec": 0.054,
    "Sweden": 0.102,
    "UK": 0.427,
}


@pytest.mark.parametrize("name", SMALL)
def test_a_large_consumer_pays_between_half_and_all_of_what_a_small_one_does(name):
    assert 0.5 < Infra.Grids[name].electricity_price.m_as("USD/kWh") / SMALL[name] < 1


@pytest.mark.parametrize("name", ["LiquidCooled"])
def test_two_and_a_half_million_gallons_less_what_a_dry_cooler_saves(name):
    litres = (2.5 - 1.16) * 1e6 * 3.785
    by_hand = litres / (1000 * 8766)  # of a megawatt in a year
    facility = Infrastructure.Facilities[name]
    assert facility.wue.m_as("L/kWh") == pytest.approx(by_hand, rel=0.01)


PLACES = [grid for grid in GRIDS if grid.place]


@pytest.mark.parametrize("grid", PLACES, ids=_stem)
def test_every_place_has_both_figures_and_a_tariff(grid):
    life, direct = (grid.intensity(basis)[0].m_as("g/kWh") for basis in ("lifecycle", "direct"))
    assert 0 <= direct <= life <= 820
    assert grid.intensity("lifecycle")[1] == "lifecycle"
    assert grid.intensity("direct")[1] == "direct"
    assert grid.electricity_price is not None


def test_a_direct_figure_above_the_lifecycle_one_is_refused():
    quebec = Infra.Grids.Quebec.replace(carbon_intensity="30 g/kWh", other_intensity="30 g/kWh")
    wrong = "other_intensity: a lifecycle figure is at least the direct one."
    with pytest.raises(InvalidEntry, match=f"^Quebec: {wrong}$"):
        quebec.replace(other_intensity="31 g/kWh")
    with pytest.raises(InvalidEntry, match=f"^Quebec: {wrong}$"):
        quebec.replace(basis="direct", other_intensity="29 g/kWh")


def test_a_grid_answers_on_the_basis_that_it_knows():
    grid = Infra.Grids.Quebec.replace(carbon_intensity="30 g/kWh", other_intensity="20 g/kWh")
    alone = grid.replace(other_intensity=None)
    asked = (None, "lifecycle", "direct")
    found = [(each.intensity(basis)[0].m, each.intensity(basis)[1])
             for each in (grid, alone) for basis in asked]  # fmt: skip
    own, other = (30, "lifecycle"), (20, "direct")
    assert found == [own, own, other, own, own, own]


@pytest.mark.parametrize("what", [{}, {"hourly": "2 USD/hour", "carbon": "80 USD/t"}])
def test_a_price_is_for_one_thing(what):
    sources = {"default": {"kind": "user", "ref": "a test"}}
    own = {"name": "mine", "year": 2027, "sources": sources}
    with pytest.raises(InvalidEntry) as caught:
        Price.build({**own, **what})
    words = "mine: hourly: give either hourly (of an accelerator) or carbon."
    assert str(caught.value) == words
    for name, value in {"hourly": "2 USD/hour", "carbon": "80 USD/t"}.items():
        assert Price.build({**own, name: value}).year == 2027


@pytest.mark.parametrize("name", RENTS)
def test_a_rent_is_that_of_one_accelerator_of_the_machine_that_is_listed(name):
    hourly = Infrastructure.Prices[name].hourly.m_as("USD/hour")
    assert hourly == pytest.approx(RENTS[name])


def test_what_is_rented_most_has_a_price():
    prices = map(Infrastructure.Prices.__getitem__, Infrastructure.Prices)
    assert {price.accelerator for price in prices} >= RENTED


def test_a_grid_that_is_misspelt_is_told_the_right_name():
    with pytest.raises(UnknownEntry, match="Quebec"):
        Infra.Grids.Quebeck  # noqa: B018


def test_the_shares_of_a_clusters_cost_add_up_to_all_of_it():
    shares = [float(Literature.Cost[name].value) for name in Literature.Cost]
    assert sum(shares) == pytest.approx(1.0)
    assert 1 / float(Literature.Cost.Accelerators_share.value) == pytest.approx(2.5)


def test_the_host_ratio_is_that_of_the_registrys_own_server():
    server = Systems.Nodes.DGX_H100
    boards = server.accelerators * server.accelerator.tdp
    ratio = float(Literature.Power.Host_power_ratio.value)
    assert (server.power / boards).m_as("") == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize("name", ["DGX_A100", "DGX_B200"])
def test_the_host_ratio_holds_within_fifteen_percent_for_servers_of_the_same_kind(name):
    server = Systems.Nodes[name]
    boards = server.accelerators * server.accelerator.tdp
    ratio = float(Literature.Power.Host_power_ratio.value)
    assert (server.power / boards).m_as("") == pytest.approx(ratio, rel=0.15)
