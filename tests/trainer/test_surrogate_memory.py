"""STDB's derivative, step by step."""

import math

import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError
from spikeport.trainer.models import build
from spikeport.trainer.neurons import IF, LIF, SoftResetLIF
from spikeport.trainer.surrogate_forms import stdb
from spikeport.trainer.surrogate_memory import SinceSpike


def flows(drive: list[float]) -> list[float]:
    """alpha exp(-beta n) at each step, by hand: n steps since the neuron fired."""
    v, since, found = 0.0, 999.0, []
    for x in drive:
        v += x
        found.append(0.3 * math.exp(-0.01 * since))
        fired = v > 1
        v, since = (0.0, 1.0) if fired else (v, since + 1)
    return found


@pytest.mark.parametrize("learn", [(), ("threshold",)])
def test_the_gradient_goes_by_the_last_spike(learn: tuple[str, ...]) -> None:
    """Input reaches each later membrane until the reset, whose spike is detached."""
    drive = [0.6, 0.6, 0.2, 0.3, 0.7, 1.5, 0.1]
    x = torch.tensor(drive, dtype=torch.float64).view(-1, 1, 1).requires_grad_()
    spikes = IF(surrogate=stdb(), learn=learn)(x)
    assert spikes.flatten().tolist() == [0, 1, 0, 0, 1, 1, 0]
    (grad,) = torch.autograd.grad(spikes.sum(), x)
    flow = flows(drive)
    wanted = [flow[0] + flow[1], flow[1], sum(flow[2:5]), sum(flow[3:5]), *flow[4:]]
    assert grad.flatten().tolist() == pytest.approx(wanted, rel=1e-12)
    assert flow[2] == pytest.approx(0.3 * math.exp(-0.01))


def test_every_sequence_starts_anew() -> None:
    neuron = LIF(surrogate=stdb())
    x = torch.full((3, 2, 4), 2.0, requires_grad=True)
    grads = [torch.autograd.grad(neuron(x).sum(), x)[0] for _ in range(2)]
    assert torch.equal(*grads) and grads[0][0].max() < 1e-3 < 0.2 < grads[0][1].min()


def test_a_learned_threshold_hears_it_too() -> None:
    neuron = SoftResetLIF(0.9, test_first=True, learn=("threshold",), surrogate=stdb())
    torch.autograd.backward(neuron(torch.full((5, 2, 3), 0.7)).sum())
    grad = neuron.get_parameter("raw_threshold").grad
    assert grad is not None and grad < 0


def test_its_paper_writes_it_by_the_membrane_in_thresholds() -> None:
    assert stdb(0.3, 0.01, threshold=2.0) == SinceSpike(width=100.0, scale=0.15)


def test_settings_name_it() -> None:
    kind = 'model.neuron={kind="lif",surrogate={kind="stdb",width=100.0,scale=0.3}}'
    net = build(parse("", overrides=(kind, "model.channels=[2]")).model, (1, 8, 8), 3)
    assert net.get_submodule("lif1").surrogate == stdb()
    torch.autograd.backward(net(torch.rand(4, 2, 1, 8, 8)).sum())
    assert net.get_parameter("conv1.weight").grad is not None


def test_integers_do_not_keep_the_time() -> None:
    v, threshold = torch.ones(3, requires_grad=True), torch.tensor(0.5)
    spikes = stdb().of_states(v, threshold, middle=threshold, unit=torch.tensor(1.0))
    with pytest.raises(ConfigError, match="'stdb' goes by the time since the last spike"):
        torch.autograd.backward(spikes.sum())
