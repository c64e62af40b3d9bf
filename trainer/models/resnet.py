"""ResNets: stem, stages of two-convolution blocks, mean over the image, linear.

ResNet-19 (Zheng et al. 2021; Deng et al. 2022: stem of 64) and Spiking-ResNet-34 have blocks
`spiking`, SEW-ResNet-34 (Fang et al. 2021) has blocks `sew`.
"""

from collections import OrderedDict
from math import prod

from torch import nn

from ...core import settings as config
from ..layers import AvgPool2d, Flatten, Linear, MaxPool2d
from .blocks import SpikingNet, finished, image, neuron, no_norm_behind, norm, norm_before, synapse
from .residual_blocks import SewBlock, SpikingBlock, synapses

STEMS = {"3x3": (3, 1), "7x7": (7, 2)}  # kernel, stride


def build(settings: config.ResNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    no_norm_behind(settings)
    channels, *space = image(settings, input_shape)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    kernel, stride = STEMS[settings.stem]
    layers["stem"] = synapses(settings, channels, settings.stem_channels, kernel, stride)
    layers["neuron"] = neuron(settings.neuron)
    space = [halved(n, stride) for n in space]
    if settings.stem == "7x7":
        layers["pool"] = MaxPool2d(3, 2, 1)
        space = [halved(n, 2) for n in space]
    wide = settings.stem_channels
    stages = zip(settings.channels, settings.blocks, settings.strides, strict=True)
    for stage, (width, blocks, first) in enumerate(stages, 1):
        for n in range(1, blocks + 1):
            step = first if n == 1 else 1
            kind = SewBlock if settings.block == "sew" else SpikingBlock
            layers[f"stage{stage}_{n}"] = kind(settings, wide, width, step)
            space, wide = [halved(size, step) for size in space], width
    features = mean_of_image(layers, wide, space)
    if settings.hidden:
        hidden(settings, layers, features)
        features = settings.hidden
    return finished(settings, layers, features, classes)


def hidden(settings: config.ResNet, layers: OrderedDict[str, nn.Module], features: int) -> None:
    """A linear layer with neurons."""
    normed = settings.norm_hidden
    if normed and (before := norm_before(settings, features)) is not None:
        layers["hidden_prenorm"] = before
    after = norm(settings, settings.hidden, axes=1) if normed else None
    layers["hidden"] = synapse(settings, Linear(features, settings.hidden, bias=after is None))
    if after is not None:
        layers["hidden_norm"] = after
    layers["hidden_neuron"] = neuron(settings.neuron)


def mean_of_image(layers: OrderedDict[str, nn.Module], channels: int, space: list[int]) -> int:
    """Mean over the image and flatten; returns the features that are left."""
    if prod(space) > 1:
        layers["mean"] = AvgPool2d((space[0], space[1]))
    layers["flatten"] = Flatten()
    return channels


def halved(size: int, stride: int) -> int:
    """What a kernel with padding kernel // 2 leaves of a side."""
    return (size - 1) // stride + 1
