"""The command line: answers on stdout, mistakes in one line on stderr, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import escape

import pytest
import typer

import mlsysim
from mlsysim import Engine, Hardware, Models, SingleNodeModel
from mlsysim.cli import Console, main
from mlsysim.cli.app import number, print_line, print_table
from mlsysim.core.solver import show
from mlsysim.core.table import Table
from mlsysim.course import lessons as course
from mlsysim.engine.text import roofline
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


STEP = {"batch_size": 3, "seq_len": 700, "precision": "fp8", "phase": "prefill"}
SERVED = {"rate": 7, "prompt": 300, "tokens": 50, "ttft": "2 s", "itl": "40 ms", "weights": "fp8"}
SERVED |= {"kv_precision": "fp8", "budget": "20000 USD", "region": "Quebec", "stack": "vllm"}
RUN = {"tokens": 1e9, "deadline": "9 days", "batch_size": 64, "seq_len": 1024, "lora_rank": 12}
DOORS = {
    "solve": (
        ["Llama3_8B", "H100"],
        {**STEP, "kv_precision": "int8", "efficiency": 0.3, "stack": "ideal"},
        lambda **how: Engine.solve("Llama3_8B", "H100", **how),
    ),
    "plan": (
        ["Llama3_8B", "H100", "A100"],
        SERVED,
        lambda **how: mlsysim.plan("Llama3_8B", ["H100", "A100"], **how),
    ),
    "plan --train": (
        ["Llama3_8B", "A100"],
        RUN,
        lambda **how: mlsysim.plan("Llama3_8B", ["A100"], train=True, **how),
    ),
    "why": (
        ["A100", "H100"],
        {"model": "GPT2", **STEP},
        lambda **how: mlsysim.why("A100", "H100", **how),
    ),
    "compare": (
        ["A100", "H100"],
        {"model": "GPT2", **STEP},
        lambda **how: mlsysim.compare(["A100", "H100"], **how),
    ),
}


@pytest.mark.parametrize("command", DOORS)
def test_a_command_passes_on_all_that_it_is_told(run, command):
    words, how, ask = DOORS[command]
    told = [f"--{name.replace('_', '-')}={value}" for name, value in how.items()]
    code, out, err = run(*command.split(), *words, *told, "--json")
    ours, here = ask(**how).to_dict(), json.loads(out)
    named = dict(zip(("model", "hardware"), words, strict=False)) if command == "solve" else {}
    assert (code, err) == (0, "")
    assert here == json.loads(json.dumps({**named, **ours}))


def test_a_step_of_training_is_asked_for_by_a_word(run):
    _, out, _ = run("solve", "ResNet50", "A100", "--batch-size", "8", "--training", "--json")
    ours = Engine.solve("ResNet50", "A100", batch_size=8, training=True).to_dict()
    assert json.loads(out) == {"model": "ResNet50", "hardware": "A100", **ours}


def test_a_step_is_told_in_a_sentence_a_roofline_and_its_values(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "85")
    _, out, _ = run("solve", "Llama3_8B", "H100", "--batch-size", "3")
    profile = Engine.solve("Llama3_8B", "H100", batch_size=3)
    first, blank, *rest = out.splitlines()
    assert (first, blank) == (
        f"Llama3_8B on H100: Memory-bound, {show(profile.latency)} a step",
        "",
    )
    drawn, _, values = "\n".join(rest).partition("\n\n")
    assert drawn == roofline(profile, width=58)
    spoken = ("bottleneck", "latency", "reason", "feasible")  # in the sentence
    assert [tuple(re.split(" {2,}", line.strip())) for line in values.splitlines()] == [
        line for line in profile.lines() if line[0] not in spoken
    ]


def test_a_solver_is_run_by_its_name(run):
    asked = ["SingleNodeModel", "model=Llama3_8B", "hardware=H100", "batch_size=3"]
    ours = SingleNodeModel().solve("Llama3_8B", "H100", batch_size=3)
    code, out, _ = run("run", *asked)
    assert (code, out) == (0, f"{ours}\n")
    assert json.loads(run("run", *asked, "--json")[1]) == ours.to_dict()
    large = [word.replace("8B", "70B") for word in asked]
    assert run("run", *large)[0] == 1
    # what says nothing of feasible is an answer too
    tail = ["arrival_rate_qps=3", "service_latency_ms=100", "num_replicas=1"]
    assert run("run", "TailLatencyModel", *tail)[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ServingModel", "model"], "model cannot be None: write name=value, as in batch_size=8."),
        (
            ["ServingModel", "model=GPT2"],
            "hardware cannot be None: ServingModel needs one, as in hardware=...",
        ),
        (["ServngModel"], "solver cannot be 'ServngModel': did you mean 'ServingModel'?"),
    ],
)
def test_a_solver_that_cannot_be_run_says_what_would_do(run, words, sentence):
    assert run("run", *words) == (2, "", f"mlsysim: {sentence}\n")


def test_a_plan_is_printed_with_its_ranges_its_words_and_its_notes(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    words = ["plan", "Llama3_8B", "H100", "A100", "--rate", "7", "--ttft", "2 s"]
    found = mlsysim.plan("Llama3_8B", ["H100", "A100"], rate=7, ttft="2 s")
    code, out, _ = run(*words)
    told, notes = str(found), "\n".join(found.notes)
    assert code == 0
    assert out == f"{told}\n\n{notes}\n"
    _, out, _ = run(*words, "--output", "md")
    words_of_it = [line for line in (*found.words(), *found.notes) if line]
    parts = [f"## {found.question}", *words_of_it, found.table.to_markdown()]
    assert out == "\n\n".join(parts) + "\n"
    assert run(*words, "--output", "csv")[1] == found.table.to_csv()
    _, out, _ = run(*words, "--output", "html")
    said = "".join(f"<p>{escape(line)}</p>" for line in words_of_it)
    assert out == f"<h2>{escape(found.question)}</h2>{said}{found.table.to_html()}\n"
    assert run(*words, "--output", "pdf") == (
        2,
        "",
        "mlsysim: output cannot be 'pdf': known are csv, html, json, md.\n",
    )


@pytest.mark.parametrize(
    ("kind", "code"), [(KeyboardInterrupt, 130), (typer.Abort, 130), (BrokenPipeError, 0)]
)
def test_who_stops_a_command_or_its_output_is_told_nothing(monkeypatch, tmp_path, kind, code):
    """130 is what a shell gives to what is interrupted; a reader may leave whenever it likes."""

    def stopped(**_):
        raise kind

    ends = []
    monkeypatch.setitem(main.__globals__, "app", stopped)
    monkeypatch.setattr("os.dup2", lambda *both: ends.append(both))
    with (tmp_path / "out").open("w", encoding="utf-8") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert main(["zoo"]) == code
        # what is still to be written goes nowhere
        assert [to for _, to in ends] == [out.fileno()] * (code == 0)


@pytest.mark.parametrize(
    ("text", "value"), [("8", 8), ("2e9", 2e9), ("0.5", 0.5), ("fp16", "fp16"), ("8 GB", "8 GB")]
)
def test_a_word_of_the_command_line_is_the_number_that_it_is(text, value):
    found = number(text)
    assert (found, isinstance(found, str)) == (value, isinstance(value, str))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  note: a long line of words", ["  note: a long", "        line of", "        words"]),
        (
            "  itl      takes 3.5 ms each",
            ["  itl      takes", "           3.5 ms", "           each"],
        ),
        ("- it takes 1,000 GB of it now", ["- it takes", "  1,000 GB of it", "  now"]),
        ("memory-bound-everywhere-here x", ["memory-bound-everywhere-here", "x"]),
    ],
)
def test_a_line_goes_on_below_its_text_and_numbers_keep_their_units(
    capsys, monkeypatch, line, shown
):
    monkeypatch.setenv("COLUMNS", "16")
    print_line(line)
    assert capsys.readouterr().out.splitlines() == shown
    monkeypatch.delenv("COLUMNS")
    print_line(line)  # into a file it goes whole
    assert capsys.readouterr().out == f"{line}\n"


def test_a_table_that_is_too_wide_goes_on_below(capsys, monkeypatch):
    table = Table({"name": ["one", "two"], "first": ["11111", "2"], "second": ["3", "44444"]})
    monkeypatch.setenv("COLUMNS", "14")
    print_table(table)
    assert capsys.readouterr().out.splitlines() == [
        *("name  first", "one   11111", "two       2", ""),
        *("name  second", "one        3", "two    44444"),
    ]
    monkeypatch.setenv("COLUMNS", "6")
    print_table(Table({"name": ["a very long name"], "first": ["1"]}))  # which is never cut
    assert capsys.readouterr().out.splitlines() == [
        "name              first",
        "a very long name      1",
    ]
    monkeypatch.setenv("COLUMNS", "19")
    print_table(table)
    assert capsys.readouterr().out.splitlines() == [
        *("name  first  second", "one   11111       3", "two       2   44444")
    ]


def test_a_fault_of_the_sdk_itself_is_not_told_as_its_absence(monkeypatch):
    """An import that fails inside is a fault of ours, or of theirs, to be seen whole."""
    monkeypatch.setitem(sys.modules, "mlsysim.mcp.server", None)
    with pytest.raises(ImportError, match=r"mlsysim\.mcp\.server"):
        main(["mcp"])


def test_steps_of_a_model_are_dots_with_their_batches(run, tmp_path):
    out = tmp_path / "roofline.svg"
    words = [
        "plot",
        "A100",
        "--model",
        "Llama3_8B",
        "--batch-sizes",
        "3,700",
        "--precision",
        "int8",
    ]
    code, said, _ = run(*words, "--efficiency", "0.25", "--out", str(out))
    drawn = out.read_text(encoding="utf-8")
    assert (code, said) == (0, f"{out}: A100 SXM4 80GB\n")
    assert all(f">{word}<" in drawn for word in ("batch 3", "700"))
    # a quarter of 624 TOP/s
    assert "156" in drawn
    assert run("plot", "A100", "--dot", "mine=1", "--out", str(out)) == (
        2,
        "",
        "mlsysim: dot cannot be 'mine=1': write a name and its numbers, as in "
        "'mine=60 FLOP/B, 90 TFLOP/s'.\n",
    )
    assert run("plot", "A100", "--ceiling", "L2", "--out", str(out)) == (
        2,
        "",
        "mlsysim: ceiling cannot be 'L2': write a name and its numbers, as in 'fp32=67 TFLOP/s'.\n",
    )


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
