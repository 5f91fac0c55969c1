"""Exercise 02 on paper: Llama 3 8B reads and writes on an H100."""

from __future__ import annotations

import pytest

from mlsysim.core.units import Q_
from tests.grading.by_hand import called, drawn, followed, known
from tests.paper import LLAMA3_8B as MODEL
from tests.paper import TAX

STEM = "02_two_phases"
OWN = {"model": "Llama3_8B", "device": "H100", "prompt": 2000, "batch": 30}
RATE, BAND = 989.4e12 / 2, 3.35e12  # half of the peak is reached; the cache has two bytes a value
FIRST = MODEL.prompt(2000)[0] / RATE + TAX  # seconds of reading: arithmetic takes longest
ONE = FIRST / 2000


def step(users):
    """Seconds in which each user gets a token: bytes take longest."""
    return MODEL.decode(users, 2000)[1] / BAND + TAX


def test_the_wait_for_the_first_word_and_what_a_written_token_is_worth():
    assert known(STEM, "q1", **OWN) == {
        "": pytest.approx(1e3 * FIRST),
        "divided bytes by the bandwidth": pytest.approx(1e3 * 2 * MODEL.parameters / BAND),
        "took the whole peak": pytest.approx(1e3 * MODEL.prompt(2000)[0] / (2 * RATE)),
        # each token with the whole prompt's cache
        "read the prompt token by token": pytest.approx(1e3 * 2000 * step(1)),
    }
    without = MODEL.decode(30, 0)[1] / BAND + TAX
    assert known(STEM, "q2", **OWN) == {
        "": pytest.approx(step(30) / 30 / ONE),
        "gave the whole step to every user": pytest.approx(step(30) / ONE),
        "left the caches out": pytest.approx(without / 30 / ONE),
        "compared operations": 1,
    }
    # a learner who waits 50 ms reads a token in 25 us
    own = followed(STEM, "q2", Q_(50, "ms"), **OWN)
    assert own == pytest.approx(step(30) / 30 / 25e-6)
    assert followed(STEM, "q2", Q_(0, "ms"), **OWN) is None


# reading waits for arithmetic: a higher peak, fewer tokens, fewer layers; writing for bytes: a
# higher bandwidth, fewer layers; more memory or users or a shorter answer shorten no pass
WAIT = {"twice the peak FLOPS", "a prompt half as long", "half as many layers"}
PACE = {"twice the bandwidth", "half as many layers"}
OTHER = {"twice the memory", "an answer half as long", "8 users at once"}


@pytest.mark.parametrize("which", range(6))
def test_what_shortens_the_wait_and_what_the_pace(which):
    drawn_here = drawn(STEM, "x1 x2 x3 x4 x5", which)
    changes = set(drawn_here.values())
    assert len(changes) == 5
    assert changes <= WAIT | PACE | OTHER
    goals = {"the wait for the first word": (WAIT, PACE), "the pace of the answer": (PACE, WAIT)}
    for goal, (right, other) in goals.items():
        assert known(STEM, "q3", **OWN, goal=goal, **drawn_here) == {
            "": changes & right,
            "took reading for writing, or writing for reading": changes & other,
            "marked everything that sounds faster": changes,
        }


# the L40S has the higher peak (362 against 148 TFLOP/s), the H20 the higher bandwidth (4 against
# 0.864 TB/s); Gaudi 3 1835 against 989.4 and H200 4.8 against 3.67; B200 both
@pytest.mark.parametrize(
    ("one", "two", "best", "by_peak", "by_bandwidth"),
    [
        ("L40S", "H20", "L40S reads, H20 SXM writes", "L40S for both", "H20 SXM for both"),
        (
            "H200",
            "Gaudi3",
            "Gaudi 3 reads, H200 SXM writes",
            "Gaudi 3 for both",
            "H200 SXM for both",
        ),
        ("B200", "H200", *["B200 HGX for both"] * 3),
        ("H200", "B200", *["B200 HGX for both"] * 3),
    ],
)
def test_which_chip_reads_and_which_writes(one, two, best, by_peak, by_bandwidth):
    assert known(STEM, "q4", one=one, two=two) == {
        "": best,
        "chose both by the peak": by_peak,
        "chose both by the bandwidth": by_bandwidth,
    }


# writers, tokens of context, chunk: waits for bytes; alone; for arithmetic; reads only; nobody
@pytest.mark.parametrize("asked", [(8, 2000, 64), (1, 500, 0), (64, 4000, 1024), (0, 0, 2048)])
def test_a_step_that_writes_and_reads(asked):
    writers, context, chunk = asked
    weights, caches = 2 * MODEL.parameters, writers * context * MODEL.held(1)

    def time(tokens, cached):
        return max(2 * MODEL.parameters * tokens / RATE, (weights + cached) / BAND)

    assert called(STEM, "q5", asked, **OWN) == {
        "": pytest.approx(time(writers + chunk, caches)),
        "added the times of two passes": pytest.approx(time(writers, caches) + time(chunk, 0)),
        "forgot the writers' caches": pytest.approx(time(writers + chunk, 0)),
    }


def test_the_batches_for_which_a_price_list_is_fair():
    def fair(worth):
        batches = [users for users in range(1, 200) if 8 <= worth(users) <= 18]
        return batches[0], batches[-1]

    # 81,559 MiB hold the weights and so many caches of 2,000 tokens
    full = (81_559 * 2**20 - 2 * MODEL.parameters) // (2000 * MODEL.held(1))
    low, high = fair(lambda users: step(users) / users / ONE)
    assert 1 < low < high < full
    assert known(STEM, "q6", **OWN, top=18, low=8) == {
        "": (low, high),
        "let the price fall with the batch alone": fair(lambda users: step(1) / users / ONE),
        "went on until the memory is full": (low, full),
    }
    # on an A100 7 to 15 users are fair: the caches of so few change the price by too little to tell
    few = known(STEM, "q6", model="Llama3_8B", device="A100", prompt=1000, top=14, low=6)
    assert few.keys() == {"", "went on until the memory is full"}
