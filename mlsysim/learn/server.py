"""`mlsysim learn`: the gallery and the lessons behind it, on this machine, with no network."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import marimo

from mlsysim import pages
from mlsysim.core.errors import BadArgument
from mlsysim.course import lessons as course
from mlsysim.course.cheatsheet import facts
from mlsysim.course.journal import Journal
from mlsysim.course.lessons import Lesson
from mlsysim.course.paths import CoursePath, paths
from mlsysim.learn.drawing import DRAWN_BY, drawing, needed
from mlsysim.learn.gallery import gallery
from mlsysim.learn.lesson import SERVED, below
from mlsysim.learn.parsing import parse_alone
from mlsysim.learn.sharing import read_once
from mlsysim.learn.sittings import Reply, quiz_reply, review_reply

HOST = "127.0.0.1"
PORT, NEXT = 2718, 20  # the default port, and how many from there on are tried
_HEADER = re.compile(r"\A# /// script\n(?:#.*\n)*?# ///\n+")  # what a script needs (PEP 723)
_LONGEST = 20_000  # bytes that a form may have
LONGEST_FRAME = 64 * 1024  # bytes of what a page sends to its notebook at once
AWAY = 60  # seconds that a notebook waits for a page that lost its line
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def application(lessons: Sequence[Lesson], path: CoursePath | None = None, base: str = "") -> Asgi:
    """The gallery at `/`, each lesson at `/<stem>` and its exercise at `/exercise/<stem>`.

    Whatever else is asked for is the gallery too, with a line that says so. `base` is what stands
    before all addresses where this is one of several services.
    """
    parse_alone()
    read_once()
    builder = marimo.create_asgi_app(
        quiet=True, include_code=False, session_ttl=AWAY, asset_url=f"{base}{DRAWN_BY}"
    )
    doors = []
    for lesson in lessons:
        doors.append(f"/{lesson.stem}")
        builder = builder.with_app(path=doors[-1], root=str(lesson.file()))
        if lesson.file("exercises").exists():
            doors.append(f"/exercise/{lesson.stem}")
            builder = builder.with_app(path=doors[-1], root=str(lesson.file("exercises")))
    notebooks = builder.build()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked = scope.get("path", "")
        if scope["type"] == "http" and asked.startswith(f"{DRAWN_BY}/"):
            await drawing(asked)(scope, receive, send)
            return
        if scope["type"] != "http" or any(f"{asked}/".startswith(f"{door}/") for door in doors):
            # a lesson can then link to its neighbours, which it has only here
            meta = {**scope.get("meta", {}), SERVED: base}
            await notebooks({**scope, "meta": meta}, receive, send)
            return
        reply = await answer(scope, receive, path)
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        if reply.to:
            headers.append((b"location", f"{base}{reply.to}".encode()))
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": below(base, reply.body).encode()})

    return app


def under(base: str, app: Asgi) -> Asgi:
    """`app` at the address `base`, and at none beside it."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        asked = scope.get("path", "")
        if scope["type"] == "lifespan" or not base:
            await app(scope, receive, send)
        elif f"{asked}/".startswith(f"{base}/"):
            await app({**scope, "path": asked.removeprefix(base) or "/"}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"location", f"{base}/".encode())]
            await send({"type": "http.response.start", "status": 307, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    return served


async def answer(scope: Any, receive: Any, path: CoursePath | None) -> Reply:
    """The reply to a request for what is no notebook."""
    posted = scope["method"] == "POST"
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    sent = scope["query_string"]
    if posted:
        origin, host = headers.get(b"origin"), headers.get(b"host", "")
        if origin not in (None, f"http://{host}", f"https://{host}"):
            return Reply("Another site cannot answer for you.", 403)
        sent = await _body(receive)
    fields = parse_qs(sent.decode("utf-8", "replace"), keep_blank_values=True)
    return page(scope["path"], {key: held[0] for key, held in fields.items()}, path, posted=posted)


def page(
    asked: str, fields: Mapping[str, str], path: CoursePath | None = None, *, posted: bool = False
) -> Reply:
    """The page at an address that is no notebook's."""
    if asked.rstrip("/") == "/review":
        return review_reply(fields, posted=posted)
    if asked.rstrip("/") == "/quiz":
        return quiz_reply(fields, posted=posted)
    if asked == "/healthz":
        return Reply("ok")
    if asked.rstrip("/") == "/cheatsheet":
        return Reply(pages.render("cheatsheet.html", **facts()))
    missing = "" if asked == "/" else asked
    way = next((each for each in paths() if each.name == fields.get("path")), path)
    sought = {key: fields.get(key, "") for key in ("words", "level")}
    slides = "slides" in fields
    shown = gallery(Journal(), way, missing=missing, slides=slides, ahead=needed(), **sought)
    return Reply(shown, 404 if missing else 200)


async def _body(receive: Any) -> bytes:
    """What was sent with a request; the rest of one that is too long is left unread."""
    body, more = b"", True
    while more and len(body) < _LONGEST:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


class Place(NamedTuple):
    """Where the course is served: the address that listens, and what stands before its paths."""

    host: str = HOST
    port: int | None = None
    base: str = ""

    @property
    def name(self) -> str:
        """The host as others reach it."""
        return _own_address() if self.host in ("0.0.0.0", "::") else self.host


def serve(
    at: str = "/",
    path: CoursePath | None = None,
    *,
    place: Place = Place(),  # noqa: B008 - it cannot be changed
    browser: bool,
    room: Callable[[Asgi, str], tuple[Asgi, list[str]]] | None = None,
) -> None:
    """Serve the course until interrupted, and open the page `at` an address.

    Without a port the default one is taken, or the next that is free; raises BadArgument. A `room`
    stands before the course: of it and its address it makes what is served, and the pages to open.
    """
    import uvicorn

    door = listen(place.port, place.host)
    taken = door.getsockname()[1]
    home = f"http://{place.name}:{taken}{place.base}"
    if place.port is None and taken != PORT:
        _say(f"port {PORT} is busy, so this is on {taken}")
    with_settings_of_our_own()
    app = application(course.lessons(), path, place.base)
    opens = [home + at]
    if room is not None:
        app, opens = room(app, home)
    _say(f"{opens[0]}  (Ctrl+C ends it)")
    for url in opens if browser else ():
        threading.Timer(0.8, webbrowser.open, [url]).start()
    # pages stay connected for as long as they are open: do not wait for them
    config = uvicorn.Config(
        under(place.base, app),
        log_level="critical",
        timeout_graceful_shutdown=0,
        timeout_keep_alive=75,  # a page asks again and again, and must not find its line cut
        ws_max_size=LONGEST_FRAME,
    )
    with suppress(KeyboardInterrupt):  # on a busy machine the server may take it and return
        uvicorn.Server(config).run(sockets=[door])
    _say("closed. What you committed is kept.")
    # threads of notebooks that are still open would hold the program; nothing is left to write
    os._exit(0)


def _own_address() -> str:
    """The address under which others on the network find this machine; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # an address for documentation
        return probe.getsockname()[0]
    return HOST


def with_settings_of_our_own() -> None:
    """Keep a learner's own marimo settings, such as a theme, out of the pages of this program."""
    from marimo._config import manager

    ours: Any = {"display": {"theme": "system"}}
    manager.UserConfigStore.read = lambda self: ours
    manager.PyprojectConfigReader.read = lambda self: {}


def editor(notebook: Path, port: int | None, *, browser: bool) -> tuple[list[str], dict[str, str]]:
    """The command that opens a notebook in the editor, its cells run, and its environment."""
    command = [sys.executable, "-m", "marimo", "edit", str(notebook), "--host", HOST]
    # the sandbox would fetch packages; the notebook needs only what is here
    command += ["--no-sandbox", "--port", str(free_port(port))]
    running = {"_MARIMO_CONFIG_OVERLOAD_RUNTIME_AUTO_INSTANTIATE": "true"}
    return (command if browser else [*command, "--headless"]), {**os.environ, **running}


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


def listen(port: int | None, host: str = HOST) -> socket.socket:
    """A socket bound to `port`, to any for 0, to the default or one of the next for None.

    Raises BadArgument when it is taken.
    """
    wanted = range(PORT, PORT + NEXT) if port is None else [port]
    for each in wanted:
        door = socket.socket()
        if os.name == "posix":  # a port that was in use a moment ago may be used again at once
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, each))
            door.listen()  # on some systems only this finds out that it is taken
        except (OSError, OverflowError):
            door.close()
        else:
            return door
    given = wanted[0] if port is not None else f"{PORT} to {PORT + NEXT - 1}"
    remedy = "it is taken or no port at all; give another, or 0 for any"
    raise BadArgument("port", given, remedy)


def free_port(port: int | None) -> int:
    """The number of a port that can be listened on, chosen as `listen` does."""
    with listen(port) as door:
        return door.getsockname()[1]


def _say(sentence: str) -> None:
    sys.stdout.write(f"mlsysim learn: {sentence}\n")
    sys.stdout.flush()
