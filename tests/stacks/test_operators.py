"""Constants of silicon against the measured operators that they were fitted on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlsysim.cli import main
from mlsysim.core.errors import InvalidEntry
from mlsysim.evaluation.validate import operators
from mlsysim.stacks.silicon import shipped

# what a plain fit of such forms reaches on these rows is 0.19 to 0.29
MOST = {
    "gemm": 0.14,
    "attn_prefill": 0.14,
    "attn_decode": 0.15,
    "moe": 0.23,
    "allreduce_custom": 0.13,
    "nccl": 0.08,
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


def test_a_table_without_its_columns_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("device,kind\nH100,gemm\n")
    with pytest.raises(InvalidEntry, match="column is missing"):
        operators.read(path)


def test_scores_tell_what_the_constants_knew_and_what_they_did_not(measured):
    cells = {(cell.kind, cell.device): cell for cell in operators.scores(measured)}
    whole = cells["nccl", "all"]
    assert whole.rows == 210 == sum(c.rows for (k, d), c in cells.items() if k == "nccl") - 210
    assert whole.error < whole.left_out < 0.18


def test_operators_of_ones_own_have_no_left_out_score(tmp_path, capsys):
    text = operators.SHIPPED.read_text(encoding="utf-8").splitlines()
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join([text[0], text[1].replace("op0000", "mine")]) + "\n")
    assert main(["validate", "--operators", str(mine), "--json"]) == 0
    (cell, _) = json.loads(capsys.readouterr().out).values()
    assert (cell["kind"], cell["device"], cell["left_out"]) == ("gemm", "A100-80GB-SXM", None)
