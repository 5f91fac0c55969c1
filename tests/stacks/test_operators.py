"""Constants of silicon against the measured operators that they were fitted on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import fit_operators
from mlsysim.cli import main
from mlsysim.core.errors import InvalidEntry
from mlsysim.evaluation.validate import operators
from mlsysim.solvers.node import silicon
from mlsysim.stacks.silicon import shipped

# what a plain fit of such forms reaches on these rows is 0.19 to 0.29
MOST = {
    "gemm": 0.11,
    "attn_prefill": 0.12,
    "attn_decode": 0.13,
    "moe": 0.15,
    "allreduce_custom": 0.08,
    "nccl": 0.08,
}
UNSEEN = {  # by constants that were found without the device
    "gemm": 0.15,
    "attn_prefill": 0.14,
    "attn_decode": 0.15,
    "moe": 0.24,
    "allreduce_custom": 0.18,
    "nccl": 0.12,
}


@pytest.fixture(scope="module")
def measured():
    return operators.read()


def test_every_row_that_ships_is_read(measured):
    assert {kind: len(rows.seconds) for kind, rows in measured.items()} == {
        "gemm": 540,
        "attn_prefill": 360,
        "attn_decode": 360,
        "moe": 360,
        "allreduce_custom": 210,
        "nccl": 210,
    }


@pytest.mark.parametrize("kind", MOST)
def test_operators_are_predicted_by_few_constants(kind, measured):
    rows = measured[kind]
    time = operators.predicted(kind, rows, shipped().at(rows.groups))
    assert np.median(np.abs(time / rows.seconds - 1)) < MOST[kind]


@pytest.mark.parametrize("kind", MOST)
def test_a_device_that_nobody_measured_has_what_all_have_in_common(kind, measured):
    rows = measured[kind]
    unseen = {**rows.groups, "family": np.full(len(rows.seconds), "Rubin")}
    time = operators.predicted(kind, rows, shipped().at(unseen))
    assert np.median(np.abs(np.log(time / rows.seconds))) < 0.6


@pytest.mark.parametrize("kind", ["gemm", "attn_prefill", "attn_decode", "moe"])
@pytest.mark.parametrize("better", ["bandwidth", "peak", "power"])
def test_more_of_a_device_never_makes_a_kernel_slower(kind, better, measured):
    rows = measured[kind]
    c = shipped().at(rows.groups)
    parts = ("peak", "attention_peak") if better == "peak" else (better,)
    more = rows._replace(**{part: 1.3 * getattr(rows, part) for part in parts})
    now, then = (operators.predicted(kind, some, c) for some in (rows, more))
    assert np.all(then <= now * (1 + 1e-9))
    assert np.any(then < 0.95 * now) == (better != "power" or kind == "gemm")


def test_a_part_of_the_processors_has_a_part_of_the_peak():
    """An L4 is an L40S of fewer processors: 58 by its data sheet, 121 TFLOP/s."""
    c = shipped().at({"family": "Ada", "datapath": "fp16"})
    assert silicon.processors(c, 362e12) == pytest.approx(142, rel=0.02)
    assert silicon.processors(c, 121e12) == pytest.approx(58, rel=0.2)


@pytest.mark.parametrize("part", fit_operators.PARTS, ids=lambda part: part.kind)
def test_what_ships_is_what_the_fit_finds(part, measured):
    fit = fit_operators.fitted(part, measured[part.kind])
    for (name, group, member), value in zip(fit.names, fit.x, strict=True):
        held = shipped().constants[name]
        held = held.by[group][member] if group else held.all
        found = np.exp(min(value, fit_operators.TOP.get(name, 99.0)))
        assert float(held) == pytest.approx(found, rel=2e-3), (name, group, member)


def test_a_table_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("device,kind\nH100,gemm\n")
    with pytest.raises(InvalidEntry, match="column is missing"):
        operators.read(path)


def test_scores_tell_what_the_constants_knew_and_what_they_did_not(measured):
    cells = {(cell.kind, cell.device): cell for cell in operators.scores(measured)}
    whole = cells["nccl", "all"]
    assert whole.rows == 210 == sum(c.rows for (k, d), c in cells.items() if k == "nccl") - 210
    assert whole.error < whole.left_out
    assert all(cells[kind, "all"].left_out < most for kind, most in UNSEEN.items())


def test_operators_of_ones_own_have_no_left_out_score(tmp_path, capsys):
    text = operators.SHIPPED.read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join([text[0], text[1].replace("op0000", "mine")]) + "\n")
    assert main(["validate", "--operators", str(mine), "--json"]) == 0
    (cell, _) = json.loads(capsys.readouterr().out).values()
    assert (cell["kind"], cell["device"], cell["left_out"]) == ("gemm", "A100-80GB-SXM", None)
