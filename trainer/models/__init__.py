"""Architectures by name. A family is one file with a `build` function, listed here."""

from collections.abc import Callable
from typing import Any

from ...core.errors import ConfigError
from ...core.settings import Net
from . import chain, conv, convmixer, deep, feedforward, recurrent, resnet, sew
from .blocks import SpikingNet

__all__ = ["SpikingNet", "build"]

Builder = Callable[[Any, tuple[int, ...], int], SpikingNet]
FAMILIES: dict[str, Builder] = {
    "conv": conv.build,
    "recurrent": recurrent.build,
    "feedforward": feedforward.build,
    "chain": chain.build,
    "resnet": resnet.build,
    "sew": sew.build,
    "convmixer": convmixer.build,
    "deep": deep.build,
}


def build(config: Net, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """A fresh model for samples [*input_shape]: x [T, B, *input_shape] -> outputs [T, B, classes].

    ConfigError if the family does not exist or does not fit the samples' shape.
    """
    name = getattr(config, "name", "")
    if name not in FAMILIES:
        raise ConfigError(f"model.name is {name!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[name](config, tuple(input_shape), classes)
