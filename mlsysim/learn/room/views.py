"""What is shown of a room: to a learner, on the board, to the speaker. Plain data, no names."""

from __future__ import annotations

import re
import time
from collections import Counter
from statistics import geometric_mean
from typing import Any

from mlsysim.course.calibration import CERTAIN
from mlsysim.course.lessons import Prediction
from mlsysim.learn.room.room import Room, Vote
from mlsysim.learn.room.truths import Truth, truth

WORTH_DISCUSSING = (0.35, 0.70)  # Crouch & Mazur (2001), doi:10.1119/1.1374249
_MARKUP = re.compile(r"[*`]|\\(?=[$_])")


def learner(room: Room) -> dict[str, Any]:
    """What every learner's page may know: where the room is, what is open, what is asked again."""
    now = room.standing
    lesson = room.lesson_of(now.question)
    return {
        "question": now.question,
        "stem": lesson.stem if lesson else "",
        "title": f"{lesson.number} · {lesson.title}" if lesson else "",
        "released": now.released,
        "again": [each for each in now.again if each not in now.released],
    }


def board(room: Room) -> dict[str, Any]:
    """What the wall shows: only how many have answered, until the speaker shows more."""
    now = room.standing
    lesson = room.lesson_of(now.question)
    if lesson is None:
        return {"question": "", "seats": len(room.seats())}
    asked = lesson.predictions[now.question]
    told = truth(lesson.stem, now.question)
    rounds = [room.votes(now.question), room.votes(now.question, again=True)]
    held: dict[str, Any] = {
        "question": now.question,
        "text": _MARKUP.sub("", asked.text),
        "unit": asked.unit or "",
        "options": list(asked.options or ()),
        "order": list(asked.order or ()),
        "lesson": f"Lesson {lesson.number} · {lesson.title}",
        "seats": len(room.seats()),
        "counts": [len(each) for each in rounds],
        "again": now.question in now.again,
        "phase": now.phase,
        "shown": now.shown,
        "left": max(0.0, now.until - time.time()),
        "next": room.next(now.question),
        "suggest": _worth_discussing(told, rounds[0], asked, now.hands.get(now.question, {})),
    }
    if now.shown:
        held["rounds"] = [
            tally(votes, now.hands.get(now.question, {}).get(n, {}), asked)
            for n, votes in enumerate(rounds, start=1)
        ]
        held["pairs"] = _pairs(*rounds)
    if now.phase == "reveal" and told is not None:
        held |= {"truth": told.value, "words": told.words, "moved": _moved(told, rounds)}
        held["certain_and_wrong"] = _certain_and_wrong(told, rounds[0])
    return held


def speaker(room: Room) -> dict[str, Any]:
    """What the speaker's own window shows beside the board's: who is right, as counts."""
    now = room.standing
    held = {**board(room), "started": now.started, "now": time.time(), "released": now.released}
    lesson = room.lesson_of(now.question)
    told = truth(lesson.stem, now.question) if lesson else None
    if lesson is None or told is None:
        return held
    asked, hands = lesson.predictions[now.question], now.hands.get(now.question, {})
    rounds = [room.votes(now.question), room.votes(now.question, again=True)]
    return held | {
        "truth": told.value,
        "words": told.words,
        "right": [
            _right(told, tally(votes, hands.get(n, {}), asked))
            for n, votes in enumerate(rounds, start=1)
        ],
        "certain_and_wrong": _certain_and_wrong(told, rounds[0]),
    }


def tally(
    votes: list[Vote], hands: dict[str, int], asked: Prediction
) -> list[tuple[float | str, int]]:
    """Each answer and how many gave it, by phone or by a raised hand."""
    counted: Counter[float | str] = Counter(each.value for each in votes if asked.takes(each.value))
    for answer, count in hands.items():
        counted[answer if asked.options or asked.order else float(answer)] += count
    return sorted(counted.items(), key=lambda each: (isinstance(each[0], str), each[0]))


def middle(room: Room, question: str) -> float | None:
    """The number in the middle of a room's last answers to a question; None for words."""
    votes = room.votes(question, again=True) or room.votes(question)
    numbers = [v.value for v in votes if not isinstance(v.value, str) and v.value > 0]
    return float(f"{geometric_mean(numbers):.2g}") if numbers else None


def _right(told: Truth, counted: list[tuple[float | str, int]]) -> float | None:
    every = sum(count for _, count in counted)
    right = sum(count for answer, count in counted if told.agrees(answer))
    return right / every if every else None


def _certain_and_wrong(told: Truth, votes: list[Vote]) -> int:
    """How many were sure of what is not so: a count, never a name."""
    sure = [each for each in votes if (each.confidence or 0) >= CERTAIN]
    return sum(not told.agrees(each.value) for each in sure)


def _worth_discussing(
    told: Truth | None, votes: list[Vote], asked: Prediction, hands: dict[int, dict[str, int]]
) -> bool:
    share = _right(told, tally(votes, hands.get(1, {}), asked)) if told else None
    low, high = WORTH_DISCUSSING
    return share is not None and low <= share <= high


def _pairs(first: list[Vote], second: list[Vote]) -> list[tuple[float | str, float | str]]:
    """What each learner who answered twice said first and then."""
    before = {each.seat: each.value for each in first}
    return [(before[each.seat], each.value) for each in second if each.seat in before]


def _moved(told: Truth, rounds: list[list[Vote]]) -> float | None:
    """The share of those who answered twice that came nearer to the truth."""
    pairs = _pairs(*rounds)
    return sum(told.nearer(*pair) for pair in pairs) / len(pairs) if pairs else None
