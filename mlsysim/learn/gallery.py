"""The page that greets a learner: every lesson, how far one is, what is next, and the paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mlsysim import pages
from mlsysim.course.journal import Journal, here
from mlsysim.course.lessons import Lesson
from mlsysim.course.paths import CoursePath, Planned, paths, plan
from mlsysim.course.review import Review


class Card(NamedTuple):
    """A lesson as the gallery shows it, with the predictions made so far; `stem` is '' to come."""

    facts: Lesson | Planned
    stem: str = ""
    made: int = 0
    of: int = 0
    exercise: bool = False

    @property
    def done(self) -> bool:
        """Whether every prediction of it was made."""
        return bool(self.stem) and self.made >= self.of

    @property
    def verb(self) -> str:
        """What its door says."""
        return "Look again" if self.done else "Continue" if self.made else "Start"

    def matches(self, words: Iterable[str], level: str) -> bool:
        """Whether each word stands in what is known of it, and its level is the one asked for."""
        held = f"{self.facts.number} {self.facts.title} {self.facts.question} {self.facts.level}"
        held = f"{held} {getattr(self.facts, 'takeaway', '')}".casefold()
        return level in ("", self.facts.level) and all(word in held for word in words)


def cards(journal: Journal) -> dict[int, Card]:
    """Every lesson by its number, with the learner's progress in it."""
    held = {}
    for number, facts in plan().items():
        card = Card(facts)
        if isinstance(facts, Lesson):
            made = sum(question in journal for question in facts.questions)
            there = facts.file("exercises").exists()
            card = Card(facts, facts.stem, made, len(facts.questions), there)
        held[number] = card
    return held


def next_card(held: Mapping[int, Card], journal: Journal) -> Card | None:
    """The lesson to go on with: the one last worked in, else the first that is not finished."""
    order = [row.question.partition(".")[0] for row in reversed(journal.rows())]
    begun = [held[int(name)] for name in order if name.isdecimal() and int(name) in held]
    for card in [*begun[:1], *held.values()]:
        if card.stem and not card.done:
            return card
    return None


def gallery(
    journal: Journal,
    path: CoursePath | None = None,
    *,
    missing: str = "",
    words: str = "",
    level: str = "",
    slides: bool = False,
    ahead: Iterable[str] = (),
) -> str:
    """The gallery's page: all lessons or those of a path, or those in which `words` are found.

    `missing` is an address that was asked for and is none; with `slides` lessons open as such;
    `ahead` are the addresses of what their pages will ask for.
    """
    every = cards(journal)
    shown = {n: every[n] for n in (path.lessons if path else every)}
    wanted = words.casefold().split()
    return pages.render(
        "gallery.html",
        cards=[card for card in shown.values() if card.matches(wanted, level)],
        every=every,
        next=next_card(shown, journal),
        made=sum(card.made for card in every.values()),
        path=path,
        ways=paths(),
        due=len(Review(journal).due),
        levels=list(dict.fromkeys(card.facts.level for card in every.values())),
        words=words,
        level=level,
        notice=journal.notice,
        missing=missing,
        ahead=ahead,
        tail="?slides" if slides else "",
        seat=here(),
    )
