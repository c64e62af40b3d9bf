"""What cases are made of, and the table of those that there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array, frozen
from ...core.network import Edge, Meaning, Network
from ...core.nodes import Conv, Input, Linear, Neuron, Node, Output

STEPS = 12
BATCH = 3
DT = 1e-3


@dataclass(frozen=True)
class Case:
    """A network and its input: Input node -> [T, B, *shape]."""

    name: str
    network: Network
    inputs: Mapping[str, Array]

    @property
    def nested(self) -> bool:
        """Whether some of its nodes live in a graph within the graph: 'inner.node'."""
        return any("." in name for name in self.network.nodes)

    @property
    def primitives(self) -> frozenset[str]:
        """The kinds of nodes in it, as NIR calls them where NIR has them."""
        return frozenset(node.kind for node in self.network.nodes.values())


Build = Callable[[np.random.Generator], tuple[dict[str, Node], list[Edge], dict[str, Any]]]
BUILDERS: dict[str, Build] = {}


def case(build: Build) -> Build:
    """Register a builder under its function's name."""
    BUILDERS[build.__name__] = build
    return build


def make(name: str) -> Case:
    """One case by name."""
    random = np.random.default_rng(sum(name.encode()))
    nodes, edges, meaning = BUILDERS[name](random)
    network = Network(nodes, tuple(edges), Meaning(dt=DT, **meaning))
    inputs = {n: signal(random, network.nodes[n]) for n in network.inputs}
    return Case(name, network, inputs)


def signal(random: np.random.Generator, node: Node) -> Array:
    """Spikes at 30 %, or numbers around 0."""
    assert isinstance(node, Input)
    size = (STEPS, BATCH, *node.shape)
    if node.content == "spikes":
        return (random.random(size) < 0.3).astype(np.float64)
    return random.normal(0.2, 0.8, size)


def chain(*named: tuple[str, Node]) -> tuple[dict[str, Node], list[Edge]]:
    """Nodes one behind the other."""
    names = [name for name, _ in named]
    return dict(named), list(zip(names, names[1:], strict=False))


def dense(random: np.random.Generator, out: int, into: int, bias: bool = False) -> Linear:
    """A random dense layer that makes neurons fire."""
    weight = random.normal(0, 1.6 / np.sqrt(into), (out, into)) + 0.3 / np.sqrt(into)
    return Linear(frozen(weight), frozen(random.normal(0.1, 0.2, out)) if bias else None)


def conv(
    random: np.random.Generator,
    out: int,
    into: int,
    kernel: tuple[int, ...],
    bias: bool = False,
    **how: Any,
) -> Conv:
    """A random convolution."""
    per_group = into // how.get("groups", 1)
    size = per_group * int(np.prod(kernel))
    weight = random.normal(0, 1.8 / np.sqrt(size), (out, per_group, *kernel)) + 0.3 / size
    return Conv(frozen(weight), frozen(random.normal(0.1, 0.2, out)) if bias else None, **how)


def lif(*shape: int, decay: float = 0.6, **how: Any) -> Neuron:
    """A leaky population with a threshold of 1."""
    return Neuron(shape, frozen(decay), frozen(1.0), **how)


def integrate(*shape: int, **how: Any) -> Neuron:
    """A population without leak."""
    return Neuron(shape, frozen(1.0), frozen(1.0), **how)


def cuba(*shape: int, **how: Any) -> Neuron:
    """A current-based population."""
    return Neuron(shape, frozen(0.7), frozen(1.0), decay_u=frozen(0.4), **how)


SPIKES: Any = "spikes"
Built = tuple[dict[str, Node], list[Edge], dict[str, Any]]


def two_layers(
    random: np.random.Generator, first: Neuron, second: Neuron, bias: bool = False
) -> Built:
    """spikes -> dense -> first -> dense -> second."""
    n, m = first.shape[0], second.shape[0]
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, n, 6, bias)),
        ("one", first),
        ("fc2", dense(random, m, n, bias)),
        ("two", second),
        ("out", Output((m,))),
    )
    return nodes, edges, {}
