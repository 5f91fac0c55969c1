"""Speech recognition: an encoder hears, and a decoder that also attends to it writes (Whisper)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import COLUMNS, DECODE, END, FORWARD, ROWS, Operator, Step
from mlsysim.models.parts import elementwise, gemm, scores
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import flop

KERNEL, STRIDE = 3, 2  # of the two convolutions before the encoder; the second one strides


class SpeechWorkload(TransformerWorkload):
    """A decoder that writes what an encoder of `encoder_layers` heard in one piece of audio.

    The encoder turns `frames` frames of `bins` frequencies into half as many tokens. A prompt runs
    it once and keeps the keys and values that every layer of the decoder reads with each token; a
    prompt that is cut into chunks would run it for each of them.
    """

    kind: Literal["speech"] = "speech"  # type: ignore[assignment]
    encoder_layers: u.Count
    frames: u.Count
    bins: u.Count
    gated: bool = False
    biases: bool = True
    norm_bias: bool = True
    tied_embeddings: bool = True

    def check(self) -> None:
        """Frames make whole tokens, and a decoder writes."""
        super().check()
        if self.frames % STRIDE:
            raise self.wrong("frames", "give an even number")
        if not self.causal:
            raise self.wrong("causal", "the decoder writes token by token; leave it out")

    @property
    def heard(self) -> int:
        """Tokens that the encoder hands to the decoder."""
        return self.frames // STRIDE

    @cached_property
    def _encoder(self) -> TransformerWorkload:
        own = {"layers": self.encoder_layers, "context": self.heard, "learned_positions": 0}
        shape = ("name", "hidden", "heads", "ffn", "gated", "biases", "norm_bias", "vocab")
        shared = {name: getattr(self, name) for name in shape}
        return TransformerWorkload(**shared, **own, causal=False)

    def held_state(self, step: Step) -> Any:
        """The decoder's own cache, and what it keeps of the audio."""
        heard = step.batch * self.layers * self.heard * self._kept
        return super().held_state(step) + eq.stored(heard, step.widths.cache)

    def operators(self, step: Step) -> list[Operator]:
        """The decoder with attention to what was heard, and where a prompt is read, the encoder.

        What decode does not run stays on the device.
        """
        own, once = self._crossing(step), self._hearing(step)
        if step.phase == DECODE:
            once = [op._replace(**_IDLE) for op in once]
        return [*super().operators(step), *own, *once]

    def _crossing(self, step: Step) -> list[Operator]:
        """In each layer of the decoder: queries, attention to all that was heard, an output."""
        n, tokens, widths, hidden = self.layers, step.tokens, step.widths, self.hidden
        values = eq.stored(tokens * hidden, widths.activations)
        norm = eq.stored(2 * hidden, widths.tables)
        pairs = tokens * self.heard
        read = self._cached(step) * step.batch * self.heard * self._kept
        macs = eq.attention_macs(pairs, self.heads, self.key_dim, self.key_dim)
        both = tokens * hidden, tokens * hidden
        how = {"bias": self.biases}
        return [
            gemm("cross query", n, tokens, hidden, hidden, widths, split=COLUMNS, **how),
            scores("cross attention", n, macs, read, both, widths),
            gemm("cross out", n, tokens, hidden, hidden, widths, split=ROWS, **how),
            elementwise("norm", n, values, values, held=norm),
        ]

    def _hearing(self, step: Step) -> list[Operator]:
        """The convolutions, the encoder, and the keys and values of it that the decoder keeps."""
        heard, hidden, widths = self.heard, self.hidden, step.widths
        whole = Step(step.batch, float(heard), 0.0, FORWARD, widths, step.training)
        layers = [op for op in self._encoder.operators(whole) if op.name != "embedding"]
        tokens, n = step.batch * heard, self.layers
        keys = {"bias": self.biases, "split": COLUMNS, "parts": 2}
        return [
            self._convolution(step.batch * self.frames, self.bins, step),
            self._convolution(tokens, hidden, step),
            *layers,
            gemm("cross keys", n, tokens, hidden, 2 * hidden, widths, **keys),
        ]

    def _convolution(self, positions: Any, inner: int, step: Step) -> Operator:
        macs = eq.conv_macs(positions, KERNEL, inner, self.hidden, 1.0)
        learned = eq.stored((KERNEL * inner + 1) * self.hidden, step.widths.tables)
        read, written = (
            eq.stored(positions * size, step.widths.activations) for size in (inner, self.hidden)
        )
        kind = ("conv", "convolution", 1, flop(macs), learned, 0.0)
        return Operator(*kind, read, written, learned, END)


_IDLE = dict.fromkeys(("flops", "weights", "state", "inputs", "outputs"), 0.0)
