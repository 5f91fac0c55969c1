"""Paths fit the time that they have, and what a speaker is to say is true."""

from __future__ import annotations

import ast

import pytest

from mlsysim import (
    DistributedModel,
    EconomicsModel,
    Engine,
    Fleet,
    Hardware,
    Infra,
    Models,
    ReliabilityModel,
    SensitivitySolver,
    SustainabilityModel,
    Systems,
)
from mlsysim.core.errors import InvalidEntry, UnknownName
from mlsysim.course import lessons as course
from mlsysim.course.lessons import Lesson
from mlsysim.course.paths import CoursePath, Station, find_path, paths, plan

READING = 200  # words a minute
each_path = pytest.mark.parametrize("path", paths(), ids=lambda path: path.name)


def minutes_of(lesson: Lesson, skip=()) -> float:
    """What a lesson takes: reading all that is written in it, and a minute for each prediction."""
    tree = ast.parse(lesson.file().read_text(encoding="utf-8"))
    texts = [
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is str
    ]
    read = sum(len(text.split()) for text in texts) / READING
    asked = len(lesson.questions)
    kept = asked - len(skip)
    return read * kept / asked + kept


@each_path
def test_a_path_fits_the_time_that_it_has(path):
    end = path.timetable[-1].end
    assert end <= path.minutes < end + 20
    assert all(number in plan() for number in path.lessons)


@each_path
def test_each_written_lesson_of_a_path_fits_its_station(path):
    for slot in path.timetable:
        facts = plan().get(slot.station.lesson)
        if isinstance(facts, Lesson):
            assert minutes_of(facts, slot.station.skip) <= slot.station.length, facts.stem
            assert set(slot.station.skip) <= set(range(1, len(facts.questions) + 1))


@pytest.mark.parametrize("lesson", course.lessons(), ids=lambda lesson: lesson.stem)
def test_a_lesson_fits_the_minutes_that_it_promises(lesson):
    assert minutes_of(lesson) <= lesson.minutes


@each_path
def test_who_presents_has_a_message_and_notes_and_a_cut_where_time_is_short(path):
    for station in path.stations if path.spoken else ():
        assert station.notes
        if station.lesson is not None:
            assert station.message
            assert station.cut or station.length >= plan()[station.lesson].minutes


def test_a_timetable_counts_from_the_start():
    path = CoursePath(
        name="x",
        letter="X",
        title="?",
        reader="?",
        minutes=60,
        stations=[0, {"pause": "Break", "minutes": 10}, {"lesson": 1, "minutes": 5}],
    )
    first = plan()[0].minutes
    assert [(slot.start, slot.end) for slot in path.timetable] == [
        (0, first),
        (first, first + 10),
        (first + 10, first + 15),
    ]
    assert path.lessons == [0, 1]


def test_a_path_is_found_by_its_name_or_its_letter():
    assert find_path("d+") is find_path("D+") is find_path("half-day")
    with pytest.raises(UnknownName, match="conference"):
        find_path("conferense")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "lesson: give a lesson's number, or the name of a pause."),
        ({"pause": "x"}, "minutes: how long is 'x'?"),
        (
            {"lesson": 1, "pause": "x", "minutes": 3},
            "lesson: give a lesson's number, or the name of a pause.",
        ),
        ({"lesson": "one"}, "lesson: 'one' will not do; give a whole number."),
    ],
)
def test_a_station_that_is_none_is_refused(facts, words):
    with pytest.raises(InvalidEntry) as refused:
        Station.build(facts)
    assert str(refused.value) == f"Station: {words}"


# ---- the messages --------------------------------------------------------------------------------


def test_decode_of_one_user_follows_the_bandwidth_and_not_the_flops():
    llama = Models.Language.Llama3_8B
    for old, new in ((Hardware.A100, Hardware.H100), (Hardware.A100, Hardware.L40S)):
        gain = (Engine.solve(llama, old).latency / Engine.solve(llama, new).latency).m_as("")
        bandwidth = (new.memory.bandwidth / old.memory.bandwidth).m_as("")
        flops = (new.peak() / old.peak()).m_as("")
        assert gain == pytest.approx(bandwidth, rel=0.01)
        assert abs(flops / gain - 1) > 0.3
    ask = SensitivitySolver().solve
    assert ask(llama, Hardware.H100).sensitivities["peak_flops"] == 0
    at_ridge = ask(llama, Hardware.H100, batch_size=148, seq_len=1).sensitivities
    assert at_ridge["peak_flops"] == pytest.approx(at_ridge["memory_bandwidth"], rel=0.1)


def test_a_short_prompt_takes_about_one_step_and_a_long_one_waits_for_arithmetic():
    llama, h100 = Models.Language.Llama3_8B, Hardware.H100
    prompt = Engine.solve(llama, h100, seq_len=2048, phase="prefill")
    assert (prompt.bottleneck, Engine.solve(llama, h100).bottleneck) == ("Compute", "Memory")


def test_inside_a_layer_costs_more_than_failures_and_those_more_than_the_sum_of_gradients():
    fleet = Fleet(name="f", node=Systems.DGX_H100, count=128, fabric=Systems.InfiniBand_NDR)
    step = DistributedModel().solve(
        Models.Language.Llama3_70B,
        fleet=fleet,
        batch_size=2048,
        seq_len=4096,
        tensor_parallel=8,
        pipeline_parallel=4,
        zero_stage=1,
        sequence_parallel=True,
        recompute="selective",
        microbatch=1,
    )
    failures = ReliabilityModel().solve(fleet).waste
    inside = (step.tensor_time / step.step_time).m_as("")
    gradients = (step.data_time / step.step_time).m_as("")
    assert inside > 2 * failures > 2 * gradients


def test_a_place_moves_the_carbon_by_ten_and_electricity_is_a_few_percent_of_the_bill():
    fleet = Systems.Research_256
    carbon = [
        SustainabilityModel().solve(fleet, 30, grid, mfu=0.42).carbon
        for grid in (Infra.Quebec, Infra.Poland)
    ]
    assert (carbon[1] / carbon[0]).m_as("") > 10
    cheap, dear = (
        EconomicsModel().solve(fleet, 30, electricity_price=f"{price} USD/kWh").tco
        for price in (0.05, 0.10)
    )
    assert 1.005 < (dear / cheap).m_as("") < 1.08
