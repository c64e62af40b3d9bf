"""One proof for a module that was lowered and rewritten, and whose fault it is where it fails."""

import importlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core import store
from spikeport.core.arrays import frozen
from spikeport.core.errors import NetworkError, PassError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Neuron
from spikeport.export.from_torch import lower
from spikeport.export.from_torch.claimed import claimed
from spikeport.export.passes.base import run_passes
from spikeport.export.recipes import PLAIN
from spikeport.trainer import layers, norms
from spikeport.trainer.neurons import LIF
from spikeport.verify.cli.export import written


@pytest.fixture(autouse=True, params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One after the other, and side by side; what users set is what they find afterwards, and no
    thread goes on."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    try:
        yield request.param
        for thread in threading.enumerate():
            if thread.name.startswith("torch beside"):
                thread.join(10)
                assert not thread.is_alive()
        assert torch.get_num_threads() == request.param == later()
    finally:
        torch.set_num_threads(before)


def later() -> int:
    """torch's number in a thread that begins now."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


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


def test_the_modules_own_pass_has_a_thread_where_there_are_several(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("spikeport.export.from_torch.held")
    ran: list[tuple[str, int]] = []

    def watched(*args: Any) -> Any:
        ran.append((threading.current_thread().name, torch.get_num_threads()))
        return recorded(*args)

    recorded = module.recorded
    monkeypatch.setattr(module, "recorded", watched)
    claimed(model(), (1, 6, 6), PLAIN).prove()
    ((name, own),) = ran
    assert own == {1: 1, 3: 2}[threads]
    assert name.startswith("torch beside") == (threads > 1)


def test_a_refusal_while_the_module_runs(threads: int) -> None:
    """Its own words, and nothing is left behind: see `threads`."""
    net = nn.Sequential(model(), LIF(0.5), nn.Unflatten(2, (5, 1)))
    with pytest.raises(UnsupportedNode, match="Unflatten"):
        claimed(net.eval(), (1, 6, 6), PLAIN)


def test_a_module_that_fails_on_the_probe_says_so(threads: int) -> None:
    """In its own words, from wherever it ran."""

    class Picky(LIF):
        def forward(self, x: torch.Tensor, feedback: Any = None) -> torch.Tensor:
            if x.device.type == "cpu" and x.any():
                raise ValueError("no numbers, please")
            return super().forward(x, feedback)

    net = nn.Sequential(layers.Flatten(), layers.Linear(36, 5), Picky(0.5)).eval()
    with pytest.raises(ValueError, match="no numbers, please"):
        claimed(net, (1, 6, 6), PLAIN).prove()


def test_training_goes_on_without_the_network(threads: int) -> None:
    """Its numbers are those of a copy, whatever the model's type, and nobody can change them."""
    net = model().double()
    made = claimed(net, (1, 6, 6), PLAIN)
    before = store.digest(made.lowered.network)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(1.0)
    made.prove()
    assert store.digest(made.lowered.network) == before
    for node in made.lowered.network.nodes.values():
        assert not any(
            getattr(node, name).flags.writeable for name in node.arrays if name == "weight"
        )


def test_several_at_once() -> None:
    """From threads of a caller's, beside a module that runs: torch's tracer puts itself in the
    place of all modules' calls."""
    net, x, over = model(), torch.rand(4, 2, 1, 6, 6), threading.Event()
    with torch.no_grad():
        wanted = net(x)

    def runs() -> int:
        count = 0
        while not over.is_set():
            with torch.no_grad():
                assert torch.equal(net(x), wanted)
            count += 1
        return count

    def exports() -> str:
        made = claimed(net, (1, 6, 6), PLAIN)
        made.prove()
        return store.digest(made.lowered.network)

    with ThreadPoolExecutor(5) as pool:
        running = pool.submit(runs)
        digests = {done.result() for done in [pool.submit(exports) for _ in range(12)]}
        over.set()
        assert running.result() > 0
    assert digests == {exports()}
    assert torch.equal(net(x), wanted)


class Drifts(layers.Linear):
    """Changes its weight whenever it runs, after or before."""

    first = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.first:
            self.weight.data.add_(0.1)
        found = super().forward(x)
        self.weight.data.add_(0.1)
        return found


def drifting(first: bool) -> nn.Module:
    torch.manual_seed(3)
    layer = Drifts(36, 5)
    layer.first = first
    return nn.Sequential(layers.Flatten(), layer, LIF(0.5)).eval()


def test_a_module_that_changes_itself_does_not_change_the_network() -> None:
    """Neither what is held to it nor what is handed out."""
    net: Any = drifting(first=False)
    wanted = net[1].weight.detach().double().numpy()
    made = claimed(net, (1, 6, 6), PLAIN)
    made.prove()
    for network in (made.lowered.network, lower(net, (1, 6, 6))):
        node: Any = network.nodes["1"]
        assert np.array_equal(node.weight, wanted)


def test_what_a_module_makes_of_itself_proves_nothing() -> None:
    with pytest.raises(NetworkError, match="differs from the module"):
        claimed(drifting(first=True), (1, 6, 6), PLAIN).prove()


class Wears(LIF):
    """Ours, but for what changes what it hears from, whenever it runs step by step."""

    worn: Any = None

    def law(self) -> Any:
        self.worn[0].data.mul_(2.0)
        return super().law()


def test_a_neuron_that_changes_weights() -> None:
    net: Any = nn.Sequential(layers.Flatten(), nn.Linear(36, 5), Wears(0.5)).eval()
    net[2].worn = (net[1].weight,)
    made = claimed(net, (1, 6, 6), PLAIN)
    before = store.digest(made.lowered.network)
    made.prove()
    assert store.digest(made.lowered.network) == before


def test_a_hook_that_changes_weights() -> None:
    net: Any = model()

    def louder(layer: Any, given: Any, found: Any) -> None:
        layer.weight.data.mul_(2.0)

    net[0].register_forward_hook(louder)
    made = claimed(net, (1, 6, 6), PLAIN)
    before = store.digest(made.lowered.network)
    made.prove()
    assert store.digest(made.lowered.network) == before
