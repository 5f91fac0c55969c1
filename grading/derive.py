"""Exercises are their solutions without what stands below each `# answer:` mark."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOLUTIONS, EXERCISES = ROOT / "solutions", ROOT / "exercises"
MARK = re.compile(r"[ \t]*# answer:.*")


def derive(solution: str) -> str:
    r"""An exercise's text: from each mark on, the lines up to the next blank one are left out.

    >>> print(derive("mine = None\n# answer: compute it\nmine = 42\n\nask(mine)"))
    mine = None
    # answer: compute it
    <BLANKLINE>
    ask(mine)
    """
    kept, stripping = [], False
    for line in solution.splitlines():
        if stripping and line.strip():
            continue
        stripping = bool(MARK.fullmatch(line))
        kept.append(line)
    return "\n".join(kept) + ("\n" if solution.endswith("\n") else "")


def stale(solutions: Path = SOLUTIONS, exercises: Path = EXERCISES) -> list[str]:
    """What is wrong with the exercises as they stand, in sentences that end with the remedy."""
    faults = []
    for solution in sorted(solutions.glob("*.py")):
        exercise, text = exercises / solution.name, solution.read_text(encoding="utf-8")
        if not any(map(MARK.fullmatch, text.splitlines())):
            faults.append(
                f"solutions/{solution.name} has no `# answer:` mark: "
                "its exercise would hold the answers"
            )
        if not exercise.exists() or exercise.read_text(encoding="utf-8") != derive(text):
            faults.append(
                f"exercises/{solution.name} is not what solutions/{solution.name} gives: "
                "run `python -m grading derive`"
            )
    for stray in sorted(exercises.glob("*.py")):
        if not (solutions / stray.name).exists():
            faults.append(f"exercises/{stray.name} has no solution: write one, or remove it")
    return faults


def write(solutions: Path = SOLUTIONS, exercises: Path = EXERCISES) -> list[Path]:
    """Write every exercise anew; returns those that changed."""
    changed = []
    exercises.mkdir(exist_ok=True)
    for solution in sorted(solutions.glob("*.py")):
        exercise, text = exercises / solution.name, derive(solution.read_text(encoding="utf-8"))
        if not exercise.exists() or exercise.read_text(encoding="utf-8") != text:
            exercise.write_text(text, encoding="utf-8")
            changed.append(exercise)
    return changed
