"""Exercise 05 on paper: Llama 3 8B in few bits."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from tests.grading.by_hand import called, followed, known

STEM = "05_quantization"
# Llama 3 8B: 32 layers of 4096, 32 heads and 8 of keys of 128, a gated ffn of 14336, vocabulary
# 128256; the table of words and the last layer are ends of the same size
LAYERS, HIDDEN = 32, 4096
END = 128_256 * HIDDEN
MATRICES = LAYERS * (2 * HIDDEN**2 + 2 * HIDDEN * 1024 + 3 * HIDDEN * 14336)
PARAMETERS = MATRICES + 2 * END + (2 * LAYERS + 1) * HIDDEN  # and norms
VALUES = 2 * LAYERS * 8 * 128  # keys and values of a token
H100, MEMORY = 989.4e12, 3.35e12  # FLOP/s in 16 bits, B/s


def test_a_file_and_the_speed_of_one_user():
    own = {"model": "Llama3_8B", "bits": 4, "group": 64, "context": 5000}
    inner, ends = PARAMETERS - 2 * END, 2 * END * 2  # weights in groups; bytes that stay wide
    file = inner * (4 + 16 / 64) / 8 + ends
    assert known(STEM, "q1", **own) == {
        "": pytest.approx(file / 1e9),
        "left out the scales": pytest.approx((inner * 4 / 8 + ends) / 1e9),
        "narrowed the table of words and the last layer too": pytest.approx(
            PARAMETERS * (4 + 16 / 64) / 8 / 1e9
        ),
        "multiplied all parameters by the bits": pytest.approx(PARAMETERS * 4 / 8 / 1e9),
    }
    cache, table = 5000 * VALUES * 2, END * 2  # of 16 bits; a step reads no table of words
    wide = 2 * PARAMETERS - table
    assert known(STEM, "q2", **own) == {
        "": pytest.approx((wide + cache) / (file - table + cache)),
        "divided the bits": 4,
        "divided the sizes of the files": pytest.approx(2 * PARAMETERS / file),
        "left the cache out": pytest.approx(wide / (file - table)),
    }
    five = followed(STEM, "q2", Q_(5, "GB"), **own)
    assert five == pytest.approx((wide + cache) / (5e9 - table + cache))


def test_a_third_file_on_the_line_through_two():
    # 4 ms for 7 GB: 4 ÷ 7 ms a GB, and 8.5 ÷ 7 ms that stay
    own = {"g1": 14.5, "t1": 9.5, "g2": 7.5, "t2": 5.5, "g3": 4.4}
    assert known(STEM, "q3", **own) == {
        "": pytest.approx((8.5 + 4 * 4.4) / 7),
        "scaled the first point by the bytes": pytest.approx(9.5 * 4.4 / 14.5),
        "scaled the second point by the bytes": pytest.approx(5.5 * 4.4 / 7.5),
    }


def step(change, users, tokens, peak=H100, bandwidth=MEMORY):
    """Seconds of the longer roof: bytes, or a multiply and an add a weight and user and attention.

    The solver adds what is read of the table of words, the scales, and 10 us: none changes an
    order here.
    """
    bits = {"weights in 4 bits": 4, "weights and arithmetic in 8 bits": 8}.get(change, 16)
    cache = users * tokens * VALUES * (1 if change == "a cache in 8 bits" else 2)
    work = users * (2 * (MATRICES + END) + LAYERS * 4 * tokens * HIDDEN)
    rate = 0.5 * peak * (2 if "arithmetic" in change else 1)
    return max(
        (MATRICES * bits / 8 + END * (1 if bits == 8 else 2) + cache) / bandwidth, work / rate
    )


CHIPS = {"H100": (H100, 3.35e12), "H200": (H100, 4.8e12), "MI300X": (1307.4e12, 5.3e12)}


def test_what_is_worth_narrowing():
    assigned: Any = load(STEM).assignment
    choices = assigned.questions["q4"].choices
    chips, loads = (assigned.axes[axis] for axis in ("chip", "users tokens"))
    for chip, (users, tokens) in product(chips, loads):
        best = min(choices, key=lambda change: step(change, users, tokens, *CHIPS[chip]))
        assert known(STEM, "q4", chip=chip, users=users, tokens=tokens) == {
            "": best,
            "took the fewest bits for the fastest": "weights in 4 bits",
            "took room for speed": "twice the memory",
        }


def test_which_load_gains_most():
    axis = "scheme b1 n1 b2 n2 b3 n3 b4 n4"
    for scheme, *numbers in load(STEM).assignment.axes[axis]:
        loads = list(zip(numbers[::2], numbers[1::2], strict=True))

        def ranked(key, loads=loads):
            return tuple(f"{users} × {tokens:,} tokens" for users, tokens in sorted(loads, key=key))

        own = dict(zip(axis.split(), (scheme, *numbers), strict=True))
        assert known(STEM, "q5", **own) == {
            "": ranked(lambda of, now=scheme: step(now, *of) / step("", *of)),
            "ordered by the number of users": ranked(lambda of: of[0]),
            "ordered by the length of the contexts": ranked(lambda of: -of[1]),
        }


def test_a_step_with_narrow_weights():
    own = {"model": "Llama3_8B", "device": "H100", "cache_bits": 8}
    weights, user = PARAMETERS / 8 / MEMORY, 2 * PARAMETERS / (0.5 * H100)  # of a bit; of a user
    token = VALUES / MEMORY  # of one byte a value
    rows = {  # waits for weights; for arithmetic; has no cache
        (4, 16, 5000): (4 * weights + 80_000 * token, 4 * weights + 40_000 * token, None),
        (4, 256, 1000): (
            256 * (user + 1000 * token),
            256 * (user + 500 * token),
            256 * (user / 4 + 1000 * token),
        ),
        (16, 1, 0): (16 * weights, 16 * weights, None),
    }
    for arguments, (truth, cache, work) in rows.items():
        assert called(STEM, "q6", arguments, **own) == {
            "": pytest.approx(truth),
            "let the cache shrink with the weights": pytest.approx(cache),
            "let the arithmetic shrink with the weights": pytest.approx(work or truth),
        }
    wide = called(STEM, "q6", (4, 16, 5000), **{**own, "cache_bits": 16})
    assert wide[""] == pytest.approx(4 * weights + 160_000 * token)
