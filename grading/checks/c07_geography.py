"""Does it matter where I train? The truths of exercise 07."""

from __future__ import annotations

from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("07_geography")
GIVEN: Any = ASSIGNED.given
BEST_PUE, YEAR = 1.05, 365.0


def grams(place: Any) -> float:
    """What a kWh emits there."""
    return place.carbon_intensity.m_as("g/kWh")


def tariff(place: Any) -> float:
    """What a kWh costs there, in dollars."""
    return place.electricity_price.m_as("USD/kWh")


# ---- q1, q7 --------------------------------------------------------------------------------------


def emitted(v: Variant, part: float, *, pue: bool = True, hours: float = 24) -> Quantity:
    """Carbon of the learner's run where that part of the rated power is drawn."""
    kwh = v.gpus * v.kw * part / 100 * hours * v.days * (v.pue if pue else 1)
    return Q_(kwh * grams(v.grid), "g")


def run(v: Variant) -> Quantity:
    """Kilowatts that are drawn, hours, PUE, and grams of the grid for each kWh."""
    return emitted(v, v.part)


def no_building(v: Variant) -> Quantity:
    """The building draws power too: multiply by its PUE."""
    return emitted(v, v.part, pue=False)


def rated(v: Variant) -> Quantity:
    """A server draws a part of what is written on it: multiply by that part."""
    return emitted(v, 100)


def days_for_hours(v: Variant) -> Quantity:
    """Kilowatts times hours are kWh: a day has 24 of them."""
    return emitted(v, v.part, hours=1)


tonnes = check(
    "q1",
    points=3,
    within=0.015,
    misconceptions=apart(
        run,
        {
            "left out the PUE": no_building,
            "let the servers draw all that is written on them": rated,
            "took days for hours": days_for_hours,
        },
        by=0.04,
    ),
)(run)


def narrow(v: Variant) -> tuple[Quantity, Quantity]:
    """From 60 to 90 % of the rated power, not so much more or less than before."""
    return emitted(v, v.part * 0.85), emitted(v, v.part * 1.15)


def no_building_either(v: Variant) -> tuple[Quantity, Quantity]:
    """The building's PUE belongs to both ends."""
    return emitted(v, 60, pue=False), emitted(v, 90, pue=False)


@check(
    "q7",
    within=0.015,
    misconceptions={
        "spread the first answer by 15 %": narrow,
        "left out the PUE": no_building_either,
    },
)
def span(v: Variant) -> tuple[Quantity, Quantity]:
    """All goes with the power: the same product with 60 and with 90 %."""
    return emitted(v, 60), emitted(v, 90)


# ---- q2, q3 --------------------------------------------------------------------------------------

LINE = odd_line(ASSIGNED, "power energy wall carbon chips")


def wrong_line(v: Variant) -> str:
    """Server's share and drawn part, 24 hours, PUE once, grams to tonnes, a part of the life."""
    return LINE(v)


def building_line(v: Variant) -> str | None:
    """PUE is what the building takes for each kWh of its servers: multiply by it once."""
    return None if LINE(v) == "line 3" else "line 3"


def making_line(v: Variant) -> str | None:
    """Making is shared among all runs of a chip's life: that line is right."""
    return None if LINE(v) == "line 5" else "line 5"


found = check(
    "q2",
    points=2,
    misconceptions={
        "doubted the PUE": building_line,
        "doubted the making of the chips": making_line,
    },
)(wrong_line)


def places(v: Variant) -> list[Any]:
    """The four places of question 3."""
    return [v.p1, v.p2, v.p3, v.p4]


def cleanest(v: Variant) -> str:
    """Cleaner than the limit is not asked for: among those that keep it take the cheapest."""
    return min(places(v), key=grams).name


def cheapest(v: Variant) -> str:
    """First drop the places that emit too much, then compare prices."""
    return min(places(v), key=tariff).name


@check(
    "q3",
    points=2,
    misconceptions={
        "took the cleanest place": cleanest,
        "took the cheapest place, whatever it emits": cheapest,
    },
)
def clean_enough(v: Variant) -> str:
    """Energy times intensity must keep the limit; of what is left, the lowest tariff."""
    kept = [each for each in places(v) if GIVEN["mwh"] * grams(each) / 1e3 <= v.cap]
    return min(kept, key=tariff).name


# ---- q4, q6 --------------------------------------------------------------------------------------


def dollars_a_tonne(dearer: float, cleaner: float) -> float:
    """The price at which so many dollars a kWh pay for so many grams."""
    return dearer / cleaner * 1e6


def pays(v: Variant) -> float:
    """What a kWh costs more, over what it emits less; power, days and PUE are on both sides."""
    dearer = (v.cents_clean - v.cents_dirty) / 100
    return dollars_a_tonne(dearer, grams(v.dirty) - grams(v.clean))


def whole_tariff(v: Variant) -> float:
    """The run pays for power in either place: only the difference is extra."""
    return dollars_a_tonne(v.cents_clean / 100, grams(v.dirty) - grams(v.clean))


def all_of_it(v: Variant) -> float:
    """The clean place emits something too: only the difference is saved."""
    return dollars_a_tonne((v.cents_clean - v.cents_dirty) / 100, grams(v.dirty))


def in_kilograms(v: Variant) -> float:
    """A tonne has a million grams."""
    return pays(v) / 1e3


breakeven = check(
    "q4",
    points=2,
    within=0.015,
    misconceptions=apart(
        pays,
        {
            "counted the whole tariff": whole_tariff,
            "forgot what the clean place still emits": all_of_it,
            "took a kilogram for a tonne": in_kilograms,
        },
        by=0.04,
    ),
)(pays)


def moving(v: Variant, *, still: bool = True, free: bool = True) -> Any:
    """The price from which moving pays; what the other place emits, and bargains, left out."""
    own, cost = grams(v.dirty), v.cents_dirty / 100

    def price(tariff: float, intensity: float) -> float:
        dearer, cleaner = tariff - cost, own - intensity * still
        if free and dearer <= 0:
            return 0.0
        return dollars_a_tonne(dearer, cleaner) if cleaner > 0 else -1.0

    return price


def hidden(v: Variant) -> Inputs:
    """Dear and cheap places, clean and dirty ones, and one as dirty that is hardly cheaper."""
    cost, own = v.cents_dirty / 100, grams(v.dirty)
    rows = [(0.14, 30), (0.2, 56), (0.11, own / 2), (0.3, own / 3), (0.16, 120), (0.13, 10)]
    rows += [(cost - 1e-5, own), (0.04, 30), (cost + 0.03, own + 90), (0.05, own + 50)]
    return rows


def nothing_left(v: Variant) -> Any:
    """The other place emits something too: take the difference."""
    return moving(v, still=False)


def below_zero(v: Variant) -> Any:
    """Where the other place is no dearer, moving pays without a price: 0."""
    return moving(v, free=False)


@check(
    "q6",
    points=3,
    within=0.005,
    inputs=hidden,
    misconceptions={
        "forgot what the other place still emits": nothing_left,
        "let the price become negative": below_zero,
    },
)
def any_place(v: Variant) -> Any:
    """The difference of tariffs over that of intensities, where there is something to pay for."""
    return moving(v)


# ---- q5 ------------------------------------------------------------------------------------------


def savings(v: Variant, *, chips: float = 1.0) -> dict[str, float]:
    """Kilograms that each measure saves, for a GPU and day; `chips` scales what is made."""
    kwh = GIVEN["draw"] * 24
    made = GIVEN["made"] / (GIVEN["life"] * YEAR) * chips
    running = kwh * v.building * grams(v.home) / 1e3
    saved = (
        kwh * v.building * (grams(v.home) - grams(v.goal)) / 1e3,
        kwh * (v.building - BEST_PUE) * grams(v.home) / 1e3,
        (running + made) * v.sooner / 100,
        made / 2,
    )
    texts = (text.format_map(v) for text in ASSIGNED.questions["q5"].choices)
    return dict(zip(texts, saved, strict=True))


def most_first(saved: dict[str, float]) -> tuple[str, ...]:
    """The measures, the most first."""
    return tuple(sorted(saved, key=lambda name: -saved[name]))


def chips_first(v: Variant) -> tuple[str, ...]:
    """Making a chip emits less than running it for years on most grids: work out its share."""
    return most_first(savings(v, chips=1e6))


def place_first(v: Variant) -> tuple[str, ...]:
    """A place saves the difference to the place where you are, which may be small."""
    found = most_first(savings(v))
    moved = ASSIGNED.questions["q5"].choices[0].format_map(v)
    return (moved, *(name for name in found if name != moved))


@check(
    "q5",
    points=2,
    misconceptions={
        "took the making of the chips for the most": chips_first,
        "put the place first in any case": place_first,
    },
)
def measures(v: Variant) -> tuple[str, ...]:
    """For each measure ask which factor of the tonnes it touches, and by how much."""
    return most_first(savings(v))
