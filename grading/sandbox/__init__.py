"""Where a learner's function is run: beside no truth, and with nothing in its reach.

What walls this machine offers is found by attacking them at the start, not by asking its version.
Expected values, tolerances and names stay in the grader's own process.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from grading.sandbox.outside import NoSandbox, Outcome, Sandbox

__all__ = ["NoSandbox", "Outcome", "Sandbox", "available", "shut", "trust", "weaker", "why_not"]

# in the environment, so that worker processes know too
_TRUST, SHUT = "GRADING_TRUSTS_CODE", "GRADING_RUNS_NO_CODE"


class _Held(NamedTuple):
    process: int
    sandbox: Sandbox | None
    why: str


_held = _Held(0, None, "")


def trust() -> None:
    """Run functions even where there are no walls: whoever says so answers for who wrote them."""
    os.environ[_TRUST] = "1"


def shut(why: str) -> None:
    """Run no function from here on, whatever walls there are; `why` is a sentence."""
    global _held  # noqa: PLW0603
    os.environ[SHUT] = why
    if _held.sandbox is not None and _held.process == os.getpid():
        _held.sandbox.close()
    _held = _Held(0, None, "")


def available() -> Sandbox | None:
    """The sandbox of this process, started when it is first needed; None where there is none."""
    global _held  # noqa: PLW0603 - one warm process a grader, and a new one after a fork
    died = _held.sandbox is not None and not _held.sandbox.alive
    if why := os.environ.get(SHUT):
        _held = _Held(os.getpid(), None, why)
    elif _held.process != os.getpid() or died:
        try:
            _held = _Held(os.getpid(), Sandbox.best(trusted=_TRUST in os.environ), "")
        except NoSandbox as error:
            _held = _Held(os.getpid(), None, str(error))
    return _held.sandbox


def weaker() -> str:
    """The walls behind which functions were run so far, where they are not all; else ''."""
    held = _held.sandbox
    return held.walls if held and held.tier != "namespaces" else ""


def why_not() -> str:
    """Why there is no sandbox, in a sentence; '' when there is one."""
    return "" if available() else _held.why
