r"""The physics of many devices: what they say to each other, how they wait, and how they fail.

Pure functions. Each works unchanged on a float, a numpy array and a pint Quantity; each names the
dimension of what it takes and gives, and the document that it comes from.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u

# ---- wall 14: communication --------------------------------------------------------------------


def queued(alone: u.Seconds, latency: u.Seconds, queue: u.Number) -> u.Seconds:
    r"""Wall 14: a collective neither short nor long: latency and rate hide each other in part.

    $$T = L + \frac{M}{BW} + 2 q \sqrt{L \frac{M}{BW}}$$

    At $q = 1$ it is cut into the best number of pieces, at $q = 0$ never.
    >>> f"{queued(alone=4e-6, latency=1e-6, queue=0.5):.2g}"
    '7e-06'

    Source: Thakur, Rabenseifner & Gropp (2005), doi:10.1177/1094342005051521, for pipelined trees.
    """
    return latency + alone + 2 * queue * np.sqrt(latency * alone)


def transfer_time(data: u.Bytes, bandwidth: u.Bandwidth, latency: u.SecondsOrZero) -> u.Seconds:
    r"""One message between two devices: its latency, and its bytes at the rate of the link.

    $$T = \frac{M}{BW} + \alpha$$

    >>> transfer_time(data=50e9, bandwidth=50e9, latency=0.5)
    1.5

    Source: Hockney (1994), doi:10.1016/S0167-8191(06)80021-9.
    """
    return data / bandwidth + latency


def ring_all_reduce(
    data: u.Bytes, ranks: u.Number, bandwidth: u.Bandwidth, latency: u.SecondsOrZero
) -> u.Seconds:
    r"""Wall 14: sum $M$ bytes over $N$ ranks in a ring, each ending with the whole sum.

    $$T = \frac{2(N-1)}{N}\frac{M}{BW} + 2(N-1)\,\alpha$$

    A reduce-scatter and an all-gather, half of it each. One rank has nothing to say.

    >>> ring_all_reduce(data=1e9, ranks=4.0, bandwidth=50e9, latency=0.0)
    0.03

    Source: Patarasuk & Yuan (2009), doi:10.1016/j.jpdc.2008.09.002.
    """
    return 2 * (ranks - 1) / ranks * data / bandwidth + 2 * (ranks - 1) * latency


def hierarchical_all_reduce(
    data: u.Bytes,
    local: u.Number,
    nodes: u.Number,
    *,
    link: u.Bandwidth,
    link_latency: u.SecondsOrZero,
    network: u.Bandwidth,
    network_latency: u.SecondsOrZero,
) -> u.Seconds:
    r"""Sum $M$ bytes over `local` ranks in each of `nodes` servers, slow wires used sparingly.

    $$T = T_{\mathrm{ring}}(M, l, BW_{\mathrm{link}})
        + T_{\mathrm{ring}}(M/l, n, BW_{\mathrm{net}})$$

    Reduce-scatter inside the node, all-reduce of each rank's share across the nodes, all-gather
    inside the node: the two inner legs together are one ring. `network` is one device's share of
    the server's ports.

    >>> hierarchical_all_reduce(
    ...     data=8e9,
    ...     local=8.0,
    ...     nodes=2.0,
    ...     link=28e9,
    ...     link_latency=0.0,
    ...     network=4e9,
    ...     network_latency=0.0,
    ... )
    0.75

    Source: Jia et al. (2018), section 4.2, arXiv:1807.11205.
    """
    inside = ring_all_reduce(data, local, link, link_latency)
    return inside + ring_all_reduce(data / local, nodes, network, network_latency)


def all_to_all(
    data: u.Bytes,
    ranks: u.Number,
    local: u.Number,
    *,
    link: u.Bandwidth,
    network: u.Bandwidth,
    latency: u.SecondsOrZero,
) -> u.Seconds:
    r"""Each of $N$ ranks sends an equal part of its $M$ bytes to every rank.

    $$T = \max\left(\frac{l - 1}{N}\frac{M}{BW_{\mathrm{link}}},
          \frac{N - l}{N}\frac{M}{BW_{\mathrm{net}}}\right) + (N - 1)\,\alpha$$

    The parts for the $l$ ranks of the own node and those for other nodes travel at the same time.

    >>> float(all_to_all(data=16e9, ranks=4.0, local=4.0, link=400e9, network=50e9, latency=0.0))
    0.03

    Source: Lepikhin et al. (2020), GShard, section 3, arXiv:2006.16668.
    """
    inside = (local - 1) / ranks * data / link
    outside = (ranks - local) / ranks * data / network
    return np.maximum(inside, outside) + (ranks - 1) * latency


def mesh_share(link: u.Bandwidth, group: u.Number, devices: u.Number) -> u.Bandwidth:
    r"""A device's rate to a group of $k$ that includes it, where each two have a wire of their own.

    $$BW_k = BW \frac{k - 1}{n - 1}$$

    Its wires to the others of the node's $n$ devices carry nothing meanwhile.

    >>> mesh_share(link=448e9, group=2.0, devices=8.0)
    64000000000.0

    Source: definition; of a switch every device has the whole rate to any other.
    """
    return link * (group - 1) / (devices - 1)


def network_share(
    port: u.Bandwidth, ports: u.Number, devices: u.Number, oversubscription: u.Number
) -> u.Bandwidth:
    r"""One device's share of what its server sends into the fabric, in one direction.

    $$BW_{\mathrm{net}}
        = \frac{n_{\mathrm{ports}} \cdot BW_{\mathrm{port}}}{n_{\mathrm{devices}} \cdot o}$$

    With every server sending at once, an oversubscription $o$ divides the rate.

    >>> network_share(port=50e9, ports=8.0, devices=8.0, oversubscription=2.0)
    25000000000.0

    Source: Al-Fares et al. (2008), section 2, doi:10.1145/1402958.1402967.
    """
    return port * ports / (devices * oversubscription)


def bubble_fraction(stages: u.Number, microbatches: u.Number, interleave: u.Number) -> u.Number:
    r"""The part of a pipelined step in which a device waits for the others.

    $$\frac{p - 1}{v\,m + p - 1}$$

    $v$ is the number of interleaved chunks that a stage is cut into, one in the plain schedule.

    >>> bubble_fraction(stages=4.0, microbatches=9.0, interleave=1.0)
    0.25

    Source: Narayanan et al. (2021), section 2.2, arXiv:2104.04473; Huang et al. (2019), GPipe,
    arXiv:1811.06965.
    """
    return (stages - 1) / (interleave * microbatches + stages - 1)


def pipeline_time(
    stage: u.Seconds,
    others: u.Seconds,
    stages: u.Number,
    microbatches: u.Number,
    interleave: u.Number,
) -> u.Seconds:
    r"""All microbatches through all stages, of which the slowest takes `stage` for each.

    $$T = m\,t + \frac{p - 1}{v} t_{\mathrm{others}}$$

    The slowest sets the pace, and the first microbatch has to pass the `others`.

    >>> pipeline_time(stage=0.75, others=0.5, stages=4.0, microbatches=9.0, interleave=1.0)
    8.25

    Source: Narayanan et al. (2021), section 2.2, arXiv:2104.04473.
    """
    return microbatches * stage + (stages - 1) / interleave * others


def exposed_time(
    communication: u.SecondsOrZero, overlap: u.Number, window: u.Seconds
) -> u.SecondsOrZero:
    r"""What of a communication is left to wait for, when a part of it runs behind arithmetic.

    $$T_{\mathrm{exposed}}
        = T_{\mathrm{comm}} - \min(\omega\, T_{\mathrm{comm}}, T_{\mathrm{window}})$$

    No more can hide than there is arithmetic to hide behind.

    >>> float(exposed_time(communication=2.0, overlap=0.5, window=0.75))
    1.25

    Source: Li et al. (2020), PyTorch Distributed, section 3.2, arXiv:2006.15704.
    """
    return communication - np.minimum(overlap * communication, window)


def scaling_efficiency(ideal: u.Seconds, actual: u.Seconds) -> u.Number:
    r"""Time if devices divided the work and never waited, over the time that they take.

    $$\eta_{\mathrm{scaling}} = \frac{T_{\mathrm{ideal}}}{T}$$

    >>> scaling_efficiency(ideal=3.0, actual=4.0)
    0.75

    Source: definition.
    """
    return ideal / actual


def fleet_time(
    operations: u.Operations,
    devices: u.Number,
    peak: u.OperationRate,
    *,
    mfu: u.Fraction,
    scaling: u.Fraction,
    goodput: u.Fraction,
) -> u.Seconds:
    r"""The Iron Law of a fleet: everything that stands between FLOP and the day it is done.

    $$T = \frac{\mathrm{FLOPs}}{N \cdot \mathrm{peak} \cdot \mathrm{MFU} \cdot
          \eta_{\mathrm{scaling}} \cdot \mathrm{goodput}}$$

    >>> fleet_time(operations=1e18, devices=1000.0, peak=1e12, mfu=0.5, scaling=0.5, goodput=0.5)
    8000.0

    Source: Chowdhery et al. (2022), PaLM, appendix B, arXiv:2204.02311, for MFU; goodput as in the
    failure model below.
    """
    return operations / (devices * peak * mfu * scaling * goodput)


# ---- wall 15: fragility ------------------------------------------------------------------------


def failure_rate(count: u.Number, mtbf: u.Seconds) -> u.Rate:
    r"""How often one of several equal parts fails.

    $$\Lambda = n \lambda = \frac{n}{\mathrm{MTBF}}$$

    Failures are independent, at a constant rate, and each stops the job.

    >>> failure_rate(count=8.0, mtbf=50000.0)
    0.00016

    Source: Barlow & Proschan (1965), Mathematical Theory of Reliability, chapter 2.
    """
    return count / mtbf


def mean_time_between_failures(rate: u.Rate) -> u.Seconds:
    r"""Wall 15: the mean time between failures of parts that fail at rates that add up.

    $$\mathrm{MTBF} = \frac{1}{\sum_i n_i \lambda_i}$$

    >>> mean_time_between_failures(rate=0.05)
    20.0

    Source: Barlow & Proschan (1965), Mathematical Theory of Reliability, chapter 2.
    """
    return 1 / rate


def littles_law(rate: u.Rate, time: u.Seconds) -> u.Number:
    r"""How many there are at a time, or in a time, of what happens at a rate.

    $$N = \lambda\, T$$

    Jobs in a queue from their arrivals and their wait; failures expected in a run.

    >>> littles_law(rate=2.0, time=8.0)
    16.0

    Source: Little (1961), doi:10.1287/opre.9.3.383.
    """
    return rate * time


def young_daly(checkpoint: u.Seconds, mtbf: u.Seconds) -> u.Seconds:
    r"""The interval between checkpoints that wastes least.

    $$\tau = \sqrt{2\,\delta\,M}$$

    The first order in $\delta/M$: it holds while a checkpoint is much shorter than the time
    between failures.

    >>> float(young_daly(checkpoint=50.0, mtbf=10000.0))
    1000.0

    Source: Young (1974), doi:10.1145/361147.361115; Daly (2006), doi:10.1016/j.future.2004.11.016.
    """
    return np.sqrt(2 * checkpoint * mtbf)


def goodput(
    interval: u.Seconds, checkpoint: u.SecondsOrZero, restart: u.SecondsOrZero, mtbf: u.Seconds
) -> u.Number:
    r"""The part of the time that moves the training on: work, over all that it takes to save it.

    $$\frac{\tau}{M\, e^{R/M} \left(e^{(\tau + \delta)/M} - 1\right)}$$

    Exact where failures come at random at a constant rate, during work, saves and restarts alike;
    $1 - \delta/\tau - (\tau + \delta)/2M - R/M$ to first order. Above zero however often the fleet
    fails.

    >>> round(float(goodput(interval=1000.0, checkpoint=50.0, restart=200.0, mtbf=10000.0)), 4)
    0.8854

    Source: Daly (2006), equation 20, doi:10.1016/j.future.2004.11.016.
    """
    with np.errstate(over="ignore"):  # e^710 is too large for a float, and 1 / inf is 0
        lost = np.expm1((interval + checkpoint) / mtbf)
    return interval / mtbf * np.exp(-restart / mtbf) / lost


def checkpoint_share(goodput: u.Number, checkpoint: u.Seconds, interval: u.Seconds) -> u.Number:
    r"""The part of the time that is spent on writing checkpoints which last.

    $$G\, \frac{\delta}{\tau}$$

    >>> checkpoint_share(goodput=0.5, checkpoint=50.0, interval=1000.0)
    0.025

    Source: derived from Daly (2006), doi:10.1016/j.future.2004.11.016.
    """
    return goodput * checkpoint / interval


def rework_share(
    interval: u.Seconds, checkpoint: u.SecondsOrZero, restart: u.SecondsOrZero, mtbf: u.Seconds
) -> u.Number:
    r"""The part of the time that a failure undoes before it is saved.

    $$e^{-R/M} \left(1 - \frac{x}{e^x - 1}\right), \qquad x = \frac{\tau + \delta}{M}$$

    What goodput, checkpoints and restarts leave: half an interval a failure, to first order.

    >>> share = rework_share(interval=1000.0, checkpoint=50.0, restart=0.0, mtbf=10000.0)
    >>> round(float(share), 4)  # 1 - 0.105 / (e^0.105 - 1)
    0.0516

    Source: derived from Daly (2006), doi:10.1016/j.future.2004.11.016.
    """
    segment = (interval + checkpoint) / mtbf
    with np.errstate(over="ignore"):
        return np.exp(-restart / mtbf) * (1 - segment / np.expm1(segment))


def restart_share(restart: u.SecondsOrZero, mtbf: u.Seconds) -> u.Number:
    r"""The part of the time for finding the fault, replacing the part and loading the checkpoint.

    $$1 - e^{-R/M}$$

    A restart may fail too, and begins again; $R/M$ to first order.

    >>> round(float(restart_share(restart=600.0, mtbf=60000.0)), 5)
    0.00995

    Source: derived from Daly (2006), doi:10.1016/j.future.2004.11.016.
    """
    return 0 - np.expm1(-restart / mtbf)


def survival(time: u.Seconds, mtbf: u.Seconds) -> u.Number:
    r"""The chance that nothing fails for a while.

    $$e^{-t/M}$$

    >>> round(float(survival(time=1.0, mtbf=1.0)), 3)
    0.368

    Source: Barlow & Proschan (1965), Mathematical Theory of Reliability, chapter 2.
    """
    return np.exp(-time / mtbf)


# ---- wall 16: many tenants ---------------------------------------------------------------------


def deterministic_wait(
    service: u.Seconds, load: u.Number, servers: u.Number, delayed: u.Number
) -> u.Seconds:
    r"""Wall 16: the mean wait for one of $c$ servers when every job takes equally long.

    $$W = \frac{C\,D}{c\,(1 - \rho)} \cdot \min\left(
          \frac{1}{2} + (1 - \rho)(c - 1)\frac{\sqrt{4 + 5c} - 2}{32\,\rho\,c},\;
          \frac{c}{c + 1}\right)$$

    The wait with exponential service, in which `delayed` ($C$) is Erlang's chance of waiting, times
    a factor between one half (heavy traffic) and $c/(c+1)$ (light traffic). For one server it is
    $\rho / (2\mu(1-\rho))$ exactly; for more it is within a tenth wherever jobs wait at all. At a
    load of $c$ or more the queue never settles, and the wait is infinite.

    >>> float(deterministic_wait(service=2.0, load=0.5, servers=1.0, delayed=0.5))
    1.0
    >>> wait = deterministic_wait(service=8.0, load=6.0, servers=8.0, delayed=0.25)
    >>> round(float(wait), 4)  # 1/2 + 1/4 * 7 * (sqrt(44) - 2) / (32 * 6)
    0.5422

    Source: Cosmetatos (1975), INFOR 13(3), 328-331; its excess in light traffic, here capped, as in
    Kimura (1991), doi:10.1057/jors.1991.119.
    """
    idle = np.maximum(1 - load / servers, 0 * load)
    factor = 0.5 + idle * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (32 * load)
    with np.errstate(divide="ignore"):
        exponential = np.divide(delayed * service / servers, idle)
    return exponential * np.minimum(factor, servers / (servers + 1))
