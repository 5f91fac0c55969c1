"""A page, and the Markdown that pages are made of. A link to a page begins with `@/`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# what Markdown or the reader of formulas would take for its own
_SPECIAL = str.maketrans({sign: f"&#{ord(sign)};" for sign in r"\`*_[]<>$|#~"})
_DOI = re.compile(r"\bdoi:(10\.[^\s,;]*[^\s,;.:])")
_ARXIV = re.compile(r"\barXiv:(\d{4}\.\d{4,5})")
_FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)


class Page(NamedTuple):
    """A page: where it stands in the site, what it is called there, and its Markdown."""

    path: str
    name: str
    text: str


def plain(text: Any) -> str:
    """Words as they are, whatever signs are in them."""
    return " ".join(str(text).split()).translate(_SPECIAL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown already; a column in which nothing is said is left out."""
    lines = [list(head), *(list(row) for row in rows)]
    told = [at for at in range(len(lines[0])) if any(line[at] for line in lines[1:])]
    lines = [[" ".join(line[at].split()) for at in told] for line in lines]
    lines.insert(1, ["---"] * len(told))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```"


def prose(doc: str | None) -> str:
    """A docstring as Markdown: its examples are code, and documents are links."""
    lines, example = [], False
    for line in inspect.cleandoc(doc or "").splitlines():
        begins, ends = line.startswith(">>>") and not example, example and not line.strip()
        lines += ["", "```pycon"] if begins else ["```"] if ends else []
        example = (example or begins) and not ends
        lines.append(line)
    text = "\n".join([*lines, "```"] if example else lines)
    text = re.sub(r"::\n", ":\n", text).replace("\nSource: ", "\n**Source:** ")
    text = _ARXIV.sub(r"[\g<0>](<https://arxiv.org/abs/\1>)", text)
    return _DOI.sub(lambda match: f"[{match[0]}](<https://doi.org/{match[1]}>)", text)


def first(doc: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())


def formula(doc: str | None) -> str:
    """The first formula of a docstring."""
    found = _FORMULA.search(inspect.cleandoc(doc or ""))
    return found[0] if found else ""


def signature(name: str, function: Any) -> str:
    """How a function is called, an argument a line where one line is not enough."""
    parts, star = [], False
    for each in inspect.signature(function).parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        sign = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        said = "" if each.annotation is each.empty else f": {_annotation(each.annotation)}"
        usual = "" if each.default is each.empty else f" = {each.default!r}"
        parts.append(f"{sign}{each.name}{said}{usual}")
    gives = inspect.signature(function).return_annotation
    end = ")" if gives is inspect.Signature.empty else f") -> {_annotation(gives)}"
    line = f"{name}({', '.join(parts)}{end}"
    long = "".join(f"    {part},\n" for part in parts)
    return code(line if len(line) <= 88 else f"{name}(\n{long}{end}", "python")


def _annotation(said: Any) -> str:
    return said if isinstance(said, str) else inspect.formatannotation(said)


def arguments(takes: Mapping[str, Any]) -> str:
    """What a solver or a tool takes, from its JSON schema."""
    rows = [
        [
            f"`{name}`",
            "**required**" if name in takes["required"] else _usual(part),
            plain(part.get("description", "")) + _choices(part.get("enum", ())),
        ]
        for name, part in takes["properties"].items()
    ]
    return table(("argument", "default", "meaning"), rows)


def _choices(values: Iterable[Any]) -> str:
    listed = ", ".join(f"`{each}`" for each in values)
    return f" (one of {listed})" if listed else ""


def _usual(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if schema.get("default") is not None else ""
