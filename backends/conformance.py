"""Cases that every engine must run exactly, or refuse by name: small networks with their input.

A case is a network and what goes in. Whoever runs it brings the network within an engine's
capabilities by passes, opens it, and holds every population's spikes against core.interpreter's
on the same case, with ==. A case whose lowered form is outside of the capabilities must be
refused, with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import Array, frozen
from ..core.network import Edge, Meaning, Network
from ..core.nodes import (
    AvgPool2d,
    BatchNorm,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    MaxPool2d,
    Neuron,
    Node,
    Output,
    SumPool2d,
)
from .conformance_chip import PIPELINED

STEPS = 12
BATCH = 3
DT = 1e-3


@dataclass(frozen=True)
class Case:
    """A network and its input: Input node -> [T, B, *shape]."""

    name: str
    network: Network
    inputs: Mapping[str, Array]


Build = Callable[[np.random.Generator], tuple[dict[str, Node], list[Edge], dict[str, Any]]]
BUILDERS: dict[str, Build] = dict(PIPELINED)


def case(build: Build) -> Build:
    """Register a builder under its function's name."""
    BUILDERS[build.__name__] = build
    return build


def cases() -> list[Case]:
    """All of them, the same every time."""
    return [make(name) for name in BUILDERS]


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


# --- neurons ---------------------------------------------------------------------------------


@case
def if_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, integrate(8), integrate(5))


@case
def lif_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8), lif(5, decay=0.9))


@case
def cuba_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8), cuba(5))


@case
def lif_per_neuron(random: np.random.Generator) -> Built:
    first = Neuron(
        (8,),
        frozen(random.uniform(0.5, 0.95, 8)),
        frozen(random.uniform(0.5, 1.2, 8)),
    )
    return two_layers(random, first, lif(5), bias=True)


@case
def biases(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8), integrate(5), bias=True)


@case
def cuba_biases(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8), cuba(5), bias=True)


@case
def membrane_bias(random: np.random.Generator) -> Built:
    leak = frozen(random.uniform(-0.1, 0.2, 8))
    return two_layers(random, lif(8, bias=leak), cuba(5, bias=frozen(0.05)))


@case
def gain(random: np.random.Generator) -> Built:
    first = lif(8, gain_v=frozen(random.uniform(0.3, 1.2, 8)))
    second = cuba(5, gain_u=frozen(0.8), gain_v=frozen(0.5))
    return two_layers(random, first, second)


@case
def subtract_lif(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, reset="subtract"), lif(5, reset="subtract"))


@case
def subtract_if(random: np.random.Generator) -> Built:
    return two_layers(random, integrate(8, reset="subtract"), integrate(5, reset="subtract"))


@case
def subtract_cuba(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8, reset="subtract"), cuba(5, reset="subtract"))


@case
def reset_to_value(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, v_reset=frozen(0.25)), lif(5, v_reset=frozen(-0.5)))


@case
def fires_at_threshold(random: np.random.Generator) -> Built:
    """Weights of a half and whole spikes: membranes meet the threshold exactly, often."""
    nodes, edges = chain(
        ("in", Input((4,), SPIKES)),
        ("fc", Linear(frozen(random.integers(-1, 3, (6, 4)) * 0.5))),
        ("one", integrate(6, compare=">=")),
        ("out", Output((6,))),
    )
    return nodes, edges, {}


@case
def refractory(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, refractory=2), cuba(5, refractory=1))


# --- linear maps -----------------------------------------------------------------------------


def conv_net(random: np.random.Generator, layer: Conv, bias: bool = False) -> Built:
    """spikes [2, 7, 6] -> conv -> lif -> flatten -> dense -> lif."""
    shape = layer.output_shape((2, 7, 6))
    size = int(np.prod(shape))
    nodes, edges = chain(
        ("in", Input((2, 7, 6), SPIKES)),
        ("conv", layer),
        ("one", lif(*shape)),
        ("flat", Flatten()),
        ("fc", dense(random, 5, size, bias)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


@case
def conv_padded(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), True, padding=(1, 1)))


@case
def conv_strided(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), stride=(2, 1), padding=(0, 1)))


@case
def conv_rectangular(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 5), True, padding=(1, 0)))


@case
def conv_dilated(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 2), dilation=(2, 1), padding=(1, 0)))


@case
def conv_groups(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), True, padding=(1, 1), groups=2))


def pooled(random: np.random.Generator, pool: Node, second: Conv) -> Built:
    """spikes [2, 8, 8] -> conv -> lif -> pool -> conv -> lif."""
    after = pool.output_shape((3, 8, 8))
    shape = second.output_shape(after)
    nodes, edges = chain(
        ("in", Input((2, 8, 8), SPIKES)),
        ("conv1", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", lif(3, 8, 8)),
        ("pool", pool),
        ("conv2", second),
        ("two", lif(*shape)),
        ("out", Output(shape)),
    )
    return nodes, edges, {}


@case
def sum_pool(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), padding=(1, 1)))


@case
def avg_pool(random: np.random.Generator) -> Built:
    return pooled(random, AvgPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), True))


@case
def sum_pool_overlapping(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((3, 3), (2, 2)), conv(random, 4, 3, (2, 2)))


@case
def sum_pool_padded(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((3, 2), (2, 2), (1, 1)), conv(random, 4, 3, (2, 2)))


@case
def max_pool(random: np.random.Generator) -> Built:
    return pooled(random, MaxPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), padding=(1, 1)))


@case
def pool_into_dense(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((2, 4, 6), SPIKES)),
        ("conv", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", lif(3, 4, 6)),
        ("pool", AvgPool2d((2, 2), (2, 2))),
        ("flat", Flatten()),
        ("fc", dense(random, 5, 18, True)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


@case
def batch_norm(random: np.random.Generator) -> Built:
    norm = BatchNorm(
        frozen(random.uniform(0.5, 1.5, 4)),
        frozen(random.normal(0.2, 0.2, 4)),
        frozen(random.normal(0, 0.3, 4)),
        frozen(random.uniform(0.3, 2, 4)),
        1e-5,
    )
    nodes, edges = chain(
        ("in", Input((2, 5, 5), SPIKES)),
        ("conv", conv(random, 4, 2, (3, 3), padding=(1, 1))),
        ("norm", norm),
        ("one", lif(4, 5, 5)),
        ("out", Output((4, 5, 5))),
    )
    return nodes, edges, {}


# --- graphs ----------------------------------------------------------------------------------


@case
def analogue_input(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((1, 6, 6))),
        ("conv1", conv(random, 3, 1, (3, 3), True, padding=(1, 1))),
        ("one", lif(3, 6, 6)),
        ("conv2", conv(random, 4, 3, (3, 3))),
        ("two", lif(4, 4, 4)),
        ("out", Output((4, 4, 4))),
    )
    return nodes, edges, {}


@case
def spikeless_readout(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6, True)),
        ("one", lif(8)),
        ("fc2", dense(random, 3, 8, True)),
        ("out", Output((3,))),
    )
    return nodes, edges, {"readout": "mean_t"}


@case
def input_into_neurons(random: np.random.Generator) -> Built:
    """No weights before the first population."""
    nodes, edges = chain(
        ("in", Input((6,))),
        ("one", lif(6)),
        ("fc", dense(random, 4, 6)),
        ("two", lif(4)),
        ("out", Output((4,))),
    )
    return nodes, edges, {}


@case
def skip_over_two(random: np.random.Generator) -> Built:
    """one -> two -> three, and one -> three directly: a chip must delay the short way."""
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6, True)),
        ("one", lif(8)),
        ("fc2", dense(random, 8, 8, True)),
        ("two", lif(8)),
        ("fc3", dense(random, 5, 8, True)),
        ("three", lif(5)),
        ("out", Output((5,))),
    )
    nodes["skip"] = dense(random, 5, 8)
    return nodes, [*edges, ("one", "skip"), ("skip", "three")], {}


@case
def conv_skip(random: np.random.Generator) -> Built:
    """A residual block: two convolutions beside one of 1 x 1."""
    nodes, edges = chain(
        ("in", Input((2, 6, 6), SPIKES)),
        ("conv1", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", lif(3, 6, 6)),
        ("conv2", conv(random, 4, 3, (3, 3), padding=(1, 1), stride=(2, 2))),
        ("two", lif(4, 3, 3)),
        ("conv3", conv(random, 4, 4, (3, 3), padding=(1, 1))),
        ("three", lif(4, 3, 3)),
        ("out", Output((4, 3, 3))),
    )
    nodes["short"] = conv(random, 4, 3, (1, 1), stride=(2, 2))
    return nodes, [*edges, ("one", "short"), ("short", "three")], {}


@case
def identity_skip(random: np.random.Generator) -> Built:
    """Spikes that join a later population without weights."""
    nodes, edges, _ = two_layers(random, lif(6), lif(6))
    nodes["fc3"] = dense(random, 6, 6)
    nodes["three"] = lif(6)
    edges = [e for e in edges if e[1] != "out"]
    edges += [("two", "fc3"), ("fc3", "three"), ("three", "out"), ("one", "three")]
    return nodes, edges, {}


def residual(random: np.random.Generator, join: Callable[[], Built] | None) -> Built:
    """spikes -> conv -> one -> conv -> two; the two meet in `join` (None: they are added, in the
    synapse behind) -> conv -> three."""
    keen = Neuron((3, 5, 5), frozen(0.6), frozen(0.4))  # so that both fire together, often
    nodes, edges = chain(
        ("in", Input((2, 5, 5), SPIKES)),
        ("conv1", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", keen),
        ("conv2", conv(random, 3, 3, (3, 3), padding=(1, 1))),
        ("two", keen),
    )
    nodes |= {
        "conv3": conv(random, 4, 3, (3, 3), padding=(1, 1)),
        "three": Neuron((4, 5, 5), frozen(0.6), frozen(0.4)),
        "out": Output((4, 5, 5)),
    }
    edges += [("conv3", "three"), ("three", "out")]
    if join is None:
        return nodes, [*edges, ("one", "conv3"), ("two", "conv3")], {}
    more, ways, _ = join()
    return {**nodes, **more}, [*edges, *ways, ("join", "conv3")], {}


def forgets(threshold: float) -> Neuron:
    """A population that adds up what arrives in one step: as good as no memory."""
    return Neuron((3, 5, 5), frozen(2.0**-12), frozen(threshold))


@case
def residual_add(random: np.random.Generator) -> Built:
    """A synapse that hears two populations, whose sum is 0, 1 or 2."""
    return residual(random, None)


@case
def residual_and(random: np.random.Generator) -> Built:
    """Fires where both do."""
    return residual(
        random, lambda: ({"join": forgets(1.5)}, [("one", "join"), ("two", "join")], {})
    )


@case
def residual_iand(random: np.random.Generator) -> Built:
    """Fires where the shortcut does and the branch does not."""
    minus = Conv(frozen(-np.ones((3, 1, 1, 1))), groups=3)
    ways = [("one", "join"), ("two", "not"), ("not", "join")]
    return residual(random, lambda: ({"join": forgets(0.5), "not": minus}, ways, {}))


@case
def residual_stream(random: np.random.Generator) -> Built:
    """Pre-activation: every population hears the convolutions of all blocks before it."""
    nodes: dict[str, Node] = {
        "in": Input((2, 5, 5), SPIKES),
        "conv1": conv(random, 3, 2, (3, 3), padding=(1, 1)),
        "conv2": conv(random, 3, 3, (3, 3), padding=(1, 1)),
        "conv3": conv(random, 3, 3, (3, 3), padding=(1, 1)),
        "one": lif(3, 5, 5),
        "two": lif(3, 5, 5, gain_v=frozen(0.7)),
        "three": lif(3, 5, 5, decay=0.3),
        "out": Output((3, 5, 5)),
    }
    edges = [("in", "conv1"), ("conv1", "one"), ("one", "conv2"), ("two", "conv3")]
    edges += [("conv1", "two"), ("conv2", "two"), ("three", "out")]
    edges += [("conv1", "three"), ("conv2", "three"), ("conv3", "three")]
    return nodes, edges, {}


def loop(random: np.random.Generator, neurons: Neuron, bias: bool) -> Built:
    """spikes -> dense -> neurons, which hear their own last spikes."""
    n = neurons.shape[0]
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc", dense(random, n, 6, bias)),
        ("one", neurons),
        ("out", Output((n,))),
    )
    nodes["rec"] = dense(random, n, n, bias)
    return nodes, [*edges, ("one", "rec"), ("rec", "one")], {}


@case
def one_synapse_loop(random: np.random.Generator) -> Built:
    return loop(random, lif(7), False)


@case
def one_synapse_loop_bias(random: np.random.Generator) -> Built:
    return loop(random, lif(7), True)


@case
def one_synapse_loop_cuba(random: np.random.Generator) -> Built:
    return loop(random, cuba(7), True)


@case
def loop_nothing_at_t0(random: np.random.Generator) -> Built:
    nodes, edges, _ = loop(random, lif(7), True)
    return nodes, edges, {"back_edge_at_t0": "nothing"}


def two_synapses(random: np.random.Generator) -> tuple[dict[str, Node], list[Edge]]:
    """one -> two -> one through two dense layers."""
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc", dense(random, 7, 6)),
        ("one", lif(7)),
        ("there", dense(random, 5, 7)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    nodes["back"] = dense(random, 7, 5)
    return nodes, [*edges, ("two", "back"), ("back", "one")]


@case
def two_synapse_loop(random: np.random.Generator) -> Built:
    """One step round the loop: too fast for an engine that takes one a synapse."""
    nodes, edges = two_synapses(random)
    return nodes, edges, {}


@case
def two_synapse_loop_delayed(random: np.random.Generator) -> Built:
    """Two steps round the loop: a pipelined engine can time it."""
    nodes, edges = two_synapses(random)
    nodes["late"] = Delay(1)
    edges = [e for e in edges if e != ("two", "back")]
    return nodes, [*edges, ("two", "late"), ("late", "back")], {}


@case
def delay(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6)),
        ("one", lif(8)),
        ("late", Delay(3)),
        ("fc2", dense(random, 5, 8)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


@case
def delay_per_neuron(random: np.random.Generator) -> Built:
    """Each neuron's spikes wait their own time, in a recurrent layer too."""
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6)),
        ("one", lif(8)),
        ("late", Delay(np.arange(8) % 4)),
        ("fc2", dense(random, 5, 8)),
        ("two", cuba(5)),
        ("out", Output((5,))),
    )
    nodes |= {"rec": dense(random, 5, 5, True), "later": Delay(np.array([3, 1, 2, 1, 4]))}
    return nodes, [*edges, ("two", "later"), ("later", "rec"), ("rec", "two")], {}


@case
def several_ports(random: np.random.Generator) -> Built:
    nodes: dict[str, Node] = {
        "a": Input((4,), SPIKES),
        "b": Input((5,), SPIKES),
        "fa": dense(random, 6, 4),
        "fb": dense(random, 6, 5),
        "one": lif(6),
        "fc": dense(random, 3, 6),
        "two": lif(3),
        "spikes1": Output((6,)),
        "spikes2": Output((3,)),
    }
    edges = [
        ("a", "fa"),
        ("b", "fb"),
        ("fa", "one"),
        ("fb", "one"),
        ("one", "fc"),
        ("fc", "two"),
        ("one", "spikes1"),
        ("two", "spikes2"),
    ]
    return nodes, edges, {}


@case
def conv1d(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((3, 12), SPIKES)),
        ("conv", conv(random, 4, 3, (3,), True, stride=(2,), padding=(1,))),
        ("one", lif(4, 6)),
        ("out", Output((4, 6))),
    )
    return nodes, edges, {}
