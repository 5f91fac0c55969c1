"""A room served on loopback, by a thread of this program, to real clients."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from unittest import mock

import httpx
import pytest
import uvicorn

from mlsysim.course import lessons as course
from mlsysim.course.journal import seated
from mlsysim.course.paths import find_path
from mlsysim.learn import server
from mlsysim.learn.room import app as rooms
from mlsysim.learn.room.keys import Keys
from mlsysim.learn.room.room import Room


@dataclass
class Served:
    """A room, its keys, its application and where it listens; the browsers that were opened."""

    room: Room
    keys: Keys
    app: rooms.RoomApp
    url: str
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self) -> httpx.Client:
        """A browser that has been here never before."""
        self.clients.append(httpx.Client(base_url=self.url, timeout=60))
        return self.clients[-1]

    def learner(self, name: str = "ada") -> httpx.Client:
        """A browser whose owner has a seat."""
        client = self.client()
        reply = client.post("/join", data={"code": self.keys.code, "name": name})
        assert reply.status_code == 303, reply.text
        return client

    def speaker(self) -> httpx.Client:
        """The speaker's browser."""
        client = self.client()
        reply = client.get("/board", params={"key": self.keys.board})
        assert (reply.status_code, reply.headers["location"]) == (303, "/board")
        return client


class Street:
    """One server and one course for a module's tests; each test has a room of its own there."""

    def __init__(self) -> None:
        self.main, self.others = sys.modules["__main__"], notebooks()
        with mock.patch.object(server, "AWAY", 1):
            self.course = server.application([course.find_lesson("00")])
        self.door = server.listen(0)
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        self.room = self.course
        config = uvicorn.Config(
            self,
            log_level="critical",
            timeout_graceful_shutdown=0,
            ws_max_size=server.LONGEST_FRAME,
        )
        self.program = uvicorn.Server(config)
        run = {"sockets": [self.door]}
        self.thread = threading.Thread(target=self.program.run, kwargs=run, daemon=True)

    async def __call__(self, scope, receive, send):
        await self.room(scope, receive, send)

    def close(self) -> None:
        """End the server once its notebooks have: Python would wait for their workers for ever."""
        until = time.monotonic() + 60
        while (left := notebooks() - self.others) and time.monotonic() < until:
            time.sleep(0.05)
        self.program.should_exit = True
        self.thread.join(timeout=20)
        self.door.close()
        # each notebook put itself there, and a process that is spawned looks for its specification
        sys.modules["__main__"] = self.main
        assert not left


def notebooks() -> set[threading.Thread]:
    """Threads in which a notebook runs."""
    return {each for each in threading.enumerate() if "kernel" in each.name}


@pytest.fixture(scope="module")
def street():
    """The server, until the module's tests are through."""
    held = Street()
    held.thread.start()
    while not held.program.started:
        time.sleep(0.01)
    yield held
    held.close()


@pytest.fixture
def served(street, tmp_path, monkeypatch):
    """The room `monday` on the conference's path, with the first lesson alone."""
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    room = Room(tmp_path / "rooms" / "monday", find_path("D"))
    keys = Keys(room.folder)
    street.room = rooms.RoomApp(room, keys, street.course, street.url)
    seated(rooms.seat_here)
    held = Served(room, keys, street.room, street.url)
    yield held
    for client in held.clients:
        client.close()
    seated()
