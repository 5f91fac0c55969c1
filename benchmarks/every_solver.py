"""How long one scalar question takes each solver, and a million points a design-space search.

    python -m benchmarks.every_solver

The questions are those of `tests/solvers/test_bad_input.py`. Models and Solvers answer one
question; Optimizers search a space, and FleetSensitivitySolver asks for each number of a fleet, so
their time is that of all their questions.
"""

from __future__ import annotations

import statistics
import sys
import time

import mlsysim
from mlsysim.core.search import DSE
from tests.solvers.test_bad_input import SOLVERS, baseline

GOAL_MS = 1.0
DEVICES = ("A100", "H100", "H200", "B200", "MI300X")


def once(solver: type, arguments: dict) -> float:
    """Seconds of one solve, the median of many."""
    instance, times = solver(), []
    for _ in range(60):
        start = time.perf_counter()
        instance.solve(**arguments)
        times.append(time.perf_counter() - start)
    return statistics.median(times[10:])


def million_points() -> float:
    """Seconds of a search over 10^6 points of an Engine objective with a constraint."""
    dse = DSE(
        space={
            "hardware": [mlsysim.Hardware.Cloud[name] for name in DEVICES],
            "precision": ["fp16", "int8"],
            "batch_size": range(1, 10_001),
            "seq_len": range(256, 2_816, 256),
        },
        objective="maximize: throughput",
        constraints=["latency < 50 ms", "feasible == True"],
    )
    start = time.perf_counter()
    found = dse.search_sweep(mlsysim.Engine.sweep, mlsysim.Models.Language.Llama3_8B)
    took = time.perf_counter() - start
    assert found["evaluated"] == 1_000_000
    return took


def main() -> None:
    """Print a table."""
    for name, solver in SOLVERS.items():
        took = once(solver, baseline(name)) * 1e3
        # an optimizer asks many plans, and a fleet's sensitivity a plan for each of its numbers
        many = name.endswith("Optimizer") or name == "FleetSensitivitySolver"
        slow = "asks many questions" if many else "OVER THE GOAL"
        remark = slow if took > GOAL_MS else ""
        sys.stdout.write(f"{name:<30}{took:>9.3f} ms  {remark}\n")
    sys.stdout.write(f"{'DSE, a million points':<30}{million_points():>9.3f} s\n")


if __name__ == "__main__":
    main()
