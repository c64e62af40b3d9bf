"""The thesis' SEW net: conv - norm - neurons, {SEW blocks - pool 2 x 2} x stages, linear.

Under ADD the values grow by one a block, so that a max-pool sees more than 0 and 1; such a net
trains, and export refuses the pool by name. With `pool = "avg"` or another join it is exported.
"""

from collections import OrderedDict

from torch import nn

from ...core.settings import SewNet
from ..layers import AvgPool2d, Flatten, MaxPool2d
from .blocks import SpikingNet, finished, image, neuron, no_norm_behind
from .residual_blocks import SewBlock, synapses

POOLS = {"avg": AvgPool2d, "max": MaxPool2d}


def build(settings: SewNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    no_norm_behind(settings)
    channels, height, width = image(settings, input_shape, 2**settings.stages)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = synapses(settings, channels, settings.channels)
    layers["neuron"] = neuron(settings.neuron)
    for stage in range(1, settings.stages + 1):
        for n in range(1, settings.blocks + 1):
            layers[f"block{stage}_{n}"] = SewBlock(settings, settings.channels, settings.channels)
        layers[f"pool{stage}"] = POOLS[settings.pool](2)
        height, width = height // 2, width // 2
    layers["flatten"] = Flatten()
    return finished(settings, layers, settings.channels * height * width, classes)
