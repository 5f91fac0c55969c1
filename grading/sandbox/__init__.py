"""Where a learner's function is run: beside no truth, and with nothing in its reach."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """What one call of a learner's function came to: a number, or what happened instead.

    `fault` completes "your function ...": "took longer than 2 seconds".
    """

    value: float | None
    fault: str = ""
