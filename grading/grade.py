"""From a folder of answer sheets to graded rows; a bad file costs its own line and nothing else."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import mlsysim
from grading.check import load
from grading.journal import Predictions, judge_journal
from grading.kinds import Mark
from grading.reading import NoSheetError, UnreadableError, read_sheet
from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import registry_hash
from mlsysim.course.sheet import Sheet
from mlsysim.course.variants import PUBLIC_SECRET, clean_id, code_for

_CHUNK = 64


@dataclass(frozen=True)
class Graded:
    """One answer sheet with its marks.

    `flags` are remarks for the instructor; they cost no points.
    """

    file: str
    student: str
    id: str
    assignment: str
    marks: tuple[Mark, ...]
    predictions: Predictions
    flags: tuple[str, ...]
    drawn: Mapping[str, object] = field(default_factory=dict)  # the numbers of the student

    @property
    def score(self) -> float:
        """Points earned, predictions included."""
        return round(sum(v.points for v in self.marks) + self.predictions.points, 3)

    @property
    def out_of(self) -> float:
        """Points that there are."""
        return round(sum(v.out_of for v in self.marks) + self.predictions.out_of, 3)


@dataclass(frozen=True)
class Refused:
    """A file that could not be graded, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """What lies among the hand-ins and is no answer sheet, and why it was not opened or read."""

    file: str
    reason: str


Outcome = Graded | Refused | Skipped
OTHER_VARIANT = (
    "its numbers are not this student's: the id or the course code was another one; it is judged "
    "by the student's own numbers"
)


def grade_sheet(sheet: Sheet, secret: bytes = PUBLIC_SECRET, file: str = "") -> Graded:
    """Judge one sheet against the variant that its student's id draws; raises UnknownName."""
    checks = load(sheet.assignment)
    v = checks.assignment.draw(code_for(sheet.student, sheet.assignment, secret))
    return Graded(
        file=file,
        student=printable(sheet.student),
        id=clean_id(sheet.student),
        assignment=sheet.assignment,
        marks=tuple(checks.judge(v, sheet.answers)),
        predictions=judge_journal(checks, sheet.journal),
        flags=tuple(_flags(sheet, v.fields, checks.questions, checks.assignment.version)),
        drawn=v.fields,
    )


def grade_file(path: Path, secret: bytes = PUBLIC_SECRET, name: str = "") -> Outcome:
    """Grade one file; whatever is wrong with it, an answer comes back."""
    name = name or printable(path.name)
    try:
        return grade_sheet(read_sheet(path), secret, name)
    except NoSheetError as error:
        return Skipped(name, printable(str(error)))
    except UnreadableError as error:
        return Refused(name, printable(str(error)))
    except MLSysError as error:
        return Refused(name, printable(f"it could not be graded: {error}"))
    except Exception as error:  # the class must not wait for one sheet
        return Refused(
            name, printable(f"it could not be graded ({type(error).__name__}); please report this")
        )


def grade_files(
    paths: Iterable[Path],
    folder: Path,
    secret: bytes = PUBLIC_SECRET,
    jobs: int = 1,
    tick: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Grade many files, in order; `tick` hears how many more are done."""
    paths = list(paths)
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    outcomes: list[Outcome] = []
    for graded in _mapped(
        partial(_grade_chunk, folder=folder.resolve(), secret=secret), chunks, jobs
    ):
        outcomes += graded
        tick(len(graded))
    return _mark_twins(outcomes)


def _mapped(
    work: Callable[[list[Path]], list[Outcome]], chunks: list[list[Path]], jobs: int
) -> Iterator[list[Outcome]]:
    if jobs == 1 or len(chunks) == 1:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(work, chunks)


def _grade_chunk(paths: list[Path], folder: Path, secret: bytes) -> list[Outcome]:
    return [grade_file(path, secret, shown_path(path, folder)) for path in paths]


def _mark_twins(outcomes: list[Outcome]) -> list[Outcome]:
    """Flag sheets that name the same student for the same assignment."""
    times = Counter((o.assignment, o.id) for o in outcomes if isinstance(o, Graded))
    return [
        replace(o, flags=(*o.flags, f"{times[o.assignment, o.id]} files name this student"))
        if isinstance(o, Graded) and times[o.assignment, o.id] > 1
        else o
        for o in outcomes
    ]


def _flags(
    sheet: Sheet, drawn: dict[str, object], questions: Iterable[str], version: int
) -> Iterator[str]:
    if (made := sheet.assignment_version) != version:
        yield f"made for version {made} of the assignment; this is version {version}"
    if sheet.variant != drawn:
        yield OTHER_VARIANT
    if sheet.mlsysim != mlsysim.__version__:
        yield "made with another version of mlsysim"
    if sheet.registry != _registry():
        yield "made with another registry of models and devices"
    if unknown := sum(1 for name in sheet.answers if name not in set(questions)):
        yield f"{unknown} answer{'s' * (unknown != 1)} belong{'s' * (unknown == 1)} to no question"
    if sheet.ignored:
        yield f"keys that were not used: {', '.join(printable(key) for key in sheet.ignored)}"


_registry = cache(registry_hash)  # once a run: it opens every file


def printable(text: str) -> str:
    """Text in one line that can be printed and encoded, whatever a stranger put into it."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)


def shown_path(path: Path, folder: Path) -> str:
    """A file's path below the folder, printable."""
    return printable(os.fspath(path.relative_to(folder)).replace(os.sep, "/"))
