"""State space models: a state of fixed size where a transformer keeps a cache that grows."""

from __future__ import annotations

from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.core.units import PRECISIONS, Q_, dim_of
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import DECODE, END, PREFILL, Operator, Step
from mlsysim.models.parts import gemm
from mlsysim.models.types import Workload, flop
from mlsysim.models.widths import Widths

DEFAULT_LENGTH = 2048.0
SCAN_MACS = 3.0  # a state element is decayed, fed, and read out: one product each


class StateSpaceWorkload(Workload):
    """A Mamba model: selective scans over `expand` x `hidden` channels of `state` values each.

    Decode reads and writes the state, whose size does not depend on the context; prefill scans the
    whole prompt. The scan is costed at the peak of matrix products, which it does not reach.
    """

    kind: Literal["statespace"] = "statespace"
    layers: u.Count
    hidden: u.Count
    expand: u.Count = 2
    state: u.Count
    conv_kernel: u.Count
    dt_rank: u.Count
    vocab: u.Count
    tied_embeddings: bool = True

    phases = (DECODE, PREFILL)
    trained = PREFILL

    @property
    def inner(self) -> int:
        """Channels that the scan runs over: `expand` times `hidden`."""
        return self.expand * self.hidden

    @property
    def state_elements(self) -> float:
        """Values that one sequence keeps: the scan's state and the convolution's window."""
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
        layers, hidden, inner = self.layers, self.hidden, self.inner
        values = eq.stored(tokens * hidden, widths.activations)
        norm, table, read = (eq.stored(n * hidden, widths.tables) for n in (1, self.vocab, tokens))
        return [
            Operator("embedding", "gather", 1, 0.0, read, 0.0, 0.0, values, table, END),
            gemm("in", layers, tokens, hidden, 2 * inner, widths),
            self._convolution(tokens, step),
            gemm("select", layers, tokens, inner, self.dt_rank + 2 * self.state, widths),
            gemm("dt", layers, tokens, self.dt_rank, inner, widths, bias=True),
            self._scan(tokens, step),
            gemm("out", layers, tokens, inner, hidden, widths),
            Operator("norm", "elementwise", layers + 1, 0.0, norm, 0.0, values, values, norm),
            gemm("head", 1, rows, hidden, self.vocab, widths, split=END, held=own),
        ]

    def _convolution(self, tokens: Any, step: Step) -> Operator:
        """Each channel over its own last few values; the window is part of the state."""
        macs = eq.conv_macs(tokens, self.conv_kernel, self.inner, self.inner, self.inner)
        values = eq.stored(tokens * self.inner, step.widths.activations)
        learned = eq.stored((self.conv_kernel + 1) * self.inner, step.widths.weights)
        return Operator(
            "conv",
            "convolution",
            self.layers,
            flop(macs),
            learned,
            self._moved(self.conv_kernel, step),
            values,
            values,
            learned,
        )

    def _scan(self, tokens: Any, step: Step) -> Operator:
        """The recurrence: what mixes tokens here, as attention does elsewhere."""
        macs = SCAN_MACS * tokens * self.inner * self.state
        learned = eq.stored((self.state + 1) * self.inner, step.widths.weights)
        fed = 3 * self.inner + 2 * self.state  # values, gates and steps of every channel; B and C
        return Operator(
            "scan",
            "attention",
            self.layers,
            flop(macs),
            learned,
            self._moved(self.state, step),
            eq.stored(tokens * fed, step.widths.activations),
            eq.stored(tokens * self.inner, step.widths.activations),
            learned,
        )

    def _moved(self, values: float, step: Step) -> Any:
        """Bytes of one layer's state: decode reads and writes it, prefill leaves it behind."""
        if step.training:
            return 0.0 * step.batch
        ways = 2.0 if step.phase == DECODE else 1.0
        return eq.stored(ways * step.batch * self.inner * values, step.widths.cache)
