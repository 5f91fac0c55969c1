"""The first stage: which files were handed in, by whom and when, and what was passed over.

A folder or a zip, laid out as people or as Moodle, Canvas or Gradescope lay it out. What a
platform says of a file is kept beside it; what the file says of itself is read later, and compared.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from grading.roster import CANVAS, Roster
from mlsysim.core.errors import BadArgument
from mlsysim.course.reading import MOST_BYTES

_DEEPEST_FOLDER = 4
_MOST_FILES = 50_000
_METADATA, _MOST_METADATA = "submission_metadata.yml", 64 * 1024 * 1024
_SHEETS, _PACKED = ".json", (".json.txt", ".zip", ".tar", ".gz", ".7z", ".rar", ".py", ".ipynb")
_MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<number>\d+)_assignsubmission_file(?:_|/|$)")
_CANVAS = re.compile(r"(?P<name>[^/_]+)_(?P<late>LATE_)?(?P<number>\d+)_\d+_[^/]+\.json$", re.I)
_GRADESCOPE = re.compile(r"(?:^|/)(?P<folder>submission_\d+)/")


class Handed(NamedTuple):
    """A file that may be an answer sheet.

    `who` are the names that the platform gives its owner, `at` is when it came (ISO, or '').
    """

    file: str
    path: Path
    who: tuple[str, ...] = ()
    at: str = ""
    late: bool = False


class Collected(NamedTuple):
    """What lies there: hand-ins, and what was passed over with the reason."""

    handed: list[Handed]
    passed: list[tuple[str, str]]


@contextmanager
def collected(
    source: Path, roster: Roster | None = None, leave_out: Path | None = None
) -> Iterator[Collected]:
    """The hand-ins below a folder or inside a zip, sorted; raises BadArgument for anything else.

    A zip is unpacked aside and gone afterwards. `leave_out` is where reports are written to.
    """
    if source.is_dir():
        yield _below(source.resolve(), roster, leave_out.resolve() if leave_out else None, [])
    elif source.suffix.lower() == ".zip" and source.is_file():
        with TemporaryDirectory() as aside:
            yield _below(Path(aside).resolve(), roster, None, _unpacked(source, Path(aside)))
    else:
        raise BadArgument("the hand-ins", str(source), "give a folder, or a .zip, that is there")


def printable(text: str) -> str:
    """Text in one line that can be printed and encoded, whatever a stranger put into it."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)


def _below(
    folder: Path, roster: Roster | None, apart: Path | None, passed: list[tuple[str, str]]
) -> Collected:
    sheets: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    _walk(folder, apart, 0, sheets, skipped)
    sheets.sort(key=os.fsencode)
    told = {name: _metadata(path) for name, path in _tables(folder)}
    names = [os.fspath(path.relative_to(folder)).replace(os.sep, "/") for path in sheets]
    handed = [_handed(name, path, roster, told) for name, path in zip(names, sheets, strict=True)]
    passed += [(printable(p.relative_to(folder).as_posix()), why) for p, why in skipped]
    return Collected(handed, sorted(passed))


def _walk(
    folder: Path,
    apart: Path | None,
    depth: int,
    sheets: list[Path],
    skipped: list[tuple[Path, str]],
) -> None:
    """Every `*.json`, never through a link to a folder, and what may hold answers elsewhere."""
    if folder == apart:
        return
    try:
        with os.scandir(folder) as held:
            entries = list(held)
    except OSError as error:
        skipped.append((folder, f"it cannot be opened ({error.strerror})"))
        return
    for entry in entries:
        path, name = Path(entry.path), entry.name.lower()
        if name.startswith((".", "__macosx")):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST_FOLDER and not name.startswith("__"):
                _walk(path, apart, depth + 1, sheets, skipped)
            else:
                skipped.append((path, "folders are not looked into that deep"))
        elif name.endswith(_SHEETS):
            sheets.append(path)
        elif name.endswith(_PACKED):
            skipped.append((path, "only answers.json is graded: unpack it, or rename it"))


def _unpacked(source: Path, aside: Path) -> list[tuple[str, str]]:
    """Unpack small files of a zip into a folder, inside it; returns what was passed over."""
    passed = []
    try:
        packed = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        remedy = f"it is no zip that opens: {error}"
        raise BadArgument("the hand-ins", str(source), remedy) from None
    with packed:
        entries = [each for each in packed.infolist() if not each.is_dir()]
        if len(entries) > _MOST_FILES:
            remedy = f"it holds {len(entries):,} files and may hold {_MOST_FILES:,}"
            raise BadArgument("the hand-ins", str(source), remedy)
        for each in entries:
            inside = PurePosixPath(each.filename.replace("\\", "/"))
            table = inside.name == _METADATA
            why = ""
            if inside.is_absolute() or ".." in inside.parts or ":" in each.filename:
                why = "its path leads out of the zip"
            elif each.file_size > (_MOST_METADATA if table else MOST_BYTES):
                why = f"it has {each.file_size:,} bytes and may have {MOST_BYTES:,}"
            else:
                try:
                    data = packed.read(each)
                    path = aside / inside
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                except (OSError, RuntimeError, ValueError, zipfile.BadZipFile, NotImplementedError):
                    why = "it cannot be unpacked"
            if why:
                passed.append((printable(each.filename), why))
    return passed


def _handed(name: str, path: Path, roster: Roster | None, told: dict[str, Any]) -> Handed:
    """A file with what its place says of its owner."""
    who: tuple[str, ...] = ()
    at, late = "", False
    if found := _MOODLE.search(name):
        who = (f"Participant {found['number']}", found["name"])
    elif found := _GRADESCOPE.search(name):
        who, at = told.get(found["folder"], ((), ""))
    elif found := _CANVAS.search(name):
        number, late = found["number"], bool(found["late"])
        who = (CANVAS + number, number, found["name"])
    owner = roster.find(*who) if roster else None
    return Handed(printable(name), path, who, at or moment(owner.at if owner else ""), late)


def _tables(folder: Path) -> Iterator[tuple[str, Any]]:
    """What Gradescope says of each hand-in, by its folder's name."""
    for path in (folder / _METADATA, *folder.glob(f"assignment_*_export/{_METADATA}")):
        if path.is_file() and path.stat().st_size <= _MOST_METADATA:
            try:
                held = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            except (yaml.YAMLError, ValueError, RecursionError):
                continue
            if isinstance(held, dict):
                yield from ((str(key), facts) for key, facts in held.items())


def _metadata(facts: Any) -> tuple[tuple[str, ...], str]:
    plain = _plain(facts)
    people = plain.get("submitters")
    person = _plain(people[0]) if isinstance(people, list) and people else {}
    who = tuple(str(person[key]) for key in ("sid", "email", "name") if person.get(key))
    return who, moment(plain.get("created_at", ""))


def _plain(facts: Any) -> dict[str, Any]:
    """A mapping whose keys may be written as Ruby writes symbols."""
    held = facts if isinstance(facts, dict) else {}
    return {str(key).lstrip(":"): value for key, value in held.items()}


_SPELLINGS = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%d.%m.%Y %H:%M")


def moment(said: Any) -> str:
    """A time as a platform writes it, in ISO form; '' for what is none.

    In UTC where it tells its zone. Else it is that of the class's clocks, and has none.

    >>> moment("Thursday, 26 November 2026, 1:50 PM"), moment("2026-11-26 13:50+01:00"), moment("-")
    ('2026-11-26T13:50:00', '2026-11-26T12:50:00+00:00', '')
    """
    time, text = said if isinstance(said, dt.datetime) else None, str(said).strip()
    if time is None and text:
        try:
            time = dt.datetime.fromisoformat(text)
        except ValueError:
            for spelling in _SPELLINGS:
                try:
                    time = dt.datetime.strptime(text, spelling)
                except ValueError:
                    continue
    if time is None:
        return ""
    return (time.astimezone(dt.UTC) if time.tzinfo else time).isoformat()
