"""Whole systems and what describes them: `eval`, `schema`, `import-model`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlsysim.cli.app import Folders, Json, answer, print_json


def eval_(
    system: Annotated[str, typer.Argument(help="A YAML file, or the name of a scenario.")],
    folders: Folders = None,
    as_json: Json = False,
) -> None:
    """Does a whole SYSTEM work, which wall binds it, and what would help?

    Exit code 1 when it is infeasible, 3 when it breaks a constraint.
    """
    from mlsysim.evaluation import evaluate
    from mlsysim.evaluation.scenarios.registry import find

    found = evaluate(find(system))
    answer(found, as_json=as_json)
    raise typer.Exit(found.exit_code)


def schema(
    kind: Annotated[str, typer.Argument(help="system, hardware, transformer, grid ...")] = "system",
) -> None:
    """The JSON schema of one kind of file.

    A kind of YAML file, `answers` (answers.json) or `journal` (one line of a journal).
    """
    from mlsysim.course.journal import Record
    from mlsysim.course.sheet import Sheet
    from mlsysim.evaluation.schemas import schema as schema_of

    print_json(schema_of(kind, {"answers": Sheet, "journal": Record}))


def import_model(
    config: Annotated[Path, typer.Argument(help="A Hugging Face config.json, or its folder.")],
    name: Annotated[str | None, typer.Option(help="What to call the model.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new YAML file; --registry DIR reads DIR/models.")
    ] = None,
) -> None:
    """Turn a Hugging Face CONFIG on disk into a model's YAML."""
    from mlsysim.models.huggingface import from_config, save, to_yaml

    model = from_config(config, name)
    if out is None:
        typer.echo(to_yaml(model), nl=False)
    else:
        save(model, out)
        typer.echo(f"{out}: {model.name}, {model.parameters:,} parameters")
