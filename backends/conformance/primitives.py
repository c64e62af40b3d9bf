"""Cases of NIR's other primitives, and of how a file may put them together: each by itself, so
that a reader which lacks one refuses one."""

from typing import Any

import numpy as np

from ...core.arrays import frozen
from ...core.network import Edge
from ...core.nodes import (
    AvgPool2d,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Scale,
)
from .building import SPIKES, Built, case, chain, conv, cuba, dense, lif, two_layers
from .maps import pooled


def graph(nodes: dict[str, Node], *ways: str, **meaning: Any) -> Built:
    """ways: 'a b c' for the edges a -> b -> c."""
    edges: list[Edge] = []
    for way in ways:
        edges += zip(way.split(), way.split()[1:], strict=False)
    return nodes, edges, meaning


def ends(random: np.random.Generator, *middle: tuple[str, Node]) -> Built:
    """spikes [6] -> dense -> middle [8] -> dense -> lif, in a row."""
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6)),
        *middle,
        ("fc2", dense(random, 5, 8)),
        ("last", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


def readout(random: np.random.Generator, neurons: Neuron) -> Built:
    """spikes -> dense -> lif -> dense -> neurons, whose membranes are the answer."""
    nodes, edges = chain(
        ("in", Input((6,), SPIKES)),
        ("fc1", dense(random, 8, 6)),
        ("one", lif(8)),
        ("fc2", dense(random, 4, 8, True)),
        ("read", neurons),
        ("out", Output((4,))),
    )
    return nodes, edges, {}


@case
def scale_of_numbers(random: np.random.Generator) -> Built:
    """A factor for each pixel of an analogue input."""
    nodes, edges = chain(
        ("in", Input((6,))),
        ("scale", Scale(frozen(random.uniform(0.5, 1.5, 6)))),
        ("fc", dense(random, 8, 6)),
        ("one", lif(8)),
        ("out", Output((8,))),
    )
    return nodes, edges, {}


@case
def scale_of_spikes(random: np.random.Generator) -> Built:
    return ends(random, ("one", lif(8)), ("scale", Scale(frozen(random.uniform(0.5, 1.5, 8)))))


@case
def threshold(random: np.random.Generator) -> Built:
    """No state: a spike wherever this step's sum is over it."""
    step = Neuron((8,), frozen(0.0), frozen(random.uniform(0.2, 0.8, 8)), memoryless=True)
    return ends(random, ("one", step))


@case
def integrator(random: np.random.Generator) -> Built:
    """I: a sum over time, never set back."""
    return readout(random, Neuron((4,), frozen(1.0), gain_v=frozen(0.5)))


@case
def leaky_readout(random: np.random.Generator) -> Built:
    """LI, each neuron with a leak of its own."""
    return readout(random, Neuron((4,), frozen(random.uniform(0.5, 0.95, 4))))


@case
def leaky_readout_bias(random: np.random.Generator) -> Built:
    """LI that leaks towards another value than 0, with a gain."""
    return readout(random, Neuron((4,), frozen(0.8), gain_v=frozen(0.3), bias=frozen(0.04)))


@case
def cuba_readout(random: np.random.Generator) -> Built:
    """CubaLI."""
    return readout(random, Neuron((4,), frozen(0.8), decay_u=frozen(0.5)))


@case
def leaky_then_threshold(random: np.random.Generator) -> Built:
    """LI -> Threshold: spikes without a reset."""
    leaky = Neuron((8,), frozen(0.6))
    step = Neuron((8,), frozen(0.0), frozen(0.7), memoryless=True)
    return ends(random, ("leaky", leaky), ("one", step))


@case
def cuba_per_neuron(random: np.random.Generator) -> Built:
    """Every number of a current-based population differs from neuron to neuron."""
    first = Neuron(
        (8,),
        frozen(random.uniform(0.5, 0.95, 8)),
        frozen(random.uniform(0.6, 1.2, 8)),
        decay_u=frozen(random.uniform(0.2, 0.7, 8)),
        gain_u=frozen(random.uniform(0.5, 1.2, 8)),
        gain_v=frozen(random.uniform(0.5, 1.2, 8)),
    )
    return two_layers(random, first, cuba(5))


@case
def threshold_per_neuron(random: np.random.Generator) -> Built:
    """Of populations that are otherwise the same everywhere."""
    first = Neuron((8,), frozen(0.6), frozen(random.uniform(0.5, 1.2, 8)))
    return two_layers(random, first, lif(5))


@case
def reset_to_value_per_neuron(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, v_reset=frozen(random.uniform(-0.5, 0.5, 8))), lif(5))


@case
def conv1d_groups(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((4, 12), SPIKES)),
        ("conv", conv(random, 6, 4, (3,), True, padding=(2,), dilation=(2,), groups=2)),
        ("one", lif(6, 12)),
        ("out", Output((6, 12))),
    )
    return nodes, edges, {}


@case
def avg_pool_overlapping(random: np.random.Generator) -> Built:
    return pooled(random, AvgPool2d((3, 3), (2, 2)), conv(random, 4, 3, (2, 2)), 2.0)


@case
def avg_pool_padded(random: np.random.Generator) -> Built:
    return pooled(random, AvgPool2d((3, 2), (2, 2), (1, 1)), conv(random, 4, 3, (2, 2)))


@case
def flatten_some_axes(random: np.random.Generator) -> Built:
    """[2, 3, 9] -> [6, 9]: the first two of three axes, in front of a Conv1d."""
    nodes, edges = chain(
        ("in", Input((2, 3, 9), SPIKES)),
        ("flat", Flatten(0, 1)),
        ("conv", conv(random, 4, 6, (3,), padding=(1,))),
        ("one", lif(4, 9)),
        ("out", Output((4, 9))),
    )
    return nodes, edges, {}


@case
def delay_of_sums(random: np.random.Generator) -> Built:
    """Numbers, not spikes, that wait."""
    return ends(random, ("late", Delay(2)), ("one", lif(8)))


@case
def self_loop(random: np.random.Generator) -> Built:
    """Every neuron hears its own last spike, without weights."""
    nodes, edges, meaning = two_layers(random, lif(8), lif(5))
    return nodes, [*edges, ("one", "one")], meaning


@case
def conv_loop(random: np.random.Generator) -> Built:
    """A recurrent convolution with a bias, which is there at t = 0."""
    return looped_conv(random)


@case
def conv_loop_nothing_at_t0(random: np.random.Generator) -> Built:
    """... and one that brings nothing at t = 0."""
    return looped_conv(random, back_edge_at_t0="nothing")


def looped_conv(random: np.random.Generator, **meaning: Any) -> Built:
    """spikes [2, 5, 5] -> conv -> lif, which hears a convolution of its own last spikes."""
    nodes: dict[str, Node] = {
        "in": Input((2, 5, 5), SPIKES),
        "conv": conv(random, 3, 2, (3, 3), padding=(1, 1)),
        "one": lif(3, 5, 5),
        "rec": conv(random, 3, 3, (3, 3), True, padding=(1, 1)),
        "out": Output((3, 5, 5)),
    }
    return graph(nodes, "in conv one out", "one rec one", **meaning)


@case
def listed_back_edges(random: np.random.Generator) -> Built:
    """Two Inputs from which a loop could be cut in two ways: the metadata say in which."""
    nodes: dict[str, Node] = {
        "a": Input((4,), SPIKES),
        "b": Input((4,), SPIKES),
        "fa": dense(random, 6, 4),
        "fb": dense(random, 6, 4),
        "one": lif(6),
        "there": dense(random, 6, 6),
        "two": lif(6),
        "back": dense(random, 6, 6),
        "out": Output((6,)),
    }
    ways = ("a fa one there two out", "b fb two", "two back one")
    return graph(nodes, *ways, back_edges=(("back", "one"),))


@case
def sums(random: np.random.Generator) -> Built:
    """Three layers and a shortcut into one population."""
    nodes: dict[str, Node] = {
        "in": Input((6,), SPIKES),
        "a": dense(random, 6, 6),
        "b": dense(random, 6, 6, True),
        "c": Linear(frozen(random.normal(0, 0.3, (6, 6)))),
        "one": lif(6),
        "out": Output((6,)),
    }
    return graph(nodes, "in a one out", "in b one", "in c one", "in one")


@case
def one_population_two_outputs(random: np.random.Generator) -> Built:
    nodes: dict[str, Node] = {
        "in": Input((6,), SPIKES),
        "fc": dense(random, 5, 6),
        "one": lif(5),
        "read": dense(random, 3, 5),
        "spikes": Output((5,)),
        "sums": Output((3,)),
    }
    return graph(nodes, "in fc one spikes", "one read sums")


@case
def nested_graph(random: np.random.Generator) -> Built:
    """A layer that is a graph within the graph."""
    nodes: dict[str, Node] = {
        "in": Input((6,), SPIKES),
        "block.fc": dense(random, 8, 6, True),
        "block.one": lif(8),
        "fc": dense(random, 5, 8),
        "two": lif(5),
        "out": Output((5,)),
    }
    return graph(nodes, "in block.fc block.one fc two out")


@case
def nested_loop(random: np.random.Generator) -> Built:
    """A recurrent layer as a graph in a graph in the graph."""
    nodes: dict[str, Node] = {
        "in": Input((6,), SPIKES),
        "net.fc": dense(random, 7, 6),
        "net.cell.one": lif(7),
        "net.cell.rec": dense(random, 7, 7),
        "fc": dense(random, 5, 7),
        "two": cuba(5),
        "out": Output((5,)),
    }
    loop = "net.cell.one net.cell.rec net.cell.one"
    return graph(nodes, "in net.fc net.cell.one fc two out", loop)
