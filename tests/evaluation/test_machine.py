"""A machine of one's own: measured, kept, and asked like any other."""

from __future__ import annotations

import json

import pytest

from mlsysim import Models, SingleNodeModel
from mlsysim.cli import main
from mlsysim.core import registry
from mlsysim.evaluation import machine

PEAK, DEPTH, MEMORY, CALL = 1e12, 32.0, 50e9, 2e-6


def lawful(work) -> float:
    """A processor that keeps to its law: a product sums over 32 values at half of 1 TFLOP/s."""
    if callable(work):
        return 8 * machine.STREAM / MEMORY
    rows, inner, columns = work
    if rows * inner * columns == 1:
        return CALL
    compute = 2 * rows * inner * columns / PEAK * (inner + DEPTH) / inner
    memory = 4 * (rows * inner + inner * columns + rows * columns) / MEMORY
    return max(compute, memory) + CALL


@pytest.fixture
def on_a_lawful_processor(monkeypatch):
    monkeypatch.setattr(machine, "best", lawful)
    monkeypatch.setattr(machine, "_product", lambda sizes: sizes)


def test_a_lawful_processor_is_understood(on_a_lawful_processor):
    found = machine.measure()
    assert found.device.memory.bandwidth.m_as("GB/s") == pytest.approx(50, rel=1e-3)
    # of the large products a 64th part is lost to their depth of 2,048
    assert found.device.compute.peak_flops.m_as("FLOP/s") == pytest.approx(PEAK * 64 / 65, rel=0.01)
    assert found.stack.launch.m_as("us") == pytest.approx(2)
    assert found.error < 0.05


def test_what_was_measured_is_kept_and_asked_by_name(
    on_a_lawful_processor, tmp_path, capsys, clean_registry
):
    assert main(["measure", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stack"]["roofs"]["depth"] > 0
    registry.add_folder(tmp_path)
    step = SingleNodeModel().solve(
        Models.ResNet50, "This_Machine", precision="fp32", stack="this_machine"
    )
    law = 2 * float(Models.ResNet50.counted_macs()) / PEAK
    assert law < step.latency.m_as("s") < 2 * law


def test_the_fastest_of_several_runs_counts(monkeypatch):
    """Three runs of 5, 2 and 3 seconds, after one to warm up."""
    ticks = iter([0.0, 0.1, 1.0, 6.0, 0.2, 6.0, 8.0, 0.3, 8.0, 11.0, 99.0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(ticks))
    assert machine.best(lambda: None) == 2.0
