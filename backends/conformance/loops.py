"""Cases of loops and delays: what arrives a step late, or later."""

import numpy as np

from ...core.network import Edge
from ...core.nodes import Delay, Input, Neuron, Node, Output
from .building import SPIKES, Built, case, chain, cuba, dense, lif


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
