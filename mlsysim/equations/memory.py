r"""The physics of training memory: what each device must hold for a step to run at all.

Pure functions. Each works unchanged on a float, a numpy array and a pint Quantity; each names the
dimension of what it takes and gives, and the document that it comes from.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def optimizer_state(
    parameters: u.Number, moments: u.BytesOrZero, width: u.Bytes, full: u.Bytes
) -> u.BytesOrZero:
    r"""Bytes that an optimizer keeps beside the weights and their gradients.

    $$P\,(m + f\,[w < f])$$

    $m$ bytes of moments for each parameter, and a master copy at full width $f$ when the weights
    are stored narrower: 12 bytes a parameter for Adam in mixed precision.

    >>> float(optimizer_state(parameters=1.0, moments=8.0, width=2.0, full=4.0))
    12.0

    Source: Rajbhandari et al. (2020), ZeRO, section 3.1, arXiv:1910.02054.
    """
    return parameters * (moments + np.where(width < full, full, 0 * full))


def zero_share(
    state: u.BytesOrZero, ranks: u.Number, stage: u.Count, first: u.Count
) -> u.BytesOrZero:
    r"""Bytes of one kind of state on each rank, where ZeRO divides it from stage `first` on.

    $$S / N \text{ if } s \ge s_0 \text{ else } S$$

    >>> float(zero_share(state=12.0, ranks=4.0, stage=1, first=1))
    3.0

    Source: Rajbhandari et al. (2020), ZeRO, section 5, arXiv:1910.02054.
    """
    return state / np.where(stage >= first, ranks, 0 * ranks + 1)


def zero_memory(
    weights: u.Bytes, gradients: u.Bytes, optimizer: u.BytesOrZero, ranks: u.Number, stage: u.Count
) -> u.Bytes:
    r"""Bytes of training state on each of $N$ data-parallel ranks at a ZeRO stage.

    $$\frac{W}{N_{s \ge 3}} + \frac{G}{N_{s \ge 2}} + \frac{O}{N_{s \ge 1}}$$

    Stage 0 keeps everything everywhere; stages 1, 2 and 3 divide optimizer state, then gradients,
    then weights among the ranks.

    >>> float(zero_memory(weights=2.0, gradients=2.0, optimizer=12.0, ranks=4.0, stage=1))
    7.0

    Source: Rajbhandari et al. (2020), ZeRO, figure 1, arXiv:1910.02054.
    """
    return (
        zero_share(weights, ranks, stage, 3)
        + zero_share(gradients, ranks, stage, 2)
        + zero_share(optimizer, ranks, stage, 1)
    )


def microbatches_in_flight(
    stages: u.Number, interleave: u.Number, microbatches: u.Number
) -> u.Number:
    r"""Microbatches whose activations the first pipeline stage keeps at the same time.

    $$\min\left(m,\; p + \frac{p - 1}{v}\,[v > 1]\right)$$

    The one-forward-one-backward schedule keeps $p$; cutting each stage into $v$ interleaved chunks
    keeps a little more. Never more than the $m$ that there are.

    >>> float(microbatches_in_flight(stages=8.0, interleave=1.0, microbatches=32.0))
    8.0

    Source: Korthikanti et al. (2022), section 4.2.3, arXiv:2205.05198.
    """
    more = np.where(interleave > 1, (stages - 1) / interleave, 0 * stages)
    return np.minimum(microbatches, stages + more)
