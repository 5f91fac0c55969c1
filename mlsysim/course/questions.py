"""What an exercise asks: the kinds of question, and how an answer to each is read and written.

A question holds what a learner may see, and no truth. `read` turns what a stranger typed into a
value by a strict grammar; `write` is its inverse, for an answer that was computed in code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mlsysim.core.errors import (
    BadArgument,
    InvalidEntry,
    UnknownName,
    WrongUnit,
    did_you_mean,
    shown,
)
from mlsysim.core.units import Quantity, factor, read_number
from mlsysim.core.values import Value
from mlsysim.course.variants import Variant, read_unit


class Answer(Value):
    """One answer as it stands in a file: anything that JSON holds, until a question reads it."""

    value: Any = None
    unit: Any = None
    assumption: Any = None

    @classmethod
    def given(cls, raw: Any) -> Answer:
        """The answer that JSON holds: a mapping of which only these keys count, or a bare value."""
        if not isinstance(raw, Mapping):
            return cls(value=raw)
        return cls(**{key: raw[key] for key in ("value", "unit", "assumption") if key in raw})

    @property
    def blank(self) -> bool:
        """Whether nothing was answered."""
        return self.value is None or (isinstance(self.value, str) and not self.value.strip())


class Amount(NamedTuple):
    """A number and the unit beside it, '' for none."""

    number: float
    unit: str

    def within(self, unit: str) -> float | None:
        """The number in another unit; None when that is of another kind."""
        into = factor(self.unit, unit)
        return None if into is None else self.number * into


class Question(Value):
    """What is asked: `title` names it in a report; the placeholders of `text` are a variant's.

    `assumptions` are those that an answer may name: their ids in a file, their words when asked.
    """

    title: str
    text: str
    assumptions: tuple[str, ...] = ()

    def filled(self, v: Variant) -> Any:
        """The question as the learner of a variant reads it."""
        return self.replace(text=self.text.format_map(v))

    def read(self, answer: Answer) -> Any:
        """The value that was answered; raises BadArgument when it cannot be read."""
        raise NotImplementedError

    def write(self, mine: Any) -> Answer:
        """An answer computed in code, as it would be typed; raises BadArgument."""
        raise NotImplementedError

    def fault(self, answer: Answer) -> str:
        """What is wrong with an answer's form, in a sentence; '' when it can be judged."""
        if answer.blank:
            return "not answered yet"
        try:
            self.read(answer)
        except BadArgument as error:
            return str(error)
        return ""


class Number(Question):
    """A number, in the first of `units` or any of its kind; a plain one where there are none."""

    kind: Literal["number"]
    units: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit in which it is judged, '' for a plain number."""
        return self.units[0] if self.units else ""

    def read(self, answer: Answer) -> Amount:
        """A number by the strict grammar, and a unit from the list of those that may be written."""
        return Amount(read_number(answer.value, "the number"), read_unit(answer.unit, "the unit"))

    def write(self, mine: Any) -> Answer:
        """A quantity in the first unit that fits, or a plain number where no unit is asked."""
        wanted = f"give a quantity in {' or '.join(self.units) or 'no unit'}"
        if isinstance(mine, Quantity):
            for unit in self.units or ("",):
                if mine.is_compatible_with(unit):
                    return Answer(value=f"{float(mine.m_as(unit)):.6g}", unit=unit or None)
            raise WrongUnit("mine", mine, wanted)
        if self.units:
            raise WrongUnit("mine", mine, wanted)
        return Answer(value=f"{read_number(float(mine), 'mine'):.6g}")

    def fault(self, answer: Answer) -> str:
        """Beside what cannot be read: a unit that is missing, or of the wrong kind."""
        if fault := super().fault(answer):
            return fault
        amount = self.read(answer)
        if self.unit and not amount.unit:
            return "choose the unit"
        return "" if amount.within(self.unit) is not None else self.wrong_unit(amount)

    def wrong_unit(self, amount: Amount) -> str:
        """The sentence about a unit of the wrong kind, or none."""
        wanted = (
            f"a quantity such as one in {self.unit}"
            if self.unit
            else "a plain number without a unit"
        )
        if not amount.unit:
            return f"The unit is missing: it asks for {wanted}."
        return f"{amount.unit} is the wrong kind of unit here: the question asks for {wanted}."


class Choice(Question):
    """One of `choices`."""

    kind: Literal["choice"]
    choices: tuple[str, ...]

    def read(self, answer: Answer) -> str:
        """The choice, letter by letter."""
        if not isinstance(answer.value, str) or answer.value not in self.choices:
            remedy = f"give one of {', '.join(self.choices)}"
            raise BadArgument("the choice", answer.value, remedy)
        return answer.value

    def write(self, mine: Any) -> Answer:
        """A choice in any case of letters; raises UnknownName."""
        folded = {option.casefold(): option for option in self.choices}
        if str(mine).casefold() not in folded:
            raise UnknownName("mine", mine, self.choices)
        return Answer(value=folded[str(mine).casefold()])


KINDS: dict[str, type[Question]] = {"number": Number, "choice": Choice}


def question(facts: Mapping[str, Any], name: str = "") -> Question:
    """The question that facts declare, of the kind that they name; raises InvalidEntry."""
    kind = facts.get("kind") if isinstance(facts, Mapping) else None
    if kind not in KINDS:
        remedy = f"{shown(kind)} is no kind; {did_you_mean(kind, [*KINDS])}"
        raise InvalidEntry("", f"{name}.kind".lstrip("."), remedy)
    try:
        return KINDS[kind](**facts)
    except InvalidEntry as error:
        raise InvalidEntry("", f"{name}.{error.key}".lstrip("."), error.remedy) from None
