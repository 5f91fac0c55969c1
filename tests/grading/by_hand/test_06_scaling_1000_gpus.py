"""Exercise 06 on paper: a ring, and a fleet that stops."""

from __future__ import annotations

from math import sqrt

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from tests.grading.by_hand import called, followed, known

STEM = "06_scaling_1000_gpus"


def test_stops_and_the_checkpoints_between_them():
    # one stop in 40,960 GPU-hours: in 40 hours of 1,024 GPUs, whose root is 32
    own = {"between": 40_960, "gpus": 1024, "checkpoint": 90}
    assert known(STEM, "q1", **own) == {
        "": pytest.approx(40),
        "divided by the servers": pytest.approx(320),  # of eight GPUs each
        "divided by the root": pytest.approx(1280),
    }
    # an interval x loses 90 s / x and half of x for each stop: least at the root of 2 x 90 s x 40 h
    best = sqrt(2 * 90 * 40 * 3600) / 60
    assert known(STEM, "q4", **own) == {
        "": pytest.approx(best),
        "took the stops of a single GPU": pytest.approx(best * 32),
        "wrote one checkpoint a stop": pytest.approx(40 * 60),
        "forgot the 2 under the root": pytest.approx(sqrt(90 * 40 * 3600) / 60),
    }
    assert followed(STEM, "q4", Q_(10, "hour"), **own) == pytest.approx(best / 2)
    assert followed(STEM, "q4", Q_(0.4, "hour"), **own) == pytest.approx(best / 10)
    assert followed(STEM, "q4", Q_(0, "hour"), **own) is None


def ring(megabytes, ranks, gigabytes=50.0, microseconds=5.0):
    """Milliseconds of the bytes and of the hops: parts of 1 / ranks go round twice."""
    hops = 2 * (ranks - 1)
    return hops * megabytes / ranks / gigabytes, hops * microseconds / 1e3


def test_the_time_of_a_ring():
    # 250 MB among 256 at 50 GB/s: 510 hops of 0.9766 MB or 19.53 us each, and of 6 us latency
    size, hops = 510 * (250 / 256) / 50, 510 * 6e-3  # ms
    assert known(STEM, "q2", size=250, ranks=256, wire=50, hop=6) == {
        "": pytest.approx(size + hops),
        "sent the parts round once": pytest.approx((size + hops) / 2),
        "left out the hops": pytest.approx(size),
        "counted both directions of the link": pytest.approx(size / 2 + hops),
    }


@pytest.mark.parametrize(
    ("ring", "larger"),
    [  # nearly 2 x MB / GB/s of bytes against 2 x N x us of hops, in ms
        ((2, 512, 50, 5), "the hops"),  # 0.08, 5.1
        ((1, 256, 25, 3), "the hops"),  # 0.08, 1.5
        ((30, 1024, 100, 4), "the hops"),  # 0.6, 8.2
        ((8000, 64, 50, 5), "the bytes"),  # 315, 0.6
        ((16_000, 256, 100, 3), "the bytes"),  # 319, 1.5
        ((2000, 32, 25, 5), "the bytes"),  # 155, 0.3
        ((250, 1024, 50, 5), ""),  # 10, 10.2
        ((60, 256, 50, 5), ""),  # 2.4, 2.6
        ((50, 512, 25, 4), ""),  # 4.0, 4.1
        # 10 MB take as long as 100 hops of 2 us at 50 GB/s: a third of all is a half of the other
        ((20.1, 100, 50, 2), "the bytes"),
        ((19.9, 100, 50, 2), ""),
        ((5.01, 100, 50, 2), ""),
        ((4.99, 100, 50, 2), "the hops"),
    ],
)
def test_the_larger_part_of_a_ring(ring, larger):
    assert known(STEM, "q3", **dict(zip(("mb", "n", "gb", "us"), ring, strict=True))) == {
        "": larger or "both take between a third and two thirds",
        "looked at the bandwidth": "the bytes",
        "looked at the GPUs": "the hops",
    }


def test_which_message_takes_longest():
    axis = "s1 k1 s2 k2 s3 k3 s4 k4"
    for numbers in load(STEM).assignment.axes[axis]:
        sums = list(zip(numbers[::2], numbers[1::2], strict=True))

        def ranked(key, sums=sums):
            largest = sorted(sums, key=key, reverse=True)
            return tuple(f"{size:,} MB over {ranks:,} GPUs" for size, ranks in largest)

        assert known(STEM, "q5", **dict(zip(axis.split(), numbers, strict=True))) == {
            "": ranked(lambda of: sum(ring(*of))),
            "ordered by the bytes": ranked(lambda of: of),
            "ordered by the GPUs": ranked(lambda of: of[::-1]),
        }
    # by hand: 10 MB over 1,024 are 0.4 + 10.2 ms, 400 MB over 64 are 15.8 + 0.6, ...
    first = {"s1": 10, "k1": 1024, "s2": 400, "k2": 64, "s3": 1, "k3": 4096, "s4": 100, "k4": 8}
    four = "1 MB over 4,096 GPUs, 400 MB over 64 GPUs, 10 MB over 1,024 GPUs, 100 MB over 8 GPUs"
    assert ", ".join(known(STEM, "q5", **first)[""]) == four  # 41.0, 16.4, 10.6, 3.6 ms


def test_the_part_of_the_time_that_is_lost():
    own = {"between": 40_960, "checkpoint": 90, "restart": 600}
    # 90 s of each interval; a stop in 144,000 s of 1,024 GPUs costs half of one, and 600 s
    some, many = 90 / 1800 + 1500 / 144_000, 90 / 3600 + 2400 / 9000
    rows = {  # the truth, more than all, and without restarts
        (1024, 1800): (some, some, 90 / 1800 + 900 / 144_000),
        (16_384, 3600): (many, many, 90 / 3600 + 1800 / 9000),
        (102_400, 2880): (1, 90 / 2880 + 2040 / 1440, 1),  # a stop in 1,440 s: half an interval
        (1024, 45): (1, 90 / 45 + 622.5 / 144_000, 1),  # shorter than its checkpoint
    }
    for arguments, (truth, uncapped, no_restart) in rows.items():
        assert called(STEM, "q6", arguments, **own) == {
            "": pytest.approx(truth),
            "let more than all of the time be lost": pytest.approx(uncapped),
            "left out the restart": pytest.approx(no_restart),
        }
