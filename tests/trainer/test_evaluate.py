"""Accuracy, and what every neuron did."""

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core.config import parse
from spikeport.trainer.data.dataset import DataSet
from spikeport.trainer.evaluate import accuracy, as_tensor, correct, run_recorded
from spikeport.trainer.layers import is_static
from spikeport.trainer.models import SpikingNet, build
from spikeport.trainer.neurons import Neuron
from spikeport.trainer.record import recording


def model(*overrides: str) -> SpikingNet:
    torch.manual_seed(0)
    made = build(parse("", overrides=overrides).model, (1, 8, 8), 3)
    for _ in range(5):
        made(torch.rand(4, 16, 1, 8, 8))
    return made


def test_accuracy_is_counted_in_eval_mode(blobs: DataSet) -> None:
    net = model()
    x = np.broadcast_to(blobs.x[blobs.indices("test")], (4, 30, 1, 8, 8))
    with torch.no_grad():
        chosen = net.eval()(torch.tensor(x)).mean(0).argmax(1).numpy()
    wanted = (chosen == blobs.y[blobs.indices("test")]).mean()
    net.train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    for batch in (1, 7, 30, 100):
        assert accuracy(net, blobs, "test", 4, batch) == pytest.approx(wanted)
    parts = [correct(net, blobs, "test", 4, batch=8, share=(rank, 3)) for rank in range(3)]
    assert sum(parts) == round(wanted * 30)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


def test_a_tie_goes_to_the_lowest_class(blobs: DataSet) -> None:
    net = nn.Sequential(nn.Flatten(2), nn.Linear(64, 3))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    assert accuracy(net, blobs, "test", 4) == pytest.approx(1 / 3)


def test_a_held_signal_stays_held() -> None:
    x = np.broadcast_to(np.ones((2, 3), np.float32), (5, 2, 3))
    assert is_static(as_tensor(x)) and as_tensor(x).shape == (5, 2, 3)
    assert not is_static(as_tensor(np.ones((5, 2, 3))))


@pytest.mark.parametrize("name", ["conv", "recurrent"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_every_neuron_did(name: str, dtype: torch.dtype) -> None:
    net = model(f"model.name={name}")
    net.train()
    x = np.random.default_rng(0).random((6, 5, 1, 8, 8))
    outputs, spikes = run_recorded(net, x, dtype)
    assert outputs.shape == (6, 5, 3)
    assert outputs.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    shapes = {n: s.shape for n, s in spikes.items()}
    assert shapes == (
        {"lif1": (6, 5, 16, 8, 8), "lif2": (6, 5, 32, 4, 4)}
        if name == "conv"
        else {"recurrent1.neuron": (6, 5, 128)}
    )
    for s in spikes.values():
        assert s.dtype == np.uint8 and set(np.unique(s)) <= {0, 1}
    assert list(spikes.values())[0].any()
    # the last layer's outputs follow from the last spikes
    last = torch.from_numpy(list(spikes.values())[-1]).to(dtype)
    layers = dict(net.to(dtype).named_children())
    if name == "conv":
        last = layers["flatten"](layers["pool2"](last))
    assert np.allclose(layers["classifier"](last).detach().numpy(), outputs, rtol=1e-5, atol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    net = model()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    x = np.random.default_rng(0).random((3, 2, 1, 8, 8))
    run_recorded(net, x)
    assert net.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert next(net.parameters()).dtype == torch.float32


def test_float64_runs_agree_to_the_bit_whatever_the_batch() -> None:
    net = model()
    x = np.random.default_rng(1).random((4, 6, 1, 8, 8))
    whole, spikes = run_recorded(net, x)
    for sample in range(6):
        one, few = run_recorded(net, x[:, sample : sample + 1])
        assert np.allclose(one[:, 0], whole[:, sample], rtol=1e-12, atol=1e-14)
        assert all(np.array_equal(few[n][:, 0], spikes[n][:, sample]) for n in spikes)


def test_the_membrane_can_be_watched() -> None:
    net = model("model.neuron.reset=subtract").eval()
    x = torch.rand(5, 2, 1, 8, 8)
    with torch.no_grad():
        with recording(net, membrane=True) as traces:
            net(x)
        drive = net[1](net[0](x))
    assert all(m.watch is None for m in net.modules() if isinstance(m, Neuron))
    v, s = traces["lif1"].v, traces["lif1"].spikes
    assert v is not None and v.shape == s.shape
    for t in range(5):
        before = 0 if t == 0 else v[t - 1]
        assert torch.allclose(v[t], 0.5 * before + drive[t] - s[t], atol=1e-5)
    with recording(net) as silent:
        net(x)
    assert silent["lif1"].v is None
