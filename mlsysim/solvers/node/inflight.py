"""In-flight batching: requests join and leave a batch that never stops, and wait for each other.

Poisson arrivals of equal requests. A replica reads every prompt that has come, then decodes one
step for all that it has in flight; or, where prompts are cut into chunks, takes one chunk along in
each step. Requests in flight share the replica: how many there are follows the law of a processor
shared by all whose speed depends on their number, which is exact whatever the lengths. A request
whose cache finds no room waits until another ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.solver import Result, because, lazily
from mlsysim.equations import serving as eq
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.kernels import measured
from mlsysim.solvers.node.replica import RESERVE, Replica
from mlsysim.solvers.node.serving import TAIL
from mlsysim.solvers.node.single import Question, too_large, total

MOST = 2048.0  # sequences that a server steps together at most: a teaching value
_GRID = 2048  # points of a distribution
_LEAD = 16  # of them before zero
_SPREAD = 20  # standard deviations that the grid reaches beyond the mean
_HALVINGS = 16


def _why_not(r: InFlight) -> str:
    if r.si("max_batch") < 1:
        return too_large(r)
    most = r.si("max_rate")
    return (
        f"Requests arrive {r.si('utilization'):.3g} times as fast as the replica answers them: it "
        f"does {most:,.4g} a second at most, with {r.si('max_batch'):,.0f} in flight; share them "
        f"over {int(r.si('arrival_rate') // most) + 1:,} replicas."
    )


class InFlight(Result):
    """One replica under a rate of requests: their times with the queue in them, at that load.

    `ttft` and `latency` are means. `itl` is the mean time between a request's tokens, prompts of
    others that come between them included. `batch` is how many decode on average, `max_batch` how
    many fit; `max_rate` is the rate at which the replica is busy all the time, and `utilization`
    the part of it that arrives. Times are unknown where the queue only grows.
    """

    walls = (4, 5, 7)

    ttft: u.Seconds = "ms"
    p50_ttft: u.Seconds = lazily("ms", lambda r: r.si("_first")()[0])
    p99_ttft: u.Seconds = lazily("ms", lambda r: r.si("_first")()[1])
    itl: u.Seconds = "ms"
    latency: u.Seconds = "s"
    p50_latency: u.Seconds = lazily("s", lambda r: r.si("_whole")()[0])
    p99_latency: u.Seconds = lazily("s", lambda r: r.si("_whole")()[1])
    utilization: u.Number
    batch: u.Number
    throughput: u.Rate = lazily("token/s", lambda rate, tokens: rate * tokens, "_served", "tokens")
    prefill_time: u.Seconds = "ms"
    step_time: u.Seconds = "ms"
    wait_probability: u.Number
    max_batch: u.Number
    max_rate: u.Rate = "request/s"
    arrival_rate: u.Rate = "request/s"
    feasible: bool
    reason: str = because(_why_not)
    memory_required: u.Bytes = lazily("GB", total, "weights", "kv_cache", "activations")
    weights: u.Bytes = lazily("GB", lambda r: r.si("_server").held.held_weights)
    kv_cache: u.Bytes = lazily("GB", lambda r: r.si("_server").held.held_state)
    activations: u.Bytes = lazily("GB", lambda r: r.si("_server").held.held_activations)
    memory_capacity: u.Bytes = "GB"
    reserve: u.Bytes = "GB"
    datapath: str
    precision: str
    prompt: u.Number
    tokens: u.Number
    _served: u.Rate
    _server: Any
    _first: Any  # median and 99th percentile of the time to the first token, when they are asked
    _whole: Any


class Server(NamedTuple):
    """A replica with a kind of request, worked out once for all rates: its step at each batch."""

    replica: Replica
    prompt: float
    tokens: float
    reserve: float
    room: float
    alone: float  # seconds of a prompt by itself
    prefill: float  # and those by which it holds up all others
    pieces: float  # decode steps that one prompt's chunks ride on; none where prompts stop them
    steps: float
    step: np.ndarray  # seconds at 1, 2, ... sequences in flight

    @property
    def max_batch(self) -> float:
        """How many sequences are in flight at most."""
        return float(len(self.step)) if self.room >= 1 else 0.0

    @property
    def held(self) -> Demand:
        """What must fit when it is full."""
        return self.replica.held(max(self.max_batch, 1.0), self.prompt + self.tokens)

    @property
    def max_rate(self) -> float:
        """Requests a second at which it is busy all the time; none where not one fits."""
        if self.room < 1:
            return 0.0
        # chunks let in one request while the batch takes so many steps
        most = min(self.max_batch, max(self.steps / self.pieces, 1.0) if self.pieces else math.inf)
        step = np.interp(most, np.arange(1.0, self.max_batch + 1), self.step)
        return 1.0 / float(eq.request_time(self.prefill, step, self.steps, most))

    def at(self, rate: float) -> InFlight:
        """The answer to requests that come at `rate` a second."""
        most = self.max_rate
        keeps_up = rate < most
        times = _times(self, rate) if keeps_up else _UNKNOWN
        supply = self.replica.question.supply
        return InFlight(
            **times,
            utilization=rate / most if most else math.inf,
            prefill_time=self.prefill,
            max_batch=self.max_batch,
            max_rate=most,
            arrival_rate=rate,
            feasible=keeps_up,
            memory_capacity=supply.capacity - self.reserve,
            reserve=self.reserve,
            datapath=supply.datapath,
            precision=self.replica.question.precision,
            prompt=self.prompt,
            tokens=self.tokens,
            _served=min(rate, most),
            _server=self,
        )

    def largest(self, keeps: Callable[[InFlight], bool]) -> float:
        """The largest rate whose answer `keeps` a promise; zero where none does.

        What a promise bounds must grow with the rate, as every time here does.
        """
        low, high = 0.0, self.max_rate
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if middle and keeps(self.at(middle)) else (low, middle)
        return low


def server(
    asked: Question | Replica,
    prompt: float,
    tokens: float,
    *,
    max_batch: float | None = None,
    reserve: float | None = None,
) -> Server:
    """A replica that answers prompts of `prompt` tokens with `tokens` tokens each.

    It holds as many sequences as fit beside `reserve` bytes (by default a tenth of the device's
    memory), and no more than `max_batch` (by default 2,048).
    """
    replica = asked if isinstance(asked, Replica) else Replica(asked)
    capacity = replica.question.supply.capacity
    kept = RESERVE * capacity if reserve is None else reserve
    room = float(replica.room(prompt + tokens, kept))
    most = max(min(room, max_batch or MOST), 1.0)
    context = float(eq.mean_decode_context(prompt, tokens))
    chunk, steps = replica.chunk, float((tokens - 1) / replica.gain)
    alone = held_up = float(replica.prefill(1.0, prompt))
    if measured(replica.question.stack) and not replica.draft:
        # the servers of today let prompts ride along with the steps of all others
        each = most * (prompt - replica.prefix) / max(steps, 1.0)
        held_up = min(float(replica.beside(most, context, prompt, each)), alone)
    return Server(
        replica=replica,
        prompt=prompt,
        tokens=tokens,
        reserve=kept,
        room=room,
        alone=alone,
        prefill=held_up,
        pieces=0.0 if chunk is None else float((prompt - replica.prefix) / chunk),
        steps=steps,
        step=np.asarray(replica.step(np.arange(1.0, most + 1), context)),
    )


def served(
    asked: Question | Replica, prompt: float, tokens: float, rate: float, **how: Any
) -> InFlight:
    """What requests wait and take that come at `rate` a second; `how` as `server` takes it."""
    return server(asked, prompt, tokens, **how).at(rate)


# ---- how many are in flight, and how long it takes -----------------------------------------------

_UNKNOWN = {
    **dict.fromkeys(("ttft", "itl", "latency", "batch", "step_time", "wait_probability")),
    **dict.fromkeys(("_first", "_whole"), lambda: (None, None)),
}


class _Flight(NamedTuple):
    """Who is in flight at a rate: on average, and what a request sees when it comes."""

    requests: float  # their mean number, their own prefill included
    full: float  # the probability that there is no room for one more
    decoding: float  # the probability that a decode step is under way, when no prompt is read
    step: float  # seconds of the average step
    residual: float  # seconds of it that are left, on average over all who come
    slope: float  # seconds that one more sequence adds to a step


def _in_flight(s: Server, rate: float) -> _Flight:
    r"""The law of a shared processor: $p_k = p_0 \prod_{j \le k} \lambda t_j$.

    Exact for requests of any lengths (Cohen 1979, The multiple phase service network with
    generalized processor sharing, Acta Informatica 12). Beyond the room, all ratios are the last.
    """
    many, reading = np.arange(1.0, len(s.step) + 1), rate * s.prefill
    each = eq.request_time(s.prefill, s.step, s.steps, many)
    ratios = rate * np.maximum(each, 1 / s.max_rate)
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    weights = np.exp(logs - logs.max())
    weights[-1] /= 1 - ratios[-1]  # and all who wait
    p = weights[1:] / weights.sum()
    share = s.steps * s.step / (s.steps * s.step + many * s.prefill)  # of their time that decodes
    decoding = min(float(share @ p) / (1 - reading), 1.0)
    residual = float((share * s.step) @ p) / 2 / (1 - reading)
    requests = float(many @ p)
    slope = np.interp(requests, many, np.gradient(s.step)) if len(s.step) > 1 else 0.0
    step = 2 * residual / decoding if decoding else float(s.step[0])
    return _Flight(requests, float(p[-1]), decoding, step, residual, float(slope))


def _times(s: Server, rate: float) -> dict[str, Any]:
    """Means of a request's times in seconds, and how to find their quantiles."""
    f, busy, reading = _in_flight(s, rate), rate / s.max_rate, rate * s.prefill
    # the prompts' queue: one after the other, or a chunk a step
    lane = s.prefill + s.pieces * f.decoding * f.step
    load = min(rate * lane, busy)
    queued = float(eq.batch_wait(1.0, lane, load))
    wait = queued + f.residual
    spread = load * lane**2 / (3 * (1 - load)) + queued**2
    spread += f.decoding * f.step**2 / 3 - f.residual**2
    # prompts that came meanwhile are read before the first decode step
    held_up = 0.0 if s.pieces else float(eq.interrupted(wait, reading)) - wait
    stay, stays = f.requests / rate + held_up, _spread_of_stays(s, f, rate, wait)
    slots = _Slots.of(s, f, rate, busy, stay, stays)
    own = s.alone + max(math.ceil(s.pieces) - 1, 0) * f.decoding * f.step
    first = _Law(own, lane, load, f, 0.0, 0.0)
    after = 1.0 if s.pieces else 1 / (1 - reading)
    least = s.prefill + s.steps * float(s.step[0])
    rest = max(f.requests / rate - least, 0.0)
    whole = _Law(least, lane * after, load, f._replace(step=f.step * after), rest, stays)
    # no stay is longer than one beside a full batch
    longest = s.max_batch * float(eq.request_time(s.prefill, s.step[-1], s.steps, s.max_batch))
    ttft = cache(lambda: first.quantiles(wait, spread, slots))

    def latency() -> list[float]:
        found = whole.quantiles(wait * after + rest, spread * after**2 + stays, None)
        late = (min(time, longest + wait) for time in found)
        waited = (slots.quantile(tail) for tail in (0.5, TAIL))
        return [max(a + b, c) for a, b, c in zip(late, waited, ttft(), strict=True)]

    reach = own + wait
    mean = reach + max(min(stay - s.prefill, longest), 0.0)
    return {
        "ttft": reach + slots.mean,
        "itl": (mean - reach) / max(s.tokens - 1, 1.0),
        "latency": mean + slots.mean,
        "batch": rate * s.steps * f.step / (1 - reading),
        "step_time": f.step,
        "wait_probability": slots.full,
        "_first": ttft,
        "_whole": cache(latency),
    }


def _spread_of_stays(s: Server, f: _Flight, rate: float, wait: float) -> float:
    """Variance of how long requests stay, after they have waited.

    Whoever comes meanwhile adds a prompt to read at once, and a longer step as long as it stays:
    shot noise with a kernel that falls evenly, amplified by those whom it holds up in turn.
    """
    slower, reading = s.steps * f.slope, rate * s.prefill
    again = min(rate * (s.prefill + slower), 0.99)
    kernel = s.prefill**2 + s.prefill * slower + 2 * slower**2 / 3
    held_up = 0.0 if s.pieces else rate * s.prefill**2 * wait / (1 - reading) ** 3
    return f.requests * kernel / ((1 - reading) * (1 - again)) + held_up


class _Slots(NamedTuple):
    """The wait for room: with probability `full`, until one ends (`next`) and its queue is gone."""

    full: float
    next: float
    queue: float

    @classmethod
    def of(
        cls, s: Server, f: _Flight, rate: float, busy: float, stay: float, stays: float
    ) -> _Slots:
        """From how much the number in flight varies, as it does when stays do."""
        each = float(eq.request_time(s.prefill, s.step[-1], s.steps, s.max_batch))
        mean, noise = rate * stay, s.prefill + s.steps * f.slope
        spread = max(stays / noise**2, mean)
        full = max(f.full, _beyond(s.max_batch, mean, spread))
        return cls(full, each / (1 - rate * s.prefill), busy / (2 * rate * (1 - busy)))

    @property
    def mean(self) -> float:
        return self.full * (self.next / 2 + self.queue)

    def quantile(self, tail: float) -> float:
        return self.queue * math.log(self.full / tail) if self.full > tail else 0.0


def _beyond(value: float, mean: float, spread: float) -> float:
    """The part of a gamma distribution beyond a value, after Wilson and Hilferty."""
    shape = mean**2 / spread
    deviate = ((value / mean) ** (1 / 3) - 1 + 1 / (9 * shape)) * 3 * math.sqrt(shape)
    return math.erfc(deviate / math.sqrt(2)) / 2


class _Law(NamedTuple):
    """The distribution of a time: `least`, a queue of equal services, a residual step, and more.

    Waits of a queue with fixed services are a geometric sum of even parts of them (Pollaczek and
    Khinchine); what is left of the step under way is an even part of it; the rest is gamma.
    """

    least: float
    service: float
    load: float
    flight: _Flight
    rest: float
    spread: float

    def transform(self, x: np.ndarray, slots: _Slots | None) -> np.ndarray:
        """The characteristic function of what comes on top of `least`."""
        part, decoding = _even(x * self.service), self.flight.decoding
        law = (1 - self.load) / (1 - self.load * part)
        law = law * (1 - decoding + decoding * _even(x * self.flight.step))
        if self.rest and self.spread:
            shape = self.rest**2 / self.spread
            law = law * np.exp(-shape * np.log1p(1j * x * self.spread / self.rest))
        if slots is not None:
            late = _even(x * slots.next) / (1 + 1j * x * slots.queue)
            law = law * (1 - slots.full + slots.full * late)
        return law

    def quantiles(self, mean: float, spread: float, slots: _Slots | None) -> tuple[float, float]:
        """Median and 99th percentile, from the transform on a grid."""
        if slots is not None:
            mean += slots.mean
            spread += slots.full * 2 * (slots.queue + slots.next) ** 2
        span = mean + _SPREAD * math.sqrt(max(spread, 0.0))
        if not span:
            return self.least, self.least
        width, (turns, smooth, middles) = span / _GRID, _grid(_GRID)
        mass = np.fft.irfft(self.transform(turns / width, slots) * smooth, _GRID)
        below = np.maximum.accumulate(np.cumsum(mass))
        time = middles * width
        half, last = np.interp((0.5, 1 - TAIL), below, time)
        return self.least + max(float(half), 0.0), self.least + max(float(last), 0.0)


@cache
def _grid(points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of so many points of unit width: frequencies, what smooths, and the middles in between.

    Smoothed over three points, so that edges hardly ring, and begun where that has died away.
    """
    turns = 2 * np.pi * np.fft.rfftfreq(points)
    smooth = np.exp(-1j * turns * _LEAD) * (1 + np.cos(turns)) / 2
    return turns, smooth, np.arange(points) - _LEAD + 0.5


def _even(x: np.ndarray) -> np.ndarray:
    """The characteristic function of a number drawn evenly from zero to one, at `x`."""
    half = x / 2
    return np.sinc(half / np.pi) * (np.cos(half) - 1j * np.sin(half))
