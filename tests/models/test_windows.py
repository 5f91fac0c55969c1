"""Windows, prefixes and chunks drawn at random: what must hold of every step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models
from mlsysim.models.operators import ATTENTION, DECODE, PREFILL
from mlsysim.models.transformer import Window
from mlsysim.models.widths import Widths

LLAMA = Models.Language.Llama3_8B
TWO = Widths.equal(2.0)
windows = st.builds(
    Window, tokens=st.integers(1, 6000), layers=st.integers(1, 32), chunked=st.booleans()
)
models = st.one_of(
    st.sampled_from([LLAMA, Models.Language.Mixtral_8x7B, Models.Language.Gemma2_9B]),
    windows.map(lambda window: LLAMA.replace(window=window)),
)


def step(model, context, new=None, phase=PREFILL, batch=3.0):
    return model.step(batch, float(context), phase, TWO, new=None if new is None else float(new))


@given(models, st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 4000))
def test_a_prompt_in_chunks_sees_as_many_pairs_as_at_once(model, first, second, third):
    ends = (first, first + second, first + second + third)
    whole = model.totals(step(model, ends[-1]))
    parts = [
        model.totals(step(model, end, end - start))
        for start, end in zip((0, *ends), ends, strict=False)
    ]
    assert sum(part.attention for part in parts) == pytest.approx(whole.attention, rel=1e-12)
    # each chunk turns its last token into a word; the rest of the products add up
    heads = (len(parts) - 1) * 3 * 2 * model.hidden * model.vocab
    assert sum(part.flops for part in parts) - heads == pytest.approx(whole.flops, rel=1e-12)


@given(models, st.integers(1, 50), st.integers(1, 200))
def test_pairs_are_those_that_one_counts(model, new, past):
    def seen(query, window):
        if window is None:
            return query + 1
        return query % window.tokens + 1 if window.chunked else min(query + 1, window.tokens)

    near = (model.window.layers or model.layers) if model.window else 0
    pairs = sum(
        near * seen(query, model.window) + (model.layers - near) * (query + 1)
        for query in range(past, past + new)
    )
    by_hand = 2 * 3 * pairs * model.heads * 2 * model.key_dim
    assert model.totals(step(model, past + new, new)).attention == pytest.approx(by_hand)


@given(models)
def test_a_prompt_of_one_token_is_a_decode_step_without_a_past(model):
    prompt, decode = (model.totals(step(model, 1, phase=phase)) for phase in (PREFILL, DECODE))
    assert prompt.flops == pytest.approx(decode.flops, rel=1e-12)
    assert prompt.weights == decode.weights
    assert prompt.held == decode.held


@given(
    st.integers(1, 8192), st.integers(1, 8192), st.booleans(), st.sampled_from([PREFILL, DECODE])
)
def test_a_window_as_wide_as_the_context_is_none(context, more, chunked, phase):
    wide = LLAMA.replace(window=Window(tokens=context + more, chunked=chunked))
    assert wide.operators(step(wide, context, phase=phase)) == LLAMA.operators(
        step(LLAMA, context, phase=phase)
    )
    assert wide.held_state(step(wide, context)) == LLAMA.held_state(step(LLAMA, context))


@given(windows, st.integers(1, 20_000), st.integers(0, 20_000))
def test_a_window_never_costs_and_a_longer_past_never_helps(window, context, longer):
    near = LLAMA.replace(window=window)
    for phase in (PREFILL, DECODE):
        windowed, plain = (m.totals(step(m, context, phase=phase)) for m in (near, LLAMA))
        assert windowed.attention <= plain.attention
        assert windowed.state <= plain.state
    here, there = (near.held_state(step(near, n)) for n in (context, context + longer))
    assert here <= there <= LLAMA.held_state(step(LLAMA, context + longer))


@settings(max_examples=15)
@given(
    models,
    st.lists(st.integers(1, 300), min_size=1, max_size=3),
    st.lists(st.integers(1, 9000), min_size=1, max_size=3),
    st.sampled_from([None, "ideal"]),
    st.sampled_from([PREFILL, DECODE]),
    st.sampled_from([None, "fp8"]),
)
def test_a_sweep_is_its_solves_bit_for_bit(model, batches, lengths, stack, phase, cache):
    how = {"stack": stack, "phase": phase, "kv_precision": cache}
    devices = [Hardware.H100, Hardware.A100]
    sweep = Engine.sweep(
        model, devices, batch_sizes=batches, seq_lens=lengths, precisions=["fp16", "int4"], **how
    )
    for row in sweep:
        one = Engine.solve(
            model,
            row["hardware"],
            batch_size=row["batch_size"],
            seq_len=row["seq_len"],
            precision=row["precision"],
            **how,
        )
        for field in ("latency", "operations", "traffic", "memory_required", "bottleneck"):
            assert row["profile"].si(field) == one.si(field)


@settings(max_examples=10)
@given(
    models, st.lists(st.integers(1, 8), min_size=1, max_size=3), st.sampled_from([None, "ideal"])
)
def test_a_sweep_of_training_is_its_solves_bit_for_bit(model, batches, stack):
    how = {"stack": stack, "training": True}
    names = ["bf16", "fp8"]
    for row in Engine.sweep(model, ["H100"], batch_sizes=batches, precisions=names, **how):
        asked = {"batch_size": row["batch_size"], "precision": row["precision"]}
        one = Engine.solve(model, "H100", **asked, **how)
        for field in ("latency", "operations", "traffic", "memory_required", "bottleneck"):
            assert row["profile"].si(field) == one.si(field)


def test_attention_is_one_operator_for_each_reach():
    kinds = [op.repeat for op in LLAMA.operators(step(LLAMA, 10)) if op.kind == ATTENTION]
    gemma = Models.Language.Gemma2_9B
    assert kinds == [32]
    assert [op.repeat for op in gemma.operators(step(gemma, 10)) if op.kind == ATTENTION] == [
        21,
        21,
    ]
