"""The second stage: each hand-in judged by itself; a bad one costs its own line and nothing else.

Files are judged in processes apart, each ended when one file takes longer than the limit. What is
judged is written down at once (`Ledger`), so that a run that was killed goes on where it stood.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import json
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import mlsysim
from grading import sandbox
from grading.check import load
from grading.code import Function
from grading.collect import Handed, printable
from grading.flags import Flag
from grading.journal import Predictions, judge_journal
from grading.kinds import Mark
from grading.roster import Roster
from mlsysim import Engine  # noqa: F401 - read once, before a judge has a process of its own
from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import registry_hash
from mlsysim.course.reading import NoSheetError, UnreadableError, parse, read_bytes, sheet_of
from mlsysim.course.sheet import Sheet
from mlsysim.course.variants import PUBLIC_SECRET, clean_id, code_for

LIMIT = 30.0  # seconds of wall time that one file may take; code has less, by itself
_BATCH = 16


@dataclass(frozen=True)
class Graded:
    """One answer sheet with its marks; `id` is its owner's, whatever the file says.

    `flags` are remarks, which cost no points; `drawn` are the numbers of the owner, `at` is when
    it came (ISO, or '').
    """

    file: str
    student: str
    id: str
    assignment: str
    marks: tuple[Mark, ...]
    predictions: Predictions
    flags: tuple[Flag, ...]
    drawn: Mapping[str, object] = field(default_factory=dict)
    at: str = ""

    @property
    def score(self) -> float:
        """Points earned, predictions included."""
        return round(sum(m.points for m in self.marks) + self.predictions.points, 3)

    @property
    def out_of(self) -> float:
        """Points that there are."""
        return round(sum(m.out_of for m in self.marks) + self.predictions.out_of, 3)


@dataclass(frozen=True)
class Refused:
    """A hand-in that could not be graded, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """What lies among the hand-ins and is no answer sheet, and why it was not opened or read."""

    file: str
    reason: str


Outcome = Graded | Refused | Skipped


@dataclass(frozen=True)
class Judge:
    """What a hand-in is judged with: the secret that draws numbers, and the class list."""

    secret: bytes = PUBLIC_SECRET
    roster: Roster | None = None

    def data(self, handed: Handed, data: bytes) -> Outcome:
        """Judge the bytes of one file; whatever is wrong with them, an answer comes back."""
        name = handed.file
        try:
            return self.sheet(sheet_of(parse(data)), handed)
        except NoSheetError as error:
            return Skipped(name, printable(str(error)))
        except UnreadableError as error:
            return Refused(name, printable(str(error)))
        except MLSysError as error:
            return Refused(name, printable(f"it could not be graded: {error}"))
        except Exception as error:  # the class must not wait for one sheet
            said = f"it could not be graded ({type(error).__name__}); please report this"
            return Refused(name, printable(said))

    def file(self, path: Path) -> Outcome:
        """Judge one file, here and now."""
        handed = Handed(printable(path.name), path)
        try:
            return self.data(handed, read_bytes(path))
        except UnreadableError as error:
            return Refused(handed.file, printable(str(error)))

    def sheet(self, sheet: Sheet, handed: Handed | None = None) -> Graded:
        """Judge one sheet by the numbers that its owner's id draws; raises UnknownName."""
        handed = handed or Handed("", Path())
        checks = load(sheet.assignment)
        owner, drawn_for, flags = self._owner(sheet.student, handed.who)
        v = checks.assignment.draw(code_for(drawn_for, sheet.assignment, self.secret))
        flags += _flags(sheet, v.fields, checks.questions, checks.assignment.version)
        predictions = judge_journal(checks, sheet.journal)
        if predictions.fault:
            flags.append(Flag("broken-journal", predictions.fault))
        if handed.late:
            flags.append(Flag("late-unknown"))
        marks = tuple(checks.judge(v, sheet.answers))
        coded = (name for name, q in checks.questions.items() if isinstance(q, Function))
        if (walls := sandbox.weaker()) and not sheet.answers.keys().isdisjoint(coded):
            flags.append(Flag("weak-walls", walls))
        return Graded(
            file=handed.file,
            student=owner,
            id=clean_id(owner),
            assignment=sheet.assignment,
            marks=marks,
            predictions=predictions,
            flags=tuple(flags),
            drawn=v.fields,
            at=handed.at,
        )

    def _owner(self, typed: str, who: tuple[str, ...]) -> tuple[str, str, list[Flag]]:
        """Whose a file is, which id drew its numbers, and what is odd about it.

        The platform's word counts before the file's. Without a course secret an address that was
        typed for the id draws numbers of its own, which are taken.
        """
        shown = printable(typed)
        if self.roster is None:
            return shown, typed, []
        named, handed = self.roster.find(typed), self.roster.find(*who)
        owner = handed or named
        if owner is None:
            return shown, typed, [Flag("not-on-roster", shown)]
        if owner is not named:
            return owner.id, owner.id, [Flag("id-differs", shown)]
        return owner.id, typed if self.secret == PUBLIC_SECRET else owner.id, []


def _flags(
    sheet: Sheet, drawn: dict[str, object], questions: Iterable[str], version: int
) -> list[Flag]:
    flags = []
    if sheet.assignment_version != version:
        flags.append(Flag("old-version", str(sheet.assignment_version)))
    elif sheet.variant != drawn:
        flags.append(Flag("other-numbers"))
    if sheet.mlsysim != mlsysim.__version__:
        flags.append(Flag("other-mlsysim", printable(sheet.mlsysim[:20])))
    if sheet.registry != registry():
        flags.append(Flag("other-registry"))
    if unknown := len(sheet.answers.keys() - set(questions)):
        belong = f"answer{'s' * (unknown != 1)} belong{'s' * (unknown == 1)}"
        flags.append(Flag("unknown-answers", f"{unknown} {belong}"))
    if sheet.ignored:
        flags.append(Flag("unused-keys", ", ".join(map(printable, sheet.ignored))))
    return flags


registry = cache(registry_hash)  # once a run: it opens every file


# ---- many, in processes apart --------------------------------------------------------------------


class Ledger:
    """What was judged so far, a line each, for a run that is killed and started again.

    A row counts only for the same bytes under the same name, and while judge and secret are what
    they were. It goes when the report stands.
    """

    def __init__(self, path: Path, judge: Judge) -> None:
        self.path, self.known, self._file = path, {}, None
        self._stamp = _stamp(judge)
        with suppress(OSError, UnicodeDecodeError):
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # a line that was cut short
                    held = json.loads(line)
                    self.known[held["key"]] = held

    def key(self, handed: Handed, data: bytes) -> str:
        """What a row is found by."""
        what = repr((self._stamp, handed.file, handed.who, handed.at, handed.late)).encode()
        return hashlib.sha256(what + data).hexdigest()

    def get(self, key: str) -> Outcome | None:
        """The outcome that was written down for a key, if there is one."""
        held = self.known.get(key)
        return _reader(held["kind"]).validate_python(held["row"]) if held else None

    def add(self, key: str, outcome: Outcome) -> None:
        """Write an outcome down; it is with the system at once, so that no kill undoes it."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            if self._file.tell():
                self._file.write(b"\n")  # behind half a line, if there is one
        row = {"key": key, "kind": type(outcome).__name__, "row": outcome}
        self._file.write((json.dumps(row, default=vars) + "\n").encode())

    def close(self) -> None:
        """Nothing more is judged in this run."""
        if self._file:
            self._file.close()
        self._file = None

    def done(self) -> None:
        """The report stands: what was written down goes."""
        self.path.unlink(missing_ok=True)


@cache
def _reader(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter({"Graded": Graded, "Refused": Refused, "Skipped": Skipped}[kind])


def _stamp(judge: Judge) -> str:
    """What a row depends on beside its file: the secret, the class list, and every source."""
    sources = []
    for root in (Path(__file__).parent, Path(mlsysim.__file__).parent):
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                if name.endswith((".py", ".yaml")):
                    found = Path(folder, name).stat()
                    sources.append((folder, name, found.st_size, found.st_mtime_ns))
    hidden = hmac.new(judge.secret, b"ledger", hashlib.sha256).hexdigest()
    aliases = judge.roster and sorted(judge.roster.aliases.items())
    what = repr((registry(), sorted(sources), hidden, aliases))
    return hashlib.sha256(what.encode()).hexdigest()


def judge_all(
    handed: Sequence[Handed],
    judge: Judge,
    ledger: Ledger | None = None,
    *,
    jobs: int = 1,
    limit: float = LIMIT,
    tick: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Judge many files, in order; `tick` hears of each that is done."""
    outcomes: dict[int, Outcome] = {}
    keys: dict[int, str] = {}

    def tasks() -> Iterator[_Task]:
        for index, each in enumerate(handed):
            try:
                data = read_bytes(each.path)
            except UnreadableError as error:
                outcomes[index] = Refused(each.file, printable(str(error)))
                tick(1)
                continue
            if ledger:
                keys[index] = ledger.key(each, data)
                if known := ledger.get(keys[index]):
                    outcomes[index] = known
                    tick(1)
                    continue
            yield index, each, data

    with closing(ledger) if ledger else nullcontext():
        for index, outcome in _judged(tasks(), judge, min(jobs, len(handed)), limit):
            outcomes[index] = outcome
            if ledger:
                ledger.add(keys[index], outcome)
            tick(1)
    return [outcomes[index] for index in range(len(handed))]


_Task = tuple[int, Handed, bytes]


def _judged(
    tasks: Iterator[_Task], judge: Judge, jobs: int, limit: float
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come from `jobs` processes; one that is stuck or dies is replaced."""
    again: deque[_Task] = deque()
    workers = [_Worker(judge) for _ in range(jobs)]
    try:
        while True:
            for worker in workers:
                if not worker.left and (batch := _next(again, tasks)):
                    worker.give(batch, limit)
            busy = [worker for worker in workers if worker.left]
            if not busy:
                return
            patience = min(worker.deadline for worker in busy) - time.monotonic()
            ready = wait([worker.pipe for worker in busy], max(0.0, patience))
            for worker in busy:
                said: Any = None
                why = "the judge died of it"
                if worker.pipe in ready:
                    with suppress(EOFError, OSError):
                        said = worker.pipe.recv()
                elif time.monotonic() < worker.deadline:
                    continue
                else:
                    why = f"it took more than {limit:g} s"
                index, each, _ = worker.left.popleft()
                if said is None:
                    again.extend(worker.left)
                    workers[workers.index(worker)] = worker.replaced(judge)
                    said = Refused(each.file, f"{why}; nothing else waited for it")
                worker.deadline = time.monotonic() + limit
                yield index, said
    finally:
        for worker in workers:
            worker.end()


def _next(again: deque[_Task], tasks: Iterator[_Task]) -> list[_Task]:
    """The next tasks: those that a worker left behind, one by one, else some new ones."""
    if again:
        return [again.popleft()]
    return list(islice(tasks, _BATCH))


class _Worker:
    """A process that judges what it is given, in order."""

    def __init__(self, judge: Judge) -> None:
        how = "fork" if sys.platform == "linux" else "spawn"  # elsewhere forks are not safe
        context: Any = multiprocessing.get_context(how)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(judge, theirs, self.pipe), daemon=True)
        with warnings.catch_warnings():  # a fork beside threads: the child uses none of theirs
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        theirs.close()
        self.left: deque[_Task] = deque()
        self.deadline = 0.0

    def give(self, batch: list[_Task], limit: float) -> None:
        """Some tasks; the limit is each one's own."""
        self.left.extend(batch)
        self.deadline = time.monotonic() + limit
        with suppress(OSError):  # it died meanwhile: `wait` says so
            self.pipe.send([(handed, data) for _, handed, data in batch])

    def replaced(self, judge: Judge) -> _Worker:
        """A new one for one that is stuck."""
        self.end()
        return _Worker(judge)

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _work(judge: Judge, pipe: Connection, other_end: Connection) -> None:
    other_end.close()  # or the end of the parent would go unnoticed
    gc.freeze()  # what was there before stays, what strangers leave behind does not
    gc.set_threshold(20_000)  # after some sheets, not some times a sheet
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            for handed, data in pipe.recv():
                pipe.send(judge.data(handed, data))
