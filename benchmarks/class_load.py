"""`python -m benchmarks.class_load [--learners 100] [--runs 1]`: a class under load.

Everybody joins, commits in the same second, sees the release, is asked again and answers; told is
what each step took, what the server used, and what its log holds. Clients speak what browsers do:
HTTP with cookies, and a lesson's websocket.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

PATIENCE = 120.0  # seconds after which something is held to be lost
OFTEN = 1.0  # seconds between two looks at the room, as in pages/room_learner.js
_ELEMENT = re.compile(r"object-id='([^']+)'[^>]*><mlsysim-ask[^>]*data-question='([^']*)'")
_SEEN = re.compile(r'data-(said|waits|mark)="([^"]+)"')


class Learner:
    """A learner: what a browser would send, and what it would show."""

    def __init__(self, url: str, code: str, name: str) -> None:
        self.url, self.code, self.name = url, code, name
        self.http = httpx.AsyncClient(base_url=url, timeout=PATIENCE)
        self.seen: set[tuple[str, str]] = set()  # ("mark", "00.1") and the like
        self.faults: list[str] = []
        self.elements: dict[str, str] = {}
        self._news = asyncio.Condition()
        self.tasks: list[asyncio.Task[None]] = []
        self.stem, self._session, self.torn = "", "", False

    async def join(self) -> None:
        """Take a seat."""
        sent = {"code": self.code, "name": self.name}
        reply = await self.http.post("/join", data=sent)
        assert reply.status_code == 303, (reply.status_code, reply.text[-300:])

    async def words(self) -> str:
        """The four words of the seat."""
        return re.findall(r"<b>([a-z-]+)</b>", (await self.http.get("/seat")).text)[0]

    async def open(self, stem: str) -> None:
        """Open a lesson, and wait until all its cells have run."""
        await self.leave()
        self.stem, self._session, self.torn = stem, f"s_{secrets.token_hex(3)}", False
        (await self.http.get(f"/{stem}/")).raise_for_status()
        ran = asyncio.Event()
        self.tasks = [asyncio.create_task(self._hear(ran)), asyncio.create_task(self._heed())]
        await self.until(ran.is_set)

    async def leave(self) -> None:
        """Close the lesson, as one does who goes away or reloads."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks, self.elements = [], {}
        self.seen.clear()

    async def commit(self, question: str, answer: dict[str, Any], *, times: int = 1) -> None:
        """Answer a question, clicking so often, and wait until the page shows it as given."""
        await self.until(lambda: question in self.elements)
        again = ("said", question) in self.seen
        for _ in range(times):
            await self._send(question, answer)
        wanted = ("said", f"{question}/2" if again else question)
        await self.until(lambda: wanted in self.seen)

    async def until(self, fits: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until the page shows something; raises ConnectionError when its server is gone."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: fits() or self.torn), patience)
        if not fits():
            raise ConnectionError("the page lost its server")

    async def marked(self, question: str) -> None:
        """Wait until the page shows what the solver says."""
        await self.until(lambda: ("mark", question) in self.seen)

    async def state(self) -> dict[str, Any]:
        """Where the room is."""
        return (await self.http.get("/room/state")).raise_for_status().json()

    async def close(self) -> None:
        """Go home."""
        await self.leave()
        await self.http.aclose()

    async def _send(self, question: str, value: dict[str, Any]) -> None:
        sent = {"objectIds": [self.elements[question]], "values": [value]}
        headers = {"Marimo-Session-Id": self._session}
        path = f"/{self.stem}/api/kernel/set_ui_element_value"
        (await self.http.post(path, json=sent, headers=headers)).raise_for_status()

    async def _hear(self, ran: asyncio.Event) -> None:
        try:
            await self._listen(ran)
        finally:
            self.torn = True
            async with self._news:
                self._news.notify_all()

    async def _listen(self, ran: asyncio.Event) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        address = f"{self.url.replace('http', 'ws', 1)}/{self.stem}/ws?session_id={self._session}"
        headers = {"Cookie": cookie}
        async with connect(
            address, additional_headers=headers, max_size=None, open_timeout=PATIENCE
        ) as socket:
            async for text in socket:
                message = json.loads(text)
                if message.get("op") == "completed-run":
                    ran.set()
                    async with self._news:
                        self._news.notify_all()
                elif message.get("op") == "cell-op":
                    await self._shown(message["data"])

    async def _shown(self, cell: dict[str, Any]) -> None:
        output = cell.get("output") or {}
        if output.get("channel") == "marimo-error":
            kinds = [each.get("type") for each in output.get("data", [])]
            self.faults += [str(output) for kind in kinds if kind == "exception"]
        page = output.get("data")
        if not isinstance(page, str):
            return
        async with self._news:
            for element, question in _ELEMENT.findall(page):
                self.elements[json.loads(html.unescape(question))] = element
            self.seen |= set(_SEEN.findall(page))
            self._news.notify_all()

    async def _heed(self) -> None:
        """Look at the room and tell the notebook what was released, as the page's script does."""
        told: set[str] = set()
        while True:
            with suppress(httpx.HTTPError, OSError):
                for question in (await self.state())["released"]:
                    if ("waits", question) in self.seen and question not in told:
                        told.add(question)
                        await self._send(question, {"room": time.time()})
            await asyncio.sleep(OFTEN * (0.8 + 0.4 * secrets.randbelow(100) / 100))


class Speaker:
    """Whoever has the key: looks at the board, and acts."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=PATIENCE, follow_redirects=True)
        self.key = key

    async def enter(self) -> None:
        """Open the board with the key."""
        (await self.http.get("/board", params={"key": self.key})).raise_for_status()

    async def look(self, *, beside: bool = False) -> dict[str, Any]:
        """What the board shows, or the speaker's own window."""
        reply = await self.http.get("/board/state" + "?speaker" * beside)
        return reply.raise_for_status().json()

    async def act(self, do: str, question: str, **more: Any) -> dict[str, Any]:
        """Do something about a question."""
        sent = {"do": do, "question": question, **more}
        return (await self.http.post("/board/act", json=sent)).raise_for_status().json()


class Server:
    """A room's server as a program of its own."""

    def __init__(self, home: Path, *more: str, log: str = "server.log") -> None:
        self.home, self.more, self.port = home, more, 0
        self.log = home / log

    def start(self) -> None:
        """Start it, and read from what it says where it is; again on the same port."""
        self.home.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "MLSYSIM_HOME": str(self.home), "MLSYSIM_JOURNAL": ""}
        env |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "mlsysim", "learn", "--class", "load", "--no-browser"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), *self.more]
        with self.log.open("w", encoding="utf-8") as log:
            self.program = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while "Ctrl+C" not in (said := self.log.read_text(encoding="utf-8")):
            assert self.program.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        (self.url,) = re.findall(r"join at (http://[^ ]+)/join", said)
        (self.code,) = re.findall(r"with the code (\S+)", said)
        self.key = re.findall(r"board\?key=(\w+)", said)[0]
        self.port = int(re.findall(r":(\d+)", self.url)[0])

    def kill(self) -> None:
        """End it without a word, as a power cut does."""
        self.program.kill()
        self.program.wait()

    def sessions(self) -> int:
        """How many threads run in it: every notebook that is open has some (Linux)."""
        return len(list(Path(f"/proc/{self.program.pid}/task").iterdir()))

    def used(self) -> tuple[float, float]:
        """Seconds of CPU and MB of memory so far (Linux)."""
        fields = Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        pages = int(Path(f"/proc/{self.program.pid}/statm").read_text().split()[1])
        return (int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[Server]:
    """A server that is running, and ended after."""
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        server.kill()


def nginx() -> str | None:
    """The nginx to put before two servers: $NGINX_PROGRAM, or Debian's."""
    return (
        os.environ.get("NGINX_PROGRAM") or shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    )


@asynccontextmanager
async def behind(program: str, first: Server, second: Server) -> AsyncIterator[str]:
    """Both servers of one room behind nginx with the settings that we ship; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = SETTINGS.read_text(encoding="utf-8").replace("listen 8080", f"listen 127.0.0.1:{port}")
    for name, server in (("one", first), ("two", second)):
        text = text.replace(f"server {name}:2718", f"server 127.0.0.1:{server.port}")
    own = "".join(
        f"{kind}_temp_path {first.home}/nginx-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = first.home / "nginx.conf"
    settings.write_text(text.replace("http {", f"http {{\naccess_log off;\n{own}", 1))
    command = [program, "-p", str(first.home), "-c", str(settings), "-e", "stderr"]
    command += ["-g", f"daemon off; pid {first.home}/nginx.pid;"]
    running = await asyncio.create_subprocess_exec(*command)
    try:
        async with httpx.AsyncClient(base_url=(url := f"http://127.0.0.1:{port}")) as client:
            for _ in range(100):
                with suppress(httpx.HTTPError):
                    (await client.get("/healthz")).raise_for_status()
                    break
                await asyncio.sleep(0.1)
        yield url
    finally:
        running.terminate()
        await running.wait()


async def timed(work: Sequence[Any]) -> list[float]:
    """Do all at once, and say what each took."""

    async def one(each: Any) -> float:
        start = time.monotonic()
        await each
        return time.monotonic() - start

    return list(await asyncio.gather(*map(one, work)))


SETTINGS = Path(__file__).parent.parent / "deploy" / "nginx.conf"
FIRST = ("00_hello_roofline", "00.1")


async def load(*servers: Server, many: int, url: str = "", at_once: int = 4) -> dict[str, float]:
    """A class of so many through its first question; raises when anything is lost.

    Several servers of one room stand behind `url`.
    """
    stem, question = FIRST
    server, url = servers[0], url or servers[0].url
    speaker, told = Speaker(url, server.key), {}
    await speaker.enter()
    await speaker.look()
    learners = [Learner(url, server.code, f"learner {n}") for n in range(many)]
    limit, before = asyncio.Semaphore(at_once), sum(each.used()[0] for each in servers)

    async def enter(each: Learner) -> None:
        async with limit:
            await each.join()
            await each.open(stem)

    took = await timed([enter(each) for each in learners])
    told["cpu s a join"] = (sum(each.used()[0] for each in servers) - before) / many
    told["all joined s"] = max(took)

    def answer(n: int, factor: int) -> dict[str, Any]:
        return {"value": str((n + 1) * factor), "confidence": "certain"}

    took = await timed([each.commit(question, answer(n, 3)) for n, each in enumerate(learners)])
    told |= {"commit median s": statistics.median(took), "commit worst s": max(took)}
    told["vote on the board s"] = await _until(speaker, lambda board: board["counts"][0] == many)
    await speaker.act("votes", question)
    await speaker.act("again", question)
    took = await timed([each.commit(question, answer(n, 2)) for n, each in enumerate(learners)])
    told["second commit worst s"] = max(took)
    await _until(speaker, lambda board: board["counts"][1] == many)
    released = [asyncio.create_task(each.marked(question)) for each in learners]
    start = time.monotonic()
    await speaker.act("reveal", question)
    await asyncio.gather(*released)
    told["release worst s"] = time.monotonic() - start
    told["threads at least"] = min(each.sessions() for each in servers)
    told["memory MB"] = sum(each.used()[1] for each in servers)
    await speaker.http.aclose()
    faults = [fault for each in learners for fault in each.faults]
    await asyncio.gather(*(each.close() for each in learners))
    assert not faults, faults[:3]
    for each in servers:
        log = each.log.read_text(encoding="utf-8")
        assert "Error" not in log, log[-2000:]
    return told


async def pair(first: Server, many: int) -> dict[str, float]:
    """A class of so many on two servers of one room behind nginx, with one board."""
    program = nginx()
    assert program, "no nginx here: install Debian's package `nginx`, or name one in $NGINX_PROGRAM"
    second = Server(first.home, log="second.log")
    async with served(second), behind(program, first, second) as url:
        return await load(first, second, many=many, url=url)


async def _until(speaker: Speaker, fits: Callable[[dict[str, Any]], bool]) -> float:
    start = time.monotonic()
    while not fits(await speaker.look()):
        assert time.monotonic() - start < PATIENCE
        await asyncio.sleep(0.1)
    return time.monotonic() - start


async def main() -> None:
    """So many runs, each with a server of its own."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--learners", type=int, default=100)
    ask.add_argument("--runs", type=int, default=1)
    ask.add_argument("--two", action="store_true", help="two servers behind nginx")
    asked = ask.parse_args()
    for run in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            async with served(Server(Path(folder))) as server:
                told = await (pair if asked.two else load)(server, many=asked.learners)
        print(f"run {run + 1}:", {name: round(value, 2) for name, value in told.items()})


if __name__ == "__main__":
    asyncio.run(main())
