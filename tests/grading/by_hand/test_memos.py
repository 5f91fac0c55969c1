"""Memos of which one line is wrong: each as it is drawn, read by us."""

from __future__ import annotations

import pytest

from grading.check import load
from tests.grading.by_hand import known

MEMOS = {  # the question, its axis, and which lines slips would name
    "01_memory_wall": (
        "q5",
        "reading writing share time gain",
        {"doubted what the share is of": 3, "doubted the sum of what is left": 4},
    ),
    "03_kv_cache": (
        "q7",
        "weights room token user count",
        {"doubted the largest number": 1, "doubted the rounding": 5},
    ),
    "04_starving_the_gpu": (
        "q7",
        "demand read link decode cores",
        {"doubted the bits of a byte": 3, "doubted what a core carries": 5},
    ),
    "05_quantization": (
        "q7",
        "narrow table state datapath gain",
        {"doubted that a part stays wide": 2, "doubted that the cache stays as it is": 3},
    ),
    "06_scaling_1000_gpus": (
        "q7",
        "data rate hops stops interval",
        {"doubted the number of hops": 3, "doubted the root": 5},
    ),
    "07_geography": (
        "q2",
        "power energy wall carbon chips",
        {"doubted the PUE": 3, "doubted the making of the chips": 5},
    ),
    "08_nine_million_dollar": (
        "q5",
        "tokens time devices user bill",
        {"doubted the wait of one user": 4, "doubted the price": 5},
    ),
}


@pytest.mark.parametrize("stem", MEMOS)
def test_the_wrong_line_of_each_memo(stem):
    name, axis, slips = MEMOS[stem]
    drawn = load(stem).assignment.axes[axis]
    # whoever wrote them down went through the lines, two faults for each, but once not in order
    faults = (2, 1, 1, 2) if stem == "03_kv_cache" else (1, 1, 2, 2)
    for lines, wrong in zip(drawn, (*faults, 3, 3, 4, 4, 5, 5), strict=True):
        doubted = {slip: f"line {line}" for slip, line in slips.items() if line != wrong}
        found = known(stem, name, **dict(zip(axis.split(), lines, strict=True)))
        assert found == {"": f"line {wrong}", **doubted}
