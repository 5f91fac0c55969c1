"""Scenarios: each runs, each number has a source, and the stories are the right way round."""

from __future__ import annotations

import pytest

from mlsysim import Hardware, Infrastructure, Scenarios, audit_provenance
from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.evaluation import judge
from mlsysim.evaluation.scenarios.registry import Scenario, find

ENTRIES = dict(Scenarios.entries())
each = pytest.mark.parametrize("name", ENTRIES)


@each
def test_a_scenario_runs_and_asks_a_question(name):
    scenario = ENTRIES[name]
    found = scenario.run()
    assert scenario.question.endswith("?")
    assert found.name == scenario.name
    assert found.bottleneck
    assert found.verdict in found.summary()


@each
def test_every_number_of_a_scenario_has_a_source(name):
    scenario = ENTRIES[name]
    assert all(scenario.source_of(path) for path, _ in scenario.numbers())


@each
def test_every_suggestion_gives_what_it_says(name):
    scenario = ENTRIES[name]
    for told in scenario.run().suggestions:
        again = judge(scenario.changed(told["change"]))
        assert again.verdict == told["verdict"]
        assert {key: again.metrics[key] for key in told["gives"]} == told["gives"]


@each
def test_plain_data_builds_the_same_scenario_again(name):
    assert Scenarios.from_spec(ENTRIES[name].to_dict()) == ENTRIES[name]


def test_the_audit_counts_scenarios_and_finds_nothing_missing():
    assert audit_provenance().passed


def test_the_question_of_nine_million_dollars():
    """Eight times the tokens are almost eight times the devices, and so the money."""
    eight = ENTRIES["NineMillionDollars"]
    cost = judge(eight).metrics
    needed = judge(eight.changed({"workload.reasoning_steps": 1})).metrics["devices_needed"]
    assert 7 <= cost["devices_needed"] / needed <= 8
    assert cost["purchase"].m_as("USD") == 872 * 25000
    year = 872 * 25000 / 3 + 872 * 25000 * 0.05  # a third of the price, and maintenance
    assert (cost["capex"] + cost["maintenance"]).m_as("USD") == pytest.approx(year, rel=1e-3)
    assert 9e6 < cost["tco_usd"] < 10e6


def test_geography_is_the_ratio_of_the_grids():
    poland, quebec = (judge(ENTRIES[f"Geography_{name}"]).metrics for name in ("Poland", "Quebec"))
    grids = Infrastructure.Grids
    ratio = (grids.Poland.carbon_intensity / grids.Quebec.carbon_intensity).m_as("")
    assert (poland["carbon"] / quebec["carbon"]).m_as("") == pytest.approx(ratio)
    assert poland["energy"] == quebec["energy"]


def test_the_doorbell_needs_a_faster_chip_and_not_a_larger_cell():
    found = ENTRIES["Doorbell"].run()
    assert found.violated == ("latency < 150 ms",)
    told = found.suggestions[0]
    assert told["verdict"] == "satisfied"
    assert Hardware.Tiny[told["change"]["fleet.hardware"]]


def test_five_long_contexts_are_stopped_by_the_cache_and_three_are_not():
    """A context of 131,584 tokens keeps 17.2 GB beside 16.1 GB of weights, in 77 of 85.5 GB."""
    long = ENTRIES["LongContext"]
    assert long.run().bottleneck == "Batching"
    assert judge(long.changed({"workload.batch_size": 3})).feasible
    four = long.changed({"workload.batch_size": 4})
    assert not judge(four).feasible
    assert judge(four.changed({"fleet.kept_free": 0})).feasible


def test_the_design_challenge_fails_as_it_starts_and_can_be_mended():
    """70.6e9 x 2 FLOP x 576 tokens x 500 a second are half the peak of 82 H100s: 80 are too few."""
    arithmetic = 500 * (512 + 64) * 2 * 70.6e9 / (0.5 * 989.4e12)
    found = ENTRIES["Capstone"].run()
    assert (found.verdict, found.bottleneck) == ("infeasible", "Tail latency")
    assert arithmetic == pytest.approx(82.2, abs=0.1)
    assert found.metrics["devices_needed"] > arithmetic / 0.8
    assert found.violated == ("tco < 2.5e6 USD",)
    assert found.suggestions[0]["verdict"] == "satisfied"


def test_a_name_or_a_file_finds_a_system(tmp_path):
    assert find("Doorbell") == ENTRIES["Doorbell"]
    with pytest.raises(InvalidEntry, match="did you mean 'Doorbell'"):
        find("Dorbell")
    with pytest.raises(InvalidEntry, match="cannot be read"):
        find(str(tmp_path / "none.yaml"))


def test_a_scenario_without_a_question_is_refused():
    data = {**ENTRIES["FirstLook"].to_dict(), "question": " "}
    with pytest.raises(InvalidEntry, match="question"):
        Scenario(**data)


def test_an_unknown_scenario_is_refused():
    with pytest.raises(UnknownEntry):
        Scenarios.Serving.find_me  # noqa: B018 - asking is the test


@pytest.mark.usefixtures("clean_registry")
def test_a_folder_of_ones_own_may_hold_scenarios(tmp_path, monkeypatch):
    shelf = tmp_path / "scenarios" / "mine"
    shelf.mkdir(parents=True)
    text = "name: Mine\nquestion: Does it fit?\nworkload: {model: GPT2}\nfleet: {hardware: H100}\n"
    (shelf / "Mine.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MLSYSIM_REGISTRY", str(tmp_path))
    from mlsysim.core import registry

    registry.forget()
    assert find("Mine").run().feasible
