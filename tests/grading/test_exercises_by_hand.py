"""Truths of exercises worked out by hand."""

from __future__ import annotations

import pytest

from grading.check import load


def asked(stem, name, **fields):
    """A question, and the sample's variant with other numbers."""
    checks = load(stem)
    assigned = checks.assignment
    return checks.questions[name], assigned.variant({**assigned.sample, **fields})


def truth(stem, name, **fields):
    """What a question's check expects."""
    question, v = asked(stem, name, **fields)
    return question.expected(v)


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
