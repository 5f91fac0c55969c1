"""The command line: the course (`learn`), the solvers (`solve`, `eval`), and what they rest on.

Exit codes: 0 an answer, 1 an answer that is "no" (it does not fit; a value has no source),
2 a malformed question, 3 a system that breaks a constraint. A mistake costs one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from mlsysim import __version__
from mlsysim.core import registry
from mlsysim.core import units as u
from mlsysim.core.errors import MLSysError, UnknownName
from mlsysim.core.solver import show

app = typer.Typer(
    help="Which wall will your model hit? A course, and the solvers behind it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RegistryFolder = Annotated[
    list[Path] | None,
    typer.Option("--registry", metavar="DIR", help="A folder of your own YAML entries."),
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"mlsysim {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def learn(
    lesson: Annotated[
        str | None, typer.Argument(metavar="[NN]", help="One lesson, by number.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the lessons of one path.")
    ] = None,
    edit: Annotated[bool, typer.Option(help="Open the editor on a copy of your own.")] = False,
    exercise: Annotated[bool, typer.Option(help="Open the lesson's exercise.")] = False,
    folder: Annotated[Path, typer.Option(help="Where your own copies go.")] = Path(
        "mlsysim-lessons"
    ),
    port: Annotated[str, typer.Option(metavar="PORT", help="0 takes any.")] = "2718",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Open the course in a browser: the gallery, or one lesson."""
    from mlsysim.course import lessons as course
    from mlsysim.learn import server

    chosen = course.find_lesson(lesson) if lesson is not None else None
    way = course.find_path(path) if path is not None else None
    at = u.dim_of(u.CountOrZero).quantity(port, "port")
    if not edit:
        if exercise and chosen is None:
            raise MLSysError("which exercise? Say so, as in 'mlsysim learn 00 --exercise'.")
        server.serve(chosen, way, port=at, browser=browser, exercise=exercise)
        return
    if chosen is None:
        raise MLSysError("which lesson to edit? Say so, as in 'mlsysim learn 00 --edit'.")
    copy = server.editable_copy(chosen, "exercises" if exercise else "tutorials", folder)
    command = [
        sys.executable,
        "-m",
        "marimo",
        "edit",
        str(copy),
        "--no-sandbox",  # it would fetch packages; the notebook needs only what is here
        "--host",
        server.HOST,
        "--port",
        str(server.free_port(at)),
    ]
    command = command if browser else [*command, "--headless"]
    if os.name == "posix":  # become the editor, so that ending this program ends it
        os.execv(command[0], command)
    raise typer.Exit(subprocess.call(command))


@app.command(short_help="Which wall binds one step of a model on a device?")
def solve(
    model: Annotated[str, typer.Argument(help="A model, such as Llama3_8B.")],
    hardware: Annotated[str, typer.Argument(help="A device, such as H100.")],
    batch_size: Annotated[str, typer.Option(help="Sequences or images in one step.")] = "1",
    seq_len: Annotated[str | None, typer.Option(help="Context in tokens.")] = None,
    precision: Annotated[str, typer.Option(help="fp32, bf16, fp16, fp8, int8, int4 ...")] = "fp16",
    efficiency: Annotated[
        str, typer.Option(help="Part of the peak that is reached, above 0 up to 1.")
    ] = "0.5",
    phase: Annotated[str | None, typer.Option(help="decode or prefill.")] = None,
    training: Annotated[
        bool, typer.Option("--training", help="Forward, backward and update.")
    ] = False,
    registry_folder: RegistryFolder = None,
    as_json: Json = False,
) -> None:
    """Which wall binds one step of MODEL on HARDWARE? Exit code 1 when it does not fit."""
    from mlsysim import Engine, Hardware, Models

    _add(registry_folder)
    profile = Engine.solve(
        Models.find(model),
        Hardware.find(hardware),
        batch_size=batch_size,
        seq_len=seq_len,
        precision=precision,
        efficiency=efficiency,
        phase=phase,
        training=training,
    )
    if as_json:
        _print_json({"model": model, "hardware": hardware, **profile.to_dict()})
    else:
        _print_profile(model, hardware, profile)
    if not profile.feasible:
        raise typer.Exit(1)


@app.command()
def zoo(
    layer: Annotated[
        str | None, typer.Argument(help="hardware or models; both by default.")
    ] = None,
    registry_folder: RegistryFolder = None,
    as_json: Json = False,
) -> None:
    """Every device and model that the registry holds."""
    from mlsysim import Hardware, Models

    _add(registry_folder)
    catalogs: dict[str, Any] = {"hardware": Hardware, "models": Models}
    if layer is not None and layer not in catalogs:
        raise UnknownName("layer", layer, catalogs)
    chosen = {name: catalog for name, catalog in catalogs.items() if layer in (None, name)}
    if as_json:
        _print_json(
            {
                name: {stem: entry.to_dict() for stem, entry in catalog.entries()}
                for name, catalog in chosen.items()
            }
        )
        return
    for name, catalog in chosen.items():
        _print_catalog(catalog, *_ZOO[name])


@app.command(short_help="Does every value in the registries have a source?")
def audit(registry_folder: RegistryFolder = None, as_json: Json = False) -> None:
    """Does every value in the registries have a source? Exit code 1 when one has none."""
    _add(registry_folder)
    found = registry.audit_provenance()
    _print_json(found.to_dict()) if as_json else typer.echo(str(found))
    if not found.passed:
        raise typer.Exit(1)


@app.command(name="eval", short_help="Does a whole system work, and what would help?")
def evaluate(
    system: Annotated[str, typer.Argument(help="A YAML file, or the name of a scenario.")],
    registry_folder: RegistryFolder = None,
    as_json: Json = False,
) -> None:
    """Does a whole SYSTEM work, which wall binds it, and what would help?

    Exit code 1 when it is infeasible, 3 when it breaks a constraint.
    """
    from mlsysim.evaluation import evaluate as run
    from mlsysim.evaluation.scenarios.registry import find

    _add(registry_folder)
    found = run(find(system))
    _print_json(found.to_dict()) if as_json else typer.echo(str(found))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="system, hardware, transformer, grid ...")] = "system",
) -> None:
    """The JSON schema of one kind of YAML file."""
    from mlsysim.evaluation.spec import schema as schema_of

    _print_json(schema_of(kind))


@app.command()
def import_model(
    config: Annotated[Path, typer.Argument(help="A Hugging Face config.json, or its folder.")],
    name: Annotated[str | None, typer.Option(help="What to call the model.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new YAML file to write.")] = None,
) -> None:
    """Turn a Hugging Face CONFIG on disk into a model's YAML."""
    from mlsysim.models.huggingface import from_config, save, to_yaml

    model = from_config(config, name)
    if out is None:
        typer.echo(to_yaml(model), nl=False)
    else:
        save(model, out)
        typer.echo(f"{out}: {model.name}, {model.parameters:,} parameters")


@app.command(short_help="The numbers that the decks print, recomputed.")
def figures(as_json: Json = False) -> None:
    """The numbers that the decks print, recomputed: claim, ours, verdict and reason."""
    from mlsysim import figures as decks

    found = decks.figures()
    _print_json([one.to_dict() for one in found]) if as_json else _print_figures(found)


@app.command(short_help="Serve the solvers to an agent (the extra: mcp).")
def mcp(registry_folder: RegistryFolder = None) -> None:
    """Serve the solvers to an agent, over standard input and output (the extra: mcp)."""
    _add(registry_folder)
    try:
        from mlsysim.mcp.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "anyio"):
            raise
        raise typer.Exit(
            _complain("it takes the MCP SDK, version 2: pip install 'mcp>=2'")
        ) from None
    serve()


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        code = app(args=argv, standalone_mode=False)
    except MLSysError as error:
        return _complain(str(error))
    except _CommandLineError as error:
        return _complain(_with_hint(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


# typer carries its own copy of click in newer releases; both share this ancestor's name
_CommandLineError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _with_hint(error: Any) -> str:
    """What was wrong with the command line, and where it is described."""
    said = error.format_message().rstrip(".")
    where = getattr(error, "ctx", None)
    if said.endswith("?") or where is None:
        return said
    return f"{said} (see '{where.command_path} --help')."


def _complain(sentence: str) -> int:
    sys.stderr.write(f"mlsysim: {sentence}\n")
    return 2


def _add(folders: list[Path] | None) -> None:
    for folder in folders or ():
        registry.add_folder(folder)


class Console(RichConsole):
    """A terminal whose reader may leave early; rich would turn that into exit code 1, a "no"."""

    def on_broken_pipe(self) -> None:
        """Leave it to `main`."""
        raise BrokenPipeError


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2, allow_nan=False, default=str))


def _print_profile(model: str, hardware: str, profile: Any) -> None:
    from mlsysim.engine.text import roofline

    console = Console(highlight=False)
    console.print(
        f"[bold]{model}[/] on [bold]{hardware}[/]: [bold]{profile.bottleneck}-bound[/], "
        f"{show(profile.latency)} a step"
    )
    if not profile.feasible:
        console.print(f"[bold red]Does not fit.[/] {profile.reason}")
    console.print()
    console.print(roofline(profile), markup=False)
    console.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in profile.lines():
        if name not in ("bottleneck", "latency", "reason", "feasible"):
            table.add_row(f"[dim]{name}[/]", value)
    console.print(table)


def _print_figures(found: Any) -> None:
    """Print the verdicts; a scenario that several claims share states its assumptions once."""
    from mlsysim.figures import VERDICTS

    colours = dict(zip(VERDICTS, ("green", "yellow", "red"), strict=True))
    table = Table(header_style="bold", box=None, padding=(0, 2, 1, 0))
    for column, width in (("seed", 11), ("claim", 26), ("ours", 13), ("verdict and reason", None)):
        table.add_column(column, width=width)
    stated: set[str] = set()
    for one in found:
        why = Text(f"{one.verdict}\n", style=colours[one.verdict])
        why.append(one.reason, style="default")
        known = one.scenario in stated
        for line in ["assumptions as above"] * bool(one.assumptions) if known else one.assumptions:
            why.append(f"\n- {line}", style="dim")
        stated.add(one.scenario)
        where = "\n".join(filter(None, (one.seed, one.slide)))
        table.add_row(Text(where), Text(one.claim), Text(one.shown), why)
    console = Console(highlight=False)
    console.print(table)
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in VERDICTS}
    console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ".")


def _print_catalog(catalog: Any, columns: list[str], cells: Callable[[Any], list[str]]) -> None:
    """A table of entries, shelf by shelf; as wide as it needs to be outside a terminal."""
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for index, column in enumerate(["", *columns]):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    for shelf_name, shelf in catalog.shelves():
        table.add_row(f"[bold]{shelf_name}[/]")
        for stem in shelf:
            table.add_row(f"  {stem}", *cells(shelf[stem]))
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)


def _device_cells(device: Any) -> list[str]:
    return [
        str(device.release_year),
        show(device.compute.peak_flops),
        device.compute.peak_precision,
        show(device.memory.capacity),
        show(device.memory.bandwidth),
        show(device.tdp) if device.tdp is not None else "?",
    ]


def _model_cells(model: Any) -> list[str]:
    return [
        model.kind,
        f"{model.parameters:,}",
        str(model.release_year or "?"),
        show(model.weights("fp16")),
    ]


_ZOO: dict[str, tuple[list[str], Callable[[Any], list[str]]]] = {
    "hardware": (["year", "dense peak", "at", "memory", "bandwidth", "power"], _device_cells),
    "models": (["kind", "parameters", "year", "in fp16"], _model_cells),
}


if __name__ == "__main__":
    sys.exit(main())
