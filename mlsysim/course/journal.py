"""The learner's journal: predictions in the order in which they were made, never changed after.

One JSON line a record, appended and flushed to disk at once, so that nothing is lost when a page is
reloaded or a laptop dies. Each carries the hash of the line before it, which shows the order; it is
no proof against somebody who writes the whole file anew. Who grades a journal reads it here too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mlsysim.core.errors import InvalidEntry
from mlsysim.core.values import Value

FIRST = "0" * 64
_lock = threading.Lock()


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
        """Something was predicted."""
        if self.value == "":
            raise self.wrong("value", "it is empty; give what was predicted")

    @property
    def line(self) -> str:
        """The record as the journal writes it."""
        return json.dumps(self.model_dump(), ensure_ascii=False)

    @property
    def hash(self) -> str:
        """What the next record carries of this one."""
        return hash_of(self.line)

    @property
    def text(self) -> str:
        """The prediction as the learner would say it."""
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:g} {self.unit or ''}".strip()


FIELDS = tuple(Record.model_fields)


def hash_of(line: str) -> str:
    """The hash of a record's line; half a character in it, which JSON can hold, does no harm."""
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def unbroken(records: Iterable[Any]) -> tuple[list[Record], str]:
    """The records of plain data up to the first fault in the chain, and that fault in words."""
    sound: list[Record] = []
    for number, data in enumerate(records, start=1):
        record = _following(data, sound[-1] if sound else None)
        if isinstance(record, str):
            return sound, f"record {number} {record}; predictions from there on do not count"
        sound.append(record)
    return sound, ""


def _following(data: Any, before: Record | None) -> Record | str:
    """The record that stands after another one in a chain, or why it cannot."""
    if not isinstance(data, dict) or set(data) != set(FIELDS):
        return f"does not have the fields {', '.join(FIELDS)}"
    try:
        record = Record(**data)
    except InvalidEntry:
        return "holds no prediction"
    if record.order <= (before.order if before else 0):
        return "is out of order"
    if record.previous != (before.hash if before else FIRST):
        return "does not follow from the one before it"
    return record


def home() -> Path:
    """The folder of the learner's own files: $MLSYSIM_HOME, or `.mlsysim` in the home folder."""
    return Path(os.environ.get("MLSYSIM_HOME") or Path.home() / ".mlsysim")


class Journal:
    """An append-only file of commitments; the first one to a question is the one that counts.

    Lines that cannot be read are kept in the file and left out here: `damaged` counts them.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = (
            Path(path)
            if path
            else Path(os.environ.get("MLSYSIM_JOURNAL") or home() / "journal.jsonl")
        )
        self.damaged = 0
        self._rows: dict[str, Record] = {}
        self._last = FIRST
        self._read()

    def get(self, question: str) -> Record | None:
        """The commitment to a question, or None."""
        return self._rows.get(question)

    def commit(
        self,
        question: str,
        value: float | str,
        unit: str | None = None,
        confidence: float | None = None,
    ) -> Record:
        """Write a prediction down; if there is one already, that one stays and is returned."""
        with _lock:
            self._read()  # another tab may have written meanwhile
            if question in self._rows:
                return self._rows[question]
            now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            row = Record(
                question=question,
                value=value,
                unit=unit,
                confidence=confidence,
                order=len(self._rows) + 1,
                time=now,
                previous=self._last,
            )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                if file.tell() and not self._ends_with_newline():
                    file.write(b"\n")  # a crash left half a line; keep it, and start afresh
                file.write(row.line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._take(row, row.line)
            return row

    def rows(self) -> list[Record]:
        """Every commitment, in order."""
        return list(self._rows.values())

    def records(self) -> list[dict[str, Any]]:
        """Every commitment as plain data, in order."""
        return [row.model_dump() for row in self._rows.values()]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, question: object) -> bool:
        return question in self._rows

    # ---- what the solvers said, for "your intuition so far" -----------------------------------

    def reveal(self, question: str, truth: float | str) -> None:
        """Remember what the solver said, beside the journal and never inside it."""
        known = self.truths()
        if known.get(question) != truth:
            path = self._truths_path()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({**known, question: truth}, indent=1), encoding="utf-8")

    def truths(self) -> dict[str, float | str]:
        """What the solvers said to the questions revealed so far."""
        try:
            return json.loads(self._truths_path().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _truths_path(self) -> Path:
        return self.path.with_suffix(".revealed.json")

    # ---- the file -----------------------------------------------------------------------------

    def _read(self) -> None:
        self._rows, self._last, self.damaged = {}, FIRST, 0
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.strip():
                continue
            try:
                row = Record(**json.loads(line))
            except (ValueError, TypeError):
                self.damaged += 1
                continue
            self._take(row, line)

    def _take(self, row: Record, line: str) -> None:
        if row.question in self._rows:
            return  # two programs wrote at the same moment; the first stands, the chain follows it
        self._rows[row.question] = row
        self._last = hash_of(line)

    def _ends_with_newline(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def off_by(guess: float, truth: float) -> float:
    """The factor between guess and truth, at least 1; infinite when signs differ or one is zero."""
    if guess <= 0 or truth <= 0:
        return 1.0 if guess == truth else math.inf
    return max(guess / truth, truth / guess)


def typical_factor(factors: list[float]) -> float:
    """The geometric mean of several factors: being off by 2 and by 8 is being off by 4."""
    finite = [factor for factor in factors if math.isfinite(factor)]
    return (
        math.exp(sum(math.log(factor) for factor in finite) / len(finite)) if finite else math.nan
    )


def times(factor: float) -> str:
    """A factor as people say it: 1.6, 2.4, 18, 150."""
    return f"{factor:.2g}" if factor < 10 else f"{float(f'{factor:.2g}'):,.0f}"
