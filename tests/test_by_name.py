"""An entry, its name in the registry or a mapping: the same wherever an entry is asked for."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import BaseModel

from mlsysim import DSE, Engine, Fleet, Hardware, Models, Pipeline, SingleNodeModel, Systems
from mlsysim.cli import main
from mlsysim.core.errors import BadArgument, InvalidEntry, MLSysError
from mlsysim.core.values import Entry, Source
from mlsysim.course.lessons import assignment
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.hardware.types import HardwareNode
from mlsysim.infrastructure.types import Facility, Grid
from mlsysim.mcp.tools import tools
from mlsysim.models.types import Workload
from mlsysim.systems.types import Fabric, Node, plain_node
from tests.solvers.test_bad_input import SOLVERS, VALID, baseline, hints_of

MEASURED = Models.Language.GPT3_175B  # somebody published how well it was trained on an H100
LLAMA, H100 = Models.Language.Llama3_8B, Hardware.Cloud.H100
NAMES = {"model": "Llama3_8B", "hardware": "H100"}


def of_an_entry(hint):
    """The type of entry that an annotation asks for, or None."""
    kinds = [part for part in (hint, *get_args(hint)) if isinstance(part, type)]
    return next((kind for kind in kinds if issubclass(kind, Entry)), None)


ARGUMENTS = [
    pytest.param(solver, argument, id=f"{solver}.{argument}")
    for solver in SOLVERS
    for argument, hint in hints_of(SOLVERS[solver]).items()
    if of_an_entry(hint)
]


# what an entry stands in place of, or beside
INSTEAD = {
    ("EfficiencyModel", "model"): {"achieved": None, "hardware": H100},
    ("ServingModel", "decode_hardware"): {"network_bandwidth": "100 GB/s"},
    ("TransformationModel", "model"): {"step_time": None, "hardware": H100},
    ("TransformationModel", "hardware"): {"step_time": None, "model": LLAMA},
}


# ---- every argument of every solver --------------------------------------------------------------


@pytest.mark.parametrize(("solver", "argument"), ARGUMENTS)
def test_a_solver_takes_an_entry_its_name_or_a_mapping(solver, argument):
    entry = MEASURED if (solver, argument) == ("EfficiencyModel", "model") else VALID[argument]
    asked = baseline(solver) | INSTEAD.get((solver, argument), {})
    answers = [
        SOLVERS[solver]().solve(**{**asked, argument: given})
        for given in (entry, entry.stem, entry.to_dict())
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(("solver", "argument"), ARGUMENTS)
def test_a_misspelt_name_is_told_the_nearest_and_the_argument(solver, argument):
    stem = VALID[argument].stem
    with pytest.raises(BadArgument, match=f"{argument} cannot be .*did you mean '{stem}'"):
        SOLVERS[solver]().solve(**{**baseline(solver), argument: f"{stem}_"})


def test_what_is_wrong_inside_a_mapping_is_named_below_the_argument():
    chip = {"release_year": 2027, "compute": {"peak_flops": "1 TFLOP/s"}, "memory": {}}
    with pytest.raises(InvalidEntry, match=r"hardware\.memory\.capacity: it is required"):
        Engine.solve("Llama3_8B", chip)


# ---- every other door ----------------------------------------------------------------------------


def fleet_of(**parts):
    return Fleet(**{"name": "mine", "count": 4, **parts})


def test_a_fleet_is_built_from_names():
    by_name = fleet_of(node="DGX_H100", fabric="InfiniBand_NDR")
    assert by_name == fleet_of(node=Systems.Nodes.DGX_H100, fabric=Systems.Fabrics.InfiniBand_NDR)
    assert (by_name.devices, by_name.hw) == (32, H100)


def test_a_fleet_of_devices_is_one_of_plain_nodes_of_eight():
    assert fleet_of(hw="H100") == fleet_of(hw=H100)
    assert fleet_of(hw="H100").devices == 32
    names = [plain_node(H100, inside).name for inside in (1, 2, 8)]
    assert names == ["H100 SXM", "2 x H100 SXM", "8 x H100 SXM"]
    other = fleet_of(hw="H100").replace(node="DGX_A100")
    assert (other.hw, other.devices) == (Hardware.A100, 32)


def by_the_command_line(model, hardware, capsys):
    assert main(["solve", model, hardware, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["latency"]["value"]


DOORS = {
    "Engine.solve": Engine.solve,
    "Engine.sweep": lambda model, hardware: Engine.sweep(model, hardware)[0]["profile"],
    "Engine.sweep of a list": lambda model, hardware: Engine.sweep(model, [hardware])[0]["profile"],
    "a pipeline": lambda model, hardware: Pipeline([SingleNodeModel()]).run(
        model=model, hardware=hardware
    )["SingleNodeModel"],
}


@pytest.mark.parametrize("door", DOORS)
def test_a_name_gives_what_the_entry_gives(door):
    expected = Engine.solve(LLAMA, H100).latency
    assert DOORS[door](*NAMES.values()).latency == expected
    assert DOORS[door](LLAMA.to_dict(), H100.to_dict()).latency == expected


def test_the_command_line_and_an_agent_use_the_same_names(capsys):
    expected = Engine.solve(LLAMA, H100).latency.m_as("ms")
    assert by_the_command_line("Llama3_8B", "H100", capsys) == expected
    assert tools()["solve"].call(NAMES)["latency"]["value"] == pytest.approx(expected, rel=1e-4)


def test_a_side_of_an_explanation_names_its_device():
    sides = {"model": "Llama3_8B", "hardware": "A100"}, NAMES
    entries = {"model": LLAMA, "hardware": Hardware.A100}, {"model": LLAMA, "hardware": H100}
    assert Engine.explain(*sides) == Engine.explain(*entries)
    assert "on H100 SXM" in str(Engine.explain(*sides))


def test_a_system_takes_names_and_mappings_side_by_side():
    asked = {"model": "Llama3_8B", "phase": "decode"}
    by_name = SystemSpec.from_spec({"workload": asked, "fleet": {"hardware": "H100"}})
    written = SystemSpec.from_spec(
        {"workload": {**asked, "model": LLAMA.to_dict()}, "fleet": {"hardware": H100.to_dict()}}
    )
    assert by_name == written
    assert by_name.workload.model is Models.Llama3_8B


def test_a_search_takes_names_for_values():
    search = DSE({"hardware": ["A100", "H100"]}, "minimize: latency")
    found = search.search(lambda point: Engine.solve("Llama3_8B", point["hardware"]))
    assert found["best_params"]["hardware"] == "H100"


def test_a_variant_holds_names_and_gives_entries():
    sample = assignment("00_hello_roofline").variant({"model": "Llama3_8B", "device": "H100"})
    assert (sample.model, sample.device) == (LLAMA, H100)


# ---- what comes out, and what is refused ---------------------------------------------------------


def test_an_entry_inside_another_is_written_by_its_name_and_read_again():
    fleet = fleet_of(node="DGX_H100", fabric="InfiniBand_NDR")
    written = fleet.to_dict()
    assert (written["node"], written["fabric"]) == ("DGX_H100", "InfiniBand_NDR")
    assert Fleet(**written) == fleet


def test_an_entry_of_ones_own_inside_another_is_written_out():
    node = Systems.Nodes.DGX_H100.replace(accelerators=4)
    written = fleet_of(node=node).to_dict()
    assert written["node"]["accelerators"] == 4
    assert written["node"]["accelerator"] == "H100"
    assert Fleet(**written) == fleet_of(node=node)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"node": "DGX_H10O"}, "mine: node: Systems.Nodes has no entry 'DGX_H10O': did you mean"),
        ({"hw": "H10O"}, "mine: hw: Hardware has no entry 'H10O': did you mean 'H100'?"),
        ({"hw": "A100", "fabric": "InfiniBand_NDRR"}, "mine: fabric: Systems.Fabrics has no entry"),
        ({"hw": 3}, "mine: hw: 3 will not do; give a HardwareNode, its name, or a mapping"),
        (
            {"hw": {"release_year": 2027}},
            "mine: hw.compute: it is required; add it; memory: it is required",
        ),
        ({"node": {"accelerator": "H10O"}}, "mine: node.accelerator: Hardware has no entry 'H10O'"),
        ({"hw": "A100", "node": "DGX_H100"}, "mine: hw: the node holds H100 SXM; leave hw out."),
        ({}, "mine: node: give either node (a server) or hw"),
    ],
)
def test_what_is_wrong_in_a_fleet_keeps_its_key(parts, sentence):
    with pytest.raises(InvalidEntry) as caught:
        fleet_of(**parts)
    assert sentence in str(caught.value)


def test_keys_in_the_place_of_arguments_are_refused_in_a_sentence_that_shows_them():
    with pytest.raises(InvalidEntry) as caught:
        Fleet("f", Systems.DGX_H100, 128)
    assert str(caught.value) == "Fleet: write its keys, as in Fleet(name=..., count=...)."
    with pytest.raises(InvalidEntry, match=r"as in Source\(kind=\.\.\., ref=\.\.\.\)"):
        Source("paper", "somewhere")


@pytest.mark.parametrize("kind", [HardwareNode, Workload, Fleet, Node, Fabric, Grid, Facility])
def test_an_entry_is_a_pydantic_model_that_knows_where_its_like_are_found(kind):
    assert issubclass(kind, BaseModel)
    example = kind.home.entries[kind.home.example]
    assert isinstance(example, kind)
    assert kind.build(kind.home.example) is example
    assert kind.build(example.to_dict()) == example


def test_a_name_of_another_type_of_entry_is_no_name_here():
    with pytest.raises(MLSysError, match=r"did you mean|known are"):
        Fleet(name="f", node="H100", count=1)
