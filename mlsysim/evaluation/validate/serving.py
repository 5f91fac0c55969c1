"""Rows of one replica: prompts, decode steps, answers, and networks without a sequence."""

from __future__ import annotations

import math
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
from mlsysim.solvers.node.inflight import Server, server
from mlsysim.solvers.node.replica import Replica, replica_of
from mlsysim.solvers.node.single import SingleNodeModel
from mlsysim.stacks.roofs import Held
from mlsysim.stacks.types import Stack

EFFICIENCY = float(SingleNodeModel.defaults["efficiency"])


def _replica(row: Row, stack: Any) -> Replica:
    """The model on the devices that share it, in the row's widths."""
    precision, weight = precision_of(row.precision)
    kept = precision_of(row.kv_precision)[0] if row.kv_precision else None
    model, device = model_of(row), device_of(row)
    ways, apart = layout(row, mixture=getattr(model, "moe", None) is not None)
    group = divided(model, fleet_of(device, ways * apart), ways, experts=apart)
    if group.fault:
        raise Unpredictable(group.fault)
    replica = replica_of(group, (precision, EFFICIENCY, kept, stack))
    if weight is None:
        return replica
    widths = replica.question.widths._replace(weights=weight)
    return replica._replace(question=replica.question._replace(widths=widths))


def layout(row: Row, *, mixture: bool) -> tuple[int, int]:
    """Into how many parts a replica divides its matrices, and how many such groups its experts.

    Attention that is data parallel (`attention_dp`) gives each group sequences of its own. Where
    the devices that divide attention hold the experts as well, it is the same bytes either way.
    """
    ways = row.ways("tp")
    alone = row.attention_dp.strip().lower() in ("true", "yes", "on")
    apart = ways if alone else max(int(row.number("attention_dp", 1)), 1)  # some write 0 for none
    experts = max(int(row.number("ep", 1)), row.ways("ep"))
    if not mixture or (apart == 1 and experts <= ways):
        return ways, 1
    apart = max(apart, experts // ways)
    # tables count the same eight devices as tp=8 or as tp=1
    return (ways if ways * apart <= row.number("n_devices", 1) else max(ways // apart, 1)), apart


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


def _busy(row: Row, stack: Any) -> Server:
    """One replica with its part of a concurrency in flight, or as many of them as fit."""
    replica = _replica(row, stack)
    every = row.number("batch") * replica.devices / max(row.number("n_devices", 1), replica.devices)
    own = None if every == AS_MUCH else max(math.ceil(every), 1)
    found = server(replica, row.number("seq_in"), row.number("seq_out"), max_batch=own)
    if found.room < 1:
        raise Unpredictable("not one sequence fits beside the weights")
    return found


def token_time(row: Row, stack: Any) -> float:
    """Time between tokens at a concurrency, with the prompts that come in meanwhile.

    While a request takes its steps each of those beside it has one prompt read.
    """
    busy = _busy(row, stack)
    return float(busy.step[-1] + busy.max_batch * busy.prefill / max(busy.steps, 1.0))


def first_token(row: Row, stack: Any) -> float:
    """Mean time to the first token at a concurrency: a new request comes when another ends.

    It waits for half a step, and for the prompts of others, each of whom spends the same part of
    its time so, as in a queue of fixed services. In the first of a benchmark's usual ten rounds all
    come at once, and half of the others stand before the mean one.
    """
    answers = PREFILL in model_of(row).phases and row.number("seq_out", 0.0)
    if row.number("batch") == 1 or not answers:
        return prompt(row, stack)
    busy = _busy(row, stack)
    others = busy.max_batch - 1
    reading = busy.alone / (busy.alone + busy.steps * token_time(row, stack))
    load = min(others * reading, 1.0)
    queue = min(load / 2 / (1 - load) if load < 1 else math.inf, others / 2)
    waits = queue + (others / 2 - queue) / _ROUNDS
    return float(busy.alone * (1 + waits) + busy.step[-1] / 2)


_ROUNDS = 10


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
    """Joules of one inference of a batch, at the power of the device."""
    energy = _step(row, stack).si("energy")
    if energy is None:
        raise Unpredictable(f"{row.hardware} has no known power")
    return energy / row.number("batch")


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
