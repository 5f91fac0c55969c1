"""A timed round of "Name that wall": cards of symptoms, four names each, and a clock."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import marimo as mo

from mlsysim import pages
from mlsysim.course.symptoms import CARDS, SECONDS, Turn, deal, numbered
from mlsysim.learn.predict import Question

_NEXT = {"label": "Next round", "first": f"Start: {CARDS} cards, {SECONDS / 60:g} minutes"}


class Round:
    """The round, as a cell shows it: its start, one card after the other, and what came of it.

    Nothing of it is kept: it is an exercise, and may be played as often as one likes. `now` is the
    clock, in seconds; the cards are those of `seed`, or any.
    """

    def __init__(
        self, after: Question, *, seed: str = "", now: Callable[[], float] = time.monotonic
    ) -> None:
        self.after, self.seed, self._now = after, seed, now
        self.turns: tuple[Turn, ...] = ()
        self._began = self._ended = 0.0
        self.buttons: list[mo.ui.button] = []  # held here: marimo forgets elements nobody holds

    def __repr__(self) -> str:
        """Where no page shows it: as in a notebook that was run and printed."""
        return f"name that wall: {self.at} of {len(self.turns)} cards named"

    @property
    def at(self) -> int:
        """How many cards are answered."""
        return sum(bool(turn.said) for turn in self.turns)

    @property
    def over(self) -> bool:
        """Whether all cards are answered, or the time has run out."""
        late = self._now() - self._began >= SECONDS
        return bool(self.turns) and (late or self.at == len(self.turns))

    def start(self) -> None:
        """Deal the cards, and start the clock."""
        self.turns, self._began = deal(self.seed or secrets.token_hex(8)), self._now()

    def name(self, wall: str) -> None:
        """Name the wall of the card that lies open; what comes after the time is not counted."""
        if not self.over:
            turns = list(self.turns)
            turns[self.at] = turns[self.at]._replace(said=wall)
            self.turns = tuple(turns)
        self._ended = min(self._now() - self._began, SECONDS)

    def page(self) -> mo.Html:
        """What stands in the cell now."""
        if self.turns and not self.over:
            turn = self.turns[self.at]
            self.buttons = [self._button(numbered(name), name) for name in turn.options]
        else:
            turn = None
            label = _NEXT["label" if self.turns else "first"]
            self.buttons = [self._button(label, "")]
        gone = self._now() - self._began if turn else self._ended
        clock = {"gone": gone, "seconds": SECONDS}
        return mo.Html(
            pages.render("naming.html", play=self, turn=turn, numbered=numbered, **clock)
        )

    def _button(self, label: str, wall: str) -> mo.ui.button:
        def pressed(_: object) -> None:
            self.name(wall) if wall else self.start()
            mo.output.replace(self.page())

        return mo.ui.button(label=label, on_change=pressed, full_width=bool(wall))

    def _mime_(self) -> tuple[str, str]:  # what marimo shows of it
        return self.page()._mime_() if self.after.done else mo.Html("")._mime_()

    def _repr_html_(self) -> str:  # what Jupyter shows
        return self._mime_()[1]
