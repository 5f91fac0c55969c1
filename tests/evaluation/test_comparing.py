"""Two things side by side: why one is faster, told from the parts of its time."""

from __future__ import annotations

import pytest

import mlsysim
from mlsysim import Engine, Scenarios
from mlsysim.cli import main
from mlsysim.core.errors import BadArgument, InvalidEntry
from mlsysim.core.solver import show
from mlsysim.core.units import Q_
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


# ---- whole sentences -----------------------------------------------------------------------------


def test_a_difference_is_told_from_the_whole_to_its_parts_and_what_it_costs():
    """In the order of a person's questions: how much, what differs, where time goes, and why."""
    one, other = served(), served(hardware="H100", count=3, prompt=6000, tokens=60)
    found, old, new = mlsysim.why(one, other), judge(one), judge(other)
    was, now = (each.metrics["latency"].m_as("s") for each in (old, new))
    first = [each.metrics["ttft"].m_as("s") for each in (old, new)]
    rest = [was - first[0], now - first[1]]
    more = first[1] - first[0]
    assert rest[0] - rest[1] > abs(more) > 0.02 * was  # the larger part is told first
    assert found.sentences == (
        f"2 A100 takes {show(Q_(was, 's'))} for a request and 3 H100 {show(Q_(now, 's'))}: "
        f"{was / now:.2f}x as fast.",
        "They differ in workload.prompt 1000 -> 6000, workload.tokens 100 -> 60, "
        "fleet.hardware A100 -> H100, fleet.count 2 -> 3.",
        f"{show(Q_(rest[0] - rest[1], 's'))} less goes to the other tokens.",
        f"{show(Q_(abs(more), 's'))} {'more' if more > 0 else 'less'} goes to the first token, "
        "waiting included.",
        f"Wall 2, Memory, binds both. {new.why}",
        "3 in place of 2: 1.50x the devices.",
    )
    assert found.parts == pytest.approx(
        {"the first token, waiting included": more, "the other tokens": rest[1] - rest[0]}
    )


def test_the_same_twice_takes_the_same_and_nothing_else_is_said():
    one = served()
    latency = show(judge(one).metrics["latency"])
    assert mlsysim.why(one, one).sentences == (
        f"before takes {latency} for a request and after {latency}: 1.00x as fast.",
        f"Wall 2, Memory, binds both. {judge(one).why}",
    )


def test_a_step_is_told_by_its_roofs_and_money_and_carbon_by_their_ratios():
    def placed(hardware, grid, *limits):
        work = {"model": "GPT2", "phase": "decode", "batch_size": 2}
        place = {"grid": grid, "duration": "1 year"}
        system = {"workload": work, "fleet": {"hardware": hardware}, "environment": place}
        return SystemSpec.from_spec({**system, "constraints": [*limits]})

    limits = ("latency < 1 us", "throughput > 1e9 1/s", "devices < 2")
    one, other = placed("H100", "Quebec"), placed("A100", "Poland", *limits)
    old, new = (judge(each).metrics for each in (one, other))
    # arithmetic is under a twentieth of the step, which is not worth a sentence
    dispatch, moving = (
        show((new[name] - old[name]).to(unit))
        for name, unit in (("overhead", "us"), ("memory_time", "us"))
    )
    ratios = [(new[name] / old[name]).m_as("") for name in ("latency", "tco", "carbon")]
    tco, carbon = ([show(each[name]) for each in (new, old)] for name in ("tco", "carbon"))
    assert mlsysim.why(one, other).sentences == (
        f"before takes {show(old['latency'])} for a step and after {show(new['latency'])}: "
        f"{1 / ratios[0]:.2f}x as fast.",
        "They differ in fleet.hardware H100 -> A100, environment.grid Quebec -> Poland.",
        f"{dispatch} more goes to dispatch.",
        f"{moving} more goes to moving bytes.",
        "Wall 3, Software, binds both. The step waits for the dispatch of its kernels.",
        f"{tco[0]} in place of {tco[1]}: {ratios[1]:.2f}x the dollars.",
        f"{carbon[0]} in place of {carbon[1]}: {ratios[2]:.2f}x the carbon.",
        "after breaks latency < 1 us and throughput > 1e9 1/s.",
    )


def test_what_does_not_keep_up_is_told_without_a_time():
    one, other = served(), served(arrival_rate_qps=500)
    reason = judge(other).reason
    found = mlsysim.why(one, other)
    assert (found.speedup, found.parts) == (None, {})
    assert found.sentences == (
        "They differ in workload.arrival_rate_qps 5 1/s -> 500 1/s.",
        "Wall 2, Memory, bound it; now 7, Tail latency, does.",
        reason,
        f"after is infeasible: {reason}",
    )
    back = mlsysim.why(other, one)
    assert back.sentences[-1] == f"before is infeasible: {reason}"


def test_a_table_has_the_columns_of_its_phases_and_those_that_somebody_knows():
    """Of what trains, serves and steps: each phase's own, then memory, money and carbon."""
    last = ["memory_required", "memory_capacity"]
    serving = ["devices", "ttft", "itl", "latency", "requests", "utilization"]
    training = ["devices", "step_time", "mfu", "goodput"]
    head = ["system", "verdict", "wall"]
    doorbell = Scenarios["Doorbell"]
    of = {
        (served(),): [*serving, *last],
        (doorbell,): ["devices", "latency", "throughput", "requests", *last],
        (served(), doorbell): [*serving, *last, "throughput"],
        (doorbell, served()): [
            *("devices", "latency", "throughput", "requests"), *last, "ttft", "itl", "utilization",
        ],
        (Scenarios["Llama3_405B_training"],): [
            *training[:3], "elapsed_time", "goodput", *last, "tco", "carbon",
        ],
    }  # fmt: skip
    for systems, columns in of.items():
        assert [*mlsysim.compare(systems).columns] == [*head, *columns]
    fleets = mlsysim.compare(["Research_256", "Training_1K"], "Llama3_8B", batch_size=2048)
    assert [*fleets.columns] == [*head, *training, *last]
    assert [*fleets.column("devices")] == [256, 1024]
    table = mlsysim.compare([served(count=3), served(arrival_rate_qps=500)])
    assert table.column("verdict") == ["feasible", "infeasible"]
    assert table.column("wall") == ["Memory", "Tail latency"]
    assert table.column("system") == ["3 A100", "2 A100"]
    devices = mlsysim.compare(["A100", "H100"], "Llama3_8B")
    step = ["bottleneck", "latency", "throughput", "mfu", *last]
    assert [*devices.columns] == ["device", "fits", *step]


def test_nothing_to_compare_is_refused():
    with pytest.raises(
        BadArgument, match=r"^things cannot be 'an empty list': give at least one\.$"
    ):
        mlsysim.compare([], "Llama3_8B")


def test_a_device_beside_a_system_is_a_fleet_of_one_that_trains():
    work = {"model": "GPT2", "phase": "train", "batch_size": 64}
    one = SystemSpec.from_spec({"workload": work, "fleet": {"hardware": "A100"}}, name="mine")
    found = mlsysim.why(one, "H100", "GPT2", batch_size=64)
    assert found.changed == {"fleet.hardware": ("A100", "H100")}
    assert found.sentences[0].startswith("mine takes ")
    mapped = mlsysim.why(
        {"workload": work, "fleet": {"hardware": "A100"}}, "H100", "GPT2", batch_size=64
    )
    assert mapped.changed == found.changed


def test_what_only_one_side_knows_is_not_compared():
    """Money of a year beside none; an edge that does not keep up beside one that does."""
    bought = SystemSpec.from_spec(
        {
            "workload": {"model": "GPT2", "phase": "decode"},
            "fleet": {"hardware": "H100"},
            "environment": {"duration": "1 year"},
        }
    )
    free = bought.changed({"environment.duration": None})
    for sides in ((bought, free), (free, bought)):
        assert "dollars" not in str(mlsysim.why(*sides))
    assert mlsysim.why(bought, free).changed == {"environment.duration": ("1 yr", "-")}


def test_a_part_is_worth_a_sentence_where_it_is_a_twentieth_of_the_slower():
    """38 ms are a fifteenth of the faster request's time, and a forty-fifth of the slower's."""
    one, other = served(), served(hardware="H100", count=3, prompt=1500, tokens=60)
    found = mlsysim.why(one, other)
    was, now = (judge(each).metrics["latency"].m_as("s") for each in (one, other))
    part = abs(found.parts["the first token, waiting included"])
    assert 0.05 * now < part < 0.05 * was
    assert "first token" not in str(found)
    assert "less goes to the other tokens" in str(found)
