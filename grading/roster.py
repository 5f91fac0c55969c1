"""The class list: a CSV of one's own, or what Moodle, Canvas or Gradescope export."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.course.variants import clean_id


class Enrolled(NamedTuple):
    """One student; `keys` are names that a platform gives, `at` when it took the hand-in."""

    id: str
    name: str = ""
    email: str = ""
    section: str = ""
    keys: tuple[str, ...] = ()
    at: str = ""


CANVAS = "canvas "  # before Canvas's own number, which may be somebody else's id
# which headers tell the file, and the columns of each part, the first filled one counts
_ID = ("student", "id", "student id", "username", "login", "email")
_OWN = {"id": _ID, "name": ("name", "full name"), "section": ("section", "group")}
_LAYOUTS = (
    (
        {"identifier", "full name"},  # Moodle's grading worksheet
        {
            "id": ("id number", "username", "email address", "identifier"),
            "name": ("full name",),
            "keys": ("identifier",),
            "at": ("last modified (submission)",),
        },
    ),
    (
        {"student", "id", "section"},  # Canvas's gradebook
        {
            "id": ("sis login id", "sis user id", "id"),
            "name": ("student",),
            "keys": ("id",),
            "before": (CANVAS,),
        },
    ),
    ({"sid"}, {"id": ("sid", "email"), "name": ("name",)}),  # Gradescope's roster
    (set(), {**_OWN, "at": ("submitted",)}),
)


class Table(NamedTuple):
    """A CSV file: its header as it stands, its rows by lower-case header, and its delimiter."""

    header: list[str]
    rows: list[dict[str, str]]
    delimiter: str


def read_table(path: Path) -> Table:
    """A CSV with a header, cells apart by comma, semicolon or tab; raises InvalidEntry."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidEntry(path.name, "", "it is not UTF-8 text: save it as CSV UTF-8") from None
    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = max(",;\t", key=first.count)
    found = list(csv.reader(lines, delimiter=delimiter))
    if not found:
        raise InvalidEntry(path.name, "", "it is empty")
    header = [cell.strip() for cell in found[0]]
    low = [cell.casefold() for cell in header]
    rows = [dict(zip(low, map(str.strip, row), strict=False)) for row in found[1:] if any(row)]
    return Table(header, rows, delimiter)


@dataclass(frozen=True)
class Roster:
    """Every student of a class, by clean id, and the other names that lead to one."""

    students: dict[str, Enrolled] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def find(self, *names: str) -> Enrolled | None:
        """The student whom the first of these names leads to: an id, an address, a full name."""
        for name in names:
            try:
                held = self.aliases.get(clean_id(name))
            except BadArgument:
                continue
            if held is not None:
                return self.students[held]
        return None


def read_roster(path: Path) -> Roster:
    """The class list in a file; raises InvalidEntry for a second line of a student."""
    table = read_table(path)
    low = {cell.casefold() for cell in table.header}
    columns = next(columns for marks, columns in _LAYOUTS if marks <= low)
    if not low & set(columns["id"]):  # no header at all: ids, one a line
        ids = [table.header[0], *(next(iter(row.values())) for row in table.rows)]
        table = table._replace(rows=[{"student": each} for each in ids])
        columns = _OWN
    roster = Roster()
    for row in table.rows:
        each = _enrolled(row, columns)
        if each is None:
            continue
        key = clean_id(each.id)
        if key in roster.students:
            raise InvalidEntry(path.name, each.id, "it stands there twice; remove one line")
        roster.students[key] = each
    times = Counter(name for each in roster.students.values() for name in _names(each))
    for key, each in roster.students.items():
        roster.aliases.update({name: key for name in _names(each) if times[name] == 1})
    roster.aliases.update({key: key for key in roster.students})
    return roster


def _names(each: Enrolled) -> Iterator[str]:
    keys = (each.email, each.name, *each.keys)
    yield from {clean_id(name) for name in keys if name.strip()}


def _enrolled(row: dict[str, str], columns: dict[str, tuple[str, ...]]) -> Enrolled | None:
    def cell(part: str) -> str:
        return next((row[c] for c in columns.get(part, ()) if row.get(c)), "")

    first = " ".join(filter(None, (row.get("first name"), row.get("last name"))))
    name = cell("name") or first
    if not cell("id") or name.casefold().startswith(("points possible", "student, test")):
        return None
    (before,) = columns.get("before", ("",))
    email = row.get("email") or row.get("email address") or ""
    return Enrolled(
        id=cell("id"),
        name=name,
        email=email,
        section=cell("section") or row.get("section", ""),
        keys=tuple(before + row[c] for c in columns.get("keys", ()) if row.get(c)),
        at=cell("at"),
    )
