"""A file of lines that only grows, and loses nothing: what cannot be written waits in memory."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import defaultdict
from pathlib import Path
from typing import TypeVar

from mlsysim.core.values import Value

V = TypeVar("V", bound=Value)

# by path and not by object: a page that is reloaded opens the file anew and must find them
_waiting: defaultdict[Path, list[str]] = defaultdict(list)
_fault: dict[Path, str] = {}
_locks: dict[Path, threading.RLock] = {}


class Lines:
    """The lines of one file in UTF-8, appended and flushed to disk at once; read leniently."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        # a file's own: a class that answers at once must not wait for one another's disk
        self.lock = _locks.setdefault(self.path, threading.RLock())

    @property
    def size(self) -> tuple[int, int]:
        """What is another after every line: bytes on disk, and lines that wait."""
        try:
            held = self.path.stat().st_size
        except OSError:
            held = 0
        return held, self.waiting

    @property
    def waiting(self) -> int:
        """How many lines could not be written so far; they are read all the same."""
        return len(_waiting[self.path])

    @property
    def fault(self) -> str:
        """Why the file could not be read or written when last tried; '' when it could."""
        return _fault.get(self.path, "")

    def read(self) -> list[str]:
        """Every line that is not blank, those that wait included."""
        with self.lock:
            try:
                held = self.path.read_bytes()
            except FileNotFoundError:
                held = b""
            except OSError as error:
                held, _fault[self.path] = b"", _reason(error)
            text = held.decode("utf-8-sig", errors="replace")
            # not splitlines: it also breaks at characters that JSON leaves inside a text
            lines = [line.removesuffix("\r") for line in text.split("\n")]
            return [line for line in (*lines, *_waiting[self.path]) if line.strip()]

    def values(self, kind: type[V]) -> list[V]:
        """The lines that hold values of a kind; keys that it does not know are left aside."""
        found = []
        for line in self.read():
            with contextlib.suppress(ValueError, RecursionError):
                data = json.loads(line)
                if isinstance(data, dict):
                    held = {key: data[key] for key in kind.model_fields if key in data}
                    found.append(kind(**held))
        return found

    def append(self, line: str) -> None:
        """Add a line, after those that wait; on a disk that is full or read-only it waits too."""
        with self.lock:
            _waiting[self.path].append(line)
            self.flush()

    def flush(self) -> None:
        """Try to write what waits."""
        with self.lock:
            if not self.waiting:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._write("".join(f"{line}\n" for line in _waiting[self.path]).encode())
            except OSError as error:
                _fault[self.path] = _reason(error)
            else:
                _waiting.pop(self.path, None)
                _fault.pop(self.path, None)

    def to_bytes(self) -> bytes:
        """The file as it is to be taken home: what stands on disk, and what waits."""
        return "".join(f"{line}\n" for line in self.read()).encode()

    def forget(self) -> None:
        """Drop what waits."""
        _waiting.pop(self.path, None)
        _fault.pop(self.path, None)

    def _write(self, data: bytes) -> None:
        with self.path.open("a+b", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            if start:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    data = b"\n" + data  # a crash left half a line; keep it, and start afresh
            done = 0
            try:
                while done < len(data):
                    done += file.write(data[done:]) or 0
                os.fsync(file.fileno())
            except OSError:
                # no half line, unless another program has written behind it meanwhile
                if os.fstat(file.fileno()).st_size == start + done:
                    with contextlib.suppress(OSError):
                        file.truncate(start)
                raise


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once or not at all; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
