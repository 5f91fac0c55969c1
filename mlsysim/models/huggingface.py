"""Import of a model from a Hugging Face `config.json` on disk; nothing is fetched.

The file gives the dimensions, and the parameters are counted from them. Norms of queries and keys,
routing biases and the like move no bytes worth timing, so they are in the count and in no operator.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, InvalidEntry, shown
from mlsysim.core.units import dim_of
from mlsysim.core.values import Source
from mlsysim.models.transformer import TransformerWorkload

_MANY_BYTES = 10_000_000  # no configuration is longer; a file of weights is


class _Config:
    """A configuration that is read key by key, so that a fault names file and key."""

    def __init__(self, where: str, data: Mapping[str, Any]) -> None:
        self.where, self.data = where, data

    def count(self, key: str, default: int | None = None, *, zero: bool = False) -> int:
        """A whole number; `null` and a key left out mean the default."""
        value = self.data.get(key)
        if value is None:
            if default is None:
                raise InvalidEntry(self.where, key, "it is required; add it")
            return default
        try:
            return dim_of(u.CountOrZero if zero else u.Count).quantity(value, key)
        except BadArgument as error:
            raise self.wrong(key, error.remedy) from None

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false; `null` and a key left out mean the default."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "give true or false")
        return default if value is None else value

    def only(self, key: str, *plain: Any) -> None:
        """Refuse what these operators cannot say: `key` has a value other than the `plain` ones."""
        if self.data.get(key) not in (None, *plain):
            raise self.wrong(key, f"only {' or '.join(map(str, plain))} is understood")

    def wrong(self, key: str, remedy: str) -> InvalidEntry:
        return InvalidEntry(self.where, key, f"{shown(self.data[key])} will not do; {remedy}")


Fields = dict[str, Any]
Reader = Callable[[_Config], tuple[Fields, int]]  # the fields, and parameters beside the operators'


def _llama(c: _Config, *, tied: bool = False) -> tuple[Fields, int]:
    """Pre-norm decoder with rotary positions and a gated feed-forward, as most are."""
    layers, hidden, heads = (
        c.count(key) for key in ("num_hidden_layers", "hidden_size", "num_attention_heads")
    )
    if c.data.get("head_dim") is None and hidden % heads:
        raise c.wrong("num_attention_heads", f"hidden_size {hidden} is no multiple of it")
    fields = {
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": c.count("num_key_value_heads", heads),
        "head_dim": c.count("head_dim", hidden // heads),
        "ffn": c.count("intermediate_size"),
        "vocab": c.count("vocab_size"),
        "context": c.count("max_position_embeddings"),
        "tied_embeddings": c.flag("tie_word_embeddings", default=tied),
    }
    attention, mlp = c.flag("attention_bias"), c.flag("mlp_bias")
    if mlp and not attention:
        raise c.wrong("mlp_bias", "biases in the feed-forward alone are not understood")
    fields |= {"biases": mlp, "qkv_bias": attention and not mlp}
    return fields, layers * hidden * (attention and not mlp)  # the bias of attention's output


def _window(c: _Config, layers: int, tokens: int | None = None, **how: Any) -> Fields:
    """The window of `layers` layers, if the file has one: `tokens`, or what it says itself."""
    tokens = tokens or c.count("sliding_window", 0, zero=True)
    return {"window": {"tokens": tokens, "layers": layers, **how}} if tokens and layers else {}


def _windowed(c: _Config, every: int, layers: int) -> int:
    """How many layers have a window: as the file lists them, or all but each `every`-th."""
    kinds = c.data.get("layer_types")
    if kinds is None:
        return layers - layers // every
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise c.wrong("layer_types", f"give one for each of {layers} layers")
    return sum(kind != "full_attention" for kind in kinds)


def _mistral(c: _Config) -> tuple[Fields, int]:
    fields, extra = _llama(c)
    return {**fields, **_window(c, fields["layers"])}, extra


def _qwen2(c: _Config) -> tuple[Fields, int]:
    fields, extra = _llama(c)
    near = 0
    if c.flag("use_sliding_window"):  # in all layers from that one on
        near = max(fields["layers"] - c.count("max_window_layers", 28, zero=True), 0)
    return {**fields, "qkv_bias": True, **_window(c, near)}, extra


def _qwen3(c: _Config) -> tuple[Fields, int]:
    fields, extra = _llama(c)
    return fields, extra + 2 * fields["layers"] * fields["head_dim"]  # norms of queries and keys


def _qwen3_moe(c: _Config) -> tuple[Fields, int]:
    c.only("decoder_sparse_step", 1)
    c.only("mlp_only_layers", [])
    fields, extra = _qwen3(c)
    return {
        **fields,
        "moe": {
            "experts": c.count("num_experts"),
            "per_token": c.count("num_experts_per_tok"),
            "ffn": c.count("moe_intermediate_size"),
        },
    }, extra


def _mixtral(c: _Config) -> tuple[Fields, int]:
    fields, extra = _mistral(c)
    return {
        **fields,
        "moe": {
            "experts": c.count("num_local_experts"),
            "per_token": c.count("num_experts_per_tok"),
            "ffn": fields["ffn"],
        },
    }, extra


def _gemma(c: _Config) -> tuple[Fields, int]:
    return _llama(c, tied=True)


def _gemma2(c: _Config) -> tuple[Fields, int]:
    fields, extra = _gemma(c)
    layers = fields["layers"]
    window = _window(c, _windowed(c, 2, layers))
    more_norms = 2 * layers * fields["hidden"]  # four a layer
    return {**fields, **window}, extra + more_norms


def _gemma3(c: _Config) -> tuple[Fields, int]:
    fields, extra = _gemma(c)
    layers = fields["layers"]
    window = _window(c, _windowed(c, c.count("sliding_window_pattern", 6), layers))
    norms = 2 * layers * (fields["hidden"] + fields["head_dim"])  # of queries and keys as well
    return {**fields, **window}, extra + norms


def _gpt_oss(c: _Config) -> tuple[Fields, int]:
    c.only("attention_bias", True)
    fields, extra = _llama(_Config(c.where, {**c.data, "attention_bias": False}))
    layers, experts = fields["layers"], c.count("num_local_experts")
    fields |= {
        "biases": True,
        "moe": {
            "experts": experts,
            "per_token": c.count("num_experts_per_tok"),
            "ffn": fields["ffn"],
        },
        **_window(c, _windowed(c, 2, layers)),
    }
    return fields, extra + layers * (experts + fields["heads"])  # routing biases, attention sinks


def _llama4(c: _Config) -> tuple[Fields, int]:
    fields, extra = _llama(c)
    layers, step = fields["layers"], c.count("interleave_moe_layer_step", 1)
    fields |= {
        "ffn": c.count("intermediate_size_mlp"),
        "moe": {
            "experts": c.count("num_local_experts"),
            "per_token": c.count("num_experts_per_tok"),
            "ffn": c.count("intermediate_size"),
            "shared": 1,
            "dense_layers": layers - layers // step,
        },
    }
    chunk = c.count("attention_chunk_size", 8192)
    near = _windowed(c, c.count("no_rope_layer_interval", 4), layers)
    return {**fields, **_window(c, near, chunk, chunked=True)}, extra


def _deepseek(c: _Config) -> tuple[Fields, int]:
    c.only("moe_layer_freq", 1)
    fields, extra = _llama(c)
    layers, dense = fields["layers"], c.count("first_k_dense_replace", 0, zero=True)
    q_rank, kv_rank = c.count("q_lora_rank"), c.count("kv_lora_rank")
    experts = c.count("n_routed_experts")
    fields |= {
        "kv_heads": None,
        "head_dim": None,
        "moe": {
            "experts": experts,
            "per_token": c.count("num_experts_per_tok"),
            "ffn": c.count("moe_intermediate_size"),
            "shared": c.count("n_shared_experts", 0, zero=True),
            "dense_layers": dense,
        },
        "mla": {
            "q_rank": q_rank,
            "kv_rank": kv_rank,
            "nope_dim": c.count("qk_nope_head_dim"),
            "rope_dim": c.count("qk_rope_head_dim"),
            "v_dim": c.count("v_head_dim"),
        },
    }
    # norms of the compressed queries and keys, and the routing bias
    return fields, extra + layers * (q_rank + kv_rank) + (layers - dense) * experts


def _gpt2(c: _Config) -> tuple[Fields, int]:
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


def _bert(c: _Config) -> tuple[Fields, int]:
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


# What `model_type` says, and how its configuration is read.
ARCHITECTURES: dict[str, Reader] = {
    "bert": _bert,
    "deepseek_v3": _deepseek,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "gemma3_text": _gemma3,
    "gpt2": _gpt2,
    "gpt_oss": _gpt_oss,
    "llama": _llama,
    "llama4": _llama4,
    "llama4_text": _llama4,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "phi3": _mistral,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
}


def from_config(path: str | Path, name: str | None = None) -> TransformerWorkload:
    """The model that a `config.json` (or the folder that holds one) describes.

    Raises InvalidEntry that names the file, the key and what would do. Its parameters are those of
    the language model: no pooler, no modules that predict further tokens, no adapters, nothing that
    sees. Where the file says that its weights are quantised, a note says at which precision to
    solve it.
    """
    file = Path(path)
    file = file / "config.json" if file.is_dir() else file
    data = _read(file)
    config = _Config(str(file), data)
    kind = config.data.get("model_type")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        given = shown(kind) if kind is not None else "nothing"
        raise InvalidEntry(str(file), "model_type", f"it says {given}; known are {known}")
    spoken = config.data.get("text_config")
    if isinstance(spoken, Mapping):
        config = _Config(str(file), spoken)
    fields, extra = ARCHITECTURES[kind](config)
    title = name or _title(data.get("_name_or_path"), file)
    note = _stored(data)
    source = Source(kind="user", ref=str(file), read=dt.date.today(), note=note)
    try:
        draft = TransformerWorkload(**fields, name=title, parameters=1, sources={"default": source})
    except InvalidEntry as error:
        raise InvalidEntry(str(file), error.key, error.remedy) from None
    return draft.replace(parameters=int(draft.counted_parameters()) + extra)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _MANY_BYTES:
            raise InvalidEntry(str(file), "", "it is too long; give a config.json")
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise InvalidEntry(str(file), "", f"it cannot be read ({why})") from None
    except json.JSONDecodeError as error:
        remedy = f"it is not JSON ({error.msg})"
        raise InvalidEntry(str(file), f"line {error.lineno}", remedy) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, InvalidEntry):
            raise
        raise InvalidEntry(str(file), "", "it is no configuration; give a config.json") from None
    if not isinstance(data, Mapping):
        raise InvalidEntry(str(file), "", "it should hold one object of keys and values")
    return data


def _title(path: Any, file: Path) -> str:
    """What to call the model: as it calls itself, or as its folder is called."""
    own = str(path).strip("/").rpartition("/")[2] if isinstance(path, str) else ""
    return own.strip() or file.resolve().parent.name or file.stem


# What `quant_method` says of the weights, where it does not give their bits.
_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "fp4"}


def _stored(data: Mapping[str, Any]) -> str | None:
    """At which precision the file's weights are kept, and how to ask for that."""
    quantised = data.get("quantization_config")
    if not isinstance(quantised, Mapping):
        return None
    method = str(quantised.get("quant_method", "unknown"))
    bits = quantised.get("bits") or quantised.get("w_bit")
    if quantised.get("load_in_4bit") or quantised.get("load_in_8bit"):
        bits = 4 if quantised.get("load_in_4bit") else 8
    precision = _METHODS.get(method) or {4: "int4", 8: "int8"}.get(bits)  # pyright: ignore[reportArgumentType]
    if precision is None:
        return f"its weights are quantised ({method}) in a way that no precision here stands for"
    return f"its weights are quantised ({method}): solve it with precision={precision!r}"


def to_yaml(model: TransformerWorkload) -> str:
    """The model as one of the registry's YAML files; `Models.from_yaml` reads it back."""
    data = model.to_dict()
    order = ["kind", "name", *(key for key in data if key not in ("kind", "name", "sources"))]
    ordered = {key: data[key] for key in [*order, "sources"]}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)


def save(model: TransformerWorkload, path: str | Path) -> None:
    """Write a model's YAML to a new file; raises BadArgument where that cannot be."""
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(to_yaml(model))
    except FileExistsError:
        raise BadArgument("out", str(path), "it exists; choose another name") from None
    except OSError as error:
        raise BadArgument("out", str(path), f"it cannot be written ({error.strerror})") from None
