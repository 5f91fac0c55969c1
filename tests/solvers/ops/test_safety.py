"""Walls 19 and 20: checkpoints, privacy and fairness."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    CheckpointModel,
    Hardware,
    Literature,
    Models,
    ResponsibleEngineeringModel,
    Systems,
)
from mlsysim.core.errors import (
    BadArgument,
    MissingValue,
    OutOfRange,
    UnknownArgument,
    UnknownName,
    WrongUnit,
)
from mlsysim.solvers.ops import accountant
from mlsysim.systems.types import Fleet

SAVING = {"storage_bandwidth": "10 GB/s", "interval": "1 hour"}
LLAMA = Models.Language.Llama3_8B
RESEARCH = Systems.Clusters.Research_256
save = CheckpointModel().solve
protect = ResponsibleEngineeringModel().solve


# ---- wall 19: checkpoints ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "precision", "each"),
    [
        ("adam", "bf16", 14),  # weights 2, master copy 4, two moments of 4
        ("adamw", "bf16", 14),
        ("adam", "fp32", 12),  # no second copy of full-width weights
        ("lion", "bf16", 10),
        ("sgd_momentum", "bf16", 10),
        ("sgd", "bf16", 6),
        ("sgd", "fp32", 4),
        ("adam", "fp8", 13),
    ],
)
def test_a_checkpoint_holds_weights_master_copy_and_moments(optimizer, precision, each):
    r = save(LLAMA, optimizer=optimizer, precision=precision, **SAVING)
    assert r.bytes_per_parameter == pytest.approx(each)
    assert r.size.m_as("B") == pytest.approx(each * LLAMA.parameters)


def test_adam_in_mixed_precision_keeps_what_the_literature_counts():
    counted = Literature.Checkpoint.Bytes_per_parameter_checkpoint
    assert save(LLAMA, **SAVING).bytes_per_parameter == float(counted.value)


def test_blooms_checkpoint_and_its_forty_seconds_are_reproduced():
    # 176e9 x 14 B = 2.46 TB against the printed 2.3 TB; 2.3 TB in 40 s is 57.5 GB/s
    bloom = LLAMA.replace(name="of BLOOM's size", parameters=176_000_000_000)
    r = save(bloom, storage_bandwidth="57.5 GB/s", interval="3 hour")
    printed = Literature.Checkpoint
    assert r.size.m_as("TB") == pytest.approx(
        printed.BLOOM_checkpoint_size.value.m_as("TB"), rel=0.1
    )
    assert r.write_time.m_as("s") == pytest.approx(
        printed.BLOOM_checkpoint_time.value.m_as("s"), rel=0.1
    )


def test_an_unknown_optimizer_is_refused_and_does_not_mean_sgd():
    with pytest.raises(UnknownName, match="adam"):
        save(LLAMA, optimizer="adma", storage_bandwidth="10 GB/s", interval="1 hour")


def test_without_a_bandwidth_nothing_is_assumed():
    with pytest.raises(MissingValue, match="storage_bandwidth"):
        save(LLAMA, interval="1 hour")
    unknown = Fleet(name="unknown drives", node="DGX_B200", count=4)
    with pytest.raises(MissingValue, match=r"node\.storage\.bandwidth"):
        save(LLAMA, interval="1 hour", fleet=unknown)  # their speed is not published


@pytest.mark.parametrize("name", ["Research_256", "Training_1K", "Production_2K", "Mega_100K"])
def test_a_cluster_of_the_reference_design_writes_what_its_table_says(name):
    cluster = Systems.Clusters[name]
    r = save(LLAMA, interval="1 hour", fleet=cluster)
    # 62 GB/s for a scalable unit of 32 nodes, while it reads at 125 GB/s
    assert r.storage_bandwidth.m_as("GB/s") == pytest.approx(62 / 32 * cluster.count, rel=0.01)
    # bf16 weights and twelve bytes of optimizer for each of 8.03 billion parameters
    seconds = 14 * 8.03 / (62 / 32 * cluster.count)
    assert r.write_time.m_as("s") == pytest.approx(seconds, rel=0.01)


def test_the_nodes_own_drives_write_together():
    node = Systems.Nodes.DGX_H100.replace(storage={"bandwidth": "2 GB/s"})
    fleet = Fleet(name="with drives", node=node, count=10)
    r = save(LLAMA, interval="1 hour", fleet=fleet)
    assert r.storage_bandwidth.m_as("GB/s") == pytest.approx(20)


def test_without_failures_and_without_an_interval_there_is_no_answer():
    with pytest.raises(MissingValue, match="mtbf"):
        save(LLAMA, storage_bandwidth="10 GB/s")


def test_a_fleet_knows_how_often_it_fails_and_a_number_of_parameters_is_enough():
    r = save(optimal_parameters=7e9, storage_bandwidth="10 GB/s", fleet=RESEARCH)
    # 14 bytes each at 10 GB/s; 16,384 GPUs x 54 days / 419 failures / 256 GPUs
    between = 16_384 * 54 * 24 * 3600 / 419 / 256
    assert r.interval.m_as("s") == pytest.approx(math.sqrt(2 * 9.8 * between), rel=1e-3)
    assert r.rework == pytest.approx(r.interval.m_as("s") / (2 * between), rel=0.02)
    with pytest.raises(MissingValue, match="model"):
        save(**SAVING)


def test_the_default_interval_is_young_and_dalys_by_hand():
    # size / bandwidth = 100 s and 20 h: sqrt(2 x 100 x 72,000) = 3,794.7 s
    bandwidth = 14 * LLAMA.parameters / 100
    r = save(LLAMA, storage_bandwidth=f"{bandwidth} B/s", mtbf="20 hour")
    assert r.write_time.m_as("s") == pytest.approx(100)
    assert r.interval.m_as("s") == pytest.approx(math.sqrt(2 * 100 * 72_000))
    assert r.overhead == pytest.approx(100 / (100 + 3794.733), rel=1e-6)
    # exactly 1 - x / (e^x - 1), half of x to first order
    x = (3794.733 + 100) / 72_000
    assert r.rework == pytest.approx(1 - x / (math.exp(x) - 1), rel=1e-6)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_default_interval_wastes_less_than_its_neighbours(factor):
    def waste(interval):
        r = save(LLAMA, storage_bandwidth="10 GB/s", mtbf="20 hour", interval=interval)
        return r.write_time / r.interval + r.rework

    best = save(LLAMA, storage_bandwidth="10 GB/s", mtbf="20 hour").interval
    assert waste(best) < waste(factor * best)


def test_saving_every_minute_costs_most_of_the_time_but_never_more_than_all():
    # 2.35 minutes of writing after each minute of work: 2.35 / 3.35, not 235 %
    bandwidth = 14 * LLAMA.parameters / (2.35 * 60)
    r = save(LLAMA, storage_bandwidth=f"{bandwidth} B/s", interval="1 min")
    assert r.overhead == pytest.approx(2.35 / 3.35)
    assert r.feasible


def test_in_the_background_only_the_copy_out_of_the_accelerators_blocks():
    # 256 links of 63 GB/s
    r = save(LLAMA, asynchronous=True, fleet=RESEARCH, **SAVING)
    assert r.blocking_time.m_as("s") == pytest.approx(14 * LLAMA.parameters / (256 * 63e9))
    assert r.write_time.m_as("s") == pytest.approx(14 * LLAMA.parameters / 10e9)
    blocking = save(LLAMA, storage_bandwidth="10 GB/s", interval="1 hour")
    assert r.overhead < blocking.overhead


@pytest.mark.parametrize(
    ("copied", "mtbf", "blocking", "interval"),
    [
        # 14 GB at 1 GB/s; sqrt(2 x 2 x 100) s, but a write ends before the next one begins
        ("7 GB/s", "100 s", 2, 20),
        ("7 GB/s", "9 s", 2, 14 - 2),
        # a copy is no slower than the write that it is for
        ("0.5 GB/s", "7 s", 14, 14),
    ],
)
def test_the_best_interval_of_a_background_save(copied, mtbf, blocking, interval):
    how = {"storage_bandwidth": "1 GB/s", "asynchronous": True, "snapshot_bandwidth": copied}
    r = save(optimal_parameters=1e9, mtbf=mtbf, **how)
    assert r.blocking_time.m_as("s") == pytest.approx(blocking)
    assert r.interval.m_as("s") == pytest.approx(interval)
    assert r.overhead == pytest.approx(blocking / (blocking + interval))
    assert r.needed_bandwidth.m_as("GB/s") == pytest.approx(14 / (blocking + interval))
    assert r.feasible


def test_a_background_save_needs_to_know_how_fast_state_leaves_the_accelerators():
    with pytest.raises(MissingValue, match="snapshot_bandwidth"):
        save(LLAMA, storage_bandwidth="10 GB/s", interval="1 hour", asynchronous=True)
    linkless = Fleet(name="no links", hw=Hardware.Cloud.H100.replace(host_link=None), count=1)
    with pytest.raises(MissingValue, match="host_link"):
        save(LLAMA, asynchronous=True, fleet=linkless, **SAVING)


def test_writes_that_pile_up_are_an_answer_with_a_remedy_that_works():
    question = {"interval": "1 min", "asynchronous": True, "snapshot_bandwidth": "1 TB/s"}
    r = save(LLAMA, storage_bandwidth="1 GB/s", **question)
    assert not r.feasible
    assert "GB/s" in r.reason
    mended = save(LLAMA, storage_bandwidth=1.000001 * r.needed_bandwidth, **question)
    assert mended.feasible
    assert mended.reason == ""


def test_a_fleet_that_fails_while_it_saves_is_told_so():
    r = save(LLAMA, storage_bandwidth="1 GB/s", mtbf="2 min")
    assert any("between failures" in note for note in r.notes)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"storage_bandwidth": 10}, WrongUnit),
        ({"storage_bandwidth": "0 GB/s"}, OutOfRange),
        ({"storage_bandwidth": "-1 GB/s"}, OutOfRange),
        ({"storage_bandwidth": "10 GB"}, WrongUnit),
        ({"interval": 60}, WrongUnit),
        ({"interval": "0 s"}, OutOfRange),
        ({"mtbf": "-1 hour"}, OutOfRange),
        ({"precision": "bf17"}, UnknownName),
        ({"asynchronous": 1}, BadArgument),
        ({"model": "Llama"}, BadArgument),
        ({"checkpoint_interval_hours": 1}, UnknownArgument),
    ],
)
def test_a_malformed_question_about_checkpoints_raises(wrong, error):
    with pytest.raises(error):
        save(**{"model": LLAMA, "storage_bandwidth": "10 GB/s", "interval": "1 hour", **wrong})


@given(bandwidth=st.floats(0.01, 1e5), minutes=st.floats(0.01, 1e5), factor=st.floats(1.01, 100))
def test_faster_storage_and_longer_intervals_never_cost_more(bandwidth, minutes, factor):
    def overhead(width, between):
        return save(LLAMA, storage_bandwidth=f"{width} GB/s", interval=f"{between} min").overhead

    base = overhead(bandwidth, minutes)
    assert 0 < base < 1
    assert overhead(factor * bandwidth, minutes) < base
    assert overhead(bandwidth, factor * minutes) < base


# ---- wall 20: privacy ----------------------------------------------------------------------------


def spent(sigma: float, epsilon: float) -> float:
    """The Gaussian mechanism's exact delta: Balle & Wang (2018), theorem 8, arXiv:1805.06530."""
    phi, half, shift = NormalDist().cdf, 0.5 / sigma, epsilon * sigma
    return phi(half - shift) - math.exp(epsilon) * phi(-half - shift)


def test_noise_of_the_gaussian_mechanism_by_hand():
    # sqrt(2 ln(1.25 / 1e-5)) = sqrt(2 x 11.736) = 4.845
    assert protect(1.0, 1e-5).noise_multiplier == pytest.approx(4.845, abs=1e-3)
    assert protect(0.5, 1e-5).noise_multiplier == pytest.approx(9.690, abs=1e-3)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0])
def test_where_the_classical_bound_is_proved_it_keeps_the_budget(epsilon):
    r = protect(epsilon, 1e-5)
    assert r.proved
    assert spent(r.noise_multiplier, epsilon) <= 1e-5


def test_above_one_the_classical_bound_is_flagged_because_it_fails():
    r = protect(10.0, 1e-5)
    assert not r.proved
    assert any("epsilon up to 1" in note for note in r.notes)
    assert spent(r.noise_multiplier, 10.0) > 1e-5


@given(epsilon=st.floats(0.05, 20), delta=st.floats(1e-9, 0.1))
def test_the_composed_noise_keeps_the_budget_at_every_epsilon(epsilon, delta):
    sigma = protect(epsilon, delta).composed_noise_multiplier
    assert spent(sigma, epsilon) <= delta * (1 + 1e-6)


@given(epsilon=st.floats(0.05, 5), releases=st.integers(1, 10_000))
def test_many_releases_together_are_one_of_root_many_times_the_noise(epsilon, releases):
    # k releases of noise sqrt(k) s lose exactly what one release of noise s does
    one = protect(epsilon).composed_noise_multiplier
    many = protect(epsilon, releases=releases).composed_noise_multiplier
    assert many == pytest.approx(math.sqrt(releases) * one)


def test_less_privacy_is_less_noise():
    budgets = np.array([0.1, 0.5, 1.0])
    noise = protect(budgets).noise_multiplier
    assert np.all(np.diff(noise) < 0)
    assert len(protect(budgets)) == 3


def test_two_releases_without_a_data_set_have_no_credit_for_sampling_and_one_needs_none():
    told = [any("dataset_size" in note for note in protect(1, releases=n).notes) for n in (1, 2)]
    assert told == [False, True]


def steps(epsilon, rate, releases, **how):
    return protect(
        epsilon, 1e-5, batch_size=round(rate * 1e6), dataset_size=1e6, releases=releases, **how
    )


@pytest.mark.parametrize(
    ("epsilon", "rate", "releases", "noise", "without"),
    [(8, 0.01, 1953, 0.67, 30.5), (8, 0.004, 1000, 0.51, 21.8), (3, 0.0043, 14_000, 1.01, 201)],
)
def test_a_random_batch_needs_far_less_noise(epsilon, rate, releases, noise, without):
    # the noise by the accountants of DP-SGD libraries for these runs
    r = steps(epsilon, rate, releases, model=LLAMA)
    assert r.sampled_noise_multiplier == pytest.approx(noise, rel=0.15)
    assert r.composed_noise_multiplier == pytest.approx(without, rel=0.01)
    assert r.gradient_noise == pytest.approx(r.sampled_noise_multiplier / (rate * 1e6))
    assert not any("sampling" in note for note in r.notes)
    assert any("dataset_size" in note for note in protect(epsilon, releases=releases).notes)


@pytest.mark.parametrize(("noise", "rate", "count"), [(0.67, 0.01, 1953), (1.1, 0.02, 300)])
def test_the_accountant_sums_the_divergence_of_every_order(noise, rate, count):
    """Term by term in Python's own numbers, at the orders that these hold."""

    def moment(order):
        return sum(
            math.comb(order, k)
            * (1 - rate) ** (order - k)
            * rate**k
            * math.exp((k * k - k) / (2 * noise**2))
            for k in range(order + 1)
        )

    budget = min(
        count * math.log(moment(a)) / (a - 1) + math.log(1 - 1 / a) - math.log(1e-5 * a) / (a - 1)
        for a in range(2, 20)
    )
    assert accountant.spent(noise, 1e-5, rate, count) == pytest.approx(budget)


@pytest.mark.parametrize("order", [20, 32, 40, 48, 64, 96, 128, 256])
def test_the_accountant_looks_at_large_orders_where_little_is_spent(order):
    """Of one release of everything, a / 2 sigma^2 falls where the rest of it climbs: best here."""
    delta = 1e-5
    orders = [*range(2, 33), 40, 48, 64, 96, 128, 256]

    def rest(a):
        return math.log(1 - 1 / a) - math.log(delta * a) / (a - 1)

    least, most = order * 0.96, order * 1.04
    sigma = math.sqrt((most - least) / 2 / (rest(least) - rest(most)))
    budgets = {a: a / (2 * sigma**2) + rest(a) for a in orders}
    assert min(budgets, key=budgets.get) == order
    assert accountant.spent(sigma, delta, 1.0, 1) == pytest.approx(budgets[order], rel=1e-9)


def test_a_batch_of_everything_has_no_credit():
    # one release of all the data: alpha / 2 sigma^2 at the best integer order
    sigma = 4.0
    budget = min(
        a / (2 * sigma**2) + math.log(1 - 1 / a) - math.log(1e-5 * a) / (a - 1)
        for a in range(2, 33)
    )
    assert accountant.spent(sigma, 1e-5, 1.0, 1) == pytest.approx(budget)


@given(epsilon=st.floats(0.1, 10), rate=st.floats(1e-4, 1), releases=st.integers(1, 20_000))
@settings(max_examples=25, deadline=None)
def test_sampled_noise_keeps_the_budget_and_is_never_more_than_without_sampling(
    epsilon, rate, releases
):
    r = steps(epsilon, rate, releases)
    assert r.sampled_noise_multiplier <= r.composed_noise_multiplier * (1 + 1e-9)
    if r.sampled_noise_multiplier < 0.999 * r.composed_noise_multiplier:
        noise, rate = r.sampled_noise_multiplier, r.sampling_rate  # of whole records
        spent = accountant.spent(noise, 1e-5, rate, releases)
        assert spent == pytest.approx(epsilon, rel=1e-4)


def test_sampling_needs_a_batch_that_the_data_hold():
    with pytest.raises(MissingValue, match="batch_size"):
        protect(1.0, dataset_size=1000)
    with pytest.raises(OutOfRange, match="batch_size"):
        protect(1.0, batch_size=2000, dataset_size=1000)


def test_a_column_of_budgets_is_a_column_of_sampled_noise():
    column = protect(np.array([1.0, 8.0]), batch_size=100, dataset_size=1e5, releases=1000)
    assert column[1].sampled_noise_multiplier == pytest.approx(
        protect(8.0, batch_size=100, dataset_size=1e5, releases=1000).sampled_noise_multiplier
    )


def test_a_larger_batch_drowns_the_noise():
    # sigma C / B: 4.845 x 2 / 1000
    r = protect(1.0, 1e-5, clip_norm=2.0, batch_size=1000)
    assert r.gradient_noise == pytest.approx(4.845 * 2 / 1000, rel=1e-3)
    assert r.noise_to_gradient is None
    whole = protect(1.0, 1e-5, clip_norm=2.0, batch_size=1000, model=LLAMA)
    # the clipping norm cancels; sqrt(8.03e9) = 89,612
    by_hand = 4.845 * math.sqrt(LLAMA.parameters) / 1000
    assert whole.noise_to_gradient == pytest.approx(by_hand, rel=1e-3)


def test_the_slow_down_is_the_measured_one_and_not_a_function_of_epsilon():
    strict, lax = protect(0.1), protect(8.0)
    for r in (strict, lax):
        assert r.slowdown_low == float(Literature.Privacy.DPSGD_Opacus_low.value)
        assert r.slowdown_high == float(Literature.Privacy.DPSGD_Opacus_high.value)
    jax = protect(1.0, library="JAX")
    assert jax.slowdown_low == jax.slowdown_high == float(Literature.Privacy.DPSGD_JAX.value)
    assert any("measured" in note for note in strict.notes)


def test_training_takes_between_the_measured_bounds():
    r = protect(1.0, base_training_time="10 day")
    assert r.training_time_low.m_as("day") == pytest.approx(26)
    assert r.training_time_high.m_as("day") == pytest.approx(80)
    assert protect(1.0).training_time_low is None


# ---- wall 20: fairness ---------------------------------------------------------------------------


def test_samples_for_a_poll_of_five_percent_are_the_textbooks_385():
    # 1.96^2 x 0.25 / 0.05^2 = 384.1
    r = protect(1.0, groups=4, smallest_share=0.01)
    assert r.samples_per_group == 385
    assert r.samples_balanced == 4 * 385
    assert r.samples_at_random == 38_500


def test_samples_noise_and_time_where_nothing_is_usual():
    # 1.644854^2 x 0.2 x 0.8 / 0.03^2 = 480.99 for nine of ten; of a group that is 7 % 6,871.4
    r = protect(
        0.5, 0.0125, confidence=0.9, proportion=0.2, half_width=0.03, groups=3, smallest_share=0.07,
        batch_size=50, clip_norm=3, model=LLAMA, base_training_time="2 day", library="JAX",
    )  # fmt: skip
    assert (r.samples_per_group, r.samples_balanced, r.samples_at_random) == (481, 1443, 6872)
    noise = 2 * math.sqrt(2 * math.log(100))
    assert r.noise_multiplier == pytest.approx(noise)
    assert r.gradient_noise == pytest.approx(noise * 3 / 50)
    assert r.noise_to_gradient == pytest.approx(noise * math.sqrt(LLAMA.parameters) / 50)
    jax = float(Literature.Privacy.DPSGD_JAX.value)
    times = (r.training_time_low.m_as("day"), r.training_time_high.m_as("day"))
    assert times == pytest.approx((2 * jax, 2 * jax))
    assert protect(0.5, clip_norm=3, model=LLAMA).noise_to_gradient is None


def test_half_the_width_is_four_times_the_samples():
    wide, narrow = (protect(1.0, half_width=w).samples_per_group for w in (0.04, 0.02))
    assert narrow / wide == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"epsilon": -1}, OutOfRange),  # accepted elsewhere
        ({"epsilon": 0}, OutOfRange),
        ({"epsilon": math.nan}, OutOfRange),
        ({"epsilon": math.inf}, OutOfRange),
        ({"epsilon": "1 s"}, WrongUnit),
        ({"delta": 0}, OutOfRange),
        ({"delta": 1}, OutOfRange),
        ({"delta": 1.5}, OutOfRange),
        ({"delta": math.nan}, OutOfRange),
        ({"clip_norm": 0}, OutOfRange),
        ({"batch_size": 0}, OutOfRange),
        ({"batch_size": 1.5}, OutOfRange),
        ({"releases": 0}, OutOfRange),
        ({"library": "opacuss"}, UnknownName),
        ({"groups": 0}, OutOfRange),
        ({"smallest_share": 0}, OutOfRange),
        ({"half_width": 0}, OutOfRange),
        ({"confidence": 1}, OutOfRange),
        ({"proportion": 1.1}, OutOfRange),
        ({"base_training_time": 10}, WrongUnit),
    ],
)
def test_a_malformed_question_about_responsibility_raises(wrong, error):
    with pytest.raises(error):
        protect(**{"epsilon": 1.0, **wrong})


def test_results_are_plain_data_too():
    for r in (save(LLAMA, storage_bandwidth="10 GB/s", interval="1 hour"), protect(0.5)):
        assert isinstance(r.to_json(), str)
