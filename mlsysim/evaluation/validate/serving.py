"""Rows of one replica: prompts, decode steps, answers, and networks without a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsysim.evaluation.validate.places import fleet_of
from mlsysim.evaluation.validate.rows import (
    AS_MUCH,
    Row,
    Unpredictable,
    device_of,
    model_of,
    precision_of,
)
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import divided
from mlsysim.solvers.node.single import Question, SingleNodeModel, ask

EFFICIENCY = float(SingleNodeModel.defaults["efficiency"])
KEPT_FREE = 0.1  # of the memory, as servers do by default
MOST = 2048.0  # sequences in flight
SAMPLES = 9  # contexts at which the decode steps of an answer are looked at


class Replica:
    """One model on the devices that share it, in a row's widths."""

    def __init__(self, row: Row, stack: str | None) -> None:
        precision, weight = precision_of(row.precision)
        kept = precision_of(row.kv_precision)[0] if row.kv_precision else None
        self.device, self.ways = device_of(row), row.ways("tp")
        group = divided(model_of(row), fleet_of(self.device, self.ways), self.ways)
        if group.fault:
            raise Unpredictable(group.fault)
        self.group, self.precision = group, precision
        self.question = _asked(group.model, self.device, precision, weight, kept, stack)

    def seconds(self, phase: str, batch: float, length: Any) -> Any:
        """One step of `batch` sequences; `length` may be an array."""
        profile = self.question.profile(self.question.step(batch, length, phase))
        rows = batch if phase == DECODE else batch * length
        if self.ways == 1:
            return profile.si("latency")
        return profile.si("latency") + self.group.reduce_time(rows, self.precision)

    def decoding(self, batch: float, prompt: float, tokens: float) -> float:
        """Seconds of all decode steps of an answer, whose first token prefill gives."""
        if tokens < 2:
            return 0.0
        contexts = np.linspace(prompt + 1, prompt + tokens - 1, SAMPLES)
        return float(np.mean(self.seconds(DECODE, batch, contexts))) * (tokens - 1)

    def most(self, length: float) -> float:
        """Sequences of a length that fit beside the weights, with some memory kept free."""
        one = self.question.profile(self.question.step(1.0, length, DECODE))
        room = one.si("memory_capacity") * (1 - KEPT_FREE) - one.si("weights")
        fits = min(room // one.si("kv_cache"), MOST)
        if fits < 1:
            raise Unpredictable("not one sequence fits beside the weights")
        return float(fits)


def _asked(
    model: Workload,
    device: HardwareNode,
    precision: str,
    weight: float | None,
    kept: str | None,
    stack: str | None,
) -> Question:
    question = ask(model, device, precision, EFFICIENCY, kept, stack)
    if weight is None:
        return question
    return question._replace(widths=question.widths._replace(weights=weight))


def throughput(row: Row, stack: str | None) -> float:
    """Answered tokens a second of all devices, a batch from its prompts to its last tokens."""
    replica = Replica(row, stack)
    prompt, tokens = row.number("seq_in"), row.number("seq_out")
    batch = row.number("batch")
    batch = replica.most(prompt + tokens) if batch == AS_MUCH else batch
    time = replica.seconds(PREFILL, batch, prompt) + replica.decoding(batch, prompt, tokens)
    return batch * tokens / time * max(row.number("n_devices", 1) / replica.ways, 1)


def throughput_of_each(row: Row, stack: str | None) -> float:
    """Answered tokens a second of one device."""
    return throughput(row, stack) / row.number("n_devices", 1)


def generation(row: Row, stack: str | None) -> float:
    """Seconds from prompts to the last token of all answers."""
    replica, batch = Replica(row, stack), row.number("batch")
    prompt, tokens = row.number("seq_in"), row.number("seq_out")
    return replica.seconds(PREFILL, batch, prompt) + replica.decoding(batch, prompt, tokens)


def decode_rate(row: Row, stack: str | None) -> float:
    """Tokens a second while decoding, at the mean context of the answer."""
    replica, batch = Replica(row, stack), row.number("batch")
    context = row.number("seq_in", 0.0) + max(row.number("seq_out", 0.0) / 2, 1.0)
    return batch / float(replica.seconds(DECODE, batch, context))


def token_time(row: Row, stack: str | None) -> float:
    """Time between tokens at a concurrency, with the prompts that come in meanwhile."""
    replica, batch = Replica(row, stack), row.number("batch")
    prompt, tokens = row.number("seq_in"), row.number("seq_out")
    decode = replica.decoding(batch, prompt, tokens) / max(tokens - 1, 1)
    return decode + batch / tokens * float(replica.seconds(PREFILL, 1.0, prompt))


def prompt(row: Row, stack: str | None) -> float:
    """Seconds of a pass over whole prompts, or of an encoder over whole texts."""
    replica = Replica(row, stack)
    phase = PREFILL if PREFILL in replica.question.model.phases else None
    return float(replica.seconds(phase, row.number("batch"), row.number("seq_in")))  # type: ignore[arg-type]


def _step(row: Row, stack: str | None, *, training: bool = False) -> Any:
    """One step of a network without a sequence."""
    precision, _ = precision_of(row.precision)
    return SingleNodeModel().solve(
        model_of(row),
        device_of(row),
        batch_size=row.number("batch"),
        precision=precision,
        stack=stack,
        training=training,
    )


def latency(row: Row, stack: str | None) -> float:
    """Seconds of one step."""
    return _step(row, stack).si("latency")


def images(row: Row, stack: str | None) -> float:
    """Samples a second, of inference or of training."""
    training = "train" in row.domain
    return _step(row, stack, training=training).si("throughput") * row.number("n_devices", 1)


def energy_of_one(row: Row, stack: str | None) -> float:
    """Joules of one inference, at the power of the device."""
    energy = _step(row, stack).si("energy")
    if energy is None:
        raise Unpredictable(f"{row.hardware} has no known power")
    return energy


def held_to_serve(row: Row, stack: str | None) -> float:
    """Bytes that one device holds at the end of the answers."""
    replica = Replica(row, stack)
    length = row.number("seq_in") + row.number("seq_out", 0.0)
    question = replica.question
    step = question.step(row.number("batch"), length, DECODE)
    return question.profile(step).si("memory_required")
