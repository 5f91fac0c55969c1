"""A Hugging Face configuration, read key by key, and what most architectures say alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument, InvalidEntry, shown
from mlsysim.core.units import dim_of


class Config:
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

    def listed(self, key: str, layers: int) -> Counter[Any] | None:
        """How many layers are of each kind that a list (or a string of letters) gives, if any."""
        kinds = self.data.get(key)
        if not kinds:
            return None
        if not isinstance(kinds, list | str) or len(kinds) != layers:
            raise self.wrong(key, f"give one for each of {layers} layers")
        return Counter(map(str, kinds))

    def defaulting(self, **others: Any) -> Config:
        """The same, where `others` stand for keys that it leaves out."""
        return Config(self.where, {**others, **self.data})

    def wrong(self, key: str, remedy: str) -> InvalidEntry:
        """The refusal of a key's value, with what would do."""
        return InvalidEntry(self.where, key, f"{shown(self.data.get(key))} will not do; {remedy}")


Fields = dict[str, Any]
Reader = Callable[[Config], tuple[Fields, int]]  # the fields, and parameters beside the operators'


def llama(c: Config, *, tied: bool = False) -> tuple[Fields, int]:
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


def window(c: Config, layers: int, tokens: int | None = None, **how: Any) -> Fields:
    """The window of `layers` layers, if the file has one: `tokens`, or what it says itself."""
    tokens = tokens or c.count("sliding_window", 0, zero=True)
    return {"window": {"tokens": tokens, "layers": layers, **how}} if tokens and layers else {}


def windowed(c: Config, every: int, layers: int) -> int:
    """How many layers have a window: as the file lists them, or all but each `every`-th."""
    kinds = c.listed("layer_types", layers)
    return layers - (kinds["full_attention"] if kinds else layers // every)


def experts(
    c: Config,
    layers: int,
    dense: int,
    *,
    many: str,
    ffn: str = "moe_intermediate_size",
    shared: int = 0,
) -> Fields:
    """A mixture of experts in all but the `dense` layers; `many` and `ffn` are keys of the file."""
    kinds = c.listed("mlp_layer_types", layers)
    return {
        "moe": {
            "experts": c.count(many),
            "per_token": c.count("num_experts_per_tok"),
            "ffn": c.count(ffn),
            "shared": shared,
            "dense_layers": kinds["dense"] if kinds else dense,
        }
    }


def as_wide(c: Config, key: str, ffn: int) -> int:
    """How many experts of the width `ffn` make up the shared one."""
    wide = c.count(key, 0, zero=True)
    if wide % ffn:
        raise c.wrong(key, f"only multiples of {ffn}, the width of an expert, are understood")
    return wide // ffn
