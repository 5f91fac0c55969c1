"""One answer against one truth: how much credit it earns, and what the learner is told.

In this order, and the first that fits is the verdict: blank, unreadable, wrong kind of unit, right,
right under a named assumption, consistent with the learner's own earlier part, a known
misconception, a known slip (bits and bytes, 1024 and 1000, a power of ten), wrong. Nothing that a
learner reads contains the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grading.check import Checks, Question
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_
from mlsysim.course.variants import Variant, factor, read_number, read_unit

# credit for an answer that is not right, as a part of the question's points: teaching values
HALF, QUARTER, NONE = 0.5, 0.25, 0.0
CREDIT = {
    "right": 1.0,
    "assumption": 1.0,
    "followed": 1.0,
    "slip": HALF,
    "no unit": HALF,
    "misconception": QUARTER,
    "wrong unit": NONE,
    "wrong": NONE,
    "unreadable": NONE,
    "blank": NONE,
}
_BITS = "took bits for bytes, or bytes for bits"
_BINARY = "took 1024 for 1000, or 1000 for 1024 (GiB are not GB)"
_TEN = "slipped by a power of ten: check the prefix of the unit"
_PERCENT = "gave a percentage where a plain number was asked"
_SHOWN = 40
_EXACT = 0.005  # steps of 1024/1000 lie so close that a slip must be hit well


@dataclass(frozen=True)
class Verdict:
    """What one answer earned.

    `kind` is a key of CREDIT; `name` says which assumption, misconception or slip.
    """

    question: str
    kind: str
    points: float
    out_of: float
    name: str = ""
    message: str = ""
    given: str = ""  # what was answered, shortened, as text that may hold anything

    @property
    def credit(self) -> float:
        """The part of the points that was earned."""
        return self.points / self.out_of if self.out_of else 0.0


def judge_all(checks: Checks, v: Variant, answers: Mapping[str, Any]) -> list[Verdict]:
    """A verdict on every question of the assignment, answered or not."""
    own: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    for name, question in checks.questions.items():
        answer = answers.get(name)
        own[name], verdict = judge(checks, question, v, answer, own.get(question.follows))
        verdicts[name] = replace(verdict, given=_as_given(answer))
    return list(verdicts.values())


def judge(
    checks: Checks, question: Question, v: Variant, answer: Any, own_before: Any = None
) -> tuple[Any, Verdict]:
    """The learner's value (None when it cannot be read) and the verdict on it.

    `own_before` is what the learner answered to the part that this one follows, in that part's
    unit.
    """
    value, unit = (
        (answer.get("value"), answer.get("unit")) if isinstance(answer, Mapping) else (answer, None)
    )
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, _verdict(question, "blank", message="No answer was given.")
    if question.choices:
        return _judge_choice(checks, question, v, value, own_before)
    try:
        number, unit = read_number(value), read_unit(unit)
    except BadArgument as error:
        return None, _verdict(question, "unreadable", message=f"This could not be read: {error}")
    into = factor(unit, question.unit)
    if into is None:
        return None, _wrong_unit(checks, question, v, number, unit)
    return number * into, _judge_number(checks, question, v, number * into, own_before)


def _as_given(answer: Any) -> str:
    if not isinstance(answer, Mapping):
        return ""
    text = " ".join(
        str(answer[key])[:_SHOWN] for key in ("value", "unit") if answer.get(key) is not None
    )
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _judge_choice(
    checks: Checks, question: Question, v: Variant, value: Any, own: Any
) -> tuple[Any, Verdict]:
    if not isinstance(value, str) or value not in question.choices:
        message = f"This is none of the choices: {', '.join(question.choices)}."
        return None, _verdict(question, "unreadable", message=message)
    if value == checks.solved(question.truth, question, v):
        return value, _verdict(question, "right", message="Right.")
    if own is not None and question.follow is not None and value == question.follow(v, own):
        return value, _followed(question)
    for name, _, advice in _misconceptions(checks, question, v, lambda wrong: wrong == value):
        # with few choices each wrong one is somebody's misconception: named, but worth nothing
        return value, _verdict(question, "wrong", name, f"It looks as if you {name}. {advice}")
    return value, _verdict(question, "wrong", message=f"Not so. {question.hint}")


def _judge_number(
    checks: Checks, question: Question, v: Variant, given: float, own: Any
) -> Verdict:
    truth = checks.solved(question.truth, question, v)
    if question.close(given, truth):
        return _verdict(question, "right", message="Right.")
    for name, assumed in question.accept.items():
        other = checks.solved(assumed, question, v)
        if other is not None and question.close(given, other):
            return _verdict(
                question, "assumption", name, f"Right, if you {name}: that is accepted here."
            )
    if own is not None and question.follow is not None:
        before = checks.questions[question.follows]
        followed = question.plain(
            question.follow(v, own if before.choices else Q_(own, before.unit))
        )
        if followed is not None and followed > 0 and question.close(given, followed):
            return _followed(question)
    for name, _, advice in _misconceptions(
        checks, question, v, lambda wrong: question.close(given, wrong)
    ):
        return _verdict(question, "misconception", name, f"It looks as if you {name}. {advice}")
    if slip := _slip(question, given, truth):
        return _verdict(
            question, "slip", slip, f"The approach is right, but it looks as if you {slip}."
        )
    return _verdict(question, "wrong", message=f"Not so. {question.hint}")


def _wrong_unit(
    checks: Checks, question: Question, v: Variant, number: float, unit: str
) -> Verdict:
    wanted = (
        f"a quantity such as one in {question.unit}"
        if question.unit
        else "a plain number without a unit"
    )
    if unit:
        return _verdict(
            question,
            "wrong unit",
            "gave the wrong kind of unit",
            f"{unit} is the wrong kind of unit here: the question asks for {wanted}.",
        )
    if question.close(number, checks.solved(question.truth, question, v)):
        return _verdict(
            question, "no unit", "left out the unit", f"The unit is missing: it asks for {wanted}."
        )
    return _verdict(
        question, "wrong unit", "left out the unit", f"The unit is missing: it asks for {wanted}."
    )


def _misconceptions(
    checks: Checks, question: Question, v: Variant, fits: Any
) -> Iterator[tuple[str, Any, str]]:
    truth = checks.solved(question.truth, question, v)
    for name, wrong in question.misconceptions.items():
        value = checks.solved(wrong, question, v)
        if value is not None and value != truth and fits(value):
            yield name, value, " ".join((wrong.__doc__ or "").split())


def _slip(question: Question, given: float, truth: float) -> str:
    """The slip of units that explains the answer, or ''."""
    if given <= 0 or truth <= 0:
        return ""
    ratio = given / truth

    def near(slip: float, within: float = question.within) -> bool:
        return abs(ratio / slip - 1) <= within

    if question.unit == "" and near(100.0):
        return _PERCENT
    if question.unit and any(near(slip) for slip in (8.0, 1 / 8)):
        return _BITS
    if question.unit and any(near(1.024**power, _EXACT) for power in (-4, -3, -2, -1, 1, 2, 3, 4)):
        return _BINARY
    return _TEN if any(near(10.0**power) for power in range(-15, 16) if power) else ""


def _followed(question: Question) -> Verdict:
    message = f"It follows correctly from your own answer to {question.follows}: full credit here."
    return _verdict(question, "followed", f"from {question.follows}", message)


def _verdict(question: Question, kind: str, name: str = "", message: str = "") -> Verdict:
    return Verdict(
        question.name,
        kind,
        round(question.points * CREDIT[kind], 3),
        question.points,
        name,
        message,
    )
