"""Layers over time are torch's layers at every step, and once where nothing changes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikeport.core.errors import NetworkError
from spikeport.trainer import layers
from spikeport.trainer.layers import Recurrent, held, is_static, over_time
from spikeport.trainer.neurons import LIF, CubaLIF

IMAGES = (3, 8, 6)
Case = tuple[Callable[[], nn.Module], Callable[[], nn.Module], tuple[int, ...]]
CASES: dict[str, Case] = {
    "conv": (
        lambda: layers.Conv2d(3, 4, (3, 2), padding=1, stride=2),
        lambda: nn.Conv2d(3, 4, (3, 2), padding=1, stride=2),
        IMAGES,
    ),
    "linear": (lambda: layers.Linear(5, 2), lambda: nn.Linear(5, 2), (5,)),
    "avg": (lambda: layers.AvgPool2d(2), lambda: nn.AvgPool2d(2), IMAGES),
    "max": (lambda: layers.MaxPool2d(2), lambda: nn.MaxPool2d(2), IMAGES),
    "sum": (lambda: layers.SumPool2d(2), lambda: nn.AvgPool2d(2, divisor_override=1), IMAGES),
    "flatten": (layers.Flatten, nn.Flatten, IMAGES),
    "some axes": (lambda: layers.Flatten(2), lambda: nn.Flatten(2), IMAGES),
}


def pair(case: str) -> tuple[nn.Module, nn.Module, tuple[int, ...]]:
    """(ours, torch's) in float64 with the same weights, and the shape of a sample."""
    ours, theirs, shape = CASES[case]
    mine, other = ours().double(), theirs().double()
    mine.load_state_dict(other.state_dict())
    return mine, other, shape


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_torchs(case: str) -> None:
    ours, theirs, shape = pair(case)
    x = torch.randn(3, 2, *shape, dtype=torch.float64)
    assert isinstance(ours, type(theirs))
    assert torch.allclose(ours(x), torch.stack([theirs(step) for step in x]), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_a_held_input_is_computed_once_and_exactly(case: str) -> None:
    ours, _, shape = pair(case)
    image = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    copy = image.detach().clone().requires_grad_()
    once, often = ours(held(image, 4)), ours(copy.expand(4, *copy.shape).contiguous())
    assert is_static(once) and not is_static(often)
    assert torch.allclose(once, often, rtol=1e-12)
    weight = torch.randn_like(often)
    grads = []
    for y, x in ((once, image), (often, copy)):
        ours.zero_grad()
        (y * weight).sum().backward()
        grads.append([x.grad, *(p.grad.clone() for p in ours.parameters() if p.grad is not None)])
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(*grads, strict=True))


def test_the_first_layers_see_each_image_once() -> None:
    seen = []

    def layer(x: Tensor) -> Tensor:
        seen.append(len(x))
        return 2 * x

    over_time(layer, over_time(layer, held(torch.ones(5, 3), 8)))
    over_time(layer, torch.ones(8, 5, 3))
    assert seen == [5, 5, 40]


def test_direct_encoding(vector: Any) -> None:
    inputs, expected = vector("direct_encoding")
    x = held(torch.tensor(inputs["x"]), inputs["T"])
    assert torch.equal(x, torch.tensor(expected["x_seq"]))


@pytest.mark.parametrize("static", [False, True])
def test_dropout_drops_the_same_at_every_step(static: bool) -> None:
    torch.manual_seed(1)
    dropout = layers.Dropout(0.5)
    x = held(torch.ones(6, 50), 4) if static else torch.ones(4, 6, 50)
    y = dropout(x)
    assert is_static(y) == static
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert all(torch.equal(y[0], step) for step in y)
    assert not torch.equal(y[0, 0], y[0, 1])
    assert 0.35 < float((y[0] == 0).float().mean()) < 0.65
    assert torch.equal(dropout.eval()(x), x)


@pytest.mark.parametrize("case", ["conv", "linear", "avg"])
def test_an_input_without_time_is_refused(case: str) -> None:
    ours, _, shape = pair(case)
    with pytest.raises(NetworkError, match=r"\[T, B, "):
        ours(torch.zeros(2, *shape, dtype=torch.float64))


def test_recurrent_neurons_hear_their_last_spikes() -> None:
    torch.manual_seed(3)
    linear = nn.Linear(6, 6).double()
    neuron = CubaLIF(0.8, 0.6, threshold=0.5)
    x = torch.randn(7, 4, 6, dtype=torch.float64)
    got = Recurrent(neuron, linear)(x).detach()
    drives, spikes = [], torch.zeros(4, 6, dtype=torch.float64)
    for t in range(7):  # what the neurons are given, spelt out
        drives.append(x[t] + linear(spikes))
        spikes = neuron(torch.stack(drives))[t]
        assert torch.equal(got[t], spikes)
    assert 0 < float(got.mean()) < 1


def test_at_the_first_step_there_is_the_bias_alone() -> None:
    linear = nn.Linear(2, 2)
    nn.init.constant_(linear.bias, 0.7)
    layer = Recurrent(LIF(0.0), linear)
    assert layer(torch.full((1, 1, 2), 0.4)).tolist() == [[[1.0, 1.0]]]
    assert layer(torch.full((1, 1, 2), 0.2)).tolist() == [[[0.0, 0.0]]]


def test_gradients_reach_the_recurrent_weights() -> None:
    layer = Recurrent(LIF(), nn.Linear(3, 3))
    layer(torch.rand(5, 2, 3)).sum().backward()
    assert layer.linear.weight.grad is not None
    assert bool(layer.linear.weight.grad.any())


def test_a_recurrent_weight_is_square() -> None:
    with pytest.raises(NetworkError, match="3 x 2; it must be square"):
        Recurrent(LIF(), nn.Linear(2, 3))
