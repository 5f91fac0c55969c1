"""Pipelines: what fits together, what flows, what is missing, and who is told."""

from __future__ import annotations

import math
import re

import pytest

import mlsysim
from mlsysim import Hardware, Models, Pipeline, SensitivitySolver, SingleNodeModel, SynthesisSolver
from mlsysim.core.errors import BadArgument, MissingValue, MLSysError, UnknownArgument, WrongUnit
from mlsysim.core.solver import Result, Solver
from mlsysim.core.units import Bytes, Count, Number, Seconds
from mlsysim.engine.pipeline import Pipeline as DecksPipeline
from mlsysim.walls import WALLS

SOLVERS = list(dict.fromkeys(name for wall in WALLS for name in wall.solvers))


class Doubled(Result):
    """The result of Double; `given` repeats an input."""

    half: Number
    twice: Bytes = "GB"
    given: Bytes = "GB"


class Double(Solver):
    """A stage made for these tests."""

    walls = (1, 30)

    def solve(self, given: Bytes) -> Doubled:
        """Twice as many bytes."""
        return Doubled(twice=2 * given, given=given, half=0.5)


class Moved(Result):
    """The result of Move; `rate` stays unknown when nothing is left."""

    time: Seconds = "s"
    rate: Number | None
    reason: str = ""


class Move(Solver):
    """Takes what Double produces."""

    walls = (2,)

    def solve(self, twice: Bytes, *, given: Bytes | None = None, parts: Count = 1.0) -> Moved:
        """A second for each gigabyte."""
        own = 0.0 if given is None else given
        return Moved(time=(twice + own) / 1e9 / parts, rate=None, reason="nobody measured it")


class Last(Solver):
    """Needs what Move may leave unknown."""

    def solve(self, rate: Number) -> Moved:
        """Never reached in these tests."""
        return Moved(time=1.0, rate=rate)


class Listener:
    """Notes each event that it hears of."""

    def __init__(self):
        self.heard = []

    def on_start(self, inputs):
        self.heard.append(("start", sorted(inputs)))

    def on_stage_end(self, stage, result, seconds):
        assert seconds >= 0
        self.heard.append(("end", stage, type(result).__name__))

    def on_error(self, stage, error):
        self.heard.append(("error", stage, type(error).__name__))


def test_produces_is_read_from_the_result_that_solve_is_annotated_with():
    assert Double.produces == ("half", "twice", "given")
    assert Double().requires == ("given",)


def test_produces_may_be_declared_and_follows_an_overridden_solve():
    class Declared(Double):
        produces = ("something",)

    class Inheriting(Double):
        pass

    class Overriding(Double):
        def solve(self, given: Bytes) -> Moved:
            return Moved(time=1.0)

    assert Declared.produces == ("something",)
    assert Inheriting.produces == Double.produces
    assert Overriding.produces == ("time", "rate", "reason")


def test_a_result_flows_into_the_stage_that_asks_for_its_name():
    results = Pipeline([Double(), Move()]).run(given="3 GB")
    assert list(results) == ["Double", "Move"]
    assert results["Move"].time.m_as("s") == pytest.approx(2 * 3 + 3)  # `given` was given to all


def test_an_input_that_a_stage_repeats_in_its_result_is_not_passed_on():
    """Otherwise a stage's own default would become everyone's."""
    pipe = Pipeline([Double(), Move()])
    assert [edge.field for edge in pipe.edges] == ["twice"]
    assert pipe.run(Double__given="3 GB")["Move"].time.m_as("s") == pytest.approx(6)


def test_what_a_stage_says_of_its_own_step_is_not_passed_on():
    """The HBM bandwidth of a node is not the link bandwidth of a topology; nor is its MFU."""
    pipe = Pipeline([SingleNodeModel(), mlsysim.TopologyModel(), mlsysim.ScalingModel()])
    assert pipe.edges == []


def test_an_input_that_a_stage_works_out_itself_is_passed_on():
    """ReliabilityModel takes an MTBF or adds it up from the parts; CheckpointModel needs one."""
    pipe = Pipeline([mlsysim.ReliabilityModel(), mlsysim.CheckpointModel()])
    assert ("ReliabilityModel", "mtbf", "CheckpointModel", "s") in pipe.edges
    results = pipe.run(
        fleet=mlsysim.Systems.Clusters.Research_256,
        model=Models.Language.GPT2,
        storage_bandwidth="200 GB/s",
    )
    found, used = results["ReliabilityModel"].mtbf, results["CheckpointModel"].mtbf
    assert used.m_as("hour") == pytest.approx(found.m_as("hour"))


def test_one_run_answers_for_all_22_walls():
    """Inputs for one stage alone are addressed to it: the streaming wall is that of a wafer."""
    pipe = Pipeline([getattr(mlsysim.solvers, name)() for name in SOLVERS])
    results = pipe.run(
        model=Models.Language.Llama3_8B,
        hardware=Hardware.H100,
        target_latency="50 ms",
        EfficiencyModel__model=None,
        WeightStreamingModel__hardware=Hardware.CS3,
        arrival_rate_qps=10,
        service_latency_ms=50,
        sla_latency_ms=20_000,
        samples_per_second="1000 1/s",
        bytes_per_sample="100 kB",
        storage_bandwidth="10 GB/s",
        TransformationModel__batch_size=256,
        workers=64,
        worker_rate="500 1/s",
        compute_budget="1e21 FLOP",
        fleet=mlsysim.Systems.Clusters.Research_256,
        jobs_per_day=10,
        job_duration="1 hour",
        duration_days=30,
        datacenter=mlsysim.Infra.Grids.Quebec,
        epsilon=1.0,
    )
    assert list(results) == list(SOLVERS)
    assert {number for result in results.values() for number in result.walls} == set(range(1, 23))


def test_the_efficiency_found_first_holds_for_the_stages_after_it():
    pipe = Pipeline([mlsysim.EfficiencyModel(), SensitivitySolver()])
    assert ("EfficiencyModel", "efficiency", "SensitivitySolver", "") in pipe.edges


def test_the_listing_of_three_stages_flows_from_the_budget_to_the_fleet():
    """1e21 FLOP buy sqrt(1e21 / 120) = 2.887e9 parameters, which the fleet then trains."""
    pipe = Pipeline([mlsysim.ScalingModel(), mlsysim.DistributedModel(), mlsysim.EconomicsModel()])
    results = pipe.run(
        compute_budget="1e21 FLOP",
        fleet=mlsysim.Systems.Clusters.Research_256,
        duration_days=30,
        datacenter=mlsysim.Infra.Grids.Quebec,
        mfu=0.45,
        infrastructure_multiplier=2.5,
    )
    assert results["DistributedModel"].parameters == pytest.approx(math.sqrt(1e21 / 120), rel=1e-3)


RUN = {
    "compute_budget": "1e22 FLOP",
    "fleet": mlsysim.Systems.Clusters.Training_1K,
    "datacenter": mlsysim.Infra.Grids.Quebec,
    "infrastructure_multiplier": 2.5,
    "zero_stage": 1,
}
AUDIT = ["Scaling", "Distributed", "Checkpoint", "Reliability", "Economics", "Sustainability"]


def test_a_budget_becomes_days_failures_dollars_and_tonnes_with_nothing_typed_in_between():
    pipe = Pipeline([getattr(mlsysim, f"{name}Model")() for name in AUDIT])
    assert pipe.gaps == [
        ("ScalingModel", "compute_budget"),
        *((f"{name}Model", "fleet") for name in ("Distributed", "Reliability", "Economics")),
        ("SustainabilityModel", "fleet"),
        ("SustainabilityModel", "datacenter"),
    ]
    found = pipe.run(**RUN)
    scaled, run, saved, fails, bill, green = (found[f"{name}Model"] for name in AUDIT)
    # by hand: sqrt(1e22 / 120) parameters on 20 tokens each, at 1,024 peaks of 989.4 TFLOP/s
    parameters = math.sqrt(1e22 / 120)
    assert run.parameters == pytest.approx(parameters)
    useful = 1e22 / (1024 * 989.4e12 * run.mfu)
    assert run.training_time.m_as("s") == pytest.approx(useful)
    # 14 bytes a parameter onto 128 nodes' drives, and Young's interval for a failure in 49.49 h
    writes = 14 * parameters / (128 * 1.94e9)
    between = 16_384 * 54 * 24 * 3600 / 419 / 1024
    assert saved.blocking_time.m_as("s") == pytest.approx(writes)
    assert saved.interval.m_as("s") == pytest.approx(math.sqrt(2 * writes * between), rel=1e-3)
    assert fails.checkpoint_time == saved.blocking_time
    assert fails.interval.m_as("s") == pytest.approx(saved.interval.m_as("s"))
    assert sum(fails.failure_shares.values()) == pytest.approx(1)  # of its own parts
    # goodput stretches the run, and that is what is paid for and what emits
    assert fails.elapsed_time.m_as("s") == pytest.approx(useful / fails.goodput)
    assert fails.expected_failures == pytest.approx((fails.elapsed_time / fails.mtbf).m_as(""))
    assert bill.duration.m_as("s") == pytest.approx(useful / fails.goodput)
    assert green.duration == bill.duration
    servers = 2.5 * 1024 * 30_000 * fails.elapsed_time.m_as("year") / 3
    assert bill.capex.m_as("USD") == pytest.approx(servers)
    assert green.carbon.m_as("g") == pytest.approx(30.5 * bill.energy.m_as("kWh"))
    # and the work is that of the budget: an exaFLOP has its price and its grams
    assert bill.cost_per_exaflop == pytest.approx(bill.tco_usd / (1e22 / 1e18), rel=1e-6)
    assert green.operations.m_as("FLOP") == pytest.approx(scaled.compute.m_as("FLOP"))


def test_a_run_of_six_domains_reads_its_data_and_knows_what_its_step_is_sensitive_to():
    """Node, data, algorithm, fleet, operations and analysis: what one finds out, others take."""
    names = ["ScalingModel", "SingleNodeModel", "DistributedModel", "DataModel", "CheckpointModel"]
    names += ["ReliabilityModel", "EconomicsModel", "SustainabilityModel", "SensitivitySolver"]
    pipe = Pipeline([getattr(mlsysim, name)() for name in names])
    found = pipe.run(
        **RUN,
        model=Models.GPT2,
        hardware=Hardware.H100,
        bytes_per_sample="4 kB",
        DataModel__batch_size=1024,
        storage_bandwidth="100 GB/s",
        seq_len=1024,
    )
    # a step of 1,024 samples of 4 kB in the time that the fleet takes for it
    demand = 1024 * 4e3 / found["DistributedModel"].step_time.m_as("s")
    assert found["DataModel"].demand.m_as("B/s") == pytest.approx(demand)
    # the tokens that the budget buys for this model, and not for the one that it would buy best
    tokens = found["ScalingModel"].optimal_tokens
    assert tokens == pytest.approx(1e22 / (6 * Models.GPT2.parameters))
    assert found["DistributedModel"].tokens == pytest.approx(tokens)
    elapsed = found["ReliabilityModel"].elapsed_time
    assert found["SustainabilityModel"].duration.m_as("day") == pytest.approx(elapsed.m_as("day"))


def test_days_that_are_given_hold_against_those_that_a_run_takes():
    pipe = Pipeline([mlsysim.ScalingModel(), mlsysim.DistributedModel(), mlsysim.EconomicsModel()])
    assert "duration_days (training_time from DistributedModel)" in pipe.explain()
    assert "training_time as duration_days" in pipe.explain()
    given = {key: RUN[key] for key in ("compute_budget", "fleet", "zero_stage")}
    assert pipe.run(**given, duration_days=30)["EconomicsModel"].duration.m_as("day") == 30
    alone = pipe.run(**given)
    assert alone["EconomicsModel"].duration == alone["DistributedModel"].training_time


def test_a_plan_that_does_not_fit_is_the_reason_why_nothing_can_be_billed():
    pipe = Pipeline([getattr(mlsysim, f"{name}Model")() for name in AUDIT])
    with pytest.raises(MissingValue, match=r"duration_days: .* A device needs .* and holds"):
        pipe.run(**{**RUN, "compute_budget": "1e23 FLOP"})


def test_an_interval_is_best_for_the_checkpoint_that_was_asked_about():
    """Was wrong: a save of 10 s inherited the interval that is best for one of 60 s."""
    pipe = Pipeline([mlsysim.ReliabilityModel(), mlsysim.CheckpointModel()])
    found = pipe.run(
        fleet=RUN["fleet"], model=Models.Language.Llama3_70B, storage_bandwidth="100 GB/s"
    )
    fails, saved = found.values()
    best = math.sqrt(2 * saved.blocking_time.m_as("s") * fails.mtbf.m_as("s"))
    assert saved.interval.m_as("s") == pytest.approx(best)
    assert saved.interval < fails.interval / 2


def test_what_serves_occupies_the_servers_of_the_queue():
    pipe = Pipeline([mlsysim.ServingModel(), mlsysim.TailLatencyModel()])
    found = pipe.run(
        model=Models.Llama3_8B, hardware=Hardware.H100, batch_size=8, arrival_rate_qps=2
    )
    served, tail = found.values()
    assert tail.service_time.m_as("s") == pytest.approx(served.latency.m_as("s"))
    assert tail.num_replicas == 8
    assert tail.utilization == pytest.approx(2 * served.latency.m_as("s") / 8)
    slow = pipe.run(
        model=Models.Llama3_8B, hardware=Hardware.H100, arrival_rate_qps=2, service_latency_ms=400
    )
    assert slow["TailLatencyModel"].service_time.m_as("ms") == pytest.approx(400)


def test_a_convolution_passes_through_stages_that_differ_in_what_they_repeat():
    """SingleNodeModel reports seq_len 1 for an image; no later stage must be fed that."""
    pipe = Pipeline([SingleNodeModel(), SensitivitySolver()])
    results = pipe.run(model=Models.ResNet50, hardware=Hardware.H100, batch_size=8)
    assert results["SingleNodeModel"].latency == results["SensitivitySolver"].latency


def test_an_edge_says_what_flows_between_which_stages_and_in_which_unit():
    (edge,) = Pipeline([Double(), Move()]).edges
    assert (edge.producer, edge.consumer) == ("Double", "Move")
    assert (edge.field, edge.unit) == ("twice", "B")


def test_what_is_given_to_a_stage_holds_against_what_is_produced():
    results = Pipeline([Double(), Move()]).run(given="3 GB", Move__twice="1 GB")
    assert results["Move"].time.m_as("s") == pytest.approx(1 + 3)


def test_what_flows_is_not_overruled_without_the_name_of_a_stage():
    with pytest.raises(BadArgument) as caught:
        Pipeline([Double(), Move()]).run(given="3 GB", twice="1 GB")
    ways = "say which stage is meant, as in Move__twice=..."
    assert str(caught.value) == f"twice cannot be '1 GB': an earlier stage works it out; {ways}"


def test_an_input_of_all_reaches_the_stages_that_are_not_fed_by_another():
    """The first Move has nobody before it; the second is fed by Double."""
    pipe = Pipeline({"early": Move(), "double": Double(), "late": Move()})
    results = pipe.run(twice="1 GB", given="3 GB")
    assert results["early"].time.m_as("s") == pytest.approx(1 + 3)
    assert results["late"].time.m_as("s") == pytest.approx(6 + 3)
    assert "twice (from double)" in pipe.explain(twice="1 GB", given="3 GB")


def test_a_batch_of_two_meanings_is_asked_for_by_stage():
    """The sequences that are served at once are not those of a training step."""
    pipe = Pipeline([SingleNodeModel(), mlsysim.DistributedModel()])
    given = {
        "model": Models.Llama3_8B,
        "hardware": Hardware.H100,
        "fleet": mlsysim.Systems.Clusters.Research_256,
        "seq_len": 2048,
    }
    expected = r"SingleNodeModel__batch_size=\.\.\., DistributedModel__batch_size=\.\.\."
    with pytest.raises(BadArgument, match=expected):
        pipe.run(batch_size=1024, **given)
    results = pipe.run(batch_size=1024, SingleNodeModel__batch_size=8, **given)
    assert results["SingleNodeModel"].batch_size == 8
    assert results["DistributedModel"].batch_size == 1024


def test_an_input_that_reaches_no_stage_is_refused():
    with pytest.raises(BadArgument, match="'1 GB': its stages have their own; drop it"):
        Pipeline([Double()]).run(given="1 GB", Double__given="2 GB")


def test_the_same_solver_twice_gets_names_and_inputs_of_its_own():
    pipe = Pipeline([Double(), Move(), Move()])
    assert list(pipe.stages) == ["Double", "Move", "Move_2"]
    results = pipe.run(Double__given="3 GB", Move_2__parts=3)
    assert results["Move"].time.m_as("s") == pytest.approx(6)
    assert results["Move_2"].time.m_as("s") == pytest.approx(2)


def test_a_mapping_names_the_stages():
    results = Pipeline({"first": Double(), "second": Move()}).run(first__given="1 GB")
    assert list(results) == ["first", "second"]


def test_a_missing_input_is_refused_before_anything_runs():
    listener = Listener()
    pipe = Pipeline([Double(), SingleNodeModel()], callbacks=[listener])
    expected = r"SingleNodeModel has no known model.*hardware="
    with pytest.raises(MissingValue, match=expected) as caught:
        pipe.run(given="1 GB")
    assert (caught.value.entry, caught.value.field) == ("Pipeline stage SingleNodeModel", "model")
    assert listener.heard == []


def test_an_input_produced_only_later_is_a_gap():
    pipe = Pipeline([Move(), Double()])
    assert ("Move", "twice") in pipe.gaps
    told = r"^Pipeline stage Move has no known twice: no stage before it produces it, so give run"
    with pytest.raises(MissingValue, match=rf"{told}\(twice=\.\.\.\)\.$"):
        pipe.run(given="1 GB")


def test_an_input_that_no_stage_takes_is_told_the_nearest_one():
    with pytest.raises(UnknownArgument, match="did you mean 'given'"):
        Pipeline([Double()]).run(givn="1 GB")
    with pytest.raises(UnknownArgument, match="parts"):
        Pipeline([Double(), Move()]).run(given="1 GB", Move__part=2)
    with pytest.raises(UnknownArgument, match="did you mean 'Move__parts'"):
        Pipeline([Double(), Move()]).run(given="1 GB", Moves__parts=2)
    with pytest.raises(UnknownArgument, match="takes no argument 'Nope__batch_size'"):
        Pipeline([SingleNodeModel()]).run(Nope__batch_size=1)


def test_a_value_left_unknown_is_missed_with_its_reason():
    told = r"^Pipeline stage Last has no known rate: Move leaves it unknown: nobody measured it\."
    with pytest.raises(MissingValue, match=told):
        Pipeline([Double(), Move(), Last()]).run(given="1 GB")


def test_a_malformed_input_says_in_which_stage():
    listener = Listener()
    pipe = Pipeline([Double(), Move()], callbacks=[listener])
    with pytest.raises(MLSysError) as caught:
        pipe.run(given="1 GB", parts=-1)
    assert any("in stage Move" in note for note in caught.value.__notes__)
    assert listener.heard[-1] == ("error", "Move", "OutOfRange")


def test_an_infeasible_stage_is_an_answer_and_the_pipeline_goes_on():
    pipe = Pipeline([SingleNodeModel(), SensitivitySolver()])
    results = pipe.run(model=Models.Language.Llama3_70B, hardware=Hardware.H100)
    assert not results["SingleNodeModel"].feasible
    assert results["SensitivitySolver"].binding_constraint == "memory_capacity"


def test_callback_objects_hear_the_events_that_they_have_a_method_for():
    listener = Listener()
    Pipeline([Double(), Move()], callbacks=[listener]).run(given="1 GB")
    assert listener.heard == [
        ("start", ["given"]),
        ("end", "Double", "Doubled"),
        ("end", "Move", "Moved"),
    ]


def test_callback_functions_hear_every_event():
    events = []
    pipe = Pipeline([Double()], callbacks=[lambda event, details: events.append((event, *details))])
    pipe.run(given="1 GB")
    assert events == [
        ("on_start", "inputs"),
        ("on_stage_start", "stage", "inputs"),
        ("on_stage_end", "stage", "result", "seconds"),
        ("on_end", "results"),
    ]


class Broken:
    """Raises at every event, and counts them."""

    def __init__(self):
        self.heard = 0

    def on_stage_start(self, stage, inputs):
        self.heard += 1
        raise OSError("the tracker is away")

    on_end = on_error = lambda self, **_: self.on_stage_start(None, None)


def test_a_callback_that_raises_is_told_and_does_not_end_the_run():
    broken, listener = Broken(), Listener()
    pipe = Pipeline([Double(), Move()], callbacks=[broken, listener])
    told = "OSError in callback Broken at on_stage_start: the tracker is away; the run went on"
    with pytest.warns(RuntimeWarning, match=told) as warned:
        results = pipe.run(given="1 GB")
    assert len(warned) == 1
    assert results["Move"].time.m_as("s") == pytest.approx(2 + 1)
    assert broken.heard == 3
    assert [str(fault) for fault in results.faults] == ["the tracker is away"] * 3
    assert results.faults[-1].__notes__ == ["in callback Broken at on_end"]
    assert listener.heard[-1] == ("end", "Move", "Moved")


def test_a_callback_that_raises_does_not_hide_the_error_of_a_stage():
    pipe = Pipeline([Double()], callbacks=[Broken()])
    with pytest.warns(RuntimeWarning, match="tracker"), pytest.raises(WrongUnit, match="given"):
        pipe.run(given=3)


def test_a_run_whose_callbacks_are_well_has_no_faults():
    assert Pipeline([Double()], callbacks=[Listener()]).run(given="1 GB").faults == []


def test_a_stage_may_be_anything_that_quacks_and_answer_with_a_mapping():
    class Duck:
        requires, accepts, produces = (), (), ("given",)

        def solve(self):
            return {"given": "2 GB"}

    pipe = Pipeline([Duck(), Double()])
    assert pipe.gaps == []
    assert pipe.run()["Double"].twice.m_as("GB") == pytest.approx(4)


def test_explain_shows_stages_flow_walls_and_gaps():
    text = """\
Pipeline: 3 stages, walls 1-2, 30

1. Double (walls 1, 30)
   requires   given
   produces   half, twice

2. Move (wall 2)
   requires   twice (from Double)
   may take   given, parts
   produces   time, rate, reason

3. Last (no wall)
   requires   rate (from Move)
   produces   time, reason

Flow
   Double -> Move: twice
   Move -> Last: rate

Gaps: nothing before them produces these, so give them to run()
   given, for Double"""
    assert Pipeline([Double(), Move(), Last()]).explain() == text


def test_explain_with_the_inputs_of_a_run_has_no_gaps_left():
    lines = Pipeline([Double(), Move()]).explain(given="1 GB").splitlines()
    assert lines[3:4] + lines[8:9] == [
        "   requires   given (given)",
        "   may take   given (given), parts",
    ]
    assert lines[-1] == "Gaps: none, it can run"
    alone = Pipeline({"one": Move()}).explain(one__twice="1 GB").splitlines()
    assert alone[0] == "Pipeline: 1 stage, wall 2"
    assert alone[3] == "   requires   twice (given)"
    assert alone[-3:] == [
        "Flow: no stage takes what another produces",
        "",
        "Gaps: none, it can run",
    ]


def test_runs_of_walls_are_drawn_together():
    class Many(Double):
        walls = (1, 2, 3, 7, 9, 10)

    assert Pipeline([Many()]).explain().startswith("Pipeline: 1 stage, walls 1-3, 7, 9-10\n")
    assert repr(Pipeline([Many(), Move()])) == "Pipeline(Many -> Move)"


def test_a_stage_that_takes_and_makes_nothing_says_so():
    class Duck:
        requires, accepts, produces = (), (), ()

        def solve(self):
            """Nothing."""

    lines = Pipeline([Duck()]).explain().splitlines()
    assert lines[2:] == [
        "1. Duck (no wall)",
        "   requires   nothing",
        "   produces   nothing that it declares",
        "",
        "Flow: no stage takes what another produces",
        "",
        "Gaps: none, it can run",
    ]


def test_lines_of_an_explanation_are_at_most_100_wide():
    stages = {f"stage_of_a_long_name_{i}": Double() for i in range(5)}
    text = Pipeline(stages).explain()
    assert text.splitlines()[-2:] == [
        "   given, for stage_of_a_long_name_0, stage_of_a_long_name_1, stage_of_a_long_name_2,",
        "      stage_of_a_long_name_3, stage_of_a_long_name_4",
    ]


def test_one_pipeline_spans_all_22_walls():
    stages = [getattr(mlsysim.solvers, name)() for name in SOLVERS]
    pipe = Pipeline(stages)
    assert pipe.walls == tuple(range(1, 23))
    text = pipe.explain()
    assert all(f" {name} (" in text for name in SOLVERS)
    assert max(map(len, text.splitlines())) <= 100
    assert {gap.stage for gap in pipe.gaps} <= set(SOLVERS)


LIST = "give a list of solvers, as in [SingleNodeModel()]"


@pytest.mark.parametrize(
    ("stages", "remedy"),
    [
        ([], "give at least one solver"),
        ({}, "give at least one solver"),
        ("SingleNodeModel", LIST),
        (b"SingleNodeModel", LIST),
        (None, LIST),
        (3, LIST),
        ([3], "int has no solve; derive it from Solver"),
        ({"three": 3}, "three has no solve; derive it from Solver"),
        ([SingleNodeModel], "give a solver itself, as in SingleNodeModel()"),
    ],
)
def test_stages_that_are_no_solvers_are_refused(stages, remedy):
    with pytest.raises(BadArgument, match=f": {re.escape(remedy)}\\.$"):
        Pipeline(stages)


def test_a_callback_without_any_hook_is_refused():
    with pytest.raises(BadArgument, match="on_stage_end"):
        Pipeline([Double()], callbacks=["print"])


def test_solve_is_run_and_every_deck_finds_the_same_class():
    assert Pipeline.solve is Pipeline.run
    assert DecksPipeline is Pipeline
    assert "SynthesisSolver" in repr(Pipeline([SynthesisSolver()]))
