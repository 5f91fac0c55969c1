"""Why is serving a language model unlike serving a CNN? The truths of exercise 02."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from grading.check import Inputs, check
from grading.checks import alike, apart, doubled
from mlsysim import Engine, Hardware, Models
from mlsysim.core.units import Quantity
from mlsysim.course.lessons import assignment
from mlsysim.course.variants import Variant
from mlsysim.equations import node
from mlsysim.solvers.node.single import Profile

ASSIGNED: Any = assignment("02_two_phases")
EFFICIENCY = 0.5  # what Engine.solve assumes
BATCHES = np.arange(1.0, 400.0)
PROMPTS = [ASSIGNED.sample["prompt"], *ASSIGNED.axes["prompt"]]


@cache
def solve(model: str, device: str, tokens: int, batch: int, phase: str) -> Profile:
    """One pass: of writing, or of reading the prompts of a batch."""
    how: Any = {"batch_size": batch, "seq_len": tokens, "phase": phase, "efficiency": EFFICIENCY}
    return Engine.solve(Models[model], Hardware[device], **how)


def own(v: Variant, batch: int = 1, phase: str = "decode") -> Profile:
    """A pass of the learner's own."""
    return solve(v.fields["model"], v.fields["device"], v.prompt, batch, phase)


def read_one(v: Variant) -> float:
    """Seconds for a token that is read."""
    return own(v, phase="prefill").si("latency") / v.prompt


def worth(v: Variant, batch: int) -> float:
    """Read tokens that a written one is worth."""
    return own(v, batch).si("latency") / batch / read_one(v)


# ---- q1, q2 --------------------------------------------------------------------------------------


def first_word(v: Variant) -> Quantity:
    """Two operations for each parameter and token, and attention's, over half of the peak."""
    return own(v, phase="prefill").latency


def one_fetch(v: Variant) -> Quantity:
    """The weights are read once, but the arithmetic of so many tokens takes longer: take that."""
    p = own(v, phase="prefill")
    return node.memory_time(p.weights, p.bandwidth)


def at_full_peak(v: Variant) -> Quantity:
    """Half of the peak is reached: the arithmetic takes twice as long as the data sheet says."""
    return own(v, phase="prefill").compute_time * EFFICIENCY


def token_by_token(v: Variant) -> Quantity:
    """A prompt is read in one pass: its tokens are known, and none waits for another."""
    return own(v).latency * v.prompt


ttft = check(
    "q1",
    points=2,
    within=0.06,
    misconceptions=apart(
        first_word,
        {
            "divided bytes by the bandwidth": one_fetch,
            "took the whole peak": at_full_peak,
            "read the prompt token by token": token_by_token,
        },
        by=0.13,
    ),
)(first_word)


def own_worth(v: Variant) -> float:
    """A step over its batch, against the prompt's pass over its tokens."""
    return worth(v, v.batch)


def alone(v: Variant) -> float:
    """Together, the users share one fetch of the weights: divide the step by the batch."""
    return own(v, v.batch).si("latency") / read_one(v)


def no_caches(v: Variant) -> float:
    """The weights are shared, but each user's keys and values are read besides."""
    p = own(v, v.batch)
    step = node.memory_time(p.traffic - p.kv_cache, p.bandwidth) + p.overhead
    return float(step.m_as("s")) / v.batch / read_one(v)


def same_work(_: Variant) -> float:
    """Operations are the same, but reading waits for arithmetic and writing for bytes."""
    return 1.0


def worth_from(v: Variant, ttft: float) -> float | None:
    """What follows from the learner's own wait for the first word."""
    return own(v, v.batch).si("latency") / v.batch / (ttft / v.prompt) if ttft > 0 else None


price = check(
    "q2",
    points=2,
    within=0.03,
    misconceptions=apart(
        own_worth,
        {
            "gave the whole step to every user": alone,
            "left the caches out": no_caches,
            "compared operations": same_work,
        },
        by=0.07,
    ),
    follows="q1",
    follow=lambda v, own_ttft: worth_from(v, own_ttft.m_as("s")),
)(own_worth)


# ---- q3, q4 --------------------------------------------------------------------------------------


@cache
def changed(model: str, device: str, change: str, phase: str) -> dict[int, float]:
    """Seconds of a pass after a change, or as it is, for every prompt that is drawn."""
    held: Any = Models[model]
    chip, tokens, batch = Hardware[device], np.array(PROMPTS), 1
    if change == "half as many layers":
        held = held.replace(layers=held.layers // 2)
    elif change == "a prompt half as long":
        tokens //= 2
    elif change == "8 users at once":
        batch = 8
    elif change.startswith("twice the "):
        chip = doubled(device, change.rsplit(maxsplit=1)[-1].replace("memory", "capacity"))
    how: Any = {"batch_size": batch, "seq_len": tokens, "phase": phase, "efficiency": EFFICIENCY}
    times = Engine.solve(held, chip, **how).si("latency").tolist()
    return dict(zip(PROMPTS, times, strict=True))


def shorter(v: Variant, phase: str) -> list[str]:
    """The drawn changes that shorten a pass by a tenth or more."""

    def time(change: str) -> float:
        return changed(v.fields["model"], v.fields["device"], change, phase)[v.prompt]

    return [change for n in range(1, 6) if time(change := v.fields[f"x{n}"]) <= 0.9 * time("")]


def phase_of(v: Variant) -> str:
    """The pass that the goal is about."""
    return "prefill" if "wait" in v.goal else "decode"


def other_phase(v: Variant) -> list[str]:
    """Reading waits for arithmetic, writing for bytes: what helps one need not help the other."""
    return shorter(v, "decode" if phase_of(v) == "prefill" else "prefill")


def every_change(v: Variant) -> list[str]:
    """Ask of each change whether it makes this pass's operations or bytes fewer, or others."""
    return [v.fields[f"x{n}"] for n in range(1, 6)]


@check(
    "q3",
    points=2,
    misconceptions={
        "took reading for writing, or writing for reading": other_phase,
        "marked everything that sounds faster": every_change,
    },
)
def helps(v: Variant) -> list[str]:
    """Reading is bound by arithmetic, writing by bytes; what is neither changes nothing."""
    return shorter(v, phase_of(v))


def placed(v: Variant, reads: int, writes: int) -> str:
    """The choice that gives these chips, 0 for the first, to the two fleets."""
    number = {(0, 0): 0, (1, 1): 1, (0, 1): 2, (1, 0): 3}[reads, writes]
    text: str = ASSIGNED.questions["q4"].choices[number]
    return text.format_map(v)


def faster(v: Variant, phase: str) -> int:
    """Which of the two chips is faster: 0 for the first."""
    one, two = (
        solve("Qwen3_4B", v.fields[each], 1000, 1, phase).si("latency") for each in ("one", "two")
    )
    return int(two < one)


def peak_for_both(v: Variant) -> str:
    """Writing waits for bytes: there the bandwidth decides, not the peak."""
    best = faster(v, "prefill")
    return placed(v, best, best)


def band_for_both(v: Variant) -> str:
    """Reading waits for arithmetic: there the peak decides, not the bandwidth."""
    best = faster(v, "decode")
    return placed(v, best, best)


@check(
    "q4",
    points=2,
    misconceptions={
        "chose both by the peak": peak_for_both,
        "chose both by the bandwidth": band_for_both,
    },
)
def fleets(v: Variant) -> str:
    """The higher peak reads faster, the higher bandwidth writes faster."""
    return placed(v, faster(v, "prefill"), faster(v, "decode"))


# ---- q5, q6 --------------------------------------------------------------------------------------


def mixed(v: Variant, *, passes: int = 1, caches: bool = True) -> Any:
    """The time of a step that writes and reads, in one pass or in one for each."""
    p, rate = v.model.parameters, v.device.peak("fp16").m_as("FLOP/s") * EFFICIENCY
    band = v.device.memory.bandwidth.m_as("B/s")
    token = v.model.kv_cache(1, 1, "fp16").m_as("B") * caches

    def one(tokens: float, cached: float) -> float:
        return max(2 * p * tokens / rate, (2 * p + cached * token) / band)

    def step(writers: float, context: float, chunk: float) -> float:
        if passes == 1:
            return one(writers + chunk, writers * context)
        return one(writers, writers * context) + one(chunk, 0)

    return step


def hidden(_: Variant) -> Inputs:
    """Steps that wait for bytes, for arithmetic, and for both."""
    rows = [(1, 500, 0), (8, 2000, 0), (8, 2000, 64), (64, 4000, 128), (64, 4000, 1024)]
    rows += [(0, 0, 512), (0, 0, 2048), (128, 8000, 16), (16, 1000, 4096), (200, 3000, 256)]
    return rows


def two_passes(v: Variant) -> Any:
    """One pass serves both: the weights are fetched once, and only the operations add up."""
    return mixed(v, passes=2)


def without_caches(v: Variant) -> Any:
    """Each writer's keys and values are read too, not the weights alone."""
    return mixed(v, caches=False)


@check(
    "q5",
    points=3,
    within=0.02,
    inputs=hidden,
    misconceptions={
        "added the times of two passes": two_passes,
        "forgot the writers' caches": without_caches,
    },
)
def mixed_step(v: Variant) -> Any:
    """All tokens' operations against the weights once and the caches: the longer one counts."""
    return mixed(v)


@cache
def by_batch(model: str, device: str, prompt: int) -> Any:
    """Read tokens that a written one is worth, for every batch."""
    how: Any = {"batch_size": BATCHES, "seq_len": prompt, "efficiency": EFFICIENCY}
    steps = Engine.solve(Models[model], Hardware[device], **how).si("latency")
    reading = solve(model, device, prompt, 1, "prefill").si("latency") / prompt
    return steps / BATCHES / reading


def between(v: Variant, worths: Any) -> tuple[float, float] | None:
    """The batches for which what a written token is worth lies between the two prices."""
    fair = BATCHES[(worths <= v.top) & (worths >= v.low)]
    return (float(fair[0]), float(fair[-1])) if len(fair) else None


def inversely(v: Variant) -> tuple[float, float] | None:
    """Only the weights are shared: each user's cache keeps the price from falling like that."""
    ends = between(v, worth(v, 1) / BATCHES)
    truth = fair_batches.truth(v)
    return ends if ends and not alike(ends[1], truth[1], slack=2) else None


def all_that_fit(v: Variant) -> tuple[float, float]:
    """More users fit than the lower price is fair for: a larger batch writes cheaper still."""
    p = own(v)
    most = (p.si("memory_capacity") - p.si("weights")) // p.si("kv_cache")
    return fair_batches.truth(v)[0], most


@check(
    "q6",
    points=2,
    within=0.02,
    slack=0.5,
    misconceptions={
        "let the price fall with the batch alone": inversely,
        "went on until the memory is full": all_that_fit,
    },
)
def fair_batches(v: Variant) -> Any:
    """Weights over the batch, and a cache each, against a read token: try the batches."""
    return between(v, by_batch(v.fields["model"], v.fields["device"], v.prompt))
