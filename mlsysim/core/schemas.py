"""JSON schemas, as the types say them: of files, of a tool's arguments, of a solver's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.json_schema import GenerateJsonSchema

from mlsysim.core.registry import catalog, parse_yaml
from mlsysim.core.units import NUMBER, Dim, dim_of, unit_of

Schema = dict[str, Any]
NULL = {"type": "null"}


def schema_of(kind: type[BaseModel], *, exact: bool = False) -> Schema:
    """JSON schema of the data that builds a type, every part written where it stands.

    An `exact` one is for programs: it has what may be null, and parts in $defs.
    """
    if exact:
        return in_words(kind.model_json_schema(schema_generator=_Exact))
    return in_words(_inlined(kind.model_json_schema(schema_generator=_Untitled)))


def schema_of_arguments(function: Callable[..., Any]) -> Schema:
    """JSON schema of what a function takes, in the vocabulary's words.

    >>> from mlsysim.solvers.fleet.distributed import DistributedModel
    >>> schema_of_arguments(DistributedModel.solve)["properties"]["link_latency"]["x-unit"]
    's'
    """
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if p.default is p.empty else _default(hints[name], p.default))
        for name, p in inspect.signature(function).parameters.items()
        if name in hints
    }
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return {"required": []} | schema_of(create_model("Arguments", __config__=config, **fields))


def _default(hint: Any, value: Any) -> Any:
    """A default as it would be written: a signature says it in SI units."""
    word = dim_of(hint)
    if word is None or value is None or isinstance(value, tuple):
        return value
    return word.plain(word.si(value) if isinstance(word, Dim) and isinstance(value, str) else value)


class _Untitled(GenerateJsonSchema):
    """JSON schemas without the titles that repeat a field's name; what is left out is no null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No field has one."""
        return False

    def nullable_schema(self, schema: Any) -> Schema:
        """What may be left out is said by leaving it out."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Schema:
        """A default of nothing goes without saying."""
        found = super().default_schema(schema)
        if found.get("default") in (None, [], {}):
            found.pop("default", None)
        return found

    def is_instance_schema(self, schema: Any) -> Schema:
        """What no text can stand for, such as a Result."""
        return {"not": {}, "description": f"a {schema['cls'].__name__}, which Python alone gives"}

    def literal_schema(self, schema: Any) -> Schema:
        """Words from a list."""
        return {"enum": list(schema["expected"])}


class _Exact(_Untitled):
    """JSON schemas in which what may be left out may be null as well."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """A value, or null."""
        return {"anyOf": [self.generate_inner(schema["schema"]), NULL]}


def _inlined(schema: Any, named: Any = None) -> Any:
    """A schema without references: a client reads each part where it stands."""
    if isinstance(schema, list):
        return [_inlined(part, named) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = named or schema.get("$defs", {})
    if "$ref" in schema:
        return _inlined(named[schema["$ref"].rpartition("/")[2]], named)
    return {key: _inlined(part, named) for key, part in schema.items() if key != "$defs"}


@cache
def words() -> dict[str, str]:
    """What each key and argument means, one sentence each."""
    return parse_yaml((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"), "words")


def example_of(argument: str) -> str | None:
    """How an argument is written, where its words say it.

    >>> example_of("device_mtbf"), example_of("model")
    ('50000 hours', None)
    """
    told = re.search("as '(.*)'", words().get(argument, ""))
    return told[1] if told else None


def in_words(schema: Any) -> Any:
    """A schema whose properties say what they mean, and then what is written there."""
    if isinstance(schema, list):
        return [in_words(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found: Schema = {key: in_words(part) for key, part in schema.items()}
    properties = found.get("properties", {})
    for key, part in properties.items():
        about = words().get(key, "")
        if about and isinstance(part, dict) and part != NULL:
            said = part.get("description", "")
            if not said.startswith(about):
                properties[key] = {**part, "description": f"{about}; {said}" if said else about}
    return found


# ---- types of values -----------------------------------------------------------------------------


def having(key: str, what: Any = None) -> dict[str, Any]:
    """JSON schema of what has a key, and under it something, or this."""
    return {"required": [key], "properties": {key: what or {"not": NULL}}}


def of_entry(kind: type[Any], core: Any, handler: Any) -> Schema:
    """JSON schema of an entry inside another: its name, or a mapping that need not say one."""
    if kind.home is None:
        return handler.resolve_ref_schema(handler(core))
    _ = kind.home.entries  # whose module fills the kinds
    kinds = [*kind.__dict__.get("kinds", {}).values()]
    for each in kinds:
        each.model_rebuild()
    cores = [each.__pydantic_core_schema__ for each in kinds] or [core]
    says = ["kind"] if kinds or "kind" in kind.model_fields else []
    about = f"a name in {kind.home.title}, such as {kind.home.example!r}"
    options = [{"type": "string", "description": about, "x-entries": kind.home.title}]
    for each in cores:
        found = handler.resolve_ref_schema(handler(each))
        # a kind that names a type of its own twice comes as such a choice already
        written = {**found.get("anyOf", [found])[-1], **kind.between}
        required = dict.fromkeys([*says, *written["required"]])
        written["required"] = [key for key in required if key != "name"]
        written["properties"] = {
            **written["properties"],
            "name": {"type": "string", "pattern": r"\S"},
        }
        options.append(written)
    return {"anyOf": options}


# ---- every name and every unit that will do ------------------------------------------------------

_DIGITS = NUMBER.pattern.removeprefix("[+-]?")
_POSITIVE = rf"\+?(?=[0-9.]*[1-9]){_DIGITS}"
_NOT_NEGATIVE = rf"(?:\+|-(?![0-9.]*[1-9]))?{_DIGITS}"


@cache
def _names() -> tuple[str, list[str]]:
    """How a prefix may be spelled, and the names of all units."""
    lines = (Path(__file__).parent / "units.txt").read_text(encoding="utf-8").splitlines()
    defined = [line.split("=") for line in lines if "=" in line]
    names = dict.fromkeys(each.strip() for name, _, *others in defined for each in (name, *others))
    prefixes = "|".join(name.rstrip("-") for name in names if name.endswith("-"))
    return prefixes, [name for name in names if re.fullmatch("[A-Za-z]+2?", name)]


@cache
def spelled(unit: str | None = None) -> str:
    """A regular expression of a dimension's units, or of any: one by its name, or a ratio of two.

    >>> [bool(re.fullmatch(spelled("B/s"), text)) for text in ("GB/s", "Gbps", "GB", "B*s")]
    [True, True, False, False]
    """
    prefix, units = _names()
    alike = [n for n in units if unit is None or unit_of(n).is_compatible_with(unit_of(unit))]
    plural = [name for name in alike if len(name) > 1 and name.isalpha()]
    single = [name for name in alike if name not in plural]
    named = "|".join([f"(?:{'|'.join(plural)})s?"] * bool(plural) + single)
    one = f"(?:{prefix})?(?:{named})"
    if unit is None:
        return rf"(?:{one}|(?:1|{one})? ?/ ?{one})?"
    ways, (over, slash, under) = [one] * bool(alike), unit.partition("/")
    if slash:
        counted = f"(?:1|{spelled('')})?" if over == "1" else spelled(over)
        ways.append(rf"{counted} ?/ ?{spelled(under)}")
    return f"(?:{'|'.join(ways)})"


def spelled_out(schema: Any) -> Any:
    """A schema with the names of all entries, and with the pattern of every quantity."""
    match schema:
        case {"x-entries": title, "description": about}:
            return {"enum": names_of(title), "description": about}
        case {"x-unit": unit}:
            number = _POSITIVE if "exclusiveMinimum" in schema else _NOT_NEGATIVE
            return {**schema, "pattern": rf"^\s*{number}\s*{spelled(unit)}\s*$"}
        case dict():
            return {key: spelled_out(part) for key, part in schema.items()}
        case list():
            return [spelled_out(part) for part in schema]
    return schema


def names_of(title: str) -> list[str]:
    """The names that a catalog holds, or one of its shelves, such as Systems.Nodes."""
    layer, _, shelf = title.partition(".")
    held = catalog(layer.lower())
    return sorted(getattr(held, shelf) if shelf else held)
