"""Residual joins: exact as a graph on every engine in real numbers, or refused by name."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.backends.conformance import make
from spikeport.core import interpreter, store
from spikeport.core.errors import PassError, UnsupportedNode
from spikeport.core.nodes import Neuron
from spikeport.core.schedule import compile
from spikeport.export import recipes
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.export.quantise import Options, Quantise
from spikeport.trainer import layers
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.graph import GraphNet, Start
from spikeport.trainer.joins import JOINS, Add, And, Iand
from spikeport.trainer.neurons import LIF
from spikeport.verify.emulated import chip_capabilities
from spikeport.verify.prepare import passes_for
from spikeport.verify.run import ReferenceBaseline, Request, verify


class Block(nn.Module):
    """conv - neurons, joined with what came in."""

    def __init__(self, join: type[nn.Module], channels: int = 4) -> None:
        super().__init__()
        self.conv = layers.Conv2d(channels, channels, 3, padding=1)
        self.lif = LIF(threshold=0.5)
        self.join = join()

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(self.lif(self.conv(x)), x)
        return joined


def net(*blocks: nn.Module, start: bool = True) -> nn.Module:
    """stem, blocks, then a layer that hears them."""
    torch.manual_seed(1)
    stem = (
        [layers.Conv2d(1, 4, 3, padding=1), LIF(threshold=0.5)]
        if start
        else [layers.Conv2d(1, 4, 1)]
    )
    model = (
        nn.Sequential(*stem, *blocks, layers.Conv2d(4, 3, 3), LIF(threshold=6.0)).double().eval()
    )
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.rand_like(p) * 1.3 - 0.58 if p.ndim > 1 else p)
    return model


def image(seed: int = 0) -> Any:
    return np.random.default_rng(seed).random((6, 8, 1, 6, 6))


@pytest.mark.parametrize("join", JOINS.values())
def test_a_join_is_what_was_trained(join: type[nn.Module]) -> None:
    model = net(Block(join), Block(Add))
    network = run_passes(lower(model, (1, 6, 6)), recipes.PLAIN).network
    x = image()
    outputs, spikes = run_recorded(model, x)
    ours = interpreter.run(compile(network), {"input": x}, ("all",))
    for layer, theirs in spikes.items():
        assert 0.005 < theirs.mean() < 0.98, layer
        assert (ours.spikes[layer] == theirs).all(), layer
    assert (ours.outputs["output"] == outputs).all()
    if join is Add:
        assert not network.origin
    else:
        assert network.original("2.join") is None
        a, s = spikes["2.lif"], spikes["1"]
        wanted = a & s if join is And else s & (1 - a)
        assert wanted.any() and (ours.spikes["2.join"] == wanted).all()
        assert "2.join" not in ReferenceBaseline(network).populations


@pytest.mark.parametrize("join", [And, Iand])
def test_a_join_is_exact_in_the_chips_integers(join: type[nn.Module]) -> None:
    """Whatever the chip's own branch and shortcut say, it joins them rightly."""
    network = run_passes(lower(net(Block(join)), (1, 6, 6)), recipes.PLAIN).network
    x = {"input": image()}
    ready = run_passes(network, passes_for(network, chip_capabilities())).network
    made = Quantise(x, Options("max")).apply(ready).network
    spikes = interpreter.run(compile(made), x, ("all",)).spikes
    a, s = spikes["2.lif"], spikes["1"]
    assert (spikes["2.join"] == (a & s if join is And else s & (1 - a))).all()
    assert spikes["2.join"].any()


def test_a_join_keeps_its_numbers_in_a_file(tmp_path: Any) -> None:
    network = run_passes(lower(net(Block(Iand)), (1, 6, 6)), recipes.PLAIN).network
    store.write(network, tmp_path / "x.nir")
    back = store.read(tmp_path / "x.nir")
    assert store.digest(back) == store.digest(network)
    assert back.original("2.join") is None
    result = verify(back, [(image(), None)], [Request("reference")])
    assert result.agrees


@pytest.mark.parametrize("join", [And, Iand])
def test_a_join_of_what_is_no_spike_is_refused(join: type[nn.Module]) -> None:
    with pytest.raises(UnsupportedNode, match=r"'3\.join'.*shortcut is 1 \+ 2\.lif|2\.lif \+ 1"):
        lower(net(Block(Add), Block(join)), (1, 6, 6))
    with pytest.raises(UnsupportedNode, match=r"shortcut is 0, not provably 0 or 1"):
        lower(net(Block(join), start=False), (1, 6, 6))


def test_a_join_with_itself_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.join = And()

        def forward(self, x: Tensor) -> Tensor:
            joined: Tensor = self.join(x, x)
            return joined

    with pytest.raises(UnsupportedNode, match="with itself"):
        lower(net(Twice()), (1, 6, 6))


@pytest.mark.parametrize("join", [And, Iand])
def test_fine_tuning_leaves_a_join_as_it_is(join: type[nn.Module]) -> None:
    start = run_passes(lower(net(Block(join)), (1, 6, 6)), recipes.TRAINABLE).network
    graph = GraphNet(Start(start, None))
    with torch.no_grad():
        for p in graph.parameters():
            p.mul_(1.1)
    back = lower(graph, (1, 6, 6))
    x = {"input": image()}
    spikes = interpreter.run(compile(back), x, ("all",)).spikes
    a, s = spikes["2.lif"], spikes["1"]
    assert (spikes["2.join"] == (a & s if join is And else s & (1 - a))).all()
    assert spikes["2.join"].any() and back.original("2.join") is None


def test_the_joins_of_the_paper(vector: Any) -> None:
    inputs, expected = vector("sew_functions")
    a, s = (torch.tensor(inputs[key])[:, None, None] for key in "AS")
    for name, join in JOINS.items():
        assert join()(a, s).flatten().tolist() == expected[name.upper()]


def test_a_max_pool_of_a_graded_sum_is_refused(vector: Any) -> None:
    inputs, expected = vector("maxpool_does_not_distribute_over_sew_add")
    a, b = (torch.tensor(inputs[key], dtype=torch.float64).view(1, 1, 1, 2, 2) for key in "ab")
    pool = layers.MaxPool2d(2)
    assert float(pool(a + b)) == expected["max_of_sum"]
    assert float(pool(a) + pool(b)) == expected["sum_of_max"]
    network = lower(net(Block(Add), layers.MaxPool2d(2, 1)), (1, 6, 6))
    with pytest.raises(PassError, match=r"max-pool '3' hears 1 \(LIF\), 2.lif \(LIF\)"):
        run_passes(network, recipes.FLOAT)


def test_stacked_adds_grow_by_one_a_block(vector: Any) -> None:
    inputs, expected = vector("sew_add_max_value_per_block")
    k = max(inputs["k"])
    model = nn.Sequential(LIF(), *(Block(Add, 1) for _ in range(k)), layers.Flatten())
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(9.0)
    network = lower(model, (1, 2, 2))
    x = np.full((1, 1, 1, 2, 2), 9.0)
    assert len(network.sources[str(k + 1)]) == expected["max_value"][-1]
    ours = interpreter.run(compile(network), {"input": x})
    assert ours.outputs["output"].max() == expected["max_value"][-1]


@pytest.mark.parametrize("name", ["residual_and", "residual_iand"])
def test_the_conformance_cases_hold_joins(name: str) -> None:
    """Their populations are those that lowering makes."""
    made = make(name).network.nodes["join"]
    lowered = lower(net(Block(And if name.endswith("_and") else Iand)), (1, 6, 6)).nodes["2.join"]
    assert isinstance(made, Neuron) and isinstance(lowered, Neuron)
    assert (made.decay_v, made.threshold) == (lowered.decay_v, lowered.threshold)
