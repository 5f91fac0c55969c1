"""The tools: solve, serve, train, explain, evaluate, plan, sweep, zoo and look_up."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
from pydantic import Field

from mlsysim import evaluation as systems
from mlsysim.core import registry
from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, UnknownArgument, UnknownEntry
from mlsysim.core.registry import LAYERS, Catalog
from mlsysim.core.solver import jsonable
from mlsysim.core.units import Dim, Names, dim_of
from mlsysim.engine import explain as explainer
from mlsysim.engine.engine import Engine
from mlsysim.evaluation.desk import Planner
from mlsysim.hardware.types import HardwareNode
from mlsysim.mcp import answers
from mlsysim.mcp.arguments import Arguments, System, input_schema
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.node.single import Profile, SingleNodeModel

MOST_ROWS, MOST_POINTS = 100, 100_000  # of a sweep: what is sent back, and what is worked out
COLUMNS = (
    "latency",
    "throughput",
    "bottleneck",
    "feasible",
    "reason",
    "memory_required",
    "memory_capacity",
    "mfu",
    "energy",
)  # of a point in a sweep: what it is chosen by; solve tells the rest
Layer = Annotated[str, Names(*LAYERS)]
Order = Annotated[str, Names("throughput", "latency", "energy")]
T = TypeVar("T")
Axis = Annotated[Sequence[T], Field(min_length=1)]
Rows = Annotated[Any, Dim("", whole=True, high=MOST_ROWS)]

_USUAL = inspect.signature(Engine.sweep).parameters


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
        for key, value in given.items():
            if isinstance(value, list) and "items" not in self.takes["properties"][key]:
                raise BadArgument(key, value, "give one, not several; sweep takes lists")
        return jsonable(self.function(**given))


def tools() -> dict[str, Tool]:
    """Every tool by name, for the registries as they are now.

    >>> found = tools()["solve"].call({"model": "Llama3_8B", "hardware": "H100"})
    >>> found["bottleneck"], found["latency"]["unit"]
    ('Memory', 'ms')
    """
    table = [
        _solver("solve", SingleNodeModel),
        _solver("serve", ServingModel),
        _solver("train", DistributedModel),
        _tool(explain, answers.output_schema(explainer.Explanation)),
        _tool(evaluate, answers.output_schema(systems.Evaluation)),
        _solver("plan", Planner),
        _tool(sweep, _sweep_schema()),
        _tool(zoo, answers.NAMES),
        _tool(look_up, answers.ENTRY),
    ]
    return {tool.name: tool for tool in table}


def _solver(name: str, kind: Any) -> Tool:
    solve = kind().solve
    gives = answers.output_schema(get_type_hints(solve)["return"])
    takes = input_schema(solve, listed=name == "solve")
    return Tool(name, inspect.getdoc(kind) or "", solve, takes, gives)


def _tool(function: Callable[..., Any], gives: dict[str, Any]) -> Tool:
    about = inspect.getdoc(function) or ""
    return Tool(function.__name__, about, function, input_schema(function), gives)


# ---- what no single solver answers ---------------------------------------------------------------


def explain(before: Arguments, after: Arguments, model: Workload | None = None) -> Any:
    """Explain why one step is faster or slower than another, term by term of the Iron Law.

    `before` and `after` are what `solve` takes; `model` is the one that both share.
    """
    sides = Arguments.read(before, "before"), Arguments.read(after, "after")
    return explainer.explain(*sides, model=model)


def evaluate(system: System) -> Any:
    """Evaluate a whole system: workload, fleet, environment and constraints.

    The answer has a verdict (feasible, satisfied, violated or infeasible), the wall that binds,
    every constraint with its margin, and suggestions: changes that were evaluated, and what each
    gives. A change such as {"workload.precision": "int8"} names the section and the key to write.
    Constraints may compare ttft, itl, latency, p99_ttft, p99_latency (each with its queue, where
    arrival_rate_qps is given), throughput, utilization, devices_needed, memory_required, tco,
    carbon, and in training step_time, mfu, elapsed_time.
    """
    return systems.evaluate(System.read(system))


def sweep(
    model: Workload,
    hardware: Axis[HardwareNode],
    batch_sizes: Axis[u.Batch] = _USUAL["batch_sizes"].default,
    precisions: Axis[u.Precision] = _USUAL["precisions"].default,
    seq_lens: Axis[u.Count] | None = _USUAL["seq_lens"].default,
    efficiency: u.Fraction = _USUAL["efficiency"].default,
    phase: u.Phase | None = _USUAL["phase"].default,
    training: bool = _USUAL["training"].default,
    order: Order = "throughput",
    limit: Rows = 20,
) -> dict[str, Any]:
    """Solve every combination of device, precision, batch and context, and rank the answers.

    What fits comes first, best by `order`; `rows` are the first `limit` of all `points`.
    """
    best, rows = dim_of(Order).si(order, "order"), int(dim_of(Rows).si(limit, "limit"))
    points = math.prod(len(axis) for axis in (hardware, batch_sizes, precisions, seq_lens or [0]))
    if points > MOST_POINTS:
        remedy = f"a sweep works out at most {MOST_POINTS:,}; shorten a list"
        raise BadArgument("points", points, remedy)
    found = Engine.sweep(
        model,
        hardware,
        batch_sizes=batch_sizes,
        precisions=precisions,
        seq_lens=seq_lens,
        efficiency=efficiency,
        phase=phase,
        training=training,
    )
    fits = found.column("feasible").astype(bool)
    value = found.column(best).astype(float)  # what nobody knows becomes NaN, and ranks last
    ranked = np.lexsort((-value if best == "throughput" else value, ~fits))
    return {
        "points": len(found),
        "feasible": int(fits.sum()),
        "rows": [_row(found[int(i)]) for i in ranked[:rows]],
    }


def _row(point: dict[str, Any]) -> dict[str, Any]:
    values = point.pop("profile").to_dict()
    return {**point, **{key: values[key] for key in COLUMNS}}


def _sweep_schema() -> dict[str, Any]:
    shown = answers.output_schema(Profile)["properties"]
    text, integer = answers.TEXT, answers.INTEGER
    row = answers.fields(
        hardware=text,
        precision=text,
        batch_size=integer,
        seq_len=integer,
        **{name: shown[name] for name in COLUMNS},
    )
    return answers.fields(points=integer, feasible=integer, rows=answers.listed(row))


# ---- the registries ------------------------------------------------------------------------------


def zoo(layer: Layer) -> dict[str, Any]:
    """List the names of all entries that one layer of the registry holds, shelf by shelf."""
    return {"layer": layer, "shelves": {name: [*shelf] for name, shelf in catalog(layer).shelves()}}


def look_up(name: str, layer: Layer | None = None) -> dict[str, Any]:
    """Look up a registry entry: every number with its unit and its source.

    `spec` is the entry written out, in the format in which you can give one of your own.
    """
    if not isinstance(name, str):
        raise BadArgument("name", name, "give a name")
    layers = LAYERS if layer is None else (layer,)
    for where in layers:
        for title, shelf in catalog(where).shelves():
            if name in shelf:
                return answers.entry_as_data(where, title, name, shelf[name])
    known = [stem for where in layers for stem in catalog(where)]
    raise UnknownEntry("The registry" if layer is None else f"Layer {layer}", name, known)


def catalog(layer: str) -> Catalog[Any]:
    """The registry of one layer; raises UnknownName."""
    return registry.catalog(dim_of(Layer).si(layer, "layer"))
