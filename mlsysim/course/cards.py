"""What a review asks: cards that draw fresh numbers each time, with computed truths and slips."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mlsysim.core.units import Quantity
from mlsysim.course.concepts import APART, ETAS, Ask, cache_per_token, each_eta, ladder, step, two
from mlsysim.course.journal import off_by
from mlsysim.engine.engine import Engine
from mlsysim.equations import algorithm
from mlsysim.equations import fleet as eq
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.registry import Models
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.node.batching import ContinuousBatchingModel
from mlsysim.solvers.ops.footprint import EconomicsModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet

TRIES = 50
_CHIPS = ["A100", "H100", "H200", "B200", "MI300X", "MI325X", "L40S", "L4", "Gaudi3"]
_SMALL = [
    "Llama3_8B",
    "Mistral_7B",
    "Llama2_7B",
    "Llama2_13B",
    "Gemma2_9B",
    "Qwen2_5_7B",
    "Phi3_mini",
]
_LARGE = "Llama3_70B Llama2_70B Qwen2_5_72B Mixtral_8x7B Mixtral_8x22B DeepSeek_V3".split()  # noqa: SIM905
_OF_LESSONS = {("Llama3_8B", "H100")}  # what lessons ask about is never asked again


class Card(NamedTuple):
    """One concept to be kept: its name, the lesson that teaches it, and what makes a question."""

    name: str
    lesson: int
    make: Callable[[random.Random], Ask]

    def ask(self, seed: str, recent: Sequence[str | float] = ()) -> Ask:
        """The question of a seed, unlike the truths shown last where that can be had.

        Raises LookupError if no draw makes a fair question.
        """
        chance = random.Random(seed)
        fair = None
        for _ in range(TRIES):
            try:
                drawn = self.make(chance)
            except ValueError:
                continue
            if not _fair(drawn):
                continue
            fair = fair or drawn
            if all(_unlike(drawn.truth, old) for old in recent):
                return drawn
        if fair is None:
            raise LookupError(f"no draw of the card {self.name!r} makes a fair question")
        return fair


def _fair(drawn: Ask) -> bool:
    """Whether slips lie apart from the truth and from each other."""
    if isinstance(drawn.truth, str):
        return True
    numbers = [float(slip) for _, slip in drawn.slips]
    apart = all(off_by(slip, drawn.truth) > max(1.15, drawn.within) for slip in numbers)
    pairs = [(one, other) for at, one in enumerate(numbers) for other in numbers[:at]]
    return apart and all(off_by(one, other) > 1.15 for one, other in pairs)


def _unlike(truth: str | float, old: str | float) -> bool:
    if isinstance(truth, str) or isinstance(old, str):
        return truth != old
    return off_by(truth, old) > 1.2


def _pair(chance: random.Random) -> tuple[TransformerWorkload, HardwareNode]:
    """A model and a chip that holds it, which no lesson is about."""
    names = chance.choice(_SMALL), chance.choice(_CHIPS)
    model, chip = Models.Language[names[0]], Hardware.Cloud[names[1]]
    if names in _OF_LESSONS or not Engine.solve(model, chip).feasible:
        raise ValueError("another pair")
    return model, chip


def _sheet(chip: HardwareNode) -> str:
    peak, rate = chip.peak().m_as("TFLOP/s"), chip.memory.bandwidth.m_as("TB/s")
    return f"{chip.name} ({peak:,.0f} TFLOP/s, {rate:.2g} TB/s)"


def _steady(values: Sequence[float]) -> float:
    """A value that does not hang on the efficiency; raises ValueError for one that does."""
    if off_by(min(values), max(values)) > 1.05:
        raise ValueError("it hangs on the efficiency")
    return values[1]


def tokens(chance: random.Random) -> Ask:
    """One user's tokens a second."""
    model, chip = _pair(chance)
    parameters = model.parameters
    rate = _steady(each_eta(lambda eta: 1 / step(model, chip, eta, seq_len=1)))
    roof = chip.peak().m_as("FLOP/s") / (2 * parameters)
    return Ask(
        f"{model.name} has {two(parameters / 1e9)} billion parameters in fp16. How many tokens a "
        f"second does one user get on {_sheet(chip)} at a short context?",
        rate,
        [("peak-rules", roof), ("half-of-peak", roof / 2)],
        why=f"Each token reads {two(2 * parameters / 1e9)} GB of weights.",
        unit="tokens/s",
        within=1.5,
    )


def roof(chance: random.Random) -> Ask:
    """Which roof binds a pair."""
    model, chip = _pair(chance)
    count = chance.choice([1, 2, 4, 8, 16, 32, 64, 512, 1024, 2048, 4096])
    reads = chance.random() < 0.5
    how: dict[str, Any] = {"batch_size": count, "seq_len": 16}
    if reads:
        how = {"phase": "prefill", "seq_len": count}
    steps = [Engine.solve(model, chip, efficiency=eta, **how) for eta in ETAS]
    over = [float(each.compute_time / each.memory_time) for each in steps]
    if min(over) < APART and max(over) > 1 / APART:
        raise ValueError("too near to the ridge")
    computes = over[0] > 1
    work = (
        f"reads a prompt of {count:,} tokens"
        if reads
        else f"decodes for {count:,} users at a short context"
    )
    wrong = ("memory-always", "memory")
    if not computes:
        wrong = ("peak-rules" if count == 1 or reads else "batch-cures-all", "compute")
    ridge = 0.5 * float((chip.peak() / chip.memory.bandwidth).m_as("FLOP/B"))
    return Ask(
        f"{model.name} {work} on {_sheet(chip)}. What limits the step?",
        "compute" if computes else "memory",
        [wrong],
        why=f"About {count:,} operations a byte, against a ridge of {two(ridge)} at η = 0.5.",
        options=("memory", "compute"),
    )


def share(chance: random.Random) -> Ask:
    """What users share and what they do not."""
    model, chip = _pair(chance)
    users, context = chance.choice([8, 16, 32, 64]), chance.choice([1024, 2048, 4096, 8192])
    many = Engine.solve(model, chip, batch_size=users, seq_len=context)
    if not many.feasible:
        raise ValueError("it does not fit")

    def longer(eta: float) -> float:
        one = step(model, chip, eta, seq_len=context)
        return step(model, chip, eta, batch_size=users, seq_len=context) / one

    held = model.kv_cache(context).m_as("GB")  # of a window, its tokens alone
    return Ask(
        f"{model.name} on {chip.name}: {two(many.weights.m_as('GB'))} GB of weights, and "
        f"{two(held)} GB of KV cache for each user's {context:,} tokens. A decode step for {users} "
        "users takes how many times as long as a step for one?",
        _steady(each_eta(longer)),
        [("no-sharing", users), ("nothing-moves", 1.0)],
        why="The weights are read once for all, each cache for its user alone.",
        within=1.4,
    )


def more_cache(chance: random.Random) -> Ask:
    """Which of two models keeps more for each token."""
    names = chance.sample([*_SMALL, *_LARGE], 2)
    one, other = sorted((Models.Language[name] for name in names), key=lambda each: each.parameters)
    ratio = cache_per_token(one) / cache_per_token(other)
    same = "about the same"
    options = (one.name, other.name, same)
    if 1 / APART < ratio < APART:
        if off_by(ratio, 1) > 1.1:
            raise ValueError("neither the same nor apart")
        truth = same
    else:
        truth = one.name if ratio > 1 else other.name
    codes = ("reversed", "size-sets-kv", "nothing-moves")
    sizes = " or ".join(f"{each.name} ({two(each.parameters / 1e9)} B)" for each in (one, other))
    return Ask(
        f"Which keeps more KV cache for each token, 16 bit: {sizes}?",
        truth,
        [pair for pair in zip(codes, options, strict=True) if pair[1] != truth],
        why="Layers times key-value heads (or the latent's width) decide: "
        + " and ".join(
            f"{each.name} keeps {two(cache_per_token(each) / 1e3)} kB" for each in (one, other)
        )
        + ".",
        options=options,
    )


def users(chance: random.Random) -> Ask:
    """How many users' caches fit."""
    model, chip = _pair(chance)
    context = chance.choice([1024, 2048, 4096, 8192, 16384, 32768])
    served = ContinuousBatchingModel().solve(model, chip, seq_len=context, reserve="0 GB")
    if served.paged_batch < 8:
        raise ValueError("hardly any")
    each = model.kv_cache(context).m_as("GB")
    room = chip.memory.capacity.m_as("GB")
    return Ask(
        f"How many users of {context:,} tokens fit on {chip.name} beside {model.name}, paged? "
        f"{two(room)} GB, "
        f"{two(served.weights.m_as('GB'))} GB of weights, {two(each)} GB of KV cache a user.",
        float(served.paged_batch),
        [("weights-are-free", room / each)],
        why="The caches have what the weights leave.",
        within=1.12,
    )


def ratio(chance: random.Random) -> Ask:
    """What a new chip gives one user."""
    model, old = _pair(chance)
    new = Hardware.Cloud[chance.choice(_CHIPS)]
    if not Engine.solve(model, new).feasible:
        raise ValueError("it does not fit")
    gain = _steady(
        each_eta(lambda eta: step(model, old, eta, seq_len=1) / step(model, new, eta, seq_len=1))
    )
    return Ask(
        f"One user, decode of {model.name}, from {_sheet(old)} to {_sheet(new)}. How many "
        "times as fast? (Below 1 is slower.)",
        gain,
        [("peak-rules", float((new.peak() / old.peak()).m_as(""))), ("reversed", 1 / gain)],
        why="One user's step waits for bytes: the bandwidths decide.",
        within=1.15,
    )


def root(chance: random.Random) -> Ask:
    """How often to save."""
    factor, rarer = chance.choice([4, 9, 16, 25]), chance.random() < 0.5
    before = float(eq.young_daly(60.0, 1e5))
    after = float(eq.young_daly(60.0, 1e5 * (factor if rarer else 1 / factor)))
    change, moved = after / before, float(factor if rarer else 1 / factor)
    return Ask(
        f"Failures become {factor} times as {'rare' if rarer else 'frequent'}. The best time "
        "between checkpoints becomes how many times what it was? (1 is unchanged.)",
        change,
        [("proportional", moved), ("nothing-moves", 1.0), ("reversed", 1 / change)],
        why="It goes with the square root of the time between failures.",
        within=1.1,
    )


def hops(chance: random.Random) -> Ask:
    """What a message costs."""
    size = chance.choice([64e3, 512e3, 4e6, 64e6, 512e6, 4e9, 16e9])
    ranks = chance.choice([8, 16, 64, 256, 1024, 4096])
    wait = float(eq.ring_all_reduce(0.0, ranks, 50e9, 5e-6))
    carried = float(eq.ring_all_reduce(size, ranks, 50e9, 0.0))
    named = Quantity(size, "B").to_compact()
    return Ask(
        f"A ring all-reduce of {named:.3g~P} over {ranks:,} devices, 50 GB/s a link, 5 µs a hop. "
        "Most of its time goes into …",
        **ladder(
            [wait / carried],
            [
                ("sending the bytes", 0.1, "bytes-are-the-cost"),
                ("about equal parts of both", 1, "middle"),
                ("waiting at the hops", 10, "latency-rules"),
            ],
        ),
        why=f"{two(wait * 1e3)} ms at the hops against {two(carried * 1e3)} ms of bytes.",
    )


def narrow(chance: random.Random) -> Ask:
    """What int4 weights give a decode step."""
    model, chip = _pair(chance)
    batch, context = chance.choice([1, 4, 16, 32]), chance.choice([512, 2048, 8192])
    now = Engine.solve(model, chip, efficiency=ETAS[0], batch_size=batch, seq_len=context)
    weights, cache = now.weights.m_as("GB"), now.kv_cache.m_as("GB")
    gain = (weights + cache) / (weights / 4 + cache)
    if not now.feasible or float(now.compute_time / now.memory_time) * gain > 1 / APART:
        raise ValueError("arithmetic binds, or it does not fit")
    return Ask(
        f"{model.name} on {chip.name}: {two(weights)} GB of weights go from 16 bit to int4; the KV "
        f"cache of {batch} user{'s' * (batch > 1)}, {two(cache)} GB, stays. How many times as "
        "fast is a decode step?",
        gain,
        [("narrow-is-fast", 4.0), ("nothing-moves", 1.0)],
        why="Only the bytes of the weights shrink.",
        within=1.2,
    )


def bill(chance: random.Random) -> Ask:
    """What dearer electricity does to the bill."""
    # in whole cents, also half as dear again
    price, factor = chance.choice([0.06, 0.08, 0.10, 0.14]), chance.choice([1.5, 2, 3, 4])
    years = chance.choice([3, 4, 5])
    fleet = Fleet(name="512 H100", node=Systems.DGX_H100, count=64, fabric=Systems.InfiniBand_NDR)
    before, after = (
        EconomicsModel()
        .solve(fleet, 90, electricity_price=f"{usd} USD/kWh", pue=1.12, amortization_years=years)
        .tco.m_as("USD")
        for usd in (price, price * factor)
    )
    return Ask(
        f"Three months on 512 H100 that are written off in {years} years. Electricity goes from "
        f"${price:.2f} to ${price * factor:.2f} a kWh. By how many percent does the bill grow?",
        100 * (after / before - 1),
        [("power-is-the-bill", 100 * (factor - 1))],
        why="Devices are most of the bill.",
        unit="%",
        within=1.6,
    )


def days(chance: random.Random) -> Ask:
    """How long a training run takes."""
    billions, trillions = chance.choice([7, 13, 34, 70, 180]), chance.choice([1, 2, 5, 15])
    devices, mfu = chance.choice([256, 512, 1024, 4096]), chance.choice([0.4, 0.5])
    peak = Hardware.H100.peak().m_as("FLOP/s")

    def within(per_token: float) -> float:
        work = algorithm.training_compute(billions * 1e9, trillions * 1e12, per_token)
        return float(work) / (devices * peak * mfu) / 86_400

    took = within(6.0)
    if not 3 <= took <= 400:
        raise ValueError("nobody trains so long")
    return Ask(
        f"{billions} billion parameters, {trillions} trillion tokens, {devices:,} H100 of "
        f"{peak / 1e12:.0f} TFLOP/s at an MFU of {mfu:g}: how many days?",
        took,
        [("forward-only", within(2.0)), ("peak-rules", took * mfu)],
        why="Six operations a parameter and token: two forward, four backward.",
        unit="days",
        within=1.3,
    )


CARDS = (
    Card("tokens-of-one-user", 0, tokens),
    Card("roof-of-a-pair", 0, roof),
    Card("what-users-share", 0, share),
    Card("bandwidth-ratio", 1, ratio),
    Card("who-keeps-more", 3, more_cache),
    Card("users-that-fit", 3, users),
    Card("bytes-that-shrink", 5, narrow),
    Card("root-of-failure", 6, root),
    Card("bytes-or-hops", 6, hops),
    Card("who-is-the-bill", 12, bill),
    Card("days-of-training", 12, days),
)
BY_NAME = {card.name: card for card in CARDS}
