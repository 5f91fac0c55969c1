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


@pytest.mark.parametrize("stack", [None, "ideal"])
def test_each_field_of_a_mix_by_hand(stack):
    """A decode step, and images that are five times as often, of which memory holds the larger."""
    how = {"precisions": ["int8"], "efficiency": 0.25, "stack": stack}
    found = Engine.sweep([("Llama3_8B", 1), ("ResNet50", 5)], "A100", batch_sizes=[6], **how)
    mix = found[0]["profile"]
    how["precision"] = how.pop("precisions")[0]
    one, five = (Engine.solve(m, "A100", batch_size=6, **how) for m in ("Llama3_8B", "ResNet50"))
    for name in ("latency", "compute_time", "memory_time", "overhead", "operations", "traffic"):
        assert mix.si(name) == pytest.approx((one.si(name) + 5 * five.si(name)) / 6), name
    for name in ("memory_capacity", "peak", "bandwidth", "power", "datapath", "precision", "stack"):
        assert mix.si(name) == one.si(name), name
    assert mix.si("memory_required") == one.si("memory_required")
    assert (mix.batch_size, mix.seq_len, mix.feasible) == (6, 2048, True)
    assert mix.notes == ()
    assert mix.energy.m_as("J") == pytest.approx(400 * mix.si("latency"))
    # what each waits for is weighed too: the first for memory, the others for arithmetic
    whole = mix.si("latency")
    for share in ("compute_share", "memory_share"):
        waits = one.si(share) * one.si("latency") + 5 * five.si(share) * five.si("latency")
        assert mix.si(share) == pytest.approx(waits / 6 / whole), share
    assert (one.bottleneck, five.bottleneck) == ("Memory", "Compute")


def test_a_mix_says_what_to_know_of_its_device():
    alone = Engine.sweep(LLAMA, "V100", precisions=["int8"])[0]["profile"]
    mix = Engine.sweep(MIX, "V100", precisions=["int8"])[0]["profile"]
    assert mix.notes == alone.notes
    assert len(mix.notes) == 1
    two = [("Llama3_8B", 3), ("GPT2", 1)]
    columns = Engine.sweep(two, ["V100", "H100"], batch_sizes=[2, 3], seq_lens=[100, 200])
    last = Engine.sweep(two, "H100", batch_sizes=3, seq_lens=200)[0]["profile"]
    assert columns[7]["profile"].latency == last.latency


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
