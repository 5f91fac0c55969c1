"""Typed, immutable values built from plain data: the base of every registry entry.

A subclass of `Value` lists its fields as annotations. Building one checks every value against its
annotation, refuses keys that it does not know, and raises an `InvalidEntry` that names the key and
says what would do. Fields of a dimension (`Bandwidth`, `Bytes`) are read by the vocabulary itself.

(Why not pydantic: here the vocabulary does the parsing and its sentences are the errors, so what
would be left for pydantic is a translation of its own errors, for a quarter more start-up time.)
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import (
    Any,
    ClassVar,
    Literal,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from mlsysim.core.errors import BadArgument, InvalidEntry, did_you_mean, shown
from mlsysim.core.units import Q_, Dim, Names, Quantity

_MISSING = object()
_PLAIN = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_JSON = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Value:
    """Base of every typed value: immutable, and closed to keys that it does not know."""

    def __init__(self, **data: Any) -> None:
        kind, fields = type(self), fields_of(type(self))
        where = str(data.get("name") or kind.__name__)
        for key in data:
            if key not in fields:
                raise InvalidEntry(
                    where,
                    key,
                    f"{kind.__name__} has no such key; {did_you_mean(key, sorted(fields))}",
                )
        for name, (hint, default) in fields.items():
            if name not in data:
                if default is _MISSING:
                    raise InvalidEntry(where, name, "it is required; add it")
                self.__dict__[name] = default.copy() if isinstance(default, dict) else default
                continue
            if data[name] is None and default is None:
                self.__dict__[name] = None  # said to be left out
                continue
            try:
                self.__dict__[name] = convert(data[name], hint, name)
            except InvalidEntry as error:
                raise InvalidEntry(where, error.key, error.remedy) from None
        self.check()

    def check(self) -> None:
        """What must hold between fields; raises through `wrong`."""

    def wrong(self, key: str, remedy: str) -> InvalidEntry:
        """The error that says what is wrong with `key`, for `check` to raise."""
        return InvalidEntry(str(getattr(self, "name", None) or type(self).__name__), key, remedy)

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed, checked like any other."""
        return type(self)(**{**self._values(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """The value as plain data, which builds it again; unknown fields are left out."""
        return {name: plain(value) for name, value in self._values().items() if value is not None}

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON schema of the data that builds this type."""
        fields = fields_of(cls)
        return {
            "title": cls.__name__,
            "description": (cls.__doc__ or "").partition("\n\n")[0],
            "type": "object",
            "properties": {name: schema_of(hint) for name, (hint, _) in fields.items()},
            "required": [name for name, (_, default) in fields.items() if default is _MISSING],
            "additionalProperties": False,
        }

    def _values(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in fields_of(type(self))}

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} does not change; build another with replace({name}=...)"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} does not change; {name} stays")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Value)
            and type(other) is type(self)
            and self._values() == other._values()
        )

    def __hash__(self) -> int:
        """Equal entries have equal names; that is enough, and fast."""
        return hash((type(self), self.__dict__.get("name")))

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name}={value!s}"
            for name, value in self._values().items()
            if value is not None and name != "sources"
        )
        return f"{type(self).__name__}({parts})"


@cache
def fields_of(kind: type[Value]) -> dict[str, tuple[Any, Any]]:
    """The fields of a type, as name: (annotation, default)."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: (hint, getattr(kind, name, _MISSING))
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar and not name.startswith("_")
    }


def convert(value: Any, hint: Any, key: str) -> Any:
    """`value` as the annotation wants it; raises InvalidEntry that names `key`."""
    for word in getattr(hint, "__metadata__", ()):
        if isinstance(word, (Dim, Names)):
            try:
                return word.quantity(value, key) if isinstance(word, Dim) else word.si(value, key)
            except BadArgument as error:
                raise InvalidEntry(
                    "", key, f"{shown(error.given)} will not do; {error.remedy}"
                ) from None
    origin, options = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(value, options, key)
    if origin is Literal:
        if value not in options:
            raise InvalidEntry(
                "",
                key,
                f"{shown(value)} is not known; {did_you_mean(value, list(map(str, options)))}",
            )
        return value
    if origin is dict:
        _expect(value, Mapping, "a mapping of keys and values", key)
        return {
            convert(k, options[0], f"{key}.{k}"): convert(v, options[1], f"{key}.{k}")
            for k, v in value.items()
        }
    if origin in (list, tuple):
        _expect(value, (list, tuple), "a list", key)
        return tuple(convert(part, options[0], f"{key}[{i}]") for i, part in enumerate(value))
    if hint is dt.date:
        return _date(value, key)
    if isinstance(hint, type) and issubclass(hint, Value):
        return _nested(value, hint, key)
    if hint in (int, float) and isinstance(value, bool):
        _expect(value, str, _PLAIN[hint], key)
    if hint is float and isinstance(value, int):
        return float(value)
    _expect(value, hint, _PLAIN.get(hint, getattr(hint, "__name__", str(hint))), key)
    return value


def _convert_union(value: Any, options: tuple[Any, ...], key: str) -> Any:
    if value is None and type(None) in options:
        return None
    faults = []
    for option in options:
        if option is type(None):
            continue
        try:
            return convert(value, option, key)
        except InvalidEntry as error:
            faults.append(error)
    # the fault that lies deepest comes from the option that was meant
    raise max(faults, key=lambda fault: fault.key.count("."))


def _nested(value: Any, kind: type[Value], key: str) -> Value:
    if isinstance(value, kind):
        return value
    _expect(value, Mapping, f"a {kind.__name__}, a mapping of keys and values", key)
    try:
        return kind(**{str(k): v for k, v in value.items()})
    except InvalidEntry as error:
        raise InvalidEntry("", f"{key}.{error.key}", error.remedy) from None


def _date(value: Any, key: str) -> dt.date:
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidEntry("", key, f"{shown(value)} is no date; write it as 2026-11-20") from None


def _expect(value: Any, kind: Any, words: str, key: str) -> None:
    if not isinstance(value, kind):
        raise InvalidEntry("", key, f"{shown(value)} will not do; give {words}")


def plain(value: Any) -> Any:
    """A field as JSON and YAML know it."""
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, Quantity):
        return f"{value.magnitude:.12g} {value.units:~C}"
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def schema_of(hint: Any) -> dict[str, Any]:
    """JSON schema of one annotation."""
    for word in getattr(hint, "__metadata__", ()):
        if isinstance(word, (Dim, Names)):
            return word.schema()
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        schemas = [schema_of(option) for option in options if option is not type(None)]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    if origin is Literal:
        return {"enum": list(options)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(options[1])}
    if origin in (list, tuple):
        return {"type": "array", "items": schema_of(options[0])}
    if hint is dt.date:
        return {"type": "string", "format": "date"}
    if isinstance(hint, type) and issubclass(hint, Value):
        return hint.json_schema()
    return {"type": _JSON[hint]} if hint in _JSON else {}


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


class Source(Value):
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


class Entry(Value):
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
    if isinstance(value, Value):
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


class TraceableConstant(float):
    """A number that computes like a float and remembers its `name`, `unit` and `source`."""

    name: str
    unit: str
    source: Source

    def __new__(cls, value: Any, unit: str, *, name: str, source: Source) -> TraceableConstant:
        """Build a constant; a constant without a source cannot be built."""
        if not isinstance(source, Source):
            raise TypeError(
                f"constant {name!r} needs a Source; a number nobody can trace is a rumour"
            )
        constant = super().__new__(cls, value)
        constant.name, constant.unit, constant.source = name, unit, source
        return constant

    @property
    def quantity(self) -> Any:
        """The constant with its unit."""
        return Q_(float(self), self.unit)
