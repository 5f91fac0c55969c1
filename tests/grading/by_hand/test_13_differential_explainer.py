"""Exercise 13 on paper: clocks of bytes and of arithmetic, on one chip and on another."""

from __future__ import annotations

import pytest

from grading.check import load
from mlsysim.course.sheet import Answer
from tests.grading.by_hand import called, known, variant

STEM = "13_differential_explainer"

# Llama 3 8B: 32 layers of 4096, 8 key-value heads of 128, a gated ffn of 14336, vocabulary 128256;
# fp16. A step reads every matrix and, of the table of embeddings, one row a user.
LAYERS, HIDDEN, FFN, HEAD = 32, 4096, 14336, 128_256 * 4096
MATRICES = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * 1024 + 3 * HIDDEN * FFN)
TOKEN = 2 * LAYERS * 2 * 8 * 128  # bytes of keys and values of one token
CHIPS = {"A100": (312e12, 2.039e12), "H100": (989.4e12, 3.35e12)}  # FLOP/s and bytes a second


def clocks(chip, users, tokens, eta):
    """Seconds of the bytes and of the arithmetic of a decode step."""
    peak, bandwidth = CHIPS[chip]
    moved = 2 * (MATRICES + HEAD) + users * (tokens * TOKEN + 2 * HIDDEN)
    operations = users * (2 * (MATRICES + HEAD) + LAYERS * 4 * tokens * HIDDEN)
    return moved / bandwidth, operations / (eta * peak)


def test_a_step_that_meets_another_roof_on_another_chip():
    own = {"model": "Llama3_8B", "old": "A100", "new": "H100"}
    own |= {"batch": 128, "context": 96, "eta": 0.45}
    old, new = (clocks(chip, 128, 96, 0.45) for chip in ("A100", "H100"))
    assert old[1] > 1.5 * old[0]
    assert new[0] > 1.1 * new[1]
    launch = 1e-5
    assert known(STEM, "q1", **own) == pytest.approx(
        {
            "": (old[1] + launch) / (new[0] + launch),
            "followed the FLOPS": 989.4 / 312,
            "followed the bandwidth": 3.35 / 2.039,
            "multiplied both changes": 989.4 / 312 * 3.35 / 2.039,
        }
    )
    assert known(STEM, "q2", **own) == {
        "": "arithmetic before and bytes after",
        "thought that a step keeps its roof": "arithmetic both times",
        "took all writing for memory-bound": "bytes both times",
        "took every batch for compute-bound": "arithmetic both times",
    }
    back = {**own, "old": "H100", "new": "A100"}
    assert known(STEM, "q1", **back)[""] == pytest.approx((new[0] + launch) / (old[1] + launch))
    assert known(STEM, "q2", **back) == {
        "": "bytes before and arithmetic after",
        "thought that a step keeps its roof": "bytes both times",
        "took all writing for memory-bound": "bytes both times",
        "took every batch for compute-bound": "arithmetic both times",
    }


def test_a_step_that_keeps_its_roof_shows_no_slip_that_gives_the_truth():
    # twice bytes: 3.35 and 4.8 TB/s at the same FLOPS; the launch takes less than a hundredth
    own = {"model": "Llama3_8B", "old": "H100", "new": "H200", "batch": 8, "context": 96}
    bytes_time, _ = clocks("H100", 8, 96, 0.5)
    faster = (bytes_time + 1e-5) / (bytes_time * 3.35 / 4.8 + 1e-5)
    assert known(STEM, "q1", **own) == pytest.approx({"": faster, "followed the FLOPS": 1})
    assert known(STEM, "q2", **own)[""] == "bytes both times"


def test_a_third_chip_has_both_clocks_and_waits_for_the_longer():
    # A: bytes 24 ms. B, of 1.1 times the FLOPS: arithmetic 15 ms, which is 16.5 ms on A
    own = {"ta": 24, "tb": 15}
    slips = ("followed the bandwidth alone", "followed the FLOPS alone")
    for wide, quick, found in (
        (2, 0.8, {"": 16.5 / 0.8, slips[0]: 24 / 2, "took chip B's time for chip A's": 15 / 0.8}),
        (1.2, 1.1, {"": 24 / 1.2, slips[1]: 16.5 / 1.1}),  # bytes: A's clock is known as it is
        (1.6, 1.1, {"": 16.5 / 1.1}),  # 15 ms either way: nothing tells what was followed
    ):
        known_here = known(STEM, "q3", **own, wide=wide, quick=quick)
        assert known_here == pytest.approx(found), (wide, quick)


def test_the_line_that_is_wrong_is_the_one_that_contradicts_both_clocks():
    # bytes 20 ms and arithmetic 15 ms; twice the bandwidth: 10 ms and 15 ms
    right = (
        "it waited for its bytes",
        "10 ms and the arithmetic 15 ms",
        "it waits for its arithmetic",
        "20 ÷ 15 = 1.33",
        "more FLOPS",
    )
    names = "line_1 line_2 line_3 line_4 line_5"
    drawn = load(STEM).assignment.axes[names]
    wrong = [next(n for n in range(5) if lines[n] != right[n]) for lines in drawn]
    assert sorted(wrong) == [0, 1, 2, 3, 4]
    for at, lines in zip(wrong, drawn, strict=True):
        slips = {
            "wanted the gain to be that of the bandwidth": "line 4",  # 1.33 where 2 was paid for
            "did not believe in a change of roofs": "line 3",
        }
        truth = f"line {at + 1}"
        found = known(STEM, "q4", **dict(zip(names.split(), lines, strict=True)))
        assert found == {"": truth, **{n: line for n, line in slips.items() if line != truth}}


def test_services_gain_by_the_share_of_their_time_that_the_upgrade_touches():
    # ms of reading at 0.1 a token and of writing at 0.8: a 400 and 80, b 60 and 336, c 90 and 720,
    # d 80 and 960. The part that is written: a 17 %, b 85 %, c 89 %, d 92 %
    own = {"a_in": 4000, "a_out": 100, "b_in": 600, "b_out": 420}
    own |= {"c_in": 900, "c_out": 900, "d_in": 800, "d_out": 1200}
    for more_flops, more_bytes, order in ((1.1, 2.2, "abcd"), (2.4, 1.5, "dcba")):
        assert known(STEM, "q5", **own, more_flops=more_flops, more_bytes=more_bytes) == {
            "": tuple(order),
            "ordered by what is written": tuple("abcd"),
            "put the largest first": tuple(reversed(order)),
        }
    # many short answers: a writes 300 tokens and reads for 600 ms, b writes 100 and reads nothing
    own |= {"a_in": 6000, "a_out": 300, "b_in": 1, "b_out": 100}
    assert known(STEM, "q5", **own, more_flops=1.1, more_bytes=2.2) == {
        "": tuple("acdb"),
        "ordered by what is written": tuple("bacd"),
        "put the largest first": tuple("bdca"),
    }


CHIP = """
release_year: 2027
compute: {{peak_flops: {peak:.5f} TFLOP/s}}
memory: {{capacity: {room:.5f} GiB, bandwidth: {wide:.6f} TB/s}}
dispatch_tax: {launch} us
"""


def test_a_chip_whose_step_is_as_much_faster_as_asked_for():
    """On an A100: 312 TFLOP/s, 2.039 TB/s and 80 GiB; the launch of 10 us does not shrink."""
    step = {"model": "Llama3_8B", "old": "A100", "want": 1.5}
    writing = variant(STEM, **step, phase="decode", users=2, tokens=256)
    reading = variant(STEM, **step, phase="prefill", users=1, tokens=1024)
    bytes_time, _ = clocks("A100", 2, 256, 0.5)
    # a prompt: a multiply and an add a weight and token, the head for its last token alone, and
    # both products of causal attention, 4 FLOP a value and pair
    pairs = 1024 * 1025 / 2
    operations = 2 * 1024 * MATRICES + 2 * HEAD + LAYERS * 4 * pairs * HIDDEN
    work_time = operations / (0.5 * 312e12)

    def tried(v, **numbers):
        text = CHIP.format(**{"peak": 312, "room": 80, "wide": 2.039, "launch": 10, **numbers})
        mark = load(STEM).questions["q6"].answered(Answer(value=text), v)[1]
        return mark.name or mark.message

    def raised(clock, times):  # the factor that a resource needs for a step so many times as fast
        return clock / ((clock + 1e-5) / times - 1e-5)

    for v, clock, own, other in (
        (writing, bytes_time, ("wide", 2.039), ("peak", 312)),
        (reading, work_time, ("peak", 312), ("wide", 2.039)),
    ):
        name, value = own

        def by(times, clock=clock, name=name, value=value):
            return {name: value * raised(clock, times)}

        for times in (1.4995, 1.5, 1.6, 1.6495):
            assert tried(v, **by(times)).startswith("Right"), times
        for times, unmet in ((1.498, "at least 1.5 times"), (1.651, "at most a tenth faster")):
            assert unmet in tried(v, **by(times)), times
        idle = {other[0]: 1.5 * other[1]}
        assert tried(v, **idle) == "raised the roof that is not met"
        assert tried(v, **by(1.55), **idle) == "raised both"
        smaller = {other[0]: 0.985 * other[1]}  # neither is what it was, and nothing was wasted
        assert "peak or bandwidth is that of the old" in tried(v, **by(1.55), **smaller)
        near = {other[0]: 0.995 * other[1]}
        assert tried(v, **by(1.55), **near).startswith("Right")
        for room, said in ((81.5, "Right"), (78.5, "Right"), (82, "capacity"), (78, "capacity")):
            assert said in tried(v, **by(1.55), room=room), room
        assert "a launch takes 10 us" in tried(v, **by(1.55), launch=9)


def test_a_speed_up_as_a_function():
    own = {"factor_b": 2, "factor_f": 1.5}
    slips = ("kept the roof of the old chip", "multiplied both factors", "forgot the launch")
    for arguments, *found in (
        # 20 ms of bytes become 10, 18 ms of arithmetic 12
        ((20, 18, 1), 21 / 13, 21 / 11, 21 / (1 + 20 / 3), 20 / 12),
        # 18 ms of bytes become 9, 20 ms of arithmetic 40 / 3
        ((18, 20, 2), 22 / (2 + 40 / 3), 22 / (2 + 40 / 3), 22 / (2 + 20 / 3), 1.5),
        ((20, 12, 0), 2, 2, 3, 2),
        ((15, 15, 0), 1.5, 2, 3, 1.5),  # at the meeting point neither roof is the old one
        ((0, 0, 1), 1, 1, 1, 1),
        ((0, 0, 0), 1, 1, 1, 1),
    ):
        assert called(STEM, "q7", arguments, **own) == pytest.approx(
            dict(zip(("", *slips), found, strict=True))
        ), arguments
