"""A room's server: its own pages, and a gate before the course that lets in who has a seat."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, urlencode

import marimo as mo
import segno
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mlsysim import pages
from mlsysim.core.errors import BadArgument, InvalidEntry, MLSysError, ended
from mlsysim.course.journal import Journal, seated
from mlsysim.course.paths import CoursePath
from mlsysim.learn.lesson import below
from mlsysim.learn.room import views
from mlsysim.learn.room.export import archive
from mlsysim.learn.room.keys import Keys
from mlsysim.learn.room.limits import (
    MOST_BYTES,
    NOTEBOOK,
    SHUT,
    Bucket,
    bounded,
    guarded,
    same_origin,
)
from mlsysim.learn.room.room import SPEAKER, Room, Seat, folder_of
from mlsysim.learn.room.truths import picture, truth

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
SEAT, BOARD = "mlsysim_seat", "mlsysim_board"  # cookies, and SEAT also what a notebook finds
LONGEST_NAME = 24
_DOORS_OPEN = 12  # websockets that one seat may keep open: lessons in tabs
_MONTH = 30 * 24 * 3600
_sits: ContextVar[Seat | None] = ContextVar("seat", default=None)


def opening(
    name: str, path: CoursePath | None, *, code: str = "", base: str = "", present: bool = False
) -> Callable[[Asgi, str], tuple[Asgi, list[str]]]:
    """What `server.serve` opens a room with: the code to join by is said, and the speaker's link.

    Who presents opens the board and, beside it, the window with notes and clock. Raises
    BadArgument for a name or a code that cannot be one.
    """
    if code and not re.fullmatch(r"[\w-]{4,32}", code):
        raise BadArgument("code", code, "give 4 to 32 letters, digits and -, as in 'tensor-42'")
    room = Room(folder_of(name), path)
    keys = Keys(room.folder, code)

    def opened(course: Asgi, url: str) -> tuple[Asgi, list[str]]:
        app = RoomApp(room, keys, course, url, base)
        seated(seat_here)
        windows = [f"{url}/{each}?key={keys.board}" for each in ("board", "speaker")]
        join = f"{url}/join?{_query(code=keys.code)}"
        segno.make(join, error="m").terminal(sys.stdout, compact=True)
        said = f"learners join at {url}/join with the code {keys.code}"
        own = f"yours alone: {windows[0]} and, for notes and clock, {windows[1]}"
        sys.stdout.write(f"mlsysim learn: {said}\nmlsysim learn: {own}\n")
        return app, windows if present else windows[:1]

    return opened


def seat_here() -> Seat | None:
    """The seat whose request this is, or whose notebook."""
    if (seat := _sits.get()) is not None:
        return seat
    request = mo.app_meta().request
    held: Any = request.meta.get(SEAT) if request is not None else None
    return held


class RoomApp:
    """The room before `course`, the application that serves gallery and lessons."""

    def __init__(self, room: Room, keys: Keys, course: Asgi, url: str, base: str = "") -> None:
        self.room, self.keys, self.course, self.url, self.base = room, keys, course, url, base
        self._sessions: dict[str, str] = {}  # whose a session of a notebook is
        self._open: dict[str, int] = {}
        # a room of a hundred shares one address; a first page of marimo asks for 300 files
        self._asks = {SEAT: Bucket(1_200, 20), "address": Bucket(60_000, 1_000)}
        self._tries = Bucket(150, 1)  # at the code or the words, by address
        self._own = Starlette(
            routes=[
                Route("/join", self._join, methods=["GET", "POST"]),
                Route("/seat", self._seated),
                Route("/journal.jsonl", self._journal),
                Route("/room/state", self._state),
                Route("/room/{name}.js", self._script),
                Route("/healthz", self._health),
                Route("/board", self._board),
                Route("/speaker", self._speaker),
                Route("/board/state", self._board_state),
                Route("/board/picture", self._picture),
                Route("/board/act", self._act, methods=["POST"]),
                Route("/export.zip", self._export),
            ]
        )
        self._own.router.default = self._course

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let in who may come in, and no more of them than there is room for."""
        if scope["type"] not in ("http", "websocket"):
            await self.course(scope, receive, send)
            return
        here = HTTPConnection(scope)
        seat = self._seat_of(here)
        address = scope["client"][0] if scope.get("client") else ""
        allowed = self._asks["address"].take(address) and (
            seat is None or self._asks[SEAT].take(seat.id)
        )
        _sits.set(seat)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, here, seat if allowed else None)
            return
        own = bool(scope["path"].strip("/").split("/")[0] in _OWN)
        answer = guarded(send, SHUT if own else NOTEBOOK)
        refused = None if allowed else Response("Too many requests; wait a moment.", 429)
        if int(here.headers.get("content-length", "0") or 0) > MOST_BYTES:
            refused = Response("That is too long.", 413)
        if scope["method"] == "POST" and not same_origin(here):
            refused = Response("Another site cannot answer for you.", 403)
        await (refused or self._own)(scope, bounded(receive), answer)

    async def _socket(
        self, scope: Any, receive: Any, send: Any, here: HTTPConnection, seat: Seat | None
    ) -> None:
        held = self._open.get(seat.id, 0) if seat else 0
        if seat is None or held >= _DOORS_OPEN or not self._owns(here, seat):
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return
        self._open[seat.id] = held + 1
        try:
            await self.course(_at(scope, seat), receive, send)
        finally:
            self._open[seat.id] -= 1

    async def _course(self, scope: Any, receive: Any, send: Any) -> None:
        """Gallery, lessons and what belongs to them; to the door whoever has no seat."""
        here, seat = HTTPConnection(scope), _sits.get()
        if seat is None:
            there = scope["path"] if scope["method"] == "GET" else "/"
            refused = RedirectResponse(f"{self.base}/join?{_query(next=there)}", 303)
            await refused(scope, receive, send)
        elif not self._owns(here, seat):
            await Response("That page is somebody else's.", 403)(scope, receive, send)
        else:
            await self.course(_at(scope, seat), receive, send)

    def _owns(self, here: HTTPConnection, seat: Seat) -> bool:
        """Whether the session of a notebook that is asked for is the seat's, or nobody's yet."""
        named = here.headers.get("marimo-session-id") or here.query_params.get("session_id", "")
        if here.scope["type"] == "websocket":  # which opens one
            self._sessions.setdefault(named, seat.id)
        return self._sessions.get(named, seat.id) == seat.id

    def _seat_of(self, here: HTTPConnection) -> Seat | None:
        seat = self.keys.read(here.cookies.get(SEAT, ""))
        if seat and seat != SPEAKER:
            return self.room.seat(seat)
        return self.room.seat(SPEAKER) if self._speaks(here) else None

    def _speaks(self, here: HTTPConnection) -> bool:
        return self.keys.read(here.cookies.get(BOARD, ""), "board") == SPEAKER

    # ---- the door -------------------------------------------------------------------------------

    async def _join(self, request: Request) -> Response:
        if request.method == "GET":
            code, there = (request.query_params.get(name, "") for name in ("code", "next"))
            return self._door(code=code, next=there)
        fields = await _form(request)
        if not self._tries.take(request.client.host if request.client else ""):
            return self._door("Too many tries from here; wait a minute.", 429, **fields)
        words = fields.get("words", "").strip()
        if words:
            found = (each for each in self.room.seats() if self.keys.matches(each.id, words))
            seat = next(found, None)
            if seat is None:
                return self._door("No seat has these four words.", 403, **fields)
        else:
            name = _name(fields.get("name", ""))
            if not self.keys.opens(fields.get("code", "")):
                return self._door("That is not the code on the board.", 403, **fields)
            if not name:
                fault = f"Give a nickname of up to {LONGEST_NAME} letters or digits."
                return self._door(fault, 422, **fields)
            try:
                seat = await run_in_threadpool(self.room.sit, name)
            except MLSysError as error:
                return self._door(str(error), 403, **fields)
        there = fields.get("next", "")
        local = there.startswith("/") and not there.startswith("//") and "\\" not in there
        query = f"?{_query(next=there)}" if local and there != "/" else ""
        reply = RedirectResponse(f"{self.base}/seat{query}", 303)
        self._give(reply, request, SEAT, self.keys.sign(seat.id))
        return reply

    def _door(self, fault: str = "", status: int = 200, **fields: str) -> Response:
        typed = {name: fields.get(name, "") for name in ("code", "name", "words", "next")}
        return self._page("room_join.html", status, fault=fault, longest=LONGEST_NAME, **typed)

    async def _seated(self, request: Request) -> Response:
        seat = _sits.get()
        if seat is None or seat.id == SPEAKER:
            return RedirectResponse(f"{self.base}/join", 303)
        at = views.learner(self.room)
        there = request.query_params.get("next", "")
        known = there.strip("/") in {each.stem for each in self.room.lessons}
        onward = f"/{there.strip('/')}/" if known else f"/{at['stem']}/"
        page = {"seat": seat, "words": self.keys.words(seat.id), "onward": onward}
        return self._page("room_seat.html", **page)

    async def _journal(self, request: Request) -> Response:
        seat = _sits.get()
        if seat is None:
            raise HTTPException(403)
        kept = {"content-disposition": 'attachment; filename="journal.jsonl"'}
        return Response(Journal(seat.journal).to_bytes(), 200, kept, "application/jsonl")

    async def _state(self, request: Request) -> Response:
        if _sits.get() is None:
            raise HTTPException(403)
        return JSONResponse(views.learner(self.room))

    async def _script(self, request: Request) -> Response:
        if request.path_params["name"] not in ("learner", "board"):
            raise HTTPException(404)
        script = pages.source(f"room_{request.path_params['name']}.js")
        return Response(script, media_type="text/javascript")

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ok": True, "seats": len(self.room.seats())})

    # ---- the speaker's --------------------------------------------------------------------------

    def _for_speaker(self, request: Request) -> None:
        if not self._speaks(request):
            raise HTTPException(403, "This is the speaker's; the link stands in the terminal.")

    async def _board(self, request: Request) -> Response:
        return self._window(request, "room_board.html")

    async def _speaker(self, request: Request) -> Response:
        path = self.room.path
        slots = path.timetable if path else []
        stems = {each.number: each for each in self.room.lessons}
        plan = [
            {
                **slot.station.model_dump(include={"pause", "message", "notes", "cut", "lesson"}),
                "start": slot.start,
                "end": slot.end,
                "title": slot.station.pause or stems[slot.station.lesson or 0].title,
                "stem": "" if slot.station.pause else stems[slot.station.lesson or 0].stem,
                "asks": [] if slot.station.pause else self._asks_of(slot.station.lesson or 0),
            }
            for slot in slots
        ]
        return self._window(request, "room_speaker.html", plan=plan, agenda=self.room.agenda)

    def _asks_of(self, lesson: int) -> list[str]:
        return [q for q in self.room.agenda if q.startswith(f"{lesson:02}.")]

    def _window(self, request: Request, template: str, **facts: Any) -> Response:
        """A page of the speaker's; its key moves from the address, which all see, into a cookie."""
        key = request.query_params.get("key", "")
        if key and self.keys.is_speaker(key):
            reply = RedirectResponse(f"{self.base}{request.url.path}", 303)
            self._give(reply, request, BOARD, self.keys.sign(SPEAKER, "board"))
            return reply
        self._for_speaker(request)
        join = f"{self.url}/join?{_query(code=self.keys.code)}"
        code = segno.make(join, error="m").svg_data_uri(scale=8, border=2, light="white")
        return self._page(template, code=self.keys.code, url=self.url, qr=code, **facts)

    async def _board_state(self, request: Request) -> Response:
        self._for_speaker(request)
        full = "speaker" in request.query_params
        return JSONResponse((views.speaker if full else views.board)(self.room))

    async def _picture(self, request: Request) -> Response:
        self._for_speaker(request)
        now = self.room.standing
        lesson = self.room.lesson_of(now.question)
        told = lesson and truth(lesson.stem, now.question)
        if lesson is None or told is None or now.phase != "reveal":
            raise HTTPException(404)
        guess, dark = views.middle(self.room, now.question), "dark" in request.query_params
        if told.question.options or told.question.order:
            guess = None  # words have no middle
        drawn = await run_in_threadpool(picture, lesson.stem, now.question, guess, dark=dark)
        if not drawn:
            raise HTTPException(404)
        return Response(drawn, media_type="image/svg+xml")

    async def _act(self, request: Request) -> Response:
        self._for_speaker(request)
        try:
            sent = await request.json()
            question = sent.pop("question")
            if question not in self.room.agenda:
                raise HTTPException(422, f"The room asks no question {question!r:.40}.")
            sent["counts"] = self._counts(question, sent.pop("counts", {}))
            self.room.act(sent.pop("do"), question, **sent)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fault = ended(str(error)) if isinstance(error, InvalidEntry) else "That is no act."
            raise HTTPException(422, fault) from None
        return JSONResponse(views.speaker(self.room))

    def _counts(self, question: str, counts: dict[str, Any]) -> dict[str, int]:
        """Raised hands by answer, as they can be counted; raises ValueError for others."""
        lesson = self.room.lesson_of(question)
        asked = lesson.predictions[question] if lesson else None
        for answer, count in counts.items():
            said = answer if asked and (asked.options or asked.order) else float(answer)
            fits = asked is not None and asked.takes(said)
            if not fits or isinstance(count, bool) or not 0 <= int(count) <= 1000:
                raise ValueError(f"no hands for {answer!r:.40}")
        return {answer: int(count) for answer, count in counts.items()}

    async def _export(self, request: Request) -> Response:
        self._for_speaker(request)
        packed = await run_in_threadpool(archive, self.room)
        kept = {"content-disposition": f'attachment; filename="{self.room.name}.zip"'}
        return Response(packed, 200, kept, "application/zip")

    # ---- replies --------------------------------------------------------------------------------

    def _page(self, template: str, status: int = 200, **facts: Any) -> Response:
        page = pages.render(template, room=self.room.name, **facts)
        return HTMLResponse(below(self.base, page), status)

    def _give(self, reply: Response, request: Request, name: str, value: str) -> None:
        secure = request.url.scheme == "https"
        reply.set_cookie(
            name, value, _MONTH, path=self.base or "/", secure=secure, httponly=True, samesite="lax"
        )


_OWN = {"join", "seat", "room", "board", "speaker", "journal.jsonl", "export.zip", "healthz"}


def _at(scope: Any, seat: Seat) -> Any:
    """A request with the seat that it comes from, where a notebook finds it."""
    return {**scope, "meta": {SEAT: seat}}


async def _form(request: Request) -> dict[str, str]:
    sent = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: held[0] for name, held in sent.items()}


def _name(given: str) -> str:
    """A nickname as it is kept; '' for what is none."""
    name = " ".join(unicodedata.normalize("NFKC", given).split())
    return name if name.isprintable() and 0 < len(name) <= LONGEST_NAME else ""


def _query(**fields: str) -> str:
    return urlencode(fields)
