"""Exercise 11 on paper: what fits, what is quick enough, and what a token costs."""

from __future__ import annotations

import pytest

from tests.grading.by_hand import called, known

STEM = "11_design_space"
MIB = 2**20
# FLOP/s in 16 and in 8 bits, bytes a second, bytes, watts and dollars
CHIPS = {
    "H100": (989.4e12, 1978.9e12, 3.35e12, 81_559 * MIB, 700, 30_000),
    "MI300X": (1307.4e12, 2614.9e12, 5.3e12, 192 * 1024 * MIB, 750, 15_000),
    "L40S": (362e12, 733e12, 0.864e12, 46_068 * MIB, 350, 9_000),
}
# layers, hidden, values of keys in a layer, the gated ffn, vocabulary
MODELS = {
    "Llama3_8B": (32, 4096, 1024, 14336, 128_256),
    "Llama2_13B": (40, 5120, 5120, 13824, 32_000),
}
# bytes of a weight in a layer and in the tables: groups of 128 weights of 4 bits share 2.5 bytes
WIDTHS = {"fp16": (2, 2), "fp8": (1, 1), "int4": (0.5 + 2.5 / 128, 2)}
SPACE = {"device": "H100", "other": "MI300X", "third": "L40S"}


def matrices(model):
    """Weights of the layers, and of one table of words: it stands before them and behind."""
    layers, hidden, keys, ffn, words = MODELS[model]
    return layers * (2 * hidden**2 + 2 * hidden * keys + 3 * hidden * ffn), words * hidden


def cached(model):
    """Bytes of keys and values of a token, 16 bits each in every format of the weights."""
    layers, _, keys, *_ = MODELS[model]
    return 2 * 2 * layers * keys


def step(model, chip, form, users, tokens):
    """Seconds of a step, products and then caches; half of the peak, 10 us to launch."""
    (inside, head), (wide, table) = matrices(model), WIDTHS[form]
    half, narrow, bandwidth, *_ = CHIPS[chip]
    peak = (narrow if form == "fp8" else half) / 2  # no datapath has 4 bits: they widen to 16
    hidden = MODELS[model][1]
    layers = max(wide * inside / bandwidth, 2 * users * inside / peak)
    ends = max(table * head / bandwidth, 2 * users * head / peak)
    rows = table * users * hidden / bandwidth
    return layers + ends + rows + users * tokens * cached(model) / bandwidth + 1e-5


def fits(model, chip, form, users, tokens):
    """Weights, both tables, norms, caches, and hidden state and logits of the widest product."""
    (inside, head), (wide, table) = matrices(model), WIDTHS[form]
    layers, hidden, *_, words = MODELS[model]
    norms = (2 * layers + 1) * hidden
    widest = users * (hidden + words) * (1 if form == "fp8" else 2)
    held = wide * inside + table * (2 * head + norms) + users * tokens * cached(model) + widest
    return held <= CHIPS[chip][3]


def test_the_largest_batch_within_two_limits():
    def largest(passes):
        return max(users for users in range(1, 513) if passes(users))

    # the limit for a step binds; from 148 users on products wait for arithmetic
    own = ("Llama3_8B", "H100", "fp16")
    quick = largest(lambda users: step(*own, users, 2048) <= 18e-3)
    room = largest(lambda users: fits(*own, users, 2048))
    assert (quick, room) == (162, 258)
    fields = {"model": "Llama3_8B", "device": "H100", "context": 2048, "limit": 18}
    assert known(STEM, "q1", **fields) == {"": quick, "left out the limit": room}
    # memory binds: caches of 13B are six times as large, 35 fit beside 26 GB of 85.5
    own = ("Llama2_13B", "H100", "fp16")
    quick = largest(lambda users: step(*own, users, 2048) <= 38e-3)
    room = largest(lambda users: fits(*own, users, 2048))
    assert (quick, room) == (60, 35)
    fields |= {"model": "Llama2_13B", "limit": 38}
    assert known(STEM, "q1", **fields) == {"": room, "forgot that all must fit": quick}


@pytest.mark.parametrize(
    ("model", "quick", "told"),
    [  # 35 users of 13B fit, and 258 of 8B: two users or 5 % less may be rounding
        ("Llama2_13B", 33, False),
        ("Llama2_13B", 32, True),
        ("Llama3_8B", 247, False),
        ("Llama3_8B", 240, True),
    ],
)
def test_limits_that_nobody_can_tell_from_each_other(model, quick, told):
    limit = 1e3 * (step(model, "H100", "fp16", quick, 2048) + 1e-6)
    found = known(STEM, "q1", model=model, device="H100", context=2048, limit=limit)
    assert found[""] == quick
    assert ("left out the limit" in found) is told


def test_how_many_designs_pass():
    # a short loop through the same sums: there is no closed form for what turns at two roofs
    own = [("Llama2_13B", chip, form) for chip in CHIPS for form in WIDTHS]
    every = [(*each, users, 1536) for each in own for users in range(1, 513)]
    room, quick = ({at for at in every if fits(*at)}, {at for at in every if step(*at) <= 33e-3})
    fields = {"model": "Llama2_13B", **SPACE, "context": 1536, "limit": 33}
    assert known(STEM, "q2", **fields) == {
        "": len(room & quick),
        "counted all that fits": len(room),
        "counted all that is quick": len(quick),
    }


STEPS = {"a_ms": 9, "b_ms": 24, "c_ms": 13, "d_ms": 16, "e_ms": 29, "f_ms": 12}
PRICES = {"a_usd": 5, "b_usd": 2, "c_usd": 3, "d_usd": 4, "e_usd": 1, "f_usd": 6}


def test_a_front():
    # without c: from a (9, 5) over d (16, 4) and b (24, 2) to e (29, 1); f (12, 6) is beaten by a,
    # and d by c (13, 3)
    assert known(STEM, "q3", **STEPS, **PRICES, full="c") == {
        "": {"a", "b", "d", "e"},
        "kept the design that does not fit": {"a", "b", "c", "e"},
        "took only the best of each row": {"a", "e"},
        "dropped nothing but what does not fit": {"a", "b", "d", "e", "f"},
    }


@pytest.mark.parametrize("alike", [{"f_ms": 9}, {"f_usd": 5}])
def test_a_design_as_quick_or_as_cheap_as_a_better_one_is_not_beaten_in_both(alike):
    front = known(STEM, "q3", **{**STEPS, **PRICES, **alike}, full="c")[""]
    assert front == {"a", "b", "d", "e", "f"}


def test_the_best_under_a_limit():
    # of 25 ms or less: a for 5, b for 2, c for 3, d for 4 and f for 6; but b does not fit
    assert known(STEM, "q4", **STEPS, **PRICES, full="b", most=25) == {
        "": "c",
        "left out the limit": "e",
        "took what does not fit": "b",
        "took the quickest": "a",
    }
    assert known(STEM, "q4", **STEPS, **PRICES, full="c", most=24)[""] == "b"  # at the limit


POWER = {"around": 1.5, "cents": 10}
HOURS = 3 * 365 * 24  # of three years


def spent(watts):
    """Dollars of electricity: 1.5 W for each of the board's, 10 cents a kWh."""
    return watts * 1.5 / 1000 * HOURS * 0.10


def test_the_price_at_which_two_devices_draw_level():
    own = {"model": "Llama3_8B", **SPACE, **POWER, "users": 32, "context": 3072}
    h100, mi300x = (step("Llama3_8B", chip, "fp16", 32, 3072) for chip in ("H100", "MI300X"))
    faster = mi300x / h100  # tokens of the H100 for one of the MI300X: 0.64
    assert known(STEM, "q5", **own) == pytest.approx(
        {
            "": (15_000 + spent(750)) * faster - spent(700),
            "compared prices without tokens": 15_000,
            "left out the electricity": 15_000 * faster,
            "took the ratio of the rates the wrong way round": (15_000 + spent(750)) / faster
            - spent(700),
        }
    )
    # the other way round electricity is less than 5 % of it, which nobody can tell from the truth
    back = known(STEM, "q5", **{**own, "device": "MI300X", "other": "H100"})
    assert back[""] == pytest.approx((30_000 + spent(700)) / faster - spent(750))
    assert "left out the electricity" not in back
    # an L40S writes so little that upside down a price would be below zero; electricity is 7 %
    l40s = {**own, "other": "L40S"}
    assert known(STEM, "q5", **l40s).keys() == {
        "",
        "compared prices without tokens",
        "left out the electricity",
    }


def test_what_a_million_tokens_cost():
    # 64 tokens in 20 ms, for three years; a tenth of 85.5 GB stays free
    own = {"device": "H100", **POWER, "reserve": 10, "limit": 20}
    tokens = 64 / 0.02 * 3600 * HOURS / 1e6
    whole, bought = (30_000 + spent(700)) / tokens, 30_000 / tokens
    late = whole * 0.0201 / 0.02
    slips = "left out the electricity", "left out the limit for a step", "left no memory free"
    room = CHIPS["H100"][3]
    for arguments, costs in {
        (0.02, 64, 50e9): (whole, bought, whole, whole),
        (0.01, 128, 0.9 * room): (whole / 4, bought / 4, whole / 4, whole / 4),  # just fits
        (0.0201, 64, 50e9): (0, 0, late, 0),
        (0.02, 64, 80e9): (0, 0, 0, whole),
        (0.02, 64, room): (0, 0, 0, whole),
        (0.02, 64, 86e9): (0, 0, 0, 0),
        (0.03, 64, 86e9): (0, 0, 0, 0),
    }.items():
        found = called(STEM, "q7", arguments, **own)
        assert found == pytest.approx(dict(zip(("", *slips), costs, strict=True)))
