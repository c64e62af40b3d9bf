"""Tandem learning (Wu et al. 2021): spikes go forward, an ANN layer on spike counts goes back.

forward    the synapse and its neurons, step by step
backward   of the counts over T steps, as if they were  relu(W c + T b) / threshold  and T at most,
           c the counts that came in and b the bias of one step

A neuron fires once a step at most, so its count hears no gradient beyond T. The source's ReLU has
no such bound; there a batch norm keeps counts low, without which nets soon fire at every step.

The spikes carry that gradient in equal shares, a T-th each, so whatever is linear in the counts
(pools, the next layer, a mean over time) passes it on. In eval mode the layer is the synapse and
the neurons alone, and is exported as that.
"""

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, NetworkError
from ..layers import Conv2d, Linear
from ..models import SpikingNet
from ..neurons import Neuron


class Tandem(nn.Module):
    """A synapse and neurons that lose their threshold with every spike and leak nothing."""

    def __init__(self, synapse: Linear | Conv2d, neuron: Neuron) -> None:
        super().__init__()
        leaks = neuron.decay is not None or neuron.decay_syn is not None or neuron.delay
        if neuron.reset != "subtract" or leaks or neuron.learn:
            raise ConfigError(
                f"a tandem layer's neurons are given as {neuron!r}; their counts follow from "
                "input counts only where nothing is lost: give IF(reset='subtract')"
            )
        self.synapse = synapse
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        """x [T, B, *shape] -> spikes [T, B, *shape']."""
        if not self.training:
            return cast(Tensor, self.neuron(self.synapse(x)))
        with torch.no_grad():
            spikes: Tensor = self.neuron(self.synapse(x))
        share = self.counts(x) / len(x)
        return spikes + (share - share.detach())

    def counts(self, x: Tensor) -> Tensor:
        """What the ANN's layer says of the counts of x [T, B, *shape]: [B, *shape']."""
        total: Tensor = self.synapse(x.sum(0, keepdim=True))[0]
        if self.synapse.bias is not None:  # it has been added once, and flows at every step
            bias = self.synapse.bias.view(-1, *(1,) * (total.ndim - 2))
            total = total + (len(x) - 1) * bias
        return (total / self.neuron.threshold).clamp(0, len(x))


def in_tandem(net: SpikingNet) -> SpikingNet:
    """The net with each synapse and the neurons right behind it as one tandem layer, for training.

    The layers are shared: what is trained in one is trained in the other. A layer is called as its
    neurons are. NetworkError where neurons have no synapse right before them.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in net.named_children():
        if not isinstance(layer, Neuron):
            layers[name] = layer
            continue
        before, synapse = layers.popitem() if layers else ("nothing", None)
        if not isinstance(synapse, Linear | Conv2d):
            raise NetworkError(
                f"the neurons '{name}' come behind '{before}', which is no Linear or Conv2d, so "
                "that they make no tandem layer"
            )
        layers[name] = Tandem(synapse, layer)
    made = SpikingNet(layers)
    made.readout = net.readout
    return made
