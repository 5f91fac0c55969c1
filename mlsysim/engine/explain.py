"""The differential explainer: two profiles of a step, and why one is faster than the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, lazily, show
from mlsysim.equations import node
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.types import Workload
from mlsysim.solvers.node.single import Profile, SingleNodeModel

if TYPE_CHECKING:
    from mlsysim.engine.fleets import FleetExplanation

WORTH_SAYING = 0.1  # a part of the step that deserves a sentence
UNCHANGED = 1e-3  # a ratio this near to 1 is said to be the same


class Terms(NamedTuple):
    """The six terms of the Iron Law on one node, in SI numbers."""

    operations: float
    peak_flops: float
    efficiency: float
    traffic: float
    memory_bandwidth: float
    overhead: float

    @property
    def latency(self) -> float:
        """The Iron Law over these terms."""
        compute = node.compute_time(self.operations, self.peak_flops, self.efficiency)
        memory = node.memory_time(self.traffic, self.memory_bandwidth)
        return float(node.roofline_time(compute, memory, self.overhead))


class Explanation(Result):
    """Why `after` is faster or slower than `before`.

    `changes` gives each term after as a multiple of before; `alone` the speed-up that this change
    would give were it the only one, which is 1 where the term does not bind. `sentences` say it in
    words, and printing the explanation prints them.
    """

    speedup: u.Number
    throughput_ratio: u.Number
    regime_before: str
    regime_after: str
    regime_shift: bool = lazily("", lambda e: e.si("regime_before") != e.si("regime_after"))
    binding_before: str
    binding_after: str
    latency_before: u.Seconds = "ms"
    latency_after: u.Seconds = "ms"
    changes: dict
    alone: dict
    sentences: tuple

    def __str__(self) -> str:
        return "\n".join(self.si("sentences"))


def explain(
    before: Profile | Mapping[str, Any],
    after: Profile | Mapping[str, Any],
    *,
    model: Given[Workload] | None = None,
    names: tuple[str, str] | None = None,
) -> Explanation | FleetExplanation:
    """Explain the change from one profile to another.

    Each side is a Profile, or the arguments that `Engine.solve` takes; or both are FleetProfiles.
    `model` is the one that both sides share. `names` are what the sentences call them, by default
    the names of the devices.

    >>> from mlsysim import Hardware, Models
    >>> why = explain(
    ...     {"hardware": Hardware.A100},
    ...     {"hardware": Hardware.H100},
    ...     model=Models.Language.Llama3_8B,
    ... )
    >>> why.regime_before, why.regime_after, round(why.changes["memory_bandwidth"], 2)
    ('Memory', 'Memory', 1.64)
    """
    if names is not None and len(names) != 2:
        raise BadArgument("names", names, "give two names, one for each side")
    if type(before).__name__ == type(after).__name__ == "FleetProfile":
        from mlsysim.engine.fleets import explain_fleets

        one: Any = before
        other: Any = after
        return explain_fleets(one, other, names)
    before, after = _named(before), _named(after)
    names = names or (_device(before), _device(after))
    where = ("before", "after") if names[0] == names[1] else (f"on {names[0]}", f"on {names[1]}")
    old, new = _profile("before", before, model), _profile("after", after, model)
    was, now = _terms(old), _terms(new)
    changes = {key: _ratio(getattr(now, key), getattr(was, key)) for key in Terms._fields}
    alone = {key: was.latency / was._replace(**{key: getattr(now, key)}).latency for key in changes}
    return Explanation(
        speedup=old.si("latency") / new.si("latency"),
        throughput_ratio=new.si("throughput") / old.si("throughput"),
        regime_before=str(old.bottleneck),
        regime_after=str(new.bottleneck),
        binding_before=_BINDING[str(old.bottleneck)],
        binding_after=_BINDING[str(new.bottleneck)],
        latency_before=old.si("latency"),
        latency_after=new.si("latency"),
        changes=changes,
        alone=alone,
        sentences=tuple(_sentences(old, new, where, changes)),
    )


_BINDING = {"Memory": "memory_bandwidth", "Compute": "peak_flops", "Overhead": "overhead"}
_BOUND = {"Memory": "memory-bound", "Compute": "compute-bound", "Overhead": "dispatch-bound"}
_WORK = {"Memory": "moving the bytes", "Compute": "the arithmetic", "Overhead": "the dispatch"}
_TIME = {"Memory": "memory_time", "Compute": "compute_time", "Overhead": "overhead"}
_ROOF = {  # the terms that the time under each roof is made of
    "Memory": ("memory_bandwidth", "traffic"),
    "Compute": ("peak_flops", "efficiency", "operations"),
    "Overhead": ("overhead",),
}
_WORDS = {
    "operations": "the operations",
    "peak_flops": "the FLOPS",
    "efficiency": "the efficiency",
    "traffic": "the bytes moved",
    "memory_bandwidth": "the bandwidth",
    "overhead": "the dispatch tax",
}


def _profile(argument: str, side: Any, model: Given[Workload] | None) -> Profile:
    if isinstance(side, Mapping):
        how = {"model": model, **side} if model is not None else dict(side)
        for needed in SingleNodeModel.requires:
            if needed not in how:
                raise BadArgument(argument, dict(side), f"add {needed} to it")
        side = SingleNodeModel().solve(**how)
    if not isinstance(side, Profile):
        given = type(side).__name__ if isinstance(side, Result) else side
        remedy = "give a Profile, or the arguments of Engine.solve; two FleetProfiles go together"
        raise BadArgument(argument, given, remedy)
    if side.shape:
        raise BadArgument(argument, "a column of profiles", "give one of them, as in profiles[0]")
    return side


def _terms(profile: Profile) -> Terms:
    """Take a profile apart; the bandwidth is what it moved over the time that took."""
    operations, peak, traffic = (profile.si(key) for key in ("operations", "peak", "traffic"))
    return Terms(
        operations=operations,
        peak_flops=peak,
        efficiency=operations / (peak * profile.si("compute_time")),
        traffic=traffic,
        memory_bandwidth=traffic / profile.si("memory_time"),
        overhead=profile.si("overhead"),
    )


def _ratio(now: float, was: float) -> float:
    if now == was:
        return 1.0
    return float(now / was) if was else np.inf


def _named(side: Any) -> Any:
    """A side whose device is an entry."""
    if not isinstance(side, Mapping) or "hardware" not in side:
        return side
    return {**side, "hardware": HardwareNode.asked(side["hardware"], "hardware")}


def _device(side: Any) -> str:
    return getattr(side.get("hardware"), "name", "") if isinstance(side, Mapping) else ""


# ---- in words ------------------------------------------------------------------------------------


def _sentences(
    old: Profile, new: Profile, where: tuple[str, str], changes: dict[str, float]
) -> Iterator[str]:
    speedup, was, now = old.si("latency") / new.si("latency"), old.bottleneck, new.bottleneck
    yield (
        f"The step takes {show(old.latency)} {where[0]} and {show(new.latency)} {where[1]}: "
        f"{speedup:.2f}x as fast."
    )
    phases = _phase(old), _phase(new)
    if phases[0] != phases[1]:
        yield (
            f"The phase changed, and with it the work: {phases[0]} {where[0]}, "
            f"{phases[1]} {where[1]}."
        )
    rate = new.si("throughput") / old.si("throughput")
    if not _same(rate / speedup):
        yield f"A step now does {rate / speedup:.3g}x the samples: {rate:.2f}x the throughput."
    if was == now:
        yield _same_regime(now, changes, speedup)
    else:
        roof = old.si(_TIME[was]) / new.si(_TIME[was]) if new.si(_TIME[was]) else np.inf
        yield (
            f"Regime shift: it was {_BOUND[was]} and is {_BOUND[now]} now. "
            f"{_WORK[was].capitalize()} is {roof:.2f}x as fast, but {_WORK[now]} now takes "
            f"longer, and holds the step to {speedup:.2f}x."
        )
    share = new.si("overhead") / new.si("latency")
    if share > WORTH_SAYING and now != "Overhead":
        yield f"The dispatch tax is {share:.0%} of the step {where[1]}, and no roof moves it."
    if old.si("memory_tier") != new.si("memory_tier"):
        yield (
            f"The weights are read from {new.si('memory_tier')} memory instead of "
            f"{old.si('memory_tier')} memory."
        )
    for place, side in ((where[0], old), (where[1], new)):
        precision, datapath = side.si("precision"), side.si("datapath")
        if datapath != precision:
            yield (
                f"There is no {precision} datapath {place}: it is stored as {precision} and "
                f"computed in {datapath}."
            )
        if not side.feasible:
            yield f"It cannot run {place}. {side.si('reason')}"


def _phase(side: Profile) -> str:
    step = side.si("_asked").step
    return "training" if step.training else step.phase


def _same_regime(roof: str, changes: dict[str, float], speedup: float) -> str:
    """Tell what the step follows when the same roof binds on both sides, and what it does not."""
    others = (key for key in ("peak_flops", "memory_bandwidth") if key not in _ROOF[roof])
    wasted = max(speedup, 1.0) * (1 + UNCHANGED)
    idle = [f"{changes[key]:.2f}x {_WORDS[key]}" for key in others if changes[key] > wasted]
    own = (key for key in _ROOF[roof] if not _same(changes[key]))
    moved = [f"{_WORDS[key]}, {changes[key]:.2f}x" for key in own]
    start = f"{' and '.join(idle)}, but the step" if idle else "The step"
    follows = f"it follows {' and '.join(moved)}" if moved else "what it waits for has not changed"
    return f"{start} is {_BOUND[roof]} on both: {follows}."


def _same(ratio: float) -> bool:
    return abs(ratio - 1.0) < UNCHANGED
