"""Whole systems to begin with, commented: one that serves, trains, answers a batch, and sleeps."""

from __future__ import annotations

from pathlib import Path

from mlsysim.core.errors import UnknownName

_FOLDER = Path(__file__).parent
EXAMPLES = sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def example(name: str) -> str:
    """The YAML text of an example; raises UnknownName."""
    if name not in EXAMPLES:
        raise UnknownName("example", name, EXAMPLES)
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
