"""What a client may write: the schema of each argument, and the value that it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from mlsysim.core.errors import BadArgument, InvalidEntry, did_you_mean
from mlsysim.core.registry import Catalog
from mlsysim.core.units import Dim, dim_of
from mlsysim.evaluation.scenarios.registry import Scenarios
from mlsysim.evaluation.spec import FleetSpec, SystemSpec
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.registry import Models
from mlsysim.models.types import Workload
from mlsysim.solvers.node.single import SingleNodeModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet

FLEET = ["cluster", "node", "hardware", "fabric", "count"]  # the rest of a section is the plan
Schema = dict[str, Any]


class Arguments(dict[str, Any]):
    """What `solve` takes, as one argument of another tool."""


class System(dict[str, Any]):
    """A whole system: a mapping, the same as YAML text, or the name of a scenario."""


# ---- entries, by name or written out -------------------------------------------------------------


class Kind(NamedTuple):
    """What stands for an entry: its name, or a mapping that describes one of your own."""

    word: str
    names: Callable[[], Iterable[str]]
    find: Callable[[Any], Any]
    schema: Callable[[], Schema]


def _kind(word: str, held: Catalog[Any]) -> Kind:
    def find(given: Any) -> Any:
        if isinstance(given, Mapping):
            return held.from_spec({"name": f"custom {word}", **given})
        return held[given]

    about = f"or a {word} of your own, written like the `spec` that look_up gives"
    return Kind(word, lambda: held, find, lambda: {"type": "object", "description": about})


def _fleet(given: Any) -> Fleet:
    """A fleet by the name of its cluster, or described as a system's `fleet` section is."""
    if not isinstance(given, Mapping):
        return Systems.Clusters[given]
    for key in given:
        if key not in FLEET:
            raise InvalidEntry("fleet", key, f"a fleet has no such key; {did_you_mean(key, FLEET)}")
    try:
        return FleetSpec(**given).entry
    except InvalidEntry as error:
        raise InvalidEntry("fleet", error.key, error.remedy) from None


def _fleet_schema() -> Schema:
    schema = shortened(FleetSpec.json_schema())
    about = "or one of cluster, node and hardware, and how many there are of it"
    kept = {key: schema["properties"][key] for key in FLEET}
    return schema | {"properties": kept, "description": about}


KINDS = {
    Workload: _kind("model", Models),
    HardwareNode: _kind("device", Hardware),
    Fleet: Kind("cluster", lambda: Systems.Clusters, _fleet, _fleet_schema),
}


def _kind_of(hint: Any) -> Kind | None:
    return next((KINDS[part] for part in (hint, *get_args(hint)) if part in KINDS), None)


def _listed(hint: Any) -> Any:
    """What an argument is a list of; None when it is no list."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is list:
            return get_args(part)[0]
    return None


# ---- values --------------------------------------------------------------------------------------


def read(value: Any, hint: Any, name: str) -> Any:
    """A client's value as the tool's function takes it; raises an MLSysError.

    Numbers and words pass as they are: the function's own door checks them.
    """
    if (each := _listed(hint)) is not None:
        return [read(part, each, name) for part in (value if isinstance(value, list) else [value])]
    if hint is System:
        if not isinstance(value, str):
            return value
        return Scenarios[value] if value in Scenarios else SystemSpec.from_text(value)
    if isinstance(value, list):
        raise BadArgument(name, value, "give one, not several; sweep takes lists")
    if hint is Arguments:
        if not isinstance(value, Mapping):
            raise BadArgument(name, value, "give a mapping of what solve takes")
        hints = hints_of(SingleNodeModel.solve)
        given = {key: part for key, part in value.items() if part is not None}
        return {key: read(part, hints.get(key), key) for key, part in given.items()}
    if kind := _kind_of(hint):
        if not isinstance(value, (str, Mapping)):
            raise BadArgument(name, value, f"give the name of a {kind.word}, or a mapping")
        return kind.find(value)
    if hint is str and not isinstance(value, str):
        raise BadArgument(name, value, "give a name")
    return value


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotation of each parameter of a tool's function, `self` left out."""
    hints = get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in inspect.signature(function).parameters if name in hints}


# ---- schemas -------------------------------------------------------------------------------------


def input_schema(function: Callable[..., Any]) -> Schema:
    """JSON schema of what a function takes, in the vocabulary's words.

    >>> from mlsysim.solvers.fleet.distributed import DistributedModel
    >>> input_schema(DistributedModel.solve)["properties"]["link_latency"]["x-unit"]
    's'
    """
    hints, properties, required = hints_of(function), {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            continue
        properties[name] = _schema_of(hints[name])
        if parameter.default is parameter.empty:
            required.append(name)
        elif parameter.default is not None:
            properties[name] |= {"default": _default(parameter.default, dim_of(hints[name]))}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _schema_of(hint: Any) -> Schema:
    if (each := _listed(hint)) is not None:
        return {"type": "array", "items": _schema_of(each), "minItems": 1}
    if hint is Arguments:
        return input_schema(SingleNodeModel.solve) | {"required": []}
    if hint is System:
        named = {"enum": sorted(Scenarios), "description": "or a scenario by its name"}
        text = {"type": "string", "description": "or a system as YAML text"}
        return {"anyOf": [shortened(SystemSpec.json_schema()), named, text]}
    if kind := _kind_of(hint):
        names = {"enum": sorted(kind.names()), "description": f"the name of a {kind.word}"}
        return {"anyOf": [names, kind.schema()]}
    if (word := dim_of(hint)) is not None:
        return word.schema()
    return {"type": "boolean" if hint is bool else "string"}


def _default(value: Any, word: Any) -> Any:
    if isinstance(value, tuple):
        return [_default(part, word) for part in value]
    if isinstance(word, Dim) and word.unit:
        return f"{value:g} {word.unit}"
    return int(value) if isinstance(word, Dim) and word.whole else value


def shortened(schema: Any) -> Any:
    """A schema that does not spell out what a name stands for: look_up shows how it is written."""
    if isinstance(schema, list):
        return [shortened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    name, *others = schema.get("anyOf", [{}])
    if name.get("type") == "string":
        about = name["description"]
        if not others:
            return {"type": "string", "description": about}
        about += "; or written out like the `spec` that look_up gives"
        return {"type": ["string", "object"], "description": about}
    return {key: shortened(part) for key, part in schema.items() if key != "sources"}
