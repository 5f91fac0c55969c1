"""How the configurations of models are read in which layers keep a state and no cache."""

from __future__ import annotations

from mlsysim.core.errors import InvalidEntry
from mlsysim.models.attentive import mixtral, qwen3, qwen3_moe
from mlsysim.models.configuration import Config, Fields, as_wide, experts, llama


def qwen3_next(c: Config) -> tuple[Fields, int]:
    """Three of four layers with a gated delta rule, the fourth with a gated attention."""
    if c.data.get("num_experts") is None:
        fields, extra = qwen3(c)
    else:
        fields, extra = qwen3_moe(c)
        moe = fields["moe"]
        moe["shared"] = as_wide(c, "shared_expert_intermediate_size", moe["ffn"])
        gates = (fields["layers"] - moe["dense_layers"]) * fields["hidden"]  # of the shared expert
        extra += gates if moe["shared"] else 0
    layers = fields["layers"]
    kinds = c.listed("layer_types", layers)
    full = kinds["full_attention"] if kinds else layers // c.count("full_attention_interval", 4)
    heads, head_dim = c.count("linear_num_value_heads", 32), c.count("linear_value_head_dim", 128)
    fields |= {
        "gated_attention": c.flag("attn_output_gate", default=True),
        "recurrence": {
            "layers": layers - full,
            "heads": heads,
            "head_dim": head_dim,
            "groups": c.count("linear_num_key_heads", 16),
            "key_dim": c.count("linear_key_head_dim", 128),
            "gates": 2,
            "conv_kernel": c.count("linear_conv_kernel_dim", 4),
        },
    }
    # a recurrent layer has no norms of queries and keys; it learns decays, steps and one norm
    own = 2 * heads + head_dim - 2 * fields["head_dim"]
    return fields, extra + (layers - full) * own


def minimax(c: Config) -> tuple[Fields, int]:
    """Lightning attention, whose decay is fixed, in all layers but those listed."""
    fields, extra = mixtral(c)
    layers, heads, dim = fields["layers"], fields["heads"], fields["head_dim"]
    kinds = c.listed("layer_types", layers) or c.listed("attn_type_list", layers)
    full = kinds["full_attention"] + kinds["1"] if kinds else layers - layers // 2
    recurrence = {"heads": heads, "head_dim": dim, "groups": heads, "key_dim": dim, "gates": 0}
    fields |= {"recurrence": {"layers": layers - full, **recurrence}} if full < layers else {}
    return fields, extra + (layers - full) * heads * dim  # a norm


def minimax_m2(c: Config) -> tuple[Fields, int]:
    """Routed experts, and one norm over all heads."""
    fields, extra = mixtral(c)
    layers, values = fields["layers"], fields["head_dim"] * (fields["heads"] + fields["kv_heads"])
    norms = values if c.flag("use_qk_norm", default=True) else 0
    return fields, extra + layers * (norms + fields["moe"]["experts"])  # and routing biases


def nemotron_h(c: Config) -> tuple[Fields, int]:
    """Mamba-2, attention and feed-forward each in layers of their own."""
    if c.data.get("moe_latent_size"):
        raise c.wrong("moe_latent_size", "experts of a latent space are not understood")
    blocks = c.count("num_hidden_layers")
    key = "layers_block_type" if c.data.get("layers_block_type") else "hybrid_override_pattern"
    kinds = c.listed(key, blocks)
    if kinds is None:
        raise InvalidEntry(c.where, key, "it is required; add it")
    mamba, attention = kinds["M"] + kinds["mamba"], kinds["*"] + kinds["attention"]
    routed, dense = kinds["E"] + kinds["moe"], kinds["-"] + kinds["mlp"]
    if mamba + attention + routed + dense < blocks or routed + dense > mamba + attention:
        raise c.wrong(key, "only M, *, E and - in alternation are understood")
    fields, extra = llama(c)
    heads, head_dim, state = (
        c.count(key) for key in ("mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    )
    fields |= {
        "layers": mamba + attention,
        "bare_layers": mamba + attention - routed - dense,
        "gated": False,
        "recurrence": {
            "layers": mamba,
            "heads": heads,
            "head_dim": head_dim,
            "groups": c.count("n_groups"),
            "key_dim": state,
            "conv_kernel": c.count("conv_kernel", 4),
            "conv_bias": c.flag("use_conv_bias", default=True),
        },
    }
    if routed:
        ffn = c.count("moe_intermediate_size")
        shared = as_wide(c, "moe_shared_expert_intermediate_size", ffn)
        fields |= experts(c, blocks, dense, many="n_routed_experts", shared=shared)
        extra += routed * fields["moe"]["experts"]  # routing biases
    return fields, extra + mamba * (3 * heads + heads * head_dim)  # decays, steps, skips; a norm


def mamba2(c: Config) -> tuple[Fields, int]:
    """A Mamba-2 alone, with neither attention nor feed-forward."""
    heads, head_dim, hidden = c.count("num_heads"), c.count("head_dim"), c.count("hidden_size")
    layers, expand = c.count("num_hidden_layers"), c.count("expand", 2)
    c.only("use_bias", False)
    if heads * head_dim != expand * hidden:
        raise c.wrong("num_heads", f"{heads} x {head_dim} is not {expand} x {hidden}")
    return {
        "kind": "statespace",
        "layers": layers,
        "hidden": hidden,
        "expand": expand,
        "state": c.count("state_size", 128),
        "conv_kernel": c.count("conv_kernel", 4),
        "heads": heads,
        "groups": c.count("n_groups", 8),
        "vocab": c.count("vocab_size"),
        "tied_embeddings": c.flag("tie_word_embeddings", default=c.flag("tie_embeddings")),
    }, layers * (3 * heads + expand * hidden)
