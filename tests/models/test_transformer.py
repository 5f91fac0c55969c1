"""Transformers: work, weights and cache of each phase, against sums done by hand.

Llama 3 8B has 32 layers of width 4096, 32 query heads and 8 key heads of 128, an ffn of 14336 and a
vocabulary of 128256. One layer holds 4096 x (4096 + 2 x 1024) + 4096 x 4096 + 3 x 4096 x 14336
= 218,103,808 weights; all 32 hold 6,979,321,856 and the head 4096 x 128256 = 525,336,576.
"""

from __future__ import annotations

import numpy as np
import pytest

from mlsysim import Models
from mlsysim.core.errors import BadArgument, InvalidEntry, MLSysError, UnknownName
from mlsysim.models.operators import DECODE, FORWARD, PREFILL, Step
from mlsysim.models.widths import Widths
from mlsysim.solvers.node import cost

equal = Widths.equal

LAYERS = 32 * (4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336)
HEAD = 4096 * 128256
TINY = {
    "kind": "transformer",
    "name": "Tiny",
    "parameters": 1000,
    "layers": 2,
    "hidden": 8,
    "heads": 4,
    "ffn": 16,
    "vocab": 10,
    "context": 64,
}


def test_decode_reads_every_matrix_once_and_does_two_flop_a_weight(llama):
    total = llama.totals(Step(1.0, 1.0, 0.0, DECODE, equal(2.0)))
    # besides the matrices: one row of the embedding, and one (query, key) pair in 32 x 32 heads of
    # 128 + 128
    assert total.weights == 2 * (LAYERS + HEAD + 4096)
    assert total.flops == 2 * (LAYERS + HEAD) + 2 * 32 * 32 * 256


def test_decode_attends_to_the_whole_context(llama):
    short, long = (
        llama.totals(Step(1.0, 1.0, float(s) - 1.0, DECODE, equal(2.0))) for s in (1, 1001)
    )
    # each further token of context: 32 layers x 32 heads x (128 + 128) MACs, and 2 x 32 x 8 x 128
    # cached values
    assert long.flops - short.flops == 1000 * 2 * 32 * 32 * 256
    assert long.state - short.state == 1000 * 2 * (2 * 32 * 8 * 128)


def test_the_weights_are_read_once_for_the_whole_batch(llama):
    one, many = (llama.totals(Step(b, 1.0, 2048.0 - 1.0, DECODE, equal(2.0))) for b in (1.0, 64.0))
    # only the embedding's rows grow with the batch: 63 more of 4096 values
    assert many.weights - one.weights == 63 * 4096 * 2
    assert many.flops == 64 * one.flops
    assert many.state == 64 * one.state


def test_prefill_counts_half_of_the_square_and_one_row_of_logits(llama):
    n = 2048
    total = llama.totals(Step(1.0, float(n), 0.0, PREFILL, equal(2.0)))
    matrices = 2 * (LAYERS * n + HEAD)
    causal = 2 * (n * (n + 1) // 2) * 32 * 32 * 256
    assert total.flops == matrices + causal
    assert total.state == n * 131072  # the cache is written once


def test_prefill_moves_what_each_matrix_reads_and_writes(llama):
    # of 4096 values a token: qkv reads them and writes 4096 of queries, and keys and values to the
    # cache; attention reads 4096 and these 2048, and writes 4096, as its projection reads and
    # writes; up reads 4096 and writes 28,672; down reads 14,336 and writes 4096
    n = 2048
    token = 2 * 4096 + (6144 + 4096) + 2 * 4096 + (4096 + 28_672) + (14_336 + 4096)
    total = llama.totals(Step(1.0, float(n), 0.0, PREFILL, equal(2.0)))
    # and the embedding's row of each token, and one token's logits
    assert total.traffic == 2 * (32 * n * token + n * 4096 + 4096 + 128256)
    assert total.widest == 2 * n * (4096 + 28_672)
    # every operator's input, norms and activations too, would be kept for a way back
    kept = 32 * n * (2 * 4096 + 4096 + 6144 + 4096 + 4096 + 28_672 + 14_336) + n * 4096 + 4096
    assert total.inputs == 2 * kept


def test_training_predicts_every_position(llama):
    n = 2048
    step = llama.step(1.0, float(n), None, equal(2.0), training=True)
    causal = 2 * (n * (n + 1) // 2) * 32 * 32 * 256
    assert llama.totals(step).flops == 2 * (LAYERS + HEAD) * n + causal
    # what the way back needs: every operator's input, and the loss all logits in four bytes
    layer = 2 * 4096 + 4096 + 6144 + 4096 + 4096 + 28_672 + 14_336
    kept = 2 * n * (32 * layer + 2 * 4096) + 4 * n * 128256
    assert llama.totals(step).inputs == kept
    # the rule of six FLOP a parameter and token, here without the embedding table and with
    # attention
    assert cost.demand(llama, step).operations == pytest.approx(6 * llama.parameters * n, rel=0.10)


def test_an_encoder_sees_the_whole_square_and_keeps_no_cache():
    bert, n = Models.Language.BERT_Base, 512
    total = bert.totals(Step(1.0, float(n), 0.0, FORWARD, equal(2.0)))
    # 12 layers of 4 x 768 x 768 + 2 x 768 x 3072 weights; n x n pairs in 12 heads of 64 + 64
    assert total.flops == 2 * n * 12 * (4 * 768 * 768 + 2 * 768 * 3072) + 2 * n * n * 12 * 12 * 128
    assert total.state == 0
    assert bert.phases == (FORWARD,)
    with pytest.raises(BadArgument, match="encoder keeps no KV cache"):
        bert.kv_cache(512)


def test_grouped_queries_shrink_the_cache_by_the_size_of_the_group(llama):
    # 128K context: 131072 tokens x 2 x 32 layers x 8 heads x 128 values x 2 bytes = 17.18 GB, or
    # four times that
    multi_head = llama.replace(kv_heads=32)
    assert llama.kv_cache(131072).m_as("GB") == pytest.approx(17.18, rel=1e-3)
    assert multi_head.kv_cache(131072).m_as("GB") == pytest.approx(68.72, rel=1e-3)
    assert (llama.weights() + llama.kv_cache(131072)).m_as("GB") == pytest.approx(33.2, rel=2e-3)
    assert (llama.weights() + multi_head.kv_cache(131072)).m_as("GB") == pytest.approx(
        84.8, rel=2e-3
    )


def test_latent_attention_keeps_one_short_vector_a_token():
    # DeepSeek-V3 caches 512 + 64 values a layer and token, in 61 layers
    deepseek = Models.Language.DeepSeek_V3
    assert deepseek.kv_cache(1).m_as("B") == pytest.approx(61 * 576 * 2)


def test_latent_attention_decodes_over_the_compressed_cache_and_prefills_over_whole_heads():
    # each of 128 heads: 512 + 64 for a score and 512 for the sum in decode; 128 + 64 and 128 of a
    # prompt, where 1000 tokens make 500,500 pairs
    deepseek = Models.Language.DeepSeek_V3

    def scores(phase):
        step = deepseek.step(1.0, 1000.0, phase, equal(1.0))
        return sum(
            op.repeat * op.flops for op in deepseek.operators(step) if op.name == "attention"
        )

    assert scores(DECODE) == 61 * 2 * 1000 * 128 * (576 + 512)
    assert scores(PREFILL) == 61 * 2 * 500_500 * 128 * (192 + 128)


MIXTRAL_REST = 32 * (4096 * 6144 + 4096 * 4096 + 4096 * 8) + 4096 * 32000
EXPERT = 3 * 4096 * 14336


@pytest.mark.parametrize(
    ("batch", "experts"),
    [
        (1, 2.0),  # a token picks 2 of 8
        (4, 8 * (1 - 0.75**4)),  # 5.47: four tokens collide now and then
        (1024, 8.0),
    ],
)
def test_a_batch_reads_the_experts_that_it_is_expected_to_touch(batch, experts):
    mixtral = Models.Language.Mixtral_8x7B
    read = mixtral.totals(Step(float(batch), 1.0, 0.0, DECODE, equal(1.0))).weights
    assert read == pytest.approx(MIXTRAL_REST + 32 * experts * EXPERT + batch * 4096, rel=1e-9)


@pytest.mark.parametrize("batch", [1, 4, 1024])
def test_each_token_computes_in_its_own_experts_only(batch):
    mixtral = Models.Language.Mixtral_8x7B
    work = mixtral.totals(Step(float(batch), 1.0, 0.0, DECODE, equal(1.0))).flops
    assert work == pytest.approx(
        batch * (2 * (MIXTRAL_REST + 32 * 2 * EXPERT) + 2 * 32 * 32 * 256), rel=1e-9
    )


def test_all_experts_must_be_held_even_if_few_are_read():
    mixtral = Models.Language.Mixtral_8x7B
    demand = cost.demand(mixtral, mixtral.step(1.0, None, None, equal(2.0)))
    assert demand.held_weights == 2 * mixtral.parameters
    assert demand.weights < 0.3 * demand.held_weights


def test_training_moves_weights_three_times_and_optimizer_state_twice(llama):
    # 2 B read forward, 2 B read backward, 2 B of gradient written, 12 B of Adam's read and written
    demand = cost.demand(llama, llama.step(1.0, 1.0, None, equal(2.0), training=True))
    assert demand.weights == pytest.approx(30 * llama.parameters)


def test_adam_in_mixed_precision_holds_sixteen_bytes_a_parameter(llama):
    # 2 weights + 2 gradients + 4 master + 4 + 4 moments; in fp32 there is no second copy: 4 + 4 +
    # 4 + 4
    for width in (2.0, 4.0):
        step = llama.step(1.0, None, None, equal(width), training=True)
        assert cost.demand(llama, step).held_weights == 16 * llama.parameters


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"kv_heads": 3}, "kv_heads"),
        ({"kv_heads": 8}, "kv_heads"),
        ({"hidden": 9}, "head_dim"),
        ({"heads": 0}, "heads"),
        ({"layers": -1}, "layers"),
        ({"layers": 1.5}, "layers"),
        ({"vocab": "many"}, "vocab"),
        ({"moe": {"experts": 2, "per_token": 3, "ffn": 4}}, "moe.per_token"),
        ({"moe": {"experts": 2, "per_token": 1}}, "moe.ffn"),
        ({"moe": {"experts": 2, "per_token": 1, "ffn": 4, "dense_layers": 3}}, "moe.dense_layers"),
        ({"mla": {"q_rank": 2}}, "mla.kv_rank"),
        ({"causal": "yes"}, "causal"),
        ({"parameters": 0}, "parameters"),
        ({"layesr": 2}, "layesr"),
    ],
)
def test_an_architecture_that_cannot_be_is_refused(change, key):
    with pytest.raises(InvalidEntry) as caught:
        Models.from_spec({**TINY, **change})
    assert caught.value.key == key


ONLY = "there are only {} layers"


@pytest.mark.parametrize(
    ("inside", "beyond", "key", "remedy"),
    [
        (
            {"window": {"tokens": 9, "layers": 2}},
            {"window": {"tokens": 9, "layers": 3}},
            "window.layers",
            ONLY.format(2),
        ),
        ({"bare_layers": 2}, {"bare_layers": 3}, "bare_layers", ONLY.format(2)),
        (
            {"moe": {"experts": 2, "per_token": 2, "ffn": 4, "dense_layers": 1}, "bare_layers": 1},
            {"moe": {"experts": 2, "per_token": 2, "ffn": 4, "dense_layers": 2}, "bare_layers": 1},
            "moe.dense_layers",
            ONLY.format(1),
        ),
        (
            {"moe": {"experts": 2, "per_token": 2, "ffn": 4}},
            {"moe": {"experts": 2, "per_token": 3, "ffn": 4}},
            "moe.per_token",
            "3 of 2 experts cannot be picked",
        ),
        ({"kv_heads": 2}, {"kv_heads": 3}, "kv_heads", "4 heads cannot share 3 evenly"),
        (
            {"hidden": 9, "head_dim": 2},
            {"hidden": 9},
            "head_dim",
            "hidden 9 is no multiple of 4 heads; give head_dim",
        ),
    ],
)
def test_as_much_as_there_is_will_do_and_more_is_refused_in_words(inside, beyond, key, remedy):
    assert Models.from_spec({**TINY, **inside}).layers == 2
    with pytest.raises(InvalidEntry) as caught:
        Models.from_spec({**TINY, **beyond})
    assert (caught.value.key, caught.value.remedy) == (key, remedy)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.weights("fp61"),
        lambda m: m.weights(None),
        lambda m: m.weights([]),
        lambda m: m.kv_cache(2048, precision="int5"),
        lambda m: m.kv_cache(-5),
        lambda m: m.kv_cache(0),
        lambda m: m.kv_cache(float("nan")),
        lambda m: m.kv_cache(2048, batch_size=-1),
        lambda m: m.kv_cache("long"),
    ],
    ids=range(9),
)
def test_a_malformed_question_to_a_model_is_refused(llama, ask):
    with pytest.raises(MLSysError):
        ask(llama)


def test_a_phase_that_the_model_does_not_have_is_refused(llama):
    with pytest.raises(UnknownName, match="phase"):
        llama.step(1.0, None, FORWARD, equal(2.0))
    with pytest.raises(UnknownName, match="phase"):
        Models.Language.BERT_Base.step(1.0, None, DECODE, equal(2.0))
    with pytest.raises(BadArgument, match="leave phase out"):
        llama.step(1.0, None, PREFILL, equal(2.0), training=True)


def test_the_default_context_is_no_longer_than_the_model_takes():
    assert Models.Language.BERT_Base.step(1.0, None, None, equal(2.0)).seq_len == 512
    assert Models.Language.Llama3_8B.step(1.0, None, None, equal(2.0)).seq_len == 2048


def test_contexts_may_be_an_array(llama):
    lengths = np.array([1.0, 2048.0, 8192.0])
    many = llama.totals(Step(1.0, lengths, 0.0, PREFILL, equal(2.0)))
    for i, length in enumerate(lengths):
        assert many.flops[i] == pytest.approx(
            llama.totals(Step(1.0, float(length), 0.0, PREFILL, equal(2.0))).flops
        )
