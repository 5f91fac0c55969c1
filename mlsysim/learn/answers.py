"""The answer sheet of an exercise: forms in a notebook, and the file that is handed in.

    sheet = AnswerSheet("00_hello_roofline", student)          # draws this learner's own numbers
    q1 = sheet.ask("q1", "How long is one step?", units=("ms", "s"), mine=mine)
    document = sheet.document(journal.records(), q1=q1)        # never holds a score

An answer may be computed in code (`mine`) or typed into the form. Nothing is judged here. What was
answered is kept in the learner's folder, so a reload loses nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import marimo as mo

import mlsysim
from mlsysim.core.errors import BadArgument, MLSysError, UnknownName, WrongUnit
from mlsysim.core.registry import registry_hash
from mlsysim.core.units import Quantity
from mlsysim.course.journal import home
from mlsysim.course.variants import SCHEMA, assignment, clean_id, code_for, read_number

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
        name: str,
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
        self.variant = self.assignment.draw(code or code_for(student, name))
        self.notebook = Path(notebook) if notebook else None
        self.registry = registry_hash()
        unique = hashlib.sha256(f"{name}|{self.id}|{code}".encode()).hexdigest()[:16]
        self._draft = Path(drafts or home() / "answers") / f"{name}-{unique}.json"
        self._kept = self._read_draft()
        self._units: dict[str, tuple[str, ...]] = {}
        self._choices: dict[str, tuple[str, ...]] = {}

    # ---- forms ---------------------------------------------------------------------------------

    def ask(
        self,
        question: str,
        text: str,
        *,
        units: Sequence[str] = (),
        assumptions: Sequence[str] = (),
        mine: Any = None,
    ) -> Any:
        """A form for a number, with a unit and an assumption where the question has such.

        `mine` is an answer computed in code: a quantity, a number, or None.
        """
        self._units[question] = tuple(units)
        kept = self._kept.get(question, {})
        value, unit = str(kept.get("value") or ""), kept.get("unit")
        if mine is not None:
            value, unit = _written(mine, units)
        parts: dict[str, Any] = {
            "value": mo.ui.text(value=value, placeholder="a number", debounce=False)
        }
        row = "{value}"
        if units:
            parts["unit"] = mo.ui.dropdown(
                list(units),
                value=unit if unit in units else None,
                allow_select_none=True,
                label="unit",
            )
            row += " {unit}"
        body = f"{_literal(text)}\n\n{row}"
        if assumptions:
            options = {_LESSON_ASSUMPTION: None, **{name: name for name in assumptions}}
            held = kept.get("assumption")
            parts["assumption"] = mo.ui.dropdown(
                options,
                value=held if held in options else _LESSON_ASSUMPTION,
                allow_select_none=False,
            )
            body += "\n\nAn assumption of your own: {assumption}"
        return mo.ui.batch(mo.md(body), parts)

    def choose(self, question: str, text: str, options: Sequence[str], *, mine: Any = None) -> Any:
        """A form for a choice. `mine` is one computed in code, or None."""
        self._choices[question] = tuple(options)
        kept = self._kept.get(question, {}).get("value")
        value = kept if kept in options else None
        if mine is not None:
            matches = [option for option in options if option.casefold() == str(mine).casefold()]
            if not matches:
                raise UnknownName("mine", mine, options)
            value = matches[0]
        return mo.ui.batch(
            mo.md(f"{_literal(text)}\n\n{{value}}"),
            {"value": mo.ui.radio(list(options), value=value)},
        )

    # ---- the file ------------------------------------------------------------------------------

    def document(self, journal: Sequence[Mapping[str, Any]] = (), **answers: Any) -> dict[str, Any]:
        """What is handed in; a draft of it is kept.

        `answers` are the forms, by their questions' names.
        """
        given = {name: _given(form.value) for name, form in answers.items()}
        document = {
            "schema": SCHEMA,
            "assignment": self.assignment.name,
            "assignment_version": self.assignment.version,
            "mlsysim": mlsysim.__version__,
            "registry": self.registry,
            "student": self.student,
            "variant": self.variant.fields,
            "answers": {name: answer for name, answer in given.items() if answer is not None},
            "journal": [dict(record) for record in journal],
            "notebook": self._notebook_hash(),
        }
        self._write_draft(document["answers"])
        return document

    def faults(self, document: Mapping[str, Any]) -> dict[str, str]:
        """What cannot be graded as it stands, by question: not answered, no number, no unit."""
        answers = document["answers"]
        return {
            name: fault
            for name in (*self._units, *self._choices)
            if (fault := self._fault(name, answers.get(name)))
        }

    def _fault(self, name: str, answer: Mapping[str, Any] | None) -> str:
        if answer is None:
            return "not answered yet"
        if name in self._choices:
            return ""
        try:
            read_number(answer["value"], "the number")
        except BadArgument as error:
            return str(error)
        return "choose the unit" if self._units[name] and not answer["unit"] else ""

    def panel(self, document: Mapping[str, Any]) -> mo.Html:
        """Which answers are complete, and the file to download. It does not say which are right."""
        faults = self.faults(document)
        rows = []
        for name in sorted((*self._units, *self._choices)):
            answer = document["answers"].get(name, {})
            text = " ".join(str(answer[key]) for key in ("value", "unit") if answer.get(key))
            cells = (
                name.removeprefix("q"),
                _literal_html(text) or "-",
                _literal_html(faults.get(name, "can be read")),
            )
            rows.append(f"| {' | '.join(cells)} |")
        done, every = len(rows) - len(faults), len(rows)
        predictions = len(document["journal"])
        return mo.vstack(
            [
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
                    data=lambda: to_json(document).encode(),
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


def to_json(document: Mapping[str, Any]) -> str:
    """The bytes of answers.json."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _written(mine: Any, units: Sequence[str]) -> tuple[str, str | None]:
    """A computed answer as it would be typed: a number, and its unit."""
    if isinstance(mine, Quantity):
        for unit in units or ("",):
            if mine.is_compatible_with(unit):
                return f"{float(mine.m_as(unit)):.6g}", unit or None
        raise WrongUnit("mine", mine, f"give a quantity in {' or '.join(units) or 'no unit'}")
    if units:
        raise WrongUnit("mine", mine, f"give a quantity in {' or '.join(units)}")
    return f"{read_number(float(mine), 'mine'):.6g}", None


def _given(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """A form's value as the file holds it; None when it was left blank."""
    answer = value.get("value")
    if answer is None or not str(answer).strip():
        return None
    return {
        "value": str(answer).strip(),
        "unit": value.get("unit") or None,
        "assumption": value.get("assumption"),
    }


def _literal(text: str) -> str:
    """Text whose braces are meant: a batch fills in only its own."""
    return text.replace("{", "{{").replace("}", "}}")


def _literal_html(text: str) -> str:
    """What a learner typed, as it may stand in a table of markdown."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|$#~])", r"\\\1", shown.replace("\n", " "))
