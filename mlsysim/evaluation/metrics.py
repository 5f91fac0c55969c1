"""What can be known of a whole system: its metrics, in parts that are known or unknown together.

Each part is a Result that solvers' results flow into as SI numbers. `walls` names the wall that its
metrics stand against, where that is not the one which binds; `needs` says which section and key of
a system make the part known, and how to write it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from mlsysim.core import units as u
from mlsysim.core.solver import Result
from mlsysim.evaluation.sections import SERVE, TRAIN

Needs = tuple[str, str, str]

ROOFS = {"Compute": 1, "Memory": 2, "Overhead": 3}  # the walls behind a Profile's bottleneck
BATCHING, TAIL, TALK, FAILURES = 5, 7, 14, 15
MOSTLY = 0.5  # a part of the time by which a wall binds


class Part(Result):
    """Metrics that are known together."""

    needs: ClassVar[Needs | None] = None

    @classmethod
    def of(cls, found: Result, **own: Any) -> Any:
        """What this part names of what a solver found, and values of its own."""
        names = cls._fields.keys() & {*found.fields} - own.keys()
        return cls(**{name: found.si(name) for name in names}, **own)


def read(parts: Iterable[Part]) -> dict[str, Any]:
    """The metrics of several parts by name, each with its unit."""
    return {name: getattr(part, name) for part in parts for name in part.fields}


class Measured(NamedTuple):
    """What a system does: its metrics in parts, whether it can, and which wall binds it."""

    parts: tuple[Part, ...]
    feasible: bool
    reason: str
    wall: int
    why: str
    notes: tuple[str, ...] = ()

    @classmethod
    def impossible(cls, reason: str, wall: int, *parts: Part) -> Measured:
        """What cannot be done at all, and the wall that it meets."""
        return cls(parts, False, reason, wall, reason)

    def noting(self, *notes: str) -> Measured:
        """The same, and what to know beside it."""
        return self._replace(notes=(*self.notes, *filter(None, notes)))


class Serving(Part):
    """What a request takes, from the prompt to the last token, its waiting included.

    `throughput` is the fleet's; `batch` is how many decode together on a replica, and `max_batch`
    how many fit.
    """

    ttft: u.Seconds = "ms"
    itl: u.Seconds = "ms"
    latency: u.Seconds = "s"
    throughput: u.Rate = "token/s"
    batch: u.Number
    max_batch: u.Number
    prefill_bottleneck: str
    decode_bottleneck: str


class Step(Part):
    """One step of each replica, its devices' talk included; throughput is the fleet's."""

    latency: u.Seconds = "ms"
    throughput: u.Rate = "1/s"
    compute_time: u.Seconds = "ms"
    memory_time: u.Seconds = "ms"
    overhead: u.Seconds = "ms"
    operations: u.Operations = "GFLOP"
    traffic: u.Bytes = "GB"
    arithmetic_intensity: u.Intensity = "FLOP/B"
    ridge_point: u.Intensity = "FLOP/B"


class Training(Part):
    """One step of training in the whole fleet, and the plan that it is divided by."""

    step_time: u.Seconds = "s"
    token_throughput: u.Rate = "token/s"
    samples: u.Rate = "sample/s"
    mfu: u.Number
    scaling_efficiency: u.Number
    compute_time: u.Seconds = "s"
    bubble_time: u.Seconds = "s"
    tensor_time: u.Seconds = "s"
    context_time: u.Seconds = "s"
    pipeline_time: u.Seconds = "s"
    expert_time: u.Seconds = "s"
    exposed_data_time: u.Seconds = "s"
    communication_fraction: u.Number
    operations: u.Operations = "EFLOP"
    tensor_parallel: u.Count
    pipeline_parallel: u.Count
    data_parallel: u.Count
    expert_parallel: u.Count
    microbatch: u.Batch


class Run(Part):
    """A whole training run: without failures, and as long as it takes with them."""

    needs = ("workload", "tokens", "say how many it trains on, as in tokens: 15000000000000")

    training_time: u.Seconds = "day"
    elapsed_time: u.Seconds = "day"


class Load(Part):
    """What the fleet is, and how many requests it can take."""

    devices: u.Count
    replicas: u.Count
    tensor_parallel: u.Count
    requests: u.Rate = "request/s"
    energy_per_request: u.Energy = "J"


class Queue(Part):
    """How the fleet stands under the requests that arrive, and what these take in all.

    `devices_needed` is the fewest that keep the constraints at no more than 80 % load.
    """

    walls = (7,)
    needs = (
        "workload",
        "arrival_rate_qps",
        "say how often requests arrive, as in arrival_rate_qps: 100",
    )

    utilization: u.Number
    devices_needed: u.Count
    mean_latency: u.Seconds = "ms"
    p50_latency: u.Seconds = "ms"
    p99_latency: u.Seconds = "ms"
    p50_ttft: u.Seconds = "ms"
    p99_ttft: u.Seconds = "ms"


class Held(Part):
    """What one device must hold, and what it can."""

    walls = (2,)

    memory_required: u.Bytes = "GB"
    weights: u.Bytes = "GB"
    gradients: u.Bytes = "GB"
    optimizer_state: u.Bytes = "GB"
    kv_cache: u.Bytes = "GB"
    activations: u.Bytes = "GB"
    memory_capacity: u.Bytes = "GB"
    datapath: str


class Battery(Part):
    """A device that sleeps between requests: its mean power, and how long a battery lasts."""

    needs = (
        "environment",
        "battery",
        "give one and how often it is used, as in battery: 2.4 kJ and arrival_rate_qps: 0.1, "
        "on a device that sleeps in between",
    )

    duty_cycle: u.Fraction
    average_power: u.Power = "W"
    battery_life: u.Seconds = "day"


class Uptime(Part):
    """How often the fleet fails, and what is left of its time."""

    walls = (15,)

    mtbf: u.Seconds = "hour"
    goodput: u.Number
    optimal_interval: u.Seconds = "min"


class Bill(Part):
    """What the fleet costs over the duration."""

    walls = (17,)
    needs = ("environment", "duration", "say how long, as in duration: 1 year")

    tco: u.Money = "USD"
    tco_usd: float
    capex: u.Money = "USD"
    purchase: u.Money = "USD"
    energy_cost: u.Money = "USD"
    maintenance: u.Money = "USD"
    energy_share: u.Number
    cost_per_accelerator: u.HourlyPrice = "USD/hour"
    rent: u.Money = "USD"
    breakeven_utilization: u.Number


class Footprint(Part):
    """What the fleet emits and takes where it stands, over the duration."""

    walls = (18,)
    needs = (
        "environment",
        "grid and duration",
        "say where and how long, as in grid: Quebec, duration: 30 days",
    )

    carbon: u.Mass = "t"
    carbon_footprint_kg: float
    water: u.Volume = "L"
    embodied: u.Mass = "t"
    energy: u.Energy = "MWh"
    it_energy: u.Energy = "MWh"


def parts_of(phase: str) -> tuple[type[Part], ...]:
    """The parts that a system may have in a phase."""
    if phase == TRAIN:
        return Training, Run, Load, Held, Uptime, Bill, Footprint
    return Serving if phase == SERVE else Step, Load, Queue, Held, Battery, Bill, Footprint
