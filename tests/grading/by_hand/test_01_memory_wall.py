"""Exercise 01 on paper: a request to Llama 3 8B on a V100, and on an H100."""

from __future__ import annotations

import pytest

from mlsysim.core.units import Q_
from tests.grading.by_hand import called, drawn, followed, known
from tests.grading.by_hand.paper import LLAMA3_8B as MODEL
from tests.grading.by_hand.paper import TAX

STEM = "01_memory_wall"
OWN = {"model": "Llama3_8B", "old": "V100", "new": "H100", "prompt": 2700, "answer": 140}
# 125 TFLOP/s at 0.9 TB/s; 989.4 TFLOP/s at 3.35 TB/s, 81,559 MiB
V100, H100 = (125e12, 0.9e12), (989.4e12, 3.35e12)
PEAK, BAND, ROOM = 989.4 / 125, 3.35 / 0.9, 81_559 * 2**20 / 34_058_272_768


def reading(chip, prompt):
    """Seconds: arithmetic at half of the peak."""
    return MODEL.prompt(prompt) / (chip[0] / 2) + TAX


def writing(chip, prompt, answer):
    """Seconds: reading gives the first token, and each other one sees one token more."""
    steps = range(1, answer)
    return sum(MODEL.read(1, prompt + step) / chip[1] + TAX for step in steps)


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


def test_which_requests_gain_more_and_between_which_factors_all_lie():
    six = drawn(STEM, "p1 a1 p2 a2 p3 a3 p4 a4 p5 a5 p6 a6", 6)
    asked = [(350, 350), (8000, 110), (700, 7), (1600, 1600), (60, 240), (6000, 75)]
    assert [*zip([*six.values()][::2], [*six.values()][1::2], strict=True)] == asked
    named = {pair: f"{pair[0]:,} in, {pair[1]:,} out" for pair in asked}
    # the peak grew more than the bandwidth: reading gains more
    more = {named[pair] for pair in asked if gain(*pair) > gain(2700, 140)}
    assert more == {"8,000 in, 110 out", "700 in, 7 out", "6,000 in, 75 out"}
    assert known(STEM, "q3", **OWN, **six) == {
        "": more,
        "marked the long ones": {named[pair] for pair in asked if sum(pair) > 2840},
        "marked those with a long answer": {named[pair] for pair in asked if pair[1] > 140},
    }
    assert known(STEM, "q4", **OWN) == {
        "": pytest.approx((BAND, PEAK)),
        "began at 1": pytest.approx((1, PEAK)),
        "counted the capacity": pytest.approx((ROOM, PEAK)),
    }
    # L4: 121 TFLOP/s at 0.3 TB/s; here the bandwidth grew more
    other = known(STEM, "q4", old="L4", new="H100")[""]
    assert other == pytest.approx((989.4 / 121, 3.35 / 0.3))


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_the_gain_of_any_share(share):
    assert called(STEM, "q6", (share,), **OWN) == {
        "": pytest.approx(1 / (share / PEAK + (1 - share) / BAND)),
        "averaged the ratios": pytest.approx(share * PEAK + (1 - share) * BAND),
        "let only reading get faster": pytest.approx(1 / (share / PEAK + 1 - share)),
    }
