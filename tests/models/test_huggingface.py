"""Import of Hugging Face configurations: the published keys give the published parameters."""

from __future__ import annotations

import json

import pytest

from mlsysim import Engine, Hardware, Models
from mlsysim.core.errors import InvalidEntry
from mlsysim.models.huggingface import ARCHITECTURES, from_config, to_yaml

# The keys that decide, as the model's authors publish them in config.json, by our entry's name.
PUBLISHED = {
    "Llama3_8B": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 8192,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vocab_size": 128256,
    },
    "Llama2_7B": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "max_position_embeddings": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "rope_scaling": None,
        "vocab_size": 32000,
    },
    "Mistral_7B": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "vocab_size": 32000,
    },
    "Mixtral_8x7B": {
        "model_type": "mixtral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "max_position_embeddings": 32768,
        "num_attention_heads": 32,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "output_router_logits": False,
        "sliding_window": None,
        "vocab_size": 32000,
    },
    "Qwen2_5_7B": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "max_position_embeddings": 131072,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": 131072,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "vocab_size": 152064,
    },
    "Gemma2_9B": {
        "model_type": "gemma2",
        "head_dim": 256,
        "hidden_size": 3584,
        "intermediate_size": 14336,
        "max_position_embeddings": 8192,
        "num_attention_heads": 16,
        "num_hidden_layers": 42,
        "num_key_value_heads": 8,
        "attention_bias": False,
        "sliding_window": 4096,
        "vocab_size": 256000,
    },
    "Phi3_mini": {
        "model_type": "phi3",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "max_position_embeddings": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "sliding_window": 2047,
        "tie_word_embeddings": False,
        "vocab_size": 32064,
    },
    "GPT2": {
        "model_type": "gpt2",
        "n_ctx": 1024,
        "n_embd": 768,
        "n_head": 12,
        "n_layer": 12,
        "n_positions": 1024,
        "vocab_size": 50257,
    },
    "BERT_Base": {
        "model_type": "bert",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "type_vocab_size": 2,
        "vocab_size": 30522,
    },
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "attention_bias": False,
    "first_k_dense_replace": 3,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "moe_intermediate_size": 2048,
    "moe_layer_freq": 1,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "num_nextn_predict_layers": 1,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "tie_word_embeddings": False,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
LLAMA = PUBLISHED["Llama3_8B"]


@pytest.fixture
def write(tmp_path):
    def config(data, folder="My-Model"):
        file = tmp_path / folder / "config.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return file

    return config


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_count_over_the_published_dimensions_is_the_published_count(write, name):
    assert from_config(write(PUBLISHED[name])).parameters == Models[name].parameters


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_imported_model_times_like_the_shipped_one(write, name):
    model = from_config(write(PUBLISHED[name]))
    ours, theirs = (Engine.solve(m, Hardware.H200, batch_size=4) for m in (model, Models[name]))
    for field in ("latency", "operations", "traffic", "memory_required"):
        assert ours.si(field) == pytest.approx(theirs.si(field), rel=1e-3)


def test_latent_attention_and_shared_experts_are_read(write):
    model = from_config(write(DEEPSEEK))
    # 671B in all, rounded on the card; a token keeps 512 + 64 values in each of 61 layers
    assert model.parameters == pytest.approx(671e9, rel=1e-3)
    assert model.kv_cache(1000).m_as("B") == pytest.approx(1000 * 61 * 576 * 2)
    assert (model.moe.shared, model.moe.dense_layers) == (1, 3)


def test_a_mixture_with_normed_queries_adds_up(write):
    """Qwen3-30B-A3B: 30,532,122,624 parameters are published."""
    model = from_config(
        write(
            {
                "model_type": "qwen3_moe",
                "attention_bias": False,
                "decoder_sparse_step": 1,
                "head_dim": 128,
                "hidden_size": 2048,
                "intermediate_size": 6144,
                "max_position_embeddings": 40960,
                "mlp_only_layers": [],
                "moe_intermediate_size": 768,
                "num_attention_heads": 32,
                "num_experts": 128,
                "num_experts_per_tok": 8,
                "num_hidden_layers": 48,
                "num_key_value_heads": 4,
                "sliding_window": None,
                "tie_word_embeddings": False,
                "use_sliding_window": False,
                "vocab_size": 151936,
            }
        )
    )
    attention = 2048 * (32 + 2 * 4) * 128 + 32 * 128 * 2048 + 2 * 128
    layer = attention + 2048 * 128 + 128 * 3 * 2048 * 768 + 2 * 2048
    assert model.parameters == 48 * layer + 2 * 151936 * 2048 + 2048
    assert model.parameters == 30_532_122_624


def test_a_dense_model_with_normed_queries_and_tied_embeddings_adds_up(write):
    """Qwen3-0.6B, whose heads are wider together than the model."""
    model = from_config(
        write(
            {
                "model_type": "qwen3",
                "head_dim": 128,
                "hidden_size": 1024,
                "intermediate_size": 3072,
                "max_position_embeddings": 40960,
                "num_attention_heads": 16,
                "num_hidden_layers": 28,
                "num_key_value_heads": 8,
                "tie_word_embeddings": True,
                "vocab_size": 151936,
            }
        )
    )
    layer = 1024 * (16 + 16) * 128 + 16 * 128 * 1024 + 2 * 128 + 3 * 1024 * 3072 + 2 * 1024
    assert model.parameters == 28 * layer + 151936 * 1024 + 1024


def test_biases_are_counted_where_the_file_has_them(write):
    plain, biased = (from_config(write({**LLAMA, "attention_bias": b})) for b in (False, True))
    assert biased.parameters - plain.parameters == 32 * (4096 + 2 * 1024 + 4096)
    every = from_config(write({**LLAMA, "attention_bias": True, "mlp_bias": True}))
    assert every.parameters - biased.parameters == 32 * (2 * 14336 + 4096)


def test_every_value_has_the_file_as_its_source(write):
    file = write(LLAMA)
    model = from_config(file)
    for path, _ in model.numbers():
        source = model.source_of(path)
        assert source is not None
        assert (source.kind, source.ref) == ("user", str(file))


def test_windows_are_read(write):
    mistral = from_config(write(PUBLISHED["Mistral_7B"])).window
    assert (mistral.tokens, mistral.layers, mistral.chunked) == (4096, 32, False)
    gemma = from_config(write(PUBLISHED["Gemma2_9B"])).window
    assert (gemma.tokens, gemma.layers) == (4096, 21)  # every second of 42
    assert from_config(write(PUBLISHED["Qwen2_5_7B"])).window is None  # it is switched off
    near = {"use_sliding_window": True, "max_window_layers": 20}
    qwen = from_config(write({**PUBLISHED["Qwen2_5_7B"], **near})).window
    assert (qwen.tokens, qwen.layers) == (131072, 8)  # the last of 28 layers
    deep = {**PUBLISHED["Qwen2_5_7B"], "use_sliding_window": True, "num_hidden_layers": 30}
    assert from_config(write(deep)).window.layers == 2  # those behind 28, unless it says
    near["max_window_layers"] = 0  # from the first layer on
    assert from_config(write({**PUBLISHED["Qwen2_5_7B"], **near})).window.layers == 28
    listed = ["sliding_attention"] * 10 + ["full_attention"] * 32
    gemma = from_config(write({**PUBLISHED["Gemma2_9B"], "layer_types": listed})).window
    assert gemma.layers == 10


def test_a_cache_stops_at_the_window():
    """Was wrong: 2.82 GB for Gemma 2 at 8K, and 4.29 GB for Mistral at 32K."""
    # 21 layers of 8,192 tokens and 21 of 4,096, 2 x 8 x 256 values of two bytes each
    gemma = Models.Language.Gemma2_9B.kv_cache(8192)
    assert gemma.m_as("GB") == pytest.approx(21 * (8192 + 4096) * 8192 / 1e9)
    assert gemma.m_as("GB") == pytest.approx(2.11, abs=0.005)
    mistral = Models.Language.Mistral_7B.kv_cache(32768)
    assert mistral.m_as("GB") == pytest.approx(32 * 4096 * 4096 / 1e9)
    assert mistral.m_as("GB") == pytest.approx(0.54, abs=0.005)


def test_gemma_3_has_a_full_layer_after_five_with_a_window(write):
    """Gemma 3 1B: 999,885,952 parameters are published."""
    data = {
        "model_type": "gemma3_text",
        "head_dim": 256,
        "hidden_size": 1152,
        "intermediate_size": 6912,
        "max_position_embeddings": 32768,
        "num_attention_heads": 4,
        "num_hidden_layers": 26,
        "num_key_value_heads": 1,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "vocab_size": 262144,
    }
    model = from_config(write(data))
    assert model.parameters == 999_885_952
    assert (model.window.tokens, model.window.layers) == (512, 22)
    seeing = {"model_type": "gemma3", "text_config": data, "vision_config": {"hidden_size": 1}}
    assert from_config(write(seeing)).parameters == model.parameters


def test_gpt_oss_alternates_windows_and_keeps_experts_in_four_bits(write):
    """gpt-oss-20b: 20,914,757,184 parameters are published."""
    model = from_config(
        write(
            {
                "model_type": "gpt_oss",
                "attention_bias": True,
                "head_dim": 64,
                "hidden_size": 2880,
                "intermediate_size": 2880,
                "layer_types": ["sliding_attention", "full_attention"] * 12,
                "max_position_embeddings": 131072,
                "num_attention_heads": 64,
                "num_experts_per_tok": 4,
                "num_hidden_layers": 24,
                "num_key_value_heads": 8,
                "num_local_experts": 32,
                "quantization_config": {"quant_method": "mxfp4"},
                "sliding_window": 128,
                "tie_word_embeddings": False,
                "vocab_size": 201088,
            }
        )
    )
    assert model.parameters == 20_914_757_184
    assert (model.window.tokens, model.window.layers) == (128, 12)
    assert "precision='fp4'" in model.source_of("layers").note


def test_llama_4_attends_in_chunks_in_three_of_four_layers(write):
    """Llama 4 Scout: 109B with its eye, 107,769,861,120 in its language model."""
    spoken = {
        "model_type": "llama4_text",
        "attention_chunk_size": 8192,
        "head_dim": 128,
        "hidden_size": 5120,
        "interleave_moe_layer_step": 1,
        "intermediate_size": 8192,
        "intermediate_size_mlp": 16384,
        "max_position_embeddings": 10485760,
        "num_attention_heads": 40,
        "num_experts_per_tok": 1,
        "num_hidden_layers": 48,
        "num_key_value_heads": 8,
        "num_local_experts": 16,
        "vocab_size": 202048,
    }
    model = from_config(write({"model_type": "llama4", "text_config": spoken}))
    layer = 2 * 5120 * 5120 + 2 * 5120 * 1024 + 17 * 3 * 5120 * 8192 + 5120 * 16 + 2 * 5120
    assert model.parameters == 48 * layer + 2 * 202048 * 5120 + 5120 == 107_769_861_120
    assert (model.window.tokens, model.window.layers, model.window.chunked) == (8192, 36, True)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (
            {"quant_method": "awq", "bits": 4, "group_size": 128},
            "(awq): solve it with precision='int4'",
        ),
        ({"quant_method": "gptq", "bits": 8}, "precision='int8'"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "precision='fp8'"),
        ({"quant_method": "awq", "w_bit": 4}, "precision='int4'"),
        ({"quant_method": "fbgemm_fp8"}, "precision='fp8'"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "precision='int4'"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "precision='int8'"),
        ({"quant_method": "gptq", "bits": 3}, "no precision here stands for"),
    ],
)
def test_a_note_says_at_which_precision_quantised_weights_are_kept(write, kept, words):
    model = from_config(write({**LLAMA, "quantization_config": kept}))
    assert words in model.source_of("layers").note
    assert model.parameters == Models.Language.Llama3_8B.parameters


@pytest.mark.parametrize(
    "data",
    [LLAMA, DEEPSEEK, PUBLISHED["GPT2"], PUBLISHED["BERT_Base"]],
    ids=lambda data: data["model_type"],
)
def test_the_yaml_loads_back_as_the_same_model(write, tmp_path, data):
    model = from_config(write(data))
    out = tmp_path / "Mine.yaml"
    out.write_text(to_yaml(model), encoding="utf-8")
    assert Models.from_yaml(out) == model
    assert out.read_text(encoding="utf-8").startswith("kind: transformer\nname: My-Model\n")


def test_a_folder_will_do_and_a_name_is_found(write):
    file = write(LLAMA, folder="Meta-Llama-3-8B")
    assert from_config(file.parent).name == "Meta-Llama-3-8B"
    assert from_config(file, name="Mine").name == "Mine"
    assert from_config(write({**LLAMA, "_name_or_path": "acme/Chat-8B"})).name == "Chat-8B"


# ---- what is refused -----------------------------------------------------------------------------


def refused(file):
    with pytest.raises(InvalidEntry) as caught:
        from_config(file)
    assert caught.value.file == str(file)
    return caught.value


def test_an_unknown_architecture_lists_the_known_ones(write):
    error = refused(write({**LLAMA, "model_type": "mamba"}))
    assert error.key == "model_type"
    assert error.remedy == f"it says 'mamba'; known are {', '.join(sorted(ARCHITECTURES))}"


@pytest.mark.parametrize(
    ("kind", "said"), [(None, "nothing"), (3, "3"), (["llama"], "['llama']"), ("", "''")]
)
def test_a_file_must_say_what_it_is(write, kind, said):
    error = refused(write({**LLAMA, "model_type": kind}))
    assert error.key == "model_type"
    assert error.remedy.startswith(f"it says {said}; known are bert, ")


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
@pytest.mark.parametrize("bad", [0, -1, 1.5, "many", True, [], 1e400, float("nan"), 10**30])
def test_a_dimension_is_a_whole_number_of_at_least_one(write, key, bad):
    assert refused(write({**LLAMA, key: bad})).key == key


def test_a_missing_dimension_is_named(write):
    data = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    error = refused(write(data))
    assert (error.key, error.remedy) == ("intermediate_size", "it is required; add it")


@pytest.mark.parametrize(
    ("changes", "key", "remedy"),
    [
        ({"num_key_value_heads": 5}, "kv_heads", "32 heads cannot share 5 evenly"),
        (
            {"num_attention_heads": 31},
            "num_attention_heads",
            "31 will not do; hidden_size 4096 is no multiple of it",
        ),
        (
            {"tie_word_embeddings": "no"},
            "tie_word_embeddings",
            "'no' will not do; give true or false",
        ),
        (
            {"mlp_bias": True},
            "mlp_bias",
            "True will not do; biases in the feed-forward alone are not understood",
        ),
    ],
)
def test_dimensions_that_contradict_each_other_are_refused(write, changes, key, remedy):
    error = refused(write({**LLAMA, **changes}))
    assert (error.key, error.remedy) == (key, remedy)


def test_heads_of_a_width_of_their_own_need_not_divide_the_model(write):
    model = from_config(write({**LLAMA, "num_attention_heads": 24, "head_dim": 100}))
    assert (model.heads, model.key_dim, model.hidden) == (24, 100, 4096)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"num_experts_per_tok": 300}, "moe.per_token"),
        ({"first_k_dense_replace": 62}, "moe.dense_layers"),
        ({"moe_layer_freq": [0, 1]}, "moe_layer_freq"),
        ({"q_lora_rank": None}, "q_lora_rank"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(write, changes, key):
    assert refused(write({**DEEPSEEK, **changes})).key == key


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, '"llama"'])
def test_a_file_that_is_no_configuration_is_refused(write, text):
    assert str(refused(write(text)))


def test_a_file_as_long_as_weights_is_not_read(tmp_path):
    file = tmp_path / "config.json"
    text = json.dumps(LLAMA)
    file.write_text(text.ljust(10_000_000), encoding="utf-8")
    assert from_config(file).layers == 32
    file.write_text(text.ljust(10_000_001), encoding="utf-8")
    assert refused(file).remedy == "it is too long; give a config.json"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in str(refused(tmp_path / "config.json"))
