"""What a lesson is written with: it is opened, asks, reveals, tells, and is closed.

    (this := lesson.open("03_kv_cache"))                    # one cell each, shown where it is named
    (q1 := this.ask(1, "How long is one step?", unit="ms", slips={"bytes are bits": slow}).reveal(
        step.latency, why="All weights are read once.", chart=lambda guess: charts.ranked(...)))
    this.text(q1, "What follows from it.")
    this.close(q1)

An author writes physics and words. What is told stays closed until what it would give away is
answered.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import marimo as mo

from mlsysim import pages
from mlsysim.core.errors import BadArgument
from mlsysim.course.journal import Journal, here
from mlsysim.course.lessons import Lesson, find_lesson
from mlsysim.learn.intuition import intuition
from mlsysim.learn.naming import Round
from mlsysim.learn.own import own
from mlsysim.learn.predict import Question, Words, prose
from mlsysim.learn.say import say

SERVED = "mlsysim-learn"  # the mark of a request that came through `mlsysim learn`
ETA = 0.5  # the part of the peak that a lesson reckons with unless it says otherwise


def open(stem: str, journal: Journal | None = None, *, eta: float = ETA) -> Opened:
    """The lesson `stem`, with the learner's journal; raises UnknownName for no such lesson."""
    return Opened(find_lesson(stem), Journal() if journal is None else journal, eta)


class Opened:
    """An open lesson. Shown, it is the head of the page: number, title, question, minutes."""

    def __init__(self, facts: Lesson, journal: Journal, eta: float) -> None:
        self.facts, self.stem, self.journal, self.eta = facts, facts.stem, journal, eta
        self._asks = [name for name in facts.predictions if name in facts.questions]

    def _mime_(self) -> tuple[str, str]:  # what marimo shows of it
        count = len(self.facts.questions)
        return "text/html", dress() + pages.render("head.html", lesson=self.facts, count=count)

    def _repr_html_(self) -> str:  # what Jupyter shows
        return self._mime_()[1]

    def __repr__(self) -> str:
        return f"lesson {self.stem}"

    def ask(
        self, number: int, text: str, *, after: Question | None = None, **asked: Any
    ) -> Question:
        """Prediction `number` of the lesson: a number in `unit`, one of `options`, or an `order`.

        `why` asks for a cause together with the answer, `because` for a sentence. `slips` are known
        wrong turns: of a number, {what was done: the number that it gives}; of an order, {by what:
        the order}; of a choice, {option: what to tell whoever takes it}; values may be functions.
        `within` is the factor that counts as right, `signed` allows answers below zero. It is shown
        once `after` is answered; what it `reveal`s follows in the same cell. Raises BadArgument for
        a question that cannot be asked.
        """
        name = f"{self.stem[:2]}.{number}"
        of = f" of {len(self._asks)}" if len(self._asks) >= number else ""
        tag = f"Prediction {number}{of}"
        return Question(name, text, journal=self.journal, after=after, tag=tag, **asked)

    def text(self, question: Question, words: Words) -> mo.Html:
        """Prose that opens once the question is answered, in a class once its answer is open."""
        mo.stop(not question.done)
        return mo.Html(question.told(words))

    def own(self, model: Any, chip: Any) -> tuple[Any, Any]:
        """The learner's own model and chip to explore with, or these where none are named."""
        return own(model, chip)

    def wait(self, *questions: Question) -> None:
        """Stop the cell until every question is answered: sliders and what they move."""
        mo.stop(not all(question.done for question in questions))

    def name_that_wall(self, question: Question) -> Round:
        """A timed round of symptom cards, which opens once the question is answered."""
        return Round(question)

    def close(self, *questions: Question) -> mo.Html:
        """The end, once every question is answered: takeaway, intuition, what next."""
        names = [question.question for question in questions]
        if len(set(names)) < len(names):
            raise BadArgument("questions", names, "give each question a number of its own")
        self.wait(*questions)
        save = mo.download(
            data=self.journal.to_bytes,
            filename="journal.jsonl",
            mimetype="application/jsonl",
            label="Download my journal",
        )
        end = pages.render(
            "end.html",
            lesson=self.facts,
            takeaway=prose(self.facts.takeaway),
            count=len(names),
            where=_short(self.journal.path),
            served=served() is not None,
            notice=self.journal.notice,
        )
        end = below(served() or "", end)
        return mo.vstack([mo.Html(end), intuition(self.journal), save], gap=1)


def stats(facts: dict[str, Any]) -> mo.Html:
    """A row of figures under sliders: {what it is: a quantity or words}."""
    shown = {name: say(value) for name, value in facts.items()}
    return mo.Html(pages.render("stats.html", facts=shown))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> mo.Html:
    """A small table, such as a worked calculation, that scrolls in itself on a phone."""
    cells = [[say(cell) for cell in row] for row in rows]
    return mo.Html(pages.render("table.html", head=head, rows=cells))


def dress() -> str:
    """Style and scripts of a page of the course; left out where no page is shown."""
    if not mo.running_in_notebook():
        return ""
    names = ["lesson.js", "room_learner.js"] if here() else ["lesson.js"]
    sources = [base64.b64encode(pages.source(name).encode()).decode() for name in names]
    scripts = [f'<script src="data:text/javascript;base64,{each}"></script>' for each in sources]
    return pages.render("lesson_style.html") + "".join(scripts)


def served() -> str | None:
    """Where `mlsysim learn` serves the page, so that it can link to its neighbours; None if not."""
    request = mo.app_meta().request
    base = None if request is None else request.meta.get(SERVED)
    return base if isinstance(base, str) else None


def below(base: str, page: str) -> str:
    """A page whose addresses are those below `base`."""
    return page.replace('="/', f'="{base}/')


def _short(path: Path) -> str:
    """A path as its owner would say it."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else path.name
