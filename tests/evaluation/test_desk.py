"""The desk: from one sentence to a fleet and a bill, held against arithmetic and other planners."""

from __future__ import annotations

import json
import re
from math import inf

import pytest

import mlsysim
from mlsysim import Hardware, Infrastructure, Stacks
from mlsysim.cli import main
from mlsysim.core.errors import BadArgument, UnknownName
from mlsysim.core.solver import show
from mlsysim.evaluation import judge
from mlsysim.evaluation.planned import (
    Plan,
    PlannedFleet,
    PlannedRun,
    against,
    brief,
    money,
    weighed,
)
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.stacks.ranges import Within, chance

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


# ---- whole sentences -----------------------------------------------------------------------------

SMALL = {"rate": 7, "prompt": 300, "tokens": 50}
OWNED = (
    "owned for three years, all that is bought and hired beside accelerators included "
    "(2.5 times their price)"
)


@pytest.fixture(scope="module")
def small():
    how = {**SMALL, "ttft": "500 ms", "itl": "30 ms", "weights": "fp8", "region": "Quebec"}
    return mlsysim.plan("Llama3_8B", ["L40S", "H100"], **how)


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        (
            {**SMALL, "ttft": "500 ms", "itl": "30 ms", "weights": "fp8"},
            "Llama 3 8B in fp8, 7 requests a second of 300 + 50 tokens, "
            "99 % of first tokens within 500 ms, a token every 30 ms; money of a month",
        ),
        (
            {"rate": 0.5, "stack": "vllm"},
            "Llama 3 8B in fp16 on vllm, 0.5 requests a second of 2,048 + 128 tokens; "
            "money of a month",
        ),
        (
            {"train": True, "tokens": 3e9, "deadline": "36 hours"},
            "Llama 3 8B, training on 3e+09 tokens within 1.5 d; money of the run",
        ),
        (
            {"train": True, "tokens": 2e7, "lora_rank": 8, "weights": "int4", "stack": "megatron"},
            "Llama 3 8B, LoRA of rank 8 on megatron on 2e+07 tokens; money of the run",
        ),
    ],
)
def test_a_question_is_told_as_it_was_understood(asked, question):
    assert mlsysim.plan("Llama3_8B", ["H100"], **asked).question == question


def test_what_binds_the_cheapest_is_told_with_how_near_it_is_to_its_bounds(small):
    """The first token takes so many of 500 ms and each other one so many of 30 ms."""
    best = small.best
    within, each = best.p99_ttft.m_as("ms") / 500, best.itl.m_as("ms") / 30
    assert (best.hardware, best.devices, within < 0.2, 0.3 < each < 0.8) == ("L40S", 1, True, True)
    assert small.binds == (
        f"1 L40S (TP 1), {best.buy.m_as('USD'):.0f} USD: wall 2, Memory. {best.why} "
        f"p99_ttft is at {within:.0%} of its bound, kept with 100%; "
        f"itl is at {each:.0%} of its bound, kept with 100%."
    )
    assert f"<td>itl, {each:.0%}<div" in small._repr_html_()
    spread = Stacks.trtllm.spread
    assert small.notes == (
        "ranges are of 50 % and (90 %); a price goes with the times, since what is slower keeps "
        "its load on as many devices more",
        f"half of what was measured lay within {spread.half:.2f} times of what trtllm says, "
        f"nine of ten within {spread.most:.2f} times",
        f"energy and carbon as in Quebec; {OWNED}",
    )


def test_a_bound_that_is_hardly_kept_is_kept_with_the_chance_that_its_stack_gives(small):
    """Measured times lie below and above what is said alike: at 99.9 % of a bound about half do."""
    itl = small.best.itl.m_as("ms")
    found = mlsysim.plan("Llama3_8B", ["L40S"], **SMALL, weights="fp8", itl=f"{itl / 0.97} ms")
    sure = chance(found.best.si("_within"), 1 / 0.97)
    assert 0.5 < sure < 0.75
    assert found.binds.endswith(f"itl is at 97% of its bound, kept with {sure:.0%}.")
    free = mlsysim.plan("Llama3_8B", ["L40S"], **SMALL, weights="fp8")
    assert free.binds.endswith(free.best.why)


def test_what_would_change_it_is_told_in_sentences(small):
    """Another device must cost what the first does; twice the rate, no bound, other weights."""
    own, other = small.best, next(each for each in small.systems if each.hardware == "H100")
    less = 1 - own.cost / other.cost
    assert small.changes[0] == (
        f"H100 {less.m_as(''):.0%} cheaper would be the cheapest "
        f"(1 H100 (TP 1), {other.cost.m_as('USD'):,.0f} USD)"
    )
    # one L40S does all that is asked besides, so nothing else would change the choice
    assert small.changes[1:] == ()
    busy = mlsysim.plan(
        "Llama3_70B", ["H100"], **{**SMALL, "rate": 9}, ttft="150 ms", weights="fp8"
    )
    asked = {
        "weights in int4": {"weights": "int4"},
        "without 99 % of first tokens within 150 ms": {"ttft": None},
        "twice the rate": {"rate": 18},
    }
    said = []
    for words, change in asked.items():
        how = {**SMALL, "rate": 9, "ttft": "150 ms", "weights": "fp8", **change}
        best = mlsysim.plan("Llama3_70B", ["H100"], **how).best
        ratio = (best.cost / busy.best.cost).m_as("")
        if best is not None and (best.devices, best.plan) != (busy.best.devices, busy.best.plan):
            cost = f"{best.cost.m_as('USD'):,.0f} USD"
            said.append((f"{words}: {best.devices:g} H100 (TP", f"), {cost} ({ratio - 1:+.0%})"))
    assert len(busy.changes) == len(said) >= 2
    for sentence, (begins, ends) in zip(busy.changes, said, strict=True):
        assert sentence.startswith(begins)
        assert sentence.endswith(ends)


def test_a_budget_is_kept_to_the_dollar(small):
    cost = small.best.cost
    how = {**SMALL, "ttft": "500 ms", "itl": "30 ms", "weights": "fp8", "region": "Quebec"}
    same = mlsysim.plan("Llama3_8B", ["L40S"], **how, budget=cost)
    assert [each.cost for each in same.systems] == [cost]
    less = mlsysim.plan("Llama3_8B", ["L40S"], **how, budget=0.999 * cost)
    said = f"it costs {show(cost)}, and that is more than the budget"
    assert less.rejected == {"L40S": said}
    assert less.reason == f"No device will do. L40S: {said}."


def test_why_nothing_will_do_is_told_by_the_commonest_reasons():
    devices = ["ESP32_S3", "nRF52840", "STM32F746", "STM32H7A3", "T4", "Coral_EdgeTPU"]
    found = mlsysim.plan("Llama3_70B", devices, rate=1)
    none = "not one request fits on a replica"
    assert [found.rejected[name] for name in devices[:-1]] == [none] * 5
    first = [name for name in found.rejected if name != "Coral_EdgeTPU"][:3]
    assert found.reason == (
        f"No device will do. {', '.join(first)} and 2 more: {none}. "
        "Coral_EdgeTPU: Coral USB Accelerator (Edge TPU) cannot run precision='fp16': "
        "its datapaths are int8."
    )
    three = mlsysim.plan("Llama3_70B", devices[:3], rate=1)
    assert three.reason == f"No device will do. {', '.join(three.rejected)}: {none}."
    assert (three.binds, three.changes, three.best) == ("", (), None)
    assert three.words() == [three.reason]
    assert three.summary().endswith(three.reason)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tokens": 1e15, "deadline": "1 day"}, "it takes more than 100,000 of them"),
        ({"devices": ["ESP32_S3"], "tokens": 1e9}, "2 x ESP32-S3 has no known node.interconnect"),
    ],
)
def test_a_run_that_no_fleet_does_is_told_why(asked, said):
    asked = {"model": "Llama3_8B", "devices": ["H100"], **asked}
    found = mlsysim.plan(**asked, train=True)
    (reason,) = found.rejected.values()
    assert not found.feasible
    assert reason.startswith(said)


def test_money_energy_and_carbon_of_a_run_are_of_the_time_that_it_takes():
    """Rented by the hour; owned in 36 months, 2.5 times over, and its electricity besides."""
    best = mlsysim.plan("Llama3_8B", ["H100"], train=True, tokens=3e9, region="Poland").best
    hours = best.elapsed_time.m_as("hour")
    hourly = Infrastructure.Prices.H100_cloud.hourly.m_as("USD/hour")
    assert best.rent.m_as("USD") == pytest.approx(best.devices * hourly * hours)
    owned = 2.5 * best.devices * Hardware.H100.unit_cost.m_as("USD") * hours / (3 * 8766)
    assert owned < best.buy.m_as("USD") < 1.2 * owned
    assert best.breakeven == pytest.approx(best.buy.m_as("USD") / best.rent.m_as("USD"))
    poland = Infrastructure.Grids.Poland.carbon_intensity.m_as("t/MWh")
    assert best.carbon.m_as("t") == pytest.approx(best.energy.m_as("MWh") * poland, rel=1e-6)
    units = ("rent", "USD"), ("cost", "USD"), ("carbon", "t"), ("energy", "MWh")
    for name, unit in (*units, ("step_time", "s"), ("elapsed_time", "d")):
        assert f"{getattr(best, name).units:~}" == unit
    ways = [int(word) for word in best.plan.split()[1::2]]
    assert best.plan.split()[::2] == ["TP", "PP", "DP"]
    assert ways[0] * ways[1] * ways[2] == best.devices
    assert best.change == {"fleet.hardware": "H100", "fleet.count": int(best.devices)}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "rate cannot be None: say how often requests arrive, as in rate=50, or train=True."),
        *(
            (
                {"rate": 5, name: value},
                f"{name} cannot be {told}: only training has one; give train=True as well.",
            )
            for name, value, told in (
                ("deadline", "2 s", "2.0"),
                ("batch_size", 3, "3.0"),
                ("seq_len", 3, "3.0"),
                ("lora_rank", 3, "3.0"),
            )
        ),
        *(
            (
                {"train": True, "tokens": 1e9, name: value},
                f"{name} cannot be {told}: a training run has none; leave it out.",
            )
            for name, value, told in (
                ("rate", 5, "5.0"),
                ("ttft", "2 s", "2.0"),
                ("itl", "2 s", "2.0"),
                ("kv_precision", "fp8", "'fp8'"),
            )
        ),
        ({"train": True}, "tokens cannot be None: say how many it trains on, as in tokens=2e9."),
    ],
)
def test_what_a_question_lacks_or_has_no_use_for_is_named(asked, sentence):
    with pytest.raises(BadArgument) as caught:
        mlsysim.plan("Llama3_8B", ["H100"], **asked)
    assert str(caught.value) == sentence


def test_what_would_change_a_run_is_the_same_search_asked_again():
    """In half the time, in fp8, or with adapters: each the cheapest of its own question."""
    how = {"tokens": 3e9, "deadline": "4 days", "batch_size": 128, "seq_len": 2048, "train": True}
    run = mlsysim.plan("Llama3_8B", ["H100"], **how)
    asked = {
        "in half the time": {"deadline": "2 days"},
        "in fp8": {"weights": "fp8"},
        "LoRA of rank 16 instead": {"lora_rank": 16},
    }
    said = []
    for words, change in asked.items():
        best = mlsysim.plan("Llama3_8B", ["H100"], **{**how, **change}).best
        more = f"{(best.cost / run.best.cost).m_as('') - 1:+.0%}"
        if brief(best) != brief(run.best):
            said.append(f"{words}: {brief(best)} ({more})")
    assert [*run.changes] == said
    assert len(said) >= 2
    narrow = mlsysim.plan("Llama3_8B", ["H100"], **{**how, "weights": "fp8"})
    assert not [each for each in narrow.changes if "in fp8" in each]
    images = mlsysim.plan("ResNet50", ["H100"], train=True, tokens=1e6)
    assert not [each for each in images.changes if "LoRA" in each]
    adapters = {"tokens": 2e7, "lora_rank": 8, "weights": "int4"}
    adapted = mlsysim.plan("Llama3_8B", ["H100"], train=True, **adapters)
    assert adapted.changes == ()
    # adapters learn in 16 bits whatever the weights beneath them have
    assert [each.best.precision for each in (run, narrow, adapted)] == ["bf16", "fp8", "bf16"]


# ---- ways on paper -------------------------------------------------------------------------------


def fleet(hardware, devices, rent, buy, **more):
    """A way to serve, as a search would tell it."""
    known = {
        "hardware": hardware, "devices": devices, "plan": "TP 2", "precision": "fp8",
        "rent": rent, "buy": buy, "breakeven": None, "energy": None, "carbon": None,
        "wall": 2, "why": "It waits.", "change": {}, "_within": None, "_trust": (),
        "_bound": "load", "_part": 0.5, "load": 0.4, "p50_ttft": 0.05, "p99_ttft": 0.12,
        "itl": 0.03, "p99_latency": 7.0,
    }  # fmt: skip
    return PlannedFleet(**{**known, **more})


def test_a_way_costs_what_is_less_of_renting_and_owning():
    known = [fleet("A", 3, *each) for each in ((500, 700), (700, 500), (None, 900), (800, None))]
    assert [money(each) for each in known] == [500, 500, 900, 800]
    assert [each.cost.m_as("USD") for each in known] == [500, 500, 900, 800]
    nobody = fleet("A", 3, None, None)
    assert (nobody.cost, money(nobody)) == (None, inf)
    assert [brief(each) for each in (known[0], nobody)] == ["3 A (TP 2), 500 USD", "3 A (TP 2)"]
    assert brief(fleet("A", 1234, 1e6, None)) == "1,234 A (TP 2), 1,000,000 USD"
    assert against(known[2], known[0]) == " (+80%)"
    assert against(known[0], known[2]) == " (-44%)"
    assert against(nobody, known[0]) == ""
    assert weighed(known[0]) == (500, 0.12, 0.03)
    assert weighed(nobody) == (1e12, 0.12, 0.03)  # dearer than whatever has a price


def test_a_range_stands_around_each_time_and_price():
    """Within 2 times with 50 % and 4 times with 90 %; words go to four digits, and then whole."""
    way = fleet("A", 3, 5000, None, _within=Within(2.0, 4.0))
    assert [*way.ranges] == ["p50_ttft", "p99_ttft", "itl", "p99_latency", "rent", "cost"]
    low, high = way.ranges["itl"]["half"]
    assert (low.m_as("ms"), high.m_as("ms")) == (pytest.approx(15), pytest.approx(60))
    low, high = way.ranges["rent"]["most"]
    assert (low.m_as("USD"), high.m_as("USD")) == (pytest.approx(1250), pytest.approx(20_000))
    known = {"question": "?", "feasible": True, "reason": "", "binds": "A.", "rejected": {}}
    known |= {"considered": 2.0, "notes": ()}
    plain = fleet("B", 5, None, 300, energy=3.6e9, carbon=1e6)  # 1 MWh, 1 t
    plan = Plan(**known, systems=(way, plain), _others=lambda: ["more"])
    first, second = plan.spans
    assert first == {
        "hardware": "A", "devices": 3, "plan": "TP 2",
        "p50_ttft": "25-100 (12.5-200) ms", "p99_ttft": "60-240 (30-480) ms",
        "itl": "15-60 (7.5-120) ms", "p99_latency": "3.5-14 (1.75-28) s",
        "rent": "2,500-10,000 (1,250-20,000) USD", "cost": "2,500-10,000 (1,250-20,000) USD",
    }  # fmt: skip
    assert (second["hardware"], second["devices"], second["itl"]) == ("B", 5, None)
    shown = ["hardware", "devices", "plan", "precision", "load", "p50_ttft", "p99_ttft", "itl"]
    assert [*plan.table.columns] == [*shown, "rent", "buy", "breakeven", "energy", "carbon"]
    assert plan.table.units == {
        **dict.fromkeys(("p50_ttft", "p99_ttft", "itl"), "ms"),
        "rent": "USD",
        "buy": "USD",
        "energy": "MWh",
        "carbon": "t",
    }
    assert plan.words() == ["A.", "", "What would change it:", "- more", ""]
    parts = [plan.question, "", str(plan.table), "", str(plan.spans), ""]
    assert plan.summary() == "\n".join([*parts, *plan.words()]).rstrip()
    assert plan.to_csv() == plan.table.to_csv()
    alone = Plan(**known, systems=(plain,), _others=tuple)
    assert alone.spans is None
    assert alone.summary() == f"?\n\n{alone.table}\n\nA."
