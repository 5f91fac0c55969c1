"""Walls 4, 5 and 7: prefill and decode, slots and pages, batches that fill, and queues."""

from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import BadArgument, MissingValue, OutOfRange, UnknownArgument, WrongUnit
from mlsysim.core.units import Q_
from mlsysim.equations import serving as eq
from mlsysim.solvers import (
    BatchingOptimizer,
    ContinuousBatchingModel,
    ServingModel,
    TailLatencyModel,
)
from mlsysim.solvers.node.batching import _Found, _in_flight, _opener, _plan
from mlsysim.solvers.node.inflight import server
from mlsysim.solvers.node.single import ask

SERVING, CONTINUOUS = ServingModel(), ContinuousBatchingModel()
BATCHING, TAIL = BatchingOptimizer(), TailLatencyModel()

# Llama 3 8B by hand: multiply-accumulates of one token in one layer, and in the head
LAYER = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 4096 * 2 * 14336 + 14336 * 4096
BODY, HEAD = 32 * LAYER, 4096 * 128256
PAIR = 32 * 32 * (128 + 128)  # of one (query, key) pair, over layers and heads
KV = 2 * 32 * 8 * 128 * 2  # bytes that one token leaves in the cache, fp16
PEAK, BANDWIDTH, OVERHEAD = 989.4e12, 3.35e12, 10e-6
PARAMETERS = 8030261248
LOGITS = 2 * (4096 + 128256)  # the widest of a decode step's activations, for each sequence
CAPACITY = 81559 * 1024**2
Z99, Z995 = NormalDist().inv_cdf(0.99), NormalDist().inv_cdf(0.995)


# ---- wall 4 --------------------------------------------------------------------------------------


def test_the_first_token_waits_for_the_prompts_arithmetic(llama, h100):
    served = SERVING.solve(llama, h100, seq_len=1024)
    pairs = 1024 * 1025 / 2  # a token sees itself and those before it: half of the square
    flop = 2 * (BODY * 1024 + PAIR * pairs + HEAD)  # the head turns one position into a token
    assert served.ttft.m_as("s") == pytest.approx(flop / (PEAK * 0.5) + OVERHEAD, rel=1e-9)
    assert served.prefill_bottleneck == "Compute"


def test_the_other_tokens_wait_for_weights_and_cache(llama, h100):
    served = SERVING.solve(llama, h100, context=4000)
    traffic = 2 * (BODY + HEAD + 4096) + KV * 4000  # matrices, one embedding row, the cache
    assert served.itl.m_as("s") == pytest.approx(traffic / BANDWIDTH + OVERHEAD, rel=1e-9)
    assert served.decode_bottleneck == "Memory"


def test_decode_has_a_compute_roof_that_large_batches_meet(llama, h100):
    """At short context the crossover is W/BW over OPs/(peak eta): about 148."""
    few, many = (SERVING.solve(llama, h100, batch_size=b, context=1) for b in (100, 200))
    assert (few.decode_bottleneck, many.decode_bottleneck) == ("Memory", "Compute")
    flop = 2 * (BODY + HEAD + PAIR) * 200
    assert many.itl.m_as("s") == pytest.approx(flop / (PEAK * 0.5) + OVERHEAD, rel=1e-9)


def test_decode_attends_to_the_whole_cache_and_prefill_to_half_the_square(llama, h100):
    """Doubling a long prompt quadruples its attention, and doubles the rest."""
    short, long = (SERVING.solve(llama, h100, seq_len=n).ttft.m_as("s") for n in (4096, 8192))
    attention = 2 * PAIR / (PEAK * 0.5)
    extra = attention * (8192 * 8193 / 2 - 2 * (4096 * 4097 / 2))
    head = 2 * HEAD / (PEAK * 0.5) + OVERHEAD
    assert long - head == pytest.approx(2 * (short - head) + extra, rel=1e-9)


def test_mixture_of_experts_prefills_with_its_active_parameters(h100):
    mixtral = Models.Language.Mixtral_8x7B
    served = SERVING.solve(mixtral, h100, seq_len=4096, efficiency=1.0)
    active = 2 * mixtral.active_parameters * 4096 / PEAK
    assert served.prefill_bottleneck == "Compute"
    assert served.si("ttft") == pytest.approx(active, rel=0.05)  # less embedding, plus attention
    assert served.si("ttft") < 0.35 * 2 * mixtral.parameters * 4096 / PEAK


def test_grouped_queries_keep_a_long_context_in_memory(llama, h100):
    """At 128K the cache is 131072 tokens of 131072 bytes: 17.2 GB; a key for each query, 68.7."""
    context = 131072
    how = {"seq_len": context - 128, "decode_tokens": 128}
    grouped = SERVING.solve(llama, h100, **how)
    assert grouped.kv_cache.m_as("B") == KV * context
    assert grouped.si("memory_required") == pytest.approx(2 * PARAMETERS + 17.18e9, abs=0.01e9)
    assert grouped.feasible
    assert "longer than" in grouped.notes[0]
    every = SERVING.solve(llama.replace(kv_heads=32), h100, **how)
    assert every.memory_required.m_as("GB") == pytest.approx(84.8, abs=0.05)


def test_memory_is_that_of_the_finished_sequences(llama):
    """20 sequences fit while they start (0.5K) and do not when they end (4K)."""
    small = Hardware.Cloud.L4  # 24.15 GB
    start = SERVING.solve(llama, small, seq_len=512, decode_tokens=1, batch_size=20)
    end = SERVING.solve(llama, small, seq_len=512, decode_tokens=3584, batch_size=20)
    assert start.feasible
    assert not end.feasible
    assert "KV cache" in end.reason
    assert end.kv_cache.m_as("B") == KV * 4096 * 20


def test_a_model_that_does_not_fit_says_by_how_much():
    served = SERVING.solve(Models.Llama3_70B, Hardware.H100)
    assert not served.feasible
    assert "device holds 85.52 GB" in served.reason


def test_the_average_step_adds_up_to_every_step(llama, h100):
    """Steps see contexts 1001 .. 1063 after a prompt of 1000; the prompt's pass gives the first."""
    served = SERVING.solve(llama, h100, seq_len=1000, decode_tokens=64)
    steps = SERVING.solve(llama, h100, context=np.arange(1001, 1064)).si("itl")
    assert served.si("latency") == pytest.approx(served.si("ttft") + steps.sum(), rel=1e-12)
    assert served.si("throughput") == pytest.approx(64 / served.si("latency"))
    assert served.energy.m_as("J") == pytest.approx(700 * served.si("latency"))


def test_columns_are_the_same_as_one_by_one(llama, h100):
    columns = SERVING.solve(llama, h100, batch_size=[1, 300], seq_len=[64, 2048])
    for i, (batch, length) in enumerate([(1, 64), (300, 2048)]):
        one = SERVING.solve(llama, h100, batch_size=batch, seq_len=length)
        for name in ("ttft", "itl", "latency", "kv_cache"):
            assert columns[i].si(name) == pytest.approx(one.si(name), rel=1e-12)
        assert (columns[i].feasible, columns[i].reason) == (one.feasible, one.reason)


def test_what_does_not_decode_cannot_be_served(h100):
    for model in (Models.ResNet50, Models.BERT_Base):
        with pytest.raises(BadArgument, match="give a decoder"):
            SERVING.solve(model, h100)


@given(length=st.integers(1, 100_000), batch=st.integers(1, 1000), tokens=st.integers(1, 5000))
def test_a_device_with_more_bandwidth_serves_no_slower(length, batch, tokens):
    llama, slow, fast = Models.Llama3_8B, Hardware.H100, Hardware.H200  # alike but for their memory
    how = {"seq_len": length, "batch_size": batch, "decode_tokens": tokens}
    one, other = SERVING.solve(llama, slow, **how), SERVING.solve(llama, fast, **how)
    assert other.si("latency") <= one.si("latency") * (1 + 1e-12)
    assert other.feasible or not one.feasible


# ---- wall 5: slots and pages ---------------------------------------------------------------------


def test_static_slots_and_pages_by_hand(llama, h100):
    """A tenth of the memory is kept free, and a sequence brings its activations."""
    room = 0.9 * CAPACITY - 2 * PARAMETERS
    batched = CONTINUOUS.solve(llama, h100, seq_len=1000, max_seq_len=8192, page_size=16)
    assert batched.static_batch == room // (KV * 8192 + LOGITS) == 56
    assert batched.paged_batch == room // (KV * 16 * 63 + LOGITS) == 460  # 1000 take 63 pages
    assert batched.static_fragmentation == pytest.approx(1 - 1000 / 8192)
    assert batched.paged_fragmentation == pytest.approx(1 - 1000 / 1008)
    assert batched.memory_left.m_as("B") == pytest.approx(room)


def test_lengths_that_were_observed_are_averaged_over_their_pages(llama, h100):
    """1 and 1 token take a page each, 100 and 1000 take 7 and 63: 18 on average."""
    batched = CONTINUOUS.solve(llama, h100, seq_len=[100, 1000, 1, 1])
    sequence = KV * 16 * (7 + 63 + 1 + 1) / 4 + LOGITS
    assert batched.paged_batch == (0.9 * CAPACITY - 2 * PARAMETERS) // sequence
    assert batched.mean_seq_len == 1102 / 4


def test_throughput_counts_the_time_that_prompts_take(llama, h100):
    """3,968 tokens in and 128 out, on an H100: 882 a second, and not the 5,126 of decoding alone.

    With all of the memory: a prompt takes 127 ms, a full step 25 ms.
    """
    batched = CONTINUOUS.solve(llama, h100, seq_len=4096, reserve="0 GB")
    served = SERVING.solve(
        llama, h100, seq_len=3968, batch_size=batched.paged_batch, context=3968 + 64
    )
    busy = served.si("ttft") + 127 * served.si("itl") / batched.paged_batch
    assert batched.si("throughput") == pytest.approx(128 / busy)
    assert batched.si("throughput") == pytest.approx(882, rel=0.02)
    assert batched.itl == served.itl
    assert batched.decode_throughput == served.decode_throughput
    assert batched.throughput > batched.static_throughput


@given(length=st.integers(2, 8192), tokens=st.integers(1, 500))
def test_the_batch_that_fits_is_feasible_when_it_is_served(length, tokens):
    model, device = Models.Llama3_8B, Hardware.L4
    batched = CONTINUOUS.solve(model, device, seq_len=length, decode_tokens=tokens, reserve="0 GB")
    answer = int(batched.decode_tokens)
    served = SERVING.solve(
        model,
        device,
        seq_len=max(length - answer, 1),
        decode_tokens=answer,
        batch_size=batched.paged_batch,
    )
    assert served.feasible


def test_pages_gain_nothing_where_every_sequence_is_as_long_as_allowed(llama, h100):
    batched = CONTINUOUS.solve(llama, h100, seq_len=4096, max_seq_len=4096)
    assert batched.gain == 1
    assert batched.paged_fragmentation == 0


def test_a_page_of_one_token_wastes_nothing(llama, h100):
    assert CONTINUOUS.solve(llama, h100, seq_len=1001, page_size=1).paged_fragmentation == 0


def test_no_sequence_fits_beside_weights_that_do_not():
    batched = CONTINUOUS.solve(Models.Llama3_70B, Hardware.H100, seq_len=1000)
    assert (batched.feasible, batched.paged_batch, batched.itl) == (False, 0, None)
    assert "weights 141.1 GB" in batched.reason


def test_a_reserve_leaves_room_for_fewer(llama, h100):
    free, kept = (CONTINUOUS.solve(llama, h100, seq_len=1000, reserve=r) for r in ("0 GB", "10 GB"))
    assert kept.paged_batch == (CAPACITY - 2 * PARAMETERS - 10**10) // (KV * 1008 + LOGITS)
    assert kept.paged_batch < free.paged_batch


def test_a_slot_shorter_than_a_sequence_is_refused(llama, h100):
    with pytest.raises(BadArgument, match="sequences reach 1,000 tokens"):
        CONTINUOUS.solve(llama, h100, seq_len=1000, max_seq_len=999)


@given(length=st.integers(1, 8192), page=st.integers(1, 512))
def test_pages_never_hold_fewer_sequences_than_slots_a_page_longer(length, page):
    batched = CONTINUOUS.solve(
        Models.Llama3_8B, Hardware.H100, seq_len=length, max_seq_len=8192 + page, page_size=page
    )
    assert batched.paged_batch >= batched.static_batch
    assert 0 <= batched.paged_fragmentation < 1


# ---- wall 5: the batch worth waiting for ---------------------------------------------------------


def solve_listing(llama, h100, **changes):
    how = {"seq_len": 128, "arrival_rate_qps": 10.0, "sla_latency_ms": 20000.0, **changes}
    return BATCHING.solve(llama, h100, **how)


def classify(device, rate, sla, **how):
    return BATCHING.solve(Models.ResNet50, device, arrival_rate_qps=rate, sla_latency_ms=sla, **how)


@pytest.mark.parametrize(("rate", "p99"), [(2, 0.67), (5, 0.74), (10, 0.86), (20, 1.16)])
def test_requests_in_flight_take_what_a_simulated_server_gives_them(llama, h100, rate, p99):
    """The audit's simulation over one-roof step times, 512 tokens in and 128 out: within 15 %."""
    plan = solve_listing(
        llama, h100, seq_len=512, decode_tokens=128, arrival_rate_qps=rate, sla_latency_ms=2000
    )
    assert plan.feasible
    assert plan.si("p99_latency") == pytest.approx(p99, rel=0.15)


def test_in_flight_a_plan_is_what_a_server_answers_at_both_of_its_rates(llama, h100):
    plan = solve_listing(llama, h100, sla_latency_ms=2000)
    question = ask(llama, h100, "fp16", 0.5, None, "ideal")
    at = server(question, 128.0, 128.0, max_batch=float(plan.best_batch_size)).at
    assert plan.p99_latency == at(10.0).p99_latency
    most = server(question, 128.0, 128.0, max_batch=float(plan.largest_rate_batch_size)).at
    rate = plan.si("largest_rate")
    assert most(rate).si("p99_latency") <= 2.0 < most(1.01 * rate).si("p99_latency")


def test_a_batch_that_takes_too_long_to_fill_is_not_chosen(h100):
    """256 requests at 10 a second take 25.6 s to come: no device meets 20 s so."""
    plan = classify(h100, 10, 20_000)
    late = [row for row in plan.pareto_front if row["batch_size"] == 256]
    assert plan.best_batch_size == 1
    assert all(row["p99_latency"] > Q_("25.5 s") and not row["meets_sla"] for row in late)


def test_the_largest_rate_is_one_at_which_the_sla_is_kept():
    """ResNet-50 on a T4, 1 s: at ten a second a batch of one, and thousands a second in others."""
    plan = classify(Hardware.T4, 10, 1000)
    assert plan.best_batch_size == 1
    assert plan.p99_latency < Q_("5 ms")
    again = classify(Hardware.T4, plan.largest_rate, 1000)
    assert again.feasible
    assert plan.largest_rate_batch_size > 1
    assert not classify(Hardware.T4, 1.02 * plan.largest_rate, 1000).feasible
    assert max(row["largest_rate"] for row in plan.pareto_front) == plan.largest_rate


def test_a_collected_batch_waits_until_it_is_full_or_its_time_is_up_and_the_device_free(h100):
    rate = 20_000.0
    for row in classify(h100, rate, 1000).pareto_front:
        batch = row["batch_size"]
        run = Engine.solve(Models.ResNet50, h100, batch_size=batch, stack="ideal").si("latency")
        load = rate * run / batch
        tail = 0.005 if batch > 1 else 0.01
        wait = float(eq.wait_quantile(eq.batch_wait(batch, run, load), load, tail))
        fill = float(eq.fill_wait(batch, rate, Z995))
        start = max(fill, wait + run * (batch > 1))
        assert row["p99_latency"].m_as("s") == pytest.approx(start + run)
        assert row["utilization"] == pytest.approx(load)


def test_the_front_trades_latency_for_rate(h100):
    front = classify(h100, 2000, 1000).pareto_front
    for name in ("p99_latency", "largest_rate"):
        values = [row[name] for row in front]
        assert values == sorted(values)
    assert len(front) > 3


def test_an_sla_that_no_batch_meets_is_an_answer(llama, h100):
    plan = solve_listing(llama, h100, sla_latency_ms=50)
    assert (plan.feasible, plan.best_batch_size, plan.p99_latency) == (False, None, None)
    assert "No batch meets 50 ms" in plan.reason
    assert plan.pareto_front


def test_an_arrival_rate_that_no_batch_keeps_up_with_is_an_answer(llama, h100):
    plan = solve_listing(llama, h100, arrival_rate_qps=1e6)
    assert (plan.feasible, plan.pareto_front) == (False, [])
    assert "keeps up" in plan.reason


def test_a_model_too_large_to_batch_is_an_answer(h100):
    plan = solve_listing(Models.Llama3_70B, h100)
    assert not plan.feasible
    assert "device holds" in plan.reason


def test_batches_beyond_memory_are_left_out(llama):
    """An L4 has 5.7 GB beside the weights and a tenth kept free: 42 of 1,024 tokens at most."""
    plan = BATCHING.solve(
        llama, Hardware.L4, seq_len=896, decode_tokens=128, arrival_rate_qps=1, sla_latency_ms=1e6
    )
    room = 0.9 * Hardware.L4.memory.capacity.m_as("B") - 2 * PARAMETERS
    most = math.floor(room / (KV * 1024 + LOGITS))
    assert plan.largest_rate_batch_size == most
    assert max(row["batch_size"] for row in plan.pareto_front) <= most


def made_up(**columns):
    """Six batches, of which 2 is as quick as 4, and 8 cannot keep up with three a second."""
    found = {
        "batch_size": [1.0, 2.0, 3.0, 4.0, 6.0, 8.0],
        "p99_latency": [0.45, 0.4003, 0.42, 0.4, 0.6, math.inf],
        "largest_rate": [5.0, 6.0, 7.0, 7.5, 9.0, 8.0],
        "capacity": [8.0, 9.0, 10.0, 12.0, 15.0, 2.5],
    }
    columns = {name: np.array(column) for name, column in (found | columns).items()}
    return _Found(**columns, reason="None fits.", notes=())


def test_a_plan_by_hand():
    plan = _plan(made_up(), 3.0, 0.5)
    front = plan.pop("pareto_front")
    assert plan == {
        "best_batch_size": 2,
        "p99_latency": 0.4003,
        "utilization": 3 / 9,
        "largest_rate": 9.0,
        "largest_rate_batch_size": 6,
        "feasible": True,
        "reason": "",
    }
    # 1 and 3 are beaten by 4 in both, and 2 and 6 are shown as the best and the most
    rows = [
        (2, 400.3, 6.0, 3 / 9, True),
        (4, 400.0, 7.5, 3 / 12, True),
        (6, 600.0, 9.0, 0.2, False),
    ]
    names = ("batch_size", "p99_latency", "largest_rate", "utilization", "meets_sla")
    for row, values in zip(front, rows, strict=True):
        assert tuple(row) == (
            "batch_size",
            "p99_latency",
            "largest_rate",
            "utilization",
            "meets_sla",
        )
        plain = {name: getattr(value, "magnitude", value) for name, value in row.items()}
        assert plain == pytest.approx(dict(zip(names, values, strict=True)))
    assert f"{front[0]['p99_latency'].units:~P} {front[0]['largest_rate'].units:~P}" == "ms req/s"


def test_a_plan_that_is_feasible_keeps_its_sla():
    """Was wrong: a batch as quick within a thousandth was taken though it missed the SLA."""
    just = _plan(made_up(), 3.0, 0.4)
    assert (just["feasible"], just["best_batch_size"], just["p99_latency"]) == (True, 4, 0.4)
    late = _plan(made_up(), 3.0, 0.39)
    assert late.pop("pareto_front")
    assert late == {
        "best_batch_size": None,
        "p99_latency": None,
        "utilization": None,
        "largest_rate": 9.0,
        "largest_rate_batch_size": 6,
        "feasible": False,
        "reason": "No batch meets 390 ms: the quickest, of 4, takes 400 ms at the 99th percentile; "
        "use a faster device, shorter requests or a longer SLA.",
    }


def test_plans_that_cannot_be_by_hand():
    never = _plan(made_up(p99_latency=[math.inf] * 6, largest_rate=[0.0] * 6), 31.0, 0.5)
    nothing = dict.fromkeys(
        ("best_batch_size", "p99_latency", "utilization", "largest_rate", "largest_rate_batch_size")
    )
    said = (
        "No batch keeps up with 31 requests a second: the most that this device serves is 15; "
        "share the load over 3 devices."
    )
    assert never == {**nothing, "feasible": False, "pareto_front": [], "reason": said}
    none = made_up(batch_size=[], p99_latency=[], largest_rate=[], capacity=[])
    unfit = _plan(none, 3.0, 0.5)
    assert unfit == {**nothing, "feasible": False, "pareto_front": [], "reason": "None fits."}


def test_a_load_of_all_that_a_device_does_is_too_much(h100):
    most = Engine.solve("ResNet50", h100, stack="ideal").throughput.m_as("1/s")
    how = {"sla_latency_ms": 1e9, "max_batch_size": 1}
    full = BATCHING.solve("ResNet50", h100, arrival_rate_qps=most, **how)
    assert (full.feasible, full.reason.partition(" requests")[0]) == (
        False,
        f"No batch keeps up with {most:,.4g}",
    )
    assert BATCHING.solve("ResNet50", h100, arrival_rate_qps=most * 0.999, **how).feasible


@pytest.mark.parametrize("most", [2.5, [4, 2.5]])
def test_a_batch_is_of_whole_requests(h100, most):
    how = {"sla_latency_ms": 50, "arrival_rate_qps": 10, "max_batch_size": most}
    with pytest.raises(OutOfRange, match="give a finite whole number of at least 1"):
        BATCHING.solve("ResNet50", h100, **how)


def test_sizes_in_flight_are_powers_of_two_and_the_most(llama, h100):
    question = ask(llama, h100, "fp16", 0.5, None, "ideal")
    for most, sizes in ((8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (1, [1])):
        found = _in_flight(question, 512.0, 64.0, most, 0.5, 60.0)
        assert found.batch_size.tolist() == sizes
        alone = server(question, 512.0, 64.0, max_batch=most)
        assert found.capacity[-1] == alone.max_rate
        assert found.p99_latency[-1] == alone.at(0.5).si("p99_latency")
    assert _in_flight(question, 512.0, 64.0, 4, 1e9, 60.0).p99_latency.tolist() == [math.inf] * 3
    assert found.notes == ()
    assert len(_in_flight(question, 8000.0, 192.0, 1, 0.5, 60.0).notes) == 0
    assert len(_in_flight(question, 8000.0, 193.0, 1, 0.5, 60.0).notes) == 1


def test_no_sequence_has_room_in_a_sentence(h100):
    """One of 1,000 tokens takes 63 pages of 16 in 80 layers of 4,096 bytes, and its logits."""
    said = CONTINUOUS.solve("Llama3_70B", h100, seq_len=1000).reason
    one = 1008 * 80 * 4096 + 2 * (8192 + 128256)
    assert said == (
        f"Not one sequence fits: weights 141.1 GB, one sequence {one / 1e6:.4g} MB, "
        f"reserve {0.1 * CAPACITY / 1e9:.4g} GB, and the device holds 85.52 GB; split the model "
        "over several devices or use a narrower precision."
    )
    free = CONTINUOUS.solve("Llama3_70B", h100, seq_len=1000, reserve="0 GB").reason
    assert free == said.replace(", reserve 8.552 GB", "")


def test_a_slot_holds_the_longest_sequence(llama, h100):
    """What was observed may be longer than the model's context, and no longer than a slot."""
    lengths = [100, 9000, 500]
    batched = CONTINUOUS.solve(llama, h100, seq_len=lengths)
    assert (batched.max_seq_len, batched.mean_seq_len) == (9000, 3200)
    assert CONTINUOUS.solve(llama, h100, seq_len=100).max_seq_len == 8192
    assert CONTINUOUS.solve(llama, h100, seq_len=lengths, max_seq_len=9000).max_seq_len == 9000
    with pytest.raises(
        BadArgument,
        match="max_seq_len cannot be '8,999': sequences reach 9,000 tokens; give at least that",
    ):
        CONTINUOUS.solve(llama, h100, seq_len=lengths, max_seq_len=8999)
    # all but one of a sequence are answered at most, and one at least
    for length, answer in ((100, 99), (129, 128), (200, 128), (1, 1)):
        assert CONTINUOUS.solve(llama, h100, seq_len=length).decode_tokens == answer
    short = CONTINUOUS.solve(llama, h100, seq_len=200, decode_tokens=7)
    assert short.decode_tokens == 7


def test_a_forward_model_is_batched_too(h100):
    plan = BATCHING.solve(Models.ResNet50, h100, arrival_rate_qps=2000, sla_latency_ms=10)
    assert plan.feasible
    assert (plan.best_batch_size - 1) / 2000 < 0.010
    with pytest.raises(BadArgument, match="does not decode"):
        BATCHING.solve(
            Models.ResNet50, h100, arrival_rate_qps=1, sla_latency_ms=10, decode_tokens=4
        )


def test_a_lone_request_does_not_wait_for_others(h100):
    """With one request in ten seconds and an SLA of a tenth, a batch of one is right."""
    plan = BATCHING.solve(Models.ResNet50, h100, arrival_rate_qps=0.1, sla_latency_ms=100)
    assert plan.best_batch_size == 1
    alone = Engine.solve(Models.ResNet50, h100, stack="ideal")
    assert plan.si("p99_latency") == pytest.approx(alone.si("latency"), rel=1e-3)


def test_the_fill_is_the_99th_percentile_of_its_gamma_distribution():
    """P(the k-th arrival comes later than t) = P(fewer than k arrivals by then), a Poisson sum."""
    for k, (z, tail) in product((1, 2, 3, 10, 100, 300), ((Z99, 0.01), (Z995, 0.005))):
        time = float(eq.fill_wait(k + 1, 1.0, z))
        later = [
            math.exp(-t + sum(math.log(t / j) for j in range(1, n + 1)))
            for t in (0.99 * time, 1.01 * time)
            for n in range(k)
        ]
        assert math.fsum(later[:k]) > tail > math.fsum(later[k:])


@pytest.mark.parametrize(
    ("batch", "utilization"), [(1, 0.7), (1, 0.9), (2, 0.5), (4, 0.8), (16, 0.1), (16, 0.9)]
)
def test_a_simulated_queue_keeps_the_promise(batch, utilization):
    """A million requests: the opener's 99th percentile stays below ours, by a fifth at most."""
    rng = np.random.default_rng(1)
    rate, service = 1.0, utilization * batch
    gaps = rng.exponential(1 / rate, (1_000_000 // batch, batch))
    # the work ahead of a batch: Lindley's recursion as a running minimum
    backlog = np.cumsum(service - gaps.sum(axis=1)[1:])
    waits = backlog - np.minimum.accumulate(np.minimum(backlog, 0))
    stays = gaps[1:, 1:].sum(axis=1) + waits + service
    mean = float(eq.batch_wait(batch, service, utilization))
    wait = eq.wait_quantile(mean, utilization, 0.01 if batch == 1 else 0.005)
    ours = service + float(eq.batch_start(batch, eq.fill_wait(batch, rate, Z995), wait, service))
    assert 0.8 * ours <= np.quantile(stays, 0.99) <= 1.02 * ours
    if batch == 1:  # M/D/1: the mean is exact
        assert waits.mean() == pytest.approx(mean, rel=0.03)


# ---- wall 7 --------------------------------------------------------------------------------------


def test_one_server_has_an_exponential_stay():
    """M/M/1: P(T > t) = exp(-(mu - lambda) t), so P99 = ln 100 / (10 - 8)."""
    tail = TAIL.solve(8, 100)
    assert tail.p99_latency.m_as("s") == pytest.approx(math.log(100) / 2, rel=1e-12)
    assert tail.p50_latency.m_as("s") == pytest.approx(math.log(2) / 2, rel=1e-12)
    assert tail.mean_latency.m_as("s") == pytest.approx(1 / 2)
    assert tail.wait_probability == pytest.approx(0.8)


def test_the_tail_is_that_of_the_stay_and_not_mean_service_plus_a_waits_quantile():
    """The latter would be 0.1 + ln(0.8 / 0.01) / 2 s for one server."""
    assert TAIL.solve(8, 100).p99_latency > Q_(0.1 + math.log(80) / 2, "s")
    alone = TAIL.solve(0.001, 100)
    assert alone.si("p99_latency") == pytest.approx(0.1 * math.log(100), rel=1e-3)


def test_two_servers_with_one_to_spare_are_the_degenerate_case():
    """Where c mu - lambda = mu: C = a^2/(2 + a) = 1/3 and P(T > t) = exp(-tau) (1 + tau/3)."""
    tail = TAIL.solve(10, 100, 2)
    assert tail.wait_probability == pytest.approx(1 / 3)
    tau = tail.p99_latency.m_as("s") / 0.1
    assert math.exp(-tau) * (1 + tau / 3) == pytest.approx(0.01, rel=1e-9)
    near = TAIL.solve(10 + 1e-9, 100, 2)
    assert near.si("p99_latency") == pytest.approx(tail.si("p99_latency"), rel=1e-8)


def test_erlang_c_agrees_with_the_sum_of_factorials():
    for servers, load in [(1, 0.3), (5, 4.0), (10, 8.0), (30, 29.5)]:
        last = load**servers / math.factorial(servers) * servers / (servers - load)
        others = math.fsum(load**k / math.factorial(k) for k in range(servers))
        assert float(eq.erlang_c(load, servers)) == pytest.approx(last / (others + last), rel=1e-12)


def test_the_mean_stay_is_the_area_under_its_tail():
    times = np.linspace(0.0, 400.0, 400_001)
    for servers, load in [(1, 0.9), (2, 1.0), (3, 1.5), (8, 7.5)]:
        waiting = eq.erlang_c(load, servers)
        mean = 1.0 + float(eq.mean_wait(waiting, 1.0, load, servers))
        tail = eq.sojourn_tail(times, 1.0, waiting, servers - load)
        area = (tail[1:] + tail[:-1]).sum() / 2 * (times[1] - times[0])
        assert area == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("rate", [20, 20.001, 1e6])
def test_servers_that_cannot_keep_up_have_no_tail(rate):
    tail = TAIL.solve(rate, 100, 2)
    assert not tail.stable
    assert tail.p99_latency is None
    assert tail.mean_wait is None
    assert "only grows" in tail.reason


def test_the_replicas_that_it_asks_for_keep_up():
    tail = TAIL.solve(30, 100, 2)
    assert "at least 4 replicas" in tail.reason  # 3 would be busy all the time
    assert TAIL.solve(30, 100, 4).stable
    assert not TAIL.solve(30, 100, 3).stable


@pytest.mark.parametrize(
    "arguments",
    [
        (-1, 100),
        (0, 100),
        (5, -100),
        (5, 0),
        (math.nan, 100),
        (5, math.inf),
        (5, 100, 0),
        (5, 100, 1.5),
        (5, 100, -2),
    ],
)
def test_rates_and_counts_that_make_no_sense_are_refused(arguments):
    with pytest.raises(OutOfRange):
        TAIL.solve(*arguments)


def test_units_may_be_written_and_must_be_right():
    assert TAIL.solve("480 1/minute", "0.1 s") == TAIL.solve(8, 100)
    with pytest.raises(WrongUnit):
        TAIL.solve("8 GB", 100)
    with pytest.raises(UnknownArgument, match="num_replicas"):
        TAIL.solve(8, 100, replicas=2)


def test_a_column_is_unknown_where_it_is_unstable():
    tail = TAIL.solve([1, 5, 15], 100)
    assert list(tail.stable) == [True, True, False]
    assert math.isnan(tail.si("p99_latency")[2])
    assert tail[1].si("p99_latency") == pytest.approx(TAIL.solve(5, 100).si("p99_latency"))


@given(utilization=st.floats(1e-6, 1 - 1e-6), servers=st.integers(1, 200), q=st.floats(1e-6, 0.999))
def test_the_quantile_inverts_the_tail(utilization, servers, q):
    load = utilization * servers
    waiting = eq.erlang_c(load, servers)
    time = eq.sojourn_quantile(q, 1.0, waiting, servers - load)
    assert float(eq.sojourn_tail(time, 1.0, waiting, servers - load)) == pytest.approx(q, rel=1e-6)


@given(rate=st.floats(0.1, 99), servers=st.integers(10, 60))
def test_another_replica_never_lengthens_the_tail(rate, servers):
    one, more = TAIL.solve(rate, 100, servers), TAIL.solve(rate, 100, servers + 1)
    assert more.si("p99_latency") <= one.si("p99_latency") * (1 + 1e-9)
    assert one.si("p50_latency") <= one.si("p99_latency")
    assert one.si("p99_latency") >= 0.1 * math.log(100) * (1 - 1e-9)


# ---- what is said of what cannot be --------------------------------------------------------------


def test_a_queue_that_only_grows_says_how_many_would_do():
    assert TAIL.solve(30, 100, 2).reason == (
        "Requests arrive 1.5 times as fast as 2 replicas serve them, so the queue only grows; it "
        "takes at least 4 replicas."
    )
    # as fast as they serve is too fast; 1,200 at 2 s are 2,400 of them
    assert TAIL.solve(20, 100, 2).reason.endswith("it takes at least 3 replicas.")
    assert TAIL.solve(1200, 2000, 1000).reason == (
        "Requests arrive 2.4 times as fast as 1,000 replicas serve them, so the queue only grows; "
        "it takes at least 2,401 replicas."
    )
    assert TAIL.solve(19.9, 100, 2).reason == ""


def test_variation_is_between_none_and_that_of_exponential_service():
    """One server at four fifths: of 0.1 s each; M/M/1 waits 0.4 s and M/D/1 0.2 s."""
    columns = TAIL.solve(8, 100, variation=[0.0, 0.6, 1.0])
    assert columns.mean_wait.m_as("s") == pytest.approx([0.2, 0.4 * (1 + 0.36) / 2, 0.4])
    assert columns.mean_latency.m_as("s") == pytest.approx([0.3, 0.372, 0.5])
    single = [TAIL.solve(8, 100, variation=v) for v in (0.0, 0.6, 1.0)]
    for name in ("p50_latency", "p99_latency", "slowdown"):
        assert columns.si(name) == pytest.approx([one.si(name) for one in single]), name
    # M/M/1 stays exponentially, 0.5 s on average
    assert single[2].p50_latency.m_as("s") == pytest.approx(0.5 * math.log(2))
    assert single[2].p99_latency.m_as("s") == pytest.approx(0.5 * math.log(100))
    assert single[2].slowdown == pytest.approx(5 * math.log(100))


def test_each_refusal_of_a_server_in_a_sentence(llama, h100):
    how = {"seq_len": 100, "decode_hardware": Hardware.A100}
    with pytest.raises(MissingValue) as missing:
        SERVING.solve(llama, h100, **how)
    assert str(missing.value) == (
        "ServingModel has no known network_bandwidth: give the rate at which a prompt's cache goes "
        "to decode_hardware."
    )
    said = "a prompt of 100 tokens leaves none to compute; give fewer"
    for cached in (100, 101):
        with pytest.raises(BadArgument, match=f"cached_prefix_len cannot be {cached}.*: {said}"):
            SERVING.solve(llama, h100, seq_len=100, cached_prefix_len=cached)
    assert SERVING.solve(llama, h100, seq_len=100, cached_prefix_len=99).feasible
    with pytest.raises(BadArgument) as refused:
        SERVING.solve("BERT_Base", h100)
    assert str(refused.value).endswith(
        "it does not decode token by token; give a decoder, such as Llama3_8B."
    )


def test_prompts_that_do_not_fit_where_they_are_read():
    """An A10G of 24 GB does not hold the 70.6 GB that an H200 does."""
    how = {"decode_hardware": "H200", "network_bandwidth": "50 GB/s", "precision": "int8"}
    served = SERVING.solve("Llama3_70B", "A10G", decode_tokens=7, batch_size=3, **how)
    assert served.reason == (
        f"The prompts and their cache do not fit on {Hardware.A10G.name}, which reads them."
    )
    assert (served.feasible, served.precision, served.devices) == (False, "int8", 2)
    assert (served.batch_size, served.decode_tokens) == (3, 7)
    assert (served.ttft, served.latency, served.notes) == (None, None, ())
    read = SERVING.solve("Llama3_8B", "A10G", decode_tokens=7, batch_size=3, **how)
    assert (read.feasible, read.reason, read.devices) == (True, "", 2)


def test_energy_of_a_batch_is_that_of_all_devices(llama, h100):
    for devices, how in ((1, {}), (2, {"tensor_parallel": 2}), (4, {"tensor_parallel": 4})):
        served = SERVING.solve(llama, h100, seq_len=100, batch_size=3, decode_tokens=11, **how)
        assert served.power.m_as("W") == 700 * devices
        assert served.energy.m_as("J") == pytest.approx(700 * devices * served.si("latency"))
        assert served.devices == devices
    assert served.throughput.m_as("1/s") == pytest.approx(3 * 11 / served.si("latency"))


def test_who_opens_a_batch_waits_for_others_and_for_the_device_by_hand():
    """Four fifths busy, 3 s a run: alone the last in a hundred wait, with others one in 200 twice.

    The means are 0.8 x 3 / (2 B 0.2) = 6 / B, and the tails 1 / 0.8 ln(0.8 / e) of them.
    """
    one, four = _opener(np.array([1.0, 4.0]), np.array([3.0, 3.0]), np.array([0.8, 0.8]))
    assert one == pytest.approx(3 + 6 / 0.8 * math.log(80))
    wait = 1.5 / 0.8 * math.log(160) + 3  # and the run before it
    fill = 3 / (0.8 * 4 / 3) * (1 - 1 / 27 + Z995 / (3 * math.sqrt(3))) ** 3
    assert four == pytest.approx(3 + max(wait, fill))
    assert fill < wait
