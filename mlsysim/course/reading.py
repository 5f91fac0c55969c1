"""Opening what was handed in: a small regular file, UTF-8, strict JSON, of a known form.

A learner's own check reads a sheet here as the grader does.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.core.units import LONGEST_NUMBER
from mlsysim.course.lessons import assignment
from mlsysim.course.sheet import SCHEMA, Sheet

MOST_BYTES = 256 * 1024
DEEPEST = 8
# possessive, and a string may be left open: no text makes it go back and try again
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
# where a system has no such flag there are no such files either
_FLAGS = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")


class UnreadableError(Exception):
    """A submission that is not opened or not understood; the sentence says why."""


class NoSheetError(UnreadableError):
    """JSON of another kind, such as the settings of an editor that were handed in as well."""


def read_sheet(path: Path) -> Sheet:
    """The answer sheet in a file; raises UnreadableError with the reason."""
    return sheet_of(parse(read_bytes(path)))


def read_bytes(path: Path) -> bytes:
    """The bytes of a small regular file; links, devices and pipes are refused, not waited on."""
    try:
        handle = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in _FLAGS))
    except OSError as error:
        if path.is_symlink():
            raise UnreadableError("it is a link, not a file") from None
        raise UnreadableError(f"it cannot be opened ({error.strerror})") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UnreadableError("it is not a regular file")
        with os.fdopen(os.dup(handle), "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"it cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"it has more than {MOST_BYTES:,} bytes")
    return data


def parse(data: bytes) -> Any:
    """JSON without its holes: no duplicate keys, no NaN or infinity, no deep nesting; UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8 text") from None
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise UnreadableError("it is empty")
    if _depth(text) > DEEPEST:
        raise UnreadableError(f"it is nested more than {DEEPEST} deep")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"it is not JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise UnreadableError(f"it is nested more than {DEEPEST} deep") from None


def _depth(text: str) -> int:
    """How deep brackets nest, those in quotes left out; counted before anything is built."""
    depth = deepest = 0
    for sign in _NO_BRACKETS.sub("", text):
        depth += 1 if sign in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise UnreadableError("a key stands in it twice")
    return held


def _integer(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise UnreadableError(f"a number in it has more than {LONGEST_NUMBER} digits")
    return int(text)


def _float(text: str) -> float:
    if len(text) > LONGEST_NUMBER or not math.isfinite(float(text)):
        raise UnreadableError("a number in it is infinite or too long")
    return float(text)


def _constant(text: str) -> NoReturn:
    raise UnreadableError(f"{text} stands in it, which is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def sheet_of(data: Any) -> Sheet:
    """A sheet from parsed JSON; raises UnreadableError. Unknown keys are listed, not used."""
    if not isinstance(data, dict) or not {"schema", "assignment", "answers"} & data.keys():
        raise NoSheetError("it holds no answer sheet")
    if data.get("schema") != SCHEMA or isinstance(data.get("schema"), bool):
        raise UnreadableError(f"it is not an answer sheet of schema {SCHEMA}")
    try:
        sheet = Sheet.read(data)
        assignment(sheet.assignment)
    except InvalidEntry as error:
        raise UnreadableError(f"{error.key}: {error.remedy}") from None
    except UnknownName as error:
        raise UnreadableError(str(error)) from None
    return sheet
