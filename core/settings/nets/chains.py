"""Architectures whose layers stand one behind the other."""

from typing import Annotated, Literal

from pydantic import Field

from ..base import Count
from .base import Net


class ConvNet(Net):
    """{conv 3x3 - norm - neuron - pool} for each of `channels`, then linear."""

    name: Literal["conv"] = "conv"
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    pool: Literal["avg", "max", "none"] = "avg"


class RecurrentNet(Net):
    """linear - norm - recurrent neurons, for each of `hidden`, then linear."""

    name: Literal["recurrent"] = "recurrent"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (128,)


SIZE = r"[1-9]\d*"
TOKEN = rf"^({SIZE}c{SIZE}(s{SIZE})?(p\d+)?|(ap|mp|fc){SIZE}|dp0?\.\d+)$"
Token = Annotated[str, Field(pattern=TOKEN)]


class ChainNet(Net):
    """What a line of a paper says: 64c3 is a convolution 3 x 3 to 64 channels with its neurons
    (64c3s2: stride 2; p0: padding 0 in place of 3 // 2), ap2 and mp2 are pools, fc256 is a
    linear layer with its neurons, dp0.5 a dropout. A linear layer to the classes follows."""

    name: Literal["chain"] = "chain"
    layers: Annotated[tuple[Token, ...], Field(min_length=1)] = ("16c3", "ap2", "32c3", "ap2")
    norm_linear: bool = True
    """false: no norm at the linear layers"""
    classifier_bias: bool = True


class FeedForwardNet(Net):
    """linear - norm - neurons, for each of `hidden`, then linear."""

    name: Literal["feedforward"] = "feedforward"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (128,)
