"""Small torch nets of every kind that the chip can hold, and the graphs made of them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from spikeport.core.arrays import Array, Shape
from spikeport.core.network import Network
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.export.quantise import Options, Quantise
from spikeport.export.recipes import TRAINABLE
from spikeport.trainer import layers, norms
from spikeport.trainer.graph import GraphNet, Start
from spikeport.trainer.neurons import IF, LIF, CubaLIF, Neuron

STEPS, BATCH = 6, 8
Layers = list[nn.Module]


def flat(*neurons: Neuron) -> Layers:
    """Dense layers with biases between these neurons."""
    made: Layers = [layers.Flatten()]
    for neuron in neurons:
        made += [layers.Linear(36 if len(made) == 1 else 14, 14), neuron]
    return [*made, layers.Linear(14, 5)]


def conv(pool: Callable[[int], nn.Module], **how: object) -> Layers:
    """Two convolutions with batch norms, each with a pool behind its neurons."""
    return [
        layers.Conv2d(1, 4, 3, padding=1, bias=False),
        norms.BatchNorm2d(4),
        LIF(0.5, **how),  # type: ignore[arg-type]
        pool(2),
        layers.Conv2d(4, 6, 3, padding=1, bias=False),
        norms.BatchNorm2d(6),
        LIF(0.7, **how),  # type: ignore[arg-type]
        pool(3),
        layers.Flatten(),
        layers.Linear(6, 5),
    ]


def recurrent() -> Layers:
    return [
        layers.Flatten(),
        layers.Linear(36, 14),
        layers.Recurrent(LIF(0.5), nn.Linear(14, 14)),
        layers.Linear(14, 9),
        layers.Recurrent(CubaLIF(0.6, 0.3, reset="subtract"), nn.Linear(9, 9)),
        layers.Linear(9, 5),
    ]


NETS: dict[str, Callable[[], Layers]] = {
    "dense": lambda: flat(LIF(0.5), LIF(0.9)),
    "dense_subtract": lambda: flat(LIF(0.8, reset="subtract"), IF(reset="subtract")),
    "perfect": lambda: flat(IF(threshold=1.3), IF()),
    "current": lambda: flat(CubaLIF(0.7, 0.4), CubaLIF(0.35, 0.81)),
    "current_subtract": lambda: flat(CubaLIF(0.7, 0.4), CubaLIF(0.6, 0.9, reset="subtract")),
    "conv": lambda: conv(layers.AvgPool2d),
    "conv_subtract": lambda: conv(layers.SumPool2d, reset="subtract"),
    "conv_max": lambda: conv(layers.MaxPool2d),
    "recurrent": recurrent,
}
SHAPE: Shape = (1, 6, 6)


def model(name: str) -> nn.Module:
    """A net in eval mode whose neurons fire, its norms with moments that are not 0 and 1."""
    torch.manual_seed(sum(name.encode()))
    made = nn.Sequential(*NETS[name]())
    for layer in made.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.weight.data.mul_(2.5)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.3, 0.8)
            layer.bias.data.normal_(0.4, 0.4)
    return made.eval()


def images(seed: int = 0) -> Array:
    """x [T, B, 1, 6, 6]: half of the samples are held, half move."""
    x = np.random.default_rng(seed).random((STEPS, BATCH, *SHAPE))
    x[:, ::2] = x[:1, ::2]
    return x


def real_network(name: str) -> Network:
    """What training goes on from."""
    return run_passes(lower(model(name), SHAPE), TRAINABLE).network


def started(name: str, options: Options | None = None) -> Start:
    """The graph in integers."""
    real = real_network(name)
    quantise = Quantise({real.inputs[0]: images()}, options or Options(method="max"))
    return Start(real, quantise.apply(real).network)


def moved(net: GraphNet, share: float = 0.2) -> GraphNet:
    """The net with other weights and biases, as training leaves them: off every grid."""
    torch.manual_seed(1)
    for values in net.parameters():
        values.data += share * values.abs().mean() * torch.randn_like(values)
    return net
