"""What weights begin with, where torch's own start is not meant.

    kaiming      normal, variance 2 / fan out (TET's VGGSNN, SEW ResNet)
    xavier       uniform, gain 2 (BNTT's VGG-9)
    fluctuation  normal, for membranes that fluctuate around 0 (Rossbroich, Gygax & Zenke 2022)

`start_gain` multiplies every synapse's weight after it: SLAYER's weight scale.
"""

import math

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ...core import settings as config
from ...core.errors import ConfigError

XAVIER_GAIN = 2.0
RATE = 0.1  # spikes a step that fluctuation expects of every input; stork's is per second
XI = 1.0  # thresholds per standard deviation of the membrane


def begin(net: nn.Module, settings: config.Net) -> None:
    """Set the synapses' weights as the settings say. ConfigError where the neurons do not fit."""
    if settings.start == "torch" and settings.start_gain == 1.0:
        return
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _set(layer, settings)


@torch.no_grad()
def _set(layer: nn.Linear | nn.Conv2d, settings: config.Net) -> None:
    if is_parametrized(layer, "weight"):
        raise ConfigError(
            f"model.start is {settings.start!r} with start_gain {settings.start_gain}, and weight "
            f"norm ({settings.norm}) has a start of its own; take train.data_start"
        )
    weight = layer.weight
    if settings.start == "kaiming":
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
    elif settings.start == "xavier":
        nn.init.xavier_uniform_(weight, XAVIER_GAIN)
    elif settings.start == "fluctuation":
        nn.init.normal_(weight, 0.0, _deviation(settings.neuron, weight[0].numel()))
    if settings.start != "torch" and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    weight.mul_(settings.start_gain)


def _deviation(neuron: config.AnyNeuron, inputs: int) -> float:
    """sigma_w = threshold / XI / sqrt(n nu eps): membranes of variance (threshold / XI)^2.

    eps is the sum of the squared response to one spike: with a membrane decay b and a current
    decay a, of g (b^(n + 1) - a^(n + 1)) / (b - a)."""
    if not isinstance(neuron, config.Zenke | config.Cuba | config.Lif):
        raise ConfigError(
            f"model.start is 'fluctuation', which knows no response of neuron {neuron.kind!r}; "
            "take lif, cuba or zenke, or model.start=torch"
        )
    slow = neuron.decay
    fast = 0.0 if isinstance(neuron, config.Lif) else neuron.decay_syn
    gain = 1 - slow if isinstance(neuron, config.Zenke) else 1.0
    if max(slow, fast) >= 1:
        raise ConfigError("model.start is 'fluctuation', which needs decays below 1")
    power = gain**2 * (1 + slow * fast) / ((1 - slow**2) * (1 - fast**2) * (1 - slow * fast))
    return neuron.threshold / XI / math.sqrt(inputs * RATE * power)
