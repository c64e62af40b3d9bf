"""Live snnTorch models, lowered, against snnTorch itself: every spike with ==, in float64."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.core.errors import SpikeportError, UnsupportedNode
from spikeport.export.from_torch import lower

from .held import active, agree

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch as snn
    from snntorch import surrogate, utils

KINDS = (snn.SpikingNeuron,)
RULES = ("subtract", "zero", "none")


def in_double(model: nn.Module) -> nn.Module:
    """The model in float64: snnTorch's surrogates answer in float32 whatever they are asked in."""
    model.double()
    for layer in model.modules():
        if isinstance(layer, snn.SpikingNeuron):
            given = layer.spike_grad
            layer.spike_grad = lambda v, given=given: given(v).to(v.dtype)
    return model


def run(model: nn.Module, x: Tensor) -> None:
    """Step by step from rest, as snnTorch's tutorials do it."""
    utils.reset(model)
    for now in x:
        model(now)
    utils.reset(model)


def neuron(random: np.random.Generator, size: int, last: bool = False) -> Any:
    """A random population of any kind."""

    def decay() -> Any:
        return torch.tensor(random.uniform(0.05, 1, size)) if random.random() < 0.5 else 0.85

    how: dict[str, Any] = {
        "threshold": torch.tensor(random.uniform(0.5, 1.5, size)) if random.random() < 0.5 else 1.0,
        "reset_mechanism": RULES[random.integers(3)],
        "init_hidden": True,
        "output": last,
    }
    if how["reset_mechanism"] != "subtract":
        how["reset_delay"] = bool(random.integers(2))
    match random.integers(6):
        case 0:
            how.pop("reset_delay", None)
            return snn.Lapicque(R=5.0, C=0.4, **how)
        case 1:
            return snn.Synaptic(decay(), decay(), **how)
        case 2:
            return snn.RLeaky(decay(), linear_features=size, **how)
        case 3:
            one = torch.tensor(random.normal(0, 1, size))
            return snn.RLeaky(decay(), V=one, all_to_all=False, **how)
        case 4:
            how.pop("reset_delay", None)
            return snn.RSynaptic(decay(), decay(), linear_features=size, **how)
    if random.random() < 0.3:
        how["graded_spikes_factor"] = 1.75
    how["spike_grad"] = [None, surrogate.fast_sigmoid(), surrogate.sigmoid()][random.integers(3)]
    return snn.Leaky(decay(), **how)


def chain(seed: int) -> nn.Module:
    """A random chain of two to four populations."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    sizes = random.integers(3, 9, random.integers(2, 5))
    layers: list[nn.Module] = [nn.Flatten()]
    for i, (last, size) in enumerate(zip((6, *sizes), sizes, strict=False)):
        layers += [nn.Linear(last, size), neuron(random, size, last=i == len(sizes) - 1)]
    return in_double(nn.Sequential(*layers))


@pytest.mark.parametrize("seed", range(60))
def test_random_chains(seed: int) -> None:
    network = agree(chain(seed), (2, 3), KINDS, run, seed)
    assert network.meaning.dt == 1e-3


def test_random_chains_spike() -> None:
    assert all(0.02 < active(lower(chain(seed), (2, 3))) < 0.9 for seed in range(60))


def test_conv_net() -> None:
    torch.manual_seed(3)
    norm = nn.BatchNorm2d(4)
    norm.running_mean.data.normal_(0, 0.3)  # type: ignore[union-attr]
    norm.running_var.data.uniform_(0.5, 2)  # type: ignore[union-attr]
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        norm,
        snn.RLeaky(0.8, conv2d_channels=4, kernel_size=3, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(16, 5),
        snn.Leaky(0.9, init_hidden=True, output=True),
    )
    agree(in_double(model).eval(), (2, 4, 4), KINDS, run)


class Skip(nn.Module):
    """A class with a sum, whose last population hands out its membrane too."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(6, 6) for _ in range(3))
        self.a, self.b = (snn.Leaky(0.9, init_hidden=True) for _ in range(2))
        self.c = snn.Leaky(0.7, init_hidden=True, output=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.a(self.first(x))
        h = h + self.b(self.second(h))
        spikes, membrane = self.c(self.third(h))
        return spikes, membrane


def test_class_with_a_sum() -> None:
    network = agree(in_double(Skip()), (6,), KINDS, run)
    assert network.outputs == ("output",)


def test_trained_model_with_states_of_its_last_batch() -> None:
    """After a training step the states hang on a graph; the lowering starts from rest."""
    model = chain(4)
    for _ in range(3):
        out = model(torch.ones(5, 2, 3, dtype=torch.float64, requires_grad=True))
    assert out[0].requires_grad
    agree(model, (2, 3), KINDS, run)


def test_late_subtraction_is_not_the_early_one() -> None:
    """What the NIR file of this population loses: theta is taken off after the leak."""
    network = lower(in_double(nn.Sequential(snn.Leaky(0.5, init_hidden=True))), (3,))
    assert float(network.nodes["0"].reset_amount) == 2.0  # type: ignore[attr-defined]


def leaky(**how: Any) -> nn.Sequential:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(snn.Leaky(how.pop("beta", 0.9), init_hidden=True, **how))


class Changed(snn.Leaky):  # type: ignore[misc]
    """Code of one's own."""


class Loop(nn.Module):
    """Keeps no state."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(0.9)

    def forward(self, x: Tensor, mem: Tensor) -> Any:
        return self.lif(x, mem)


class UsesMembrane(nn.Module):
    """Hands the membrane on."""

    def __init__(self) -> None:
        super().__init__()
        self.lif, self.read = snn.Leaky(0.9), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        spikes, membrane = self.lif(x)
        read: Tensor = self.read(membrane)
        return read


REFUSED = {
    "reset_delay=False": leaky(reset_delay=False),
    "beta = 0": leaky(beta=0.0),
    "inhibition": leaky(inhibition=True),
    "state_quant": leaky(state_quant=torch.round),
    "not spikes of 0 and 1": leaky(spike_grad=torch.sigmoid),
    "threshold below 0": leaky(threshold=-0.5, reset_mechanism="zero", reset_delay=False),
    "Alpha, which no node states": nn.Sequential(snn.Alpha(0.9, 0.8, init_hidden=True)),
    "derived from Leaky": nn.Sequential(Changed(0.9, init_hidden=True)),
    "wants 'mem'": Loop(),
    "state": UsesMembrane(),
}


@pytest.mark.parametrize("word", REFUSED)
def test_refuses_by_name(word: str) -> None:
    with pytest.raises(UnsupportedNode, match=word):
        lower(REFUSED[word], (3,))


def test_refuses_a_reset_that_was_changed_later() -> None:
    model = leaky()
    lif: Any = model[0]
    lif.reset_mechanism = "zero"  # snnTorch goes on subtracting, whatever it says
    with pytest.raises(SpikeportError, match="was changed after it was made"):
        lower(model, (3,))
