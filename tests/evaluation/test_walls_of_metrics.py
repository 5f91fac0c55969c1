"""The wall that a constraint stands against, and what ends a run."""

from __future__ import annotations

import pytest

from mlsysim import Stacks
from mlsysim.core.solver import show
from mlsysim.evaluation import judge
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.solvers import ParallelismOptimizer
from mlsysim.stacks.ranges import Within, chance

SERVING = """
workload: {model: Llama3_8B, phase: decode, batch_size: 1, arrival_rate_qps: 1}
fleet: {node: DGX_H100, count: 1}
environment: {grid: Quebec, facility: Hyperscale, duration: 30 days}
"""
TRAINING = """
workload: {model: Llama3_8B, phase: train, batch_size: 1024}
fleet: {node: DGX_H100, count: 16, fabric: InfiniBand_NDR, %s}
"""


@pytest.mark.parametrize(
    ("metric", "wall"), [("weights", 2), ("utilization", 7), ("tco", 17), ("carbon", 18)]
)
def test_a_bound_on_a_metric_stands_against_the_wall_of_that_metric(metric, wall):
    bound = {"weights": "1 TB", "utilization": "2", "tco": "1e9 USD", "carbon": "1e9 t"}[metric]
    (kept,) = judge(
        SystemSpec.from_text(f"{SERVING}constraints: [{metric} < {bound}]\n")
    ).constraints
    assert (kept["metric"], kept["wall"], kept["satisfied"]) == (metric, wall, True)


def test_a_fleet_that_fails_all_the_time_never_ends_its_run():
    found = judge(SystemSpec.from_text(TRAINING % "mtbf: 10 s"))
    assert (found.verdict, found.wall) == ("infeasible", 15)
    assert "fails every" in found.reason


def test_a_fleet_that_fails_now_and_then_does():
    assert judge(SystemSpec.from_text(TRAINING % "mtbf: 10 hour")).verdict == "feasible"


# ---- a verdict on paper --------------------------------------------------------------------------


def serving(*limits, **work):
    work = {"model": "Llama3_8B", "arrival_rate_qps": 3, **work}
    spec = {"workload": work, "fleet": {"hardware": "H100"}, "constraints": [*limits]}
    return judge(SystemSpec.from_spec(spec))


def test_a_margin_is_room_and_only_times_and_rates_have_a_chance():
    """At a measured stack; what is counted, held or said in words is as sure as the model is."""
    limits = ["itl < 20 ms", "throughput > 300 1/s", "devices < 5", "memory_required < 80 GB"]
    limits += ["decode_bottleneck == Memory", "itl != 5 ms", "utilization >= 0.5"]
    found = serving(*limits)
    itl, rate, count, held, word, other, load = found.constraints
    values, within = found.metrics, Within(Stacks.trtllm.spread.half, Stacks.trtllm.spread.most)
    step = values["itl"].m_as("ms")
    assert itl["margin"] == pytest.approx((20 - step) / 20)
    assert itl["probability"] == pytest.approx(chance(within, 20 / step))
    # 3 requests of 128 tokens a second
    assert rate["margin"] == pytest.approx((384 - 300) / 300)
    assert rate["probability"] == pytest.approx(1 - chance(within, 300 / 384))
    assert count["margin"] == pytest.approx(4 / 5)
    needs = values["memory_required"].m_as("GB")
    assert held["margin"] == pytest.approx((80 - needs) / 80)
    assert load["margin"] == pytest.approx((values["utilization"] - 0.5) / 0.5)
    assert [each["margin"] for each in (word, other)] == [None, None]
    assert {each["probability"] for each in (count, held, word, other, load)} == {None}
    assert [each["satisfied"] for each in found.constraints] == [True] * 6 + [False]
    assert found.violated == ("utilization >= 0.5",)
    told = found.summary().splitlines()
    assert told[:2] == ["system (serve): violated", f"  bottleneck   wall 2, Memory. {found.why}"]
    room, sure = f"margin {itl['margin']:+.0%}", f"kept with {itl['probability']:.0%}"
    assert told[2] == f"  kept         itl < 20 ms: {show(values['itl'])}, {room}, {sure}"
    assert told[6] == "  kept         decode_bottleneck == Memory: Memory"
    assert told[8].startswith("  BROKEN       utilization >= 0.5: ")
    assert told[9] == ""  # what is feasible needs no head
    assert told[10] == f"  ttft                     {show(values['ttft'])}"
    assert told[-len(found.notes) :] == [f"  note: {note}" for note in found.notes]


@pytest.mark.parametrize(
    ("limit", "margin"),
    [("devices <= 0", None), ("devices > -2", 1.5), ("devices < 1", 0), ("devices >= 4", -0.75)],
)
def test_a_bound_of_nothing_has_no_margin_and_one_below_it_has(limit, margin):
    (kept,) = serving(limit).constraints  # of one device
    assert kept["margin"] == margin


@pytest.mark.parametrize("part", ["tco", "carbon"])
def test_what_cannot_be_known_is_noted_unless_it_is_asked_for(part):
    """No price was ever published of what is only rented; a grid gives carbon where power is."""
    fleet = {"hardware": "TPU_v5p"} if part == "tco" else {"hardware": "STM32F746"}
    work = {"model": "Llama3_8B" if part == "tco" else "PersonDetection", "precision": "int8"}
    place = {"grid": "Quebec", "duration": "1 year"}
    found = judge(SystemSpec.from_spec({"workload": work, "fleet": fleet, "environment": place}))
    start = {"tco": "not priced: ", "carbon": "carbon unknown: "}[part]
    assert sum(note.startswith(start) for note in found.notes) == 1
    assert part not in found.metrics


def test_what_takes_most_of_a_runs_time_is_told_with_its_part():
    """Of eight devices that divide each layer of 64 short sequences half of the time is talk."""
    work = {"model": "Llama3_8B", "phase": "train", "batch_size": 64, "seq_len": 16}
    fleet = {"hardware": "H100", "count": 8, "tensor_parallel": 8}
    found = judge(SystemSpec.from_spec({"workload": work, "fleet": fleet}))
    values = found.metrics
    busy = (values["compute_time"] / values["step_time"]).m_as("")
    waits, fails = values["goodput"] * (1 - busy), 1 - values["goodput"]
    assert waits > max(values["goodput"] * busy, fails)
    assert found.wall == 14
    assert found.why == f"{waits:.0%} of the time goes to devices that wait for each other."
    failing = {**fleet, "mtbf": "1 hour", "checkpoint_time": "20 min", "restart_time": "1 hour"}
    found = judge(SystemSpec.from_spec({"workload": work, "fleet": failing}))
    lost = 1 - found.metrics["goodput"]
    said = "failures, and the checkpoints against them"
    assert (found.wall, found.why) == (15, f"{lost:.0%} of the time goes to {said}.")
    long = {**work, "seq_len": 4096}
    found = judge(
        SystemSpec.from_spec({"workload": long, "fleet": {**fleet, "tensor_parallel": 2}})
    )
    values = found.metrics
    busy = values["goodput"] * (values["compute_time"] / values["step_time"]).m_as("")
    assert found.wall == 1
    assert found.why == f"{busy:.0%} of the time goes to each device's own work."


def test_of_what_cannot_be_a_bound_is_unknown_and_what_would_be_is_told_beneath():
    """A queue that only grows has no time; of a model that is too large the times are those if."""
    found = serving("p99_latency < 1 s", arrival_rate_qps=500)
    lines = found.summary().splitlines()
    assert lines[2] == "  unknown      p99_latency < 1 s: unknown"
    assert lines[3] == ""
    (kept,) = found.constraints
    assert [kept[key] for key in ("value", "satisfied", "margin", "probability")] == [None] * 4
    large = serving("itl < 1 s", model="Llama3_70B", arrival_rate_qps=None)
    lines = large.summary().splitlines()
    assert lines[3] == "  if it did fit:"
    assert large.exit_code == found.exit_code == 1


def test_a_run_that_waits_for_memory_says_which_wall():
    """One short sequence: each parameter is read for 16 tokens, and computed in a tenth of that."""
    work = {"model": "GPT2", "phase": "train", "batch_size": 1, "seq_len": 16}
    found = judge(SystemSpec.from_spec({"workload": work, "fleet": {"hardware": "H100"}}))
    values = found.metrics
    arithmetic = values["operations"].m_as("FLOP") / 989.4e12
    assert arithmetic < 0.1 * values["compute_time"].m_as("s")
    assert (found.wall, found.bottleneck) == (2, "Memory")
    share = values["goodput"] * (values["compute_time"] / values["step_time"]).m_as("")
    assert found.why == f"{share:.0%} of the time goes to each device's own work."


def test_a_run_that_no_plan_fits_meets_memory_or_what_cannot_be_divided():
    fleet = {"hardware": "T4", "count": 8}
    large = {"model": "Llama3_405B", "phase": "train", "batch_size": 64}
    odd = {"model": "ResNet50", "phase": "train", "batch_size": 7}
    for work, wall in ((large, 2), (odd, 14)):
        found = judge(SystemSpec.from_spec({"workload": work, "fleet": fleet}))
        assert (found.verdict, found.wall) == ("infeasible", wall)
        assert found.why == found.reason != ""
        assert found.metrics["devices"] == 8
    told = {"hardware": "T4", "count": 8, "tensor_parallel": 3}
    found = judge(SystemSpec.from_spec({"workload": {**large, "model": "GPT2"}, "fleet": told}))
    assert (found.verdict, found.wall) == ("infeasible", 14)


def test_the_plan_that_was_searched_for_is_noted_part_by_part():
    work = {"model": "Llama3_8B", "phase": "train", "batch_size": 64, "precision": "bf16"}
    system = SystemSpec.from_spec({"workload": work, "fleet": {"hardware": "H100", "count": 8}})
    best = ParallelismOptimizer().solve(
        "Llama3_8B", system.fleet.usable, batch_size=64, precision="bf16"
    )
    parts = {name: getattr(best, name) for name in ("zero_stage", "recompute", "interleave")}
    parts["context_parallel"] = best.context_parallel
    said = ", ".join(
        f"{name} {value if isinstance(value, str) else int(value)}" for name, value in parts.items()
    )
    note = f"the plan was searched for, among {best.considered:,}: {said}"
    assert judge(system).notes[0] == note
