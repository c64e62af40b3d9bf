"""One proof for a module that was lowered and rewritten, and whose fault it is where it fails."""

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spikeport.core import store
from spikeport.core.arrays import frozen
from spikeport.core.errors import NetworkError, PassError
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Neuron
from spikeport.export.from_torch import lower
from spikeport.export.from_torch.claimed import claimed
from spikeport.export.passes.base import run_passes
from spikeport.export.recipes import PLAIN
from spikeport.trainer import layers, norms
from spikeport.trainer.neurons import LIF
from spikeport.verify.cli.export import written


def model() -> nn.Module:
    """A net with norms that have seen something, and a max-pool."""
    torch.manual_seed(3)
    norm = norms.BatchNorm2d(4)
    made = nn.Sequential(
        layers.Conv2d(1, 4, 3, padding=1),
        norm,
        LIF(0.5),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Linear(36, 5),
        LIF(0.7),
    )
    with torch.no_grad():
        nn.init.constant_(norm.weight, 3.0)
        for _ in range(20):
            made(torch.rand(4, 8, 1, 6, 6))
    return made.eval()


@dataclass(frozen=True)
class Louder:
    """Breaks the network; told by its factor, so that another can undo it."""

    factor: float
    name: str = "louder"

    def apply(self, network: Network) -> Network:
        node = network.nodes["0"]
        assert isinstance(node, Conv)
        changed = replace(node, weight=frozen(node.weight * self.factor))
        return network.changed(nodes={**network.nodes, "0": changed})


@dataclass(frozen=True)
class Drops:
    """Makes a population one of its own."""

    name: str = "drops"

    def apply(self, network: Network) -> Network:
        return network.changed(origin={**network.origin, "2": None})


def test_the_same_as_step_by_step() -> None:
    made = claimed(model(), (1, 6, 6), PLAIN, steps=4)
    made.prove()
    wanted = run_passes(lower(model(), (1, 6, 6), steps=4), PLAIN)
    assert store.digest(made.lowered.network) == store.digest(wanted.network)
    assert made.lowered.network.history == ("fold_norms", "max_pool_to_spikes")
    assert [r.removed for r in made.lowered.records] == [r.removed for r in wanted.records]


def test_the_pass_is_named() -> None:
    made = claimed(model(), (1, 6, 6), (*PLAIN, Louder(1.5)))
    with pytest.raises(PassError, match=r"pass louder \(after: fold_norms, .*spikes of '2'"):
        made.prove()


def test_a_population_that_is_gone_is_missed() -> None:
    with pytest.raises(PassError, match="neuron layer '2' is gone after .*drops"):
        claimed(model(), (1, 6, 6), (*PLAIN, Drops())).prove()


def test_the_lowering_is_named(monkeypatch: Any) -> None:
    """Neurons that are lowered with another threshold: no pass is to blame."""
    module = importlib.import_module("spikeport.export.from_torch.claimed")

    def wrong(*args: Any, **told: Any) -> tuple[nn.Module, Network]:
        whole, network = grown(*args, **told)
        node = network.nodes["2"]
        assert isinstance(node, Neuron)
        lazy = replace(node, threshold=frozen(1.2))
        return whole, network.changed(nodes={**network.nodes, "2": lazy})

    grown = module.grown
    monkeypatch.setattr(module, "grown", wrong)
    with pytest.raises(NetworkError, match="differs from the module in .* spikes of '2'"):
        claimed(model(), (1, 6, 6), PLAIN).prove()


def test_nothing_is_written_that_is_not_proven(tmp_path: Path) -> None:
    made = claimed(model(), (1, 6, 6), (*PLAIN, Louder(1.5)))
    with pytest.raises(PassError, match="pass louder"):
        written(made.lowered.network, tmp_path / "a.nir", prove=made.prove)
    assert not list(tmp_path.iterdir())
    fine = claimed(model(), (1, 6, 6), PLAIN)
    assert written(fine.lowered.network, tmp_path / "a.nir", prove=fine.prove) is None
    assert store.digest(store.read(tmp_path / "a.nir")) == store.digest(fine.lowered.network)
