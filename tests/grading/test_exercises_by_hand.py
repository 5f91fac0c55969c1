"""Truths of exercises worked out by hand, and specifications with one fault each."""

from __future__ import annotations

from math import sqrt

import pytest

from grading.check import load
from mlsysim.course.sheet import Answer


def asked(stem, name, **fields):
    """A question, and the sample's variant with other numbers."""
    checks = load(stem)
    assigned = checks.assignment
    return checks.questions[name], assigned.variant({**assigned.sample, **fields})


def truth(stem, name, **fields):
    """What a question's check expects."""
    question, v = asked(stem, name, **fields)
    return question.expected(v)


def called(stem, name, arguments, **fields):
    """What the function that a question asks for returns."""
    question, v = asked(stem, name, **fields)
    return question.check.truth(v)(*arguments)


# Llama 2 7B: 32 layers of 4096, all 32 heads with keys of their own, a gated ffn of 11008, and a
# vocabulary of 32000; fp16. A step reads all matrices and the output head, not the input table.
LAYERS, HIDDEN, FFN, HEAD = 32, 4096, 11008, 4096 * 32000
MATRICES = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * FFN)
TOKEN = 2 * 2 * LAYERS * HIDDEN  # bytes of keys and values
H100 = 989.4e12


def read(tokens):
    """Bytes of a decode step over so many tokens of cache."""
    return 2 * (MATRICES + HEAD) + tokens * TOKEN


def prompt(tokens):
    """FLOP of a prompt: causal attention, and the head for its last token alone."""
    return 2 * tokens * MATRICES + 2 * HEAD + LAYERS * 4 * tokens**2 / 2 * HIDDEN


def test_weights_come_in_through_the_door_and_caches_lie_inside():
    # LLaMA 65B: 80 layers of 8192, a gated ffn of 22016, every head with keys of its own
    weights = 80 * (4 * 8192**2 + 3 * 8192 * 22016) + 8192 * 32000
    own = {"model": "LLaMA_65B", "precision": "fp16", "width": 2, "link": 1.2, "sram": 44}
    assert truth("10_gpu_vs_wafer", "q1", **own) == pytest.approx(2 * weights / 150e9, rel=1e-3)
    tokens = 44e9 / (8 * 2 * 2 * 80 * 8192)
    assert truth("10_gpu_vs_wafer", "q2", **own, users=8) == pytest.approx(tokens)


@pytest.mark.parametrize(
    ("weights", "users", "seconds"),
    [(30e9, 2, 34e9 / 20e15), (43e9, 2, 43e9 / 150e9), (400e9, 1, 400e9 / 150e9), (1e9, 23, 0)],
)
def test_a_wafer_reads_inside_what_fits_and_streams_what_does_not(weights, users, seconds):
    own = {"sram": 44, "fast": 20, "link": 1.2}
    found = called("10_gpu_vs_wafer", "q5", (weights, 2e9, users), **own)
    assert found == pytest.approx(seconds)


TABLE = {"a_ms": 9, "b_ms": 24, "c_ms": 13, "d_ms": 16, "e_ms": 29, "f_ms": 12}
PRICES = {"a_usd": 5, "b_usd": 2, "c_usd": 3, "d_usd": 4, "e_usd": 1, "f_usd": 6}


def test_a_front_by_hand():
    # without c: from a (9, 5) over d (16, 4) and b (24, 2) to e (29, 1); f (12, 6) is beaten by a
    found = truth("11_design_space", "q3", **TABLE, **PRICES, full="c")
    assert found == {"a", "b", "d", "e"}
    assert truth("11_design_space", "q4", **TABLE, **PRICES, full="c", most=25) == "b"
    assert truth("11_design_space", "q4", **TABLE, **PRICES, full="b", most=25) == "c"


def test_a_price_at_which_two_devices_cost_the_same_a_token_and_its_slips():
    """What both cost in three years over what both write; `faster` is the ratio of their rates."""
    checks, seen = load("11_design_space"), set()
    question = checks.questions["q5"]
    for number in range(20):
        v = checks.assignment.draw(f"variant {number}")
        watt = 3 * 24 * 365 * v.around * v.cents / 100 / 1000  # dollars of electricity
        own, power = (v[device].tdp.m_as("W") * watt for device in ("device", "other"))
        price = v["other"].unit_cost.m_as("USD")
        faster = (question.expected(v) + own) / (price + power)
        by_hand = {
            "compared prices without tokens": price,
            "left out the electricity": price * faster,
            "took the ratio of the rates the wrong way round": (price + power) / faster - own,
        }
        for name, slip in by_hand.items():
            if found := question.check.misconceptions[name](v):
                assert found.m_as("USD") == pytest.approx(slip)
                seen.add(name)
    assert seen == by_hand.keys()


def test_tokens_of_three_years_pay_for_a_device_and_its_power():
    # an H100 of 30,000 USD and 700 W: 1.05 kW for 26,280 hours at 10 cents; 64 tokens in 20 ms
    own = {"device": "H100", "around": 1.5, "cents": 10, "reserve": 10, "limit": 20}
    tokens = 64 / 0.02 * 3600 * 26_280
    cost = called("11_design_space", "q7", (0.02, 64, 50e9), **own)
    assert cost == pytest.approx((30_000 + 1.05 * 26_280 * 0.1) / tokens * 1e6)
    assert called("11_design_space", "q7", (0.0201, 64, 50e9), **own) == 0
    assert called("11_design_space", "q7", (0.02, 64, 80e9), **own) == 0


def test_failures_and_their_bill_by_hand():
    own = {"mtbf": 20, "checkpoint": 90, "restart": 12, "days": 30, "rate": 20}
    lost = sqrt(2 * 90 / 72_000) + 720 / 72_000  # to first order: 6 %
    assert truth("15_pipelines_and_callbacks", "q1", **own) == pytest.approx(100 * lost, rel=0.03)
    bill = 30 * 20_000 / (1 - lost)
    assert truth("15_pipelines_and_callbacks", "q2", **own) == pytest.approx(bill, rel=2e-3)
    found = called("15_pipelines_and_callbacks", "q6", (30, 20, 90, 12), **own)
    assert found == pytest.approx(bill)
    assert called("15_pipelines_and_callbacks", "q6", (30, 0.1, 900, 12), **own) == 0


def test_chips_that_read_and_what_light_leaves():
    own = {"model": "Llama2_7B", "device": "H100", "rate": 600, "prompt": 512, "eta": 0.5}
    chips = 600 * prompt(512) / (0.5 * H100)
    found = truth("18_design_challenge", "q1", **own)
    assert found == pytest.approx(chips, rel=2e-2)  # and 10 us a prompt to launch
    own |= {"regions": 3, "writers": 20}
    assert truth("18_design_challenge", "q2", **own) == pytest.approx((found + 20) * 1.5)
    assert truth("18_design_challenge", "q3", promise=150, far=4800) == 150 - 48


# ---- specifications, each with one fault ---------------------------------------------------------

BUILT = """
release_year: 2027
compute: {{peak_flops: {0} TFLOP/s}}
memory: {{capacity: {1} GB, bandwidth: {2} GB/s}}
dispatch_tax: 10 us
host_link: {{name: way in, bandwidth: {3} GB/s}}
"""
FLEET = """
question: which fleet for one region?
workload:
  {{phase: serve, model: Llama3_70B, prompt: 512, tokens: 64, arrival_rate_qps: {0}, precision: fp8,
  efficiency: 0.5}}
fleet: {{hardware: MI300X, count: {1}, tensor_parallel: {2}}}
environment: {{grid: Virginia, duration: 3 year, infrastructure_multiplier: 1.0}}
"""
WAFER = {"model": "LLaMA_65B", "precision": "fp16", "width": 2, "late": 1.0}  # 130 GB a token
CHALLENGE = {"all": 500, "answers": 64, "km": 5500, "beside": 1.0}
SPECIFIED = [
    ("10_gpu_vs_wafer", "q6", WAFER, BUILT.format(15e3, 40, 2e7, 137), "right"),
    ("10_gpu_vs_wafer", "q6", WAFER, BUILT.format(15e3, 40, 2e7, 17.1), "took bits for bytes"),
    ("10_gpu_vs_wafer", "q6", WAFER, BUILT.format(15e3, 200, 2e7, 63), "raised the memory"),
    ("18_design_challenge", "q7", CHALLENGE, FLEET.format(500, 64, 4), "right"),
    ("18_design_challenge", "q7", CHALLENGE, FLEET.format(250, 32, 4), "left no region to spare"),
    ("18_design_challenge", "q7", CHALLENGE, FLEET.format(500, 128, 2), "left out the way"),
]


@pytest.mark.parametrize(("stem", "name", "fields", "text", "said"), SPECIFIED)
def test_a_specification_is_right_or_told_its_fault(stem, name, fields, text, said):
    question, v = asked(stem, name, **fields)
    _, mark = question.answered(Answer(value=text), v)
    assert mark.kind == said or mark.name.startswith(said), mark


def test_a_fleet_far_above_the_frontier_is_told_so():
    question, v = asked("18_design_challenge", "q7", **CHALLENGE)
    _, mark = question.answered(Answer(value=FLEET.format(500, 96, 4)), v)
    assert mark.points == 0
    assert "15 % more than the cheapest" in mark.message


def test_a_measured_step_is_compared_with_the_longer_of_two_roofs():
    # dec0504: Llama 2 7B, 16 bits, one user on an A100: 104.9 tokens a second were measured
    token = 2 * 6_738_415_616 / 2039e9
    assert truth("17_reality_check", "q1", row="dec0504") == pytest.approx(1 / 104.9 / token)
    # cnn0978: ResNet-50, 128 images on a T4 in fp32 (8.1 TFLOP/s), 4.09 G multiply-adds each
    batch = 128 * 2 * 4.09e9 / (0.5 * 8.1e12)
    images = truth("17_reality_check", "q1", row="cnn0978", eta=0.5)
    assert images == pytest.approx(128 / 426 / batch, rel=0.01)


def test_an_interval_holds_what_lies_between_both_of_its_ends():
    # intervals from 0.75 to 3 times the law: 0.5 and 4 lie outside, 0.8 and 2 inside
    question, v = asked("17_reality_check", "q6", centre=1.5)
    held = question.check.truth(v)(width=2, a=0.5, b=0.8, c=2, d=4, e=0, f=0)
    assert held == pytest.approx(0.5)
