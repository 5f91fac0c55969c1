"""What grading a class costs: `python -m benchmarks.class_grading [--files N] [--exercise 00]`.

A made-up class hands in, is graded by the command that an instructor types, and what the grader
took is told: CPU of it and of its judges, wall time, and the most memory that it held. Exercise
00 asks for a chip, which the solvers try, and most others for a function, which a sandbox runs: a
class is graded without and with that question answered.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from grading.check import load
from grading.rehearse import rehearse
from mlsysim import Engine
from mlsysim.course.lessons import find_lesson
from mlsysim.course.questions import Function, Spec
from mlsysim.course.variants import PUBLIC_SECRET, Variant, code_for


def just_enough(v: Variant) -> str:
    """A right answer to the last question of exercise 00: the peak that the step can use."""
    step = Engine.solve(v.model, v.device, batch_size=v.batch, seq_len=v.context)
    part, memory = step.si("compute_time") / step.si("memory_time"), v.device.memory
    return (
        f"release_year: 2027\ncompute: {{peak_flops: {1.03 * part * step.peak:~}}}\n"
        f"memory: {{capacity: {memory.capacity:~}, bandwidth: {memory.bandwidth:~}}}\n"
    )


def complete(folder: Path, name: str) -> None:
    """Answer the questions for a chip and for a function in every sheet of a class."""
    assignment = load(name).assignment
    for file in folder.rglob("answers.json"):
        held = json.loads(file.read_text(encoding="utf-8"))
        v = assignment.draw(code_for(held["student"], name, PUBLIC_SECRET))
        for q, asked in assignment.questions.items():
            if isinstance(asked, Function):
                held["answers"][q] = {"value": f"def {asked.signature}:\n    return 1.0\n"}
            elif isinstance(asked, Spec) and name.startswith("00"):
                held["answers"][q] = {"value": just_enough(v)}
        file.write_text(json.dumps(held), encoding="utf-8")


def graded(folder: Path, out: Path, jobs: int) -> str:
    """What the command that grades a folder costs."""
    command = [sys.executable, "-m", "grading", "grade", str(folder), "--out", str(out)]
    command += ["--jobs", str(jobs)]
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    assert os.waitstatus_to_exitcode(status) in (0, 1), "the class could not be graded"
    cpu = used.ru_utime + used.ru_stime
    return f"{cpu:6.2f} s of CPU, {wall:6.2f} s in all, {used.ru_maxrss / 1024:4.0f} MiB"


def told(files: int, name: str, jobs: int, *, whole: bool) -> str:
    """One class, made up and graded."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        rehearse(name, files, folder, None)
        if whole:
            complete(folder / "hand-ins", name)
        many = sum(1 for _ in folder.rglob("answers.json"))
        return f"{graded(folder / 'hand-ins', folder / 'out', jobs)} for {many:,} files"


def main() -> None:
    """Grade the class, as data alone and with what is tried or run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--exercise", default="00")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    name = find_lesson(args.exercise).stem
    asked = args.files, name, args.jobs
    sys.stdout.write(f"{name}, data alone:         {told(*asked, whole=False)}\n")
    sys.stdout.write(f"{name}, with chip or code:  {told(*asked, whole=True)}\n")


if __name__ == "__main__":
    main()
