"""Predict, commit, reveal: a question that shows its answer only to those who have answered it.

    guess = predict("00.1", "How long is one decode step?", unit="ms", journal=journal)   # one cell
    reveal(guess, truth=lambda: step().latency, why="...")                               # the next

The truth is a function, so nothing is computed, let alone shown, before the learner commits. A
commitment is final: it is written to the journal at once, survives a reload, and whatever a browser
sends later changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import marimo as mo

from mlsysim import charts
from mlsysim.core.errors import BadArgument, ended, shown
from mlsysim.core.units import Quantity, read_number
from mlsysim.course.journal import Journal, Record, off_by, times
from mlsysim.course.lessons import Prediction

Kind = Literal["success", "info", "warn", "danger"]  # of marimo's callouts

CONFIDENCE = {"just a guess": 0.3, "fairly sure": 0.6, "certain": 0.9}
SPOT_ON, CLOSE, FAR = 1.25, 2.0, 10.0
LEAST, MOST = 1e-9, 1e15  # what lies outside is a slip of the keyboard, and a commitment is final


class predict(mo.ui.form):  # noqa: N801 - used like marimo's own lower-case elements
    """A question in a notebook: a number with its unit, or a choice, and how sure the learner is.

    It subclasses the form because only a UI element makes marimo re-run the cells that name it.
    `value` is the Commitment once there is one, and None before.
    """

    def __init__(
        self,
        question: str,
        text: str,
        *,
        journal: Journal,
        unit: str = "",
        units: Sequence[str] = (),
        options: Sequence[str] = (),
        after: predict | None = None,
    ) -> None:
        self.question, self.asked, self.journal, self.unit = question, text, journal, unit
        self.after = after
        self.facts = Prediction(text=text, unit=unit or None, options=tuple(options) or None)
        self._units = list(units) or [unit]
        self._is_choice = bool(options)
        parts: dict[str, Any] = {}
        if options:
            parts["value"] = mo.ui.radio(list(options))
            entry = "{value}"
        else:
            parts["value"] = mo.ui.text(placeholder="a number", full_width=False)
            entry = f"{{value}} {unit}"
            if len(self._units) > 1:
                parts["unit"] = mo.ui.dropdown(
                    self._units, value=unit or self._units[0], allow_select_none=False
                )
                entry = "{value} {unit}"
        parts["confidence"] = mo.ui.radio(list(CONFIDENCE), value="just a guess", inline=True)
        body = f"**Your prediction.** {text}\n\n{entry}\n\nHow sure are you? {{confidence}}"
        super().__init__(
            mo.ui.batch(mo.md(body), parts),
            submit_button_label="Commit",
            submit_button_tooltip="A commitment is final. A wrong one teaches more than none.",
            validate=self._fault,
            on_change=self._freeze,
        )

    @property
    def committed(self) -> bool:
        """True once the learner has answered."""
        return self.question in self.journal

    @property
    def open(self) -> bool:
        """True once the question `after` which it comes is answered; until then it is not shown."""
        return self.after is None or self.after.committed

    @property
    def commitment(self) -> Record:
        """What the learner said; ask `committed` first."""
        done = self.journal.get(self.question)
        if done is None:
            raise LookupError(f"question {self.question} is not answered yet")
        return done

    def card(self) -> mo.Html:
        """What stands in place of the form after the commitment."""
        done = self.commitment
        sure = next((name for name, share in CONFIDENCE.items() if share == done.confidence), "")
        return mo.callout(
            mo.md(f"**You predicted: {done.text}**{f' ({sure})' if sure else ''}\n\n{self.asked}"),
            kind="info",
        )

    def _fault(self, sent: Any) -> str | None:
        """What is wrong with a submission, in a sentence; None when it can be committed."""
        done = self.journal.get(self.question)
        if done:
            return f"You committed to {done.text}; a commitment is final."
        if not self.open:
            return "Answer the question before this one first."
        given = (sent or {}).get("value")
        if given in (None, "", []):
            return "Commit to an answer first; a wrong guess teaches more than no guess."
        if self._is_choice:
            return None
        try:
            number = read_number(given)
        except BadArgument as error:
            return ended(f"{shown(given)} is not a plain number: {error.remedy}")
        if number <= 0:
            return "The answer is above zero."
        if not LEAST <= number <= MOST:
            return f"No answer here is that far from 1: check the power of ten of {given}."
        return None

    def _convert_value(self, value: Any) -> Any:
        done = self.journal.get(self.question)
        if done:  # the first commitment stands, whatever is sent
            return done
        sent = None if not value or self._fault(value) else super()._convert_value(value)
        if sent is None:
            return None
        answer = sent["value"] if self._is_choice else read_number(sent["value"])
        unit = None if self._is_choice else sent.get("unit", self.unit)
        return self.journal.commit(self.question, answer, unit, CONFIDENCE.get(sent["confidence"]))

    def _freeze(self, committed: Any) -> None:
        """Swap the form for its card at once; runs in the cell that shows the form."""
        if committed is not None:
            mo.output.replace(self.card())

    def _mime_(self) -> Any:
        if self.committed:
            return self.card()._mime_()
        return super()._mime_() if self.open else mo.Html("")._mime_()

    def _clone(self) -> predict:  # containers clone their elements; a commitment has no twin
        return self


def wait_for(
    *questions: predict, hint: str = "Commit to your prediction above, and this opens."
) -> None:
    """Stop the cell until every question is answered; without a hint, silently."""
    mo.stop(
        not all(question.committed for question in questions),
        mo.callout(mo.md(f"*{hint}*"), kind="neutral") if hint else None,
    )


def reveal(
    question: predict,
    truth: Callable[[], Any],
    *,
    why: str | Callable[[], str] = "",
    chart: Callable[[], Any] | None = None,
    misconceptions: Mapping[str, Callable[[], Any]] | None = None,
) -> mo.Html:
    """What the solver says, beside what the learner said; shown only after the commitment.

    `misconceptions` maps a sentence ("you scaled by peak FLOPS") to the value that such a slip
    gives; when the prediction matches one, the mark names it.
    """
    mo.stop(not question.open)
    wait_for(question)
    done = question.commitment
    answer = truth()
    plain = number_in(answer, done.unit)
    question.journal.reveal(done.question, plain)
    kind, sentence = mark(
        done, answer, {name: value() for name, value in (misconceptions or {}).items()}
    )
    parts: list[Any] = [mo.callout(mo.md(sentence), kind=kind)]
    if not isinstance(plain, str):
        parts.append(charts.versus(float(done.value), plain, done.unit or ""))
    if chart is not None:
        parts.append(chart())
    if why:
        parts.append(mo.md(f"**Why.** {why() if callable(why) else why}"))
    return mo.vstack(parts, gap=1)


def number_in(answer: Any, unit: str | None) -> float | str:
    """A solver's answer as a number in `unit`, or as the word that it is."""
    if isinstance(answer, Quantity):
        return float(answer.m_as(unit or ""))
    return str(answer) if isinstance(answer, str) else float(answer)


def mark(done: Record, answer: Any, slips: Mapping[str, Any]) -> tuple[Kind, str]:
    """How a prediction compares with the answer: a kind of callout, and the sentence in it."""
    truth = number_in(answer, done.unit)
    if isinstance(truth, str) or isinstance(done.value, str):
        right = done.value == truth
        return (
            ("success", f"**Yes: {truth}.**")
            if right
            else ("warn", f"You said **{done.value}**; the solver says **{truth}**.")
        )
    shown = f"**{truth:.3g} {done.unit or ''}**".replace(" **", "**")
    said = f"You said **{done.text}**; the solver says {shown}."
    factor = off_by(float(done.value), truth)
    if factor <= SPOT_ON:
        return "success", f"{said} Within {100 * (SPOT_ON - 1):.0f} %: spot on."
    named = [
        name
        for name, value in slips.items()
        if off_by(float(done.value), float(number_in(value, done.unit))) <= 1.1
    ]
    side = "high" if done.value > truth else "low"
    sentence = f"{said} Too {side} by a factor of {times(factor)}."
    if named:
        sentence += f" Your number is what you get when {named[0]}."
    return ("info" if factor <= CLOSE else "warn" if factor <= FAR else "danger"), sentence
