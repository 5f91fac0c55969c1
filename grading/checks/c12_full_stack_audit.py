"""What does a complete systems analysis look like? The truths of exercise 12."""

from __future__ import annotations

from functools import cache
from typing import Any

from grading.check import Inputs, check
from grading.checks import odd_line
from mlsysim import (
    DistributedModel,
    Fleet,
    Hardware,
    Infrastructure,
    Models,
    ReliabilityModel,
    Systems,
)
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("12_full_stack_audit")
JOB = float(ASSIGNED.given["job"])
FLEETS = {"f1": "A100", "f2": "H100", "f3": "H200", "f4": "B200"}
DAY, REACHED = 86_400.0, 0.4

# ---- q1 to q3 ------------------------------------------------------------------------------------


def arithmetic(v: Variant, gpus: float, tokens: float, mfu: float = 0.0) -> float:
    """Days of arithmetic on so many GPUs."""
    peak = v.device.peak("fp16").m_as("FLOP/s") * (mfu or v.mfu / 100)
    return 6 * v.model.parameters * tokens / (gpus * peak) / DAY


def whole_run(v: Variant) -> Quantity:
    """Operations over what the fleet really does a second, over the part that is not lost."""
    return Q_(arithmetic(v, v.gpus, v.tokens * 1e12) / (v.goodput / 100), "day")


def forward_only(v: Variant) -> Quantity:
    """Training goes back as well: 6 operations a parameter and token, not 2."""
    return whole_run(v) / 3


def at_peak(v: Variant) -> Quantity:
    """No fleet reaches its peak: multiply it by the MFU."""
    return whole_run(v) * (v.mfu / 100)


def no_failures(v: Variant) -> Quantity:
    """What is lost to failures is paid in time too: divide by the part that is not lost."""
    return whole_run(v) * (v.goodput / 100)


days = check(
    "q1",
    points=2,
    within=0.02,
    misconceptions={
        "counted the forward pass alone": forward_only,
        "reached the whole peak": at_peak,
        "left out the failures": no_failures,
    },
)(whole_run)


def dollars(v: Variant, run: Quantity) -> Quantity:
    """What the fleet costs for so long."""
    return Q_(run.m_as("hour") * v.gpus * v.price, "USD")


def bill(v: Variant) -> Quantity:
    """Every GPU is paid for every hour, from start to end."""
    return dollars(v, whole_run(v))


def by_server(v: Variant) -> Quantity:
    """The price is that of one GPU, not of a server with eight."""
    return bill(v) / 8


def hours_for_days(v: Variant) -> Quantity:
    """The price is for an hour: a day costs 24 of them."""
    return bill(v) / 24


cost = check(
    "q2",
    points=1,
    misconceptions={"paid for servers": by_server, "took days for hours": hours_for_days},
    follows="q1",
    follow=dollars,
)(bill)


def tonnes(v: Variant, run: Quantity, *, building: bool = True) -> Quantity:
    """What the fleet emits in so long."""
    kwh = run.m_as("hour") * v.gpus * v.kw * (v.pue if building else 1)
    return Q_(kwh * v.grid.carbon_intensity.m_as("g/kWh"), "g")


def emitted(v: Variant) -> Quantity:
    """Kilowatts of all GPUs times hours, times PUE, times what the grid emits for each kWh."""
    return tonnes(v, whole_run(v))


def without_building(v: Variant) -> Quantity:
    """The building draws power too: multiply by its PUE."""
    return tonnes(v, whole_run(v), building=False)


def building_twice(v: Variant) -> Quantity:
    """The PUE counts the building once, over what the servers draw."""
    return emitted(v) * v.pue


carbon = check(
    "q3",
    points=2,
    misconceptions={
        "left out the PUE": without_building,
        "counted the building twice": building_twice,
    },
    follows="q1",
    follow=tonnes,
)(emitted)

# ---- q4 ------------------------------------------------------------------------------------------


@cache
def losses(model: str, gpus: int, tensor: int, stages: int, between: float) -> dict[str, float]:
    """Parts of the time that a run loses, by their names."""
    fabric, node = Systems.Fabrics.InfiniBand_NDR, Systems.Nodes.DGX_H100
    fleet = Fleet(name="audit", node=node, count=gpus // 8, fabric=fabric)
    split: Any = {
        "batch_size": 1024,
        "seq_len": 4096,
        "tensor_parallel": tensor,
        "pipeline_parallel": stages,
        "microbatch": 1,
        "zero_stage": 1,
        "sequence_parallel": True,
        "recompute": "selective",
        "overlap": 0,
    }
    run = DistributedModel().solve(Models[model], fleet=fleet, **split)
    stops: Any = {"checkpoint_time": Q_(60, "s"), "restart_time": Q_(600, "s")}
    waste = ReliabilityModel().solve(fleet, mtbf=Q_(between / gpus, "hour"), **stops).si("waste")
    parts = [run.si(each) for each in ("tensor_time", "bubble_time", "exposed_data_time")]
    names = ASSIGNED.questions["q4"].choices
    return dict(zip(names, [*(t / run.si("step_time") for t in parts), waste], strict=True))


def failures_first(v: Variant) -> tuple[str, ...]:
    """Work out the share that failures take: with quick checkpoints it is small."""
    found = largest_first.truth(v)
    return ("failures and checkpoints", *(n for n in found if n != "failures and checkpoints"))


def gradients_first(v: Variant) -> tuple[str, ...]:
    """Gradients cross once a step; what is split inside a layer crosses for every layer."""
    found = largest_first.truth(v)
    return ("exchange of gradients", *(n for n in found if n != "exchange of gradients"))


@check(
    "q4",
    points=2,
    misconceptions={
        "took failures for the largest loss": failures_first,
        "took gradients for the largest loss": gradients_first,
    },
)
def largest_first(v: Variant) -> tuple[str, ...]:
    """Compare shares of one step: messages in a layer, empty stages, gradients; and failures."""
    found = losses(v.fields["large"], v.size, v.tensor, v.stages, v.between)
    return tuple(sorted(found, key=lambda name: -found[name]))


# ---- q5 ------------------------------------------------------------------------------------------


@cache
def rented(name: str) -> tuple[float, float]:
    """Days of the job on one GPU of a kind, and dollars for each of them."""
    hourly = Infrastructure.Prices[f"{name}_cloud"].hourly
    assert hourly is not None
    price = hourly.m_as("USD/hour") * 24
    return JOB / (Hardware[name].peak("fp16").m_as("FLOP/s") * REACHED) / DAY, price


def fleet(v: Variant, best: str) -> str:
    """The choice of a fleet."""
    text: str = ASSIGNED.questions["q5"].choices[list(FLEETS).index(best)]
    return text.format_map(v)


def newest(v: Variant) -> str:
    """The newest chip is the cheapest for an operation, but this fleet must end in time too."""
    return fleet(v, "f4")


def fastest(v: Variant) -> str:
    """Being faster than the limit buys nothing: among those in time take the cheapest."""
    return fleet(v, min(FLEETS, key=lambda each: rented(FLEETS[each])[0] / v.fields[each]))


@check(
    "q5",
    points=2,
    misconceptions={"took the newest chip": newest, "took the fastest fleet": fastest},
)
def cheapest(v: Variant) -> str:
    """First ask which fleets are in time; of those, which pays least for an operation."""
    timely = [each for each in FLEETS if rented(FLEETS[each])[0] / v.fields[each] <= v.limit]

    def pays(each: str) -> float:
        alone, price = rented(FLEETS[each])
        return alone * price

    return fleet(v, min(timely, key=pays))


# ---- q6, q7 --------------------------------------------------------------------------------------


def ending(v: Variant, *, one: bool = False, cut: bool = True) -> Any:
    """Days from start to end; with the stops of `one` GPU, or without the end of it all."""

    def days(gpus: float, tokens: float) -> float:
        kept = 1 - v.lost * (1 if one else gpus) / v.stop
        return arithmetic(v, gpus, tokens) / kept if kept > 0 or not cut else 0.0

    return days


def hidden(v: Variant) -> Inputs:
    """Small and large fleets; two of them lose all their time."""
    most = v.stop / v.lost  # GPUs that lose all the time
    parts = (0.02, 0.1, 0.25, 0.4, 0.6, 0.8, 0.9, 1.5, 3.0)
    return [(round(most * part), 4e11 * n) for n, part in enumerate(parts, start=1)]


def stops_of_one(v: Variant) -> Any:
    """Each GPU of the fleet stops all of them: stops come as often as there are GPUs."""
    return ending(v, one=True)


def never_ends(v: Variant) -> Any:
    """Where all the time is lost nothing is left to divide by: the days must not be negative."""
    return ending(v, cut=False)


@check(
    "q6",
    points=3,
    within=0.01,
    inputs=hidden,
    misconceptions={
        "counted the stops of a single GPU": stops_of_one,
        "let the days become negative": never_ends,
    },
)
def any_fleet(v: Variant) -> Any:
    """Days of arithmetic over the part of the time that stops of the whole fleet leave."""
    return ending(v)


LINE = odd_line(ASSIGNED, "work time fail money carbon")


def wrong_line(v: Variant) -> str:
    """Six operations, MFU once, divided by what is not lost, 24 hours a day, one PUE, grams."""
    return LINE(v)


def carbon_line(v: Variant) -> str | None:
    """It is the longest line, and each of its factors belongs there."""
    return None if LINE(v) == "line 5" else "line 5"


def days_line(v: Variant) -> str | None:
    """A day has 86,400 seconds, and the MFU stands there once: that line is right."""
    return None if LINE(v) == "line 2" else "line 2"


found = check(
    "q7",
    points=2,
    misconceptions={
        "doubted the longest line": carbon_line,
        "doubted the line with the MFU": days_line,
    },
)(wrong_line)
