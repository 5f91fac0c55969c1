"""The committed notebooks are what their lessons and the solvers say today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim import Hardware
from mlsysim.course import lessons as course
from tests.notebooks import ANSWERED, COMMITTED, ROOT, answered_journal, environment

STEMS = [lesson.stem for lesson in course.lessons()]
MEND = "run `python -m tests.notebooks` and look at what changed"


def nbval(stem: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Re-run a committed notebook and compare every output."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
            "--rootdir",
            str(ROOT),
            "--nbval-sanitize-with",
            str(ROOT / "tests" / "nbval.cfg"),
            str(COMMITTED / f"{stem}.ipynb"),
        ],
        env={**environment(answered_journal(stem, folder)), **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("stem", STEMS)
def test_a_committed_notebook_runs_again_to_the_same_outputs(stem, tmp_path):
    run = nbval(stem, tmp_path)
    assert run.returncode == 0, f"{MEND}\n{run.stdout[-3000:]}"


def test_a_changed_bandwidth_shows_in_the_notebook(tmp_path):
    shelf = tmp_path / "registry" / "hardware" / "cloud"
    shelf.mkdir(parents=True)
    shipped = next((ROOT / "mlsysim" / "hardware" / "data").rglob("H100.yaml")).read_text(
        encoding="utf-8"
    )
    assert Hardware.Cloud.H100.memory.bandwidth.m_as("TB/s") == 3.35
    (shelf / "H100.yaml").write_text(shipped.replace("3.35 TB/s", "3.9 TB/s"), encoding="utf-8")
    run = nbval("00_hello_roofline", tmp_path, MLSYSIM_REGISTRY=str(tmp_path / "registry"))
    assert run.returncode == 1
    assert "Cell outputs differ" in run.stdout


def test_every_lesson_has_its_notebook_and_no_other_is_there():
    assert {path.stem for path in COMMITTED.glob("*.ipynb")} == set(STEMS)
    assert {path.stem for path in ANSWERED.glob("*.jsonl")} == set(STEMS)
