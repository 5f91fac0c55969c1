"""The unit in which each metric of a whole system is shown, phase by phase."""

from __future__ import annotations

import sys
from pathlib import Path

from mlsysim import Scenarios
from mlsysim.evaluation import evaluate

TABLE = Path(__file__).with_name("shown_units.txt")
REWRITE = "python -m tests.evaluation.test_shown_units"


def table() -> str:
    """`serve ttft ms` for every metric with a unit, of every scenario."""
    lines = set()
    for name in Scenarios:
        found = evaluate(Scenarios[name]).to_dict()
        for metric, value in found["metrics"].items():
            if isinstance(value, dict) and "unit" in value:
                lines.add(f"{found['phase']} {metric} {value['unit']}")
    return "".join(f"{line}\n" for line in sorted(lines))


def test_every_metric_is_shown_in_the_unit_that_the_table_names():
    written, now = TABLE.read_text(encoding="utf-8").splitlines(), table().splitlines()
    changed = [f"- {line}" for line in written if line not in now]
    changed += [f"+ {line}" for line in now if line not in written]
    assert not changed, f"{changed}; if that is meant, run `{REWRITE}` and read what it changed"
    assert now == written
    assert len(now) > 50


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    sys.stdout.write(f"{TABLE}\n")
