"""Cards and items worked out on paper, from shapes of models, data sheets and physics alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from mlsysim import Hardware, Models
from mlsysim.course import concepts, quiz
from mlsysim.course.cards import BY_NAME, CARDS
from mlsysim.course.quiz import ITEMS
from tests.paper import Chip, Decoder

# ---- what papers and data sheets say -------------------------------------------------------------

MODELS = {
    "Llama 3 8B": Decoder(32, 4096, 4096, 2 * 1024, 14336, 128256),
    "Mistral 7B": Decoder(32, 4096, 4096, 2 * 1024, 14336, 32000, near=32),
    "Llama 2 7B": Decoder(32, 4096, 4096, 2 * 4096, 11008, 32000),
    "Llama 2 13B": Decoder(40, 5120, 5120, 2 * 5120, 13824, 32000),
    "Gemma 2 9B": Decoder(42, 3584, 4096, 2 * 2048, 14336, 256000, near=21, tied=True, norms=4),
    "Qwen2.5 7B": Decoder(28, 3584, 3584, 2 * 512, 18944, 152064, biased=True),
    "Phi-3 mini 4K": Decoder(32, 3072, 3072, 2 * 3072, 8192, 32064),
}
MIB = 2**20
CHIPS = {
    "A100 SXM4 80GB": Chip(312e12, 2.039e12, 81920 * MIB),
    "H100 SXM": Chip(989.4e12, 3.35e12, 81559 * MIB),
    "H200 SXM": Chip(989.4e12, 4.8e12, 143771 * MIB),
    "B200 HGX": Chip(2250e12, 7.7e12, 183359 * MIB),
    "MI300X": Chip(1307.4e12, 5.3e12, 192 * 1024 * MIB),
    "MI325X": Chip(1307.4e12, 6e12, 256 * 1024 * MIB),
    "L40S": Chip(362e12, 0.864e12, 46068 * MIB),
    "L4": Chip(121e12, 0.3e12, 23034 * MIB),
    "Gaudi 3": Chip(1835e12, 3.67e12, 128e9),
}
OLD = {"T4": Chip(65e12, 0.32e12, 15360 * MIB), "V100 SXM2 32GB": Chip(125e12, 0.9e12, 34058272768)}
# 13B does not fit on an L4, and one pair is the lessons' own
PAIRS = {(model, chip) for model in MODELS for chip in CHIPS} - {
    ("Llama 2 13B", "L4"),
    ("Llama 3 8B", "H100 SXM"),
}
SERVERS, MONTHS = 64, 90  # DGX H100 of eight, and days
SILICON = SERVERS * 300_000 * MONTHS / 365.25  # dollars, for each year less to write off
# they draw 76 % of 10.2 kW while training, and the building 12 % more
ENERGY = SERVERS * 10.2 * 0.76 * 1.12 * MONTHS * 24  # kWh


def dearer(years: int, price: float, factor: float) -> float:
    """By how many percent a bill grows when electricity costs `factor` times as much."""
    return 100 * (factor - 1) * price * ENERGY / (SILICON / years + price * ENERGY)


# ---- what a question says ------------------------------------------------------------------------

LOW, HIGH = 0.35, 0.7  # efficiencies between which no answer may change
ETAS = (LOW, 0.5, HIGH)
SEEDS = range(400)


def said(words: tuple[str, ...], text: str) -> dict[str, Any]:
    """What stands at the {names} of one of several sentences; … stands for anything."""
    for each in words:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(each)).replace("…", ".*")
        if found := re.fullmatch(pattern, text):
            return {name: plain(value) for name, value in found.groupdict().items()}
    raise AssertionError(text)


def plain(value: str) -> Any:
    """A number where it is one."""
    try:
        return float(value.replace(",", ""))
    except ValueError:
        return value


def shown(told: dict[str, Any], asked: dict[str, Any]) -> None:
    """A question tells at least two digits of its numbers."""
    assert {key: f"{asked[key]:.2g}" for key in told} == {key: f"{told[key]:.2g}" for key in told}


# ---- cards ---------------------------------------------------------------------------------------


class Paper(NamedTuple):
    """What is right, what slips give, and numbers that the question tells."""

    truth: Any
    slips: dict[str, Any]
    told: dict[str, float]


def tokens(model, chip, **_):
    shape, roof = MODELS[model], CHIPS[chip].peak / (2 * MODELS[model].parameters)
    return Paper(
        1 / CHIPS[chip].seconds(shape.decode()),
        {"peak-rules": roof, "half-of-peak": roof / 2},
        {"parameters": shape.parameters / 1e9, "weights": 2 * shape.parameters / 1e9},
    )


def limits(model, chip, users=None, prompt=None, **_):
    shape, chip = MODELS[model], CHIPS[chip]
    work = shape.decode(users, 16) if users else shape.prompt(prompt)
    least, most = chip.over(work, HIGH), chip.over(work, LOW)
    assert least >= 1.3 or most <= 1 / 1.3  # nearer to the ridge it is not asked
    told = {"operations": users or prompt, "ridge": chip.ridge / 2}
    if least > 1:
        return Paper("compute", {"memory-always": "memory"}, told)
    wrong = "batch-cures-all" if (users or 1) > 1 else "peak-rules"
    return Paper("memory", {wrong: "compute"}, told)


def shared(model, chip, users, context, **_):
    shape, chip = MODELS[model], CHIPS[chip]
    many, one = shape.decode(users, context), shape.decode(1, context)
    longer = [chip.seconds(many, eta) / chip.seconds(one, eta) for eta in ETAS]
    assert max(longer) <= 1.05 * min(longer)
    assert 2 * shape.parameters + users * shape.held(context) < chip.room
    told = {"weights": 2 * shape.parameters / 1e9, "cache": shape.held(context) / 1e9}
    return Paper(longer[1], {"no-sharing": users, "nothing-moves": 1}, told)


def moved(model, chip, new, **_):
    old, new, work = CHIPS[chip], CHIPS[new], MODELS[model].decode()
    gain = old.seconds(work) / new.seconds(work)
    told = {"new_peak": new.peak / 1e12, "new_rate": new.rate / 1e12}
    return Paper(gain, {"peak-rules": new.peak / old.peak, "reversed": 1 / gain}, told)


def kept(one, other, **_):
    names = one, other
    (small, less), (large, more) = (KEPT[name] for name in names)
    assert small <= large
    right = 2 if 1 / 1.1 <= less / more <= 1.1 else int(less < more)
    assert right == 2 or less / more >= 1.3 or more / less >= 1.3
    slips = {"reversed": one, "size-sets-kv": other, "nothing-moves": "about the same"}
    truth = slips.pop([*slips][right])
    told = {"small": small, "large": large, "less": less / 1e3, "more": more / 1e3}
    return Paper(truth, slips, told)


def fit(model, chip, context, **_):
    shape, room = MODELS[model], CHIPS[chip].room
    # beside its cache a user has a vector before the output head, and one behind it
    each, beside = shape.held(context), 2 * (shape.hidden + shape.vocab)
    users = (room - 2 * shape.parameters) // (each + beside)
    assert users >= 8
    told = {"room": room / 1e9, "weights": 2 * shape.parameters / 1e9, "cache": each / 1e9}
    return Paper(users, {"weights-are-free": room / each}, told)


def context_of(model: str, users: float, cache: float) -> int:
    """The context of so many users whose caches are told, in GB to two digits."""
    held = {context: users * MODELS[model].held(context) / 1e9 for context in (512, 2048, 8192)}
    return next(context for context in held if f"{held[context]:.2g}" == f"{cache:.2g}")


def shrunk(model, chip, users, s, cache, **_):
    shape, chip, context = MODELS[model], CHIPS[chip], context_of(model, users, cache)
    assert s == ("," if users == 1 else "s,")
    weights, stays = 2 * shape.parameters, users * shape.held(context)
    gain = (weights + stays) / (weights / 4 + stays)
    assert weights + stays < chip.room
    assert chip.over(shape.decode(users, context), LOW) * gain <= 1 / 1.3  # bytes bind after too
    return Paper(gain, {"narrow-is-fast": 4, "nothing-moves": 1}, {"weights": weights / 1e9})


def rooted(factor, kind, **_):
    # the best interval is the root of 2 x the cost of a checkpoint x the time between failures
    longer = factor if kind == "rare" else 1 / factor
    slips = {"proportional": longer, "nothing-moves": 1, "reversed": longer**-0.5}
    return Paper(longer**0.5, slips, {})


def ring(size: float, ranks: float) -> tuple[float, float]:
    """Seconds of 2 (N - 1) hops of 5 us, and of as many Nths of a message at 50 GB/s."""
    turns = 2 * (ranks - 1)
    return turns * 5e-6, turns * size / ranks / 50e9


def sent(message, ranks, **_):
    size, unit = message.split()
    waits, sends = ring(float(size) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit], ranks)
    slips = {
        "bytes-are-the-cost": "sending the bytes",
        "middle": "about equal parts of both",
        "latency-rules": "waiting at the hops",
    }
    tenfold = round(math.log10(waits / sends))  # of a tenth, one and ten the nearest
    truth = slips.pop([*slips][min(max(tenfold, -1), 1) + 1])
    return Paper(truth, slips, {"waits": waits * 1e3, "sends": sends * 1e3})


def billed(years, price, dear, **_):
    factor = dear / price
    return Paper(dearer(years, price, factor), {"power-is-the-bill": 100 * (factor - 1)}, {})


def trained(billions, trillions, devices, mfu, **_):
    # six operations a parameter and token, two of them forward
    work = 6 * billions * 1e9 * trillions * 1e12
    days = work / (devices * 989.4e12 * mfu) / 86_400
    assert 3 <= days <= 400
    return Paper(days, {"forward-only": days / 3, "peak-rules": days * mfu}, {})


class Known(NamedTuple):
    """The lesson of a card, how answers are read, what it says, and the numbers that it draws."""

    lesson: int
    unit: str
    within: float
    words: tuple[str, ...]
    paper: Callable[..., Paper]
    drawn: dict[str, set[Any]]


# billions of parameters, and bytes kept for each token: two for each value of each layer
KEPT = {name: (each.parameters / 1e9, each.held(1)) for name, each in MODELS.items()} | {
    "Llama 3 70B": (71, 2 * 80 * 2 * 1024),
    "Llama 2 70B": (69, 2 * 80 * 2 * 1024),
    "Qwen2.5 72B": (73, 2 * 80 * 2 * 1024),
    "Mixtral 8x7B": (47, 2 * 32 * 2 * 1024),
    "Mixtral 8x22B": (141, 2 * 56 * 2 * 1024),
    "DeepSeek-V3": (671, 2 * 61 * (512 + 64)),  # a latent, and what knows the position
}
SHEET = "{chip} ({peak} TFLOP/s, {rate} TB/s)"
COUNTS = {1, 2, 4, 8, 16, 32, 64, 512, 1024, 2048, 4096}
PAIR = {"model": {*MODELS}, "chip": {*CHIPS}}
BY_HAND = {
    "tokens-of-one-user": Known(
        0,
        "tokens/s",
        1.5,
        (
            "{model} has {parameters} billion parameters in fp16. How many tokens a second does "
            f"one user get on {SHEET} at a short context? Each token reads {{weights}} GB of …",
        ),
        tokens,
        PAIR,
    ),
    "roof-of-a-pair": Known(
        0,
        "",
        1.25,
        tuple(
            f"{{model}} {work} on {SHEET}. What limits the step? About {{operations}} operations a "
            "byte, against a ridge of {ridge} at η = 0.5."
            for work in (
                "reads a prompt of {prompt} tokens",
                "decodes for {users} users at a short context",
            )
        ),
        limits,
        PAIR | {"prompt": COUNTS, "users": COUNTS},
    ),
    "what-users-share": Known(
        0,
        "",
        1.4,
        (
            "{model} on {chip}: {weights} GB of weights, and {cache} GB of KV cache for each user's"
            " {context} tokens. A decode step for {users} users takes how many times as long as …",
        ),
        shared,
        PAIR | {"users": {8, 16, 32, 64}, "context": {1024, 2048, 4096, 8192}},
    ),
    "bandwidth-ratio": Known(
        1,
        "",
        1.15,
        (
            f"One user, decode of {{model}}, from {SHEET} to {{new}} ({{new_peak}} TFLOP/s, "
            "{new_rate} TB/s). How many times as fast? (Below 1 is slower.) …",
        ),
        moved,
        PAIR | {"new": {*CHIPS}},
    ),
    "who-keeps-more": Known(
        3,
        "",
        1.25,
        (
            "Which keeps more KV cache for each token, 16 bit: {one} ({small} B) or {other} "
            "({large} B)? … keeps {less} kB and … keeps {more} kB.",
        ),
        kept,
        {"one": {*KEPT} - {"DeepSeek-V3"}, "other": {*KEPT} - {"Phi-3 mini 4K"}},  # sorted
    ),
    "users-that-fit": Known(
        3,
        "",
        1.12,
        (
            "How many users of {context} tokens fit on {chip} beside {model}, paged? {room} GB, "
            "{weights} GB of weights, {cache} GB of KV cache a user. …",
        ),
        fit,
        {
            "model": {*MODELS},
            "chip": {*CHIPS} - {"MI325X"},  # beside all of its memory no weights are much
            "context": {1024, 2048, 4096, 8192, 16384, 32768},
        },
    ),
    "bytes-that-shrink": Known(
        5,
        "",
        1.2,
        (
            "{model} on {chip}: {weights} GB of weights go from 16 bit to int4; the KV cache of "
            "{users} user{s} {cache} GB, stays. How many times as fast is a decode step? …",
        ),
        shrunk,
        PAIR | {"users": {1, 4, 16, 32}},
    ),
    "root-of-failure": Known(
        6,
        "",
        1.1,
        ("Failures become {factor} times as {kind}. The best time between checkpoints becomes …",),
        rooted,
        {"factor": {4, 9, 16, 25}, "kind": {"rare", "frequent"}},
    ),
    "bytes-or-hops": Known(
        6,
        "",
        1.25,
        (
            "A ring all-reduce of {message} over {ranks} devices, 50 GB/s a link, 5 µs a hop. … "
            "{waits} ms at the hops against {sends} ms of bytes.",
        ),
        sent,
        {
            "message": {"64 kB", "512 kB", "4 MB", "64 MB", "512 MB", "4 GB", "16 GB"},
            "ranks": {8, 16, 64, 256, 1024, 4096},
        },
    ),
    "who-is-the-bill": Known(
        12,
        "%",
        1.6,
        (
            "Three months on 512 H100 that are written off in {years} years. Electricity goes from "
            "${price} to ${dear} a kWh. By how many percent does the bill grow? …",
        ),
        billed,
        {
            "years": {3, 4, 5},
            "price": {0.06, 0.08, 0.10, 0.14},
            "dear": {round(p * f, 2) for p in (0.06, 0.08, 0.10, 0.14) for f in (1.5, 2, 3, 4)},
        },
    ),
    "days-of-training": Known(
        12,
        "days",
        1.3,
        (
            "{billions} billion parameters, {trillions} trillion tokens, {devices} H100 of 989 "
            "TFLOP/s at an MFU of {mfu}: how many days? …",
        ),
        trained,
        {
            "billions": {7, 13, 34, 70, 180},
            "trillions": {1, 2, 5, 15},
            "devices": {256, 512, 1024, 4096},
            "mfu": {0.4, 0.5},
        },
    ),
}
each_card = pytest.mark.parametrize("name", BY_HAND)


@cache
def asked(name):
    """Questions of many seeds, and what each says."""
    made = [BY_NAME[name].ask(str(seed)) for seed in SEEDS]
    return [(ask, said(BY_HAND[name].words, f"{ask.text} {ask.why}")) for ask in made]


def test_every_card_is_worked_out():
    assert {card.name: card.lesson for card in CARDS} == {
        name: card.lesson for name, card in BY_HAND.items()
    }


@each_card
def test_what_is_right_what_slips_give_and_what_a_card_tells(name):
    card = BY_HAND[name]
    for ask, words in asked(name):
        truth, slips, told = card.paper(**words)
        assert ask.truth == pytest.approx(truth), ask.text
        assert dict(ask.slips) == pytest.approx(slips), ask.text
        assert (ask.unit, ask.within) == (card.unit, card.within)
        if "peak" in words:
            chip = CHIPS[words["chip"]]
            told |= {"peak": chip.peak / 1e12, "rate": chip.rate / 1e12}
        shown(told, words)


@each_card
def test_every_number_is_drawn_and_no_other(name):
    for key, wanted in BY_HAND[name].drawn.items():
        assert {words[key] for _, words in asked(name) if key in words} == wanted


def test_every_pair_that_fits_is_asked_but_for_the_lessons_own():
    names = [name for name, card in BY_HAND.items() if card.drawn.keys() >= PAIR.keys()]
    drawn = {(words["model"], words["chip"]) for name in names for _, words in asked(name)}
    assert drawn == PAIRS


@pytest.mark.parametrize("name", ["roof-of-a-pair", "who-keeps-more", "bytes-or-hops"])
def test_every_option_is_sometimes_right(name):
    options = len(asked(name)[0][0].options)
    assert {ask.options.index(ask.truth) for ask, _ in asked(name)} == {*range(options)}


def test_caches_of_three_contexts_stay_while_weights_shrink():
    told = [
        context_of(words["model"], words["users"], words["cache"])
        for _, words in asked("bytes-that-shrink")
    ]
    assert {*told} == {512, 2048, 8192}


def test_as_few_users_are_asked_for_as_eight():
    assert min(ask.truth for ask, _ in asked("users-that-fit")) == 8


def test_every_run_of_three_to_four_hundred_days_is_asked_for():
    drawn = BY_HAND["days-of-training"].drawn
    # the least and the most of them: 3.56 days and 370
    reached = [
        6e21 * work / (many * 989.4e12 * mfu * 86_400)
        for work in {p * t for p in drawn["billions"] for t in drawn["trillions"]}
        for many in drawn["devices"]
        for mfu in drawn["mfu"]
    ]
    wanted = {round(days, 6) for days in reached if 3 <= days <= 400}
    made = (BY_NAME["days-of-training"].ask(str(seed)).truth for seed in range(2500))
    assert {round(days, 6) for days in made} == wanted


@pytest.mark.parametrize(("longer", "asked_for"), [(1.03, True), (1.07, False)])
def test_what_hangs_on_the_efficiency_is_not_asked(monkeypatch, longer, asked_for):
    """A token takes an operation a byte: at an efficiency below 1/ridge arithmetic is longer."""
    drawn = iter(("Llama2_7B", "A100"))
    chance = SimpleNamespace(choice=lambda _: next(drawn))
    least = 1 / CHIPS["A100 SXM4 80GB"].ridge / longer
    monkeypatch.setattr(concepts, "ETAS", (least, 0.5, 0.7))
    with nullcontext() if asked_for else pytest.raises(ValueError, match="efficiency"):
        BY_NAME["tokens-of-one-user"].make(chance)


# ---- the quiz ------------------------------------------------------------------------------------


EVERY = CHIPS | OLD


def starved(model, chip, **_):
    work = MODELS[model].decode(1, 2048)
    used = 100 * work[0] / CHIPS[chip].peak / CHIPS[chip].seconds(work)
    assert used < 1
    return {"used": used}


def cached(small, large, **_):
    (fewer, kept), (more, less) = KEPT[small], KEPT[large]
    assert fewer < more
    assert kept > 2 * less
    return {"ratio": kept / less}


def prompted(model, chip, tokens, **_):
    shape, chip = MODELS[model], CHIPS[chip]
    one = chip.seconds(shape.decode())
    # a step for all of the prompt: 1 % longer, and where arithmetic is slowest 5 %
    assert all(1 < chip.seconds(shape.prompt(tokens), eta) / one < 1.06 for eta in ETAS)
    return {"many": tokens}


def failing(factor, root, **_):
    # the best interval is the root of 2 x the cost of a checkpoint x the time between failures
    return {"whole": factor, "root": factor**0.5}


def upgraded(model, old, new, **_):
    work = MODELS[model].decode(1, 2048)
    assert EVERY[old].seconds(work) / EVERY[new].seconds(work) == pytest.approx(0.95, abs=0.02)
    peaks, rates = EVERY[new].peak / EVERY[old].peak, EVERY[new].rate / EVERY[old].rate
    sheets = {
        f"{which}_{key}": getattr(EVERY[name], key) / 1e12
        for which, name in (("old", old), ("new", new))
        for key in ("peak", "rate")
    }
    return {"peaks": peaks, "rates": rates, "between": (peaks + rates) / 2, **sheets}


def reduced(message, ranks, **_):
    size, unit = message.split()
    waits, sends = ring(float(size) * {"kB": 1e3, "MB": 1e6}[unit], ranks)
    assert waits > 100 * sends
    return {"waits": waits * 1e3, "sends": sends * 1e3}


def crowded(model, chip, longer, **_):
    shape, chip = MODELS[model], CHIPS[chip]
    many, one = (chip.seconds(shape.decode(users, 16)) for users in (64, 1))
    assert longer == pytest.approx(many / one, abs=0.005)
    assert longer < 1.02
    return {"half": 32, "all": 64}


def charged(price, dear, change, **_):
    factor = {"twice": 2, "half": 0.5}[dear]
    assert 4 <= change <= 8
    return {"change": abs(dearer(3, price, factor)), "half": 50 * abs(factor - 1)}


def narrowed(model, chip, tokens, over, **_):
    work = MODELS[model].prompt(tokens)
    assert CHIPS[chip].over(work, HIGH) > 1  # so nothing is won with fewer bytes
    return {"over": CHIPS[chip].over(work, 0.5)}


def idle(old, new, **_):
    work = MODELS["Llama 3 8B"].decode(8, 2048)
    gain = EVERY[old].seconds(work) / EVERY[new].seconds(work)
    return {"gain": gain, "share": gain * EVERY[old].peak / EVERY[new].peak}


def climbing(model, chip, context, **_):
    shape, chip = MODELS[model], CHIPS[chip]
    reading, arithmetic = shape.held(context) / chip.rate, 2 * shape.parameters / chip.peak
    ridge = chip.ridge / 2
    return {"longer": LOW * reading / arithmetic, "ridge": ridge, "more": 4 * ridge}


def floored(model, chip, claim, decode=None, **_):
    work = MODELS[model].decode(1, 2048) if decode else MODELS[model].prompt(2048)
    floor = 1e3 * CHIPS[chip].seconds(work, 1.0)
    assert floor > 1.3 * claim
    return {"floor": floor}


class Item(NamedTuple):
    """An item: its lesson, whether options are shuffled, and all that it says, options too.

    `codes` are those of the options in order, "" that of the right one; a and b are what is drawn.
    """

    lesson: int
    shuffled: bool
    words: tuple[str, ...]
    codes: tuple[str, ...]
    paper: Callable[..., dict[str, float]]
    a: dict[str, Any]
    b: dict[str, Any]


QUIZ = {
    "starved": Item(
        0,
        False,
        (
            "{model} in fp16 writes for one user on {chip}, context 2,048. Which share of the "
            "chip's peak arithmetic is in use? … arithmetic: {used} %."
            " | below 1 % | about 10 % | about 50 % | about 100 %",
        ),
        ("", "middle", "half-of-peak", "peak-rules"),
        starved,
        {"model": "Qwen2.5 7B", "chip": "H200 SXM"},
        {"model": "Llama 2 13B", "chip": "A100 SXM4 80GB"},
    ),
    "cached": Item(
        3,
        True,
        (
            "Which of the two keeps more KV cache for each token, 16 bit: {small} or {large}? … "
            "the smaller keeps {ratio} times as much."
            " | the larger, in proportion to the parameters | the larger, about twice as much"
            " | both the same: a token is a token | the smaller, more than twice as much",
        ),
        ("size-sets-kv", "middle", "nothing-moves", ""),
        cached,
        {"small": "Llama 2 13B", "large": "Qwen2.5 72B"},
        {"small": "Llama 2 7B", "large": "Mixtral 8x22B"},
    ),
    "prompted": Item(
        2,
        False,
        (
            "{model} on {chip}: reading a prompt of {tokens} tokens takes how many times as long as"
            " writing one token? … | less than half, reading is the fast phase | about 1"
            " | about 8 | about {many}",
        ),
        ("peak-rules", "", "middle", "per-token"),
        prompted,
        {"model": "Llama 3 8B", "chip": "H100 SXM", "tokens": 96},
        {"model": "Llama 3 8B", "chip": "MI300X", "tokens": 64},
    ),
    "failing": Item(
        6,
        False,
        (
            "Failures come {factor} times as often. …"
            " | 1/{whole} | 1/{root} | what it was | 3 times as long",
            "Writing a checkpoint takes 1/{factor} of the time. …"
            " | 1/{whole} | 1/{root} | what it was | twice as long",
        ),
        ("proportional", "", "nothing-moves", "reversed"),
        failing,
        {"factor": 9, "root": 3},
        {"factor": 4, "root": 2},
    ),
    "upgraded": Item(
        1,
        False,
        (
            "One user, decode of {model}. You move from {old} ({old_peak} TFLOP/s, {old_rate} TB/s)"
            " to {new} ({new_peak} TFLOP/s, {new_rate} TB/s). How many times as fast? … those come "
            "{rates} times as fast. | half as fast | about as fast as before"
            " | about {between} times | about {peaks} times",
        ),
        ("reversed", "", "middle", "peak-rules"),
        upgraded,
        {"model": "Phi-3 mini 4K", "old": "T4", "new": "L4"},
        {"model": "Llama 2 7B", "old": "V100 SXM2 32GB", "new": "L40S"},
    ),
    "reduced": Item(
        6,
        True,
        (
            "A ring all-reduce of {message} over {ranks} devices, 50 GB/s a link, 5 µs a hop. … "
            "{waits} ms at the hops against {sends} ms of bytes. | adding the numbers"
            " | sending the bytes | about equal parts of both | waiting at the hops",
        ),
        ("peak-rules", "bytes-are-the-cost", "middle", ""),
        reduced,
        {"message": "512 kB", "ranks": 768},
        {"message": "2 MB", "ranks": 2048},
    ),
    "crowded": Item(
        0,
        False,
        (
            "{model} on {chip}, contexts of a few tokens. A decode step for 64 users takes how many"
            " times as long as a step for one? … weights: {longer} times."
            " | about 1 | about 4 | about {half} | about {all}",
        ),
        ("", "middle", "half-of-peak", "no-sharing"),
        crowded,
        {"model": "Llama 3 8B", "chip": "H200 SXM"},
        {"model": "Llama 3 8B", "chip": "B200 HGX"},
    ),
    "billed": Item(
        7,
        False,
        (
            "A training run of three months on 512 H100 that are written off in three years. "
            "Electricity becomes {dear} as dear (from ${price}/kWh). … Devices are most of it: "
            "{change} %. | does not change at all | changes by 4 to 8 %"
            " | changes by about {half} % | {most}",
        ),
        ("nothing-moves", "", "middle", "power-is-the-bill"),
        charged,
        {"price": 0.10, "dear": "twice", "most": "doubles"},
        {"price": 0.12, "dear": "half", "most": "halves"},
    ),
    "narrowed": Item(
        5,
        False,
        (
            "Weights in int4, arithmetic in 16 bit. Reading a prompt of {tokens} tokens with "
            "{model} on {chip} becomes how many times as fast? Arithmetic takes {over} times as "
            "long as the bytes. | half as fast, unpacking costs most | about 1 | about 2 | about 4",
        ),
        ("reversed", "", "middle", "narrow-is-fast"),
        narrowed,
        {"model": "Llama 3 8B", "chip": "H200 SXM", "tokens": 3000},
        {"model": "Llama 3 8B", "chip": "A100 SXM4 80GB", "tokens": 1500},
    ),
    "idle": Item(
        9,
        True,
        (
            "After the move from {old} to {new} your decode service is {gain} times as fast, and "
            "its utilisation (MFU) fell to {share} of what it was. …"
            " | all is well: the new chip's peak grew more than its bandwidth"
            " | the migration went wrong | the batch became smaller | fp16 runs on the wrong units",
        ),
        ("", "busy-is-healthy", "no-sharing", "peak-rules"),
        idle,
        {"old": "V100 SXM2 32GB", "new": "H100 SXM"},
        {"old": "A100 SXM4 80GB", "new": "B200 HGX"},
    ),
    "climbing": Item(
        3,
        False,
        (
            "{model} on {chip}, every user with {context} tokens of context, and memory without "
            "end. … cache takes {longer} times as long as all of its arithmetic. | about {ridge}, "
            "the ridge | about {more} | above 10,000, in proportion to the context | from none",
        ),
        ("batch-cures-all", "middle", "proportional", ""),
        climbing,
        {"model": "Llama 3 8B", "chip": "MI300X", "context": 8192},
        {"model": "Llama 2 13B", "chip": "A100 SXM4 80GB", "context": 4096},
    ),
    "floored": Item(
        17,
        True,
        tuple(
            f"At full peak and full bandwidth the law gives {{floor}} ms for {work} of {{model}} on"
            " {chip}. A blog reports {claim} ms for the same. … | ask what they count differently: "
            "fewer bits, several tokens a step, a cached prompt | it is fine: a model errs by a "
            "third | their chip beats its data sheet | raise the share of the peak that is reached"
            for work in ("a {decode} step", "a prompt of 2,048 tokens")
        ),
        ("", "errs-both-ways", "peak-rules", "half-of-peak"),
        floored,
        {"model": "Qwen2.5 7B", "chip": "H200 SXM", "claim": 2, "decode": "decode"},
        {"model": "Llama 2 7B", "chip": "A100 SXM4 80GB", "claim": 60},
    ),
}


def test_every_item_is_worked_out():
    assert [(item.name, item.lesson) for item in ITEMS] == [
        (name, item.lesson) for name, item in QUIZ.items()
    ]


@pytest.mark.parametrize("variant", "ab")
@pytest.mark.parametrize("name", QUIZ)
def test_what_is_right_and_what_an_item_tells(name, variant):
    item, ask = QUIZ[name], quiz.find_item(name).ask(variant)
    words = said(item.words, " | ".join((f"{ask.text} {ask.why}", *ask.options)))
    drawn = getattr(item, variant)
    assert {key: words[key] for key in drawn} == drawn
    shown(item.paper(**words), words)
    right = item.codes.index("")
    assert ask.truth == ask.options[right]
    slips = {code: option for code, option in zip(item.codes, ask.options, strict=True) if code}
    assert dict(ask.slips) == slips
    assert ask.shuffled == item.shuffled


LLAMA, QWEN = Models.Language.Llama3_8B, Models.Language.Qwen2_5_7B


@pytest.mark.parametrize(
    ("make", "asked", "refused"),
    [
        # twice as dear at 12 cents adds 8.4 %, and at 5 cents 3.7 %
        (quiz.billed, (0.11, 2.0), (0.12, 2.0)),
        (quiz.billed, (0.06, 2.0), (0.05, 2.0)),
        # a cache of 8,192 tokens takes 5.8 times as long as the arithmetic, of 1,836 1.3 times
        (quiz.climbing, (LLAMA, Hardware.MI300X, 1900), (LLAMA, Hardware.MI300X, 1800)),
        # the step takes at least 2.97 ms
        (
            quiz.floored,
            ("decode", QWEN, Hardware.H200, 2.2e-3),
            ("decode", QWEN, Hardware.H200, 2.4e-3),
        ),
        # as quick, and a third as busy; or quicker, and busier too
        (quiz.idle, (Hardware.A100, Hardware.B200), (Hardware.V100, Hardware.L40S)),
        (quiz.idle, (Hardware.A100, Hardware.B200), (Hardware.H100, Hardware.H200)),
    ],
)
def test_an_item_that_would_be_wrong_is_refused(make, asked, refused):
    make(*asked)
    with pytest.raises(ValueError, match=r"\w"):
        make(*refused)


@pytest.mark.parametrize(("tokens", "truth"), [(16, "about 4"), (190, "about 1")])
def test_a_quarter_of_the_bytes_helps_a_prompt_as_long_as_they_bind(tokens, truth):
    # on an H200 they do for fewer than 0.35 x 206 = 72 tokens, and for none from 0.7 x 206 on
    assert quiz.narrowed(LLAMA, Hardware.H200, tokens).truth == truth
