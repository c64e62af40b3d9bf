"""Flips are sorted into roots and consequences, and rounding is told from a fault."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spikeport.core import interpreter
from spikeport.core.arrays import frozen
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Linear, Neuron, Node, Output
from spikeport.core.schedule import compile
from spikeport.verify.roots import find_roots

from ..core.nets import signal

EPS32, EPS64 = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)


def net(loop: bool = False, reset: str = "value", threshold: float = 0.3) -> Network:
    """Weights in tenths: membranes meet the threshold all the time, but for rounding."""
    random = np.random.default_rng(4)
    neuron = Neuron((40,), frozen(1.0), frozen(threshold), reset=reset)  # type: ignore[arg-type]
    nodes: dict[str, Node] = {
        "in": Input((12,), "spikes"),
        "w1": Linear(frozen(random.integers(-1, 3, (40, 12)) / 10)),
        "one": neuron,
        "w2": Linear(frozen(random.integers(-1, 3, (40, 40)) / 10), frozen(np.full(40, 0.1))),
        "two": neuron,
        "out": Output((40,)),
    }
    edges = [("in", "w1"), ("w1", "one"), ("one", "w2"), ("w2", "two"), ("two", "out")]
    if loop:
        nodes["rec"] = Linear(frozen(random.integers(-1, 2, (40, 40)) / 10))
        edges += [("one", "rec"), ("rec", "one")]
    return Network(nodes, tuple(edges))


def in_float32(network: Network) -> Network:
    """The network as a float32 engine would hold it; sums stay float64, which is enough to
    break ties the other way."""
    changed: dict[str, Node] = {}
    for name, node in network.nodes.items():
        if isinstance(node, Linear):
            bias = None if node.bias is None else frozen(node.bias.astype(np.float32))
            changed[name] = replace(node, weight=frozen(node.weight.astype(np.float32)), bias=bias)
        if isinstance(node, Neuron):
            assert node.threshold is not None
            changed[name] = replace(node, threshold=frozen(node.threshold.astype(np.float32)))
    return network.changed(nodes={**network.nodes, **changed})


def spikes(network: Network, x: dict[str, Any]) -> dict[str, Any]:
    return dict(interpreter.run(compile(network), x, ("all",)).spikes)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_rounding_is_within_the_bound(loop: bool, reset: str) -> None:
    network = net(loop, reset)
    x = signal(network, 8, 6)
    expected, got = spikes(network, x), spikes(in_float32(network), x)
    found = find_roots(network, x, expected, got, EPS32)
    assert found.flips > 50, "the test needs ties"
    assert 0 < found.roots < found.flips, "later flips are consequences"
    assert found.outside == 0, found.worst


def test_the_bound_is_not_generous() -> None:
    """A gap of 1e-9 is nothing in float32 and much in float64."""
    network = net(threshold=0.3 - 1e-9)
    x = signal(network, 8, 6)
    expected, got = spikes(network, x), spikes(in_float32(network), x)
    assert find_roots(network, x, expected, got, EPS64).outside > 0
    assert find_roots(network, x, expected, got, EPS32).outside == 0


def test_a_fault_is_outside_and_named() -> None:
    network = net()
    x = signal(network, 8, 6)
    weight = network.nodes["w2"].weight.copy()  # type: ignore[attr-defined]
    weight[7] += 0.05
    faulty = network.changed(nodes={**network.nodes, "w2": Linear(weight)})
    found = find_roots(network, x, spikes(network, x), spikes(faulty, x), EPS32)
    assert found.outside > 0
    assert found.worst.startswith("two at step") and "rounding can move it" in found.worst


def test_consequences_are_not_roots() -> None:
    """A flip in `one` that `two` hears makes no root of two's own flips."""
    network = net()
    x = signal(network, 8, 1)
    expected = spikes(network, x)
    got = {name: s.copy() for name, s in expected.items()}
    got["one"][2, 0, 5] ^= 1
    got["two"][2:] ^= 1  # everything after the flip, in every neuron that hears it
    heard = network.nodes["w2"].weight[:, 5] != 0  # type: ignore[attr-defined]
    got["two"][:, :, ~heard] = expected["two"][:, :, ~heard]
    found = find_roots(network, x, expected, got, 1.0)
    assert found.roots == 1
    assert found.flips == 1 + 6 * int(heard.sum())
