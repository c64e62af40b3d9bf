"""Models that loop over time in forward, as snnTorch's tutorials write them, lowered."""

import warnings
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.core import interpreter
from spikeport.core.errors import DataError, UnsupportedNode
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower, theirs

from .held import agree
from .test_norse import KINDS as NORSE
from .test_norse import in_double as norse_in_double
from .test_snntorch import KINDS, in_double

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch as snn


class Tutorial(nn.Module):
    """An image that is held for a number of steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 8), nn.Linear(8, 4)
        self.lif1 = snn.Leaky(beta=0.9)
        self.lif2 = snn.Leaky(beta=0.8, reset_mechanism="zero")

    def forward(self, x: Tensor) -> Any:
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(25):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


class OverTime(nn.Module):
    """A signal over time through recurrent neurons, with a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 7), nn.Linear(7, 7), nn.Linear(7, 3)
        self.fc2.weight.data *= 4
        self.fc3.weight.data.abs_()
        self.lif1 = snn.RLeaky(beta=0.9, linear_features=7)
        self.lif2 = snn.Synaptic(alpha=0.6, beta=0.8)
        self.lif3 = snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x: Tensor) -> Tensor:
        spk1, mem1 = self.lif1.init_rleaky()
        syn2, mem2 = self.lif2.init_synaptic()
        spikes = []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), spk1, mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spikes.append(self.lif3(self.fc3(spk1 + spk2)))
        return torch.stack(spikes)


class NorseLoop(nn.Module):
    """The same way with Norse's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 7), nn.Linear(7, 3)
        self.fc1.weight.data *= 5
        self.lif, self.read = norse.LIFCell(), norse.LIBoxCell()

    def forward(self, x: Tensor) -> Tensor:
        a = b = None
        values = []
        for now in x:
            spikes, a = self.lif(self.fc1(now), a)
            value, b = self.read(self.fc2(spikes), b)
            values.append(value)
        return torch.stack(values)


def run(model: nn.Module, x: Tensor) -> None:
    model(x)


def test_signal_over_time() -> None:
    torch.manual_seed(0)
    network = agree(in_double(OverTime()), (6,), KINDS, run)
    assert [n for n in network.nodes if n.startswith("lif")] == [
        *("lif1", "lif1.recurrent", "lif2", "lif3")
    ]


def test_norse_in_a_loop() -> None:
    torch.manual_seed(0)
    network = agree(norse_in_double(NorseLoop()), (6,), NORSE, run)
    assert network.nodes["read"].kind == "LI"


def test_held_image() -> None:
    torch.manual_seed(0)
    model = in_double(Tutorial())
    network = lower(model, (6,))
    x = np.random.default_rng(0).normal(0.5, 1.5, (3, 6))
    whole = np.broadcast_to(x, (25, 3, 6))
    got = interpreter.run(compile(network), {"x": whole}, ("all",))
    with torch.no_grad():
        theirs = model(torch.tensor(x))[0].numpy()
    assert 0 < theirs.mean() < 1
    assert (got.outputs["output"] == theirs).all() and len(network.outputs) == 1


class Broken(OverTime):
    """What a loop over time may not do, one way each."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor) -> Any:
        lif, old = self.lif1, torch.zeros(1, 7)
        spikes = []
        first = self.lif2.init_synaptic()
        spk1, mem1 = lif.init_rleaky()
        for step in range(6):
            if self.way == "turned":
                step = 5 - step
            spk1, mem1 = lif(self.fc1(x[step]), spk1, mem1)
            if self.way == "fresh":
                mem1 = lif.init_rleaky()[1]
            heard = old if self.way == "late" else spk1
            spk2, old = heard, spk1
            if self.way == "first":
                spk2, _, _ = self.lif2(self.fc2(heard), *first)
            spikes.append(self.fc3(spk2) if self.way != "membrane" else self.fc3(mem1))
        if self.way == "last":
            return spikes[-1]
        return torch.stack(spikes[1:] if self.way == "cut" else spikes)


BROKEN = {
    "turned": "call 0 hears a value of step 5",
    "fresh": "goes on from a state that it did not leave",
    "late": "a constant nowhere",
    "first": "goes on from a state that it did not leave",
    "membrane": "a state goes to its own population only",
    "last": "must be torch.stack",
    "cut": "all steps in order",
}


@pytest.mark.parametrize("way", BROKEN)
def test_refuses_what_is_no_loop_over_time(way: str) -> None:
    with pytest.raises(UnsupportedNode, match=BROKEN[way]):
        lower(in_double(Broken(way)), (6,))


def test_the_model_as_a_baseline() -> None:
    """Beside its network, the model is a callable that verification holds engines against."""
    torch.manual_seed(0)
    made = theirs.twin(OverTime(), (6,))
    x = np.random.default_rng(5).normal(0.4, 3, (40, 2, 6))
    outputs, spikes = made(x)
    got = interpreter.run(compile(made.network), {made.network.inputs[0]: x}, ("all",))
    assert spikes.keys() == got.spikes.keys() == set(made.network.trained)
    assert {n: int((spikes[n] != got.spikes[n]).sum()) for n in spikes} == dict.fromkeys(spikes, 0)
    assert all(fired.any() for fired in spikes.values())
    assert outputs.shape == (40, 2, 3) and (outputs == got.outputs["output"]).all()
    again, _ = made(x)
    assert (again == outputs).all()


def test_a_baseline_of_fixed_steps() -> None:
    made = theirs.twin(Tutorial(), (6,))
    held = np.ones((25, 2, 6))
    assert made(held)[0].shape == (25, 2, 4)
    for wrong in (held[:5], held * np.arange(25)[:, None, None]):
        with pytest.raises(DataError, match="holds one input for 25 steps"):
            made(wrong)
