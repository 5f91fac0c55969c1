"""What an exercise asks: the kinds of question, and how an answer to each is read and written.

A question holds what a learner may see, and no truth. `read` turns what a stranger typed into a
value by a strict grammar; `write` is its inverse, for an answer that was computed in code.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import warnings
from typing import Any, ClassVar, Literal, NamedTuple

import yaml

from mlsysim.core.errors import BadArgument, MLSysError, UnknownName, WrongUnit
from mlsysim.core.registry import catalog, parse_yaml
from mlsysim.core.units import Quantity, factor, read_number
from mlsysim.core.values import Many, Value
from mlsysim.course.sheet import Answer
from mlsysim.course.variants import Variant, read_unit

_YOURS = "your specification"


class Amount(NamedTuple):
    """A number, or the two ends of an interval, and the unit beside it, '' for none."""

    number: Any
    unit: str

    def within(self, unit: str) -> Any:
        """The number, or both, in another unit; None when that is of another kind."""
        into = factor(self.unit, unit)
        if into is None:
            return None
        both = isinstance(self.number, tuple)
        return tuple(end * into for end in self.number) if both else self.number * into


class Question(Value):
    """What is asked: `title` names it in a report; the placeholders of `text` are a variant's.

    `assumptions` are those that an answer may name: their ids in a file, their words when asked.
    `see` is the lesson's prediction that asks what whoever was wrong should read again.
    """

    title: str
    text: str
    assumptions: Many[str] = ()
    see: str = ""

    kinds: ClassVar = {}

    def filled(self, v: Variant) -> Any:
        """The question as the learner of a variant reads it."""
        return self.replace(text=fill(self.text, v))

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
        except MLSysError as error:
            return str(error)
        return ""


class _Words(dict[str, Any]):
    """What a variant draws, and in its words what they stand for; braces of the text stay."""

    def __init__(self, v: Variant) -> None:
        self.drawn = v

    def __missing__(self, name: str) -> Any:
        value = self.drawn[name]
        return value.format_map(self.drawn) if isinstance(value, str) else value


def fill(text: str, v: Variant) -> str:
    """A text with a variant's numbers, in the words that the variant draws for it too."""
    return text.format_map(_Words(v))


class Measured(Question):
    """What is asked in the first of `units` or any of its kind, or as a plain number."""

    units: Many[str] = ()

    @property
    def unit(self) -> str:
        """The unit in which it is judged, '' for a plain number."""
        return self.units[0] if self.units else ""

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
        wanted = f"a quantity such as one in {self.unit}"
        if not amount.unit:
            return f"The unit is missing: it asks for {wanted}."
        wanted = wanted if self.unit else "a plain number without a unit"
        return f"{amount.unit} is the wrong kind of unit here: the question asks for {wanted}."

    def write(self, mine: Any) -> Answer:
        """A quantity in the first unit that fits, or a plain number where no unit is asked."""
        if isinstance(mine, Quantity):
            for unit in self.units or ("",):
                if mine.is_compatible_with(unit):
                    return Answer(value=f"{float(mine.m_as(unit)):.6g}", unit=unit or None)
        if self.units or isinstance(mine, Quantity):
            wanted = " or ".join(self.units) or "no unit"
            raise WrongUnit("mine", mine, f"give a quantity in {wanted}")
        return Answer(value=f"{read_number(float(mine), 'mine'):.6g}")


class Number(Measured):
    """One number."""

    kind: Literal["number"] = "number"

    def read(self, answer: Answer) -> Amount:
        """A number by the strict grammar, and a unit from the list of those that may be written."""
        return Amount(read_number(answer.value, "the number"), read_unit(answer.unit, "the unit"))


class Interval(Measured):
    """The lowest and the highest value that something takes."""

    kind: Literal["interval"] = "interval"

    def read(self, answer: Answer) -> Amount:
        """Two numbers by the strict grammar, the lower end first, and the unit of both."""
        if not isinstance(answer.value, list) or len(answer.value) != 2:
            raise BadArgument("the interval", answer.value, "give its lower and its upper end")
        low = read_number(answer.value[0], "the lower end")
        high = read_number(answer.value[1], "the upper end")
        if low > high:
            raise BadArgument("the interval", answer.value, "give the lower end first")
        return Amount((low, high), read_unit(answer.unit, "the unit"))

    def write(self, mine: Any) -> Answer:
        """Two quantities of one kind, or two plain numbers; raises WrongUnit."""
        low, high = map(super().write, mine)
        return Answer(value=[low.value, high.value], unit=low.unit)


class Listed(Question):
    """What is answered from a list of `choices`, which may hold placeholders too."""

    choices: Many[str]

    def filled(self, v: Variant) -> Any:
        """The question and its choices as the learner of a variant reads them."""
        choices = [fill(option, v) for option in self.choices]
        return self.replace(text=fill(self.text, v), choices=choices)

    def among(self, value: Any) -> str:
        """The choice that a text is, letter by letter; raises BadArgument."""
        if not isinstance(value, str) or value not in self.choices:
            raise BadArgument("the choice", value, f"give one of {', '.join(self.choices)}")
        return value

    def write(self, mine: Any) -> Answer:
        """The choice that a computed word means, or those of several words; raises UnknownName."""
        many = isinstance(mine, (list, tuple, set, frozenset))
        return Answer(value=[*map(self._meant, mine)] if many else self._meant(mine))

    def _meant(self, word: Any) -> str:
        folded = {option.casefold(): option for option in self.choices}
        if str(word).casefold() not in folded:
            raise UnknownName("mine", word, self.choices)
        return folded[str(word).casefold()]


class Choice(Listed):
    """One of the choices."""

    kind: Literal["choice"] = "choice"

    def read(self, answer: Answer) -> str:
        """The choice."""
        return self.among(answer.value)


class Several(Listed):
    """Those of the choices that hold, at least one."""

    kind: Literal["several"] = "several"

    def read(self, answer: Answer) -> frozenset[str]:
        """The choices that were marked."""
        if not isinstance(answer.value, list):
            raise BadArgument("the choices", answer.value, "give a list of them")
        return frozenset(map(self.among, answer.value))


class Ordering(Listed):
    """All of the choices, in the order that is asked for."""

    kind: Literal["ordering"] = "ordering"

    def read(self, answer: Answer) -> tuple[str, ...]:
        """The choices in order, each once."""
        given = answer.value if isinstance(answer.value, list) else []
        if len(given) != len(self.choices) or len(set(map(str, given))) < len(given):
            raise BadArgument("the order", answer.value, f"name all {len(self.choices)}, each once")
        return tuple(map(self.among, given))


class Text(Question):
    """What is answered in a text of at most `longest` characters."""

    longest: int = 10_000

    def read(self, answer: Answer) -> Any:
        """The text; raises BadArgument for anything else and for one that is too long."""
        if not isinstance(answer.value, str) or len(answer.value) > self.longest:
            remedy = f"write a text of at most {self.longest:,} characters"
            raise BadArgument("the text", answer.value, remedy)
        return answer.value

    def write(self, mine: Any) -> Answer:
        """A text as it is."""
        return Answer(value=str(mine))


class Sentence(Text):
    """A text of the learner's own, which is kept and shown and not judged."""

    kind: Literal["sentence"] = "sentence"
    longest: int = 500


class Function(Text):
    """A Python function with the `signature` `name(argument, ...)`, which the grader alone runs.

    Its text is parsed here, never run: beside the function it may hold imports and functions of
    its own. A grader calls it with plain numbers, and it returns one.
    """

    kind: Literal["function"] = "function"
    signature: str

    def check(self) -> None:
        """The signature names a function and what it takes."""
        try:
            held = _parsed(f"def {self.signature}: pass").body
        except BadArgument:
            held = []
        if len(held) != 1 or not isinstance(held[0], ast.FunctionDef) or not _taken(held[0]):
            raise self.wrong("signature", "write it as users(memory, weights)")

    @property
    def function(self) -> str:
        """The name of the function."""
        return self.signature.partition("(")[0]

    @property
    def arguments(self) -> list[str]:
        """The names of what it takes."""
        return _taken(_parsed(f"def {self.signature}: pass").body[0])

    def read(self, answer: Answer) -> str:
        """The text, which defines the function once, with the arguments that are asked for."""
        text = super().read(answer)
        held = [each for each in _parsed(text).body if getattr(each, "name", "") == self.function]
        if len(held) != 1 or not isinstance(held[0], ast.FunctionDef):
            raise BadArgument("the code", text, f"write one function, `def {self.signature}:`")
        if _taken(held[0]) != self.arguments:
            raise BadArgument("the code", text, f"it takes other arguments: {self.signature}")
        return text

    def write(self, mine: Any) -> Answer:
        """The text of a function, or a text as it is."""
        text = inspect.getsource(mine) if callable(mine) else str(mine)
        return super().write(textwrap.dedent(text))


def _parsed(text: str) -> ast.Module:
    """Python that a stranger wrote, as a tree; raises BadArgument that names the line."""
    if "\0" in text:  # of which each Python says something else
        raise BadArgument("the code", text, "it holds null bytes; write it plainly")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the learner's own style
            return ast.parse(text)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise BadArgument(f"line {error.lineno or 1} of the code", line, error.msg) from None
    except (ValueError, MemoryError, RecursionError):
        raise BadArgument("the code", text, "Python cannot read it; write it plainly") from None


def _taken(function: Any) -> list[str]:
    """The arguments that a function takes by name; none where it takes others too."""
    held = function.args
    others = held.posonlyargs or held.kwonlyargs or held.vararg or held.kwarg
    return [] if others else [each.arg for each in held.args]


class Spec(Text):
    """A specification in YAML, in the format of the registry's own files of the layer `of`."""

    kind: Literal["spec"] = "spec"
    of: Literal["hardware", "models", "scenarios"]

    def read(self, answer: Answer) -> Any:
        """The entry that the text describes; raises InvalidEntry."""
        text = super().read(answer)
        try:
            return catalog(self.of).from_spec({"name": _YOURS, **parse_yaml(text, _YOURS)})
        except RecursionError:
            raise BadArgument("the specification", text, "it is nested too deep") from None

    def write(self, mine: Any) -> Answer:
        """An entry or a mapping as YAML, or a text as it is."""
        plain = mine.to_dict() if isinstance(mine, Value) else mine
        return super().write(plain if isinstance(plain, str) else yaml.safe_dump(plain))


_ALL = (Number, Interval, Choice, Several, Ordering, Sentence, Function, Spec)
KINDS = Question.kinds = {each.model_fields["kind"].default: each for each in _ALL}
