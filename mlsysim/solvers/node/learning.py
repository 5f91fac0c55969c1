"""What training adds to a forward step: the way back, an optimizer's state, adapters.

`work` gathers from a model's operators what one microbatch asks of a device that has all of them,
or of one among many that has a part of each.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core.errors import BadArgument
from mlsysim.core.units import Names
from mlsysim.equations import algorithm, memory, node, system
from mlsysim.models.operators import (
    ADAPTER,
    ATTENTION,
    EXPERTS,
    GATHER,
    LOSS,
    Met,
    Operator,
    Step,
    Times,
    Totals,
    fold,
    meet,
)
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import ADAM_MOMENTS, FULL_WIDTH, Workload, flop
from mlsysim.models.widths import ONE, Widths
from mlsysim.solvers.node.beside import SHORT, adapters, crowded, in_order

# Bytes of moments that an optimizer keeps for each parameter, at full width unless said otherwise.
MOMENTS = {
    "adam": ADAM_MOMENTS,
    "adamw": 2 * FULL_WIDTH,  # Loshchilov & Hutter (2019), arXiv:1711.05101
    "adamw_8bit": 2.0,  # both moments in one byte each: Dettmers et al. (2022), arXiv:2110.02861
    "lion": FULL_WIDTH,  # Chen et al. (2023), arXiv:2302.06675
    "sgd_momentum": FULL_WIDTH,  # Sutskever et al. (2013)
    "sgd": 0.0,
}
NONE, SELECTIVE, FULL = range(3)
RECOMPUTE = ("none", "selective", "full")
LAYER_TALKS = 4  # exchanges with the experts of a layer: to them and back, forward and backward
TABLE_TALKS = 2  # with the tables: what was looked up, and its gradients


Optimizer = Annotated[str, Names(*MOMENTS)]
Recompute = Annotated[str, Names(*RECOMPUTE)]
TrainingPrecision = Annotated[str, Names("fp32", "tf32", "bf16", "fp16", "fp8", "fp4")]


class Recipe(NamedTuple):
    """How a model learns: bytes of moments a parameter, what is computed again on the way back.

    Of a mixture the fullest device gets `imbalance` times the mean of the tokens.
    With a `rank`, adapters of it learn beside every matrix of a layer and all else is frozen: Hu et
    al. (2021), LoRA, arXiv:2106.09685; on all of them, Dettmers et al. (2023), arXiv:2305.14314.
    """

    moments: float = ADAM_MOMENTS
    again: Any = NONE
    rank: float | None = None
    imbalance: float = 1.0

    def state(self, count: Any, widths: Widths) -> Any:
        """Bytes that the optimizer keeps for so many parameters that learn."""
        width = widths.weights if self.rank is None else widths.activations
        return memory.optimizer_state(count, self.moments, width, FULL_WIDTH)


def recipe(
    model: Workload | None,
    optimizer: str,
    recompute: Any,
    rank: float | None,
    base_precision: str | None,
    imbalance: float = 1.0,
) -> Recipe:
    """The recipe that arguments ask for; raises BadArgument where the model has no such parts."""
    layered = isinstance(model, TransformerWorkload)
    of = model.name if model else "a model of which only the size is known"
    if rank is None and base_precision is not None:
        why = "weights that learn keep the precision of training; give lora_rank as well"
        raise BadArgument("base_precision", base_precision, why)
    if rank is not None and not layered:
        why = f"{of} has no layers beside whose matrices adapters learn; leave it out"
        raise BadArgument("lora_rank", rank, why)
    if recompute != RECOMPUTE[NONE] and not layered:
        raise BadArgument("recompute", recompute, f"{of} has no equal layers; leave it out")
    if imbalance != 1.0 and not (layered and model.moe):
        raise BadArgument("imbalance", imbalance, f"{of} has no experts; leave it out")
    return Recipe(MOMENTS[optimizer], RECOMPUTE.index(recompute), rank, imbalance)


class Held(NamedTuple):
    """Parameters on a device: their bytes, those that are frozen, and how many learn.

    `updated` are those that a step changes: all that learn, or of a sparse model those it reads.
    """

    weights: Any = 0.0
    frozen: Any = 0.0
    learned: Any = 0.0
    updated: Any = 0.0

    def times(self, share: Any) -> Held:
        """So much of them."""
        return Held(*(part * share for part in self))

    def plus(self, other: Held) -> Held:
        """These and others."""
        return Held(*map(add, self, other))


class Load(NamedTuple):
    """What one microbatch asks of a device, forward and backward, without the optimizer.

    FLOP, those of them at the rate of attention, bytes of weights and of activations to move; and
    where rates were given, the seconds of its operators one after the other, under each roof and
    beside them.
    """

    operations: Any
    attention: Any
    weights: Any
    activations: Any
    compute: Any = None
    memory: Any = None
    overhead: Any = None

    def times(self, share: Any) -> Load:
        """So much of it."""
        return Load(*(part if part is None else part * share for part in self))

    def plus(self, other: Load) -> Load:
        """Both together; seconds that one of them does not know stay unknown."""
        pairs = zip(self, other, strict=True)
        return Load(*(None if a is None or b is None else a + b for a, b in pairs))


class Work(NamedTuple):
    """One microbatch of training: a device's load, and what it keeps and sends.

    `even` is its load if devices divided everything. Bytes of a `layer` are means over the layers;
    before the first stands the embedding, and behind the last the head with its loss.
    """

    load: Load  # of the layers
    even: Load
    dense: Held
    experts: Held = Held()  # of experts, or tables, that are spread over several devices
    ends: Load | None = None  # outside the layers
    table: Held = Held()  # the embedding, which a first stage holds, and a last one as its head
    outside: Held = Held()  # all that is held outside the layers
    layers: float = 1.0
    layer: Any = 0.0  # bytes that a layer keeps
    scores: Any = 0.0  # bytes of attention scores that it keeps without flash attention
    entry: Any = 0.0  # bytes that enter a layer
    keys: Any = 0.0  # bytes of its keys and values
    tail: Any = 0.0  # bytes kept outside the layers
    dispatched: Any = 0.0  # bytes that a layer sends to where its experts, or tables, are
    talks: int = LAYER_TALKS
    batch: Any = 1.0  # sequences

    @property
    def held(self) -> Held:
        """All parameters."""
        return self.dense.plus(self.experts).plus(self.outside)

    @property
    def whole(self) -> Load:
        """The load of all layers and of what stands outside them."""
        return self.load if self.ends is None else self.load.plus(self.ends)


def work(
    model: Workload,
    step: Step,
    recipe: Recipe,
    rates: Times | None = None,
    *,
    ways: Any = 1.0,
    spread: Any = 1.0,
    part: Callable[[Operator, Any], Operator] | None = None,
    sequence: bool = False,
) -> Work:
    """What one microbatch asks of a device: of one that has a `part` of each operator, if given.

    `part` takes an operator, and among how many devices of the `ways` a layer is divided. Sequence
    parallelism divides what these otherwise keep whole (Korthikanti et al., 2022, section 4.2,
    arXiv:2205.05198). Over `spread` devices the tables of a sparse model are spread.
    """
    if not isinstance(model, TransformerWorkload):
        return _unlayered(model, step, recipe, rates, spread)
    whole = model.operators(step)
    mine = [part(op, ways) for op in whole] if part else whole
    alone = [part(op, 1.0) for op in whole] if part else whole
    mine = [crowded(op, recipe.imbalance) if op.split.experts else op for op in mine]
    ours = [*mine, *adapters(mine, recipe.rank, step), *in_order(mine, ways)]
    all_of_them = ours
    if part:
        all_of_them = [*alone, *adapters(alone, recipe.rank, step), *in_order(alone, 1.0)]
    divide = part and (lambda op: part(op, ways))
    held, experts, table, rest = _parameters(model, step, recipe, ours, divide)
    kept, ranks = (all_of_them, ways) if sequence else (ours, 1.0)
    layers, width = float(model.layers), step.widths.activations
    pairs = step.batch * model.heads * step.seq_len * step.seq_len
    load, ends = (
        _load(model, step, recipe, [op for op in ours if op.split.end is end], rates)
        for end in (False, True)
    )
    even = load.plus(ends)
    if part:
        even = _load(model, step, recipe._replace(again=NONE), all_of_them, rates)
    whole_heads = 1.0 if model.mla else system.cache_share(float(model.key_heads), ways)
    return Work(
        load=load,
        even=even.times(1 / ways),
        dense=held,
        experts=experts,
        ends=ends,
        batch=step.batch,
        table=table,
        outside=table.plus(rest),
        layers=layers,
        layer=_sum(op for op in kept if not op.split.end).inputs / ranks / layers,
        scores=algorithm.stored(pairs, width) / ways,
        entry=algorithm.stored(step.tokens * model.hidden, width),
        keys=model.held_state(step) / layers * whole_heads,
        tail=_sum(op for op in ours if op.split == LOSS).inputs
        + _sum(op for op in kept if op.split.end and op.split != LOSS).inputs / ranks,
        dispatched=_sum(op for op in mine if op.split == EXPERTS[0]).inputs / ways / layers,
    )


def unknown_work(parameters: float, tokens: Any, widths: Widths) -> Work:
    """What a model of which only the size is known asks for: six FLOP a parameter and token."""
    held = algorithm.stored(parameters, widths.weights)
    forward = flop(parameters * tokens)
    load = Load(
        algorithm.training_operations(forward, 0.0, 0.0),
        0.0,
        algorithm.training_traffic(held, 0.0, 0.0, 0.0),
        0.0,
    )
    return Work(load, load, Held(held, 0.0, parameters, parameters))


def activations(work: Work, again: Any, *, layers: Any, entry: Any, flying: Any, flash: Any) -> Any:
    """Bytes of activations on a device with so many `layers` and microbatches `flying`.

    The fuller of a first stage of a pipeline, most in flight, and of the last.
    """
    scores = np.where((again == NONE) & np.logical_not(flash), work.scores, 0.0)
    layer, full = work.layer + scores, again == FULL
    kept = layers * np.where(full, entry, layer)
    working = np.where(full, layer, 0.0)  # the one layer that is being computed again
    return (working + np.maximum(flying * kept, kept + work.tail))[()]


def _sum(operators: Any) -> Totals:
    return fold(operators, "forward")


def _met(ops: list[Operator], step: Step, rates: Times) -> Met:
    """Operators one after the other; the products of experts are short, and slower for it."""
    short = [op for op in ops if op.split.experts and op.product]
    met = (
        meet([op for op in ops if op not in short], step, rates)
        if short
        else meet(ops, step, rates)
    )
    for op in short:
        assert op.product is not None
        part = node.short_product(op.product.inner, float(SHORT))
        one = meet([op], step, rates.short(part))
        met = Met(*map(add, met, one))
    return met


def _load(
    model: Workload,
    step: Step,
    recipe: Recipe,
    ops: list[Operator],
    rates: Times | None,
    total: Totals | None = None,
) -> Load:
    """FLOP, bytes and seconds of operators and their way back."""
    total = total or _sum(ops)
    fixed = [] if recipe.rank is None else [op for op in ops if op.product]
    frozen, again = _sum(fixed), recipe.again
    plain = isinstance(again, int) and again == NONE
    attending = [] if plain else [op for op in ops if op.kind == ATTENTION]
    attended = _sum(attending)

    def repeated(everything: Any, selected: Any) -> Any:
        if plain:
            return 0.0
        chosen = np.where(again == SELECTIVE, selected, 0.0)
        return np.where(again == FULL, everything, chosen)[()]

    # what a model holds is the count that it was published with, which may be rounded
    read, still = (
        (total.weights, 0.0)
        if model.sparse
        else (total.held * model.published, frozen.held * model.published)
    )
    count, move = algorithm.training_operations, algorithm.training_traffic
    waits: Any = None, None, None
    if rates is not None:
        met = zip(*(_met(some, step, rates) for some in (ops, fixed, attending)), strict=True)
        waits = [count(whole, kept, repeated(whole, part)) for whole, kept, part in met]
    return Load(
        count(total.flops, frozen.flops, repeated(total.flops, attended.flops)),
        count(total.attention, frozen.attention, repeated(total.attention, attended.flops)),
        move(read, still, repeated(read, 0.0), 0.0),
        move(total.traffic, frozen.traffic, repeated(total.traffic, 0.0), 0.0),
        *waits,
    )


def _parameters(
    model: Workload,
    step: Step,
    recipe: Recipe,
    ops: list[Operator],
    part: Callable[[Operator], Operator] | None,
) -> list[Held]:
    """What a device holds of layers apart from experts, of experts, of the embedding, and else."""
    scale = model.published
    if recipe.rank is not None:
        width = step.widths.activations
        held = []
        for some in _apart(ops):
            still = _sum(op for op in some if op.name != ADAPTER).held * scale
            learned = _sum(op for op in some if op.name == ADAPTER).held
            held.append(Held(still + learned, still, learned / width, learned / width))
        return held
    everything = float(model.parameters)
    if part is None:
        weights = _sum(ops).held * scale
        return [Held(weights, 0.0, everything, everything), Held(), Held(), Held()]
    ones = model.operators(step._replace(batch=1.0, new=1.0, past=0.0, widths=ONE))
    whole, held = _sum(ones).held, []
    for some, one in zip(_apart(ops), _apart([part(op) for op in ones]), strict=True):
        learned = everything * (_sum(one).held / whole)
        held.append(Held(_sum(some).held * scale, 0.0, learned, learned))
    return held


def _apart(ops: list[Operator]) -> list[list[Operator]]:
    """Operators of layers apart from experts, of experts, the embedding, and the others."""
    kinds: list[list[Operator]] = [[], [], [], []]
    for op in ops:
        if op.split.end:
            kinds[2 if op.kind == GATHER else 3].append(op)
        else:
            kinds[1 if op.split.experts else 0].append(op)
    return kinds


def _unlayered(
    model: Workload, step: Step, recipe: Recipe, rates: Times | None, spread: Any
) -> Work:
    """Without equal layers there is nothing to divide but the batch, and tables."""
    total, everything = model.totals(step), float(model.parameters)
    ops = model.operators(step) if rates is not None or model.sparse else []
    tables, sent = Held(), 0.0
    dense = Held(total.held * model.published, 0.0, everything, everything)
    if model.sparse:
        ops, total = _spread(ops, model, step, spread)
        gathers = _sum(op for op in ops if op.kind == GATHER)
        one = step._replace(widths=ONE)
        counted, touched = _spread(model.operators(one), model, one, spread)
        rows = _sum(op for op in counted if op.kind == GATHER)
        network = touched.held - rows.held
        dense = Held(total.held - gathers.held, 0.0, network, network)
        tables = Held(gathers.held, 0.0, rows.held, rows.weights)
        sent = gathers.traffic * np.where(spread > 1, 1.0, 0.0)[()]
    load = _load(model, step, recipe, ops, rates, total)
    return Work(
        load,
        load,
        dense,
        tables,
        tail=total.inputs,
        dispatched=sent,
        talks=TABLE_TALKS,
        batch=step.batch,
    )


def _spread(
    ops: list[Operator], model: Workload, step: Step, spread: Any
) -> tuple[list[Operator], Totals]:
    """A device's operators where each of `spread` keeps a part of the tables, and their sum.

    It looks up its rows for the samples of all, and gets what the others found for its own.
    """

    def part(op: Operator, wide: Operator) -> Operator:
        if op.kind != GATHER:
            return op
        return op._replace(weights=wide.weights / spread, held=wide.held / spread)

    mine = [*map(part, ops, model.operators(step._replace(batch=step.batch * spread)))]
    return mine, _sum(mine)
