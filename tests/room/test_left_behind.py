"""What a class leaves behind: an archive that the grader reads; and what is served under a base."""

from __future__ import annotations

import io
import json
import zipfile

import httpx
import pytest
from typer.testing import CliRunner

from grading.commands import main as grade
from mlsysim.cli.app import app as cli
from mlsysim.core.errors import BadArgument
from mlsysim.course.journal import Journal
from mlsysim.learn import server
from mlsysim.learn.room import app as rooms


@pytest.fixture
def archive(served):
    """The archive of a class of two that answered twice and once."""
    for name, answers in (("ada", {"00.1": 30.0, "00.1/2": 200.0}), ("=bob", {"00.1": 90.0})):
        seat = served.room.sit(name)
        for question, value in answers.items():
            journal = Journal(seat.journal)
            seat.took(journal.commit(question, value, "tokens/s", 0.6))
    served.room.act("hands", "00.1", counts={"30": 5})
    packed = served.speaker().get("/export.zip")
    assert packed.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(packed.content))


def test_the_archive_holds_journals_rounds_and_distributions(served, archive):
    ada, bob = served.room.seats()
    assert archive.read(f"journals/{ada.id}.jsonl") == ada.journal.read_bytes()
    rows = archive.read("rounds.csv").decode().splitlines()
    assert f"00.1,2,{ada.id},200.0,0.6" in rows
    assert len(rows) == 4
    assert json.loads(archive.read("distribution.json")) == {
        "00.1": [[30.0, 6], [90.0, 1]],
        "00.1/2": [[200.0, 1]],
    }
    assert f"{bob.id},'=bob" in archive.read("seats.csv").decode()  # no formula for a spreadsheet


def test_the_grader_reads_the_archive(archive, tmp_path, capsys):
    archive.extractall(tmp_path / "class")
    report = tmp_path / "report"
    assert grade(["grade", str(tmp_path / "class"), "--out", str(report), "--jobs", "1"]) == 0
    assert "00_hello_roofline: 2 graded" in capsys.readouterr().out
    held = json.loads((report / "report.json").read_text())
    assert [row["predictions"]["committed"] for row in held["students"]] == [["00.1"], ["00.1"]]
    assert [row["predictions"]["fault"] for row in held["students"]] == ["", ""]


@pytest.fixture
def based(served):
    """The same room as one of several services: all of it below /course."""
    app = rooms.RoomApp(served.room, served.keys, served.app.course, "http://x/course", "/course")
    transport = httpx.ASGITransport(app=server.under("/course", app))
    return lambda: httpx.AsyncClient(transport=transport, base_url="http://x")


def test_below_a_base_every_link_leads_below_it(served, based):
    import asyncio

    async def walk():
        async with based() as ada:
            assert (await ada.get("/")).headers["location"] == "/course/"
            first = await ada.get("/course/")
            assert first.headers["location"].startswith("/course/join")
            sent = {"code": served.keys.code, "name": "ada"}
            assert 'action="/course/join"' in (await ada.get("/course/join")).text
            reply = await ada.post("/course/join", data=sent)
            assert reply.headers["location"] == "/course/seat"
            assert "Path=/course" in reply.headers["set-cookie"]
            assert 'href="/course/00_hello_roofline/"' in (await ada.get("/course/seat")).text
            assert (await ada.get("/course/healthz")).json()["ok"]
            return (await ada.get("/course/00_hello_roofline/")).status_code

    assert asyncio.run(walk()) == 200


def test_the_course_alone_tells_that_it_is_well_and_links_below_its_base():
    assert server.page("/healthz", {}) == ("ok", 200, "")
    assert server.below("/course", '<a href="/quiz">') == '<a href="/course/quiz">'
    assert server.below("", '<a href="/quiz">') == '<a href="/quiz">'


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (["--present"], "which class?"),
        (["--code", "tensor"], "which class?"),
        (["--class", "a/b"], "class cannot be"),
        (["--class", "monday", "--code", "x"], "4 to 32"),
        (["--class", "monday", "--base-url", "course"], "--base-url /course"),
    ],
)
def test_a_class_that_cannot_be_opened_is_refused(given, fault, tmp_path, monkeypatch):
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    ran = CliRunner().invoke(cli, ["learn", *given, "--no-browser"])
    assert ran.exit_code != 0
    assert fault in str(ran.exception) + ran.output


def test_what_opens_a_room_says_how_to_join_and_whose_the_board_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    monkeypatch.setattr(rooms, "seated", lambda find: None)
    opened = rooms.opening("Monday", None, code="tensor-42", present=True)
    app, windows = opened(None, "http://192.0.2.7:2718")
    said = capsys.readouterr().out
    assert "join at http://192.0.2.7:2718/join with the code tensor-42" in said
    assert "█" in said  # the QR code
    assert app.room.folder == tmp_path / "rooms" / "monday"
    key = app.keys.board
    assert windows == [f"http://192.0.2.7:2718/{each}?key={key}" for each in ("board", "speaker")]
    alone = rooms.opening("Monday", None)(None, "http://192.0.2.7:2718")[1]
    assert alone == [f"http://192.0.2.7:2718/board?key={key}"]  # who does not present has no notes
    for code in ("abc", "a" * 33, "a bcd", "ab/cd"):
        with pytest.raises(
            BadArgument, match=r"code cannot be .*: give 4 to 32 letters, digits and"
        ):
            rooms.opening("Monday", None, code=code)
    for code in ("abcd", "a" * 32):
        rooms.opening("Monday", None, code=code)


@pytest.mark.parametrize(("given", "host"), [([], "127.0.0.1"), (["--host", "0.0.0.0"], "0.0.0.0")])
def test_a_class_is_served_to_this_machine_alone_unless_it_is_told_otherwise(
    given, host, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLSYSIM_HOME", str(tmp_path))
    monkeypatch.setattr(rooms, "seated", lambda find: None)
    places = []
    monkeypatch.setattr(server, "serve", lambda *_, place, **__: places.append(place))
    ran = CliRunner().invoke(cli, ["learn", "--class", "monday", "--no-browser", *given])
    assert ran.exit_code == 0, ran.output
    assert [place.host for place in places] == [host]
    assert ("'--host 0.0.0.0' lets its network in" in ran.output) == (not given)
