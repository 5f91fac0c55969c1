"""What a room knows: its seats, their votes, and what the speaker did.

Files that only grow are the truth: a journal a learner, `seats.jsonl`, `acts.jsonl`. SQLite beside
them counts quickly and tells several servers of one room of each other; it is filled again from
the files at every start, so that a server that is killed, or an index that is lost, loses nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.core.values import Value
from mlsysim.course.journal import AGAIN, Journal, Record, home, learner_name
from mlsysim.course.lessons import Lesson, lessons
from mlsysim.course.lines import Lines
from mlsysim.course.paths import CoursePath, plan

MOST_SEATS = 120
SPEAKER = "speaker"  # the seat of whoever presents: it follows the room, and has no vote
_SCHEMA = """
create table if not exists seats (id text primary key, name text, time real);
create table if not exists votes (
    seat text, question text, value, unit text, confidence real, primary key (seat, question));
"""
Do = Literal["start", "ask", "votes", "discuss", "again", "reveal", "hands"]


class Sat(Value):
    """Somebody sat down."""

    id: str
    name: str
    time: float


class Act(Value):
    """Something that the speaker did about a question.

    `seconds` are how long to discuss; `counts` are hands that were raised for each answer of the
    first or second `round`.
    """

    id: str
    do: Do
    question: str
    time: float
    seconds: int = 0
    round: int = 1
    counts: dict[str, int] = {}


class Vote(NamedTuple):
    """One learner's answer to a question, in one of its rounds."""

    seat: str
    value: float | str
    confidence: float | None


@dataclass
class Standing:
    """Where a room is, after all that its speaker did."""

    question: str
    phase: Do = "ask"
    shown: bool = False  # whether the votes are
    until: float = 0.0  # when the discussion ends
    started: float = 0.0
    released: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    hands: dict[str, dict[int, dict[str, int]]] = field(default_factory=dict)

    def after(self, act: Act) -> None:
        """Take what the speaker did into account."""
        self.started = self.started or act.time
        if act.do == "start":
            self.started = act.time
        elif act.do == "hands":
            self.hands.setdefault(act.question, {})[act.round] = act.counts
        else:
            if act.question != self.question:
                self.question, self.shown = act.question, False
            self.phase = act.do
            self.until = act.time + act.seconds if act.do == "discuss" else 0.0
            self.shown = act.do in ("votes", "reveal") or (self.shown and act.do == "discuss")
            if act.do == "again" and act.question not in self.again:
                self.again.append(act.question)
            if act.do == "reveal" and act.question not in self.released:
                self.released.append(act.question)


class Room:
    """A class: who sits in it, what they said, where the speaker is; all of it in one folder.

    On a path the room asks the path's questions in their order, without those that it skips.
    """

    def __init__(self, folder: Path, path: CoursePath | None = None) -> None:
        self.folder, self.path, self.name = folder, path, folder.name
        folder.mkdir(parents=True, exist_ok=True)
        self._seats, self._acts = Lines(folder / "seats.jsonl"), Lines(folder / "acts.jsonl")
        self._lock = threading.RLock()
        self._names: dict[str, str] = {}
        self._index = sqlite3.connect(
            folder / "index.sqlite", timeout=20, isolation_level=None, check_same_thread=False
        )
        self._index.executescript(f"pragma journal_mode=wal; pragma synchronous=normal; {_SCHEMA}")
        self._standing: tuple[object, Standing] = (None, Standing(""))
        self._fill()

    # ---- what it asks ---------------------------------------------------------------------------

    @cached_property
    def lessons(self) -> list[Lesson]:
        """The lessons that the room goes through."""
        found = [plan()[number] for number in self.path.lessons] if self.path else lessons()
        return [each for each in found if isinstance(each, Lesson)]

    @cached_property
    def agenda(self) -> list[str]:
        """The questions that the room asks, in order."""
        return [q for each in self.lessons for q in each.questions if not self.skips(q)]

    @cached_property
    def _skipped(self) -> frozenset[str]:
        stations = self.path.stations if self.path else ()
        return frozenset(f"{each.lesson or 0:02}.{n}" for each in stations for n in each.skip)

    def skips(self, question: str) -> bool:
        """Whether the room passes a question over."""
        return question in self._skipped

    def lesson_of(self, question: str) -> Lesson | None:
        """The lesson that asks a question; None for none of the room's."""
        return next((each for each in self.lessons if question in each.predictions), None)

    def next(self, question: str) -> str:
        """The question after one; '' after the last."""
        later = self.agenda[self.agenda.index(question) + 1 :] if question in self.agenda else []
        return later[0] if later else ""

    # ---- who sits in it -------------------------------------------------------------------------

    def sit(self, name: str) -> Seat:
        """Give somebody a seat; raises MLSysError when all are taken."""
        with self._writing():
            ((count,),) = self._all("select count(*) from seats")
            if count >= MOST_SEATS:
                raise MLSysError(f"All {MOST_SEATS} seats are taken; ask the speaker.")
            sat = Sat(id=secrets.token_hex(8), name=name, time=time.time())
            self._seats.append(json.dumps(sat.model_dump(), ensure_ascii=False))
            self._hold_seat(sat)
        return Seat(self, sat.id, name)

    def seat(self, id: str) -> Seat | None:
        """The seat with an id, or None."""
        if id == SPEAKER:
            return Seat(self, SPEAKER, "the speaker")
        if id not in self._names:  # a seat stays, and every request asks for one
            self._names.update(self._all("select id, name from seats where id = ?", id))
        return Seat(self, id, self._names[id]) if id in self._names else None

    def seats(self) -> list[Seat]:
        """Every seat that is taken, in the order in which they were."""
        return [Seat(self, *row) for row in self._all("select id, name from seats order by time")]

    # ---- what was said and done -----------------------------------------------------------------

    def took(self, seat: str, record: Record) -> None:
        """Count a record of a learner's journal as a vote, unless the answer was open already."""
        question = record.question.removesuffix(AGAIN)
        if seat != SPEAKER and question in self.agenda and question not in self.standing.released:
            self._hold_vote(seat, record)

    def votes(self, question: str, *, again: bool = False) -> list[Vote]:
        """What was said to a question, or said when it was asked again."""
        rows = self._all(
            "select seat, value, confidence from votes where question = ? order by rowid",
            question + AGAIN * again,
        )
        return [Vote(*row) for row in rows]

    def count(self, question: str, *, again: bool = False) -> int:
        """How many have answered a question."""
        sought = "select count(*) from votes where question = ?"
        return self._all(sought, question + AGAIN * again)[0][0]

    def act(self, do: Do, question: str, **more: object) -> Act:
        """Write down what the speaker did; raises InvalidEntry for what makes no sense."""
        with self._writing():
            act = Act.build(
                {"id": secrets.token_hex(8), "do": do, "question": question, "time": time.time()}
                | more
            )
            self._acts.append(json.dumps(act.model_dump()))
        return act

    @property
    def standing(self) -> Standing:
        """Where the room is, after what the speaker did on this server or on another one of it."""
        size = self._acts.size  # every page asks, often: no lock, and no look into the file
        if self._standing[0] != size:
            held = Standing(self.agenda[0] if self.agenda else "")
            for act in self._acts.values(Act):
                held.after(act)
            self._standing = (size, held)
        return self._standing[1]

    # ---- the index ------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Write into the index what the files hold and it lacks."""
        with self._writing():
            for sat in self._seats.values(Sat):
                self._hold_seat(sat)
            opened = {
                act.question: act.time for act in self._acts.values(Act) if act.do == "reveal"
            }
            for seat in self.seats():
                for record in Journal(seat.journal):
                    at = opened.get(record.question.removesuffix(AGAIN))
                    if at is None or _written(record) <= at:
                        self._hold_vote(seat.id, record)

    def _hold_seat(self, sat: Sat) -> None:
        self._all("insert or ignore into seats values (?, ?, ?)", sat.id, sat.name, sat.time)

    def _hold_vote(self, seat: str, record: Record) -> None:
        self._all(
            "insert or ignore into votes values (?, ?, ?, ?, ?)",
            *(seat, record.question, record.value, record.unit, record.confidence),
        )

    def _all(self, sql: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._index.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone among all servers of the room, until it is done."""
        with self._lock:
            self._index.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._index.execute("rollback")
                raise
            self._index.execute("commit")


class Seat(NamedTuple):
    """A learner's place in a room."""

    room: Room
    id: str
    name: str

    @property
    def folder(self) -> Path:
        """Where the learner's own files lie."""
        return self.room.folder / "learners" / self.id

    @property
    def journal(self) -> Path:
        """The file of the learner's commitments."""
        return self.folder / "journal.jsonl"

    def released(self, question: str) -> bool:
        """Whether the answer may be shown: nothing waits that the room does not ask."""
        return question not in self.room.agenda or question in self.room.standing.released

    def skips(self, question: str) -> bool:
        """Whether the room passes a question over."""
        return self.room.skips(question)

    def asks_again(self, question: str) -> bool:
        """Whether a second answer is taken: from the revote until the answer is opened."""
        now = self.room.standing
        return question in now.again and question not in now.released

    def took(self, record: Record) -> None:
        """Count what was written into the learner's journal."""
        self.room.took(self.id, record)


def _written(record: Record) -> float:
    """When a record was written; 0 where that cannot be read."""
    try:
        return dt.datetime.fromisoformat(record.time).timestamp()
    except ValueError:
        return 0.0


def folder_of(name: str) -> Path:
    """Where the room called `name` keeps its files; raises BadArgument for no such name."""
    try:
        return home() / "rooms" / learner_name(name)
    except BadArgument as error:
        raise BadArgument("class", name, error.remedy) from None
