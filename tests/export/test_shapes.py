"""Shapes that are found without computing anything are those that are computed."""

import pytest
import torch
from torch import nn

from spikeport.export.from_torch.trace import Watch, shapes, traced
from spikeport.trainer import layers, norms
from spikeport.trainer.neurons import Neuron
from spikeport.trainer.neurons.kinds import KINDS


def maps(middle: nn.Module) -> nn.Module:
    return nn.Sequential(
        layers.Conv2d(2, 4, 3, stride=2), middle, layers.AvgPool2d(2), layers.Flatten()
    )


def flat(middle: nn.Module) -> nn.Module:
    return nn.Sequential(layers.Flatten(), layers.Linear(128, 5), middle, layers.Linear(5, 3))


NETS = [flat(made) for made in (kind.make() for kind in KINDS) if isinstance(made, Neuron)]
NETS += [maps(norms.BatchNorm2d(4)), maps(norms.TdBatchNorm2d(4)), flat(norms.BatchNorm1d(5))]


@pytest.mark.parametrize(
    "net", NETS, ids=lambda net: " ".join(type(layer).__name__ for layer in net)
)
def test_the_same_shapes(net: nn.Module) -> None:
    net = net.double().eval()
    graph, sample = traced(net), torch.zeros(4, 1, 2, 8, 8).double()
    found, computed = shapes(net, graph, sample), Watch(net, graph, sample).watched()
    assert {n.name: s for n, s in found.items()} == {n.name: s for n, s in computed.items()}
    assert len(found) > 4


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (maps(norms.BatchNorm2d(5)), "layer '1'.* fails on a sample: .* 4 elements not 5"),
        (maps(norms.BatchNorm1d(4)), "layer '1'.* fails on a sample"),
    ],
)
def test_a_norm_of_other_channels_says_what_torch_says(net: nn.Module, says: str) -> None:
    net = net.double().eval()
    with pytest.raises(Exception, match=says):
        shapes(net, traced(net), torch.zeros(1, 1, 2, 8, 8).double())
