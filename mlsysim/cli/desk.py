"""Planning and comparing: `plan`, `why`, `compare`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlsysim.cli.app import (
    Console,
    Folders,
    Json,
    Model,
    Output,
    answer,
    named,
    number,
    print_json,
    print_table,
    progress,
    written,
)

_Text = str | None
_Model = Annotated[_Text, typer.Option(help="What devices and fleets run, such as Llama3_8B.")]
_Batch = Annotated[_Text, typer.Option(help="Sequences or images in a step.")]
_Length = Annotated[_Text, typer.Option(help="Context in tokens.")]
_Precision = Annotated[_Text, typer.Option(help="fp16, fp8, int4 ...")]
_Phase = Annotated[_Text, typer.Option(help="decode, prefill, forward or train.")]


def plan(
    model: Model,
    devices: Annotated[
        list[str] | None,
        typer.Argument(
            help="Devices, such as H200; the whole zoo without any.",
            autocompletion=named("hardware"),
        ),
    ] = None,
    rate: Annotated[_Text, typer.Option(help="Requests a second, such as 50.")] = None,
    prompt: Annotated[_Text, typer.Option(help="Tokens of a prompt.")] = None,
    tokens: Annotated[_Text, typer.Option(help="Tokens of an answer, or of a run.")] = None,
    ttft: Annotated[_Text, typer.Option(help="99 % see the first token within '500 ms'.")] = None,
    itl: Annotated[_Text, typer.Option(help="A token every '30 ms'.")] = None,
    weights: Annotated[_Text, typer.Option(help="fp16, fp8, int4 ...")] = None,
    kv_precision: Annotated[_Text, typer.Option(help="That of the cache.")] = None,
    budget: Annotated[_Text, typer.Option(help="A month, or a run: '100000 USD'.")] = None,
    region: Annotated[_Text, typer.Option(help="A grid, such as Quebec.")] = None,
    train: Annotated[bool, typer.Option("--train", help="Plan a training run.")] = False,
    deadline: Annotated[_Text, typer.Option(help="Of the run, such as '10 days'.")] = None,
    batch_size: Annotated[_Text, typer.Option(help="Sequences in a step of training.")] = None,
    seq_len: Annotated[_Text, typer.Option(help="Tokens of a sequence in training.")] = None,
    lora_rank: Annotated[_Text, typer.Option(help="Adapters of this rank learn.")] = None,
    folders: Folders = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Which devices, how many, and what do they cost? Exit code 1 when none will do.

    mlsysim plan Llama3_70B --rate 50 --prompt 2000 --tokens 300 --ttft "500 ms" --weights fp8
    """
    given = {key: number(value) for key, value in locals().items() if value is not None}
    from mlsysim.evaluation.desk import Planner

    given = {key: value for key, value in given.items() if key in Planner.accepts}
    with progress("looking at devices") as seen:
        found = Planner().solve(**given, progress=seen)
    if output is not None or as_json:
        words = [*found.words(), *found.notes]
        written(found, output or "json", found.question, found.table, words)
    else:
        console = Console(highlight=False)
        console.print(found.question, style="bold", markup=False)
        console.print()
        if found.feasible:
            print_table(found.table)
            console.print()
        for line in [*found.words(), *found.notes]:
            console.print(line, markup=False)
    if not found.feasible:
        raise typer.Exit(1)


def why(
    before: Annotated[str, typer.Argument(help="A device, cluster, scenario or YAML file.")],
    after: Annotated[str, typer.Argument(help="Another of the same kind.")],
    model: _Model = None,
    batch_size: _Batch = None,
    seq_len: _Length = None,
    precision: _Precision = None,
    phase: _Phase = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Why is AFTER faster or slower than BEFORE?

    mlsysim why A100 L40S --model Llama3_8B
    """
    from mlsysim.evaluation.comparing import why as ask

    asked = (batch_size, seq_len, precision, phase)
    answer(ask(before, after, model, **_how(*asked)), as_json=as_json)


def compare(
    things: Annotated[list[str], typer.Argument(help="Devices, clusters, scenarios, YAML files.")],
    model: _Model = None,
    batch_size: _Batch = None,
    seq_len: _Length = None,
    precision: _Precision = None,
    phase: _Phase = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Several devices, fleets or systems in one table.

    mlsysim compare A100 H100 MI300X --model Llama3_70B --precision fp8
    """
    from mlsysim.evaluation.comparing import compare as ask

    found = ask(things, model, **_how(batch_size, seq_len, precision, phase))
    print_json(found.to_dict()) if as_json else print_table(found)


def _how(*asked: _Text) -> dict[str, Any]:
    names = ("batch_size", "seq_len", "precision", "phase")
    given = dict(zip(names, map(number, asked), strict=True))
    return {name: value for name, value in given.items() if value is not None}
