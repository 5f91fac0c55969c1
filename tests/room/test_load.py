"""Ten learners at once, two servers behind nginx, a server that is killed: as programs."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from benchmarks import rehearsal
from benchmarks.class_load import Server, load, nginx, pair, served
from mlsysim.course.paths import find_path

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="/proc and signals"),
    # nobody can take leave of a server that is killed: what was open to it ends with its owner
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in.*:pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture(autouse=True)
def ended():
    """What was open to a server ends here, and not in the midst of a later test."""
    yield
    gc.collect()


def through(server, work, many):
    """What a class of so many tells, on a server of its own."""

    async def run():
        async with served(server):
            return await work(server, many=many)

    return asyncio.run(run())


def test_ten_learners_join_commit_see_the_release_and_answer_again(tmp_path):
    told = through(Server(tmp_path), load, 10)
    assert told["memory MB"] < 350


@pytest.mark.skipif(nginx() is None, reason="no nginx here: Debian's package, or $NGINX_PROGRAM")
def test_two_servers_behind_nginx_hold_one_class_with_one_board(tmp_path):
    told = through(Server(tmp_path), pair, 10)
    assert told["threads at least"] > 3  # notebooks are open on both


def test_a_server_that_is_killed_loses_no_seat_commitment_round_or_release(tmp_path):
    done = asyncio.run(
        rehearsal.rehearse(tmp_path, learners=3, minute=0.2, kills=1, within=6, first=1)
    )
    assert done["commitments"] >= 3
    assert done["seats"] >= 3


@pytest.mark.slow
def test_it_may_be_killed_at_twenty_moments_of_a_lesson(tmp_path):
    done = asyncio.run(
        rehearsal.rehearse(tmp_path, learners=10, minute=1, kills=20, within=150, first=11)
    )
    assert done["commitments"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("path", ["D", "D+"])
def test_a_path_fits_its_timetable(path):
    way = find_path(path)
    timed = [rehearsal.needs(station) for station in way.stations]
    assert [each for each in timed if each.needed > each.given] == []
    assert sum(each.given for each in timed) == way.minutes
