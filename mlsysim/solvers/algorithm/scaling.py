"""Walls 11 and 12: how large a model to train, and how long to let it think."""

from __future__ import annotations

from operator import mul, truediv
from typing import Any, ClassVar

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Given, Result, Solver, guarded, lazily
from mlsysim.core.units import Dim
from mlsysim.equations import algorithm as eq
from mlsysim.equations import fleet as fleet_eq
from mlsysim.equations import node as node_eq
from mlsysim.equations import ops as ops_eq
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.literature.registry import Literature
from mlsysim.models.operators import DECODE, PREFILL
from mlsysim.models.types import Workload
from mlsysim.solvers.node.replica import Replica, decoder
from mlsysim.solvers.node.single import Question, ask
from mlsysim.stacks.types import Level
from mlsysim.systems.types import Fleet

_YEAR = float(Dim("s").si("1 year"))


# ---- wall 11 -------------------------------------------------------------------------------------


class ScalingResult(Result):
    """What a budget trains best, or what it trains when one side is fixed.

    `tokens_per_parameter` is about 20 at the optimum; far more means a model made to be served.
    `training_time` needs a fleet, and leaves walls 14 and 15 out.
    """

    walls = (11,)
    feeds: ClassVar[dict] = {"training_time": "duration_days"}

    optimal_parameters: u.Number
    optimal_tokens: u.Number
    compute: u.Operations = "FLOP"
    tokens_per_parameter: u.Number = lazily("", truediv, "optimal_tokens", "optimal_parameters")
    training_time: u.Seconds | None = "day"


class ScalingModel(Solver):
    """Wall 11: the model and the number of tokens that a training budget is best spent on.

    Fallacy: "Ten times the compute trains a model ten times as large." About three times.
    """

    walls = (11,)

    def solve(
        self,
        compute_budget: u.Operations,
        *,
        parameters: u.Number | None = None,
        tokens: u.Number | None = None,
        model: Given[Workload] | None = None,
        fleet: Given[Fleet] | None = None,
        mfu: u.Fraction = 0.4,
        precision: u.Precision = "fp16",
    ) -> ScalingResult:
        """Spend a budget of FLOP compute-optimally, or on given `parameters` or `tokens`.

        A `model` gives its own parameters (those that a token meets, where experts share them).
        With a `fleet` the result says how long it trains, at `mfu` (0.4 is a teaching value; large
        published runs reach 0.35 to 0.5) and the peak of `precision`.
        """
        six, twenty = _scaling_law()
        if parameters is None and tokens is None and model is not None:
            parameters = getattr(model, "active_parameters", None) or model.parameters
        if parameters is not None and tokens is not None:
            remedy = "one follows from the other; leave one out, or ask ScalingModel().budget"
            raise BadArgument("tokens", tokens, remedy)
        if tokens is not None:
            parameters = eq.affordable(compute_budget, tokens, six)
        elif parameters is None:
            parameters = eq.optimal_parameters(compute_budget, twenty, six)
        if tokens is None:
            tokens = eq.affordable(compute_budget, parameters, six)
        return ScalingResult(
            optimal_parameters=parameters,
            optimal_tokens=tokens,
            compute=compute_budget,
            training_time=_training_time(compute_budget, fleet, mfu, precision),
        )

    def budget(
        self,
        parameters: u.Number,
        tokens: u.Number,
        *,
        fleet: Given[Fleet] | None = None,
        mfu: u.Fraction = 0.4,
        precision: u.Precision = "fp16",
    ) -> ScalingResult:
        """Work out the FLOP that training `parameters` on `tokens` takes, optimal or not."""
        compute = eq.training_compute(parameters, tokens, _scaling_law()[0])
        return ScalingResult(
            optimal_parameters=parameters,
            optimal_tokens=tokens,
            compute=compute,
            training_time=_training_time(compute, fleet, mfu, precision),
        )

    budget = guarded(budget, "ScalingModel")


def _scaling_law() -> tuple[float, float]:
    """FLOP a parameter and token, and tokens a parameter, as published."""
    shelf = Literature.Scaling
    return (
        float(shelf.Training_FLOP_per_parameter_token.value),
        float(shelf.Chinchilla_tokens_per_parameter.value),
    )


def _training_time(compute: Any, fleet: Fleet | None, mfu: Any, precision: str) -> Any:
    if fleet is None:
        return None
    peak = fleet.node.accelerator.supply(precision).peak
    return fleet_eq.fleet_time(
        operations=compute, devices=fleet.devices, peak=peak, mfu=mfu, scaling=1.0, goodput=1.0
    )


# ---- wall 12 -------------------------------------------------------------------------------------


def where_feasible(feasible: Any, value: Any) -> Any:
    """`value` where the model fits; unknown elsewhere."""
    if np.ndim(feasible):
        return np.where(feasible, value, np.nan)
    return value if feasible else None


class InferenceScalingResult(Result):
    """A request that thinks before it answers: its time, energy, and the devices that it takes.

    `itl` is the mean time between tokens, and `multiplier` the time over that of a single step.
    Without `arrival_rate_qps` there is no fleet to size: `devices` and `annual_cost` are None.
    """

    walls = (12,)

    latency: u.Seconds = "s"
    ttft: u.Seconds = "ms"
    decode_time: u.Seconds = "s"
    itl: u.Seconds = lazily("ms", truediv, "decode_time", "tokens_generated")
    tokens_generated: u.Number
    reasoning_steps: u.Number
    multiplier: u.Number
    bottleneck: str
    feasible: bool
    reason: str
    power: u.Power | None = "W"
    energy: u.Energy | None = lazily(
        "J",
        lambda power, time, batch: node_eq.energy(power, time) / batch,
        *("power", "latency", "batch_size"),
    )
    kv_cache: u.Bytes = "GB"
    memory_required: u.Bytes = "GB"
    devices: u.Number | None = ""
    device_year: u.Money | None = "USD"
    annual_cost: u.Money | None = lazily("USD", mul, "devices", "device_year")
    batch_size: u.Number
    notes: tuple


class InferenceScalingModel(Solver):
    """Wall 12: what it costs to let a model reason for K steps before it answers.

    Fallacy: "Chain of thought is a prompt." It is K times the decode steps, so K times the fleet.
    """

    walls = (12,)

    def solve(
        self,
        model: Given[Workload],
        hardware: Given[HardwareNode],
        *,
        reasoning_steps: u.Count = 8.0,
        tokens_per_step: u.Count = 50.0,
        prompt_tokens: u.Count = 512.0,
        batch_size: u.Batch = 1.0,
        precision: u.Precision = "fp16",
        kv_precision: u.Precision | None = None,
        efficiency: u.Fraction = 0.5,
        stack: Level | None = None,
        overhead: u.SecondsOrZero | None = None,
        arrival_rate_qps: u.Queries | None = None,
        devices_per_node: u.Count = 1.0,
        unit_cost: u.Money | None = None,
        amortization_years: u.Years | None = None,
        maintenance_fraction: u.FractionOrZero = 0.0,
        electricity_price: u.EnergyPrice | None = None,
        pue: u.PowerUsageEffectiveness | None = None,
        power: u.Power | None = None,
    ) -> InferenceScalingResult:
        """Prefill the prompt, then decode `reasoning_steps * tokens_per_step` tokens.

        Each decode step reads a KV cache that has grown by one token, and all of them count: that
        is one step more than in ServingModel, where the prompt's pass gives the first token. What
        must fit is the same as there. `overhead` a step replaces the device's dispatch tax.
        `arrival_rate_qps` sizes the fleet by Little's law, in whole nodes. A device costs its
        `unit_cost` (by default the registry's) over `amortization_years` (3), a
        `maintenance_fraction` of it each year, and the energy of its `power` (by default its TDP,
        without a share of the server) all year long at the facility's `pue` and the
        `electricity_price` (by default Microsoft's, and American industry's average).
        """
        decoder(model)
        question = ask(model, hardware, precision, efficiency, kv_precision, stack)
        question = _taxed(question, overhead)
        power = question.supply.power if power is None else power
        tokens = reasoning_steps * tokens_per_step
        prefill, last = (
            question.profile(question.step(batch_size, length, phase))
            for phase, length in ((PREFILL, prompt_tokens), (DECODE, prompt_tokens + tokens))
        )
        ttft = prefill.si("latency")
        decode, single = (
            Replica(question).decoding(batch_size, prompt_tokens, n)
            for n in (tokens, tokens_per_step)
        )
        latency = ttft + decode
        feasible = last.si("feasible")  # of a prompt only a piece is at work
        purchase = (unit_cost, amortization_years, maintenance_fraction)
        year_cost, notes = _device_year(hardware, *purchase, electricity_price, pue, power)
        return InferenceScalingResult(
            latency=latency,
            ttft=ttft,
            decode_time=decode,
            tokens_generated=tokens,
            reasoning_steps=reasoning_steps,
            bottleneck=last.si("bottleneck"),
            multiplier=latency / (ttft + single),
            feasible=feasible,
            reason=last.si("reason"),
            power=power,
            kv_cache=last.si("kv_cache"),
            memory_required=last.si("memory_required"),
            devices=_fleet(feasible, arrival_rate_qps, latency, batch_size, devices_per_node),
            device_year=year_cost,
            batch_size=batch_size,
            notes=notes,
        )


def _taxed(question: Question, overhead: Any) -> Question:
    """The question on a device whose dispatch tax is this one, where it is given."""
    if overhead is None:
        return question
    return question._replace(supply=question.supply._replace(overhead=overhead))


def _fleet(feasible: Any, rate: Any, latency: Any, batch: Any, inside: Any) -> Any:
    """Devices that a rate of requests takes, in whole nodes; None without a rate."""
    if rate is None:
        return None
    return where_feasible(feasible, eq.devices_needed(rate, latency, batch, inside))


def _device_year(
    hardware: HardwareNode,
    unit_cost: Any,
    lifetime: Any,
    maintenance: Any,
    electricity_price: Any,
    pue: Any,
    power: Any,
) -> tuple[Any, tuple[str, ...]]:
    """Dollars that one device costs in a year; None, with a note, where a part is unknown."""
    if unit_cost is None and hardware.unit_cost is not None:
        unit_cost = float(hardware.unit_cost.m_as("USD"))
    for name, value in (("unit_cost", unit_cost), ("power", power)):
        if value is None:
            return None, (f"{hardware.name} has no known {name}: give {name} to price the fleet",)
    if electricity_price is None:
        grid = Infrastructure.Grids.US_Average
        if grid.electricity_price is None:  # a folder of one's own may hold another
            return None, (f"{grid.name} has no known electricity_price: give one",)
        electricity_price = float(grid.electricity_price.m_as("USD/J"))
    pue = Infrastructure.Facilities.Microsoft.pue if pue is None else pue
    drawn = ops_eq.facility_energy(node_eq.energy(power, _YEAR), pue)
    return (
        ops_eq.amortized(unit_cost, 1.0, _YEAR, 3 * _YEAR if lifetime is None else lifetime)
        + ops_eq.maintenance(unit_cost, maintenance, _YEAR, _YEAR)
        + ops_eq.energy_cost(drawn, electricity_price)
    ), ()
