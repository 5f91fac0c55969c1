"""Whole systems and what describes them: `eval`, `schema`, `import-model`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlsysim.cli.app import Folders, Json, Output, print_json, print_line, written
from mlsysim.core.errors import BadArgument

if TYPE_CHECKING:
    from mlsysim.evaluation import Evaluation


def eval_(
    system: Annotated[
        str | None, typer.Argument(help="A YAML file, - for standard input, or a scenario's name.")
    ] = None,
    example: Annotated[
        str | None, typer.Option(help="Print one to begin with: serve, train, batch or edge.")
    ] = None,
    folders: Folders = None,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Does a whole SYSTEM work, which wall binds it, and what would help?

    Exit code 1 when it is infeasible, 3 when it breaks a constraint.

    mlsysim eval --example serve > my.yaml && mlsysim eval my.yaml
    """
    from mlsysim.evaluation import SystemSpec, evaluate
    from mlsysim.evaluation.examples import example as text_of
    from mlsysim.evaluation.scenarios.registry import find

    if example is not None:
        typer.echo(text_of(example), nl=False)
        return
    if system is None:
        raise BadArgument("SYSTEM", None, "name a file, or see `mlsysim eval --example serve`")
    spec = SystemSpec.from_text(sys.stdin.read()) if system == "-" else find(system)
    found = evaluate(spec)
    if output is None and not as_json:
        _print(found)
    else:
        written(found, output or "json", found.name, found.table)
    raise typer.Exit(found.exit_code)


def _print(found: Evaluation) -> None:
    """The summary, with the verdict in colour."""
    colours = {"feasible": "bold green", "satisfied": "bold green", "kept": "green"}
    colours |= {"infeasible": "bold red", "violated": "bold red", "BROKEN": "red"}
    first, *rest = found.summary().splitlines()
    print_line(first, colours[found.verdict])
    for line in rest:
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        print_line(line, colours.get(word))


def schema(
    kind: Annotated[str, typer.Argument(help="system, hardware, transformer, grid ...")] = "system",
    short: Annotated[bool, typer.Option("--short", help="A line for each key.")] = False,
) -> None:
    """The JSON schema of one kind of file.

    A kind of YAML file, `answers` (answers.json) or `journal` (one line of a journal).

    mlsysim schema --short
    """
    from mlsysim.course.journal import Record
    from mlsysim.course.sheet import Sheet
    from mlsysim.evaluation.schemas import in_short
    from mlsysim.evaluation.schemas import schema as schema_of

    others = {"answers": Sheet, "journal": Record}
    if short:
        for line in in_short(kind, others).splitlines():
            print_line(line)
    else:
        print_json(schema_of(kind, others))


def import_model(
    config: Annotated[Path, typer.Argument(help="A Hugging Face config.json, or its folder.")],
    name: Annotated[str | None, typer.Option(help="What to call the model.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new YAML file; --registry DIR reads DIR/models.")
    ] = None,
) -> None:
    """Turn a Hugging Face CONFIG on disk into a model's YAML.

    mlsysim import-model config.json --name Mine
    """
    from mlsysim.models.huggingface import from_config, save, to_yaml

    model = from_config(config, name)
    if out is None:
        typer.echo(to_yaml(model), nl=False)
    else:
        save(model, out)
        typer.echo(f"{out}: {model.name}, {model.parameters:,} parameters")
