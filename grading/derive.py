"""What is derived and never edited by hand: exercises, and the facts of a tutorial's predictions.

An exercise is its solution without what stands below each `# answer:` mark. A tutorial that is run
with every prediction answered says what it asked and what the solver revealed: what was asked lies
beside the lesson's facts, for everybody; what is true lies here, with the grader.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from mlsysim.core.errors import InvalidEntry
from mlsysim.course.journal import Journal
from mlsysim.course.lessons import Prediction

ROOT = Path(__file__).parent.parent
SOLUTIONS, EXERCISES = ROOT / "solutions", ROOT / "exercises"
MARK = re.compile(r"[ \t]*# answer:.*")
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
        stripping = bool(MARK.fullmatch(line))
        kept.append(line)
    return "\n".join(kept) + ("\n" if solution.endswith("\n") else "")


def predictions(tutorial: Path, answered: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a tutorial asks, and what it reveals to whoever answered, by the predictions' ids.

    `answered` is a journal with an answer to each. Truths have six digits, which is more than any
    judgement needs, and alike on every machine.
    """
    spec: Any = spec_from_file_location(tutorial.stem, tutorial)
    notebook = module_from_spec(spec)
    spec.loader.exec_module(notebook)
    with TemporaryDirectory() as folder:
        journal = Journal(shutil.copyfile(answered, Path(folder) / answered.name))
        _, made = notebook.app.run(defs={"journal": journal})
        truths = journal.truths()
    asked = {
        value.question: value.facts
        for value in made.values()
        if isinstance(getattr(value, "facts", None), Prediction)
    }
    for name, fact in asked.items():
        if (answer := journal.get(name)) and answer.unit != fact.unit:
            raise InvalidEntry(answered.name, name, f"answer it in {fact.unit}, as it is asked")
    return (
        {name: asked[name].to_dict() for name in sorted(asked)},
        {
            name: truth if isinstance(truth, str) else float(f"{truth:.6g}")
            for name, truth in sorted(truths.items())
        },
    )


def wanted(root: Path = ROOT) -> dict[Path, str]:
    """Every derived file below a folder, with the text that it should have."""
    files = {
        root / "exercises" / solution.name: derive(solution.read_text(encoding="utf-8"))
        for solution in sorted((root / "solutions").glob("*.py"))
    }
    for tutorial in sorted((root / "tutorials").glob("*.py")):
        answered = root / "tests" / "lessons" / f"{tutorial.stem}.jsonl"
        parts: tuple[Mapping[str, Any], ...] = predictions(tutorial, answered)
        for folder, part in zip(_FACTS, parts, strict=True):
            head = f"# Derived from tutorials/{tutorial.name} by `python -m grading derive`.\n"
            held = yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=1000)
            files[root / folder / f"{tutorial.stem}.yaml"] = head + held
    return files


def stale(root: Path = ROOT) -> list[str]:
    """What is wrong with the derived files as they stand, in sentences that say the remedy."""
    files = wanted(root)
    faults = [
        f"solutions/{solution.name} has no `# answer:` mark: its exercise would hold the answers"
        for solution in sorted((root / "solutions").glob("*.py"))
        if not any(map(MARK.fullmatch, solution.read_text(encoding="utf-8").splitlines()))
    ]
    faults += [
        f"{path.relative_to(root).as_posix()} is not what its source gives: "
        "run `python -m grading derive`"
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return faults + [
        f"{path.relative_to(root).as_posix()} has no source: write one, or remove it"
        for folder in ("exercises", *_FACTS)
        for path in sorted([*(root / folder).glob("*.py"), *(root / folder).glob("*.yaml")])
        if path not in files
    ]


def write(root: Path = ROOT) -> list[Path]:
    """Write every derived file anew; returns those that changed."""
    changed = []
    for path, text in wanted(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
