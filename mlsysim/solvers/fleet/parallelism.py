"""Wall 14, searched: the fastest way of dividing a model over a fleet that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.solver import Result, Solver, show
from mlsysim.core.units import Q_
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.distributed import (
    USUAL_BATCH,
    Ask,
    FleetProfile,
    ask_about,
    one_each,
    profile_of,
)
from mlsysim.solvers.fleet.training import (
    FULL,
    NONE,
    RECOMPUTE,
    Fault,
    Optimizer,
    Plan,
    TrainingPrecision,
    faults,
    shortage,
)
from mlsysim.systems.types import Fleet

_STAGES = (0, 1, 2, 3)


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
    microbatch: u.Batch
    zero_stage: u.Count
    recompute: str
    considered: int
    fitting: int
    rejected_because: dict
    _best: FleetProfile | None
    _order: np.ndarray
    _fits: np.ndarray
    _columns: dict
    _reasons: Callable[[int], str]

    @property
    def best(self) -> FleetProfile | None:
        """The fastest plan that fits, in full."""
        return self._best

    @property
    def ranked(self) -> list[dict[str, Any]]:
        """The plans that fit, fastest first."""
        return [self._row(i) for i in self._order.tolist()]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """The plans that do not fit, each with its `reason`."""
        fits, reasons = self._fits, self._reasons
        return [{**self._row(i), "reason": reasons(i)} for i in np.flatnonzero(~fits).tolist()]

    def _row(self, i: int) -> dict[str, Any]:
        return {name: _cell(name, column[i]) for name, column in self._columns.items()}


class ParallelismOptimizer(Solver):
    """Wall 14, searched: which way of dividing a model over a fleet is fastest and fits.

    Considers every tensor split within a node, every pipeline depth that divides the fleet,
    microbatches that are powers of two, all ZeRO stages, expert splits, and recomputation.

    Fallacy: "Split the model over as many devices as you can." The split that just fits talks less.
    """

    walls = (14,)

    def solve(
        self,
        model: Workload,
        fleet: Fleet,
        *,
        batch_size: u.Batch = float(USUAL_BATCH),
        seq_len: u.Count | None = None,
        precision: TrainingPrecision = "fp16",
        efficiency: u.Fraction = 0.5,
        optimizer: Optimizer = "adam",
        sequence_parallel: bool = False,
        flash_attention: bool = True,
        overlap: u.FractionOrZero = 0.0,
        link_latency: u.SecondsOrZero = 1e-6,
        tokens: u.Number | None = None,
    ) -> PlanSearch:
        """Find the fastest feasible plan for a step of `batch_size` sequences in the whole fleet.

        The other arguments are those of DistributedModel; gradient exchange is exposed unless
        `overlap` says otherwise.
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
            sequence=sequence_parallel,
            flash=flash_attention,
        )
        plan, microbatch = _grid(ask, batch_size)
        with np.errstate(divide="ignore", invalid="ignore"):
            costs = ask.cost(plan, microbatch)
        held = np.broadcast_to(costs.held, microbatch.shape)
        wrong: list[Fault] = [*faults(model, ask.wires, plan, batch_size, microbatch)]
        wrong.append(shortage(ask.supply, held))
        which = np.select([mask for mask, _, _ in wrong], range(1, len(wrong) + 1), 0)
        fits = which == 0
        step = np.broadcast_to(costs.step, microbatch.shape)
        order = np.flatnonzero(fits)
        order = order[np.lexsort((held[order], step[order]))]

        columns = {
            "tensor_parallel": plan.tensor,
            "pipeline_parallel": plan.pipeline,
            "data_parallel": plan.data,
            "expert_parallel": plan.expert,
            "microbatch": microbatch,
            "zero_stage": plan.zero,
            "recompute": plan.recompute,
            "step_time": step,
            "memory_required": held,
        }
        counts = {short: int((which == i).sum()) for i, (_, short, _) in enumerate(wrong, 1)}
        best, chosen = None, dict.fromkeys([*columns, "mfu", "scaling_efficiency", "training_time"])
        if order.size:
            i = int(order[0])
            row = Plan(*(np.asarray(p)[i].item() if np.ndim(p) else p for p in plan))
            best = profile_of(ask, row, batch_size, microbatch[i].item(), tokens)
            known = set(best.fields)
            chosen = {
                name: best.si(name) if name in known else _cell(name, columns[name][i])
                for name in chosen
            }
        return PlanSearch(
            **chosen,
            feasible=bool(order.size),
            reason="" if order.size else _none_fits(ask, held, which, wrong),
            considered=int(which.size),
            fitting=int(fits.sum()),
            rejected_because={short: count for short, count in counts.items() if count},
            _best=best,
            _order=order,
            _fits=fits,
            _columns=columns,
            _reasons=lambda i: wrong[which[i] - 1][2](i),
        )


def _grid(ask: Ask, batch: float) -> tuple[Plan, np.ndarray]:
    """Every plan worth a look, as flat arrays."""
    model, devices = ask.model, ask.wires.total
    tensors = pipelines = experts = [1.0]
    recomputes = [NONE]
    if isinstance(model, TransformerWorkload):
        tensors, recomputes = _divisors(ask.wires.inside, model.heads), [NONE, FULL]
        pipelines = _divisors(devices, model.layers)
        many = model.moe.experts if model.moe else 1
        experts = _divisors(many, many)
    powers = 2.0 ** np.arange(np.log2(batch) + 1e-9)
    axes = np.meshgrid(tensors, pipelines, experts, powers, _STAGES, recomputes, indexing="ij")
    tensor, pipeline, expert, microbatch, zero, recompute = (axis.ravel() for axis in axes)
    data = devices / (tensor * pipeline)
    plan = Plan(
        tensor,
        pipeline,
        data,
        expert,
        batch / (data * microbatch),
        zero,
        recompute,
        np.ones_like(tensor),
        ask.sequence,
        ask.flash,
    )
    return plan, microbatch


def _divisors(n: int, most: int) -> list[float]:
    return [float(d) for d in range(1, min(n, most) + 1) if n % d == 0]


def _none_fits(ask: Ask, held: np.ndarray, which: np.ndarray, wrong: list[Fault]) -> str:
    whole = np.flatnonzero(which == len(wrong))  # plans with no fault but memory
    if whole.size:
        least, room = Q_(held[whole].min(), "B"), Q_(ask.supply.capacity, "B")
        return f"No plan fits: the leanest needs {show(least)} on a device that holds {show(room)}."
    return f"No plan fits: {wrong[which[0] - 1][2](0)}"


def _cell(name: str, value: Any) -> Any:
    if name == "recompute":
        return RECOMPUTE[int(value)]
    if name == "step_time":
        return Q_(value.item(), "s")
    if name == "memory_required":
        return Q_(value.item() / 1e9, "GB")
    return int(value)
