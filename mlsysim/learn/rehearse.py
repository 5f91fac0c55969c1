"""A lesson gone through without a browser: as whoever opens it first, and as whoever errs.

    journal = rehearse("03_kv_cache", folder, turn=1)   # each answer is the second known wrong turn
    ran = run("03_kv_cache", journal)                   # what its cells make of that journal

What a lesson asks and reveals is derived from it so, its tests run so, and an author sees a cell
that fails only after the answer.
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.learn import lesson
from mlsysim.learn.predict import Question
from mlsysim.learn.say import in_unit


class Ran(NamedTuple):
    """What came of a notebook: what its cells showed, the names that they defined, the journal."""

    outputs: list[Any]
    defs: dict[str, Any]
    journal: Journal

    @property
    def asked(self) -> list[Question]:
        """Its questions, in order."""
        found = [value for value in self.defs.values() if isinstance(value, Question)]
        return sorted(found, key=lambda each: each.question)


def notebook(path: Path) -> Any:
    """The app in a notebook's file, not yet run."""
    spec: Any = spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def run(
    stem: str, journal: Journal, *, path: Path | None = None, eta: float = lesson.ETA, **more: Any
) -> Ran:
    """A tutorial, run with a journal; `more` overrides names that its cells define."""
    app = notebook(path or course.lesson(stem).file())
    outputs, defs = app.run(defs={"this": lesson.open(stem, journal, eta=eta), **more})
    return Ran(list(outputs), dict(defs), journal)


def rehearse(stem: str, folder: Path, turn: int = 0, *, path: Path | None = None) -> Journal:
    """A journal in `folder` in which every question has an answer: its known wrong turn `turn`."""
    journal = Journal(folder / f"turn-{turn}" / "journal.jsonl")
    for question in run(stem, journal, path=path).asked:
        question._convert_value(answer(question, turn))  # the door that a browser's answer takes
    return journal


def turns(question: Question) -> int:
    """How many answers are known to a question that are worth trying."""
    return max(len(question.options or question.slips), len(question.why), 1)


def answer(question: Question, turn: int) -> dict[str, Any]:
    """What a browser sends for the wrong turn `turn`; those with fewer begin again."""
    slips = list(question.slips.values())
    if question.options:
        value: Any = question.options[turn % len(question.options)]
    elif question.order:
        value = list(slips[turn % len(slips)] if slips else question.order)
    else:
        value = repr(in_unit(slips[turn % len(slips)], question.unit) if slips else 1.0)
    cause = question.why[turn % len(question.why)] if question.why else None
    because = "it waits for its bytes" if question.because else None
    return {"value": value, "cause": cause, "because": because, "confidence": "fairly sure"}
