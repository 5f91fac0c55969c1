"""The answer sheet of an exercise: forms in a notebook, and the file that is handed in.

    sheet = AnswerSheet("00_hello_roofline", student)          # draws this learner's own numbers
    q1 = sheet.ask("q1", mine=mine)                            # the lesson's facts hold the text
    document = sheet.document(journal.records(), q1=q1)        # never holds a score

An answer may be computed in code (`mine`) or typed into the form. Nothing is judged here. What was
answered is kept in the learner's folder, so a reload loses nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import marimo as mo

import mlsysim
from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.core.registry import registry_hash
from mlsysim.course.journal import home
from mlsysim.course.lessons import Assignment, assignment, find_lesson
from mlsysim.course.questions import (
    Choice,
    Function,
    Interval,
    Number,
    Ordering,
    Question,
    Sentence,
    Several,
    Spec,
)
from mlsysim.course.sheet import Answer, Sheet
from mlsysim.course.variants import Variant, clean_id, code_for

_CODE = re.compile(r"[0-9a-f]{16}")
_LESSON_ASSUMPTION = "none: as in the lesson"
FILE = "answers.json"


class AnswerSheet:
    """One learner's sheet for one assignment; `variant` holds the learner's own numbers.

    `code` is what an instructor handed out; without one the public variants are drawn. Raises a
    BadArgument for an id or a code that cannot be one.
    """

    def __init__(
        self,
        name: str | Assignment,
        student: str,
        *,
        code: str = "",
        notebook: str | Path | None = None,
        drafts: str | Path | None = None,
    ) -> None:
        self.assignment, self.student = assignment(name), student
        self.id = clean_id(student)
        code = code.strip().lower()
        if code and not _CODE.fullmatch(code):
            raise BadArgument(
                "code",
                code,
                "a course code has 16 digits and letters from a to f, or leave it empty",
            )
        self.variant = self.assignment.draw(code or code_for(student, self.assignment.name))
        self.notebook = Path(notebook) if notebook else None
        self.registry = registry_hash()
        name = self.assignment.name
        unique = hashlib.sha256(f"{name}|{self.id}|{code}".encode()).hexdigest()[:16]
        self._draft = Path(drafts or home() / "answers") / f"{name}-{unique}.json"
        self._kept = self._read_draft()
        self._asked: dict[str, Question] = {}

    @property
    def sample(self) -> Variant:
        """The numbers of the worked example: nobody's own."""
        return self.assignment.variant(self.assignment.sample)

    # ---- forms ---------------------------------------------------------------------------------

    def ask(self, name: str, *, mine: Any = None) -> Any:
        """The form of a question; raises UnknownName for one that the assignment does not ask.

        `mine` is an answer computed in code, or None; raises BadArgument for one of the wrong kind.
        """
        asked = self._asked[name] = self.assignment.ask(name, self.variant)
        held = self._kept.get(name, {})
        if mine is not None:
            written = asked.write(mine)
            held = {**held, "value": written.value, "unit": written.unit}
        parts = widgets(asked, held)
        body = f"**{name.removeprefix('q')}.** {_literal(asked.text)}\n\n"
        body += " ".join(f"{{{part}}}" for part in parts)
        if asked.assumptions:
            options = {_LESSON_ASSUMPTION: None, **{words: words for words in asked.assumptions}}
            parts["assumption"] = mo.ui.dropdown(
                options,
                value=_among(options, held.get("assumption")) or _LESSON_ASSUMPTION,
                allow_select_none=False,
            )
            body += "\n\nAn assumption of your own: {assumption}"
        return mo.ui.batch(mo.md(body), parts)

    # ---- the file ------------------------------------------------------------------------------

    def document(self, journal: Sequence[Mapping[str, Any]] = (), **answers: Any) -> Sheet:
        """What is handed in; a draft of it is kept.

        `answers` are the forms, by their questions' names.
        """
        given = {name: _given(form.value) for name, form in answers.items()}
        sheet = Sheet(
            assignment=self.assignment.name,
            assignment_version=self.assignment.version,
            mlsysim=mlsysim.__version__,
            registry=self.registry,
            student=self.student,
            variant=self.variant.fields,
            answers={name: answer for name, answer in given.items() if not answer.blank},
            journal=tuple(dict(record) for record in journal),
            notebook=self._notebook_hash(),
        )
        self._write_draft({name: dict(vars(answer)) for name, answer in sheet.answers.items()})
        return sheet

    def faults(self, document: Sheet) -> dict[str, str]:
        """What cannot be graded as it stands, by question: not answered, no number, no unit."""
        faults = {
            name: asked.fault(document.answers.get(name, Answer()))
            for name, asked in self._asked.items()
        }
        return {name: fault for name, fault in faults.items() if fault}

    def panel(self, document: Sheet) -> mo.Html:
        """Which answers are complete, and the file to download. It does not say which are right."""
        faults = self.faults(document)
        rows = []
        for name in sorted(self._asked):
            text = document.answers.get(name, Answer()).said()
            cells = (
                name.removeprefix("q"),
                _literal_html(text) or "-",
                _literal_html(faults.get(name, "can be read")),
            )
            rows.append(f"| {' | '.join(cells)} |")
        done, every = len(rows) - len(faults), len(rows)
        predictions = len(document.journal)
        return mo.vstack(
            [
                mo.md("## Hand in"),
                mo.callout(
                    mo.md(
                        f"**{done} of {every} answers are complete**, and {predictions} "
                        "predictions of yours go with them. "
                        "Whether the answers are right is for the grader to say."
                    ),
                    kind="success" if done == every else "neutral",
                ),
                mo.md(
                    "\n".join(["| question | your answer | its form |", "|:---|:---|:---|", *rows])
                ),
                mo.download(
                    data=lambda: document.to_json().encode(),
                    filename=FILE,
                    mimetype="application/json",
                    label=f"Download {FILE}",
                ),
            ],
            gap=1,
        )

    def _notebook_hash(self) -> str | None:
        if self.notebook is None or not self.notebook.is_file():
            return None
        return hashlib.sha256(self.notebook.read_bytes()).hexdigest()

    # ---- drafts --------------------------------------------------------------------------------

    def _read_draft(self) -> dict[str, Any]:
        try:
            held = json.loads(self._draft.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return (
            {name: part for name, part in held.items() if isinstance(part, dict)}
            if isinstance(held, dict)
            else {}
        )

    def _write_draft(self, answers: Mapping[str, Any]) -> None:
        if answers == self._kept:
            return
        with contextlib.suppress(OSError):  # a read-only home costs the draft, not the exercise
            self._draft.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._draft.with_suffix(".new")
            fresh.write_text(json.dumps(answers, indent=1), encoding="utf-8")
            fresh.replace(self._draft)
        self._kept = dict(answers)


def identity(stem: str) -> Any:
    """The head of an exercise, which asks whose it is: its value has a `student` and a `code`."""
    lesson = find_lesson(stem)
    text = (
        f"# Exercise {lesson.number} · {lesson.title}\n\n**{lesson.question}**\n\n"
        f"{len(lesson.assignment.questions)} questions with numbers of your own. Type each answer "
        f"into its form, or, if you opened this with `mlsysim learn {stem[:2]} --exercise --edit`, "
        "compute it in code below the `# answer:` line. At the end you download "
        f"`{FILE}` and hand it in. Nothing is judged on this page.\n\n{{student}}\n\n{{code}}"
    )
    fields = {
        "student": mo.ui.text(label="Student id", placeholder="as in your course"),
        "code": mo.ui.text(label="Course code", placeholder="if you got one"),
    }
    return mo.ui.batch(mo.md(text), fields)


def open_sheet(name: str, student: str, **how: Any) -> AnswerSheet:
    """The learner's sheet; the cell stops with a note while there is no usable id."""
    if not student.strip():
        mo.stop(
            True,
            mo.callout(
                mo.md("Give your **student id** above: your numbers are drawn from it."),
                kind="info",
            ),
        )
    try:
        return AnswerSheet(name, student, **how)
    except MLSysError as error:
        mo.stop(True, mo.callout(mo.md(_literal_html(str(error))), kind="warn"))
        raise


@singledispatch
def widgets(asked: Question, held: Mapping[str, Any]) -> dict[str, Any]:
    """The elements of a question's form, `value` first; `held` is what they show at the start."""
    raise NotImplementedError(f"there is no form for a {type(asked).__name__}")


@widgets.register
def _(asked: Number, held: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": _field(held.get("value"), "a number"), **_units(asked, held)}


@widgets.register
def _(asked: Interval, held: Mapping[str, Any]) -> dict[str, Any]:
    low, high = [*_parts(held), None, None][:2]
    ends = mo.ui.array([_field(low, "the lower end"), _field(high, "the upper end")])
    return {"value": ends, **_units(asked, held)}


@widgets.register
def _(asked: Choice, held: Mapping[str, Any]) -> dict[str, Any]:
    options = list(asked.choices)
    return {"value": mo.ui.radio(options, value=_among(options, held.get("value")))}


@widgets.register
def _(asked: Several, held: Mapping[str, Any]) -> dict[str, Any]:
    marked = [option for option in asked.choices if option in _parts(held)]
    return {"value": mo.ui.multiselect(list(asked.choices), value=marked)}


@widgets.register
def _(asked: Ordering, held: Mapping[str, Any]) -> dict[str, Any]:
    options, parts = list(asked.choices), [*_parts(held), *[None] * len(asked.choices)]
    places = [
        mo.ui.dropdown(
            options, value=_among(options, part), allow_select_none=True, label=f"{place + 1}."
        )
        for place, part in enumerate(parts[: len(options)])
    ]
    return {"value": mo.ui.array(places)}


@widgets.register
def _(asked: Sentence, held: Mapping[str, Any]) -> dict[str, Any]:
    text = mo.ui.text_area(
        _text(held.get("value")), max_length=asked.longest, debounce=False, full_width=True
    )
    return {"value": text}


@widgets.register(Spec)
@widgets.register(Function)
def _(asked: Spec | Function, held: Mapping[str, Any]) -> dict[str, Any]:
    language = "python" if isinstance(asked, Function) else "yaml"
    return {"value": mo.ui.code_editor(_text(held.get("value")), language)}


def _field(held: Any, placeholder: str) -> Any:
    return mo.ui.text(_text(held), placeholder=placeholder, debounce=False)


def _units(asked: Number | Interval, held: Mapping[str, Any]) -> dict[str, Any]:
    options, unit = list(asked.units), _among(asked.units, held.get("unit"))
    return (
        {"unit": mo.ui.dropdown(options, value=unit, allow_select_none=True, label="unit")}
        if options
        else {}
    )


def _text(held: Any) -> str:
    return held if isinstance(held, str) else ""


def _parts(held: Mapping[str, Any]) -> list[Any]:
    """The parts of a list that was held."""
    value = held.get("value")
    return value if isinstance(value, list) else []


def _among(options: Iterable[str], held: Any) -> str | None:
    """What was held, where it is still one of the options."""
    return held if isinstance(held, str) and held in options else None


def _given(value: Mapping[str, Any]) -> Answer:
    """A form's value as the file holds it, blank when it was left so."""
    given = value.get("value")
    given = [_trimmed(part) for part in given] if isinstance(given, list) else _trimmed(given)
    return Answer(value=given, unit=value.get("unit") or None, assumption=value.get("assumption"))


def _trimmed(part: Any) -> Any:
    return part.strip() if isinstance(part, str) else part


def _literal(text: str) -> str:
    """Text whose braces are meant: a batch fills in only its own."""
    return text.replace("{", "{{").replace("}", "}}")


def _literal_html(text: str) -> str:
    """What a learner typed, as it may stand in a table of markdown."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|$#~])", r"\\\1", shown.replace("\n", " "))
