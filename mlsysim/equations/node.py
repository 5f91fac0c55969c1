r"""The physics of one device: its two roofs, the ridge between them, and what a step costs.

Pure functions. Each works unchanged on a float, a numpy array and a pint Quantity; each names the
dimension of what it takes and gives, and the document that it comes from.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def compute_time(
    operations: u.Operations, peak: u.OperationRate, efficiency: u.Fraction
) -> u.Seconds:
    r"""Wall 1: the time that arithmetic alone needs.

    $$T_{\mathrm{compute}} = \frac{\mathrm{OPs}}{\mathrm{peak} \cdot \eta}$$

    >>> compute_time(operations=1e12, peak=1e15, efficiency=0.5)
    0.002

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return operations / (peak * efficiency)


def memory_time(data: u.Bytes, bandwidth: u.Bandwidth) -> u.Seconds:
    r"""Wall 2: the time that moving the bytes alone needs.

    $$T_{\mathrm{memory}} = \frac{\mathrm{bytes}}{BW}$$

    >>> memory_time(data=16e9, bandwidth=2e12)
    0.008

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return data / bandwidth


def roofline_time(compute: u.Seconds, memory: u.Seconds, overhead: u.Seconds) -> u.Seconds:
    r"""The Iron Law on one node: the slower roof, plus the dispatch tax.

    $$T = \max(T_{\mathrm{compute}}, T_{\mathrm{memory}}) + T_{\mathrm{overhead}}$$

    Assumes that the two roofs overlap perfectly, so it is a lower bound.

    >>> float(roofline_time(compute=0.004, memory=0.005, overhead=0.001))
    0.006

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return np.maximum(compute, memory) + overhead


def attainable(
    intensity: u.Intensity, peak: u.OperationRate, bandwidth: u.Bandwidth
) -> u.OperationRate:
    r"""The roof itself: the fastest rate at an arithmetic intensity.

    $$P = \min(\mathrm{peak}, I \cdot BW)$$

    >>> float(attainable(intensity=10.0, peak=1e15, bandwidth=3e12))
    30000000000000.0

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return np.minimum(peak, intensity * bandwidth)


def ridge_point(peak: u.OperationRate, bandwidth: u.Bandwidth) -> u.Intensity:
    r"""The intensity at which the two roofs meet: below it memory binds, above it compute.

    $$I^* = \frac{\mathrm{peak}}{BW}$$

    >>> ridge_point(peak=300e12, bandwidth=2e12)
    150.0

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return peak / bandwidth


def arithmetic_intensity(operations: u.Operations, data: u.Bytes) -> u.Intensity:
    r"""Operations done for each byte moved.

    $$I = \frac{\mathrm{OPs}}{\mathrm{bytes}}$$

    >>> arithmetic_intensity(operations=2e9, data=1e9)
    2.0

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    return operations / data


def utilization(operations: u.Operations, time: u.Seconds, peak: u.OperationRate) -> u.Number:
    r"""Model FLOPs utilization: the part of the peak that does the model's own work.

    $$\mathrm{MFU} = \frac{\mathrm{OPs}}{T \cdot \mathrm{peak}}$$

    >>> utilization(operations=1e12, time=0.01, peak=1e15)
    0.1

    Source: Chowdhery et al. (2022), PaLM, appendix B, arXiv:2204.02311.
    """
    return operations / (time * peak)


def throughput(batch: u.Number, time: u.Seconds) -> u.Rate:
    r"""Samples (or tokens) finished each second.

    $$X = \frac{B}{T}$$

    >>> throughput(batch=8.0, time=0.5)
    16.0

    Source: definition.
    """
    return batch / time


def energy(power: u.Power, time: u.Seconds) -> u.Energy:
    r"""Energy of one step at a steady power.

    $$E = P \cdot T$$

    With the thermal design power it is an upper bound for the device, and leaves out the host.

    >>> energy(power=700.0, time=0.01)
    7.0

    Source: definition.
    """
    return power * time


def crossover_batch(
    weights: u.Bytes,
    state: u.Bytes,
    operations: u.Operations,
    peak: u.OperationRate,
    bandwidth: u.Bandwidth,
    efficiency: u.Fraction,
) -> u.Number:
    r"""The batch at which a step turns from memory-bound to compute-bound.

    $$B^* = \frac{W/BW}{\mathrm{OPs}/(\mathrm{peak}\cdot\eta) - S/BW}$$

    $W$ is read once for the whole batch; each request adds its own operations and its own state
    $S$ (the KV cache). When a request's state takes longer to read than its operations take to do,
    no batch is large enough: the answer is infinite.

    >>> batch = crossover_batch(
    ...     weights=2e9, state=0.0, operations=2e9, peak=1e15, bandwidth=2e12, efficiency=0.5
    ... )
    >>> round(float(batch), 9)
    250.0

    Source: Pope et al. (2022), Efficiently Scaling Transformer Inference, arXiv:2211.05102.
    """
    gain = compute_time(operations, peak, efficiency) - memory_time(state, bandwidth)
    with np.errstate(divide="ignore"):
        return np.divide(memory_time(weights, bandwidth), np.maximum(gain, 0.0 * np.abs(gain)))


def short_product(inner: u.Number, half: u.Number) -> u.Number:
    r"""The part of its rate that a matrix product keeps when it sums over few values.

    $$\frac{K}{K + K_{1/2}}$$

    Filling and emptying its pipeline takes as long as summing over $K_{1/2}$ values does.

    >>> short_product(inner=2048.0, half=2048.0)
    0.5

    Source: Hockney & Jesshope (1981), Parallel Computers, for $n_{1/2}$ of a pipeline.
    """
    return inner / (inner + half)
