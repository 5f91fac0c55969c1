"""Two minutes of questions from finished lessons, each asked again when it is about to be lost.

A card waits longer after each right answer and comes back the next day after a wrong one. What is
due follows from the journal and from a file of reviews beside it, so nothing else is kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlsysim.core.values import Value
from mlsysim.course.calibration import CERTAIN, CONFIDENCE, HIT, Judged
from mlsysim.course.cards import BY_NAME, CARDS, Card
from mlsysim.course.concepts import Ask
from mlsysim.course.journal import Journal, Record, off_by
from mlsysim.course.lessons import lessons
from mlsysim.course.lines import Lines

_MINUTE, _DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
# the first two are for a course that is taken in one afternoon
BOXES = (10 * _MINUTE, 40 * _MINUTE, *(days * _DAY for days in (1, 3, 7, 16, 35, 90)))
NEXT_DAY = 2
MOST, LONG = 6, 2 * _MINUTE  # a sitting ends with whichever comes first
SPREAD = 3  # lessons in a sitting, where so many are finished
_RECENT = 3


class Reviewed(Value):
    """One answer to a card; `count` numbers its questions, `code` names the slip."""

    card: str
    count: int
    sitting: str
    time: str
    answer: str | int | float
    truth: str | int | float
    right: bool
    code: str = ""
    confidence: float | None = None
    chance: float = 0.0

    @property
    def judged(self) -> Judged:
        """The answer as one of those that calibration speaks of."""
        record = Record(question=self.card, value=self.answer, confidence=self.confidence)
        number = not isinstance(self.truth, str) and not isinstance(self.answer, str)
        off = off_by(float(self.answer), float(self.truth)) if number else None
        right = self.right if off is None else off <= HIT
        return Judged(record, self.truth, off, right, self.chance)


class State(NamedTuple):
    """Where a card stands: its box, when it is due, and what was answered so far."""

    card: Card
    box: int
    due: dt.datetime
    answers: tuple[Reviewed, ...] = ()

    @property
    def pressing(self) -> bool:
        """Whether it was answered with certainty, and wrong, when last asked."""
        last = self.answers[-1] if self.answers else None
        return bool(last and not last.right and (last.confidence or 0) >= CERTAIN)

    def after(self, given: Reviewed, now: dt.datetime) -> State:
        """Where it stands after an answer: right by luck leaves it in its box."""
        if not given.right:
            box = NEXT_DAY if self.box >= NEXT_DAY else 0
        else:
            lucky = (given.confidence or 0) <= CONFIDENCE["just a guess"]
            box = self.box if lucky else min(self.box + 1, len(BOXES) - 1)
        due = min(when(given.time), now) + BOXES[box]
        return State(self.card, box, due, (*self.answers, given))


class Review:
    """What is due to one learner, and what was answered; `now` is the clock."""

    def __init__(self, journal: Journal, now: dt.datetime | None = None) -> None:
        self.journal = journal
        self.now = now or dt.datetime.now(dt.UTC)
        self.lines = Lines(beside(journal, "reviews"))
        self.answers = [each for each in self.lines.values(Reviewed) if each.card in BY_NAME]
        self.states = self._replay()

    @property
    def due(self) -> list[State]:
        """The cards that are due, what was certain and wrong first, then by how long."""
        held = [each for each in self.states if each.due <= self.now]
        return sorted(held, key=lambda each: (not each.pressing, each.due))

    @property
    def next_due(self) -> dt.datetime | None:
        """When the next card is due; None without a finished lesson."""
        return min((each.due for each in self.states), default=None)

    def of(self, sitting: str) -> list[Reviewed]:
        """What was answered in a sitting."""
        return [each for each in self.answers if each.sitting == sitting]

    def next(self, sitting: str) -> State | None:
        """The card to ask now, unlike its neighbour and from several lessons; None at the end.

        `sitting` is the time at which it began.
        """
        given = self.of(sitting)
        if len(given) >= MOST or self.now - when(sitting) >= LONG:
            return None
        asked = [BY_NAME[each.card] for each in given]
        names, so_far = {card.name for card in asked}, [card.lesson for card in asked]
        due = [each for each in self.due if each.card.name not in names]
        other = [each for each in due if [each.card.lesson] != so_far[-1:]]
        if due and other:
            return min(other, key=lambda each: so_far.count(each.card.lesson))
        wanted = min(SPREAD, len({each.card.lesson for each in self.states}))
        held = [each for each in self.states if each.card.lesson not in so_far]
        if given and held and (due or len(set(so_far)) < wanted):
            return min(held, key=lambda each: each.due)
        return due[0] if due else None

    def ask(self, state: State) -> Ask:
        """The question of a card as it stands: the same until it is answered, then another."""
        recent = [each.truth for each in state.answers[-_RECENT:]]
        first = next(iter(self.journal), None)
        key = first.hash if first else ""
        seed = f"{state.card.name}|{len(state.answers)}"
        digest = hmac.new(key.encode(), seed.encode(), hashlib.sha256).hexdigest()
        return state.card.ask(digest, recent)

    def answer(self, state: State, given: str, sure: str, sitting: str) -> Reviewed:
        """Keep an answer; raises BadArgument for one that cannot be read."""
        ask = self.ask(state)
        read = ask.read(given)
        done = Reviewed(
            card=state.card.name,
            count=len(state.answers),
            sitting=sitting,
            time=stamp(self.now),
            answer=read,
            truth=ask.truth,
            right=ask.right(read),
            code=ask.code(read),
            confidence=CONFIDENCE.get(sure),
            chance=ask.chance,
        )
        self.lines.append(json.dumps(done.model_dump(), ensure_ascii=False))
        self.answers.append(done)
        self.states = self._replay()
        return done

    def _replay(self) -> list[State]:
        finished = finished_at(self.journal)
        states = {}
        for card in CARDS:
            if card.lesson not in finished:
                continue
            at = min(finished[card.lesson], self.now)
            others = (time for number, time in finished.items() if number != card.lesson)
            box = 0 if any(abs(at - time) < _DAY for time in others) else NEXT_DAY
            states[card.name] = State(card, box, at + BOXES[box])
        for each in self.answers:
            if each.card in states:
                states[each.card] = states[each.card].after(each, self.now)
        return list(states.values())


def finished_at(journal: Journal) -> dict[int, dt.datetime]:
    """When each lesson was finished that is, by its number."""
    found = {}
    for lesson in lessons():
        rows = [journal.get(question) for question in lesson.questions]
        if rows and all(rows):
            found[lesson.number] = max(when(row.time) for row in rows if row)
    return found


def seen_before(answers: Iterable[Reviewed], done: Reviewed) -> dt.datetime | None:
    """When the same slip was made before, if it was."""
    same = [each for each in answers if each.code == done.code and each != done]
    earlier = [when(each.time) for each in same if each.time <= done.time]
    return max(earlier) if done.code and earlier else None


def held(answers: Sequence[Reviewed]) -> tuple[int, list[str]]:
    """How many were right, and the cards that come again."""
    return sum(each.right for each in answers), [each.card for each in answers if not each.right]


def beside(journal: Journal, name: str) -> Path:
    """A file of the same learner's, beside the journal."""
    return journal.path.with_name(f"{journal.path.stem}.{name}.jsonl")


def stamp(time: dt.datetime) -> str:
    """A time as files have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def when(text: str) -> dt.datetime:
    """A time from a file; one that cannot be read is long ago."""
    try:
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
