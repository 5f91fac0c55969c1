"""Vision transformers: an encoder over patches of an image, and a classifier on its first token."""

from __future__ import annotations

from typing import Any, Literal

from mlsysim.core import units as u
from mlsysim.core.errors import BadArgument
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import END, FORWARD, Operator, Step
from mlsysim.models.parts import gemm
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import flop


class VisionTransformerWorkload(TransformerWorkload):
    """An encoder whose tokens are `patch` x `patch` squares of an image, and one for its class."""

    # its own name in YAML, although it is a transformer in all else
    kind: Literal["vision_transformer"] = "vision_transformer"  # type: ignore[assignment]
    image: u.Count
    patch: u.Count
    image_channels: u.Count = 3
    classes: u.Count
    macs: u.Count | None = None
    vocab: u.CountOrZero = 0
    context: u.CountOrZero = 0
    gated: bool = False
    biases: bool = True
    norm_bias: bool = True
    causal: bool = False

    @classmethod
    def meant(cls, given: Any) -> Any:
        """The context is a token for each patch, and one."""
        given = super().meant(given)
        match given:
            case {"image": int(image), "patch": int(patch)} if patch > 0:
                return {**given, "context": (image // patch) ** 2 + 1}
        return given

    def check(self) -> None:
        """The image is cut into whole patches."""
        super().check()
        if self.image % self.patch:
            raise self.wrong("patch", f"{self.patch} does not cut {self.image} evenly")
        if self.causal:
            raise self.wrong("causal", "patches see each other; leave it out")

    @property
    def patches(self) -> int:
        """Squares in an image."""
        return (self.image // self.patch) ** 2

    def length(self, seq_len: Any) -> Any:
        """The tokens of an image, which its size gives."""
        if seq_len is not None:
            remedy = f"{self.name} cuts an image into {self.patches} patches; leave it out"
            raise BadArgument("seq_len", seq_len, remedy)
        return float(self.patches + 1)

    def operators(self, step: Step) -> list[Operator]:
        """The encoder, and the classifier on one token an image."""
        size = (step.batch, self.hidden, self.classes, step.widths)
        return [*super().operators(step), gemm("classifier", 1, *size, bias=True, split=END)]

    def _gather(self, tokens: Any, step: Step) -> Operator:
        """Patches become tokens by a convolution that steps over whole patches."""
        area = self.patch * self.patch
        macs = eq.conv_macs(step.batch * self.patches, area, self.image_channels, self.hidden, 1.0)
        learned = area * self.image_channels * self.hidden + self.hidden
        positions = (self.patches + 2) * self.hidden  # one for each token, and the class token
        return Operator(
            "patches",
            "convolution",
            1,
            flop(macs),
            eq.stored(learned, step.widths.tables),
            0.0,
            eq.stored(step.batch * self.image**2 * self.image_channels, step.widths.activations),
            eq.stored(tokens * self.hidden, step.widths.activations),
            eq.stored(learned + positions, step.widths.tables),
            END,
        )

    def counted_macs(self) -> float:
        """Multiply-accumulates of one image."""
        flops = self.totals(self.step(1.0, None, FORWARD)).flops
        return float(flops / flop(1.0))
