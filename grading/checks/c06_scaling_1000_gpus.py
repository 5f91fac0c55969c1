"""Where does my efficiency go at scale? The truths of exercise 06."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.check import Inputs, check
from grading.checks import apart, odd_line
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.equations import fleet

ASSIGNED: Any = assignment("06_scaling_1000_gpus")
HOUR = 3600.0


def seconds(number: float) -> Quantity:
    """A time."""
    return Q_(number, "s")


# ---- q1 ------------------------------------------------------------------------------------------


def apart_by(v: Variant, share: float) -> Quantity:
    """The time between two stops of a job that stops `share` times as often as one GPU."""
    return seconds(fleet.mean_time_between_failures(share / (v.between * HOUR)))


def between_stops(v: Variant) -> Quantity:
    """Every GPU adds its own stops: divide by their number."""
    return apart_by(v, v.gpus)


def by_servers(v: Variant) -> Quantity:
    """The log counts GPU-hours: divide by GPUs, not by servers of eight."""
    return apart_by(v, v.gpus / 8)


def by_root(v: Variant) -> Quantity:
    """Rates of stops add up, so the time falls with the number itself, not with its root."""
    return apart_by(v, v.gpus**0.5)


stops = check(
    "q1",
    points=1,
    misconceptions={"divided by the servers": by_servers, "divided by the root": by_root},
)(between_stops)

# ---- q2, q3 --------------------------------------------------------------------------------------


def parts(mb: float, ranks: float, gb: float, us: float) -> tuple[float, float]:
    """Seconds of the bytes and of the hops of a ring."""
    bytes_alone = float(fleet.ring_all_reduce(mb * 1e6, ranks, gb * 1e9, 0.0))
    return bytes_alone, float(fleet.ring_all_reduce(0.0, ranks, gb * 1e9, us * 1e-6))


def own(v: Variant) -> tuple[float, float]:
    """Those of the learner's own ring."""
    return parts(v.size, v.ranks, v.wire, v.hop)


def ring(v: Variant) -> Quantity:
    """Nearly twice the message at the rate of one direction, and two rounds of hops."""
    return seconds(sum(own(v)))


def one_round(v: Variant) -> Quantity:
    """Parts go round to be summed, and the sums go round again: two rounds."""
    return ring(v) / 2


def bytes_only(v: Variant) -> Quantity:
    """Each of the 2 (N − 1) hops costs its latency, however small the message."""
    return seconds(own(v)[0])


def both_directions(v: Variant) -> Quantity:
    """In a ring a GPU sends to one neighbour only: the rate is that of one direction."""
    return seconds(own(v)[0] / 2 + own(v)[1])


summed = check(
    "q2",
    points=2,
    misconceptions=apart(
        ring,
        {
            "sent the parts round once": one_round,
            "left out the hops": bytes_only,
            "counted both directions of the link": both_directions,
        },
    ),
)(ring)


def always_bytes(_: Variant) -> str:
    """A small message ends in no time, but each hop still takes its own."""
    return "the bytes"


def always_hops(_: Variant) -> str:
    """Many hops matter where they take longer than the bytes: work out both."""
    return "the hops"


@check(
    "q3",
    misconceptions={"looked at the bandwidth": always_bytes, "looked at the GPUs": always_hops},
)
def larger_part(v: Variant) -> str:
    """Nearly twice the message over the rate, against 2 (N − 1) latencies."""
    data, hops = parts(v.mb, v.n, v.gb, v.us)
    share, choices = data / (data + hops), ASSIGNED.questions["q3"].choices
    return str(choices[0] if share > 2 / 3 else choices[1] if share < 1 / 3 else choices[2])


# ---- q4 ------------------------------------------------------------------------------------------


def spaced(v: Variant, apart_seconds: float) -> Quantity:
    """The interval that loses least where stops are so far apart."""
    return seconds(float(fleet.young_daly(v.checkpoint, apart_seconds)))


def best_interval(v: Variant) -> Quantity:
    """The root of twice a checkpoint's time and the time between two stops."""
    return spaced(v, between_stops(v).m_as("s"))


def for_one(v: Variant) -> Quantity:
    """A stop of any GPU stops the job: take the time between the stops of all."""
    return spaced(v, v.between * HOUR)


def every_stop(v: Variant) -> Quantity:
    """With one checkpoint a stop half of the work is lost each time: write them more often."""
    return between_stops(v)


def no_two(v: Variant) -> Quantity:
    """On average half an interval is lost, which is where the 2 under the root comes from."""
    return best_interval(v) / 2**0.5


written = check(
    "q4",
    points=2,
    misconceptions=apart(
        best_interval,
        {
            "took the stops of a single GPU": for_one,
            "wrote one checkpoint a stop": every_stop,
            "forgot the 2 under the root": no_two,
        },
    ),
    follows="q1",
    follow=lambda v, mine: spaced(v, mine.m_as("s")) if mine.magnitude > 0 else None,
)(best_interval)

# ---- q5 ------------------------------------------------------------------------------------------


def ordered(v: Variant, key: Callable[[float, float], float]) -> tuple[str, ...]:
    """The four messages, the largest key first."""
    texts = enumerate(ASSIGNED.questions["q5"].choices, start=1)
    sums = {text.format_map(v): (v.fields[f"s{i}"], v.fields[f"k{i}"]) for i, text in texts}
    return tuple(sorted(sums, key=lambda text: -key(*sums[text])))


def by_bytes(v: Variant) -> tuple[str, ...]:
    """Bytes decide for large messages only; small ones wait for their hops."""
    return ordered(v, lambda mb, n: mb + n / 1e6)


def by_ranks(v: Variant) -> tuple[str, ...]:
    """The number of GPUs decides for small messages only; large ones do not see it."""
    return ordered(v, lambda mb, n: n + mb / 1e6)


@check(
    "q5",
    points=2,
    misconceptions={"ordered by the bytes": by_bytes, "ordered by the GPUs": by_ranks},
)
def longest_first(v: Variant) -> tuple[str, ...]:
    """Add bytes over the rate and hops times latency for each of them."""
    return ordered(v, lambda mb, n: sum(parts(mb, n, 50, 5)))


# ---- q6, q7 --------------------------------------------------------------------------------------


def losing(v: Variant, *, capped: bool = True, restarts: bool = True) -> Any:
    """The part of the time that checkpoints and stops take."""

    def lost(gpus: float, interval: float) -> float:
        each = interval / 2 + v.restart * restarts
        share = v.checkpoint / interval + each * gpus / (v.between * HOUR)
        return min(1.0, share) if capped else share

    return lost


def hidden(v: Variant) -> Inputs:
    """Small and large fleets, short and long intervals; some of them lose everything."""
    rows = [(512, 3600), (1024, 1800), (4096, 1800), (16384, 600), (16384, 7200), (100_000, 900)]
    rows += [(100_000, 20_000), (2048, v.checkpoint / 2), (400_000, 3600), (8192, 300)]
    return rows


def more_than_all(v: Variant) -> Any:
    """Nobody loses more than all of the time: stop at 1."""
    return losing(v, capped=False)


def no_restart(v: Variant) -> Any:
    """Besides the work since the checkpoint, each stop costs the restart."""
    return losing(v, restarts=False)


@check(
    "q6",
    points=3,
    within=0.005,
    inputs=hidden,
    misconceptions={
        "let more than all of the time be lost": more_than_all,
        "left out the restart": no_restart,
    },
)
def lost_share(v: Variant) -> Any:
    """A checkpoint's part of the interval, and of every stop half an interval and the restart."""
    return losing(v)


LINE = odd_line(ASSIGNED, "data rate hops stops interval")


def wrong_line(v: Variant) -> str:
    """Nearly twice the message, one direction, 2 (N − 1) hops, all GPUs' stops, and the root."""
    return LINE(v)


def hops_line(v: Variant) -> str | None:
    """In a ring every part passes all GPUs twice: so many hops there are."""
    return None if LINE(v) == "line 3" else "line 3"


def root_line(v: Variant) -> str | None:
    """The best interval does go with the root: that line is right."""
    return None if LINE(v) == "line 5" else "line 5"


found = check(
    "q7",
    points=2,
    misconceptions={"doubted the number of hops": hops_line, "doubted the root": root_line},
)(wrong_line)
