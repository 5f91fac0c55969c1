"""The kinds of question, and how an answer to each is judged.

In this order, and the first that fits is the mark: blank, unreadable, wrong kind of unit, right,
right under a named assumption, consistent with the learner's own earlier part, a known
misconception, a near miss (bits and bytes, 1024 and 1000, a power of ten), wrong. Nothing that a
learner reads contains the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from mlsysim.core.errors import MLSysError
from mlsysim.core.units import Q_, Quantity, factor, unit_of
from mlsysim.course.questions import Amount
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import Variant

if TYPE_CHECKING:
    from grading.check import check

# credit for an answer that was read, as a part of the question's points: teaching values
CREDIT = {
    **dict.fromkeys(("right", "assumption", "followed"), 1.0),
    **dict.fromkeys(("slip", "no unit", "partly", "followed choice"), 0.5),
    "misconception": 0.25,
    **dict.fromkeys(("wrong", "wrong unit", "unreadable", "blank", "kept"), 0.0),
}
_BITS = "took bits for bytes, or bytes for bits"
_BINARY = "took 1024 for 1000, or 1000 for 1024 (GiB are not GB)"
_TEN = "slipped by a power of ten: check the prefix of the unit"
_PERCENT = "gave a percentage where a plain number was asked"
_EXACT = 0.005  # steps of 1024/1000 lie so close that a slip must be hit well


@dataclass(frozen=True)
class Mark:
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
        """The part of the points that was earned; where there are none, whether it was answered."""
        return self.points / self.out_of if self.out_of else float(self.kind == "kept")


@dataclass(frozen=True)
class Kind:
    """A question as it was asked, with the check that judges it.

    `assumptions` are the words for the ids that questions and checks share.
    """

    asked: Any
    check: check
    assumptions: Mapping[str, str]

    judged: ClassVar[bool] = True
    followed: ClassVar[str] = "followed"  # the kind of a mark that follows from an earlier answer
    followed_earns: ClassVar[str] = "full credit here"
    shown: ClassVar[int] = 40  # characters of an answer that a report repeats

    @property
    def name(self) -> str:
        """The question's id."""
        return self.check.name

    @property
    def points(self) -> float:
        """The most that an answer can earn."""
        return float(self.check.points)

    @cached_property
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

    def answered(self, answer: Answer, v: Variant, earlier: Any = None) -> tuple[Any, Mark]:
        """What a later part may work on from (None when there is nothing), and the mark.

        `earlier` is what the learner answered to the part that this one follows.
        """
        value = None
        if answer.blank:
            return None, self.mark("blank", message="No answer was given.")
        try:
            read = self.read(answer, v)
        except MLSysError as error:
            message = f"This could not be read: {error}"
            mark = self.mark("unreadable", message=message)
        else:
            value, mark = self.carried(read), self.judge(read, v, earlier)
        return value, Mark(**{**vars(mark), "given": answer.said(self.shown)})

    def read(self, answer: Answer, v: Variant) -> Any:
        """The value that was answered; raises an MLSysError when it cannot be read."""
        return self.asked.read(answer)

    def carried(self, value: Any) -> Any:
        """The answer as a later part works on from it."""
        return value

    def judge(self, value: Any, v: Variant, earlier: Any = None) -> Mark:
        """The mark of a value that could be read."""
        truth = self.expected(v)
        if self.close(value, truth):
            return self.mark("right", message=f"Right. {self.hint}".strip())
        for assumption, assumed in self.check.accept.items():
            other, words = self.plain(assumed(v)), self.assumptions[assumption]
            if other is not None and self.close(value, other):
                message = f"Right, if you {words}: that is accepted here."
                return self.mark("assumption", words, message)
        if earlier is not None and self.check.follow is not None:
            followed = self.plain(self.check.follow(v, earlier))
            if followed and self.close(value, followed):  # nothing that is asked is zero
                return self._followed()
        for name, slip in self.check.misconceptions.items():
            other = self.plain(slip(v))
            if other is not None and other != truth and self.close(value, other):
                return self.misconceived(name, " ".join((slip.__doc__ or "").split()))
        wrong = f"Not so{self.missed(value, truth)}. {self.hint}"
        return self.near(value, truth) or self.mark("wrong", message=wrong)

    def misconceived(self, name: str, advice: str) -> Mark:
        """The mark of an answer that a misconception gives."""
        return self.mark("misconception", name, f"It looks as if you {name}. {advice}")

    def near(self, value: Any, truth: Any) -> Mark | None:
        """The mark of a near miss; None for an answer that is none."""
        return None

    def missed(self, value: Any, truth: Any) -> str:
        """On which side of the truth an answer lies that is nobody's misconception."""
        return ""

    def _followed(self) -> Mark:
        before = self.check.follows
        message = f"It follows correctly from your own answer to {before}: {self.followed_earns}."
        return self.mark(self.followed, f"from {before}", message)

    def mark(self, kind: str, name: str = "", message: str = "") -> Mark:
        """A mark with the credit of its kind."""
        points = round(self.points * CREDIT[kind], 3)
        return Mark(self.name, kind, points, self.points, name, message)


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

    def carried(self, value: Amount) -> Quantity | None:
        """The answer as a quantity, an array of two for an interval; None for a wrong unit."""
        number = value.within(self.asked.unit)
        return None if number is None else Q_(number, unit_of(self.asked.unit))

    def judge(self, value: Amount, v: Variant, earlier: Any = None) -> Mark:
        """The mark of a number and its unit."""
        number = value.within(self.asked.unit)
        if number is not None:
            return super().judge(number, v, earlier)
        message = self.asked.wrong_unit(value)
        if value.unit:
            return self.mark("wrong unit", "gave the wrong kind of unit", message)
        right = self.close(value.number, self.expected(v))
        return self.mark("no unit" if right else "wrong unit", "left out the unit", message)

    def near(self, value: float, truth: float) -> Mark | None:
        """A slip of units earns a part of the points, and its name."""
        slip = self._slip(value / truth) if value > 0 and truth > 0 else ""
        message = f"The approach is right, but it looks as if you {slip}."
        return self.mark("slip", slip, message) if slip else None

    def missed(self, value: Any, truth: Any) -> str:
        """Too large or too small, where it is by more than a factor of two."""
        if isinstance(value, tuple) or truth <= 0:
            return ""
        far = "large" if value > 2 * truth else "small" if value < truth / 2 else ""
        return f": it is too {far} by more than a factor of two" if far else ""

    @property
    def _bytes(self) -> bool:
        """Whether bytes are asked for, which alone have prefixes of 1024."""
        return bool(self.asked.unit) and factor(self.asked.unit.split("/")[0], "B") is not None

    def _slip(self, ratio: float) -> str:
        def near(slip: float, within: float = self.check.within) -> bool:
            return abs(ratio / slip - 1) <= within

        exact = min(_EXACT, self.check.within / 2)

        if self.asked.unit == "" and near(100.0):
            return _PERCENT
        if self.asked.unit and any(near(slip) for slip in (8.0, 1 / 8)):
            return _BITS
        if self._bytes and any(near(1.024**n, exact) for n in (-3, -2, -1, 1, 2, 3)):
            return _BINARY
        return _TEN if any(near(10.0**power) for power in range(-15, 16) if power) else ""


class Interval(Number):
    """The two ends of an interval; one end that is right earns a part."""

    def plain(self, value: Any) -> Any:
        """A solver's two values as numbers in the question's unit."""
        return None if value is None else tuple(Number.plain(self, end) for end in value)

    def close(self, given: Any, wanted: Any) -> bool:
        """Whether both ends are."""
        return all(Number.close(self, *ends) for ends in zip(given, wanted, strict=True))

    def near(self, value: Any, truth: Any) -> Mark | None:
        """Half for one end."""
        for end, which in enumerate(("lower", "upper")):
            if Number.close(self, value[end], truth[end]):
                message = f"The {which} end is right, the other is not."
                return self.mark("partly", f"found the {which} end", message)
        return None


class Listed(Kind):
    """What is chosen from a list; of few choices many a pair agrees by chance."""

    followed, followed_earns = "followed choice", "half of the points"

    def read(self, answer: Answer, v: Variant) -> Any:
        """The choice, among those that this learner was offered."""
        own = "{" in "".join(self.asked.choices)
        return (self.asked.filled(v) if own else self.asked).read(answer)


class Choice(Listed):
    """One of the choices, or another."""

    def misconceived(self, name: str, advice: str) -> Mark:
        """With few choices each wrong one is somebody's misconception: named, worth nothing."""
        return self.mark("wrong", name, f"It looks as if you {name}. {advice}")


class Several(Listed):
    """Those of the choices that hold; all but one earn a part."""

    def plain(self, value: Any) -> Any:
        """The choices that hold, in no order."""
        return None if value is None else frozenset(value)

    def near(self, value: Any, truth: Any) -> Mark | None:
        """Half where one choice is missing, or one too many."""
        if len(value ^ truth) != 1:
            return None
        return self.mark("partly", "missed one choice", "All but one of the choices are right.")


class Ordering(Listed):
    """All choices in an order; two neighbours in each other's place earn a part."""

    def plain(self, value: Any) -> Any:
        """The choices in order."""
        return None if value is None else tuple(value)

    def near(self, value: Any, truth: Any) -> Mark | None:
        """Half where two neighbours have changed places."""
        off = [i for i, said in enumerate(value) if said != truth[i]]
        if len(off) != 2 or off[1] - off[0] != 1:
            return None
        message = "Two neighbours have changed places; the rest is right."
        return self.mark("partly", "swapped two neighbours", message)


class Spec(Kind):
    """An entry of the learner's own, which a check tries on the solvers.

    The check is a function of the variant and the entry, and returns what is demanded, each with
    whether it is met; a misconception is a function of both that says whether it was made.
    """

    def judge(self, value: Any, v: Variant, earlier: Any = None) -> Mark:
        """Right when every demand is met; else the first that is not."""
        solve, slips = cast("Any", self.check.truth), cast("Any", self.check.misconceptions)
        try:
            unmet = [demand for demand, met in solve(v, value).items() if not met]
            made = [(name, slip) for name, slip in slips.items() if slip(v, value)]
        except MLSysError as error:
            return self.mark("wrong", message=f"The solvers refuse it: {error}")
        if not unmet:
            return self.mark("right", message=f"Right. {self.hint}".strip())
        for name, slip in made:
            return self.misconceived(name, " ".join((slip.__doc__ or "").split()))
        return self.mark("wrong", message=f"It does not do this yet: {unmet[0]}. {self.hint}")


class Sentence(Kind):
    """A text that is kept and shown, and not judged."""

    judged, shown = False, 500
    message: ClassVar[str] = "Your words are kept for your instructor to read."

    def judge(self, value: Any, v: Variant, earlier: Any = None) -> Mark:
        """It is there."""
        return self.mark("kept", message=self.message)


KINDS = (Number, Interval, Choice, Several, Ordering, Spec, Sentence)
