"""The tools: what an agent may ask, each in few words and answered in few digits."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import numpy as np
from pydantic import Field

from mlsysim import evaluation as systems
from mlsysim.core import plugins, registry
from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, UnknownArgument, UnknownEntry
from mlsysim.core.registry import LAYERS, Catalog
from mlsysim.core.solver import jsonable
from mlsysim.core.table import Table
from mlsysim.core.units import Dim, Names, dim_of
from mlsysim.engine import explain as explainer
from mlsysim.engine.engine import Engine
from mlsysim.evaluation import comparing
from mlsysim.evaluation.desk import Planner
from mlsysim.hardware.types import HardwareNode
from mlsysim.mcp import answers
from mlsysim.mcp.arguments import Arguments, System, input_schema
from mlsysim.models.huggingface import from_data
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.node.single import SingleNodeModel
from mlsysim.stacks.types import Level

MOST_ROWS, MOST_POINTS = 100, 100_000  # of a sweep: what is sent back, and what is worked out
COLUMNS = (
    "latency",
    "throughput",
    "bottleneck",
    "feasible",
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
    exact: bool = False  # it quotes, so no digit is dropped

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
        found = jsonable(self.function(**given))
        return found if self.exact else answers.brief(found)


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
        _tool(plan, Planner.solve),
        _tool(explain),
        _tool(evaluate),
        _tool(compare),
        _tool(sweep),
        _tool(import_model),
        _tool(zoo, exact=True),
        _tool(look_up, exact=True),
        *(_solver(name, kind) for name, kind in plugins.solvers().items()),
    ]
    return {tool.name: tool for tool in table}


def _solver(name: str, kind: Any) -> Tool:
    solve = kind().solve
    about = (inspect.getdoc(kind) or "").partition("\n\n")[0]
    return Tool(name, about, solve, input_schema(solve))


def _tool(function: Callable[..., Any], like: Any = None, *, exact: bool = False) -> Tool:
    takes = input_schema(like or function)
    return Tool(function.__name__, inspect.getdoc(function) or "", function, takes, exact)


# ---- what no single solver answers ---------------------------------------------------------------


def explain(before: Arguments, after: Arguments, model: Workload | None = None) -> Any:
    """Explain why one step is faster or slower than another, term by term of the Iron Law.

    `before` and `after` are what `solve` takes; `model` is the one that both share.
    """
    sides = Arguments.read(before, "before"), Arguments.read(after, "after")
    return explainer.explain(*sides, model=model)


def evaluate(system: System) -> Any:
    """Evaluate a whole system: its verdict, the wall that binds, and what would help.

    `suggestions` are changes that were evaluated, the best first; {"workload.precision": "int8"}
    names the section and the key to write. `unknown` metrics are left out.
    """
    found = jsonable(systems.evaluate(System.read(system)))
    for each in found["constraints"]:
        del each["metric"], each["bound"], each["wall"]
    found["suggestions"] = [
        {"change": each["change"], "gives": each["sentence"].rpartition(": ")[2]}
        for each in found["suggestions"][:3]
    ]
    for twice in ("reason", "violated", "phase"):
        del found[twice]
    found["metrics"] = {
        name: f"{value['value']:.5g} {value['unit']}" if isinstance(value, dict) else value
        for name, value in found["metrics"].items()
        if value is not None
        and not name.endswith(("_usd", "_kg"))
        and not (isinstance(value, dict) and value["value"] is None)
    }
    return found


def plan(model: Workload, **asked: Any) -> Any:
    """Plan a fleet: which devices, how many, divided how, at which load, time and bill.

    With `rate` it serves, with `train` it trains. The front, cheapest first; `changes` are what
    would change the choice.
    """
    found = Planner().solve(model=model, **asked)
    table = found.table[:8].to_dict() if found.systems else {}
    return {
        "question": found.question,
        "feasible": found.feasible,
        "reason": found.reason,
        **table,
        "binds": found.binds,
        "changes": list(found.changes),
        "notes": list(found.notes),
    }


def compare(
    things: Axis[str],
    model: Workload | None = None,
    batch_size: u.Batch | None = None,
    precision: u.Precision | None = None,
    stack: Level | None = None,
) -> Any:
    """Compare devices or fleets on a model, or whole systems: a table, and of two why."""
    how = {"batch_size": batch_size, "precision": precision, "stack": stack}
    how = {key: value for key, value in how.items() if value is not None}
    found = comparing.compare(things, model, **how).to_dict()
    if len(things) == 2:
        found["why"] = list(comparing.why(things[0], things[1], model, **how).sentences)
    return found


def import_model(config: dict[str, Any], name: str | None = None) -> Any:
    """Read a Hugging Face config.json into a model, to be given wherever a model is asked for."""
    model = from_data(config, name)
    return {"parameters": model.parameters, "model": model.to_dict()}


def sweep(
    model: Workload,
    hardware: Axis[HardwareNode],
    batch_sizes: Axis[u.Batch] = _USUAL["batch_sizes"].default,
    precisions: Axis[u.Precision] = _USUAL["precisions"].default,
    seq_lens: Axis[u.Count] | None = _USUAL["seq_lens"].default,
    efficiency: u.Fraction = _USUAL["efficiency"].default,
    phase: u.Phase | None = _USUAL["phase"].default,
    training: bool = _USUAL["training"].default,
    stack: Level | None = _USUAL["stack"].default,
    order: Order = "throughput",
    limit: Rows = 10,
) -> dict[str, Any]:
    """Solve every combination of device, precision, batch and context, and rank the answers.

    What fits comes first, best by `order`: the first `limit` of all `points`, in columns.
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
        stack=stack,
    )
    fits = found.column("feasible").astype(bool)
    value = found.column(best).astype(float)  # what nobody knows becomes NaN, and ranks last
    ranked = np.lexsort((-value if best == "throughput" else value, ~fits))
    chosen = ranked[:rows]
    table = found.table(COLUMNS)
    return {
        "points": len(found),
        "feasible": int(fits.sum()),
        **Table({k: v[chosen] for k, v in table.columns.items()}, table.units).to_dict(),
    }


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
    name, layers = name.rpartition(".")[2] or name, LAYERS if layer is None else (layer,)
    for where in layers:
        for title, shelf in catalog(where).shelves():
            if stem := shelf.known(name):
                return answers.entry_as_data(where, title, stem, shelf[stem])
    known = [stem for where in layers for stem in catalog(where)]
    raise UnknownEntry("The registry" if layer is None else f"Layer {layer}", name, known)


def catalog(layer: str) -> Catalog[Any]:
    """The registry of one layer; raises UnknownName."""
    return registry.catalog(dim_of(Layer).si(layer, "layer"))
