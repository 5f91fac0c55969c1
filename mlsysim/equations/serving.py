r"""The physics of serving: slots in memory, streamed layers, batches that fill, and queues.

Pure functions over floats, arrays and quantities alike. Queues are first come, first served.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u

_ENOUGH = 10  # steps of Newton's method on a concave function: seven find all digits


def generation_time(first: u.Seconds, step: u.Seconds, tokens: u.Count) -> u.Seconds:
    r"""Wall 4: the time until the last of `tokens` tokens; the prompt's pass yields the first.

    $$T = \mathrm{TTFT} + (n - 1)\,\mathrm{ITL}$$

    >>> generation_time(first=0.5, step=0.25, tokens=3)
    1.0

    Source: Pope et al. (2022), Efficiently Scaling Transformer Inference, arXiv:2211.05102.
    """
    return first + (tokens - 1) * step


def mean_decode_context(prompt: u.Count, tokens: u.Count) -> u.Number:
    r"""Context of the average decode step, each of which sees one token more.

    $$\bar S = \frac{1}{n-1}\sum_{j=1}^{n-1}(S + j) = S + \frac{n}{2}$$

    A step is linear in its context under either roof, so the mean step times $n - 1$ is the exact
    sum as long as one roof binds throughout. A single token counts as one step.

    >>> float(mean_decode_context(prompt=100, tokens=4))
    102.0

    Source: arithmetic series.
    """
    return prompt + np.maximum(tokens, 2) / 2


def speculative_gain(acceptance: u.FractionOrZero, drafted: u.CountOrZero) -> u.Number:
    r"""Tokens that one verification of $\gamma$ drafted tokens yields on average.

    $$\sum_{i=0}^{\gamma} \alpha^i = \frac{1 - \alpha^{\gamma + 1}}{1 - \alpha}$$

    Each guess is accepted with probability $\alpha$ as long as those before it are, and the
    model's own next token comes on top; $\gamma + 1$ where all are.

    >>> float(speculative_gain(acceptance=0.5, drafted=2.0))
    1.75

    Source: Leviathan et al. (2023), Fast Inference from Transformers via Speculative Decoding,
    equation 1, arXiv:2211.17192.
    """
    all_kept = acceptance >= 1
    rate = np.where(all_kept, 0 * acceptance, acceptance)
    return np.where(all_kept, drafted + 1, (1 - rate ** (drafted + 1)) / (1 - rate))[()]


def request_time(
    prefill: u.SecondsOrZero, step: u.Seconds, steps: u.CountOrZero, batch: u.Count
) -> u.Seconds:
    r"""Seconds of a replica that one request takes when `batch` of them share its decode steps.

    $$t_B = T_{\mathrm{prefill}} + \frac{n\,T_{\mathrm{step}}(B)}{B}$$

    Its inverse is the rate at which the replica is busy all the time.

    >>> request_time(prefill=0.5, step=0.25, steps=100.0, batch=50.0)
    1.0

    Source: Yu et al. (2022), Orca, section 3, OSDI, for the iteration; the share is arithmetic.
    """
    return prefill + steps * step / batch


def interrupted(time: u.Seconds, load: u.FractionOrZero) -> u.Seconds:
    r"""How long work lasts that stops for others, which take `load` of the time.

    $$T = \frac{t}{1 - u}$$

    A decode step waits for every prompt that has come, and for those that come meanwhile.

    >>> float(interrupted(time=0.25, load=0.5))
    0.5

    Source: Conway, Maxwell & Miller (1967), Theory of Scheduling, section 8-3 (delay cycles).
    """
    with np.errstate(divide="ignore"):
        return np.divide(time, 1 - load)


def slots(room: u.Bytes, sequence: u.Bytes) -> u.Number:
    r"""Wall 5: how many sequences fit when each reserves the same amount.

    $$N = \left\lfloor \frac{M}{k\,S} \right\rfloor$$

    $M$ is what the weights leave; none fit when that is negative.

    >>> float(slots(room=10e9, sequence=3e9))
    3.0

    Source: Kwon et al. (2023), PagedAttention, arXiv:2309.06180.
    """
    return np.floor(np.maximum(room, 0 * room) / sequence)


def page_rounded(length: u.Number, page: u.Number) -> u.Number:
    r"""Wall 5: the tokens that a sequence reserves when memory is handed out in pages.

    $$p \left\lceil \frac{S}{p} \right\rceil$$

    >>> float(page_rounded(length=33.0, page=16.0))
    48.0

    Source: Kwon et al. (2023), PagedAttention, arXiv:2309.06180.
    """
    return page * np.ceil(length / page)


def unused_share(used: u.Bytes, reserved: u.Bytes) -> u.Number:
    r"""Internal fragmentation: the part of a reservation that holds nothing.

    $$1 - \frac{\mathrm{used}}{\mathrm{reserved}}$$

    >>> unused_share(used=1.0, reserved=4.0)
    0.75

    Source: Kwon et al. (2023), PagedAttention, section 3.1, arXiv:2309.06180.
    """
    return 1 - used / reserved


def streamed_layer_time(stream: u.Seconds, compute: u.Seconds, memory: u.Seconds) -> u.Seconds:
    r"""Wall 6: one layer whose weights arrive from outside while the one before it computes.

    $$T_{\mathrm{layer}} = \max\left(\frac{W}{BW_{\mathrm{inject}}},
    \frac{2WB}{\mathrm{peak}\cdot\eta}, T_{\mathrm{memory}}\right)$$

    The last term is the device's own memory, which on a wafer hardly ever binds. Assumes that the
    next layer is always on its way, so nothing is lost between layers or steps.

    >>> float(streamed_layer_time(stream=0.003, compute=0.001, memory=0.0001))
    0.003

    Source: Lie (2022), Cerebras Architecture Deep Dive, Hot Chips 34; IEEE Micro 43(3).
    """
    return np.maximum(np.maximum(stream, compute), memory)


def offered_load(arrival: u.Rate, service: u.Seconds) -> u.Number:
    r"""Servers kept busy on average, were there enough of them (in erlangs).

    $$a = \lambda\, s$$

    >>> offered_load(arrival=8.0, service=0.25)
    2.0

    Source: Little (1961), A Proof for the Queuing Formula L = lambda W.
    """
    return arrival * service


def erlang_c(offered: u.Number, servers: u.Count) -> u.Number:
    r"""Wall 7: the probability that a request has to wait in an M/M/c queue.

    $$C = \frac{c\,B}{c - a\,(1 - B)}, \qquad B_k = \frac{a B_{k-1}}{k + a B_{k-1}},\; B_0 = 1$$

    Poisson arrivals, exponential service; 1 when the servers cannot keep up.

    >>> round(float(erlang_c(offered=1.0, servers=2)), 9)  # a^2 / (2 + a)
    0.333333333

    Source: Erlang (1917); Gross & Harris (1998), Fundamentals of Queueing Theory, chapter 2.
    """
    # 1 + sum over k of c (c-1) ... (c-k) / a^(k+1) is 1 over Erlang-B; summed in logarithms
    free = np.expand_dims(servers, -1) - np.arange(float(np.max(servers)))
    logs = np.cumsum(np.log(np.maximum(free, 1) / np.expand_dims(offered, -1)), axis=-1)
    with np.errstate(over="ignore"):
        terms = np.where(free > 0, np.exp(logs), 0 * logs)
        idle = np.maximum(1 - offered / servers, 0 * offered)
        return (1 / (1 + idle * np.sum(terms, axis=-1)))[()]


def mean_wait(
    waiting: u.Number, service: u.Seconds, offered: u.Number, servers: u.Count
) -> u.Seconds:
    r"""The mean wait before service in a stable M/M/c queue.

    $$W_q = \frac{C\, s}{c - a}$$

    >>> float(mean_wait(waiting=0.5, service=0.1, offered=0.5, servers=1))
    0.1

    Source: Gross & Harris (1998), Fundamentals of Queueing Theory, chapter 2.
    """
    with np.errstate(divide="ignore"):
        return np.divide(waiting * service, servers - offered)


def fixed_share(utilization: u.Fraction, servers: u.Count) -> u.Number:
    r"""What is left of the wait of an M/M/c queue when every service takes the same.

    $$\phi = \frac{1 + \gamma}{2}, \qquad
    \gamma = \min\left(0.24, \frac{(1-\rho)(c-1)(\sqrt{4+5c}-2)}{16\,c\,\rho}\right)$$

    Half for one server, exactly, and half in heavy traffic; a little more for idle servers.

    >>> float(fixed_share(utilization=0.5, servers=1.0))
    0.5

    Source: Cosmetatos (1976), doi:10.1057/jors.1976.159; Whitt (1993), Approximations for the
    GI/G/m Queue, equation 2.17, doi:10.1111/j.1937-5956.1993.tb00094.x.
    """
    grown = (1 - utilization) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2)
    with np.errstate(divide="ignore"):
        return (1 + np.clip(np.divide(grown, 16 * servers * utilization), 0, 0.24)) / 2


def fixed_stay(
    tail: u.Fraction, service: u.Seconds, waiting: u.Number, wait: u.Seconds
) -> u.Seconds:
    r"""The time that a share `tail` exceed, wait and service, when every service takes the same.

    $$T(1 - \epsilon) = s + \frac{\bar W_q}{C} \ln\frac{C}{\epsilon}$$

    Waits are taken as exponential among those who wait, which is a share $C$; the service itself
    where fewer than `tail` do.

    >>> float(fixed_stay(tail=0.25, service=1.0, waiting=0.25, wait=0.5))
    1.0

    Source: Tijms (2003), A First Course in Stochastic Models, section 9.6.2.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        late = np.divide(wait, waiting) * np.log(np.maximum(waiting / tail, 1))
    return service + np.where(waiting > tail, late, 0 * late)[()]


def mixed_quantile(
    fixed: u.Seconds, exponential: u.Seconds, variation: u.FractionOrZero
) -> u.Seconds:
    r"""A quantile of a queue whose service varies less than an exponential one.

    $$(1 - v^2)\,T_{\mathrm{fixed}} + v^2\,T_{\mathrm{exponential}}$$

    $v$ is the standard deviation of the service over its mean.

    >>> mixed_quantile(fixed=1.0, exponential=5.0, variation=0.5)
    2.0

    Source: Tijms (2003), A First Course in Stochastic Models, section 9.6.2; for means it is the
    formula of Cosmetatos (1976), and near it that of Allen (1990), (1 + v^2) / 2.
    """
    return (1 - variation**2) * fixed + variation**2 * exponential


def sojourn_tail(
    time: u.Seconds, service: u.Seconds, waiting: u.Number, spare: u.Number
) -> u.Number:
    r"""The probability that a request takes longer than `time`, wait and service together (M/M/c).

    $$P(T > t) = e^{-\tau} + C\,\frac{e^{-\tau} - e^{-(c-a)\tau}}{(c-a) - 1},
    \qquad \tau = \frac{t}{s}$$

    `waiting` is Erlang's $C$ and `spare` is $c - a$. Where $c - a = 1$ the fraction is
    $\tau e^{-\tau}$. With one server it is the familiar $e^{-(1-\rho)\tau}$.

    >>> round(float(sojourn_tail(time=2.0, service=1.0, waiting=0.5, spare=0.5)), 6)  # exp(-1)
    0.367879

    Source: Gross & Harris (1998), Fundamentals of Queueing Theory, chapter 2.
    """
    tau = time / service
    gap = np.abs(spare - 1)
    # written so that nothing overflows or cancels on either side of spare = 1, nor at it
    some = np.where(gap > 0, gap, 1 + gap)
    spread = np.where(gap > 0, -np.expm1(-gap * tau) / some, tau)
    return np.exp(np.negative(tau)) + waiting * np.exp(-np.minimum(spare, 1) * tau) * spread


def sojourn_quantile(
    tail: u.Fraction, service: u.Seconds, waiting: u.Number, spare: u.Number
) -> u.Seconds:
    r"""The time that only a share `tail` of requests exceed, wait and service together (M/M/c).

    $$P(T > t) = \mathrm{tail}$$

    solved by Newton's method on $\ln P$, which is concave: from the far side, where the first step
    leads, it cannot overshoot.
    NaN where the servers cannot keep up (`spare` of zero or less).

    >>> time = sojourn_quantile(tail=0.01, service=1.0, waiting=0.5, spare=0.5)
    >>> round(float(time), 6)  # 2 ln 100
    9.21034

    Source: Gross & Harris (1998), Fundamentals of Queueing Theory, chapter 2.
    """
    stable = spare > 0
    spare = np.where(stable, spare, 1 + 0 * spare)
    tau = np.log(1 / tail)  # of the service alone
    for _ in range(_ENOUGH):
        longer = sojourn_tail(tau, 1.0, waiting, spare)
        hazard = 1 - waiting * np.exp(-spare * tau) / longer
        tau = tau + np.log(longer / tail) / hazard
    return np.where(stable, tau, np.nan)[()] * service


def fill_wait(batch: u.Count, arrival: u.Rate, deviate: u.Number) -> u.Seconds:
    r"""Wall 5: how long the request that opens a batch waits for the others, at a quantile.

    $$T_{\mathrm{fill}} = \frac{k}{\lambda}\left(1 - \frac{1}{9k} + \frac{z}{3\sqrt{k}}\right)^3,
    \qquad k = B - 1$$

    The sum of $k$ exponential gaps, by the approximation of Wilson and Hilferty (within 1 % at the
    99th percentile); `deviate` $z$ is the standard normal deviate of the quantile.

    >>> round(float(fill_wait(batch=2, arrival=1.0, deviate=2.326)), 1)  # ln 100 = 4.6
    4.6

    Source: Wilson & Hilferty (1931), The Distribution of Chi-Square, doi:10.1073/pnas.17.12.684.
    """
    others = np.maximum(batch - 1, 1)
    factor = (1 - 1 / (9 * others) + deviate / (3 * np.sqrt(others))) ** 3
    return np.minimum(batch - 1, others) * factor / arrival


def batch_wait(batch: u.Count, service: u.Seconds, utilization: u.Fraction) -> u.Seconds:
    r"""The mean wait of a full batch for a server that takes `service` for each.

    $$W_q = \frac{\rho}{1 - \rho}\,\frac{1/B + 0}{2}\, s$$

    Allen and Cunneen's formula for gaps of $B$ Poisson arrivals and a fixed service time; with
    $B = 1$ it is exact, $\rho s / 2(1 - \rho)$ (M/D/1, Pollaczek and Khinchine).

    >>> float(batch_wait(batch=1, service=1.0, utilization=0.5))
    0.5

    Source: Allen (1990), Probability, Statistics, and Queueing Theory, section 5.3.
    """
    with np.errstate(divide="ignore"):
        return np.divide(utilization * service, 2 * batch * (1 - utilization))


def batch_start(batch: u.Count, fill: u.Seconds, wait: u.Seconds, service: u.Seconds) -> u.Seconds:
    r"""How long the request that opens a batch waits: until it is full and the device is free.

    $$T_{\mathrm{start}} = \max(T_{\mathrm{fill}}, W_q + s\,[B > 1])$$

    A batch fills while the one before it waits $W_q$ and runs $s$. With the $1 - \epsilon/2$
    quantile of each it bounds the $1 - \epsilon$ quantile of the later one; a batch of one is full
    at once and waits $W_q$ itself.

    >>> float(batch_start(batch=2, fill=0.5, wait=0.25, service=1.0))
    1.25

    Source: Lindley (1952), doi:10.1017/S0305004100027638, with Boole's inequality.
    """
    return np.maximum(fill, wait + np.where(batch > 1, service, 0 * service))


def wait_quantile(wait: u.Seconds, utilization: u.Fraction, tail: u.Fraction) -> u.Seconds:
    r"""The wait that only a share `tail` of requests exceed, from the mean wait.

    $$W_q(1 - \epsilon) = \frac{\bar W_q}{\rho} \ln\frac{\rho}{\epsilon}$$

    Takes waits as exponential among those who wait, which M/M/1 is exactly and other queues are in
    heavy traffic; zero when fewer than `tail` wait at all.

    >>> float(wait_quantile(wait=1.0, utilization=0.5, tail=0.5))
    0.0

    Source: Kingman (1962), On Queues in Heavy Traffic, doi:10.1111/j.2517-6161.1962.tb00465.x.
    """
    return wait / utilization * np.log(np.maximum(utilization / tail, 1))
