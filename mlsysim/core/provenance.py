"""Where every number comes from: frozen entries, their sources, and the audit that proves them.

An entry is a frozen value whose numbers each lead to a `Source`, either by the path of
the field (`memory.bandwidth`), by a path above it (`memory`), or by the entry's `default`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from mlsysim.core.errors import did_you_mean
from mlsysim.core.frozen import Frozen, fields_of
from mlsysim.core.units import Quantity

SourceKind = Literal[
    "datasheet",
    "specification",
    "documentation",
    "paper",
    "repository",
    "measurement",
    "article",
    "estimate",
    "derived",
    "user",
]


class Source(Frozen):
    """How we know a number: the document, where it is, and the day somebody opened it.

    An estimate has no document to open: its `ref` and `note` say how it was made.
    """

    kind: SourceKind
    ref: str
    url: str | None = None
    read: dt.date | None = None
    note: str | None = None

    def check(self) -> None:
        """A document was opened on some day."""
        if self.kind not in ("estimate", "user") and not self.read:
            raise self.wrong(
                "read", "it is required; write the day on which the document was opened"
            )


class Entry(Frozen):
    """A thing that exists, with a name and a source for each of its numbers."""

    name: str
    sources: dict[str, Source] = {}  # noqa: RUF012 - every value gets a copy

    def check(self) -> None:
        """An entry has a name, and every source belongs to a field."""
        if not self.name.strip():
            raise self.wrong("name", "it is empty; give a name")
        unknown = self.sources.keys() - {"default"}
        if unknown and (unknown := unknown - self._paths()):
            path = min(unknown)
            raise self.wrong(
                f"sources.{path}", f"it names no field; {did_you_mean(path, sorted(self._paths()))}"
            )

    @property
    def stem(self) -> str:
        """The name under which a registry holds the entry; its own name when none does."""
        return self.__dict__.get("_stem", self.name)

    def source_of(self, path: str) -> Source | None:
        """The source of the field at `path`: its own, or that of the nearest path above it."""
        while path:
            if path in self.sources:
                return self.sources[path]
            path = path.rpartition(".")[0]
        return self.sources.get("default")

    def numbers(self) -> Iterator[tuple[str, Any]]:
        """Every known number of the entry, as (path, value)."""
        for path, value in leaves(self):
            if isinstance(value, (int, float, Quantity)) and not isinstance(value, bool):
                yield path, value

    def _paths(self) -> set[str]:
        paths = set()
        for path, _ in leaves(self, unknown=True):
            parts = path.split(".")
            paths |= {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
        return paths


def leaves(value: Any, path: str = "", *, unknown: bool = False) -> Iterator[tuple[str, Any]]:
    """The (path, value) pairs at the ends of a tree of models, mappings and lists."""
    if isinstance(value, Entry) and path:
        return  # an entry inside another answers for itself
    if isinstance(value, Frozen):
        items = [
            (name, getattr(value, name)) for name in fields_of(type(value)) if name != "sources"
        ]
    elif isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, (list, tuple)):
        # one list is one fact: its parts share the source of the list
        items = [("", part) for part in value]
    else:
        if value is not None or unknown:
            yield path, value
        return
    if unknown and path:
        yield path, None
    for name, part in items:
        yield from leaves(part, f"{path}.{name}".strip(".") if name else path, unknown=unknown)


@dataclass(frozen=True)
class Audit:
    """What `audit_provenance` found: how many numbers have a source, and which have none."""

    entries: int
    values: int
    kinds: dict[str, int]
    missing: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """True when no value is without lineage."""
        return not self.missing

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain data."""
        return {
            "entries": self.entries,
            "values": self.values,
            "passed": self.passed,
            "kinds": self.kinds,
            "missing": self.missing,
        }

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        head = (
            f"{self.values} values in {self.entries} entries: {len(self.missing)} without a source"
        )
        return "\n".join([f"{head} ({kinds})", *(f"  no source: {path}" for path in self.missing)])


def audit(entries: Iterator[tuple[str, Entry]]) -> Audit:
    """Check that every number of every entry leads to a source."""
    count, values, missing, kinds = 0, 0, [], {}
    for place, entry in entries:
        count += 1
        for path, _ in entry.numbers():
            values += 1
            if source := entry.source_of(path):
                kinds[source.kind] = kinds.get(source.kind, 0) + 1
            else:
                missing.append(f"{place}.{path}")
    return Audit(count, values, dict(sorted(kinds.items(), key=lambda pair: -pair[1])), missing)


def __getattr__(name: str) -> Any:
    """`TraceableConstant` is built on `Source`, and decks import it from here."""
    if name == "TraceableConstant":
        from mlsysim.core.constants import TraceableConstant

        return TraceableConstant
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
