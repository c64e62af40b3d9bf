"""Spiking ConvMixer (Trockman & Kolter 2022, neurons in place of GELU).

conv - norm - neurons everywhere. With the norm behind the neurons, as the original has it,
values would be no spikes, and its shift would not fold into the next zero-padded convolution.
"""

from collections import OrderedDict

from torch import nn

from ...core.settings import MixerNet
from ..layers import Conv2d
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
from .residual_blocks import MixerBlock
from .resnet import mean_of_image


def build(settings: MixerNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    no_norm_behind(settings)
    channels, *space = image(settings, input_shape, settings.patch)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if (before := norm_before(settings, channels)) is not None:
        layers["prenorm"] = before
    after = norm(settings, settings.channels, axes=3)
    patch, bias = settings.patch, has_bias(settings, after)
    patches = Conv2d(channels, settings.channels, patch, patch, bias=bias)
    layers["patches"] = synapse(settings, patches)
    if after is not None:
        layers["norm"] = after
    layers["neuron"] = neuron(settings.neuron)
    for n in range(1, settings.depth + 1):
        layers[f"block{n}"] = MixerBlock(settings)
    features = mean_of_image(layers, settings.channels, [size // patch for size in space])
    return finished(settings, layers, features, classes)
