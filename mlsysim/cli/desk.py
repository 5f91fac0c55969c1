"""Planning, comparing and searching: `plan`, `why`, `compare`, `search`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mlsysim.cli.app import (
    Folders,
    Json,
    Model,
    Output,
    answer,
    named,
    number,
    print_json,
    print_line,
    print_table,
    progress,
    written,
)
from mlsysim.core.errors import UnknownName

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
    stack: Annotated[_Text, typer.Option(help="The software, such as vllm.")] = None,
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

    mlsysim plan Llama3_70B --rate 50 --prompt 2000 --tokens 300 --ttft "500 ms"
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
        print_line(found.question, "bold")
        print_line("")
        if found.feasible:
            print_table(found.table)
            print_line("")
            if ranges := found.spans:
                print_table(ranges)
                print_line("")
        for line in [*found.words(), *found.notes]:
            print_line(line)
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


def search(
    space: Annotated[Path, typer.Argument(help="YAML: space, objective, constraints.")],
    executor: Annotated[_Text, typer.Option(help="threads, processes or dask:ADDRESS.")] = None,
    out: Annotated[Path | None, typer.Option(help="A CSV file for all points.")] = None,
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Every point of a SPACE of arguments of solve: the best, and the front of several objectives.

    Of one device peak, bandwidth, capacity and tdp may vary as well.

    mlsysim search space.yaml --executor processes --out points.csv
    """
    from mlsysim.core.registry import load

    asked = load(space, lambda data: data)
    for key in asked.keys() - {"space", "objective", "constraints"}:
        raise UnknownName(str(space), key, ("space", "objective", "constraints"))
    with _workers(executor) as workers, progress("points") as seen:
        found = _found(asked, workers, seen)
    if out is not None:
        found.table(_OF_A_POINT).to_csv(out)
    front = found.table(_OF_A_POINT, of="front")
    if as_json:
        print_json(front.to_dict())
    elif front:
        print_table(front)
    else:
        typer.echo(found["reason"])
    raise typer.Exit(int(not front))


_OF_A_POINT = ("latency", "throughput", "bottleneck", "mfu", "memory_required", "feasible")


def _found(asked: dict[str, Any], workers: Any, seen: Any) -> Any:
    """The points of a space: in columns where all but the axes of a sweep is one value."""
    from mlsysim.core.search import DSE, SWEEP_AXES, VARIED
    from mlsysim.engine.engine import Engine
    from mlsysim.solvers.node.single import SingleNodeModel

    space, how = asked.get("space", {}), (asked.get("objective", ()), asked.get("constraints", ()))
    whole = DSE(space, *how)
    fixed = {name: space[name] for name in space if name not in (*SWEEP_AXES, *VARIED)}
    one_each = all(isinstance(value, (str, int, float)) for value in fixed.values())
    if workers or "model" not in fixed or not one_each or not fixed.keys() <= _OF_A_SWEEP:
        return whole.search(SingleNodeModel, executor=workers, progress=seen)
    axes = {name: values for name, values in space.items() if name not in fixed}
    return DSE(axes, *how).search_sweep(Engine.sweep, fixed.pop("model"), progress=seen, **fixed)


_OF_A_SWEEP = {"model", "kv_precision", "efficiency", "phase", "training", "stack"}


@contextmanager
def _workers(name: _Text) -> Iterator[Any]:
    """The executor of a name, which ends with the search."""
    from concurrent import futures

    kinds = {"threads": futures.ThreadPoolExecutor, "processes": futures.ProcessPoolExecutor}
    kind, _, address = (name or "").partition(":")
    if not kind:
        yield None
    elif kind == "dask" and address:
        from distributed import Client

        with Client(address) as client:
            yield client
    elif kind in kinds:
        with kinds[kind]() as pool:
            yield pool
    else:
        raise UnknownName("executor", name, (*kinds, "dask:ADDRESS"))
