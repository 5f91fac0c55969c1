"""Typed, immutable values built from plain data: the base of every registry entry.

A `Value` is a pydantic model that is closed, strict and unchanging. Fields of a dimension
(`Bandwidth`, `Bytes`) are read by the vocabulary itself; a list is written `Many[T]`, a day `Day`.
What is wrong is said as an `InvalidEntry` that names the key and what would do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializationInfo,
    Strict,
    ValidationError,
    model_serializer,
    model_validator,
)

from mlsysim.core.errors import (
    LEFT_OUT,
    BadArgument,
    InvalidEntry,
    UnknownEntry,
    UnknownName,
    did_you_mean,
    invalid,
    shown,
)
from mlsysim.core.identity import numbers
from mlsysim.core.units import Quantity

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Strict(False)]  # a list where it is written, a tuple here


def _day(value: Any) -> Any:
    with suppress(ValueError):
        return dt.date.fromisoformat(value) if isinstance(value, str) else value
    return value


Day = Annotated[dt.date, BeforeValidator(_day)]


class Value(BaseModel):
    """Base of every typed value: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True
    )
    between: ClassVar[dict[str, Any]] = {}  # JSON schema of what `check` asks of several fields
    hint: ClassVar[str] = ""  # where a key is missing: how to see a whole one
    kinds: ClassVar[Mapping[str, type[Any]]] = {}  # types that the key `kind` tells apart

    def __init__(self, /, *args: Any, **data: Any) -> None:
        kind = type(self)
        if args:
            required = [key for key, field in kind.model_fields.items() if field.is_required()]
            like = f"{kind.__name__}({', '.join(f'{key}=...' for key in required)})"
            raise InvalidEntry(kind.__name__, "", f"write its keys, as in {like}")
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise invalid(kind, data, error) from None

    @classmethod
    def build(cls, given: Any, key: str = "") -> Self:
        """The value that `given` stands for; an InvalidEntry names `key`, under which it stood."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            fault = invalid(cls, given, error)
            where, below = "" if key else fault.file, f"{key}.{fault.key}".strip(".")
            raise InvalidEntry(where, below, fault.remedy) from None

    @model_validator(mode="wrap")
    @classmethod
    def _built(cls, given: Any, make: Any) -> Any:
        if isinstance(given, cls):
            return given  # it does not change, so what was checked once still holds
        value = make(cls.meant(given))
        value.check()
        value.fill()
        return value

    @classmethod
    def meant(cls, given: Any) -> Any:
        """The data that `given` stands for; a subclass fills in here what may be left out."""
        if not isinstance(given, Mapping):
            return given
        if "kinds" not in cls.__dict__:
            return {str(key): value for key, value in given.items()}
        if (kind := given.get("kind")) not in [*cls.kinds]:
            remedy = f"it says of which kind it is; {did_you_mean(kind, [*cls.kinds])}"
            raise InvalidEntry("", "kind", remedy)
        return cls.kinds[kind].build(given)

    def check(self) -> None:
        """What must hold between fields; raises through `wrong`."""

    def fill(self) -> None:
        """Work out what was left out, from what holds."""

    def wrong(self, key: str, remedy: str) -> InvalidEntry:
        """The error that says what is wrong with `key`, for `check` to raise."""
        return InvalidEntry(str(getattr(self, "name", None) or type(self).__name__), key, remedy)

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed, checked like any other."""
        return type(self)(**{**dict(self._fields()), **changes})

    def to_dict(self) -> dict[str, Any]:
        """The value as plain data, which builds it again; unknown fields are left out."""
        return self.model_dump(mode="json", exclude_none=True, context=self)

    @model_serializer(mode="wrap")
    def _written(self, write: Any, info: SerializationInfo) -> Any:
        if info.context is None or info.context is self:
            return write(self)
        return vars(self).get("_stem") or self.to_dict()  # inside another an entry stands by name

    @classmethod
    def json_schema(cls, *, exact: bool = False) -> dict[str, Any]:
        """JSON schema of the data that builds this type, as schemas.schema_of tells."""
        from mlsysim.core.schemas import schema_of  # which a solve does not need

        return schema_of(cls, exact=exact)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        handler.resolve_ref_schema(named := handler(core)).update(cls.between)
        return named

    def _fields(self) -> Iterator[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in type(self).model_fields)

    def __setattr__(self, name: str, value: Any) -> None:
        remedy = f"build another with replace({name}=...)"
        raise AttributeError(f"{type(self).__name__} does not change; {remedy}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} does not change; {name} stays")

    def __hash__(self) -> int:
        """Equal entries have equal names and numbers."""
        return hash((type(self), getattr(self, "name", None), numbers(self)))

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{name}={_told(value)}"
            for name, value in self._fields()
            if value is not None and name != "sources"
        )
        return f"{type(self).__name__}({parts})"

    __str__ = __repr__


def _told(value: Any) -> str:
    """A value as its author writes it, inside a mapping too."""
    if not isinstance(value, Mapping):
        return str(value)
    return f"{{{', '.join(f'{key}: {_told(part)}' for key, part in value.items())}}}"


SourceKind = Literal[
    "datasheet", "specification", "documentation", "paper", "repository",
    "measurement", "article", "estimate", "derived", "user",
]  # fmt: skip


_UNOPENED = ["estimate", "user"]
_WITH_A_DAY = {"required": ["read"], "properties": {"read": {"type": "string"}}}


class Source(Value):
    """How we know a number: the document, where it is, and the day somebody opened it.

    An estimate has no document to open: its `ref` and `note` say how it was made.
    """

    kind: SourceKind
    ref: str
    url: str | None = None
    read: Day | None = None
    note: str | None = None

    between = {"if": {"properties": {"kind": {"enum": _UNOPENED}}}, "else": _WITH_A_DAY}

    def check(self) -> None:
        """A document was opened on some day."""
        if self.kind not in _UNOPENED and not self.read:
            remedy = "it is required; write the day on which the document was opened"
            raise self.wrong("read", remedy)


BY_USER = {"default": Source(kind="user", ref="given by the user")}


class Home(NamedTuple):
    """Where entries of a type are found by name: what one is called, and in which layer it is."""

    word: str
    layer: str
    example: str
    shelf: str = ""

    @property
    def title(self) -> str:
        """The attribute that holds them, such as Systems.Nodes."""
        return f"{self.layer.capitalize()}.{self.shelf}".rstrip(".")

    @property
    def entries(self) -> Any:
        """The catalog, or the one shelf of it, that holds them."""
        from mlsysim.core.registry import catalog  # which builds entries

        found = catalog(self.layer)
        return getattr(found, self.shelf) if self.shelf else found


class Entry(Value):
    """A thing that exists, with a name and a source for each of its numbers.

    Wherever one is asked for, its name in the registry will do, or a mapping that describes one.
    """

    name: str
    sources: dict[str, Source] = {}

    home: ClassVar[Home | None] = None

    def __init__(self, /, *args: Any, **data: Any) -> None:
        super().__init__(*args, **self.alone(data, {}))

    @classmethod
    def alone(cls, data: Mapping[str, Any], sources: Any) -> dict[str, Any]:
        """The data of an entry that nobody else asks for, which must say its own name."""
        required = cls.model_fields["name"].is_required()
        return {**({"name": LEFT_OUT} if required else {}), "sources": sources, **data}

    @classmethod
    def asked(cls, given: Any, argument: str) -> Self:
        """The entry that an argument stands for: one of them, its name, or a mapping."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            return cls.build(given, argument)
        assert cls.home
        if isinstance(given, str):
            try:
                return cls.home.entries[given]
            except UnknownEntry as error:
                raise UnknownName(argument, given, error.known) from None
        example = f"mlsysim.{cls.home.title}.{cls.home.example}"
        remedy = f"give a {cls.__name__}, its name or a mapping, such as {example}"
        raise BadArgument(argument, given, remedy)

    @classmethod
    def meant(cls, given: Any) -> Any:
        """The entry of a name; a mapping is the user's, and needs no name."""
        if cls.home is None:
            return super().meant(given)
        if isinstance(given, str):
            try:
                return cls.home.entries[given]
            except UnknownEntry as error:
                raise InvalidEntry("", "", str(error)) from None
        if not isinstance(given, Mapping):
            remedy = f"give a {cls.__name__}, its name, or a mapping of keys and values"
            raise InvalidEntry("", "", f"{shown(given)} will not do; {remedy}")
        given = {"name": f"custom {cls.home.word}", "sources": BY_USER, **given}
        _ = cls.home.entries  # whose module knows the kinds
        return super().meant(given)

    def check(self) -> None:
        """An entry has a name, and every source belongs to a field."""
        if not self.name.strip():
            raise self.wrong("name", "it is empty; give a name")
        unknown = self.sources.keys() - {"default"}
        if path := min((path for path in unknown if not self._holds(path)), default=""):
            raise self.wrong(
                f"sources.{path}", f"it names no field; {did_you_mean(path, sorted(self._paths()))}"
            )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        from mlsysim.core.schemas import of_entry

        return of_entry(cls, core, handler)

    @classmethod
    def json_schema(cls, *, exact: bool = False) -> dict[str, Any]:
        """JSON schema of a file that holds such an entry."""
        found = super().json_schema(exact=exact)
        if cls.home is None:
            return found
        *_, alone = found.pop("anyOf")
        named = ["name"] if cls.model_fields["name"].is_required() else []
        return {**found, **alone, "required": [*named, *alone["required"]]}

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

    def _repr_html_(self) -> str:
        from mlsysim.core.markup import of_entry  # for notebooks alone

        return of_entry(self)

    def _holds(self, path: str) -> bool:
        """Whether a path leads to a field, known or not; an entry inside answers for itself."""
        here: Any = self
        for part in path.split("."):
            inside = isinstance(here, Value) and (here is self or not isinstance(here, Entry))
            held: Any = type(here).model_fields if inside else here or ()
            if part not in held or part == "sources":
                return False
            here = getattr(here, part) if inside else held[part]
        return True

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
        items = [pair for pair in value._fields() if pair[0] != "sources"]
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
