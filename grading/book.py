"""The third stage: what a hand-in counts for, by the rules of the instructor's gradebook.

Which attempt counts, how late it was, questions that are dropped or weighted, marks changed by
hand with a reason; then what only a look at the whole class shows.
"""

from __future__ import annotations

import datetime as dt
import hmac
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from grading.flags import Flag, kinds
from grading.judge import Graded, Outcome, Skipped
from grading.kinds import Mark
from grading.roster import Enrolled, Roster
from mlsysim.core import units as u
from mlsysim.core.errors import InvalidEntry, did_you_mean
from mlsysim.core.registry import parse_yaml
from mlsysim.core.units import Q_
from mlsysim.core.values import Many, Value
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import clean_id

_DAY = 86400.0
_CROWD = 20  # a wrong value that so many share is a common mistake, and no hint
_SHARED = 2  # so many wrong values in common are worth a look
ALARM, _SEVERAL = 0.1, 3  # a flag on more than this part of a class, and on so many students
WHOLE = "all"  # the question of an override that sets the whole score


class Counted(Value):
    """How one assignment counts: `drop` says of a question why it does not."""

    due: Any = None
    weight: u.Number = 1.0
    points: dict[str, u.Number] = {}
    drop: dict[str, str] = {}


_ALIKE = Counted()  # how one counts of which the gradebook says nothing


class Late(Value):
    """What lateness costs: a part of the score for each day that is begun after the grace."""

    grace: u.SecondsOrZero = Q_(0.0, "s")
    per_day: u.FractionOrZero = 0.0
    most: u.FractionOrZero = 1.0


class Override(Value):
    """A mark changed by hand, of a question or of `all` of them."""

    student: str
    assignment: str
    question: str
    points: u.Signed
    why: str


class Gradebook(Value):
    """An instructor's rules; each has a default, so an empty one grades as well.

    `extensions` are due times of single students; `accept` names flags that stop no run.
    """

    course: str = ""
    assignments: dict[str, Counted] = {}
    late: Late = Late()
    attempts: Literal["latest", "first", "best"] = "latest"
    extensions: dict[str, dict[str, Any]] = {}
    overrides: Many[Override] = ()
    accept: Many[str] = ()
    anonymous: bool = False

    def check(self) -> None:
        """Whatever is named exists, and every time is one."""
        for name, held in self.assignments.items():
            asked = assignment(name).questions
            self._known(f"assignments.{name}", {*held.points, *held.drop}, asked)
            due(held.due, f"assignments.{name}.due")
        for student, dates in self.extensions.items():
            for name, time in dates.items():
                due(time, f"extensions.{student}.{assignment(name).name}")
        for each in self.overrides:
            asked = (*assignment(each.assignment).questions, WHOLE)
            self._known(f"overrides of {each.student}", {each.question}, asked)
            if not each.why.strip():
                raise self.wrong(f"overrides of {each.student}", "say why")
        self._known("accept", set(self.accept), kinds())

    def _known(self, key: str, given: Iterable[str], known: Iterable[str]) -> None:
        for name in sorted(given):
            if name not in [*known]:
                raise self.wrong(key, f"{name!r}: {did_you_mean(name, [*known])}")

    def of(self, name: str) -> Counted:
        """How an assignment counts."""
        return self.assignments.get(name, _ALIKE)


def read_gradebook(path: Path) -> Gradebook:
    """The gradebook in a YAML file; raises InvalidEntry."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidEntry(path.name, "", "it is not UTF-8 text") from None
    return Gradebook.build(parse_yaml(text, path.name) if text.strip() else {}, path.name)


def due(said: Any, key: str = "due") -> dt.datetime | None:
    """A due time; raises InvalidEntry for one that cannot be read or has no time zone."""
    if said is None:
        return None
    try:
        time = said if isinstance(said, dt.datetime) else dt.datetime.fromisoformat(str(said))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        remedy = "write a time with its zone, as in 2026-11-27 23:59+01:00"
        raise InvalidEntry("the gradebook", key, remedy)
    return time


@dataclass(frozen=True)
class Booked:
    """A hand-in that counts: marks as the gradebook weighs them, and what was taken off.

    `dropped` and `notes` say, by question, why it does not count and why it was changed.
    """

    of: Graded
    enrolled: Enrolled
    marks: tuple[Mark, ...]
    flags: tuple[Flag, ...]
    late: float = 0.0  # seconds after the due time
    part_off: float = 0.0
    dropped: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    whole: float | None = None  # a score that was set by hand

    @cached_property
    def out_of(self) -> float:
        """Points that there are."""
        counted = sum(m.out_of for m in self.marks if m.question not in self.dropped)
        return round(counted + self.of.predictions.out_of, 3)

    @cached_property
    def earned(self) -> float:
        """Points earned, predictions included, before anything is taken off for lateness."""
        if self.whole is not None:
            return self.whole
        counted = sum(m.points for m in self.marks if m.question not in self.dropped)
        return round(counted + self.of.predictions.points, 3)

    @cached_property
    def score(self) -> float:
        """Points that count."""
        return round(self.earned * (1 - self.part_off), 3)

    @property
    def part(self) -> float:
        """The part of the points that was earned."""
        return self.score / self.out_of if self.out_of else 0.0


@dataclass(frozen=True)
class Book:
    """A class: one row a student and assignment, who is missing, and what did not count."""

    rows: tuple[Booked, ...]
    missing: Mapping[str, tuple[Enrolled, ...]]
    outcomes: tuple[Outcome, ...]  # what was refused and passed over
    gradebook: Gradebook

    @property
    def alarms(self) -> dict[str, int]:
        """Flags that more than a tenth of the class has: the class is not to blame for them."""
        found = Counter(flag.kind for row in self.rows for flag in {*row.flags} if flag.fact.alarm)
        most = max(_SEVERAL - 1, ALARM * len(self.rows))
        return {k: n for k, n in found.items() if n > most and k not in self.gradebook.accept}


def book(
    outcomes: Sequence[Outcome], roster: Roster | None = None, gradebook: Gradebook | None = None
) -> Book:
    """What every student has in every assignment, sorted.

    Raises InvalidEntry for an override of somebody who handed in nothing.
    """
    gradebook = gradebook or Gradebook()
    held: dict[tuple[str, str], list[Booked]] = defaultdict(list)
    for each in outcomes:
        if isinstance(each, Graded):
            held[each.assignment, each.id].append(_booked(each, roster, gradebook))
    rest = [each for each in outcomes if not isinstance(each, Graded)]
    rows = []
    for _, attempts in sorted(held.items()):
        counts = _counting(attempts, gradebook)
        rows.append(counts)
        again = [each for each in attempts if each.of is not counts.of]
        rest += [Skipped(each.of.file, "another attempt counts") for each in again]
    _no_strangers(gradebook, rows)
    names = sorted({row.of.assignment for row in rows} | set(gradebook.assignments))
    missing = {
        name: tuple(
            each
            for key, each in (roster.students if roster else {}).items()
            if (name, key) not in held
        )
        for name in names
    }
    return Book(tuple(_alike(rows)), missing, tuple(rest), gradebook)


def _booked(graded: Graded, roster: Roster | None, gradebook: Gradebook) -> Booked:
    name, flags = graded.assignment, list(graded.flags)
    enrolled = (roster and roster.find(graded.id)) or Enrolled(graded.student)
    counted = gradebook.of(name)
    marks = {mark.question: mark for mark in graded.marks}
    for question, points in counted.points.items():
        mark, most = marks[question], float(points)
        if mark.out_of:
            marks[question] = replace(mark, points=round(mark.credit * most, 3), out_of=most)
    notes, whole = {}, None
    for each in gradebook.overrides:
        if (each.assignment, clean_id(each.student)) == (name, graded.id):
            notes[each.question] = each.why
            flags.append(Flag("overridden", each.why))
            if each.question == WHOLE:
                whole = float(each.points)
            else:
                mark = marks[each.question]
                marks[each.question] = replace(mark, points=float(each.points))
    late = _late(graded, counted, gradebook)
    if late:
        flags = [flag for flag in flags if flag.kind != "late-unknown"]
        flags.append(Flag("late", _spell(late)))
    begun = math.ceil(max(0.0, late - gradebook.late.grace.m_as("s")) / _DAY)
    return Booked(
        of=graded,
        enrolled=enrolled,
        marks=tuple(marks.values()),
        flags=tuple(flags),
        late=late,
        part_off=min(begun * float(gradebook.late.per_day), float(gradebook.late.most)),
        dropped=counted.drop,
        notes=notes,
        whole=whole,
    )


def _late(graded: Graded, counted: Counted, gradebook: Gradebook) -> float:
    """Seconds after the due time, or after the one that this student was given; 0 in time."""
    mine = {clean_id(key): dates for key, dates in gradebook.extensions.items()}
    until = due(mine.get(graded.id, {}).get(graded.assignment, counted.due))
    if until is None or not graded.at:
        return 0.0
    came = dt.datetime.fromisoformat(graded.at)
    if came.tzinfo is None:  # as the clocks of the class said
        came = came.replace(tzinfo=until.tzinfo)
    return max(0.0, (came - until).total_seconds())


def _spell(seconds: float) -> str:
    """How long, as people say it: 3 days 4 hours, 5 minutes."""
    days, rest = divmod(int(seconds), 86400)
    hours, minutes = rest // 3600, max(1, rest // 60 % 60)
    parts = [(days, "day"), (hours, "hour")] if days or hours else [(minutes, "minute")]
    return " ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in parts if n)


def _counting(attempts: list[Booked], gradebook: Gradebook) -> Booked:
    """The attempt that counts: of those in time if there are any, by the gradebook's rule."""
    in_order = sorted(attempts, key=lambda row: (row.of.at, _number(row.of.file), row.of.file))
    if gradebook.attempts == "best":
        counts = max(in_order, key=lambda row: row.score)
    else:
        in_time = [row for row in in_order if not row.part_off] or in_order
        counts = in_time[-1 if gradebook.attempts == "latest" else 0]
    if len(attempts) == 1:
        return counts
    return replace(counts, flags=(*counts.flags, Flag("attempts", str(len(attempts)))))


def _number(file: str) -> int:
    """Which copy a file says it is: 2 of `answers (2).json` and `answers-2.json`, else 0."""
    stem = file.rpartition(".")[0].rstrip(")")
    digits = stem[len(stem.rstrip("0123456789")) :]
    before = stem[: len(stem) - len(digits)][-1:]
    return int(digits[:9]) if digits and before in ("(", "-") else 0


def _no_strangers(gradebook: Gradebook, rows: list[Booked]) -> None:
    graded = {(row.of.assignment, row.of.id) for row in rows}
    for each in gradebook.overrides:
        if (each.assignment, clean_id(each.student)) not in graded and rows:
            raise InvalidEntry(
                "the gradebook", f"overrides of {each.student}", "this student handed in nothing"
            )


# ---- what only the whole class shows -------------------------------------------------------------


def _alike(rows: list[Booked]) -> list[Booked]:
    """Flag whoever shares wrong values on different numbers, or a journal: hints, no proofs."""
    values: dict[tuple[str, ...], list[int]] = defaultdict(list)
    journals: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.of.predictions.digest:
            journals[row.of.assignment, row.of.predictions.digest].append(index)
        for mark in row.of.marks:
            if mark.credit < 1 and sum(c.isdigit() for c in mark.given) > 2:
                values[row.of.assignment, mark.question, mark.given].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for same in values.values():
        if 1 < len(same) <= _CROWD:
            shared.update(p for p in combinations(same, 2) if _differ(rows, p))
    pairs = {pair for pair, times in shared.items() if times >= _SHARED}
    twins = {p for same in journals.values() if len(same) <= _CROWD for p in combinations(same, 2)}
    found = list(rows)
    for kind, those in (("same-wrong-values", pairs), ("same-journal", twins)):
        others: dict[int, set[int]] = defaultdict(set)
        for one, other in those:
            others[one].add(other)
            others[other].add(one)
        for index, them in others.items():
            detail = ", ".join(rows[other].of.student for other in sorted(them))
            flags = (*found[index].flags, Flag(kind, detail))
            found[index] = replace(found[index], flags=flags)
    return found


def _differ(rows: list[Booked], pair: tuple[int, int]) -> bool:
    return rows[pair[0]].of.drawn != rows[pair[1]].of.drawn


def anonymous(held: Book, secret: bytes) -> tuple[Book, dict[str, str]]:
    """A book without names, and whose each is: the same alias for a student in every run."""

    def alias(who: str) -> str:
        return f"student {hmac.new(secret, clean_id(who).encode(), 'sha256').hexdigest()[:6]}"

    named = {row.of.student: alias(row.of.id) for row in held.rows}
    named |= {each.id: alias(each.id) for those in held.missing.values() for each in those}
    rest = [replace(each, file=f"hand-in {n}") for n, each in enumerate(held.outcomes, start=1)]
    named |= {each.file: no.file for each, no in zip(held.outcomes, rest, strict=True)}
    hints, ids = ("same-wrong-values", "same-journal"), ("id-differs", "not-on-roster")

    def without(row: Booked) -> Booked:
        nobody = Enrolled(named[row.of.student])
        flags = tuple(
            replace(f, detail=", ".join(named.get(n, n) for n in f.detail.split(", ")))
            if f.kind in hints
            else replace(f, detail="another id" if f.kind in ids else f.detail)
            for f in row.flags
        )
        of = replace(row.of, student=nobody.id, id=nobody.id, file=nobody.id)
        return replace(row, of=of, enrolled=nobody, flags=flags)

    missing = {
        name: tuple(Enrolled(named[each.id]) for each in those)
        for name, those in held.missing.items()
    }
    rows = tuple(map(without, held.rows))
    return replace(held, rows=rows, missing=missing, outcomes=tuple(rest)), named
