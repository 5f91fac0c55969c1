"""One palette for charts, pages and reports: a role, its colour on light paper and on dark."""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
    """What paints one role."""

    light: str
    dark: str


PALETTE = {
    "ink": Ink("#23262f", "#e4e7ee"),
    "muted": Ink("#5d6472", "#a3abba"),
    "paper": Ink("#f7f8fb", "#15181f"),
    "card": Ink("#ffffff", "#1d212a"),
    "line": Ink("#e1e5ec", "#343a47"),
    "blue": Ink("#1f6aa5", "#6db1ea"),
    "crimson": Ink("#b3203a", "#f0808f"),
    "teal": Ink("#1b8a6b", "#52c3a1"),
    "amber": Ink("#b45f06", "#e0a35a"),
    "gold": Ink("#c77700", "#e6ad4d"),
    "violet": Ink("#6c4fa3", "#b29be0"),
    "grey": Ink("#6b7280", "#9aa3b2"),
    "axis": Ink("#aab1bd", "#4b5363"),
    "memory-shade": Ink("#eaf2fa", "#1b2a3a"),
    "compute-shade": Ink("#fbeeee", "#38222a"),
}
SERIES = ("blue", "crimson", "teal", "gold", "violet", "grey")  # what tells the lines apart
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
