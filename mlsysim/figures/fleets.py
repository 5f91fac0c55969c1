"""Fleets, their failures, money and carbon, and what ships: one function for each recomputation."""

from __future__ import annotations

from typing import Any

from mlsysim.core.units import Q_
from mlsysim.figures.compute import Found, ratio
from mlsysim.hardware.registry import Hardware
from mlsysim.infrastructure.registry import Infrastructure
from mlsysim.literature.registry import Literature
from mlsysim.models.registry import Models
from mlsysim.solvers import DistributedModel, EconomicsModel, ReliabilityModel, SustainabilityModel
from mlsysim.systems.registry import Systems
from mlsysim.systems.types import Fleet

# ---- fleets ------------------------------------------------------------------------------------


def thousand_gpus() -> Found:
    """How often 1,024 H100 fail, with parts as frail as the claim needs and as published."""
    fails = ReliabilityModel().solve(Systems.Clusters.Training_1K, parts="pessimistic")
    return {"mtbf": fails.mtbf, "published": fails.mtbf_published}


def checkpoints(checkpoint_time: str, **plan: Any) -> Found:
    """What checkpoints and communication take of 1,024 H100 that train Llama-3 70B."""
    fleet = Systems.Clusters.Training_1K
    fails = ReliabilityModel().solve(fleet, parts="pessimistic", checkpoint_time=checkpoint_time)
    talking = DistributedModel().solve(Models.Llama3_70B, fleet=fleet, **plan)
    saving = fails.checkpoint_share + fails.rework_share
    return {
        "saving": saving,
        "interval": fails.interval,
        "talking": talking.communication_fraction,
        "ratio": saving / talking.communication_fraction,
    }


def cluster_price() -> Found:
    """What 1,024 H100 cost to buy, as servers and as boards."""
    fleet, board = Systems.Clusters.Training_1K, Hardware.H100
    cost = EconomicsModel().solve(fleet, 1)
    assert board.unit_cost is not None
    return {"servers": cost.purchase, "boards": fleet.devices * board.unit_cost}


def electricity(years: float, tariff: str, **given: Any) -> Found:
    """Electricity's share of owning 1,024 H100, by themselves and with all that surrounds them."""
    whole = 1 / Literature.Cost.Accelerators_share.value
    alone, within = (
        EconomicsModel().solve(
            Systems.Clusters.Training_1K,
            Q_(years, "year"),
            electricity_price=tariff,
            infrastructure_multiplier=times,
            **given,
        )
        for times in (1, whole)
    )
    return {"share": Q_(alone.energy_share, ""), "of_all": within.energy_share, "tco": alone.tco}


def multiplier() -> Found:
    """What a cluster costs over its accelerators, by the teaching split of its cost."""
    parts = {name: Literature.Cost[name].value for name in Literature.Cost}
    return {
        "multiplier": 1 / parts["Accelerators_share"],
        "staff": parts["Staff_share"],
        "whole": sum(parts.values()),
    }


def grids() -> Found:
    """The grids that the decks name, and what they print for them."""
    shelf = Infrastructure.Grids
    found: Found = {name.lower(): shelf[name].carbon_intensity for name in shelf}
    bases = {f"{name.lower()}_basis": f"{shelf[name].basis}, {shelf[name].year}" for name in shelf}
    return {
        **found,
        **bases,
        "gap": ratio(found["poland"], found["quebec"]),
        "coal_gap": ratio(found["coal"], found["quebec"]),
    }


def _run(nodes: int, days: int, grid: str, **how: Any) -> Any:
    """So many DGX H100 nodes for so many days on a grid."""
    usual = Systems.Clusters.Research_256
    fleet = Fleet(name="DGX H100 servers", node=usual.node, count=nodes, fabric=usual.fabric)
    return SustainabilityModel().solve(fleet, days, Infrastructure.Grids[grid], **how)


def research_month(nodes: int, days: int, claimed: str) -> Found:
    """Energy and carbon of 256 H100 for a month, and what a printed energy would mean."""
    poland, quebec = (_run(nodes, days, grid) for grid in ("Poland", "Quebec"))
    flat_out = _run(nodes, days, "Poland", power_fraction=1, pue=1)
    gpus = nodes * Systems.Nodes.DGX_H100.accelerators
    time, energy = Q_(days, "day"), Q_(claimed)
    boards = (gpus * Hardware.H100.tdp * time).to("MWh")
    return {
        "energy": poland.energy,
        "poland": poland.carbon,
        "quebec": quebec.carbon,
        "maximum": flat_out.it_energy,
        "boards": boards,
        "claimed_power": (energy / time / gpus).to("kW"),
        "times_boards": ratio(energy, boards),
        "times_maximum": ratio(energy, flat_out.it_energy),
        "if_coal": (energy * Infrastructure.Grids.Coal.carbon_intensity).to("t"),
        "fraction": ratio(poland.it_energy, flat_out.it_energy),
        "pue": poland.pue,
    }


def double_month(nodes: int, days: int, poland: str, quebec: str) -> Found:
    """The same for 512 H100: what moving from Poland to Quebec saves."""
    here, there = (_run(nodes, days, grid) for grid in ("Poland", "Quebec"))
    return {
        "energy": here.energy,
        "saved": here.carbon - there.carbon,
        "printed": Q_(poland) - Q_(quebec),
    }


def geography(nodes: int, days: int, carbon: str, elsewhere: str, factor: str) -> Found:
    """256 H100 for a month in Iowa and in Quebec, and which factors the printed masses hide."""
    iowa, quebec = (_run(nodes, days, grid) for grid in ("Iowa", "Quebec"))
    energy = (Q_(carbon) / Infrastructure.Grids.Coal.carbon_intensity).to("MWh")
    return {
        "iowa": iowa.carbon,
        "quebec": quebec.carbon,
        "ratio": ratio(iowa.carbon, quebec.carbon),
        "if_coal": energy,
        "quebec_energy": (Q_(elsewhere) / Q_(factor)).to("MWh"),
        "energy": iowa.energy,
        "iowa_intensity": iowa.carbon_intensity,
        "bases": f"{iowa.basis} in Iowa, {quebec.basis} in Quebec",
    }


# ---- what ships --------------------------------------------------------------------------------


def zoo() -> Found:
    """How many vendors and devices the registry holds."""
    vendors = sorted({device.vendor for _, device in Hardware.entries() if device.vendor})
    listed = ", ".join(vendors)
    return {"vendors": len(vendors), "listed": listed, "devices": len(list(Hardware.entries()))}


RECOMPUTATIONS = (
    thousand_gpus,
    checkpoints,
    cluster_price,
    electricity,
    multiplier,
    grids,
    research_month,
    double_month,
    geography,
    zoo,
)
