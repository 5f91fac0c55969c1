"""Every error that mlsysim raises on purpose, drawn as one tree.

::

    MLSysError                      catch this one to catch them all
    ├── BadArgument                 an argument that makes no sense           (ValueError)
    │   ├── WrongUnit               a bare number, or the wrong dimension
    │   ├── OutOfRange              zero, negative, NaN, infinite, fractional, absurd
    │   └── UnknownName             a word outside a known list: precision, phase, topology
    ├── UnknownArgument             `solve` has no such argument              (TypeError)
    ├── UnknownField                a result has no such field                (AttributeError)
    ├── UnknownEntry                a registry holds no such entry            (AttributeError)
    ├── InvalidEntry                a specification or YAML file is wrong     (ValueError)
    ├── MissingValue                a value nobody has published is needed    (ValueError)
    ├── NoDatapath                  the device cannot run this precision      (ValueError)
    └── FailedPoint                 a point of a search could not be evaluated (RuntimeError)

A malformed question raises; an infeasible one is an answer (`feasible=False` with its reason).
Each error keeps what a program needs as attributes and reads as one sentence for a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Any

LEFT_OUT: Any = ...  # stands for what must be said and was not
_LISTED = 40  # names in a message before it ends in dots


class MLSysError(Exception):
    """Base of every error that mlsysim raises on purpose; it travels between processes unharmed."""

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.args, self.__dict__)


class BadArgument(MLSysError, ValueError):
    """An argument that makes no sense: `argument` was `given`; `remedy` says what would do."""

    def __init__(self, argument: str, given: Any, remedy: str) -> None:
        self.argument, self.given, self.remedy = argument, given, remedy
        super().__init__(ended(f"{argument} cannot be {shown(given)}: {remedy}"))


class WrongUnit(BadArgument):
    """A bare number where a unit belongs, or a unit of the wrong dimension."""


class OutOfRange(BadArgument):
    """A number that no machine has: zero, negative, NaN, infinite, fractional or absurd."""


class UnknownName(BadArgument):
    """A word outside a known list, with the nearest word in it, or as many as are `listed`."""

    def __init__(
        self, argument: str, given: Any, known: Iterable[str], listed: int = _LISTED
    ) -> None:
        self.known = sorted(known)
        super().__init__(argument, given, did_you_mean(given, self.known, listed))


class UnknownArgument(MLSysError, TypeError):
    """A function was called with an argument that it does not take."""

    def __init__(self, function: str, argument: str, known: Iterable[str]) -> None:
        self.function, self.argument, self.known = function, argument, sorted(known)
        hint = did_you_mean(argument, self.known)
        super().__init__(ended(f"{function} takes no argument {shown(argument)}: {hint}"))


class UnknownField(MLSysError, AttributeError):
    """A result was asked for a field that it does not have."""

    def __init__(self, result: str, field: str, known: Iterable[str]) -> None:
        self.result, self.field, self.known = result, field, list(known)
        super().__init__(
            ended(f"this {result} has no {cut(field)}: {did_you_mean(field, self.known)}")
        )


class UnknownEntry(MLSysError, AttributeError):
    """A registry was asked for a name that it does not hold."""

    def __init__(self, shelf: str, name: str, known: Iterable[str]) -> None:
        self.shelf, self.entry, self.known = shelf, name, sorted(known)
        super().__init__(
            ended(f"{shelf} has no entry {shown(name)}: {did_you_mean(name, self.known)}")
        )


class InvalidEntry(MLSysError, ValueError):
    """A specification or a YAML file that is wrong: which `file`, which `key`, and the `remedy`."""

    def __init__(self, where: str, key: str, remedy: str) -> None:
        self.file, self.key, self.remedy = where, key, remedy
        super().__init__(ended(": ".join(part for part in (where, key, remedy) if part)))


class MissingValue(MLSysError, ValueError):
    """A value that nobody has published is needed to answer: `entry` has no `field`."""

    def __init__(self, entry: str, field: str, remedy: str) -> None:
        self.entry, self.field = entry, field
        super().__init__(ended(f"{entry} has no known {field}: {remedy}"))


class NoDatapath(MLSysError, ValueError):
    """The device has no arithmetic that can hold this precision."""

    def __init__(self, device: str, precision: str, datapaths: Iterable[str]) -> None:
        self.device, self.precision, self.datapaths = device, precision, list(datapaths)
        names = ", ".join(self.datapaths)
        super().__init__(f"{device} cannot run precision={precision!r}: its datapaths are {names}.")


class FailedPoint(MLSysError, RuntimeError):
    """A point of a search whose evaluation raised: the `params` of the point, and `error`."""

    def __init__(self, params: Mapping[str, Any], error: BaseException) -> None:
        self.params, self.error = dict(params), error
        super().__init__(
            f"evaluate fails at {at_point(params)}: {ended(f'{type(error).__name__}: {error}')}"
        )


# ---- what pydantic finds wrong, in our sentences -------------------------------------------------

_WANTED = {
    "string_type": "text",
    "string_unicode": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "dict_type": "a mapping of keys and values",
    "tuple_type": "a list",
}


def invalid(kind: Any, data: Any, error: Any) -> InvalidEntry:
    """What pydantic's ValidationError of `data` for a type `kind` says, as one sentence.

    The fault that lies deepest comes first, because that comes from the option that was meant;
    those of other keys follow it.
    """
    name = data.get("name") if isinstance(data, Mapping) else None
    where = name if name and isinstance(name, str) else kind.__name__
    faults = [(_path(data, fault), fault) for fault in error.errors(include_url=False)]
    path, fault = max(faults, key=_depth)
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, InvalidEntry) and cause.file.endswith(".yaml"):
        return cause  # the fault lies in a file that this one names
    key, remedy = _said(kind, path, fault)
    others: dict[Any, str] = {}
    for place, other in faults:
        # without a part that is no key of the data: that would be an option which was not meant
        if place and place[0] not in path[:1] and len(place) == len(other["loc"]):
            others.setdefault(place[0], ": ".join(_said(kind, place, other)))
    return InvalidEntry(where, key, "; ".join([remedy, *others.values()]))


def _said(kind: Any, path: list[Any], fault: Any) -> tuple[str, str]:
    """The key under which a fault lies, and the remedy."""
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{cut(str(p))}" for p in path).lstrip(".")
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, InvalidEntry):
        return f"{key}.{cause.key}".strip("."), cause.remedy
    if isinstance(cause, BadArgument):
        return key, f"{shown(cause.given)} will not do; {cause.remedy}"
    if fault["type"] == "extra_forbidden":
        known = did_you_mean(path[-1], sorted(kind.model_fields))
        return key, f"{kind.__name__} has no such key; {known}"
    if fault["type"] == "missing" or fault["input"] is LEFT_OUT:
        example = getattr(kind, "hint", "") if len(path) == 1 else ""
        return key, f"it is required; add it{example}"
    given, context = shown(fault["input"]), fault.get("ctx", {})
    if fault["type"] == "literal_error":
        options = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return key, f"{given} is not known; {did_you_mean(fault['input'], options)}"
    if fault["type"] == "date_type":
        return key, f"{given} is no date; write it as 2026-11-20"
    model = context.get("class_name", kind.__name__)
    wanted = _WANTED.get(fault["type"], f"a {model}, a mapping of keys and values")
    return key, f"{given} will not do; give {wanted}"


def _depth(each: tuple[list[Any], Any]) -> tuple[int, bool]:
    """How deep a fault lies; a key that is unknown comes before one that is missing."""
    path, fault = each
    below = getattr(fault.get("ctx", {}).get("error"), "key", "")
    return len(path) + (below.count(".") + 1 if below else 0), fault["type"] == "extra_forbidden"


def _path(here: Any, fault: Any) -> list[Any]:
    """Where a fault lies in the data, without the names of a union's options."""
    path = []
    for part in fault["loc"]:
        known = part in here if isinstance(here, Mapping) else isinstance(part, int)
        if known or fault["type"] == "missing":
            path.append(part)
            here = here[part] if known else None
    return path


# ---- words ---------------------------------------------------------------------------------------


def _rebuilt(kind: type[MLSysError], args: tuple[Any, ...], state: dict[str, Any]) -> MLSysError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def did_you_mean(given: Any, known: list[str], listed: int = _LISTED) -> str:
    """The nearest known word, or all of them when nothing is near, as far as they can be told."""
    folded = {name.casefold().replace("-", "_"): name for name in known}
    word = str(given).casefold().replace("-", "_")
    near = get_close_matches(word, folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    if len(known) > listed:  # then the nearest are told first
        known = sorted(known, key=lambda name: -_likeness(word, name.casefold()))
    shown_names = ", ".join(known[:listed]) + (", ..." if len(known) > listed else "")
    return f"known are {shown_names}" if known else "there are none yet"


def _likeness(word: str, name: str) -> float:
    """How near a name is to a word, in steps: those that are as near keep their order."""
    return round(SequenceMatcher(None, word, name).ratio(), 1)


def ended(sentence: str) -> str:
    """A sentence with its full stop, unless it asks."""
    return sentence if sentence.endswith(("?", ".")) else sentence + "."


def at_point(params: Mapping[str, Any]) -> str:
    """The parameters of a point as they may stand in a sentence."""
    return ", ".join(f"{name}={shown(value)}" for name, value in params.items())


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: quoted when text, shortened when long."""
    text = " ".join((repr(value) if isinstance(value, str) else str(value)).split())
    return cut(text)


def cut(text: str) -> str:
    """A text as long as a sentence bears."""
    return text if len(text) <= 60 else text[:57] + "..."
