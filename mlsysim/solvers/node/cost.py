"""What a step asks of a device: the front of THE fold over operators (`models/operators.py`).

The fold gives the totals of a step, its layers, or its operators one after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlsysim.equations import algorithm, node
from mlsysim.hardware.types import HardwareNode, Supply
from mlsysim.models.operators import (
    ATTENTION,
    PREFILL,
    Met,
    Operator,
    Rates,
    Step,
    Times,
    Totals,
    fold,
    meet,
)
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths, attended, widths
from mlsysim.solvers.node import learning
from mlsysim.solvers.node.kernels import kernels
from mlsysim.solvers.node.learning import Recipe, Work
from mlsysim.solvers.node.sustained import sustained
from mlsysim.stacks.types import Stack, seconds


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
    model: Workload | None,
    hardware: HardwareNode,
    precision: str,
    kv_precision: str | None = None,
    *,
    base: str | None = None,
    training: bool = False,
) -> tuple[Widths, Supply]:
    """How wide a model's values are on a device, and what the device supplies for them.

    `base` is the precision of weights that are frozen in training, where it is another.
    """
    datapath = hardware.datapath(precision)
    how = {"caches": model is not None and model.caches, "training": training}
    attention = attended(datapath, kv_precision, **how)
    return (
        widths(base or precision, datapath, kv_precision, training=training),
        hardware.supply(precision, attention if attention != datapath else None),
    )


def demand(model: Workload, step: Step, recipe: Recipe | None = None, level: Any = None) -> Demand:
    """What a step asks for: work, bytes to move, and bytes that must fit.

    A training step learns by its `recipe`, with Adam unless one is given.
    """
    if step.training:
        return _trained(model, step, recipe or Recipe(), wider(level, step.widths)[0])
    total = model.totals(step)
    return Demand(
        total.flops,
        total.attention,
        total.weights,
        total.state,
        total.traffic,
        total.held * model.published,
        model.held_state(step),
        total.widest,
    )


def wider(level: Any, widths: Widths) -> tuple[float, float]:
    """How many times wider a stack keeps gradients and scores than activations."""
    held = level.held if isinstance(level, Stack) else None
    if held is None or held.gradients is None or held.scores is None:
        return 1.0, 1.0
    width = widths.activations
    return held.gradients.m_as("B") / width, held.scores.m_as("B") / width


def _trained(model: Workload, step: Step, recipe: Recipe, wider: float) -> Demand:
    asked = learning.work(model, step, recipe)
    load, held, widths = asked.whole, asked.held, step.widths
    return Demand(
        operations=load.operations,
        attention=load.attention,
        weights=load.weights + _written(asked, recipe, widths),
        state=0.0 * step.batch,
        activations=load.activations,
        # weights, their gradients, and what the optimizer keeps
        held_weights=held.weights
        + wider * algorithm.stored(held.updated, widths.activations)
        + recipe.state(held.learned, widths),
        held_state=0.0 * step.batch,
        # what operators need again on the way back
        held_activations=learning.activations(
            *(asked, recipe.again), layers=asked.layers, entry=asked.entry, flying=1.0, flash=True
        ),
    )


def _written(asked: Work, recipe: Recipe, widths: Widths) -> Any:
    """Bytes of optimizer state that a step moves."""
    state = recipe.state(asked.held.updated, widths)
    return algorithm.training_traffic(0.0, 0.0, 0.0, state)


def rates(
    supply: Supply, efficiency: Any, weights_bandwidth: Any = None, level: Any = None
) -> Times:
    """At what rates operators meet the roofs of a device, or how long a stack's kernels do."""
    reading = supply.bandwidth if weights_bandwidth is None else weights_bandwidth
    roofs = Rates(
        supply.peak * efficiency, supply.attention_peak * efficiency, reading, supply.bandwidth
    )
    if not isinstance(level, Stack):
        return roofs
    if level.roofs:
        return sustained(supply, level, efficiency, reading)
    return kernels(supply, roofs, level)


def drawn(supply: Supply, stack: Any) -> Any:
    """Watts of a device at work: its rating, or what was measured with a stack."""
    board = stack.board if isinstance(stack, Stack) else None
    if board is None:
        return supply.power
    if supply.power is not None:
        return supply.power * board.share
    return supply.peak * float(board.operation.m_as("J")) if board.operation else None


def host(supply: Supply, level: Any, sequences: Any) -> Any:
    """Seconds that a step of so many sequences waits for its host, whatever it does."""
    if not isinstance(level, Stack):
        return supply.overhead
    each = seconds(level.operators.sequence) if level.operators else 0.0
    return seconds(level.host, supply.overhead) + each * sequences


def one_after_the_other(
    model: Workload, step: Step, rates: Times, supply: Supply, recipe: Recipe | None = None
) -> Met:
    """Seconds of a forward step, or of a training step, whose operators wait for each other.

    Backward each operator does twice its work on twice its bytes; then the optimizer's state moves,
    at the bandwidth of the device, as it does in a fleet.
    """
    if not step.training:
        return meet(model.operators(step), step, rates)
    recipe = recipe or Recipe()
    asked = learning.work(model, step, recipe, rates)
    writing = node.memory_time(_written(asked, recipe, step.widths), supply.bandwidth)
    load = asked.whole
    return Met(load.compute, load.memory + writing, load.overhead)


def between(model: Workload, step: Step, rates: Times, *, attention: bool) -> Met:
    """Seconds of the attention in a step's layers, or of all that stands around it."""
    ops = [op for op in model.operators(step) if not op.split.end]
    mine = [op for op in ops if (op.kind == ATTENTION) is attention]
    return meet(mine, step._replace(phase=PREFILL), rates)


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
