"""Several workloads on the same devices, as one: what an average step of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Result, because, lazily
from mlsysim.core.units import dim_of
from mlsysim.equations import node
from mlsysim.models.types import Workload
from mlsysim.solvers.node.single import Profile, binding, share, waits

Weighed = Sequence[tuple[float, Workload]]

_MEANS = ("latency", "compute_time", "memory_time", "overhead", "operations", "traffic")
_SAME = (
    *("memory_capacity", "peak", "bandwidth", "power", "datapath", "precision", "stack"),
    "batch_size",
)


def weighed(model: Any) -> Weighed:
    """The workloads that an argument names, and the part of all steps that each of them is.

    >>> [(part, model.stem) for part, model in weighed([("Llama3_8B", 3), ("ResNet50", 1)])]
    [(0.75, 'Llama3_8B'), (0.25, 'ResNet50')]
    """
    if not isinstance(model, (list, tuple)):
        return [(1.0, Workload.asked(model, "model"))]
    if not model or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in model):
        remedy = "give one, or pairs with weights, as in [('Llama3_8B', 3), ('ResNet50', 1)]"
        raise BadArgument("model", model, remedy)
    read = dim_of(u.Number).si
    parts = [(read(weight, "weight"), Workload.asked(each, "model")) for each, weight in model]
    whole = sum(weight for weight, _ in parts)
    return [(weight / whole, each) for weight, each in parts]


def _who(mix: Mixed) -> str:
    """Whoever does not fit, and why."""
    parts = zip(mix.si("_weighed"), mix.si("_profiles"), strict=True)
    return next(f"{model.name}: {part.reason}" for (_, model), part in parts if not part.feasible)


class Mixed(Result):
    """An average step of several workloads, which take turns on a device.

    Times, operations and traffic are means over all steps, as often as each workload is weighed;
    of memory it takes what the largest needs, and all must fit. `seq_len` is the longest.
    """

    walls = (1, 2)
    bars = Profile.bars

    latency: u.Seconds = "ms"
    throughput: u.Rate = lazily("1/s", node.throughput, "batch_size", "latency")
    bottleneck: str = lazily("", binding)
    feasible: bool
    reason: str = because(_who)
    compute_time: u.Seconds = "ms"
    memory_time: u.Seconds = "ms"
    overhead: u.Seconds = "ms"
    operations: u.Operations = "GFLOP"
    traffic: u.Bytes = "GB"
    compute_share: u.Number = lazily("", lambda m: share(m, 0))
    memory_share: u.Number = lazily("", lambda m: share(m, 1))
    mfu: u.Number = lazily("", node.utilization, "operations", "latency", "peak")
    energy: u.Energy = lazily("J", node.energy, "power", "latency")
    memory_required: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    peak: u.OperationRate = "TFLOP/s"
    bandwidth: u.Bandwidth = "TB/s"
    power: u.Power = "W"
    datapath: str
    precision: str
    stack: str | None
    batch_size: u.Number
    seq_len: u.Number
    notes: tuple
    _under_compute: u.Seconds
    _under_memory: u.Seconds
    _weighed: Any
    _profiles: Any

    def row(self, where: tuple[Any, ...], shape: tuple[int, ...] | None = None) -> Mixed:
        """The single answer at an index of `shape`."""
        shape = shape or self.shape
        return mixed(self.si("_weighed"), [each.row(where, shape) for each in self.si("_profiles")])

    def noted(self, notes: tuple[str, ...]) -> Mixed:
        """The same, with notes about the device."""
        return Mixed(**{**self._values, "notes": notes})


def mixed(parts: Weighed, profiles: Sequence[Profile]) -> Mixed:
    """Steps of several workloads, or columns of them, as one."""
    shares = [weight for weight, _ in parts]

    def mean(values: Sequence[Any]) -> Any:
        return sum(weight * value for weight, value in zip(shares, values, strict=True))

    def most(name: str) -> Any:
        return reduce(np.maximum, [each.si(name) for each in profiles])[()]

    under = [waits(each) for each in profiles]
    return Mixed(
        **{name: mean([each.si(name) for each in profiles]) for name in _MEANS},
        **{name: profiles[0].si(name) for name in _SAME},
        feasible=reduce(np.logical_and, [each.si("feasible") for each in profiles])[()],
        memory_required=most("memory_required"),
        seq_len=most("seq_len"),
        notes=(),
        _under_compute=mean([compute for compute, _ in under]),
        _under_memory=mean([memory for _, memory in under]),
        _weighed=parts,
        _profiles=profiles,
    )
