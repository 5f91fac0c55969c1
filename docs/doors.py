"""Commands, tools for agents, keys of a system, and the course: what comes through which door."""

from __future__ import annotations

from typing import Any

import typer

from docs.kit import Page, arguments, code, plain, prose, table
from docs.repository import block
from mlsysim.cli import app
from mlsysim.course.lessons import lessons
from mlsysim.course.paths import paths
from mlsysim.evaluation.schemas import in_short
from mlsysim.mcp.tools import tools


def command_page() -> Page:
    """Every command of the shell, with its arguments and an example."""
    root: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        'Exit codes: 0 an answer, 1 an answer that is "no", 2 a malformed question, '
        "3 a broken constraint.",
    ]
    for name, command in root.commands.items():
        parts += [f"## mlsysim {name} {{ #{name} }}", *_told(command.help), _options(command)]
    return Page("commands.md", "Commands", "\n\n".join(parts))


def _told(text: str | None) -> list[str]:
    """The paragraphs of a command's help; those that are commands are code."""
    parts = prose(text).split("\n\n")
    return [code(part, "bash") if part.startswith("mlsysim ") else part for part in parts]


def _options(command: Any) -> str:
    rows = [
        [_called(one), _usual(one), plain(getattr(one, "help", None) or "")]
        for one in command.params
        if not getattr(one, "hidden", False)
    ]
    return table(("argument", "default", "meaning"), rows) if rows else ""


def _called(one: Any) -> str:
    names = [*one.opts, *one.secondary_opts]
    return ", ".join(f"`{name}`" for name in (names if names[0][0] == "-" else [one.name.upper()]))


def _usual(one: Any) -> str:
    if one.required:
        return "**required**"
    return "" if one.default in (None, "") or one.default is False else f"`{one.default}`"


def tool_page() -> Page:
    """Every tool of the server for agents, as its schema tells it."""
    parts = [
        "# Tools for an agent",
        "`mlsysim mcp` serves them (the extra `mcp`); a client is told, for example:",
        code(block("README.md", "json"), "json"),
        "Quantities are written with their unit; what does not fit is an answer with its reason, "
        "and a malformed question an error that says what would do.",
    ]
    for name, tool in tools().items():
        parts += [f"## {name} {{ #{name} }}", prose(tool.about), arguments(tool.takes)]
    return Page("tools.md", "Tools for an agent", "\n\n".join(parts))


def key_page() -> Page:
    """Every key of a whole system, in a line."""
    text = code(in_short("system", {}), "text")
    parts = ["# Keys of a system", "`mlsysim schema --short` prints them.", text]
    return Page("keys.md", "Keys of a system", "\n\n".join(parts))


def course_page() -> Page:
    """The lessons and the paths through them."""
    rows = [
        [f"{one.number:02}", plain(one.title), plain(one.question), str(one.minutes), one.level]
        for one in lessons()
    ]
    ways = [
        [each.letter, plain(each.title), plain(each.reader), str(each.minutes),
         ", ".join(f"{one.lesson:02}" for one in each.stations if one.lesson is not None)]
        for each in paths()
    ]  # fmt: skip
    parts = [
        "# The course",
        "`mlsysim learn` opens it in a browser.",
        table(("lesson", "title", "question", "minutes", "level"), rows),
        "## Paths",
        table(("path", "title", "for", "minutes", "lessons"), ways),
    ]
    return Page("course.md", "The course", "\n\n".join(parts))
