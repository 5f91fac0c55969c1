"""Sitting the concept inventory: once before the course, without verdicts, and once after it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Sequence
from typing import NamedTuple

from mlsysim.core.values import Value
from mlsysim.course.calibration import CONFIDENCE, Judged
from mlsysim.course.concepts import UNKNOWN, Ask
from mlsysim.course.journal import Journal, Record
from mlsysim.course.lines import Lines
from mlsysim.course.quiz import ITEMS, Item, find_item
from mlsysim.course.review import beside, stamp

SITTINGS = (1, 2)
_OUTCOMES = {
    (True, True): "held",
    (False, True): "gained",
    (True, False): "lost",
    (False, False): "open",
}


class Sat(Value):
    """One answer to an item of the inventory; `code` names the slip."""

    item: str
    sitting: int
    variant: str
    answer: str
    right: bool
    code: str = ""
    confidence: float | None = None
    time: str = ""

    @property
    def judged(self) -> Judged:
        """The answer as one of those that calibration speaks of."""
        record = Record(question=self.item, value=self.answer, confidence=self.confidence)
        item = find_item(self.item)
        chance = item.ask(self.variant).chance if item else 0.25
        return Judged(record, "" if not self.right else self.answer, None, self.right, chance)


class Row(NamedTuple):
    """An item of the report: what was answered before and after, and what came of it."""

    item: Item
    before: Sat
    after: Sat

    @property
    def outcome(self) -> str:
        """Held, gained, lost, or open still."""
        return _OUTCOMES[self.before.right, self.after.right]

    @property
    def ask(self) -> Ask:
        """The question as it was asked last."""
        return self.item.ask(self.after.variant)


class Inventory:
    """One learner's two sittings."""

    def __init__(self, journal: Journal) -> None:
        self.lines = Lines(beside(journal, "quiz"))
        self.answers: dict[tuple[int, str], Sat] = {}
        for each in self.lines.values(Sat):
            if find_item(each.item) and each.sitting in SITTINGS and each.variant in ("a", "b"):
                self.answers.setdefault((each.sitting, each.item), each)

    def done(self, sitting: int) -> bool:
        """Whether every item of a sitting was answered."""
        return len(self.of(sitting)) == len(ITEMS)

    def of(self, sitting: int) -> list[Sat]:
        """The answers of a sitting, in the order of the items."""
        found = (self.answers.get((sitting, item.name)) for item in ITEMS)
        return [each for each in found if each]

    def next(self, sitting: int) -> Item | None:
        """The item to answer now; None at the end of the sitting."""
        rest = (item for item in ITEMS if (sitting, item.name) not in self.answers)
        return next(rest, None)

    def variant(self, item: Item, sitting: int) -> str:
        """Which variant comes: by lot before the course, and the other one after it."""
        before = self.answers.get((1, item.name))
        if before:
            return before.variant if sitting == 1 else "ab"[before.variant == "a"]
        return "ab"[hashlib.sha256(f"{self.lines.path}|{item.name}".encode()).digest()[0] % 2]

    def ask(self, item: Item, sitting: int) -> Ask:
        """The question, its texts shuffled where they are no numbers in order of size."""
        ask = item.ask(self.variant(item, sitting))
        if not ask.shuffled:
            return ask
        salt = f"{self.lines.path}|{sitting}|"
        return ask._replace(
            options=sorted(ask.options, key=lambda o: hashlib.sha256((salt + o).encode()).digest())
        )

    def answer(self, item: Item, sitting: int, given: str, sure: str) -> Sat:
        """Keep an answer, the first one to an item; raises BadArgument for no option."""
        ask = self.ask(item, sitting)
        read = str(ask.read(given))
        done = Sat(
            item=item.name,
            sitting=sitting,
            variant=self.variant(item, sitting),
            answer=read,
            right=ask.right(read),
            code=ask.code(read),
            confidence=None if read == UNKNOWN else CONFIDENCE.get(sure),
            time=stamp(dt.datetime.now(dt.UTC)),
        )
        if (sitting, item.name) not in self.answers:
            self.lines.append(json.dumps(done.model_dump(), ensure_ascii=False))
        return self.answers.setdefault((sitting, item.name), done)

    def report(self) -> list[Row]:
        """Item by item, before and after; raises LookupError before both sittings are done."""
        if not all(map(self.done, SITTINGS)):
            raise LookupError("both sittings come first")
        return [Row(item, self.answers[1, item.name], self.answers[2, item.name]) for item in ITEMS]


def told(answers: Sequence[Sat]) -> str:
    """How many were right, and what a blind guess gets: only as much as twelve items can tell."""
    right = sum(each.right for each in answers)
    chances = [each.judged.chance for each in answers]
    blind = sum(chances)
    noise = math.sqrt(sum(chance * (1 - chance) for chance in chances))
    luck = "" if right > blind + 2 * noise else ", so this many may be luck"
    return f"{right} of {len(answers)}; blind guesses get {blind:.0f}{luck}"
