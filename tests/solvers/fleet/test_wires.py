"""What a group of devices gets of a node's wires, and of a fabric's shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Fleet, Hardware, Models, ServingModel, Systems
from mlsysim.solvers.data.topology import TopologyModel
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.group import LINK_LATENCY, all_reduce, wires

N, F, L = Systems.Nodes, Systems.Fabrics, Models.Language
MESHES = ["MI300X_Platform", "MI325X_Platform", "Gaudi3_Node"]


def one(node):
    return Fleet(name="one", node=node, count=1)


def solve(place, model=L.Llama3_70B, **how):
    return DistributedModel().solve(model, fleet=place, **how)


@pytest.mark.parametrize("name", MESHES)
def test_a_pair_in_a_mesh_talks_over_its_one_wire(name):
    """Was wrong: two of eight MI300X had all seven wires, and were 6.9 times too fast."""
    node = N[name]
    r = solve(one(node), tensor_parallel=2, batch_size=4)
    wire = node.interconnect.bandwidth.m_as("B/s") / 7
    message = 2048 * 8192 * 2
    # four replicas of one microbatch; half of it there and half back, four times a layer
    by_hand = 80 * 4 * (message / wire + 2 * LINK_LATENCY)
    assert r.tensor_time.m_as("s") == pytest.approx(by_hand)


def test_all_of_a_mesh_is_as_fast_as_a_switch():
    node = N.MI300X_Platform
    switched = node.replace(interconnect=node.interconnect.replace(mesh=False))
    mesh, switch = (solve(one(n), tensor_parallel=8, batch_size=1) for n in (node, switched))
    assert mesh.tensor_time == switch.tensor_time


@given(st.integers(2, 8), st.floats(1e3, 1e10))
def test_a_mesh_sums_as_when_each_sends_its_part_to_all_at_once(group, data):
    # a part of data / k to each of the others over a wire each, and the sums back
    wired = wires(one(N.MI300X_Platform), 0.0)
    direct = 2 * data / group / (448e9 / 7)
    assert all_reduce(data, group, group, wired) == pytest.approx(direct)


def test_replicas_that_serve_use_the_same_wires():
    how = {"decode_tokens": 16, "seq_len": 2048}
    place = one(N.MI300X_Platform)
    pair = ServingModel().solve(L.Llama3_8B, Hardware.MI300X, fleet=place, tensor_parallel=2, **how)
    switched = place.node.interconnect.replace(mesh=False)
    other = one(place.node.replace(interconnect=switched))
    fast = ServingModel().solve(L.Llama3_8B, Hardware.MI300X, fleet=other, tensor_parallel=2, **how)
    # two sums a layer of a whole prompt: half of it there and back over 64 and 448 GB/s
    values = 2048 * 4096 * 2
    slower = 2 * 32 * values * (1 / 64e9 - 1 / 448e9)
    assert (pair.ttft - fast.ttft).m_as("s") == pytest.approx(slower, rel=1e-6)


@pytest.mark.parametrize("topology", ["ring", "torus2d", "torus3d", "dragonfly"])
def test_experts_in_many_nodes_send_through_the_middle_of_the_fabric(topology):
    """Was wrong: a ring was as fast as a fat tree."""
    model = L.Qwen3_30B_A3B  # 128 experts over 64 devices in 8 nodes
    how = {"expert_parallel": 64, "batch_size": 256, "zero_stage": 1, "seq_len": 2048}
    plain, shaped = (
        solve(
            Fleet(
                name="32", node=N.DGX_H100, count=32, fabric=F.InfiniBand_NDR.replace(topology=t)
            ),
            model,
            **how,
        )
        for t in ("fat_tree", topology)
    )
    part = TopologyModel().solve(topology=topology, nodes=8, bandwidth="50 GB/s").bisection_fraction
    # of what 64 devices send each other 56 / 64 leave the node; it takes longer than the rest
    sent = 48 * 4 * 56 / 64 * (2048 * 8 * 2048 * 2) / 50e9
    latency = 48 * 4 * 63 * F.InfiniBand_NDR.latency.m_as("s")
    assert plain.expert_time.m_as("s") == pytest.approx(sent + latency)
    assert shaped.expert_time.m_as("s") == pytest.approx(sent / part + latency)
    assert shaped.data_time == plain.data_time  # rings of gradients meet neighbours alone
