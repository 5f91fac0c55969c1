"""Wall 14, searched: the fastest way of dividing a model over a fleet that fits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.solver import Given, Result, Solver, show
from mlsysim.core.units import Q_
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import USUAL_BATCH, Imbalance, ask_about
from mlsysim.solvers.fleet.group import LINK_LATENCY
from mlsysim.solvers.fleet.plan import ENDS, NEAR, Fault, Plan, at, faults, shortage
from mlsysim.solvers.fleet.profile import Ask, FleetProfile, profile_of
from mlsysim.solvers.node.learning import (
    FULL,
    NONE,
    RECOMPUTE,
    SELECTIVE,
    Optimizer,
    TrainingPrecision,
)
from mlsysim.solvers.node.single import one_each
from mlsysim.stacks.types import IDEAL, Level
from mlsysim.systems.types import Fleet

PLAN = (  # what is searched, by the arguments that take it
    *("tensor_parallel", "pipeline_parallel", "expert_parallel", "context_parallel"),
    *("interleave", "microbatch", "zero_stage", "recompute", "sequence_parallel"),
)
_STAGES = (0, 1, 2, 3)
PIECE = 4096.0  # tokens: a sequence is not cut into pieces shorter than this


class Grid(NamedTuple):
    """Every plan considered, along one axis a choice; `which` counts the faults from 1, flat."""

    plan: Plan
    microbatch: Any
    shape: tuple[int, ...]
    step: np.ndarray
    held: np.ndarray
    wrong: list[Fault]
    which: np.ndarray

    def at(self, i: int) -> tuple[Plan, float]:
        """Plan number `i` and its microbatch, as plain numbers."""
        where = np.unravel_index(i, self.shape)
        return self.plan.at(where, self.shape), at(self.microbatch, where, self.shape)

    def row(self, i: int) -> dict[str, Any]:
        """Plan number `i` in short."""
        plan, microbatch = self.at(i)
        return {
            "tensor_parallel": int(plan.tensor),
            "pipeline_parallel": int(plan.pipeline),
            "data_parallel": int(plan.data),
            "expert_parallel": int(plan.expert),
            "context_parallel": int(plan.context),
            "interleave": int(plan.interleave),
            "microbatch": int(microbatch),
            "zero_stage": int(plan.zero),
            "recompute": RECOMPUTE[int(plan.recompute)],
            "step_time": Q_(self.step[i].item(), "s"),
            "memory_required": Q_(self.held[i].item() / 1e9, "GB"),
        }

    def reason(self, i: int) -> str:
        """Why plan number `i` will not do."""
        return self.wrong[self.which[i] - 1][2](*self.at(i), self.held[i])


class PlanSearch(Result):
    """The fastest plan that fits, how many were considered, and why the others were rejected.

    `best` is its whole FleetProfile; `ranked` lists the plans that fit, fastest first, and
    `rejected` those that do not, each with its reason.
    """

    walls = (14,)

    feasible: bool
    reason: str
    step_time: u.Seconds = "s"
    scaling_efficiency: u.Number
    mfu: u.Number
    training_time: u.Seconds = "day"
    memory_required: u.Bytes = "GB"
    tensor_parallel: u.Count
    pipeline_parallel: u.Count
    data_parallel: u.Count
    expert_parallel: u.Count
    context_parallel: u.Count
    interleave: u.Count
    microbatch: u.Batch
    zero_stage: u.Count
    recompute: str
    sequence_parallel: bool
    considered: int
    fitting: int
    rejected_because: dict
    _best: FleetProfile | None
    _order: np.ndarray
    _grid: Grid

    @property
    def best(self) -> FleetProfile | None:
        """The fastest plan that fits, in full."""
        return self._best

    @property
    def ranked(self) -> list[dict[str, Any]]:
        """The plans that fit, fastest first."""
        return [self._grid.row(i) for i in self._order.tolist()]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """The plans that do not fit, each with its `reason`."""
        grid = self._grid
        wrong = np.flatnonzero(grid.which).tolist()
        return [{**grid.row(i), "reason": grid.reason(i)} for i in wrong]


class ParallelismOptimizer(Solver):
    """Wall 14, searched: which way of dividing a model over a fleet is fastest and fits.

    Considers every tensor split within a node, every pipeline depth that divides the fleet with
    its stages whole or interleaved, splits of long sequences and of experts, microbatches that are
    powers of two, all ZeRO stages, and recomputation. It fills all the memory of a device.

    Fallacy: "Split the model over as many devices as you can." The split that just fits talks less.
    """

    walls = (14,)

    def solve(
        self,
        model: Given[Workload],
        fleet: Given[Fleet],
        *,
        batch_size: u.Batch = float(USUAL_BATCH),
        seq_len: u.Count | None = None,
        precision: TrainingPrecision = "fp16",
        efficiency: u.Fraction | None = None,
        optimizer: Optimizer = "adam",
        sequence_parallel: bool = True,
        flash_attention: bool = True,
        overlap: u.FractionOrZero | None = None,
        link_latency: u.SecondsOrZero = LINK_LATENCY,
        lora_rank: u.Count | None = None,
        base_precision: u.Precision | None = None,
        imbalance: Imbalance = 1.0,
        stack: Level | None = IDEAL,
        tokens: u.Number | None = None,
    ) -> PlanSearch:
        """Find the fastest feasible plan for a step of `batch_size` sequences in the whole fleet.

        The other arguments are those of DistributedModel. Plans are compared at `stack`, by default
        with a device's operators one after the other. Sequence parallelism says as much as its
        absence and keeps less, so it is taken unless refused.
        """
        one_each(locals())
        ask = ask_about(
            model,
            fleet,
            precision,
            seq_len,
            efficiency=efficiency,
            overlap=overlap,
            link_latency=link_latency,
            optimizer=optimizer,
            lora_rank=lora_rank,
            base_precision=base_precision,
            imbalance=imbalance,
            stack=stack,
        )
        plan, microbatch = _grid(ask, batch_size, sequence_parallel, flash_attention)
        grid = _costs(ask, plan, microbatch)
        return _best(ask, grid, batch_size, tokens)


def _grid(ask: Ask, batch: float, sequence: bool, flash: bool) -> tuple[Plan, np.ndarray]:
    """Every plan worth a look, as arrays along one axis a choice."""
    model, wires = ask.model, ask.way.wires
    tensors = experts = contexts = [1.0]
    stages, recomputes = [(1.0, 1.0)], [NONE]
    if isinstance(model, TransformerWorkload):
        tensors = _divisors(wires.inside, model.heads)
        # attention alone is worth computing again only where it keeps its scores
        recomputes = [NONE, FULL] if flash else [NONE, SELECTIVE, FULL]
        stages = [
            (p, v) for p in _divisors(wires.total, model.layers) for v in _chunks(p, model.layers)
        ]
        many = model.moe.experts if model.moe else 1
        experts = _divisors(many, many)
        contexts = 2.0 ** np.arange(max(np.log2(ask.seq_len / PIECE), 0.0) + 1)
    powers = 2.0 ** np.arange(np.log2(batch) + 1e-9)
    places = np.arange(len(stages))
    axes = np.meshgrid(
        *(tensors, places, experts, contexts, powers, _STAGES, recomputes),
        indexing="ij",
        sparse=True,
    )
    tensor, place, expert, context, microbatch, zero, again = axes
    pipeline, interleave = (np.array(column)[place] for column in zip(*stages, strict=True))
    data = wires.total / (tensor * pipeline * context)
    count = batch / (data * microbatch)
    how = (again, interleave, context, sequence, flash)
    return Plan(tensor, pipeline, data, expert, count, zero, *how), microbatch


def _chunks(stages: float, layers: int) -> list[float]:
    """Into how many chunks a stage is cut without getting fuller; the ends count as layers."""
    if stages == 1:
        return [1.0]
    most = int(np.ceil(layers / stages))
    return [v for v in _divisors(most, most) if stages * v <= layers + ENDS]


def _costs(ask: Ask, plan: Plan, microbatch: np.ndarray) -> Grid:
    """What every plan costs, and what is wrong with it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        costs = ask.cost(plan, microbatch)
    shape = np.broadcast_shapes(*map(np.shape, (*plan, microbatch)))
    step, held = (np.broadcast_to(each, shape).ravel() for each in (costs.step_time, costs.held))
    wrong = [*faults(ask.model, ask.way.wires, plan)]
    wrong.append(shortage(ask.way.supply, costs.held))
    masks = [np.broadcast_to(mask, shape).ravel() for mask, _, _ in wrong]
    which = np.select(masks, range(1, len(wrong) + 1), 0)
    return Grid(plan, microbatch, shape, step, held, wrong, which)


_TOLD = (
    "step_time",
    "scaling_efficiency",
    "mfu",
    "training_time",
    "memory_required",
    "tensor_parallel",
    "pipeline_parallel",
    "data_parallel",
    "expert_parallel",
    "context_parallel",
    "interleave",
    "microbatch",
)


def _best(ask: Ask, grid: Grid, batch: float, tokens: float | None) -> PlanSearch:
    """The fastest plan without a fault; of equally fast ones the leanest."""
    fits = grid.which == 0
    order = np.flatnonzero(fits)
    order = order[np.lexsort((grid.held[order], grid.step[order]))]
    counts = {fault: int((grid.which == i).sum()) for i, (_, fault, _) in enumerate(grid.wrong, 1)}
    best, chosen = None, dict.fromkeys([*_TOLD, "zero_stage", "recompute", "sequence_parallel"])
    if order.size:
        plan, microbatch = grid.at(int(order[0]))
        best = profile_of(ask, plan, batch, microbatch, tokens)
        chosen = {name: best.si(name) for name in _TOLD}
        chosen |= {"zero_stage": int(plan.zero), "recompute": RECOMPUTE[int(plan.recompute)]}
        chosen["sequence_parallel"] = plan.sequence and plan.tensor > 1
    return PlanSearch(
        **chosen,
        feasible=bool(order.size),
        reason="" if order.size else _none_fits(ask, grid),
        considered=int(fits.size),
        fitting=int(fits.sum()),
        rejected_because={fault: n for fault, n in counts.items() if n},
        _best=best,
        _order=order,
        _grid=grid,
    )


def _divisors(n: int, most: int) -> list[float]:
    return [float(d) for d in range(1, min(n, most) + 1) if n % d == 0]


def _none_fits(ask: Ask, grid: Grid) -> str:
    whole = np.flatnonzero(grid.which == len(grid.wrong))  # plans with no fault but memory
    if whole.size:
        least, room = Q_(grid.held[whole].min(), "B"), Q_(ask.way.supply.capacity, "B")
        near = ", which is within the model's error" if least < (1 + NEAR) * room else ""
        needs = f"the leanest needs {show(least)} on a device that holds {show(room)}"
        return f"No plan fits: {needs}{near}."
    return f"No plan fits: {grid.reason(0)}"
