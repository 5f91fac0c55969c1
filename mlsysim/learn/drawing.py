"""The files with which marimo draws a page: the same for every notebook, so kept once for all."""

from __future__ import annotations

import mimetypes
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import marimo
from starlette.responses import PlainTextResponse, Response

DRAWN_BY = f"/marimo-{marimo.__version__}"  # the address they are at: another version has another
_FOR_GOOD = {"cache-control": "public, max-age=31536000, immutable"}


def drawing(asked: str) -> Response:
    """The file at an address below `DRAWN_BY`, from memory: a page asks for three hundred at once.

    A browser asks for each once, whichever lesson it opens, and never again.
    """
    name = asked.removeprefix(f"{DRAWN_BY}/")
    if name not in _names():  # which no way out of the folder is
        return PlainTextResponse("There is no such file.", 404)
    return _held(name)


@cache
def needed() -> list[str]:
    """The addresses of what every lesson's page asks for first.

    The gallery has a browser fetch them while it is read: a lesson then opens in two thirds of
    the time.
    """
    first = re.findall(r'"\./(assets/[^"]+)"', (_folder() / "index.html").read_text("utf-8"))
    return [f"{DRAWN_BY}/{name}" for name in dict.fromkeys(first) if name in _names()]


@cache
def _names() -> frozenset[str]:
    folder = _folder()
    return frozenset(
        each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()
    )


@cache
def _held(name: str) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response((_folder() / name).read_bytes(), headers=_FOR_GOOD, media_type=kind)


def _folder() -> Path:
    return Path(str(files("marimo"))) / "_static"
