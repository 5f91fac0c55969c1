"""Truths of exercises worked out by hand, and specifications with one fault each."""

from __future__ import annotations

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


# Llama 2 7B: 32 layers of 4096, all 32 heads with keys of their own, a gated ffn of 11008, and a
# vocabulary of 32000; fp16.
LAYERS, HIDDEN, FFN, HEAD = 32, 4096, 11008, 4096 * 32000
MATRICES = LAYERS * (4 * HIDDEN**2 + 3 * HIDDEN * FFN)
H100 = 989.4e12


def prompt(tokens):
    """FLOP of a prompt: causal attention, and the head for its last token alone."""
    return 2 * tokens * MATRICES + 2 * HEAD + LAYERS * 4 * tokens**2 / 2 * HIDDEN


def test_chips_that_read_and_what_light_leaves():
    own = {"model": "Llama2_7B", "device": "H100", "rate": 600, "prompt": 512, "eta": 0.5}
    chips = 600 * prompt(512) / (0.5 * H100)
    found = truth("18_design_challenge", "q1", **own)
    assert found == pytest.approx(chips, rel=2e-2)  # and 10 us a prompt to launch
    own |= {"regions": 3, "writers": 20}
    assert truth("18_design_challenge", "q2", **own) == pytest.approx((found + 20) * 1.5)
    assert truth("18_design_challenge", "q3", promise=150, far=4800) == 150 - 48


# ---- specifications, each with one fault ---------------------------------------------------------

FLEET = """
question: which fleet for one region?
workload:
  {{phase: serve, model: Llama3_70B, prompt: 512, tokens: 64, arrival_rate_qps: {0}, precision: fp8,
  efficiency: 0.5}}
fleet: {{hardware: MI300X, count: {1}, tensor_parallel: {2}}}
environment: {{grid: Virginia, duration: 3 year, infrastructure_multiplier: 1.0}}
"""
CHALLENGE = {"all": 500, "answers": 64, "km": 5500, "beside": 1.0}
SPECIFIED = [
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
