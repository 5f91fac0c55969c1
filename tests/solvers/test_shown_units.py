"""The unit in which each number of an answer is shown: what `.magnitude` of a field is in.

The physics is tested in SI, where a result shown in MB for GB looks the same; who reads
`profile.latency.magnitude`, a table or a chart would be off by a thousand.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsysim import (
    Q_,
    Hardware,
    Models,
    ParallelismOptimizer,
    SingleNodeModel,
    Systems,
    engine,
    evaluation,
    solvers,
)
from mlsysim.core.solver import Result, show

ROOMS = (solvers, engine, evaluation)
TABLE = Path(__file__).with_name("shown_units.txt")
REWRITE = "python -m tests.solvers.test_shown_units"


def answers() -> list[type[Result]]:
    """What solvers, the engine and evaluation answer, and the parts that answers are made of."""
    for room in ROOMS:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)
    return sorted(_below(Result), key=lambda answer: answer.__name__)


def _below(kind: type[Result]) -> set[type[Result]]:
    own = {each for each in kind.__subclasses__() if each.__module__.startswith("mlsysim.")}
    return own.union(*map(_below, own))


def shown() -> Iterator[str]:
    """`Profile.latency ms` for every field that carries a unit."""
    for answer in answers():
        for field in answer._fields:
            value = getattr(answer(**{field: 1.0}), field, None)
            if isinstance(value, Q_):
                yield f"{answer.__name__}.{field} {value.units:~P}"


def table() -> str:
    return "".join(f"{line}\n" for line in sorted(shown()))


def test_every_result_is_shown_in_the_unit_that_the_table_names():
    written = TABLE.read_text(encoding="utf-8").splitlines()
    now = table().splitlines()
    changed = [f"- {line}" for line in written if line not in now]
    changed += [f"+ {line}" for line in now if line not in written]
    assert not changed, f"{changed}; if that is meant, run `{REWRITE}` and read what it changed"
    assert now == written
    assert len(now) > 200  # 24 solvers, systems and plans: most of what they say has a unit


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        # a prefix where a count of bytes, operations, seconds, watts or joules is far from one
        (1.6e10, "FLOP", "16 GFLOP"),
        (8.552e10, "B", "85.52 GB"),
        (85.52, "GB", "85.52 GB"),
        (3.35e12, "B/s", "3.35 TB/s"),
        (989.4e12, "FLOP/s", "989.4 TFLOP/s"),
        (0.00457, "s", "4.57 ms"),
        (0.13, "W", "130 mW"),
        (3.6e6, "J", "3.6 MJ"),
        (0.0, "B", "0 B"),
        # none where people do not write one
        (295_300, "FLOP/B", "295,300 FLOP/B"),
        (30_000, "1/s", "30,000 1/s"),
        (9_999.6, "1/s", "10,000 1/s"),
        (2.5e9, "1/s", "2.5e+09 1/s"),
        (1200, "d", "1200 d"),
        (0.5, "g/kWh", "0.5 g/kWh"),
        # money in whole dollars once there are a hundred
        (1_654_321.4, "USD", "1,654,321 USD"),
        (99.994, "USD", "99.99 USD"),
    ],
)
def test_a_number_is_shown_in_four_digits_and_a_unit_that_people_write(number, unit, shown):
    assert show(Q_(number, unit)) == shown


def test_sentences_say_how_much_a_device_holds():
    # an H100 lets 81,559 MiB be allocated: 85.52 GB
    h100, llama = Hardware.Cloud.H100, Models.Language.Llama3_70B
    assert "85.52 GB" in SingleNodeModel().solve(llama, h100).reason
    # 16 bytes a parameter of 405.9e9 are 6.49 TB over the 8 devices of a node
    one = Systems.Clusters.Research_256.replace(count=1)
    found = ParallelismOptimizer().solve(Models.Language.Llama3_405B, one)
    assert found.reason.endswith("GB on a device that holds 85.52 GB.")
    least = float(found.reason.split("needs ")[1].split()[0])
    assert 16 * 405.9 / 8 < least < 1.02 * 16 * 405.9 / 8


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    sys.stdout.write(f"{TABLE}\n")
