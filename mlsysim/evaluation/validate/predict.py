"""What the solvers say about a published measurement, by the metric that was measured.

Each predictor gives an SI number at a level of cost: the Iron Law (None), "ideal", or the stack
that ran the row. The first two use one efficiency; none looks at the value of a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlsysim.evaluation.validate import serving, silicon, training
from mlsysim.evaluation.validate.rows import Row, Unpredictable
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.types import IDEAL

CALIBRATED = "calibrated"
LEVELS: dict[str, Any] = {"Iron Law": None, IDEAL: IDEAL, CALIBRATED: calibrated}
_SCALES = {
    "ms": 1e-3,
    "us": 1e-6,
    "s": 1.0,
    "GB/s": 1e9,
    "GB": 1e9,
    "GB/GPU": 1e9,
    "GiB/GPU": 2.0**30,
    "TB": 1e12,
    "uJ": 1e-6,
    "MWh": 3.6e9,
    "tCO2eq": 1e6,
    "GPU-h": 3600.0,
    "days": 86_400.0,
    "%": 0.01,
    "TFLOP/s": 1e12,
    "TFLOP/s/chip": 1e12,
    "TFLOP/s/GPU": 1e12,
    "hosts/day": 1 / 86_400,
    "count/week": 1 / 604_800,
}


PREDICTORS: dict[str, Callable[[Row, Any], Any]] = {
    "output_tokens_per_s": serving.throughput,
    "output_tokens_per_s_per_gpu": serving.throughput_of_each,
    "e2e_generation_latency": serving.generation,
    "decode_tokens_per_s": serving.decode_rate,
    "tpot": serving.token_time,
    "ttft": serving.first_token,
    "forward_latency": serving.prompt,
    "prefill_tokens_per_s": lambda row, stack: (
        row.number("batch") * row.number("seq_in") / serving.prompt(row, stack)
    ),
    "sequences_per_s": lambda row, stack: (
        training.samples_a_second(row, stack)
        if "train" in row.domain
        else row.number("batch") / serving.prompt(row, stack)
    ),
    "images_per_s": serving.images,
    "latency": serving.latency,
    "energy_per_inference": serving.energy_of_one,
    "tokens_per_s_per_gpu": training.tokens_of_each,
    "iteration_time": training.step_time,
    "tflops_per_chip": training.operations_of_each,
    "hw_tflops_per_gpu": training.with_recompute,
    "mfu_percent": training.used,
    "hfu_percent": training.used,
    "gpu_hours": training.device_time,
    "training_days_continuous": training.duration,
    "activation_mem": training.held("activations"),
    "param_optimizer_mem": training.held("weights", "gradients", "optimizer_state"),
    "gpu_mem_total": training.held("weights", "gradients", "optimizer_state", "activations"),
    "inference_mem_total": serving.held_to_serve,
    "time": lambda row, stack: (
        silicon.reduce_time if row.domain == "comm" else silicon.product_time
    )(row, stack),
    "busbw": silicon.bus_bandwidth,
    "achieved_tflops": silicon.product_rate,
    "energy": silicon.energy,
    "carbon": silicon.carbon,
    "machine_failures_per_day": silicon.failures(None),
    "gpu_failures_per_week": silicon.failures("device"),
    "checkpoint_size": silicon.saved,
}


def predicted(row: Row, level: Any) -> float:
    """The prediction of a row at a level, in the row's unit; raises Unpredictable.

    A level is what solvers take for `stack`, or says so for each row.
    """
    stack = level(row) if callable(level) else level
    predictor = PREDICTORS.get(row.metric)
    if predictor is None:
        raise Unpredictable(f"nothing predicts {row.metric!r}")
    unit = row.unit.split(" (")[0]
    return float(predictor(row, stack)) / _SCALES.get(unit, 1.0)
