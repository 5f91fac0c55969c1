"""Recurrences and indexers: what they do and keep, by hand, and what must hold of every step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Engine, Hardware, Models, ServingModel
from mlsysim.core.errors import InvalidEntry
from mlsysim.models.mixers import Indexer, Recurrence
from mlsysim.models.operators import ATTENTION, DECODE, PREFILL
from mlsysim.models.widths import Widths

TWO = Widths.equal(2.0)
NEXT, NANO = Models.Language.Qwen3_Next_80B_A3B, Models.Language.Nemotron3_Nano
SPARSE, LATENT = Models.Language.DeepSeek_V3_2, Models.Language.DeepSeek_R1
MAMBA = Models.Statespace.Mamba2_2_7B
FAR = Models.Language.DeepSeek_V4_Flash
models = st.sampled_from([NEXT, NANO, SPARSE, MAMBA, FAR, Models.Language.GLM_5])


def step(model, context, new=None, phase=PREFILL, batch=3.0):
    return model.step(batch, float(context), phase, TWO, new=None if new is None else float(new))


def named(model, name, *how, **more):
    return next(op for op in model.operators(step(model, *how, **more)) if op.name == name)


def test_a_gated_delta_rule_reads_and_writes_its_state_for_each_token():
    # 36 layers of 32 heads, each with 128 x 128 values that are decayed, read, fed and read again
    scan = named(NEXT, "scan", 1000, phase=DECODE)
    assert scan.repeat == 36
    assert scan.flops == 2 * 3 * 4 * 32 * 128 * 128
    assert scan.state == 2 * 3 * 32 * 128 * 128 * 2
    prompt = named(NEXT, "scan", 1000)
    assert prompt.flops == 1000 * scan.flops
    assert prompt.state == scan.state / 2  # it is left behind once


def test_a_mamba_2_has_one_decay_for_a_head():
    scan = named(NANO, "scan", 1000, phase=DECODE)
    assert (scan.repeat, scan.flops) == (23, 2 * 3 * 3 * 64 * 64 * 128)


def test_attention_with_gates_makes_twice_the_queries():
    qkv = named(NEXT, "qkv", 1000, phase=DECODE)
    assert qkv.weights == 2 * 2048 * (2 * 16 + 2 * 2) * 256
    assert qkv.outputs == 3 * 2 * 2 * 16 * 256  # keys and values go into the cache


def test_an_indexer_scores_all_and_attention_sees_the_best():
    scores = named(SPARSE, "index scores", 100_000, phase=DECODE)
    assert scores.flops == 2 * 3 * 100_000 * 64 * 128
    assert scores.state == 3 * 100_000 * 128 * 2
    attention = named(SPARSE, "attention", 100_000, phase=DECODE)
    assert attention.flops == 2 * 3 * 2048 * 128 * (512 + 64 + 512)
    assert attention.state == 3 * 2048 * (512 + 64) * 2
    # every token of the past may be picked by some token of a prompt, so all are read
    assert named(SPARSE, "attention", 9000, 1000).state == 3 * 9000 * (512 + 64) * 2


def test_attention_far_back_sees_one_key_for_four_tokens_or_for_128():
    few, many = (
        op for op in FAR.operators(step(FAR, 128_000, phase=DECODE)) if op.name == "far attention"
    )
    # 512 are picked of 32,000, and all 1,000 are seen; 64 heads over one key that is the value too
    assert (few.repeat, many.repeat) == (21, 20)
    assert few.flops == 2 * 3 * 512 * 64 * (512 + 512)
    assert few.state == 3 * 512 * 512 * 2
    assert many.flops == 2 * 3 * 1000 * 64 * (512 + 512)
    assert many.state == 3 * 1000 * 512 * 2
    near = named(FAR, "near attention", 128_000, phase=DECODE)
    assert (near.repeat, near.state) == (43, 3 * 128 * 512 * 2)
    scores = named(FAR, "index scores", 128_000, phase=DECODE)
    assert scores.flops == 2 * 3 * 32_000 * 64 * 128


def test_sparse_attention_pays_in_long_contexts_only():
    def moved(model, length):
        how = {"batch_size": 8, "seq_len": length, "precision": "fp8"}
        return Engine.solve(model, Hardware.Cloud.GB200, **how).si("traffic")

    assert moved(SPARSE, 1000) > moved(LATENT, 1000)  # the indexer's weights
    assert moved(SPARSE, 120_000) < moved(LATENT, 120_000)


@given(models, st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 4000))
def test_a_prompt_in_chunks_does_the_work_of_a_whole_one(model, first, second, third):
    ends = (first, first + second, first + second + third)
    whole = model.totals(step(model, ends[-1]))
    parts = [
        model.totals(step(model, end, end - start))
        for start, end in zip((0, *ends), ends, strict=False)
    ]
    assert sum(part.attention for part in parts) == pytest.approx(whole.attention, rel=1e-12)
    heads = (len(parts) - 1) * 3 * 2 * model.hidden * model.vocab
    assert sum(part.flops for part in parts) - heads == pytest.approx(whole.flops, rel=1e-9)


@given(models, st.integers(1, 100_000), st.integers(0, 100_000))
def test_a_longer_past_never_costs_less(model, context, more):
    here, there = (model.totals(step(model, n, phase=DECODE)) for n in (context, context + more))
    assert here.flops <= there.flops
    assert here.state <= there.state
    kept = [model.held_state(step(model, n, phase=DECODE)) for n in (context, context + more)]
    assert kept[0] <= kept[1]


@settings(max_examples=10)
@given(
    models,
    st.lists(st.integers(1, 64), min_size=1, max_size=3),
    st.lists(st.integers(1, 9000), min_size=1, max_size=3),
    st.sampled_from([None, "ideal"]),
    st.sampled_from([DECODE, PREFILL]),
)
def test_a_sweep_is_its_solves(model, batches, lengths, stack, phase):
    how = {"stack": stack, "phase": phase}
    for row in Engine.sweep(model, ["H100"], batch_sizes=batches, seq_lens=lengths, **how):
        asked = {"batch_size": row["batch_size"], "seq_len": row["seq_len"]}
        one = Engine.solve(model, "H100", **asked, **how)
        for field in ("latency", "operations", "traffic", "memory_required"):
            assert row["profile"].si(field) == pytest.approx(one.si(field), rel=1e-12)


@pytest.mark.parametrize("model", [NEXT, NANO, SPARSE, FAR], ids=lambda model: model.name)
def test_a_group_of_devices_serves_and_trains_it(model):
    served = ServingModel().solve(model, Hardware.H200, seq_len=2000, tensor_parallel=8)
    assert served.si("ttft") > 0
    assert Engine.solve(model, Hardware.H200, training=True).si("operations") > 0


def test_an_index_is_no_attention_without_layers_that_attend():
    kinds = [op.repeat for op in MAMBA.operators(step(MAMBA, 10)) if op.kind == ATTENTION]
    assert kinds == [64]  # the scans
    bare = NANO.replace(
        layers=23, bare_layers=0, recurrence=NANO.recurrence, parameters=NANO.parameters
    )
    assert [op.name for op in bare.operators(step(bare, 10)) if op.kind == ATTENTION] == ["scan"]


@pytest.mark.parametrize(
    ("model", "changes", "key"),
    [
        (NEXT, {"recurrence": NEXT.recurrence.replace(layers=49)}, "recurrence.layers"),
        (NANO, {"bare_layers": 30}, "bare_layers"),
        (NANO, {"bare_layers": 29, "moe": NANO.moe.replace(dense_layers=1)}, "moe.dense_layers"),
        (LATENT, {"indexer": Indexer(heads=1, dim=8, tokens=9, layers=62)}, "indexer.layers"),
        (NEXT, {"indexer": Indexer(heads=1, dim=8, tokens=9)}, "indexer"),
        (NEXT, {"compressed": FAR.compressed}, "compressed"),
        (FAR, {"layers": 40}, "compressed.streams"),
    ],
)
def test_layers_that_are_not_there_are_refused(model, changes, key):
    with pytest.raises(InvalidEntry) as caught:
        model.replace(**changes)
    assert caught.value.key == key


def test_heads_that_share_unevenly_are_refused():
    with pytest.raises(InvalidEntry, match="12 heads cannot share 5 evenly"):
        Recurrence(layers=1, heads=12, head_dim=8, groups=5, key_dim=8)


@pytest.mark.parametrize("changes", [{"heads": None}, {"dt_rank": 160}, {"heads": 79}])
def test_a_mamba_is_of_one_kind_and_has_whole_heads(changes):
    with pytest.raises(InvalidEntry):
        MAMBA.replace(**changes)


def test_an_answer_that_outgrows_what_is_picked_is_the_sum_of_its_steps():
    """From 1,500 to 2,500 tokens: attention grows up to 2,048, and the indexer's scores go on."""
    how = {"batch_size": 512, "precision": "fp8", "stack": "ideal"}
    steps = [
        Engine.solve(SPARSE, Hardware.Cloud.GB200, seq_len=n, **how).si("latency")
        for n in range(1501, 2501)
    ]
    served = ServingModel().solve(
        SPARSE, Hardware.Cloud.GB200, seq_len=1500, decode_tokens=1001, **how
    )
    whole = served.si("latency") - served.si("ttft_batch")
    assert whole == pytest.approx(sum(steps), rel=1e-3)
