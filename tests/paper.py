"""Decoders and chips on paper: what dimensions and data sheets say of bytes, work and time."""

from __future__ import annotations

from typing import NamedTuple

TAX = 1e-5  # seconds that launching a pass adds


class Decoder(NamedTuple):
    """A decoder of 16 bit: `query` and `kept` are values of a token in a layer."""

    layers: int
    hidden: int
    query: int
    kept: int  # keys and values
    ffn: int  # gated: three matrices
    vocab: int
    near: int = 0  # layers that see and keep 4,096 tokens only
    tied: bool = False
    biased: bool = False
    norms: int = 2  # in a layer

    @property
    def products(self) -> int:
        """Weights of the layers' matrices: query, key and value; out; gate, up and down."""
        out = self.query * self.hidden
        return self.layers * (
            self.hidden * (self.query + self.kept) + out + 3 * self.hidden * self.ffn
        )

    @property
    def biases(self) -> int:
        return self.biased * self.layers * (self.query + self.kept)

    @property
    def head(self) -> int:
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        ends = self.head * (1 if self.tied else 2) + self.hidden
        return self.products + self.biases + self.norms * self.layers * self.hidden + ends

    def seen(self, context: int) -> int:
        """Tokens that all layers together see from the end of a context."""
        return self.layers * context - self.near * max(context - 4096, 0)

    def held(self, context: int) -> int:
        """Bytes of KV cache."""
        return 2 * self.kept * self.seen(context)

    def read(self, tokens: int) -> int:
        """Bytes of weights that a step reads; of the input embedding it looks a row a token up."""
        return 2 * (self.products + self.biases + self.head + tokens * self.hidden)

    def decode(self, users: int = 1, context: int = 1) -> tuple[float, float]:
        """FLOP and bytes of a step: every weight once, and each user's cache."""
        attention = 4 * self.query * self.seen(context)
        flops = users * (2 * (self.products + self.head) + attention)
        return flops, self.read(users) + users * self.held(context)

    def prompt(self, tokens: int) -> tuple[float, float]:
        """FLOP and bytes of reading at most 4,096 tokens, of which the last alone gives a word."""
        pairs = tokens * (tokens + 1) / 2
        flops = 2 * (tokens * self.products + self.head) + 4 * self.query * self.layers * pairs
        # what goes into and comes out of products and attention; norms and activations are fused
        through = 4 * self.hidden + 4 * self.query + self.kept + 3 * self.ffn
        ends = tokens * self.hidden + self.hidden + self.vocab
        values = tokens * self.layers * through + ends
        return flops, self.read(tokens) + self.held(tokens) + 2 * values


class Chip(NamedTuple):
    peak: float  # dense 16-bit FLOP/s
    rate: float  # B/s
    room: float  # B, as drivers report it

    @property
    def ridge(self) -> float:
        return self.peak / self.rate

    def seconds(self, work: tuple[float, float], eta: float = 0.5) -> float:
        """The longer of arithmetic and bytes, and 10 us to send it off."""
        return max(work[0] / (eta * self.peak), work[1] / self.rate) + TAX

    def over(self, work: tuple[float, float], eta: float) -> float:
        """Arithmetic over bytes."""
        return work[0] / (eta * self.peak) / (work[1] / self.rate)


LLAMA3_8B = Decoder(32, 4096, 4096, 2 * 1024, 14336, 128_256)
