"""A decoder on paper: what its dimensions say of bytes and operations, in 16 bits throughout."""

from __future__ import annotations

from typing import NamedTuple


class Decoder(NamedTuple):
    """Layers of grouped-query attention and a gated feed-forward, a table and a head."""

    layers: int
    hidden: int
    keys: int  # values of a token's keys in a layer: key-value heads times their width
    ffn: int
    vocab: int

    @property
    def matrices(self) -> int:
        """Weights of all layers: query and output, key and value, gate and up and down."""
        one = 2 * self.hidden**2 + 2 * self.hidden * self.keys + 3 * self.hidden * self.ffn
        return self.layers * one

    @property
    def head(self) -> int:
        """Weights of the output head, and of the table of embeddings."""
        return self.hidden * self.vocab

    @property
    def parameters(self) -> int:
        """All weights: two norms a layer and one at the end besides."""
        return self.matrices + 2 * self.head + (2 * self.layers + 1) * self.hidden

    @property
    def token(self) -> int:
        """Bytes of cache that a token takes: a key and a value a layer."""
        return 2 * 2 * self.layers * self.keys

    def read(self, users: float, tokens: float) -> float:
        """Bytes of a step: matrices and head once; of each user a row of the table and a cache."""
        return 2 * (self.matrices + self.head) + users * (2 * self.hidden + tokens * self.token)

    def prompt(self, tokens: int) -> float:
        """Operations of reading: causal attention, and the head for the last token alone."""
        attention = self.layers * 4 * self.hidden * tokens * (tokens + 1) / 2
        return 2 * tokens * self.matrices + 2 * self.head + attention


LLAMA3_8B = Decoder(32, 4096, 8 * 128, 14336, 128_256)
TAX = 1e-5  # seconds that launching a pass adds
