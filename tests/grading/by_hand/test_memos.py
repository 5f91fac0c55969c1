"""Memos of which one line is wrong: each as it is drawn, read by us."""

from __future__ import annotations

import pytest

from grading.check import load
from tests.grading.by_hand import known

TWICE = (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)  # two faults a line; whoever wrote 03's once lost the order
ONCE = (1, 2, 3, 4, 5)
MEMOS = {  # the question, its axis, which line of each is wrong, and which lines slips would name
    "01_memory_wall": (
        "q5",
        "reading writing share time gain",
        TWICE,
        {"doubted what the share is of": 3, "doubted the sum of what is left": 4},
    ),
    "03_kv_cache": (
        "q7",
        "weights room token user count",
        (2, 1, 1, 2, 3, 3, 4, 4, 5, 5),
        {"doubted the largest number": 1, "doubted the rounding": 5},
    ),
    "04_starving_the_gpu": (
        "q7",
        "demand read link decode cores",
        TWICE,
        {"doubted the bits of a byte": 3, "doubted what a core carries": 5},
    ),
    "05_quantization": (
        "q7",
        "narrow table state datapath gain",
        TWICE,
        {"doubted that a part stays wide": 2, "doubted that the cache stays as it is": 3},
    ),
    "06_scaling_1000_gpus": (
        "q7",
        "data rate hops stops interval",
        TWICE,
        {"doubted the number of hops": 3, "doubted the root": 5},
    ),
    "07_geography": (
        "q2",
        "power energy wall carbon chips",
        TWICE,
        {"doubted the PUE": 3, "doubted the making of the chips": 5},
    ),
    "08_nine_million_dollar": (
        "q5",
        "tokens time devices user bill",
        TWICE,
        {"doubted the wait of one user": 4, "doubted the price": 5},
    ),
    "10_gpu_vs_wafer": (
        "q4",  # weights for each user, bits as bytes, the memory inside, zeros skipped, the shorter
        "line_1 line_2 line_3 line_4 line_5",
        ONCE,
        {
            "let every user have the weights come in again": 1,
            "took the step from bits to bytes for a mistake": 2,
        },
    ),
    "11_design_space": (
        "q6",  # one format a device, no caches, a step for each user, no power, the quickest
        "line_1 line_2 line_3 line_4 line_5",
        ONCE,
        {
            "mistrusted the search through everything": 1,
            "wanted a limit for each user's share of a step": 3,
        },
    ),
    "12_full_stack_audit": (
        "q7",
        "work time fail money carbon",
        TWICE,
        {"doubted the longest line": 5, "doubted the line with the MFU": 2},
    ),
}


@pytest.mark.parametrize("stem", MEMOS)
def test_the_wrong_line_of_each_memo(stem):
    name, axis, faults, slips = MEMOS[stem]
    drawn = load(stem).assignment.axes[axis]
    for lines, wrong in zip(drawn, faults, strict=True):
        doubted = {slip: f"line {line}" for slip, line in slips.items() if line != wrong}
        found = known(stem, name, **dict(zip(axis.split(), lines, strict=True)))
        assert found == {"": f"line {wrong}", **doubted}
