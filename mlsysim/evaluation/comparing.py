"""Side by side: two systems and what makes one of them faster, or several in one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Result, show
from mlsysim.core.table import Table
from mlsysim.core.units import Q_, Quantity
from mlsysim.engine.explain import Explanation, explain
from mlsysim.engine.fleets import PARTS, SMALL
from mlsysim.evaluation.scenarios.registry import find
from mlsysim.evaluation.sections import SERVE, TRAIN
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import Evaluation, judge
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.solvers.node.single import SingleNodeModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet
from mlsysim.walls import wall

Thing = HardwareNode | Fleet | SystemSpec | Mapping[str, Any] | Path | str
_STEP = {"compute_time": "arithmetic", "memory_time": "moving bytes", "overhead": "dispatch"}
_TIME = {SERVE: ("latency", "a request"), TRAIN: ("step_time", "a step of training")}
_COLUMNS = {
    SERVE: ("devices", "ttft", "itl", "latency", "requests", "utilization"),
    TRAIN: ("devices", "step_time", "mfu", "elapsed_time", "goodput"),
}
_OTHERS = ("devices", "latency", "throughput", "requests")
_LAST = ("memory_required", "memory_capacity", "tco", "carbon")
_OF_A_STEP = ("bottleneck", "latency", "throughput", "mfu", "memory_required", "memory_capacity")


class Difference(Result):
    """Why a system is faster or slower `after` than `before`.

    `changed` are the keys in which they differ, `parts` the seconds that each part of the time
    takes more after; a queue that only grows has no time. Printing it prints the sentences.
    """

    speedup: u.Number | None
    changed: dict
    parts: dict
    sentences: tuple

    def __str__(self) -> str:
        return "\n".join(self.si("sentences"))


def why(before: Thing, after: Thing, model: Any = None, **how: Any) -> Any:
    """Why one device, fleet or whole system is faster than another, in sentences.

    Each side is a device or its name, a fleet or the name of a cluster, a system, a scenario's
    name, or a YAML file. Devices are compared on one step of a `model` and fleets on a step of its
    training; `how` is what `Engine.solve` takes, or the keys of a workload.

    >>> print(why("A100", "H100", "Llama3_8B").sentences[0])
    The step takes 7.503 ms on A100 SXM4 80GB and 4.571 ms on H100 SXM: 1.64x as fast.
    """
    sides = [_read(each) for each in (before, after)]
    if all(isinstance(each, HardwareNode) for each in sides):
        asked = [{"hardware": each, **how} for each in sides]
        return explain(asked[0], asked[1], model=_needed(model))
    one, other = (_system(each, model, how) for each in sides)
    if (one.workload.phase == TRAIN) != (other.workload.phase == TRAIN):
        raise BadArgument("after", other.name, "compare two that train, or two that answer")
    return _difference(one, other)


def compare(things: Sequence[Thing], model: Any = None, **how: Any) -> Table:
    """Several devices, fleets or whole systems in one table; what each side may be, `why` says."""
    if not things:
        raise BadArgument("things", "an empty list", "give at least one")
    sides = [_read(each) for each in things]
    if all(isinstance(each, HardwareNode) for each in sides):
        solve, asked = SingleNodeModel().solve, _needed(model)
        found = [solve(asked, each, **how) for each in sides]
        named = {"device": [each.stem for each in sides], "fits": [one.feasible for one in found]}
        return Table(named).beside(Table.of(found, _OF_A_STEP))
    systems = [_system(each, model, how) for each in sides]
    judged = [judge(each) for each in systems]
    phases = dict.fromkeys(each.workload.phase for each in systems)
    names = dict.fromkeys(
        name for phase in phases for name in (*_COLUMNS.get(phase, _OTHERS), *_LAST)
    )
    named = {
        "system": [each.name for each in systems],
        "verdict": [each.verdict for each in judged],
        "wall": [each.bottleneck for each in judged],
    }
    rows = [each.metrics for each in judged]
    kept = [name for name in names if any(row.get(name) is not None for row in rows)]
    return Table(named).beside(Table.rows(rows, kept))


def _read(thing: Thing) -> Any:
    """What a side stands for."""
    if not isinstance(thing, str):
        return SystemSpec.from_yaml(thing) if isinstance(thing, Path) else thing
    for shelf in (Hardware, Systems.Clusters):
        if shelf.known(thing):
            return shelf[thing]
    return find(thing)


def _needed(model: Any) -> Any:
    if model is None:
        raise BadArgument("model", None, "devices and fleets are compared on one: give model=...")
    return model


def _system(side: Any, model: Any, how: dict[str, Any]) -> SystemSpec:
    """A whole system of a side: a fleet trains, unless it is told to do something else."""
    if isinstance(side, Mapping):
        return SystemSpec.from_spec(side)
    if isinstance(side, (Fleet, HardwareNode)):
        work = {"model": _needed(model), "phase": TRAIN, **how}
        place = {"cluster": side} if isinstance(side, Fleet) else {"hardware": side}
        return SystemSpec.from_spec({"workload": work, "fleet": place}, name=side.name)
    return side


# ---- in words ------------------------------------------------------------------------------------


def _difference(one: SystemSpec, other: SystemSpec) -> Difference:
    old, new = judge(one), judge(other)
    changed = {
        path: (was, now)
        for section in ("workload", "fleet", "environment")
        for path, was, now in _changed(section, getattr(one, section), getattr(other, section))
    }
    parts, speedup = {}, None
    was, now = (found.metrics.get(_time(found)[0]) for found in (old, new))
    if was is not None and now is not None:  # a queue that only grows has none
        speedup = _seconds(was) / _seconds(now)
        parts = {name: seconds - _parts(old)[name] for name, seconds in _parts(new).items()}
    names = (one.name, other.name) if one.name != other.name else ("before", "after")
    told = tuple(_sentences(old, new, names, changed, parts, speedup))
    return Difference(speedup=speedup, changed=changed, parts=parts, sentences=told)


def _time(found: Evaluation) -> tuple[str, str]:
    return _TIME.get(found.phase, ("latency", "a step"))


def _changed(section: str, one: Any, other: Any) -> Iterator[tuple[str, str, str]]:
    """The keys of a section that say something else."""
    for key in dict.fromkeys((*type(one).model_fields, *type(other).model_fields)):
        was, now = (getattr(side, key, None) for side in (one, other))
        if was != now:
            yield f"{section}.{key}", _named(was), _named(now)


def _named(value: Any) -> str:
    return "-" if value is None else getattr(value, "stem", None) or show(value)


def _parts(found: Evaluation) -> dict[str, float]:
    """The parts of its time, in seconds."""
    metrics = found.metrics
    if found.phase == SERVE:
        first, whole = _seconds(metrics["ttft"]), _seconds(metrics["latency"])
        return {"the first token, waiting included": first, "the other tokens": whole - first}
    parts = PARTS if found.phase == TRAIN else _STEP
    known = {words: metrics.get(key) for key, words in parts.items()}
    return {words: _seconds(value) for words, value in known.items() if value is not None}


def _sentences(
    old: Evaluation,
    new: Evaluation,
    names: tuple[str, str],
    changed: dict[str, tuple[str, str]],
    parts: dict[str, float],
    speedup: float | None,
) -> Iterator[str]:
    time, what = _time(new)
    was, now = old.metrics.get(time), new.metrics.get(time)
    if speedup is not None:
        took = f"{names[0]} takes {show(was)} for {what} and {names[1]} {show(now)}"
        yield f"{took}: {speedup:.2f}x as fast."
    if changed:
        said = ", ".join(f"{path} {was} -> {now}" for path, (was, now) in changed.items())
        yield f"They differ in {said}."
    whole = max(_seconds(was), _seconds(now)) if parts else 0.0
    for part, seconds in sorted(parts.items(), key=lambda each: -abs(each[1])):
        if abs(seconds) > SMALL * whole:
            less = "less" if seconds < 0 else "more"
            yield f"{show(Q_(abs(seconds), 's'))} {less} goes to {part}."
    first, then = (wall(int(each.si("wall"))) for each in (old, new))
    if first == then:
        yield f"Wall {then.number}, {then.name}, binds both. {new.why}"
    else:
        yield f"Wall {first.number}, {first.name}, bound it; now {then.number}, {then.name}, does."
        yield new.why
    for metric, word in (("devices", "devices"), ("tco", "dollars"), ("carbon", "carbon")):
        was, now = old.metrics.get(metric), new.metrics.get(metric)
        if was is not None and now is not None and was != now:
            ratio = now / was
            ratio = float(ratio.m_as("")) if isinstance(ratio, Quantity) else float(ratio)
            yield f"{show(now)} in place of {show(was)}: {ratio:.2f}x the {word}."
    for name, each in zip(names, (old, new), strict=True):
        if not each.feasible:
            yield f"{name} is infeasible: {each.reason}"
        elif each.violated:
            yield f"{name} breaks {' and '.join(each.violated)}."


def _seconds(quantity: Any) -> float:
    return float(quantity.m_as("s"))


__all__ = ["Difference", "Explanation", "compare", "why"]
