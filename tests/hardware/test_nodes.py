"""Nodes hang together with their devices, and with what vendors print for the whole."""

from __future__ import annotations

import pytest

from mlsysim import DistributedModel, Models, Systems
from mlsysim.systems.types import Fabric, Fleet, Node

NODES = {name: node for name, node in Systems.entries() if isinstance(node, Node)}
each = pytest.mark.parametrize("name", NODES)
# the share of a device's links that leaves the node
OUTWARD = {
    "Gaudi3_Node": 3 / 24,
    "Trn2": 256 / 1280,
    "Trn2_UltraServer": 256 / 1280,
    "Trn3_UltraServer": 1 - 2048 * 1024**3 / 2560e9,
}


@each
def test_a_node_has_the_links_of_its_devices(name):
    node, outward = NODES[name], OUTWARD.get(name, 0)
    inside = node.accelerator.interconnect.bandwidth * (1 - outward)
    assert node.interconnect.bandwidth.m_as("GB/s") == pytest.approx(inside.m_as("GB/s"), rel=0.01)


@pytest.mark.parametrize(
    "name", [n for n, node in NODES.items() if node.power and node.accelerator.tdp]
)
def test_a_node_takes_more_power_than_its_devices_and_not_much_over_twice(name):
    node = NODES[name]
    assert 1 < (node.power / (node.accelerators * node.accelerator.tdp)).m_as("") < 2.1


@pytest.mark.parametrize(
    ("name", "gigabits"),
    # one direction, as printed for the whole
    [
        ("DGX_H100", 3_200),
        ("DGX_B300", 6_400),
        ("TPU_v5e_Pod", 6_400),
        ("TPU_v6e_Pod", 25_600),  # 100 a chip
        ("MI300X_Platform", 3_200),  # as Azure's ND MI300X v5: a port of 400 for each
        ("Trn2", 3_200),  # AWS Neuron, collectives: an EFA of 200 for each of 16 chips
        ("Trn2_UltraServer", 3_200),
        ("Trn3_UltraServer", 28_800),
    ],
)
def test_the_ports_of_a_node_add_up(name, gigabits):
    node = NODES[name]
    assert (node.nics * node.nic_bandwidth).m_as("Gbit/s") == pytest.approx(gigabits)


FABRICS = {name: fabric for name, fabric in Systems.entries() if isinstance(fabric, Fabric)}
# one way, in microseconds: two adapters of 0.3 to 0.8 and three switches of 0.1 (InfiniBand) or 0.4
# to 0.6 (Ethernet); TCP in the kernel 10 to 30, EFA between the two; one hop where none switches
ONE_WAY = {
    "InfiniBand": (0.9, 1.9),
    "RoCE": (1.8, 3.4),
    "Ethernet": (10, 30),
    "EFA": (3.4, 20),
    "ICI": (1, 1),
    "NVLink": (0.5, 1.5),
}


@pytest.mark.parametrize("name", FABRICS)
def test_a_small_message_takes_what_adapters_and_switches_take(name):
    least, most = ONE_WAY[name.split("_")[0]]
    assert least <= FABRICS[name].latency.m_as("us") <= most
    assert FABRICS[name].oversubscription == 1  # full bisection; who has less says so


@pytest.mark.parametrize("name", [name for name in FABRICS if name.endswith("00G")])
def test_a_fabric_runs_at_the_rate_that_its_name_says(name):
    gigabits = int(name.rpartition("_")[2].removesuffix("G"))
    assert FABRICS[name].bandwidth.m_as("Gbit/s") == gigabits


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("Research_256", 256),
        ("Training_1K", 1_024),
        ("Production_2K", 2_048),
        ("Llama3_16K", 16_384),
        ("Mega_100K", 100_000),
    ],
)
def test_a_cluster_has_as_many_devices_as_its_name_says(name, devices):
    assert Systems.Clusters[name].devices == devices


def test_a_gpu_of_a_rack_is_priced_as_a_share_of_it():
    rack = NODES["GB200_NVL72"]
    share = rack.unit_cost / rack.accelerators
    assert rack.accelerator.unit_cost.m_as("USD") == pytest.approx(share.m_as("USD"), rel=0.01)


@pytest.mark.parametrize("name", ["DGX_H100", "DGX_H200"])
def test_32_nodes_of_the_reference_design_have_the_storage_of_its_table(name):
    storage = NODES[name].storage
    assert 32 * storage.bandwidth.m_as("GB/s") == pytest.approx(125, rel=0.01)
    assert 32 * storage.write_bandwidth.m_as("GB/s") == pytest.approx(62, rel=0.01)


@pytest.mark.parametrize("name", ["DGX_A100", "DGX_H100", "DGX_H200", "DGX_B200"])
def test_a_server_has_eight_drives_of_3_84_terabytes(name):  # as sheets round them
    assert NODES[name].storage.capacity.m_as("TB") == pytest.approx(8 * 3.84, rel=0.03)


def test_a_pod_of_cubes_trains():
    pod = Fleet(name="a pod", node="TPU_v5p_Cube", count=140, fabric="ICI_v5p")
    assert pod.devices == 8960
    step = DistributedModel().solve(
        Models.Llama3_70B, fleet=pod, batch_size=8960, seq_len=4096, tensor_parallel=8, zero_stage=3
    )
    # 6 FLOP for each parameter and token, on 8,960 chips of 459 TFLOP/s, take this long at least
    least = 6 * 70.5e9 * 8960 * 4096 / (8960 * 459e12)
    assert step.step_time.m_as("s") > least
