"""Two figures of a grid, held to each other by how its electricity was generated.

The registry derives one basis from the other; here that is done again, from shares and factors
that `mixes.csv` and Electricity Maps hold, and compared with what Google publishes of its regions.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mlsysim import Infrastructure

LINES = Path(__file__).with_name("mixes.csv").read_text(encoding="utf-8").splitlines()
MIXES = {row.pop("grid"): row for row in csv.DictReader(x for x in LINES if x[0] != "#")}
# g/kWh from the ground to the plug, and out of the chimney: Electricity Maps, config/defaults.yaml
LIFECYCLE = {
    "biomass": 230, "coal": 820, "gas": 490, "geothermal": 38, "hydro": 24, "nuclear": 12,
    "oil": 650, "solar": 45, "wind": 11, "unknown": 700,
}  # fmt: skip
DIRECT = dict.fromkeys(LIFECYCLE, 0) | {"coal": 760, "gas": 370, "oil": 406, "unknown": 575}


def _grams(name: str, factors: dict[str, int]) -> float:
    """What a kilowatt-hour of a mix emits, in g."""
    return sum(float(MIXES[name][kind]) / 100 * grams for kind, grams in factors.items())


def _registered(name: str, basis: str) -> float:
    return Infrastructure[name].intensity(basis)[0].m_as("g/kWh")


@pytest.mark.parametrize("name", MIXES)
def test_chimneys_have_the_share_of_the_lifecycle_that_the_mix_gives_them(name):
    share = _registered(name, "direct") / _registered(name, "lifecycle")
    by_hand = _grams(name, DIRECT) / _grams(name, LIFECYCLE)
    assert share == pytest.approx(by_hand, rel=0.006, abs=1e-6)


# what is derived from the mix alone, for want of another figure
@pytest.mark.parametrize("name", ["Iceland", "Quebec"])
def test_a_clean_grid_emits_what_its_mix_does(name):
    assert _registered(name, "lifecycle") == pytest.approx(_grams(name, LIFECYCLE), rel=0.005)


@pytest.mark.parametrize("name", ["Coal", "Gas", "Hydro", "Nuclear", "Wind"])
def test_one_way_of_generating_is_the_median_that_others_print_too(name):
    assert _registered(name, "lifecycle") == LIFECYCLE[name.lower()]


# Google Cloud, region carbon data of 2023, in the country or state: direct, with factors of its own
GOOGLE = {
    "France": 34,
    "Germany": 345,
    "India": 648,
    "Iowa": 430,
    "Poland": 723,
    "Singapore": 369,
    "UK": 136,
}


@pytest.mark.parametrize("name", GOOGLE)
def test_google_counts_a_quarter_more_or_less_out_of_the_same_chimneys(name):
    assert _registered(name, "direct") == pytest.approx(GOOGLE[name], rel=0.25)
