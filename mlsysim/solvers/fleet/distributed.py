"""Wall 14: one model trained by many devices, under a given plan."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Result, Solver, lazily, show
from mlsysim.core.units import Dim
from mlsysim.equations import fleet, node
from mlsysim.models.operators import FORWARD, Step
from mlsysim.models.transformer import DEFAULT_CONTEXT, TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import LINK_LATENCY, wires
from mlsysim.solvers.fleet.plan import Plan, faults, shortage
from mlsysim.solvers.fleet.training import Cost, Way, cost
from mlsysim.solvers.fleet.usual import HALF, attained
from mlsysim.solvers.fleet.usual import overlap as usual_overlap
from mlsysim.solvers.node.cost import formats
from mlsysim.solvers.node.learning import (
    NONE,
    RECOMPUTE,
    Optimizer,
    Recompute,
    TrainingPrecision,
    Work,
    recipe,
    unknown_work,
    work,
)
from mlsysim.solvers.node.single import Stack, one_each, total
from mlsysim.systems.types import Fleet

ZeroStage = Annotated[Any, Dim("", whole=True, open_low=False, high=3.0)]
Imbalance = Annotated[Any, Dim("", low=1.0, open_low=False)]
USUAL_BATCH = 1024  # sequences a step: two million tokens at a context of 2,048, a teaching value


_TALKS = ("tensor", "context", "pipeline", "expert", "exposed_data")


def _talking(p: FleetProfile) -> Any:
    if p.si("step_time") is None:
        return None
    waiting = sum(p.si(f"{name}_time") for name in _TALKS)
    return waiting / p.si("step_time")


class FleetProfile(Result):
    """One training step of a fleet: where its time goes, and whether its memory suffices.

    The times of a plan that does not fit are what it would take; its efficiencies are None.
    `mfu` is that of the whole step, as runs publish it: what a device attains by itself times
    `scaling_efficiency`. `compute_time` is one device's own work; `data_time` counts what overlap
    hides, and `exposed_data_time` does not.
    """

    walls = (14,)

    step_time: u.Seconds = "s"
    scaling_efficiency: u.Number
    mfu: u.Number
    feasible: bool
    reason: str
    training_time: u.Seconds = "day"
    throughput: u.Rate = "1/s"
    token_throughput: u.Rate = "1/s"
    compute_time: u.Seconds = "s"
    tensor_time: u.Seconds = "s"
    context_time: u.Seconds = "s"
    pipeline_time: u.Seconds = "s"
    expert_time: u.Seconds = "s"
    bubble_time: u.Seconds = "s"
    data_time: u.Seconds = "s"
    exposed_data_time: u.Seconds = "s"
    bubble_fraction: u.Number
    communication_fraction: u.Number = lazily("", _talking)
    memory_required: u.Bytes = lazily(
        "GB", total, "weights", "gradients", "optimizer_state", "activations"
    )
    weights: u.Bytes = "GB"
    gradients: u.Bytes = "GB"
    optimizer_state: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    operations: u.Operations = "EFLOP"
    devices: u.Count
    tensor_parallel: u.Count
    pipeline_parallel: u.Count
    data_parallel: u.Count
    expert_parallel: u.Count
    context_parallel: u.Count
    interleave: u.Count
    microbatch: u.Batch
    microbatches: u.Count
    batch_size: u.Batch
    seq_len: u.Number
    parameters: u.Number
    tokens: u.Number
    efficiency: u.Fraction
    precision: str
    stack: str | None
    notes: tuple


class Ask(NamedTuple):
    """A training question after the door: everything but the plan."""

    model: Workload | None
    fleet: Fleet
    parameters: float
    seq_len: float
    precision: str
    way: Way
    whose: str  # where the efficiency is from

    def _step(self, batch: Any) -> Step:
        return Step(batch, self.seq_len, 0.0, FORWARD, self.way.widths, training=True)

    def useful(self, batch: Any) -> Any:
        """FLOP of a whole step of so many sequences, forward and backward."""
        if self.model is None:
            return self._unknown(batch).load.operations
        learns = self.way.recipe._replace(imbalance=1.0)
        return work(self.model, self._step(batch), learns).whole.operations

    def cost(self, plan: Plan, microbatch: Any) -> Cost:
        """What one step costs under a plan."""
        if self.model is None:
            return cost(self._unknown(microbatch), plan, self.way)
        if self.model.sparse:  # each device keeps a part of the tables, as it would of experts
            plan = plan._replace(expert=plan.data)
        step = self._step(microbatch / plan.context)
        return cost(self.way.work(self.model, step, plan), plan, self.way)

    def _unknown(self, batch: Any) -> Work:
        return unknown_work(self.parameters, batch * self.seq_len, self.way.widths)


class DistributedModel(Solver):
    """Wall 14: what many devices lose to talking and waiting when they train one model.

    Devices divide each layer (`tensor_parallel`, four all-reduces a layer and microbatch on the
    wires inside the node), each sequence (`context_parallel`, keys and values going round), the
    layers (`pipeline_parallel`, with its bubble), the experts (`expert_parallel`) and, with what is
    left of the fleet, the batch (gradients summed inside the node first, then across the fabric).
    A microbatch's arithmetic is the roofline of one device.

    Fallacy: "1,024 devices train 1,024 times as fast." Each of them also waits for the others.
    """

    walls = (14,)

    def solve(
        self,
        model: Given[Workload] | None = None,
        *,
        fleet: Given[Fleet],
        batch_size: u.Batch | None = None,
        seq_len: u.Count | None = None,
        precision: TrainingPrecision = "fp16",
        efficiency: u.Fraction | None = None,
        mfu: u.Fraction | None = None,
        tensor_parallel: u.Count = 1.0,
        pipeline_parallel: u.Count = 1.0,
        expert_parallel: u.Count = 1.0,
        context_parallel: u.Count = 1.0,
        microbatch: u.Batch | None = None,
        interleave: u.Count = 1.0,
        zero_stage: ZeroStage = 0.0,
        optimizer: Optimizer = "adam",
        recompute: Recompute = "none",
        sequence_parallel: bool = False,
        flash_attention: bool = True,
        overlap: u.FractionOrZero | None = None,
        link_latency: u.SecondsOrZero = LINK_LATENCY,
        lora_rank: u.Count | None = None,
        base_precision: u.Precision | None = None,
        imbalance: Imbalance = 1.0,
        stack: Stack | None = None,
        tokens: u.Number | None = None,
        optimal_parameters: u.Number | None = None,
        optimal_tokens: u.Number | None = None,
    ) -> FleetProfile:
        """Time, efficiency and memory of one step, and of all steps when `tokens` are given.

        `batch_size` counts sequences (or images) a step in the whole fleet: by default the smallest
        number from 1,024 on that the plan divides. `microbatch` is what a replica handles at a
        time: one sequence, or its whole share for models without one. `efficiency` is what a device
        attains by itself; the fleet's law calls it `mfu`, which takes its place when given. By
        default it is half at the Iron Law, and with a `stack` what was measured of the chip.
        `overlap` is the part of the gradient exchange that may hide behind arithmetic, by default
        the 0.9 that frameworks hide.
        With `lora_rank` adapters of that rank learn beside every matrix of a layer; all else is
        frozen, and stored in `base_precision` where that is given (as int4, or fp4 for QLoRA).
        Of a mixture of experts the fullest device gets `imbalance` times the mean of the tokens.
        `stack="ideal"` costs a device's operators one after the other, each under its own roof.
        `link_latency` (1 us) is a teaching value for one hop inside a node. For models without a
        sequence `tokens` counts samples.

        Without a `model`, `optimal_parameters` (as ScalingModel finds them) are trained by data
        parallelism alone: six FLOP a parameter and token, and activations are not counted.
        """
        one_each(locals())
        way = {"efficiency": mfu or efficiency, "overlap": overlap, "link_latency": link_latency}
        learn = {"optimizer": optimizer, "lora_rank": lora_rank, "base_precision": base_precision}
        learn["imbalance"] = imbalance
        asked = (model, fleet, precision, seq_len, optimal_parameters)
        ask = ask_about(*asked, **way, **learn, stack=stack)
        divided = (tensor_parallel, pipeline_parallel, expert_parallel, context_parallel)
        if model is None and divided != (1, 1, 1, 1):
            why = "give model=..., whose layers the plan can divide"
            raise MissingValue("DistributedModel", "model", why)
        data = ask.way.wires.total / (tensor_parallel * pipeline_parallel * context_parallel)
        batch_size, microbatch = _batches(ask, batch_size, microbatch, data)
        plan = Plan(
            tensor_parallel,
            pipeline_parallel,
            data,
            expert_parallel,
            batch_size / (data * microbatch),
            zero_stage,
            RECOMPUTE.index(recompute),
            interleave,
            context_parallel,
            sequence_parallel,
            flash_attention,
        )
        return profile_of(ask, plan, batch_size, microbatch, tokens or optimal_tokens)


# ---- from arguments to a question --------------------------------------------------------------


def ask_about(
    model: Workload | None,
    fleet_: Fleet,
    precision: str,
    seq_len: float | None,
    parameters: float | None = None,
    *,
    efficiency: float | None,
    overlap: float | None,
    link_latency: float,
    optimizer: str,
    lora_rank: float | None = None,
    base_precision: str | None = None,
    imbalance: float = 1.0,
    stack: str | None = None,
) -> Ask:
    """Gather a question; raises MissingValue when neither a model nor its size is given."""
    if model is not None:
        parameters = float(model.parameters)
        seq_len = model.step(1.0, seq_len, None, training=True).seq_len
    elif parameters is None:
        why = "give model=..., or optimal_parameters=... as ScalingModel finds them"
        raise MissingValue("DistributedModel", "model", why)
    learns = recipe(
        model, optimizer, RECOMPUTE[NONE], lora_rank, base_precision, imbalance
    )  # plans recompute
    kept, supply = formats(model, fleet_.hw, precision, base=base_precision, training=True)
    talk = wires(fleet_, link_latency)
    whose = ""
    if efficiency is None:
        efficiency, whose = (HALF, "") if stack is None else attained(fleet_.hw, supply.datapath)
    overlap = usual_overlap() if overlap is None else overlap
    way = Way(supply, talk, kept, learns, efficiency, overlap, stack)
    return Ask(model, fleet_, parameters, float(seq_len or DEFAULT_CONTEXT), precision, way, whose)


def _batches(
    ask: Ask, batch: float | None, microbatch: float | None, data: float
) -> tuple[float, float]:
    """Sequences a step and a microbatch, as given or by default."""
    if batch is None:
        unit = data * (microbatch or 1.0)
        batch = unit * math.ceil(USUAL_BATCH / unit)
    if microbatch is None:
        microbatch = 1.0 if isinstance(ask.model, TransformerWorkload) else max(batch / data, 1.0)
    return batch, microbatch


# ---- from a plan to an answer ------------------------------------------------------------------

_TIMES = [name for name in Cost._fields if name != "ideal_time"]
_IF_FEASIBLE = ("scaling_efficiency", "mfu", "throughput", "token_throughput", "training_time")


def profile_of(
    ask: Ask, plan: Plan, batch: float, microbatch: float, tokens: float | None
) -> FleetProfile:
    """Answer for one plan: an impossible one has no times, one too large no efficiency."""
    useful, supply, devices = ask.useful(batch), ask.way.supply, ask.way.wires.total
    same = {
        "devices": devices,
        "tensor_parallel": plan.tensor,
        "pipeline_parallel": plan.pipeline,
        "data_parallel": plan.data,
        "expert_parallel": plan.expert,
        "context_parallel": plan.context,
        "interleave": plan.interleave,
        "microbatch": microbatch,
        "microbatches": plan.microbatches,
        "batch_size": batch,
        "seq_len": ask.seq_len,
        "operations": useful,
        "memory_capacity": supply.capacity,
        "parameters": ask.parameters,
        "tokens": tokens,
        "efficiency": ask.way.efficiency,
        "precision": ask.precision,
        "stack": ask.way.stack,
        "notes": _notes(ask, plan),
    }
    for mask, _, sentence in faults(ask.model, ask.way.wires, plan, batch):
        if mask:
            unknown = dict.fromkeys([*_TIMES, *_IF_FEASIBLE, "bubble_fraction"])
            why = sentence(plan, microbatch, 0.0)
            return FleetProfile(**same, **unknown, feasible=False, reason=why)
    c = Cost(*(float(value) for value in ask.cost(plan, microbatch)))
    lacking, _, sentence = shortage(supply, c.held)
    efficiencies: dict[str, Any] = dict.fromkeys(_IF_FEASIBLE)
    if not lacking:
        rate = node.throughput(batch, c.step_time)
        sequences = ask.model is None or isinstance(ask.model, TransformerWorkload)
        a_sample = ask.seq_len if sequences else None
        efficiencies = {
            "scaling_efficiency": fleet.scaling_efficiency(c.ideal_time, c.step_time),
            "mfu": node.utilization(useful, c.step_time, devices * supply.peak),
            "throughput": rate,
            "token_throughput": a_sample and rate * a_sample,
            "training_time": tokens / (rate * (a_sample or 1.0)) if tokens else None,
        }
    return FleetProfile(
        **same,
        **efficiencies,
        feasible=not lacking,
        reason=sentence(plan, microbatch, c.held) if lacking else "",
        bubble_fraction=fleet.bubble_fraction(plan.pipeline, plan.microbatches, plan.interleave),
        **{name: getattr(c, name) for name in _TIMES},
    )


def _notes(ask: Ask, plan: Plan) -> tuple[str, ...]:
    notes, node = [], ask.fleet.node
    if ask.model is None:
        notes.append("only the number of parameters is known: activations are not counted")
    elif np.any(ask.seq_len > (most := getattr(ask.model, "context", math.inf))):
        longest = f"{np.max(ask.seq_len):,.0f} tokens"
        notes.append(f"{longest} are more than the {most:,} that the model takes")
    if ask.fleet.count > 1 and not node.nics:
        notes.append("the node's ports are unknown: one port of the fabric for each device")
    if ask.fleet.count > 1 and ask.fleet.fabric and node.nic_bandwidth:
        port, wire = node.nic_bandwidth, ask.fleet.fabric.bandwidth
        if port < wire:
            notes.append(f"the nodes' ports, {show(port)}, cap the fabric's {show(wire)}")
    if ask.way.supply.datapath != ask.precision:
        notes.append(f"{ask.precision} runs at the {ask.way.supply.datapath} datapath")
    if not plan.flash:
        notes.append(
            "attention scores are kept at 2 bytes each; a model with dropout keeps 5, and more "
            "of what was measured without flash attention"
        )
    if getattr(ask.model, "moe", None):
        notes.append(
            f"experts get {ask.way.recipe.imbalance:g} times the mean of the tokens at most, and "
            "their kernels are launched for nothing: published runs with many small experts took "
            "up to five times as long"
        )
    if ask.whose:
        notes.append(ask.whose)
    return tuple(notes)
