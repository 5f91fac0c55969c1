"""One site of all pages: links made relative, a map for the reader, and what draws them."""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from docs import doors, reference, repository, shelves
from docs.kit import Page
from mlsysim.palette import FONT, PALETTE

HERE = Path(__file__).parent
_LINK = re.compile(r"\]\(@/([^)#]*)(#[^)]*)?\)")
_PROJECT = ("recipes.md", "architecture.md", "stability.md", "changelog.md", "cite.md")


def nav() -> list[tuple[str, Any]]:
    """Every page of the site, in the order in which a reader finds them."""
    told = repository.pages()

    def prose(*paths: str) -> list[Page]:
        return [told[path] for path in paths]

    return [
        ("Start", prose("index.md", "questions.md", "accuracy.md", "stacks.md")),
        ("Walls", reference.wall_pages()),
        ("Solvers", reference.solver_pages()),
        ("Equations", reference.equation_pages()),
        ("Registries", shelves.registry_pages()),
        (
            "Doors",
            [reference.names_page(), doors.command_page(), doors.key_page(), doors.tool_page()],
        ),
        ("Course", [doors.course_page(), *prose("grading.md")]),
        ("Project", prose(*_PROJECT)),
    ]


def build(folder: Path) -> Path:
    """Build the site in `folder`, whatever was there before; returns the site's own folder.

    Raises RuntimeError where what draws it is not installed, or refuses a page.
    """
    if find_spec("zensical") is None:
        raise RuntimeError('the site is drawn by zensical: pip install -e ".[docs]"')
    source = folder / "pages"
    for stale in (source, folder / "site", folder / ".cache"):
        shutil.rmtree(stale, ignore_errors=True)
    shutil.copytree(HERE / "assets", source / "assets")
    (source / "assets" / "palette.css").write_text(_colours(), encoding="utf-8")
    settings = yaml.safe_load((HERE / "site.yaml").read_text(encoding="utf-8"))
    settings["nav"] = _written(nav(), source)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    asked = [sys.executable, "-m", "zensical", "build", "--strict", "-f", "mkdocs.yml"]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"zensical refused it:\n{done.stdout}{done.stderr}")
    return folder / "site"


def _written(parts: list[tuple[str, Any]], source: Path) -> list[dict[str, Any]]:
    """Write pages below `source`; returns the map of them as the site's settings have it."""
    entries: list[dict[str, Any]] = []
    for title, pages in parts:
        if pages and isinstance(pages[0], Page):
            held = [_write(page, source) for page in pages]
        else:
            held = _written(pages, source)
        entries += [{title.capitalize(): held}] if title else held
    return entries


def _write(page: Page, source: Path) -> dict[str, str]:
    """Write one page, whose links lead to where others stand from here."""

    def relative(match: re.Match[str]) -> str:
        there = posixpath.relpath(match[1], posixpath.dirname(page.path) or ".")
        return f"]({there}{match[2] or ''})"

    path = source / page.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_LINK.sub(relative, page.text) + "\n", encoding="utf-8")
    return {page.name: page.path}


def _colours() -> str:
    """The colours and the font that charts and lessons have."""
    fonts = f"--md-text-font: {FONT}; --md-code-font: ui-monospace, 'DejaVu Sans Mono'"
    lines = [f":root {{ {fonts}; }}"]
    for scheme, kind in (("default", "light"), ("slate", "dark")):
        ink = {role: getattr(colours, kind) for role, colours in PALETTE.items()}
        lines.append(
            f'[data-md-color-scheme="{scheme}"] {{ --md-primary-fg-color: {ink["blue"]};'
            f" --md-accent-fg-color: {ink['crimson']}; --md-typeset-a-color: {ink['blue']};"
            f" --md-default-bg-color: {ink['paper']}; --md-default-fg-color: {ink['ink']}; }}"
        )
    return "\n".join(lines) + "\n"
