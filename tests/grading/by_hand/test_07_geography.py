"""Exercise 07 on paper: tonnes and dollars of a run, here and elsewhere."""

from __future__ import annotations

import pytest

from grading.check import load
from tests.grading.by_hand import called, known

STEM = "07_geography"
GRAMS = {  # a kWh, over the whole life of its power stations
    "Poland": 662,
    "US_Average": 369,
    "Germany": 381,
    "Norway": 30.1,
    "Sweden": 40.7,
    "France": 56,
    "Quebec": 30.5,
    "India": 713,
    "UK": 238,
    "Ireland": 291,
    "Iceland": 27.9,
    "China": 582,
}
NAMES = {"US_Average": "United States, average", "UK": "United Kingdom"}  # others have their key's


def test_the_tonnes_of_a_run():
    own = {"gpus": 384, "kw": 1.275, "part": 76, "days": 30, "pue": 1.18, "grid": "Poland"}
    rated = 384 * 1.275 * 24 * 30 * 1.18 * 662 / 1e6  # kW, hours, PUE, g/kWh
    assert known(STEM, "q1", **own) == {
        "": pytest.approx(rated * 0.76),
        "left out the PUE": pytest.approx(rated * 0.76 / 1.18),
        "let the servers draw all that is written on them": pytest.approx(rated),
        "took days for hours": pytest.approx(rated * 0.76 / 24),
    }
    buildings = [known(STEM, "q1", **{**own, "pue": pue}) for pue in (1.06, 1.03)]
    assert ["left out the PUE" in each for each in buildings] == [True, False]
    assert known(STEM, "q7", **own) == {
        "": pytest.approx((rated * 0.6, rated * 0.9)),
        "spread the first answer by 15 %": pytest.approx(
            (rated * 0.76 * 0.85, rated * 0.76 * 1.15)
        ),
        "left out the PUE": pytest.approx((rated * 0.6 / 1.18, rated * 0.9 / 1.18)),
    }


@pytest.mark.parametrize(
    ("places", "cap", "kept", "cleanest", "cheapest"),
    [  # tonnes of 200 MWh, and cents
        # China 116 t, 7.9; France 11, 10.2; Germany 76, 15.5; United States 74, 8.1
        ("China France Germany US_Average", 100, "US_Average", "France", "China"),
        ("India China Germany France", 90, "France", "France", "China"),  # India 143, 9.0
        # United Kingdom 48, 32.1; Ireland 58, 22.8
        ("China UK Ireland Germany", 70, "Ireland", "UK", "China"),
        ("US_Average Iceland UK France", 50, "Iceland", "Iceland", "US_Average"),  # 5.6, 9.0
        ("Germany UK Poland Ireland", 80, "Germany", "UK", "Poland"),  # 132, 11.9
        ("UK India Singapore Germany", 100, "Singapore", "UK", "India"),  # 94, 14.5
        ("Poland Germany India China", 120, "China", "Germany", "China"),
        ("Poland India UK Singapore", 135, "Poland", "UK", "India"),
        # China emits exactly what is allowed, or 100 kg more
        ("China France Germany Ireland", 116.4, "China", "France", "China"),
        ("China France Germany Ireland", 116.3, "France", "France", "China"),
    ],
)
def test_the_cheapest_place_that_is_clean_enough(places, cap, kept, cleanest, cheapest):
    own = dict(zip(("p1", "p2", "p3", "p4"), places.split(), strict=True))
    kept, cleanest, cheapest = (NAMES.get(each, each) for each in (kept, cleanest, cheapest))
    assert known(STEM, "q3", **own, cap=cap) == {
        "": kept,
        "took the cleanest place": cleanest,
        "took the cheapest place, whatever it emits": cheapest,
    }


# leaving Poland for France at 8.2 and 14.7 cents: 6.5 cents more and 606 g less a kWh
MOVING = {"dirty": "Poland", "clean": "France", "cents_dirty": 8.2, "cents_clean": 14.7}
DIRTY = ("India", "China")
A_KWH = 1e-6  # tonnes of a gram


def test_the_price_of_carbon_from_which_moving_pays():
    assert known(STEM, "q4", **MOVING) == {
        "": pytest.approx(0.065 / (606 * A_KWH)),  # 107 dollars a tonne
        "counted the whole tariff": pytest.approx(0.147 / (606 * A_KWH)),
        "forgot what the clean place still emits": pytest.approx(0.065 / (662 * A_KWH)),
        "took a kilogram for a tonne": pytest.approx(0.065 / 606 * 1e3),
    }
    # of what is emitted in India or in China, Iceland still emits 3.9 or 4.8 %
    little = [known(STEM, "q4", **{**MOVING, "clean": "Iceland", "dirty": d}) for d in DIRTY]
    assert ["forgot what the clean place still emits" in each for each in little] == [False, True]


def test_the_price_for_any_place():
    rows = {  # the truth, without what the other place emits, and with prices below zero
        (0.147, 56): (0.065 / 606e-6, 0.065 / 662e-6, 0.065 / 606e-6),
        (0.05, 56): (0, 0, -0.032 / 606e-6),  # cheaper and cleaner
        (0.05, 700): (0, 0, -1),  # cheaper, though dirtier
        (0.1, 700): (-1, 0.018 / 662e-6, -1),  # dearer and dirtier
        (0.1, 662): (-1, 0.018 / 662e-6, -1),  # dearer and no cleaner
        (0.1, 661.5): (0.018 / 0.5e-6, 0.018 / 662e-6, 0.018 / 0.5e-6),  # hardly cleaner
        (0.0819, 662): (0, 0, -1),  # as dirty, for a little less
    }
    for arguments, (truth, nothing_left, below_zero) in rows.items():
        assert called(STEM, "q6", arguments, **MOVING) == {
            "": pytest.approx(truth),
            "forgot what the other place still emits": pytest.approx(nothing_left),
            "let the price become negative": pytest.approx(below_zero),
        }
    # no dearer at all: a quarter of a dollar is the same number however it is written
    assert called(STEM, "q6", (0.25, 700), **{**MOVING, "cents_dirty": 25})[""] == 0


def test_which_measure_saves_most():
    """In kg of a GPU and day: 0.97 kW for 24 hours, and a part of 164 kg for three years."""
    kwh, made = 0.97 * 24, 164 / (3 * 365)
    pue, life = "a building with a PUE of 1.05", "keep the GPUs twice as long"
    axis, seen = "home goal building sooner", set()
    # a kWh of 30.1 g: a PUE of 1.05 saves 70 or 77 g, and a life of twice as long 75 g
    near = [("Norway", "Iceland", building, 25) for building in (1.15, 1.16)]
    for home, goal, building, sooner in (*load(STEM).assignment.axes[axis], *near):
        running = kwh * building * GRAMS[home] / 1e3
        move, time = f"move to {NAMES.get(goal, goal)}", f"finish {sooner} % sooner"
        left = {  # of running and making
            move: kwh * building * GRAMS[goal] / 1e3 + made,
            pue: kwh * 1.05 * GRAMS[home] / 1e3 + made,
            time: (running + made) * (1 - sooner / 100),
            life: running + made / 2,
        }
        order = sorted(left, key=left.__getitem__)
        seen.add(order[0])
        own = dict(zip(axis.split(), (home, goal, building, sooner), strict=True))
        assert known(STEM, "q5", **own) == {
            "": tuple(order),
            # two measures touch the making: half of it, or a part
            "took the making of the chips for the most": (
                life,
                time,
                *(each for each in order if each not in (life, time)),
            ),
            "put the place first in any case": (move, *(each for each in order if each != move)),
        }
    assert life in seen
    assert pue in seen
