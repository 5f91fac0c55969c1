"""What the course holds: its lessons, the paths through them, and where their files lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mlsysim.core.errors import UnknownName

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Lesson:
    """One question, answered in one notebook; `stem` names its four files."""

    stem: str
    title: str
    question: str
    minutes: int
    level: str
    predictions: int

    @property
    def number(self) -> int:
        """The lesson's place in the course."""
        return int(self.stem[:2])

    @property
    def questions(self) -> list[str]:
        """The ids of its predictions, as the journal knows them."""
        return [f"{self.stem[:2]}.{n}" for n in range(1, self.predictions + 1)]

    def file(self, kind: str = "tutorials") -> Path:
        """The lesson's notebook of a kind: `tutorials` or `exercises`."""
        return folder(kind) / f"{self.stem}.py"


@dataclass(frozen=True)
class CoursePath:
    """A way through the course for one kind of reader; `timetable` for those in a hurry."""

    name: str
    title: str
    lessons: tuple[int, ...]
    timetable: tuple[str, ...] = ()


def folder(kind: str) -> Path:
    """Where notebooks lie: beside the package in a clone, inside it when installed."""
    inside, beside = _HERE / kind, _HERE.parent.parent / kind
    return beside if beside.is_dir() else inside


@cache
def _data() -> dict[str, Any]:
    return yaml.safe_load((_HERE / "course.yaml").read_text(encoding="utf-8"))


def lessons() -> list[Lesson]:
    """Every lesson, in order."""
    return [Lesson(stem=stem, **facts) for stem, facts in sorted(_data()["lessons"].items())]


def paths() -> list[CoursePath]:
    """Every path."""
    return [
        CoursePath(name, facts["title"], tuple(facts["lessons"]), tuple(facts.get("timetable", ())))
        for name, facts in _data()["paths"].items()
    ]


def find_lesson(name: str) -> Lesson:
    """The lesson called `name`: its number or its stem; raises UnknownName."""
    for lesson in lessons():
        if name in (lesson.stem, lesson.stem[:2], str(lesson.number)):
            return lesson
    raise UnknownName("lesson", name, [lesson.stem[:2] for lesson in lessons()])


def find_path(name: str) -> CoursePath:
    """The path called `name`; raises UnknownName."""
    for path in paths():
        if path.name == name:
            return path
    raise UnknownName("path", name, [path.name for path in paths()])
