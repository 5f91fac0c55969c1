"""A plan is fast because nothing is worked out twice; here every fleet is judged by itself."""

from __future__ import annotations

from itertools import product

import pytest

import mlsysim
from mlsysim.core.errors import MLSysError
from mlsysim.evaluation import judge, replicas
from mlsysim.evaluation.spec import SystemSpec

COUNTS = (*range(1, 9), *range(16, 129, 8))
ALIKE = 1.05  # of two that differ by less one is told
QUESTIONS = {
    "a dense model": (
        ("Llama3_70B", ["H200", "MI300X"]),
        {"rate": 20, "prompt": 2000, "tokens": 300, "ttft": "500 ms", "weights": "fp8"},
    ),
    "a mixture of experts": (
        ("Mixtral_8x7B", ["H100", "B200"]),
        {"rate": 10, "prompt": 1000, "tokens": 400, "ttft": "400 ms"},
    ),
    "both bounds, on boards without a link": (
        ("Llama3_8B", ["L40S", "RTX_4090"]),
        {"rate": 6, "prompt": 500, "tokens": 200, "ttft": "1 s", "itl": "25 ms"},
    ),
    "narrow weights and cache": (
        ("Qwen3_14B", ["A100", "L4"]),
        {"rate": 2, "prompt": 3000, "tokens": 150, "weights": "int4", "kv_precision": "fp8"},
    ),
    "no stack and no bound": (
        ("Mistral_7B", ["H100", "A100"]),
        {"rate": 40, "prompt": 300, "tokens": 100, "stack": "ideal"},
    ),
}


def all_fleets(model, devices, rate, prompt, tokens, ttft=None, itl=None, **how):
    """The smallest fleet of each device and division that keeps everything, each from its text."""
    names = {"weights": "precision"}
    work = {"model": model, "phase": "serve", "prompt": prompt, "tokens": tokens}
    work |= {"arrival_rate_qps": rate, **{names.get(key, key): v for key, v in how.items()}}
    bounds = {"p99_ttft": ttft, "itl": itl}
    limits = [f"{metric} <= {bound}" for metric, bound in bounds.items() if bound]
    for device, ways in product(devices, (1, 2, 4, 8)):
        for count in COUNTS:
            fleet = {"hardware": device, "count": count, "tensor_parallel": ways}
            spec = {"workload": work, "fleet": fleet, "constraints": limits}
            replicas._asked.cache_clear()
            try:
                found = judge(SystemSpec.from_spec(spec))
            except MLSysError:
                continue
            if found.verdict in ("satisfied", "feasible") and found.metrics["utilization"] <= 0.8:
                yield device, ways, found.metrics
                break


@pytest.mark.parametrize("asked", QUESTIONS)
def test_a_plan_is_the_front_of_all_fleets_judged_one_by_one(asked):
    (model, devices), how = QUESTIONS[asked]
    plan = mlsysim.plan(model, devices, **how)
    each = {s.hardware: s.cost.m_as("USD") / s.devices for s in plan.systems}
    fleets = {
        (device, f"TP {ways}"): (
            m["devices"] * each[device],
            m["p99_ttft"].m_as("s"),
            m["itl"].m_as("s"),
        )
        for device, ways, m in all_fleets(model, devices, **how)
    }
    told = {
        (s.hardware, s.plan): (s.cost.m_as("USD"), s.p99_ttft.m_as("s"), s.itl.m_as("s"))
        for s in plan.systems
    }
    assert {device for device, _ in fleets} == {device for device, _ in told} == {*devices}
    for way, costs in told.items():
        assert costs == pytest.approx(fleets[way])
    for costs in fleets.values():
        assert any(
            all(mine <= ALIKE * other for mine, other in zip(known, costs, strict=True))
            for known in told.values()
        )
    for device in devices:
        cheapest = min(cost for (name, _), (cost, *_) in fleets.items() if name == device)
        known = min(cost for (name, _), (cost, *_) in told.items() if name == device)
        assert known == pytest.approx(cheapest)


def test_a_planned_run_is_the_run_that_is_judged_by_itself():
    how = {"tokens": 2e10, "deadline": "20 days", "lora_rank": 16, "weights": "int4"}
    for run in mlsysim.plan("Llama3_8B", ["H100", "MI300X"], train=True, **how).systems:
        work = {"model": "Llama3_8B", "phase": "train", "tokens": 2e10, "precision": "bf16"}
        work |= {"lora_rank": 16, "base_precision": "int4"}
        fleet = {key.removeprefix("fleet."): value for key, value in run.change.items()}
        fleet |= {"fabric": "InfiniBand_NDR"} if run.devices > 8 else {}
        found = judge(SystemSpec.from_spec({"workload": work, "fleet": fleet})).metrics
        assert found["elapsed_time"].m_as("day") == pytest.approx(run.elapsed_time.m_as("day"))
        assert found["mfu"] == pytest.approx(run.mfu)
        assert run.elapsed_time.m_as("day") <= 20


def test_what_serves_is_worked_out_once_for_each_division_and_width(monkeypatch):
    """Twice the rate, or no bound, asks the same replicas; int4 asks others."""
    made = []
    server = replicas.server
    monkeypatch.setattr(
        replicas, "server", lambda *a, **how: made.append(a[0]) or server(*a, **how)
    )
    how = {"rate": 11, "prompt": 1711, "tokens": 97, "ttft": "500 ms", "weights": "fp8"}
    plan = mlsysim.plan("Llama3_70B", ["H200"], **how)
    assert len(plan.changes) >= 2
    divisions, widths = 4, 2
    assert 0 < len(made) <= divisions * widths
