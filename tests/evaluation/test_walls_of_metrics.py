"""The wall that a constraint stands against, and what ends a run."""

from __future__ import annotations

import pytest

from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec

SERVING = """
workload: {model: Llama3_8B, phase: decode, batch_size: 1, arrival_rate_qps: 1}
fleet: {node: DGX_H100, count: 1}
environment: {grid: Quebec, facility: Hyperscale, duration: 30 days}
"""
TRAINING = """
workload: {model: Llama3_8B, phase: train, batch_size: 1024}
fleet: {node: DGX_H100, count: 16, fabric: InfiniBand_NDR, %s}
"""


@pytest.mark.parametrize(
    ("metric", "wall"), [("weights", 2), ("utilization", 7), ("tco", 17), ("carbon", 18)]
)
def test_a_bound_on_a_metric_stands_against_the_wall_of_that_metric(metric, wall):
    bound = {"weights": "1 TB", "utilization": "2", "tco": "1e9 USD", "carbon": "1e9 t"}[metric]
    (kept,) = judge(
        SystemSpec.from_text(f"{SERVING}constraints: [{metric} < {bound}]\n")
    ).constraints
    assert (kept["metric"], kept["wall"], kept["satisfied"]) == (metric, wall, True)


def test_a_fleet_that_fails_all_the_time_never_ends_its_run():
    found = judge(SystemSpec.from_text(TRAINING % "mtbf: 10 s"))
    assert (found.verdict, found.wall) == ("infeasible", 15)
    assert "fails every" in found.reason


def test_a_fleet_that_fails_now_and_then_does():
    assert judge(SystemSpec.from_text(TRAINING % "mtbf: 10 hour")).verdict == "feasible"
