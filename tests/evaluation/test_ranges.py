"""Ranges of a plan: as wide as the measurements of its stack say, and none without any."""

from __future__ import annotations

import json

import pytest

import mlsysim
from mlsysim import Stacks
from mlsysim.cli import main

QUESTION = {"rate": 50, "prompt": 2000, "tokens": 300, "ttft": "500 ms", "weights": "fp8"}


def test_at_a_measured_stack_each_time_and_price_has_its_ranges():
    found = mlsysim.plan("Llama3_70B", "H200", **QUESTION, stack="vllm")
    spread, best = Stacks.vllm.spread, found.best
    for name in ("p50_ttft", "p99_ttft", "itl", "rent", "buy"):
        value = getattr(best, name)
        for part, factor in (("half", spread.half), ("most", spread.most)):
            low, high = best.ranges[name][part]
            assert low.m_as(value.units) == pytest.approx(value.magnitude / factor)
            assert high.m_as(value.units) == pytest.approx(value.magnitude * factor)
    assert best.interval(0.5) == best.ranges["p99_ttft"]["half"]  # what it is asked for first
    assert best.interval(of="itl") == best.ranges["itl"]["most"]
    assert "on vllm" in found.question
    assert "kept with" in found.binds
    told, rent = found.spans[0]["rent"], best.rent.m
    assert told == " ".join(
        (
            f"{rent / spread.half:,.0f}-{rent * spread.half:,.0f}",
            f"({rent / spread.most:,.0f}-{rent * spread.most:,.0f}) USD",
        )
    )
    assert told in str(found)
    assert f"<td>{told}</td>" in found._repr_html_()


def test_without_a_measured_stack_nothing_claims_a_range():
    found = mlsysim.plan("Llama3_70B", "H200", **QUESTION, stack="ideal")
    assert found.best.ranges is None
    assert found.spans is None
    assert "kept with" not in found.binds
    assert "ranges" not in " ".join(found.notes)


def test_a_run_has_the_ranges_of_its_training_stack_in_json(capsys):
    asked = ["plan", "Llama3_8B", "H100", "--train", "--tokens", "1e9", "--stack", "megatron"]
    assert main([*asked, "--json"]) == 0
    (run, *_) = json.loads(capsys.readouterr().out)["systems"]
    low, high = run["ranges"]["elapsed_time"]["most"]
    most = Stacks.megatron.spread.most
    assert high["value"] / low["value"] == pytest.approx(most**2)
    assert run["ranges"]["rent"]["half"][0]["unit"] == "USD"
