"""The answer sheet, `answers.json`: what an exercise writes and a grader reads, never a score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from mlsysim.core.errors import BadArgument
from mlsysim.core.values import Many, Value
from mlsysim.course.variants import clean_id

SCHEMA = 1
_MOST = {"answers": 200, "variant": 200, "journal": 2000}
_STAMPS = ("mlsysim", "registry", "notebook")


class Answer(Value):
    """One answer as it stands in a file: anything that JSON holds, until a question reads it."""

    value: Any = None
    unit: Any = None
    assumption: Any = None

    @classmethod
    def meant(cls, given: Any) -> Any:
        """What JSON holds: a mapping, of which only these keys count, or a bare value."""
        if isinstance(given, Answer):
            return given
        held = given if isinstance(given, Mapping) else {"value": given}
        return {key: held[key] for key in _ANSWER if key in held}

    @property
    def blank(self) -> bool:
        """Whether nothing was answered."""
        parts = self.value if isinstance(self.value, list) else [self.value]
        return all(part is None or (isinstance(part, str) and not part.strip()) for part in parts)

    def said(self, longest: int = 40) -> str:
        """What was answered, each part shortened: text that may hold anything."""
        parts = self.value if isinstance(self.value, list) else [self.value]
        words = [str(part)[:longest] for part in parts if part is not None]
        unit = "" if self.unit is None else f" {str(self.unit)[:longest]}"
        text = ", ".join(words[:20]) + unit
        return "".join(c for c in text if c.isprintable() or c == "\n")


_ANSWER = tuple(Answer.model_fields)


class Sheet(Value):
    """One learner's answers to one assignment; `student` is the id as the learner wrote it.

    Records of the journal stay as they are: a fault in one must not cost the answers. `ignored`
    names keys of a file that mean nothing here.
    """

    model_config = ConfigDict(validate_by_name=True)

    form: Literal[1] = Field(default=SCHEMA, alias="schema")
    assignment: str
    assignment_version: int
    mlsysim: str = ""
    registry: str = ""
    student: str
    variant: dict[str, Any] = {}
    answers: dict[str, Answer] = {}
    journal: Many[Any] = ()
    notebook: str | None = None
    ignored: SkipJsonSchema[Many[str]] = ()

    def check(self) -> None:
        """The student has an id, and nothing is longer than a sheet can be."""
        try:
            clean_id(self.student)
        except BadArgument as error:
            raise self.wrong("student", error.remedy) from None
        for key, most in _MOST.items():
            if len(getattr(self, key)) > most:
                raise self.wrong(key, f"it may hold at most {most}")

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Sheet:
        """The sheet that a file holds, keys without a meaning left aside; raises InvalidEntry."""
        known = {"schema", *cls.model_fields} - {"form", "ignored"}
        unread = {key for key in _STAMPS if not isinstance(data.get(key), str)}
        held = {key: data[key] for key in known - unread if key in data}
        return cls.build({**held, "ignored": [key[:40] for key in sorted(set(data) - known)[:10]]})

    def to_json(self) -> str:
        """The text of answers.json."""
        held = self.model_dump(by_alias=True, exclude={"ignored"})
        return json.dumps(held, indent=1, ensure_ascii=False) + "\n"
