"""Where numbers are from: an audit of all entries, and constants that remember their source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mlsysim.core.units import Q_
from mlsysim.core.values import Entry, Source

__all__ = ["Audit", "Source", "TraceableConstant", "audit"]


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
        names = ("entries", "values", "passed", "kinds", "missing")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.items())
        lost = len(self.missing)
        head = f"{self.values} values in {self.entries} entries: {lost} without a source"
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


class TraceableConstant(float):
    """A number that computes like a float and remembers its `name`, `unit` and `source`."""

    name: str
    unit: str
    source: Source

    def __new__(cls, value: Any, unit: str, *, name: str, source: Source) -> TraceableConstant:
        """Build a constant; a constant without a source cannot be built."""
        if not isinstance(source, Source):
            remedy = "a number nobody can trace is a rumour"
            raise TypeError(f"constant {name!r} needs a Source; {remedy}")
        constant = super().__new__(cls, value)
        constant.name, constant.unit, constant.source = name, unit, source
        return constant

    @property
    def quantity(self) -> Any:
        """The constant with its unit."""
        return Q_(float(self), self.unit)
