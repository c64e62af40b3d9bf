"""Populations of the trainer -> nodes. Most are one node; a kind that fires late has a Delay
behind it, and a spike response model that cannot be one neuron has its two filters around it."""

from typing import Protocol

from torch import nn

from ...core.arrays import Shape
from ...core.errors import UnsupportedNode
from ...core.nodes import Delay, Node
from ...trainer.neurons import SRM, Neuron, SingleSpike
from ...trainer.norms import BNTT
from .steps import scheduled

Sum = tuple[str, ...]  # a value of the graph: the sum of these nodes' outputs


class Graph(Protocol):
    """What nodes are put into."""

    def new(self, name: str, node: Node, heard: Sum) -> Sum:
        """A node that hears a sum, under this name or the next free one."""

    def added(self, name: str, node: Node, heard: Sum) -> Sum:
        """A node that the model does not have: it gets no origin."""

    def binary(self, name: str) -> bool:
        """Whether a node's output is provably 0 or 1."""

    def loop(self, source: Sum, target: Sum) -> None:
        """A back edge from one node to another."""


def populate(
    graph: Graph,
    name: str,
    layer: Neuron,
    heard: Sum,
    shape: Shape,
    own: tuple[str, Node] | None = None,
    norm: BNTT | None = None,
) -> Sum:
    """What others hear of a population that hears a sum; the population is called `name`.

    own: name and node of the map through which it hears its own spikes, those of the last step
    or, where they are late anyway, those that others hear in the same step. norm: what stands
    before the population, with numbers for every step.
    """
    refuse(layer)
    sides = layer.side_nodes(shape) if isinstance(layer, SRM) else None
    if norm is not None and sides is not None:
        raise UnsupportedNode(
            "is a spike response model behind a BNTT; only neurons of one node can be lowered there"
        )
    if sides is None:
        node = layer.node(shape) if norm is None else scheduled(layer.node(shape), norm)
        entry = fired = graph.new(name, node, heard)
    else:
        entry = graph.new(f"{name}.potential", sides[0], heard)
        fired = graph.new(name, layer.node(shape), entry)
        graph.loop(graph.new(f"{name}.refractory", sides[1], fired), fired)
    left = layer.delay
    if own is not None:
        if left > 1:  # the back edge itself is one step
            fired, left = graph.new(f"{name}.back", Delay(left - 1), fired), 1
        graph.loop(graph.new(*own, fired), entry)
    return graph.new(f"{name}.delay", Delay(left), fired) if left else fired


def refuse(layer: nn.Module) -> None:
    """UnsupportedNode for neurons that no graph can state, with what to do instead."""
    if isinstance(layer, SingleSpike):
        raise UnsupportedNode(
            "fires once, at a real-valued time; a graph goes in steps, and the order of spikes "
            "within a step, which decides who is causal, would be lost. Train CubaLIF over steps "
            "instead, with a decay close to 1: nearly the same membrane, which may fire again"
        )
    if isinstance(layer, Neuron) and not layer.surrogate.binary:
        raise UnsupportedNode(
            f"fires with {layer.surrogate}, whose values between 0 and 1 are no spikes; train on "
            "with a surrogate that fires 0 or 1, such as Sigmoid, and lower that"
        )
