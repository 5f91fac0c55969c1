"""A real Chromium, and the course served as a learner would serve it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 150_000  # ms: only a page that hangs takes so long, however busy the machine is
SCREENSHOTS = Path(__file__).parent.parent.parent / "screenshots"


def chromium() -> str | None:
    """The Chromium to drive: $CHROMIUM, or Debian's."""
    return (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One Chromium for a module; skipped with a reason where there is none, an error in CI.

    Not for the session: playwright keeps an event loop in this thread for as long as it is open,
    and tests of servers want one of their own.
    """
    path = chromium()
    if path is None:
        reason = "no Chromium here: install Debian's package `chromium`, or name one in $CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture
def course_url(tmp_path: Path) -> Iterator[str]:
    """`mlsysim learn` on a free port, with a journal of its own; ended after the test."""
    with served(tmp_path / "home") as url:
        yield url


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`mlsysim learn` for a learner whose files lie in `home`, and its address."""
    env = {**os.environ, "MLSYSIM_HOME": str(home), "MLSYSIM_JOURNAL": "", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "mlsysim", "learn", "--no-browser", "--port", "0"]
    server = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said
        wait_until_up(found[0])
        yield found[0]
    finally:
        server.terminate()
        server.wait(timeout=60)
        if server.stdout is not None:
            server.stdout.close()


def wait_until_up(url: str) -> None:
    """Ask until the server answers; gives up after a minute."""
    import time
    import urllib.request

    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:  # a busy machine is slow to answer
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


@pytest.fixture
def visit(browser, course_url):
    """Open a page, and note every request that would leave this machine and every script error."""
    opened = []

    def go(path: str, width: int = 1280, height: int = 900, scheme: str = "light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(PATIENCE)
        page.outside, page.faults = [], []
        page.on(
            "request",
            lambda r: (
                r.url.startswith(("http://127.0.0.1", "data:", "blob:"))
                or page.outside.append(r.url)
            ),
        )
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.faults.append(m.text))
        page.goto(course_url + path)
        opened.append(page)
        return page

    yield go
    for page in opened:
        page.close()


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Keep a screenshot of a page, for a person to look at."""

    def screenshot(page: object, name: str) -> Path:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=str(path))  # type: ignore[attr-defined]
        return path

    return screenshot
