"""What is derived and never edited by hand: exercises, and the facts of a tutorial's predictions.

An exercise is its solution without what stands below each `# answer:` mark. A tutorial that is run
with every prediction answered says what it asked and what the solver revealed: what was asked lies
beside the lesson's facts, for everybody; what is true lies here, with the grader.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from mlsysim.core.errors import InvalidEntry

ROOT = Path(__file__).parent.parent
SOLUTIONS, EXERCISES = ROOT / "solutions", ROOT / "exercises"
BLANKED = re.compile(r"[ \t]*# answer:.*")
_FACTS = ("mlsysim/course/predictions", "grading/truths")  # what is asked; what is true


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
        stripping = bool(BLANKED.fullmatch(line))
        kept.append(line)
    return "\n".join(kept) + ("\n" if solution.endswith("\n") else "")


def predictions(tutorial: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a tutorial asks, and what it reveals to whoever answered, by the predictions' ids.

    Truths have six digits, which is more than any judgement needs, and alike on every machine.
    """
    from mlsysim.learn.rehearse import rehearse, run  # slow to load, and grading needs none

    with TemporaryDirectory() as folder:
        journal = rehearse(tutorial.stem, Path(folder), path=tutorial)
        ran = run(tutorial.stem, journal, path=tutorial)
        truths = sorted(journal.truths().items())
    if len({each.question for each in ran.asked}) < len({id(each) for each in ran.asked}):
        raise InvalidEntry(tutorial.name, "ask", "give each question a number of its own")
    asked = {name: fact for each in ran.asked for name, fact in each.facts.items()}
    rounded = {n: t if isinstance(t, str) else float(f"{t:.6g}") for n, t in truths}
    facts = {name: {k: v for k, v in asked[name].to_dict().items() if v} for name in sorted(asked)}
    return facts, rounded


def wanted(root: Path = ROOT) -> dict[Path, str]:
    """Every derived file below a folder, with the text that it should have."""
    files = {
        root / "exercises" / solution.name: derive(solution.read_text(encoding="utf-8"))
        for solution in sorted((root / "solutions").glob("*.py"))
    }
    for tutorial in sorted((root / "tutorials").glob("*.py")):
        head = f"# Derived from tutorials/{tutorial.name} by `python -m grading derive`.\n"
        for folder, part in zip(_FACTS, predictions(tutorial), strict=True):
            held = yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000)
            files[root / folder / f"{tutorial.stem}.yaml"] = head + held
    return files


def _changed(files: dict[Path, str]) -> list[Path]:
    return [p for p, text in files.items() if not p.exists() or p.read_text("utf-8") != text]


def stale(root: Path = ROOT) -> list[str]:
    """What is wrong with the derived files as they stand, in sentences that say the remedy."""
    files = wanted(root)
    unmarked = [
        solution
        for solution in sorted((root / "solutions").glob("*.py"))
        if not any(map(BLANKED.fullmatch, solution.read_text(encoding="utf-8").splitlines()))
    ]
    here = [path for f in ("exercises", *_FACTS) for path in sorted((root / f).glob("*.[py]*"))]
    faults = {
        "has no `# answer:` mark: its exercise would hold the answers": unmarked,
        "is not what its source gives: run `python -m grading derive`": _changed(files),
        "has no source: write one, or remove it": [path for path in here if path not in files],
    }
    return [
        f"{path.relative_to(root).as_posix()} {fault}"
        for fault, paths in faults.items()
        for path in paths
    ]


def write(root: Path = ROOT) -> list[Path]:
    """Write every derived file anew; returns those that changed."""
    files = wanted(root)
    changed = _changed(files)
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    return changed
