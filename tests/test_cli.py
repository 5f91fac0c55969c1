"""The command line: answers on stdout, mistakes in one line on stderr, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import mlsysim
from mlsysim import Hardware, Models
from mlsysim.cli import Console, main
from mlsysim.course import lessons as course
from mlsysim.learn.server import editable_copy, free_port


@pytest.fixture
def run(capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""

    def go(*words):
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def test_solve_says_which_wall_binds(run):
    code, out, _ = run("solve", "Llama3_8B", "H100", "--batch-size", "32")
    assert code == 0
    assert "Memory-bound" in out


def test_solve_as_json_carries_units(run):
    code, out, _ = run("solve", "Llama3_8B", "H100", "--batch-size", "32", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["bottleneck"] == "Memory"
    assert answer["latency"]["unit"] == "ms"
    assert answer["batch_size"] == 32


def test_what_does_not_fit_is_an_answer_with_exit_code_1(run):
    code, out, err = run("solve", "Llama3_70B", "H100")
    assert code == 1
    assert out.index("does not fit") < out.index("If it did: Memory-bound")
    assert err == ""
    code, out, _ = run("solve", "Llama3_70B", "H100", "--json")
    assert (code, json.loads(out)["feasible"]) == (1, False)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["solve", "Llama3_8B", "H10O"], "did you mean 'H100'?"),
        (["solve", "Lama3_8B", "H100"], "did you mean 'Llama3_8B'?"),
        (["solve", "Llama3_8B", "H100", "--batch-size", "0"], "batch_size"),
        (["solve", "Llama3_8B", "H100", "--batch-size", "many"], "give a finite whole number"),
        (["solve", "Llama3_8B", "H100", "--precision", "fp17"], "did you mean 'fp16'?"),
        (["solve", "Llama3_8B", "H100", "--efficiency", "1.5"], "efficiency"),
        (["solve", "ResNet50", "H100", "--phase", "decode"], "phase"),
        (["solve", "Llama3_8B"], "hardware"),
        (["solve", "Llama3_8B", "H100", "--registry", "nowhere"], "there is no folder"),
        (["zoo", "modles"], "did you mean 'models'?"),
        (["learn", "77"], "lesson"),
        (["learn", "--path", "conferense"], "did you mean 'conference'?"),
        (["learn", "--edit"], "which lesson? Say so, as in 'mlsysim learn 00 --edit'"),
        (["learn", "--port", "70000"], "give another, or 0 for any"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_a_mistake_costs_one_line_and_exit_code_2(run, words, complaint):
    code, out, err = run(*words)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("mlsysim: ")
    assert complaint in err


def test_the_zoo_shows_every_entry(run):
    _, hardware, _ = run("zoo", "hardware")
    assert all(name in hardware for name in Hardware)
    code, out, _ = run("zoo", "--json")
    held = json.loads(out)
    assert code == 0
    assert set(held["models"]) == set(Models)
    assert held["hardware"]["H100"]["memory"]["bandwidth"] == "3.35 TB/s"


@pytest.mark.parametrize(
    ("layer", "row", "said"),
    [
        ("infrastructure", "Poland", "carbon intensity 662 g/kWh"),
        ("infrastructure", "H100_hyperscaler", "hourly 6.88 USD/h"),
        ("systems", "DGX_H100", "power 10.2 kW"),
        ("systems", "InfiniBand_NDR", "bandwidth 400 Gbps"),
    ],
)
def test_the_zoo_shows_grids_prices_nodes_and_fabrics_too(run, layer, row, said):
    code, out, _ = run("zoo", layer)
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.split()[:1] == [row]]
    assert said in line


def cells(table):
    """The rows of a printed table by their first cell; cells stand two or more blanks apart."""
    rows = (re.split(r" {2,}", line.strip()) for line in table.splitlines())
    return {first: others for first, *others in rows}


def test_the_zoo_names_its_columns_and_fills_every_cell(run):
    _, out, _ = run("zoo", "models")
    table = cells(out)
    assert table["kind"] == ["parameters", "year", "in fp16"]
    # the model card's 8.03e9 parameters, two bytes each
    assert table["Llama3_8B"] == ["transformer", "8,030,261,248", "2024", "16.06 GB"]
    _, out, _ = run("zoo", "hardware")
    table = cells(out)
    assert table["year"] == ["dense peak", "at", "memory", "bandwidth", "power"]
    assert table["H100"] == ["2022", "989.4 TFLOP/s", "fp16", "85.52 GB", "3.35 TB/s", "700 W"]


def test_the_help_of_a_command_shows_the_defaults_of_its_solver(run):
    _, out, _ = run("solve", "--help")
    text = " ".join(out.split())  # lines break anywhere
    shown = re.findall(r"--([\w-]+) \S+ (?:(?!--).)*?\[default: \((.*?)\)\]", text)
    assert dict(shown) == {"batch-size": "1", "precision": "fp16", "efficiency": "0.5"}


def test_the_help_lists_every_command_in_a_line(run):
    _, out, _ = run("--help")
    lines = [line.split(maxsplit=1) for line in out.partition("Commands:")[2].splitlines() if line]
    asked = "solve run plan why compare search plot eval schema import-model zoo audit figures"
    told = ["learn", "check", "cheatsheet", *asked.split(), "validate", "measure", "mcp"]
    assert [name for name, _ in lines] == told
    assert not any(about.endswith("...") for _, about in lines)


def test_the_audit_passes(run):
    code, out, _ = run("audit", "--json")
    assert code == 0
    assert json.loads(out)["missing"] == []


@pytest.mark.usefixtures("clean_registry")
def test_an_entry_of_ones_own_is_solved_and_audited(run, tmp_path):
    shelf = tmp_path / "hardware" / "cloud"
    shelf.mkdir(parents=True)
    (shelf / "MyChip.yaml").write_text(
        "name: My Chip\nrelease_year: 2027\ncompute: {peak_flops: 1200 TFLOP/s}\n"
        "memory: {capacity: 144 GB, bandwidth: 5 TB/s}\n"
        "sources: {compute: {kind: user, ref: mine}, memory: {kind: user, ref: mine}}\n",
        encoding="utf-8",
    )
    code, out, _ = run("solve", "Llama3_8B", "MyChip", "--registry", str(tmp_path), "--json")
    assert (code, json.loads(out)["memory_capacity"]["value"]) == (0, 144)
    code, out, _ = run("audit", "--registry", str(tmp_path))
    assert code == 1  # its release year has no source
    assert "Hardware.MyChip.release_year" in out


def test_the_version_is_told(run):
    assert run("--version")[:2] == (0, f"mlsysim {mlsysim.__version__}\n")


def test_the_program_runs_as_a_module():
    ran = subprocess.run(
        [sys.executable, "-m", "mlsysim", "solve", "ResNet50", "A100", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(ran.stdout)["bottleneck"] == "Compute"


def test_an_editable_copy_is_made_once_and_never_overwritten(tmp_path):
    lesson = course.find_lesson("00")
    copy = editable_copy(lesson, "tutorials", tmp_path)
    header, text = lesson.file().read_text(encoding="utf-8").split("# ///\n\n", 1)
    assert header.startswith("# /// script")  # a copy goes without it: it would fetch packages
    assert copy.read_text(encoding="utf-8") == text
    copy.write_text("mine", encoding="utf-8")
    assert editable_copy(lesson, "tutorials", tmp_path).read_text(encoding="utf-8") == "mine"
    assert editable_copy(lesson, "exercises", tmp_path).name == "00_hello_roofline_exercise.py"


def test_a_port_that_is_taken_is_told(run):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = run("learn", "--no-browser", "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "taken" in err
    assert free_port(0) > 0


def test_a_bare_command_shows_the_help_and_is_no_mistake(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("Usage:")


@pytest.mark.parametrize("words", [("solve",), ("solve", "Llama3_8B", "H100", "--bogus")])
def test_a_bad_command_line_says_where_it_is_described(run, words):
    code, _, err = run(*words)
    assert code == 2
    assert "solve --help')" in err


def test_an_error_repeats_the_number_as_it_was_typed(run):
    code, _, err = run("solve", "Llama3_8B", "H100", "--batch-size", "0")
    assert code == 2
    assert "batch_size cannot be '0':" in err


@pytest.mark.parametrize("port", ["x", "1.5", "99999", "-1"])
def test_a_port_that_is_none_is_refused_in_a_sentence(run, port):
    code, _, err = run("learn", "--no-browser", "--port", port)
    assert code == 2
    assert "port cannot be" in err
    assert err.count("\n") == 1


def test_a_reader_who_leaves_early_is_not_told_no():
    class Closed:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):  # which `main` turns into 0; rich alone would exit with 1
        Console(file=Closed()).print("a line")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["solve", "Llama3_8B"], " solve --help')."),
        (["solv", "Llama3_8B", "H100"], "Did you mean 'solve'"),
    ],
)
def test_a_mistake_ends_with_a_suggestion_or_where_to_look(words, said, capsys):
    assert main(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("?") + told.count("--help") == 1


def test_a_step_is_costed_at_the_level_and_cache_that_are_asked_for(run):
    wide = ["solve", "Llama3_8B", "H100", "--batch-size", "512", "--seq-len", "512", "--json"]
    law, ideal, narrow = (
        json.loads(run(*wide, *more)[1])
        for more in ([], ["--stack", "ideal"], ["--kv-precision", "fp8"])
    )
    assert law["latency"]["value"] < ideal["latency"]["value"]
    assert ideal["stack"] == "ideal"
    assert law["kv_cache"]["value"] == pytest.approx(2 * narrow["kv_cache"]["value"])


def test_a_plot_takes_dots_and_ceilings_of_ones_own(run, tmp_path):
    out = tmp_path / "roofline.svg"
    own = ["--dot", "mine=60 FLOP/B, 90 TFLOP/s", "--ceiling", "L2=5.5 TB/s"]
    code, _, _ = run("plot", "H100", "--model", "Llama3_8B", *own, "--out", str(out))
    drawn = out.read_text(encoding="utf-8")
    assert code == 0
    assert all(f">{said}<" in drawn for said in ("mine", "batch 1", "512", "L2 5.5 TB/s"))
    for wrong in ("60 FLOP/B", "mine=60 FLOP/B", "=1,2", "mine=1,2,3"):
        code, _, said = run("plot", "H100", "--dot", wrong, "--out", str(out))
        assert code == 2
        assert "mine=60 FLOP/B, 90 TFLOP/s" in said
