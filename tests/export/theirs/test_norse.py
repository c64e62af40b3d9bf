"""Live Norse models, lowered, against Norse itself: every spike with ==, in float64."""

from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from torch import Tensor, nn

from spikeport.core.errors import NetworkError, UnsupportedNode
from spikeport.export.from_torch import lower

from .held import active, agree

CELLS = (norse.LIFBoxCell, norse.LIFCell, norse.LIFRecurrentCell, norse.IAFCell)
LAYERS = (norse.LIF, norse.LIFRecurrent, norse.IAF)
KINDS = (*CELLS, *LAYERS)
DT = 1e-3


def run(model: nn.Module, x: Tensor) -> None:
    """A sequence in one call where layers take one; else step by step, the state handed on."""
    if any(isinstance(m, LAYERS) for m in model.modules()):
        model(x)
        return
    state = None
    for now in x:
        _, state = model(now, state)


def in_double(model: nn.Module) -> nn.Module:
    """First states in float64, too: Norse makes some of them in float32, which a product with
    a float64 weight refuses."""
    for layer in model.double().modules():
        if isinstance(layer, KINDS):
            given = layer.state_fallback

            def first(x: Tensor, given: Any = given) -> Any:
                state = given(x)
                return type(state)(*(values.detach().double() for values in state))

            layer.state_fallback = first
    return model


def number(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64)


def numbers(random: np.random.Generator, size: int) -> dict[str, Any]:
    """Parameters, one for all or one a neuron; leaks and resets that float32 holds exactly."""
    many = random.random() < 0.5
    return {
        "tau_mem_inv": number(random.uniform(50, 400, size if many else ())),
        "v_leak": number([0.0, 0.25, -0.5][random.integers(3)]),
        "v_th": number(random.uniform(0.3, 0.8, size if many else ())),
        "v_reset": number([0.0, -0.25][random.integers(2)]),
    }


def population(random: np.random.Generator, size: int, steps: bool) -> Any:
    """A random population; steps: a cell, which takes one step."""
    p = numbers(random, size)
    fast = {**p, "tau_syn_inv": number(random.uniform(100, 900))}
    match random.integers(4):
        case 0 if steps:
            rule = [reset_value, reset_subtract][random.integers(2)]
            return norse.LIFBoxCell(LIFBoxParameters(**p, reset_method=rule), dt=DT)
        case 1:
            box = norse.IAFCell if steps else norse.IAF
            return box(IAFParameters(v_th=p["v_th"], v_reset=p["v_reset"]), dt=DT)
        case 2:
            fast["v_leak"] = number(0.0 if random.random() < 0.5 else 0.25)
            loop = norse.LIFRecurrentCell if steps else norse.LIFRecurrent
            return loop(size, size, norse.LIFParameters(**fast), dt=DT)
    return (norse.LIFCell if steps else norse.LIF)(norse.LIFParameters(**fast), dt=DT)


def chain(seed: int) -> nn.Module:
    """A random chain of two to four populations, of cells or of layers over time."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    steps = bool(random.integers(2))
    sizes = random.integers(3, 9, random.integers(2, 5))
    layers: list[nn.Module] = []
    for last, size in zip((6, *sizes), sizes, strict=False):
        dense = nn.Linear(last, size)
        dense.weight.data *= 4
        layers += [dense, population(random, size, steps)]
    return in_double(norse.SequentialState(*layers))


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed: int) -> None:
    agree(chain(seed), (6,), KINDS, run, seed)


def test_random_chains_spike() -> None:
    found = [active(lower(chain(seed), (6,))) for seed in range(60)]
    assert all(0.005 < share < 0.95 for share in found), found


def test_conv_net_over_time() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 4, 3)
    conv.weight.data *= 5
    model = norse.SequentialState(
        norse.Lift(nn.Sequential(conv, nn.MaxPool2d(2))),
        norse.LIF(),
        nn.Flatten(2),
        nn.Linear(4, 8),
        norse.LIF(),
        nn.Linear(8, 3),
        norse.LI(),
    )
    network = agree(in_double(model), (2, 4, 4), KINDS, run)
    assert network.nodes["6"].kind == "CubaLI"


class Threaded(nn.Module):
    """A class that hands its states on by itself, with a readout of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 3)
        self.lif = norse.LIFBoxCell()
        self.read = norse.LIBoxCell(LIBoxParameters(number(200.0)))

    def forward(self, x: Tensor, state: Any = None) -> Any:
        old = (None, None) if state is None else state
        spikes, a = self.lif(self.first(x), old[0])
        values, b = self.read(self.second(spikes), old[1])
        return values, (a, b)


def test_class_that_hands_its_states_on() -> None:
    network = agree(in_double(Threaded()), (5,), KINDS, run)
    assert network.outputs == ("output",) and network.nodes["read"].kind == "LI"


class Forgets(nn.Module):
    """Returns the state of its first step for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = norse.LIFBoxCell(LIFBoxParameters(v_th=number(0.2)))

    def forward(self, x: Tensor, state: Any = None) -> Any:
        spikes, _ = self.lif(x)
        return spikes, None


def test_held_against_the_model() -> None:
    """What the layers say and forward does not do is seen by running it."""
    with pytest.raises(NetworkError, match="its forward does more than its layers say"):
        lower(Forgets(), (4,))


def single(cell: nn.Module) -> Any:
    return norse.SequentialState(cell)


REFUSED = {
    "starts at a v_leak": single(norse.LIBoxCell(LIBoxParameters(v_leak=number(0.5)))),
    "LSNNCell, which no node states": single(norse.LSNNCell()),
    "say dt=0.0001": single(norse.LIFCell(dt=1e-4)),
    "start anew at every step": nn.Sequential(norse.IAFCell()),
}


@pytest.mark.parametrize("word", REFUSED)
def test_refuses_by_name(word: str) -> None:
    kind = NetworkError if "dt" in word else UnsupportedNode
    with pytest.raises(kind, match=word):
        lower(REFUSED[word], (3,))
