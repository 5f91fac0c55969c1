"""Exercise 01 on paper: a request to Llama 3 8B on a V100, and on an H100."""

from __future__ import annotations

from itertools import pairwise

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from tests.grading.by_hand import called, drawn, followed, known, variant
from tests.paper import LLAMA3_8B as MODEL
from tests.paper import TAX

STEM = "01_memory_wall"
OWN = {"model": "Llama3_8B", "old": "V100", "new": "H100", "prompt": 2700, "answer": 140}
# 125 TFLOP/s at 0.9 TB/s; 989.4 TFLOP/s at 3.35 TB/s, 81,559 MiB
V100, H100 = (125e12, 0.9e12), (989.4e12, 3.35e12)
PEAK, BAND, ROOM = 989.4 / 125, 3.35 / 0.9, 81_559 * 2**20 / 34_058_272_768


def reading(chip, prompt):
    """Seconds: arithmetic at half of the peak."""
    return MODEL.prompt(prompt)[0] / (chip[0] / 2) + TAX


def writing(chip, prompt, answer):
    """Seconds: reading gives the first token, and each other one sees one token more."""
    steps = range(1, answer)
    return sum(MODEL.decode(1, prompt + step)[1] / chip[1] + TAX for step in steps)


def share(chip, prompt, answer):
    """Reading's part of the whole."""
    read = reading(chip, prompt)
    return read / (read + writing(chip, prompt, answer))


def gain(prompt, answer):
    """The old time over the new one."""
    old, new = (reading(chip, prompt) + writing(chip, prompt, answer) for chip in (V100, H100))
    return old / new


def test_the_share_of_reading_and_what_it_lets_a_request_gain():
    old = share(V100, 2700, 140)
    assert 0.2 < old < 0.25
    assert known(STEM, "q1", **OWN) == {
        "": pytest.approx(100 * old),
        "took the share of the tokens": pytest.approx(100 * 2700 / 2840),
        "worked with the new chip's times": pytest.approx(100 * share(H100, 2700, 140)),
        "gave the share of writing": pytest.approx(100 * (1 - old)),
    }
    assert known(STEM, "q2", **OWN) == {
        "": pytest.approx(gain(2700, 140)),
        "took the ratio of the peaks": pytest.approx(PEAK),
        "took the ratio of the bandwidths": pytest.approx(BAND),
        "went half way between both ratios": pytest.approx((PEAK + BAND) / 2),
    }
    # a learner who found a quarter: that part shrinks by one ratio, and the rest by the other
    quarter = followed(STEM, "q2", Q_(0.25, ""), **OWN)
    assert quarter == pytest.approx(1 / (0.25 / PEAK + 0.75 / BAND))


# each pair is a prompt and an answer
SIXES = {
    5: [(1200, 12), (900, 450), (2800, 35), (7000, 3500), (4500, 50), (5200, 70)],
    6: [(350, 350), (8000, 110), (700, 7), (1600, 1600), (60, 240), (6000, 75)],
}


@pytest.mark.parametrize("which", SIXES)
def test_which_requests_gain_more(which):
    six = drawn(STEM, "p1 a1 p2 a2 p3 a3 p4 a4 p5 a5 p6 a6", which)
    assert [*six.values()] == [number for pair in SIXES[which] for number in pair]
    named = {f"{pair[0]:,} in, {pair[1]:,} out": pair for pair in SIXES[which]}
    # the peak grew more than the bandwidth: reading gains more
    more = {name for name, pair in named.items() if gain(*pair) > gain(2700, 140)}
    assert more == {
        name for name, (prompt, answer) in named.items() if prompt / answer > 2700 / 140
    }
    assert known(STEM, "q3", **OWN, **six) == {
        "": more,
        "marked the long ones": {name for name, pair in named.items() if sum(pair) > 2840},
        "marked those with a long answer": {name for name, pair in named.items() if pair[1] > 140},
    }


def test_a_request_like_ones_own_gains_no_more_and_is_no_longer():
    six = drawn(STEM, "p1 a1 p2 a2 p3 a3 p4 a4 p5 a5 p6 a6", 5)
    found = known(STEM, "q3", **OWN, **{**six, "p1": 2700, "a1": 140})
    assert all("2,700 in, 140 out" not in marked for marked in found.values())


def test_between_which_factors_the_gain_of_any_request_lies():
    assert known(STEM, "q4", **OWN) == {
        "": pytest.approx((BAND, PEAK)),
        "began at 1": pytest.approx((1, PEAK)),
        "counted the capacity": pytest.approx((ROOM, PEAK)),
    }
    # L4: 121 TFLOP/s at 0.3 TB/s, 23,034 MiB; here the bandwidth grew more
    assert known(STEM, "q4", old="L4", new="H100") == {
        "": pytest.approx((989.4 / 121, 3.35 / 0.3)),
        "began at 1": pytest.approx((1, 3.35 / 0.3)),
        "counted the capacity": pytest.approx((81_559 / 23_034, 989.4 / 121)),
    }
    # RTX 4090: 165.2 TFLOP/s at 1.008 TB/s, 24,564 MiB: bandwidth and capacity grow alike
    assert known(STEM, "q4", old="RTX_4090", new="H100") == {
        "": pytest.approx((3.35 / 1.008, 989.4 / 165.2)),
        "began at 1": pytest.approx((1, 989.4 / 165.2)),
    }
    assert known(STEM, "q4", old="A100", new="A100") == {"": (1, 1)}


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_the_gain_of_any_share(share):
    assert called(STEM, "q6", (share,), **OWN) == {
        "": pytest.approx(1 / (share / PEAK + (1 - share) / BAND)),
        "averaged the ratios": pytest.approx(share * PEAK + (1 - share) * BAND),
        "let only reading get faster": pytest.approx(1 / (share / PEAK + 1 - share)),
    }


def test_a_function_is_tried_from_all_writing_to_all_reading():
    question = load(STEM).questions["q6"]
    shares = [asked["share"] for asked in question.inputs(variant(STEM, **OWN))]
    assert shares == sorted(set(shares))
    assert (shares[0], shares[-1]) == (0, 1)
    assert max(after - before for before, after in pairwise(shares)) < 0.16
