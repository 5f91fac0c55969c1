"""The learner's journal: predictions in the order in which they were made, never changed after.

One JSON line a record, appended and flushed to disk at once, so that nothing is lost when a page is
reloaded or a laptop dies. Each carries the hash of the line before it, which shows the order; it is
no proof against somebody who writes the whole file anew. Who grades a journal reads it here too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.core.values import Value
from mlsysim.course.lines import Lines, write_whole

FIRST = "0" * 64
UNREADABLE = "(an answer that cannot be read)"
AGAIN = "/2"  # what a question's id ends with where a class answers it for a second time
_revealed: dict[Path, dict[str, float | str]] = {}  # for a disk that takes no more


class Record(Value):
    """One prediction: what was asked, what was said, and how sure the learner was."""

    question: str
    value: int | float | str  # an int stays one: the hash is of the line as it was written
    unit: str | None = None
    confidence: int | float | None = None
    order: int = 0
    time: str = ""
    previous: str = FIRST

    def check(self) -> None:
        """Something was predicted, and it is a number where it looks like one."""
        if self.value == "":
            raise self.wrong("value", "it is empty; give what was predicted")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise self.wrong("value", "give a finite number")

    @classmethod
    def read(cls, data: Any) -> Record:
        """The record that data hold, keys of a later version left aside; raises InvalidEntry."""
        held = data if isinstance(data, dict) else {"value": data}
        return cls(**{key: held[key] for key in FIELDS if key in held})

    @property
    def line(self) -> str:
        """The record as the journal writes it."""
        return line_of(self.model_dump())

    @property
    def hash(self) -> str:
        """What the next record carries of this one."""
        return hash_of(self.line)

    @property
    def readable(self) -> bool:
        """False for an answer that was given but cannot be read any more."""
        return self.value != UNREADABLE

    @property
    def text(self) -> str:
        """The prediction as the learner would say it."""
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:g} {self.unit or ''}".strip()


FIELDS = tuple(Record.model_fields)
_LINES = json.JSONEncoder(ensure_ascii=False)


def line_of(data: Any) -> str:
    """A record's data as a line."""
    return _LINES.encode(data)


def hash_of(line: str) -> str:
    """The hash of a record's line; half a character in it, which JSON can hold, does no harm."""
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def unbroken(records: Iterable[Any]) -> tuple[list[Record], str]:
    """The records of plain data up to the first fault in the chain, and that fault in words."""
    sound: list[Record] = []
    previous = FIRST
    for number, data in enumerate(records, start=1):
        record = _following(data, sound[-1].order if sound else 0, previous)
        if isinstance(record, str):
            return sound, f"record {number} {record}; predictions from there on do not count"
        sound.append(record)
        previous = hash_of(line_of(data))
    return sound, ""


def _following(data: Any, order: int, previous: str) -> Record | str:
    """The record that stands after another one in a chain, or why it cannot."""
    if not isinstance(data, dict) or not set(FIELDS) <= set(data):
        return f"does not have the fields {', '.join(FIELDS)}"
    try:
        record = Record.read(data)
    except InvalidEntry:
        return "holds no prediction"
    if record.order <= order:
        return "is out of order"
    if record.previous != previous:
        return "does not follow from the one before it"
    return record


class Seat(Protocol):
    """A learner's place in a class, whose speaker opens the answers for everybody at once."""

    @property
    def folder(self) -> Path:
        """Where the learner's own files lie."""
        ...

    def released(self, question: str) -> bool:
        """Whether the answer to a question may be shown."""
        ...

    def skips(self, question: str) -> bool:
        """Whether the class passes a question over."""
        ...

    def asks_again(self, question: str) -> bool:
        """Whether a question that was answered is asked for a second time now."""
        ...

    def took(self, record: Record) -> None:
        """Hear what was written into the learner's journal."""
        ...


def _alone() -> Seat | None:
    return None


_seat: Callable[[], Seat | None] = _alone


def seated(find: Callable[[], Seat | None] = _alone) -> None:
    """Have `find` say at whose seat one is: in a class one program serves many learners."""
    global _seat  # noqa: PLW0603 - a program serves one class, or none
    _seat = find


def here() -> Seat | None:
    """The seat in a class at which this runs; None outside a class."""
    return _seat()


def home() -> Path:
    """The folder of the learner's own files: $MLSYSIM_HOME, or `.mlsysim` in the home folder.

    $MLSYSIM_LEARNER names one of several people at one machine, who then has a folder in it; in a
    class it is the folder of the seat.
    """
    if seat := here():
        return seat.folder
    folder = Path(os.environ.get("MLSYSIM_HOME") or Path.home() / ".mlsysim")
    learner = os.environ.get("MLSYSIM_LEARNER")
    return folder / "learners" / learner_name(learner) if learner else folder


def learner_name(name: str) -> str:
    """A learner's name as a folder has it; raises BadArgument for one that no folder can have."""
    folded = name.strip().casefold()
    if not re.fullmatch(r"\w[\w .-]{0,39}", folded) or folded.endswith("."):
        remedy = "give up to 40 letters, digits, spaces, points, - and _, as in 'ada'"
        raise BadArgument("learner", name, remedy)
    return folded


class Journal:
    """An append-only file of commitments; the first one to a question is the one that counts.

    Nothing is lost: lines that cannot be read are kept in the file, `damaged` counts them, and a
    question whose answer is among them counts as answered; what cannot be written is kept in
    memory. `notice` says either in a sentence.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.seat = None if path else here()
        named = None if self.seat else os.environ.get("MLSYSIM_JOURNAL")
        self.path = Path(path or named or home() / "journal.jsonl")
        self.lines = Lines(self.path)
        self.damaged = 0
        self._rows: dict[str, Record] = {}
        self._data: dict[str, dict[str, Any]] = {}
        self._unreadable: dict[str, Record] = {}
        self._last = FIRST
        self._read()

    def get(self, question: str) -> Record | None:
        """The commitment to a question, or None; `readable` tells one that was damaged."""
        return self._rows.get(question) or self._unreadable.get(question)

    def released(self, question: str) -> bool:
        """Whether the answer to a question may be shown: always, outside a class."""
        return self.seat is None or self.seat.released(question)

    def skips(self, question: str) -> bool:
        """Whether a class passes a question over, and goes on without its answer."""
        return self.seat is not None and self.seat.skips(question)

    def asks_again(self, question: str) -> bool:
        """Whether a class asks for a second answer now, which is kept beside the first."""
        open_ = self.seat is not None and self.seat.asks_again(question)
        return open_ and question in self and question + AGAIN not in self

    def look(self) -> None:
        """Read the file again: another page may have written into it."""
        with self.lines.lock:
            self._read()

    def commit(
        self,
        question: str,
        value: float | str,
        unit: str | None = None,
        confidence: float | None = None,
    ) -> Record:
        """Write a prediction down; if there is one already, that one stays and is returned.

        On a disk that is full or read-only it is kept in memory, and `notice` says so.
        """
        with self.lines.lock:
            self._read()  # another tab may have written meanwhile
            if done := self.get(question):
                return done
            row = Record(
                question=question,
                value=value,
                unit=unit,
                confidence=confidence,
                order=max((row.order for row in self._rows.values()), default=0) + 1,
                time=dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                previous=self._last,
            )
            self.lines.append(row.line)
            self._take(row, row.model_dump(), row.line)
        if self.seat:
            self.seat.took(row)
        return row

    @property
    def notice(self) -> str:
        """What a page has to say about the file; '' when all of it was read and written."""
        said = []
        if self.damaged:
            lines = "A line" if self.damaged == 1 else f"{self.damaged} lines"
            said.append(
                f"{lines} of {self.path.name} cannot be read. Nothing was removed: the file keeps "
                "every line, and a question whose answer cannot be read counts as answered."
            )
        if self.lines.fault:
            count = self.lines.waiting
            kept = f"your last {count} answers are" if count > 1 else "your last answer is"
            held = f"cannot be written ({self.lines.fault}): {kept} kept in memory until the server"
            held += " ends. Make room and commit the next one, or download your journal now."
            cannot = held if count else f"cannot be read ({self.lines.fault})."
            said.append(f"{self.path} {cannot}")
        return " ".join(said)

    def rows(self) -> list[Record]:
        """Every commitment that can be read, in order."""
        return list(self._rows.values())

    def records(self) -> list[dict[str, Any]]:
        """Every commitment that can be read, as plain data, in order."""
        return [dict(data) for data in self._data.values()]

    def to_bytes(self) -> bytes:
        """The whole journal, to be taken home."""
        return self.lines.to_bytes()

    def put_away(self) -> Path | None:
        """Start anew: the file, and those beside it, get another name, the first is returned.

        None when there is none; raises OSError when one cannot be renamed.
        """
        with self.lines.lock:
            self.lines.flush()
            today, number, away = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"), 1, None
            if self.path.exists():
                while (away := self.path.with_stem(f"{self.path.stem}-{today}-{number}")).exists():
                    number += 1
                self.path.rename(away)
                for other in self.path.parent.glob(f"{self.path.stem}.*.jsonl"):
                    other.rename(other.with_name(other.name.replace(self.path.stem, away.stem, 1)))
            self.lines.forget()
            _revealed.pop(self._truths_path(), None)
            self._truths_path().unlink(missing_ok=True)
            self._read()
            return away

    def __iter__(self) -> Iterator[Record]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, question: object) -> bool:
        return question in self._rows or question in self._unreadable

    # ---- what the solvers said, for "your intuition so far" -----------------------------------

    def reveal(self, question: str, truth: float | str) -> None:
        """Remember what the solver said, beside the journal and never inside it; never fails."""
        path, known = self._truths_path(), self.truths()
        if known.get(question) != truth:
            _revealed[path] = {**known, question: truth}
            with contextlib.suppress(OSError):  # it is a cache: the next reveal fills it again
                write_whole(path, json.dumps(_revealed[path], indent=1))

    def truths(self) -> dict[str, float | str]:
        """What the solvers said to the questions revealed so far."""
        path = self._truths_path()
        try:
            held = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            held = {}
        read = {**_revealed.get(path, {}), **(held if isinstance(held, dict) else {})}
        return {
            question: truth
            for question, truth in read.items()
            if isinstance(truth, str)
            or (isinstance(truth, (int, float)) and not isinstance(truth, bool))
        }

    def _truths_path(self) -> Path:
        return self.path.with_suffix(".revealed.json").absolute()

    # ---- the file -----------------------------------------------------------------------------

    def _read(self) -> None:
        self._rows, self._data, self._unreadable = {}, {}, {}
        self._last, self.damaged = FIRST, 0
        for line in self.lines.read():
            data = None
            try:
                data = json.loads(line)
                row = Record.read(data)
            except (ValueError, RecursionError):
                self.damaged += 1
                asked = data.get("question") if isinstance(data, dict) else None
                if isinstance(asked, str):
                    self._unreadable[asked] = Record(question=asked, value=UNREADABLE)
                continue
            self._take(row, {**data, **row.model_dump()}, line)

    def _take(self, row: Record, data: dict[str, Any], line: str) -> None:
        if row.question in self._rows:
            return  # two programs wrote at the same moment; the first stands, the chain follows it
        self._rows[row.question], self._data[row.question] = row, data
        self._last = hash_of(line)


FARTHEST = 1e6  # a factor beyond which nobody is further off: one answer must not outweigh a class


def off_by(guess: float, truth: float) -> float:
    """The factor between guess and truth, at least 1; infinite when signs differ or one is zero."""
    if guess <= 0 or truth <= 0:
        return 1.0 if guess == truth else math.inf
    return max(guess / truth, truth / guess)


def typical_factor(factors: list[float]) -> float:
    """The geometric mean of several factors: being off by 2 and by 8 is being off by 4."""
    finite = [min(factor, FARTHEST) for factor in factors if math.isfinite(factor)]
    return (
        math.exp(sum(math.log(factor) for factor in finite) / len(finite)) if finite else math.nan
    )


def times(factor: float) -> str:
    """A factor as people say it: 1.6, 2.4, 18, 150."""
    return f"{factor:.2g}" if factor < 10 else f"{float(f'{factor:.2g}'):,.0f}"
