"""A package from outside brings a solver and a chip: installed, and found everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SOLVER = '''
from mlsysim.core import units as u
from mlsysim.core.solver import Result, Solver


class Racks(Result):
    racks: u.Number
    feasible: bool


class RackModel(Solver):
    """Wall 17: how many racks so much power takes."""

    walls = (17,)

    def solve(self, power: u.Power, *, rack: u.Power = "40 kW", most: float = 100.0) -> Racks:
        return Racks(racks=power / rack, feasible=power / rack <= most)
'''
CHIP = """
name: Rack chip
release_year: 2027
compute: {peak_flops: 2 PFLOP/s}
memory: {capacity: 200 GB, bandwidth: 8 TB/s}
sources: {default: {kind: user, ref: a test}}
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "racks"
version = "1.0"
[project.entry-points."mlsysim.solvers"]
RackModel = "racks:RackModel"
[project.entry-points."mlsysim.registry"]
racks = "racks"
"""
ASK = """
import json
from mlsysim import Engine, Pipeline
from mlsysim.mcp.tools import tools
from mlsysim.solvers import RackModel
from mlsysim.walls import wall
told = {
    "walls": RackModel in wall(17).models,
    "tool": tools()["RackModel"].call({"power": "2 MW", "rack": "50 kW"}),
    "pipeline": Pipeline([RackModel()]).run(power="1 MW")["RackModel"].racks,
    "chip": Engine.solve("Llama3_8B", "RackChip").feasible,
}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a process that has the package."""
    pytest.importorskip("pip")
    pytest.importorskip("hatchling")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    (source / "racks" / "hardware" / "cloud").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (source / "racks" / "__init__.py").write_text(SOLVER, encoding="utf-8")
    (source / "racks" / "hardware" / "cloud" / "RackChip.yaml").write_text(CHIP, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    how = ["--no-index", "--disable-pip-version-check", "--target", str(target), str(source)]
    subprocess.run([*pip, *how], check=True, capture_output=True, timeout=120)
    return {**os.environ, "PYTHONPATH": str(target)}


def run(environment, *words):
    """A process that has the package: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, *words],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_plugin_is_on_the_walls_among_the_tools_in_a_pipeline_and_in_the_registry(installed):
    code, out, err = run(installed, "-c", ASK)
    assert code == 0, err
    told = json.loads(out)
    assert told == {
        "walls": True,
        "tool": {"racks": 40.0, "feasible": True},
        "pipeline": 25.0,
        "chip": True,
    }


def test_a_plugin_runs_from_the_shell_where_a_whole_number_is_a_float(installed):
    command = ("-m", "mlsysim", "run", "RackModel", "power=1 MW")
    assert run(installed, *command)[:2] == (0, "racks     25\nfeasible  yes\n")
    assert run(installed, *command, "most=20")[0] == 1
    code, _, err = run(installed, *command, "rack=40")
    assert code == 2
    assert "rack cannot be 40" in err
    assert run(installed, "-m", "mlsysim", "run", "RackModl")[0] == 2
