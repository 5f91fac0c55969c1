"""The concept inventory: twelve questions before the course and after it, with other numbers.

Each item has two variants with the same truth option and the same wrong turns. Options and truths
are computed; `ladder` refuses an item whose truth hangs on the efficiency or lies near another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from mlsysim.course.concepts import APART, ETAS, Ask, cache_per_token, each_eta, ladder, step, two
from mlsysim.engine.engine import Engine
from mlsysim.equations import fleet as eq
from mlsysim.hardware.registry import Hardware
from mlsysim.hardware.types import HardwareNode
from mlsysim.models.registry import Models
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.solvers.ops.footprint import EconomicsModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet

L, H = Models.Language, Hardware


class Item(NamedTuple):
    """One concept: its name, the lesson that teaches it, and what makes each variant."""

    name: str
    lesson: int
    make: Callable[..., Ask]
    a: tuple[Any, ...]
    b: tuple[Any, ...]

    def ask(self, variant: str) -> Ask:
        """The question of variant `a` or `b`."""
        return _made(self.name, variant)


def starved(model: TransformerWorkload, chip: HardwareNode) -> Ask:
    """One user starves the arithmetic."""
    share = each_eta(
        lambda eta: 100 * float(Engine.solve(model, chip, efficiency=eta, seq_len=2048).mfu)
    )
    return Ask(
        f"{model.name} in fp16 writes for one user on {chip.name}, context 2,048. "
        "Which share of the chip's peak arithmetic is in use?",
        **ladder(
            share,
            [
                ("below 1 %", 1, ""),
                ("about 10 %", 10, "middle"),
                ("about 50 %", 50, "half-of-peak"),
                ("about 100 %", 100, "peak-rules"),
            ],
        ),
        why=f"Every weight is read for one token's worth of arithmetic: {two(share[0])} %.",
    )


def cached(small: TransformerWorkload, large: TransformerWorkload) -> Ask:
    """Architecture sets the KV cache, not size."""
    ratio = cache_per_token(small) / cache_per_token(large)
    return Ask(
        "Which of the two keeps more KV cache for each token, 16 bit: "
        f"{small.name} or {large.name}?",
        **ladder(
            [ratio],
            [
                (
                    "the larger, in proportion to the parameters",
                    small.counted_parameters() / large.counted_parameters(),
                    "size-sets-kv",
                ),
                ("the larger, about twice as much", 0.5, "middle"),
                ("both the same: a token is a token", 1, "nothing-moves"),
                ("the smaller, more than twice as much", 2, ""),
            ],
        ),
        why=f"Layers times key-value heads decide: the smaller keeps {two(ratio)} times as much.",
        shuffled=True,
    )


def prompted(model: TransformerWorkload, chip: HardwareNode, tokens: int) -> Ask:
    """Reading a short prompt costs one step."""
    times = each_eta(
        lambda eta: (
            step(model, chip, eta, seq_len=tokens, phase="prefill")
            / step(model, chip, eta, seq_len=1)
        )
    )
    return Ask(
        f"{model.name} on {chip.name}: reading a prompt of {tokens} tokens takes how many times as "
        "long as writing one token?",
        **ladder(
            times,
            [
                ("less than half, reading is the fast phase", 0.3, "peak-rules"),
                ("about 1", 1, ""),
                ("about 8", 8, "middle"),
                (f"about {tokens}", tokens, "per-token"),
            ],
        ),
        why="Both read every weight once, and so few tokens leave the arithmetic idle.",
    )


def failing(change: str, factor: float) -> Ask:
    """The square root of failure."""
    before = float(eq.young_daly(60.0, 1e5))
    after = {
        "rate": float(eq.young_daly(60.0, 1e5 / factor)),
        "cost": float(eq.young_daly(60.0 / factor, 1e5)),
    }[change]
    what = {
        "rate": f"Failures come {factor:g} times as often.",
        "cost": f"Writing a checkpoint takes 1/{factor:g} of the time.",
    }[change]
    root = round(factor**0.5)
    return Ask(
        f"{what} The best time between checkpoints becomes …",
        **ladder(
            [after / before],
            [
                (f"1/{factor:g}", 1 / factor, "proportional"),
                (f"1/{root}", 1 / root, ""),
                ("what it was", 1, "nothing-moves"),
                ("twice as long" if root == 2 else f"{root} times as long", root, "reversed"),
            ],
        ),
        why="The best interval is the root of twice the cost of a checkpoint times the MTBF.",
    )


def upgraded(model: TransformerWorkload, old: HardwareNode, new: HardwareNode) -> Ask:
    """The ratio that counts."""
    gain = step(model, old) / step(model, new)
    peaks = float((new.peak() / old.peak()).m_as(""))
    rates = float((new.memory.bandwidth / old.memory.bandwidth).m_as(""))
    sheet = " to ".join(
        f"{chip.name} ({chip.peak().m_as('TFLOP/s'):.0f} TFLOP/s, "
        f"{chip.memory.bandwidth.m_as('TB/s'):.2f} TB/s)"
        for chip in (old, new)
    )
    return Ask(
        f"One user, decode of {model.name}. You move from {sheet}. How many times as fast?",
        **ladder(
            [gain],
            [
                ("half as fast", 0.5, "reversed"),
                ("about as fast as before", 1, ""),
                (f"about {two((peaks + rates) / 2)} times", (peaks + rates) / 2, "middle"),
                (f"about {two(peaks)} times", peaks, "peak-rules"),
            ],
        ),
        why=f"One user's step waits for bytes, and those come {two(rates)} times as fast.",
    )


def reduced(size: float, ranks: int) -> Ask:
    """Small messages cost hops."""
    hops = float(eq.ring_all_reduce(0.0, ranks, 50e9, 5e-6))
    carried = float(eq.ring_all_reduce(size, ranks, 50e9, 0.0))
    named = f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"
    return Ask(
        f"A ring all-reduce of {named} over {ranks:,} devices, 50 GB/s a link, 5 µs a hop. "
        "Most of its time goes into …",
        **ladder(
            [hops / carried],
            [
                ("adding the numbers", 1e-6, "peak-rules"),
                ("sending the bytes", 0.1, "bytes-are-the-cost"),
                ("about equal parts of both", 1, "middle"),
                ("waiting at the hops", 10, ""),
            ],
        ),
        why=f"{two(hops * 1e3)} ms at the hops against {two(carried * 1e3)} ms of bytes.",
        shuffled=True,
    )


def crowded(model: TransformerWorkload, chip: HardwareNode) -> Ask:
    """Batch is nearly free."""
    users = 64
    times = each_eta(
        lambda eta: (
            step(model, chip, eta, batch_size=users, seq_len=16)
            / step(model, chip, eta, seq_len=16)
        )
    )
    return Ask(
        f"{model.name} on {chip.name}, contexts of a few tokens. A decode step for {users} users "
        "takes how many times as long as a step for one?",
        **ladder(
            times,
            [
                ("about 1", 1, ""),
                ("about 4", 4, "middle"),
                (f"about {users // 2}", users / 2, "half-of-peak"),
                (f"about {users}", users, "no-sharing"),
            ],
        ),
        why=f"All users share one reading of the weights: {times[1]:.2f} times.",
    )


def billed(price: float, factor: float) -> Ask:
    """Silicon is the bill."""
    fleet = Fleet(name="512 H100", node=Systems.DGX_H100, count=64, fabric=Systems.InfiniBand_NDR)
    before, after = (
        EconomicsModel()
        .solve(fleet, 90, electricity_price=f"{usd} USD/kWh", pue=1.12, amortization_years=3)
        .tco.m_as("USD")
        for usd in (price, price * factor)
    )
    change = 100 * abs(after / before - 1)
    if not 4 <= change <= 8:
        raise ValueError(f"the bill changes by {change:.3g} %")
    most = 100 * abs(factor - 1)
    dear = factor > 1
    return Ask(
        "A training run of three months on 512 H100 that are written off in three years. "
        f"Electricity becomes {'twice' if dear else 'half'} as dear (from ${price:.2f}/kWh). "
        "The bill …",
        **ladder(
            [change],
            [
                ("does not change at all", 0.01, "nothing-moves"),
                ("changes by 4 to 8 %", 5.7, ""),
                (f"changes by about {most / 2:g} %", most / 2, "middle"),
                ("doubles" if dear else "halves", most, "power-is-the-bill"),
            ],
        ),
        why=f"Devices are most of it: {two(change)} %.",
    )


def narrowed(model: TransformerWorkload, chip: HardwareNode, tokens: int) -> Ask:
    """Narrow weights help only what waits for bytes."""

    def over(eta: float) -> float:
        read = Engine.solve(model, chip, efficiency=eta, seq_len=tokens, phase="prefill")
        return float(read.compute_time / read.memory_time)

    # while arithmetic takes longer than the bytes, fewer bytes change nothing
    gains = [1.0 if over(eta) > 1 else 1 / over(eta) for eta in ETAS]
    return Ask(
        f"Weights in int4, arithmetic in 16 bit. Reading a prompt of {tokens:,} tokens with "
        f"{model.name} on {chip.name} becomes how many times as fast?",
        **ladder(
            gains,
            [
                ("half as fast, unpacking costs most", 0.5, "reversed"),
                ("about 1", 1, ""),
                ("about 2", 2, "middle"),
                ("about 4", 4, "narrow-is-fast"),
            ],
        ),
        why=f"Arithmetic takes {two(over(0.5))} times as long as the bytes.",
    )


def idle(old: HardwareNode, new: HardwareNode) -> Ask:
    """Utilisation is no health."""
    model = L.Llama3_8B
    now, then = (Engine.solve(model, chip, batch_size=8, seq_len=2048) for chip in (new, old))
    gain, share = float(then.latency / now.latency), float(now.mfu / then.mfu)
    if not (gain > APART and share < 1 / APART):
        raise ValueError("the move neither helps nor lowers the utilisation")
    truth = "all is well: the new chip's peak grew more than its bandwidth"
    slips = [
        ("busy-is-healthy", "the migration went wrong"),
        ("no-sharing", "the batch became smaller"),
        ("peak-rules", "fp16 runs on the wrong units"),
    ]
    return Ask(
        f"After the move from {old.name} to {new.name} your decode service is {two(gain)} times as "
        f"fast, and its utilisation (MFU) fell to {two(share)} of what it was. Most likely …",
        truth,
        slips,
        why="Decode follows the bandwidth, and utilisation is counted against the peak.",
        options=(truth, *(text for _, text in slips)),
        shuffled=True,
    )


def climbing(model: TransformerWorkload, chip: HardwareNode, context: int) -> Ask:
    """Context stops the climb."""

    def over(eta: float) -> float:
        read = cache_per_token(model) * context / chip.memory.bandwidth.m_as("B/s")
        return read / (2 * model.counted_parameters() / (chip.peak().m_as("FLOP/s") * eta))

    least = min(over(eta) for eta in ETAS)
    if least < APART:
        raise ValueError("a user's operations take longer than a user's cache")
    ridge = 0.5 * float((chip.peak() / chip.memory.bandwidth).m_as("FLOP/B"))
    slips = [
        ("batch-cures-all", f"about {two(ridge)}, the ridge"),
        ("middle", f"about {two(4 * ridge)}"),
        ("proportional", "above 10,000, in proportion to the context"),
    ]
    return Ask(
        f"{model.name} on {chip.name}, every user with {context:,} tokens of context, and memory "
        "without end. From which batch on does arithmetic limit decode?",
        "from none",
        slips,
        why=f"Reading one user's cache takes {two(least)} times as long as all of its arithmetic.",
        options=(*(text for _, text in slips), "from none"),
    )


def floored(phase: str, model: TransformerWorkload, chip: HardwareNode, claim: float) -> Ask:
    """A floor is no average."""
    floor = step(model, chip, 1.0, seq_len=2048, phase=phase)
    work = "a decode step" if phase == "decode" else "a prompt of 2,048 tokens"
    if floor < APART * claim:
        raise ValueError("the claim lies above the floor")
    truth = "ask what they count differently: fewer bits, several tokens a step, a cached prompt"
    slips = [
        ("errs-both-ways", "it is fine: a model errs by a third"),
        ("peak-rules", "their chip beats its data sheet"),
        ("half-of-peak", "raise the share of the peak that is reached"),
    ]
    return Ask(
        f"At full peak and full bandwidth the law gives {two(floor * 1e3)} ms for {work} of "
        f"{model.name} on {chip.name}. A blog reports {two(claim * 1e3)} ms for the same. "
        "What do you do first?",
        truth,
        slips,
        why="Nothing on that chip can be faster than its floor, if it does the same work.",
        options=(truth, *(text for _, text in slips)),
        shuffled=True,
    )


# from one number on one chip to judgement; no item answers a later one
ITEMS = (
    Item("starved", 0, starved, (L.Qwen2_5_7B, H.H200), (L.Llama2_13B, H.A100)),
    Item("cached", 3, cached, (L.Llama2_13B, L.Qwen2_5_72B), (L.Llama2_7B, L.Mixtral_8x22B)),
    Item("prompted", 2, prompted, (L.Llama3_8B, H.H100, 96), (L.Llama3_8B, H.MI300X, 64)),
    Item("failing", 6, failing, ("rate", 9), ("cost", 4)),
    Item("upgraded", 1, upgraded, (L.Phi3_mini, H.T4, H.L4), (L.Llama2_7B, H.V100, H.L40S)),
    Item("reduced", 6, reduced, (512e3, 768), (2e6, 2048)),
    Item("crowded", 0, crowded, (L.Llama3_8B, H.H200), (L.Llama3_8B, H.B200)),
    Item("billed", 7, billed, (0.10, 2.0), (0.12, 0.5)),
    Item("narrowed", 5, narrowed, (L.Llama3_8B, H.H200, 3000), (L.Llama3_8B, H.A100, 1500)),
    Item("idle", 9, idle, (H.V100, H.H100), (H.A100, H.B200)),
    Item("climbing", 3, climbing, (L.Llama3_8B, H.MI300X, 8192), (L.Llama2_13B, H.A100, 4096)),
    Item(
        "floored",
        17,
        floored,
        ("decode", L.Qwen2_5_7B, H.H200, 2.0e-3),
        ("prefill", L.Llama2_7B, H.A100, 60e-3),
    ),
)
_BY_NAME = {item.name: item for item in ITEMS}


@cache
def _made(name: str, variant: str) -> Ask:
    item = _BY_NAME[name]
    return item.make(*(item.a if variant == "a" else item.b))


def find_item(name: str) -> Item | None:
    """The item called `name`, if there is one."""
    return _BY_NAME.get(name)
