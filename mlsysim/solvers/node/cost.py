"""What a step asks of a device: the front of THE fold over operators (`models/operators.py`).

The fold gives the totals of a step, its layers, or its operators one after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlsysim.equations import algorithm, memory
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.operators import Met, Operator, Rates, Step, Totals, fold, meet
from mlsysim.models.types import ADAM_MOMENTS, FULL_WIDTH, Workload
from mlsysim.models.widths import ONE, Widths, attended, widths


class Demand(NamedTuple):
    """What one step asks of a device: FLOP, bytes to move, and bytes to hold."""

    operations: Any
    attention: Any  # the part of them that attention does
    weights: Any  # parameter bytes streamed, gradients and optimizer state included when training
    state: Any  # KV cache read or written
    activations: Any  # operator inputs and outputs that cross the memory bus
    held_weights: Any  # parameters, and in training gradients and optimizer state
    held_state: Any
    held_activations: Any


def formats(
    model: Workload,
    hardware: HardwareNode,
    precision: str,
    kv_precision: str | None = None,
    *,
    training: bool = False,
) -> tuple[Widths, Supply]:
    """How wide a model's values are on a device, and what the device supplies for them."""
    datapath = hardware.datapath(precision)
    how = {"caches": model.caches, "training": training}
    attention = attended(datapath, kv_precision, **how)
    return (
        widths(precision, datapath, kv_precision, training=training),
        hardware.supply(precision, attention if attention != datapath else None),
    )


def demand(model: Workload, step: Step) -> Demand:
    """What a step asks for: work, bytes to move, and bytes that must fit."""
    total = model.totals(step)
    held = total.held * model.published
    if not step.training:
        return Demand(
            total.flops,
            total.attention,
            total.weights,
            total.state,
            total.traffic,
            held,
            model.held_state(step),
            total.widest,
        )
    updated, count = _updated(model, step, total)
    return Demand(
        operations=algorithm.training_operations(total.flops),
        attention=algorithm.training_operations(total.attention),
        weights=algorithm.training_traffic(updated, 0.0, _adam(count, step.widths)),
        state=0.0 * step.batch,
        activations=algorithm.training_traffic(0.0, total.traffic, 0.0),
        # weights, their gradients, and what Adam keeps
        held_weights=held
        + algorithm.stored(count, step.widths.activations)
        + _adam(model.parameters, step.widths),
        held_state=0.0 * step.batch,
        held_activations=total.inputs,  # what operators need again in the backward pass
    )


def _updated(model: Workload, step: Step, total: Totals) -> tuple[Any, Any]:
    """Bytes of the weights that a training step changes, and how many these are."""
    if not model.sparse:
        return total.held * model.published, model.parameters
    return total.weights, model.totals(step._replace(widths=ONE)).weights


def _adam(count: Any, widths: Widths) -> Any:
    """Bytes that Adam keeps for so many parameters."""
    return memory.optimizer_state(count, ADAM_MOMENTS, widths.weights, FULL_WIDTH)


def one_after_the_other(
    model: Workload, step: Step, supply: Supply, efficiency: Any, weights_bandwidth: Any = None
) -> Met:
    """Seconds of a forward step, or of a training step, whose operators wait for each other.

    Backward each operator does twice its work on twice its bytes; then the optimizer's state moves.
    """
    reading = supply.bandwidth if weights_bandwidth is None else weights_bandwidth
    rates = Rates(
        supply.peak * efficiency, supply.attention_peak * efficiency, reading, supply.bandwidth
    )
    met = meet(model.operators(step), step, rates)
    if not step.training:
        return met
    _, count = _updated(model, step, model.totals(step))
    update = algorithm.training_traffic(0.0, 0.0, _adam(count, step.widths))
    return Met(3 * met.compute, 3 * met.memory + update / supply.bandwidth)


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
