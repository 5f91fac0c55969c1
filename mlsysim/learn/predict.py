"""Predict, commit, reveal: a question that shows its answer only to those who have answered it.

`lesson.open` hands questions out; this is what one is. A commitment is final: it is written to the
journal at once, survives a reload, and whatever a browser sends later changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import marimo as mo

# marimo has no public base for elements with a form of their own; browser tests hold the protocol
from marimo._plugins.ui._core.ui_element import UIElement

from mlsysim import pages
from mlsysim.core.errors import BadArgument, ended, shown
from mlsysim.core.units import parse, read_number
from mlsysim.course.calibration import CONFIDENCE
from mlsysim.course.journal import AGAIN, Journal, Record
from mlsysim.course.lessons import ORDER, Prediction
from mlsysim.learn.marks import SPOT_ON, Mark, joined, mark
from mlsysim.learn.say import in_unit, is_word, spell

LEAST, MOST = 1e-9, 1e15  # what lies outside is a slip of the keyboard, and a commitment is final
LONGEST_SENTENCE = 300
Words = str | Callable[[Any], str]  # a sentence, or what makes one of the learner's answer
_charts: dict[tuple[str, str], str] = {}
_MOST_CHARTS = 2000  # of some ten kB each
CAUSE, BECAUSE = ".why", ".because"  # what the journal adds to the id of a question with a reason


class Reveal(NamedTuple):
    """What the solver says to a question: the truth, why, the formula, a chart, what follows."""

    truth: Any
    why: Words = ""
    cause: str = ""
    formula: Words = ""
    chart: Callable[[Any], Any] | None = None
    then: Words = ""


class Question(UIElement[Any, Any]):
    """A question in a notebook: a number with its unit, a choice or an order; perhaps its cause.

    It is a UI element because only one makes marimo re-run the cells that name it. `value` is the
    commitment once there is one, and None before.
    """

    def __init__(
        self,
        question: str,
        text: str,
        *,
        journal: Journal,
        unit: str = "",
        options: Sequence[str] = (),
        order: Sequence[str] = (),
        why: Sequence[str] = (),
        because: str = "",
        slips: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        within: float = SPOT_ON,
        signed: bool = False,
        after: Question | None = None,
        tag: str = "Your prediction",
    ) -> None:
        if bool(unit) + bool(options) + bool(order) > 1:
            raise BadArgument("unit", unit, "ask for a number, for one of options or for an order")
        listed = list(options or order)
        if len(set(listed)) < len(listed) or any(ORDER in each for each in order):
            raise BadArgument(
                "options", listed, f"name each once, and none of an order with {ORDER!r}"
            )
        self.question, self.asked, self.journal = question, text, journal
        self.unit, self.options, self.order = unit, self._mixed(options), sorted(order)
        self.why, self.because, self.within, self.signed = self._mixed(why), because, within, signed
        self.after, self.tag, self._slips, self._sent = after, tag, slips or {}, ""
        self._reveal: Reveal | None = None
        super().__init__(
            component_name="mlsysim-ask",
            initial_value=None,
            label=None,
            on_change=self._answered,
            args={"question": question},
            slotted_html=self._form() if self.open and not self.committed else "",
        )
        start = self.text.index(">", self.text.index("<mlsysim-ask")) + 1
        self._shell = self.text[:start], "</mlsysim-ask></marimo-ui-element>"

    def _mixed(self, options: Sequence[str]) -> list[str]:
        """Options in an order that tells nothing, and stays: authors write the right one first."""
        return sorted(options, key=lambda each: sha256(f"{self.question}{each}".encode()).digest())

    @property
    def committed(self) -> bool:
        """True once the learner has answered."""
        return self.question in self.journal

    @property
    def done(self) -> bool:
        """True once it is answered and, in a class, its answer is open."""
        return self.committed and (self._reveal is None or self.journal.released(self.question))

    @property
    def open(self) -> bool:
        """True once the question `after` which it comes is done; until then it is not shown.

        A class goes on without the answers to what it passes over.
        """
        before = self.after
        if before is None or before.done:
            return True
        return self.journal.skips(before.question) and before.open

    @property
    def commitment(self) -> Record:
        """What the learner said; raises LookupError before there is a commitment."""
        done = self.journal.get(self.question)
        if done is None:
            raise LookupError(f"question {self.question} is not answered yet")
        return done

    @property
    def cause(self) -> Record | None:
        """The cause that the learner gave with the answer, where one was asked."""
        return self.journal.get(self.question + CAUSE)

    @property
    def slips(self) -> dict[str, Any]:
        """Each known wrong turn and what it gives, computed when it is asked for."""
        held = self._slips() if callable(self._slips) else self._slips
        return {name: value() if callable(value) else value for name, value in held.items()}

    @property
    def facts(self) -> dict[str, Prediction]:
        """What is asked, by the ids under which the journal keeps the answers."""
        main = Prediction(
            text=self.asked,
            unit=self.unit or None,
            options=tuple(self.options) or None,
            order=tuple(self.order) or None,
        )
        facts = {self.question: main}
        if self.why:
            facts[self.question + CAUSE] = Prediction(text="Why?", options=tuple(self.why))
        if self.because:
            facts[self.question + BECAUSE] = Prediction(text=self.because, sentence=True)
        return facts

    def said(self, done: Record | None = None) -> str:
        """The commitment, or another answer to the question, in words."""
        done = done or self.commitment
        if isinstance(done.value, str):
            return done.value
        return spell(float(done.value), done.unit)

    def guess(self) -> Any:
        """The commitment as a number in the question's unit, or the word or order that it is."""
        value = self.commitment.value
        return value.split(ORDER) if self.order and isinstance(value, str) else value

    def plain(self, truth: Any) -> float | str:
        """A truth as the journal compares it: a number in the question's unit, a word, an order."""
        if self.order or self.options:
            return joined(truth)
        return in_unit(truth, self.unit)

    def fits(self, done: Record) -> bool:
        """Whether an answer is one to this question: an older lesson may have asked another."""
        same = (done.unit or "") == self.unit
        return done.readable and same and self.facts[self.question].takes(done.value)

    def card(self) -> mo.Html:
        """What stands in place of the form after the commitment."""
        done, cause = self.commitment, self.cause
        reason = self.journal.get(self.question + BECAUSE)
        again = self.journal.get(self.question + AGAIN)
        sure = next((name for name, share in CONFIDENCE.items() if share == done.confidence), "")
        return mo.Html(
            pages.render(
                "said.html",
                question=self,
                text=prose(self.asked),
                said=self.said(),
                sure=sure,
                cause=cause.value if cause else "",
                reason=reason.value if reason else "",
                again=self.said(again) if again else "",
                notice=self.journal.notice,
            )
        )

    def reveal(
        self,
        truth: Any,
        *,
        why: Words = "",
        cause: str = "",
        formula: Words = "",
        chart: Callable[[Any], Any] | None = None,
        then: Words = "",
    ) -> Question:
        """What the solver says, beside what the learner said; nothing before the commitment.

        In this order: the mark, why, the formula with numbers, the chart, and what follows
        (`then`). `truth` is a value or a function that gives it; words and charts may be functions
        of what the learner said. `cause` is the right one of the question's `why`. Returns the
        question. Raises BadArgument for a truth that was no option.
        """
        self._reveal = Reveal(truth, why, cause, formula, chart, then)
        if self.committed:  # what fails in it fails in this cell
            self.page()
        return self

    def page(self) -> mo.Html:
        """The card, and below it what the solver says."""
        card = self.card().text
        if self._reveal and not self.done:  # a page that waits must still hear of its release
            again = "" if self.question + AGAIN in self.journal else self._form(again=True)
            waits = pages.render("waits.html", question=self, again=again)
            return mo.Html(f"{self._shell[0]}{card}{waits}{self._shell[1]}")
        return mo.Html(card + (self._revealed() if self._reveal else ""))

    def _revealed(self) -> str:
        told = self.answer
        marks = self._marks(told.truth, told.cause)
        drawn = self._drawn(told.chart) if told.chart and marks[0].grade != "unread" else ""
        return pages.render(
            "reveal.html",
            question=self,
            marks=[(each.grade, prose(each.sentence)) for each in marks],
            chart=drawn,
            **{name: self.told(getattr(told, name)) for name in ("why", "formula", "then")},
        )

    def _drawn(self, chart: Callable[[Any], Any]) -> str:
        """The chart beside an answer; in a class those who answered alike share one."""
        key = (self.question, str(self.guess()))
        if self.journal.seat is None or key not in _charts:
            page = mo.as_html(chart(self.guess())).text
            if self.journal.seat is None or len(_charts) >= _MOST_CHARTS:
                return page
            _charts[key] = page
        return _charts[key]

    @property
    def answer(self) -> Reveal:
        """What the solver says, worked out; raises LookupError where nothing is revealed."""
        if self._reveal is None:
            raise LookupError(f"question {self.question} reveals nothing")
        truth = self._reveal.truth
        return self._reveal._replace(truth=truth() if callable(truth) else truth)

    def told(self, words: Words) -> str:
        """Prose as HTML, which may be a function of what the learner said."""
        said = words(self.guess()) if callable(words) else words
        return prose(said) if said else ""

    def _marks(self, truth: Any, cause: str) -> list[Mark]:
        """The mark of an answer, and of its cause; the journal remembers what was true."""
        for said, known in ((truth, self.options), (cause, self.why)):
            if known and said not in known:
                raise BadArgument("truth", said, f"question {self.question} has options {known}")
        done, plain = self.commitment, self.plain(truth)
        self.journal.reveal(self.question, plain)
        if cause:
            self.journal.reveal(self.question + CAUSE, cause)
        if not self.fits(done):
            right = plain if isinstance(plain, str) else spell(plain, self.unit)
            words = "Your journal holds an answer that does not fit this question any more"
            return [Mark("unread", f"{words} ({done.text}). It is **{right}**.")]
        marks = [mark(done, truth, self.slips, self.within)]
        if cause and self.cause:
            found = mark(self.cause, cause, self.slips)
            right = [each.grade == "right" for each in (marks[0], found)]
            lead = "**Right answer, other reason.** " if right == [True, False] else ""
            said = f"The cause is right: **{cause}**." if right[1] else found.sentence
            marks.append(found._replace(sentence=lead + said))
        return marks

    def fault(self, sent: Any) -> str | None:
        """What is wrong with a submission, in a sentence; None when it can be committed."""
        again = self.journal.asks_again(self.question)
        if self.committed and not again:
            return f"You committed to {self.said()}; a commitment is final."
        if not self.committed and not self.open:
            return "Answer the question before this one first."
        sent = sent if isinstance(sent, dict) else {}
        given = sent.get("value")
        if given in (None, "", []):
            return "Commit to an answer first; a wrong guess teaches more than no guess."
        if self.options and given not in self.options:
            return f"Choose one of: {'; '.join(self.options)}."
        if self.order and (not isinstance(given, list) or sorted(map(str, given)) != self.order):
            return "Put each of them in its place, once."
        if self.why and not again and sent.get("cause") not in self.why:
            return "Say why as well: choose the cause that you believe in."
        if self.because and not again and not str(sent.get("because") or "").strip():
            return "Write your sentence too; a few words will do."
        return None if self.options or self.order else self._fault_of_number(given)

    def _fault_of_number(self, given: Any) -> str | None:
        try:
            number = self._number(given)
        except BadArgument as error:
            return ended(f"{shown(given)} is not a plain number: {error.remedy}")
        if number < 0 and not self.signed:
            return "The answer is not below zero."
        if number and not LEAST <= abs(number) <= MOST:
            return f"No answer here is that far from 1: check the power of ten of {given}."
        return None

    def _number(self, given: Any) -> float:
        """A number that was typed, which may repeat the unit; raises BadArgument."""
        text = str(given).strip()
        if not self.unit:
            return read_number(given)
        if text.endswith(self.unit):
            return read_number(text.removesuffix(self.unit))
        try:
            return read_number(given)
        except BadArgument:
            if is_word(self.unit) or not text[-1:].isalpha():
                raise
            return in_unit(parse(text), self.unit)

    def _convert_value(self, value: Any) -> Any:
        if isinstance(value, dict) and "room" in value:  # the class went on, perhaps elsewhere
            self.journal.look()
            self._sent = ""
            return self.commitment if self.committed else None
        if self.committed:  # the first commitment stands, whatever is sent
            self._sent = self._say_again(value) if self.journal.asks_again(self.question) else ""
            return self.commitment
        self._sent = self.fault(value) or "" if value is not None else ""
        if value is None or self._sent:
            return None
        sure = _sure(value)
        if self.why:
            self.journal.commit(self.question + CAUSE, value["cause"], None, sure)
        if self.because:
            sentence = " ".join(str(value["because"]).split())[:LONGEST_SENTENCE]
            self.journal.commit(self.question + BECAUSE, sentence, None, None)
        return self.journal.commit(self.question, *self._plain_of(value["value"]), sure)

    def _say_again(self, value: Any) -> str:
        """Write a second answer down beside the first; what is wrong with it, or ''."""
        if fault := self.fault(value):
            return fault
        self.journal.commit(self.question + AGAIN, *self._plain_of(value["value"]), _sure(value))
        return ""

    def _plain_of(self, answer: Any) -> tuple[float | str, str | None]:
        """An answer as the journal keeps it, and its unit."""
        if self.order:
            return ORDER.join(answer), None
        return (answer, None) if self.options else (self._number(answer), self.unit or None)

    def _answered(self, committed: Any) -> None:
        """Swap the form for its card, or say what is wrong; runs in the cell that shows it."""
        if committed is not None and not self._sent:
            try:
                shown = self.page()
            except Exception:
                mo.output.replace(self.card())  # the answer stands, whatever the reveal does
                raise
            mo.output.replace(shown)
        elif self._sent:
            self._send_message({"fault": self._sent}, None)
        if self._ctx is not None:  # cells that name the question run again only for an open answer
            # a private part of marimo's: without it they run again, and nothing else is lost
            bound = getattr(self._ctx.ui_element_registry, "_bindings", {})
            if self.done:
                bound.pop(self._id, None)
            else:
                bound[self._id] = set()

    def _form(self, *, again: bool = False) -> str:
        text = prose(self.asked)
        return pages.render(
            "ask.html", question=self, text=text, confidence=list(CONFIDENCE), again=again
        )

    def _mime_(self) -> Any:
        if self.committed:
            return self.page()._mime_()
        return super()._mime_() if self.open else mo.Html("")._mime_()

    def _repr_html_(self) -> str:  # what Jupyter shows
        return self._mime_()[1]

    def _clone(self) -> Question:  # containers clone their elements; a commitment has no twin
        return self


@lru_cache(4096)
def prose(text: str) -> str:
    """Markdown as HTML; a class reads the same words a hundred times."""
    return mo.md(text).text


def _sure(sent: Mapping[str, Any]) -> float | None:
    """How sure a learner says to be."""
    return CONFIDENCE.get(sent.get("confidence") or "")
