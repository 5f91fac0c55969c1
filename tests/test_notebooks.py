"""The committed notebooks are what their lessons and the solvers say today."""

from __future__ import annotations

import json

import pytest

from mlsysim import Hardware
from mlsysim.course import lessons as course
from mlsysim.learn.rehearse import rehearse
from tests.notebooks import COMMITTED, ROOT, compare

FIRST, *LATER = course.stems()
MEND = "run `python -m tests.notebooks` and look at what changed"


@pytest.mark.parametrize(
    "stem", [FIRST, *(pytest.param(stem, marks=pytest.mark.slow) for stem in LATER)]
)
def test_a_committed_notebook_runs_again_to_the_same_outputs(stem, tmp_path):
    journal = rehearse(stem, tmp_path).path
    run = compare(COMMITTED / f"{stem}.ipynb", tmp_path, MLSYSIM_JOURNAL=str(journal))
    assert run.returncode == 0, f"{MEND}\n{run.stdout[-3000:]}"


def notebook(*cells: tuple[str, str]) -> str:
    """A notebook of cells and what they once answered."""
    made = [
        {
            "cell_type": "code",
            "execution_count": number,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": [answer]},
                    "execution_count": number,
                    "metadata": {},
                }
            ]
            if answer
            else [],
            "source": source,
        }
        for number, (source, answer) in enumerate(cells, start=1)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


def test_a_changed_bandwidth_shows_in_a_notebook(tmp_path):
    shelf = tmp_path / "registry" / "hardware" / "cloud"
    shelf.mkdir(parents=True)
    shipped = next((ROOT / "mlsysim" / "hardware" / "data").rglob("H100.yaml")).read_text("utf-8")
    assert Hardware.Cloud.H100.memory.bandwidth.m_as("TB/s") == 3.35
    (shelf / "H100.yaml").write_text(shipped.replace("3.35 TB/s", "3.9 TB/s"), encoding="utf-8")
    asks = "from mlsysim import Hardware", ""
    says = "[Hardware.H100.memory.bandwidth.m_as('TB/s'), Hardware.H100.name]", "[3.35, 'H100 SXM']"
    (tmp_path / "two.ipynb").write_text(notebook(asks, says), encoding="utf-8")
    run = compare(tmp_path / "two.ipynb", tmp_path, MLSYSIM_REGISTRY=str(tmp_path / "registry"))
    assert run.returncode == 1
    assert "Cell outputs differ" in run.stdout
    assert "1 failed, 1 passed" in run.stdout
    assert "3.9, 'H100 SXM'" in run.stdout
