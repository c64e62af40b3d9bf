"""A trained ANN -> a spiking net whose rates are the ANN's activations.

A neuron that loses its threshold with every spike fires floor(T r) times in T steps of a constant
current of r thresholds (rounding may take one), so its rate is a ReLU's value clipped at 1, in
units of the layer's scale. With s the unit of what a layer hears, s' of what it gives and its
threshold V, a synapse becomes

    W' = W s V / s'        b' = b V / s'

The input is a constant current, in its own unit. The last layer has no neurons and gives the ANN's
logits, in the mean over time.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ...core.errors import ConfigError, DataError
from ..data import DataSet
from ..data.encoded import Encoded
from ..evaluate import accuracy, as_tensor
from ..layers import AvgPool2d, Conv2d, Flatten, Linear, held
from ..models import SpikingNet
from ..neurons import IF, Neuron, Reset
from .chain import Link, Synapse, chain
from .scales import Scales, from_activations, from_spikes

Method = Literal["max", "percentile", "balance"]
Made = Callable[[float], Neuron]  # threshold -> a population
SAMPLES = 256  # of the training split, which the scales are taken from


def convert(
    ann: nn.Module,
    data: DataSet,
    method: Method = "percentile",
    *,
    reset: Reset = "subtract",
    percentile: float = 99.9,
    steps: int = 64,
    samples: int = SAMPLES,
) -> SpikingNet:
    """The spiking net of an nn.Sequential of Conv2d, Linear, BatchNorm, ReLU, AvgPool2d, Flatten
    and Dropout that takes [B, *shape]: x [T, B, *shape] -> outputs [T, B, classes].

    data: the first `samples` of its training split give the scales. percentile: of the method of
    that name. steps: for which method 'balance' runs the spiking net. reset: 'value' loses what
    a membrane has above its threshold, so that rates come out too low. The ANN is left as it is.
    UnsupportedNode names what cannot be converted, DataError a layer that is silent on the data.
    """
    checked(method, reset, percentile, steps, samples)
    links = chain(ann)
    x = still(ann, data, samples)
    if method == "balance":
        found = from_spikes(links, x, steps, lambda some, so_far: spiking(some, so_far, reset))
    else:
        found = from_activations(links, x, 100.0 if method == "max" else percentile)
    return spiking(links, found, reset)


def checked(method: str, reset: str, percentile: float, steps: int, samples: int) -> None:
    """ConfigError for options that have no meaning."""
    if method not in get_args(Method):
        raise ConfigError(f"method is {method!r}; there are {', '.join(get_args(Method))}")
    if reset not in get_args(Reset):
        raise ConfigError(f"reset is {reset!r}; it must be 'value' or 'subtract'")
    if not 0 < percentile <= 100:
        raise ConfigError(f"percentile is {percentile}; give a number above 0, up to 100")
    if steps < 1 or samples < 1:
        raise ConfigError(f"steps is {steps} and samples {samples}; give 1 or more of each")


def still(ann: nn.Module, data: DataSet, samples: int) -> Tensor:
    """The first samples of the training split, [B, *shape]. DataError if they have time."""
    if data.temporal or isinstance(data, Encoded):
        raise DataError(
            f"{data.name} has samples in time, and an ANN that is converted takes still ones; give "
            "the data before its encoder"
        )
    x, _ = data.take(data.indices("train")[:samples], 1)
    weight = next(ann.parameters(), torch.zeros(()))
    return as_tensor(x, weight.device, weight.dtype)[0]


def spiking(links: list[Link], scales: Scales, reset: Reset) -> SpikingNet:
    """The chain with populations that integrate and fire."""
    return net(links, scales, lambda threshold: IF(threshold=threshold, reset=reset))


def net(links: list[Link], scales: Scales, neuron: Made) -> SpikingNet:
    """The chain with its scales put into weights, biases and thresholds."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    unit = 1.0  # of the signal at this place
    for place, link in enumerate(links):
        if link.fires:
            layers[link.name] = neuron(scales[link.name].threshold)
            continue
        layers[link.name] = made = over_time(link.layer)
        if isinstance(made, Synapse):
            answer = fires_next(links[place + 1 :])
            new, threshold = 1.0, 1.0  # currents in the ANN's own unit
            if answer is not None:
                new, threshold = scales[answer].unit, scales[answer].threshold
            with torch.no_grad():
                made.weight.mul_(unit * threshold / new)
                if made.bias is not None:
                    made.bias.mul_(threshold / new)
            unit = new
    return SpikingNet(layers).eval()


def fires_next(links: Iterable[Link]) -> str | None:
    """The ReLU that a synapse before these layers is for; None: another synapse comes first, or
    the end."""
    for link in links:
        if link.fires:
            return link.name
        if isinstance(link.layer, Synapse):
            return None
    return None


def over_time(layer: nn.Module) -> nn.Module:
    """The layer for signals with time first, with weights of its own."""
    if isinstance(layer, nn.Flatten):
        return Flatten(layer.start_dim, layer.end_dim)
    if isinstance(layer, nn.AvgPool2d):
        window = layer.kernel_size, layer.stride, layer.padding
        return AvgPool2d(*window, layer.ceil_mode, layer.count_include_pad, layer.divisor_override)
    made: nn.Module
    if isinstance(layer, nn.Linear):
        made = Linear(layer.in_features, layer.out_features, layer.bias is not None)
    else:
        assert isinstance(layer, nn.Conv2d)
        made = Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]  # torch's stubs of pairs
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            layer.groups,
            layer.bias is not None,
        )
    made.load_state_dict(layer.state_dict())
    return made.to(layer.weight.device, layer.weight.dtype)


class Still(nn.Module):
    """An ANN that takes [T, B, *shape] and gives its answer to the first step at every step."""

    def __init__(self, ann: nn.Module) -> None:
        super().__init__()
        self.ann = ann

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [T, B, classes], held."""
        return held(self.ann(x[0]), len(x))


@dataclass(frozen=True)
class Cost:
    """Accuracies, 0 to 1: of the ANN, and of the spiking net by steps."""

    ann: float
    spiking: dict[int, float]


def cost(
    ann: nn.Module, converted: nn.Module, data: DataSet, split: str, steps: Iterable[int]
) -> Cost:
    """What a conversion costs on a split, at several numbers of steps. steps: of still samples."""
    before = accuracy(Still(copy.deepcopy(ann)), data, split, 1)
    return Cost(before, {t: accuracy(converted, data, split, t) for t in steps})
