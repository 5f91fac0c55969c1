"""Several workloads that take turns: a sweep's points are their average step."""

from __future__ import annotations

import pytest

from mlsysim import DSE, Engine, Models
from mlsysim.core.errors import BadArgument

LLAMA = Models.Language.Llama3_8B
MIX = [("Llama3_8B", 3), ("ResNet50", 1)]


def test_an_average_step_is_as_often_each_workload_as_it_is_weighed():
    sweep = Engine.sweep(MIX, ["H100", "A100"], batch_sizes=[1, 8])
    for row in sweep:
        how = {"batch_size": row["batch_size"]}
        llama, resnet = (Engine.solve(name, row["hardware"], **how) for name, _ in MIX)
        mix = row["profile"]
        by_hand = 0.75 * llama.si("latency") + 0.25 * resnet.si("latency")
        assert mix.si("latency") == pytest.approx(by_hand)
        assert mix.throughput.m_as("1/s") == pytest.approx(row["batch_size"] / by_hand)
        assert mix.memory_required == max(llama.memory_required, resnet.memory_required)
        work = 0.75 * llama.operations + 0.25 * resnet.operations
        assert mix.mfu == pytest.approx((work / (mix.latency * mix.peak)).m_as(""))
        assert mix.compute_share + mix.memory_share <= 1 + 1e-12
    assert sweep.column("latency").tolist() == [row["profile"].si("latency") for row in sweep]
    assert sweep.column("bottleneck").tolist() == [row["profile"].bottleneck for row in sweep]


def test_weights_are_parts_of_a_whole_and_one_workload_is_itself():
    alone = Engine.sweep(LLAMA, "H100").column("latency")
    assert Engine.sweep([(LLAMA, 7)], "H100").column("latency") == alone
    twice = Engine.sweep([(LLAMA, 1), (LLAMA, 3)], "H100").column("latency")
    assert twice == pytest.approx(alone)


def test_a_device_must_hold_every_workload_of_a_mix_and_says_which_one_it_does_not():
    held = Engine.sweep([("ResNet50", 99), ("Llama3_70B", 1)], ["H100", "B200"])
    assert held.column("feasible").tolist() == [False, True]
    alone = Engine.solve("Llama3_70B", "H100")
    name = Models.Language.Llama3_70B.name
    assert held[0]["profile"].reason == f"{name}: {alone.reason}"
    assert held[1]["profile"].reason == ""


def test_a_mix_is_searched_like_any_other_sweep():
    dse = DSE({"hardware": ["H100", "MI300X", "A100"]}, "minimize: latency", ["feasible == True"])
    found = dse.search_sweep(Engine.sweep, MIX, batch_sizes=[1])
    each = {
        name: found["points"][i]["profile"] for i, name in enumerate(("H100", "MI300X", "A100"))
    }
    assert found["best_params"]["hardware"] == min(each, key=lambda n: each[n].si("latency"))


@pytest.mark.parametrize(
    "model", [[], ["Llama3_8B"], [("Llama3_8B",)], [("Llama3_8B", 0)], [("Llama3_8B", "often")]]
)
def test_a_mix_without_its_weights_is_told_how_it_is_written(model):
    with pytest.raises(BadArgument, match="weight"):
        Engine.sweep(model, "H100")
