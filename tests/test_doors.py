"""The doors of the desk: examples, the short schema, standard input, documents, all faults."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from contextlib import suppress

import pytest
import typer

from mlsysim import Engine, Hardware, Stacks
from mlsysim import figures as decks
from mlsysim.cli import app, main
from mlsysim.core.errors import InvalidEntry
from mlsysim.core.schemas import words
from mlsysim.core.solver import show
from mlsysim.evaluation import SystemSpec, evaluate, judge
from mlsysim.evaluation.examples import EXAMPLES, example
from mlsysim.evaluation.schemas import schema
from mlsysim.evaluation.sections import PHASES, EnvironmentSpec
from mlsysim.evaluation.validate import operators
from tests.notebooks import ROOT

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def run(capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def go(*words):
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_whole_system_that_keeps_its_constraints(name):
    found = judge(SystemSpec.from_text(example(name), name))
    assert found.verdict == "satisfied", found
    assert "#" in example(name)


def test_an_example_goes_through_standard_input(run, monkeypatch):
    assert {*EXAMPLES} == {"serve", "train", "batch", "edge"}
    code, text, _ = run("eval", "--example", "edge")
    assert code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, out, err = run("eval", "-")
    assert (code, err) == (0, "")
    assert out.startswith("My sensor (forward): satisfied\n")


def test_the_answer_stands_on_top_and_its_documents_hold_the_metrics(run, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text(example("edge"), encoding="utf-8")
    _, shown, _ = run("eval", str(file))
    assert shown.splitlines()[1].startswith("  bottleneck")
    for how, part in (
        ("md", "| latency | "),
        ("html", "<td>battery life</td>"),
        ("csv", "latency,"),
    ):
        code, out, _ = run("eval", str(file), "--output", how)
        assert code == 0
        assert part in out
    assert json.loads(run("eval", str(file), "--output", "json")[1])["verdict"] == "satisfied"
    assert run("eval", str(file), "--output", "pdf")[0] == 2


def test_no_system_and_a_key_that_lacks_say_how_to_see_one(run):
    code, _, err = run("eval")
    assert code == 2
    assert "mlsysim eval --example serve" in err
    with pytest.raises(InvalidEntry, match="fleet: it is required; add it, as `mlsysim eval --exa"):
        SystemSpec.from_spec({"workload": {"model": "Llama3_8B"}})


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_with_an_example_that_can_be_typed(run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("mlsysim.core.registry.add_folder", str)
    code, out, _ = run(command, "--help")
    assert code == 0
    *_, example = re.split("Arguments:|Options:", out)[0].strip().splitlines()  # in one line
    for line in example.split("&&"):
        program, name, *rest = shlex.split(line.partition(">")[0])
        assert (program, name) == ("mlsysim", command)
        COMMANDS[name].make_context(name, rest)  # raises where it takes no such words


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["Capstone", "Geography_Poland", "Doorbell"])
def test_an_answer_is_as_wide_as_the_terminal_and_hangs_below_its_text(
    run, monkeypatch, columns, name
):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, shown, _ = run("eval", name)
    whole = evaluate(name).summary()
    assert shown.split() == whole.split()  # no digit is lost
    assert max(map(len, shown.splitlines())) <= columns
    noted = re.search("^  note: (.*(?:\n {8}\\S.*)*)", shown, re.MULTILINE)[1]
    assert f"  note: {' '.join(noted.split())}" in whole.splitlines()
    assert not re.search(r"\d$\n {4,}(?:GB|ms|USD|devices)\b", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "asked",
    [
        "why A100 L40S --model Llama3_8B",
        "run SingleNodeModel model=Llama3_8B hardware=H100",
        "schema --short",
    ],
)
def test_what_is_said_breaks_between_words(run, monkeypatch, asked):
    monkeypatch.setenv("COLUMNS", "60")
    code, narrow, _ = run(*asked.split())
    monkeypatch.delenv("COLUMNS")
    assert code == 0
    assert max(map(len, narrow.splitlines())) <= 60
    assert narrow.split() == run(*asked.split())[1].split()


@pytest.mark.parametrize("command", ["figures", "validate"])
def test_a_wide_table_is_folded_and_nothing_of_it_is_cut(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    code, shown, _ = run(command)
    assert code == 0
    assert "…" not in shown


def test_a_step_fits_a_narrow_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, shown, _ = run("solve", "Llama3_70B", "H100")
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 60
    assert re.search(r"\* 1.03 +\+ 148 FLOP/B$", shown, re.MULTILINE)


def test_the_readme_says_how_a_folder_joins_in_python(clean_registry, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    said = re.search(r"in Python, `(from \S+ import add_folder)`", readme)[1]
    (tmp_path / "models").mkdir()
    code = f"{said}\nadd_folder({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_short_schema_has_a_line_for_each_key_and_names_its_phases(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = run("schema", "--short")
    lines = out.splitlines()
    assert code == 0
    assert len(lines) <= 60
    for phase, kinds in PHASES.items():
        for key in (key for kind in kinds for key in kind.model_fields):
            line = next(line for line in lines if line.split()[:1] == [key])
            assert "[" not in line or phase in line.partition("[")[2]
    told = {line[:26].strip(): line[27:] for line in lines if len(line) > 27}
    both, step = words(), "[decode, prefill, forward]"
    assert told["name, question"] == "free text"
    assert told["constraints"] == both["constraints"]
    assert told["precision"] == both["precision"]  # each phase has it
    assert told["prompt"] == f"{both['prompt']} [serve]"
    assert told["seq_len"] == f"{both['seq_len']} {step[:-1]}, train]"
    assert told["tokens"] == f"{both['tokens']} [serve, train]"
    assert told["zero_stage"] == f"{both['zero_stage']} [train]"
    assert told["pue"] == both["pue"]
    assert [line for line in lines if len(line) < 15] == ["workload:", "fleet:", "environment:"]
    _, fabric, _ = run("schema", "fabric", "--short")
    published = schema("fabric")["properties"]
    assert [line.split()[0] for line in fabric.splitlines()] == [*published]
    assert f"{'bandwidth':<26} {published['bandwidth']['description']}" in fabric.splitlines()


def test_every_key_of_a_system_has_a_sentence_and_the_schemas_say_it():
    sections = [kind for kinds in PHASES.values() for kind in kinds]
    keys = {key for kind in (*sections, EnvironmentSpec) for key in kind.model_fields}
    assert keys <= words().keys()
    at = SystemSpec.json_schema()["properties"]["environment"]["properties"]
    assert at["grid"]["description"].startswith(words()["grid"])


def test_all_faults_of_a_file_are_told_at_once():
    with pytest.raises(InvalidEntry) as caught:
        Hardware.from_spec({"name": "X", "tdp": "5 apples", "vendr": "me"})
    said = str(caught.value)
    for part in ("compute: it is required", "memory: it is required", "tdp", "vendr"):
        assert part in said


def test_every_shelf_is_listed_and_no_digit_is_lost_at_60_columns(run, monkeypatch):
    for columns in ("60", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        for layer in ("hardware", "models", "infrastructure", "systems", "literature", "stacks"):
            code, out, err = run("zoo", layer)
            assert (code, err) == (0, "")
            assert "…" not in out
            if layer in ("hardware", "models"):
                assert max(map(len, out.splitlines())) <= int(columns)
        _, out, _ = run("zoo", "hardware")
        h100 = [line for line in out.splitlines() if line.startswith("H100 ")]
        assert "989.4 TFLOP/s" in " ".join(h100)
        assert "3.35 TB/s" in " ".join(h100)


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_a_roofline_from_a_microcontroller_to_a_rack_is_a_file(run, tmp_path, suffix):
    out = tmp_path / f"roof.{suffix}"
    words = ["plot", "STM32L4R5ZI", "H100", "--precision", "int8", "--out", str(out)]
    assert run(*words)[0] == 0
    text = out.read_text(encoding="utf-8")
    assert "H100" in text
    assert "STM32L4R5ZI" in text
    assert not re.search(r"""(src|href)=["']http""", text)  # it loads nothing
    assert run("plot", "H100", "--out", str(tmp_path / "roof.gif"))[0] == 2


def test_a_space_is_searched_from_the_shell_and_all_points_go_to_a_file(run, tmp_path):
    file, out = tmp_path / "space.yaml", tmp_path / "points.csv"
    space = {"model": "Llama3_70B", "hardware": ["H100", "H200", "B200"], "batch_size": [1, 8]}
    asked = {"space": space, "objective": "minimize: latency", "constraints": ["batch_size == 8"]}
    file.write_text(json.dumps(asked), encoding="utf-8")
    code, shown, _ = run("search", str(file), "--executor", "threads", "--out", str(out))
    assert code == 0
    assert "B200" in shown  # of those that hold 141 GB it has the fastest memory
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(rows) == 6
    assert {row["feasible"] for row in rows if row["hardware"] == "H100"} == {"False"}
    assert run("search", str(file), "--executor", "magic")[0] == 2


def test_hypothetical_chips_are_searched_from_the_shell(run, tmp_path):
    file = tmp_path / "space.yaml"
    space = {"model": "Llama3_8B", "hardware": "H100", "bandwidth": ["1 TB/s", "2 TB/s"]}
    space["tdp"] = ["300 W", "700 W"]
    goals = ["minimize: latency", "minimize: tdp"]
    file.write_text(json.dumps({"space": space, "objective": goals}), encoding="utf-8")
    code, out, _ = run("search", str(file), "--json")
    found = json.loads(out)["columns"]
    assert code == 0
    assert (found["bandwidth"], found["tdp"]) == ([2.0], [300.0])


def test_the_shell_completes_commands_and_names(monkeypatch, capsys):
    monkeypatch.setenv("_MLSYSIM_COMPLETE", "complete_bash")
    for line, meant in (("mlsysim pl", "plan"), ("mlsysim plan Llama3_4", "Llama3_405B")):
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
        with suppress(SystemExit):
            app(args=[], prog_name="mlsysim")
        assert meant in capsys.readouterr().out.split()


# ---- whole answers -------------------------------------------------------------------------------


@pytest.fixture
def ask(run, tmp_path):
    """Search a space that is written to a file."""
    file = tmp_path / "space.yaml"

    def go(asked, *words):
        file.write_text(json.dumps(asked), encoding="utf-8")
        return run("search", str(file), *words)

    return go


LEAST = {"objective": "minimize: latency"}


def test_a_search_answers_with_its_front_or_with_why_there_is_none(ask, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    axes = {"hardware": ["H200", "B200"], "batch_size": [1, 8]}
    space = {"model": "Llama3_8B", **axes, "kv_precision": "fp8", "stack": "ideal"}
    code, out, err = ask({"space": space, **LEAST})
    best = Engine.solve("Llama3_8B", "B200", kv_precision="fp8", stack="ideal")
    head, row = (re.split(r" {2,}", line) for line in out.splitlines())
    assert (code, err) == (0, "")
    assert head == ["hardware", "batch size", "latency", "feasible", "throughput", "bottleneck",
                    "mfu", "memory required"]  # fmt: skip
    told = [best.latency, best.throughput, best.mfu, best.memory_required]
    latency, rate, mfu, held = map(show, told)
    assert row == ["B200", "1", latency, "yes", rate, "Memory", mfu, held]
    code, out, _ = ask({"space": space, **LEAST}, "--json")
    assert (code, json.loads(out)["columns"]["hardware"]) == (0, ["B200"])
    # one point at a time answers the same as all of them in columns
    single = json.loads(ask({"space": space, **LEAST}, "--executor", "threads", "--json")[1])
    assert single["columns"]["latency"] == json.loads(out)["columns"]["latency"]
    code, out, _ = ask({"space": {**space, "model": "Llama3_405B"}, **LEAST})
    assert code == 1
    assert out.startswith("none of 4 points can be chosen; the first: It needs ")
    code, out, _ = ask({"space": space, **LEAST, "constraints": ["latency < 1 us"]})
    first = show(Engine.solve("Llama3_8B", "H200", kv_precision="fp8", stack="ideal").latency)
    said = f"latency is {first}, and the constraint is latency < 1 us"
    assert (code, out) == (1, f"none of 4 points can be chosen; the first: {said}\n")


def test_two_models_or_a_device_that_varies_are_searched_point_by_point(ask):
    space = {"model": ["GPT2", "Llama3_8B"], "hardware": "H100"}
    code, out, _ = ask({"space": space, **LEAST}, "--json")
    assert (code, json.loads(out)["columns"]["model"]) == (0, ["GPT2"])
    chip = {"model": "GPT2", "hardware": "H100", "peak": ["100 TFLOP/s"], "bandwidth": ["1 TB/s"]}
    code, out, _ = ask({"space": chip, **LEAST}, "--json")
    found = json.loads(out)["columns"]
    assert (code, found["peak"], found["bandwidth"]) == (0, [100.0], [1.0])
    every = {"kv_precision": "fp8", "efficiency": 0.4, "phase": "decode", "training": False}
    swept = {"model": "GPT2", "hardware": ["H100"], **every, "stack": "ideal"}
    code, out, _ = ask({"space": swept, **LEAST}, "--json")
    assert "model" not in json.loads(out)["columns"]  # one value each: all points in columns
    trained = {"model": "GPT2", "hardware": ["H100"], "training": True, "optimizer": "sgd"}
    code, out, _ = ask({"space": trained, **LEAST}, "--json")
    step = Engine.solve("GPT2", "H100", training=True, optimizer="sgd").latency.m_as("ms")
    assert json.loads(out)["columns"]["latency"] == pytest.approx([step], rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "words", "said"),
    [
        ({"spase": {}}, [], "space.yaml cannot be 'spase': did you mean 'space'?"),
        ({"space": {}, "constraint": []}, [], "'constraint': did you mean 'constraints'?"),
        (
            {"space": {"model": "GPT2", "hardware": ["H100"]}, **LEAST},
            ["--executor", "magic"],
            "executor cannot be 'magic': known are dask:ADDRESS, processes, threads.",
        ),
        (
            {"space": {"model": "GPT2", "hardware": ["H100"]}, **LEAST},
            ["--executor", "dask:"],
            "executor cannot be 'dask:': ",
        ),
    ],
)
def test_a_search_that_cannot_be_says_what_would_do(ask, asked, words, said):
    code, out, err = ask(asked, *words)
    assert (code, out) == (2, "")
    assert said in err


def test_every_cell_of_the_zoo_says_what_the_entry_does(run, monkeypatch):
    """What nobody has published is a question mark, and what no measurement tells a dash."""
    monkeypatch.delenv("COLUMNS", raising=False)
    _, out, _ = run("zoo", "stacks")
    spread = Stacks.vllm.spread
    rows = {line.split()[0]: re.split(r" {2,}", line)[1:] for line in out.splitlines() if line}
    assert rows["cmsis_nn"] == [
        f"x {Stacks.cmsis_nn.spread.half:.2f}",
        f"x {Stacks.cmsis_nn.spread.most:.2f}",
        "-",
        Stacks.cmsis_nn.summary,
    ]
    told = [line for line in out.splitlines() if line.split()[:1] == ["vllm"]]
    assert " ".join(told).split()[1:5] == ["x", f"{spread.half:.2f}", "x", f"{spread.most:.2f}"]
    assert ", ".join(Stacks.vllm.generations) in " ".join(told)
    assert " ".join(told).endswith(Stacks.vllm.summary)
    _, out, _ = run("zoo", "hardware")
    shelves = [line for line in out.splitlines() if line and " " not in line]
    assert {"Cloud", "Tiny"} <= {*shelves}
    silent = next(name for name, chip in Hardware.entries() if chip.tdp is None)
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [silent]]
    assert line.split()[-1] == "?"
    both = run("zoo")[1]
    assert both == out + run("zoo", "models")[1]
    told = json.loads(run("zoo", "systems", "--json")[1])
    assert [*told] == ["systems"]
    assert run("zoo", "modles")[2] == "mlsysim: layer cannot be 'modles': did you mean 'models'?\n"


def test_measured_operators_are_told_kind_by_kind(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    cells = operators.scores(operators.read())
    _, out, _ = run("validate", "--operators")
    head, *rows = out.splitlines()
    heads = ["operator", "device", "rows", "median error", "1.5x", "mean ratio", "left out"]
    assert re.split(r" {2,}", head.rstrip()) == heads
    assert head.startswith("operator          device               rows  median error  1.5x  mean")
    for row, cell in zip(rows, cells, strict=True):
        left = "-" if cell.left_out is None else f"{cell.left_out:.1%}"
        shares = [f"{cell.rows}", f"{cell.error:.1%}", f"{cell.within:.0%}", f"{cell.bias:.2f}"]
        assert row.split() == [cell.kind, cell.device, *shares, left]
    told = json.loads(run("validate", "--operators", "--json")[1])
    assert told == {f"{cell.kind}, {cell.device}": cell._asdict() for cell in cells}


def test_the_figures_of_the_decks_are_counted_and_state_their_assumptions_once(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    found = decks.figures()
    _, out, _ = run("figures")
    *table, last = out.strip().splitlines()
    seed, claim, ours, why = (table[0].index(h) for h in ("seed", "claim", "ours", "outcome"))
    assert (claim - seed, ours - claim, why - ours) == (11 + 2, 26 + 2, 13 + 2)
    counted = {outcome: sum(one.outcome == outcome for one in found) for outcome in decks.OUTCOMES}
    assert last == ", ".join(f"{many} {outcome}" for outcome, many in counted.items()) + "."
    whole = " ".join(" ".join(table).split())
    stated = {one.recomputation for one in found if one.assumptions}
    again = sum(bool(one.assumptions) for one in found) - len(stated)
    assert whole.count("- assumptions as above") == again
    plain = json.loads(run("figures", "--json")[1])
    told = [(one["id"], one["claimed"], one["outcome"]) for one in plain]
    assert told == [(one.id, one.claimed, one.outcome) for one in found]  # one is timed anew
