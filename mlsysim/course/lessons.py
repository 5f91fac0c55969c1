"""What the course holds: its lessons with their exercises, and where their files lie.

`NN_slug.yaml` says all that a learner may see of a lesson and its exercise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from mlsysim.core.errors import UnknownName, did_you_mean
from mlsysim.core.registry import load
from mlsysim.core.values import Many, Value
from mlsysim.course.questions import Question
from mlsysim.course.variants import Variant

_HERE = Path(__file__).parent
ORDER = ", "  # between the items of an ordering as a journal keeps it, which therefore hold none


class Assignment(Value):
    """What an exercise asks, the space of its variants, and the sample that it works through.

    An axis named "device other" draws both fields together; every combination of the axes must stay
    in the regime that the questions are about, which a test shows. `entries` says which fields name
    an entry of which layer. Whoever changes what a code draws raises the version.
    """

    name: str
    version: int
    axes: dict[str, Many[Any]]
    sample: dict[str, Any]
    entries: dict[str, Literal["hardware", "models", "infrastructure", "systems", "scenarios"]] = {}
    given: dict[str, Any] = {}
    assumptions: dict[str, str] = {}
    questions: dict[str, Question]

    def check(self) -> None:
        """The sample has the fields of the axes, picks fit, and what is named elsewhere exists."""
        fields = {name for axis in self.axes for name in axis.split()}
        if set(self.sample) != fields:
            raise self.wrong("sample", f"it should say {', '.join(sorted(fields))}")
        for axis, picks in self.axes.items():
            many = len(axis.split())
            whole = all(isinstance(pick, list) and len(pick) == many for pick in picks)
            if many > 1 and not whole:
                raise self.wrong(f"axes.{axis}", f"each of its picks has {many} values")
        for name, asked in self.questions.items():
            if unknown := set(asked.assumptions) - set(self.assumptions):
                remedy = did_you_mean(min(unknown), sorted(self.assumptions))
                raise self.wrong(f"questions.{name}.assumptions", f"{min(unknown)!r}: {remedy}")

    def ask(self, name: str, v: Variant) -> Question:
        """The question `name` as the learner of a variant reads it; raises UnknownName."""
        if name not in self.questions:
            raise UnknownName("question", name, self.questions)
        asked = self.questions[name].filled(v)
        return asked.replace(assumptions=[self.assumptions[each] for each in asked.assumptions])

    def draw(self, code: str) -> Variant:
        """The variant that a code stands for."""
        picks = []
        for axis, options in self.axes.items():
            digest = hashlib.sha256(f"{code}|{axis}".encode()).digest()
            picks.append(options[int.from_bytes(digest[:8], "big") % len(options)])
        return self._variant(picks)

    def variants(self) -> Iterator[Variant]:
        """Every variant that there is."""
        return (self._variant(picks) for picks in product(*self.axes.values()))

    def variant(self, fields: Mapping[str, Any]) -> Variant:
        """The variant of these fields, such as the sample."""
        return Variant(fields, self.entries, self.given)

    def _variant(self, picks: Sequence[Any]) -> Variant:
        fields: dict[str, Any] = {}
        for axis, pick in zip(self.axes, picks, strict=True):
            names = axis.split()
            fields.update(zip(names, pick if len(names) > 1 else (pick,), strict=True))
        return self.variant(fields)


class Prediction(Value):
    """What a tutorial asks before it shows.

    A number in `unit`, one of `options`, an `order` of what is named, or a `sentence`.
    """

    text: str
    unit: str | None = None
    options: Many[str] | None = None
    order: Many[str] | None = None
    sentence: bool = False

    def takes(self, value: Any) -> bool:
        """Whether a value is an answer of its kind, right or wrong; a number's unit aside."""
        if self.options:
            return value in self.options
        if self.order:
            return isinstance(value, str) and sorted(value.split(ORDER)) == sorted(self.order)
        if self.sentence:
            return isinstance(value, str) and bool(value.strip())
        return not isinstance(value, (str, bool)) and isfinite(value)


class Lesson(Value):
    """One question, answered in one notebook; `stem` names its files.

    `predictions` are derived from the tutorial and stand in a file of their own; one with a reason
    (`03.4.why`, `00.5.because`) is answered together with its question.
    """

    stem: str
    title: str
    question: str
    minutes: int
    level: str
    takeaway: str = ""
    assignment: Assignment | None = None
    predictions: dict[str, Prediction] = {}

    @property
    def number(self) -> int:
        """The lesson's place in the course."""
        return int(self.stem[:2])

    @property
    def questions(self) -> list[str]:
        """The ids of its predictions, as the journal knows them, without those of reasons."""
        return [name for name in self.predictions if name.count(".") == 1]

    def file(self, kind: str = "tutorials") -> Path:
        """The lesson's notebook of a kind: `tutorials` or `exercises`."""
        return folder(kind) / f"{self.stem}.py"


def folder(kind: str) -> Path:
    """Where notebooks lie: beside the package in a clone, inside it when installed."""
    inside, beside = _HERE / kind, _HERE.parent.parent / kind
    return beside if beside.is_dir() else inside


def _as_they_are(facts: dict[str, Any]) -> Any:
    return facts


@cache
def stems() -> list[str]:
    """The stem of every lesson, in order."""
    return sorted(path.stem for path in _HERE.glob("[0-9][0-9]_*.yaml"))


@cache
def lesson(stem: str) -> Lesson:
    """The lesson whose facts stand in `stem`.yaml; raises InvalidEntry that names file and key."""
    derived = _HERE / "predictions" / f"{stem}.yaml"
    predictions = load(derived, _as_they_are) if derived.exists() else {}

    def build(facts: dict[str, Any]) -> Lesson:
        asked = facts.get("assignment")
        named = {"assignment": {**asked, "name": stem}} if isinstance(asked, dict) else {}
        return Lesson.build({**facts, **named, "stem": stem, "predictions": predictions})

    return load(_HERE / f"{stem}.yaml", build)


def lessons() -> list[Lesson]:
    """Every lesson, in order."""
    return [lesson(stem) for stem in stems()]


def find_lesson(name: str) -> Lesson:
    """The lesson called `name`: its number or its stem; raises UnknownName."""
    for stem in stems():
        if name in (stem, stem[:2], str(int(stem[:2]))):
            return lesson(stem)
    raise UnknownName("lesson", name, [stem[:2] for stem in stems()])


def assignment(name: Any) -> Assignment:
    """The assignment of the lesson `name`, by its stem, or one as it is; raises UnknownName."""
    if isinstance(name, Assignment):
        return name
    if name in stems() and (held := lesson(name).assignment):
        return held
    raise UnknownName("assignment", name, stems())
