"""What the decks' other parts, their quiz and their paper claim: one function a recomputation."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import Any

from mlsysim.core.units import Q_
from mlsysim.engine.engine import Engine
from mlsysim.equations import fleet as eq
from mlsysim.hardware.registry import Hardware
from mlsysim.models.registry import Models
from mlsysim.solvers import (
    ContinuousBatchingModel,
    DistributedModel,
    ReliabilityModel,
    SustainabilityModel,
)
from mlsysim.systems.registry import Systems

Found = dict[str, Any]


def users_of_a_chip(tokens: float) -> Found:
    """Llama-3 8B on an H100: the cache of a user, and how many of them fit."""
    model, chip = Models.Llama3_8B, Hardware.H100
    full = ContinuousBatchingModel().solve(model, chip, seq_len=tokens, max_seq_len=tokens)
    every = model.replace(kv_heads=model.heads)
    return {
        "cache": model.kv_cache(tokens),
        "users": float(full.paged_batch),
        "without_sharing": every.kv_cache(tokens),
        "reserve": full.reserve,
    }


def crossing(batches: list[int], short: float, long: float) -> Found:
    """Whether decode of Llama-3 8B on an H100 waits for arithmetic at some batch."""
    most = max(batches)
    tried = {
        context: [
            Engine.solve(Models.Llama3_8B, Hardware.H100, batch_size=n, seq_len=context).bottleneck
            for n in range(1, 513)
        ]
        for context in (short, long)
    }
    first = next(n for n, roof in enumerate(tried[short], 1) if roof == "Compute")
    return {
        "bottleneck": tried[short][most - 1],
        "crossover": first,
        "ever": "never" if "Compute" not in tried[long] else "too",
    }


def ridges() -> Found:
    """The ridges of five generations at dense fp16, and whether each is above the one before."""
    chips = {name: Hardware[name] for name in ("V100", "A100", "H100", "H200", "B200")}
    points = {
        name: (chip.peak("fp16") / chip.memory.bandwidth).m_as("FLOP/B")
        for name, chip in chips.items()
    }
    rows = list(points.values())
    grows = all(late > early for early, late in pairwise(rows))
    told = ", ".join(f"{name} {point:.0f}" for name, point in points.items())
    return {"grows": "with every generation" if grows else "not with every one", "points": told}


def summing(message: str, devices: int, both: str) -> Found:
    """A ring all-reduce inside a node, at the bandwidth of both directions and of one."""
    size, wire = Q_(message).m_as("B"), Q_(both).m_as("B/s")
    taken = [
        Q_(eq.ring_all_reduce(size, devices, bandwidth, 0.0) * 1e3, "ms")
        for bandwidth in (wire, wire / 2)
    ]
    return {"claimed_wire": taken[0], "one_way": taken[1]}


def thinking_again(samples: int, context: float) -> Found:
    """What binds when so many chains of thought of Llama-3 8B are written together."""
    step = Engine.solve(Models.Llama3_8B, Hardware.H100, batch_size=samples, seq_len=context)
    return {"bottleneck": step.bottleneck, "memory": step.memory_time, "compute": step.compute_time}


def devices_of_70b(users: int, context: float) -> Found:
    """The H100s that hold Llama-3 70B at fp16, alone and with the caches of some users."""
    room = Hardware.H100.memory.capacity
    weights = Models.Llama3_70B.weights("fp16")
    cache = users * Models.Llama3_70B.kv_cache(context)
    alone, full = (ceil((held / room).m_as("")) for held in (weights, weights + cache))
    return {"alone": alone, "served": full, "weights": weights, "cache": cache}


def peak_of_the_quiz() -> Found:
    """The H100's dense rate at fp16."""
    return {"dense": Hardware.H100.peak("fp16"), "twice": 2 * Hardware.H100.peak("fp16")}


def talk_of_the_paper(**plan: Any) -> Found:
    """What talk and failures take of 1,024 H100 that train Llama-3 70B, overlapped or not."""
    fleet = Systems.Clusters.Training_1K
    hidden, shown = (
        DistributedModel().solve(Models.Llama3_70B, fleet=fleet, overlap=share, **plan)
        for share in (1.0, 0.0)
    )
    fails = ReliabilityModel().solve(fleet)
    saving = 100 * (fails.checkpoint_share + fails.rework_share)
    return {
        "talking": 100 * shown.communication_fraction,
        "hidden": 100 * hidden.communication_fraction,
        "saving": saving,
        "ratio": saving / (100 * shown.communication_fraction),
    }


def made_or_run(days: float) -> Found:
    """The part of a cloud server's carbon that is in its making, on two grids."""
    usual, clean = (
        SustainabilityModel().solve(Systems.Clusters.Research_256, days, grid).embodied_share
        for grid in ("US_Average", "Quebec")
    )
    return {"usual": 100 * usual, "clean": 100 * clean}


RECOMPUTATIONS = (
    users_of_a_chip,
    crossing,
    ridges,
    summing,
    thinking_again,
    devices_of_70b,
    peak_of_the_quiz,
    talk_of_the_paper,
    made_or_run,
)
