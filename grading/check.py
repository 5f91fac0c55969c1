"""Truths of questions: the `check` decorator, and the checks of an assignment together.

A check is a function of a `Variant` that returns the truth, worked out by a solver, for a question
that the lesson's YAML file declares; its docstring is the hint that a wrong answer gets.
Misconceptions and alternative assumptions are functions of the variant too: the name of a
misconception completes "It looks as if you ...", an accepted assumption is one that the question
offers, and their docstrings are the advice. One that does not apply to a variant returns None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from grading.code import Function
from grading.kinds import KINDS, Kind, Mark
from grading.sandbox import available
from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.core.registry import parse_yaml
from mlsysim.course import questions
from mlsysim.course.lessons import Assignment, Prediction, assignment, lesson
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import Variant

Truth = Callable[..., Any]  # of the variant, and for a specification of the entry too
Inputs = Sequence[tuple[float, ...]]  # of calls of a function
_TRUTHS = Path(__file__).parent / "truths"


def _unwritten(_: Variant) -> Any:
    raise NotImplementedError


@dataclass(frozen=True)
class check:  # noqa: N801 - used as a decorator
    """What judges the question `name`: the decorated function, and what it knows of answers.

    `within` is the relative tolerance of a number and `slack` an absolute one, for whole numbers.
    A function is called with each row of `inputs`, its arguments, which a learner never sees.
    `follows` names the part whose own answer, right or wrong, `follow` works on from.
    """

    name: str
    points: float = 1
    within: float = 0.02
    slack: float = 0.0
    misconceptions: Mapping[str, Truth] = field(default_factory=dict)
    accept: Mapping[str, Truth] = field(default_factory=dict)
    inputs: Callable[[Variant], Inputs] | None = None
    follows: str = ""
    follow: Callable[[Variant, Any], Any] | None = None
    truth: Truth = _unwritten

    def __call__(self, truth: Truth) -> check:
        """The check with its truth."""
        return replace(self, truth=truth)


_KINDS = {getattr(questions, kind.__name__): kind for kind in (*KINDS, Function)}
_NONE = Answer()
PREDICTIONS = 2.0  # points that the predictions of a lesson earn together


@dataclass(frozen=True)
class Checks:
    """All that is asked in one assignment: each question with its check."""

    assignment: Assignment
    questions: Mapping[str, Kind]
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    truths: Mapping[str, float | str] = field(default_factory=dict)  # of the predictions

    @property
    def prediction_points(self) -> float:
        """What committing to one prediction earns."""
        return PREDICTIONS / len(self.predictions) if self.predictions else 0.0

    @property
    def points(self) -> float:
        """The most that a sheet can score here: functions count where they can be run."""
        predicted = self.prediction_points * len(self.predictions)
        run = not any(isinstance(q, Function) for q in self.questions.values()) or available()
        counted = (q for q in self.questions.values() if run or not isinstance(q, Function))
        return sum(q.points for q in counted) + predicted

    def judge(self, v: Variant, answers: Mapping[str, Answer]) -> list[Mark]:
        """A mark for every question of the assignment, answered or not."""
        own: dict[str, Any] = {}
        marks = []
        for name, question in self.questions.items():
            earlier = own.get(question.check.follows)
            own[name], mark = question.answered(answers.get(name, _NONE), v, earlier)
            marks.append(mark)
        return marks


def gather(assigned: Assignment, checks: Iterable[check]) -> dict[str, Kind]:
    """Each question of an assignment with its check, in the order in which they are asked.

    Raises UnknownName for a check of no question or an assumption that is not offered, and
    InvalidEntry for a question or an assumption that nothing judges.
    """
    held = {each.name: each for each in checks}
    for each in held.values():
        if each.name not in assigned.questions:
            raise UnknownName("check", each.name, assigned.questions)
        if each.follows and each.follows not in assigned.questions:
            raise UnknownName("follows", each.follows, assigned.questions)
    judged = {}
    for name, asked in assigned.questions.items():
        kind = _KINDS[type(asked)]
        if kind.judged and name not in held:
            raise InvalidEntry(assigned.name, name, "no check judges it; write one")
        if not kind.judged and name in held:
            raise InvalidEntry(assigned.name, name, f"a {kind.__name__} is not judged here")
        held.setdefault(name, check(name, points=0))
        offered, accepted = set(asked.assumptions), set(held[name].accept)
        if accepted - offered:
            raise UnknownName(f"accept of {name}", min(accepted - offered), offered)
        if left := offered - accepted:
            raise InvalidEntry(
                assigned.name, name, f"it offers {min(left)}, but does not accept it"
            )
        judged[name] = kind(asked, held[name], assigned.assumptions)
    return judged


@lru_cache(maxsize=64)
def load(name: str) -> Checks:
    """The checks of an assignment, by its name; raises UnknownName."""
    package = import_module("grading.checks")
    modules = [info.name for info in iter_modules(package.__path__)]
    if f"c{name}" not in modules:
        raise UnknownName("assignment", name, [module[1:] for module in modules])
    module = import_module(f"grading.checks.c{name}")
    declared = [value for value in vars(module).values() if isinstance(value, check)]
    known = parse_yaml((_TRUTHS / f"{name}.yaml").read_text(encoding="utf-8"), name)
    assigned, asked = assignment(name), lesson(name)
    predictions = {each: asked.predictions[each] for each in asked.questions}  # reasons ride along
    return Checks(assigned, gather(assigned, declared), predictions, known)
