"""How far measurements lie from what a stack says: intervals and chances."""

from __future__ import annotations

import pickle
from collections import defaultdict
from statistics import NormalDist

import pytest

from mlsysim import Engine, Stacks, solvers
from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.evaluation.validate import Unpredictable, read
from mlsysim.evaluation.validate.rows import OWN, model_of
from mlsysim.evaluation.validate.stack import calibrated
from mlsysim.stacks.ranges import chance, trust, within
from mlsysim.stacks.types import Stack

solve = Engine.solve
TOLD = {"half": 1.1, "most": 1.5, "new_half": 1.2, "new_most": 2.0}


def test_an_interval_is_wider_for_a_generation_that_was_not_measured():
    told = {"half": 1.1, "most": 1.5, "new_half": 1.2, "new_most": 2.0}
    roofs = {"matmul": {"Ampere": 0.5, "other": 0.5}}
    stack = {"name": "x", "roofs": roofs, "spread": told}
    seen, new = (solve("ResNet50", device, stack=stack) for device in ("A100", "H100"))
    assert seen.interval(0.9)[1] / seen.latency == pytest.approx(1.5)
    assert new.interval(0.9)[1] / new.latency == pytest.approx(2.0)
    assert new.latency / new.interval(0.5)[0] == pytest.approx(1.2)
    assert seen.notes[-1].endswith("nine of ten within 1.50 times")
    assert "which it was not measured on" in new.notes[-1]
    with pytest.raises(MissingValue, match="held against measurements"):
        solve("ResNet50", "A100", stack="ideal").interval()
    with pytest.raises(BadArgument, match="holds"):
        seen.interval(0.7)


def test_chances_are_those_that_the_intervals_say():
    """A quarter lies above the half's factor, a twentieth above that of nine tenths."""
    told = {"half": 1.2, "most": 2.0, "new_half": 1.2, "new_most": 2.0}
    stack = Stack.build({"name": "x", "spread": told})
    found = [chance(within(stack, "Hopper"), times) for times in (1 / 2, 1 / 1.2, 1, 1.2, 2)]
    assert found == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95])
    # between and beyond them as logarithms of a normal distribution do: its quartile is at
    # 0.67449 and its twentieth at 1.64485; half of the way to 1.2, half of the way on to 2, and as
    # far beyond it
    way = 2 / 1.2
    far = [1.2**0.5, 1.2 * way**0.5, 2 * way]
    places = [0.67449 / 2, (0.67449 + 1.64485) / 2, 2 * 1.64485 - 0.67449]
    more = [NormalDist().cdf(place) for place in places]
    assert [chance(within(stack, "Hopper"), times) for times in far] == pytest.approx(
        more, rel=1e-4
    )
    less = [chance(within(stack, "Hopper"), 1 / times) for times in far]
    assert less == pytest.approx([1 - part for part in more], rel=1e-4)
    assert chance(within("ideal", "Hopper"), 1.0) is None
    assert chance(within(stack, "Hopper"), 0.0) == 0


def test_every_kind_of_answer_has_its_interval():
    """A server's first token, a full device's throughput, a fleet's step: times and divided by."""
    spread = Stacks.trtllm.spread
    served = solvers.ServingModel().solve("Llama3_8B", "H100", stack="trtllm")
    low, high = served.interval(0.5, of="ttft")
    assert high / served.ttft == pytest.approx(spread.half)
    assert served.ttft / low == pytest.approx(spread.half)
    assert served.interval()[1] / served.latency == pytest.approx(spread.most)
    full = solvers.ContinuousBatchingModel().solve("Llama3_8B", "H100", stack="trtllm")
    assert full.interval()[0] * spread.most / full.throughput == pytest.approx(1)
    run = solvers.DistributedModel().solve("Llama3_8B", fleet="Research_256", stack="megatron")
    assert run.interval()[1] / run.step_time == pytest.approx(Stacks.megatron.spread.most)
    for answer in (served, full):
        assert "half of what was measured lay within" in " ".join(answer.notes)
    with pytest.raises(BadArgument, match="of cannot be 'weights': give a time or a rate"):
        served.interval(of="weights")


def test_a_model_of_a_kind_that_was_not_measured_is_less_certain():
    told = {"name": "x", "spread": {**TOLD, "models": ["transformer"]}}
    seen, new = (solve(model, "H100", stack=told) for model in ("Llama3_8B", "ResNet50"))
    assert seen.interval()[1] / seen.latency == pytest.approx(1.5)
    assert new.interval()[1] / new.latency == pytest.approx(2.0)
    told = "half of what was measured lay within {} times of what x says, nine of ten within {}"
    assert seen.notes[-1] == told.format("1.10", "1.50 times")
    assert new.notes[-1] == told.format("1.20", "2.00 times") + (
        " on models of the kind 'convnet', which it was not measured on"
    )


def test_a_device_that_was_not_measured_is_named_before_the_kind_of_model():
    asked = {"name": "x", "spread": {**TOLD, "models": ["transformer"]}}
    asked["roofs"] = {"matmul": {"Ampere fp8": 0.5, "Ampere": 0.5, "other": 0.5}}
    assert Stack.build(asked).generations == ["Ampere"]
    last = "nine of ten within 2.00 times on devices like {}, which it was not measured on"
    assert solve("ResNet50", "H100", stack=asked).notes[-1].endswith(last.format("Hopper"))
    assert trust(Stack.build(asked), None)[0].endswith(last.format("this one"))
    assert trust("ideal", "Hopper", "convnet") == ()


def test_the_kinds_that_a_stack_names_are_those_of_the_rows_that_it_ran():
    ran = defaultdict(set)
    for row in [*read(), *read(OWN)]:
        try:
            ran[getattr(calibrated(row), "stem", "")].add(model_of(row).kind)
        except Unpredictable:
            continue
    for name, stack in Stacks.entries():
        if name in ran and stack.spread:
            assert set(stack.spread.models) == ran[name], name


def test_each_device_of_a_sweep_has_its_own_interval():
    stack = {"name": "x", "roofs": {"matmul": {"Ampere": 0.5, "other": 0.5}}, "spread": TOLD}
    found = Engine.sweep("ResNet50", ["A100", "H100"], stack=stack)
    ends = {row["hardware"]: row["profile"].interval()[1] / row["profile"].latency for row in found}
    assert ends == pytest.approx({"A100": 1.5, "H100": 2.0})


def test_an_interval_survives_a_journey_to_another_process():
    sent = pickle.loads(pickle.dumps(solve("Llama3_8B", "H100", stack="trtllm")))
    assert sent.interval()[1] / sent.latency == pytest.approx(Stacks.trtllm.spread.most)


def test_a_batch_is_chosen_at_a_stack():
    """A host that takes 100 ms a step forbids what an ideal one keeps."""
    asked = {"arrival_rate_qps": 1.0, "sla_latency_ms": 60.0}
    slow = {"name": "slow", "host": "100 ms"}
    optimize = solvers.BatchingOptimizer().solve
    assert optimize("ResNet50", "A100", **asked).feasible
    assert not optimize("ResNet50", "A100", **asked, stack=slow).feasible
    told = optimize("ResNet50", "A100", **asked, stack="cudnn")
    assert "half of what was measured" in told.notes[-1]
