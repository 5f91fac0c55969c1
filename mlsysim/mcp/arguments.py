"""What a client may write: the JSON schema of each argument, in few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic_core import core_schema

from mlsysim.core.errors import BadArgument, did_you_mean
from mlsysim.core.schemas import NULL, Schema, schema_of_arguments, words
from mlsysim.evaluation.metrics import parts_of
from mlsysim.evaluation.scenarios.registry import Scenarios
from mlsysim.evaluation.sections import PHASES, SERVE, TRAIN
from mlsysim.evaluation.spec import SystemSpec


class _Mapping(dict[str, Any]):
    """An argument that the tool reads by itself, with the schema of what it reads."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.any_schema()


class Arguments(_Mapping):
    """What `solve` takes, as one argument of another tool."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Schema:
        return {"type": "object"}

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
        metrics = {phase: [*_metrics(phase)] for phase in (SERVE, TRAIN)}
        return {
            "type": ["object", "string"],
            "description": f"a mapping, YAML text or a scenario, as {min(Scenarios)}",
            "properties": {
                "workload": _keys("workload"),
                "fleet": _keys("fleet"),
                "environment": _keys("environment"),
                "constraints": {
                    "type": "array",
                    "description": f"{words()['constraints']} Metrics of serve: "
                    f"{', '.join(metrics[SERVE])}; of train also "
                    f"{', '.join(name for name in metrics[TRAIN] if name not in metrics[SERVE])}",
                },
            },
        }

    @classmethod
    def read(cls, given: Any) -> Any:
        """The system that is meant; text is a scenario's name or YAML, never a path."""
        if not isinstance(given, str):
            return given
        if known := Scenarios.known(given):
            return Scenarios[known]
        if ":" not in given:
            near = did_you_mean(given, sorted(Scenarios))
            remedy = f"give a mapping, its YAML text, or a scenario; {near}"
            raise BadArgument("system", given, remedy)
        return SystemSpec.from_text(given)


def _metrics(phase: str) -> list[str]:
    """What a constraint of a phase may compare."""
    known = (pair for part in parts_of(phase) for pair in part._fields.items())
    return [name for name, field in known if field.word and not name.endswith(("_usd", "_kg"))]


@cache
def _whole() -> Schema:
    return SystemSpec.json_schema()


def _keys(section: str) -> Schema:
    """The keys of a section, of all phases together, each with its sentence."""
    whole = _whole()["properties"][section]
    found: Schema = {}
    for option in [whole] if "properties" in whole else whole.get("oneOf", whole.get("anyOf")):
        for key, part in option["properties"].items():
            if part != NULL:
                found.setdefault(key, part)
    if "phase" in found:  # each option has one
        found["phase"] = {"enum": [*PHASES], "description": "what is asked of the model"}
    return {"type": "object", "properties": {key: _short(part) for key, part in found.items()}}


def input_schema(function: Callable[..., Any]) -> Schema:
    """JSON schema of what a function takes: of each argument a sentence, and how it is written.

    Names of entries are many: zoo lists them.
    """
    schema = schema_of_arguments(function)
    short = {name: _short(part) for name, part in schema["properties"].items()}
    return {"type": "object", "properties": short, "required": schema["required"]}


def _said(schema: Schema) -> Schema:
    return {"default": schema["default"]} if "default" in schema else {}


_KEPT = ("type", "enum", "default", "items", "description", "properties", "required")


def _short(schema: Any) -> Any:
    """A schema that does not spell out what a name or a number stands for."""
    match schema:
        case {"anyOf": [{"x-entries": title}, *_], **more}:
            return {
                "description": str(more.get("description", f"a name in {title}")).partition(";")[0]
            }
        case {"allOf": [named, *_], **more}:
            return _short({**named, **more})
        case {"anyOf": [said, {"type": "null"}], **more}:
            return _short({**said, **more})
        case {"x-unit": _, "description": about, **more}:
            return _short({"description": about.partition(";")[0], **_said(more)})
        case {"description": about, "enum": _, **more} if about.endswith("..."):
            return {"description": about, **_said(more)}  # which names some of them
        case dict():
            kept = {key: _short(schema[key]) for key in _KEPT if key in schema}
            if kept.get("type") in ("number", "integer", ["string", "object"]) or "enum" in kept:
                kept.pop("type", None)  # the sentence says what is counted, or named
            if kept.get("default") in (0, 1):
                del kept["default"]
            if "properties" in kept:
                kept["properties"] = {k: _short(v) for k, v in schema["properties"].items()}
            return {key: part for key, part in kept.items() if part not in (NULL, [])}
    return schema
