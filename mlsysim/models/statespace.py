"""State space models: a state of fixed size where a transformer keeps a cache that grows."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.core.units import PRECISIONS, Q_, dim_of
from mlsysim.equations import algorithm as eq
from mlsysim.models.mixers import SCAN_MACS, Recurrence, mixed
from mlsysim.models.operators import DECODE, END, PREFILL, Operator, Step
from mlsysim.models.parts import gemm
from mlsysim.models.types import Workload
from mlsysim.models.widths import Widths

DEFAULT_LENGTH = 2048.0


class StateSpaceWorkload(Workload):
    """A Mamba model: selective scans over `expand` x `hidden` channels of `state` values each.

    Decode reads and writes the state, whose size does not depend on the context; prefill scans the
    whole prompt. A Mamba-2 has `heads` of channels that share a decay, and `groups` of heads that
    share what feeds and reads their state; a Mamba-1 has steps of rank `dt_rank` instead.
    """

    kind: Literal["statespace"] = "statespace"
    layers: u.Count
    hidden: u.Count
    expand: u.Count = 2
    state: u.Count
    conv_kernel: u.Count
    dt_rank: u.Count | None = None
    heads: u.Count | None = None
    groups: u.Count = 1
    vocab: u.Count
    tied_embeddings: bool = True

    phases = (DECODE, PREFILL)
    trained = PREFILL

    def check(self) -> None:
        """It is one of the two kinds, and its channels are whole heads."""
        super().check()
        if (self.dt_rank is None) == (self.heads is None):
            raise self.wrong("dt_rank", "give it for a Mamba-1, or heads for a Mamba-2")
        if self.heads and self.inner % self.heads:
            raise self.wrong("heads", f"{self.inner} channels are not {self.heads} even heads")
        _ = self.recurrence

    @property
    def inner(self) -> int:
        """Channels that the scan runs over: `expand` times `hidden`."""
        return self.expand * self.hidden

    @cached_property
    def recurrence(self) -> Recurrence | None:
        """The layers of a Mamba-2."""
        if self.heads is None:
            return None
        return Recurrence(
            layers=self.layers,
            heads=self.heads,
            head_dim=self.inner // self.heads,
            groups=self.groups,
            key_dim=self.state,
            conv_kernel=self.conv_kernel,
            conv_bias=True,
        )

    @property
    def state_elements(self) -> float:
        """Values that one sequence keeps: the scan's state and the convolution's window."""
        if self.recurrence:
            return self.layers * self.recurrence.state_elements
        return float(self.layers * self.inner * (self.state + self.conv_kernel))

    def length(self, seq_len: Any) -> Any:
        """The prompt of a prefill, by default 2048 tokens; idle in decode."""
        return DEFAULT_LENGTH if seq_len is None else seq_len

    def held_state(self, step: Step) -> Any:
        """The state of every sequence, the same at any context."""
        return eq.stored(step.batch * self.state_elements, step.widths.cache) + 0.0 * step.seq_len

    def kv_cache(self, seq_len: Any, batch_size: Any = 1, precision: str = "fp16") -> Any:
        """Bytes of state, which stand where others have a cache: `seq_len` makes no difference."""
        length = dim_of(u.Count).si(seq_len, "seq_len")
        batch = dim_of(u.Batch).si(batch_size, "batch_size")
        width = PRECISIONS[dim_of(u.Precision).si(precision, "precision")]
        step = self.step(batch, length, DECODE, Widths.equal(width))
        return Q_(self.held_state(step) / 1e9, "GB")

    def operators(self, step: Step) -> list[Operator]:
        """One forward step: embedding, layers, output head."""
        tokens, widths = step.tokens, step.widths
        rows = tokens if step.training or step.phase == DECODE else step.batch
        own = not self.tied_embeddings
        layers, hidden = self.layers, self.hidden
        values = eq.stored(tokens * hidden, widths.activations)
        norm, table, read = (eq.stored(n * hidden, widths.tables) for n in (1, self.vocab, tokens))
        recurrence = self.recurrence
        return [
            Operator("embedding", "gather", 1, 0.0, read, 0.0, 0.0, values, table, END),
            *(recurrence.operators(hidden, step) if recurrence else self._selective(step)),
            Operator("norm", "elementwise", layers + 1, 0.0, norm, 0.0, values, values, norm),
            gemm("head", 1, rows, hidden, self.vocab, widths, split=END, held=own),
        ]

    def _selective(self, step: Step) -> list[Operator]:
        """Mamba-1: every channel has a decay for each value of its state, and steps of its own."""
        tokens, widths, layers = step.tokens, step.widths, self.layers
        inner, state, taps, rank = self.inner, self.state, self.conv_kernel, self.dt_rank or 1
        conv = eq.conv_macs(tokens, taps, inner, inner, inner), inner * taps, (taps + 1) * inner
        scan = SCAN_MACS * tokens * inner * state, inner * state, (state + 1) * inner
        fed = 3 * inner + 2 * state  # values, gates and steps of every channel; B and C
        return [
            gemm("in", layers, tokens, self.hidden, 2 * inner, widths),
            mixed("conv", layers, *conv, (inner, inner), step),
            gemm("select", layers, tokens, inner, rank + 2 * state, widths),
            gemm("dt", layers, tokens, rank, inner, widths, bias=True),
            mixed("scan", layers, *scan, (fed, inner), step),
            gemm("out", layers, tokens, inner, self.hidden, widths),
        ]
