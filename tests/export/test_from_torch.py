"""The exporter lowers what it knows exactly, and names what it does not, with the source line."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.core import interpreter
from spikeport.core.errors import SpikeportError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower
from spikeport.export.from_torch.trace import hollow, shapes, traced
from spikeport.trainer import layers, norms
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.neurons import IF, LIF, CubaLIF


class Measured(layers.Linear):
    """Looks at its numbers."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * (2.0 if float(self.weight.detach().sum()) > 1e9 else 1.0)


def test_shapes_are_found_without_numbers() -> None:
    model = nn.Sequential(layers.Conv2d(1, 4, 3), LIF(0.5), layers.Flatten(), layers.Linear(64, 5))
    nowhere = hollow(model)
    assert {v.device.type for v in nowhere.state_dict().values()} == {"meta"}
    assert {v.device.type for v in model.state_dict().values()} == {"cpu"}
    graph = traced(model)
    found = shapes(nowhere, graph, torch.zeros(1, 1, 1, 6, 6, device="meta"))
    assert list(found.values()) == [(1, 6, 6), (4, 4, 4), (4, 4, 4), (64,), (5,), (5,)]
    assert shapes(model, graph, torch.zeros(1, 1, 1, 6, 6)) == found


def test_a_layer_that_needs_numbers_gets_them() -> None:
    agree(nn.Sequential(Measured(6, 8), LIF(0.5), layers.Linear(8, 3)), (6,))


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def agree(model: nn.Module, shape: tuple[int, ...], steps: int = 4) -> Network:
    """Lower, and hold a longer run against torch with ==."""
    network = lower(model, shape)
    x = np.random.default_rng(2).normal(0.3, 1, (steps, 3, *shape))
    (name,) = network.inputs
    got = interpreter.run(compile(network), {name: x}, ("all",))
    outputs, spikes = run_recorded(model.eval(), x)
    assert got.spikes.keys() == spikes.keys()
    for layer, fired in spikes.items():
        assert 0 < fired.mean() < 1, layer
        assert (got.spikes[layer] == fired).all(), layer
    (out,) = network.outputs
    np.testing.assert_allclose(got.outputs[out], outputs, rtol=1e-9, atol=1e-9)
    return network


def trained(norm: nn.Module) -> nn.Module:
    """A norm whose moments are not those of a fresh one."""
    for values in (norm.weight, norm.bias, norm.running_mean):
        assert isinstance(values, Tensor)
        values.data.normal_(0.3, 0.5)
    assert isinstance(norm.running_var, Tensor)
    norm.running_var.data.uniform_(0.2, 2)
    return norm


def test_conv_net() -> None:
    model = nn.Sequential(
        layers.Conv2d(2, 6, (3, 5), padding="same", groups=2),
        trained(norms.BatchNorm2d(6)),
        LIF(0.7),
        layers.AvgPool2d(2),
        layers.Conv2d(6, 4, 3, stride=2, dilation=1, padding=1),
        trained(norms.TdBatchNorm2d(4, threshold=1.5, alpha=0.7)),
        CubaLIF(0.8, 0.5, reset="subtract", learn=("decay", "threshold")),
        layers.MaxPool2d(2),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Linear(4, 3),
    )
    network = agree(model, (2, 8, 8))
    kinds = [network.nodes[n].kind for n in compile(network).order]
    assert kinds.count("BatchNorm") == 2 and "MaxPool2d" in kinds


class Skip(nn.Module):
    """Two branches that are added, before neurons and after."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.lif1 = layers.Linear(5, 6), LIF()
        self.left, self.right = layers.Linear(6, 6), layers.Linear(6, 6, bias=False)
        self.lif2, self.read = IF(), layers.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.lif1(self.first(x))
        y = self.lif2(self.left(h) + self.right(h))
        result: Tensor = self.read(torch.add(y, h))
        return result


def test_additions_are_edges() -> None:
    network = agree(Skip(), (5,))
    assert network.sources["lif2"] == ("left", "right")
    assert network.sources["read"] == ("lif1", "lif2")


def test_recurrent() -> None:
    model = nn.Sequential(
        layers.Linear(5, 7), layers.Recurrent(CubaLIF(0.9, 0.3), nn.Linear(7, 7)), LIF()
    )
    network = agree(model, (5,), steps=9)
    assert network.meaning.back_edges == (("1.linear", "1.neuron"),)


def test_float32_weights_are_lowered_to_the_bit() -> None:
    model = nn.Sequential(layers.Linear(4, 3), LIF(0.9))
    weight = lower(model, (4,)).nodes["0"].weight  # type: ignore[attr-defined]
    linear = model[0]
    assert isinstance(linear, nn.Linear)
    assert (weight == linear.weight.detach().double().numpy()).all()


class Parts(nn.Module):
    """What the modules below are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif, self.soft = layers.Linear(4, 4), LIF(), nn.Softmax(-1)


class Relu(Parts):
    def forward(self, x: Tensor) -> Any:
        return torch.relu(self.fc(x))


class TimesTwo(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.fc(x) * 2


class PlusNumber(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.fc(x) + 1.0


class PlusItself(Parts):
    def forward(self, x: Tensor) -> Any:
        h = self.fc(x)
        return self.lif(h + h)


class PlusWeight(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.fc(x) + self.fc.bias


class Branches(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.fc(x) if x.sum() > 0 else self.lif(x)


class Twice(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.lif(self.fc(self.lif(x)))


class Mean(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.fc(x).mean(0)


class SoftmaxLayer(Parts):
    def forward(self, x: Tensor) -> Any:
        return self.soft(self.fc(x))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Relu(), ("function 'relu'", "torch.relu(self.fc(x))", "test_from_torch.py")),
        (TimesTwo(), ("function 'mul'", "self.fc(x) * 2")),
        (PlusNumber(), ("adds a number", "self.fc(x) + 1.0")),
        (PlusItself(), ("adds a value to itself", "h + h")),
        (PlusWeight(), ("parameter", "fc.bias", "put it into a layer")),
        (Branches(), ("cannot be followed", "without branches")),
        (Twice(), ("same neurons", "'lif'")),
        (Mean(), ("method 'mean'", "self.fc(x).mean(0)", "time and batch must stay")),
        (SoftmaxLayer(), ("layer 'soft'", "Softmax", "cannot be lowered")),
    ],
)
def test_what_cannot_be_lowered_is_named(model: nn.Module, words: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedNode) as caught:
        lower(model, (4,))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (layers.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), "circular"),
        (layers.Conv2d(2, 2, 2, padding="same"), "'same'"),
        (layers.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
        (layers.AvgPool2d(2, padding=1, count_include_pad=False), "count_include_pad"),
        (layers.MaxPool2d(2, dilation=2), "dilation"),
        (nn.Flatten(0), "flatten|time and batch"),
        (nn.Conv2d(2, 2, 3), "fails on a sample"),
    ],
)
def test_layers_that_have_no_counterpart(layer: nn.Module, word: str) -> None:
    with pytest.raises(SpikeportError, match=word):
        lower(nn.Sequential(layer), (2, 6, 6))


def test_norm_without_running_statistics() -> None:
    norm = norms.BatchNorm1d(4)
    norm.running_mean = norm.running_var = None
    norm.track_running_stats = False
    with pytest.raises(UnsupportedNode, match="running statistics"):
        lower(nn.Sequential(layers.Linear(4, 4), norm), (4,))


def test_the_module_is_left_as_it_was() -> None:
    model = nn.Sequential(layers.Linear(4, 3), LIF()).train()
    lower(model, (4,))
    assert model.training and next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("layer", "shape", "word"),
    [
        (nn.LSTM(4, 4), (4,), r"is a LSTM.*take Recurrent\(CubaLIF\(\)"),
        (nn.ReLU(), (4,), r"is a ReLU.*take a population"),
        (nn.Conv2d(1, 2, 3), (1, 6, 6), r"spikeport\.trainer\.layers\.Conv2d takes"),
    ],
)
def test_the_usual_layers_get_a_next_move(layer: nn.Module, shape: Any, word: str) -> None:
    with pytest.raises(UnsupportedNode, match=word):
        lower(nn.Sequential(layer, LIF()), shape)
