"""The executed notebooks under `tutorials/ipynb`: `python -m tests.notebooks` writes them anew.

A notebook is exported from its marimo source, run in Jupyter with the reference journal of
`tests/lessons/<stem>.jsonl` (so that every answer is revealed), and committed with its outputs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "tutorials" / "ipynb"
ANSWERED = ROOT / "tests" / "lessons"


def answered_journal(stem: str, folder: Path) -> Path:
    """A copy of the lesson's reference journal, for a run to read and write beside."""
    return Path(shutil.copyfile(ANSWERED / f"{stem}.jsonl", folder / "journal.jsonl"))


def environment(journal: Path) -> dict[str, str]:
    """The environment in which a notebook finds the reference journal."""
    return {**os.environ, "MLSYSIM_JOURNAL": str(journal)}


def execute(stem: str, out: Path) -> Path:
    """Export and run one lesson with its reference journal; returns the executed notebook."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exported = folder / f"{stem}.ipynb"
        env = environment(answered_journal(stem, folder))
        run = [sys.executable, "-m"]
        source = ROOT / "tutorials" / f"{stem}.py"
        subprocess.run(
            [*run, "marimo", "export", "ipynb", str(source), "-o", str(exported), "--force"],
            check=True,
            env=env,
            capture_output=True,
        )
        subprocess.run(
            [*run, "nbconvert", "--to", "notebook", "--execute", "--inplace", str(exported)],
            check=True,
            env=env,
            capture_output=True,
        )
        target = out / f"{stem}.ipynb"
        target.write_text(_steady(exported.read_text(encoding="utf-8")), encoding="utf-8")
    return target


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
    for answers in sorted(ANSWERED.glob("*.jsonl")):
        sys.stdout.write(f"{execute(answers.stem, COMMITTED).relative_to(ROOT)}\n")
