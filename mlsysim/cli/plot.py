"""Charts as files: `plot`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mlsysim.cli.app import Folders, named, number
from mlsysim.core.errors import BadArgument


def plot(
    devices: Annotated[
        list[str], typer.Argument(help="Devices, such as H100.", autocompletion=named("hardware"))
    ],
    out: Annotated[Path, typer.Option(help="FILE.svg, FILE.png or FILE.html.")],
    model: Annotated[str | None, typer.Option(help="Its steps become dots.")] = None,
    batch_sizes: Annotated[str, typer.Option(help="Those steps' batches.")] = "1,8,64,512",
    precision: Annotated[str, typer.Option(help="fp16, fp8, int8 ...")] = "fp16",
    efficiency: Annotated[str, typer.Option(help="Part of the peak that is reached.")] = "1",
    dots: Annotated[
        list[str] | None,
        typer.Option("--dot", help="A dot of your own: 'mine=60 FLOP/B, 90 TFLOP/s'."),
    ] = None,
    ceilings: Annotated[
        list[str] | None,
        typer.Option("--ceiling", help="'fp32=67 TFLOP/s'; of a memory 'L2=5.5 TB/s'."),
    ] = None,
    folders: Folders = None,
) -> None:
    """The roofline of DEVICES, from a microcontroller to a rack, as a picture or a page.

    mlsysim plot H100 A100 --model Llama3_8B --out roofline.svg
    """
    from mlsysim import charts
    from mlsysim.hardware.types import HardwareNode
    from mlsysim.solvers.node.single import SingleNodeModel

    found = [HardwareNode.asked(device, "devices") for device in devices]
    how = {"precision": precision, "efficiency": float(number(efficiency))}
    own = {name: (intensity, rate) for name, intensity, rate in _told("dot", dots, _DOT)}
    trail = {}
    if model is not None:
        solve, batches = SingleNodeModel().solve, map(number, batch_sizes.split(","))
        steps = [solve(model, found[0], batch_size=batch, **how) for batch in batches]
        first = f"batch {steps[0].batch_size:,.0f}"
        trail = {f"{each.batch_size:,.0f}" if at else first: each for at, each in enumerate(steps)}
    limits = dict(_told("ceiling", ceilings, _CEILING))
    charts.save(charts.roofline(found, {**trail, **own}, ceilings=limits, **how), out)
    typer.echo(f"{out}: {', '.join(device.name for device in found)}")


_DOT, _CEILING = "mine=60 FLOP/B, 90 TFLOP/s", "fp32=67 TFLOP/s"


def _told(option: str, texts: list[str] | None, example: str) -> Iterator[list[str]]:
    """The name and the values of each text; raises BadArgument unless they are as many as here."""
    for text in texts or ():
        parts = [part.strip() for part in re.split("[=,]", text)]
        if len(parts) != len(re.split("[=,]", example)) or not all(parts):
            raise BadArgument(option, text, f"write a name and its numbers, as in {example!r}")
        yield parts
