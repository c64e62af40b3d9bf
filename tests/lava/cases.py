"""Small networks, and what it means to agree with the definition."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spikeport.core import interpreter
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import (
    Input,
    Linear,
    Neuron,
    Node,
)
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile

from .conftest import Lava


def eighths(random: np.random.Generator, low: float, high: float, *shape: int) -> Any:
    """Numbers whose sums are exact in float64, in whatever order."""
    return random.integers(int(low * 8), int(high * 8) + 1, shape) / 8


def chain(*nodes: tuple[str, Node], more: Sequence[tuple[str, str]] = (), **told: Any) -> Network:
    """Nodes one after the other, and more edges."""
    names = [name for name, _ in nodes]
    edges = [*zip(names, names[1:], strict=False), *more]
    return Network(dict(nodes), tuple(edges), Meaning(**told))


def linear(random: np.random.Generator, out: int, into: int, bias: bool = True) -> Linear:
    return Linear(eighths(random, -1, 1, out, into), eighths(random, -1, 1, out) if bias else None)


def plain(*shape: int, **more: Any) -> Neuron:
    told: dict[str, Any] = {"decay_v": 0.5, "threshold": 0.75} | more
    return Neuron(shape, **told)


def signals(network: Network, random: np.random.Generator, steps: int, batch: int) -> Any:
    """Spikes or numbers for every input, [T, B, *shape]."""
    found = {}
    for name in network.inputs:
        node = network.nodes[name]
        assert isinstance(node, Input)
        size = (steps, batch, *node.shape)
        if node.content == "spikes":
            found[name] = (random.random(size) < 0.4).astype(np.uint8)
        else:
            found[name] = eighths(random, -2, 2, *size)
    return found


def definition(network: Network, inputs: Mapping[str, Any]) -> Recording:
    return interpreter.run(compile(network), inputs, ("all",))


def same(wanted: Recording, got: Recording, states: bool = True) -> None:
    """Every number equal, of the same type."""
    for group in ("outputs", "spikes", "v", "u") if states else ("outputs", "spikes"):
        there, here = getattr(wanted, group), getattr(got, group)
        assert set(there) == set(here), group
        for name in there:
            assert there[name].dtype == here[name].dtype, (group, name)
            apart = int((there[name] != here[name]).sum())
            assert not apart, f"{group} of {name}: {apart} of {there[name].size} differ"


def agrees(
    lava: Lava, network: Network, steps: int = 6, batch: int = 3, seed: int = 1
) -> Recording:
    """Hold a network against the definition, stepped; returns the definition's recording."""
    inputs = signals(network, np.random.default_rng(seed), steps, batch)
    wanted = definition(network, inputs)
    same(wanted, lava.run(network, inputs))
    return wanted
