"""The MCP server: the solvers as tools that an agent calls (`mlsysim mcp`).

A tool is a function of this package. Its input schema is read from the function's signature, whose
words are the vocabulary of `core.units`; its output schema from the fields of the Result that it
returns. Arguments are checked where they always are, at the solver's door, and a mistake comes back
as a tool error with the same sentence that a person would read. The server reads the registries and
no other file.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import anyio
import numpy as np
from mcp import MCPError, stdio_server, types
from mcp.server import NotificationOptions, Server, ServerRequestContext

from mlsysim import __version__
from mlsysim.core.errors import BadArgument, InvalidEntry, MLSysError, UnknownArgument, UnknownEntry
from mlsysim.core.frozen import plain
from mlsysim.core.provenance import Entry
from mlsysim.core.registry import LAYERS, Catalog
from mlsysim.core.solver import Result
from mlsysim.core.units import (
    Batch,
    Count,
    Dim,
    Fraction,
    Names,
    Phase,
    Precision,
    Quantity,
    dim_of,
)
from mlsysim.engine import evaluate as systems
from mlsysim.engine import explain as explainer
from mlsysim.engine.engine import Engine
from mlsysim.engine.system import PLAN, FleetSpec, SystemSpec
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.registry import Models
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet import DistributedModel
from mlsysim.solvers.node import Profile, SingleNodeModel
from mlsysim.solvers.serving import ServingModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet

INSTRUCTIONS = """\
An analytical model of machine-learning systems: which wall binds, how long it takes, what it needs.
Write quantities with their unit ("80 GB", "50 ms", "400 g/kWh"); answers are {"value", "unit"}.
What does not fit is an answer: feasible is false and reason says why. A malformed question is an
error that says what would do. Names of models, devices and clusters come from zoo, and look_up
gives an entry's values, each with its source. Good to 2-5x: rank and bound with it, and do not
promise a latency.
"""
MOST_ROWS, MOST_POINTS = 100, 100_000  # of a sweep: what is sent back, and what is worked out
SCHEME = "mlsysim"
COLUMNS = (
    "latency", "throughput", "bottleneck", "feasible", "reason", "memory_required",
    "memory_capacity", "mfu", "energy",
)
Layer = Annotated[str, Names(*LAYERS)]
Order = Annotated[str, Names("throughput", "latency", "energy")]
Rows = Annotated[Any, Dim("", whole=True, high=MOST_ROWS)]


class Arguments(dict[str, Any]):
    """What `solve` takes, as one argument of another tool."""


class System(dict[str, Any]):
    """A whole system, as YAML text or as a mapping."""


# ---- the tools -----------------------------------------------------------------------------------


def explain(before: Arguments, after: Arguments, model: Workload | None = None) -> Any:
    """Explain why one step is faster or slower than another, term by term of the Iron Law.

    `before` and `after` are what `solve` takes; `model` is the one that both share.
    """
    return explainer.explain(before, after, model=model)


def evaluate(system: System) -> Any:
    """Evaluate a whole system: workload, fleet, environment and constraints.

    The answer has a verdict (feasible, satisfied, violated or infeasible), the wall that binds, every
    constraint with its margin, and suggestions: changes that were evaluated, and what each gives. A
    change such as {"workload.precision": "int8"} names the section and the key to write.
    """
    return systems.evaluate(system)


def sweep(
    model: Workload,
    hardware: list[HardwareNode],
    batch_sizes: list[Batch] = (1,),  # type: ignore[assignment]
    precisions: list[Precision] = ("fp16",),  # type: ignore[assignment]
    seq_lens: list[Count] | None = None,
    efficiency: Fraction = 0.5,
    phase: Phase | None = None,
    training: bool = False,
    order: Order = "throughput",
    limit: Rows = 20,
) -> dict[str, Any]:
    """Solve every combination of device, precision, batch and context, and rank the answers.

    What fits comes first, best by `order`; `rows` are the first `limit` of all `points`.
    """
    best, rows = dim_of(Order).si(order, "order"), int(dim_of(Rows).si(limit, "limit"))
    points = math.prod(len(axis) for axis in (hardware, batch_sizes, precisions, seq_lens or [0]))
    if points > MOST_POINTS:
        remedy = f"they make {points:,} points; ask for at most {MOST_POINTS:,}"
        raise BadArgument("the lists", "so long", remedy)
    found = Engine.sweep(
        model, hardware, batch_sizes=batch_sizes, precisions=precisions, seq_lens=seq_lens,
        efficiency=efficiency, phase=phase, training=training,
    )
    fits = found.column("feasible").astype(bool)
    value = found.column(best).astype(float)  # None, where nobody knows, becomes NaN: it ranks last
    ranked = np.lexsort((-value if best == "throughput" else value, ~fits))
    return {
        "points": len(found),
        "feasible": int(fits.sum()),
        "rows": [_row(found[int(i)], hardware) for i in ranked[:rows]],
    }


def _row(point: dict[str, Any], hardware: list[HardwareNode]) -> dict[str, Any]:
    stems = {device.name: device.stem for device in hardware}
    values = point.pop("profile").to_dict()
    point["hardware"] = stems[point["hardware"]]
    return point | {name: values[name] for name in COLUMNS}


def zoo(layer: Layer) -> dict[str, Any]:
    """List the names of all entries that one layer of the registry holds, shelf by shelf."""
    return {"layer": layer, "shelves": {name: [*shelf] for name, shelf in catalog(layer).shelves()}}


def look_up(name: str, layer: Layer | None = None) -> dict[str, Any]:
    """Look up a registry entry: every number with its unit and its source.

    `spec` is the entry written out, in the format in which you can give one of your own.
    """
    for where in LAYERS if layer is None else (layer,):
        for shelf_name, shelf in catalog(where).shelves():
            if name in shelf:
                entry = shelf[name]
                return {
                    "layer": where, "shelf": shelf_name, "entry": name, "name": entry.name,
                    "spec": _spec(entry), "values": [*_values(entry)],
                }
    known = [stem for where in LAYERS if layer in (None, where) for stem in catalog(where)]
    raise UnknownEntry("The registry" if layer is None else f"Layer {layer}", name, known)


def catalog(layer: str) -> Catalog[Any]:
    """The registry of one layer; raises UnknownName."""
    dim_of(Layer).si(layer, "layer")
    return getattr(import_module(f"mlsysim.{layer}.registry"), layer.capitalize())


def _spec(entry: Entry) -> dict[str, Any]:
    """The entry in the format of its file: what it is made of stands by name."""
    held = {key: getattr(entry, key) for key in entry.to_dict() if key != "sources"}
    return {k: v.stem if isinstance(v, Entry) else plain(v) for k, v in held.items()}


def _values(entry: Entry) -> Iterable[dict[str, Any]]:
    for path, value in entry.numbers():
        source = entry.source_of(path)
        known = isinstance(value, Quantity)
        yield {
            "path": path,
            "value": value.magnitude if known else value,
            "unit": f"{value.units:~C}" if known else "",
            "source": source and source.to_dict(),
        }


# ---- arguments: what a client may write, and what it means ---------------------------------------


def _fleet(given: Any) -> Fleet:
    """A fleet by the name of its cluster, or described as a system's `fleet` section is."""
    if not isinstance(given, Mapping):
        return Systems.Clusters[given]
    for key in given:
        if key in PLAN:
            raise InvalidEntry("fleet", key, "it is the plan's; give it beside fleet")
    return FleetSpec(**given).entry


class Kind(NamedTuple):
    """What stands for an entry in a question: its name, or a mapping that describes it."""

    word: str
    names: Callable[[], Iterable[str]]
    find: Callable[[Any], Any]
    schema: Callable[[], dict[str, Any]]


def _kind(word: str, held: Catalog[Any]) -> Kind:
    def find(given: Any) -> Any:
        if isinstance(given, Mapping):
            return held.from_spec({"name": f"custom {word}", **given})
        return held[given]

    about = f"or a {word} of your own, written like the `spec` that look_up gives"
    return Kind(word, lambda: held, find, lambda: {"type": "object", "description": about})


def _fleet_schema() -> dict[str, Any]:
    schema = _short(FleetSpec.json_schema())
    schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in PLAN}
    return schema | {"description": "one of cluster, node and hardware, and how many there are"}


KINDS = {
    Workload: _kind("model", Models),
    HardwareNode: _kind("device", Hardware),
    Fleet: Kind("cluster", lambda: Systems.Clusters, _fleet, _fleet_schema),
}


def kind_of(hint: Any) -> Kind | None:
    """The kind of entry that an argument annotated with `hint` takes, if it takes one."""
    return next((KINDS[part] for part in (hint, *get_args(hint)) if part in KINDS), None)


def listed(hint: Any) -> Any:
    """What an argument is a list of; None when it is no list."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is list:
            return get_args(part)[0]
    return None


def read(value: Any, hint: Any, name: str) -> Any:
    """A client's value as the tool's function takes it; raises an MLSysError."""
    if (each := listed(hint)) is not None:
        return [read(part, each, name) for part in (value if isinstance(value, list) else [value])]
    if hint is System:
        return SystemSpec.from_text(value) if isinstance(value, str) else value
    if hint is Arguments:
        if not isinstance(value, Mapping):
            raise BadArgument(name, value, "give a mapping of what solve takes")
        hints = hints_of(SingleNodeModel.solve)
        return {key: read(part, hints.get(key), key) for key, part in value.items()
                if part is not None}
    if isinstance(value, list):
        raise BadArgument(name, value, "give one, not several; sweep takes lists")
    if kind := kind_of(hint):
        if not isinstance(value, (str, Mapping)):
            raise BadArgument(name, value, f"give the name of a {kind.word}, or a mapping")
        return kind.find(value)
    if hint is str and not isinstance(value, str):
        raise BadArgument(name, value, "give a name")
    return value


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotation of each parameter."""
    hints = get_type_hints(function, include_extras=True)
    return {name: hints[name] for name in inspect.signature(function).parameters if name in hints}


# ---- schemas -------------------------------------------------------------------------------------


def schema_of(hint: Any) -> dict[str, Any]:
    """JSON schema of an argument, in the vocabulary's words."""
    if (each := listed(hint)) is not None:
        return {"type": "array", "items": schema_of(each), "minItems": 1}
    if hint is Arguments:
        return input_schema(SingleNodeModel.solve) | {"required": []}
    if hint is System:
        text = {"type": "string", "description": "YAML text of this format"}
        return {"anyOf": [_short(SystemSpec.json_schema()), text]}
    if kind := kind_of(hint):
        names = {"enum": sorted(kind.names()), "description": f"the name of a {kind.word}"}
        return {"anyOf": [names, kind.schema()]}
    word = dim_of(hint)
    if word is not None:
        return word.schema()
    return {"type": "boolean" if hint is bool else "string"}


def input_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """JSON schema of what a function takes."""
    hints, properties, required = hints_of(function), {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:  # self
            continue
        properties[name] = schema_of(hints[name])
        if parameter.default is parameter.empty:
            required.append(name)
        elif parameter.default is not None:
            properties[name] |= {"default": _default(parameter.default, dim_of(hints[name]))}
    return {
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": False,
    }


def _default(value: Any, word: Any) -> Any:
    if isinstance(word, Dim) and word.unit:
        return f"{value:g} {word.unit}"
    if isinstance(word, Dim) and word.whole and not isinstance(value, tuple):
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _short(schema: Any) -> Any:
    """A schema in which what may be named is not spelled out as well: look_up shows how."""
    if isinstance(schema, list):
        return [_short(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _short(part) for key, part in schema.items()}
    name, *others = schema.get("anyOf", [None])
    if others and name and name.get("type") == "string":
        about = f"{name.get('description', '')}; or a mapping like its `spec` in look_up"
        return {"type": ["string", "object"], "description": about}
    return schema


def output_schema(result: type[Result]) -> dict[str, Any]:
    """JSON schema of a Result: quantities with the unit that they are shown in."""
    hints = get_type_hints(result, include_extras=True)
    names = (name for name in result._fields if name in hints)
    fields = {name: _shown(getattr(result, name).unit, hints[name]) for name in names}
    return {"type": "object", "properties": fields}


_JSON = {bool: "boolean", str: "string", int: "integer", tuple: "array", dict: "object"}


def _shown(unit: Any, hint: Any) -> dict[str, Any]:
    """What is unknown is null everywhere."""
    if unit is not None:
        number = {"type": ["number", "null"]}
        shown = {"value": number, "unit": {"const": f"{unit:~P}"}}
        return {"type": ["object", "null"], "properties": shown, "required": ["value", "unit"]}
    kind = "number" if isinstance(dim_of(hint), Dim) else _JSON.get(hint, "string")
    return {"type": [kind, "null"]}


def _object(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*(required or properties)]}


_TEXT, _INTEGER = {"type": "string"}, {"type": "integer"}
_SOURCE = {"type": ["object", "null"], "properties": {"kind": _TEXT, "ref": _TEXT, "url": _TEXT}}


def _sweep_schema() -> dict[str, Any]:
    shown = output_schema(Profile)["properties"]
    row = _object(
        hardware=_TEXT, precision=_TEXT, batch_size=_INTEGER, seq_len=_INTEGER,
        **{name: shown[name] for name in COLUMNS},
    )
    return _object(points=_INTEGER, feasible=_INTEGER, rows={"type": "array", "items": row})


_NAMES = {"type": "array", "items": _TEXT}
_ZOO = _object(layer=_TEXT, shelves={"type": "object", "additionalProperties": _NAMES})
_VALUE = _object(path=_TEXT, value={"type": "number"}, unit=_TEXT, source=_SOURCE)
_ENTRY = _object(
    layer=_TEXT, shelf=_TEXT, entry=_TEXT, name=_TEXT, spec={"type": "object"},
    values={"type": "array", "items": _VALUE},
)


# ---- the server ----------------------------------------------------------------------------------


class Tool(NamedTuple):
    """A function, and what it tells a client about itself."""

    name: str
    about: str
    function: Callable[..., Any]
    takes: dict[str, Any]
    gives: dict[str, Any]

    def call(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer with plain data; raises an MLSysError. An argument that is null is left out."""
        for key in arguments:
            if key not in self.takes["properties"]:
                raise UnknownArgument(self.name, key, self.takes["properties"])
        given = {key: value for key, value in arguments.items() if value is not None}
        for key in self.takes["required"]:
            if key not in given:
                raise BadArgument(key, None, f"{self.name} needs one")
        hints = hints_of(self.function)
        answer = self.function(**{key: read(given[key], hints[key], key) for key in given})
        return _json(answer.to_dict() if isinstance(answer, Result) else answer)

    def describe(self) -> types.Tool:
        """What a client learns about the tool."""
        return types.Tool(
            name=self.name, description=self.about, input_schema=self.takes,
            output_schema=self.gives,
            annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
        )


def tools() -> dict[str, Tool]:
    """Every tool by name, for the registries as they are now."""
    solvers = {"solve": SingleNodeModel(), "serve": ServingModel(), "train": DistributedModel()}
    table = {
        name: (inspect.getdoc(type(solver)), solver.solve, None) for name, solver in solvers.items()
    }
    table |= {
        "explain": (inspect.getdoc(explain), explain, output_schema(explainer.Explanation)),
        "evaluate": (inspect.getdoc(evaluate), evaluate, output_schema(systems.Evaluation)),
        "sweep": (inspect.getdoc(sweep), sweep, _sweep_schema()),
        "zoo": (inspect.getdoc(zoo), zoo, _ZOO),
        "look_up": (inspect.getdoc(look_up), look_up, _ENTRY),
    }
    return {
        name: Tool(name, about or "", function, input_schema(function),
                   gives or output_schema(get_type_hints(function)["return"]))
        for name, (about, function, gives) in table.items()
    }


def _json(value: Any) -> Any:
    """JSON has no NaN and no infinity: what has no number is null."""
    if isinstance(value, Mapping):
        return {str(key): _json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
