"""`mlsysim learn --export DIR`: lessons on paper, one page each that loads nothing.

A handout asks what its lesson asks, a question a sheet, since later ones tell what earlier ones
asked. With answers it says beside each what the solver says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import marimo as mo

from mlsysim import charts, pages
from mlsysim.core.errors import MLSysError
from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.learn.marks import joined
from mlsysim.learn.predict import BECAUSE, CAUSE, Question
from mlsysim.learn.rehearse import run
from mlsysim.learn.say import spell

_NEEDS_A_PAGE = "<marimo-"  # sliders and the like have no place on paper


class Answer(NamedTuple):
    """What the solver says, as a page prints it; `drawn` is a picture or a table."""

    truth: str
    cause: str
    why: str
    formula: str
    drawn: str
    then: str


def export(folder: Path, *, answers: bool, stems: list[str] | None = None) -> Iterator[Path]:
    """Write the handouts of some lessons, or of all, and say where each is as soon as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems or course.stems():
        path = folder / f"{stem}{'_answers' if answers else ''}.html"
        path.write_text(handout(stem, answers=answers), encoding="utf-8")
        yield path


def handout(stem: str, *, answers: bool) -> str:
    """One lesson as a page to print."""
    with tempfile.TemporaryDirectory() as folder:
        ran = run(stem, answered(stem, Path(folder) / "journal.jsonl"))
        parts: list[dict[str, Any]] = []
        for output in ran.outputs:
            if isinstance(output, Question):
                asked = {"question": output, "text": mo.md(output.asked).text}
                parts.append({**asked, "answer": _answer(output) if answers else None})
            elif isinstance(output, mo.Html) and (answers or not parts):
                parts += [{"prose": output.text}] if _NEEDS_A_PAGE not in output.text else []
    return pages.render("handout.html", lesson=course.lesson(stem), parts=parts, answers=answers)


def answered(stem: str, path: Path) -> Journal:
    """A journal in which every question of a lesson is answered as the solver answers it."""
    journal, last = Journal(path), -1
    while len(journal) > last:
        last = len(journal)
        for question in run(stem, journal).asked:
            if question.open and not question.committed:
                said = question.answer
                if question.why:
                    journal.commit(question.question + CAUSE, said.cause)
                if question.because:
                    journal.commit(question.question + BECAUSE, "as the solver says")
                unit = None if question.order or question.options else question.unit or None
                journal.commit(question.question, question.plain(said.truth), unit)
    return journal


def _answer(question: Question) -> Answer:
    said = question.answer
    plain = question.plain(said.truth)
    truth = joined(plain) if isinstance(plain, str) else spell(plain, question.unit)
    drawn = _drawn(said.chart(question.guess())) if said.chart else ""
    why, formula, then = (question.told(words) for words in (said.why, said.formula, said.then))
    return Answer(truth, said.cause, why, formula, drawn, then)


def _drawn(chart: Any) -> str:
    """A chart as a picture; as its table where nothing here can draw."""
    try:
        return charts.svg(chart)
    except MLSysError:
        rows = charts.table(chart)
        head = list(rows[0]) if rows else []
        cells = [[row.get(name, "") for name in head] for row in rows]
        return pages.render("table.html", head=head, rows=cells)
