"""Cases of feed-forward graphs: what enters and leaves, skips, residual blocks, ports."""

from collections.abc import Callable

import numpy as np

from ...core.arrays import frozen
from ...core.nodes import Conv, Input, Neuron, Node, Output
from .building import SPIKES, Built, case, chain, conv, dense, lif, two_layers


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
