"""Walls 19 and 20: what it costs to be able to start again, and to be allowed to."""

from __future__ import annotations

from operator import mul, truediv
from statistics import NormalDist
from typing import Annotated, Any, ClassVar

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import MissingValue, OutOfRange
from mlsysim.core.solver import Given, Result, Solver, because, lazily, show
from mlsysim.core.units import PRECISIONS, Names
from mlsysim.equations import algorithm, memory, node, ops
from mlsysim.equations import fleet as fleets
from mlsysim.literature.registry import Literature
from mlsysim.models.types import FULL_WIDTH, Workload
from mlsysim.solvers.fleet.reliability import ReliabilityModel
from mlsysim.solvers.node.learning import MOMENTS, Optimizer
from mlsysim.solvers.ops.accountant import sampled_noise
from mlsysim.systems.types import Fleet

# ---- wall 19 ------------------------------------------------------------------------------------


def _why_piled(c: Checkpoint) -> str:
    return (
        f"A write takes {show(c.write_time)} and the next one starts after {show(c.interval)}: "
        f"storage must take {show(c.needed_bandwidth)}, or the interval must grow."
    )


class Checkpoint(Result):
    """One checkpoint and its interval: how large, how long, and what part of the time it costs.

    `blocking_time` is the part of the write during which training stands still. `overhead` is
    blocking over interval plus blocking, so it stays below one. `rework` is the part of the time
    that failures undo before it is saved; it is known when an `mtbf` or a `fleet` was given.
    """

    walls = (19,)
    feeds: ClassVar[dict] = {"blocking_time": "checkpoint_time"}

    size: u.Bytes = "GB"
    bytes_per_parameter: u.Number = lazily("", truediv, "size", "parameters")
    write_time: u.Seconds = "s"
    blocking_time: u.Seconds = "s"
    interval: u.Seconds = "min"
    overhead: u.Fraction = lazily("", ops.checkpoint_overhead, "blocking_time", "interval")
    rework: u.Number | None = lazily(
        "",
        lambda work, save, mtbf: fleets.rework_share(work, save, 0.0, mtbf),
        *("interval", "blocking_time", "_mtbf"),
    )
    feasible: bool
    reason: str = because(_why_piled)
    storage_bandwidth: u.Bandwidth = "GB/s"
    needed_bandwidth: u.Bandwidth | None = lazily(
        "GB/s",
        lambda size, work, save: ops.hidden_write_bandwidth(size, work + save),
        *("size", "interval", "blocking_time"),
    )
    mtbf: u.Seconds | None = "hour"
    optimizer: str
    precision: str
    parameters: u.Number
    notes: tuple
    _mtbf: u.Seconds | None


class CheckpointModel(Solver):
    """Wall 19: how large a checkpoint is, and what saving it costs a run.

    All shards are written at once, so `storage_bandwidth` is that of the whole storage system, or
    of all nodes together when a `fleet` says what each can write. A synchronous save stops
    training for the whole write; an asynchronous one only while the state is copied out of the
    accelerators, at `snapshot_bandwidth` or over the `fleet`'s host links.

    Fallacy: "Checkpoint as often as you can." Below the Young/Daly interval, saving costs more than
    the work that it saves.
    """

    walls = (19,)

    def solve(
        self,
        model: Given[Workload] | None = None,
        *,
        optimal_parameters: u.Number | None = None,
        optimizer: Optimizer = "adam",
        precision: u.Precision = "bf16",
        storage_bandwidth: u.Bandwidth | None = None,
        mtbf: u.Seconds | None = None,
        interval: u.Seconds | None = None,
        fleet: Given[Fleet] | None = None,
        asynchronous: bool = False,
        snapshot_bandwidth: u.Bandwidth | None = None,
    ) -> Checkpoint:
        """Size, write time and overhead of checkpoints `interval` apart.

        The `interval` is the time of work between two saves; when it is left out it is that of
        Young and Daly for the `mtbf`, by default that of the `fleet`'s parts. Weights are stored at
        `precision`, optimizer state in fp32. Without a `model`, `optimal_parameters` (as
        ScalingModel finds them) are saved.
        """
        parameters = optimal_parameters if model is None else model.parameters
        if parameters is None:
            raise MissingValue("the run", "model", "give one, or optimal_parameters=7e9")
        width = PRECISIONS[precision]
        size = algorithm.stored(parameters, width) + memory.optimizer_state(
            parameters, MOMENTS[optimizer], width, FULL_WIDTH
        )  # gradients are not saved
        if storage_bandwidth is None:
            storage_bandwidth = _storage(fleet)
        write = blocking = node.memory_time(size, storage_bandwidth)
        if asynchronous:
            if snapshot_bandwidth is None:
                snapshot_bandwidth = _host_links(fleet)
            blocking = np.minimum(node.memory_time(size, snapshot_bandwidth), write)
        failing, notes = mtbf, ()
        if mtbf is None and fleet is not None:
            failing = ReliabilityModel().solve(fleet).si("mtbf")
        if interval is None:
            if failing is None:
                raise MissingValue("the run", "mtbf", "give mtbf='20 hour', or interval='1 hour'")
            interval = fleets.young_daly(blocking, failing)
            if np.any(blocking > failing / 2):
                notes += ("a save takes over half the time between failures: no interval is good",)
            if asynchronous:  # a write must end before the next one begins
                interval = np.maximum(np.asarray(interval), write - blocking)[()]
        assert interval is not None
        return Checkpoint(
            size=size,
            write_time=write,
            blocking_time=blocking,
            interval=interval,
            feasible=_plain(write <= interval + blocking) if asynchronous else True,
            storage_bandwidth=storage_bandwidth,
            mtbf=mtbf,
            _mtbf=failing,
            optimizer=optimizer,
            precision=precision,
            parameters=parameters,
            notes=notes,
        )


def _plain(truth: Any) -> Any:
    return truth if np.ndim(truth) else bool(truth)


def _storage(fleet: Fleet | None) -> float:
    why = "give storage_bandwidth='200 GB/s', that of the whole storage system"
    if fleet is None:
        raise MissingValue("the run", "storage_bandwidth", why)
    storage = fleet.node.storage
    writing = storage and storage.write_bandwidth
    return float(fleet.count * (writing or fleet.need("node.storage.bandwidth", why)).m_as("B/s"))


def _host_links(fleet: Fleet | None) -> float:
    why = "give snapshot_bandwidth='10 TB/s', at which state leaves the accelerators together"
    if fleet is None:
        raise MissingValue("the run", "snapshot_bandwidth", why)
    return float(fleet.devices * fleet.need("hw.host_link.bandwidth", why).m_as("B/s"))


# ---- wall 20 ------------------------------------------------------------------------------------


class Responsibility(Result):
    """What privacy and fairness ask for: noise, time and samples.

    `noise_multiplier` is the Gaussian mechanism's, for one release; it is `proved` for epsilon
    up to 1. `composed_noise_multiplier` keeps the budget over all `releases` together and holds for
    every epsilon; `sampled_noise_multiplier` is credited with each release seeing a batch alone,
    where a `dataset_size` was given. `gradient_noise` is that of the last of them that applies.
    The slow-downs are measured ones, low and high.
    """

    walls = (20,)

    noise_multiplier: u.Number
    proved: bool
    composed_noise_multiplier: u.Number
    sampled_noise_multiplier: u.Number | None
    sampling_rate: u.Number | None
    gradient_noise: u.Number | None
    noise_to_gradient: u.Number | None
    slowdown_low: float
    slowdown_high: float
    training_time_low: u.Seconds | None = lazily("day", mul, "base_training_time", "slowdown_low")
    training_time_high: u.Seconds | None = lazily("day", mul, "base_training_time", "slowdown_high")
    base_training_time: u.Seconds | None = "day"
    samples_per_group: u.Number
    samples_balanced: u.Number = lazily("", mul, "samples_per_group", "groups")
    samples_at_random: u.Number | None = lazily(
        "", lambda each, share: np.ceil(each / share), "samples_per_group", "smallest_share"
    )
    epsilon: u.Number
    delta: u.Number
    releases: u.Number
    groups: u.Number
    smallest_share: u.Number | None
    notes: tuple


class ResponsibleEngineeringModel(Solver):
    """Wall 20: the price of privacy (noise, slower steps) and of fairness (samples in each group).

    Privacy is the Gaussian mechanism's on gradients clipped to `clip_norm` (DP-SGD), whose batches
    are drawn at random from `dataset_size` records. Fairness is
    the number of test samples with which an error rate in each group is known to `half_width`.

    Fallacy: "Privacy is a slower step." Its larger price is noise, and it shrinks with the batch.
    """

    walls = (20,)

    def solve(
        self,
        epsilon: u.Number,
        delta: u.Fraction = 1e-5,
        *,
        clip_norm: u.Number = 1.0,
        batch_size: u.Batch | None = None,
        releases: u.Count = 1.0,
        dataset_size: u.Count | None = None,
        model: Given[Workload] | None = None,
        base_training_time: u.Seconds | None = None,
        library: Annotated[str, Names("Opacus", "JAX")] = "Opacus",
        groups: u.Count = 2.0,
        smallest_share: u.Fraction | None = None,
        half_width: u.Fraction = 0.05,
        confidence: u.Fraction = 0.95,
        proportion: u.Fraction = 0.5,
    ) -> Responsibility:
        """Noise for a budget (`epsilon`, `delta`) over all `releases`, and samples for groups.

        With a `batch_size` the noise on its mean gradient is known, and with a `model` how long it
        is against the gradient; with a `dataset_size` too, `releases` are steps that each see a
        random batch of it. The defaults of delta, clipping norm, groups, half-width,
        confidence and proportion are teaching values; one half is the worst case of a proportion.
        """
        for name, value in (("delta", delta), ("confidence", confidence)):
            if np.any(np.asarray(value) >= 1):
                raise OutOfRange(name, value, "give a number above 0 and below 1")
        one = ops.gaussian_noise(epsilon, delta)
        together = ops.composed_noise(epsilon, delta, releases)
        sigma = np.where(np.asarray(releases) > 1, together, one)[()]
        known = batch_size is not None
        sampled = rate = None
        if dataset_size is not None:
            rate = _sampling(batch_size, dataset_size)
            sigma = sampled = sampled_noise(epsilon, delta, rate, releases, together)
        low, high, notes = _slowdown(library)
        proved = np.asarray(epsilon) <= 1
        if not proved.all():
            notes += ("the classical bound is proved for epsilon up to 1; above, use the composed",)
        if np.any(np.asarray(releases) > 1) and rate is None:
            notes += ("no credit for sampling, which allows less noise: give a dataset_size",)
        quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])
        deviate = quantile((1 + np.asarray(confidence)) / 2)[()]
        return Responsibility(
            noise_multiplier=one,
            proved=_plain(proved[()]),
            composed_noise_multiplier=together,
            sampled_noise_multiplier=sampled,
            sampling_rate=rate,
            gradient_noise=ops.gradient_noise(sigma, clip_norm, batch_size) if known else None,
            noise_to_gradient=ops.noise_to_gradient(sigma, model.parameters, batch_size)
            if known and model is not None
            else None,
            slowdown_low=low,
            slowdown_high=high,
            base_training_time=base_training_time,
            samples_per_group=ops.samples_for_half_width(deviate, proportion, half_width),
            smallest_share=smallest_share,
            epsilon=epsilon,
            delta=delta,
            releases=releases,
            groups=groups,
            notes=notes,
        )


def _sampling(batch_size: Any, dataset_size: Any) -> Any:
    """The chance with which a step sees one record."""
    if batch_size is None:
        raise MissingValue("DP-SGD", "batch_size", "give batch_size=256, drawn from dataset_size")
    if np.any(np.asarray(batch_size) > np.asarray(dataset_size)):
        raise OutOfRange("batch_size", batch_size, f"give at most dataset_size {dataset_size:,g}")
    return batch_size / dataset_size


def _slowdown(library: str) -> tuple[float, float, tuple[str, ...]]:
    shelf = Literature.Privacy
    names = ("DPSGD_JAX",) if library == "JAX" else ("DPSGD_Opacus_low", "DPSGD_Opacus_high")
    found = [shelf[name] for name in names]
    values = [float(finding.value) for finding in found]
    return min(values), max(values), (f"slow-down measured: {found[0].sources['default'].ref}",)
