"""The front door gives the answers of the solver behind it, to people and to programs."""

from __future__ import annotations

import inspect
import json
import pydoc

import pytest

from mlsysim import Engine, Hardware, Models, SingleNodeModel
from mlsysim.core.errors import BadArgument, UnknownArgument
from mlsysim.core.units import parse


def test_the_engine_is_the_single_node_model(llama, h100):
    ask = {"batch_size": 4, "seq_len": 512, "precision": "int8", "efficiency": 0.4}
    found = Engine.solve(llama, h100, **ask)
    assert found == SingleNodeModel().solve(llama, h100, **ask)
    # a byte for each weight but those of the table of embeddings (four rows of it) and of the
    # norms, and 4 x 512 tokens of 131,072 B of cache, at 3.35 TB/s; and the launch
    weights = 8_030_261_248 - 128_256 * 4096 + 4 * 4096 - 65 * 4096
    by_hand = (weights + 4 * 512 * 131_072) / 3.35e12 + 10e-6
    assert found.latency.m_as("s") == pytest.approx(by_hand)
    assert found.latency.magnitude == pytest.approx(2.330, abs=0.001)  # shown in ms


def test_the_front_door_shows_its_arguments_and_the_solvers_defaults():
    shown = inspect.signature(Engine.solve).parameters
    assert [*shown] == list(SingleNodeModel.accepts)
    assert {name: shown[name].default for name in SingleNodeModel.defaults} == {
        "batch_size": 1.0,
        "seq_len": None,
        "precision": "fp16",
        "kv_precision": None,
        "efficiency": 0.5,
        "phase": None,
        "training": False,
        "optimizer": "adam",
        "recompute": "none",
        "lora_rank": None,
        "base_precision": None,
        "stack": None,
    }
    assert [*inspect.signature(Engine.explain).parameters] == ["before", "after", "model", "names"]
    assert pydoc.render_doc(Engine, renderer=pydoc.plaintext).count("batch_size: ") == 1


def test_a_sweep_takes_the_defaults_of_one_solve(llama, h100):
    (row,) = Engine.sweep(llama, h100)
    assert row["profile"] == Engine.solve(llama, h100)


def test_model_and_hardware_may_be_named(llama, h100):
    assert Engine.solve(model=llama, hardware=h100) == Engine.solve(llama, h100)


def test_the_summary_names_roof_time_and_fit(llama, h100):
    lines = dict(line.split("  ", 1) for line in Engine.solve(llama, h100).summary().splitlines())
    assert lines["bottleneck"].strip() == "Memory"
    assert lines["feasible"].strip() == "yes"
    assert parse(lines["latency"].strip()).m_as("ms") == pytest.approx(4.57, rel=1e-2)


@pytest.mark.parametrize("name", [*Hardware])
def test_every_device_answers_for_a_small_model_in_strict_json(name):
    device = Hardware[name]
    p = Engine.solve(Models.Tiny.KeywordSpotting, device, precision="int8")
    assert p.latency.m_as("s") > 0
    assert p.bottleneck in ("Compute", "Memory", "Overhead")
    assert p.feasible
    json.loads(p.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize("name", [*Models])
@pytest.mark.parametrize("training", [False, True])
def test_every_model_answers_on_an_h100(name, training, h100):
    p = Engine.solve(Models[name], h100, training=training)
    assert p.latency.m_as("s") > 0
    assert bool(p.reason) != bool(p.feasible)


def test_wrong_questions_are_refused_at_the_front_door(llama, h100):
    with pytest.raises(UnknownArgument, match="did you mean 'batch_size'"):
        Engine.solve(llama, h100, batchsize=2)
    with pytest.raises(BadArgument, match="hardware cannot be 'H10O': did you mean 'H100'"):
        Engine.solve(llama, "H10O")
    with pytest.raises(TypeError, match="hardware"):
        Engine.solve(llama)  # type: ignore[call-arg]


def test_one_answer_takes_no_other_path_than_a_thousand(llama, h100):
    many = Engine.solve(llama, h100, batch_size=[1] * 3)
    assert many.shape == (3,)
    assert {row.si("latency") for row in many} == {Engine.solve(llama, h100).si("latency")}
