"""Every readout that settings can name, exported: same outputs, same answer."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core import interpreter, store
from spikeport.core.errors import UnsupportedNode
from spikeport.core.schedule import compile
from spikeport.core.settings import ConvNet
from spikeport.export import recipes
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.layers import Linear
from spikeport.trainer.models import build
from spikeport.trainer.readouts import READOUTS, LeakyReadout, logits
from spikeport.verify.compare import read_out


@pytest.mark.parametrize("decay_syn", [0.0, 0.7])
@pytest.mark.parametrize("name", READOUTS)
def test_same_answer(name: Any, decay_syn: float, tmp_path: Any) -> None:
    if decay_syn and not name.startswith("li-"):
        return
    torch.manual_seed(7)
    settings = ConvNet(channels=(4,), readout=name, votes=3, readout_decay_syn=decay_syn)
    net = build(settings, (1, 6, 6), 3).double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(2 * torch.rand_like(p) - 0.9)
        net.train()(torch.rand(5, 8, 1, 6, 6, dtype=torch.float64))
    network = run_passes(lower(net.eval(), (1, 6, 6)), recipes.FLOAT).network
    assert network.meaning.readout == READOUTS[name].logits
    store.write(network, tmp_path / "net.nir")
    assert store.read(tmp_path / "net.nir").meaning.readout == READOUTS[name].logits
    x = np.random.default_rng(1).random((6, 20, 1, 6, 6)) * 2
    outputs, spikes = run_recorded(net, x)
    ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
    for layer, theirs in spikes.items():
        assert (ours.spikes[layer] == theirs).all() and theirs.any(), layer
    assert np.abs(ours.outputs["output"] - outputs).max() < 1e-9
    mine = read_out(ours.outputs["output"], network.meaning.readout)
    theirs_ = logits(torch.from_numpy(outputs), net.readout).numpy()
    assert np.allclose(mine, theirs_, atol=1e-9) and mine.std(0).any()


def test_a_start_other_than_zero_is_refused() -> None:
    with pytest.raises(UnsupportedNode, match="starts at -0.001; .*initial=0"):
        lower(nn.Sequential(Linear(4, 3), LeakyReadout(initial=-1e-3)), (4,))
