"""Walls 8 and 9: what storage and workers must deliver to keep devices busy."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.core.solver import Given, Result, Solver, because, lazily
from mlsysim.equations import data as eq
from mlsysim.equations import node as node_eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.literature.registry import Literature
from mlsysim.models.convnet import ConvNetWorkload
from mlsysim.models.types import Workload
from mlsysim.solvers.node.single import Profile, SingleNodeModel
from mlsysim.systems.types import Node

_SINGLE_NODE = SingleNodeModel()


# ---- wall 8 --------------------------------------------------------------------------------------


def _why_starved(r: DataResult) -> str:
    return (
        f"The devices ask for {r.demand:.4g~P} and storage delivers {r.supply:.4g~P}: "
        f"they wait {1 - r.accelerator_utilization:.0%} of the time."
    )


class DataResult(Result):
    """Whether storage keeps up: `utilization` above one means that the devices wait.

    `bound` is Compute while storage keeps up and Ingestion when it does not.
    """

    walls = (8,)

    utilization: u.Number = lazily("", eq.load, "demand", "supply")
    bound: str = lazily(
        "", lambda load: np.where(load > 1, "Ingestion", "Compute")[()], "utilization"
    )
    feasible: bool = lazily("", lambda load: load <= 1, "utilization")
    reason: str = because(_why_starved)
    accelerator_utilization: u.Fraction = lazily("", eq.fed, "utilization")
    demand: u.Bandwidth = "GB/s"
    supply: u.Bandwidth = "GB/s"
    required_bandwidth: u.Bandwidth = lazily("GB/s", lambda demand: demand, "demand")
    samples_per_second: u.Rate = "sample/s"
    accelerators: u.Number


class DataModel(Solver):
    """Wall 8: whether storage delivers samples as fast as the devices use them.

    Fallacy: "Storage is cheap, so it cannot be the bottleneck." A faster device asks for more.
    """

    walls = (8,)

    def solve(
        self,
        *,
        bytes_per_sample: u.Bytes,
        samples_per_second: u.Rate | None = None,
        profile: Profile | None = None,
        step_time: u.Seconds | None = None,
        batch_size: u.Batch | None = None,
        accelerators: u.Count | None = None,
        storage_bandwidth: u.Bandwidth | None = None,
        node: Given[Node] | None = None,
    ) -> DataResult:
        """Demand against supply.

        The rate of one device is `samples_per_second`, or that of a `profile` (of a training step,
        say), or `batch_size` in each `step_time`. `accelerators` such devices share the storage: as
        many as the `node` has, else one. The supply is `storage_bandwidth`, or the node's own.
        """
        rate = _rate(samples_per_second, profile, step_time, batch_size)
        if accelerators is None:
            accelerators = float(node.accelerators) if node else 1.0
        return DataResult(
            demand=eq.demand(accelerators, rate, bytes_per_sample),
            supply=_supply(storage_bandwidth, node),
            samples_per_second=rate,
            accelerators=accelerators,
        )


def _rate(rate: Any, profile: Profile | None, step_time: Any, batch_size: Any) -> Any:
    """Rate of samples of one device, however the question says it."""
    if sum(given is not None for given in (rate, profile, step_time)) != 1:
        raise BadArgument(
            "samples_per_second",
            rate,
            "give one of samples_per_second, profile, or step_time with batch_size",
        )
    if (batch_size is None) != (step_time is None):
        remedy = "give step_time and batch_size together, or neither"
        raise BadArgument("batch_size", batch_size, remedy)
    if profile is not None:
        return profile.si("throughput")
    return rate if rate is not None else node_eq.throughput(batch_size, step_time)


def _supply(storage_bandwidth: Any, node: Node | None) -> Any:
    """Bandwidth of the storage; nobody's guess is better than asking."""
    if storage_bandwidth is not None:
        return storage_bandwidth
    storage = node.storage if node else None
    if storage is None or storage.bandwidth is None:
        name = node.name if node else "the question"
        raise MissingValue(name, "storage.bandwidth", "give storage_bandwidth, such as '2 GB/s'")
    return float(storage.bandwidth.m_as("B/s"))


# ---- wall 9 --------------------------------------------------------------------------------------


_STAGES = ("compute_time", "transform_time", "ingest_time")


def _slowest(compute: Any, transform: Any, ingest: Any) -> Any:
    waits = np.where(transform >= ingest, "Transformation", "Ingestion")
    return np.where(compute >= np.maximum(transform, ingest), "Compute", waits)[()]


class TransformationResult(Result):
    """One pipelined training step: `bottleneck` is Compute, Transformation or Ingestion.

    `workers_needed` is how many would keep up with the device, storage permitting.
    """

    walls = (9,)
    bars = _STAGES

    step_time: u.Seconds = lazily("ms", eq.pipelined_step, *_STAGES)
    bottleneck: str = lazily("", _slowest, *_STAGES)
    accelerator_utilization: u.Fraction = lazily("", eq.busy, "compute_time", "step_time")
    workers_needed: u.Number = lazily(
        "", eq.balanced_workers, "batch_size", "worker_rate", "compute_time"
    )
    throughput: u.Rate = lazily("sample/s", node_eq.throughput, "batch_size", "step_time")
    compute_time: u.Seconds = "ms"
    transform_time: u.Seconds = "ms"
    ingest_time: u.SecondsOrZero = "ms"
    worker_rate: u.Rate = "sample/s"
    workers: u.Number
    batch_size: u.Number
    feasible: bool
    reason: str
    notes: tuple


class TransformationModel(Solver):
    """Wall 9: whether the workers that decode and augment samples keep up.

    Fallacy: "Low GPU utilisation calls for a better GPU." A faster one waits longer.
    """

    walls = (9,)

    def solve(
        self,
        *,
        batch_size: u.Batch,
        workers: u.Count,
        worker_rate: u.Rate | None = None,
        step_time: u.Seconds | None = None,
        model: Given[Workload] | None = None,
        hardware: Given[HardwareNode] | None = None,
        seq_len: u.Count | None = None,
        precision: u.Precision = "fp16",
        efficiency: u.Fraction = 0.5,
        bytes_per_sample: u.Bytes | None = None,
        storage_bandwidth: u.Bandwidth | None = None,
    ) -> TransformationResult:
        """Pipelined training step of one device that `workers` feed.

        The device's own step is `step_time`, or the training step of `model` on `hardware`. One
        worker (a virtual CPU) prepares `worker_rate` samples a second: by default the JPEG images
        that FFCV was measured to decode and crop. Reading from storage counts when
        `bytes_per_sample` and `storage_bandwidth` are given.
        """
        compute, feasible, reason = step_time, True, ""
        if (model is None) != (hardware is None) or (model is None) == (step_time is None):
            remedy = "give either step_time, or both model and hardware"
            raise BadArgument("step_time", step_time, remedy)
        if model is not None and hardware is not None:
            step = _SINGLE_NODE.solve(
                model=model,
                hardware=hardware,
                batch_size=batch_size,
                seq_len=seq_len,
                precision=precision,
                efficiency=efficiency,
                training=True,
            )
            compute, feasible, reason = step.si("latency"), step.si("feasible"), step.si("reason")
        notes: tuple[str, ...] = ()
        if worker_rate is None:
            if model is not None and not isinstance(model, ConvNetWorkload):
                remedy = "the measured default is for JPEG images; give worker_rate"
                raise MissingValue(model.name, "worker_rate", remedy)
            measured = Literature.Data.FFCV_jpeg_images_per_second_per_vcpu
            worker_rate, notes = float(measured.value), (f"worker_rate is {measured.name}",)
        if (bytes_per_sample is None) != (storage_bandwidth is None):
            remedy = "give bytes_per_sample and storage_bandwidth together, or neither"
            raise BadArgument("storage_bandwidth", storage_bandwidth, remedy)
        ingest = 0.0
        if bytes_per_sample is not None:
            ingest = eq.ingest_time(batch_size, bytes_per_sample, storage_bandwidth)
        return TransformationResult(
            compute_time=compute,
            ingest_time=ingest,
            transform_time=eq.transform_time(batch_size, worker_rate, workers),
            worker_rate=worker_rate,
            workers=workers,
            batch_size=batch_size,
            feasible=feasible,
            reason=reason,
            notes=notes,
        )
