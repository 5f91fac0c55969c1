"""What a system does in each phase: serve, train, or one step alone, over its whole fleet."""

from __future__ import annotations

from typing import Any, NamedTuple

from mlsysim.core.errors import MissingValue
from mlsysim.core.solver import Result
from mlsysim.core.units import Q_, Quantity
from mlsysim.equations import algorithm, node, serving
from mlsysim.equations import system as eq
from mlsysim.evaluation.spec import PLAN, SERVE, TRAIN, SystemSpec
from mlsysim.models.operators import DECODE
from mlsysim.solvers.fleet.distributed import DistributedModel, FleetProfile
from mlsysim.solvers.fleet.group import Group, divided
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.serving import ServingModel, TailLatencyModel
from mlsysim.solvers.node.single import SingleNodeModel

ROOFS = {"Compute": 1, "Memory": 2, "Overhead": 3}  # the walls behind a Profile's bottleneck
BATCHING, TAIL, TALK, FAILURES = 5, 7, 14, 15
MOST_SLOTS = 100_000  # TailLatencyModel takes no more servers
MOSTLY = 0.5
DEFAULTS = {"prompt": 2048, "tokens": 128, "batch_size": 1}  # teaching values, as in ServingModel


class Measured(NamedTuple):
    """What a system does: its metrics, whether it can, and which wall binds it."""

    metrics: dict[str, Any]
    feasible: bool
    reason: str
    wall: int
    why: str
    notes: tuple[str, ...] = ()


def measure(system: SystemSpec) -> Measured:
    """Run the system's phase; raises a BadArgument or MissingValue for what cannot be asked."""
    work = system.workload
    if work.use == TRAIN:
        return _train(system)
    ways = int(system.fleet.tensor_parallel or 1)
    replica = divided(work.entry, system.fleet.entry, ways)
    if replica.fault:
        where = {"devices": replica.fleet.devices}
        return Measured(where, False, replica.fault, TALK, replica.fault)
    return _serve(system, replica) if work.use == SERVE else _step(system, replica)


def _given(part: Any, *keys: str) -> dict[str, Any]:
    """The values that are given, by the names that solvers take them under."""
    values = {key: getattr(part, key) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def picked(result: Result, *names: str) -> dict[str, Any]:
    """Some of a result's fields, with their units."""
    return {name: getattr(result, name) for name in names}


# ---- serving -------------------------------------------------------------------------------------


def answered(system: SystemSpec) -> int:
    """Tokens that one request is answered with, its thinking included."""
    work = system.workload
    return int((work.tokens or DEFAULTS["tokens"]) * (work.reasoning_steps or 1))


def _serve(system: SystemSpec, replica: Group) -> Measured:
    work, tokens = system.workload, answered(system)
    batch, prompt = (int(getattr(work, k) or DEFAULTS[k]) for k in ("batch_size", "prompt"))
    served = ServingModel().solve(
        replica.model,
        replica.device,
        seq_len=prompt,
        decode_tokens=tokens,
        batch_size=batch,
        precision=work.precision,
        efficiency=work.efficiency,
    )
    talk = [replica.reduce_time(rows, work.precision) for rows in (batch * prompt, batch)]
    ttft, itl = served.si("ttft") + talk[0], served.si("itl") + talk[1]
    latency = float(serving.generation_time(ttft, itl, tokens))
    metrics = {
        "ttft": Q_(ttft * 1e3, "ms"),
        "itl": Q_(itl * 1e3, "ms"),
        "latency": Q_(latency, "s"),
        "throughput": _rate(replica.replicas * batch * tokens, latency),
        **_load(system, replica, batch, latency),
        **_energy(replica, batch, latency),
        **picked(
            served,
            "memory_required",
            "weights",
            "kv_cache",
            "memory_capacity",
            "prefill_bottleneck",
            "decode_bottleneck",
            "datapath",
        ),
    }
    decoding = latency - ttft
    slow = decoding > ttft
    word = served.decode_bottleneck if slow else served.prefill_bottleneck
    part, each, said = (decoding, itl, talk[1]) if slow else (ttft, ttft, talk[0])
    wall = TALK if said > MOSTLY * each else ROOFS[str(word)]
    why = (
        f"{'Decoding' if slow else 'The prompt'} takes {part / latency:.0%} of a request, "
        f"and {_WAITS[wall]}."
    )
    return _stable(
        Measured(metrics, bool(served.feasible), served.reason, wall, why, served.notes), served
    )


_WAITS = {
    1: "waits for arithmetic",
    2: "waits for memory",
    3: "waits for the dispatch of its kernels",
    TALK: "waits for the devices of a replica to sum what they computed",
}


def _rate(amount: float, time: float) -> Quantity:
    return Q_(float(node.throughput(amount, time)), "1/s")


def _load(system: SystemSpec, replica: Group, batch: int, latency: float) -> dict[str, Any]:
    """What the fleet can take, and how it stands under the requests that arrive."""
    slots = replica.replicas * batch
    load: dict[str, Any] = {
        "requests": _rate(slots, latency),
        "devices": replica.fleet.devices,
        "replicas": replica.replicas,
    }
    arrival = system.workload.arrival_rate_qps
    if arrival is None:
        return load
    rate = float(arrival.m_as("1/s"))
    assert replica.fleet.node is not None
    unit = max(replica.ways, int(replica.fleet.node.accelerators))
    needed = algorithm.devices_needed(rate, latency, batch / replica.ways, unit)
    load |= {
        "utilization": float(serving.offered_load(rate, latency)) / slots,
        "devices_needed": int(needed),
    }
    if slots <= MOST_SLOTS:
        tail = TailLatencyModel().solve(rate, Q_(latency, "s"), slots)
        load |= picked(tail, "mean_latency", "p99_latency")
    return load


def _energy(replica: Group, batch: int, latency: float) -> dict[str, Any]:
    if replica.device.tdp is None:
        return {"energy_per_request": None}
    power = replica.ways * float(replica.device.tdp.m_as("W"))
    return {"energy_per_request": Q_(float(node.energy(power, latency)) / batch, "J")}


def _stable(measured: Measured, result: Any) -> Measured:
    """What does not fit meets wall 2, or 5 where only the cache is too much; then the queue."""
    metrics = measured.metrics
    if not measured.feasible:
        rest = result.si("weights") + result.si("activations")
        cache = rest <= result.si("memory_capacity") < rest + result.si("kv_cache")
        wall = BATCHING if cache else ROOFS["Memory"]
        return measured._replace(wall=wall, why=measured.reason)
    utilization = metrics.get("utilization")
    if utilization is not None and utilization >= 1:
        reason = (
            f"Requests arrive {utilization:.3g} times as fast as {metrics['devices']:,} devices "
            f"answer them; it takes at least {metrics['devices_needed']:,}."
        )
        return measured._replace(feasible=False, reason=reason, wall=TAIL, why=reason)
    return measured


# ---- one step alone ------------------------------------------------------------------------------


def _step(system: SystemSpec, replica: Group) -> Measured:
    work = system.workload
    batch = int(work.batch_size or 1)
    profile = SingleNodeModel().solve(
        replica.model,
        replica.device,
        batch_size=batch,
        precision=work.precision,
        phase=work.use,
        efficiency=work.efficiency,
        **_given(work, "seq_len"),
    )
    rows = batch if work.use == DECODE else batch * profile.si("seq_len")
    talk = replica.reduce_time(rows, work.precision)
    latency = profile.si("latency") + talk
    metrics = {
        "latency": Q_(latency * 1e3, "ms"),
        "throughput": _rate(replica.replicas * batch, latency),
        **_load(system, replica, batch, latency),
        **_energy(replica, batch, latency),
        **picked(
            profile,
            "compute_time",
            "memory_time",
            "overhead",
            "operations",
            "traffic",
            "arithmetic_intensity",
            "ridge_point",
            "memory_required",
            "weights",
            "kv_cache",
            "activations",
            "memory_capacity",
            "datapath",
        ),
        **_battery(system, replica, latency),
    }
    wall = TALK if talk > MOSTLY * latency else ROOFS[str(profile.bottleneck)]
    return _stable(
        Measured(
            metrics,
            bool(profile.feasible),
            profile.reason,
            wall,
            f"The step {_WAITS[wall]}.",
            profile.notes,
        ),
        profile,
    )


def _battery(system: SystemSpec, replica: Group, latency: float) -> dict[str, Any]:
    """Mean power of one device that sleeps between requests, and what its battery makes of it."""
    arrival, device = system.workload.arrival_rate_qps, replica.device
    if arrival is None or device.sleep_power is None or device.tdp is None:
        if system.environment.battery is not None:
            lacking = "sleep_power" if device.sleep_power is None else "tdp"
            raise MissingValue(device.name, lacking, "give one, to know how long a battery lasts")
        return {}
    load = float(serving.offered_load(arrival.m_as("1/s"), latency)) / replica.fleet.devices
    if load > 1:
        return {}
    active, sleep = (float(p.m_as("W")) for p in (device.tdp, device.sleep_power))
    power = eq.duty_cycled_power(active, sleep, load)
    found: dict[str, Any] = {"duty_cycle": load, "average_power": Q_(power, "W")}
    if system.environment.battery is not None:
        life = eq.battery_life(float(system.environment.battery.m_as("J")), power)
        found["battery_life"] = Q_(life, "s").to("day")
    return found


# ---- training ------------------------------------------------------------------------------------

_TRAINED = (
    "step_time",
    "training_time",
    "token_throughput",
    "mfu",
    "scaling_efficiency",
    "compute_time",
    "bubble_time",
    "tensor_time",
    "pipeline_time",
    "expert_time",
    "exposed_data_time",
    "communication_fraction",
    "memory_required",
    "weights",
    "gradients",
    "optimizer_state",
    "activations",
    "memory_capacity",
    "operations",
    "devices",
    "tensor_parallel",
    "pipeline_parallel",
    "data_parallel",
    "expert_parallel",
    "microbatch",
)


def _train(system: SystemSpec) -> Measured:
    work, place = system.workload, system.fleet.entry
    common = {
        "model": work.entry,
        "fleet": place,
        "precision": work.precision,
        "efficiency": work.efficiency,
        **_given(work, "batch_size", "seq_len", "optimizer", "overlap", "tokens"),
    }
    plan, notes = _given(system.fleet, *PLAN, "interleave"), ()
    common |= _given(system.fleet, "sequence_parallel")
    if plan or place.devices == 1:
        profile = DistributedModel().solve(**common, **plan)
    else:
        search = ParallelismOptimizer().solve(**common)
        if not search.feasible:
            devices = {"devices": place.devices}
            wall = ROOFS["Memory"] if "memory" in search.rejected_because else TALK
            return Measured(devices, False, search.reason, wall, search.reason)
        profile = search.best
        assert isinstance(profile, FleetProfile)
        found = {"zero_stage": int(search.zero_stage), "recompute": search.recompute}
        notes = (
            f"the plan was searched for, among {search.considered:,}: "
            + ", ".join(f"{key} {value}" for key, value in found.items()),
        )
    metrics = picked(profile, *_TRAINED)
    metrics["samples"] = profile.throughput
    faults = _given(system.fleet, "mtbf", "checkpoint_time", "restart_time")
    failing = ReliabilityModel().solve(place, **faults)
    metrics |= picked(failing, "mtbf", "goodput", "optimal_interval")
    metrics["elapsed_time"] = None
    if not profile.feasible or profile.si("step_time") is None:
        lacks = profile.si("memory_required") is not None
        return Measured(
            metrics,
            False,
            profile.reason,
            ROOFS["Memory"] if lacks else TALK,
            profile.reason,
            (*notes, *profile.notes),
        )
    if profile.training_time is not None and failing.feasible:
        metrics["elapsed_time"] = profile.training_time / failing.goodput
    notes = (*notes, *profile.notes, *failing.notes)
    if not failing.feasible:
        return Measured(metrics, False, failing.reason, FAILURES, failing.reason, notes)
    return Measured(metrics, True, "", *_slowest(system, profile, failing.goodput), notes)


def _slowest(system: SystemSpec, profile: FleetProfile, goodput: float) -> tuple[int, str]:
    """The wall behind the largest part of a training run's time, and that part in words."""
    step, place = profile.si("step_time"), system.fleet.entry
    assert place.hw is not None
    peak = place.hw.supply(system.workload.precision).peak
    arithmetic = node.compute_time(
        profile.si("operations"), profile.si("devices") * peak, system.workload.efficiency
    )
    busy = profile.si("compute_time")
    roof = ROOFS["Compute"] if arithmetic > MOSTLY * busy else ROOFS["Memory"]
    parts = {
        (roof, "each device's own work"): goodput * busy / step,
        (TALK, "devices that wait for each other"): goodput * (1 - busy / step),
        (FAILURES, "failures, and the checkpoints against them"): 1 - goodput,
    }
    (wall, words), share = max(parts.items(), key=lambda item: item[1])
    return wall, f"{share:.0%} of the time goes to {words}."
