"""Every number of the decks is computed, and gets the outcome that arithmetic by hand gives."""

from __future__ import annotations

import json
import re
from math import exp
from pathlib import Path
from string import Formatter

import pytest

from mlsysim import cli
from mlsysim.core.errors import UnknownName
from mlsysim.core.units import Q_
from mlsysim.figures import (
    ASSUMED,
    CORRECTED,
    OUTCOMES,
    RECOMPUTATIONS,
    REPRODUCED,
    compute,
    figure,
    figures,
    holds,
    table,
)

RECORDS = table()["figures"]
IDS = [record["id"] for record in RECORDS]
QUOTED = {
    "15",  # mW: the nRF52840 on slide 7.2
    "5.2", "5.8", "000",  # slides and a deck
    "3",  # V: the coin cell of 7.7
}  # fmt: skip
each_record = pytest.mark.parametrize("record", RECORDS, ids=IDS)


@pytest.fixture(scope="module")
def found():
    return {one.id: one for one in figures()}


# ---- the table as data ---------------------------------------------------------------------------


def test_every_recomputation_of_the_table_has_a_function_and_the_other_way_round():
    assert set(table()["recomputations"]) == set(RECOMPUTATIONS)


def test_every_recomputation_answers_a_claim():
    assert {record["recomputation"] for record in RECORDS} == set(RECOMPUTATIONS)


def test_every_claim_has_a_name_of_its_own():
    assert len(set(IDS)) == len(IDS)


@each_record
def test_a_record_says_where_the_claim_stands_and_no_more_than_is_known(record):
    known = {"id", "seed", "slide", "claim", "value", "recomputation", "ours", "reason"}
    assert known <= set(record) <= known | {"unit", "relation", "form"}
    assert re.fullmatch(r"00[0-4](, 00[0-4])*|wider", record["seed"])
    assert isinstance(record["slide"], str)
    assert record.get("relation", "equal") in ("equal", "at least", "at most")
    if record.get("unit"):
        Q_(1, record["unit"])


@each_record
def test_a_sentence_types_no_number_but_what_the_decks_print(record):
    literal = "".join(text for text, *_ in Formatter().parse(record["reason"]))
    typed = re.findall(r"(?<![\w.^-])\d[\d,.]*(?<![,.])", literal)
    printed = {n for r in RECORDS for n in re.findall(r"\d[\d,.]*(?<![,.])", r["claim"])} | QUOTED
    assert set(typed) <= printed


@each_record
def test_a_sentence_is_filled_in(record, found):
    one = found[record["id"]]
    assert not re.search(r"[{}]|\bnan\b|None", " ".join([one.reason, *one.assumptions, one.shown]))
    assert one.reason.endswith(".")


def test_sentences_write_no_number_with_an_exponent(found):
    # a quantity in an unfit unit shows itself so: 2.4e+08 Wh
    for each in found.values():
        told = " ".join([each.reason, each.shown, *each.assumptions])
        assert not re.search(r"\de[+-]?\d", told), told


def test_a_time_is_that_of_the_quickest_try(monkeypatch):
    ticks = iter([0.0, 7.0, 10.0, 12.0, 20.0, 25.0])  # three tries of 7, 2 and 5 seconds
    monkeypatch.setattr(compute, "perf_counter", lambda: next(ticks))
    assert compute._best_of(3, lambda: None) == Q_(2, "s")


def test_all_seeds_that_print_numbers_are_covered():
    assert {"000", "001", "002", "004", "wider"} == {
        s for r in RECORDS for s in r["seed"].split(", ")
    }


# ---- the outcome ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "ours", "relation", "answer"),
    [
        (100, 101.9, "equal", True),
        (101, 103.1, "equal", False),
        (30, 30.7, "equal", True),  # 2.3 % off, and 30.7 rounds to 30 where 30 has one digit
        (100, 106, "equal", False),
        (1.2, 1.249, "equal", True),  # 4.1 % off, and 1.249 rounds to 1.2
        (1.2, 1.251, "equal", False),  # 1.251 rounds to 1.3
        (2, 1.64, "equal", False),  # 1.64 rounds to 2, and is 18 % off
        (-0.88, -0.999, "equal", False),
        (-0.88, -0.884, "equal", True),
        (1, 1.0, "at most", True),
        (1, 1.001, "at most", False),
        (1, 0.999, "at least", False),
        (1, 40.0, "at least", True),
        ("Memory", "Memory", "equal", True),
        ("Memory", "Compute", "equal", False),
        (15, None, "equal", False),
        (15, None, "at least", False),
    ],
)
def test_near_enough_is_two_percent_or_the_digits_that_were_printed(
    claimed, ours, relation, answer
):
    assert holds(claimed, ours, relation) is answer


# what the arithmetic beside each gives, from datasheets and published numbers
BY_HAND = {
    # 989.4 / 312
    "flops_upgrade": (REPRODUCED, 3.171),
    "flops_mixed": (CORRECTED, 3.171),
    # memory-bound: 3.35 / 2.0 as slides round it, 3.35 / 2.039 by the datasheet
    "llm_speedup": (ASSUMED, 1.675),
    "llm_speedup_twice": (CORRECTED, 1.643),
    # 2 x 32 layers x 8 KV heads x 128 x 2 bytes x 131,072 tokens = 17.2 GB
    "context_fills_gpu": (CORRECTED, 2 * 32 * 8 * 128 * 2 * 131072 / 1e9),
    # 70.55e9 x 2 bytes, less the table of embeddings (128,256 x 8,192), in 50 ms
    "inverse_bandwidth": (REPRODUCED, (70.55e9 - 128256 * 8192) * 2 / 50e-3 / 1e12),
    "weights_70b": (REPRODUCED, 70.55e9 * 2 / 1e9),
    # only the bandwidth binds, and 10 us of overhead in 7.5 ms do not scale
    "bandwidth_elasticity": (CORRECTED, -(1 - 10e-6 / 7.5e-3)),
    # log10 of 3.35 TB/s over 64 MB/s, and of 700 W over 9.9 mW
    "bandwidth_span": (CORRECTED, 4.719),
    "power_span": (CORRECTED, 4.849),
    # 7.374 mJ took 181.9 ms at 120 MHz; at 64 MHz and 9.9 mW: 181.9 ms x 120/64 x 9.9 mW
    "keyword_energy": (CORRECTED, 181.9e-3 * 120 / 64 * 9.9e-3 * 1e6),
    # 3 passes x 2 x 4.11 GMAC x 256 over 0.42 x 312 TFLOP/s
    "step_time": (ASSUMED, 3 * 2 * 4.09e9 * 256 / (0.42 * 312e12) * 1e3),
    # 256 images at 16 x 133 a second take 120.3 ms, of which the GPU works 47.9
    "starved": (ASSUMED, 47.9 / (256 / (16 * 133)) * 1e-3 * 100),
    # 72 ms of prefill and 21.57 ms a token: 400 of them over 50
    "reasoning_multiplier": (ASSUMED, (72 + 400 * 21.58) / (72 + 50 * 21.57)),
    # Little: 100/s x 1.151 s = 116 and 100/s x 8.705 s = 871, in nodes of 8
    "reasoning_devices": (ASSUMED, 872 / 120),
    # 25,000 / 3 + 5 % + 0.7 kW x 8,766 h x 1.12 x $0.12, for each
    "plain_bill": (ASSUMED, 120 * (25e3 / 3 + 1250 + 0.7 * 8766 * 1.12 * 0.12) / 1e6),
    "reasoning_bill": (ASSUMED, 872 * (25e3 / 3 + 1250 + 0.7 * 8766 * 1.12 * 0.12) / 1e6),
    # 1 / (1024/50,000 + 1024/150,000 + 1024/50,000 + 128 x 2/100,000) h
    "cluster_mtbf": (ASSUMED, 1 / (1024 / 5e4 + 1024 / 1.5e5 + 1024 / 5e4 + 256 / 1e5)),
    # 1,024 boards of $30,000
    "cluster_price": (ASSUMED, 1024 * 0.03),
    # 128 x 10.2 kW x 26,298 h x 1.12 x $0.11 = $4.23M beside $38.4M
    "electricity_share": (ASSUMED, 100 * 4.23 / (4.23 + 38.4)),
    "infrastructure_multiplier": (ASSUMED, 1 / 0.4),
    "grid_germany": (REPRODUCED, 381),
    "grid_poland": (CORRECTED, 662),
    "carbon_gap": (CORRECTED, 662 / 30.5),
    # 32 x 10.2 kW x 720 h x 0.76 x 1.18 = 210.8 MWh, at 0.662 and 0.0305 t/MWh
    "month_energy": (CORRECTED, 32 * 10.2 * 720 * 0.76 * 1.18 / 1e3),
    "month_poland": (CORRECTED, 210.8 * 0.662),
    "month_quebec": (CORRECTED, 210.8 * 0.0305),
    "placement_energy": (CORRECTED, 2 * 210.8),
    "placement_saving": (CORRECTED, 2 * 210.8 * (0.662 - 0.0305)),
    "iowa_carbon": (CORRECTED, 210.8 * 0.359),
    "iowa_gap": (CORRECTED, 359 / 30.5),
    # 32 layers x 8 KV heads x 128 x (K, V) x 2 bytes x 4,096 tokens
    "cache_at_4k": (CORRECTED, 32 * 8 * 128 * 2 * 2 * 4096 / 1e9),
    # nine tenths of 85.52 GB, less 16.06 GB of weights, in caches of 0.5369 GB
    "users_at_4k": (CORRECTED, (0.9 * 85.52 - 16.06) // 0.5369),
    # 2 x 7/8 x 16 GB / 900 GB/s
    "sum_of_16_gb": (CORRECTED, 2 * 7 / 8 * 16 / 900 * 1e3),
    # 141.1 GB over 85.52 GB
    "devices_70b": (CORRECTED, 2),
    "quiz_peak": (CORRECTED, 989.4),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_claim_gets_the_outcome_that_arithmetic_by_hand_gives(name, found):
    outcome, value = BY_HAND[name]
    assert found[name].ours == pytest.approx(value, rel=0.01)
    assert found[name].outcome == outcome


@pytest.mark.parametrize(
    ("name", "ours", "outcome"),
    [
        # 64 x 2 x 8e9 FLOP / (0.5 x 989 TFLOP/s) = 2.1 ms against 16 GB / 3.35 TB/s = 4.8 ms
        ("batch_64_computes", "Memory", CORRECTED),
        # 2.66 MMAC against some 150 kB: far above 64 MHz x 4 op over 256 MB/s, one op a byte
        ("keyword_memory_bound", "Compute", CORRECTED),
        ("both_memory_bound", "Compute / Overhead", CORRECTED),
        # 128 users are fewer than the 148 at which the roofs cross without any cache
        ("thinking_computes", "Memory", CORRECTED),
        ("crossing_at_64", "Memory", CORRECTED),
        # 989.4 / 3.35 = 295, 989.4 / 4.8 = 206
        ("ridge_grows", "not with every one", CORRECTED),
        # -1 over 0
        ("elasticity_ratio", None, CORRECTED),
    ],
)
def test_a_claim_in_words_gets_its_outcome(name, ours, outcome, found):
    assert found[name].ours == ours
    assert found[name].outcome == outcome


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("sweep_time", REPRODUCED),
        ("evaluation_time", REPRODUCED),
        ("coin_cell_year", ASSUMED),
        ("doorbell_deadline", CORRECTED),
        ("esp32_weeks", CORRECTED),
        ("capstone_budget", ASSUMED),
        ("checkpoints_exceed_talk", CORRECTED),
        ("vendors", CORRECTED),
        ("paper_talk", CORRECTED),
        ("paper_checkpoints", CORRECTED),
        ("embodied_cloud", CORRECTED),
        ("platforms", REPRODUCED),
    ],
)
def test_a_bound_is_kept_or_broken(name, outcome, found):
    assert found[name].outcome == outcome


def test_the_flops_of_a_memory_bound_step_do_not_count_at_all(found):
    assert found["flops_elasticity"].ours == 0


# the numbers of each reason, in order; None is one that arithmetic by hand does not give
LLAMA = 8.03e9 - 128256 * 4096  # of its parameters are multiplied: the embeddings are looked up
TOKEN = 32 * 8 * 128 * 2 * 2  # bytes: layers x KV heads x 128 x (K, V) x 2
H100, A100, HALF = 3.35e12, 2.039e12, 0.5 * 989.4e12  # bytes and operations a second
SERVER = 128 * 0.3  # million dollars
REASONS = {
    "flops_mixed": [2 * 989.4 / 312, 989.4 / 312],
    "llm_speedup": [3.35 / 2.039],
    "llm_speedup_twice": [3.35 / 2.039],
    # 17.18 GB beside 8.03e9 x 2 bytes, and 32 heads in place of 8
    "context_fills_gpu": [17.18 + 16.06, 4 * 17.18, 4 * 17.18 + 16.06],
    # weights alone: 0.5 x 989.4 TFLOP/s / 3.35 TB/s x 2 bytes / 2 FLOP; each of 64 users multiplies
    # all weights, and looks back on 2,048 tokens in 32 layers, 4 x 4,096 operations for each
    "batch_64_computes": [
        HALF / H100, 0.5, 2048, (2 * LLAMA + 64 * 2048 * TOKEN) / H100 * 1e3,
        64 * (2 * LLAMA + 32 * 2048 * 4 * 4096) / HALF * 1e3,
    ],
    "int4_speedup": [16],
    "inverse_bandwidth": [141.1, 50],
    # of 7.5 ms 10 us do not scale, or 320; a tenth more bandwidth takes 1/1.1 of the others
    "bandwidth_elasticity": [
        10, (1 / 1.1 - 1) / 0.1 * (1 - 0.01 / 7.5), (1 / 1.1 - 1) / 0.1 * (1 - 0.32 / 7.81)
    ],
    # 32 layers of 2,048 tokens: the squares of 0.1 ms and 7.5 ms
    "flops_elasticity": [2, -(((2 * LLAMA + 32 * 2048 * 4 * 4096) / 156e12 / 7.5e-3) ** 2)],
    "elasticity_ratio": [-0.999, 0],
    "sweep_time": [10_000],
    "bandwidth_span": [10, 4.719],
    "power_span": [9.9, 15],
    "nine_orders": [4.719, 4.849],
    # 2.66 MMAC in 181.9 ms, where 120 MHz x 4 would do; and at 64 MHz
    "keyword_energy": [7.374, 100 * 2 * 2.66e6 / 0.1819 / 480e6, 181.9 * 120 / 64],
    "keyword_memory_bound": [None, 0.3 * 64 * 4 / 256],  # at 0.3 of the peak
    "both_memory_bound": [10.05, 10],
    # 196 ms at 9.9 mW, and 1.5 Wh
    "coin_cell_year": [196 * 9.9e-3, 1.5 / 9.9e-3],
    "doorbell_deadline": [None],
    "esp32_weeks": [1.5 / 0.33, 330 / 3, 3],
    "step_time": [0.195, 47.9 * 0.42 / 0.195],
    "starved": [326, 16, 100 * 47.9 / (256 / (16 * 326) * 1e3)],
    "reasoning_multiplier": [8, 21.58],
    "reasoning_devices": [120, 872],
    "plain_bill": [120, 25e3 / 3 + 1250 + 0.7 * 8766 * 1.12 * 0.12],
    "reasoning_bill": [872, 0],
    "weights_70b": [70.55e9, 2],
    # two regions of ceil((38 + 13) / 8) servers of $300,000, over the accelerators' share of 0.4
    "capstone_budget": [None, 38, 13, 2 * 7, None, None, 14 * 0.3e6 / 0.4],
    "cluster_mtbf": [50_677 / 1024],  # GPU hours
    # 60 s each root of 2 x 60 s x 71,496 s; so much work of all that a time between failures holds
    "checkpoints_exceed_talk": [
        100 * (1 - 2929 / 71_496 / (exp(2989 / 71_496) - 1)), (2 * 60 * 71_496) ** 0.5 / 60, None
    ],
    "cluster_price": [SERVER * 1e6],
    # 128 x 10.2 kW x 26,298 h x 1.12 x $0.11 = $4.23M; 1,024 boards are 0.4 of what is built
    "electricity_share": [(SERVER + 4.23) * 1e6, 100 * 4.23 / (30.72 / 0.4 + 4.23)],
    "infrastructure_multiplier": [15, 5.2],
    "grid_us": [2023, 390],
    "grid_poland": [820],
    "carbon_gap": [41, 20, 30.5, 820 / 30.5],
    # 256 x 0.7 kW x 720 h = 129 MWh; 32 x 10.2 kW x 720 h = 235 MWh; 1,064 over each
    "month_energy": [
        76, 32 * 10.2 * 0.72, 1.18,
        1064, 1064e3 / 256 / 720, 1064 / 129, 256 * 0.7 * 0.72, 1064 / 235,
    ],
    "month_poland": [1064 * 0.82],
    "month_quebec": [1064 / 235],
    "placement_saving": [1064 * 0.82, 1064 * 0.02, 1064 * 0.8, 5.8, 256],
    "placement_energy": [5.8],
    "iowa_carbon": [412, 412 / 0.82, 359, 256, 210.8],
    "quebec_carbon": [10, 20, 10 / 0.02],
    "cache_at_4k": [4 * 4096 * TOKEN / 1e9],
    "users_at_4k": [4096 * TOKEN / 1e6, 113],
    "crossing_at_64": [HALF / H100, 2048],
    "ridge_grows": [125 / 0.9, 312 / 2.039, 989.4 / 3.35, 989.4 / 4.8, 2250 / 7.7],
    "sum_of_16_gb": [900, 2 * 31.11],
    "thinking_computes": [
        (2 * LLAMA + 128 * 2048 * TOKEN) / H100 * 1e3,
        128 * (2 * LLAMA + 32 * 2048 * 4 * 4096) / HALF * 1e3,
    ],
    # 80 layers; nine tenths of 85.5 GB each
    "devices_70b": [141.1, 64 * 8192 * TOKEN * 80 / 32 / 1e9, 64, 8192, 4],
    "quiz_peak": [2 * 0.9894, 989.4],
    "paper_talk": [None],
    "paper_checkpoints": [None, 21.31],
    "embodied_cloud": [None],
}  # fmt: skip
NAMES = re.compile(r"Llama[- ]3( 8B)?")


def test_every_reason_with_numbers_is_here(found):
    counted = {"grid_quebec", "grid_sweden", "grid_germany"}  # their year
    told = {name for name, one in found.items() if numbers(one.reason)}
    assert told - counted <= REASONS.keys() | {"platforms"}


def numbers(reason: str) -> list[float]:
    """The numbers of a sentence that are no part of a name."""
    said = re.findall(r"(?<![\w.,-])-?\d[\d,]*(?:\.\d+)?", NAMES.sub("", reason))
    return [float(each.replace(",", "")) for each in said]


@pytest.mark.parametrize("name", REASONS)
def test_a_reasons_numbers_are_those_of_arithmetic_by_hand(name, found):
    said = numbers(found[name].reason)
    for value, wanted in zip(said, REASONS[name], strict=True):
        assert wanted is None or value == pytest.approx(wanted, rel=0.015, abs=5e-5), said


def test_a_outcome_with_assumptions_states_them(found):
    for one in found.values():
        assert bool(one.assumptions) or one.outcome != ASSUMED


# ---- the doors -----------------------------------------------------------------------------------


def test_one_figure_can_be_asked_for_by_name(found):
    assert figure("flops_upgrade") == found["flops_upgrade"]
    with pytest.raises(UnknownName, match="flops_upgrade"):
        figure("flops_upgrad")


def test_the_command_prints_json(capsys):
    assert cli.main(["figures", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in printed] == IDS
    assert {row["outcome"] for row in printed} == set(OUTCOMES)
    assert all(row["claim"] and row["reason"] and row["shown"] for row in printed)


def test_the_command_prints_a_table_of_a_hundred_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["figures"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    counts = map(int, re.findall(r"(\d+) (?:reproduced|corrected)", printed.splitlines()[-1]))
    assert sum(counts) == len(IDS)


def test_the_table_lies_beside_its_code():
    import mlsysim.figures

    assert Path(mlsysim.figures.__file__).with_name("figures.yaml").is_file()
