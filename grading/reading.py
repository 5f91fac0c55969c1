"""Opening what strangers hand in: small regular files, UTF-8, strict JSON, of a known form."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.core.units import LONGEST_NUMBER
from mlsysim.course.lessons import assignment
from mlsysim.course.sheet import SCHEMA, Sheet

MOST_BYTES = 256 * 1024
DEEPEST = 8
_DEEPEST_FOLDER = 4
# possessive, and a string may be left open: no text makes it go back and try again
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
# where a system has no such flag there are no such files either
_FLAGS = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_SHEETS, _PACKED = ".json", (".json.txt", ".zip", ".tar", ".gz", ".7z", ".rar", ".py", ".ipynb")


class UnreadableError(Exception):
    """A submission that is not opened or not understood; the sentence says why."""


class Found(NamedTuple):
    """What lies below a folder: the files that may be answer sheets, and what was passed over."""

    sheets: list[Path]
    skipped: list[tuple[Path, str]]


class NoSheetError(UnreadableError):
    """JSON of another kind, such as the settings of an editor that were handed in as well."""


def submissions(folder: Path, leave_out: Path | None = None) -> Found:
    """Every `*.json` below a folder, sorted, never through a link to a folder.

    What may hold somebody's answers and is not opened is listed, with the reason. `leave_out` is
    the folder that reports are written to, where it lies inside.
    """
    apart = leave_out.resolve() if leave_out else None
    found = Found([], [])
    _walk(folder.resolve(), apart, 0, found)
    found.sheets.sort(key=os.fsencode)
    found.skipped.sort(key=lambda each: os.fsencode(each[0]))
    return found


def _walk(folder: Path, apart: Path | None, depth: int, found: Found) -> None:
    if folder == apart:
        return
    try:
        with os.scandir(folder) as held:
            entries = list(held)
    except OSError as error:
        found.skipped.append((folder, f"it cannot be opened ({error.strerror})"))
        return
    for entry in entries:
        path, name = Path(entry.path), entry.name.lower()
        if name.startswith((".", "__macosx")):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST_FOLDER and not name.startswith("__"):
                _walk(path, apart, depth + 1, found)
            else:
                found.skipped.append((path, "folders are not looked into that deep"))
        elif name.endswith(_SHEETS):
            found.sheets.append(path)
        elif name.endswith(_PACKED):
            found.skipped.append((path, "only answers.json is graded: unpack it, or rename it"))


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
        info = os.fstat(handle)
        if not stat.S_ISREG(info.st_mode):
            raise UnreadableError("it is not a regular file")
        if info.st_size > MOST_BYTES:
            raise UnreadableError(f"it has {info.st_size:,} bytes and may have {MOST_BYTES:,}")
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
    for token in _BRACKETS.finditer(text):
        sign = token[0][0]
        if sign != '"':
            depth += 1 if sign in "[{" else -1
            deepest = max(deepest, depth)
            if deepest > DEEPEST:
                break
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
