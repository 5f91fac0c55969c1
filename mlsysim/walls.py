"""The map of the 22 walls: where each stands, which term it bends, and what computes it.

A fleet's time is `T = FLOPs / (N * Peak * MFU * eta_scaling * Goodput)`. Fifteen walls bend one of
its terms: how much work there is (FLOPs), how many devices do it and what they lose to each other
(N, with eta_scaling), what one device can do (Peak), what it does do (MFU), and the part of the
time that counts (Goodput). The other seven (7, 10, 17, 18, 20, 21 and 22) cut across them all: they
price, bound or diagnose what the terms give. On one node the same law is
`T = max(OPs / (peak * eta), bytes / BW) + overhead`.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, NamedTuple

from mlsysim.core import plugins
from mlsysim.core.errors import BadArgument, UnknownName

DOMAINS = ("Node", "Data", "Algorithm", "Fleet", "Ops", "Analysis")
TERMS = ("FLOPs", "N", "Peak", "MFU", "Goodput")
_SOURCE = re.compile(r"Source:(.*)", re.DOTALL)


class Wall(NamedTuple):
    """One of the 22 constraints: `term` is None where it cuts across the Iron Law's terms."""

    number: int
    name: str
    domain: str
    term: str | None
    constraint: str
    formula: str
    equations: tuple[str, ...]
    solvers: tuple[str, ...]

    @property
    def functions(self) -> tuple[Any, ...]:
        """The equations themselves, as functions of `mlsysim.equations`."""
        pairs = (name.split(".") for name in self.equations)
        return tuple(getattr(import_module(f"mlsysim.equations.{m}"), f) for m, f in pairs)

    @property
    def models(self) -> tuple[Any, ...]:
        """The solvers themselves, as classes; those of other packages come last."""
        own = (getattr(import_module("mlsysim.solvers"), name) for name in self.solvers)
        others = (kind for kind in plugins.solvers().values() if self.number in kind.walls)
        return (*own, *others)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its equations come from, as each of them says, without repeats."""
        found = (_SOURCE.search(function.__doc__ or "") for function in self.functions)
        return tuple(dict.fromkeys(" ".join(match[1].split()) for match in found if match))


# A table reads best as one: number, name, domain, term, constraint; formula; equations, solvers.
# fmt: off
WALLS: tuple[Wall, ...] = (
    Wall(1, "Compute", "Node", "Peak", "the rate of arithmetic",
         "T = OPs / (peak * eta)",
         ("node.compute_time",), ("SingleNodeModel",)),
    Wall(2, "Memory", "Node", "Peak", "the capacity and bandwidth of memory",
         "T = bytes / BW",
         ("node.memory_time",), ("SingleNodeModel",)),
    Wall(3, "Software", "Node", "MFU", "the part of the peak that software reaches",
         "eta = achieved / peak",
         ("node.utilization",), ("EfficiencyModel",)),
    Wall(4, "Serving", "Node", "MFU", "prefill and decode meet different roofs",
         "TTFT, ITL = max(OPs / (peak * eta), bytes / BW) + overhead",
         ("node.roofline_time", "serving.generation_time"), ("ServingModel",)),
    Wall(5, "Batching", "Node", "MFU", "the KV cache bounds the batch",
         "B = floor(room / state of one sequence)",
         ("serving.slots", "serving.page_rounded"),
         ("ContinuousBatchingModel", "BatchingOptimizer")),
    Wall(6, "Streaming", "Node", "Peak", "the rate at which weights are streamed in",
         "T_layer = max(W / BW_inject, OPs / (peak * eta))",
         ("serving.streamed_layer_time",), ("WeightStreamingModel",)),
    Wall(7, "Tail latency", "Node", None, "waiting grows without bound near saturation",
         "Erlang C (M/M/c)",
         ("serving.erlang_c", "serving.sojourn_quantile"), ("TailLatencyModel",)),
    Wall(8, "Ingestion", "Data", "Goodput", "the rate at which storage supplies samples",
         "rho = BW_demand / BW_supply",
         ("data.load",), ("DataModel",)),
    Wall(9, "Transformation", "Data", "Goodput", "the rate at which samples are prepared",
         "T = B / (C * workers)",
         ("data.transform_time", "data.pipelined_step"), ("TransformationModel",)),
    Wall(10, "Locality", "Data", None, "the bandwidth across the middle of the network",
         "BW_eff = link * beta / oversubscription",
         ("data.effective_bandwidth",), ("TopologyModel",)),
    Wall(11, "Complexity", "Algorithm", "FLOPs", "how much training a budget buys",
         "C = 6 P D, D = 20 P",
         ("algorithm.training_compute", "algorithm.optimal_parameters"), ("ScalingModel",)),
    Wall(12, "Reasoning", "Algorithm", "FLOPs", "thinking longer costs tokens",
         "T = TTFT + K * tokens * ITL",
         ("algorithm.decode_time",), ("InferenceScalingModel",)),
    Wall(13, "Fidelity", "Algorithm", "FLOPs", "fewer bits, and what they cost",
         "r = b0 / b",
         ("algorithm.compression_ratio",), ("CompressionModel",)),
    Wall(14, "Communication", "Fleet", "N", "devices wait for each other",
         "T = 2 (N - 1) / N * M / BW + 2 (N - 1) alpha; bubble = (p - 1) / (m + p - 1)",
         ("fleet.ring_all_reduce", "fleet.bubble_fraction"),
         ("DistributedModel", "ParallelismOptimizer")),
    Wall(15, "Fragility", "Fleet", "N", "parts fail, and many parts fail often",
         "MTBF = 1 / sum(n lambda); tau = sqrt(2 delta MTBF)",
         ("fleet.mean_time_between_failures", "fleet.young_daly"), ("ReliabilityModel",)),
    Wall(16, "Multi-tenant", "Fleet", "N", "jobs queue for a shared cluster",
         "W = rho / (2 mu (1 - rho))",
         ("fleet.deterministic_wait",), ("OrchestrationModel",)),
    Wall(17, "Capital", "Ops", None, "what it costs to own and to run",
         "TCO = CapEx * share + energy + maintenance",
         ("ops.amortized", "ops.energy_cost", "ops.maintenance"), ("EconomicsModel",)),
    Wall(18, "Sustainability", "Ops", None, "the carbon and the water of its energy",
         "CO2 = E * PUE * CI; water = E_IT * WUE",
         ("ops.facility_energy", "ops.carbon", "ops.water"),
         ("SustainabilityModel", "PlacementOptimizer")),
    Wall(19, "Checkpoint", "Ops", "Goodput", "a run stands still to save itself",
         "T_write / (T_interval + T_write)",
         ("ops.checkpoint_overhead",), ("CheckpointModel",)),
    Wall(20, "Safety", "Ops", None, "privacy is bought with noise",
         "sigma = sqrt(2 ln(1.25 / delta)) / epsilon",
         ("ops.gaussian_noise",), ("ResponsibleEngineeringModel",)),
    Wall(21, "Sensitivity", "Analysis", None, "which resource binds",
         "d ln T / d ln x",
         ("analysis.elasticity",), ("SensitivitySolver", "FleetSensitivitySolver")),
    Wall(22, "Synthesis", "Analysis", None, "what a deadline demands",
         "BW >= bytes / T, peak >= OPs / (T * eta)",
         ("analysis.required_bandwidth", "analysis.required_peak"), ("SynthesisSolver",)),
)
# fmt: on


def wall(which: int | str) -> Wall:
    """Look up a wall by its number or its name.

    >>> wall(14).name, wall("Memory").number
    ('Communication', 2)
    """
    if isinstance(which, str):
        for each in WALLS:
            if each.name.casefold() == which.casefold():
                return each
        raise UnknownName("wall", which, [each.name for each in WALLS])
    if isinstance(which, bool) or which not in range(1, len(WALLS) + 1):
        raise BadArgument("wall", which, f"give a number from 1 to {len(WALLS)}, or a name")
    return WALLS[int(which) - 1]


def in_domain(domain: str) -> tuple[Wall, ...]:
    """List the walls of a domain, such as `Fleet`."""
    if domain not in DOMAINS:
        raise UnknownName("domain", domain, DOMAINS)
    return tuple(each for each in WALLS if each.domain == domain)


def bending(term: str | None) -> tuple[Wall, ...]:
    """List the walls that bend a term of the Iron Law; None lists those that cut across."""
    if term is not None and term not in TERMS:
        raise UnknownName("term", term, TERMS)
    return tuple(each for each in WALLS if each.term == term)
