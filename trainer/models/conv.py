"""A small convolutional net: {conv 3 x 3 - norm - neuron - pool 2 x 2} x n, flatten, linear.

The pool comes after the neurons, so that it adds up spikes and can be merged into the next
synapse; the convolution has no bias where a norm brings one.
"""

from collections import OrderedDict

from torch import nn

from ...core.settings import ConvNet
from ..layers import AvgPool2d, Conv2d, Flatten, MaxPool2d
from .blocks import (
    SpikingNet,
    finished,
    has_bias,
    image,
    neuron,
    norm,
    norm_before,
    norm_behind,
    synapse,
)

POOLS = {"avg": AvgPool2d, "max": MaxPool2d}


def build(settings: ConvNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    pools = 0 if settings.pool == "none" else len(settings.channels)
    channels, height, width = image(settings, input_shape, 2**pools)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for n, wide in enumerate(settings.channels, 1):
        normed = norm(settings, wide, axes=3)
        if (before := norm_before(settings, channels)) is not None:
            layers[f"prenorm{n}"] = before
        conv = Conv2d(channels, wide, 3, padding=1, bias=has_bias(settings, normed))
        layers[f"conv{n}"] = synapse(settings, conv)
        if normed is not None:
            layers[f"norm{n}"] = normed
        layers[f"{settings.neuron.kind}{n}"] = neuron(settings.neuron)
        if (behind := norm_behind(settings, (wide, height, width))) is not None:
            layers[f"neunorm{n}"] = behind
        if settings.pool != "none":
            layers[f"pool{n}"] = POOLS[settings.pool](2)
            height, width = height // 2, width // 2
        channels = wide
    layers["flatten"] = Flatten()
    return finished(settings, layers, channels * height * width, classes)
