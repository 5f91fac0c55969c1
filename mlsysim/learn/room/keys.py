"""Who is who in a room: its code, its cookies, the speaker's key, and four words for a seat."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

from itsdangerous import BadSignature, URLSafeSerializer

from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import load

_DIGITS = 64


class Keys:
    """Everything secret about a room, made of one file that only its owner can read.

    So it survives a restart, and several servers of one room agree on it.
    """

    def __init__(self, folder: Path, code: str = "") -> None:
        self._secret = _kept(folder / "secret")
        self.code = code or f"{self._words('code', 1)}-{self._made('digits')[0] % 90 + 10}"
        self.board = self._made("board").hex()[:32]

    def opens(self, code: str) -> bool:
        """Whether that is the room's code; upper case and blanks around it do no harm."""
        return _same(code.strip().casefold(), self.code.casefold())

    def is_speaker(self, key: str) -> bool:
        """Whether that is the speaker's key."""
        return _same(key, self.board)

    def words(self, seat: str) -> str:
        """The four words with which whoever sits there sits down on another device."""
        return self._words(f"seat|{seat}", 4)

    def matches(self, seat: str, words: str) -> bool:
        """Whether these are the words of a seat, however they were parted."""
        return _same("-".join(words.replace("-", " ").casefold().split()), self.words(seat))

    def sign(self, who: str, role: str = "seat") -> str:
        """A cookie that only this room can have made."""
        return self._signer(role).dumps(who)

    def read(self, cookie: str, role: str = "seat") -> str:
        """Whom a cookie names; '' for one that is forged or of another room."""
        try:
            who = self._signer(role).loads(cookie)
        except BadSignature:
            return ""
        return who if isinstance(who, str) else ""

    def _signer(self, role: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret, salt=f"mlsysim {role}")

    def _made(self, what: str) -> bytes:
        return hmac.digest(self._secret.encode(), what.encode(), "sha256")

    def _words(self, what: str, count: int) -> str:
        return "-".join(_dictionary()[byte] for byte in self._made(what)[:count])


def _kept(path: Path) -> str:
    """The secret in a file; made where there is none."""
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_DIGITS // 2))
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < _DIGITS:
        raise MLSysError(f"{path} holds no whole secret: remove it, and the room makes another.")
    return secret


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


@cache
def _dictionary() -> list[str]:
    return load(Path(__file__).with_name("words.yaml"), lambda facts: facts["words"].split())
