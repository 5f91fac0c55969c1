"""The recipes of CONTRIBUTING, followed word for word in a copy of this checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.notebooks import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./-]+/[\w.-]+\.\w+)`")


class Step(NamedTuple):
    """One block: its language, what it holds, and the file that the text above names last."""

    kind: str
    body: str
    file: str


def recipe(title: str) -> list[Step]:
    """The steps of a section."""
    _, _, rest = TEXT.partition(f"\n## {title}")
    assert rest, title
    section, steps, read = rest.partition("\n## ")[0], [], 0
    for block in BLOCK.finditer(section):
        above = NAMED.findall(section[read : block.start()].strip().rpartition("\n\n")[2])
        steps.append(Step(block[1], block[2], above[-1] if above else ""))
        read = block.end()
    return steps


class Clone:
    """A copy of every file of the project, in which to try things."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
        for name in names.decode().rstrip("\0").split("\0"):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, root / name)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True, capture_output=True)

    def follow(self, steps: list[Step]) -> str:
        """Write what is to be written, run what is to be run; returns all that was printed."""
        said = ""
        for step in steps:
            if step.kind == "console":
                said += "".join(map(self.run, step.body.splitlines()))
            elif step.kind == "diff":
                self.change(step)
            else:
                path = self.root / step.file
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as file:
                    file.write(step.body)
        return said

    def change(self, step: Step) -> None:
        """Replace the lines that a diff shows by those that it wants."""
        path, lines = self.root / step.file, step.body.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (step.file, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, command: str) -> str:
        """What a line of the console prints; it ends well."""
        here = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        home = str(self.root / "home")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env={
                **os.environ,
                "PATH": here,
                "PYTHONPATH": str(self.root),
                "PYTHONDONTWRITEBYTECODE": "",  # what one command compiled serves the next
                "MLSYSIM_HOME": home,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def clone(tmp_path) -> Clone:
    """A clone that a recipe may change."""
    return Clone(tmp_path / "clone")


def passed(said: str) -> int:
    """How many tests a run of pytest says have passed, none having failed."""
    found = re.search(r"^(?:=+ )?(\d+) passed(?:, \d+ deselected)? in ", said, re.MULTILINE)
    assert found, said
    return int(found[1])


LOOK = """
from grading import derive
from mlsysim.course.journal import Journal
from mlsysim.learn.gallery import gallery

assert derive.stale() == []
print(gallery(Journal("none.jsonl")))
"""


def test_a_device(clone):
    said = clone.follow(recipe("A device"))
    assert said.count("Llama3_8B on MyChip") == 2
    assert not (clone.root / "mlsysim/hardware/data/cloud/MyChip.yaml").exists()


def test_a_grid(clone):
    assert clone.follow(recipe("A grid")).endswith("120.0 g/kWh\n")


def test_an_equation(clone):
    contract = (ROOT / "tests/equations/test_contract.py").read_text("utf-8").count("\n@each\n")
    assert passed(clone.follow(recipe("An equation"))) == contract + 1  # and its doctest


@pytest.mark.slow
def test_a_solver_for_a_wall(clone):
    steps = [step for step in recipe("An equation") if step.kind != "console"]
    said = clone.follow(steps + recipe("A solver for a wall"))
    assert "'ParameterServerModel'" in said
    assert "+ParameterServerModel.solve servers 1" in said
    assert "+Exchanged.exchange_time ms" in said
    assert re.search(r"test_bad_input.py::\S*\[ParameterServerModel\S* PASSED", said)
    assert passed(said) > 20


@pytest.mark.slow
def test_a_lesson(clone):
    said = clone.follow(recipe("A lesson"))
    assert passed(said) > 5
    (clone.root / "look.py").write_text(LOOK, encoding="utf-8")
    page = clone.run("python look.py")
    assert "What does a faster memory buy one user?" in page
    assert "0 of 1 predictions made" in page
    assert 'href="/exercise/19_more_bandwidth/"' in page
