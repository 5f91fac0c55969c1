"""In-flight batching: what the closed forms say, against a simulated server and by hand."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.solvers.node.inflight import served, server
from mlsysim.solvers.node.replica import Draft, Replica
from mlsysim.solvers.node.single import ask

L = Models.Language
CHAT = (L.Llama3_8B, Hardware.H100, "fp16", 512, 128)
DOCUMENTS = (L.Llama3_8B, Hardware.H100, "fp16", 2000, 300)
LARGE = (L.Llama3_70B, Hardware.H200, "fp8", 2000, 300)
WRITING = (L.Qwen2_5_7B, Hardware.A100, "fp16", 200, 600)
LABELS = (L.Mistral_7B, Hardware.L40S, "fp8", 1500, 16)
CASES = {"chat": CHAT, "documents": DOCUMENTS, "large": LARGE, "writing": WRITING, "labels": LABELS}


def machine(case, **how):
    model, device, precision, prompt, tokens = case
    question = ask(model, device, precision, 0.5, None, "ideal")
    replica = Replica(question, chunk=how.pop("chunk", None))
    return server(replica, float(prompt), float(tokens), **how)


# ---- a server, request by request ----------------------------------------------------------------


def simulate(case, rate, most, *, chunk=None, steps=200_000, seed=1):
    """Poisson arrivals; each iteration reads what waits (or a chunk of it), then decodes once.

    Written over Engine's step times alone: `ttft` and `latency` of every request but the first.
    """
    model, device, precision, prompt, tokens = case
    how = {"precision": precision, "stack": "ideal"}
    read = Engine.solve(model, device, phase="prefill", seq_len=prompt, **how).si("latency")
    sizes = np.arange(1, most + 1)
    context = prompt + tokens // 2
    step = Engine.solve(model, device, batch_size=sizes, seq_len=context, **how).si("latency")
    step, later = [0.0, *step.tolist()], tokens - 1
    if chunk is not None:
        read = sum(piece(case, end, size) for end, size in pieces(prompt, chunk))
    enough = int(np.clip(steps * max(rate * later * step[1], 1) / later, 2_000, 40_000))
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, enough)).tolist()
    first, last = [0.0] * enough, [0.0] * enough
    now, came, decoded, running, left = 0.0, 0, 0, deque(), float(prompt)
    while came < enough or running:
        budget = np.inf if chunk is None else float(chunk)
        while budget and came < enough and arrivals[came] <= now and len(running) < most:
            taken = min(budget, left)
            now += read * taken / prompt
            budget, left = budget - taken, left - taken
            if left:
                break
            first[came], left = now - arrivals[came], float(prompt)
            running.append((decoded + later, came))
            came += 1
        if not running:
            now = now if left < prompt else max(now, arrivals[came])
            continue
        now += step[len(running)]
        decoded += 1
        while running and running[0][0] == decoded:
            request = running.popleft()[1]
            last[request] = now - arrivals[request]
    skip = enough // 20
    return np.array(first[skip:]), np.array(last[skip:])


def pieces(prompt, chunk):
    """Where each chunk of a prompt ends, and its tokens."""
    ends = [*range(chunk, prompt, chunk), prompt]
    return [(end, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def piece(case, end, size):
    """Seconds of one chunk of a prompt, as a step of its own."""
    question = ask(*case[:3], 0.5, None, "ideal")
    return question.profile(question.step(1.0, float(end), "prefill", float(size))).si("latency")


def confirmed(answer, first, last):
    """Hold an answer's means, medians and 99th percentiles to those that were simulated."""
    for name, times in (("ttft", first), ("latency", last)):
        assert answer.si(name) == pytest.approx(times.mean(), rel=0.15)
        assert answer.si(f"p50_{name}") == pytest.approx(np.median(times), rel=0.15)
        assert answer.si(f"p99_{name}") == pytest.approx(np.quantile(times, 0.99), rel=0.15)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_simulated_server_confirms_times_and_tails_within_15_percent(case, load):
    ours = machine(case)
    rate = load * ours.max_rate
    confirmed(ours.at(rate), *simulate(case, rate, int(ours.max_batch)))


@pytest.mark.parametrize("case", ["chat", "large"])
def test_at_nine_tenths_of_what_it_can_too(case):
    ours = machine(CASES[case])
    rate = 0.9 * ours.max_rate
    confirmed(ours.at(rate), *simulate(CASES[case], rate, int(ours.max_batch)))


@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize("case", ["chat", "documents", "large"])
def test_a_simulated_server_that_cuts_prompts_does_too(case, load):
    ours = machine(CASES[case], chunk=512.0)
    rate = load * ours.max_rate
    confirmed(ours.at(rate), *simulate(CASES[case], rate, int(ours.max_batch), chunk=512))


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_where_room_is_short_requests_wait_for_it(load):
    """With slots for sixteen, tails are those of slots that free in bursts: within a quarter."""
    case = (L.Mistral_7B, Hardware.A100, "fp16", 1000, 64)
    ours = machine(case, max_batch=16.0)
    answer = ours.at(load * ours.max_rate)
    first, last = simulate(case, load * ours.max_rate, 16)
    assert answer.si("ttft") == pytest.approx(first.mean(), rel=0.15)
    assert answer.si("latency") == pytest.approx(last.mean(), rel=0.15)
    assert answer.si("p99_ttft") == pytest.approx(np.quantile(first, 0.99), rel=0.25)
    assert answer.si("p99_latency") == pytest.approx(np.quantile(last, 0.99), rel=0.25)
    assert answer.wait_probability > machine(case).at(load * ours.max_rate).wait_probability


# ---- by hand -------------------------------------------------------------------------------------


def test_a_request_alone_takes_its_prefill_and_its_steps():
    read = Engine.solve(*CHAT[:2], phase="prefill", seq_len=512, stack="ideal").si("latency")
    step = Engine.solve(*CHAT[:2], seq_len=512 + 64, stack="ideal").si("latency")
    answer = machine(CHAT).at(1e-6)
    for name in ("ttft", "p50_ttft", "p99_ttft"):
        assert answer.si(name) == pytest.approx(read, rel=1e-3)
    for name in ("latency", "p50_latency", "p99_latency"):
        assert answer.si(name) == pytest.approx(read + 127 * step, rel=1e-3)
    assert answer.si("itl") == pytest.approx(step, rel=1e-3)


def test_the_room_is_nine_tenths_of_the_device_less_weights_and_activations():
    """Llama 3 8B: 131,072 bytes of cache a token, and the head's row of logits, 2 bytes each."""
    ours, capacity = machine(CHAT), 81559 * 1024**2
    sequence = 131072 * (512 + 128) + 2 * (4096 + 128256)
    assert ours.max_batch == (0.9 * capacity - 2 * 8030261248) // sequence


def test_the_largest_rate_counts_prefill_and_a_share_of_each_step():
    """The audit's arithmetic: a request takes its prefill and n-th parts of full steps."""
    ours = machine(LARGE)
    read = Engine.solve(*LARGE[:2], precision="fp8", phase="prefill", seq_len=2000, stack="ideal")
    step = Engine.solve(
        *LARGE[:2], precision="fp8", seq_len=2150, batch_size=ours.max_batch, stack="ideal"
    )
    busy = read.si("latency") + 299 * step.si("latency") / ours.max_batch
    assert ours.max_rate == pytest.approx(1 / busy)
    assert 24 <= 50 / (0.8 * ours.max_rate) <= 36  # published rates and arithmetic say 27


def test_as_many_are_in_flight_as_come_while_one_stays():
    """Little's law: whoever decodes stays for its steps, each lengthened by others' prompts."""
    answer = machine(WRITING).at(5.0)
    assert answer.batch == pytest.approx(5.0 * 599 * answer.si("itl"), rel=0.02)
    assert answer.throughput.m_as("1/s") == pytest.approx(5.0 * 600)


def test_a_rate_that_it_cannot_keep_up_with_is_an_answer():
    ours = machine(LARGE)
    answer = ours.at(3 * ours.max_rate)
    assert (answer.feasible, answer.ttft, answer.p99_latency) == (False, None, None)
    assert answer.utilization == pytest.approx(3)
    assert "share them over 4 replicas" in answer.reason
    assert ours.at(0.99 * ours.max_rate).feasible
    assert answer.throughput.m_as("1/s") == pytest.approx(300 * ours.max_rate)


def test_a_model_without_room_serves_nothing():
    answer = served(ask(L.Llama3_70B, Hardware.H100, "fp16", 0.5), 500.0, 100.0, 1.0)
    assert (answer.feasible, answer.max_batch, answer.max_rate.magnitude) == (False, 0, 0)
    assert "weights 141.1 GB" in answer.reason


def test_the_largest_rate_that_keeps_a_promise_keeps_it_and_no_more_does():
    ours = machine(DOCUMENTS)
    rate = ours.largest(lambda answer: answer.si("p99_latency") <= 4.0)
    assert ours.at(rate).si("p99_latency") <= 4.0 < ours.at(1.01 * rate).si("p99_latency")
    assert ours.largest(lambda answer: answer.si("p99_ttft") <= 0.01) == 0


def test_cached_prefixes_and_right_guesses_let_more_in():
    plain, question = machine(DOCUMENTS), ask(*DOCUMENTS[:3], 0.5, None, "ideal")
    cached = server(Replica(question, prefix=1500.0), 2000.0, 300.0)
    assert cached.prefill < 0.4 * plain.prefill
    assert cached.max_rate > 1.5 * plain.max_rate
    assert cached.max_batch == plain.max_batch  # the cache that all share is counted for each
    guess = Draft(ask(*DOCUMENTS[:3], 0.5, None, "ideal"), 4.0, 5.0)
    drafted = server(Replica(question, draft=guess), 2000.0, 300.0)
    assert drafted.steps == 299 / 5
    assert drafted.step[0] == pytest.approx(5 * plain.step[0], rel=0.05)  # as large as the model


def test_quantiles_hardly_depend_on_the_grid_that_they_are_read_from(monkeypatch):
    ours = machine(LARGE)
    coarse = ours.at(0.9 * ours.max_rate)
    monkeypatch.setattr("mlsysim.solvers.node.inflight._GRID", 16384)
    fine = ours.at(0.9 * ours.max_rate)
    for name in ("p50_ttft", "p99_ttft", "p50_latency", "p99_latency"):
        assert coarse.si(name) == pytest.approx(fine.si(name), rel=0.02)


# ---- whatever is asked ---------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    prompt=st.integers(16, 8000),
    tokens=st.integers(1, 500),
    low=st.floats(0.01, 0.9),
    more=st.floats(1.01, 1.1),
    chunk=st.sampled_from([None, 256.0, 1024.0]),
)
def test_a_busier_server_is_never_quicker(prompt, tokens, low, more, chunk):
    ours = machine((*DOCUMENTS[:3], prompt, tokens), chunk=chunk)
    one, other = (ours.at(load * ours.max_rate) for load in (low, low * more))
    for name in ("ttft", "itl", "latency", "p50_ttft", "p99_ttft", "p50_latency", "p99_latency"):
        assert other.si(name) >= one.si(name) * (1 - 5e-3), name
    assert one.si("p50_latency") <= one.si("p99_latency")
    assert one.si("ttft") <= one.si("latency") * (1 + 1e-9)


@settings(max_examples=15, deadline=None)
@given(prompt=st.integers(16, 4000), tokens=st.integers(2, 300), load=st.floats(0.05, 0.9))
def test_a_device_with_more_bandwidth_serves_more_and_sooner(prompt, tokens, load):
    case = (L.Llama3_8B, "fp16", prompt, tokens)
    slow, fast = (
        machine((case[0], device, *case[1:]), max_batch=64.0)
        for device in (Hardware.H100, Hardware.H200)  # alike but for their memory
    )
    assert fast.max_rate >= slow.max_rate
    one, other = (ours.at(load * slow.max_rate) for ours in (slow, fast))
    for name in ("ttft", "itl", "latency", "p99_latency"):
        assert other.si(name) <= one.si(name) * (1 + 5e-3), name
