"""Live SpikingJelly models, lowered, against SpikingJelly itself: every spike with ==."""

from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from spikeport.core import interpreter
from spikeport.core.errors import UnsupportedNode
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower

from .held import active, agree

KINDS = (neuron.BaseNode, neuron.SimpleBaseNode, layer.LinearRecurrentContainer)


def run(model: nn.Module, x: Tensor) -> None:
    """From rest, whole sequences or step by step, as the model is set."""
    functional.reset_net(model)
    mode = next(m.step_mode for m in model.modules() if isinstance(m, KINDS))
    if mode == "m":
        model(x)
    else:
        for now in x:
            model(now)
    functional.reset_net(model)


def population(random: np.random.Generator, size: int) -> Any:
    """A random population of any kind that can be lowered."""
    v_reset = [0.0, None, -0.5, 0.25][random.integers(4)]
    how: dict[str, Any] = {"v_threshold": float(random.uniform(0.6, 1.4)), "v_reset": v_reset}
    how["surrogate_function"] = [surrogate.Sigmoid(), surrogate.ATan()][random.integers(2)]
    decay = bool(random.integers(2))
    match random.integers(7):
        case 0:
            return neuron.IFNode(**how)
        case 1:
            return neuron.ParametricLIFNode(2.5, decay, **how)
        case 2:
            how["v_reset"] = None if v_reset is None else 0.0
            return neuron.CUBALIFNode(0.4, 0.8, **how)
        case 3:
            how["v_reset"] = v_reset or 0.0
            return neuron.SimpleLIFNode(3.0, decay, **how)
        case 4:
            inner = neuron.LIFNode(2.0, decay, **how)
            return layer.LinearRecurrentContainer(inner, size, size)
    return neuron.LIFNode(float(random.uniform(1.2, 6)), decay, **how)


def chain(seed: int) -> nn.Module:
    """A random chain of two to four populations, in one of the two step modes."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    sizes = random.integers(3, 9, random.integers(2, 5))
    layers: list[nn.Module] = [layer.Flatten()]
    for last, size in zip((6, *sizes), sizes, strict=False):
        dense = layer.Linear(last, size)
        dense.weight.data *= 3
        layers += [dense, population(random, size)]
    model = nn.Sequential(*layers).double()
    functional.set_step_mode(model, "ms"[random.integers(2)])
    return model


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed: int) -> None:
    agree(chain(seed), (2, 3), KINDS, run, seed)


def test_random_chains_spike() -> None:
    found = [active(lower(chain(seed), (2, 3))) for seed in range(60)]
    assert all(0.005 < share < 0.95 for share in found), found


def conv_net() -> nn.Sequential:
    torch.manual_seed(3)
    norm = layer.BatchNorm2d(4)
    norm.running_mean.data.normal_(0, 0.3)
    norm.running_var.data.uniform_(0.5, 2)
    return nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1, bias=False),
        norm,
        neuron.IFNode(),
        layer.MaxPool2d(2),
        layer.Dropout(0.5),
        layer.Flatten(),
        layer.Linear(16, 20),
        neuron.LIFNode(2.0),
        layer.VotingLayer(10),
    ).double()


@pytest.mark.parametrize("mode", ["s", "m"])
def test_conv_net(mode: str) -> None:
    model = conv_net().eval()
    functional.set_step_mode(model, mode)
    agree(model, (2, 4, 4), KINDS, run)


def test_layers_in_a_container() -> None:
    """SeqToANNContainer: layers of torch itself, step by step in a sequence."""
    torch.manual_seed(1)
    model = nn.Sequential(
        layer.SeqToANNContainer(nn.Conv2d(2, 4, 3, padding=1), nn.AvgPool2d(2), nn.Flatten()),
        neuron.LIFNode(2.0, step_mode="m"),
        nn.Flatten(2),
        nn.Linear(16, 3),
        layer.MultiStepContainer(neuron.IFNode(), layer.Linear(3, 3), neuron.IFNode()),
    ).double()
    agree(model, (2, 4, 4), KINDS, run)


class Residual(nn.Module):
    """SEW's addition of spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
        self.a, self.b = neuron.IFNode(), neuron.IFNode()

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(self.first(x))
        out: Tensor = self.b(self.second(h)) + h
        return out


def test_residual() -> None:
    agree(Residual().double(), (5,), KINDS, run)


def test_fires_at_the_threshold() -> None:
    """Two halves make one, and one is enough: a network that compares with > would be late."""
    model = nn.Sequential(neuron.IFNode()).double()
    network = lower(model, (1,))
    x = np.full((6, 1, 1), 0.5)
    ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",)).spikes["0"]
    theirs = torch.stack([model(now) for now in torch.tensor(x)]).detach().numpy()
    assert ours.ravel().tolist() == theirs.ravel().tolist() == [0, 1, 0, 1, 0, 1]


def test_starts_where_it_resets() -> None:
    """A population starts at v_reset, and a node at 0: the threshold is counted from there."""
    network = lower(nn.Sequential(neuron.LIFNode(2.0, v_reset=-0.5)), (1,))
    assert float(network.nodes["0"].threshold) == 1.5  # type: ignore[attr-defined]


def test_trained_model_with_states_of_its_last_batch() -> None:
    model = chain(1)
    x = torch.ones(2, 5, 2, 3, dtype=torch.float64, requires_grad=True)
    mode = next(m.step_mode for m in model.modules() if isinstance(m, KINDS))
    assert (model(x) if mode == "m" else model(x[0])).requires_grad
    agree(model, (2, 3), KINDS, run)


def mixed() -> nn.Module:
    return nn.Sequential(neuron.IFNode(step_mode="m"), neuron.IFNode(step_mode="s"))


REFUSED = {
    "leaks towards 0": nn.Sequential(neuron.CUBALIFNode(0.4, 0.8, v_reset=-0.5)),
    "not spikes": nn.Sequential(neuron.IFNode(surrogate_function=surrogate.Sigmoid(spiking=False))),
    "SpikingJelly's KLIFNode": nn.Sequential(neuron.KLIFNode()),
    "SpikingJelly's ILIFNode": nn.Sequential(neuron.ILIFNode(2.0)),
    "SpikingJelly's WSLinear": nn.Sequential(layer.WSLinear(3, 3), neuron.IFNode()),
    "SpikingJelly's PSN": nn.Sequential(neuron.PSN(4)),
    "one mode for all": mixed(),
}


@pytest.mark.parametrize("word", REFUSED)
def test_refuses_by_name(word: str) -> None:
    with pytest.raises(UnsupportedNode, match=word):
        lower(REFUSED[word], (3,))
