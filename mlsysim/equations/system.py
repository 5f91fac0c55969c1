"""Equations of a system as a whole: what a group of devices keeps, and how long a battery lasts."""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def cache_share(key_heads: u.Count, ways: u.Count) -> u.Number:
    r"""The part of a KV cache that one of `ways` tensor-parallel devices keeps.

    $$s = \frac{\lceil H / t \rceil}{H}$$

    A head is kept whole: with more devices than key-value heads, several keep the same one.

    >>> float(cache_share(key_heads=8.0, ways=4.0)), float(cache_share(key_heads=8.0, ways=16.0))
    (0.25, 0.125)

    Source: Pope et al. (2023), Efficiently scaling transformer inference, arXiv:2211.05102.
    """
    return np.ceil(key_heads / ways) / key_heads


def duty_cycled_power(active: u.Power, sleep: u.Power, duty: u.Fraction) -> u.Power:
    r"""Mean power of a device that works a part of the time and sleeps for the rest.

    $$\bar{P} = d\,P_{\mathrm{active}} + (1 - d)\,P_{\mathrm{sleep}}$$

    Falling asleep and waking up are taken as free, so it is a lower bound.

    >>> duty_cycled_power(active=0.040, sleep=0.0, duty=0.25)
    0.01

    Source: conservation of energy.
    """
    return duty * active + (1 - duty) * sleep


def battery_life(capacity: u.Energy, power: u.Power) -> u.Seconds:
    r"""How long a battery carries a mean power.

    $$T = \frac{E}{\bar{P}}$$

    Without self-discharge, ageing or what the voltage regulator keeps: an upper bound.

    >>> battery_life(capacity=3600.0, power=0.5)
    7200.0

    Source: conservation of energy.
    """
    return capacity / power
