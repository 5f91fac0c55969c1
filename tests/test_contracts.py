"""What holds for the whole house: what is loaded, public names, the paths that decks import."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import mlsysim
from mlsysim import solvers
from mlsysim.core.solver import Result, Solver

ROOT = Path(__file__).parent.parent
PACKAGE = Path(mlsysim.__file__).parent
SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if "course" not in path.relative_to(PACKAGE).parts
)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(mlsysim.__path__, "mlsysim.")
    if not module.name.endswith("__main__")
)

# the paths of the seeds, from the design: they must keep working
SEED_PATHS = {
    "mlsysim.core.units": ["TFLOPs", "GB", "TB", "second", "watt", "Q_"],
    "mlsysim.core.constants": ["Q_"],
    "mlsysim.core.search": ["DSE"],
    "mlsysim.core.pipeline": ["Pipeline"],
    "mlsysim.core.solver": [*solvers.SOLVERS],
    "mlsysim.core.provenance": ["TraceableConstant", "Source"],
    "mlsysim.engine.engine": ["Engine"],
    "mlsysim.engine.pipeline": ["Pipeline"],
    "mlsysim.hardware.registry": ["Hardware"],
    "mlsysim.hardware.types": ["HardwareNode", "ComputeCore", "MemoryHierarchy"],
    "mlsysim.models.registry": ["Models"],
    "mlsysim": [
        "Stacks",
        "compare",
        "plan",
        "why",
        "Engine",
        "Hardware",
        "Models",
        "Systems",
        "Infra",
        "Infrastructure",
        "Fleet",
        "Literature",
        "Scenarios",
        "Pipeline",
        "DSE",
        "audit_provenance",
        "evaluate",
        "judge",
        "Q_",
        *solvers.SOLVERS,
    ],
}
PATHS = [(module, name) for module, names in SEED_PATHS.items() for name in names]


# ---- what is loaded ------------------------------------------------------------------------------


def test_a_first_solve_loads_no_notebook_no_chart_and_no_terminal():
    heavy = ("marimo", "altair", "typer", "rich", "scipy", "pandas")
    code = (
        "import sys, mlsysim\n"
        "mlsysim.Engine.solve(mlsysim.Models.Language.Llama3_8B, mlsysim.Hardware.Cloud.H100)\n"
        f"print(*[module for module in {heavy!r} if module in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


# ---- public names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"), PATHS, ids=[f"{module}.{name}" for module, name in PATHS]
)
def test_a_path_of_the_seeds_keeps_working(module, name):
    assert getattr(importlib.import_module(module), name) is not None


def test_the_public_names_are_all_that_the_package_hands_out():
    assert sorted(mlsysim.__all__) == sorted(SEED_PATHS["mlsysim"])
    assert {*mlsysim.__all__, "__version__"} == set(dir(mlsysim))
    handed: dict[str, object] = {}
    exec("from mlsysim import *", handed)
    assert {name: handed[name] for name in mlsysim.__all__} == {
        name: getattr(mlsysim, name) for name in mlsysim.__all__
    }


def test_a_module_is_found_below_the_package_without_an_import_of_its_own():
    code = "import mlsysim; print(mlsysim.engine.__name__, mlsysim.evaluation.judge.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["mlsysim.engine", "judge"]


def test_a_solver_is_listed_once_and_every_one_is_listed():
    defined = {
        name
        for path in (PACKAGE / "solvers").rglob("*.py")
        for name in re.findall(r"^class (\w+)\(Solver\)", path.read_text(encoding="utf-8"), re.M)
    }
    assert sorted(defined) == solvers.SOLVERS == dir(solvers)
    written = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("**/__init__.pyi"))
    assert all(written.count(f" {name} as {name}\n") == 1 for name in defined)


def test_aliases_are_the_thing_itself():
    assert mlsysim.Infra is mlsysim.Infrastructure
    assert importlib.import_module("mlsysim.core.solver").SingleNodeModel is mlsysim.SingleNodeModel
    assert importlib.import_module("mlsysim.engine.pipeline").Pipeline is mlsysim.Pipeline
    assert importlib.import_module("mlsysim.core.constants").Q_ is mlsysim.Q_


@pytest.mark.parametrize("module", MODULES)
def test_a_modules_all_is_held_to_reality(module):
    loaded = importlib.import_module(module)
    missing = [name for name in getattr(loaded, "__all__", ()) if not hasattr(loaded, name)]
    assert not missing


@pytest.mark.parametrize(
    "module", ["mlsysim", "mlsysim.solvers", "mlsysim.core.solver", "mlsysim.core.units"]
)
def test_a_name_that_is_not_there_is_an_attribute_error(module):
    loaded = importlib.import_module(module)
    assert not hasattr(loaded, "FluxCapacitor")
    assert not hasattr(loaded, "__fluxcapacitor__")


def test_every_public_name_is_documented():
    objects = [getattr(mlsysim, name) for name in mlsysim.__all__ if name != "Q_"]
    assert all(
        inspect.getdoc(thing)
        for thing in objects
        if inspect.isclass(thing) or inspect.isfunction(thing)
    )


# ---- solvers -------------------------------------------------------------------------------------

each_solver = pytest.mark.parametrize("name", solvers.SOLVERS)


@each_solver
def test_a_solver_says_its_walls_its_question_and_its_answer(name):
    solver = getattr(solvers, name)
    assert issubclass(solver, Solver)
    assert solver.walls
    assert all(1 <= wall <= 22 for wall in solver.walls)
    assert "Fallacy: " in (solver.__doc__ or "")
    assert inspect.getdoc(solver.solve)
    answer = inspect.signature(solver.solve).return_annotation
    module = importlib.import_module(solver.__module__)
    found = getattr(module, str(answer), None)
    assert found is not None, f"{name}.solve returns {answer!r}"
    assert issubclass(found, Result)


def test_every_wall_has_a_solver():
    assert {wall for name in solvers.SOLVERS for wall in getattr(solvers, name).walls} == set(
        range(1, 23)
    )


# ---- the house -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_is_small_and_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 450
    assert not text or text.startswith(('"""', 'r"""'))


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["version"]["path"] == "mlsysim/__init__.py"
    assert mlsysim.__version__.count(".") == 2
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == mlsysim.__version__


def test_help_begins_with_every_door_that_is_no_solver():
    doors = {*mlsysim.__all__} - {*solvers.SOLVERS, "Infrastructure", "Q_", "Fleet"}
    told = set(re.findall(r"`(\w+)", mlsysim.__doc__))
    assert doors - {"audit_provenance"} <= told
