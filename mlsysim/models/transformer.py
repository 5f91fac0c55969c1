"""Transformers: decoders, encoders; grouped-query and latent attention, mixtures of experts."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.core.units import PRECISIONS, Q_, Quantity, dim_of
from mlsysim.core.values import Value
from mlsysim.equations import algorithm as eq
from mlsysim.models.types import DECODE, FORWARD, PREFILL, Operator, Step, Workload, flop

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


class LatentAttention(Value):
    """Multi-head latent attention: the cache keeps `kv_rank` + `rope_dim` values a token."""

    q_rank: u.Count
    kv_rank: u.Count
    nope_dim: u.Count
    rope_dim: u.Count
    v_dim: u.Count


class TransformerWorkload(Workload):
    """A transformer described by its dimensions.

    `causal` models decode token by token (phases decode and prefill); encoders run forward.
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
    active_parameters: u.Count | None = None

    def check(self) -> None:
        """Heads share keys evenly, and their width is known."""
        super().check()
        if self.heads % (self.kv_heads or self.heads):
            raise self.wrong("kv_heads", f"{self.heads} heads cannot share {self.kv_heads} evenly")
        if self.moe and self.moe.dense_layers > self.layers:
            raise self.wrong("moe.dense_layers", f"there are only {self.layers} layers")
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

    def step(
        self, batch: Any, seq_len: Any, phase: str | None, width: Any, *, training: bool = False
    ) -> Step:
        """One step at a context of `seq_len` tokens, by default 2048 or all the model takes."""
        if seq_len is None:
            seq_len = float(min(DEFAULT_CONTEXT, self.context))
        step = super().step(batch, None, phase, width, training=training)
        return step._replace(seq_len=seq_len)

    # ---- what is kept --------------------------------------------------------------------------

    @cached_property
    def _kv_per_token(self) -> float:
        """Elements of KV cache that one token leaves behind."""
        if self.mla:
            return float(self.layers * (self.mla.kv_rank + self.mla.rope_dim))
        return float(eq.kv_elements(1, self.layers, self.key_heads, self.key_dim))

    def held_state(self, step: Step) -> Any:
        """The KV cache of every sequence in the batch; encoders keep none."""
        if not self.causal:
            return 0.0 * step.batch
        return eq.stored(step.batch * step.seq_len * self._kv_per_token, step.width)

    def kv_cache(self, seq_len: float, batch_size: float = 1, precision: str = "fp16") -> Quantity:
        """Bytes of KV cache for a batch at a context length."""
        width = PRECISIONS[dim_of(u.Precision).si(precision, "precision")]
        if not self.causal:
            raise BadArgument("model", self.name, "an encoder keeps no KV cache; give a decoder")
        batch, length = (
            dim_of(u.Batch).si(batch_size, "batch_size"),
            dim_of(u.Count).si(seq_len, "seq_len"),
        )
        step = Step(batch, length, DECODE, width)
        return Q_(self.held_state(step) / 1e9, "GB")

    # ---- the operators -------------------------------------------------------------------------

    def operators(self, step: Step) -> list[Operator]:
        """One forward step: embedding, layers, and (for decoders) the output head."""
        length = 1.0 if step.phase == DECODE else step.seq_len
        tokens = step.batch * length
        ops = [self._gather(tokens, step)]
        if self.mla:
            ops += self._latent_attention(self.mla, tokens, step)
        else:
            ops += self._attention(tokens, step)
        ops += self._feed_forward(tokens, step)
        ops.append(
            self._elementwise(
                "norm", 2 * self.layers + 1, tokens * self.hidden, tokens * self.hidden, step
            )
        )
        if self.causal:
            # only the last position of a prompt is turned into a token; training predicts them all
            rows = tokens if step.training else step.batch
            ops.append(self._gemm("head", 1, rows, self.hidden, self.vocab, step))
        return ops

    def _attention(self, tokens: Any, step: Step) -> list[Operator]:
        query, key = self.heads * self.key_dim, self.key_heads * self.key_dim
        bias = self.biases or self.qkv_bias
        return [
            self._gemm("qkv", self.layers, tokens, self.hidden, query + 2 * key, step, bias=bias),
            self._scores(tokens, self.key_dim, self.key_dim, step),
            self._gemm(
                "attention out", self.layers, tokens, query, self.hidden, step, bias=self.biases
            ),
        ]

    def _latent_attention(self, mla: LatentAttention, tokens: Any, step: Step) -> list[Operator]:
        query, head = self.heads * (mla.nope_dim + mla.rope_dim), mla.nope_dim + mla.v_dim
        # decode attends to the compressed cache itself, with the up-projections absorbed
        dims = (
            (mla.kv_rank + mla.rope_dim, mla.kv_rank)
            if step.phase == DECODE
            else (mla.nope_dim + mla.rope_dim, mla.v_dim)
        )
        return [
            self._gemm("q down", self.layers, tokens, self.hidden, mla.q_rank, step),
            self._gemm("q up", self.layers, tokens, mla.q_rank, query, step),
            self._gemm(
                "kv down", self.layers, tokens, self.hidden, mla.kv_rank + mla.rope_dim, step
            ),
            self._gemm("kv up", self.layers, tokens, mla.kv_rank, self.heads * head, step),
            self._scores(tokens, *dims, step),
            self._gemm(
                "attention out", self.layers, tokens, self.heads * mla.v_dim, self.hidden, step
            ),
        ]

    def _scores(self, tokens: Any, key_dim: int, value_dim: int, step: Step) -> Operator:
        if step.phase == DECODE:
            pairs = step.batch * step.seq_len
        elif self.causal:
            pairs = step.batch * eq.causal_pairs(step.seq_len)
        else:
            pairs = step.batch * step.seq_len * step.seq_len
        cached = self._kv_per_token / self.layers
        if step.phase == DECODE:
            state = eq.stored(
                step.batch * step.seq_len * cached, step.width
            )  # read it all, with the new token
        elif self.causal and not step.training:
            state = eq.stored(tokens * cached, step.width)  # write it
        else:
            state = 0.0
        fed = self.heads * key_dim + (0.0 if step.phase == DECODE else cached)
        return Operator(
            "attention",
            "attention",
            self.layers,
            flop(eq.attention_macs(pairs, self.heads, key_dim, value_dim)),
            0.0,
            state,
            eq.stored(tokens * fed, step.width),
            eq.stored(tokens * self.heads * value_dim, step.width),
        )

    def _feed_forward(self, tokens: Any, step: Step) -> list[Operator]:
        moe = self.moe
        dense = self.layers if moe is None else moe.dense_layers
        ops = self._mlp("ffn", dense, tokens, self.ffn, step, 1.0) if dense else []
        if moe is None:
            return ops
        routed = self.layers - moe.dense_layers
        touched = eq.distinct_experts(moe.experts, moe.per_token, tokens)
        ops.append(self._gemm("router", routed, tokens, self.hidden, moe.experts, step))
        ops += self._mlp("experts", routed, tokens * moe.per_token, moe.ffn, step, touched)
        if moe.shared:
            ops += self._mlp("shared experts", routed, tokens, moe.shared * moe.ffn, step, 1.0)
        return ops

    def _mlp(
        self, name: str, repeat: Any, tokens: Any, ffn: int, step: Step, copies: Any
    ) -> list[Operator]:
        """Up (and gate), activation, down; `copies` sets of weights are read."""
        up = 2 * ffn if self.gated else ffn
        return [
            self._gemm(
                f"{name} up", repeat, tokens, self.hidden, up, step, bias=self.biases, copies=copies
            ),
            self._elementwise(f"{name} activation", repeat, tokens * up, tokens * ffn, step),
            self._gemm(
                f"{name} down",
                repeat,
                tokens,
                ffn,
                self.hidden,
                step,
                bias=self.biases,
                copies=copies,
            ),
        ]

    def _gemm(
        self,
        name: str,
        repeat: Any,
        rows: Any,
        inner: Any,
        columns: Any,
        step: Step,
        *,
        bias: bool = False,
        copies: Any = 1.0,
    ) -> Operator:
        width = step.width
        return Operator(
            name,
            "gemm",
            repeat,
            flop(eq.matmul_macs(rows, inner, columns)),
            eq.stored(copies * (inner + bias) * columns, width),
            0.0,
            eq.stored(rows * inner, width),
            eq.stored(rows * columns, width),
        )

    def _gather(self, tokens: Any, step: Step) -> Operator:
        rows = tokens * self.hidden * (2.0 if self.learned_positions else 1.0)
        return Operator(
            "embedding",
            "gather",
            1,
            0.0 * tokens,
            eq.stored(rows, step.width),
            0.0,
            0.0,
            eq.stored(tokens * self.hidden, step.width),
        )

    def _elementwise(
        self, name: str, repeat: Any, inputs: Any, outputs: Any, step: Step
    ) -> Operator:
        return Operator(
            name,
            "elementwise",
            repeat,
            0.0,
            0.0,
            0.0,
            eq.stored(inputs, step.width),
            eq.stored(outputs, step.width),
        )

    def counted_parameters(self) -> float:
        """Weights of every operator, all experts, embeddings, positions and norms."""
        everything = 1e12  # so many tokens that every expert is touched
        ops = self.operators(Step(everything, 1.0, PREFILL, 1.0))
        matrices = sum(
            op.repeat * op.weights for op in ops if op.kind == "gemm" and op.name != "head"
        )
        norm = self.hidden * (2 if self.norm_bias else 1)
        tables = self.hidden * (self.vocab + self.learned_positions)
        head = 0 if self.tied_embeddings or not self.causal else self.hidden * self.vocab
        return float(matrices + tables + head + norm * (2 * self.layers + 1))
