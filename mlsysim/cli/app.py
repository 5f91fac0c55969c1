"""What all commands share: the application, its options, and what becomes of a mistake."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console as RichConsole

from mlsysim import __version__
from mlsysim.core import registry
from mlsysim.core.errors import MLSysError, UnknownName
from mlsysim.core.units import NUMBER, read_number

if TYPE_CHECKING:
    from mlsysim.core.table import Table

app = typer.Typer(
    help="Which wall will your model hit? A course, and the solvers behind it.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(folders: list[Path] | None) -> list[Path] | None:
    for folder in folders or ():
        registry.add_folder(folder)
    return folders


def named(layer: str) -> Callable[[str], list[str]]:
    """What completes a name of one layer, for the shell."""

    def begun(incomplete: str) -> list[str]:
        return [name for name in registry.catalog(layer) if name.startswith(incomplete)]

    return begun


Model = Annotated[
    str, typer.Argument(help="A model, such as Llama3_70B.", autocompletion=named("models"))
]
Output = Annotated[
    str | None, typer.Option(help="json, md, html or csv instead of text for a terminal.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folders = Annotated[
    list[Path] | None,
    typer.Option(
        "--registry",
        metavar="DIR",
        help="A folder of your own entries: DIR/hardware/cloud/MyChip.yaml, DIR/models/Mine.yaml.",
        callback=_add,
    ),
]  # added when the line is read: a command has no more to do with them


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


class Console(RichConsole):
    """A terminal whose reader may leave early; rich would turn that into exit code 1, a "no"."""

    def on_broken_pipe(self) -> None:
        """Leave it to `main`."""
        raise BrokenPipeError


def print_json(data: Any) -> None:
    """Print plain data, strictly as JSON."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False, default=str))


def number(text: Any) -> Any:
    """The number that a word of the command line is, or the word."""
    return read_number(text) if isinstance(text, str) and NUMBER.fullmatch(text) else text


def print_table(table: Any, key: int = 1) -> None:
    """A table, or several below each other where one is too wide: no digit is lost."""
    console = Console(highlight=False)
    for at, (head, *rows) in enumerate(table.blocks(_width(console) or 120, key)):
        if at:
            console.print()
        console.print(head.rstrip(), style="bold", markup=False, soft_wrap=True)
        for row in rows:
            console.print(row.rstrip(), markup=False, soft_wrap=True)


_LABEL = re.compile(r"\s*(?:- |note: |\S+(?: \S+)* {2,})?")


def print_line(line: str, style: str | None = None) -> None:
    """A line; what does not fit on a terminal goes on below its text. Numbers keep their units."""
    console = Console(highlight=False, emoji=False)
    below = " " * len(_LABEL.match(line)[0])  # type: ignore[index] - it matches any line
    how = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": below}
    whole = re.sub(r"(?<=\d) (?=[A-Za-z])", "\u00a0", line)
    parts = "\n".join(textwrap.wrap(whole, _width(console) or len(line) + 1, **how))
    console.print(parts.replace("\u00a0", " "), style=style, markup=False, soft_wrap=True)


def _width(console: RichConsole) -> int | None:
    """The columns of the terminal, where there is one."""
    return console.width if sys.stdout.isatty() or "COLUMNS" in os.environ else None


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error as long as something takes, where that is a terminal."""
    from rich.progress import Progress

    console = RichConsole(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)  # how much there is, it says as it goes
        yield lambda done, total: bar.update(task, completed=done, total=total)


def written(found: Any, how: str, title: str, table: Table, words: Iterable[str] = ()) -> None:
    """Print an answer for another program or for a document; raises UnknownName."""
    if how == "json":
        print_json(found.to_dict())
    elif how == "csv":
        typer.echo(table.to_csv(), nl=False)
    elif how == "md":
        typer.echo("\n\n".join([f"## {title}", *filter(None, words), table.to_markdown()]))
    elif how == "html":
        told = "".join(f"<p>{escape(line)}</p>" for line in words if line)
        typer.echo(f"<h2>{escape(title)}</h2>{told}{table.to_html()}")
    else:
        raise UnknownName("output", how, ("json", "md", "html", "csv"))


def answer(found: Any, *, as_json: bool) -> None:
    """Print what was found: its data, or what it says of itself."""
    if as_json:
        print_json(found.to_dict())
    else:
        for line in str(found).splitlines():
            print_line(line)
