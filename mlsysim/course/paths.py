"""The paths through the course with their timetables, and the plan of what is to be written."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from mlsysim.core.errors import UnknownName
from mlsysim.core.registry import load
from mlsysim.core.values import Many, Value
from mlsysim.course.lessons import _HERE, Lesson, lessons


class Planned(Value):
    """A lesson that is to be written."""

    number: int
    title: str
    question: str
    minutes: int
    level: str


class Station(Value):
    """A part of a path: a lesson, by number, or a `pause`; its `minutes` where they are fewer.

    For a speaker: the `message` that should stay, `notes`, the `cut` that makes it fit, and the
    numbers of the predictions to `skip`.
    """

    lesson: int | None = None
    pause: str = ""
    minutes: int | None = None
    message: str = ""
    notes: str = ""
    cut: str = ""
    skip: Many[int] = ()

    @classmethod
    def meant(cls, given: Any) -> Any:
        """A lesson's number, or a mapping."""
        return {"lesson": given} if isinstance(given, int) else super().meant(given)

    def check(self) -> None:
        """It is a lesson or a pause, and a pause says how long."""
        if (self.lesson is None) == (not self.pause):
            raise self.wrong("lesson", "give a lesson's number, or the name of a pause")
        if self.lesson is None and self.minutes is None:
            raise self.wrong("minutes", f"how long is {self.pause!r}?")

    @property
    def length(self) -> int:
        """How many minutes the path gives it."""
        return self.minutes or plan()[self.lesson or 0].minutes


class Slot(NamedTuple):
    """A station and the minutes from its start to its end, counted from the start of the path."""

    start: int
    end: int
    station: Station

    @property
    def time(self) -> str:
        """Both as a timetable has them: 15-35 min."""
        return f"{self.start}-{self.end} min"


class CoursePath(Value):
    """A way through the course for one kind of reader, and the `minutes` that it has."""

    name: str
    letter: str
    title: str
    reader: str
    minutes: int
    stations: Many[Station]

    @property
    def lessons(self) -> list[int]:
        """The numbers of its lessons, in their order."""
        return [each.lesson for each in self.stations if each.lesson is not None]

    @property
    def spoken(self) -> bool:
        """Whether somebody presents it, to a timetable."""
        return any(each.message for each in self.stations)

    @property
    def timetable(self) -> list[Slot]:
        """When each station is on."""
        slots: list[Slot] = []
        for each in self.stations:
            start = slots[-1].end if slots else 0
            slots.append(Slot(start, start + each.length, each))
        return slots


def _as_they_are(facts: dict[str, Any]) -> Any:
    return facts


@cache
def _held() -> dict[str, Any]:
    return load(_HERE / "course.yaml", _as_they_are)


@cache
def plan() -> dict[int, Lesson | Planned]:
    """Every lesson by its number: as it is, or as it is planned."""
    to_come = {facts["number"]: Planned(**facts) for facts in _held()["planned"]}
    return dict(sorted({**to_come, **{each.number: each for each in lessons()}}.items()))


@cache
def paths() -> list[CoursePath]:
    """Every path."""
    return [CoursePath(**{**facts, "name": name}) for name, facts in _held()["paths"].items()]


def find_path(name: str) -> CoursePath:
    """The path called `name`, or by its letter (D+); raises UnknownName."""
    for path in paths():
        if name == path.name or name.upper() == path.letter:
            return path
    raise UnknownName("path", name, [path.name for path in paths()])
