"""Units, and the vocabulary of dimensions that equations, fields and schemas share.

`Q_("80 GB")` makes a quantity; `TB / second` is a unit; `Bandwidth` is the dimension that an
equation's argument, a YAML field and a JSON schema all name. Inside, solvers compute on plain
floats in the unit that the dimension names; quantities exist at the doors only.
"""

from __future__ import annotations

import math
import numbers
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pint

from mlsysim.core.errors import BadArgument, OutOfRange, UnknownName, WrongUnit
from mlsysim.core.quantities import Registry

_LINES = (Path(__file__).parent / "units.txt").read_text(encoding="utf-8").splitlines()
ureg: pint.UnitRegistry = Registry(_LINES)
ureg.formatter.default_format = "~P"
ureg.separate_format_defaults = True  # f"{q:.1f}" shapes the number and keeps the short unit
pint.set_application_registry(ureg)  # quantities survive pickling and copying between processes
if TYPE_CHECKING:
    from pint.facets.plain import PlainQuantity as Quantity
    from pint.registry import Quantity as _Quantity

    class _Both(_Quantity[Any], float):  # type: ignore[misc] - a field's, or the number of it
        to: Any  # columns are quantities, too, and pint's own types forget it
        __add__: Any
        __sub__: Any
        __rsub__: Any

    Amount = _Both | Any  # since an argument may be written
else:
    Quantity, Amount = pint.Quantity, Any
Q_: type[Quantity] = ureg.Quantity

# how a number is written, everywhere; and a unit: names joined by / and *
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
LONGEST_NUMBER = 64
_QUANTITY = re.compile(r"([+-]?[\d.,_]*(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)
_A_GROUP = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")  # a thousand and more, or a decimal comma?
_NAME = r"[A-Za-zµμ%$]+(?:\^?-?\d)?"
_UNIT = re.compile(rf"(?:1\s*/\s*)?{_NAME}(?:\s*[/*·]\s*{_NAME})*")
_LONGEST_UNIT, _A_UNIT = 60, "write a unit as in 'GB', 'TB/s', 'TFLOP/s', 'ms'"
_ABSURD = 1e40  # beyond it, or below its inverse, products leave the range of a float
_MANY, _LARGEST_BATCH = 1e15, 1e9  # more tokens, parameters or devices than there are


def __getattr__(name: str) -> pint.Unit:
    """Any unit by its name: `from mlsysim.core.units import TFLOPs, GB, second`."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return unit_of(name)
    except WrongUnit as error:
        raise AttributeError(f"module {__name__!r} has no unit {name!r}") from error


@lru_cache(maxsize=1024)
def unit_of(text: str) -> pint.Unit:
    """The unit that `text` names; raises WrongUnit when it names none."""
    if text == "":
        return ureg.Unit("")
    if re.search(r"\bK[Bb]", text):
        raise WrongUnit("unit", text, "write KiB for 1024 bytes or kB for 1000")
    if len(text) > _LONGEST_UNIT or not _UNIT.fullmatch(text):
        raise WrongUnit("unit", text, _A_UNIT)
    try:
        return ureg.parse_units(text.replace("·", "*").replace("^", "**"))
    except (pint.PintError, ValueError, TypeError, AssertionError) as error:
        raise WrongUnit("unit", text, _A_UNIT) from error


@lru_cache(maxsize=4096)
def factor(unit: pint.Unit | str, into: pint.Unit | str) -> float | None:
    """What turns a number in `unit` into one in `into`; None when the dimensions differ."""
    one = Q_(1.0, unit)
    return float(one.m_as(into)) if one.is_compatible_with(into) else None


def read_number(given: Any, argument: str = "value") -> float:
    """The finite number that somebody gave or wrote; raises BadArgument.

    Written are ASCII digits, a decimal point and an exponent: no comma, underscore or expression.

    >>> read_number("4.57"), read_number("1e-3"), read_number(12)
    (4.57, 0.001, 12.0)
    """
    if isinstance(given, str):
        number = _number(given.strip(), argument, given)
    elif isinstance(given, (int, float)) and not isinstance(given, bool):
        number = float(given) if abs(given) <= sys.float_info.max else math.inf
    else:
        raise BadArgument(argument, given, "give a number such as 4.57")
    if not math.isfinite(number):
        raise BadArgument(argument, given, "give a finite number")
    return number


def parse(text: str, argument: str = "quantity", wanted: Any = None) -> Quantity:
    """A quantity written as a number and a unit, such as '3.35 TB/s'; raises WrongUnit.

    `wanted` is asked what would do as the argument, where it knows better.

    >>> print(parse("400 Gbps").to("GB/s"), "and", parse("500/s"))
    50.0 GB/s and 500.0 1/s
    """
    number, unit = _QUANTITY.fullmatch(text.strip()).groups()  # type: ignore[union-attr] - it matches any
    if not number:
        remedy = wanted(argument) if wanted else "write a number and a unit, as in '80 GB'"
        raise WrongUnit(argument, text, remedy)
    try:
        amount = _number(number, argument, text, unit)
        return Q_(amount, unit_of(f"1{unit}" if unit.startswith("/") else unit))
    except BadArgument as error:
        remedy = wanted(argument) if wanted and error.remedy == _A_UNIT else error.remedy
        raise WrongUnit(argument, text, remedy) from None


def _number(text: str, argument: str, given: str, unit: str = "") -> float:
    if len(text) > LONGEST_NUMBER:
        raise BadArgument(argument, given, f"a number takes at most {LONGEST_NUMBER} characters")
    if NUMBER.fullmatch(text):
        return float(text)
    if "," in text:
        text = _QUANTITY.fullmatch(text)[1]  # type: ignore[index] - it matches any text
        meant = [m for m in _without_commas(text) if NUMBER.fullmatch(m)] or ["4.57"]
        unit = f" {unit}" if _UNIT.fullmatch(unit) else ""
        shown = " or ".join(m + unit for m in meant)
        remedy = f"write it without commas and with a decimal point, as in {shown}"
    elif text[:1].isdigit() and text[-1:].isalpha():
        remedy = "write the number alone, as in 4.57, and choose the unit beside it"
    else:
        remedy = "give a number such as 4.57 or 1.2e3; expressions are not worked out"
    raise BadArgument(argument, given, remedy)


def _without_commas(text: str) -> list[str]:
    """What a number with commas may have meant: 1,024 may be two things, 3,35 and 1,234.5 one."""
    whole, _, rest = text.rpartition(",")
    if "," in whole or "." in rest:
        return [text.replace(",", "")]
    pointed = f"{whole.replace('.', '')}.{rest}"
    return [whole + rest, pointed] if _A_GROUP.fullmatch(text) else [pointed]


def _read(text: str, *_: Any, **__: Any) -> Quantity:
    """What `Q_("80 GB")` reads; pint's own reader would evaluate `9**9**9`. A unit alone is one."""
    unit = text.strip()
    return Q_(1, unit_of(unit)) if _UNIT.fullmatch(unit) else parse(text)


ureg.parse_expression = _read  # type: ignore[method-assign] - pint's own would evaluate text


class Word:
    """A word of the vocabulary: how pydantic reads such a field, writes it, and publishes it."""

    __slots__ = ()
    quantity: Any  # `value` checked, and kept as its author wrote it
    schema: Any  # JSON schema of what may be written

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema as core

        def read(value: Any, at: Any) -> Any:
            return self.quantity(value, at.field_name or "value")

        write = core.plain_serializer_function_ser_schema(self.plain)
        return core.with_info_plain_validator_function(read, serialization=write)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return self.schema()

    def plain(self, value: Any) -> Any:
        """A field's value as JSON and YAML know it."""
        return value


class Dim(Word):
    """The dimension of one argument, field or result: the unit it is computed in, and its range.

    `unit` is coherent (s, B, FLOP, W, J, USD, g), so equations need no conversion factors.
    `low` and `high` bound what makes sense; `open_low` excludes the lower bound itself.
    `whole` asks for whole numbers; `bare` accepts a plain number because the argument's name
    already says the unit, as in `duration_days`.
    """

    __slots__ = ("bare", "high", "low", "open_low", "scale", "unit", "whole")

    def __init__(
        self,
        unit: str,
        *,
        low: float = 0.0,
        high: float = math.inf,
        open_low: bool = True,
        whole: bool = False,
        bare: str = "",
    ) -> None:
        self.unit, self.low, self.high, self.open_low = unit, low, high, open_low
        self.whole, self.bare = whole, bare
        self.scale = float(Q_(1.0, bare or unit).m_as(unit))

    def si(self, value: Any, argument: str = "value") -> Any:
        """`value` as a float (or array) in `unit`; raises a BadArgument that names `argument`."""
        return self._si(self._parsed(value, argument), argument, value)

    def _parsed(self, value: Any, argument: str) -> Any:
        return parse(value, argument, self._wanted) if isinstance(value, str) else value

    def _si(self, value: Any, argument: str, given: Any) -> Any:
        kind = type(value)
        if kind is range:  # numpy reads one number by number
            value = np.arange(value.start, value.stop, value.step)
        try:
            if kind is int or kind is float:
                if self.unit and not self.bare:
                    raise WrongUnit(argument, given, self._wanted(argument))
                number = float(value) * self.scale
            elif isinstance(value, Quantity):
                number = self._magnitude(value, argument, given)
            elif isinstance(value, (np.ndarray, list, tuple)) and len(np.shape(value)) > 0:
                if self.unit and not self.bare:
                    raise WrongUnit(argument, given, self._wanted(argument))
                number = self._numeric(np.asarray(value), argument) * self.scale
            elif isinstance(value, (numbers.Real, np.generic)) and kind not in (bool, np.bool_):
                return self._si(float(value), argument, given)
            else:
                raise WrongUnit(argument, given, self._wanted(argument))
        except (OverflowError, TypeError) as error:  # larger than a float, or not real
            raise OutOfRange(argument, given, self.remedy) from error
        except ValueError as error:
            if isinstance(error, BadArgument):
                raise
            raise OutOfRange(argument, given, f"{self.remedy}; rows of equal length") from error
        self.check(number, argument, given)
        return number

    def check(self, number: Any, argument: str, given: Any) -> None:
        """Raise OutOfRange unless every number is finite and within the range."""
        if isinstance(number, np.ndarray):
            if number.size == 0:
                raise OutOfRange(argument, given, "give at least one number")
            finite = np.isfinite(number).all()
            least, most = (number.min(), number.max()) if finite else (math.nan, math.nan)
            whole = not self.whole or (number == np.floor(number)).all()
        else:
            finite, least, most = math.isfinite(number), number, number
            whole = not self.whole or not finite or number == math.floor(number)
        low = least > self.low if self.open_low else least >= self.low
        if not (finite and low and most <= self.high and whole):
            raise OutOfRange(argument, given, self.remedy)
        if most > _ABSURD or (self.open_low and 0 < least < 1 / _ABSURD):
            raise OutOfRange(argument, given, f"{self.remedy}, of a size that there is")

    @property
    def remedy(self) -> str:
        """What would do, in words."""
        if self.low == -math.inf:
            span = ""
        elif self.whole:
            span = f" of at least {self.low + self.open_low:g}"
        elif self.high < math.inf:
            span = f" {'above' if self.open_low else 'from'} {self.low:g} up to {self.high:g}"
        else:
            span = f" {'above' if self.open_low else 'of at least'} {self.low:g}"
        if self.whole and self.high < math.inf:
            span += f" and at most {self.high:,.0f}"
        unit = f" in {self.bare or self.unit}" if self.unit else ""
        return f"give a finite {'whole ' * self.whole}number{span}{unit}"

    def _magnitude(self, quantity: Quantity, argument: str, given: Any) -> Any:
        if quantity._REGISTRY is not ureg:
            raise WrongUnit(argument, quantity, "make quantities with mlsysim.Q_")
        if (into := factor(quantity.units, self.unit)) is None:
            raise WrongUnit(argument, given, self._wanted(argument))
        return self._numeric(quantity.magnitude, argument) * into

    def _numeric(self, magnitude: Any, argument: str) -> Any:
        if not isinstance(magnitude, np.ndarray):
            return float(magnitude)
        if magnitude.dtype.kind not in "iuf":
            raise OutOfRange(argument, magnitude, self.remedy)
        return magnitude.astype(float)

    def _wanted(self, argument: str) -> str:
        from mlsysim.core.schemas import example_of  # which reads a file that only mistakes need

        example = example_of(argument) or self.example
        wanted = f"it is not a quantity in {self.unit}, such as '{example}'"
        return wanted if self.unit else self.remedy

    @property
    def example(self) -> str:
        """A quantity of this dimension, as it is written."""
        return EXAMPLES.get(self.unit, f"1 {self.unit}")

    def quantity(self, value: Any, argument: str = "value") -> Any:
        """`value` checked and kept as its author wrote it: a Quantity, or a plain number."""
        held = self._parsed(value, argument)
        number = self._si(held, argument, value)
        if isinstance(number, np.ndarray):
            raise OutOfRange(argument, value, f"{self.remedy}; one number, not several")
        if not self.unit:
            return int(number) if self.whole else number
        return held if isinstance(held, Quantity) else Q_(held, self.bare)

    def plain(self, value: Any) -> Any:
        """A quantity as text; a number alone is one in `unit`."""
        held = Q_(value, self.unit) if self.unit and not isinstance(value, Quantity) else value
        if isinstance(held, Quantity):
            return f"{float(held.magnitude)!r} {held.units:~C}".replace(".0 ", " ", 1)
        return int(held) if self.whole else held

    def schema(self) -> dict[str, Any]:
        """JSON schema of a value in this dimension: text with a unit, or a number."""
        least = "exclusiveMinimum" if self.open_low else "minimum"
        both = {least: self.low, "maximum": self.high}
        bounds = {key: bound for key, bound in both.items() if math.isfinite(bound)}
        if not self.unit:
            return {"type": "integer" if self.whole else "number", **bounds}
        about = f"quantity in {self.bare or self.unit}, such as '{self.example}'"
        text = {"description": about, "examples": [self.example], "x-unit": self.unit}
        return {"type": ["number", "string"] if self.bare else "string", **bounds, **text}


# fmt: off
EXAMPLES = {
    "B": "80 GB", "B/s": "3.35 TB/s", "FLOP": "1e21 FLOP", "FLOP/s": "989 TFLOP/s", "s": "50 ms",
    "W": "700 W", "J": "3.6 MJ", "1/s": "100 1/s", "g": "10 kg", "g/J": "400 g/kWh",
    "FLOP/B": "295 FLOP/B", "B/FLOP": "0.01 B/FLOP", "L/J": "1.8 L/kWh", "USD": "30000 USD",
    "USD/J": "0.10 USD/kWh", "USD/s": "2.50 USD/hour", "USD/g": "85 USD/t",
}
PRECISIONS = {  # bytes that one number takes in memory
    "fp64": 8.0, "fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0,
    "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5, "w4a4": 0.5,
}
# fmt: on

# The vocabulary. A dimension has one word, and that word stands in signatures, fields and schemas.
Seconds = Annotated[Amount, Dim("s")]
Bytes = Annotated[Amount, Dim("B")]
Bandwidth = Annotated[Amount, Dim("B/s")]
Operations = Annotated[Amount, Dim("FLOP")]
OperationRate = Annotated[Amount, Dim("FLOP/s")]
Intensity = Annotated[Amount, Dim("FLOP/B")]
Power = Annotated[Amount, Dim("W")]
Energy = Annotated[Amount, Dim("J")]
Rate = Annotated[Amount, Dim("1/s")]
Money = Annotated[Amount, Dim("USD")]
Count = Annotated[Any, Dim("", whole=True, high=_MANY)]
Batch = Annotated[Any, Dim("", whole=True, high=_LARGEST_BATCH)]
Year = Annotated[Any, Dim("", whole=True, low=1940, open_low=False, high=2100)]  # of computers
Number = Annotated[Any, Dim("")]
Fraction = Annotated[Any, Dim("", high=1.0)]
Mass = Annotated[Amount, Dim("g")]
Volume = Annotated[Amount, Dim("L")]
CarbonIntensity = Annotated[Amount, Dim("g/J", open_low=False)]
CarbonPrice = Annotated[Amount, Dim("USD/g", open_low=False)]
EnergyPrice = Annotated[Amount, Dim("USD/J", open_low=False)]
HourlyPrice = Annotated[Amount, Dim("USD/s")]
PowerUsageEffectiveness = Annotated[Any, Dim("", low=1.0, open_low=False)]
WaterUsageEffectiveness = Annotated[Amount, Dim("L/J", open_low=False)]
Signed = Annotated[Any, Dim("", low=-math.inf)]

# The same, where none at all is a sensible amount.
SecondsOrZero = Annotated[Amount, Dim("s", open_low=False)]
BytesOrZero = Annotated[Amount, Dim("B", open_low=False)]
CountOrZero = Annotated[Any, Dim("", whole=True, open_low=False, high=_MANY)]
FractionOrZero = Annotated[Any, Dim("", open_low=False, high=1.0)]

# The same, where the question itself names the unit of a bare number.
Days = Annotated[Amount, Dim("s", bare="day")]
Years = Annotated[Amount, Dim("s", bare="year")]
Milliseconds = Annotated[Amount, Dim("s", bare="ms")]
Queries = Annotated[Amount, Dim("1/s", bare="1/s")]


class Names(Word):
    """A word from a known list; a near miss is told the nearest one."""

    __slots__ = ("known",)

    def __init__(self, *known: str) -> None:
        self.known = known

    def si(self, value: Any, argument: str = "value") -> str:
        """`value` itself when it is known; raises UnknownName otherwise."""
        if isinstance(value, str) and value in self.known:
            return value
        raise UnknownName(argument, value, self.known)

    quantity = si

    def schema(self) -> dict[str, Any]:
        """JSON schema of the list."""
        return {"enum": list(self.known)}


Precision = Annotated[str, Names(*PRECISIONS)]
Phase = Annotated[str, Names("decode", "prefill", "forward")]


def dim_of(annotation: Any) -> Any:
    """The vocabulary's word inside an annotation, also in `X | None`; None when there is none."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, Word):
            return extra
    for part in getattr(annotation, "__args__", ()):
        if found := dim_of(part):
            return found
    return None
