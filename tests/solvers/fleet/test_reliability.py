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


def test_a_thousand_devices_fail_every_twenty_hours():
    # 8 / 50,000 + 8 / 150,000 + 8 / 50,000 + 2 / 100,000 failures an hour in each of 128 nodes
    an_hour = 128 * (8 / 50_000 + 8 / 150_000 + 8 / 50_000 + 2 / 100_000)
    assert solve().mtbf.m_as("hour") == pytest.approx(1 / an_hour)
    assert solve().mtbf.magnitude == pytest.approx(19.9, abs=0.05)  # shown in hours
    shares = solve().failure_shares
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["device"] == pytest.approx(128 * 8 / 50_000 / an_hour)


def test_llama_3_reported_fewer_failures_and_both_are_shown():
    # 16,384 devices x 54 days / 419 interruptions / 1,024 devices
    hours = 16_384 * 54 * 24 / 419
    assert solve().mtbf_published.m_as("hour") == pytest.approx(hours / 1024, rel=1e-4)
    own = solve(Systems.Clusters.Llama3_16K).mtbf_published
    assert own.m_as("hour") == pytest.approx(
        Literature.Reliability.Llama3_cluster_mtbf.value.m_as("hour"), rel=1e-3
    )


def test_the_best_interval_is_young_and_daly():
    # sqrt(2 x 60 s x 19.862 h)
    mtbf = solve().mtbf.m_as("s")
    assert solve().optimal_interval.m_as("s") == pytest.approx(math.sqrt(2 * 60 * mtbf))
    assert solve().optimal_interval.m_as("min") == pytest.approx(48.8, abs=0.05)
    assert solve().interval == solve().optimal_interval


def test_goodput_counts_checkpoints_rework_and_restarts():
    # 50 s every 1,000 s; half of 1,000 s lost every 10,000 s; 200 s to come back
    r = solve(mtbf="10000 s", checkpoint_time="50 s", interval="1000 s", restart_time="200 s")
    assert (r.checkpoint_share, r.rework_share, r.restart_share) == (0.05, 0.05, 0.02)
    assert r.goodput == pytest.approx(0.88)
    assert r.waste == pytest.approx(0.12)


def test_waste_is_least_at_the_best_interval():
    # delta 50 s, M 10,000 s: at 500 s 0.1 + 0.025, at 1,000 s 0.05 + 0.05, at 2,000 s 0.025 + 0.1
    how = {"mtbf": "10000 s", "checkpoint_time": "50 s", "restart_time": "0 s"}
    waste = solve(**how, interval=Q_(np.array([500.0, 1000.0, 2000.0]), "s")).waste
    assert waste == pytest.approx([0.125, 0.1, 0.125])
    assert solve(**how).interval.m_as("s") == pytest.approx(1000)


@given(checkpoint=POSITIVE, mtbf=POSITIVE, factor=st.floats(0.01, 100))
def test_no_other_interval_wastes_less(checkpoint, mtbf, factor):
    def waste(interval):
        return eq.checkpoint_share(checkpoint, interval) + eq.rework_share(interval, mtbf)

    best = eq.young_daly(checkpoint, mtbf)
    assert waste(best) <= waste(factor * best) * (1 + 1e-12)
    # there both wastes are equal, and together sqrt(2 delta / M)
    assert waste(best) == pytest.approx(math.sqrt(2 * checkpoint / mtbf))


@given(nodes=st.integers(1, 20_000))
def test_twice_the_fleet_fails_twice_as_often(nodes):
    one, two = (solve(THOUSAND.replace(count=n)).mtbf for n in (nodes, 2 * nodes))
    assert (one / two).m_as("") == pytest.approx(2)


def test_checkpoints_do_not_cost_more_than_communication():
    # a seed says so of 1,024 devices; with Young and Daly's interval it is the other way round
    lost = solve().checkpoint_share + solve().rework_share
    talk = (
        DistributedModel()
        .solve(Models.Language.Llama3_8B, fleet=THOUSAND, zero_stage=1)
        .communication_fraction
    )
    assert 0.03 < lost < 0.06
    assert lost < talk


def test_a_fleet_that_fails_faster_than_it_works_is_an_answer():
    r = solve(mtbf="10 min", checkpoint_time="5 min", restart_time="5 min")
    assert not r.feasible
    assert r.goodput == 0
    assert r.reason.startswith("The fleet fails every")
    assert "guess" in r.notes[0]
    assert solve().feasible
    assert solve().reason == ""


def test_a_run_meets_the_failures_of_its_days():
    # 30 days over 19.862 h
    r = solve(duration_days=30)
    assert r.expected_failures == pytest.approx(30 * 24 / r.mtbf.m_as("hour"))
    assert r.survival == pytest.approx(math.exp(-r.expected_failures))
    assert solve().expected_failures is None


def test_a_part_that_never_fails_leaves_the_others():
    without = solve(nic_mtbf="1e30 hour", cable_mtbf="1e30 hour", psus_per_node=0)
    assert without.mtbf.m_as("hour") == pytest.approx(50_000 / 1024)


def test_unknown_ports_are_said_to_be_left_out():
    plain = Fleet(name="plain", hw=Hardware.Cloud.H100, count=128)
    r = solve(plain, psus_per_node=0)
    assert r.mtbf.m_as("hour") == pytest.approx(50_000 / 1024)
    assert "not counted" in r.notes[0]


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
