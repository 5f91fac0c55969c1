"""The learner's journal: predictions in the order in which they were made, never changed after.

One JSON line a commitment, appended and flushed to disk at once, so that nothing is lost when a
page is reloaded or a laptop dies. Each line carries the hash of the line before it, which shows
the order; it is not proof against somebody who rewrites the whole file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FIRST = "0" * 64
_lock = threading.Lock()


@dataclass(frozen=True)
class Commitment:
    """One prediction: what was asked, what was said, and how sure the learner was."""

    question: str
    value: float | str
    unit: str | None = None
    confidence: float | None = None
    order: int = 0
    time: str = ""
    previous: str = FIRST

    @property
    def text(self) -> str:
        """The prediction as the learner would say it."""
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:g} {self.unit or ''}".strip()


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
        self._rows: dict[str, Commitment] = {}
        self._last = FIRST
        self._read()

    def get(self, question: str) -> Commitment | None:
        """The commitment to a question, or None."""
        return self._rows.get(question)

    def commit(
        self,
        question: str,
        value: float | str,
        unit: str | None = None,
        confidence: float | None = None,
    ) -> Commitment:
        """Write a prediction down; if there is one already, that one stays and is returned."""
        with _lock:
            self._read()  # another tab may have written meanwhile
            if question in self._rows:
                return self._rows[question]
            now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            row = Commitment(
                question, value, unit, confidence, len(self._rows) + 1, now, self._last
            )
            line = json.dumps(asdict(row), ensure_ascii=False)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                if file.tell() and not self._ends_with_newline():
                    file.write(b"\n")  # a crash left half a line; keep it, and start afresh
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._take(row, line)
            return row

    def rows(self) -> list[Commitment]:
        """Every commitment, in order."""
        return list(self._rows.values())

    def records(self) -> list[dict[str, Any]]:
        """Every commitment as plain data, in order."""
        return [asdict(row) for row in self._rows.values()]

    def __iter__(self) -> Iterator[Commitment]:
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
                row = Commitment(**json.loads(line))
            except (ValueError, TypeError):
                self.damaged += 1
                continue
            self._take(row, line)

    def _take(self, row: Commitment, line: str) -> None:
        if row.question in self._rows:
            return  # two programs wrote at the same moment; the first stands, the chain follows it
        self._rows[row.question] = row
        self._last = hashlib.sha256(line.encode()).hexdigest()

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
