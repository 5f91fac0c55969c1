"""How the layers of a decoder mix tokens: what attention reaches and keeps, and recurrences."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.values import Value
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import (
    ATTENTION,
    BETWEEN,
    COLUMNS,
    DECODE,
    ROWS,
    WHOLE,
    Operator,
    Split,
    Step,
)
from mlsysim.models.parts import gemm, scores
from mlsysim.models.types import flop

SCAN_MACS = 3.0  # a state element is decayed, fed, and read out: one product each


class Window(Value):
    """Attention that reaches back over the last `tokens` only, in `layers` layers or in all.

    A `chunked` one sees what stands before it in its own chunk of so many tokens.
    """

    tokens: u.Count
    layers: u.Count | None = None
    chunked: bool = False

    def pairs(self, step: Step) -> Any:
        """(Query, key) pairs of one sequence."""
        count = eq.chunked_pairs if self.chunked else eq.windowed_pairs
        return count(step.new, step.past, self.tokens)

    def reach(self, step: Step) -> Any:
        """How many of the tokens before them the first of the new ones sees."""
        if self.chunked:
            return step.past % self.tokens
        return np.minimum(step.past, self.tokens - 1.0)

    def kept(self, tokens: Any) -> Any:
        """Of so many tokens those that a cache must keep."""
        return np.minimum(tokens, self.tokens)


class LatentAttention(Value):
    """Multi-head latent attention: the cache keeps `kv_rank` + `rope_dim` values a token."""

    q_rank: u.Count
    kv_rank: u.Count
    nope_dim: u.Count
    rope_dim: u.Count
    v_dim: u.Count


class Indexer(Value):
    """Sparse attention: small heads score all tokens, and attention sees the best `tokens`.

    `layers` of them score, or all; the others take over what was picked before them. A score is
    one product of `dim` values for each of `heads`, and the cache keeps one key of `dim` a token.
    Source: DeepSeek-AI (2025), DeepSeek-V3.2, section 2.1, arXiv:2512.02556.
    """

    heads: u.Count
    dim: u.Count
    tokens: u.Count
    layers: u.Count | None = None
    chunked: ClassVar[bool] = False

    def pairs(self, step: Step) -> Any:
        """(Query, key) pairs of one sequence: as many as in a window, wherever they stand."""
        return eq.windowed_pairs(step.new, step.past, self.tokens)

    def reach(self, step: Step) -> Any:
        """How many of the tokens before them are read; those of a prompt pick from all."""
        return np.minimum(step.past, self.tokens - 1.0) if step.phase == DECODE else step.past

    def kept(self, tokens: Any) -> Any:
        """All tokens stay: each may be picked later."""
        return tokens

    def operators(
        self,
        layers: float,
        hidden: int,
        q_rank: int,
        step: Step,
        *,
        cached: bool,
        rate: float = 1.0,
        mixed: int = 1,
    ) -> list[Operator]:
        """Queries from the compressed ones, a key and a weight for each head, and the scores.

        One key of `rate` tokens is mixed from `mixed` values of each.
        """
        tokens, widths = step.tokens, step.widths
        pairs = step.batch * eq.causal_pairs(step.new, step.past) / rate
        read = cached * step.batch * step.seq_len / rate
        fed = self.heads * (self.dim + 1.0)
        return [
            gemm("index queries", layers, tokens, q_rank, self.heads * self.dim, widths),
            gemm("index keys", layers, tokens, hidden, mixed * self.dim, widths),
            gemm("index weights", layers, tokens, hidden, self.heads, widths),
            scores(
                *("index scores", layers, eq.attention_macs(pairs, self.heads, self.dim, 0.0)),
                *(read * self.dim, (tokens * fed, 0.0 * tokens), widths, WHOLE),
            ),
        ]


class Recurrence(Value):
    """`layers` that keep a state of fixed size, and no cache: linear attention, Mamba-2.

    Each of `heads` keeps a matrix of `key_dim` x `head_dim`; `groups` of them share keys and
    queries. `gates` numbers steer a head at each token: none where its decay is learned, the decay
    (Mamba-2), or decay and strength of a delta rule. The convolution over the last tokens, where
    there is one, runs over keys, queries and values.
    """

    layers: u.Count
    heads: u.Count
    head_dim: u.Count
    groups: u.Count
    key_dim: u.Count
    gates: u.CountOrZero = 1
    conv_kernel: u.CountOrZero = 0
    conv_bias: bool = False

    def check(self) -> None:
        """Heads share keys evenly."""
        if self.heads % self.groups:
            raise self.wrong("groups", f"{self.heads} heads cannot share {self.groups} evenly")

    @property
    def inner(self) -> int:
        """Values of all heads together."""
        return self.heads * self.head_dim

    @property
    def channels(self) -> int:
        """What the convolution runs over: values, keys and queries."""
        return self.inner + 2 * self.groups * self.key_dim

    @property
    def state_elements(self) -> float:
        """Values that one sequence keeps in a layer: the states, and the convolution's window."""
        return float(self.inner * self.key_dim + self.channels * self.conv_kernel)

    def operators(self, hidden: int, step: Step) -> list[Operator]:
        """In (with a gate for every value), convolution, scan, out."""
        tokens, widths, n = step.tokens, step.widths, self.layers
        size, inner = self.channels, self.inner
        entering = size + inner + self.gates * self.heads
        ops = [gemm("recurrence in", n, tokens, hidden, entering, widths, split=COLUMNS, parts=2)]
        if self.conv_kernel:
            taps, learned = self.conv_kernel, (self.conv_kernel + self.conv_bias) * size
            macs = eq.conv_macs(tokens, taps, size, size, size)
            ops.append(mixed("conv", n, macs, size * taps, learned, (size, size), step, BETWEEN))
        products = SCAN_MACS + (self.gates > 1)  # a delta rule also reads what it corrects
        macs, kept = products * tokens * inner * self.key_dim, inner * self.key_dim
        ops.append(mixed("scan", n, macs, kept, 0.0, (entering, inner), step, BETWEEN))
        return [*ops, gemm("recurrence out", n, tokens, inner, hidden, widths, split=ROWS)]


def mixed(
    name: str,
    layers: Any,
    macs: Any,
    kept: float,
    learned: float,
    values: tuple[float, float],
    step: Step,
    split: Split = WHOLE,
) -> Operator:
    """A convolution or scan over tokens, with so many `values` in and out for each of them.

    Decode reads and writes the `kept` values of each sequence, a prompt leaves them behind. A scan
    is costed at the peak of matrix products, which it does not reach.
    """
    ways = 0.0 if step.training else 2.0 if step.phase == DECODE else 1.0
    held = eq.stored(learned, step.widths.weights)
    read, written = (eq.stored(step.tokens * size, step.widths.activations) for size in values)
    state = eq.stored(ways * step.batch * kept, step.widths.cache)
    kind = "convolution" if name == "conv" else ATTENTION
    return Operator(name, kind, layers, flop(macs), held, state, read, written, held, split)
