"""What a room leaves behind: one archive for the speaker, which `python -m grading` reads."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import mlsysim
from mlsysim.core.table import safe_cell
from mlsysim.course.journal import AGAIN, Journal
from mlsysim.course.lessons import Lesson
from mlsysim.course.sheet import Sheet
from mlsysim.course.variants import code_for
from mlsysim.learn.room import views
from mlsysim.learn.room.room import Room, Seat


def archive(room: Room) -> bytes:
    """Journals, rounds, distributions, and of every learner a sheet for each lesson begun.

    A sheet holds predictions and no answers: unpacked, `python -m grading grade FOLDER` reads it.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        seats = room.seats()
        file.writestr("seats.csv", _csv(("seat", "name"), ((s.id, s.name) for s in seats)))
        for seat in seats:
            journal = Journal(seat.journal)
            file.writestr(f"journals/{seat.id}.jsonl", journal.to_bytes())
            for lesson in room.lessons:
                if any(question in journal for question in lesson.questions):
                    name = f"sheets/{seat.id}/{lesson.stem}.json"
                    file.writestr(name, _sheet(seat, lesson, journal).to_json())
        file.writestr("rounds.csv", _csv(_ROUNDS, _rounds(room)))
        file.writestr("distribution.json", json.dumps(_distribution(room), indent=1))
    return packed.getvalue()


def _sheet(seat: Seat, lesson: Lesson, journal: Journal) -> Sheet:
    student = f"{seat.name} {seat.id[:4]}"  # two may have one name
    asked = lesson.assignment
    return Sheet(
        assignment=lesson.stem,
        assignment_version=asked.version if asked else 1,
        mlsysim=mlsysim.__version__,
        student=student,
        variant=asked.draw(code_for(student, lesson.stem)).fields if asked else {},
        journal=tuple(journal.records()),
    )


_ROUNDS = ("question", "round", "seat", "value", "confidence")


def _rounds(room: Room) -> Iterable[Sequence[Any]]:
    for question in room.agenda:
        for number, again in ((1, False), (2, True)):
            for vote in room.votes(question, again=again):
                yield question, number, vote.seat, vote.value, vote.confidence


def _distribution(room: Room) -> dict[str, Any]:
    held: dict[str, Any] = {}
    for lesson in room.lessons:
        for question in lesson.questions:
            hands = room.standing.hands.get(question, {})
            for number, again in ((1, False), (2, True)):
                votes = room.votes(question, again=again)
                counted = views.tally(votes, hands.get(number, {}), lesson.predictions[question])
                if counted:
                    held[question + AGAIN * again] = counted
    return held


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(
        [safe_cell(each) if isinstance(each, str) else each for each in row] for row in rows
    )
    return text.getvalue()
