"""Walls 15 and 16: how often a fleet fails, and how long its tenants wait for a turn."""

from __future__ import annotations

from functools import partial
from operator import truediv
from typing import Annotated, Any, ClassVar

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import Q_, Dim, Names
from mlsysim.equations import fleet as eq
from mlsysim.equations import serving
from mlsysim.literature.registry import Literature
from mlsysim.solvers.node.single import total
from mlsysim.systems.types import Fleet

PerDay = Annotated[Any, Dim("1/s", bare="1/day")]
_LONG_CHECKPOINT = 0.1  # of the time between failures: from here on Young's interval is a guess
_NEVER = 0.01  # of the time: with less left for work, a day of it takes over three months
_TIMES = ("interval", "checkpoint_time", "restart_time", "mtbf")
_MORE_OFTEN = {"measured": "", "pessimistic": "Pessimistic_"}  # rows of Literature.Reliability


def _why_never(r: Reliability) -> str:
    return (
        f"The fleet fails every {show(r.mtbf)} on average, and checkpoints, lost work and restarts "
        f"take {100 * r.waste:.4g} % of the time; write checkpoints faster or use fewer devices."
    )


class Reliability(Result):
    """How often a fleet fails, and what part of its time is left for the job.

    `mtbf` follows from the parts in each node; `mtbf_published` scales the interruptions that
    Llama 3 reported, of every cause, to this number of devices. `failure_shares` says which parts
    are behind the failures. `goodput` and the shares of checkpoints, rework and restarts are parts
    of all time and add up to one; a fleet that leaves less than a hundredth is not feasible.
    `elapsed_time` is that of a `training_time` with all that failures and checkpoints add to it.
    """

    walls = (15,)
    # the interval is best for the checkpoint that it was asked about, not for another
    feeds: ClassVar[dict] = {"elapsed_time": "duration_days", "interval": None}

    mtbf: u.Seconds = "hour"
    mtbf_published: u.Seconds = "hour"
    failure_rate: u.Rate = lazily("1/day", partial(eq.failure_rate, 1), "mtbf")
    failure_shares: dict
    checkpoint_time: u.Seconds = "s"
    optimal_interval: u.Seconds = "min"
    interval: u.Seconds = "min"
    restart_time: u.Seconds = "min"
    goodput: u.Number = lazily("", eq.goodput, *_TIMES)
    checkpoint_share: u.Number = lazily(
        "", eq.checkpoint_share, "goodput", "checkpoint_time", "interval"
    )
    rework_share: u.Number = lazily("", eq.rework_share, *_TIMES)
    restart_share: u.Number = lazily("", eq.restart_share, "restart_time", "mtbf")
    waste: u.Number = lazily("", total, "checkpoint_share", "rework_share", "restart_share")
    feasible: bool = lazily("", lambda goodput: _plain(goodput >= _NEVER), "goodput")
    reason: str = because(_why_never)
    training_time: u.Seconds | None = "day"
    elapsed_time: u.Seconds | None = lazily("day", truediv, "training_time", "goodput")
    expected_failures: u.Number
    survival: u.Fraction
    devices: u.Count
    notes: tuple


def _rates(nodes: Any, counted: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Failures a second of each kind of part, by the times given or else by those of the cited."""
    rates, known = {}, Literature.Reliability
    for name, (count, given, row) in counted.items():
        stem = f"{prefix}{row}_mtbf"
        if given is not None or stem in known:
            each = _hours(known[stem]) if given is None else given
            rates[name] = eq.failure_rate(nodes * count, each)
    return rates


class ReliabilityModel(Solver):
    """Wall 15: how often a fleet fails, how often to checkpoint, and what is left of its time.

    The parts of a node fail independently, and each failure stops the job: its devices, its network
    ports with a cable each, its power supplies, and all else that stops jobs, counted for each
    device. As `measured` they add up to the 419 interruptions of Llama 3; the `pessimistic` ones
    are four parts of a teaching example that fails once in 19.9 hours at 1,024 devices.

    Fallacy: "Our parts fail once in six years, so failures are rare." There are thousands of them.
    """

    walls = (15,)

    def solve(
        self,
        fleet: Given[Fleet],
        *,
        parts: Annotated[str, Names(*_MORE_OFTEN)] = "measured",
        checkpoint_time: u.Seconds = 60.0,
        restart_time: u.SecondsOrZero = 600.0,
        interval: u.Seconds | None = None,
        duration_days: u.Days | None = None,
        training_time: u.Seconds | None = None,
        mtbf: u.Seconds | None = None,
        device_mtbf: u.Seconds | None = None,
        nic_mtbf: u.Seconds | None = None,
        cable_mtbf: u.Seconds | None = None,
        psu_mtbf: u.Seconds | None = None,
        other_mtbf: u.Seconds | None = None,
        psus_per_node: u.CountOrZero = 2.0,
    ) -> Reliability:
        """Failures of the fleet and the goodput that they leave.

        A part's time between failures is that of `parts` unless given; `mtbf`, when given, is the
        whole fleet's and takes the place of them all. `checkpoint_time` (60 s, in which the
        job stands still) and `restart_time` (10 minutes) are teaching values. Without an `interval`
        checkpoints are written at the best one. Failures are expected over `duration_days`, or else
        over what a run of `training_time` takes with them. Numbers may be arrays, giving columns.
        """
        node, known = fleet.node, Literature.Reliability
        ports = node.nics or node.accelerators
        counted = {
            "device": (node.accelerators, device_mtbf, "GPU"),
            "nic": (ports, nic_mtbf, "NIC"),
            "cable": (ports, cable_mtbf, "Cable"),
            "psu": (psus_per_node, psu_mtbf, "PSU"),
            "other": (node.accelerators, other_mtbf, "Other"),
        }
        rates = _rates(fleet.count, counted, _MORE_OFTEN[parts])
        notes = [] if node.nics else [f"the network ports of {node.name}: one for each device"]
        if mtbf is None:
            total = sum(rates.values())
            mtbf = eq.mean_time_between_failures(total)
            shares = {name: rate / total for name, rate in rates.items()}
        else:
            shares, notes = {}, []
        if np.any(np.asarray(checkpoint_time) > _LONG_CHECKPOINT * np.asarray(mtbf)):
            notes.append(
                "a checkpoint takes more than a tenth of the time between failures: "
                "the best interval, of first order, is then a guess"
            )
        best = eq.young_daly(checkpoint_time, mtbf)
        interval = best if interval is None else interval
        published = eq.failure_rate(fleet.devices, _hours(known.Llama3_gpu_hours_per_interruption))
        if duration_days is None and training_time is not None:
            duration_days = training_time / eq.goodput(
                interval, checkpoint_time, restart_time, mtbf
            )
        return Reliability(
            mtbf=mtbf,
            training_time=training_time,
            mtbf_published=eq.mean_time_between_failures(published),
            failure_shares=shares,
            checkpoint_time=checkpoint_time,
            optimal_interval=best,
            interval=interval,
            restart_time=restart_time,
            devices=fleet.devices,
            notes=tuple(notes),
            **_over(duration_days, mtbf),
        )


def _over(duration: Any, mtbf: Any) -> dict[str, Any]:
    """What to expect of a run of a given length; nothing when none is given."""
    if duration is None:
        return {"expected_failures": None, "survival": None}
    return {
        "expected_failures": eq.littles_law(eq.failure_rate(1, mtbf), duration),
        "survival": eq.survival(duration, mtbf),
    }


def _hours(finding: Any) -> float:
    """A published time, in seconds."""
    return float(finding.value.m_as("s"))


class Orchestration(Result):
    """How long a job waits for its share of a fleet; None where the queue never settles.

    The fleet is `servers` equal partitions of `devices_per_job`; `idle_devices` are left over.
    """

    walls = (16,)

    wait: u.Seconds = "hour"
    turnaround: u.Seconds = "hour"
    delayed: u.Fraction
    queue_length: u.Number
    utilization: u.Number
    stable: bool
    feasible: bool
    reason: str
    servers: u.Count
    devices: u.Count
    devices_per_job: u.Count
    idle_devices: u.CountOrZero
    capacity: u.Rate = "1/day"
    arrival_rate: u.Rate = "1/day"


class OrchestrationModel(Solver):
    """Wall 16: how long jobs of many tenants wait for a part of the fleet.

    Jobs of equal size and length arrive at random and take turns at as many partitions as the fleet
    holds (M/D/c). With one partition it is the M/D/1 queue.

    Fallacy: "At 95 % utilisation we use what we paid for." The last percent costs days of waiting.
    """

    walls = (16,)

    def solve(
        self,
        fleet: Given[Fleet],
        *,
        jobs_per_day: PerDay,
        job_duration: u.Seconds,
        devices_per_job: u.Count = 8.0,
    ) -> Orchestration:
        """Mean wait and turnaround of a job that holds its devices for `job_duration`.

        `jobs_per_day` and `job_duration` may be arrays, giving columns.
        """
        servers = np.floor(fleet.devices / devices_per_job)[()]
        load = eq.littles_law(jobs_per_day, job_duration)
        holds = servers >= 1
        places = np.maximum(servers, 1)
        stable = holds & (load < places)
        delayed = serving.erlang_c(load, places)
        wait = eq.deterministic_wait(job_duration, load, places, delayed)
        wait, delayed = (np.where(stable, value, np.nan)[()] for value in (wait, delayed))
        settled = {
            "wait": wait,
            "turnaround": wait + job_duration,
            "delayed": delayed,
            "queue_length": eq.littles_law(jobs_per_day, wait),
        }
        if np.ndim(stable) == 0 and not stable:
            settled = dict.fromkeys(settled)
        return Orchestration(
            **settled,
            utilization=load / places if np.all(holds) else None,
            stable=_plain(stable),
            feasible=_plain(stable),
            reason=_why_waiting(fleet, devices_per_job, servers, load, job_duration),
            servers=servers,
            devices=fleet.devices,
            devices_per_job=devices_per_job,
            idle_devices=fleet.devices - servers * devices_per_job,
            capacity=servers / job_duration,
            arrival_rate=jobs_per_day,
        )


def _plain(flag: Any) -> Any:
    return flag if np.ndim(flag) else bool(flag)


def _why_waiting(fleet: Fleet, devices_per_job: Any, servers: Any, load: Any, duration: Any) -> str:
    """One sentence when there is no steady state; empty for columns and where there is one."""
    if np.ndim(servers) or np.ndim(load):
        return ""
    if servers < 1:
        return f"A job of {devices_per_job:,.0f} devices does not fit a fleet of {fleet.devices:,}."
    if load < servers:
        return ""
    offered, done = (show(Q_(jobs / duration, "1/s").to("1/day")) for jobs in (load, servers))
    return f"Jobs arrive at {offered} and the fleet finishes {done} at most: the queue has no end."
