"""`mlsysim learn`: the gallery and the lessons behind it, on this machine, with no network."""

from __future__ import annotations

import html
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

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
    cards = "".join(_card(lesson, journal, _slot(lesson, path)) for lesson in lessons)
    ways = "".join(
        f"<li><b>{html.escape(way.title)}</b> <code>mlsysim learn --path {way.name}</code>"
        f"<span>{_stations(way)}</span></li>"
        for way in course.paths()
    )
    heading = html.escape(path.title) if path else "Which wall will your model hit?"
    return _PAGE.format(heading=heading, cards=cards, ways=ways)


def _stations(way: CoursePath) -> str:
    """The lessons of a path that are here, and how many are still to come."""
    numbers = {lesson.number for lesson in course.lessons()}
    here = [str(n) for n in way.lessons if n in numbers]
    to_come = len(way.lessons) - len(here)
    return f"lesson{'s' if len(here) > 1 else ''} {' → '.join(here)}" + (
        f", {to_come} to come" if to_come else ""
    )


def _slot(lesson: Lesson, path: CoursePath | None) -> str:
    if path is None or not path.timetable:
        return ""
    return path.timetable[path.lessons.index(lesson.number)]


def _card(lesson: Lesson, journal: Journal, slot: str) -> str:
    done = sum(question in journal for question in lesson.questions)
    share = round(100 * done / len(lesson.questions))
    exercise = (
        f'<a class="quiet" href="/exercise/{lesson.stem}/">Exercise</a>'
        if lesson.file("exercises").exists()
        else ""
    )
    verb = "Start" if not done else "Continue" if share < 100 else "Look again"
    meta = [f"Lesson {lesson.number}", f"{lesson.minutes} min", html.escape(lesson.level)]
    made = f"{done} of {len(lesson.questions)} predictions made"
    return f"""
    <article>
      <p class="meta">{" · ".join([*meta, slot] if slot else meta)}</p>
      <h2><a href="/{lesson.stem}/">{html.escape(lesson.title)}</a></h2>
      <p class="question">{html.escape(lesson.question)}</p>
      <div class="bar" role="img" aria-label="{made}"><i style="width:{share}%"></i></div>
      <p class="meta">{made}</p>
      <p class="doors"><a class="go" href="/{lesson.stem}/">{verb}</a>{exercise}</p>
    </article>"""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mlsysim: the course</title>
<link rel="icon" href="data:,">
<style>
  :root {{ --ink:#23262f; --muted:#5d6472; --line:#e1e5ec; --blue:#1f6aa5; --crimson:#b3203a }}
  * {{ box-sizing:border-box }}
  body {{ margin:0; color:var(--ink); background:#f7f8fb;
    font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif }}
  main {{ max-width:60rem; margin:0 auto; padding:2.5rem 1.25rem 4rem }}
  h1 {{ font-size:clamp(1.6rem,4.5vw,2.4rem); line-height:1.15; margin:.2rem 0 .5rem;
    letter-spacing:-.01em }}
  .lead {{ max-width:44rem; color:var(--muted); margin:0 0 2rem }}
  .brand {{ font-weight:700; color:var(--crimson); margin:0 }}
  .grid {{ display:grid; gap:1rem;
    grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr)) }}
  article {{ background:#fff; border:1px solid var(--line); border-radius:14px;
    padding:1.1rem 1.25rem 1.2rem }}
  article h2 {{ margin:.15rem 0; font-size:1.25rem }}
  article h2 a {{ color:inherit; text-decoration:none }}
  .question {{ margin:.1rem 0 1rem; font-style:italic }}
  .meta {{ margin:0; font-size:.85rem; color:var(--muted) }}
  .bar {{ height:7px; border-radius:4px; background:#e9edf3; overflow:hidden;
    margin-bottom:.35rem }}
  .bar i {{ display:block; height:100%; background:var(--blue) }}
  .doors {{ margin:1rem 0 0; display:flex; gap:.6rem; flex-wrap:wrap }}
  .doors a {{ padding:.5rem 1rem; border-radius:9px; text-decoration:none; font-weight:600;
    font-size:.95rem }}
  .go {{ background:var(--blue); color:#fff }}
  .quiet {{ color:var(--blue); border:1px solid var(--line) }}
  a:focus-visible {{ outline:3px solid #f0a93b; outline-offset:2px }}
  section h2 {{ font-size:1.1rem; margin:2.5rem 0 .5rem }}
  ul {{ list-style:none; padding:0; margin:0; display:grid; gap:.5rem }}
  li {{ display:flex; flex-wrap:wrap; gap:.2rem .8rem; align-items:baseline; padding:.5rem 0;
    border-top:1px solid var(--line) }}
  li span {{ color:var(--muted); font-size:.9rem }}
  code {{ font-size:.85rem; background:#eef1f6; padding:.1rem .4rem; border-radius:5px;
    overflow-wrap:anywhere }}
</style></head><body><main>
  <p class="brand">mlsysim</p>
  <h1>{heading}</h1>
  <p class="lead">Each lesson asks one question. You commit to a prediction, and only then see
  what the solver says, and why. Everything runs on this machine; nothing leaves it.</p>
  <div class="grid">{cards}</div>
  <section><h2>Paths through the course</h2><ul>{ways}</ul></section>
</main></body></html>
"""
