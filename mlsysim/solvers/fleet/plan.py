"""How a fleet divides a model that it trains, and what can be wrong with that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.solver import show
from mlsysim.core.units import Q_
from mlsysim.hardware.types import Supply
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import Wires
from mlsysim.solvers.node.learning import NONE

ENDS = 2  # schedules count the embedding and the head as a layer each
NEAR = 0.2  # by how much memory may be wrong: a lack of less is within the model's error


class Plan(NamedTuple):
    """How the fleet divides the work: numbers, or arrays that broadcast against each other."""

    tensor: Any
    pipeline: Any
    data: Any
    expert: Any
    microbatches: Any
    zero: Any
    recompute: Any
    interleave: Any
    context: Any
    sequence: bool
    flash: bool

    def at(self, where: Any, shape: tuple[int, ...]) -> Plan:
        """One of many plans, in plain numbers."""
        return Plan(*(at(value, where, shape) for value in self))

    @property
    def ranks(self) -> Any:
        """Devices that hold the same weights: replicas, and those that share a sequence."""
        return self.data * self.context

    @property
    def alike(self) -> Any:
        """Devices that hold the same experts."""
        return self.ranks / self.apart

    @property
    def apart(self) -> Any:
        """Devices that divide experts, beside those that divide matrices.

        Where replicas are too few, the latter keep whole experts of their own instead: Liu et al.
        (2025), MoE Parallel Folding, arXiv:2504.14960.
        """
        few = self.ranks % self.expert != 0
        return np.where(few, self.expert / self.tensor, self.expert)[()]

    def fullest(self, layers: Any) -> Any:
        """Layers of the fullest stage, which holds as many chunks as the others."""
        return self.interleave * np.ceil(layers / (self.pipeline * self.interleave))

    def last(self, layers: Any) -> Any:
        """Layers of the last stage, which has the head: what the others leave, and one at least."""
        return np.maximum(layers - (self.pipeline - 1) * self.fullest(layers), 1.0)


def at(value: Any, where: Any, shape: tuple[int, ...]) -> Any:
    """One number of a column that broadcasts to `shape`."""
    return np.broadcast_to(value, shape)[where].item() if np.ndim(value) else value


# where it holds, in a word, and the sentence about one plan, its microbatch and the bytes it holds
Fault = tuple[Any, str, Callable[[Plan, float, float], str]]


def faults(model: Workload | None, wires: Wires, plan: Plan) -> Iterator[Fault]:
    """Every way in which a plan may fail to divide its model, its fleet or its batch."""
    t, p, m, c = plan.tensor, plan.pipeline, plan.microbatches, plan.context
    experts = 1
    if isinstance(model, TransformerWorkload):
        heads, layers = model.heads, model.layers
        experts = model.moe.experts if model.moe else 1
        many = f"{heads} attention heads cannot be divided among"
        yield (
            heads % t != 0,
            "heads",
            lambda at, *_: f"{many} {at.tensor:g} tensor-parallel devices.",
        )
        few = f"{layers} layers are too few for"
        chunks = p * plan.interleave
        yield (
            (p > layers) | (chunks > layers + ENDS),
            "layers",
            lambda at, *_: f"{few} {at.pipeline * at.interleave:g} pipeline stages or chunks.",
        )
    elif model is not None:
        apart = (t > 1) | (p > 1) | (c > 1) | (plan.recompute != NONE)
        why = f"{model.name} has no equal layers to divide or compute again; divide its batch."
        yield apart, "layers", lambda *_: why
    total = f"{wires.total:,} devices cannot be divided into groups of"
    yield (
        wires.total % (t * p * c) != 0,
        "devices",
        lambda at, *_: f"{total} {at.tensor * at.pipeline * at.context:g}.",
    )
    yield (
        (experts % plan.expert != 0) | (plan.ranks % plan.apart != 0) | (plan.apart % 1 != 0),
        "experts",
        lambda at, *_: (
            f"{experts} experts and {at.ranks:g} replicas cannot both be divided by {at.expert:g}."
        ),
    )
    yield (
        (plan.interleave > 1) & (m < p),
        "microbatches",
        lambda at, *_: (
            f"Interleaved stages take as many microbatches as there are stages at least, "
            f"{at.pipeline:g}; there are {at.microbatches:g}."
        ),
    )
    yield (
        (m != np.floor(m)) | (m < 1),
        "batch",
        lambda at, micro, _: (
            f"A batch of {at.microbatches * at.data * micro:g} cannot be divided into microbatches "
            f"of {micro:g} on {at.data:g} replicas; use a multiple of {micro * at.data:g}."
        ),
    )


def shortage(supply: Supply, held: Any) -> Fault:
    """The fault of needing more memory than the device has."""
    room = supply.capacity

    def sentence(_at: Plan, _micro: float, held: float) -> str:
        lack = held / room - 1
        near = f": short by {lack:.0%}, within the model's error" if lack < NEAR else ""
        return f"A device needs {show(Q_(held, 'B'))} and holds {show(Q_(room, 'B'))}{near}."

    return held > room, "memory", sentence
