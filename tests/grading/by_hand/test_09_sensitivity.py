"""Exercise 09 on paper: a chip for a deadline, and what waits for memory."""

from __future__ import annotations

import pytest

from mlsysim.core.units import Q_
from tests.grading.by_hand import called, drawn, followed, judged, known

STEM = "09_sensitivity"
# Llama 3 8B: 32 layers of 4096, 8 key-value heads of 128, a gated ffn of 14336, vocabulary 128256;
# a step reads every matrix and, of the table of embeddings, one row a user
LAYERS, HIDDEN, FFN, WORDS = 32, 4096, 14336, 128_256
MATRICES = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * 1024 + 3 * HIDDEN * FFN) + WORDS * HIDDEN
PARAMETERS = MATRICES + WORDS * HIDDEN + (2 * LAYERS + 1) * HIDDEN  # the table, and the norms
TOKEN = 2 * 2 * LAYERS * 8 * 128  # bytes of keys and values, fp16
LATE, BATCH, CONTEXT, CROWD, LONGER = 24e-3, 12, 5120, 64, 3584
OWN = {"model": "Llama3_8B", "late": 24, "batch": BATCH, "context": CONTEXT}
OWN |= {"crowd": CROWD, "longer": LONGER}
H100 = {"device": "H100", "eta": 0.42}
PEAK, BANDWIDTH = 989.4e12, 3.35e12  # of an H100


def weights(users):
    """Bytes of all weights that a step reads."""
    return 2 * MATRICES + 2 * users * HIDDEN


def read(users, tokens):
    """Bytes of a step of users with so many tokens each."""
    return weights(users) + users * tokens * TOKEN


def operations(users, tokens):
    """A multiply and an add a weight, and both products of attention."""
    return users * (2 * MATRICES + LAYERS * 4 * tokens * HIDDEN)


def test_the_bandwidth_that_a_deadline_demands():
    own = read(BATCH, CONTEXT)
    assert known(STEM, "q1", **OWN) == pytest.approx(
        {
            "": own / LATE / 1e12,
            "whole_table": (2 * PARAMETERS + BATCH * CONTEXT * TOKEN) / LATE / 1e12,
            "left out the caches": weights(BATCH) / LATE / 1e12,
            "let every user read the weights again": BATCH * read(1, CONTEXT) / LATE / 1e12,
            "took one byte a number": own / 2 / LATE / 1e12,
        }
    )


def test_the_step_of_a_crowd_on_that_chip():
    crowd, ms = read(CROWD, LONGER), 24 / read(BATCH, CONTEXT)
    assert known(STEM, "q2", **OWN) == pytest.approx(
        {
            "": crowd * ms,
            "kept the deadline": 24,
            "stretched the step by the number of users": 24 * CROWD / BATCH,
            "gave the crowd the contexts of question 1": read(CROWD, CONTEXT) * ms,
        }
    )
    assert followed(STEM, "q2", Q_(2, "TB/s"), **OWN) == pytest.approx(crowd / 2e12 * 1e3)
    assert followed(STEM, "q2", Q_(0, "TB/s"), **OWN) is None


@pytest.mark.parametrize(
    ("name", "slip", "unseen", "seen"),
    [
        # half of all bytes are the weights where caches are as large: 15.0 GB are 114,500 tokens;
        # of 131,072 tokens half of all is 7 % more
        ("q1", "took one byte a number", {"batch": 14, "context": 8192}, {"batch": 16}),
        # a window of 4,096 tokens holds no more of 6,144
        (
            "q2",
            "gave the crowd the contexts of question 1",
            {"model": "Mistral_7B", "context": 6144, "longer": 4096},
            {"model": "Llama3_8B"},
        ),
        # 1 - 1/1.2 is 0.2 / 1.2, and 0.2 / 1.1 is 9 % more
        (
            "q4",
            "took the time saved for the time spent",
            {"gain": 1.2, "ratio": 2.2},
            {"ratio": 2.1},
        ),
    ],
)
def test_a_slip_that_nobody_can_tell_from_another_is_left_out(name, slip, unseen, seen):
    assert slip not in known(STEM, name, **{**OWN, **unseen})
    assert slip in known(STEM, name, **{**OWN, **unseen, **seen})


def test_which_changes_help():
    flops, bandwidth, room = "twice the FLOPS", "twice the bandwidth", "twice the capacity"
    tokens, dispatch = "half the tokens", "half the dispatch"
    # products of 384 users take 384 x 15.0 GFLOP at 494.7 TFLOP/s, 11.7 ms, and only 4.5 ms of
    # bytes; their caches are 51.5 GB, 15.4 ms, and 0.4 ms of arithmetic; all of it under one roof
    # would be 19.9 ms of bytes; dispatch is 10 us
    assert known(STEM, "q3", **OWN, **H100, phase="decode", users=384, tokens=1024) == {
        "": {flops, bandwidth, tokens},
        "put the whole step under one roof": {bandwidth, tokens},
        "took room for speed": {flops, bandwidth, tokens, room},
        "thought that every upgrade helps a little": {flops, bandwidth, tokens, room, dispatch},
    }
    # one user: the weights take 4.5 ms, and every 1,000 tokens of cache 39 us
    # a prompt: 62 TFLOP take 125 ms; but 65 norms read and write 4,096 rows of 4,096 values each,
    # 32 activations read two and write one of 14,336, and the head is read for a single token: 5 ms
    for phase, length, changes in (
        ("decode", 128, {bandwidth}),
        ("decode", 1900, {bandwidth}),
        ("decode", 32768, {bandwidth, tokens}),
        ("prefill", 4096, {flops, bandwidth, tokens}),
    ):
        found = known(STEM, "q3", **OWN, **H100, phase=phase, users=1, tokens=length)
        assert found[""] == changes


def test_the_share_that_waits_by_a_measurement():
    # of 12 units of time 10 are left; a chip of 1.6 times the bandwidth saves 3/8 of what waits
    assert known(STEM, "q4", gain=1.2, ratio=1.6) == pytest.approx(
        {
            "": (2 / 12) / (3 / 8),
            "divided a gain by a gain": 0.2 / 0.6,
            "divided a ratio by a ratio": 1.2 / 1.6,
            "took the time saved for the time spent": 2 / 12,
        }
    )


def test_the_wrong_line_of_each_draft():
    # the drafts stand in the order of their faults: one user's cache, an efficiency for bytes,
    # operations of one user, an efficiency that multiplies, a memory without the weights
    lines = "line_1 line_2 line_3 line_4 line_5"
    assert [known(STEM, "q5", **drawn(STEM, lines, which)) for which in range(5)] == [
        {
            "": f"line {n}",
            "doubted the efficiency where it is right": "line 4",
            "wanted an efficiency for the bytes": "line 2",
        }
        for n in (1, 2, 3, 4, 5)
    ]


def chip(bandwidth=1.05, peak=1.05, capacity=1.05):
    """What is said of a chip with so many times what question 1 needs."""
    held = 2 * PARAMETERS + BATCH * CONTEXT * TOKEN
    widest = 2 * BATCH * (HIDDEN + WORDS)  # beside them a step keeps hidden states and logits
    text = (
        "release_year: 2027\n"
        f"compute: {{peak_flops: {peak * operations(BATCH, CONTEXT) / LATE / 0.5!r} FLOP/s}}\n"
        f"memory: {{capacity: {capacity * (held + widest)!r} B,"
        f" bandwidth: {bandwidth * read(BATCH, CONTEXT) / LATE!r} B/s}}"
    )
    mark = judged(STEM, "q6", text, **OWN)
    return mark.name or mark.message.partition(". ")[0]


@pytest.mark.parametrize("need", ["bandwidth", "peak", "capacity"])
def test_a_chip_has_enough_of_each_and_ten_percent_to_spare(need):
    for part in (1.0001, 1.0999):
        assert chip(**{need: part}) == "Right"
    assert chip(**{need: 0.999}).endswith(f"its {need} is enough")
    assert chip(**{need: 1.101}).endswith(f"its {need} has at most 10 % to spare")


def test_faults_of_a_chip():
    alone = weights(BATCH) / read(BATCH, CONTEXT)
    for part in (0.96, 1.0, 1.09):  # of what the weights alone, or another unit, would take
        assert chip(bandwidth=part * alone) == "planned for the weights alone"
        assert chip(bandwidth=part * 8) == chip(bandwidth=part / 8) == "took bits for bytes"
        assert chip(peak=part / 2) == "forgot the efficiency"
    for part in (0.94, 1.11):
        assert chip(bandwidth=part * alone).endswith("its bandwidth is enough")
        assert chip(bandwidth=part / 8).endswith("its bandwidth is enough")
        assert chip(peak=part / 2).endswith("its peak is enough")


def test_what_takes_as_long_in_arithmetic_does_not_wait_for_memory():
    found = called(STEM, "q7", (BANDWIDTH, 0.42 * PEAK, BANDWIDTH, 0), **H100)
    assert found[""] == 1 / 2  # a second of either, and one of bytes alone


def test_the_share_of_a_step_that_waits_as_a_function():
    def ms(*times):  # bytes and operations that take so long, of weights and then of caches
        rates = (BANDWIDTH, 0.42 * PEAK) * 2
        step = (t / 1e3 * rate for t, rate in zip(times, rates, strict=True))
        return called(STEM, "q7", tuple(step), **H100)

    slips = "took one maximum for the whole step", "forgot the efficiency"
    for times, shares in {
        # weights wait for arithmetic, at the full peak for 12.6 ms; caches wait for bytes
        (10, 30, 5, 1): (5 / 35, 0, 5 / 17.6),
        # the other way round; together 15 ms of bytes and 15.5 of arithmetic
        (10, 4, 5, 11.5): (10 / 21.5, 0, 1),
        (10, 4, 5, 8): (10 / 18, 1, 1),
        (10, 30, 5, 25): (0, 0, 0),
        (10, 0, 5, 1): (1, 1, 1),
        (0, 0, 0, 0): (0, 0, 0),
    }.items():
        assert ms(*times) == pytest.approx(dict(zip(("", *slips), shares, strict=True)))
