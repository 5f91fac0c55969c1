"""The guide's commands, run as they are written, and its tables held against the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grading.flags import kinds
from tests.notebooks import ROOT

GUIDE = (ROOT / "grading" / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.S)
    for line in block.splitlines()
]
BOOK = re.search(r"```yaml\n(course: .*?)```", GUIDE, re.S)


def follow(commands, folder, **environment):
    """Run commands in a folder, one after the other."""
    (folder / "gradebook.yaml").write_text(BOOK[1], encoding="utf-8")
    script = "\n".join(["set -e", *commands])
    held = {**os.environ, **environment}
    held.pop("GRADING_SECRET", None)
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=held, capture_output=True, text=True, check=False
    )


def arrived(folder):
    """A class of 30 is graded: four pages of files, and the way back."""
    assert len(list((folder / "report" / "students").glob("*.html"))) == 28  # two are missing
    table = (folder / "report" / "grades.csv").read_text()
    assert table.count(",missing\n") == 2
    assert (folder / "codes.csv").read_text().count("\n") == 31
    back = sorted(path.name for path in (folder / "back").iterdir())
    assert back == ["moodle-feedback.zip", "moodle-grades.csv"]


def test_the_guides_commands_grade_a_class_of_thirty(tmp_path):
    assert len(COMMANDS) <= 12
    here = [each for each in COMMANDS if "venv" not in each and " release " not in each]
    assert len(here) >= len(COMMANDS) - 2
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = follow(here, tmp_path, PYTHONPATH=str(ROOT), PATH=path)
    assert ran.returncode == 0, ran.stderr
    arrived(tmp_path)
    assert "s005" in ran.stdout


@pytest.mark.slow
def test_the_guides_commands_start_from_nothing(tmp_path):
    clone = tmp_path / "clone"
    aside = shutil.ignore_patterns(".git", ".venv", "venv", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, clone, ignore=aside)
    ran = follow(COMMANDS, clone)
    assert ran.returncode == 0, ran.stderr
    arrived(clone)
    assert list((clone / "bundle").glob("mlsysim-*.whl"))


def test_every_flag_is_explained_and_no_other():
    told = dict(re.findall(r"^\| `([a-z-]+)`( \*)? \|", GUIDE, re.M))
    assert {name: bool(star) for name, star in told.items()} == {
        name: kind.alarm for name, kind in kinds().items()
    }
    for kind in kinds().values():
        assert kind.remedy in GUIDE


def test_every_key_of_a_gradebook_is_shown(tmp_path):
    from grading.book import Gradebook, read_gradebook

    block = re.search(r"```text\n(course: .*?)```", GUIDE, re.S)
    (tmp_path / "book.yaml").write_text(block[1])
    held = read_gradebook(tmp_path / "book.yaml")
    assert set(held.model_fields_set) == set(Gradebook.model_fields)
