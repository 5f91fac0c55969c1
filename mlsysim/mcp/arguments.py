"""What a client may write: the JSON schema of each argument, as the types say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import core_schema

from mlsysim.core.errors import BadArgument
from mlsysim.core.schemas import NULL, Schema, names_of, schema_of_arguments
from mlsysim.evaluation.scenarios.registry import Scenarios
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers.node.single import SingleNodeModel


class _Mapping(dict[str, Any]):
    """An argument that the tool reads by itself, with the schema of what it reads."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.any_schema()


class Arguments(_Mapping):
    """What `solve` takes, as one argument of another tool."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Schema:
        return input_schema(SingleNodeModel.solve) | {"required": []}

    @classmethod
    def read(cls, given: Any, name: str) -> dict[str, Any]:
        """The arguments that are no null; raises BadArgument."""
        if not isinstance(given, Mapping):
            raise BadArgument(name, given, "give a mapping of what solve takes")
        return {key: part for key, part in given.items() if part is not None}


class System(_Mapping):
    """A whole system: a mapping, the same as YAML text, or the name of a scenario."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Schema:
        named = {"enum": sorted(Scenarios), "description": "or a scenario by its name"}
        text = {"type": "string", "description": "or a system as YAML text"}
        return {"anyOf": [_short(SystemSpec.json_schema()), named, text]}

    @classmethod
    def read(cls, given: Any) -> Any:
        """The system that is meant; text is a scenario's name or YAML, never a path."""
        if not isinstance(given, str):
            return given
        return Scenarios[given] if given in Scenarios else SystemSpec.from_text(given)


def input_schema(function: Callable[..., Any], *, listed: bool = False) -> Schema:
    """JSON schema of what a function takes, perhaps with the names of the entries that there are.

    They are many: one tool lists them, and zoo does.
    """
    schema, write = schema_of_arguments(function), _listed if listed else _short
    properties = {name: write(part) for name, part in schema["properties"].items()}
    return schema | {"properties": properties}


def _listed(schema: Schema) -> Schema:
    """An argument's schema, an entry's names written out: look_up shows what stands behind them."""
    if "items" in schema:
        return {**schema, "items": _listed(schema["items"])}
    match schema:
        case {"anyOf": [{"x-entries": title, "description": about}, *_]}:
            own = "or one of your own, written like the `spec` that look_up gives"
            return {
                "anyOf": [
                    {"enum": names_of(title), "description": about},
                    {"type": "object", "description": own},
                ]
            }
    return schema


# what a system's file may say, and an agent need not read before its first question
_LONG = {
    *("sources", "pattern", "examples", "discriminator", "title", "exclusiveMinimum"),
    *("allOf", "if", "then", "else"),  # what keys ask of each other stands in their description
}
_BOUNDLESS = 1e9  # a maximum that nobody meets


def _short(schema: Any) -> Any:
    """A schema that does not spell out what a name stands for."""
    match schema:
        case {"anyOf": [{"x-entries": _, "description": about}, *_]}:
            about += "; or written out like the `spec` that look_up gives"
            return {"type": ["string", "object"], "description": about}
        case {"allOf": [named, *_], **others} if not others:
            return _short(named)
        case {"anyOf": [said, {"type": "null"}]}:
            return _short(said)
        case dict():
            return {
                key: _short(part)
                for key, part in schema.items()
                if part != NULL
                and key not in _LONG
                and not (key == "maximum" and part >= _BOUNDLESS)
            }
        case list():
            return [_short(part) for part in schema]
    return schema
