"""How good the answers are: `validate`; and of one's own machine, `measure`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mlsysim.cli.app import Console, Folders, Json, named, print_json, progress
from mlsysim.core.solver import show
from mlsysim.core.units import Q_
from mlsysim.stacks.types import Stack

if TYPE_CHECKING:
    from mlsysim.evaluation.validate import Prediction, Score


def validate(
    csv: Annotated[
        Path | None, typer.Argument(metavar="[CSV]", help="A table of measurements of your own.")
    ] = None,
    operators: Annotated[
        bool, typer.Option("--operators", help="The table holds times of single operators.")
    ] = False,
    stack: Annotated[
        str | None,
        typer.Option(help="A stack for all rows, besides.", autocompletion=named("stacks")),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(help="FILE.svg, .png or .html: predicted against measured.")
    ] = None,
    registry: Folders = None,
    as_json: Json = False,
) -> None:
    """How far off are the answers? Published measurements predicted at every level of cost.

    Each row of the table is predicted; one that cannot be is listed with the reason, and counts as
    a miss.

    mlsysim validate --chart parity.svg
    """
    if operators:
        _operators(csv, as_json=as_json)
        return
    from mlsysim.evaluation import validate as judged

    rows = judged.read() if csv is None else judged.read(csv)
    with progress(f"predicting {len(rows)} measurements"):
        found = judged.judged(rows)
        if stack is not None:
            level = Stack.asked(stack, "stack")
            found[level.stem] = judged.predictions(rows, level)
    if chart is not None:
        _drawn(found[judged.CALIBRATED], chart)
    scored = {name: judged.scores(of) for name, of in found.items()}
    if as_json:
        told = {name: _plain(found[name], scored[name]) for name in found}
        told[judged.CALIBRATED]["intervals"] = _ranges(found[judged.CALIBRATED])
        print_json(told)
    else:
        _print(found, scored)


def _operators(csv: Path | None, *, as_json: bool) -> None:
    """Kernels by themselves: each kind on each device, which its constants knew or did not."""
    from mlsysim.evaluation.validate import operators as judged

    cells = judged.scores(judged.read() if csv is None else judged.read(csv))
    if as_json:
        print_json({f"{cell.kind}, {cell.device}": cell._asdict() for cell in cells})
        return
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    heads = ("operator", "device", "rows", "median error", "1.5x", "mean ratio", "left out")
    for head in heads:
        table.add_column(head, justify="left" if head in heads[:2] else "right")
    for cell in cells:
        table.add_row(
            *(cell.kind, cell.device, f"{cell.rows}", _percent(cell.error), f"{cell.within:.0%}"),
            *(f"{cell.bias:.2f}", "-" if cell.left_out is None else _percent(cell.left_out)),
            style="bold" if cell.device == "all" else None,
        )
    Console(highlight=False).print(table)


def _plain(found: Sequence[Prediction], scored: Sequence[Score]) -> dict[str, object]:
    missed = {each.row.id: each.reason for each in found if each.value is None}
    rows = {each.row.id: each.value for each in found if each.value is not None}
    return {
        "domains": {score.name: score.plain() for score in scored},
        "predicted": rows,
        "unpredictable": missed,
    }


def _ranges(found: Sequence[Prediction]) -> dict[str, dict[str, list[float]]]:
    """From where to where half, and nine tenths, of what is measured lies by a row's stack."""
    from mlsysim.evaluation.validate import INTERVALS, told
    from mlsysim.stacks.ranges import interval

    known = ((each, told(each.row)) for each in found if each.value is not None)
    return {
        each.row.id: {f"{p:.0%}": [*interval(each.value, off, p)] for p in INTERVALS if off}
        for each, off in known
    }


def _drawn(found: Sequence[Prediction], file: Path) -> None:
    """Every row against its measurement, each in a unit of its own."""
    from mlsysim import charts

    pairs = {f"{e.row.id} ({e.row.unit})": (e.value, e.row.measured) for e in found if e.value}
    charts.save(charts.parity(pairs, x="Predicted (each in its unit)", band=1.5), file)


def _print(found: dict[str, list[Prediction]], scored: dict[str, list[Score]]) -> None:
    from mlsysim.evaluation import validate as judged

    console = Console(highlight=False)
    table = Table(header_style="bold", box=None, padding=(0, 1, 0, 0))
    heads = ("level", "median error", "1.5x", "2x", "3x", "mean ratio", "of tables", "50%", "90%")
    for head in heads:  # of two words, one above the other, so that a narrow terminal has room
        side = "left" if head == "level" else "right"
        table.add_column(head.replace(" ", "\n"), justify=side, overflow="fold")
    for of in zip(*scored.values(), strict=True):
        score, answered = of[0], min(score.answered for score in of)
        rows = (
            f"{score.rows} rows" if answered == score.rows else f"{answered} of {score.rows} rows"
        )
        table.add_row(f"{score.name}, {rows}", style="bold")
        for level, score in zip(scored, of, strict=True):
            table.add_row(
                f" {level}",
                _percent(score.error),
                *(f"{part:.0%}" for part in score.within),
                "-" if score.bias is None else f"{score.bias:.2f}",
                _percent(score.tables),
                *([f"{part:.0%}" for part in score.covered] or ["-", "-"]),
            )
    console.print(table)
    for level in judged.LEVELS:
        of = found[level]
        console.print(f"\nfarthest off, {level}:")
        for each in judged.worst(of):
            row = each.row
            console.print(
                f"  {row.id}  {row.model} on {row.n_devices or '?'} x {row.hardware}, "
                f"{row.metric} {row.value} {row.unit}: {each.ratio:.2g} times as much",
                soft_wrap=True,
            )
    missed = [each for each in next(iter(found.values())) if each.value is None]
    if missed:
        console.print(f"\nnot predicted, and counted as misses ({len(missed)} rows):")
        for reason in dict.fromkeys(each.reason for each in missed):
            ids = [each.row.id for each in missed if each.reason == reason]
            more = f" and {len(ids) - 6} more" if len(ids) > 6 else ""
            console.print(f"  {reason}: {', '.join(ids[:6])}{more}", soft_wrap=True)


def _percent(part: float) -> str:
    return f"{part:.1%}" if part < 1e9 else "-"


def measure(
    out: Annotated[
        Path | None, typer.Option(help="A folder of your own registry, in which to keep them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure this machine's processor in seconds: a device and a stack of your own.

    Matrix products and a stream through memory are timed in numpy; the error printed is that of
    predictions of products that were not used.

    mlsysim measure --out mine
    """
    from mlsysim.evaluation.machine import measure as measured
    from mlsysim.evaluation.machine import save

    machine = measured()
    files = save(machine, out) if out else []
    if as_json:
        device, stack = machine.device.to_dict(), machine.stack.to_dict()
        print_json({"device": device, "stack": stack, "median_error": machine.error})
        return
    console = Console(highlight=False)
    device, stack = machine.device, machine.stack
    rates = f"{show(device.compute.peak_flops)} in fp32, {show(device.memory.bandwidth)}"
    console.print(f"{rates}, {show(stack.launch)} a call")
    for (rows, inner, columns), took, said in machine.checked:
        sizes = f"{rows:g} x {inner:g} x {columns:g}"
        console.print(f"  {sizes}: {show(Q_(took, 's'))}, predicted {show(Q_(said, 's'))}")
    console.print(f"off by {machine.error:.0%} at the median")
    for file in files:
        console.print(f"written: {file}", soft_wrap=True)
