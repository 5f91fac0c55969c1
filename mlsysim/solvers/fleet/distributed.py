"""Wall 14: one model trained by many devices, under a given plan."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Given, Solver
from mlsysim.core.units import Dim
from mlsysim.models.transformer import DEFAULT_CONTEXT, TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import LINK_LATENCY, wires
from mlsysim.solvers.fleet.plan import Plan
from mlsysim.solvers.fleet.profile import Ask, FleetProfile, profile_of
from mlsysim.solvers.fleet.training import Way
from mlsysim.solvers.fleet.usual import HALF, attained
from mlsysim.solvers.fleet.usual import overlap as usual_overlap
from mlsysim.solvers.node.cost import formats
from mlsysim.solvers.node.learning import (
    NONE,
    RECOMPUTE,
    Optimizer,
    Recompute,
    TrainingPrecision,
    recipe,
)
from mlsysim.solvers.node.single import one_each
from mlsysim.stacks.types import Level
from mlsysim.systems.types import Fleet

ZeroStage = Annotated[Any, Dim("", whole=True, open_low=False, high=3.0)]
Imbalance = Annotated[Any, Dim("", low=1.0, open_low=False)]
USUAL_BATCH = 1024  # sequences a step: two million tokens at a context of 2,048, a teaching value


class DistributedModel(Solver):
    """Wall 14: what many devices lose to talking and waiting when they train one model.

    Devices divide each layer (`tensor_parallel`, four all-reduces a layer and microbatch on the
    wires inside the node), each sequence (`context_parallel`, keys and values going round), the
    layers (`pipeline_parallel`, with its bubble), the experts (`expert_parallel`) and, with what is
    left of the fleet, the batch (gradients summed inside the node first, then across the fabric).
    A microbatch's arithmetic is the roofline of one device, and all of its memory is used: what is
    to stay free, an evaluation's `kept_free` says.

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
        stack: Level | None = None,
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
        sequence `tokens` counts samples. Batches, lengths, tokens and the two rates may be columns.

        Without a `model`, `optimal_parameters` (as ScalingModel finds them) are trained by data
        parallelism alone: six FLOP a parameter and token, and activations are not counted.
        """
        columns = {"batch_size", "seq_len", "efficiency", "mfu", "overlap", "tokens"}
        one_each({name: value for name, value in locals().items() if name not in columns})
        reached = efficiency if mfu is None else mfu
        way = {"efficiency": reached, "overlap": overlap, "link_latency": link_latency}
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
        shape = (tensor_parallel, pipeline_parallel, data, expert_parallel)
        kept = (zero_stage, RECOMPUTE.index(recompute), interleave, context_parallel)
        many = batch_size / (data * microbatch)
        plan = Plan(*shape, many, *kept, sequence_parallel, flash_attention)
        tokens = optimal_tokens if tokens is None else tokens
        return profile_of(ask, plan, batch_size, microbatch, tokens)


# ---- from arguments to a question --------------------------------------------------------------


def ask_about(
    model: Workload | None,
    fleet_: Fleet,
    precision: str,
    seq_len: Any,
    parameters: float | None = None,
    *,
    efficiency: Any,
    overlap: Any,
    link_latency: float,
    optimizer: str,
    lora_rank: float | None,
    base_precision: str | None,
    imbalance: float,
    stack: Any,
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
    if not np.ndim(seq_len):
        seq_len = float(seq_len or DEFAULT_CONTEXT)
    return Ask(model, fleet_, parameters, seq_len, precision, way, whose)


def _batches(ask: Ask, batch: Any, microbatch: float | None, data: float) -> tuple[Any, Any]:
    """Sequences a step and a microbatch, as given or by default."""
    if batch is None:
        unit = data * (microbatch or 1.0)
        batch = unit * math.ceil(USUAL_BATCH / unit)
    if microbatch is None:
        microbatch = (
            1.0 if isinstance(ask.model, TransformerWorkload) else np.maximum(batch / data, 1.0)
        )
    return batch, microbatch
