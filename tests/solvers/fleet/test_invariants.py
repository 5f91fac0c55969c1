"""What holds of every plan, drawn at random: more of anything makes nothing worse."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Fleet, Hardware, Models, ReliabilityModel, Systems
from mlsysim.core.units import Q_
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.parallelism import ParallelismOptimizer
from mlsysim.systems.types import Node

N, F, L = Systems.Nodes, Systems.Fabrics, Models.Language
NODES = [N.DGX_H100, N.DGX_A100, N.MI300X_Platform, N.Gaudi3_Node]
FABRICS = [F.InfiniBand_NDR, F.RoCE_400G, F.Ethernet_100G]
NEVER = 1 + 1e-9  # worse by no more than rounding

models = st.sampled_from(["Llama3_8B", "Llama3_70B", "Mixtral_8x7B", "GPT2_XL", "DeepSeek_V3"])
places = st.builds(
    lambda node, fabric, count, topology: Fleet(
        name="drawn", node=node, count=count, fabric=fabric.replace(topology=topology)
    ),
    st.sampled_from(NODES),
    st.sampled_from(FABRICS),
    st.sampled_from([1, 2, 8, 32]),
    st.sampled_from(["fat_tree", "ring", "torus3d", "dragonfly"]),
)
plans = st.fixed_dictionaries(
    {
        "tensor_parallel": st.sampled_from([1, 2, 4, 8]),
        "pipeline_parallel": st.sampled_from([1, 2, 4]),
        "context_parallel": st.sampled_from([1, 2]),
        "expert_parallel": st.sampled_from([1, 2, 8]),
        "interleave": st.sampled_from([1, 2]),
        "microbatch": st.sampled_from([1, 2]),
        "zero_stage": st.integers(0, 3),
        "recompute": st.sampled_from(["none", "selective", "full"]),
        "sequence_parallel": st.booleans(),
        "overlap": st.floats(0, 1),
        "stack": st.sampled_from([None, "ideal"]),
        "batch_size": st.sampled_from([256, 512, 1024]),
    }
)
faster = st.floats(1, 16)


def solve(model, place, **plan):
    return DistributedModel().solve(model, fleet=place, **plan)


def device(place, **changes):
    hw = place.hw.replace(**changes)
    return place.replace(node=place.node.replace(accelerator=hw), hw=hw)


def wider(place, what, by):
    """The fleet with more of one bandwidth."""
    node = place.node
    if what == "fabric":
        return place.replace(fabric=place.fabric.replace(bandwidth=place.fabric.bandwidth * by))
    if what == "ports":
        return place.replace(node=node.replace(nic_bandwidth=node.nic_bandwidth * by))
    if what == "link":
        link = node.interconnect
        return place.replace(
            node=node.replace(interconnect=link.replace(bandwidth=link.bandwidth * by))
        )
    memory = place.hw.memory
    return device(place, memory=memory.replace(bandwidth=memory.bandwidth * by))


@settings(max_examples=25)
@given(models, places, plans, st.sampled_from(["fabric", "ports", "link", "memory"]), faster)
def test_more_bandwidth_is_never_slower(model, place, plan, what, by):
    before = solve(model, place, **plan)
    assume(before.step_time is not None)
    after = solve(model, wider(place, what, by), **plan)
    assert after.si("step_time") <= before.si("step_time") * NEVER
    assert after.feasible == before.feasible
    assert after.si("memory_required") == before.si("memory_required")


@settings(max_examples=20)
@given(models, places, plans, faster)
def test_more_memory_takes_nothing_away(model, place, plan, by):
    before = solve(model, place, **plan)
    memory = place.hw.memory
    after = solve(
        model, device(place, memory=memory.replace(capacity=memory.capacity * by)), **plan
    )
    assert after.step_time == before.step_time
    assert after.feasible or not before.feasible


@settings(max_examples=6)
@given(models, places, st.sampled_from(["fabric", "link", "memory"]), st.floats(1, 8))
def test_a_search_over_more_finds_nothing_worse(model, place, what, by):
    ask = {"batch_size": 512, "efficiency": 0.5}
    before = ParallelismOptimizer().solve(model, place, **ask)
    assume(before.feasible)
    memory = place.hw.memory
    larger = device(place, memory=memory.replace(capacity=memory.capacity * by))
    for more in (wider(place, what, by), larger):
        after = ParallelismOptimizer().solve(model, more, **ask)
        assert after.si("step_time") <= before.si("step_time") * NEVER


@settings(max_examples=30)
@given(places, st.floats(1e3, 1e8), faster)
def test_fewer_failures_never_cost_goodput(place, every, by):
    seldom, often = (
        ReliabilityModel().solve(place, mtbf=Q_(time, "s")).goodput for time in (every * by, every)
    )
    assert seldom >= often / NEVER
    assert 0 <= often <= 1


@settings(max_examples=20)
@given(
    model=st.sampled_from(["Llama3_8B", "GPT2_XL", "Mixtral_8x7B", "DeepSeek_V3", "ResNet50"]),
    name=st.sampled_from(["H100", "A100", "MI300X", "TPU_v5p"]),
    batch=st.integers(1, 8),
    stack=st.sampled_from([None, "ideal", "megatron", "fsdp", "trtllm"]),
    efficiency=st.floats(0.1, 1),
)
def test_one_device_is_what_the_engine_says(model, name, batch, stack, efficiency):
    hw = Hardware[name]
    alone = Fleet(name="one", count=1, node=Node(name="one", accelerator=hw, accelerators=1))
    how = {"batch_size": batch, "stack": stack, "efficiency": efficiency, "precision": "bf16"}
    one = Engine.solve(model, hw, training=True, **how)
    fleet = solve(model, alone, microbatch=batch, **how)
    assert fleet.si("step_time") == pytest.approx(one.si("latency"), rel=1e-9)
    assert fleet.si("memory_required") == pytest.approx(one.si("memory_required"), rel=1e-9)
    assert fleet.feasible == one.feasible
