"""What an exercise and its grader must agree on: units, ids, codes and variants.

Each learner gets numbers of their own: a code is an HMAC of the assignment and the learner's id
under the course's secret, and the code draws one value from every axis of the assignment. Without
a course secret (self-study) a public one is used; with one, the instructor hands the codes out.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from mlsysim.core.errors import BadArgument, WrongUnit
from mlsysim.core.registry import catalog

PUBLIC_SECRET = b"mlsysim self-study: these variants are public"
LONGEST_ID = 100
_CODE_DIGITS = 16

# ---- units: text that a stranger typed -----------------------------------------------------------

_PREFIXED = {
    "B": ("", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti"),
    "b": ("", "k", "M", "G", "T"),
    "FLOP": ("", "M", "G", "T", "P", "E", "Z"),
    "W": ("", "m", "k", "M"),
    "J": ("", "m", "k", "M", "G"),
    "g": ("", "k"),
    "s": ("", "m", "u", "n"),
}
_PLAIN = "% min hour day year USD t L Wh kWh MWh 1/s USD/hour USD/year USD/kWh g/kWh L/kWh FLOP/B"
UNITS = (
    "",
    *_PLAIN.split(),
    *(prefix + unit for unit, prefixes in _PREFIXED.items() for prefix in prefixes),
    *(f"{prefix}{unit}/s" for unit in ("B", "b", "FLOP") for prefix in _PREFIXED[unit]),
)
_ALLOWED = frozenset(UNITS)


def read_unit(given: Any, argument: str = "unit") -> str:
    """A unit from the allow-list, '' for a plain number; raises WrongUnit for anything else."""
    if given is None or given == "":
        return ""
    if isinstance(given, str) and given in _ALLOWED:
        return given
    raise WrongUnit(argument, given, "give a unit from the list, such as ms, GB, TB/s or TFLOP/s")


# ---- variants ------------------------------------------------------------------------------------


def clean_id(student: Any) -> str:
    """A learner's id as it is compared: trimmed, one case, one Unicode form; raises BadArgument.

    >>> clean_id("  Ada  Lovelace ")
    'ada lovelace'
    """
    if not isinstance(student, str) or not student.strip():
        raise BadArgument("student", student, "give your student id")
    if len(student) > 4 * LONGEST_ID:  # one character may become eighteen
        raise BadArgument("student", student, f"an id is at most {LONGEST_ID} printable characters")
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


@cache
def _entry(layer: str, name: str) -> Any:
    return catalog(layer)[name]


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
        self._entries, self._held = entries or {}, {**(given or {}), **fields}

    def __getattr__(self, name: str) -> Any:
        held = self.__dict__.get("_held", {})
        if name in held:
            layer = self._entries.get(name)
            return _entry(layer, held[name]) if layer else held[name]
        raise AttributeError(f"this variant has no {name!r}; it has {', '.join(self.fields)}")

    __getitem__ = __getattr__  # so that a text's placeholders are filled by `format_map`

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variant) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(tuple(self.fields.values()))

    def __repr__(self) -> str:
        return f"Variant({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"
