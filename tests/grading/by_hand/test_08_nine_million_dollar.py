"""Exercise 08 on paper: devices, dollars and room for thoughts of 50 tokens a step."""

from __future__ import annotations

from math import ceil

import pytest

from grading.check import load
from mlsysim.core.units import Q_
from mlsysim.course.sheet import Answer
from tests.grading.by_hand import called, followed, known, variant

STEM = "08_nine_million_dollar"
# Llama 3 70B: 80 layers of 8192, 8 heads of keys of 128, a gated ffn of 28672, vocabulary 128256
WEIGHTS = 80 * (2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28_672)  # one byte each
WEIGHTS += 2 * 128_256 * 8192 + 161 * 8192  # both ends, and norms
TOKEN = 2 * 2 * 80 * 8 * 128  # bytes of keys and values in 16 bits
# MI300X: 192 GiB, of which a tenth stays in reserve; 5.3 TB/s; 2,614.9 trillion 8-bit operations
MEMORY, BANDWIDTH, PEAK = 0.9 * 192 * 2**30, 5.3e12, 2614.9e12


def test_devices_and_their_bill():
    # 400 tokens in steps of 24 ms, of which six share each: 1.6 s; and 0.12 s of reading
    own = {"rate": 85, "prefill": 120, "step": 24, "thoughts": 8, "batch": 6, "price": 2.6}
    assert known(STEM, "q1", **own) == {
        "": ceil(85 * 1.72),  # 146.2
        "took a step of thinking for a token": ceil(85 * (0.12 + 8 * 0.024 / 6)),  # 12.9
        "let every request use a device alone": ceil(85 * (0.12 + 9.6)),  # 826.2
        "read the prompt again for every thought": ceil(85 * (8 * 0.12 + 1.6)),  # 217.6
    }
    year = 365 * 24 * 2.6  # dollars of one
    assert known(STEM, "q2", **own) == {
        "": pytest.approx(147 * year),
        "paid for one device": pytest.approx(year),
        "took days for hours": pytest.approx(147 * 365 * 2.6),
    }
    # one more prompt of 20 ms beside 420 ms is seen, one of 5 ms beside 405 ms is not
    again, short = "read the prompt again for every thought", {**own, "thoughts": 2}
    assert known(STEM, "q1", **{**short, "prefill": 20})[again] == ceil(85 * 0.44)
    assert again not in known(STEM, "q1", **{**short, "prefill": 5})
    assert followed(STEM, "q2", Q_(827, ""), **own) == pytest.approx(827 * year)


def test_a_load_that_is_whole_may_be_rounded_up():
    # 40 x (0.15 + 150 x 0.017 / 6) is 23, and 23.000000000000004 in floating point
    whole = {"rate": 40, "prefill": 150, "step": 17, "thoughts": 3, "batch": 6}
    assert known(STEM, "q1", **whole)[""] == 23
    for given, kind in ((22, "right"), (24, "right"), (25, "wrong")):
        _, mark = load(STEM).questions["q1"].answered(Answer(value=given), variant(STEM, **whole))
        assert mark.kind == kind


def test_requests_that_fit():
    own = {"model": "Llama3_70B", "device": "MI300X", "prompt": 900, "thoughts": 8}
    room, request = MEMORY - WEIGHTS, (900 + 400) * TOKEN
    assert known(STEM, "q3", **own) == {
        "": room // request,
        "kept the cache in 8 bits": room // (request / 2),
        "left out the prompt": room // (400 * TOKEN),
        "took two bytes a weight": (room - WEIGHTS) // request,
    }
    # a prompt of 40 tokens beside 400 is seen, one of 16 is not
    prompts = [known(STEM, "q3", **{**own, "prompt": prompt}) for prompt in (40, 16)]
    assert ["left out the prompt" in each for each in prompts] == [True, False]
    # an H200 of 143,771 MiB does not hold two bytes a weight: nobody can have reckoned with them
    assert "took two bytes a weight" not in known(STEM, "q3", **{**own, "device": "H200"})


def test_which_lever_lowers_the_bill_most():
    axis = "pf st k few more longer less"
    # 10.2 s for 8, or 11.2 s for 10, which is 12.2 % less
    near = [(200, 20, 10, 8, 10, 10, less) for less in (12, 13)]
    for pf, st, k, few, more, longer, less in (*load(STEM).assignment.axes[axis], *near):
        steps = 50 * k * st  # ms of all
        think, cached, shared, cheaper = (
            "think half as long",
            "keep all prompts in a cache, so that none is read",
            f"{more} requests at once, with steps {longer} % longer",
            f"devices {less} % cheaper",
        )
        bill = {  # ms of a device for each request
            think: (pf + steps / 2) / few,
            cached: steps / few,
            shared: (pf + steps * (100 + longer) / 100) / more,
            cheaper: (pf + steps) / few * (100 - less) / 100,
        }
        order = tuple(sorted(bill, key=bill.__getitem__))
        own = dict(zip(axis.split(), (pf, st, k, few, more, longer, less), strict=True))
        assert known(STEM, "q4", **own) == {
            "": order,
            "put the thinking first in any case": first(think, order),
            "put the price first in any case": first(cheaper, order),
        }


def first(lever, order):
    """The same order, after one lever."""
    return (lever, *(each for each in order if each != lever))


def seconds(prompt, tokens):
    """What a full device takes for a request: its prompt, and a part of every step."""
    slots = (MEMORY - WEIGHTS) // (TOKEN * (prompt + tokens))
    steps = (  # one after the other, with a token more in each cache
        (WEIGHTS + slots * TOKEN * (prompt + n + 0.5)) / BANDWIDTH for n in range(tokens)
    )
    return 2 * WEIGHTS * prompt / (PEAK / 2) + sum(steps) / slots


def test_thinking_twice_as_long():
    own = {"model": "Llama3_70B", "device": "MI300X"}
    choices = {
        1.5: "less than one and a half times",
        2.5: "one and a half to two and a half times",
        3.5: "two and a half to three and a half times",
        9.9: "more than three and a half times",
    }
    # on both sides of each border: 1.495 and 1.519, 2.497 and 2.503, 3.492 and 3.505 times
    borders = ((8400, 16), (6300, 16), (6500, 96), (6400, 96), (500, 64), (1100, 128))
    seen = set()
    for read, deep in (*load(STEM).assignment.axes["read deep"], *borders):
        grows = seconds(read, 100 * deep) / seconds(read, 50 * deep)
        found = next(text for most, text in choices.items() if grows < most)
        assert known(STEM, "q6", **own, read=read, deep=deep) == {
            "": found,
            "let the time grow with the tokens": choices[2.5],
            "let the time grow with their square": choices[9.9],
        }
        seen.add(found)
    assert seen == set(choices.values())


def test_devices_for_any_load():
    rows = {  # the truth, rounded down, and without prompts; 120 ms to read, 24 ms a step
        (10, 100, 7): (5, 4, 4),  # 10 x (0.12 + 2.4 / 7) = 4.63; 3.43 without prompts
        (100, 400, 8): (132, 132, 120),  # 100 x (0.12 + 1.2)
        (0.5, 50, 1): (1, 0, 1),  # 0.66
        (10, 100, 0): (-1, -1, -1),
    }
    for arguments, (truth, down, without) in rows.items():
        assert called(STEM, "q7", arguments, prefill=120, step=24) == {
            "": truth,
            "rounded the devices down": down,
            "left out the prompts": without,
        }
