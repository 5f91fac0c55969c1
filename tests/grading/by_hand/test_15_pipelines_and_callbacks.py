"""Exercise 15 on paper: what failures take and cost, what a bill hears, what a callback keeps."""

from __future__ import annotations

from math import exp, sqrt
from warnings import catch_warnings

import pytest

from grading.check import load
from mlsysim import Pipeline
from mlsysim.core.errors import BadArgument
from mlsysim.core.solver import Result, Solver
from mlsysim.core.units import Q_, Seconds
from mlsysim.course.sheet import Answer
from tests.grading.by_hand import called, known, variant

STEM = "15_pipelines_and_callbacks"


def shares(mtbf, checkpoint, restart):
    """Useful, in restarts and in work that is done again, all as parts of the time; in seconds.

    Failures are a Poisson process. Between two checkpoints lie √(2 x checkpoint x mtbf) of work,
    and both together take mtbf e^(restart/mtbf) (e^((work + checkpoint)/mtbf) - 1) on average
    (Daly 2006). A restart is under way while the last failure is younger than it is long.
    """
    work = sqrt(2 * checkpoint * mtbf)
    useful = work / (mtbf * exp(restart / mtbf) * (exp((work + checkpoint) / mtbf) - 1))
    restarting = 1 - exp(-restart / mtbf)
    return useful, restarting, 1 - useful - restarting - useful * checkpoint / work


def test_failures_and_their_bill():
    own = {"mtbf": 8, "checkpoint": 200, "restart": 22, "days": 27, "rate": 19}
    useful, restarting, again = shares(8 * 3600, 200, 22 * 60)
    # to first order: a checkpoint in each interval and half of one a failure; restart ÷ mtbf
    added = sqrt(2 * 200 / 28_800) + 1320 / 28_800
    added_twice = sqrt(2 * 200 / 14_400) + 1320 / 14_400
    assert known(STEM, "q1", **own) == pytest.approx(
        {
            "": 100 * (1 - useful),
            "first_order": 100 * added,
            "left out the restarts": 100 * (1 - useful - restarting),
            "left out the work that is done again": 100 * (1 - useful - again),
            "gave the useful share": 100 * useful,
        }
    )
    work = 27 * 19_000  # USD
    assert known(STEM, "q2", **own) == pytest.approx(
        {
            "": work / useful,
            "first_order": work / (1 - added),
            "left out the failures": work,
            "multiplied by the useful share": work * useful,
            "added the lost share of the useful days": work * (2 - useful),
        }
    )
    follow, v = load(STEM).questions["q2"].check.follow, variant(STEM, **own)
    assert follow(v, Q_(25, "%")).m_as("USD") == pytest.approx(work / 0.75)
    assert follow(v, Q_(0, "%")).m_as("USD") == work
    assert follow(v, Q_(100, "%")) is follow(v, Q_(-1, "%")) is None
    twice = shares(4 * 3600, 200, 22 * 60)[0]
    assert known(STEM, "q3", **own) == pytest.approx(
        {
            "": 100 * (useful / twice - 1),
            "first_order": 100 * ((1 - added) / (1 - added_twice) - 1),
            "let the bill double with the failures": 100,
            "let the bill grow with the root of two": 100 * (sqrt(2) - 1),
            "doubled all that failures cost": 100 * (useful / (1 - 2 * (1 - useful)) - 1),
        }
    )


def test_the_sum_that_the_hint_and_the_function_give_is_right_throughout():
    # 16.4 and 12.8 %, where the solver finds 15.3 and 10.2: failures hit restarts and rework too
    v = variant(STEM, mtbf=8, checkpoint=200, restart=22, days=27, rate=19)
    checks = load(STEM)
    for name, value, unit in (("q1", 16.37, "%"), ("q2", 613_404, "USD"), ("q3", 12.76, "%")):
        mark = checks.questions[name].answered(Answer(value=value, unit=unit), v)[1]
        assert (mark.kind, mark.points) == ("assumption", mark.out_of), name


def test_slips_that_nobody_could_tell_from_the_truth_are_left_out():
    # short restarts are no part to speak of, and one over 0.95 is nearly 1.05
    quiet = {"mtbf": 34, "checkpoint": 160, "restart": 8}
    useful, restarting, _ = shares(34 * 3600, 160, 8 * 60)
    assert restarting < 0.14 * (1 - useful)
    assert 1 / useful < 1.011 * (2 - useful)
    assert "left out the restarts" not in known(STEM, "q1", **quiet)
    assert "added the lost share of the useful days" not in known(STEM, "q2", **quiet)
    for minutes, told in ((16, False), (17, True)):  # of each restart: 0.135 and 0.143 of the loss
        useful, restarting, _ = shares(34 * 3600, 160, minutes * 60)
        assert (restarting > 0.14 * (1 - useful)) == told
        slips = known(STEM, "q1", **{**quiet, "restart": minutes})
        assert ("left out the restarts" in slips) == told


SAME, DOUBLES = "it stays the same", "it about doubles"
MISSING = "there is none since a value is missing"
OVERRULED = {"let a typed number be overruled": DOUBLES}  # typed days go before those that flow
CUT = {"cut a wire that is there": SAME}
NOWHERE = {"let a value flow from nowhere": DOUBLES}


@pytest.mark.parametrize(
    ("stages", "typed", "found"),
    [
        ("DistributedModel, EconomicsModel", "duration_days=30", {"": SAME} | OVERRULED),
        ("DistributedModel, EconomicsModel", "nothing", {"": DOUBLES} | CUT),
        ("DistributedModel, ReliabilityModel, EconomicsModel", "nothing", {"": DOUBLES} | CUT),
        (
            "DistributedModel, ReliabilityModel, EconomicsModel",
            "duration_days=30",
            {"": SAME} | OVERRULED,
        ),
        ("EconomicsModel, DistributedModel", "nothing", {"": MISSING} | NOWHERE | CUT),
        ("ReliabilityModel, EconomicsModel", "nothing", {"": MISSING} | NOWHERE | CUT),
    ],
)
def test_a_bill_hears_the_days_that_are_typed_or_come_from_before_it(stages, typed, found):
    """Training at half of the reached share takes twice as long."""
    assert known(STEM, "q4", stages=stages, typed=typed) == found


def test_what_moves_a_bill_most_by_its_parts():
    # η: 1/0.94 = 1.064. electricity: 1 + 0.3 x 0.15 = 1.045. failures: of 94 % useful
    # 100 - 4√2 - 2 x 2 = 90.34 remain, 1.041. PUE: 1 + 0.3 x 0.11/1.12 = 1.029.
    own = {"slower": 6, "dearer": 15, "cooler": 1.23, "lost": 4, "again": 2}
    assert known(STEM, "q5", **own) == {
        "": ("η", "electricity", "failures", "PUE"),
        "let electricity be all of the bill": ("electricity", "PUE", "η", "failures"),
        "went by what one hears": ("failures", "electricity", "PUE", "η"),
    }
    # at twice the restarts 0.92 / 0.8634 = 1.066, at √2 for both (0.94 / 0.9151 = 1.027) no more;
    # a PUE of 1.31: 1 + 0.3 x 0.19/1.12 = 1.051
    own |= {"again": 4, "cooler": 1.31}
    assert known(STEM, "q5", **own)[""] == ("failures", "η", "PUE", "electricity")


def test_a_bill_as_a_function():
    own = {"rate": 20}
    slips = ("left out the work that is done again", "multiplied by the useful share")
    # 20 hours are 72,000 s: √(2 x 100 x 72,000) = 3794.7 s apart, so 100 s in each 2.635 %, half
    # an interval a failure as much again, and 720 s in 72,000 1 %
    part = sqrt(2 * 100 / 72_000) / 2
    found = called(STEM, "q6", (30, 20, 100, 12), **own)
    # 20 hours taken for 1,200 s: restarts alone take 60 % of that, the rest more than 40 %
    assert found.pop("mixed up hours and minutes") == 0
    assert found == pytest.approx(
        {
            "": 600_000 / (1 - 2 * part - 0.01),
            slips[0]: 600_000 / (1 - part - 0.01),
            slips[1]: 600_000 * (1 - 2 * part - 0.01),
        }
    )
    # 20 hours as minutes, with a restart of 3 minutes in them: 15 %
    mixed = 600_000 / (1 - sqrt(2 * 10 / 1200) - 0.15)
    found = called(STEM, "q6", (30, 20, 10, 3), **own)
    assert found["mixed up hours and minutes"] == pytest.approx(mixed)
    # free checkpoints, as often as one likes: restarts of half an hour a day remain
    assert called(STEM, "q6", (30, 24, 0, 30), **own)[""] == pytest.approx(600_000 * 48 / 47)
    # never done: 900 s in √(2 x 900 x 360) are more than all; and a restart as long as the wait
    assert called(STEM, "q6", (30, 0.1, 900, 12), **own)[""] == 0
    assert called(STEM, "q6", (30, 0.2, 0, 12), **own)[""] == 0


class Done(Result):
    """What a stage finds."""

    time: Seconds = "s"


class Stage(Solver):
    """A stage that may raise."""

    def __init__(self, raises):
        self.raises = raises

    def solve(self) -> Done:
        """A second."""
        if self.raises:
            raise BadArgument("price", None, "nobody knows it")
        return Done(time=1.0)


class Keeper:
    """Keeps what it hears of, but for one stage at whose end it raises."""

    def __init__(self, trips):
        self.trips, self.kept = trips, set()

    def on_stage_end(self, stage, result, seconds):
        """The result of a stage."""
        if stage == self.trips:
            raise OSError
        self.kept.add(stage)


@pytest.mark.parametrize(
    ("fails", "trips", "kept", "ended", "raised", "whole"),
    [  # the run up to the callback's fault; with the stage that raised; with what was not kept
        (5, 2, {1, 3, 4}, {1}, {1, 3, 4, 5}, {1, 2, 3, 4}),
        (4, 3, {1, 2}, {1, 2}, {1, 2, 4}, {1, 2, 3}),
        (5, 1, {2, 3, 4}, None, {2, 3, 4, 5}, {1, 2, 3, 4}),  # an empty answer is no answer
        (3, 4, {1, 2}, {1, 2}, {1, 2, 3}, {1, 2}),  # stage 4 never comes
    ],
)
def test_a_callback_keeps_each_stage_that_ends_but_the_one_it_trips_at(
    fails, trips, kept, ended, raised, whole
):
    def stages(numbers):
        return {f"stage {n}" for n in numbers}

    found = {"": stages(kept), "kept a result of the stage that raised": stages(raised)}
    found["kept what the callback did not get to"] = stages(whole)
    if ended:
        found["let a fault of the callback end the run"] = stages(ended)
    assert known(STEM, "q7", fails=fails, trips=trips) == found
    keeper = Keeper(f"stage {trips}")
    chain = {f"stage {n}": Stage(n == fails) for n in range(1, 6)}
    with pytest.raises(BadArgument), catch_warnings(action="ignore"):
        Pipeline(chain, callbacks=[keeper]).run()
    assert keeper.kept == stages(kept)
