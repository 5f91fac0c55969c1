"""The MCP server, asked as agents ask it: through the SDK's own client, over stdio."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import jsonschema
import pytest
from mcp import Client, MCPError, StdioServerParameters

from mlsysim import Engine, Hardware, Models, ServingModel, audit_provenance
from mlsysim.cli import main
from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import LAYERS
from mlsysim.core.units import Q_
from mlsysim.evaluation.plan import plan
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.mcp.answers import brief
from mlsysim.mcp.server import server
from mlsysim.mcp.tools import COLUMNS, MOST_POINTS, MOST_ROWS, catalog, tools
from tests.notebooks import ROOT

PATIENCE = 60  # seconds for a whole conversation; it takes two or three
COMMAND = [sys.executable, "-m", "mlsysim", "mcp"]
CHIP = """\
release_year: 2027
compute: {peak_flops: 2 PFLOP/s}
memory: {capacity: 200 GB, bandwidth: 8 TB/s}
sources: {default: {kind: user, ref: a test}}
name: My chip
"""


class Agent:
    """A client that counts its calls and gives up after a few."""

    def __init__(self, client, most=8):
        self.client, self.calls, self.most = client, [], most

    async def ask(self, tool, **arguments):
        self.calls.append((tool, arguments))
        assert len(self.calls) <= self.most, self.calls
        answer = await self.client.call_tool(tool, arguments)
        assert not answer.is_error, answer.content[0].text
        assert answer.structured_content is None  # it is told once
        return json.loads(answer.content[0].text)


@asynccontextmanager
async def over_stdio(*options):
    """A conversation with a process of its own, which ends with it."""
    command, *arguments = [*COMMAND, *options]
    with anyio.fail_after(PATIENCE):
        async with Client(StdioServerParameters(command=command, args=arguments)) as client:
            await client.list_tools()  # from here on the client holds answers against their schema
            yield client


@pytest.fixture(scope="module")
def table():
    return tools()


# ---- an agent's loop -----------------------------------------------------------------------------


def test_an_agent_follows_the_reasons_from_out_of_memory_to_a_configuration_that_fits():
    async def loop():
        async with over_stdio() as client:
            agent = Agent(client)
            ask = {"model": "Llama3_70B", "hardware": "H100", "precision": "fp16", "batch_size": 64}
            while not (found := await agent.ask("solve", **ask))["feasible"]:
                if narrower := re.search(r"store it as (\w+)", found["reason"]):
                    ask["precision"] = narrower[1]
                elif "smaller batch" in found["reason"]:
                    ask["batch_size"] //= 2
                else:
                    pytest.fail(f"nothing to go by: {found['reason']}")
            return agent.calls, found

    calls, found = anyio.run(loop)
    # 70.6e9 weights: 141 GB in two bytes, 71 GB in one; the device has 81,559 MiB = 85.5 GB.
    # A token's cache is 80 layers x (K, V) x 8 heads x 128 = 163,840 values of two bytes whatever
    # the weights take, so 64 sequences of 2,048 keep 42.9 GB, which is too much beside 71 GB; in
    # four bits the weights take 39.8 GB, and both fit.
    tried = [(how["precision"], how["batch_size"]) for _, how in calls]
    assert tried == [("fp16", 64), ("int4", 64)]
    assert found["kv_cache"]["value"] == pytest.approx(2 * 163_840 * 2048 * 64 / 1e9, rel=1e-4)
    assert found["memory_required"]["value"] < found["memory_capacity"]["value"]


def test_an_agent_that_keeps_its_precision_finds_more_devices_and_another_device():
    async def loop():
        async with over_stdio() as client:
            agent = Agent(client)
            system = {"workload": {"model": "Llama3_70B"}, "fleet": {"hardware": "H100"}}
            found = first = await agent.ask("evaluate", system=system)
            while found["verdict"] == "infeasible":
                changes = [each["change"] for each in found["suggestions"]]
                change = next(each for each in changes if "workload.precision" not in each)
                for path, value in change.items():
                    section, _, key = path.partition(".")
                    system[section][key] = value
                found = await agent.ask("evaluate", system=system)
            cloud = (await agent.ask("zoo", layer="hardware"))["shelves"]["Cloud"]
            swept = await agent.ask("sweep", model="Llama3_70B", hardware=cloud, order="latency")
            best = swept["columns"]["hardware"][0]
            alone = await agent.ask("solve", model="Llama3_70B", hardware=best)
            return first, system, found, best, alone

    first, system, found, best, alone = anyio.run(loop)
    assert (first["verdict"], first["bottleneck"]) == ("infeasible", "Memory")
    assert found["feasible"]
    assert system["fleet"]["tensor_parallel"] >= 2  # 141 GB of weights, 85.5 GB a device
    assert alone["feasible"]
    assert Hardware[best].memory.capacity > Models.Llama3_70B.weights("fp16")


SYSTEMS = [  # each is too small, breaks its constraints, or both
    ("Llama3_70B", "H100", 8, 20, "fp16", ["p99_ttft < 1 s", "tco < 1e6 USD"]),
    ("Llama3_8B", "H100", 1, 40, "fp16", ["p99_ttft < 500 ms"]),
    ("Qwen3_32B", "H200", 2, 30, "fp16", ["itl < 40 ms", "tco < 1.5e6 USD"]),
    ("Mixtral_8x7B", "A100", 8, 25, "fp16", ["p99_ttft < 2 s"]),
    ("Llama3_70B", "MI300X", 4, 10, "fp16", ["itl < 30 ms", "p99_ttft < 1 s"]),
]
FIRST = [SYSTEMS[0], *(pytest.param(*each, marks=pytest.mark.slow) for each in SYSTEMS[1:])]


@pytest.mark.parametrize(("model", "hardware", "count", "rate", "precision", "limits"), FIRST)
def test_an_agent_that_knows_the_schemas_alone_comes_near_the_best_plan(
    table, model, hardware, count, rate, precision, limits
):
    work = {"model": model, "prompt": 1500, "tokens": 250, "precision": precision}
    system = {
        "workload": {**work, "arrival_rate_qps": rate},
        "fleet": {"hardware": hardware, "count": count},
        "environment": {"duration": "1 year"},
        "constraints": limits,
    }
    best = plan(SystemSpec.from_spec(system)).best.cost
    found = table["evaluate"].call({"system": system})
    assert found["verdict"] in ("infeasible", "violated")
    for _ in range(4):
        if found["verdict"] == "satisfied":
            break
        for path, value in found["suggestions"][0]["change"].items():
            section, _dot, key = path.partition(".")
            system[section][key] = value
        found = table["evaluate"].call({"system": system})
    assert found["verdict"] == "satisfied"
    assert float(found["metrics"]["tco"].split()[0]) <= 1.15 * best


def test_a_chip_of_ones_own_joins_by_a_folder_or_written_out(tmp_path):
    (tmp_path / "hardware" / "mine").mkdir(parents=True)
    (tmp_path / "hardware" / "mine" / "MyChip.yaml").write_text(CHIP, encoding="utf-8")

    async def loop():
        async with over_stdio("--registry", str(tmp_path)) as client:
            agent = Agent(client)
            by_name = await agent.ask("solve", model="Llama3_70B", hardware="MyChip")
            written = (await agent.ask("look_up", name="MyChip"))["spec"]
            return by_name, await agent.ask("solve", model="Llama3_70B", hardware=written)

    by_name, written_out = anyio.run(loop)
    assert by_name == written_out
    # A decode step reads 141.1 GB of weights but for the table of 128,256 x 8,192 embeddings, of
    # which it needs one row (2.1 GB less), and a cache of 2,048 x 327,680 B (0.67 GB), at 8 TB/s.
    assert by_name["memory_time"]["value"] == pytest.approx((141.1 - 2.10 + 0.67) / 8, rel=1e-3)


def test_a_client_that_hangs_up_ends_the_server_and_nothing_was_printed():
    done = subprocess.run(COMMAND, input=b"", capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


# ---- answers -------------------------------------------------------------------------------------

MOST = dict.fromkeys(tools(), 2500) | {"zoo": 6000, "look_up": 5000}  # which list and quote
QUESTIONS = [
    ("solve", {"model": "ResNet50", "hardware": "A100", "batch_size": 8, "training": True}),
    ("solve", {"model": "GPT2", "hardware": "STM32F746", "precision": "int8"}),  # without a power
    ("serve", {"model": "Llama3_8B", "hardware": "H100", "seq_len": 2048, "context": None}),
    ("train", {"model": "Llama3_8B", "fleet": "Research_256"}),
    (
        "train",
        {
            "model": "Llama3_8B",
            "fleet": {"hw": "H100", "count": 1},
            "tensor_parallel": 8,
            "link_latency": "2 us",
            "tokens": 1e9,
        },
    ),
    ("train", {"fleet": {"node": "DGX_H100", "count": 1}, "optimal_parameters": 1e9}),
    ("train", {"model": "Llama3_8B", "fleet": "Research_256", "tensor_parallel": 3}),
    (
        "explain",
        {
            "model": "Llama3_8B",
            "before": {"hardware": "A100"},
            "after": {"hardware": "CS3", "precision": "int8"},
        },
    ),
    (
        "evaluate",
        {"system": "workload: {model: GPT2}\nfleet: {hardware: T4}\nconstraints: [latency < 1 us]"},
    ),
    ("evaluate", {"system": "FirstLook"}),
    (
        "sweep",
        {
            "model": "Llama3_70B",
            "hardware": ["T4", "STM32H7A3", "H200"],
            "precisions": ["fp16", "fp64"],
            "seq_lens": [128, 4096],
            "order": "energy",
        },
    ),
    ("zoo", {"layer": "literature"}),
    ("look_up", {"name": "Research_256", "layer": "systems"}),
]


@pytest.mark.parametrize(("tool", "arguments"), QUESTIONS)
def test_a_question_keeps_the_schema_and_an_answer_is_short(table, tool, arguments):
    answer = table[tool].call(arguments)
    jsonschema.validate({k: v for k, v in arguments.items() if v is not None}, table[tool].takes)
    text = json.dumps(answer, allow_nan=False, separators=(",", ":"))
    assert json.loads(text) == answer
    assert len(text) <= MOST[tool], len(text)


def test_a_tool_answers_what_the_solver_answers(table):
    asked = {"model": "Llama3_8B", "hardware": "H100", "batch_size": 4}
    here = {"model": Models.Llama3_8B, "hardware": Hardware.H100, "batch_size": 4}
    for tool, ours in (("solve", Engine.solve(**here)), ("serve", ServingModel().solve(**here))):
        answer = table[tool].call(asked)
        assert answer == brief(json.loads(ours.to_json()))
        # five digits, and nothing that nobody knows
        assert answer["latency"]["value"] == pytest.approx(ours.latency.magnitude, rel=1e-4)
        assert None not in answer.values()
    why = table["explain"].call(
        {"model": "Llama3_8B", "before": {"hardware": "A100"}, "after": {"hardware": "H100"}}
    )
    both = {"hardware": Hardware.A100}, {"hardware": Hardware.H100, "model": Models.Llama3_8B}
    speedup = Engine.explain({**both[1], **both[0]}, both[1]).speedup
    assert why["speedup"] == pytest.approx(speedup, rel=1e-4)


def test_a_sweep_ranks_what_fits_first_and_says_how_many_points_there_are(table):
    asked = {
        "model": "Llama3_70B",
        "hardware": ["T4", "H100", "B200"],
        "batch_sizes": [1, 2, 4, 8],
        "precisions": ["fp16", "fp8"],
    }
    whole = table["sweep"].call({**asked, "limit": MOST_ROWS})
    columns = whole["columns"]
    fits = columns["feasible"]
    assert whole["points"] == len(fits) == 3 * 4 * 2
    assert fits == sorted(fits, reverse=True)
    assert sum(fits) == whole["feasible"]
    rates = columns["throughput"][: whole["feasible"]]
    assert rates == sorted(rates, reverse=True)
    short = table["sweep"].call({**asked, "limit": 2})
    assert short["points"] == whole["points"]
    assert short["columns"] == {name: column[:2] for name, column in columns.items()}
    for at in range(len(fits)):
        keys = ("hardware", "precision", "batch_size", "seq_len")
        point = {key: columns[key][at] for key in keys}
        alone = table["solve"].call({"model": "Llama3_70B", **point})
        for name in COLUMNS:
            told = alone.get(name)
            told = told["value"] if isinstance(told, dict) else told
            assert columns[name][at] == pytest.approx(told), name


def test_a_sweep_sends_ten_rows_unless_told(table):
    asked = {"model": "GPT2", "hardware": ["H100"], "batch_sizes": [*range(1, 31)]}
    found = table["sweep"].call(asked)
    assert (found["points"], len(found["columns"]["latency"])) == (30, 10)
    more = table["sweep"].call({**asked, "limit": 30})
    assert len(more["columns"]["latency"]) == 30


def test_a_sweep_that_would_take_too_long_is_refused(table):
    too_many = list(range(1, MOST_POINTS + 2))
    with pytest.raises(MLSysError, match="at most 100,000"):
        table["sweep"].call({"model": "GPT2", "hardware": ["H100"], "batch_sizes": too_many})


# ---- the registries ------------------------------------------------------------------------------


def test_every_value_of_every_entry_can_be_looked_up_with_its_source(table):
    values = 0
    for layer in LAYERS:
        for name in catalog(layer):
            found = table["look_up"].call({"name": name, "layer": layer})
            assert all(found["sources"][v["source"]]["ref"] for v in found["values"]), name
            values += len(found["values"])
    assert values == audit_provenance().values


def test_a_value_that_was_looked_up_is_the_registrys_own(table):
    found = table["look_up"].call({"name": "H100"})
    value = next(each for each in found["values"] if each["path"] == "memory.bandwidth")
    assert Q_(value["value"], value["unit"]) == Hardware.H100.memory.bandwidth
    assert found["sources"][value["source"]]["url"].startswith("https://")


def test_a_price_is_found_by_its_full_path_and_a_name_whatever_its_case(table):
    price = table["look_up"].call({"name": "Infrastructure.Prices.H100_cloud"})
    assert price["spec"]["hourly"].endswith("USD/h")
    assert table["look_up"].call({"name": "h100"})["entry"] == "H100"


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_looked_up_builds_the_same_entry_again(table, layer):
    for shelf_name, shelf in catalog(layer).shelves():
        for name in shelf:
            spec = table["look_up"].call({"name": name, "layer": layer})["spec"]
            again = getattr(catalog(layer), shelf_name).from_spec(spec)
            assert again.replace(sources={}) == shelf[name].replace(sources={}), name


def test_entries_are_resources_as_well():
    async def go():
        async with Client(server()) as client:
            listed = {str(each.uri) for each in (await client.list_resources()).resources}
            held = (await client.read_resource("mlsysim://hardware/H100")).contents[0]
            with pytest.raises(MCPError, match="did you mean 'H100'"):
                await client.read_resource("mlsysim://hardware/H10O")
            for elsewhere in ("mlsysim://../etc/passwd", "file:///etc/passwd"):
                with pytest.raises(MCPError):
                    await client.read_resource(elsewhere)
            return listed, json.loads(held.text)

    listed, held = anyio.run(go)
    assert {f"mlsysim://{layer}/{name}" for layer in LAYERS for name in catalog(layer)} == listed
    assert held == tools()["look_up"].call({"name": "H100", "layer": "hardware"})


# ---- schemas -------------------------------------------------------------------------------------


def test_schemas_are_schemas_and_defaults_keep_them(table):
    check = jsonschema.Draft202012Validator
    for tool in table.values():
        check.check_schema(tool.takes)
        assert tool.about
        for name, schema in tool.takes["properties"].items():
            if "default" in schema:
                jsonschema.validate(schema["default"], schema)
                assert name not in tool.takes["required"]


def test_every_argument_has_a_sentence_and_a_quantity_an_example(table):
    for tool in table.values():
        for name, schema in tool.takes["properties"].items():
            assert schema.get("description"), (tool.name, name)
    takes = table["train"].takes["properties"]
    assert takes["link_latency"]["description"] == "of one hop inside a node, as '1 us'"
    assert takes["link_latency"]["default"] == "1e-06 s"


def test_a_system_tells_its_keys_its_metrics_and_how_a_bound_is_written(table):
    system = table["evaluate"].takes["properties"]["system"]["properties"]
    for key in ("arrival_rate_qps", "lora_rank", "prompt", "seq_len", "precision"):
        assert system["workload"]["properties"][key]["description"]
    said = system["constraints"]["description"]
    for metric in ("ttft", "p99_latency", "tco", "elapsed_time", "battery_life", "mfu"):
        assert metric in said
    assert "'p99_ttft < 500 ms'" in said


def test_what_an_agent_reads_before_its_first_question_is_short():
    async def listed():
        async with Client(server()) as client:
            return (await client.list_tools()).tools

    told = [tool.model_dump(mode="json", exclude_none=True) for tool in anyio.run(listed)]
    sizes = {tool["name"]: len(json.dumps(tool, separators=(",", ":"))) for tool in told}
    assert sum(sizes.values()) <= 16_000, sizes
    assert {"plan", "compare", "import_model", "look_up"} <= sizes.keys()


def test_an_argument_that_is_null_counts_as_left_out(table):
    plain = {"model": "Llama3_8B", "hardware": "H100"}
    nulls = dict.fromkeys(table["solve"].takes["properties"]) | plain
    assert table["solve"].call(nulls) == table["solve"].call(plain)


# ---- mistakes ------------------------------------------------------------------------------------

PAIR = {"model": "Llama3_8B", "hardware": "H100"}
MISTAKES = [
    ("solve", {**PAIR, "hardware": "H10O"}, "did you mean 'H100'?"),
    ("solve", {**PAIR, "hardware": ["H100"]}, "sweep takes lists"),
    ("solve", {**PAIR, "hardware": 3}, "its name or a mapping, such as mlsysim.Hardware.H100"),
    ("solve", {"model": "Llama3_8B"}, "hardware cannot be None: solve needs one."),
    ("solve", {**PAIR, "bach_size": 2}, "did you mean 'batch_size'?"),
    ("solve", {**PAIR, "batch_size": 0}, "whole number of at least 1"),
    ("solve", {**PAIR, "batch_size": [1, 2]}, "sweep takes lists"),
    ("solve", {**PAIR, "efficiency": "80 GB"}, "efficiency cannot be '80 GB'"),
    ("solve", {**PAIR, "training": "yes"}, "give a bool"),
    ("solve", {**PAIR, "precision": "fp17"}, "did you mean 'fp16'?"),
    ("solve", {**PAIR, "hardware": {"memory": {}}}, "hardware.memory.capacity"),
    ("serve", {"model": "ResNet50", "hardware": "H100"}, "does not decode token by token"),
    ("train", {"model": "GPT2", "fleet": {"hw": "H100", "cont": 8}}, "did you mean 'count'?"),
    ("train", {"model": "GPT2", "fleet": {"hw": "H10O"}}, "fleet.hw: Hardware has no entry"),
    ("train", {"model": "GPT2", "fleet": "Research_256", "link_latency": 2}, "such as '1 us'"),
    ("explain", {"model": "GPT2", "before": "A100", "after": {"hardware": "H100"}}, "a mapping"),
    ("explain", {"model": "GPT2", "before": {"hardwear": "A100"}, "after": {}}, "hardware"),
    ("evaluate", {"system": "workload: ["}, "not YAML"),
    ("evaluate", {"system": "Capston"}, "a scenario; did you mean 'Capstone'?"),
    ("evaluate", {"system": "/etc/passwd"}, "a mapping"),  # text is YAML, never a path
    ("evaluate", {"system": {"workload": {"model": "GPT2"}}}, "fleet"),
    ("sweep", {**PAIR, "hardware": []}, "give at least one"),
    ("sweep", {**PAIR, "limit": 1000}, "at most 100"),
    ("sweep", {**PAIR, "order": "price"}, "energy, latency, throughput"),
    ("zoo", {"layer": "hardwear"}, "did you mean 'hardware'?"),
    ("look_up", {"name": "H100", "layer": "../models"}, "did you mean 'models'?"),
    ("lookup", {"name": "H100"}, "did you mean 'look_up'?"),
]


def test_a_mistake_is_a_tool_error_in_one_sentence_and_the_conversation_goes_on():
    async def go():
        async with Client(server()) as client:
            await client.list_tools()
            said = [await client.call_tool(tool, how) for tool, how, _ in MISTAKES]
            return said, await client.call_tool("solve", PAIR)

    said, afterwards = anyio.run(go)
    for (tool, how, words), answer in zip(MISTAKES, said, strict=True):
        sentence = answer.content[0].text
        assert answer.is_error, (tool, how)
        assert words in sentence, (tool, how, sentence)
        assert "\n" not in sentence
    assert not afterwards.is_error


def test_a_mistake_reads_as_it_does_in_python(table):
    with pytest.raises(MLSysError) as here:
        Engine.solve(Models.Llama3_8B, Hardware.H100, efficiency=2)
    with pytest.raises(MLSysError) as there:
        table["solve"].call({**PAIR, "efficiency": 2})
    assert str(here.value) == str(there.value)


def test_the_readme_tells_a_client_the_command_that_this_file_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = json.loads(re.search(r"```json\n(.*?)```", readme, re.DOTALL)[1])
    assert told["mcpServers"]["mlsysim"] == {"command": "mlsysim", "args": COMMAND[-1:]}


def test_without_the_sdk_the_command_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "mlsysim.mcp.server")
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert main(["mcp"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "pip install 'mcp>=2'" in said.err


def test_devices_are_swept_and_compared_at_the_stack_that_runs_them():
    """One image on an A100 waits for its host: that is most of the time."""
    asked = {"model": "ResNet50", "hardware": ["A100"]}
    law, real = (
        tools()["sweep"].call({**asked, **at})["columns"]["latency"][0]
        for at in ({}, {"stack": "cudnn"})
    )
    assert real > 20 * law
    both = {"things": ["A100", "H100"], "model": "ResNet50", "stack": "cudnn"}
    assert "dispatch-bound on both" in " ".join(tools()["compare"].call(both)["why"])


def test_an_evaluation_names_the_stack_whose_times_it_tells():
    system = {
        "workload": {"model": "Llama3_8B", "phase": "decode", "seq_len": 2048},
        "fleet": {"hardware": "H100", "count": 1},
    }
    said = tools()["evaluate"].call({"system": system})["notes"]
    assert any("times are those of the stack 'trtllm'" in note for note in said)
