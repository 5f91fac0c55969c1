"""Attention over a few tokens, and further back over what is kept of several at once."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlsysim.core import units as u
from mlsysim.core.values import Many, Value
from mlsysim.equations import algorithm as eq
from mlsysim.models.mixers import Indexer
from mlsysim.models.operators import BETWEEN, COLUMNS, DECODE, ROWS, Operator, Step
from mlsysim.models.parts import gemm, scores


class Heads(NamedTuple):
    """The shape of attention: `many` heads of `dim` values in a model `hidden` wide."""

    hidden: int
    many: int
    dim: int


class Stream(Value):
    """In `layers` layers, one value kept for each `rate` tokens, of which an indexer may pick some.

    Where windows `overlap`, each value mixes twice as many tokens.
    """

    layers: u.Count
    rate: u.Count
    overlap: bool = False
    indexer: Indexer | None = None

    @property
    def reach(self) -> float:
        """From how many tokens on not all that is kept is seen."""
        return float(self.indexer.tokens * self.rate) if self.indexer else np.inf

    def kept(self, dim: int) -> float:
        """Values that a token leaves in one layer: a part of a key, and of the indexer's."""
        return (dim + (self.indexer.dim if self.indexer else 0)) / self.rate

    def operators(self, q_rank: int, heads: Heads, step: Step, *, cached: bool) -> list[Operator]:
        """What makes the values that are kept, the scores, and attention to what is picked."""
        n, rate, mixed = self.layers, float(self.rate), 2 * (1 + self.overlap)
        ops = [gemm("compress", n, step.tokens, heads.hidden, mixed * heads.dim, step.widths)]
        pairs, past = eq.causal_pairs(step.new, step.past), step.past
        if self.indexer:
            how = {"cached": cached, "rate": rate, "mixed": mixed}
            ops += self.indexer.operators(n, heads.hidden, q_rank, step, **how)
            pairs = eq.windowed_pairs(step.new, step.past, self.reach)
            past = np.minimum(past, self.reach - 1.0) if step.phase == DECODE else past
        seen = (past + step.new) / rate
        return [*ops, _attention("far attention", n, pairs / rate, seen, heads, step, cached)]


class CompressedAttention(Value):
    """Attention to the last `window` tokens, and to what `streams` keep of those before them.

    All heads share one key, which is its value too. Their output goes through `o_groups` products
    to `o_rank` values each, before it is as wide as the model.
    Source: DeepSeek-AI (2026), DeepSeek-V4, section 2.3.
    """

    q_rank: u.Count
    o_rank: u.Count
    o_groups: u.Count
    window: u.Count
    streams: Many[Stream]
    chunked: ClassVar[bool] = False

    @property
    def layers(self) -> int:
        """Layers with a stream; the others see the window alone."""
        return sum(stream.layers for stream in self.streams)

    @property
    def tokens(self) -> float:
        """The last length from which on a step grows more slowly with its context."""
        ends = [stream.reach for stream in self.streams if stream.indexer]
        return max([*ends, float(self.window)])

    def kept(self, layers: int, dim: int, tokens: Any) -> Any:
        """Values in the cache of a sequence of so many tokens."""
        far = sum(stream.layers * stream.kept(dim) for stream in self.streams)
        return layers * dim * np.minimum(tokens, self.window) + far * tokens

    def operators(self, layers: int, heads: Heads, step: Step, *, cached: bool) -> list[Operator]:
        """Down and up, attention nearby and far, and out by groups."""
        n, tokens, widths = layers, step.tokens, step.widths
        all_heads, groups = heads.many * heads.dim, self.o_groups
        near = np.minimum(step.past, self.window - 1.0) + step.new
        pairs = eq.windowed_pairs(step.new, step.past, self.window)
        sizes = all_heads // groups, self.o_rank
        out = gemm("group out", n * groups, tokens, *sizes, widths, split=BETWEEN)
        return [
            gemm("q down", n, tokens, heads.hidden, self.q_rank, widths),
            gemm("q up", n, tokens, self.q_rank, all_heads, widths, split=COLUMNS),
            gemm("key", n, tokens, heads.hidden, heads.dim, widths),
            _attention("near attention", n, pairs, near, heads, step, cached),
            *(
                op
                for stream in self.streams
                for op in stream.operators(self.q_rank, heads, step, cached=cached)
            ),
            out,
            gemm("out", n, tokens, groups * self.o_rank, heads.hidden, widths, split=ROWS),
        ]


def _attention(
    name: str, layers: int, pairs: Any, seen: Any, heads: Heads, step: Step, cached: bool
) -> Operator:
    """Every head over the same keys; `seen` of them are read or written for each sequence."""
    values = step.tokens * heads.many * heads.dim
    moved = cached * step.batch * seen * heads.dim
    macs = eq.attention_macs(step.batch * pairs, heads.many, heads.dim, heads.dim)
    return scores(name, layers, macs, moved, (values, values), step.widths)
