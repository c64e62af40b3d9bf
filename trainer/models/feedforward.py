"""A net of dense layers: {linear - norm - neurons} x n, then linear."""

from collections import OrderedDict
from math import prod

from torch import nn

from ...core.settings import FeedForwardNet
from ..layers import Flatten, Linear
from .blocks import (
    SpikingNet,
    finished,
    has_bias,
    neuron,
    norm,
    norm_before,
    norm_behind,
    synapse,
)


def build(settings: FeedForwardNet, input_shape: tuple[int, ...], classes: int) -> SpikingNet:
    """The net for samples of any shape; they are flattened."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if len(input_shape) != 1:
        layers["flatten"] = Flatten()
    features = prod(input_shape)
    for n, wide in enumerate(settings.hidden, 1):
        normed = norm(settings, wide, axes=1)
        if (before := norm_before(settings, features)) is not None:
            layers[f"prenorm{n}"] = before
        linear = Linear(features, wide, bias=has_bias(settings, normed))
        layers[f"linear{n}"] = synapse(settings, linear)
        if normed is not None:
            layers[f"norm{n}"] = normed
        layers[f"{settings.neuron.kind}{n}"] = neuron(settings.neuron)
        if (behind := norm_behind(settings, (wide,))) is not None:
            layers[f"neunorm{n}"] = behind
        features = wide
    return finished(settings, layers, features, classes)
