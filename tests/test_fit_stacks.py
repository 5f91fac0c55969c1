"""Stacks are fitted on measurements: the constants come back, and a table may be left out."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from benchmarks import fit_stacks
from benchmarks.accuracy_table import README, fresh
from benchmarks.parts import PARTS
from mlsysim.evaluation.validate import read
from mlsysim.evaluation.validate.rows import OWN
from mlsysim.stacks.registry import Stacks

KERNELS = next(part for part in PARTS if part.name == "kernels")
WIRES = KERNELS._replace(domains=("comm",), constants=KERNELS.constants[:3])


def test_constants_are_found_again_from_what_they_predict():
    """Rows that a stack predicts exactly pull its constants back to where they were."""
    true = np.log([30.0, 0.7, 0.4])
    level = fit_stacks.chosen(WIRES, true)
    rows = [row for row in read() if row.domain == "comm"]
    made = [
        row._replace(value=repr(row.measured * math.exp(off)))
        for row, off in zip(rows, fit_stacks.left(rows, level), strict=True)
    ]
    found = fit_stacks.fit(WIRES, made)
    assert found.values == pytest.approx(np.exp(true), rel=0.06)
    assert np.abs(found.left).max() < 0.06


@pytest.mark.parametrize(
    "part",
    [p if p == KERNELS else pytest.param(p, marks=pytest.mark.slow) for p in PARTS],
    ids=[p.name for p in PARTS],
)
def test_what_ships_is_what_the_fit_finds(part):
    found = fit_stacks.fit(part, read(OWN) if part.own else read())
    for (paths, *_), value in zip(part.constants, found.values, strict=True):
        for stem, path in fit_stacks.places(paths):
            held = Stacks[stem].to_dict()
            for key in path.split("."):
                held = held[key]
            assert float(str(held).split()[0]) == pytest.approx(value, rel=0.02), f"{stem}.{path}"


def test_a_left_out_table_is_predicted_without_it():
    """A table that is wrong by ten moves the whole fit, and not what is said without it."""
    rows = [row for row in read() if row.domain == "comm"]
    table = rows[0].source_table
    wrong = [
        row._replace(value=repr(10 * row.measured)) if row.source_table == table else row
        for row in rows
    ]
    right, moved = (
        fit_stacks.without(fit_stacks.fit(WIRES, some), lambda row: row.source_table)
        for some in (rows, wrong)
    )
    own = [row.id for row in rows if row.source_table == table and row.metric == "time"]
    for name in own:
        assert moved[name] == pytest.approx(right[name], rel=0.15)


def test_one_constant_is_written_and_all_else_stays():
    text = "name: X\nroofs:\n  matmul:\n    A: 0.5\n  depth: 3\nlaunch: 20 us\n"
    assert fit_stacks.written(text, "roofs.depth", 4.5) == text.replace("depth: 3", "depth: 4.5")
    assert fit_stacks.written(text, "launch", 7.0) == text.replace("20 us", "7 us")
    assert fit_stacks.written(text, "roofs.matmul.A", 0.25) == text.replace("0.5", "0.25")


def test_the_readme_tells_how_accurate_it_is_now():
    """Each number of its table within two points of what it is."""
    text = README.read_text(encoding="utf-8")
    tell = "python -m benchmarks.accuracy_table"
    for old, new in zip(text.splitlines(), fresh(text).splitlines(), strict=True):
        numbers = [[int(n) for n in re.findall(r"(\d+)%", line)] for line in (old, new)]
        assert re.sub(r"\d+%", "", old) == re.sub(r"\d+%", "", new), tell
        assert numbers[0] == pytest.approx(numbers[1], abs=2), tell
