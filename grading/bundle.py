"""What leaves the instructor's machine: the learners' bundle, and the grader for Gradescope."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from grading.book import Gradebook, due
from grading.derive import ROOT
from grading.report import put
from mlsysim.core.errors import MLSysError
from mlsysim.course.lessons import lesson

_HIDDEN = ("solutions/", "grading/", "/tests/")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def wheel(folder: Path) -> Path:
    """The package as learners get it, built into a folder; raises MLSysError."""
    if importlib.util.find_spec("hatchling") is None:
        raise MLSysError("hatchling builds the package and is not here: pip install hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("mlsysim-*.whl"))
    if done.returncode or not found:
        raise MLSysError(f"the package could not be built: {done.stderr.strip()[-300:]}")
    with zipfile.ZipFile(found[-1]) as packed:
        shown = [name for name in packed.namelist() if any(part in name for part in _HIDDEN)]
    if shown:
        raise MLSysError(f"the package would show what learners must not see: {shown[0]}")
    return found[-1]


def release(gradebook: Gradebook, out: Path) -> list[Path]:
    """The learners' bundle: the package with its exercises, and what to do with it."""
    if not gradebook.assignments:
        raise MLSysError("the gradebook names no assignments: say which, with their due times")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("mlsysim-*.whl"):
        old.unlink()
    built = wheel(out)
    lines = [
        f"# {gradebook.course or 'ML systems'}: exercises",
        "",
        "Python 3.11 or later is needed, and nothing else. Once:",
        "",
        f"    python -m pip install ./{built.name}",
        "",
        "Each exercise has numbers of your own: type your student id, and the code that you were",
        "given. Predict in the lesson first: having predicted earns points, being right does not.",
        "",
    ]
    for name, counted in sorted(gradebook.assignments.items()):
        held, until = lesson(name), due(counted.due)
        when = f", due {until:%Y-%m-%d %H:%M %Z}" if until else ""
        number = f"{held.number:02d}"
        lines += [f"- {number} {held.title}{when}", ""]
        lines += [f"      mlsysim learn {number}", f"      mlsysim learn {number} --exercise", ""]
    lines += [
        "Before you hand in `answers.json`, see whether it can be read (nobody is told whether it",
        "is right):",
        "",
        "    mlsysim check answers.json",
    ]
    put(out / "README.md", "\n".join(lines) + "\n")
    return [built, out / "README.md"]


# ---- Gradescope ----------------------------------------------------------------------------------

_SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, when it builds the container.
set -e
apt-get update -qq
for python in python3.13 python3.12 python3.11; do
    if apt-get install -y -qq "$python-venv"; then "$python" -m venv /autograder/venv; break; fi
done
/autograder/venv/bin/pip install -q /autograder/source/mlsysim-*.whl
"""
_RUN = """#!/usr/bin/env bash
# Gradescope runs this for every hand-in.
root="${AUTOGRADER:-/autograder}"
cd "$root/source" && exec "${PYTHON:-$root/venv/bin/python}" -m grading.gradescope "$root"
"""


def gradescope(out: Path, kept: dict[str, Path | None]) -> Path:
    """The autograder's zip: the package, the grader, and the files that are `kept` beside them.

    Answers are data to it, so a secret in the container is out of every student's reach; nothing
    that a student wrote is run there, and functions do not count.
    """
    with TemporaryDirectory() as aside:
        built = wheel(Path(aside))
        files = {built.name: built.read_bytes()}
    here = Path(__file__).parent
    for path in sorted(here.rglob("*")):
        if path.suffix in (".py", ".yaml"):
            files[f"grading/{path.relative_to(here).as_posix()}"] = path.read_bytes()
    files.update({name: path.read_bytes() for name, path in kept.items() if path})
    part = out.with_name(f".{out.name}.part")
    with zipfile.ZipFile(part, "w") as packed:
        for name, text in (("setup.sh", _SETUP), ("run_autograder", _RUN)):
            info = zipfile.ZipInfo(name, _LONG_AGO)
            info.external_attr = 0o755 << 16
            packed.writestr(info, text)
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
    shutil.move(part, out)
    return out
