"""What an exercise and its grader must agree on: variants, numbers, units, an answer sheet's form.

Nothing here imports a notebook, so a grader that needs it stays small. Each learner gets numbers
of their own: a code is an HMAC of the assignment and the learner's id under the course's secret,
and the code draws one value from every axis of the assignment. Without a course secret
(self-study) a public one is used; with one, the instructor hands the codes out.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

from mlsysim.core.errors import BadArgument, UnknownName, WrongUnit
from mlsysim.core.units import Q_
from mlsysim.hardware.registry import Hardware
from mlsysim.models.registry import Models

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


class Variant:
    """The numbers of one learner: fields are plain data, `v.model` and devices registry entries."""

    _entries: Mapping[str, Any] = {"model": Models, "device": Hardware, "other": Hardware}

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = dict(fields)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        if name not in fields:
            raise AttributeError(f"this variant has no {name!r}; it has {', '.join(fields)}")
        value = fields[name]
        return self._entries[name][value] if name in self._entries else value

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What tells this variant from another, for caches."""
        return tuple(self.fields.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variant) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Variant({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"


@dataclass(frozen=True)
class Assignment:
    """The space that variants of one exercise are drawn from, and the sample that it works through.

    An axis named "device other" draws both fields together; every combination of the axes must stay
    in the regime that the questions are about, which a test shows.
    """

    name: str
    version: int
    axes: Mapping[str, Sequence[Any]]
    sample: Mapping[str, Any]

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

    def _variant(self, picks: Sequence[Any]) -> Variant:
        fields: dict[str, Any] = {}
        for axis, pick in zip(self.axes, picks, strict=True):
            names = axis.split()
            fields.update(zip(names, pick if len(names) > 1 else (pick,), strict=True))
        return Variant(fields)


def assignment(name: Any) -> Assignment:
    """An assignment by its name; raises UnknownName."""
    if isinstance(name, str) and name in ASSIGNMENTS:
        return ASSIGNMENTS[name]
    raise UnknownName("assignment", name, ASSIGNMENTS)


ASSIGNMENTS = {
    each.name: each
    for each in (
        Assignment(
            name="00_hello_roofline",
            version=1,
            axes={
                "model": ("Llama3_8B", "Mistral_7B", "Llama2_7B", "Llama2_13B", "Gemma2_9B"),
                "device other": (
                    ("A100", "H100"),
                    ("A100", "H200"),
                    ("A100", "MI300X"),
                    ("A100", "B200"),
                    ("H100", "MI300X"),
                    ("H100", "MI325X"),
                    ("H200", "B200"),
                    ("A100", "MI325X"),
                ),
                "batch": (10, 12, 14),
                "context": (1024, 1280, 1536),
                "crowd": (24, 32, 40, 768, 896, 1024),
            },
            sample={
                "model": "Qwen2_5_7B",
                "device": "L40S",
                "other": "L4",
                "batch": 4,
                "context": 4096,
                "crowd": 300,
            },
        ),
    )
}
