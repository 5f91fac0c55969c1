"""The executed notebooks under `tutorials/ipynb`; `python -m tests.notebooks [STEM]` writes them.

A notebook is exported from its marimo source, run in Jupyter with a wrong answer to everything (so
that every truth is revealed), and committed with its outputs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from configparser import RawConfigParser
from pathlib import Path

from mlsysim.course import lessons as course
from mlsysim.learn.rehearse import rehearse

ROOT = Path(__file__).parent.parent
PATIENT = "--ExecutePreprocessor.startup_timeout=300"  # a busy machine starts a kernel slowly
COMMITTED = ROOT / "tutorials" / "ipynb"
RULES = ROOT / "tests" / "nbval.cfg"  # what may differ from run to run


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that is to run this checkout, wherever another is installed."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def execute(stem: str, out: Path) -> Path:
    """Export and run one lesson, answered; returns the executed notebook."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exported = folder / f"{stem}.ipynb"
        env = environment(MLSYSIM_JOURNAL=str(rehearse(stem, folder).path))
        source = str(ROOT / "tutorials" / f"{stem}.py")
        for command in (
            ["marimo", "export", "ipynb", source, "-o", str(exported), "--force"],
            ["nbconvert", "--to", "notebook", "--execute", "--inplace", PATIENT, str(exported)],
        ):
            run = [sys.executable, "-m", *command]
            subprocess.run(run, check=True, env=env, capture_output=True)
        target = out / f"{stem}.ipynb"
        target.write_text(_steady(exported.read_text(encoding="utf-8")), encoding="utf-8")
    return target


def compare(notebook: Path, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a notebook again in a folder and compare every output with the one that it holds."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider"]
    command += ["--nbval-kernel-startup-timeout=300"]
    command += ["-c", os.devnull, "--rootdir", str(folder), str(notebook)]
    command += ["--nbval-sanitize-with", str(RULES)]
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, check=False, timeout=300
    )


def committed_pages(stem: str) -> list[str]:
    """What the cells of a committed notebook show, in order, below its head."""
    notebook = json.loads((COMMITTED / f"{stem}.ipynb").read_text(encoding="utf-8"))
    shown = [
        out["data"]["text/html"] for cell in notebook["cells"] for out in cell.get("outputs", ())
    ]
    return [alike("".join(lines)) for lines in shown][1:]


def alike(page: str) -> str:
    """A page without what differs from run to run."""
    rules = RawConfigParser()
    rules.read(RULES, encoding="utf-8")
    for rule in rules.sections():
        page = re.sub(rules[rule]["regex"], rules[rule]["replace"], page)
    return page


def _steady(text: str) -> str:
    """The notebook without what differs from run to run: times, versions, random ids."""
    notebook = json.loads(text)
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {}
        cell["id"] = f"cell-{number}"
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    ids: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return ids.setdefault(match[0], f"00000000-0000-4000-8000-{len(ids):012x}")

    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", numbered, text)


if __name__ == "__main__":
    COMMITTED.mkdir(exist_ok=True)
    for chosen in sys.argv[1:] or course.stems():
        sys.stdout.write(f"{execute(chosen, COMMITTED).relative_to(ROOT)}\n")
