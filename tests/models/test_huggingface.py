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


def test_what_is_left_out_is_said(write):
    note = from_config(write(PUBLISHED["Mistral_7B"])).source_of("layers").note
    assert "sliding window of 4096" in note
    assert from_config(write(PUBLISHED["Qwen2_5_7B"])).source_of("layers").note is None


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
    assert all(name in str(error) for name in ARCHITECTURES)


@pytest.mark.parametrize("kind", [None, 3, ["llama"], ""])
def test_a_file_must_say_what_it_is(write, kind):
    assert refused(write({**LLAMA, "model_type": kind})).key == "model_type"


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
@pytest.mark.parametrize("bad", [0, -1, 1.5, "many", True, [], 1e400, float("nan"), 10**30])
def test_a_dimension_is_a_whole_number_of_at_least_one(write, key, bad):
    assert refused(write({**LLAMA, key: bad})).key == key


def test_a_missing_dimension_is_named(write):
    data = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    assert refused(write(data)).key == "intermediate_size"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"num_key_value_heads": 5}, "kv_heads"),
        ({"num_attention_heads": 31}, "num_attention_heads"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings"),
        ({"mlp_bias": True}, "mlp_bias"),
    ],
)
def test_dimensions_that_contradict_each_other_are_refused(write, changes, key):
    assert refused(write({**LLAMA, **changes})).key == key


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"num_experts_per_tok": 300}, "moe.per_token"),
        ({"first_k_dense_replace": 62}, "moe.dense_layers"),
        ({"moe_layer_freq": 2}, "moe_layer_freq"),
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
    file.write_text('{"model_type": "llama"}' + " " * 10_000_000, encoding="utf-8")
    assert "it is too long; give a config.json" in str(refused(file))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in str(refused(tmp_path / "config.json"))
