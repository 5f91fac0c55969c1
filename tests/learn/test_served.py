"""`mlsysim learn` as a program: it starts, answers, ends when told to, and starts again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from websockets.sync.client import connect

from mlsysim.course import lessons as course
from mlsysim.learn import server
from tests.notebooks import environment

STEM = "00_hello_roofline"
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def start(tmp_path):
    """Start it in a folder whose owner likes marimo dark; returns the process and its address."""
    (tmp_path / ".marimo.toml").write_text('[display]\ntheme = "dark"\n')
    env = environment(MLSYSIM_HOME=str(tmp_path / "home"), MLSYSIM_JOURNAL="")
    running = []

    def go(port="0"):
        command = [sys.executable, "-m", "mlsysim", "learn", "--no-browser", "--port", port]
        ran = subprocess.Popen(
            command,
            env=env,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(ran)
        said = ran.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert found, said
        fetch(found[0])
        return ran, found[0]

    yield go
    for ran in running:
        ran.kill()
        ran.wait()
        ran.stdout.close()


def fetch(url):
    """The status of a page and its text; waits for a server that is starting."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


@posix
def test_ctrl_c_ends_it_with_a_lesson_open_and_its_port_can_be_used_again_at_once(start):
    ran, url = start()
    page = url.replace("http", "ws") + f"{STEM}/ws?session_id=s_abcdef"
    how = {"open_timeout": 20, "close_timeout": 1}  # nobody is left to say goodbye to
    with connect(page, origin=url.rstrip("/"), **how) as lesson:
        lesson.recv(timeout=20)  # the notebook's kernel is there
        ran.send_signal(signal.SIGINT)
        assert ran.wait(timeout=10) == 0  # it took more than 20 s, and a second Ctrl+C
        assert ran.stdout.read() == "mlsysim learn: closed. What you committed is kept.\n"
        again, same = start(url.split(":")[2].strip("/"))
        assert (again.poll(), same) == (None, url)


def test_whatever_is_asked_for_there_is_a_page_that_helps(start):
    _, url = start()
    status, page = fetch(url + f"{STEM}/")
    assert status == 200
    assert '"theme": "system"' in page  # of marimo, whatever its owner likes elsewhere
    for missing in ("03_kv_cashe/", "exercise/nope", "%3Cscript%3E", f"{STEM}x"):
        status, page = fetch(url + missing)
        assert status == 404
        assert "There is no page" in page
        assert f'href="/{STEM}/"' in page
        assert "<script>" not in page
    assert "There is no page" not in fetch(url)[1]


def test_what_draws_lessons_is_fetched_once_for_all_of_them_while_the_gallery_is_read(start):
    _, url = start()
    ahead = re.findall(r'<link rel="prefetch" href="/([^"]+)">', fetch(url)[1])
    lessons = [fetch(f"{url}{stem}/")[1] for stem in (STEM, "03_kv_cache")]
    scripts = [re.findall(r'<script[^>]* src="/([^"]+\.js)"', page) for page in lessons]
    assert scripts[0] == scripts[1]  # it was another address, and another copy, for each lesson
    assert scripts[0]
    assert set(scripts[0]) < set(ahead)
    with urllib.request.urlopen(url + scripts[0][0], timeout=10) as sent:
        kind = sent.headers["content-type"]
        assert (sent.status, kind) == (200, "text/javascript; charset=utf-8")
        assert "immutable" in sent.headers["cache-control"]
        assert len(sent.read()) == int(sent.headers["content-length"]) > 1000
    folder = scripts[0][0].rpartition("/")[0]
    for elsewhere in ("../../__init__.py", "%2e%2e/%2e%2e/__init__.py", "nothing.js", ""):
        assert fetch(f"{url}{folder}/{elsewhere}")[0] == 404


@pytest.fixture
def busy():
    """A port on which another program listens."""
    with socket.socket() as other:
        other.bind((server.HOST, 0))
        other.listen()
        yield other.getsockname()[1]


def test_the_default_port_may_be_busy(busy, monkeypatch):
    monkeypatch.setattr(server, "PORT", busy)
    with server.listen(None) as door:
        assert busy < door.getsockname()[1] < busy + server.NEXT


def test_the_editor_opens_with_its_cells_run(tmp_path):
    copy = server.editable_copy(course.find_lesson("00"), "tutorials", tmp_path)
    command, env = server.editor(copy, 0, browser=False)
    assert command[1:5] == ["-m", "marimo", "edit", str(copy)]
    assert "--no-sandbox" in command
    assert "--headless" in command
    code = (
        "from marimo._config.manager import get_default_config_manager as of; "
        f"print(of(current_path={str(copy)!r}).get_config()['runtime']['auto_instantiate'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
