"""Two things side by side: why one is faster, told from the parts of its time."""

from __future__ import annotations

import pytest

import mlsysim
from mlsysim import Engine, Scenarios
from mlsysim.cli import main
from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec


def served(**changes):
    work = {"model": "Llama3_8B", "prompt": 1000, "tokens": 100, "arrival_rate_qps": 5}
    fleet = {"hardware": changes.pop("hardware", "A100"), "count": changes.pop("count", 2)}
    name = f"{fleet['count']} {fleet['hardware']}"
    return SystemSpec.from_spec({"workload": {**work, **changes}, "fleet": fleet}, name=name)


def test_devices_are_explained_by_the_engine():
    ours = mlsysim.why("A100", "L40S", "Llama3_8B")
    # decode follows the bandwidth: 864 GB/s against 2,039
    assert ours.speedup == pytest.approx(864 / 2039, rel=0.02)
    theirs = Engine.explain({"hardware": "A100"}, {"hardware": "L40S"}, model="Llama3_8B")
    assert str(ours) == str(theirs)


def test_a_system_is_taken_apart_and_the_parts_add_up_to_the_difference():
    one, other = served(), served(hardware="H100")
    found = mlsysim.why(one, other)
    was, now = (judge(each).metrics["latency"].m_as("s") for each in (one, other))
    assert found.speedup == pytest.approx(was / now)
    assert sum(found.parts.values()) == pytest.approx(now - was)
    assert found.changed == {"fleet.hardware": ("A100", "H100")}
    assert "less goes to the other tokens" in str(found)
    assert "fleet.hardware A100 -> H100" in str(found)


def test_half_the_devices_are_told_as_half():
    found = mlsysim.why(served(), served(count=1))
    assert found.speedup < 1
    assert "1 in place of 2: 0.50x the devices" in str(found)


def test_fleets_are_compared_on_a_step_of_training():
    found = mlsysim.why("Research_256", "Training_1K", "Llama3_70B", batch_size=2048)
    assert "a step of training" in found.sentences[0]
    assert found.speedup > 1
    assert "gradients" in str(found) or "own work" in str(found)


def test_what_goes_round_between_parts_of_a_sequence_is_a_part_of_the_step():
    """Was wrong: of 0.2 s more a step the parts knew a sixteenth."""
    work = {"model": "Llama3_8B", "phase": "train", "batch_size": 64, "seq_len": 8192}
    fleet = {"hardware": "H100", "count": 8, "tensor_parallel": 2, "context_parallel": 1}
    one = SystemSpec.from_spec({"workload": work, "fleet": fleet})
    other = one.changed({"fleet.context_parallel": 4})
    found = mlsysim.why(one, other)
    was, now = (judge(each).metrics["step_time"].m_as("s") for each in (one, other))
    assert sum(found.parts.values()) == pytest.approx(now - was)
    assert max(found.parts, key=lambda part: found.parts[part]) == "keys and values that go round"


def test_scenarios_are_whole_systems():
    scenario = Scenarios["Capstone"]
    found = mlsysim.why("Capstone", scenario.changed({"fleet.hardware": "H200"}))
    assert found.changed == {"fleet.hardware": ("H100", "H200")}
    # 80 H100 do not keep up with these requests, so there is no time to compare
    assert found.speedup is None
    assert "is infeasible: Requests arrive" in str(found)
    table = mlsysim.compare(["Capstone", "FirstLook"])
    assert table.column("system").__len__() == 2
    assert "verdict" in table.columns


def test_several_devices_stand_in_one_table():
    table = mlsysim.compare(["A100", "H100", "T4"], "Llama3_8B")
    assert table.column("device") == ["A100", "H100", "T4"]
    one = Engine.solve("Llama3_8B", "H100")
    assert table.column("latency")[1] == pytest.approx(one.latency.m_as(table.units["latency"]))
    assert table.column("fits") == [True, True, False]  # 16 GB of weights in 16.1 GB


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: mlsysim.why("A100", "H100"), "give model="),
        (lambda: mlsysim.why("A100", "nonsense", "Llama3_8B"), "no such file"),
        (
            lambda: mlsysim.why(served(), "Research_256", "Llama3_8B"),
            "compare two that train, or two that answer",
        ),
    ],
)
def test_what_cannot_be_compared_is_an_error(ask, said):
    with pytest.raises((BadArgument, InvalidEntry), match=said):
        ask()


def test_the_commands_say_the_same(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["why", "A100", "L40S", "--model", "Llama3_8B"]) == 0
    assert capsys.readouterr().out.strip() == str(mlsysim.why("A100", "L40S", "Llama3_8B"))
    assert main(["compare", "A100", "H100", "--model", "Llama3_8B"]) == 0
    assert "H100" in capsys.readouterr().out
    assert main(["why", "A100", "H100"]) == 2
    assert "give model=" in capsys.readouterr().err
