"""The kinds of question, and how an answer to each is judged.

In this order, and the first that fits is the verdict: blank, unreadable, wrong kind of unit, right,
right under a named assumption, consistent with the learner's own earlier part, a known
misconception, a near miss (bits and bytes, 1024 and 1000, a power of ten), wrong. Nothing that a
learner reads contains the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Q_, Quantity
from mlsysim.course import questions
from mlsysim.course.questions import Amount, Answer, Question
from mlsysim.course.variants import Variant

if TYPE_CHECKING:
    from grading.check import check

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


@dataclass(frozen=True)
class Kind:
    """A question as it was asked, with the check that judges it.

    `assumptions` are the words for the ids that questions and checks share.
    """

    asked: Any
    check: check
    assumptions: Mapping[str, str]

    @property
    def name(self) -> str:
        """The question's id."""
        return self.check.name

    @property
    def points(self) -> float:
        """The most that an answer can earn."""
        return self.check.points

    @property
    def hint(self) -> str:
        """What a wrong answer is told: the docstring of the check, in one line."""
        return " ".join((self.check.truth.__doc__ or "").split())

    def expected(self, v: Variant) -> Any:
        """The truth for a variant, as answers are compared with it."""
        return self.plain(self.check.truth(v))

    def plain(self, value: Any) -> Any:
        """A solver's value as answers are compared with it; None stays None."""
        return value

    def close(self, given: Any, wanted: Any) -> bool:
        """Whether an answer is as good as the wanted one."""
        return given == wanted

    def answered(self, raw: Any, v: Variant, earlier: Any = None) -> tuple[Any, Verdict]:
        """What a later part may work on from (None when there is nothing), and the verdict.

        `earlier` is what the learner answered to the part that this one follows.
        """
        answer = Answer.given(raw)
        value, verdict = self._read(answer)
        if verdict is None:
            value, verdict = self.carried(value), self.judge(value, v, earlier)
        return value, replace(verdict, given=_printable(answer))

    def _read(self, answer: Answer) -> tuple[Any, Verdict | None]:
        if answer.blank:
            return None, self.verdict("blank", message="No answer was given.")
        try:
            return self.asked.read(answer), None
        except BadArgument as error:
            return None, self.verdict("unreadable", message=f"This could not be read: {error}")

    def carried(self, value: Any) -> Any:
        """The answer as a later part works on from it."""
        return value

    def judge(self, value: Any, v: Variant, earlier: Any = None) -> Verdict:
        """The verdict on a value that could be read."""
        truth = self.expected(v)
        if self.close(value, truth):
            return self.verdict("right", message="Right.")
        for assumption, assumed in self.check.accept.items():
            other, words = self.plain(assumed(v)), self.assumptions[assumption]
            if other is not None and self.close(value, other):
                message = f"Right, if you {words}: that is accepted here."
                return self.verdict("assumption", words, message)
        if earlier is not None and self.check.follow is not None:
            followed = self.plain(self.check.follow(v, earlier))
            if followed is not None and self.possible(followed) and self.close(value, followed):
                return self._followed()
        for name, slip in self.check.misconceptions.items():
            other = self.plain(slip(v))
            if other is not None and other != truth and self.close(value, other):
                return self.misconceived(name, " ".join((slip.__doc__ or "").split()))
        return self.near(value, truth) or self.verdict("wrong", message=f"Not so. {self.hint}")

    def possible(self, followed: Any) -> bool:
        """Whether what follows from an earlier answer makes sense at all."""
        return True

    def misconceived(self, name: str, advice: str) -> Verdict:
        """The verdict on an answer that a misconception gives."""
        return self.verdict("misconception", name, f"It looks as if you {name}. {advice}")

    def near(self, value: Any, truth: Any) -> Verdict | None:
        """The verdict on a near miss; None for an answer that is none."""
        return None

    def _followed(self) -> Verdict:
        before = self.check.follows
        message = f"It follows correctly from your own answer to {before}: full credit here."
        return self.verdict("followed", f"from {before}", message)

    def verdict(self, kind: str, name: str = "", message: str = "") -> Verdict:
        """A verdict with the credit of its kind."""
        points = round(self.points * CREDIT[kind], 3)
        return Verdict(self.name, kind, points, self.points, name, message)


class Number(Kind):
    """A number, in any unit of the right kind, within the check's tolerances."""

    def plain(self, value: Any) -> float | None:
        """A solver's value as a number in the question's unit."""
        if isinstance(value, Quantity):
            return float(value.m_as(self.asked.unit))
        return None if value is None else float(value)

    def close(self, given: float, wanted: float) -> bool:
        """Whether a number is the wanted one within the tolerances."""
        return abs(given - wanted) <= max(self.check.within * abs(wanted), self.check.slack)

    def possible(self, followed: float) -> bool:
        """Nothing that is asked here is zero or less."""
        return followed > 0

    def carried(self, value: Amount) -> Quantity | None:
        """The answer as a quantity; None when its unit is of the wrong kind."""
        number = value.within(self.asked.unit)
        return None if number is None else Q_(number, self.asked.unit)

    def judge(self, value: Amount, v: Variant, earlier: Any = None) -> Verdict:
        """The verdict on a number and its unit."""
        number = value.within(self.asked.unit)
        if number is not None:
            return super().judge(number, v, earlier)
        message = self.asked.wrong_unit(value)
        if value.unit:
            return self.verdict("wrong unit", "gave the wrong kind of unit", message)
        right = self.close(value.number, self.expected(v))
        return self.verdict("no unit" if right else "wrong unit", "left out the unit", message)

    def near(self, value: float, truth: float) -> Verdict | None:
        """A slip of units earns a part of the points, and its name."""
        slip = self._slip(value / truth) if value > 0 and truth > 0 else ""
        message = f"The approach is right, but it looks as if you {slip}."
        return self.verdict("slip", slip, message) if slip else None

    def _slip(self, ratio: float) -> str:
        def near(slip: float, within: float = self.check.within) -> bool:
            return abs(ratio / slip - 1) <= within

        if self.asked.unit == "" and near(100.0):
            return _PERCENT
        if self.asked.unit and any(near(slip) for slip in (8.0, 1 / 8)):
            return _BITS
        if self.asked.unit and any(near(1.024**n, _EXACT) for n in (-4, -3, -2, -1, 1, 2, 3, 4)):
            return _BINARY
        return _TEN if any(near(10.0**power) for power in range(-15, 16) if power) else ""


class Choice(Kind):
    """One of the choices, or another."""

    def misconceived(self, name: str, advice: str) -> Verdict:
        """With few choices each wrong one is somebody's misconception: named, worth nothing."""
        return self.verdict("wrong", name, f"It looks as if you {name}. {advice}")


def _printable(answer: Answer) -> str:
    """What was answered, shortened: text that may hold anything."""
    parts = (str(part)[:_SHOWN] for part in (answer.value, answer.unit) if part is not None)
    return "".join(filter(str.isprintable, " ".join(parts)))


KINDS: dict[type[Question], type[Kind]] = {questions.Number: Number, questions.Choice: Choice}
