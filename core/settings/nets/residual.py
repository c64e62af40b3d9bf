"""Architectures with shortcuts."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..base import Count
from .base import Net

JoinName = Literal["add", "and", "iand"]


class ResNet(Net):
    """Stem, stages of two-convolution blocks, mean over the image, linear.

    block spiking: the shortcut is added before the last neurons; sew: spikes of branch and
    shortcut meet in `join` (Fang et al. 2021)."""

    name: Literal["resnet"] = "resnet"
    block: Literal["spiking", "sew"] = "spiking"
    join: JoinName = "add"
    """sew only"""
    stem: Literal["3x3", "7x7"] = "3x3"
    """7x7: stride 2, then a max-pool 3 x 3 of stride 2"""
    stem_channels: Count = 64
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (128, 256, 512)
    """of stages"""
    blocks: Annotated[tuple[Count, ...], Field(min_length=1)] = (3, 3, 2)
    """in each stage"""
    strides: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 2, 2)
    """of first blocks"""
    hidden: Annotated[int, Field(ge=0)] = 256
    """linear layer with neurons before the last; 0: none"""
    norm_hidden: bool = False
    """a norm at that layer"""
    halved: bool = True
    """tdbn only: alpha 1 / sqrt(2) where branches are added"""
    norm_shortcut: bool = False
    """a norm on shortcuts without a convolution, too (BrainCog)"""
    zero_start: bool = False
    """blocks begin as the identity: last norm's weight 0"""

    @model_validator(mode="after")
    def _stages_agree(self) -> Self:
        counts = len(self.channels), len(self.blocks), len(self.strides)
        if len(set(counts)) != 1:
            raise ValueError(
                f"channels, blocks and strides have {counts[0]}, {counts[1]} and {counts[2]} "
                "entries; give one of each for every stage"
            )
        return self


class SewNet(Net):
    """The thesis' net: conv 3 x 3 - norm - neurons, {SEW blocks - pool} x stages, linear."""

    name: Literal["sew"] = "sew"
    channels: Count = 32
    stages: Count = 5
    blocks: Count = 2
    """in each stage"""
    join: JoinName = "add"
    pool: Literal["avg", "max"] = "max"
    zero_start: bool = False
    """blocks begin as the identity"""


class MixerNet(Net):
    """Spiking ConvMixer: patches, {residual depth-wise conv, conv 1 x 1} x depth, mean, linear."""

    name: Literal["convmixer"] = "convmixer"
    channels: Count = 256
    depth: Count = 8
    kernel: Annotated[int, Field(ge=1)] = 9
    patch: Count = 1
    join: JoinName = "add"

    @model_validator(mode="after")
    def _kernel_has_a_middle(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}; give an odd one, which keeps the size")
        return self


class DeepNet(Net):
    """Conv 3 x 3, blocks of two convolutions in stages of growing width, linear (Ikegawa et al.).

    order pre: h + G(h), G = neurons - conv - neurons - conv, and neurons before the last layer;
    post: neurons(h + G(h)), G = conv - neurons - conv."""

    name: Literal["deep"] = "deep"
    order: Literal["pre", "post"] = "pre"
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    """of the stages"""
    blocks: Count = 26
    """in each stage; depth is 2 blocks stages + 2: 106"""
    pool: Literal["avg", "none"] = "avg"
    """mean over the image before the last layer"""
