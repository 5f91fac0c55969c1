"""Exercise 14 on paper: users on a card, the longer clock of a step, a cache over a link."""

from __future__ import annotations

from math import ceil

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from tests.grading.by_hand import called, known, variant

STEM = "14_custom_hardware_and_solvers"

# Llama 3 8B: 32 layers of 4096, 8 key-value heads of 128 for 32 query heads, a gated ffn of 14336,
# vocabulary 128256; fp16. Tables of embeddings and head, and two norms a layer, are weights too.
LAYERS, HIDDEN, FFN, VOCABULARY = 32, 4096, 14336, 128_256
HEAD = VOCABULARY * HIDDEN
MATRICES = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * 1024 + 3 * HIDDEN * FFN)
WEIGHTS = 2 * (MATRICES + 2 * HEAD + (2 * LAYERS + 1) * HIDDEN)
TOKEN = 2 * LAYERS * 2 * 8 * 128  # bytes of keys and values of one token


def read(users, tokens):
    """Bytes of a decode step: all matrices, the caches, a row of the table a user."""
    return 2 * (MATRICES + HEAD) + users * (tokens * TOKEN + 2 * HIDDEN)


def computed(users, tokens, peak):
    """Seconds of its arithmetic, where so much of the peak is reached."""
    return users * (2 * (MATRICES + HEAD) + LAYERS * 4 * tokens * HIDDEN) / peak


def test_a_full_card_and_what_it_writes():
    own = {"model": "Llama3_8B", "room": 33, "context": 1000}
    free, cache = 0.9 * 33e9 - WEIGHTS, 1000 * TOKEN
    users = free // cache
    paged = ceil(1000 / 16) * 16 * TOKEN + 2 * (HIDDEN + VOCABULARY)  # and a step's activations
    assert known(STEM, "q1", **own) == {
        "": users,
        "pages": free // paged,
        "left no room for the weights": 0.9 * 33e9 // cache,
        "left nothing in reserve": (33e9 - WEIGHTS) // cache,
        "gave every query head its own keys and values": free // (4 * cache),
    }
    assert (users, free // paged) == (104, 103)

    # arithmetic takes the longer time of a card with 60 TFLOP/s, the bytes of one with 400
    alone, all_of_them = read(1, 1000), read(users, 1000)
    slips = ("let one user write at a time", "read the caches alone", "took the whole peak")
    assert known(STEM, "q2", **own, peak=60, wide=1.3) == pytest.approx(
        {
            "": users / computed(users, 1000, 30e12),
            slips[0]: 1.3e12 / alone,
            slips[1]: 1.3e12 / cache,
            slips[2]: users / computed(users, 1000, 60e12),
        }
    )
    fast = {**own, "peak": 400, "wide": 0.5}
    assert known(STEM, "q2", **fast) == pytest.approx(
        {"": users * 0.5e12 / all_of_them, slips[0]: 0.5e12 / alone, slips[1]: 0.5e12 / cache}
    )
    follow, v = load(STEM).questions["q2"].check.follow, variant(STEM, **fast)
    assert follow(v, Q_(50.2, "")) == pytest.approx(50 * 0.5e12 / read(50, 1000))
    assert follow(v, Q_(1, "")) == pytest.approx(0.5e12 / alone)
    assert [follow(v, Q_(many, "")) is None for many in (0.2, 99_999, 100_000)] == [1, 0, 1]


def test_users_counted_by_the_solver_of_the_worked_example_are_right_too():
    v = variant(STEM, model="Qwen2_5_7B", room=21, context=520)
    for users, said in ((123, "Right."), (119, "Right, if you gave every user whole pages")):
        mark = load(STEM).questions["q1"].answered(Answer(value=users), v)[1]
        assert mark.points == mark.out_of, users
        assert mark.message.startswith(said)


@pytest.mark.parametrize(
    ("measured", "peak", "tested"),
    [
        ("decode with 1, with 2 and with 4 users", 200, {"bandwidth"}),
        # 4 x 15 GFLOP at half of 10 TFLOP/s take 12 ms, 15 GB at 2.1 TB/s 7 ms; one user 3 ms
        ("decode with 1, with 2 and with 4 users", 10, {"bandwidth", "peak"}),
        ("prompts of 4,096 tokens, one by one", 200, {"peak"}),
        ("decode with 1 user, and prompts of 4,096 tokens", 200, {"bandwidth", "peak"}),
        ("how many users fit", 200, {"capacity"}),
        ("decode with 1 user, and how many users fit", 200, {"bandwidth", "capacity"}),
        ("prompts of 4,096 tokens, and how many users fit", 200, {"peak", "capacity"}),
    ],
)
def test_a_measurement_tests_the_number_that_limits_it(measured, peak, tested):
    every = {"peak", "bandwidth", "capacity", "power"}
    assert known(STEM, "q3", model="Llama3_8B", peak=peak, wide=2.1, measured=measured) == {
        "": every - tested,
        "named what was tested": tested,
        "let a stopwatch measure watts": every - tested - {"power"},
        "trusted no measurement at all": every,
    }


@pytest.mark.parametrize(
    ("peak", "wide", "room", "context", "best"),
    [
        (40, 2.6, 30, 2048, "twice the FLOPS"),
        (450, 1.6, 36, 2048, "twice the bandwidth"),
        (300, 0.7, 20, 1536, "twice the capacity"),  # 9 users become 99
        (450, 1, 26, 2048, "twice the capacity"),  # 27 users become 114: 2.04 times the tokens
    ],
)
def test_a_revision_doubles_the_number_that_writes_most(peak, wide, room, context, best):
    def written(peak, wide, room):
        users = (0.9 * room * 1e9 - WEIGHTS) // (context * TOKEN)
        times = read(users, context) / (wide * 1e12), computed(users, context, peak * 1e12 / 2)
        return users / max(times)

    revised = {
        "twice the FLOPS": written(2 * peak, wide, room),
        "twice the bandwidth": written(peak, 2 * wide, room),
        "twice the capacity": written(peak, wide, 2 * room),
    }
    assert max(revised, key=revised.get) == best
    other = {"second": "Llama3_8B", "second_peak": peak, "second_wide": wide}
    assert known(STEM, "q4", **other, second_room=room, second_context=context) == {
        "": best,
        "took bandwidth for what always counts": "twice the bandwidth",
        "took FLOPS for speed": "twice the FLOPS",
        "took room for what always counts": "twice the capacity",
    }


def test_a_cache_is_fetched_where_the_link_is_quicker_than_reading_again():
    own = {"model": "Llama3_8B", "prompt": 3072, "peak": 200, "wide": 1.1, "eta": 0.4}
    # a prompt: a multiply and an add a weight and token, the head for its last token alone, and
    # both products of causal attention, 4 FLOP a value and pair
    pairs = 3072 * 3073 / 2
    operations = 2 * 3072 * MATRICES + 2 * HEAD + LAYERS * 4 * pairs * HIDDEN
    link = 3072 * TOKEN / (operations / (0.4 * 200e12)) / 1e9
    assert known(STEM, "q5", **own) == pytest.approx(
        {
            "": link,
            "took the whole peak": link / 0.4,
            "gave every query head its own keys and values": 4 * link,
            "wanted the link to be as fast as the memory": 1100,
        }
    )
    # Llama 2 7B gives every head keys of its own: nobody can make more of them
    every_head = known(STEM, "q5", **{**own, "model": "Llama2_7B"})
    assert "gave every query head its own keys and values" not in every_head


def test_the_quicker_of_two_ways_as_a_function():
    own = {"peak": 200, "eta": 0.4}  # 8 TFLOP take 0.1 s, or 0.04 s at the whole peak
    slips = ("took bits for bytes", "took the whole peak", "fetched over every link")
    for arguments, *found in (
        ((1e9, 8e12, 100), 0.08, 0.01, 0.04, 0.08),
        ((1e9, 8e12, 10), 0.1, 0.1, 0.04, 0.8),
        ((1e9, 8e12, 20), 0.1, 0.05, 0.04, 0.4),
        ((1e9, 8e12, 0), 0.1, 0.1, 0.04, 0.1),  # no link
        ((0, 8e12, 1), 0, 0, 0, 0),
    ):
        assert called(STEM, "q6", arguments, **own) == pytest.approx(
            dict(zip(("", *slips), found, strict=True))
        ), arguments


CHIP = """
release_year: 2027
compute: {{peak_flops: 900 TFLOP/s}}
memory: {{capacity: {room:.2f} GB, bandwidth: {wide:.3f} GB/s}}
"""


def test_a_chip_for_a_crowd_at_each_of_its_edges():
    """Room for weights and caches is in nine tenths of it; what moves in a step, in its time."""
    v = variant(STEM, model="Llama3_8B", crowd=24, context=1040, late=26)
    cache = 1040 * TOKEN

    def tried(users=24.0, ms=26.0, room=None, times=1.0):
        room = (WEIGHTS + users * cache) / 0.9 if room is None else room
        wide = times * read(24, 1040) / ms * 1e3
        text = CHIP.format(room=room / 1e9, wide=wide / 1e9)
        mark = load(STEM).questions["q7"].answered(Answer(value=text), v)[1]
        return mark.name or mark.message

    for users in (24, 24.5, 26.8):
        assert tried(users=users).startswith("Right"), users
    assert "24 users fit" in tried(users=23.6)
    assert "at most a tenth more" in tried(users=27.4)
    for ms in (26, 25, 23.5):
        assert tried(ms=ms).startswith("Right"), ms
    assert "takes at most 26 ms" in tried(ms=26.05)
    assert "at least nine tenths" in tried(ms=23.3)
    for room in (0.96, 1.0, 1.09):
        alone = room * 24 * cache / 0.9
        # the solvers may still step through what does not fit: the fault is named, not refused
        assert tried(room=alone) == "left no room for the weights", room
    assert "24 users fit" in tried(room=0.94 * 24 * cache / 0.9)
    assert tried(times=8, ms=25) == tried(times=1 / 8, ms=25) == "took bits for bytes"
