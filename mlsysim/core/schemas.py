"""JSON schemas, as the types say them: of files, of a tool's arguments, of a solver's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.json_schema import GenerateJsonSchema

from mlsysim.core.units import dim_of

Schema = dict[str, Any]


def schema_of(kind: type[BaseModel]) -> Schema:
    """JSON schema of the data that builds a type, every part written where it stands."""
    return _inlined(kind.model_json_schema(schema_generator=_Untitled))


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
    return value if word is None or value is None or isinstance(value, tuple) else word.plain(value)


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
