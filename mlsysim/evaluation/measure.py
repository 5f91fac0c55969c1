"""What a system does in each phase: serve, train, or one step alone, over its whole fleet."""

from __future__ import annotations

from typing import NamedTuple

from mlsysim.core.errors import MissingValue
from mlsysim.equations import algorithm, node, serving
from mlsysim.equations import system as eq
from mlsysim.evaluation.metrics import (
    Battery,
    Held,
    Load,
    Part,
    Queue,
    Run,
    Serving,
    Step,
    Training,
    Uptime,
)
from mlsysim.evaluation.spec import PLAN, FleetSpec, OneStep, Serve, SystemSpec, Train
from mlsysim.models.operators import DECODE
from mlsysim.solvers.fleet.distributed import DistributedModel, FleetProfile
from mlsysim.solvers.fleet.group import Group, divided
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.serving import Served, ServingModel, TailLatencyModel
from mlsysim.solvers.node.single import IDEAL, Profile, SingleNodeModel
from mlsysim.systems.types import Fleet

ROOFS = {"Compute": 1, "Memory": 2, "Overhead": 3}  # the walls behind a Profile's bottleneck
BATCHING, TAIL, TALK, FAILURES = 5, 7, 14, 15
MOST_SLOTS = 100_000  # TailLatencyModel takes no more servers
MOSTLY = 0.5
STACK = (
    IDEAL  # a system is judged by operators one after the other, never by one roof over them all
)


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


def measure(system: SystemSpec) -> Measured:
    """Run the system's phase; raises a BadArgument or MissingValue for what cannot be asked."""
    work, place = system.workload, system.fleet
    if isinstance(work, Train):
        return _train(work, place)
    replica = divided(work.model, place.entry, int(place.tensor_parallel or 1))
    if replica.fault:
        return Measured.impossible(replica.fault, TALK, Load(devices=replica.fleet.devices))
    if isinstance(work, Serve):
        return _serve(system, work, replica)
    return _step(system, work, replica)


# ---- answering requests --------------------------------------------------------------------------

_WAITS = {
    1: "waits for arithmetic",
    2: "waits for memory",
    3: "waits for the dispatch of its kernels",
    TALK: "waits for the devices of a replica to sum what they computed",
}


def _serve(system: SystemSpec, work: Serve, replica: Group) -> Measured:
    batch, prompt, tokens = work.batch_size, work.prompt, work.tokens * work.reasoning_steps
    how = {**work.given(ServingModel), "model": replica.model}
    served = ServingModel().solve(
        **how, hardware=replica.device, seq_len=prompt, decode_tokens=tokens, stack=STACK
    )
    talk = [replica.reduce_time(rows, work.precision) for rows in (batch * prompt, batch)]
    ttft, itl = served.si("ttft_batch") + talk[0], served.si("itl") + talk[1]
    alone = served.si("ttft") + replica.reduce_time(prompt, work.precision)
    latency = float(serving.generation_time(ttft, itl, tokens))
    rate = node.throughput(replica.replicas * batch * tokens, latency)
    own = Serving.of(served, ttft=alone, itl=itl, latency=latency, throughput=rate)
    decoding = latency - ttft
    slow = decoding > ttft
    word = served.decode_bottleneck if slow else served.prefill_bottleneck
    part, each, said = (decoding, itl, talk[1]) if slow else (ttft, ttft, talk[0])
    wall = TALK if said > MOSTLY * each else ROOFS[str(word)]
    what = "Decoding" if slow else "The prompt"
    why = f"{what} takes {part / latency:.0%} of a request, and {_WAITS[wall]}."
    return _loaded(system, replica, batch, own, served, wall, why)


def _step(system: SystemSpec, work: OneStep, replica: Group) -> Measured:
    batch = work.batch_size
    how = {**work.given(SingleNodeModel), "model": replica.model}
    profile = SingleNodeModel().solve(**how, hardware=replica.device, stack=STACK)
    rows = batch if work.phase == DECODE else batch * profile.si("seq_len")
    talk = replica.reduce_time(rows, work.precision)
    latency = profile.si("latency") + talk
    rate = node.throughput(replica.replicas * batch, latency)
    own = Step.of(profile, latency=latency, throughput=rate)
    wall = TALK if talk > MOSTLY * latency else ROOFS[str(profile.bottleneck)]
    return _loaded(system, replica, batch, own, profile, wall, f"The step {_WAITS[wall]}.")


def _loaded(
    system: SystemSpec,
    replica: Group,
    batch: int,
    own: Serving | Step,
    found: Served | Profile,
    wall: int,
    why: str,
) -> Measured:
    """What a replica does, over the whole fleet and under the requests that arrive.

    What does not fit meets wall 2, or 5 where only the cache is too much; then comes the queue.
    """
    latency, power = own.si("latency"), found.si("power")
    energy = None if power is None else node.energy(replica.ways * power, latency) / batch
    slots = replica.replicas * batch
    load = Load(
        devices=replica.fleet.devices,
        replicas=replica.replicas,
        requests=node.throughput(slots, latency),
        energy_per_request=energy,
    )
    queue = _queue(system, replica, batch, latency)
    battery = _battery(system, replica, queue)
    parts = tuple(p for p in (own, load, queue, Held.of(found), battery) if p is not None)
    if not found.feasible:
        rest, cache = found.si("weights") + found.si("activations"), found.si("kv_cache")
        alone = rest <= found.si("memory_capacity") < rest + cache
        wall = BATCHING if alone else ROOFS["Memory"]
        return Measured(parts, False, found.reason, wall, found.reason, found.notes)
    if queue is not None and queue.utilization >= 1:
        reason = (
            f"Requests arrive {queue.utilization:.3g} times as fast as {load.devices:,} devices "
            f"answer them; it takes at least {queue.devices_needed:,}."
        )
        return Measured(parts, False, reason, TAIL, reason, found.notes)
    return Measured(parts, True, "", wall, why, found.notes)


def _queue(system: SystemSpec, replica: Group, batch: int, latency: float) -> Queue | None:
    """How the fleet stands under the requests that arrive; nothing where none are told of."""
    arrival = system.value("workload.arrival_rate_qps")
    if arrival is None:
        return None
    rate, slots = float(arrival.m_as("1/s")), replica.replicas * batch
    unit = max(replica.ways, int(replica.fleet.node.accelerators))
    needed = algorithm.devices_needed(rate, latency, batch / replica.ways, unit)
    own = {
        "utilization": float(serving.offered_load(rate, latency)) / slots,
        "devices_needed": int(needed),
    }
    if slots > MOST_SLOTS:
        return Queue(**own, mean_latency=None, p99_latency=None)
    return Queue.of(TailLatencyModel().solve(rate, latency * 1e3, slots), **own)


def _battery(system: SystemSpec, replica: Group, queue: Queue | None) -> Battery | None:
    """Mean power of one device that sleeps between requests, and what its battery makes of it."""
    device, battery = replica.device, system.environment.battery
    if queue is None or device.sleep_power is None or device.tdp is None:
        if battery is not None:
            lacking = "sleep_power" if device.sleep_power is None else "tdp"
            raise MissingValue(device.name, lacking, "give one, to know how long a battery lasts")
        return None
    duty = queue.utilization
    if duty > 1:
        return None
    active, sleep = (float(power.m_as("W")) for power in (device.tdp, device.sleep_power))
    power = eq.duty_cycled_power(active, sleep, duty)
    if battery is None:
        return Battery(duty_cycle=duty, average_power=power)
    life = eq.battery_life(float(battery.m_as("J")), power)
    return Battery(duty_cycle=duty, average_power=power, battery_life=life)


# ---- training ------------------------------------------------------------------------------------


def _train(work: Train, place: FleetSpec) -> Measured:
    fleet, notes = place.entry, ()
    load = Load(devices=fleet.devices)
    divided = place.given(DistributedModel)
    if not {*PLAN, "interleave"}.isdisjoint(divided) or fleet.devices == 1:
        profile = DistributedModel().solve(**work.given(DistributedModel), **divided, fleet=fleet)
    else:
        asked = {**work.given(ParallelismOptimizer), **place.given(ParallelismOptimizer)}
        search = ParallelismOptimizer().solve(**asked, fleet=fleet)
        if not search.feasible:
            wall = ROOFS["Memory"] if "memory" in search.rejected_because else TALK
            return Measured.impossible(search.reason, wall, load)
        profile = search.best
        assert isinstance(profile, FleetProfile)
        notes = (
            f"the plan was searched for, among {search.considered:,}: "
            f"zero_stage {int(search.zero_stage)}, recompute {search.recompute}",
        )
    failing = ReliabilityModel().solve(fleet, **place.given(ReliabilityModel))
    own = Training.of(profile, samples=profile.si("throughput"))
    parts = own, load, Held.of(profile), Uptime.of(failing)
    notes = (*notes, *profile.notes)
    done = profile.feasible and failing.feasible
    if work.tokens is not None:
        time = profile.si("training_time")
        elapsed = time / failing.si("goodput") if done else None
        parts = own, Run(training_time=time, elapsed_time=elapsed), *parts[1:]
    if not profile.feasible:
        lacks = profile.si("memory_required") is not None
        wall = ROOFS["Memory"] if lacks else TALK
        return Measured(parts, False, profile.reason, wall, profile.reason, notes)
    notes = (*notes, *failing.notes)
    if not failing.feasible:
        return Measured(parts, False, failing.reason, FAILURES, failing.reason, notes)
    return Measured(parts, True, "", *_slowest(work, fleet, profile, failing.si("goodput")), notes)


def _slowest(work: Train, fleet: Fleet, profile: FleetProfile, goodput: float) -> tuple[int, str]:
    """The wall behind the largest part of a training run's time, and that part in words."""
    step, peak = profile.si("step_time"), fleet.hw.supply(work.precision).peak
    arithmetic = node.compute_time(
        profile.si("operations"), profile.si("devices") * peak, work.efficiency
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
