"""Very deep residual nets, pre- and post-activation (Ikegawa et al. 2022, table 3, fig. 3).

Widths and stages are not in the paper: 106 layers are 52 blocks, two stages of 26 or four of 13.
The first block of every later stage has stride 2, and a 1 x 1 convolution as its shortcut.
"""

from collections import OrderedDict

from torch import nn

from ...core.settings import DeepNet
from ..layers import Conv2d, Flatten
from .blocks import SpikingNet, finished, image, neuron, no_norm_behind, norm_before
from .residual_blocks import PostBlock, PreBlock, synapses
from .resnet import halved, mean_of_image


def build(settings: DeepNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples [C, H, W]."""
    no_norm_behind(settings)
    channels, *space = image(settings, input_shape)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    wide = settings.channels[0]
    pre = settings.order == "pre"
    if pre:  # the stream begins as a current
        layers["stem"] = Conv2d(channels, wide, 3, padding=1, bias=settings.bias != "never")
    else:
        layers["stem"] = synapses(settings, channels, wide)
        layers["neuron"] = neuron(settings.neuron)
    kind = PreBlock if pre else PostBlock
    for stage, width in enumerate(settings.channels, 1):
        for n in range(1, settings.blocks + 1):
            stride = 2 if stage > 1 and n == 1 else 1
            layers[f"block{stage}_{n}"] = kind(settings, wide, width, stride)
            space, wide = [halved(size, stride) for size in space], width
    if pre:
        layers["neuron"] = neuron(settings.neuron)
    if settings.pool == "avg":
        features = mean_of_image(layers, wide, space)
    else:
        layers["flatten"] = Flatten()
        features = wide * space[0] * space[1]
    if (before := norm_before(settings, features)) is not None:
        layers["prenorm"] = before
    return finished(settings, layers, features, classes)
