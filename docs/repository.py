"""Pages that stand in the clone as Markdown, and how to cite it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import yaml

from docs.kit import Page, code
from docs.shelves import stack_table

ROOT = Path(__file__).parent.parent
# file of the clone: its page, and what that is called
HOMES = {
    "README.md": ("index.md", "What it is"),
    "docs/stacks.md": ("stacks.md", "Stacks, and how to choose one"),
    "docs/questions/README.md": ("questions.md", "Ten questions"),
    "docs/stability.md": ("stability.md", "What is stable"),
    "CONTRIBUTING.md": ("recipes.md", "Recipes"),
    "ARCHITECTURE.md": ("architecture.md", "Architecture"),
    "CHANGELOG.md": ("changelog.md", "Changelog"),
    "grading/README.md": ("grading.md", "Grading a class"),
}
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|@/)([^)#\s]+)(#[\w-]+)?")
_TRUST = "## How far to trust it\n"  # begins a page of its own
_APART = {"README.md#how-far-to-trust-it": "accuracy.md"}


def read(name: str) -> str:
    """The text of a file of the clone."""
    return (ROOT / name).read_text(encoding="utf-8")


def block(name: str, language: str) -> str:
    """The first block of code of a language in a file of the clone."""
    return read(name).partition(f"```{language}\n")[2].partition("```")[0]


def pages() -> dict[str, Page]:
    """Every page of prose by its path; the README's last part is a page of its own."""
    found = {path: Page(path, name, _moved(file)) for file, (path, name) in HOMES.items()}
    front, head, trust = found["index.md"].text.partition(_TRUST)
    if not head:
        raise ValueError(f"README.md has no part {_TRUST.strip()!r}, which is the page of accuracy")
    found["index.md"] = found["index.md"]._replace(text=front)
    found["accuracy.md"] = Page("accuracy.md", "Accuracy", f"#{head[2:]}{trust}")
    stacks = found["stacks.md"].text.replace("<!-- stacks -->", stack_table())
    found["stacks.md"] = found["stacks.md"]._replace(text=stacks)
    found["cite.md"] = Page("cite.md", "How to cite it", _cited())
    return found


def _moved(file: str) -> str:
    """The text of a file, whose links to other files lead to their pages."""

    def page(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[1]))
        anchor = match[2] or ""
        if target not in HOMES:
            raise ValueError(f"{file} links to {match[1]}, which has no page: add it to HOMES")
        return f"@/{_APART.get(target + anchor) or HOMES[target][0] + anchor}"

    return _LINK.sub(page, read(file)).replace("```console", "```bash")  # they have no prompt


def citation() -> dict[str, Any]:
    """What CITATION.cff says."""
    return yaml.safe_load(read("CITATION.cff"))


def _cited() -> str:
    said = citation()
    authors = " and ".join(f"{{{each['name']}}}" for each in said["authors"])
    fields = {"title": f"{{{said['title']}}}", "author": authors, "version": said["version"]}
    lines = "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items())
    parts = ["# How to cite it", said["message"], code(f"@software{{mlsysim,\n{lines}}}", "bibtex")]
    return "\n\n".join([*parts, "`CITATION.cff` in the clone:", code(read("CITATION.cff"), "yaml")])
