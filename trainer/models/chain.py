"""A net that a line of text describes: 64c3 ap2 128c3s2 fc256 ..., in the papers' notation."""

import re
from collections import OrderedDict
from math import prod

from torch import nn

from ...core.errors import ConfigError
from ...core.settings import ChainNet
from ..layers import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d
from .blocks import (
    SpikingNet,
    finished,
    has_bias,
    image,
    neuron,
    no_norm_behind,
    norm,
    norm_before,
    synapse,
)

CONV = re.compile(r"(\d+)c(\d+)(?:s(\d+))?(?:p(\d+))?")
POOLS = {"ap": AvgPool2d, "mp": MaxPool2d}


def build(settings: ChainNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    no_norm_behind(settings)
    chain = Chain(settings, image(settings, input_shape))
    for token in settings.layers:
        chain.add(token)
    chain.flat()
    return finished(settings, chain.layers, chain.shape[0], classes, bias=settings.classifier_bias)


class Chain:
    """The layers so far, and the shape of what they give."""

    def __init__(self, settings: ChainNet, shape: tuple[int, ...]) -> None:
        self.settings = settings
        self.shape = shape
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.counts: dict[str, int] = {}

    def put(self, kind: str, layer: nn.Module) -> None:
        """A layer under its kind's next number."""
        self.counts[kind] = number = self.counts.get(kind, 0) + 1
        self.layers[f"{kind}{number}"] = layer

    def add(self, token: str) -> None:
        """The layers that one word names."""
        kind, size = token[:2], token[2:]
        if kind in POOLS:
            self.pool(token, POOLS[kind](int(size)), int(size))
        elif kind == "fc":
            self.linear(int(size))
        elif kind == "dp":
            self.put("dropout", Dropout(float(size)))
        elif (found := CONV.fullmatch(token)) is not None:
            self.conv(token, *(None if n is None else int(n) for n in found.groups()))

    def pool(self, token: str, layer: nn.Module, size: int) -> None:
        """A pool over what must still be an image."""
        channels, height, width = self.image(token)
        self.put("pool", layer)
        self.shape = self.left(token, channels, height // size, width // size)

    def conv(
        self,
        token: str,
        wide: int | None,
        kernel: int | None,
        stride: int | None,
        padding: int | None,
    ) -> None:
        """[norm before] - convolution - [norm after] - neurons."""
        assert wide is not None and kernel is not None
        channels, *space = self.image(token)
        stride, padding = stride or 1, kernel // 2 if padding is None else padding
        if (before := norm_before(self.settings, channels)) is not None:
            self.put("prenorm", before)
        after = norm(self.settings, wide, axes=3)
        bias = has_bias(self.settings, after)
        layer = Conv2d(channels, wide, kernel, stride, padding, bias=bias)
        self.put("conv", synapse(self.settings, layer))
        self.fire(after)
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in space)
        self.shape = self.left(token, wide, height, width)

    def linear(self, wide: int) -> None:
        """[norm before] - linear - [norm after] - neurons."""
        self.flat()
        (features,) = self.shape
        normed = self.settings.norm_linear
        if normed and (before := norm_before(self.settings, features)) is not None:
            self.put("prenorm", before)
        after = norm(self.settings, wide, axes=1) if normed else None
        bias = has_bias(self.settings, after)
        self.put("linear", synapse(self.settings, Linear(features, wide, bias=bias)))
        self.fire(after)
        self.shape = (wide,)

    def fire(self, after: nn.Module | None) -> None:
        """The norm behind a synapse, and the neurons."""
        if after is not None:
            self.put("norm", after)
        self.put(self.settings.neuron.kind, neuron(self.settings.neuron))

    def flat(self) -> None:
        """From here on, features."""
        if len(self.shape) > 1:
            self.put("flatten", Flatten())
            self.shape = (prod(self.shape),)

    def image(self, token: str) -> tuple[int, ...]:
        """[C, H, W], or ConfigError."""
        if len(self.shape) != 3:
            raise ConfigError(
                f"model.layers has {token!r} behind a linear layer, where there is no image; "
                "put it before"
            )
        return self.shape

    def left(self, token: str, channels: int, height: int, width: int) -> tuple[int, ...]:
        """The shape, or ConfigError where nothing is left."""
        if min(height, width) < 1:
            before = " x ".join(map(str, self.shape[1:]))
            raise ConfigError(
                f"model.layers: {token!r} leaves nothing of {before} pixels; take fewer pools "
                "or strides, or larger images"
            )
        return channels, height, width
