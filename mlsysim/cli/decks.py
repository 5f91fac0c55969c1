"""The decks: `figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from mlsysim.cli.app import Console, Json, print_json

if TYPE_CHECKING:
    from mlsysim.figures import Figure


def figures(as_json: Json = False) -> None:
    """The numbers that the decks print, recomputed: claim, ours, outcome and reason.

    mlsysim figures --json
    """
    from mlsysim import figures as decks

    found = decks.figures()
    print_json([one.to_dict() for one in found]) if as_json else _print(found)


def _print(found: tuple[Figure, ...]) -> None:
    """Print the outcomes; a recomputation of several claims states its assumptions once."""
    from mlsysim.figures import OUTCOMES

    console = Console(highlight=False)
    colours: dict[str, str] = dict(zip(OUTCOMES, ("green", "yellow", "red"), strict=True))
    table = Table(header_style="bold", box=None, padding=(0, 2, 1, 0))
    for column, width, part in (("seed", 11, 8), ("claim", 26, 4), ("ours", 13, 5)):
        table.add_column(column, width=min(width, console.width // part), overflow="fold")
    table.add_column("outcome and reason", overflow="fold")
    stated: set[str] = set()
    for one in found:
        why = Text(f"{one.outcome}\n", style=colours[one.outcome])
        why.append(one.reason, style="default")
        known = one.recomputation in stated
        for line in ["assumptions as above"] * bool(one.assumptions) if known else one.assumptions:
            why.append(f"\n- {line}", style="dim")
        stated.add(one.recomputation)
        where = "\n".join(filter(None, (one.seed, one.slide)))
        table.add_row(Text(where), Text(one.claim), Text(one.shown), why)
    console.print(table)
    counts = {outcome: sum(one.outcome == outcome for one in found) for outcome in OUTCOMES}
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + ".")
