"""What a system does that answers requests: a server under its load, or one step by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.core.identity import once
from mlsysim.core.solver import Result, show
from mlsysim.equations import node
from mlsysim.equations import serving as eq
from mlsysim.equations import system as fleets
from mlsysim.evaluation.metrics import (
    BATCHING,
    MOSTLY,
    ROOFS,
    TAIL,
    TALK,
    Battery,
    Held,
    Load,
    Measured,
    Part,
    Queue,
    Serving,
    Step,
)
from mlsysim.evaluation.replicas import answer_tokens, grouped, one_step, replica_for, server_of
from mlsysim.evaluation.sections import FleetSpec, OneStep, Serve, keeping
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.solvers.fleet.group import Group
from mlsysim.solvers.node.inflight import InFlight, Server
from mlsysim.solvers.node.replica import Replica
from mlsysim.solvers.node.serving import ServingModel, TailLatencyModel
from mlsysim.solvers.ops.footprint import energy_use, hosted
from mlsysim.systems.types import Node

BUSY = 0.8  # the load that a fleet is planned for; what is above leaves little for bursts
MOST_SLOTS = 100_000  # TailLatencyModel takes no more servers
_LINK = "node.interconnect.bandwidth"
_HARDLY = 1e-9  # of what a replica can do: a rate at which nobody waits

_WAITS = {
    1: "waits for arithmetic",
    2: "waits for memory",
    3: "waits for the dispatch of its kernels",
    TALK: "waits for the devices of a replica to sum what they computed",
}


def answering(system: SystemSpec, work: Serve | OneStep) -> Measured:
    """Serve requests, or run one step, on every replica of the fleet."""
    group = grouped(work, system.fleet)
    if group.fault:
        return Measured.impossible(group.fault, TALK, Load(devices=group.fleet.devices))
    try:
        if isinstance(work, OneStep):
            done = _step(system, work, group)
        elif (rate := work.arrival_rate_qps) is None:
            done = _together(system, work, group)
        else:
            done = _serving(system, work, group, float(rate.m_as("1/s")))
    except MissingValue as error:
        if error.field == _LINK and system.fleet.hardware is not None:
            raise MissingValue(group.device.name, _LINK, _written(system)) from None
        raise
    return done.noting(kept_free(system.fleet), work.run_by(system.fleet.usable.hw))


def _written(system: SystemSpec) -> str:
    """How to say what a link does that no registry knows."""
    device, count = system.fleet.hardware, system.fleet.entry.node.accelerators
    parts = f"accelerator: {device.stem if device else ''}, accelerators: {count}"
    link = "interconnect: {bandwidth: 32 GB/s}"
    return f"in place of hardware write node: {{name: box, {parts}, {link}}}"


def kept_free(place: FleetSpec) -> str:
    """A note on the memory that nothing is put in; empty where all is used."""
    return _kept_free(place.entry.node, place.kept_free)


@once
def _kept_free(server: Node, part: float) -> str:
    all_of_it, used = (each.accelerator.memory.capacity for each in (server, keeping(server, part)))
    free = f"{part:.0%} of the memory is kept free"
    return f"{free}: {show(used)} of {show(all_of_it)} are used" if part else ""


# ---- serving -------------------------------------------------------------------------------------


def _together(system: SystemSpec, work: Serve, group: Group) -> Measured:
    """A batch of requests that come at once, one unless told, and nobody else."""
    batch, tokens = work.batch_size or 1, answer_tokens(work)
    ways = group.layout
    how = {
        **work.given(ServingModel),
        "stack": work.level(group.device),
        "batch_size": batch,
        "seq_len": work.prompt,
        "decode_tokens": tokens,
        "tensor_parallel": ways.tensor,
        "pipeline_parallel": ways.pipeline,
        "expert_parallel": ways.expert,
    }
    served = ServingModel().solve(hardware=group.device, fleet=system.fleet.usable, **how)
    latency = served.si("latency")
    rate = node.throughput(group.replicas * batch, latency)
    own = Serving.of(served, throughput=rate * tokens, batch=float(batch))
    parts = own, _load(system, group, rate, latency / batch), Held.of(served)
    if not served.feasible:
        return _too_large(parts, served)
    longest = _longest(own, replica_for(work, group), work, 0.0)
    return Measured(parts, True, "", *longest, served.notes)


def _serving(system: SystemSpec, work: Serve, group: Group, rate: float) -> Measured:
    """Requests that come at a rate and join the batch in flight of a replica.

    They are dealt out to the replicas at random, as each would come to one of them.
    """
    each, answer = server_of(work, group)
    found = answer(rate / group.replicas)
    if each.max_batch < 1:
        return _too_large((_load(system, group, None, None), Held.of(found)), found)
    own = _own(found, each, min(rate, group.replicas * each.max_rate) * answer_tokens(work))
    needed, notes = _fewest(system, work, group, rate)
    queue = Queue.of(found, mean_latency=found.si("latency"), devices_needed=needed)
    busy = each.max_rate**-1 if not found.feasible else _busy(found, each)
    load = _load(system, group, group.replicas * each.max_rate, busy)
    parts = own, load, queue, Held.of(found)
    battery = _battery(system, group, rate * busy / group.replicas)
    parts = parts if battery is None else (*parts, battery)
    if queue.utilization >= 1:
        return _overrun(parts, queue, group, notes)
    wait = found.si("ttft") - found.si("prefill_time")
    wall, why = _longest(own, each.replica, work, wait)
    load = f"At {queue.utilization:.0%} load {why[0].lower()}{why[1:]}"
    return Measured(parts, True, "", wall, load, notes)


def _fewest(
    system: SystemSpec, work: Serve, group: Group, rate: float
) -> tuple[int, tuple[str, ...]]:
    """How many devices keep up with a rate and all constraints, and what to note."""
    each, answer = server_of(work, group)

    def at(replicas: float) -> list[Result]:
        found = answer(rate / replicas)
        return [found, Queue(mean_latency=found.si("latency"))]

    return _needed(system, group, rate / each.max_rate, at)


def _own(found: InFlight, each: Server, throughput: float) -> Serving:
    """What requests take, and which roofs bind them."""
    batch = 1.0 if found.si("batch") is None else max(found.si("batch"), 1.0)
    context = eq.mean_decode_context(each.prompt, each.tokens)
    return Serving.of(
        found,
        throughput=throughput,
        prefill_bottleneck=each.replica.prompt(1.0, each.prompt).bottleneck,
        decode_bottleneck=each.replica.decode(batch, context).bottleneck,
    )


def _busy(found: Result, each: Server) -> float:
    """Seconds of a replica that one request takes, at the batch that it runs with."""
    together = max(found.si("batch"), 1.0)
    return float(eq.request_time(each.prefill, found.si("step_time"), each.steps, together))


def _longest(own: Serving, replica: Replica, work: Serve, wait: float) -> tuple[int, str]:
    """The wall behind the largest part of a request's time, and that part in words."""
    latency, prompt = own.si("latency"), own.si("ttft") - wait
    parts = {"Waiting": wait, "The prompt": prompt, "Decoding": latency - own.si("ttft")}
    what, part = max(parts.items(), key=lambda item: item[1])
    share = f"{what} takes {part / latency:.0%} of a request"
    if what == "Waiting":
        return TAIL, f"{share}; others are before it."
    slow = what == "Decoding"
    word = own.decode_bottleneck if slow else own.prefill_bottleneck
    each, rows = own.si("itl"), (max(own.si("batch"), 1.0), 1.0, DECODE)
    if not slow:
        each, rows = prompt, (1.0, work.prompt, PREFILL)
    said = replica.talk(*rows) if replica.talk else 0.0
    wall = TALK if said > MOSTLY * each else ROOFS[str(word)]
    return wall, f"{share}, and {_WAITS[wall]}."


# ---- one step ------------------------------------------------------------------------------------


def _step(system: SystemSpec, work: OneStep, group: Group) -> Measured:
    """One step of each replica; those who ask for it queue, and each step takes as long."""
    profile, batch = one_step(work, group), work.batch_size
    alone, talk = _latency(work, group, profile)
    latency = alone + talk
    rate = node.throughput(group.replicas * batch, latency)
    own = Step.of(profile, latency=latency, throughput=rate, _counts=profile.si("_counts"))
    load = _load(system, group, rate, latency / batch, profile.si("power"))
    parts, notes = [own, load, Held.of(profile)], profile.notes
    asked = work.arrival_rate_qps
    queue = None
    if asked is not None and profile.feasible:
        arrival = float(asked.m_as("1/s"))

        def at(replicas: float) -> list[Result]:
            return [_waiting(arrival, latency, replicas * batch)]

        needed, more = _needed(system, group, arrival * latency / batch, at)
        queue = Queue.of(*at(group.replicas), devices_needed=needed)
        notes += more
        parts.append(queue)
    battery = _battery(system, group, None if queue is None else queue.utilization)
    parts = tuple(parts) if battery is None else (*parts, battery)
    if not profile.feasible:
        return _too_large(parts, profile)
    if queue is not None and queue.utilization >= 1:
        return _overrun(parts, queue, group, notes)
    wall = TALK if talk > MOSTLY * latency else ROOFS[str(profile.bottleneck)]
    why = f"The step {_WAITS[wall]}."
    if queue is not None:
        why = f"At {queue.utilization:.1%} load {why[0].lower()}{why[1:]}"
    return Measured(parts, True, "", wall, why, notes)


def _latency(work: OneStep, group: Group, profile: Any) -> tuple[float, float]:
    """Seconds of a step: of a device's own work, and of the talk with the others of its replica."""
    phase = DECODE if work.phase == DECODE else PREFILL
    new = 1.0 if phase == DECODE else profile.si("seq_len")
    wires = group.talk(work.precision)
    talk = float(wires(work.batch_size, new, phase)) if wires else 0.0
    return profile.si("latency"), talk


def _waiting(rate: float, latency: float, slots: float) -> Queue:
    """What requests of equal steps wait, and take in all."""
    load = float(eq.offered_load(rate, latency)) / slots
    alike = latency if load < 2 * _HARDLY else None
    if alike is not None or slots > MOST_SLOTS:
        return Queue(utilization=load, mean_latency=alike, p50_latency=alike, p99_latency=alike)
    return Queue.of(
        TailLatencyModel().solve(rate, latency * 1e3, slots, variation=0), utilization=load
    )


# ---- fleets --------------------------------------------------------------------------------------


def _load(system: SystemSpec, group: Group, requests: Any, busy: Any, power: Any = None) -> Load:
    """What the fleet is and can take, when a request keeps a replica `busy` for so long.

    The energy of a request is the servers' over what they answer, waiting included, as in the
    footprint; that of a device without a host is what it takes while it works on one.
    """
    device, work, energy = group.device, system.workload, None
    if power is None and device.tdp is not None:
        power = float(device.tdp.m_as("W"))
    if power is not None and busy is not None and hosted(device):
        asked = getattr(work, "arrival_rate_qps", None)
        rate = requests if asked is None else min(float(asked.m_as("1/s")), requests)
        part = system.environment.power_fraction
        part = part if part is None else float(part)
        energy = energy_use(group.fleet, 1.0, part, None, None).it_energy / rate
    elif power is not None and busy is not None:
        energy = node.energy(group.ways * power, busy)
    return Load(
        devices=group.fleet.devices,
        replicas=group.replicas,
        tensor_parallel=group.ways,
        requests=requests,
        energy_per_request=energy,
    )


def _needed(
    system: SystemSpec, group: Group, held: float, at: Callable[[float], list[Result]]
) -> tuple[int, tuple[str, ...]]:
    """The fewest devices that keep the constraints at no more than BUSY load, and what to note.

    `held` is how many replicas would be busy all the time. Times fall as replicas are added, so a
    constraint that one request alone breaks is broken by any number of them.
    """
    found = cache(at)

    def keeps(limit: Any, replicas: float) -> bool:
        parts = (part for part in found(replicas) if limit.metric in part.fields)
        value = getattr(next(parts, None), limit.metric, None)
        return value is not None and bool(limit.holds(value))

    queued = [limit for limit in system.constraints if limit.metric in _OF_THE_QUEUE]
    ever = [limit for limit in queued if keeps(limit, held / _HARDLY)]
    low = high = max(int(-(-held // BUSY)), 1)
    while not all(keeps(limit, high) for limit in ever):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = all(keeps(limit, middle) for limit in ever)
        low, high = (low, middle) if enough else (middle, high)
    notes = tuple(
        f"no number of devices keeps {limit.text}: one request alone breaks it"
        for limit in queued
        if limit not in ever
    )
    return system.fleet.holding(high * group.ways) * system.fleet.each, notes


def needed(system: SystemSpec) -> int | None:
    """How many devices serve all requests and keep the constraints; None where none arrive."""
    work = system.workload
    if not isinstance(work, Serve) or (rate := work.arrival_rate_qps) is None:
        return None
    group = grouped(work, system.fleet)
    return None if group.fault else _fewest(system, work, group, float(rate.m_as("1/s")))[0]


def least(system: SystemSpec) -> int | None:
    """The smallest `fleet.count` that answers all requests at no more than BUSY load, at once.

    None where none arrive. What times it keeps is not looked at, so constraints may take more.
    Raises what `measure` raises, and BadArgument where a replica cannot be.
    """
    work, place = system.workload, system.fleet
    rate = getattr(work, "arrival_rate_qps", None)
    if rate is None or not isinstance(work, (Serve, OneStep)):
        return None
    asked = float(rate.m_as("1/s"))
    group = grouped(work, place)
    if group.fault:
        raise BadArgument("fleet", place.entry.name, group.fault)
    if isinstance(work, Serve):
        fits = replica_for(work, group).room(work.prompt + answer_tokens(work), 0.0) >= 1
        each = server_of(work, group)[0].max_rate if fits else 0.0
    else:
        each = work.batch_size / sum(_latency(work, group, one_step(work, group)))
    if not each:
        raise BadArgument("fleet", place.entry.name, "not one request fits on a replica")
    return place.holding(max(math.ceil(asked / each / BUSY), 1) * group.ways)


_OF_THE_QUEUE = {
    *("ttft", "p50_ttft", "p99_ttft", "itl", "latency", "mean_latency"),
    *("p50_latency", "p99_latency", "utilization"),
}


def _too_large(parts: Iterable[Part], found: Any) -> Measured:
    """What does not fit meets wall 2, or 5 where only the cache is too much."""
    rest, cache = found.si("weights") + found.si("activations"), found.si("kv_cache")
    alone = rest <= found.si("memory_capacity") < rest + cache
    wall = BATCHING if alone else ROOFS["Memory"]
    return Measured(tuple(parts), False, found.reason, wall, found.reason)


def _overrun(parts: Iterable[Part], queue: Queue, group: Group, notes: tuple[str, ...]) -> Measured:
    """A queue that only grows."""
    have, needed = group.fleet.devices, queue.si("devices_needed")
    load, devices = (
        queue.utilization * have / needed,
        "devices answer" if have > 1 else "device answers",
    )
    reason = (
        f"Requests arrive {queue.utilization:.3g} times as fast as {have:,} {devices} them; "
        f"it takes {needed:,}, at {load:.0%} load."
    )
    return Measured(tuple(parts), False, reason, TAIL, reason, notes)


def _battery(system: SystemSpec, group: Group, duty: float | None) -> Battery | None:
    """Mean power of one device that sleeps between requests, and what its battery makes of it."""
    device, battery = group.device, system.environment.battery
    if duty is None or device.sleep_power is None or device.tdp is None:
        if battery is not None:
            lacking = "sleep_power" if device.sleep_power is None else "tdp"
            raise MissingValue(device.name, lacking, "give one, to know how long a battery lasts")
        return None
    if duty > 1:
        return None
    active, sleep = (float(power.m_as("W")) for power in (device.tdp, device.sleep_power))
    power = fleets.duty_cycled_power(active, sleep, duty)
    if battery is None:
        return Battery(duty_cycle=duty, average_power=power)
    life = fleets.battery_life(float(battery.m_as("J")), power)
    return Battery(duty_cycle=duty, average_power=power, battery_life=life)
