"""Configurations of published models: parameters and cache of each are those of its authors.

`configs/` holds what decides in the config.json of each release. The counts are typed from other
documents: KerasHub's presets print them to the last digit, model cards and papers round.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlsysim import Models
from mlsysim.core.errors import InvalidEntry
from mlsysim.models.huggingface import from_config

CONFIGS = Path(__file__).parent / "configs"
TO_THE_LAST = {  # keras_hub/src/models/*/*_presets.py, and the hub's sums over tensors
    "GLM_4_5_Air": 106_852_251_264,  # of INTELLECT-3, which predicts no second token
    "GPT_OSS_20B": 20_914_757_184,
    "GPT_OSS_120B": 116_829_156_672,
    "Llama3_1_8B": 8_030_261_248,
    "Llama3_1_70B": 70_553_706_496,
    "Kimi_K2": 1_026_408_232_448,
    "MiniMax_M2": 228_689_764_864,
    "Mistral_Small_3": 23_572_403_200,
    "Nemotron3_Nano": 31_577_940_288,
    "Phi4": 14_659_507_200,
    "Qwen3_0_6B": 596_049_920,
    "Qwen3_4B": 4_022_468_096,
    "Qwen3_8B": 8_190_735_360,
    "Qwen3_14B": 14_768_307_200,
    "Qwen3_32B": 32_762_123_264,
    "Qwen3_235B_A22B": 235_093_634_560,
}
# KerasHub's table of words has 262,144 rows, the configuration 64 more
GEMMA3 = {
    "Gemma3_4B": (3_880_099_328, 2560),
    "Gemma3_12B": (11_765_788_416, 3840),
    "Gemma3_27B": (27_009_002_240, 5376),
}
ROUND = {  # model cards
    "Mamba2_2_7B": 2.7e9,
    "DeepSeek_R1": 671e9,
    "DeepSeek_V3_2": 671e9,
    "DeepSeek_V4_Flash": 284e9,
    "GLM_5": 744e9,
    "Qwen3_5_27B": 27e9,
    "Qwen3_5_35B_A3B": 35e9,
    "Qwen3_5_122B_A10B": 122e9,
    "Qwen3_5_397B_A17B": 397e9,
    "Qwen3_Next_80B_A3B": 80e9,
}
# Values that a token leaves in the cache: of all layers in a short context, and in a long one.
KEPT = {
    "DeepSeek_R1": (61 * (512 + 64),) * 2,
    "DeepSeek_V3_2": (61 * (512 + 64 + 128),) * 2,  # and the indexer's key
    # a window of 128 tokens; then a fourth of a key and of the indexer's, or an 128th
    "DeepSeek_V4_Flash": (
        43 * 512 + 21 * (512 + 128) / 4 + 20 * 512 / 128,
        21 * (512 + 128) / 4 + 20 * 512 / 128,
    ),
    "DeepSeek_V4_Pro": (
        61 * 512 + 30 * (512 + 128) / 4 + 31 * 512 / 128,
        30 * (512 + 128) / 4 + 31 * 512 / 128,
    ),
    "GLM_4_5": (92 * 2 * 8 * 128,) * 2,
    "GLM_4_5_Air": (46 * 2 * 8 * 128,) * 2,
    "GLM_5": (78 * (512 + 64 + 128),) * 2,
    "GPT_OSS_20B": (24 * 2 * 8 * 64, 12 * 2 * 8 * 64),
    "GPT_OSS_120B": (36 * 2 * 8 * 64, 18 * 2 * 8 * 64),
    "Gemma3_4B": (34 * 2 * 4 * 256, 5 * 2 * 4 * 256),  # 34 // 6 of them see all
    "Gemma3_12B": (48 * 2 * 8 * 256, 8 * 2 * 8 * 256),
    "Gemma3_27B": (62 * 2 * 16 * 128, 10 * 2 * 16 * 128),
    "Kimi_K2": (61 * (512 + 64),) * 2,
    "Llama3_1_8B": (32 * 2 * 8 * 128,) * 2,
    "Llama3_1_70B": (80 * 2 * 8 * 128,) * 2,
    "Llama4_Maverick": (48 * 2 * 8 * 128, 12 * 2 * 8 * 128),  # 36 of them see a chunk alone
    "Llama4_Scout": (48 * 2 * 8 * 128, 12 * 2 * 8 * 128),
    "MiniMax_M2": (62 * 2 * 8 * 128,) * 2,
    "Mistral_Small_3": (40 * 2 * 8 * 128,) * 2,
    "Nemotron3_Nano": (6 * 2 * 2 * 128,) * 2,  # six layers attend
    "Phi4": (40 * 2 * 10 * 128,) * 2,
    "Qwen3_0_6B": (28 * 2 * 8 * 128,) * 2,
    "Qwen3_4B": (36 * 2 * 8 * 128,) * 2,
    "Qwen3_8B": (36 * 2 * 8 * 128,) * 2,
    "Qwen3_14B": (40 * 2 * 8 * 128,) * 2,
    "Qwen3_32B": (64 * 2 * 8 * 128,) * 2,
    "Qwen3_235B_A22B": (94 * 2 * 4 * 128,) * 2,
    "Qwen3_5_27B": (16 * 2 * 4 * 256,) * 2,  # one layer of four
    "Qwen3_5_397B_A17B": (15 * 2 * 2 * 256,) * 2,
    "Qwen3_Next_80B_A3B": (12 * 2 * 2 * 256,) * 2,
}


def model(name):
    return from_config(CONFIGS / f"{name}.json")


@pytest.mark.parametrize("name", TO_THE_LAST)
def test_parameters_are_those_published_to_the_last_digit(name):
    assert model(name).parameters == TO_THE_LAST[name]


@pytest.mark.parametrize("name", GEMMA3)
def test_a_gemma_3_has_64_rows_more_than_words(name):
    published, width = GEMMA3[name]
    assert model(name).parameters == published + 64 * width


@pytest.mark.parametrize("name", ROUND)
def test_parameters_are_those_published_in_a_round_number(name):
    within = 0.01 if ROUND[name] < 50e9 else 0.005  # 27 and 35 billion have two digits
    assert model(name).parameters == pytest.approx(ROUND[name], rel=within)


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS.glob("*.json")])
def test_the_operators_hold_what_is_counted(name):
    read = model(name)
    assert read.counted_parameters() == pytest.approx(read.parameters, rel=2e-4)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize(("where", "length"), [(0, 10), (1, 100_000)], ids=["short", "long"])
def test_a_token_keeps_what_the_configuration_says(name, where, length):
    read = model(name)
    more = read.kv_cache(length + 1).m_as("B") - read.kv_cache(length).m_as("B")
    assert more == pytest.approx(2 * KEPT[name][where], rel=1e-3)


@pytest.mark.parametrize("name", [path.stem for path in CONFIGS.glob("*.json")])
def test_the_registry_has_what_the_configuration_says(name):
    ours, read = Models[name].to_dict(), model(name).to_dict()
    apart = {"name", "sources", "release_year", "active_parameters", "training_tokens"}
    for key in {*ours, *read} - apart:
        assert ours.get(key) == read.get(key), key


def test_glm_4_5_counts_its_predicting_layer_and_no_table_of_words():
    """355 billion "including MTP layers but not word embeddings and the output layer".

    Source: GLM-4.5 Team (2025), arXiv:2508.06471, table 1.
    """
    attention = 5120 * (96 + 2 * 8) * 128 + (96 + 2 * 8) * 128 + 96 * 128 * 5120 + 2 * 128
    layer = attention + 161 * 3 * 5120 * 1536 + 5120 * 160 + 160 + 2 * 5120
    predicting = layer + 2 * 5120 * 5120 + 3 * 5120
    words = 2 * 151552 * 5120
    assert model("GLM_4_5").parameters - words + predicting == pytest.approx(355e9, rel=0.002)


def test_a_kimi_k2_is_a_deepseek_v3_with_more_experts_and_fewer_heads():
    """1,026 billion: 384 experts of three matrices 7168 x 2048 in each of 60 layers are 1,015."""
    kimi = model("Kimi_K2")
    attention = 7168 * 1536 + 1536 * 64 * 192 + 7168 * 576 + 512 * 64 * 256 + 64 * 128 * 7168
    experts = 385 * 3 * 7168 * 2048 + 7168 * 384 + 384
    layers = 61 * (attention + 1536 + 512 + 2 * 7168) + 60 * experts + 3 * 7168 * 18432
    assert kimi.parameters == layers + 2 * 163840 * 7168 + 7168


def test_a_maverick_routes_in_every_second_layer():
    """400 billion with an eye of about one per cent less."""
    attention = 2 * 5120 * 5120 + 2 * 5120 * 1024 + 2 * 5120
    routed = 129 * 3 * 5120 * 8192 + 5120 * 128
    layers = 48 * attention + 24 * routed + 24 * 3 * 5120 * 16384
    maverick = model("Llama4_Maverick")
    assert maverick.parameters == layers + 2 * 202048 * 5120 + 5120
    assert maverick.parameters == pytest.approx(400e9, rel=0.005)
    assert maverick.moe.dense_layers == 24


def test_a_qwen3_next_by_hand():
    """Of 48 layers 36 keep a state of 32 heads, and 12 attend through gates."""
    value, key = 32 * 128, 16 * 128
    linear = 2048 * (2 * key + 2 * value + 2 * 32) + 4 * (2 * key + value) + 2 * 32 + 128
    linear += value * 2048
    full = 2048 * (2 * 16 + 2 * 2) * 256 + 16 * 256 * 2048 + 2 * 256
    ffn = 513 * 3 * 2048 * 512 + 2048 * 512 + 2048
    read = model("Qwen3_Next_80B_A3B")
    layers = 36 * linear + 12 * full + 48 * (ffn + 2 * 2048)
    assert read.parameters == layers + 2 * 151936 * 2048 + 2048
    # each head of a layer keeps 128 x 128 values, and the convolution four of each channel
    state = 36 * (32 * 128 * 128 + 4 * (2 * key + value))
    assert read.kv_cache(1).m_as("B") == pytest.approx(2 * (state + 12 * 2 * 2 * 256))


def test_a_nemotron_has_23_layers_of_mamba_23_of_experts_and_6_of_attention():
    """31.6 billion, of which 3.2 work for each token and 0.35 are the table of words.

    Source: NVIDIA (2025), Nemotron 3 Nano, arXiv:2512.20848.
    """
    read = model("Nemotron3_Nano")
    assert (read.recurrence.layers, read.attending, read.routed_layers) == (23, 6, 23)
    inner, channels = 64 * 64, 64 * 64 + 2 * 8 * 128
    mamba = 2688 * (inner + channels + 64) + 5 * channels + 3 * 64 + inner + inner * 2688
    attention = 2688 * (32 + 2 * 2) * 128 + 32 * 128 * 2688
    experts = 128 * 2 * 2688 * 1856 + 2 * 2688 * 3712 + 2688 * 128 + 128
    layers = 23 * mamba + 6 * attention + 23 * experts + 52 * 2688
    assert read.parameters == layers + 2 * 131072 * 2688 + 2688


def test_a_mamba_2_keeps_80_states_of_64_x_128_in_each_layer():
    read = model("Mamba2_2_7B")
    inner, channels = 80 * 64, 80 * 64 + 2 * 128
    layer = 2560 * (inner + channels + 80) + 5 * channels + 3 * 80 + inner + inner * 2560 + 2560
    assert read.parameters == 64 * layer + 50288 * 2560 + 2560
    state = 64 * (80 * 64 * 128 + 4 * channels)
    assert read.kv_cache(1).m_as("B") == read.kv_cache(10_000).m_as("B") == 2 * state


def test_a_deepseek_v3_2_adds_an_indexer_to_every_layer():
    more = model("DeepSeek_V3_2").parameters - model("DeepSeek_R1").parameters
    # queries from 1,536 values, a key and 64 weights from 7,168, and a norm with its shift
    assert more == 61 * (1536 * 64 * 128 + 7168 * 128 + 7168 * 64 + 2 * 128)


def test_a_deepseek_v4_by_hand():
    """284 billion: 21 layers compress four tokens, 20 compress 128, and two see a window alone."""
    queries = 4096 * 1024 + 1024 + 1024 * 64 * 512
    out = 64 * 512 * 1024 + 8 * 1024 * 4096
    attention = queries + 4096 * 512 + 512 + out + 64
    four = 2 * 4096 * 1024 + 4 * 1024 + 512
    index = 2 * 4096 * 256 + 4 * 256 + 128 + 1024 * 64 * 128 + 4096 * 64
    many = 2 * 4096 * 512 + 128 * 512 + 512
    experts = 257 * 3 * 4096 * 2048 + 4096 * 256
    mixing = 2 * (24 * 4 * 4096 + 24 + 3)  # four residuals, before attention and experts
    layers = 43 * (attention + experts + mixing + 2 * 4096) + 40 * 256
    ending = 4 * 4 * 4096 + 4 + 1
    tables = 2 * 129280 * 4096 + 4096
    read = model("DeepSeek_V4_Flash")
    assert read.parameters == layers + 21 * (four + index) + 20 * many + ending + tables
    assert [stream.layers for stream in read.compressed.streams] == [21, 20]


# ---- what a key may say --------------------------------------------------------------------------


def changed(tmp_path, name, **keys):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    file = tmp_path / "config.json"
    said = {key: value for key, value in {**data, **keys}.items() if value is not ...}
    file.write_text(json.dumps(said), encoding="utf-8")
    return file


def test_dense_layers_may_be_counted_listed_or_spread(tmp_path):
    def dense(**keys):
        return from_config(changed(tmp_path, "DeepSeek_R1", **keys)).moe.dense_layers

    assert dense(first_k_dense_replace=0, moe_layer_freq=2) == 30  # 0, 2, ... 60 route
    assert dense(first_k_dense_replace=3, moe_layer_freq=2) == 32  # and neither do 0 and 2
    assert dense(moe_layer_freq=[0] * 5 + [1] * 56) == 5
    assert dense(mlp_layer_types=["dense"] * 7 + ["sparse"] * 54) == 7


def test_a_qwen_routes_in_each_second_layer_but_those_listed(tmp_path):
    keys = {"decoder_sparse_step": 2, "mlp_only_layers": [1]}
    read = from_config(changed(tmp_path, "Qwen3_235B_A22B", **keys))
    assert read.moe.dense_layers == 94 - 46  # 3, 5, ... 93 route


def test_a_model_without_shared_experts_says_that_it_has_none(tmp_path):
    """One of three matrices of 4096 x 1408 in all layers but the first, 45 of 46."""
    one, none = (
        from_config(changed(tmp_path, "GLM_4_5_Air", n_shared_experts=many)) for many in (1, 0)
    )
    assert one.parameters - none.parameters == 45 * 3 * 4096 * 1408


def test_some_layers_may_take_over_what_others_picked(tmp_path):
    kinds = ["full"] * 3 + ["shared"] * 75
    few = from_config(changed(tmp_path, "GLM_5", indexer_types=kinds))
    assert few.indexer.layers == 3
    every = model("GLM_5")
    assert every.indexer.layers is None
    kept = (read.kv_cache(1000).m_as("B") for read in (every, few))
    assert next(kept) - next(kept) == pytest.approx(2 * 1000 * 75 * 128)


def test_a_model_that_also_sees_is_read_for_its_language(tmp_path):
    """Beside the part that speaks stand whether its tables are one, and its quantisation."""
    spoken = json.loads((CONFIGS / "Qwen3_4B.json").read_text(encoding="utf-8"))
    tied = spoken.pop("tie_word_embeddings")
    spoken["model_type"] = "qwen3_vl_text"
    file = tmp_path / "config.json"
    seen = {"model_type": "qwen3_vl", "text_config": spoken, "vision_config": {"depth": 24}}
    kept = {"quantization_config": {"quant_method": "fp8"}}
    file.write_text(json.dumps({**seen, **kept, "tie_word_embeddings": tied}), encoding="utf-8")
    read = from_config(file)
    assert (read.parameters, read.tied_embeddings) == (TO_THE_LAST["Qwen3_4B"], True)
    assert "precision='fp8'" in read.source_of("layers").note


def test_layers_with_chunks_may_be_listed(tmp_path):
    data = json.loads((CONFIGS / "Llama4_Scout.json").read_text(encoding="utf-8"))
    spoken = {**data["text_config"], "no_rope_layers": [1] * 40 + [0] * 8}
    read = from_config(changed(tmp_path, "Llama4_Scout", text_config=spoken))
    assert (read.window.layers, read.window.chunked) == (40, True)


def test_a_lightning_attention_keeps_a_state_in_seven_of_eight_layers(tmp_path):
    """MiniMax-Text-01: 456 billion, of which 45.9 work for each token (arXiv:2501.08313)."""
    file = tmp_path / "config.json"
    data = {
        "model_type": "minimax",
        "attn_type_list": ([0] * 7 + [1]) * 10,
        "head_dim": 128,
        "hidden_size": 6144,
        "intermediate_size": 9216,
        "max_position_embeddings": 10240000,
        "num_attention_heads": 64,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 80,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "vocab_size": 200064,
    }
    file.write_text(json.dumps(data), encoding="utf-8")
    read = from_config(file)
    assert read.parameters == pytest.approx(456e9, rel=0.002)
    assert (read.recurrence.layers, read.recurrence.conv_kernel) == (70, 0)
    # where no list says it, every second layer attends, from the first on
    file.write_text(json.dumps({**data, "attn_type_list": None, "num_hidden_layers": 5}))
    assert from_config(file).recurrence.layers == 2
    touched = read.totals(read.step(1.0, None, "decode")).weights
    assert touched == pytest.approx(45.9e9, rel=0.03)


@pytest.mark.parametrize(
    ("name", "keys"),
    [  # the published values are also those of the classes in transformers
        ("DeepSeek_R1", ("moe_layer_freq",)),
        ("GLM_4_5_Air", ("use_qk_norm",)),
        ("GPT_OSS_20B", ("layer_types",)),  # every second
        ("Gemma3_12B", ("sliding_window_pattern",)),
        ("Llama4_Scout", ("attention_chunk_size", "interleave_moe_layer_step")),
        ("Mamba2_2_7B", ("conv_kernel", "expand", "state_size", "use_bias")),
        ("MiniMax_M2", ("use_qk_norm",)),
        ("Nemotron3_Nano", ("conv_kernel", "use_conv_bias")),
        ("Qwen3_5_27B", ("attn_output_gate", "layer_types", "full_attention_interval")),
        (
            "Qwen3_Next_80B_A3B",
            (
                *("linear_key_head_dim", "linear_num_key_heads", "linear_num_value_heads"),
                *("linear_value_head_dim", "linear_conv_kernel_dim", "decoder_sparse_step"),
            ),
        ),
    ],
)
def test_a_key_left_out_means_what_most_files_say(tmp_path, name, keys):
    data = json.loads((CONFIGS / f"{name}.json").read_text(encoding="utf-8"))
    spoken = data.get("text_config", data)
    assert {*keys} <= {*spoken}
    left = {key: value for key, value in spoken.items() if key not in keys}
    files = CONFIGS / f"{name}.json", tmp_path / "config.json"
    files[1].write_text(json.dumps({**data, "text_config": left} if spoken is not data else left))
    told, meant = (from_config(file, name="A").to_dict() | {"sources": {}} for file in files)
    assert meant == told


@pytest.mark.parametrize(
    ("name", "key", "parameters"),
    [
        ("DeepSeek_V4_Flash", "num_hash_layers", 3 * 256),  # three layers more choose, with a bias
        ("MiniMax_M2", {"use_qk_norm": False}, -62 * (48 + 8) * 128),  # queries and keys, no norms
        # no shared expert of three matrices, and no gate of it
        ("Qwen3_Next_80B_A3B", "shared_expert_intermediate_size", -48 * (3 * 2048 * 512 + 2048)),
        # seven groups more: B and C of 128 each, made from 2,560 values and convolved over four
        ("Mamba2_2_7B", "n_groups", 64 * 7 * 2 * 128 * (2560 + 4 + 1)),
    ],
)
def test_what_a_key_adds_is_what_it_means(tmp_path, name, key, parameters):
    keys = key if isinstance(key, dict) else {key: None}
    read = from_config(changed(tmp_path, name, **keys))
    assert read.parameters - model(name).parameters == parameters


def test_kinds_of_layers_are_letters_or_words(tmp_path):
    letters = json.loads((CONFIGS / "Nemotron3_Nano.json").read_text(encoding="utf-8"))[
        "hybrid_override_pattern"
    ]
    words = [{"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}[kind] for kind in letters]
    named = {"hybrid_override_pattern": None, "layers_block_type": words}
    read = from_config(changed(tmp_path, "Nemotron3_Nano", **named))
    assert read.parameters == TO_THE_LAST["Nemotron3_Nano"]
    # as many networks as layers that mix tokens, some of them dense
    even = from_config(changed(tmp_path, "Nemotron3_Nano", hybrid_override_pattern="ME*-" * 13))
    assert (even.layers, even.bare_layers, even.moe.dense_layers) == (26, 0, 13)
    assert even.recurrence.layers == 13


def test_layers_that_route_may_be_listed(tmp_path):
    data = json.loads((CONFIGS / "Llama4_Scout.json").read_text(encoding="utf-8"))
    spoken = {**data["text_config"], "moe_layers": [*range(1, 48, 4)]}
    read = from_config(changed(tmp_path, "Llama4_Scout", text_config=spoken))
    assert read.moe.dense_layers == 48 - 12


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("DeepSeek_V4_Flash", {"compress_ratios": ...}, "one for each of 43 layers"),
        ("GPT_OSS_20B", {"attention_bias": False}, "attention_bias: False will not do; only True"),
        ("Mamba2_2_7B", {"use_bias": True}, "use_bias: True will not do; only False"),
        ("Mamba2_2_7B", {"num_heads": 79}, "79 x 64 is not 2 x 2560"),
        ("Nemotron3_Nano", {"hybrid_override_pattern": "ME" * 25 + "EE"}, "only M, *, E and -"),
        (
            "Nemotron3_Nano",
            {"hybrid_override_pattern": ..., "layers_block_type": ["lstm"] * 52},
            "only M, *, E and -",
        ),
        ("Llama3_1_8B", {"model_type": "gemma4"}, "its layers have heads of two widths"),
        ("Llama3_1_8B", {"model_type": "minimax_m3"}, "picks blocks of a cache by scores"),
        ("DeepSeek_V4_Flash", {"compress_ratios": [4] * 42}, "one for each of 43 layers"),
        ("DeepSeek_V4_Flash", {"compress_ratios": [4] * 42 + [8]}, "only 0, 4 and 128"),
        ("Nemotron3_Nano", {"moe_latent_size": 1024}, "experts of a latent space"),
        ("Nemotron3_Nano", {"hybrid_override_pattern": "ME" * 25 + "MX"}, "only M, *, E and -"),
        ("Nemotron3_Nano", {"hybrid_override_pattern": None}, "it is required; add it"),
        ("Nemotron3_Nano", {"moe_shared_expert_intermediate_size": 2000}, "multiples of 1856"),
        ("Qwen3_Next_80B_A3B", {"layer_types": ["full_attention"]}, "one for each of 48 layers"),
        ("Qwen3_Next_80B_A3B", {"linear_num_key_heads": 5}, "cannot share 5 evenly"),
        ("GLM_5", {"index_topk": None}, "index_topk: it is required"),
        ("Qwen3_235B_A22B", {"mlp_only_layers": 3}, "give a list of layers"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(tmp_path, name, keys, words):
    with pytest.raises(InvalidEntry) as caught:
        from_config(changed(tmp_path, name, **keys))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kept", "precision"),
    [
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "fp4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
            },
            "int4",
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            "fp8",
        ),
    ],
)
def test_a_note_says_in_how_many_bits_weights_are_kept(tmp_path, kept, precision):
    read = from_config(changed(tmp_path, "Llama3_1_8B", quantization_config=kept))
    assert f"precision={precision!r}" in read.source_of("layers").note
