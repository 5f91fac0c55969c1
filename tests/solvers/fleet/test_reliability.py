"""Walls 15 and 16: failures and queues, worked by hand, against published and exact numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Fleet, Hardware, Literature, Models, Systems
from mlsysim.core.errors import BadArgument, OutOfRange
from mlsysim.equations import fleet as eq
from mlsysim.equations.serving import erlang_c
from mlsysim.solvers.fleet.distributed import DistributedModel
from mlsysim.solvers.fleet.reliability import OrchestrationModel, ReliabilityModel

RESEARCH, THOUSAND = Systems.Clusters.Research_256, Systems.Clusters.Training_1K
HUGE = Systems.Clusters.Mega_100K
ONE_NODE = Fleet(name="one node", count=1, node=Systems.Nodes.DGX_H100)
POSITIVE = st.floats(1e-3, 1e6)


def solve(fleet=THOUSAND, **how):
    return ReliabilityModel().solve(fleet, **how)


# ---- wall 15 -----------------------------------------------------------------------------------


def test_the_parts_add_up_to_the_interruptions_of_llama_3():
    # Table 5 of the paper: 268 of GPUs, 7 of interfaces, 35 of cables and switches, 3 of power
    # supplies, 106 of all else, in 54 days on 16,384 GPUs
    r = solve(Systems.Clusters.Llama3_16K, duration_days=54)
    assert r.mtbf.m_as("hour") == pytest.approx(54 * 24 / 419, rel=1e-4)
    assert r.expected_failures == pytest.approx(419, rel=1e-4)
    counts = {"device": 268, "nic": 7, "cable": 35, "psu": 3, "other": 106}
    assert {name: 419 * share for name, share in r.failure_shares.items()} == pytest.approx(
        counts, rel=1e-4
    )
    assert r.goodput > Literature.Reliability.Llama3_effective_time.value - 0.05
    assert r.mtbf.m_as("hour") == pytest.approx(r.mtbf_published.m_as("hour"), rel=1e-3)


def test_plain_devices_fail_as_often_as_the_same_in_a_server_with_ports():
    plain = solve(Fleet(name="plain", hw=Hardware.Cloud.H100, count=32))
    assert plain.mtbf.m_as("hour") == pytest.approx(solve(RESEARCH).mtbf.m_as("hour"))
    assert "one for each device" in plain.notes[0]
    assert solve(RESEARCH).notes == ()


def test_frail_parts_stay_as_an_example_with_a_name():
    # 8 / 50,000 + 8 / 150,000 + 8 / 50,000 + 2 / 100,000 failures an hour in each of 128 nodes
    an_hour = 128 * (8 / 50_000 + 8 / 150_000 + 8 / 50_000 + 2 / 100_000)
    r = solve(parts="pessimistic")
    assert r.mtbf.m_as("hour") == pytest.approx(1 / an_hour)
    assert r.mtbf.magnitude == pytest.approx(19.9, abs=0.05)  # shown in hours
    shares = r.failure_shares
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["device"] == pytest.approx(128 * 8 / 50_000 / an_hour)
    assert "other" not in shares


def test_each_part_counts_as_often_as_it_is_there():
    # seven nodes of five devices, three ports with a cable each, and four power supplies
    node = Systems.Nodes.DGX_H100.replace(accelerators=5, nics=3)
    hours = {"device": 1000, "nic": 2000, "cable": 3000, "psu": 5000, "other": 11_000}
    an_hour = {"device": 5 / 1000, "nic": 3 / 2000, "cable": 3 / 3000, "psu": 4 / 5000,
               "other": 5 / 11_000}  # fmt: skip
    r = solve(
        Fleet(name="seven", node=node, count=7),
        psus_per_node=4,
        **{f"{part}_mtbf": f"{each} hour" for part, each in hours.items()},
    )
    whole = sum(an_hour.values())
    assert r.mtbf.m_as("hour") == pytest.approx(1 / (7 * whole))
    shares = {part: rate / whole for part, rate in an_hour.items()}
    assert r.failure_shares == pytest.approx(shares)
    assert solve(mtbf="1 day").failure_shares == {}


def test_llama_3_scales_to_any_number_of_devices():
    # 16,384 devices x 54 days / 419 interruptions / 1,024 devices
    hours = 16_384 * 54 * 24 / 419
    assert solve().mtbf_published.m_as("hour") == pytest.approx(hours / 1024, rel=1e-4)


def test_the_best_interval_is_young_and_daly():
    # sqrt(2 x 60 s x 19.862 h)
    r = solve(parts="pessimistic")
    assert r.optimal_interval.m_as("s") == pytest.approx(math.sqrt(2 * 60 * r.mtbf.m_as("s")))
    assert r.optimal_interval.m_as("min") == pytest.approx(48.8, abs=0.05)
    assert r.interval == r.optimal_interval


def test_goodput_counts_checkpoints_rework_and_restarts():
    # 1,000 s of work and 50 s of saving, a failure every 10,000 s, 200 s to come back:
    # 0.1 / (e^0.02 (e^0.105 - 1)), which is 0.88 to first order
    r = solve(mtbf="10000 s", checkpoint_time="50 s", interval="1000 s", restart_time="200 s")
    assert r.goodput == pytest.approx(0.1 / (math.exp(0.02) * (math.exp(0.105) - 1)))
    assert r.checkpoint_share == pytest.approx(0.05 * r.goodput)
    assert r.restart_share == pytest.approx(1 - math.exp(-0.02))
    assert r.rework_share == pytest.approx(0.05, rel=0.02)
    assert r.waste == pytest.approx(1 - r.goodput)


@pytest.mark.parametrize(
    ("mtbf", "goodput"), [("0.25 hour", 0.347), ("2000 s", 0.573), ("1.2414 hour", 0.739)]
)
def test_a_fleet_that_fails_often_still_gets_on(mtbf, goodput):
    # checkpoints of 60 s at Young's interval and restarts of 600 s: tau / (M e^(R/M) (...)) by hand
    r = solve(mtbf=mtbf)
    assert r.goodput == pytest.approx(goodput, abs=5e-4)
    assert r.feasible


@given(*[POSITIVE] * 4)
def test_time_is_work_checkpoints_rework_and_restarts_and_nothing_below_zero(
    mtbf, interval, checkpoint, restart
):
    r = solve(
        mtbf=Q_(mtbf, "s"),
        interval=Q_(interval, "s"),
        checkpoint_time=Q_(checkpoint, "s"),
        restart_time=Q_(restart, "s"),
    )
    parts = (r.goodput, r.checkpoint_share, r.rework_share, r.restart_share)
    assert sum(parts) == pytest.approx(1)
    assert all(math.copysign(1, part) == 1 for part in parts)  # not even a negative zero


def test_waste_is_least_near_the_best_interval():
    # delta 50 s, M 10,000 s: Young's 1,000 s against half and twice of it
    how = {"mtbf": "10000 s", "checkpoint_time": "50 s", "restart_time": "0 s"}
    half, best, twice = solve(**how, interval=Q_(np.array([500.0, 1000.0, 2000.0]), "s")).waste
    assert best < min(half, twice)
    assert solve(**how).interval.m_as("s") == pytest.approx(1000)


@given(mtbf=POSITIVE, part=st.floats(1e-6, 0.1), factor=st.floats(0.01, 100))
def test_no_other_interval_gets_much_more_done(mtbf, part, factor):
    # Young's interval is of first order: within 2 % while a save is a tenth of the MTBF at most
    best = eq.young_daly(part * mtbf, mtbf)
    near, other = (eq.goodput(tau, part * mtbf, 0.0, mtbf) for tau in (best, factor * best))
    assert near > 0.98 * other


@given(nodes=st.integers(1, 20_000))
def test_twice_the_fleet_fails_twice_as_often(nodes):
    one, two = (solve(THOUSAND.replace(count=n)).mtbf for n in (nodes, 2 * nodes))
    assert (one / two).m_as("") == pytest.approx(2)


def test_checkpoints_do_not_cost_more_than_communication():
    # a seed says so of 1,024 devices; with Young and Daly's interval it is the other way round
    fails = solve(parts="pessimistic")
    lost = fails.checkpoint_share + fails.rework_share
    talk = (
        DistributedModel()
        .solve(Models.Language.Llama3_8B, fleet=THOUSAND, zero_stage=1)
        .communication_fraction
    )
    assert 0.03 < lost < 0.06
    assert lost < talk


def test_a_fleet_that_fails_faster_than_it_works_is_an_answer():
    # e^-5 (2.45 / (e^3.95 - 1)): less than a hundredth of the time
    r = solve(mtbf="2 min", checkpoint_time="3 min", restart_time="10 min")
    assert not r.feasible
    assert 0 < r.goodput < 0.01
    assert r.reason.startswith("The fleet fails every")
    assert "guess" in r.notes[0]
    assert solve().feasible
    assert solve().reason == ""


@pytest.mark.parametrize(("checkpoint", "enough"), [(356, True), (367, False)])
def test_less_than_a_hundredth_of_the_time_is_no_run(checkpoint, enough):
    # 1 / (e^(1 + c / 100) - 1): 0.0106 and 0.0095
    how = {"mtbf": "100 s", "interval": "100 s", "restart_time": "0 s"}
    r = solve(**how, checkpoint_time=f"{checkpoint} s")
    assert r.goodput == pytest.approx(1 / (math.exp(1 + checkpoint / 100) - 1))
    assert r.feasible == enough


def test_a_hundred_thousand_devices_lose_time_but_not_all_of_it():
    r = solve(Fleet(name="f", node=Systems.DGX_H100, count=12_500, fabric=Systems.InfiniBand_NDR))
    assert r.mtbf.m_as("hour") == pytest.approx(54 * 24 / 419 * 16_384 / 100_000, rel=1e-4)
    assert r.feasible
    assert 0.4 < r.goodput < 0.9


def test_a_run_meets_the_failures_of_its_days():
    r = solve(duration_days=30)
    assert r.expected_failures == pytest.approx(30 * 24 / r.mtbf.m_as("hour"))
    assert r.survival == pytest.approx(math.exp(-r.expected_failures))
    assert solve().expected_failures is None


def test_a_training_time_is_stretched_by_what_failures_leave():
    r = solve(training_time="30 day")
    assert r.elapsed_time.m_as("day") == pytest.approx(30 / r.goodput)
    assert r.expected_failures == pytest.approx((r.elapsed_time / r.mtbf).m_as(""))
    assert solve().elapsed_time is None


def test_a_part_that_never_fails_leaves_the_others():
    never = dict.fromkeys(("nic_mtbf", "cable_mtbf", "other_mtbf"), "1e30 hour")
    without = solve(**never, psus_per_node=0, device_mtbf="50000 hour")
    assert without.mtbf.m_as("hour") == pytest.approx(50_000 / 1024)


def test_times_need_units_and_days_do_not():
    with pytest.raises(BadArgument, match="checkpoint_time"):
        solve(checkpoint_time=60)
    with pytest.raises(OutOfRange, match="duration_days"):
        solve(duration_days=-1)


# ---- wall 16 -----------------------------------------------------------------------------------


def queue(fleet=RESEARCH, **how):
    how = {"jobs_per_day": 90, "job_duration": "8 hour"} | how
    return OrchestrationModel().solve(fleet, **how)


def exact_wait(servers, busy):
    """Find the mean M/D/c wait in service times, from the chain of Crommelin (1932).

    Whoever is in service at a time has left one service time later, so the numbers present then
    are those that waited and those that came; solved as linear equations, truncated far out.
    """
    load = servers * busy
    n = int(load + 3 * servers + 60 / (1 - busy))
    came = [math.exp(k * math.log(load) - load - math.lgamma(k + 1)) for k in range(n)]
    moves = np.zeros((n, n))
    for i in range(n):
        stay = max(i - servers, 0)
        moves[i, stay:] = came[: n - stay]
        moves[i, -1] += 1 - moves[i].sum()
    equations = moves.T - np.eye(n)
    equations[-1] = 1.0  # one of them follows from the others; all of them together are one
    present = np.linalg.solve(equations, np.r_[np.zeros(n - 1), 1.0])
    return (present @ np.arange(n) - load) / load


def test_one_partition_is_the_m_d_1_queue():
    # 12 jobs a day of an hour: rho = 1/2, W = rho / (2 mu (1 - rho)) = 0.5 h
    r = queue(ONE_NODE, jobs_per_day=12, job_duration="1 hour")
    assert r.servers == 1
    assert r.wait.m_as("hour") == pytest.approx(0.5)
    assert r.turnaround.m_as("hour") == pytest.approx(1.5)
    assert r.queue_length == pytest.approx(12 * 0.5 / 24)


@given(busy=st.floats(0.01, 0.99))
def test_one_partition_is_exact_at_any_load(busy):
    rate = busy * 24
    r = queue(ONE_NODE, jobs_per_day=rate, job_duration="1 hour")
    assert r.wait.m_as("hour") == pytest.approx(busy / (2 * (1 - busy)))


@pytest.mark.parametrize("servers", [1, 2, 4, 8, 32])
@pytest.mark.parametrize("busy", [0.5, 0.7, 0.8, 0.9, 0.95])
def test_many_partitions_wait_as_the_exact_queue_does(servers, busy):
    load = servers * busy
    ours = eq.deterministic_wait(1.0, load, servers, erlang_c(load, servers))
    assert ours == pytest.approx(exact_wait(servers, busy), rel=0.1)


@given(servers=st.integers(1, 500), busy=st.floats(0.05, 0.999))
def test_equal_jobs_wait_at_least_half_as_long_as_random_ones(servers, busy):
    load = servers * busy
    delayed = erlang_c(load, servers)
    random = delayed / (servers * (1 - busy))
    ours = eq.deterministic_wait(1.0, load, servers, delayed)
    assert random / 2 * (1 - 1e-9) <= ours <= random * servers / (servers + 1) * (1 + 1e-9)


def test_the_size_of_the_fleet_counts():
    small, large = queue(RESEARCH), queue(HUGE)
    assert (small.servers, large.servers) == (32, 12_500)
    assert small.wait.m_as("hour") > 1
    assert large.wait.m_as("s") == pytest.approx(0, abs=1e-6)
    assert small.utilization == pytest.approx(90 / (32 * 3))


def test_the_size_of_the_job_counts():
    # 64 devices a job: four of them at a time, 0.5 jobs an hour of 6 h are 3 of 4
    r = queue(jobs_per_day=12, job_duration="6 hour", devices_per_job=64)
    assert (r.servers, r.utilization, r.idle_devices) == (4, 0.75, 0)
    assert r.wait.m_as("hour") == pytest.approx(6 * exact_wait(4, 0.75), rel=0.02)
    assert queue(jobs_per_day=12, job_duration="6 hour", devices_per_job=100).idle_devices == 56


@pytest.mark.parametrize("rate", [96, 97, 9600])
def test_a_queue_that_never_settles_has_no_wait(rate):
    # 32 partitions finish three jobs a day each
    r = queue(jobs_per_day=rate)
    assert (r.stable, r.feasible) == (False, False)
    assert (r.wait, r.turnaround, r.delayed, r.queue_length) == (None, None, None, None)
    assert "96" in r.reason
    assert queue(jobs_per_day=95.9).stable


def test_a_job_larger_than_the_fleet_never_runs():
    r = queue(devices_per_job=257)
    assert (r.stable, r.feasible, r.wait, r.servers, r.utilization) == (False, False, None, 0, None)
    assert r.reason == "A job of 257 devices does not fit a fleet of 256."


def test_a_column_of_loads_marks_where_it_stops_settling():
    r = queue(jobs_per_day=[30, 90, 100])
    assert list(r.stable) == [True, True, False]
    assert np.isnan(r.wait.m[2])
    assert r[1].wait.m_as("hour") == pytest.approx(queue().wait.m_as("hour"))


@given(rate=st.floats(1, 90), more=st.floats(1, 1.05))
def test_more_jobs_never_wait_less(rate, more):
    assert queue(jobs_per_day=rate * more).wait >= queue(jobs_per_day=rate).wait * (1 - 1e-9)
