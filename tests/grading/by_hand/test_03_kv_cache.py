"""Exercise 03 on paper: users of Llama 3 8B on a B200, a cache of 8 bits in some questions."""

from __future__ import annotations

from math import ceil, floor

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from tests.grading.by_hand import called, followed, known, variant
from tests.paper import LLAMA3_8B as MODEL

STEM = "03_kv_cache"
OWN = {"model": "Llama3_8B", "device": "B200", "context": 7400, "width": 1, "precision": "fp8"}
TOKEN = MODEL.held(1) / 2  # bytes of a token's keys and values, a byte each
A100, B200 = 80 * 2**30, 183_359 * 2**20
WEIGHTS, USABLE = 2 * MODEL.parameters, 0.9 * B200
# beside its cache a user takes what a step keeps of one token: its values and its logits
STEP = 2 * (MODEL.hidden + MODEL.vocab)


def test_the_cache_of_one_user_and_how_many_fit():
    one = 7400 * TOKEN
    assert known(STEM, "q1", **OWN) == {
        "": pytest.approx(one / 1e6),
        "counted every query head": pytest.approx(32 / 8 * one / 1e6),
        "kept the keys and forgot the values": pytest.approx(one / 2 / 1e6),
        "counted one layer": pytest.approx(one / 32 / 1e6),
    }
    assert known(STEM, "q2", **OWN) == {
        "": floor((USABLE - WEIGHTS) / (one + STEP)),
        "forgot that the weights take room too": floor(USABLE / one),
        "forgot the reserve": floor((B200 - WEIGHTS) / one),
        "loaded the weights once for every user": floor(USABLE / (WEIGHTS + one)),
    }
    own = followed(STEM, "q2", Q_(0.5, "GB"), **OWN)
    assert own == pytest.approx((USABLE - WEIGHTS) / 500e6)
    assert followed(STEM, "q2", Q_(0, "MB"), **OWN) is None


def test_how_many_requests_fit_with_pages():
    def fit(tokens):  # here a key or a value takes two bytes
        return floor((USABLE - WEIGHTS) / (tokens * MODEL.held(1) + STEP))

    # 460 tokens are 2.4 pages of 192
    assert ceil(460 / 192) == 3
    assert known(STEM, "q3", **OWN, used=460, page=192) == {
        "": fit(3 * 192),
        "rounded down to whole pages": fit(2 * 192),
        "left the pages out": fit(460),
        "kept a whole slot for each request": fit(4096),
    }


MISTRAL = {"large": "Mistral_Small_3", "host": "A100", "bigger": "A100"}
LLAMA = {"large": "Llama3_8B", "host": "A100", "bigger": "H200"}


# a cache of 8 bits doubles the users, and so does half of the context. Llama 3 8B leaves 61.2 of
# 77.3 GB: an H200 (150.8 GB) leaves 1.95 times that, a MI300X (206.2) 2.8 times. Mistral Small 3
# leaves 30.2 GB; in 4 bits, but for 2.7 GB at its ends, its 47.1 GB are 13.8: 2.1 times the room
@pytest.mark.parametrize(
    ("fields", "cut", "best"),
    [
        (LLAMA, 49, "keep the cache in 8 bits"),
        (LLAMA, 51, "make the contexts 51 % shorter"),
        ({**LLAMA, "bigger": "MI300X"}, 63, "replace the A100 SXM4 80GB by a MI300X"),
        ({**LLAMA, "bigger": "MI300X"}, 65, "make the contexts 65 % shorter"),
        (MISTRAL, 51, "keep the weights in 4 bits"),
        (MISTRAL, 53, "make the contexts 53 % shorter"),
    ],
)
def test_the_one_change_that_admits_most_users(fields, cut, best):
    names = {"A100": "A100 SXM4 80GB", "H200": "H200 SXM", "MI300X": "MI300X"}
    larger = f"replace the {names['A100']} by a {names[fields['bigger']]}"
    assert known(STEM, "q4", **fields, cut=cut) == {
        "": best,
        "took the weights for what fills the memory": "keep the weights in 4 bits",
        "took the larger chip for the answer to everything": larger,
    }


def test_which_pair_of_model_and_chip_serves_most_users():
    chips = {"c1": "H200", "c2": "A100", "c3": "A100", "c4": "RTX_PRO_6000"}
    models = {"m1": "Qwen3_32B", "m2": "Qwen3_4B", "m3": "Phi4", "m4": "Mistral_Small_3"}
    # parameters, layers, values of a key, memory
    workstation = "Mistral Small 3 on one RTX PRO 6000 Blackwell Workstation Edition"
    pairs = {
        "Qwen3 32B on one H200 SXM": (32.76e9, 64, 8 * 128, 143_771 * 2**20),
        "Qwen3 4B on one A100 SXM4 80GB": (4.022e9, 36, 8 * 128, A100),
        "Phi-4 on one A100 SXM4 80GB": (14.66e9, 40, 10 * 128, A100),
        workstation: (23.57e9, 40, 8 * 128, 97_887 * 2**20),
    }
    room = {name: 0.9 * memory - 2 * n for name, (n, *_, memory) in pairs.items()}
    users = {name: room[name] / (layers * key) for name, (_, layers, key, _) in pairs.items()}
    assert known(STEM, "q5", **models, **chips) == {
        "": tuple(sorted(users, key=users.get, reverse=True)),
        "ordered them by the memory that is free": tuple(sorted(room, key=room.get, reverse=True)),
        "took the smallest model first": tuple(sorted(pairs, key=lambda name: pairs[name][0])),
    }


# memory, weights, tokens, shared: nobody shares; most is shared; no room for a prefix; for nothing
@pytest.mark.parametrize(
    "asked",
    [
        (60e9, 16e9, 2200, 0),
        (40e9, 16e9, 3500, 3000),
        (16.1e9, 16e9, 9000, 8000),
        (14e9, 16e9, 9, 0),
    ],
)
def test_users_that_share_a_prefix(asked):
    memory, weights, tokens, shared = asked
    count = floor((memory - weights - shared * TOKEN) / ((tokens - shared) * TOKEN))
    assert called(STEM, "q6", asked, **OWN) == {
        "": max(count, 0),
        "stored the prefix once for every user": max(
            floor((memory - weights) / (tokens * TOKEN)), 0
        ),
        "let the users become negative": count,
    }


def test_a_function_is_tried_with_and_without_a_prefix_and_where_nobody_fits():
    question, v = load(STEM).questions["q6"], variant(STEM, **OWN)
    asked = question.inputs(v)
    assert {row["shared"] > 0 for row in asked} == {True, False}
    found = [question.check.truth(v)(**row) for row in asked]
    assert found.count(0) == 2
