r"""The physics of running a fleet: power, money, carbon, water, checkpoints and privacy.

Pure functions over floats, arrays and quantities alike.
"""

from __future__ import annotations

import numpy as np

from mlsysim.core import units as u

# ---- energy, carbon, water ----------------------------------------------------------------------


def server_power(accelerators: u.Count, board: u.Power, host_ratio: u.Number) -> u.Power:
    r"""Maximum power of a server, from its boards and what the host adds to them.

    $$P = n \cdot P_{\mathrm{board}} \cdot r$$

    The ratio $r$ is that of a server whose maximum is known. It holds for hosts of the same kind.

    >>> server_power(accelerators=8.0, board=500.0, host_ratio=1.5)
    6000.0

    Source: definition.
    """
    return accelerators * board * host_ratio


def it_energy(power: u.Power, fraction: u.Fraction, time: u.Seconds) -> u.Energy:
    r"""Energy that the servers take at a fraction of their maximum power.

    $$E_{IT} = P_{\max} \cdot f \cdot T$$

    Model FLOPs utilization does not stand here: a server that waits for memory or for the network
    draws nearly what a busy one does. Utilization decides how much work the energy does.

    >>> it_energy(power=10000.0, fraction=0.75, time=3600.0)
    27000000.0

    Source: Newkirk et al. (2025), arXiv:2506.14551; Latif et al. (2024), arXiv:2412.08602.
    """
    return power * fraction * time


def facility_energy(it: u.Energy, pue: u.PowerUsageEffectiveness) -> u.Energy:
    r"""Energy that the meter of the whole facility counts: cooling and conversion on top.

    $$E = E_{IT} \cdot \mathrm{PUE}$$

    >>> facility_energy(it=100.0, pue=1.25)
    125.0

    Source: ISO/IEC 30134-2 (power usage effectiveness).
    """
    return it * pue


def carbon(energy: u.Energy, intensity: u.CarbonIntensity) -> u.Mass:
    r"""Carbon dioxide of generating the facility's energy.

    $$\mathrm{CO}_2 = E \cdot CI$$

    An average intensity: it says what the grid emits, not what one more load adds to it.

    >>> carbon(energy=1000.0, intensity=0.0005)
    0.5

    Source: Patterson et al. (2021), Carbon Emissions and Large Neural Network Training,
    arXiv:2104.10350.
    """
    return energy * intensity


def water(it: u.Energy, wue: u.WaterUsageEffectiveness) -> u.Volume:
    r"""Water that the site evaporates.

    $$V = E_{IT} \cdot \mathrm{WUE}$$

    Usage effectiveness is per IT energy, not per facility energy. It leaves out the water of the
    power plants.

    >>> water(it=1000.0, wue=0.5)
    500.0

    Source: ISO/IEC 30134-9 (water usage effectiveness).
    """
    return it * wue


def embodied_carbon(each: u.Mass, devices: u.Count, time: u.Seconds, lifetime: u.Seconds) -> u.Mass:
    r"""The share of making the devices that falls on a time of use.

    $$\mathrm{CO}_2 = N \cdot m \cdot \frac{T}{T_{\mathrm{life}}}$$

    >>> embodied_carbon(each=100.0, devices=8.0, time=1.0, lifetime=4.0)
    200.0

    Source: Gupta et al. (2022), ACT, doi:10.1145/3470496.3527408.
    """
    return each * devices * (time / lifetime)


def useful_operations(
    peak: u.OperationRate, devices: u.Count, mfu: u.Fraction, time: u.Seconds
) -> u.Operations:
    r"""The model's own work that a fleet does in a time.

    $$\mathrm{OPs} = N \cdot \mathrm{peak} \cdot \mathrm{MFU} \cdot T$$

    >>> useful_operations(peak=1e15, devices=8.0, mfu=0.5, time=10.0)
    4e+16

    Source: Chowdhery et al. (2022), PaLM, appendix B, arXiv:2204.02311.
    """
    return peak * devices * mfu * time


# ---- money --------------------------------------------------------------------------------------


def amortized(
    price: u.Money, multiplier: u.Number, time: u.Seconds, lifetime: u.Seconds
) -> u.Money:
    r"""The part of what was bought that a time of use pays for, straight-line.

    $$C = \mathrm{price} \cdot m \cdot \frac{T}{T_{\mathrm{amortization}}}$$

    The multiplier covers what is bought or hired beside the priced part. A time longer than the
    amortization buys again.

    >>> amortized(price=300.0, multiplier=2.0, time=1.0, lifetime=3.0)
    200.0

    Source: Barroso, Hölzle & Ranganathan (2018), The Datacenter as a Computer, chapter 6.
    """
    return price * multiplier * (time / lifetime)


def rent(hourly: u.HourlyPrice, accelerators: u.Count, time: u.Seconds) -> u.Money:
    r"""What renting accelerators by the hour costs.

    $$C = p \cdot n \cdot T$$

    >>> rent(hourly=0.001, accelerators=8.0, time=1000.0)
    8.0

    Source: definition.
    """
    return hourly * accelerators * time


def breakeven_utilization(owned: u.Money, rented: u.Money) -> u.Number:
    r"""The part of the time in use from which owning is cheaper than renting by the hour.

    $$u^* = \frac{C_{\mathrm{owned}}}{C_{\mathrm{rented}}}$$

    What is owned costs the same used or not; what is rented is paid for while it is used. Above
    one, renting is cheaper even around the clock.

    >>> breakeven_utilization(owned=30.0, rented=40.0)
    0.75

    Source: Walker (2009), The Real Cost of a CPU Hour, doi:10.1109/MC.2009.135.
    """
    return owned / rented


def maintenance(price: u.Money, yearly: u.Fraction, time: u.Seconds, year: u.Seconds) -> u.Money:
    r"""Parts and support contracts, as a yearly fraction of the servers' price.

    $$C = \mathrm{price} \cdot f \cdot \frac{T}{\mathrm{year}}$$

    >>> maintenance(price=1000.0, yearly=0.05, time=2.0, year=1.0)
    100.0

    Source: Barroso, Hölzle & Ranganathan (2018), The Datacenter as a Computer, chapter 6.
    """
    return price * yearly * (time / year)


def energy_cost(energy: u.Energy, price: u.EnergyPrice) -> u.Money:
    r"""What the facility's energy costs.

    $$C = E \cdot p$$

    >>> energy_cost(energy=3600.0, price=0.01)
    36.0

    Source: definition.
    """
    return energy * price


def carbon_cost(mass: u.Mass, price: u.CarbonPrice) -> u.Money:
    r"""What emitting carbon costs where it has a price.

    $$C = m \cdot p$$

    >>> carbon_cost(mass=1000.0, price=0.1)
    100.0

    Source: definition.
    """
    return mass * price


def breakeven_carbon_price(extra: u.Money, saved: u.Mass) -> u.CarbonPrice:
    r"""The price of carbon from which a dearer and cleaner choice is the cheaper one.

    $$p^* = \frac{\Delta C}{\Delta m}$$

    >>> breakeven_carbon_price(extra=50.0, saved=1000.0)
    0.05

    Source: definition of an abatement cost.
    """
    return extra / saved


# ---- checkpoints --------------------------------------------------------------------------------


def checkpoint_overhead(blocked: u.Seconds, interval: u.Seconds) -> u.Fraction:
    r"""The fraction of wall-clock time that a run stands still to save itself.

    $$\frac{T_{\mathrm{blocked}}}{T_{\mathrm{interval}} + T_{\mathrm{blocked}}}$$

    The interval is the time of work between two checkpoints, so the fraction stays below one.

    >>> checkpoint_overhead(blocked=60.0, interval=540.0)
    0.1

    Source: Daly (2006), doi:10.1016/j.future.2004.11.016.
    """
    return blocked / (interval + blocked)


def hidden_write_bandwidth(size: u.Bytes, period: u.Seconds) -> u.Bandwidth:
    r"""The storage bandwidth with which a write in the background ends before the next begins.

    $$BW = \frac{\mathrm{bytes}}{T_{\mathrm{period}}}$$

    >>> hidden_write_bandwidth(size=1200.0, period=60.0)
    20.0

    Source: definition.
    """
    return size / period


# ---- privacy and fairness -----------------------------------------------------------------------


def gaussian_noise(epsilon: u.Number, delta: u.Fraction) -> u.Number:
    r"""Noise of the Gaussian mechanism, in units of the sensitivity, for one release.

    $$\sigma = \frac{\sqrt{2 \ln(1.25/\delta)}}{\varepsilon}$$

    Proved for $0 < \varepsilon < 1$ only (and so, by continuity, for 1); for a large
    $\varepsilon$ it is too little noise.

    >>> round(float(gaussian_noise(epsilon=1.0, delta=1e-5)), 2)
    4.84

    Source: Dwork & Roth (2014), The Algorithmic Foundations of Differential Privacy, theorem A.1.
    """
    return np.sqrt(2 * np.log(1.25 / delta)) / epsilon


def composed_noise(epsilon: u.Number, delta: u.Fraction, releases: u.Count) -> u.Number:
    r"""Noise, in units of the sensitivity, with which all of many releases together keep a budget.

    $$\rho = \left(\sqrt{\varepsilon + \ln\tfrac{1}{\delta}} - \sqrt{\ln\tfrac{1}{\delta}}\right)^2,
    \qquad \sigma = \sqrt{\frac{k}{2\rho}}$$

    Each release is $1/2\sigma^2$-zCDP and these add up; holds for every positive $\varepsilon$.
    Every release sees all the data: sampling a batch each time needs less noise than this.

    >>> round(float(composed_noise(epsilon=3.0, delta=np.exp(-1.0), releases=2.0)), 6)
    1.0

    Source: Bun & Steinke (2016), propositions 1.3, 1.6 and lemma 1.7, arXiv:1605.02065.
    """
    log = np.log(1 / delta)
    rho = (np.sqrt(epsilon + log) - np.sqrt(log)) ** 2
    return np.sqrt(releases / (2 * rho))


def gradient_noise(noise: u.Number, clip_norm: u.Number, batch: u.Count) -> u.Number:
    r"""Standard deviation, in each coordinate, of the noise on a batch's mean gradient in DP-SGD.

    $$s = \frac{\sigma C}{B}$$

    >>> gradient_noise(noise=2.0, clip_norm=0.5, batch=100.0)
    0.01

    Source: Abadi et al. (2016), algorithm 1, arXiv:1607.00133.
    """
    return noise * clip_norm / batch


def noise_to_gradient(noise: u.Number, parameters: u.Count, batch: u.Count) -> u.Number:
    r"""Expected length of the noise over the longest mean gradient that clipping lets through.

    $$\frac{\sigma \sqrt{P}}{B}$$

    The clipping norm cancels, and the root of the number of parameters remains.

    >>> float(noise_to_gradient(noise=2.0, parameters=1e6, batch=1000.0))
    2.0

    Source: derived from Abadi et al. (2016), algorithm 1, arXiv:1607.00133.
    """
    return noise * np.sqrt(parameters) / batch


def samples_for_half_width(
    deviate: u.Number, proportion: u.Fraction, half_width: u.Fraction
) -> u.Count:
    r"""Samples with which a measured proportion is known to plus or minus a half-width.

    $$n = \left\lceil \frac{z^2\, p (1 - p)}{w^2} \right\rceil$$

    The normal approximation; a proportion of one half is the worst case.

    >>> float(samples_for_half_width(deviate=2.0, proportion=0.5, half_width=0.1))
    100.0

    Source: Cochran (1977), Sampling Techniques, section 4.4.
    """
    exact = deviate**2 * proportion * (1 - proportion) / half_width**2
    return np.ceil(np.round(exact, 9))  # 0.1 is no binary fraction: 100.00000000000001 is 100
