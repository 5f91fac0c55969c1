r"""The physics of diagnosis: how steeply time answers to a resource, and what a deadline demands.

Pure functions over floats, arrays and quantities alike.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def elasticity(raised: u.Seconds, lowered: u.Seconds, factor: u.Number) -> u.Signed:
    r"""Wall 21: by how many percent time changes when a resource grows by one percent.

    $$\frac{\partial \ln T}{\partial \ln x} \approx
      \frac{\ln T(f x) - \ln T(x / f)}{2 \ln f}, \qquad f > 1$$

    `raised` and `lowered` are the times at $f x$ and $x / f$. Symmetric in the logarithm, so a
    time that goes as a power of the resource gives that power at any step: -1 for the roof that
    binds, 0 for the one that does not. A step across a ridge gives a mean of both sides.

    >>> float(elasticity(raised=0.001, lowered=0.004, factor=2.0))
    -1.0

    Source: the definition of elasticity (Marshall (1890), Principles of Economics, book III,
    chapter IV), with a central difference.
    """
    return np.log(raised / lowered) / (2 * np.log(factor))


def forward_elasticity(raised: u.Seconds, base: u.Seconds, step: u.Fraction) -> u.Signed:
    r"""A one-sided elasticity: the relative change in time over the relative change made.

    $$\frac{T(x + h x) - T(x)}{h\, T(x)}$$

    It depends on the step: a time that goes as $1/x$ gives $-1/(1 + h)$, which is -0.909 and not
    -1 when the resource grows by 10 %.

    >>> float(forward_elasticity(raised=0.75, base=1.0, step=0.5))
    -0.5

    Source: definition.
    """
    return (raised / base - 1) / step


def smooth_roofline_time(
    compute: u.Seconds, memory: u.Seconds, overhead: u.Seconds, sharpness: u.Number
) -> u.Seconds:
    r"""A roofline whose two roofs blend: the p-norm of their times, plus the dispatch tax.

    $$T = \left(T_{\mathrm{compute}}^{\,p} + T_{\mathrm{memory}}^{\,p}\right)^{1/p}
      + T_{\mathrm{overhead}}$$

    At $p = 1$ nothing overlaps and the times add up; as $p$ grows it approaches the hard maximum.
    It is a choice of shape, not a measurement, and is never below the Iron Law. The slower roof is
    taken out of the root, so that no power overflows.

    >>> round(float(smooth_roofline_time(compute=3.0, memory=4.0, overhead=1.0, sharpness=2.0)), 12)
    6.0

    Source: Hardy, Littlewood & Polya (1934), Inequalities, section 2.10 (the p-norm tends to the
    maximum); the roofs as in Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785.
    """
    slow, fast = np.maximum(compute, memory), np.minimum(compute, memory)
    return slow * (1 + (fast / slow) ** sharpness) ** (1 / sharpness) + overhead


def time_left(target: u.Seconds, overhead: u.SecondsOrZero) -> u.Seconds:
    r"""What a deadline leaves for both roofs once the dispatch tax is paid.

    $$T_{\mathrm{left}} = T_{\mathrm{target}} - T_{\mathrm{overhead}}$$

    Zero or less means that no device is fast enough.

    >>> time_left(target=0.75, overhead=0.25)
    0.5

    Source: the Iron Law solved for its maximum.
    """
    return target - overhead


def required_bandwidth(data: u.Bytes, time: u.Seconds) -> u.Bandwidth:
    r"""Wall 22: the slowest memory that moves the bytes in time.

    $$BW \ge \frac{\mathrm{bytes}}{T}$$

    >>> required_bandwidth(data=16e9, time=0.5)
    32000000000.0

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785, solved for BW.
    """
    return data / time


def required_peak(
    operations: u.Operations, time: u.Seconds, efficiency: u.Fraction
) -> u.OperationRate:
    r"""Wall 22: the lowest peak that does the operations in time, at the efficiency reached.

    $$\mathrm{peak} \ge \frac{\mathrm{OPs}}{T \cdot \eta}$$

    >>> required_peak(operations=1e12, time=0.5, efficiency=0.5)
    4000000000000.0

    Source: Williams, Waterman & Patterson (2009), doi:10.1145/1498765.1498785, solved for the peak.
    """
    return operations / (time * efficiency)
