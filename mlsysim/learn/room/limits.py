"""What may come in and go out: how often, how much, from where.

Enough for a room of a hundred behind one address, and no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection

_MOST_KEYS = 10_000
MOST_BYTES = 64 * 1024  # of a request
SHUT = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; img-src 'self' data:; "
SHUT += "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
# marimo's pages run scripts of their own, and Vega compiles what it draws
NOTEBOOK = "default-src 'self' data: blob:; style-src 'self' 'unsafe-inline' data:; "
NOTEBOOK += "worker-src 'self' blob:; "
NOTEBOOK += "script-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
NOTEBOOK += "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"


class Bucket:
    """For each key so many requests at once, and so many a second after that."""

    def __init__(
        self, burst: float, rate: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.burst, self.rate, self._clock = burst, rate, clock
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> bool:
        """Whether one more is allowed; if so it is counted."""
        now = self._clock()
        left, then = self._held.pop(key, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.rate)
        # at the end: the first one has not been seen for longest
        self._held[key] = (left - (left >= 1), now)
        if len(self._held) > _MOST_KEYS:
            self._held.pop(next(iter(self._held)))
        return left >= 1


def guarded(send: Any, policy: str) -> Any:
    """`send`, with headers that let no page be framed, sniffed, or load from elsewhere."""
    headers = [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
    ]

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        await send(message)

    return sent


def bounded(receive: Any) -> Any:
    """`receive`, which ends the connection of whoever sends more than a form can have."""
    held = 0

    async def received() -> Any:
        nonlocal held
        message = await receive()
        held += len(message.get("body", b""))
        return message if held <= MOST_BYTES else {"type": "http.disconnect"}

    return received


def same_origin(here: HTTPConnection) -> bool:
    """Whether a page of another site cannot have sent it."""
    origin, host = here.headers.get("origin"), here.headers.get("host", "")
    return origin in (None, f"http://{host}", f"https://{host}")
