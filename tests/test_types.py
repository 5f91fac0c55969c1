"""What a type checker sees: the arguments of a solver and the names of the package, as they are."""

from __future__ import annotations

import json
import subprocess
import sys

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
"""


def faults(folder):
    """The rule that each line breaks, as basedpyright says."""
    (folder / "asked.py").write_text(LINES.lstrip(), encoding="utf-8")
    config = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard", "include": ["."]}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    run = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson"]
    said = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(said.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"]: one["rule"] for one in found}


def test_a_type_checker_sees_what_is_wrong_and_nothing_else(tmp_path):
    broken = (line.partition("  # ")[2] for line in LINES.strip().splitlines())
    assert faults(tmp_path) == {number: rule for number, rule in enumerate(broken) if rule}
