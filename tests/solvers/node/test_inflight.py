"""In-flight batching: what the closed forms say, against a simulated server and by hand."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.solvers.node.inflight import (
    _beyond,
    _Flight,
    _Law,
    _Slots,
    _spread_of_stays,
    served,
    server,
)
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


def test_a_server_steps_2048_sequences_together_at_most():
    """GPT-2 has room for many more answers of two tokens: 36,864 bytes a token."""
    question = ask(L.GPT2, Hardware.H100, "fp16", 0.5, None, "ideal")
    ours = server(question, 8.0, 2.0)
    assert ours.room > 10_000
    assert ours.max_batch == 2048
    assert ours.reserve == pytest.approx(0.1 * 81559 * 1024**2)
    assert server(question, 8.0, 2.0, max_batch=5000.0).max_batch == 5000
    assert server(question, 8.0, 2.0, reserve=0.0).room > ours.room
    assert server(question, 8.0, 2.0, max_batch=1.0).max_batch == 1
    # a replica is asked as it is: prompts in full, and nobody to talk to
    assert ours.replica == Replica(question, 0.0, None, None, None, 1)
    assert (ours.pieces, ours.steps, ours.alone) == (0, 1, ours.prefill)
    cut = server(Replica(question, prefix=3.0, chunk=2.0), 8.0, 2.0)
    assert cut.pieces == 2.5


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


def small(**how):
    """Two slots, a prompt of 0.3 s, and ten steps of 0.1 s alone or 0.15 s together."""
    numbers = {"room": 2.7, "alone": 0.7, "prefill": 0.3, "pieces": 0.0, "steps": 10.0}
    return machine(CHAT)._replace(**numbers, step=np.array([0.1, 0.15]))._replace(**how)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ({}, 0.3 + 10 * 0.15 / 2),
        # chunks of four steps let 2.5 in, more than there is room for
        ({"pieces": 4.0}, 0.3 + 10 * 0.15 / 2),
        # those of eight 1.25, which step together in 0.1125 s
        ({"pieces": 8.0}, 0.3 + 10 * 0.1125 / 1.25),
        # those of twenty take longer than a request, which has the replica for itself
        ({"pieces": 20.0}, 0.3 + 10 * 0.1),
        ({"room": 1.0, "step": np.array([0.1])}, 0.3 + 10 * 0.1),
        ({"room": 0.99}, np.inf),
    ],
)
def test_how_long_a_request_keeps_a_small_server_busy(how, seconds):
    assert small(**how).max_rate == pytest.approx(1 / seconds)


def shared(rate):
    """Of two slots: the chances of one and of two, of a step under way, and its seconds.

    Each takes 1.3 s alone, and a half of two 1.05 s; no prompt is read meanwhile.
    """
    busy, left = 1.05 * rate, 1 - 0.3 * rate
    odds = 1, 1.3 * rate, 1.3 * rate * busy / (1 - busy)  # of nobody, of one, of two and more
    one, two = (each / sum(odds) for each in odds[1:])
    # who is alone decodes 1 in 1.3 s, and two 1.5 in 2.1 s, with a prompt of each
    decoding = (one / 1.3 + two * 1.5 / 2.1) / left
    return one, two, decoding, (0.1 * one / 1.3 + 0.15 * two * 1.5 / 2.1) / left / decoding


def test_two_slots_by_hand():
    answer = small().at(0.5)
    one, full, decoding, step = shared(0.5)
    # for prompts before, which are read 0.15 of the time, and for the step under way
    wait = 0.15 * 0.3 / (2 * 0.85) + decoding * step / 2
    stay = (one + 2 * full) / 0.5 + wait * 0.15 / 0.85
    room = full * (1.05 / 0.85 / 2 + 0.525 / (2 * 0.5 * 0.475))
    expected = {
        "utilization": 0.525,
        "max_rate": 1 / 1.05,
        "max_batch": 2,
        "arrival_rate": 0.5,
        "prefill_time": 0.3,
        "step_time": step,
        "batch": 0.5 * 10 * step / 0.85,
        "wait_probability": full,
        "ttft": 0.7 + wait + room,
        "itl": (stay - 0.3) / 127,
        "latency": 0.7 + wait + stay - 0.3 + room,
        "throughput": 0.5 * 128,
    }
    assert {name: answer.si(name) for name in expected} == pytest.approx(expected)
    assert (answer.feasible, answer.precision, answer.datapath) == (True, "fp16", "fp16")
    assert (answer.prompt, answer.tokens) == (512, 128)


def test_no_stay_is_longer_than_one_beside_a_full_batch():
    """Two who share all of it stay 2.1 s; besides, the last in a hundred wait for room."""
    rate = 0.9 / 1.05
    _, full, decoding, step = shared(rate)
    read = 0.3 * rate
    wait = read * 0.3 / (2 * (1 - read)) + decoding * step / 2
    room = 0.9 / (2 * rate * 0.1) * np.log(full / 0.01)
    assert small().at(rate).p99_latency.m_as("s") == pytest.approx(2.1 + wait + room)


def test_one_slot_by_hand():
    """All steps are alike, and none grows: of the time that is left, all who are there decode."""
    alone = small(step=np.array([0.1]), room=1.4)
    answer = alone.at(0.5)
    there = 0.65  # 1.3 s each, however many wait
    residual = there / 1.3 * 0.1 / 2 / 0.85
    assert answer.step_time.m_as("s") == pytest.approx(0.1)
    wait = 0.15 * 0.3 / (2 * 0.85) + residual
    stay = there / 0.5 + wait * 0.15 / 0.85
    full = answer.wait_probability
    room = full * (1.3 / 0.85 / 2 + 0.65 / (2 * 0.5 * 0.35))
    assert answer.ttft.m_as("s") == pytest.approx(0.7 + wait + room)
    assert answer.latency.m_as("s") == pytest.approx(0.7 + wait + stay - 0.3 + room)
    assert full >= there


def test_stays_that_spread_fill_the_slots_by_hand():
    """Each who comes adds a prompt of 0.3 s, and 0.05 s to ten steps; 0.5 of them come a second."""
    flight = _Flight(requests=1.5, full=0.1, decoding=0.4, step=0.13, residual=0.03, slope=0.05)
    added = 0.3**2 + 0.3 * 0.5 + 2 * 0.5**2 / 3  # squared, falling evenly while one stays
    spread = 1.5 * added / (0.85 * (1 - 0.5 * 0.8))  # those who are held up hold up others
    prompts = 0.5 * 0.3**2 * 0.2 / 0.85**3
    assert _spread_of_stays(small(), flight, 0.5, 0.2) == pytest.approx(spread + prompts)
    assert _spread_of_stays(small(pieces=3.2), flight, 0.5, 0.2) == pytest.approx(spread)
    # others who come without end are counted to a hundredth: 0.5 x (0.3 + 2) > 1
    most = 1.5 * (0.3**2 + 0.3 * 2 + 2 * 2**2 / 3) / (0.85 * 0.01)
    crowded = _spread_of_stays(small(), flight._replace(slope=0.2), 0.5, 0.2)
    assert crowded == pytest.approx(most + prompts)
    # 0.5 a second who stay 2 s: one on average, of at least so much spread
    for stays, many in ((4.0, 4 / 0.8**2), (0.04, 1.0)):
        slots = _Slots.of(small(), flight, 0.5, 0.6, 2.0, stays)
        beyond = max(0.1, _beyond(2.0, 1.0, many))
        assert slots == pytest.approx((beyond, 1.05 / 0.85, 0.6 / (2 * 0.5 * 0.4)))
    never = _Slots.of(small(step=np.full(50, 0.1)), flight, 0.5, 0.6, 2.0, 0.04)
    assert never.full == 0.1


def test_chunks_ride_on_steps_by_hand():
    """A prompt in 3.2 pieces waits for as many steps, and for those of the prompts before."""
    answer = small(pieces=3.2).at(0.4)
    one, full, decoding, step = shared(0.4)
    lane = 0.3 + 3.2 * decoding * step
    load = 0.4 * lane
    assert load < answer.utilization
    wait = load * lane / (2 * (1 - load)) + decoding * step / 2
    slots = answer.wait_probability * (1.05 / 0.88 / 2 + 0.42 / (2 * 0.4 * 0.58))
    # its last pieces ride on three more steps, and nobody who decodes is held up
    first = 0.7 + 3 * decoding * step + wait + slots
    assert answer.ttft.m_as("s") == pytest.approx(first)
    assert answer.latency.m_as("s") == pytest.approx(first + (one + 2 * full) / 0.4 - 0.3)


def drawn(law, slots, count=200_000):
    """Median and 99th percentile of times that are drawn part by part, as the law says."""
    rng = np.random.default_rng(5)
    time = np.full(count, law.least)
    ahead = rng.geometric(1 - law.load, count) - 1  # even parts of services, one for each before
    for place in range(ahead.max()):
        time += (ahead > place) * rng.uniform(0, law.service, count)
    time += (rng.random(count) < law.flight.decoding) * rng.uniform(0, law.flight.step, count)
    if law.rest:
        scale = law.spread / law.rest
        time += rng.gamma(law.rest / scale, scale, count)
    if slots is not None:
        late = rng.uniform(0, slots.next, count) + rng.exponential(slots.queue, count)
        time += (rng.random(count) < slots.full) * late
    return np.quantile(time, (0.5, 0.99))


@pytest.mark.parametrize(
    ("law", "slots"),
    [
        ((0.7, 0.3, 0.6, 0.0, 0.2, 0.0, 0.0), None),
        ((0.7, 0.3, 0.2, 0.8, 0.5, 0.0, 0.0), (0.0, 1.3, 0.4)),
        ((0.2, 0.3, 0.4, 0.5, 0.2, 0.9, 0.6), None),
        ((0.2, 0.3, 0.4, 0.5, 0.2, 0.9, 0.6), (0.6, 1.3, 0.4)),
        ((0.2, 0.3, 0.0, 0.0, 0.2, 0.0, 0.0), (0.7, 1.3, 1.4)),
        ((0.2, 0.3, 0.0, 0.0, 0.2, 0.9, 0.1), None),
    ],
    ids=["queue", "step", "rest", "all", "slots", "rest alone"],
)
def test_quantiles_are_those_of_times_drawn_part_by_part(law, slots):
    least, service, load, decoding, step, rest, spread = law
    ours = _Law(least, service, load, _Flight(9, 9, decoding, step, 9, 9), rest, spread)
    late = None if slots is None else _Slots(*slots)
    # a geometric number of even parts, and an even part of a step
    mean = load / (1 - load) * service / 2 + decoding * step / 2 + rest
    square = load * service**2 / (3 * (1 - load)) + (load / (1 - load) * service / 2) ** 2
    square += decoding * step**2 / 3 - (decoding * step / 2) ** 2 + spread
    assert ours.quantiles(mean, square, late) == pytest.approx(drawn(ours, late), rel=0.015)


@pytest.mark.parametrize("pieces", [0.0, 3.2])
def test_a_grid_is_laid_by_the_moments_of_its_law(monkeypatch, pieces):
    """Near zero a characteristic function is one less ix times the mean and x^2 / 2 the spread."""
    told, quantiles = [], _Law.quantiles

    def telling(law, mean, spread, slots):
        told.append((law, mean, spread))
        return quantiles(law, mean, spread, slots)

    monkeypatch.setattr(_Law, "quantiles", telling)
    assert small(pieces=pieces).at(0.6).p99_latency > 0
    assert len(told) == 2
    for law, mean, spread in told:
        log = np.log(law.transform(np.array([1e-3]), None))[0]
        assert mean == pytest.approx(-log.imag / 1e-3, rel=1e-4)
        assert spread == pytest.approx(-2 * log.real / 1e-6, rel=1e-3)


def test_what_takes_no_time_has_no_spread():
    nothing = _Law(0.7, 0.3, 0.0, _Flight(0, 0, 0.0, 0.1, 0, 0), 0.0, 0.0)
    assert nothing.quantiles(0.0, 0.0, None) == (0.7, 0.7)


def test_a_wait_for_room_by_hand():
    slots = _Slots(full=0.5, next=3.0, queue=7.0)
    assert slots.mean == 0.5 * (1.5 + 7)
    assert slots.quantile(0.5) == slots.quantile(0.6) == 0
    assert slots.quantile(0.01) == pytest.approx(7 * np.log(50))


def test_the_tail_of_a_gamma_is_that_of_a_sum_of_exponentials():
    """Four of mean 2.5: beyond 20 = 8 x 2.5 lie those of whom less than four came by then."""
    beyond = np.exp(-8.0) * (1 + 8 + 8**2 / 2 + 8**3 / 6)
    assert _beyond(20.0, 10.0, 4 * 2.5**2) == pytest.approx(beyond, rel=0.01)
    below = np.exp(-2.0) * (1 + 2 + 2**2 / 2 + 2**3 / 6)
    assert _beyond(5.0, 10.0, 4 * 2.5**2) == pytest.approx(below, rel=0.01)


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
