"""The commands eval, schema and import-model: answers, exit codes 0 to 3, mistakes in one line."""

from __future__ import annotations

import json

import pytest

from mlsysim import Models, Scenarios
from mlsysim.cli import main

LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


@pytest.fixture
def run(capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def go(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.fixture
def cluster(tmp_path):
    """Write a system's file."""

    def write(*constraints, model="Llama3_8B"):
        file = tmp_path / "cluster.yaml"
        file.write_text(
            json.dumps(
                {
                    "workload": {"model": model},
                    "fleet": {"hardware": "H100"},
                    "constraints": list(constraints),
                }
            ),
            encoding="utf-8",
        )
        return file

    return write


def test_a_system_that_works_is_0_and_names_its_wall(run, cluster):
    code, out, err = run("eval", cluster())
    assert (code, err) == (0, "")
    assert out.startswith("cluster (serve): feasible\n  bottleneck   wall 2, Memory.")


def test_kept_constraints_are_0_and_a_broken_one_is_3(run, cluster):
    assert run("eval", cluster("itl < 1 s"))[0] == 0
    code, out, _ = run("eval", cluster("itl < 1 ms"))
    assert code == 3
    assert "BROKEN       itl < 1 ms" in out
    assert "what would help" in out


def test_infeasible_is_1_whatever_the_constraints(run, cluster):
    assert run("eval", cluster(model="Llama3_70B"))[0] == 1
    assert run("eval", cluster("itl < 1 ms", model="Llama3_70B"))[0] == 1


@pytest.mark.parametrize(
    ("constraint", "model", "complaint"),
    [
        ("itl", "Llama3_8B", "constraints[0]"),
        ("itll < 1 s", "Llama3_8B", "did you mean 'itl'?"),
        ("tco < 1 USD", "Llama3_8B", "duration: 1 year"),
        ("itl < 1 s", "Lama3_8B", "workload.model"),
    ],
)
def test_malformed_is_2_and_costs_one_line(run, cluster, constraint, model, complaint):
    code, out, err = run("eval", cluster(constraint, model=model))
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_a_scenario_runs_by_its_name(run):
    code, out, _ = run("eval", "Doorbell", "--json")
    answer = json.loads(out)
    assert code == 3
    assert answer["name"] == Scenarios.Doorbell.name
    assert answer["constraints"][0]["value"]["unit"] == "ms"
    assert answer["suggestions"][0]["change"]


@pytest.mark.parametrize("name", ["Dorbell", "nothing.yaml"])
def test_a_system_that_is_not_there_is_2(run, name):
    code, _, err = run("eval", name)
    assert code == 2
    assert name in err


def test_the_schema_of_a_system_is_json_and_others_are_found_by_name(run):
    code, out, _ = run("schema")
    assert (code, json.loads(out)["title"]) == (0, "SystemSpec")
    assert json.loads(run("schema", "hardware")[1])["title"] == "HardwareNode"
    answers = json.loads(run("schema", "answers")[1])
    assert answers["required"] == ["assignment", "assignment_version", "student"]
    assert {"schema", "answers", "journal"} < set(answers["properties"])
    assert "ignored" not in answers["properties"]
    assert json.loads(run("schema", "journal")[1])["required"] == ["question", "value"]
    code, _, err = run("schema", "hardwre")
    assert code == 2
    assert "did you mean 'hardware'?" in err


def test_an_imported_model_prints_yaml_that_loads_back(run, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(LLAMA), encoding="utf-8")
    code, out, _ = run("import-model", config, "--name", "Mine")
    file = tmp_path / "Mine.yaml"
    file.write_text(out, encoding="utf-8")
    model = Models.from_yaml(file)
    assert (code, model.name, model.parameters) == (0, "Mine", Models.Llama3_8B.parameters)


@pytest.mark.usefixtures("clean_registry")
def test_an_imported_model_is_evaluated_by_name(run, tmp_path, cluster):
    config, folder = tmp_path / "config.json", tmp_path / "mine" / "models" / "language"
    config.write_text(json.dumps(LLAMA), encoding="utf-8")
    folder.mkdir(parents=True)
    code, out, _ = run("import-model", config, "--out", folder / "Mine.yaml")
    assert code == 0
    assert "8,030,261,248 parameters" in out
    code, out, _ = run("eval", cluster(model="Mine"), "--registry", tmp_path / "mine")
    assert (code, "feasible" in out) == (0, True)


def test_a_file_is_never_overwritten(run, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(LLAMA), encoding="utf-8")
    code, _, err = run("import-model", config, "--out", config)
    assert (code, json.loads(config.read_text(encoding="utf-8"))) == (2, LLAMA)
    assert "it exists" in err
    code, _, err = run("import-model", config, "--out", tmp_path / "no" / "such.yaml")
    assert code == 2
    assert "cannot be written" in err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "model_type"),
        ("{", "not JSON"),
        (json.dumps({**LLAMA, "vocab_size": 0}), "vocab_size"),
    ],
)
def test_a_config_that_will_not_do_is_2(run, tmp_path, text, complaint):
    config = tmp_path / "config.json"
    config.write_text(text, encoding="utf-8")
    code, out, err = run("import-model", config)
    assert (code, out) == (2, "")
    assert complaint in err


def test_a_verdict_and_its_constraints_are_told_in_colour(run, cluster, monkeypatch):
    """Green is kept and red is broken, on a terminal that has them; the rest is plain."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLUMNS"):  # the second, wherever tests run side by side
        monkeypatch.delenv(name, raising=False)
    green, red = "\x1b[32m", "\x1b[31m"
    _, out, _ = run("eval", cluster("itl < 1 s", "itl < 1 ms"))
    first, wall, kept, broken = out.splitlines()[:4]
    assert first == "\x1b[1;31mcluster (serve): violated\x1b[0m"
    assert wall.startswith("  bottleneck ")
    assert kept.startswith(f"{green}  kept ")
    assert broken.startswith(f"{red}  BROKEN ")
    _, out, _ = run("eval", cluster("itl < 1 s"))
    assert out.startswith("\x1b[1;32mcluster (serve): satisfied\x1b[0m\n")
    _, out, _ = run("eval", cluster())
    assert out.startswith("\x1b[1;32mcluster (serve): feasible\x1b[0m\n")
    _, out, _ = run("eval", cluster(model="Llama3_70B"))
    assert out.startswith("\x1b[1;31mcluster (serve): infeasible\x1b[0m\n")
