"""What type checkers see: arguments, fields and entries as they are; a slip in a script is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from grading import derive
from mlsysim.core import registry
from tests.notebooks import ROOT

# each line ends with the word of the rule that it breaks, or with nothing
LINES = """
from mlsysim import Engine, Hardware, Models, SingleNodeModel
from mlsysim.solvers import ServingModel
model, device = Models.Language.Llama3_8B, Hardware.Cloud.H100
profile = Engine.solve(model, device, batch_size=1, precision="fp8")
Engine.solve(model=model, hardware=device, seq_len=[1, 2])
Engine.solve("Llama3_8B", "H100", efficiency=0.4)
ServingModel().solve("Llama3_8B", {"name": "mine"}, decode_tokens=128)
Engine.explain(profile, {"hardware": "A100"}, model="Llama3_8B").speedup
Engine.sweep("Llama3_8B", ["H100", device], precisions=["fp8"]).column("latency")
Engine.sweep(model, device, batchsizes=[1])  # reportCallIssue
ServingModel().solve(model, device, decode_tokens=128)
profile.latency.to("s")
Engine.solve(model, device, batchsize=1)  # reportCallIssue
Engine.solve(model)  # reportCallIssue
Engine.solve(model, device, training="yes")  # reportArgumentType
Engine.explain(profile, profile, modle=model)  # reportCallIssue
SingleNodeModel().solve(model, device, precison="fp8")  # reportCallIssue
ServingModel().solve(model, device, tokens=128)  # reportCallIssue
profile.latancy  # reportAttributeAccessIssue
from mlsysim import Engin  # reportAttributeAccessIssue
from mlsysim.solvers import ServerModel  # reportAttributeAccessIssue
from mlsysim import Infra, Literature, Q_, Scenarios, Stacks, Systems
print(device.ridge("fp8").m_as("FLOP/B"), Hardware.H100.memory.bandwidth / 2, device.tdp)
print(Hardware["my chip"].peak().to("TFLOP/s"), [Hardware[name].name for name in Hardware])
print(Hardware.Cloud.from_spec({"name": "mine"}).memory.capacity > Q_("80 GB"), len(Models.Tiny))
print(Models.Language.Llama3_8B.layers, Models.ResNet50.name, dir(Models.Vision))
print(Infra.Grids.Quebec.carbon_intensity, Systems.Nodes.DGX_H100.accelerators, Stacks.vllm)
print(Systems.Research_256.devices, Scenarios.FirstLook.run().bottleneck, Literature.Cost)
columns = Engine.solve(model, device, batch_size=[1, 2])
print(columns.latency[0], columns.latency.max(), columns.mfu.max(), 2 * columns.latency)
seconds: float = profile.latency.m_as("s") + profile.si("latency")
print(Hardware.Cloud.H1000)  # reportAttributeAccessIssue
print(Hardware.Clowd.H100)  # reportAttributeAccessIssue
print(Infra.Grids.Quebek)  # reportAttributeAccessIssue
print(Models.Llama3_8)  # reportAttributeAccessIssue
print(device.memory.bandwith)  # reportAttributeAccessIssue
print(profile.sumary())  # reportAttributeAccessIssue
label: str = profile.latency  # reportAssignmentType
device.datapath(device.tdp)  # reportArgumentType
"""


BROKEN = {
    number: rule
    for number, line in enumerate(LINES.strip().splitlines())
    if (rule := line.partition("  # ")[2])
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the script lies, outside of the clone."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "asked.py").write_text(LINES.lstrip(), encoding="utf-8")
    config = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "include": ["."]}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def said(folder, *command):
    """What a type checker prints of it."""
    run = [sys.executable, "-m", *command]
    return subprocess.run(
        run, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    ).stdout


def test_basedpyright_sees_what_is_wrong_and_nothing_else(folder):
    found = said(folder, "basedpyright", "--pythonpath", sys.executable, "--outputjson")
    told = json.loads(found)["generalDiagnostics"]
    assert {one["range"]["start"]["line"]: one["rule"] for one in told} == BROKEN


def test_mypy_sees_the_same(folder):
    found = said(folder, "mypy", "--cache-dir", str(folder / "held"), "asked.py")
    told = re.findall(r"^asked\.py:(\d+): error", found, re.MULTILINE)
    assert sorted({int(line) - 1 for line in told}) == sorted(BROKEN), found


def test_the_stubs_name_what_is_shipped_and_are_fresh():
    stubs = derive.stubs()
    assert len(stubs) == len(registry.LAYERS)
    assert [path for path, text in stubs.items() if path.read_text(encoding="utf-8") != text] == []


def test_an_entry_is_in_its_stub_with_its_own_type(tmp_path):
    shelf = tmp_path / "mlsysim" / "models" / "data" / "toys"
    shelf.mkdir(parents=True)
    (shelf / "Block.yaml").write_text("kind: convnet\nname: a block\n", encoding="utf-8")
    ((path, text),) = derive.stubs(tmp_path).items()
    assert path == tmp_path / "mlsysim" / "models" / "registry.pyi"
    assert "class _Toys:\n    Block: ConvNetWorkload\n" in text
    assert "class _Models(_Toys, Catalog[Workload]):\n    Toys: _ToysShelf\n" in text
