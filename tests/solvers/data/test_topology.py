"""Wall 10, against arithmetic done by hand."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Fleet, Systems, TopologyModel
from mlsysim.core.errors import BadArgument, MissingValue, UnknownName
from mlsysim.solvers.algorithm.compression import INDEX_WIDTH
from mlsysim.solvers.data.topology import DRAGONFLY_BISECTION, FULL_BISECTION
from mlsysim.systems.types import TOPOLOGIES

bad_numbers = pytest.mark.parametrize("number", [0, -1, math.nan, math.inf])


def across(**given):
    return TopologyModel().solve(**{"bandwidth": "50 GB/s", "nodes": 64, **given})


@pytest.mark.parametrize(
    ("topology", "nodes", "fraction"),
    [
        ("ring", 64, 2 / 32),  # 2 links of the 32 that full bisection needs
        ("torus2d", 64, 16 / 32),  # 2 x 8
        ("torus2d", 1024, 64 / 512),  # 2 x 32
        ("torus3d", 4096, 512 / 2048),  # 2 x 16^2
        ("fat_tree", 64, 1),
        ("fat_tree", 100_000, 1),
        ("rail_optimized", 64, 1),
    ],
)
def test_bisection_is_links_cut_over_half_the_nodes(topology, nodes, fraction):
    r = across(topology=topology, nodes=nodes)
    assert r.bisection_fraction == pytest.approx(fraction)
    assert r.effective_bandwidth.m_as("GB/s") == pytest.approx(50 * fraction)
    assert r.bisection_bandwidth.m_as("GB/s") == pytest.approx(50 * fraction * nodes / 2)


def test_constants_of_solvers_say_where_and_when_they_were_read():
    constants = (FULL_BISECTION, DRAGONFLY_BISECTION, INDEX_WIDTH)
    assert [float(constant) for constant in constants] == [1, 1 / 2, 1 / 8]
    assert {constant.source.read for constant in constants} == {dt.date(2026, 11, 20)}


def test_a_balanced_dragonfly_has_half_of_full_bisection():
    # p = h = 16 and a = 32: 513 groups of 512 nodes, one link between each two groups
    p, h, a = 16, 16, 32
    groups = a * h + 1
    cut = (groups // 2) * (groups - groups // 2)
    fraction = across(topology="dragonfly").bisection_fraction
    assert fraction == pytest.approx(cut / (a * p * groups / 2), rel=0.01)
    assert DRAGONFLY_BISECTION.source.ref


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 8, 27, 64])
def test_no_network_gives_more_than_its_links(topology, nodes):
    r = across(topology=topology, nodes=nodes)
    assert 0 < r.bisection_fraction <= 1
    assert r.effective_bandwidth <= r.link_bandwidth


def test_oversubscription_divides():
    r = across(topology="fat_tree", oversubscription=4)
    assert r.effective_bandwidth.m_as("GB/s") == pytest.approx(50 / 4)


def test_an_unknown_topology_is_not_silently_a_fat_tree():
    with pytest.raises(UnknownName, match="did you mean 'fat_tree'"):
        across(topology="fat-tre")
    with pytest.raises(UnknownName, match="known are"):
        across(topology="hypercube")
    with pytest.raises(BadArgument, match="topology"):
        across()


def test_a_fleet_and_a_fabric_bring_what_they_know():
    fleet = Systems.Clusters.Training_1K
    r = TopologyModel().solve(fleet)
    assert (r.topology, r.nodes) == ("fat_tree", 128)
    assert r.link_bandwidth.m_as("Gbps") == pytest.approx(400)
    ring = TopologyModel().solve(fleet, topology="ring")
    assert ring.bisection_fraction == pytest.approx(2 / 64)
    torus = TopologyModel().solve(fabric=Systems.Fabrics.ICI_v4, nodes=4096)
    # the registry says a three-dimensional torus with 45 GB/s a link
    assert torus.effective_bandwidth.m_as("GB/s") == pytest.approx(45 / 4)


def test_a_fleet_without_a_fabric_is_asked_for_one():
    fleet = Fleet(name="unwired", node=Systems.Nodes.DGX_H100, count=128)
    with pytest.raises(MissingValue, match="fabric"):
        TopologyModel().solve(fleet)
    assert TopologyModel().solve(fleet, bandwidth="50 GB/s", topology="ring").nodes == 128


def test_a_ring_must_say_how_large_it_is_and_a_fat_tree_need_not():
    with pytest.raises(BadArgument, match="nodes"):
        across(topology="ring", nodes=None)
    r = across(topology="fat_tree", nodes=None)
    assert r.effective_bandwidth == r.link_bandwidth
    assert r.bisection_bandwidth is None


@bad_numbers
def test_topology_refuses_numbers_that_no_machine_has(number):
    for name, value in (
        ("nodes", number),
        ("bandwidth", f"{number} GB/s"),
        ("oversubscription", number),
    ):
        with pytest.raises(BadArgument):
            across(**{"topology": "ring", name: value})
    for question in (
        {"nodes": 2.5},
        {"bandwidth": 50},
        {"bandwidth": "50 GB"},
        {"oversubscription": 0.5},
        {"bandwidth": None},
    ):
        with pytest.raises(BadArgument):
            across(**{"topology": "ring", **question})


@given(st.sampled_from(TOPOLOGIES), st.integers(1, 10**6))
def test_a_larger_network_never_gives_each_node_more(topology, nodes):
    small = across(topology=topology, nodes=nodes)
    large = across(topology=topology, nodes=2 * nodes)
    assert large.si("effective_bandwidth") <= small.si("effective_bandwidth") * (1 + 1e-12)


def test_a_column_of_sizes_is_the_same_answer_many_times():
    sizes = [1, 8, 64, 4096]
    column = across(topology="torus3d", nodes=sizes)
    ones = [across(topology="torus3d", nodes=n).si("effective_bandwidth") for n in sizes]
    np.testing.assert_allclose(column.si("effective_bandwidth"), ones)
