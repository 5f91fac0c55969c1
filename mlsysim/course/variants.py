"""What an exercise and its grader must agree on: numbers, units, ids, codes and variants.

Each learner gets numbers of their own: a code is an HMAC of the assignment and the learner's id
under the course's secret, and the code draws one value from every axis of the assignment. Without
a course secret (self-study) a public one is used; with one, the instructor hands the codes out.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.registry import catalog
from mlsysim.core.units import Q_

SCHEMA = 1
PUBLIC_SECRET = b"mlsysim self-study: these variants are public"
LONGEST_NUMBER = 64
LONGEST_ID = 100
_CODE_DIGITS = 16

# ---- numbers and units: text that a stranger typed -----------------------------------------------

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_PREFIXED = {
    "B": ("", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti"),
    "b": ("", "k", "M", "G", "T"),
    "FLOP": ("", "M", "G", "T", "P", "E", "Z"),
    "W": ("", "m", "k", "M"),
    "J": ("", "m", "k", "M", "G"),
    "g": ("", "k"),
    "s": ("", "m", "u", "n"),
}
UNITS = (
    "",
    "%",
    "min",
    "hour",
    "day",
    "year",
    "USD",
    "t",
    "L",
    "Wh",
    "kWh",
    "MWh",
    "1/s",
    "USD/hour",
    "USD/year",
    "USD/kWh",
    "g/kWh",
    "L/kWh",
    "FLOP/B",
    *(prefix + unit for unit, prefixes in _PREFIXED.items() for prefix in prefixes),
    *(f"{prefix}{unit}/s" for unit in ("B", "b", "FLOP") for prefix in _PREFIXED[unit]),
)
_ALLOWED = frozenset(UNITS)


def read_number(given: Any, argument: str = "value") -> float:
    """The finite number that an answer holds, by a strict grammar; raises BadArgument.

    >>> read_number("4.57"), read_number("1e-3"), read_number(12)
    (4.57, 0.001, 12.0)
    """
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise BadArgument(argument, given, "give a number such as 4.57")
    if isinstance(given, str):
        text = given.strip(" ")
        if len(text) > LONGEST_NUMBER:
            raise BadArgument(
                argument, given, f"a number takes at most {LONGEST_NUMBER} characters"
            )
        if not _NUMBER.fullmatch(text):
            raise BadArgument(argument, given, _number_remedy(text))
        number = float(text)
    else:
        try:
            number = float(given)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise BadArgument(argument, given, "give a finite number")
    return number


def _number_remedy(text: str) -> str:
    if "," in text:
        return "write it without commas and with a decimal point, as in 1024 or 4.57"
    if text[:1].isdigit() and text[-1:].isalpha():
        return "write the number alone, as in 4.57, and choose the unit beside it"
    return "give a number such as 4.57 or 1.2e3; expressions are not worked out"


def read_unit(given: Any, argument: str = "unit") -> str:
    """A unit from the allow-list, '' for a plain number; raises WrongUnit for anything else."""
    if given is None or given == "":
        return ""
    if isinstance(given, str) and given in _ALLOWED:
        return given
    raise WrongUnit(argument, given, "give a unit from the list, such as ms, GB, TB/s or TFLOP/s")


@lru_cache(maxsize=4096)
def factor(unit: str, into: str) -> float | None:
    """What turns a number in `unit` into one in `into`; None when the dimensions differ."""
    one = Q_(1.0, unit)
    return float(one.m_as(into)) if one.is_compatible_with(into) else None


# ---- variants ------------------------------------------------------------------------------------


def clean_id(student: Any) -> str:
    """A learner's id as it is compared: trimmed, one case, one Unicode form; raises BadArgument.

    >>> clean_id("  Ada  Lovelace ")
    'ada lovelace'
    """
    if not isinstance(student, str) or not student.strip():
        raise BadArgument("student", student, "give your student id")
    text = " ".join(unicodedata.normalize("NFKC", student).split()).casefold()
    if len(text) > LONGEST_ID or not text.isprintable():
        raise BadArgument("student", student, f"an id is at most {LONGEST_ID} printable characters")
    return text


def code_for(student: str, assignment: str, secret: bytes = PUBLIC_SECRET) -> str:
    """The code that draws a learner's variant.

    >>> code_for("Ada", "00_hello_roofline") == code_for(" ada ", "00_hello_roofline")
    True
    """
    message = f"{assignment}|{clean_id(student)}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:_CODE_DIGITS]


_catalog = cache(catalog)


class Variant:
    """The numbers of one learner: `fields` are plain data, those in `entries` name an entry each.

    `given` is what every learner has alike. `v.model` is the entry, `v.fields["model"]` its name.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        entries: Mapping[str, str] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.fields = dict(fields)
        self._entries, self._given = entries or {}, given or {}

    def __getattr__(self, name: str) -> Any:
        for held in (self.__dict__.get("fields", {}), self.__dict__.get("_given", {})):
            if name in held:
                layer = self._entries.get(name)
                return _catalog(layer)[held[name]] if layer else held[name]
        raise AttributeError(f"this variant has no {name!r}; it has {', '.join(self.fields)}")

    __getitem__ = __getattr__  # so that a text's placeholders are filled by `format_map`

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variant) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(tuple(self.fields.values()))

    def __repr__(self) -> str:
        return f"Variant({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"
