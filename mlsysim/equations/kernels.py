r"""What kernels take on a parallel processor: tiles in waves, ramps, floors, messages.

Pure functions like those of the node. Their numbers for a family of devices stand in `stacks/`.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def waves(
    rows: u.Number, columns: u.Number, tile: u.Number, units: u.Number, tail: u.FractionOrZero
) -> u.Number:
    r"""Rounds in which so many processors do the tiles of a matrix, as far as rounds are whole.

    $$w = \frac{\lceil R/t \rceil \lceil C/t \rceil}{U}, \qquad w + \epsilon (\lceil w \rceil - w)$$

    With a `tail` of 0 the last round is shared evenly, with 1 it takes as long as a full one.

    >>> float(waves(rows=256.0, columns=256.0, tile=128.0, units=8.0, tail=1.0))
    1.0

    Source: NVIDIA, Matrix Multiplication Background User's Guide, section 4.
    """
    own = np.ceil(rows / tile) * np.ceil(columns / tile) / units
    return own + tail * (np.ceil(own) - own)


def filled(waves: u.Number, split: u.FractionOrZero) -> u.Number:
    r"""Rounds that are paid where fewer tiles than processors share their inner sums.

    $$w' = \max(w,\ \min(w, 1)^{s})$$

    With a `split` of 1 sums are shared perfectly, with 0 one tile takes a whole round.

    >>> float(filled(waves=0.25, split=0.5)), float(filled(waves=3.0, split=0.5))
    (0.5, 3.0)

    Source: Osama et al. (2023), Stream-K, section 2, arXiv:2301.03598.
    """
    return np.maximum(waves, np.minimum(waves, 1.0) ** split)


def tiled_time(
    waves: u.Number,
    height: u.Number,
    width: u.Number,
    inner: u.Number,
    peak: u.OperationRate,
    units: u.Number,
) -> u.Seconds:
    r"""Seconds of rounds of tiles, each of them a sum over `inner` products.

    $$T = w \frac{2\,h\,b\,k}{\mathrm{peak} / U}$$

    >>> tiled_time(waves=1.0, height=64.0, width=128.0, inner=1000.0, peak=16.384e12, units=1.0)
    1e-06

    Source: NVIDIA, Matrix Multiplication Background User's Guide, section 4.
    """
    return _operations(2 * waves * height * width * inner * units, peak)


def _operations(count: u.Number, peak: u.OperationRate) -> u.Seconds:
    """Seconds of so many operations; a rate in FLOP/s may carry the word FLOP."""
    one = u.Q_(1.0, "FLOP") if isinstance(peak, u.Quantity) else 1.0
    return count * one / peak


def ramped(value: u.Number, ramp: u.Number) -> u.Number:
    r"""How many times longer work takes that must first fill a pipeline.

    $$1 + \frac{r}{v}$$

    >>> ramped(value=1024.0, ramp=256.0)
    1.25

    Source: Hockney & Jesshope (1988), Parallel Computers 2, section 1.3.
    """
    return 1 + ramp / value


def throttled(time: u.Seconds, excess: u.Number, warm: u.Seconds) -> u.Seconds:
    r"""Seconds of work that asks for more power than there is, once the clock has come down.

    $$T \left(1 + e\,\frac{T}{T + \tau}\right)$$

    Short work is over before; long work takes its `excess` longer.

    >>> throttled(time=1.0, excess=0.5, warm=1.0)
    1.25

    Source: Hockney's ramp again, of the clock; NVIDIA, GPU Boost lowers it at the power limit.
    """
    return time * (1 + excess * time / (time + warm))


EXPONENTIALS = 16.0  # that one processor works out in a cycle, in every generation so far


def softmax_share(products: u.Number, width: u.Number) -> u.Number:
    r"""How long the exponentials of attention take, in units of its matrix products.

    $$\frac{1 / 16}{2 d / p} = \frac{p}{32\,d}$$

    for heads of `width` values, where a processor does so many `products` in a cycle.

    >>> softmax_share(products=2048.0, width=128.0)
    0.5

    Source: Shah et al. (2024), FlashAttention-3, section 3.2, arXiv:2407.08608.
    """
    return products / (2 * EXPONENTIALS * width)


def both(first: u.Seconds, second: u.Seconds, sharpness: u.Number) -> u.Seconds:
    r"""Seconds of two parts of a kernel that overlap, the better the sharper.

    $$T = (a^p + b^p)^{1/p}$$

    With a sharpness of 1 they follow each other; with more the shorter hides behind the longer.

    >>> float(both(first=3.0, second=4.0, sharpness=2.0))
    5.0

    Source: smooth maximum, the p-norm; p is fitted to measured kernels.
    """
    longest = np.maximum(first, second)
    return longest * ((first / longest) ** sharpness + (second / longest) ** sharpness) ** (
        1 / sharpness
    )


def one_shot(
    data: u.Bytes, ranks: u.Number, bandwidth: u.Bandwidth, hop: u.SecondsOrZero
) -> u.Seconds:
    r"""Sum by reading all of everybody's data at once: least steps, most bytes.

    $$T = N \alpha + \frac{(N - 1) M}{BW}$$

    >>> one_shot(data=1e6, ranks=8.0, bandwidth=1e12, hop=0.0)
    7e-06

    Source: vLLM, csrc/custom_all_reduce.cuh (one-shot and two-shot kernels).
    """
    return ranks * hop + (ranks - 1) * data / bandwidth


def two_shot(
    data: u.Bytes, ranks: u.Number, bandwidth: u.Bandwidth, hop: u.SecondsOrZero,
    turn: u.SecondsOrZero,
) -> u.Seconds:  # fmt: skip
    r"""Sum a share each, then gather the shares: fewer bytes, and one more turn.

    $$T = N \alpha + \beta + \frac{2 (N - 1)}{N} \frac{M}{BW}$$

    >>> two_shot(data=1e6, ranks=2.0, bandwidth=1e12, hop=0.0, turn=0.0)
    1e-06

    Source: vLLM, csrc/custom_all_reduce.cuh (one-shot and two-shot kernels).
    """
    return ranks * hop + turn + 2 * (ranks - 1) / ranks * data / bandwidth
