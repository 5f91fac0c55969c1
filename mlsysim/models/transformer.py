"""Transformers: decoders, encoders; grouped-query and latent attention, mixtures of experts."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import PRECISIONS, Q_, Quantity, dim_of
from mlsysim.core.values import Value
from mlsysim.equations import algorithm as eq
from mlsysim.models.compressed import CompressedAttention, Heads
from mlsysim.models.mixers import Indexer, LatentAttention, Recurrence, Window
from mlsysim.models.operators import (
    COLUMNS,
    DECODE,
    EMBEDDING,
    END,
    EXPERTS,
    FORWARD,
    HEAD,
    LOSS,
    MATRICES,
    PREFILL,
    ROWS,
    Operator,
    Split,
    Step,
)
from mlsysim.models.parts import elementwise, gemm, scores
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths

DEFAULT_CONTEXT = 2048


class MixtureOfExperts(Value):
    """Routed experts: `per_token` of `experts` for each token, and `shared` ones that all pass."""

    experts: u.Count
    per_token: u.Count
    ffn: u.Count
    shared: u.CountOrZero = 0
    dense_layers: u.CountOrZero = 0

    def check(self) -> None:
        """A token picks from the experts that there are."""
        if self.per_token > self.experts:
            raise self.wrong(
                "per_token", f"{self.per_token} of {self.experts} experts cannot be picked"
            )


class TransformerWorkload(Workload):
    """A transformer described by its dimensions.

    `causal` models decode token by token (phases decode and prefill); encoders run forward. Of its
    `layers` those of a `recurrence` do not attend, and the `bare_layers` have no feed-forward. A
    `gated_attention` has a gate for every value that it gives.
    """

    kind: Literal["transformer"] = "transformer"
    layers: u.Count
    hidden: u.Count
    heads: u.Count
    kv_heads: u.Count | None = None
    head_dim: u.Count | None = None
    ffn: u.Count
    gated: bool = True
    vocab: u.Count
    context: u.Count
    tied_embeddings: bool = False
    learned_positions: u.CountOrZero = 0
    biases: bool = False
    qkv_bias: bool = False
    norm_bias: bool = False
    causal: bool = True
    moe: MixtureOfExperts | None = None
    mla: LatentAttention | None = None
    window: Window | None = None
    indexer: Indexer | None = None
    compressed: CompressedAttention | None = None
    recurrence: Recurrence | None = None
    gated_attention: bool = False
    bare_layers: u.CountOrZero = 0
    active_parameters: u.Count | None = None

    def check(self) -> None:
        """Heads share keys evenly, and their width is known."""
        super().check()
        if self.heads % (self.kv_heads or self.heads):
            raise self.wrong("kv_heads", f"{self.heads} heads cannot share {self.kv_heads} evenly")
        fed = self.layers - self.bare_layers
        for key, many, there in (
            ("recurrence.layers", self.layers - self.attending, self.layers),
            ("window.layers", self.window and self.window.layers, self.attending),
            ("indexer.layers", self.indexer and self.indexer.layers, self.attending),
            ("compressed.streams", self.compressed and self.compressed.layers, self.layers),
            ("bare_layers", self.bare_layers, self.layers),
            ("moe.dense_layers", self.moe and self.moe.dense_layers, fed),
        ):
            if (many or 0) > there:
                raise self.wrong(key, f"there are only {there} layers")
        if self.indexer and not self.mla:
            raise self.wrong("indexer", "only latent attention (mla) has one")
        if self.compressed and (self.mla or self.window or self.recurrence):
            raise self.wrong("compressed", "it is all of a model's attention; leave out the other")
        if self.head_dim is None and self.hidden % self.heads:
            raise self.wrong(
                "head_dim",
                f"hidden {self.hidden} is no multiple of {self.heads} heads; give head_dim",
            )

    @property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override] - here the entry decides
        """Decoders decode and prefill; encoders run forward."""
        return (DECODE, PREFILL) if self.causal else (FORWARD,)

    @property
    def key_heads(self) -> int:
        """Key-value heads: `kv_heads`, or one for each query head."""
        return self.kv_heads or self.heads

    @property
    def key_dim(self) -> int:
        """Values in one head: `head_dim`, or an even share of `hidden`."""
        return self.head_dim or self.hidden // self.heads

    @property
    def attending(self) -> int:
        """Layers with attention: all but those of a recurrence."""
        return self.layers - (self.recurrence.layers if self.recurrence else 0)

    @property
    def near(self) -> Window | Indexer | CompressedAttention | None:
        """What keeps some layers from attending to all tokens of a long context."""
        return self.window or self.indexer or self.compressed

    @property
    def routed_layers(self) -> int:
        """Layers whose feed-forward is a mixture of experts."""
        return self.layers - self.bare_layers - self.moe.dense_layers if self.moe else 0

    def length(self, seq_len: Any) -> Any:
        """A context of `seq_len` tokens, by default 2048 or all that the model takes."""
        return float(min(DEFAULT_CONTEXT, self.context)) if seq_len is None else seq_len

    # ---- what is kept --------------------------------------------------------------------------

    @cached_property
    def _kept(self) -> float:
        """Elements of KV cache that one token leaves behind in a layer."""
        if self.mla:
            return float(self.mla.kv_rank + self.mla.rope_dim)
        return float(eq.kv_elements(1, 1, self.key_heads, self.key_dim))

    @cached_property
    def _reaches(self) -> list[tuple[float, Window | Indexer | None]]:
        """How many layers attend to all, and how many to a window or to what is picked."""
        layers = 0.0 if self.compressed else float(self.attending)
        near = float(self.window.layers or layers) if self.window else 0.0
        kinds = [(layers - near, self.indexer), (near, self.window)]
        return [kind for kind in kinds if kind[0]]

    @property
    def _indexing(self) -> float:
        """Layers that pick for themselves what they attend to."""
        return float(self.indexer.layers or self.attending) if self.indexer else 0.0

    def held_state(self, step: Step) -> Any:
        """The KV cache of every sequence in the batch; encoders keep none."""
        if not self.causal:
            return 0.0 * step.batch
        values = 0.0
        if self.compressed:
            values = self.compressed.kept(self.layers, self.key_dim, step.seq_len)
        for layers, near in self._reaches:
            values = values + layers * self._kept * (
                near.kept(step.seq_len) if near else step.seq_len
            )
        if self.indexer:
            values = values + self._indexing * self.indexer.dim * step.seq_len
        if self.recurrence:
            values = values + self.recurrence.layers * self.recurrence.state_elements
        return eq.stored(step.batch * values, step.widths.cache) + 0.0 * step.seq_len

    def kv_cache(self, seq_len: float, batch_size: float = 1, precision: str = "fp16") -> Quantity:
        """Bytes of KV cache for a batch at a context length."""
        width = PRECISIONS[dim_of(u.Precision).si(precision, "precision")]
        if not self.causal:
            raise BadArgument("model", self.name, "an encoder keeps no KV cache; give a decoder")
        batch, length = (
            dim_of(u.Batch).si(batch_size, "batch_size"),
            dim_of(u.Count).si(seq_len, "seq_len"),
        )
        step = self.step(batch, length, DECODE, Widths.equal(width))
        return Q_(self.held_state(step) / 1e9, "GB")

    # ---- the operators -------------------------------------------------------------------------

    def operators(self, step: Step) -> list[Operator]:
        """One forward step: embedding, layers, and (for decoders) the output head."""
        tokens, widths = step.tokens, step.widths
        values = eq.stored(tokens * self.hidden, widths.activations)
        norm = eq.stored(self.hidden * (1 + self.norm_bias), widths.tables)
        ops = [
            self._gather(tokens, step),
            *self._mixers(tokens, step),
            *self._feed_forward(tokens, step),
            elementwise("norm", 2 * self.layers - self.bare_layers, values, values, held=norm),
            elementwise("norm", 1, values, values, held=norm, split=END),
        ]
        if self.causal:
            # only the last position of a prompt is turned into a token; training predicts them all
            rows = tokens if step.training or step.phase == DECODE else step.batch
            own = not self.tied_embeddings
            ops.append(gemm("head", 1, rows, self.hidden, self.vocab, widths, split=HEAD, held=own))
            if step.training:  # the loss keeps the logits of every position at full width
                logits = eq.stored(rows * self.vocab, PRECISIONS["fp32"])
                ops.append(elementwise("loss", 1, logits, 0.0, split=LOSS))
        return ops

    def _mixers(self, tokens: Any, step: Step) -> list[Operator]:
        """Attention in the layers that have it, and the recurrence of the others."""
        if self.compressed:
            heads = Heads(self.hidden, self.heads, self.key_dim)
            cached = self._cached(step)
            return self.compressed.operators(self.layers, heads, step, cached=cached)
        mix = self._latent_attention if self.mla else self._attention
        return [
            *(mix(tokens, step) if self.attending else []),
            *(self.recurrence.operators(self.hidden, step) if self.recurrence else []),
        ]

    def _attention(self, tokens: Any, step: Step) -> list[Operator]:
        n, widths, hidden = self.attending, step.widths, self.hidden
        dim, bias, parts = self.key_dim, self.biases or self.qkv_bias, 3 + self.gated_attention
        query = self.heads * dim
        asked = query * (1 + self.gated_attention)
        out = asked + 2 * self.key_heads * dim
        given = asked if self._cached(step) else out  # keys and values go into the cache, once
        qkv = {"bias": bias, "split": COLUMNS, "parts": parts, "given": given}
        return [
            gemm("qkv", n, tokens, hidden, out, widths, **qkv),
            *self._scores(tokens, dim, dim, step),
            gemm("attention out", n, tokens, query, hidden, widths, bias=self.biases, split=ROWS),
        ]

    def _latent_attention(self, tokens: Any, step: Step) -> list[Operator]:
        mla, n, width, hidden = self.mla, self.attending, step.widths, self.hidden
        assert mla is not None
        query, head = self.heads * (mla.nope_dim + mla.rope_dim), mla.nope_dim + mla.v_dim
        compressed, value = mla.kv_rank + mla.rope_dim, self.heads * mla.v_dim
        # decode, and whatever picks tokens, attends to the compressed cache itself, with the
        # up-projections absorbed; a prompt builds keys and values of all that it sees from it
        absorbed = step.phase == DECODE or self.indexer is not None
        dims = (compressed, mla.kv_rank) if absorbed else (mla.nope_dim + mla.rope_dim, mla.v_dim)
        seen = tokens if absorbed else step.batch * step.seq_len
        picked, cached = self.indexer, self._cached(step)
        index = (
            picked.operators(self._indexing, hidden, mla.q_rank, step, cached=cached)
            if picked
            else []
        )
        return [
            *index,
            gemm("q down", n, tokens, hidden, mla.q_rank, width),
            gemm("q up", n, tokens, mla.q_rank, query, width, split=COLUMNS),
            gemm("kv down", n, tokens, hidden, compressed, width),
            gemm("kv up", n, seen, mla.kv_rank, self.heads * head, width, split=COLUMNS),
            *self._scores(tokens, *dims, step),
            gemm("attention out", n, tokens, value, hidden, width, split=ROWS),
        ]

    def _cached(self, step: Step) -> bool:
        """Whether the step leaves its keys and values in a cache."""
        return self.causal and not step.training

    def _scores(self, tokens: Any, key_dim: int, value_dim: int, step: Step) -> list[Operator]:
        """Attention of the new tokens to those that they see, in layers of each reach."""
        cached, widths = self._cached(step), step.widths
        # what is not read from a cache comes from the product before it
        fed = self.heads * key_dim + (0.0 if step.phase == DECODE else self._kept)
        ops = []
        for layers, near in self._reaches:
            if not self.causal:
                pairs, past = step.seq_len * step.seq_len, 0.0
            elif near is None:
                pairs, past = eq.causal_pairs(step.new, step.past), step.past
            else:
                pairs, past = near.pairs(step), near.reach(step)
            moved = cached * step.batch * (past + step.new)
            macs = eq.attention_macs(step.batch * pairs, self.heads, key_dim, value_dim)
            values = tokens * fed, tokens * self.heads * value_dim
            ops.append(scores("attention", layers, macs, moved * self._kept, values, widths))
        return ops

    def _feed_forward(self, tokens: Any, step: Step) -> list[Operator]:
        moe = self.moe
        dense = self.layers - self.bare_layers - self.routed_layers
        ops = self._mlp("ffn", dense, tokens, self.ffn, step) if dense else []
        if moe is None:
            return ops
        routed, many = self.routed_layers, moe.experts
        sets = {"read": eq.distinct_experts(many, moe.per_token, tokens), "held": many}
        ops.append(gemm("router", routed, tokens, self.hidden, many, step.widths))
        ops += self._mlp("experts", routed, tokens * moe.per_token, moe.ffn, step, EXPERTS, **sets)
        if moe.shared:
            ops += self._mlp("shared experts", routed, tokens, moe.shared * moe.ffn, step)
        return ops

    def _mlp(
        self,
        name: str,
        repeat: Any,
        tokens: Any,
        ffn: int,
        step: Step,
        splits: tuple[Split, ...] = MATRICES,
        **sets: Any,
    ) -> list[Operator]:
        """Up (and gate), activation, down; of several `sets` of weights some are read."""
        up, between, down = splits
        wide, hidden, width = 2 * ffn if self.gated else ffn, self.hidden, step.widths
        read, written = (eq.stored(tokens * size, width.activations) for size in (wide, ffn))
        how = {"bias": self.biases, **sets}
        return [
            gemm(
                *(f"{name} up", repeat, tokens, hidden, wide, width),
                **{"split": up, "parts": 1 + self.gated, **how},
            ),
            elementwise(f"{name} activation", repeat, read, written, split=between),
            gemm(f"{name} down", repeat, tokens, ffn, hidden, width, split=down, **how),
        ]

    def _gather(self, tokens: Any, step: Step) -> Operator:
        """The rows of the tokens, and where positions are learned, one of theirs for each."""
        rows = tokens * self.hidden * (2.0 if self.learned_positions else 1.0)
        return Operator(
            "embedding",
            "gather",
            1,
            0.0 * tokens,
            eq.stored(rows, step.widths.tables),
            0.0,
            0.0,
            eq.stored(tokens * self.hidden, step.widths.activations),
            eq.stored((self.vocab + self.learned_positions) * self.hidden, step.widths.tables),
            EMBEDDING,
        )
