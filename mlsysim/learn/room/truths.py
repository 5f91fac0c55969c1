"""What the solvers say to a room's questions: a lesson is run once, in the background."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mlsysim import charts
from mlsysim.core.errors import MLSysError
from mlsysim.course.calibration import HIT
from mlsysim.course.lessons import ORDER
from mlsysim.learn.marks import near
from mlsysim.learn.predict import Question
from mlsysim.learn.rehearse import rehearse, run
from mlsysim.learn.say import spell

_worker = ThreadPoolExecutor(1, "truths")
_held: dict[str, Future[dict[str, Truth]]] = {}


class Truth(NamedTuple):
    """What the solver says to a question: a number in its unit, an option, or an order."""

    question: Question
    value: float | str

    @property
    def words(self) -> str:
        """The truth as people say it."""
        return self.value if isinstance(self.value, str) else spell(self.value, self.question.unit)

    def agrees(self, said: float | str) -> bool:
        """Whether an answer is right: the right words, or a number within a factor of two."""
        if isinstance(said, str) or isinstance(self.value, str):
            return said == self.value
        return near(said, self.value, HIT)

    def nearer(self, first: float | str, second: float | str) -> bool:
        """Whether a second answer is nearer to the truth than the first one."""
        if isinstance(self.value, str) or isinstance(first, str) or isinstance(second, str):
            return self.agrees(second) and not self.agrees(first)
        return _apart(second, self.value) < _apart(first, self.value)


def _apart(said: float, truth: float) -> float:
    """How far two numbers are apart: by their ratio where they have one."""
    same = said * truth > 0
    return max(said / truth, truth / said) - 1 if same else 1e9 + abs(said - truth)


def truth(stem: str, question: str) -> Truth | None:
    """What the solver says to a question of a lesson; None while that is worked out, or fails."""
    if stem not in _held:
        _held[stem] = _worker.submit(_work_out, stem)
    done = _held[stem].done() and not _held[stem].exception()
    return _held[stem].result().get(question) if done else None


def _work_out(stem: str) -> dict[str, Truth]:
    with tempfile.TemporaryDirectory() as folder:
        asked = run(stem, rehearse(stem, Path(folder))).asked
        return {each.question: Truth(each, each.plain(each.answer.truth)) for each in asked}


@cache
def picture(stem: str, question: str, guess: float | None, *, dark: bool) -> str:
    """The chart that a lesson shows with a truth that is worked out, as SVG; '' where none is."""
    told = truth(stem, question)
    chart = told.question.answer.chart if told else None
    if told is None or chart is None:
        return ""
    said = told.value if guess is None else guess
    split = said.split(ORDER) if told.question.order and isinstance(said, str) else said
    try:
        return charts.svg(chart(split), size="slide", dark=dark)
    except MLSysError:  # nothing here can draw
        return ""
