"""Rows of training: steps, runs, and what they hold, under the plan that a row tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.rows import Row, Unpredictable, device_of, model_of, precision_of
from mlsysim.evaluation.validate.serving import context
from mlsysim.solvers.fleet.distributed import USUAL_BATCH, DistributedModel
from mlsysim.solvers.fleet.parallelism import PLAN, ParallelismOptimizer
from mlsysim.solvers.fleet.profile import FleetProfile
from mlsysim.stacks.types import Stack

LORA_RANK = 32.0  # where nobody tells: what Megatron-Bridge takes
_ZERO = {"FULL_SHARD": 3, "SHARD_GRAD_OP": 2}


def _plan(row: Row) -> dict[str, Any]:
    """How the row says that training was divided."""
    told = row.divided
    stage = _ZERO.get(told.get("shard", ""), 3 if row.ways("fsdp") > 1 else None)
    stage = int(told["zero"]) if told.get("zero", "").isdigit() else stage
    recompute, _, sequence = told.get("recompute", "none").partition("+")
    plan = {
        "tensor_parallel": row.ways("tp"),
        "pipeline_parallel": row.ways("pp"),
        "expert_parallel": row.ways("ep"),
        "context_parallel": row.ways("cp"),
        "interleave": row.ways("vp"),
        "microbatch": row.ways("mbs") if "mbs" in told else None,
        "zero_stage": 1 if stage is None else stage,
        "recompute": "full" if told.get("act_ckpt") == "True" else recompute,
        "sequence_parallel": sequence == "seqpar",
        # selective recomputation is of scores, which flash attention does not keep
        "flash_attention": "recompute" not in told,
    }
    return {key: value for key, value in plan.items() if value is not None}


def _batch(row: Row, devices: float) -> float:
    """Sequences a step; where nobody tells, a usual step, and one a device at least."""
    if not row.batch:
        return max(float(USUAL_BATCH), devices)
    batch = row.number("batch")
    if "tokens" in row.batch:
        return max(round(batch / row.number("seq_in") / devices), 1) * devices
    return batch * devices if "per GPU" in row.batch else batch


@cache
def _found(model: Any, *asked: Any) -> dict[str, Any]:
    """The best plan where a row tells none, at the ideal level."""
    search = ParallelismOptimizer().solve(model, **dict(asked))
    if not search.feasible:
        raise Unpredictable(search.reason)
    return {name: search.si(name) for name in PLAN}


def _trained(row: Row, stack: Any) -> FleetProfile:
    """One step of training under the row's plan, or under the best one where it tells none."""
    precision, _ = precision_of(row.precision)
    devices = int(row.number("n_devices", 1024))
    how: dict[str, Any] = {
        "fleet": fleet_of(device_of(row), devices),
        "seq_len": row.number("seq_in") if row.seq_in else None,
        "precision": precision,
        "batch_size": _batch(row, devices),
    }
    how = {name: value for name, value in how.items() if value is not None}
    model: Any = model_of(row)
    told = {*row.divided} & {"tp", "pp", "dp", "fsdp", "mbs"}
    plan = _plan(row) if told or devices == 1 else dict(_found(model, *how.items()))
    if re.search(r"\bLoRA\b", row.note, re.IGNORECASE):
        plan["lora_rank"] = row.noted("rank") or LORA_RANK
    if "per GPU" in row.batch:  # what it accumulates besides is told elsewhere, if at all
        plan["microbatch"] = row.number("batch")
    profile = DistributedModel().solve(model, **how, **plan, stack=stack)
    if profile.si("step_time") is None:
        raise Unpredictable(profile.reason)
    return profile


def step_time(row: Row, stack: Any) -> float:
    """Seconds of one step."""
    return _trained(row, stack).si("step_time")


def samples_a_second(row: Row, stack: Any) -> float:
    """Sequences a second."""
    profile = _trained(row, stack)
    return profile.si("batch_size") / profile.si("step_time")


def tokens_of_each(row: Row, stack: Any) -> float:
    """Tokens a second of each device."""
    profile = _trained(row, stack)
    tokens = profile.si("batch_size") * profile.si("seq_len")
    return tokens / profile.si("step_time") / profile.si("devices")


def operations_of_each(row: Row, stack: Any) -> float:
    """FLOP a second of each device: the model's own."""
    profile = _trained(row, stack)
    return profile.si("operations") / profile.si("step_time") / profile.si("devices")


def with_recompute(row: Row, stack: Any) -> float:
    """The same, with what is computed again: a fourth forward pass where all is."""
    again = 4 / 3 if _plan(row)["recompute"] == "full" else 1.0
    return again * operations_of_each(row, stack)


def used(row: Row, stack: Any) -> float:
    """The part of the peak that does the model's own work."""
    peak = device_of(row).supply(precision_of(row.precision)[0]).peak
    return operations_of_each(row, stack) / peak


def device_time(row: Row, stack: Any) -> float:
    """Device seconds of a whole run."""
    part = stack.campaign if isinstance(stack, Stack) else 1.0
    return _tokens(row) / tokens_of_each(row, stack) / part


def duration(row: Row, stack: Any) -> float:
    """Seconds of a whole run."""
    return device_time(row, stack) / row.number("n_devices")


def _tokens(row: Row) -> float:
    """How many tokens a run saw, as the note tells."""
    found = row.noted("tokens")
    if found is None and (text := re.search(r"([\d.]+)([BT]) tokens", row.note)):
        found = float(text[1]) * {"B": 1e9, "T": 1e12}[text[2]]
    if found is None:
        raise Unpredictable("the row does not tell how many tokens were seen")
    return found


def held(*names: str) -> Callable[[Row, Any], float]:
    """What one device holds, of the kinds named."""

    def bytes_of(row: Row, stack: Any) -> float:
        profile = _trained(row, stack)
        everything = row.metric == "gpu_mem_total"
        return sum(profile.si(name) for name in names) + everything * context(stack)

    return bytes_of
