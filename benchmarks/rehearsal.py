"""`python -m benchmarks.rehearsal [--path D] [--learners 60] [--kills 20]`: a whole class.

Simulated learners of different habits go through a path with a speaker who keeps its timetable:
some are slow, some click twice, some reload, some leave and come back on another device. `--minute`
is how many seconds a minute of the timetable takes; `--kills` ends the server so often without a
word, at random moments, and starts it again. At the end nothing may be missing, and the path must
fit: reading, a minute a prediction, and a discussion a lesson.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from websockets.exceptions import WebSocketException

from benchmarks.class_load import Learner, Server, Speaker, served
from mlsysim.course import lessons as course
from mlsysim.course.journal import AGAIN, Journal
from mlsysim.course.lessons import Prediction
from mlsysim.course.paths import CoursePath, Station, find_path
from mlsysim.learn.handout import handout
from mlsysim.learn.room.room import Room, folder_of

HABITS = ("steady", "slow", "twice", "reloads", "moves")
PREDICTING = 1.0  # minutes for a prediction
DISCUSSING = 2.0  # minutes for neighbours to talk and to answer again
WORDS_A_MINUTE = 220  # read on a screen: Brysbaert (2019), doi:10.1016/j.jml.2019.104047, has 238
_NO_PROSE = re.compile(r"<(svg|style|head)\b.*?</\1>|<[^>]*>", re.DOTALL)
_TROUBLE = (httpx.HTTPError, OSError, TimeoutError, WebSocketException, AssertionError)


class Timed(NamedTuple):
    """What a station needs of its minutes: to read, to predict, to discuss what is worth it."""

    title: str
    given: int
    needed: float


def needs(station: Station, discussions: int = 1) -> Timed:
    """The minutes that a station needs: all of its text, its predictions, so many discussions."""
    if station.lesson is None:
        return Timed(station.pause, station.length, station.length)
    lesson = course.find_lesson(f"{station.lesson:02}")
    asked = [q for q in lesson.questions if int(q.split(".")[1]) not in station.skip]
    page = _NO_PROSE.sub(" ", handout(lesson.stem, answers=True))
    words = len(page.split()) * len(asked) / len(lesson.questions)
    minutes = words / WORDS_A_MINUTE + PREDICTING * len(asked) + DISCUSSING * discussions
    return Timed(f"{lesson.number} {lesson.title}", station.length, minutes)


def reply(asked: Prediction, chance: random.Random) -> dict[str, Any]:
    """An answer that somebody could give."""
    sure = chance.choice(["just a guess", "fairly sure", "certain"])
    value: Any = f"{10 ** chance.uniform(-1, 3):.3g}"
    if asked.options:
        value = chance.choice(asked.options)
    elif asked.order:
        value = chance.sample(asked.order, len(asked.order))
    return {"value": value, "because": "it waits for its bytes", "confidence": sure}


class Simulated:
    """One learner with a habit, who does what the room asks until it is over."""

    def __init__(self, server: Server, number: int, minute: float, seed: int) -> None:
        self.server, self.minute = server, minute
        self.chance = random.Random(f"{seed}|{number}")
        self.habit = HABITS[number % len(HABITS)]
        self.learner = Learner(server.url, server.code, f"{self.habit} {number}")
        self.committed: list[str] = []  # what a page has shown as given

    async def attend(self, over: asyncio.Event) -> None:
        """Follow the room, through whatever befalls its server, until it is over."""
        words = ""
        while not over.is_set():
            with contextlib.suppress(*_TROUBLE):
                if not words:
                    await self.learner.join()
                    words = await self.learner.words()
                await self._follow(over, words)
            await asyncio.sleep(0.2)
        await self.learner.close()

    async def _follow(self, over: asyncio.Event, words: str) -> None:
        now = await self.learner.state()
        if self.learner.stem != now["stem"] or self.learner.torn or not self.learner.tasks:
            await self.learner.open(now["stem"])
        while not over.is_set():
            await asyncio.sleep(self.minute * (0.4 if self.habit == "slow" else 0.1))
            now = await self.learner.state()
            question = now["question"]
            if now["stem"] != self.learner.stem or self.learner.torn:
                return
            seen, wanted = self.learner.seen, question
            if ("said", question) in seen and question in now["again"]:
                wanted = question + AGAIN
            due = question not in now["released"] and ("said", wanted) not in seen
            if due and (question in self.learner.elements):
                await self._answer(question, wanted)
                if self.chance.random() < 0.15:
                    await self._fidget(now["stem"], words)

    async def _answer(self, question: str, wanted: str) -> None:
        asked = course.lesson(self.learner.stem).predictions
        answer = reply(asked[question], self.chance)
        if why := asked.get(f"{question}.why"):
            answer["cause"] = self.chance.choice(why.options or ("",))
        clicks = 2 if self.habit == "twice" else 1
        await asyncio.wait_for(self.learner.commit(question, answer, times=clicks), 60)
        self.committed.append(wanted)

    async def _fidget(self, stem: str, words: str) -> None:
        """Reload the page, or go on with it on another device."""
        if self.habit == "moves":
            await self.learner.close()
            self.learner = Learner(self.server.url, self.server.code, "phone")
            sent = {"words": words}
            assert (await self.learner.http.post("/join", data=sent)).status_code == 303
        if self.habit in ("moves", "reloads"):
            await self.learner.open(stem)


class Presenter:
    """The speaker: asks, waits for most, shows, has the room talk once a lesson, reveals."""

    def __init__(self, server: Server, path: CoursePath, minute: float, most: float) -> None:
        self.server, self.path, self.minute, self.most = server, path, minute, most
        self.speaker = Speaker(server.url, server.key)
        self.done: list[str] = []  # acts that were answered: question and what was done
        self.discussed: set[str] = set()

    async def present(self, questions: list[str]) -> None:
        """Go through the questions."""
        await self._try(self.speaker.enter)
        for question in questions:
            await self._do("ask", question)
            await self._wait(question, 0, PREDICTING)
            await self._do("votes", question)
            lesson = question.partition(".")[0]
            if lesson not in self.discussed:  # one a lesson, as the timetable reckons
                self.discussed.add(lesson)
                await self._do("discuss", question, seconds=round(60 * DISCUSSING))
                await self._do("again", question)
                await self._wait(question, 1, DISCUSSING)
            await self._do("reveal", question)

    async def _wait(self, question: str, which: int, minutes: float) -> None:
        """Until most have answered; a busy machine gets longer than the minutes, not for ever."""
        start = time.monotonic()
        while time.monotonic() - start < max(40 * minutes * self.minute, 180):
            board = await self._try(self.speaker.look)
            enough = board["counts"][0] if which else board["seats"]
            if board["question"] == question and board["counts"][which] >= self.most * enough > 0:
                return
            await asyncio.sleep(0.3)

    async def _do(self, do: str, question: str, **more: Any) -> dict[str, Any]:
        board = await self._try(lambda: self.speaker.act(do, question, **more))
        self.done.append(f"{do} {question}")
        return board

    async def _try(self, act: Any) -> Any:
        """Do it again until a server answers."""
        while True:
            with contextlib.suppress(*_TROUBLE):
                return await act()
            await asyncio.sleep(0.3)


async def _kill(server: Server, kills: int, within: float) -> None:
    """End and start the server so often, at random moments of so many seconds."""
    chance = random.Random(0)
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0, 2 * within / kills))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)


async def rehearse(
    home: Path,
    *,
    path: str = "D",
    learners: int = 60,
    minute: float = 1.0,
    kills: int = 0,
    within: float = 60.0,
    first: int = 0,
) -> dict[str, Any]:
    """Rehearse a path, or its `first` questions; raises when anything is lost."""
    way, over, start = find_path(path), asyncio.Event(), time.monotonic()
    async with served(Server(home, "--path", path)) as server:
        crowd = [Simulated(server, n, minute, seed=1) for n in range(learners)]
        attending = [asyncio.create_task(each.attend(over)) for each in crowd]
        speaker = Presenter(server, way, minute, most=0.9)
        agenda = _agenda(way)[: first or None]
        killing = asyncio.create_task(_kill(server, kills, within))
        await _seated(speaker, learners)
        await speaker.present(agenda)
        await killing
        over.set()
        await asyncio.gather(*attending)
        await speaker.speaker.http.aclose()
        log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log, log[-3000:]
    return {**kept(home, way, crowd, speaker), "s": time.monotonic() - start}


async def _seated(speaker: Presenter, learners: int) -> None:
    await speaker._try(speaker.speaker.enter)
    while (await speaker._try(speaker.speaker.look))["seats"] < learners:
        await asyncio.sleep(0.3)


def _agenda(way: CoursePath) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return Room(Path(folder), way).agenda


def kept(home: Path, way: CoursePath, crowd: list[Simulated], speaker: Presenter) -> dict[str, Any]:
    """Hold what a room's files have against what its pages showed; raises when anything is lost."""
    room = Room(home / "rooms" / folder_of("load").name, way)
    seats = {each.name: each for each in room.seats()}
    votes = 0
    for each in crowd:
        name = f"{each.habit} {crowd.index(each)}"
        journal = Journal(seats[name].journal)
        lost = [question for question in each.committed if question not in journal]
        assert not lost, (name, lost)
        assert journal.damaged == 0
        votes += len(each.committed)
    acts = [line for line in (room.folder / "acts.jsonl").read_text().splitlines() if line]
    assert len(acts) >= len(speaker.done)
    for done in speaker.done:
        do, question = done.split()
        assert do != "reveal" or question in room.standing.released, done
        assert do != "again" or question in room.standing.again, done
    return {"seats": len(seats), "commitments": votes, "acts": len(acts)}


def main() -> None:
    """Rehearse, and hold the path against its timetable."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--path", default="D")
    ask.add_argument("--learners", type=int, default=60)
    ask.add_argument("--minute", type=float, default=1.0)
    ask.add_argument("--kills", type=int, default=0)
    ask.add_argument("--first", type=int, default=0, help="so many questions and no more")
    ask.add_argument("--timetable", action="store_true", help="only hold it against its minutes")
    asked = ask.parse_args()
    total = 0.0
    for station in find_path(asked.path).stations:
        timed = needs(station)
        total += timed.needed
        print(f"{timed.title}: needs {timed.needed:.1f} of {timed.given} min")
    print(f"{total:.0f} of {find_path(asked.path).minutes} minutes")
    if asked.timetable:
        return
    with tempfile.TemporaryDirectory() as folder:
        done = asyncio.run(
            rehearse(
                Path(folder),
                path=asked.path,
                learners=asked.learners,
                minute=asked.minute,
                kills=asked.kills,
                first=asked.first,
            )
        )
    print(done)


if __name__ == "__main__":
    main()
