"""Diffusion: a U-Net that denoises a latent image, run again for every step."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from mlsysim.core import units as u
from mlsysim.core.values import Many
from mlsysim.models.operators import Step
from mlsysim.models.parts import Network, Part, attention, convolution, dense, norm


class DiffusionWorkload(Network):
    """A latent diffusion model; one sample is one image, that is all `steps` passes of its U-Net.

    With classifier-free guidance each step runs with and without the prompt: twice the work, in one
    pass over the weights. The U-Net has `blocks` residual blocks at each of the `channels` widths
    (one more on the way up), each with as many transformer blocks behind it as `depths` says for
    its width, or one at all but the deepest, as in Stable Diffusion 1. The bottom has those of the
    deepest width that has any. `added` values are embedded beside the noise level. The text encoder
    and the image decoder, which run once, are left out.
    """

    kind: Literal["diffusion"] = "diffusion"
    latent: u.Count
    latent_channels: u.Count
    channels: Many[u.Count]
    blocks: u.Count
    depths: Many[u.CountOrZero] = ()
    added: u.CountOrZero = 0
    text_width: u.Count
    text_tokens: u.Count
    steps: u.Count
    guidance: bool = True
    macs: u.Count | None = None

    def check(self) -> None:
        """Every width halves the image, and something is left of it."""
        super().check()
        if not self.channels:
            raise self.wrong("channels", "give at least one width")
        if self.depths and (len(self.depths) != len(self.channels) or not any(self.depths)):
            raise self.wrong("depths", "give one for each of the channels, and not only zeros")
        if self.latent % 2 ** (len(self.channels) - 1):
            times = len(self.channels) - 1
            raise self.wrong("latent", f"{self.latent} cannot be halved {times} times")

    @cached_property
    def parts(self) -> list[Part]:
        """The operators of one pass over one latent image."""
        return _UNet(self).parts

    def passes(self, step: Step) -> tuple[float, float]:
        """All steps, with and without the prompt; training takes one pass, at one noise level."""
        return (1.0, 1.0) if step.training else (self.steps, 2.0 if self.guidance else 1.0)


class _UNet:
    """Appends the parts of the network on the way down, at the bottom, and on the way up."""

    def __init__(self, model: DiffusionWorkload) -> None:
        self.model, self.parts = model, []
        self.size, self.width = float(model.latent), float(model.channels[0])
        self.time = 4 * self.width  # the width of the embedded noise level
        deepest = len(model.channels) - 1
        depths = model.depths or (*[1] * deepest, 0)
        bottom = next((depth for depth in reversed(depths) if depth), 1)

        for width in (self.width, self.time):
            self.parts.append(dense("time", 1.0, width, self.time))
        for width in (model.added, self.time) if model.added else ():
            self.parts.append(dense("added", 1.0, width, self.time))
        self._convolution("conv in", model.latent_channels, self.width)
        skips = [self.width]
        for level, channels in enumerate(map(float, model.channels)):
            for _ in range(int(model.blocks)):
                self._block(self.width, channels, depths[level])
                skips.append(channels)
            if level < deepest:
                self.size /= 2
                self._convolution("down", channels, channels, stride=2.0)
                skips.append(channels)
        self._block(self.width, self.width, bottom)
        self._residual(self.width, self.width)
        for level, channels in reversed(list(enumerate(map(float, model.channels)))):
            for _ in range(int(model.blocks) + 1):
                self._block(self.width + skips.pop(), channels, depths[level])
            if level:
                self.size *= 2
                self._convolution("up", channels, channels)
        self.parts.append(norm("norm", self.positions, self.width))
        self._convolution("conv out", self.width, model.latent_channels)

    @property
    def positions(self) -> float:
        return self.size * self.size

    def _convolution(
        self, name: str, inner: float, out: float, *, kernel: float = 3.0, stride: float = 1.0
    ) -> None:
        self.parts.append(convolution(name, self.positions, kernel, inner, out, stride=stride))

    def _block(self, inner: float, out: float, depth: int) -> None:
        self._residual(inner, out)
        if depth:
            self._transformer(out, depth)

    def _residual(self, inner: float, out: float) -> None:
        self.parts.append(norm("norm", self.positions, inner))
        self._convolution("conv", inner, out)
        self.parts += [dense("time", 1.0, self.time, out), norm("norm", self.positions, out)]
        self._convolution("conv", out, out)
        if inner != out:
            self._convolution("shortcut", inner, out, kernel=1.0)
        self.width = out

    def _transformer(self, width: float, depth: int) -> None:
        """Blocks of attention of the image to itself and to the text, and of a gated network."""
        rows = self.positions
        text, words = float(self.model.text_width), float(self.model.text_tokens)
        block = [
            norm("norm", rows, width),
            dense("qkv", rows, width, 3 * width, bias=False),
            attention("self attention", rows, rows, width),
            dense("attention out", rows, width, width),
            norm("norm", rows, width),
            dense("query", rows, width, width, bias=False),
            dense("text keys", words, text, 2 * width, bias=False),
            attention("cross attention", rows, words, width),
            dense("attention out", rows, width, width),
            norm("norm", rows, width),
            dense("ffn up", rows, width, 8 * width),
            dense("ffn down", rows, 4 * width, width),
        ]
        self.parts += [
            norm("norm", rows, width),
            dense("proj in", rows, width, width),
            *depth * block,
            dense("proj out", rows, width, width),
        ]
