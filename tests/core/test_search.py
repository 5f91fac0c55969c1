"""Searching a design space: the grammar, the optimum, the front, and points that fall out."""

from __future__ import annotations

import itertools
import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import DSE, Q_, Engine, Hardware, Models, SingleNodeModel
from mlsysim.core.constraint import Constraint, Objective
from mlsysim.core.errors import (
    BadArgument,
    FailedPoint,
    MissingValue,
    OutOfRange,
    UnknownArgument,
    UnknownName,
    WrongUnit,
)
from mlsysim.core.search import knee, pareto
from mlsysim.core.space import combined

LLAMA, H100, A100 = Models.Language.Llama3_8B, Hardware.Cloud.H100, Hardware.Cloud.A100


def square(params):
    """A metric of each kind: a number, a quantity, a word, a truth."""
    x = params["x"]
    return {
        "area": x * x,
        "side": Q_(float(x), "GB"),
        "parity": "odd" if x % 2 else "even",
        "feasible": x != 9,
    }


def found(objective="maximize: area", constraints=(), space=None, evaluate=square, **how):
    return DSE(space or {"x": range(10)}, objective, constraints).search(evaluate, **how)


# ---- the grammar --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["maximize: throughput", "maximise:throughput", " minimize : latency ", "minimise: tco_usd"],
)
def test_objectives_that_are_understood(text):
    assert Objective.read(text).sign == (-1 if "max" in text else 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "throughput",
        "max: throughput",
        "maximize throughput",
        "maximize: ",
        "maximize: a b",
        "maximize: 2x",
        "maximize: f(x)",
        "maximize: a + b",
        "maximize: __import__('os')",
        None,
        3,
        [],
    ],
)
def test_objectives_that_are_refused(text):
    with pytest.raises(BadArgument):
        DSE({"x": [1]}, text if text == [] else [text])


@pytest.mark.parametrize(
    "text",
    [
        "latency < 100",
        "latency<=1e2",
        "latency < 50 ms",
        "mfu >= 0.4",
        "cost != 3000 USD",
        "feasible == True",
        "bottleneck == Memory",
        "name == 'H100 SXM'",
        'name != "A100"',
        "x > -1",
    ],
)
def test_constraints_that_are_understood(text):
    assert Constraint.read(text).metric in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "latency",
        "latency <",
        "< 100",
        "latency << 100",
        "latency = 100",
        "latency < > 3",
        "1 < latency",
        "1 < latency < 5",
        "latency < 100 parrots",
        "latency < nan",
        "latency < inf",
        "latency < 1e999",
        "latency < True",
        "latency > Memory",
        "latency < 5; import os",
        "latency < (1 + 1)",
        "a < 1 and b < 2",
        "a.b < 1",
        None,
        5,
        ("latency", "<", 5),
    ],
)
def test_constraints_that_are_refused(text):
    with pytest.raises(BadArgument):
        DSE({"x": [1]}, "maximize: x", [text])


def test_one_constraint_may_stand_without_a_list():
    assert found(constraints="area < 50")["best_params"] == {"x": 7}


@pytest.mark.parametrize(
    "space", [{}, None, [1, 2], {"x": []}, {"x": [1.0, math.nan]}, {"x": [math.inf]}, {"x": {}}]
)
def test_spaces_that_are_refused(space):
    with pytest.raises((BadArgument, OutOfRange)):
        DSE(space, "maximize: x")


# ---- one objective ------------------------------------------------------------------------------


def test_the_best_point_is_that_of_an_exhaustive_search():
    answer = found()
    assert answer["best_params"] == {"x": 8}  # 9 is not feasible
    assert answer["best"]["area"] == 64
    assert answer["evaluated"] == 10
    assert answer["front"] == [answer["knee"]]
    assert answer["reason"] == ""


def test_an_infeasible_point_never_wins_and_is_kept():
    (lost,) = found()["infeasible"]
    assert lost["params"] == {"x": 9}
    assert lost["metrics"]["area"] == 81
    assert lost["reason"] == "it is not feasible"


def test_a_quantity_is_compared_in_its_unit():
    assert found(constraints=["side <= 3500 MB"])["best_params"] == {"x": 3}
    assert found(constraints=["side < 1 TB"])["best_params"] == {"x": 8}


def test_a_bare_bound_on_a_quantity_is_told_the_unit_to_write():
    with pytest.raises(WrongUnit, match="side < 1 GB"):
        found(constraints=["side < 5"])


def test_a_unit_on_a_plain_number_is_refused():
    with pytest.raises(WrongUnit, match="area is a number without a unit"):
        found(constraints=["area < 5 GB"])


def test_the_wrong_dimension_is_refused():
    with pytest.raises(WrongUnit):
        found(constraints=["side < 5 s"])


def test_words_and_truths_are_compared_for_equality():
    assert found(constraints=["parity == odd"])["best_params"] == {"x": 7}
    assert found(constraints=["parity != even", "feasible == True"])["best_params"] == {"x": 7}


@pytest.mark.parametrize(
    "constraint", ["area == odd", "parity < 5", "parity == True", "feasible > 0"]
)
def test_kinds_that_cannot_be_compared_are_refused(constraint):
    with pytest.raises(BadArgument):
        found(constraints=[constraint])


def test_a_parameter_may_be_constrained_and_be_the_objective():
    assert found(constraints=["x <= 4"])["best_params"] == {"x": 4}
    assert found("minimize: x", ["x > 2"])["best_params"] == {"x": 3}


@pytest.mark.parametrize(
    ("objective", "constraint"), [("maximize: arae", "x > 0"), ("maximize: area", "arae < 5")]
)
def test_a_metric_that_does_not_exist_is_told_the_nearest_one(objective, constraint):
    with pytest.raises(UnknownName, match="did you mean 'area'"):
        found(objective, [constraint])


@pytest.mark.parametrize(
    ("constraint", "error"), [("arae < 5", UnknownName), ("side < 5", WrongUnit)]
)
def test_a_wrong_constraint_is_told_even_where_another_one_fails(constraint, error):
    with pytest.raises(error):
        found(constraints=["area > 1000", constraint])


@pytest.mark.parametrize(
    ("objective", "constraint", "error"),
    [
        ("minimize: latencie", "mfu > 0", UnknownName),
        ("minimize: latency", "mfuu > 0", UnknownName),
        ("minimize: latency", "latency < 5", WrongUnit),
        ("minimize: bottleneck", "mfu > 0", BadArgument),
    ],
)
def test_a_wrong_question_is_told_even_where_no_point_fits(objective, constraint, error):
    dse = DSE({"batch_size": [1, 8]}, objective, [constraint])
    with pytest.raises(error):
        dse.search(lambda p: Engine.solve(Models.Language.Llama3_70B, H100, **p))


def test_an_infeasible_point_never_wins_whatever_kind_of_false_it_says():
    def comparison(params):
        return {"score": params["x"], "feasible": np.float64(params["x"]) < 5}

    assert found("maximize: score", evaluate=comparison)["best_params"] == {"x": 4}


def test_an_objective_that_is_not_a_number_is_refused():
    with pytest.raises(BadArgument, match="not a number"):
        found("maximize: parity")


def test_numbers_that_nobody_can_rank_do_not_win():
    def broken(params):
        return {"score": [math.nan, math.inf, 1.0, None][params["x"]]}

    answer = found("maximize: score", space={"x": range(4)}, evaluate=broken)
    assert answer["best_params"] == {"x": 2}
    reasons = [point["reason"] for point in answer["infeasible"]]
    assert reasons == ["score is nan", "score is inf", "score is unknown"]


def test_nothing_feasible_is_an_answer_with_a_reason():
    answer = found(constraints=["area > 1000"])
    assert answer["best_params"] is None
    assert answer["best"] is None
    assert answer["knee"] is None
    assert answer["front"] == []
    assert len(answer["infeasible"]) == 10
    assert "area is 0, and the constraint is area > 1000" in answer["reason"]


def test_ties_go_to_the_first_point_of_the_space():
    assert found("minimize: tie", evaluate=lambda _: {"tie": 1})["best_params"] == {"x": 0}


def test_a_question_that_nobody_can_answer_is_infeasible_and_a_malformed_one_raises():
    def price(params):
        if params["x"] == 9:
            raise MissingValue("Gaudi3", "unit_cost", "give a price")
        return square(params)

    lost = found(evaluate=price)["infeasible"]
    assert "unit_cost" in lost[0]["reason"]
    with pytest.raises(FailedPoint, match="at batch_size=-1: OutOfRange: batch_size") as caught:
        DSE({"batch_size": [1, -1]}, "maximize: throughput").search(
            lambda p: Engine.solve(LLAMA, H100, **p)
        )
    assert isinstance(caught.value.__cause__, OutOfRange)


def test_evaluate_must_give_metrics_by_name():
    with pytest.raises(BadArgument, match="mapping of metrics"):
        found(evaluate=lambda _: 3.0)


def test_labels_name_values_and_single_values_stay_fixed():
    space = {"x": {"small": 1, "large": 5}, "word": "fp16", "one": 3, "array": np.arange(2)}
    seen = []
    answer = found(space=space, evaluate=lambda p: seen.append(p) or square(p))
    assert answer["best_params"] == {"x": "large", "word": "fp16", "one": 3, "array": 0}
    assert seen[0] == {"x": 1, "word": "fp16", "one": 3, "array": 0}
    assert len(seen) == 4


def test_lists_and_mappings_may_be_values_and_true_is_not_one():
    space = {"mesh": [[2, 4], [8, 1]], "options": [{"sp": True}, {}], "flag": [True, 1]}
    found = DSE(space, "maximize: first").search(lambda p: {"first": p["mesh"][0], **p["options"]})
    assert found["evaluated"] == 8
    assert found["best_params"] == {"mesh": [8, 1], "options": {"sp": True}, "flag": True}


def test_an_entry_is_labelled_by_its_name_and_constrained_by_it():
    dse = DSE({"hardware": [A100, H100]}, "maximize: throughput", ["hardware != H100"])
    found = dse.search(lambda p: Engine.solve(LLAMA, p["hardware"]))
    assert found["best_params"] == {"hardware": "A100"}
    assert found["infeasible"][0]["params"] == {"hardware": "H100"}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([Q_(1, "ms"), Q_(2, "GB")], "cost is 1 ms at x=0 and 2 GB at x=1"),
        ([2.0, Q_(1, "ms")], "cost is 2 at x=0 and 1 ms at x=1"),
    ],
)
def test_metrics_of_two_dimensions_are_not_compared(values, told):
    with pytest.raises(WrongUnit, match=told):
        found("minimize: cost", space={"x": range(2)}, evaluate=lambda p: {"cost": values[p["x"]]})


def test_metrics_in_two_units_of_one_dimension_are_compared():
    values = [Q_(1, "s"), None, Q_(2, "ms")]
    answer = found(
        "minimize: cost", space={"x": range(3)}, evaluate=lambda p: {"cost": values[p["x"]]}
    )
    assert answer["best_params"] == {"x": 2}


@pytest.mark.parametrize(
    "solver", [SingleNodeModel, SingleNodeModel(), SingleNodeModel().solve, Engine, Engine.solve]
)
def test_a_solver_is_asked_with_the_axes_as_its_arguments(solver):
    space = {"model": LLAMA, "hardware": [A100, H100], "batch_size": [1, 8]}
    answer = DSE(space, "maximize: throughput").search(solver)
    assert answer["best_params"] == {"model": "Llama3_8B", "hardware": "H100", "batch_size": 8}
    assert answer["best"] == Engine.solve(LLAMA, H100, batch_size=8)


def test_entries_may_be_named():
    space = {"model": ["Llama3_8B", "GPT2"], "hardware": ["H100", "A100"], "batch_size": [1, 8]}
    answer = DSE(space, "minimize: latency").search(SingleNodeModel)
    assert answer["best_params"] == {"model": "GPT2", "hardware": "H100", "batch_size": 1}
    assert answer["evaluated"] == 8


def test_a_function_of_several_arguments_takes_an_axis_for_each():
    answer = DSE({"x": range(4), "y": [3, 1]}, "maximize: z").search(lambda x, y: {"z": x * y})
    assert answer["best_params"] == {"x": 3, "y": 3}


def test_an_axis_that_a_solver_does_not_take_is_told_the_nearest_one():
    space = {"model": LLAMA, "hardware": H100, "batchsize": [1, 8]}
    with pytest.raises(UnknownArgument, match="did you mean 'batch_size'"):
        DSE(space, "maximize: throughput").search(SingleNodeModel)


def test_an_axis_that_a_solver_needs_is_missed_before_anything_is_evaluated():
    with pytest.raises(BadArgument, match=r"SingleNodeModel\.solve also needs hardware"):
        DSE({"model": LLAMA}, "maximize: throughput").search(SingleNodeModel)


@pytest.mark.parametrize("evaluate", [None, "SingleNodeModel", 3])
def test_what_cannot_be_asked_is_refused(evaluate):
    with pytest.raises(BadArgument, match="a function of a point, or a solver"):
        found(evaluate=evaluate)


def test_what_happens_to_faults_is_one_of_two_words():
    with pytest.raises(UnknownName, match="did you mean 'keep'"):
        found(on_error="keeep")


def test_a_result_is_searched_like_a_mapping():
    """A constraint with its unit, on the profile itself; H100 fp16 decodes in 4.6 ms at batch 1."""
    dse = DSE({"batch_size": [1, 8, 64, 4096]}, "maximize: throughput", ["latency < 10 ms"])
    answer = dse.search(lambda p: Engine.solve(LLAMA, H100, **p))
    assert answer["best_params"] == {"batch_size": 64}
    assert answer["best"].bottleneck == "Memory"
    assert "short by" in answer["infeasible"][0]["reason"]


def test_an_executor_gives_the_same_answer_in_the_same_order():
    with ThreadPoolExecutor(2) as executor:
        parallel = found(["maximize: area", "minimize: x"], executor=executor)
    assert parallel["front"] == found(["maximize: area", "minimize: x"])["front"]


def test_errors_survive_the_way_back_from_another_process():
    for error in (UnknownName("x", "ab", ["abc"]), MissingValue("Gaudi3", "unit_cost", "give it")):
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


def test_progress_is_told_of_every_point():
    told = []
    found(progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 10) for n in range(1, 11)]


# ---- several objectives -------------------------------------------------------------------------


def beaten(costs, i):
    """Whether some row is at least as good everywhere and better somewhere, or an earlier equal."""
    return any(
        np.all(costs[j] <= costs[i]) and (np.any(costs[j] < costs[i]) or j < i)
        for j in range(len(costs))
        if j != i
    )


@given(
    st.integers(1, 4).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(0, 6), min_size=k, max_size=k), min_size=1, max_size=30
        )
    )
)
def test_the_front_holds_just_the_points_that_no_other_beats(rows):
    costs = np.array(rows, dtype=float)
    assert set(pareto(costs).tolist()) == {i for i in range(len(costs)) if not beaten(costs, i)}


def test_the_front_and_its_knee_worked_out_by_hand():
    """Costs (0, 10) (1, 2) (10, 0) are a front with scaled sums 1, 0.3 and 1: the knee is (1, 2).

    (2, 3) is beaten by (1, 2).
    """
    points = [(0, 10), (1, 2), (10, 0), (2, 3)]
    answer = DSE({"x": range(4)}, ["minimize: a", "minimize: b"]).search(
        lambda p: dict(zip("ab", points[p["x"]], strict=True))
    )
    assert [point["params"]["x"] for point in answer["front"]] == [0, 1, 2]
    assert answer["best_params"] == answer["knee"]["params"] == {"x": 1}


def test_a_front_of_one_is_its_own_knee():
    assert knee(np.array([[3.0, 4.0]])) == 0


# ---- columns ------------------------------------------------------------------------------------

SPACE = {
    "hardware": [A100, H100],
    "batch_size": [1, 7, 64, 512],
    "precision": ["fp16", "int8"],
    "seq_len": [128, 8192],
}


def one_by_one(objective, constraints):
    def evaluate(p):
        rest = {key: value for key, value in p.items() if key != "hardware"}
        return Engine.solve(LLAMA, p["hardware"], **rest)

    return DSE(SPACE, objective, constraints).search(evaluate)


@pytest.mark.parametrize(
    "objective",
    [
        "maximize: throughput",
        "minimize: latency",
        ["maximize: throughput", "minimize: latency"],
        ["maximize: mfu", "minimize: energy", "minimize: memory_required"],
    ],
)
@pytest.mark.parametrize(
    "constraints",
    [
        [],
        ["latency < 20 ms"],
        ["bottleneck == Memory", "mfu >= 0.01"],
        ["batch_size > 5"],
        ["feasible == True", "memory_required <= 60 GB"],
    ],
)
def test_columns_give_the_answer_of_the_points_one_by_one(objective, constraints):
    plain = one_by_one(objective, constraints)
    fast = DSE(SPACE, objective, constraints).search_sweep(Engine.sweep, LLAMA)
    assert fast["evaluated"] == plain["evaluated"] == 32
    assert len(fast["infeasible"]) == len(plain["infeasible"])

    def keys(front):
        names = {A100: A100.stem, H100: H100.stem}
        return {
            tuple(sorted((key, names.get(value, value)) for key, value in point["params"].items()))
            for point in front
        }

    assert keys(fast["front"]) == keys(plain["front"])
    assert keys([fast["knee"]]) == keys([plain["knee"]])
    assert fast["best"].latency.m == pytest.approx(plain["best"].latency.m)


def test_points_that_fall_out_of_the_columns_say_why_when_looked_at():
    dse = DSE(SPACE, "maximize: throughput", ["latency < 1 us"])
    answer = dse.search_sweep(Engine.sweep, LLAMA)
    assert answer["best_params"] is None
    assert len(answer["infeasible"]) == 32
    reasons = [point["reason"] for point in answer["infeasible"]]
    assert all("latency < 1 us" in reason or "short by" in reason for reason in reasons)
    first_two = list(itertools.islice(answer["infeasible"], 2))
    assert [p["params"] for p in answer["infeasible"][:2]] == [p["params"] for p in first_two]


def test_a_device_without_the_datapath_keeps_its_place_in_the_columns():
    only = Hardware.from_spec(
        {
            "name": "int8 only",
            "release_year": 2027,
            "compute": {"peak_flops": "1 TFLOP/s", "peak_precision": "int8"},
            "memory": {"capacity": "80 GB", "bandwidth": "1 TB/s"},
        }
    )
    dse = DSE({"hardware": [only, H100], "precision": ["fp32"]}, "minimize: latency")
    answer = dse.search_sweep(Engine.sweep, LLAMA)
    assert answer["best_params"]["hardware"] == H100.stem
    assert "datapath" in answer["infeasible"][0]["reason"]


def test_devices_may_be_given_beside_the_space_and_constrained_by_name():
    dse = DSE({"batch_size": [1, 2]}, "minimize: latency", [f"hardware != {H100.stem}"])
    answer = dse.search_sweep(Engine.sweep, LLAMA, [H100, A100], efficiency=0.4)
    assert answer["best_params"] == {
        "hardware": A100.stem,
        "precision": "fp16",
        "batch_size": 1,
        "seq_len": 2048,
    }


def test_columns_without_any_device_are_refused():
    told = r"^hardware cannot be None: give devices here, or as an axis of the space\.$"
    with pytest.raises(BadArgument, match=told):
        DSE({"batch_size": [1]}, "minimize: latency").search_sweep(Engine.sweep, LLAMA)


def test_an_axis_that_a_sweep_does_not_have_is_refused():
    with pytest.raises(UnknownName, match="did you mean 'batch_size'"):
        DSE({"batch": [1]}, "minimize: latency").search_sweep(Engine.sweep, LLAMA, H100)


@pytest.mark.parametrize(
    ("objective", "constraint", "error"),
    [
        ("minimize: latencie", "mfu > 0", UnknownName),
        ("minimize: latency", "mfuu > 0", UnknownName),
        ("minimize: latency", "latency < 5", WrongUnit),
        ("minimize: latency", "mfu < 5 ms", WrongUnit),
        ("minimize: bottleneck", "mfu > 0", BadArgument),
        ("minimize: latency", "mfu == Memory", BadArgument),
    ],
)
def test_columns_are_as_strict_as_points(objective, constraint, error):
    with pytest.raises(error):
        DSE(SPACE, objective, [constraint]).search_sweep(Engine.sweep, LLAMA)


def test_a_device_of_unknown_power_cannot_be_ranked_by_energy():
    quiet = A100.replace(name="quiet", tdp=None, sources={})
    dse = DSE({"hardware": [quiet, H100]}, "minimize: energy")
    answer = dse.search_sweep(Engine.sweep, LLAMA)
    assert answer["best_params"]["hardware"] == H100.stem
    assert "energy is" in answer["infeasible"][0]["reason"]


# ---- what is told -------------------------------------------------------------------------------


def test_a_search_is_told_in_a_line():
    answer = found(["maximize: area", "minimize: x"])
    assert repr(answer) == "10 points, 1 cannot be chosen, 9 on the front; best {'x': 8}"
    assert repr(found()) == "10 points, 1 cannot be chosen; best {'x': 8}"
    assert repr(found(space={"x": [1, 2]})) == "2 points; best {'x': 2}"
    none = found(constraints=["area > 1000"], space={"x": range(1200)})
    assert repr(none) == "1,200 points, 32 cannot be chosen; best {'x': 1199}"
    dse = DSE({"x": range(40), "y": range(30)}, "maximize: area")
    assert repr(dse) == "DSE of 1,200 points (40 x x 30 y)"
    assert repr(answer["infeasible"]) == "1 points that cannot be chosen"
    page = found()._repr_html_()
    assert page.startswith("<p>10 points, 1 cannot be chosen; best {&#x27;x&#x27;: 8}</p><table>")
    lost = found(constraints=["area > 1000"])
    reason = "area is 0, and the constraint is area &gt; 1000"
    assert lost._repr_html_() == f"<p>none of 10 points can be chosen; the first: {reason}</p>"


def test_a_front_is_a_table_of_what_was_asked():
    answer = found(["maximize: area", "minimize: x"], ["side < 3 GB"])
    assert answer.table(of="front").to_csv() == (
        "x,area,side (GB),feasible\n2,4,2.0,True\n1,1,1.0,True\n0,0,0.0,True\n"
    )
    assert answer.table(["parity", "nothing"]).heads == [
        *("x", "area", "side (GB)", "feasible", "parity")
    ]
    fast = DSE({"batch_size": [1, 64]}, ["minimize: latency", "maximize: throughput"])
    swept = fast.search_sweep(Engine.sweep, LLAMA, [A100, H100])
    assert len(swept.table()) == 4
    assert swept.table(["hardware"], of="front").column("hardware").tolist() == ["H100", "H100"]


@pytest.mark.parametrize(
    ("constraint", "told"),
    [
        ("area == odd", "area is 0"),
        ("parity == True", "parity is even"),
        ("parity < 5", "parity is not a number"),
        ("feasible > 0", "feasible is not a number"),
        ("side < 5", "side is in GB; write the unit, as in 'side < 1 GB'"),
        ("side < 5 s", "side is in GB; write the unit, as in 'side < 1 GB'"),
        ("area < 5 GB", "area is a number without a unit; return a quantity, or leave it out"),
    ],
)
def test_what_cannot_be_compared_is_told_in_words(constraint, told):
    with pytest.raises(BadArgument) as caught:
        found(constraints=[constraint])
    assert str(caught.value) == f"constraints cannot be {constraint!r}: {told}."


def test_a_column_that_is_none_of_words_is_told_as_one():
    with pytest.raises(BadArgument, match="mfu is a column of other things"):
        DSE(SPACE, "minimize: latency", ["mfu == Memory"]).search_sweep(Engine.sweep, LLAMA)


@pytest.mark.parametrize(
    ("sign", "best"), [("<", 2), ("<=", 3), ("==", 3), ("!=", 8), (">", 8), (">=", 8)]
)
def test_a_bound_is_kept_on_its_side_and_on_itself(sign, best):
    assert found(constraints=[f"x {sign} 3"])["best_params"] == {"x": best}
    least = {"<": 0, "<=": 0, "==": 3, "!=": 0, ">": 4, ">=": 3}[sign]
    assert found("minimize: x", [f"side {sign} 3000 MB"])["best_params"] == {"x": least}


def test_a_device_of_one_amount_or_of_several_is_searched_along_all_of_them():
    """Of one device two peaks by three bandwidths; the last axis runs fastest."""
    rates = ["2 TB/s", "1000 GB/s", "3 TB/s"]
    columns = combined({"peak": ["500 TFLOP/s", Q_("1 PFLOP/s")], "bandwidth": rates})
    assert columns["peak"].m_as("TFLOP/s").tolist() == [500, 500, 500, 1000, 1000, 1000]
    assert columns["bandwidth"].m_as("TB/s").tolist() == [2, 1, 3, 2, 1, 3]
    assert combined({"tdp": ["700 W"]})["tdp"].m_as("W").tolist() == [700]
    remedy = r"^space\['tdp'\] cannot be .*: give quantities of one dimension\.$"
    with pytest.raises(WrongUnit, match=remedy):
        combined({"tdp": ["700 W", "3 J"]})
