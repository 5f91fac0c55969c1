"""The grader's side of the sandbox: it sends one input, reads one number, and holds the clock."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

FRAME = struct.Struct("=iI")  # as the warm process has it, whose file few systems can import
WALL_SECONDS = 10.0  # of a submission, all inputs together; an honest one takes hundredths
_WARM_SECONDS = 60.0
_LONGEST = 240
_OTHER = "wrote something else than one result"
_TIERS = {
    "namespaces": "namespaces, Landlock and a filter of system calls",
    "landlock": "Landlock and a filter of system calls without namespaces: weaker",
    "none": "no walls at all",
}
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
# it tries what a stranger would, and counts what it got: a bit for each
_ATTACK = """
def attack(port, grader):
    import os, socket
    def read(): open("/etc/passwd").read()
    def connect(): socket.create_connection(("127.0.0.1", int(port)), 1).close()
    def fork():
        if os.fork() == 0: os._exit(0)
    def write():
        for folder in ("/tmp", "/dev/shm", "/var/tmp", "."):
            try: open(folder + "/mlsysim-attack", "w").close()
            except OSError: continue
            return os.unlink(folder + "/mlsysim-attack")
        raise OSError
    def datagram(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))
    def shoot(): os.kill(int(grader), 0)
    got = 0
    for bit, attempt in enumerate((read, connect, fork, write, datagram, shoot)):
        try: attempt()
        except Exception: continue
        got |= 1 << bit
    return got
"""
_WEAKER = 0b110000  # what the weaker tier may let through: a datagram, a signal


class Outcome(NamedTuple):
    """What one call of a learner's function came to: a number, or what happened instead.

    `fault` completes "your function ...": "took too long".
    """

    value: float | None
    fault: str = ""


class NoSandbox(Exception):
    """Functions cannot be run here; the sentence says why, and what would do."""


class Sandbox:
    """A warm process behind the walls of a tier, and what it is sent.

    Raises NoSandbox when it cannot be started on this machine.
    """

    walled = (("namespaces", 0), ("landlock", _WEAKER))  # and what an attack may get there

    def __init__(self, tier: str) -> None:
        self.tier, self.walls = tier, _TIERS[tier]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            file = Path(__file__).with_name("zygote.py")
            self._warm = subprocess.Popen(
                [sys.executable, "-I", os.fspath(file), str(theirs.fileno()), tier],
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours
        ours.settimeout(_WARM_SECONDS)
        self._hear(b"ready")

    @classmethod
    def best(cls, *, trusted: bool = False) -> Sandbox:
        """The strongest tier that holds against an attack on itself; raises NoSandbox."""
        if sys.platform != "linux":
            raise NoSandbox(f"functions are run on Linux only, and this is {sys.platform}")
        for tier, lets_through in cls.walled:
            with suppress(NoSandbox):
                sandbox = cls(tier)
                got = sandbox.attacked()
                if got is not None and not got & ~lets_through:
                    return sandbox
                sandbox.close()
        if trusted:
            return cls("none")
        raise NoSandbox(
            "this machine offers no walls for strangers' code; --i-trust-these runs it without"
        )

    @property
    def alive(self) -> bool:
        """Whether the warm process is there."""
        return self._warm.poll() is None

    def attacked(self) -> int | None:
        """What an attack on this sandbox got, a bit for each attempt; None when it did not run."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            given = {"port": float(listener.getsockname()[1]), "grader": float(os.getpid())}
            (held,) = self.run(_ATTACK, "attack", [given])
        return None if held.value is None else int(held.value)

    def run(
        self, source: str, function: str, inputs: Sequence[Mapping[str, float]]
    ) -> list[Outcome]:
        """What a function gives for each input; after it ran out of time it is not called again."""
        outcomes: list[Outcome] = []
        ends = time.monotonic() + WALL_SECONDS
        request, result, watched = self._start()
        try:
            _send(request, {"source": source, "function": function})
            for given in inputs:
                _send(request, dict(given))
                outcome = _outcome(*_frame(result, ends))
                outcomes.append(outcome)
                if outcome.fault.startswith("took"):
                    break
        finally:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(watched, signal.SIGKILL)
            for handle in (request, result, watched):
                os.close(handle)
        return outcomes + outcomes[-1:] * (len(inputs) - len(outcomes))

    def close(self) -> None:
        """End the warm process, and all below it."""
        self._control.close()
        self._warm.kill()
        self._warm.wait()

    def _start(self) -> tuple[int, int, int]:
        """The pipes to a new submission's keeper, and a hold on its life."""
        theirs, request = os.pipe()
        result, written = os.pipe()
        try:
            socket.send_fds(self._control, [b"go"], [theirs, written])
        finally:
            os.close(theirs)
            os.close(written)
        (watched,) = self._hear(b"started")
        return request, result, watched

    def _hear(self, wanted: bytes) -> list[int]:
        try:
            told, handles, _, _ = socket.recv_fds(self._control, 16, 1)
        except OSError:
            told, handles = b"", []
        if told != wanted:
            self.close()
            raise NoSandbox(f"the process for functions did not start ({_TIERS[self.tier]})")
        return handles


def _send(handle: int, document: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the keeper is gone: its silence is the answer
        os.write(handle, json.dumps(document).encode() + b"\n")


def _frame(handle: int, ends: float) -> tuple[int | None, bytes]:
    """How a call ended and what it wrote; None when it was not heard of in time."""
    held, wanted = b"", FRAME.size
    while len(held) < wanted:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return None, b""
        if not (more := os.read(handle, wanted - len(held))):
            return -signal.SIGKILL, b""
        held += more
        if len(held) == FRAME.size:
            wanted += FRAME.unpack(held)[1]
    return FRAME.unpack(held[: FRAME.size])[0], held[FRAME.size :]


def _outcome(ended: int | None, written: bytes) -> Outcome:
    """What a call came to; nothing that it wrote is more than a number or a text."""
    if ended is None or (ended == -signal.SIGXCPU and not written):
        return Outcome(None, "took too long: it may loop without end")
    if not written:
        crashed = ended < 0 and ended != -signal.SIGKILL
        how = f"crashed Python (signal {-ended})" if crashed else "ended without a result"
        return Outcome(None, how)
    try:
        document = json.loads(written)
        value, error = document.get("value"), document.get("error")
        if isinstance(error, str):
            line = " ".join(error[:_LONGEST].split())
            return Outcome(None, "".join(c if c.isprintable() else "\ufffd" for c in line))
        if not isinstance(value, float):  # as the warm process writes every number
            return Outcome(None, _OTHER)
    except (ValueError, AttributeError, RecursionError):
        return Outcome(None, _OTHER)
    return Outcome(value) if math.isfinite(value) else Outcome(None, f"gave {value}: not finite")
