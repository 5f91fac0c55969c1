"""What was measured by benchmarks/measure_gpu.py, and the stacks that were fitted on it."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from benchmarks import fit_stacks
from benchmarks.parts import PARTS
from mlsysim import Engine, Hardware, Models
from mlsysim.core.units import Q_
from mlsysim.evaluation.validate import operators, predicted, read
from mlsysim.evaluation.validate.rows import OWN, SHIPPED
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.registry import Stacks, usual
from mlsysim.stacks.silicon import shipped

OPERATORS = OWN.parent / "own_operators.csv"
ROOFS = {"matmul": {"other": 0.5}}


def latency(**stack):
    level = {"name": "mine", "host": "0 s", "roofs": ROOFS, **stack}
    return Engine.solve("Llama3_8B", "H100", stack=level).latency


def test_a_device_waits_for_a_host_that_sends_one_operator_at_a_time():
    """Embedding, head, a last norm; and of each of 32 layers five products and five that are fused.

    A second each is far above any kernel; a nanosecond is hidden behind every one of them.
    """
    operators = sum(op.repeat for op in Models.Llama3_8B.operators(_decode()))
    assert latency(dispatch="1 s").m_as("s") == pytest.approx(operators)
    assert latency(dispatch="1 ns") == latency()
    assert latency(dispatch="1 s", launch="1 ms").m_as("s") == pytest.approx(operators)


def _decode():
    return Engine.solve("Llama3_8B", "H100")._asked.step


def test_a_cache_that_is_copied_as_it_grows_moves_so_often():
    """Llama 3 8B keeps 128 KiB a token: 64 x 8,192 of them three times, at the whole bandwidth."""
    asked = {"batch_size": 64, "seq_len": 8192, "hardware": "H200", "model": "Llama3_8B"}
    once, often = (
        Engine.solve(**asked, stack={"name": "mine", "roofs": {**ROOFS, "cache": times}})
        for times in (1.0, 4.0)
    )
    moved = 3 * 64 * 8192 * Q_("131072 B") / Hardware.H200.memory.bandwidth
    assert (often.latency - once.latency).m_as("ms") == pytest.approx(moved.m_as("ms"), rel=0.01)


@pytest.mark.parametrize("stem", ["pytorch_eager", "torchvision"])
def test_a_stack_of_our_own_measurements_is_near_them(stem):
    rows = [row for row in read(OWN) if row.stack == stem and row.domain != "memory"]
    off = np.array([np.log(predicted(row, calibrated) / row.measured) for row in rows])
    assert len(rows) > 60
    assert np.median(np.abs(np.exp(off) - 1)) < 0.22
    assert np.mean(np.abs(off) < np.log(1.5)) > 0.84


def test_products_that_no_constant_was_fitted_on_are_predicted():
    """PyTorch calls cuBLAS for them, on H100 and H200: another framework than the tables' three."""
    rows = operators.read(OPERATORS)["gemm"]
    wide = rows.only(rows.text["dtype"] == "bfloat16")
    off = operators.predicted("gemm", wide, shipped().at(wide.groups)) / wide.seconds
    assert len(off) > 250
    assert np.median(np.abs(off - 1)) < 0.1
    assert np.mean(np.abs(np.log(off)) < np.log(1.5)) > 0.94


@pytest.mark.parametrize(("own", "like"), [(OWN, SHIPPED), (OPERATORS, operators.SHIPPED)])
def test_our_tables_have_the_columns_of_the_published(own, like):
    heads = [next(csv.reader([path.read_text("utf-8").splitlines()[0]])) for path in (own, like)]
    assert [name for name in heads[0] if name != "stack"] == heads[1]


def test_what_usually_runs_networks_depends_on_the_family():
    found = {of: usual("forward", "convnet", "NVIDIA", of) for of in ("Hopper", "Ampere", None)}
    assert {of: stack and stack.stem for of, stack in found.items()} == {
        "Hopper": "torchvision",
        "Ampere": "cudnn",
        None: "cudnn",
    }


@pytest.mark.slow
@pytest.mark.parametrize("part", [p for p in PARTS if p.own], ids=lambda part: part.name)
def test_what_ships_is_what_the_fit_finds(part):
    found = fit_stacks.fit(part, read(OWN))
    for (paths, *_), value in zip(part.constants, found.values, strict=True):
        for stem, path in fit_stacks.places(paths):
            held = Stacks[stem].to_dict()
            for key in path.split("."):
                held = held[key]
            assert float(str(held).split()[0]) == pytest.approx(value, rel=0.02), path
