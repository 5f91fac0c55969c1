"""Memos of which one line is wrong: each as it is drawn, read by us."""

from __future__ import annotations

import pytest

from grading.check import load
from tests.grading.by_hand import known

MEMOS = {  # the question, its axis, and which lines slips would name
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
    # whoever wrote them down went through the lines, two faults for each
    for lines, wrong in zip(drawn, (1, 1, 2, 2, 3, 3, 4, 4, 5, 5), strict=True):
        doubted = {slip: f"line {line}" for slip, line in slips.items() if line != wrong}
        found = known(stem, name, **dict(zip(axis.split(), lines, strict=True)))
        assert found == {"": f"line {wrong}", **doubted}
