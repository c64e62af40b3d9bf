"""A recurrent net of dense layers: {linear - norm - recurrent neurons} x n, then linear.

Recurrent weights start orthogonal and small, so that activity neither dies nor runs away.
"""

from collections import OrderedDict
from math import prod

from torch import nn

from ...core.settings import RecurrentNet
from ..layers import Flatten, Linear, Recurrent
from .blocks import SpikingNet, finished, has_bias, neuron, norm, norm_before, norm_behind, synapse

GAIN = 0.2  # of the recurrent weights at the start


def build(settings: RecurrentNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples of any shape; they are flattened."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) != 1:
        layers["flatten"] = Flatten()
    features = prod(input_shape)
    for n, wide in enumerate(settings.hidden, 1):
        normed = norm(settings, wide, axes=1)
        if (before := norm_before(settings, features)) is not None:
            layers[f"prenorm{n}"] = before
        layers[f"linear{n}"] = synapse(
            settings, Linear(features, wide, bias=has_bias(settings, normed))
        )
        if normed is not None:
            layers[f"norm{n}"] = normed
        back = nn.Linear(wide, wide)
        nn.init.orthogonal_(back.weight, GAIN)
        nn.init.zeros_(back.bias)
        layers[f"recurrent{n}"] = Recurrent(neuron(settings.neuron), back)
        if (behind := norm_behind(settings, (wide,))) is not None:
            layers[f"neunorm{n}"] = behind
        features = wide
    return finished(settings, layers, features, classes)
