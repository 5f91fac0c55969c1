"""What DP-SGD spends of a privacy budget when each step sees a random batch, and its noise."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

# Orders of the divergence; the best is small for few steps and large for small budgets.
_ORDERS = np.array([*range(2, 33), 40, 48, 64, 96, 128, 256])[:, None]
_SHARED = np.arange(_ORDERS[-1, 0] + 1)  # how many of the order's factors hold the one record
_OTHERS = np.maximum(_ORDERS - _SHARED, 0)
_LN_FACTORIAL = np.concatenate([[0.0], np.cumsum(np.log(_SHARED[1:]))])
_LN_CHOOSE = np.where(
    _SHARED <= _ORDERS,
    _LN_FACTORIAL[_ORDERS] - _LN_FACTORIAL[_SHARED] - _LN_FACTORIAL[_OTHERS],
    -np.inf,
)
_HALVINGS = 30  # of the logarithm of a range of 10^4: to 10^-8
_CERTAIN = 1 - 1e-12  # a batch of everything: ln(1 - q) stays finite


def spent(noise: float, delta: float, rate: float, steps: float) -> float:
    r"""The budget $\varepsilon$ that `steps` of DP-SGD spend, at a sampling `rate` $q$ of records.

    $$\varepsilon = \min_\alpha \frac{T}{\alpha - 1} \ln \sum_{k=0}^{\alpha} \binom{\alpha}{k}
      (1 - q)^{\alpha - k} q^k e^{(k^2 - k) / 2\sigma^2}
      + \ln\frac{\alpha - 1}{\alpha} - \frac{\ln(\delta\alpha)}{\alpha - 1}$$

    Every record is drawn by itself with chance $q$ (Poisson sampling); integer orders only, which
    is at most a few percent too much.

    Source: Mironov, Talwar & Zhang (2019), section 3.3, arXiv:1908.10530; Canonne, Kamath & Steinke
    (2020), proposition 12, arXiv:2004.00010.
    """
    rate = min(rate, _CERTAIN)
    terms = (
        _LN_CHOOSE
        + _OTHERS * np.log1p(-rate)
        + _SHARED * log(rate)
        + (_SHARED**2 - _SHARED) / (2 * noise**2)
    )
    order = _ORDERS[:, 0]
    divergence = np.logaddexp.reduce(terms, axis=1) / (order - 1)
    convert = np.log1p(-1 / order) - np.log(delta * order) / (order - 1)
    return float(np.min(steps * divergence + convert))


def _sampled(epsilon: float, delta: float, rate: float, steps: float, most: float) -> float:
    low, high = log(most) - log(1e4), log(most)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if spent(np.exp(middle), delta, rate, steps) > epsilon:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


_each = np.vectorize(_sampled, otypes=[float])


def sampled_noise(epsilon: Any, delta: Any, rate: Any, steps: Any, most: Any) -> Any:
    """The least noise, in units of the sensitivity, with which all steps together keep a budget.

    No more than `most`, which keeps it without any credit for sampling. Arrays give arrays.
    """
    return _each(epsilon, delta, rate, steps, most)[()]
