r"""The physics of feeding a device: what storage, workers and the network must deliver.

Pure functions over floats, arrays and quantities alike.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u


def demand(devices: u.Count, rate: u.Rate, sample: u.Bytes) -> u.Bandwidth:
    r"""Bandwidth that equal devices ask for when each uses samples at a rate.

    $$BW_{\mathrm{demand}} = N \cdot X \cdot S$$

    >>> demand(devices=8.0, rate=2000.0, sample=100e3)
    1600000000.0

    Source: definition.
    """
    return devices * rate * sample


def load(demand: u.Bandwidth, supply: u.Bandwidth) -> u.Number:
    r"""Wall 8: how much of the supply is asked for; above one the device waits.

    $$\rho = \frac{BW_{\mathrm{demand}}}{BW_{\mathrm{supply}}}$$

    >>> load(demand=3e9, supply=2e9)
    1.5

    Source: Mohan et al. (2021), Analyzing and Mitigating Data Stalls, doi:10.14778/3446095.3446100.
    """
    return demand / supply


def fed(load: u.Number) -> u.Fraction:
    r"""Part of the time that a device works when its supply is loaded to $\rho$.

    $$\min(1, 1/\rho)$$

    Assumes that prefetching hides everything it can.

    >>> float(fed(load=1.6))
    0.625

    Source: Mohan et al. (2021), doi:10.14778/3446095.3446100.
    """
    return np.minimum(1.0, 1 / load)


def transform_time(batch: u.Number, rate: u.Rate, workers: u.Number) -> u.Seconds:
    r"""Wall 9: the time in which workers prepare one batch.

    $$T = \frac{B \cdot S}{C} = \frac{B}{w \cdot r}$$

    One worker prepares $r$ samples a second (its $C/S$), and workers share a batch evenly.

    >>> transform_time(batch=256.0, rate=320.0, workers=8.0)
    0.1

    Source: Murray et al. (2021), tf.data, doi:10.14778/3476311.3476374.
    """
    return batch / (rate * workers)


def ingest_time(batch: u.Number, sample: u.Bytes, supply: u.Bandwidth) -> u.Seconds:
    r"""Time in which storage delivers one batch.

    $$T = \frac{B \cdot S}{BW_{\mathrm{supply}}}$$

    >>> ingest_time(batch=200.0, sample=1e5, supply=2e9)
    0.01

    Source: Mohan et al. (2021), doi:10.14778/3446095.3446100.
    """
    return batch * sample / supply


def pipelined_step(compute: u.Seconds, transform: u.Seconds, ingest: u.Seconds) -> u.Seconds:
    r"""Time between two steps when the stages run at once on different batches.

    $$T = \max(T_{\mathrm{compute}}, T_{\mathrm{transform}}, T_{\mathrm{ingest}})$$

    Assumes steady state and enough prefetch buffers, so it is a lower bound.

    >>> float(pipelined_step(compute=0.048, transform=0.12, ingest=0.01))
    0.12

    Source: Murray et al. (2021), tf.data, doi:10.14778/3476311.3476374.
    """
    return np.maximum(np.maximum(compute, transform), ingest)


def busy(compute: u.Seconds, step: u.Seconds) -> u.Fraction:
    r"""Part of a step in which the device computes.

    $$u = \frac{T_{\mathrm{compute}}}{T_{\mathrm{step}}}$$

    >>> busy(compute=0.048, step=0.12)
    0.4

    Source: definition.
    """
    return compute / step


def balanced_workers(batch: u.Number, rate: u.Rate, compute: u.Seconds) -> u.Number:
    r"""Fewest workers that prepare a batch no slower than the device uses it.

    $$w = \left\lceil \frac{B}{r \cdot T_{\mathrm{compute}}} \right\rceil$$

    >>> float(balanced_workers(batch=256.0, rate=320.0, compute=0.15))
    6.0

    Source: `transform_time`, solved for the workers.
    """
    return np.ceil(batch / (rate * compute))


def torus_links(nodes: u.Count, dimensions: u.Count) -> u.Number:
    r"""Links that a cut through the middle of a torus severs; a ring is the torus of one dimension.

    $$2 N^{(d-1)/d}$$

    Every line of nodes wraps around, so it is cut twice. Sides are taken as equal.

    >>> torus_links(nodes=64.0, dimensions=2.0)
    16.0

    Source: Dally & Towles (2003), Principles and Practices of Interconnection Networks, chapter 5.
    """
    return 2 * nodes ** ((dimensions - 1) / dimensions)


def bisection_fraction(links: u.Number, nodes: u.Count) -> u.Fraction:
    r"""Wall 10: the part of full bisection bandwidth that the severed links make up.

    $$\beta = \min\left(1, \frac{\mathrm{links}}{N/2}\right)$$

    Full bisection lets each node of one half send to one of the other half at its link's rate, so
    more than $N/2$ links are of no use: small rings and tori stay at one.

    >>> float(bisection_fraction(links=16.0, nodes=64.0))
    0.5

    Source: Dally & Towles (2003), Principles and Practices of Interconnection Networks, chapter 3.
    """
    return np.minimum(1.0, 2 * links / nodes)


def effective_bandwidth(
    link: u.Bandwidth, bisection: u.Fraction, oversubscription: u.Number
) -> u.Bandwidth:
    r"""Wall 10: a node's bandwidth when every node sends across the middle of the network.

    $$BW_{\mathrm{eff}} = \frac{BW_{\mathrm{link}} \cdot \beta}{\mathrm{oversubscription}}$$

    >>> effective_bandwidth(link=50e9, bisection=0.5, oversubscription=2.0)
    12500000000.0

    Source: Dally & Towles (2003), Principles and Practices of Interconnection Networks, chapter 3.
    """
    return link * bisection / oversubscription


def bisection_bandwidth(effective: u.Bandwidth, nodes: u.Count) -> u.Bandwidth:
    r"""Bandwidth between the two halves of a network, in one direction.

    $$BW_{\mathrm{bisection}} = BW_{\mathrm{eff}} \cdot \frac{N}{2}$$

    >>> bisection_bandwidth(effective=50e9, nodes=64.0)
    1600000000000.0

    Source: Dally & Towles (2003), Principles and Practices of Interconnection Networks, chapter 3.
    """
    return effective * nodes / 2
