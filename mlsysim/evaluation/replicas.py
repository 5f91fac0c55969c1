"""What answers: a replica of a system's model on some of its devices, and how it serves."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from mlsysim.evaluation.sections import FleetSpec, OneStep, Serve
from mlsysim.solvers.fleet.group import Group, divided
from mlsysim.solvers.node.inflight import InFlight, Server, server
from mlsysim.solvers.node.replica import Replica, replica_of
from mlsysim.solvers.node.serving import ServingModel
from mlsysim.solvers.node.single import SingleNodeModel

Answers = tuple[Server, Callable[[float], InFlight]]


def grouped(work: Serve | OneStep, place: FleetSpec) -> Group:
    """The replicas: of as many devices as asked for, or of as few as hold the model."""
    fleet, ways = place.usable, place.tensor_parallel
    others = {
        "stages": int(place.pipeline_parallel or 1),
        "experts": int(place.expert_parallel or 1),
    }
    first = divided(work.model, fleet, int(ways or 1), **others)
    if ways is not None or first.fault:
        return first
    group, count = first, 1
    while not _holds(work, group):
        count *= 2
        group = divided(work.model, fleet, count, **others)
        if count > fleet.node.accelerators or group.fault:
            return first
    return group


def _holds(work: Serve | OneStep, group: Group) -> bool:
    """Whether a replica has room for the model and what it is asked for at least."""
    if isinstance(work, OneStep):
        return one_step(work, group).feasible
    many = work.batch_size if work.arrival_rate_qps is None else 1
    return replica_for(work, group).room(work.prompt + answer_tokens(work), 0.0) >= (many or 1)


def answer_tokens(work: Serve) -> Any:
    """Tokens of an answer, reasoning and all."""
    return work.tokens * work.reasoning_steps


def replica_for(work: Serve, group: Group) -> Replica:
    """One replica with its cached prefix, its pieces of prompts and its draft."""
    usual = ServingModel.defaults
    guessed, accepted, efficiency = (
        usual[name] if getattr(work, name) is None else getattr(work, name)
        for name in ("draft_tokens", "draft_acceptance_rate", "efficiency")
    )
    how = (work.precision, efficiency, work.kv_precision, work.level(group.device))
    draft = (work.draft_model, guessed, accepted)
    prefix = float(work.cached_prefix_len or 0)
    return replica_of(group, how, prefix, work.prefill_chunk_tokens, draft)


def server_of(work: Serve, group: Group) -> Answers:
    """What serves so, whatever the fleet, and what it answers to each rate: worked out once."""
    return _asked(replica_for(work, group), work.prompt, answer_tokens(work), work.batch_size)


@lru_cache(maxsize=1024)
def _asked(replica: Replica, prompt: float, tokens: float, batch: float | None) -> Answers:
    each = server(replica, prompt, tokens, max_batch=batch, reserve=0.0)
    return each, cache(each.at)


def one_step(work: OneStep, group: Group) -> Any:
    """The step of one device of a replica, without its talk with the others."""
    how = {**work.given(SingleNodeModel), "model": group.model, "stack": work.level(group.device)}
    return SingleNodeModel().solve(**how, hardware=group.device)
