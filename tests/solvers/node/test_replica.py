"""What a server does with prompts and guesses: prefixes, chunks, drafts, hand-overs and groups."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Fleet, Hardware, Models, Systems
from mlsysim.core.errors import BadArgument, MissingValue
from mlsysim.models.transformer import Window
from mlsysim.solvers import InferenceScalingModel, ServingModel, TailLatencyModel
from mlsysim.solvers.node.replica import Draft, Replica
from mlsysim.solvers.node.single import ask

L, H100 = Models.Language, Hardware.Cloud.H100
SERVING = ServingModel()
TWO_NODES = Fleet(
    name="two", node=Systems.Nodes.DGX_H100, count=2, fabric=Systems.Fabrics.InfiniBand_NDR
)
FOUR_NODES = TWO_NODES.replace(count=4)
few = settings(max_examples=25, deadline=None)
stacks = st.sampled_from([None, "ideal"])
windows = st.one_of(
    st.none(),
    st.builds(
        Window,
        tokens=st.integers(16, 3000),
        layers=st.one_of(st.none(), st.integers(1, 32)),
        chunked=st.booleans(),
    ),
)
lengths = {"prompt": st.integers(2, 4000), "tokens": st.integers(2, 600)}


def serve(model=L.Llama3_8B, hardware=H100, prompt=2000, tokens=128, **how):
    return SERVING.solve(model, hardware, seq_len=prompt, decode_tokens=tokens, **how)


# ---- one request and a batch of them -------------------------------------------------------------


def test_a_request_waits_for_its_own_prompt_and_not_for_those_of_its_batch():
    """Llama 3 8B on an H100: 60 ms for a prompt of 2,048, and 1.92 s for thirty-two of them."""
    served = serve(prompt=2048, batch_size=32)
    assert served.ttft.m_as("ms") == pytest.approx(60, rel=0.02)
    assert served.ttft_batch.m_as("s") == pytest.approx(1.92, rel=0.02)
    assert served.ttft == serve(prompt=2048).ttft
    whole = served.si("ttft_batch") + 127 * served.si("itl")
    assert served.si("throughput") == pytest.approx(32 * 128 / whole)


@few
@given(**lengths, batch=st.integers(1, 64), stack=stacks)
def test_engine_serving_and_reasoning_agree_on_the_same_question(prompt, tokens, batch, stack):
    how = {"batch_size": batch, "stack": stack}
    served = serve(prompt=prompt, tokens=tokens, **how)
    read = Engine.solve(L.Llama3_8B, H100, phase="prefill", seq_len=prompt, **how)
    contexts = np.arange(prompt + 1, prompt + tokens)
    steps = Engine.solve(L.Llama3_8B, H100, seq_len=contexts, **how).si("latency")
    assert served.si("ttft_batch") == pytest.approx(read.si("latency"), rel=1e-12)
    assert served.si("itl") == pytest.approx(steps.mean(), rel=1e-9)
    thought = InferenceScalingModel().solve(
        L.Llama3_8B,
        H100,
        prompt_tokens=prompt,
        reasoning_steps=1,
        tokens_per_step=tokens - 1,  # there all tokens are decoded, here the prompt gives the first
        **how,
    )
    assert served.si("latency") == pytest.approx(thought.si("latency"), rel=1e-9)


def test_steps_are_summed_where_the_roof_changes_on_the_way():
    """400 sequences of 16 + 1,024 tokens on a B200: compute binds first and then memory."""
    steps = Engine.solve(
        L.Llama3_8B, Hardware.B200, batch_size=400, seq_len=np.arange(17, 17 + 1023)
    )
    assert {*steps.bottleneck} == {"Compute", "Memory"}
    served = serve(hardware=Hardware.B200, prompt=16, tokens=1024, batch_size=400)
    assert served.si("itl") == pytest.approx(steps.si("latency").mean(), rel=1e-9)


@few
@given(**lengths, window=windows, stack=stacks)
def test_steps_are_summed_exactly_whatever_the_window(prompt, tokens, window, stack):
    model = L.Llama3_8B.replace(window=window)
    contexts = np.arange(prompt + 1, prompt + tokens)
    steps = Engine.solve(model, H100, batch_size=32, seq_len=contexts, stack=stack)
    served = serve(model, prompt=prompt, tokens=tokens, batch_size=32, stack=stack)
    assert served.si("itl") == pytest.approx(steps.si("latency").mean(), rel=1e-9)


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("prompt", [14, 15, 16, 17, 30])
@pytest.mark.parametrize("last", [32, 33, 34, 48, 49])
def test_steps_are_summed_exactly_at_the_edges_of_a_window(prompt, last, chunked):
    """The first and the last step stand before, at and behind the end of a window of sixteen."""
    model = L.Llama3_8B.replace(window=Window(tokens=16, layers=24, chunked=chunked))
    how = {"batch_size": 4096, "stack": "ideal"}
    steps = Engine.solve(model, H100, seq_len=np.arange(prompt + 1, last), **how)
    served = serve(model, prompt=prompt, tokens=last - prompt, **how)
    assert served.si("itl") == pytest.approx(steps.si("latency").mean(), rel=1e-12)


@pytest.mark.parametrize("chunked", [True, False])
def test_columns_of_lengths_are_summed_as_one_by_one_is(chunked):
    """Short and long prompts and answers, of which no two lie in the same pieces of a window."""
    model = L.Llama3_8B.replace(window=Window(tokens=16, layers=24, chunked=chunked))
    lengths = [(60, 5), (3, 9), (14, 70), (100, 2)]
    prompts, tokens = zip(*lengths, strict=True)
    columns = serve(model, prompt=[*prompts], tokens=[*tokens], batch_size=512)
    for place, (prompt, count) in enumerate(lengths):
        alone = serve(model, prompt=prompt, tokens=count, batch_size=512)
        assert columns[place].si("itl") == pytest.approx(alone.si("itl"), rel=1e-12)


# ---- what is cached, and what comes in pieces ----------------------------------------------------


def test_a_cached_prefix_leaves_the_rest_of_a_prompt_by_hand():
    """1,000 new tokens over 3,000: their matrices, and q c + q (q + 1) / 2 pairs."""
    layer = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    pairs = 1000 * 3000 + 1000 * 1001 / 2
    flop = 2 * (32 * layer * 1000 + 32 * 32 * 256 * pairs + 4096 * 128256)
    served = serve(prompt=4000, cached_prefix_len=3000)
    assert served.si("ttft") == pytest.approx(flop / (989.4e12 * 0.5) + 10e-6, rel=1e-9)
    assert served.kv_cache == serve(prompt=4000).kv_cache


def test_a_prefix_that_is_all_of_the_prompt_is_refused():
    with pytest.raises(BadArgument, match=r"cached_prefix_len .*leaves none to compute"):
        serve(prompt=100, cached_prefix_len=100)


@few
@given(**lengths, stack=stacks, window=windows, batch=st.integers(1, 16))
def test_what_is_switched_off_changes_nothing(prompt, tokens, stack, window, batch):
    model = L.Llama3_8B.replace(window=window)
    how = {"prompt": prompt, "tokens": tokens, "stack": stack, "batch_size": batch}
    plain = serve(model, **how)
    for off in (
        {"cached_prefix_len": 0},
        {"prefill_chunk_tokens": prompt},
        {"draft_model": L.Llama3_8B, "draft_tokens": 0},
        {"tensor_parallel": 1, "pipeline_parallel": 1, "context_parallel": 1},
    ):
        other = serve(model, **how, **off)
        for name in ("ttft", "ttft_batch", "itl", "latency", "memory_required"):
            assert other.si(name) == pytest.approx(plain.si(name), rel=1e-12), (off, name)


@few
@given(prompt=st.integers(2, 8000), chunk=st.integers(64, 8000), stack=stacks, window=windows)
def test_pieces_of_a_prompt_are_no_less_work_than_the_whole(prompt, chunk, stack, window):
    model = L.Llama3_8B.replace(window=window)
    whole, cut = (
        serve(model, prompt=prompt, prefill_chunk_tokens=c, stack=stack) for c in (None, chunk)
    )
    assert cut.si("ttft") >= whole.si("ttft") * (1 - 1e-9)


def test_large_pieces_sum_near_the_whole_and_small_ones_read_the_weights_again():
    whole = serve(prompt=8192, stack="ideal").si("ttft")
    large, small = (
        serve(prompt=8192, prefill_chunk_tokens=c, stack="ideal").si("ttft") for c in (2048, 64)
    )
    assert large == pytest.approx(whole, rel=0.05)
    weights = 2 * 8030261248 / 3.35e12
    assert small > 100 * weights  # each of 128 pieces, but for the tables


@few
@given(prompt=st.integers(3, 4000), data=st.data(), stack=stacks)
def test_a_longer_prefix_is_never_slower_and_a_longer_prompt_never_quicker(prompt, data, stack):
    less = data.draw(st.integers(0, prompt - 2))
    some = serve(prompt=prompt, cached_prefix_len=less, stack=stack).si("ttft")
    assert serve(prompt=prompt, cached_prefix_len=less + 1, stack=stack).si("ttft") <= some
    assert serve(prompt=prompt + 1, cached_prefix_len=less, stack=stack).si("ttft") >= some


def test_columns_of_chunks_and_prefixes_are_the_same_as_one_by_one():
    ask = {"batch_size": [1, 4, 9], "cached_prefix_len": [0, 10, 500], "prompt": [700, 900, 1024]}
    columns = serve(**ask, prefill_chunk_tokens=[128, 4096, 100], stack="ideal")
    for i, chunk in enumerate((128, 4096, 100)):
        one = serve(**{k: v[i] for k, v in ask.items()}, prefill_chunk_tokens=chunk, stack="ideal")
        for name in ("ttft", "ttft_batch", "itl", "latency"):
            assert columns[i].si(name) == pytest.approx(one.si(name), rel=1e-12)


# ---- a draft that guesses ------------------------------------------------------------------------


def test_a_draft_is_verified_by_hand():
    """Four guesses, of which 0.8 are right: 1 + .8 + .64 + .512 + .4096 = 3.3616 tokens a step."""
    how = {"prompt": 1000, "tokens": 100, "stack": "ideal"}
    large, small = L.Llama3_70B, L.Llama3_8B
    h200 = Hardware.H200
    served = serve(large, h200, precision="fp8", context=1050, draft_model=small, **how)
    guess = serve(small, h200, precision="fp8", context=1050, **how).si("itl")
    check = serve(large, h200, precision="fp8", context=1050, **how).si("itl")
    assert served.si("itl") * 3.3616 == pytest.approx(check + 4 * guess, rel=0.01)  # memory binds
    alone = serve(large, h200, precision="fp8", **how)
    assert served.si("itl") < 0.6 * alone.si("itl")
    both = (large.parameters + small.parameters) * 1.0
    assert served.weights.m_as("B") == pytest.approx(both)
    assert served.si("ttft") > alone.si("ttft")  # the draft reads the prompt too


@few
@given(guessed=st.integers(1, 8), batch=st.integers(1, 64), stack=stacks)
def test_guesses_that_are_never_right_only_cost(guessed, batch, stack):
    how = {"batch_size": batch, "stack": stack, "draft_tokens": guessed}
    wrong, half, right = (
        serve(draft_model=L.Llama3_8B, draft_acceptance_rate=a, **how).si("itl")
        for a in (0, 0.5, 1)
    )
    assert wrong > serve(batch_size=batch, stack=stack).si("itl")
    assert wrong > half > right
    assert wrong == pytest.approx(right * (guessed + 1))


def test_a_draft_has_to_decode():
    with pytest.raises(BadArgument, match=r"draft_model .*give a decoder"):
        serve(draft_model=Models.BERT_Base)


def asking(model, device="H200", **how):
    return ask(Models[model], Hardware[device], "fp16", 0.5, None, "ideal", **how)


def test_a_draft_and_its_model_are_held_together():
    """Weights and caches are added; of activations, which follow each other, the larger stays."""
    large, small = asking("Llama3_70B"), asking("Llama3_8B")
    alone, guess = Replica(large).held(3.0, 500.0), Replica(small).held(3.0, 500.0)
    both = Replica(large, draft=Draft(small, 4.0, 2.5)).held(3.0, 500.0)
    assert both.held_weights == alone.held_weights + guess.held_weights
    assert both.held_state == alone.held_state + guess.held_state
    assert both.held_activations == alone.held_activations > guess.held_activations
    turned = Replica(small, draft=Draft(large, 4.0, 2.5)).held(3.0, 500.0)
    assert turned.held_activations == alone.held_activations


def test_the_room_beside_weights_by_hand():
    """Llama 3 8B: 131,072 bytes a token, and a row of logits a sequence; what just fits does."""
    replica = Replica(asking("Llama3_8B", "H100"))
    one = 1000 * 131_072 + 2 * (4096 + 128_256)
    left = replica.question.supply.capacity - 2 * 8_030_261_248
    for reserve, many in ((left - 3 * one, 3), (left - 3 * one + 1, 2), (left + 1, 0)):
        assert replica.room(1000.0, reserve) == many
    assert replica.fit(replica.held(many + 1, 1000.0))
    held = replica.held(1.0, 1000.0)
    assert replica.fit(held._replace(held_state=left - held.held_activations))
    assert not replica.fit(held._replace(held_state=left - held.held_activations + 1))


def test_a_prompt_that_rides_along_by_hand():
    """Matrices are read once for all tokens of a step; each prompt attends by itself, once.

    Where memory costs nothing, 24 tokens that ride along with 8 sequences compute 24 times as much
    as one; where arithmetic does, their matrices come for nothing, and activations alone move.
    """
    layer = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    question = asking("Llama3_8B", "H100")
    fast = question._replace(supply=question.supply._replace(bandwidth=1e30))
    pairs = 300 * 700 + 300 * 301 / 2  # 300 new tokens over 700 that are cached
    matrices, scores = 2 * 32 * layer * 300, 2 * 32 * 32 * 256 * pairs
    seconds = Replica(fast, prefix=700.0).beside(8.0, 1200.0, 1000.0, 24.0)
    assert seconds == pytest.approx((matrices + scores) / (989.4e12 / 2), rel=1e-9)
    # devices that share a model exchange what rides along too, for each of 300 / 24 steps
    talk = Replica(fast, prefix=700.0, talk=lambda batch, new, phase: 0.25 * batch * new)
    assert talk.beside(8.0, 1200.0, 1000.0, 24.0) == pytest.approx(seconds + 6 * 300 / 24)


def test_devices_talk_in_each_pass():
    """As often as a pass is made: for all tokens of a prompt or a piece, and for each step."""
    told = []

    def talk(batch, new, phase):
        told.append((phase, *np.ravel(batch).tolist(), np.ravel(new).tolist()))
        return 0.5 + 0 * new

    question, guess = asking("Llama3_8B"), asking("Llama3_8B")
    quiet, loud = (Replica(question, prefix=100.0, talk=each) for each in (None, talk))
    assert loud.prefill(2.0, 600.0) == pytest.approx(quiet.prefill(2.0, 600.0) + 0.5)
    assert loud.step(2.0, 600.0) == pytest.approx(quiet.step(2.0, 600.0) + 0.5)
    assert told == [("prefill", 2, [500]), ("decode", 2, [1])]
    more = loud.decoding(2.0, 600.0, 10.0) - quiet.decoding(2.0, 600.0, 10.0)
    assert more == pytest.approx(5)
    told.clear()
    cut = loud._replace(chunk=200.0).prefill(2.0, 600.0)
    assert cut == pytest.approx(quiet._replace(chunk=200.0).prefill(2.0, 600.0) + 3 * 0.5)
    assert told == [("prefill", 2, [200, 200, 100])]
    told.clear()
    # four are guessed by a draft that is whole on each device, and five verified, which yield 2.5
    draft = Draft(guess, 4.0, 2.5)
    drafted = [each._replace(draft=draft) for each in (quiet, loud)]
    assert drafted[1].step(2.0, 600.0) == pytest.approx(drafted[0].step(2.0, 600.0) + 0.5)
    assert told == [("decode", 2, [5])]
    slow, talking = (each.decoding(2.0, 600.0, 10.0) for each in drafted)
    assert talking == pytest.approx(slow + 4 * 0.5)
    assert drafted[0].gain == 2.5
    assert drafted[0].prefill(2.0, 600.0) == pytest.approx(2 * quiet.prefill(2.0, 600.0))


# ---- prefill here, decode there ------------------------------------------------------------------


def test_a_cache_is_handed_over_at_the_rate_of_the_network():
    """2,000 tokens of 131,072 bytes at 50 GB/s: 5.24 ms, once, after the first token."""
    served = serve(decode_hardware=Hardware.A100, network_bandwidth="50 GB/s")
    assert served.handover_time.m_as("ms") == pytest.approx(2000 * 131072 / 50e9 * 1e3)
    assert served.ttft == serve().ttft
    assert served.itl == serve(hardware=Hardware.A100).itl
    together = served.si("ttft") + served.si("handover_time") + 127 * served.si("itl")
    assert served.si("latency") == pytest.approx(together)
    assert served.devices == 2


def test_a_hand_over_needs_a_network_and_room_on_both_sides():
    with pytest.raises(MissingValue, match="network_bandwidth"):
        serve(decode_hardware=Hardware.A100)
    how = {"decode_hardware": Hardware.H200, "network_bandwidth": "50 GB/s"}
    served = serve(L.Llama3_70B, Hardware.L4, precision="fp8", **how)
    assert not served.feasible
    assert "do not fit on" in served.reason


# ---- groups --------------------------------------------------------------------------------------


def test_70b_at_sixteen_bits_is_answered_on_two_devices():
    """Each reads its half of 141 GB; two all-reduces a layer of 8,192 values, 160 in all."""
    served = serve(L.Llama3_70B, tensor_parallel=2, prompt=500, tokens=10)
    assert served.feasible
    assert served.weights.m_as("GB") == pytest.approx(141.1 / 2, rel=1e-3)
    once = 8192 * 2 / 450e9 + 2 * 1e-6
    assert served.si("exchange_time") == pytest.approx(160 * once)
    alone = serve(L.Llama3_70B, prompt=500, tokens=10)
    assert not alone.feasible
    assert served.si("itl") - 160 * once == pytest.approx(alone.si("itl") / 2, rel=0.02)
    assert served.devices == 2


def test_models_larger_than_a_node_are_answered_over_two():
    how = {"fleet": TWO_NODES, "prompt": 1000, "tokens": 100, "batch_size": 16}
    for model, layout in (
        (L.Llama3_405B, {"tensor_parallel": 8, "pipeline_parallel": 2}),
        (L.DeepSeek_V3, {"expert_parallel": 16, "precision": "fp8"}),
    ):
        served = serve(model, **how, **layout)
        assert served.feasible, served.reason
        assert served.devices == 16


def test_stages_hold_their_layers_and_pass_each_token_on():
    """Two stages hold 40 layers each, and the first the embedding: 63.5 layers' worth of bytes."""
    one, two = (serve(L.Llama3_70B, pipeline_parallel=p, prompt=500, tokens=10) for p in (1, 2))
    layers = 80 * (8192 * (8192 + 2 * 1024) + 8192 * 8192 + 3 * 8192 * 28672 + 2 * 8192)
    assert two.weights.m_as("B") == pytest.approx(2 * (layers / 2 + 128256 * 8192 + 8192), rel=1e-6)
    hop = 8192 * 2 / 450e9 + 1e-6  # a token still passes all layers
    assert two.si("itl") == pytest.approx(one.si("itl") + hop, rel=1e-9)
    assert two.si("kv_cache") == one.si("kv_cache") / 2


def test_devices_that_divide_a_sequence_divide_its_cache_and_its_attention():
    how = {"prompt": 100_000, "tokens": 10, "stack": "ideal"}
    one, two = (serve(context_parallel=c, **how) for c in (1, 2))
    assert two.si("kv_cache") == one.si("kv_cache") / 2
    assert two.weights == one.weights
    assert 0.4 < two.si("ttft") / one.si("ttft") < 0.6
    read = 131072 * 100_005 / 3.35e12 / 2
    assert one.si("itl") - (two.si("itl") - two.si("exchange_time")) == pytest.approx(
        read, rel=0.01
    )


def test_experts_apart_are_read_by_those_who_hold_them():
    """With one sequence for each of eight devices, all tokens meet the experts of each."""
    mixtral, how = L.Mixtral_8x7B, {"prompt": 500, "tokens": 10, "stack": "ideal"}
    apart = serve(mixtral, batch_size=8, expert_parallel=8, **how)
    expert = 32 * 3 * 4096 * 14336 * 2
    assert apart.weights.m_as("B") == pytest.approx(2 * mixtral.parameters - 7 * expert, rel=1e-3)
    touched = 8 * (1 - (1 - 2 / 8) ** 8) / 8 * expert
    rest = serve(mixtral, batch_size=1, **how).si("itl") - 2 * expert / 3.35e12
    assert apart.si("itl") - apart.si("exchange_time") == pytest.approx(
        rest + touched / 3.35e12, rel=0.01
    )


@pytest.mark.parametrize(
    ("model", "layout", "words"),
    [
        (L.Llama3_70B, {"tensor_parallel": 3}, "64 attention heads cannot be divided among 3"),
        (L.Llama3_8B, {"expert_parallel": 2}, "0 experts cannot be divided among 2"),
        (L.Llama3_8B, {"pipeline_parallel": 33}, "32 layers cannot be divided among 33"),
        (L.Llama3_70B, {"tensor_parallel": 8, "pipeline_parallel": 4}, "more than the fleet's 16"),
    ],
)
def test_a_group_that_cannot_be_is_an_answer(model, layout, words):
    served = serve(model, fleet=TWO_NODES, **layout)
    assert (served.feasible, served.ttft, served.latency) == (False, None, None)
    assert words in served.reason


def test_a_fleet_of_other_devices_is_refused():
    with pytest.raises(BadArgument, match="the fleet holds"):
        serve(hardware=Hardware.A100, fleet=TWO_NODES, tensor_parallel=2)


@few
@given(
    tensor=st.sampled_from([1, 2, 4, 8]),
    stages=st.sampled_from([1, 2, 3]),
    batch=st.integers(1, 64),
    prompt=st.integers(1, 4000),
    stack=stacks,
)
def test_a_group_never_holds_more_than_a_device_alone(tensor, stages, batch, prompt, stack):
    how = {"prompt": prompt, "batch_size": batch, "stack": stack, "tokens": 32}
    layout = {"tensor_parallel": tensor, "pipeline_parallel": stages}
    one, many = serve(**how), serve(**how, **layout, fleet=FOUR_NODES)
    assert many.si("weights") <= one.si("weights")
    assert many.si("kv_cache") * tensor * stages == pytest.approx(one.si("kv_cache"))
    assert many.si("itl") - many.si("exchange_time") <= one.si("itl") * (1 + 1e-9)


# ---- wall 7: work that varies less than exponential service --------------------------------------


def test_fixed_work_takes_its_own_time_where_nobody_waits():
    idle = TailLatencyModel().solve(0.001, 100, 4, variation=0)
    assert idle.p99_latency.m_as("ms") == pytest.approx(100)
    assert idle.p50_latency.m_as("ms") == pytest.approx(100)
    assert TailLatencyModel().solve(0.001, 100, 4).p99_latency.m_as("ms") > 460


def test_fixed_work_on_one_server_waits_half_as_long():
    """M/D/1: rho s / 2 (1 - rho) = 0.8 * 0.1 / 0.4 = 0.2 s, and 0.4 s for M/M/1."""
    fixed, exponential = (TailLatencyModel().solve(8, 100, variation=v) for v in (0, 1))
    assert fixed.mean_wait.m_as("s") == pytest.approx(0.2)
    assert exponential.mean_wait.m_as("s") == pytest.approx(0.4)
    some = TailLatencyModel().solve(8, 100, variation=0.5)
    assert some.mean_wait.m_as("s") == pytest.approx(0.4 * (1 + 0.25) / 2)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.9), (4, 0.7), (16, 0.9), (64, 0.95)])
@pytest.mark.parametrize("variation", [0.0, 0.5, 1.0])
def test_a_simulated_queue_confirms_means_and_tails(servers, load, variation):
    """300,000 requests of gamma-distributed service, each to the server that is free first."""
    rng = np.random.default_rng(3)
    arrivals = np.cumsum(rng.exponential(1 / (servers * load), 300_000))
    shape = 1 / variation**2 if variation else None
    service = rng.gamma(shape, 1 / shape, arrivals.size) if shape else np.ones(arrivals.size)
    free, stays = [0.0] * servers, []
    for arrival, work in zip(arrivals.tolist(), service.tolist(), strict=True):
        end = max(arrival, free[0]) + work
        heapq.heapreplace(free, end)
        stays.append(end - arrival)
    ours = TailLatencyModel().solve(servers * load, 1e3, servers, variation=variation)
    assert ours.si("mean_latency") == pytest.approx(np.mean(stays), rel=0.1)
    assert ours.si("p99_latency") == pytest.approx(np.quantile(stays, 0.99), rel=0.15)


@few
@given(rate=st.floats(0.1, 39), servers=st.integers(4, 60), v=st.floats(0, 1), w=st.floats(0, 1))
def test_work_that_varies_more_waits_longer(rate, servers, v, w):
    less, more = (TailLatencyModel().solve(rate, 100, servers, variation=x) for x in sorted((v, w)))
    assert less.si("mean_wait") <= more.si("mean_wait") * (1 + 1e-9)
    assert less.si("p99_latency") <= more.si("p99_latency") * (1 + 1e-9)
