"""Walls 17 and 18: money, carbon, water, and where to run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import (
    EconomicsModel,
    Fleet,
    Hardware,
    Infra,
    Literature,
    Models,
    PlacementOptimizer,
    SingleNodeModel,
    SustainabilityModel,
    Systems,
)
from mlsysim.core.errors import (
    BadArgument,
    MissingValue,
    MLSysError,
    OutOfRange,
    UnknownArgument,
    UnknownEntry,
    UnknownName,
    WrongUnit,
)

RESEARCH = Systems.Clusters.Research_256  # 32 DGX H100 of 10.2 kW and $300,000
GRIDS = Infra.Grids
cost = EconomicsModel().solve
footprint = SustainabilityModel().solve
place = PlacementOptimizer().solve


def boards(name: str, count: int = 1) -> Fleet:
    return Fleet(name=name, hw=Hardware[name], count=count)


def usd(value) -> float:
    return value.m_as("USD")


# ---- wall 17: capital ----------------------------------------------------------------------------


def test_tco_is_capex_share_plus_energy_plus_maintenance_by_hand():
    # 30 days of a 3-year schedule; 2.5 times 256 x $30,000; 32 x 10.2 kW x 0.76 x 720 h x PUE 1.2
    r = cost(
        RESEARCH,
        30,
        infrastructure_multiplier=2.5,
        amortization_years=3.0,
        pue=1.2,
        power_fraction=0.76,
        electricity_price="0.10 USD/kWh",
        maintenance_fraction=0.05,
    )
    assert usd(r.purchase) == pytest.approx(9.6e6)
    assert usd(r.capex) == pytest.approx(256 * 30_000 * 2.5 * 30 / (3 * 365.25))
    assert r.energy.m_as("kWh") == pytest.approx(32 * 10.2 * 0.76 * 720 * 1.2)
    assert usd(r.energy_cost) == pytest.approx(32 * 10.2 * 0.76 * 720 * 1.2 * 0.10)
    assert usd(r.maintenance) == pytest.approx(9.6e6 * 0.05 * 30 / 365.25)
    assert r.tco_usd == pytest.approx(usd(r.capex) + usd(r.energy_cost) + usd(r.maintenance))
    assert r.tco_usd == pytest.approx(usd(r.tco))
    assert type(r.tco_usd) is float


def test_a_thousand_h100_cost_thirty_million_and_a_ninth_of_the_cost_is_electricity():
    # 128 x 8 x $30,000 = $30.7M; 128 x 10.2 kW x 26,298 h x 1.12 x $0.10 = $3.85M, of 34.6 in all
    r = cost(
        boards("H100", 128),
        3 * 365.25,
        pue=1.12,
        electricity_price="0.10 USD/kWh",
        power_fraction=1.0,
        amortization_years=3,
    )
    assert r.accelerators == 1024
    assert usd(r.purchase) == pytest.approx(30.72e6)
    assert usd(r.capex) == pytest.approx(30.72e6)
    assert usd(r.energy_cost) == pytest.approx(3.845e6, rel=2e-3)
    assert r.energy_share == pytest.approx(0.111, abs=0.002)


def test_an_unknown_price_is_not_zero_dollars():
    unpriced = Hardware.Cloud.Gaudi3.replace(unit_cost=None)
    with pytest.raises(MissingValue, match="unit_cost") as caught:
        cost(Fleet(name="Free", hw=unpriced, count=64), 30)
    assert (caught.value.entry, caught.value.field) == ("Gaudi 3", "unit_cost")


def test_gaudi3_has_a_price_and_does_not_win_by_being_free():
    # 8 x $15,625 is the published kit of $125,000
    assert usd(cost(boards("Gaudi3"), 30).purchase) == pytest.approx(125_000)


def test_an_unknown_power_is_an_error_that_names_device_and_field():
    unrated = Hardware.Cloud.H100.replace(tdp=None)
    for solve in (cost, lambda fleet, days: footprint(fleet, days, GRIDS.Quebec)):
        with pytest.raises(MissingValue, match="tdp") as caught:
            solve(Fleet(name="Unrated", hw=unrated, count=1), 30)
        assert caught.value.entry == "H100 SXM"


UNPRICED = GRIDS.Poland.replace(electricity_price=None)


def test_a_place_without_a_known_tariff_asks_for_one():
    with pytest.raises(MissingValue, match="electricity_price") as caught:
        cost(RESEARCH, 30, datacenter=UNPRICED)
    assert caught.value.entry == "Poland"
    assert cost(RESEARCH, 30, datacenter=UNPRICED, electricity_price="0.12 USD/kWh").tco_usd > 0


def test_without_a_place_energy_costs_the_american_average():
    r = cost(RESEARCH, 30)
    assert r.tariff.m_as("USD/kWh") == pytest.approx(
        GRIDS.US_Average.electricity_price.m_as("USD/kWh")
    )
    assert r.region_name == ""
    assert r.carbon_footprint_kg is None


def test_no_dollar_stands_in_two_places():
    # GPUs 40 %, network 20, power and cooling plant 15, building 10, staff 15: 1 / 0.40 = 2.5
    r = cost(RESEARCH, 30, infrastructure_multiplier=2.5, maintenance_fraction=0.03)
    parts = r.breakdown
    assert sum(parts.values()) == pytest.approx(r.tco_usd, rel=1e-12)
    capex = usd(r.capex)
    # a server of eight costs $300,000, $60,000 more than its boards: 0.1 of 2.5 x $240,000
    assert parts["accelerators"] == pytest.approx(0.40 * capex)
    assert parts["host"] == pytest.approx(0.10 * capex)
    for part, share in {"network": 0.20, "plant": 0.15, "building": 0.10, "staff": 0.15}.items():
        assert parts[part] == pytest.approx(share / 0.60 * 0.50 * capex)
    assert parts["energy"] == pytest.approx(usd(r.energy_cost))


def test_a_larger_multiplier_buys_no_energy_and_no_maintenance():
    bare = cost(RESEARCH, 30, maintenance_fraction=0.05)
    full = cost(RESEARCH, 30, maintenance_fraction=0.05, infrastructure_multiplier=2.5)
    assert full.energy_cost == bare.energy_cost
    assert full.maintenance == bare.maintenance
    # 2.5 x $30,000 a GPU in place of a server's $37,500
    assert usd(full.capex) == pytest.approx(2 * usd(bare.capex))
    assert full.tco_usd - bare.tco_usd == pytest.approx(usd(bare.capex))


def test_the_multiplier_is_of_accelerators_so_that_the_same_ones_cost_the_same():
    plain = Fleet(name="256 H100", hw=Hardware.Cloud.H100, count=32)
    bare, server = (cost(fleet, 30, infrastructure_multiplier=2.5) for fleet in (plain, RESEARCH))
    assert usd(bare.capex) == pytest.approx(usd(server.capex))
    assert bare.breakdown["host"] == 0
    # and a small multiplier never makes a server cheaper than it is
    little = cost(RESEARCH, 30, infrastructure_multiplier=1.1)
    assert usd(little.capex) == pytest.approx(usd(cost(RESEARCH, 30).capex))


def test_a_server_without_a_price_of_its_accelerators_is_multiplied_whole_and_says_so():
    node = Systems.Nodes.GB200_NVL72
    node = node.replace(accelerator=node.accelerator.replace(unit_cost=None))
    rack = Fleet(name="rack", node=node, count=1)
    r = cost(rack, 365.25, infrastructure_multiplier=2.0, amortization_years=1)
    assert usd(r.capex) == pytest.approx(2 * 3e6)
    assert any("no price of their own" in note for note in r.notes)


def test_servers_and_electricity_alone_are_said_to_be_no_whole_budget():
    said = "network, plant, building and staff are not counted"
    assert any(said in note for note in cost(RESEARCH, 30).notes)
    assert not any(said in note for note in cost(RESEARCH, 30, infrastructure_multiplier=2.5).notes)


def test_rent_or_buy_breaks_even_at_a_part_of_the_hours():
    # 256 x 30 days x $3; owned 2.5 x 256 x $30,000 x 30 / 1,095.75 days and 183,306 kWh at $0.10
    r = cost(
        RESEARCH, 30, infrastructure_multiplier=2.5, rental_price="3 USD/hour", pue=1.0,
        power_fraction=0.78, electricity_price="0.10 USD/kWh",
    )  # fmt: skip
    owned = 2.5 * 256 * 30_000 * 30 / 1095.75 + 32 * 10.2 * 0.78 * 720 * 0.10
    assert usd(r.rent) == pytest.approx(256 * 720 * 3)
    assert r.breakeven_utilization == pytest.approx(owned / (256 * 720 * 3))
    assert f"from {owned / (256 * 720 * 3):.0%} of the hours" in r.rent_or_buy
    never = cost(RESEARCH, 30, infrastructure_multiplier=2.5, rental_price="1 USD/hour")
    assert never.breakeven_utilization > 1
    assert never.rent_or_buy.endswith("renting is cheaper even around the clock.")


def test_the_rent_is_the_lowest_of_the_shelf_unless_given_and_unknown_where_nobody_rents():
    listed = [price for price in map(Infra.Prices.__getitem__, Infra.Prices) if price.hourly]
    least = min(price.hourly for price in listed if price.accelerator == "H100")
    r = cost(RESEARCH, 30)
    assert r.rental_price.m_as("USD/hour") == pytest.approx(least.m_as("USD/hour"))
    assert any(note.startswith("rent: H100") for note in r.notes)
    owned_only = cost(boards("Gaudi2"), 30)
    assert (owned_only.rent, owned_only.breakeven_utilization) == (None, None)
    assert owned_only.rent_or_buy == ""


def test_servers_alone_leave_nothing_beside_them():
    parts = cost(RESEARCH, 30).breakdown
    assert parts["network"] == parts["plant"] == parts["building"] == parts["staff"] == 0


def test_an_idle_gpu_costs_the_same_and_its_work_costs_more():
    busy, slack = (cost(RESEARCH, 30, mfu=mfu) for mfu in (0.5, 0.25))
    assert busy.tco_usd == slack.tco_usd
    # 256 x 989.4e12 x 0.5 x 30 days of 86,400 s
    work = 256 * 989.4e12 * 0.5 * 30 * 86_400
    assert busy.operations.m_as("FLOP") == pytest.approx(work)
    assert busy.cost_per_exaflop == pytest.approx(busy.tco_usd / (work / 1e18))
    assert slack.cost_per_exaflop == pytest.approx(2 * busy.cost_per_exaflop)


def test_an_exaflop_costs_a_dollar_by_hand():
    # 9.6 M$ over 3 years of 365.25 days for 30 days: 262,834 $; 32 x 10.2 kW x 720 h = 235,008
    # kWh at 0.10 $: 23,501 $; 256 x 989.4e12 x 0.4 x 2,592,000 s = 2.626e23 FLOP
    r = cost(
        RESEARCH,
        30,
        mfu=0.4,
        pue=1.0,
        power_fraction=1.0,
        amortization_years=3,
        electricity_price="0.10 USD/kWh",
    )
    assert r.tco_usd == pytest.approx(262_834 + 23_501, rel=1e-5)
    assert r.cost_per_exaflop == pytest.approx((262_834 + 23_501) / 262_609, rel=1e-4)
    assert cost(RESEARCH, 30).cost_per_exaflop is None


def test_an_accelerator_hour_can_be_held_against_a_rent():
    r = cost(boards("H100"), 365.25, amortization_years=1, power_fraction=1.0, pue=1.0)
    # $30,000 over 8,766 h, and an eighth of 10.2 kW
    by_hand = 30_000 / 8766 + 10.2 / 8 * GRIDS.US_Average.electricity_price.m_as("USD/kWh")
    assert r.cost_per_accelerator.m_as("USD/hour") == pytest.approx(by_hand, rel=1e-4)


def test_the_price_of_boards_says_that_the_host_is_missing():
    assert any("host" in note for note in cost(boards("MI300X"), 30).notes)
    assert not any("host" in note for note in cost(RESEARCH, 30).notes)


def test_a_column_of_durations_is_a_column_of_costs():
    column = cost(RESEARCH, [10, 20, 30], infrastructure_multiplier=2.0)
    assert len(column) == 3
    one = cost(RESEARCH, 20, infrastructure_multiplier=2.0)
    assert column[1].tco_usd == pytest.approx(one.tco_usd)
    assert column.tco.m_as("USD")[2] == pytest.approx(3 * column.tco.m_as("USD")[0])


# ---- wall 18: carbon and water -------------------------------------------------------------------


def test_carbon_is_server_energy_times_pue_times_intensity_by_hand():
    # 32 x 10.2 kW x 720 h = 235,008 kWh before anything; 0.76 of it; PUE 1.2; Poland 662 g/kWh
    r = footprint(RESEARCH, 30, GRIDS.Poland, power_fraction=0.76, pue=1.2, wue="0.30 L/kWh")
    assert r.power.m_as("kW") == pytest.approx(326.4)
    assert r.it_energy.m_as("kWh") == pytest.approx(235_008 * 0.76)
    assert r.energy.m_as("kWh") == pytest.approx(235_008 * 0.76 * 1.2)
    grams = GRIDS.Poland.carbon_intensity.m_as("g/kWh")
    assert r.carbon_footprint_kg == pytest.approx(235_008 * 0.76 * 1.2 * grams / 1e3)
    assert r.carbon.m_as("kg") == pytest.approx(r.carbon_footprint_kg)
    assert type(r.carbon_footprint_kg) is float
    assert r.region_name == "Poland"


def test_water_follows_the_servers_energy_and_not_the_facilitys():
    tight, loose = (
        footprint(RESEARCH, 30, GRIDS.Quebec, pue=pue, wue="0.30 L/kWh", power_fraction=1.0)
        for pue in (1.0, 2.0)
    )
    assert tight.water == loose.water
    assert tight.water.m_as("L") == pytest.approx(235_008 * 0.30)
    assert loose.energy.m_as("kWh") == pytest.approx(2 * 235_008)


def test_a_facility_that_publishes_no_water_leaves_it_unknown():
    r = footprint(RESEARCH, 30, GRIDS.Quebec, facility=Infra.Facilities.Hyperscale)
    assert r.water is None
    assert r.pue == Infra.Facilities.Hyperscale.pue


def test_the_whole_server_counts_and_not_its_boards_alone():
    r = footprint(RESEARCH, 30, GRIDS.Quebec, power_fraction=1.0)
    boards_alone = 256 * 0.700 * 720
    assert r.it_energy.m_as("kWh") / boards_alone == pytest.approx(10.2 / 5.6)


def test_plain_nodes_draw_what_a_dgx_of_the_same_boards_does():
    derived = footprint(boards("H100", 32), 30, GRIDS.Quebec)
    rated = footprint(RESEARCH, 30, GRIDS.Quebec)
    assert derived.energy.m_as("kWh") == pytest.approx(rated.energy.m_as("kWh"), rel=1e-4)
    assert any("1.82" in note for note in derived.notes)


def test_servers_draw_by_default_what_was_measured_while_training():
    # arXiv:2506.14551: 76 % of 10.2 kW; arXiv:2412.08602: at most about 8.4 kW
    r = footprint(RESEARCH, 30, GRIDS.Quebec)
    a_server = r.average_power.m_as("kW") / 32
    assert a_server == pytest.approx(10.2 * 0.76)
    assert a_server <= 10.2 * float(Literature.Power.H100_node_peak.value)


def test_utilization_changes_the_work_and_not_the_draw():
    low, high = (footprint(RESEARCH, 30, GRIDS.Poland, mfu=mfu) for mfu in (0.2, 0.4))
    assert low.carbon_footprint_kg == high.carbon_footprint_kg
    # 235,008 kWh x 0.76 at PUE 1.2 and 662 g/kWh over 256 x 989.4e12 x 0.4 x 30 days, in 1e18 FLOP
    by_hand = footprint(RESEARCH, 30, GRIDS.Poland, mfu=0.4, pue=1.2, power_fraction=0.76)
    work = 256 * 989.4e12 * 0.4 * 30 * 86_400 / 1e18
    assert by_hand.grams_per_exaflop == pytest.approx(235_008 * 0.76 * 1.2 * 662 / work)
    assert low.grams_per_exaflop == pytest.approx(2 * high.grams_per_exaflop)
    assert footprint(RESEARCH, 30, GRIDS.Poland).grams_per_exaflop is None


def test_the_seeds_thousand_megawatt_hours_are_several_times_too_many():
    # 1,064 MWh for 256 GPUs over 30 days is 5.8 kW a GPU; a server's share is 1.275 kW at most
    r = footprint(RESEARCH, 30, GRIDS.Poland, power_fraction=1.0)
    assert r.it_energy.m_as("MWh") == pytest.approx(235, abs=1)
    assert 1064 / r.energy.m_as("MWh") > 3.5


def test_forty_one_times_is_coal_against_hydropower_and_poland_is_less():
    hydropower = GRIDS.Hydro.replace(carbon_intensity="20 g/kWh")  # the seeds' figure for Quebec
    coal, poland, quebec, seeds = (
        footprint(RESEARCH, 30, grid, pue=1.2).carbon_footprint_kg
        for grid in (GRIDS.Coal, GRIDS.Poland, GRIDS.Quebec, hydropower)
    )
    assert coal == pytest.approx(235_008 * 0.76 * 1.2 * 0.820)  # kWh at 820 g/kWh
    assert coal / quebec == pytest.approx(820 / 30.5)
    assert poland / quebec == pytest.approx(662 / 30.5)
    assert coal / seeds == pytest.approx(41)


def test_both_solvers_agree_on_energy_and_carbon():
    money = cost(RESEARCH, 30, datacenter=GRIDS.Quebec, mfu=0.45)
    mass = footprint(RESEARCH, 30, GRIDS.Quebec, mfu=0.45)
    assert money.energy == mass.energy
    assert money.carbon_footprint_kg == mass.carbon_footprint_kg


def test_embodied_carbon_is_the_durations_share_of_making_the_boards():
    # 1,312 kg a baseboard of eight; a year of four
    r = footprint(RESEARCH, 365.25, GRIDS.Quebec, lifetime_years=4)
    assert r.embodied.m_as("kg") == pytest.approx(32 * 1312 / 4)
    mass = r.embodied.m_as("kg") + r.carbon_footprint_kg
    assert r.embodied_share == pytest.approx(r.embodied.m_as("kg") / mass)
    assert footprint(boards("MI300X"), 30, GRIDS.Quebec).embodied is None
    given_mass = footprint(
        boards("MI300X"), 365.25, GRIDS.Quebec, embodied_carbon="100 kg", lifetime_years=1
    )
    assert given_mass.embodied.m_as("kg") == pytest.approx(800)


def test_making_weighs_more_where_electricity_is_clean():
    clean, dirty = (footprint(RESEARCH, 30, grid) for grid in (GRIDS.Quebec, GRIDS.Poland))
    assert clean.embodied == dirty.embodied
    assert clean.embodied_share > dirty.embodied_share


# ---- placement -----------------------------------------------------------------------------------


def test_the_cleanest_place_is_the_one_with_the_lowest_intensity():
    r = place(RESEARCH, 30, objective="carbon")
    grids = [GRIDS[name] for name in GRIDS]
    places = [grid for grid in grids if grid.place]
    cleanest = min(places, key=lambda grid: grid.intensity("lifecycle")[0])
    assert r.region_name == cleanest.name
    carbon = [row["carbon"] for row in r.ranking]
    assert carbon == sorted(carbon)
    assert len(r.ranking) == len(places)


def test_a_way_of_generating_is_no_place_to_move_to():
    names = {row["region"] for row in place(RESEARCH, 30, objective="carbon").ranking}
    assert "Nuclear" not in names
    assert GRIDS.Wind.name not in names


def test_lifecycle_and_direct_figures_are_not_compared_unasked():
    for basis in ("lifecycle", "direct"):
        ranking = place(RESEARCH, 30, objective="carbon", basis=basis).ranking
        assert {row["basis"] for row in ranking} == {basis}
    asked = place(RESEARCH, 30, objective="carbon", regions=["Quebec", "Texas"])
    assert not any("mixed" in note for note in asked.notes)
    one_sided = GRIDS.Texas.replace(other_intensity=None)
    mixed = place(RESEARCH, 30, objective="carbon", regions=["Quebec", one_sided])
    assert any("mixed" in note for note in mixed.notes)


@pytest.mark.parametrize("objective", ["carbon", "cost", "total"])
@pytest.mark.parametrize("basis", ["lifecycle", "direct"])
def test_quebec_poland_ireland_and_virginia_can_be_compared(objective, basis):
    names = ["Poland", "Ireland", "Virginia", "Quebec"]
    r = place(RESEARCH, 30, objective=objective, basis=basis, regions=names)
    assert {row["region"] for row in r.ranking} == {GRIDS[name].name for name in names}
    assert {row["basis"] for row in r.ranking} == {basis}
    assert r.unranked == ()
    carbon = {row["region"]: row["carbon"] for row in r.ranking}
    assert carbon["Quebec"] < carbon["Ireland"] < carbon["Virginia"] < carbon["Poland"]
    # megawatt-hours times what the entry says on this basis
    energy, (grams, _) = r.energy.m_as("kWh"), GRIDS.Virginia.intensity(basis)
    assert carbon["Virginia"] == pytest.approx(energy * grams.m_as("g/kWh") / 1e6)
    assert (r.cheapest, r.cleanest) == ("Quebec", "Quebec")


def test_every_place_of_the_registry_is_ranked_by_default():
    places = {GRIDS[name].name for name in GRIDS if GRIDS[name].place}
    r = place(RESEARCH, 30)
    assert {row["region"] for row in r.ranking} == places
    assert r.unranked == ()


def test_a_footprint_can_be_asked_for_on_the_other_basis():
    own, other = (footprint(RESEARCH, 30, GRIDS.Virginia, basis=b) for b in (None, "lifecycle"))
    assert (own.basis, other.basis) == ("direct", "lifecycle")
    assert other.carbon / own.carbon == pytest.approx(401 / 322)


def test_a_place_without_a_price_is_named_and_not_ranked_as_free():
    r = place(RESEARCH, 30, objective="cost", regions=[GRIDS.Quebec, UNPRICED])
    assert [row["region"] for row in r.ranking] == ["Quebec"]
    assert r.unranked == ("Poland",)
    with pytest.raises(MissingValue, match="electricity_price"):
        place(RESEARCH, 30, objective="cost", regions=[UNPRICED])


def test_moving_pays_from_the_price_at_which_the_totals_meet():
    by_cost = place(RESEARCH, 30, objective="cost", basis="direct")
    price = by_cost.breakeven_carbon_price.m_as("USD/t")
    rows = {row["region"]: row for row in by_cost.ranking}
    dear, cheap = rows[by_cost.cleanest], rows[by_cost.cheapest]
    extra, saved = dear["cost"] - cheap["cost"], cheap["carbon"] - dear["carbon"]
    assert price == pytest.approx(extra / saved)
    below = place(RESEARCH, 30, basis="direct", carbon_price=f"{0.9 * price} USD/t")
    above = place(RESEARCH, 30, basis="direct", carbon_price=f"{1.1 * price} USD/t")
    assert below.region_name == by_cost.cheapest
    assert above.region_name == by_cost.cleanest


def test_nothing_needs_to_be_paid_where_the_cheapest_place_is_the_cleanest():
    r = place(RESEARCH, 30, regions=["Quebec", "US_Average"])
    assert r.cheapest == r.cleanest == "Quebec"
    assert r.breakeven_carbon_price.m_as("USD/t") == 0


def test_at_one_price_everywhere_the_cleaner_place_wins():
    r = place(RESEARCH, 30, regions=["Poland", "Quebec"], electricity_price="0.10 USD/kWh")
    assert r.region_name == "Quebec"
    assert r.unranked == ()


def test_places_are_grids_or_their_names():
    with pytest.raises(UnknownEntry):
        place(RESEARCH, 30, regions=["Atlantis"])
    with pytest.raises(BadArgument, match="regions"):
        place(RESEARCH, 30, regions=[42])
    with pytest.raises(OutOfRange, match="regions"):
        place(RESEARCH, 30, regions=[])
    with pytest.raises(UnknownName, match="carbon"):
        place(RESEARCH, 30, objective="carbn")
    with pytest.raises(OutOfRange, match="duration_days"):
        place(RESEARCH, [10, 20])


# ---- bad input -----------------------------------------------------------------------------------

MALFORMED = [
    ({"duration_days": 0}, OutOfRange),
    ({"duration_days": -30}, OutOfRange),  # negative days gave negative carbon
    ({"duration_days": math.nan}, OutOfRange),
    ({"duration_days": math.inf}, OutOfRange),
    ({"duration_days": "30 GB"}, WrongUnit),
    ({"mfu": 0.0}, OutOfRange),
    ({"mfu": 1.2}, OutOfRange),
    ({"mfu": math.nan}, OutOfRange),
    ({"pue": 0.9}, OutOfRange),
    ({"pue": math.nan}, OutOfRange),
    ({"power_fraction": 0}, OutOfRange),
    ({"power_fraction": 1.5}, OutOfRange),
    ({"precision": "fp17"}, UnknownName),
    ({"facility": GRIDS.Quebec}, BadArgument),
    ({"fleet": Hardware.Cloud.H100}, BadArgument),
]
MONEY = [
    ({"infrastructure_multiplier": 0.5}, OutOfRange),
    ({"infrastructure_multiplier": math.nan}, OutOfRange),
    ({"amortization_years": 0}, OutOfRange),
    ({"amortization_years": -3}, OutOfRange),
    ({"electricity_price": 0.10}, WrongUnit),
    ({"electricity_price": "-0.10 USD/kWh"}, OutOfRange),
    ({"electricity_price": "0.10 USD"}, WrongUnit),
    ({"maintenance_fraction": -0.1}, OutOfRange),
    ({"datacenter": "Qebec"}, BadArgument),
    ({"kwh_price": 0.1}, UnknownArgument),
]
CARBON = [
    ({"wue": 0.3}, WrongUnit),
    ({"wue": "-1 L/kWh"}, OutOfRange),
    ({"lifetime_years": 0}, OutOfRange),
    ({"embodied_carbon": 100}, WrongUnit),
    ({"datacenter": None}, BadArgument),
]


@pytest.mark.parametrize(("wrong", "error"), MALFORMED + MONEY)
def test_a_malformed_question_about_cost_raises(wrong, error):
    with pytest.raises(error):
        cost(**{"fleet": RESEARCH, "duration_days": 30, **wrong})


@pytest.mark.parametrize(("wrong", "error"), MALFORMED + CARBON)
def test_a_malformed_question_about_carbon_raises(wrong, error):
    with pytest.raises(error):
        footprint(**{"fleet": RESEARCH, "duration_days": 30, "datacenter": GRIDS.Quebec, **wrong})


@pytest.mark.parametrize(
    "wrong", [{"carbon_price": 90}, {"carbon_price": "-1 USD/t"}, {"basis": "x"}]
)
def test_a_malformed_question_about_placement_raises(wrong):
    with pytest.raises(MLSysError):
        place(RESEARCH, 30, **wrong)


# ---- invariants ----------------------------------------------------------------------------------

days = st.floats(0.1, 2000)
fractions = st.floats(0.05, 1.0)
pues = st.floats(1.0, 3.0)


@given(duration=days, fraction=fractions, pue=pues, factor=st.floats(1.01, 10))
def test_more_of_anything_never_emits_or_costs_less(duration, fraction, pue, factor):
    base = footprint(RESEARCH, duration, GRIDS.Iowa, power_fraction=fraction, pue=pue)
    longer = footprint(RESEARCH, duration * factor, GRIDS.Iowa, power_fraction=fraction, pue=pue)
    assert longer.carbon_footprint_kg == pytest.approx(factor * base.carbon_footprint_kg)
    assert base.energy >= base.it_energy
    a = cost(RESEARCH, duration, infrastructure_multiplier=pue)
    b = cost(RESEARCH, duration, infrastructure_multiplier=pue * factor)
    assert b.tco_usd >= a.tco_usd  # the same while the servers cost more than the multiple
    assert 0 < a.energy_share < 1


@given(count=st.integers(1, 10_000))
def test_twice_the_nodes_is_twice_the_bill(count):
    once, twice = (cost(boards("A100", n), 30) for n in (count, 2 * count))
    assert twice.tco_usd == pytest.approx(2 * once.tco_usd)
    assert twice.cost_per_accelerator.m == pytest.approx(once.cost_per_accelerator.m)


def test_results_are_plain_data_too():
    for r in (
        cost(RESEARCH, 30, mfu=0.4, datacenter=GRIDS.Quebec),
        footprint(RESEARCH, 30, GRIDS.Quebec),
        place(RESEARCH, 30),
    ):
        assert isinstance(r.to_json(), str)
        assert np.isfinite(r.to_dict()["carbon_footprint_kg"])


def test_a_servers_energy_is_never_less_than_that_of_its_steps():
    # the node level counts one board at its TDP; the fleet level adds the host
    step = SingleNodeModel().solve(Models.Vision.ResNet50, Hardware.Cloud.H100, batch_size=64)
    fleet = footprint(boards("H100"), step.latency.m_as("day"), GRIDS.Quebec, power_fraction=1.0)
    assert fleet.it_energy.m_as("J") > 8 * step.energy.m_as("J")
