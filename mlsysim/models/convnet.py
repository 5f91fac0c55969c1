"""Convolutional networks, layer by layer: from wide ones in a datacenter to one in a doorbell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from math import prod
from typing import Annotated, Any, Literal, NamedTuple

from mlsysim.core import units as u
from mlsysim.core.errors import did_you_mean
from mlsysim.core.units import Dim
from mlsysim.core.values import Many, Value
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import ADD
from mlsysim.models.parts import Network, Part, dense, norm

Pair = u.Count | Many[u.Count]
Repeat = Annotated[Any, Dim("", whole=True, high=1000)]


class Image(Value):
    """The input of one inference."""

    height: u.Count
    width: u.Count = 1
    channels: u.Count = 1


class Layer(Value):
    """What any layer may say; `padding` is "same" unless it gives the rows added on each side.

    A block with `squeeze` weighs its channels by what so many features of their means say.
    """

    out: u.Count | None = None
    kernel: Pair = 3
    stride: Pair = 1
    padding: u.CountOrZero | Literal["same"] = "same"
    groups: u.Count = 1
    mid: u.Count | None = None
    squeeze: u.Count | None = None
    expand: u.Count = 1
    repeat: Repeat = 1
    bias: bool = False


class LayerFault(Exception):
    """A layer that cannot follow the ones before it; the message says why."""


class Shape(NamedTuple):
    """A feature map."""

    height: float
    width: float
    channels: float

    @property
    def elements(self) -> float:
        """Values in the map."""
        return self.height * self.width * self.channels


class ConvNetWorkload(Network):
    """A convolutional network as its list of layers; one sample is one inference."""

    kind: Literal["convnet"] = "convnet"
    input: Image
    layers: Many[str | dict[str, Layer]]
    macs: u.Count | None = None
    batchnorm: bool = True

    def check(self) -> None:
        """Every layer is of a known kind and says what it must; the image survives them all."""
        super().check()
        if not self.layers:
            raise self.wrong("layers", "give at least one layer")
        for name, layer in self._named_layers():
            if name not in BUILDERS:
                raise self.wrong(
                    "layers", f"there is no layer {name!r}; {did_you_mean(name, sorted(BUILDERS))}"
                )
            for key in BUILDERS[name][1]:
                if getattr(layer, key) is None:
                    raise self.wrong(f"layers.{name}.{key}", "it is required; add it")
            for key in ("kernel", "stride"):
                value = getattr(layer, key)
                if isinstance(value, tuple) and len(value) != 2:
                    raise self.wrong(
                        f"layers.{name}.{key}", "give one number, or two: height and width"
                    )
        try:
            self.parts  # noqa: B018 - derives them all, and remembers
        except LayerFault as fault:
            raise self.wrong("layers", str(fault)) from None

    def _named_layers(self) -> Iterator[tuple[str, Layer]]:
        for layer in self.layers:
            yield from [(layer, Layer())] if isinstance(layer, str) else layer.items()

    @cached_property
    def parts(self) -> list[Part]:
        """The operators of one sample, derived from the layers."""
        shape = Shape(float(self.input.height), float(self.input.width), float(self.input.channels))
        parts: list[Part] = []
        builder = _Builder(parts, self.batchnorm)
        for name, layer in self._named_layers():
            build, keys = BUILDERS[name]
            needed = [getattr(layer, key) for key in keys]
            for index in range(int(layer.repeat)):
                # only the first of several equal layers shrinks the image
                shape = build(builder, shape, layer, 1 if index else layer.stride, *needed)
                if min(shape) < 1:
                    raise LayerFault(f"nothing is left of the image after layer {name!r}")
        return parts


# ---- one function a kind of layer: append its parts, return the new shape -----------------------


def _pair(value: Any) -> tuple[float, float]:
    return (
        (float(value[0]), float(value[-1]))
        if isinstance(value, tuple)
        else (float(value), float(value))
    )


def _window(
    shape: Shape, kernel: tuple[float, float], stride: tuple[float, float], padding: Any
) -> tuple[float, float]:
    """Output height and width; "same" keeps ceil(size / stride)."""
    sides = []
    for size, k, s in zip(shape[:2], kernel, stride, strict=True):
        same = max((-(-size // s) - 1) * s + k - size, 0.0)
        sides.append(
            float(eq.conv_output(size, k, s, same if padding == "same" else 2.0 * padding))
        )
    return sides[0], sides[1]


class _Builder:
    """Appends the parts of a network while the shape flows through it."""

    def __init__(self, parts: list[Part], batchnorm: bool) -> None:
        self.parts, self.batchnorm = parts, batchnorm

    def conv(
        self,
        shape: Shape,
        out: float,
        kernel: Any = 1,
        stride: Any = 1,
        padding: Any = "same",
        groups: float = 1,
        *,
        bias: bool = False,
        beside: float | None = None,
        name: str = "conv",
    ) -> Shape:
        """A convolution and what is done to its values; `beside` its weights a channel learns."""
        k = _pair(kernel)
        if shape.channels % groups or out % groups:
            raise LayerFault(
                f"{groups:g} groups do not divide {shape.channels:g} and {out:g} channels"
            )
        height, width = _window(shape, k, _pair(stride), padding)
        new = Shape(height, width, float(out))
        macs = eq.conv_macs(height * width, prod(k), shape.channels, out, groups)
        if beside is None:
            beside = (2 if self.batchnorm else 1) + bias
        learned = out * (prod(k) * shape.channels / groups + beside)
        self.parts.append(Part(name, "convolution", macs, learned, shape.elements, new.elements))
        self.parts.append(Part("activation", "elementwise", 0.0, 0.0, new.elements, new.elements))
        return new

    def pool(self, shape: Shape, new: Shape) -> Shape:
        self.parts.append(Part("pool", "elementwise", 0.0, 0.0, shape.elements, new.elements))
        return new

    def norm(self, shape: Shape) -> Shape:
        self.parts.append(norm("norm", shape.height * shape.width, shape.channels))
        return shape

    def dense(self, shape: Shape, out: float) -> Shape:
        self.parts.append(dense("dense", 1.0, shape.elements, out))
        return Shape(1.0, 1.0, float(out))

    def squeeze(self, shape: Shape, layer: Layer) -> Shape:
        """Channels weighed by a small network on their means: Hu et al. (2018), section 3."""
        if layer.squeeze:
            mean = self.pool(shape, Shape(1.0, 1.0, shape.channels))
            self.dense(self.dense(mean, layer.squeeze), shape.channels)
            scale = Part("scale", "elementwise", 0.0, 0.0, shape.elements, shape.elements)
            self.parts.append(scale)
        return shape

    def add(self, shape: Shape) -> Shape:
        self.parts.append(Part("add", ADD, 0.0, 0.0, 2 * shape.elements, shape.elements))
        return shape

    def shortcut(self, before: Shape, after: Shape, stride: Any) -> Shape:
        """A residual joins; a 1x1 projection makes the shapes equal where they differ."""
        if before != after:
            self.conv(before, after.channels, 1, stride, name="shortcut")
        return self.add(after)


def _conv(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    return b.conv(shape, out, layer.kernel, stride, layer.padding, layer.groups, bias=layer.bias)


def _depthwise(b: _Builder, shape: Shape, layer: Layer, stride: Any) -> Shape:
    return b.conv(
        shape, shape.channels, layer.kernel, stride, layer.padding, shape.channels, name="depthwise"
    )


def _separable(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    return b.conv(_depthwise(b, shape, layer, stride), out)


def _basic(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    after = b.conv(b.conv(shape, out, 3, stride), out, 3)
    return b.shortcut(shape, after, stride)


def _bottleneck(
    b: _Builder, shape: Shape, layer: Layer, stride: Any, mid: float, out: float
) -> Shape:
    after = b.conv(b.conv(b.conv(shape, mid), mid, 3, stride, groups=layer.groups), out)
    return b.shortcut(shape, b.squeeze(after, layer), stride)


def _inverted(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    wide = b.conv(shape, layer.expand * shape.channels) if layer.expand > 1 else shape
    narrow = b.conv(b.squeeze(_depthwise(b, wide, layer, stride), layer), out)
    return b.add(narrow) if narrow == shape else narrow


def _concat(b: _Builder, shape: Shape, layer: Layer, stride: Any, mid: float, out: float) -> Shape:
    """What a layer of a dense block adds to the channels: Huang et al. (2017), section 3."""
    b.conv(b.conv(b.norm(shape), mid), out, 3, beside=0)
    return shape._replace(channels=shape.channels + out)


def _transition(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    narrow = b.conv(b.norm(shape), out, beside=0)
    return b.pool(narrow, Shape(*_window(narrow, (2, 2), (2, 2), 0), narrow.channels))


def _convnext(b: _Builder, shape: Shape, layer: Layer, stride: Any) -> Shape:
    """Depthwise 7x7, then four times as wide and back: Liu et al. (2022), figure 4."""
    wide = 4 * shape.channels
    # beside: a shift, and the norm or the scale that is learned behind it
    deep = b.conv(shape, shape.channels, 7, groups=shape.channels, beside=3, name="depthwise")
    return b.add(b.conv(b.conv(deep, wide, beside=1), shape.channels, beside=2))


def _norm(b: _Builder, shape: Shape, layer: Layer, stride: Any) -> Shape:
    return b.norm(shape)


def _maxpool(b: _Builder, shape: Shape, layer: Layer, stride: Any) -> Shape:
    height, width = _window(shape, _pair(layer.kernel), _pair(stride), layer.padding)
    return b.pool(shape, Shape(height, width, shape.channels))


def _avgpool(b: _Builder, shape: Shape, layer: Layer, stride: Any) -> Shape:
    return b.pool(shape, Shape(1.0, 1.0, shape.channels))


def _dense(b: _Builder, shape: Shape, layer: Layer, stride: Any, out: float) -> Shape:
    return b.dense(shape, out)


BUILDERS: dict[str, tuple[Callable[..., Shape], tuple[str, ...]]] = {
    "conv": (_conv, ("out",)),
    "depthwise": (_depthwise, ()),
    "separable": (_separable, ("out",)),
    "basic": (_basic, ("out",)),
    "bottleneck": (_bottleneck, ("mid", "out")),
    "inverted": (_inverted, ("out",)),
    "concat": (_concat, ("mid", "out")),
    "transition": (_transition, ("out",)),
    "convnext": (_convnext, ()),
    "norm": (_norm, ()),
    "maxpool": (_maxpool, ()),
    "avgpool": (_avgpool, ()),
    "dense": (_dense, ("out",)),
}  # and the keys that each cannot do without, which are its last arguments
