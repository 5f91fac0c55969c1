"""What a Hugging Face configuration means by a key that it leaves out, or that is null."""

from __future__ import annotations

import json

import pytest

from mlsysim.models.huggingface import from_config
from tests.models.test_huggingface import DEEPSEEK, PUBLISHED
from tests.models.test_published_configs import CONFIGS

LEAST = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "vocab_size": 1000,
}
# by hand: q, k, v and out, three matrices of the network and two norms in each layer, a last norm
LAYER = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64
BODY = 2 * LAYER + 64
TABLE = 1000 * 64


@pytest.fixture
def read(tmp_path):
    def reader(data):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        return from_config(file)

    return reader


def test_a_llama_has_a_key_for_each_query_and_a_head_of_its_own_unless_it_says(read):
    model = read({"model_type": "llama", **LEAST})
    assert (model.kv_heads, model.head_dim, model.tied_embeddings) == (4, 16, False)
    assert (model.biases, model.qkv_bias, model.norm_bias, model.gated) == (
        False,
        False,
        False,
        True,
    )
    assert model.parameters == BODY + 2 * TABLE


def test_a_gemma_shares_its_table_with_the_head_unless_it_says(read):
    assert read({"model_type": "gemma", **LEAST}).parameters == BODY + TABLE
    two = read({"model_type": "gemma2", **LEAST})  # four norms a layer
    assert (two.tied_embeddings, two.parameters) == (True, BODY + TABLE + 2 * 2 * 64)


def test_a_gemma_3_leaves_out_what_the_published_files_do(read):
    """Eight queries and four keys of 256 values, 262,208 words; a window in five of six layers."""
    data = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 7}
    model = read({"model_type": "gemma3_text", **data, "sliding_window": 32})
    assert (model.heads, model.kv_heads, model.head_dim) == (8, 4, 256)
    assert (model.vocab, model.context, model.tied_embeddings) == (262_208, 131_072, True)
    assert (model.window.tokens, model.window.layers) == (32, 6)
    # q, k, v, out and the network; four norms of 64, and two of 256; the last norm and the table
    layer = (8 + 2 * 4 + 8) * 256 * 64 + 3 * 64 * 128 + 4 * 64 + 2 * 256
    assert model.parameters == 7 * layer + 64 + 262_208 * 64


def test_biases_of_attention_are_counted_where_they_stand(read):
    # queries, keys, values and the output: four vectors of 64 in each layer
    model = read({"model_type": "llama", "attention_bias": True, **LEAST})
    assert (model.qkv_bias, model.biases) == (True, False)
    assert model.parameters == BODY + 2 * TABLE + 2 * 4 * 64
    # a qwen2 has those of queries, keys and values, whatever it says
    assert read({"model_type": "qwen2", **LEAST}).parameters == BODY + 2 * TABLE + 2 * 3 * 64
    # a qwen3 has none, and norms of the 16 values of a head's queries and keys
    assert read({"model_type": "qwen3", **LEAST}).parameters == BODY + 2 * TABLE + 2 * 2 * 16


def test_biases_of_both_are_counted_everywhere(read):
    # beside the four of attention those of gate, up and down: 128 + 128 + 64
    model = read({"model_type": "llama", "attention_bias": True, "mlp_bias": True, **LEAST})
    assert (model.qkv_bias, model.biases) == (False, True)
    assert model.parameters == BODY + 2 * TABLE + 2 * (4 * 64 + 128 + 128 + 64)


def test_a_gpt2_is_four_times_as_wide_inside_and_takes_1024_tokens_unless_it_says(read):
    model = read(
        {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2, "vocab_size": 1000}
    )
    assert (model.ffn, model.context, model.learned_positions) == (256, 1024, 1024)
    assert model.tied_embeddings
    assert (model.biases, model.norm_bias, model.gated, model.causal) == (True, True, False, True)
    # matrices 4 x 64 x 64 and 2 x 64 x 256 with their biases, norms of two vectors; two tables
    layer = 4 * (64 * 64 + 64) + 2 * 64 * 256 + 256 + 64 + 4 * 64
    assert model.parameters == 2 * layer + 2 * 64 + TABLE + 1024 * 64
    assert read({**PUBLISHED["GPT2"], "n_positions": None, "n_ctx": 512}).context == 512


def test_a_bert_tells_two_types_of_tokens_apart_unless_it_says(read):
    told, left = dict(PUBLISHED["BERT_Base"]), dict(PUBLISHED["BERT_Base"])
    del left["type_vocab_size"]
    told["type_vocab_size"] = 3
    assert read(told).parameters - read(left).parameters == 768
    model = read(left)
    assert (model.causal, model.tied_embeddings, model.learned_positions) == (False, True, 512)


def test_a_deepseek_has_no_dense_layers_and_no_shared_expert_unless_it_says(read):
    left = {
        k: v for k, v in DEEPSEEK.items() if k not in ("first_k_dense_replace", "n_shared_experts")
    }
    assert (read(left).moe.dense_layers, read(left).moe.shared) == (0, 0)
    told = read(DEEPSEEK)
    assert (told.moe.dense_layers, told.moe.shared) == (3, 1)
    # three layers route: 256 experts of three matrices 7168 x 2048 and 7168 x 256 of the router,
    # with its bias, for a dense network of 18432; and a shared expert in each of the others
    expert = 3 * 7168 * 2048
    routed = 256 * expert + 7168 * 256 + 256
    assert read(left).parameters - told.parameters == (
        3 * (routed - 3 * 7168 * 18432) - 58 * expert
    )


FAR = json.loads((CONFIGS / "DeepSeek_V4_Flash.json").read_text(encoding="utf-8"))
AIR = json.loads((CONFIGS / "GLM_4_5_Air.json").read_text(encoding="utf-8"))
NEXT = json.loads((CONFIGS / "Qwen3_Next_80B_A3B.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (DEEPSEEK, "n_shared_experts"),
        (DEEPSEEK, "first_k_dense_replace"),
        (FAR, "n_shared_experts"),
        (FAR, "num_hash_layers"),
        (AIR, "n_shared_experts"),
        (NEXT, "shared_expert_intermediate_size"),
        ({"model_type": "mistral", **LEAST}, "sliding_window"),
    ],
)
def test_none_at_all_is_what_a_key_left_out_means(read, data, key):
    """And `null` means it too."""
    left = {name: value for name, value in data.items() if name != key}
    ways = (left, {**left, key: 0}, {**left, key: None})
    one, *others = (read(each).replace(sources={}) for each in ways)
    assert others == [one, one]


def test_a_qwen2_may_have_windows_in_all_its_layers_or_behind_the_first(read):
    data = {"model_type": "qwen2", **LEAST, "use_sliding_window": True, "sliding_window": 32}
    assert read({**data, "max_window_layers": 0}).window.layers == 2
    assert read({**data, "max_window_layers": 1}).window.layers == 1
    assert read({**data, "max_window_layers": 2}).window is None
    assert read(data).window is None  # from the 28th layer on
    many = {**data, "num_hidden_layers": 31}
    assert (read(many).window.layers, read(many).window.tokens) == (3, 32)
    assert read({**many, "use_sliding_window": False}).window is None
