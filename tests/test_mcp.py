"""The MCP server, asked as agents ask it: through the SDK's own client, over stdio."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import jsonschema
import pytest
from mcp import Client, MCPError, StdioServerParameters

import mlsysim
from mlsysim import (
    Engine,
    Hardware,
    Models,
    ServingModel,
    SingleNodeModel,
    Stacks,
    __version__,
    audit_provenance,
)
from mlsysim.cli import main
from mlsysim.core.errors import MLSysError
from mlsysim.core.registry import LAYERS
from mlsysim.core.schemas import words
from mlsysim.core.units import Q_, Quantity
from mlsysim.evaluation import evaluate, judge
from mlsysim.evaluation.metrics import parts_of
from mlsysim.evaluation.plan import plan
from mlsysim.evaluation.sections import EnvironmentSpec, Generate, Serve, Train, TrainingFleet
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.mcp.answers import brief
from mlsysim.mcp.server import INSTRUCTIONS, server
from mlsysim.mcp.tools import COLUMNS, MOST_POINTS, MOST_ROWS, catalog, tools, zoo
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


def test_plain_data_is_told_in_five_digits_without_what_is_unknown_or_empty():
    told = {
        "many digits": 1234.5678,
        "few": 0.000123456789,
        "a count": 123_456_789,
        "no": False,
        "none": None,
        "nothing": {"unit": "s"},
        "zero": {"value": 0.0, "unit": ""},
        "empty": {"text": "", "list": [], "below": {"deeper": None}},
        "list": [2.000004, {"value": 1.5, "unit": "ms"}, {"unit": "ms"}, "x", None],
    }
    assert brief(told) == {
        "many digits": 1234.6,
        "few": 0.00012346,
        "a count": 123_456_789,
        "no": False,
        "zero": {"value": 0.0},
        "list": [2.0, {"value": 1.5, "unit": "ms"}, {"unit": "ms"}, "x", None],
    }


def test_an_evaluation_is_told_without_saying_anything_twice(table):
    """All that a person would read: each metric in its unit, of suggestions the first three."""
    system = {
        "workload": {"model": "Llama3_70B", "prompt": 512, "arrival_rate_qps": 3},
        "fleet": {"hardware": "H100", "count": 2},
        "environment": {"grid": "Quebec", "duration": "1 year"},
        "constraints": ["itl < 20 ms", "decode_bottleneck == Memory"],
    }
    told, found = table["evaluate"].call({"system": system}), judge(SystemSpec.from_spec(system))
    said = ("name", "verdict", "feasible", "wall", "bottleneck", "why", "constraints", "metrics")
    assert [*told] == [*said, "suggestions", "notes"]
    assert (told["verdict"], told["wall"]) == ("violated", 2)
    late, bound = told["constraints"]
    itl = found.metrics["itl"].m_as("ms")
    assert late == {
        "constraint": "itl < 20 ms",
        "value": {"value": float(f"{itl:.5g}"), "unit": "ms"},
        "satisfied": False,
        "margin": float(f"{1 - itl / 20:.5g}"),
        "probability": late["probability"],
    }
    assert bound == {
        "constraint": "decode_bottleneck == Memory",
        "value": "Memory",
        "satisfied": True,
    }
    known = {
        name: f"{value.magnitude:.5g} {value.units:~C}" if isinstance(value, Quantity) else value
        for name, value in found.metrics.items()
        if value is not None and name not in ("tco_usd", "carbon_footprint_kg")
    }
    assert told["metrics"].keys() == known.keys()
    for name, value in told["metrics"].items():
        if isinstance(value, str):
            assert value.split()[0] == str(known[name]).split()[0], name
        else:
            assert value == pytest.approx(known[name], rel=1e-4), name
    assert len(told["suggestions"]) == 3
    ours = evaluate(SystemSpec.from_spec(system)).suggestions[:3]
    for short, whole in zip(told["suggestions"], ours, strict=True):
        change = {k: getattr(v, "stem", v) for k, v in whole["change"].items()}
        assert short["change"] == change
        assert whole["sentence"].endswith(f": {short['gives']}")
        assert short["gives"].startswith("itl ")


def test_a_plan_is_told_as_its_table_and_what_would_change_it(table):
    asked = {"model": "Llama3_8B", "rate": 7, "prompt": 300, "itl": "30 ms"}
    told = table["plan"].call({**asked, "devices": ["H100", "A100", "L40S"]})
    ours = mlsysim.plan(devices=["H100", "A100", "L40S"], **asked)
    assert told["question"] == ours.question
    assert told["feasible"] is True
    assert told["columns"]["hardware"] == ours.table.column("hardware")[:8]
    assert told["columns"]["rent"][0] == pytest.approx(ours.best.rent.m_as("USD"), rel=1e-4)
    assert (told["binds"], told["changes"]) == (ours.binds, [*ours.changes])
    assert told["notes"] == [*ours.notes]
    none = table["plan"].call({"model": "Llama3_70B", "devices": ["ESP32_S3"], "rate": 1})
    assert [*none] == ["question", "feasible", "reason", "notes"]
    assert none["feasible"] is False
    assert none["reason"].startswith("No device will do. ESP32_S3: ")


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


def test_a_sweep_that_would_take_too_long_is_refused(table, monkeypatch):
    """Two devices, three batches, two precisions and five contexts are 60 points."""
    axes = {"hardware": ["H100", "A100"], "batch_sizes": [2, 3, 5], "precisions": ["fp16", "fp8"]}
    asked = {"model": "GPT2", **axes, "seq_lens": [64, 65, 66, 67, 68]}
    assert MOST_POINTS == 100_000
    monkeypatch.setattr("mlsysim.mcp.tools.MOST_POINTS", 60)
    assert table["sweep"].call(asked)["points"] == 60
    monkeypatch.setattr("mlsysim.mcp.tools.MOST_POINTS", 59)
    with pytest.raises(MLSysError) as caught:
        table["sweep"].call(asked)
    said = "points cannot be 60: a sweep works out at most 59; shorten a list."
    assert str(caught.value) == said


def test_a_sweep_is_ranked_by_what_is_asked_for_and_what_nobody_knows_comes_last(table):
    """Of one decode step the faster memory is the faster device: 3.35, 2.04 and 0.32 TB/s.

    A step that takes 70 W of a T4 for longer takes less than one of 700 W. Nobody has published
    what the microcontroller draws, and the model does not fit it either.
    """
    asked = {"model": "GPT2", "precisions": ["int8"]}
    asked["hardware"] = ["STM32F746", "A100", "T4", "H100"]
    by_energy, by_latency = (
        table["sweep"].call({**asked, "order": order})["columns"] for order in ("energy", "latency")
    )
    assert by_latency["hardware"] == ["H100", "A100", "T4", "STM32F746"]
    assert by_energy["hardware"] == ["A100", "T4", "H100", "STM32F746"]
    assert by_energy["energy"][-1] is None
    joules = dict(zip(by_latency["hardware"], by_latency["energy"], strict=True))
    times = dict(zip(by_latency["hardware"], by_latency["latency"], strict=True))
    for device, power in {"A100": 400, "T4": 70, "H100": 700}.items():
        assert joules[device] == pytest.approx(power * times[device] / 1e3, rel=1e-4)


def test_a_sweep_passes_on_all_that_it_is_told(table):
    how = {"efficiency": 0.3, "phase": "prefill", "stack": "ideal"}
    axes = {"hardware": ["A100"], "batch_sizes": [3], "precisions": ["fp8"], "seq_lens": [700]}
    row = table["sweep"].call({"model": "Llama3_8B", **axes, **how})["columns"]
    alone = {"hardware": "A100", "batch_size": 3, "precision": "fp8", "seq_len": 700, **how}
    step = table["solve"].call({"model": "Llama3_8B", **alone})
    assert row["latency"] == [step["latency"]["value"]]
    assert row["memory_required"] == [step["memory_required"]["value"]]
    trained = {"model": "ResNet50", "training": True}
    row = table["sweep"].call({**trained, "hardware": ["A100"], "batch_sizes": [7]})["columns"]
    step = table["solve"].call({**trained, "hardware": "A100", "batch_size": 7})
    assert row["latency"] == [step["latency"]["value"]]


def test_two_are_compared_with_why_and_three_without(table):
    how = {"model": "GPT2", "batch_size": 3, "precision": "int8", "stack": "ideal"}
    two = table["compare"].call({"things": ["A100", "H100"], **how})
    assert two["why"] == [*mlsysim.why("A100", "H100", **how).sentences]
    three = table["compare"].call({"things": ["A100", "H100", "T4"], **how})
    assert [*three] == ["columns", "units"]
    ours = mlsysim.compare(["A100", "H100", "T4"], **how)
    assert three == brief(json.loads(json.dumps(ours.to_dict())))


def test_a_config_becomes_a_model_that_can_be_asked(table):
    """The published sizes of Llama 3 8B, whose parameters its model card counts."""
    config = {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "vocab_size": 128256,
    }  # fmt: skip
    told = table["import_model"].call({"config": config, "name": "Mine"})
    assert [*told] == ["parameters", "model"]
    assert (told["parameters"], told["model"]["name"]) == (8_030_261_248, "Mine")
    pair = {"hardware": "H100"}
    mine = table["solve"].call({"model": told["model"], **pair})
    assert mine == table["solve"].call({"model": "Llama3_8B", **pair})


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


def test_an_entry_is_told_whole_each_value_with_its_source(table):
    """The fabric's file: a bandwidth of the network chapter, and two estimates."""
    told = table["look_up"].call({"name": "InfiniBand_NDR"})
    sources = told.pop("sources")
    assert told == {
        "layer": "systems",
        "shelf": "Fabrics",
        "entry": "InfiniBand_NDR",
        "name": "InfiniBand NDR",
        "spec": {
            "name": "InfiniBand NDR",
            "bandwidth": "400 Gbps",
            "latency": "1.5 µs",
            "topology": "fat_tree",
            "oversubscription": 1.0,
        },
        "values": [
            {"path": "bandwidth", "value": 400, "unit": "Gbps", "source": 0},
            {"path": "latency", "value": 1.5, "unit": "µs", "source": 1},
            {"path": "oversubscription", "value": 1.0, "unit": "", "source": 2},
        ],
    }
    assert [source["kind"] for source in sources] == ["repository", "estimate", "estimate"]
    assert {tuple(source)[:2] for source in sources} == {("kind", "ref")}
    # a source that several values share is told once
    h100 = table["look_up"].call({"name": "H100"})
    assert len({json.dumps(source) for source in h100["sources"]}) == len(h100["sources"])
    assert {value["source"] for value in h100["values"]} == {*range(len(h100["sources"]))}


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
            resources = (await client.list_resources()).resources
            listed = {str(each.uri) for each in resources}
            assert all(str(each.uri).endswith(f"/{each.name}") for each in resources)
            assert {each.mime_type for each in resources} == {"application/json"}
            assert [e.name for e in resources if "/stacks/" in str(e.uri)] == sorted(Stacks)
            held = (await client.read_resource("mlsysim://hardware/H100")).contents[0]
            with pytest.raises(MCPError, match=r"Layer hardware .* did you mean 'H100'") as missed:
                await client.read_resource("mlsysim://hardware/H10O")
            assert missed.value.error.code == -32602  # "invalid params" of JSON-RPC 2.0
            for elsewhere in ("mlsysim://../etc/passwd", "file:///etc/passwd"):
                with pytest.raises(MCPError):
                    await client.read_resource(elsewhere)
            assert (str(held.uri), held.mime_type) == (
                "mlsysim://hardware/H100", "application/json",
            )  # fmt: skip
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


MODEL, HOW_MANY = "what runs", "how many at a time; in training, in the whole fleet"
WIDTHS = ["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a4"]
LAYER = {"enum": [*LAYERS], "description": words()["layer"]}
WHOLE = {
    "explain": (
        ["before", "after"],
        {
            "before": {"type": "object", "description": "what solve takes, as a mapping"},
            "after": {"type": "object", "description": "the same for the other side"},
            "model": {"description": MODEL},
        },
    ),
    "compare": (
        ["things"],
        {
            "things": {
                "type": "array",
                "items": {"type": "string"},
                "description": "devices, clusters, scenarios or whole systems",
            },
            "model": {"description": MODEL},
            "batch_size": {"description": HOW_MANY},
            "precision": {"description": "of the weights: fp16, bf16, fp8, int8, int4 ..."},
            "stack": {"description": "ideal, or a stack of software"},
        },
    ),
    "sweep": (
        ["model", "hardware"],
        {
            "model": {"description": MODEL},
            "hardware": {
                "type": "array",
                "items": {"description": "a name in Hardware"},
                "description": "the device, such as H100",
            },
            "batch_sizes": {
                "type": "array", "items": {}, "default": [1.0], "description": "batches to try",
            },
            "precisions": {
                "type": "array",
                "items": {"enum": WIDTHS},
                "default": ["fp16"],
                "description": "widths to try",
            },
            "seq_lens": {
                "type": "array", "items": {}, "description": "lengths of context to try",
            },
            "efficiency": {"default": 0.5, "description": "part of the peak that is reached"},
            "phase": {
                "enum": ["decode", "prefill", "forward"],
                "description": "serve, decode, prefill, forward or train",
            },
            "training": {
                "type": "boolean",
                "description": "whether the step is forward, backward and update",
            },
            "stack": {"description": "ideal, or a stack of software"},
            "order": {
                "enum": ["throughput", "latency", "energy"],
                "default": "throughput",
                "description": "what rows are ranked by",
            },
            "limit": {"default": 10, "description": "rows to send back"},
        },
    ),
    "import_model": (
        ["config"],
        {
            "config": {"type": "object", "description": "a Hugging Face config.json, as a mapping"},
            "name": {"type": "string", "description": "what to call it"},
        },
    ),
    "zoo": (["layer"], {"layer": LAYER}),
    "look_up": (
        ["name"],
        {"name": {"type": "string", "description": "what to call it"}, "layer": LAYER},
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", WHOLE)
def test_what_a_tool_takes_is_told_in_as_few_words_as_will_do(table, tool):
    """A sentence, what it may be, and a default; of 1 and 0 and of names nothing needs be said."""
    required, properties = WHOLE[tool]
    told = {"type": "object", "properties": properties, "required": required}
    assert table[tool].takes == told


def test_a_section_of_a_system_has_the_keys_of_every_phase_each_with_its_sentence(table):
    whole = table["evaluate"].takes
    assert (whole["type"], whole["required"]) == ("object", ["system"])
    system = whole["properties"]["system"]
    assert system["type"] == ["object", "string"]
    assert system["description"] == "a mapping, YAML text or a scenario, as Capstone"
    kinds = {"workload": (Serve, Generate, Train), "fleet": (TrainingFleet,)}
    kinds |= {"environment": (EnvironmentSpec,)}
    assert [*system["properties"]] == [*kinds, "constraints"]
    for section, of in kinds.items():
        told = system["properties"][section]
        assert told["type"] == "object"
        assert told["properties"].keys() == {key for kind in of for key in kind.model_fields}
        for key, one in told["properties"].items():
            assert one["description"].partition(";")[0] == words()[key].partition(";")[0]
            assert {*one} <= {"description", "default", "enum", "type"}
    work, place = (system["properties"][name]["properties"] for name in ("workload", "fleet"))
    assert work["phase"]["enum"] == ["serve", "decode", "prefill", "forward", "train"]
    assert work["phase"]["description"].endswith("; what is asked of the model")
    said = {key: one["default"] for key, one in {**work, **place}.items() if "default" in one}
    assert said == {"precision": "fp16", "prompt": 2048, "tokens": 128, "kept_free": 0.1}
    assert place["recompute"]["enum"] == ["none", "selective", "full"]
    bounds = system["properties"]["constraints"]
    assert bounds["type"] == "array"
    serve, train = (
        bounds["description"].partition("Metrics of serve: ")[2].split("; of train also ")
    )
    metrics = {
        phase: [name for part in parts_of(phase) for name in part._fields]
        for phase in ("serve", "train")
    }
    unsaid = {"prefill_bottleneck", "decode_bottleneck", "datapath"}  # words, and twice the same
    unsaid |= {"tco_usd", "carbon_footprint_kg"}
    assert serve.split(", ") == [name for name in metrics["serve"] if name not in unsaid]
    assert train.split(", ") == [
        name for name in metrics["train"] if name not in {*unsaid, *metrics["serve"]}
    ]


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
            assert (client.server_info.name, client.server_info.version) == ("mlsysim", __version__)
            assert client.instructions == INSTRUCTIONS
            return (await client.list_tools()).tools

    told = [tool.model_dump(mode="json", exclude_none=True) for tool in anyio.run(listed)]
    sizes = {tool["name"]: len(json.dumps(tool, separators=(",", ":"))) for tool in told}
    assert sum(sizes.values()) <= 16_000, sizes
    assert {"plan", "compare", "import_model", "look_up"} <= sizes.keys()
    for tool in told:  # nothing is changed, and nobody else is asked
        assert tool["annotations"] == {"read_only_hint": True, "open_world_hint": False}
    about = {tool["name"]: tool["description"] for tool in told}
    assert about["solve"] == inspect.getdoc(SingleNodeModel).partition("\n\n")[0]
    assert about["zoo"] == inspect.getdoc(zoo)


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
    for (tool, how, part), answer in zip(MISTAKES, said, strict=True):
        sentence = answer.content[0].text
        assert answer.is_error, (tool, how)
        assert part in sentence, (tool, how, sentence)
        assert "\n" not in sentence
    assert not afterwards.is_error


SEVERAL = "give one, not several; sweep takes lists"
SENTENCES = [
    ("solve", {**PAIR, "batch_size": [1, 2]}, f"batch_size cannot be [1, 2]: {SEVERAL}."),
    ("solve", {**PAIR, "hardware": ["H100"]}, f"hardware cannot be ['H100']: {SEVERAL}."),
    ("solve", {**PAIR, "model": None}, "model cannot be None: solve needs one."),
    (
        "solve",
        {**PAIR, "bach_size": 2},
        "solve takes no argument 'bach_size': did you mean 'batch_size'?",
    ),
    (
        "explain",
        {"before": "A100", "after": PAIR},
        "before cannot be 'A100': give a mapping of what solve takes.",
    ),
    (
        "explain",
        {"before": PAIR, "after": 7},
        "after cannot be 7: give a mapping of what solve takes.",
    ),
    (
        "evaluate",
        {"system": "Capston"},
        "system cannot be 'Capston': give a mapping, its YAML text, or a scenario; "
        "did you mean 'Capstone'?",
    ),
    ("compare", {"things": []}, "things cannot be 'an empty list': give at least one."),
    ("sweep", {**PAIR, "hardware": []}, "hardware cannot be 'an empty list': give at least one."),
    (
        "sweep",
        {**PAIR, "hardware": ["H100"], "limit": 101},
        "limit cannot be 101: give a finite whole number of at least 1 and at most 100.",
    ),
    ("zoo", {"layer": "hardwear"}, "layer cannot be 'hardwear': did you mean 'hardware'?"),
    ("look_up", {"name": 5}, "name cannot be 5: give a name."),
    ("look_up", {"name": "H10O"}, "The registry has no entry 'H10O': did you mean 'H100'?"),
    ("look_up", {"name": "H100."}, "The registry has no entry 'H100.': did you mean 'H100'?"),
    (
        "look_up",
        {"name": "H10O", "layer": "hardware"},
        "Layer hardware has no entry 'H10O': did you mean 'H100'?",
    ),
]


@pytest.mark.parametrize(("tool", "arguments", "sentence"), SENTENCES)
def test_a_mistake_is_told_with_what_was_given_and_what_would_do(table, tool, arguments, sentence):
    with pytest.raises(MLSysError) as caught:
        table[tool].call(arguments)
    assert str(caught.value) == sentence


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
