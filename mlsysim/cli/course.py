"""The course: `learn`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from mlsysim.core import units as u
from mlsysim.core.errors import MLSysError


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
    from mlsysim.course import lessons
    from mlsysim.learn import server

    chosen = lessons.find_lesson(lesson) if lesson is not None else None
    way = lessons.find_path(path) if path is not None else None
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
