"""The desk: from one sentence to a fleet and a bill, held against arithmetic and other planners."""

from __future__ import annotations

import json
import re
from math import inf

import pytest

import mlsysim
from mlsysim import Hardware, Infrastructure
from mlsysim.cli import main
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.evaluation import judge
from mlsysim.evaluation.planned import PlannedRun
from mlsysim.evaluation.spec import SystemSpec

QUESTION = {"rate": 50, "prompt": 2000, "tokens": 300, "ttft": "500 ms", "weights": "fp8"}
HOURS = 365.25 * 24 / 12  # of a month


@pytest.fixture(scope="module")
def h200():
    return mlsysim.plan("Llama3_70B", "H200", **QUESTION)


def test_2_1_how_many_gpus_is_near_what_the_best_peer_says(h200):
    # aiconfigurator 0.12.0 says 28 H200 (20 disaggregated), in TTFT without a queue; the advice
    # was 232 once. 26.6 at 70 % load by hand, from one prefill and the steps of 64 together.
    assert 20 <= h200.best.devices <= 40
    assert h200.best.p99_ttft.m_as("ms") <= 500
    assert h200.best.load <= 0.8


def test_2_2_the_first_token_is_promised_with_its_queue(h200):
    best = h200.best
    alone = mlsysim.plan("Llama3_70B", "H200", **{**QUESTION, "rate": 0.01}).best
    assert alone.p99_ttft < 1.15 * alone.p50_ttft  # at most a step in flight is before it
    assert best.p99_ttft > 2 * best.p50_ttft


def test_2_4_rent_and_owning_stand_side_by_side_with_where_they_break_even(h200):
    best = h200.best
    hourly = min(
        price.hourly
        for price in map(Infrastructure.Prices.__getitem__, Infrastructure.Prices)
        if price.accelerator == "H200"
    )
    by_hand = 32 * hourly.m_as("USD/hour") * HOURS
    assert best.devices == 32
    assert best.rent.m_as("USD") == pytest.approx(by_hand)
    assert best.breakeven == pytest.approx(best.buy / best.rent)
    # a third of a 36th of the price of 32 devices, 2.5 times over, and electricity on top
    owned = 2.5 * 32 * Hardware.H200.unit_cost.m_as("USD") / 36
    assert owned < best.buy.m_as("USD") < 1.2 * owned


def test_what_is_promised_holds_when_the_system_is_judged(h200):
    for each in h200.systems:
        work = {"model": "Llama3_70B", "prompt": 2000, "tokens": 300, "precision": "fp8"}
        fleet = {key.removeprefix("fleet."): v for key, v in each.change.items() if "fleet" in key}
        system = {"workload": {**work, "arrival_rate_qps": 50}, "fleet": fleet}
        judged = judge(SystemSpec.from_spec(system)).metrics
        assert judged["p99_ttft"].m_as("ms") == pytest.approx(each.p99_ttft.m_as("ms"))
        assert judged["devices"] == each.devices


def test_the_front_of_the_whole_zoo_has_nothing_that_another_beats_by_much():
    seen = []
    question = {**QUESTION, "rate": 5}  # of a model that few devices hold, which is soon searched
    found = mlsysim.plan("Llama3_405B", **question, progress=lambda *at: seen.append(at))
    named = mlsysim.plan("Llama3_405B", "H200", **question)
    assert found.best.cost <= min(each.cost for each in (*found.systems, *named.systems))
    assert len({each.hardware for each in found.systems}) > 1
    for one in found.systems:
        for other in found.systems:
            ratios = [getattr(one, n) / getattr(other, n) for n in ("cost", "p99_ttft", "itl")]
            assert other is one or min(ratios) < 1.06  # somewhere it is as good, or better
    assert [done for done, _ in seen] == [*range(1, len(seen) + 1)]  # it says how far it is
    assert seen[-1][0] <= seen[-1][1]
    assert "not one request fits" in found.rejected["ESP32_S3"]
    assert "its datapaths are int8" in found.rejected["Coral_EdgeTPU"]


def test_what_would_change_the_choice_is_worked_out(h200):
    said = "\n".join(h200.changes)
    loose = mlsysim.plan("Llama3_70B", "H200", **{**QUESTION, "ttft": None}).best
    double = mlsysim.plan("Llama3_70B", "H200", **{**QUESTION, "rate": 100}).best
    assert f"twice the rate: {int(double.devices)} H200" in said
    assert loose.cost <= h200.best.cost


def test_a_budget_that_is_too_small_says_what_it_takes():
    found = mlsysim.plan("Llama3_70B", "H200", **QUESTION, budget="1000 USD")
    assert not found.feasible
    assert "more than the budget" in found.reason
    assert mlsysim.plan("Llama3_70B", "H200", **QUESTION, budget="100000 USD").feasible


def test_a_bound_that_nothing_keeps_is_an_answer():
    found = mlsysim.plan("Llama3_70B", ["H200", "nRF52840"], **{**QUESTION, "ttft": "5 ms"})
    assert (found.feasible, found.systems) == (False, ())
    assert "p99_ttft <= 0.005 s" in found.reason
    assert "nRF52840" in found.reason


def test_what_has_no_known_price_is_never_free():
    found = mlsysim.plan("Llama3_70B", ["H200", "MI355X"], **QUESTION)
    assert found.best.hardware == "H200"
    unknown = next(each for each in found.systems if each.hardware == "MI355X")
    assert (unknown.rent, unknown.buy, unknown.cost) == (None, None, None)
    assert "?" in str(found.table)


def test_carbon_is_that_of_the_region():
    here, there = (
        mlsysim.plan("Llama3_8B", "H100", rate=10, region=region).best
        for region in ("Quebec", "Poland")
    )
    ratio = (
        Infrastructure.Grids.Poland.carbon_intensity / Infrastructure.Grids.Quebec.carbon_intensity
    )
    assert (there.carbon / here.carbon).m_as("") == pytest.approx(ratio.m_as(""))
    assert there.energy == here.energy


# ---- training ------------------------------------------------------------------------------------


def test_a_run_is_planned_until_it_meets_its_deadline():
    late = mlsysim.plan("Llama3_8B", "H100", train=True, tokens=1e11)
    found = mlsysim.plan("Llama3_8B", "H100", train=True, tokens=1e11, deadline="10 days")
    assert isinstance(found.best, PlannedRun)
    assert found.best.elapsed_time.m_as("day") <= 10 < late.best.elapsed_time.m_as("day")
    # 6 FLOP a parameter and token, at the model's FLOP utilisation, and failures on top
    flop = 6 * 8.03e9 * 1e11
    rate = found.best.devices * 989e12 * found.best.mfu
    assert found.best.elapsed_time.m_as("s") == pytest.approx(flop / rate, rel=0.1)


def test_adapters_take_two_thirds_of_the_arithmetic_and_a_smaller_fleet():
    full, lora = (
        mlsysim.plan("Llama3_70B", "A100", train=True, tokens=1e8, lora_rank=rank).best
        for rank in (None, 16)
    )
    # 70 billion parameters train in 16 bytes each, and rest in 2
    assert lora.devices <= full.devices / 4
    hours = [each.devices * each.elapsed_time.m_as("hour") * each.mfu for each in (lora, full)]
    assert hours[0] / hours[1] == pytest.approx(4 / 6, rel=0.1)


# ---- doors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({}, "say how often requests arrive"),
        ({"rate": 0}, "rate cannot be 0"),
        ({"rate": 5, "lora_rank": 8}, "give train=True"),
        ({"train": True}, "say how many it trains on"),
        ({"train": True, "tokens": 1e9, "rate": 5}, "a training run has none"),
        ({"rate": 5, "ttft": 500}, "ttft cannot be 500"),
    ],
)
def test_a_malformed_question_says_what_would_do(asked, remedy):
    with pytest.raises(BadArgument, match=remedy):
        mlsysim.plan("Llama3_8B", "H100", **asked)


def test_an_unknown_device_is_named():
    with pytest.raises(UnknownName, match="did you mean 'H100'"):
        mlsysim.plan("Llama3_8B", ["H100", "H10O"], rate=1)


def test_the_command_prints_one_table_at_any_width_without_losing_a_digit(monkeypatch, capsys):
    words = ["plan", "Llama3_8B", "H100", "--rate", "10", "--ttft", "500 ms"]
    cells = None
    for columns in (60, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(words) == 0
        out = capsys.readouterr().out
        lines = out.splitlines()
        assert max(map(len, lines)) <= columns
        found = mlsysim.plan("Llama3_8B", "H100", rate=10, ttft="500 ms")
        cells = cells or [cell for row in found.table.cells() for cell in row]
        assert all(cell in out for cell in cells)


def test_the_command_answers_1_where_nothing_will_do_and_json_holds_the_rows(capsys):
    assert main(["plan", "Llama3_70B", "ESP32_S3", "--rate", "1"]) == 1
    assert "No device will do" in capsys.readouterr().out
    assert main(["plan", "Llama3_8B", "H100", "--rate", "10", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["systems"][0]["rent"]["unit"] == "USD"
    assert found["systems"][0]["devices"] < inf


def test_a_page_shows_which_bound_each_system_is_nearest_to(h200):
    page = h200._repr_html_()
    told = re.findall(r"<td>(load|p99 ttft), (\d+)%<div style=\"width:([\d.]+)em", page)
    assert len(told) == len(h200.systems)
    for each, (name, part, width) in zip(h200.systems, told, strict=True):
        parts = {"load": each.load / 0.8, "p99 ttft": each.p99_ttft.m_as("ms") / 500}
        assert name == max(parts, key=lambda name: parts[name])
        assert int(part) == round(100 * parts[name])
        assert float(width) == pytest.approx(12 * parts[name], abs=0.01)
    runs = mlsysim.plan("Llama3_8B", "H100", train=True, tokens=2e9, deadline="1 day")
    taken = runs.best.elapsed_time.m_as("day")
    assert f"deadline, {taken:.0%}" in runs._repr_html_()
