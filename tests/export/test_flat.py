"""Convolutions as dense layers, and Scales within their neighbours: every spike kept, or left."""

from typing import Any

import numpy as np
import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import make
from spikeport.core import interpreter
from spikeport.core.errors import NetworkError, UnsupportedNode
from spikeport.core.network import Network
from spikeport.core.nodes import (
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Scale,
)
from spikeport.core.schedule import compile
from spikeport.export.passes import conv_to_dense
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.conv_to_dense import ConvToDense
from spikeport.export.passes.fold_scale import FoldScale
from spikeport.verify.prepare import prepare
from spikeport.verify.readers import importer, written_for

from ..fuzz.graphs import grown
from ..lava.cases import signals

RANDOM = np.random.default_rng(0)
DENSE = ConvToDense(("Conv1d", "Conv2d"))


def chain(*named: tuple[str, Node]) -> Network:
    names = [name for name, _ in named]
    return Network(dict(named), tuple(zip(names, names[1:], strict=False)))


def lif(*shape: int) -> Neuron:
    return Neuron(shape, RANDOM.uniform(0.2, 0.9, shape), RANDOM.uniform(0.3, 0.9, shape))


def same(before: Network, after: Network) -> int:
    """Spikes, each where it was; outputs to rounding."""
    inputs = signals(before, np.random.default_rng(3), 8, 2)
    first, second = (interpreter.run(compile(n), inputs, ("all",)) for n in (before, after))
    for name, spikes in first.spikes.items():
        assert (spikes == second.spikes[name].reshape(spikes.shape)).all(), name
    for name, values in first.outputs.items():
        found = second.outputs[name].reshape(values.shape)
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-9)
    return sum(int(s.sum()) for s in first.spikes.values())


def test_maps_run_flat() -> None:
    """Weights, neurons, delays, scales and a loop of maps, up to a Flatten."""
    network = chain(
        ("in", Input((2, 9))),
        ("a", Conv(RANDOM.normal(size=(4, 1, 3)), RANDOM.normal(size=4), (2,), (1,), (1,), 2)),
        ("one", lif(4, 5)),
        ("late", Delay(RANDOM.integers(0, 3, (4, 5)))),
        ("scale", Scale(RANDOM.uniform(0.5, 1.5, (4, 5)))),
        ("b", Conv(RANDOM.normal(size=(4, 4, 3)), None, (1,), (1,))),
        ("two", lif(4, 5)),
        ("flat", Flatten()),
        ("fc", Linear(RANDOM.normal(size=(3, 20)))),
        ("out", Output((3,))),
    )
    back = Conv(RANDOM.normal(size=(4, 4, 1)))
    network = network.changed(
        nodes={**network.nodes, "back": back},
        edges=(*network.edges, ("two", "back"), ("back", "two")),
    )
    after = run_passes(network, [DENSE]).network
    assert not after.named(Conv) and after.nodes["two"].described()["shape"] == (20,)
    assert after.original("in.flat") is None
    assert same(network, after) > 50


def test_random_graphs() -> None:
    """Where it applies, every spike of every population."""
    changed = 0
    for seed in range(120):
        network = grown(seed)
        if network is None or not network.named(Conv):
            continue
        after = run_passes(network, [DENSE, FoldScale()]).network
        changed += after is not network
        same(network, after)
    assert changed > 30


def test_too_large_a_layer_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_to_dense, "MOST", 10)
    network = make("conv1d").network
    assert DENSE.apply(network) is network
    able = registry.get("norse").capabilities()
    with pytest.raises(NetworkError, match="'conv' is a Conv1d; this engine has"):
        registry.get("norse").open(prepare(network, able).network)


def test_a_library_that_would_give_flat_outputs() -> None:
    with pytest.raises(
        UnsupportedNode, match=r"Output 'out' as \[24\], not \[4, 6\]; put a Flatten"
    ):
        written_for(make("conv1d").network, importer("norse"))


@pytest.mark.parametrize(
    ("nodes", "folds"),
    [
        ([("fc", Linear(RANDOM.normal(size=(5, 4)))), ("lif", lif(5))], True),
        ([("lif", lif(4))], True),
        ([("cuba", Neuron((4,), 0.5, 0.3, 0.4))], True),  # type: ignore[arg-type]
        ([("step", Neuron((4,), 0.0, 0.3, memoryless=True))], False),  # type: ignore[arg-type]
    ],
)
def test_a_scale_behind_an_input(nodes: list[tuple[str, Node]], folds: bool) -> None:
    size = nodes[-1][1].described()["shape"]
    scale = Scale(RANDOM.uniform(0.5, 2, 4))
    network = chain(("in", Input((4,))), ("scale", scale), *nodes, ("out", Output(size)))
    after = run_passes(network, [FoldScale()]).network
    assert (not after.named(Scale)) == folds
    assert same(network, after) > 5


@pytest.mark.parametrize("each", [(3, 1, 1), (3, 4, 4)])
def test_a_scale_of_maps(each: tuple[int, ...]) -> None:
    """One factor a channel goes into kernels; one a pixel only through a Flatten into weights."""
    shape = (3, 4, 4)
    scale = Scale(np.broadcast_to(RANDOM.uniform(0.5, 2, each), shape))
    conv = Conv(RANDOM.normal(size=(2, 3, 3, 3)))
    network = chain(("in", Input(shape)), ("s", scale), ("c", conv), ("out", Output((2, 2, 2))))
    after = run_passes(network, [FoldScale()]).network
    assert (not after.named(Scale)) == (each == (3, 1, 1))
    same(network, after)
    fc = Linear(RANDOM.normal(size=(2, 48)))
    network = chain(
        ("in", Input(shape)), ("s", scale), ("f", Flatten()), ("fc", fc), ("out", Output((2,)))
    )
    after = run_passes(network, [FoldScale()]).network
    assert not after.named(Scale)
    same(network, after)


def test_a_scale_that_others_share_stays() -> None:
    """What else a layer hears has no such factor."""
    scale, fc = Scale(RANDOM.uniform(0.5, 2, 4)), Linear(RANDOM.normal(size=(4, 4)))
    nodes: dict[str, Any] = {"in": Input((4,)), "s": scale, "fc": fc, "out": Output((4,))}
    edges = (("in", "s"), ("s", "fc"), ("in", "fc"), ("fc", "out"))
    network = Network(nodes, edges)
    assert FoldScale().apply(network) is network
