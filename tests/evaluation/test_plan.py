"""The fleet search: what it finds is the cheapest of its own axes, and holds when carried out."""

from __future__ import annotations

import math
from itertools import product

import pytest

from mlsysim import Hardware, Scenarios
from mlsysim.core.errors import BadArgument, MLSysError
from mlsysim.core.solver import show
from mlsysim.evaluation import evaluate, judge
from mlsysim.evaluation.answering import needed
from mlsysim.evaluation.plan import plan, shortfall, usual
from mlsysim.evaluation.spec import SystemSpec

CAPSTONE = Scenarios["Capstone"]
FEW = {"fleet.hardware": ["H100", "B200", "MI300X"], "workload.precision": ["fp16", "fp8", "fp4"]}


def served(rate, *constraints, **more):
    """Llama 3 8B on H100s, asked so often."""
    work = {"model": "Llama3_8B", "prompt": 512, "tokens": 64, "arrival_rate_qps": rate}
    return SystemSpec.from_spec(
        {"workload": work, "fleet": {"hardware": "H100"}, "constraints": [*constraints], **more}
    )


def test_nothing_on_its_axes_is_cheaper():
    """Every device, width, division and count is evaluated whole, without the search's bounds."""
    found = plan(CAPSTONE, FEW)
    costs = []
    counts = [1, 2, 4, 8, *range(16, 97, 8), 120, 160]
    grid = product(FEW["fleet.hardware"], FEW["workload.precision"], (1, 2, 4, 8), counts)
    for hardware, precision, ways, count in grid:
        change = {"fleet.hardware": hardware, "workload.precision": precision}
        change |= {"fleet.tensor_parallel": ways, "fleet.count": count}
        try:
            judged = judge(CAPSTONE.changed(change))
        except MLSysError:
            continue
        if judged.verdict == "satisfied":
            costs.append(judged.metrics["tco"].m_as("USD"))
    assert found.best.found.verdict == "satisfied"
    assert found.best.cost <= 1.1 * min(costs)
    assert found.evaluated < 20 < found.considered


def test_the_cheapest_comes_first_and_each_holds_when_carried_out():
    found = plan(CAPSTONE, FEW).found
    assert [each.cost for each in found] == sorted(each.cost for each in found)
    for each in found:
        judged = judge(CAPSTONE.changed(each.change))
        assert judged.verdict == "satisfied"
        assert judged.metrics["tco"].m_as("USD") == each.cost
        assert judged.metrics["utilization"] <= 0.8


def test_what_cannot_be_bought_is_said_with_what_comes_nearest():
    dear = CAPSTONE.replace(constraints=["tco < 1000 USD", "ttft < 100 ms"])
    found = plan(dear, FEW)
    assert (found.feasible, found.best) == (False, None)
    assert "none of" in found.reason
    assert "tco < 1000 USD" in found.reason


def test_one_request_that_takes_too_long_is_not_mended_by_devices():
    found = plan(served(10, "ttft < 0.001 ms"), {"fleet.hardware": ["H100"]})
    assert not found.feasible
    assert "ttft < 0.001 ms" in found.reason


def test_what_must_be_reached_takes_as_many_devices_as_it_takes_and_no_more():
    """A replica of one B200 does so many requests a second; 3,000 take so many of them."""
    system = CAPSTONE.replace(constraints=["requests>3000 1/s", "ttft < 100 ms"])
    axes = {"fleet.hardware": ["B200"], "fleet.tensor_parallel": [1], "workload.precision": ["fp4"]}
    best = plan(system, axes).best
    assert best.found.verdict == "satisfied"
    each = best.found.metrics["requests"].m_as("1/s") / best.found.metrics["devices"]
    assert best.change["fleet.count"] == 8 * math.ceil(3000 / each / 8)  # in whole nodes
    fewer = judge(system.changed({**best.change, "fleet.count": best.change["fleet.count"] - 8}))
    assert fewer.verdict == "violated"


def test_whole_nodes_are_counted_one_by_one_until_a_bound_is_reached():
    """A DGX has eight devices; the fewest of them that do 20,000 requests a second."""
    work = {"model": "Llama3_8B", "prompt": 512, "tokens": 64, "arrival_rate_qps": 10}
    system = SystemSpec.from_spec(
        {"workload": work, "fleet": {"node": "DGX_H100"}, "constraints": ["requests > 20000 1/s"]}
    )
    best = plan(system, {"fleet.tensor_parallel": [1]}).best
    assert best.found.verdict == "satisfied"
    each = best.found.metrics["requests"].m_as("1/s") / best.change["fleet.count"]
    assert best.change["fleet.count"] == math.ceil(20_000 / each) > 8


def test_how_many_devices_are_needed_is_known_without_a_whole_judgement():
    for rate in (10, 500, 3000):
        system = served(rate, "ttft < 200 ms")
        assert needed(system) == judge(system).metrics["devices_needed"]
    idle = served(10).changed({"workload.arrival_rate_qps": None})
    assert needed(idle) is None
    assert needed(served(10).changed({"fleet.tensor_parallel": 3})) is None


def test_where_nothing_is_priced_the_fewest_devices_win():
    found = plan(served(200, "ttft < 200 ms"))
    assert found.objective == "devices"
    assert found.best.cost == min(each.cost for each in found.found)
    assert found.best.cost == found.best.found.metrics["devices"]


def test_an_axis_of_one_value_holds_it_fixed():
    found = plan(CAPSTONE, {**FEW, "workload.precision": ["fp16"], "fleet.tensor_parallel": [8]})
    for each in found.found or [found.nearest]:
        assert each.change["workload.precision"] == "fp16"
        assert each.change["fleet.tensor_parallel"] == 8


def test_the_usual_axes_are_no_wider_numbers_whole_nodes_and_devices_with_a_price():
    axes = usual(CAPSTONE)
    assert axes["workload.precision"] == ["fp16", "fp8", "int8", "fp4", "int4"]
    assert axes["fleet.tensor_parallel"] == [1, 2, 4, 8]
    assert "fleet.count" not in axes  # requests arrive, and say how many
    assert axes["fleet.hardware"][0] == "H100"
    cloud = Hardware.Cloud
    priced = {name for name in cloud if cloud[name].unit_cost is not None}
    assert {*axes["fleet.hardware"]} == priced < {*cloud}
    own = CAPSTONE.changed({"environment.accelerator_price": "20000 USD"})
    assert usual(own)["fleet.hardware"] == ["H100"]  # whose price it is
    idle = served(None).changed({"workload.precision": "fp8", "fleet.count": 24})
    assert usual(idle)["workload.precision"] == ["fp8", "fp4", "int4"]
    assert "fleet.hardware" not in usual(idle)  # nothing is priced
    # 24 halved is 12, of which eight fill a node; an eighth, 16th and 32nd fit in one
    assert usual(idle)["fleet.count"] == [1, 3, 6, 8, 24, 48, 96, 192, 384, 768]
    work = {"model": "Llama3_8B", "phase": "train", "batch_size": 8}
    trains = SystemSpec.from_spec({"workload": work, "fleet": {"hardware": "H100", "count": 8}})
    assert usual(trains) == {
        "workload.precision": ["fp16", "fp8"],
        "fleet.count": [1, 2, 4, 8, 16, 32, 64, 128, 256],
    }


def test_the_fewest_that_hold_so_many_devices_fill_their_nodes():
    bare = served(1).fleet
    assert [bare.holding(many) for many in (1, 8, 9, 16, 17)] == [1, 8, 16, 16, 24]
    nodes = served(1).changed({"fleet.hardware": None, "fleet.node": "DGX_H100"}).fleet
    assert [nodes.holding(many) for many in (1, 8, 9, 16, 17)] == [1, 1, 2, 2, 3]


def test_of_bad_systems_what_cannot_be_is_the_worst():
    """141.8 GB in 76.97; requests that come 38.5 times too often; two bounds that are broken."""
    large = judge(served(None).changed({"workload.model": "Llama3_70B"}))
    need, room = (large.metrics[f"memory_{name}"] for name in ("required", "capacity"))
    assert shortfall(large) == (True, 1, pytest.approx((need / room).m_as("")))
    busy = judge(served(5000))
    assert shortfall(busy) == (True, 0, busy.metrics["utilization"])
    late = judge(served(1, "ttft < 1 ms", "itl < 1 ms", "latency < 1 hour"))
    over = sum(late.metrics[name].m_as("ms") / 1 - 1 for name in ("ttft", "itl"))
    assert shortfall(late) == (False, 2, pytest.approx(over))
    assert shortfall(late) < shortfall(busy) < shortfall(large)


def test_an_empty_axis_is_refused():
    with pytest.raises(BadArgument, match=r"axes fleet\.hardware .*at least one"):
        plan(CAPSTONE, {"fleet.hardware": []})


def test_a_batch_that_decides_what_is_learned_is_no_axis():
    assert "workload.batch_size" not in usual(Scenarios["Llama3_405B_training"])


def test_the_first_advice_for_the_capstone_is_what_the_search_finds():
    best = plan(CAPSTONE).best
    advice = evaluate(CAPSTONE).suggestions[0]
    assert advice["gives"]["tco"].m_as("USD") == best.cost
    assert advice["verdict"] == "satisfied"


@pytest.mark.parametrize("name", sorted(Scenarios))
def test_every_remedy_holds_when_it_is_carried_out(name):
    system = Scenarios[name]
    tight = [c for c in judge(system).constraints if c["margin"] is not None]
    for scale in (1.0, 0.5):
        asked = system.replace(constraints=[_scaled(each, scale) for each in tight] or [])
        for each in evaluate(asked).suggestions:
            again = judge(asked.changed(each["change"]))
            assert again.verdict == each["verdict"], each["sentence"]
            for metric, value in each["gives"].items():
                assert again.metrics[metric] == value, each["sentence"]


def _scaled(constraint, scale):
    """A constraint, its bound so many times as large."""
    metric, sign, _ = constraint["constraint"].split(None, 2)
    bound = constraint["bound"] * scale
    unit = f"{bound.units:~}" if hasattr(bound, "units") else ""
    return f"{metric} {sign} {getattr(bound, 'magnitude', bound)!r} {unit}"


# ---- a search on paper ---------------------------------------------------------------------------

COST = {"H100": 10, "H200": 11, "B200": 15, "A100": 14.9, "L40S": 40, "T4": 9}
ONE = {"fleet.tensor_parallel": [1], "workload.precision": ["fp16"]}


def at_a_cost(system, *, seen=None, **how):
    """A search among devices that cost what is written above, whatever else they do."""
    axes = {"fleet.hardware": [*COST], **ONE}
    report = None if seen is None else lambda *at: seen.append(at)
    return plan(system, axes, cost=lambda s: COST[s.fleet.hardware.stem], progress=report, **how)


def test_what_costs_so_much_more_than_the_best_is_not_looked_at():
    """Up to 15 of 10 and no more; where two are enough nothing above 10 once they are found."""
    seen = []
    found = at_a_cost(served(10, "ttft < 200 ms"), seen=seen)
    assert [(each.change["fleet.hardware"], each.cost) for each in found.found] == [
        ("H100", 10),
        ("H200", 11),
        ("A100", 14.9),
    ]
    assert (found.considered, found.evaluated) == (6, 3)
    assert found.rejected_because == {"BadArgument": 1}
    assert found.failed == (
        ({"workload.precision": "fp16", "fleet.tensor_parallel": 1, "fleet.hardware": "T4"},
         "not one request fits on a replica"),
    )  # fmt: skip
    assert seen == [(1, 5), (2, 5), (3, 5)]  # T4 cannot be, and is no point to look at
    assert (found.feasible, found.reason) == (True, "")
    assert [*found.axes] == ["workload.precision", "fleet.tensor_parallel", "fleet.hardware"]
    two = at_a_cost(served(10, "ttft < 200 ms"), kept=2)
    assert (len(two.found), two.evaluated) == (2, 2)
    one = at_a_cost(served(10, "ttft < 200 ms"), kept=1)
    assert ([each.cost for each in one.found], one.evaluated) == ([10], 1)
    all_of_them = at_a_cost(served(10, "ttft < 200 ms"), spare=math.inf)
    assert [each.cost for each in all_of_them.found] == [10, 11, 14.9, 15, 40]


def test_why_nothing_will_do_is_told_by_what_comes_nearest_or_by_what_cannot_be():
    axes = {"fleet.hardware": ["T4", "L4", "H100"], **ONE}
    system = served(10, "ttft < 1 ms")
    found = plan(system, axes)
    late = {
        name: show(judge(system.changed({"fleet.hardware": name, "fleet.count": count,
            "fleet.tensor_parallel": 1})).metrics["ttft"])
        for name, count in (("H100", 1), ("L4", 3))
    }  # fmt: skip
    assert (found.feasible, found.best) == (False, None)
    assert found.reason == (
        "none of 2 systems keeps all constraints; the nearest, precision fp16, tensor_parallel 1, "
        f"hardware H100, count 1, breaks ttft < 1 ms ({late['H100']})"
    )
    assert [(change["fleet.hardware"], why) for change, why in found.failed] == [
        ("L4", f"ttft < 1 ms ({late['L4']})"),
        ("H100", f"ttft < 1 ms ({late['H100']})"),
        ("T4", "not one request fits on a replica"),
    ]
    large = served(10).changed({"workload.model": "Llama3_405B"})
    axes = {"fleet.hardware": ["T4", "L4"], **ONE, "fleet.tensor_parallel": [1, 3]}
    none = plan(large, axes)
    assert none.reason == "none of 4 systems can be: 4 BadArgument"
    assert (none.nearest, none.rejected_because) == (None, {"BadArgument": 4})
    heads = "128 attention heads cannot be divided among 3 devices."
    room = "not one request fits on a replica"
    assert [why for _, why in none.failed] == [room, room, heads, heads]


def test_an_empty_axis_and_an_unknown_bound_are_told_in_a_sentence():
    with pytest.raises(BadArgument) as caught:
        plan(CAPSTONE, {"fleet.hardware": []})
    said = "axes fleet.hardware cannot be 'an empty list': give at least one value."
    assert str(caught.value) == said


def test_what_does_not_fit_is_as_bad_as_it_is_too_large_and_a_division_worse_than_that():
    split = judge(served(None).changed({"fleet.count": 6, "fleet.tensor_parallel": 3}))
    assert shortfall(split) == (True, 1, 1e9)
    fine = judge(served(1, "ttft < 1 s"))
    assert shortfall(fine) == (False, 0, 0)
