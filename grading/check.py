"""Questions and their truths: the `check` decorator and the module that each assignment has.

A check is a function of a `Variant` that returns the truth, worked out by a solver. Its docstring's
first line is the question's title, the rest the hint that a wrong answer gets. Misconceptions and
alternative assumptions are functions of the variant too: their names complete the sentences
"It looks as if you ..." and "Right, if you ...", and their docstrings are the advice. One that does
not apply to a variant returns None.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from mlsysim.core.errors import UnknownName
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.variants import Assignment, Variant, assignment

Truth = Callable[[Variant], Any]
Follow = Callable[[Variant, Any], Any]


@dataclass(frozen=True)
class Question:
    """One graded question. `choices` makes it a choice; otherwise it asks for a number in `unit`.

    `within` is the relative tolerance and `slack` an absolute one, for whole numbers. `follows`
    names the part whose own answer, right or wrong, `follow` works on from.
    """

    name: str
    truth: Truth
    points: float
    unit: str
    within: float
    slack: float
    choices: tuple[str, ...]
    misconceptions: Mapping[str, Truth]
    accept: Mapping[str, Truth]
    follows: str
    follow: Follow | None

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self._doc.partition("\n")[0]

    @property
    def hint(self) -> str:
        """The rest of the docstring, in one line."""
        return " ".join(self._doc.partition("\n")[2].split())

    @property
    def _doc(self) -> str:
        return inspect.getdoc(self.truth) or self.name

    def expected(self, v: Variant) -> Any:
        """The truth for a variant: a number in the question's unit, or a choice."""
        return self.plain(self.truth(v))

    def plain(self, value: Any) -> Any:
        """A solver's value as a number in the question's unit; a choice and None as they are."""
        if self.choices or value is None:
            return value
        if isinstance(value, Quantity):
            return float(value.magnitude) * _into(value.units, self.unit)
        return float(value)

    def close(self, given: float, wanted: float) -> bool:
        """Whether a number is the wanted one within the tolerances."""
        return abs(given - wanted) <= max(self.within * abs(wanted), self.slack)


@lru_cache(maxsize=1024)
def _into(units: Any, unit: str) -> float:
    return float(Q_(1.0, units).m_as(unit))


def check(
    name: str,
    *,
    points: float = 1,
    unit: str = "",
    within: float = 0.02,
    slack: float = 0.0,
    choices: tuple[str, ...] = (),
    misconceptions: Mapping[str, Truth] | None = None,
    accept: Mapping[str, Truth] | None = None,
    follows: str = "",
    follow: Follow | None = None,
) -> Callable[[Truth], Question]:
    """Turn a function that solves a variant into a graded question."""

    def wrap(truth: Truth) -> Question:
        return Question(
            name,
            truth,
            points,
            unit,
            within,
            slack,
            choices,
            misconceptions or {},
            accept or {},
            follows,
            follow,
        )

    return wrap


@dataclass(frozen=True)
class Checks:
    """All that is asked in one assignment."""

    assignment: Assignment
    questions: Mapping[str, Question]
    predictions: tuple[str, ...]
    prediction_points: float
    prediction_truths: Mapping[str, Callable[[], Any]]
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def points(self) -> float:
        """The most that a sheet can score."""
        return sum(q.points for q in self.questions.values()) + self.prediction_points * len(
            self.predictions
        )

    def solved(self, what: Truth, question: Question, v: Variant) -> Any:
        """`what` for a variant, in the question's unit; each is worked out once."""
        key = (what, v.key)
        if key not in self._known:
            self._known[key] = question.plain(what(v))
        return self._known[key]

    @lru_cache(maxsize=64)  # noqa: B019 - there are as many as there are assignments
    def prediction_truth(self, name: str) -> Any:
        """The solver's answer to a prediction of the lesson; None when the checks know none."""
        truth = self.prediction_truths.get(name)
        return truth() if truth else None

    def __hash__(self) -> int:
        return hash(self.assignment.name)


def gather(module: ModuleType) -> Checks:
    """The checks that a module declares."""
    questions = {
        value.name: value for value in vars(module).values() if isinstance(value, Question)
    }
    for question in questions.values():
        if question.follows and question.follows not in questions:
            raise UnknownName("follows", question.follows, questions)
    return Checks(
        assignment(module.ASSIGNMENT),
        questions,
        tuple(getattr(module, "PREDICTIONS", ())),
        getattr(module, "PREDICTION_POINTS", 0.5),
        getattr(module, "PREDICTION_TRUTHS", {}),
    )


@lru_cache(maxsize=64)
def load(name: str) -> Checks:
    """The checks of an assignment, by its name; raises UnknownName."""
    package = import_module("grading.checks")
    modules = [info.name for info in iter_modules(package.__path__)]
    if f"c{name}" not in modules:
        raise UnknownName("assignment", name, [module[1:] for module in modules])
    return gather(import_module(f"grading.checks.c{name}"))
