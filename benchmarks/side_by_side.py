"""Ours and the published mlsysim 0.3.0 in one run: ratios of first solve, solve and sweep.

    python benchmarks/side_by_side.py            # makes an environment for 0.3.0 beside this one
    python benchmarks/side_by_side.py --old PYTHON   # uses one that is there

Each figure is the median of several rounds in which the two take turns, so that a machine whose
speed drifts slows them both. Times are whole measurements inside a fresh process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PUBLISHED = "mlsysim==0.3.0"
BUDGET = {"import + first solve": 0.09, "solve": 0.05}

FIRST = """
import time; start = time.perf_counter()
import mlsysim
p = mlsysim.Engine.solve(mlsysim.Models.Language.Llama3_8B, mlsysim.Hardware.Cloud.H100)
p.latency, p.bottleneck
print(time.perf_counter() - start)
"""
SOLVE = """
import time, mlsysim
model, device = mlsysim.Models.Language.Llama3_8B, mlsysim.Hardware.Cloud.H100
def once(batch):
    p = mlsysim.Engine.solve(model, device, batch_size=batch)
    return p.latency, p.bottleneck
for batch in range(1, 20): once(batch)
count = 200; start = time.perf_counter()
for batch in range(1, count + 1): once(batch)
print((time.perf_counter() - start) / count)
"""
OLD_SWEEP = """
import time, mlsysim
model, cloud = mlsysim.Models.Language.Llama3_8B, mlsysim.Hardware.Cloud
axes = {"batch_sizes": list(range(1, 251)), "precisions": ["fp16", "int8"]}
start = time.perf_counter()
rows = mlsysim.Engine.sweep(model, [cloud.H100, cloud.A100], efficiency=0.5, **axes)
print((time.perf_counter() - start) / len(rows))
"""
NEW_SWEEP = """
import time, mlsysim
model, cloud = mlsysim.Models.Language.Llama3_8B, mlsysim.Hardware.Cloud
axes = {"batch_sizes": range(1, 250_001), "precisions": ["fp16", "int8"]}
start = time.perf_counter()
sweep = mlsysim.Engine.sweep(model, [cloud.H100, cloud.A100], efficiency=0.5, **axes)
for name in ("latency", "bottleneck", "mfu", "feasible"): sweep.column(name)
print((time.perf_counter() - start) / len(sweep))
"""
MEASUREMENTS = {
    "import + first solve": (FIRST, FIRST),
    "solve": (SOLVE, SOLVE),
    "sweep, per configuration": (NEW_SWEEP, OLD_SWEEP),
}


def timed(python: str, script: str) -> float:
    """Seconds that the script printed."""
    # both with their bytecode compiled, as after a first run anywhere
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(
        [python, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tempfile.gettempdir(),
        env=env,
    )
    return float(run.stdout.splitlines()[-1])


def published(folder: Path) -> str:
    """A Python that has 0.3.0 and nothing of ours."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", PUBLISHED], check=True)
    return python


def measure(old: str, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of both, and the median of the ratios round by round."""
    table = {}
    for name, (ours, theirs) in MEASUREMENTS.items():
        timed(sys.executable, ours), timed(old, theirs)  # warm up
        pairs = [(timed(sys.executable, ours), timed(old, theirs)) for _ in range(rounds)]
        table[name] = {
            "ours_s": statistics.median(a for a, _ in pairs),
            "published_s": statistics.median(b for _, b in pairs),
            "ratio": statistics.median(a / b for a, b in pairs),
        }
    return table


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", help=f"a Python that has {PUBLISHED}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table = measure(args.old or published(Path(name) / "published"), args.rounds)
    if args.json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    sys.stdout.write(f"{'':28}{'ours':>12}{'0.3.0':>12}{'ratio':>9}{'budget':>9}\n")
    for title, row in table.items():
        budget = f"{BUDGET[title]:.2f}" if title in BUDGET else ""
        sys.stdout.write(
            f"{title:28}{_time(row['ours_s']):>12}{_time(row['published_s']):>12}"
            f"{row['ratio']:>9.4f}{budget:>9}\n"
        )
    rate = 1 / table["sweep, per configuration"]["ours_s"]
    sys.stdout.write(f"a sweep runs {rate:,.0f} configurations a second (goal: 1,000,000)\n")


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


if __name__ == "__main__":
    main()
