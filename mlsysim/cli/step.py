"""One step of one model on one device, `solve`, and any solver by name, `run`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperCommand

from mlsysim.cli.app import Console, Folders, Json, Model, answer, named, number, print_json
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.core.solver import show


class Command(TyperCommand):
    """Its help shows the defaults of the solver, which stand in the solver's signature alone."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List the options."""
        from mlsysim import SingleNodeModel

        for option in self.params:
            usual = SingleNodeModel.defaults.get(option.name or "")
            if usual and not isinstance(usual, bool):
                option.show_default = f"{usual:g}" if isinstance(usual, float) else usual  # type: ignore[attr-defined]
        super().format_options(ctx, formatter)


def solve(
    model: Model,
    hardware: Annotated[
        str, typer.Argument(help="A device, such as H100.", autocompletion=named("hardware"))
    ],
    batch_size: Annotated[str | None, typer.Option(help="Sequences or images in a step.")] = None,
    seq_len: Annotated[str | None, typer.Option(help="Context in tokens.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16, fp16, fp8, int8, int4 ...")
    ] = None,
    kv_precision: Annotated[
        str | None, typer.Option(help="That of the KV cache, which else keeps 16 bits.")
    ] = None,
    efficiency: Annotated[
        str | None, typer.Option(help="Part of the peak that is reached, above 0 up to 1.")
    ] = None,
    phase: Annotated[str | None, typer.Option(help="decode or prefill.")] = None,
    training: Annotated[
        bool, typer.Option("--training", help="Forward, backward and update.")
    ] = False,
    stack: Annotated[
        str | None, typer.Option(help="ideal, or what runs it, as trtllm; see zoo stacks.")
    ] = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Which wall binds one step of MODEL on HARDWARE? Exit code 1 when it does not fit.

    mlsysim solve Llama3_8B H100 --batch-size 32
    """
    from mlsysim import Engine

    asked = {
        "batch_size": batch_size,
        "seq_len": seq_len,
        "precision": precision,
        "kv_precision": kv_precision,
        "efficiency": efficiency,
        "phase": phase,
        "training": training or None,
        "stack": stack,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    profile = Engine.solve(model, hardware, **given)
    if as_json:
        print_json({"model": model, "hardware": hardware, **profile.to_dict()})
    else:
        _print(model, hardware, profile)
    if not profile.feasible:
        raise typer.Exit(1)


def _print(model: str, hardware: str, profile: Any) -> None:
    from mlsysim.engine.text import roofline

    console = Console(highlight=False)
    what = f"[bold]{model}[/] on [bold]{hardware}[/]"
    bound = f"[bold]{profile.bottleneck}-bound[/], {show(profile.latency)} a step"
    if profile.feasible:
        console.print(f"{what}: {bound}")
    else:
        console.print(f"{what}: [bold red]does not fit.[/] {profile.reason}")
        console.print(f"If it did: {bound}")
    console.print()
    console.print(roofline(profile, width=min(console.width - 27, 58)), markup=False)
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in profile.lines():
        if name not in ("bottleneck", "latency", "reason", "feasible"):
            table.add_row(f"[dim]{name}[/]", value)
    console.print(table)


def run(
    solver: Annotated[str, typer.Argument(help="A solver, such as ServingModel.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="name=value ...")] = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Any SOLVER by its name, one of another package too. Exit code 1 when it is not feasible.

    mlsysim run ServingModel model=Llama3_8B hardware=H100 batch_size=8
    """
    from mlsysim import solvers
    from mlsysim.core import plugins

    known = {*solvers.SOLVERS, *plugins.solvers()}
    if solver not in known:
        raise UnknownName("solver", solver, known)
    given = {}
    for each in arguments or ():
        name, sign, value = each.partition("=")
        if not sign:
            raise BadArgument(each, None, "write name=value, as in batch_size=8")
        given[name] = number(value)
    kind = getattr(solvers, solver)
    for name in kind.requires:
        if name not in given:
            raise BadArgument(name, None, f"{solver} needs one, as in {name}=...")
    found = kind().solve(**given)
    answer(found, as_json=as_json)
    raise typer.Exit(int(not getattr(found, "feasible", True)))
