"""Remarks on a hand-in, as data: what each kind says, to whom, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from mlsysim.core.registry import parse_yaml
from mlsysim.core.values import Value

_FILE = Path(__file__).with_name("flags.yaml")


class Kind(Value):
    """What all flags of a kind share: the words of `flags.yaml`."""

    severity: Literal["look", "note"]
    says: str
    remedy: str
    student: str = ""
    alarm: bool = False


@cache
def kinds() -> dict[str, Kind]:
    """Every kind of flag, by its name."""
    held = parse_yaml(_FILE.read_text(encoding="utf-8"), _FILE.name)
    return {name: Kind.build(facts, name) for name, facts in held.items()}


@dataclass(frozen=True)
class Flag:
    """One remark on one hand-in; `detail` may hold a stranger's text, as one printable line."""

    kind: str
    detail: str = ""

    @property
    def fact(self) -> Kind:
        """What its kind says."""
        return kinds()[self.kind]

    def __str__(self) -> str:
        return self.fact.says.format(self.detail)

    @property
    def told(self) -> str:
        """What the student reads; '' for what is the instructor's alone."""
        return self.fact.student.format(self.detail)
