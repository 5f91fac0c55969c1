"""Charts as files: `plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsysim.cli.app import Folders, named, number


def plot(
    devices: Annotated[
        list[str], typer.Argument(help="Devices, such as H100.", autocompletion=named("hardware"))
    ],
    out: Annotated[Path, typer.Option(help="FILE.svg, FILE.png or FILE.html.")],
    model: Annotated[str | None, typer.Option(help="Its steps become dots.")] = None,
    batch_sizes: Annotated[str, typer.Option(help="Those steps' batches.")] = "1,8,64,512",
    precision: Annotated[str, typer.Option(help="fp16, fp8, int8 ...")] = "fp16",
    efficiency: Annotated[str, typer.Option(help="Part of the peak that is reached.")] = "1",
    folders: Folders = None,
) -> None:
    """The roofline of DEVICES, from a microcontroller to a rack, as a picture or a page.

    mlsysim plot H100 A100 --model Llama3_8B --out roofline.svg
    """
    from mlsysim import charts
    from mlsysim.hardware.types import HardwareNode
    from mlsysim.solvers.node.single import SingleNodeModel

    found = [HardwareNode.asked(device, "devices") for device in devices]
    reached, steps = float(number(efficiency)), []
    if model is not None:
        solve, how = SingleNodeModel().solve, {"precision": precision, "efficiency": reached}
        batches = [number(text) for text in batch_sizes.split(",")]
        steps = [solve(model, found[0], batch_size=batch, **how) for batch in batches]
    charts.save(charts.roofline(found, steps, precision=precision, efficiency=reached), out)
    typer.echo(f"{out}: {', '.join(device.name for device in found)}")
