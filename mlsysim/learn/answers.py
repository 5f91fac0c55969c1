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
from mlsysim.course import questions
from mlsysim.course.journal import home
from mlsysim.course.lessons import Assignment, assignment, find_lesson
from mlsysim.course.lines import write_whole
from mlsysim.course.questions import Question
from mlsysim.course.sheet import Answer, Sheet
from mlsysim.course.variants import Variant, clean_id, code_for
from mlsysim.learn.lesson import dress, served

_CODE = re.compile(r"[0-9a-f]{16}")
_LESSON_ASSUMPTION = "none: as in the lesson"
FILE = "answers.json"
_WHO = "student.json"


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
            remedy = "a course code has 16 digits and letters from a to f, or leave it empty"
            raise BadArgument("code", code, remedy)
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
        held = self._kept.get(name, Answer())
        if mine is not None:
            held = asked.write(mine).replace(assumption=held.assumption)
        parts = widgets(asked, held)
        body = f"**{name.removeprefix('q')}.** {_literal(asked.text)}\n\n"
        body += " ".join(f"{{{part}}}" for part in parts)
        if asked.assumptions:
            options = {_LESSON_ASSUMPTION: None, **{words: words for words in asked.assumptions}}
            parts["assumption"] = mo.ui.dropdown(
                options,
                value=_among(options, held.assumption) or _LESSON_ASSUMPTION,
                allow_select_none=False,
                label="An assumption of your own:",
                full_width=True,
            )
            body += "\n\n{assumption}"
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
        self._write_draft(sheet.answers)
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
        rows = ["| question | your answer | its form |", "|:---|:---|:---|"]
        for name in self._asked:
            said = _literal_html(document.answers.get(name, Answer()).said()) or "-"
            form = _literal_html(faults.get(name, "can be read"))
            rows.append(f"| {name.removeprefix('q')} | {said} | {form} |")
        every = len(self._asked)
        done = mo.md(
            f"**{every - len(faults)} of {every} answers are complete**, and "
            f"your predictions ({len(document.journal)}) go with them. "
            "Whether the answers are right is for the grader to say."
        )
        save = mo.download(
            data=lambda: document.to_json().encode(),
            filename=FILE,
            mimetype="application/json",
            label=f"Download {FILE}",
        )
        note = mo.callout(done, kind="neutral" if faults else "success")
        parts = [mo.md("## Hand in"), note, mo.md("\n".join(rows)), save]
        if (base := served()) is not None:
            back = f"Back to [the lesson]({base}/{self.assignment.name}/) or to [all]({base}/)."
            parts.append(mo.md(back))
        return mo.vstack(parts, gap=1)

    def _notebook_hash(self) -> str | None:
        if self.notebook is None or not self.notebook.is_file():
            return None
        return hashlib.sha256(self.notebook.read_bytes()).hexdigest()

    # ---- drafts --------------------------------------------------------------------------------

    def _read_draft(self) -> dict[str, Answer]:
        try:
            held = json.loads(self._draft.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        drafts = held.items() if isinstance(held, dict) else ()
        return {name: Answer.build(part) for name, part in drafts if isinstance(part, dict)}

    def _write_draft(self, answers: dict[str, Answer]) -> None:
        if answers == self._kept:
            return
        with contextlib.suppress(OSError):  # a read-only home costs the draft, not the exercise
            held = {name: answer.model_dump() for name, answer in answers.items()}
            write_whole(self._draft, json.dumps(held, indent=1))
        self._kept = answers


def identity(stem: str) -> Any:
    """The head of an exercise, which asks whose it is: its value has a `student` and a `code`."""
    lesson = find_lesson(stem)
    text = (
        f"# Exercise {lesson.number} · {lesson.title}\n\n**{lesson.question}**\n\n"
        f"{len(assignment(stem).questions)} questions with numbers of your own. Type each answer "
        f"into its form, or, if you opened this with `mlsysim learn {stem[:2]} --exercise --edit`, "
        "compute it in code below the `# answer:` line. At the end you download "
        f"`{FILE}` and hand it in. Nothing is judged on this page.\n\n{{student}}\n\n{{code}}"
    )
    last = _remembered() if _is_page() else {}
    fields = {
        name: mo.ui.text(last.get(name, ""), label=label, placeholder=hint, debounce=False)
        for name, label, hint in (
            ("student", "Student id", "as in your course"),
            ("code", "Course code", "if you got one"),
        )
    }
    return mo.ui.batch(mo.Html(_literal(dress()) + mo.md(text).text), fields)


def _is_page() -> bool:
    """Whether a browser shows the notebook: what runs as a script remembers nobody."""
    return mo.app_meta().mode in ("run", "edit")


def _remembered() -> dict[str, str]:
    """The id and the code that were given last, so that a reload asks for neither again."""
    try:
        held = json.loads((home() / _WHO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = held.items() if isinstance(held, dict) else ()
    return {name: text for name, text in known if isinstance(text, str)}


def _remember(student: str, code: str) -> None:
    if _is_page() and _remembered() != {"student": student, "code": code}:
        with contextlib.suppress(OSError):
            write_whole(home() / _WHO, json.dumps({"student": student, "code": code}))


def open_sheet(name: str, student: str, **how: Any) -> AnswerSheet:
    """The learner's sheet; the cell stops with a note while there is no usable id."""
    hint = "Give your **student id** above: your numbers are drawn from it."
    mo.stop(not student.strip(), mo.callout(mo.md(hint), kind="info"))
    try:
        sheet = AnswerSheet(name, student, **how)
    except MLSysError as error:
        mo.stop(True, mo.callout(mo.md(_literal_html(str(error))), kind="warn"))
        raise
    _remember(student, how.get("code", ""))
    return sheet


@singledispatch
def widgets(asked: Question, held: Answer) -> dict[str, Any]:
    """The elements of a question's form, `value` first; `held` is what they show at the start."""
    raise NotImplementedError(f"there is no form for a {type(asked).__name__}")


@widgets.register
def _(asked: questions.Number, held: Answer) -> dict[str, Any]:
    return {"value": _field(held.value, "a number"), **_units(asked, held)}


@widgets.register
def _(asked: questions.Interval, held: Answer) -> dict[str, Any]:
    low, high = [*_parts(held), None, None][:2]
    ends = [_field(low, "the lower end"), _field(high, "the upper end")]
    return {"value": _Listed("<p>{} to {}</p>", ends), **_units(asked, held)}


@widgets.register
def _(asked: questions.Choice, held: Answer) -> dict[str, Any]:
    return {"value": mo.ui.radio(asked.choices, value=_among(asked.choices, held.value))}


@widgets.register
def _(asked: questions.Several, held: Answer) -> dict[str, Any]:
    marked = [option for option in asked.choices if option in _parts(held)]
    return {"value": _Marked(asked.choices, marked)}


@widgets.register
def _(asked: questions.Ordering, held: Answer) -> dict[str, Any]:
    parts = [*_parts(held), *[None] * len(asked.choices)][: len(asked.choices)]
    places = [
        _chosen(asked.choices, part, f"{n}.", full_width=True)
        for n, part in enumerate(parts, start=1)
    ]
    return {"value": _Listed("<p>{}</p>" * len(places), places)}


@widgets.register
def _(asked: questions.Sentence, held: Answer) -> dict[str, Any]:
    text = mo.ui.text_area(
        _text(held.value),
        max_length=asked.longest,
        debounce=False,
        full_width=True,
        label="Your words",
    )
    return {"value": text}


@widgets.register
def _(asked: questions.Function, held: Answer) -> dict[str, Any]:
    return {"value": mo.ui.code_editor(_text(held.value), "python")}


@widgets.register
def _(asked: questions.Spec, held: Answer) -> dict[str, Any]:
    return {"value": mo.ui.code_editor(_text(held.value), "yaml")}


class _Listed(mo.ui.batch):
    """Several elements whose values are one list; marimo's own array shows them as a tree of JSON.

    `layout` has a `{}` for each of them.
    """

    def __init__(self, layout: str, elements: Sequence[Any]) -> None:
        self._layout = layout
        named = {f"part{n}": element for n, element in enumerate(elements)}
        super().__init__(mo.Html(layout.format(*(f"{{{name}}}" for name in named))), named)

    def _convert_value(self, value: Mapping[str, Any]) -> Any:
        return [*super()._convert_value(dict(value)).values()]

    def _clone(self) -> _Listed:
        return _Listed(self._layout, [*self.elements.values()])


class _Marked(_Listed):
    """A box for each option; the value is the list of those that are marked."""

    def __init__(self, options: Sequence[str], marked: Sequence[str]) -> None:
        self._options, self._marked = options, marked
        boxes = [mo.ui.checkbox(option in marked, label=option) for option in options]
        super().__init__("<p>{}</p>" * len(boxes), boxes)

    def _convert_value(self, value: Mapping[str, Any]) -> Any:
        on = super()._convert_value(value)
        return [option for option, each in zip(self._options, on, strict=True) if each]

    def _clone(self) -> _Marked:
        return _Marked(self._options, self._marked)


def _field(held: Any, placeholder: str) -> Any:
    return mo.ui.text(_text(held), placeholder=placeholder, debounce=False)


def _units(asked: questions.Measured, held: Answer) -> dict[str, Any]:
    return {"unit": _chosen(asked.units, held.unit, "unit")} if asked.units else {}


def _chosen(options: Sequence[str], held: Any, label: str, **how: Any) -> Any:
    chosen = _among(options, held)
    return mo.ui.dropdown(options, value=chosen, allow_select_none=True, label=label, **how)


def _text(held: Any) -> str:
    return held if isinstance(held, str) else ""


def _parts(held: Answer) -> list[Any]:
    """The parts of a list that was held."""
    return held.value if isinstance(held.value, list) else []


def _among(options: Iterable[str], held: Any) -> str | None:
    """What was held, where it is still one of the options."""
    return held if isinstance(held, str) and held in options else None


def _given(value: Mapping[str, Any]) -> Answer:
    """A form's value as the file holds it."""
    return Answer(
        value=value.get("value"), unit=value.get("unit") or None, assumption=value.get("assumption")
    )


def _literal(text: str) -> str:
    """Text whose braces are meant: a batch fills in only its own."""
    return text.replace("{", "{{").replace("}", "}}")


def _literal_html(text: str) -> str:
    """What a learner typed, as it may stand in a table of markdown."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|$#~])", r"\\\1", shown.replace("\n", " "))
