"""Why does more FLOPS not give as much more speed? The truths of exercise 01."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from grading.check import Inputs, check
from grading.checks import alike, apart, odd_line
from mlsysim import Hardware, Models, ServingModel
from mlsysim.core.units import Q_, Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant

ASSIGNED: Any = assignment("01_memory_wall")


_SIX = "p1 a1 p2 a2 p3 a3 p4 a4 p5 a5 p6 a6"
_SIXES = [*ASSIGNED.axes[_SIX], [ASSIGNED.sample[name] for name in _SIX.split()]]
_ONES = [[ASSIGNED.sample[name], *ASSIGNED.axes[name]] for name in ("prompt", "answer")]
REQUESTS = sorted(  # every prompt and answer that somebody may be asked about
    {*product(*_ONES), *(pair for six in _SIXES for pair in zip(six[::2], six[1::2], strict=True))}
)


@cache
def served(model: str, device: str) -> dict[tuple[int, int], tuple[float, float]]:
    """Seconds of reading the prompt, and of the whole, for all requests in one call."""
    prompts, answers = np.array(REQUESTS).T
    how: Any = {"seq_len": prompts, "decode_tokens": answers}
    held = ServingModel().solve(Models[model], Hardware[device], **how)
    times = zip(held.si("ttft").tolist(), held.si("latency").tolist(), strict=True)
    return dict(zip(REQUESTS, times, strict=True))


def times(model: str, device: str, prompt: int, answer: int) -> tuple[float, float]:
    """Seconds of reading the prompt, and of the whole request."""
    return served(model, device)[prompt, answer]


def request(v: Variant, device: str = "old") -> tuple[float, float]:
    """The times of the learner's own request."""
    return times(v.fields["model"], v.fields[device], v.prompt, v.answer)


@cache
def ratio(old: str, new: str, what: str) -> float:
    """New over old: of the 16-bit peaks, the bandwidths or the capacities."""

    def number(name: str) -> Quantity:
        device = Hardware[name]
        return device.peak("fp16") if what == "peak" else getattr(device.memory, what)

    return float((number(new) / number(old)).m_as(""))


def by(v: Variant, what: str) -> float:
    """The ratio of the learner's own chips."""
    return ratio(v.fields["old"], v.fields["new"], what)


# ---- q1 ------------------------------------------------------------------------------------------


def share_of(v: Variant, device: str = "old") -> Quantity:
    """Reading's part of the time on one of the chips."""
    reading, whole = request(v, device)
    return Q_(reading / whole, "")


def reading_share(v: Variant) -> Quantity:
    """The prompt is read in one pass, and each token of the answer takes a pass of its own."""
    return share_of(v)


def of_tokens(v: Variant) -> Quantity:
    """A token that is read takes far less time than one that is written: divide times."""
    return Q_(v.prompt / (v.prompt + v.answer), "")


def on_the_new(v: Variant) -> Quantity:
    """The share is of the old chip's time: only of that do both ratios tell what is left."""
    return share_of(v, "new")


def of_writing(v: Variant) -> Quantity:
    """The question asks for the time until the first word, not for the rest."""
    return Q_(1 - float(share_of(v).m_as("")), "")


share = check(
    "q1",
    points=2,
    within=0.03,
    misconceptions=apart(
        reading_share,
        {
            "took the share of the tokens": of_tokens,
            "worked with the new chip's times": on_the_new,
            "gave the share of writing": of_writing,
        },
        by=0.08,
    ),
)(reading_share)


# ---- q2 ------------------------------------------------------------------------------------------


def mixed(peak: float, bandwidth: float, reading: float) -> float:
    """The gain of a request of which reading takes that part on the old chip."""
    return 1 / (reading / peak + (1 - reading) / bandwidth)


def own_gain(v: Variant) -> float:
    """Reading shrinks by the ratio of the peaks, writing by that of the bandwidths: add them."""
    return request(v)[1] / request(v, "new")[1]


def by_peak(v: Variant) -> float:
    """Only reading is under the compute roof; writing gains what the bandwidth gains."""
    return by(v, "peak")


def by_bandwidth(v: Variant) -> float:
    """Only writing is under the memory roof; reading gains what the peak gains."""
    return by(v, "bandwidth")


def half_way(v: Variant) -> float:
    """The two parts of a request are not equally long: weigh them by their times."""
    return (by(v, "peak") + by(v, "bandwidth")) / 2


whole_gain = check(
    "q2",
    points=2,
    within=0.03,
    misconceptions=apart(
        own_gain,
        {
            "took the ratio of the peaks": by_peak,
            "took the ratio of the bandwidths": by_bandwidth,
            "went half way between both ratios": half_way,
        },
        by=0.07,
    ),
    follows="q1",
    follow=lambda v, own: mixed(by(v, "peak"), by(v, "bandwidth"), float(own.m_as(""))),
)(own_gain)


# ---- q3 ------------------------------------------------------------------------------------------


def requests(v: Variant, holds: Callable[[int, int], bool]) -> list[str]:
    """The drawn requests of which something holds, as the question writes them."""
    texts = enumerate(ASSIGNED.questions["q3"].choices, start=1)
    held = [(text, v.fields[f"p{n}"], v.fields[f"a{n}"]) for n, text in texts]
    return [text.format_map(v) for text, prompt, answer in held if holds(prompt, answer)]


def long_ones(v: Variant) -> list[str]:
    """The length does not matter; what matters is how the time divides into reading and writing."""
    return requests(v, lambda prompt, answer: prompt + answer > v.prompt + v.answer)


def long_answers(v: Variant) -> list[str]:
    """A long answer is much writing, and gains what the bandwidth gains."""
    return requests(v, lambda prompt, answer: answer > v.answer)


@check(
    "q3",
    points=2,
    misconceptions={
        "marked the long ones": long_ones,
        "marked those with a long answer": long_answers,
    },
)
def gain_more(v: Variant) -> list[str]:
    """Ask which of both ratios is larger, and which requests have more of that part."""

    def better(prompt: int, answer: int) -> bool:
        model = v.fields["model"]
        old, new = (times(model, v.fields[each], prompt, answer)[1] for each in ("old", "new"))
        return old / new > own_gain(v)

    return requests(v, better)


# ---- q4 to q6 ------------------------------------------------------------------------------------


def from_one(v: Variant) -> tuple[float, float] | None:
    """Even a request that only writes gains: what the bandwidth gains."""
    low, high = any_gain.truth(v)
    return (1.0, high) if low > 1.05 else None


def to_capacity(v: Variant) -> tuple[float, float] | None:
    """Capacity decides what fits, not how fast it goes."""
    low, high = sorted((by(v, "peak"), by(v, "capacity")))
    return None if alike(by(v, "capacity"), by(v, "bandwidth")) else (low, high)


@check(
    "q4",
    points=2,
    within=0.015,
    misconceptions={"began at 1": from_one, "counted the capacity": to_capacity},
)
def any_gain(v: Variant) -> tuple[float, float]:
    """All reading gains the ratio of the peaks, all writing that of the bandwidths."""
    low, high = sorted((by(v, "peak"), by(v, "bandwidth")))
    return low, high


LINE = odd_line(ASSIGNED, "reading writing share time gain")


def wrong_line(v: Variant) -> str:
    """Peaks for reading, bandwidths for writing, shares of the old time, and 1 over the sum."""
    return LINE(v)


def share_line(v: Variant) -> str | None:
    """Of the old chip's time is right: the ratios say what becomes of the old parts."""
    return None if LINE(v) == "line 3" else "line 3"


def sum_line(v: Variant) -> str | None:
    """Times are divided by ratios and then added: that line is as it should be."""
    return None if LINE(v) == "line 4" else "line 4"


found = check(
    "q5",
    points=2,
    misconceptions={
        "doubted what the share is of": share_line,
        "doubted the sum of what is left": sum_line,
    },
)(wrong_line)


def hidden(_: Variant) -> Inputs:
    """Shares from all writing to all reading."""
    return [(part,) for part in (0, 0.02, 0.1, 0.25, 0.4, 0.5, 0.65, 0.8, 0.95, 1)]


def mean(v: Variant) -> Any:
    """Ratios do not average; add the times that are left, and take 1 over their sum."""
    peak, band = by(v, "peak"), by(v, "bandwidth")
    return lambda share: share * peak + (1 - share) * band


def reading_only(v: Variant) -> Any:
    """Writing gets faster too, by the ratio of the bandwidths."""
    return lambda share: mixed(by(v, "peak"), 1.0, share)


@check(
    "q6",
    points=3,
    within=0.005,
    inputs=hidden,
    misconceptions={"averaged the ratios": mean, "let only reading get faster": reading_only},
)
def gain_of_share(v: Variant) -> Any:
    """What is left of the old time is the share over one ratio and the rest over the other."""
    peak, band = by(v, "peak"), by(v, "bandwidth")
    return lambda share: mixed(peak, band, share)
