"""Stacks that were measured in whole steps: the part of each roof that they reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import DistributedModel, Engine, Fleet, Hardware, Models, SingleNodeModel, Systems
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import judge
from mlsysim.hardware.types import HardwareNode
from mlsysim.stacks.registry import Stacks
from mlsysim.stacks.roofs import Board, Held, Roofs, Talk
from mlsysim.stacks.silicon import Constant, Operators
from mlsysim.stacks.types import Stack

ROOFED = sorted(name for name, stack in Stacks.entries() if stack.roofs)
solve = SingleNodeModel().solve


def device(**better) -> HardwareNode:
    data = Hardware.Cloud.A100.to_dict()
    data.pop("sources")
    data["compute"] = {**data["compute"], "precision": {}}
    for name, times in better.items():
        part, _, key = name.partition("_")
        number, _, unit = str(data[part][key]).partition(" ")
        data[part] = {**data[part], key: f"{float(number) * times} {unit}"}
    return HardwareNode.build(data)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(ROOFED),
    st.sampled_from(["ResNet50", "ViT_B_16", "Llama3_8B"]),
    st.sampled_from(["memory_bandwidth", "compute_peak_flops"]),
    st.floats(1, 10),
    st.booleans(),
)
def test_more_of_anything_is_never_slower(stack, model, what, times, training):
    asked = {"batch_size": 4, "training": training, "stack": stack}
    slow, fast = (solve(model, device(**how), **asked) for how in ({}, {what: times}))
    assert fast.si("latency") <= slow.si("latency") * (1 + 1e-12)


def test_a_product_reaches_the_part_that_its_generation_does():
    """8192 x 8192 x 8192 at half of the peak, and launched in 10 us."""
    half = {"name": "half", "launch": "10 us", "host": "0 s", "roofs": {"matmul": {"Ampere": 0.5}}}
    own = solve("Llama3_8B", "A100", phase="prefill", seq_len=8192, stack=half)
    told = solve("Llama3_8B", "A100", phase="prefill", seq_len=8192, efficiency=0.5, stack="ideal")
    kernels = (own.latency - told.latency + Hardware.A100.dispatch_tax).m_as("us") / 10
    assert kernels == pytest.approx(round(kernels))
    assert kernels > 32 * 5


def test_generations_are_told_apart_in_columns():
    roofs = Stacks.megatron.roofs
    assert roofs is not None
    found = roofs.part(np.array(["Ampere", "Nobody"]), np.array(["fp16", "fp16"]), 0.25)
    assert found.tolist() == [roofs.matmul["Ampere"], roofs.matmul["other"]]


def test_roofs_and_wires_of_which_nothing_is_told_are_reached_whole():
    whole = {"attention": 1, "depth": 0, "bandwidth": 1, "passes": 1, "cache": 1, "reload": 0,
             "outputs": 0, "flash": 1, "matmul": {}}  # fmt: skip
    assert {name: getattr(Roofs.build({}), name) for name in whole} == whole
    talk = Talk.build({"latency": "1 us"})
    assert (talk.link, talk.queue) == (1, 0)
    assert (Held.build({}).buffers, Board.build({}).share) == (1, 1)
    assert Stack.build({"name": "mine"}).campaign == 1
    own = Operators.build({})
    assert (own.quantised, own.half_sums) == (0, False)
    assert {own.passes, own.rate, own.bandwidth, own.attention, own.exchange} == {1}


def test_a_datapath_of_its_own_goes_before_its_generation_and_that_before_any_other():
    told = Roofs.build({"matmul": {"Hopper fp8": 0.25, "Hopper": 0.5, "other": 0.75}})
    pairs = [("Hopper", "fp8"), ("Hopper", "fp16"), ("Ada", "fp8")]
    assert [told.part(*pair, 0.125) for pair in pairs] == [0.25, 0.5, 0.75]
    one = Roofs.build({"matmul": {"Hopper fp8": 0.25}})
    assert one.part("Hopper", "fp16", 0.125) == 0.125
    column = one.part("Hopper", np.array([["fp16", "fp8"]]), 0.125)
    assert column.tolist() == [[0.125, 0.25]]
    assert Roofs.build({}).part("Hopper", "fp8", 0.125) == 0.125


def test_a_constant_has_a_factor_for_each_group_that_was_measured():
    constant = Constant.build({"all": 3, "by": {"family": {"Ada": 5}, "datapath": {"fp8": 7}}})
    members = [{"family": "Ada", "datapath": "fp8"}, {"family": "Ada"}, {"family": "x"}, {}]
    assert [constant.at(groups) for groups in members] == [105, 15, 3, 3]
    columns = {"family": np.array(["Ada", "x"]), "datapath": "fp8"}
    assert constant.at(columns).tolist() == [105, 21]


def test_a_core_without_queues_loads_what_it_multiplies():
    """One multiply-accumulate loads eight bytes again: 12.5 million of them at 480 MB/s."""
    bare = {"name": "bare", "host": "0 s", "roofs": {"matmul": {"other": 1.0}, "flash": 1.0}}
    again = bare | {"roofs": bare["roofs"] | {"reload": 8.0}}
    slow = solve("TinyResNet", "STM32L4R5ZI", precision="int8", stack=again)
    macs = float(Models.TinyResNet.counted_macs())
    operations = Hardware.STM32L4R5ZI.peak("int8").m_as("FLOP/s")
    least = 8 * macs / 480e6 + 2 * macs / operations
    assert least < slow.latency.m_as("s") < 1.1 * least


def test_an_unrated_device_draws_by_the_operation():
    stack = {"name": "x", "board": {"share": 2.0, "operation": "0.1 nJ"}}
    rated = solve("TinyResNet", "STM32L4R5ZI", precision="int8", stack=stack)
    assert rated.power.m_as("mW") == pytest.approx(2 * 39.6)
    other = solve("TinyResNet", "STM32F746", precision="int8", stack=stack)
    assert other.power.m_as("mW") == pytest.approx(86.4)  # 0.864 billion operations a second


def test_a_sweep_over_devices_reaches_each_ones_part():
    devices, batches = ["A100", "H100"], [1, 8]
    sweep = Engine.sweep(
        "ResNet50", devices, batch_sizes=batches, precisions=["fp32", "fp16"], stack="cudnn"
    )
    for point in sweep:
        how = {name: point[name] for name in ("hardware", "batch_size", "precision")}
        alone = solve("ResNet50", **how, stack="cudnn")
        assert point["profile"].si("latency") == pytest.approx(alone.si("latency"))


def test_a_stack_keeps_gradients_and_scores_as_wide_as_it_says():
    """Gradients of 4 bytes are twice those of 2, and so are scores, where they are kept."""
    fleet = Fleet(name="one", node=Systems.Nodes.DGX_A100, count=1)
    plain = {"name": "plain", "held": {"gradients": "2 B", "scores": "2 B"}}
    wide = {"name": "wide", "held": {"gradients": "4 B", "scores": "4 B"}}
    how = {"fleet": fleet, "flash_attention": False, "batch_size": 8}
    one, two = (
        DistributedModel().solve(Models.Llama3_8B, **how, stack=stack) for stack in (plain, wide)
    )
    assert two.si("gradients") == pytest.approx(2 * one.si("gradients"))
    heads, layers, length = 32, 32, one.si("seq_len")
    more = two.si("activations") - one.si("activations")
    assert more == pytest.approx(2 * heads * layers * length**2)
    assert two.si("step_time") == one.si("step_time")


def test_a_verdict_says_how_probable_it_is():
    """What takes half of its bound is kept if nothing lies twice as far off."""
    workload = {"model": "ResNet50", "phase": "forward", "batch_size": 8, "stack": "cudnn"}
    place = {"name": "x", "workload": workload, "fleet": {"hardware": "A100", "count": 1}}
    took = judge(SystemSpec.build(place)).metrics["latency"].m_as("ms")
    limits = [f"latency <= {took * times} ms" for times in (0.5, 1, 2)]
    found = judge(SystemSpec.build({**place, "constraints": limits}))
    low, even, high = (kept["probability"] for kept in found.constraints)
    assert even == pytest.approx(0.5)
    assert low < 0.05
    assert high > 0.95
    assert "kept with 50%" in found.summary()
    ideal = {**place, "workload": {**workload, "stack": "ideal"}, "constraints": limits}
    assert all(k["probability"] is None for k in judge(SystemSpec.build(ideal)).constraints)
