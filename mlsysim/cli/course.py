"""The course: `learn`, `check` and `cheatsheet`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mlsysim.core import units as u
from mlsysim.core.errors import MLSysError

_Lesson = Annotated[str | None, typer.Argument(metavar="[NN]", help="One lesson, by number.")]
_Way = Annotated[str | None, typer.Option(metavar="NAME", help="One path: A, B, C, D or D+.")]
_Edit = Annotated[bool, typer.Option(help="Open the editor on a copy of your own.")]
_Exercise = Annotated[bool, typer.Option(help="Open the lesson's exercise.")]
_Review = Annotated[
    bool, typer.Option("--review", help="Two minutes of questions from finished lessons.")
]
_Quiz = Annotated[
    bool, typer.Option("--quiz", help="Twelve questions, before the course and after it.")
]
_Slides = Annotated[
    bool, typer.Option("--slides", help="For a projector: large, one step a screen.")
]
_Model = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Explore with your own: a config.json, a YAML, a name."),
]
_Chip = Annotated[
    str | None, typer.Option(metavar="FILE", help="Explore with your own chip: a YAML, a name.")
]
_Learner = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whose journal, where several people share a machine."),
]
_Reset = Annotated[
    bool, typer.Option("--reset", help="Start anew; asks first, and keeps the old journal.")
]
_Folder = Annotated[Path, typer.Option(help="Where your own copies go.")]
_Export = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write handouts to print: of one lesson, or of all."),
]
_Answers = Annotated[
    bool, typer.Option("--answers/--no-answers", help="Handouts with what the solvers say.")
]
_Class = Annotated[
    str | None,
    typer.Option("--class", metavar="NAME", help="Serve a class: others join with a code."),
]
_Present = Annotated[
    bool, typer.Option("--present", help="Open board and speaker's window: of the class or path.")
]
_Code = Annotated[str, typer.Option(metavar="WORD", help="The code that lets learners in.")]
_Host = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="0.0.0.0 lets other machines of the network in.",
        show_default="this machine alone",
    ),
]
_Base = Annotated[
    str, typer.Option("--base-url", metavar="PATH", help="What stands before every address.")
]
_Port = Annotated[
    str | None,
    typer.Option(metavar="PORT", help="0 takes any.", show_default="2718, or the next free"),
]
_Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")]


def learn(
    lesson: _Lesson = None,
    path: _Way = None,
    edit: _Edit = False,
    exercise: _Exercise = False,
    review: _Review = False,
    quiz: _Quiz = False,
    slides: _Slides = False,
    model: _Model = None,
    hardware: _Chip = None,
    learner: _Learner = None,
    reset: _Reset = False,
    folder: _Folder = Path("mlsysim-lessons"),
    export: _Export = None,
    answers: _Answers = False,
    group: _Class = None,
    present: _Present = False,
    code: _Code = "",
    host: _Host = None,
    base_url: _Base = "",
    port: _Port = None,
    browser: _Browser = True,
) -> None:
    """Open the course in a browser: the gallery, or one lesson.

    Your predictions are kept in ~/.mlsysim, or in the folder that the variable MLSYSIM_HOME names.

    mlsysim learn 00
    """
    from mlsysim.course import lessons
    from mlsysim.course.journal import learner_name
    from mlsysim.course.paths import find_path

    if learner is not None:
        os.environ["MLSYSIM_LEARNER"] = learner_name(learner)
        os.environ.pop("MLSYSIM_JOURNAL", None)
    if reset:
        _put_away()
        return
    chosen = lessons.find_lesson(lesson) if lesson is not None else None
    if export is not None:
        _hand_out(export, answers=answers, stem=chosen and chosen.stem)
        return
    if answers:
        raise MLSysError("answers are for handouts: say where to, as in '--export DIR --answers'.")
    if model is not None or hardware is not None:
        from mlsysim.learn.own import choose

        choose(model, hardware)
    way = None if path is None else find_path(path)
    at = None if port is None else u.dim_of(u.CountOrZero).quantity(port, "port")
    from mlsysim.learn import server

    if chosen is None and (edit or exercise):
        what = "--edit" if edit else "--exercise"
        raise MLSysError(f"which lesson? Say so, as in 'mlsysim learn 00 {what}'.")
    if edit and chosen is not None:
        copy = server.editable_copy(chosen, "exercises" if exercise else "tutorials", folder)
        _become(*server.editor(copy, at, browser=browser))
    first = "/review" if review else "/quiz" if quiz else "/"
    if chosen is not None:
        first = f"/exercise/{chosen.stem}/" if exercise else f"/{chosen.stem}/"
    room = _room(group or (way and present and way.name), way, code, base_url, present=present)
    if room is not None and host is None:
        typer.echo("only this machine can join; '--host 0.0.0.0' lets its network in, without TLS")
    place = server.Place(host or server.HOST, at, base_url.rstrip("/"))
    server.serve(first + "?slides" * slides, way, place=place, browser=browser, room=room)


def _room(name: Any, way: Any, code: str, base: str, *, present: bool) -> Any:
    """What opens a class of that name; None where there is none."""
    if base and not re.fullmatch(r"(/[\w.~-]+)+/?", base):
        raise MLSysError(f"{base!r} is no base of addresses: write it as in '--base-url /course'.")
    if not name:
        if present or code:
            raise MLSysError("which class? Say so, as in '--class monday' or '--path D --present'.")
        return None
    try:
        from mlsysim.learn.room.app import opening
    except ModuleNotFoundError as error:
        raise MLSysError(f"a class needs {error.name}: pip install -e '.[class]'") from None
    return opening(name, way, code=code, base=base.rstrip("/"), present=present)


def _hand_out(folder: Path, *, answers: bool, stem: str | None) -> None:
    """Write handouts, and say where they are."""
    from mlsysim.learn.handout import export

    for page in export(folder, answers=answers, stems=[stem] if stem else None):
        typer.echo(f"{page}")


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Become another program, so that ending this one ends it; call it where there is no exec."""
    if os.name == "posix":
        os.execve(command[0], command, environment)
    raise typer.Exit(subprocess.call(command, env=environment))


def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="Your answers.json.")]) -> None:
    """Can a grader read FILE? Its form, units, gaps, whose it is; never whether it is right.

    Exit 1 when something is missing or cannot be read.

    mlsysim check answers.json
    """
    from mlsysim.course.lessons import lesson
    from mlsysim.course.reading import UnreadableError, read_sheet
    from mlsysim.course.sheet import Answer
    from mlsysim.course.variants import code_for

    try:
        sheet = read_sheet(file)
    except UnreadableError as error:
        raise MLSysError(f"{file}: {error}.") from None
    held = lesson(sheet.assignment)
    assert held.assignment is not None  # or it would have been unreadable
    public = held.assignment.draw(code_for(sheet.student, sheet.assignment)).fields
    numbers = "the public numbers" if sheet.variant == public else "numbers of a course code"
    typer.echo(f"{sheet.assignment}, student {sheet.student!r}, {numbers}")
    faults = {
        name: asked.fault(sheet.answers.get(name, Answer()))
        for name, asked in held.assignment.questions.items()
    }
    if (made := sheet.assignment_version) != held.assignment.version:
        remedy = f"this is version {held.assignment.version}; do the exercise anew"
        faults["version"] = f"made for version {made} of the exercise, {remedy}"
    for name, fault in faults.items():
        typer.echo(f"  {name:<8} {fault or 'can be read'}")
    made = {each.get("question") for each in sheet.journal if isinstance(each, dict)}
    predicted = sum(each in made for each in held.questions)
    typer.echo(f"  {predicted} of {len(held.questions)} predictions of the lesson go with it")
    raise typer.Exit(int(any(faults.values())))


def cheatsheet(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where it goes: an .html, or a .pdf.")
    ] = Path("cheatsheet.html"),
) -> None:
    """One A4 page: the Iron Law, the 22 walls, ridges and prices of chips, KV caches of models.

    A PDF is printed by Chromium, which is looked for on the PATH and in the variable CHROMIUM.

    mlsysim cheatsheet --out sheet.pdf
    """
    from mlsysim import pages
    from mlsysim.course.cheatsheet import facts

    page = pages.render("cheatsheet.html", **facts())
    if out.suffix.lower() == ".pdf":
        _print(page, out)
    else:
        out.write_text(page, encoding="utf-8")
    typer.echo(f"{out}: one A4 page.")


def _print(page: str, out: Path) -> None:
    """Have Chromium print a page; raises MLSysError where there is none, or it fails."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        remedy = "give a file that ends in .html, and print it from a browser"
        raise MLSysError(f"no Chromium is here to make a PDF: {remedy}.")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "page.html")
        source.write_text(page, encoding="utf-8")
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += [f"--user-data-dir={folder}/profile", "--no-pdf-header-footer"]
        command += [f"--print-to-pdf={out.absolute()}", source.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode or not out.exists():
        raise MLSysError(f"Chromium did not print it: {done.stderr.strip()[-200:]}")


def _put_away() -> None:
    """Ask, and give the journal another name."""
    from mlsysim.course.journal import Journal

    journal = Journal()
    if not journal.path.exists():
        typer.echo(f"{journal.path} does not exist: there is nothing to start anew from.")
        return
    many = f"{len(journal)} prediction{'s' * (len(journal) != 1)}"
    if typer.confirm(f"Put {many} away and start anew? The old journal stays in the folder"):
        typer.echo(f"They are kept in {journal.put_away()}.")
