"""Wall 3: how much of a roof software reaches, by who measured it."""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, MissingValue, UnknownName
from mlsysim.core.solver import Given, Result, Solver, show
from mlsysim.core.units import Q_, Names
from mlsysim.equations import node
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.literature.registry import Literature
from mlsysim.literature.types import Finding
from mlsysim.models.registry import Models
from mlsysim.models.types import Workload


class Efficiency(Result):
    """The part of a roof that software reaches, and who measured it.

    `efficiency` is the median of the measurements that match, between `low` and `high`; each is
    listed in `measurements` as (name, value, source).
    """

    walls = (3,)

    efficiency: u.Number
    low: u.Number
    high: u.Number
    count: int
    achieved: u.OperationRate = "TFLOP/s"
    peak: u.OperationRate = "TFLOP/s"
    metric: str
    measurements: tuple


class EfficiencyModel(Solver):
    """Wall 3: how much of the peak software really reaches.

    Either divides a rate that you achieved by the device's peak, or looks up what others have
    measured: by software stack, model, device and precision, as far as they are given. There is
    no value without a measurement behind it.

    Fallacy: "What the datasheet prints is what training gets." Nobody has measured that.
    """

    walls = (3,)

    def solve(
        self,
        stack: str | None = None,
        *,
        model: Given[Workload] | None = None,
        hardware: Given[HardwareNode] | None = None,
        precision: u.Precision | None = None,
        achieved: u.OperationRate | None = None,
        metric: Annotated[str, Names("mfu", "bandwidth")] = "mfu",
    ) -> Efficiency:
        """The median of the measurements that match, or `achieved` over the peak of `hardware`.

        `metric` is "mfu", of the arithmetic peak, or "bandwidth", of the memory's (decode).
        Raises UnknownName for a stack that nobody has measured, and MissingValue when nobody has
        measured it under these conditions.
        """
        if achieved is not None:
            return _own(achieved, stack, model, hardware, precision, metric)
        findings = [f for f in _findings() if _metric(f) == metric]
        if stack is not None:
            findings = _of_stack(findings, stack)
        wanted = {"hardware": _name(hardware), "model": _name(model), "precision": precision}
        matching = [f for f in findings if _matches(f, wanted)]
        if not matching:
            given = {"stack": stack, **wanted}
            asked = ", ".join(f"{key} {value}" for key, value in given.items() if value)
            known = "; ".join(sorted({_conditions(f) for f in findings}))
            raise MissingValue("Literature", f"{metric} for {asked}", f"measured are {known}")
        values = [float(f.value) for f in matching]
        return Efficiency(
            efficiency=median(values),
            low=min(values),
            high=max(values),
            count=len(values),
            achieved=None,
            peak=None,
            metric=metric,
            measurements=tuple((f.name, float(f.value), _reference(f)) for f in matching),
        )


def _own(
    achieved: Any, stack: Any, model: Any, hardware: Any, precision: Any, metric: str
) -> Efficiency:
    if hardware is None:
        raise BadArgument("hardware", hardware, "give the device on which the rate was achieved")
    for name, value in {"stack": stack, "model": model}.items():
        if value is not None:
            raise BadArgument(name, value, "leave it out where achieved is given")
    if metric != "mfu":
        raise BadArgument("metric", metric, "an achieved rate of arithmetic gives mfu")
    peak = hardware.supply(precision or hardware.compute.peak_precision).peak
    share = node.utilization(achieved, 1.0, peak)
    if np.any(share > 1):
        remedy = f"{hardware.name} peaks at {_rate(peak)}; give a rate up to that"
        raise BadArgument("achieved", _rate(np.max(achieved)), remedy)
    return Efficiency(
        efficiency=share,
        low=share,
        high=share,
        count=1,
        achieved=achieved,
        peak=peak,
        metric=metric,
        measurements=(),
    )


def _rate(value: float) -> str:
    return show(Q_(value / 1e12, "TFLOP/s"))


def _findings() -> list[Finding]:
    shelf = Literature.Efficiency
    return [shelf[stem] for stem in shelf]


def _metric(finding: Finding) -> str:
    return "bandwidth" if "bandwidth" in finding.name.casefold() else "mfu"


def _of_stack(findings: list[Finding], stack: str) -> list[Finding]:
    """Those of one stack, by its full name or by what stands before a bracket."""
    names = {f.stack: _short(f.stack) for f in findings if f.stack}
    wanted = {
        full
        for full, short in names.items()
        if stack.casefold() in (full.casefold(), short.casefold())
    }
    if not wanted:
        raise UnknownName("stack", stack, set(names.values()))
    return [f for f in findings if f.stack in wanted]


def _short(stack: str) -> str:
    return stack.partition(" (")[0]


def _name(entry: Any) -> str | None:
    return None if entry is None else entry.name


def _matches(finding: Finding, wanted: dict[str, str | None]) -> bool:
    """Whether it was made under the wanted conditions; one that names none of a kind was not."""
    made = {
        "hardware": _entry_name(Hardware, finding.hardware),
        "model": _entry_name(Models, finding.model),
        "precision": finding.precision,
    }
    return all(value in (None, made[key]) for key, value in wanted.items())


def _entry_name(catalog: Any, stem: str | None) -> str | None:
    return catalog[stem].name if stem in catalog else stem


def _conditions(finding: Finding) -> str:
    parts = (
        finding.stack and _short(finding.stack),
        finding.model,
        finding.hardware,
        finding.precision,
    )
    return " ".join(part for part in parts if part)


def _reference(finding: Finding) -> str:
    source = finding.source_of("value")
    return ", ".join(part for part in (source and source.ref, source and source.url) if part)
