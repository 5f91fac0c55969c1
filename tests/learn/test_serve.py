"""Where the course is served, what opens, and what lies below a base; no server runs."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn

from mlsysim.core.errors import BadArgument
from mlsysim.learn import server
from mlsysim.learn.server import Place, page


@pytest.fixture
def ran(monkeypatch):
    """What `serve` would have run and opened, and with which status it ends."""
    held: dict = {"opened": []}

    class Program:
        def __init__(self, config):
            held["config"] = config

        def run(self, sockets):
            held["port"] = sockets[0].getsockname()[1]
            sockets[0].close()
            raise KeyboardInterrupt

    class Timer:
        def __init__(self, seconds, do, urls):
            self.start = lambda: held["opened"].append((seconds, *urls))

    monkeypatch.setattr(uvicorn, "Server", Program)
    monkeypatch.setattr(server.threading, "Timer", Timer)
    monkeypatch.setattr(server, "application", lambda lessons, path, base: f"course at {base!r}")
    monkeypatch.setattr(server, "with_settings_of_our_own", lambda: None)
    monkeypatch.setattr(server.os, "_exit", lambda code: held.update(code=code))
    return held


@pytest.fixture
def taken(monkeypatch):
    """The default port, which somebody has."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        yield port


@pytest.mark.parametrize("browser", [True, False])
def test_the_address_is_said_and_opened_where_there_is_a_browser(ran, capsys, browser):
    place = Place(port=0, base="/course")
    server.serve("/00_hello_roofline/", place=place, browser=browser)
    url = f"http://127.0.0.1:{ran['port']}/course/00_hello_roofline/"
    assert capsys.readouterr().out == (
        f"mlsysim learn: {url}  (Ctrl+C ends it)\n"
        "mlsysim learn: closed. What you committed is kept.\n"
    )
    assert ran["opened"] == [(0.8, url)] * browser
    config = ran["config"]
    assert (config.ws_max_size, config.timeout_keep_alive, ran["code"]) == (64 * 1024, 75, 0)
    assert config.timeout_graceful_shutdown == 0


def test_a_room_stands_before_the_course_and_says_what_opens(ran, capsys):
    def room(app, home):
        assert app == "course at ''"
        return "room", [f"{home}/board", f"{home}/speaker"]

    server.serve(place=Place(port=0), browser=True, room=room)
    home = f"http://127.0.0.1:{ran['port']}"
    assert ran["opened"] == [(0.8, f"{home}/board"), (0.8, f"{home}/speaker")]
    assert f"{home}/board  (Ctrl+C" in capsys.readouterr().out


def test_where_the_default_port_is_busy_the_next_is_taken_and_said(ran, taken, capsys):
    server.serve(browser=False)
    assert taken < ran["port"] < taken + 20
    said = f"mlsysim learn: port {taken} is busy, so this is on {ran['port']}\n"
    assert capsys.readouterr().out.startswith(said)
    remedy = "it is taken or no port at all; give another, or 0 for any"
    for port in (taken, 99999):
        with pytest.raises(BadArgument, match=f"port cannot be {port}: {remedy}"):
            server.serve(place=Place(port=port), browser=False)


def test_who_serves_a_network_is_found_under_an_address_of_its_own(monkeypatch):
    monkeypatch.setattr(server, "_own_address", lambda: "192.0.2.7")
    hosts = ("0.0.0.0", "::", "127.0.0.1", "lab.example")
    named = [Place(host).name for host in hosts]
    assert named == ["192.0.2.7", "192.0.2.7", "127.0.0.1", "lab.example"]


def through(app, scope):
    """What an application sends for a request."""
    got = []

    async def send(message):
        got.append(message)

    asyncio.run(app(scope, None, send))
    return got


@pytest.mark.parametrize(
    ("base", "kind", "asked", "path"),
    [
        ("/course", "http", "/course", "/"),
        ("/course", "http", "/course/quiz", "/quiz"),
        ("/course", "websocket", "/course/a/ws", "/a/ws"),
        ("/course", "http", "/courses", None),
        ("/course", "websocket", "/", None),
        ("", "http", "/quiz", "/quiz"),
        ("/course", "lifespan", None, None),
    ],
)
def test_below_a_base_the_base_is_taken_off_and_beside_it_is_nothing(base, kind, asked, path):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope.get("path"))

    scope = {"type": kind} | ({"path": asked} if asked else {})
    got = through(server.under(base, app), scope)
    if path is not None or kind == "lifespan":
        assert (seen, got) == ([path], [])
    elif kind == "websocket":
        assert (seen, got) == ([], [{"type": "websocket.close", "code": 1008}])
    else:
        assert seen == []
        assert (got[0]["status"], got[0]["headers"]) == (307, [(b"location", b"/course/")])
        assert got[1]["body"] == b""


@pytest.mark.parametrize(
    ("asked", "status", "title"),
    [
        ("/", 200, ""), ("/review/", 200, "Nothing is due"), ("/quiz/", 200, "Question 1 of 12"),
        ("/cheatsheet/", 200, "Cheat sheet"), ("/healthz", 200, "ok"), ("/healthz/", 404, ""),
        ("/nothing", 404, "/nothing"),
    ],
)  # fmt: skip
def test_each_address_has_its_page_and_what_is_none_the_gallery(
    asked, status, title, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(tmp_path / "journal.jsonl"))
    reply = page(asked, {})
    assert (reply.status, reply.to) == (status, "")
    assert title.casefold() in reply.body.casefold()


def test_of_a_form_that_is_too_long_the_rest_is_left_unread(tmp_path, monkeypatch):
    monkeypatch.setenv("MLSYSIM_JOURNAL", str(tmp_path / "journal.jsonl"))
    read = []

    async def receive():
        read.append(10_000)
        return {"body": b"x" * 10_000, "more_body": True}

    scope = {"method": "POST", "headers": [], "query_string": b"", "path": "/quiz"}
    asyncio.run(server.answer(scope, receive, None))
    assert sum(read) == 20_000
