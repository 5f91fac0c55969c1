"""One palette for charts, pages and reports: a role, its colour on light paper and on dark."""

from __future__ import annotations

from typing import NamedTuple


class Ink(NamedTuple):
    """What paints one role."""

    light: str
    dark: str

    @property
    def both(self) -> str:
        """The colour as CSS writes it for a page that follows the reader's scheme."""
        return f"light-dark({self.light}, {self.dark})"


PALETTE = {
    "ink": Ink("#23262f", "#e4e7ee"),
    "muted": Ink("#5d6472", "#a3abba"),
    "paper": Ink("#f7f8fb", "#15181f"),
    "card": Ink("#ffffff", "#1d212a"),
    "line": Ink("#e1e5ec", "#343a47"),
    "blue": Ink("#2a69ad", "#4a8ec8"),
    "crimson": Ink("#98132a", "#fb667e"),
    "teal": Ink("#048577", "#68dec0"),
    "gold": Ink("#a48102", "#fdd483"),
    "violet": Ink("#58267e", "#c3aff8"),
    "amber": Ink("#8f4514", "#e39a68"),
    "axis": Ink("#aab1bd", "#4b5363"),
    "memory-shade": Ink("#dce9f6", "#1c3147"),
    "compute-shade": Ink("#fbf1f0", "#33242a"),
}
SERIES = ("blue", "crimson", "teal", "gold", "violet")  # what tells the lines apart
MARKED = "amber"  # what a learner predicted
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
