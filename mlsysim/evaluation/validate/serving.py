"""Rows of one replica: prompts, decode steps, answers, and networks without a sequence."""

from __future__ import annotations

from typing import Any

from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.rows import (
    AS_MUCH,
    Row,
    Unpredictable,
    device_of,
    model_of,
    precision_of,
)
from mlsysim.models.operators import PREFILL
from mlsysim.solvers.fleet.group import divided
from mlsysim.solvers.node.inflight import server
from mlsysim.solvers.node.replica import Replica, replica_of
from mlsysim.solvers.node.single import SingleNodeModel
from mlsysim.stacks.roofs import Held
from mlsysim.stacks.types import Stack

EFFICIENCY = float(SingleNodeModel.defaults["efficiency"])


def _replica(row: Row, stack: Any) -> Replica:
    """The model on the devices that share it, in the row's widths."""
    precision, weight = precision_of(row.precision)
    kept = precision_of(row.kv_precision)[0] if row.kv_precision else None
    device, ways = device_of(row), row.ways("tp")
    group = divided(model_of(row), fleet_of(device, ways), ways)
    if group.fault:
        raise Unpredictable(group.fault)
    replica = replica_of(group, (precision, EFFICIENCY, kept, stack))
    if weight is None:
        return replica
    widths = replica.question.widths._replace(weights=weight)
    return replica._replace(question=replica.question._replace(widths=widths))


def throughput(row: Row, stack: Any) -> float:
    """Answered tokens a second of all devices: of a batch, or of as many in flight as fit."""
    replica = _replica(row, stack)
    prompt, tokens, batch = (row.number(name) for name in ("seq_in", "seq_out", "batch"))
    if batch == AS_MUCH:
        rate = tokens * server(replica, prompt, tokens).max_rate
        if not rate:
            raise Unpredictable("not one sequence fits beside the weights")
    else:
        rate = batch * tokens / generation(row, stack)
    return rate * max(row.number("n_devices", 1) / replica.devices, 1)


def throughput_of_each(row: Row, stack: Any) -> float:
    """Answered tokens a second of one device."""
    return throughput(row, stack) / row.number("n_devices", 1)


def generation(row: Row, stack: Any) -> float:
    """Seconds from prompts to the last token of all answers, of which prefill gives the first."""
    replica, batch = _replica(row, stack), row.number("batch")
    prompt, tokens = row.number("seq_in"), row.number("seq_out")
    return float(replica.prefill(batch, prompt) + replica.decoding(batch, prompt, tokens - 1))


def decode_rate(row: Row, stack: Any) -> float:
    """Tokens a second while decoding, at the mean context of the answer."""
    replica, batch = _replica(row, stack), row.number("batch")
    context = row.number("seq_in", 0.0) + max(row.number("seq_out", 0.0) / 2, 1.0)
    return batch / float(replica.step(batch, context))


def token_time(row: Row, stack: Any) -> float:
    """Time between tokens at a concurrency, with the prompts that come in meanwhile."""
    replica, batch = _replica(row, stack), row.number("batch")
    prompt, tokens = row.number("seq_in"), row.number("seq_out")
    decode = replica.decoding(batch, prompt, tokens - 1) / max(tokens - 1, 1)
    return float(decode + batch / tokens * replica.prefill(1.0, prompt))


def prompt(row: Row, stack: Any) -> float:
    """Seconds of a pass over whole prompts, or of an encoder over whole texts."""
    batch, length = row.number("batch"), row.number("seq_in")
    if PREFILL in model_of(row).phases:
        return float(_replica(row, stack).prefill(batch, length))
    return _step(row, stack, seq_len=length).si("latency")


def _step(row: Row, stack: Any, *, seq_len: float | None = None, training: bool = False) -> Any:
    """One step of a model that answers at once."""
    precision, _ = precision_of(row.precision)
    return SingleNodeModel().solve(
        model_of(row),
        device_of(row),
        batch_size=row.number("batch"),
        seq_len=seq_len,
        precision=precision,
        stack=stack,
        training=training,
    )


def latency(row: Row, stack: Any) -> float:
    """Seconds of one step."""
    return _step(row, stack).si("latency")


def images(row: Row, stack: Any) -> float:
    """Samples a second, of inference or of training."""
    training = "train" in row.domain
    return _step(row, stack, training=training).si("throughput") * row.number("n_devices", 1)


def energy_of_one(row: Row, stack: Any) -> float:
    """Joules of one inference, at the power of the device."""
    energy = _step(row, stack).si("energy")
    if energy is None:
        raise Unpredictable(f"{row.hardware} has no known power")
    return energy


def held_to_serve(row: Row, stack: Any) -> float:
    """Bytes that one device holds at the end of the answers."""
    length = row.number("seq_in") + row.number("seq_out", 0.0)
    held = _replica(row, stack).held(row.number("batch"), length)
    kept = (stack.held if isinstance(stack, Stack) else None) or Held()
    activations = kept.buffers * held.held_activations
    return held.held_weights + held.held_state + activations + context(stack)


def context(stack: Any) -> float:
    """Bytes that a stack takes of a device whatever it runs."""
    kept = stack.held if isinstance(stack, Stack) else None
    return 0.0 if kept is None or kept.context is None else float(kept.context.m_as("B"))
