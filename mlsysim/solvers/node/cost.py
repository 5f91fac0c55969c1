"""What a step asks of a device: the front of THE fold over operators (`models/operators.py`).

The fold gives the totals of a step, its layers, or its operators one after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlsysim.equations import algorithm, memory
from mlsysim.models.operators import Operator, Step, Totals, fold
from mlsysim.models.types import ADAM_MOMENTS, FULL_WIDTH, Workload


class Demand(NamedTuple):
    """What one step asks of a device: FLOP, bytes to move, and bytes to hold."""

    operations: Any
    weights: Any  # parameter bytes streamed, gradients and optimizer state included when training
    state: Any  # KV cache read or written
    activations: Any  # operator inputs and outputs that cross the memory bus
    held_weights: Any  # parameters, and in training gradients and optimizer state
    held_state: Any
    held_activations: Any


def demand(model: Workload, step: Step) -> Demand:
    """What a step asks for: work, bytes to move, and bytes that must fit."""
    total, held = model.totals(step), algorithm.stored(model.parameters, step.width)
    if not step.training:
        return Demand(
            total.flops,
            total.weights,
            total.state,
            total.traffic,
            held,
            model.held_state(step),
            total.widest,
        )
    updated = total.weights if model.sparse else held
    read, kept = (
        memory.optimizer_state(size / step.width, ADAM_MOMENTS, step.width, FULL_WIDTH)
        for size in (updated, held)
    )
    return Demand(
        operations=algorithm.training_operations(total.flops),
        weights=algorithm.training_traffic(updated, 0.0, read),
        state=0.0 * step.batch,
        activations=algorithm.training_traffic(0.0, total.traffic, 0.0),
        held_weights=held + updated + kept,  # weights, their gradients, and what Adam keeps
        held_state=0.0 * step.batch,
        held_activations=total.inputs,  # every operator keeps its input for the backward pass
    )


def one_by_one(model: Workload, step: Step) -> list[tuple[Operator, Totals]]:
    """Each operator, and the work and bytes of all its repetitions."""
    return [(op, fold([op], step.phase)) for op in model.operators(step)]


def layers(model: Workload, step: Step) -> list[Totals]:
    """The work and bytes of each layer, all its repetitions together.

    Operators that are repeated equally often make up one layer; one that is not repeated is a
    layer of its own.
    """
    groups: dict[Any, list[Operator]] = {}
    for place, op in enumerate(model.operators(step)):
        groups.setdefault(("repeated", op.repeat) if op.repeat > 1 else place, []).append(op)
    return [fold(ops, step.phase) for ops in groups.values()]
