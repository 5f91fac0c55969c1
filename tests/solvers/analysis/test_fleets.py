"""Elasticities of a fleet: wires, parts and prices."""

from __future__ import annotations

import math

import pytest

from mlsysim import EconomicsModel, Fleet, FleetSensitivitySolver, ReliabilityModel, Systems
from mlsysim.solvers.fleet.distributed import DistributedModel

RESEARCH = Systems.Clusters.Research_256
DGX = Systems.Nodes.DGX_H100
PLAN = {"zero_stage": 1, "batch_size": 256}


def ask(place=RESEARCH, model="Llama3_8B", **how):
    return FleetSensitivitySolver().solve(model, place, **how)


def test_ports_that_cap_the_fabric_are_what_to_buy():
    fast = RESEARCH.replace(fabric="InfiniBand_XDR")  # 800 Gbps behind ports of 400
    r = ask(fast, **PLAN)
    assert str(r.sensitivities["fabric_bandwidth"]) == "0.0"  # and not -0.0
    assert r.sensitivities["nic_bandwidth"] < 0
    assert r.notes[0] == "the nodes' ports, 400 Gbps, cap the fabric's 800 Gbps"
    slow = ask(RESEARCH.replace(fabric="Ethernet_100G"), **PLAN)
    assert slow.sensitivities["nic_bandwidth"] == 0
    assert slow.sensitivities["fabric_bandwidth"] < 0
    assert slow.notes[0] == "the fabric, 100 Gbps, caps the nodes' ports, 400 Gbps"


def test_the_elasticity_of_a_wire_is_its_share_of_the_step():
    r = ask(RESEARCH.replace(fabric="Ethernet_100G"), **PLAN, perturbation_pct=1)
    place = RESEARCH.replace(fabric="Ethernet_100G")
    one = DistributedModel().solve("Llama3_8B", fleet=place, stack="ideal", **PLAN)
    # 2 x 31/32 of an eighth of the gradients crosses it, and what hides of it is not waited for
    across = 2 * 31 / 32 * 2 * one.parameters / 8 / 12.5e9
    share = across / one.data_time.m_as("s") * one.exposed_data_time.m_as("s")
    waited = share / one.step_time.m_as("s")
    hidden = one.data_time - one.exposed_data_time
    whole_tenth = hidden.m_as("s") == pytest.approx(0.9 * one.data_time.m_as("s"))
    expected = waited if whole_tenth else across / one.step_time.m_as("s")
    assert r.sensitivities["fabric_bandwidth"] == pytest.approx(-expected, rel=1e-2)


def test_each_resource_is_raised_and_lowered_by_hand():
    """By a quarter of what it is, everywhere that the fleet has it: fp8 has a peak of its own."""
    plan = {"tensor_parallel": 8, "zero_stage": 3, "batch_size": 64, "precision": "fp8"}
    chip, wire = DGX.accelerator, DGX.interconnect
    core, memory, fabric = chip.compute, chip.memory, RESEARCH.fabric

    def board(**part):
        return RESEARCH.replace(node=DGX.replace(accelerator=chip.replace(**part)))

    def changed(by):
        faster = {name: rate * by for name, rate in core.precision.items()}
        core_ = core.replace(peak_flops=core.peak_flops * by, precision=faster)
        return {
            "nic_bandwidth": RESEARCH.replace(
                node=DGX.replace(nic_bandwidth=DGX.nic_bandwidth * by)
            ),
            "fabric_bandwidth": RESEARCH.replace(
                fabric=fabric.replace(bandwidth=fabric.bandwidth * by)
            ),
            "link_bandwidth": RESEARCH.replace(
                node=DGX.replace(interconnect=wire.replace(bandwidth=wire.bandwidth * by))
            ),
            "peak_flops": board(compute=core_),
            "memory_bandwidth": board(memory=memory.replace(bandwidth=memory.bandwidth * by)),
        }

    more, less = (
        {
            name: DistributedModel().solve("Llama3_8B", fleet=place, stack="ideal", **plan)
            for name, place in changed(by).items()
        }
        for by in (1.25, 1 / 1.25)
    )
    r = ask(**plan, perturbation_pct=25, mtbf="3 hour")
    slopes = {
        name: math.log(more[name].si("step_time") / less[name].si("step_time")) / 2 / math.log(1.25)
        for name in more
    }
    often, seldom = (
        ReliabilityModel().solve(RESEARCH, mtbf=f"{3 * by} hour").goodput for by in (1.25, 0.8)
    )
    slopes["mtbf"] = math.log(seldom / often) / 2 / math.log(1.25)
    assert r.sensitivities == pytest.approx(slopes, rel=1e-9, abs=1e-12)
    assert r.binding_constraint == min(slopes, key=slopes.get)
    assert min(slopes["peak_flops"], slopes["link_bandwidth"], slopes["mtbf"]) < -0.05

    dear, cheap = (
        EconomicsModel().solve(
            RESEARCH.replace(node=DGX.replace(
                unit_cost=DGX.unit_cost * by,
                accelerator=chip.replace(unit_cost=chip.unit_cost * by),
            )),
            100,
            pue=1.2,
        )
        for by in (1.25, 1 / 1.25)
    )  # fmt: skip
    price = math.log(dear.tco_usd / cheap.tco_usd) / 2 / math.log(1.25)
    share = EconomicsModel().solve(RESEARCH, 100, pue=1.2).energy_share
    assert r.cost_sensitivities == pytest.approx({"price": price, "pue": share})


def test_failures_and_prices_have_elasticities_of_their_own():
    r = ask(**PLAN, pue=1.5)
    failing = ReliabilityModel().solve(RESEARCH)
    assert r.goodput == failing.goodput
    assert -0.1 < r.sensitivities["mtbf"] < 0
    cost = EconomicsModel().solve(RESEARCH, 365, pue=1.5)
    assert r.cost_sensitivities["pue"] == pytest.approx(cost.energy_share, rel=1e-2)
    assert r.cost_sensitivities["price"] == pytest.approx(
        (cost.capex / cost.tco).m_as(""), rel=1e-2
    )


def test_without_a_plan_the_fastest_is_taken_and_without_a_price_none():
    r = ask(model="Llama3_70B", place=Systems.Clusters.Training_1K, batch_size=1024)
    assert r.feasible
    assert r.binding_constraint == "peak_flops"
    assert sum(r.sensitivities.values()) == pytest.approx(-1, abs=0.15)  # latencies, and rounding
    gaudi = Fleet(name="g", node=Systems.Nodes.TPU_v5p_Cube, count=1)
    assert ask(gaudi, **PLAN).cost_sensitivities is None


def test_one_node_has_no_fabric_to_answer_to():
    r = ask(Fleet(name="one", node=DGX, count=1), zero_stage=3, batch_size=8)
    assert "fabric_bandwidth" not in r.sensitivities
    assert r.sensitivities["nic_bandwidth"] == 0
