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
from difflib import get_close_matches
from typing import Any

_LISTED = 24  # names in a message before it ends in dots


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
    """A word outside a known list, with the nearest word that is in it."""

    def __init__(self, argument: str, given: Any, known: Iterable[str]) -> None:
        self.known = sorted(known)
        super().__init__(argument, given, did_you_mean(given, self.known))


class UnknownArgument(MLSysError, TypeError):
    """A function was called with an argument that it does not take."""

    def __init__(self, function: str, argument: str, known: Iterable[str]) -> None:
        self.function, self.argument, self.known = function, argument, sorted(known)
        hint = did_you_mean(argument, self.known)
        super().__init__(ended(f"{function} takes no argument {argument!r}: {hint}"))


class UnknownField(MLSysError, AttributeError):
    """A result was asked for a field that it does not have."""

    def __init__(self, result: str, field: str, known: Iterable[str]) -> None:
        self.result, self.field, self.known = result, field, list(known)
        super().__init__(ended(f"this {result} has no {field}: {did_you_mean(field, self.known)}"))


class UnknownEntry(MLSysError, AttributeError):
    """A registry was asked for a name that it does not hold."""

    def __init__(self, shelf: str, name: str, known: Iterable[str]) -> None:
        self.shelf, self.entry, self.known = shelf, name, sorted(known)
        super().__init__(ended(f"{shelf} has no entry {name!r}: {did_you_mean(name, self.known)}"))


class InvalidEntry(MLSysError, ValueError):
    """A specification or a YAML file that is wrong: which `file`, which `key`, and the `remedy`."""

    def __init__(self, where: str, key: str, remedy: str) -> None:
        self.file, self.key, self.remedy = where, key, remedy
        super().__init__(ended(f"{where}: {key + ': ' if key else ''}{remedy}"))


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


def _rebuilt(kind: type[MLSysError], args: tuple[Any, ...], state: dict[str, Any]) -> MLSysError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def did_you_mean(given: Any, known: list[str]) -> str:
    """The nearest known word, or all of them when nothing is near."""
    folded = {name.casefold().replace("-", "_"): name for name in known}
    near = get_close_matches(str(given).casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    shown_names = ", ".join(known[:_LISTED]) + (", ..." if len(known) > _LISTED else "")
    return f"known are {shown_names}" if known else "there are none yet"


def ended(sentence: str) -> str:
    """A sentence with its full stop, unless it asks."""
    return sentence if sentence.endswith(("?", ".")) else sentence + "."


def at_point(params: Mapping[str, Any]) -> str:
    """The parameters of a point as they may stand in a sentence."""
    return ", ".join(f"{name}={shown(value)}" for name, value in params.items())


def shown(value: Any) -> str:
    """A value as it may stand in a sentence: quoted when text, shortened when long."""
    text = " ".join((repr(value) if isinstance(value, str) else str(value)).split())
    return text if len(text) <= 60 else text[:57] + "..."
