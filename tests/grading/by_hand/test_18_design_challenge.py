"""Exercise 18 on paper: chips that read and write, assumptions that break, and a region."""

from __future__ import annotations

from itertools import product

import pytest

from grading.check import load
from grading.checks import c18_design_challenge as c18
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from mlsysim.evaluation.verdict import SATISFIED, judge
from tests.grading.by_hand import known, variant

STEM = "18_design_challenge"
# Llama 2 7B: 32 layers of 4096, every head with keys of its own, a gated ffn of 11008, a vocabulary
# of 32000; of a prompt the head is asked for the last token alone, and each token sees those before
# it and itself
LAYERS, HIDDEN = 32, 4096
MATRICES = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * 11008)
PROMPT = 512
SEEN = LAYERS * 4 * HIDDEN * PROMPT * (PROMPT + 1) / 2
OPERATIONS = 2 * PROMPT * MATRICES + 2 * HIDDEN * 32000 + SEEN
OWN = {"model": "Llama2_7B", "device": "H100", "rate": 600, "prompt": PROMPT, "eta": 0.4}


def chips(eta):
    """Busy with 600 prompts a second: an H100 does 989.4 TFLOP/s, and a launch takes 10 us."""
    return 600 * (OPERATIONS / (eta * 989.4e12) + 10e-6)


def test_chips_that_read():
    right, peak = chips(0.4), chips(1)
    assert known(STEM, "q1", **OWN) == {
        "": pytest.approx(right),
        "took the whole peak": pytest.approx(peak),
        "counted requests for tokens": pytest.approx(right / PROMPT),
        "counted one operation a weight": pytest.approx(right / 2),
    }
    for eta, told in ((0.43, True), (0.45, False), (0.55, False), (0.57, True)):
        slips = known(STEM, "q1", **{**OWN, "eta": eta})  # at a half it is the whole peak's
        assert ("counted one operation a weight" in slips) == told
    # η only known from 0.3 to 0.8
    assert known(STEM, "q5", **OWN, low=0.3, high=0.8) == {
        "": pytest.approx((chips(0.8), chips(0.3))),
        "multiplied by η where it divides": pytest.approx((peak * 0.3, peak * 0.8)),
        "kept the η of question 1 at one end": pytest.approx((right, chips(0.3))),
    }
    for high, told in ((0.46, True), (0.45, False), (0.36, False)):  # 0.4 is nearly 0.45
        slips = known(STEM, "q5", **OWN, low=0.3, high=high)
        assert ("kept the η of question 1 at one end" in slips) == told


def test_chips_in_all_regions():
    read = chips(0.4)  # 10.2
    own = {**OWN, "writers": 20, "regions": 3}
    assert known(STEM, "q2", **own) == {
        "": pytest.approx((read + 20) * 3 / 2),
        "left nothing to spare": pytest.approx(read + 20),
        "gave every region the whole load": pytest.approx((read + 20) * 3),
        "kept only readers to spare": pytest.approx(read * 3 / 2 + 20),
    }
    # with w writers it is w/2 short of (read + w) 3/2: less than 12 % up to w = 0.5625 read
    for writers, told in ((0.55 * read, False), (0.57 * read, True)):
        slips = known(STEM, "q2", **{**own, "writers": writers})
        assert ("kept only readers to spare" in slips) == told
    follow = load(STEM).questions["q2"].check.follow
    assert follow(variant(STEM, **own), Q_(40, "")) == pytest.approx(90)


def test_what_light_leaves_of_a_promise():
    # 4,800 km at 200,000 km/s: 24 ms there and 24 back; in empty space 16 and 16
    assert known(STEM, "q3", promise=150, far=4800) == {
        "": pytest.approx(102),
        "counted one way": pytest.approx(126),
        "let light travel as in empty space": pytest.approx(118),
        "gave the time of the way itself": pytest.approx(48),
    }
    # near the half of the promise nobody can tell it from what is left: at 70.6 and 79.4, not at 70
    for far, told in ((7000, True), (7060, False), (7940, False), (8000, True)):
        slips = known(STEM, "q3", promise=150, far=far)
        assert ("gave the time of the way itself" in slips) == told


ALL = frozenset(load(STEM).assignment.questions["q4"].choices)
BREAKS = [
    (  # load 1.12 with all requests, 1.05 with longer prompts, 1.14 with 1/0.7 of the reading, 0.92
        # with longer answers; the first token 0.98 and 1.07; cost 1.02 with dearer chips, 0.87
        {"load": 86, "reads": 75, "time": 75, "cost": 82, "watts": 20},
        {"requests", "length of prompts", "η", "price of a chip"},
        {"requests", "length of prompts", "η", "price of a chip"},
        ALL,
    ),
    (  # load 1.03, 0.93, 0.99 and 0.88; the first token 1.2 and 1.31; cost 0.9 and 0.71
        {"load": 79, "reads": 60, "time": 92, "cost": 70, "watts": 6},
        {"requests", "length of prompts", "η"},
        {"requests"},
        {"requests", "length of prompts", "length of answers", "η"},
    ),
    (  # load 0.98, 0.84, 0.87 and 0.89; the first token 0.91 and 1; cost 1.18 and 1.01
        {"load": 75, "reads": 40, "time": 69.9, "cost": 95, "watts": 20},
        {"price of a chip", "price of electricity"},
        {"price of a chip", "price of electricity"},
        {"η", "price of a chip", "price of electricity"},
    ),
    (  # load 1.27, 0.995, 1.001 and 1.26; the first token 0.13 and 0.14; cost 1.26 and 0.995
        {"load": 98, "reads": 5, "time": 10, "cost": 98, "watts": 5},
        {"requests", "length of answers", "η", "price of a chip"},
        {"requests", "length of answers", "η", "price of a chip"},
        ALL,
    ),
]


@pytest.mark.parametrize(("fleet", "breaks", "alone", "whole"), BREAKS)
def test_assumptions_that_break_a_fleet(fleet, breaks, alone, whole):
    assert known(STEM, "q4", **fleet) == {
        "": breaks,
        "forgot the promise": alone,
        "let an assumption move the whole where it moves a part": whole,
        "feared everything": ALL,
    }


def test_what_comes_to_exactly_all_of_it_does_not_break_a_fleet():
    # nothing of the load is reading and nothing of the cost electricity: neither moves them
    fleet = {"load": 100, "reads": 0, "time": 10, "cost": 100, "watts": 0}
    assert known(STEM, "q4", **fleet)[""] == {"requests", "length of answers", "price of a chip"}
    # 60 % of the cost is chips: 0.75 x 1.18 of it is left where they cost more
    fleet = {"load": 80, "reads": 50, "time": 10, "cost": 75, "watts": 40}
    assert known(STEM, "q4", **fleet)[""] == {"requests"}


LINES = {
    "line_1": "the requests of the busiest second",
    "line_2": "requests × prompt × 2 FLOP a weight ÷ (η × peak)",
    "line_3": "steps of full batches",
    "line_4": "the work × regions ÷ (regions − 1)",
    "line_5": "the promise − the way there and back",
}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (1, "the requests of an average second"),
        (2, "requests × 2 FLOP a weight ÷ (η × peak)"),
        (3, "a step for each request"),
        (4, "the work ÷ regions × (regions − 1)"),
        (5, "the promise − the way there"),
    ],
)
def test_a_line_of_a_proposal_that_is_wrong(line, wrong):
    slips = {"took the batch for the mistake": 3, "took the operations for the mistake": 2}
    assert known(STEM, "q6", **{**LINES, f"line_{line}": wrong}) == {
        "": f"line {line}",
        **{name: f"line {n}" for name, n in slips.items() if n != line},
    }


# ---- one region ----------------------------------------------------------------------------------

ASKED = {"all": 500, "answers": 64, "km": 5500, "beside": 1.0}  # 55 of 100 ms are on the way
REGION = """
question: which fleet for one region?
workload:
  {{phase: serve, model: {model}, prompt: {prompt}, tokens: {tokens}, arrival_rate_qps: {rate},
  precision: fp8, efficiency: {eta}}}
fleet: {{hardware: {device}, count: {count}, tensor_parallel: {ways}}}
environment: {{grid: {grid}, duration: {years} year, infrastructure_multiplier: {beside}}}
"""
RIGHT = {"model": "Llama3_70B", "prompt": 512, "tokens": 64, "rate": 500, "eta": 0.5}
RIGHT |= {"device": "MI300X", "count": 64, "ways": 4}
RIGHT |= {"grid": "Virginia", "years": 3, "beside": 1.0}


def region(**other):
    """A region that is right, with other numbers."""
    return Answer(value=REGION.format(**{**RIGHT, **other}))


def marked(asked=ASKED, **other):
    """What is said of it."""
    mark = load(STEM).questions["q7"].answered(region(**other), variant(STEM, **asked))[1]
    return "right" if mark.kind == "right" else mark.name or mark.message


def judged(**other):
    """Whether a region keeps 45 ms at no more than 80 % load, for which a search plans; and USD."""
    read = load(STEM).questions["q7"].read(region(**other), variant(STEM, **ASKED))
    found = judge(read.replace(constraints=("ttft < 45 ms",)))
    kept = found.verdict == SATISFIED and found.metrics["utilization"] <= 0.8
    return kept, found.metrics["tco"].m_as("USD")


def test_the_cheapest_region_is_that_of_all_that_were_tried_one_by_one():
    """No search: every whole number of nodes of eight, on each device in each division."""
    tried = product(("H100", "B200", "MI300X"), (2, 4), range(8, 129, 8))
    all_of_it = [judged(device=chip, ways=ways, count=count) for chip, ways, count in tried]
    cheapest = min(usd for kept, usd in all_of_it if kept)
    assert c18.frontier(*ASKED.values()) == pytest.approx(cheapest)
    assert judged() == (True, pytest.approx(cheapest))  # 64 of MI300X


def test_a_region_and_its_edges():
    assert marked() == marked(count=72) == "right"  # 12.5 % more
    assert "15 % more than the cheapest" in marked(count=80)  # 25 %
    assert "15 % more than the cheapest" in marked(device="B200", count=48)
    # 64 are at 72 % load; 1,300 requests at 80 % take 150, or 152 in whole nodes: 10.5 % more, 15.8
    most = {"all": 1300, "answers": 64, "km": 4000, "beside": 1.2}
    others = {"rate": 1300, "beside": 1.2}
    assert marked(most, **others, count=152) == marked(most, **others, count=168) == "right"
    assert "15 % more than the cheapest" in marked(most, **others, count=176)
    # the first token comes after 39.93 ms: 6,000 km leave 40 ms of it, 6,010 km 39.9
    far = "left out the way through the fibre"
    assert marked({**ASKED, "km": 6000}) == "right"
    assert marked({**ASKED, "km": 6010}) == far
    assert marked(ways=2, count=128) == marked(device="H100", ways=1, count=128) == far
    # half of the 500 requests, by 5 % of all at most
    spare = "left no region to spare"
    assert [marked(rate=rate) == spare for rate in (224, 226, 250, 274, 276)] == [0, 1, 1, 1, 0]
    for other, demand in (
        ({"model": "Llama3_8B"}, "it serves the model"),
        ({"prompt": 511}, "it serves the model"),
        ({"tokens": 63}, "it serves the model"),
        ({"eta": 0.51}, "η, multiplier, place and years"),
        ({"beside": 1.1}, "η, multiplier, place and years"),
        ({"grid": "Quebec"}, "η, multiplier, place and years"),
        ({"years": 4}, "η, multiplier, place and years"),
        ({"rate": 499}, "it carries all requests"),
        ({"count": 40}, "it works, and the first token"),
    ):
        assert demand in marked(**other), other
