"""What is shipped: the course goes with the package; solutions, checks and tests do not."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile

import pytest

from mlsysim.course import lessons as course
from tests.notebooks import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names inside a wheel built from this tree."""
    out = tmp_path_factory.mktemp("wheel")
    run = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(run, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_course_works_without_a_clone(wheel):
    for lesson in course.lessons():
        assert f"mlsysim/course/tutorials/{lesson.stem}.py" in wheel
        if lesson.assignment is not None:
            assert f"mlsysim/course/exercises/{lesson.stem}.py" in wheel


def test_data_travels_with_the_package(wheel):
    assert {"mlsysim/core/units.txt", "mlsysim/course/course.yaml"} <= wheel
    here = {
        path.relative_to(ROOT).as_posix()
        for kind in ("*.yaml", "*.html", "*.css")
        for path in (ROOT / "mlsysim").rglob(kind)
    }
    assert {"mlsysim/pages/base.html", "mlsysim/pages/style.css"} <= here <= wheel
    assert {"mlsysim/py.typed", "mlsysim/__init__.pyi", "mlsysim/solvers/__init__.pyi"} <= wheel


def test_measurements_of_others_travel_with_the_notice_that_says_whose_they_are(wheel):
    folder = "mlsysim/literature/data/"
    assert {f"{folder}{name}" for name in ("NOTICE", "measured.csv", "operators.csv")} <= wheel
    told = (ROOT / folder / "NOTICE").read_text(encoding="utf-8")
    tables = {path.name for path in (ROOT / folder).glob("*.csv")}
    assert all(name in told for name in tables)
    assert "Apache License" in told


def test_solutions_checks_and_tests_stay_at_home(wheel):
    at_home = ("grading", "solutions", "tests", "benchmarks")
    assert [name for name in wheel if name.split("/")[0] in at_home] == []
    assert [name for name in wheel if "solution" in name] == []


def test_a_source_archive_holds_no_solution_and_no_check(tmp_path):
    run = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(run, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert "mlsysim/course/course.yaml" in names
    hidden = ("solutions/", "grading/checks/", "grading/truths/")
    assert [name for name in names if name.startswith(hidden)] == []
