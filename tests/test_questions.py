"""The ten questions of the documentation as commands: answers stay in the ranges it prints."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from mlsysim import Hardware, Infrastructure, Models
from mlsysim.cli import main
from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec
from tests.notebooks import ROOT

PAGE = (ROOT / "docs" / "questions" / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"\| `mlsysim ([^`]*)` \|", PAGE)
PLAN = "plan Llama3_8B H100 --rate 100 --prompt 500 --tokens 100"


@pytest.fixture
def ask(capsys, monkeypatch):
    """Answer a command of the page as data, or as text where it has no data."""
    monkeypatch.chdir(ROOT)

    def go(start):
        (command,) = [each for each in COMMANDS if each.startswith(start)][-1:]
        plain = command.startswith("import-model")
        code = main([*shlex.split(command), *([] if plain else ["--json"])])
        out = capsys.readouterr().out
        assert code in (0, 1, 3), command
        return out if plain else json.loads(out)

    return go


def best(found):
    return found["systems"][0]


def test_there_are_ten_and_the_readme_leads_to_them():
    assert len(COMMANDS) == 10
    assert "docs/questions/README.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_how_many_gpus_serve_a_70b_model(ask):
    found = best(ask("plan Llama3_70B H200"))
    assert 20 <= found["devices"] <= 40
    assert found["p99_ttft"]["value"] <= 500


@pytest.mark.parametrize(
    ("model", "rate", "peer"),
    [("Llama3_70B", 50, 28), ("Llama3_70B", 20, 12), ("Qwen3_32B", 50, 14)],
)
def test_where_nodes_need_not_be_filled_it_is_as_many_as_the_peer_says(model, rate, peer):
    """Nodes of one or two devices that talk as those of eight do; 99 of 100 within 500 ms."""
    work = {"model": model, "phase": "serve", "prompt": 2000, "tokens": 300, "precision": "fp8"}
    work["arrival_rate_qps"], found = rate, []
    for inside in (1, 2):
        link = {"bandwidth": f"{Hardware.H200.interconnect.bandwidth.m_as('GB/s')} GB/s"}
        node = {"name": "a part of a node", "accelerator": "H200", "accelerators": inside}
        spec = {
            "workload": {**work, "arrival_rate_qps": rate},
            "fleet": {
                "node": {**node, "interconnect": link},
                "tensor_parallel": inside,
                "count": 40,
            },
            "constraints": ["p99_ttft <= 500 ms"],
        }
        found.append(judge(SystemSpec.from_spec(spec)).metrics["devices_needed"])
    assert min(found) == pytest.approx(peer, rel=0.15)


def test_two_consumer_cards_hold_70b_in_four_bits(ask):
    found = best(ask("plan Llama3_70B RTX_4090"))
    assert found["devices"] == 2
    assert 30 <= 1000 / found["itl"]["value"] <= 60  # measured 34.5, at most 56


def test_adapters_train_in_four_flop_a_parameter_and_token(ask):
    found = best(ask("plan Llama3_70B A100 --train"))
    flop = 4 * Models.Llama3_70B.parameters * 1e8
    seconds = flop / (found["devices"] * 312e12 * found["mfu"])
    assert found["elapsed_time"]["value"] * 86400 == pytest.approx(seconds, rel=0.15)


def test_a_config_is_a_model(ask):
    said = ask("import-model")
    parameters = float(re.search(r"parameters: (\S+)", said)[1].replace("_", ""))
    assert 32.5e9 <= parameters <= 33.0e9


def test_a_newer_card_is_slower_where_memory_binds(ask):
    assert 0.40 <= ask("why A100 L40S")["speedup"] <= 0.45


def test_the_front_of_chips_begins_with_the_fastest_memory(ask):
    found = ask("search")
    assert found["columns"]["hardware"][0] == "B200"
    assert min(found["columns"]["latency"]) == found["columns"]["latency"][0]


def test_faster_nics_help_less_than_their_rate(ask):
    assert 1.05 <= ask("why docs/questions/nic_50.yaml")["speedup"] <= 2


def test_owning_pays_from_some_hours_on(ask):
    found = best(ask("plan Llama3_8B H100 --rate 100 --prompt 500 --tokens 100"))
    assert 0.4 <= found["breakeven"] <= 1.0


def test_another_grid_emits_many_times_as_much(ask, capsys):
    poland = best(ask(f"{PLAN} --region Poland"))["carbon"]["value"]
    main([*shlex.split(PLAN), "--region", "Quebec", "--json"])
    quebec = best(json.loads(capsys.readouterr().out))["carbon"]["value"]
    grids = Infrastructure.Grids
    ratio = (grids.Poland.carbon_intensity / grids.Quebec.carbon_intensity).m_as("")
    assert poland / quebec == pytest.approx(ratio)
    assert 15 <= ratio <= 30


def test_a_system_that_fails_is_told_what_would_work(ask):
    found = ask("eval Capstone")
    assert found["verdict"] in ("infeasible", "violated")
    assert found["suggestions"][0]["change"]
