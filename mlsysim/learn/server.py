"""`mlsysim learn`: the gallery and the lessons behind it, on this machine, with no network."""

from __future__ import annotations

import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from mlsysim import pages
from mlsysim.core.errors import BadArgument
from mlsysim.course import lessons as course
from mlsysim.course.journal import Journal
from mlsysim.course.lessons import CoursePath, Lesson
from mlsysim.learn.lesson import SERVED

HOST = "127.0.0.1"
_HEADER = re.compile(r"\A# /// script\n(?:#.*\n)*?# ///\n+")  # what a script needs (PEP 723)
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def application(lessons: Sequence[Lesson], path: CoursePath | None = None) -> Asgi:
    """The gallery at `/`, each lesson at `/<stem>` and its exercise at `/exercise/<stem>`."""
    import marimo

    builder = marimo.create_asgi_app(quiet=True, include_code=False)
    for lesson in lessons:
        builder = builder.with_app(path=f"/{lesson.stem}", root=str(lesson.file()))
        if lesson.file("exercises").exists():
            builder = builder.with_app(
                path=f"/exercise/{lesson.stem}", root=str(lesson.file("exercises"))
            )
    notebooks = builder.build()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/":
            body = gallery(lessons, Journal(), path).encode()
            headers = [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:  # a lesson can then link to its neighbours, which it has only here
            await notebooks({**scope, "meta": {SERVED: True}}, receive, send)

    return app


def serve(
    lesson: Lesson | None,
    path: CoursePath | None,
    *,
    port: int,
    browser: bool,
    exercise: bool = False,
) -> None:
    """Serve the gallery, or one lesson at once, until interrupted."""
    import uvicorn

    shown = [entry for entry in course.lessons() if path is None or entry.number in path.lessons]
    page = (
        "/" if lesson is None else f"/exercise/{lesson.stem}/" if exercise else f"/{lesson.stem}/"
    )
    port = free_port(port)
    url = f"http://{HOST}:{port}{page}"
    sys.stdout.write(f"mlsysim learn: {url}  (Ctrl+C ends it)\n")
    sys.stdout.flush()
    if browser:
        threading.Timer(0.8, webbrowser.open, [url]).start()
    uvicorn.run(application(shown, path), host=HOST, port=port, log_level="warning")


def editable_copy(lesson: Lesson, kind: str, folder: Path) -> Path:
    """The learner's own copy of a notebook, made once and never overwritten.

    It runs on what is installed: the header that a clone's notebook has would fetch packages.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{lesson.stem}{'_exercise' if kind == 'exercises' else ''}.py"
    if not target.exists():
        text = lesson.file(kind).read_text(encoding="utf-8")
        target.write_text(_HEADER.sub("", text), encoding="utf-8")
    return target


def free_port(port: int) -> int:
    """`port` when it is free; 0 asks for any. Raises BadArgument when it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise BadArgument(
                "port", port, "it is taken or no port at all; give another, or 0 for any"
            ) from None
        return probe.getsockname()[1]


def gallery(lessons: Sequence[Lesson], journal: Journal, path: CoursePath | None = None) -> str:
    """The page that greets a learner: lessons with question, minutes and progress, and paths."""
    return pages.render(
        "gallery.html",
        lessons=lessons,
        done={each.stem: sum(q in journal for q in each.questions) for each in lessons},
        path=path,
        ways=course.paths(),
        numbers={lesson.number for lesson in course.lessons()},
    )
