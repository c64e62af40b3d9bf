"""Spikes forward, an ANN's layer on counts backward; and hybrid training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikeport
from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.network import Network
from spikeport.core.nodes import Delay, Neuron
from spikeport.trainer.conversion import Tandem, convert, cost, hybrid, in_tandem, tune
from spikeport.trainer.data.dataset import DataSet
from spikeport.trainer.layers import AvgPool2d, Conv2d, Flatten, Linear, held
from spikeport.trainer.models import SpikingNet
from spikeport.trainer.neurons import IF, LIF, SoftResetLIF
from spikeport.trainer.surrogate_forms import stdb

Vector = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]


def soft(threshold: float = 1.0) -> IF:
    return IF(threshold=threshold, reset="subtract")


def test_the_layer_on_counts(vector: Vector) -> None:
    inputs, expected = vector("tandem_spike_count_layer")
    steps = inputs["T"]
    layer = Tandem(Linear(1, 1).double(), soft())
    nn.init.constant_(layer.synapse.weight, inputs["W"])
    nn.init.constant_(layer.get_parameter("synapse.bias"), inputs["b"] / steps)
    spikes = torch.zeros(steps, 1, 1, dtype=torch.float64)
    spikes[: inputs["c_in"]] = 1
    assert float(layer.counts(spikes).detach()) == pytest.approx(expected["ann_relu"], abs=1e-9)
    wanted = np.floor(expected["ann_relu"])
    with torch.no_grad():
        assert float(layer(spikes).sum()) == wanted == float(layer.eval()(spikes).sum())


def small() -> SpikingNet:
    torch.manual_seed(3)
    made = SpikingNet()
    layers = [Tandem(Conv2d(1, 4, 3, padding=1), soft(0.5)), AvgPool2d(2), Flatten()]
    for n, layer in enumerate([*layers, Tandem(Linear(64, 12), soft(0.3)), Linear(12, 3)]):
        made.add_module(f"layer{n}", layer)
    return made


def test_gradients_are_those_of_the_ann_on_counts() -> None:
    """An ANN whose activations are replaced by the counts that the spikes gave."""
    steps, net = 6, small().double()
    x = held(torch.rand(5, 1, 8, 8, dtype=torch.float64) * 2, steps)
    weights = torch.randn(5, 3, dtype=torch.float64)
    loss = (net(x).mean(0) * weights).sum()
    torch.autograd.backward(loss)
    found = {name: p.grad for name, p in net.named_parameters()}

    other = small().double().eval()
    first, pool, flat, second, last = other
    assert isinstance(first, Tandem) and isinstance(second, Tandem)
    with torch.no_grad():
        spikes = [first(x)]
        spikes.append(second(flat(pool(spikes[0]))))

    def on_counts(layer: Tandem, heard: torch.Tensor, spiked: torch.Tensor) -> torch.Tensor:
        bias = layer.get_parameter("synapse.bias")
        scaled = bias.view(-1, *(1,) * (heard.ndim - 2)) * (steps - 1)
        relu = (layer.synapse(heard[None])[0] + scaled) / layer.neuron.threshold
        relu = relu.clamp(0, steps)
        counted: torch.Tensor = relu + (spiked.sum(0) - relu).detach()
        return counted

    one = on_counts(first, x.sum(0), spikes[0])
    two = on_counts(second, flat(pool(one[None]))[0], spikes[1])
    mean = (last((two / steps)[None])[0] * weights).sum()
    assert float(mean.detach()) == pytest.approx(float(loss.detach()))
    torch.autograd.backward(mean)
    for name, p in other.named_parameters():
        wanted = found[name]
        assert p.grad is not None and wanted is not None and wanted.abs().sum() > 0, name
        assert torch.allclose(p.grad, wanted, rtol=1e-9), name


def test_it_learns_and_is_exported_as_what_it_is(blobs: DataSet) -> None:
    net = small()
    losses = tune(net, blobs, 8, epochs=20, batch=30, lr=1e-2)
    assert losses[-1] < 0.5 * losses[0] and not net.training, losses
    network = spikeport.lower(net, (1, 8, 8), steps=8)
    assert list(network.spiking) == ["layer0.neuron", "layer3.neuron"]
    assert isinstance(network, Network)
    x, y = blobs.take(blobs.indices("test"), 8)
    with torch.no_grad():
        chosen = net(torch.tensor(np.ascontiguousarray(x))).mean(0).argmax(1).numpy()
    assert (chosen == y).mean() > 0.9


def test_a_converted_net_learns_in_tandem(blobs: DataSet) -> None:
    """Its layers are shared, so what was converted is what has learned."""
    ann = trained(blobs, epochs=1)
    net = convert(ann, blobs)
    before = cost(ann, net, blobs, "train", (4,)).spiking[4]
    twin = in_tandem(net)
    assert [name for name, _ in twin.named_children()] == ["0", "2", "3"]
    tune(twin, blobs, 4, epochs=15, batch=30, lr=5e-3)
    after = cost(ann, net, blobs, "train", (4,)).spiking[4]
    assert after > max(before, 0.9)
    with torch.no_grad():
        x = held(torch.tensor(blobs.x[:9]), 4)
        assert torch.equal(net(x), twin(x))


def test_what_makes_no_tandem_layer(blobs: DataSet) -> None:
    for neuron in (IF(), LIF(reset="subtract"), SoftResetLIF()):
        with pytest.raises(ConfigError, match=r"give IF\(reset='subtract'\)"):
            Tandem(Linear(2, 2), neuron)
    pooled = SpikingNet(Conv2d(1, 2, 3), AvgPool2d(2), soft())
    with pytest.raises(NetworkError, match="'2' come behind '1'"):
        in_tandem(pooled)


def trained(data: DataSet, epochs: int = 30) -> nn.Sequential:
    """A small ANN."""
    torch.manual_seed(1)
    ann = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))
    optimiser = torch.optim.Adam(ann.parameters(), lr=1e-2)
    x, y = (torch.tensor(v[data.indices("train")]) for v in (data.x, data.y))
    for _ in range(epochs):
        loss = nn.functional.cross_entropy(ann(x), y)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return ann.eval()


def test_hybrid_training_starts_from_lower_thresholds(blobs: DataSet) -> None:
    ann = trained(blobs)
    whole, less = (hybrid(ann, blobs, steps=20, scaling=s) for s in (1.0, 0.7))
    pair = [net.get_submodule("2") for net in (whole, less)]
    assert all(isinstance(n, SoftResetLIF) and n.test_first for n in pair)
    thresholds = [float(n.threshold) for n in pair]  # type: ignore[arg-type]
    assert thresholds[1] == pytest.approx(0.7 * thresholds[0])
    assert pair[1].surrogate == stdb(threshold=thresholds[1])
    found = cost(ann, less, blobs, "test", (40,))
    assert found.ann == 1 and found.spiking[40] > 0.9
    x = held(torch.tensor(blobs.x[:30]), 400)
    with torch.no_grad():
        apart = (less(x).mean(0) - ann(x[0])).abs().mean()
        assert apart < 0.1 * ann(x[0]).std()


def test_hybrid_training_and_diet(blobs: DataSet) -> None:
    ann = trained(blobs, epochs=1)
    net = hybrid(ann, blobs, steps=20, decay=0.95, learn=("decay", "threshold"))
    before = cost(ann, net, blobs, "train", (5,)).spiking[5]
    losses = tune(net, blobs, 5, epochs=15, batch=30, lr=1e-2)
    after = cost(ann, net, blobs, "train", (5,)).spiking[5]
    assert losses[-1] < losses[0] and after > 0.8 > 2 * before
    neuron = net.get_submodule("2")
    assert isinstance(neuron, SoftResetLIF) and isinstance(neuron.decay, torch.Tensor)
    assert float(neuron.decay.detach()) != pytest.approx(0.95, abs=1e-4)
    network = spikeport.lower(net, (1, 8, 8), steps=5)
    assert any(isinstance(node, Delay) for node in network.nodes.values())
    plain = hybrid(ann, blobs, steps=20, test_first=False)
    kinds = spikeport.lower(plain, (1, 8, 8), steps=5).nodes.values()
    assert not any(isinstance(node, Delay) for node in kinds)
    assert any(isinstance(node, Neuron) and node.reset == "subtract" for node in kinds)


def test_options_of_training(blobs: DataSet) -> None:
    ann = trained(blobs, epochs=1)
    with pytest.raises(ConfigError, match="scaling is 1.5"):
        hybrid(ann, blobs, scaling=1.5)
    with pytest.raises(ConfigError, match="'decay' is|decay is 1"):
        hybrid(ann, blobs, learn=("decay",))
    net = hybrid(ann, blobs, steps=4)
    with pytest.raises(ConfigError, match="epochs 0"):
        tune(net, blobs, 4, epochs=0)
    with pytest.raises(ConfigError, match="answer 1 steps late"):
        tune(net, blobs, 1)
