"""How the configurations of models are read in which every layer attends."""

from __future__ import annotations

from collections import Counter

from mlsysim.models.configuration import Config, Fields, experts, llama, window, windowed


def mistral(c: Config) -> tuple[Fields, int]:
    """A window in every layer, where the file has one."""
    fields, extra = llama(c)
    return {**fields, **window(c, fields["layers"])}, extra


def qwen2(c: Config) -> tuple[Fields, int]:
    """Biases of queries, keys and values; a window in the last layers, if it is used."""
    fields, extra = llama(c)
    near = 0
    if c.flag("use_sliding_window"):  # in all layers from that one on
        near = max(fields["layers"] - c.count("max_window_layers", 28, zero=True), 0)
    return {**fields, "qkv_bias": True, **window(c, near)}, extra


def qwen3(c: Config) -> tuple[Fields, int]:
    """Norms of queries and keys."""
    fields, extra = llama(c)
    return fields, extra + 2 * fields["layers"] * fields["head_dim"]  # norms of queries and keys


def _routed(c: Config, layers: int) -> int:
    """Layers that do not route: all but each `decoder_sparse_step`-th, and those listed."""
    step, listed = c.count("decoder_sparse_step", 1), c.data.get("mlp_only_layers") or []
    if not isinstance(listed, list):
        raise c.wrong("mlp_only_layers", "give a list of layers")
    return sum(bool((i + 1) % step) or i in listed for i in range(layers))


def qwen3_moe(c: Config) -> tuple[Fields, int]:
    """The same with routed experts."""
    c = c.defaulting(intermediate_size=c.data.get("moe_intermediate_size"))
    fields, extra = qwen3(c)
    dense = _routed(c, fields["layers"])
    return {**fields, **experts(c, fields["layers"], dense, many="num_experts")}, extra


def mixtral(c: Config) -> tuple[Fields, int]:
    """Routed experts as wide as the feed-forward."""
    fields, extra = mistral(c)
    return {
        **fields,
        **experts(c, fields["layers"], 0, many="num_local_experts", ffn="intermediate_size"),
    }, extra


def gemma(c: Config) -> tuple[Fields, int]:
    """One table for words in and out."""
    return llama(c, tied=True)


def gemma2(c: Config) -> tuple[Fields, int]:
    """Four norms a layer; a window in every second."""
    fields, extra = gemma(c)
    layers = fields["layers"]
    near = window(c, windowed(c, 2, layers))
    more_norms = 2 * layers * fields["hidden"]  # four a layer
    return {**fields, **near}, extra + more_norms


_GEMMA3 = {  # what the published files leave out
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
}


def gemma3(c: Config) -> tuple[Fields, int]:
    """Norms of queries and keys as well; a window in five of six layers."""
    c = c.defaulting(**_GEMMA3)
    fields, extra = gemma(c)
    layers = fields["layers"]
    near = window(c, windowed(c, c.count("sliding_window_pattern", 6), layers))
    norms = 2 * layers * (fields["hidden"] + fields["head_dim"])  # of queries and keys as well
    return {**fields, **near}, extra + norms


def gpt_oss(c: Config) -> tuple[Fields, int]:
    """Biases everywhere, sinks of attention; a window in every second layer."""
    c.only("attention_bias", True)
    fields, extra = llama(Config(c.where, {**c.data, "attention_bias": False}))
    layers = fields["layers"]
    fields |= {
        "biases": True,
        **experts(c, layers, 0, many="num_local_experts", ffn="intermediate_size"),
        **window(c, windowed(c, 2, layers)),
    }
    # routing biases, attention sinks
    return fields, extra + layers * (fields["moe"]["experts"] + fields["heads"])


def llama4(c: Config) -> tuple[Fields, int]:
    """Chunks in three of four layers; one shared expert in those that route."""
    fields, extra = llama(c)
    layers, step = fields["layers"], c.count("interleave_moe_layer_step", 1)
    listed = c.data.get("moe_layers")
    routed = len(listed) if isinstance(listed, list) else layers // step
    rotary = c.listed("no_rope_layers", layers)  # 1 where it has rotary positions, and chunks
    chunk = c.count("attention_chunk_size", 8192)
    near = rotary["1"] if rotary else windowed(c, c.count("no_rope_layer_interval", 4), layers)
    return {
        **fields,
        "ffn": c.count("intermediate_size_mlp"),
        **experts(
            c, layers, layers - routed, many="num_local_experts", ffn="intermediate_size", shared=1
        ),
        **window(c, near, chunk, chunked=True),
    }, extra


def _first_dense(c: Config, layers: int) -> int:
    """Layers before the first that routes, and those that `moe_layer_freq` leaves out."""
    first, every = c.count("first_k_dense_replace", 0, zero=True), c.data.get("moe_layer_freq")
    if isinstance(every, list):
        kinds = c.listed("moe_layer_freq", layers)
        return layers - kinds["1"] if kinds else 0
    every = c.count("moe_layer_freq", 1)
    return sum(i < first or bool(i % every) for i in range(max(layers, first)))


def deepseek(c: Config) -> tuple[Fields, int]:
    """Latent attention; the first layers do not route."""
    fields, extra = llama(c)
    layers = fields["layers"]
    shared, dense = c.count("n_shared_experts", 0, zero=True), _first_dense(c, layers)
    q_rank, kv_rank = c.count("q_lora_rank"), c.count("kv_lora_rank")
    fields |= {
        "kv_heads": None,
        "head_dim": None,
        **experts(c, layers, dense, many="n_routed_experts", shared=shared),
        "mla": {
            "q_rank": q_rank,
            "kv_rank": kv_rank,
            "nope_dim": c.count("qk_nope_head_dim"),
            "rope_dim": c.count("qk_rope_head_dim"),
            "v_dim": c.count("v_head_dim"),
        },
    }
    routed = layers - fields["moe"]["dense_layers"]
    # norms of the compressed queries and keys, and the routing bias
    return fields, extra + layers * (q_rank + kv_rank) + routed * fields["moe"]["experts"]


def sparse_deepseek(c: Config) -> tuple[Fields, int]:
    """The same, attending to what an indexer picks."""
    fields, extra = deepseek(c)
    layers, dim = fields["layers"], c.count("index_head_dim")
    kinds = c.listed("indexer_types", layers)
    scoring = kinds["full"] if kinds else layers
    fields["indexer"] = {
        "heads": c.count("index_n_heads"),
        "dim": dim,
        "tokens": c.count("index_topk"),
        "layers": scoring if scoring < layers else None,
    }
    return fields, extra + scoring * 2 * dim  # a norm of the keys, with its shift


def deepseek_v4(c: Config) -> tuple[Fields, int]:
    """Attention to a window and to what is compressed of the rest; all layers route."""
    fields, extra = llama(c.defaulting(intermediate_size=c.data.get("moe_intermediate_size")))
    layers, hidden, dim = (fields[key] for key in ("layers", "hidden", "head_dim"))
    q_rank, ratios = c.count("q_lora_rank"), c.data.get("compress_ratios")
    if not isinstance(ratios, list) or len(ratios) < layers:
        raise c.wrong("compress_ratios", f"give one for each of {layers} layers")
    many = Counter(ratios[:layers])  # those behind the last are of modules that predict tokens
    index = {"heads": "index_n_heads", "dim": "index_head_dim", "tokens": "index_topk"}
    streams = [
        {"layers": many[4], "rate": 4, "overlap": True}
        | {"indexer": {name: c.count(key) for name, key in index.items()}},
        {"layers": many[128], "rate": 128},
    ]
    if many[0] + many[4] + many[128] < layers:
        raise c.wrong("compress_ratios", "only 0, 4 and 128 are understood")
    shared, hashed = (
        c.count("n_shared_experts", 0, zero=True),
        c.count("num_hash_layers", 0, zero=True),
    )
    fields |= {
        **experts(c, layers, 0, many="n_routed_experts", shared=shared),
        "compressed": {
            "q_rank": q_rank,
            "o_rank": c.count("o_lora_rank"),
            "o_groups": c.count("o_groups"),
            "window": c.count("sliding_window"),
            "streams": [stream for stream in streams if stream["layers"]],
        },
    }
    index_dim, ways = c.count("index_head_dim"), c.count("hc_mult", 1)
    # norms, sinks and routing biases; positions in a window; the weights that mix `ways` residuals
    small = layers * (q_rank + dim + fields["heads"]) + (layers - hashed) * fields["moe"]["experts"]
    placed = many[4] * (4 * 2 + 1) * (dim + index_dim) + many[128] * (128 + 1) * dim
    mixing = (2 + ways) * ways * (ways * hidden + 1) + 3
    ending = ways * (ways * hidden + 1) + 1
    return fields, extra + small + placed + 2 * layers * mixing + ending


def glm4_moe(c: Config) -> tuple[Fields, int]:
    """Grouped heads and routed experts; the first layers do not route."""
    fields, _ = llama(c)
    layers, shared = fields["layers"], c.count("n_shared_experts", 0, zero=True)
    dense = _first_dense(c, layers)
    fields |= experts(c, layers, dense, many="n_routed_experts", shared=shared)
    norms = 2 * fields["head_dim"] if c.flag("use_qk_norm") else 0  # its output has no bias
    return fields, layers * norms + (layers - dense) * fields["moe"]["experts"]


def gpt2(c: Config) -> tuple[Fields, int]:
    """Learned positions, biases, and a feed-forward without a gate."""
    hidden = c.count("n_embd")
    positions = c.count("n_positions", c.count("n_ctx", 1024))
    return {
        "layers": c.count("n_layer"),
        "hidden": hidden,
        "heads": c.count("n_head"),
        "ffn": c.count("n_inner", 4 * hidden),
        "gated": False,
        "vocab": c.count("vocab_size"),
        "context": positions,
        "learned_positions": positions,
        "biases": True,
        "norm_bias": True,
        "tied_embeddings": c.flag("tie_word_embeddings", default=True),
    }, 0


def bert(c: Config) -> tuple[Fields, int]:
    """An encoder; two types of tokens are told apart."""
    hidden, positions = c.count("hidden_size"), c.count("max_position_embeddings")
    return {
        "layers": c.count("num_hidden_layers"),
        "hidden": hidden,
        "heads": c.count("num_attention_heads"),
        "ffn": c.count("intermediate_size"),
        "gated": False,
        "vocab": c.count("vocab_size"),
        "context": positions,
        "learned_positions": positions,
        "biases": True,
        "norm_bias": True,
        "causal": False,
        "tied_embeddings": True,
    }, c.count("type_vocab_size", 2) * hidden
